"""Elementary functions on vectors: exp, log, sin … for f32x4 and f64x2, out of one set of formulas.

Methods: Cody and Waite's argument reduction in parts, Payne and Hanek's for float32 angles beyond it; the shape of log, expm1, asin and atan as in FreeBSD's msun (fdlibm);
minimax polynomials of our own (`tools/minimax.py`). Greatest error seen for float32 over its whole range, in units in the last place of the correctly rounded result
(tests/unit/test_vector_math.py holds each of them to its bound): see `BOUNDS`. For float64 they are within a few ulp too (pow: 2), except angles beyond 1e8.
NaN, infinities, signed zeros and denormals come out as IEEE 754 and C's Annex F have them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from weft.passes.wasm import coefficients
from weft.passes.wasm.vectors import F32, F64, Builder, Format, Value, Vec, fma, polynomial

HALVES = frozenset(range(-7, 8, 2))
"""Odd numbers of halves that an exponent may be to be taken by a square root."""

BOUNDS = {
    "exp": 2, "exp2": 2, "expm1": 4, "log": 2, "log2": 3, "log10": 3, "log1p": 3, "sin": 3, "cos": 3, "tan": 4, "sinh": 4, "cosh": 3, "tanh": 4,
    "asin": 3, "acos": 3, "atan": 3, "atan2": 3, "asinh": 4, "acosh": 4, "atanh": 4, "erf": 3, "powf": 1, "cbrt": 1, "rsqrt": 2,
}  # fmt: skip
"""float32: units in the last place that each function may be off."""

LN2 = math.log(2)
LN2_PARTS = {F32: (0.693359375, -2.1219444e-4), F64: (6.93147180369123816490e-01, 1.90821492927058770002e-10)}
LIMITS = {
    F32: (-104.0, 89.0, 13),
    F64: (-746.0, 710.0, 28),
}  # exp is 0 below, inf above; bits that a quotient of angles may have
PI_PARTS = {  # pi in two parts
    F32: (3.1415927410125732, -8.742277657347586e-08),
    F64: (math.pi, 1.2246467991473532e-16),
}
TWO_OVER_LN2 = (2.8853900817779268, 4.0710547481862066e-17)  # constants of float64's power, in two parts
THIRD = (1 / 3, 1.850371707708594e-17)
# pi / 2 in four parts; the first three are short enough that a product with a quotient of LIMITS' bits is exact
HALF_PI_PARTS = {
    F32: (1.5703125, 0.0004837512969970703, 7.549533620476723e-08, 2.5633440682570896e-12),
    F64: (1.5707963109016418, 1.5893254712295857e-08, 6.123233932053594e-17, 6.36831716351095e-25),
}


def _table(x: Vec) -> dict[str, tuple[float, ...]]:
    return coefficients.F32 if x.format is F32 else coefficients.F64


# -- exponentials ---------------------------------------------------------------------------------------------------------------------------


def _reduce_exp(x: Vec, table: dict[str, tuple[float, ...]] | None = None) -> tuple[Vec, Vec]:
    """(expm1(r), n) with x = n * ln 2 + r and n an integer in integer lanes."""
    magic = x.format.magic
    shifted = fma(x, 1 / LN2, magic)
    n = shifted - magic
    return _expm1_near(_less_multiple(x, n), table), _quotient(shifted)


def _less_multiple(x: Vec, n: Vec) -> Vec:
    """x - n * ln 2."""
    high, low = LN2_PARTS[x.format]
    return fma(n, -low, fma(n, -high, x))


def _expm1_near(r: Vec, table: dict[str, tuple[float, ...]] | None = None) -> Vec:
    """expm1 for |r| <= ln(2) / 2."""
    square = r * r
    return fma(square, polynomial(r, (table or _table(r))["exp"], square), r)


def _quotient(shifted: Vec) -> Vec:
    """The integer to which adding the magic number has rounded."""
    return shifted.int_sub(shifted.format.bits(shifted.format.magic))


def _power_of_two(n: Vec) -> Vec:
    """2**n for integer lanes within the normal exponents (one more is infinity)."""
    return n.int_add(n.format.bias).shifted_left(n.format.mantissa)


def _centre(form: Format) -> float:
    """A number that rounds what is added to it to an integer n, like `form.magic`, and leaves n + 2 * bias in the low bits."""
    return form.magic + 2 * form.bias


def _scaled(p: Vec, shifted: Vec) -> Vec:
    """(p + 1) * 2**n for shifted = n + `_centre`: by half of n at a time, so that results may be denormal or overflow.

    The low bits of `shifted` are the sum of both halves' exponents, biased; what stands above them shifts out.
    """
    half = shifted.shifted_right(1)
    lower, upper = (k.shifted_left(p.format.mantissa) for k in (half, shifted.int_sub(half)))
    return fma(p, lower, lower) * upper


def _clamped(x: Vec) -> Vec:
    low, high, _ = LIMITS[x.format]
    return x.at_least(low).at_most(high)


def exp(x: Vec) -> Vec:
    """e ** x: 2 ** n times a polynomial in what is left of x beyond n * log(2)."""
    x = _clamped(x)
    centre = _centre(x.format)
    shifted = fma(x, 1 / LN2, centre)
    return _scaled(_expm1_near(_less_multiple(x, shifted - centre)), shifted)


def exp2(x: Vec) -> Vec:
    """2 ** x; splitting off the integer is exact."""
    low, high, _ = LIMITS[x.format]
    x = x.at_least(math.floor(low / LN2) - 1).at_most(math.ceil(high / LN2))
    centre = _centre(x.format)
    shifted = x + centre
    return _scaled(_expm1_near((x - (shifted - centre)) * LN2), shifted)


def _half_expm1(x: Vec) -> Vec:
    """expm1(x) / 2, which overflows later than expm1."""
    p, n = _reduce_exp(x.at_least(-40.0).at_most(LIMITS[x.format][1] + 1))
    scale = _power_of_two(n.int_sub(3))
    return fma(p, scale, scale - 0.125) * 4.0


def expm1(x: Vec) -> Vec:
    """exp(x) - 1 without loss near 0."""
    h = _half_expm1(x)
    return (h + h).with_sign_of(x)


def sinh(x: Vec) -> Vec:
    """(e + e / (e + 1)) / 2 with e = expm1(|x|), exact near 0."""
    h = _half_expm1(abs(x))
    g = h.at_most(2.0**60)  # the quotient is 1/2 by then, and inf / inf must not arise
    return (h + g / (g + g + 1.0)).with_sign_of(x)


def cosh(x: Vec) -> Vec:
    """(exp(|x|) + exp(-|x|)) / 2; halves, so that it overflows no earlier than it must."""
    p, n = _reduce_exp(abs(x).at_most(LIMITS[x.format][1] + 1))
    half = (p + p + 2.0) * _power_of_two(n.int_sub(2))
    return half + 0.25 / half


def tanh(x: Vec) -> Vec:
    """By e = expm1(-2 |x|): -e / (e + 2)."""
    a = abs(x).at_most(20.0)
    high, low = LN2_PARTS[x.format]
    shifted = fma(a, -2 / LN2, x.format.magic)
    n = shifted - x.format.magic
    p = _expm1_near(fma(n, -low, fma(n, -high, a * -2.0)))
    # the magic number has no low bits: shifted to the exponent, nothing but the integer is left of it
    scale = shifted.shifted_left(x.format.mantissa).int_add(x.format.bits(1.0))
    t = fma(p, scale, scale - 1.0)
    return (t / (t + 2.0)).with_sign_of(x)


# -- logarithms -----------------------------------------------------------------------------------------------------------------------------


def _split_log(x: Vec) -> tuple[Vec, Vec]:
    """(k, f) with x = 2**k * (1 + f) and 1 + f in [sqrt(1/2), sqrt(2)), for positive finite x."""
    form = x.format
    small = x < form.tiny
    bits = small.choose(x * 2.0 ** (form.mantissa + 2), x)
    root = form.bits(math.sqrt(0.5))
    exponent = bits.int_sub(root).int_add(form.bits(1.0)).shifted_right(form.mantissa)
    f = bits.int_sub(exponent.int_sub(form.bias).shifted_left(form.mantissa)) - 1.0
    k = exponent.int_add(form.bits(form.magic)) - (form.magic + form.bias)
    return k - (small & small.number(float(form.mantissa + 2))), f


def _log_near(f: Vec, low: Vec | None = None, table: dict[str, tuple[float, ...]] | None = None) -> Vec:
    """log(1 + f) + low, for 1 + f between sqrt(1/2) and sqrt(2)."""
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    tail = s * fma(z, polynomial(z, (table or _table(f))["log"]), half)
    return f - (half - (tail + low if low is not None else tail))


def _log_special(x: Vec, y: Vec) -> Vec:
    """y, where x is positive and finite; what a logarithm is elsewhere."""
    elsewhere = x.equals(0.0).choose(-math.inf, (x < 0.0).choose(math.nan, x))
    return ((x > 0.0) & (x < math.inf)).choose(y, elsewhere)


def _log(x: Vec) -> Vec:
    k, f = _split_log(x)
    high, low = LN2_PARTS[x.format]
    return fma(k, high, _log_near(f, k * low))


def log(x: Vec) -> Vec:
    """k * log(2) + log(1 + f), where x = 2 ** k * (1 + f)."""
    return _log_special(x, _log(x))


def log2(x: Vec) -> Vec:
    """As `log`; powers of two are exact."""
    k, f = _split_log(x)
    return _log_special(x, fma(_log_near(f), 1 / LN2, k))


def log10(x: Vec) -> Vec:
    """`log`, times a constant."""
    return log(x) * (1 / math.log(10))


def log1p(x: Vec) -> Vec:
    """log(1 + x), with what rounding 1 + x has dropped put back."""
    u = x + 1.0
    lost = (x >= 1.0).choose(1.0 - (u - x), x - (u - 1.0))  # what rounding 1 + x has dropped
    k, f = _split_log(u)
    high, low = LN2_PARTS[x.format]
    y = fma(k, high, _log_near(f, fma(k, low, lost / u)))
    return x.equals(0.0).choose(x, _log_special(u, y))


# -- circular functions ---------------------------------------------------------------------------------------------------------------------


def _reduce_angle(x: Vec) -> tuple[Vec, Vec]:
    """(r, n) with |x| = n * pi / 2 + r, |r| <= pi / 4 and n in integer lanes (of which the last two bits count)."""
    magic, bits = x.format.magic, LIMITS[x.format][2]
    a = abs(x)
    shifted = fma(a, 2 / math.pi, magic)
    n = shifted - magic
    r = a
    for part in HALF_PI_PARTS[x.format]:
        r = fma(n, -part, r)
    quadrant = _quotient(shifted)
    if x.format is not F32:
        return r, quadrant
    far = a >= float(2**bits)

    b = x.b
    with b.if_(far.any()) as branch:
        r_far, n_far = _reduce_far_angle(a)
        b.yield_(far.choose(r_far, r).value, far.choose(n_far, quadrant).value)
    with branch.else_():
        b.yield_(r.value, quadrant.value)
    return r.like(branch.results[0]), r.like(branch.results[1])


# 2 / pi, behind 18 zero bits, as bytes: any 96 bits of it that begin at a byte are two swizzles
_TWO_OVER_PI = 0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041FE5163ABDEBBC561
_BITS = [(byte ^ 128) - 128 for byte in (_TWO_OVER_PI >> 18).to_bytes(32, "big")]


def _reduce_far_angle(a: Vec) -> tuple[Vec, Vec]:
    """Payne and Hanek: for float32 from 64 up to infinity, exact products of the mantissa with the 96 bits of 2 / pi that matter.

    a = m * 2**(8 q - 16) with m below 2**31; m times bits [8 q, 8 q + 96) of the table, modulo 2**96, is the angle as a fraction of a turn.
    """
    b = a.b

    def words(mnemonic: str, *values: Vec, imm: tuple[int, ...] = ()) -> Vec:
        return a.like(b.inst(mnemonic, *(v.value for v in values), imm=imm))

    def bytes_(*lanes: int) -> Vec:
        return a.like(b.const_v128("i8x16", *lanes))

    e = a.shifted_right(23).int_sub(150 - 16)
    q = e.shifted_right(3)
    m_float = (a & a.integer(0x7FFFFF)) | (e & a.integer(7)).int_add(150).shifted_left(23)
    m = words("i32x4.trunc_sat_f32x4_u", m_float)
    everywhere = words("i32x4.mul", q, a.integer(0x01010101))

    def window(first: int) -> Vec:
        """32 bits of the table, beginning `first` bytes after the lane's q."""
        order = int.from_bytes(bytes([first + 3, first + 2, first + 1, first]), "little")
        at = words("i8x16.add", everywhere, a.integer(order))
        front = words("i8x16.swizzle", bytes_(*_BITS[:16]), at)
        back = words("i8x16.swizzle", bytes_(*_BITS[16:]), words("i8x16.sub", at, bytes_(16)))
        return front | back

    w0, w1, w2 = window(0), window(4), window(8)
    top = words("i32x4.mul", m, w0)
    thirty_two = b.const_i32(32)

    def turn(half: str) -> Vec:
        """The upper 64 bits of the fraction, of two lanes."""
        upper = a.like(b.inst("i64x2.shl", words(f"i64x2.extend_{half}_i32x4_u", top).value, thirty_two))
        lower = a.like(b.inst("i64x2.shr_u", words(f"i64x2.extmul_{half}_i32x4_u", m, w2).value, thirty_two))
        return words("i64x2.add", words("i64x2.add", upper, words(f"i64x2.extmul_{half}_i32x4_u", m, w1)), lower)

    first, second = turn("low"), turn("high")
    high = words("i8x16.shuffle", first, second, imm=(4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31))
    low = words("i8x16.shuffle", first, second, imm=(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27))
    quadrant = high.int_add(1 << 29).shifted_right(30)
    signed = high.shifted_left(2) | low.shifted_right(30)  # within the quadrant, as a signed fraction
    fraction = words("f32x4.convert_i32x4_s", signed) + words("f32x4.convert_i32x4_u", low.shifted_left(2)) * 2.0**-32
    return fraction * (math.pi / 2 * 2.0**-32) + (a - a), quadrant  # inf - inf: infinity has no sine


def _sin_near(r: Vec) -> Vec:
    z = r * r
    return fma(r * z, polynomial(z, _table(r)["sin"]), r)


def _cos_near(r: Vec) -> Vec:
    z = r * r
    return fma(z * z, polynomial(z, _table(r)["cos"]), 1.0 - z * 0.5)


def _bit_mask(n: Vec, bit: int) -> Vec:
    """A mask of the lanes in which bit 0 of the integer (shifted right by `bit`) is set."""
    one = n & n.integer(1 << bit)
    return n.integer(0).int_sub(one.shifted_right(bit) if bit else one)


def _sign_from(n: Vec, bit: int) -> Vec:
    """The given bit of integer lanes, moved to the place of the sign."""
    width = n.format.mantissa + (9 if n.format is F32 else 12)
    return n.shifted_left(width - 1 - bit).sign()


def sin(x: Vec) -> Vec:
    """Of the angle reduced to an eighth of a turn; the quadrant says which polynomial, and its sign."""
    r, n = _reduce_angle(x)
    y = _bit_mask(n, 0).choose(_cos_near(r), _sin_near(r))
    return y ^ (_sign_from(n, 1) ^ x.sign())


def cos(x: Vec) -> Vec:
    """As `sin`, a quarter of a turn on."""
    r, n = _reduce_angle(x)
    y = _bit_mask(n, 0).choose(_sin_near(r), _cos_near(r))
    return y ^ _sign_from(n.int_add(1), 1)


def tan(x: Vec) -> Vec:
    """Sine over cosine of the reduced angle."""
    r, n = _reduce_angle(x)
    s, c = _sin_near(r), _cos_near(r)
    odd = _bit_mask(n, 0)
    return odd.choose(-c, s) / odd.choose(s, c) ^ x.sign()


# -- inverse functions ----------------------------------------------------------------------------------------------------------------------


def _asin_near(x: Vec, z: Vec) -> Vec:
    """asin(x) for |x| <= 1/2, z = x * x."""
    return fma(x * z, polynomial(z, _table(x)["asin"]), x)


def asin(x: Vec) -> Vec:
    """A polynomial up to 1/2; beyond, pi/2 - 2 asin(sqrt((1 - x) / 2))."""
    a = abs(x)
    outer = a > 0.5
    z = outer.choose((1.0 - a) * 0.5, a * a)
    y = _asin_near(outer.choose(z.sqrt(), a), z)
    high, low = PI_PARTS[x.format]
    return outer.choose(high / 2 - (y + y - low / 2), y).with_sign_of(x)


def acos(x: Vec) -> Vec:
    """pi/2 - asin(x); beyond 1/2 without the difference, 2 asin(sqrt((1 - x) / 2))."""
    a = abs(x)
    outer = a > 0.5
    z = outer.choose((1.0 - a) * 0.5, a * a)
    y = _asin_near(outer.choose(z.sqrt(), a), z) ^ x.sign()
    high, low = PI_PARTS[x.format]
    inner = high / 2 - (y - low / 2)
    twice = y + y
    return outer.choose((x < 0.0).choose(twice + low + high, twice), inner)


def atan(x: Vec) -> Vec:
    """A polynomial up to tan(pi/8); beyond, of the angle less pi/4 or pi/2."""
    a = abs(x)
    big, huge = a > math.tan(math.pi / 8), a > math.tan(3 * math.pi / 8)
    num = huge.choose(-1.0, big.choose(a - 1.0, a))
    den = huge.choose(a, big.choose(a + 1.0, 1.0))
    s = num / den
    z = s * s
    y = fma(s * z, polynomial(z, _table(x)["atan"]), s)
    high, low = PI_PARTS[x.format]
    offset_low = huge.choose(low / 2, big.choose(low / 4, 0.0))
    offset_high = huge.choose(high / 2, big.choose(high / 4, 0.0))
    return (y + offset_low + offset_high).with_sign_of(x)


def atan2(y: Vec, x: Vec) -> Vec:
    """The angle of the point (x, y): `atan` of the lesser over the greater of |x| and |y|, turned into its octant. 0/0 counts as 0, inf/inf as 1."""
    ax, ay = abs(x), abs(y)
    steep = ay > ax
    small, large = steep.choose(ax, ay), steep.choose(ay, ax)
    t = small / large
    equal = small.equals(large)
    t = equal.choose(small.equals(0.0).choose(0.0, 1.0), t)  # 0/0 is 0, inf/inf is 1
    outer = t > math.tan(math.pi / 8)
    s = outer.choose((t - 1.0) / (t + 1.0), t)
    z = s * s
    a = fma(s * z, polynomial(z, _table(t)["atan"]), s)
    high, low = PI_PARTS[x.format]
    a = outer.choose(a + low / 4 + high / 4, a)
    a = steep.choose(high / 2 - (a - low / 2), a)
    left = x.sign_mask()
    a = left.choose(high - (a - low), a)
    return (ax.differs(ax) | ay.differs(ay)).choose(math.nan, a).with_sign_of(y)


def asinh(x: Vec) -> Vec:
    """log1p(a + a * a / (sqrt(a * a + 1) + 1)); where squares overflow, log(2 a)."""
    a = abs(x)
    z = a * a
    far = a > 2.0 ** (x.format.mantissa + 5)
    u = far.choose(a, a + z / ((z + 1.0).sqrt() + 1.0))
    return (log1p(u) + (far & far.number(LN2))).with_sign_of(x)


def acosh(x: Vec) -> Vec:
    """log1p(t + sqrt(t * (t + 2))) with t = x - 1; where squares overflow, log(2 x)."""
    t = x - 1.0
    far = x > 2.0 ** (x.format.mantissa + 5)
    u = far.choose(x, t + (t * (t + 2.0)).sqrt())
    return (x >= 1.0).choose(log1p(u) + (far & far.number(LN2)), math.nan)


def atanh(x: Vec) -> Vec:
    """log1p(2 a / (1 - a)) / 2."""
    a = abs(x)
    return (log1p((a + a) / (1.0 - a)) * 0.5).with_sign_of(x)


# -- others ---------------------------------------------------------------------------------------------------------------------------------


def erf(x: Vec) -> Vec:
    """A polynomial up to 1; beyond, 1 - exp(-x * x) times one in (|x| - m) / (|x| + m)."""
    table = _table(x)
    middle, end = (2.0, 4.0) if x.format is F32 else (3.0, 6.0)
    a = abs(x).at_most(end)
    z = a * a
    p, n = _reduce_exp(-z)
    tail = (p + 1.0) * _power_of_two(n) * polynomial((a - middle) / (a + middle), table["erfc"])
    return (a > 1.0).choose(1.0 - tail, a * polynomial(z, table["erf"])).with_sign_of(x)


def rsqrt(x: Vec) -> Vec:
    """1 / sqrt(x): two rounded operations."""
    return 1.0 / x.sqrt()


def _halves(x: Vec) -> tuple[Vec, Vec]:
    """A float64 number in two parts, so short that products of such parts are exact."""
    high = x & x.integer(-1 << 27)
    return high, x - high


def _product(x: Vec, y: Vec) -> tuple[Vec, Vec]:
    """x * y in float64 lanes, and what rounding it has dropped (T. Dekker, "A floating-point technique for extending the available precision", 1971)."""
    rounded = x * y
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    return rounded, ((x_high * y_high - rounded) + x_high * y_low + x_low * y_high) + x_low * y_low


def _short_power_of(k: Vec, f: Vec, y: Vec) -> tuple[Vec, Vec, Vec]:
    """y * log2(x) for x = 2**k * (1 + f) as a sum of two numbers, and log2(x): as precise as a float32 power needs."""
    rest = _log_near(f, None, coefficients.F32_POWER) * (1 / LN2)
    y_high, y_low = _halves(y)  # y_high * k is exact
    return y_high * k, fma(y, rest, y_low * k), k + rest


def _long_power_of(k: Vec, f: Vec, y: Vec) -> tuple[Vec, Vec, Vec]:
    """As `_short_power_of`, for a float64 power, whose exponent of 1000 takes 10 bits off its logarithm.

    log2(1 + f) = 2 / ln 2 * s * (1 + z / 3 + z * z * polynomial(z)) with s = f / (f + 2) and z = s * s, all but the polynomial in pairs of numbers, of which the second is what the first lacks.
    """
    t = f + 2.0
    s = f / t
    back, dropped = _product(s, t)
    s_low = (((f - back) - dropped) - s * (f - (t - 2.0))) / t
    z, z_low = _product(s, s)
    u, u_low = _product(z, z.number(THIRD[0]))
    u_low = u_low + (z_low + (s + s) * s_low) * THIRD[0] + z * THIRD[1]
    tail = z * z * polynomial(z, coefficients.F64["atanh"])
    v, v_low = _product(s, s.number(TWO_OVER_LN2[0]))
    v_low = v_low + s * TWO_OVER_LN2[1] + s_low * TWO_OVER_LN2[0]
    u, u_low = _sum(u, tail, u_low)
    w, w_low = _product(v, u)
    log, low = _sum(v, w, w_low + v * u_low + v_low * u + v_low)
    log, low = _sum(k, log, low)
    y = y.at_least(-(2.0**70)).at_most(2.0**70)  # enough to leave every range, and products stay finite
    whole, dropped = _product(log, y)
    return whole, dropped + low * y, log


def _sum(x: Vec, y: Vec, low: Vec) -> tuple[Vec, Vec]:
    """x + y + low in two parts, for |x| >= |y| or x = 0 (Dekker)."""
    rounded = x + y
    return rounded, ((x - rounded) + y) + low


def _power(
    x: Vec, y: Vec, power_of: Callable[[Vec, Vec, Vec], tuple[Vec, Vec, Vec]], table: dict[str, tuple[float, ...]]
) -> Vec:
    """x ** y in float64 lanes."""
    a = abs(x)
    k, f = _split_log(a)
    whole, part, log = power_of(k, f, y)
    usual = (a > 0.0) & (a < math.inf) & (abs(y) < math.inf)
    # beyond these |y| * log2|x| decides by its sign alone, and infinities must not meet
    sum_ = usual.choose(whole + part, _log_special(a, log) * y).at_least(-1100.0).at_most(1100.0)
    shifted = sum_ + _centre(F64)
    n = shifted - _centre(F64)
    within = usual & (abs(sum_) < 1100.0)
    r = within.choose((whole - n) + part, sum_ - n)
    power = _scaled(_expm1_near(r * LN2, table), shifted)
    odd = (y.floor().equals(y)) & (y * 0.5).floor().differs(y * 0.5) & (abs(y) < math.inf)
    signed = power ^ (odd & x.sign())
    undefined = (x < 0.0) & (a < math.inf) & y.floor().differs(y)
    one = y.equals(0.0) | x.equals(1.0) | (a.equals(1.0) & abs(y).equals(math.inf))
    return one.choose(1.0, undefined.choose(math.nan, signed))


def _cube_root(x: Vec) -> Vec:
    """In float64 lanes: exp(log|x| / 3), then one Newton step."""
    a = abs(x)
    p, n = _reduce_exp(_log(a) * (1 / 3))
    y = (p + 1.0) * _power_of_two(n)
    y = y + (a / (y * y) - y) * (1 / 3)
    return ((a > 0.0) & (a < math.inf)).choose(y, a).with_sign_of(x)


def _in_doubles(f: Callable[..., Vec], *args: Vec) -> Vec:
    """A float32 function computed in float64 lanes, two at a time, and rounded once."""
    b = args[0].b

    def half(swap: bool) -> Value:
        halves = [
            b.inst("i8x16.shuffle", v.value, v.value, imm=(*range(8, 16), *range(8))) if swap else v.value for v in args
        ]
        wide = [Vec(b, F64, b.inst("f64x2.promote_low_f32x4", v), args[0].relaxed) for v in halves]
        return b.inst("f32x4.demote_f64x2_zero", f(*wide).value)

    return args[0].like(b.inst("i8x16.shuffle", half(False), half(True), imm=(*range(8), *range(16, 24))))


def _half_power(x: Vec, halves: int) -> Vec:
    """x ** (halves / 2) for an odd number of halves: a square root, and products or quotients."""
    root = x.equals(-math.inf).choose(math.inf, x.sqrt() + 0.0)  # the root of -0 is -0, but its power is 0
    found = 1.0 / root if halves < 0 else root
    for _ in range(abs(halves) // 2):
        found = found / abs(x) if halves < 0 else found * abs(x)
    return found


def powf(x: Vec, y: Vec, exponent: float | None = None) -> Vec:
    """x ** y by 2 ** (y * log2(x)): of float32 in float64 lanes, of float64 with a logarithm in two parts. By a square root if y is known to be 1/2, -3/2 or so in all lanes."""
    if exponent is not None and 2 * exponent in HALVES:
        by_root = partial(_half_power, halves=int(2 * exponent))
        return _in_doubles(by_root, x) if x.format is F32 else by_root(x)
    if x.format is F32:
        return _in_doubles(lambda x, y: _power(x, y, _short_power_of, coefficients.F32_POWER), x, y)
    return _power(x, y, _long_power_of, coefficients.F64)


def cbrt(x: Vec) -> Vec:
    """The cube root: of float32 in float64 lanes."""
    return _in_doubles(_cube_root, x) if x.format is F32 else _cube_root(x)


FUNCTIONS: dict[str, Callable[..., Vec]] = {
    f.__name__: f
    for f in (
        exp,
        exp2,
        expm1,
        log,
        log2,
        log10,
        log1p,
        sin,
        cos,
        tan,
        sinh,
        cosh,
        tanh,
        asin,
        acos,
        atan,
        atan2,
        asinh,
        acosh,
        atanh,
    )
} | {"erf": erf, "powf": powf, "cbrt": cbrt, "rsqrt": rsqrt}
"""By the name of the op of the math dialect."""


def emit(b: Builder, name: str, bits: int, *values: Value, relaxed: bool = True, **known: Any) -> Value:
    """The function of that name on f32x4 (bits = 32) or f64x2 (bits = 64) values."""
    form = F32 if bits == 32 else F64
    return FUNCTIONS[name](*(Vec(b, form, v, relaxed) for v in values), **known).value

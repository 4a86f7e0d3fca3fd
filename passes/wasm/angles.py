"""Circular functions on vectors and their inverses: Cody and Waite's reduction by pi / 2 in parts, Payne and Hanek's for float32 angles beyond it; asin and atan as in FreeBSD's msun (fdlibm)."""

from __future__ import annotations

import math

from weft.passes.wasm.exponentials import quotient, table_of
from weft.passes.wasm.vectors import F32, F64, Vec, fma, polynomial

PI_PARTS = {F32: (3.1415927410125732, -8.742277657347586e-08), F64: (math.pi, 1.2246467991473532e-16)}
QUOTIENT_BITS = {F32: 13, F64: 28}
"""How many bits a quotient of angles may have."""

HALF_PI_PARTS = {
    F32: (1.5703125, 0.0004837512969970703, 7.549533620476723e-08, 2.5633440682570896e-12),
    F64: (1.5707963109016418, 1.5893254712295857e-08, 6.123233932053594e-17, 6.36831716351095e-25),
}
"""pi / 2 in four parts, of which the first three are so short that their products with a quotient are exact."""


def _reduce_angle(x: Vec) -> tuple[Vec, Vec]:
    """(r, n) with |x| = n * pi / 2 + r, |r| <= pi / 4 and n in integer lanes (of which the last two bits count)."""
    magic, bits = x.format.magic, QUOTIENT_BITS[x.format]
    a = abs(x)
    shifted = fma(a, 2 / math.pi, magic)
    n = shifted - magic
    r = a
    for part in HALF_PI_PARTS[x.format]:
        r = fma(n, -part, r)
    quadrant = quotient(shifted)
    if x.format is not F32:
        return r, quadrant
    far, b = a >= float(2**bits), x.b
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
    return fma(r * z, polynomial(z, table_of(r)["sin"]), r)


def _cos_near(r: Vec) -> Vec:
    z = r * r
    return fma(z * z, polynomial(z, table_of(r)["cos"]), 1.0 - z * 0.5)


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


def _asin_near(x: Vec, z: Vec) -> Vec:
    """asin(x) for |x| <= 1/2, z = x * x."""
    return fma(x * z, polynomial(z, table_of(x)["asin"]), x)


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
    y = fma(s * z, polynomial(z, table_of(x)["atan"]), s)
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
    a = fma(s * z, polynomial(z, table_of(t)["atan"]), s)
    high, low = PI_PARTS[x.format]
    a = outer.choose(a + low / 4 + high / 4, a)
    a = steep.choose(high / 2 - (a - low / 2), a)
    left = x.sign_mask()
    a = left.choose(high - (a - low), a)
    return (ax.differs(ax) | ay.differs(ay)).choose(math.nan, a).with_sign_of(y)

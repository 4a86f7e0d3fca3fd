"""Exponentials, logarithms, hyperbolic functions and their inverses on vectors: Cody and Waite's reduction by the logarithm of 2 in parts, the shape of log and expm1 as in FreeBSD's msun (fdlibm)."""

from __future__ import annotations

import math

from weft.passes.wasm import coefficients
from weft.passes.wasm.vectors import F32, F64, Format, Vec, fma, polynomial

LN2 = math.log(2)
LN2_PARTS = {F32: (0.693359375, -2.1219444e-4), F64: (6.93147180369123816490e-01, 1.90821492927058770002e-10)}
LIMITS = {F32: (-104.0, 89.0), F64: (-746.0, 710.0)}
"""Below the first exp is 0, above the second it is infinite."""


def table_of(x: Vec) -> dict[str, tuple[float, ...]]:
    """The coefficients of the polynomials in the format of x."""
    return coefficients.F32 if x.format is F32 else coefficients.F64


# -- exponentials ---------------------------------------------------------------------------------------------------------------------------


def reduce_exp(x: Vec, table: dict[str, tuple[float, ...]] | None = None) -> tuple[Vec, Vec]:
    """(expm1(r), n) with x = n * ln 2 + r and n an integer in integer lanes."""
    magic = x.format.magic
    shifted = fma(x, 1 / LN2, magic)
    n = shifted - magic
    return expm1_near(_less_multiple(x, n), table), quotient(shifted)


def _less_multiple(x: Vec, n: Vec) -> Vec:
    """x - n * ln 2."""
    high, low = LN2_PARTS[x.format]
    return fma(n, -low, fma(n, -high, x))


def expm1_near(r: Vec, table: dict[str, tuple[float, ...]] | None = None) -> Vec:
    """expm1 for |r| <= ln(2) / 2."""
    square = r * r
    return fma(square, polynomial(r, (table or table_of(r))["exp"], square), r)


def quotient(shifted: Vec) -> Vec:
    """The integer to which adding the magic number has rounded."""
    return shifted.int_sub(shifted.format.bits(shifted.format.magic))


def power_of_two(n: Vec) -> Vec:
    """2**n for integer lanes within the normal exponents (one more is infinity)."""
    return n.int_add(n.format.bias).shifted_left(n.format.mantissa)


def centre(form: Format) -> float:
    """A number that rounds what is added to it to an integer n, like `form.magic`, and leaves n + 2 * bias in the low bits."""
    return form.magic + 2 * form.bias


def scaled(p: Vec, shifted: Vec) -> Vec:
    """(p + 1) * 2**n for shifted = n + `centre`: by half of n at a time, so that results may be denormal or overflow.

    The low bits of `shifted` are the sum of both halves' exponents, biased; what stands above them shifts out.
    """
    half = shifted.shifted_right(1)
    lower, upper = (k.shifted_left(p.format.mantissa) for k in (half, shifted.int_sub(half)))
    return fma(p, lower, lower) * upper


def _clamped(x: Vec) -> Vec:
    low, high = LIMITS[x.format]
    return x.at_least(low).at_most(high)


def exp(x: Vec) -> Vec:
    """e ** x: 2 ** n times a polynomial in what is left of x beyond n * log(2)."""
    x = _clamped(x)
    middle = centre(x.format)
    shifted = fma(x, 1 / LN2, middle)
    return scaled(expm1_near(_less_multiple(x, shifted - middle)), shifted)


def exp2(x: Vec) -> Vec:
    """2 ** x; splitting off the integer is exact."""
    low, high = LIMITS[x.format]
    x = x.at_least(math.floor(low / LN2) - 1).at_most(math.ceil(high / LN2))
    middle = centre(x.format)
    shifted = x + middle
    return scaled(expm1_near((x - (shifted - middle)) * LN2), shifted)


def _half_expm1(x: Vec) -> Vec:
    """expm1(x) / 2, which overflows later than expm1."""
    p, n = reduce_exp(x.at_least(-40.0).at_most(LIMITS[x.format][1] + 1))
    scale = power_of_two(n.int_sub(3))
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
    p, n = reduce_exp(abs(x).at_most(LIMITS[x.format][1] + 1))
    half = (p + p + 2.0) * power_of_two(n.int_sub(2))
    return half + 0.25 / half


def tanh(x: Vec) -> Vec:
    """By e = expm1(-2 |x|): -e / (e + 2)."""
    a = abs(x).at_most(20.0)
    shifted = fma(a, -2 / LN2, x.format.magic)
    n = shifted - x.format.magic
    p = expm1_near(_less_multiple(a * -2.0, n))
    # the magic number has no low bits: shifted to the exponent, nothing but the integer is left of it
    scale = shifted.shifted_left(x.format.mantissa).int_add(x.format.bits(1.0))
    t = fma(p, scale, scale - 1.0)
    return (t / (t + 2.0)).with_sign_of(x)


# -- logarithms -----------------------------------------------------------------------------------------------------------------------------


def split_log(x: Vec) -> tuple[Vec, Vec]:
    """(k, f) with x = 2**k * (1 + f) and 1 + f in [sqrt(1/2), sqrt(2)), for positive finite x."""
    form = x.format
    small = x < form.tiny
    bits = small.choose(x * 2.0 ** (form.mantissa + 2), x)
    root = form.bits(math.sqrt(0.5))
    exponent = bits.int_sub(root).int_add(form.bits(1.0)).shifted_right(form.mantissa)
    f = bits.int_sub(exponent.int_sub(form.bias).shifted_left(form.mantissa)) - 1.0
    k = exponent.int_add(form.bits(form.magic)) - (form.magic + form.bias)
    return k - (small & small.number(float(form.mantissa + 2))), f


def log_near(f: Vec, low: Vec | None = None, table: dict[str, tuple[float, ...]] | None = None) -> Vec:
    """log(1 + f) + low, for 1 + f between sqrt(1/2) and sqrt(2)."""
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    tail = s * fma(z, polynomial(z, (table or table_of(f))["log"]), half)
    return f - (half - (tail + low if low is not None else tail))


def log_special(x: Vec, y: Vec) -> Vec:
    """y, where x is positive and finite; what a logarithm is elsewhere."""
    elsewhere = x.equals(0.0).choose(-math.inf, (x < 0.0).choose(math.nan, x))
    return ((x > 0.0) & (x < math.inf)).choose(y, elsewhere)


def log_of_positive(x: Vec) -> Vec:
    """log(x) for positive finite x, denormals among them."""
    k, f = split_log(x)
    high, low = LN2_PARTS[x.format]
    return fma(k, high, log_near(f, k * low))


def log(x: Vec) -> Vec:
    """k * log(2) + log(1 + f), where x = 2 ** k * (1 + f)."""
    return log_special(x, log_of_positive(x))


def log2(x: Vec) -> Vec:
    """As `log`; powers of two are exact."""
    k, f = split_log(x)
    return log_special(x, fma(log_near(f), 1 / LN2, k))


def log10(x: Vec) -> Vec:
    """`log`, times a constant."""
    return log(x) * (1 / math.log(10))


def log1p(x: Vec) -> Vec:
    """log(1 + x), with what rounding 1 + x has dropped put back."""
    u = x + 1.0
    lost = (x >= 1.0).choose(1.0 - (u - x), x - (u - 1.0))
    k, f = split_log(u)
    high, low = LN2_PARTS[x.format]
    y = fma(k, high, log_near(f, fma(k, low, lost / u)))
    return x.equals(0.0).choose(x, log_special(u, y))


# -- inverse hyperbolic functions ----------------------------------------------------------------------------------------------------------


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

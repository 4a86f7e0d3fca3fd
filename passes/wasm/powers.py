"""Powers and roots on vectors: of float32 in float64 lanes, of float64 with a logarithm in two parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from weft.passes.wasm import coefficients
from weft.passes.wasm.exponentials import (
    LN2,
    centre,
    expm1_near,
    log_near,
    log_of_positive,
    log_special,
    power_of_two,
    reduce_exp,
    scaled,
    split_log,
)
from weft.passes.wasm.vectors import F32, F64, Value, Vec, fma, polynomial

HALVES = frozenset(range(-7, 8, 2))
"""Odd numbers of halves that an exponent may be to be taken by a square root."""

TWO_OVER_LN2 = (2.8853900817779268, 4.0710547481862066e-17)
THIRD = (1 / 3, 1.850371707708594e-17)
"""Constants of float64's power, in two parts."""


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
    rest = log_near(f, None, coefficients.F32_POWER) * (1 / LN2)
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
    k, f = split_log(a)
    whole, part, log = power_of(k, f, y)
    usual = (a > 0.0) & (a < math.inf) & (abs(y) < math.inf)
    # beyond these |y| * log2|x| decides by its sign alone, and infinities must not meet
    sum_ = usual.choose(whole + part, log_special(a, log) * y).at_least(-1100.0).at_most(1100.0)
    shifted = sum_ + centre(F64)
    n = shifted - centre(F64)
    within = usual & (abs(sum_) < 1100.0)
    r = within.choose((whole - n) + part, sum_ - n)
    power = scaled(expm1_near(r * LN2, table), shifted)
    odd = (y.floor().equals(y)) & (y * 0.5).floor().differs(y * 0.5) & (abs(y) < math.inf)
    signed = power ^ (odd & x.sign())
    undefined = (x < 0.0) & (a < math.inf) & y.floor().differs(y)
    one = y.equals(0.0) | x.equals(1.0) | (a.equals(1.0) & abs(y).equals(math.inf))
    return one.choose(1.0, undefined.choose(math.nan, signed))


def _cube_root(x: Vec) -> Vec:
    """In float64 lanes: exp(log|x| / 3), then one Newton step."""
    a = abs(x)
    p, n = reduce_exp(log_of_positive(a) * (1 / 3))
    y = (p + 1.0) * power_of_two(n)
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

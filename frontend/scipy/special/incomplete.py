"""Incomplete gamma and beta functions: power series where they converge fast, continued fractions elsewhere, each until the last element has converged.

W. Gautschi, "A computational procedure for incomplete gamma functions", ACM TOMS 5, 1979; the fractions by J. Thompson and A. Barnett's form of Lentz' method (J. Comput. Phys. 64, 1986).
The derivative by x is a density; the one by the parameters is that of the loops, taken forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.autodiff import jvp
from weft.custom import custom_jvp
from weft.dialects.dtypes import float32
from weft.scipy.special.base import limits, real, until_converged, where_safe

__all__ = ["betainc", "gammainc", "gammaincc"]


def _series(a: Array, x: Array) -> Array:
    """The sum of x ** n / ((a + 1) … (a + n)): gamma's lower part, but for a factor."""
    small, _ = limits(x)

    def step(k: Array, state: Any) -> Any:
        term, total = state
        term = term * (x / (a + k))
        total = total + term
        return (term, total), lax.abs(term) <= small * lax.abs(total)

    return until_converged(step, (wnp.ones_like(x), wnp.ones_like(x)), x)[1]


def _fraction(a: Array, x: Array) -> Array:
    """Legendre's continued fraction: gamma's upper part, but for a factor."""
    small, tiny = limits(x)
    b = x + 1 - a
    safe = where_safe(lax.abs(b) > tiny, b, tiny)
    d = 1 / safe

    def step(k: Array, state: Any) -> Any:
        c, d, h = state
        factor = k * (a - k)
        below = factor * d + (b + 2 * k)
        above = (b + 2 * k) + factor / c
        d = 1 / where_safe(lax.abs(below) > tiny, below, tiny)
        c = where_safe(lax.abs(above) > tiny, above, tiny)
        ratio = c * d
        return (c, d, h * ratio), lax.abs(ratio - 1) <= max(small, 2e-16 if x.dtype is not float32 else 1e-7)

    return until_converged(step, (wnp.full_like(x, 1 / tiny), d, d), x)[2]


def _gamma_parts(a: Array, x: Array, upper: bool) -> Array:
    """The regularised part below or above x, for numbers within bounds: whichever of the two is small is computed."""
    below = (x <= 1) | (x <= a)
    factor = lax.exp(a * lax.log(x) - x - lax.lgamma(a))
    low = factor / a * _series(where_safe(below, a, 1.0), where_safe(below, x, 0.5))
    high = factor * _fraction(where_safe(~below, a, 1.0), where_safe(~below, x, 2.0))
    return wnp.where(below, 1 - low if upper else low, high if upper else 1 - high)


def _gamma_part(upper: bool) -> Callable[..., Array]:
    sign = -1 if upper else 1

    @custom_jvp
    def part(a: Array, x: Array) -> Array:
        inside = (a > 0) & (x > 0) & ~wnp.isinf(x) & ~wnp.isinf(a)
        found = _gamma_parts(where_safe(inside, a, 1.0), where_safe(inside, x, 1.0), upper)
        nothing, all_ = (1.0, 0.0) if upper else (0.0, 1.0)
        edge = wnp.where((x == 0) & (a > 0) | wnp.isinf(a) & ~wnp.isinf(x) & (a > 0), nothing, wnp.nan)
        edge = wnp.where(wnp.isinf(x) & (x > 0) & (a > 0) & ~wnp.isinf(a) | (a == 0) & (x > 0), all_, edge)
        edge = wnp.where((x < 0) | (a < 0) | wnp.isnan(x) | wnp.isnan(a), wnp.nan, edge)
        return wnp.where(inside, found, edge)

    @part.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        a, x = primals
        by_a = sign * gamma_slope(a, x)
        by_x = sign * lax.exp((a - 1) * lax.log(x) - x - lax.lgamma(a))
        return part(a, x), tangents[0] * by_a + tangents[1] * by_x

    return part


def gamma_slope(a: Array, x: Array) -> Array:
    """The derivative of gammainc(a, x) by a."""
    inside = (a > 0) & (x > 0)
    a, x = where_safe(inside, a, 1.0), where_safe(inside, x, 1.0)
    _, slope = jvp(lambda a: _gamma_parts(a, x, False), (a,), (wnp.ones_like(a),))
    return wnp.where(inside, slope, 0.0)


_lower, _upper = _gamma_part(False), _gamma_part(True)


def _broadcast(name: str, *xs: Any) -> tuple[list[Array], Any]:
    """Arguments in one dtype of at least 32 bits and one shape, and the dtype of the result."""
    arrays = real(name, *xs)
    dtype = arrays[0].dtype
    wide = [a.astype(float32) if dtype.bits < 32 else a for a in arrays]
    return list(wnp.broadcast_arrays(*wide)), dtype


def gammainc(a: Any, x: Any) -> Array:
    """The regularised lower incomplete gamma function."""
    arrays, dtype = _broadcast("gammainc", a, x)
    return _lower(*arrays).astype(dtype)


def gammaincc(a: Any, x: Any) -> Array:
    """The regularised upper incomplete gamma function: 1 - gammainc, exact in the tail."""
    arrays, dtype = _broadcast("gammaincc", a, x)
    return _upper(*arrays).astype(dtype)


def _beta_fraction(a: Array, b: Array, x: Array) -> Array:
    _, tiny = limits(x)
    small = 1e-7 if x.dtype is float32 else 4e-16

    def off_zero(v: Array) -> Array:
        return where_safe(lax.abs(v) > tiny, v, tiny)

    def step(k: Array, state: Any) -> Any:
        c, d, h = state
        for factor in (
            k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)),
            -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1)),
        ):
            d, c = 1 / off_zero(1 + factor * d), off_zero(1 + factor / c)
            h = h * (c * d)
        return (c, d, h), lax.abs(c * d - 1) <= small

    d = 1 / off_zero(1 - (a + b) * x / (a + 1))
    return until_converged(step, (wnp.ones_like(x), d, d), x)[2]


def _beta_part(a: Array, b: Array, x: Array) -> Array:
    low = x < (a + 1) / (a + b + 2)
    p, q, y = wnp.where(low, a, b), wnp.where(low, b, a), wnp.where(low, x, 1 - x)
    logs = a * lax.log(x) + b * lax.log1p(-x) + lax.lgamma(a + b) - lax.lgamma(a) - lax.lgamma(b)
    found = lax.exp(logs) / p * _beta_fraction(p, q, y)
    return wnp.where(low, found, 1 - found)


@custom_jvp
def _betainc(a: Array, b: Array, x: Array) -> Array:
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1)
    found = _beta_part(where_safe(inside, a, 1.0), where_safe(inside, b, 1.0), where_safe(inside, x, 0.5))
    fits = (a > 0) & (b > 0)
    edge = wnp.where(fits & (x == 0), 0.0, wnp.where(fits & (x == 1), 1.0, wnp.nan))
    return wnp.where(inside, found, edge)


@_betainc.defjvp
def _betainc_rule(primals: Any, tangents: Any) -> Any:
    a, b, x = primals
    density = lax.exp(
        (a - 1) * lax.log(x) + (b - 1) * lax.log1p(-x) + lax.lgamma(a + b) - lax.lgamma(a) - lax.lgamma(b)
    )
    ones = wnp.ones_like(a)
    _, by_a = jvp(lambda a: _beta_part(a, b, x), (a,), (ones,))
    _, by_b = jvp(lambda b: _beta_part(a, b, x), (b,), (ones,))
    return _betainc(a, b, x), tangents[0] * by_a + tangents[1] * by_b + tangents[2] * density


def betainc(a: Any, b: Any, x: Any) -> Array:
    """The regularised incomplete beta function."""
    arrays, dtype = _broadcast("betainc", a, b, x)
    return _betainc(*arrays).astype(dtype)

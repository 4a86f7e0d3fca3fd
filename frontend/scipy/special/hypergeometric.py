"""Hypergeometric functions 1F1 and 2F1: their series where these converge, elsewhere series of the same kind to which a transformation leads (Abramowitz and Stegun, chapters 13 and 15)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.autodiff import jvp
from weft.dialects.dtypes import float32
from weft.scipy.special.base import limits, special, until_converged, where_safe
from weft.scipy.special.gammas import gamma

__all__ = ["hyp1f1", "hyp2f1"]


def _sum(ratio: Callable[[Array], Array], x: Array, *parameters: Array) -> Array:
    """1 + r(0) + r(0) r(1) + …, each element until it has converged; not before the last of the parameters, to which k is added, is positive, for terms may grow until then."""
    small, _ = limits(x)
    least = functools.reduce(wnp.minimum, parameters, wnp.zeros_like(x))

    def step(k: Array, state: Any) -> Any:
        term, total = state
        term = term * ratio(k - 1)
        total = total + term
        return (term, total), (lax.abs(term) <= small * lax.abs(total)) & (least + k > 0)

    return until_converged(step, (wnp.ones_like(x), wnp.ones_like(x)), x)[1]


def _ends(a: Array) -> Array:
    """Whether a series with this parameter above is a polynomial."""
    return (a <= 0) & (a == lax.floor(a))


def _by(f: Callable[..., Array], place: int) -> Callable[..., Array]:
    """The derivative of a function by one of its parameters: that of the loops, taken forward."""

    def slope(out: Array, *args: Array) -> Array:
        spread = wnp.broadcast_arrays(*args)
        tangents = tuple(wnp.full_like(x, float(k == place)) for k, x in enumerate(spread))
        return jvp(f, tuple(spread), tangents)[1]

    return slope


# -- 1F1 ----------------------------------------------------------------------------------------------------------------------------------


def _kummer(a: Array, b: Array, x: Array) -> Array:
    """1F1 by its series, or for large |x| by the asymptotic one (13.5.1). Negative x are led to positive ones: 1F1(a; b; x) = exp(x) 1F1(b - a; b; -x)."""
    below = x < 0
    above = wnp.where(below, b - a, a)
    size = lax.abs(x)
    far = (size >= (80 if x.dtype is float32 else 100)) & ~_ends(above)
    y, z = where_safe(~far, size, 1.0), where_safe(far, size, 100.0)
    near = _sum(lambda k: (above + k) / (b + k) * (y / (k + 1)), y, b) * lax.exp(wnp.where(below, -y, 0.0))
    p = where_safe(far, above, 1.0)
    tail = _sum(lambda k: where_safe(far, (b - above + k) * (1 - above + k), 0.0) / ((k + 1) * z), z)
    tail = gamma(b) / gamma(p) * lax.exp(wnp.where(below, 0.0, z)) * z ** (p - b) * tail
    return wnp.where(far, tail, near)


def _kummer_by_x(out: Array, a: Array, b: Array, x: Array) -> Array:
    return a / b * hyp1f1(a + 1, b + 1, x)


@special(_by(_kummer, 0), _by(_kummer, 1), _kummer_by_x)
def hyp1f1(a: Array, b: Array, x: Array) -> Array:
    """Kummer's confluent hypergeometric function 1F1(a; b; x), real. Infinite for b = 0."""
    a, b, x = wnp.broadcast_arrays(a, b, x)
    found = _kummer(a, b, x)
    found = wnp.where(b == 0, wnp.inf, wnp.where(a == b, lax.exp(x), found))
    return wnp.where(a == 0, 1.0, found)


# -- 2F1 ----------------------------------------------------------------------------------------------------------------------------------


def _gauss(a: Array, b: Array, c: Array, x: Array) -> Array:
    return _sum(lambda k: (a + k) * (b + k) / (c + k) * (x / (k + 1)), x, c)


def _to_right(a: Array, b: Array, c: Array, x: Array) -> tuple[Array, Array, Array]:
    """Pfaff's transformation (15.3.4) of what lies left of -1/2: F(a, b; c; x) = factor F(a, b'; c; x')."""
    left = (x < -0.5) & ~_ends(a) & ~_ends(b)
    safe = where_safe(left, x, -1.0)
    return wnp.where(left, (1 - safe) ** -a, 1.0), wnp.where(left, c - b, b), wnp.where(left, safe / (safe - 1), x)


def _by_series(a: Array, b: Array, c: Array, x: Array) -> Array:
    factor, b, x = _to_right(a, b, c, x)
    return factor * _gauss(a, b, c, x)


def _across(a: Array, b: Array, c: Array, d: Array, s: Array) -> Array:
    """2F1 at 1 - s for a small s, if d = c - a - b is no integer (15.3.6)."""
    first = gamma(c) * gamma(d) / (gamma(c - a) * gamma(c - b)) * _gauss(a, b, 1 - d, s)
    return first + s**d * gamma(c) * gamma(-d) / (gamma(a) * gamma(b)) * _gauss(c - a, c - b, 1 + d, s)


def _across_integer(a: Array, b: Array, c: Array, d: Array, s: Array) -> Array:
    """2F1 at 1 - s for a small s, if d = c - a - b is an integer, not negative (15.3.10 and 15.3.11)."""
    small, _ = limits(s)

    def finite(k: Array, state: Any) -> Any:
        term, total = state
        n = k - 1
        last = n + 1 >= d
        below = (n + 1) * (1 - d + n)
        term = term * (a + n) * (b + n) * s / where_safe(~last, below, 1.0)
        return (wnp.where(last, 0.0, term), wnp.where(last, total, total + term)), last

    def infinite(k: Array, state: Any) -> Any:
        term, logs, total = state
        n = k - 1
        term = term * (a + d + n) * (b + d + n) * s / ((n + 1) * (n + d + 1))
        logs = logs - 1 / (n + 1) - 1 / (n + d + 1) + 1 / (a + d + n) + 1 / (b + d + n)
        return (term, logs, total + term * logs), lax.abs(term * logs) <= small * lax.abs(total)

    one = wnp.ones_like(s)
    sum_ = until_converged(finite, (one, one), s)[1]
    first = wnp.where(d > 0, gamma(where_safe(d > 0, d, 1.0)) * gamma(c) / (gamma(a + d) * gamma(b + d)) * sum_, 0.0)
    logs = lax.log(s) - lax.digamma(one) - lax.digamma(d + 1) + lax.digamma(a + d) + lax.digamma(b + d)
    start = 1 / gamma(d + 1)
    rest = until_converged(infinite, (start, logs, start * logs), s)[2]
    sign = wnp.where(d % 2 == 1, -1.0, 1.0)
    return first - sign * s**d * gamma(c) / (gamma(a) * gamma(b)) * rest


def _hyp2f1(a: Array, b: Array, c: Array, x: Array) -> Array:
    """2F1 for x < 1, or polynomials anywhere."""
    factor, b, x = _to_right(a, b, c, x)
    d = c - a - b
    close = (x > 0.9) & (x < 1) & ~_ends(a) & ~_ends(b)
    # Euler's transformation (15.3.3) leaves a d that is not negative.
    turned = close & (d < 0)
    s = where_safe(close, 1 - x, 0.05)
    factor = factor * wnp.where(turned, s**d, 1.0)
    a, b, d = (wnp.where(turned, new, old) for new, old in ((c - a, a), (c - b, b), (-d, d)))
    close = close & ~_ends(a) & ~_ends(b)
    away = lax.abs(d - lax.round(d))
    whole = close & (away <= 50 * wnp.finfo(x.dtype).eps)
    split = close & (away > 0.01)

    def only(where: Array, numbers: tuple[float, ...]) -> list[Array]:
        parts = (a, b, c, wnp.where(whole, wnp.round(d), d), s)
        return [where_safe(where, part, n) for part, n in zip(parts, numbers, strict=True)]

    found = _gauss(a, b, c, where_safe(~whole & ~split, x, 0.0))
    found = wnp.where(split, _across(*only(split, (0.5, 0.5, 1.5, 0.5, 0.05))), found)
    found = wnp.where(whole, _across_integer(*only(whole, (0.5, 0.5, 2.0, 1.0, 0.05))), found)
    return factor * found


def _gauss_by_x(out: Array, a: Array, b: Array, c: Array, x: Array) -> Array:
    return a * b / c * hyp2f1(a + 1, b + 1, c + 1, x)


@special(_by(_by_series, 0), _by(_by_series, 1), _by(_by_series, 2), _gauss_by_x)
def hyp2f1(a: Array, b: Array, c: Array, x: Array) -> Array:
    """Gauss' hypergeometric function 2F1(a, b; c; x), real. Infinite beyond 1 (but for polynomials), and where c is 0 or a negative integer."""
    a, b, c, x = wnp.broadcast_arrays(a, b, c, x)
    polynomial = _ends(a) | _ends(b)
    inside = (x < 1) | polynomial
    found = _hyp2f1(a, b, c, where_safe(inside, x, 0.0))
    d = c - a - b
    at_one = gamma(c) * gamma(where_safe(d > 0, d, 1.0)) / (gamma(c - a) * gamma(c - b))
    found = wnp.where(inside, found, wnp.where((x == 1) & (d > 0), at_one, wnp.inf))
    found = wnp.where(_ends(c), wnp.inf, found)
    found = wnp.where((x == 0) | ((a == 0) | (b == 0)) & (c != 0), 1.0, found)
    return wnp.where(wnp.isnan(a) | wnp.isnan(b) | wnp.isnan(c) | wnp.isnan(x), wnp.nan, found)

"""Modified Bessel functions of the first kind: Chebyshev series on [0, 8], and in 8 / x beyond."""

from __future__ import annotations

from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.scipy.special import tables
from weft.scipy.special.base import chebyshev, real, special, where_safe

__all__ = ["i0", "i0e", "i1", "i1e"]


def _scaled(x: Array, near: tuple[float, ...], far: tuple[float, ...], odd: bool) -> Array:
    a = lax.abs(x)
    close = a <= 8
    small, large = where_safe(close, a, 4.0), where_safe(~close, a, 16.0)
    inner = chebyshev(small / 4 - 1, near)
    outer = chebyshev(16 / large - 1, far) * lax.rsqrt(large)
    found = wnp.where(close, small * inner if odd else inner, outer)
    return wnp.where(wnp.isnan(x), x, lax.sign(x) * found if odd else found)


@special(lambda out, x: i1e(x) - lax.sign(x) * out)
def i0e(x: Array) -> Array:
    """exp(-|x|) times the modified Bessel function of order 0."""
    return _scaled(x, tables.I0E_NEAR, tables.I0E_FAR, False)


def _i1e_slope(out: Array, x: Array) -> Array:
    safe = where_safe(x != 0, x, 1.0)
    return wnp.where(x == 0, 0.5, i0e(x) - out * (lax.sign(x) + 1 / safe))


@special(_i1e_slope)
def i1e(x: Array) -> Array:
    """exp(-|x|) times the modified Bessel function of order 1."""
    return _scaled(x, tables.I1E_NEAR, tables.I1E_FAR, True)


def i0(x: Any) -> Array:
    """The modified Bessel function of order 0."""
    (x,) = real("i0", x)
    return lax.exp(lax.abs(x)) * i0e(x)


def i1(x: Any) -> Array:
    """The modified Bessel function of order 1."""
    (x,) = real("i1", x)
    return lax.exp(lax.abs(x)) * i1e(x)

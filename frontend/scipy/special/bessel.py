"""Bessel functions of the first kind: the modified ones by Chebyshev series on [0, 8], and in 8 / x beyond; the others, of integer order, by their recurrence downwards."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.custom import custom_jvp
from weft.scipy.special import tables
from weft.scipy.special.base import chebyshev, real, special, where_safe

__all__ = ["bessel_jn", "i0", "i0e", "i1", "i1e"]


def _scaled(x: Array, near: tuple[float, ...], far: tuple[float, ...], odd: bool) -> Array:
    a = lax.abs(x)
    close = a <= 8
    small, large = wnp.where(close, a, 4.0), wnp.where(close, 16.0, a)
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


@partial(custom_jvp, nondiff_argnums=(1, 2))
def _orders(x: Array, last: int, steps: int) -> Array:
    """J_0 … J_last along a first axis.

    The ratios r_k = J_k / J_(k-1) = 1 / (2k / x - r_(k+1)) from a high order down: what is put in at the top is forgotten (J. C. P. Miller). J_0 follows from 1 = J_0 + 2 (J_2 + J_4 + …).
    """

    def step(carried: Any, k: Array) -> Any:
        ratio, evens = carried
        ratio = 1 / (2 * k / x - ratio)
        evens = ratio * (evens + (k % 2 == 0))
        return (ratio, evens), ratio

    ks = lax.iota(x.dtype, steps + 1) + 1
    (_, evens), ratios = lax.scan(step, (wnp.zeros_like(x), wnp.zeros_like(x)), ks, reverse=True)
    return wnp.cumprod(wnp.concatenate([1 / (1 + 2 * evens)[None], ratios[:last]]), axis=0)


@_orders.defjvp
def _(last: int, steps: int, primals: Any, tangents: Any) -> Any:
    """2 J_k' = J_(k-1) - J_(k+1), and J_(-1) = -J_1."""
    found = _orders(primals[0], last + 1, steps)
    slopes = (wnp.concatenate([-found[1:2], found[:last]]) - found[1 : last + 2]) / 2
    return found[: last + 1], slopes * tangents[0]


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Array:
    """Bessel functions of the first kind of the orders 0 … v, along a new first axis. `n_iter`: the order from which the recurrence starts; it should be well above |z| and v.

    Raises ValueError for complex operands.
    """
    (x,) = real("bessel_jn", z)
    return _orders(x, operator.index(v), operator.index(n_iter))

"""Integrals of elementary functions: exponential, sine and cosine, Fresnel's, and the dilogarithm. Chebyshev series, in pieces (tools/chebyshev.py says of what)."""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.dialects.dtypes import float32
from weft.scipy.special import tables
from weft.scipy.special.base import chebyshev, special, where_safe, wide

__all__ = ["exp1", "expi", "expn", "fresnel", "sici", "spence"]

GAMMA = 0.57721566490153286060651209008240243


@special(lambda out, x: -lax.exp(-x) / x)
def exp1(x: Array) -> Array:
    """The exponential integral E1: of exp(-t) / t from x on. Infinite at 0, NaN below."""
    near = x <= 2
    small, large = where_safe(near & (x > 0), x, 1.0), where_safe(~near & ~wnp.isinf(x), x, 3.0)
    inner = small * chebyshev(small - 1, tables.EIN) - lax.log(small) - GAMMA
    outer = lax.exp(-large) / large * chebyshev(4 / large - 1, tables.E1_FAR)
    found = wnp.where(near, inner, wnp.where(wnp.isinf(x), 0.0, outer))
    return wnp.where(x > 0, found, wnp.where(x == 0, wnp.inf, wnp.nan))


@special(lambda out, x: lax.exp(x) / x)
def expi(x: Array) -> Array:
    """The exponential integral Ei: of exp(t) / t up to x, the principal value."""
    near, far = x <= 6, x > 24
    small = where_safe(near & (x > 0), x, 1.0)
    middle, large = where_safe(~near & ~far, x, 8.0), where_safe(far & ~wnp.isinf(x), x, 32.0)
    inner = small * chebyshev(small / 3 - 1, tables.EI_NEAR) + lax.log(small) + GAMMA
    between = lax.exp(middle) / middle * chebyshev((6 / middle - 0.25) * (8 / 3) - 1, tables.EI_MIDDLE)
    outer = lax.exp(large) / large * chebyshev(48 / large - 1, tables.EI_FAR)
    above = wnp.where(near, inner, wnp.where(wnp.isinf(x), wnp.inf, wnp.where(far, outer, between)))
    below = -exp1(where_safe(x < 0, -x, 1.0))
    return wnp.where(x > 0, above, wnp.where(x == 0, -wnp.inf, wnp.where(wnp.isnan(x), x, below)))


def _expn_by_x(out: Array, n: Array, x: Array) -> Array:
    return -expn(n - 1, x)


@special(None, _expn_by_x)
def expn(n: Array, x: Array) -> Array:
    """The exponential integral E_n: of exp(-x t) / t^n from 1 on, for integers n. Infinite at 0 for n < 2, NaN for negative n or x.

    A power series up to x = 1 (Abramowitz and Stegun 5.1.12), beyond it the even part of the continued fraction 5.1.22, from below: `terms` are enough at 1.
    """
    terms = 40 if x.dtype is float32 else 110
    n, x = wnp.broadcast_arrays(n, x)
    near = x <= 1
    small, large = where_safe(near & (x > 0), x, 1.0), where_safe(~near & ~wnp.isinf(x), x, 2.0)
    order = where_safe(n >= 1, n, 1.0)

    def level(k: Array, fraction: Array) -> Array:
        i = terms - k
        return large + order + 2 * (i - 1) - i * (order + i - 1) / fraction

    fraction = lax.fori_loop(0, terms, lambda k, f: level(k.astype(x.dtype), f), large + order + 2.0 * terms)
    far = lax.exp(-large) / fraction
    total, term = wnp.zeros_like(small), wnp.ones_like(small)
    for m in range(20):
        whole = m + 1 - order
        total = total - wnp.where(whole == 0, 0.0, term / where_safe(whole != 0, whole, 1.0))
        term = term * (-small / (m + 1))
    power = lax.exp((order - 1) * lax.log(small) - lax.lgamma(order)) * wnp.where(order % 2 == 1, 1.0, -1.0)
    found = wnp.where(near, total + power * (lax.digamma(order) - lax.log(small)), far)
    found = wnp.where(n == 0, lax.exp(-x) / x, found)
    at_zero = wnp.where(n < 2, wnp.inf, 1 / where_safe(n != 1, n - 1, 1.0))
    found = wnp.where(x == 0, at_zero, wnp.where(wnp.isinf(x), 0.0, found))
    return wnp.where((n < 0) | (x < 0), wnp.nan, wnp.where(wnp.isnan(x) | wnp.isnan(n), wnp.nan, found))


def _sine(x: Array) -> tuple[Array, Array]:
    a = lax.abs(x)
    near = a <= 4
    small, large = where_safe(near, a, 1.0), where_safe(~near & ~wnp.isinf(a), a, 8.0)
    t = small * small / 8 - 1
    si = small * chebyshev(t, tables.SI_NEAR)
    positive = where_safe(small > 0, small, 1.0)
    ci = small * small * chebyshev(t, tables.CI_NEAR) + lax.log(positive) + GAMMA
    ci = wnp.where(small > 0, ci, -wnp.inf)
    t = 2 * (4 / large) ** 2 - 1
    f, g = chebyshev(t, tables.SINE_F) / large, chebyshev(t, tables.SINE_G) / (large * large)
    sine, cosine = lax.sin(large), lax.cos(large)
    si = wnp.where(near, si, wnp.where(wnp.isinf(a), math.pi / 2, math.pi / 2 - f * cosine - g * sine))
    ci = wnp.where(near, ci, wnp.where(wnp.isinf(a), 0.0, f * sine - g * cosine))
    return lax.sign(x) * si, wnp.where(x < 0, wnp.nan, ci)


@special(lambda out, x: wnp.where(x == 0, 1.0, lax.sin(x) / where_safe(x != 0, x, 1.0)))
def _si(x: Array) -> Array:
    return _sine(x)[0]


@special(lambda out, x: lax.cos(x) / x)
def _ci(x: Array) -> Array:
    return _sine(x)[1]


def sici(x: Any) -> tuple[Array, Array]:
    """The sine and the cosine integral. (The latter is NaN below 0.)"""
    return _si(x), _ci(x)


def _fresnel(x: Array) -> tuple[Array, Array]:
    a = lax.abs(x)
    near = a <= 1.6
    ended = a > 2.0 ** (32 if x.dtype.bits == 32 else 64)  # what is left of the swing is less than a rounding
    small, large = where_safe(near, a, 1.0), where_safe(~near & ~ended, a, 2.0)
    t = 2 * (small / 1.6) ** 4 - 1
    s, c = small**3 * chebyshev(t, tables.FRESNEL_S_NEAR), small * chebyshev(t, tables.FRESNEL_C_NEAR)
    t = 2 * (1.6 / large) ** 4 - 1
    f = chebyshev(t, tables.FRESNEL_F) / (math.pi * large)
    g = chebyshev(t, tables.FRESNEL_G) / (math.pi**2 * large**3)
    turn = large * large / 4
    angle = 2 * math.pi * (turn - lax.floor(turn))  # of pi x² / 2, without whole turns
    sine, cosine = lax.sin(angle), lax.cos(angle)
    s = wnp.where(near, s, wnp.where(ended, 0.5, 0.5 - f * cosine - g * sine))
    c = wnp.where(near, c, wnp.where(ended, 0.5, 0.5 + f * sine - g * cosine))
    return lax.sign(x) * s, lax.sign(x) * c


@special(lambda out, x: lax.sin(math.pi / 2 * x * x))
def _fresnel_s(x: Array) -> Array:
    return _fresnel(x)[0]


@special(lambda out, x: lax.cos(math.pi / 2 * x * x))
def _fresnel_c(x: Array) -> Array:
    return _fresnel(x)[1]


def fresnel(x: Any) -> tuple[Array, Array]:
    """Fresnel's integrals S and C, of sin(pi t² / 2) and cos(pi t² / 2)."""
    return _fresnel_s(x), _fresnel_c(x)


def spence(x: Any) -> Array:
    """The dilogarithm of 1 - x: the integral of log(t) / (1 - t) from 1 to x. NaN below 0.

    Reduced to [1/2, 3/2] by its values at 1 / x and at 1 - x.
    """
    return _spence(wide("spence", x))


@special(lambda out, x: wnp.where(x == 1, -1.0, lax.log(x) / (1 - where_safe(x != 1, x, 2.0))))
def _spence(x: Array) -> Array:
    inside = x > 0
    whole = where_safe(inside & ~wnp.isinf(x), x, 1.0)
    inverse = whole > 1.5
    y = wnp.where(inverse, 1 / whole, whole)
    mirrored = y < 0.5
    z = wnp.where(mirrored, 1 - y, y)
    core = (z - 1) * chebyshev(2 * z - 2, tables.SPENCE)
    safe = where_safe(mirrored, y, 0.25)
    core = wnp.where(mirrored, math.pi**2 / 6 - lax.log(safe) * lax.log1p(-safe) - core, core)
    found = wnp.where(inverse, -0.5 * lax.log(whole) ** 2 - core, core)
    found = wnp.where(wnp.isinf(x) & inside, -wnp.inf, found)
    return wnp.where(inside, found, wnp.where(x == 0, math.pi**2 / 6, wnp.nan))

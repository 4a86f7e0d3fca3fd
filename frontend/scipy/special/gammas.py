"""The gamma function and its kin: beta functions, factorials, the zeta function, polygamma functions, Bernoulli numbers."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.scipy.special.base import real

__all__ = [
    "bernoulli", "beta", "betaln", "comb", "digamma", "factorial", "gamma", "gammaln", "gammasgn", "loggamma",
    "multigammaln", "poch", "polygamma", "zeta",
]  # fmt: skip


def gammaln(x: Any) -> Array:
    """log |gamma(x)|."""
    (x,) = real("gammaln", x)
    return lax.lgamma(x)


def loggamma(x: Any) -> Array:
    """The principal logarithm of gamma(x): NaN for negative real x; of complex numbers the branch that is real for positive ones."""
    x = wrap(lift(x))
    if x.dtype.kind == "c":
        return _complex_loggamma(x)
    (x,) = real("loggamma", x)
    return wnp.where(x > 0, lax.lgamma(x), wnp.nan)


def _complex_loggamma(z: Array) -> Array:
    """By its values in the upper half plane. Left of 1/2 those are reflected: log(pi) - log(sin(pi z)) - loggamma(1 - z), where log(sin(pi z)) goes on from 0 at 1/2."""
    below = lax.imag(z) < 0
    z = wnp.where(below, lax.conj(z), z)
    left = lax.real(z) < 0.5
    direct = _stirling(wnp.where(left, 1 - z, z))
    within = lax.complex(lax.real(z) - wnp.round(lax.real(z)), lax.imag(z))  # a period of the exponential is 1
    sine = 1j * math.pi * (0.5 - z) - math.log(2) + lax.log(-lax.expm1(2j * math.pi * within))
    found = wnp.where(left, math.log(math.pi) - sine - direct, direct)
    return wnp.where(below, lax.conj(found), found)


def _stirling(z: Array) -> Array:
    """loggamma right of 1/2: Stirling's series for z + 8, less the logarithms of the steps there (D. Hare, "Computing the principal branch of log-gamma", 1997)."""
    w = z + 8
    inverse = 1 / w
    square, series = inverse * inverse, wnp.zeros_like(z)
    for k in range(9, 0, -1):
        series = series * square + float(_bernoulli_numbers(2 * k + 1)[-1]) / (2 * k * (2 * k - 1))
    found = (w - 0.5) * lax.log(w) - w + 0.5 * math.log(2 * math.pi) + series * inverse
    for k in range(8):
        found = found - lax.log(z + k)
    return found


def gammasgn(x: Any) -> Array:
    """The sign of gamma(x): NaN at the negative integers, that of x at 0."""
    (x,) = real("gammasgn", x)
    whole = lax.floor(x)
    below = x < 0
    odd = below & (whole % 2 != 0) | (x == 0) & wnp.signbit(x)
    sign = wnp.where(odd, wnp.asarray(-1, x.dtype), wnp.asarray(1, x.dtype))
    return wnp.where(below & (x == whole) | wnp.isnan(x), wnp.asarray(wnp.nan, x.dtype), sign)


def gamma(x: Any) -> Array:
    """The gamma function."""
    x = wrap(lift(x))
    if x.dtype.kind == "c":
        return lax.exp(_complex_loggamma(x))
    (x,) = real("gamma", x)
    return gammasgn(x) * lax.exp(lax.lgamma(x))


def digamma(x: Any) -> Array:
    """The derivative of gammaln."""
    (x,) = real("digamma", x)
    return lax.digamma(x)


def betaln(a: Any, b: Any) -> Array:
    """log |beta(a, b)|."""
    a, b = real("betaln", a, b)
    return lax.lgamma(a) + lax.lgamma(b) - lax.lgamma(a + b)


def beta(a: Any, b: Any) -> Array:
    """gamma(a) gamma(b) / gamma(a + b)."""
    a, b = real("beta", a, b)
    return gammasgn(a) * gammasgn(b) * gammasgn(a + b) * lax.exp(betaln(a, b))


def factorial(n: Any, exact: bool = False) -> Array:
    """gamma(n + 1); 0 for negative n. Raises NotImplementedError for `exact`: arrays have no integers of any size."""
    if exact:
        raise NotImplementedError("factorial with exact=True")
    (n,) = real("factorial", n)
    return wnp.where(n < 0, 0, lax.exp(lax.lgamma(n + 1)))


def comb(N: Any, k: Any, *, repetition: bool = False) -> Array:
    """How many ways there are to choose k of N things, each once, or any number of times with `repetition`."""
    things, k = real("comb", N, k)
    if repetition:
        return wnp.where((k == 0) & (things >= 0), 1.0, comb(things + k - 1, k))
    fits = (k <= things) & (things >= 0) & (k >= 0)
    n, m = wnp.where(fits, things, 0.0), wnp.where(fits, k, 0.0)
    return wnp.where(fits, lax.exp(gammaln(n + 1) - gammaln(m + 1) - gammaln(n + 1 - m)), 0.0)


def poch(z: Any, m: Any) -> Array:
    """The rising factorial gamma(z + m) / gamma(z)."""
    z, m = real("poch", z, m)
    return wnp.where(m == 0.0, wnp.asarray(1, z.dtype), gamma(z + m) / gamma(z))


def multigammaln(a: Any, d: Any) -> Array:
    """The logarithm of the multivariate gamma function of dimension d."""
    d = operator.index(d)
    (a,) = real("multigammaln", a)
    steps = wnp.arange(d, dtype=a.dtype) / 2
    return wnp.sum(gammaln(a[..., None] - steps), axis=-1) + d * (d - 1) / 4 * math.log(math.pi)


def _bernoulli_numbers(count: int) -> list[Fraction]:
    """B_0 … B_(count - 1), by the sum over binomials that vanishes."""
    found = [Fraction(1)]
    for n in range(1, count):
        found.append(-sum((math.comb(n + 1, k) * b for k, b in enumerate(found)), Fraction(0)) / (n + 1))
    return found


def bernoulli(n: int) -> Array:
    """The Bernoulli numbers B_0 … B_n. Raises ValueError for a negative n."""
    n = operator.index(n)
    if n < 0:
        raise ValueError("n must be a non-negative integer.")
    return wnp.asarray([float(b) for b in _bernoulli_numbers(n + 1)])


_TERMS = 9
_TAIL = [float(b / math.factorial(2 * k)) for k, b in enumerate(_bernoulli_numbers(25)[::2])][1:]
"""B_2k / (2k)!: the coefficients of Euler and Maclaurin's formula."""


def zeta(x: Any, q: Any = None) -> Array:
    """Hurwitz' zeta function, the sum of (k + q) ** -x, for x > 1; Riemann's for q = 1. Infinite at x = 1 and where q is 0 or a negative integer.

    The first terms one by one, the rest by Euler and Maclaurin (as in S. Moshier's Cephes).
    """
    x, q = real("zeta", x, 1 if q is None else q)
    total = wnp.zeros(wnp.broadcast_shapes(x.shape, q.shape), x.dtype)
    for k in range(_TERMS):
        total = total + (q + k) ** -x
    a = q + _TERMS
    power = a**-x
    total = total + power * a / (x - 1) + power / 2
    factor, power = x, power / a
    for k, c in enumerate(_TAIL[:12], 1):
        total = total + c * factor * power
        factor, power = factor * (x + 2 * k - 1) * (x + 2 * k), power / (a * a)
    pole = (x == 1) | (q <= 0) & (q == lax.floor(q))
    total = wnp.where((x < 1) | (q <= 0) & (x != lax.floor(x)), wnp.nan, total)
    return wnp.where(pole, wnp.inf, total)


def polygamma(n: Any, x: Any) -> Array:
    """The derivative of order n of digamma, NaN for a negative n; n must be integers: ValueError otherwise."""
    if not wnp.asarray(n).dtype.is_integer:
        raise ValueError(f"Argument `n` to polygamma must be of integer type. Got dtype {wnp.asarray(n).dtype}.")
    n, x = real("polygamma", n, x)
    sign = wnp.where(n % 2 == 0, wnp.asarray(-1, x.dtype), wnp.asarray(1, x.dtype))
    order = wnp.where(n == 0, 1, n)
    found = wnp.where(n == 0, lax.digamma(x), sign * lax.exp(lax.lgamma(order + 1)) * zeta(order + 1, x))
    return wnp.where(n < 0, wnp.asarray(wnp.nan, x.dtype), found)

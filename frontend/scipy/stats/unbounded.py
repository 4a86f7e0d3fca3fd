"""Continuous distributions on the whole line (`jax.scipy.stats`): each a namespace of functions of (x, parameters, loc, scale)."""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.nn import log1mexp
from weft.scipy import special as sp
from weft.scipy.stats.base import Distribution

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)


class norm(Distribution):
    """The normal distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return -0.5 * wnp.square((x - loc) / scale) - lax.log(scale) - LOG_ROOT_2PI

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.ndtr((x - loc) / scale)

    @staticmethod
    def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.log_ndtr((x - loc) / scale)

    @staticmethod
    def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.ndtr((loc - x) / scale)

    @staticmethod
    def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.log_ndtr((loc - x) / scale)

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.ndtri(q) * scale + loc

    @staticmethod
    def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return loc - sp.ndtri(q) * scale


def _log_mass(a: Array, b: Array) -> Array:
    """The logarithm of what the normal distribution has between a and b: by tails where both are on one side."""
    right = a > 0
    low, high = sp.log_ndtr(wnp.where(right, -b, a)), sp.log_ndtr(wnp.where(right, -a, b))
    tail = high + log1mexp(high - low)
    return wnp.where(right | (b <= 0), tail, lax.log1p(-sp.ndtr(a) - sp.ndtr(-b)))


class truncnorm(Distribution):
    """The normal distribution between a and b, which are in units of scale from loc."""

    @staticmethod
    def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        y = (x - loc) / scale
        found = norm.logpdf(x, loc, scale) - _log_mass(a, b)
        return wnp.where(a >= b, wnp.nan, wnp.where((y < a) | (y > b), -wnp.inf, found))

    @staticmethod
    def logcdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        y = (x - loc) / scale
        all_, below, above = _log_mass(a, b), _log_mass(a, y), _log_mass(y, b)
        found = wnp.where(below - all_ > -0.1, lax.log1p(-lax.exp(above - all_)), below - all_)
        found = wnp.where(y >= b, 0.0, wnp.where(y <= a, -wnp.inf, found))
        return wnp.where(a >= b, wnp.nan, found)

    @staticmethod
    def logsf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return truncnorm.logcdf(-x, -b, -a, -loc, scale)


class gennorm(Distribution):
    """The generalised normal distribution: its density goes as exp(-|x|^beta)."""

    @staticmethod
    def logpdf(x: Any, beta: Any) -> Array:
        return lax.log(0.5 * beta) - sp.gammaln(1 / beta) - wnp.abs(x) ** beta

    @staticmethod
    def cdf(x: Any, beta: Any) -> Array:
        return 0.5 * (1 + wnp.sign(x) * sp.gammainc(1 / beta, wnp.abs(x) ** beta))


class cauchy(Distribution):
    """The Cauchy distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return -lax.log(math.pi * scale) - lax.log1p(wnp.square((x - loc) / scale))

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return 0.5 + wnp.arctan((x - loc) / scale) / math.pi

    @staticmethod
    def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return cauchy.cdf(-x, -loc, scale)

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.tan(math.pi * (q - 0.5)) * scale + loc

    @staticmethod
    def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.tan(math.pi * (0.5 - q)) * scale + loc


class laplace(Distribution):
    """The Laplace distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return -wnp.abs(x - loc) / scale - lax.log(2 * scale)

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        t = (x - loc) / scale
        return wnp.where(t <= 0, 0.5 * lax.exp(t), 1 - 0.5 * lax.exp(-t))


class logistic(Distribution):
    """The logistic distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        half = (x - loc) / scale / 2
        return -2 * wnp.logaddexp(half, -half) - lax.log(scale)

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return lax.logistic((x - loc) / scale)

    @staticmethod
    def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return lax.logistic(-(x - loc) / scale)

    @staticmethod
    def ppf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.logit(x) * scale + loc

    @staticmethod
    def isf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return -sp.logit(x) * scale + loc


class t(Distribution):
    """Student's t distribution."""

    @staticmethod
    def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        y = (x - loc) / scale
        constant = sp.gammaln((df + 1) / 2) - sp.gammaln(df / 2) - 0.5 * lax.log(math.pi * df)
        return constant - lax.log(scale) - (df + 1) / 2 * lax.log1p(y * y / df)


def _scaled(found: Array, scale: Array) -> Array:
    """A function's value; NaN for a scale that is not positive."""
    return wnp.where(scale > 0, found, wnp.nan)


class gumbel_l(Distribution):
    """Gumbel's distribution of minima."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        z = (x - loc) / scale
        return _scaled(z - lax.exp(z) - lax.log(scale), scale)

    @staticmethod
    def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return _scaled(lax.log(-lax.expm1(-lax.exp((x - loc) / scale))), scale)

    @staticmethod
    def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return _scaled(-lax.exp((x - loc) / scale), scale)

    @staticmethod
    def ppf(p: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.where((p > 0) & (p < 1), loc + scale * lax.log(-lax.log1p(-p)), wnp.nan)


class gumbel_r(Distribution):
    """Gumbel's distribution of maxima."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        z = (x - loc) / scale
        return _scaled(-z - lax.exp(-z) - lax.log(scale), scale)

    @staticmethod
    def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return _scaled(-lax.exp((loc - x) / scale), scale)

    @staticmethod
    def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return _scaled(log1mexp(lax.exp((loc - x) / scale)), scale)

    @staticmethod
    def ppf(p: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.where((p > 0) & (p < 1), loc - scale * lax.log(-lax.log(p)), wnp.nan)

"""Continuous distributions on an interval or a half-line (`jax.scipy.stats`). Densities outside of the support are 0, their logarithms -inf."""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.scipy import special as sp
from weft.scipy.stats.base import Distribution, inside


class uniform(Distribution):
    """The uniform distribution on [loc, loc + scale]."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return inside((x >= loc) & (x <= loc + scale), wnp.broadcast_to(-lax.log(scale), x.shape))

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.clip((x - loc) / scale, 0.0, 1.0)

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.where((q < 0) | (q > 1), wnp.nan, q * scale + loc)


class expon(Distribution):
    """The exponential distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return inside(x >= loc, -(x - loc) / scale - lax.log(scale))

    @staticmethod
    def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.where(x < loc, 0.0, -(x - loc) / scale)

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return -lax.expm1(expon.logsf(x, loc, scale))

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return wnp.where((q < 0) | (q > 1), wnp.nan, loc - scale * lax.log1p(-q))


class gamma(Distribution):
    """The gamma distribution with shape parameter a."""

    @staticmethod
    def logpdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        fits = x >= loc
        y = wnp.where(fits, (x - loc) / scale, 1.0)
        return inside(fits, sp.xlogy(a - 1, y) - y - sp.gammaln(a) - lax.log(scale))

    @staticmethod
    def cdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.gammainc(a, wnp.maximum((x - loc) / scale, 0))

    @staticmethod
    def sf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.gammaincc(a, wnp.maximum((x - loc) / scale, 0))


class chi2(Distribution):
    """The chi-squared distribution with df degrees of freedom: gamma's, with df / 2 and twice the scale."""

    @staticmethod
    def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return gamma.logpdf(x, df / 2, loc, 2 * scale)

    @staticmethod
    def cdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return gamma.cdf(x, df / 2, loc, 2 * scale)

    @staticmethod
    def sf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return gamma.sf(x, df / 2, loc, 2 * scale)


class beta(Distribution):
    """The beta distribution."""

    @staticmethod
    def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        fits = (x >= loc) & (x <= loc + scale)
        y = wnp.where(fits, (x - loc) / scale, 0.5)
        log = sp.xlogy(a - 1, y) + sp.xlog1py(b - 1, -y) - sp.betaln(a, b) - lax.log(scale)
        return inside(fits, log)

    @staticmethod
    def cdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.betainc(a, b, wnp.clip((x - loc) / scale, 0, 1))

    @staticmethod
    def sf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return sp.betainc(b, a, 1 - wnp.clip((x - loc) / scale, 0, 1))


class pareto(Distribution):
    """The Pareto distribution with shape parameter b, from loc + scale on."""

    @staticmethod
    def logpdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        fits = x >= loc + scale
        y = wnp.where(fits, (x - loc) / scale, 1.0)
        return inside(fits, lax.log(b / scale) - (b + 1) * lax.log(y))

    @staticmethod
    def logsf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        fits = x >= loc + scale
        return wnp.where(fits, -b * lax.log(wnp.where(fits, (x - loc) / scale, 1.0)), 0.0)

    @staticmethod
    def cdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return -lax.expm1(pareto.logsf(x, b, loc, scale))

    @staticmethod
    def ppf(q: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        return (1 - q) ** (-1 / b) * scale + loc


class vonmises(Distribution):
    """The von Mises distribution on a circle, with concentration kappa."""

    @staticmethod
    def logpdf(x: Any, kappa: Any) -> Array:
        return kappa * (lax.cos(x) - 1) - math.log(2 * math.pi) - lax.log(sp.i0e(kappa))


class wrapcauchy(Distribution):
    """The Cauchy distribution wrapped around a circle, on [0, 2 pi], with 0 < c < 1."""

    @staticmethod
    def logpdf(x: Any, c: Any) -> Array:
        log = lax.log1p(-c * c) - math.log(2 * math.pi) - lax.log(1 + c * c - 2 * c * lax.cos(x))
        return wnp.where((c > 0) & (c < 1), inside((x >= 0) & (x <= 2 * math.pi), log), wnp.nan)

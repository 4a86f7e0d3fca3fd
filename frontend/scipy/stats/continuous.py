"""Continuous distributions (`jax.scipy.stats`): each a namespace of functions of (x, parameters, loc, scale). Densities outside of the support are 0, their logarithms -inf."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.scipy import special as sp
from weft.scipy.stats.base import inside, promoted

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)


def _exp(log: Callable[..., Array], name: str, doc: str) -> Callable[..., Array]:
    """The exponential of a function."""

    def f(*args: Any, **kwargs: Any) -> Array:
        return lax.exp(log(*args, **kwargs))

    f.__name__, f.__doc__ = name, doc
    return f


class _Distribution:
    """The functions that follow from others. A subclass has `logpdf`, and `cdf` and `logcdf`, `sf` and `logsf` if it has any of them."""

    @classmethod
    def pdf(cls, x: Any, *params: Any, **named: Any) -> Array:
        """The density."""
        return lax.exp(cls.logpdf(x, *params, **named))  # type: ignore[attr-defined]


class norm(_Distribution):
    """The normal distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, loc, scale = promoted("norm.logpdf", x, loc, scale)
        return -0.5 * wnp.square((x - loc) / scale) - lax.log(scale) - LOG_ROOT_2PI

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, loc, scale = promoted("norm.cdf", x, loc, scale)
        return sp.ndtr((x - loc) / scale)

    @staticmethod
    def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the distribution function."""
        x, loc, scale = promoted("norm.logcdf", x, loc, scale)
        return sp.log_ndtr((x - loc) / scale)

    @staticmethod
    def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """1 - cdf."""
        x, loc, scale = promoted("norm.sf", x, loc, scale)
        return sp.ndtr((loc - x) / scale)

    @staticmethod
    def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of 1 - cdf."""
        x, loc, scale = promoted("norm.logsf", x, loc, scale)
        return sp.log_ndtr((loc - x) / scale)

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The quantile."""
        q, loc, scale = promoted("norm.ppf", q, loc, scale)
        return sp.ndtri(q) * scale + loc

    @staticmethod
    def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The inverse of sf."""
        q, loc, scale = promoted("norm.isf", q, loc, scale)
        return loc - sp.ndtri(q) * scale


class uniform(_Distribution):
    """The uniform distribution on [loc, loc + scale]."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, loc, scale = promoted("uniform.logpdf", x, loc, scale)
        return inside((x >= loc) & (x <= loc + scale), wnp.broadcast_to(-lax.log(scale), x.shape))

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, loc, scale = promoted("uniform.cdf", x, loc, scale)
        return wnp.clip((x - loc) / scale, 0.0, 1.0)

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The quantile; NaN outside of [0, 1]."""
        q, loc, scale = promoted("uniform.ppf", q, loc, scale)
        return wnp.where((q < 0) | (q > 1), wnp.nan, q * scale + loc)


class expon(_Distribution):
    """The exponential distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, loc, scale = promoted("expon.logpdf", x, loc, scale)
        return inside(x >= loc, -(x - loc) / scale - lax.log(scale))

    @staticmethod
    def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of 1 - cdf."""
        x, loc, scale = promoted("expon.logsf", x, loc, scale)
        return wnp.where(x < loc, 0.0, -(x - loc) / scale)

    sf = staticmethod(_exp(logsf.__func__, "sf", "1 - cdf."))  # type: ignore[attr-defined]

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        return -lax.expm1(expon.logsf(x, loc, scale))

    @staticmethod
    def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the distribution function."""
        return lax.log(expon.cdf(x, loc, scale))

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The quantile; NaN outside of [0, 1]."""
        q, loc, scale = promoted("expon.ppf", q, loc, scale)
        return wnp.where((q < 0) | (q > 1), wnp.nan, loc - scale * lax.log1p(-q))


class cauchy(_Distribution):
    """The Cauchy distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, loc, scale = promoted("cauchy.logpdf", x, loc, scale)
        return -lax.log(math.pi * scale) - lax.log1p(wnp.square((x - loc) / scale))

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, loc, scale = promoted("cauchy.cdf", x, loc, scale)
        return 0.5 + wnp.arctan((x - loc) / scale) / math.pi

    @staticmethod
    def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the distribution function."""
        return lax.log(cauchy.cdf(x, loc, scale))

    @staticmethod
    def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """1 - cdf."""
        x, loc, scale = promoted("cauchy.sf", x, loc, scale)
        return cauchy.cdf(-x, -loc, scale)

    @staticmethod
    def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of 1 - cdf."""
        return lax.log(cauchy.sf(x, loc, scale))

    @staticmethod
    def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The quantile."""
        q, loc, scale = promoted("cauchy.ppf", q, loc, scale)
        return wnp.tan(math.pi * (q - 0.5)) * scale + loc

    @staticmethod
    def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The inverse of sf."""
        q, loc, scale = promoted("cauchy.isf", q, loc, scale)
        return wnp.tan(math.pi * (0.5 - q)) * scale + loc


class laplace(_Distribution):
    """The Laplace distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, loc, scale = promoted("laplace.logpdf", x, loc, scale)
        return -wnp.abs(x - loc) / scale - lax.log(2 * scale)

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, loc, scale = promoted("laplace.cdf", x, loc, scale)
        t = (x - loc) / scale
        return wnp.where(t <= 0, 0.5 * lax.exp(t), 1 - 0.5 * lax.exp(-t))


class logistic(_Distribution):
    """The logistic distribution."""

    @staticmethod
    def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, loc, scale = promoted("logistic.logpdf", x, loc, scale)
        half = (x - loc) / scale / 2
        return -2 * wnp.logaddexp(half, -half) - lax.log(scale)

    @staticmethod
    def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, loc, scale = promoted("logistic.cdf", x, loc, scale)
        return lax.logistic((x - loc) / scale)

    @staticmethod
    def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """1 - cdf."""
        x, loc, scale = promoted("logistic.sf", x, loc, scale)
        return lax.logistic(-(x - loc) / scale)

    @staticmethod
    def ppf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The quantile."""
        x, loc, scale = promoted("logistic.ppf", x, loc, scale)
        return sp.logit(x) * scale + loc

    @staticmethod
    def isf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The inverse of sf."""
        x, loc, scale = promoted("logistic.isf", x, loc, scale)
        return -sp.logit(x) * scale + loc


class gamma(_Distribution):
    """The gamma distribution with shape parameter a."""

    @staticmethod
    def logpdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, a, loc, scale = promoted("gamma.logpdf", x, a, loc, scale)
        fits = x >= loc
        y = wnp.where(fits, (x - loc) / scale, 1.0)
        return inside(fits, sp.xlogy(a - 1, y) - y - sp.gammaln(a) - lax.log(scale))

    @staticmethod
    def cdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, a, loc, scale = promoted("gamma.cdf", x, a, loc, scale)
        return sp.gammainc(a, wnp.maximum((x - loc) / scale, 0))

    @staticmethod
    def sf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """1 - cdf."""
        x, a, loc, scale = promoted("gamma.sf", x, a, loc, scale)
        return sp.gammaincc(a, wnp.maximum((x - loc) / scale, 0))

    @staticmethod
    def logcdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the distribution function."""
        return lax.log(gamma.cdf(x, a, loc, scale))

    @staticmethod
    def logsf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of 1 - cdf."""
        return lax.log(gamma.sf(x, a, loc, scale))


class chi2(_Distribution):
    """The chi-squared distribution with df degrees of freedom: gamma's, with df / 2 and twice the scale."""

    @staticmethod
    def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, df, loc, scale = promoted("chi2.logpdf", x, df, loc, scale)
        return gamma.logpdf(x, df / 2, loc, 2 * scale)

    @staticmethod
    def cdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, df, loc, scale = promoted("chi2.cdf", x, df, loc, scale)
        return gamma.cdf(x, df / 2, loc, 2 * scale)

    @staticmethod
    def sf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """1 - cdf."""
        x, df, loc, scale = promoted("chi2.sf", x, df, loc, scale)
        return gamma.sf(x, df / 2, loc, 2 * scale)

    @staticmethod
    def logcdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the distribution function."""
        return lax.log(chi2.cdf(x, df, loc, scale))

    @staticmethod
    def logsf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of 1 - cdf."""
        return lax.log(chi2.sf(x, df, loc, scale))


class beta(_Distribution):
    """The beta distribution."""

    @staticmethod
    def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, a, b, loc, scale = promoted("beta.logpdf", x, a, b, loc, scale)
        fits = (x >= loc) & (x <= loc + scale)
        y = wnp.where(fits, (x - loc) / scale, 0.5)
        log = sp.xlogy(a - 1, y) + sp.xlog1py(b - 1, -y) - sp.betaln(a, b) - lax.log(scale)
        return inside(fits, log)

    @staticmethod
    def cdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        x, a, b, loc, scale = promoted("beta.cdf", x, a, b, loc, scale)
        return sp.betainc(a, b, wnp.clip((x - loc) / scale, 0, 1))

    @staticmethod
    def sf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """1 - cdf."""
        x, a, b, loc, scale = promoted("beta.sf", x, a, b, loc, scale)
        return sp.betainc(b, a, 1 - wnp.clip((x - loc) / scale, 0, 1))

    @staticmethod
    def logcdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the distribution function."""
        return lax.log(beta.cdf(x, a, b, loc, scale))

    @staticmethod
    def logsf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of 1 - cdf."""
        return lax.log(beta.sf(x, a, b, loc, scale))


class t(_Distribution):
    """Student's t distribution."""

    @staticmethod
    def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, df, loc, scale = promoted("t.logpdf", x, df, loc, scale)
        y = (x - loc) / scale
        constant = sp.gammaln((df + 1) / 2) - sp.gammaln(df / 2) - 0.5 * lax.log(math.pi * df)
        return constant - lax.log(scale) - (df + 1) / 2 * lax.log1p(y * y / df)


class pareto(_Distribution):
    """The Pareto distribution with shape parameter b, from loc + scale on."""

    @staticmethod
    def logpdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the density."""
        x, b, loc, scale = promoted("pareto.logpdf", x, b, loc, scale)
        fits = x >= loc + scale
        y = wnp.where(fits, (x - loc) / scale, 1.0)
        return inside(fits, lax.log(b / scale) - (b + 1) * lax.log(y))

    @staticmethod
    def logsf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of 1 - cdf."""
        x, b, loc, scale = promoted("pareto.logsf", x, b, loc, scale)
        fits = x >= loc + scale
        return wnp.where(fits, -b * lax.log(wnp.where(fits, (x - loc) / scale, 1.0)), 0.0)

    sf = staticmethod(_exp(logsf.__func__, "sf", "1 - cdf."))  # type: ignore[attr-defined]

    @staticmethod
    def cdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The distribution function."""
        return -lax.expm1(pareto.logsf(x, b, loc, scale))

    @staticmethod
    def logcdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The logarithm of the distribution function."""
        return lax.log(pareto.cdf(x, b, loc, scale))

    @staticmethod
    def ppf(q: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        """The quantile."""
        q, b, loc, scale = promoted("pareto.ppf", q, b, loc, scale)
        return (1 - q) ** (-1 / b) * scale + loc


class vonmises(_Distribution):
    """The von Mises distribution with concentration kappa."""

    @staticmethod
    def logpdf(x: Any, kappa: Any) -> Array:
        """The logarithm of the density."""
        x, kappa = promoted("vonmises.logpdf", x, kappa)
        return kappa * (lax.cos(x) - 1) - math.log(2 * math.pi) - lax.log(sp.i0e(kappa))

"""Discrete distributions (`jax.scipy.stats`): functions of (k, parameters, loc). Probabilities of numbers that cannot occur are 0."""

from __future__ import annotations

from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.scipy import special as sp
from weft.scipy.stats.base import inside, promoted


class _Discrete:
    """The functions that follow from others."""

    @classmethod
    def pmf(cls, k: Any, *params: Any, **named: Any) -> Array:
        """The probability."""
        return lax.exp(cls.logpmf(k, *params, **named))  # type: ignore[attr-defined]


class bernoulli(_Discrete):
    """1 with probability p, else 0."""

    @staticmethod
    def logpmf(k: Any, p: Any, loc: Any = 0) -> Array:
        """The logarithm of the probability."""
        k, p, loc = promoted("bernoulli.logpmf", k, p, loc)
        x = k - loc
        return inside((x == 0) | (x == 1), sp.xlogy(x, p) + sp.xlog1py(1 - x, -p))

    @staticmethod
    def cdf(k: Any, p: Any) -> Array:
        """The distribution function."""
        k, p = promoted("bernoulli.cdf", k, p)
        known = wnp.where(k < 0, 0.0, wnp.where(k < 1, 1 - p, 1.0)).astype(k.dtype)
        return wnp.where(wnp.isnan(k) | wnp.isnan(p) | (p < 0) | (p > 1), wnp.nan, known)

    @staticmethod
    def ppf(q: Any, p: Any) -> Array:
        """The quantile."""
        q, p = promoted("bernoulli.ppf", q, p)
        known = wnp.where(q == 0, -1.0, wnp.where(q <= 1 - p, 0.0, 1.0)).astype(q.dtype)
        return wnp.where(wnp.isnan(q) | wnp.isnan(p) | (p < 0) | (p > 1) | (q < 0) | (q > 1), wnp.nan, known)


class binom(_Discrete):
    """Successes among n trials, each with probability p."""

    @staticmethod
    def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
        """The logarithm of the probability."""
        k, n, p, loc = promoted("binom.logpmf", k, n, p, loc)
        y = k - loc
        ways = sp.gammaln(n + 1) - sp.gammaln(y + 1) - sp.gammaln(n - y + 1)
        return wnp.where((y >= 0) & (y <= n), ways + sp.xlogy(y, p) + sp.xlog1py(n - y, -p), -wnp.inf)


class geom(_Discrete):
    """Trials until the first success, each with probability p."""

    @staticmethod
    def logpmf(k: Any, p: Any, loc: Any = 0) -> Array:
        """The logarithm of the probability."""
        k, p, loc = promoted("geom.logpmf", k, p, loc)
        x = k - loc
        return inside(x > 0, sp.xlog1py(x - 1, -p) + lax.log(p))


class nbinom(_Discrete):
    """Failures before the n-th success."""

    @staticmethod
    def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
        """The logarithm of the probability."""
        k, n, p, loc = promoted("nbinom.logpmf", k, n, p, loc)
        y = k - loc
        ways = sp.gammaln(y + n) - sp.gammaln(n) - sp.gammaln(y + 1)
        return inside(y >= 0, ways + n * lax.log(p) + sp.xlog1py(y, -p))


class poisson(_Discrete):
    """The Poisson distribution with rate mu."""

    @staticmethod
    def logpmf(k: Any, mu: Any, loc: Any = 0) -> Array:
        """The logarithm of the probability."""
        k, mu, loc = promoted("poisson.logpmf", k, mu, loc)
        x = k - loc
        whole = (x >= 0) & (x == lax.floor(x))
        return wnp.where(whole, sp.xlogy(x, mu) - sp.gammaln(x + 1) - mu, -wnp.inf)

    @staticmethod
    def cdf(k: Any, mu: Any, loc: Any = 0) -> Array:
        """The distribution function."""
        k, mu, loc = promoted("poisson.cdf", k, mu, loc)
        x = lax.floor(k - loc)
        return wnp.where(x < 0, 0.0, sp.gammaincc(wnp.where(x < 0, 1.0, x + 1), mu))


class betabinom(_Discrete):
    """Successes among n trials whose probability has a beta distribution."""

    @staticmethod
    def logpmf(k: Any, n: Any, a: Any, b: Any, loc: Any = 0) -> Array:
        """The logarithm of the probability."""
        k, n, a, b, loc = promoted("betabinom.logpmf", k, n, a, b, loc)
        y = k - loc
        log = -lax.log(n + 1) - sp.betaln(n - y + 1, y + 1) + sp.betaln(y + a, n - y + b) - sp.betaln(a, b)
        return inside((y >= 0) & (y <= n), log)


class dirichlet:
    """The Dirichlet distribution of vectors of probabilities, along the first axis."""

    @staticmethod
    def logpdf(x: Any, alpha: Any) -> Array:
        """The logarithm of the density; x may leave out its last element, which the others tell."""
        dtype = promoted(
            "dirichlet.logpdf", wnp.zeros((), wnp.asarray(x).dtype), wnp.zeros((), wnp.asarray(alpha).dtype)
        )[0].dtype
        x, alpha = wnp.asarray(x, dtype), wnp.asarray(alpha, dtype)
        if alpha.ndim != 1:
            raise ValueError(f"`alpha` must be one-dimensional; got alpha.shape={alpha.shape}")
        if x.shape[0] not in (alpha.shape[0], alpha.shape[0] - 1):
            raise ValueError(
                f"`x` must have either the same number of entries as `alpha` or one entry fewer; got x.shape={x.shape}, alpha.shape={alpha.shape}"
            )
        if x.shape[0] != alpha.shape[0]:
            x = wnp.concatenate([x, 1 - wnp.sum(x, axis=0, keepdims=True)], axis=0)
        constant = wnp.sum(sp.gammaln(alpha)) - sp.gammaln(wnp.sum(alpha))
        powers = alpha.reshape((-1,) + (1,) * (x.ndim - 1)) - 1
        fits = wnp.all(x >= 0, axis=0) & (wnp.abs(wnp.sum(x, axis=0) - 1) < 1e-6)
        return inside(fits, wnp.sum(sp.xlogy(powers, x), axis=0) - constant)

    @staticmethod
    def pdf(x: Any, alpha: Any) -> Array:
        """The density."""
        return lax.exp(dirichlet.logpdf(x, alpha))


class multinomial(_Discrete):
    """Counts of n draws from categories with probabilities p, along the last axis."""

    @staticmethod
    def logpmf(x: Any, n: Any, p: Any) -> Array:
        """The logarithm of the probability."""
        x, n, p = promoted("multinomial.logpmf", x, n, p)
        log = sp.gammaln(n + 1) + wnp.sum(sp.xlogy(x, p) - sp.gammaln(x + 1), axis=-1)
        return inside(n == wnp.sum(x, axis=-1), log)

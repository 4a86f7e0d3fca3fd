"""Discrete distributions (`jax.scipy.stats`): functions of (k, parameters, loc). Probabilities of numbers that cannot occur are 0."""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.scipy import special as sp
from weft.scipy.stats.base import Distribution, inside


class bernoulli(Distribution):
    """1 with probability p, else 0."""

    @staticmethod
    def logpmf(k: Any, p: Any, loc: Any = 0) -> Array:
        x = k - loc
        return inside((x == 0) | (x == 1), sp.xlogy(x, p) + sp.xlog1py(1 - x, -p))

    @staticmethod
    def cdf(k: Any, p: Any) -> Array:
        known = wnp.where(k < 0, 0.0, wnp.where(k < 1, 1 - p, 1.0)).astype(k.dtype)
        return wnp.where(wnp.isnan(k) | wnp.isnan(p) | (p < 0) | (p > 1), wnp.nan, known)

    @staticmethod
    def ppf(q: Any, p: Any) -> Array:
        known = wnp.where(q == 0, -1.0, wnp.where(q <= 1 - p, 0.0, 1.0)).astype(q.dtype)
        return wnp.where(wnp.isnan(q) | wnp.isnan(p) | (p < 0) | (p > 1) | (q < 0) | (q > 1), wnp.nan, known)


class binom(Distribution):
    """Successes among n trials, each with probability p."""

    @staticmethod
    def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
        y = k - loc
        ways = sp.gammaln(n + 1) - sp.gammaln(y + 1) - sp.gammaln(n - y + 1)
        return wnp.where((y >= 0) & (y <= n), ways + sp.xlogy(y, p) + sp.xlog1py(n - y, -p), -wnp.inf)


class geom(Distribution):
    """Trials until the first success, each with probability p."""

    @staticmethod
    def logpmf(k: Any, p: Any, loc: Any = 0) -> Array:
        x = k - loc
        return inside(x > 0, sp.xlog1py(x - 1, -p) + lax.log(p))


class nbinom(Distribution):
    """Failures before the n-th success."""

    @staticmethod
    def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
        y = k - loc
        ways = sp.gammaln(y + n) - sp.gammaln(n) - sp.gammaln(y + 1)
        return inside(y >= 0, ways + n * lax.log(p) + sp.xlog1py(y, -p))


class poisson(Distribution):
    """The Poisson distribution with rate mu."""

    @staticmethod
    def logpmf(k: Any, mu: Any, loc: Any = 0) -> Array:
        x = k - loc
        whole = (x >= 0) & (x == lax.floor(x))
        return wnp.where(whole, sp.xlogy(x, mu) - sp.gammaln(x + 1) - mu, -wnp.inf)

    @staticmethod
    def cdf(k: Any, mu: Any, loc: Any = 0) -> Array:
        x = lax.floor(k - loc)
        return wnp.where(x < 0, 0.0, sp.gammaincc(wnp.where(x < 0, 1.0, x + 1), mu))

    @staticmethod
    def entropy(mu: Any, loc: Any = 0) -> Array:
        """The entropy, which does not depend on loc: a sum over the counts that occur, for large mu the asymptotic series, which in float32 is the better one soon."""
        few = mu < (30 if mu.dtype.bits <= 32 else 100)
        counts = lax.iota(mu.dtype, 250)
        logs = poisson.logpmf(counts, wnp.where(few & (mu != 0), mu, 1.0)[..., None])
        summed = -wnp.sum(lax.exp(logs) * logs, -1)
        many = wnp.where(few, 100.0, mu)
        rest = (1 / 12 + (1 / 24 + 19 / (360 * many)) / many) / many
        found = wnp.where(few, summed, 0.5 * lax.log(2 * math.pi * math.e * many) - rest)
        return wnp.broadcast_to(wnp.where(mu == 0, 0.0, found), wnp.broadcast_shapes(mu.shape, loc.shape))


class betabinom(Distribution):
    """Successes among n trials whose probability has a beta distribution."""

    @staticmethod
    def logpmf(k: Any, n: Any, a: Any, b: Any, loc: Any = 0) -> Array:
        y = k - loc
        log = -lax.log(n + 1) - sp.betaln(n - y + 1, y + 1) + sp.betaln(y + a, n - y + b) - sp.betaln(a, b)
        return inside((y >= 0) & (y <= n), log)

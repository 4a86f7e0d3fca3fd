"""Distributions of vectors (`jax.scipy.stats`)."""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.numpy.linalg import inexact
from weft.scipy import special as sp
from weft.scipy.stats.base import Distribution, inside, promoted


def _one_dtype(*xs: Any) -> list[Array]:
    """Arrays in one real floating dtype, each in its own shape."""
    arrays = [wnp.asarray(x) for x in xs]
    dtype = promoted("distribution", *(wnp.zeros((), a.dtype) for a in arrays))[0].dtype
    return [a.astype(dtype) for a in arrays]


class dirichlet:
    """The Dirichlet distribution of vectors of probabilities, along the first axis."""

    @staticmethod
    def logpdf(x: Any, alpha: Any) -> Array:
        """The logarithm of the density; x may leave out its last element, which the others tell."""
        x, alpha = _one_dtype(x, alpha)
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


class multinomial(Distribution):
    """Counts of n draws from categories with probabilities p, along the last axis."""

    @staticmethod
    def logpmf(x: Any, n: Any, p: Any) -> Array:
        log = sp.gammaln(n + 1) + wnp.sum(sp.xlogy(x, p) - sp.gammaln(x + 1), axis=-1)
        return inside(n == wnp.sum(x, axis=-1), log)


class multivariate_normal:
    """The normal distribution of vectors, along the last axis: `cov` is a matrix, or one variance for all elements; of a mean of rank 0, the normal distribution."""

    @staticmethod
    def logpdf(x: Any, mean: Any, cov: Any, allow_singular: None = None) -> Array:
        """The logarithm of the density. Raises NotImplementedError for `allow_singular`, ValueError for a covariance of another shape."""
        if allow_singular is not None:
            raise NotImplementedError("allow_singular argument of multivariate_normal.logpdf")
        x, mean, cov = inexact(x, mean, cov)
        log_2pi = math.log(2 * math.pi)
        if not mean.shape:
            return -0.5 * wnp.square(x - mean) / cov - 0.5 * (log_2pi + lax.log(cov))
        n, y = mean.shape[-1], x - mean
        if not cov.shape:
            return -0.5 * wnp.sum(y * y, -1) / cov - n / 2 * (log_2pi + lax.log(cov))
        if cov.ndim < 2 or cov.shape[-2:] != (n, n):
            raise ValueError(
                f"multivariate_normal.logpdf got incompatible shapes: mean {mean.shape}, covariance {cov.shape}"
            )
        factor = lax.linalg.cholesky(cov)
        outer = wnp.broadcast_shapes(y.shape[:-1], factor.shape[:-2])
        logs = lax.log(factor.diagonal(axis1=-1, axis2=-2)).sum(-1)
        factor, y = wnp.broadcast_to(factor, (*outer, n, n)), wnp.broadcast_to(y, (*outer, n))
        y = lax.linalg.triangular_solve(factor, y[..., None], left_side=True, lower=True)[..., 0]
        return -0.5 * wnp.sum(y * y, -1) - n / 2 * log_2pi - logs

    @staticmethod
    def pdf(x: Any, mean: Any, cov: Any) -> Array:
        """The density."""
        return lax.exp(multivariate_normal.logpdf(x, mean, cov))

"""Kernel density estimation (`jax.scipy.stats.gaussian_kde`): a normal distribution around each point of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import weft.numpy as wnp
from weft import lax, random
from weft.array import Array
from weft.lax.base import ArrayLike
from weft.numpy.linalg import inexact
from weft.numpy.linalg import inv as inverse
from weft.scipy.linalg import cho_factor, cho_solve
from weft.scipy.special import logsumexp, ndtr
from weft.tree_util import register_pytree_node_class

__all__ = ["gaussian_kde"]


@register_pytree_node_class
class gaussian_kde:
    """The density that a sample of shape (dimensions, points) suggests. It is a pytree.

    `bw_method` is the width of the kernels, as a factor of the sample's covariance: "scott" (also None), "silverman", a number, or a function of this object; `weights` belong to points.
    Raises ValueError for a sample of one element, weights that are no vector of the sample's length, and an unknown method, NotImplementedError for complex samples.
    """

    def __init__(self, dataset: ArrayLike, bw_method: Any = None, weights: ArrayLike | None = None):
        sample = wnp.atleast_2d(dataset)
        if wnp.iscomplexobj(sample):
            raise NotImplementedError("gaussian_kde does not support complex data")
        if sample.size <= 1:
            raise ValueError(f"`dataset` input should have multiple elements, got shape {sample.shape}.")
        d, n = sample.shape
        if weights is None:
            (self.dataset,) = inexact(sample)
            self.weights = wnp.full(n, 1.0 / n, self.dataset.dtype)
        else:
            self.dataset, given = inexact(sample, weights)
            given = wnp.atleast_1d(given)
            if given.ndim != 1:
                raise ValueError(f"`weights` input should be one-dimensional, got shape {given.shape}.")
            if given.shape[0] != n:
                raise ValueError(f"`weights` input should be of length {n}, got {given.shape[0]}")
            self.weights = given / wnp.sum(given)
        self.neff = 1 / wnp.sum(self.weights**2)
        covariance = wnp.atleast_2d(wnp.cov(self.dataset, rowvar=True, bias=False, aweights=self.weights))
        factor = self._factor("scott" if bw_method is None else bw_method, d)
        self.covariance = covariance * factor**2
        self.inv_cov = inverse(covariance) / factor**2

    def _factor(self, method: str | float | Callable[[Any], Any], d: int) -> Any:
        if method == "scott":
            return self.neff ** (-1.0 / (d + 4))
        if method == "silverman":
            return (self.neff * (d + 2) / 4.0) ** (-1.0 / (d + 4))
        if callable(method):
            return method(self)
        if isinstance(method, str) or not wnp.isscalar(method):
            raise ValueError("`bw_method` should be 'scott', 'silverman', a scalar, or a callable.")
        return method

    def tree_flatten(self) -> tuple[Any, None]:
        """Arrays; nothing is static."""
        return (self.neff, self.dataset, self.weights, self.covariance, self.inv_cov), None

    @classmethod
    def tree_unflatten(cls, static: None, children: Any) -> gaussian_kde:
        """The object of these parts, which are taken as they are."""
        self = object.__new__(cls)
        self.neff, self.dataset, self.weights, self.covariance, self.inv_cov = children
        return self

    @property
    def d(self) -> int:
        """The number of dimensions."""
        return self.dataset.shape[0]

    @property
    def n(self) -> int:
        """The number of points."""
        return self.dataset.shape[1]

    def _points(self, points: ArrayLike) -> Array:
        found = wnp.atleast_2d(points)
        if wnp.iscomplexobj(found):
            raise NotImplementedError("gaussian_kde does not support complex coordinates")
        if found.shape[0] == self.d:
            return found
        if found.shape == (1, self.d):
            return found.reshape(self.d, 1)
        raise ValueError(f"points have dimension {found.shape[0]}, dataset has dimension {self.d}")

    def _log_kernels(self, points: ArrayLike) -> Array:
        """The logarithm of each kernel, without its weight, at each point: of shape (points, kernels)."""
        dataset, places, precision = inexact(self.dataset, self._points(points), self.inv_cov)
        root = lax.linalg.cholesky(precision)
        away = wnp.expand_dims(places.T @ root, 1) - dataset.T @ root
        scale = lax.log(wnp.diag(root)).sum() - 0.5 * self.d * math.log(2 * math.pi)
        return scale - 0.5 * wnp.sum(away * away, -1)

    def evaluate(self, points: ArrayLike) -> Array:
        """The density at points of shape (dimensions, points), or at one point that is a vector."""
        return wnp.sum(self.weights * lax.exp(self._log_kernels(points)), -1)

    __call__ = evaluate

    def pdf(self, x: ArrayLike) -> Array:
        """The density."""
        return self.evaluate(x)

    def logpdf(self, x: ArrayLike) -> Array:
        """The logarithm of the density."""
        return logsumexp(lax.log(self.weights) + self._log_kernels(x), axis=-1)

    def _product(self, covariance: Array, means: Array) -> Array:
        """The integrals of the density times normal densities with means in columns, without the part of the covariance that is the density's own."""
        factor = cho_factor(self.covariance + covariance)
        norm = math.sqrt(2 * math.pi) ** self.d * wnp.prod(wnp.diag(factor[0]))
        away = wnp.expand_dims(self.dataset, -1) - wnp.expand_dims(means, 1)
        solved = cho_solve(factor, away.reshape(self.d, -1)).reshape(away.shape)
        return wnp.sum(lax.exp(-0.5 * wnp.sum(away * solved, 0)) * self.weights[:, None], 0) / norm

    def integrate_gaussian(self, mean: ArrayLike, cov: ArrayLike) -> Array:
        """The integral of the density times a normal one. Raises ValueError for a mean or covariance of another dimension."""
        center, covariance = wnp.atleast_1d(wnp.squeeze(mean)), wnp.atleast_2d(cov)
        if center.shape != (self.d,):
            raise ValueError(f"mean does not have dimension {self.d}, got shape {center.shape}")
        if covariance.shape != (self.d, self.d):
            raise ValueError(f"covariance does not have dimension {self.d}, got shape {covariance.shape}")
        return self._product(covariance, center[:, None])[0]

    def integrate_box_1d(self, low: ArrayLike, high: ArrayLike) -> Array:
        """The integral of the density between two numbers. Raises ValueError in more dimensions."""
        if self.d != 1:
            raise ValueError(f"integrate_box_1d() only handles 1D pdfs, this one has {self.d} dimensions")
        if wnp.ndim(low) or wnp.ndim(high):
            raise ValueError("the limits of integration in integrate_box_1d must be scalars")
        deviation = lax.sqrt(self.covariance)[0, 0]
        below, above = ((end - self.dataset[0]) / deviation for end in (low, high))
        return wnp.sum(self.weights * (ndtr(above) - ndtr(below)))

    def integrate_box(self, low_bounds: Any, high_bounds: Any, maxpts: Any = None) -> Array:
        """Raises NotImplementedError."""
        raise NotImplementedError("only 1D box integrations are supported; use `integrate_box_1d`")

    def integrate_kde(self, other: gaussian_kde) -> Array:
        """The integral of the product of two densities. Raises ValueError if they have not the same dimensions."""
        if other.d != self.d:
            raise ValueError(f"KDEs are not the same dimensionality: {self.d} and {other.d}")
        return wnp.sum(self._product(other.covariance, other.dataset) * other.weights)

    def resample(self, key: Any, shape: tuple[int, ...] = ()) -> Array:
        """Numbers that have this density, of shape (dimensions, *shape)."""
        which, how_far = random.split(key)
        kernels = random.choice(which, self.n, shape=shape, p=self.weights)
        zeros = wnp.zeros(self.d, self.covariance.dtype)
        away = random.multivariate_normal(how_far, zeros, self.covariance, shape=shape, dtype=self.dataset.dtype)
        return self.dataset[:, kernels] + away.T

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Raises NotImplementedError."""
        raise NotImplementedError("dynamically changing the bandwidth method is not supported")

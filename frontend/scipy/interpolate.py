"""Interpolation between values on a grid (`jax.scipy.interpolate`)."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import weft.numpy as jnp
from weft.array import Array
from weft.lax.base import ArrayLike, default_float
from weft.numpy.linalg import inexact
from weft.tree_util import register_pytree_node_class

__all__ = ["RegularGridInterpolator"]

METHODS = ("linear", "nearest")


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not defined")


@register_pytree_node_class
class RegularGridInterpolator:
    """The function through values on a rectangular grid: multilinear in each cell, or the nearest value. It is a pytree, so that it can be handed to transforms.

    `points` are one increasing vector of coordinates per axis, `values` an array over the grid (axes beyond it are carried along), `fill_value` what is outside (None: cells at the edge go on).
    Raises ValueError for another method, too many vectors, or a fill value of another kind than the values; NotImplementedError for `bounds_error`.
    """

    def __init__(
        self,
        points: Sequence[ArrayLike],
        values: ArrayLike,
        method: str = "linear",
        bounds_error: bool = False,
        fill_value: ArrayLike | None = math.nan,
    ):
        _check_method(method)
        if bounds_error:
            raise NotImplementedError("`bounds_error` takes no effect under JIT")
        (self.values,) = inexact(values)
        if len(points) > self.values.ndim:
            raise ValueError(f"there are {len(points)} point arrays, but values has {self.values.ndim} dimensions")
        self.grid = tuple(jnp.asarray(p) for p in points)
        self.method, self.bounds_error = method, bounds_error
        self.fill_value = None if fill_value is None else jnp.asarray(fill_value)
        if self.fill_value is not None and not jnp.can_cast(self.fill_value.dtype, self.values.dtype, "same_kind"):
            raise ValueError("fill_value must be either 'None' or of a type compatible with values")

    def tree_flatten(self) -> tuple[Any, Any]:
        """Arrays, and what is static."""
        return (self.grid, self.values, self.fill_value), (self.method, self.bounds_error)

    @classmethod
    def tree_unflatten(cls, static: Any, children: Any) -> RegularGridInterpolator:
        """The interpolator of these parts, which are taken as they are."""
        self = object.__new__(cls)
        self.grid, self.values, self.fill_value = children
        self.method, self.bounds_error = static
        return self

    def __call__(self, xi: Any, method: str | None = None) -> Array:
        """The values at places: an array whose last axis holds their coordinates, or a tuple with one array per coordinate."""
        method = self.method if method is None else method
        _check_method(method)
        places = _places(xi, len(self.grid))
        if places.shape[-1] != len(self.grid):
            raise ValueError(
                f"the requested sample points xi have dimension {places.shape[-1]}, but this RegularGridInterpolator has dimension {len(self.grid)}"
            )
        flat = places.reshape(-1, places.shape[-1])
        cells, shares = zip(*(_cell(g, flat[:, k]) for k, g in enumerate(self.grid)), strict=True)
        if method == "nearest":
            found = self.values[tuple(jnp.where(y <= 0.5, i, i + 1) for i, y in zip(cells, shares, strict=True))]
        else:
            found = self._linear(cells, shares)
        if self.fill_value is not None:
            tests = [(flat[:, k] < g[0]) | (flat[:, k] > g[-1]) for k, g in enumerate(self.grid)]
            outside = functools.reduce(jnp.logical_or, tests)
            found = jnp.where(outside.reshape(-1, *[1] * (found.ndim - 1)), self.fill_value, found)
        return found.reshape(places.shape[:-1] + self.values.shape[len(self.grid) :])

    def _linear(self, cells: Sequence[Array], shares: Sequence[Array]) -> Array:
        """The mean of a cell's corners, each weighted with the volume between the place and the corner opposite to it."""
        parts: list[Array] = []
        for corner in itertools.product((0, 1), repeat=len(cells)):
            weight = math.prod([y if far else 1 - y for far, y in zip(corner, shares, strict=True)], start=1.0)
            values = self.values[tuple(i + far for far, i in zip(corner, cells, strict=True))]
            parts.append(values * jnp.asarray(weight).reshape(-1, *[1] * (values.ndim - 1)))
        return functools.reduce(jnp.add, parts)


def _places(xi: Any, rank: int) -> Array:
    """Places as an array whose last axis holds their coordinates."""
    if isinstance(xi, tuple):
        coordinates = [jnp.asarray(x) for x in xi]
        if len(coordinates) > 1:
            return jnp.stack([x.astype(default_float()) for x in jnp.broadcast_arrays(*coordinates)], -1)
        (xi,) = coordinates
    places = jnp.asarray(xi)
    return places.reshape(-1, rank) if places.ndim == 1 else places


def _cell(points: Array, x: Array) -> tuple[Array, Array]:
    """The cell that a coordinate is in, and how far it is in it: 0 at the lower edge, 1 at the upper one."""
    index = jnp.clip(jnp.searchsorted(points, x) - 1, 0, points.size - 2)
    low = points[index]
    return index, (x - low) / (points[index + 1] - low)

"""Norms of vectors and matrices."""

from __future__ import annotations

from math import inf
from typing import Any

import weft.numpy as jnp
from weft.array import Array
from weft.lax.base import ArrayLike, axis_index
from weft.numpy.linalg.factorizations import inexact, svdvals

__all__ = ["matrix_norm", "norm", "vector_norm"]


def norm(x: ArrayLike, ord: Any = None, axis: tuple[int, ...] | int | None = None, keepdims: bool = False) -> Array:
    """The norm of vectors (one axis) or matrices (two). Without `axis` of all of x; `ord` None: the root of the sum of squares."""
    (a,) = inexact(x)
    if axis is None and ord is None:
        return _length(a, None, keepdims)
    if axis is None:
        axes = tuple(range(a.ndim))
    else:
        axes = tuple(axis_index(k, a.ndim) for k in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if len(axes) == 1:
        return vector_norm(a, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(
            f"Improper number of axes for norm: axis={axes}. Pass one axis to compute a vector-norm, or two axes to compute a matrix-norm."
        )
    if ord is None or ord in ("f", "fro"):
        return _length(a, axes, keepdims)
    row, column = axes
    if ord in (1, -1, inf, -inf):
        summed, other = (row, column) if abs(ord) == 1 else (column, row)
        sums = jnp.sum(jnp.abs(a), axis=summed, keepdims=True)
        found = (
            jnp.max(sums, axis=other, keepdims=True, initial=0) if ord > 0 else jnp.min(sums, axis=other, keepdims=True)
        )
    elif ord in ("nuc", 2, -2):
        s = svdvals(jnp.moveaxis(a, axes, (-2, -1)))
        found = jnp.max(s, -1, initial=0) if ord == 2 else jnp.min(s, -1) if ord == -2 else jnp.sum(s, -1)
        return jnp.expand_dims(found, axes) if keepdims else found
    else:
        raise ValueError(f"Invalid order '{ord}' for matrix norm.")
    return found if keepdims else jnp.squeeze(found, axes)


def _length(x: Array, axis: Any, keepdims: bool) -> Array:
    return jnp.sqrt(jnp.sum(jnp.real(x * jnp.conj(x)), axis=axis, keepdims=keepdims))


def vector_norm(
    x: ArrayLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: Any = 2
) -> Array:
    """The norm of vectors: along an axis, or of all elements along several."""
    (a,) = inexact(x)
    if ord is None or ord == 2:
        return _length(a, axis, keepdims)
    if isinstance(ord, str):
        raise ValueError(
            f"Invalid order '{ord}' for vector norm." + (" Use 'weft.numpy.inf' instead." if "inf" in ord else "")
        )
    size = jnp.abs(a)
    if ord == inf:
        return jnp.max(size, axis=axis, keepdims=keepdims, initial=0)
    if ord == -inf:
        return jnp.min(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return jnp.sum(a != 0, axis=axis, keepdims=keepdims, dtype=size.dtype)
    if ord == 1:
        return jnp.sum(size, axis=axis, keepdims=keepdims)
    return jnp.sum(size**ord, axis=axis, keepdims=keepdims) ** (1.0 / ord)


def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norm of matrices in the last two axes."""
    return norm(x, ord=ord, keepdims=keepdims, axis=(-2, -1))

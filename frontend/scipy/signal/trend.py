"""Trends taken away from data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.lax.base import ArrayLike, axis_index
from weft.numpy.linalg import inexact

__all__ = ["detrend"]


def detrend(
    data: ArrayLike, axis: int = -1, type: str = "linear", bp: int | Sequence[int] = 0, overwrite_data: None = None
) -> Array:
    """The data without its mean (type "constant"), or without the line that fits it best, one for each stretch between the breakpoints `bp` ("linear")."""
    if overwrite_data is not None:
        raise NotImplementedError("overwrite_data argument not implemented.")
    if type not in ("constant", "linear"):
        raise ValueError(f"Trend type must be 'linear' or 'constant', got {type!r}.")
    (x,) = inexact(data)
    if type == "constant":
        return x - x.mean(axis, keepdims=True)
    axis = axis_index(axis, x.ndim)
    size = x.shape[axis]
    ends = sorted({0, size, *([bp] if isinstance(bp, int) else (int(k) for k in bp))})
    if ends[0] < 0 or ends[-1] > size:
        raise ValueError("Breakpoints must be non-negative and less than length of data along given axis.")
    parts: list[Array] = []
    for first, end in itertools.pairwise(ends):
        part = lax.slice_in_dim(x, first, end, axis=axis)
        rest = part - part.mean(axis, keepdims=True)
        n = end - first
        if n > 1:  # the line through the middle, whose slope is <t, y> / <t, t>, with <t, t> = n (n² - 1) / 12
            times = lax.expand_dims(jnp.arange(n, dtype=x.dtype) - (n - 1) / 2, range(1, x.ndim - axis))
            slope = (times * rest).sum(axis, keepdims=True) * (12 / (n * (n * n - 1)))
            rest = rest - slope * times
        parts.append(rest)
    return jnp.concatenate(parts, axis) if parts else x

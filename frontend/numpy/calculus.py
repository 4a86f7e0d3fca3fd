"""Functions that are given by samples: derivatives, and phases without jumps."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.lax.base import ArrayLike, axis_index, axis_indices, convert
from weft.numpy.elementwise import floor_divide, remainder, where
from weft.numpy.manipulation import concatenate, reshape
from weft.numpy.promotion import promote_arrays
from weft.numpy.reductions import diff

__all__ = ["gradient", "unwrap"]


def gradient(
    f: ArrayLike, *varargs: ArrayLike, axis: int | Sequence[int] | None = None, edge_order: int | None = None
) -> Any:
    """The derivative along each axis (or those given) by central differences, one-sided at the ends.

    `varargs`: nothing (distance 1), one distance for all axes, or one per axis, which may be the vector of coordinates.
    """
    if edge_order is not None:
        raise NotImplementedError("The 'edge_order' argument to weft.numpy.gradient is not supported.")
    (x,) = promote_arrays(f, inexact=True)
    axes = axis_indices(axis, x.ndim)
    if not axes:
        return []
    if any(x.shape[k] < 2 for k in axes):
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least 2 elements are required."
        )
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(f"Invalid number of spacing arguments {len(varargs)} for axes of length {len(axes)}")
    steps = varargs or (1.0,)
    steps = steps * len(axes) if len(steps) == 1 else steps
    found = [_gradient(x, h, k) for h, k in zip(steps, axes, strict=True)]
    return found[0] if len(found) == 1 else found


def _gradient(x: Array, h: ArrayLike, axis: int) -> Array:
    def part(start: int, stop: int | None) -> Array:
        return lax.slice_in_dim(x, start, stop, 1, axis)

    spacing = wrap(lift(h))
    first, last = part(1, 2) - part(0, 1), part(-1, None) - part(-2, -1)
    if not spacing.ndim:
        return concatenate([first, (part(2, None) - part(0, -2)) * 0.5, last], axis) / h
    if spacing.ndim != 1 or spacing.size != x.shape[axis]:
        raise ValueError(
            f"Spacing arguments must be scalars or 1D arrays as long as the axis {axis} (size {x.shape[axis]}), got shape {spacing.shape}"
        )
    gaps = reshape(diff(spacing), [-1 if k == axis else 1 for k in range(x.ndim)])
    before = lax.slice_in_dim(gaps, 0, -1, 1, axis)
    after = lax.slice_in_dim(gaps, 1, None, 1, axis)
    inner = (
        part(0, -2) * (-after / (before * (before + after)))
        + part(1, -1) * ((after - before) / (before * after))
        + part(2, None) * (before / (after * (before + after)))
    )
    ends = lax.slice_in_dim(gaps, 0, 1, 1, axis), lax.slice_in_dim(gaps, -1, None, 1, axis)
    return concatenate([first / ends[0], inner, last / ends[1]], axis)


def unwrap(p: ArrayLike, discont: ArrayLike | None = None, axis: int = -1, period: ArrayLike = 2 * pi) -> Array:
    """Values that are known up to a period, without jumps: where neighbours differ by more than `discont` (and half a period), whole periods are added."""
    from weft.numpy.reductions import cumsum

    x, span = promote_arrays(p, period)
    if x.dtype.kind == "c":
        raise ValueError("unwrap: p and period must be real, got complex ones")
    x = wrap(convert(x._node, x.dtype))
    axis = axis_index(axis, x.ndim)
    if not x.shape[axis]:
        return x
    steps = diff(x, axis=axis)
    half = floor_divide(span, 2) if x.dtype.is_integer else span / 2
    wrapped = remainder(steps + half, span) - half
    ambiguous = (wrapped == -half) & (steps > 0)
    if x.dtype.is_integer:
        ambiguous = ambiguous & (remainder(span, 2) == 0)
    wrapped = where(ambiguous, half, wrapped)
    correction = where(lax.abs(steps) < (half if discont is None else discont), 0, wrapped - steps)
    first = lax.slice_in_dim(x, 0, 1, 1, axis)
    return concatenate([first, lax.slice_in_dim(x, 1, None, 1, axis) + cumsum(correction, axis)], axis)

"""Reductions over segments: elements of an array are gathered by the numbers of the segments that they belong to (`jax.ops`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft.numpy as wnp
from weft.array import Array, lift, wrap
from weft.lax.base import concrete, constant
from weft.numpy.promotion import highest, lowest

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def _segments(name: str, kind: str, start: Callable[[Any], Any], doc: str) -> Callable[..., Array]:
    def reduce(
        data: Any,
        segment_ids: Any,
        num_segments: int | None = None,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        bucket_size: int | None = None,
        mode: Any = None,
        out_sharding: Any = None,
    ) -> Array:
        data, ids = wrap(lift(data)), wrap(lift(segment_ids))
        if not ids.dtype.is_integer:
            raise TypeError(f"{name}: segment_ids must be integers, got {ids.aval}")
        if ids.ndim != 1 or data.shape[:1] != ids.shape:
            raise ValueError(
                f"{name}: segment_ids of shape {ids.shape} must have one axis, the first of data of shape {data.shape}"
            )
        if num_segments is None:
            num_segments = int(ids.max()) + 1 if ids.size else 0
        num_segments = concrete(num_segments, "num_segments")
        if num_segments < 0:
            raise ValueError("num_segments must be non-negative.")
        made = constant(start(data.dtype), (num_segments, *data.shape[1:]), data.dtype)
        # a number below zero names no segment: as an index it would count from the end
        ids = wnp.where(ids < 0, num_segments, ids)
        return getattr(made.at[ids], kind)(data, mode=mode)

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"""{doc}

    segment_ids: integers, one for each part of `data` along its first axis; those that are out of range count for nothing. num_segments: the length of the result; without it, one more
    than the greatest number, which must then be known. Raises TypeError or ValueError for numbers that do not fit.
    """
    return reduce


segment_sum = _segments("segment_sum", "add", lambda dtype: 0, "The sum of each segment; 0 for an empty one.")
segment_prod = _segments(
    "segment_prod", "multiply", lambda dtype: 1, "The product of each segment; 1 for an empty one."
)
segment_max = _segments(
    "segment_max", "max", lowest, "The greatest of each segment; the least number there is for an empty one."
)
segment_min = _segments(
    "segment_min", "min", highest, "The least of each segment; the greatest number there is for an empty one."
)

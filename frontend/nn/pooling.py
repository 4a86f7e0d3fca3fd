"""Pooling: windows over the spatial axes reduced to one element each. Signatures and the layout (batch…, spatial…, features) are Flax's; for other layouts there is `lax.reduce_window`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array

__all__ = [
    "avg_pool", "max_pool", "min_pool", "pool",
]  # fmt: skip

Padding = str | Sequence[tuple[int, int]]


def pool(
    inputs: Array,
    init: Any,
    reduce_fn: Callable[[Any, Any], Any],
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
) -> Array:
    """Each window reduced by a function of two arrays. Raises ValueError if the window has not as many axes as the strides, or more than the inputs."""
    strides = tuple(strides or (1,) * len(window_shape))
    if len(strides) != len(window_shape) or inputs.ndim < len(window_shape) + 1:
        raise ValueError(
            f"pool: window_shape {tuple(window_shape)}, strides {strides} and inputs of shape {inputs.shape} do not fit: expected (batch…, spatial…, features)"
        )
    batch = inputs.ndim - len(window_shape) - 1
    if not isinstance(padding, str):
        padding = [*[(0, 0)] * batch, *padding, (0, 0)]
    dimensions, steps = ((*(1,) * batch, *sizes, 1) for sizes in (window_shape, strides))
    return lax.reduce_window(inputs, init, reduce_fn, dimensions, steps, padding)


def max_pool(
    inputs: Array, window_shape: Sequence[int], strides: Sequence[int] | None = None, padding: Padding = "VALID"
) -> Array:
    """The greatest element of each window. The derivative goes to the first of equal ones."""
    return pool(inputs, -inf, lax.max, window_shape, strides, padding)


def min_pool(
    inputs: Array, window_shape: Sequence[int], strides: Sequence[int] | None = None, padding: Padding = "VALID"
) -> Array:
    """The least element of each window. The derivative goes to the first of equal ones."""
    return pool(inputs, inf, lax.min, window_shape, strides, padding)


def avg_pool(
    inputs: Array,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window; padding counts as zeros, unless `count_include_pad` is false: then it does not count."""
    total = pool(inputs, 0.0, lax.add, window_shape, strides, padding)
    if count_include_pad:
        return total / prod(window_shape)
    return total / pool(wnp.ones_like(inputs), 0.0, lax.add, window_shape, strides, padding)

"""Squares of gradients kept as the outer product of their row and column means: memory in proportion to n + m in place of n m.

N. Shazeer and M. Stern, "Adafactor: adaptive learning rates with sublinear memory cost", ICML 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.optim.base import GradientTransformation, Params, State, Updates, needs_params, new_count, safe_increment
from weft.tree_util import tree_map, tree_structure, tree_transpose

__all__ = ["FactoredState", "scale_by_factored_rms"]


class FactoredState(NamedTuple):
    """The count of updates; for each leaf the means of squares over rows and columns, or (of a leaf that is too small) the squares."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    v_row: Updates
    v_col: Updates
    v: Updates


def _factored_axes(shape: tuple[int, ...], factored: bool, least: int) -> tuple[int, int] | None:
    """The two longest axes, the shorter first, if both are long enough."""
    if not factored or len(shape) < 2:
        return None
    order = sorted(range(len(shape)), key=lambda i: shape[i])
    return (order[-2], order[-1]) if shape[order[-2]] >= least else None


def _decay_rate_pow(i: Any, exponent: float = 0.8) -> Array:
    return 1.0 - (wnp.asarray(i, "float32") + 1.0) ** (-exponent)


def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: float = 0.8,
    step_offset: int = 0,
    min_dim_size_to_factor: int = 128,
    epsilon: float = 1e-30,
    decay_rate_fn: Callable[[Any, float], Any] = _decay_rate_pow,
) -> GradientTransformation:
    """Updates over the root of the average of their squares, which is kept factored for leaves with two axes of at least `min_dim_size_to_factor`."""

    def init_leaf(p: Array) -> list[Array]:
        axes = _factored_axes(p.shape, factored, min_dim_size_to_factor)
        if axes is None:
            return [wnp.zeros((1,), p.dtype), wnp.zeros((1,), p.dtype), wnp.zeros(p.shape, p.dtype)]
        row, col = (tuple(n for i, n in enumerate(p.shape) if i != k) for k in reversed(axes))
        return [wnp.zeros(row, p.dtype), wnp.zeros(col, p.dtype), wnp.zeros((1,), p.dtype)]

    def split(tree: Any, of: Any, count: int) -> list[Any]:
        """A tree of lists as a list of trees."""
        return tree_transpose(tree_structure(of), tree_structure([0] * count), tree)

    def init(params: Params) -> FactoredState:
        return FactoredState(new_count(), *split(tree_map(init_leaf, params), params, 3))

    def update(updates: Updates, state: FactoredState, params: Params = None) -> tuple[Updates, State]:
        needs_params(params)

        def leaf(g: Array, row: Array, col: Array, v: Array, p: Array) -> list[Array]:
            decay = decay_rate_fn(state.count - step_offset, decay_rate)
            square = wnp.square(wnp.abs(g)).astype(v.dtype) + epsilon
            axes = _factored_axes(p.shape, factored, min_dim_size_to_factor)
            if axes is None:
                v = (decay * v + (1.0 - decay) * square).astype(v.dtype)
                return [g * v**-0.5, row, col, v]
            short, long = axes
            row = (decay * row + (1.0 - decay) * wnp.mean(square, axis=long)).astype(row.dtype)
            col = (decay * col + (1.0 - decay) * wnp.mean(square, axis=short)).astype(col.dtype)
            mean = wnp.mean(row, axis=short - 1 if short > long else short, keepdims=True)
            by_row, by_col = (row / mean) ** -0.5, col**-0.5
            return [g * wnp.expand_dims(by_row, long) * wnp.expand_dims(by_col, short), row, col, v]

        found = tree_map(leaf, updates, state.v_row, state.v_col, state.v, params)
        made, *means = split(found, updates, 4)
        return made, FactoredState(safe_increment(state.count), *means)

    return GradientTransformation(init, update)

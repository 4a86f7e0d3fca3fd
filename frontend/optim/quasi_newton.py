"""Directions from an approximation of the inverse Hessian, built of the last few steps: L-BFGS.

The memory is a ring of differences of parameters and of gradients, stacked leaf by leaf, so that its size is no matter of the program: two scans over it apply the matrix that they stand for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.optim import tree
from weft.optim.base import GradientTransformation, Params, State, Updates, needs_params, new_count, safe_increment
from weft.tree_util import tree_map

__all__ = ["ScaleByLBFGSState", "scale_by_lbfgs"]


class ScaleByLBFGSState(NamedTuple):
    """How many updates there were; the last parameters and updates; differences of both, and the reciprocals of their scalar products."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    params: Params
    updates: Updates
    diff_params_memory: Any
    diff_updates_memory: Any
    weights_memory: Array


def scale_by_lbfgs(memory_size: int = 10, scale_init_precond: bool = True) -> GradientTransformation:
    """Updates times an approximation of the inverse Hessian, from the last `memory_size` steps. J. Nocedal and S. Wright, "Numerical Optimization", 1999, algorithm 7.4.

    It starts from a multiple of the identity (with `scale_init_precond`; of the first step, one that makes it no longer than 1). To be followed by a line search. Raises ValueError for no memory.
    """
    if memory_size < 1:
        raise ValueError("memory_size must be >= 1")

    def init(params: Params) -> ScaleByLBFGSState:
        memory = tree_map(lambda p: wnp.zeros((memory_size, *p.shape), p.dtype), params)
        zeros = tree.zeros_like(params)
        return ScaleByLBFGSState(new_count(), zeros, zeros, memory, memory, wnp.zeros(memory_size))

    def update(updates: Updates, state: ScaleByLBFGSState, params: Params = None) -> tuple[Updates, State]:
        needs_params(params)
        moved, turned = tree.sub(params, state.params), tree.sub(updates, state.updates)
        product = tree.real(tree.vdot(turned, moved))
        weight = wnp.where(product == 0.0, 0.0, 1.0 / product)
        # There is no step before the first one.
        news = tree_map(lambda x: wnp.where(state.count > 0, x, wnp.zeros_like(x)), (moved, turned, weight))
        olds = (state.diff_params_memory, state.diff_updates_memory, state.weights_memory)
        memory = tree_map(lambda old, new: old.at[(state.count - 1) % memory_size].set(new), olds, news)
        first: Any = 1.0
        if scale_init_precond:
            square = tree.norm(news[1], squared=True)
            later = wnp.where(square > 0.0, tree.real(tree.vdot(news[1], news[0])) / square, 1.0)
            short = wnp.minimum(1.0, 1.0 / tree.norm(lax.stop_gradient(updates)))
            first = wnp.where(state.count > 0, later, short)
        oldest_first = (state.count + wnp.arange(memory_size)) % memory_size
        made = _preconditioned(updates, memory, first, oldest_first)
        return made, ScaleByLBFGSState(safe_increment(state.count), params, updates, *memory)

    return GradientTransformation(init, update)


def _preconditioned(vector: Updates, memory: Any, first: Any, order: Array) -> Updates:
    """The matrix of the memory times a vector: products with rank-one matrices from the newest step to the oldest, and back."""

    def at(k: Array) -> Any:
        return tree_map(lambda x: x[k], memory)

    def right(v: Updates, k: Array) -> tuple[Updates, Array]:
        moved, turned, weight = at(k)
        factor = weight * tree.real(tree.vdot(moved, v))
        return tree.cast_like(tree.add_scale(v, -factor, turned), v), factor

    def left(v: Updates, item: tuple[Array, Array]) -> tuple[Updates, None]:
        moved, turned, weight = at(item[0])
        factor = item[1] - weight * tree.real(tree.vdot(turned, v))
        return tree.cast_like(tree.add_scale(v, factor, moved), v), None

    vector, factors = lax.scan(right, vector, order, reverse=True)
    start = tree.cast_like(tree.scale(first, vector), vector)
    return lax.scan(left, start, (order, factors))[0]

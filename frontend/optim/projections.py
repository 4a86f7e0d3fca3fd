"""Projections: the point of a set that is closest to a given one. All leaves of a tree are one vector; after a step of an optimiser they keep the parameters in the set."""

from __future__ import annotations

from typing import Any

import weft.numpy as wnp
from weft import lax, nn
from weft.array import Array
from weft.custom import custom_jvp
from weft.flatten_util import ravel_pytree
from weft.optim import tree as trees
from weft.tree_util import tree_map

__all__ = [
    "projection_box", "projection_halfspace", "projection_hypercube", "projection_hyperplane", "projection_l1_ball",
    "projection_l1_sphere", "projection_l2_ball", "projection_l2_sphere", "projection_linf_ball",
    "projection_non_negative", "projection_simplex", "projection_vector",
]  # fmt: skip


def projection_non_negative(tree: Any) -> Any:
    """Onto numbers that are not negative."""
    return tree_map(nn.relu, tree)


def projection_box(tree: Any, lower: Any, upper: Any) -> Any:
    """Onto [lower, upper], element by element. The bounds are trees of the same structure, or, as in Optax, of a prefix of it that numbers are."""
    return tree_map(wnp.clip, tree, lower, upper)


def projection_hypercube(tree: Any, scale: Any = 1) -> Any:
    """Onto [0, scale], element by element."""
    return projection_box(tree, 0, scale)


@custom_jvp
def _unit_simplex(values: Array) -> Array:
    """Onto the vectors with no negative element and sum 1. J. Duchi et al., "Efficient projections onto the l1-ball", ICML 2008."""
    falling = wnp.sort(values)[::-1]
    ranks = wnp.arange(values.shape[0]) + 1
    shifts = (1 - wnp.cumsum(falling)) / ranks
    last = wnp.count_nonzero(falling + shifts > 0) - 1
    return nn.relu(values + shifts[last])


@_unit_simplex.defjvp
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """On the elements that are not 0, a tangent less its mean."""
    out = _unit_simplex(*primals)
    inside = out > 0
    tangent = inside * tangents[0]
    return out, tangent - inside * (wnp.sum(tangent) / wnp.count_nonzero(inside))


def projection_simplex(tree: Any, scale: Any = 1) -> Any:
    """Onto vectors with no negative element and the sum `scale`."""
    values, back = ravel_pytree(tree)
    return back(scale * _unit_simplex(values / scale))


def projection_l1_sphere(tree: Any, scale: Any = 1) -> Any:
    """Onto vectors whose absolute values have the sum `scale`."""
    return trees.mul(tree_map(wnp.sign, tree), projection_simplex(tree_map(wnp.abs, tree), scale))


def projection_l1_ball(tree: Any, scale: Any = 1) -> Any:
    """Onto vectors whose absolute values have a sum of at most `scale`."""
    inside = trees.norm(tree, ord=1) <= scale
    return lax.cond(inside, lambda t: t, lambda t: projection_l1_sphere(t, scale), tree)


def projection_l2_sphere(tree: Any, scale: Any = 1) -> Any:
    """Onto vectors of the Euclidean norm `scale`."""
    return trees.scale(scale / trees.norm(tree), tree)


def projection_l2_ball(tree: Any, scale: Any = 1) -> Any:
    """Onto vectors of a Euclidean norm of at most `scale`."""
    return trees.scale(scale / wnp.sqrt(wnp.maximum(trees.norm(tree, squared=True), scale**2)), tree)


def projection_linf_ball(tree: Any, scale: Any = 1) -> Any:
    """Onto [-scale, scale], element by element."""
    return tree_map(lambda x: wnp.clip(x, -scale, scale), tree)


def projection_hyperplane(x: Any, a: Any, b: Any) -> Any:
    """Onto the vectors whose scalar product with `a` is `b`."""
    return trees.add_scale(x, (b - trees.vdot(x, a)) / trees.vdot(a, a), a)


def projection_halfspace(x: Any, a: Any, b: Any) -> Any:
    """Onto the vectors whose scalar product with `a` is at most `b`."""
    return trees.add_scale(x, wnp.minimum((b - trees.vdot(x, a)) / trees.vdot(a, a), 0), a)


def projection_vector(x: Any, a: Any) -> Any:
    """Onto the multiples of `a`."""
    return trees.scale(trees.vdot(x, a) / trees.vdot(a, a), a)

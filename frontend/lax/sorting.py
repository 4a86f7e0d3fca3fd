"""Operators that put elements in order. Primitives give places: the order of all (`array.argsort`), of the least (`array.argleast`); what is sorted is gathered by them, and
so are its derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.op import move_axis
from weft.lax.base import ArrayLike, axis_index, constant, convert
from weft.lax.shape import expand_dims

__all__ = ["approx_max_k", "approx_min_k", "order", "sort", "sort_key_val", "take_along", "top_k"]


def order(keys: Sequence[ArrayLike], axis: int) -> Array:
    """int32: where the elements stand along an axis that come first, second, … by the first key, among equals by the next, at last by place."""
    nodes = [lift(k) for k in keys]
    return wrap(ops.ArgsortOp.bind(*nodes, axis=axis))


def take_along(operand: ArrayLike, places: ArrayLike, axis: int) -> Array:
    """The elements of each line along an axis at places in it, which must exist."""
    x, i = lift(operand), expand_dims(places, (lift(operand).ndim,))
    if not i.size:
        return constant(0, lift(places).shape, x.dtype)
    others = tuple(k for k in range(x.ndim) if k != axis)
    return wrap(
        ops.GatherOp.bind(
            x, lift(i), offset_dims=(), collapsed_slice_dims=(axis,), start_index_map=(axis,), operand_batching_dims=others,
            start_indices_batching_dims=others, slice_sizes=(1,) * x.ndim, mode="promise_in_bounds",
        )
    )  # fmt: skip


def sort(
    operand: ArrayLike | Sequence[ArrayLike], dimension: int = -1, is_stable: bool = True, num_keys: int = 1
) -> Any:
    """Arrays sorted along a dimension, ascending, by the first `num_keys` of them (lexicographically): an array, or a tuple of as many as were given.

    NaNs come last, 0 and -0 are equal. The order is always stable.
    """
    several = isinstance(operand, (tuple, list))
    given = list(operand) if several else [operand]
    if not 1 <= num_keys <= len(given):
        raise ValueError(f"num_keys={num_keys} must be between 1 and len(operand)={len(given)}")
    nodes = [lift(x) for x in given]
    if any(n.shape != nodes[0].shape for n in nodes):
        raise TypeError(f"Arguments to sort must have equal shapes, got: {', '.join(str(n.shape) for n in nodes)}")
    axis = axis_index(dimension, nodes[0].ndim)
    places = order([wrap(n) for n in nodes[:num_keys]], axis)
    found = tuple(take_along(wrap(n), places, axis) for n in nodes)
    return found if several else found[0]


def sort_key_val(
    keys: ArrayLike, values: ArrayLike, dimension: int = -1, is_stable: bool = True
) -> tuple[Array, Array]:
    """Keys sorted along a dimension, and values in the same order."""
    found = sort((keys, values), dimension, is_stable, 1)
    return found[0], found[1]


def top_k(operand: ArrayLike, k: int, *, axis: int = -1) -> list[Array]:
    """The k greatest elements along an axis, the greatest first, and where they stand (int32); of equals the first. NaN is greater than all, 0 is greater than -0."""
    x = wrap(lift(operand))
    if k < 0:
        raise ValueError(f"k argument to top_k must be nonnegative, got {k}")
    if not x.ndim:
        raise ValueError(f"top_k operand must have >= 1 dimension, got {x.shape}")
    axis = axis_index(axis, x.ndim)
    if x.dtype.kind == "c":
        raise ValueError(f"top_k is not compatible with complex inputs, got {x.dtype}")
    if k > x.shape[axis]:
        raise ValueError(
            f"k argument to top_k must be no larger than size along axis; got {k=} with shape={x.shape} and axis={axis}"
        )
    return _least(x, backwards(x, total=True), k, axis)


def backwards(x: Array, total: bool = False) -> Array:
    """Integers that compare the other way round: the greatest element (and NaN) is the least of them; `total`: 0 is greater than -0."""
    return wrap(ops.NotOp.bind(ops.ordered(x._node, total)))


def _least(x: Array, key: Array, k: int, axis: int) -> list[Array]:
    """The elements with the k least keys along an axis, and where they stand."""
    last = x.ndim - 1
    places = wrap(move_axis(ops.ArgleastOp.bind(move_axis(key._node, axis, last), count=k), last, axis))
    return [take_along(x, places, axis), wrap(convert(places._node, places.dtype, x.weak_type))]


def approx_max_k(
    operand: ArrayLike,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> list[Array]:
    """The k greatest elements along a dimension, exactly, the greatest first, and where they stand."""
    x = _approximated(operand, k, reduction_dimension, "approx_max_k")
    axis = axis_index(reduction_dimension, x.ndim)
    return _least(x, backwards(x), k, axis)


def approx_min_k(
    operand: ArrayLike,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> list[Array]:
    """The k least elements along a dimension, exactly, the least first, and where they stand."""
    x = _approximated(operand, k, reduction_dimension, "approx_min_k")
    axis = axis_index(reduction_dimension, x.ndim)
    return _least(x, x, k, axis)


def _approximated(operand: ArrayLike, k: int, dimension: int, name: str) -> Array:
    x = wrap(lift(operand))
    if x.dtype.kind != "f":
        raise ValueError(f"{name}: operand must be a floating type, got {x.dtype}")
    if k <= 0 or k > x.shape[axis_index(dimension, x.ndim)]:
        raise ValueError(
            f"{name}: k must be positive and no larger than the size along the dimension, got k={k} for shape {x.shape}"
        )
    return x

"""Operators that create arrays or move elements: reshape, transpose, broadcast, pad, slice, reverse, concatenate, iota."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.op import broadcast as broadcast_node
from weft.dialects.dtypes import as_dtype
from weft.host import canonical
from weft.lax.base import (
    ArrayLike,
    DTypeLike,
    Shape,
    axis_index,
    axis_indices,
    constant,
    convert,
    integers,
    number,
    shape_of,
    size_of,
)

__all__ = [
    "broadcast", "broadcast_in_dim", "broadcast_like", "broadcast_shapes", "broadcast_to_rank", "broadcasted_iota",
    "collapse", "concatenate", "empty", "expand_dims", "full", "index_in_dim", "iota", "pad", "reshape", "rev",
    "slice", "slice_in_dim", "split", "squeeze", "stack", "tile", "transpose", "unstack",
]  # fmt: skip

# -- creation


def full(shape: Shape, fill_value: ArrayLike, dtype: DTypeLike = None) -> Array:
    """An array with one value everywhere."""
    found = shape_of(shape, "full shape")
    if (value := number(fill_value)) is not None and not isinstance(value, complex):
        return constant(
            value, found, canonical(dtype or type(value)), weak=dtype is None and not isinstance(value, bool)
        )
    if isinstance(value, complex) and dtype is not None and as_dtype(dtype).kind in "iuf":
        raise TypeError(f"full: the fill_value {value!r} is complex, the dtype {as_dtype(dtype)} is not")
    node = lift(fill_value)
    if node.ndim:
        raise TypeError(f"full must be called with scalar fill_value, got fill_value.shape {node.shape}.")
    node = convert(node, canonical(dtype)) if dtype is not None else node
    return wrap(broadcast_node(node, found))


def iota(dtype: DTypeLike, size: int) -> Array:
    """0, 1, 2, … as a vector."""
    return broadcasted_iota(dtype, (size,), 0)


def broadcasted_iota(dtype: DTypeLike, shape: Shape, dimension: int) -> Array:
    """The position along one dimension, everywhere."""
    found = shape_of(shape, "iota shape")
    if not 0 <= dimension < len(found):
        raise ValueError(f"iota dimension must be between 0 and {len(found)}, got {dimension} for shape {found}.")
    return wrap(ops.IotaOp.bind(shape=found, dimension=dimension, dtype=canonical(dtype)))


# -- shapes


def reshape(operand: ArrayLike, new_sizes: Shape, dimensions: Sequence[int] | None = None) -> Array:
    """The elements in another shape, read in row-major order (or in the order of `dimensions`)."""
    shape = shape_of(new_sizes, "reshape new_sizes")
    if dimensions is not None:
        operand = transpose(operand, dimensions)
    node = lift(operand)
    if node.shape == shape:
        return wrap(node)
    if size_of(node.shape) != size_of(shape):
        raise ValueError(f"reshape: cannot reshape array of shape {node.shape} into shape {shape}")
    return wrap(ops.ReshapeOp.bind(node, shape=shape))


def transpose(operand: ArrayLike, permutation: Sequence[int]) -> Array:
    """The axes in another order. Raises TypeError if `permutation` is none."""
    node, order = lift(operand), integers(permutation, "permutation")
    return wrap(node if order == tuple(range(node.ndim)) else ops.TransposeOp.bind(node, permutation=order))


def broadcast(operand: ArrayLike, sizes: Sequence[int]) -> Array:
    """New axes of the given sizes in front."""
    node, sizes = lift(operand), shape_of(sizes)
    return broadcast_in_dim(operand, (*sizes, *node.shape), range(len(sizes), len(sizes) + node.ndim))


def broadcast_in_dim(operand: ArrayLike, shape: Shape, broadcast_dimensions: Sequence[int]) -> Array:
    """Axis k of the operand becomes axis broadcast_dimensions[k] of `shape`; along the others, and where it has size 1, it is repeated."""
    node, shape = lift(operand), shape_of(shape, "broadcast_in_dim shape")
    dims = integers(broadcast_dimensions, "broadcast_dimensions")
    if node.shape == shape and dims == tuple(range(node.ndim)):
        return wrap(node)
    return wrap(ops.BroadcastInDimOp.bind(node, shape=shape, broadcast_dimensions=dims))


def broadcast_to_rank(x: ArrayLike, rank: int) -> Array:
    """New axes of size 1 in front until x has a rank."""
    node = lift(x)
    return reshape(x, (1,) * (rank - node.ndim) + node.shape)


def broadcast_shapes(*shapes: Shape) -> tuple[int, ...]:
    """The shape that shapes broadcast to. Raises ValueError if they do not fit."""
    found = [shape_of((s,) if isinstance(s, int) else s) for s in shapes]
    rank = builtins.max((len(s) for s in found), default=0)
    padded = [(1,) * (rank - len(s)) + s for s in found]
    out = tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*padded, strict=True))
    if any(n not in (1, m) for s in padded for n, m in zip(s, out, strict=True)):
        raise ValueError(f"Incompatible shapes for broadcasting: shapes={found}")
    return out


def expand_dims(array: ArrayLike, dimensions: Sequence[int]) -> Array:
    """New axes of size 1, at these places of the result."""
    node = lift(array)
    rank = node.ndim + len(tuple(dimensions))
    places = axis_indices(tuple(dimensions), rank)
    sizes = iter(node.shape)
    return reshape(array, [1 if i in places else next(sizes) for i in range(rank)])


def squeeze(array: ArrayLike, dimensions: Sequence[int]) -> Array:
    """The axes of size 1 at `dimensions` taken away. Raises ValueError if one has another size."""
    node = lift(array)
    axes = axis_indices(tuple(dimensions), node.ndim)
    if any(node.shape[a] != 1 for a in axes):
        raise ValueError(
            f"cannot select an axis to squeeze out which has size not equal to one, got shape={node.shape} and dimensions={axes}"
        )
    return reshape(array, [n for i, n in enumerate(node.shape) if i not in axes])


def collapse(operand: ArrayLike, start_dimension: int, stop_dimension: int | None = None) -> Array:
    """The axes from start to stop as one."""
    shape = lift(operand).shape
    start, stop, _ = builtins.slice(start_dimension, stop_dimension).indices(len(shape))
    if start >= stop:
        raise ValueError(
            f"Invalid dimension range passed to collapse: {len(shape)}[{start_dimension}:{stop_dimension}]"
        )
    merged = 1
    for n in shape[start:stop]:
        merged *= n
    return reshape(operand, (*shape[:start], merged, *shape[stop:]))


def pad(operand: ArrayLike, padding_value: ArrayLike, padding_config: Sequence[tuple[int, int, int]]) -> Array:
    """Per axis (low, high, interior): how many padding values come before, after and between the elements; a negative low or high takes elements away."""
    node, value = lift(operand), lift(padding_value)
    if value.ndim:
        raise ValueError(f"pad: padding_value must be a scalar, got an array of shape {value.shape}")
    config = tuple(integers(c, "padding_config") for c in padding_config)
    if node.dtype is not value.dtype:
        raise TypeError(f"pad operand and padding_value must be same dtype: got {node.dtype} and {value.dtype}.")
    if len(config) != node.ndim:
        raise ValueError(
            f"length of padding_config must equal the number of axes of operand, got padding_config {config} for operand shape {node.shape}"
        )
    if not any(any(c) for c in config):
        return wrap(node)
    low, high, interior = zip(*config, strict=True)
    return wrap(ops.PadOp.bind(node, value, low=low, high=high, interior=interior))


# -- parts


def slice(
    operand: ArrayLike, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Sequence[int] | None = None
) -> Array:
    """operand[start:limit:stride] along each axis, with 0 <= start <= limit <= size and positive strides."""
    node = lift(operand)
    start, limit = integers(start_indices, "start_indices"), integers(limit_indices, "limit_indices")
    step = (1,) * node.ndim if strides is None else integers(strides, "strides")
    for name, given in (("start_indices", start), ("limit_indices", limit), ("strides", step)):
        if len(given) != node.ndim:
            raise ValueError(f"slice {name} must have one entry per axis, got {given} for operand shape {node.shape}")
    if not any(start) and limit == node.shape and set(step) <= {1}:
        return wrap(node)
    return wrap(ops.SliceOp.bind(node, start=start, limit=limit, strides=step))


def slice_in_dim(
    operand: ArrayLike, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Array:
    """operand[start:limit:stride] along one axis. Negative indices count from the end."""
    shape = lift(operand).shape
    axis = axis_index(axis, len(shape))
    size = shape[axis]
    start = 0 if start_index is None else operator.index(start_index)
    limit = size if limit_index is None else operator.index(limit_index)
    starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], limits[axis] = (start + size if start < 0 else start), (limit + size if limit < 0 else limit)
    strides[axis] = stride
    return slice(operand, starts, limits, strides)


def index_in_dim(operand: ArrayLike, index: int, axis: int = 0, keepdims: bool = True) -> Array:
    """operand[index] along one axis, which stays with size 1 if `keepdims`. Raises IndexError if the index is out of range."""
    shape = lift(operand).shape
    axis = axis_index(axis, len(shape))
    size = shape[axis]
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {size}")
    part = slice_in_dim(operand, index % size, index % size + 1, 1, axis)
    return part if keepdims else squeeze(part, (axis,))


def rev(operand: ArrayLike, dimensions: Sequence[int]) -> Array:
    """The elements in reverse order along `dimensions`."""
    node, dims = lift(operand), integers(dimensions, "dimensions")
    if any(not 0 <= d < node.ndim for d in dims):
        raise TypeError(
            f"rev dimensions must all be less than operand ndim, got dimensions {dims} for operand ndim {node.ndim}."
        )
    return wrap(ops.ReverseOp.bind(node, dimensions=dims) if dims else node)


def concatenate(operands: Sequence[ArrayLike], dimension: int) -> Array:
    """Arrays, alike but for one dimension, one after another along it."""
    nodes = [lift(x) for x in operands]
    if not nodes:
        raise ValueError("concatenate expects at least one operand, got 0.")
    if not 0 <= dimension < nodes[0].ndim:
        raise TypeError(
            f"concatenate dimension out of bounds: dimension {dimension} for shapes {', '.join(str(n.shape) for n in nodes)}."
        )
    return wrap(nodes[0] if len(nodes) == 1 else ops.ConcatenateOp.bind(*nodes, dimension=dimension))


def broadcast_like(arr: ArrayLike, like_arr: ArrayLike) -> Array:
    """An array broadcast to the shape of another."""
    node, shape = lift(arr), lift(like_arr).shape
    return broadcast_in_dim(arr, shape, range(len(shape) - node.ndim, len(shape)))


def stack(operands: Sequence[ArrayLike], axis: int = 0) -> Array:
    """Arrays of one shape side by side along a new axis."""
    if not len(operands):
        raise IndexError("stack expects at least one operand, got 0.")
    if len({lift(x).ndim for x in operands}) > 1:
        raise ValueError(
            f"stack expects arrays of one rank, got shapes {', '.join(str(lift(x).shape) for x in operands)}."
        )
    place = axis_index(axis, lift(operands[0]).ndim + 1)
    return concatenate([expand_dims(x, (place,)) for x in operands], place)


def unstack(x: ArrayLike, axis: int = 0) -> tuple[Array, ...]:
    """The parts of an array along an axis, which goes away."""
    return tuple(index_in_dim(x, k, axis, keepdims=False) for k in range(lift(x).shape[axis]))


def empty(shape: Sequence[int], dtype: DTypeLike) -> Array:
    """An array of zeros, for programs that do not care what is in it."""
    return full(shape, 0, dtype)


def split(operand: ArrayLike, sizes: Sequence[int], axis: int = 0) -> list[Array]:
    """Consecutive parts of the given sizes along an axis. Raises ValueError unless they add up to it."""
    shape = lift(operand).shape
    axis = axis_index(axis, len(shape))
    if sum(sizes) != shape[axis]:
        raise ValueError(f"split requires sum of sizes {sum(sizes)} is equal to operand.shape[axis] {shape[axis]}")
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [slice_in_dim(operand, end - size, end, 1, axis) for size, end in zip(sizes, ends, strict=True)]


def tile(operand: ArrayLike, reps: Sequence[int]) -> Array:
    """The operand repeated reps[k] times along axis k."""
    node, reps = lift(operand), integers(reps, "reps")
    if len(reps) != node.ndim:
        raise TypeError(f"tile reps must have one entry per axis, got {reps} for operand shape {node.shape}")
    pairs = list(zip(reps, node.shape, strict=True))
    spread = broadcast_in_dim(operand, [n for pair in pairs for n in pair], range(1, 2 * node.ndim, 2))
    return reshape(spread, [r * n for r, n in pairs])

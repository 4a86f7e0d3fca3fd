"""Moving elements: shapes, axes, joining, splitting, repeating, padding."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from weft import lax
from weft.array import Array, aval_of, lift, wrap
from weft.host import canonical
from weft.lax.base import (
    ArrayLike,
    DTypeLike,
    axis_index,
    axis_indices,
    concrete,
    constant,
    convert,
    integers,
    shape_of,
    size_of,
)
from weft.lax.shape import broadcast_shapes as _broadcast_shapes
from weft.numpy.promotion import same_dtype

__all__ = [
    "append", "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays",
    "broadcast_shapes", "broadcast_to", "column_stack", "concat", "concatenate", "dsplit", "dstack", "expand_dims",
    "flip", "fliplr", "flipud", "hsplit", "hstack", "matrix_transpose", "moveaxis", "ndim", "permute_dims", "ravel",
    "repeat", "reshape", "resize", "roll", "rollaxis", "rot90", "shape", "size", "split", "squeeze", "stack",
    "swapaxes", "tile", "transpose", "unstack", "vsplit", "vstack",
]  # fmt: skip

Axes = int | Sequence[int] | None


def shape(a: ArrayLike) -> tuple[int, ...]:
    """The sizes of the axes."""
    return aval_of(a).shape


def ndim(a: ArrayLike) -> int:
    """The number of axes."""
    return aval_of(a).ndim


def size(a: ArrayLike, axis: Axes = None) -> int:
    """The number of elements, along some axes or in all."""
    found = aval_of(a).shape
    return size_of([found[k] for k in axis_indices(axis, len(found))])


# -- shapes and axes


def reshape(a: ArrayLike, shape: int | Sequence[int], order: str = "C", *, copy: bool | None = None) -> Array:
    """The elements in another shape, in which one size may be -1: what is left."""
    x = wrap(lift(a))
    given = integers(shape)
    if given.count(-1) > 1:
        raise TypeError(f"can only specify one unknown axis size with a `-1` value, got {given}")
    if -1 in given:
        known = -size_of(given)
        if known == 0 or x.size % known:
            raise TypeError(
                f"cannot reshape array of shape {x.shape} (size {x.size}) into shape {given} because the product of specified axis sizes ({known}) does not evenly divide {x.size}"
            )
        wanted = tuple(x.size // known if n == -1 else n for n in given)
    else:
        wanted = given
    if size_of(wanted) != x.size or any(n < 0 for n in wanted):
        raise TypeError(
            f"cannot reshape array of shape {x.shape} (size {x.size}) into shape {given} (size {size_of(wanted)})"
        )
    if order == "F":
        return transpose(lax.reshape(transpose(x), wanted[::-1]))
    if order not in ("C", "A"):
        raise ValueError(f"Unexpected value for 'order' argument: {order}.")
    return lax.reshape(x, wanted)


def ravel(a: ArrayLike, order: str = "C") -> Array:
    """The elements as a vector."""
    return reshape(a, -1, order) if lift(a).aval.size else lax.reshape(a, (0,))


def transpose(a: ArrayLike, axes: Any = None) -> Array:
    """The axes in another order, reversed if none is given."""
    node = lift(a)
    if axes is None:
        return lax.transpose(a, tuple(range(node.ndim))[::-1])
    order = tuple([axis_index(k, node.ndim) for k in integers(axes, "axes")])
    if len(order) != node.ndim:
        raise TypeError(f"axes don't match array: got axes {order} for an array of shape {node.shape}")
    return lax.transpose(a, order)


def permute_dims(a: ArrayLike, /, axes: Sequence[int]) -> Array:
    """The axes in another order."""
    return transpose(a, axes)


def matrix_transpose(x: ArrayLike, /) -> Array:
    """The last two axes exchanged."""
    node = lift(x)
    if node.ndim < 2:
        raise ValueError(f"x must be at least two-dimensional for matrix_transpose; got ndim={node.ndim}")
    return swapaxes(x, -1, -2)


def swapaxes(a: ArrayLike, axis1: int, axis2: int) -> Array:
    """Two axes exchanged."""
    rank = lift(a).ndim
    try:
        i, j = axis_index(axis1, rank), axis_index(axis2, rank)
    except ValueError as error:
        raise IndexError(f"swapaxes: {error}") from None
    order = list(range(rank))
    order[i], order[j] = j, i
    return lax.transpose(a, order)


def moveaxis(a: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """Axes moved to other places; the rest keep their order."""
    rank = lift(a).ndim
    came, go = axis_indices(source, rank), axis_indices(destination, rank)
    if len(came) != len(go):
        raise ValueError(f"Inconsistent number of elements: {len(came)} vs {len(go)}")
    order = [k for k in range(rank) if k not in came]
    for to, axis in sorted(zip(go, came, strict=True)):
        order.insert(to, axis)
    return lax.transpose(a, order)


def rollaxis(a: ArrayLike, axis: int, start: int = 0) -> Array:
    """An axis moved to before the place `start`."""
    rank = lift(a).ndim
    axis = axis_index(axis, rank)
    start = start + rank if start < 0 else start
    return moveaxis(a, axis, start - (axis < start))


def expand_dims(a: ArrayLike, axis: Any) -> Array:
    """New axes of size 1."""
    return lax.expand_dims(a, axis if isinstance(axis, (tuple, list)) else (axis,))


def squeeze(a: ArrayLike, axis: Axes = None) -> Array:
    """Axes of size 1 taken away: all, or those given."""
    node = lift(a)
    if axis is None:
        axis = tuple(k for k, n in enumerate(node.shape) if n == 1)
    return lax.squeeze(a, axis_indices(axis, node.ndim))


def atleast_1d(*arys: ArrayLike) -> Any:
    """Arrays of rank 1 or more."""
    return _at_least(arys, lambda x: lax.reshape(x, (1,)) if x.ndim < 1 else x)


def atleast_2d(*arys: ArrayLike) -> Any:
    """Arrays of rank 2 or more."""
    return _at_least(arys, lambda x: lax.broadcast_to_rank(x, 2) if x.ndim < 2 else x)


def atleast_3d(*arys: ArrayLike) -> Any:
    """Arrays of rank 3 or more."""
    return _at_least(arys, lambda x: x if x.ndim > 2 else lax.expand_dims(_lifted(x, 2), (2,)))


def _lifted(x: Array, rank: int) -> Array:
    return lax.broadcast_to_rank(x, rank) if x.ndim < rank else x


def _at_least(arrays: Sequence[ArrayLike], f: Callable[[Array], Array]) -> Any:
    found = [f(wrap(lift(a))) for a in arrays]
    return found[0] if len(found) == 1 else found


# -- broadcasting


def broadcast_to(array: ArrayLike, shape: int | Sequence[int]) -> Array:
    """An array repeated to a shape. Raises ValueError if it does not broadcast to it."""
    node, wanted = lift(array), shape_of(shape)
    extra = len(wanted) - node.ndim
    if extra < 0 or any(n not in (1, m) for n, m in zip(node.shape, wanted[extra:], strict=True)):
        raise ValueError(f"Incompatible shapes for broadcasting: {node.shape} and requested shape {wanted}")
    return lax.broadcast_in_dim(array, wanted, range(extra, len(wanted)))


def broadcast_arrays(*args: ArrayLike) -> list[Array]:
    """Arrays broadcast to their common shape."""
    wanted = _broadcast_shapes(*(lift(a).shape for a in args))
    return [broadcast_to(a, wanted) for a in args]


def broadcast_shapes(*shapes: int | Sequence[int]) -> tuple[int, ...]:
    """The shape that shapes broadcast to."""
    return _broadcast_shapes(*((s,) if isinstance(s, int) else s for s in shapes))


# -- joining and splitting


def concatenate(arrays: Sequence[ArrayLike], axis: int | None = 0, dtype: DTypeLike = None) -> Array:
    """Arrays one after another along an axis; None: all flattened."""
    if not len(arrays):
        raise ValueError("Need at least one array to concatenate.")
    nodes = [convert(lift(a), canonical(dtype)) for a in arrays] if dtype is not None else same_dtype(*arrays)
    parts = [wrap(n) for n in nodes]
    if axis is None:
        parts, axis = [ravel(p) for p in parts], 0
    if parts[0].ndim == 0:
        raise ValueError("Zero-dimensional arrays cannot be concatenated.")
    return lax.concatenate(parts, axis_index(axis, parts[0].ndim))


def concat(arrays: Sequence[ArrayLike], /, *, axis: int | None = 0) -> Array:
    """Arrays one after another along an axis; None: all flattened."""
    return concatenate(arrays, axis)


def stack(arrays: Sequence[ArrayLike], axis: int = 0, out: None = None, dtype: DTypeLike = None) -> Array:
    """Arrays of one shape along a new axis."""
    if not len(arrays):
        raise ValueError("Need at least one array to stack.")
    shapes = [lift(a).shape for a in arrays]
    if len(set(shapes)) > 1:
        raise ValueError(f"All input arrays must have the same shape. Got {', '.join(map(str, shapes))}.")
    axis = axis_index(axis, len(shapes[0]) + 1)
    return concatenate([lax.expand_dims(a, (axis,)) for a in arrays], axis, dtype)


def unstack(x: ArrayLike, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The parts of an array along an axis, which disappears."""
    node = lift(x)
    axis = axis_index(axis, node.ndim)
    return tuple(lax.index_in_dim(x, i, axis, keepdims=False) for i in range(node.shape[axis]))


def vstack(tup: Sequence[ArrayLike], dtype: DTypeLike = None) -> Array:
    """Rows, or arrays along the first axis."""
    return concatenate([atleast_2d(a) for a in tup], 0, dtype)


def hstack(tup: Sequence[ArrayLike], dtype: DTypeLike = None) -> Array:
    """Arrays along the second axis (vectors: along the first)."""
    arrays = [atleast_1d(a) for a in tup]
    return concatenate(arrays, 0 if arrays and arrays[0].ndim == 1 else 1, dtype)


def dstack(tup: Sequence[ArrayLike], dtype: DTypeLike = None) -> Array:
    """Arrays along the third axis."""
    return concatenate([atleast_3d(a) for a in tup], 2, dtype)


def column_stack(tup: Sequence[ArrayLike]) -> Array:
    """Vectors as columns, beside matrices."""
    columns = [wrap(lift(a)) for a in tup]
    return concatenate([lax.expand_dims(_lifted(c, 1), (1,)) if c.ndim < 2 else c for c in columns], 1)


def append(arr: ArrayLike, values: ArrayLike, axis: int | None = None) -> Array:
    """`values` after `arr`."""
    return concatenate([arr, values], axis)


def split(ary: ArrayLike, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Equal parts, or parts that end before the given indices. Raises ValueError if the axis does not divide into so many parts."""
    x = wrap(lift(ary))
    total = x.shape[axis_index(axis, x.ndim)]
    if not isinstance(indices_or_sections, (tuple, list)) and getattr(indices_or_sections, "shape", ()) == ():
        rest = total % concrete(indices_or_sections, "indices_or_sections")
        if rest:
            raise ValueError(f"array split does not result in an equal division: rest is {rest}")
    return array_split(x, indices_or_sections, axis)


def array_split(ary: ArrayLike, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts that are as equal as can be, or that end before the given indices."""
    x = wrap(lift(ary))
    axis = axis_index(axis, x.ndim)
    total = x.shape[axis]
    if not isinstance(indices_or_sections, (tuple, list)) and getattr(indices_or_sections, "shape", ()) == ():
        sections = concrete(indices_or_sections, "indices_or_sections")
        part, more = builtins.divmod(total, sections)
        bounds = [0]
        for k in range(sections):
            bounds.append(bounds[-1] + part + (k < more))
    else:
        places = (concrete(i, "indices_or_sections") for i in indices_or_sections)
        bounds = [builtins.slice(0, i).indices(total)[1] for i in places]
        bounds = [0, *bounds, total]
    return [lax.slice_in_dim(x, a, builtins.max(a, b), 1, axis) for a, b in itertools.pairwise(bounds)]


def hsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Array]:
    """`split` along the second axis (of vectors: the first)."""
    return split(ary, indices_or_sections, 0 if lift(ary).ndim == 1 else 1)


def vsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Array]:
    """`split` along the first axis."""
    return split(ary, indices_or_sections, 0)


def dsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Array]:
    """`split` along the third axis."""
    return split(ary, indices_or_sections, 2)


# -- repeating, turning


def tile(A: ArrayLike, reps: int | Sequence[int]) -> Array:
    """An array laid out reps[k] times along axis k."""
    times = integers(reps, "reps")
    if any(r < 0 for r in times):
        raise ValueError(f"tile: reps must not be negative, got {times}.")
    rank = builtins.max(lift(A).ndim, len(times))
    return lax.tile(lax.broadcast_to_rank(A, rank), (1,) * (rank - len(times)) + times)


def repeat(
    a: ArrayLike, repeats: ArrayLike, axis: int | None = None, *, total_repeat_length: int | None = None
) -> Array:
    """Each element repeated: a number of times, or numbers of times one by one (these must be known, unless the total length is)."""
    x = wrap(lift(a))
    if axis is None or not x.ndim:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    extent = x.shape[axis]
    counts = lift(repeats)
    alike = counts.shape in ((), (1,))
    if alike and total_repeat_length is None:
        times = concrete(lax.reshape(repeats, ()) if counts.ndim else repeats, "repeats")
        if times < 0:
            raise ValueError(f"repeats may not contain negative values, got {times}.")
        wide = lax.broadcast_in_dim(
            x, (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]), [k + (k > axis) for k in range(x.ndim)]
        )
        return lax.reshape(wide, (*x.shape[:axis], extent * times, *x.shape[axis + 1 :]))
    if alike:
        counts = broadcast_to(lax.reshape(repeats, ()), (extent,))._node
    elif counts.shape != (extent,):
        raise ValueError(
            f"repeats must have one entry per element of axis {axis} of size {extent}, got shape {counts.shape}."
        )
    from weft.numpy.selection import take
    from weft.numpy.sorting import searchsorted

    ends = lax.cumsum(wrap(counts), 0)
    if total_repeat_length is None:
        total_repeat_length = int(ends[-1])
    places = lax.iota(ends.dtype, total_repeat_length)
    return take(x, searchsorted(ends, places, side="right"), axis, mode="clip")


def flip(m: ArrayLike, axis: Axes = None) -> Array:
    """The elements in reverse order along axes, all if None."""
    return lax.rev(m, axis_indices(axis, lift(m).ndim))


def flipud(m: ArrayLike) -> Array:
    """The first axis reversed."""
    return flip(m, 0)


def fliplr(m: ArrayLike) -> Array:
    """The second axis reversed."""
    return flip(m, 1)


def rot90(m: ArrayLike, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned by 90 degrees k times, from the first of two axes towards the second."""
    first, second = axis_indices(axes, lift(m).ndim)
    turns = k % 4
    if turns == 0:
        return wrap(lift(m))
    if turns == 2:
        return flip(m, (first, second))
    return swapaxes(flip(m, second), first, second) if turns == 1 else flip(swapaxes(m, first, second), second)


def roll(a: ArrayLike, shift: ArrayLike, axis: Axes = None) -> Array:
    """The elements moved on by `shift` along axes; what leaves at the end comes in at the beginning. A computed shift is allowed."""
    x = wrap(lift(a))
    if axis is None:
        return lax.reshape(roll(ravel(x), shift, 0), x.shape)
    axes = tuple(axis_index(k, x.ndim) for k in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    shifts = list(shift) if isinstance(shift, (tuple, list)) or lift(shift).ndim else [shift]
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    axes = axes * len(shifts) if len(axes) == 1 else axes
    if len(shifts) != len(axes):
        raise ValueError(f"operands could not be broadcast together: {len(shifts)} shifts and {len(axes)} axes")
    for by, k in zip(shifts, axes, strict=True):
        x = _rolled(x, by, k)
    return x


def _rolled(x: Array, shift: ArrayLike, axis: int) -> Array:
    extent = x.shape[axis]
    if extent == 0:
        return x
    if isinstance(shift, int):
        by = shift % extent
        parts = lax.slice_in_dim(x, extent - by, extent, 1, axis), lax.slice_in_dim(x, 0, extent - by, 1, axis)
        return lax.concatenate(parts, axis) if by else x
    from weft.numpy.elementwise import remainder

    start = remainder(lax.neg(shift), extent)
    return lax.dynamic_slice_in_dim(lax.concatenate([x, x], axis), start, extent, axis)


def resize(a: ArrayLike, new_shape: int | Sequence[int]) -> Array:
    """The elements, repeated from the beginning as often as needed, in another shape."""
    wanted = shape_of(new_shape)
    flat = ravel(a)
    count = size_of(wanted)
    if not flat.size:
        return constant(0, wanted, flat.dtype)
    return lax.reshape(lax.slice_in_dim(tile(flat, -(-count // flat.size)), 0, count), wanted)

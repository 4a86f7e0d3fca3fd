"""Arrays with something put in, taken out, or replaced. Arrays never change: what NumPy does in place gives a new array here, and asks for `inplace=False`.

Where the size of a result depends on values, these must be known.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.dtypes import bool_
from weft.lax.base import ArrayLike, axis_index, axis_indices, constant, convert, default_int
from weft.numpy.creation import array as make_array
from weft.numpy.elementwise import clip, remainder, where
from weft.numpy.manipulation import atleast_1d, broadcast_to, concatenate, moveaxis, ravel, reshape, resize
from weft.numpy.reductions import sum as sum_of
from weft.numpy.selection import nonzero, take, unravel_index

__all__ = ["block", "delete", "fill_diagonal", "insert", "place", "put", "trim_zeros"]


def _array(x: Any) -> Array:
    return wrap(lift(x))


def _not_in_place(inplace: bool, name: str) -> None:
    if inplace:
        raise ValueError(
            f"jnp.{name} cannot modify arrays in-place, because arrays are immutable. Pass inplace=False to instead return an updated array."
        )


def _integer_or_array(obj: Any, name: str) -> Array:
    index = _array(obj)
    if not (index.dtype.is_integer or index.dtype is bool_):
        if index.size:
            raise ValueError(
                f"jnp.{name}(): obj must be an integer, a slice, or an array of integers or booleans, got {index.aval}"
            )
        index = wrap(convert(index._node, default_int()))
    return index


# -- taking out, putting in


def delete(arr: ArrayLike, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False) -> Array:
    """The array without the parts at indices along an axis (of all elements if None).

    One index may be computed. Several must be known, unless they are promised to be unique and in range.
    """
    x = wrap(lift(arr))
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    size = x.shape[axis]
    if isinstance(obj, slice):
        gone = set(range(*obj.indices(size)))
        return take(x, make_array([k for k in range(size) if k not in gone], int), axis)
    index = _integer_or_array(obj, "delete")
    if not index.ndim and index.dtype.is_integer:
        return _without(x, _within(index, size, axis), axis)
    if index.dtype is bool_:
        index = atleast_1d(index)
        if index.shape != (size,):
            raise ValueError(
                f"jnp.delete(arr, obj): for boolean indices, obj must be one-dimensional with length matching specified axis, got {index.shape} for an axis of size {size}."
            )
        (places,) = nonzero(~index)
        return take(x, places, axis)
    index = ravel(index)
    if not assume_unique_indices:
        gone = {operator.index(k) for k in index.tolist()}
        bad = next((k for k in gone if not -size <= k < size), None)
        if bad is not None:
            raise IndexError(f"index {bad} is out of bounds for axis {axis} with size {size}")
        gone = {k % size for k in gone}
        return take(x, make_array([k for k in range(size) if k not in gone], int), axis)
    index = clip(where(index < 0, index + size, index), 0, size - 1)
    kept = constant(True, (size,), bool_).at[index].set(False)
    (places,) = nonzero(kept, size=size - index.size)
    return take(x, places, axis)


def _within(index: Array, size: int, axis: int) -> Array:
    """A computed index, counted from the beginning."""
    value = index._node.value
    if value.__class__ is int and not -size <= value < size:
        raise ValueError(f"index {value} is out of bounds for axis {axis} with size {size}")
    return where(index < 0, index + size, index)


def _without(x: Array, index: Array, axis: int) -> Array:
    places = lax.iota(default_int(), x.shape[axis] - 1)
    return take(x, places + (places >= index), axis, mode="clip")


def insert(arr: ArrayLike, obj: Any, values: ArrayLike, axis: int | None = None) -> Array:
    """The array with values put in before indices along an axis (of all elements if None). Several values at one place keep their order."""
    x, new = wrap(lift(arr)), _array(values)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    size = x.shape[axis]
    if isinstance(obj, slice):
        index = make_array(list(range(*obj.indices(size))), int)
    else:
        index = _integer_or_array(obj, "insert")
        if index.dtype is bool_ or index.ndim > 1:
            raise ValueError("jnp.insert(): obj must be a slice, a one-dimensional array of integers, or an integer")
    new = lax.convert_element_type(new, x.dtype)
    if index.size == 1:  # one place for as many values as there are
        if not index.ndim and new.ndim:
            new = moveaxis(lax.broadcast_to_rank(new, x.ndim), 0, axis)
        new = lax.broadcast_to_rank(new, x.ndim) if new.ndim < x.ndim else new
        index = lax.broadcast_in_dim(reshape(index, ()), (new.shape[axis],), ())
    count = index.size
    new = broadcast_to(new, [count if k == axis else n for k, n in enumerate(x.shape)])
    index = clip(where(index < 0, index + size, index), 0, size)
    # the place of each value in the result: before it stand what the index passes, the values before smaller indices, and earlier ones before the same
    i, j = lax.expand_dims(index, (1,)), lax.expand_dims(index, (0,))
    order = lax.iota(index.dtype, count)
    earlier = (j < i) | ((j == i) & (lax.expand_dims(order, (0,)) < lax.expand_dims(order, (1,))))
    places = index + sum_of(earlier, 1)
    old = constant(True, (size + count,), bool_).at[places].set(False)
    (rest,) = nonzero(old, size=size)
    front = [slice(None)] * axis
    found = constant(0, [size + count if k == axis else n for k, n in enumerate(x.shape)], x.dtype, x.weak_type)
    return found.at[(*front, rest)].set(x).at[(*front, places)].set(new)


def trim_zeros(filt: ArrayLike, trim: str = "fb", axis: int | Iterable[int] | None = None) -> Array:
    """An array without the zeros before its first ("f") and after its last ("b") elements that are not zero, along axes (all if None). The values must be known."""
    x = _array(filt)
    letters = trim.lower()
    axes = axis_indices(tuple(axis) if isinstance(axis, Iterable) else axis, x.ndim)
    if not x.ndim:
        return x
    flags = wrap(convert(x._node, bool_))
    index: list[slice] = [slice(None)] * x.ndim
    for k in axes:
        others = tuple(a for a in range(x.ndim) if a != k)
        held = lax.reduce_or(flags, others).tolist() if others else flags.tolist()
        if True not in held:
            index[k] = slice(0, 0)
            continue
        start = held.index(True) if "f" in letters else 0
        stop = len(held) - held[::-1].index(True) if "b" in letters else len(held)
        index[k] = slice(start, stop)
    return x[tuple(index)]


# -- replacing


def put(a: ArrayLike, ind: ArrayLike, v: ArrayLike, mode: str | None = None, *, inplace: bool = True) -> Array:
    """The array with values (repeated as often as needed) at indices among all its elements. Those out of range name the nearest element (a negative one counts from the end first), as `unravel_index` has it, or what mode says: "clip" or "wrap"."""
    _not_in_place(inplace, "put")
    x, index, values = wrap(lift(a)), ravel(_array(ind)), ravel(_array(v))
    if not x.size or not index.size or not values.size:
        return x
    if mode == "clip":
        index = clip(index, 0, x.size - 1)
    elif mode == "wrap":
        index = remainder(index, x.size)
    elif mode == "raise":
        raise NotImplementedError("The 'raise' mode to jnp.put is not supported.")
    elif mode is not None:
        raise ValueError(f"mode should be one of 'wrap' or 'clip'; got {mode=}")
    return x.at[unravel_index(index, x.shape)].set(resize(values, index.size), mode="drop")


def place(arr: ArrayLike, mask: ArrayLike, vals: ArrayLike, *, inplace: bool = True) -> Array:
    """The array with the first values (repeated as often as needed) where a mask holds, in order."""
    _not_in_place(inplace, "place")
    x, held, values = wrap(lift(arr)), _array(mask), ravel(_array(vals))
    if held.size != x.size:
        raise ValueError("place: arr and mask must be the same size")
    if not values.size:
        raise ValueError("Cannot place values from an empty array")
    if not x.size:
        return x
    flat = ravel(wrap(convert(held._node, bool_)))
    rank = lax.cumsum(wrap(convert(flat._node, default_int())), 0) - 1
    new = take(lax.convert_element_type(values, x.dtype), remainder(rank, values.size), mode="clip")
    return reshape(where(flat, new, ravel(x)), x.shape)


def fill_diagonal(a: ArrayLike, val: ArrayLike, wrap: bool = False, *, inplace: bool = True) -> Array:
    """The array with values (repeated as often as needed) on the diagonal of all its axes."""
    if inplace:
        raise NotImplementedError("jnp.fill_diagonal: arrays are immutable, must pass inplace=False")
    if wrap:
        raise NotImplementedError("wrap=True")
    x, values = _array(a), ravel(_array(val))
    if x.ndim < 2:
        raise ValueError("array must be at least 2-d")
    if x.ndim > 2 and len(set(x.shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    size = min(x.shape)
    index = (lax.iota(default_int(), size),) * x.ndim
    return x.at[index].set(resize(values, size) if values.size > 1 else reshape(values, ()))


# -- joining


def block(arrays: Any) -> Array:
    """An array from nested lists of blocks: the innermost lists are joined along the last axis, the next along the last but one, and so on."""
    depth = _depth(arrays)
    blocks = _at_rank(arrays, depth)
    rank = max(_ranks(blocks), default=0)
    return _joined(_at_rank(blocks, max(rank, depth)), depth)


def _depth(arrays: Any) -> int:
    if isinstance(arrays, tuple):
        raise ValueError("jnp.block: only lists can nest blocks, got a tuple")
    if not isinstance(arrays, list):
        return 0
    if not arrays:
        raise ValueError("jnp.block: a list of blocks must not be empty")
    depths = {_depth(a) for a in arrays}
    if len(depths) > 1:
        raise ValueError(f"jnp.block: list depths are mismatched, found {sorted(depths)}")
    return 1 + depths.pop()


def _at_rank(arrays: Any, rank: int) -> Any:
    if isinstance(arrays, list):
        return [_at_rank(a, rank) for a in arrays]
    x = wrap(lift(arrays))
    return lax.broadcast_to_rank(x, rank) if x.ndim < rank else x


def _ranks(arrays: Any) -> Iterable[int]:
    if isinstance(arrays, list):
        for a in arrays:
            yield from _ranks(a)
    else:
        yield arrays.ndim


def _joined(arrays: Any, depth: int) -> Array:
    return arrays if not depth else concatenate([_joined(a, depth - 1) for a in arrays], -depth)

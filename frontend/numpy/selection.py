"""Functions that take indices, or give them: take, nonzero, unravel_index and the like."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.dtypes import bool_
from weft.lax.base import ArrayLike, axis_index, constant, convert, default_int, integers
from weft.numpy.creation import array as make_array
from weft.numpy.elementwise import clip, remainder, where
from weft.numpy.indexing import getitem, places_of
from weft.numpy.manipulation import broadcast_arrays, broadcast_to, moveaxis, ravel, stack

__all__ = [
    "argwhere", "choose", "compress", "extract", "flatnonzero", "nonzero", "put_along_axis", "ravel_multi_index",
    "take", "take_along_axis", "unravel_index",
]  # fmt: skip


def take(
    a: ArrayLike,
    indices: ArrayLike,
    axis: int | None = None,
    out: None = None,
    mode: str | None = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    fill_value: Any = None,
) -> Array:
    """The parts of an array at indices along an axis (of all elements if None). Out of range: NaN ("fill"), the nearest ("clip"), or modulo the size ("wrap")."""
    x, places = wrap(lift(a)), wrap(lift(make_array(indices) if isinstance(indices, (list, tuple)) else indices))
    if not places.dtype.is_integer:
        raise TypeError(f"take requires integer indices, got {places.dtype}")
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    if mode == "raise":
        raise NotImplementedError("The 'raise' mode to take is not supported.")
    if mode == "wrap":
        places, mode = remainder(places, x.shape[axis]), "promise_in_bounds"
    if mode == "clip":
        places = lax.max(places, constant(0, (), places.dtype))
    index = (*[slice(None)] * axis, lax.expand_dims(places, (0,)) if places.ndim == 0 else places)
    found = getitem(x, index, mode or "fill", fill_value)
    return lax.squeeze(found, (axis,)) if places.ndim == 0 else found


def take_along_axis(
    arr: ArrayLike, indices: ArrayLike, axis: int | None = -1, mode: Any = None, fill_value: Any = None
) -> Array:
    """For each place of `indices`, the element of `arr` at that index along an axis. Out of range: NaN ("fill"), or the nearest ("clip")."""
    x, places = wrap(lift(arr)), wrap(lift(indices))
    if not places.dtype.is_integer:
        raise TypeError(f"take_along_axis indices must be of integer type, got {places.dtype}")
    if axis is None:
        if places.ndim != 1:
            raise ValueError(f"take_along_axis indices must be 1D if axis=None, got shape {places.shape}")
        x, axis = ravel(x), 0
    if x.ndim != places.ndim:
        raise ValueError(f"indices and arr must have the same number of dimensions; {places.ndim} vs. {x.ndim}")
    axis = axis_index(axis, x.ndim)
    x, places, grid = _along(x, places, axis)
    return getitem(x, tuple(places if k == axis else g for k, g in enumerate(grid)), mode or "fill", fill_value)


def _along(x: Array, places: Array, axis: int) -> tuple[Array, Array, list[Array]]:
    """Both broadcast along the other axes, and the index arrays of these."""
    others = lax.broadcast_shapes(*([n for k, n in enumerate(v.shape) if k != axis] for v in (x, places)))
    shape = [*others[:axis], 0, *others[axis:]]
    x, places = (broadcast_to(v, [v.shape[k] if k == axis else n for k, n in enumerate(shape)]) for v in (x, places))
    grid = [
        lax.reshape(lax.iota(default_int(), n), [n if j == k else 1 for j in range(x.ndim)])
        for k, n in enumerate(shape)
    ]
    return x, places, grid


def put_along_axis(
    arr: ArrayLike, indices: ArrayLike, values: ArrayLike, axis: int | None, inplace: bool = True, *, mode: Any = None
) -> Array:
    """`arr` with values at the places that `take_along_axis` reads, as a new array (`inplace=False` is required: arrays never change)."""
    if inplace:
        raise ValueError("put_along_axis cannot modify arrays in-place: pass inplace=False and use the returned array.")
    original, places = wrap(lift(arr)), wrap(lift(indices))
    x = ravel(original) if axis is None else original
    axis = axis_index(0 if axis is None else axis, x.ndim)
    x, places, grid = _along(x, places, axis)
    index = tuple(places if k == axis else g for k, g in enumerate(grid))
    return lax.reshape(x.at[index].set(values, mode=mode), original.shape)


def nonzero(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> tuple[Array, ...]:
    """The indices of elements that are not zero, one vector per axis. With `size` (how many there shall be at most, `fill_value` or 0 for the rest) also of traced arrays."""
    x = wrap(convert(lift(a), bool_))
    if x.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use jnp.atleast_1d(scalar).nonzero() instead.")
    if size is None:
        return tuple(places_of(x))
    flat = ravel(x)
    count = lax.cumsum(wrap(convert(flat._node, default_int())), 0)
    order = lax.iota(default_int(), size)
    hits = lax.expand_dims(count, (0,)) <= lax.expand_dims(order, (1,))
    place = lax.reduce_sum(wrap(convert(hits._node, default_int())), (1,))  # how many prefixes hold no more than k
    inside = lax.lt(place, constant(flat.size, (), place.dtype))
    fills = fill_value if isinstance(fill_value, (tuple, list)) else [0 if fill_value is None else fill_value] * x.ndim
    return tuple(where(inside, i, f) for i, f in zip(unravel_index(place, x.shape), fills, strict=True))


def flatnonzero(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices, among all elements, of those that are not zero."""
    return nonzero(ravel(a), size=size, fill_value=fill_value)[0]


def argwhere(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices of elements that are not zero, one row each."""
    return stack(nonzero(a, size=size, fill_value=fill_value), 1)


def extract(condition: ArrayLike, arr: ArrayLike) -> Array:
    """The elements where a known condition holds."""
    return getitem(ravel(arr), ravel(wrap(convert(lift(condition), bool_))))


def compress(condition: ArrayLike, a: ArrayLike, axis: int | None = None) -> Array:
    """The parts along an axis where a known condition holds."""
    x = ravel(a) if axis is None else moveaxis(a, axis, 0)
    mask = wrap(convert(lift(make_array(condition)), bool_))
    found = getitem(x, places_of(mask)[0])
    return found if axis is None else moveaxis(found, 0, axis)


def choose(a: ArrayLike, choices: Sequence[ArrayLike], out: None = None, mode: str = "raise") -> Array:
    """From several arrays, element by element, the one that an index names; out of range: "clip" or "wrap"."""
    if mode == "raise":
        raise NotImplementedError("The 'raise' mode to choose is not supported: use mode='clip' or mode='wrap'.")
    index, *arrays = broadcast_arrays(a, *choices)
    index = remainder(index, len(arrays)) if mode == "wrap" else clip(index, 0, len(arrays) - 1)
    return lax.squeeze(take_along_axis(stack(arrays), lax.expand_dims(index, (0,)), 0), (0,))


def unravel_index(indices: ArrayLike, shape: Sequence[int]) -> tuple[Array, ...]:
    """Indices among all elements as indices along each axis."""
    rest = wrap(lift(indices))
    found = []
    for n in reversed(integers(shape)):
        size = constant(builtins.max(n, 1), (), rest.dtype)
        found.append(lax.rem(rest, size))
        rest = lax.div(rest, size)
    return tuple(reversed(found))


def ravel_multi_index(
    multi_index: Sequence[ArrayLike], dims: Sequence[int], mode: str = "raise", order: str = "C"
) -> Array:
    """Indices along each axis as indices among all elements; out of range: "clip" or "wrap"."""

    sizes = integers(dims)
    if len(multi_index) != len(sizes):
        raise ValueError("len(multi_index) != len(dims)")
    total: Any = 0
    pairs = list(zip(multi_index, sizes, strict=True))
    for index, n in pairs if order == "C" else reversed(pairs):
        place = remainder(index, n) if mode == "wrap" else clip(index, 0, n - 1) if mode == "clip" else index
        total = total * n + wrap(lift(place))
    return total

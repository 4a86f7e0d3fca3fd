"""Functions that take indices, or give them: take, nonzero, unravel_index and the like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.dtypes import bool_
from weft.host import canonical
from weft.lax.base import (
    ArrayLike,
    DTypeLike,
    axis_index,
    concrete,
    constant,
    convert,
    default_int,
    integers,
    refuse_out,
)
from weft.numpy.elementwise import clip, divmod, remainder, where
from weft.numpy.indexing import getitem, places_of
from weft.numpy.manipulation import broadcast_arrays, broadcast_to, moveaxis, ravel, stack
from weft.numpy.promotion import like

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
    x, places = wrap(lift(a)), wrap(lift(indices))
    if not places.dtype.is_integer:
        raise ValueError(f"take requires integer indices, got {places.dtype}")
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    if places.size and not x.shape[axis]:
        raise IndexError("Cannot do a non-empty take() from an empty axis.")
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
    arr: ArrayLike,
    indices: ArrayLike,
    axis: int | None = -1,
    mode: Any = None,
    fill_value: Any = None,
    *,
    wrap_negative_indices: bool = True,
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
    if not x.size:
        return constant(0, places.shape, x.dtype)
    index = tuple(places if k == axis else g for k, g in enumerate(grid))
    return getitem(x, index, mode or "fill", fill_value, wrap_negative_indices)


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
    x = wrap(lift(a))
    x = lax.ne(x, like(0, x)) if x.dtype is not bool_ else x
    if x.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use jnp.atleast_1d(scalar).nonzero() instead.")
    if size is None:
        return tuple(places_of(x))
    size = concrete(size, "size")
    flat = ravel(x)
    rank = lax.cumsum(wrap(convert(flat._node, default_int())), 0) - 1
    numbers = lax.iota(default_int(), flat.size)
    missing = constant(flat.size, (size,), default_int())
    place = missing.at[where(flat, rank, size)].set(numbers, mode="drop") if flat.size and size else missing
    inside = lax.lt(place, constant(flat.size, (), place.dtype))
    fills = fill_value if isinstance(fill_value, (tuple, list)) else [0 if fill_value is None else fill_value] * x.ndim
    if len(fills) != x.ndim:
        raise ValueError(f"fill_value must be a scalar or have one entry per axis ({x.ndim}), got {fill_value!r}")
    columns = unravel_index(place, x.shape) if flat.size else [place] * x.ndim
    return tuple(where(inside, i, lax.convert_element_type(f, i.dtype)) for i, f in zip(columns, fills, strict=True))


def flatnonzero(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices, among all elements, of those that are not zero."""
    return nonzero(ravel(a), size=size, fill_value=fill_value)[0]


def argwhere(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices of elements that are not zero, one row each."""
    x = wrap(lift(a))
    if x.ndim:
        return stack(nonzero(x, size=size, fill_value=fill_value), 1)
    (found,) = nonzero(lax.reshape(x, (1,)), size=size, fill_value=fill_value)
    return constant(0, (found.size, 0), default_int())


def extract(condition: ArrayLike, arr: ArrayLike, *, size: int | None = None, fill_value: ArrayLike = 0) -> Array:
    """The elements where a condition holds. With `size` (how many there shall be, `fill_value` for the rest) also where the condition is traced."""
    return compress(ravel(condition), ravel(arr), size=size, fill_value=fill_value)


def compress(
    condition: ArrayLike,
    a: ArrayLike,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: ArrayLike = 0,
    out: None = None,
) -> Array:
    """The parts along an axis where a condition holds. With `size` (how many there shall be, `fill_value` for the rest) also where the condition is traced."""
    refuse_out(out, "compress")
    mask = wrap(convert(lift(condition), bool_))
    if mask.ndim != 1:
        raise ValueError("condition must be a 1D array")
    x = ravel(a) if axis is None else moveaxis(a, axis, 0)
    if mask.size > x.shape[0]:
        if any(mask[x.shape[0] :].tolist()):
            raise ValueError("condition contains entries that are out of bounds")
        mask = mask[: x.shape[0]]
    (places,) = nonzero(mask, size=size, fill_value=x.shape[0])
    found = take(x, places, 0, mode=None if size is None else "fill", fill_value=fill_value)
    return found if axis is None else moveaxis(found, 0, axis)


def choose(a: ArrayLike, choices: Sequence[ArrayLike], out: None = None, mode: str = "raise") -> Array:
    """From several arrays, element by element, the one that an index names; out of range: "clip" or "wrap", or an error (of a known index)."""
    refuse_out(out, "choose")
    index, *arrays = broadcast_arrays(a, *choices)
    if not index.dtype.is_integer:
        raise ValueError("`a` array must be integer typed")
    if mode == "raise":
        if not all(0 <= i < len(arrays) for i in ravel(index).tolist()):
            raise ValueError("invalid entry in choice array")
    elif mode == "wrap":
        index = remainder(index, len(arrays))
    elif mode != "clip":
        raise ValueError(f"mode={mode!r} not understood. Must be 'raise', 'wrap', or 'clip'")
    index = clip(index, 0, len(arrays) - 1)
    chosen = lax.squeeze(take_along_axis(stack(arrays), lax.expand_dims(index, (0,)), 0), (0,))
    return wrap(convert(chosen._node, chosen.dtype))


def unravel_index(indices: ArrayLike, shape: int | Sequence[int]) -> tuple[Array, ...]:
    """Indices among all elements as indices along each axis. A negative one counts from the end; what is out of range names the nearest element."""
    rest = wrap(lift(indices))
    sizes = integers(shape)
    found = []
    for n in reversed(sizes):
        rest, place = divmod(rest, n)
        found.append(place)
    above, below = rest > 0, (rest < -1 if rest.dtype.kind == "i" else False)
    return tuple(where(above, n - 1, where(below, 0, i)) for n, i in zip(sizes, reversed(found), strict=True))


def ravel_multi_index(
    multi_index: Sequence[ArrayLike],
    dims: Sequence[int],
    mode: str = "raise",
    order: str = "C",
    *,
    dtype: DTypeLike = None,
) -> Array:
    """Indices along each axis as indices among all elements; out of range: "clip" or "wrap", or an error (of known indices)."""
    sizes = integers(dims)
    if len(multi_index) != len(sizes):
        raise ValueError("len(multi_index) != len(dims)")
    if order not in ("C", "F"):
        raise ValueError(f"invalid order={order!r}. Expected 'C' or 'F'")
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"invalid mode={mode!r}. Expected 'raise', 'wrap', or 'clip'")
    arrays = [wrap(lift(i)) for i in multi_index]
    for x in arrays:
        if not x.dtype.is_integer:
            raise TypeError(f"only int indices permitted, got {x.dtype}")
    wanted = default_int() if dtype is None else canonical(dtype)
    total = constant(0, (), wanted)
    for index, n in list(zip(arrays, sizes, strict=True))[:: 1 if order == "C" else -1]:
        if mode == "raise":
            if not all(0 <= i < n for i in ravel(index).tolist()):
                raise ValueError(
                    "invalid entry in coordinates array. To use ravel_multi_index() with traced indices, pass mode='wrap' or mode='clip'."
                )
            place = index
        else:
            place = remainder(index, n) if mode == "wrap" else clip(index, 0, n - 1)
        total = total * n + wrap(convert(place._node, wanted))
    return total

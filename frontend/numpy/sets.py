"""Sets of numbers as sorted vectors. How many elements a result has depends on the data: eagerly it is found out; under `jit` `size` says how many there shall be,
and `fill_value` what stands in the place of those that are missing.

Everything is read off one sorted sequence: where a group of equal elements begins and ends, and from which array its first and last elements came.
"""

from __future__ import annotations

from math import nan
from typing import Any, NamedTuple

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import bool_, int32
from weft.errors import ConcretizationTypeError
from weft.lax.base import ArrayLike, axis_index, constant, convert, default_int
from weft.lax.sorting import order as ascending_order
from weft.lax.sorting import take_along
from weft.numpy.elementwise import isnan, where
from weft.numpy.manipulation import concatenate, moveaxis, ravel, reshape
from weft.numpy.promotion import same_dtype
from weft.numpy.reductions import any as any_of
from weft.numpy.reductions import sum as sum_of
from weft.numpy.selection import nonzero

__all__ = [
    "intersect1d", "isin", "setdiff1d", "setxor1d", "union1d", "unique", "unique_all", "unique_counts",
    "unique_inverse", "unique_values",
]  # fmt: skip


class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: Array
    inverse_indices: Array


# -- places that a condition chooses


def _places(chosen: Array, size: int | None, name: str) -> Array:
    """The places of the true elements of a vector, `size` of them (missing ones 0), or as many as there are."""
    if size is None:
        try:
            size = int(sum_of(chosen))
        except ConcretizationTypeError as error:
            raise ConcretizationTypeError(
                f"The size of the result of jnp.{name} depends on values that are not known while a function is traced. "
                "Pass the argument `size`, the number of elements that the result shall have."
            ) from error
    return nonzero(chosen, size=size)[0]


def _shifted(x: Array, by: int, edge: bool) -> Array:
    """A vector of truth values moved by one place, with `edge` where nothing came from."""
    return lax.pad(x, constant(edge, (), bool_), [(by, -by, 0)])


def _differs(x: Array, y: Array, equal_nan: bool) -> Array:
    different = lax.ne(x, y)
    return different & ~(isnan(x) & isnan(y)) if equal_nan and x.dtype.is_inexact else different


# -- unique


class _Sorted(NamedTuple):
    """The parts of an array along its first axis in order, where each stood, and where each differs from the one before."""

    parts: Array
    order: Array
    first: Array


def _sorted(x: Array, equal_nan: bool) -> _Sorted:
    size = x.shape[0]
    flat = reshape(x, (size, x.size // size))
    columns = [lax.squeeze(lax.slice_in_dim(flat, k, k + 1, 1, 1), (1,)) for k in range(flat.shape[1])]
    order = ascending_order(columns, 0)
    parts = x[order]
    new = _differs(parts[1:], parts[:-1], equal_nan)
    new = any_of(new, tuple(range(1, new.ndim))) if new.ndim > 1 else new
    return _Sorted(parts, order, concatenate([constant(True, (1,), bool_), new]))


def unique(
    ar: ArrayLike,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
    sorted: bool = True,
) -> Any:
    """The different elements of an array (the different parts along an axis), sorted; on demand where each stood first, which of them each element is, and how often each came.

    With fewer than `size` of them the rest is `fill_value`, or the least one again.
    """
    given = wrap(lift(ar))
    if given.dtype.kind == "c":  # NaNs are all alike, whatever their other parts are
        given = where(isnan(given), constant(nan, (), given.dtype), given)
    x = ravel(given) if axis is None else moveaxis(given, axis, 0)
    axis = 0 if axis is None else axis_index(axis, given.ndim)
    inverse_shape = given.shape if x.ndim == 1 and given.ndim != 1 else (x.shape[0],)
    if x.shape[0] == 0 and size and fill_value is None:
        raise ValueError("jnp.unique: for zero-sized input with nonzero size argument, fill_value must be specified")
    if not x.size:
        results = _unique_of_nothing(x, size, fill_value)
    else:
        results = _unique(x, _sorted(x, equal_nan), size, fill_value)
    values, index, inverse, counts = results
    wanted = [
        (True, moveaxis(values, 0, axis)),
        (return_index, index),
        (return_inverse, reshape(inverse, inverse_shape)),
        (return_counts, counts),
    ]
    found = [v for want, v in wanted if want]
    return tuple(found) if len(found) > 1 else found[0]


def _unique(x: Array, s: _Sorted, size: int | None, fill_value: ArrayLike | None) -> tuple[Array, Array, Array, Array]:
    total, integer = x.shape[0], default_int()
    places = _places(s.first, size, "unique")
    there = lax.iota(int32, places.shape[0]) < sum_of(s.first)
    values = s.parts[places]
    if size is not None and fill_value is not None:
        values = where(
            lax.expand_dims(there, range(1, values.ndim)), values, wrap(lift(fill_value)).astype(values.dtype)
        )
    number = lax.cumsum(wrap(convert(s.first._node, int32))) - 1
    inverse = constant(0, (total,), int32).at[s.order].set(number)
    counts = constant(0, (places.shape[0],), int32).at[number].add(constant(1, (total,), int32), mode="drop")
    return values, s.order[places].astype(integer), inverse.astype(integer), counts.astype(integer)


def _unique_of_nothing(x: Array, size: int | None, fill_value: ArrayLike | None) -> tuple[Array, Array, Array, Array]:
    """Of an array without elements: no part along an axis of size 0, one part (an empty one) along others."""
    count, integer = min(x.shape[0], 1), default_int()
    values = lax.slice_in_dim(x, 0, count)
    if size is not None:
        values = lax.full_like(x, 0 if fill_value is None else fill_value, shape=(size, *x.shape[1:]))
    counts = constant(x.shape[0], (count,), integer)
    return values, constant(0, (count,), integer), constant(0, (x.shape[0],), integer), counts


def unique_all(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> UniqueAll:
    """The different elements, where each stood first, which of them each element is, and how often each came; every NaN counts for itself."""
    return UniqueAll(*unique(x, True, True, True, equal_nan=False, size=size, fill_value=fill_value))


def unique_counts(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> UniqueCounts:
    """The different elements and how often each came; every NaN counts for itself."""
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_inverse(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> UniqueInverse:
    """The different elements and which of them each element is; every NaN counts for itself."""
    return UniqueInverse(*unique(x, return_inverse=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_values(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> Array:
    """The different elements, sorted; every NaN counts for itself."""
    return unique(x, equal_nan=False, size=size, fill_value=fill_value)


# -- of two sets


class _Both(NamedTuple):
    """The elements of two vectors in one order (equals from the first one in front). `begin` and `end`: the first and the last place of the group that a place belongs to."""

    values: Array
    order: Array
    second: Array
    """Whether an element came from the second vector."""
    first: Array
    """Whether a group begins here."""
    begin: Array
    end: Array


def _both(x: Array, y: Array) -> _Both:
    values = concatenate([x, y])
    size = values.shape[0]
    order = ascending_order([values], 0)
    values, second = take_along(values, order, 0), order >= x.shape[0]
    new = lax.ne(values[1:], values[:-1])
    if values.dtype.is_inexact:  # NaNs are one element of a set, but never common to two
        new = new & ~(isnan(values[1:]) & isnan(values[:-1]) & lax.eq(second[1:], second[:-1]))
    first = concatenate([constant(True, (1,), bool_), new])
    place = lax.iota(int32, size)
    begin = lax.cummax(where(first, place, 0))
    end = lax.cummin(where(_shifted(first, -1, True), place, size - 1), reverse=True)
    return _Both(values, order, second, first, begin, end)


def _result(
    b: _Both, chosen: Array, size: int | None, fill_value: ArrayLike | None, name: str
) -> tuple[Array, Array, Array]:
    """The chosen elements, where they stand in the common order, and which of them there are. Missing ones are the fill value, or the least one."""
    places = _places(chosen, size, name)
    there = lax.iota(int32, places.shape[0]) < sum_of(chosen)
    found = b.values[places]
    if size:
        fill: Any = where(there[0], found[0], 0) if fill_value is None else fill_value
        found = where(there, found, wrap(lift(fill)).astype(found.dtype))
    return found, places, there


def union1d(ar1: ArrayLike, ar2: ArrayLike, *, size: int | None = None, fill_value: ArrayLike | None = None) -> Array:
    """The elements of either array, each once, sorted."""
    return unique(concatenate([ravel(ar1), ravel(ar2)]), size=size, fill_value=fill_value)


def intersect1d(
    ar1: ArrayLike,
    ar2: ArrayLike,
    assume_unique: bool = False,
    return_indices: bool = False,
    *,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
) -> Any:
    """The elements of both arrays, each once, sorted; on demand where they stand first in either (its size, for missing ones)."""
    x, y = (ravel(wrap(n)) for n in same_dtype(ar1, ar2))
    if x.size + y.size == 0:
        found, nowhere = constant(0, (size or 0,), x.dtype), constant(0, (size or 0,), default_int())
        return (found, nowhere, nowhere) if return_indices else found
    b = _both(x, y)
    crossing = ~b.second & _shifted(b.second, -1, False) & (b.end > lax.iota(int32, b.end.shape[0]))
    found, places, there = _result(b, crossing, size, fill_value, "intersect1d")
    if not return_indices:
        return found
    mine, other = b.order[b.begin[places]], b.order[places + 1] - x.size
    integer = default_int()
    return found, where(there, mine, x.size).astype(integer), where(there, other, y.size).astype(integer)


def setxor1d(
    ar1: ArrayLike,
    ar2: ArrayLike,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
) -> Array:
    """The elements of one array that are not in the other, each once, sorted."""
    x, y = (ravel(wrap(n)) for n in same_dtype(ar1, ar2))
    if x.size + y.size == 0:
        return constant(0, (size or 0,), x.dtype)
    b = _both(x, y)
    return _result(b, b.first & lax.eq(b.second, b.second[b.end]), size, fill_value, "setxor1d")[0]


def setdiff1d(
    ar1: ArrayLike,
    ar2: ArrayLike,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
) -> Array:
    """The elements of the first array that are not in the second, each once, sorted (as they stand, if `assume_unique`); missing ones are 0."""
    x = ravel(wrap(lift(ar1)))
    fill = wrap(lift(0 if fill_value is None else fill_value)).astype(x.dtype)
    if not x.size:
        return lax.broadcast(fill, (size or 0,))
    if assume_unique:
        chosen = isin(x, ar2, invert=True)
        source = lax.iota(int32, x.size)
    else:
        b = _both(*(ravel(wrap(n)) for n in same_dtype(x, ar2)))
        chosen, source = b.first & ~b.second & ~b.second[b.end], b.order
    places = _places(chosen, size, "setdiff1d")
    found = x[source[places]]
    return found if size is None else where(lax.iota(int32, places.shape[0]) < sum_of(chosen), found, fill)


def isin(
    element: ArrayLike,
    test_elements: ArrayLike,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    method: str = "auto",
) -> Array:
    """Which elements are among others. Few are compared with all; of many it is found by bisection (whatever the method; the result is the same)."""
    if method not in ("auto", "compare_all", "binary_search", "sort"):
        raise ValueError(
            f"{method=} is not implemented; options are 'compare_all', 'binary_search', 'sort', and 'auto'"
        )
    x, others = (wrap(n) for n in same_dtype(element, test_elements))
    values = ravel(others)
    if not x.size or not values.size:
        return constant(invert, x.shape, bool_)
    if values.size <= 64 or x.dtype.kind == "c":
        found = any_of(lax.eq(*_crossed(x, values)), x.ndim)
    else:
        values = lax.sort(values)
        place = wrap(ops.BisectOp.bind(ops.ordered(values._node), ops.ordered(x._node), side="left"))
        found = lax.eq(values[lax.min(place, constant(values.size - 1, (), int32))], x)
    return ~found if invert else found


def _crossed(x: Array, values: Array) -> tuple[Array, Array]:
    """Every element beside every value, along a new last axis."""
    shape = (*x.shape, values.size)
    return lax.broadcast_in_dim(x, shape, range(x.ndim)), lax.broadcast_in_dim(values, shape, (x.ndim,))

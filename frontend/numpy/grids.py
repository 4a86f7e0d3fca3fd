"""Indices and coordinates by notation: `mgrid[0:3, 0:4]`, `r_[0:3, 5]`, index vectors of triangles and diagonals, open meshes.

What these give is known before anything runs: slices must have known ends.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.dtypes import bool_
from weft.lax.base import ArrayLike, convert, default_int
from weft.numpy.creation import arange, linspace, meshgrid
from weft.numpy.creation import array as make_array
from weft.numpy.manipulation import concatenate, stack
from weft.numpy.promotion import same_dtype
from weft.numpy.selection import nonzero

__all__ = [
    "c_", "diag_indices", "diag_indices_from", "index_exp", "ix_", "mask_indices", "mgrid", "ogrid", "r_", "s_",
    "tril_indices", "tril_indices_from", "triu_indices", "triu_indices_from",
]  # fmt: skip


# -- grids


def _range_of(entry: slice, name: str) -> Array:
    """The numbers of a slice; with an imaginary step, so many numbers, both ends among them."""
    start = 0 if entry.start is None else entry.start
    step = 1 if entry.step is None else entry.step
    if entry.stop is None:
        raise ValueError(f"jnp.{name} requires slices with a stop, got {entry}")
    if isinstance(step, complex):
        return linspace(start, entry.stop, int(abs(step)))
    return arange(start, entry.stop, step)


class _Grid:
    """Coordinate arrays of the grid that slices span: `grid[0:2, 0:3]`."""

    def __init__(self, name: str, dense: bool):
        self.name, self.dense = name, dense

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return _range_of(key, self.name)
        axes = [wrap(n) for n in same_dtype(*(_range_of(k, self.name) for k in key))] if key else []
        grids = meshgrid(*axes, sparse=not self.dense, indexing="ij")
        if not self.dense:
            return grids
        return stack(grids) if grids else arange(0)

    def __repr__(self) -> str:
        return f"weft.numpy.{self.name}"


mgrid = _Grid("mgrid", dense=True)
mgrid.__doc__ = "Full coordinate arrays of the grid that slices span, in one array."
ogrid = _Grid("ogrid", dense=False)
ogrid.__doc__ = "Coordinate arrays that broadcast to the grid that slices span."


class _Joined:
    """Arrays, numbers and ranges joined along an axis by writing them into brackets."""

    def __init__(self, name: str, axis: int, ndmin: int, place: int):
        self.name, self.defaults = name, (axis, ndmin, place)

    def __getitem__(self, key: Any) -> Array:
        entries = key if isinstance(key, tuple) else (key,)
        axis, rank, place = self.defaults
        matrix = None
        if isinstance(entries[0], str):
            if entries[0] in ("r", "c"):
                matrix = entries[0]
            else:
                axis, rank, place = self._directive(entries[0])
            entries = entries[1:]
        found = concatenate([self._part(e, rank, place) for e in entries], axis)
        if matrix is None or found.ndim > 1:
            return found
        return lax.expand_dims(found, (0,) if matrix == "r" else (1,))

    def _directive(self, text: str) -> tuple[int, int, int]:
        """ "axis,ndmin,place" as numbers, the later ones left out or not."""
        try:
            given = tuple(int(v) for v in text.split(","))
        except ValueError:
            raise ValueError(f"could not understand directive {text!r}") from None
        axis, rank, place = (*given, *self.defaults[len(given) :])
        return axis, rank, place

    def _part(self, entry: Any, rank: int, place: int) -> Array:
        if isinstance(entry, str):
            raise ValueError("string directive must be placed at the beginning")
        if isinstance(entry, slice):
            x = _range_of(entry, self.name)
            x = make_array(x, ndmin=rank)
            return x if place == -1 else lax.transpose(x, _swapped(x.ndim, place))
        x = make_array(entry)
        missing = rank - x.ndim
        x = make_array(x, ndmin=rank)
        if missing <= 0 or place == -1:
            return x
        front = place if place >= 0 else place + missing + 1
        axes = list(range(rank))
        return lax.transpose(x, axes[:front] + axes[missing:] + axes[front:missing]) if rank > 1 else x

    def __len__(self) -> int:
        return 0


def _swapped(rank: int, place: int) -> list[int]:
    order = list(range(rank))
    order[-1], order[place] = order[place], order[-1]
    return order


r_ = _Joined("r_", 0, 1, -1)
r_.__doc__ = "Numbers, ranges and arrays joined along the first axis: `r_[0:3, 5, x]`."
c_ = _Joined("c_", -1, 2, 0)
c_.__doc__ = "Numbers, ranges and arrays as columns side by side: `c_[0:3, x]`."


class _Index:
    """An index as it stands in brackets, as a value."""

    def __init__(self, tuples: bool):
        self.tuples = tuples

    def __getitem__(self, key: Any) -> Any:
        return (key,) if self.tuples and not isinstance(key, tuple) else key


index_exp = _Index(tuples=True)
s_ = _Index(tuples=False)


# -- index vectors


def _pairs(places: Iterable[tuple[int, int]]) -> tuple[Array, Array]:
    rows, columns = zip(*places, strict=True) if (places := list(places)) else ((), ())
    return make_array(list(rows), int), make_array(list(columns), int)


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """The indices of a matrix at and below its k-th diagonal."""
    n, k, m = operator.index(n), operator.index(k), operator.index(n if m is None else m)
    return _pairs((i, j) for i in range(n) for j in range(max(0, min(m, i + k + 1))))


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """The indices of a matrix at and above its k-th diagonal."""
    n, k, m = operator.index(n), operator.index(k), operator.index(n if m is None else m)
    return _pairs((i, j) for i in range(n) for j in range(max(0, i + k), m))


def _matrix_shape(arr: Any) -> tuple[int, int]:
    shape = arr.shape if hasattr(arr, "shape") else lift(arr).shape
    if len(shape) != 2:
        raise ValueError("Only 2-D inputs are accepted")
    return shape


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """`tril_indices` for the shape of a matrix."""
    n, m = _matrix_shape(arr)
    return tril_indices(n, k, m)


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """`triu_indices` for the shape of a matrix."""
    n, m = _matrix_shape(arr)
    return triu_indices(n, k, m)


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """The indices of the main diagonal of an array with `ndim` axes of size n."""
    n, ndim = operator.index(n), operator.index(ndim)
    if n < 0:
        raise ValueError(f"n argument to diag_indices must be nonnegative, got {n}")
    if ndim < 0:
        raise ValueError(f"ndim argument to diag_indices must be nonnegative, got {ndim}")
    return (lax.iota(default_int(), n),) * ndim


def diag_indices_from(arr: ArrayLike) -> tuple[Array, ...]:
    """`diag_indices` for the shape of an array, whose axes must have one size."""
    shape = lift(arr).shape
    if len(shape) < 2:
        raise ValueError("input array must be at least 2-d")
    if len(set(shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    return diag_indices(shape[0], len(shape))


def mask_indices(
    n: int, mask_func: Callable[[Array, int], Array], k: int = 0, *, size: int | None = None
) -> tuple[Array, ...]:
    """The indices where a function such as `triu` leaves something of an n x n matrix of ones."""
    from weft.numpy.creation import ones

    return nonzero(mask_func(ones((n, n)), k), size=size)


def ix_(*args: ArrayLike) -> tuple[Array, ...]:
    """Vectors as indices of all combinations of theirs: `x[ix_(rows, columns)]`. A boolean vector stands for the places where it holds."""
    found = []
    for k, a in enumerate(args):
        x = wrap(lift(a))
        if x.ndim != 1:
            raise ValueError(f"Arguments to jnp.ix_ must be 1-dimensional, got shape {x.shape}")
        if x.dtype is bool_:
            (x,) = nonzero(x)
        elif not x.size:
            x = wrap(convert(x._node, default_int()))
        found.append(lax.reshape(x, [x.shape[0] if j == k else 1 for j in range(len(args))]))
    return tuple(found)

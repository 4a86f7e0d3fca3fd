"""Counting: how many elements are equal to a number (`bincount`), or lie between two (`histogram`)."""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Sequence
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.dtypes import bool_, int32
from weft.errors import ConcretizationTypeError
from weft.lax.base import ArrayLike, concrete, constant, convert, default_int
from weft.numpy.creation import array as make_array
from weft.numpy.creation import linspace
from weft.numpy.elementwise import where
from weft.numpy.manipulation import ravel, reshape
from weft.numpy.promotion import promote_arrays, same_dtype, to_inexact
from weft.numpy.reductions import diff
from weft.numpy.reductions import max as max_of
from weft.numpy.reductions import min as min_of
from weft.numpy.reductions import sum as sum_of
from weft.numpy.selection import ravel_multi_index
from weft.numpy.sorting import searchsorted

__all__ = ["bincount", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]


def _array(x: Any) -> Array:
    return wrap(lift(x))


def bincount(x: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0, *, length: int | None = None) -> Array:
    """How often 0, 1, 2, … come in a vector of integers (negative ones count as 0), or the sums of their weights.

    `length` says how many numbers are counted, which is needed under `jit`; otherwise as many as the greatest asks for.
    """
    values = wrap(lift(x))
    if values.dtype is bool_:
        values = wrap(convert(values._node, int32))
    if not values.dtype.is_integer:
        raise TypeError(f"x argument to bincount must have an integer type; got {values.dtype}")
    if values.ndim != 1:
        raise ValueError("only 1-dimensional input supported.")
    minlength = operator.index(minlength)
    if length is None:
        try:
            length = builtins.max(minlength, int(max_of(values)) + 1 if values.size else 0)
        except ConcretizationTypeError as error:
            raise ConcretizationTypeError(
                "The length of the result of jnp.bincount depends on values that are not known while a function is traced: pass the argument `length`."
            ) from error
    if weights is None:
        mass = constant(1, values.shape, default_int())
    else:
        mass = wrap(lift(weights))
        if mass.shape != values.shape:
            raise ValueError(f"weights must have the shape of x, {values.shape}, got {mass.shape}")
    if values.dtype.kind == "i":
        values = lax.max(values, constant(0, (), values.dtype))
    return constant(0, (operator.index(length),), mass.dtype).at[values].add(mass, mode="drop")


def histogram_bin_edges(a: ArrayLike, bins: Any = 10, range: Any = None, weights: ArrayLike | None = None) -> Array:
    """The edges of bins: those given, or of as many equal ones between the least and the greatest element (or over `range`)."""
    if isinstance(bins, str):
        raise NotImplementedError("string values for `bins` not implemented.")
    x = _array(a)
    dtype = to_inexact(x.dtype)
    edges = None if isinstance(bins, int) else _array(bins)
    if edges is not None and edges.ndim == 1:
        return edges.astype(dtype)
    try:
        count = concrete(bins, "bins")
    except ConcretizationTypeError:
        raise
    except TypeError:
        raise TypeError(f"`bins` must be an integer or a vector of edges, got {bins!r}") from None
    if range is None:
        low, high = min_of(x), max_of(x)
    else:
        if lift(make_array(range)).shape != (2,):
            raise ValueError(f"`range` must be either None or a sequence of scalars, got {range}")
        low, high = range
    low, high = (wrap(lift(v)).astype(dtype) for v in (low, high))
    same = lax.eq(low, high)
    return linspace(where(same, low - 0.5, low), where(same, high + 0.5, high), count + 1, dtype=dtype)


def histogram(
    a: ArrayLike, bins: Any = 10, range: Any = None, weights: ArrayLike | None = None, density: bool | None = None
) -> tuple[Array, Array]:
    """How many elements (or how much weight) each bin holds, and the bins' edges; as a probability density if `density`. The last bin holds its upper edge too."""
    x, mass = _weighted(_array(a), weights, "weights should have the same shape as a.")
    edges = histogram_bin_edges(x, bins, range, weights)
    last = edges.shape[0] - 1
    place = where(x == edges[-1], last, searchsorted(edges, x, side="right"))
    counts = constant(0, (last + 1,), mass.dtype).at[ravel(place)].add(ravel(mass))[1:]
    if density:
        counts = counts / diff(edges) / sum_of(counts)
    return counts, edges


def _weighted(x: Array, weights: ArrayLike | None, message: str, axes: int | None = None) -> tuple[Array, Array]:
    """Elements and weights as floats of one dtype."""
    if weights is None:
        x = promote_arrays(x, inexact=True)[0]
        return x, constant(1, x.shape[:axes], x.dtype)
    mass = _array(weights)
    if mass.shape != x.shape[:axes]:
        raise ValueError(message)
    x, mass = (wrap(n) for n in same_dtype(x, mass))
    return wrap(convert(x._node, to_inexact(x.dtype))), wrap(convert(mass._node, to_inexact(mass.dtype)))


def histogram2d(
    x: ArrayLike,
    y: ArrayLike,
    bins: Any = 10,
    range: Any = None,
    weights: ArrayLike | None = None,
    density: bool | None = None,
) -> tuple[Array, Array, Array]:
    """`histogramdd` of points given by two vectors: counts, the edges along x, and those along y."""
    columns = [_array(v) for v in (x, y)]
    sample = lax.concatenate([lax.expand_dims(wrap(n), (1,)) for n in same_dtype(*columns)], 1)
    count = 1 if isinstance(bins, int) else len(bins)
    if count not in (1, 2):
        edges = _array(bins)
        bins = [edges, edges]
    counts, edges = histogramdd(sample, bins, range, weights, density)
    return counts, edges[0], edges[1]


def histogramdd(
    sample: ArrayLike, bins: Any = 10, range: Any = None, weights: ArrayLike | None = None, density: bool | None = None
) -> tuple[Array, list[Array]]:
    """How many points, the rows of `sample`, each bin of a grid holds, and the bins' edges along each axis."""
    x, mass = _weighted(_array(sample), weights, "should have one weight for each sample.", 1)
    if x.ndim != 2:
        raise ValueError(f"histogramdd: sample must be of rank 2, got shape {x.shape}")
    rank = x.shape[1]
    if range is not None and (len(range) != rank or any(r is not None and len(r) != 2 for r in range)):
        raise ValueError(
            f"For sample.shape={x.shape}, range must be a sequence of {rank} pairs or Nones; got range={range}"
        )
    ranges: Sequence[Any] = [None] * rank if range is None else range
    if isinstance(bins, int) or getattr(bins, "shape", None) == ():
        bins = [bins] * rank
    elif len(bins) != rank:
        raise ValueError("should be a bin for each dimension.")
    places: list[Array] = []
    edges: list[Array] = []
    for k in builtins.range(rank):
        column = x[:, k]
        found = histogram_bin_edges(column, bins[k], ranges[k])
        place = searchsorted(found, column, side="right")
        places.append(where(column == found[-1], place - 1, place))
        edges.append(found)
    shape = tuple(e.shape[0] + 1 for e in edges)
    total = bincount(
        ravel_multi_index(places, shape, mode="clip"), None if weights is None else mass, length=math.prod(shape)
    )
    counts = reshape(total, shape)[(slice(1, -1),) * rank]
    if density:
        counts = counts.astype(x.dtype)
        counts = counts / sum_of(counts)
        for k, e in enumerate(edges):
            counts = counts / reshape(diff(e), [e.shape[0] - 1 if j == k else 1 for j in builtins.range(rank)])
    return counts, edges

"""Quantiles: what stands at a given part of the way through the sorted elements."""

from __future__ import annotations

import math
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.node import Node
from weft.dialects.dtypes import int32
from weft.lax.base import ArrayLike, Axis, axis_indices, convert
from weft.lax.sorting import take_along
from weft.numpy.elementwise import clip, isnan, where
from weft.numpy.manipulation import broadcast_to, stack
from weft.numpy.promotion import promote_arrays, same_dtype, to_inexact
from weft.numpy.reductions import any as any_of
from weft.numpy.reductions import sum as sum_of

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

METHODS = ("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf")


def quantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: ArrayLike | None = None,
) -> Array:
    """The value below which a part q (0 to 1, a scalar or a vector) of the elements over axes lies; NaN if one of them is NaN.

    Between two elements `method` decides: linear, lower, higher, midpoint, nearest; inverted_cdf takes the first element at which the (weighted) count reaches q.
    """
    return _quantile("quantile", a, q, 1.0, axis, out, overwrite_input, method, keepdims, weights, False)


def percentile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: ArrayLike | None = None,
) -> Array:
    """`quantile` with q in percent."""
    return _quantile("percentile", a, q, 100.0, axis, out, overwrite_input, method, keepdims, weights, False)


def nanquantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: ArrayLike | None = None,
) -> Array:
    """`quantile` of the elements that are not NaN."""
    return _quantile("nanquantile", a, q, 1.0, axis, out, overwrite_input, method, keepdims, weights, True)


def nanpercentile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: ArrayLike | None = None,
) -> Array:
    """`percentile` of the elements that are not NaN."""
    return _quantile("nanpercentile", a, q, 100.0, axis, out, overwrite_input, method, keepdims, weights, True)


def median(
    a: ArrayLike, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    """The element in the middle over axes, or the mean of the two there; NaN if one of them is NaN."""
    return quantile(a, 0.5, axis, out, overwrite_input, "midpoint", keepdims)


def nanmedian(
    a: ArrayLike, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    """`median` of the elements that are not NaN."""
    return nanquantile(a, 0.5, axis, out, overwrite_input, "midpoint", keepdims)


def _quantile(
    name: str,
    a: ArrayLike,
    q: ArrayLike,
    whole: float,
    axis: Axis,
    out: None,
    overwrite_input: bool,
    method: str,
    keepdims: bool,
    weights: ArrayLike | None,
    ignore_nan: bool,
) -> Array:
    if overwrite_input or out is not None:
        raise ValueError(f"jnp.{name} does not support overwrite_input=True or out != None")
    if method not in METHODS:
        raise ValueError(f"method can only be {', '.join(map(repr, METHODS[:-1]))} or {METHODS[-1]!r}")
    part = promote_arrays(q, inexact=True)[0]
    part = part if whole == 1.0 else lax.div(part, wrap(lift(whole)).astype(part.dtype))
    if part.ndim > 1:
        raise ValueError(f"q must be have rank <= 1, got shape {part.shape}")
    node = lift(a)
    if node.dtype.kind == "c":
        raise ValueError("quantile does not support complex input, as the operation is poorly defined.")
    axes = axis_indices(axis, node.ndim)
    mass = None
    if weights is None:
        x = promote_arrays(wrap(node), inexact=True)[0]
    else:
        if method != "inverted_cdf":
            raise NotImplementedError(f"{method} doesn't support weights. Only method 'inverted_cdf' supports weights.")
        x, mass = _weighted(node, lift(weights), axis, axes)
    kept = tuple(k for k in range(x.ndim) if k not in axes)

    def lines(v: Array) -> Array:
        """The reduced axes as one, the last."""
        return lax.reshape(
            lax.transpose(v, (*kept, *axes)), (*(v.shape[k] for k in kept), math.prod(v.shape[k] for k in axes))
        )

    found = _of_lines(lines(x), part, method, None if mass is None else lines(mass), ignore_nan)
    found = wrap(convert(found._node, x.dtype))
    return lax.expand_dims(found, tuple(k + part.ndim for k in axes)) if keepdims and axes else found


def _weighted(node: Node, weights: Node, axis: Axis, axes: tuple[int, ...]) -> tuple[Array, Array]:
    if weights.dtype.kind == "c":
        raise ValueError("Weights cannot be complex types.")
    x, mass = (wrap(convert(n, to_inexact(n.dtype))) for n in same_dtype(wrap(node), wrap(weights)))
    if mass.shape != x.shape:
        if axis is None:
            raise ValueError("Weights shape must match 'a' shape when axis is None.")
        if mass.shape != tuple(x.shape[k] for k in axes):
            raise ValueError(f"Weights shape {mass.shape} must match reduction axes {tuple(x.shape[k] for k in axes)}")
        mass = lax.broadcast_in_dim(mass, x.shape, axes)
    return x, mass


def _of_lines(x: Array, part: Array, method: str, mass: Array | None, ignore_nan: bool) -> Array:
    """Quantiles along the last axis: the axes of `part`, then those of the lines."""
    last, size = x.ndim - 1, x.shape[-1]
    if not ignore_nan:
        x = where(any_of(isnan(x), last, keepdims=True), math.nan, x)
    count: Any = sum_of(~isnan(x), last, part.dtype) if ignore_nan else wrap(lift(float(size))).astype(part.dtype)
    if method == "inverted_cdf":
        x, mass = (lax.sort(x, last), None) if mass is None else lax.sort_key_val(x, mass, last)
        return _inverted(x, part, mass, count, ignore_nan)
    place = lax.expand_dims(part, range(part.ndim, x.ndim - 1 + part.ndim)) * (count - 1)
    low, high = lax.floor(place), lax.ceil(place)
    above = place - low
    chosen = {"lower": low, "higher": high, "nearest": where(above <= 0.5, low, high)}.get(method, stack([low, high]))
    inside = clip(chosen, 0, lax.max(count - 1, count * 0)).astype(int32)
    found = _picked(x, inside, chosen.ndim - (x.ndim - 1), ranks=True)
    if method == "midpoint":
        return (found[0] + found[1]) * 0.5
    if method == "linear":
        return found[0].astype(part.dtype) * (1 - above) + found[1].astype(part.dtype) * above
    return found


def _picked(x: Array, index: Array, front: int, ranks: bool = False) -> Array:
    """From each line of x the elements at indices (or of such ranks), whose `front` first axes are the results'."""
    outer = x.ndim - 1
    index = broadcast_to(index, (*index.shape[:front], *x.shape[:-1]))
    behind = lax.transpose(index, (*range(front, index.ndim), *range(front)))
    places = lax.reshape(behind, (*x.shape[:-1], math.prod(index.shape[:front])))
    if ranks:
        places = wrap(ops.ArgselectOp.bind(x._node, places._node))
    found = lax.reshape(take_along(x, places, outer), behind.shape)
    return lax.transpose(found, (*range(outer, found.ndim), *range(outer)))


def _inverted(x: Array, part: Array, mass: Array | None, count: Array, ignore_nan: bool) -> Array:
    """The first element at which the running weight reaches a part of the whole."""
    last, missing = x.ndim - 1, isnan(x)
    mass = lax.full_like(x, 1.0) if mass is None else mass
    bad = (mass < 0) | isnan(mass)
    running = lax.cumsum(where(bad | missing, 0.0, mass), last)
    whole = lax.index_in_dim(running, -1, last, keepdims=False) if x.shape[last] else sum_of(running, last)
    wanted = lax.expand_dims(part, range(part.ndim, part.ndim + whole.ndim)) * whole
    less = lax.expand_dims(running, range(part.ndim)) < lax.expand_dims(wanted, (wanted.ndim,))
    index = sum_of(less, less.ndim - 1).astype(int32)
    index = lax.min(index, broadcast_to((count - 1).astype(int32), index.shape))
    found = _picked(x, lax.max(index, index * 0), part.ndim)
    wrong = any_of(bad, last) | (count == 0 if ignore_nan else any_of(missing, last))
    return where(wrong, math.nan, found)

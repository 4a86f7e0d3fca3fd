"""What samples are like (`jax.scipy.stats`): the most frequent value, ranks, and the standard error of the mean. All by sorting; runs of equal elements are counted where they end."""

from __future__ import annotations

from typing import NamedTuple

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.lax.base import ArrayLike, axis_index, default_float
from weft.numpy.linalg import inexact

__all__ = ["ModeResult", "mode", "rankdata", "sem"]

RANKS = ("average", "min", "max", "dense", "ordinal")


class ModeResult(NamedTuple):
    """The most frequent value, and how often it occurs."""

    mode: Array
    count: Array


def _check_nans(name: str, policy: str) -> None:
    if policy not in ("propagate", "omit", "raise"):
        raise ValueError(f"Illegal nan_policy value {policy!r}; expected one of {{'propagate', 'omit', 'raise'}}")
    if policy != "propagate":
        raise NotImplementedError(
            f"{name}: nan_policy={policy!r} is not implemented: whether there are NaNs is not known while a function is compiled"
        )


def _starts(ordered: Array) -> Array:
    """Where a run of equal elements starts along the last axis. NaNs are equal."""
    before, after = ordered[..., :-1], ordered[..., 1:]
    new = (before != after) & ((before == before) | (after == after))
    return wnp.concatenate([wnp.ones_like(ordered[..., :1], bool), new], -1)


def _places(x: Array) -> Array:
    return lax.broadcasted_iota("int32", x.shape, x.ndim - 1)


def mode(a: ArrayLike, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False) -> ModeResult:
    """The most frequent value along an axis (None: of all elements), the least of several, and its count.

    Raises NotImplementedError for the NaN policies "omit" and "raise", ValueError for others than "propagate".
    """
    _check_nans("mode", nan_policy)
    x = wnp.atleast_1d(a)
    rank = x.ndim
    x, axis = (x.ravel(), 0) if axis is None else (x, axis_index(axis, rank))
    ordered = wnp.moveaxis(wnp.sort(x, axis), axis, -1)
    if not ordered.shape[-1]:
        found = wnp.full(ordered.shape[:-1], wnp.nan, default_float()), wnp.zeros(ordered.shape[:-1])
    else:
        places = _places(ordered)
        counts = places - lax.cummax(wnp.where(_starts(ordered), places, 0), axis=ordered.ndim - 1) + 1
        best = wnp.argmax(counts, -1, keepdims=True)
        found = wnp.take_along_axis(ordered, best, -1)[..., 0], counts.max(-1)
    if keepdims:
        kept = [1] * rank if ordered.ndim < rank else [1 if k == axis else n for k, n in enumerate(x.shape)]
        found = found[0].reshape(kept), found[1].reshape(kept)
    return ModeResult(*found)


def rankdata(a: ArrayLike, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate") -> Array:
    """The ranks of elements, from 1, along an axis (None: of all elements, as a vector). NaN where there is a NaN.

    Equal elements have the mean of their ranks ("average"), the least ("min") or the greatest ("max"), one rank with none left out ("dense"), or those in which they stand ("ordinal").
    Raises ValueError for another method, and for NaN policies as of `mode`.
    """
    _check_nans("rankdata", nan_policy)
    if method not in RANKS:
        raise ValueError(f"unknown method '{method}', expected one of {RANKS}")
    x = wnp.asarray(a)
    x, axis = (x.ravel(), 0) if axis is None else (x, axis_index(axis, x.ndim))
    x = wnp.moveaxis(x, axis, -1)
    last, places = x.ndim - 1, _places(x)
    ordered, sorter = lax.sort_key_val(x, places, dimension=-1)
    starts = _starts(ordered)
    ends = wnp.concatenate([starts[..., 1:], wnp.ones_like(starts[..., :1])], -1)[..., : x.shape[-1]]
    first = lax.cummax(wnp.where(starts, places, 0), axis=last) + 1
    final = lax.cummin(wnp.where(ends, places, x.shape[-1]), axis=last, reverse=True) + 1
    real = default_float()
    if method == "dense":
        ranks = lax.cumsum(starts.astype("int32"), axis=last).astype(real)
    elif method == "average":
        ranks = 0.5 * (first + final).astype(real)
    else:
        ranks = {"min": first, "max": final, "ordinal": places + 1}[method].astype(real)
    ranks = wnp.take_along_axis(ranks, wnp.argsort(sorter, -1), -1)
    if x.dtype.is_inexact:
        ranks = wnp.where(wnp.any(wnp.isnan(x), -1, keepdims=True), wnp.nan, ranks)
    return wnp.moveaxis(ranks, -1, axis)


def sem(
    a: ArrayLike, axis: int | None = 0, ddof: int = 1, nan_policy: str = "propagate", *, keepdims: bool = False
) -> Array:
    """The standard error of the mean over an axis (None: over all): the standard deviation by the root of the number. `nan_policy="omit"` leaves NaNs out; others than it and "propagate" raise ValueError."""
    (x,) = inexact(a)
    if nan_policy == "propagate":
        size = x.size if axis is None else x.shape[axis]
        return x.std(axis, ddof=ddof, keepdims=keepdims) / lax.sqrt(wnp.asarray(size, x.dtype))
    if nan_policy != "omit":
        raise ValueError(f"{nan_policy} is not supported")
    count = (~wnp.isnan(x)).sum(axis, keepdims=keepdims)
    return wnp.nanstd(x, axis, ddof=ddof, keepdims=keepdims) / lax.sqrt(count.astype(x.dtype))

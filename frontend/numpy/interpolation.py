"""The piecewise linear function through points."""

from __future__ import annotations

import builtins

from weft import lax
from weft.array import Array, wrap
from weft.lax.base import ArrayLike, constant, convert
from weft.numpy.dtypes import finfo
from weft.numpy.elementwise import clip, remainder, where
from weft.numpy.manipulation import concatenate
from weft.numpy.promotion import promote_arrays, same_dtype, to_inexact
from weft.numpy.sorting import argsort, searchsorted

__all__ = ["interp"]


def interp(
    x: ArrayLike,
    xp: ArrayLike,
    fp: ArrayLike,
    left: ArrayLike | str | None = None,
    right: ArrayLike | str | None = None,
    period: ArrayLike | None = None,
) -> Array:
    """The piecewise linear function through points, at x.

    Outside: the first or last value, or what `left` and `right` say ("extrapolate": the line goes on). With a period, xp need not be sorted.
    """
    for name, side in (("left", left), ("right", right)):
        if isinstance(side, str) and side != "extrapolate":
            raise ValueError(f"the only valid string value of `{name}` is 'extrapolate', but got: {side}")
    nodes = same_dtype(x, xp)
    if nodes[0].dtype.kind == "c":
        raise ValueError("interp: the places x and xp must be real, got complex ones, which have no order")
    at, places = (wrap(convert(n, to_inexact(n.dtype), n.aval.weak_type)) for n in nodes)
    (values,) = promote_arrays(fp, inexact=True)
    if places.ndim != 1 or places.shape != values.shape:
        raise ValueError("xp and fp must be one-dimensional arrays of equal size")
    if period is not None:
        span = lax.convert_element_type(period, places.dtype)
        if span.ndim:
            raise ValueError(f"period must be a scalar; got {period}")
        span = lax.abs(span)
        at, places = remainder(at, span), remainder(places, span)
        order = argsort(places)
        places, values = places[order], values[order]
        places = concatenate([places[-1:] - span, places, places[:1] + span])
        values = concatenate([values[-1:], values, values[:1]])
    i = clip(searchsorted(places, at, side="right"), 1, builtins.max(1, places.shape[0] - 1))
    low, high = values[i - 1], values[i]
    start = places[i - 1]
    width = places[i] - start
    tiny = lax.abs(width) <= float(finfo(places.dtype).eps) ** 2
    slope = where(tiny, constant(0, (), width.dtype), at - start) / where(tiny, constant(1, (), width.dtype), width)
    found = low + slope * (high - low)
    if not isinstance(left, str):
        found = where(at < places[0], values[0] if left is None or period is not None else left, found)
    if not isinstance(right, str):
        found = where(at > places[-1], values[-1] if right is None or period is not None else right, found)
    return found

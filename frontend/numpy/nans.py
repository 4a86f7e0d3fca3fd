"""Reductions that leave NaN out: each is the plain one, of what is left when a neutral element stands for NaN or a mask hides it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.lax.base import ArrayLike, Axis, DTypeLike, constant
from weft.numpy import reductions
from weft.numpy.elementwise import isnan, logical_and
from weft.numpy.elementwise import where as where_
from weft.numpy.promotion import highest, lowest, promote_arrays

__all__ = [
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum",
    "nanvar",
]  # fmt: skip

Where = ArrayLike | None


def _without(x: Array, neutral: Any) -> Array:
    """x with the neutral element in the place of NaN."""
    return where_(isnan(x), constant(neutral, (), x.dtype), x) if x.dtype.is_inexact else x


def _total(name: str, neutral: int) -> Callable[..., Array]:
    def f(
        a: ArrayLike,
        axis: Axis = None,
        dtype: DTypeLike = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: Where = None,
    ) -> Array:
        x = _without(wrap(lift(a)), neutral)
        return getattr(reductions, name)(x, axis, dtype, out, keepdims, initial, where)

    return f


def _extreme(name: str, neutral: Callable[..., Any]) -> Callable[..., Array]:
    def f(
        a: ArrayLike,
        axis: Axis = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: Where = None,
    ) -> Array:
        x = wrap(lift(a))
        found = getattr(reductions, name)(_without(x, neutral(x.dtype)), axis, out, keepdims, initial, where)
        if initial is not None or not x.dtype.is_inexact:
            return found
        return where_(reductions.all(isnan(x), axis, keepdims=keepdims), math.nan, found)

    return f


def _named(f: Callable[..., Array], name: str, doc: str) -> Callable[..., Array]:
    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    return f


nansum = _named(_total("sum", 0), "nansum", "The sum over axes, NaN counted as 0.")
nanprod = _named(_total("prod", 1), "nanprod", "The product over axes, NaN counted as 1.")
nanmax = _named(
    _extreme("max", lowest), "nanmax", "The greatest element over axes that is not NaN; NaN if there is none."
)
nanmin = _named(
    _extreme("min", highest), "nanmin", "The least element over axes that is not NaN; NaN if there is none."
)


def _known(x: Array, where: Where) -> Array:
    """Where there is an element that counts."""
    return ~isnan(x) if where is None else logical_and(~isnan(x), where)


def nanmean(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: None = None,
    keepdims: bool = False,
    where: Where = None,
) -> Array:
    """The mean over axes of what is not NaN."""
    x = wrap(lift(a))
    return reductions.mean(x, axis, dtype, out, keepdims, where=_known(x, where) if x.dtype.is_inexact else where)


def nanvar(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: None = None,
    ddof: int = 0,
    keepdims: bool = False,
    where: Where = None,
    mean: ArrayLike | None = None,
) -> Array:
    """The variance over axes of what is not NaN."""
    (x,) = promote_arrays(a, inexact=True)
    held = _known(x, where)
    # NaN is replaced too, so that no derivative passes through it
    return reductions.var(_without(x, 0), axis, dtype, out, ddof, keepdims, where=held, mean=mean)


def nanstd(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: None = None,
    ddof: int = 0,
    keepdims: bool = False,
    where: Where = None,
    mean: ArrayLike | None = None,
) -> Array:
    """The standard deviation over axes of what is not NaN."""
    return lax.sqrt(nanvar(a, axis, dtype, out, ddof, keepdims, where, mean))


def _argument(name: str, neutral: Callable[..., Any]) -> Callable[..., Array]:
    def f(a: ArrayLike, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
        x = wrap(lift(a))
        found = getattr(reductions, name)(_without(x, neutral(x.dtype)), axis, out, keepdims)
        if not x.dtype.is_inexact:
            return found
        return where_(reductions.all(isnan(x), axis, keepdims=bool(keepdims)), -1, found)

    return f


nanargmax = _named(
    _argument("argmax", lowest), "nanargmax", "Where the greatest element that is not NaN stands; -1 if there is none."
)
nanargmin = _named(
    _argument("argmin", highest), "nanargmin", "Where the least element that is not NaN stands; -1 if there is none."
)


def nancumsum(a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None, out: None = None) -> Array:
    """Running sums along an axis (of all elements if None), NaN counted as 0."""
    return reductions.cumsum(_without(wrap(lift(a)), 0), axis, dtype, out)


def nancumprod(a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None, out: None = None) -> Array:
    """Running products along an axis (of all elements if None), NaN counted as 1."""
    return reductions.cumprod(_without(wrap(lift(a)), 1), axis, dtype, out)

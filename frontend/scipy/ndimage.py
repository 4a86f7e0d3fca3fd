"""Images at places between their elements (`jax.scipy.ndimage`)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array

MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def _mirrored(index: Array, size: int) -> Array:
    """Without the edge twice: c b a b c b a …"""
    last = max(size - 1, 1)
    return wnp.abs((index + last) % (2 * last) - last) if size > 1 else wnp.zeros_like(index)


def _fixed(index: Array, size: int, mode: str) -> Array:
    """An index within the axis."""
    if mode == "nearest":
        return wnp.clip(index, 0, size - 1)
    if mode == "wrap":
        return index % size
    if mode == "mirror":
        return _mirrored(index, size)
    if mode == "reflect":
        return _mirrored(2 * index + 1, 2 * size + 1) // 2
    return index


def map_coordinates(
    input: Any, coordinates: Sequence[Any], order: int, mode: str = "constant", cval: Any = 0.0
) -> Array:
    """The input at coordinates, one array of them per axis: the nearest element (order 0) or a mean of neighbours (order 1).

    `mode` says what is beyond the edges: "constant" (cval), "nearest", "wrap", "mirror" or "reflect". Raises ValueError for coordinates of another number, NotImplementedError for another
    order or mode.
    """
    image = wnp.asarray(input)
    places = [wnp.asarray(c) for c in coordinates]
    if len(places) != image.ndim:
        raise ValueError(f"coordinates must be a sequence of length input.ndim, but {len(places)} != {image.ndim}")
    if mode not in MODES:
        raise NotImplementedError(
            f"map_coordinates does not yet support mode {mode}. Currently supported modes are {set(MODES)}."
        )
    if order not in (0, 1):
        raise NotImplementedError("map_coordinates currently requires order<=1")
    axes = []
    for place in places:
        floating = place if place.dtype.kind == "f" else place.astype(float)
        if order == 0:
            axes.append([(_rounded(floating), wnp.ones_like(floating))])
            continue
        low = lax.floor(floating)
        upper = floating - low
        axes.append([(low.astype("int32"), 1 - upper), (low.astype("int32") + 1, upper)])
    total = None
    for corner in itertools.product(*axes):
        index = tuple(_fixed(i, n, mode) for (i, _), n in zip(corner, image.shape, strict=True))
        if mode == "constant":
            fits = [(i >= 0) & (i < n) for i, n in zip(index, image.shape, strict=True)]
            safe = tuple(wnp.where(f, i, 0) for f, i in zip(fits, index, strict=True))
            inside = fits[0]
            for f in fits[1:]:
                inside = inside & f
            value = wnp.where(inside, image[safe], wnp.asarray(cval, image.dtype))
        else:
            value = image[index]
        for _, weight in corner:
            value = value * weight if order else value
        total = value if total is None else total + value
    assert total is not None
    if order and image.dtype.is_integer:
        total = wnp.round(total)
    return total.astype(image.dtype)


def _rounded(x: Array) -> Array:
    """The nearest integer, halfway away from zero."""
    return lax.round(x).astype("int32")

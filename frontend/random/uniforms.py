"""Bits, and what is uniform: floats, integers, truth values. Every other distribution is a function of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array.ops import RandomBitsOp
from weft.dialects.dtypes import DType, uint32
from weft.host import canonical
from weft.lax.base import shape_of
from weft.random.keys import enciphered, single, split

__all__ = ["bernoulli", "bits", "rademacher", "randint", "uniform"]

MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
"""Bits of a float behind the point."""

TINY = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}
"""The least normal float."""

_ONE = {"float16": 0x3C00, "bfloat16": 0x3F80, "float32": 0x3F800000, "float64": 0x3FF0000000000000}
"""The bits of 1."""


def float_dtype(dtype: Any, name: str) -> DType:
    """The dtype of a distribution of floats. Raises ValueError for any other."""
    dtype = canonical(float if dtype is None else dtype)
    if dtype.name not in MANTISSA:
        raise ValueError(f"dtype argument to `{name}` must be a float dtype, got {dtype}")
    return dtype


def int_dtype(dtype: Any) -> DType:
    """The dtype of a distribution of integers."""
    return canonical(int if dtype is None else dtype)


def spread(name: str, shape: Sequence[int] | None, *params: Any) -> tuple[int, ...]:
    """The shape of samples: as given, or that of the parameters. Raises ValueError if the parameters do not broadcast to it."""
    shapes = [lift(p).shape for p in params]
    if shape is None:
        return wnp.broadcast_shapes(*shapes)
    found = shape_of(shape)
    try:
        fits = wnp.broadcast_shapes(found, *shapes) == found
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} parameter shapes must be broadcast-compatible with shape argument, and the result of broadcasting the shapes must equal the "
            f"shape argument, but got the shapes {', '.join(map(str, shapes))} and the shape argument {found}"
        )
    return found


def bits(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Uniform bits: unsigned integers of 8, 16, 32 or 64 bits."""
    words, shape = single(key, "bits"), shape_of(shape)
    dtype = canonical(uint32 if dtype is None else dtype)
    if dtype.kind != "u":
        raise ValueError(f"dtype argument to `bits` must be an unsigned int dtype, got {dtype}")
    if dtype.bits == 64:
        x, y = enciphered(words, shape)
        return (x.astype(dtype) << wnp.array(32, dtype)) | y.astype(dtype)
    drawn = wrap(RandomBitsOp.bind(lift(words), shape=shape))
    return drawn if dtype.bits == 32 else drawn.astype(dtype)


def _unit(key: Any, shape: tuple[int, ...], dtype: DType) -> Array:
    """Uniform in [0, 1): random bits behind the point of a number in [1, 2), less 1."""
    width, mantissa = dtype.bits, MANTISSA[dtype.name]
    drawn = max(width, 32)  # devices have no 8 and 16 bits of their own: the low ones of a word
    if width == 16:
        used = 8 if mantissa < 8 else 16
        word = bits(key, shape) & wnp.uint32((1 << used) - 1)
        return (word >> wnp.uint32(used - mantissa)).astype("float32").astype(dtype) * wnp.array(2.0**-mantissa, dtype)
    integer = f"uint{drawn}"
    pattern = (bits(key, shape, integer) >> wnp.array(width - mantissa, integer)) | wnp.array(_ONE[dtype.name], integer)
    return lax.bitcast_convert_type(pattern, dtype) - wnp.array(1.0, dtype)


def uniform(
    key: Any,
    shape: Sequence[int] = (),
    dtype: Any = None,
    minval: Any = 0.0,
    maxval: Any = 1.0,
    *,
    out_sharding: Any = None,
) -> Array:
    """Uniform numbers in [minval, maxval)."""
    words, dtype = single(key, "uniform"), float_dtype(dtype, "uniform")
    shape = spread("uniform", shape, minval, maxval)
    low, high = (wnp.asarray(v, dtype) for v in (minval, maxval))
    return lax.max(*wnp.broadcast_arrays(low, _unit(words, shape, dtype) * (high - low) + low))


def randint(
    key: Any, shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Uniform integers in [minval, maxval), from two words each (the bias is below 2 ** -32 times the span). Bounds are held within the dtype.

    Raises TypeError for a dtype that is no integer.
    """
    words, dtype = single(key, "randint"), int_dtype(dtype)
    if not dtype.is_integer:
        raise TypeError(f"randint only accepts integer dtypes, got {dtype}")
    shape = spread("randint", shape, minval, maxval)
    if dtype.bits < 32:
        most, least = wnp.iinfo(dtype).max, wnp.iinfo(dtype).min
        low = wnp.clip(wnp.asarray(minval).astype("int32"), least, most)
        high = wnp.clip(wnp.asarray(maxval).astype("int32"), least, most + 1)
        return randint(key, shape, low, high, "int32").astype(dtype)
    unsigned = f"uint{dtype.bits}"
    beyond = _above(maxval, dtype)
    low, high = _held(minval, dtype), _held(maxval, dtype)
    upper, lower = (bits(k, shape, unsigned) for k in split(words))
    span = wnp.where(high <= low, wnp.array(1, unsigned), (high - low).astype(unsigned))
    span = wnp.where(beyond & (high > low), span + wnp.array(1, unsigned), span)
    factor = wnp.array(1 << (dtype.bits // 2), unsigned) % span
    factor = factor * factor % span
    return low + ((upper % span * factor + lower % span) % span).astype(dtype)


def _held(bound: Any, dtype: DType) -> Array:
    """A bound of integers within a dtype."""
    limits = wnp.iinfo(dtype)
    if isinstance(bound, int):
        return wnp.asarray(min(max(bound, limits.min), limits.max), dtype)
    bound = wnp.asarray(bound)
    if not bound.dtype.is_integer:
        bound = bound.astype(int)
    if bound.dtype.kind != dtype.kind or bound.dtype.bits > dtype.bits:
        own = wnp.iinfo(bound.dtype)
        bound = wnp.clip(bound, max(own.min, limits.min), min(own.max, limits.max))
    return bound.astype(dtype)


def _above(bound: Any, dtype: DType) -> Any:
    """Whether a bound is greater than what the dtype holds: the greatest number is drawn, too, then."""
    most = wnp.iinfo(dtype).max
    if isinstance(bound, int):
        return bound > most
    bound = wnp.asarray(bound)
    return bound > most if bound.dtype.is_integer and wnp.iinfo(bound.dtype).max > most else False


def bernoulli(
    key: Any, p: Any = 0.5, shape: Sequence[int] | None = None, mode: str = "low", *, out_sharding: Any = None
) -> Array:
    """True with probability p. The mode "high" draws twice, for probabilities below the distance of the uniform numbers."""
    words = single(key, "bernoulli")
    if mode not in ("high", "low"):
        raise ValueError(f"got {mode=}, expected 'high' or 'low'")
    p = wnp.asarray(p)
    if p.dtype.kind != "f":
        raise TypeError(f"bernoulli probability `p` must have a floating dtype, got {p.dtype}.")
    shape = spread("bernoulli", shape, p)
    if mode == "high":
        coarse, fine = uniform(words, (2, *shape), p.dtype)
        return fine * 2.0 ** -MANTISSA[p.dtype.name] < p - coarse
    return uniform(words, shape, p.dtype) < p


def rademacher(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """1 or -1."""
    return (2 * bernoulli(key, 0.5, shape_of(shape)).astype("int32") - 1).astype(int_dtype(dtype))


def scaled(value: float, dtype: DType) -> Array:
    """A number in a dtype."""
    return wnp.array(value, dtype)


ROOT_2 = math.sqrt(2)

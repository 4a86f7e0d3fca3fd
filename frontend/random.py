"""Random numbers as JAX makes them: from explicit keys, by Threefry-2x32, bit for bit.

A key is a uint32 array whose last axis holds its two words. The same key gives the same numbers on every device, eagerly and under `jit` and `vmap`; `split` gives new keys,
and so does `fold_in` with a number. Positions are enciphered one by one (JAX's `jax_threefry_partitionable`, its default), so that making them parallelises.

J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array.ops import RandomBitsOp
from weft.dialects.dtypes import DType, uint32
from weft.host import canonical
from weft.lax.base import axis_index, shape_of

MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
"""Bits of a float behind the point."""

TINY = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}
"""The least normal float."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


# -- keys ---------------------------------------------------------------------------------------------------------------------------------


def key(seed: int | Array) -> Array:
    """A key from an integer. Its words are the seed's high and low 32 bits."""
    if isinstance(seed, Array):
        words = seed.astype(uint32)
        return wnp.stack([wnp.zeros_like(words), words])
    try:
        value = operator.index(seed)
    except TypeError as error:
        raise TypeError(f"PRNG key seed must be an integer; got {seed!r}") from error
    # JAX takes a seed as int32 where 64-bit types are off: the high word is the low word's sign bits shifted out, zero.
    high = (value >> 32) & 0xFFFFFFFF if canonical(int).bits == 64 else 0
    return wnp.array([high, value & 0xFFFFFFFF], dtype=uint32)


PRNGKey = key


def key_data(key: Array) -> Array:
    """The words of a key: weft's keys are their words."""
    return _checked(key)


def wrap_key_data(words: Array) -> Array:
    """A key from its words."""
    return _checked(words)


def _checked(keys: Any) -> Array:
    array = wrap(lift(keys))
    if array.dtype != uint32 or array.shape[-1:] != (2,):
        raise TypeError(
            f"expected a PRNG key (uint32 with a last axis of 2, from random.key or random.split), got {lift(array).aval}"
        )
    return array


def _single(keys: Any, name: str) -> Array:
    array = _checked(keys)
    if array.ndim != 1:
        raise ValueError(
            f"{name} accepts a single key, but was given a key array of shape {array.shape[:-1]}. Use weft.vmap for batching."
        )
    return array


def _encipher(keys: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds: two words under a key."""
    k0, k1 = keys[..., 0], keys[..., 1]
    schedule = (k0, k1, k0 ^ k1 ^ wnp.uint32(_PARITY))
    x, y = high + k0, low + k1
    for step in range(5):
        for by in _ROTATIONS[step % 2]:
            x = x + y
            y = ((y << wnp.uint32(by)) | (y >> wnp.uint32(32 - by))) ^ x
        x = x + schedule[(step + 1) % 3]
        y = y + schedule[(step + 2) % 3] + wnp.uint32(step + 1)
    return x, y


def split(key: Array, num: int | Sequence[int] = 2) -> Array:
    """New keys, as many as `num` (or in the shape `num`): uint32[num, 2]."""
    key = _single(key, "split")
    shape = shape_of(num, "num")
    low = lax.iota(uint32, math.prod(shape)).reshape(shape)
    return wnp.stack(_encipher(key, wnp.zeros_like(low), low), axis=-1)


def fold_in(key: Array, data: int | Array) -> Array:
    """A new key from a key and an integer."""
    key = _single(key, "fold_in")
    low = data.astype(uint32) if isinstance(data, Array) else wnp.uint32(operator.index(data) & 0xFFFFFFFF)
    if low.ndim:
        raise TypeError(f"fold_in accepts a scalar, but was given an array of shape {low.shape}")
    return wnp.stack(_encipher(key, wnp.zeros_like(low), low), axis=-1)


# -- bits and uniform numbers -------------------------------------------------------------------------------------------------------------


def bits(key: Array, shape: Sequence[int] = (), dtype: Any = uint32) -> Array:
    """Uniform bits: unsigned integers of 8, 16, 32 or 64 bits."""
    key, shape = _single(key, "bits"), shape_of(shape)
    dtype = canonical(dtype)
    if dtype.kind != "u":
        raise TypeError(f"dtype argument to `bits` must be an unsigned int dtype, got {dtype}")
    if dtype.bits == 64:
        low = lax.iota(uint32, math.prod(shape)).reshape(shape)
        x, y = _encipher(key, wnp.zeros_like(low), low)
        return (x.astype(dtype) << wnp.array(32, dtype)) | y.astype(dtype)
    words = wrap(RandomBitsOp.bind(lift(key), shape=shape))
    return words if dtype.bits == 32 else words.astype(dtype)


def _float_dtype(dtype: Any, name: str) -> DType:
    dtype = canonical(dtype)
    if dtype.name not in MANTISSA:
        raise ValueError(f"dtype argument to `{name}` must be a float dtype, got {dtype}")
    return dtype


def _unit(keys: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    """Uniform in [0, 1): random bits behind the point of a number in [1, 2), less 1."""
    width, mantissa = dtype.bits, MANTISSA[dtype.name]
    if width == 16:  # as many of the 32 bits as a half has
        word = bits(keys, shape) & wnp.uint32(0xFFFF)
        return ((word >> wnp.uint32(16 - mantissa)).astype(dtype) * wnp.array(2.0**-mantissa, dtype)).astype(dtype)
    integer = f"uint{width}"
    one = wnp.array({32: 0x3F800000, 64: 0x3FF0000000000000}[width], integer)
    pattern = (bits(keys, shape, integer) >> wnp.array(width - mantissa, integer)) | one
    return lax.bitcast_convert_type(pattern, dtype) - wnp.array(1.0, dtype)


def uniform(key: Array, shape: Sequence[int] = (), dtype: Any = float, minval: Any = 0.0, maxval: Any = 1.0) -> Array:
    """Uniform numbers in [minval, maxval)."""
    key, shape, dtype = _single(key, "uniform"), shape_of(shape), _float_dtype(dtype, "uniform")
    low, high = (wnp.asarray(v, dtype) for v in (minval, maxval))
    return lax.max(*wnp.broadcast_arrays(low, _unit(key, shape, dtype) * (high - low) + low))


def randint(key: Array, shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = int) -> Array:
    """Uniform integers in [minval, maxval), from two words each (the bias is below 2 ** -32 times the span)."""
    key, shape, dtype = _single(key, "randint"), shape_of(shape), canonical(dtype)
    if not dtype.is_integer:
        raise TypeError(f"randint only accepts integer dtypes, got {dtype}")
    unsigned = f"uint{dtype.bits}"
    low, high = wnp.asarray(minval, dtype), wnp.asarray(maxval, dtype)
    upper, lower = (bits(k, shape, unsigned) for k in split(key))
    span = wnp.where(high <= low, wnp.array(1, unsigned), (high - low).astype(unsigned))
    factor = wnp.array(1 << (dtype.bits // 2), unsigned) % span
    factor = factor * factor % span
    return low + ((upper % span * factor + lower % span) % span).astype(dtype)


def bernoulli(key: Array, p: Any = 0.5, shape: Sequence[int] | None = None) -> Array:
    """True with probability p."""
    p = wnp.asarray(p)
    p = p if p.dtype.kind == "f" else p.astype(float)
    return uniform(key, p.shape if shape is None else shape, p.dtype) < p


# -- other distributions ------------------------------------------------------------------------------------------------------------------


def normal(key: Array, shape: Sequence[int] = (), dtype: Any = float) -> Array:
    """The standard normal distribution, by the inverse of its distribution function."""
    dtype = _float_dtype(dtype, "normal")
    below = -(1 - 2.0 ** -(MANTISSA[dtype.name] + 1))  # the float next to -1
    return lax.erf_inv(uniform(key, shape, dtype, below, 1.0)) * wnp.array(math.sqrt(2), dtype)


def truncated_normal(
    key: Array, lower: Any, upper: Any, shape: Sequence[int] | None = None, dtype: Any = float
) -> Array:
    """The standard normal distribution between two bounds."""
    dtype = _float_dtype(dtype, "truncated_normal")
    low, high = wnp.asarray(lower, dtype), wnp.asarray(upper, dtype)
    root = wnp.array(math.sqrt(2), dtype)
    shape = wnp.broadcast_shapes(low.shape, high.shape) if shape is None else shape
    found = root * lax.erf_inv(uniform(key, shape, dtype, lax.erf(low / root), lax.erf(high / root)))
    infinite = wnp.array(math.inf, dtype)
    return wnp.clip(found, wnp.nextafter(low, infinite), wnp.nextafter(high, -infinite))


def exponential(key: Array, shape: Sequence[int] = (), dtype: Any = float) -> Array:
    """The exponential distribution with mean 1."""
    return -lax.log1p(-uniform(key, shape, _float_dtype(dtype, "exponential")))


def gumbel(key: Array, shape: Sequence[int] = (), dtype: Any = float) -> Array:
    """The Gumbel distribution: what is added to logits so that the argmax is a sample."""
    dtype = _float_dtype(dtype, "gumbel")
    return -lax.log(-lax.log(uniform(key, shape, dtype, TINY[dtype.name], 1.0)))


def logistic(key: Array, shape: Sequence[int] = (), dtype: Any = float) -> Array:
    """The standard logistic distribution."""
    dtype = _float_dtype(dtype, "logistic")
    x = uniform(key, shape, dtype, TINY[dtype.name], 1.0)
    return lax.log(x) - lax.log1p(-x)


def laplace(key: Array, shape: Sequence[int] = (), dtype: Any = float) -> Array:
    """The Laplace distribution with mean 0 and scale 1."""
    dtype = _float_dtype(dtype, "laplace")
    u = uniform(key, shape, dtype, -1.0 + 2.0 ** -(MANTISSA[dtype.name] + 1), 1.0)
    return lax.sign(u) * lax.log1p(-lax.abs(u))


def rademacher(key: Array, shape: Sequence[int] = (), dtype: Any = int) -> Array:
    """1 or -1."""
    return (2 * bernoulli(key, 0.5, shape).astype("int32") - 1).astype(canonical(dtype))


def categorical(key: Array, logits: Array, axis: int = -1, shape: Sequence[int] | None = None) -> Array:
    """Samples along `axis` with probabilities proportional to exp(logits); `shape` may have further axes in front."""
    logits = wnp.asarray(logits)
    axis = axis % logits.ndim
    batch = logits.shape[:axis] + logits.shape[axis + 1 :]
    shape = batch if shape is None else shape_of(shape)
    if shape[len(shape) - len(batch) :] != batch:
        raise ValueError(f"categorical: shape {shape} must end in the logits' batch shape {batch}")
    front = len(shape) - len(batch)
    full = (*shape[:front], *logits.shape)
    return wnp.argmax(gumbel(key, full, logits.dtype) + logits, axis=front + axis)


def cauchy(key: Array, shape: Sequence[int] = (), dtype: Any = float) -> Array:
    """The standard Cauchy distribution."""
    dtype = _float_dtype(dtype, "cauchy")
    u = uniform(key, shape, dtype, 2.0 ** -MANTISSA[dtype.name], 1.0)
    return lax.tan(wnp.array(math.pi, dtype) * (u - wnp.array(0.5, dtype)))


def lognormal(key: Array, sigma: Any = 1.0, shape: Sequence[int] | None = None, dtype: Any = float) -> Array:
    """exp of a normal distribution with standard deviation sigma."""
    sigma = wnp.asarray(sigma, _float_dtype(dtype, "lognormal"))
    return lax.exp(normal(key, sigma.shape if shape is None else shape, sigma.dtype) * sigma)


def rayleigh(key: Array, scale: Any, shape: Sequence[int] | None = None, dtype: Any = float) -> Array:
    """The Rayleigh distribution."""
    scale = wnp.asarray(scale, _float_dtype(dtype, "rayleigh"))
    u = uniform(key, scale.shape if shape is None else shape, scale.dtype)
    return scale * lax.sqrt(lax.log(u) * wnp.array(-2, scale.dtype))


def pareto(key: Array, b: Any, shape: Sequence[int] | None = None, dtype: Any = float) -> Array:
    """The Pareto distribution with shape parameter b."""
    b = wnp.asarray(b, _float_dtype(dtype, "pareto"))
    return lax.exp(exponential(key, b.shape if shape is None else shape, b.dtype) / b)


def weibull_min(key: Array, scale: Any, concentration: Any, shape: Sequence[int] = (), dtype: Any = float) -> Array:
    """The Weibull distribution of minima."""
    return wnp.power(exponential(key, shape, dtype), 1.0 / concentration) * scale


def geometric(key: Array, p: Any, shape: Sequence[int] | None = None, dtype: Any = int) -> Array:
    """How many trials it takes to succeed, each with probability p."""
    p = wnp.asarray(p)
    p = p if p.dtype.kind == "f" else p.astype(float)
    u = uniform(key, p.shape if shape is None else shape, p.dtype)
    u = wnp.where(u == 0, 1, u)
    return (lax.floor(lax.log(u) / lax.log1p(-p)) + 1).astype(canonical(dtype))


# -- orders and choices -------------------------------------------------------------------------------------------------------------------


def _shuffled(key: Array, x: Array, axis: int) -> Array:
    """x shuffled along an axis, each line by itself: sorted by random words, so often that equal words do no harm."""
    for _ in range(math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))):
        key, word = split(key)
        x = lax.sort_key_val(bits(word, x.shape), x, axis)[1]
    return x


def permutation(key: Array, x: int | Array, axis: int = 0, independent: bool = False) -> Array:
    """The numbers below x in random order, or an array's parts along an axis; `independent`: every line in an order of its own."""
    key = _single(key, "permutation")
    array = wnp.asarray(x)
    if not array.ndim:
        return _shuffled(key, wnp.arange(operator.index(x)), 0)
    axis = axis_index(axis, array.ndim)
    if independent or array.ndim == 1:
        return _shuffled(key, array, axis)
    return wnp.take(array, _shuffled(key, wnp.arange(array.shape[axis]), 0), axis)


def choice(
    key: Array, a: int | Array, shape: Sequence[int] = (), replace: bool = True, p: Array | None = None, axis: int = 0
) -> Array:
    """Elements of an array along an axis (or numbers below a), equally probable or with probabilities p, put back or not."""
    key, shape, array = _single(key, "choice"), shape_of(shape), wnp.asarray(a)
    axis = axis_index(axis, array.ndim) if array.ndim else 0
    inputs = array.shape[axis] if array.ndim else operator.index(a)
    draws = math.prod(shape)
    if not draws:
        return wnp.zeros(shape, array.dtype)
    if inputs <= 0:
        raise ValueError("a must be greater than 0 unless no samples are taken")
    if not replace and draws > inputs:
        raise ValueError(
            f"Cannot take a larger sample (size {draws}) than population (size {inputs}) when 'replace=False'"
        )
    if p is not None and lift(p).shape != (inputs,):
        raise ValueError(
            f"p must be None or a 1D vector with the same size as a.shape[axis]. p has shape {lift(p).shape} and a.shape[axis] is {inputs}."
        )
    if p is not None and replace:
        passed = wnp.cumsum(p)
        r = passed[-1] * (1 - uniform(key, shape, passed.dtype))
        index = wnp.searchsorted(passed, r)
    elif p is not None:
        score = gumbel(key, (inputs,), wnp.asarray(p).dtype) + wnp.log(p)
        index = lax.top_k(score, draws)[1].reshape(shape)
    elif replace:
        index = randint(key, shape, 0, inputs)
    else:
        shuffled = permutation(key, a if not array.ndim else array, axis)
        return lax.slice_in_dim(shuffled, 0, draws, 1, axis).reshape(
            array.shape[:axis] + shape + array.shape[axis + 1 :]
        )
    return wnp.take(array, index, axis) if array.ndim else index

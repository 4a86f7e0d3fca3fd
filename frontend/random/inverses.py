"""Distributions that are a formula in uniform or normal numbers: the inverse of their distribution function, or a function of several draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift
from weft.host import canonical
from weft.lax.base import shape_of
from weft.random.keys import single, split
from weft.random.uniforms import MANTISSA, TINY, bits, float_dtype, int_dtype, rademacher, spread, uniform

__all__ = [
    "cauchy", "double_sided_maxwell", "exponential", "geometric", "gumbel", "laplace", "logistic", "lognormal",
    "maxwell", "normal", "pareto", "rayleigh", "triangular", "truncated_normal",
    "wald", "weibull_min",
]  # fmt: skip


def normal(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """The standard normal distribution, by the inverse of its distribution function. Complex numbers have a variance of 1, half of it in each part."""
    words, shape = single(key, "normal"), shape_of(shape)
    kind = wnp.dtype(float if dtype is None else dtype)
    if kind.kind == "c":
        part = "float64" if canonical(kind).bits == 128 else "float32"
        real, imaginary = (normal(k, shape, part) for k in split(words))
        return lax.complex(real, imaginary) / wnp.array(math.sqrt(2), part)
    dtype = float_dtype(dtype, "normal")
    below = -(1 - 2.0 ** -(MANTISSA[dtype.name] + 1))  # the float next to -1
    return lax.erf_inv(uniform(words, shape, dtype, below, 1.0)) * wnp.array(math.sqrt(2), dtype)


def truncated_normal(
    key: Any,
    lower: Any,
    upper: Any,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """The standard normal distribution between two bounds."""
    words, dtype = single(key, "truncated_normal"), float_dtype(dtype, "truncated_normal")
    shape = spread("truncated_normal", shape, lower, upper)
    low, high = wnp.asarray(lower, dtype), wnp.asarray(upper, dtype)
    root = wnp.array(math.sqrt(2), dtype)
    found = root * lax.erf_inv(uniform(words, shape, dtype, lax.erf(low / root), lax.erf(high / root)))
    infinite = wnp.array(math.inf, dtype)
    low, high = lax.stop_gradient(low), lax.stop_gradient(high)
    return wnp.clip(found, wnp.nextafter(low, infinite), wnp.nextafter(high, -infinite))


def exponential(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """The exponential distribution with mean 1."""
    return -lax.log1p(-uniform(single(key, "exponential"), shape, float_dtype(dtype, "exponential")))


def gumbel(
    key: Any, shape: Sequence[int] = (), dtype: Any = None, mode: str | None = None, *, out_sharding: Any = None
) -> Array:
    """The Gumbel distribution: what is added to logits so that the argmax is a sample.

    The mode ("low", "high", "highest"; None is "low") is how far the tail reaches: how many bits are drawn for a number.
    """
    words, shape, dtype = single(key, "gumbel"), shape_of(shape), float_dtype(dtype, "gumbel")
    mode = "low" if mode is None else mode
    if mode not in ("highest", "high", "low"):
        raise ValueError(f"Must provide valid mode for gumbel got: {mode}")
    if mode == "low":
        return -lax.log(-lax.log(uniform(words, shape, dtype, TINY[dtype.name], 1.0)))
    if mode == "highest" and dtype.name == "float32":
        return _finest_gumbel(words, shape)
    high, low = uniform(words, (2, *shape), dtype)
    x = wnp.where(high >= 0.5, high, high + 2.0 ** -MANTISSA[dtype.name] * low + wnp.array(TINY[dtype.name], dtype))
    return -lax.log(-lax.log1p(-x))


def _finest_gumbel(words: Array, shape: tuple[int, ...]) -> Array:
    """From 64 bits, taken as a fraction from 0 or down from 1: each tail has the precision of a float."""
    drawn = bits(words, (2, *shape))
    negated = ~drawn
    carry = wnp.stack([wnp.equal(negated[1], wnp.uint32(0xFFFFFFFF)).astype("uint32"), wnp.ones(shape, "uint32")])
    negated = negated + carry
    low_half = drawn[0] < wnp.uint32(1 << 31)
    upper, lower = wnp.where(low_half, drawn, negated)
    x = upper.astype("float32") * wnp.float32(2.0**-32) + lower.astype("float32") * wnp.float32(2.0**-64)
    return wnp.where(low_half, -lax.log(-lax.log1p(-x)), -lax.log(-lax.log(x)))


def logistic(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """The standard logistic distribution."""
    dtype = float_dtype(dtype, "logistic")
    x = uniform(single(key, "logistic"), shape, dtype, TINY[dtype.name], 1.0)
    return lax.log(x) - lax.log1p(-x)


def laplace(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """The Laplace distribution with mean 0 and scale 1."""
    dtype = float_dtype(dtype, "laplace")
    u = uniform(single(key, "laplace"), shape, dtype, -1.0 + 2.0 ** -(MANTISSA[dtype.name] + 1), 1.0)
    return lax.sign(u) * lax.log1p(-lax.abs(u))


def cauchy(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """The standard Cauchy distribution."""
    dtype = float_dtype(dtype, "cauchy")
    u = uniform(single(key, "cauchy"), shape, dtype, 2.0 ** -MANTISSA[dtype.name], 1.0)
    return lax.tan(wnp.array(math.pi, dtype) * (u - wnp.array(0.5, dtype)))


def lognormal(
    key: Any, sigma: Any = 1.0, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """exp of a normal distribution with standard deviation sigma."""
    words, dtype = single(key, "lognormal"), float_dtype(dtype, "lognormal")
    shape = spread("lognormal", shape, sigma)
    return lax.exp(normal(words, shape, dtype) * wnp.asarray(sigma, dtype))


def rayleigh(
    key: Any, scale: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The Rayleigh distribution."""
    words, dtype = single(key, "rayleigh"), float_dtype(dtype, "rayleigh")
    u = uniform(words, spread("rayleigh", shape, scale), dtype)
    return wnp.asarray(scale, dtype) * lax.sqrt(lax.log(u) * wnp.array(-2, dtype))


def maxwell(key: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """The Maxwell distribution: the norm of a normal vector in space."""
    drawn = normal(single(key, "maxwell"), (*shape_of(shape), 3), float_dtype(dtype, "maxwell"))
    return wnp.sqrt(wnp.sum(drawn * drawn, axis=-1))


def double_sided_maxwell(key: Any, loc: Any, scale: Any, shape: Sequence[int] = (), dtype: Any = None) -> Array:
    """The Maxwell distribution with a random sign, scaled and moved. The parameters' shape comes behind `shape`."""
    words, dtype = single(key, "double_sided_maxwell"), float_dtype(dtype, "double_sided_maxwell")
    params = wnp.broadcast_shapes(lift(loc).shape, lift(scale).shape)
    shape = (*(shape_of(shape) or params), *params)
    size, sign = split(words)
    return rademacher(sign, shape, dtype) * maxwell(size, shape, dtype) * scale + loc


def pareto(
    key: Any, b: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The Pareto distribution with shape parameter b."""
    words, dtype = single(key, "pareto"), float_dtype(dtype, "pareto")
    return lax.exp(exponential(words, spread("pareto", shape, b), dtype) / wnp.asarray(b, dtype))


def weibull_min(key: Any, scale: Any, concentration: Any, shape: Sequence[int] = (), dtype: Any = None) -> Array:
    """The Weibull distribution of minima."""
    drawn = exponential(single(key, "weibull_min"), shape, float_dtype(dtype, "weibull_min"))
    return wnp.power(drawn, 1.0 / concentration) * scale


def wald(
    key: Any, mean: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The Wald distribution (inverse Gaussian) with shape parameter 1. J. Michael, W. Schucany, R. Haas, The American Statistician 30, 1976."""
    words, dtype = single(key, "wald"), float_dtype(dtype, "wald")
    shape = spread("wald", shape, mean)
    mean = wnp.broadcast_to(wnp.asarray(mean, dtype), shape)
    first, second = split(words)
    y = wnp.square(normal(first, shape, dtype))
    z = uniform(second, shape, dtype)
    square = wnp.square(mean)
    x = mean + square * y / 2 - mean / 2 * lax.sqrt(4 * mean * y + square * wnp.square(y))
    return wnp.where(z <= mean / (mean + x), x, square / x)


def triangular(
    key: Any,
    left: Any,
    mode: Any,
    right: Any,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """The triangular distribution between `left` and `right` with its peak at `mode`."""
    words, dtype = single(key, "triangular"), float_dtype(dtype, "triangular")
    shape = spread("triangular", shape, left, mode, right)
    left, mode, right = (wnp.broadcast_to(wnp.asarray(x, dtype), shape) for x in (left, mode, right))
    u = uniform(words, shape, dtype)
    rising = left + lax.sqrt(u * (right - left) * (mode - left))
    falling = right - lax.sqrt((1 - u) * (right - left) * (right - mode))
    return wnp.where(u < (mode - left) / (right - left), rising, falling)


def geometric(
    key: Any, p: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """How many trials it takes to succeed, each with probability p."""
    words = single(key, "geometric")
    p = wnp.asarray(p)
    p = p if p.dtype.kind == "f" else p.astype(float)
    u = uniform(words, spread("geometric", shape, p), p.dtype)
    u = wnp.where(u == 0, 1, u)
    return (lax.floor(lax.log(u) / lax.log1p(-p)) + 1).astype(int_dtype(dtype))

"""Distributions that are drawn until one is accepted: gamma, Poisson and binomial numbers, and what is made of them.

Each has JAX's recipe, so that the numbers are JAX's: G. Marsaglia and W. Tsang's method for gamma (ACM TOMS 26, 2000); D. Knuth's products and W. Hörmann's transformed rejection (PTRS,
Insurance: Mathematics and Economics 12, 1993) for Poisson; geometric gaps and BTRS (W. Hörmann, J. Stat. Comput. Simul. 46, 1993) for binomial numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.custom import custom_jvp
from weft.dialects.dtypes import DType, float32
from weft.lax.base import shape_of
from weft.random.inverses import exponential, normal
from weft.random.keys import single, split
from weft.random.uniforms import TINY, float_dtype, int_dtype, rademacher, spread, uniform
from weft.vmap import vmap

__all__ = [
    "ball", "beta", "binomial", "chisquare", "dirichlet", "f", "gamma", "generalized_normal", "loggamma", "multinomial",
    "poisson", "t",
]  # fmt: skip


# -- gamma --------------------------------------------------------------------------------------------------------------------------------


def _gamma_one(words: Array, alpha: Array, log_space: bool) -> Array:
    """One gamma number, or its logarithm. Below 1 it is one for alpha + 1 times a power of a uniform number."""
    dtype = alpha.dtype
    large = alpha >= 1
    d = wnp.where(large, alpha, alpha + 1) - wnp.asarray(1.0 / 3.0, dtype)
    c = wnp.asarray(1.0 / 3.0, dtype) / lax.sqrt(d)
    zero, one = wnp.zeros((), dtype), wnp.ones((), dtype)

    def again(state: Any) -> Array:
        _, x, v, u = state
        squeezed = u >= 1 - wnp.asarray(0.0331, dtype) * (x * x)
        return squeezed & (lax.log(u) >= x * 0.5 + d * ((1 - v) + lax.log(v)))

    def draw(state: Any) -> Any:
        key, x_key, u_key = split(state[0], 3)

        def next_v(inner: Any) -> Any:
            key, sub = split(inner[0])
            x = normal(sub, (), dtype)
            return key, x, 1 + x * c

        _, x, v = lax.while_loop(lambda inner: inner[2] <= 0, next_v, (x_key, zero, -one))
        return key, x * x, v * v * v, uniform(u_key, (), dtype)

    key, boost = split(words)
    _, _, v, _ = lax.while_loop(again, draw, (key, zero, one, wnp.asarray(2, dtype)))
    if log_space:
        logs = -exponential(boost, (), dtype)
        return lax.log(d) + lax.log(v) + wnp.where(large | (logs == 0), 0.0, logs * (1 / alpha))
    return d * v * wnp.where(large, 1.0, lax.pow(1 - uniform(boost, (), dtype), 1 / alpha))


def _gamma(words: Array, a: Any, shape: Sequence[int] | None, dtype: DType, log_space: bool) -> Array:
    shape = spread("gamma", shape, a)
    alphas = wnp.broadcast_to(wnp.asarray(a, dtype), shape).ravel()
    if not alphas.size:
        return wnp.zeros(shape, dtype)
    keys = split(words, alphas.size)

    @custom_jvp
    def sample(alphas: Array) -> Array:
        return vmap(lambda k, alpha: _gamma_one(k, alpha, log_space))(keys, alphas)

    @sample.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        """How a number moves that stays at its quantile (M. Figurnov, S. Mohamed, A. Mnih, NeurIPS 2018), whatever it was drawn by."""
        from weft.scipy.special.incomplete import gamma_slope

        alphas, out = primals[0], sample(*primals)
        x = lax.max(lax.exp(out), wnp.full_like(out, TINY[dtype.name])) if log_space else out
        density = lax.exp((alphas - 1) * lax.log(x) - x - lax.lgamma(alphas))
        slope = -gamma_slope(alphas, x) / density
        return out, tangents[0] * (slope / x if log_space else slope)

    return sample(alphas).reshape(shape)


def gamma(
    key: Any, a: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The gamma distribution with shape parameter a."""
    return _gamma(single(key, "gamma"), a, shape, float_dtype(dtype, "gamma"), False)


def loggamma(
    key: Any, a: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The logarithm of gamma numbers, which a small shape parameter does not bring to 0."""
    return _gamma(single(key, "loggamma"), a, shape, float_dtype(dtype, "gamma"), True)


def beta(
    key: Any, a: Any, b: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The beta distribution."""
    words, dtype = single(key, "beta"), float_dtype(dtype, "beta")
    shape = spread("beta", shape, a, b)
    first, second = split(words)
    x, y = loggamma(first, a, shape, dtype), loggamma(second, b, shape, dtype)
    top = lax.max(x, y)
    x, y = lax.exp(x - top), lax.exp(y - top)
    return x / (x + y)


def dirichlet(
    key: Any, alpha: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The Dirichlet distribution: vectors of probabilities, along the last axis. Raises ValueError for parameters of rank 0."""
    words, dtype = single(key, "dirichlet"), float_dtype(dtype, "dirichlet")
    alpha = wnp.asarray(alpha, dtype)
    if alpha.ndim < 1:
        raise ValueError(f"dirichlet requires alpha.ndim >= 1, got alpha.ndim == {alpha.ndim}")
    shape = spread("dirichlet", shape, wnp.zeros(alpha.shape[:-1]))
    logs = loggamma(words, alpha, (*shape, alpha.shape[-1]), dtype)
    terms = lax.exp(logs - wnp.max(logs, axis=-1, keepdims=True))
    return terms / wnp.sum(terms, axis=-1, keepdims=True)


def chisquare(
    key: Any, df: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The chi-squared distribution with df degrees of freedom."""
    words, dtype = single(key, "chisquare"), float_dtype(dtype, "chisquare")
    shape = spread("chisquare", shape, df)
    return lax.exp(loggamma(words, wnp.asarray(df, dtype) / 2, shape, dtype)) * 2


def f(
    key: Any,
    dfnum: Any,
    dfden: Any,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """The F distribution."""
    words, dtype = single(key, "f"), float_dtype(dtype, "f")
    shape = spread("f", shape, dfnum, dfden)
    below, above = split(words)
    top, bottom = chisquare(above, dfnum, shape, dtype), chisquare(below, dfden, shape, dtype)
    return (top / wnp.asarray(dfnum, dtype)) / (bottom / wnp.asarray(dfden, dtype))


def t(key: Any, df: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Student's t distribution with df degrees of freedom."""
    words, dtype = single(key, "t"), float_dtype(dtype, "t")
    shape = spread("t", shape, df)
    first, second = split(words)
    half = wnp.asarray(df, dtype) / 2
    drawn = normal(first, shape, dtype)
    return drawn * wnp.sqrt(half / gamma(second, half, shape, dtype))


def generalized_normal(
    key: Any, p: Any, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The distribution with density proportional to exp(-|x| ** p)."""
    words, dtype = single(key, "generalized_normal"), float_dtype(dtype, "generalized_normal")
    size, sign = split(words)
    drawn = gamma(size, 1 / p, shape, dtype)
    return rademacher(sign, shape, dtype) * drawn ** (1 / p)


def ball(
    key: Any, d: int, p: Any = 2, shape: Sequence[int] = (), dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Uniform points of the unit ball of the p-norm in d dimensions. F. Barthe et al., Ann. Probab. 33, 2005."""
    words, dtype = single(key, "ball"), float_dtype(dtype, "ball")
    shape = shape_of(shape)
    first, second = split(words)
    g = generalized_normal(first, p, (*shape, d), dtype)
    e = exponential(second, shape, dtype)
    return g / ((wnp.sum(wnp.abs(g) ** p, axis=-1) + e) ** (1 / p))[..., None]


# -- Poisson ------------------------------------------------------------------------------------------------------------------------------


def _poisson_small(words: Array, rate: Array, dtype: DType) -> Array:
    """As many uniform numbers as their product stays above exp(-rate)."""

    def step(state: Any) -> Any:
        k, key, logs = state
        key, sub = split(key)
        return wnp.where(logs > -rate, k + 1, k), key, logs + lax.log(uniform(sub, rate.shape, float32))

    start = (wnp.zeros(rate.shape, dtype), words, wnp.zeros(rate.shape, float32))
    return lax.while_loop(lambda state: wnp.any(state[2] > -rate), step, start)[0] - 1


def _transformed_rejection(
    words: Array, like: Array, propose: Callable[[Array, Array, Array], tuple[Array, Array]]
) -> Array:
    """Draws until each element has a number. `propose(u, v, us)` gives numbers, and which are accepted: u is uniform on [-0.5, 0.5), us its distance from the ends, v uniform on [0, 1)."""

    def step(state: Any) -> Any:
        found, accepted, key = state
        key, first, second = split(key, 3)
        u = uniform(first, like.shape, like.dtype) - 0.5
        v = uniform(second, like.shape, like.dtype)
        k, accept = propose(u, v, 0.5 - wnp.abs(u))
        return wnp.where(accept, k, found), accepted | accept, key

    start = (wnp.full_like(like, -1), wnp.zeros(like.shape, bool), words)
    return lax.while_loop(lambda state: wnp.any(~state[1]), step, start)[0]


def _poisson_large(words: Array, rate: Array, dtype: DType) -> Array:
    """By transformed rejection, for rates of 10 and more."""
    log_rate = lax.log(rate)
    b = 0.931 + 2.53 * lax.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)

    def propose(u: Array, v: Array, us: Array) -> tuple[Array, Array]:
        k = lax.floor((2 * a / us + b) * u + rate + 0.43)
        s = lax.log(v * inverse_alpha / (a / (us * us) + b))
        quick = (us >= 0.07) & (v <= v_r)
        refused = (k < 0) | ((us < 0.013) & (v > us))
        return k, quick | (~refused & (s <= -rate + k * log_rate - lax.lgamma(k + 1)))

    return _transformed_rejection(words, rate, propose).astype(dtype)


def poisson(
    key: Any, lam: Any, shape: Sequence[int] | None = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """The Poisson distribution with rate lam."""
    words, dtype = single(key, "poisson"), int_dtype(dtype)
    rate = wnp.broadcast_to(wnp.asarray(lam), spread("poisson", shape, lam)).astype(float32)
    small = wnp.isnan(rate) | (rate < 10)
    found = wnp.where(
        small,
        _poisson_small(words, wnp.where(small, rate, 0.0), dtype),
        _poisson_large(words, wnp.where(small, wnp.float32(1e5), rate), dtype),
    )
    return wnp.where(rate == 0, wnp.zeros_like(found), found)


# -- binomial -----------------------------------------------------------------------------------------------------------------------------


def _binomial_small(words: Array, count: Array, p: Array, dtype: DType) -> Array:
    """By geometric gaps between successes, for few of them."""
    log_q = lax.log1p(-p)

    def step(state: Any) -> Any:
        gaps, total, key = state
        sub, key = split(key)
        gap = lax.ceil(lax.log(uniform(sub, p.shape, p.dtype)) / log_q)
        return wnp.where(total <= count, gaps + 1, gaps), total + gap, key

    start = (wnp.zeros_like(p), wnp.zeros_like(p), words)
    return (lax.while_loop(lambda state: wnp.any(state[1] <= count), step, start)[0] - 1).astype(dtype)


_STIRLING = tuple(
    math.lgamma(k + 1) - (k + 0.5) * math.log(k + 1) + (k + 1) - 0.5 * math.log(2 * math.pi) for k in range(10)
)


def _stirling_tail(k: Array) -> Array:
    """log(k!) less Stirling's approximation: from a table below 10, by its series beyond."""
    table = wnp.asarray(_STIRLING).astype(k.dtype)
    low = wnp.clip(k, 0.0, 9.0)
    square = (low + 1) * (low + 1)
    series = (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (low + 1)
    return wnp.where(k <= 9, table[lax.floor(low).astype("int32")], series)


def _binomial_large(words: Array, count: Array, p: Array, dtype: DType) -> Array:
    """By transformed rejection, for ten successes and more."""
    deviation = wnp.sqrt(count * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = count * p + 0.5
    v_r = 0.92 - 4.2 / b
    r = p / (1 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    m = lax.floor((count + 1) * p)

    def propose(u: Array, v: Array, us: Array) -> tuple[Array, Array]:
        k = lax.floor((2 * a / us + b) * u + c)
        quick = (us >= 0.07) & (v <= v_r)
        refused = (k < 0) | (k > count)
        v = lax.log(v * alpha / (a / (us * us) + b))
        bound = (
            (m + 0.5) * lax.log((m + 1) / (r * (count - m + 1)))
            + (count + 1) * lax.log((count - m + 1) / (count - k + 1))
            + (k + 0.5) * lax.log(r * (count - k + 1) / (k + 1))
            + _stirling_tail(m)
            + _stirling_tail(count - m)
            - _stirling_tail(k)
            - _stirling_tail(count - k)
        )
        return k, quick | (~refused & (v <= bound))

    return _transformed_rejection(words, p, propose).astype(dtype)


def binomial(key: Any, n: Any, p: Any, shape: Sequence[int] | None = None, dtype: Any = None) -> Array:
    """The binomial distribution: successes among n trials, each with probability p. Floats; NaN for parameters out of range."""
    words, dtype = single(key, "binomial"), float_dtype(dtype, "binomial")
    shape = spread("binomial", shape, n, p)
    p = wnp.asarray(p)
    p = wnp.broadcast_to(p if p.dtype.kind == "f" else p.astype(float), shape)
    count = wnp.broadcast_to(wnp.asarray(n).astype(p.dtype), shape)
    below_half = p < 0.5
    q = wnp.where(below_half, p, 1.0 - p)
    bad_count, endless = wnp.isnan(count) | (count < 0.0), wnp.isinf(count)
    bad_p, negative = wnp.isnan(q), q < 0.0
    q = wnp.where(bad_p | negative, 0.01, q)
    few = bad_count | (count * q <= 10.0)
    count = lax.floor(count)
    found = wnp.where(
        few,
        _binomial_small(words, wnp.where(few, count, 0.0), q, dtype),
        _binomial_large(words, wnp.where(few, 1e4, count), wnp.where(few, 0.5, q), dtype),
    )
    invalid = negative | bad_p | bad_count
    found = wnp.where(invalid, wnp.nan, found)
    found = wnp.where(endless & ~invalid, wnp.inf, found)
    return wnp.where(below_half | bad_count | bad_p | endless, found, count.astype(dtype) - found)


def multinomial(
    key: Any, n: Any, p: Any, *, shape: Sequence[int] | None = None, dtype: Any = None, unroll: int | bool = 1
) -> Array:
    """How often each of the categories along p's last axis is drawn, in n draws: one binomial number after the other, of what is left."""
    words = single(key, "multinomial")
    n, p = wnp.asarray(n), wnp.asarray(p)
    common = wnp.result_type(n, p)
    common = common if common.kind == "f" else wnp.result_type(float)
    sizes = p.shape if shape is None else shape_of(shape)
    left = wnp.broadcast_to(n.astype(common), sizes[:-1])
    p = wnp.broadcast_to(p.astype(common), sizes)
    rest = wnp.flip(wnp.cumsum(wnp.flip(p, -1), axis=-1), -1)
    ratios = p / wnp.where(rest == 0, 1, rest)
    counts = []
    for i, k in enumerate(split(words, sizes[-1])):
        count = binomial(k, left, wnp.clip(ratios[..., i], 0, 1), dtype=common)
        counts.append(count)
        left = left - count
    return wnp.stack(counts, axis=-1).astype(float_dtype(dtype, "multinomial"))

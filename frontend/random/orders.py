"""Orders and choices: permutations by sorting random words, samples of categories by the Gumbel trick, elements of arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.lax.base import axis_index, concrete, shape_of
from weft.random.inverses import gumbel
from weft.random.keys import single, split
from weft.random.uniforms import bits, randint, uniform

__all__ = ["categorical", "choice", "permutation"]


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Sequence[int] | None = None,
    replace: bool = True,
    mode: str | None = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """Samples along `axis` with probabilities proportional to exp(logits); `shape` may have further axes in front.

    Without `replace` those in front are different from each other (W. Kool et al., "Stochastic beams and where to find them", ICML 2019). Raises ValueError for a shape that
    does not end in the logits' batch shape, or for more samples than there are.
    """
    words = single(key, "categorical")
    logits = wrap(lift(logits))
    axis = axis_index(axis, logits.ndim)
    batch = logits.shape[:axis] + logits.shape[axis + 1 :]
    wanted = batch if shape is None else shape_of(shape)
    if wanted[len(wanted) - len(batch) :] != batch:
        raise ValueError(f"categorical: shape {wanted} must end in the logits' batch shape {batch}")
    front = wanted[: len(wanted) - len(batch)]
    if replace:
        drawn = gumbel(words, (*front, *logits.shape), logits.dtype, mode)
        return wnp.argmax(drawn + logits, axis=len(front) + axis)
    count = math.prod(front)
    if count > logits.shape[axis]:
        raise ValueError(
            f"Number of samples without replacement ({count}) cannot exceed number of categories ({logits.shape[axis]})."
        )
    scores = wnp.moveaxis(logits + gumbel(words, logits.shape, logits.dtype, mode), axis, -1)
    chosen = lax.top_k(scores, count)[1]
    return wnp.moveaxis(chosen, -1, 0).reshape(wanted)


def _shuffled(words: Array, x: Array, axis: int) -> Array:
    """x shuffled along an axis, each line by itself: sorted by random words, so often that equal words do no harm."""
    for _ in range(math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))):
        words, word = split(words)
        _, x = lax.sort_key_val(bits(word, x.shape), x, axis)
    return x


def permutation(
    key: Any, x: int | Array, axis: int = 0, independent: bool = False, *, out_sharding: Any = None
) -> Array:
    """The numbers below x in random order, or an array's parts along an axis; `independent`: every line in an order of its own."""
    words = single(key, "permutation")
    array = wrap(lift(x))
    axis = axis_index(axis, array.ndim or 1)
    if not array.ndim:
        if not array.dtype.is_integer:
            raise TypeError("x must be an integer or at least 1-dimensional")
        return _shuffled(words, wnp.arange(concrete(x, "x")), 0)
    if independent or array.ndim == 1:
        return _shuffled(words, array, axis)
    return wnp.take(array, _shuffled(words, wnp.arange(array.shape[axis]), 0), axis)


def choice(
    key: Any,
    a: int | Array,
    shape: Sequence[int] = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: str | None = None,
) -> Array:
    """Elements of an array along an axis (or numbers below a), equally probable or with probabilities p, put back or not.

    Raises ValueError if there is nothing to choose from, or not enough, or p has another length; TypeError for a shape that is no sequence.
    """
    words, array = single(key, "choice"), wrap(lift(a))
    if not isinstance(shape, Sequence):
        raise TypeError(f"shape argument of random.choice must be a sequence, got {shape!r}")
    shape = shape_of(shape)
    axis = axis_index(axis, array.ndim) if array.ndim else 0
    inputs = array.shape[axis] if array.ndim else concrete(a, "a")
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
    if p is None and not replace:
        shuffled = permutation(words, a if not array.ndim else array, axis)
        return lax.slice_in_dim(shuffled, 0, draws, 1, axis).reshape(
            array.shape[:axis] + shape + array.shape[axis + 1 :]
        )
    if p is None:
        index = randint(words, shape, 0, inputs)
    else:
        weights = wrap(lift(p))
        weights = weights if weights.dtype.kind == "f" else weights.astype(float)
        if replace:
            passed = wnp.cumsum(weights)
            r = passed[-1] * (1 - uniform(words, shape, passed.dtype))
            index = wnp.searchsorted(passed, r)
        else:
            score = gumbel(words, (inputs,), weights.dtype, mode) + lax.log(weights)
            index = lax.top_k(score, draws)[1].reshape(shape)
    return wnp.take(array, index, axis) if array.ndim else index

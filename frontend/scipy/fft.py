"""Cosine transforms of the second type, and their inverses (`jax.scipy.fft`), by a Fourier transform of the same length.

The elements at even places, and after them those at odd places in reverse, are the samples of a periodic signal; the real Fourier transform V of it, turned by a quarter of a sample, holds the
cosine transform y of length N in its parts: 2 exp(-i π k / 2N) V[k] = y[k] - i y[N - k] (Makhoul, "A fast cosine transform in one and two dimensions", 1980). Read backwards this is the inverse.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.lax.base import ArrayLike, axis_index, axis_indices
from weft.numpy import fft
from weft.numpy.linalg import inexact

__all__ = ["dct", "dctn", "idct", "idctn"]


def _operand(name: str, x: ArrayLike, type: int, norm: str | None) -> Array:
    if type != 2:
        raise NotImplementedError("Only DCT type 2 is implemented.")
    if norm not in (None, "backward", "ortho"):
        raise ValueError(f"jax.scipy.fft.{name}: norm={norm!r} is not implemented")
    (operand,) = inexact(x)
    return operand.astype("float32") if operand.dtype.bits < 32 else operand


def _of_parts(transform: Callable[[Array], Array], x: Array) -> Array:
    """A real linear transform of a complex array: of both of its parts."""
    return lax.complex(transform(x.real), transform(x.imag)) if jnp.iscomplexobj(x) else transform(x)


def _fitted(x: Array, n: int, axis: int) -> Array:
    """Cut off or filled up with zeros to length n."""
    x = lax.slice_in_dim(x, 0, min(n, x.shape[axis]), axis=axis)
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, (n - x.shape[k]) * (k == axis), 0) for k in range(x.ndim)])


def _turns(n: int, x: Array) -> Array:
    """exp(-i π k / 2n) for the first half of the frequencies."""
    angle = lax.iota(x.dtype, n // 2 + 1) * (math.pi / (2 * n))
    return lax.complex(lax.cos(angle), -lax.sin(angle))


def _orthonormal(n: int, x: Array) -> Array:
    """What makes the transform orthogonal: 1 / sqrt(4n) for frequency 0, 1 / sqrt(2n) for the others."""
    return jnp.where(lax.iota("int32", n) == 0, jnp.asarray(0.5 / math.sqrt(n), x.dtype), math.sqrt(0.5 / n))


def _forward(x: Array, norm: str | None) -> Array:
    n = x.shape[-1]
    spectrum = fft.rfft(jnp.concatenate([x[..., ::2], jnp.flip(x[..., 1::2], -1)], -1))
    turned = 2 * _turns(n, x) * spectrum
    found = jnp.concatenate([turned.real, -jnp.flip(turned.imag[..., 1 : (n + 1) // 2], -1)], -1)
    return found * _orthonormal(n, x) if norm == "ortho" else found


def _backward(y: Array, norm: str | None) -> Array:
    n = y.shape[-1]
    if norm == "ortho":
        y = y / _orthonormal(n, y)
    mirrored = _fitted(jnp.flip(y[..., 1:], -1), n // 2, y.ndim - 1)
    half = lax.complex(y[..., : n // 2 + 1], -jnp.concatenate([jnp.zeros_like(y[..., :1]), mirrored], -1))
    samples = fft.irfft(0.5 * jnp.conj(_turns(n, y)) * half, n)
    evens, odds = samples[..., : (n + 1) // 2], jnp.flip(samples[..., (n + 1) // 2 :], -1)
    pairs = jnp.stack([evens, _fitted(odds, evens.shape[-1], y.ndim - 1)], -1)
    return pairs.reshape(*y.shape[:-1], -1)[..., :n]


def _along(transform: Callable[..., Array], x: Array, n: int | None, axis: int, norm: str | None) -> Array:
    x = x if n is None else _fitted(x, n, axis)
    return jnp.moveaxis(_of_parts(lambda part: transform(part, norm), jnp.moveaxis(x, axis, -1)), -1, axis)


def _along_all(transform: Callable[..., Array], x: Array, s: Any, axes: Any, norm: str | None) -> Array:
    sizes = None if s is None else [operator.index(n) for n in (s if isinstance(s, Sequence) else [s])]
    if sizes is not None and len(sizes) > x.ndim:
        raise ValueError(f"s must have at most x.ndim ({x.ndim}) elements, got {len(sizes)}")
    given = range(x.ndim - (x.ndim if sizes is None else len(sizes)), x.ndim) if axes is None else axes
    for k, axis in enumerate(axis_indices(tuple(given), x.ndim)):
        x = _along(transform, x, None if sizes is None else sizes[k], axis, norm)
    return x


def dct(x: ArrayLike, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The cosine transform along an axis: 2 Σ x[j] cos(π k (2j + 1) / 2n). `norm="ortho"` makes it orthogonal.

    The axis is cut off or filled up with zeros to `n`. Raises NotImplementedError for another type than 2, ValueError for another norm than None, "backward" and "ortho".
    """
    x = _operand("dct", x, type, norm)
    return _along(_forward, x, n, axis_index(axis, x.ndim), norm)


def idct(x: ArrayLike, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `dct`, with the same arguments."""
    x = _operand("idct", x, type, norm)
    return _along(_backward, x, n, axis_index(axis, x.ndim), norm)


def dctn(
    x: ArrayLike,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """The cosine transform along several axes (all, or as many of the last as `s` has lengths). Arguments and errors as of `dct`."""
    return _along_all(_forward, _operand("dctn", x, type, norm), s, axes, norm)


def idctn(
    x: ArrayLike,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """The inverse of `dctn`, with the same arguments."""
    return _along_all(_backward, _operand("idctn", x, type, norm), s, axes, norm)

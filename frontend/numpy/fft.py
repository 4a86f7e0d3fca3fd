"""Fourier transforms along any axes (`weft.numpy.fft`), in JAX's types: complex64, or complex128 for 64-bit operands."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from math import prod, sqrt
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, constant, default_float
from weft.numpy.creation import arange
from weft.numpy.elementwise import conj
from weft.numpy.manipulation import moveaxis, roll
from weft.numpy.promotion import to_inexact

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

Axes = Sequence[int] | None


def _transform(name: str, kind: str, a: ArrayLike, s: Sequence[int] | None, axes: Axes, norm: str | None) -> Array:
    """The transform over axes, of lengths s: the operand is cut off or filled up with zeros to them."""
    full_name = f"jax.numpy.fft.{name}"
    x = wrap(lift(a))
    sizes = None if s is None else [operator.index(n) for n in s]
    if sizes is not None and any(n <= 0 for n in sizes):
        raise ValueError("Shape should be positive.")
    if sizes is not None and axes is not None and len(sizes) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    given = (
        tuple(range(x.ndim) if sizes is None else range(x.ndim - len(sizes), x.ndim)) if axes is None else tuple(axes)
    )
    if len(set(given)) != len(given):
        raise ValueError(f"{full_name} does not support repeated axes. Got axes {axes}.")
    last = tuple(range(x.ndim - len(given), x.ndim))
    x = moveaxis(x, given, last)
    if sizes is None:
        sizes = [x.shape[k] for k in last]
        if kind == "IRFFT" and sizes:
            sizes[-1] = max(0, 2 * (sizes[-1] - 1))
    else:
        wanted = [*sizes[:-1], sizes[-1] // 2 + 1] if kind == "IRFFT" else sizes
        for axis, n in zip(last, wanted, strict=True):
            x = lax.slice_in_dim(x, 0, min(n, x.shape[axis]), 1, axis)
            grown = [(0, n - x.shape[k], 0) if k == axis else (0, 0, 0) for k in range(x.ndim)]
            x = lax.pad(x, constant(0, (), x.dtype), grown)
    found = lax.fft(x, kind, sizes)
    factor = _factor(prod(sizes), name.startswith("i"), norm)
    return moveaxis(found if factor == 1 else found * factor, last, given)


def _factor(size: int, up: bool, norm: str | None) -> float:
    """What a norm multiplies the result with: backward transforms (`up`) have the factor 1 / size already."""
    if norm is None or norm == "backward":
        return 1
    if norm not in ("ortho", "forward"):
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    by = sqrt(size) if norm == "ortho" else size
    return by if up else 1 / by


def _single(name: str, kind: str, a: ArrayLike, n: int | None, axis: Any, norm: str | None) -> Array:
    """The transform along one axis."""
    if isinstance(axis, (list, tuple)):
        name = f"jax.numpy.fft.{name}"
        raise ValueError(f"{name} does not support multiple axes. Please use {name}n. Got axis = {axis!r}.")
    return _transform(name, kind, a, None if n is None else [n], None if axis is None else [axis], norm)


def _pair(name: str, kind: str, a: ArrayLike, s: Sequence[int] | None, axes: Sequence[int], norm: str | None) -> Array:
    """The transform over two axes."""
    if len(axes) != 2:
        raise ValueError(f"jax.numpy.fft.{name} only supports 2 axes. Got axes = {axes!r}.")
    return _transform(name, kind, a, s, axes, norm)


def fft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The discrete Fourier transform along an axis, of n elements of it."""
    return _single("fft", "FFT", a, n, axis, norm)


def ifft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `fft`."""
    return _single("ifft", "IFFT", a, n, axis, norm)


def rfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The first half of the transform of real numbers, n // 2 + 1 elements; the rest is its mirror image, conjugated."""
    return _single("rfft", "RFFT", a, n, axis, norm)


def irfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `rfft`: n real numbers (twice as many as there are elements, less 2)."""
    return _single("irfft", "IRFFT", a, n, axis, norm)


def fftn(a: ArrayLike, s: Sequence[int] | None = None, axes: Axes = None, norm: str | None = None) -> Array:
    """The discrete Fourier transform over several axes (all, or as many of the last as s has lengths)."""
    return _transform("fftn", "FFT", a, s, axes, norm)


def ifftn(a: ArrayLike, s: Sequence[int] | None = None, axes: Axes = None, norm: str | None = None) -> Array:
    """The inverse of `fftn`."""
    return _transform("ifftn", "IFFT", a, s, axes, norm)


def rfftn(a: ArrayLike, s: Sequence[int] | None = None, axes: Axes = None, norm: str | None = None) -> Array:
    """`rfft` along the last of several axes, and `fft` along the others."""
    return _transform("rfftn", "RFFT", a, s, axes, norm)


def irfftn(a: ArrayLike, s: Sequence[int] | None = None, axes: Axes = None, norm: str | None = None) -> Array:
    """The inverse of `rfftn`."""
    return _transform("irfftn", "IRFFT", a, s, axes, norm)


def fft2(
    a: ArrayLike, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`fftn` over two axes."""
    return _pair("fft2", "FFT", a, s, axes, norm)


def ifft2(
    a: ArrayLike, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`ifftn` over two axes."""
    return _pair("ifft2", "IFFT", a, s, axes, norm)


def rfft2(
    a: ArrayLike, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`rfftn` over two axes."""
    return _pair("rfft2", "RFFT", a, s, axes, norm)


def irfft2(
    a: ArrayLike, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`irfftn` over two axes."""
    return _pair("irfft2", "IRFFT", a, s, axes, norm)


def hfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The real spectrum of a signal given by its first half, whose rest is the mirror image, conjugated."""
    half = conj(a)
    found = _single("hfft", "IRFFT", half, n, axis, norm)
    return found * (2 * (half.shape[axis] - 1) if n is None else n)


def ihfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `hfft`."""
    found = _single("ihfft", "RFFT", a, n, axis, norm)
    return conj(found) * (1 / (lift(a).shape[axis] if n is None else n))


def _frequencies(name: str, n: Any, d: Any) -> None:
    for what, value in (("n", n), ("d", d)):
        if isinstance(value, (list, tuple)):
            kind = "an int" if what == "n" else "a single value"
            raise ValueError(f"The {what} argument of jax.numpy.fft.{name} only takes {kind}. Got {what} = {value}.")


def fftfreq(n: int, d: ArrayLike = 1.0, *, dtype: DTypeLike = None, device: Any = None) -> Array:
    """The frequencies of the elements of `fft` of n samples that lie d apart: 0, 1, …, then the negative ones, over n d."""
    _frequencies("fftfreq", n, d)
    out = canonical(dtype) if dtype is not None else default_float()
    inner = to_inexact(out)
    place = arange(n, dtype=inner)
    found = ((place + n // 2) % n - n // 2) / wrap(lift(d * n)).astype(inner)
    return _placed(found.astype(out), device)


def rfftfreq(n: int, d: ArrayLike = 1.0, *, dtype: DTypeLike = None, device: Any = None) -> Array:
    """The frequencies of the elements of `rfft` of n samples that lie d apart."""
    _frequencies("rfftfreq", n, d)
    out = canonical(dtype) if dtype is not None else default_float()
    return _placed(arange(0, n // 2 + 1, dtype=out) / wrap(lift(d * n)).astype(out), device)


def _placed(x: Array, device: Any) -> Array:
    return x if device is None else x.to_device(device)


def _shifted(x: ArrayLike, axes: int | Sequence[int] | None, sign: int) -> Array:
    array = wrap(lift(x))
    along = range(array.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    for axis in along:
        array = roll(array, sign * (array.shape[axis] // 2), axis)
    return array


def fftshift(x: ArrayLike, axes: int | Sequence[int] | None = None) -> Array:
    """The elements along axes (all) rotated so that frequency 0 is in the middle."""
    return _shifted(x, axes, 1)


def ifftshift(x: ArrayLike, axes: int | Sequence[int] | None = None) -> Array:
    """The inverse of `fftshift`."""
    return _shifted(x, axes, -1)

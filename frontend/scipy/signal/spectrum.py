"""Spectra of signals: short-time Fourier transforms and their inverse, and what is averaged from them (Welch's method).

A signal is seen through windows that overlap: segments are a view of it (`array.window`), their transform is one batched Fourier transform, and laying segments back, summed where they
overlap, is the transpose of that view (`array.fold`). Arguments, and what is returned, are SciPy's.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import DType, complex64, complex128, float32, float64
from weft.lax.base import ArrayLike, axis_index
from weft.numpy import fft
from weft.numpy.linalg import inexact
from weft.scipy.signal.trend import detrend as _without_trend

__all__ = ["csd", "istft", "stft", "welch"]

Trend = bool | str | Callable[[Array], Array]


# -- windows ------------------------------------------------------------------------------------------------------------------------------


def _named_window(window: str | tuple[Any, ...], size: int) -> Array:
    """A window by its name, or by its name and parameters, periodic: the first `size` points of one that is symmetric and has a point more."""
    name, *parameters = (window,) if isinstance(window, str) else window
    windows: dict[str, Callable[..., Array]] = {
        "bartlett": jnp.bartlett,
        "blackman": jnp.blackman,
        "boxcar": jnp.ones,
        "hamming": jnp.hamming,
        "hann": jnp.hanning,
        "kaiser": jnp.kaiser,
    }
    if name not in windows:
        raise ValueError(f"Unknown window type {name!r}, must be one of: {list(windows)}")
    return windows[name](size + 1, *parameters)[:size] if size > 1 else jnp.ones(size)


def _window_of(window: Any, segment: int | None, length: int, dtype: Any) -> Array:
    """The window for segments of a signal of this length; its size is that of the segments."""
    if isinstance(window, (str, tuple)):
        size = length if segment is None else segment
        if size > length:
            warnings.warn(f"nperseg={size} is greater than input_length={length}, using nperseg={length}", stacklevel=4)
            size = length
        return _named_window(window, size).astype(dtype)
    given = jnp.asarray(window, dtype)
    if given.ndim != 1:
        raise ValueError(f"window must be 1-D, got shape {given.shape}")
    if length < given.size:
        raise ValueError(f"window is longer than input signal: {given.size} > {length}")
    if segment not in (None, given.size):
        raise ValueError(f"value specified for nperseg ({segment}) is different from length of window ({given.size})")
    return given


# -- segments -----------------------------------------------------------------------------------------------------------------------------


def _segments(x: Array, size: int, step: int) -> Array:
    """The segments of the last axis, one after the other along a new axis before it."""
    view = ops.WindowOp.bind(x._node, dims=(x.ndim - 1,), sizes=(size,), strides=(step,), dilations=(1,))
    return wrap(view)


def _overlapped(segments: Array, step: int) -> Array:
    """Segments laid back along one axis, summed where they overlap."""
    *outer, count, size = segments.shape
    shape = (*outer, step * (count - 1) + size)
    found = ops.FoldOp.bind(
        segments._node, shape=shape, dims=(len(outer),), sizes=(size,), strides=(step,), dilations=(1,)
    )
    return wrap(found)


def _without_trends(trend: Trend, axis: int) -> Callable[[Array], Array]:
    if isinstance(trend, str):
        return lambda segments: _without_trend(segments, type=trend)
    if callable(trend):
        return lambda segments: jnp.moveaxis(trend(jnp.moveaxis(segments, axis, -1)), -1, axis)
    if trend:
        raise ValueError(f"Unsupported detrend type: {trend}")
    return lambda segments: segments


def _extended(x: Array, boundary: str | None, n: int) -> Array:
    """The signal with n elements more at both ends."""
    modes: dict[str | None, dict[str, Any]] = {
        "even": {"mode": "reflect"},
        "odd": {"mode": "reflect", "reflect_type": "odd"},
        "constant": {"mode": "edge"},
        "zeros": {"mode": "constant"},
    }
    if boundary is None:
        return x
    if boundary == "odd" and n > x.shape[-1] - 1:
        raise ValueError(
            f"The extension length n ({n}) is too big. It must not exceed x.shape[axis]-1, which is {x.shape[-1] - 1}."
        )
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], **modes[boundary])


def _grown(x: Array, n: int) -> Array:
    """The signal with n zeros at its end."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n)])


def _sizes(nperseg: int, noverlap: int | None, nfft: int | None) -> tuple[int, int]:
    """The step between segments, and the length of transforms."""
    overlap = nperseg // 2 if noverlap is None else operator.index(noverlap)
    length = nperseg if nfft is None else operator.index(nfft)
    if length < nperseg:
        raise ValueError(f"nfft must be greater than or equal to nperseg, got {length} and {nperseg}.")
    if overlap >= nperseg:
        raise ValueError(f"noverlap must be less than nperseg, got {overlap} and {nperseg}.")
    return nperseg - overlap, length


def _types(x: Array) -> tuple[DType, DType]:
    """The types of frequencies and times, and of spectra."""
    return (float64, complex128) if x.dtype in (float64, complex128) else (float32, complex64)


def _count(nperseg: Any) -> int:
    found = operator.index(nperseg)
    if found < 1:
        raise ValueError(f"nperseg must be a positive integer, got {found}")
    return found


def _spectra(
    x: ArrayLike,
    y: ArrayLike | None,
    fs: ArrayLike,
    window: Any,
    nperseg: int | None,
    noverlap: int | None,
    nfft: int | None,
    trend: Trend,
    onesided: bool,
    scaling: str,
    axis: int,
    boundary: str | None = None,
    padded: bool = False,
    powers: bool = True,
) -> tuple[Array, Array, Array]:
    """Frequencies, times, and the transforms of all segments: with `powers` their squares, or products with those of y, else as they are. Frequency is at `axis`, time is last."""
    if boundary not in (None, "even", "odd", "constant", "zeros"):
        raise ValueError(
            f"Unknown boundary option '{boundary}', must be one of: ['even', 'odd', 'constant', 'zeros', None]"
        )
    signals = inexact(x) if y is None else inexact(x, y)
    first, rank = signals[0], signals[0].ndim
    axis = axis_index(axis, rank)
    if any(s.ndim != rank for s in signals):
        raise ValueError(f"two-arguments must have the same rank ({rank} vs {signals[1].ndim}).")
    outer = jnp.broadcast_shapes(*(s.shape[:axis] + s.shape[axis + 1 :] for s in signals))
    real, dtype = _types(first)
    weights = _window_of(window, None if nperseg is None else _count(nperseg), first.shape[axis], first.dtype)
    if any(not s.size for s in signals):
        least = min(s.shape[axis] for s in signals)
        shape = (*outer[:axis], least, *outer[axis:])
        return jnp.zeros(shape, real), jnp.zeros(shape, real), jnp.zeros(shape, dtype)
    size = weights.size
    step, length = _sizes(size, noverlap, nfft)
    if onesided and any(jnp.iscomplexobj(s) for s in signals):
        warnings.warn("Input data is complex, switching to return_onesided=False", stacklevel=3)
        onesided = False
    if scaling not in ("density", "spectrum"):
        raise ValueError(f"Unknown scaling: {scaling}")
    scale = 1 / (fs * (weights * weights).sum()) if scaling == "density" else 1 / weights.sum() ** 2

    detrended = _without_trends(trend, axis)
    longest = max(s.shape[axis] for s in signals)
    extent = longest + (2 * (size // 2) if boundary is not None else 0)
    extent += (-(extent - size) % step) % size if padded else 0

    def transformed(signal: Array) -> Array:
        signal = _extended(_grown(s := jnp.moveaxis(signal, axis, -1), longest - s.shape[-1]), boundary, size // 2)
        segments = weights * detrended(_segments(_grown(signal, extent - signal.shape[-1]), size, step))
        return fft.rfft(segments.real, length) if onesided else fft.fft(segments, length)

    found = [transformed(s) for s in signals]
    if not powers:
        spectra = found[0] * jnp.sqrt(scale)
    elif y is None:
        spectra = (found[0].real ** 2 + found[0].imag ** 2) * scale
    else:
        spectra = jnp.conj(found[0]) * found[1] * scale
    if onesided and powers:  # what lies at negative frequencies
        k = lax.iota("int32", length // 2 + 1)
        spectra = spectra * jnp.where((k == 0) | (2 * k == length), 1, 2).astype(real)
    frequencies = (fft.rfftfreq if onesided else fft.fftfreq)(length, 1 / fs, dtype=real)
    times = jnp.arange(size / 2, extent - size / 2 + 1, step, dtype=real) / fs
    if boundary is not None:
        times = times - (size / 2) / fs
    spectra = spectra.astype(real if powers and y is None else dtype)
    return frequencies, times, jnp.moveaxis(spectra, -1, axis)


# -- what there is of it ------------------------------------------------------------------------------------------------------------------


def stft(
    x: ArrayLike,
    fs: ArrayLike = 1.0,
    window: Any = "hann",
    nperseg: int = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Trend = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
) -> tuple[Array, Array, Array]:
    """Frequencies, times, and the Fourier transforms of segments of a signal, which are `nperseg` long and overlap by `noverlap` (half of it).

    `window` is a name ("hann", "hamming", "blackman", "bartlett", "boxcar"), ("kaiser", beta), or an array. The signal is extended at its ends as `boundary` says ("zeros", "even", "odd",
    "constant" or None) and, `padded`, filled up to a whole number of segments; each is rid of its trend (False, "constant", "linear" or a function). `fs` is the sampling frequency. One-sided
    spectra, of real signals, leave out the negative frequencies. Raises ValueError for an unknown name, and for sizes that do not fit.
    """
    return _spectra(
        x,
        None,
        fs,
        window,
        nperseg,
        noverlap,
        nfft,
        detrend,
        return_onesided,
        "spectrum",
        axis,
        boundary,
        padded,
        powers=False,
    )


def csd(
    x: ArrayLike,
    y: ArrayLike | None,
    fs: ArrayLike = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Trend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """Frequencies, and the density of the cross power spectrum of two signals by Welch's method: the mean over segments, or the median without its bias.

    `scaling="spectrum"` gives powers instead of densities; y None stands for x. The other arguments, and errors, as of `stft`.
    """
    frequencies, _, spectra = _spectra(
        x, y, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis
    )
    if spectra.ndim < 2 or not spectra.size:
        return frequencies, spectra
    count = spectra.shape[-1]
    if count == 1:
        return frequencies, spectra[..., 0]
    if average == "mean":
        return frequencies, spectra.mean(-1)
    if average != "median":
        raise ValueError(f'average must be "median" or "mean", got {average}')
    # Allen et al., "FINDCHIRP", appendix B: the median of n squares is this much of their mean.
    bias = 1 + math.fsum(1 / (k + 1) - 1 / k for k in range(2, count, 2))
    parts = [
        jnp.median(part, axis=-1) / bias for part in ([spectra.real, spectra.imag] if y is not None else [spectra])
    ]
    return frequencies, lax.complex(*parts) if y is not None else parts[0]


def welch(
    x: ArrayLike,
    fs: ArrayLike = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Trend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """Frequencies, and the density of a signal's power spectrum: `csd` of the signal with itself."""
    frequencies, powers = csd(
        x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average
    )
    return frequencies, powers.real


def istft(
    Zxx: ArrayLike,
    fs: ArrayLike = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
) -> tuple[Array, Array]:
    """Times, and the signal whose `stft` (with the same arguments) is given: segments are weighted with the window once more, laid over each other, and divided by the sum of its squares.

    `boundary` says whether the signal was extended at its ends. Raises ValueError for fewer than two axes, one axis for both times and frequencies, and sizes that do not fit.
    """
    (z,) = inexact(Zxx)
    if z.ndim < 2:
        raise ValueError(f"Input stft must be at least 2d, got shape {z.shape}!")
    frequency, time = axis_index(freq_axis, z.ndim), axis_index(time_axis, z.ndim)
    if frequency == time:
        raise ValueError("Must specify differing time and frequency axes!")
    z = jnp.moveaxis(z.astype(_types(z)[1]), (time, frequency), (-2, -1))
    whole = 2 * (z.shape[-1] - 1) if input_onesided else z.shape[-1]
    size = _count(nperseg or whole)
    if nfft is None and not (input_onesided and size == whole + 1):
        nfft = whole
    step, length = _sizes(size, noverlap or None, nfft)
    segments = (fft.irfft if input_onesided else fft.ifft)(z, length)[..., :size]
    if isinstance(window, (str, tuple)):
        weights = _named_window(window, size).astype(segments.dtype)
    else:
        weights = jnp.asarray(window)
        if weights.ndim != 1:
            raise ValueError(f"window must be 1-D, got shape {weights.shape}")
        if weights.size != size:
            raise ValueError(f"window must have length of {size}, got {weights.size}")
    x = _overlapped(segments * weights.sum() * weights, step)
    norm = _overlapped(jnp.broadcast_to(weights * weights, segments.shape[-2:]), step)
    if boundary:
        x, norm = (part[..., size // 2 : -(size // 2)] for part in (x, norm))
    x = x / jnp.where(norm > 1e-10, norm, 1)
    if x.ndim > 1:
        x = jnp.moveaxis(x, -1, time - (frequency < time))
    return jnp.arange(x.shape[0], dtype=_types(x)[0]) / fs, x

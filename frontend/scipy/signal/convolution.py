"""Convolution and correlation of arrays of any rank, directly or by Fourier transforms.

A direct convolution is one `conv_general_dilated` of the longer array with the shorter one reversed; a correlation is a convolution with the second array reversed and conjugated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.lax.base import ArrayLike, axis_index
from weft.numpy import fft
from weft.numpy.linalg import inexact

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve"]

MODES = ("full", "same", "valid")


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be one of {list(MODES)}, got {mode!r}")


def _covers(x: Array, y: Array, axes: Sequence[int]) -> bool:
    return all(x.shape[k] >= y.shape[k] for k in axes)


def _direct(in1: ArrayLike, in2: ArrayLike, mode: str, precision: Any) -> Array:
    """The sums of products as the shorter array, reversed, slides over the longer one."""
    _check_mode(mode)
    x, y = inexact(in1, in2)
    if x.ndim != y.ndim:
        raise ValueError(f"in1 and in2 must have the same number of dimensions, got {x.ndim} and {y.ndim}")
    if not x.size or not y.size:
        raise ValueError(f"zero-size arrays not supported in convolutions, got shapes {x.shape} and {y.shape}.")
    every, wanted = range(x.ndim), y.shape
    if _covers(y, x, every):
        x, y = y, x
    if not _covers(x, y, every):
        raise ValueError(f"One input must be smaller than the other in every dimension, got {x.shape} and {y.shape}.")
    sizes = list(zip(y.shape, wanted, strict=True))
    pads = {
        "valid": [(0, 0)] * x.ndim,
        "full": [(n - 1, n - 1) for n in y.shape],
        "same": [(n - 1 - (w - 1) // 2, n - w + (w - 1) // 2) for n, w in sizes],  # the middle of in1's size
    }
    found = lax.conv_general_dilated(
        x[None, None], jnp.flip(y)[None, None], (1,) * x.ndim, pads[mode], precision=precision
    )
    return found[0, 0]


def fftconvolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", axes: int | Sequence[int] | None = None) -> Array:
    """The convolution along axes (all) as the product of Fourier transforms: full, same (in1's size) or valid.

    Raises ValueError for another mode, arrays of different rank, unequal sizes along the other axes, or (valid) arrays of which neither covers the other.
    """
    x, y = inexact(in1, in2)
    if x.ndim != y.ndim:
        raise ValueError(f"in1 and in2 should have the same dimensionality, got {x.ndim} and {y.ndim}")
    _check_mode(mode)
    given = range(x.ndim) if axes is None else [axes] if isinstance(axes, int) else axes
    along = sorted({axis_index(k, x.ndim) for k in given})
    if any(x.shape[k] != y.shape[k] for k in range(x.ndim) if k not in along):
        raise ValueError(f"mapped axes must have same shape; got {x.shape} and {y.shape}, with axes {along}")
    if mode == "valid":
        if _covers(y, x, along):
            x, y = y, x
        if not _covers(x, y, along):
            raise ValueError(
                f"For 'valid' mode, One input must be at least as large as the other in every dimension, got {x.shape} and {y.shape}."
            )
    full = [x.shape[k] + y.shape[k] - 1 for k in along]
    if all(1 in (x.shape[k], y.shape[k]) for k in along):
        found = x * y
    else:
        there, back = (fft.fftn, fft.ifftn) if jnp.iscomplexobj(x) else (fft.rfftn, fft.irfftn)
        found = back(there(x, full, along) * there(y, full, along), full, along)
    for k, n in zip(along, full, strict=True):
        size = {"full": n, "same": x.shape[k], "valid": x.shape[k] - y.shape[k] + 1}[mode]
        first = (n - size) // 2
        found = lax.slice_in_dim(found, first, first + size, axis=k)
    return found


def convolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """The convolution of two arrays of one rank: full, same (in1's size) or valid; by `method` "direct" (also "auto") or "fft"."""
    if method == "fft":
        return fftconvolve(in1, in2, mode)
    if method not in ("auto", "direct"):
        raise ValueError(f"Got method={method!r}; expected 'auto', 'fft', or 'direct'.")
    return _direct(in1, in2, mode, precision)


def correlate(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """The cross-correlation of two arrays of one rank, the second one conjugated; the arguments as of `convolve`."""
    return convolve(in1, jnp.flip(jnp.conj(in2)), mode, method, precision)


def _planes(name: str, in1: ArrayLike, in2: ArrayLike, boundary: str, fillvalue: float) -> tuple[Array, Array]:
    if boundary != "fill" or fillvalue != 0:
        raise NotImplementedError(f"{name}() only supports boundary='fill', fillvalue=0")
    x, y = inexact(in1, in2)
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(f"{name}() only supports 2-dimensional inputs, got {x.ndim} and {y.ndim} dimensions.")
    return x, y


def convolve2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: float = 0,
    precision: Any = None,
) -> Array:
    """The convolution of two matrices. Raises NotImplementedError for another boundary than zeros."""
    x, y = _planes("convolve2d", in1, in2, boundary, fillvalue)
    return _direct(x, y, mode, precision)


def correlate2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: float = 0,
    precision: Any = None,
) -> Array:
    """The cross-correlation of two matrices, the second one conjugated. Raises NotImplementedError for another boundary than zeros.

    As in SciPy, where "valid" has the larger matrix second, the first one is conjugated instead; "same" keeps the middle that a correlation has, which for even sizes is not the convolution's.
    """
    x, y = _planes("correlate2d", in1, in2, boundary, fillvalue)
    if mode == "same":
        return jnp.flip(_direct(jnp.flip(x), jnp.conj(y), mode, precision))
    found = _direct(x, jnp.flip(jnp.conj(y)), mode, precision)
    second = mode == "valid" and x.shape != y.shape and _covers(y, x, (0, 1))
    return jnp.conj(found) if second else found

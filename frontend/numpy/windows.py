"""Windows: weights that fade a signal out towards its ends. All are known, so they are part of the program."""

from __future__ import annotations

import operator
from math import pi

from weft import lax
from weft.array import Array
from weft.lax.base import ArrayLike, constant, default_float
from weft.numpy.creation import ones
from weft.numpy.elementwise import sqrt
from weft.numpy.promotion import promote_arrays

__all__ = ["bartlett", "blackman", "hamming", "hanning", "i0", "kaiser"]


def _raised_cosines(M: int, *weights: float) -> Array:
    """A sum of cosines of whole turns over the window: weights[k] cos(2 pi k n / (M - 1))."""
    count = operator.index(M)
    if count <= 1:
        return ones((count,))
    n = lax.iota(default_float(), count)
    found = constant(weights[0], (count,), n.dtype)
    for k, weight in enumerate(weights[1:], 1):
        found = found + weight * lax.cos(n * (2 * pi * k / (count - 1)))
    return found


def bartlett(M: int) -> Array:
    """The triangular window of M points."""
    count = operator.index(M)
    if count <= 1:
        return ones((count,))
    return 1 - lax.abs(2 * lax.iota(default_float(), count) + (1 - count)) / (count - 1)


def blackman(M: int) -> Array:
    """Blackman's window of M points."""
    return _raised_cosines(M, 0.42, -0.5, 0.08)


def hamming(M: int) -> Array:
    """Hamming's window of M points."""
    return _raised_cosines(M, 0.54, -0.46)


def hanning(M: int) -> Array:
    """The window of M points that is named after von Hann."""
    return _raised_cosines(M, 0.5, -0.5)


def kaiser(M: int, beta: ArrayLike) -> Array:
    """Kaiser's window of M points: beta says how steep it is."""
    count = operator.index(M)
    (steepness,) = promote_arrays(beta, inexact=True)
    if count <= 1:
        return ones((count,), steepness.dtype)
    half = 0.5 * (count - 1)
    part = (lax.iota(default_float(), count) - half) / half
    return i0(steepness * sqrt(1 - part * part)) / i0(steepness)


def i0(x: ArrayLike) -> Array:
    """The modified Bessel function of the first kind of order 0."""
    (x,) = promote_arrays(x, inexact=True)
    if x.dtype.kind == "c":
        raise ValueError("i0 does not support complex-valued inputs")
    return lax.exp(lax.abs(x)) * lax.bessel_i0e(x)

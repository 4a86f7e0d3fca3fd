"""Windows: weights that fade a signal out towards its ends. All are known, so they are part of the program."""

from __future__ import annotations

import operator
from math import pi

from weft import lax
from weft.array import Array
from weft.lax.base import constant, default_float
from weft.numpy.creation import ones

__all__ = ["bartlett", "blackman", "hamming", "hanning"]


def _raised_cosines(M: int, *weights: float) -> Array:
    """A sum of cosines of whole turns over the window: weights[k] cos(2 pi k n / (M - 1))."""
    count = operator.index(M)
    if count <= 1:
        return ones((max(count, 0),))
    n = lax.iota(default_float(), count)
    found = constant(weights[0], (count,), n.dtype)
    for k, weight in enumerate(weights[1:], 1):
        found = found + weight * lax.cos(n * (2 * pi * k / (count - 1)))
    return found


def bartlett(M: int) -> Array:
    """The triangular window of M points."""
    count = operator.index(M)
    if count <= 1:
        return ones((max(count, 0),))
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

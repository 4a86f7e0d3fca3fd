"""Windows: weights that fade a signal out towards its ends. All are known, so they are part of the program."""

from __future__ import annotations

import operator
from math import pi

from weft import lax
from weft.array import Array, wrap
from weft.lax.base import ArrayLike, constant, convert, default_float
from weft.numpy.creation import ones
from weft.numpy.elementwise import exp, sqrt, where
from weft.numpy.promotion import like, promote_arrays

__all__ = ["bartlett", "blackman", "hamming", "hanning", "i0", "kaiser"]


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


def kaiser(M: int, beta: ArrayLike) -> Array:
    """Kaiser's window of M points: beta says how steep it is."""
    count = operator.index(M)
    (steepness,) = promote_arrays(beta, inexact=True)
    if count <= 1:
        return ones((max(count, 0),), steepness.dtype)
    half = 0.5 * (count - 1)
    part = (lax.iota(default_float(), count) - half) / half
    return i0(steepness * sqrt(1 - part * part)) / i0(steepness)


_NEAR = 16.0


def i0(x: ArrayLike) -> Array:
    """The modified Bessel function of the first kind of order 0.

    Near 0 its power series, sum of (x / 2)^2k / k!^2, whose terms are all positive; farther out the asymptotic one, e^x / sqrt(2 pi x) times the sum of
    (1 * 9 * 25 * ... (2k - 1)^2) / (k! (8 x)^k) (Abramowitz and Stegun 9.6.12 and 9.7.1), to the smallest term that matters.
    """
    (x,) = promote_arrays(x, inexact=True)
    if x.dtype.kind == "c":
        raise ValueError("i0 does not support complex-valued inputs")
    x = lax.abs(wrap(convert(x._node, x.dtype)))
    near = x < _NEAR
    square = where(near, x, like(0, x)) ** 2 * 0.25
    far = where(near, like(_NEAR, x), x)

    def series(k: Array, found: Array) -> Array:
        term = lax.convert_element_type(48 - k, x.dtype)
        return 1 + found * square / (term * term)

    def asymptotic(k: Array, found: Array) -> Array:
        term = lax.convert_element_type(24 - k, x.dtype)
        return 1 + found * (2 * term - 1) ** 2 / (8 * term * far)

    ones_like_x = lax.full_like(x, 1)
    far_value = exp(far) * (lax.fori_loop(0, 24, asymptotic, ones_like_x) / (sqrt(far) * sqrt(2 * pi)))
    return where(near, lax.fori_loop(0, 48, series, ones_like_x), far_value)

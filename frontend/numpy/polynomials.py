"""Polynomials by their coefficients, the highest power first: NumPy's older interface, which JAX has.

Products are convolutions; derivatives and integrals multiply by falling factorials, which are known; roots are the eigenvalues of the companion matrix, a fit is a least-squares problem.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from weft import lax
from weft.array import Array, wrap
from weft.dialects.dtypes import int32
from weft.lax.base import ArrayLike, constant, convert
from weft.numpy.creation import array as make_array
from weft.numpy.creation import diag, ones, vander, zeros
from weft.numpy.dtypes import finfo, result_type
from weft.numpy.editing import trim_zeros
from weft.numpy.elementwise import true_divide, where
from weft.numpy.linear import convolve, outer
from weft.numpy.manipulation import atleast_1d, concatenate
from weft.numpy.promotion import like, same_dtype, to_inexact
from weft.numpy.reductions import sum as sum_of

__all__ = ["poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval", "roots"]


def _inexact(*xs: ArrayLike) -> list[Array]:
    """Operands in one floating or complex dtype, each in its own shape."""
    nodes = same_dtype(*xs)
    wanted = to_inexact(nodes[0].dtype)
    return [wrap(convert(n, wanted, n.aval.weak_type)) for n in nodes]


def poly(seq_of_zeros: ArrayLike) -> Array:
    """The coefficients of the polynomial with the given roots, or of the characteristic polynomial of a square matrix."""
    (x,) = _inexact(seq_of_zeros)
    x = atleast_1d(x)
    if x.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if not x.size:
        return ones((), x.dtype)
    place = lax.iota(int32, x.shape[0])

    def multiplied(k: Array, found: Array) -> Array:
        longer = where(
            place <= k, found[1:] - x[k] * found[:-1], 0
        )  # beyond there is nothing yet, also where a root is not finite
        return concatenate([found[:1], longer])

    return lax.fori_loop(0, x.shape[0], multiplied, lax.pad(ones((1,), x.dtype), like(0, x), [(0, x.shape[0], 0)]))


def polyval(p: ArrayLike, x: ArrayLike, *, unroll: int = 16) -> Array:
    """The value of a polynomial at x, by Horner's rule. Further axes of p are so many polynomials, broadcast against x."""
    coefficients, x = (wrap(n) for n in same_dtype(p, x))
    shape = lax.broadcast_shapes(coefficients.shape[1:], x.shape)
    found = zeros(shape, x.dtype)
    for k in range(coefficients.shape[0]):
        found = found * x + coefficients[k]
    return found


def _padded(x: Array, size: int) -> Array:
    return lax.pad(x, constant(0, (), x.dtype), [(size - x.shape[0], 0, 0)])


def polyadd(a1: ArrayLike, a2: ArrayLike) -> Array:
    """The sum of two polynomials."""
    x, y = (wrap(n) for n in same_dtype(a1, a2))
    size = max(x.shape[0], y.shape[0])
    return lax.add(_padded(x, size), _padded(y, size))


def polysub(a1: ArrayLike, a2: ArrayLike) -> Array:
    """The difference of two polynomials."""
    return polyadd(a1, lax.neg(a2))


def polymul(a1: ArrayLike, a2: ArrayLike, *, trim_leading_zeros: bool = False) -> Array:
    """The product of two polynomials. Trimming leading zeros first needs known values."""
    x, y = _inexact(a1, a2)
    if trim_leading_zeros and (x.size > 1 or y.size > 1):
        x, y = trim_zeros(x, "f"), trim_zeros(y, "f")
    x, y = (v if v.size else zeros((1,), v.dtype) for v in (x, y))
    return convolve(x, y)


def polydiv(u: ArrayLike, v: ArrayLike, *, trim_leading_zeros: bool = False) -> tuple[Array, Array]:
    """Quotient and remainder of two polynomials. The remainder keeps its leading zeros, unless they shall be trimmed (which needs known values)."""
    rest, divisor = _inexact(u, v)
    steps, size = rest.shape[0] - divisor.shape[0] + 1, divisor.shape[0]
    quotient = []
    for k in range(steps):
        d = lax.div(rest[k], divisor[0])
        quotient.append(d)
        rest = rest.at[k : k + size].add(-d * divisor)
    found = lax.concatenate([lax.reshape(d, (1,)) for d in quotient], 0) if quotient else zeros((1,), rest.dtype)
    if trim_leading_zeros:
        small = lax.abs(rest) < math.sqrt(float(finfo(rest.dtype).eps))
        rest = trim_zeros(where(small, constant(0, (), rest.dtype), rest), "f")
    return found, rest


def _factorials(size: int, m: int, dtype: Any) -> Array:
    """What differentiating the powers size - 1, …, m, all m times, multiplies by."""
    return make_array([float(math.perm(k, m)) for k in range(size - 1, m - 1, -1)], dtype)


def polyder(p: ArrayLike, m: int = 1) -> Array:
    """The m-th derivative."""
    m = operator.index(m)
    if m < 0:
        raise ValueError("Order of derivative must be positive")
    (x,) = _inexact(p)
    if m == 0:
        return x
    return x[:-m] * _factorials(x.shape[0], m, x.dtype)


def polyint(p: ArrayLike, m: int = 1, k: Any = None) -> Array:
    """The m-th antiderivative, with the constants k of the integrations, the first one's first."""
    m = operator.index(m)
    if m < 0:
        raise ValueError("Order of integral must be positive")
    x, constants = _inexact(p, 0 if k is None else k)
    constants = atleast_1d(constants)
    if constants.shape[0] == 1:
        constants = lax.broadcast_in_dim(lax.reshape(constants, ()), (m,), ())
    if constants.shape != (m,):
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or m.")
    if m == 0:
        return x
    powers = range(x.shape[0] - 1, -1, -1)
    divisors = [float(math.perm(p + m, m)) for p in powers] + [float(math.factorial(p)) for p in range(m - 1, -1, -1)]
    return true_divide(concatenate([x, constants]), make_array(divisors, x.dtype))


def roots(p: ArrayLike, *, strip_zeros: bool = True) -> Array:
    """The roots of a polynomial, complex: the eigenvalues of its companion matrix.

    Leading and trailing zeros are taken away first, which needs known values; with `strip_zeros=False` the result has as many roots as powers, NaN among them if the first coefficient is zero.
    """
    (x,) = _inexact(p)
    x = atleast_1d(x)
    if x.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    from weft.numpy.linalg import eigvals

    zeros_at_end = 0
    if strip_zeros:
        x = trim_zeros(x, "f")
        zeros_at_end = x.size - (x := trim_zeros(x, "b")).size
    if x.size < 2:
        found = zeros((0,), result_type(x.dtype, "complex64"))
    else:
        found = eigvals(diag(ones((x.size - 2,), x.dtype), -1).at[0].set(lax.div(-x[1:], x[0])))
    return lax.pad(found, constant(0, (), found.dtype), [(0, zeros_at_end, 0)])


def polyfit(
    x: ArrayLike,
    y: ArrayLike,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: ArrayLike | None = None,
    cov: Any = False,
) -> Any:
    """The polynomial of a degree that fits points best, by least squares.

    `w` weighs the residuals. `full` adds what `lstsq` says: residuals, rank, singular values, rcond; `cov` adds the covariance of the coefficients, scaled by the residuals unless it is "unscaled".
    """
    from weft.numpy.linalg import inv, lstsq

    order = operator.index(deg) + 1
    places, values = _inexact(x, y)
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if places.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if places.size == 0:
        raise TypeError("expected non-empty vector for x")
    if values.ndim not in (1, 2):
        raise TypeError("expected 1D or 2D array for y")
    if places.shape[0] != values.shape[0]:
        raise TypeError("expected x and y to have same length")
    tolerance = places.size * float(finfo(places.dtype).eps) if rcond is None else rcond
    system, right = vander(places, order), values
    if w is not None:
        places, weights = _inexact(places, w)
        if weights.ndim != 1:
            raise TypeError("expected a 1-d array for weights")
        if weights.shape[0] != values.shape[0]:
            raise TypeError("expected w and y to have the same length")
        system = system * weights[:, None]
        right = right * (weights[:, None] if right.ndim == 2 else weights)
    scale = lax.sqrt(sum_of(system * system, 0))
    solution, residuals, rank, singular = lstsq(system / scale, right, tolerance)
    solution = (solution.T / scale).T
    if full:
        return solution, residuals, rank, singular, tolerance
    if not cov:
        return solution
    system = system / scale
    base = inv(system.T @ system) / outer(scale, scale)
    if cov == "unscaled":
        factor: Any = 1
    else:
        if places.size <= order:
            raise ValueError("the number of data points must exceed order to scale the covariance matrix")
        factor = residuals / (places.size - order)
    return solution, base * factor if right.ndim == 1 else base[:, :, None] * factor

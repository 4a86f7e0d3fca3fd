"""Products of matrices and tensors, and views of matrices."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import weft.numpy as jnp
from weft.array import Array, lift, wrap
from weft.lax.base import ArrayLike
from weft.numpy.linalg.systems import inv, solve

__all__ = [
    "cross",
    "diagonal",
    "matmul",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
]


def matrix_power(a: ArrayLike, n: int) -> Array:
    """a multiplied with itself: n times, or its inverse for negative n. By squaring."""
    x = wrap(lift(a))
    if x.ndim < 2:
        raise TypeError(f"{x.ndim}-dimensional array given. Array must be at least two-dimensional")
    if x.shape[-1] != x.shape[-2]:
        raise TypeError("Last 2 dimensions of the array must be square")
    try:
        n = operator.index(n)
    except TypeError as error:
        raise TypeError(f"exponent must be an integer, got {n}") from error
    if n == 0:
        return jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    if n < 0:
        x, n = inv(x), -n
    if n == 3:
        return jnp.matmul(jnp.matmul(x, x), x)
    found = None
    while n:
        if n % 2:
            found = x if found is None else jnp.matmul(found, x)
        n //= 2
        x = jnp.matmul(x, x) if n else x
    assert found is not None
    return found


def multi_dot(arrays: Sequence[ArrayLike], *, precision: Any = None) -> Array:
    """The product of several matrices (the first and the last may be vectors), multiplied in an order that costs little."""
    given = [wrap(lift(a)) for a in arrays]
    if len(given) < 2:
        raise ValueError(f"multi_dot requires at least two arrays; got len(arrays)={len(given)}")
    shapes = [a.shape for a in given]
    if any(len(s) not in (1, 2) for s in (shapes[0], shapes[-1])) or any(len(s) != 2 for s in shapes[1:-1]):
        raise ValueError(
            f"multi_dot: input arrays must all be two-dimensional, except for the first and last array which may be 1 or 2 dimensional. Got array shapes {shapes}"
        )
    if any(s[-1] != t[0] for s, t in pairwise(shapes)):
        raise ValueError(
            f"multi_dot: last dimension of each array must match first dimension of following array. Got array shapes {shapes}"
        )
    letters = [chr(ord("a") + k) for k in range(len(given) + 1)]
    terms = [letters[k] + letters[k + 1] for k in range(len(given))]
    ends = "" if len(shapes[0]) == 1 else letters[0], "" if len(shapes[-1]) == 1 else letters[-1]
    terms[0] = terms[0] if ends[0] else letters[1]
    terms[-1] = terms[-1] if ends[1] else letters[-2]
    return jnp.einsum(f"{','.join(terms)}->{''.join(ends)}", *given, precision=precision)


def tensorinv(a: ArrayLike, ind: int = 2) -> Array:
    """The inverse with respect to `tensordot` over the first `ind` axes."""
    x = wrap(lift(a))
    ind = operator.index(ind)
    if ind <= 0:
        raise ValueError(f"ind must be a positive integer; got ind={ind}")
    first, rest = x.shape[:ind], x.shape[ind:]
    if prod(first) != prod(rest):
        raise ValueError(
            f"tensorinv is only possible when the product of the first `ind` dimensions equals that of the remaining dimensions. got arr.shape={x.shape} with ind={ind}."
        )
    return inv(x.reshape(prod(first), prod(rest))).reshape(*rest, *first)


def tensorsolve(a: ArrayLike, b: ArrayLike, axes: tuple[int, ...] | None = None) -> Array:
    """x with tensordot(a, x, x.ndim) = b; `axes` of a are moved to its end first."""
    x, y = wrap(lift(a)), wrap(lift(b))
    if axes is not None:
        x = jnp.moveaxis(x, axes, len(axes) * (x.ndim - 1,))
    shape = x.shape[y.ndim :]
    if x.shape[: y.ndim] != y.shape:
        raise ValueError(
            f"After moving axes to end, leading shape of a must match shape of b. got a.shape={x.shape}, b.shape={y.shape}"
        )
    if y.size != prod(shape):
        raise ValueError(
            f"Input arrays must have prod(a.shape[:b.ndim]) == prod(a.shape[b.ndim:]); got a.shape={x.shape}, b.ndim={y.ndim}."
        )
    return solve(x.reshape(y.size, prod(shape)), jnp.ravel(y)).reshape(shape)


def cross(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Array:
    """The cross product of vectors of three elements along an axis."""
    a, b = wrap(lift(x1)), wrap(lift(x2))
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ValueError(
            f"Both input arrays must be (arrays of) 3-dimensional vectors, but they have {a.shape[axis]=} and {b.shape[axis]=}"
        )
    return jnp.cross(a, b, axis=axis)


def outer(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """All products of an element of one vector with one of another."""
    a, b = wrap(lift(x1)), wrap(lift(x2))
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"Input arrays must be one-dimensional, but they are x1.ndim={a.ndim} x2.ndim={b.ndim}")
    return a[:, None] * b[None, :]


def diagonal(x: ArrayLike, /, *, offset: int = 0) -> Array:
    """A diagonal of each matrix in the last two axes."""
    return jnp.diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: ArrayLike, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sum along a diagonal of each matrix in the last two axes."""
    return jnp.trace(x, offset=offset, axis1=-2, axis2=-1, dtype=dtype)


def matmul(x1: ArrayLike, x2: ArrayLike, /, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """Products of matrices. See `weft.numpy.matmul`."""
    return jnp.matmul(x1, x2, precision=precision, preferred_element_type=preferred_element_type)


def matrix_transpose(x: ArrayLike, /) -> Array:
    """The last two axes exchanged."""
    return jnp.matrix_transpose(x)


def tensordot(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    *,
    axes: Any = 2,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: None = None,
) -> Array:
    """Sums of products over pairs of axes. See `weft.numpy.tensordot`."""
    return jnp.tensordot(x1, x2, axes, precision=precision, preferred_element_type=preferred_element_type)


def vecdot(
    x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, precision: Any = None, preferred_element_type: Any = None
) -> Array:
    """The sum of products along an axis. See `weft.numpy.vecdot`."""
    return jnp.vecdot(x1, x2, axis=axis, precision=precision, preferred_element_type=preferred_element_type)

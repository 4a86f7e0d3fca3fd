"""Systems of equations, by one LU and two triangular solves; least squares, pseudo-inverses, ranks and condition numbers, by singular values."""

from __future__ import annotations

from math import inf
from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.custom import custom_jvp
from weft.lax import linalg as factor
from weft.lax.base import ArrayLike
from weft.numpy.linalg.factorizations import adjoint, inexact, square, svd, svdvals
from weft.numpy.linalg.norms import norm

__all__ = ["cond", "inv", "lstsq", "matrix_rank", "pinv", "solve"]


def solve(a: ArrayLike, b: ArrayLike) -> Array:
    """x with a x = b: b is a vector, or holds matrices whose leading axes broadcast against those of a."""
    x, y = inexact(a, b)
    if x.ndim < 2:
        raise ValueError(f"left hand array must be at least two dimensional; got a.shape={x.shape}")
    square("solve", x)
    if y.ndim == 0:
        raise ValueError("right hand array must be at least one dimensional; got a scalar")
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    if y.shape[-2] != x.shape[-1]:
        raise ValueError(f"Invalid shapes for solve: {x.shape}, {y.shape[:-1] if vector else y.shape}.")
    packed, _, permutation = factor.lu(x)
    lead = lax.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    y = jnp.broadcast_to(y, (*lead, *y.shape[-2:]))
    found = lu_solved(
        jnp.broadcast_to(packed, (*lead, *x.shape[-2:])), jnp.broadcast_to(permutation, (*lead, x.shape[-1])), y
    )
    return found[..., 0] if vector else found


def lu_solved(packed: Array, permutation: Array, b: Array, trans: int = 0) -> Array:
    """x with a x = b (trans 1: aᵀ x = b, 2: aᴴ x = b), given the factors of a."""
    if not b.size:
        return b
    lower = {"left_side": True, "lower": True, "unit_diagonal": True}
    upper = {"left_side": True, "lower": False}
    if trans == 0:
        rows = jnp.take_along_axis(b, permutation[..., None], axis=-2)
        return factor.triangular_solve(packed, factor.triangular_solve(packed, rows, **lower), **upper)
    turned = {"transpose_a": True, "conjugate_a": trans == 2}
    rows = factor.triangular_solve(packed, factor.triangular_solve(packed, b, **upper, **turned), **lower, **turned)
    return jnp.take_along_axis(rows, jnp.argsort(permutation, axis=-1)[..., None], axis=-2)


def inv(a: ArrayLike) -> Array:
    """The inverse of square matrices (inf or NaN for singular ones)."""
    (x,) = inexact(a)
    square("inv", x)
    return solve(x, jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape))


def lstsq(
    a: ArrayLike, b: ArrayLike, rcond: float | None = None, *, numpy_resid: bool = False
) -> tuple[Array, Array, Array, Array]:
    """The x of least length that makes ‖b - a x‖ least; the squared residuals, the rank, and the singular values of a.

    Singular values up to `rcond` times the greatest count as zero (default: the dtype's eps times a's greater side). With `numpy_resid` no residuals where a has not full rank or is not tall.
    """
    x, y = inexact(a, b)
    if x.shape[:1] != y.shape[:1]:
        raise ValueError(f"Leading dimensions of input arrays must match, got {x.shape} and {y.shape}")
    if x.ndim != 2:
        raise TypeError(f"{x.ndim}-dimensional array given. Array must be two-dimensional")
    if y.ndim not in (1, 2):
        raise TypeError(f"{y.ndim}-dimensional array given. Array must be one or two-dimensional")
    n, m = x.shape
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    if not x.size:
        s = jnp.empty(0, x.dtype)
        rank, found = jnp.asarray(0), jnp.zeros((m, y.shape[1]), x.dtype)
    else:
        eps = float(jnp.finfo(x.dtype).eps)
        cutoff = eps * max(n, m) if rcond is None else jnp.where(jnp.asarray(rcond) < 0, eps, rcond)
        u, s, vh = svd(x, full_matrices=False)
        kept = (s > 0) & (s >= jnp.asarray(cutoff, s.dtype) * s[0])
        rank = jnp.sum(kept)
        scale = jnp.where(kept, 1 / jnp.where(kept, s, 1), 0)[:, None].astype(x.dtype)
        found = jnp.matmul(adjoint(vh), scale * jnp.matmul(adjoint(u), y))
    if numpy_resid and (int(rank) < m or n <= m):
        rest = jnp.empty(0, x.dtype)
    else:
        rest = norm(y - jnp.matmul(x, found), axis=0) ** 2
    return found[:, 0] if vector else found, rest, rank, s


def pinv(
    a: ArrayLike, rtol: ArrayLike | None = None, hermitian: bool = False, *, rcond: ArrayLike | None = None
) -> Array:
    """The pseudo-inverse. Singular values up to `rtol` times the greatest count as zero (default: 10 eps times the greater side)."""
    if rcond is not None:
        if rtol is not None:
            raise ValueError("pinv: only one of rtol and rcond may be specified.")
        rtol = rcond
    (x,) = inexact(a)
    if x.ndim < 2:
        raise ValueError(f"pinv expects an array with at least 2 dimensions, got shape {x.shape}.")
    if rtol is None:
        rtol = 10.0 * max(x.shape[-2:]) * float(jnp.finfo(x.dtype).eps)
    return _pinv(x, lax.stop_gradient(jnp.asarray(rtol)), bool(hermitian))


def _pinv_value(a: Array, rtol: Array, hermitian: bool) -> Array:
    if not a.size:
        return jnp.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    u, s, vh = svd(a, full_matrices=False, hermitian=hermitian)
    cutoff = rtol[..., None].astype(s.dtype) * s[..., :1]
    s = jnp.where(s > cutoff, s, inf).astype(u.dtype)
    return jnp.matmul(adjoint(vh), adjoint(u / s[..., None, :]))


_pinv = custom_jvp(_pinv_value, nondiff_argnums=(2,))


@_pinv.defjvp
def _pinv_jvp(hermitian: bool, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate", 1973."""
    (a, rtol), (da, _) = primals, tangents
    p = _pinv(a, rtol, hermitian)
    if not a.size:
        return p, jnp.zeros_like(p)
    out = -jnp.matmul(jnp.matmul(p, da), p)
    turned = adjoint(da)
    ppt, ptp = jnp.matmul(p, adjoint(p)), jnp.matmul(adjoint(p), p)
    left, right = jnp.matmul(ppt, turned), jnp.matmul(turned, ptp)
    out = out + (left - jnp.matmul(jnp.matmul(left, a), p)) + (right - jnp.matmul(p, jnp.matmul(a, right)))
    return p, out


def matrix_rank(
    M: ArrayLike, rtol: ArrayLike | None = None, *, hermitian: bool = False, tol: ArrayLike | None = None
) -> Array:
    """How many singular values are greater than a tolerance (default: the greatest times eps times the greater side)."""
    if tol is not None:
        if rtol is not None:
            raise ValueError("matrix_rank: only one of tol or rtol may be specified.")
        rtol = tol
    (x,) = inexact(M)
    if x.ndim < 2:
        return jnp.any(x != 0).astype(jnp.int32)
    s = svd(x, full_matrices=False, compute_uv=False, hermitian=hermitian)
    if rtol is None:
        rtol = jnp.max(s, -1) * (max(x.shape[-2:]) * float(jnp.finfo(s.dtype).eps))
    return jnp.sum(s > jnp.asarray(rtol)[..., None], axis=-1)


def cond(x: ArrayLike, p: Any = None) -> Array:
    """The condition number in a norm (None or 2: the ratio of the extreme singular values)."""
    (a,) = inexact(x)
    if a.ndim < 2:
        raise ValueError(f"jnp.linalg.cond: input array must be at least 2D; got arr.shape={a.shape}")
    if not min(a.shape[-2:]):
        raise ValueError(f"jnp.linalg.cond: input array must not be empty; got arr.shape={a.shape}")
    if p is None or p == 2:
        s = svdvals(a)
        return s[..., 0] / s[..., -1]
    if p == -2:
        s = svdvals(a)
        found = s[..., -1] / s[..., 0]
    else:
        if a.shape[-1] != a.shape[-2]:
            raise ValueError(f"jnp.linalg.cond: for p={p!r}, array must be square; got arr.shape={a.shape}")
        found = norm(a, ord=p, axis=(-2, -1)) * norm(inv(a), ord=p, axis=(-2, -1))
    return jnp.where(jnp.isnan(found) & ~jnp.any(jnp.isnan(a), axis=(-2, -1)), inf, found)

"""Determinants, and their derivatives: of singular matrices, too."""

from __future__ import annotations

from math import inf
from typing import Any

import weft.numpy as jnp
from weft.array import Array
from weft.custom import custom_jvp
from weft.lax import linalg as factor
from weft.lax.base import ArrayLike
from weft.numpy.linalg.factorizations import SlogdetResult, inexact
from weft.numpy.linalg.products import diagonal, trace

__all__ = ["det", "slogdet"]


def slogdet(a: ArrayLike, *, method: str | None = None) -> SlogdetResult:
    """The determinant as its sign and the logarithm of its size, by LU (`method` None or "lu") or QR ("qr")."""
    (x,) = inexact(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Argument to slogdet() must have shape [..., n, n], got {x.shape}")
    if method not in (None, "lu", "qr"):
        raise ValueError(f"Unknown slogdet method '{method}'. Supported methods are 'lu' (`None`), and 'qr'.")
    if method == "qr":
        packed, taus = factor.geqrf(x)
        pivots = diagonal(packed)
        parity = _alternating(jnp.not_equal(taus, 0), x)  # each reflection has determinant -1
    else:
        packed, places, _ = factor.lu(x)
        pivots, parity = diagonal(packed), _parity(places, x)
    singular = jnp.any(jnp.equal(pivots, 0), axis=-1)
    pivots = jnp.where(singular[..., None], 1, pivots)
    # a complex sign turns with the matrix, a real one has no derivative
    sign = jnp.prod(pivots / jnp.abs(pivots) if x.dtype.kind == "c" else jnp.sign(pivots), axis=-1) * parity
    size = jnp.sum(jnp.log(jnp.abs(pivots)), axis=-1)
    return SlogdetResult(jnp.where(singular, 0, sign), jnp.where(singular, -inf, size))


def det(a: ArrayLike) -> Array:
    """The determinant. Its derivative exists for singular matrices too."""
    (x,) = inexact(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Argument to _det() must be a square matrix, got shape {x.shape}")
    return _det(x)


def _det_value(x: Array) -> Array:
    """The product of the pivots, with the permutation's sign."""
    n = x.shape[-1]
    if n == 2:
        return x[..., 0, 0] * x[..., 1, 1] - x[..., 0, 1] * x[..., 1, 0]
    packed, places, _ = factor.lu(x)
    return jnp.prod(diagonal(packed), axis=-1) * _parity(places, x)


def _parity(places: Array, x: Array) -> Array:
    """The sign of the permutation that exchanges each row with its pivot."""
    return _alternating(jnp.not_equal(places, jnp.arange(places.shape[-1], dtype=places.dtype)), x)


def _alternating(flips: Array, x: Array) -> Array:
    """1 or -1, in the dtype of x: whether an even or an odd number of flips happen."""
    return (1 - 2 * (jnp.sum(flips, axis=-1) % 2)).astype(x.dtype)


_det = custom_jvp(_det_value)


@_det.defjvp
def _det_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """d det(x) = trace(adj(x) dx) (Jacobi)."""
    (x,), (dx,) = primals, tangents
    return _det(x), trace(_adjugate_times(x, dx))


def _adjugate_times(x: Array, b: Array) -> Array:
    """adj(x) b = det(x) x⁻¹ b, also for x of rank n - 1: by LU, the last pivot (the only one that may be 0) cancelled against the determinant's."""
    n = x.shape[-1]
    if n == 0:
        return b
    packed, places, permutation = factor.lu(x)
    pivots = diagonal(packed)
    last = jnp.equal(jnp.arange(n), n - 1)
    none = jnp.any(jnp.equal(pivots, 0) & ~last, axis=-1)[..., None, None]  # of rank n - 2 and less: the adjugate is 0
    packed = jnp.where(none | (last[:, None] & last), jnp.eye(n, dtype=x.dtype), packed)
    partial = jnp.cumprod(pivots, axis=-1) * _parity(places, x)[..., None]
    before = partial[..., -2:-1, None] if n > 1 else jnp.ones_like(partial[..., None])
    weight = jnp.where(none, 0, jnp.where(last[:, None], before, partial[..., -1:, None]))
    rows = jnp.take_along_axis(b, permutation[..., None], axis=-2)
    rows = factor.triangular_solve(packed, rows, left_side=True, lower=True, unit_diagonal=True)
    return factor.triangular_solve(packed, rows * weight, left_side=True, lower=False)

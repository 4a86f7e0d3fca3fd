"""Functions of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.autodiff import jvp
from weft.lax import linalg as factor
from weft.lax.base import ArrayLike
from weft.numpy import linalg as dense
from weft.scipy.linalg.systems import solve_triangular

__all__ = ["expm", "expm_frechet", "funm", "solve_sylvester", "sqrtm"]

# N. Higham, "The scaling and squaring method for the matrix exponential revisited", 2005: numerators of the diagonal Padé approximants, and the norms up to
# which they are exact to the dtype.
_PADE_7 = (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0)
_PADE_13 = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0, 670442572800.0,
    33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_NORM_7, _NORM_13 = 3.925724783138660, 5.371920351148152


def expm(A: ArrayLike, *, upper_triangular: bool = False, max_squarings: int = 16) -> Array:
    """The exponential of square matrices: a Padé approximant of the matrix scaled by a power of two, squared as often. NaN where more than `max_squarings` are needed."""
    (x,) = dense.inexact(A)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Expected A to be a (batched) square matrix, got A.shape={x.shape}.")
    if not x.size:
        return x
    double = x.dtype in ("float64", "complex128")
    norm = jnp.max(jnp.sum(jnp.abs(x), axis=-2), axis=-1)
    count = jnp.maximum(0, jnp.floor(jnp.log2(norm / (_NORM_13 if double else _NORM_7))))
    count = lax.stop_gradient(count)[..., None, None]
    odd, even = _pade(x / (2**count).astype(x.dtype), _PADE_13 if double else _PADE_7)
    numerator, denominator = even + odd, even - odd
    found = solve_triangular(denominator, numerator) if upper_triangular else dense.solve(denominator, numerator)

    def square(k: Array, r: Array) -> Array:
        more = k.astype(count.dtype) < count
        return lax.cond(jnp.any(more), lambda r: jnp.where(more, jnp.matmul(r, r), r), lambda r: r, r)

    found = lax.fori_loop(0, max_squarings, square, found)
    return jnp.where(count > max_squarings, jnp.nan, found)


def _pade(x: Array, b: tuple[float, ...]) -> tuple[Array, Array]:
    """The odd and the even part of the approximant's numerator."""
    one = jnp.eye(x.shape[-1], dtype=x.dtype)
    x2 = jnp.matmul(x, x)
    x4 = jnp.matmul(x2, x2)
    x6 = jnp.matmul(x4, x2)
    powers = (one, x2, x4, x6)

    def combined(coefficients: tuple[float, ...]) -> Array:
        terms = [c * p for c, p in zip(coefficients, powers, strict=True)]
        return terms[0] + terms[1] + terms[2] + terms[3]

    odd, even = combined(b[1:8:2]), combined(b[0:8:2])
    if len(b) > 8:
        odd = odd + jnp.matmul(x6, b[13] * x6 + b[11] * x4 + b[9] * x2)
        even = even + jnp.matmul(x6, b[12] * x6 + b[10] * x4 + b[8] * x2)
    return jnp.matmul(x, odd), even


def expm_frechet(A: ArrayLike, E: ArrayLike, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """The derivative of the exponential at A in the direction E; before it, with `compute_expm`, the exponential itself."""
    x, e = (jnp.asarray(v) for v in (A, E))
    for name, v in (("A", x), ("E", e)):
        if v.ndim < 2 or v.shape[-1] != v.shape[-2]:
            raise ValueError(f"expected {name} to be a (batched) square matrix, got {name}.shape={v.shape}")
    if x.shape != e.shape:
        raise ValueError(f"expected A and E to be the same shape, got A.shape={x.shape} E.shape={e.shape}")
    value, change = jvp(expm, (x,), (e,))
    return (value, change) if compute_expm else change


def sqrtm(A: ArrayLike, blocksize: int = 1) -> Array:
    """The principal square root of square matrices, complex: by Schur's form (A. Björck and S. Hammarling, 1983), one diagonal of the triangular root after the other. `blocksize` must be 1.

    Schur's form is computed by the host, as `weft.lax.linalg.schur` says.
    """
    if blocksize > 1:
        raise NotImplementedError("Blocked version is not implemented yet.")
    t, z = _triangular(A)
    roots = jnp.sqrt(_diagonal(t))
    divisor = roots[..., :, None] + roots[..., None, :]

    def next_diagonal(k: Any, r: Array) -> Array:
        found = (t - jnp.matmul(r, r)) / jnp.where(divisor == 0, 1, divisor)
        return jnp.where(_offset(t) == k, found, r)

    return _back(
        z, lax.fori_loop(1, t.shape[-1], next_diagonal, roots[..., None] * jnp.eye(t.shape[-1], dtype=t.dtype))
    )


def funm(A: ArrayLike, func: Callable[[Array], Array], disp: bool = True) -> Any:
    """A function of a square matrix, complex, of which `func` gives the values for eigenvalues: by Schur's form and B. Parlett's recurrence (1976), which wants eigenvalues apart.

    Without `disp`, `(function, error)`: an estimate of the relative error. Schur's form is computed by the host, as `weft.lax.linalg.schur` says.
    """
    t, z = _triangular(A)
    values = func(_diagonal(t))
    apart = _diagonal(t)[..., None, :] - _diagonal(t)[..., :, None]

    def next_diagonal(k: Any, f: Array) -> Array:
        change = jnp.matmul(t, f) - jnp.matmul(f, t)
        return jnp.where(_offset(t) == k, change / jnp.where(apart == 0, 1, apart), f)

    start = values[..., None] * jnp.eye(t.shape[-1], dtype=t.dtype)
    f = lax.fori_loop(1, t.shape[-1], next_diagonal, start)
    found = _back(z, f)
    if disp:
        return found
    eps = float(jnp.finfo(t.dtype).eps)
    least = jnp.minimum(jnp.abs(t[0, 0]), jnp.where(_offset(t) > 0, jnp.abs(apart), jnp.inf).min())
    least = jnp.where(least == 0, eps, least)
    size = jnp.abs(jnp.triu(t, 1)).sum(-2).max()
    error = jnp.minimum(1, jnp.maximum(eps, eps / least * size))
    return found, jnp.where(jnp.isinf(found).any(), jnp.inf, error)


def solve_sylvester(A: ArrayLike, B: ArrayLike, C: ArrayLike, *, method: str = "schur", tol: float = 1e-8) -> Array:
    """x with A x + x B = C: by Schur's forms of A and B, one column after the other (R. Bartels and G. Stewart, 1972). `method` "eigen" is taken, and means the same.

    NaN where an eigenvalue of A and one of B add up to less than `tol`. Schur's form is computed by the host, as `weft.lax.linalg.schur` says.
    """
    a, b, c = dense.inexact(A, B, C)
    if method not in ("schur", "eigen"):
        raise ValueError(f'Unrecognized method {method}. The two valid methods are either "schur" or "eigen".')
    if (
        a.ndim != 2
        or b.ndim != 2
        or a.shape[0] != a.shape[1]
        or b.shape[0] != b.shape[1]
        or c.shape != (a.shape[0], b.shape[0])
    ):
        raise ValueError(
            f"solve_sylvester expects square A and B and C of shape (m, n), got {a.shape}, {b.shape} and {c.shape}."
        )
    (r, u), (s, v) = _triangular(a), _triangular(b)
    right = jnp.matmul(jnp.matmul(_adjoint(u), c.astype(u.dtype)), v)
    one = jnp.eye(r.shape[0], dtype=r.dtype)

    def column(k: Any, y: Array) -> Array:
        known = jnp.take(right, k, axis=1) - jnp.matmul(y, jnp.take(s, k, axis=1))
        found = solve_triangular(r + s[k, k] * one, known)
        return jnp.where(jnp.arange(y.shape[1]) == k, found[:, None], y)

    x = jnp.matmul(jnp.matmul(u, lax.fori_loop(0, s.shape[0], column, jnp.zeros_like(right))), _adjoint(v))
    sums = jnp.abs(_diagonal(r)[:, None] + _diagonal(s)[None, :])
    x = jnp.where((sums < tol).any(), jnp.nan, x)
    return x if jnp.iscomplexobj(c) else x.real


def _triangular(a: ArrayLike) -> tuple[Array, Array]:
    """Schur's form of square matrices, complex."""
    (x,) = dense.inexact(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"expected a (batched) square matrix, got shape {x.shape}")
    t, z = factor.schur(x.astype(jnp.promote_types(x.dtype, jnp.complex64)))
    return t, z


def _diagonal(x: Array) -> Array:
    return jnp.diagonal(x, axis1=-2, axis2=-1)


def _adjoint(x: Array) -> Array:
    return jnp.conj(jnp.matrix_transpose(x))


def _offset(x: Array) -> Array:
    """How far an element is above the diagonal."""
    k = jnp.arange(x.shape[-1])
    return k[None, :] - k[:, None]


def _back(z: Array, t: Array) -> Array:
    return jnp.matmul(jnp.matmul(z, t), _adjoint(z))

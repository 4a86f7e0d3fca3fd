"""Functions of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.autodiff import jvp
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


def _refused(name: str) -> Any:
    return NotImplementedError(
        f"{name} is not implemented on any device: it needs the Schur form of matrices that are not Hermitian. For Hermitian ones use eigh."
    )


def funm(A: ArrayLike, func: Callable[[Array], Array], disp: bool = True) -> Any:
    """Not implemented: raises NotImplementedError."""
    raise _refused("funm")


def sqrtm(A: ArrayLike, blocksize: int = 1) -> Array:
    """Not implemented: raises NotImplementedError."""
    raise _refused("sqrtm")


def solve_sylvester(A: ArrayLike, B: ArrayLike, C: ArrayLike, *, method: str = "schur", tol: float = 1e-8) -> Array:
    """Not implemented: raises NotImplementedError."""
    raise _refused("solve_sylvester")

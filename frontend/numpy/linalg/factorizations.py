"""Factorisations of matrices, and what they give."""

from __future__ import annotations

from typing import Any, NamedTuple

import weft.numpy as jnp
from weft import lax
from weft.array import Array, wrap
from weft.lax import linalg as factor
from weft.lax.base import ArrayLike
from weft.numpy.promotion import same_dtype, to_inexact

__all__ = ["cholesky", "eig", "eigh", "eigvals", "eigvalsh", "qr", "svd", "svdvals"]


class EigResult(NamedTuple):
    """What `eig` gives."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """What `qr` gives."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """What `svd` gives."""

    U: Array
    S: Array
    Vh: Array


def inexact(*xs: ArrayLike) -> list[Array]:
    """Operands in one floating (or complex) dtype, each in its own shape."""
    nodes = same_dtype(*xs)
    return [wrap(n) if n.dtype.is_inexact else lax.convert_element_type(wrap(n), to_inexact(n.dtype)) for n in nodes]


def adjoint(x: Array) -> Array:
    """The conjugate of matrices, transposed."""
    return jnp.conj(jnp.matrix_transpose(x))


def square(name: str, x: Array) -> None:
    """Raises ValueError unless x holds square matrices."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Argument to {name} must have shape [..., n, n], got {x.shape}.")


def cholesky(a: ArrayLike, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """The lower triangular l with l lᴴ = a (with `upper` its adjoint), NaN where a is not positive definite. Reads (a + aᴴ) / 2, or a's lower triangle."""
    (x,) = inexact(a)
    found = factor.cholesky(x, symmetrize_input=symmetrize_input)
    return adjoint(found) if upper else found


def qr(a: ArrayLike, mode: str = "reduced") -> Any:
    """q and r with a = q r. `mode`: reduced, complete (or full), r (r alone), raw (LAPACK's reflections, transposed, and their factors)."""
    (x,) = inexact(a)
    if mode not in ("reduced", "r", "full", "complete", "raw"):
        raise ValueError(f"Unsupported QR decomposition mode '{mode}'")
    if mode == "raw":
        packed, taus = factor.geqrf(x)
        return QRResult(jnp.matrix_transpose(packed), taus)
    q, r = factor.qr(x, full_matrices=mode in ("full", "complete"))
    return r if mode == "r" else QRResult(q, r)


def eigh(a: ArrayLike, UPLO: str | None = None, symmetrize_input: bool = True) -> EighResult:
    """Ascending eigenvalues and the eigenvectors (columns) of a Hermitian matrix; without `symmetrize_input` of the one with a's lower (L) or upper (U) triangle."""
    if UPLO not in (None, "L", "U"):
        raise ValueError(f"UPLO must be one of None, 'L', or 'U', got {UPLO}")
    (x,) = inexact(a)
    v, w = factor.eigh(x, lower=UPLO != "U", symmetrize_input=symmetrize_input)
    return EighResult(w, v)


def eigvalsh(a: ArrayLike, UPLO: str | None = "L", *, symmetrize_input: bool = True) -> Array:
    """The ascending eigenvalues of a Hermitian matrix."""
    return eigh(a, UPLO, symmetrize_input).eigenvalues


def eig(a: ArrayLike) -> EigResult:
    """Eigenvalues and right eigenvectors (columns) of any square matrix, complex. Computed by the host, as `weft.lax.linalg.eig` says."""
    (x,) = inexact(a)
    w, v = factor.eig(x, compute_left_eigenvectors=False)
    return EigResult(w, v)


def eigvals(a: ArrayLike) -> Array:
    """The eigenvalues of any square matrix, complex. Computed by the host, as `weft.lax.linalg.eig` says."""
    (x,) = inexact(a)
    return factor.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]


def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:
    """U, S, Vh with a = U diag(S) Vh, the singular values descending; S alone without `compute_uv`. `hermitian`: by the eigenvalues of a Hermitian matrix."""
    (x,) = inexact(a)
    if not hermitian:
        found = factor.svd(x, full_matrices=full_matrices, compute_uv=compute_uv, subset_by_index=subset_by_index)
        return SVDResult(*found) if compute_uv else found
    v, w = factor.eigh(x, subset_by_index=subset_by_index)
    order = jnp.flip(jnp.argsort(jnp.abs(w), axis=-1), -1)
    s = jnp.take_along_axis(jnp.abs(w), order, axis=-1)
    if not compute_uv:
        return s
    u = jnp.take_along_axis(v, order[..., None, :], axis=-1)
    sign = jnp.sign(jnp.take_along_axis(w, order, axis=-1))
    return SVDResult(u, s, adjoint(u * sign[..., None, :].astype(u.dtype)))


def svdvals(x: ArrayLike, /) -> Array:
    """The singular values, descending."""
    return svd(x, compute_uv=False)

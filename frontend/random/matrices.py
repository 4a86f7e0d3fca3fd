"""Draws that take a factorisation of a matrix: normal vectors with covariances, orthogonal matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import weft.numpy as wnp
from weft.array import Array
from weft.lax.base import shape_of
from weft.numpy.linalg import inexact
from weft.random.inverses import normal
from weft.random.keys import single
from weft.random.uniforms import float_dtype, spread

__all__ = ["multivariate_normal", "orthogonal"]


def multivariate_normal(
    key: Any,
    mean: Any,
    cov: Any,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    method: str = "cholesky",
    *,
    out_sharding: Any = None,
) -> Array:
    """Normal vectors with a mean and a matrix of covariances, which may have leading axes. `method` ("cholesky", "eigh", "svd") is how its root is taken."""
    words = single(key, "multivariate_normal")
    if method not in ("svd", "eigh", "cholesky"):
        raise ValueError("method must be one of {'svd', 'eigh', 'cholesky'}")
    mean, cov = inexact(mean, cov)
    dtype = float_dtype(mean.dtype if dtype is None else dtype, "multivariate_normal")
    if mean.ndim < 1:
        raise ValueError(f"multivariate_normal requires mean.ndim >= 1, got mean.ndim == {mean.ndim}")
    if cov.ndim < 2:
        raise ValueError(f"multivariate_normal requires cov.ndim >= 2, got cov.ndim == {cov.ndim}")
    size = mean.shape[-1]
    if cov.shape[-2:] != (size, size):
        raise ValueError(
            f"multivariate_normal requires cov.shape == (..., n, n) for n={size}, but got cov.shape == {cov.shape}."
        )
    batch = wnp.broadcast_shapes(mean.shape[:-1], cov.shape[:-2])
    shape = batch if shape is None else spread("multivariate_normal", shape, wnp.zeros(batch))
    if method == "svd":
        u, s, _ = wnp.linalg.svd(cov)
        root = u * wnp.sqrt(s[..., None, :])
    elif method == "eigh":
        values, vectors = wnp.linalg.eigh(cov)
        root = vectors * wnp.sqrt(values[..., None, :])
    else:
        root = wnp.linalg.cholesky(cov)
    drawn = normal(words, (*shape, size), dtype)
    return mean + wnp.einsum("...ij,...j->...i", root, drawn)


def orthogonal(
    key: Any,
    n: int,
    shape: Sequence[int] = (),
    dtype: Any = None,
    m: int | None = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """Uniform orthogonal n x n matrices (or n x m, with orthonormal columns or rows). F. Mezzadri, Notices of the AMS 54, 2007."""
    words, dtype = single(key, "orthogonal"), float_dtype(dtype, "orthogonal")
    columns = n if m is None else m
    q, r = wnp.linalg.qr(normal(words, (*shape_of(shape), max(n, columns), min(n, columns)), dtype))
    found = q * wnp.expand_dims(wnp.sign(wnp.diagonal(r, axis1=-2, axis2=-1)), -2)
    return wnp.matrix_transpose(found) if n < columns else found

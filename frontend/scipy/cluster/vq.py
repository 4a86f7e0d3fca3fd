"""Vector quantisation: the nearest code of a book for each observation (`jax.scipy.cluster.vq`)."""

from __future__ import annotations

import weft.numpy as jnp
from weft.array import Array
from weft.lax.base import ArrayLike
from weft.numpy.linalg import inexact, norm

__all__ = ["vq"]


def vq(obs: ArrayLike, code_book: ArrayLike, check_finite: bool = True) -> tuple[Array, Array]:
    """For each row of `obs` the number of the row of `code_book` that is nearest to it, and its distance. Vectors of rank 1 hold numbers, each an observation.

    `check_finite` is ignored. Raises ValueError for arrays of different ranks, or of another rank than 1 and 2.
    """
    x, codes = inexact(obs, code_book)
    if x.ndim != codes.ndim:
        raise ValueError(f"Observation and code_book should have the same rank, got shapes {x.shape} and {codes.shape}")
    if x.ndim not in (1, 2):
        raise ValueError(f"ndim different than 1 or 2 are not supported, got {x.ndim}")
    if x.ndim == 1:
        x, codes = x[:, None], codes[:, None]
    distances = norm(x[:, None] - codes[None], axis=-1)
    return jnp.argmin(distances, axis=-1), jnp.min(distances, axis=-1)

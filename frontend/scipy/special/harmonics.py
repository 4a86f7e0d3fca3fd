"""Spherical harmonics, by the recurrence of normalised Legendre functions from one degree to the next, each element at its own degree and order."""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.scipy.special.base import real, where_safe

__all__ = ["sph_harm_y"]


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None, n_max: int | None = None) -> Array:
    """The spherical harmonics of degree n and order m (arrays of integers) at the polar angle theta and the azimuth phi, with the phase of Condon and Shortley.

    `n_max` is the highest degree; higher ones are taken for it. It may be left out where n is known. Raises NotImplementedError for `diff_n`.
    """
    if diff_n is not None:
        raise NotImplementedError("The 'diff_n' argument to jax.scipy.special.sph_harm_y is not supported.")
    highest = int(wnp.max(wnp.asarray(n))) if n_max is None else int(n_max)
    polar, azimuth = (wnp.atleast_1d(x) for x in real("sph_harm_y", theta, phi))
    order = lax.abs(wnp.asarray(m))
    degree = wnp.minimum(wnp.asarray(n), highest)
    # The degree of the functions from which those of the next one are made; at it an order starts.
    cosine, sine, squared = lax.cos(polar), lax.abs(lax.sin(polar)), order.astype(polar.dtype) ** 2
    first, before, now = (
        wnp.full_like(polar, math.sqrt(0.25 / math.pi)),
        wnp.zeros((), polar.dtype),
        wnp.zeros((), polar.dtype),
    )
    found = before
    for k in range(highest + 1):
        if k:
            above = where_safe(order < k, k * k - squared, 1.0)
            a = lax.sqrt((4 * k * k - 1) / above)
            b = lax.sqrt(where_safe(order < k, (k - 1) ** 2 - squared, 0.0) / max(4 * (k - 1) ** 2 - 1, 1))
            before, now = now, wnp.where(order < k, a * (cosine * now - b * before), 0.0)
            first = -math.sqrt((2 * k + 1) / (2 * k)) * sine * first
        now = wnp.where(order == k, first, now)
        found = wnp.where(degree == k, now, found)
    angle = wnp.asarray(m).astype(azimuth.dtype) * azimuth
    found = wnp.where((wnp.asarray(m) < 0) & (order % 2 == 1), -found, found)
    return lax.complex(*wnp.broadcast_arrays(found * lax.cos(angle), found * lax.sin(angle)))

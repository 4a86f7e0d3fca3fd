"""Types for annotations (`jax.typing`): what a function takes where it takes an array, or a dtype."""

from __future__ import annotations

from weft.lax.base import ArrayLike, DTypeLike

__all__ = ["ArrayLike", "DTypeLike"]

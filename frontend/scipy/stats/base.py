"""What the distributions are written with: promotion of all arguments to one real floating dtype, and logarithms that know where a density is zero."""

from __future__ import annotations

from typing import Any

import weft.numpy as wnp
from weft.array import Array
from weft.scipy.special.base import real as promoted

__all__ = ["inside", "promoted"]


def inside(condition: Any, log_density: Array, outside: float = -float("inf")) -> Array:
    """A logarithm where the condition holds, -inf (or another number) elsewhere."""
    return wnp.where(condition, log_density, wnp.asarray(outside, log_density.dtype))

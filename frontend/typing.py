"""Types for annotations (`jax.typing`): what a function takes where it takes an array, or a dtype. `isinstance(x, ArrayLike)` says whether a function would take x."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.lax.base import ArrayLike, DTypeLike

__all__ = ["ArrayLike", "DTypeLike"]

if not TYPE_CHECKING:
    from weft.array import Array

    class _OfNumPy(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return hasattr(instance, "__array__") and hasattr(instance, "dtype")

    class HostArray(metaclass=_OfNumPy):
        """An array or a scalar of NumPy, or of whoever gives one."""

    ArrayLike = Array | HostArray | bool | int | float | complex

"""What programs ask of JAX's core (`jax.core`): whether a value is traced, and what is known of one. weft has one class of arrays and no tracers, so that both are questions, not classes."""

from __future__ import annotations

from typing import Any

from weft.array import Array
from weft.dialects.array.node import Aval, aval, mark_of
from weft.info import ensure_compile_time_eval

__all__ = ["ShapedArray", "Tracer", "ensure_compile_time_eval"]


class _Traced(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Array) and mark_of((instance._node,)) != 0


class Tracer(metaclass=_Traced):
    """`isinstance(x, Tracer)`: whether `x` is an array that depends on an argument of a transform at work."""


class _Known(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Aval)


class ShapedArray(metaclass=_Known):
    """What `x.aval` and `weft.typeof(x)` are: the shape, the dtype and the weakness of an array."""

    def __new__(cls, shape: tuple[int, ...], dtype: Any, weak_type: bool = False) -> Any:
        """The description of an array. It equals any other of this shape, dtype and weakness."""
        return aval(shape, dtype, weak_type)

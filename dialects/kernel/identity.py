"""The value with which a reduction starts."""

from __future__ import annotations

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, IntegerType
from xdsl.ir import Attribute


def identity(kind: str, type: Attribute) -> Attribute:
    """The attribute of the value that leaves every other unchanged under a reduction."""
    if isinstance(type, IntegerType):
        bits = type.width.data
        lowest, highest = (0, -1) if bits == 1 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        by_kind = {
            "add": 0,
            "or": 0,
            "xor": 0,
            "umax": 0,
            "mul": 1,
            "and": -1,
            "umin": -1,
            "max": lowest,
            "min": highest,
        }
        value = by_kind[kind]
        return IntegerAttr(-1 if bits == 1 and value else value, type)
    return FloatAttr({"add": 0.0, "mul": 1.0, "max": float("-inf"), "min": float("inf")}[kind], type)  # type: ignore[arg-type]

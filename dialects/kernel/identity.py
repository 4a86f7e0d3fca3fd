"""The value with which a reduction starts: it leaves every other unchanged."""

from __future__ import annotations

from math import inf

from xdsl.dialects.builtin import AnyFloat, FloatAttr, IntegerAttr, IntegerType
from xdsl.ir import Attribute

FLOATS = {"add": 0.0, "mul": 1.0, "max": -inf, "min": inf}
BOOLS = {"add": 0, "or": 0, "xor": 0, "max": 0, "umax": 0, "mul": 1, "and": 1, "min": 1, "umin": 1}
INTEGERS = {"add": 0, "or": 0, "xor": 0, "umax": 0, "mul": 1, "and": -1, "umin": -1}


def neutral(kind: str, type: Attribute) -> float:
    """The number that a reduction of this kind starts with in a scalar type; of bool 0 or 1."""
    if not isinstance(type, IntegerType):
        return FLOATS[kind]
    if (bits := type.bitwidth) == 1:
        return BOOLS[kind]
    return (INTEGERS | {"max": -(1 << (bits - 1)), "min": (1 << (bits - 1)) - 1})[kind]


def identity(kind: str, type: Attribute) -> Attribute:
    """The same as an attribute."""
    value = neutral(kind, type)
    if isinstance(type, IntegerType):
        return IntegerAttr(-int(value) if type.bitwidth == 1 else int(value), type)
    assert isinstance(type, AnyFloat)
    return FloatAttr(value, type)

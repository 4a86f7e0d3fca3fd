"""Parameters of operations: Python values on nodes, attributes in the IR, words in the text.

The translation goes by the Python type alone (a tuple of ints is `array<i64>`, a DType its element type), so that an operation declares its properties and nothing more.
"""

from __future__ import annotations

import re
from functools import cache
from math import copysign, inf
from typing import Any, TypeAlias

from xdsl.dialects.builtin import (
    ArrayAttr,
    BoolAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
    f64,
    i1,
    i64,
)
from xdsl.ir import Attribute, TypeAttribute
from xdsl.parser import Parser

from weft.dialects.array.node import Aval, aval
from weft.dialects.dtypes import DType, from_type

Params: TypeAlias = dict[str, Any]


@cache
def tensor_type(a: Aval) -> TensorType:
    """The IR's type of an abstract value. Weakness is not in the IR."""
    return TensorType(a.dtype.element, a.shape)


@cache
def aval_of(type: Attribute) -> Aval:
    """The abstract value of an IR type. Raises TypeError for anything but a tensor of static shape."""
    if not isinstance(type, TensorType) or not type.has_static_shape():
        raise TypeError(f"expected a tensor of static shape, got {type}")
    return aval(type.get_shape(), from_type(type.element_type))


def encode(value: Any) -> Attribute:
    """A parameter as an attribute: bool, int, float, complex, str, DType, and tuples of them."""
    if isinstance(value, Attribute):
        return value
    if isinstance(value, bool):
        return BoolAttr.from_bool(value)
    if isinstance(value, int):
        return IntegerAttr(value, i64)
    if isinstance(value, float):
        return FloatAttr(value, f64)
    if isinstance(value, str):
        return StringAttr(value)
    if isinstance(value, DType):
        return value.element
    if isinstance(value, (tuple, list)):
        if all(type(v) is int for v in value):
            return DenseArrayBase.from_list(i64, value)
        return ArrayAttr([encode(v) for v in value])
    raise TypeError(f"{value!r} cannot be a parameter of an operation")


def decode(attribute: Attribute) -> Any:
    """The parameter that `encode` made an attribute of."""
    if isinstance(attribute, IntegerAttr):
        return bool(attribute.value.data) if attribute.type == i1 else attribute.value.data
    if isinstance(attribute, FloatAttr):
        return attribute.value.data
    if isinstance(attribute, StringAttr):
        return attribute.data
    if isinstance(attribute, DenseArrayBase):
        return tuple(attribute.get_values())
    if isinstance(attribute, ArrayAttr):
        return tuple(decode(a) for a in attribute)
    if isinstance(attribute, TypeAttribute):
        return from_type(attribute)
    return attribute


# A word that would be read as something else: a literal, or a builtin type.
_RESERVED = re.compile(
    r"true|false|inf|nan|none|index|unit|(su?|u)?i\d+|b?f\d+\w*|tf32|complex|tensor|memref|vector|tuple"
)
_WORD = re.compile(r"[A-Za-z_][\w$.]*")


def format_value(value: Any) -> str:
    """A parameter as text that `parse_value` reads: `2`, `0.5`, `true`, `add`, `f32`, `[1, [2, 3]]`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(repr(value))
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) and not _RESERVED.fullmatch(value) else f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(format_value, value)) + "]"
    return str(value.element if isinstance(value, DType) else value)


def _float_text(text: str) -> str:
    """Python's text of a float with the point that MLIR wants (`inf` and `nan` are words)."""
    if "." in text or "n" in text:
        return text
    return text.replace("e", ".0e") if "e" in text else f"{text}.0"


def parse_value(parser: Parser) -> Any:
    """A parameter, or None if there is none here."""
    elements = parser.parse_optional_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_value(parser))
    if elements is not None:
        return tuple(elements)
    if (truth := parser.parse_optional_boolean()) is not None:
        return truth
    if (text := parser.parse_optional_str_literal()) is not None:
        return text
    sign = -1 if parser.parse_optional_punctuation("-") else 1
    if (number := parser.parse_optional_number()) is not None:
        return sign * number
    for word in ("inf", "nan"):
        if parser.parse_optional_keyword(word):
            return sign * float(word)
    if (type := parser.parse_optional_type()) is not None:
        return from_type(type)
    return parser.parse_optional_identifier()


# -- elements of arrays


def element(value: Any, dtype: DType) -> Attribute:
    """A Python scalar as an attribute of an element type, rounded to it. Raises TypeError if the type cannot hold a value of that kind."""
    if isinstance(value, Attribute):
        return value
    if dtype.is_integer and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, {"i": int, "u": int, "c": int | float | complex}.get(dtype.kind, int | float)):
        raise TypeError(f"{value!r} is not a value of dtype {dtype}")
    if dtype.kind in "bV":
        return BoolAttr.from_bool(bool(value))
    type: Any = dtype.element
    if dtype.kind in "iu":
        return IntegerAttr(int(value), type)
    if dtype.kind == "c":
        return ArrayAttr([as_float(part, type.element_type) for part in (value.real, value.imag)])
    return as_float(value, type)


def as_float(value: float, type: Any) -> FloatAttr:
    """A float attribute rounded to its type; what is too large for it becomes infinite."""
    try:
        return FloatAttr(float(value), type)
    except OverflowError:
        return FloatAttr(copysign(inf, value), type)


def shortest(attribute: FloatAttr) -> str:
    """The shortest text that gives the same float of the attribute's type."""
    value = attribute.value.data
    texts = (f"{value:.{digits}g}" for digits in range(1, 17))
    return _float_text(next((t for t in texts if as_float(float(t), attribute.type).value.data == value), repr(value)))

"""Elements in memory: how each element type is loaded and stored, one by one and as vectors.

bool is one byte, 0 or 1; 16-bit floats two, converted on the way by bit operations (narrow.py); vectors of narrow elements are widened to 32-bit lanes.
"""

from __future__ import annotations

from functools import cache

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.dtypes import from_type
from weft.dialects.wasm.code import Value
from weft.passes.wasm.lanes import Lanes, is_mask, scalar_name
from weft.passes.wasm.narrow import is_half


@cache
def element_bytes(type: Attribute) -> int:
    """Bytes of one element in memory."""
    return from_type(type).itemsize


@cache
def _suffix(type: Attribute) -> str:
    """What follows `load` for an integer that is narrower than its Wasm type."""
    assert isinstance(type, IntegerType)
    width = type.bitwidth
    if width >= 32:
        return ""
    return f"{max(8, width)}_{'u' if width == 1 else 's'}"


def load_element(lanes: Lanes, type: Attribute, pointer: Value, offset: int) -> Value:
    """One element."""
    b = lanes.b
    if is_half(type):
        bits = b.load("i32.load16_u", pointer, offset)
        return lanes.from_half(bits, type, False)
    name = scalar_name(type)
    return b.load(f"{name}.load{_suffix(type) if isinstance(type, IntegerType) else ''}", pointer, offset)


def store_element(lanes: Lanes, type: Attribute, pointer: Value, offset: int, value: Value) -> None:
    """Writes one element."""
    b = lanes.b
    if is_half(type):
        b.store("i32.store16", pointer, lanes.half_bits(value, type, False), offset)
        return
    width = element_bytes(type) * 8
    b.store(f"{scalar_name(type)}.store{width if width < 32 else ''}", pointer, value, offset)


def load_vector(lanes: Lanes, type: Attribute, pointer: Value, offset: int) -> Value:
    """As many elements as there are lanes, which lie side by side."""
    b, size = lanes.b, element_bytes(type)
    if size >= 4:
        return b.load("v128.load", pointer, offset)
    if is_half(type):
        bits = b.inst("i32x4.extend_low_i16x8_u", b.load("v128.load64_zero", pointer, offset))
        return lanes.from_half(bits, type, True)
    assert isinstance(type, IntegerType)
    sign = _suffix(type)[-1]
    if size == 2:
        return b.inst(f"i32x4.extend_low_i16x8_{sign}", b.load("v128.load64_zero", pointer, offset))
    narrow = b.inst(f"i16x8.extend_low_i8x16_{sign}", b.load("v128.load32_zero", pointer, offset))
    wide = b.inst(f"i32x4.extend_low_i16x8_{sign}", narrow)
    return b.inst("i32x4.ne", wide, b.const_v128("i32x4", 0)) if is_mask(type) else wide


def store_vector(lanes: Lanes, type: Attribute, pointer: Value, offset: int, value: Value) -> None:
    """Writes all lanes side by side."""
    b, size = lanes.b, element_bytes(type)
    if size >= 4:
        b.store("v128.store", pointer, value, offset)
    elif is_half(type):
        bits = b.inst("i16x8.narrow_i32x4_u", (half := lanes.half_bits(value, type, True)), half)
        b.store("v128.store64_lane", pointer, bits, offset, lane=0)
    elif isinstance(type, IntegerType):
        if is_mask(type):
            value = b.inst("v128.and", value, b.const_v128("i32x4", 1))
        # shuffles take the low bytes, where narrowing would saturate
        order = tuple(4 * lane + byte for lane in range(4) for byte in range(size))
        bits = b.inst("i8x16.shuffle", value, value, imm=order + order[:1] * (16 - len(order)))
        b.store(f"v128.store{size * 32}_lane", pointer, bits, offset, lane=0)
    else:
        raise PassFailedException(f"kernel-to-wasm: cannot store vectors of {type}")

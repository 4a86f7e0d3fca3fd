"""Elements narrower than a Wasm value: integers of 8 and 16 bits, float16, bfloat16.

A narrow integer is an i32, or a lane of i32x4, sign-extended from its width (weft.dialects.kernel.narrow). A 16-bit float is computed as f32 and rounded when it is converted or
stored, so a nest keeps more precision than its arrays have.
"""

from __future__ import annotations

from functools import cache

from xdsl.dialects.builtin import BFloat16Type, Float16Type
from xdsl.ir import Attribute

from weft.dialects.kernel.narrow import narrow_width
from weft.dialects.wasm.builder import FuncBuilder
from weft.dialects.wasm.code import Value


@cache
def is_half(type: Attribute) -> bool:
    """Whether elements are floats of 16 bits."""
    return isinstance(type, (Float16Type, BFloat16Type))


def wrapped(b: FuncBuilder, value: Value, type: Attribute, vector: bool) -> Value:
    """An i32 modulo 2^width, sign-extended."""
    width = narrow_width(type)
    if not vector:
        return b.inst(f"i32.extend{width}_s", value)
    count = b.const_i32(32 - width)
    return b.inst("i32x4.shr_s", b.inst("i32x4.shl", value, count), count)


def zero_extended(b: FuncBuilder, value: Value, type: Attribute, vector: bool) -> Value:
    """A sign-extended integer with zeros above its width."""
    mask = (1 << narrow_width(type)) - 1
    return (
        b.inst("v128.and", value, b.const_v128("i32x4", mask))
        if vector
        else b.inst("i32.and", value, b.const_i32(mask))
    )


def half_bits(b: FuncBuilder, x: Value, type: Attribute) -> Value:
    """float32 lanes as the bits of a 16-bit float in i32x4 lanes, rounded to nearest even."""
    return _float16_bits(b, x) if isinstance(type, Float16Type) else _bfloat16_bits(b, x)


def from_half(b: FuncBuilder, bits: Value, type: Attribute) -> Value:
    """float32 lanes from the bits of a 16-bit float in i32x4 lanes (whose upper halves do not matter)."""
    return _from_float16(b, bits) if isinstance(type, Float16Type) else b.inst("i32x4.shl", bits, b.const_i32(16))


def _bfloat16_bits(b: FuncBuilder, x: Value) -> Value:
    """The upper half of each lane, rounded by adding just less than half a unit, or half of one to an odd number; a NaN stays one."""
    odd = b.inst("v128.and", b.inst("i32x4.shr_u", x, b.const_i32(16)), b.const_v128("i32x4", 1))
    rounded = b.inst("i32x4.add", b.inst("i32x4.add", x, odd), b.const_v128("i32x4", 0x7FFF))
    quiet = b.inst("v128.or", x, b.const_v128("i32x4", 0x400000))
    kept = b.inst("v128.bitselect", quiet, rounded, b.inst("f32x4.ne", x, x))
    return b.inst("i32x4.shr_u", kept, b.const_i32(16))


def _float16_bits(b: FuncBuilder, x: Value) -> Value:
    """float32 lanes as the bits of float16 in i32x4 lanes, rounded to nearest even."""

    def inst(name: str, *args: Value) -> Value:
        return b.inst(name, *args)

    def lanes(value: int) -> Value:
        return b.const_v128("i32x4", value)

    a = inst("f32x4.abs", x)
    sign = inst("i32x4.shr_u", inst("v128.and", x, lanes(-(1 << 31))), b.const_i32(16))
    odd = inst("v128.and", inst("i32x4.shr_u", a, b.const_i32(13)), lanes(1))
    normal = inst(
        "i32x4.shr_u", inst("i32x4.add", inst("i32x4.add", a, odd), lanes(0xFFF - (112 << 23))), b.const_i32(13)
    )
    half = b.const_v128("f32x4", 0.5)  # its last place is float16's least denormal
    denormal = inst("i32x4.sub", inst("f32x4.add", a, half), half)
    result = inst("v128.bitselect", denormal, normal, inst("f32x4.lt", a, b.const_v128("f32x4", 2.0**-14)))
    result = inst("v128.bitselect", lanes(0x7C00), result, inst("f32x4.ge", a, b.const_v128("f32x4", 65520.0)))
    result = inst("v128.bitselect", lanes(0x7E00), result, inst("f32x4.ne", a, a))
    return inst("v128.or", result, sign)


def _from_float16(b: FuncBuilder, h: Value) -> Value:
    """float32 lanes from the bits of float16 in i32x4 lanes."""
    magnitude = b.inst("v128.and", h, b.const_v128("i32x4", 0x7FFF))
    sign = b.inst("i32x4.shl", b.inst("v128.and", h, b.const_v128("i32x4", 0x8000)), b.const_i32(16))
    value = b.inst("f32x4.mul", b.inst("i32x4.shl", magnitude, b.const_i32(13)), b.const_v128("f32x4", 2.0**112))
    special = b.inst("i32x4.ge_u", magnitude, b.const_v128("i32x4", 0x7C00))
    special = b.inst("v128.and", special, b.const_v128("i32x4", 0x7F800000))
    return b.inst("v128.or", b.inst("v128.or", value, special), sign)

"""Types as WGSL writes them, and those that it lacks in the types that it has.

*In registers* an integer of 8 or 16 bits is an i32, sign-extended from its width (see weft.dialects.kernel.narrow), a 16-bit float is an f32 that is rounded when it is converted or stored, an integer of
64 bits is a vec2<u32>, the low word first. (WGSL's own f16 is a feature that many adapters and browsers have not, and its conversions may round either way and flush denormals.) *In memory* elements are packed: two or four to a word. A buffer whose accesses are whole vectors is an array of one or two words each, which one invocation
owns; to write single elements, an invocation exchanges the word by compare-and-exchange, for the others in it are its neighbours'.
"""

from __future__ import annotations

from typing import NamedTuple

from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, IndexType, IntegerType, Signedness, VectorType
from xdsl.ir import Attribute

I64 = IntegerType(64)


class WgslError(ValueError):
    """Something in the IR that WGSL cannot say."""


SCALARS: dict[Attribute, str] = {
    IntegerType(1): "bool",
    IntegerType(32): "i32",
    IntegerType(32, Signedness.UNSIGNED): "u32",
    IntegerType(32, Signedness.SIGNED): "i32",
    IndexType(): "i32",
    Float32Type(): "f32",
    Float16Type(): "f32",
    BFloat16Type(): "f32",
    IntegerType(8): "i32",
    IntegerType(16): "i32",
    IntegerType(64): "vec2<u32>",
}


def type_name(type: Attribute) -> str:
    """The WGSL type of a value."""
    if (name := SCALARS.get(type)) is not None:
        return name
    if isinstance(type, VectorType) and type.get_num_dims() == 1 and type.get_shape()[0] in (2, 3, 4):
        return f"vec{type.get_shape()[0]}<{type_name(type.element_type)}>"
    raise WgslError(
        f"WGSL has no type {type}; it has i1, i32, index, f32, what stands for narrow and 64-bit integers and 16-bit floats, and vectors of two to four of these"
    )


def lanes_of(type: Attribute) -> int:
    """How many lanes a vector type has; 1 of a scalar."""
    return type.get_shape()[0] if isinstance(type, VectorType) else 1


def element_of(type: Attribute) -> Attribute:
    """The type of a lane; a scalar type itself."""
    return type.element_type if isinstance(type, VectorType) else type


class Packing(NamedTuple):
    """How an element lies in a word: its bits, what reads them from a word `{w}` that is shifted by `{s}`, what makes them (a u32) of a value `{v}`. The last two are functions of `wgsl_math` for vectors of four."""

    bits: int
    read: str
    write: str
    unpack: str
    pack: str


PACKINGS: dict[Attribute, Packing] = {
    IntegerType(8): Packing(8, "extractBits(bitcast<i32>({w}), {s}, 8u)", "bitcast<u32>({v})", "unpack_i8", "pack_i8"),
    IntegerType(16): Packing(
        16, "extractBits(bitcast<i32>({w}), {s}, 16u)", "bitcast<u32>({v})", "unpack_i16", "pack_i16"
    ),
    BFloat16Type(): Packing(16, "bitcast<f32>(({w} >> {s}) << 16u)", "w_bf16_bits({v})", "unpack_bf16", "pack_bf16"),
    Float16Type(): Packing(16, "w_from_f16({w} >> {s})", "w_f16_bits({v})", "unpack_f16", "pack_f16"),
}


def packing_of(type: Attribute) -> Packing | None:
    """How elements of a type (or the lanes of a vector type) are packed; None if they are words."""
    return PACKINGS.get(element_of(type))


def storage_name(type: Attribute) -> str | None:
    """What the array of a buffer consists of, for packed elements."""
    packing = packing_of(type)
    if packing is None:
        return None
    return "vec2<u32>" if isinstance(type, VectorType) and packing.bits == 16 else "u32"

"""Values and the instructions on them: the v128 type, `wasm.const`, and the one table-driven `wasm.inst`.

Some 490 instructions differ only in a byte and a signature, so they are rows of a table (opcodes.py) and one operation,
not 490 classes. Values are SSA; the encoder (stackify.py) decides what becomes the operand stack and what a local.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    BytesAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
)
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, Operation, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.pattern_rewriter import RewritePattern
from xdsl.printer import Printer
from xdsl.traits import (
    ConstantLike,
    EffectInstance,
    HasCanonicalizationPatternsTrait,
    MemoryEffect,
    MemoryEffectKind,
    Pure,
)
from xdsl.utils.exceptions import VerifyException

from weft.dialects.wasm.opcodes import OPCODES, Opcode


@irdl_attr_definition
class V128Type(ParametrizedAttribute, TypeAttribute):
    """A vector of 128 bits. The instruction says what its lanes are.

    !wasm.v128
    """

    name = "wasm.v128"


v128 = V128Type()

VALUE_TYPES: dict[str, Attribute] = {"i32": i32, "i64": i64, "f32": f32, "f64": f64, "v128": v128}
"""WebAssembly's value types by the names that opcodes.py and WAT use."""

TYPE_NAMES: dict[Attribute, str] = {type: name for name, type in VALUE_TYPES.items()}

_SHAPES: dict[str, Attribute] = {"i8x16": i8, "i16x8": i16, "i32x4": i32, "i64x2": i64, "f32x4": f32, "f64x2": f64}
SHAPE_NAMES = {type: name for name, type in _SHAPES.items()}


def verify_value_types(types: Sequence[Attribute]) -> None:
    """Raises VerifyException unless all are types that a WebAssembly value can have."""
    for type in types:
        if type not in TYPE_NAMES:
            raise VerifyException(f"expected a WebAssembly value type ({', '.join(VALUE_TYPES)}), got {type}")


@irdl_op_definition
class ConstOp(IRDLOperation, HasFolderInterface):
    """A constant. A vector is written by its lanes, in any of the six shapes (and as integers where a lane is NaN or
    infinite).

    %n = wasm.const 7 : i32
    %x = wasm.const 1.5 : f32
    %v = wasm.const f32x4 [0.0, 1.0, 2.0, 3.0]
    """

    name = "wasm.const"

    value = prop_def(IntegerAttr | FloatAttr | DenseArrayBase)
    result = result_def()

    traits = traits_def(Pure(), ConstantLike())

    def __init__(self, value: Attribute):
        super().__init__(properties={"value": value}, result_types=[const_type(value)])

    def verify_(self) -> None:
        value, type = self.value, self.result.type
        if const_type(value) != type:
            raise VerifyException(f"a constant {value} has type {const_type(value)}, not {type}")
        verify_value_types([type])
        if isinstance(value, DenseArrayBase) and (value.elt_type not in SHAPE_NAMES or len(value.data.data) != 16):
            raise VerifyException(f"a vector constant has 16 bytes in one of {', '.join(_SHAPES)}, got {value}")
        if isinstance(value, DenseArrayBase) and not all(map(math.isfinite, lanes_of(value))):
            raise VerifyException("lanes that are NaN or infinite are written by their bits, as i32x4 or i64x2")

    def fold(self) -> tuple[Attribute]:
        return (self.value,)

    def print(self, printer: Printer) -> None:
        printer.print_op_attributes(self.attributes)
        printer.print_string(" ")
        value = self.value
        if not isinstance(value, DenseArrayBase):
            printer.print_attribute(value)
            return
        type = value.elt_type
        printer.print_string(SHAPE_NAMES[type] + " [")
        show = printer.print_int if isinstance(type, IntegerType) else lambda x: printer.print_float(x, type)
        printer.print_list(lanes_of(value), show)  # type: ignore[arg-type]
        printer.print_string("]")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        attributes = parser.parse_optional_attr_dict()
        shape = parser.parse_optional_identifier()
        if shape is None:
            op = cls(parser.parse_attribute())
        elif shape in _SHAPES:
            lanes = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_number)
            op = cls(vector_attr(shape, lanes))
        else:
            parser.raise_error(f"expected a constant or a vector shape ({', '.join(_SHAPES)})")
        op.attributes |= attributes
        return op


def lanes_of(value: DenseArrayBase) -> tuple[float, ...]:
    """The lanes of a vector constant, as its attribute has them."""
    return value.get_values()  # type: ignore[misc]


def vector_attr(shape: str, lanes: Sequence[float]) -> DenseArrayBase:
    """The value of a vector constant: shape as in `f32x4`, and its lanes."""
    type = _SHAPES[shape]
    if shape[0] == "f" and not all(map(math.isfinite, lanes)):  # the generic syntax of arrays has no word for these
        data = struct.pack(f"<{len(lanes)}{'f' if type == f32 else 'd'}", *lanes)
        return DenseArrayBase(i32 if type == f32 else i64, BytesAttr(data))
    return DenseArrayBase.from_list(type, lanes)  # type: ignore[arg-type]


def const_type(value: Attribute) -> Attribute:
    """The type of a constant with this value."""
    return v128 if isinstance(value, DenseArrayBase) else value.type  # type: ignore[union-attr]


class _InstEffects(MemoryEffect):
    """What the table says. A trap counts as a write: the instruction may neither vanish nor move over another."""

    SETS: ClassVar[dict[str, AbstractSet[EffectInstance]]] = {
        "pure": frozenset(),
        "read": frozenset({EffectInstance(MemoryEffectKind.READ)}),
        "trap": frozenset({EffectInstance(MemoryEffectKind.WRITE)}),
        "write": frozenset({EffectInstance(MemoryEffectKind.READ), EffectInstance(MemoryEffectKind.WRITE)}),
    }

    @classmethod
    def get_effects(cls, op: Operation) -> AbstractSet[EffectInstance]:
        return cls.SETS[op.opcode.effect]  # type: ignore[attr-defined]


class _InstCanonicalization(HasCanonicalizationPatternsTrait):
    @classmethod
    def get_canonicalization_patterns(cls) -> tuple[RewritePattern, ...]:
        from weft.dialects.wasm.folds import Reassociate, Simplify

        return (Simplify(), Reassociate())


@irdl_op_definition
class InstOp(IRDLOperation):
    """One instruction of WebAssembly, named as in the specification. Types come from the table of instructions.

    %s = wasm.inst i32.add %a, %b
    %x = wasm.inst v128.load %p offset=16 align=4
    %l = wasm.inst f32x4.extract_lane[2] %x
    wasm.inst f32.store %p, %l

    `offset` is added to the address without wrapping; `align` is a promise in bytes (the natural alignment where it is
    left out). Immediates stand in brackets: lanes, the sixteen lanes of a shuffle, a data segment. Where the table has
    the type `t` (select), it is written after a colon.
    """

    name = "wasm.inst"

    mnemonic = prop_def(StringAttr)
    immediates = opt_prop_def(DenseArrayBase)
    args = var_operand_def()
    res = var_result_def()

    traits = traits_def(_InstEffects(), _InstCanonicalization())

    def __init__(self, mnemonic: str, args: Sequence[SSAValue | Operation], immediates: Sequence[int] = ()):
        operands = [SSAValue.get(a) for a in args]
        super().__init__(
            operands=[operands],
            properties=dict(inst_properties(mnemonic, tuple(immediates))),
            result_types=[inst_results(mnemonic, operands)],
        )

    @property
    def opcode(self) -> Opcode:
        return OPCODES[self.properties["mnemonic"].data]  # type: ignore[attr-defined]

    @property
    def immediate_values(self) -> tuple[int, ...]:
        immediates = self.properties.get("immediates")
        return immediates.get_values() if immediates is not None else ()  # type: ignore[attr-defined]

    def verify_(self) -> None:
        mnemonic = self.mnemonic.data
        if (opcode := OPCODES.get(mnemonic)) is None:
            raise VerifyException(f"'{mnemonic}' is no instruction of WebAssembly")
        verify_value_types(self.operand_types)
        generic = self.operand_types[0] if self.operands else None
        for words, names, given in (
            ("operands", opcode.operands, self.operand_types),
            ("results", opcode.results, self.result_types),
        ):
            expected = tuple(generic if name == "t" else VALUE_TYPES[name] for name in names)
            if tuple(given) != expected:
                raise VerifyException(
                    f"{mnemonic} has {words} ({', '.join(names)}), got ({', '.join(map(str, given))})"
                )
        immediates = self.immediate_values
        if len(immediates) != opcode.immediate_count:
            raise VerifyException(f"{mnemonic} has {opcode.immediate_count} immediates, got {len(immediates)}")
        if "m" in opcode.immediates:
            align, offset, *lanes = immediates
            if not 0 <= offset < 1 << 32:
                raise VerifyException(f"{mnemonic}: offset {offset} is outside of 32 bits")
            exactly = opcode.prefix == 0xFE
            if align < 0 or 1 << align > opcode.bytes or (exactly and 1 << align != opcode.bytes):
                raise VerifyException(
                    f"{mnemonic}: alignment must be {'' if exactly else 'at most '}{opcode.bytes}, got {2.0**align:g}"
                )
        else:
            lanes = [] if "d" in opcode.immediates else list(immediates)
        if any(not 0 <= lane < opcode.lanes for lane in lanes):
            raise VerifyException(f"{mnemonic}: lanes must be in [0, {opcode.lanes}), got {lanes}")

    def print(self, printer: Printer) -> None:
        opcode, immediates = self.opcode, list(self.immediate_values)
        align = offset = None
        if "m" in opcode.immediates:
            align, offset, *immediates = immediates
        printer.print_string(f" {opcode.mnemonic}")
        if immediates:
            printer.print_string(str(immediates))
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_ssa_value)
        if offset:
            printer.print_string(f" offset={offset}")
        if align is not None and 1 << align != opcode.bytes:
            printer.print_string(f" align={1 << align}")
        if "t" in opcode.operands:
            printer.print_string(" : ")
            printer.print_attribute(self.operand_types[0])
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        start = parser.pos
        mnemonic = parser.parse_identifier("instruction")
        if (opcode := OPCODES.get(mnemonic)) is None:
            parser.raise_error(f"'{mnemonic}' is no instruction of WebAssembly", start, parser.pos)
        immediates = parser.parse_optional_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer) or []
        start = parser.pos
        unresolved = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        if "m" in opcode.immediates:
            offset, align = _parse_memarg(parser, "offset", 0), _parse_memarg(parser, "align", opcode.bytes)
            if align < 1 or align & (align - 1):
                parser.raise_error(f"an alignment is a power of two, got {align}")
            immediates = [align.bit_length() - 1, offset, *immediates]
        generic = None
        if "t" in opcode.operands:
            parser.parse_punctuation(":")
            generic = parser.parse_type()
        operands = _resolve(parser, opcode, unresolved or [], generic, start)
        op = cls(mnemonic, operands, immediates)
        op.attributes |= parser.parse_optional_attr_dict()
        return op


def _parse_memarg(parser: Parser, word: str, default: int) -> int:
    if parser.parse_optional_keyword(word) is None:
        return default
    parser.parse_punctuation("=")
    return parser.parse_integer(allow_boolean=False)


def _resolve(
    parser: Parser, opcode: Opcode, unresolved: Sequence[UnresolvedOperand], generic: Attribute | None, start: int
) -> list[SSAValue]:
    if len(unresolved) != len(opcode.operands):
        message = f"{opcode.mnemonic} has {len(opcode.operands)} operands, got {len(unresolved)}"
        parser.raise_error(message, start, parser.pos)
    return [
        parser.resolve_operand(operand, generic if name == "t" else VALUE_TYPES[name])  # type: ignore[arg-type]
        for operand, name in zip(unresolved, opcode.operands, strict=True)
    ]


# -- what constructors share: building an op costs little when its attributes exist already ----------------------------


@cache
def inst_properties(mnemonic: str, immediates: tuple[int, ...] = ()) -> Mapping[str, Attribute]:
    """The properties of a `wasm.inst`, shared by all that are alike."""
    properties: dict[str, Attribute] = {"mnemonic": _mnemonic(mnemonic)}
    if immediates:
        properties["immediates"] = DenseArrayBase.from_list(i64, immediates)
    return properties


@cache
def _mnemonic(mnemonic: str) -> StringAttr:
    return StringAttr(mnemonic)


@cache
def _table_results(mnemonic: str) -> tuple[Attribute, ...] | None:
    """The types of an instruction's results, None where they follow the operands."""
    results = OPCODES[mnemonic].results
    return None if "t" in results else tuple(VALUE_TYPES[name] for name in results)


def inst_results(mnemonic: str, operands: Sequence[SSAValue]) -> tuple[Attribute, ...]:
    """The types of an instruction's results: of its table, or that of its first operand."""
    results = _table_results(mnemonic)
    return (operands[0].type,) if results is None else results

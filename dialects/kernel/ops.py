"""The operations of the kernel dialect.

`kernel.nest` is a perfect loop nest written once: a list of axes and a flat body that says what happens at one point of them. Loads and stores go through index
maps, reductions are closed *inside* the body by `kernel.reduce`, so that one nest holds prologue, epilogue, several results and several dependent reductions (softmax
is one nest). How the loops lie on a machine is in the attributes alone: a schedule changes axes and maps, never the body.

Nests are in destination style, as linalg's: on tensors a result is the value of its `outs` operand after the nest (`kernel.empty` where nothing was there before);
on memrefs there are no results. The host's side of a program (functions that hold one nest each, buffers, launches) is in host.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import ClassVar

from xdsl.dialects.builtin import (
    AnyFloatConstr,
    ArrayAttr,
    DenseArrayBase,
    IntegerType,
    MemRefType,
    StringAttr,
    TensorType,
    VectorType,
    i1,
    i32,
)
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.pattern_rewriter import RewritePattern
from xdsl.printer import Printer
from xdsl.traits import (
    HasCanonicalizationPatternsTrait,
    HasParent,
    IsolatedFromAbove,
    MemoryReadEffect,
    MemoryWriteEffect,
    NoTerminator,
    Pure,
)
from xdsl.utils.exceptions import VerifyException

from weft.dialects.kernel.affine import Condition, Expr, Sym
from weft.dialects.kernel.attributes import (
    AxesAttr,
    Axis,
    ConditionsAttr,
    MapAttr,
    axes_in_scope,
    parse_axis,
)
from weft.dialects.kernel.syntax import parse_point, print_point

REDUCTIONS = ("add", "mul", "max", "min", "umax", "umin", "and", "or", "xor")
"""What a reduction combines with. max and min propagate NaN; umax and umin read integers as unsigned."""

COMBINES = ("add", "mul", "max", "min", "umax", "umin", "and", "or")
"""How a store may combine with what is there."""


def scalar_type(element: Attribute) -> Attribute:
    """The type that an element has in the body of a nest: integers are signless there, as `arith` wants them."""
    return IntegerType(element.bitwidth) if isinstance(element, IntegerType) else element


def _buffer_type(value: SSAValue) -> TensorType | MemRefType:
    if not isinstance(value.type, (TensorType, MemRefType)):
        raise VerifyException(f"expected a tensor or a memref, got {value.type}")
    return value.type


def _verify_point(
    op: IRDLOperation, exprs: Sequence[Expr], conditions: ConditionsAttr | None, symbols: Sequence[SSAValue]
) -> None:
    """Axes exist in the nest with the extents that the expressions carry, symbols have their operands."""
    nest = op.parent_op()
    every = [*exprs, *(c.expr for c in conditions.data)] if conditions is not None else list(exprs)
    if isinstance(nest, NestOp):
        extents = {a.name: a.extent for a in nest.axes.data}
        for atom in (a for e in every for a in e.atoms()):
            if isinstance(atom, Sym):
                if atom.number >= len(symbols):
                    raise VerifyException(f"symbol s{atom.number} has no operand")
            elif hasattr(atom, "extent") and extents.get(atom.name) != atom.extent:  # type: ignore[union-attr]
                raise VerifyException(f"axis '{atom.name}' of extent {atom.extent} is not an axis of this nest")  # type: ignore[union-attr]


def _in_lanes(op: LoadOp | StoreOp, expr: Expr) -> bool:
    """Whether an index moves along an axis of lanes."""
    nest = op.parent_op()
    return isinstance(nest, NestOp) and any(a.level == "lane" and a.name in expr.dims() for a in nest.axes.data)


def _verify_access(op: LoadOp | StoreOp) -> None:
    buffer = _buffer_type(op.buffer)
    shape = buffer.get_shape()
    if len(op.map.data) != len(shape):
        raise VerifyException(f"the map has {len(op.map.data)} results, the buffer has rank {len(shape)}")
    _verify_point(op, op.map.data, op.conditions, op.symbols)
    if op.conditions is None:
        for k, (expr, extent) in enumerate(zip(op.map.data, shape, strict=True)):
            lo, hi = expr.bounds
            if isinstance(buffer, MemRefType) and len(shape) == 1 and _in_lanes(op, expr):
                extent = -(-extent // 4) * 4  # memory reaches to whole vectors
            if lo < 0 or hi >= extent:
                raise VerifyException(
                    f"index {k} ({expr}) ranges over [{lo}, {hi}], dimension {k} of the buffer has extent {extent}"
                )


class _NestCanonicalization(HasCanonicalizationPatternsTrait):
    @classmethod
    def get_canonicalization_patterns(cls) -> tuple[RewritePattern, ...]:
        from weft.dialects.kernel.cleanup import CleanUpNest

        return (CleanUpNest(),)


# -- the nest -------------------------------------------------------------------------------------------------------------------------------


@irdl_op_definition
class NestOp(IRDLOperation):
    """A loop nest over `axes`; its body says what happens at one point. Body arguments stand for `ins` and `outs`.

    %y = kernel.nest [i: par 128, j: red 512] ins(%x = %a : tensor<128x512xf32>) outs(%o = %e : tensor<128xf32>) {
      %0 = kernel.load %x[i, j] : tensor<128x512xf32>
      %1 = kernel.reduce add %0 over [j] : f32
      kernel.store %1, %o[i] : tensor<128xf32>
    }

    The order of the axes is the order of the loops. A value is defined at each point of the axes that it depends on; `kernel.reduce` closes axes. Several
    reductions run one after the other where one needs another's result (phases). A store whose index names a closed (reduction) axis runs in one more pass over it.
    On tensors each `outs` operand has a result of its type; on memrefs there are no results. No `outs` buffer may overlap an `ins` buffer, unless every load of
    that `ins` is at the very index at which the `outs` is stored.
    """

    name = "kernel.nest"

    ins = var_operand_def()
    outs = var_operand_def()
    res = var_result_def()
    axes = prop_def(AxesAttr)
    schedule = opt_prop_def(Attribute)
    body = region_def("single_block")

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(NoTerminator(), IsolatedFromAbove(), _NestCanonicalization())

    @property
    def block(self) -> Block:
        return self.body.block

    def axis(self, name: str) -> Axis:
        """The axis of that name; KeyError if there is none."""
        for axis in self.axes.data:
            if axis.name == name:
                return axis
        raise KeyError(name)

    def verify_(self) -> None:
        names = [a.name for a in self.axes.data]
        if len(set(names)) != len(names):
            raise VerifyException(f"axis names must differ, got {self.axes}")
        if any(a.extent < 0 for a in self.axes.data):
            raise VerifyException(f"extents must not be negative, got {self.axes}")
        if [a.type for a in self.block.args] != [v.type for v in self.operands]:
            raise VerifyException("the body's arguments must have the types of ins and outs")
        tensors = [v.type for v in self.outs if isinstance(v.type, TensorType)]
        if [r.type for r in self.results] != tensors:
            raise VerifyException("results must have the types of the outs that are tensors")

    @classmethod
    def parse(cls, parser: Parser) -> NestOp:
        axes = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_axis(parser))
        arguments: list[Parser.Argument] = []
        operands: list[SSAValue] = []

        def binding() -> None:
            argument = parser.parse_argument(expect_type=False)
            parser.parse_punctuation("=")
            value = parser.parse_unresolved_operand()
            parser.parse_punctuation(":")
            type = parser.parse_type()
            arguments.append(argument.resolve(type))
            operands.append(parser.resolve_operand(value, type))

        parser.parse_keyword("ins")
        parser.parse_comma_separated_list(parser.Delimiter.PAREN, binding)
        number_of_ins = len(operands)
        parser.parse_keyword("outs")
        parser.parse_comma_separated_list(parser.Delimiter.PAREN, binding)
        properties: dict[str, Attribute] = {"axes": AxesAttr(tuple(axes))}
        if parser.parse_optional_keyword("schedule"):
            properties["schedule"] = parser.parse_attribute()
        attributes = parser.parse_optional_attr_dict_with_keyword()
        with axes_in_scope(axes):
            body = parser.parse_region(arguments)
        ins, outs = operands[:number_of_ins], operands[number_of_ins:]
        return NestOp.build(
            operands=[ins, outs],
            result_types=[[v.type for v in outs if isinstance(v.type, TensorType)]],
            properties=properties,
            attributes=attributes.data if attributes else {},
            regions=[body],
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.axes}")
        args = iter(self.block.args)
        for keyword, values in (("ins", self.ins), ("outs", self.outs)):
            printer.print_string(f" {keyword}(")
            for k, value in enumerate(values):
                if k:
                    printer.print_string(", ")
                printer.print_ssa_value(next(args))
                printer.print_string(" = ")
                printer.print_ssa_value(value)
                printer.print_string(" : ")
                printer.print_attribute(value.type)
            printer.print_string(")")
        if self.schedule is not None:
            printer.print_string(" schedule ")
            printer.print_attribute(self.schedule)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)


# -- what a body holds, besides arith and math ----------------------------------------------------------------------------------------------


@irdl_op_definition
class LoadOp(IRDLOperation):
    """The element of a buffer at an index. Where its conditions do not all hold nothing is read and the value is 0.

    %0 = kernel.load %x[i * 2, j] : tensor<8x4xf32>
    %1 = kernel.load %x (s0 = %s in 0 to 7) [s0, j] : tensor<8x4xf32>
    %2 = kernel.load %x[i - 1, j] if (0 <= i - 1 < 8) : tensor<8x4xf32>
    """

    name = "kernel.load"

    buffer = operand_def()
    symbols = var_operand_def(i32)
    result = result_def()
    map = prop_def(MapAttr)
    conditions = opt_prop_def(ConditionsAttr)
    stage = opt_prop_def(Attribute)

    traits = traits_def(MemoryReadEffect(), HasParent(NestOp))

    def verify_(self) -> None:
        _verify_access(self)
        expected = scalar_type(_buffer_type(self.buffer).element_type)
        if self.result.type != expected:
            raise VerifyException(
                f"the result of loading from {self.buffer.type} is {expected}, got {self.result.type}"
            )

    @classmethod
    def parse(cls, parser: Parser) -> LoadOp:
        buffer = parser.parse_unresolved_operand()
        exprs, symbols, conditions = parse_point(parser)
        properties: dict[str, Attribute] = {"map": MapAttr(exprs)}
        if conditions is not None:
            properties["conditions"] = conditions
        if parser.parse_optional_keyword("stage"):
            properties["stage"] = parser.parse_attribute()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        if not isinstance(type, (TensorType, MemRefType)):
            parser.raise_error(f"expected the type of the buffer, a tensor or a memref, got {type}")
        return LoadOp.create(
            operands=[parser.resolve_operand(buffer, type), *symbols],
            result_types=[scalar_type(type.element_type)],
            properties=properties,
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.buffer)
        print_point(printer, self.map.data, self.symbols, self.conditions)
        if self.stage is not None:
            printer.print_string(" stage ")
            printer.print_attribute(self.stage)
        printer.print_string(" : ")
        printer.print_attribute(self.buffer.type)


@irdl_op_definition
class StoreOp(IRDLOperation):
    """Writes an element at an index, where its conditions hold; `combine` adds (multiplies, …) to what is there instead.

    kernel.store %v, %o[i, j] : tensor<8x4xf32>
    kernel.store add %v, %o (s0 = %s in 0 to 7) [s0, j] : tensor<8x4xf32>
    """

    name = "kernel.store"

    value = operand_def()
    buffer = operand_def()
    symbols = var_operand_def(i32)
    map = prop_def(MapAttr)
    conditions = opt_prop_def(ConditionsAttr)
    combine = opt_prop_def(StringAttr)

    traits = traits_def(MemoryWriteEffect(), HasParent(NestOp))

    def verify_(self) -> None:
        _verify_access(self)
        expected = scalar_type(_buffer_type(self.buffer).element_type)
        if self.value.type != expected:
            raise VerifyException(f"a value stored to {self.buffer.type} has type {expected}, got {self.value.type}")
        if self.combine is not None and self.combine.data not in COMBINES:
            raise VerifyException(f"combine must be one of {', '.join(COMBINES)}, got '{self.combine.data}'")

    @classmethod
    def parse(cls, parser: Parser) -> StoreOp:
        properties: dict[str, Attribute] = {}
        if (combine := parser.parse_optional_identifier()) is not None:
            properties["combine"] = StringAttr(combine)
        value = parser.parse_unresolved_operand()
        parser.parse_punctuation(",")
        buffer = parser.parse_unresolved_operand()
        exprs, symbols, conditions = parse_point(parser)
        properties["map"] = MapAttr(exprs)
        if conditions is not None:
            properties["conditions"] = conditions
        parser.parse_punctuation(":")
        type = parser.parse_type()
        if not isinstance(type, (TensorType, MemRefType)):
            parser.raise_error(f"expected the type of the buffer, a tensor or a memref, got {type}")
        element = scalar_type(type.element_type)
        return StoreOp.create(
            operands=[parser.resolve_operand(value, element), parser.resolve_operand(buffer, type), *symbols],
            properties=properties,
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.combine.data} " if self.combine is not None else " ")
        printer.print_ssa_value(self.value)
        printer.print_string(", ")
        printer.print_ssa_value(self.buffer)
        print_point(printer, self.map.data, self.symbols, self.conditions)
        printer.print_string(" : ")
        printer.print_attribute(self.buffer.type)


@irdl_op_definition
class ReduceOp(IRDLOperation):
    """Combines a value over axes: the result depends on them no more.

    %s = kernel.reduce add %v over [j] : f32

    Over an axis of extent 0 it is the identity of its kind (0, 1, -inf or the least integer, …). max and min are NaN where any value is.
    """

    name = "kernel.reduce"

    value = operand_def()
    result = result_def()
    kind = prop_def(StringAttr)
    over = prop_def(ArrayAttr[StringAttr])

    traits = traits_def(Pure(), HasParent(NestOp))

    @property
    def axes(self) -> tuple[str, ...]:
        return tuple(a.data for a in self.over.data)

    def verify_(self) -> None:
        if self.kind.data not in REDUCTIONS:
            raise VerifyException(f"kind must be one of {', '.join(REDUCTIONS)}, got '{self.kind.data}'")
        if self.value.type != self.result.type:
            raise VerifyException(f"the result has the type of the value, {self.value.type}, got {self.result.type}")
        nest = self.parent_op()
        if isinstance(nest, NestOp):
            roles = {a.name: a.role for a in nest.axes.data}
            for axis in self.axes:
                if roles.get(axis) != "red":
                    raise VerifyException(f"'{axis}' is not a reduction axis of {nest.axes}")

    @classmethod
    def parse(cls, parser: Parser) -> ReduceOp:
        kind = parser.parse_identifier("kind of reduction")
        value = parser.parse_unresolved_operand()
        parser.parse_keyword("over")
        over = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: StringAttr(parser.parse_identifier()))
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        return ReduceOp.create(
            operands=[parser.resolve_operand(value, type)],
            result_types=[type],
            properties={"kind": StringAttr(kind), "over": ArrayAttr(over)},
            attributes=attributes,
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind.data} ")
        printer.print_ssa_value(self.value)
        printer.print_string(f" over [{', '.join(self.axes)}]")
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class IndexOp(IRDLOperation):
    """The value of an index expression, as an integer.

    %0 = kernel.index [i * 4 + j] : i32
    """

    name = "kernel.index"

    symbols = var_operand_def(i32)
    result = result_def(IntegerType)
    map = prop_def(MapAttr)

    traits = traits_def(Pure(), HasParent(NestOp))

    @property
    def expr(self) -> Expr:
        return self.map.data[0]

    def verify_(self) -> None:
        if len(self.map.data) != 1:
            raise VerifyException(f"expected one expression, got {len(self.map.data)}")
        _verify_point(self, self.map.data, None, self.symbols)

    @classmethod
    def parse(cls, parser: Parser) -> IndexOp:
        exprs, symbols, _ = parse_point(parser)
        parser.parse_punctuation(":")
        return IndexOp.create(operands=symbols, result_types=[parser.parse_type()], properties={"map": MapAttr(exprs)})

    def print(self, printer: Printer) -> None:
        printer.print_string("" if self.symbols else " ")
        print_point(printer, self.map.data, self.symbols, None)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class InsideOp(IRDLOperation):
    """Whether all conditions hold, as an i1.

    %0 = kernel.inside if (0 <= i - 1 < 8, 0 <= j - 1 < 8)
    """

    name = "kernel.inside"

    symbols = var_operand_def(i32)
    result = result_def(i1)
    conditions = prop_def(ConditionsAttr)

    traits = traits_def(Pure(), HasParent(NestOp))

    def verify_(self) -> None:
        _verify_point(self, (), self.conditions, self.symbols)

    @classmethod
    def parse(cls, parser: Parser) -> InsideOp:
        _, symbols, conditions = parse_point(parser, bracketed=False)
        if conditions is None:
            parser.raise_error("expected 'if' and the conditions")
        return InsideOp.create(operands=symbols, result_types=[i1], properties={"conditions": conditions})

    def print(self, printer: Printer) -> None:
        print_point(printer, None, self.symbols, self.conditions)


@irdl_op_definition
class RemfOp(IRDLOperation):
    """The remainder of the division towards zero, with the sign of the dividend: C's fmod. `arith` has none for floats.

    %r = kernel.remf %x, %y : f32
    """

    name = "kernel.remf"

    FLOAT: ClassVar = VarConstraint("FLOAT", AnyFloatConstr | VectorType.constr(AnyFloatConstr))
    lhs = operand_def(FLOAT)
    rhs = operand_def(FLOAT)
    result = result_def(FLOAT)

    traits = traits_def(Pure())
    assembly_format: ClassVar = "$lhs `,` $rhs attr-dict `:` type($result)"


@irdl_op_definition
class EmptyOp(IRDLOperation):
    """A tensor of which nothing is known yet: the destination of a nest that writes all of it.

    %e = kernel.empty : tensor<8x4xf32>
    """

    name = "kernel.empty"

    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format: ClassVar = "attr-dict `:` type($result)"


def load(
    buffer: SSAValue, index: tuple[Expr, ...], symbols: Sequence[SSAValue] = (), conditions: tuple[Condition, ...] = ()
) -> LoadOp:
    """A `kernel.load`, made the fast way."""
    properties: dict[str, Attribute] = {"map": MapAttr(index)}
    if conditions:
        properties["conditions"] = ConditionsAttr(conditions)
    return LoadOp.create(
        operands=[buffer, *symbols],
        result_types=[scalar_type(_buffer_type(buffer).element_type)],
        properties=properties,
    )


def nest(axes: Sequence[Axis], ins: Sequence[SSAValue], outs: Sequence[SSAValue], block: Block) -> NestOp:
    """A `kernel.nest` around a body whose arguments are already in place."""
    return NestOp.create(
        operands=[*ins, *outs],
        result_types=[v.type for v in outs if isinstance(v.type, TensorType)],
        properties={"axes": AxesAttr(tuple(axes)), "operandSegmentSizes": segments(len(ins), len(outs))},
        regions=[Region(block)],
    )


@cache
def segments(*sizes: int) -> DenseArrayBase:
    """How many operands each group of an op has, as the op's property `operandSegmentSizes`."""
    return DenseArrayBase.from_list(i32, sizes)

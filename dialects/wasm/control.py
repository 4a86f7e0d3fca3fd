"""Structured control over SSA values: block, loop, if, and the ways out of them.

Wasm's labels and branches become regions with values. A loop's carried values are the arguments of its body,
`wasm.continue` starts the next round with new ones, `wasm.yield` at the end of a region leaves it with its results. Two
conditional exits may stand anywhere: `wasm.break_if` leaves the nearest enclosing loop or block, `wasm.continue_if`
starts the next round of the nearest enclosing loop (`wasm.if` is transparent to both). A loop that tests at its end is

    %sum = wasm.loop (%i = %zero : i32, %s = %zero : i32) -> i32 {
      %t = wasm.inst i32.add %s, %i
      %j = wasm.inst i32.add %i, %one
      %more = wasm.inst i32.lt_s %j, %n
      wasm.continue_if %more, %j, %t : i32, i32
      wasm.yield %t : i32
    }

which is exactly `loop … br_if 0 … end`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import i32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_region_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from weft.dialects.wasm.values import verify_value_types

# -- syntax that the operations of this file share ---------------------------------------------------------------------


def print_types(printer: Printer, types: Sequence[Attribute]) -> None:
    """One type, or several in parentheses."""
    if len(types) == 1:
        printer.print_attribute(types[0])
    else:
        with printer.in_parens():
            printer.print_list(types, printer.print_attribute)


def print_results(printer: Printer, types: Sequence[Attribute]) -> None:
    """`-> types`, if there are any."""
    if types:
        printer.print_string(" -> ")
        print_types(printer, types)


def parse_types(parser: Parser) -> Sequence[Attribute]:
    """The reverse of `print_types`."""
    types = parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
    return [parser.parse_type()] if types is None else types


def parse_results(parser: Parser) -> Sequence[Attribute]:
    """The reverse of `print_results`."""
    return parse_types(parser) if parser.parse_optional_punctuation("->") else []


def parse_attributes(parser: Parser) -> dict[str, Attribute]:
    """`attributes { … }`, if it is there."""
    attributes = parser.parse_optional_attr_dict_with_keyword()
    return dict(attributes.data) if attributes is not None else {}


def _print_values(printer: Printer, values: Sequence[SSAValue], first: str, types: bool = True) -> None:
    """`%a, %b : i32, f32` after `first`, or nothing."""
    if values:
        printer.print_string(first)
        printer.print_list(values, printer.print_ssa_value)
        if types:
            printer.print_string(" : ")
            printer.print_list(values, lambda value: printer.print_attribute(value.type))


def _parse_values(parser: Parser) -> list[SSAValue]:
    unresolved = parser.parse_optional_undelimited_comma_separated_list(
        parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
    )
    if not unresolved:
        return []
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
    return list(parser.resolve_operands(unresolved, types, parser.pos))


def _print_region(printer: Printer, region: Region) -> None:
    """The body; a `wasm.yield` without values at its end goes without saying."""
    last = region.block.last_op
    silent = isinstance(last, YieldOp) and not last.operands
    printer.print_string(" ")
    printer.print_region(region, print_entry_block_args=False, print_block_terminators=not silent)


def _parse_region(parser: Parser, arguments: Sequence[Parser.Argument] = ()) -> Region:
    region = parser.parse_region(arguments)
    if not region.blocks:
        region.add_block(Block(arg_types=[a.type for a in arguments]))
    last = region.block.last_op
    if last is None or not last.has_trait(IsTerminator):
        region.block.add_op(YieldOp(()))
    return region


# -- regions -----------------------------------------------------------------------------------------------------------


class _Structured(IRDLOperation):
    """What block, loop and if have in common: single-block regions that end in a terminator."""

    def verify_(self) -> None:
        verify_value_types(self.result_types)
        for region in self.regions:
            if (
                len(region.blocks) != 1
                or region.block.last_op is None
                or not region.block.last_op.has_trait(IsTerminator)
            ):
                raise VerifyException("a region is one block that ends in a terminator")


@irdl_op_definition
class BlockOp(_Structured):
    """Runs its body once; `wasm.break_if` leaves it early.

    %r = wasm.block -> i32 {
      wasm.break_if %done, %early : i32
      …
      wasm.yield %late : i32
    }
    """

    name = "wasm.block"

    res = var_result_def()
    body = region_def("single_block")

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, result_types: Sequence[Attribute], body: Region):
        super().__init__(result_types=[result_types], regions=[body])

    def print(self, printer: Printer) -> None:
        print_results(printer, self.result_types)
        _print_region(printer, self.body)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        op = cls(parse_results(parser), _parse_region(parser))
        op.attributes |= parse_attributes(parser)
        return op


@irdl_op_definition
class LoopOp(_Structured):
    """Repeats its body. Block arguments are the carried values: `inits` in the first round, what `continue` gives in
    the next.

    %r = wasm.loop (%i = %first : i32, %acc = %zero : !wasm.v128) -> !wasm.v128 { … }

    A body that reaches `wasm.yield` leaves the loop: the next round is always asked for, by `wasm.continue_if` or
    `wasm.continue`.
    """

    name = "wasm.loop"

    inits = var_operand_def()
    res = var_result_def()
    body = region_def("single_block")

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, inits: Sequence[SSAValue], result_types: Sequence[Attribute], body: Region):
        super().__init__(operands=[inits], result_types=[result_types], regions=[body])

    def verify_(self) -> None:
        super().verify_()
        carried = tuple(a.type for a in self.body.block.args)
        if carried != tuple(self.operand_types):
            raise VerifyException(
                f"the body takes {_show(carried)}, the initial values are {_show(self.operand_types)}"
            )

    def print(self, printer: Printer) -> None:
        if self.inits:
            printer.print_string(" ")
            with printer.in_parens():
                printer.print_list(
                    list(zip(self.body.block.args, self.inits, strict=True)),
                    lambda pair: self._print_carried(printer, *pair),
                )
        print_results(printer, self.result_types)
        _print_region(printer, self.body)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @staticmethod
    def _print_carried(printer: Printer, argument: SSAValue, init: SSAValue) -> None:
        printer.print_ssa_value(argument)
        printer.print_string(" = ")
        printer.print_ssa_value(init)
        printer.print_string(" : ")
        printer.print_attribute(init.type)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        arguments: list[Parser.Argument] = []
        inits: list[SSAValue] = []

        def carried() -> None:
            argument = parser.parse_argument(expect_type=False)
            parser.parse_punctuation("=")
            init = parser.parse_unresolved_operand()
            parser.parse_punctuation(":")
            type = parser.parse_type()
            arguments.append(argument.resolve(type))
            inits.append(parser.resolve_operand(init, type))

        parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, carried)
        op = cls(inits, parse_results(parser), _parse_region(parser, arguments))
        op.attributes |= parse_attributes(parser)
        return op


@irdl_op_definition
class IfOp(_Structured):
    """Runs one of two regions. Without results, `else` may be left out.

    %r = wasm.if %c -> f32 {
      wasm.yield %a : f32
    } else {
      wasm.yield %b : f32
    }
    """

    name = "wasm.if"

    cond = operand_def(i32)
    res = var_result_def()
    then = region_def("single_block")
    otherwise = opt_region_def("single_block")

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self, cond: SSAValue, result_types: Sequence[Attribute], then: Region, otherwise: Region | None = None
    ):
        regions = [then, [] if otherwise is None else [otherwise]]
        super().__init__(operands=[cond], result_types=[result_types], regions=regions)

    def verify_(self) -> None:
        super().verify_()
        if self.results and self.otherwise is None:
            raise VerifyException("an if with results needs an else")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.cond)
        print_results(printer, self.result_types)
        _print_region(printer, self.then)
        if self.otherwise is not None:
            printer.print_string(" else")
            _print_region(printer, self.otherwise)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        cond = parser.resolve_operand(parser.parse_unresolved_operand(), i32)
        results = parse_results(parser)
        then = _parse_region(parser)
        otherwise = _parse_region(parser) if parser.parse_optional_keyword("else") else None
        op = cls(cond, results, then, otherwise)
        op.attributes |= parse_attributes(parser)
        return op


# -- exits -------------------------------------------------------------------------------------------------------------


def enclosing(op: Operation, kinds: tuple[type[Operation], ...]) -> Operation | None:
    """The nearest operation around `op` of these kinds that an exit may reach: only `wasm.if` lies between."""
    parent = op.parent_op()
    while isinstance(parent, IfOp) and not isinstance(parent, kinds):
        parent = parent.parent_op()
    return parent if isinstance(parent, kinds) else None


def _show(types: Sequence[Attribute]) -> str:
    return f"({', '.join(map(str, types))})"


def _agree(values: Sequence[SSAValue], expected: Sequence[Attribute], what: str) -> None:
    given = tuple(v.type for v in values)
    if given != tuple(expected):
        raise VerifyException(f"{what} takes {_show(expected)}, got {_show(given)}")


class _Exit(IRDLOperation):
    """An exit without a condition: a terminator with values."""

    def __init__(self, values: Sequence[SSAValue | Operation]):
        super().__init__(operands=[values])

    def print(self, printer: Printer) -> None:
        _print_values(printer, self.operands, " ")
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        op = cls(_parse_values(parser))
        op.attributes |= parser.parse_optional_attr_dict()
        return op


@irdl_op_definition
class YieldOp(_Exit):
    """Ends a region of block, loop or if, with its results.

    wasm.yield %a, %b : i32, f32
    """

    name = "wasm.yield"
    values = var_operand_def()
    traits = traits_def(IsTerminator())

    def verify_(self) -> None:
        parent = self.parent_op()
        if not isinstance(parent, _Structured):
            raise VerifyException("wasm.yield ends a region of wasm.block, wasm.loop or wasm.if")
        _agree(self.values, parent.result_types, parent.name)


@irdl_op_definition
class ContinueOp(_Exit):
    """Ends a region with the next round of the nearest loop.

    wasm.continue %i, %acc : i32, !wasm.v128
    """

    name = "wasm.continue"
    values = var_operand_def()
    traits = traits_def(IsTerminator())

    def verify_(self) -> None:
        _verify_continue(self, self.values)


@irdl_op_definition
class ReturnOp(_Exit):
    """Ends a function, or a region inside of it, with the function's results.

    wasm.return %y : i32
    """

    name = "wasm.return"
    values = var_operand_def()
    traits = traits_def(IsTerminator())

    def verify_(self) -> None:
        parent = self.parent_op()
        while parent is not None and parent.name != "wasm.func":
            parent = parent.parent_op()
        if parent is None:
            raise VerifyException("wasm.return stands in no wasm.func")
        _agree(self.values, parent.function_type.outputs.data, "the function's return")  # type: ignore[attr-defined]


def _verify_continue(op: Operation, values: Sequence[SSAValue]) -> None:
    loop = op.parent_op()
    while isinstance(loop, (IfOp, BlockOp)):
        loop = loop.parent_op()
    if not isinstance(loop, LoopOp):
        raise VerifyException(f"{op.name} stands in no wasm.loop")
    _agree(values, loop.inits.types, "the next round")


class _ConditionalExit(IRDLOperation):
    """An exit that is taken when an i32 is not zero; what follows runs otherwise."""

    def __init__(self, cond: SSAValue | Operation, values: Sequence[SSAValue | Operation] = ()):
        super().__init__(operands=[cond, values])

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.operands[0])
        _print_values(printer, self.operands[1:], ", ")
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        cond = parser.resolve_operand(parser.parse_unresolved_operand(), i32)
        op = cls(cond, _parse_values(parser) if parser.parse_optional_punctuation(",") else ())
        op.attributes |= parser.parse_optional_attr_dict()
        return op


@irdl_op_definition
class BreakIfOp(_ConditionalExit):
    """Leaves the nearest enclosing loop or block with its results, if the condition is not zero.

    wasm.break_if %done, %acc : !wasm.v128
    """

    name = "wasm.break_if"
    cond = operand_def(i32)
    values = var_operand_def()

    def verify_(self) -> None:
        target = enclosing(self, (BlockOp, LoopOp))
        if target is None:
            raise VerifyException("wasm.break_if stands in no wasm.block or wasm.loop")
        _agree(self.values, target.result_types, target.name)


@irdl_op_definition
class ContinueIfOp(_ConditionalExit):
    """Starts the next round of the nearest enclosing loop, if the condition is not zero.

    wasm.continue_if %more, %i, %acc : i32, !wasm.v128
    """

    name = "wasm.continue_if"
    cond = operand_def(i32)
    values = var_operand_def()

    def verify_(self) -> None:
        _verify_continue(self, self.values)

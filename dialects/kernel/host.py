"""The host's side of a program in the kernel dialect: functions that hold one nest each (or a loop of nests), and a program that allocates buffers and launches them.

A `kernel.program` has the caller's buffers as arguments, first the inputs, then the outputs. Everything between lives in its arena: `kernel.alloc` names a byte offset
in it (Wasm: an address relative to the arena's base) and a slot (WebGPU: one whole buffer a slot, since one dispatch may not bind a buffer both to read and to write).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import gcd, prod
from typing import ClassVar, TypeAlias

from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FunctionType,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolRefAttr,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_region_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import (
    IsolatedFromAbove,
    MemoryWriteEffect,
    NoTerminator,
    Pure,
    RecursiveMemoryEffect,
    SymbolOpInterface,
    SymbolTable,
    SymbolUserOpInterface,
)
from xdsl.utils.exceptions import VerifyException

from weft.dialects.kernel.ops import NestOp


class _Callable(IRDLOperation):
    """What `kernel.func` and `kernel.program` share: a name, arguments, one block without a terminator."""

    sym_name = prop_def(StringAttr)
    function_type = prop_def(FunctionType)
    number_of_outputs = prop_def(IntegerAttr)
    body = region_def("single_block")

    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface(), NoTerminator())

    @property
    def outputs(self) -> int:
        """How many of the last arguments are written."""
        return self.number_of_outputs.value.data

    def verify_(self) -> None:
        if [a.type for a in self.body.block.args] != list(self.function_type.inputs.data):
            raise VerifyException("the body's arguments must have the types of the signature")
        if not 0 <= self.outputs <= len(self.function_type.inputs):
            raise VerifyException(f"{self.outputs} outputs of {len(self.function_type.inputs)} arguments")
        if not all(isinstance(t, MemRefType) for t in self.function_type.inputs):
            raise VerifyException(f"arguments must be memrefs, got {self.function_type.inputs}")

    @classmethod
    def parse(cls, parser: Parser):
        name = parser.parse_symbol_name()
        ins = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)
        parser.parse_punctuation("->")
        outs = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        region = parser.parse_region([*ins, *outs])
        return cls.make(name.data, region, len(outs), dict(attributes.data) if attributes else None)

    @classmethod
    def make(cls, name: str, body: Region, outputs: int, attributes: dict[str, Attribute] | None = None):
        """One from its body, whose last `outputs` arguments are written."""
        return cls.create(
            properties={
                "sym_name": StringAttr(name),
                "function_type": FunctionType.from_lists([a.type for a in body.block.args], []),
                "number_of_outputs": IntegerAttr(outputs, 64),
            },
            attributes=attributes or {},
            regions=[body],
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        args = self.body.block.args
        first = len(args) - self.outputs
        for keyword, values in (("", args[:first]), (" -> ", args[first:])):
            printer.print_string(keyword + "(")
            printer.print_list(values, printer.print_block_argument)
            printer.print_string(")")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)


@irdl_op_definition
class FuncOp(_Callable):
    """One kernel: a nest over its arguments, the read buffers first and after the arrow the written ones.

    kernel.func @k0(%x : memref<8xf32>) -> (%o : memref<8xf32>) { kernel.nest … }

    On WebGPU it may hold a `kernel.repeat` of nests instead, which one workgroup runs (kernel-fuse-loops).
    """

    name = "kernel.func"

    @property
    def nest(self) -> NestOp:
        """The nest that it holds."""
        for op in self.body.block.ops:
            if isinstance(op, NestOp):
                return op
        raise ValueError(f"kernel.func @{self.sym_name.data} holds no nest")


@irdl_op_definition
class ProgramOp(_Callable):
    """A whole program: the order of its launches, over the caller's inputs and (after the arrow) outputs.

    kernel.program @main(%x : memref<8xf32>) -> (%y : memref<8xf32>) attributes {arena = 64 : i64} {
      %t = kernel.alloc at 0 slot 0 : memref<8xf32>
      kernel.launch @k0 ins(%x : memref<8xf32>) outs(%t : memref<8xf32>)
    }

    `arena`: bytes of memory that its allocs need. `donated`: array<i64> of pairs (output, input): the output may be the input's own buffer.
    """

    name = "kernel.program"


@irdl_op_definition
class AllocOp(IRDLOperation):
    """A buffer of the program's own: at a byte offset of the arena (Wasm), or in a slot of its pool (WebGPU).

    %t = kernel.alloc at 0 slot 0 : memref<8xf32>
    """

    name = "kernel.alloc"

    result = result_def(MemRefType)
    offset = prop_def(IntegerAttr)
    slot = prop_def(IntegerAttr)

    traits = traits_def()

    @classmethod
    def parse(cls, parser: Parser) -> AllocOp:
        parser.parse_keyword("at")
        offset = parser.parse_integer(allow_negative=False)
        parser.parse_keyword("slot")
        slot = parser.parse_integer(allow_negative=False)
        parser.parse_punctuation(":")
        return cls.make(offset, slot, parser.parse_type())

    @classmethod
    def make(cls, offset: int, slot: int, type: Attribute) -> AllocOp:
        return cls.create(
            result_types=[type], properties={"offset": IntegerAttr(offset, 64), "slot": IntegerAttr(slot, 64)}
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" at {self.offset.value.data} slot {self.slot.value.data} : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """Data that the program carries: a buffer filled once, when it is loaded.

    %c = kernel.constant dense<[1.0, 2.0]> : tensor<2xf32> -> memref<2xf32>
    """

    name = "kernel.constant"

    result = result_def(MemRefType)
    value = prop_def(DenseIntOrFPElementsAttr)

    traits = traits_def(Pure())
    assembly_format: ClassVar = "$value attr-dict `->` type($result)"

    def contents(self, bool_size: int) -> bytes:
        """The elements as they lie in memory, little-endian; a bool takes so many bytes."""
        data = self.value.data.data
        if self.value.get_element_type() != i1:
            return data
        return b"".join(bool(v).to_bytes(bool_size, "little") for v in data)


class _LaunchesKernel(SymbolUserOpInterface):
    """A launch names a kernel that is there, and gives it as many elements as it takes. (Of a kernel in another dialect, which has taken the place of a `kernel.func`, only that it is there.)"""

    def verify(self, op: Operation) -> None:
        assert isinstance(op, LaunchOp)
        func = SymbolTable.lookup_symbol(op, op.kernel)
        if func is None:
            raise VerifyException(f"there is no kernel {op.kernel}")
        if not isinstance(func, FuncOp):
            return
        given, taken = list(op.operand_types), list(func.function_type.inputs)
        if list(map(_contents, given)) != list(map(_contents, taken)) or len(op.outs) != func.outputs:
            raise VerifyException(f"{op.kernel} takes {_types(taken, func.outputs)}, got {_types(given, len(op.outs))}")


def _contents(type: Attribute) -> tuple[Attribute, int]:
    """A buffer's elements, and how many: a kernel may read several dimensions as one."""
    assert isinstance(type, MemRefType)
    return type.get_element_type(), prod(type.get_shape())


def _types(types: Sequence[Attribute], outputs: int) -> str:
    ins, outs = (", ".join(map(str, part)) for part in (types[: len(types) - outputs], types[len(types) - outputs :]))
    return f"ins({ins}) outs({outs})"


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """Runs a kernel. Launches take effect in order.

    kernel.launch @k0 ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
    """

    name = "kernel.launch"

    kernel = prop_def(SymbolRefAttr)
    ins = var_operand_def(MemRefType)
    outs = var_operand_def(MemRefType)

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryWriteEffect(), _LaunchesKernel())
    assembly_format: ClassVar = (
        "$kernel `ins` `(` $ins `:` type($ins) `)` `outs` `(` $outs `:` type($outs) `)` attr-dict"
    )


@irdl_op_definition
class CopyOp(IRDLOperation):
    """Copies a whole buffer to another of the same type.

    kernel.copy %x to %y : memref<8xf32>
    """

    name = "kernel.copy"

    source = operand_def(MemRefType)
    target = operand_def(MemRefType)

    traits = traits_def(MemoryWriteEffect())

    def verify_(self) -> None:
        if self.source.type != self.target.type:
            raise VerifyException(f"copy from {self.source.type} to {self.target.type}")

    @classmethod
    def parse(cls, parser: Parser) -> CopyOp:
        source = parser.parse_unresolved_operand()
        parser.parse_keyword("to")
        target = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        return cls.create(operands=[parser.resolve_operand(source, type), parser.resolve_operand(target, type)])

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.source)
        printer.print_string(" to ")
        printer.print_ssa_value(self.target)
        printer.print_string(" : ")
        printer.print_attribute(self.source.type)


# -- the course of a program --------------------------------------------------------------------------------------------------------------
# What these hold sees the program's buffers, and leaves nothing but what it writes into them.


def _parse_steps(parser: Parser) -> Region:
    region = parser.parse_region()
    if not region.blocks:
        region.add_block(Block())
    return region


class _Loop(IRDLOperation):
    """What both loops share: buffers that change places between rounds.

    `rotating (%a, %b, %t : …)`: after a round `%a` names in the body what `%b` named in it, `%b` what `%t` named, and `%t` what `%a` named. So what a round has written to `%t` is the next
    one's `%b`, and nothing is copied. The last of a cycle is spare: its contents do not outlive a round.
    """

    rotated = var_operand_def(MemRefType)
    lengths = prop_def(DenseArrayBase.constr(i64))

    @property
    def cycles(self) -> list[tuple[SSAValue, ...]]:
        """The buffers that change places."""
        values = iter(self.rotated)
        return [tuple(islice(values, int(n))) for n in self.lengths.get_values()]

    def verify_cycles(self) -> None:
        """Raises VerifyException unless each cycle is of different buffers of one type."""
        sizes = [int(n) for n in self.lengths.get_values()]
        if sum(sizes) != len(self.rotated) or any(n < 2 for n in sizes):
            raise VerifyException(f"{len(self.rotated)} buffers are no cycles of lengths {sizes}")
        if len(set(self.rotated)) < len(self.rotated):
            raise VerifyException("a buffer stands twice among those that rotate")
        for cycle in self.cycles:
            if len({v.type for v in cycle}) > 1:
                raise VerifyException(f"buffers of one cycle differ: {', '.join(str(v.type) for v in cycle)}")

    def _print_cycles(self, printer: Printer) -> None:
        def one(cycle: Sequence[SSAValue]) -> None:
            printer.print_string("(")
            printer.print_list(cycle, printer.print_ssa_value)
            printer.print_string(" : ")
            printer.print_attribute(cycle[0].type)
            printer.print_string(")")

        if cycles := self.cycles:
            printer.print_string("rotating ")
            printer.print_list(cycles, one)
            printer.print_string(" ")

    @staticmethod
    def _parse_cycles(parser: Parser) -> list[list[SSAValue]]:
        def one() -> list[SSAValue]:
            parser.parse_punctuation("(")
            names = [parser.parse_unresolved_operand()]
            while parser.parse_optional_punctuation(","):
                names.append(parser.parse_unresolved_operand())
            parser.parse_punctuation(":")
            type = parser.parse_type()
            parser.parse_punctuation(")")
            return [parser.resolve_operand(n, type) for n in names]

        cycles: list[list[SSAValue]] = []
        if parser.parse_optional_keyword("rotating"):
            cycles.append(one())
            while parser.parse_optional_punctuation(","):
                cycles.append(one())
        return cycles


def _lengths(cycles: Sequence[Sequence[SSAValue]]) -> DenseArrayBase:
    return DenseArrayBase.from_list(i64, [len(c) for c in cycles])


@irdl_op_definition
class RepeatOp(_Loop):
    """Runs what it holds a fixed number of times: launches in a program, nests in a kernel.

    kernel.repeat 10 rotating (%y, %t : memref<8xf32>) {
      kernel.launch @k0 ins(%y : memref<8xf32>) outs(%t : memref<8xf32>)
    }

    What the rounds have left stays where it is: after an odd number of them, `%t` has here what `%y` would have after an even number.
    """

    name = "kernel.repeat"

    times = prop_def(IntegerAttr)
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def verify_(self) -> None:
        self.verify_cycles()

    @classmethod
    def parse(cls, parser: Parser) -> RepeatOp:
        times = parser.parse_integer(allow_negative=False)
        cycles = cls._parse_cycles(parser)
        return cls.make(times, _parse_steps(parser), cycles)

    @classmethod
    def make(cls, times: int, body: Region, cycles: Sequence[Sequence[SSAValue]] = ()) -> RepeatOp:
        """One from its body."""
        return cls.create(
            operands=[v for c in cycles for v in c],
            properties={"times": IntegerAttr(times, 64), "lengths": _lengths(cycles)},
            regions=[body],
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.times.value.data} ")
        self._print_cycles(printer)
        printer.print_region(self.body, print_empty_block=False)


@irdl_op_definition
class WhileOp(_Loop):
    """Runs the first region, which writes the condition, and then, if it holds, the second one, and so again.

    kernel.while {
      kernel.launch @less ins(%i : memref<i32>) outs(%p : memref<i1>)
    } holds %p : memref<i1> do {
      kernel.launch @next ins(%i : memref<i32>) outs(%i : memref<i32>)
    }

    Before `do` may stand what rotates. How many rounds there were nobody knows afterwards: what is in the buffers of a cycle comes home, each to the first name that it had.
    """

    name = "kernel.while"

    condition = operand_def(MemRefType)
    before = region_def("single_block")
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def verify_(self) -> None:
        if self.condition.type != MemRefType(i1, []):
            raise VerifyException(f"the condition must be a memref<i1>, got {self.condition.type}")
        self.verify_cycles()

    @classmethod
    def make(
        cls, condition: SSAValue, before: Region, body: Region, cycles: Sequence[Sequence[SSAValue]] = ()
    ) -> WhileOp:
        """One from its regions."""
        return cls.create(
            operands=[condition, *(v for c in cycles for v in c)],
            properties={"lengths": _lengths(cycles)},
            regions=[before, body],
        )

    @classmethod
    def parse(cls, parser: Parser) -> WhileOp:
        before = _parse_steps(parser)
        parser.parse_keyword("holds")
        name = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        condition = parser.resolve_operand(name, parser.parse_type())
        cycles = cls._parse_cycles(parser)
        parser.parse_keyword("do")
        return cls.make(condition, before, _parse_steps(parser), cycles)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_region(self.before, print_empty_block=False)
        printer.print_string(" holds ")
        printer.print_ssa_value(self.condition)
        printer.print_string(" : ")
        printer.print_attribute(self.condition.type)
        printer.print_string(" ")
        self._print_cycles(printer)
        printer.print_string("do ")
        printer.print_region(self.body, print_empty_block=False)


def moves_home(length: int, rounds: int) -> list[tuple[int, int]]:
    """The copies (from, to) that bring the buffers of a cycle home after some rounds. The last one is spare: a copy into it makes room for the next, and so on."""
    shift, spare = rounds % length, length - 1
    moves: list[tuple[int, int]] = []
    free = (spare + shift) % length
    while free != spare:
        source = (free + shift) % length
        moves.append((source, free))
        free = source
    for start in range(gcd(shift, length) - 1 if shift else 0):  # those that change places without the spare one
        moves.append((start, spare))
        free = start
        while (source := (free + shift) % length) != start:
            moves.append((source, free))
            free = source
        moves.append((spare, free))
    return moves


@irdl_op_definition
class SwitchOp(IRDLOperation):
    """Runs the case that the index names, the first one for less and the last one for more.

    kernel.switch %i : memref<i32> case {
      kernel.copy %x to %y : memref<8xf32>
    } case {
      kernel.launch @k0 ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
    }
    """

    name = "kernel.switch"

    index = operand_def(MemRefType)
    cases = var_region_def("single_block")

    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def verify_(self) -> None:
        if self.index.type != MemRefType(i32, []):
            raise VerifyException(f"the index must be a memref<i32>, got {self.index.type}")
        if not self.cases:
            raise VerifyException("there must be at least one case")

    @classmethod
    def parse(cls, parser: Parser) -> SwitchOp:
        name = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        index = parser.resolve_operand(name, parser.parse_type())
        cases: list[Region] = []
        while parser.parse_optional_keyword("case"):
            cases.append(_parse_steps(parser))
        return cls.create(operands=[index], regions=cases)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.index)
        printer.print_string(" : ")
        printer.print_attribute(self.index.type)
        for region in self.cases:
            printer.print_string(" case ")
            printer.print_region(region, print_empty_block=False)


Course: TypeAlias = RepeatOp | WhileOp | SwitchOp
"""A loop or a branch."""

ROUNDS = 16
"""What a `kernel.while` is taken to run, for nobody knows."""


def rounds_of(course: Course) -> int:
    """How often a loop runs, as far as estimates of its time go; a branch runs once."""
    if isinstance(course, SwitchOp):
        return 1
    return course.times.value.data if isinstance(course, RepeatOp) else ROUNDS

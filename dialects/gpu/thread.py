"""Upstream's thread, barrier and function ops, with MLIR's custom assembly (xDSL 0.74 has only the generic form for them)."""

from __future__ import annotations

from typing import Any, Self

from xdsl.dialects import gpu
from xdsl.dialects.builtin import StringAttr, SymbolRefAttr
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.printer import Printer


class _OfDimension(Operation):
    """`gpu.thread_id x`"""

    dimension: Any

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        return cls(gpu.DimensionAttr(parser.parse_str_enum(gpu.DimensionEnum)))  # type: ignore[call-arg]

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.dimension.data}")
        printer.print_op_attributes(self.attributes)


class _Bare(Operation):
    """`gpu.barrier`"""

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        return cls()

    def print(self, printer: Printer) -> None:
        printer.print_op_attributes(self.attributes)


class BarrierOp(_Bare, gpu.BarrierOp):
    """All invocations of the workgroup wait here for one another; what they wrote to workgroup memory is seen by all.

    gpu.barrier
    """


class ThreadIdOp(_OfDimension, gpu.ThreadIdOp):
    """The place of this invocation in its workgroup, along a dimension.

    %t = gpu.thread_id x
    """


class BlockIdOp(_OfDimension, gpu.BlockIdOp):
    """The place of this workgroup in the grid, along a dimension.

    %b = gpu.block_id x
    """


class BlockDimOp(_OfDimension, gpu.BlockDimOp):
    """Invocations in a workgroup, along a dimension.

    %n = gpu.block_dim x
    """


class GridDimOp(_OfDimension, gpu.GridDimOp):
    """Workgroups in the grid, along a dimension.

    %n = gpu.grid_dim x
    """


class GlobalIdOp(_OfDimension, gpu.GlobalIdOp):
    """The place of this invocation in the whole grid, along a dimension.

    %g = gpu.global_id x
    """


class LaneIdOp(_Bare, gpu.LaneIdOp):
    """The number of this invocation in its subgroup.

    %l = gpu.lane_id
    """


class SubgroupIdOp(_Bare, gpu.SubgroupIdOp):
    """The number of this subgroup in its workgroup.

    %s = gpu.subgroup_id
    """


class SubgroupSizeOp(_Bare, gpu.SubgroupSizeOp):
    """Invocations in a subgroup.

    %n = gpu.subgroup_size
    """


class NumSubgroupsOp(_Bare, gpu.NumSubgroupsOp):
    """Subgroups in the workgroup.

    %n = gpu.num_subgroups
    """


class ReturnOp(gpu.ReturnOp):
    """Ends a `gpu.func`.

    gpu.return
    """

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        values = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        if not values:
            return cls.create(operands=[])
        parser.parse_punctuation(":")
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        return cls.create(operands=parser.resolve_operands(values, types, parser.pos))

    def print(self, printer: Printer) -> None:
        if self.args:
            printer.print_string(" ")
            printer.print_list(self.args, printer.print_ssa_value)
            printer.print_string(" : ")
            printer.print_list(self.args.types, printer.print_attribute)


class FuncOp(gpu.FuncOp):
    """A function that runs on the device; `kernel` marks one that the host launches.

    gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>} { … gpu.return }

    A kernel reads and writes buffers through `gpu.binding`. `gpu.known_block_size` is the workgroup's size, `gpu.known_grid_size` the number of workgroups.
    """

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name()
        args = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)
        outputs = []
        if parser.parse_optional_punctuation("->"):
            outputs = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
        kernel = parser.parse_optional_keyword("kernel") is not None
        attributes = parser.parse_optional_attr_dict_with_keyword()
        func = cls(name.data, ([a.type for a in args], outputs), parser.parse_region(args), kernel=kernel)
        func.attributes.update(attributes.data if attributes else {})
        return func

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string("(")
        printer.print_list(self.body.block.args, printer.print_block_argument)
        printer.print_string(")")
        if self.function_type.outputs:
            printer.print_string(" -> (")
            printer.print_list(self.function_type.outputs, printer.print_attribute)
            printer.print_string(")")
        if self.kernel is not None:
            printer.print_string(" kernel")
        printer.print_op_attributes(self.attributes, reserved_attr_names=("sym_name",), print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)


class ModuleOp(gpu.ModuleOp):
    """Functions of the device, compiled together. weft makes one of each kernel, and its name is what launches refer to.

    gpu.module @k0 { gpu.func @main() kernel { … } }
    """

    @classmethod
    def make(cls, name: str, func: Operation) -> Self:
        from xdsl.ir import Block, Region

        return cls.create(properties={"sym_name": StringAttr(name)}, regions=[Region(Block([func]))])

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name()
        attributes = parser.parse_optional_attr_dict_with_keyword()
        module = cls.create(properties={"sym_name": name}, regions=[parser.parse_region()])
        module.attributes.update(attributes.data if attributes else {})
        return module

    def print(self, printer: Printer) -> None:
        name = self.sym_name
        printer.print_string(" ")
        printer.print_symbol_name(name.string_value() if isinstance(name, SymbolRefAttr) else name.data)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body)

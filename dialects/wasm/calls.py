"""What functions do with the entries of their module: call each other, read and write globals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, TypeVar

from xdsl.dialects.builtin import FlatSymbolRefAttrConstr, FunctionType, SymbolRefAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import SymbolTable
from xdsl.utils.exceptions import VerifyException

from weft.dialects.wasm.control import parse_results, parse_types, print_results
from weft.dialects.wasm.module import Entry, FuncOp, GlobalOp

EntryT = TypeVar("EntryT", bound=Entry)


def _module_entry(op: Operation, symbol: SymbolRefAttr, kind: type[EntryT]) -> EntryT:
    """The entry of this name and kind. Raises VerifyException."""
    entry = SymbolTable.lookup_symbol(op, symbol)
    if not isinstance(entry, kind):
        raise VerifyException(f"{symbol} is no {kind.name} of this module")
    return entry


@irdl_op_definition
class CallOp(IRDLOperation):
    """Calls a function of the module.

    %y = wasm.call @double(%x) : (i32) -> i32
    """

    name = "wasm.call"

    callee = prop_def(FlatSymbolRefAttrConstr)
    args = var_operand_def()
    res = var_result_def()

    def __init__(self, callee: str, args: Sequence[SSAValue | Operation], result_types: Sequence[Attribute]):
        super().__init__(operands=[args], result_types=[result_types], properties={"callee": SymbolRefAttr(callee)})

    def verify_(self) -> None:
        callee = _module_entry(self, self.callee, FuncOp)
        expected = callee.function_type
        given = FunctionType.from_lists(self.operand_types, self.result_types)
        if given != expected:
            raise VerifyException(f"{self.callee} has type {expected}, called as {given}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_attribute(self.callee)
        with printer.in_parens():
            printer.print_list(self.args, printer.print_ssa_value)
        printer.print_string(" : ")
        with printer.in_parens():
            printer.print_list(self.operand_types, printer.print_attribute)
        print_results(printer, self.result_types)
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        callee = parser.parse_symbol_name().data
        unresolved = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
        parser.parse_punctuation(":")
        args = parser.resolve_operands(unresolved, parse_types(parser), parser.pos)
        op = cls(callee, args, parse_results(parser))
        op.attributes |= parser.parse_optional_attr_dict()
        return op


@irdl_op_definition
class GlobalGetOp(IRDLOperation):
    """Reads a global.

    %n = wasm.global.get @counter : i32
    """

    name = "wasm.global.get"

    global_name = prop_def(FlatSymbolRefAttrConstr)
    result = result_def()

    assembly_format = "$global_name `:` type($result) attr-dict"

    def __init__(self, name: str, type: Attribute):
        super().__init__(properties={"global_name": SymbolRefAttr(name)}, result_types=[type])

    def verify_(self) -> None:
        variable = _module_entry(self, self.global_name, GlobalOp)
        if variable.type != self.result.type:
            raise VerifyException(f"{self.global_name} has type {variable.type}, read as {self.result.type}")


@irdl_op_definition
class GlobalSetOp(IRDLOperation):
    """Writes a mutable global.

    wasm.global.set @counter, %n : i32
    """

    name = "wasm.global.set"

    global_name = prop_def(FlatSymbolRefAttrConstr)
    value = operand_def()

    assembly_format = "$global_name `,` $value `:` type($value) attr-dict"

    def __init__(self, name: str, value: SSAValue | Operation):
        super().__init__(properties={"global_name": SymbolRefAttr(name)}, operands=[value])

    def verify_(self) -> None:
        variable = _module_entry(self, self.global_name, GlobalOp)
        if variable.type != self.value.type:
            raise VerifyException(f"{self.global_name} has type {variable.type}, written as {self.value.type}")
        if variable.mutable is None:
            raise VerifyException(f"{self.global_name} is not mutable")

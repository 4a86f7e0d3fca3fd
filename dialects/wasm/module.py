"""What a WebAssembly module holds: functions, a memory, globals, data, and how functions call each other.

Imports and exports are written where the thing stands, as WAT's abbreviations do: `import "env" "memory"` on an entry
without a body, `export "main"` on any entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Self

from xdsl.dialects.builtin import (
    ArrayAttr,
    BytesAttr,
    DenseArrayBase,
    FunctionType,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    UnitAttr,
    i8,
    i64,
)
from xdsl.dialects.wasm.encoding import WasmBinaryEncodingContext
from xdsl.dialects.wasm.ops import WasmModuleOp as UpstreamModuleOp
from xdsl.dialects.wasm.wat import WatPrinter
from xdsl.ir import Attribute, Block, Operation, Region
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    opt_region_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, IsTerminator, NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

from weft.dialects.wasm.control import ReturnOp, parse_attributes, parse_results, print_results
from weft.dialects.wasm.values import TYPE_NAMES, const_type, verify_value_types

PAGE = 65536
"""Bytes of a page, the unit that memories are counted in."""


class _Symbols(SymbolTable):
    """Names are unique in a module; one in upstream's form, without a region, has none."""

    def verify(self, op: Operation) -> None:
        if op.regions:
            super().verify(op)


@irdl_op_definition
class ModuleOp(UpstreamModuleOp):
    """A WebAssembly module. Without a region it is xDSL's own `wasm.module`, the empty module.

    wasm.module {
      wasm.memory @memory import "env" "memory" 1 to 65536 shared
      wasm.func @main(%params : i32, %tid : i32, %nthreads : i32) export "main" { … }
    }
    """

    name = "wasm.module"

    body = opt_region_def("single_block")

    traits = traits_def(_Symbols(), NoTerminator(), IsolatedFromAbove())

    def __init__(self, entries: Sequence[Operation] | Region | None = None):
        region = Region(Block(entries)) if isinstance(entries, Sequence) else entries
        IRDLOperation.__init__(self, regions=[[] if region is None else [region]])

    @property
    def entries(self) -> tuple[Operation, ...]:
        return () if self.body is None else tuple(self.body.block.ops)

    def verify_(self) -> None:  # also keeps upstream's, which knows no region, from being inherited
        for entry in self.entries:
            if not isinstance(entry, (Entry, DataOp)):
                raise VerifyException(f"{entry.name} is no entry of a module")
        if sum(isinstance(entry, MemoryOp) for entry in self.entries) > 1:
            raise VerifyException("a module has at most one memory")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        attributes = parse_attributes(parser)
        region = parser.parse_optional_region()
        if region is not None and not region.blocks:
            region.add_block(Block())
        op = cls(region)
        op.attributes |= attributes
        return op

    def print(self, printer: Printer) -> None:
        printer.print_op_attributes(self.attributes, print_keyword=True)
        if self.body is not None:
            printer.print_string(" ")
            printer.print_region(self.body)

    def encode(self, ctx: WasmBinaryEncodingContext, io: BinaryIO) -> None:
        from weft.dialects.wasm.convert import from_op
        from weft.dialects.wasm.encode import encode

        io.write(encode(from_op(self)))

    def print_wat(self, printer: WatPrinter) -> None:
        from weft.dialects.wasm.convert import from_op
        from weft.dialects.wasm.wat import print_wat

        printer.print_string(print_wat(from_op(self)))


# -- entries -----------------------------------------------------------------------------------------------------------


class Entry(IRDLOperation):
    """An entry of a module that has a name and may be imported or exported."""

    traits = traits_def(SymbolOpInterface(), HasParent(ModuleOp))

    @property
    def import_names(self) -> tuple[str, str] | None:
        """The module and the field that the entry is imported from."""
        names = self.properties.get("import_from")
        return None if names is None else tuple(n.data for n in names)  # type: ignore[attr-defined]

    @property
    def export_name(self) -> str | None:
        name = self.properties.get("export_as")
        return None if name is None else name.data  # type: ignore[attr-defined]

    def verify_import(self) -> None:
        names = self.properties.get("import_from")
        if names is not None and len(names) != 2:  # type: ignore[arg-type]
            raise VerifyException("an import has two names: a module and a field")

    def print_linkage(self, printer: Printer) -> None:
        if names := self.import_names:
            printer.print_string(" import ")
            printer.print_string_literal(names[0])
            printer.print_string(" ")
            printer.print_string_literal(names[1])
        if name := self.export_name:
            printer.print_string(" export ")
            printer.print_string_literal(name)


def _linkage(import_from: tuple[str, str] | None, export: str | None) -> dict[str, Attribute | None]:
    return {
        "import_from": None if import_from is None else ArrayAttr(StringAttr(n) for n in import_from),
        "export_as": None if export is None else StringAttr(export),
    }


def _parse_linkage(parser: Parser) -> tuple[tuple[str, str] | None, str | None]:
    import_from = export = None
    if parser.parse_optional_keyword("import"):
        import_from = (parser.parse_str_literal(), parser.parse_str_literal())
    if parser.parse_optional_keyword("export"):
        export = parser.parse_str_literal()
    return import_from, export


@irdl_op_definition
class FuncOp(Entry):
    """A function; one that is imported has no body.

    wasm.func @double(%x : i32) -> i32 export "double" {
      %y = wasm.inst i32.add %x, %x
      wasm.return %y : i32
    }
    wasm.func @log(i32) import "env" "log"
    """

    name = "wasm.func"

    sym_name = prop_def(SymbolNameConstraint())
    function_type = prop_def(FunctionType)
    import_from = opt_prop_def(ArrayAttr[StringAttr])
    export_as = opt_prop_def(StringAttr)
    body = region_def()

    traits = traits_def(SymbolOpInterface(), HasParent(ModuleOp), IsolatedFromAbove())

    def __init__(
        self,
        name: str,
        type: FunctionType | tuple[Sequence[Attribute], Sequence[Attribute]],
        body: Region | None = None,
        *,
        import_from: tuple[str, str] | None = None,
        export: str | None = None,
    ):
        type = type if isinstance(type, FunctionType) else FunctionType.from_lists(*type)
        if body is None:
            body = Region() if import_from else Region(Block(arg_types=type.inputs.data))
        properties = {"sym_name": StringAttr(name), "function_type": type, **_linkage(import_from, export)}
        super().__init__(properties=properties, regions=[body])

    def verify_(self) -> None:
        self.verify_import()
        inputs, outputs = self.function_type.inputs.data, self.function_type.outputs.data
        verify_value_types([*inputs, *outputs])
        if (self.import_from is not None) == bool(self.body.blocks):
            raise VerifyException("a function has either a body or an import")
        if not self.body.blocks:
            return
        if len(self.body.blocks) != 1:
            raise VerifyException("a body is one block: control flow is structured")
        if tuple(a.type for a in self.body.block.args) != inputs:
            raise VerifyException(f"the body takes other arguments than the function's type {self.function_type}")
        last = self.body.block.last_op
        if last is None or not last.has_trait(IsTerminator):
            raise VerifyException("a body ends in a terminator")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        with printer.in_parens():
            if self.body.blocks:
                printer.print_list(self.body.block.args, printer.print_block_argument)
            else:
                printer.print_list(self.function_type.inputs.data, printer.print_attribute)
        print_results(printer, self.function_type.outputs.data)
        self.print_linkage(printer)
        if self.body.blocks:
            last = self.body.block.last_op
            silent = isinstance(last, ReturnOp) and not last.operands
            printer.print_string(" ")
            printer.print_region(self.body, print_entry_block_args=False, print_block_terminators=not silent)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        arguments: list[Parser.Argument] = []
        inputs: list[Attribute] = []

        def parameter() -> None:
            if (argument := parser.parse_optional_argument()) is not None:
                arguments.append(argument)
                inputs.append(argument.type)
            else:
                inputs.append(parser.parse_type())

        parser.parse_comma_separated_list(parser.Delimiter.PAREN, parameter)
        outputs = parse_results(parser)
        import_from, export = _parse_linkage(parser)
        body = None
        if import_from is None:
            body = parser.parse_region(arguments)
            if not body.blocks:
                body.add_block(Block(arg_types=inputs))
            last = body.block.last_op
            if last is None or not last.has_trait(IsTerminator):
                body.block.add_op(ReturnOp(()))
        op = cls(name, (inputs, outputs), body, import_from=import_from, export=export)
        op.attributes |= parse_attributes(parser)
        return op


@irdl_op_definition
class MemoryOp(Entry):
    """The linear memory: its first and, unless it may grow without end, its largest size in pages of 64 KiB. A shared
    one has both.

    wasm.memory @memory import "env" "memory" 1 to 65536 shared
    """

    name = "wasm.memory"

    sym_name = prop_def(SymbolNameConstraint())
    minimum = prop_def(IntegerAttr)
    maximum = opt_prop_def(IntegerAttr)
    shared = opt_prop_def(UnitAttr)
    import_from = opt_prop_def(ArrayAttr[StringAttr])
    export_as = opt_prop_def(StringAttr)

    def __init__(
        self,
        name: str,
        minimum: int,
        maximum: int | None = None,
        *,
        shared: bool = False,
        import_from: tuple[str, str] | None = None,
        export: str | None = None,
    ):
        properties: dict[str, Attribute | None] = {
            "sym_name": StringAttr(name),
            "minimum": IntegerAttr(minimum, i64),
            "maximum": None if maximum is None else IntegerAttr(maximum, i64),
            "shared": UnitAttr() if shared else None,
        }
        super().__init__(properties=properties | _linkage(import_from, export))

    def verify_(self) -> None:
        self.verify_import()
        minimum = self.minimum.value.data
        maximum = PAGE if self.maximum is None else self.maximum.value.data
        if not 0 <= minimum <= maximum <= PAGE:
            raise VerifyException(
                f"sizes in pages must hold 0 <= minimum <= maximum <= {PAGE}, got {minimum} to {maximum}"
            )
        if self.shared is not None and self.maximum is None:
            raise VerifyException("a shared memory needs a maximum")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        self.print_linkage(printer)
        printer.print_string(f" {self.minimum.value.data}")
        if self.maximum is not None:
            printer.print_string(f" to {self.maximum.value.data}")
        if self.shared is not None:
            printer.print_string(" shared")
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        import_from, export = _parse_linkage(parser)
        minimum = parser.parse_integer(allow_boolean=False)
        maximum = parser.parse_integer(allow_boolean=False) if parser.parse_optional_keyword("to") else None
        shared = parser.parse_optional_keyword("shared") is not None
        op = cls(name, minimum, maximum, shared=shared, import_from=import_from, export=export)
        op.attributes |= parse_attributes(parser)
        return op


@irdl_op_definition
class GlobalOp(Entry):
    """A global variable of the module.

    wasm.global @counter mutable = 0 : i32
    """

    name = "wasm.global"

    sym_name = prop_def(SymbolNameConstraint())
    value = prop_def(Attribute)
    mutable = opt_prop_def(UnitAttr)
    export_as = opt_prop_def(StringAttr)

    def __init__(self, name: str, value: Attribute, *, mutable: bool = False, export: str | None = None):
        properties: dict[str, Attribute | None] = {
            "sym_name": StringAttr(name),
            "value": value,
            "mutable": UnitAttr() if mutable else None,
            "export_as": None if export is None else StringAttr(export),
        }
        super().__init__(properties=properties)

    @property
    def type(self) -> Attribute:
        return const_type(self.value)

    def verify_(self) -> None:
        if getattr(self.value, "type", None) not in TYPE_NAMES:
            raise VerifyException(f"a global starts with a number of type i32, i64, f32 or f64, got {self.value}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        self.print_linkage(printer)
        printer.print_string(" mutable = " if self.mutable is not None else " = ")
        printer.print_attribute(self.value)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        _, export = _parse_linkage(parser)
        mutable = parser.parse_optional_keyword("mutable") is not None
        parser.parse_punctuation("=")
        op = cls(name, parser.parse_attribute(), mutable=mutable, export=export)
        op.attributes |= parse_attributes(parser)
        return op


@irdl_op_definition
class DataOp(IRDLOperation):
    """Bytes that are copied to an address when the module is instantiated; without an address, by `memory.init`.

    wasm.data at 1024 "hello"
    wasm.data "passive"
    """

    name = "wasm.data"

    contents = prop_def(DenseArrayBase.constr(i8))
    address = opt_prop_def(IntegerAttr)

    traits = traits_def(HasParent(ModuleOp))

    def __init__(self, contents: bytes, address: int | None = None):
        where = None if address is None else IntegerAttr(address, i64)
        super().__init__(properties={"contents": DenseArrayBase(i8, BytesAttr(contents)), "address": where})

    def verify_(self) -> None:
        if self.address is not None and not 0 <= self.address.value.data < 1 << 32:
            raise VerifyException(f"an address has 32 bits, got {self.address.value.data}")

    def print(self, printer: Printer) -> None:
        if self.address is not None:
            printer.print_string(f" at {self.address.value.data}")
        printer.print_string(" ")
        printer.print_bytes_literal(self.contents.data.data)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        address = parser.parse_integer(allow_boolean=False) if parser.parse_optional_keyword("at") else None
        contents = parser.parse_optional_bytes_literal()  # a literal that is valid text is read as a string
        op = cls(parser.parse_str_literal().encode() if contents is None else contents, address)
        op.attributes |= parse_attributes(parser)
        return op

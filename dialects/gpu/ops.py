"""The ops that weft adds to MLIR's `gpu` dialect: what a compute shader has beyond threads and barriers.

Memory is told apart by its address space, as in MLIR: `global` (a binding, seen by every invocation and the host), `workgroup` (shared by the invocations of one
workgroup) and `private` (a variable of one invocation). All three are memrefs, so `memref.load` and `memref.store` read and write them.
"""

from __future__ import annotations

from enum import auto
from typing import ClassVar

from xdsl.dialects.builtin import IndexType, IntegerAttr, IntegerType, MemRefType, StringAttr, VectorType, i32
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import Attribute, Operation, SpacedOpaqueSyntaxAttribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import (
    HasCanonicalizationPatternsTrait,
    MemoryAllocEffect,
    MemoryReadEffect,
    MemoryWriteEffect,
    Pure,
)
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

ACCESSES = ("read", "read_write")
COMBINATIONS = ("add", "mul", "max", "min", "umax", "umin", "and", "or", "xor")
"""How several values become one, in subgroup reductions and atomics; umax and umin read integers as unsigned."""

WORDWISE = ("add", "and", "or", "xor")
"""Combinations of integers of 64 bits that atomics of their two words can do."""

SHUFFLES = ("idx", "xor", "up", "down")


class AddressSpaceEnum(StrEnum):
    """Where memory lies, and who sees it: all invocations, those of a workgroup, one."""

    Global = auto()
    Workgroup = auto()
    Private = auto()


@irdl_attr_definition
class AddressSpaceAttr(EnumAttribute[AddressSpaceEnum], SpacedOpaqueSyntaxAttribute):
    """Where a memref lives: `#gpu<address_space global>`, `workgroup` or `private`."""

    name = "gpu.address_space"


GLOBAL = AddressSpaceAttr(AddressSpaceEnum.Global)
WORKGROUP = AddressSpaceAttr(AddressSpaceEnum.Workgroup)
PRIVATE = AddressSpaceAttr(AddressSpaceEnum.Private)


def memref_type(element: Attribute, count: int | None, space: AddressSpaceAttr) -> MemRefType:
    """A memref of `count` elements (None: of one, without an index) in an address space."""
    return MemRefType(element, [] if count is None else [count], memory_space=space)


def _memref(value: SSAValue, spaces: tuple[AddressSpaceAttr, ...], what: str) -> MemRefType:
    type = value.type
    if not isinstance(type, MemRefType) or type.memory_space not in spaces:
        names = " or ".join(s.data for s in spaces)
        raise VerifyException(f"{what} is a memref in {names} memory, got {type}")
    return type


# -- memory ---------------------------------------------------------------------------------------------------------------------------------


@irdl_op_definition
class BindingOp(IRDLOperation):
    """A buffer that the host binds to the kernel, by group and index. Bindings stand at the entry of a `gpu.func`.

    %x = gpu.binding 0 read : memref<1024xf32, #gpu<address_space global>>
    %y = gpu.binding 1 group 2 read_write : memref<256xvector<4xf32>, #gpu<address_space global>>
    """

    name = "gpu.binding"

    index = prop_def(IntegerAttr[IntegerType])
    group = prop_def(IntegerAttr[IntegerType])
    access = prop_def(StringAttr)
    result = result_def(MemRefType)

    traits = traits_def(Pure())

    @classmethod
    def make(cls, index: int, access: str, type: MemRefType, group: int = 0) -> BindingOp:
        properties = {"index": IntegerAttr(index, i32), "group": IntegerAttr(group, i32), "access": StringAttr(access)}
        return cls.create(result_types=[type], properties=properties)

    def verify_(self) -> None:
        type = _memref(self.result, (GLOBAL,), "a binding")
        if type.get_num_dims() != 1:
            raise VerifyException(f"a binding has one dimension, got {type}")
        element = type.element_type
        if isinstance(element, VectorType):
            element = element.element_type
        if element == IntegerType(1):
            raise VerifyException("a binding holds no i1: buffers keep truth values as i32")
        if self.access.data not in ACCESSES:
            raise VerifyException(f"access is one of {', '.join(ACCESSES)}, got '{self.access.data}'")
        if self.index.value.data < 0 or self.group.value.data < 0:
            raise VerifyException("group and index of a binding are not negative")

    @classmethod
    def parse(cls, parser: Parser) -> BindingOp:
        index = parser.parse_integer(allow_boolean=False)
        group = parser.parse_integer(allow_boolean=False) if parser.parse_optional_keyword("group") else 0
        access = parser.parse_identifier("access")
        parser.parse_punctuation(":")
        type = parser.parse_type()
        if not isinstance(type, MemRefType):
            parser.raise_error(f"expected a memref, got {type}")
        return cls.make(index, access, type, group)

    def print(self, printer: Printer) -> None:
        group = f" group {self.group.value.data}" if self.group.value.data else ""
        printer.print_string(f" {self.index.value.data}{group} {self.access.data} : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class StorageBarrierOp(IRDLOperation):
    """All invocations of the workgroup wait here for one another; what they wrote to buffers is seen by all of the workgroup.

    gpu.storage_barrier
    """

    name = "gpu.storage_barrier"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format: ClassVar = "attr-dict"


@irdl_op_definition
class WorkgroupAllocOp(IRDLOperation):
    """Memory shared by the invocations of a workgroup; nothing is known of its contents at first.

    %t = gpu.workgroup_alloc : memref<1024xf32, #gpu<address_space workgroup>>
    """

    name = "gpu.workgroup_alloc"

    result = result_def(MemRefType)

    traits = traits_def(MemoryAllocEffect())
    assembly_format: ClassVar = "attr-dict `:` type($result)"

    def verify_(self) -> None:
        type = _memref(self.result, (WORKGROUP,), "the result")
        if any(n < 0 for n in type.get_shape()):
            raise VerifyException(f"workgroup memory has a static shape, got {type}")


@irdl_op_definition
class UniformLoadOp(IRDLOperation):
    """The first element of memory that a workgroup shares, the same for all of its invocations: they wait for one another before and after, and may branch by it to where there are barriers.

    %v = gpu.uniform_load %t : memref<1xi32, #gpu<address_space workgroup>>
    """

    name = "gpu.uniform_load"

    memref = operand_def(MemRefType)
    result = result_def(i32)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format: ClassVar = "$memref attr-dict `:` type($memref)"

    def verify_(self) -> None:
        type = _memref(self.memref, (WORKGROUP,), "the operand")
        if type.element_type != i32:
            raise VerifyException(f"a uniform load reads i32, got {type}")


class _VarPatterns(HasCanonicalizationPatternsTrait):
    @classmethod
    def get_canonicalization_patterns(cls):
        from weft.dialects.gpu.canonicalize import RemoveUnreadVar

        return (RemoveUnreadVar(),)


@irdl_op_definition
class VarOp(IRDLOperation):
    """A mutable variable of one invocation, with its first value.

    %acc = gpu.var %zero : memref<f32, #gpu<address_space private>>
    """

    name = "gpu.var"

    init = operand_def()
    result = result_def(MemRefType)

    traits = traits_def(MemoryAllocEffect(), _VarPatterns())

    def __init__(self, init: SSAValue | Operation):
        init = SSAValue.get(init)
        super().__init__(operands=[init], result_types=[memref_type(init.type, None, PRIVATE)])

    def verify_(self) -> None:
        type = _memref(self.result, (PRIVATE,), "a variable")
        if type.get_num_dims() or type.element_type != self.init.type:
            raise VerifyException(f"a variable of {self.init.type} has rank 0 and that element type, got {type}")

    # The operand's type is the element type of the result.
    @classmethod
    def parse(cls, parser: Parser) -> VarOp:
        init = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        if not isinstance(type, MemRefType):
            parser.raise_error(f"expected a memref, got {type}")
        return cls.create(operands=[parser.resolve_operand(init, type.element_type)], result_types=[type])

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.init)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class AtomicOp(IRDLOperation):
    """Combines a value with an element of memory in one step that no other invocation can come between.

    gpu.atomic add %v, %x[%i] : f32, memref<1024xf32, #gpu<address_space global>>

    Integers have their own instructions on most machines; what has none (f32, mul) is done by compare-and-exchange in a loop.
    """

    name = "gpu.atomic"

    value = operand_def()
    memref = operand_def(MemRefType)
    index = operand_def(IndexType())
    kind = prop_def(StringAttr)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    @classmethod
    def make(cls, kind: str, value: SSAValue, memref: SSAValue, index: SSAValue) -> AtomicOp:
        return cls.create(operands=[value, memref, index], properties={"kind": StringAttr(kind)})

    def verify_(self) -> None:
        if self.kind.data not in COMBINATIONS:
            raise VerifyException(f"kind is one of {', '.join(COMBINATIONS)}, got '{self.kind.data}'")
        type = _memref(self.memref, (GLOBAL, WORKGROUP), "an atomic works on")
        if type.element_type != self.value.type:
            raise VerifyException(f"the value has the type of the elements, {type.element_type}, got {self.value.type}")
        binding = self.memref.owner
        if isinstance(binding, BindingOp) and binding.access.data != "read_write":
            raise VerifyException("an atomic needs a binding with access read_write")

    @classmethod
    def parse(cls, parser: Parser) -> AtomicOp:
        kind = parser.parse_identifier("kind")
        value = parser.parse_unresolved_operand()
        parser.parse_punctuation(",")
        memref = parser.parse_unresolved_operand()
        parser.parse_punctuation("[")
        index = parser.resolve_operand(parser.parse_unresolved_operand(), IndexType())
        parser.parse_punctuation("]")
        parser.parse_punctuation(":")
        value_type = parser.parse_type()
        parser.parse_punctuation(",")
        memref_type = parser.parse_type()
        return cls.make(
            kind, parser.resolve_operand(value, value_type), parser.resolve_operand(memref, memref_type), index
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind.data} ")
        printer.print_ssa_value(self.value)
        printer.print_string(", ")
        printer.print_ssa_value(self.memref)
        printer.print_string("[")
        printer.print_ssa_value(self.index)
        printer.print_string("] : ")
        printer.print_attribute(self.value.type)
        printer.print_string(", ")
        printer.print_attribute(self.memref.type)


# -- who am I, and what do the others hold --------------------------------------------------------------------------------------------------


@irdl_op_definition
class LocalIndexOp(IRDLOperation):
    """The number of this invocation in its workgroup: x fastest, then y, then z (WGSL: `local_invocation_index`).

    %t = gpu.local_index
    """

    name = "gpu.local_index"

    result = result_def(IndexType())

    traits = traits_def(Pure())
    assembly_format: ClassVar = "attr-dict"


@irdl_op_definition
class SubgroupReduceOp(IRDLOperation):
    """The values of all active invocations of a subgroup, combined; each gets the result.

    %s = gpu.subgroup_reduce add %v : f32
    """

    name = "gpu.subgroup_reduce"

    value = operand_def()
    result = result_def()
    kind = prop_def(StringAttr)

    traits = traits_def(MemoryReadEffect())

    def verify_(self) -> None:
        if self.kind.data not in COMBINATIONS:
            raise VerifyException(f"kind is one of {', '.join(COMBINATIONS)}, got '{self.kind.data}'")
        if self.value.type != self.result.type:
            raise VerifyException(f"the result has the type of the value, {self.value.type}, got {self.result.type}")

    @classmethod
    def parse(cls, parser: Parser) -> SubgroupReduceOp:
        kind = parser.parse_identifier("kind")
        value = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        return cls.create(
            operands=[parser.resolve_operand(value, type)], result_types=[type], properties={"kind": StringAttr(kind)}
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind.data} ")
        printer.print_ssa_value(self.value)
        printer.print_string(" : ")
        printer.print_attribute(self.value.type)


@irdl_op_definition
class SubgroupShuffleOp(IRDLOperation):
    """The value that another invocation of the subgroup holds: by its lane (`idx`), or by how far its lane is (`xor`, `up`, `down`).

    %w = gpu.subgroup_shuffle xor %v, %one : f32
    """

    name = "gpu.subgroup_shuffle"

    value = operand_def()
    offset = operand_def(i32)
    result = result_def()
    mode = prop_def(StringAttr)

    traits = traits_def(MemoryReadEffect())

    def verify_(self) -> None:
        if self.mode.data not in SHUFFLES:
            raise VerifyException(f"mode is one of {', '.join(SHUFFLES)}, got '{self.mode.data}'")
        if self.value.type != self.result.type:
            raise VerifyException(f"the result has the type of the value, {self.value.type}, got {self.result.type}")

    @classmethod
    def parse(cls, parser: Parser) -> SubgroupShuffleOp:
        mode = parser.parse_identifier("mode")
        value = parser.parse_unresolved_operand()
        parser.parse_punctuation(",")
        offset = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        operands = [parser.resolve_operand(value, type), parser.resolve_operand(offset, i32)]
        return cls.create(operands=operands, result_types=[type], properties={"mode": StringAttr(mode)})

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.mode.data} ")
        printer.print_ssa_value(self.value)
        printer.print_string(", ")
        printer.print_ssa_value(self.offset)
        printer.print_string(" : ")
        printer.print_attribute(self.value.type)


# -- vectors --------------------------------------------------------------------------------------------------------------------------------


class _LanesPatterns(HasCanonicalizationPatternsTrait):
    @classmethod
    def get_canonicalization_patterns(cls):
        from weft.dialects.gpu.canonicalize import LanesOfOneValue, LanesOfOneVector

        return (LanesOfOneValue(), LanesOfOneVector())


@irdl_op_definition
class LanesOp(IRDLOperation):
    """A vector from its lanes.

    %v = gpu.lanes %a, %b, %c, %d : vector<4xf32>
    """

    name = "gpu.lanes"

    values = var_operand_def()
    result = result_def(VectorType)

    traits = traits_def(Pure(), _LanesPatterns())

    def verify_(self) -> None:
        type = self.result.type
        assert isinstance(type, VectorType)
        if type.get_shape() != (len(self.values),) or any(v.type != type.element_type for v in self.values):
            raise VerifyException(
                f"{type} is made of as many scalars of its element type, got {[str(v.type) for v in self.values]}"
            )

    @classmethod
    def parse(cls, parser: Parser) -> LanesOp:
        values = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        parser.parse_punctuation(":")
        type = parser.parse_type()
        if not isinstance(type, VectorType):
            parser.raise_error(f"expected a vector, got {type}")
        return cls.create(operands=[parser.resolve_operand(v, type.element_type) for v in values], result_types=[type])

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.values, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


LANEWISE = frozenset(
    f"arith.{n}"
    for n in [
        "cmpi",
        "cmpf",
        "select",
        "index_cast",
        "fptosi",
        "fptoui",
        "sitofp",
        "uitofp",
        "extf",
        "truncf",
        "trunci",
        "extsi",
        "extui",
        "bitcast",
    ]
)
"""The ops that arith has for scalars alone, or with a result of scalar type."""


@irdl_op_definition
class LanewiseOp(IRDLOperation):
    """An op that `arith` only has for scalars, applied lane by lane; its properties are the op's own.

    %m = gpu.lanewise arith.cmpf %a, %b {predicate = 2 : i64} : vector<4xf32>, vector<4xf32> -> vector<4xi1>
    """

    name = "gpu.lanewise"

    values = var_operand_def(VectorType)
    result = result_def(VectorType)
    op = prop_def(StringAttr)

    traits = traits_def(Pure())

    @classmethod
    def make(cls, op: str, values: list[SSAValue], type: VectorType, properties: dict[str, Attribute]) -> LanewiseOp:
        return cls.create(
            operands=values, result_types=[type], properties={"op": StringAttr(op)}, attributes=dict(properties)
        )

    def verify_(self) -> None:
        if self.op.data not in LANEWISE:
            raise VerifyException(f"op is one of {', '.join(sorted(LANEWISE))}, got '{self.op.data}'")
        if {t.get_shape() for t in (*self.values.types, self.result.type) if isinstance(t, VectorType)} != {
            (self.lanes,)
        }:
            raise VerifyException("operands and result have the same number of lanes")

    @property
    def lanes(self) -> int:
        type = self.result.type
        assert isinstance(type, VectorType)
        return type.get_shape()[0]

    @classmethod
    def parse(cls, parser: Parser) -> LanewiseOp:
        name = parser.parse_identifier("op")
        values = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        parser.parse_punctuation("->")
        operands = parser.resolve_operands(values, types, parser.pos)
        return cls.create(
            operands=operands,
            result_types=[parser.parse_type()],
            properties={"op": StringAttr(name)},
            attributes=attributes,
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.op.data} ")
        printer.print_list(self.values, printer.print_ssa_value)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_list(self.values.types, printer.print_attribute)
        printer.print_string(" -> ")
        printer.print_attribute(self.result.type)

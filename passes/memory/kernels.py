"""Which kernels of a module are the same: nests that differ only in the arrays they run on become one `kernel.func`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from xdsl.dialects.builtin import MemRefType, SymbolRefAttr, TensorType
from xdsl.ir import Attribute, Block, Region, SSAValue

from weft.dialects.kernel.builder import NestBuilder, Operand
from weft.dialects.kernel.host import FuncOp
from weft.dialects.kernel.ops import NestOp


class Kernels:
    """The distinct kernels of a module."""

    def __init__(self) -> None:
        self.names: dict[tuple[Any, ...], SymbolRefAttr] = {}
        self.funcs: list[FuncOp] = []

    def name(self, nest: NestOp) -> SymbolRefAttr:
        """The kernel that does what the nest does; the nest's body is moved into it if it is new."""
        key = structural_key(nest)
        if (name := self.names.get(key)) is None:
            label = f"k{len(self.funcs)}"
            name = self.names[key] = SymbolRefAttr(label)
            self.funcs.append(outline(nest, label))
        return name


def structural_key(nest: NestOp) -> tuple[Any, ...]:
    """What a nest does, as a value: equal for nests that differ only in the arrays they run on."""
    numbers: dict[SSAValue, int] = {a: k for k, a in enumerate(nest.block.args)}
    body: list[tuple[Any, ...]] = []
    for op in nest.block.ops:
        body.append(
            (type(op), tuple([numbers[v] for v in op.operands]), *op.properties.items(), *[r.type for r in op.results])
        )
        for result in op.results:
            numbers[result] = len(numbers)
    types = tuple([v.type for v in nest.operands])
    return nest.axes, len(nest.ins), types, nest.schedule, tuple(body)


def outline(nest: NestOp, name: str) -> FuncOp:
    """A function of the nest's own on memrefs. The nest is left without a body."""
    types = [memref(v.type) for v in nest.operands]
    body = Block(arg_types=types)
    count = len(nest.ins)
    region = nest.detach_region(0)
    for arg, type in zip(region.block.args, types, strict=True):
        arg._type = type  # no user caches the type: loads and stores look it up
    inner = NestOp.create(
        operands=body.args,
        properties=dict(nest.properties),
        attributes=dict(nest.attributes),
        regions=[region],
        location=nest.location,
    )
    body.add_op(inner)
    return FuncOp.make(name, Region(body), len(types) - count)


@lru_cache(maxsize=1024)
def memref(type: Attribute) -> MemRefType:
    """The buffer type of a tensor type."""
    assert isinstance(type, TensorType)
    return MemRefType(type.element_type, type.shape)


def copying(type: MemRefType) -> NestOp:
    """A nest that copies a buffer."""
    tensor = TensorType(type.element_type, type.shape)
    source, target = Block(arg_types=[tensor, tensor]).args
    b = NestBuilder()
    point = b.parallel(type.get_shape())
    b.store(target, b.read(Operand.of(source), point), point)
    return b.finish()

"""How lowerings write WebAssembly: a module builder and a function builder over the dialect's operations.

A function builder has a place where it writes. `with` a loop, a block or an if, that place is inside; the structured
operation itself is put into the outer block when the `with` ends, so that what is meanwhile written to the outer block
(`at`) stands before it, which is how a lowering hoists. Results come from what the body yields.

    m = ModuleBuilder()
    m.memory(1, 65536, shared=True, import_from=("env", "memory"))
    b = m.func("sum", [i32], [i32], export="sum")
    zero, one = b.const_i32(0), b.const_i32(1)
    with b.loop(zero, zero) as loop:
        i, s = loop.args
        t = b.inst("i32.add", s, i)
        j = b.inst("i32.add", i, one)
        b.continue_if(b.inst("i32.lt_s", j, b.args[0]), j, t)
        b.yield_(t)
    b.return_(loop.result)
    binary = encode(m.module)

Operations are made by `Operation.create` with shared attributes, three times faster than by their constructors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import TracebackType
from typing import Self

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, SymbolRefAttr, f32, f64, i32, i64
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.traits import IsTerminator

from weft.dialects.wasm.calls import CallOp, GlobalGetOp, GlobalSetOp
from weft.dialects.wasm.control import BlockOp, BreakIfOp, ContinueIfOp, ContinueOp, IfOp, LoopOp, ReturnOp, YieldOp
from weft.dialects.wasm.module import DataOp, FuncOp, GlobalOp, MemoryOp, ModuleOp
from weft.dialects.wasm.opcodes import OPCODES
from weft.dialects.wasm.values import ConstOp, InstOp, const_type, inst_properties, inst_results, vector_attr


class ModuleBuilder:
    """Collects the entries of one `wasm.module`, which is `.module` from the start."""

    def __init__(self) -> None:
        self.module = ModuleOp(())
        self._block = self.module.body.block  # type: ignore[union-attr]
        self._functions: dict[str, FuncOp] = {}

    def memory(
        self,
        minimum: int,
        maximum: int | None = None,
        *,
        shared: bool = False,
        import_from: tuple[str, str] | None = None,
    ) -> None:
        """The memory, sized in pages of 64 KiB."""
        self._block.add_op(MemoryOp("memory", minimum, maximum, shared=shared, import_from=import_from))

    def func(
        self, name: str, inputs: Sequence[Attribute], outputs: Sequence[Attribute] = (), *, export: str | None = None
    ) -> FuncBuilder:
        """Starts a function of the module."""
        return FuncBuilder(self, self._add(FuncOp(name, (inputs, outputs), export=export)))

    def import_func(
        self, name: str, inputs: Sequence[Attribute], outputs: Sequence[Attribute], import_from: tuple[str, str]
    ) -> None:
        self._add(FuncOp(name, (inputs, outputs), import_from=import_from))

    def global_(self, name: str, value: Attribute, *, mutable: bool = False) -> None:
        self._block.add_op(GlobalOp(name, value, mutable=mutable))

    def data(self, contents: bytes, address: int | None = None) -> None:
        self._block.add_op(DataOp(contents, address))

    def _add(self, function: FuncOp) -> FuncOp:
        self._functions[function.sym_name.data] = function
        self._block.add_op(function)
        return function

    def __getitem__(self, name: str) -> FuncOp:
        """The function of this name."""
        return self._functions[name]


class FuncBuilder:
    """Writes the body of one function. `block` is where it writes, `args` are the function's parameters."""

    def __init__(self, module: ModuleBuilder, function: FuncOp):
        self.module, self.function = module, function
        self.block: Block = function.body.block
        self.args: tuple[BlockArgument, ...] = tuple(self.block.args)
        self._breakable: list[Structure] = []  # the open loops and blocks, innermost last

    # -- values

    def inst(self, mnemonic: str, *operands: SSAValue, imm: tuple[int, ...] = ()) -> SSAValue:
        """An instruction without a memory access; its result, if it has one. `imm`: lanes and the like."""
        op = InstOp.create(
            operands=operands, result_types=inst_results(mnemonic, operands), properties=inst_properties(mnemonic, imm)
        )
        self.block.add_op(op)
        return op.results[0] if op.results else None  # type: ignore[return-value]

    def load(
        self, mnemonic: str, address: SSAValue, offset: int = 0, *values: SSAValue, lane: int | None = None
    ) -> SSAValue:
        """A load (or load_lane: the vector follows). `align` is only a hint in wasm: it is always given as natural."""
        return self.inst(mnemonic, address, *values, imm=memarg(mnemonic, offset, lane))

    def store(
        self, mnemonic: str, address: SSAValue, value: SSAValue, offset: int = 0, *, lane: int | None = None
    ) -> None:
        self.inst(mnemonic, address, value, imm=memarg(mnemonic, offset, lane))

    def const(self, value: Attribute) -> SSAValue:
        """A constant from an attribute (IntegerAttr, FloatAttr, or DenseArrayBase for a vector)."""
        op = ConstOp.create(result_types=(const_type(value),), properties={"value": value})
        self.block.add_op(op)
        return op.results[0]

    def const_i32(self, value: int) -> SSAValue:
        """An i32; unsigned values up to 2**32 are taken by their bits."""
        return self.const(_integer(value, 32))

    def const_i64(self, value: int) -> SSAValue:
        return self.const(_integer(value, 64))

    def const_f32(self, value: float) -> SSAValue:
        return self.const(FloatAttr(value, f32))

    def const_f64(self, value: float) -> SSAValue:
        return self.const(FloatAttr(value, f64))

    def const_v128(self, shape: str, *lanes: float) -> SSAValue:
        """A vector constant of a shape such as "f32x4"; one lane stands for all."""
        return self.const(vector_attr(shape, lanes if len(lanes) > 1 else lanes * int(shape.partition("x")[2])))

    def select(self, cond: SSAValue, on_true: SSAValue, on_false: SSAValue) -> SSAValue:
        return self.inst("select", on_true, on_false, cond)

    # -- calls and globals

    def call(self, name: str, *operands: SSAValue) -> tuple[SSAValue, ...]:
        """Calls a function that the module has by now; all its results."""
        results = self.module[name].function_type.outputs.data
        op = CallOp.create(operands=operands, result_types=results, properties={"callee": SymbolRefAttr(name)})
        self.block.add_op(op)
        return tuple(op.results)

    def global_get(self, name: str, type: Attribute) -> SSAValue:
        op = GlobalGetOp(name, type)
        self.block.add_op(op)
        return op.result

    def global_set(self, name: str, value: SSAValue) -> None:
        self.block.add_op(GlobalSetOp(name, value))

    # -- control

    def loop(self, *inits: SSAValue) -> Structure:
        """`with b.loop(i0, acc0) as loop:` carries `loop.args`; continue_if and continue_ ask for the next round."""
        return Structure(self, LoopOp, inits, [init.type for init in inits])

    def block_(self) -> Structure:
        """`with b.block_() as block:` runs once; break_if leaves it."""
        return Structure(self, BlockOp)

    def if_(self, cond: SSAValue) -> Structure:
        """`with b.if_(cond) as branch: … with branch.else_(): …`; after the last `with`, `branch.results`."""
        return Structure(self, IfOp, (cond,))

    def yield_(self, *values: SSAValue) -> None:
        self._exit(YieldOp, values)

    def continue_(self, *values: SSAValue) -> None:
        self._exit(ContinueOp, values)

    def continue_if(self, cond: SSAValue, *values: SSAValue) -> None:
        self._exit(ContinueIfOp, (cond, *values))

    def break_if(self, cond: SSAValue, *values: SSAValue) -> None:
        self._breakable[-1].types = tuple(value.type for value in values)
        self._exit(BreakIfOp, (cond, *values))

    def return_(self, *values: SSAValue) -> None:
        self._exit(ReturnOp, values)

    def _exit(self, op: type[Operation], operands: Sequence[SSAValue]) -> None:
        self.block.add_op(op.create(operands=operands))

    def at(self, block: Block) -> At:
        """`with b.at(outer):` writes at the end of an open outer block."""
        return At(self, block)


class At:
    """Moves a function builder to another block for a while."""

    __slots__ = ("_block", "_builder", "_outer")

    def __init__(self, builder: FuncBuilder, block: Block):
        self._builder, self._block = builder, block

    def __enter__(self) -> Self:
        self._outer, self._builder.block = self._builder.block, self._block
        return self

    def __exit__(self, *exception: object) -> None:
        self._builder.block = self._outer


class Structure:
    """A loop, block or if under construction. After its `with`: `results`, and `result` where there is one."""

    __slots__ = ("_builder", "_kind", "_operands", "args", "block", "op", "outer", "types")

    def __init__(
        self,
        builder: FuncBuilder,
        kind: type[Operation],
        operands: Sequence[SSAValue] = (),
        carried: Sequence[Attribute] = (),
    ):
        self._builder, self._kind, self._operands = builder, kind, operands
        self.block = Block(arg_types=carried)
        self.args = tuple(self.block.args)
        self.types: tuple[Attribute, ...] = ()

    def __enter__(self) -> Self:
        builder = self._builder
        self.outer, builder.block = builder.block, self.block
        if self._kind is not IfOp:
            builder._breakable.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._builder.block = self.outer
        if self._kind is not IfOp:
            self._builder._breakable.pop()
        if kind is None:
            types = _finish(self.block) or self.types
            self.op = self._kind.create(operands=self._operands, result_types=types, regions=(Region(self.block),))
            self.outer.add_op(self.op)

    def else_(self) -> _Else:
        """The other branch of an if, opened right after the first one is closed."""
        return _Else(self)

    @property
    def results(self) -> tuple[SSAValue, ...]:
        return tuple(self.op.results)

    @property
    def result(self) -> SSAValue:
        (result,) = self.op.results
        return result


class _Else:
    """Fills the second region of an if that stands at the end of the builder's block."""

    __slots__ = ("_block", "_branch")

    def __init__(self, branch: Structure):
        self._branch, self._block = branch, Block()

    def __enter__(self) -> None:
        self._branch._builder.block = self._block

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._branch._builder.block = self._branch.outer
        if kind is None:
            _finish(self._block)
            self._branch.op.add_region(Region(self._block))


def _finish(block: Block) -> tuple[Attribute, ...]:
    """Ends a region with a yield where nothing else ends it; the types of what it yields."""
    last = block.last_op
    if last is None or not last.has_trait(IsTerminator):
        block.add_op(YieldOp.create())
        return ()
    return tuple(value.type for value in last.operands) if isinstance(last, YieldOp) else ()


@cache
def memarg(mnemonic: str, offset: int = 0, lane: int | None = None) -> tuple[int, ...]:
    """The immediates of a memory access at its natural alignment."""
    align = OPCODES[mnemonic].bytes.bit_length() - 1
    return (align, offset) if lane is None else (align, offset, lane)


@cache
def _integer(value: int, bits: int) -> IntegerAttr:
    wrapped = value - (1 << bits) if value >> (bits - 1) == 1 else value
    return IntegerAttr(wrapped, i32 if bits == 32 else i64)

"""How lowerings write WebAssembly: a module builder and a function builder over plain objects (code.py).

A function builder has a place where it writes. `with` a loop, a block or an if, that place is inside; the structure
itself is put into the outer block when the `with` ends, so that what is meanwhile written to the outer block (`at`)
stands before it, which is how a lowering hoists. Results come from what the body yields.

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

`convert.to_op(m.module)` is the same module as a `wasm.module` operation, to print or to verify.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import TracebackType
from typing import Self

from xdsl.dialects.builtin import FloatAttr, IntegerAttr
from xdsl.ir import Attribute

from weft.dialects.wasm.code import (
    Block,
    Call,
    Const,
    Data,
    Exit,
    Function,
    Global,
    GlobalGet,
    GlobalSet,
    Inst,
    Memory,
    Module,
    Operation,
    Structure,
    Value,
)
from weft.dialects.wasm.opcodes import OPCODES
from weft.dialects.wasm.values import TYPE_NAMES


def type_names(types: Sequence[Attribute]) -> tuple[str, ...]:
    """The names of value types."""
    return tuple(TYPE_NAMES[type] for type in types)


class ModuleBuilder:
    """Collects the entries of one module, which is `.module` from the start."""

    def __init__(self) -> None:
        self.module = Module()
        self._functions: dict[str, Function] = {}

    def memory(
        self,
        minimum: int,
        maximum: int | None = None,
        *,
        shared: bool = False,
        import_from: tuple[str, str] | None = None,
    ) -> None:
        """The memory, sized in pages of 64 KiB."""
        self.module.entries.append(Memory("memory", minimum, maximum, shared, import_from=import_from))

    def func(
        self, name: str, inputs: Sequence[Attribute], outputs: Sequence[Attribute] = (), *, export: str | None = None
    ) -> FuncBuilder:
        """Starts a function of the module."""
        return self._func(name, type_names(inputs), type_names(outputs), export)

    def _func(self, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], export: str | None) -> FuncBuilder:
        body = Block(inputs)
        return FuncBuilder(self, self._add(Function(name, inputs, outputs, body, export=export)), body)

    def import_func(
        self, name: str, inputs: Sequence[Attribute], outputs: Sequence[Attribute], import_from: tuple[str, str]
    ) -> None:
        self._add(Function(name, type_names(inputs), type_names(outputs), import_from=import_from))

    def global_(self, name: str, value: IntegerAttr | FloatAttr, *, mutable: bool = False) -> None:
        self.module.entries.append(Global(name, TYPE_NAMES[value.type], value.value.data, mutable))

    def data(self, contents: bytes, address: int | None = None) -> None:
        self.module.entries.append(Data(contents, address))

    def _add(self, function: Function) -> Function:
        self._functions[function.name] = function
        self.module.entries.append(function)
        return function

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def __getitem__(self, name: str) -> Function:
        """The function of this name."""
        return self._functions[name]


class FuncBuilder:
    """Writes the body of one function. `block` is where it writes, `args` are the function's parameters."""

    def __init__(self, module: ModuleBuilder, function: Function, body: Block):
        self.module, self.function = module, function
        self.block = body
        self.args: tuple[Value, ...] = tuple(body.args)
        self._breakable: list[Open] = []  # the open loops, innermost last

    # -- values

    def inst(self, mnemonic: str, *operands: Value, imm: tuple[int, ...] = ()) -> Value:
        """An instruction; its result, if it has one. `imm`: lanes and the like."""
        op = Inst((mnemonic, *imm), operands)
        self.block.ops.append(op)
        return op

    def load(self, mnemonic: str, address: Value, offset: int = 0, *values: Value, lane: int | None = None) -> Value:
        """A load (or load_lane: the vector follows). `align` is only a hint in wasm: it is always given as natural."""
        return self.inst(mnemonic, address, *values, imm=memarg(mnemonic, offset, lane))

    def store(self, mnemonic: str, address: Value, value: Value, offset: int = 0, *, lane: int | None = None) -> None:
        self.inst(mnemonic, address, value, imm=memarg(mnemonic, offset, lane))

    def _const(self, type: str, value: float | tuple[float, ...], shape: str = "") -> Value:
        self.block.ops.append(op := Const(type, value, shape))
        return op

    def const_i32(self, value: int) -> Value:
        """An i32; unsigned values up to 2**32 are taken by their bits."""
        return self._const("i32", value - (1 << 32) if value >> 31 == 1 else value)

    def const_i64(self, value: int) -> Value:
        return self._const("i64", value - (1 << 64) if value >> 63 == 1 else value)

    def const_f32(self, value: float) -> Value:
        return self._const("f32", value)

    def const_f64(self, value: float) -> Value:
        return self._const("f64", value)

    def const_v128(self, shape: str, *lanes: float) -> Value:
        """A vector constant of a shape such as "f32x4"; one lane stands for all."""
        return self._const("v128", lanes if len(lanes) > 1 else lanes * int(shape.partition("x")[2]), shape)

    def select(self, cond: Value, on_true: Value, on_false: Value) -> Value:
        return self.inst("select", on_true, on_false, cond)

    # -- calls and globals

    def call(self, name: str, *operands: Value) -> tuple[Value, ...]:
        """Calls a function that the module has by now; all its results."""
        op = Call(name, operands, self.module[name].outputs)
        self.block.ops.append(op)
        return op.results

    def global_get(self, name: str, type: Attribute) -> Value:
        self.block.ops.append(op := GlobalGet(name, TYPE_NAMES[type]))
        return op

    def global_set(self, name: str, value: Value) -> None:
        self.block.ops.append(GlobalSet(name, value))

    # -- control

    def loop(self, *inits: Value) -> Open:
        """`with b.loop(i0, acc0) as loop:` carries `loop.args`; continue_if and continue_ ask for the next round."""
        return Open(self, "loop", inits)

    def if_(self, cond: Value) -> Open:
        """`with b.if_(cond) as branch: … with branch.else_(): …`; after the last `with`, `branch.results`."""
        return Open(self, "if", (cond,))

    def yield_(self, *values: Value) -> None:
        self._exit("yield", values)

    def continue_(self, *values: Value) -> None:
        self._exit("continue", values)

    def continue_if(self, cond: Value, *values: Value) -> None:
        self._exit("continue_if", (cond, *values))

    def break_if(self, cond: Value, *values: Value) -> None:
        self._breakable[-1].types = tuple(value.type for value in values)
        self._exit("break_if", (cond, *values))

    def return_(self, *values: Value) -> None:
        self._exit("return", values)

    def _exit(self, kind: str, operands: Sequence[Value]) -> None:
        self.block.ops.append(Exit(kind, operands))

    def at(self, block: Block) -> At:
        """`with b.at(outer):` writes at the end of an open outer block."""
        return At(self, block)

    def outline(self, name: str) -> None:
        """Moves what the open block holds so far into a function of its own, and calls it: there, the engine's register
        allocator has nothing else to think of. What the code uses from outside becomes parameters, constants are repeated.
        """
        while name in self.module:
            name += "_"
        body = self.block.ops
        captured = captures(body)
        values = [v for v in captured if not isinstance(v, Const)]
        function = self.module._func(name, tuple(v.type for v in values), (), None)
        renamed: dict[Value, Value] = dict(zip(values, function.args, strict=True))
        for v in captured:
            if isinstance(v, Const):
                renamed[v] = function._const(v.type, v.value, v.shape)
        substitute(body, renamed)
        function.block.ops += body
        function.return_()
        self.block.ops = []
        self.call(name, *values)


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


class Open:
    """A loop or an if under construction. After its `with`: `results`, and `result` where there is one."""

    __slots__ = ("_builder", "_kind", "block", "inits", "op", "outer", "types")

    def __init__(self, builder: FuncBuilder, kind: str, operands: Sequence[Value] = ()):
        self._builder, self._kind = builder, kind
        self.inits = list(operands)
        self.block = Block([v.type for v in operands] if kind == "loop" else ())
        self.types: tuple[str, ...] = ()

    @property
    def args(self) -> tuple[Value, ...]:
        """What the loop carries."""
        return tuple(self.block.args)

    def carry(self, init: Value) -> Value:
        """Of an open loop: one more carried value, its argument. Every `continue` must give it, after the others."""
        self.inits.append(init)
        return self.block.add_argument(init.type)

    def __enter__(self) -> Self:
        builder = self._builder
        self.outer, builder.block = builder.block, self.block
        if self._kind == "loop":
            builder._breakable.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._builder.block = self.outer
        if self._kind == "loop":
            self._builder._breakable.pop()
        if kind is None:
            types = _finish(self.block) or self.types
            self.op = Structure(self._kind, self.inits, types, [self.block])
            self.outer.ops.append(self.op)

    def else_(self) -> _Else:
        """The other branch of an if, opened right after the first one is closed."""
        return _Else(self)

    @property
    def results(self) -> tuple[Value, ...]:
        return self.op.results

    @property
    def result(self) -> Value:
        (result,) = self.op.results
        return result


class _Else:
    """Fills the second block of an if that stands at the end of the builder's block."""

    __slots__ = ("_block", "_branch")

    def __init__(self, branch: Open):
        self._branch, self._block = branch, Block()

    def __enter__(self) -> None:
        self._branch._builder.block = self._block

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._branch._builder.block = self._branch.outer
        if kind is None:
            _finish(self._block)
            self._branch.op.blocks.append(self._block)


def _finish(block: Block) -> tuple[str, ...]:
    """Ends a block with a yield where nothing else ends it; the types of what it yields."""
    last = block.ops[-1] if block.ops else None
    if not isinstance(last, Exit) or not last.ends:
        block.ops.append(Exit("yield"))
        return ()
    return tuple(value.type for value in last.operands) if last.kind == "yield" else ()


def captures(ops: Sequence[Operation]) -> list[Value]:
    """The values that operations use and do not make themselves, in the order of their first use."""
    made: set[Value] = set()
    found: dict[Value, None] = {}

    def visit(ops: Sequence[Operation]) -> None:
        for op in ops:
            for v in op.operands:
                if v not in made:
                    found[v] = None
            if isinstance(op, Value):
                made.add(op)
                continue
            made.update(op.results)
            if isinstance(op, Structure):
                for block in op.blocks:
                    made.update(block.args)
                    visit(block.ops)

    visit(ops)
    return list(found)


def substitute(ops: Sequence[Operation], renamed: dict[Value, Value]) -> None:
    """Puts other values in the place of those that operations use, everywhere inside."""
    for op in ops:
        if not renamed.keys().isdisjoint(op.operands):
            op.operands = tuple(renamed.get(v, v) for v in op.operands)
        if isinstance(op, Structure):
            for block in op.blocks:
                substitute(block.ops, renamed)


@cache
def memarg(mnemonic: str, offset: int = 0, lane: int | None = None) -> tuple[int, ...]:
    """The immediates of a memory access at its natural alignment."""
    align = OPCODES[mnemonic].bytes.bit_length() - 1
    return (align, offset) if lane is None else (align, offset, lane)

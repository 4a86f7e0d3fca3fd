"""kernel-to-wasm: a program of kernels becomes one WebAssembly module.

Each `kernel.func` becomes a function that takes the addresses of its buffers; `main` calls them in the order of the launches, with barriers between. Every thread runs
`main` and takes its share of each kernel: the rounds of an outermost axis on level grid; a nest without one is the first thread's. How a nest becomes loops is in
passes/wasm/emitter.py; what the host must know is in dialects/wasm/abi.py.

A copy staged at "entry" is made by a function of its own before the kernel, so that all threads share the work and the copy.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    MemRefType,
    ModuleOp,
    i32,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.dtypes import bfloat16_bits
from weft.dialects.kernel.affine import Expr
from weft.dialects.kernel.host import (
    AllocOp,
    ConstantOp,
    CopyOp,
    FuncOp,
    LaunchOp,
    ProgramOp,
    RepeatOp,
    SwitchOp,
    WhileOp,
)
from weft.dialects.kernel.ops import LoadOp, NestOp
from weft.dialects.wasm.abi import BARRIER_BYTES, FILLED_OFFSET, MAX_THREADS, Program, add_barrier, program_module
from weft.dialects.wasm.builder import FuncBuilder
from weft.dialects.wasm.code import Module, Value
from weft.dialects.wasm.convert import to_op
from weft.passes.depth import deep_recursion
from weft.passes.memory.places import buffer_bytes
from weft.passes.wasm.emitter import Emitter
from weft.passes.wasm.memory import element_bytes
from weft.passes.wasm.staging import staged_copy
from weft.passes.wasm.state import REGISTER_LEVELS, Access

ALIGNMENT = 64
WORTH_A_BARRIER = 1 << 15
"""Scalar operations of a launch within a loop that threads share."""
ROUNDS = 16
"""What a loop is taken to run whose rounds nobody knows."""


def aligned(size: int) -> int:
    """A size, rounded up to where the next buffer may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass
class Kernel:
    """A kernel's functions, run in order with a barrier after each, and the scratch memory they need: shared, and for each thread."""

    functions: list[str] = field(default_factory=list[str])
    shared: int = 0
    private: int = 0


class Lowering:
    """One program."""

    def __init__(self, relaxed: bool = True):
        self.relaxed = relaxed
        self.module, self.main = program_module()
        self.kernels: dict[str, Kernel] = {}
        self.segments = 0

    # -- kernels ------------------------------------------------------------------------------------------------------------------------

    def kernel(self, func: FuncOp) -> None:
        """The functions of one kernel: those that fill its shared copies, then itself. Arguments: its buffers, shared, private, tid, nthreads."""
        name = func.sym_name.data
        kernel = self.kernels[name] = Kernel()
        body = func.body.block
        nests = [op for op in body.ops if isinstance(op, NestOp)]
        staged: dict[Operation, tuple[int, MemRefType, Expr]] = {}
        for nest in nests:
            for load in nest.block.ops:
                if isinstance(load, LoadOp) and load.stage is not None and load.stage.data["at"].data == "entry":  # type: ignore[attr-defined]
                    copy, type, flat = staged_copy(nest, load)
                    staged[load] = kernel.shared, type, flat
                    source = body.args.index(nest.operands[nest.block.args.index(load.buffer)])  # type: ignore[arg-type]
                    b = self._function(f"{name}_stage{len(kernel.functions)}", kernel, len(body.args))
                    target = b.inst("i32.add", b.args[-4], b.const_i32(kernel.shared))
                    self._nest(b, kernel, copy, [b.args[source], target], {})
                    b.return_()
                    kernel.shared += aligned(prod(type.get_shape()) * element_bytes(type.element_type))
        b = self._function(name, kernel, len(body.args))
        index = {arg: k for k, arg in enumerate(body.args)}
        for nest in nests:
            shared: dict[Operation, Access] = {
                load: Access(b.inst("i32.add", b.args[-4], b.const_i32(offset)), type.element_type, flat)
                for load, (offset, type, flat) in staged.items()
                if load.parent_op() is nest
            }
            self._nest(b, kernel, nest, [b.args[index[v]] for v in nest.operands], shared)  # type: ignore[index]
        b.return_()

    def _function(self, name: str, kernel: Kernel, buffers: int) -> FuncBuilder:
        kernel.functions.append(name)
        return self.module.func(name, [i32] * (buffers + 4))

    def _nest(
        self, b: FuncBuilder, kernel: Kernel, nest: NestOp, bases: Sequence[Value], staged: dict[Operation, Access]
    ) -> None:
        private, tid, nthreads = b.args[-3:]
        used = 0

        def scratch(size: int) -> Value:
            nonlocal used
            offset, used = used, used + aligned(size)
            kernel.private = max(kernel.private, used)
            return b.inst("i32.add", private, b.const_i32(offset)) if offset else private

        axes = [a for a in nest.axes.data if a.extent != 1 and a.level not in REGISTER_LEVELS]
        bounds = None
        if (n := next((a.extent for a in axes if a.level == "grid"), None)) is not None:
            size = b.const_i32(n)
            share = b.inst("i32.div_u", b.inst("i32.add", nthreads, b.const_i32(n - 1)), nthreads)
            first = b.inst("i32.mul", tid, share)
            last = b.inst("i32.add", first, share)
            last = b.select(b.inst("i32.lt_u", last, size), last, size)
            bounds = first, last
            mine = b.inst("i32.lt_u", first, last)
        else:
            mine = b.inst("i32.eqz", tid)
        with b.if_(mine):
            Emitter(b, nest, bases, scratch=scratch, bounds=bounds, staged=dict(staged), relaxed=self.relaxed).emit()

    # -- the program --------------------------------------------------------------------------------------------------------------------

    def program(self, program: ProgramOp) -> None:
        """`main`."""
        b, (params, tid, nthreads) = self.main, self.main.args
        block = program.body.block
        args = list(block.args)
        arena_size = program.attributes.get("arena")
        planned = aligned(arena_size.value.data if arena_size is not None else 0)  # type: ignore[attr-defined]
        address: dict[SSAValue, Value] = {arg: b.load("i32.load", params, 4 * k) for k, arg in enumerate(args)}
        arena = b.load("i32.load", params, 4 * len(args))
        barrier_address = b.load("i32.load", params, 4 * len(args) + 4)
        constants = [op for op in block.ops if isinstance(op, ConstantOp)]
        shared = aligned(max((k.shared for k in self.kernels.values()), default=0))
        private = aligned(max((k.private for k in self.kernels.values()), default=0))
        shared_base = b.inst("i32.add", arena, b.const_i32(planned))
        private_base = b.inst(
            "i32.add", shared_base, b.inst("i32.add", b.const_i32(shared), b.inst("i32.mul", tid, b.const_i32(private)))
        )

        for op in block.ops:
            if isinstance(op, AllocOp):
                address[op.result] = b.inst("i32.add", arena, b.const_i32(op.offset.value.data))
        place = BARRIER_BYTES
        for op in constants:
            address[op.result] = b.inst("i32.add", barrier_address, b.const_i32(place))
            place += aligned(nbytes(op.result.type))
        if constants:
            self._fill(constants, address, barrier_address)
        _Course(
            self, address, (shared_base, private_base, tid, nthreads), barrier_address, pending=bool(constants)
        ).run(block)
        b.return_()
        pairs = program.attributes.get("donated")
        flat = list(pairs.get_values()) if pairs is not None else []  # type: ignore[attr-defined]
        inputs = args[: len(args) - program.outputs]
        Program(
            [nbytes(a.type) for a in inputs],
            [nbytes(a.type) for a in args[len(inputs) :]],
            arena=planned + shared + private * MAX_THREADS,
            work=work(program),
            donated=tuple(zip(flat[::2], flat[1::2], strict=True)),
            constants=place - BARRIER_BYTES,
        ).store(self.module.module)

    def _fill(self, constants: Sequence[ConstantOp], address: Mapping[SSAValue, Value], barrier: Value) -> None:
        """The first thread of the first call puts the constants in their places."""
        b = self.main
        with b.if_(b.inst("i32.eqz", b.args[1])), b.if_(b.inst("i32.eqz", b.load("i32.load", barrier, FILLED_OFFSET))):
            for op in constants:
                contents = constant_bytes(op)
                self.module.data(contents)
                b.inst(
                    "memory.init", address[op.result], b.const_i32(0), b.const_i32(len(contents)), imm=(self.segments,)
                )
                self.segments += 1
            b.store("i32.store", barrier, b.const_i32(1), FILLED_OFFSET)


class _Course:
    """The steps of a program: launches and copies, with barriers between, in loops and branches of `main` itself.

    All threads take the same course: what they decide by is written before a barrier, and not again before the next one.
    """

    def __init__(
        self,
        lowering: Lowering,
        address: dict[SSAValue, Value],
        common: tuple[Value, ...],
        barrier: Value,
        pending: bool,
    ):
        self.b, self.module, self.kernels = lowering.main, lowering.module, lowering.kernels
        self.address, self.common, self.barrier = address, common, barrier
        self.pending = pending
        """Something was written that other threads may not see yet, or is still being read."""

    def run(self, block: Block) -> None:
        """Writes the steps of a block."""
        b = self.b
        for op in block.ops:
            match op:
                case CopyOp():
                    self._wait()
                    with b.if_(b.inst("i32.eqz", self.common[2])):
                        size = b.const_i32(nbytes(op.source.type))
                        b.inst("memory.copy", self.address[op.target], self.address[op.source], size)
                    self.pending = True
                case LaunchOp():
                    buffers = [self.address[v] for v in op.operands]
                    for function in self.kernels[op.kernel.root_reference.data].functions:
                        self._wait()
                        b.call(function, *buffers, *self.common)
                        self.pending = True
                case RepeatOp():
                    self._repeat(op)
                case WhileOp():
                    self._while(op)
                case SwitchOp():
                    self._switch(op, 0, self._read("i32.load", op.index))
                case _:
                    pass

    def _wait(self) -> None:
        b = self.b
        if self.pending:
            if "barrier" not in self.module:
                add_barrier(self.module)
            with b.if_(b.inst("i32.ne", self.common[3], b.const_i32(1))):
                b.call("barrier", self.barrier, self.common[3])
        self.pending = False

    def _read(self, mnemonic: str, buffer: SSAValue) -> Value:
        self._wait()
        return self.b.load(mnemonic, self.address[buffer])

    def _repeat(self, op: RepeatOp) -> None:
        b, times = self.b, op.times.value.data
        if not times:
            return
        with b.loop(b.const_i32(times)) as loop:
            self.pending = True
            self.run(op.body.block)
            left = b.inst("i32.sub", loop.args[0], b.const_i32(1))
            b.continue_if(left, left)
        self.pending = True

    def _while(self, op: WhileOp) -> None:
        b = self.b
        with b.loop():
            self.pending = True
            self.run(op.before.block)
            b.break_if(b.inst("i32.eqz", self._read("i32.load8_u", op.condition)))
            self.run(op.body.block)
            b.continue_()
        self.pending = True

    def _switch(self, op: SwitchOp, k: int, index: Value) -> None:
        """The cases from k on."""
        b = self.b
        self.pending = True  # nobody writes the index before all have read it
        if k == len(op.cases) - 1:
            self.run(op.cases[k].block)
        else:
            with b.if_(b.inst("i32.le_s", index, b.const_i32(k))) as branch:
                self.run(op.cases[k].block)
            with branch.else_():
                self._switch(op, k + 1, index)
        self.pending = True


def nbytes(type: Attribute) -> int:
    """Bytes of a buffer."""
    assert isinstance(type, MemRefType)
    return buffer_bytes(type, "wasm")


def work(program: ProgramOp) -> int:
    """A rough count of scalar operations: points of each launched nest times ops of its body, as often as it runs.

    Of what runs in a loop only large nests count: a barrier costs as much as some thousand operations, so sharing small ones would slow them down.
    """
    module = program.parent_op()
    assert module is not None
    cost: dict[str, int] = {}
    for func in module.regions[0].block.ops:
        if isinstance(func, FuncOp):
            nests = [op for op in func.body.block.ops if isinstance(op, NestOp)]
            cost[func.sym_name.data] = sum(prod(a.extent for a in n.axes.data) * len(n.block.ops) for n in nests)

    def of(block: Block, least: int) -> int:
        total = 0
        for op in block.ops:
            if isinstance(op, LaunchOp):
                one = cost[op.kernel.root_reference.data]
                total += one if one >= least else 0
            elif op.regions:
                times = op.times.value.data if isinstance(op, RepeatOp) else ROUNDS
                total += times * sum(of(r.block, WORTH_A_BARRIER) for r in op.regions)
        return total

    return of(program.body.block, 0)


def constant_bytes(op: ConstantOp) -> bytes:
    """The contents of a constant as they lie in memory."""
    type = op.value.get_element_type()
    values = list(op.value.get_values())
    if isinstance(type, IntegerType):
        size = element_bytes(type)
        mask = (1 << size * 8) - 1
        if type.bitwidth == 1:
            return bytes(abs(int(v)) for v in values)  # type: ignore[arg-type]
        return b"".join((int(v) & mask).to_bytes(size, "little") for v in values)  # type: ignore[arg-type]
    if isinstance(type, BFloat16Type):
        return b"".join(bfloat16_bits(float(v)).to_bytes(2, "little") for v in values)  # type: ignore[arg-type]
    code = {Float16Type(): "e", Float32Type(): "f", Float64Type(): "d"}[type]  # type: ignore[index]
    return struct.pack(f"<{len(values)}{code}", *values)


@deep_recursion()
def lower(module: ModuleOp, *, relaxed: bool = True) -> Module:
    """The WebAssembly module of a module that holds one `kernel.program` and its kernels."""
    lowering = Lowering(relaxed)
    program = None
    for op in module.body.block.ops:
        if isinstance(op, FuncOp):
            lowering.kernel(op)
        elif isinstance(op, ProgramOp):
            program = op
    if program is None:
        raise PassFailedException("kernel-to-wasm: the module holds no kernel.program")
    lowering.program(program)
    return lowering.module.module


@dataclass(frozen=True)
class KernelToWasmPass(ModulePass):
    """Lowers a `kernel.program` and its `kernel.func`s to one `wasm.module`.

    `relaxed`: use relaxed SIMD (fused multiply-add), where the engine has it.
    """

    name = "kernel-to-wasm"

    relaxed: bool = True

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        wasm = to_op(lower(op, relaxed=self.relaxed))
        for old in list(op.body.block.ops):
            old.detach()
            old.erase(safe_erase=False)
        op.body.block.add_op(wasm)

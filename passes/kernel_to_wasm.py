"""kernel-to-wasm: a program of kernels becomes one WebAssembly module.

Each `kernel.func` becomes a function that takes the addresses of its buffers; `main` calls them in the order of the launches. Every thread runs `main` and takes its share
of each kernel that is worth it: the rounds of an outermost axis on level grid. What is too little work for that, a launch or a whole loop of them, the first thread does
alone, and there are barriers only where threads need what others have written. How a nest becomes loops is in passes/wasm/emitter.py; what the host must know is in
dialects/wasm/abi.py.

A copy staged at "entry" is made by a function of its own before the kernel, so that all threads share the work and the copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import MemRefType, ModuleOp, i32
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.affine import Expr
from weft.dialects.kernel.host import (
    AllocOp,
    ConstantOp,
    CopyOp,
    Course,
    FuncOp,
    LaunchOp,
    ProgramOp,
    RepeatOp,
    SwitchOp,
    WhileOp,
    moves_home,
    rounds_of,
)
from weft.dialects.kernel.ops import LoadOp, NestOp
from weft.dialects.wasm.abi import BARRIER_BYTES, FILLED_OFFSET, MAX_THREADS, Program, add_barrier, program_module
from weft.dialects.wasm.builder import FuncBuilder
from weft.dialects.wasm.code import Module, Value
from weft.dialects.wasm.convert import to_op
from weft.passes.depth import deep_recursion
from weft.passes.memory.places import buffer_bytes
from weft.passes.wasm.cost import nanoseconds
from weft.passes.wasm.emitter import Emitter
from weft.passes.wasm.memory import element_bytes
from weft.passes.wasm.staging import staged_copy
from weft.passes.wasm.state import REGISTER_LEVELS, Access

ALIGNMENT = 64
WORTH_SHARING = 20_000
"""Nanoseconds of one thread's time from which on threads share a launch: some ten barriers."""


def aligned(size: int) -> int:
    """A size, rounded up to where the next buffer may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass
class Kernel:
    """A kernel's functions, run in order with a barrier after each, the nanoseconds that they take one thread, and the scratch memory they need: shared, and for each
    thread.
    """

    functions: list[str] = field(default_factory=list[str])
    time: int = 0
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
        if any(a.level == "grid" for nest in nests for a in nest.axes.data):  # else there is nothing to share
            kernel.time = sum(map(nanoseconds, nests))
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
        course = _Course(self, address, (shared_base, private_base, tid, nthreads), barrier_address)
        course.pending = ONE if constants else NONE
        course.run(block)
        b.return_()
        pairs = program.attributes.get("donated")
        flat = list(pairs.get_values()) if pairs is not None else []  # type: ignore[attr-defined]
        inputs = args[: len(args) - program.outputs]
        Program(
            [nbytes(a.type) for a in inputs],
            [nbytes(a.type) for a in args[len(inputs) :]],
            arena=planned + shared + private * MAX_THREADS,
            work=self._work(block),
            donated=tuple(zip(flat[::2], flat[1::2], strict=True)),
            constants=place - BARRIER_BYTES,
        ).store(self.module.module)

    def shared(self, op: Operation) -> bool:
        """Whether threads share a step of the program, or one within it."""
        if isinstance(op, LaunchOp):
            return self._time(op) >= WORTH_SHARING
        return any(self.shared(each) for r in op.regions for each in r.block.ops)

    def _time(self, op: LaunchOp) -> int:
        return self.kernels[op.kernel.root_reference.data].time

    def _work(self, block: Block) -> int:
        """Nanoseconds of one thread's time in what threads share: of a branch in its longest case."""
        total = 0
        for op in block.ops:
            if isinstance(op, LaunchOp):
                total += self._time(op) if self.shared(op) else 0
            elif isinstance(op, Course):
                works = [self._work(r.block) for r in op.regions]
                total += rounds_of(op) * (max(works) if isinstance(op, SwitchOp) else sum(works))
        return total

    def _fill(self, constants: Sequence[ConstantOp], address: Mapping[SSAValue, Value], barrier: Value) -> None:
        """The first thread of the first call puts the constants in their places."""
        b = self.main
        with b.if_(b.inst("i32.eqz", b.args[1])), b.if_(b.inst("i32.eqz", b.load("i32.load", barrier, FILLED_OFFSET))):
            for op in constants:
                contents = op.contents(bool_size=1)
                self.module.data(contents)
                b.inst(
                    "memory.init", address[op.result], b.const_i32(0), b.const_i32(len(contents)), imm=(self.segments,)
                )
                self.segments += 1
            b.store("i32.store", barrier, b.const_i32(1), FILLED_OFFSET)


NONE, ONE, ALL = 0, 1, 2
"""Whose writes other threads may not see yet, or whose reads may not be done: nobody's, the first thread's, anybody's."""

STEPS = (CopyOp, LaunchOp, RepeatOp, WhileOp, SwitchOp)


class _Course:
    """The steps of a program: launches and copies, with barriers between, in loops and branches of `main` itself.

    All threads take the same course: what they decide by is written before a barrier, and not again before the next one. Runs of steps that are not worth sharing are a
    course of the first thread alone, without barriers.
    """

    def __init__(
        self,
        lowering: Lowering,
        address: dict[SSAValue, Value],
        common: tuple[Value, ...],
        barrier: Value,
        alone: bool = False,
    ):
        self.lowering, self.address, self.common, self.barrier = lowering, address, common, barrier
        self.b, self.alone = lowering.main, alone
        self.pending = NONE

    def run(self, block: Block) -> None:
        """Writes the steps of a block."""
        for shared, steps in groupby((op for op in block.ops if isinstance(op, STEPS)), self.lowering.shared):
            if shared or self.alone:
                for op in steps:
                    self._step(op)
            else:
                self._wait(ALL)
                *memory, tid, _ = self.common
                with self.b.if_(self.b.inst("i32.eqz", tid)):
                    common = (*memory, tid, self.b.const_i32(1))
                    one = _Course(self.lowering, self.address, common, self.barrier, alone=True)
                    for op in steps:
                        one._step(op)
                self.pending = ONE

    def _step(self, op: Operation) -> None:
        b = self.b
        match op:
            case CopyOp():  # is the first thread's
                b.inst(
                    "memory.copy", self.address[op.target], self.address[op.source], b.const_i32(nbytes(op.source.type))
                )
            case LaunchOp():
                buffers = [self.address[v] for v in op.operands]
                for function in self.lowering.kernels[op.kernel.root_reference.data].functions:
                    self._wait(ONE)
                    b.call(function, *buffers, *self.common)
                    self.pending = ALL
            case RepeatOp():
                self._repeat(op)
            case WhileOp():
                self._while(op)
            case SwitchOp():
                self._switch(op, 0, self._read("i32.load", op.index))
            case _:
                raise AssertionError(op.name)

    def _wait(self, least: int) -> None:
        """Waits for all threads if so much is pending."""
        b = self.b
        if self.pending >= least and not self.alone:
            if "barrier" not in self.lowering.module:
                add_barrier(self.lowering.module)
            with b.if_(b.inst("i32.ne", self.common[3], b.const_i32(1))):
                b.call("barrier", self.barrier, self.common[3])
            self.pending = NONE

    def _read(self, mnemonic: str, buffer: SSAValue) -> Value:
        self._wait(ONE)
        return self.b.load(mnemonic, self.address[buffer])

    def _repeat(self, op: RepeatOp) -> None:
        b, times = self.b, op.times.value.data
        steps = [each for each in op.body.block.ops if isinstance(each, STEPS)]
        if not times or not (steps or op.rotated):
            return
        home = [self.address[v] for v in op.rotated]
        with b.loop(b.const_i32(times), *home) as loop:
            self.address.update(zip(op.rotated, loop.args[1:], strict=True))
            if steps:  # what a round leaves
                self.pending = max(self.pending, ALL if self.lowering.shared(steps[-1]) else ONE)
            self.run(op.body.block)
            left = b.inst("i32.sub", loop.args[0], b.const_i32(1))
            b.continue_if(left, left, *self._rotated(op))
        self.address.update(zip(op.rotated, home, strict=True))

    def _while(self, op: WhileOp) -> None:
        b = self.b
        home = [self.address[v] for v in op.rotated]
        with b.loop(*home) as loop:
            self.address.update(zip(op.rotated, loop.args, strict=True))
            self.pending = ALL  # nobody writes the condition before all have read it
            self.run(op.before.block)
            b.break_if(b.inst("i32.eqz", self._read("i32.load8_u", op.condition)), *loop.args)
            self.run(op.body.block)
            b.continue_(*self._rotated(op))
        left = dict(zip(op.rotated, loop.results, strict=True))
        self.address.update(zip(op.rotated, home, strict=True))
        self.pending = ALL
        for cycle in op.cycles:
            self._bring_home(cycle, left[cycle[0]])

    def _rotated(self, op: RepeatOp | WhileOp) -> list[Value]:
        """The addresses of the buffers that rotate, in the next round."""
        return [self.address[v] for cycle in op.cycles for v in (*cycle[1:], cycle[0])]

    def _bring_home(self, cycle: Sequence[SSAValue], first: Value) -> None:
        """Copies what a loop has left in the buffers of a cycle. `first`: where the first of them is."""
        b, tid = self.b, self.common[2]
        self._wait(ALL)
        with b.if_(b.inst("i32.eqz", tid)):
            for rounds in range(1, len(cycle)):
                with b.if_(b.inst("i32.eq", first, self.address[cycle[rounds]])):
                    for source, target in moves_home(len(cycle), rounds):
                        size = b.const_i32(nbytes(cycle[0].type))
                        b.inst("memory.copy", self.address[cycle[target]], self.address[cycle[source]], size)
        self.pending = ONE

    def _switch(self, op: SwitchOp, k: int, index: Value) -> None:
        """The cases from k on."""
        b = self.b
        self.pending = ALL  # nobody writes the index before all have read it
        if k == len(op.cases) - 1:
            self.run(op.cases[k].block)
        else:
            with b.if_(b.inst("i32.le_s", index, b.const_i32(k))) as branch:
                self.run(op.cases[k].block)
            with branch.else_():
                self._switch(op, k + 1, index)
        self.pending = ALL


def nbytes(type: Attribute) -> int:
    """Bytes of a buffer."""
    assert isinstance(type, MemRefType)
    return buffer_bytes(type, "wasm")


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

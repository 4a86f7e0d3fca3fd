"""A compiled program on the device: read from the IR (see steps.py), and called, which is played by player.py.

Buffers are the caller's inputs, the outputs, constants, and the program's own slots, which come from the pool for the time of the call. Pipelines and bind groups are kept:
a bind group as long as the same buffers come again, which the pool makes the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from xdsl.dialects import gpu
from xdsl.dialects.builtin import (
    DenseArrayBase,
    MemRefType,
    ModuleOp,
)
from xdsl.ir import Block, Operation, SSAValue

from weft.backends.base import Executable as BaseExecutable
from weft.backends.webgpu.memory import Buffer, Pool
from weft.backends.webgpu.player import BindGroups, Guards, Player
from weft.backends.webgpu.steps import (
    Copy,
    Cycles,
    Grid,
    Kernel,
    Launch,
    Program,
    Region,
    Repeat,
    Step,
    Switch,
    While,
    walk,
)
from weft.dialects.dtypes import from_type
from weft.dialects.gpu.ops import BindingOp
from weft.dialects.gpu.wgsl import print_func
from weft.dialects.kernel.host import (
    AllocOp,
    ConstantOp,
    CopyOp,
    LaunchOp,
    ProgramOp,
    RepeatOp,
    SwitchOp,
    WhileOp,
)

if TYPE_CHECKING:
    from weft.backends.webgpu.backend import WebGpuBackend


def stored_size(type: MemRefType) -> int:
    """Bytes of a buffer on the device."""
    element = from_type(type.element_type)
    return prod(type.get_shape()) * (4 if element.kind == "b" else element.itemsize)


def kernel_of(module: gpu.ModuleOp) -> Kernel:
    """The kernel in a `gpu.module`."""
    (func,) = (op for op in module.body.block.ops if isinstance(op, gpu.FuncOp))
    bindings = sorted(
        (op for op in func.body.block.ops if isinstance(op, BindingOp)), key=lambda op: op.index.value.data
    )
    x, y, z = func.known_grid_size.get_values() if func.known_grid_size is not None else (1, 1, 1)
    return Kernel(
        module.sym_name.data,
        print_func(func),
        tuple(b.access.data for b in bindings),
        (x, y, z),
        "in_bounds" in func.attributes,
    )  # type: ignore[union-attr]


def read_program(module: ModuleOp) -> Program:
    """The program of a module of gpu kernels with one `kernel.program`."""
    kernels = {op.sym_name.data: kernel_of(op) for op in module.ops if isinstance(op, gpu.ModuleOp)}  # type: ignore[union-attr]
    (main,) = (op for op in module.ops if isinstance(op, ProgramOp))
    args = main.body.block.args
    inputs = len(args) - main.outputs
    program = Program(inputs, [stored_size(a.type) for a in args[inputs:]])  # type: ignore[arg-type]
    pairs = main.attributes.get("donated")
    if isinstance(pairs, DenseArrayBase):
        values = [int(v) for v in pairs.get_values()]
        program.donated = dict(zip(values[::2], values[1::2], strict=True))
    number: dict[SSAValue, int] = {a: k for k, a in enumerate(args)}
    ops = list(main.body.block.ops)
    constants = [op for op in ops if isinstance(op, ConstantOp)]
    for op in constants:
        number[op.result] = len(args) + len(program.constants)
        program.constants.append(op.contents(bool_size=4))
    first = len(args) + len(constants)
    for op in ops:
        if isinstance(op, AllocOp):
            slot = op.slot.value.data
            program.slots.extend([0] * (slot + 1 - len(program.slots)))
            program.slots[slot] = max(program.slots[slot], stored_size(op.result.type))  # type: ignore[arg-type]
            number[op.result] = first + slot
    program.steps.extend(_Reader(kernels, number).steps(main.body.block, None))
    return program


class _Reader:
    """Reads the steps of blocks. `grids` collects those of the launches of a guarded region; None: nothing guards them."""

    def __init__(self, kernels: dict[str, Kernel], number: dict[SSAValue, int]):
        self.kernels, self.number = kernels, number

    def steps(self, block: Block, grids: list[Grid] | None) -> tuple[Step, ...]:
        """The steps of a block."""
        return tuple([step for op in block.ops if (step := self._step(op, grids)) is not None])

    def _step(self, op: Operation, grids: list[Grid] | None) -> Step | None:
        number = self.number
        match op:
            case LaunchOp():
                kernel = self.kernels[op.kernel.string_value()]
                place = None
                if grids is not None:
                    place = len(grids)
                    grids.append(kernel.grid)
                return Launch(kernel, tuple(number[v] for v in op.operands), place)
            case CopyOp():
                if grids is not None:
                    raise ValueError("a copy under a condition: it is to be a kernel, which can be left out")
                return Copy(number[op.source], number[op.target], stored_size(op.source.type))  # type: ignore[arg-type]
            case RepeatOp():
                return Repeat(op.times.value.data, self.steps(op.body.block, grids), self._cycles(op))
            case WhileOp():
                before = self.steps(op.before.block, grids)
                body = self._region(op.body.block)
                asks = any(isinstance(s, While) for s in walk((*before, *body.steps)))
                sizes = tuple(stored_size(c[0].type) for c in op.cycles)  # type: ignore[arg-type]
                return While(number[op.condition], before, body, asks, self._cycles(op), sizes)
            case SwitchOp():
                return Switch(number[op.index], tuple(self._region(r.block) for r in op.cases))
            case _:
                return None

    def _cycles(self, op: RepeatOp | WhileOp) -> Cycles:
        return tuple(tuple(self.number[v] for v in cycle) for cycle in op.cycles)

    def _region(self, block: Block) -> Region:
        grids: list[Grid] = []
        steps = self.steps(block, grids)
        return Region(steps, tuple(grids))


class Executable(BaseExecutable):
    """A program with its pipelines."""

    def __init__(
        self,
        backend: WebGpuBackend,
        program: Program,
        donate: tuple[int, ...] = (),
        stages: Mapping[str, Callable[[], str]] | None = None,
    ):
        self.backend, self.program, self.donate = backend, program, donate
        self.stages = stages or {}
        self.pool: Pool = backend.pool
        kernels = {s.kernel for s in walk(program.steps) if isinstance(s, Launch) and 0 not in s.kernel.grid}
        self.pipelines = {id(k): backend.pipeline(k) for k in kernels}
        self.constants = [backend.upload(data) for data in program.constants]
        self.groups = BindGroups(backend, 16 * sum(1 for _ in walk(program.steps)) + 64)

    def __call__(self, args: Sequence[Buffer]) -> list[Buffer]:
        """Records and submits the program; returns when it is queued."""
        program, pool = self.program, self.pool
        for k, buffer in enumerate(args):
            if buffer.is_deleted:
                raise RuntimeError(f"the buffer of argument {k} has been deleted or donated")
        outputs: list[Buffer] = []
        for k, nbytes in enumerate(program.outputs):
            source = program.donated.get(k)
            donor = args[source] if source is not None and source in self.donate else None
            if donor is not None and donor.nbytes == nbytes and sum(b is donor for b in args) == 1:
                outputs.append(_handed_over(donor))
            else:
                outputs.append(Buffer(pool, nbytes))
        slots = [pool.take(n) for n in program.slots]
        inputs = [
            a.gpu if a.gpu is not None else outputs[next(o for o, i in program.donated.items() if i == k)].gpu
            for k, a in enumerate(args)
        ]
        table = [*inputs, *(b.gpu for b in outputs), *(b.gpu for b in self.constants), *slots]
        player = Player(self, table)
        try:
            player.play(program.steps)
            player.submit()
        finally:
            for gpu_buffer in reversed(slots):
                pool.give(gpu_buffer)
        for gpu_buffer in player.borrowed:
            pool.give(gpu_buffer)
        for k in self.donate:
            args[k].delete()
        return outputs

    def encode(self, encoder: Any, table: Sequence[Any]) -> list[Any]:
        """Records all steps on numbered GPU buffers into an encoder of the caller's; gives the buffers that it borrowed."""
        player = Player(self, table, encoder)
        player.play(self.program.steps)
        player.end_pass()
        return player.borrowed

    @cached_property
    def guards(self) -> Guards:
        """What the conditions of the program are decided by."""
        return Guards(self.backend)


def _handed_over(donor: Buffer) -> Buffer:
    """The donated buffer's memory under a new owner; the old one counts as deleted."""
    new = object.__new__(Buffer)
    new.pool, new.nbytes, new.held, new.is_deleted, new.gpu = donor.pool, donor.nbytes, donor.held, False, donor.gpu
    donor.is_deleted, donor.gpu = True, None
    return new

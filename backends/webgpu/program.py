"""Plays a compiled program: a list of launches and copies over numbered buffers, recorded into one command encoder a call.

Buffers are the caller's inputs, the outputs, constants, and the program's own slots, which come from the pool for the time of the call. Pipelines and bind groups are kept:
a bind group as long as the same buffers come again, which the pool makes the rule.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from xdsl.dialects import gpu
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    Float16Type,
    Float32Type,
    IntegerType,
    MemRefType,
    ModuleOp,
)
from xdsl.ir import SSAValue

from weft.backends.base import Executable as BaseExecutable
from weft.backends.webgpu.memory import Buffer, Pool
from weft.backends.webgpu.native import Recorder
from weft.dialects.gpu.ops import BindingOp
from weft.dialects.gpu.wgsl import print_func
from weft.dialects.kernel.host import AllocOp, ConstantOp, CopyOp, LaunchOp, ProgramOp

if TYPE_CHECKING:
    from weft.backends.webgpu.backend import WebGpuBackend


@dataclass(frozen=True)
class Kernel:
    """A shader: its text, how each binding is accessed, and its grid."""

    name: str
    text: str
    access: tuple[str, ...]
    grid: tuple[int, int, int]
    in_bounds: bool = False
    """Whether the compiler has proven that no access leaves its buffer."""


@dataclass(frozen=True)
class Launch:
    """Runs a kernel on numbered buffers."""

    kernel: Kernel
    buffers: tuple[int, ...]


@dataclass(frozen=True)
class Copy:
    """Copies a buffer."""

    source: int
    target: int
    nbytes: int


@dataclass
class Program:
    """What a player needs to know. Numbers: inputs first, then outputs, constants, slots."""

    inputs: int
    outputs: list[int]  # bytes of each
    constants: list[bytes] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)  # bytes of each
    steps: list[Launch | Copy] = field(default_factory=list)
    donated: dict[int, int] = field(default_factory=dict)  # output -> input


def stored_size(type: MemRefType) -> int:
    """Bytes of a buffer on the device."""
    element = type.element_type
    return prod(type.get_shape()) * (2 if isinstance(element, Float16Type) else 4)


def constant_bytes(value: DenseIntOrFPElementsAttr) -> bytes:
    """The bytes of a constant as they lie on the device."""
    element = value.get_element_type()
    if element == IntegerType(1):
        return b"".join(struct.pack("<i", int(bool(v))) for v in value.get_values())
    if isinstance(element, IntegerType):
        return b"".join(struct.pack("<I", int(v) & 0xFFFFFFFF) for v in value.get_values())  # type: ignore[arg-type]
    code = "<f" if isinstance(element, Float32Type) else "<e"
    return b"".join(struct.pack(code, v) for v in value.get_values())


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
        program.constants.append(constant_bytes(op.value))
    first = len(args) + len(constants)
    for op in ops:
        match op:
            case AllocOp():
                slot = op.slot.value.data
                program.slots.extend([0] * (slot + 1 - len(program.slots)))
                program.slots[slot] = max(program.slots[slot], stored_size(op.result.type))  # type: ignore[arg-type]
                number[op.result] = first + slot
            case LaunchOp():
                kernel = kernels[op.kernel.string_value()]
                program.steps.append(Launch(kernel, tuple(number[v] for v in op.operands)))
            case CopyOp():
                program.steps.append(Copy(number[op.source], number[op.target], stored_size(op.source.type)))  # type: ignore[arg-type]
            case _:
                pass
    return program


def padded(nbytes: int) -> int:
    """A size that copies and writes of WebGPU take: a multiple of 4."""
    return -(-nbytes // 4) * 4


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
        self.pipelines = [
            backend.pipeline(s.kernel) if isinstance(s, Launch) and 0 not in s.kernel.grid else None
            for s in program.steps
        ]
        self.constants = [backend.upload(data) for data in program.constants]
        self.groups: dict[tuple[int, ...], tuple[list[Any], Any]] = {}

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
        try:
            borrowed = self._record(table)
        finally:
            for gpu_buffer in reversed(slots):
                pool.give(gpu_buffer)
        for gpu_buffer in borrowed:
            pool.give(gpu_buffer)
        for k in self.donate:
            args[k].delete()
        return outputs

    def _record(self, table: list[Any]) -> list[Any]:
        """Encodes all steps and submits them; gives the buffers borrowed for copies of inputs that an output would have overwritten."""
        encoder = self.backend.device.create_command_encoder()
        borrowed = self.encode(encoder, table)
        self.backend.queue.submit([encoder.finish()])
        return borrowed

    def encode(self, encoder: Any, table: Sequence[Any]) -> list[Any]:
        """Encodes all steps on numbered GPU buffers; gives the buffers that it borrowed."""
        borrowed: list[Any] = []
        compute = None
        for number, step in enumerate(self.program.steps):
            if isinstance(step, Copy):
                if compute is not None:
                    compute.end()
                    compute = None
                if table[step.source] is not table[step.target]:
                    encoder.copy_buffer_to_buffer(table[step.source], 0, table[step.target], 0, padded(step.nbytes))
                continue
            pipeline = self.pipelines[number]
            if pipeline is None:  # nothing to do: an array of size 0
                continue
            bound = [table[b] for b in step.buffers]
            if len({id(b) for b in bound}) < len(bound):
                if compute is not None:
                    compute.end()
                    compute = None
                bound = self._apart(encoder, step.kernel.access, bound, borrowed)
            if compute is None:
                compute = Recorder(encoder)
            compute.launch(pipeline.pipeline, self._group(number, pipeline, bound), step.kernel.grid)
        if compute is not None:
            compute.end()
        return borrowed

    def _apart(self, encoder: Any, access: Sequence[str], bound: list[Any], borrowed: list[Any]) -> list[Any]:
        """One dispatch may not both read and write a buffer through two bindings: what is read of it is copied first."""
        written = {id(b) for b, a in zip(bound, access, strict=True) if a != "read"}
        result = []
        for buffer, mode in zip(bound, access, strict=True):
            if mode == "read" and id(buffer) in written:
                copy = self.pool.take(buffer.size)
                borrowed.append(copy)
                encoder.copy_buffer_to_buffer(buffer, 0, copy, 0, buffer.size)
                buffer = copy
            result.append(buffer)
        return result

    def _group(self, number: int, pipeline: Any, bound: list[Any]) -> Any:
        key = (number, *map(id, bound))
        known = self.groups.get(key)
        if known is None:
            if len(self.groups) >= 16 * len(self.program.steps) + 64:
                self.groups.clear()
            entries = [
                {"binding": k, "resource": {"buffer": b, "offset": 0, "size": b.size}} for k, b in enumerate(bound)
            ]
            known = bound, self.backend.device.create_bind_group(layout=pipeline.layout, entries=entries)
            self.groups[key] = known
        return known[1]


def _handed_over(donor: Buffer) -> Buffer:
    """The donated buffer's memory under a new owner; the old one counts as deleted."""
    new = object.__new__(Buffer)
    new.pool, new.nbytes, new.held, new.is_deleted, new.gpu = donor.pool, donor.nbytes, donor.held, False, donor.gpu
    donor.is_deleted, donor.gpu = True, None
    return new

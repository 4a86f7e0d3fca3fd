"""Runs kernels written as text: one `kernel.func` becomes a program, a Wasm module, and a call in wasmtime."""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from math import prod

import numpy as np
import wasmtime
from xdsl.context import Context
from xdsl.dialects import arith, builtin, func, math
from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr
from xdsl.ir import Block, Region
from xdsl.parser import Parser

from weft.backends.wasm.engine import SharedMemory, Thread, make_engine
from weft.dialects.dtypes import from_type
from weft.dialects.kernel import Kernel
from weft.dialects.kernel.host import FuncOp, LaunchOp, ProgramOp
from weft.dialects.wasm.abi import Program
from weft.dialects.wasm.convert import from_op, to_op
from weft.dialects.wasm.encode import encode
from weft.passes.kernel_to_wasm import lower
from weft.passes.schedule.steps import Step, apply, parse_step

ENGINE = make_engine()


def parse(text: str) -> ModuleOp:
    """A module with the kernel of the text, and a program that launches it on its own arguments."""
    context = Context()
    for dialect in (builtin.Builtin, arith.Arith, math.Math, func.Func, Kernel):
        context.load_dialect(dialect)
    module = Parser(context, text).parse_module()
    kernel = next(op for op in module.body.block.ops if isinstance(op, FuncOp))
    types = [a.type for a in kernel.body.block.args]
    block = Block(arg_types=types)
    inputs = len(types) - kernel.outputs
    segments = {"operandSegmentSizes": builtin.DenseArrayBase.from_list(builtin.i32, [inputs, kernel.outputs])}
    block.add_op(
        LaunchOp.create(
            operands=list(block.args), properties={"kernel": SymbolRefAttr(kernel.sym_name.data), **segments}
        )
    )
    module.body.block.add_op(ProgramOp.make("main", Region(block), kernel.outputs))
    module.verify()
    return module


class Machine:
    """A program of one kernel in a memory of its own."""

    def __init__(self, text: str, schedule: Sequence[str | Step] = (), relaxed: bool = True):
        module = parse(text)
        kernel = next(op for op in module.body.block.ops if isinstance(op, FuncOp))
        if schedule:
            apply(kernel.nest, [parse_step(s) if isinstance(s, str) else s for s in schedule])
            kernel.nest.verify()
        self.types = [a.type for a in kernel.body.block.args]
        self.outputs = kernel.outputs
        self.wasm = lower(module, relaxed=relaxed)
        self.binary = encode(self.wasm)
        op = to_op(self.wasm)
        op.verify()
        assert encode(from_op(op)) == self.binary
        self.program = Program.of(self.wasm)
        self.module = wasmtime.Module(ENGINE, self.binary)
        self.memory = SharedMemory(ENGINE)
        place, self.places = 1024, []
        for type in self.types:
            self.places.append(place)
            place += -(-prod(type.get_shape()) * from_type(type.element_type).itemsize // 64) * 64 + 64
        self.memory.grow_to(place + self.program.arena)
        table = struct.pack(f"<{len(self.places) + 2}i", *self.places, place, 512)
        self.bytes = np.ctypeslib.as_array(self.memory.data_ptr(), (self.memory.data_len(),))
        self.bytes[64 : 64 + len(table)] = np.frombuffer(table, np.uint8)
        self.threads: list[Thread] = []

    def view(self, k: int) -> np.ndarray:
        """Buffer number k as an array over the machine's memory."""
        type = self.types[k]
        dtype, shape = np.dtype(from_type(type.element_type).name), type.get_shape()
        start = self.places[k]
        return self.bytes[start : start + prod(shape) * dtype.itemsize].view(dtype).reshape(shape)

    def prepare(self, nthreads: int = 1) -> None:
        while len(self.threads) < nthreads:
            self.threads.append(Thread(ENGINE, self.module, self.memory))
        for tid, thread in enumerate(self.threads[:nthreads]):
            thread.prepare((64, tid, nthreads))

    def call(self, nthreads: int = 1) -> None:
        """Runs the program on what the buffers hold."""
        if nthreads == 1:
            self.threads[0]()
            return
        workers = [threading.Thread(target=t) for t in self.threads[:nthreads]]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def __call__(self, *inputs: np.ndarray, into: Sequence[np.ndarray] = (), nthreads: int = 1) -> list[np.ndarray]:
        """The outputs for these inputs; `into`: what the outputs hold before."""
        for k, array in enumerate((*inputs, *into)):
            self.view(k)[...] = array
        if not into:
            for k in range(len(inputs), len(self.types)):
                self.bytes[self.places[k] :][: self.view(k).nbytes] = 0xA5
        self.prepare(nthreads)
        self.call(nthreads)
        return [self.view(k).copy() for k in range(len(self.types) - self.outputs, len(self.types))]


def run(
    text: str, *inputs: np.ndarray, schedule: Sequence[str] = (), into: Sequence[np.ndarray] = (), nthreads: int = 1
) -> list[np.ndarray]:
    return Machine(text, schedule)(*inputs, into=into, nthreads=nthreads)

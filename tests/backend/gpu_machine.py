"""Runs kernels written as text on the webgpu device: one `kernel.func` is scheduled, lowered, printed as WGSL and played."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from xdsl.dialects import builtin
from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr
from xdsl.ir import Block, Region
from xdsl.parser import Parser

from weft.backends.base import available, get_backend
from weft.backends.webgpu.backend import WebGpuBackend
from weft.dialects.array.node import aval
from weft.dialects.dtypes import from_type
from weft.dialects.kernel.host import FuncOp, LaunchOp, ProgramOp
from weft.dialects.universe import context
from weft.passes.kernel_to_gpu import KernelToGpuPass
from weft.passes.schedule.steps import Step, apply, parse_step

requires_webgpu = pytest.mark.skipif(
    "webgpu" not in os.environ.get("WEFT_TEST_DEVICES", "webgpu").split(","),
    reason="WEFT_TEST_DEVICES leaves webgpu out",
)


@cache
def device() -> WebGpuBackend:
    """The webgpu device; without one the test fails and says what to install."""
    reason = available()["webgpu"]
    assert reason is None, reason
    backend = get_backend("webgpu")
    assert isinstance(backend, WebGpuBackend)
    return backend


def parse(text: str) -> tuple[ModuleOp, FuncOp]:
    """A module with the kernel of the text, and a program that launches it on its own arguments."""
    module = Parser(context(), text).parse_module()
    kernel = next(op for op in module.body.block.ops if isinstance(op, FuncOp))
    types = [a.type for a in kernel.body.block.args]
    block = Block(arg_types=types)
    inputs = len(types) - kernel.outputs
    segments = {"operandSegmentSizes": builtin.DenseArrayBase.from_list(builtin.i32, [inputs, kernel.outputs])}
    launch = LaunchOp.create(
        operands=list(block.args), properties={"kernel": SymbolRefAttr(kernel.sym_name.data), **segments}
    )
    block.add_op(launch)
    module.body.block.add_op(ProgramOp.make("main", Region(block), kernel.outputs))
    module.verify()
    return module, kernel


def run(
    text: str,
    inputs: Sequence[np.ndarray],
    schedule: Sequence[str | Step] = (),
    initial: Sequence[np.ndarray | None] = (),
) -> list[np.ndarray]:
    """The outputs of the kernel on these inputs; `initial` are the contents of outputs that the kernel adds to."""
    backend = device()
    module, kernel = parse(text)
    if schedule:
        apply(kernel.nest, [parse_step(s) if isinstance(s, str) else s for s in schedule])
    types = [a.type for a in kernel.body.block.args]
    outputs = kernel.outputs
    KernelToGpuPass().apply(context(), module)
    module.verify()
    program = backend.load(module)
    avals = [aval(tuple(t.get_shape()), from_type(t.element_type)) for t in types]
    buffers = [backend.put(np.ascontiguousarray(x), a) for x, a in zip(inputs, avals, strict=False)]
    if initial:
        given = iter([backend.put(np.ascontiguousarray(x), avals[len(inputs)]) for x in initial if x is not None])
        program.program.donated = {0: len(inputs)}
        program.program.inputs += 1
        program.program.steps = [
            type(s)(s.kernel, tuple(b + (b >= len(inputs)) for b in s.buffers)) for s in program.program.steps
        ]
        program.donate = (len(inputs),)
        buffers.append(next(given))
    results = program(buffers)
    found = []
    for buffer, a in zip(results, avals[-outputs:], strict=True):
        found.append(np.frombuffer(backend.get(buffer, a), dtype=a.dtype.name).reshape(a.shape))
    return found

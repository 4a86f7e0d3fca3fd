"""Where a training step spends its time on the wasm device: every kernel of the MNIST convnet's step by itself, with its arithmetic rate and its traffic.

Each kernel of the compiled step is made a program of its own, run on random data, one thread, and timed (median of several). Rates count a multiply and an add of each
innermost point of a reduction; traffic counts each buffer once.

    python benchmarks/training_step.py [--batch 256] [--runs 5]
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from math import prod
from pathlib import Path
from statistics import median

import numpy as np
from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr, TensorType
from xdsl.ir import Block, Region
from xdsl.parser import Parser

import weft
from weft import random
from weft.backends.base import get_backend
from weft.dialects.array.node import aval
from weft.dialects.array.params import aval_of
from weft.dialects.kernel.host import FuncOp, LaunchOp, ProgramOp
from weft.dialects.kernel.ops import ReduceOp
from weft.dialects.universe import context
from weft.passes.kernel_apply_schedule import KernelApplySchedulePass
from weft.passes.kernel_schedule import KernelSchedulePass
from weft.passes.kernel_to_wasm import lower

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from classifier import convnet, cross_entropy, init_convnet


def alone(func: FuncOp) -> ModuleOp:
    """A module with one kernel and a program that launches it."""
    func = func.clone()
    block = Block(arg_types=func.function_type.inputs.data)
    count = len(block.args) - func.outputs
    name = func.sym_name.data
    block.add_op(
        LaunchOp.build(operands=[block.args[:count], block.args[count:]], properties={"kernel": SymbolRefAttr(name)})
    )
    program = ProgramOp.make("main", Region(block), func.outputs)
    from xdsl.dialects.builtin import IntegerAttr

    program.attributes["arena"] = IntegerAttr(0, 64)
    return ModuleOp([func, program])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    weft.set_default_device("wasm")
    backend = get_backend("wasm")
    backend.num_threads = 1
    rng = np.random.default_rng(0)
    step = weft.jit(weft.value_and_grad(partial(cross_entropy, convnet)))
    batch = (rng.standard_normal((args.batch, 28, 28), np.float32), rng.integers(0, 10, args.batch).astype(np.int32))
    text = step.lower(init_convnet(random.key(0), 28), *batch).as_text("kernel")
    ctx = context()
    module = Parser(ctx, text).parse_module()
    total = 0.0
    for func in [op for op in module.ops if isinstance(op, FuncOp)]:
        axes = str(func.nest.axes)
        points = prod(a.extent for a in func.nest.axes.data)
        reduces = sum(isinstance(op, ReduceOp) for op in func.nest.block.ops)
        program = alone(func)
        for each in (KernelSchedulePass("wasm"), KernelApplySchedulePass()):
            each.apply(ctx, program)
        executable = backend.load(lower(program))
        avals = [aval_of(TensorType(t.element_type, t.get_shape())) for t in func.function_type.inputs.data]
        count = len(avals) - func.outputs
        buffers = [backend.put(np.ones(a.shape, a.dtype.name), aval(a.shape, a.dtype)) for a in avals[:count]]
        seconds = []
        for _ in range(args.runs):
            start = time.perf_counter()
            executable(buffers)
            seconds.append(time.perf_counter() - start)
        taken = median(seconds)
        total += taken
        traffic = sum(a.nbytes for a in avals)
        print(
            f"{func.sym_name.data:5} {taken * 1e3:9.3f} ms {2 * reduces * points / taken / 1e9:8.2f} GFLOP/s {traffic / taken / 1e9:7.2f} GB/s  {axes}"
        )
    print(f"all   {total * 1e3:9.3f} ms")


if __name__ == "__main__":
    main()

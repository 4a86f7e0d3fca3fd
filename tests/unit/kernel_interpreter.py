"""Runs kernel-level IR in NumPy: a function of nests on tensors, or a planned program, whose arena is laid out for real, so that a wrong plan gives wrong numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp
from xdsl.dialects.func import FuncOp as TensorFuncOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, SSAValue

from weft.dialects.dtypes import from_type
from weft.dialects.kernel.host import AllocOp, ConstantOp, CopyOp, FuncOp, LaunchOp, ProgramOp
from weft.dialects.kernel.ops import EmptyOp, NestOp

sys.path.append(str(Path(__file__).parent.parent / "rules"))
from nest_machine import Machine


def numpy_dtype(type: Attribute) -> np.dtype:
    return np.dtype(from_type(type.element_type).name)  # type: ignore[attr-defined]


def garbage(type: Attribute) -> np.ndarray:
    """What memory that nobody has written may hold."""
    dtype, shape = numpy_dtype(type), type.get_shape()  # type: ignore[attr-defined]
    return np.frombuffer(b"\x01" * (prod(shape) * dtype.itemsize), dtype).reshape(shape).copy()


def literal(value: DenseIntOrFPElementsAttr, type: Attribute) -> np.ndarray:
    return np.array(value.get_values()).astype(numpy_dtype(type)).reshape(type.get_shape())  # type: ignore[attr-defined]


def run_function(module: ModuleOp, *arrays: np.ndarray) -> list[np.ndarray]:
    """The results of the first function, of nests on tensors."""
    func = next(op for op in module.body.block.ops if isinstance(op, TensorFuncOp))
    env: dict[SSAValue, np.ndarray] = dict(zip(func.body.block.args, arrays, strict=True))
    for op in func.body.block.ops:
        if isinstance(op, EmptyOp):
            env[op.result] = garbage(op.result.type)
        elif isinstance(op, NestOp):
            outs = [env[v].copy() for v in op.outs]
            Machine(op, [*(env[v] for v in op.ins), *outs])
            env |= dict(zip(op.results, outs, strict=True))
        elif isinstance(op, ReturnOp):
            return [env[v] for v in op.operands]
        else:
            value = op.properties["value"]
            assert isinstance(value, DenseIntOrFPElementsAttr), f"unexpected {op}"
            env[op.results[0]] = literal(value, op.results[0].type)
    raise AssertionError("the function does not return")


def run_program(module: ModuleOp, *arrays: np.ndarray) -> list[np.ndarray]:
    """The outputs of the program. Arguments that it takes as donated are the buffers of its results, and its own buffers lie where the plan puts them."""
    ops = list(module.body.block.ops)
    kernels = {op.sym_name.data: op for op in ops if isinstance(op, FuncOp)}
    program = next(op for op in ops if isinstance(op, ProgramOp))
    block = program.body.block
    inputs = [a.copy() for a in arrays]
    outputs = [garbage(a.type) for a in block.args[len(arrays) :]]
    pairs = program.attributes.get("donated")
    flat = list(pairs.get_values()) if pairs is not None else []  # type: ignore[attr-defined]
    for out, given in zip(flat[::2], flat[1::2], strict=True):
        outputs[out] = inputs[given]
    env: dict[SSAValue, np.ndarray] = dict(zip(block.args, [*inputs, *outputs], strict=True))
    arena = np.ones(program.attributes["arena"].value.data, np.uint8)  # type: ignore[attr-defined]
    slots: dict[int, np.ndarray] = {}
    by_slot = any(op.slot.value.data for op in block.ops if isinstance(op, AllocOp))
    for op in block.ops:
        if isinstance(op, AllocOp):
            dtype, shape = numpy_dtype(op.result.type), op.result.type.get_shape()
            size = prod(shape) * dtype.itemsize
            if by_slot:
                place = slots.setdefault(op.slot.value.data, np.ones(1 << 16, np.uint8))[:size]
            else:
                place = arena[op.offset.value.data : op.offset.value.data + size]
            env[op.result] = place.view(dtype).reshape(shape)
        elif isinstance(op, ConstantOp):
            env[op.result] = literal(op.value, op.result.type)
        elif isinstance(op, CopyOp):
            env[op.target][...] = env[op.source]
        elif isinstance(op, LaunchOp):
            launch(kernels[op.kernel.root_reference.data], [env[v] for v in op.operands])
    return outputs


def launch(kernel: FuncOp, buffers: Sequence[np.ndarray]) -> None:
    """Runs a kernel. It may see a buffer in another shape."""
    args = kernel.body.block.args
    env = {a: b.reshape(a.type.get_shape()) for a, b in zip(args, buffers, strict=True)}  # type: ignore[attr-defined]
    for nest in kernel.body.block.ops:
        assert isinstance(nest, NestOp)
        Machine(nest, [env[v] for v in nest.operands])

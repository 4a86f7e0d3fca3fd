"""Runs array programs op by op. No fusion, no cleverness: `reference` rules on NumPy arrays, so that a disagreement with another device points at that device.

Every result is held against the op's type: a rule whose NumPy gives another shape is an error here, another dtype is rounded to the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import SSAValue

from weft.backends.base import Backend, Buffer, Executable
from weft.dialects.array.graph import Graph, expand
from weft.dialects.array.node import Aval, Node, ResultOp
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.params import aval_of
from weft.dialects.dtypes import bfloat16

Step = tuple[str, Callable[..., Any], list[int], dict[str, Any], list[int], list[Aval]]
"""An op's name and rule, the numbers of its operands, its parameters, the numbers of its results and their avals."""


class NumpyBuffer(Buffer):
    """An array of NumPy's."""

    device = "cpu"

    def __init__(self, array: np.ndarray, backend: NumpyBackend):
        self.array: np.ndarray | None = array
        self.nbytes = array.nbytes
        self._backend = backend
        backend.live += self.nbytes

    def delete(self) -> None:
        if not self.is_deleted:
            self.array, self.is_deleted = None, True
            self._backend.live -= self.nbytes

    __del__ = delete

    def read(self) -> np.ndarray:
        """The array. Raises RuntimeError if it has been deleted or donated."""
        if self.array is None:
            raise RuntimeError("Array has been deleted.")
        return self.array


class NumpyBackend(Backend):
    """The device `cpu`."""

    name = "cpu"

    def __init__(self) -> None:
        self.live = 0

    @property
    def description(self) -> str:
        return f"NumPy {np.__version__}, the oracle that other devices are held against"

    def compile(self, module: ModuleOp, donate: tuple[int, ...] = (), key: object = None) -> NumpyExecutable:
        return NumpyExecutable(self, module, donate)

    def put(self, data: Any, aval: Aval) -> NumpyBuffer:
        array = np.frombuffer(data, _dtype(aval)) if aval.size else np.empty(0, _dtype(aval))
        return NumpyBuffer(array.reshape(aval.shape).copy(), self)

    def get(self, buffer: NumpyBuffer, aval: Aval) -> memoryview:
        return np.ascontiguousarray(buffer.read()).reshape(-1).view(np.uint8).data

    def live_bytes(self) -> int:
        return self.live


class NumpyExecutable(Executable):
    """A function of array ops, taken apart once into a list of steps."""

    def __init__(self, backend: NumpyBackend, module: ModuleOp, donate: tuple[int, ...]):
        self.backend, self.donate = backend, donate
        self.stages = {"array": lambda: str(module)}
        block = _main(module).body.block
        number: dict[SSAValue, int] = {}

        def new(values: Sequence[SSAValue]) -> list[int]:
            return [number.setdefault(v, len(number)) for v in values]

        self.inputs = new(block.args)
        self.steps: list[Step] = []
        for op in block.ops:
            if isinstance(op, ReturnOp):
                self.outputs = [number[o] for o in op.operands]
            elif isinstance(op, ArrayOp):
                operands = [number[o] for o in op.operands]
                avals = [aval_of(r.type) for r in op.results]
                self.steps.append((op.name, op.reference, operands, op.params_of(op), new(op.results), avals))
            else:
                raise NotImplementedError(f"the cpu backend runs operations of the array dialect, got {op.name}")
        self._last_use = _last_uses(self.steps, self.outputs)

    def __call__(self, args: Sequence[NumpyBuffer]) -> list[NumpyBuffer]:
        if len(args) != len(self.inputs):
            raise TypeError(f"the program takes {len(self.inputs)} arguments, got {len(args)}")
        values: dict[int, np.ndarray] = {i: a.read() for i, a in zip(self.inputs, args, strict=True)}
        with np.errstate(all="ignore"):
            for (name, rule, operands, params, results, avals), dead in zip(self.steps, self._last_use, strict=True):
                out = rule(np, *(values[i] for i in operands), **params)
                values.update(zip(results, fit(name, out, avals), strict=True))
                for i in dead:
                    del values[i]
        outs = [values[i] for i in self.outputs]
        for i in self.donate:
            args[i].delete()
        return [NumpyBuffer(o, self.backend) for o in outs]


def _main(module: ModuleOp) -> FuncOp:
    for op in module.body.block.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == "main":
            return op
    raise ValueError("the module has no func.func @main")


def _last_uses(steps: Sequence[Step], outputs: Sequence[int]) -> list[list[int]]:
    """For each step the values that nobody needs after it, so that a long program does not hold all of its intermediates."""
    seen = set(outputs)
    dead: list[list[int]] = []
    for _, _, operands, _, results, _ in reversed(steps):
        dying = {*operands, *results} - seen
        seen |= dying
        dead.append(sorted(dying))
    return dead[::-1]


def _dtype(aval: Aval) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if aval.dtype is bfloat16 else aval.dtype.name)


def fit(name: str, out: Any, avals: Sequence[Aval]) -> list[np.ndarray]:
    """What a `reference` rule gave, as arrays of the result's dtypes. Raises ValueError if a shape is not the result's."""
    arrays = [
        np.asarray(o, _dtype(a)) for o, a in zip(out if isinstance(out, (tuple, list)) else (out,), avals, strict=True)
    ]
    for array, a in zip(arrays, avals, strict=True):
        if array.shape != a.shape:
            raise ValueError(f"{name}: the reference rule gave shape {array.shape}, but the result is {a}")
    return arrays


def evaluate(graph: Graph, *args: Any) -> list[np.ndarray]:
    """The outputs of a graph, played directly from its nodes. Leaves with a NumPy array for a value are constants."""
    graph = expand(graph)
    env: dict[Node, Any] = {n: np.asarray(a, _dtype(n.aval)) for n, a in zip(graph.ins, args, strict=True)}
    with np.errstate(all="ignore"):
        for n in graph.nodes:
            if n.op is ResultOp:
                env[n] = env[n.inputs[0]][n.params["index"]]
            elif not n.inputs and n.value is not None:
                env[n] = np.asarray(n.value, _dtype(n.aval))
            else:
                out = n.op.reference(np, *(env[i] for i in n.inputs), **n.params)
                several = isinstance(n.aval, tuple)
                arrays = fit(n.op.name, out, n.aval if several else (n.aval,))
                env[n] = arrays if several else arrays[0]
    return [env[o] for o in graph.outs]

"""Runs array programs op by op. No fusion, no cleverness: `reference` rules on NumPy arrays, so that a disagreement with another device points at that device.

Every result is held against the op's type: a rule whose NumPy gives another shape is an error here, another dtype is rounded to the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from weft.backends.base import Backend, Buffer, Executable
from weft.dialects.array.graph import Graph, expand, programs
from weft.dialects.array.node import Aval, IdentityOp, Node, ResultOp
from weft.dialects.array.stage import unstage
from weft.dialects.dtypes import bfloat16

Step = tuple[str, Callable[..., Any], list[int], dict[str, Any], list[int], tuple[Aval, ...]]
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
    """A function of array ops."""

    def __init__(self, backend: NumpyBackend, module: ModuleOp, donate: tuple[int, ...]):
        self.backend, self.donate = backend, donate
        self.stages = {"array": lambda: str(module)}
        self.player = Player(unstage(_main(module)))

    def __call__(self, args: Sequence[NumpyBuffer]) -> list[NumpyBuffer]:
        count = len(self.player.inputs)
        if len(args) != count:
            raise TypeError(f"the program takes {count} arguments, got {len(args)}")
        with np.errstate(all="ignore"):
            outs = self.player(*(a.read() for a in args))
        for i in self.donate:
            args[i].delete()
        return [NumpyBuffer(o, self.backend) for o in outs]


class Player:
    """A graph taken apart once into a list of steps; a call plays them. The programs of loops and branches are players too: their `reference` rules just call them."""

    def __init__(self, graph: Graph):
        self.out_avals = graph.out_avals
        number: dict[Node, int] = {n: k for k, n in enumerate(graph.ins)}
        results: dict[Node, list[int]] = {}
        self.inputs = list(range(len(graph.ins)))
        self.constants: dict[int, np.ndarray] = {}
        self.steps: list[Step] = []
        count = len(number)
        for n in graph.nodes:
            if n.op is ResultOp:
                number[n] = results[n.inputs[0]][n.params["index"]]
                continue
            if n.op is IdentityOp:
                number[n] = number[n.inputs[0]]
                continue
            outs = results[n] = list(range(count, count + len(n.avals)))
            count += len(outs)
            if len(outs) == 1:
                number[n] = outs[0]
            if not n.inputs and n.value is not None:
                self.constants[outs[0]] = np.asarray(n.value, _dtype(n.aval))
                continue
            params = {k: _playable(v) for k, v in n.params.items()} if programs(n) else n.params
            self.steps.append((n.op.name, n.op.reference, [number[i] for i in n.inputs], params, outs, n.avals))
        self.outputs = [number[o] for o in graph.outs]
        self._last_use = _last_uses(self.steps, self.outputs)

    def __call__(self, *args: Any) -> list[np.ndarray]:
        values: dict[int, np.ndarray] = {**dict(enumerate(args)), **self.constants}
        for (name, rule, operands, params, results, avals), dead in zip(self.steps, self._last_use, strict=True):
            out = rule(np, *(values[i] for i in operands), **params)
            values.update(zip(results, fit(name, out, avals), strict=True))
            for i in dead:
                del values[i]
        return [values[i] for i in self.outputs]


def _playable(value: Any) -> Any:
    if value.__class__ is Graph:
        return Player(value)
    return tuple([_playable(v) for v in value]) if value.__class__ is tuple else value


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
    with np.errstate(all="ignore"):
        return Player(graph)(*(np.asarray(a, _dtype(n.aval)) for n, a in zip(graph.ins, args, strict=True)))

"""Nests as text, for the tests of kernel-to-wasm, and what runs one by the schedule that the compiler chooses."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_machine import Machine, parse

from weft.dialects.kernel.host import FuncOp
from weft.passes.schedule.wasm import choose

RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "float32") -> np.ndarray:
    return RNG.standard_normal(shape).astype(dtype)


def kernel(axes: str, ins: dict[str, str], outs: dict[str, str], body: str) -> str:
    """A kernel of one nest: buffers by name and type (8x4xf32), without the memref<> that `@` stands for in the body."""

    def types(text: str) -> str:
        for name, type in (ins | outs).items():
            text = text.replace(f"@{name}", f"memref<{type}>")
        return text

    arguments = [", ".join(f"%{n} : memref<{t}>" for n, t in group.items()) for group in (ins, outs)]
    bound = [", ".join(f"%{n}_ = %{n} : memref<{t}>" for n, t in group.items()) for group in (ins, outs)]
    return (
        f"kernel.func @k({arguments[0]}) -> ({arguments[1]}) {{\n"
        f"  kernel.nest [{axes}] ins({bound[0]}) outs({bound[1]}) {{\n{types(body)}\n  }}\n}}"
    )


def elementwise(op: str, n: int = 37, type: str = "f32", result: str | None = None, operands: int = 1) -> str:
    """`op` of vectors of length n."""
    names = ["x", "y", "z"][:operands]
    out = result or type
    loads = "\n".join(f"    %v{name} = kernel.load %{name}_[i] : @{name}" for name in names)
    element = type.replace("ui", "i")
    args = ", ".join(f"%v{name}" for name in names)
    arrow = f"{element} to {out.replace('ui', 'i')}" if result else element
    return kernel(
        f"i: par {n}",
        {name: f"{n}x{type}" for name in names},
        {"o": f"{n}x{out}"},
        f"{loads}\n    %r = {op} {args} : {arrow}\n    kernel.store %r, %o_[i] : @o",
    )


def reduction(kind: str, type: str = "f32", m: int = 5, n: int = 23) -> str:
    return kernel(
        f"i: par {m}, j: red {n}",
        {"x": f"{m}x{n}x{type}"},
        {"o": f"{m}x{type}"},
        f"%0 = kernel.load %x_[i, j] : @x\n %1 = kernel.reduce {kind} %0 over [j] : {type}\n kernel.store %1, %o_[i] : @o",
    )


def matmul(m: int, n: int, k: int) -> str:
    return kernel(
        f"i: par {m}, j: par {n}, k: red {k}",
        {"x": f"{m}x{k}xf32", "y": f"{k}x{n}xf32"},
        {"o": f"{m}x{n}xf32"},
        """%0 = kernel.load %x_[i, k] : @x
           %1 = kernel.load %y_[k, j] : @y
           %2 = arith.mulf %0, %1 : f32
           %3 = kernel.reduce add %2 over [k] : f32
           kernel.store %3, %o_[i, j] : @o""",
    )


SOFTMAX = kernel(
    "i: par 5, j: red 23",
    {"x": "5x23xf32"},
    {"o": "5x23xf32"},
    """%0 = kernel.load %x_[i, j] : @x
       %1 = kernel.reduce max %0 over [j] : f32
       %2 = arith.subf %0, %1 : f32
       %3 = math.exp %2 : f32
       %4 = kernel.reduce add %3 over [j] : f32
       %5 = arith.divf %3, %4 : f32
       kernel.store %5, %o_[i, j] : @o""",
)
VECTOR = ("split i 4", "level i1 lane", "level i0 grid")
WIDE = ("split i 16", "split i1 4", "level i11 lane", "level i10 reg", "level i0 grid")
SCHEDULES = pytest.mark.parametrize("schedule", [(), VECTOR, WIDE], ids=["none", "lanes", "registers"])


def chosen(text: str, *inputs: np.ndarray, nthreads: int = 1) -> list[np.ndarray]:
    """Runs a kernel with the schedule that weft chooses for it."""
    nest = next(op for op in parse(text).body.block.ops if isinstance(op, FuncOp)).nest
    return Machine(text, choose(nest))(*inputs, nthreads=nthreads)

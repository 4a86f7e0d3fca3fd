"""Speed of single kernels on one Wasm thread, as the general emitter and the chosen schedules make them, beside NumPy and this machine's own ceilings.

`python benchmarks/wasm_kernels.py`. The ceilings are measured in the same run: fused multiply-adds in registers, and the copy of an array far larger than the caches.
Columns: the best and the median of several calls; NumPy's best; milliseconds to compile (schedule, lower, encode, the engine).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import wasmtime

from weft.dialects.kernel.host import FuncOp
from weft.dialects.wasm.abi import Program, program_module
from weft.dialects.wasm.encode import encode
from weft.passes.kernel_to_wasm import lower
from weft.passes.schedule.steps import apply
from weft.passes.schedule.wasm import choose

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "backend"))
from kernel_machine import ENGINE, Machine, SharedMemory, Thread, parse

RNG = np.random.default_rng(0)


def best(call: Callable[[], object], seconds: float = 0.6) -> tuple[float, float]:
    """The least and the median time of a call, in seconds."""
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return min(times), sorted(times)[len(times) // 2]


def fma_ceiling() -> float:
    """GFLOP/s of ten independent chains of multiply-adds."""
    rounds, chains = 5_000_000, 10
    module, b = program_module()
    x = b.const_v128("f32x4", 1.0000001)
    with b.loop(b.const_i32(0), *(b.const_v128("f32x4", float(k)) for k in range(chains))) as loop:
        index, *sums = loop.args
        sums = [b.inst("f32x4.relaxed_madd", s, x, x) for s in sums]
        following = b.inst("i32.add", index, b.const_i32(1))
        b.continue_if(b.inst("i32.lt_u", following, b.const_i32(rounds)), following, *sums)
        b.yield_(*sums)
    for k, total in enumerate(loop.results):
        b.store("v128.store", b.args[0], total, 16 * k)
    b.return_()
    Program([], []).store(module.module)
    thread = Thread(ENGINE, wasmtime.Module(ENGINE, encode(module.module)), SharedMemory(ENGINE))
    thread.prepare((1024, 0, 1))
    return rounds * chains * 8 / best(thread)[0] / 1e9


def copy_ceiling() -> float:
    """GB/s, read and written, of NumPy's copy of 64 MB."""
    source = np.ones(1 << 24, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / best(lambda: np.copyto(target, source))[0] / 1e9


def nest(axes: str, ins: dict[str, str], outs: dict[str, str], body: str) -> str:
    """A kernel of one nest; `@x` stands for the type of buffer x."""
    arguments = [", ".join(f"%{n} : memref<{t}>" for n, t in group.items()) for group in (ins, outs)]
    bound = [", ".join(f"%{n}_ = %{n} : memref<{t}>" for n, t in group.items()) for group in (ins, outs)]
    for name, type in (ins | outs).items():
        body = body.replace(f"@{name}", f"memref<{type}>")
    return f"kernel.func @k({arguments[0]}) -> ({arguments[1]}) {{ kernel.nest [{axes}] ins({bound[0]}) outs({bound[1]}) {{\n{body}\n}} }}"


def matmul(m: int, k: int, n: int) -> str:
    return nest(
        f"i: par {m}, j: par {n}, k: red {k}",
        {"x": f"{m}x{k}xf32", "y": f"{k}x{n}xf32"},
        {"o": f"{m}x{n}xf32"},
        """%0 = kernel.load %x_[i, k] : @x
        %1 = kernel.load %y_[k, j] : @y
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [k] : f32
        kernel.store %3, %o_[i, j] : @o""",
    )


def dense(m: int, k: int, n: int) -> str:
    """relu(x @ y + b)."""
    return nest(
        f"i: par {m}, j: par {n}, k: red {k}",
        {"x": f"{m}x{k}xf32", "y": f"{k}x{n}xf32", "b": f"{n}xf32"},
        {"o": f"{m}x{n}xf32"},
        """%0 = kernel.load %x_[i, k] : @x
        %1 = kernel.load %y_[k, j] : @y
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [k] : f32
        %4 = kernel.load %b_[j] : @b
        %5 = arith.addf %3, %4 : f32
        %zero = arith.constant 0.0 : f32
        %6 = arith.maximumf %5, %zero : f32
        kernel.store %6, %o_[i, j] : @o""",
    )


def row_sums(m: int, n: int) -> str:
    return nest(
        f"i: par {m}, j: red {n}",
        {"x": f"{m}x{n}xf32"},
        {"o": f"{m}xf32"},
        """%0 = kernel.load %x_[i, j] : @x
        %1 = kernel.reduce add %0 over [j] : f32
        kernel.store %1, %o_[i] : @o""",
    )


def pool(size: int) -> str:
    """The greatest of each 2 by 2."""
    return nest(
        f"i: par {size}, j: par {size}, p: red 2, q: red 2",
        {"x": f"{2 * size}x{2 * size}xf32"},
        {"o": f"{size}x{size}xf32"},
        """%0 = kernel.load %x_[i * 2 + p, j * 2 + q] : @x
        %1 = kernel.reduce max %0 over [p, q] : f32
        kernel.store %1, %o_[i, j] : @o""",
    )


def conv(channels: int, out: int, size: int, pad: int) -> str:
    result = size + 2 * pad - 2
    inside = f" if (0 <= y + p - {pad} < {size}, 0 <= x + q - {pad} < {size})" if pad else ""
    return nest(
        f"o: par {out}, y: par {result}, x: par {result}, c: red {channels}, p: red 3, q: red 3",
        {"a": f"{channels}x{size}x{size}xf32", "w": f"{out}x{channels}x3x3xf32"},
        {"r": f"{out}x{result}x{result}xf32"},
        f"""%0 = kernel.load %a_[c, y + p - {pad}, x + q - {pad}]{inside} : @a
        %1 = kernel.load %w_[o, c, p, q] : @w
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [c, p, q] : f32
        kernel.store %3, %r_[o, y, x] : @r""",
    )


SOFTMAX = nest(
    "i: par 1024, j: red 1024",
    {"x": "1024x1024xf32"},
    {"o": "1024x1024xf32"},
    """%0 = kernel.load %x_[i, j] : @x
    %1 = kernel.reduce max %0 over [j] : f32
    %2 = arith.subf %0, %1 : f32
    %3 = math.exp %2 : f32
    %4 = kernel.reduce add %3 over [j] : f32
    %5 = arith.divf %3, %4 : f32
    kernel.store %5, %o_[i, j] : @o""",
)

GELU = nest(
    "i: par 1048576",
    {"x": "1048576xf32"},
    {"o": "1048576xf32"},
    """%c = arith.constant 0.044715 : f32
    %one = arith.constant 1.0 : f32
    %scale = arith.constant -1.5957691216 : f32
    %0 = kernel.load %x_[i] : @x
    %1 = arith.mulf %0, %0 : f32
    %2 = arith.mulf %1, %0 : f32
    %3 = arith.mulf %2, %c : f32
    %4 = arith.addf %0, %3 : f32
    %5 = arith.mulf %4, %scale : f32
    %6 = math.exp %5 : f32
    %7 = arith.addf %6, %one : f32
    %8 = arith.divf %0, %7 : f32
    kernel.store %8, %o_[i] : @o""",
)

N = 1 << 24
AXPY = nest(
    f"i: par {N}",
    {n: f"{N}xf32" for n in "abc"},
    {"o": f"{N}xf32"},
    """%0 = kernel.load %a_[i] : @a
    %1 = kernel.load %b_[i] : @b
    %2 = kernel.load %c_[i] : @c
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %3, %2 : f32
    kernel.store %4, %o_[i] : @o""",
)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    return np.float32(0.5) * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))


def compile_time(text: str) -> tuple[float, float, float, float]:
    """Milliseconds to schedule, lower, encode and to compile in the engine: the best of several."""
    rows = []
    for _ in range(7):
        module = parse(text)
        kernel = next(op for op in module.body.block.ops if isinstance(op, FuncOp))
        times = [time.perf_counter()]
        apply(kernel.nest, choose(kernel.nest))
        times.append(time.perf_counter())
        wasm = lower(module)
        times.append(time.perf_counter())
        binary = encode(wasm)
        times.append(time.perf_counter())
        wasmtime.Module(ENGINE, binary)
        times.append(time.perf_counter())
        rows.append([(b - a) * 1e3 for a, b in pairwise(times)])
    return tuple(min(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]


def report(name: str, text: str, work: float, unit: str, numpy: Callable[..., object] | None = None) -> None:
    kernel = next(op for op in parse(text).body.block.ops if isinstance(op, FuncOp))
    machine = Machine(text, choose(kernel.nest))
    inputs = [RNG.standard_normal(t.get_shape()).astype("float32") for t in machine.types[: -machine.outputs]]
    machine(*inputs)
    fast, median = best(machine.call)
    beside = f"{best(lambda: numpy(*inputs))[0] * 1e3:8.2f}" if numpy is not None else "       –"
    parts = compile_time(text)
    detail = " + ".join(f"{p:.1f}" for p in parts)
    print(
        f"{name:26} {work / fast / 1e9:7.1f} {work / median / 1e9:7.1f} {unit:7} {fast * 1e3:8.2f} ms {beside}    {sum(parts):5.1f} ms = {detail}"
    )


def main() -> None:
    print(f"ceilings: {fma_ceiling():.1f} GFLOP/s (multiply-add), {copy_ceiling():.1f} GB/s (copy)")
    print(
        f"{'':26} {'best':>7} {'median':>7} {'':7} {'time':>8}    {'NumPy':>8}    compiling: schedule + lower + encode + engine"
    )
    report("matmul 1024", matmul(1024, 1024, 1024), 2 * 1024**3, "GFLOP/s", np.matmul)
    report("matmul 1000x1003x1000", matmul(1000, 1003, 1000), 2 * 1000 * 1003 * 1000, "GFLOP/s", np.matmul)
    report(
        "the same, + bias, relu",
        dense(1000, 1003, 1000),
        2 * 1000 * 1003 * 1000,
        "GFLOP/s",
        lambda x, y, b: np.maximum(x @ y + b, 0),
    )
    report("conv 3x3 64→64, 56²", conv(64, 64, 58, 0), 2 * 64 * 64 * 9 * 56 * 56, "GFLOP/s")
    report("the same, padded", conv(64, 64, 56, 1), 2 * 64 * 64 * 9 * 56 * 56, "GFLOP/s")
    report("softmax 1024²", SOFTMAX, 2 * 4 * 1024**2, "GB/s", softmax)
    report("gelu 1M", GELU, 2 * 4 * 1024**2, "GB/s", gelu)
    report("sums of rows, 4096²", row_sums(4096, 4096), 4 * 4096**2, "GB/s", lambda x: x.sum(1))
    report(
        "greatest of 2x2, 4096²", pool(2048), 5 * 2048**2 * 4, "GB/s", lambda x: x.reshape(2048, 2, 2048, 2).max((1, 3))
    )
    report("a * b + c, 16M", AXPY, 16 * N, "GB/s", lambda a, b, c: a * b + c)
    print(f"ceilings: {fma_ceiling():.1f} GFLOP/s (multiply-add), {copy_ceiling():.1f} GB/s (copy)")


if __name__ == "__main__":
    main()

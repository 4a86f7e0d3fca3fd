"""Speed of single kernels on the webgpu device, from the general emitter and the chosen schedules, beside what the card copies in the same time, and beside torch where it has that card.

`python benchmarks/webgpu_kernels.py [--small] [NAME …]`. `us` is the time on the device: the difference between 2n and n runs recorded into one submission, the median of five. `call us` is
the same of n calls from Python, each its own submission; `torch us` is torch's, between two events. Data is random. Bytes are those that must move: each input read once, each output written
once. `--small` takes sizes that a software driver finishes, to see that all run; on such a driver it is the default, and the figures say nothing of speed.

Measured on an NVIDIA H200 (driver 580, wgpu 0.32 through Vulkan; a copy moves 4.19 TB/s), beside torch 2.11 on the same card in the same run, TF32 off:

    matmul 4096           42.2 TFLOP/s, 0.86 of cuBLAS (with bounds checks 36.0); 4095: 38.2; 1024: 37.2, cuBLAS 28.9
    128 x 16384 x 128     24.0 TFLOP/s (cuBLAS 16): pieces of the sum, and their sum
    conv 3x3              29.3 TFLOP/s, 1.1 of cuDNN (with bounds checks 22.7)
    its weights' gradient 29.1 TFLOP/s (cuDNN 22)
    1 x 4096 by 4096**2   2.7 TB/s (1.7)              8 x 4096 by 4096**2  2.1 TB/s (1.0)
    softmax 8192 x 8192   4.0 TB/s (torch 1.8)        8191 x 8191          3.8 TB/s (1.8)
    sum 2**26             4.2 TB/s (3.2)              2**26 + 5            4.1 TB/s (3.5)
    gelu 2**26            4.1 TB/s (3.9)              column sum 8192**2   4.1 TB/s (2.6)
    transpose 8192**2     4.1 TB/s (1.1)              8191**2              2.7 TB/s (1.0)
    layernorm 8192**2     4.1 TB/s                    a * b + c, 2**26     4.4 TB/s
    1,000 steps of a recurrence of 64 units: 1.3 us a step in one kernel; launched one by one, 37
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from weft import lax
from weft import numpy as jnp
from weft.array import Array
from weft.backends.base import get_backend
from weft.backends.webgpu.player import COMMANDS, Player
from weft.dialects.array import ops
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import Node, aval, bind, leaf
from weft.dialects.array.stage import stage
from weft.dialects.dtypes import float32


class Case(NamedTuple):
    """A program: its input shapes, what it computes, how many floating point operations that is (0: memory is the limit), and how torch says it."""

    shapes: list[tuple[int, ...]]
    compute: Callable[..., Any]
    flops: int = 0
    peer: Callable[..., Any] | None = None


def dot(a: Node, b: Node) -> Any:
    return bind(ops.DotOp, a, b, contract=((1,), (0,)), batch=((), ()), preferred=None)


def conv(x: Node, w: Node) -> Any:
    one = (1, 1)
    params = {"window_strides": one, "padding": (one, one), "lhs_dilation": one, "rhs_dilation": one}
    return bind(ops.ConvOp, x, w, **params, feature_group_count=1, batch_group_count=1)


def transposed(x: Node, *permutation: int) -> Any:
    return bind(ops.TransposeOp, x, permutation=permutation)


def weights(x: Node, g: Node) -> Any:
    """The gradient of a convolution's weights: images and channels change places."""
    return transposed(conv(transposed(x, 1, 0, 2, 3), transposed(g, 1, 0, 2, 3)), 1, 0, 2, 3)


def sums(x: Node, axes: tuple[int, ...]) -> Any:
    return bind(ops.ReduceOp, x, kind="add", axes=axes)


def recurrence(h: Node, xs: Node, w: Node) -> Any:
    """A scan of small steps."""
    state = Array(w)
    return lax.scan(lambda h, x: (jnp.tanh(h @ state + x), None), Array(h), Array(xs))[0]._node


def rows(x: Node, kind: str) -> Any:
    reduced: Any = bind(ops.ReduceOp, x, kind=kind, axes=(1,))
    return bind(ops.BroadcastInDimOp, reduced, shape=x.aval.shape, broadcast_dimensions=(0,))


def softmax(x: Node) -> Any:
    e: Any = bind(ops.ExpOp, bind(ops.SubOp, x, rows(x, "max")))
    return bind(ops.DivOp, e, rows(e, "add"))


def number(value: float) -> Any:
    return bind(ops.ConstantOp, value=value, shape=(), dtype=float32)


def gelu(x: Node) -> Any:
    half: Any = bind(ops.MulOp, x, number(0.5))
    t = bind(ops.ErfOp, bind(ops.MulOp, x, number(0.70710678)))
    return bind(ops.MulOp, half, bind(ops.AddOp, t, number(1.0)))


def cases(small: bool) -> dict[str, Case]:
    n, square, flat = (256, 512, 1 << 16) if small else (4096, 8192, 1 << 26)
    batch, channels, side = (1, 16, 28) if small else (32, 64, 56)
    image, window = (batch, channels, side, side), (channels, channels, 3, 3)
    work = 2 * prod(image) * channels * 9
    odd, steps, few = square - 1, 50 if small else 1000, 64
    return {
        "copy": Case([(flat,)], lambda x: bind(ops.NegOp, x), peer=lambda t, x: -x),
        "matmul": Case([(n, n), (n, n)], dot, 2 * n**3, lambda t, a, b: a @ b),
        "matmul odd": Case([(n - 1, n - 1), (n - 1, n - 1)], dot, 2 * (n - 1) ** 3, lambda t, a, b: a @ b),
        "matmul long": Case([(128, 4 * n), (4 * n, 128)], dot, 2 * 128 * 128 * 4 * n, lambda t, a, b: a @ b),
        "matmul thin": Case([(8, n), (n, n)], dot, peer=lambda t, a, b: a @ b),
        "vector": Case([(1, n), (n, n)], dot, peer=lambda t, a, b: a @ b),
        "conv 3x3": Case([image, window], conv, work, lambda t, x, w: t.nn.functional.conv2d(x, w, padding=1)),
        "its weights": Case(
            [image, image], weights, work, lambda t, x, g: t.nn.grad.conv2d_weight(x, window, g, padding=1)
        ),
        "softmax": Case([(square, square)], softmax, peer=lambda t, x: t.softmax(x, 1)),
        "softmax odd": Case([(odd, odd)], softmax, peer=lambda t, x: t.softmax(x, 1)),
        "sum": Case([(flat,)], lambda x: sums(x, (0,)), peer=lambda t, x: x.sum()),
        "sum odd": Case([(flat + 5,)], lambda x: sums(x, (0,)), peer=lambda t, x: x.sum()),
        "column sum": Case([(square, square)], lambda x: sums(x, (0,)), peer=lambda t, x: x.sum(0)),
        "gelu": Case([(flat,)], gelu, peer=lambda t, x: t.nn.functional.gelu(x)),
        "transpose": Case([(square, square)], lambda x: transposed(x, 1, 0), peer=lambda t, x: x.t().contiguous()),
        "transpose odd": Case([(odd, odd)], lambda x: transposed(x, 1, 0), peer=lambda t, x: x.t().contiguous()),
        "scan": Case([(few,), (steps, few), (few, few)], recurrence),
    }


def torch_seconds(torch: Any, case: Case, arrays: Sequence[np.ndarray]) -> float:
    """Seconds that torch takes on the card."""
    assert case.peer is not None
    tensors = [torch.from_numpy(a).cuda() for a in arrays]
    found = []
    for _ in range(15):
        begin, end = torch.cuda.Event(True), torch.cuda.Event(True)
        begin.record()
        case.peer(torch, *tensors)
        end.record()
        torch.cuda.synchronize()
        found.append(begin.elapsed_time(end) * 1e-3)
    return statistics.median(found)


def peer() -> Any:
    """torch, if it is here and has a card; it is to compute in float32 as we do."""
    try:
        import torch
    except ImportError:
        return None
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return torch if torch.cuda.is_available() else None


def measure(backend: Any, program: Any, buffers: Sequence[Any]) -> tuple[float, float]:
    """Seconds of one run on the device, and of one call."""
    outputs = [backend.pool.take(n) for n in program.program.outputs]
    slots = [backend.pool.take(n) for n in program.program.slots]
    table = [*(b.gpu for b in buffers), *outputs, *(b.gpu for b in program.constants), *slots]

    def recorded(count: int) -> float:
        player = Player(program, table, backend.device.create_command_encoder())
        for _ in range(count):
            player.play(program.program.steps)
        player.end_pass()
        commands = player.encoder.finish()
        start = time.perf_counter()
        backend.queue.submit([commands])
        backend.finish()
        return time.perf_counter() - start

    def called(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            program(buffers)
        backend.finish()
        return time.perf_counter() - start

    def median(timed: Callable[[int], float]) -> float:
        timed(2)
        count = max(1, min(COMMANDS // (2 * len(program.program.steps)), int(0.06 / max(timed(1), 1e-5))))
        return statistics.median(timed(2 * count) - timed(count) for _ in range(5)) / count

    result = median(recorded), median(called)
    for gpu_buffer in (*outputs, *slots):
        backend.pool.give(gpu_buffer)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args(arguments)
    backend: Any = get_backend("webgpu")
    software = backend.device.adapter.info["adapter_type"] == "CPU"
    print(backend.description)
    torch = peer()
    rng = np.random.default_rng(0)
    heads = ("kernel", "compile ms", "kernels", "us", "call us", "torch us", "GB/s", "GFLOP/s")
    print("{:14} {:>11} {:>8} {:>10} {:>10} {:>10} {:>8} {:>9}".format(*heads))
    for name, case in cases(options.small or software).items():
        if options.names and name not in options.names:
            continue
        avals = [aval(shape, "float32") for shape in case.shapes]
        ins = [leaf(a) for a in avals]
        graph = Graph(ins, [case.compute(*ins)])
        start = time.perf_counter()
        program = backend.compile(stage(graph))
        compiled = (time.perf_counter() - start) * 1e3
        arrays = [rng.standard_normal(a.shape, np.float32) for a in avals]
        buffers = [backend.put(x, a) for x, a in zip(arrays, avals, strict=True)]
        seconds, call = measure(backend, program, buffers)
        theirs = f"{torch_seconds(torch, case, arrays) * 1e6:10.1f}" if torch and case.peer else f"{'':10}"
        moved = sum(a.nbytes for a in avals) + graph.out_avals[0].nbytes
        flops = f"{case.flops / seconds / 1e9:9.0f}" if case.flops else f"{'':9}"
        print(
            f"{name:14} {compiled:11.1f} {len(program.pipelines):8} {seconds * 1e6:10.1f} {call * 1e6:10.1f} {theirs} {moved / seconds / 1e9:8.1f} {flops}",
            flush=True,
        )


if __name__ == "__main__":
    main()

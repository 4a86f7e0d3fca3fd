"""Loops and branches on each device: what a round costs, beside the same loop in NumPy and, where it is installed, in JAX, in the same run.

A column says how often the host works for one call: dispatches (launches and copies that it records), submissions, and round trips (reads that it waits for; the reading of results
is not among them). On wasm a program is one call, so there the counts are zero. `copied` are bytes that copies in the loop move in each of its rounds, as the program says.

    python benchmarks/loops.py [--devices wasm webgpu] [--runs 7] [CASE ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block
from xdsl.parser import Parser

import weft
from weft.backends.base import get_backend
from weft.dialects.dtypes import from_type
from weft.dialects.kernel.host import CopyOp, FuncOp, LaunchOp, ProgramOp, RepeatOp, SwitchOp, WhileOp
from weft.dialects.kernel.ops import NestOp
from weft.dialects.universe import context
from weft.passes.kernel_fuse_loops import copies

Function = Callable[..., Any]


class Case(NamedTuple):
    """A loop: made from a library that is like JAX, and in NumPy; its operands; how many rounds it has."""

    make: Callable[[Any], Function]
    numpy: Function | None
    operands: tuple[Any, ...]
    rounds: int


def best(function: Callable[[], Any], repeats: int) -> float:
    """The least time of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


# -- the cases ----------------------------------------------------------------------------------------------------------------------------


def rnn(size: int, steps: int, random: np.random.Generator) -> Case:
    """A recurrent network: the state and a stack of outputs."""
    w = (random.standard_normal((size, size)) / size**0.5).astype(np.float32)
    xs = random.standard_normal((steps, size)).astype(np.float32)

    def make(m: Any) -> Function:
        def step(w: Any, h: Any, x: Any) -> Any:
            h = m.numpy.tanh(w @ h + x)
            return h, h

        return lambda w, h, xs: m.lax.scan(lambda h, x: step(w, h, x), h, xs)

    def loop(w: Any, h: Any, xs: Any) -> Any:
        ys = np.empty_like(xs)
        for k, x in enumerate(xs):
            ys[k] = h = np.tanh(w @ h + x)
        return h, ys

    return Case(make, loop, (w, np.zeros(size, np.float32), xs), steps)


def grad_of_rnn(size: int, steps: int, random: np.random.Generator) -> Case:
    """Its gradient: residuals are stacked on the way there, and read on the way back."""
    case = rnn(size, steps, random)

    def make(m: Any) -> Function:
        run = case.make(m)
        return m.grad(lambda w, h, xs: (run(w, h, xs)[1] ** 2).sum())

    return case._replace(make=make, numpy=None)


def matvec(size: int, rounds: int, random: np.random.Generator) -> Case:
    """A matrix times what is carried, and nothing else."""
    w = (random.standard_normal((size, size)) / size**0.5).astype(np.float32)

    def make(m: Any) -> Function:
        return lambda w, x: m.lax.fori_loop(0, rounds, lambda i, x: w @ x, x)

    def loop(w: Any, x: Any) -> Any:
        for _ in range(rounds):
            x = w @ x
        return x

    return Case(make, loop, (w, np.ones(size, np.float32)), rounds)


def newton(random: np.random.Generator) -> Case:
    """A small `while`: cube roots of 64 numbers. The tolerance is out of reach, so that all libraries do the same number of rounds."""

    def make(m: Any) -> Function:
        np_ = m.numpy

        def body(c: Any) -> Any:
            k, y, x = c
            return k + 1, y - (y * y * y - x) / (3 * y * y), x

        return lambda x: m.lax.while_loop(lambda c: (c[0] < 100) & (np_.abs(c[1]).max() > 1e-3), body, (0, x, x))[1]

    def loop(x: Any) -> Any:
        y, k = x, 0
        while k < 100 and np.abs(y).max() > 1e-3:
            y, k = y - (y * y * y - x) / (3 * y * y), k + 1
        return y

    return Case(make, loop, (random.uniform(1, 2, 64).astype(np.float32),), 100)


def power(size: int, rounds: int, random: np.random.Generator) -> Case:
    """A large `while`: power iteration on a square matrix."""
    a = random.standard_normal((size, size)).astype(np.float32)
    a = (a + a.T) / size**0.5

    def make(m: Any) -> Function:
        np_ = m.numpy

        def body(c: Any, a: Any) -> Any:
            k, x = c
            y = a @ x
            return k + 1, y / np_.sqrt((y * y).sum())

        return lambda a, x: m.lax.while_loop(lambda c: (c[0] < rounds) & (c[1][0] < 2), lambda c: body(c, a), (0, x))[1]

    def loop(a: Any, x: Any) -> Any:
        k = 0
        while k < rounds and x[0] < 2:
            y = a @ x
            x, k = y / np.sqrt((y * y).sum()), k + 1
        return x

    return Case(make, loop, (a, np.ones(size, np.float32)), rounds)


def fill(size: int) -> Case:
    """One element of a large array in each round, in place."""

    def make(m: Any) -> Function:
        return lambda x: m.lax.fori_loop(
            0, size, lambda i, c: m.lax.dynamic_update_slice(c, m.numpy.reshape(i * 0.5, (1,)), (i,)), x
        )

    def loop(x: Any) -> Any:
        x = x.copy()
        for i in range(size):
            x[i] = i * 0.5
        return x

    return Case(make, loop, (np.zeros(size, np.float32),), size)


def branches(rounds: int) -> Case:
    """A `cond` in each round, on a vector of 64."""

    def make(m: Any) -> Function:
        np_ = m.numpy
        return lambda x: m.lax.fori_loop(
            0, rounds, lambda i, c: m.lax.cond(c[0] > 0, lambda c: np_.sin(c) - 0.5, lambda c: c * 0.5 + 1, c), x
        )

    def loop(x: Any) -> Any:
        for _ in range(rounds):
            x = np.sin(x) - np.float32(0.5) if x[0] > 0 else x * np.float32(0.5) + 1
        return x

    return Case(make, loop, (np.linspace(0, 1, 64, dtype=np.float32),), rounds)


def wave(size: int, rounds: int) -> Case:
    """The wave equation on a square grid by leapfrog: what is carried is the last two states, (a, b) -> (b, next)."""

    def make(m: Any) -> Function:
        roll = m.numpy.roll

        def body(_: Any, c: Any) -> Any:
            a, b = c
            around = roll(b, 1, 0) + roll(b, -1, 0) + roll(b, 1, 1) + roll(b, -1, 1)
            return b, 2 * b - a + 0.1 * (around - 4 * b)

        return lambda a, b: m.lax.fori_loop(0, rounds, body, (a, b))[1]

    def loop(a: Any, b: Any) -> Any:
        for _ in range(rounds):
            around = np.roll(b, 1, 0) + np.roll(b, -1, 0) + np.roll(b, 1, 1) + np.roll(b, -1, 1)
            a, b = b, 2 * b - a + np.float32(0.1) * (around - 4 * b)
        return b

    start = np.zeros((size, size), np.float32)
    start[size // 2, size // 2] = 1
    return Case(make, loop, (start, start), rounds)


def nested(outer: int, inner: int) -> Case:
    """A scan of a scan of a few numbers."""

    def make(m: Any) -> Function:
        def row(c: Any, xs: Any) -> Any:
            return m.lax.scan(lambda c, x: (c * 0.9 + x, c), c, xs)

        return lambda c, xs: m.lax.scan(row, c, xs)

    def loop(c: Any, xs: Any) -> Any:
        ys = np.empty_like(xs)
        for i in range(outer):
            for j in range(inner):
                ys[i, j] = c
                c = c * np.float32(0.9) + xs[i, j]
        return c, ys

    return Case(make, loop, (np.zeros(8, np.float32), np.ones((outer, inner, 8), np.float32)), outer * inner)


def prefix(size: int, random: np.random.Generator) -> Case:
    """Prefix sums by `associative_scan`; one round is the whole of it."""

    def make(m: Any) -> Function:
        return lambda x: m.lax.associative_scan(m.numpy.add, x)

    return Case(make, np.cumsum, (random.standard_normal(size).astype(np.float32),), 1)


def pendulum() -> Case:
    """`odeint` with steps of its own choice: a `while` in a `scan`. A round is a time that is asked for."""
    times = np.linspace(0, 10, 101, dtype=np.float32)

    def make(m: Any) -> Function:
        from importlib import import_module

        odeint = import_module(f"{m.__name__}.experimental.ode").odeint
        np_ = m.numpy
        return lambda y, t: odeint(lambda y, t: np_.stack([y[1], -np_.sin(y[0])]), y, t)

    return Case(make, None, (np.array([1.0, 0.0], np.float32), times), 100)


def cases(random: np.random.Generator) -> dict[str, Case]:
    """All of them, by name."""
    return {
        "rnn 64 scan": rnn(64, 1000, random),
        "rnn 512 scan": rnn(512, 100, random),
        "grad of rnn 64": grad_of_rnn(64, 1000, random),
        "grad of rnn 512": grad_of_rnn(512, 100, random),
        "matvec 512 fori": matvec(512, 100, random),
        "newton 64 while": newton(random),
        "power 256 while": power(256, 100, random),
        "power 1024 while": power(1024, 50, random),
        "update slice 1e5": fill(100_000),
        "cond 64": branches(1000),
        "wave 256": wave(256, 100),
        "scan of scan 8": nested(30, 30),
        "prefix sums 1e6": prefix(1_000_000, random),
        "odeint pendulum": pendulum(),
    }


# -- what is counted ----------------------------------------------------------------------------------------------------------------------


def copied(module: ModuleOp) -> int:
    """Bytes that copies in the loops of a program move, for each round of the outermost of them; of a `while`, in one round."""
    funcs = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}

    def of(block: Block) -> int:
        total = 0
        for op in block.ops:
            match op:
                case CopyOp():
                    total += _bytes(op.source.type)
                case LaunchOp():
                    nests = list(funcs[op.kernel.string_value()].body.block.ops)  # or one loop or branch of them
                    if all(isinstance(nest, NestOp) and copies(nest) for nest in nests):
                        total += _bytes(op.outs[0].type)
                case RepeatOp():
                    total += op.times.value.data * of(op.body.block)
                case WhileOp():
                    total += of(op.before.block) + of(op.body.block)
                case SwitchOp():
                    total += max(of(r.block) for r in op.cases)
                case _:
                    pass
        return total

    (program,) = (op for op in module.ops if isinstance(op, ProgramOp))
    loops = [op for op in program.body.block.ops if isinstance(op, RepeatOp | WhileOp)]
    return sum(sum(of(r.block) for r in loop.regions) for loop in loops)


def _bytes(type: Any) -> int:
    return prod(type.get_shape()) * from_type(type.element_type).itemsize


@contextmanager
def counting(device: str) -> Iterator[dict[str, int]]:
    """Counts what the host does with the webgpu device meanwhile."""
    found = {"dispatches": 0, "submissions": 0, "round trips": 0}
    if device != "webgpu":
        yield found
        return
    from weft.backends.webgpu import player

    queue = get_backend("webgpu").queue  # type: ignore[attr-defined]
    kept = player.Player._begin, queue.submit, queue.read_buffer

    def counted(name: str, function: Function) -> Function:
        def call(*args: Any, **kwargs: Any) -> Any:
            found[name] += 1
            return function(*args, **kwargs)

        return call

    player.Player._begin = counted("dispatches", kept[0])  # type: ignore[method-assign]
    queue.submit, queue.read_buffer = counted("submissions", kept[1]), counted("round trips", kept[2])
    try:
        yield found
    finally:
        player.Player._begin = kept[0]  # type: ignore[method-assign]
        del queue.submit, queue.read_buffer


# -- the table ----------------------------------------------------------------------------------------------------------------------------


def measure(case: Case, device: str, runs: int) -> str:
    """A line: compilation in milliseconds, microseconds a round, and the counts."""
    with weft.default_device(device):
        function = weft.jit(case.make(weft))
        operands = [weft.numpy.asarray(a) for a in case.operands]
        weft.block_until_ready(operands)
        module = Parser(context(), function.lower(*operands).as_text("kernel")).parse_module()
        start = time.perf_counter()
        weft.block_until_ready(function(*operands))
        first = time.perf_counter() - start
        seconds = best(lambda: weft.block_until_ready(function(*operands)), runs)
        with counting(device) as found:
            out = function(*operands)
        weft.block_until_ready(out)
    counts = " ".join(f"{n:>11}" for n in found.values())
    return f"{device:>8} {first * 1e3:9.0f} {seconds / case.rounds * 1e6:11.2f} {counts} {copied(module):10}"


def others(case: Case, runs: int) -> str:
    """The same in NumPy and JAX, microseconds a round."""
    parts = []
    if case.numpy is not None:
        parts.append(f"numpy {best(lambda: case.numpy(*case.operands), runs) / case.rounds * 1e6:.2f}")  # type: ignore[misc]
    try:
        import jax
        import jax.experimental.ode
    except ImportError:
        return ", ".join(parts)
    function = jax.jit(case.make(jax))
    jax.block_until_ready(function(*case.operands))
    seconds = best(lambda: jax.block_until_ready(function(*case.operands)), runs)
    return ", ".join([*parts, f"jax {seconds / case.rounds * 1e6:.2f}"])


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="CASE", help="cases whose names contain this")
    parser.add_argument("--devices", nargs="+", default=["wasm", "webgpu"])
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    print(f"{'':17} {'device':>8} {'first ms':>9} {'µs a round':>11} {'dispatches':>11} {'submissions':>11} {'round trips':>11} {'copied':>10}")  # fmt: skip
    for name, case in cases(np.random.default_rng(0)).items():
        if args.names and not any(n in name for n in args.names):
            continue
        for device in args.devices:
            print(f"{name:17} {measure(case, device, args.runs)}", flush=True)
        print(f"{'':17} {others(case, args.runs)}", flush=True)


if __name__ == "__main__":
    main()

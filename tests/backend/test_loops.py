"""Loops and branches on the devices: nested ones agree with the oracle, long ones train, and cost what their rounds cost."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft as jax
import weft.numpy as jnp
from weft import lax

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from test_control import ALL, REVERSIBLE, X, Y, has_while, programs, run

DEVICES = ["wasm", "webgpu"]
named: dict[str, Any] = {"ids": lambda f: getattr(f, "__name__", str(f))}


def on(device: str, fun: Callable[..., Any], *args: Any) -> Any:
    with jax.default_device(device):
        return jax.tree.map(np.asarray, jax.jit(fun)(*args))


def agree(device: str, fun: Callable[..., Any], *args: Any) -> None:
    found, expected = (jax.tree.leaves(on(d, fun, *args)) for d in (device, "cpu"))
    assert len(found) == len(expected)
    for f, e in zip(found, expected, strict=True):
        assert f.dtype == e.dtype
        np.testing.assert_allclose(f, e, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fun", ALL, **named)
def test_values_and_derivatives(device: str, fun: Callable[..., Any]) -> None:
    agree(device, fun, X, Y)
    agree(device, lambda x, y: jax.jvp(fun, (x, y), (y, x)), X, Y)
    if fun in REVERSIBLE:
        agree(device, jax.grad(lambda x, y: jnp.sin(fun(x, y)).sum(), (0, 1)), X, Y)


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=8, deadline=None)
@given(program=programs, start=st.booleans())
def test_programs_in_programs(device: str, program: Any, start: bool) -> None:
    def fun(w: Any, b: Any) -> Any:
        return run(program, w, (jnp.asarray(X), 1, b))

    agree(device, fun, Y, start)
    if not has_while(program):
        agree(device, lambda w, b: jax.grad(lambda w: jnp.sin(fun(w, b)[0]).sum())(w), Y, start)


@pytest.mark.parametrize("device", DEVICES)
def test_one_program_takes_either_way(device: str) -> None:
    """What decides is data: nothing is compiled anew."""
    with jax.default_device(device):
        branch = jax.jit(lambda i, x: lax.switch(i, [jnp.sin, lambda x: x * 2, lambda x: x[::-1]], x))
        loop = jax.jit(lambda n, x: lax.fori_loop(0, n, lambda i, c: c * 2 + i, x))
        for i, expected in ((-7, np.sin(X)), (0, np.sin(X)), (1, X * 2), (2, X[::-1]), (9, X[::-1])):
            np.testing.assert_allclose(np.asarray(branch(i, X)), expected, rtol=1e-5)
        for n in (0, 1, 3, 30, 0):
            expected = X.astype(np.float64)
            for k in range(n):
                expected = expected * 2 + k
            np.testing.assert_allclose(np.asarray(loop(n, X)), expected, rtol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_several_runs_at_once(device: str) -> None:
    """Conditions of one run do not decide another one."""
    with jax.default_device(device):
        f = jax.jit(lambda n, x: lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] + 1), (0, x)))
        found = [f(n, float(n)) for n in (5, 0, 17, 1)]
        assert [(int(i), float(v)) for i, v in found] == [(5, 10.0), (0, 0.0), (17, 34.0), (1, 2.0)]


def recurrent_loss(params: Any, xs: Any) -> Any:
    """A small recurrent network that is to tell, after each step, the mean of what it has seen."""
    w, u, v = params

    def step(h: Any, x: Any) -> Any:
        h = jnp.tanh(w @ h + u * x)
        return h, v @ h

    _, ys = lax.scan(step, jnp.zeros(8), xs)
    means = jnp.cumsum(xs) / (1 + jnp.arange(xs.shape[0]))
    return ((ys - means) ** 2).mean()


def start(n: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    params = [rng.standard_normal(s).astype(np.float32) * 0.3 for s in ((8, 8), (8,), (8,))]
    return params, rng.standard_normal(n).astype(np.float32)


@pytest.mark.parametrize("device", DEVICES)
def test_a_long_recurrent_network_trains(device: str) -> None:
    params, xs = start(1000)
    step = jax.jit(lambda p, xs: jax.value_and_grad(recurrent_loss)(p, xs))
    losses: dict[str, list[float]] = {}
    for place in (device, "cpu"):
        with jax.default_device(place):
            p = [jnp.asarray(a) for a in params]
            losses[place] = []
            for _ in range(3):
                loss, g = step(p, jnp.asarray(xs))
                p = [a - 0.1 * b for a, b in zip(p, g, strict=True)]
                losses[place].append(float(loss))
    np.testing.assert_allclose(losses[device], losses["cpu"], rtol=1e-3)
    assert losses[device][-1] < losses[device][0]


def test_memory_and_time_grow_with_the_rounds_only() -> None:
    """n rounds over n slices touch each slice once: nothing copies a stack in a round."""
    sizes, seconds = {}, {}
    with jax.default_device("wasm"):
        for n in (2000, 16000):
            params, xs = start(n)
            f = jax.jit(jax.grad(recurrent_loss))
            compiled = f.lower(params, xs).compile()
            args = [jnp.asarray(p) for p in params], jnp.asarray(xs)
            jax.block_until_ready(compiled(*args))
            best = float("inf")
            for _ in range(5):
                begin = time.perf_counter()
                jax.block_until_ready(compiled(*args))
                best = min(best, time.perf_counter() - begin)
            seconds[n] = best
            text = f.lower(params, xs).as_text("kernel")
            sizes[n] = int(text.split("arena = ")[1].split(" ")[0])
    assert sizes[16000] < 9 * sizes[2000]
    assert seconds[16000] < 40 * seconds[2000]


def test_what_a_loop_updates_is_not_copied() -> None:
    """Each round writes one element of what it carries, and reads another: in place."""

    def fibonacci(x: Any) -> Any:
        return lax.fori_loop(2, 50, lambda i, c: c.at[i].set(c[i - 1] + c[i - 2]), x)

    with jax.default_device("wasm"):
        text = jax.jit(fibonacci).lower(jnp.ones(50)).as_text("kernel")
        body = text.split("kernel.repeat 48 {")[1].split("}")[0]
        assert "kernel.copy" not in body
        assert float(jax.jit(fibonacci)(jnp.ones(50))[-1]) == pytest.approx(12586269025, rel=1e-6)


def test_a_while_on_webgpu_asks_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """n rounds cost about log n looks at the condition; a loop with a fixed number of rounds, and a branch, cost none."""
    from weft.backends.base import get_backend

    backend: Any = get_backend("webgpu")
    asked = 0
    read = backend.queue.read_buffer

    def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal asked
        asked += 1
        return read(*args, **kwargs)

    with jax.default_device("webgpu"):
        count = jax.jit(lambda n: lax.while_loop(lambda c: c < n, lambda c: c + 1, 0))
        fixed = jax.jit(lambda x: lax.fori_loop(0, 50, lambda i, c: lax.cond(c > 3, lambda: c - 1, lambda: c + i), x))
        jax.block_until_ready((count(3), fixed(1)))
        monkeypatch.setattr(backend.queue, "read_buffer", counting)
        out = count(500)
        assert asked <= 9
        before = asked
        fixed(1)
        assert asked == before
        monkeypatch.undo()
        assert int(out) == 500


def test_threads_agree_on_conditions() -> None:
    """Every thread runs the same program: what decides its course is read by all of them alike."""
    from weft.backends.base import get_backend

    def grow(x: Any) -> Any:
        def body(c: Any) -> Any:
            c = c @ c / jnp.max(jnp.abs(c)) + 0.01 * c
            return lax.cond(c[0, 0] > 0, lambda: c * 0.9, lambda: -c)

        return lax.while_loop(lambda c: jnp.abs(c).sum() < 1e5, lambda c: body(c) * 1.5, x)

    backend: Any = get_backend("wasm")
    x = np.random.default_rng(1).standard_normal((128, 128)).astype(np.float32)
    threads = backend.num_threads
    try:
        results = []
        for backend.num_threads in (1, 2, 3):
            results.append(on("wasm", grow, x))
    finally:
        backend.num_threads = threads
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-5)


def recurrent(w: Any, u: Any, xs: Any) -> Any:
    """A loss whose gradient adds up outer products: of a batch, in a loop in a loop, with weights used twice."""

    def step(h: Any, x: Any) -> Any:
        h = jnp.tanh(h @ w + x @ w.T + u)
        return h, h

    def row(h: Any, xs: Any) -> Any:
        return lax.scan(step, h, xs, reverse=True)

    h, ys = lax.scan(row, jnp.zeros(xs.shape[2:]), xs)
    return (ys**2).sum() + h.sum()


def products(a: Any, b: Any, c: Any) -> Any:
    """Sums of products that a loop adds to what it is given."""
    return lax.scan(lambda s, ab: (s + jnp.outer(-ab[0] * 2, ab[1]), s[0]), c, (a, b))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch", [1, 5])
def test_sums_of_products_are_made_after_the_loop(device: str, batch: int) -> None:
    rng = np.random.default_rng(3)
    w, u, xs = (rng.standard_normal(s).astype(np.float32) * 0.4 for s in ((6, 6), (6,), (3, 4, batch, 6)))
    agree(device, jax.grad(recurrent, (0, 1, 2)), w, u, xs)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "int32", "complex64"])
def test_sums_of_outer_products(device: str, dtype: str) -> None:
    rng = np.random.default_rng(4)
    a, b, c = (rng.integers(-9, 9, s).astype(dtype) for s in ((7, 4), (7, 5), (4, 5)))
    agree(device, products, a, b, c)
    agree(device, lambda a, b, c: products(a, b, c)[0], a, b, c)

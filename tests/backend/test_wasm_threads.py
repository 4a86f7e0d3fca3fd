"""Programs on several threads, which share large launches and leave small ones to the first thread, in loops and branches: the same numbers, call after call, wherever the
line between large and small is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax
from weft.backends.base import get_backend
from weft.backends.cache import DiskCache
from weft.backends.wasm import program
from weft.passes import kernel_to_wasm

LARGE = np.linspace(-1, 1, 4096).astype(np.float32).reshape(64, 64)


def rounds(x: Any) -> Any:
    """A large step, a small one that needs it, and a large one that needs that."""

    def step(carry: Any, k: Any) -> Any:
        x, least = carry
        x = x * 0.5 + least
        least = jnp.minimum(least, x[0, :4].sum() * 0.25)
        return (x - least, least), least

    return lax.scan(step, (x, jnp.float32(1.0)), jnp.arange(6))


def until(x: Any) -> Any:
    """How long it goes on is told by all elements."""
    return lax.while_loop(lambda c: jnp.sum(c[0] * c[0]) > 20.0, lambda c: (jnp.sin(c[0]) * 0.8, c[1] + 1), (x, 0))


def counted(x: Any) -> Any:
    """The condition is small, and so is what it needs; the body is not."""
    return lax.while_loop(lambda c: c[1] < 5, lambda c: (c[0][::-1] * 0.8 + 1, c[1] + 1), (x, 0))


def branches(x: Any) -> Any:
    """Large and small branches, taken by what was computed."""
    cases = [lambda v: v * 2, lambda v: v.at[0, 0].set(v[3, 3]), lambda v: v[::-1] + v.T]
    return lax.scan(lambda v, k: (lax.switch((k + (v[1, 1] > 0)) % 3, cases, v), v[0, 0]), x, jnp.arange(9))


def factors(x: Any) -> Any:
    """Panels in a loop."""
    return jnp.linalg.cholesky(x @ x.T + 10 * jnp.eye(64)), jnp.sort(x, axis=1)


@pytest.mark.parametrize("worth", [0, 300, 1000, 20_000])
@pytest.mark.parametrize("function", [rounds, until, counted, branches, factors])
def test_the_same_numbers_wherever_threads_share(
    function: Callable[..., Any], worth: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    backend = get_backend("wasm")
    monkeypatch.setattr(program, "WORTH_THREADS", 0)
    monkeypatch.setattr(kernel_to_wasm, "WORTH_SHARING", worth)
    monkeypatch.setattr(backend, "_cache", DiskCache("wasm", tmp_path))
    monkeypatch.setattr(backend, "num_threads", 1)
    with weft.default_device("wasm"):
        run = weft.jit(function)
        expected = weft.tree.leaves(run(LARGE))
        monkeypatch.setattr(backend, "num_threads", 3)
        for _ in range(5):
            for e, f in zip(expected, weft.tree.leaves(run(LARGE)), strict=True):
                np.testing.assert_array_equal(np.asarray(f), np.asarray(e))
    with weft.default_device("cpu"):
        for e, f in zip(expected, weft.tree.leaves(function(jnp.asarray(LARGE))), strict=True):
            np.testing.assert_allclose(np.asarray(e), np.asarray(f), rtol=1e-4, atol=1e-5)


def test_what_is_little_work_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = get_backend("wasm")
    monkeypatch.setattr(backend, "num_threads", 2)
    started: list[int] = []
    run = backend.workers.run
    monkeypatch.setattr(backend.workers, "run", lambda jobs: (started.append(len(jobs)), run(jobs))[1])
    many = np.stack([np.eye(16, dtype=np.float32) * (k + 1) for k in range(64)])
    with weft.default_device("wasm"):
        weft.block_until_ready(weft.jit(jnp.linalg.cholesky)(many))
        assert not started
        weft.block_until_ready(weft.jit(jnp.exp)(np.ones((1024, 1024), np.float32)))
        assert started == [2]

"""What random programs have found, each in a few lines: every device, eager and compiled, gives what the oracle gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax

DEVICES = os.environ.get("WEFT_TEST_DEVICES", "wasm,webgpu").split(",")


def _numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-8, 9, shape).astype(np.float32) / 4


def reduction_read_out_of_order(x: Any) -> Any:
    """A reduction is stored where another result reads it, but not in the order of its elements."""
    total = jnp.sum(x, 0)
    return total.T.reshape(-1), total


def softmax_along_few_lanes(x: Any) -> Any:
    """The lanes take the whole innermost axis: there is no loop left at which the exponentials could be kept."""
    return weft.nn.softmax(x, axis=2)


def standardized_and_broadcast(x: Any) -> Any:
    """Reductions that run outside of the innermost loop of the result."""
    y = jnp.broadcast_to(jnp.cos(x)[..., None], (*x.shape, 3))
    return (y - jnp.mean(y, 1, keepdims=True)) * lax.rsqrt(jnp.var(y, 1, keepdims=True) + 0.5)


def sum_that_reads_nothing(x: Any) -> Any:
    """A reduction of counters alone, in a loop that one workgroup runs."""

    def body(i: Any, carry: Any) -> Any:
        return carry * jnp.sum(jnp.sin(jnp.arange(15.0).reshape(5, 3)), 0)[:2]

    return lax.fori_loop(0, 3, body, x)


def barriers(x: Any) -> Any:
    """Values that are stored on the way: of arguments, literals, reductions; in a loop and in a branch; handed back as they are."""

    def body(i: Any, c: Any) -> Any:
        return lax.optimization_barrier(jnp.sin(c)) + 1

    kept, total = lax.optimization_barrier((jnp.cos(x), jnp.sum(x)))
    branch = lax.cond(total > 0, lambda c: lax.optimization_barrier(c) * 2, lambda c: c, lax.optimization_barrier(x))
    slope = weft.grad(lambda x: jnp.sum(jnp.sin(lax.optimization_barrier(jnp.cos(x)))))(x)
    three = lax.optimization_barrier(jnp.full(3, 3.0))
    return kept * total, three, kept, lax.fori_loop(0, 3, body, x), branch, slope, lax.optimization_barrier(x)


def indices_read_by_indices(x: Any) -> Any:
    """Small gathers are fused into one another, as deep as the program makes them."""
    i = x
    for _ in range(60):
        i = x[jnp.clip(i, 0, 2)][jnp.clip(x, 0, 2)]
    return i


PROGRAMS = [
    (barriers, _numbers(5, 3)),
    (indices_read_by_indices, np.array([2, 0, 1], np.int32)),
    (reduction_read_out_of_order, _numbers(2, 7, 3)),
    (softmax_along_few_lanes, _numbers(7, 2, 3, 4)),
    (standardized_and_broadcast, _numbers(3, 7, 3)),
    (sum_that_reads_nothing, _numbers(2, 3, 2)),
]


@pytest.mark.parametrize("compiled", [True, False], ids=["jit", "eager"])
@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case[0].__name__)
@pytest.mark.parametrize("device", DEVICES)
def test_agrees_with_the_oracle(device: str, case: tuple[Callable[..., Any], Any], compiled: bool) -> None:
    fun, *arguments = case
    wrapped = weft.jit(fun) if compiled else fun
    found = []
    for each in ("cpu", device):
        with weft.default_device(each):
            found.append([np.asarray(v) for v in weft.tree.leaves(wrapped(*map(jnp.asarray, arguments)))])
    for want, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, strict=True)

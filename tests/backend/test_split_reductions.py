"""Long reductions with few results, cut into pieces: what a user's program computes with them, and in how many kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft as jax
import weft.numpy as jnp

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, np.float32)


LONG = normal(1 << 20)
PRIME = normal(1_000_003)  # no divisor is near: the last piece repeats elements, which do not count twice

CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "sum": (jnp.sum, np.sum, (LONG,)),
    "sum of a prime number": (jnp.sum, np.sum, (PRIME,)),
    "maximum of a prime number": (jnp.max, np.max, (PRIME,)),
    "mean and variance": (lambda x: jnp.stack([x.mean(), x.var()]), lambda x: np.stack([x.mean(), x.var()]), (LONG,)),
    "position of the maximum": (jnp.argmax, np.argmax, (LONG,)),
    "softmax of one row": (
        jax.nn.softmax,
        lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
        (LONG,),
    ),
    "columns": (lambda x: x.sum(0), lambda x: x.sum(0), (normal(8192, 130),)),
    "vector by matrix": (jnp.matmul, np.matmul, (normal(2048), normal(2048, 520))),
    "thin by matrix": (jnp.matmul, np.matmul, (normal(12, 2048), normal(2048, 520))),
    "few by few": (jnp.matmul, np.matmul, (normal(40, 8192), normal(8192, 36))),
    "images by matrix": (
        lambda x, w: x.reshape(64, -1) @ w,
        lambda x, w: x.reshape(64, -1) @ w,
        (normal(64, 28, 28), normal(784, 48)),
    ),
    "transposed and flat": (lambda x: x.T.reshape(-1).sum(), np.sum, (normal(1000, 1000),)),
    "dot": (jnp.vdot, np.vdot, (LONG, LONG[::-1].copy())),
    "integers": (lambda x: x.sum(0), lambda x: x.sum(0), (RNG.integers(-100, 100, (8192, 64), np.int32),)),
    "any": (lambda x: (x > 4.5).any(0), lambda x: (x > 4.5).any(0), (normal(8192, 64),)),
}


@pytest.mark.parametrize("device", ["wasm", "webgpu"])
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_numpy(name: str, device: str) -> None:
    fun, reference, arrays = CASES[name]
    with jax.default_device(device):
        found = np.asarray(jax.jit(fun)(*arrays))
    expected = reference(*(a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-3)


def test_half_precision_is_not_rounded_between_the_pieces() -> None:
    x = np.full(1 << 18, 0.01, np.float16)
    with jax.default_device("webgpu"):
        assert float(jax.jit(jnp.sum)(x)) == pytest.approx(float(x.astype(np.float64).sum()), rel=2e-3)


def test_each_run_gives_the_same_bits() -> None:
    with jax.default_device("webgpu"):
        f = jax.jit(lambda x, y: jnp.vdot(x, y))
        assert len({float(f(LONG, LONG)) for _ in range(5)}) == 1


def test_a_scan_of_small_steps_is_one_kernel() -> None:
    w = normal(48, 48) * 0.1

    def fun(h: Any, xs: Any) -> Any:
        return jax.lax.scan(lambda h, x: ((h := jnp.tanh(h @ w + x)), h.sum()), h, xs)

    args = np.zeros(48, np.float32), normal(1000, 48)
    with jax.default_device("webgpu"):
        lowered = jax.jit(fun).lower(*args)
        program = lowered.as_text("scheduled").partition("kernel.program")[2]
        found = jax.jit(fun)(*args)
    assert "kernel.repeat" not in program and program.count("kernel.launch") <= 4
    with jax.default_device("cpu"):
        expected = jax.jit(fun)(*args)
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(f), np.asarray(e), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["add", "multiply", "min", "max"])
def test_wide_integers_combine_where_they_meet(kind: str) -> None:
    with jax.enable_x64():
        x, i, v = (RNG.integers(-(2**62), 2**62, 9), RNG.integers(0, 9, 500), RNG.integers(-(2**62), 2**62, 500))
        results = []
        for device in ("cpu", "webgpu"):
            with jax.default_device(device):
                results.append(np.asarray(jax.jit(lambda x, i, v: getattr(x.at[i], kind)(v))(x, i, v)))
    np.testing.assert_array_equal(*results)

"""Random programs of 10 to 40 operations of `weft.numpy`: each device, eager and compiled, gives what the oracle gives, forward and as a gradient."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import weft
import weft.numpy as jnp

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from user_programs import Program, programs

DEVICES = os.environ.get("WEFT_TEST_DEVICES", "wasm,webgpu").split(",")


def run(program: Program, device: str, compiled: bool) -> list[np.ndarray]:
    """The results and the gradients of all float inputs."""
    wrap = weft.jit if compiled else lambda f: f
    floats = tuple(range(len(program.shapes)))
    with weft.default_device(device):
        inputs = [jnp.asarray(x) for x in program.inputs()]
        outs = wrap(lambda *xs: program(jnp, *xs))(*inputs)
        gradients = wrap(weft.grad(lambda *xs: program.loss(jnp, *xs), argnums=floats))(*inputs)
        return [np.asarray(v) for v in (*outs, *gradients)]


@pytest.mark.parametrize("device", DEVICES)
def test_agrees_with_the_oracle(device: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(programs)
    def check(program: Program) -> None:
        expected = run(program, "cpu", compiled=True)
        for compiled in (True, False):
            for want, got in zip(expected, run(program, device, compiled), strict=True):
                assert (want.shape, want.dtype) == (got.shape, got.dtype)
                scale = max(1.0, float(np.abs(want).max(initial=0)))
                np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5 * scale)

    check()


@pytest.mark.parametrize("device", DEVICES)
def test_indices_read_by_indices(device: str) -> None:
    """Small gathers are fused into one another, as deep as the program makes them."""

    def walk(x: weft.Array) -> weft.Array:
        i = x
        for _ in range(60):
            i = x[jnp.clip(i, 0, 2)][jnp.clip(x, 0, 2)]
        return i

    found = []
    for each in ("cpu", device):
        with weft.default_device(each):
            found.append(np.asarray(weft.jit(walk)(jnp.array([2, 0, 1]))))
    np.testing.assert_array_equal(*found)


def test_eager_and_compiled_are_one_on_the_oracle() -> None:
    @settings(max_examples=25, deadline=None)
    @given(programs)
    def check(program: Program) -> None:
        for eager, compiled in zip(run(program, "cpu", False), run(program, "cpu", True), strict=True):
            np.testing.assert_allclose(eager, compiled, rtol=1e-5, atol=1e-6)

    check()

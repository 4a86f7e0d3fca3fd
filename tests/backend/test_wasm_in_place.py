"""Elementwise nests on the wasm device write where a dying operand lies: donated parameters are updated in their own memory, tails included."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft.backends.base import get_backend


def adam(p, m, v, g):
    """A step that reads and writes three arrays, in an order in which one result must not destroy what another needs."""
    m = 0.9 * m + 0.1 * g
    v = 0.99 * v + 0.01 * g * g
    return p - 0.1 * m / (jnp.sqrt(v) + 1e-8), m, v


def swapped(p, m, v, g):
    """Results that are computed from the arguments beside them: none may lie where another is still to be read."""
    return m + g, p * 2, v - p + m


@pytest.mark.parametrize("n", [1, 3, 64, 67, 1003, 40007])
@pytest.mark.parametrize("step", [adam, swapped])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_donated_step_gives_the_same_numbers(n, step, threads, monkeypatch):
    from weft.backends.wasm import program
    from weft.passes import kernel_to_wasm

    monkeypatch.setattr(program, "WORTH_THREADS", 0)
    monkeypatch.setattr(kernel_to_wasm, "WORTH_SHARING", 0)
    monkeypatch.setattr(get_backend("wasm"), "num_threads", threads)
    rng = np.random.default_rng(n)
    arrays = [rng.uniform(0.5, 1, n).astype(np.float32) for _ in range(4)]
    plain, donating = weft.jit(step), weft.jit(step, donate_argnums=(0, 1, 2))
    expected = [weft.device_put(a, weft.devices("wasm")[0]) for a in arrays[:3]]
    given = [weft.device_put(a, weft.devices("wasm")[0]) for a in arrays[:3]]
    g = weft.device_put(arrays[3], weft.devices("wasm")[0])
    for _ in range(3):
        expected, given = plain(*expected, g), donating(*given, g)
        for e, r in zip(expected, given, strict=True):
            np.testing.assert_array_equal(np.asarray(e), np.asarray(r))


def test_parameters_stay_where_they_are():
    wasm = weft.devices("wasm")[0]
    step = weft.jit(adam, donate_argnums=(0, 1, 2))
    arrays = [weft.device_put(np.full(1003, 0.5, np.float32), wasm) for _ in range(4)]
    before = [a._node.value.address for a in arrays[:3]]
    live = get_backend("wasm").live_bytes()
    results = step(*arrays)
    assert [r._node.value.address for r in results] == before
    assert get_backend("wasm").live_bytes() == live
    assert all(a.is_deleted() for a in arrays[:3])

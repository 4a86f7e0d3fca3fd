"""Optimisers against their formulas, written out in NumPy, and on a problem that they must solve."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import optim

PARAMS = {"w": np.array([1.0, -2.0, 3.0], np.float32), "b": np.float32(0.5)}
GRADS = [
    {"w": np.array([0.1, -0.2, 0.3], np.float32), "b": np.float32(1.0)},
    {"w": np.array([-0.3, 0.4, 0.1], np.float32), "b": np.float32(-0.5)},
    {"w": np.array([0.2, 0.2, -0.6], np.float32), "b": np.float32(0.25)},
]


def run(optimizer: optim.GradientTransformation, jit: bool = True):
    params = {k: jnp.asarray(v) for k, v in PARAMS.items()}
    state = optimizer.init(params)

    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state

    step = weft.jit(step) if jit else step
    for grads in GRADS:
        params, state = step(params, state, grads)
    return {k: np.asarray(v) for k, v in params.items()}


def reference(rule):
    """The same steps, leaf by leaf, by `rule(p, g, memory, t) -> p`."""
    found = {}
    for k, p in PARAMS.items():
        memory: dict = {}
        for t, grads in enumerate(GRADS, 1):
            p = rule(p, grads[k], memory, t)
        found[k] = p
    return found


def sgd(p, g, memory, t):
    return p - 0.1 * g


def momentum(p, g, memory, t):
    memory["t"] = g + 0.9 * memory.get("t", 0)
    return p - 0.1 * memory["t"]


def nesterov(p, g, memory, t):
    memory["t"] = g + 0.9 * memory.get("t", 0)
    return p - 0.1 * (g + 0.9 * memory["t"])


def adam(p, g, memory, t, decay=0.0):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g * g
    m, v = memory["m"] / (1 - 0.9**t), memory["v"] / (1 - 0.999**t)
    return p - 0.1 * (m / (np.sqrt(v) + 1e-8) + decay * p)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(
    ("optimizer", "rule"),
    [
        (optim.sgd(0.1), sgd),
        (optim.momentum(0.1), momentum),
        (optim.sgd(0.1, 0.9, nesterov=True), nesterov),
        (optim.adam(0.1), adam),
        (optim.adamw(0.1, weight_decay=0.2), lambda *a: adam(*a, decay=0.2)),
        (optim.chain(optim.clip(0.25), optim.sgd(0.1)), lambda p, g, m, t: p - 0.1 * np.clip(g, -0.25, 0.25)),
        (optim.chain(optim.scale(2.0), optim.scale(-0.05)), sgd),
        (optim.sgd(optim.linear_schedule(0.1, 0.0, 2)), lambda p, g, m, t: p - [0.1, 0.05, 0.0][t - 1] * g),
    ],
)
def test_steps(optimizer, rule, jit: bool) -> None:
    expected = reference(rule)
    for name, found in run(optimizer, jit).items():
        np.testing.assert_allclose(found, expected[name], rtol=2e-5, err_msg=name)


def test_clipping_by_the_global_norm() -> None:
    clip = optim.clip_by_global_norm(1.0)
    for factor, limited in ((10.0, True), (0.1, False)):
        grads = {"a": factor * jnp.ones(3), "b": factor * jnp.ones(1)}
        found, _ = clip.update(grads, clip.init(grads))
        np.testing.assert_allclose(float(optim.global_norm(found)), 1.0 if limited else 0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (optim.constant_schedule(0.3), [0.3, 0.3, 0.3, 0.3]),
        (optim.linear_schedule(1.0, 0.0, 4), [1, 0.75, 0.5, 0]),
        (optim.polynomial_schedule(1.0, 0.0, 2, 4), [1, 0.5625, 0.25, 0]),
        (optim.exponential_decay(1.0, 2, 0.25), [1, 0.5, 0.25, 1 / 1024]),
        (optim.exponential_decay(1.0, 2, 0.25, staircase=True), [1, 1, 0.25, 1 / 1024]),
        (optim.exponential_decay(1.0, 2, 0.25, end_value=0.4), [1, 0.5, 0.4, 0.4]),
        (optim.cosine_decay_schedule(1.0, 4), [1, (1 + 0.5**0.5) / 2, 0.5, 0]),
        (optim.warmup_cosine_decay_schedule(0.0, 1.0, 2, 10), [0, 0.5, 1, 0]),
    ],
)
def test_schedules(schedule, expected) -> None:
    found = [float(schedule(jnp.int32(n))) for n in (0, 1, 2, 10)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", [optim.sgd(0.1), optim.momentum(0.05), optim.adam(0.2), optim.adamw(0.2)])
def test_a_quadratic_is_minimised(optimizer) -> None:
    target = jnp.array([1.0, -2.0, 0.5])

    def loss(x):
        return jnp.sum((x - target) ** 2)

    @weft.jit
    def step(x, state):
        updates, state = optimizer.update(weft.grad(loss)(x), state, x)
        return optim.apply_updates(x, updates), state

    x = jnp.zeros(3)
    state = optimizer.init(x)
    for _ in range(150):
        x, state = step(x, state)
    assert float(loss(x)) < 1e-3


def test_a_mask_chooses_what_decays() -> None:
    decay = optim.add_decayed_weights(0.5, mask={"w": True, "b": False})
    grads = {"w": jnp.zeros(2), "b": jnp.zeros(2)}
    params = {"w": jnp.ones(2), "b": jnp.ones(2)}
    found, _ = decay.update(grads, decay.init(params), params)
    assert found["w"].tolist() == [0.5, 0.5] and found["b"].tolist() == [0, 0]
    with pytest.raises(ValueError, match="needs the argument params"):
        decay.update(grads, decay.init(params))


# -- values of states by their names ------------------------------------------------------------------------------------------------------


def test_a_name_that_is_there_twice_or_not_at_all() -> None:
    twice = optim.chain(optim.adam(0.1), optim.adam(0.1)).init({"a": jnp.ones(2)})
    with pytest.raises(KeyError, match="multiple values for 'nu'"):
        optim.tree.get(twice, "nu")
    with pytest.raises(KeyError, match="no values matching 'nu'"):
        optim.tree.set(optim.sgd(0.1).init(jnp.ones(2)), nu=1)


def test_what_is_set_may_be_told_by_its_path() -> None:
    def of_first(path, value):
        return path[0] == weft.tree_util.SequenceKey(0)

    twice = optim.chain(optim.adam(0.1), optim.adam(0.1)).init(jnp.ones(2))
    changed = optim.tree.set(twice, of_first, count=jnp.asarray(7))
    assert [int(n) for _, n in optim.tree.get_all_with_path(changed, "count")] == [7, 0]


# -- line searches ------------------------------------------------------------------------------------------------------------------------


def valley(x):
    return (10 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


@pytest.mark.parametrize("device", ["cpu", "wasm", "webgpu"])
def test_lbfgs_reaches_the_bottom(device: str) -> None:
    with weft.default_device(device):
        solver, x = optim.lbfgs(), jnp.array([-1.2, 1.0, 0.5])
        state, value_and_grad = solver.init(x), optim.value_and_grad_from_state(valley)

        @weft.jit
        def step(x, state):
            value, grad = value_and_grad(x, state=state)
            updates, state = solver.update(grad, state, x, value=value, grad=grad, value_fn=valley)
            return optim.apply_updates(x, updates), state

        for _ in range(26):
            x, state = step(x, state)
        np.testing.assert_allclose(np.asarray(x), [1, 1, 1], atol=1e-3)


def test_a_search_that_fails_says_so(capsys) -> None:
    for search in (
        optim.scale_by_zoom_linesearch(2, verbose=True),
        optim.scale_by_backtracking_linesearch(2, verbose=True),
    ):
        x = jnp.array([2.0])
        uphill = 2 * x
        search.update(uphill, search.init(x), x, value=4.0, grad=2 * x, value_fn=lambda x: (x**2).sum())
        weft.effects_barrier()
        assert "Decrease Error" in capsys.readouterr().out

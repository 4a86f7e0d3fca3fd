"""Calls of the host: their values, their order, how often they are made, under every transform."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import debug
from weft.callbacks import pure_callback
from weft.experimental import io_callback

X = jnp.arange(3.0)
SHAPE = weft.ShapeDtypeStruct((3,), "float32")


@pytest.fixture
def seen():
    return []


def doubled(x):
    return np.asarray(x) * 2


@pytest.mark.parametrize("compiled", [False, True])
def test_pure_values(compiled: bool) -> None:
    def f(x):
        y = pure_callback(doubled, SHAPE, x + 1)
        return y * x, pure_callback(lambda a, b: (np.asarray(a).sum(), np.asarray(b)), (jnp.float32(0), SHAPE), y, b=x)

    found, (total, same) = (weft.jit(f) if compiled else f)(X)
    assert found.tolist() == [0, 4, 12] and float(total) == 12 and same.tolist() == [0, 1, 2]


def test_a_program_is_cut_in_order(seen) -> None:
    @weft.jit
    def f(x):
        debug.callback(lambda v: seen.append(("first", v.tolist())), x)
        y = jnp.sin(x) * 0 + x
        debug.callback(lambda v: seen.append(("second", v.tolist())), y + 1)
        z = io_callback(lambda v: (seen.append(("third", None)), doubled(v))[1], SHAPE, y + x)
        debug.callback(lambda: seen.append(("last", None)))
        return z + y

    for _ in range(2):
        seen.clear()
        assert f(X).tolist() == [0, 5, 10]
        assert seen == [("first", [0, 1, 2]), ("second", [1, 2, 3]), ("third", None), ("last", None)]


def test_print(capsys) -> None:
    debug.print("x = {}, n = {n:.2f}", X, n=jnp.float32(1.5))
    weft.jit(lambda x: debug.print("sum {s}", s=x.sum()))(X)
    weft.vmap(lambda x: debug.print("each {}", x))(jnp.arange(3))
    assert capsys.readouterr().out == "x = [0. 1. 2.], n = 1.50\nsum 3.0\neach 0\neach 1\neach 2\n"


def test_under_derivatives(seen) -> None:
    def f(x):
        debug.callback(lambda v: seen.append(v.tolist()), x)
        return (x**2).sum()

    for g in (weft.grad(f), weft.jit(weft.grad(f)), weft.grad(weft.jit(f))):
        seen.clear()
        assert g(X).tolist() == [0, 2, 4]
        assert seen == [[0, 1, 2]]
    _, tangent = weft.jvp(f, (X,), (X,))
    assert float(tangent) == 10
    rows = weft.vmap(weft.grad(f))(jnp.ones((2, 3)))
    assert rows.shape == (2, 3) and seen[-2:] == [[1, 1, 1]] * 2
    for call in (lambda x: pure_callback(doubled, SHAPE, x).sum(), lambda x: io_callback(doubled, SHAPE, x).sum()):
        with pytest.raises(ValueError, match="does not support JVP"):
            weft.grad(call)(X)
        with pytest.raises(ValueError, match="does not support JVP"):
            weft.jit(weft.grad(call))(X)


def test_a_custom_derivative_around_a_callback() -> None:
    @weft.custom_vjp
    def f(x):
        return pure_callback(doubled, SHAPE, x)

    f.defvjp(lambda x: (f(x), None), lambda _, ct: (2 * ct,))
    assert weft.grad(lambda x: f(x).sum())(X).tolist() == [2, 2, 2]
    assert weft.jit(weft.grad(lambda x: (f(x) ** 2).sum()))(X).tolist() == [0, 8, 16]


@pytest.mark.parametrize("method", ["sequential", "expand_dims", "broadcast_all"])
@pytest.mark.parametrize("compiled", [False, True])
def test_batched(method: str, compiled: bool, seen) -> None:
    def host(a, b):
        seen.append((a.shape, b.shape))
        return np.asarray(a) + np.asarray(b)

    def f(a, b):
        return pure_callback(host, SHAPE, a, b, vmap_method=method)

    batched = weft.vmap(f, in_axes=(0, None))
    found = (weft.jit(batched) if compiled else batched)(jnp.ones((2, 3)), X)
    assert found.tolist() == [[1, 2, 3]] * 2
    expected = {
        "sequential": [((3,), (3,))] * 2,
        "expand_dims": [((2, 3), (1, 3))],
        "broadcast_all": [((2, 3), (2, 3))],
    }
    assert seen == expected[method]


def test_refusals() -> None:
    with pytest.raises(NotImplementedError, match="vmap_method"):
        weft.vmap(lambda x: pure_callback(doubled, SHAPE, x))(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="ordered"):
        weft.vmap(lambda x: io_callback(doubled, SHAPE, x, ordered=True))(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="vmap_method"):
        pure_callback(doubled, SHAPE, X, vmap_method="magic")
    with pytest.raises(RuntimeError, match="promised"):
        pure_callback(lambda x: np.ones(4, np.float32), SHAPE, X)
    with pytest.raises(RuntimeError, match="structure"):
        pure_callback(lambda x: (x, x), SHAPE, X)
    with pytest.raises(TypeError, match="format string"):
        debug.print(X)
    with pytest.raises(ValueError, match="Unused arguments"):
        debug.print("x = {}", X, X)
    with pytest.raises(IndexError):
        debug.print("{} {}", X)


@pytest.mark.parametrize("device", ["wasm", "webgpu"])
def test_on_devices(device: str, seen) -> None:
    with weft.default_device(device):
        x = jnp.arange(4.0)
        f = weft.jit(lambda x: pure_callback(doubled, weft.ShapeDtypeStruct((4,), "float32"), x * x) + 1)
        assert f(x).tolist() == [1, 3, 9, 19]
        weft.jit(lambda x: debug.callback(lambda v: seen.append(v.tolist()), x.sum()))(x)
    assert seen == [6]

"""Lazy eager mode: what waits, what runs when, what is forgotten."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import eager, grad, lax
from weft.array import put
from weft.backends.base import get_backend
from weft.dialects.array.node import STATE, LeafOp

X = np.array([0.5, -1.0, 2.0], np.float32)


@pytest.fixture(autouse=True)
def flushed():
    eager.flush()


@pytest.fixture
def runs(monkeypatch):
    """The numbers of results of the programs that run."""
    ran = []
    recent = eager.recent_program

    def count(graph, device):
        ran.append(len(graph.outs))
        return recent(graph, device)

    monkeypatch.setattr(eager, "recent_program", count)
    return ran


def test_nothing_runs_until_it_is_read(runs):
    y = jnp.sin(put(X)) * 2 + 1
    assert runs == [] and y._node.value is None
    np.testing.assert_allclose(y, np.sin(X) * 2 + 1, rtol=1e-6)
    assert runs == [1]
    np.asarray(y)
    assert runs == [1]


def test_what_somebody_holds_is_computed_together(runs):
    x = put(X)
    a = x + 1
    b = a * 2
    c = b - 3
    del b
    np.asarray(c)
    assert runs == [2]
    assert a._node.op is LeafOp and c._node.inputs == ()


@pytest.mark.parametrize("device", ["cpu", "wasm"])
def test_elements_of_what_was_computed_need_no_program(runs, device):
    with weft.default_device(device):
        x = jnp.arange(24.0).reshape(2, 3, 4) * 1.5
        x.block_until_ready()
        del runs[:]
        found = [
            float(x[1, 2, 3]),
            x[1, -1].tolist(),
            [float(v) for v in x[0, 0]],
            float(x[-2][1][2]),
            x[(0, 0, 0)].shape,
        ]
        assert found == [34.5, [30.0, 31.5, 33.0, 34.5], [0.0, 1.5, 3.0, 4.5], 9.0, ()] and runs == []
        assert x[0, 1].device == device and (jnp.asarray(2)[None] * 1)[0].weak_type
        assert float(grad(lambda v: v[1, 2, 3] * v[0, 0, 1])(x)[1, 2, 3]) == 1.5
        assert float(weft.jit(lambda: x[1, 0, 0])()) == 18
        del runs[:]
        with pytest.raises(IndexError):
            x[0, 0, 0, 0]
        x.delete()
        with pytest.raises(RuntimeError, match="deleted"):
            x[0, 0, 0]


def test_numbers_are_arguments(runs):
    for value in (1.0, 2.5):
        float(jnp.asarray(value, "float32") * 3)
    assert runs == [1, 1] and float(jnp.asarray(0.1)) == np.float32(0.1)


def test_enough_that_waits_runs_by_itself(runs):
    x = put(X)
    for _ in range(3 * eager.GATHER):
        x = x + 1
    assert 2 <= len(runs) <= 4 and max(runs) <= 2  # the new value, and the one that it is made from
    np.testing.assert_allclose(x, X + 3 * eager.GATHER)


def test_a_loop_has_few_programs():
    from weft import programs

    weft.clear_caches()
    x, v = put(X), put(X)
    for step in range(200):
        v = v * 0.9 + jnp.sin(x) * (0.1 / (step + 1))  # the step's scalar is an argument
        x = x - v
        if step % 10 == 0:
            float(x[0])
    assert len(programs._recent) <= 12


def test_python_scalars_do_not_need_programs():
    from weft import programs

    weft.clear_caches()
    x = put(X)
    for n in range(20):
        np.asarray(x * float(n))
    assert len(programs._recent) == 1


def test_errors_come_to_who_reads():
    kept = []
    weft.jit(lambda x: kept.append(x) or x)(put(X))
    wrong = kept[0] + 1
    right = put(X) + 1
    for _ in range(2 * eager.GATHER):
        right = right + 1
    np.testing.assert_allclose(right, X + 1 + 2 * eager.GATHER)
    with pytest.raises(weft.errors.UnexpectedTracerError):
        np.asarray(wrong)


def test_a_program_that_fails_takes_nothing_with_it(monkeypatch):
    x = put(X) * 0.125
    with monkeypatch.context() as patch:
        patch.setattr(eager, "recent_program", lambda *args: (_ for _ in ()).throw(RuntimeError("out of memory")))
        with pytest.raises(RuntimeError, match="out of memory"):
            np.asarray(x)
    np.testing.assert_allclose(x, X * 0.125)


def test_memory_stays_where_it_is():
    x = put(X)
    live = {}
    for step in range(1, 601):
        x = jnp.sin(x * 0.5) + 1.0 - x * 0.25
        if step in (100, 600):
            x.block_until_ready()
            gc.collect()
            live[step] = get_backend("cpu").live_bytes()
    assert live[100] == live[600]


def test_history_is_let_go_when_the_transform_is_over():
    kept = []

    def loss(x):
        y = jnp.sum(jnp.sin(x))
        kept.append(y)
        y.item()  # computed, while grad still needs to see where it comes from
        return y * y

    for _ in range(5):
        grad(loss)(X).block_until_ready()
    np.asarray(put(X) + 1)
    assert all(y._node.inputs == () for y in kept)
    assert not eager._history


def test_values_read_under_grad_do_not_cut_it():
    def loss(x):
        y = jnp.sin(x)
        if jnp.sum(y) > 0:
            return jnp.sum(y * x)
        return jnp.sum(y)

    expected = np.cos(X) * X + np.sin(X)
    np.testing.assert_allclose(grad(loss)(X), expected, rtol=1e-5)


def test_residuals_of_vjp_are_computed_once(runs):
    out, pull_back = weft.vjp(lambda x: jnp.exp(jnp.sin(x)), put(X))
    np.asarray(out)
    (first,) = pull_back(X)
    assert not any(n.op.name == "array.sin" for n in _uncomputed(first._node))
    np.testing.assert_allclose(first, np.exp(np.sin(X)) * np.cos(X) * X, rtol=1e-5)


def _uncomputed(node):
    found, stack = set(), [node]
    while stack:
        n = stack.pop()
        if n in found or n.value is not None:
            continue
        found.add(n)
        stack.extend(n.inputs)
    return found


def test_debug_nans():
    with weft.debug_nans():
        with pytest.raises(FloatingPointError, match="nan"):
            np.asarray(jnp.log(put(-X)))
        with pytest.raises(FloatingPointError, match="nan"):
            weft.jit(jnp.log)(-X)
    STATE.pending.clear()


def test_debug_nans_names_the_operation_in_loops():
    x = jnp.float32(0.5)

    def scanned(x):
        return lax.scan(lambda c, y: (jnp.log(c - y) * 2, jnp.sin(c)), x, jnp.arange(3.0))

    def repeated(x):
        return lax.while_loop(lambda c: c < 3, lambda c: lax.cond(c > 1, lambda c: jnp.sqrt(-c), lambda c: c + 1, c), x)

    for f, name in ((scanned, "log"), (repeated, "sqrt"), (lambda x: jnp.exp(x) + jnp.log(-x) * 3, "log")):
        for g in (f, weft.jit(f)):
            with weft.debug_nans(), pytest.raises(FloatingPointError, match=rf"\(nan\) encountered in {name}, "):
                weft.block_until_ready(g(x))

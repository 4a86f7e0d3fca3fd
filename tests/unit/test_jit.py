"""`jit`: what is traced when, what is compiled when, static and donated arguments, nesting, stages."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import ShapeDtypeStruct, eval_shape, grad, jit
from weft.backends.base import get_backend
from weft.dialects.array.node import STATE

X = np.array([0.5, -1.0, 2.0], np.float32)


def counted(fun):
    """The function, and a list that grows whenever it runs."""
    runs = []

    def run(*args, **kwargs):
        runs.append(args)
        return fun(*args, **kwargs)

    return run, runs


def test_traced_once_for_each_aval_and_structure():
    f, runs = counted(lambda x: jnp.sum(x["a"]) if isinstance(x, dict) else x * 2)
    g = jit(f)
    for argument, traces in [
        (X, 1),
        (X + 1, 1),
        (X[:2], 2),
        (X.astype("int32"), 3),
        (1.0, 4),
        (2.5, 4),
        (1, 5),
        ({"a": X}, 6),
        (True, 7),
    ]:
        g(argument)
        assert len(runs) == traces, argument


def test_python_scalars_are_arguments():
    g = jit(lambda x, s: x * s)
    for s in range(5):
        np.testing.assert_allclose(g(X, float(s)), X * s)
    assert g(np.ones(2, np.float16), 2.0).dtype == "float16"
    assert g(1.0, 2.0).weak_type


def test_equal_programs_are_compiled_once(monkeypatch):
    backend, compiled = get_backend("cpu"), []
    compile_ = type(backend).compile
    monkeypatch.setattr(type(backend), "compile", lambda self, *args: compiled.append(1) or compile_(self, *args))
    kept = [jit(lambda x: jnp.sin(x) * 3.25 + 1) for _ in range(3)]
    for g in kept:
        g(X)
    assert len(compiled) == 1


def test_static_arguments():
    f, runs = counted(lambda x, n, mode="a": x * n if mode == "a" else x + n)
    g = jit(f, static_argnums=1, static_argnames="mode")
    np.testing.assert_allclose(g(X, 2), X * 2)
    np.testing.assert_allclose(g(X, 3), X * 3)
    np.testing.assert_allclose(g(X, 3, mode="b"), X + 3)
    np.testing.assert_allclose(g(X, 3, mode="b"), X + 3)
    assert len(runs) == 3


def test_static_names_and_numbers_are_inferred_from_each_other():
    @partial(jit, static_argnames="n")
    def by_name(x, n):
        return x * range(n)[-1]

    @jit(static_argnums=(-1,))
    def by_number(x, n):
        return x * range(n)[-1]

    for f in (by_name, by_number):
        np.testing.assert_allclose(f(X, 3), X * 2)
        np.testing.assert_allclose(f(X, n=3), X * 2)


def test_static_values_that_are_equal_but_of_another_type_differ():
    g = jit(lambda x, n: x * n, static_argnums=1)
    assert g(np.int32([1]), 1).dtype == "int32"
    assert g(np.int32([1]), 1.0).dtype == "float32"


def test_results_are_trees_and_may_be_arguments():
    x = jnp.asarray(X)
    out = jit(lambda a, b: {"sum": a + b, "same": (a, None), "twice": (b, b)})(x, 1.0)
    np.testing.assert_allclose(out["sum"], X + 1)
    np.testing.assert_allclose(out["same"][0], X)
    assert out["same"][1] is None
    assert float(out["twice"][0]) == float(out["twice"][1]) == 1.0


def test_captured_arrays_are_arguments_of_the_program():
    c = jnp.asarray(X) + 1  # pending when it is captured
    g = jit(lambda x: x * c)
    np.testing.assert_allclose(g(X), X * (X + 1))
    np.testing.assert_allclose(grad(lambda x: jnp.sum(g(x)))(X), X + 1)


def test_arrays_made_within_belong_to_the_program():
    text = jit(lambda x: x + jnp.arange(3.0) * 2).lower(X).as_text()
    assert "array.iota" in text and text.count("%0") >= 2


def test_nested_jit_is_inlined():
    inner = jit(jnp.sin)
    text = jit(lambda x: inner(inner(x))).lower(X).as_text()
    assert text.count("array.sin") == 2


def test_methods():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        @partial(jit, static_argnums=0)
        def __call__(self, x):
            return x * self.scale

    np.testing.assert_allclose(Model(2.0)(X), 2 * X)
    np.testing.assert_allclose(Model(3.0)(X), 3 * X)


def test_keyword_arguments():
    g = jit(lambda x, *, y: x - y)
    np.testing.assert_allclose(g(X, y=1.0), X - 1)


def test_donation():
    g = jit(lambda x, y: (x + y, y), donate_argnums=0)
    x, y = jnp.asarray(X) + 0, jnp.asarray(X) * 2
    waits = x * 10  # not computed yet, and needs x
    np.testing.assert_allclose(g(x, y)[0], 3 * X)
    assert x.is_deleted() and not y.is_deleted()
    np.testing.assert_allclose(waits, 10 * X)
    with pytest.raises(RuntimeError, match="deleted"):
        np.asarray(x)
    with pytest.raises(RuntimeError, match="deleted"):
        g(x, y)
    with pytest.raises(ValueError, match="donate the same buffer twice"):
        g(y, y)
    passed_on = jnp.asarray(X)
    jit(lambda x: x, donate_argnums=0)(passed_on)
    assert not passed_on.is_deleted()


def test_donation_by_name():
    g = jit(lambda state, x: {"a": state["a"] + x}, donate_argnames="state")
    state = {"a": jnp.asarray(X)}
    g(state, 1.0)
    assert state["a"].is_deleted()
    other = {"a": jnp.asarray(X)}
    g(state=other, x=1.0)
    assert other["a"].is_deleted()


def test_eval_shape_computes_nothing():
    found = eval_shape(
        lambda p, x: {"y": x @ p["w"], "n": 1}, {"w": ShapeDtypeStruct((3, 4), "float32")}, np.ones((2, 3))
    )
    assert found == {
        "y": ShapeDtypeStruct((2, 4), "float32"),
        "n": ShapeDtypeStruct((), "int32", weak_type=True),
    }


def test_lower_and_compile():
    lowered = jit(lambda x, y: {"z": x + y}).lower(ShapeDtypeStruct((3,), "float32"), 1.0)
    assert "array.add" in lowered.as_text() and "@main" in lowered.as_text("array")
    compiled = lowered.compile()
    np.testing.assert_allclose(compiled(X, 2.0)["z"], X + 2)
    with pytest.raises(TypeError, match=r"expected float32\[3\].*got float32\[2\]"):
        compiled(X[:2], 2.0)
    with pytest.raises(TypeError, match="pytree"):
        compiled(X)
    with pytest.raises(ValueError, match="unknown stage 'ptx'"):
        lowered.as_text("ptx")


def test_disable_jit():
    f, _ = counted(lambda x: x if float(x) > 0 else -x)
    with weft.disable_jit():
        assert float(jit(f)(-2.0)) == 2.0
    with pytest.raises(weft.errors.ConcretizationTypeError):
        jit(f)(-2.0)


def test_x64_is_part_of_the_key():
    g = jit(lambda x: x * 1.5)
    assert g(2.0).dtype == "float32"
    with weft.enable_x64():
        assert g(2.0).dtype == "float64"
    assert g(2.0).dtype == "float32"


def test_an_error_leaves_everything_as_it_was():
    def fails(x):
        jnp.sin(x)
        raise KeyError("mine")

    for transform in (jit, grad, weft.vmap, lambda f: jit(grad(weft.vmap(f)))):
        with pytest.raises(KeyError):
            transform(fails)(X)
        assert not STATE.live and STATE.loc is None and STATE.pending is not None


def test_programs_die_with_their_function():
    def make():
        g = jit(lambda x: jnp.cos(x) * 7.125)
        g(X)
        return weakref.ref(next(iter(g._programs.values())).executable)

    gone = make()
    gc.collect()
    assert gone() is None


def test_results_give_their_memory_back():
    g = jit(lambda x: (x * 2, x + 1))
    x = jnp.asarray(X) + 0
    x.block_until_ready()
    g(x)
    gc.collect()
    before = get_backend("cpu").live_bytes()
    for _ in range(10):
        y, z = g(x)
    assert get_backend("cpu").live_bytes() == before + 24
    del y, z
    assert get_backend("cpu").live_bytes() == before


def test_threads_trace_for_themselves():
    g, results = jit(lambda x: jnp.sin(x) + 1), {}

    def work(number):
        x = jnp.asarray(X) * number
        results[number] = np.asarray(g(x) + grad(lambda y: jnp.sum(y * y))(x))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n in range(4):
        np.testing.assert_allclose(results[n], np.sin(X * n) + 1 + 2 * X * n, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: jit(3), TypeError, "callable"),
        (lambda: jit(lambda x: "text")(1.0), TypeError, "returned a value of type <class 'str'>"),
        (lambda: jit(lambda x: x)("text"), TypeError, "not a valid array type"),
        (lambda: jit(lambda x, n: x, static_argnums=1)(1.0, [1]), ValueError, r"Non-hashable static.*\[1\]"),
        (lambda: jit(lambda x: x, static_argnums="x"), TypeError, "static_argnums must be of type int"),
        (lambda: jit(lambda x, y: x + y)(1.0), TypeError, "y"),
    ],
)
def test_wrong_calls(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
    np.testing.assert_allclose(jit(jnp.sin)(X), np.sin(X), rtol=1e-6)

"""Calls of the host in loops, branches and functions with rules: which are made, how often, in which order, under each transform and on each device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax
from weft.debug import callback
from weft.experimental import io_callback

X = jnp.arange(3.0)
seen: list[Any] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


def note(tag: str, *values: Any) -> None:
    callback(lambda *a: seen.append((tag, *(round(float(np.asarray(v)), 2) for v in a))), *values)


def doubled(x: Any) -> Any:
    def host(a: Any) -> Any:
        seen.append(("io", float(np.asarray(a))))
        return np.asarray(a) * 2

    return io_callback(host, weft.ShapeDtypeStruct((), "float32"), lax.stop_gradient(x))


def scanned(x: Any) -> Any:
    def body(c: Any, y: Any) -> Any:
        note("in", c, y)
        return c * 2 + y, c + 1

    note("before", x)
    c, ys = lax.scan(body, x, X)
    note("after", c)
    return c + ys.sum()


def repeated(x: Any) -> Any:
    def going(s: Any) -> Any:
        note("going?", s[0])
        return s[0] < 2

    return lax.while_loop(going, lambda s: (s[0] + 1, s[1] + doubled(s[1])), (0, x))[1]


def branched(x: Any) -> Any:
    def positive(x: Any) -> Any:
        note("positive", x)
        return x * 3

    y = lax.cond(x > 0, positive, lambda x: x * 4, x)
    return lax.switch(1, [lambda y: y, lambda y: y + doubled(y), lambda y: -y], y)


def nested(x: Any) -> Any:
    def inner(i: Any, c: Any) -> Any:
        note("inner", i)
        return c + 1

    def body(c: Any, y: Any) -> Any:
        note("outer", y)
        return lax.fori_loop(0, 2, inner, c), None

    return lax.scan(body, x, X[:2], reverse=True)[0]


SCAN = [("before", 0.5), ("in", 0.5, 0), ("in", 1, 1), ("in", 3, 2), ("after", 8)]
WHILE = [("going?", 0), ("io", 0.5), ("going?", 1), ("io", 1.5), ("going?", 2)]
BRANCH = [("positive", 0.5), ("io", 1.5)]
NESTED = [("outer", 1), ("inner", 0), ("inner", 1), ("outer", 0), ("inner", 0), ("inner", 1)]
CASES = [
    (scanned, SCAN, 15.5, 15),
    (repeated, WHILE, 4.5, None),
    (branched, BRANCH, 4.5, 3),
    (nested, NESTED, 4.5, 1),
]


@pytest.mark.parametrize("device", ["cpu", "wasm", "webgpu"])
@pytest.mark.parametrize(("f", "calls", "value", "slope"), CASES, ids=[c[0].__name__ for c in CASES])
def test_once_each_in_order(device: str, f: Callable[..., Any], calls: Any, value: float, slope: float | None) -> None:
    def derivative(x: Any) -> Any:
        return weft.jvp(f, (x,), (jnp.float32(1),))

    with weft.default_device(device):
        x = jnp.float32(0.5)
        for g in (f, weft.jit(f), weft.jit(f), weft.jit(lambda x: weft.jit(f)(x) * 1)):
            seen.clear()
            assert float(g(x)) == value and seen == calls
        for g in (derivative, weft.jit(derivative)):
            seen.clear()
            assert float(g(x)[0]) == value and seen == calls
        for g in (weft.value_and_grad(f), weft.jit(weft.value_and_grad(f)), weft.value_and_grad(weft.jit(f))):
            seen.clear()
            if slope is None:
                with pytest.raises(ValueError, match="Reverse-mode"):
                    g(x)
            else:
                assert [float(v) for v in g(x)] == [value, slope] and seen == calls


def test_batched() -> None:
    batch = jnp.array([0.5, -1.0])
    for g in (weft.vmap(scanned), weft.jit(weft.vmap(scanned)), weft.vmap(weft.grad(scanned))):
        seen.clear()
        g(batch).block_until_ready()
        assert [s[0] for s in seen] == ["before"] * 2 + ["in"] * 6 + ["after"] * 2
        assert seen[2:6] == [("in", 0.5, 0), ("in", -1, 0), ("in", 1, 1), ("in", -2, 1)]
    seen.clear()
    weft.vmap(repeated)(batch)  # one number of rounds for all
    assert [s[1] for s in seen if s[0] == "io"] == [0.5, -1, 1.5, -3]


def test_rules_call_once() -> None:
    @weft.custom_jvp
    def forward(x: Any) -> Any:
        return doubled(x) + x

    forward.defjvp(lambda primals, tangents: (forward(*primals), tangents[0] * 3))

    @weft.custom_vjp
    def reverse(x: Any) -> Any:
        note("function", x)
        return x

    def fwd(x: Any) -> Any:
        note("fwd", x)
        return x, None

    def bwd(_: None, ct: Any) -> Any:
        note("bwd", ct)
        return (ct * 3,)

    reverse.defvjp(fwd, bwd)

    @weft.checkpoint
    def again(x: Any) -> Any:
        return jnp.sin(x * doubled(x))

    def loop(f: Any) -> Any:
        return lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0]

    x = jnp.float32(0.5)
    for derive in (lambda f: weft.grad(f), lambda f: weft.jit(weft.grad(f)), lambda f: weft.grad(weft.jit(f))):
        seen.clear()
        assert float(derive(lambda x: forward(weft.nn.relu(x)))(x)) == 3
        assert seen == [("io", 0.5)]
        seen.clear()
        assert float(derive(loop(forward))(x)) == 9
        assert seen == [("io", 0.5), ("io", 1.5)]
        seen.clear()
        assert float(derive(loop(reverse))(x)) == 9
        assert seen == [("fwd", 0.5), ("fwd", 0.5), ("bwd", 1), ("bwd", 3)]
        seen.clear()
        derive(again)(x)
        assert seen == [("io", 0.5)]


def test_stacked_results() -> None:
    def body(c: Any, x: Any) -> Any:
        return c + 1, {"x": weft.pure_callback(lambda a: np.asarray(a) * 2, weft.ShapeDtypeStruct((2,), "float32"), x)}

    count, ys = weft.jit(lambda xs: lax.scan(body, 0, xs))(jnp.arange(6.0).reshape(3, 2))
    assert int(count) == 3 and ys["x"].tolist() == [[0, 2], [4, 6], [8, 10]]
    assert lax.map(lambda x: body(0, x)[1]["x"].sum(), jnp.ones((2, 2))).tolist() == [4, 4]


# -- functions that are given to solvers, transposed, made explicit, printed ------------------------------------------------------------------


def newton(f: Any, x: Any) -> Any:
    note("solve", x)
    return lax.fori_loop(0, 3, lambda _, x: x - f(x) / (2 * x), x)


@pytest.mark.parametrize("outer", [lambda f: f, weft.jit, lambda f: lambda x: weft.vmap(f)(x[None])[0]])
def test_solvers_may_call_the_host(outer: Any) -> None:
    def root(a: Any) -> Any:
        def f(x: Any) -> Any:
            note("f", x)
            return x**2 - a

        return lax.custom_root(f, 1.0, newton, lambda g, y: y / g(1.0))

    def solved(b: Any) -> Any:
        def matvec(x: Any) -> Any:
            note("matvec", x)
            return 2 * x

        return lax.custom_linear_solve(matvec, b, lambda mv, b: b / mv(1.0), symmetric=True)

    a = jnp.float32(2.0)
    assert float(outer(root)(a)) == pytest.approx(2**0.5, abs=1e-3)
    assert [tag for tag, _ in seen] == ["solve", "f", "f", "f"]
    seen.clear()
    assert float(outer(weft.grad(root))(a)) == pytest.approx(0.125**0.5, abs=1e-3)
    seen.clear()
    assert float(outer(solved)(a)) == 1
    assert seen == [("matvec", 1)]
    assert float(outer(weft.grad(solved))(a)) == 0.5


def test_what_is_transposed_is_not_computed() -> None:
    def linear(x: Any) -> Any:
        note("constant", 1.0)
        note("argument", x)
        return 2 * x

    assert float(weft.linear_transpose(linear, 1.0)(3.0)[0]) == 6
    assert seen == [("constant", 1)]


def test_a_closure_made_explicit_calls_as_it_did() -> None:
    def f(x: Any) -> Any:
        note("f", x)
        return x * 2

    converted, _ = weft.closure_convert(f, 1.0)
    assert seen == []
    assert float(converted(3.0)) == float(weft.jit(converted)(3.0)) == 6
    assert seen == [("f", 3), ("f", 3)]


def test_programs_with_calls_have_a_text() -> None:
    def f(x: Any) -> Any:
        return lax.fori_loop(0, 2, lambda _, x: doubled(x), x)

    text = weft.jit(f).lower(1.0).as_text()
    assert 'what = "io_callback", callback = "host", effect = "once"' in text and "array.host_call" in text
    assert "array.host_call" in str(weft.make_jaxpr(f)(1.0))
    with pytest.raises(NotImplementedError, match="only of 'array'"):
        weft.jit(f).lower(1.0).as_text("wgsl")


def test_what_may_not_be_repeated_is_not() -> None:
    def loop(x: Any) -> Any:
        return lax.fori_loop(0, 2, lambda _, x: x * doubled(x), x)

    with pytest.raises(NotImplementedError, match="io_callback in a loop or a branch within checkpoint"):
        weft.grad(weft.checkpoint(loop))(1.0)


def test_a_call_has_no_transpose() -> None:
    @weft.custom_jvp
    def f(x: Any) -> Any:
        return x

    f.defjvp(lambda p, t: (p[0], weft.pure_callback(lambda x: x, weft.ShapeDtypeStruct((), "float32"), t[0])))
    with pytest.raises(NotImplementedError, match=r"Transpose rule.*pure_callback"):
        weft.grad(f)(1.0)

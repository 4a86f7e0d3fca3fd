"""Loops and branches under every transform, against Python's own: the same functions under `disable_jit`, where `for` and `if` run.

A case is a function of float vectors in which some control operation does the work. The matrix of cases and transforms is what tests/rules has for the other primitives.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft as jax
import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.dialects.array import all_ops, ops
from weft.dialects.array.node import aval, leaf
from weft.dialects.array.stage import stage, unstage


@pytest.fixture(autouse=True)
def on_the_oracle():
    with jax.default_device("cpu"):
        yield


CONTROL = [op for op in all_ops() if op.GRAPHS]
X = np.array([0.3, -0.7, 1.1], np.float32)
Y = np.array([0.9, 0.2, -0.4], np.float32)
XS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


def recurrent(x, y):
    h, ys = lax.scan(lambda h, r: (jnp.tanh(h * y + r), h * r), x, jnp.asarray(XS))
    return h + ys.sum(0)


def backwards(x, y):
    h, ys = lax.scan(lambda h, r: (jnp.sin(h) + r * x, {"a": h}), y, jnp.asarray(XS), reverse=True)
    return h * ys["a"][1]


def over_arguments(x, y):
    return lax.scan(lambda c, r: (c * r[0] + r[1], c), 1.0, (x, y))[1]


def mixed_carry(x, y):
    def body(c, _):
        n, f, b = c
        return (n + 1, jnp.where(b, f * y, f + n), ~b), None

    return lax.scan(body, (0, x, jnp.asarray(True)), None, length=4)[0][1]


def counted(x, y):
    return lax.fori_loop(0, 3, lambda i, c: jnp.cos(c) * y + i, x)


def written_in_place(x, y):
    return lax.fori_loop(1, 3, lambda i, c: c.at[i].set(c[i - 1] * jnp.asarray(y)[i]), jnp.asarray(x))


def swapped(x, y):
    return lax.fori_loop(0, 3, lambda i, c: (c[1], c[0] * 2 + y), (x, y))[0]


def no_round(x, y):
    return lax.scan(lambda c, r: (c * r, c), x, jnp.zeros((0, 3)))[0] + y


def nothing_carried(x, y):
    return lax.scan(lambda c, r: ((), r * x), (), jnp.stack([x, y]))[1].sum(0)


def chosen(x, y):
    return lax.cond(x[0] > 0, lambda: jnp.sin(x) * y, lambda: x * x)


def not_chosen(x, y):
    return lax.cond(x[0] < 0, lambda a: a * y, lambda a: jnp.exp(a) + jnp.sin(a * y), x)


def one_of_three(x, y):
    return lax.switch(2, [lambda a: a, lambda a: y, lambda a: jnp.sin(a) * y * a], x)


def branches_in_a_loop(x, y):
    def body(c, r):
        return lax.cond(r[0] > 0, lambda c: jnp.sin(c) * y, lambda c: c + r, c), c

    h, ys = lax.scan(body, x, jnp.asarray(XS))
    return h + ys[2]


def loop_in_a_loop(x, y):
    def inner(c, r):
        return lax.scan(lambda d, s: (d * jnp.cos(s) + y, d), c, r)

    return lax.scan(inner, x, jnp.asarray(XS))[0]


def loop_in_a_branch(x, y):
    return lax.cond(y[0] > 0, lambda a: lax.fori_loop(0, 3, lambda i, c: c * y + i, a), lambda a: a, x)


@jax.custom_jvp
def tripled(x):
    return jnp.sin(x)


tripled.defjvp(lambda primals, tangents: (tripled(primals[0]), 3.0 * tangents[0]))


def rule_in_a_loop(x, y):
    return lax.scan(lambda c, r: (tripled(c) * y + r, c), x, jnp.asarray(XS))[0]


def conditional_loop(x, y):
    return lax.while_loop(lambda c: c[0] < 4, lambda c: (c[0] + 1, jnp.sin(c[1]) * y), (0, x))[1]


def loop_by_value(x, y):
    return lax.while_loop(lambda c: jnp.abs(c).sum() < 9.0, lambda c: c * 2 + y * y, x)


def loop_in_a_conditional_loop(x, y):
    def body(c):
        return c[0] + 1, lax.fori_loop(0, 2, lambda i, d: d * y + i, c[1])

    return lax.while_loop(lambda c: c[0] < 3, body, (0, x))[1]


SCANS = [recurrent, backwards, over_arguments, mixed_carry, counted, written_in_place, swapped, nothing_carried]
REVERSIBLE = [
    *SCANS,
    chosen,
    not_chosen,
    one_of_three,
    branches_in_a_loop,
    loop_in_a_loop,
    loop_in_a_branch,
    rule_in_a_loop,
]
FORWARD = [conditional_loop, loop_by_value, loop_in_a_conditional_loop]
ALL = [*REVERSIBLE, *FORWARD]


def close(found, expected) -> None:
    leaves = jax.tree.leaves(expected)
    assert len(leaves) == len(jax.tree.leaves(found))
    for f, e in zip(jax.tree.leaves(found), leaves, strict=True):
        np.testing.assert_allclose(np.asarray(f), np.asarray(e), rtol=2e-5, atol=2e-5)


def in_python(fun, *args):
    """What Python's own loops and branches give."""
    with jax.disable_jit():
        return jax.tree.map(np.asarray, fun(*args))


named = {"ids": lambda f: getattr(f, "__name__", str(f))}


@pytest.mark.parametrize("fun", ALL, **named)
def test_values(fun) -> None:
    expected = in_python(fun, X, Y)
    close(fun(X, Y), expected)
    close(jax.jit(fun)(X, Y), expected)


@pytest.mark.parametrize("fun", ALL, **named)
@pytest.mark.parametrize("wrt", [(0,), (1,), (0, 1)], ids=str)
def test_jvp(fun, wrt) -> None:
    def push(x, y):
        args = (x, y)

        def of(*some):
            return fun(*[some[wrt.index(k)] if k in wrt else args[k] for k in range(2)])

        return jax.jvp(of, [args[k] for k in wrt], [jnp.cos(args[k]) for k in wrt])

    close(jax.jit(push)(X, Y), in_python(push, X, Y))
    close(push(X, Y), in_python(push, X, Y))


@pytest.mark.parametrize("fun", REVERSIBLE, **named)
@pytest.mark.parametrize("wrt", [0, 1, (0, 1)], ids=str)
def test_vjp(fun, wrt) -> None:
    pull = jax.grad(lambda x, y: jnp.sin(fun(x, y)).sum(), wrt)
    expected = in_python(pull, X, Y)
    close(pull(X, Y), expected)
    close(jax.jit(pull)(X, Y), expected)


@pytest.mark.parametrize("fun", REVERSIBLE, **named)
def test_second_derivatives(fun) -> None:
    pull = jax.grad(lambda x, y: jnp.sin(fun(x, y)).sum(), (0, 1))

    def forward_over_reverse(x, y):
        return jax.jvp(pull, (x, y), (y, x))[1]

    def reverse_over_reverse(x, y):
        return jax.grad(lambda x, y: sum(g.sum() for g in pull(x, y)), (0, 1))(x, y)

    expected = in_python(forward_over_reverse, X, Y)
    close(jax.jit(forward_over_reverse)(X, Y), expected)
    close(reverse_over_reverse(X, Y), in_python(reverse_over_reverse, X, Y))


@pytest.mark.parametrize("fun", ALL, **named)
@pytest.mark.parametrize("axes", [(0, None), (None, 1), (1, 0)], ids=str)
def test_vmap(fun, axes) -> None:
    size = 3
    args = [a if d is None else np.stack([a * s for s in (1, -0.5, 0.7)], d) for a, d in zip((X, Y), axes, strict=True)]

    def example(k):
        return [a if d is None else np.take(a, k, d) for a, d in zip(args, axes, strict=True)]

    expected = np.stack([in_python(fun, *example(k)) for k in range(size)])
    close(jax.vmap(fun, in_axes=axes)(*args), expected)
    close(jax.jit(jax.vmap(fun, in_axes=axes))(*args), expected)


@pytest.mark.parametrize("fun", REVERSIBLE, **named)
def test_vmap_of_grad_and_grad_of_vmap(fun) -> None:
    many = np.stack([X, -X, Y])
    pull = jax.grad(lambda x, y: jnp.sin(fun(x, y)).sum(), (0, 1))
    expected = [np.stack(g) for g in zip(*(in_python(pull, x, Y) for x in many), strict=True)]
    close(jax.vmap(pull, in_axes=(0, None))(many, Y), tuple(expected))
    total = jax.grad(lambda xs: jnp.sin(jax.vmap(fun, in_axes=(0, None))(xs, Y)).sum())
    close(jax.jit(total)(many), expected[0])


def test_reverse_rules_of_ones_own() -> None:
    @jax.custom_vjp
    def f(x, w):
        return jnp.sin(x) * w

    f.defvjp(lambda x, w: (f(x, w), (x, w)), lambda r, g: (jnp.cos(r[0]) * r[1] * g * 2.0, jnp.sin(r[0]) * g))

    def pull(w):
        return jax.grad(lambda w: lax.scan(lambda c, r: (f(c, r * w), c), w, jnp.asarray(XS))[1].sum())(w)

    close(jax.jit(pull)(X), in_python(pull, X))
    close(jax.vmap(pull)(np.stack([X, Y])), np.stack([in_python(pull, X), in_python(pull, Y)]))


def by_jvp(outside):
    """A sine whose forward rule uses an array that was computed outside."""
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (f(*primals), outside * jnp.cos(primals[0]) * tangents[0]))
    return f


def by_vjp(outside):
    """The same by a reverse rule."""
    f = jax.custom_vjp(jnp.sin)
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (outside * jnp.cos(x) * ct,))
    return f


AROUND = {
    "scan": lambda f: lambda x: lax.scan(lambda c, r: (f(c) + r[0], c), x, jnp.asarray(XS))[0],
    "fori": lambda f: lambda x: lax.fori_loop(0, 3, lambda i, c: f(c), x),
    "cond": lambda f: lambda x: lax.cond(x > 0, lambda y: f(f(y)), lambda y: 2 * y, x),
    "remat": lambda f: lambda x: lax.scan(lambda c, _: (jax.checkpoint(f)(c), None), x, length=3)[0],
    "nested": lambda f: lambda x: lax.fori_loop(0, 2, lambda i, c: lax.cond(c > 0, jnp.cos, f, c) - 1, x),
}
SCALARS = np.array([0.5, -0.3], np.float32)


@pytest.mark.parametrize("device", ["cpu", "wasm"])
@pytest.mark.parametrize("rule", [by_jvp, by_vjp])
@pytest.mark.parametrize("around", AROUND)
def test_rules_use_what_was_computed_outside(around, rule, device) -> None:
    with jax.default_device(device):
        fun = AROUND[around](rule(jnp.exp(jnp.asarray(X[0]))))
        pull = jax.grad(fun)
        expected = [in_python(pull, s) for s in SCALARS]
        for g in (pull, jax.jit(pull), jax.checkpoint(pull)):
            close(g(SCALARS[0]), expected[0])
            close(jax.vmap(g)(SCALARS), np.stack(expected))
        close(jax.grad(lambda xs: jax.vmap(fun)(xs).sum())(SCALARS), np.stack(expected))
        close(jax.grad(pull)(SCALARS[0]), in_python(jax.grad(pull), SCALARS[0]))


@pytest.mark.parametrize("around", AROUND)
def test_rules_use_what_is_being_differentiated_outside(around) -> None:
    def slope(s, x):
        return jax.grad(AROUND[around](by_jvp(jnp.exp(s))))(x)

    for g in (slope, jax.grad(slope), jax.grad(slope, 1)):
        expected = [in_python(g, np.float32(s), x) for s, x in zip(X, SCALARS, strict=False)]
        close(jax.jit(g)(X[0], SCALARS[0]), expected[0])
        close(jax.vmap(g)(X[:2], SCALARS), np.stack(expected))


def test_forward_rules_in_a_while_use_what_was_computed_outside() -> None:
    f = by_jvp(jnp.exp(jnp.asarray(X[0])))

    def fun(x):
        return lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, f(c[1])), (0, x))[1]

    def push(x):
        return jax.jvp(fun, (x,), (1.0,))[1]

    close(push(SCALARS[0]), in_python(push, SCALARS[0]))
    close(jax.vmap(push)(SCALARS), np.stack([in_python(push, s) for s in SCALARS]))


def test_while_has_no_reverse_derivative() -> None:
    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work"):
        jax.grad(lambda x: conditional_loop(x, Y).sum())(X)


# -- programs in programs --------------------------------------------------------------------------------------------------------------------

leaves = st.sampled_from(["sin", "scale", "add", "count", "flip", "same"])
programs = st.recursive(
    st.lists(leaves, min_size=1, max_size=3).map(tuple),
    lambda inner: st.tuples(st.sampled_from(["scan", "fori", "cond", "while", "then"]), inner, inner),
    max_leaves=6,
)


def run(program, w, state):
    """The state (a float vector, an integer, a truth value) after a program, which captures `w`."""
    f, n, b = state
    kind = program[0]
    if kind == "scan":
        xs = jnp.asarray(XS[:2])

        def body(c, x):
            f, n, b = run(program[1], w, c)
            return (f * 0.5 + x, n, b), f * w

        (f, n, b), ys = lax.scan(body, state, xs)
        return run(program[2], w, (f + ys.sum(0), n, b))
    if kind == "fori":
        return run(program[2], w, lax.fori_loop(0, 2, lambda i, c: run(program[1], w + i, c), state))
    if kind == "cond":
        return lax.cond(b, lambda s: run(program[1], w, s), lambda s: run(program[2], w, s), state)
    if kind == "while":
        start = (state, 0)
        state, _ = lax.while_loop(
            lambda c: (c[1] < 2) & (c[0][1] < 1000), lambda c: (run(program[1], w, c[0]), c[1] + 1), start
        )
        return run(program[2], w, state)
    if kind == "then":
        return run(program[2], w, run(program[1], w, state))
    for op in program:
        f = {"sin": jnp.sin, "scale": lambda f: f * w, "add": lambda f: f + w[::-1]}.get(op, lambda f: f)(f)
        n = n + 1 if op == "count" else n
        b = ~b if op == "flip" else b
    return f, n, b


def has_while(program) -> bool:
    return program[0] == "while" or any(isinstance(p, tuple) and has_while(p) for p in program)


@settings(max_examples=30, deadline=None)
@given(program=programs, start=st.booleans())
def test_programs_in_programs(program, start) -> None:
    def fun(w):
        return run(program, w, (jnp.asarray(X), 1, jnp.asarray(start)))

    expected = in_python(fun, Y)
    close(fun(Y), expected)
    close(jax.jit(fun)(Y), expected)

    def push(w):
        return jax.jvp(lambda w: fun(w)[0], (w,), (jnp.asarray(X),))

    close(jax.jit(push)(Y), in_python(push, Y))
    if not has_while(program):
        pull = jax.grad(lambda w: jnp.sin(fun(w)[0]).sum())
        close(jax.jit(pull)(Y), in_python(pull, Y))


# -- the IR ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", CONTROL, ids=lambda op: op.name)
@pytest.mark.parametrize("file", ["control.mlir", "control_invalid.mlir"])
def test_filecheck_shows_the_op(op, file) -> None:
    text = (Path(__file__).parents[2] / "filecheck/dialects/array" / file).read_text()
    assert f"= {op.name} " in text


@pytest.mark.parametrize("op", CONTROL, ids=lambda op: op.name)
def test_no_rule_is_missing(op) -> None:
    assert all(op.has(rule) for rule in ("infer", "jvp", "transpose", "batch", "reference"))


@pytest.mark.parametrize("fun", ALL, **named)
def test_ir_keeps_the_programs(fun) -> None:
    from weft.backends.numpy.interpreter import evaluate
    from weft.dialects.array.graph import close as closed
    from weft.dialects.array.node import staging, transform
    from weft.function import OnNodes
    from weft.tree_util import tree_structure

    with staging(), transform() as mark:
        ins = [leaf(aval((3,), "float32"), mark=mark) for _ in range(2)]
        graph, captures = closed(ins, OnNodes(fun, tree_structure((0, 0)))(*ins), since=mark)
    module = stage(graph)
    module.verify()
    again = unstage(next(iter(module.body.block.ops)))
    data = [X, Y, *(np.asarray(Array(n)) for n in captures)]
    np.testing.assert_array_equal(evaluate(again, *data)[0], evaluate(graph, *data)[0])


def test_programs_of_equal_graphs_are_one() -> None:
    def make(scale):
        return lambda x: lax.scan(lambda c, r: (c * scale + r, None), x, jnp.asarray(XS))[0]

    from weft.programs import _programs

    first, second = jax.jit(make(2.0)), jax.jit(make(2.0))
    a = first(X)
    count = len(_programs)
    b = second(X)
    assert len(_programs) == count
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert not np.array_equal(np.asarray(jax.jit(make(3.0))(X)), np.asarray(a))
    assert ops.ScanOp.GRAPHS == ("body",)

"""Batching against a loop."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import grad, jit, lax, vmap

X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


def close(a, b):
    weft.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), a, b)


def test_axes_in_and_out():
    close(vmap(jnp.sum)(X), X.sum(1))
    close(vmap(jnp.sum, in_axes=1)(X), X.sum(0))
    close(vmap(lambda x, y: x * y, in_axes=(0, None))(X, Y[0]), X * Y[0])
    close(vmap(lambda x: x, out_axes=1)(X), X.T)
    close(vmap(lambda x: x, in_axes=-1, out_axes=-1)(X), X)
    close(vmap(lambda x, y: (x, jnp.sum(y)), in_axes=(0, None), out_axes=(0, None))(X, Y), (X, Y.sum()))


def test_axes_are_prefixes_of_trees():
    tree = {"a": X, "b": (Y, Y.T)}
    found = vmap(lambda t, s: {"p": t["a"] * s, "q": t["b"][1]}, in_axes=({"a": 0, "b": (None, 1)}, None))(tree, 2.0)
    close(found, {"p": 2 * X, "q": Y})
    close(vmap(lambda t: t["a"], in_axes=({"a": 1, "b": None},))(tree), X.T)


def test_results_that_do_not_depend_on_the_batch_are_repeated():
    close(vmap(lambda x: 1.0)(X), np.ones(2))
    close(vmap(lambda x: jnp.arange(2.0), axis_size=3, in_axes=None)(X), np.tile(np.arange(2.0), (3, 1)))


def test_keyword_arguments_are_batched_along_their_first_axis():
    close(vmap(lambda x, *, y: x + y)(X, y=Y), X + Y)


def test_nested():
    close(vmap(vmap(lambda x, y: x * y, (0, None)), (None, 0))(X[0], Y[0]), np.outer(Y[0], X[0]))
    close(vmap(vmap(jnp.sin), in_axes=1)(X), np.sin(X).T)


@pytest.mark.parametrize("wrapper", [lambda f: f, jit])
def test_with_other_transforms(wrapper):
    w = np.ones(3, np.float32)

    def loss(w, x):
        return jnp.tanh(jnp.vdot(w, x)) ** 2

    t = np.tanh(X @ w)
    expected = (2 * t * (1 - t**2))[:, None] * X
    close(wrapper(vmap(grad(loss), in_axes=(None, 0)))(w, X), expected)
    close(wrapper(vmap(jit(grad(loss)), in_axes=(None, 0)))(w, X), expected)
    close(wrapper(grad(lambda w: jnp.sum(vmap(loss, (None, 0))(w, X))))(w), expected.sum(0))


def test_python_scalars_stay_weak():
    assert vmap(lambda x: x * 2)(np.ones(2, np.float16)).dtype == "float16"


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: vmap(lambda x, y: x)(X, X.T), ValueError, "inconsistent sizes.*axis 0 of argument y of type float32"),
        (lambda: vmap(lambda x: x)(1.0), ValueError, "rank should be at least 1"),
        (lambda: vmap(lambda x: x, in_axes=3)(X), ValueError, "rank should be at least 4"),
        (lambda: vmap(lambda x: x, in_axes=(0, 0))(X), ValueError, r"len\(in_axes\)=2, len\(args\)=1"),
        (lambda: vmap(lambda x: x, in_axes=({"a": 0},))(X), ValueError, "in_axes is not a prefix"),
        (lambda: vmap(lambda x: x, in_axes="0")(X), TypeError, "in_axes must be an int"),
        (lambda: vmap(lambda x: x, in_axes=None)(X), ValueError, "at least one non-None"),
        (lambda: vmap(lambda x: x, out_axes=None)(X), ValueError, "out_axes is None"),
        (lambda: vmap(lambda x: x, out_axes=2)(X), ValueError, "out of bounds"),
        (lambda: vmap(lambda x: x if x[0] > 0 else -x)(X), weft.errors.TracerBoolConversionError, "boolean"),
        (lambda: vmap(3), TypeError, "callable"),
    ],
)
def test_wrong_calls(call, kind, message):
    with pytest.raises(kind, match=f"(?s){message}"):
        call()
    close(vmap(jnp.sum)(X), X.sum(1))


def test_axis_names_that_nobody_bound() -> None:
    for wrong in (
        lambda: lax.psum(jnp.ones(3), "i"),
        lambda: lax.axis_index("i"),
        lambda: weft.vmap(lambda x: lax.psum(x, "j"), axis_name="i")(jnp.ones(3)),
    ):
        with pytest.raises(NameError, match="unbound axis name"):
            wrong()


def test_permutations_that_leave_examples_out() -> None:
    x = jnp.arange(1.0, 4.0)
    f = weft.vmap(lambda v: lax.ppermute(v, "i", [(0, 1), (1, 2)]), axis_name="i")
    assert f(x).tolist() == [0, 1, 2]
    assert weft.grad(lambda v: (f(v) ** 2).sum())(x).tolist() == [2, 4, 0]
    assert weft.vmap(lambda v: lax.pbroadcast(v, "i", 1), axis_name="i")(x).tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="must be unique"):
        weft.vmap(lambda v: lax.ppermute(v, "i", [(0, 1), (0, 2)]), axis_name="i")(x)
    with pytest.raises(ValueError, match="axis size"):
        weft.vmap(lambda v: lax.psum_scatter(v, "i"), axis_name="i")(jnp.ones((2, 3)))


def test_a_loop_captures_a_value_and_what_it_was_computed_from():
    """The first loop's result does not vary with the examples, but is computed beside what does; the second one takes both."""

    def f(n, x, c):
        k, _ = lax.scan(lambda k, _: (n, 0.0), n, (x, x))
        return lax.scan(lambda c, _: (c + k * 0.5 + jnp.sum(x), 0.0), c, None, length=3)[0]

    x, c = jnp.arange(6.0).reshape(2, 3), jnp.arange(2.0)
    for wrapped in (vmap(f, (None, 0, 0)), jit(vmap(f, (None, 0, 0)))):
        np.testing.assert_array_equal(wrapped(jnp.int32(2), x, c), [12, 40])

"""Derivatives of the user's own under every order of transforms, and recomputation."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import checkpoint, custom_jvp, custom_vjp, grad, jit, jvp, lax, linearize, vmap

X = np.array([0.5, -1.0, 2.0], np.float32)


def close(a, b):
    weft.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), a, b)


def doubled():
    """A sine whose derivative is twice the true one, so that one sees whose rule was used."""

    @custom_jvp
    def f(x):
        return jnp.sin(x)

    @f.defjvp
    def rule(primals, tangents):
        return f(*primals), 2 * jnp.cos(primals[0]) * tangents[0]

    return f


def tripled():
    """The same by a reverse rule, three times the true one."""

    @custom_vjp
    def f(x):
        return jnp.sin(x)

    f.defvjp(lambda x: (f(x), {"x": x, "n": None}), lambda r, ct: (3 * jnp.cos(r["x"]) * ct,))
    return f


@pytest.mark.parametrize(("make", "factor"), [(doubled, 2), (tripled, 3)])
def test_the_rule_holds_under_all_transforms(make, factor):
    f = make()
    expected = factor * np.cos(X)
    close(f(X), np.sin(X))
    close(jit(f)(X), np.sin(X))
    for g in (grad(f), jit(grad(f)), grad(jit(f))):
        close(g(0.5), expected[0])
        close(vmap(g)(X), expected)
        close(jit(vmap(g))(X), expected)
    close(grad(lambda x: jnp.sum(vmap(f)(x)))(X), expected)
    close(grad(lambda x: jnp.sum(jit(vmap(f))(x)))(X), expected)
    close(grad(lambda s: jnp.sum(vmap(lambda y: f(s) * y)(X)))(0.5), expected[0] * np.sum(X))


def test_second_derivatives_go_through_the_rule():
    close(grad(grad(doubled()))(0.5), -2 * np.sin(0.5))
    close(grad(grad(tripled()))(0.5), -3 * np.sin(0.5))
    close(jvp(grad(tripled()), (0.5,), (1.0,))[1], -3 * np.sin(0.5))


def test_forward_mode():
    f = doubled()
    close(jvp(f, (X,), (X,)), (np.sin(X), 2 * np.cos(X) * X))
    close(linearize(f, X)[1](X), 2 * np.cos(X) * X)
    for call in (lambda: jvp(tripled(), (X,), (X,)), lambda: linearize(tripled(), X)):
        with pytest.raises(
            TypeError, match=r"can't apply forward-mode differentiation \(jvp\) to a custom_vjp function"
        ):
            call()


def test_python_control_flow_sees_values():
    @custom_jvp
    def f(x):
        return x * 2 if x > 0 else x * 3

    f.defjvps(lambda t, out, x: t * 10)
    close(grad(f)(1.0), 10.0)
    close(grad(f)(-1.0), 10.0)


def test_defjvps_adds_the_parts():
    @custom_jvp
    def f(x, y, z):
        return x * y + z

    f.defjvps(lambda t, out, x, y, z: t * y, lambda t, out, x, y, z: t * 100, None)
    close(grad(f, argnums=(0, 1, 2))(2.0, 3.0, 4.0), (3.0, 100.0, 0.0))


def test_arguments_that_are_not_differentiated():
    @custom_jvp
    def unused(x):
        return x

    f = custom_jvp(lambda fun, x: fun(x), nondiff_argnums=(0,))
    f.defjvp(lambda fun, primals, tangents: (fun(*primals), 5 * tangents[0]))
    close(grad(lambda x: f(jnp.sin, x))(0.5), 5.0)

    g = custom_vjp(lambda x, n: x**n, nondiff_argnums=(1,))
    g.defvjp(lambda x, n: (x**n, x), lambda n, x, ct: (ct * n * 100 * x,))
    close(grad(lambda x: g(x, 3))(2.0), 600.0)
    close(jit(grad(lambda x: g(x, n=2)))(2.0), 400.0)


def test_several_arguments_and_none_for_zero():
    f = custom_vjp(lambda p, n: {"y": p["a"] * p["b"]})
    f.defvjp(lambda p, n: (f(p, n), p), lambda p, ct: ({"a": ct["y"] * 7, "b": None}, None))
    gradient = grad(lambda p: f(p, 3)["y"])({"a": 2.0, "b": 3.0})
    close(gradient, {"a": 7.0, "b": 0.0})


def test_batched_cotangents_of_shared_arguments_are_summed():
    f = custom_vjp(lambda w, x: w * x)
    f.defvjp(lambda w, x: (w * x, (w, x)), lambda r, ct: (ct * r[1], ct * r[0]))
    close(grad(lambda w: jnp.sum(vmap(f, (None, 0))(w, X)))(2.0), np.sum(X))


def test_captured_values_are_used():
    def outer(c, x):
        f = custom_jvp(lambda x: x * c)
        f.defjvp(lambda primals, tangents: (f(*primals), tangents[0] * c))
        return f(x)

    close(jit(grad(outer, argnums=1))(3.0, 2.0), 3.0)
    close(vmap(grad(outer, argnums=1))(X, X), X)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: custom_jvp(lambda x: x)(1.0), AttributeError, "No JVP defined.*defjvp"),
        (lambda: custom_vjp(lambda x: x)(1.0), AttributeError, "No VJP defined.*defvjp"),
        (lambda: grad(_with_jvp(lambda p, t: p[0]))(1.0), TypeError, "must produce a pair"),
        (
            lambda: grad(_with_jvp(lambda p, t: (p[0], (t[0], t[0]))))(1.0),
            TypeError,
            "tangent outputs: expected the structure",
        ),
        (lambda: grad(_with_jvp(lambda p, t: (p[0], jnp.ones(2))))(1.0), TypeError, "equal shapes"),
        (lambda: grad(_with_vjp(lambda r, ct: ct))(1.0), TypeError, "must produce a tuple"),
        (lambda: grad(_with_vjp(lambda r, ct: (ct, ct)))(1.0), TypeError, "must produce a tuple"),
        (lambda: grad(_with_vjp(lambda r, ct: (jnp.ones(2),)))(1.0), ValueError, "shapes"),
        (lambda: custom_jvp(3), TypeError, "callable"),
    ],
)
def test_wrong_rules(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
    close(grad(doubled())(0.5), 2 * np.cos(0.5))


def _with_jvp(rule):
    f = custom_jvp(lambda x: x)
    f.defjvp(rule)
    return f


def _with_vjp(bwd):
    f = custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, x), bwd)
    return f


# -- checkpoint ---------------------------------------------------------------------------------------------------------------------------


def chain(x):
    return jnp.sin(jnp.sin(jnp.sin(x)))


def test_checkpoint_changes_no_value():
    g = checkpoint(chain)
    for transform in (lambda f: f, grad, lambda f: grad(grad(f)), lambda f: jit(grad(f)), lambda f: weft.jacfwd(f)):
        close(transform(g)(0.5), transform(chain)(0.5))
    close(vmap(grad(g))(X), vmap(grad(chain))(X))
    close(grad(lambda x: jnp.sum(vmap(g)(x)))(X), vmap(grad(chain))(X))
    close(jvp(g, (X,), (X,)), jvp(chain, (X,), (X,)))


def test_checkpoint_computes_again():
    def loss(g):
        return lambda x: jnp.sum(g(x) ** 2)

    kept = jit(grad(loss(chain))).lower(X).as_text()
    again = jit(grad(loss(checkpoint(chain)))).lower(X).as_text()
    assert kept.count("array.sin ") == 3
    assert again.count("array.sin ") == 3 + 2, "all for the result, and what the derivative needs once more"
    assert "array.optimization_barrier" in again


def test_checkpoint_with_static_and_captured_arguments():
    def f(scale, x):
        return checkpoint(lambda x, n: jnp.sin(x * scale) * n, static_argnums=1)(x, 3)

    close(grad(f, argnums=(0, 1))(2.0, 0.5), (3 * 0.5 * np.cos(1.0), 6 * np.cos(1.0)))


def test_a_constant_that_is_read_stays_inside_a_graph():
    """What a call's graph shares with the user (here `c`) may be computed in the meantime: the graph must not find a leaf there."""
    c = jnp.arange(3.0)

    @custom_jvp
    def f(x):
        return x + c

    @f.defjvp
    def rule(primals, tangents):
        return primals[0] + c, tangents[0]

    def loss(x):
        y = f(x)
        np.testing.assert_array_equal(c, [0, 1, 2])
        np.testing.assert_array_equal(lax.stop_gradient(y), [1, 2, 3])
        return jnp.sum(y)

    close(weft.value_and_grad(loss)(jnp.ones(3)), (6.0, np.ones(3)))


def test_a_value_that_is_read_stays_inside_a_graph():
    """The same of what a call computes from captured arrays alone (`double`)."""
    c, seen = jnp.arange(3.0), []

    @checkpoint
    def f(x):
        double = c * 2
        seen.append(double)
        return jnp.sum(x * double)

    def loss(x):
        y = lax.stop_gradient(f(x))
        np.testing.assert_array_equal(seen[0], [0, 2, 4])
        return y * jnp.sum(x)

    close(weft.value_and_grad(loss)(jnp.ones(3)), (18.0, np.full(3, 6.0)))

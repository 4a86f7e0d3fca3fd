"""Derivatives of the user's own under every order of transforms, and recomputation."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import checkpoint, custom_jvp, custom_vjp, grad, jit, jvp, lax, linearize, vmap
from weft.custom_derivatives import (
    CustomVJPPrimal,
    SymbolicZero,
    custom_vjp_primal_tree_values,
    linear_call,
    zero_from_primal,
)

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


# -- zeros that are known to be zero ------------------------------------------------------------------------------------------------------


def seen_by_forward_rule(seen: list):
    @custom_jvp
    def product(x, y):
        return x * y

    def rule(primals, tangents):
        seen.append(tuple(type(t) is SymbolicZero for t in tangents))
        (x, y), (dx, dy) = primals, tangents
        parts = [t * z for t, z in ((dx, y), (dy, x)) if type(t) is not SymbolicZero]
        return x * y, sum(parts[1:], parts[0])

    product.defjvp(rule, symbolic_zeros=True)
    return product


@pytest.mark.parametrize("outer", [lambda f: f, jit, lambda f: lambda x: vmap(f)(jnp.stack([x, x]))[1]])
def test_a_forward_rule_sees_which_tangents_are_zero(outer) -> None:
    seen: list = []
    product = seen_by_forward_rule(seen)
    close(outer(grad(lambda x: product(x, 3.0)))(2.0), 3.0)
    close(outer(grad(lambda y: product(2.0, y)))(3.0), 2.0)
    close(outer(grad(lambda x: product(x, x)))(3.0), 6.0)
    assert set(seen) == {(False, True), (True, False), (False, False)}


def test_a_forward_rule_may_give_a_zero() -> None:
    @custom_jvp
    def f(x):
        return jnp.sin(x), x

    f.defjvp(lambda p, t: (f(*p), (SymbolicZero.from_primal_value(p[0]), t[0])), symbolic_zeros=True)
    close(jvp(f, (X,), (X,))[1], (0 * X, X))
    close(vmap(grad(lambda x: sum(f(x))))(X), np.ones(3))


@pytest.mark.parametrize("outer", [lambda f: f, jit, lambda f: lambda x: vmap(f)(jnp.stack([x, x]))[1]])
def test_reverse_rules_see_what_is_wanted_and_what_is_zero(outer) -> None:
    wanted, zero = [], []

    @custom_vjp
    def both(x, y):
        return x * y, x + y

    def fwd(x, y):
        wanted.append((x.perturbed, y.perturbed))
        return both(x.value, y.value), custom_vjp_primal_tree_values((x, y))

    def bwd(kept, cts):
        zero.append(tuple(type(ct) is SymbolicZero for ct in cts))
        product, total = (0.0 if type(ct) is SymbolicZero else ct for ct in cts)
        return kept[1] * product + total, SymbolicZero.from_primal_value(kept[1])

    both.defvjp(fwd, bwd, symbolic_zeros=True)
    close(outer(grad(lambda x: both(x, 3.0)[0]))(2.0), 3.0)
    close(outer(grad(lambda x: both(x, 3.0)[1]))(2.0), 1.0)
    close(outer(grad(lambda y: sum(both(2.0, y))))(3.0), 0.0)
    assert set(wanted) == {(True, False), (False, True)}
    assert set(zero) == {(False, True), (True, False), (False, False)}
    with pytest.raises(NotImplementedError, match="symbolic zeros"):
        both.defvjp(fwd, bwd, symbolic_zeros=True, optimize_remat=True)


def test_zeros_have_a_type_and_no_arithmetic() -> None:
    zero = zero_from_primal(jnp.ones((2, 3)), symbolic_zeros=True)
    assert (zero.shape, zero.ndim, zero.size, str(zero.dtype), repr(zero)) == ((2, 3), 2, 6, "float32", "SymbolicZero")
    assert SymbolicZero.from_primal_value(3).dtype == weft.float0
    close(zero_from_primal(jnp.ones(3)), np.zeros(3))
    with pytest.raises(TypeError):
        zero + 1
    with pytest.raises(TypeError, match="unexpected leaf"):
        custom_vjp_primal_tree_values([CustomVJPPrimal(1.0, True), 2.0])


# -- transposes of the user's own ---------------------------------------------------------------------------------------------------------


def transposed(f, like):
    return lambda ct: weft.linear_transpose(f, like)(ct)[0]


def same(x):
    """The identity, whose transpose multiplies by 7, so that one sees whose it is."""
    return linear_call(lambda _, x: x, lambda _, ct: 7.0 * ct, (), x)


@pytest.mark.parametrize("outer", [lambda f: f, jit, lambda f: lambda x: vmap(f)(jnp.stack([x, x]))[1]])
def test_the_transpose_of_a_linear_call_is_the_users(outer) -> None:
    once = transposed(same, 1.0)
    twice = transposed(once, 1.0)
    found = [outer(f)(2.0) for f in (same, once, twice, transposed(twice, 1.0), grad(same))]
    close(found, [2.0, 14.0, 2.0, 14.0, 7.0])
    close(outer(lambda x: jvp(same, (x,), (x,))[1])(2.0), 2.0)


def test_a_linear_call_has_residuals_and_captures() -> None:
    def scaled(r, x, c):
        return linear_call(lambda r, x: {"a": x[0] / r * c, "b": x[1]}, lambda r, ct: (ct["a"] / r * c, ct["b"]), r, x)

    x, ct = (jnp.ones(2), jnp.ones(3)), {"a": jnp.ones(2), "b": 2 * jnp.ones(3)}
    back = jit(lambda c: weft.linear_transpose(lambda *x: scaled(4.0, x, c), *x)(ct))
    close(back(8.0), (np.full(2, 2.0), np.full(3, 2.0)))
    close(vmap(lambda r: scaled(r, x, 1.0)["a"])(jnp.array([1.0, 2.0])), [[1, 1], [0.5, 0.5]])
    close(grad(lambda r: scaled(r, x, 1.0)["a"].sum())(2.0), -0.5)
    with pytest.raises(TypeError, match="transpose output pytree structure"):
        jit(lambda x: linear_call(lambda _, x: x, lambda _, ct: [ct], (), x))(1.0)

"""Derivatives against closed forms, under each other, on pytrees, with Python's control flow."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import grad, hessian, jacfwd, jacrev, jit, jvp, lax, linear_transpose, linearize, value_and_grad, vjp, vmap

X = np.array([0.5, -1.0, 2.0], np.float32)


def close(a, b, **tolerance):
    weft.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **({"rtol": 2e-5, "atol": 1e-6} | tolerance)), a, b)


def f(x):
    return jnp.sum(jnp.sin(x) * x)


def df(x):
    return np.cos(x) * x + np.sin(x)


@pytest.mark.parametrize("transformed", [grad(f), jit(grad(f)), grad(jit(f)), jit(grad(jit(f)))])
def test_grad_and_jit_commute(transformed):
    close(transformed(X), df(X))


@pytest.mark.parametrize("order", range(5))
def test_derivatives_of_any_order(order):
    g = jnp.sin
    for _ in range(order):
        g = grad(g)
    close(g(0.7), np.sin(0.7 + order * np.pi / 2), rtol=1e-4)


def test_value_and_grad_with_aux_and_argnums():
    def loss(w, x, b):
        y = w * x + b
        return jnp.sum(y**2), {"y": y, "name": "kept as it is"}

    (value, aux), (dw, db) = value_and_grad(loss, argnums=(0, 2), has_aux=True)(2.0, X, 1.0)
    y = 2 * X + 1
    close([value, aux["y"], dw, db], [np.sum(y**2), y, np.sum(2 * y * X), np.sum(2 * y)])
    assert aux["name"] == "kept as it is"
    gradient, aux = grad(loss, has_aux=True)(2.0, X, 1.0)
    close([gradient, aux["y"]], [np.sum(2 * y * X), y])
    close(grad(loss, argnums=-1, has_aux=True)(2.0, X, 1.0)[0], np.sum(2 * y))


def test_gradients_have_the_structure_of_the_argument():
    params = {"w": X, "b": (1.0, [2.0])}
    gradient = grad(lambda p: jnp.sum(p["w"]) * p["b"][0] * p["b"][1][0])(params)
    assert weft.tree.structure(gradient) == weft.tree.structure(params)
    close(gradient, {"w": np.full(3, 2.0), "b": (np.sum(X) * 2, [np.sum(X)])})


def test_arguments_that_are_not_used_have_a_gradient_of_zeros():
    close(grad(lambda x, y: x * 1.0, argnums=(0, 1))(2.0, X), (1.0, np.zeros(3)))


def test_python_control_flow_sees_values():
    def relu_power(x, n):
        if x < 0:
            return 0.0 * x
        y = 1.0
        while n > 0:
            y, n = y * x, n - 1
        return y

    close(grad(relu_power)(3.0, 4), 4 * 27)
    close(grad(relu_power)(-3.0, 4), 0)
    close(grad(grad(relu_power))(3.0, 4), 12 * 9)


def test_closures_of_outer_variables_are_differentiated_once():
    # d/dx (x * d/dy (x * y)) = d/dx (x * x) = 2 x
    close(grad(lambda x: x * grad(lambda y: x * y)(1.0))(3.0), 6.0)
    close(grad(lambda x: x * jvp(lambda y: x * y, (1.0,), (1.0,))[1])(3.0), 6.0)
    close(grad(lambda x: jit(lambda y: x * y)(x))(3.0), 6.0)
    close(jit(grad(lambda x: x * jit(grad(lambda y: x * y))(1.0)))(3.0), 6.0)


def test_a_concrete_value_may_be_read_within():
    seen = []

    def loss(x):
        y = jnp.sum(x * x)
        seen.append(y.item())
        return y * y

    close(grad(loss)(X), 4 * np.sum(X * X) * X)
    assert seen == [5.25]


READERS = {"float": float, "complex": complex, "asarray": np.asarray, "tolist": lambda y: y.tolist(), "sin": np.sin}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_would_lose_a_derivative_is_refused(read):
    """A Python number or a NumPy array is a constant to whoever computes with it; `lax.stop_gradient` says that it shall be one."""
    with pytest.raises(
        (weft.errors.ConcretizationTypeError, weft.errors.TracerArrayConversionError), match="derivative is lost"
    ):
        grad(lambda x: x * read(jnp.sum(x * x)))(2.0)
    close(grad(lambda x: x * np.real(read(lax.stop_gradient(jnp.sum(x * x)))))(2.0), np.real(read(jnp.float32(4))))


def test_vjp_gives_all_cotangents_and_may_be_called_twice():
    out, pull_back = vjp(lambda x, y: {"s": x * y, "t": jnp.sum(x)}, X, 2.0)
    close(out, {"s": 2 * X, "t": np.sum(X)})
    for scale in (1.0, 3.0):
        close(pull_back({"s": np.full(3, scale, np.float32), "t": scale}), (np.full(3, 3 * scale), scale * np.sum(X)))


def test_vjp_with_aux():
    out, pull_back, aux = vjp(lambda x: (x * x, x + 1), X, has_aux=True)
    close([out, aux, pull_back(X)[0]], [X * X, X + 1, 2 * X * X])


def test_jvp_and_linearize_agree():
    def g(x, y):
        return {"a": jnp.sin(x) * y, "b": jnp.sum(x * x)}

    primals, tangents = (X, 2.0), (X + 1, 0.5)
    out, tangent = jvp(g, primals, tangents)
    close(out, {"a": np.sin(X) * 2, "b": np.sum(X * X)})
    close(tangent, {"a": np.cos(X) * 2 * (X + 1) + np.sin(X) * 0.5, "b": 2 * np.sum(X * (X + 1))})
    again, push = linearize(g, *primals)
    close(again, out)
    close(push(*tangents), tangent)
    close(vmap(push)(np.stack([X + 1, X]), np.array([0.5, 0.0], np.float32))["a"][0], tangent["a"])


def test_jvp_with_aux_and_integers():
    out, tangent, aux = jvp(lambda x, n: (x * 2.0, n), (X, np.int32(3)), (X, np.zeros((), weft.float0)), has_aux=True)
    close([out, tangent, aux], [2 * X, 2 * X, 3])


def test_jacobians_forward_and_reverse():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)

    def g(x):
        return jnp.tanh(jnp.asarray(a) @ x)

    expected = (1 - np.tanh(a @ X)[:, None] ** 2) * a
    close(jacfwd(g)(X), expected)
    close(jacrev(g)(X), expected)
    close(jit(jacrev(g))(X), expected)


def test_jacobians_of_pytrees():
    def g(p):
        return {"product": p["x"] * p["s"], "sum": jnp.sum(p["x"])}

    p = {"x": X, "s": 2.0}
    expected = {
        "product": {"x": 2 * np.eye(3), "s": X},
        "sum": {"x": np.ones(3), "s": 0.0},
    }
    close(jacfwd(g)(p), expected)
    close(jacrev(g)(p), expected)


def test_jacobian_by_several_arguments():
    forward = jacfwd(lambda x, y: x * y, argnums=(0, 1))(X, X)
    close(forward, (np.diag(X), np.diag(X)))
    close(jacrev(lambda x, y: x * y, argnums=(0, 1))(X, X), forward)


def test_hessian():
    expected = np.diag(2 * np.cos(X) - X * np.sin(X))
    close(hessian(f)(X), expected)
    close(jit(hessian(f))(X), expected)
    close(jacfwd(jacfwd(f))(X), expected)
    close(jacrev(jacrev(f))(X), expected)


def test_hessian_vector_product():
    v = np.array([1.0, 2.0, 3.0], np.float32)
    expected = (2 * np.cos(X) - X * np.sin(X)) * v
    close(jvp(grad(f), (X,), (v,))[1], expected)
    close(grad(lambda x: jnp.vdot(grad(f)(x), v))(X), expected)


def test_vmap_of_grad_and_grad_of_vmap():
    close(vmap(grad(lambda x: jnp.sin(x) * x))(X), df(X))
    close(grad(lambda x: jnp.sum(vmap(lambda y: jnp.sin(y) * y)(x)))(X), df(X))


def test_linear_transpose():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    transposed = linear_transpose(lambda x: jnp.asarray(a) @ x, weft.ShapeDtypeStruct((3,), "float32"))
    (ct,) = transposed(np.array([1.0, 2.0], np.float32))
    close(ct, a.T @ np.array([1, 2]))


def test_gradients_are_as_weak_as_their_arguments():
    assert grad(jnp.sin)(2.0).weak_type and not grad(jnp.sin)(np.float32(2)).weak_type
    assert grad(lambda s, x: jnp.sum(s * x))(2.0, X.astype(np.float16)).dtype == "float32"


def test_weak_scalars_broadcast_back():
    close(grad(lambda s: jnp.sum(s * jnp.ones((2, 3))))(2.0), 6.0)
    close(grad(lambda s: jnp.sum(jnp.where(jnp.ones(3) > 0, s, 0.0)))(2.0), 3.0)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: grad(lambda x: x * 2)(X), TypeError, r"scalar-output functions. Output had shape: \(3,\)"),
        (lambda: grad(lambda x: (x, x))(1.0), TypeError, "scalar-output functions"),
        (lambda: grad(lambda x: x)(3), TypeError, "real- or complex-valued inputs.*int32"),
        (lambda: grad(lambda x: x > 0)(1.0), TypeError, "real-valued outputs"),
        (lambda: grad(lambda x: x, argnums=1)(1.0), TypeError, "argnums=1 requires at least 2 positional arguments"),
        (lambda: grad(lambda x: x, has_aux=True)(1.0), TypeError, "pair"),
        (lambda: grad(3), TypeError, "callable"),
        (lambda: jvp(lambda x: x, (X,), (X[:2],)), ValueError, r"jvp: the tangent has shape \(2,\)"),
        (lambda: jvp(lambda x: x, X, X), TypeError, "primals must be a tuple or list"),
        (lambda: jvp(lambda x: x, (X,), ((X, X),)), TypeError, "structure"),
        (lambda: jvp(lambda x: x, (X,), (np.int32([1, 2, 3]),)), TypeError, "dtype int32"),
        (lambda: vjp(lambda x: x, X)[1](X[:2]), ValueError, "cotangent has shape"),
        (lambda: vjp(lambda x: (x, x), X)[1](X), ValueError, "structure"),
    ],
)
def test_wrong_calls(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
    close(grad(f)(X), df(X))


def test_allow_int():
    of_integer, of_float = grad(lambda n, x: x * 2.0, argnums=(0, 1), allow_int=True)(3, 1.0)
    assert of_integer.dtype == weft.float0 and of_integer.shape == () and float(of_float) == 2


def test_linear_functions_leave_jit():
    x, ct = np.array([0.5, 1.0, 2.0], np.float32), np.array([1.0, 2.0, 3.0], np.float32)

    def f(x):
        return jnp.sin(x) * x

    for derive in (lambda x: vjp(f, x)[1], lambda x: linearize(f, x)[1]):
        outside, inside = derive(x), jit(derive)(x)
        expected = outside(ct)
        close(inside(ct), expected)
        close(jit(lambda g, ct: g(ct))(inside, ct), expected)
        close(vmap(inside)(np.stack([ct, 2 * ct])), weft.tree.map(lambda e: jnp.stack([e, 2 * e]), expected))
        moved = weft.tree.map(lambda r: r * 1, outside)
        close(moved(ct), expected)

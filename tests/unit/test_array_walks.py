"""The walks against derivatives written by hand, under each other, and with custom rules. Played by the reference rules."""

import numpy as np
import pytest

from weft.backends.numpy.interpreter import evaluate
from weft.dialects.array.custom import CustomJvpCall, CustomVjpCall
from weft.dialects.array.graph import Graph, close
from weft.dialects.array.node import STATE, aval, leaf
from weft.dialects.array.op import literal
from weft.dialects.array.ops import AddOp, BroadcastInDimOp, CosOp, FloorOp, MulOp, NegOp, ReduceOp, SinOp, TransposeOp
from weft.dialects.array.walks import (
    batch_call,
    batch_graph,
    dependents,
    flip,
    jvp_call,
    linearize,
    residuals,
    vjp_call,
)

F32 = aval((), "float32")
X = np.array([0.5, -1.0, 2.0], np.float32)


def run(outs, *pairs):
    """The values of nodes, given values of leaves."""
    return evaluate(Graph([n for n, _ in pairs], outs), *(v for _, v in pairs))


def grad(fun):
    """A function on nodes that gives the derivatives of `fun`'s one scalar result."""

    def derived(*args):
        outs, pull_back = vjp_call(fun, args)
        return pull_back([literal(1.0, outs[0])])

    return derived


def total(x):
    return ReduceOp.bind(x, kind="add", axes=tuple(range(x.ndim)))


def test_jvp_of_a_chain():
    x, dx = leaf(aval((3,), "float32")), leaf(aval((3,), "float32"))
    outs, tangents = jvp_call(lambda x: [MulOp.bind(SinOp.bind(x), x)], [x], [dx])
    value, tangent = run([*outs, *tangents], (x, X), (dx, X + 1))
    np.testing.assert_allclose(value, np.sin(X) * X, rtol=1e-6)
    np.testing.assert_allclose(tangent, (np.cos(X) * X + np.sin(X)) * (X + 1), rtol=1e-6)


def test_tangents_that_are_zero_are_none():
    x = leaf(F32)
    _outs, tangents = jvp_call(lambda x, y: [SinOp.bind(x), y, FloorOp.bind(y)], [x, x], [None, x])
    assert tangents == [None, x, None]


def test_grad_of_grad_of_grad():
    x = leaf(F32)
    third = grad(lambda x: grad(lambda x: grad(lambda x: [SinOp.bind(x)])(x))(x))(x)
    np.testing.assert_allclose(run(third, (x, 0.3)), [-np.cos(0.3)], rtol=1e-6)


def test_a_nested_transform_sees_the_outer_variable_as_a_constant():
    # d/dx (x * d/dy (x + y)) = 1: perturbations are not confused
    x = leaf(F32)

    def outer(x):
        (inner,) = grad(lambda y: [AddOp.bind(x, y)])(leaf(F32, value=1.0))
        return [MulOp.bind(x, inner)]

    np.testing.assert_allclose(run(grad(outer)(x), (x, 5.0)), [1.0])


def test_a_scalar_operand_gets_the_sum():
    x, s = leaf(aval((3,), "float32")), leaf(F32)
    dx, ds = grad(lambda x, s: [total(MulOp.bind(x, s))])(x, s)
    assert ds.shape == ()
    dx, ds = run([dx, ds], (x, X), (s, 2.0))
    np.testing.assert_allclose(dx, [2, 2, 2])
    np.testing.assert_allclose(ds, X.sum())


def test_a_tangent_of_a_scalar_operand_has_the_results_shape():
    x, s = leaf(aval((3,), "float32")), leaf(F32)
    _outs, (tangent,) = jvp_call(lambda x, s: [AddOp.bind(x, s)], [x, s], [None, s])
    np.testing.assert_allclose(run([tangent], (s, 2.0)), [[2, 2, 2]])


def test_cotangents_add_up_where_a_value_is_used_twice():
    x = leaf(F32)
    (d,) = grad(lambda x: [AddOp.bind(MulOp.bind(x, x), x)])(x)
    np.testing.assert_allclose(run([d], (x, 3.0)), [7.0])


def test_unused_arguments_and_integers_have_no_cotangent():
    x, i = leaf(F32), leaf(aval((), "int32"))
    _, pull_back = vjp_call(lambda x, y, i: [SinOp.bind(x)], [x, x, i])
    (first, second, third) = pull_back([x])
    assert first is not None and second is None and third is None


def test_derived_nodes_belong_to_the_users_line():
    x = leaf(F32)
    y = SinOp.bind(x)
    outs, (tangent,) = jvp_call(lambda x: [SinOp.bind(x)], [x], [x])
    assert tangent.loc == outs[0].loc != y.loc
    assert STATE.loc is None


def test_batching_keeps_axes_where_they_are():
    x = leaf(aval((3, 5), "float32"))
    ((y, d),) = batch_call(lambda x: [MulOp.bind(SinOp.bind(x), literal(2.0, x))], 5, [x], [1])
    assert d == 1 and y.shape == (3, 5)
    assert not any(n.op is TransposeOp for n in Graph([x], [y]).nodes)


@pytest.mark.parametrize("dims", [(0, 0), (1, 0), (0, None), (None, 1), (2, None)])
def test_batching_aligns_operands(dims):
    rng = np.random.default_rng(0)
    args = [
        rng.normal(size=[4 if i == d else n for i, n in enumerate((2, 3) if d is None else insert((2, 3), d))])
        for d in dims
    ]
    args = [a.astype(np.float32) for a in args]
    nodes = [leaf(aval(a.shape, "float32")) for a in args]
    ((y, d),) = batch_call(lambda x, y: [MulOp.bind(x, y)], 4, nodes, dims)
    (got,) = run([y], *zip(nodes, args, strict=True))
    front = [
        np.broadcast_to(a, (4, 2, 3)) if d is None else np.moveaxis(a, d, 0) for a, d in zip(args, dims, strict=True)
    ]
    np.testing.assert_allclose(np.moveaxis(got, d, 0), front[0] * front[1], rtol=1e-6)


def insert(shape, d):
    return (*shape[:d], 4, *shape[d:])


def test_a_batched_scalar_meets_an_array():
    s, x = leaf(aval((4,), "float32")), leaf(aval((3,), "float32"))
    ((y, d),) = batch_call(lambda s, x: [AddOp.bind(x, s)], 4, [s, x], [0, None])
    (got,) = run([y], (s, np.arange(4)), (x, X))
    np.testing.assert_allclose(np.moveaxis(got, d, 0), X + np.arange(4)[:, None])


def test_vmap_of_grad_and_grad_of_vmap():
    x = leaf(aval((3,), "float32"))
    ((a, _d),) = batch_call(grad(lambda x: [SinOp.bind(x)]), 3, [x], [0])
    (b,) = grad(lambda x: [total(batch_call(lambda x: [SinOp.bind(x)], 3, [x], [0])[0][0])])(x)
    for got in run([a, b], (x, X)):
        np.testing.assert_allclose(got, np.cos(X), rtol=1e-6)


def test_what_does_not_depend_on_the_batch_is_not_batched():
    x, y = leaf(aval((3,), "float32")), leaf(F32)
    outs = batch_call(lambda x, y: [SinOp.bind(y), x, y], 3, [x, y], [0, None])
    assert [d for _, d in outs] == [None, 0, None]


def test_linearize_and_flip_are_the_pieces_of_reverse_mode():
    x, y = leaf(aval((3,), "float32")), leaf(aval((3,), "float32"))
    graph, _ = close([x, y], [MulOp.bind(SinOp.bind(x), y), NegOp.bind(y)])
    primal, tangent, count, active = linearize(graph, [True, False])
    assert active == [True, False]
    assert len(primal.outs) == 2 + count and len(tangent.ins) == count + 1
    values = evaluate(primal, X, X + 1)
    np.testing.assert_allclose(values[1], -(X + 1))
    (t,) = evaluate(tangent, *values[2:], X)
    np.testing.assert_allclose(t, np.cos(X) * (X + 1) * X, rtol=1e-6)
    (ct,) = evaluate(flip(tangent, count), *values[2:], X)
    np.testing.assert_allclose(ct, np.cos(X) * (X + 1) * X, rtol=1e-6)


def test_residuals_are_what_the_linear_part_takes_from_elsewhere():
    x, dx = leaf(F32), leaf(F32)
    _outs, tangents = jvp_call(lambda x: [MulOp.bind(SinOp.bind(x), literal(2.0, x))], [x], [dx])
    (kept,) = residuals([t for t in tangents if t], [dx])
    assert kept.op is CosOp
    assert all(n in dependents(tangents, [dx]) for n in tangents)


def test_batch_graph():
    x, y = leaf(aval((2, 3), "float32")), leaf(F32)
    graph = Graph([x, y], [MulOp.bind(TransposeOp.bind(x, permutation=(1, 0)), y)])
    batched, (d,) = batch_graph(graph, 4, [2, None])
    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    (got,) = evaluate(batched, a, 2.0)
    np.testing.assert_allclose(np.moveaxis(got, d, 0), 2 * a.transpose(2, 1, 0))


# -- custom rules: sin whose derivative is declared to be 10, so that it is seen which rule was at work ------------------------------------


def custom_jvp(x):
    graph, captures = close([x0 := leaf(x.aval)], [SinOp.bind(x0)])
    ten = literal(10.0, x)
    return list(
        CustomJvpCall.bind(x, *captures, graph=graph, rule=lambda p, t: ([SinOp.bind(p[0])], [MulOp.bind(t[0], ten)]))
    )


def custom_vjp(x):
    graph, captures = close([x0 := leaf(x.aval)], [SinOp.bind(x0)])
    return list(
        CustomVjpCall.bind(
            x,
            *captures,
            graph=graph,
            fwd=lambda args, active: ([SinOp.bind(*args)], args),
            bwd=lambda res, cts: [MulOp.bind(MulOp.bind(cts[0], literal(10.0, cts[0])), res[0])],
        )
    )


def test_custom_jvp_in_both_modes():
    x = leaf(F32)
    _, (tangent,) = jvp_call(custom_jvp, [x], [x])
    np.testing.assert_allclose(run([tangent], (x, 2.0)), [20.0])
    np.testing.assert_allclose(run(grad(custom_jvp)(x), (x, 2.0)), [10.0])
    np.testing.assert_allclose(run(custom_jvp(x), (x, 2.0)), [np.sin(2.0)], rtol=1e-6)


@pytest.mark.parametrize("fun, expected", [(custom_jvp, np.full(3, 10)), (custom_vjp, 10 * X)])
def test_custom_rules_hold_under_vmap(fun, expected):
    x = leaf(aval((3,), "float32"))
    ((a, _),) = batch_call(grad(fun), 3, [x], [0])
    (b,) = grad(lambda x: [total(batch_call(fun, 3, [x], [0])[0][0])])(x)
    for got in run([a, b], (x, X)):
        np.testing.assert_allclose(got, expected)


def test_custom_vjp_sums_over_the_batch_for_shared_arguments():
    def product(x, y):
        graph, captures = close([x0 := leaf(F32), y0 := leaf(F32)], [MulOp.bind(x0, y0)])
        assert not captures
        rules = {
            "fwd": lambda args, active: ([MulOp.bind(*args)], args),
            "bwd": lambda res, cts: [MulOp.bind(cts[0], res[1]), MulOp.bind(cts[0], res[0])],
        }
        return CustomVjpCall.bind(x, y, graph=graph, **rules)

    x, y = leaf(aval((3,), "float32")), leaf(F32)
    dx, dy = grad(lambda x, y: [total(batch_call(product, 3, [x, y], [0, None])[0][0])])(x, y)
    dx, dy = run([dx, dy], (x, X), (y, 2.0))
    np.testing.assert_allclose(dx, [2, 2, 2])
    np.testing.assert_allclose(dy, X.sum())


def test_custom_vjp_twice_differentiates_the_backward_rule():
    x = leaf(F32)
    (second,) = grad(grad(custom_vjp))(x)
    np.testing.assert_allclose(run([second], (x, 2.0)), [10.0])


def test_custom_vjp_refuses_forward_mode():
    x = leaf(F32)
    _, tangents = jvp_call(custom_vjp, [x], [x])
    with pytest.raises(TypeError, match="can't apply forward-mode differentiation"):
        run(tangents, (x, 2.0))


def test_broadcasting_transposes_to_a_sum():
    x = leaf(aval((3,), "float32"))
    spread = lambda x: [total(BroadcastInDimOp.bind(x, shape=(4, 3), broadcast_dimensions=(1,)))]  # noqa: E731
    np.testing.assert_allclose(run(grad(spread)(x), (x, X)), [np.full(3, 4)])

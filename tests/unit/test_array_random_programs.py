"""Laws of the walks, on random programs: forward and reverse agree, a batch is a loop, staging and the text keep the meaning."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.backends.numpy.interpreter import evaluate
from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Node, aval, leaf
from weft.dialects.array.ops import AddOp, MulOp, NegOp, ReduceOp, SinOp
from weft.dialects.array.stage import stage, unstage
from weft.dialects.array.walks import batch_call, jvp_call, vjp_call

Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(st.sampled_from(["add", "mul", "sin", "neg", "sum"]), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=8,
)
VECTOR, SCALAR = aval((3,), "float64"), aval((), "float64")


def program(plan: list[Step]):
    """A function of a vector and a scalar: each step takes two of the values so far."""

    def fun(x: Node, s: Node) -> list[Node]:
        values = [x, s]
        for name, a, b in plan:
            u, v = values[a % len(values)], values[b % len(values)]
            match name:
                case "add":
                    values.append(AddOp.bind(u, v))
                case "mul":
                    values.append(MulOp.bind(u, v))
                case "sin":
                    values.append(SinOp.bind(u))
                case "neg":
                    values.append(NegOp.bind(u))
                case _:
                    values.append(ReduceOp.bind(u, kind="add", axes=tuple(range(u.ndim))))
        return values[-2:]

    return fun


def arrays(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


@given(steps)
@settings(max_examples=25, deadline=None)
def test_forward_and_reverse_mode_agree(plan):
    ins = [leaf(VECTOR), leaf(SCALAR), leaf(VECTOR), leaf(SCALAR)]
    values = arrays(0, (3,), (), (3,), ())
    outs, tangents = jvp_call(program(plan), ins[:2], ins[2:])
    cts = arrays(1, *(o.shape for o in outs))
    ct_leaves = [leaf(o.aval) for o in outs]
    _, pull_back = vjp_call(program(plan), ins[:2])
    back = pull_back(ct_leaves)
    assert all(ct is None or ct.shape == x.shape for ct, x in zip(back, ins, strict=False))
    assert all(t is None or t.shape == o.shape for t, o in zip(tangents, outs, strict=True))
    numbers = evaluate(Graph([*ins, *ct_leaves], [n for n in (*tangents, *back) if n]), *values, *cts)
    found = iter(numbers)
    forward = sum(np.sum(next(found) * ct) for t, ct in zip(tangents, cts, strict=True) if t)
    reverse = sum(np.sum(next(found) * v) for ct, v in zip(back, values[2:], strict=True) if ct)
    np.testing.assert_allclose(forward, reverse, rtol=1e-9, atol=1e-9)


@given(steps, st.sampled_from([(0, 0), (1, None), (None, 0), (0, None)]))
@settings(max_examples=25, deadline=None)
def test_a_batch_is_a_loop(plan, dims):
    full = arrays(2, (3,) if dims[0] is None else (5, 3), () if dims[1] is None else (5,))
    args = [a if d is None else np.moveaxis(a, 0, d) for a, d in zip(full, dims, strict=True)]
    nodes = [leaf(aval(a.shape, "float64")) for a in args]
    outs = batch_call(program(plan), 5, nodes, dims)
    got = evaluate(Graph(nodes, [n for n, _ in outs]), *args)
    x, s = leaf(VECTOR), leaf(SCALAR)
    graph = Graph([x, s], program(plan)(x, s))
    for i in range(5):
        expected = evaluate(graph, *(a if d is None else a[i] for a, d in zip(full, dims, strict=True)))
        for value, (_, d), want in zip(got, outs, expected, strict=True):
            np.testing.assert_allclose(value if d is None else np.moveaxis(value, d, 0)[i], want, rtol=1e-9, atol=1e-9)


@given(steps)
@settings(max_examples=25, deadline=None)
def test_copies_are_equal(plan):
    x, s = leaf(VECTOR), leaf(SCALAR)
    graph = Graph([x, s], program(plan)(x, s))
    y, t = leaf(VECTOR), leaf(SCALAR)
    copy = Graph([y, t], inline(graph, [y, t]))
    assert copy == graph and hash(copy) == hash(graph)
    (func,) = stage(graph).body.block.ops
    values = arrays(3, (3,), ())
    for a, b in zip(evaluate(graph, *values), evaluate(unstage(func), *values), strict=True):
        np.testing.assert_array_equal(a, b)

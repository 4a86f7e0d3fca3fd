"""Graphs: closing over captures, structural equality, inlining."""

from weft.dialects.array.graph import Graph, close, inline, reachable
from weft.dialects.array.node import STATE, aval, leaf, transform, wrap
from weft.dialects.array.op import literal
from weft.dialects.array.ops import AddOp, MulOp, SinOp

F32 = aval((), "float32")


def chain(x, factor):
    return AddOp.bind(SinOp.bind(MulOp.bind(x, factor)), literal(1.0, x))


def test_nodes_stand_operands_first_and_stop_at_inputs():
    x = leaf(F32)
    y = SinOp.bind(x)
    z = AddOp.bind(y, x)
    assert Graph([x], [z]).nodes == [y, z]
    assert Graph([y, x], [z]).nodes == [z]
    assert reachable([z], since=y.serial) == [y, z]


def test_close_captures_leaves_and_what_is_older():
    one = literal(1.0, F32)  # older than the trace, but it can be made again
    weights = leaf(F32, value="weights")
    old = SinOp.bind(weights)
    since = old.serial + 1
    x, scalar = leaf(F32), leaf(F32, value=2.0)
    out = AddOp.bind(MulOp.bind(AddOp.bind(x, scalar), old), AddOp.bind(one, weights))
    graph, captures = close([x], [out], since)
    assert captures == [scalar, old, weights]  # in the order of first use
    assert graph.ins == (x, scalar, old, weights)
    assert one in graph.nodes and len(graph.nodes) == 5
    assert graph.nodes == Graph(graph.ins, graph.outs).nodes


def test_an_output_may_be_an_input_or_a_capture():
    x, other = leaf(F32), leaf(F32)
    graph, captures = close([x], [x, other])
    assert captures == [other] and graph.nodes == [] and graph.outs == (x, other)


def test_equal_structure_is_equal():
    def graph(factor, shape=()):
        x, c = leaf(aval(shape, "float32")), leaf(F32)
        return Graph([x, c], [chain(MulOp.bind(x, c), literal(factor, x))])

    assert graph(2.0) == graph(2.0) and hash(graph(2.0)) == hash(graph(2.0))
    assert graph(2.0) != graph(3.0)
    assert graph(0.0) != graph(-0.0)
    assert graph(2.0) != graph(2.0, (4,))
    assert {graph(2.0): "found"}[graph(2.0)] == "found"


def test_who_feeds_whom_is_part_of_the_structure():
    x, y = leaf(F32), leaf(F32)
    assert Graph([x, y], [AddOp.bind(x, x)]) != Graph([x, y], [AddOp.bind(x, y)])
    assert Graph([x, y], [AddOp.bind(x, y)]) != Graph([y, x], [AddOp.bind(x, y)])


def test_wrapping_does_not_change_the_structure():
    x = leaf(F32)
    with transform() as mark:
        wrapped = SinOp.bind(wrap(x, mark))
    assert Graph([x], [wrapped]) == Graph([x], [SinOp.bind(x)])


def test_inlining_copies_only_what_depends_on_inputs():
    x, y = leaf(F32), leaf(F32)
    fixed = SinOp.bind(literal(2.0, x))
    graph = Graph([x], [MulOp.bind(x, fixed), fixed])
    product, same = inline(graph, [y])
    assert same is fixed
    assert product.inputs == (y, fixed)
    assert product.loc == graph.outs[0].loc and STATE.loc is None

"""Staging: nodes to IR and back."""

import pytest
from xdsl.dialects.builtin import FileLineColLoc, ModuleOp
from xdsl.dialects.func import FuncOp

from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.custom import CustomJvpCall
from weft.dialects.array.graph import Graph, close
from weft.dialects.array.node import STATE, aval, bind, leaf, transform, wrap
from weft.dialects.array.op import literal
from weft.dialects.array.ops import AddOp, MulOp, ReduceOp, SinOp
from weft.dialects.array.stage import stage, unstage

VECTOR = aval((4,), "float32")


def main(module: ModuleOp) -> FuncOp:
    (func,) = module.body.block.ops
    assert isinstance(func, FuncOp)
    return func


def example() -> Graph:
    x, s = leaf(VECTOR), leaf(aval((), "float32", weak_type=True))
    with transform() as mark:
        y = SinOp.bind(wrap(x, mark))
    return Graph([x, s], [ReduceOp.bind(MulOp.bind(y, s), kind="add", axes=(0,)), x])


def test_a_graph_becomes_a_function():
    module = stage(example())
    module.verify()
    assert (
        str(module)
        == """\
builtin.module {
  func.func @main(%0: tensor<4xf32>, %1: tensor<f32>) -> (tensor<f32>, tensor<4xf32>) {
    %2 = array.sin %0 : tensor<4xf32>
    %3 = array.mul %2, %1 : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
    %4 = array.reduce add %3 axes [0] : tensor<4xf32> -> tensor<f32>
    func.return %4, %0 : tensor<f32>, tensor<4xf32>
  }
}"""
    )


def test_and_back():
    module = stage(example())
    assert str(stage(unstage(main(module)))) == str(module)


def test_every_op_has_the_users_line():
    for op in main(stage(example())).body.block.ops:
        if op.name.startswith("array."):
            assert isinstance(op.location, FileLineColLoc)
            assert op.location.filename.data == __file__


def test_what_is_computed_twice_is_written_once():
    x = leaf(VECTOR)
    module = stage(Graph([x], [AddOp.bind(SinOp.bind(x), SinOp.bind(x))]))
    assert str(module).count("array.sin") == 1


def test_zero_and_minus_zero_stay_apart():
    x = leaf(VECTOR)
    text = str(stage(Graph([x], [AddOp.bind(AddOp.bind(x, literal(0.0, x)), literal(-0.0, x))])))
    assert "array.constant 0.0 :" in text and "array.constant -0.0 :" in text


def test_a_custom_call_is_written_in_place():
    inner = leaf(VECTOR)
    graph = Graph([inner], [SinOp.bind(inner), inner])
    x = leaf(VECTOR)
    first, second = CustomJvpCall.bind(AddOp.bind(x, x), graph=graph, rule=None)
    text = str(stage(Graph([x], [MulOp.bind(first, second)])))
    assert [line.split()[2] for line in text.splitlines() if "array." in line] == [
        "array.add",
        "array.sin",
        "array.mul",
    ]


def test_an_open_graph_is_refused():
    x, captured = leaf(VECTOR), leaf(VECTOR)
    with pytest.raises(ValueError, match="which is none of its inputs: close it first"):
        stage(Graph([x], [AddOp.bind(x, captured)]))
    graph, _ = close([x], [AddOp.bind(x, captured)])
    stage(graph).verify()


def test_unstaging_leaves_nothing_pending():
    module = stage(Graph([], [bind(ConstantOp, value=1.0, shape=(2,), dtype=VECTOR.dtype)]))
    before, STATE.pending = STATE.pending, []
    try:
        unstage(main(module))
        assert STATE.pending == []
    finally:
        STATE.pending = before

"""The builder pulls: reads are shared, axes are taken over by reductions, guards travel to the loads, symbols are numbered for each op."""

from __future__ import annotations

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import TensorType, f32, i32
from xdsl.ir import Block

from weft.dialects import dtypes
from weft.dialects.kernel.affine import Expr
from weft.dialects.kernel.builder import NestBuilder, Operand
from weft.dialects.kernel.ops import InsideOp, LoadOp, ReduceOp, StoreOp


def tensors(*shapes, element=f32):
    """Arrays from outside, as operands."""
    return [Operand.of(a) for a in Block(arg_types=[TensorType(element, s) for s in shapes]).args]


def ops(nest, kind):
    return [op for op in nest.block.ops if isinstance(op, kind)]


def build(b, out, value, index):
    b.store(out.value, value, index)
    nest = b.finish()
    nest.verify()
    return nest


def test_two_reads_at_one_index_are_one_load():
    x, out = tensors((4, 5), (4, 5))
    b = NestBuilder()
    index = b.parallel(x.shape)
    nest = build(b, out, b.op(arith.MulfOp, b.read(x, index), b.read(x, index)), index)
    assert len(ops(nest, LoadOp)) == 1 and str(nest.axes) == "[i: par 4, j: par 5]"


def test_extent_one_needs_no_axis():
    x, out = tensors((1, 5, 1), (1, 5, 1))
    b = NestBuilder()
    index = b.parallel(x.shape)
    assert index[0] == index[2] == Expr(0)
    nest = build(b, out, b.read(x, index), index)
    assert str(nest.axes) == "[i: par 5]"


def softmax(b, x, index):
    """Both reductions run over the axis along which the result is stored."""

    def producer(kind, arg):
        def produce(b, index):
            j = b.axis(x.shape[1])
            return b.reduce(kind, b.read(arg, (index[0], j)), [j])

        return produce

    m, e, s = tensors(x.shape[:1], x.shape, x.shape[:1])
    b.inlined |= {
        m.value: producer("max", x),
        e.value: lambda b, i: b.op(math.ExpOp, b.op(arith.SubfOp, b.read(x, i), b.read(m, i[:1]))),
        s.value: producer("add", e),
    }
    return b.op(arith.DivfOp, b.read(e, index), b.read(s, index[:1]))


def test_a_reduction_takes_over_the_axis_of_its_row():
    x, out = tensors((4, 5), (4, 5))
    b = NestBuilder()
    index = b.parallel(x.shape)
    nest = build(b, out, softmax(b, x, index), index)
    assert str(nest.axes) == "[i: par 4, j: red 5]"
    assert len(ops(nest, LoadOp)) == 1 and len(ops(nest, ReduceOp)) == 2


def test_a_reduction_gets_an_axis_of_its_own_if_the_value_depends_on_all():
    x, y, out = tensors((4, 4), (4, 4), (4, 4))
    b = NestBuilder({y.value: lambda b, i: b.reduce("add", b.read(x, (i[0], k := b.axis(4))), [k])})
    index = b.parallel(out.shape)
    nest = build(b, out, b.read(y, index), index)
    assert str(nest.axes) == "[i: par 4, j: par 4, k: red 4]"


def test_parallel_axes_come_first():
    x, m, out = tensors((4, 5), (5,), (4, 5))

    def column_sum(b, index):
        i = b.axis(4)
        return b.reduce("add", b.read(x, (i, index[0])), [i])

    b = NestBuilder({m.value: column_sum})
    index = b.parallel(out.shape)
    nest = build(b, out, b.op(arith.SubfOp, b.read(x, index), b.read(m, index[1:])), index)
    assert str(nest.axes) == "[j: par 5, i: red 4]"


def test_a_guard_reaches_the_loads_inside():
    x, y, out = tensors((4,), (4,), (6,))
    b = NestBuilder({y.value: lambda b, i: b.op(arith.NegfOp, b.read(x, i))})
    (i,) = b.parallel(out.shape)
    value = b.inside([(i - 1, 0, 4)], lambda: b.read(y, (i - 1,)), b.const(7.0, dtypes.float32))
    nest = build(b, out, value, (i,))
    (load,) = ops(nest, LoadOp)
    assert [str(c) for c in load.conditions.data] == ["0 <= i - 1 < 4"]
    assert len(ops(nest, InsideOp)) == len(ops(nest, arith.SelectOp)) == 1


def test_what_always_holds_is_no_guard_and_what_never_holds_is_not_computed():
    x, out = tensors((4,), (4,))
    b = NestBuilder()
    (i,) = b.parallel(out.shape)
    value = b.inside([(i, 0, 4)], lambda: b.read(x, (i,)), b.const(0.0, dtypes.float32))
    other = b.inside([(i, 4, 8)], lambda: b.read(x, (i,)), b.const(1.0, dtypes.float32))
    nest = build(b, out, b.op(arith.AddfOp, value, other), (i,))
    assert ops(nest, LoadOp)[0].conditions is None and not ops(nest, InsideOp)


def test_symbols_are_numbered_for_each_op():
    x, out = tensors((9, 9), (4,))
    (n,) = tensors((4,), element=i32)
    b = NestBuilder()
    (i,) = b.parallel(out.shape)
    row, column = (b.symbol(b.read(n, (e,)), 0, 8) for e in (i, Expr(0)))
    both = b.op(arith.AddfOp, b.read(x, (column, column)), b.read(x, (row, column)))
    nest = build(b, out, both, (i,))
    first, second = ops(nest, LoadOp)[2:]
    assert len(first.symbols) == 1 and len(second.symbols) == 2
    assert [str(e) for e in first.map.data] == ["s0", "s0"] and [str(e) for e in second.map.data] == ["s0", "s1"]


def test_an_axis_that_a_symbol_depends_on_is_not_free():
    x, y, out = tensors((4, 4), (4,), (4,))
    (n,) = tensors((4,), element=i32)
    b = NestBuilder({y.value: lambda b, i: b.reduce("add", b.read(x, (i[0], k := b.axis(4))), [k])})
    (i,) = b.parallel(out.shape)
    nest = build(b, out, b.read(y, (b.symbol(b.read(n, (i,)), 0, 3),)), (i,))
    assert str(nest.axes) == "[i: par 4, j: red 4]"


def test_an_empty_array_is_never_read():
    x, y, out = tensors((0, 4), (0, 2), (4,))
    b = NestBuilder({y.value: lambda b, i: b.read(x, (i[0] // 0, i[1]))})
    (i,) = b.parallel(out.shape)
    k = b.axis(0)
    value = b.op(arith.AddfOp, b.reduce("add", b.read(y, (k, i)), [k]), b.reduce("add", b.read(x, (k, i)), [k]))
    nest = build(b, out, value, (i,))
    assert not ops(nest, LoadOp) and str(nest.axes) == "[i: par 4, j: red 0]"


def test_literals_of_every_kind():
    b = NestBuilder()
    seen = [
        b.const(1, dtypes.int32),
        b.const((1 << 32) - 1, dtypes.uint32),
        b.const(True, dtypes.bool_),
        b.const(0.0, dtypes.float32),
        b.const(-0.0, dtypes.float32),
    ]
    values = [v.owner.value.value.data for v in seen]
    assert values[:3] == [1, -1, -1] and len({str(v.owner.value) for v in seen[3:]}) == 2
    assert b.const(-0.0, dtypes.float32) is seen[4] and b.const(1, dtypes.int32) is seen[0]


def test_several_outputs_and_a_combining_store():
    x, first, second = tensors((4,), (4,), (4,))
    b = NestBuilder()
    index = b.parallel(x.shape)
    value = b.read(x, index)
    b.store(first.value, value, index)
    b.store(second.value, value, index, conditions=[(index[0], 0, 3)], combine="add")
    nest = b.finish()
    nest.verify()
    plain, combining = ops(nest, StoreOp)
    assert plain.combine is None and combining.combine.data == "add"
    assert [str(c) for c in combining.conditions.data] == ["0 <= i < 3"] and len(nest.results) == 2

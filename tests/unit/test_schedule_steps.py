"""Schedule steps: text and back, every element met, wrong steps refused."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import arith
from xdsl.dialects.builtin import MemRefType, f32
from xdsl.ir import Block

from weft.dialects.kernel.affine import dim
from weft.dialects.kernel.attributes import Axis, MapAttr
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp, StoreOp, load, nest
from weft.passes.schedule.steps import (
    ScheduleError,
    apply,
    from_attr,
    may_alias,
    parse_step,
    strides,
    to_attr,
)

LINES = (
    "split j 8",
    "split k 8 zero",
    "fuse i j",
    "level j1 lane",
    "order i0 j0 k",
    "stage 0 at i0 panel=k,i1",
    "stage 1 at entry box=padded",
    "keep 4 at i",
    "outline i0",
)


@pytest.mark.parametrize("line", LINES)
def test_a_step_is_its_line(line):
    assert str(parse_step(line)) == line


def test_a_schedule_is_an_attribute():
    schedule = tuple(map(parse_step, LINES))
    assert from_attr(to_attr(schedule)) == schedule


@pytest.mark.parametrize("line", ["split", "split j x", "keep a at i", "stage 0 in i", "twist i", ""])
def test_what_is_no_step_is_refused(line):
    with pytest.raises(ScheduleError, match="is no schedule step"):
        parse_step(line)


def rows(m: int, n: int, kind: str = "add") -> NestOp:
    """o[i] = kind over j of x[i, j], and p[i, j] = x[i, j] + x[i, j]."""
    types = [MemRefType(f32, [m, n]), MemRefType(f32, [m]), MemRefType(f32, [m, n])]
    block, outer = Block(arg_types=types), Block(arg_types=types).args
    i, j = dim("i", m), dim("j", n)
    x = load(block.args[0], (i, j))
    double = arith.AddfOp(x.result, x.result)
    from xdsl.dialects.builtin import ArrayAttr, StringAttr

    total = ReduceOp.create(
        operands=[x.result],
        result_types=[f32],
        properties={"kind": StringAttr(kind), "over": ArrayAttr([StringAttr("j")])},
    )
    first = StoreOp.create(operands=[total.result, block.args[1]], properties={"map": MapAttr((i,))})
    second = StoreOp.create(operands=[double.result, block.args[2]], properties={"map": MapAttr((i, j))})
    block.add_ops([x, double, total, first, second])
    return nest([Axis("i", "par", m), Axis("j", "red", n)], [outer[0]], list(outer[1:]), block)


def met(op: NestOp) -> list[tuple[int, ...]]:
    """What the load reads, for each point of the axes that its conditions and those of the reduction let count."""
    read = next(o for o in op.block.ops if isinstance(o, LoadOp))
    reduction = next(o for o in op.block.ops if isinstance(o, ReduceOp))
    where = reduction.attributes.get("where")
    tests = [*(where.data if where is not None else ()), *(read.conditions.data if read.conditions is not None else ())]
    names = [a.name for a in op.axes.data]
    found = []
    for point in product(*(range(a.extent) for a in op.axes.data)):
        at = dict(zip(names, point, strict=True))
        if all(c.lo <= c.expr.evaluate(at) < c.hi for c in tests):
            found.append(tuple(e.evaluate(at) for e in read.map.data))
    return found


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 13), st.sampled_from(["clamp", "zero"]))
def test_a_sum_meets_every_element_once(data, m, n, tail):
    op = rows(m, n)
    factor = data.draw(st.integers(1, n))
    inner = data.draw(st.integers(1, factor))
    apply(
        op,
        [
            parse_step(f"split j {factor} {tail}"),
            parse_step(f"split j1 {inner} {tail}"),
            parse_step("order j0 i j10 j11"),
        ],
    )
    assert sorted(met(op)) == [(i, j) for i in range(m) for j in range(n)]


@pytest.mark.parametrize("kind, repeats", [("add", False), ("max", True)])
def test_only_sums_exclude_what_is_repeated(kind, repeats):
    op = rows(2, 10, kind)
    apply(op, [parse_step("split j 4")])
    assert (len(met(op)) == 24) is repeats


def test_fused_axes_are_one_position():
    op = rows(3, 4)
    with pytest.raises(ScheduleError, match="must have one role"):
        apply(op, [parse_step("fuse i j")])
    types = [MemRefType(f32, [3, 4])]
    block, outer = Block(arg_types=types), Block(arg_types=types).args
    x = load(block.args[0], (dim("i", 3), dim("j", 4)))
    block.add_op(x)
    op = nest([Axis("i", "par", 3), Axis("j", "par", 4)], [outer[0]], [], block)
    apply(op, [parse_step("fuse i j"), parse_step("split ij 4")])
    assert [str(e) for e in x.map.data] == ["ij0", "ij1"]
    assert str(op.axes) == "[ij0: par 3, ij1: par 4]"


@pytest.mark.parametrize(
    "line, message",
    [
        ("split q 4", "'q' is not an axis"),
        ("split j 11", "factor must lie between 1 and the extent"),
        ("split j 0", "factor must lie between 1 and the extent"),
        ("split j 4 peel", "one of clamp, zero"),
        ("level j moon", "'moon' is not a level"),
        ("order i i", "names an axis twice"),
        ("stage 3 at i", "the body has 1 loads"),
        ("keep 9 at i", "no value of this number"),
        ("keep 3 at i", "no value of this number"),
        ("outline q", "'q' is not an axis"),
    ],
)
def test_steps_that_do_not_fit(line, message):
    op = rows(2, 10)
    before = str(op)
    with pytest.raises(ScheduleError, match=message):
        apply(op, [parse_step(line)])
    assert str(op) == before


def test_alias_and_strides():
    op = rows(2, 10)
    assert may_alias(op)
    read = next(o for o in op.block.ops if isinstance(o, LoadOp))
    assert strides(read.map, (2, 10)) == {"i": 10, "j": 1}

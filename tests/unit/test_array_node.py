"""Nodes: what `bind` stamps on them, and when they are traced."""

import gc
import weakref
from pathlib import Path

import pytest

from weft.dialects.array import node as nodes
from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.graph import reachable
from weft.dialects.array.node import STATE, Node, aval, bind, describe, leaf, settle, staging, transform, wrap
from weft.dialects.array.ops import AddOp, SinOp

F32_3 = aval((3,), "float32")


@pytest.fixture
def pending():
    before, STATE.pending = STATE.pending, []
    yield STATE.pending
    STATE.pending = before


def test_avals_are_interned():
    assert aval([3], "float32") is F32_3
    assert aval((3,), "float32", True) is not F32_3
    assert str(F32_3) == "float32[3]"
    assert (F32_3.ndim, F32_3.size, F32_3.nbytes) == (1, 3, 12)


def test_serials_are_a_topological_order():
    x = leaf(F32_3)
    y = SinOp.bind(x)
    z = AddOp.bind(x, y)
    assert x.serial < y.serial < z.serial
    assert z.inputs == (x, y)


def test_bind_infers_once(monkeypatch):
    shape = aval((5, 7), "float32")
    first = SinOp.bind(leaf(shape))
    monkeypatch.setattr(SinOp, "infer", lambda *_: pytest.fail("inferred again"))
    assert SinOp.bind(leaf(shape)).aval is first.aval


def test_errors_are_not_remembered():
    for _ in range(2):
        with pytest.raises(TypeError, match=r"add got incompatible shapes for broadcasting: \(3,\), \(4,\)"):
            AddOp.bind(leaf(F32_3), leaf(aval((4,), "float32")))


def test_mark_is_the_outermost_live_transform(pending):
    x = leaf(F32_3)
    assert SinOp.bind(x).mark == 0
    with transform() as outer:
        a = wrap(x, outer)
        with transform() as inner:
            b = wrap(x, inner)
            assert SinOp.bind(b).mark == inner
            both = AddOp.bind(a, b)
            assert both.mark == outer
            assert wrap(a, inner).mark == outer
        assert SinOp.bind(b).mark == 0  # its transform is over
    assert SinOp.bind(both).mark == 0
    with transform() as later:  # a stale mark does not hide a live one
        assert AddOp.bind(both, wrap(x, later)).mark == later


def test_only_unmarked_nodes_are_pending(pending):
    x = leaf(F32_3)
    eager = SinOp.bind(x)
    with transform() as mark:
        traced = SinOp.bind(wrap(x, mark))
        assert pending == [eager]
    settle([traced, x])
    assert pending == [eager, traced]
    assert traced.mark == 0


def test_wrapping_keeps_the_value():
    x = leaf(F32_3, value="buffer")
    with transform() as mark:
        assert wrap(x, mark).value == "buffer"


def test_location_is_the_callers_line():
    y = SinOp.bind(leaf(F32_3))
    file, line, column = describe(y.loc)
    assert file == __file__
    assert Path(__file__).read_text().splitlines()[line - 1][column - 1 :].startswith("SinOp.bind(leaf(F32_3))")
    STATE.loc = y.loc
    try:
        assert SinOp.bind(y).loc is y.loc
    finally:
        STATE.loc = None


def test_long_chains_are_walked_and_freed_without_recursion():
    x = leaf(F32_3)
    gone = weakref.ref(x)
    with staging():
        for _ in range(50_000):
            x = SinOp.bind(x)
    assert len(reachable([x])) == 50_001
    del x
    gc.collect()
    assert gone() is None


def test_state_is_per_thread():
    import threading

    with transform() as mark:
        seen = []
        thread = threading.Thread(target=lambda: seen.append(mark in STATE.live))
        thread.start()
        thread.join()
        assert seen == [False]


def test_equal_constants_are_told_apart_by_their_values():
    a, b = (bind(ConstantOp, value=v, shape=(), dtype=F32_3.dtype) for v in (0.0, -0.0))
    assert str(a.params["value"]) != str(b.params["value"])
    assert isinstance(a, Node) and nodes.results(a) == (a,)

"""Index expressions: every simplification keeps the value at every point, and no value leaves its bounds."""

from __future__ import annotations

from itertools import pairwise, product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.dialects.kernel.affine import Condition, Dim, Expr, delinearize, dim, linearize, reindex, symbol

EXTENTS = {"i": 3, "j": 4, "k": 2}
SYMBOLS = {0: (-2, 3), 1: (1, 2)}

Plan = tuple  # ("add", plan, plan), ("dim", "i") …: an expression before it is simplified


def plans() -> st.SearchStrategy[Plan]:
    leaves = st.one_of(
        st.tuples(st.just("dim"), st.sampled_from(sorted(EXTENTS))),
        st.tuples(st.just("sym"), st.sampled_from(sorted(SYMBOLS))),
        st.tuples(st.just("int"), st.integers(-12, 12)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["add", "sub"]), inner, inner),
            st.tuples(st.sampled_from(["mul", "min"]), inner, st.integers(-6, 6)),
            st.tuples(st.sampled_from(["div", "mod"]), inner, st.integers(1, 8)),
        ),
        max_leaves=8,
    )


def build(plan: Plan) -> Expr:
    match plan:
        case ("dim", name):
            return dim(name, EXTENTS[name])
        case ("sym", number):
            return symbol(number, *SYMBOLS[number])
        case ("int", value):
            return Expr(value)
        case ("add", a, b):
            return build(a) + build(b)
        case ("sub", a, b):
            return build(a) - build(b)
        case ("mul", a, factor):
            return build(a) * factor
        case ("min", a, limit):
            return build(a).minimum(limit)
        case ("div", a, by):
            return build(a) // by
        case ("mod", a, by):
            return build(a) % by
    raise AssertionError(plan)


def value(plan: Plan, dims: dict[str, int], symbols: dict[int, int]) -> int:
    match plan:
        case ("dim", name):
            return dims[name]
        case ("sym", number):
            return symbols[number]
        case ("int", number):
            return number
        case ("add", a, b):
            return value(a, dims, symbols) + value(b, dims, symbols)
        case ("sub", a, b):
            return value(a, dims, symbols) - value(b, dims, symbols)
        case ("mul", a, factor):
            return value(a, dims, symbols) * factor
        case ("min", a, limit):
            return min(value(a, dims, symbols), limit)
        case ("div", a, by):
            return value(a, dims, symbols) // by
        case ("mod", a, by):
            return value(a, dims, symbols) % by
    raise AssertionError(plan)


def points():
    for index in product(*(range(n) for n in EXTENTS.values()), *(range(lo, hi + 1) for lo, hi in SYMBOLS.values())):
        yield dict(zip(EXTENTS, index, strict=False)), dict(zip(SYMBOLS, index[len(EXTENTS) :], strict=True))


@given(plans())
@settings(max_examples=200, deadline=None)
def test_simplification_keeps_the_value_and_bounds_hold(plan):
    expr = build(plan)
    lo, hi = expr.bounds
    for dims, symbols in points():
        found = expr.evaluate(dims, symbols)
        assert found == value(plan, dims, symbols)
        assert lo <= found <= hi


@given(plans(), plans())
@settings(max_examples=100, deadline=None)
def test_substitution_is_evaluation_inside(plan, inner):
    expr, new = build(plan), build(inner)
    result = expr.substitute(lambda atom: new if isinstance(atom, Dim) and atom.name == "i" else None)
    # the range of an axis is what simplifies: only values within it may take its place
    if new.bounds[0] >= 0 and new.bounds[1] < EXTENTS["i"]:
        for dims, symbols in points():
            outer = dims | {"i": new.evaluate(dims, symbols)}
            assert result.evaluate(dims, symbols) == expr.evaluate(outer, symbols)


@given(plans(), st.integers(-4, 4), st.integers(0, 8))
@settings(max_examples=100, deadline=None)
def test_conditions_that_are_decided_by_ranges_are_decided_right(plan, lo, size):
    condition = Condition(build(plan), lo, lo + size)
    holds = [lo <= value(plan, *point) < lo + size for point in points()]
    assert not condition.always or all(holds)
    assert not condition.never or not any(holds)


shapes = st.lists(st.integers(1, 4), max_size=4).map(tuple)


@given(shapes)
def test_a_position_is_the_index_again(shape):
    index = tuple(dim(name, n) for name, n in zip("abcd", shape, strict=False))
    assert delinearize(linearize(index, shape), shape) == index


@given(st.lists(st.sampled_from([2, 3]), max_size=4), st.data())
def test_reshapes_there_and_back_are_nothing(factors, data):
    """What array.reshape does to an index, from one shape to another and back."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(factors)))) | {0, len(factors)})
    shape = tuple(factors)
    other = tuple(prod(factors[a:b]) for a, b in pairwise(cuts))
    index = tuple(dim(name, n) for name, n in zip("abcd", shape, strict=False))
    there = reindex(index, shape, other)
    assert linearize(there, other) == linearize(index, shape)
    assert reindex(there, other, shape) == index
    if len(other) <= len(shape):  # dimensions were merged: no division is left
        assert all(isinstance(a, Dim) for e in there for a in e.atoms())


def test_a_reshape_keeps_groups_of_dimensions_apart():
    a, b, c = dim("a", 4), dim("b", 6), dim("c", 5)
    there = reindex((a, b - 1, c), (4, 6, 5), (1, 2, 2, 6, 1, 5))
    assert [str(e) for e in there] == ["0", "a floordiv 2", "a mod 2", "b - 1", "0", "c"]


@given(plans())
@settings(max_examples=100, deadline=None)
def test_equal_expressions_are_equal_values(plan):
    a, b = build(plan), build(plan)
    assert a == b and hash(a) == hash(b) and str(a) == str(b)
    assert a - b == Expr(0)
    assert a + b == b + a == a * 2


i, j = dim("i", 8), dim("j", 4)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        ((i * 4 + j) // 4, "i"),
        ((i * 4 + j) % 4, "j"),
        ((i * 4 + j) // 3 * 3 + (i * 4 + j) % 3, "i * 4 + j"),
        ((i * 8 + j * 2) // 4, "i * 2 + j floordiv 2"),
        ((i // 2) // 2, "i floordiv 4"),
        ((i % 4) % 2, "i mod 2"),
        (i.minimum(7), "i"),
        (i.minimum(-1), "-1"),
        ((i * 4).minimum(6) + j, "j + min(i * 4, 6)"),
        (i - i, "0"),
        (-i + 3, "-i + 3"),
        (dim("u", 1) + 2, "2"),
        (symbol(0, 5, 5) + i, "i + 5"),
    ],
)
def test_simplest_forms(expr, text):
    assert str(expr) == text

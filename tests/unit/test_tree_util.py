"""Pytrees: taken apart, put together, by the general walk and by generated code."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft
from weft import tree, tree_util
from weft.tree_util import keystr, tree_flatten, tree_map, tree_structure

Point = namedtuple("Point", "x y")


@tree_util.register_pytree_node_class
class Pair:
    def __init__(self, a, b, tag="t"):
        self.a, self.b, self.tag = a, b, tag

    def tree_flatten(self):
        return (self.a, self.b), self.tag

    @classmethod
    def tree_unflatten(cls, tag, children):
        return cls(*children, tag)

    def __eq__(self, other):
        return vars(self) == vars(other)


@tree_util.register_dataclass
@dataclass
class Layer:
    weight: float
    bias: float
    name: str = field(default="layer", metadata={"static": True})


def trees(leaves):
    return st.recursive(
        leaves | st.none(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(OrderedDict),
            st.tuples(inner, inner).map(lambda pair: Point(*pair)),
            st.tuples(inner, inner).map(lambda pair: Pair(*pair)),
        ),
        max_leaves=8,
    )


@settings(max_examples=25, deadline=None)
@given(trees(st.integers()))
def test_unflatten_is_the_inverse_of_flatten(t):
    leaves, treedef = tree_flatten(t)
    assert treedef.unflatten(leaves) == t
    assert treedef.num_leaves == len(leaves)
    assert treedef.match(t) == leaves
    assert treedef.flatten_up_to(t) == leaves


@settings(max_examples=25, deadline=None)
@given(trees(st.integers()), trees(st.integers()))
def test_structures_match_themselves_alone(a, b):
    first, second = tree_structure(a), tree_structure(b)
    assert (first == second) == (first is second)
    assert (first.match(b) is not None) == (first is second)


def test_leaves_come_in_the_order_of_sorted_keys():
    assert tree.leaves({"b": 1, "a": (2, [3, None])}) == [2, 3, 1]
    assert tree.leaves(OrderedDict([("b", 1), ("a", 2)])) == [1, 2]


def test_defaultdict_keeps_its_factory():
    back = tree_map(lambda x: x + 1, defaultdict(list, a=1))
    assert back == {"a": 2} and back["missing"] == []


def test_dataclasses_have_static_fields():
    layer = tree_map(lambda x: 2 * x, Layer(1.0, 2.0, "first"))
    assert layer == Layer(2.0, 4.0, "first")
    assert tree_structure(Layer(1, 2, "a")) != tree_structure(Layer(1, 2, "b"))


def test_maps_over_several_trees_take_prefixes():
    assert tree_map(lambda x, y: (x, y), {"a": 1, "b": 2}, {"a": [3], "b": (4,)}) == {"a": (1, [3]), "b": (2, (4,))}


def test_is_leaf_stops_the_walk():
    assert tree.leaves([(1, 2), 3], is_leaf=lambda x: isinstance(x, tuple)) == [(1, 2), 3]
    assert tree.map(lambda x: x, [None, 1], is_leaf=lambda x: x is None) == [None, 1]


def test_transpose_turns_trees_inside_out():
    turned = tree.transpose(
        tree_structure([0, 0]), tree_structure({"a": 0, "b": 0}), [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    )
    assert turned == {"a": [1, 3], "b": [2, 4]}


def test_reduce_and_all():
    assert tree.reduce(lambda a, b: a + b, {"a": 1, "b": [2, 3]}) == 6
    assert tree.reduce(lambda a, b: a + b, [], 7) == 7
    assert tree.all([True, (1,)]) and not tree.all([True, (0,)])


def test_reduces_in_a_balanced_tree():
    assert tree.reduce_associative(lambda a, b: f"({a}{b})", list("abcde")) == "((ab)(c(de)))"
    assert tree.reduce_associative(max, [], identity=0) == 0
    with pytest.raises(TypeError, match="identity"):
        tree.reduce_associative(max, [])


def test_a_prefix_spreads_over_a_tree():
    assert tree.broadcast({"a": 1, "b": 2}, {"a": [3, (4, None)], "b": 5}) == {"a": [1, (1, None)], "b": 2}
    with pytest.raises(ValueError):
        tree.broadcast([1, 2], [1, 2, 3])


def test_static_marks_a_field():
    @tree_util.register_dataclass
    @dataclass
    class Named:
        value: int
        name: str = tree.static(default="layer", metadata={"unit": "m"})

    assert tree.leaves(Named(1)) == [1]
    assert tree.map(lambda x: x + 1, Named(1, "other")) == Named(2, "other")


def test_paths_read_as_python():
    pairs = tree.leaves_with_path({"a": [1, Point(2, 3)], "b": Layer(4, 5), "c": Pair(6, 7)})
    assert [keystr(path) for path, _ in pairs] == [
        "['a'][0]",
        "['a'][1].x",
        "['a'][1].y",
        "['b'].weight",
        "['b'].bias",
        "['c'][<flat index 0>]",
        "['c'][<flat index 1>]",
    ]
    assert tree.map_with_path(lambda path, x: (len(path), x), [1, (2,)]) == [(1, 1), ((2, 2),)]


def test_a_class_can_be_a_leaf_first_and_a_node_later():
    class Box:
        def __init__(self, x):
            self.x = x

    treedef = tree_structure([Box(1)])
    tree_util.register_pytree_node(Box, lambda b: ((b.x,), None), lambda _, children: Box(*children))
    assert treedef.match([Box(1)]) is None
    assert tree.leaves([Box(5)]) == [5]


def test_partial_carries_arrays():
    f = tree_util.Partial(lambda a, b, *, c: a + b * c, 1, c=3)
    assert tree.leaves(f) == [1, 3]
    assert tree_map(lambda x: 10 * x, f)(2) == 70
    assert float(weft.jit(lambda f, x: f(x))(f, 2.0)) == 7.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tree_structure([1, 2]).unflatten([1]), "Too few leaves for PyTreeDef; expected 2, got 1"),
        (lambda: tree_structure([1, 2]).unflatten([1, 2, 3]), "Too many leaves"),
        (lambda: tree_map(max, {"a": (1, 2)}, {"a": 1}), r"Expected tuple at \['a'\], got 1"),
        (lambda: tree_map(max, {"a": 1}, {"b": 1}), "Dict key mismatch; expected"),
        (lambda: tree_map(max, [1], [1, 2]), r"List arity mismatch: 2 != 1; list: \[1, 2\]"),
        (lambda: tree_map(max, [{"a": 1}], [{"b": 1}]), r"Dict key mismatch at \[0\]; expected keys: \['a'\]"),
        (lambda: tree.leaves({1: 0, "a": 0}), "sorting pytree dictionary keys"),
        (lambda: tree_util.register_pytree_node(dict, None, None), "Duplicate"),
    ],
)
def test_wrong_trees(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_structures_print_as_trees():
    assert str(tree_structure({"a": (1,), "b": [None, 2]})) == "PyTreeDef({'a': (*,), 'b': [None, *]})"

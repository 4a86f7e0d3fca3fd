"""Pytrees: containers of containers, whose leaves are arrays (or anything else).

Tuples, lists, dicts (by sorted key), named tuples, OrderedDict, defaultdict, None (a tree without leaves) and registered classes are nodes; all else is a leaf.
This module holds what one does with trees; `weft.trees` which types are nodes, structures, and paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from functools import partial, reduce
from typing import Any

from weft.trees.keys import DictKey, FlattenedIndexKey, GetAttrKey, KeyEntry, KeyPath, SequenceKey, keystr
from weft.trees.registry import (
    KINDS,
    Kind,
    kind_of,
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
)
from weft.trees.structure import IsLeaf, Leaves, PyTreeDef, tree_flatten, tree_flatten_with_path, treedef_of

__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "Partial",
    "PyTreeDef",
    "PyTreeRegistry",
    "SequenceKey",
    "all_leaves",
    "broadcast_prefix",
    "default_registry",
    "flatten_one_level",
    "flatten_one_level_with_keys",
    "is_tree_node",
    "keystr",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "static",
    "tree_all",
    "tree_broadcast",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_reduce_associative",
    "tree_structure",
    "tree_transpose",
    "tree_unflatten",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
]

_ABSENT: Any = object()


def tree_unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """The tree of a structure with these leaves."""
    return treedef.unflatten(leaves)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> Leaves:
    """The leaves, from left to right."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> PyTreeDef:
    """The structure alone."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """`f` applied to each leaf, together with what lies there in the trees of `rest`, which start with the same structure."""
    leaves, treedef = tree_flatten(tree, is_leaf)
    if not rest:
        return treedef.unflatten([f(x) for x in leaves])
    return treedef.unflatten(list(map(f, leaves, *[treedef.flatten_up_to(r) for r in rest])))


def tree_reduce(
    function: Callable[[Any, Any], Any], tree: Any, initializer: Any = _ABSENT, is_leaf: IsLeaf = None
) -> Any:
    """`functools.reduce` over the leaves, from `initializer` on if one is given."""
    leaves = tree_leaves(tree, is_leaf)
    return reduce(function, leaves) if initializer is _ABSENT else reduce(function, leaves, initializer)


def tree_reduce_associative(
    operation: Callable[[Any, Any], Any], tree: Any, *, identity: Any = _ABSENT, is_leaf: IsLeaf = None
) -> Any:
    """The leaves combined in a balanced tree of operations. Raises TypeError for a tree without leaves and no `identity`."""
    leaves = tree_leaves(tree, is_leaf)
    if not leaves:
        if identity is _ABSENT:
            raise TypeError("Must specify identity for parallel reduction of empty sequence.")
        return identity

    def combine(some: Leaves) -> Any:
        middle = len(some) // 2
        return operation(combine(some[:middle]), combine(some[middle:])) if middle else some[0]

    return combine(leaves)


def tree_all(tree: Any, *, is_leaf: IsLeaf = None) -> bool:
    """Whether all leaves are true."""
    return all(tree_leaves(tree, is_leaf))


def tree_transpose(outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: Any) -> Any:
    """A tree of trees turned inside out: structure `outer` of `inner` becomes `inner` of `outer`."""
    rows = [tree_flatten(sub) for sub in outer_treedef.flatten_up_to(pytree_to_transpose)]
    if inner_treedef is None:
        inner_treedef = rows[0][1]
    for _, found in rows:
        if found != inner_treedef:
            raise TypeError(f"Mismatch: expected the inner structure {inner_treedef}, got {found}")
    columns = zip(*[leaves for leaves, _ in rows], strict=True)
    return inner_treedef.unflatten([outer_treedef.unflatten(list(column)) for column in columns])


def is_tree_node(typ: type) -> bool:
    """Whether a type is that of a node: a container, a named tuple, or registered."""
    return typ in KINDS or (issubclass(typ, tuple) and hasattr(typ, "_fields"))


def _kind_of_node(x: Any) -> Kind:
    kind = kind_of(x)
    if kind is None:
        raise ValueError(f"can't tree-flatten type: {type(x)}")
    return kind


def flatten_one_level(tree: Any) -> tuple[Iterable[Any], Any]:
    """The children of a node, and its static data. Raises ValueError for a leaf."""
    return _kind_of_node(tree).flatten(tree)


def flatten_one_level_with_keys(tree: Any) -> tuple[Iterable[tuple[Any, Any]], Any]:
    """Pairs of key and child of a node, and its static data. Raises ValueError for a leaf."""
    kind = _kind_of_node(tree)
    children, data = kind.flatten(tree)
    return tuple(zip(kind.keys(tree, len(children)), children, strict=True)), data


def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf = None) -> bool:
    """Whether each element is a leaf: whether the list of them has just them for leaves. `is_leaf` is asked of that list too."""
    items = list(iterable)
    leaves = tree_leaves(items, is_leaf)
    return len(leaves) == len(items) and all(x is leaf for x, leaf in zip(items, leaves, strict=True))


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple of trees."""
    return treedef_of((tuple, None, tuple([t._token for t in treedefs])))


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the children."""
    return treedef.children()


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether the structure is that of a leaf."""
    return treedef._type is None


def tree_leaves_with_path(
    tree: Any, is_leaf: IsLeaf = None, is_leaf_takes_path: bool = False
) -> list[tuple[KeyPath, Any]]:
    """Pairs of key path and leaf."""
    return tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def tree_map_with_path(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None, is_leaf_takes_path: bool = False
) -> Any:
    """`f(path, leaf, *others)` for each leaf."""
    pairs, treedef = tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    others = [treedef.flatten_up_to(r) for r in rest]
    return treedef.unflatten([f(path, x, *xs) for (path, x), *xs in zip(pairs, *others, strict=True)])


def broadcast_prefix(prefix: Any, tree: Any, is_leaf: IsLeaf = None) -> Leaves:
    """The leaves of `prefix`, each as often as the subtree at its place in `tree` has leaves. Raises ValueError if it is no prefix."""
    leaves, treedef = tree_flatten(prefix, is_leaf)
    found: Leaves = []
    for x, sub in zip(leaves, treedef.flatten_up_to(tree), strict=True):
        found.extend([x] * tree_structure(sub, None).num_leaves)
    return found


def tree_broadcast(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf = None) -> Any:
    """A tree of the structure of `full_tree`, with each leaf of `prefix_tree` in place of the leaves below it. Raises ValueError if it is no prefix."""
    return tree_structure(full_tree).unflatten(broadcast_prefix(prefix_tree, full_tree, is_leaf))


def static(**kwargs: Any) -> Any:
    """A field of a dataclass that `register_dataclass` takes for static data. The arguments are those of `dataclasses.field`."""
    metadata = {**(kwargs.pop("metadata", None) or {}), "static": True}
    return field(metadata=metadata, **kwargs)


class Partial(partial[Any]):
    """`functools.partial` that is a node: its arguments are children, its function static data."""


register_pytree_node(
    Partial, lambda p: ((p.args, p.keywords), p.func), lambda func, children: Partial(func, *children[0], **children[1])
)


class PyTreeRegistry:
    """The types that are nodes, as an object; there is one, `default_registry`."""

    register_node = staticmethod(register_pytree_node)
    is_node = staticmethod(is_tree_node)
    flatten = staticmethod(tree_flatten)

    @staticmethod
    def flatten_with_path(
        tree: Any, is_leaf: Callable[[KeyPath, Any], bool] | None = None
    ) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
        """Pairs of key path and leaf, and the structure. `is_leaf` is asked of a path and a node."""
        return tree_flatten_with_path(tree, is_leaf, True)

    @staticmethod
    def flatten_one_level(tree: Any) -> tuple[Iterable[Any], Any] | None:
        """The children of a node, and its static data; None for a leaf."""
        return None if kind_of(tree) is None else flatten_one_level(tree)

    @staticmethod
    def flatten_one_level_with_keys(tree: Any) -> tuple[Iterable[tuple[Any, Any]], Any] | None:
        """Pairs of key and child of a node, and its static data; None for a leaf."""
        return None if kind_of(tree) is None else flatten_one_level_with_keys(tree)


default_registry = PyTreeRegistry()

"""Structures of trees, and flattening.

A structure is a `PyTreeDef`, one object for equal structures, and each writes two Python functions for itself when they are first used (`generated.py`): one that takes a tree of just this
structure apart, one that builds it. They are some ten times faster than a walk that asks every node what it is, and a program that is called often has one structure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakValueDictionary

from weft.trees.generated import write_build, write_match
from weft.trees.keys import KeyPath, keystr
from weft.trees.registry import KINDS, kind_of, leaf_types

Leaves = list[Any]
IsLeaf = Callable[..., bool] | None

Token = tuple[Any, Any, tuple[Any, ...]] | None
"""A structure as plain values: type, static data, and the children's tokens; None for a leaf."""


class PyTreeDef:
    """The structure of a tree. Equal structures are one object where their static data is hashable."""

    __slots__ = ("__weakref__", "_build", "_children", "_data", "_match", "_token", "_type", "num_leaves")

    def __init__(self, token: Token):
        self._token = token
        self._type: type | None
        self._data: Any
        self._type, self._data, children = token or (None, None, ())
        self._children = tuple([treedef_of(c) for c in children])
        self.num_leaves: int = sum(c.num_leaves for c in self._children) if token is not None else 1
        self._match: Any = None
        self._build: Any = None

    @property
    def num_nodes(self) -> int:
        """Nodes and leaves."""
        return 1 + sum(c.num_nodes for c in self._children)

    def children(self) -> list[PyTreeDef]:
        """The structures of the children."""
        return list(self._children)

    def node_data(self) -> tuple[type, Any] | None:
        """Type and static data of the root; None for a leaf."""
        return None if self._type is None else (self._type, self._data)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree with these leaves. Raises ValueError if their number is not `num_leaves`."""
        build = self._build
        if build is None:
            build = self._build = write_build(self)
        given = leaves if isinstance(leaves, list) else list(leaves)
        if len(given) != self.num_leaves:
            few = "few" if len(given) < self.num_leaves else "many"
            raise ValueError(f"Too {few} leaves for PyTreeDef; expected {self.num_leaves}, got {len(given)}.")
        return build(given)

    def match(self, tree: Any) -> Leaves | None:
        """The leaves of a tree of just this structure; None for any other (or for one with leaves of a type that was not met before)."""
        take = self._match
        if take is None:
            take = self._match = write_match(self)
        leaves = take(tree)
        return leaves if leaves is not None and leaf_types.issuperset(map(type, leaves)) else None

    def flatten_up_to(self, tree: Any) -> Leaves:
        """The subtrees of `tree` at the leaves of this structure. Raises ValueError, naming the place, if it does not start with this structure."""
        found: Leaves = []
        _take_up_to(self, tree, found, ())
        return found

    def compose(self, inner: PyTreeDef) -> PyTreeDef:
        """This structure with `inner` in the place of each leaf."""
        if self._type is None:
            return inner
        return treedef_of((self._type, self._data, tuple([c.compose(inner)._token for c in self._children])))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, PyTreeDef) and self._token == other._token)

    def __hash__(self) -> int:
        return hash(self._token)

    def __repr__(self) -> str:
        return f"PyTreeDef({_text(self)})"

    def __reduce__(self) -> Any:
        return (treedef_of, (self._token,))


_interned: WeakValueDictionary[Token, PyTreeDef] = WeakValueDictionary()


def treedef_of(token: Token) -> PyTreeDef:
    """The one structure of this token; a new one each time if static data in it has no hash."""
    try:
        found = _interned.get(token)
    except TypeError:  # static data that has no hash
        return PyTreeDef(token)
    if found is None:
        found = _interned[token] = PyTreeDef(token)
    return found


def _text(treedef: PyTreeDef) -> str:
    kind, data = treedef._type, treedef._data
    parts = [_text(c) for c in treedef._children]
    if kind is None:
        return "*"
    if kind is type(None):
        return "None"
    if kind is tuple:
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if kind is list:
        return f"[{', '.join(parts)}]"
    if kind is dict:
        return "{" + ", ".join(f"{k!r}: {p}" for k, p in zip(data, parts, strict=True)) + "}"
    if hasattr(kind, "_fields"):
        return f"CustomNode(namedtuple[{kind.__name__}], [{', '.join(parts)}])"
    return f"CustomNode({kind.__name__}[{data}], [{', '.join(parts)}])"


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[Leaves, PyTreeDef]:
    """The leaves, from left to right, and the structure. What `is_leaf` is true of is taken as a leaf."""
    leaves: Leaves = []
    token = _walk(tree, leaves) if is_leaf is None else _walk_until(tree, leaves, is_leaf)
    return leaves, treedef_of(token)


def _walk(x: Any, leaves: Leaves) -> Token:
    cls = x.__class__
    if cls in leaf_types:
        leaves.append(x)
        return None
    kind = KINDS.get(cls) or kind_of(x)
    if kind is None:
        leaf_types.add(cls)
        leaves.append(x)
        return None
    children, data = kind.flatten(x)
    return (cls, data, tuple([_walk(c, leaves) for c in children]))


def _walk_until(x: Any, leaves: Leaves, is_leaf: Callable[[Any], bool]) -> Token:
    kind = None if is_leaf(x) else kind_of(x)
    if kind is None:
        leaves.append(x)
        return None
    children, data = kind.flatten(x)
    return (x.__class__, data, tuple([_walk_until(c, leaves, is_leaf) for c in children]))


def _take_up_to(treedef: PyTreeDef, tree: Any, found: Leaves, path: KeyPath) -> None:
    if treedef._type is None:
        found.append(tree)
        return
    kind = kind_of(tree)
    where = f" at {keystr(path)}" if path else ""
    if kind is None or tree.__class__ is not treedef._type:
        raise ValueError(f"Expected {treedef._type.__name__}{where}, got {tree!r}.")
    children, data = kind.flatten(tree)
    if treedef._type is dict and data != treedef._data:
        raise ValueError(f"Dict key mismatch{where}; expected keys: {list(treedef._data)}; present keys: {list(data)}.")
    if len(children) != len(treedef._children):
        name = treedef._type.__name__
        raise ValueError(
            f"{name.capitalize()} arity mismatch{where}: {len(children)} != {len(treedef._children)}; {name}: {tree!r}."
        )
    if data != treedef._data:
        raise ValueError(f"Mismatch custom node data{where}: {data} != {treedef._data}; value: {tree!r}.")
    for key, sub, child in zip(kind.keys(tree, len(children)), treedef._children, children, strict=True):
        _take_up_to(sub, child, found, (*path, key))


def tree_flatten_with_path(
    tree: Any, is_leaf: IsLeaf = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """Pairs of key path and leaf, and the structure. `is_leaf` is asked of a node, or with `is_leaf_takes_path` of its path and itself."""
    found: list[tuple[KeyPath, Any]] = []

    def walk(x: Any, path: KeyPath) -> Token:
        stops = is_leaf is not None and (is_leaf(path, x) if is_leaf_takes_path else is_leaf(x))
        kind = None if stops else kind_of(x)
        if kind is None:
            found.append((path, x))
            return None
        children, data = kind.flatten(x)
        keys = kind.keys(x, len(children))
        return (
            x.__class__,
            data,
            tuple([walk(child, (*path, key)) for key, child in zip(keys, children, strict=True)]),
        )

    token = walk(tree, ())
    return found, treedef_of(token)

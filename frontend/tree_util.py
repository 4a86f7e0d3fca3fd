"""Pytrees: containers of containers, whose leaves are arrays (or anything else).

Tuples, lists, dicts (by sorted key), named tuples, OrderedDict, defaultdict, None (a tree without leaves) and registered classes are nodes; all else is a leaf.
A structure is a `PyTreeDef`, one object for equal structures, and each writes two Python functions for itself when they are first used: one that takes a tree of just this
structure apart, one that builds it. They are some ten times faster than a walk that asks every node what it is, and a program that is called often has one structure.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial, reduce
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")
C = TypeVar("C", bound=type)
Leaves = list[Any]
IsLeaf = Callable[[Any], bool] | None
_ABSENT: Any = object()


# -- key paths ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SequenceKey:
    """An index of a tuple or list."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclass(frozen=True)
class DictKey:
    """A key of a dict."""

    key: Hashable

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True)
class GetAttrKey:
    """A name of an attribute."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True)
class FlattenedIndexKey:
    """The number of a child of a registered class that has no keys."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


KeyPath = tuple[Any, ...]


def keystr(keys: KeyPath, *, simple: bool = False, separator: str = "") -> str:
    """A path as one writes it in Python: `['layers'][0].weight`. `simple`: the keys alone."""
    if not simple:
        return separator.join(map(str, keys))
    return separator.join(str(next(iter(vars(k).values()))) if hasattr(k, "__dict__") else str(k) for k in keys)


# -- which types are nodes ----------------------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """How a type of node is taken apart and put together. `keys` gives the children's keys for a node and their number."""

    flatten: Callable[[Any], tuple[Sequence[Any], Any]]
    unflatten: Callable[[Any, Sequence[Any]], Any]
    keys: Callable[[Any, int], Sequence[Any]]


def _sorted_keys(x: dict[Any, Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(x))
    except TypeError as error:
        raise ValueError("Comparator raised exception while sorting pytree dictionary keys.") from error


def _flatten_dict(x: dict[Any, Any]) -> tuple[Sequence[Any], Any]:
    keys = _sorted_keys(x)
    return [x[k] for k in keys], keys


def _flatten_defaultdict(x: defaultdict[Any, Any]) -> tuple[Sequence[Any], Any]:
    keys = _sorted_keys(x)
    return [x[k] for k in keys], (x.default_factory, keys)


def _indices(x: Any, count: int) -> Sequence[Any]:
    return [SequenceKey(i) for i in range(count)]


def _flat_indices(x: Any, count: int) -> Sequence[Any]:
    return [FlattenedIndexKey(i) for i in range(count)]


def _sorted_dict_keys(x: dict[Any, Any], count: int) -> Sequence[Any]:
    return [DictKey(k) for k in _sorted_keys(x)]


def _field_names(x: Any, count: int) -> Sequence[Any]:
    return [GetAttrKey(name) for name in x._fields]


_KINDS: dict[type, _Kind] = {
    type(None): _Kind(lambda x: ((), None), lambda aux, children: None, _indices),
    tuple: _Kind(lambda x: (x, None), lambda aux, children: tuple(children), _indices),
    list: _Kind(lambda x: (x, None), lambda aux, children: list(children), _indices),
    dict: _Kind(_flatten_dict, lambda keys, children: dict(zip(keys, children, strict=True)), _sorted_dict_keys),
    OrderedDict: _Kind(
        lambda x: (list(x.values()), tuple(x)),
        lambda keys, children: OrderedDict(zip(keys, children, strict=True)),
        lambda x, count: [DictKey(k) for k in x],
    ),
    defaultdict: _Kind(
        _flatten_defaultdict,
        lambda aux, children: defaultdict(aux[0], zip(aux[1], children, strict=True)),
        _sorted_dict_keys,
    ),
}

_leaf_types: set[type] = set()
"""Types that were met as leaves: generated code takes only these for leaves, because any other type may be a node."""


def _kind_of(x: Any) -> _Kind | None:
    """What sort of node `x` is; None for a leaf. Named tuples register themselves when they are met."""
    cls = x.__class__
    kind = _KINDS.get(cls)
    if kind is None and isinstance(x, tuple) and hasattr(x, "_fields"):
        kind = _KINDS[cls] = _Kind(lambda x: (x, None), lambda aux, children: cls(*children), _field_names)
    return kind


def register_pytree_node(
    nodetype: type,
    flatten_func: Callable[[Any], tuple[Iterable[Any], Hashable]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_with_keys_func: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Makes a class a node: `flatten_func(x)` gives children and static data, `unflatten_func(data, children)` the object. Raises ValueError if it is one already."""
    if nodetype in _KINDS:
        raise ValueError(f"Duplicate custom PyTreeDef type registration for {nodetype}.")

    def flatten(x: Any) -> tuple[Sequence[Any], Any]:
        children, aux = flatten_func(x)
        return tuple(children), aux

    keys = _flat_indices
    if flatten_with_keys_func is not None:

        def keys(x: Any, count: int) -> Sequence[Any]:
            return [k for k, _ in flatten_with_keys_func(x)[0]]

    _KINDS[nodetype] = _Kind(flatten, unflatten_func, keys)
    _leaf_types.discard(nodetype)


def register_pytree_node_class(cls: C) -> C:
    """A class decorator: `x.tree_flatten()` and the classmethod `tree_unflatten(data, children)` make it a node."""
    register_pytree_node(cls, lambda x: x.tree_flatten(), cls.tree_unflatten)  # type: ignore[attr-defined]
    return cls


def register_pytree_with_keys(
    nodetype: type,
    flatten_with_keys: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]] | None = None,
) -> None:
    """Makes a class a node whose children have keys: `flatten_with_keys(x)` gives pairs of key and child, and static data."""

    def flatten(x: Any) -> tuple[Iterable[Any], Any]:
        pairs, aux = flatten_with_keys(x)
        return [child for _, child in pairs], aux

    register_pytree_node(nodetype, flatten_func or flatten, unflatten_func, flatten_with_keys)


def register_pytree_with_keys_class(cls: C) -> C:
    """A class decorator: `x.tree_flatten_with_keys()` and the classmethod `tree_unflatten(data, children)` make it a node."""
    register_pytree_with_keys(cls, lambda x: x.tree_flatten_with_keys(), cls.tree_unflatten)  # type: ignore[attr-defined]
    return cls


def register_dataclass(
    nodetype: type | None = None,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> Any:
    """Makes a dataclass a node: `data_fields` are children, `meta_fields` static data.

    By default fields whose metadata has `static: True` are static, the others children. Usable as a decorator. Raises ValueError if fields are missing or unknown.
    """
    if nodetype is None:
        return partial(register_dataclass, data_fields=data_fields, meta_fields=meta_fields, drop_fields=drop_fields)
    if data_fields is None or meta_fields is None:
        if not is_dataclass(nodetype):
            raise TypeError(f"register_dataclass: data_fields and meta_fields are required: {nodetype} is no dataclass")
        initial = [f for f in fields(nodetype) if f.init and f.name not in drop_fields]
        data_fields = [f.name for f in initial if not f.metadata.get("static", False)]
        meta_fields = [f.name for f in initial if f.metadata.get("static", False)]
    elif is_dataclass(nodetype):
        expected = {f.name for f in fields(nodetype) if f.init} - set(drop_fields)
        given = {*data_fields, *meta_fields}
        if given != expected:
            raise ValueError(
                "data_fields and meta_fields must include all dataclass fields with ``init=True`` and only them. "
                f"Missing fields: {expected - given}. Unexpected fields: {given - expected}."
            )
    data, meta = tuple(data_fields), tuple(meta_fields)

    def flatten(x: Any) -> tuple[Sequence[Any], Any]:
        return [getattr(x, name) for name in data], tuple([getattr(x, name) for name in meta])

    def unflatten(aux: Any, children: Iterable[Any]) -> Any:
        return nodetype(**dict(zip(data, children, strict=True)), **dict(zip(meta, aux, strict=True)))

    register_pytree_node(nodetype, flatten, unflatten, lambda x: ([(GetAttrKey(n), None) for n in data], None))
    return nodetype


def register_static(cls: C) -> C:
    """A class decorator: instances are static data, a tree without leaves. They must be hashable and comparable."""
    register_pytree_node(cls, lambda x: ((), x), lambda x, _: x)
    return cls


# -- structures ---------------------------------------------------------------------------------------------------------------------------


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
        self._children = tuple([_treedef(c) for c in children])
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
            build = self._build = _write_build(self)
        given = leaves if isinstance(leaves, list) else list(leaves)
        if len(given) != self.num_leaves:
            few = "few" if len(given) < self.num_leaves else "many"
            raise ValueError(f"Too {few} leaves for PyTreeDef; expected {self.num_leaves}, got {len(given)}.")
        return build(given)

    def match(self, tree: Any) -> Leaves | None:
        """The leaves of a tree of just this structure; None for any other (or for one with leaves of a type that was not met before)."""
        take = self._match
        if take is None:
            take = self._match = _write_match(self)
        leaves = take(tree)
        return leaves if leaves is not None and _leaf_types.issuperset(map(type, leaves)) else None

    def flatten_up_to(self, tree: Any) -> Leaves:
        """The subtrees of `tree` at the leaves of this structure. Raises ValueError, naming the place, if it does not start with this structure."""
        found: Leaves = []
        _take_up_to(self, tree, found, ())
        return found

    def compose(self, inner: PyTreeDef) -> PyTreeDef:
        """This structure with `inner` in the place of each leaf."""
        if self._type is None:
            return inner
        return _treedef((self._type, self._data, tuple([c.compose(inner)._token for c in self._children])))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, PyTreeDef) and self._token == other._token)

    def __hash__(self) -> int:
        return hash(self._token)

    def __repr__(self) -> str:
        return f"PyTreeDef({_text(self)})"

    def __reduce__(self) -> Any:
        return (_treedef, (self._token,))


_interned: WeakValueDictionary[Token, PyTreeDef] = WeakValueDictionary()


def _treedef(token: Token) -> PyTreeDef:
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
    return f"CustomNode({kind.__name__}[{data}], [{', '.join(parts)}])"


# -- flattening ---------------------------------------------------------------------------------------------------------------------------


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[Leaves, PyTreeDef]:
    """The leaves, from left to right, and the structure. What `is_leaf` is true of is taken as a leaf."""
    leaves: Leaves = []
    token = _walk(tree, leaves) if is_leaf is None else _walk_until(tree, leaves, is_leaf)
    return leaves, _treedef(token)


def _walk(x: Any, leaves: Leaves) -> Token:
    cls = x.__class__
    if cls in _leaf_types:
        leaves.append(x)
        return None
    kind = _KINDS.get(cls) or _kind_of(x)
    if kind is None:
        _leaf_types.add(cls)
        leaves.append(x)
        return None
    children, data = kind.flatten(x)
    return (cls, data, tuple([_walk(c, leaves) for c in children]))


def _walk_until(x: Any, leaves: Leaves, is_leaf: Callable[[Any], bool]) -> Token:
    kind = None if is_leaf(x) else _kind_of(x)
    if kind is None:
        leaves.append(x)
        return None
    children, data = kind.flatten(x)
    return (x.__class__, data, tuple([_walk_until(c, leaves, is_leaf) for c in children]))


def _take_up_to(treedef: PyTreeDef, tree: Any, found: Leaves, path: KeyPath) -> None:
    if treedef._type is None:
        found.append(tree)
        return
    kind = _kind_of(tree)
    where = f" at {keystr(path)}" if path else ""
    if kind is None or tree.__class__ is not treedef._type:
        raise ValueError(f"Expected {treedef._type.__name__}{where}, got {tree!r}.")
    children, data = kind.flatten(tree)
    if len(children) != len(treedef._children):
        raise ValueError(
            f"{treedef._type.__name__} arity mismatch{where}: {len(children)} != {len(treedef._children)}; {tree!r}."
        )
    if data != treedef._data:
        raise ValueError(f"Mismatch custom node data{where}: {data} != {treedef._data}; value: {tree!r}.")
    for key, sub, child in zip(kind.keys(tree, len(children)), treedef._children, children, strict=True):
        _take_up_to(sub, child, found, (*path, key))


def _write_match(treedef: PyTreeDef) -> Callable[[Any], Leaves | None]:
    """`match` as Python code: checks of types and lengths, and what lies at the leaves."""
    names: dict[str, Any] = {}
    lines: list[str] = []
    leaves: list[str] = []

    def name(value: Any) -> str:
        names[key := f"c{len(names)}"] = value
        return key

    def take(t: PyTreeDef, x: str) -> None:
        if t._type is None:
            leaves.append(x)
            return
        if t._type is type(None):
            lines.append(f"if {x} is not None: return None")
            return
        lines.append(f"if {x}.__class__ is not {name(t._type)}: return None")
        parts = [f"{x}_{i}" for i in range(len(t._children))]
        unpacked = f"[{', '.join(parts)}]"
        if t._type is dict:
            lines.append(f"if len({x}) != {len(parts)}: return None")
            lines.extend(f"{p} = {x}[{name(k)}]" for p, k in zip(parts, t._data, strict=True))
        else:
            source = x
            if not (issubclass(t._type, tuple) or t._type is list):
                lines.append(f"{x}, aux = {name(_KINDS[t._type].flatten)}({x})")
                lines.append(f"if aux != {name(t._data)}: return None")
            lines.append(f"if len({source}) != {len(parts)}: return None")
            if parts:
                lines.append(f"{unpacked} = {source}")
        for child, part in zip(t._children, parts, strict=True):
            take(child, part)

    take(treedef, "x")
    body = "".join(f"        {line}\n" for line in lines)
    code = f"def match(x):\n    try:\n{body}        return [{', '.join(leaves)}]\n    except KeyError:\n        return None\n"
    exec(code, names)  # our own text: no user's name is in it
    return names["match"]


def _write_build(treedef: PyTreeDef) -> Callable[[Leaves], Any]:
    """`unflatten` as Python code: one expression."""
    names: dict[str, Any] = {}
    count = 0

    def name(value: Any) -> str:
        names[key := f"c{len(names)}"] = value
        return key

    def build(t: PyTreeDef) -> str:
        nonlocal count
        if t._type is None:
            count += 1
            return f"l{count - 1}"
        parts = [build(c) for c in t._children]
        if t._type is type(None):
            return "None"
        if t._type is tuple:
            return f"({''.join(f'{p}, ' for p in parts)})"
        if t._type is list:
            return f"[{', '.join(parts)}]"
        if t._type is dict:
            return "{" + ", ".join(f"{name(k)}: {p}" for k, p in zip(t._data, parts, strict=True)) + "}"
        kind = _KINDS[t._type]
        return f"{name(kind.unflatten)}({name(t._data)}, ({''.join(f'{p}, ' for p in parts)}))"

    result = build(treedef)
    given = "".join(f"l{i}, " for i in range(count))
    code = "def build(leaves):\n" + (f"    {given}= leaves\n" if count else "") + f"    return {result}\n"
    exec(code, names)
    return names["build"]


# -- what one does with trees -------------------------------------------------------------------------------------------------------------


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


def tree_reduce(function: Callable[[Any, Any], Any], tree: Any, *initial: Any, is_leaf: IsLeaf = None) -> Any:
    """`functools.reduce` over the leaves."""
    return reduce(function, tree_leaves(tree, is_leaf), *initial)


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


def tree_all(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether all leaves are true."""
    return all(tree_leaves(tree, is_leaf))


def tree_transpose(outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, tree: Any) -> Any:
    """A tree of trees turned inside out: structure `outer` of `inner` becomes `inner` of `outer`."""
    rows = [tree_flatten(sub) for sub in outer_treedef.flatten_up_to(tree)]
    if inner_treedef is None:
        inner_treedef = rows[0][1]
    for _, found in rows:
        if found != inner_treedef:
            raise TypeError(f"Mismatch: expected the inner structure {inner_treedef}, got {found}")
    columns = zip(*[leaves for leaves, _ in rows], strict=True)
    return inner_treedef.unflatten([outer_treedef.unflatten(list(column)) for column in columns])


def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf = None) -> bool:
    """Whether each element is a leaf."""
    return all((is_leaf is not None and is_leaf(x)) or _kind_of(x) is None for x in iterable)


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple of trees."""
    return _treedef((tuple, None, tuple([t._token for t in treedefs])))


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the children."""
    return treedef.children()


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether the structure is that of a leaf."""
    return treedef._type is None


def tree_flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """Pairs of key path and leaf, and the structure."""
    found: list[tuple[KeyPath, Any]] = []

    def walk(x: Any, path: KeyPath) -> None:
        kind = None if is_leaf is not None and is_leaf(x) else _kind_of(x)
        if kind is None:
            found.append((path, x))
            return
        children = kind.flatten(x)[0]
        for key, child in zip(kind.keys(x, len(children)), children, strict=True):
            walk(child, (*path, key))

    walk(tree, ())
    return found, tree_structure(tree, is_leaf)


def tree_leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[KeyPath, Any]]:
    """Pairs of key path and leaf."""
    return tree_flatten_with_path(tree, is_leaf)[0]


def tree_map_with_path(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """`f(path, leaf, *others)` for each leaf."""
    pairs, treedef = tree_flatten_with_path(tree, is_leaf)
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

"""Which types are nodes of trees, and how each is taken apart and put together.

Tuples, lists, dicts (by sorted key), OrderedDict, defaultdict and None are registered here, named tuples when they are met, other classes by their owners.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from weft.trees.keys import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

C = TypeVar("C", bound=type)


class Kind(NamedTuple):
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


KINDS: dict[type, Kind] = {
    type(None): Kind(lambda x: ((), None), lambda aux, children: None, _indices),
    tuple: Kind(lambda x: (x, None), lambda aux, children: tuple(children), _indices),
    list: Kind(lambda x: (x, None), lambda aux, children: list(children), _indices),
    dict: Kind(_flatten_dict, lambda keys, children: dict(zip(keys, children, strict=True)), _sorted_dict_keys),
    OrderedDict: Kind(
        lambda x: (list(x.values()), tuple(x)),
        lambda keys, children: OrderedDict(zip(keys, children, strict=True)),
        lambda x, count: [DictKey(k) for k in x],
    ),
    defaultdict: Kind(
        _flatten_defaultdict,
        lambda aux, children: defaultdict(aux[0], zip(aux[1], children, strict=True)),
        _sorted_dict_keys,
    ),
}

leaf_types: set[type] = set()
"""Types that were met as leaves: generated code takes only these for leaves, because any other type may be a node."""


def kind_of(x: Any) -> Kind | None:
    """What sort of node `x` is; None for a leaf. Named tuples register themselves when they are met."""
    cls = x.__class__
    kind = KINDS.get(cls)
    if kind is None and isinstance(x, tuple) and hasattr(x, "_fields"):
        kind = KINDS[cls] = Kind(lambda x: (x, cls), lambda aux, children: cls(*children), _field_names)
    return kind


def register_pytree_node(
    nodetype: type,
    flatten_func: Callable[[Any], tuple[Iterable[Any], Hashable]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_with_keys_func: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Makes a class a node: `flatten_func(x)` gives children and static data, `unflatten_func(data, children)` the object. Raises ValueError if it is one already."""
    if nodetype in KINDS:
        raise ValueError(f"Duplicate custom PyTreeDef type registration for {nodetype}.")

    def flatten(x: Any) -> tuple[Sequence[Any], Any]:
        children, aux = flatten_func(x)
        return tuple(children), aux

    keys = _flat_indices
    if flatten_with_keys_func is not None:

        def keys(x: Any, count: int) -> Sequence[Any]:
            return [k for k, _ in flatten_with_keys_func(x)[0]]

    KINDS[nodetype] = Kind(flatten, unflatten_func, keys)
    leaf_types.discard(nodetype)


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

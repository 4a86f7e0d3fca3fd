"""Arithmetic on whole pytrees (`optax.tree`), and values of optimisers' states found and set by their names.

`get(state, "count")` looks through chains and wrappers for a field of that name, wherever it is; `set` replaces it; `map_params` applies a function to what in a state is shaped like
the parameters. The names are those of the operations on arrays, so the built-in `sum`, `max`, `min` and `set` are not used here.
"""

# ruff: noqa: PLC0414

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import weft.numpy as wnp
from weft import dtypes, random
from weft.array import Array
from weft.optim.base import bias_correction as bias_correction
from weft.optim.base import squared as _square
from weft.optim.base import update_infinity_moment as update_infinity_moment
from weft.optim.base import update_moment as update_moment
from weft.optim.base import update_moment_per_elem_norm as update_moment_per_elem_norm
from weft.tree_util import (
    DictKey,
    GetAttrKey,
    flatten_one_level_with_keys,
    is_tree_node,
    register_pytree_node_class,
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_reduce,
    tree_structure,
)

Tree = Any
Path = tuple[Any, ...]
Filter = Callable[[Path, Any], Any] | None


# -- leaf by leaf -------------------------------------------------------------------------------------------------------------------------


def add(tree_x: Tree, tree_y: Tree, *other_trees: Tree) -> Tree:
    """The sum of two trees or more."""
    return tree_map(lambda *leaves: builtins.sum(leaves), tree_x, tree_y, *other_trees)


def sub(tree_x: Tree, tree_y: Tree) -> Tree:
    """x - y."""
    return tree_map(operator.sub, tree_x, tree_y)


def mul(tree_x: Tree, tree_y: Tree) -> Tree:
    """x * y."""
    return tree_map(operator.mul, tree_x, tree_y)


def div(tree_x: Tree, tree_y: Tree) -> Tree:
    """x / y."""
    return tree_map(operator.truediv, tree_x, tree_y)


def scale(scalar: Any, tree: Tree) -> Tree:
    """A number times each leaf."""
    return tree_map(lambda x: scalar * x, tree)


def add_scale(tree_x: Tree, scalar: Any, tree_y: Tree) -> Tree:
    """x + scalar * y. Where x has None it stays so."""
    scalar = wnp.asarray(scalar)
    return tree_map(lambda x, y: None if x is None else x + scalar * y, tree_x, tree_y, is_leaf=lambda x: x is None)


def conj(tree: Tree) -> Tree:
    """The complex conjugates."""
    return tree_map(wnp.conj, tree)


def real(tree: Tree) -> Tree:
    """The real parts."""
    return tree_map(wnp.real, tree)


def clip(tree: Tree, min_value: Any = None, max_value: Any = None) -> Tree:
    """Every element into [min_value, max_value]."""
    return tree_map(lambda x: wnp.clip(x, min_value, max_value), tree)


def where(condition: Any, tree_x: Tree, tree_y: Tree) -> Tree:
    """x where the condition holds, else y."""
    return tree_map(lambda x, y: wnp.where(condition, x, y), tree_x, tree_y)


def cast(tree: Tree, dtype: Any) -> Tree:
    """The leaves in a dtype, or as they are if it is None."""
    return tree if dtype is None else tree_map(lambda x: x.astype(dtype), tree)


def cast_like(tree: Tree, other_tree: Tree) -> Tree:
    """The leaves in the dtypes of another tree's, where those have any."""
    return tree_map(lambda x, o: wnp.asarray(x).astype(o.dtype) if hasattr(o, "dtype") else x, tree, other_tree)


def full_like(tree: Tree, fill_value: Any, dtype: Any = None) -> Tree:
    """A number in the shape of each leaf."""
    return tree_map(lambda x: wnp.full_like(x, fill_value, dtype=dtype), tree)


def zeros_like(tree: Tree, dtype: Any = None) -> Tree:
    """Zeros in the shape of each leaf."""
    return tree_map(lambda x: wnp.zeros_like(x, dtype=dtype), tree)


def ones_like(tree: Tree, dtype: Any = None) -> Tree:
    """Ones in the shape of each leaf."""
    return tree_map(lambda x: wnp.ones_like(x, dtype=dtype), tree)


def batch_shape(tree: Tree, shape: tuple[int, ...] = ()) -> Tree:
    """Each leaf repeated along new leading axes."""
    return tree_map(lambda x: wnp.broadcast_to(x, (*shape, *wnp.shape(x))), tree)


# -- all leaves together ------------------------------------------------------------------------------------------------------------------


def sum(tree: Tree, associative_reduction: bool = False) -> Any:
    """The sum of all elements."""
    return tree_reduce(operator.add, tree_map(wnp.sum, tree), 0)


def vdot(tree_x: Tree, tree_y: Tree) -> Any:
    """The scalar product, of the conjugate of x with y."""
    return tree_reduce(operator.add, tree_map(wnp.vdot, tree_x, tree_y), 0)


def max(tree: Tree) -> Any:
    """The greatest of all elements; -inf if there are none."""
    found = [wnp.max(x) for x in tree_leaves(tree) if wnp.size(x)]
    return reduce(wnp.maximum, found, -float("inf"))


def min(tree: Tree) -> Any:
    """The least of all elements; inf if there are none."""
    found = [wnp.min(x) for x in tree_leaves(tree) if wnp.size(x)]
    return reduce(wnp.minimum, found, float("inf"))


def size(tree: Tree) -> int:
    """How many elements there are."""
    return builtins.sum(wnp.size(x) for x in tree_leaves(tree))


def norm(tree: Tree, ord: int | str | float | None = None, squared: bool = False) -> Array:
    """The norm over all leaves together: Euclidean (None or 2), the sum (1) or the maximum (inf) of absolute values; `squared` gives its square. Raises ValueError for another order."""
    if ord is None or ord == 2:
        total = sum(tree_map(_square, tree))
        return wnp.asarray(total if squared else wnp.sqrt(total))
    if ord == 1:
        found = sum(tree_map(wnp.abs, tree))
    elif ord in (wnp.inf, "inf", "infinity"):
        found = max(tree_map(wnp.abs, tree))
    else:
        raise ValueError(f"Unsupported ord: {ord}")
    return wnp.asarray(_square(found) if squared else found)


def allclose(a: Tree, b: Tree, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close to each other."""
    close = tree_map(lambda x, y: wnp.allclose(x, y, rtol, atol, equal_nan), a, b)
    return reduce(operator.and_, tree_leaves(close), True)


def dtype(tree: Tree, mixed_dtype_handler: str | None = None) -> Any:
    """The dtype of all leaves. If they differ: "promote" gives the one that they meet in, "lowest" and "highest" that of the least and of the greatest of them; otherwise ValueError is raised."""
    found = [wnp.asarray(x).dtype for x in tree_leaves(tree)]
    if not found:
        return wnp.asarray([]).dtype
    if mixed_dtype_handler is None:
        if any(d != found[0] for d in found):
            raise ValueError(f"Expected all leaves to have the dtype {found[0]}, got {', '.join(map(str, found))}")
        return found[0]
    if mixed_dtype_handler == "promote":
        return reduce(wnp.promote_types, found)
    if mixed_dtype_handler not in ("lowest", "highest"):
        raise ValueError(
            f"Invalid value for {mixed_dtype_handler=}, possible values are: None, 'promote', 'highest', 'lowest'."
        )
    lowest = mixed_dtype_handler == "lowest"

    def chosen(a: Any, b: Any) -> Any:
        together = wnp.promote_types(a, b)
        if together not in (a, b):
            raise ValueError(f"The dtypes {a} and {b} cannot be compared: neither holds the numbers of the other")
        return (b if together == a else a) if lowest else together

    return reduce(chosen, found)


# -- random numbers -----------------------------------------------------------------------------------------------------------------------


def split_key_like(rng_key: Any, target_tree: Tree) -> Tree:
    """A key for each leaf."""
    structure = tree_structure(target_tree)
    return structure.unflatten(list(random.split(rng_key, structure.num_leaves)))


def random_like(
    rng_key: Any, target_tree: Tree, sampler: Callable[..., Any] = random.normal, dtype: Any = None
) -> Tree:
    """Random numbers in the shape of each leaf, `sampler(key, shape, dtype)`."""
    keys = split_key_like(rng_key, target_tree)
    return tree_map(lambda x, key: sampler(key, x.shape, dtype or x.dtype), target_tree, keys)


def unwrap_random_key_data(input_tree: Tree) -> Tree:
    """Keys as the integers that they are; other leaves as they are."""

    def is_key(x: Any) -> bool:
        return hasattr(x, "dtype") and dtypes.issubdtype(x.dtype, dtypes.prng_key)

    return tree_map(lambda x: random.key_data(x) if is_key(x) else x, input_tree, is_leaf=is_key)


# -- values by their names ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NamedTupleKey:
    """A field of a named tuple, as a step of a path: filters tell by it in which state a value is."""

    tuple_name: str
    name: str

    def __str__(self) -> str:
        return f"{self.tuple_name}.{self.name}"


def _is_named(node: Any) -> bool:
    return isinstance(node, tuple) and hasattr(node, "_fields")


def _children(path: Path, node: Any) -> Iterator[tuple[Path, Any]]:
    """What a node of a tree holds, with the paths to it."""
    if is_tree_node(type(node)):
        for key, child in flatten_one_level_with_keys(node)[0]:
            if _is_named(node) and isinstance(key, GetAttrKey):
                key = NamedTupleKey(type(node).__name__, key.name)
            yield (*path, key), child


def _name(key: Any) -> Any:
    """What one calls a step of a path by."""
    return key.key if isinstance(key, DictKey) else getattr(key, "name", None)


def _found(path: Path, node: Any, name: Any) -> tuple[Path, Any] | None:
    """The node itself, if it is a named tuple of this name, or what it holds under it."""
    if _is_named(node) and type(node).__name__ == name:
        return path, node
    if _is_named(node) or isinstance(node, dict):
        return next((item for item in _children(path, node) if _name(item[0][-1]) == name), None)
    return None


def get_all_with_path(tree: Tree, key: Any, filtering: Filter = None) -> list[tuple[Path, Any]]:
    """All values of a name, with the paths to them: entries of dicts, fields of named tuples, and named tuples by the names of their classes. `filtering(path, value)` says which of them."""
    found: list[tuple[Path, Any]] = []
    within: list[tuple[Path, Any]] = []

    def search(path: Path, node: Any) -> None:
        hit = _found(path, node, key)
        if hit is not None:
            found.append(hit)
            within.append((path, node))
        else:
            for item in _children(path, node):
                search(*item)

    search((), tree)
    for path, node in within:  # further ones, below those that were found
        for start, child in _children(path, node):
            found += [((*start, *rest), value) for rest, value in get_all_with_path(child, key)]
    return [item for item in found if filtering is None or filtering(*item)]


def get(tree: Tree, key: Any, default: Any = None, filtering: Filter = None) -> Any:
    """The value of a name, or `default` if there is none. Raises KeyError if there are several."""
    found = get_all_with_path(tree, key, filtering)
    if len(found) > 1:
        raise KeyError(f"Found multiple values for '{key}' in {tree}.")
    return found[0][1] if found else default


def set(tree: Tree, filtering: Filter = None, /, **kwargs: Any) -> Tree:
    """The tree with other values for some names. Raises KeyError for a name that is not there (or that `filtering(path, value)` rules out)."""
    for key in kwargs:
        if not get_all_with_path(tree, key, filtering):
            given = " given the filtering operation" if filtering else ""
            raise KeyError(f"Found no values matching '{key}'{given} in {tree}")

    def chosen(path: Path, node: Any, name: Any) -> bool:
        return name in kwargs and (filtering is None or bool(filtering(path, node)))

    def replaced(path: Path, node: Any) -> Any:
        if path and isinstance(path[-1], (NamedTupleKey, DictKey)) and chosen(path, node, _name(path[-1])):
            return kwargs[_name(path[-1])]
        if _is_named(node) and chosen(path, node, type(node).__name__):
            return kwargs[type(node).__name__]
        items = list(_children(path, node))
        if not items:
            return node
        structure = tree_flatten(node, is_leaf=lambda x: x is not node)[1]
        return structure.unflatten([replaced(*item) for item in items])

    return replaced((), tree)


@register_pytree_node_class
class _Params:
    """Stands for the parameters in a state: a tree without leaves."""

    def tree_flatten(self) -> tuple[Sequence[Any], None]:
        return (), None

    @classmethod
    def tree_unflatten(cls, aux: None, children: Sequence[Any]) -> _Params:
        return cls()


def map_params(
    initable: Any,
    f: Callable[..., Any],
    state: Any,
    /,
    *rest: Any,
    transform_non_params: Callable[[Any], Any] | None = None,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """`f(leaf, *leaves of rest)` for what in an optimiser's state is shaped like the parameters. `initable` is the optimiser, or its `init`.

    Everything else is given to `transform_non_params`, or stays as it is.
    """
    shape = getattr(initable, "init", initable)(_Params())

    def mapped(holder: Any, value: Any) -> Any:
        if isinstance(holder, _Params):
            return tree_map(f, value, *rest, is_leaf=is_leaf)
        return value if transform_non_params is None else transform_non_params(value)

    return tree_map(mapped, shape, state, is_leaf=lambda x: isinstance(x, _Params))

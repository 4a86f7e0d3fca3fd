"""Between users' functions, which take and give pytrees of arrays, and the walks, which know nodes.

`on_nodes` takes the trees off; `Structure` remembers how a function's result looked. `ShapeDtypeStruct` stands for an array that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from inspect import Parameter, signature
from typing import Any

from weft.array import Array, lift
from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.dtypes import DType
from weft.errors import describe_function
from weft.host import canonical
from weft.tree_util import PyTreeDef, tree_flatten, tree_structure


class ShapeDtypeStruct:
    """Shape and dtype of an array that is not there: an argument of `eval_shape` and of `jit(f).lower`."""

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: Sequence[int], dtype: Any, *, weak_type: bool = False):
        self.shape: tuple[int, ...] = tuple(shape)
        self.dtype: DType = canonical(dtype)
        self.weak_type = weak_type

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.aval.size

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def update(self, **changes: Any) -> ShapeDtypeStruct:
        """Another one, of which `shape`, `dtype` or `weak_type` differ."""
        known: dict[str, Any] = {"shape": self.shape, "dtype": self.dtype, "weak_type": self.weak_type}
        if unknown := changes.keys() - known:
            raise ValueError(f"updating ShapeDtypeStruct: unknown attributes {', '.join(sorted(unknown))}")
        return ShapeDtypeStruct(**(known | changes))

    @property
    def aval(self) -> Aval:
        """The same, interned."""
        return aval(self.shape, self.dtype, self.weak_type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self.aval is other.aval

    def __hash__(self) -> int:
        return hash(self.aval)

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype}{weak})"


def on_nodes(fun: Callable[..., Any], treedef: PyTreeDef) -> OnNodes:
    """`fun(*args)`, where `treedef` is the structure of the tuple `args`, as a function on nodes."""
    return OnNodes(fun, treedef)


class OnNodes:
    """See `on_nodes`. After a call, `out_tree` is the structure of the result."""

    out_tree: PyTreeDef

    def __init__(self, fun: Callable[..., Any], treedef: PyTreeDef):
        self.fun, self.treedef = fun, treedef

    def __call__(self, *nodes: Node) -> list[Node]:
        leaves, self.out_tree = tree_flatten(self.fun(*self.treedef.unflatten([Array(n) for n in nodes])))
        return [lift_result(x, self.fun) for x in leaves]


def lift_result(x: Any, fun: Any) -> Node:
    """The node of a leaf that a function returned. Raises TypeError for what is not an array."""
    try:
        return lift(x)
    except TypeError as error:
        raise TypeError(
            f"function {describe_function(fun)} returned a value of type {type(x)}, which is not a valid array type"
        ) from error


def take_aux(pair: Any, what: str) -> tuple[Any, Any]:
    """Result and auxiliary data of a function with `has_aux`. Raises TypeError for anything but a pair."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"{what}: with has_aux=True the function must return a pair (result, aux), got {pair!r}")
    return pair[0], pair[1]


class Aux:
    """Auxiliary data on its way through a walk: arrays in it travel as nodes (a walk may replace them), anything else waits here."""

    def __init__(self, aux: Any):
        self.leaves, self.tree = tree_flatten(aux)
        self.places = [i for i, x in enumerate(self.leaves) if isinstance(x, Array)]
        self.nodes = [self.leaves[i]._node for i in self.places]

    def rebuild(self, arrays: Sequence[Array]) -> Any:
        """The data with what came out of the walk."""
        for i, array in zip(self.places, arrays, strict=True):
            self.leaves[i] = array
        return self.tree.unflatten(self.leaves)


def same_structure(
    expected: PyTreeDef, tree: Any, what: str, error: type[TypeError | ValueError] = TypeError
) -> list[Any]:
    """The leaves of `tree`. Raises `error` if its structure is not the expected one."""
    leaves, found = tree_flatten(tree)
    if found != expected:
        raise error(f"{what}: expected the structure {expected}, got {found}")
    return leaves


def check_callable(fun: Any, transform: str) -> None:
    """Raises TypeError if `fun` cannot be called."""
    if not callable(fun):
        raise TypeError(f"Expected a callable value for {transform}, got {fun!r}")


def named_after(wrapper: Any, fun: Callable[..., Any], transform: str) -> Any:
    """A transformed function with the name and documentation of the original."""
    update_wrapper(wrapper, fun, updated=())
    wrapper.__name__ = f"{transform}({getattr(fun, '__name__', type(fun).__name__)})"
    return wrapper


def positional(fun: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """All arguments of a call in the order of the function's signature, defaults included. Raises TypeError for those that can only be given by name."""
    bound = signature(fun).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"{describe_function(fun)}: keyword-only arguments are not supported: {', '.join(bound.kwargs)}"
        )
    return bound.args


def parameter_names(fun: Callable[..., Any]) -> list[str]:
    """The names of the positional parameters, as far as the signature tells."""
    try:
        parameters = signature(fun).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]


def structure_of(*args: Any) -> PyTreeDef:
    """The structure of a tuple of arguments."""
    return tree_structure(args)

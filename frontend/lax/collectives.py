"""Collectives: what the examples of a `vmap` with an `axis_name` know of each other. Sums and extrema over all, gathering, permuting, exchanging.

A collective is a call node on a value and its axis's index. When the walk of that axis's `vmap` arrives, the value has the axis in front, and the collective is an ordinary
operation on it; a walk of another `vmap` puts an axis of its own in front of everything. Leaves of pytrees go one by one; several names mean one axis after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import Any

from weft.array import Array, lift, wrap
from weft.axes import find_axis
from weft.dialects.array import ops
from weft.dialects.array.node import Aval, Node, aval, make
from weft.dialects.array.op import batch_front, move_axis
from weft.lax.base import axis_index as checked_axis
from weft.tree_util import tree_map

__all__ = [
    "all_gather", "all_to_all", "axis_index", "axis_size", "pbroadcast", "pmax", "pmean", "pmin", "ppermute", "pshuffle",
    "psum", "psum_scatter", "pswapaxes",
]  # fmt: skip

AxisName = Hashable
Batched = tuple[Node, int | None]


class _Collective:
    """What all share. `exchange` is the rule: from a value with the examples in front to the result and its batch axis, None if all have the same."""

    name = "collective"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, x: Node, index: Node, **params: Any) -> Node:
        return make(cls, (x, index), params, aval(cls.shape_of(x.shape, **params), x.dtype, x.aval.weak_type))

    @classmethod
    def shape_of(cls, shape: tuple[int, ...], **params: Any) -> tuple[int, ...]:
        return shape

    @classmethod
    def behind(cls, **params: Any) -> dict[str, Any]:
        """The parameters for a value with one more axis in front."""
        return params

    @classmethod
    def exchange(cls, x: Node, **params: Any) -> Batched:
        raise NotImplementedError

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Sequence[int | None], **params: Any) -> Batched:
        x, index = args
        if dims[1] is not None:
            return cls.exchange(batch_front(size, x, dims[0]), **params)
        assert dims[0] is not None
        return cls.bind(move_axis(x, dims[0], 0), index, **cls.behind(**params)), 0

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any) -> Node | None:
        return None if tangents[0] is None else cls.bind(tangents[0], primals[1], **params)

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], **params: Any) -> list[Node | None]:
        return [cls.cotangent(ct, args[1], **params), None]

    @classmethod
    def cotangent(cls, ct: Node, index: Node, **params: Any) -> Node:
        raise NotImplementedError(f"Transpose rule (for reverse-mode differentiation) for '{cls.name}' not implemented")


class Psum(_Collective):
    """The sum over the examples."""

    name = "psum"

    @classmethod
    def exchange(cls, x: Node) -> Batched:
        return ops.ReduceOp.bind(x, kind="add", axes=(0,)), None

    @classmethod
    def cotangent(cls, ct: Node, index: Node) -> Node:
        return cls.bind(ct, index)


class Pextreme(_Collective):
    """The greatest or least of the examples."""

    name = "pextreme"

    @classmethod
    def exchange(cls, x: Node, *, kind: str) -> Batched:
        return ops.ReduceOp.bind(x, kind=kind, axes=(0,)), None

    @classmethod
    def jvp(cls, *args: Any, kind: str) -> Any:
        raise NotImplementedError(f"Differentiation rule for 'p{kind}' not implemented")


class AllGather(_Collective):
    """The values of all examples, along a new axis or (tiled) one after the other along one that is there."""

    name = "all_gather"

    @classmethod
    def shape_of(cls, shape: tuple[int, ...], *, count: int, axis: int, tiled: bool) -> tuple[int, ...]:
        if tiled:
            return (*shape[:axis], shape[axis] * count, *shape[axis + 1 :])
        return (*shape[:axis], count, *shape[axis:])

    @classmethod
    def behind(cls, *, count: int, axis: int, tiled: bool) -> dict[str, Any]:
        return {"count": count, "axis": axis + 1, "tiled": tiled}

    @classmethod
    def exchange(cls, x: Node, *, count: int, axis: int, tiled: bool) -> Batched:
        gathered = move_axis(x, 0, axis)
        shape = cls.shape_of(x.shape[1:], count=count, axis=axis, tiled=tiled)
        return ops.ReshapeOp.bind(gathered, shape=shape) if tiled else gathered, None

    @classmethod
    def cotangent(cls, ct: Node, index: Node, *, count: int, axis: int, tiled: bool) -> Node:
        return PsumScatter.bind(ct, index, count=count, axis=axis, tiled=tiled)


class PsumScatter(_Collective):
    """The sum over the examples, of which each gets its part along an axis."""

    name = "psum_scatter"

    @classmethod
    def shape_of(cls, shape: tuple[int, ...], *, count: int, axis: int, tiled: bool) -> tuple[int, ...]:
        if shape[axis] % count or (not tiled and shape[axis] != count):
            raise ValueError(
                f"psum_scatter: axis {axis} of shape {shape} must {'be a multiple of' if tiled else 'have'} the axis size {count}"
            )
        return (*shape[:axis], *((shape[axis] // count,) if tiled else ()), *shape[axis + 1 :])

    @classmethod
    def behind(cls, *, count: int, axis: int, tiled: bool) -> dict[str, Any]:
        return {"count": count, "axis": axis + 1, "tiled": tiled}

    @classmethod
    def exchange(cls, x: Node, *, count: int, axis: int, tiled: bool) -> Batched:
        total = ops.ReduceOp.bind(x, kind="add", axes=(0,))
        if tiled:
            n = total.shape[axis] // count
            total = ops.ReshapeOp.bind(total, shape=(*total.shape[:axis], count, n, *total.shape[axis + 1 :]))
        return total, axis

    @classmethod
    def cotangent(cls, ct: Node, index: Node, *, count: int, axis: int, tiled: bool) -> Node:
        return AllGather.bind(ct, index, count=count, axis=axis, tiled=tiled)


class Ppermute(_Collective):
    """Each example's value sent to another; zeros where nothing arrives."""

    name = "ppermute"

    @classmethod
    def exchange(cls, x: Node, *, perm: tuple[tuple[int, int], ...]) -> Batched:
        import weft.numpy as wnp

        source = {to: of for of, to in perm}
        size = x.shape[0]
        sent = wnp.take(wrap(x), wnp.asarray(_int32([source.get(i, 0) for i in range(size)])), axis=0)
        arrived = wnp.asarray(_int32([i in source for i in range(size)])).reshape(size, *(1,) * (x.ndim - 1)) != 0
        return wnp.where(arrived, sent, wnp.zeros_like(sent))._node, 0

    @classmethod
    def cotangent(cls, ct: Node, index: Node, *, perm: tuple[tuple[int, int], ...]) -> Node:
        return cls.bind(ct, index, perm=tuple((to, of) for of, to in perm))


def _int32(values: Sequence[int]) -> Any:
    from array import array

    return array("i", values)


class AllToAll(_Collective):
    """Each example's value cut along an axis, one part for every example, and the parts that arrive joined along another."""

    name = "all_to_all"

    @classmethod
    def shape_of(cls, shape: tuple[int, ...], *, count: int, split: int, concat: int, tiled: bool) -> tuple[int, ...]:
        if shape[split] % count or (not tiled and shape[split] != count):
            raise ValueError(
                f"all_to_all requires the size of the mapped axis axis_name to equal x.shape[split_axis] (or, tiled, to divide it), "
                f"but they are {count} and {shape[split]} respectively."
            )
        if tiled:
            parts = [n // count if i == split else n for i, n in enumerate(shape)]
            return tuple(n * count if i == concat else n for i, n in enumerate(parts))
        rest = shape[:split] + shape[split + 1 :]
        return (*rest[:concat], count, *rest[concat:])

    @classmethod
    def behind(cls, *, count: int, split: int, concat: int, tiled: bool) -> dict[str, Any]:
        return {"count": count, "split": split + 1, "concat": concat + 1, "tiled": tiled}

    @classmethod
    def exchange(cls, x: Node, *, count: int, split: int, concat: int, tiled: bool) -> Batched:
        shape = cls.shape_of(x.shape[1:], count=count, split=split, concat=concat, tiled=tiled)
        if tiled:
            n = x.shape[split + 1] // count
            x = ops.ReshapeOp.bind(x, shape=(*x.shape[: split + 1], count, n, *x.shape[split + 2 :]))
        received = move_axis(x, split + 1, 0)  # for whom, from whom, what
        joined = move_axis(received, 1, concat + 1)
        return ops.ReshapeOp.bind(joined, shape=(count, *shape)), 0

    @classmethod
    def cotangent(cls, ct: Node, index: Node, *, count: int, split: int, concat: int, tiled: bool) -> Node:
        return cls.bind(ct, index, count=count, split=concat, concat=split, tiled=tiled)


# -- for users ----------------------------------------------------------------------------------------------------------------------------


def _names(axis_name: Any) -> tuple[AxisName, ...]:
    return tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)


def _one(axis_name: Any, what: str) -> AxisName:
    names = _names(axis_name)
    if len(names) != 1:
        raise NotImplementedError(f"{what} over several axes at once is not supported, got {axis_name!r}")
    return names[0]


def _no_groups(axis_index_groups: Any, what: str) -> None:
    if axis_index_groups is not None:
        raise NotImplementedError(f"{what}: axis_index_groups are not supported for the axes of vmap")


def _map(f: Callable[[Node], Node], x: Any) -> Any:
    return tree_map(lambda leaf: wrap(f(lift(leaf))), x)


def axis_index(axis_name: Any) -> Array:
    """The place of the example along the mapped axis: int32. Of several axes the last one counts fastest."""
    found = None
    for name in _names(axis_name):
        axis = find_axis(name)
        found = wrap(axis.index) if found is None else found * axis.size + wrap(axis.index)
    assert found is not None
    return found


def axis_size(axis_name: Any) -> int:
    """How many examples there are along the mapped axis."""
    return prod(find_axis(name).size for name in _names(axis_name))


def psum(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The sum over the examples. Of a Python number it is one, too: `psum(1, name)` is the axis's size."""
    _no_groups(axis_index_groups, "psum")
    size = axis_size(axis_name)

    def total(leaf: Any) -> Any:
        if leaf.__class__ in (int, float, complex):
            return leaf * size
        node = lift(leaf)
        if node.dtype.kind == "b":
            node = ops.ConvertOp.bind(node, dtype=_int(node.aval))
        for name in _names(axis_name):
            node = Psum.bind(node, find_axis(name).index)
        return wrap(node)

    return tree_map(total, x)


def _int(a: Aval) -> Any:
    from weft.lax.base import default_int

    return default_int()


def pmean(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The mean over the examples."""
    size = axis_size(axis_name)
    return tree_map(lambda v: v / size, psum(x, axis_name, axis_index_groups=axis_index_groups))


def _extreme(kind: str, x: Any, axis_name: Any) -> Any:
    def f(node: Node) -> Node:
        for name in _names(axis_name):
            node = Pextreme.bind(node, find_axis(name).index, kind=kind)
        return node

    return _map(f, x)


def pmax(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The greatest over the examples, element by element."""
    _no_groups(axis_index_groups, "pmax")
    return _extreme("max", x, axis_name)


def pmin(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The least over the examples, element by element."""
    _no_groups(axis_index_groups, "pmin")
    return _extreme("min", x, axis_name)


def all_gather(
    x: Any, axis_name: Any, *, axis_index_groups: Any = None, axis: int = 0, tiled: bool = False, to: str = "varying"
) -> Any:
    """The values of all examples along a new axis, or one after the other along one that is there if `tiled`."""
    _no_groups(axis_index_groups, "all_gather")
    found = find_axis(_one(axis_name, "all_gather"))

    def f(node: Node) -> Node:
        place = checked_axis(axis, node.ndim + (not tiled))
        return AllGather.bind(node, found.index, count=found.size, axis=place, tiled=tiled)

    return _map(f, x)


def psum_scatter(
    x: Any, axis_name: Any, *, scatter_dimension: int = 0, axis_index_groups: Any = None, tiled: bool = False
) -> Any:
    """The sum over the examples, of which each gets its part along `scatter_dimension`: its element, or (tiled) its share."""
    _no_groups(axis_index_groups, "psum_scatter")
    found = find_axis(_one(axis_name, "psum_scatter"))

    def f(node: Node) -> Node:
        place = checked_axis(scatter_dimension, node.ndim)
        return PsumScatter.bind(node, found.index, count=found.size, axis=place, tiled=tiled)

    return _map(f, x)


def ppermute(x: Any, axis_name: Any, perm: Sequence[tuple[int, int]]) -> Any:
    """Values sent from example to example: pairs (source, destination). Who receives nothing has zeros. Raises ValueError if a source or a destination comes twice."""
    found = find_axis(_one(axis_name, "ppermute"))
    pairs = tuple((int(of) % found.size, int(to) % found.size) for of, to in perm)
    if any(len(set(side)) < len(pairs) for side in zip(*pairs, strict=True)):
        raise ValueError(f"ppermute sources and destinations must be unique, got {tuple(perm)}.")
    return _map(lambda node: Ppermute.bind(node, found.index, perm=pairs), x)


def pshuffle(x: Any, axis_name: Any, perm: Sequence[int]) -> Any:
    """Example i gets the value of example perm[i]. Raises ValueError if `perm` is no permutation of the axis."""
    if sorted(perm) != list(range(axis_size(axis_name))):
        raise ValueError(f"`perm` does not represent a permutation: {perm}")
    return ppermute(x, axis_name, list(zip(perm, range(len(perm)), strict=True)))


def pbroadcast(x: Any, axis_name: Any, source: int) -> Any:
    """The value of one example, for all."""
    return tree_map(lambda leaf: leaf[source], all_gather(x, axis_name))


def all_to_all(
    x: Any,
    axis_name: Any,
    split_axis: int,
    concat_axis: int,
    *,
    axis_index_groups: Any = None,
    tiled: bool = False,
) -> Any:
    """Each value cut along `split_axis`, a part for every example; the parts that arrive are put along `concat_axis`: a new axis, or (tiled) joined along one that is there."""
    _no_groups(axis_index_groups, "all_to_all")
    found = find_axis(_one(axis_name, "all_to_all"))

    def f(node: Node) -> Node:
        split, concat = checked_axis(split_axis, node.ndim), checked_axis(concat_axis, node.ndim)
        return AllToAll.bind(node, found.index, count=found.size, split=split, concat=concat, tiled=tiled)

    return _map(f, x)


def pswapaxes(x: Any, axis_name: Any, axis: int, *, axis_index_groups: Any = None) -> Any:
    """The mapped axis and an axis of the values exchanged: `all_to_all` from and to the same axis."""
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)

"""Elements by their rank, without sorting the others: the places of those that stand at given ranks, and of so many least ones.

Both rest on one search. The element of rank p is the greatest value that no more than p elements are less than, and its bits are found from the highest on, two at a time: each
round counts how many elements lie below three candidates. Sixteen such passes (32 for 64-bit elements), which only read, take a tenth of the time of sorting, for long lines less. Among
equals a running count tells which one is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, batch_front, broadcast, full, literal
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.algebra import (
    compare,
    convert,
    iota,
    maximum,
    minimum,
    plus,
    reduce,
    reshape,
    slice_axis,
    sub,
    where,
)
from weft.dialects.array.ops.bits import ShiftRightLogicalOp
from weft.dialects.array.ops.matrices import fori
from weft.dialects.array.ops.reduction import CumulateOp
from weft.dialects.array.ops.shape import Dims
from weft.dialects.array.ops.sorting import ArgsortOp, BisectOp, elements_at, ordered
from weft.dialects.dtypes import int32

SHORT = 64
"""Elements of a line up to which it is sorted."""

PART = 4
"""A line is sorted if more than one in so many of its elements are wanted."""


@irdl_op_definition
class ArgselectOp(ArrayOp):
    """Where the elements stand in their lines (the last axis) that have given ranks: the places that `array.argsort` would list there. A rank beyond either end is
    that end's.

    %i = array.argselect %x, %r : tensor<4x300xf32>, tensor<4x2xi32> -> tensor<4x2xi32>

    NumPy: what `np.argpartition` puts there (of equals the one that stands first has the lower rank).
    """

    name = "array.argselect"
    NOT_DIFFERENTIABLE: ClassVar = True

    x = operand_def(TensorType)
    ranks = operand_def(TensorType)

    @classmethod
    def infer(cls, x: Aval, ranks: Aval) -> Aval:
        _check_lines("argselect", x)
        if ranks.dtype is not int32 or ranks.shape[:-1] != x.shape[:-1] or not ranks.ndim:
            raise TypeError(
                f"argselect: the ranks must be int32 of shape ({''.join(f'{k}, ' for k in x.shape[:-1])}n), got {ranks}."
            )
        if not x.shape[-1] and ranks.size:
            raise ValueError(f"argselect: there is nothing to select from in lines of shape {x.shape}.")
        return aval(ranks.shape, int32)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims) -> tuple[Node, int]:
        return cls.bind(*(batch_front(size, x, d) for x, d in zip(args, dims, strict=True))), 0

    @staticmethod
    def reference(np: Any, x: Any, ranks: Any) -> Any:
        if not ranks.size:
            return ranks
        order = ArgsortOp.reference(np, x, axis=x.ndim - 1)
        return np.take_along_axis(order, np.clip(ranks, 0, x.shape[-1] - 1), -1)

    @classmethod
    def decompose(cls, x: Node, ranks: Node) -> Node:
        *lead, n = x.shape
        lines, count = prod(lead), ranks.shape[-1]
        if not lines * count:
            return full(0, ranks)
        inside = reshape(minimum(maximum(ranks, 0), n - 1), (lines, count))
        if n <= SHORT or count > n.bit_length():  # then sorting takes less
            order = ArgsortOp.bind(reshape(x, (lines, n)), axis=1)
            return reshape(elements_at(order, inside), ranks.shape)
        keys = ordered(reshape(x, (lines, n)))
        value = _of_rank(keys, inside)
        every, wanted = _beside(keys, value)
        equals = CumulateOp.bind(convert(compare(every, "eq", wanted), int32), kind="add", axis=2, reverse=False)
        nth = sub(inside, _less(keys, value))  # of the equals
        return reshape(_count(compare(equals, "le", broadcast(nth, equals.shape, (0, 1)))), ranks.shape)


@irdl_op_definition
class ArgleastOp(ArrayOp):
    """Where the `count` least elements of each line (the last axis) stand, the least first: the first places that `array.argsort` lists.

    %i = array.argleast %x count 3 : tensor<4x300xf32> -> tensor<4x3xi32>

    JAX: `lax.top_k` of what is ordered the other way round.
    """

    name = "array.argleast"
    NOT_DIFFERENTIABLE: ClassVar = True

    x = operand_def(TensorType)
    count = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, count: int) -> Aval:
        _check_lines("argleast", x)
        if not 0 <= count <= x.shape[-1]:
            raise ValueError(f"argleast: count must be between 0 and {x.shape[-1]}, got {count}.")
        return aval((*x.shape[:-1], count), int32)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, count: int) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), count=count), 0

    @staticmethod
    def reference(np: Any, x: Any, *, count: int) -> Any:
        return ArgsortOp.reference(np, x, axis=x.ndim - 1)[..., :count]

    @classmethod
    def decompose(cls, x: Node, *, count: int) -> Node:
        *lead, n = x.shape
        lines, shape = prod(lead), (*lead, count)
        if n <= SHORT or count * PART > n or not lines * count:
            return slice_axis(ArgsortOp.bind(x, axis=x.ndim - 1), x.ndim - 1, 0, count)
        keys = ordered(reshape(x, (lines, n)))
        last = _of_rank(keys, full(count - 1, aval((lines, 1), int32)))
        value = broadcast(last, keys.shape, (0, 1))
        less, equal = (convert(compare(keys, how, value), int32) for how in ("lt", "eq"))
        of_equals = sub(count, reshape(reduce(less, "add", (1,)), (lines, 1)))
        before, equals = (CumulateOp.bind(v, kind="add", axis=1, reverse=False) for v in (less, equal))
        chosen = plus(before, minimum(equals, broadcast(of_equals, keys.shape, (0, 1))))  # so many up to here
        place = BisectOp.bind(chosen, iota((lines, count), 1), side="right")
        order = ArgsortOp.bind(elements_at(keys, place), axis=1)
        return reshape(elements_at(place, order), shape)


def _check_lines(name: str, x: Aval) -> None:
    if not x.ndim or x.dtype.kind == "c":
        raise TypeError(f"{name} requires lines of real numbers, got {x}.")


def _count(condition: Node) -> Node:
    """How many hold along the last axis."""
    return reduce(convert(condition, int32), "add", (condition.ndim - 1,))


def _beside(keys: Node, numbers: Node) -> tuple[Node, Node]:
    """Lines (lines, n) and numbers for each rank (lines, m), both as (lines, m, n)."""
    wide = (*numbers.shape, keys.shape[1])
    return broadcast(keys, wide, (0, 2)), broadcast(numbers, wide, (0, 1))


def _less(keys: Node, numbers: Node) -> Node:
    """How many keys of each line are less than each of the numbers."""
    every, wanted = _beside(keys, numbers)
    return _count(compare(every, "lt", wanted))


def _of_rank(keys: Node, ranks: Node) -> Node:
    """The keys, of shape (lines, n), that have ranks (lines, m) in their lines."""
    dtype = keys.dtype

    def two_bits(number: Node, found: Node, unit: Node) -> tuple[Node, Node]:
        step = broadcast(unit, ranks.shape)
        rise = tried = found
        for _ in range(3):
            tried = plus(tried, step)
            rise = plus(rise, where(compare(_less(keys, tried), "le", ranks), step, 0))
        return rise, ShiftRightLogicalOp.bind(unit, literal(2, dtype))

    least = full(emit.extreme(dtype)[0], aval(ranks.shape, dtype))
    return fori(dtype.bits // 2, two_bits, least, literal(1 << dtype.bits - 2, dtype))[0]

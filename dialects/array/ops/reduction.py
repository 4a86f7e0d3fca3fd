"""Reductions: many elements to one (`reduce`, `argreduce`), and running ones (`cumulate`)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Parts, batch_front, broadcast, full, literal, move_axis, zeros
from weft.dialects.array.ops import emit, parts
from weft.dialects.array.ops.algebra import (
    compare,
    convert,
    div,
    iota,
    maximum,
    minimum,
    mul,
    pad,
    plus,
    reduce,
    reshape,
    slice_axis,
    transpose,
    where,
)
from weft.dialects.array.ops.shape import Dims, Index, Ints, check_axes, inverse, up
from weft.dialects.dtypes import DType, as_dtype, int32

KINDS = {"add": "iufc", "mul": "iufc", "max": "iufbc", "min": "iufbc", "and": "iub", "or": "iub"}
"""The kinds of reduction, and the kinds of dtype that each takes."""


def identity(kind: str, dtype: DType) -> bool | int | float:
    """What a reduction of nothing gives."""
    if kind in ("max", "min"):
        return emit.lowest(dtype, kind)
    return {"add": 0, "mul": 1, "and": -1, "or": 0}[kind]


def check_kind(name: str, kind: str, x: Aval, kinds: Sequence[str] = tuple(KINDS)) -> None:
    """Raises unless such a reduction exists and takes the dtype."""
    if kind not in kinds:
        raise ValueError(f"{name}: kind must be one of {', '.join(kinds)}, got '{kind}'")
    if x.dtype.kind not in KINDS[kind]:
        raise TypeError(f"{name} {kind} does not accept dtype {x.dtype}.")


def without(shape: Ints, axes: Sequence[int]) -> Ints:
    """A shape without some axes."""
    return tuple(n for k, n in enumerate(shape) if k not in axes)


def spread(y: Node, shape: Ints, axes: Sequence[int]) -> Node:
    """What a reduction over `axes` gave, at every element that it was made of."""
    return broadcast(y, shape, [k for k in range(len(shape)) if k not in axes])


@irdl_op_definition
class ReduceOp(ArrayOp):
    """The elements along `axes` combined by add, mul, max, min, and, or. max and min are NaN where any element is; of
    equal extremes each has its share of the derivative.

    %y = array.reduce add %x axes [1] : tensor<4x8xf32> -> tensor<4xf32>

    JAX: `lax.reduce_sum` and its like. 16-bit floats add up in float32.
    """

    name = "array.reduce"
    LEAD: ClassVar = "kind"

    x = operand_def(TensorType)
    kind = prop_def()
    axes = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, kind: str, axes: Ints) -> Aval:
        check_kind("reduce", kind, x)
        check_axes("reduce", "axes", axes, x.ndim)
        return aval(without(x.shape, axes), x.dtype, x.weak_type)

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, *, kind: str, axes: Ints
    ) -> Node | None:
        (x,), (dx,) = primals, tangents
        if dx is None or kind in ("and", "or"):
            return None
        if kind == "mul":
            dx = mul(dx, _products_of_others(x, axes))
        elif kind in ("max", "min"):
            chosen = where(compare(x, "eq", spread(out, x.shape, axes)), 1.0, 0.0, like=x)
            dx = div(mul(dx, chosen), spread(reduce(chosen, "add", axes), x.shape, axes))
        return cls.bind(dx, kind="add", axes=axes)

    @classmethod
    def transpose(
        cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], *, kind: str, axes: Ints
    ) -> list[Node | None]:
        return [spread(ct, args[0].shape, axes)]

    @classmethod
    def on_parts(cls, x: Parts, *, kind: str, axes: Ints) -> Parts:
        if not all(x.re.shape[k] for k in axes):
            nothing = aval(without(x.re.shape, axes), x.re.dtype)
            return Parts(full(identity(kind, x.re.dtype), nothing), zeros(nothing))
        if kind == "add":
            return Parts(*(cls.bind(v, kind=kind, axes=axes) for v in x))
        if kind == "mul":
            return parts.tree_product(x, axes)
        re = cls.bind(x.re, kind=kind, axes=axes)
        leading = compare(x.re, "eq", spread(re, x.re.shape, axes))
        return Parts(re, cls.bind(where(leading, x.im, identity(kind, x.im.dtype)), kind=kind, axes=axes))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, kind: str, axes: Ints) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), kind=kind, axes=up(axes)), 0

    @staticmethod
    def reference(np: Any, x: Any, *, kind: str, axes: Ints) -> Any:
        names = {
            "add": "add",
            "mul": "multiply",
            "max": "maximum",
            "min": "minimum",
            "and": "bitwise_and",
            "or": "bitwise_or",
        }
        wide = emit.wide(np, x.dtype)
        start = np.array(identity(kind, as_dtype(x.dtype))).astype(wide)
        return getattr(np, names[kind]).reduce(x, axis=axes, dtype=wide, initial=start).astype(x.dtype)

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, kind: str, axes: Ints) -> SSAValue:
        x = args[0]
        places = {k: b.axis(x.shape[k]) for k in axes}
        kept = iter(index)
        value = b.read(x, tuple(places[k] if k in places else next(kept) for k in range(len(x.shape))))
        wide = emit.accumulator(x.dtype) if kind in ("add", "mul") else x.dtype
        value = emit.convert(b, value, x.dtype, wide)
        return emit.convert(b, b.reduce(emit.combining(kind, x.dtype), value, places.values()), wide, x.dtype)


def _products_of_others(x: Node, axes: Ints) -> Node:
    """For each element the product of all others along the axes.

    What is before it times what is after it, so that zeros need no division.
    """
    order = (*axes, *(k for k in range(x.ndim) if k not in axes))
    front = transpose(x, order)
    flat = reshape(front, (prod(x.shape[k] for k in axes), *without(x.shape, axes)))
    one_before = (1,) + (0,) * (flat.ndim - 1)
    before = pad(CumulateOp.bind(flat, kind="mul", axis=0, reverse=False), 1.0, one_before, [-n for n in one_before])
    after = pad(CumulateOp.bind(flat, kind="mul", axis=0, reverse=True), 1.0, [-n for n in one_before], one_before)
    return transpose(reshape(mul(before, after), front.shape), inverse(order))


@irdl_op_definition
class ArgreduceOp(ArrayOp):
    """Where along an axis the greatest (max) or the least (min) element stands: the first of equals, and the first NaN
    if there is one.

    %i = array.argreduce max %x axis 1 : tensor<4x8xf32> -> tensor<4xi32>

    JAX: `lax.argmax`, `lax.argmin`.
    """

    name = "array.argreduce"
    LEAD: ClassVar = "kind"
    NOT_DIFFERENTIABLE: ClassVar = True

    x = operand_def(TensorType)
    kind = prop_def()
    axis = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, kind: str, axis: int, dtype: DType) -> Aval:
        check_kind("argreduce", kind, x, ("max", "min"))
        if x.dtype.kind == "c":
            raise TypeError(f"arg{kind} does not accept dtype {x.dtype}: complex numbers have no order.")
        check_axes(f"arg{kind}", "axis", (axis,), x.ndim)
        if not dtype.is_integer:
            raise TypeError(f"arg{kind} requires an integer index dtype, got {dtype}.")
        if x.shape[axis] == 0:
            raise ValueError(f"arg{kind} of an empty axis: axis {axis} of an operand of shape {x.shape}.")
        return aval(without(x.shape, (axis,)), dtype)

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, kind: str, axis: int, dtype: DType
    ) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), kind=kind, axis=axis + 1, dtype=dtype), 0

    @staticmethod
    def reference(np: Any, x: Any, *, kind: str, axis: int, dtype: DType) -> Any:
        return (np.argmax if kind == "max" else np.argmin)(x, axis).astype(dtype.name)

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, kind: str, axis: int, dtype: DType) -> SSAValue:
        x = args[0]
        place = b.axis(x.shape[axis])
        value = b.read(x, (*index[:axis], place, *index[axis:]))
        best = b.reduce(emit.combining(kind, x.dtype), value, [place])
        chosen = emit.compare(b, value, "eq", best, x.dtype.kind)
        if x.dtype.kind == "f":
            chosen = b.op(arith.OrIOp, chosen, emit.compare(b, value, "ne", value, "f"))
        candidate = emit.select(b, chosen, b.index(place), b.const(x.shape[axis], int32))
        return emit.convert(b, b.reduce("min", candidate, [place]), int32, dtype)


BLOCK = 32
"""How many elements a block of `cumulate` has.

It does BLOCK steps per element, and again for every BLOCK-th element.
"""


@irdl_op_definition
class CumulateOp(ArrayOp):
    """Running sums, products, maxima or minima along an axis: element i combines elements 0 to i (with reverse: i to
    the last).

    %y = array.cumulate add %x axis 0 reverse false : tensor<8xf32>

    JAX: `lax.cumsum` and its like. Blocks are cumulated by a masked reduction each, all at once; then the blocks'
    totals are, and combined with the blocks that follow.
    """

    name = "array.cumulate"
    LEAD: ClassVar = "kind"

    x = operand_def(TensorType)
    kind = prop_def()
    axis = prop_def()
    reverse = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, kind: str, axis: int, reverse: bool) -> Aval:
        check_kind("cumulate", kind, x, ("add", "mul", "max", "min"))
        check_axes("cumulate", "axis", (axis,), x.ndim)
        return x

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any) -> Node | None:
        if params["kind"] == "add":
            return None if tangents[0] is None else cls.bind(tangents[0], **params)
        from weft.dialects.array.walks import jvp_call

        return jvp_call(lambda x: [cls.decompose(x, **params)], primals, tangents)[1][0]

    @classmethod
    def transpose(
        cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], *, kind: str, axis: int, reverse: bool
    ) -> list[Node | None]:
        return [cls.bind(ct, kind=kind, axis=axis, reverse=not reverse)]

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, kind: str, axis: int, reverse: bool
    ) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), kind=kind, axis=axis + 1, reverse=reverse), 0

    @staticmethod
    def reference(np: Any, x: Any, *, kind: str, axis: int, reverse: bool) -> Any:
        names = {"add": "add", "mul": "multiply", "max": "maximum", "min": "minimum"}
        x = np.flip(x, axis) if reverse else x
        y = getattr(np, names[kind]).accumulate(x, axis, dtype=emit.wide(np, x.dtype))
        return (np.flip(y, axis) if reverse else y).astype(x.dtype)

    @classmethod
    def decompose(cls, x: Node, *, kind: str, axis: int, reverse: bool) -> Node:
        wide = convert(move_axis(x, axis, x.ndim - 1), emit.accumulator(x.dtype))
        return convert(move_axis(_cumulate_last(wide, kind, reverse), x.ndim - 1, axis), x.dtype)


def _cumulate_last(x: Node, kind: str, reverse: bool) -> Node:
    """`cumulate` along the last axis."""
    *outer, n = x.shape
    if n <= BLOCK:
        return _masked(x, kind, reverse)
    blocks = -(-n // BLOCK)
    neutral = identity(kind, x.dtype)
    last = len(outer)
    padded = pad(x, literal(neutral, x.dtype), [0] * (last + 1), [0] * last + [blocks * BLOCK - n])
    inner = _masked(reshape(padded, (*outer, blocks, BLOCK)), kind, reverse)
    edge = 0 if reverse else BLOCK - 1
    totals = reshape(slice_axis(inner, last + 1, edge, edge + 1), (*outer, blocks))
    running = _cumulate_last(totals, kind, reverse)
    shift = ([0] * last + [-1 if reverse else 1], [0] * last + [1 if reverse else -1])
    before = pad(running, literal(neutral, x.dtype), *shift)
    combined = COMBINE[kind](inner, broadcast(before, inner.shape, range(last + 1)))
    return slice_axis(reshape(combined, (*outer, blocks * BLOCK)), last, 0, n)


def _masked(x: Node, kind: str, reverse: bool) -> Node:
    """Each element of the last axis combined with those before it (after it, if reverse).

    A reduction over all with the others masked out.
    """
    n = x.shape[-1]
    last = x.ndim - 1
    every = broadcast(x, (*x.shape, n), [*range(last), last + 1])
    here, there = (iota(every.shape, last + k) for k in (0, 1))
    mask = compare(there, "ge" if reverse else "le", here)
    return reduce(where(mask, every, identity(kind, x.dtype)), kind, [last + 1])


COMBINE = {"add": plus, "mul": mul, "max": maximum, "min": minimum}

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
from weft.dialects.array.op import ArrayOp, Parts, Write, batch_front, broadcast, full, literal, move_axis, zeros
from weft.dialects.array.ops import emit, parts
from weft.dialects.array.ops.algebra import (
    compare,
    convert,
    div,
    imag,
    iota,
    make_complex,
    maximum,
    minimum,
    mul,
    pad,
    plus,
    real,
    reduce,
    reshape,
    slice_axis,
    transpose,
    where,
)
from weft.dialects.array.ops.shape import ConcatenateOp, Dims, Index, Ints, ReverseOp, SliceOp, check_axes, inverse, up
from weft.dialects.dtypes import DType, as_dtype, int32

KINDS = {"add": "iufc", "mul": "iufc", "max": "iufbc", "min": "iufbc", "and": "iub", "or": "iub", "xor": "iub"}
"""The kinds of reduction, and the kinds of dtype that each takes."""


def identity(kind: str, dtype: DType) -> bool | int | float:
    """What a reduction of nothing gives."""
    if kind in ("max", "min"):
        return emit.lowest(dtype, kind)
    return {"add": 0, "mul": 1, "and": -1, "or": 0, "xor": 0}[kind]


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
    """The elements along `axes` combined by add, mul, max, min, and, or, xor. max and min are NaN where any element is; of
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
        return aval(without(x.shape, axes), x.dtype, x.weak_type and kind not in ("and", "or", "xor"))

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, *, kind: str, axes: Ints
    ) -> Node | None:
        (x,), (dx,) = primals, tangents
        if dx is None or kind in ("and", "or", "xor"):
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
            "xor": "bitwise_xor",
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
"""Elements of a line that `cumulate` takes one after another: up to so many, all at once by a masked reduction; of longer lines, those of one chunk."""

LONG = 8 * BLOCK
"""Elements of a line from which on what fills no chunk is worth a pass of its own."""


@irdl_op_definition
class CumulateOp(ArrayOp):
    """Running sums, products, maxima or minima along an axis: element i combines elements 0 to i (with reverse: i to
    the last).

    %y = array.cumulate add %x axis 0 reverse false : tensor<8xf32>

    JAX: `lax.cumsum` and its like. Of a long line the totals of chunks are cumulated first; then each chunk goes on from
    the total of those before it (`array.running`): every element is read twice and written once.
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

        return jvp_call(lambda x: [_pairwise(x, **params)], primals, tangents)[1][0]

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
        if x.dtype.kind == "c":
            if kind != "add":
                return _pairwise(x, kind=kind, axis=axis, reverse=reverse)
            return make_complex(*(cls.bind(v, kind=kind, axis=axis, reverse=reverse) for v in (real(x), imag(x))))
        wide = convert(x, emit.accumulator(x.dtype))
        if x.shape[axis] <= BLOCK:
            lined = _masked(move_axis(wide, axis, x.ndim - 1), kind, reverse)
            return convert(move_axis(lined, x.ndim - 1, axis), x.dtype)
        n, chunk = x.shape[axis], chunk_of(x.shape[axis])
        if n % chunk and n > LONG:  # what fills no chunk goes on from what does
            cut = n % chunk if reverse else n - n % chunk
            parts = [
                cls.bind(slice_axis(wide, axis, *ends), kind=kind, axis=axis, reverse=reverse)
                for ends in ((0, cut), (cut, n))
            ]
            done, rest, end = (1, 0, 0) if reverse else (0, 1, cut - 1)
            total = slice_axis(parts[done], axis, end, end + 1)
            total = spread(reshape(total, without(x.shape, [axis])), parts[rest].shape, [axis])
            parts[rest] = COMBINE[kind](total, parts[rest])
            return convert(ConcatenateOp.bind(*parts, dimension=axis), x.dtype)
        totals = reduce(_chunks(wide, kind, axis, chunk), kind, [axis + 1])
        running = cls.bind(totals, kind=kind, axis=axis, reverse=reverse)
        low = tuple((-1 if reverse else 1) if k == axis else 0 for k in range(x.ndim))
        start = pad(running, literal(identity(kind, wide.dtype), wide.dtype), low, [-n for n in low])
        return convert(RunningOp.bind(wide, start, kind=kind, axis=axis, reverse=reverse, chunk=chunk), x.dtype)


def chunk_of(n: int) -> int:
    """Elements of a chunk of a line of n: about BLOCK, and all chunks full if that can be, for what may lie beyond the end is looked at one by one."""
    sizes = sorted(range(BLOCK // 2, BLOCK * 3 // 2 + 1), key=lambda size: abs(size - BLOCK))
    return next((size for size in sizes if n % size == 0), BLOCK)


def _chunks(x: Node, kind: str, axis: int, chunk: int) -> Node:
    """x with an axis in two, chunks and their elements; the last chunk is filled up."""
    n = x.shape[axis]
    count = -(-n // chunk)
    high = [count * chunk - n if k == axis else 0 for k in range(x.ndim)]
    padded = pad(x, literal(identity(kind, x.dtype), x.dtype), [0] * x.ndim, high)
    return reshape(padded, (*x.shape[:axis], count, chunk, *x.shape[axis + 1 :]))


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


def _pairwise(x: Node, *, kind: str, axis: int, reverse: bool) -> Node:
    """`cumulate` by combining neighbours, cumulating the pairs, and filling in between: what it is differentiated as, so that
    equal extremes share as they do in JAX.
    """
    if reverse:
        backwards = _pairwise(ReverseOp.bind(x, dimensions=(axis,)), kind=kind, axis=axis, reverse=False)
        return ReverseOp.bind(backwards, dimensions=(axis,))
    n = x.shape[axis]
    if n < 2:
        return x

    def every_other(v: Node, start: int, limit: int) -> Node:
        starts = tuple(start if k == axis else 0 for k in range(v.ndim))
        limits = tuple(limit if k == axis else m for k, m in enumerate(v.shape))
        return SliceOp.bind(v, start=starts, limit=limits, strides=tuple(2 if k == axis else 1 for k in range(v.ndim)))

    pairs = COMBINE[kind](every_other(x, 0, n - 1), every_other(x, 1, n))
    odd = _pairwise(pairs, kind=kind, axis=axis, reverse=False)
    before = odd if n % 2 else slice_axis(odd, axis, 0, odd.shape[axis] - 1)
    even = slice_axis(x, axis, 0, 1)
    if n > 2:
        even = ConcatenateOp.bind(even, COMBINE[kind](before, every_other(x, 2, n)), dimension=axis)
    if even.shape[axis] > odd.shape[axis]:  # one to fill up, which is cut off again
        odd = ConcatenateOp.bind(odd, slice_axis(even, axis, 0, 1), dimension=axis)
    columns = [reshape(v, (*v.shape[: axis + 1], 1, *v.shape[axis + 1 :])) for v in (even, odd)]
    woven = ConcatenateOp.bind(*columns, dimension=axis + 1)
    return slice_axis(reshape(woven, (*x.shape[:axis], 2 * even.shape[axis], *x.shape[axis + 1 :])), axis, 0, n)


COMBINE = {"add": plus, "mul": mul, "max": maximum, "min": minimum}
SCALARS = {"add": emit.ADD, "mul": emit.MUL, "max": emit.MAX, "min": emit.MIN}


@irdl_op_definition
class RunningOp(ArrayOp):
    """`array.cumulate` within chunks of an axis, each of which goes on from a start of its own.

    %y = array.running add %x, %s axis 0 reverse false chunk 32 : tensor<70xf32>, tensor<3xf32> -> tensor<70xf32>

    A nest's point takes a chunk, one element after the other.
    """

    name = "array.running"
    LEAD: ClassVar = "kind"
    PUSHES: ClassVar = True

    x = operand_def(TensorType)
    start = operand_def(TensorType)
    kind = prop_def()
    axis = prop_def()
    reverse = prop_def()
    chunk = prop_def()

    @classmethod
    def infer(cls, x: Aval, start: Aval, *, kind: str, axis: int, reverse: bool, chunk: int) -> Aval:
        check_kind("running", kind, x, tuple(COMBINE))
        if x.dtype.kind == "c":
            raise TypeError(f"running does not accept dtype {x.dtype}: give it the parts.")
        check_axes("running", "axis", (axis,), x.ndim)
        expected = aval((*x.shape[:axis], -(-x.shape[axis] // chunk), *x.shape[axis + 1 :]), x.dtype)
        if (start.shape, start.dtype) != (expected.shape, expected.dtype):
            raise TypeError(f"running: the starts of chunks of {chunk} elements must be {expected}, got {start}.")
        return aval(x.shape, x.dtype)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any) -> Node | None:
        from weft.dialects.array.walks import jvp_call

        return jvp_call(lambda x, start: [cls._written_out(x, start, **params)], primals, tangents)[1][0]

    @staticmethod
    def _written_out(x: Node, start: Node, *, kind: str, axis: int, reverse: bool, chunk: int) -> Node:
        """The same without pushing."""
        parts = _pairwise(_chunks(x, kind, axis, chunk), kind=kind, axis=axis + 1, reverse=reverse)
        going_on = COMBINE[kind](parts, spread(start, parts.shape, [axis + 1]))
        size = parts.shape[axis] * chunk
        return slice_axis(reshape(going_on, (*x.shape[:axis], size, *x.shape[axis + 1 :])), axis, 0, x.shape[axis])

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        args = [batch_front(size, x, d) for x, d in zip(args, dims, strict=True)]
        return cls.bind(*args, **{**params, "axis": params["axis"] + 1}), 0

    @staticmethod
    def reference(np: Any, x: Any, start: Any, *, kind: str, axis: int, reverse: bool, chunk: int) -> Any:
        parts, count = [], start.shape[axis]
        combine = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[kind]
        for k in range(count):
            part = np.take(x, range(k * chunk, min((k + 1) * chunk, x.shape[axis])), axis)
            running = CumulateOp.reference(np, part, kind=kind, axis=axis, reverse=reverse)
            parts.append(combine(running, np.take(start, [k], axis)))
        return np.concatenate(parts, axis) if parts else x

    @classmethod
    def space(cls, args: Sequence[Any], **params: Any) -> Ints:
        return args[1].shape

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, kind: str, axis: int, reverse: bool, chunk: int
    ) -> list[Write]:
        x, start = args
        combine, neutral = SCALARS[kind][x.dtype.kind], b.const(identity(kind, x.dtype), x.dtype)
        value, writes = b.read(start, index), []
        for k in reversed(range(chunk)) if reverse else range(chunk):
            place = index[axis] * chunk + k
            at, there = (*index[:axis], place, *index[axis + 1 :]), [(place, 0, x.shape[axis])]
            value = b.op(combine, value, b.inside(there, lambda at=at: b.read(x, at), neutral))
            writes.append(Write(value, at, there))
        return writes

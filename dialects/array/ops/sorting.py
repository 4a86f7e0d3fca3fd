"""Orders: `argsort` says in which order elements would be sorted, by one key or by several; whoever sorts gathers by it.

Keys become integers that compare as they do (a float is its sign and magnitude; NaNs are all alike and last, -0 is 0). Then runs
of `BLOCK` are sorted by counting how many elements come before each one, all of a run at once; and pairs of neighbouring runs are
merged, ever longer ones, until one is left: n log n steps in 2 log n nests. Merging is by *merge paths*: a nest's point makes `CHUNK`
results, and finds by bisection how many of the results before them came from either run. Every level runs the same few kernels,
for the length of the runs is data.

S. Odeh, O. Green, Z. Mwassi, O. Shmueli, Y. Birk, "Merge path: parallel merging made simple", IPDPS Workshops 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType, i32
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_operand_def

from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Write, batch_front, broadcast, full, move_axis
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.algebra import (
    bitcast,
    compare,
    convert,
    imag,
    iota,
    logical_and,
    logical_or,
    mul,
    neg,
    pad,
    plus,
    real,
    reduce,
    reshape,
    slice_axis,
    where,
)
from weft.dialects.array.ops.indexing import GatherOp, ScatterOp
from weft.dialects.array.ops.shape import ConcatenateOp, Dims, Index, Ints, check_axes
from weft.dialects.dtypes import float32, int32
from weft.dialects.kernel.affine import Expr, linearize

BLOCK = 32
"""Elements of the runs that are sorted by counting: in vectors, 32 comparisons an element take about as long as a merge."""

CHUNK = 16
"""Results that one point of a merging nest makes. BLOCK is a multiple of it."""

MOST = 4
"""Keys that one kernel compares."""

ROUNDS = 7
"""Steps of bisection come in multiples of this, so that neighbouring levels share a kernel."""


def _check_keys(name: str, keys: Sequence[Aval]) -> None:
    if not keys:
        raise TypeError(f"{name} requires at least one key.")
    if any(k.shape != keys[0].shape for k in keys):
        raise TypeError(f"{name} requires keys of equal shapes, got {', '.join(str(k.shape) for k in keys)}.")


@irdl_op_definition
class ArgsortOp(ArrayOp):
    """Where the elements stand that come first, second, … in ascending order along an axis: by the first key, among equals by the
    next one, at last by place (the order is stable). NaNs come last, -0 and 0 are equal; a complex key is two, its real and its
    imaginary part.

    %i = array.argsort %k, %l axis 0 : tensor<8xf32>, tensor<8xi32> -> tensor<8xi32>

    NumPy: `np.lexsort`, with the keys the other way round. JAX: what `lax.sort` does to an `iota`.
    """

    name = "array.argsort"
    NOT_DIFFERENTIABLE: ClassVar = True

    keys = var_operand_def(TensorType)
    axis = prop_def()

    @classmethod
    def infer(cls, *keys: Aval, axis: int) -> Aval:
        _check_keys("argsort", keys)
        check_axes("argsort", "axis", (axis,), keys[0].ndim)
        return aval(keys[0].shape, int32)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, axis: int) -> tuple[Node, int]:
        return cls.bind(*(batch_front(size, k, d) for k, d in zip(args, dims, strict=True)), axis=axis + 1), 0

    @staticmethod
    def reference(np: Any, *keys: Any, axis: int) -> Any:
        def plain(k: Any) -> Any:  # NumPy's sorts know where its own floats' NaNs go
            k = k.astype(np.float32) if k.dtype.kind not in "biuf" else k
            return np.moveaxis(k + 0 if k.dtype.kind == "f" else k, axis, -1)

        parts = [p for k in keys for p in ((k.real, k.imag) if k.dtype.kind == "c" else (k,))]
        return np.moveaxis(np.lexsort([plain(k) for k in reversed(parts)], axis=-1), -1, axis).astype(np.int32)

    @classmethod
    def decompose(cls, *keys: Node, axis: int) -> Node:
        last = keys[0].ndim - 1
        lined = [move_axis(k, axis, last) for k in keys]
        shape = lined[0].shape
        n, lines = shape[-1], prod(shape[:-1])
        if n <= 1 or not lines:
            return full(0, aval(keys[0].shape, int32))
        parts = [p for k in lined for p in ((real(k), imag(k)) if k.dtype.kind == "c" else (k,))]
        order = _order([ordered(reshape(k, (lines, n))) for k in parts])
        return move_axis(reshape(order, shape), last, axis)


def ordered(key: Node) -> Node:
    """Integers (of 32 or 64 bits) that compare as the key's elements are sorted."""
    kind, bits = key.dtype.kind, key.dtype.bits
    if kind in "iub":
        return key if bits >= 32 else convert(key, int32)
    if bits == 16:
        return ordered(convert(key, float32))
    integer = emit.integer_of(key.dtype)
    greatest = emit.extreme(integer)[1]
    infinite = {32: 0xFF << 23, 64: 0x7FF << 52}[bits]
    pattern = bitcast(key, integer)
    magnitude = logical_and(pattern, greatest)
    value = where(compare(pattern, "lt", 0), neg(magnitude), magnitude)
    return where(compare(magnitude, "gt", infinite), greatest, value)


def _order(keys: list[Node]) -> Node:
    """The order of each row of integer keys of shape (lines, n)."""
    if len(keys) > MOST:  # by the last ones first, then, stably, by those before them
        by_last = _order(keys[-MOST:])
        return _take(by_last, _order([_take(k, by_last) for k in keys[:-MOST]]))
    n = keys[0].shape[1]
    run = min(n, BLOCK)
    size = -(-n // run) * run
    if size > n:  # what is added is greater than all or equal and behind, so it stays at the end
        keys = [pad(k, emit.extreme(k.dtype)[1], (0, 0), (0, size - n)) for k in keys]
    place = order = _within_runs(keys, run)
    while run < size:
        keys = [_take(k, place) for k in keys]
        steps = -(-run.bit_length() // ROUNDS) * ROUNDS
        place = MergeOp.bind(_datum(run), *keys, chunk=CHUNK, steps=steps)
        order = _take(order, place)
        run *= 2
    return slice_axis(order, 1, 0, n)


def _within_runs(keys: Sequence[Node], run: int) -> Node:
    """For each row, the places of its elements with every run of so many sorted: each is put where the number of those before it says."""
    lines, size = keys[0].shape
    shape = (lines, size // run, run, run)
    split = [reshape(k, shape[:3]) for k in keys]
    mine = [broadcast(k, shape, (0, 1, 2)) for k in split]
    others = [broadcast(k, shape, (0, 1, 3)) for k in split]
    before = compare(iota(shape, 3), "lt", iota(shape, 2))  # of equal elements those that stand before
    for k, m in zip(reversed(others), reversed(mine), strict=True):
        before = logical_or(compare(k, "lt", m), logical_and(compare(k, "eq", m), before))
    runs = (lines * size // run, run)
    rank = reduce(convert(before, int32), "add", (3,))
    target = plus(reshape(rank, runs), mul(iota(runs, 0), run))
    return _put(reshape(target, (lines * size,)), reshape(iota((lines, size), 1), (lines * size,)), (lines, size))


def _put(target: Node, values: Node, shape: Ints) -> Node:
    """An array of that shape with values at places among all of its elements, each of which is named once."""
    count = values.shape[0]
    flat = ScatterOp.bind(
        full(0, aval((count,), values.dtype)), reshape(target, (count, 1)), values, kind="set", update_window_dims=(),
        inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,), operand_batching_dims=(), scatter_indices_batching_dims=(),
        mode="promise_in_bounds", unique_indices=True,
    )  # fmt: skip
    return reshape(flat, shape)


def _take(x: Node, place: Node) -> Node:
    """The elements of each row at places in it."""
    return GatherOp.bind(
        x, reshape(place, (*place.shape, 1)), offset_dims=(), collapsed_slice_dims=(1,), start_index_map=(1,), operand_batching_dims=(0,),
        start_indices_batching_dims=(0,), slice_sizes=(1, 1), mode="promise_in_bounds",
    )  # fmt: skip


def _datum(value: int) -> Node:
    """A number as an array of its own, so that kernels that differ by it alone are one."""
    data = DenseIntOrFPElementsAttr.from_list(TensorType(i32, [1]), [value])
    return ConstantOp.bind(value=data, shape=(1,), dtype=int32)


@irdl_op_definition
class MergeOp(ArrayOp):
    """Pairs of neighbouring runs merged: for each place of a row, where the element stands in it that belongs there when the runs of
    `length` elements, each in order, are merged two by two. Equal elements keep their order. Keys are integers.

    %p = array.merge %length, %k chunk 16 steps 7 : tensor<1xi32>, tensor<4x96xi32> -> tensor<4x96xi32>

    The length is a power of two, at least `chunk`, and less than 2 ** steps.
    """

    name = "array.merge"
    NOT_DIFFERENTIABLE: ClassVar = True
    PUSHES: ClassVar = True
    STORED: ClassVar = slice(None)

    length = operand_def(TensorType)
    keys = var_operand_def(TensorType)
    chunk = prop_def()
    steps = prop_def()

    @classmethod
    def infer(cls, length: Aval, *keys: Aval, chunk: int, steps: int) -> Aval:
        _check_keys("merge", keys)
        if length.dtype is not int32 or length.shape != (1,):
            raise TypeError(f"merge: the length must be int32[1], got {length}.")
        if keys[0].ndim != 2 or not all(k.dtype.is_integer for k in keys):
            raise TypeError(f"merge requires integer keys of rank 2, got {', '.join(map(str, keys))}.")
        if chunk < 1 or keys[0].shape[1] % chunk:
            raise ValueError(f"merge: rows of {keys[0].shape[1]} elements are no multiple of chunk {chunk}.")
        return aval(keys[0].shape, int32)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        length, *keys = args if dims[0] is None else (batch_front(size, args[0], dims[0]), *args[1:])
        keys = [batch_front(size, k, d) for k, d in zip(keys, dims[1:], strict=True)]
        _, lines, n = keys[0].shape
        if dims[0] is None:
            flat = [reshape(k, (size * lines, n)) for k in keys]
            return reshape(cls.bind(length, *flat, **params), (size, lines, n)), 0
        parts = []
        for k in range(size):  # each example has runs of its own length
            own = [reshape(slice_axis(x, 0, k, k + 1), x.shape[1:]) for x in (length, *keys)]
            parts.append(reshape(cls.bind(*own, **params), (1, lines, n)))
        return ConcatenateOp.bind(*parts, dimension=0), 0

    @staticmethod
    def reference(np: Any, length: Any, *keys: Any, chunk: int, steps: int) -> Any:
        place = np.arange(keys[0].shape[1])
        pair = np.broadcast_to(place // (2 * int(length[0])), keys[0].shape)
        return np.lexsort([*reversed(keys), pair], axis=-1).astype(np.int32)

    @classmethod
    def space(cls, args: Sequence[Any], *, chunk: int, steps: int) -> Ints:
        lines, size = args[1].shape
        return lines, size // chunk

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, chunk: int, steps: int) -> list[Write]:
        length, *keys = args
        line, size = index[0], keys[0].shape[1]

        def number(value: int) -> SSAValue:
            return b.const(value, int32)

        def add(x: SSAValue, y: SSAValue) -> SSAValue:
            return b.op(arith.AddiOp, x, y)

        def sub(x: SSAValue, y: SSAValue) -> SSAValue:
            return b.op(arith.SubiOp, x, y)

        def least(x: SSAValue, y: SSAValue) -> SSAValue:
            return b.op(arith.MinSIOp, x, y)

        def elements(place: SSAValue) -> list[SSAValue]:
            at = b.symbol(place, 0, size - 1)
            return [b.read(k, (line, at)) for k in keys]

        def not_after(x: list[SSAValue], y: list[SSAValue]) -> SSAValue:
            """Whether x comes before y, or is equal."""
            kinds = [k.dtype.kind for k in keys]
            found = emit.compare(b, x[-1], "le", y[-1], kinds[-1])
            for k in reversed(range(len(keys) - 1)):
                equal = b.op(arith.AndIOp, emit.compare(b, x[k], "eq", y[k], kinds[k]), found)
                found = b.op(arith.OrIOp, emit.compare(b, x[k], "lt", y[k], kinds[k]), equal)
            return found

        # runs A, from `begin` to `middle`, and B, from there to `end`
        run = b.read(length, (Expr(0),))
        first = b.index(linearize((index[1],), (size // chunk,)) * chunk)
        begin = b.op(arith.AndIOp, first, sub(number(0), add(run, run)))
        middle = least(add(begin, run), number(size))
        end = least(add(middle, run), number(size))
        # how many of the results before `first` came from A: the most for which the last of them comes no later than its rival in B
        made = sub(first, begin)
        taken = b.op(arith.MaxSIOp, sub(made, sub(end, middle)), number(0))
        most = least(made, sub(middle, begin))
        for k in reversed(range(steps)):
            tried = add(taken, number(1 << k))
            mine = elements(least(add(begin, sub(tried, number(1))), number(size - 1)))
            rival = elements(b.op(arith.MaxSIOp, sub(add(middle, made), tried), number(0)))
            fits = b.op(arith.AndIOp, emit.compare(b, tried, "le", most, "i"), not_after(mine, rival))
            taken = emit.select(b, fits, tried, taken)
        left, right = add(begin, taken), add(middle, sub(made, taken))
        writes = []
        for k in range(chunk):
            mine, rival = (elements(least(p, number(size - 1))) for p in (left, right))
            from_left = b.op(arith.AndIOp, emit.compare(b, left, "lt", middle, "i"), not_after(mine, rival))
            from_left = b.op(arith.OrIOp, from_left, emit.compare(b, right, "ge", end, "i"))
            writes.append(Write(emit.select(b, from_left, left, right), (line, index[1] * chunk + k)))
            step = b.op(arith.ExtUIOp, from_left, type=i32)
            left, right = add(left, step), add(right, sub(number(1), step))
        return writes


@irdl_op_definition
class BisectOp(ArrayOp):
    """How many elements of a sorted vector of integers come before each value: those that are less (side left), or not greater (right).

    %i = array.bisect left %a, %v : tensor<8xi32>, tensor<4x5xi32> -> tensor<4x5xi32>

    NumPy: `np.searchsorted`. The sorted vectors may have leading axes, which the values then have too.
    """

    name = "array.bisect"
    LEAD: ClassVar = "side"
    NOT_DIFFERENTIABLE: ClassVar = True
    STORED: ClassVar = slice(1)

    sequence = operand_def(TensorType)
    values = operand_def(TensorType)
    side = prop_def()

    @classmethod
    def infer(cls, sequence: Aval, values: Aval, *, side: str) -> Aval:
        if side not in ("left", "right"):
            raise ValueError(f"bisect: side must be left or right, got '{side}'")
        if sequence.dtype is not values.dtype or not sequence.dtype.is_integer:
            raise TypeError(f"bisect requires integers of one dtype, got {sequence.dtype} and {values.dtype}.")
        outer = sequence.shape[:-1]
        if not sequence.ndim or values.shape[: len(outer)] != outer:
            raise TypeError(f"bisect: the values' shape must begin with {outer}, got {values.shape}.")
        return aval(values.shape, int32)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, side: str) -> tuple[Node, int]:
        if dims[0] is not None:
            return cls.bind(*(batch_front(size, x, d) for x, d in zip(args, dims, strict=True)), side=side), 0
        place = args[0].ndim - 1  # behind the axes that belong to the sequences
        return cls.bind(args[0], move_axis(args[1], dims[1] or 0, place), side=side), place

    @staticmethod
    def reference(np: Any, sequence: Any, values: Any, *, side: str) -> Any:
        out = np.zeros(values.shape, np.int32)
        for row in np.ndindex(sequence.shape[:-1]):
            out[row] = np.searchsorted(sequence[row], values[row], side)
        return out

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, side: str) -> SSAValue:
        sequence, values = args
        size, kind = sequence.shape[-1], sequence.dtype.kind
        wanted, outer = b.read(values, index), index[: len(sequence.shape) - 1]
        found = b.const(0, int32)  # so many come before, at least
        for k in reversed(range(size.bit_length())):
            tried = b.op(arith.AddiOp, found, b.const(1 << k, int32))
            last = b.op(arith.MinSIOp, b.op(arith.SubiOp, tried, b.const(1, int32)), b.const(size - 1, int32))
            mine = b.read(sequence, (*outer, b.symbol(last, 0, size - 1)))
            before = emit.compare(b, mine, "lt" if side == "left" else "le", wanted, kind)
            inside = emit.compare(b, tried, "le", b.const(size, int32), "i")
            found = emit.select(b, b.op(arith.AndIOp, before, inside), tried, found)
        return found

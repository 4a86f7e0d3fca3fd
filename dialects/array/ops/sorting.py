"""Orders: `argsort` says in which order elements would be sorted, by one key or by several; whoever sorts gathers by it.

Keys become integers that compare as they do (a float is its sign and magnitude; NaNs are all alike and last, -0 is 0). Then runs of `BLOCK` are sorted by counting how
many elements come before each one, all of a run at once; and pairs of neighbouring runs are merged, ever longer ones, until one is left: n log n steps in 3 log n nests.
Merging is by *merge paths*: it is found by bisection, for every `CHUNK`-th result, how many of those before it come from either run (first for every `STRIDE`-th one,
which leaves the others little to search); then a nest's point makes the results of a chunk. Every level runs the same few kernels, for the length of the runs is data.

S. Odeh, O. Green, Z. Mwassi, O. Shmueli, Y. Birk, "Merge path: parallel merging made simple", IPDPS Workshops 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType, i32
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, var_operand_def

from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Write, batch_front, broadcast, full, move_axis, op_name
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.algebra import (
    bitcast,
    compare,
    convert,
    imag,
    iota,
    logical_and,
    logical_not,
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
from weft.dialects.kernel.affine import Expr

BLOCK = 32
"""Elements of the runs that are sorted by counting: in vectors, 32 comparisons an element take about as long as a merge."""

CHUNK = 16
"""Results that one point of a merging nest makes. BLOCK is a multiple of it."""

MOST = 4
"""Keys that one kernel compares."""

STRIDE = 512
"""Results between those for which bisection starts from nothing."""


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


def ordered(key: Node, total: bool = False) -> Node:
    """Integers (of 32 or 64 bits) that compare as the key's elements are sorted; `total`: -0 comes before 0."""
    kind, bits = key.dtype.kind, key.dtype.bits
    if kind in "iub":
        return key if bits >= 32 else convert(key, int32)
    if bits == 16:
        return ordered(convert(key, float32), total)
    integer = emit.integer_of(key.dtype)
    greatest = emit.extreme(integer)[1]
    infinite = {32: 0xFF << 23, 64: 0x7FF << 52}[bits]
    pattern = bitcast(key, integer)
    magnitude = logical_and(pattern, greatest)
    below = logical_not(magnitude) if total else neg(magnitude)
    value = where(compare(pattern, "lt", 0), below, magnitude)
    return where(compare(magnitude, "gt", infinite), greatest, value)


def _order(keys: list[Node]) -> Node:
    """The order of each row of integer keys of shape (lines, n)."""
    if len(keys) > MOST:  # by the last ones first, then, stably, by those before them
        by_last = _order(keys[-MOST:])
        return elements_at(by_last, _order([elements_at(k, by_last) for k in keys[:-MOST]]))
    n = keys[0].shape[1]
    run = min(n, BLOCK)
    size = -(-n // run) * run
    if size > n:  # what is added is greater than all or equal and behind, so it stays at the end
        keys = [pad(k, emit.extreme(k.dtype)[1], (0, 0), (0, size - n)) for k in keys]
    place = order = _within_runs(keys, run)
    while run < size:
        keys = [elements_at(k, place) for k in keys]
        length, path, within = _datum(run), [], 0
        if run > STRIDE:
            path = [MergePathOp.bind(length, *keys, chunk=STRIDE, steps=size.bit_length())]
            within = STRIDE
        path = MergePathOp.bind(length, *path, *keys, chunk=CHUNK, steps=STRIDE.bit_length(), within=within)
        place = MergeOp.bind(length, path, *keys, chunk=CHUNK)
        order = elements_at(order, place)
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


def elements_at(x: Node, place: Node) -> Node:
    """The elements of each row at places in it."""
    return GatherOp.bind(
        x, reshape(place, (*place.shape, 1)), offset_dims=(), collapsed_slice_dims=(1,), start_index_map=(1,), operand_batching_dims=(0,),
        start_indices_batching_dims=(0,), slice_sizes=(1, 1), mode="promise_in_bounds",
    )  # fmt: skip


def _datum(value: int) -> Node:
    """A number as an array of its own, so that kernels that differ by it alone are one."""
    data = DenseIntOrFPElementsAttr.from_list(TensorType(i32, [1]), [value])
    return ConstantOp.bind(value=data, shape=(1,), dtype=int32)


class _Merging(ArrayOp):
    """What the ops on pairs of runs have in common: operands are the runs' length, then arrays of lines."""

    NOT_DIFFERENTIABLE: ClassVar = True
    STORED: ClassVar = slice(None)

    @classmethod
    def check(cls, length: Aval, keys: Sequence[Aval], chunk: int) -> None:
        """Raises unless there are keys, in lines."""
        name = op_name(cls)
        _check_keys(name, keys)
        if length.dtype is not int32 or length.shape != (1,):
            raise TypeError(f"{name}: the length must be int32[1], got {length}.")
        if keys[0].ndim != 2 or not all(k.dtype.is_integer for k in keys):
            raise TypeError(f"{name} requires integer keys of rank 2, got {', '.join(map(str, keys))}.")
        if chunk < 1:
            raise ValueError(f"{name}: chunk must be positive, got {chunk}.")

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        arrays = [batch_front(size, x, d) for x, d in zip(args[1:], dims[1:], strict=True)]
        if dims[0] is None:  # examples are more lines
            flat = [reshape(x, (size * x.shape[1], *x.shape[2:])) for x in arrays]
            out = cls.bind(args[0], *flat, **params)
            return reshape(out, (size, out.shape[0] // size, out.shape[1])), 0
        parts = []
        for k in range(size):  # each example has runs of its own length
            own = [slice_axis(x, 0, k, k + 1) for x in (batch_front(size, args[0], dims[0]), *arrays)]
            out = cls.bind(*(reshape(x, x.shape[1:]) for x in own), **params)
            parts.append(reshape(out, (1, *out.shape)))
        return ConcatenateOp.bind(*parts, dimension=0), 0


class _Pair:
    """Scalars that say where the runs of a pair lie in a line: A from `begin` to `middle`, B from there to `end`; the place meant is in one of them."""

    def __init__(self, b: Any, length: Any, keys: Sequence[Any], line: Expr, first: SSAValue):
        self.b, self.keys, self.line, self.size = b, keys, line, keys[0].shape[1]
        run = b.read(length, (Expr(0),))
        self.begin = b.op(arith.AndIOp, first, self.sub(self.number(0), self.add(run, run)))
        self.middle = self.least(self.add(self.begin, run), self.number(self.size))
        self.end = self.least(self.add(self.middle, run), self.number(self.size))

    def number(self, value: int) -> SSAValue:
        """A constant."""
        return self.b.const(value, int32)

    def add(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """x + y."""
        return self.b.op(arith.AddiOp, x, y)

    def sub(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """x - y."""
        return self.b.op(arith.SubiOp, x, y)

    def least(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """The lesser."""
        return self.b.op(arith.MinSIOp, x, y)

    def greatest(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """The greater."""
        return self.b.op(arith.MaxSIOp, x, y)

    def elements(self, place: SSAValue) -> list[SSAValue]:
        """The keys at a place, which lies in the line."""
        at = self.b.symbol(place, 0, self.size - 1)
        return [self.b.read(k, (self.line, at)) for k in self.keys]

    def not_after(self, x: list[SSAValue], y: list[SSAValue]) -> SSAValue:
        """Whether x comes before y, or is equal."""
        b, kinds = self.b, [k.dtype.kind for k in self.keys]
        found = emit.compare(b, x[-1], "le", y[-1], kinds[-1])
        for k in reversed(range(len(self.keys) - 1)):
            equal = b.op(arith.AndIOp, emit.compare(b, x[k], "eq", y[k], kinds[k]), found)
            found = b.op(arith.OrIOp, emit.compare(b, x[k], "lt", y[k], kinds[k]), equal)
        return found


@irdl_op_definition
class MergePathOp(_Merging):
    """For every `chunk`-th place of pairs of neighbouring runs, merged: how many of the elements before it, in the pair, come from the first run.

    %p = array.merge_path %length, %k chunk 16 steps 7 within 0 : tensor<1xi32>, tensor<4x96xi32> -> tensor<4x6xi32>

    The length is a power of two, at least `chunk`. The search among less than 2 ** steps numbers is between those that the operand after the length gives for every
    `within`-th place, or (`within` 0, then there is no such operand) between none and all.
    """

    name = "array.merge_path"

    length = operand_def(TensorType)
    arrays = var_operand_def(TensorType)
    chunk = prop_def()
    steps = prop_def()
    within = opt_prop_def()

    @classmethod
    def infer(cls, length: Aval, *arrays: Aval, chunk: int, steps: int, within: int = 0) -> Aval:
        keys = arrays[bool(within) :]
        cls.check(length, keys, chunk)
        lines, size = keys[0].shape
        if within and arrays[0].shape != (lines, -(-size // within)):
            raise TypeError(f"merge_path: expected bounds for every {within}th of {size} places, got {arrays[0]}.")
        return aval((lines, -(-size // chunk)), int32)

    @staticmethod
    def reference(np: Any, length: Any, *arrays: Any, chunk: int, steps: int, within: int = 0) -> Any:
        source = MergeOp.reference(np, length, None, *arrays[bool(within) :], chunk=chunk)
        pair = 2 * int(length[0])
        first = source % pair < length[0]
        before = np.cumsum(first, -1) - first
        place = np.arange(0, source.shape[1], chunk)
        return (before[:, place] - before[:, place // pair * pair]).astype(np.int32)

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, chunk: int, steps: int, within: int = 0
    ) -> SSAValue:
        length, *arrays = args
        keys, (line, number) = arrays[bool(within) :], index
        first = b.index(number * chunk)
        pair = _Pair(b, length, keys, line, first)
        made = pair.sub(first, pair.begin)
        taken = pair.greatest(pair.sub(made, pair.sub(pair.end, pair.middle)), pair.number(0))
        most = pair.least(made, pair.sub(pair.middle, pair.begin))
        if within:
            block, blocks = number * chunk // within, arrays[0].shape[1]
            taken = pair.greatest(taken, b.read(arrays[0], (line, block)))
            after = b.read(arrays[0], (line, (block + 1).minimum(blocks - 1)))
            inside = emit.compare(b, b.index((block + 1) * within), "lt", pair.end, "i")
            most = emit.select(b, inside, pair.least(most, after), most)
        # the most for which the last of them comes no later than its rival in B
        for k in reversed(range(steps)):
            tried = pair.add(taken, pair.number(1 << k))
            last = pair.sub(pair.add(pair.begin, tried), pair.number(1))
            mine = pair.elements(pair.least(last, pair.number(pair.size - 1)))
            rival = pair.elements(_inside(pair, pair.sub(pair.add(pair.middle, made), tried)))
            fits = b.op(arith.AndIOp, emit.compare(b, tried, "le", most, "i"), pair.not_after(mine, rival))
            taken = emit.select(b, fits, tried, taken)
        return taken


def _inside(pair: _Pair, place: SSAValue) -> SSAValue:
    """A place moved into the line."""
    return pair.least(pair.greatest(place, pair.number(0)), pair.number(pair.size - 1))


@irdl_op_definition
class MergeOp(_Merging):
    """Pairs of neighbouring runs merged: for each place of a row, where the element stands in it that belongs there when the runs of `length` elements, each in order, are
    merged two by two. Equal elements keep their order. Keys are integers; `path` is what `array.merge_path` gives for the same chunks.

    %s = array.merge %length, %p, %k chunk 16 : tensor<1xi32>, tensor<4x6xi32>, tensor<4x96xi32> -> tensor<4x96xi32>
    """

    name = "array.merge"
    PUSHES: ClassVar = True

    length = operand_def(TensorType)
    path = operand_def(TensorType)
    keys = var_operand_def(TensorType)
    chunk = prop_def()

    @classmethod
    def infer(cls, length: Aval, path: Aval, *keys: Aval, chunk: int) -> Aval:
        cls.check(length, keys, chunk)
        lines, size = keys[0].shape
        if size % chunk:
            raise ValueError(f"merge: rows of {size} elements are no multiple of chunk {chunk}.")
        if path.dtype is not int32 or path.shape != (lines, size // chunk):
            raise TypeError(f"merge: the path must be int32[{lines},{size // chunk}], got {path}.")
        return aval(keys[0].shape, int32)

    @staticmethod
    def reference(np: Any, length: Any, path: Any, *keys: Any, chunk: int) -> Any:
        place = np.arange(keys[0].shape[1])
        pair = np.broadcast_to(place // (2 * int(length[0])), keys[0].shape)
        return np.lexsort([*reversed(keys), pair], axis=-1).astype(np.int32)

    @classmethod
    def space(cls, args: Sequence[Any], **params: Any) -> Ints:
        return args[1].shape

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, chunk: int) -> list[Write]:
        length, path, *keys = args
        line, number = index
        first = b.index(number * chunk)
        pair = _Pair(b, length, keys, line, first)
        taken = b.read(path, index)
        left = pair.add(pair.begin, taken)
        right = pair.add(pair.middle, pair.sub(pair.sub(first, pair.begin), taken))
        writes = []
        for k in range(chunk):
            mine, rival = (pair.elements(pair.least(p, pair.number(pair.size - 1))) for p in (left, right))
            from_left = b.op(arith.AndIOp, emit.compare(b, left, "lt", pair.middle, "i"), pair.not_after(mine, rival))
            from_left = b.op(arith.OrIOp, from_left, emit.compare(b, right, "ge", pair.end, "i"))
            writes.append(Write(emit.select(b, from_left, left, right), (line, number * chunk + k)))
            step = b.op(arith.ExtUIOp, from_left, type=i32)
            left, right = pair.add(left, step), pair.add(right, pair.sub(pair.number(1), step))
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

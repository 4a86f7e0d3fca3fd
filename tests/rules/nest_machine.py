"""Runs kernel nests in NumPy.

Every scalar of the body is an array over all points of the axes. Slow and plain, to hold `to_kernel` rules against
`reference` rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sampling import Case
from xdsl.dialects import arith, math
from xdsl.ir import Block, Operation, SSAValue

from weft.dialects.array.op import ArrayOp
from weft.dialects.array.params import tensor_type
from weft.dialects.dtypes import as_dtype, from_type
from weft.dialects.kernel.affine import Dim, Div, Expr, Min, Mod, Sym
from weft.dialects.kernel.builder import NestBuilder, Operand
from weft.dialects.kernel.ops import IndexOp, InsideOp, LoadOp, NestOp, ReduceOp, RemfOp, StoreOp

FLOAT = {1: np.equal, 2: np.greater, 3: np.greater_equal, 4: np.less, 5: np.less_equal, 13: lambda x, y: ~(x == y)}
INTEGER = {0: np.equal, 1: np.not_equal, 2: np.less, 3: np.less_equal, 4: np.greater, 5: np.greater_equal}


def unsigned(x: np.ndarray) -> np.ndarray:
    return x.astype(np.uint8) if x.dtype == bool else x.view(f"u{x.dtype.itemsize}")


def _checked_shift(shift: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        assert (unsigned(y) < 8 * y.dtype.itemsize).all(), "a shift by the width or more is undefined"
        return shift(x, y)

    return apply


def _checked_division(divide: Callable[[Any, Any], Any], signed: bool) -> Callable[[Any, Any], Any]:
    def apply(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        assert (y != 0).all(), "division by zero is undefined"
        assert not signed or not ((x == np.iinfo(x.dtype).min) & (y == -1)).any(), "division overflows"
        return divide(x, y)

    return apply


def _by_reference(op: type[ArrayOp]) -> Callable[..., Any]:
    return lambda *xs: op.reference(np, *xs)


def _truncating(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((x - np.fmod(x, y)) // y).astype(x.dtype)


def _table() -> dict[type[Operation], Callable[..., Any]]:
    from weft.dialects.array import ops

    table: dict[type[Operation], Callable[..., Any]] = {
        arith.AddfOp: np.add, arith.SubfOp: np.subtract, arith.MulfOp: np.multiply, arith.DivfOp: np.divide, arith.NegfOp: np.negative,
        arith.AddiOp: np.add, arith.SubiOp: np.subtract, arith.MuliOp: np.multiply,
        arith.MaximumfOp: np.maximum, arith.MinimumfOp: np.minimum, arith.MaxSIOp: np.maximum, arith.MinSIOp: np.minimum,
        arith.MaxUIOp: lambda x, y: np.where(unsigned(x) > unsigned(y), x, y), arith.MinUIOp: lambda x, y: np.where(unsigned(x) < unsigned(y), x, y),
        arith.AndIOp: np.bitwise_and, arith.OrIOp: np.bitwise_or, arith.XOrIOp: np.bitwise_xor,
        arith.SelectOp: np.where,
        arith.ShLIOp: _checked_shift(np.left_shift), arith.ShRSIOp: _checked_shift(np.right_shift),
        arith.ShRUIOp: _checked_shift(lambda x, y: np.right_shift(unsigned(x), unsigned(y)).view(x.dtype)),
        arith.DivSIOp: _checked_division(_truncating, True), arith.RemSIOp: _checked_division(np.fmod, True),
        arith.DivUIOp: _checked_division(lambda x, y: (unsigned(x) // unsigned(y)).view(x.dtype), False),
        arith.RemUIOp: _checked_division(lambda x, y: (unsigned(x) % unsigned(y)).view(x.dtype), False),
        math.AbsFOp: np.abs, math.FloorOp: np.floor, math.CeilOp: np.ceil, math.TruncOp: np.trunc, math.RoundEvenOp: np.rint,
        RemfOp: np.fmod, math.CopySignOp: np.copysign, math.PowFOp: np.power, math.Atan2Op: np.arctan2, math.ErfOp: _by_reference(ops.ErfOp),
        math.RsqrtOp: _by_reference(ops.RsqrtOp), math.CtPopOp: _by_reference(ops.PopulationCountOp), math.CountLeadingZerosOp: _by_reference(ops.ClzOp),
    }  # fmt: skip
    names = {
        "Asin": "arcsin",
        "Acos": "arccos",
        "Atan": "arctan",
        "Asinh": "arcsinh",
        "Acosh": "arccosh",
        "Atanh": "arctanh",
    }
    for name in [
        "Exp",
        "Exp2",
        "ExpM1",
        "Log",
        "Log1p",
        "Log2",
        "Sqrt",
        "Cbrt",
        "Sin",
        "Cos",
        "Tan",
        "Asin",
        "Acos",
        "Atan",
        "Sinh",
        "Cosh",
        "Tanh",
        "Asinh",
        "Acosh",
        "Atanh",
    ]:
        table[getattr(math, f"{name}Op")] = getattr(np, names.get(name, name.lower()))
    return table


REDUCE = {
    "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum, "umax": np.maximum, "umin": np.minimum,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
}  # fmt: skip


def _identity(kind: str, dtype: np.dtype) -> Any:
    from weft.dialects.array.ops import reduction

    if kind in ("umax", "umin"):
        return reduction.identity(kind[1:], as_dtype(f"uint{8 * dtype.itemsize}"))
    return reduction.identity(kind, as_dtype(dtype))


class Machine:
    """Evaluates one nest. `buffers` are the arrays of ins and outs, in order; outs are written in place."""

    def __init__(self, nest: NestOp, buffers: Sequence[np.ndarray]):
        nest.verify()
        axes = nest.axes.data
        self.extents = [a.extent for a in axes]
        grid = np.meshgrid(*(np.arange(n) for n in self.extents), indexing="ij", sparse=True) if axes else []
        self.dims = {a.name: g for a, g in zip(axes, grid, strict=True)}
        self.position = {a.name: k for k, a in enumerate(axes)}
        self.values: dict[SSAValue, np.ndarray] = dict(zip(nest.block.args, buffers, strict=True))
        self.table = _table()
        with np.errstate(all="ignore"):
            for op in nest.block.ops:
                self.run(op)

    def index(self, expr: Expr, symbols: Sequence[np.ndarray]) -> Any:
        total: Any = np.int64(expr.const)
        for atom, c in expr.terms:
            match atom:
                case Dim(name, _):
                    value = self.dims[name]
                case Sym(number, lo, hi):
                    value = symbols[number].astype(np.int64)
                    assert ((value >= lo) & (value <= hi)).all(), f"symbol outside of [{lo}, {hi}]"
                case Div(inner, by):
                    value = self.index(inner, symbols) // by
                case Mod(inner, by):
                    value = self.index(inner, symbols) % by
                case Min(inner, limit):
                    value = np.minimum(self.index(inner, symbols), limit)
            total = total + c * value
        return total

    def holds(self, conditions: Any, symbols: Sequence[np.ndarray]) -> Any:
        valid: Any = np.bool_(True)
        for c in conditions.data if conditions is not None else ():
            place = self.index(c.expr, symbols)
            valid = valid & (place >= c.lo) & (place < c.hi)
        return valid

    def run(self, op: Operation) -> None:
        operands = [self.values[o] for o in op.operands]
        if isinstance(op, LoadOp):
            value = self.load(operands[0], op, operands[1:])
        elif isinstance(op, StoreOp):
            self.store(operands[0], operands[1], op, operands[2:])
            return
        elif isinstance(op, IndexOp):
            value = np.asarray(self.index(op.expr, operands)).astype(f"i{op.results[0].type.width.data // 8}")
        elif isinstance(op, InsideOp):
            value = self.holds(op.conditions, operands)
        elif isinstance(op, ReduceOp):
            value = self.reduce(operands[0], op)
        else:
            value = self.compute(op, operands)
        self.values[op.results[0]] = np.asarray(value)

    def load(self, buffer: np.ndarray, op: LoadOp, symbols: Sequence[np.ndarray]) -> Any:
        place = [self.index(e, symbols) for e in op.map.data]
        valid = self.holds(op.conditions, symbols)
        shape = np.broadcast_shapes(np.shape(valid), *(np.shape(p) for p in place))
        if 0 in shape:
            return np.zeros(shape, signless(buffer).dtype)
        for p, n in zip(place, buffer.shape, strict=True):
            assert (~valid | ((p >= 0) & (p < n))).all(), f"{op} reads out of bounds"
        if 0 in buffer.shape:
            assert not np.any(valid)
            return np.zeros(shape, signless(buffer).dtype)
        inside = tuple(np.clip(p, 0, n - 1) for p, n in zip(place, buffer.shape, strict=True))
        found = signless(buffer)[inside]
        return np.where(valid, found, np.zeros((), found.dtype))

    def store(self, value: np.ndarray, buffer: np.ndarray, op: StoreOp, symbols: Sequence[np.ndarray]) -> None:
        place = [self.index(e, symbols) for e in op.map.data]
        valid = self.holds(op.conditions, symbols)
        shape = np.broadcast_shapes(np.shape(value), np.shape(valid), *(np.shape(p) for p in place))
        # every axis of the map's space is walked, though value and place may not depend on it
        shape = np.broadcast_shapes(
            shape, tuple(n if r == "par" else 1 for n, r in zip(self.extents, self.roles(op), strict=True))
        )
        valid = np.broadcast_to(valid, shape)
        where = tuple(np.broadcast_to(p, shape)[valid] for p in place)
        for p, n in zip(where, buffer.shape, strict=True):
            assert ((p >= 0) & (p < n)).all(), f"{op} writes out of bounds"
        data, target = np.broadcast_to(value, shape)[valid], signless(buffer).reshape(-1)  # a view
        where = np.ravel_multi_index(where, buffer.shape) if where else np.zeros(data.shape, int)
        if op.combine is None:
            target[where] = data
        else:
            view = unsigned(target) if op.combine.data.startswith("u") else target
            REDUCE[op.combine.data].at(view, where, data.view(view.dtype))

    def roles(self, op: Operation) -> list[str]:
        nest = op.parent_op()
        assert isinstance(nest, NestOp)
        return [a.role for a in nest.axes.data]

    def reduce(self, value: np.ndarray, op: ReduceOp) -> Any:
        places = tuple(self.position[a] for a in op.axes)
        shape = list(np.broadcast_shapes(value.shape, (1,) * len(self.extents)))
        for k in places:
            shape[k] = self.extents[k]
        value, kind = np.broadcast_to(value, shape), op.kind.data
        start = np.asarray(_identity(kind, value.dtype))
        if kind in ("umax", "umin"):
            return (
                REDUCE[kind]
                .reduce(
                    np.array(value, order="C").view(f"u{value.dtype.itemsize}"),
                    axis=places,
                    keepdims=True,
                    initial=start,
                )
                .view(value.dtype)
            )
        return REDUCE[kind].reduce(
            value, axis=places, keepdims=True, initial=start.astype(value.dtype), dtype=value.dtype
        )

    def compute(self, op: Operation, xs: list[np.ndarray]) -> Any:
        if isinstance(op, arith.ConstantOp):
            dtype = from_type(op.results[0].type)
            return np.asarray(op.value.value.data).astype(dtype.name)
        if isinstance(op, arith.CmpfOp):
            return FLOAT[op.predicate.value.data](*xs)
        if isinstance(op, arith.CmpiOp):
            code = op.predicate.value.data
            return INTEGER[code](*xs) if code < 6 else INTEGER[code - 4](*map(unsigned, xs))
        if isinstance(op, arith.BitcastOp):
            return np.array(xs[0], order="C").view(from_type(op.results[0].type).name)
        if isinstance(op, (arith.UIToFPOp, arith.ExtUIOp)):
            return unsigned(xs[0]).astype(from_type(op.results[0].type).name)
        if isinstance(op, (arith.FPToSIOp, arith.FPToUIOp)):
            target = np.dtype(from_type(op.results[0].type).name)
            target = target if isinstance(op, arith.FPToSIOp) else np.dtype(f"u{target.itemsize}")
            assert ((xs[0] >= np.iinfo(target).min) & (xs[0] <= np.iinfo(target).max)).all(), "conversion out of range"
            return xs[0].astype(target).view(f"i{target.itemsize}")
        if isinstance(op, (arith.SIToFPOp, arith.ExtSIOp, arith.TruncIOp, arith.ExtFOp, arith.TruncFOp)):
            return xs[0].astype(from_type(op.results[0].type).name)
        return self.table[type(op)](*xs)


def signless(buffer: np.ndarray) -> np.ndarray:
    """A buffer as a body sees it: integers without a sign of their own."""
    return buffer.view(f"i{buffer.dtype.itemsize}") if buffer.dtype.kind == "u" else buffer


def run_rule(case: Case) -> np.ndarray:
    """What the `to_kernel` rule of a case's op computes."""
    out = case.infer()
    arrays = [np.array(a, order="C") for a in case.arrays]
    block = Block(arg_types=[tensor_type(a) for a in (*case.avals, out)])
    *sources, destination = block.args
    operands = tuple(map(Operand.of, sources))
    if case.op.PUSHES:
        b = NestBuilder()
        for write in case.op.to_kernel(b, b.parallel(case.op.space(operands, **case.params)), operands, **case.params):
            b.store(destination, *write)
    else:
        b = NestBuilder({destination: lambda b, index: case.op.to_kernel(b, index, operands, **case.params)})
        index = b.parallel(out.shape)
        b.store(destination, b.read(Operand.of(destination), index), index)
    nest = b.finish()
    result = arrays[0].copy() if case.op.UPDATES else np.zeros(out.shape, out.dtype.name)
    given = [arrays[sources.index(v)] for v in nest.ins]
    Machine(nest, [*given, result])
    return result

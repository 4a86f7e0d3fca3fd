"""Builds a nest by *pulling*: each result is asked for its scalar at an index, and asks its operands in turn.

`read(operand, index)` is the one place where fusion happens. If the operand's producer is to be part of this nest, its own `to_kernel` rule is asked for the scalar at
that index; otherwise a `kernel.load` is emitted. So a view is index arithmetic and nothing else, a fused chain is nested calls, and reading the same value at the same
index again gives the same SSA value (which is what makes one load of two uses).

A reduction asks for an axis with `axis(extent)`. An axis that the nest has already is taken, if the value being read does not depend on it: the row maximum in a softmax
runs over the very axis along which the result is stored, and the nest needs no second set of loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import ArrayAttr, FloatAttr, IntegerAttr, IntegerType, StringAttr, i1
from xdsl.ir import Attribute, Block, Operation, SSAValue

from weft.dialects.dtypes import DType, from_type, int32
from weft.dialects.kernel.affine import Condition, Dim, Expr, Sym, dim
from weft.dialects.kernel.affine import symbol as symbol_expr
from weft.dialects.kernel.attributes import Axis, ConditionsAttr, MapAttr
from weft.dialects.kernel.ops import IndexOp, InsideOp, LoadOp, NestOp, ReduceOp, StoreOp, load, nest, scalar_type

Emit = Callable[[], SSAValue]
Producer = Callable[["NestBuilder", tuple[Expr, ...]], SSAValue]
"""Gives the scalar at an index of a value that is computed inside the nest."""


@dataclass(frozen=True, eq=False)
class Operand:
    """An array as a `to_kernel` rule sees it: its shape and dtype, and what `read` takes."""

    value: SSAValue
    shape: tuple[int, ...]
    dtype: DType

    @classmethod
    def of(cls, value: SSAValue) -> Operand:
        type = value.type
        return cls(value, type.get_shape(), from_type(type.element_type))  # type: ignore[attr-defined]


@dataclass
class _Frame:
    """One read in progress: the axes that its index and conditions name, and those its reductions have taken."""

    free: set[str]
    taken: set[str] = field(default_factory=set[str])


AXIS_NAMES = "ijklmnopqrstuvwxyz"


class NestBuilder:
    """Collects one nest. `inlined` gives the producer of each value that this nest is to compute itself; every other value is loaded."""

    def __init__(self, inlined: dict[SSAValue, Producer] | None = None):
        self.inlined = {} if inlined is None else inlined  # the caller may add to it while the nest is built
        self.block = Block()
        self.ins: list[SSAValue] = []
        self.outs: list[SSAValue] = []
        self._axes: dict[str, list[Any]] = {}  # name -> [extent, role]
        self._args: dict[SSAValue, SSAValue] = {}
        self._memo: dict[tuple[Any, ...], SSAValue] = {}
        self._frames: list[_Frame] = [_Frame(set())]
        self._guard: tuple[Condition, ...] = ()
        self._symbols: list[SSAValue] = []
        self._symbol_dims: list[set[str]] = []
        self._dims_of: dict[SSAValue, set[str]] = {}

    @property
    def guard(self) -> tuple[Condition, ...]:
        """The conditions in force: what is read now is valid only where they hold."""
        return self._guard

    # -- axes -----------------------------------------------------------------------------------------------------------------------------

    def _new_axis(self, extent: int, role: str) -> Expr:
        number = len(self._axes)
        name = AXIS_NAMES[number] if number < len(AXIS_NAMES) else f"a{number}"
        self._axes[name] = [extent, role]
        return dim(name, extent)

    def parallel(self, shape: Sequence[int]) -> tuple[Expr, ...]:
        """One parallel axis per dimension: the index at which a result of that shape is stored."""
        return tuple(self._new_axis(n, "par") if n != 1 else Expr(0) for n in shape)

    def axis(self, extent: int) -> Expr:
        """An axis for a reduction: one that is there and free of the value being read, or a new one. Extent 1 needs none (0)."""
        if extent == 1:
            return Expr(0)
        frame = self._frames[-1]
        for name, entry in self._axes.items():
            if entry[0] == extent and name not in frame.free and name not in frame.taken:
                frame.taken.add(name)
                entry[1] = "red"
                return dim(name, extent)
        new = self._new_axis(extent, "red")
        frame.taken.update(new.dims())
        return new

    # -- values ---------------------------------------------------------------------------------------------------------------------------

    def read(self, arg: Operand, index: Sequence[Expr]) -> SSAValue:
        """The scalar of an array at an index."""
        if 0 in arg.shape:  # there is none: whatever asks does so no time
            return self.const(0, arg.dtype)
        index = tuple(index)
        key = (arg.value, index, self._guard)
        if (known := self._memo.get(key)) is not None:
            return known
        producer = self.inlined.get(arg.value)
        if producer is None:
            value = self._load(arg.value, index)
        else:
            self._frames.append(_Frame(self._free(index)))
            try:
                value = producer(self, index)
            finally:
                self._frames.pop()
        self._memo[key] = value
        return value

    def reduce(self, kind: str, value: SSAValue, axes: Iterable[Expr]) -> SSAValue:
        """The value combined over axes that `axis` gave (constants among them, axes of extent 1, need nothing)."""
        names = sorted({d for e in axes for d in e.dims()}, key=list(self._axes).index)
        if not names:
            return value
        over = ArrayAttr([StringAttr(n) for n in names])
        reduced = self._emit(
            ReduceOp.create(
                operands=[value], result_types=[value.type], properties={"kind": StringAttr(kind), "over": over}
            )
        )
        self._dims_of[reduced] = self._depends(value) - set(names)
        return reduced

    def op(
        self, cls: type[Operation], *values: SSAValue, type: Attribute | None = None, **properties: Attribute
    ) -> SSAValue:
        """The result of an `arith` or `math` op; its type is the first operand's unless given."""
        result = type if type is not None else values[0].type
        key = (cls, values, result, tuple(sorted(properties.items())) if properties else ())
        if (known := self._memo.get(key)) is None:
            if cls in _FASTMATH:
                properties.setdefault("fastmath", _NO_FASTMATH)
            known = self._memo[key] = self._emit(
                cls.create(operands=values, result_types=[result], properties=properties)
            )
        return known

    def const(self, value: bool | int | float, dtype: DType) -> SSAValue:
        """A literal."""
        attribute = _literal(value, dtype, repr(value))
        key = ("const", attribute)
        if (known := self._memo.get(key)) is None:
            known = self._memo[key] = self._emit(
                arith.ConstantOp.create(result_types=[attribute.type], properties={"value": attribute})
            )
        return known

    def index(self, expr: Expr, dtype: DType = int32) -> SSAValue:
        """The value of an index expression as an integer."""
        if expr.is_constant:
            return self.const(expr.const, dtype)
        key = ("index", expr, dtype)
        if (known := self._memo.get(key)) is None:
            exprs, symbols = self._localize((expr,))
            op = IndexOp.create(
                operands=symbols, result_types=[scalar_type(dtype.element)], properties={"map": MapAttr(exprs)}
            )
            known = self._memo[key] = self._emit(op)
            self._dims_of[known] = self._free((expr,))
        return known

    def symbol(self, value: SSAValue, lo: int, hi: int) -> Expr:
        """A data-dependent index. `value` is an i32 that the caller has clamped into [lo, hi]."""
        self._symbols.append(value)
        self._symbol_dims.append(self._depends(value))
        return symbol_expr(len(self._symbols) - 1, lo, hi)

    def inside(
        self, conditions: Sequence[tuple[Expr, int, int]], then: Emit, otherwise: SSAValue | Emit | None = None
    ) -> SSAValue:
        """`then()` where lo <= expr < hi for every condition, else `otherwise`.

        Loads made by `then` are valid only there: elsewhere they read nothing and give 0. Without `otherwise` the value elsewhere is what `then` makes of those zeros.
        """
        needed = tuple(c for c in (Condition(*c) for c in conditions) if not c.always and c not in self._guard)
        if not needed:
            return then()
        if otherwise is not None and any(c.never for c in needed):
            return otherwise() if callable(otherwise) else otherwise
        outer = self._guard
        self._guard = outer + needed
        try:
            value = then()
        finally:
            self._guard = outer
        if otherwise is None:
            return value
        other = otherwise() if callable(otherwise) else otherwise
        if _is_zero(other) and _is_zero_outside(value, needed):
            return value
        return self.op(arith.SelectOp, self.holds(needed), value, other, type=value.type)

    def holds(self, conditions: Sequence[Condition]) -> SSAValue:
        """Whether all conditions hold, as an i1."""
        key = ("inside", tuple(conditions))
        if (known := self._memo.get(key)) is None:
            exprs, symbols = self._localize(tuple(c.expr for c in conditions))
            local = tuple(c._replace(expr=e) for c, e in zip(conditions, exprs, strict=True))
            op = InsideOp.create(operands=symbols, result_types=[i1], properties={"conditions": ConditionsAttr(local)})
            known = self._memo[key] = self._emit(op)
            self._dims_of[known] = self._free([c.expr for c in conditions])
        return known

    # -- results --------------------------------------------------------------------------------------------------------------------------

    def store(
        self,
        destination: SSAValue,
        value: SSAValue,
        index: Sequence[Expr],
        conditions: Sequence[tuple[Expr, int, int]] = (),
        combine: str | None = None,
    ) -> None:
        """Writes `value` at `index` of `destination` (an `outs` operand of the nest)."""
        if destination not in self.outs:
            self.outs.append(destination)
            self._args[destination] = self.block.insert_arg(destination.type, len(self.block.args))
        tests = tuple(c for c in (Condition(*c) for c in conditions) if not c.always)
        exprs, symbols = self._localize((*index, *(c.expr for c in tests)))
        properties: dict[str, Attribute] = {"map": MapAttr(exprs[: len(index)])}
        if tests:
            local = exprs[len(index) :]
            properties["conditions"] = ConditionsAttr(
                tuple(c._replace(expr=e) for c, e in zip(tests, local, strict=True))
            )
        if combine is not None:
            properties["combine"] = StringAttr(combine)
        self.block.add_op(StoreOp.create(operands=[value, self._args[destination], *symbols], properties=properties))

    def finish(self) -> NestOp:
        """The nest: parallel axes first, then those of reductions, each kind in the order in which it came."""
        axes = [Axis(name, role, extent) for name, (extent, role) in self._axes.items()]
        return nest(sorted(axes, key=lambda a: a.role), self.ins, self.outs, self.block)

    # -- within ---------------------------------------------------------------------------------------------------------------------------

    def _emit(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        value = op.results[0]
        if op.operands:
            self._dims_of[value] = set().union(*(self._depends(v) for v in op.operands))
        return value

    def _depends(self, value: SSAValue) -> set[str]:
        """The axes that a scalar depends on."""
        return self._dims_of.get(value, set())

    def _free(self, exprs: Iterable[Expr]) -> set[str]:
        """The axes that expressions depend on, through symbols too, and those of the conditions in force."""
        free: set[str] = set()
        for expr in (*exprs, *(c.expr for c in self._guard)):
            for atom in expr.atoms():
                if isinstance(atom, Dim):
                    free.add(atom.name)
                elif isinstance(atom, Sym):
                    free |= self._symbol_dims[atom.number]
        return free

    def _load(self, source: SSAValue, index: tuple[Expr, ...]) -> SSAValue:
        argument = self._args.get(source)
        if argument is None:
            argument = self._args[source] = self.block.insert_arg(source.type, len(self.ins))
            self.ins.append(source)
        guard = self._guard
        exprs, symbols = self._localize((*index, *(c.expr for c in guard)))
        conditions = tuple(c._replace(expr=e) for c, e in zip(guard, exprs[len(index) :], strict=True))
        value = self._emit(load(argument, exprs[: len(index)], symbols, conditions))
        self._dims_of[value] = self._free(index)
        return value

    def _localize(self, exprs: tuple[Expr, ...]) -> tuple[tuple[Expr, ...], list[SSAValue]]:
        """Expressions with the nest's symbols numbered anew for one op, and the values they stand for."""
        numbers: dict[int, int] = {}
        for expr in exprs:
            for atom in expr.atoms():
                if isinstance(atom, Sym):
                    numbers.setdefault(atom.number, len(numbers))
        if not numbers:
            return exprs, []

        def renumber(atom: Dim | Sym) -> Expr | None:
            return symbol_expr(numbers[atom.number], atom.lo, atom.hi) if isinstance(atom, Sym) else None

        return tuple(e.substitute(renumber) for e in exprs), [self._symbols[n] for n in numbers]


@lru_cache(maxsize=1024)
def _literal(value: bool | int | float, dtype: DType, exact: str) -> IntegerAttr | FloatAttr:
    """A scalar as an attribute. `exact`, its text, tells 0.0 and -0.0 apart in the cache."""
    type = scalar_type(dtype.element)
    if isinstance(type, IntegerType):
        return IntegerAttr(_wrap(int(value), type.bitwidth), type)
    return FloatAttr(float(value), type)  # type: ignore[arg-type]


def _is_zero(value: SSAValue) -> bool:
    """Whether a value is the constant 0 (and not -0.0)."""
    return isinstance(op := value.owner, arith.ConstantOp) and str(op.value.value.data) in ("0", "0.0")  # type: ignore[union-attr]


def _is_zero_outside(value: SSAValue, conditions: tuple[Condition, ...]) -> bool:
    """Whether a value is a load that gives 0 where these conditions do not hold."""
    load = value.owner
    if not isinstance(load, LoadOp) or load.conditions is None or load.symbols:
        return False
    return set(conditions) <= set(load.conditions.data)


def _wrap(value: int, width: int) -> int:
    """An integer as the signed value of its low bits, which is how a signless attribute wants it (an i1 is 0 or -1)."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


_NO_FASTMATH = arith.FastMathFlagsAttr("none")
_FASTMATH = frozenset(
    (
        arith.AddfOp,
        arith.SubfOp,
        arith.MulfOp,
        arith.DivfOp,
        arith.MaximumfOp,
        arith.MinimumfOp,
        arith.MaxnumfOp,
        arith.MinnumfOp,
        arith.CmpfOp,
    )
)

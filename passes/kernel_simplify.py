"""kernel-simplify: the same nest with the fewest and plainest loops.

- An axis that is only ever read in two parts, by quotient and by remainder, becomes two axes: a reshape between a producer and its consumer is then no arithmetic.
- Two axes that every access walks as one, `i * N + j`, become one: a loop over a whole array has a single axis, whatever the array's shape. Where the nest owns the
  types of its buffers (in a `kernel.func`), they lose the dimensions that nobody tells apart, so that maps stay readable.
- Reduction axes stand with the one of the smallest strides innermost.
- What nobody needs is left out (dialects/kernel/cleanup.py).

What counts is the row-major position of an access, not its dimensions one by one: `x[i floordiv 4, i mod 4]` in an array of 8 x 4 is just position i.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, FunctionType, MemRefType, ModuleOp, StringAttr
from xdsl.ir import BlockArgument
from xdsl.passes import ModulePass

from weft.dialects.kernel.affine import Atom, Dim, Div, Expr, Mod, Sym, linearize
from weft.dialects.kernel.attributes import AxesAttr, Axis, ConditionsAttr, MapAttr
from weft.dialects.kernel.cleanup import clean_up
from weft.dialects.kernel.host import FuncOp
from weft.dialects.kernel.ops import IndexOp, InsideOp, LoadOp, NestOp, ReduceOp, StoreOp


@dataclass(frozen=True)
class KernelSimplifyPass(ModulePass):
    """Splits and merges axes of unscheduled nests until there is nothing left to do, orders reduction axes, and drops what is not needed."""

    name = "kernel-simplify"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for nest in list(op.walk()):
            if isinstance(nest, NestOp) and nest.schedule is None and all(a.level == "none" for a in nest.axes.data):
                simplify(nest)


def simplify(nest: NestOp) -> None:
    """Simplifies one nest."""
    clean_up(nest)
    while (found := _divided(nest)) is not None:
        split(nest, *found)
    while (pair := _contiguous(nest)) is not None:
        merge(nest, *pair)
    _order_reductions(nest)
    func = nest.parent_op()
    if isinstance(func, FuncOp):
        for arg in nest.block.args:
            _collapse(nest, arg, func)


# -- what is read -------------------------------------------------------------------------------------------------------------------------


def indices(nest: NestOp) -> Iterator[Expr]:
    """Everything that the nest computes from its axes: positions of accesses, conditions, index values."""
    for op in nest.block.ops:
        if isinstance(op, (LoadOp, StoreOp)):
            yield linearize(op.map.data, op.buffer.type.get_shape())  # type: ignore[attr-defined]
        elif isinstance(op, IndexOp):
            yield op.expr
        if isinstance(op, (LoadOp, StoreOp, InsideOp)) and op.conditions is not None:
            for condition in op.conditions.data:
                yield condition.expr


def _divided(nest: NestOp) -> tuple[Axis, int] | None:
    """An axis, and a factor of its extent by which it is divided somewhere; the smallest."""
    found: tuple[int, str] | None = None
    for expr in indices(nest):
        for atom in expr.atoms():
            if isinstance(atom, (Div, Mod)) and len(atom.expr.terms) == 1 and not atom.expr.const:
                inner, coefficient = atom.expr.terms[0]
                if coefficient == 1 and isinstance(inner, Dim) and inner.extent % atom.by == 0:
                    found = min(found or (atom.by, inner.name), (atom.by, inner.name))
    return (nest.axis(found[1]), found[0]) if found is not None else None


def _contiguous(nest: NestOp) -> tuple[Axis, Axis] | None:
    """Neighbouring axes that are always walked as one."""
    axes = nest.axes.data
    if len(axes) < 2:
        return None
    exprs = set(indices(nest))
    reductions = [set(op.axes) for op in nest.block.ops if isinstance(op, ReduceOp)]
    for outer, inner in pairwise(axes):
        if outer.role != inner.role or 0 in (outer.extent, inner.extent):
            continue
        if any((outer.name in over) != (inner.name in over) for over in reductions):
            continue
        if all(_walks_as_one(e, outer, inner) for e in exprs):
            return outer, inner
    return None


def _walks_as_one(expr: Expr, outer: Axis, inner: Axis) -> bool:
    coefficients = {outer.name: 0, inner.name: 0}
    for atom, c in expr.terms:
        if isinstance(atom, Dim):
            if atom.name in coefficients:
                coefficients[atom.name] = c
        elif not isinstance(atom, Sym) and not atom.expr.dims().isdisjoint(coefficients):
            return False
    return coefficients[outer.name] == coefficients[inner.name] * inner.extent


# -- what is changed ----------------------------------------------------------------------------------------------------------------------


def split(nest: NestOp, axis: Axis, factor: int) -> None:
    """Makes two axes of one: the quotient and the remainder by a factor of its extent."""
    name = _fresh(nest)
    outer, inner = axis._replace(extent=axis.extent // factor), axis._replace(name=name, extent=factor)
    replace_axes(nest, {axis.name: outer.expr * factor + inner.expr}, {axis: (outer, inner)})


def merge(nest: NestOp, outer: Axis, inner: Axis) -> None:
    """Makes one axis of two neighbours."""
    axis = outer._replace(extent=outer.extent * inner.extent)
    values = {outer.name: axis.expr // inner.extent, inner.name: axis.expr % inner.extent}
    replace_axes(nest, values, {outer: (axis,), inner: ()})


def _fresh(nest: NestOp) -> str:
    names = {a.name for a in nest.axes.data}
    candidates = (*"ijklmnopqrstuvwxyz", *(f"a{k}_" for k in range(99)))
    return next(n for n in candidates if not any(name.startswith(n) for name in names))  # nor what it may be split into


def replace_axes(nest: NestOp, values: dict[str, Expr], axes: dict[Axis, tuple[Axis, ...]]) -> None:
    """Axes in place of others, and what the old ones are in terms of the new. Axes of extent 1 are left out."""
    axes = {old: tuple(a for a in new if a.extent != 1) for old, new in axes.items()}
    nest.axes = AxesAttr(tuple(a for old in nest.axes.data for a in axes.get(old, (old,))))
    names = {old.name: [StringAttr(a.name) for a in new] for old, new in axes.items()}

    def value(atom: Atom) -> Expr | None:
        return values.get(atom.name) if isinstance(atom, Dim) else None

    for op in nest.block.ops:
        if isinstance(op, (LoadOp, StoreOp, IndexOp)):
            op.map = MapAttr(tuple(e.substitute(value) for e in op.map.data))
        if isinstance(op, (LoadOp, StoreOp, InsideOp)) and op.conditions is not None:
            op.conditions = ConditionsAttr(tuple(c._replace(expr=c.expr.substitute(value)) for c in op.conditions.data))
        if isinstance(op, ReduceOp):
            op.over = ArrayAttr([a for old in op.over.data for a in names.get(old.data, [old])])


def _order_reductions(nest: NestOp) -> None:
    """The reduction axis of the largest strides outermost, where all reductions are over the same axes."""
    axes = nest.axes.data
    reduced = [a for a in axes if a.role == "red"]
    if len(reduced) < 2 or len({frozenset(op.axes) for op in nest.block.ops if isinstance(op, ReduceOp)}) != 1:
        return
    strides = dict.fromkeys((a.name for a in reduced), 0)
    for op in nest.block.ops:
        if isinstance(op, LoadOp):
            for atom, c in linearize(op.map.data, op.buffer.type.get_shape()).terms:  # type: ignore[attr-defined]
                if isinstance(atom, Dim) and atom.name in strides:
                    strides[atom.name] += abs(c)
    ordered = iter(sorted(reduced, key=lambda a: -strides[a.name]))
    nest.axes = AxesAttr(tuple(next(ordered) if a.role == "red" else a for a in axes))


# -- dimensions that nobody tells apart ----------------------------------------------------------------------------------------------------


def _collapse(nest: NestOp, arg: BlockArgument, func: FuncOp) -> None:
    """Drops dimensions of a buffer that its accesses only ever walk as one with the next. The function's argument gets the new type too."""
    accesses = [u.operation for u in arg.uses]
    shape: list[int] = list(arg.type.get_shape())  # type: ignore[attr-defined]
    maps: list[list[Expr]] = [list(op.map.data) for op in accesses]  # type: ignore[attr-defined]
    k = 0
    while k + 1 < len(shape):
        joined = [m[k] * shape[k + 1] + m[k + 1] for m in maps]
        before = sum(_divisions(m[k]) + _divisions(m[k + 1]) for m in maps)
        if before > sum(map(_divisions, joined)) or 1 in shape[k : k + 2]:
            shape[k : k + 2] = [shape[k] * shape[k + 1]]
            for m, expr in zip(maps, joined, strict=True):
                m[k : k + 2] = [expr]
        else:
            k += 1
    if len(shape) == len(arg.type.get_shape()):  # type: ignore[attr-defined]
        return
    type = MemRefType(arg.type.element_type, shape)  # type: ignore[attr-defined]
    for op, m in zip(accesses, maps, strict=True):
        op.properties["map"] = MapAttr(tuple(m))
    outer = nest.operands[nest.block.args.index(arg)]
    arg._type = outer._type = type  # accesses look the type up when asked
    func.properties["function_type"] = FunctionType.from_lists([a.type for a in func.body.block.args], [])


def _divisions(expr: Expr) -> int:
    return sum(isinstance(a, (Div, Mod)) for a in expr.atoms())

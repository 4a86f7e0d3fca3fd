"""kernel-split-ranges: a nest that does one thing in a range of an axis and another beyond it becomes a nest for each range, in which nothing is asked.

A concatenation reads one operand or another; asked for in every vector, with masks where a range ends within one, that takes five times as long as copying. (Compilers know it as index-set splitting.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i1
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from weft.dialects.kernel.affine import Condition, Dim
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.cleanup import clean_up
from weft.dialects.kernel.host import FuncOp
from weft.dialects.kernel.ops import InsideOp, LoadOp, NestOp, ReduceOp, StoreOp
from weft.passes.kernel_simplify import replace_axes

LEAST = 1 << 12
"""Points of a range that is worth a nest."""

MOST = 4
"""Ranges of an axis."""


@dataclass(frozen=True)
class KernelSplitRangesPass(ModulePass):
    """Splits unscheduled nests without reductions where conditions on one axis begin or cease to hold, in kernels that may hold several nests.

    `least`: how many points each of them must have (none: LEAST).
    """

    name = "kernel-split-ranges"

    least: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        least = LEAST if self.least is None else self.least
        for func in op.body.block.ops:
            if isinstance(func, FuncOp):
                for nest in [n for n in func.body.block.ops if isinstance(n, NestOp) and n.schedule is None]:
                    for axis in nest.axes.data:
                        if len(ends := _ranges(nest, axis, least)) > 2:
                            _split(nest, axis, ends)
                            break


def _ranges(nest: NestOp, axis: Axis, least: int) -> list[int]:
    """Where ranges of an axis end, from 0 to its extent; nothing between if it is to stay as it is."""
    if axis.role != "par":
        return []
    conditions: list[Condition] = []
    for op in nest.block.ops:
        shared = isinstance(op, StoreOp) and (
            op.combine is not None or not any(axis.name in e.dims() for e in op.map.data)
        )
        if isinstance(op, ReduceOp) or shared:
            return []
        if isinstance(op, (LoadOp, StoreOp, InsideOp)) and op.conditions is not None:
            conditions += op.conditions.data
    ends = {0, axis.extent}
    for expr, lo, hi in conditions:
        if expr.terms == ((Dim(axis.name, axis.extent), 1),):
            ends |= {end for end in (lo - expr.const, hi - expr.const) if 0 < end < axis.extent}
    others = prod(a.extent for a in nest.axes.data) // max(axis.extent, 1)
    found = sorted(ends)
    return found if len(found) <= MOST + 1 and all((b - a) * others >= least for a, b in pairwise(found)) else []


def _split(nest: NestOp, axis: Axis, ends: list[int]) -> None:
    """Puts a nest for each range of the axis in the place of one for all."""
    block = nest.parent_block()
    assert block is not None
    for start, end in pairwise(ends):
        piece = nest.clone()
        block.insert_op_before(piece, nest)
        part = axis._replace(extent=end - start)
        replace_axes(piece, {axis.name: part.expr + start}, {axis: (part,)})
        for op in list(piece.block.ops):
            if isinstance(op, InsideOp):
                _decide(op)
        clean_up(piece)
    Rewriter.erase_op(nest)


def _decide(op: InsideOp) -> None:
    """Puts the answer in the place of a question that has only one."""
    holds = all(c.always for c in op.conditions.data)
    if not holds and not any(c.never for c in op.conditions.data):
        return
    for use in list(op.result.uses):
        choice = use.operation
        if isinstance(choice, arith.SelectOp) and choice.cond is op.result:
            choice.result.replace_all_uses_with(choice.lhs if holds else choice.rhs)
            Rewriter.erase_op(choice)
    if op.result.first_use is not None:
        Rewriter.replace_op(op, arith.ConstantOp(IntegerAttr(-1 if holds else 0, i1)))

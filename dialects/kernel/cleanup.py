"""What can be left out of a nest without changing it: values that nobody uses, buffers that nobody reads, conditions that always hold, axes of extent 1."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern
from xdsl.rewriter import Rewriter

from weft.dialects.kernel.attributes import AxesAttr, ConditionsAttr
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp, StoreOp, segments


class CleanUpNest(RewritePattern):
    """`clean_up` as a canonicalisation."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: NestOp, rewriter: PatternRewriter) -> None:
        if clean_up(op, rewriter.erase):
            rewriter.notify_op_modified(op)


def clean_up(nest: NestOp, erase: Callable[[Operation], None] = Rewriter.erase_op) -> bool:
    """Leaves out what is not needed; gives whether there was anything."""
    changed = _drop_unit_axes(nest)
    for op in list(nest.block.ops):
        if isinstance(op, (LoadOp, StoreOp)) and op.conditions is not None:
            changed |= _drop_conditions(op)
    for op in reversed(list(nest.block.ops)):
        if not isinstance(op, StoreOp) and all(r.first_use is None for r in op.results):
            erase(op)
            changed = True
    return _drop_ins(nest) or changed


def _drop_unit_axes(nest: NestOp) -> bool:
    """An axis of extent 1 is the constant 0 in every expression, so only the list of axes and the reductions name it."""
    axes = nest.axes.data
    unit = {a.name for a in axes if a.extent == 1 and a.level == "none"}
    if not unit:
        return False
    for op in list(nest.block.ops):
        if isinstance(op, ReduceOp) and not unit.isdisjoint(op.axes):
            op.over = ArrayAttr([a for a in op.over.data if a.data not in unit])
            if not op.axes:
                op.result.replace_all_uses_with(op.value)
    nest.axes = AxesAttr(tuple(a for a in axes if a.name not in unit))
    return True


def _drop_conditions(op: LoadOp | StoreOp) -> bool:
    assert op.conditions is not None
    used = {n for e in (*op.map.data, *(c.expr for c in op.conditions.data)) for n in e.symbols()}
    kept = tuple(c for c in op.conditions.data if not c.always)
    left = {n for e in (*op.map.data, *(c.expr for c in kept)) for n in e.symbols()}
    if len(kept) == len(op.conditions.data) or used != left:
        return False
    op.conditions = ConditionsAttr(kept) if kept else None
    return True


def _drop_ins(nest: NestOp) -> bool:
    """Buffers that are read no more."""
    count = len(nest.ins)
    unread = [k for k in range(count) if nest.block.args[k].first_use is None]
    if not unread:
        return False
    for k in reversed(unread):
        nest.block.erase_arg(nest.block.args[k])
    nest.operands = [v for k, v in enumerate(nest.operands) if k not in unread]
    nest.properties["operandSegmentSizes"] = segments(count - len(unread), len(nest.operands) - count + len(unread))
    return True

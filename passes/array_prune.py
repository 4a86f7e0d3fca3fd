"""array-prune: loops and branches without what they compute for nobody.

A derivative takes of a loop what it needs, and leaves results over: a stack that nobody reads, a carry that feeds itself alone. They go, and with them what they are computed from,
inside the region and outside of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from weft.dialects.array.control import ControlOp, captured
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.ops import CondOp, ScanOp, WhileOp


@dataclass(frozen=True)
class ArrayPrunePass(ModulePass):
    """Removes unused results of loops and branches, and all ops that nobody uses."""

    name = "array-prune"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for func in op.body.block.ops:
            if (
                isinstance(func, FuncOp)
                and not func.is_declaration
                and any(isinstance(o, ControlOp) for o in func.walk())
            ):
                prune(func.body.block)


def prune(block: Block) -> None:
    """Leaves out what nobody needs, the last ops first: then it is known of every op who uses it."""
    for op in reversed(list(block.ops)):
        if not isinstance(op, ArrayOp):
            continue
        if all(r.first_use is None for r in op.results):
            block.detach_op(op)
            op.erase()
        elif isinstance(op, ControlOp):
            _narrow(op)


def _narrow(op: ControlOp) -> None:
    """The op with the results that are used, and the operands that these need."""
    used = [r.first_use is not None for r in op.results]
    bodies = [r.block for r in op.regions]
    if isinstance(op, CondOp):
        results, operands = used, [True]
    elif isinstance(op, WhileOp):
        asked = _reached(bodies[0], _given(bodies[0]))
        operands = results = _carried(
            bodies[1], [u or a in asked for u, a in zip(used, bodies[0].args, strict=True)], []
        )
    else:
        assert isinstance(op, ScanOp)
        count, given = len(op.carry), _given(bodies[0])
        stacked = [v for v, u in zip(given[count:], used[count:], strict=True) if u]
        carries = _carried(bodies[0], used[:count], stacked)
        kept = [v for v, k in zip(given, carries, strict=False) if k]
        reached = _reached(bodies[0], [*kept, *stacked])
        results = [*carries, *used[count:]]
        operands = [*carries, *(a in reached for a in bodies[0].args[count:])]
    if all(results) and all(operands):
        for body in bodies:
            prune(body)
        return
    for k, body in enumerate(bodies):
        if not (isinstance(op, WhileOp) and k == 0):
            end = body.last_op
            assert end is not None
            end.operands = _chosen(end.operands, results)
        prune(body)
        for arg, kept_arg in reversed(list(zip(body.args, operands, strict=False))):
            if not kept_arg:
                body.erase_arg(arg)
    _replace(op, results, operands)


def _replace(op: ControlOp, results: Sequence[bool], operands: Sequence[bool]) -> None:
    properties: dict[str, Attribute] = dict(op.properties)
    if isinstance(op, ScanOp):
        properties |= op.segments(sum(operands), carries=sum(operands[: len(op.carry)]))
    regions = [op.detach_region(r) for r in list(op.regions)]
    new = type(op).create(
        operands=_chosen(op.operands, operands),
        result_types=[r.type for r in _chosen(op.results, results)],
        properties=properties,
        attributes=op.attributes,
        regions=regions,
        location=op.location,
    )
    block = op.parent
    assert block is not None
    block.insert_op_before(new, op)
    for old, made in zip(_chosen(op.results, results), new.results, strict=True):
        old.replace_all_uses_with(made)
    block.detach_op(op)
    op.erase()


def _carried(body: Block, needed: list[bool], also: Iterable[SSAValue]) -> list[bool]:
    """Which carries are needed: those given, and those that they and other values are computed from, round after round."""
    while True:
        given = [v for v, n in zip(_given(body), needed, strict=False) if n]
        reached = _reached(body, [*given, *also])
        found = [n or a in reached for n, a in zip(needed, body.args, strict=False)]
        if found == needed:
            return needed
        needed = found


def _given(body: Block) -> Sequence[SSAValue]:
    end = body.last_op
    assert end is not None
    return end.operands


def _reached(block: Block, values: Iterable[SSAValue]) -> set[SSAValue]:
    """The block's arguments that values are computed from."""
    seen: set[SSAValue] = set()
    stack = list(values)
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        owner = value.owner
        if isinstance(owner, Operation) and owner.parent is block:
            stack += [*owner.operands, *(v for r in owner.regions for v in captured(r))]
    return seen.intersection(block.args)


def _chosen(values: Sequence[SSAValue], mask: Sequence[bool]) -> list[SSAValue]:
    return [v for v, on in zip(values, mask, strict=True) if on]

"""array-simplify: less to compute, and the very same numbers.

One walk over each function, in program order and into loops and branches, so that every op sees simplified operands: it is simplified by the rules of the dialect (dialects/array/canonicalize.py) as long as one
applies, and an op that was computed before is not computed again; then what nobody uses goes.

This runs in every compilation, so it is a plain walk with a table of rules by op, not a greedy rewriter, which would cost more than the lowering that it helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from weft.dialects.array.canonicalize import simplified
from weft.dialects.array.op import ArrayOp


@dataclass(frozen=True)
class ArraySimplifyPass(ModulePass):
    """Folds literals, drops identities, composes views, and removes what is computed twice or for nothing."""

    name = "array-simplify"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for func in op.body.block.ops:
            if isinstance(func, FuncOp) and not func.is_declaration:
                simplify(func.body.block)


def simplify(block: Block, outside: Mapping[tuple[Any, ...], SSAValue] | None = None) -> None:
    """Simplifies the ops of one block, and of the regions in it. `outside`: what was computed before."""
    known: dict[tuple[Any, ...], SSAValue] = dict(outside or {})
    for op in list(block.ops):
        for region in op.regions:
            simplify(region.block, known)
        if not isinstance(op, ArrayOp) or op.regions or len(op.results) != 1:
            continue
        if (value := _simplest(block, op)) is not None:
            op.results[0].replace_all_uses_with(value)
        else:
            value = op.results[0]
        owner = value.owner
        if isinstance(owner, ArrayOp) and len(owner.results) == 1 and not owner.regions:  # all of it is in the key
            key = (type(owner), *owner.operands, *owner.properties.items(), value.type)
            if (same := known.setdefault(key, value)) is not value:
                value.replace_all_uses_with(same)
    for op in reversed(list(block.ops)):
        if isinstance(op, ArrayOp) and all(r.first_use is None for r in op.results):
            block.detach_op(op)
            op.erase()


def _simplest(block: Block, op: Operation) -> SSAValue | None:
    """What takes the place of an op when no rule applies any more: a value that was there, or the result of a new op."""
    made: list[Operation] = []

    def insert(new: Operation) -> None:
        block.insert_op_before(new, op)
        made.append(new)

    found = value = simplified(op, insert)
    while value is not None and value.owner in made:
        found, value = value, simplified(value.owner, insert)  # type: ignore[arg-type]
    return found if value is None else value

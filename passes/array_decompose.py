"""array-decompose: ops that have no rule for a nest of their own are written with other array ops, by their `decompose` rules."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from weft.dialects.array.graph import expand
from weft.dialects.array.node import Node
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.stage import rewrite_functions


@dataclass(frozen=True)
class ArrayDecomposePass(ModulePass):
    """Replaces each op that has a `decompose` rule and no `to_kernel` rule, until none is left."""

    name = "array-decompose"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if any(isinstance(o, ArrayOp) and type(o).has("decompose") for o in op.walk()):
            rewrite_functions(op, lambda graph, mark: expand(graph, is_composite))


def is_composite(n: Node) -> bool:
    """Whether an op is to be written with others."""
    return issubclass(n.op, ArrayOp) and n.op.composite(**n.params)

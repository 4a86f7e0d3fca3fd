"""The forward derivative of functions of array ops, by the rules that `weft.jvp` and `weft.grad` use. For reading and testing them: the library transforms before it stages."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from weft.dialects.array.graph import Graph
from weft.dialects.array.node import Node, leaf
from weft.dialects.array.op import zeros
from weft.dialects.array.stage import rewrite_functions
from weft.dialects.array.walks import jvp_walk


@dataclass(frozen=True)
class ArrayJvpPass(ModulePass):
    """Each function also takes tangents of its arguments, and also gives tangents of its results.

    `wrt` numbers the arguments that have tangents (default: all of floating or complex dtype). Tangents follow the primals, on both sides.
    """

    name = "array-jvp"
    wrt: tuple[int, ...] | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite_functions(op, self._derive)

    def _derive(self, graph: Graph, mark: int) -> Graph:
        chosen = range(len(graph.ins)) if self.wrt is None else self.wrt
        tangents: list[Node | None] = [
            leaf(n.aval, mark=mark) if i in chosen and n.aval.dtype.is_inexact else None
            for i, n in enumerate(graph.ins)
        ]
        outs, found = jvp_walk(graph.outs, graph.ins, tangents)
        given = [t for t in tangents if t is not None]
        filled = [zeros(o) if t is None else t for o, t in zip(outs, found, strict=True) if o.aval.dtype.is_inexact]
        return Graph([*graph.ins, *given], [*outs, *filled])

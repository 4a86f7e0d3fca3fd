"""The transpose of linear functions of array ops, by the rules that `weft.grad` uses. With `array-jvp` before it, this is reverse mode."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from weft.dialects.array.graph import Graph
from weft.dialects.array.node import leaf
from weft.dialects.array.op import zeros
from weft.dialects.array.stage import rewrite_functions
from weft.dialects.array.walks import transpose_walk


@dataclass(frozen=True)
class ArrayTransposePass(ModulePass):
    """Each function takes, in place of the arguments that it is linear in, cotangents of its results, and gives cotangents of these arguments.

    `linear` numbers these arguments (default: all of floating or complex dtype). `results` numbers the results that have cotangents (default: all); the other
    results are dropped. The arguments that stay come first.
    """

    name = "array-transpose"
    linear: tuple[int, ...] | None = None
    results: tuple[int, ...] | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite_functions(op, self._transpose)

    def _transpose(self, graph: Graph, mark: int) -> Graph:
        chosen = [i for i, n in enumerate(graph.ins) if n.aval.dtype.is_inexact] if self.linear is None else self.linear
        linear = [graph.ins[i] for i in chosen]
        outs = graph.outs if self.results is None else [graph.outs[i] for i in self.results]
        cts = [leaf(o.aval, mark=mark) for o in outs]
        found = transpose_walk(outs, cts, linear)
        kept = [n for i, n in enumerate(graph.ins) if i not in chosen]
        return Graph([*kept, *cts], [zeros(n) if ct is None else ct for n, ct in zip(linear, found, strict=True)])

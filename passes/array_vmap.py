"""Functions of array ops for a batch, by the rules that `weft.vmap` uses."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from weft.dialects.array.graph import Graph
from weft.dialects.array.op import batch_front
from weft.dialects.array.stage import rewrite_functions
from weft.dialects.array.walks import batch_graph


@dataclass(frozen=True)
class ArrayVmapPass(ModulePass):
    """Each function works on `size` examples at once. They lie along axis `dims[i]` of argument i (-1: every example shares it; default: all in front).

    Results have them in front.
    """

    name = "array-vmap"
    size: int
    dims: tuple[int, ...] | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite_functions(op, self._batch)

    def _batch(self, graph: Graph, mark: int) -> Graph:
        given = self.dims if self.dims is not None else (0,) * len(graph.ins)
        if len(given) != len(graph.ins):
            raise ValueError(f"array-vmap: dims has {len(given)} entries for {len(graph.ins)} arguments")
        batched, places = batch_graph(graph, self.size, [None if d < 0 else d for d in given])
        return Graph(batched.ins, [batch_front(self.size, n, d) for n, d in zip(batched.outs, places, strict=True)])

"""Calls whose derivative computes their intermediate values again. A node that holds the function as a graph, as custom derivatives are.

What keeps the second computation apart from the first is a barrier: the arguments pass through `array.optimization_barrier`, which nothing looks through, so that common
subexpressions are not found across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Node, leaf, make, results, transform, wrap
from weft.dialects.array.op import zeros
from weft.dialects.array.walks import Maybe, batch_call, batch_graph, jvp_call, jvp_walk, transpose_walk

Dims = Sequence[int | None]


class CheckpointCall:
    """A call of `graph`; its derivative is one node, too."""

    name = "checkpoint"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *args: Node, graph: Graph) -> tuple[Node, ...]:
        return results(make(cls, args, {"graph": graph}, graph.out_avals))

    @classmethod
    def decompose(cls, *args: Node, graph: Graph) -> tuple[Node, ...]:
        return tuple(inline(graph, args))

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph) -> Sequence[Node]:
        given = [t for t in tangents if t is not None]
        return CheckpointTangent.bind(*primals, *given, graph=graph, active=tuple(t is not None for t in tangents))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph) -> Any:
        batched, places = batch_graph(graph, size, dims)
        return cls.bind(*args, graph=batched), places


class CheckpointTangent:
    """The derivative of such a call: of primals (one per input of `graph`) and of the tangents of those that are `active`, in which it is linear."""

    name = "checkpoint_tangent"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *args: Node, graph: Graph, active: tuple[bool, ...]) -> tuple[Node, ...]:
        return results(make(cls, args, {"graph": graph, "active": active}, graph.out_avals))

    @classmethod
    def decompose(cls, *args: Node, graph: Graph, active: tuple[bool, ...]) -> tuple[Node, ...]:
        count = len(active)
        given = iter(args[count:])
        outs, tangents = jvp_call(
            lambda *ins: inline(graph, ins), args[:count], [next(given) if on else None for on in active]
        )
        return tuple(zeros(o) if t is None else t for o, t in zip(outs, tangents, strict=True))

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph, active: tuple[bool, ...]
    ) -> Sequence[Maybe]:
        _, found = jvp_call(lambda *args: cls.decompose(*args, graph=graph, active=active), primals, tangents)
        return found

    @classmethod
    def transpose(
        cls,
        ct: Sequence[Maybe],
        args: Sequence[Node],
        linear: Sequence[bool],
        *,
        graph: Graph,
        active: tuple[bool, ...],
    ) -> list[Maybe]:
        from weft.dialects.array.ops import OptimizationBarrierOp

        count = len(active)
        with transform() as mark:
            again = [wrap(OptimizationBarrierOp.bind(a), mark) for a in args[:count]]
            tangents = [leaf(a.aval, mark=mark) if on else None for a, on in zip(again, active, strict=True)]
            _, found = jvp_walk(inline(graph, again), again, tangents)
        pairs = [(t, c) for t, c in zip(found, ct, strict=True) if t is not None and c is not None]
        given = transpose_walk([t for t, _ in pairs], [c for _, c in pairs], [t for t in tangents if t is not None])
        return [*(None for _ in range(count)), *given]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, active: tuple[bool, ...]) -> Any:
        found = batch_call(lambda *ins: cls.decompose(*ins, graph=graph, active=active), size, args, dims)
        return [n for n, _ in found], [d for _, d in found]

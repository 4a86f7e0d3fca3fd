"""Calls whose derivative computes their intermediate values again. A node that holds the function as a graph, as custom derivatives are.

What keeps the second computation apart from the first is a barrier: the arguments pass through `array.optimization_barrier`, which nothing looks through, so that common
subexpressions are not found across it. A policy names values that are kept all the same: the first computation gives them as further results, and in the second each stands for
what it was computed by (`Kept`), which nobody asks for then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft.dialects.array.graph import Graph, inline, programs
from weft.dialects.array.node import Aval, Node, ResultOp, leaf, make, rebind, results, transform, wrap
from weft.dialects.array.op import Replace, batch_front, zeros
from weft.dialects.array.walks import Maybe, batch_call, batch_graph, jvp_call, jvp_walk, transpose_walk

Dims = Sequence[int | None]
Policy = Callable[..., bool]
"""Whether a value is kept: asked with its operation's class, the avals of its operands, and its parameters by name."""


class Named:
    """Its operand, under a name that policies know."""

    name = "name"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, x: Node, *, name: str) -> Node:
        return make(cls, (x,), {"name": name}, x.aval)

    @classmethod
    def decompose(cls, x: Node, *, name: str) -> Node:
        return x

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node, *, name: str) -> Maybe:
        return tangents[0]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, name: str) -> tuple[Node, int | None]:
        return cls.bind(args[0], name=name), dims[0]


class Kept:
    """Its second operand, which was kept; its derivative is that of the first, of which it is a copy."""

    name = "kept"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, x: Node, value: Node) -> Node:
        return make(cls, (x, value), {}, x.aval)

    @classmethod
    def decompose(cls, x: Node, value: Node) -> Node:
        return value

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node) -> Maybe:
        return tangents[0]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims) -> tuple[Node, int]:
        x, value = (batch_front(size, a, d) for a, d in zip(args, dims, strict=True))
        return cls.bind(x, value), 0


def _kept_by(policy: Policy | None, graph: Graph) -> tuple[int, ...]:
    """The places, among the graph's nodes, of the values that a policy keeps, and of what a call for its effect gave, which is made once.

    Raises NotImplementedError if such a call stands in a program within the graph (a loop, a branch): what it gave there cannot be kept.
    """
    asked: dict[Node, bool] = {}
    for n in graph.nodes:
        if n.op is ResultOp:
            asked[n] = asked[n.inputs[0]]
        elif policy is None or not n.inputs:
            asked[n] = bool(n.params.get("effect"))
        else:
            asked[n] = bool(n.params.get("effect") or policy(n.op, *(i.aval for i in n.inputs), **n.params))
        if any(map(_calls_once, programs(n))):
            raise NotImplementedError(
                "io_callback in a loop or a branch within checkpoint cannot be differentiated: what computes it again would call the host again"
            )
    return tuple(k for k, n in enumerate(graph.nodes) if asked[n] and n.aval.__class__ is Aval)


def _calls_once(graph: Graph) -> bool:
    """Whether a program calls the host for an effect that may not be repeated."""
    return any(n.params.get("effect") == "once" or any(map(_calls_once, programs(n))) for n in graph.nodes)


def _again(graph: Graph, args: Sequence[Node], places: Sequence[int], values: Sequence[Node]) -> list[Node]:
    """The graph's outputs for other inputs, as by `inline`, with some values at hand."""
    if not places:
        return inline(graph, args)
    kept = {graph.nodes[k]: v for k, v in zip(places, values, strict=True)}
    env = dict(zip(graph.ins, args, strict=True))
    for n in graph.nodes:
        here = rebind(n, [env.get(i, i) for i in n.inputs]) if n.inputs else n
        env[n] = Kept.bind(here, kept[n]) if n in kept else here
    return [env.get(o, o) for o in graph.outs]


class CheckpointCall:
    """A call of `graph`; its derivative is one node, too."""

    name = "checkpoint"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *args: Node, graph: Graph, policy: Policy | None = None, barrier: bool = True) -> tuple[Node, ...]:
        return results(make(cls, args, {"graph": graph, "policy": policy, "barrier": barrier}, graph.out_avals))

    @classmethod
    def decompose(cls, *args: Node, graph: Graph, policy: Policy | None, barrier: bool) -> tuple[Node, ...]:
        return tuple(inline(graph, args))

    @classmethod
    def jvp(
        cls,
        primals: Sequence[Node],
        tangents: Sequence[Maybe],
        out: Any,
        *,
        graph: Graph,
        policy: Policy | None,
        barrier: bool,
    ) -> Any:
        given = [t for t in tangents if t is not None]
        active = tuple(t is not None for t in tangents)
        kept = _kept_by(policy, graph)
        count = len(graph.outs)
        values: Sequence[Node] = ()
        if kept:
            more = Graph(graph.ins, [*graph.outs, *(graph.nodes[k] for k in kept)])
            out = cls.bind(*primals, graph=more, policy=policy, barrier=barrier)
            values = out[count:]
        made = CheckpointTangent.bind(*primals, *values, *given, graph=graph, active=active, kept=kept, barrier=barrier)
        return Replace(out[:count], made) if kept else made

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, **params: Any) -> Any:
        batched, places = batch_graph(graph, size, dims)
        return cls.bind(*args, graph=batched, **params), places


class CheckpointTangent:
    """The derivative of such a call: of primals (one per input of `graph`), of the values at the places `kept`, and of the tangents of those primals that are `active`, in which it is linear."""

    name = "checkpoint_tangent"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *args: Node, graph: Graph, **params: Any) -> tuple[Node, ...]:
        return results(make(cls, args, {"graph": graph, **params}, graph.out_avals))

    @classmethod
    def decompose(
        cls, *args: Node, graph: Graph, active: tuple[bool, ...], kept: tuple[int, ...], barrier: bool
    ) -> tuple[Node, ...]:
        count = len(active)
        values, given = args[count : count + len(kept)], iter(args[count + len(kept) :])
        outs, tangents = jvp_call(
            lambda *ins: _again(graph, ins, kept, values),
            args[:count],
            [next(given) if on else None for on in active],
        )
        return tuple(zeros(o) if t is None else t for o, t in zip(outs, tangents, strict=True))

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, **params: Any) -> Sequence[Maybe]:
        _, found = jvp_call(lambda *args: cls.decompose(*args, **params), primals, tangents)
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
        kept: tuple[int, ...],
        barrier: bool,
    ) -> list[Maybe]:
        from weft.dialects.array.ops import OptimizationBarrierOp

        count = len(active)
        values = args[count : count + len(kept)]
        with transform() as mark:
            again = [wrap(OptimizationBarrierOp.bind(a) if barrier else a, mark) for a in args[:count]]
            tangents = [leaf(a.aval, mark=mark) if on else None for a, on in zip(again, active, strict=True)]
            _, found = jvp_walk(_again(graph, again, kept, values), again, tangents, apart=True)
        pairs = [(t, c) for t, c in zip(found, ct, strict=True) if t is not None and c is not None]
        given = transpose_walk([t for t, _ in pairs], [c for _, c in pairs], [t for t in tangents if t is not None])
        return [*(None for _ in range(count + len(kept))), *given]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> Any:
        found = batch_call(lambda *ins: cls.decompose(*ins, **params), size, args, dims)
        return [n for n, _ in found], [d for _, d in found]

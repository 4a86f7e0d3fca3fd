"""Functions with derivatives of the user's own. They are nodes that hold the function as a graph; the rule runs when a walk arrives.

A call never becomes an IR op: staging writes its graph in its place (`decompose`). Batching gives a call again, with a batched graph and batched rules, so that the user's
rule holds under any order of transforms. Rules are functions on nodes; the frontend takes pytrees and arrays off. Captured values are arguments like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Aval, Node, make, results
from weft.dialects.array.op import Replace, broadcast_batch, move_axis, zero_tangent
from weft.dialects.array.walks import batch_call, batch_graph, with_axis

Maybe = Node | None
Dims = Sequence[int | None]


class _CustomCall:
    """What both calls share: the parameter `graph`, and how it takes the call's place."""

    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *args: Node, graph: Graph, **rules: Callable[..., Any]) -> tuple[Node, ...]:
        return results(make(cls, args, {"graph": graph, **rules}, graph.out_avals))

    @classmethod
    def decompose(cls, *args: Node, graph: Graph, **rules: Any) -> tuple[Node, ...]:
        return tuple(inline(graph, args))


class CustomJvpCall(_CustomCall):
    """A call of a function with `rule(primals, tangents) -> (outs, tangents of outs)`. Zero tangents come as zeros; None may be given for zero."""

    name = "custom_jvp_call"

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph, rule: Any) -> Replace:
        return Replace(*rule(primals, _instantiate(primals, tangents)))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, rule: Any) -> Any:
        def batched_rule(primals: Sequence[Node], tangents: Sequence[Node]) -> tuple[list[Node], list[Node]]:
            def flat(*nodes: Node) -> list[Node]:
                outs, out_tangents = rule(nodes[: len(primals)], nodes[len(primals) :])
                return [*outs, *_instantiate(outs, out_tangents)]

            found = [_place(size, n, d, 0) for n, d in batch_call(flat, size, (*primals, *tangents), (*dims, *dims))]
            return found[: len(found) // 2], found[len(found) // 2 :]

        return cls.bind(*args, graph=_batched(graph, size, dims), rule=batched_rule), [0] * len(graph.outs)


class CustomVjpCall(_CustomCall):
    """A call of a function with `fwd(*args) -> (outs, residuals)` and `bwd(residuals, cts) -> cts of args` (None for zero)."""

    name = "custom_vjp_call"

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph, fwd: Any, bwd: Any
    ) -> Replace:
        outs, residuals = fwd(*primals)
        inputs = (*residuals, *_instantiate(primals, tangents))
        return Replace(outs, CustomVjpTangent.bind(*inputs, bwd=bwd, count=len(residuals), outs=graph.out_avals))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, fwd: Any, bwd: Any) -> Any:
        count = len(graph.outs)
        kept: list[int | None] = []  # the residuals' batch axes: fwd finds them, and it runs before bwd

        def batched_fwd(*args: Node) -> tuple[list[Node], list[Node]]:
            def flat(*args: Node) -> list[Node]:
                outs, residuals = fwd(*args)
                return [*outs, *residuals]

            found = batch_call(flat, size, args, dims)
            kept[:] = [d for _, d in found[count:]]
            return [_place(size, n, d, 0) for n, d in found[:count]], [n for n, _ in found[count:]]

        rules = {"fwd": batched_fwd, "bwd": _batched_bwd(bwd, size, kept, dims)}
        return cls.bind(*args, graph=_batched(graph, size, dims), **rules), [0] * count


class CustomVjpTangent:
    """The derivative of such a call: linear in its tangents, and known by its transpose alone. Inputs: `count` residuals, then the tangents."""

    name = "custom_vjp_tangent"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *inputs: Node, bwd: Callable[..., Any], count: int, outs: tuple[Aval, ...]) -> tuple[Node, ...]:
        return results(make(cls, inputs, {"bwd": bwd, "count": count, "outs": outs}, outs))

    @classmethod
    def jvp(cls, *args: Any, **params: Any) -> Any:
        raise TypeError("can't apply forward-mode differentiation (jvp) to a custom_vjp function.")

    decompose = jvp  # a tangent that is to be computed: that is forward mode

    @classmethod
    def transpose(
        cls, ct: Sequence[Maybe], args: Sequence[Node], linear: Sequence[bool], *, bwd: Any, count: int, outs: Any
    ) -> list[Maybe]:
        cts = [zero_tangent(a) if c is None else c for a, c in zip(outs, ct, strict=True)]
        return [*(None for _ in range(count)), *bwd(args[:count], cts)]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, bwd: Any, count: int, outs: Any) -> Any:
        rule = _batched_bwd(bwd, size, dims[:count], dims[count:])
        avals = tuple(with_axis(a, 0, size) for a in outs)
        return cls.bind(*args, bwd=rule, count=count, outs=avals), [0] * len(outs)


def _batched_bwd(bwd: Callable[..., Any], size: int, kept: Dims, dims: Dims) -> Callable[..., list[Maybe]]:
    """`bwd` for a batch: residuals have their batch axes at `kept`, cotangents in front, and those of the arguments shall have them at `dims` (None: summed)."""

    def batched(residuals: Sequence[Node], cts: Sequence[Node]) -> list[Maybe]:
        from weft.dialects.array.ops import ReduceOp

        zero: list[bool] = []

        def flat(*nodes: Node) -> list[Node]:
            given = bwd(nodes[: len(residuals)], nodes[len(residuals) :])
            zero[:] = [g is None for g in given]
            return [g for g in given if g is not None]

        found = iter(batch_call(flat, size, (*residuals, *cts), (*kept, *(0 for _ in cts))))
        placed: list[Maybe] = []
        for nothing, want in zip(zero, dims, strict=True):
            if nothing:
                placed.append(None)
                continue
            n, d = next(found)
            n = _place(size, n, d, want or 0)
            placed.append(ReduceOp.bind(n, kind="add", axes=(0,)) if want is None else n)
        return placed

    return batched


def _batched(graph: Graph, size: int, dims: Dims) -> Graph:
    """The graph for a batch. Every output gets a batch axis, in front: its cotangent may differ from example to example even where it does not."""
    batched, places = batch_graph(graph, size, dims)
    return Graph(batched.ins, [_place(size, n, d, 0) for n, d in zip(batched.outs, places, strict=True)])


def _place(size: int, x: Node, dim: int | None, want: int) -> Node:
    return move_axis(broadcast_batch(x, size), 0, want) if dim is None else move_axis(x, dim, want)


def _instantiate(primals: Sequence[Node], tangents: Sequence[Maybe]) -> list[Node]:
    return [zero_tangent(p) if t is None else t for p, t in zip(primals, tangents, strict=True)]

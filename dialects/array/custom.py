"""Functions with derivatives of the user's own. They are nodes that hold the function as a graph; the rule runs when a walk arrives.

A call never becomes an IR op: staging writes its graph in its place (`decompose`). Batching gives a call again, with a batched graph and batched rules, so that the user's
rule holds under any order of transforms. Rules are functions on nodes; the frontend takes pytrees and arrays off. Captured values are arguments like any other. Tangents and
cotangents that are zero come to rules as None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Aval, Node, make, results
from weft.dialects.array.op import Replace, add, broadcast_batch, move_axis, zero_tangent, zeros
from weft.dialects.array.walks import batch_call, batch_graph, jvp_call, with_axis

Maybe = Node | None
Dims = Sequence[int | None]


class _CustomCall:
    """What the calls share: the parameter `graph`, and how it takes the call's place."""

    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *args: Node, graph: Graph, **rules: Any) -> tuple[Node, ...]:
        return results(make(cls, args, {"graph": graph, **rules}, graph.out_avals))

    @classmethod
    def decompose(cls, *args: Node, graph: Graph, **rules: Any) -> tuple[Node, ...]:
        return tuple(inline(graph, args))


class CustomJvpCall(_CustomCall):
    """A call of a function with `rule(primals, tangents) -> (outs, tangents of outs)`."""

    name = "custom_jvp_call"

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph, rule: Any) -> Replace:
        return Replace(*rule(primals, tangents))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, rule: Any) -> Any:
        def batched_rule(primals: Sequence[Node], tangents: Sequence[Maybe]) -> tuple[list[Node], list[Maybe]]:
            def flat(primals: Sequence[Node], *tangents: Maybe) -> list[Maybe]:
                outs, out_tangents = rule(primals, tangents)
                return [*outs, *out_tangents]

            count = len(primals)
            given = [(t, d) for t, d in zip(tangents, dims, strict=True) if t is not None]
            found = _batch_maybe(
                lambda nodes: flat(nodes[:count], *_filled(nodes[count:], tangents)),
                size,
                [*primals, *(t for t, _ in given)],
                [*dims, *(d for _, d in given)],
            )
            placed = [None if n is None else _place(size, n, d, 0) for n, d in found]
            return placed[: len(placed) // 2], placed[len(placed) // 2 :]  # type: ignore[return-value]

        return cls.bind(*args, graph=_batched(graph, size, dims), rule=batched_rule), [0] * len(graph.outs)


class CustomVjpCall(_CustomCall):
    """A call of a function with `fwd(args, active) -> (outs, residuals)` and `bwd(residuals, cts) -> cts of args`. `active`: which of the arguments have tangents."""

    name = "custom_vjp_call"

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph, fwd: Any, bwd: Any
    ) -> Replace:
        outs, residuals = fwd(primals, [t is not None for t in tangents])
        inputs = (*residuals, *(zero_tangent(p) if t is None else t for p, t in zip(primals, tangents, strict=True)))
        return Replace(outs, CustomVjpTangent.bind(*inputs, bwd=bwd, count=len(residuals), outs=graph.out_avals))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, fwd: Any, bwd: Any) -> Any:
        count = len(graph.outs)
        kept: list[int | None] = []  # the residuals' batch axes: fwd finds them, and it runs before bwd

        def batched_fwd(args: Sequence[Node], active: Sequence[bool]) -> tuple[list[Node], list[Node]]:
            def flat(*args: Node) -> list[Node]:
                outs, residuals = fwd(args, active)
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
        return [*(None for _ in range(count)), *bwd(args[:count], ct)]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, bwd: Any, count: int, outs: Any) -> Any:
        rule = _batched_bwd(bwd, size, dims[:count], dims[count:])
        avals = tuple(with_axis(a, 0, size) for a in outs)
        return cls.bind(*args, bwd=rule, count=count, outs=avals), [0] * len(outs)


class LinearCall(_CustomCall):
    """A call of a function that is linear in all but its first `count` arguments (residuals and captures), and whose transpose is `flipped`: a graph of the same residuals and of cotangents.

    The transpose of the call is the call of `flipped`, with the function for its transpose.
    """

    name = "linear_call"

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph, flipped: Graph, count: int
    ) -> list[Maybe]:
        kept, given = primals[:count], primals[count:]
        moved: list[Maybe] = [None] * len(graph.outs)
        if any(t is not None for t in tangents[count:]):
            moves = [zeros(p) if t is None else t for p, t in zip(given, tangents[count:], strict=True)]
            moved = list(cls.bind(*kept, *moves, graph=graph, flipped=flipped, count=count))
        if any(t is not None for t in tangents[:count]):  # in residuals it is differentiated as it stands
            _, others = jvp_call(lambda *ins: inline(graph, [*ins, *given]), kept, tangents[:count])
            moved = list(map(add, moved, others))
        return moved

    @classmethod
    def transpose(
        cls,
        ct: Sequence[Maybe],
        args: Sequence[Node],
        linear: Sequence[bool],
        *,
        graph: Graph,
        flipped: Graph,
        count: int,
    ) -> list[Maybe]:
        cts = [zeros(a) if c is None else c for c, a in zip(ct, graph.outs, strict=True)]
        found = cls.bind(*args[:count], *cts, graph=flipped, flipped=graph, count=count)
        return [*(None for _ in range(count)), *found]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, flipped: Graph, count: int) -> Any:
        given = [_place(size, a, d, 0) for a, d in zip(args[count:], dims[count:], strict=True)]
        forth, back = (_batched(g, size, [*dims[:count], *(0 for _ in g.ins[count:])]) for g in (graph, flipped))
        made = cls.bind(*args[:count], *given, graph=forth, flipped=back, count=count)
        return made, [0] * len(graph.outs)


def _batched_bwd(bwd: Callable[..., Any], size: int, kept: Dims, dims: Dims) -> Callable[..., list[Maybe]]:
    """`bwd` for a batch: residuals have their batch axes at `kept`, cotangents in front, and those of the arguments shall have them at `dims` (None: summed)."""

    def batched(residuals: Sequence[Node], cts: Sequence[Maybe]) -> list[Maybe]:
        from weft.dialects.array.ops import ReduceOp

        count = len(residuals)
        given = [ct for ct in cts if ct is not None]
        found = _batch_maybe(
            lambda nodes: bwd(nodes[:count], _filled(nodes[count:], cts)),
            size,
            [*residuals, *given],
            [*kept, *(0 for _ in given)],
        )
        placed: list[Maybe] = []
        for (n, d), want in zip(found, dims, strict=True):
            if n is not None:
                n = _place(size, n, d, want or 0)
                n = ReduceOp.bind(n, kind="add", axes=(0,)) if want is None else n
            placed.append(n)
        return placed

    return batched


def _filled(given: Sequence[Node], pattern: Sequence[Maybe]) -> list[Maybe]:
    """Nodes in the places where a pattern has some."""
    rest = iter(given)
    return [None if p is None else next(rest) for p in pattern]


def _batch_maybe(
    fun: Callable[[Sequence[Node]], Sequence[Maybe]], size: int, args: Sequence[Node], dims: Dims
) -> list[tuple[Maybe, int | None]]:
    """`batch_call` of a function that may give None among its results."""
    there: list[bool] = []

    def flat(*nodes: Node) -> list[Node]:
        found = fun(nodes)
        there[:] = [n is not None for n in found]
        return [n for n in found if n is not None]

    found = iter(batch_call(flat, size, args, dims))
    return [next(found) if on else (None, None) for on in there]


def _batched(graph: Graph, size: int, dims: Dims) -> Graph:
    """The graph for a batch. Every output gets a batch axis, in front: its cotangent may differ from example to example even where it does not."""
    batched, places = batch_graph(graph, size, dims)
    return Graph(batched.ins, [_place(size, n, d, 0) for n, d in zip(batched.outs, places, strict=True)])


def _place(size: int, x: Node, dim: int | None, want: int) -> Node:
    return move_axis(broadcast_batch(x, size), 0, want) if dim is None else move_axis(x, dim, want)

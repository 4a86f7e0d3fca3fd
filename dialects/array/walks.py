"""Transforms as walks over nodes that a function left behind: forward derivative, transposition, batching.

Each walk visits only what lies between the given inputs and outputs (`dependents`) and asks the rules of each operation, which bind new nodes. Partial evaluation needs
no walk: the values that a linear part refers to are just there. So reverse mode is `jvp_walk` with placeholders for tangents, then `transpose_walk` from the tangents
that came out back to the placeholders.

A walk sets `STATE.loc`, so that derived nodes belong to the user's line that the original belongs to. The `*_call` functions at the end apply a transform to a function
on nodes; `linearize`, `flip` and `batch_graph` apply one to a Graph, for operations that have graphs as parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.effects import Chain, following, handed_on, rewritten, takes_token
from weft.dialects.array.graph import Graph, inline, programs, reachable
from weft.dialects.array.node import (
    STATE,
    Aval,
    Node,
    ResultOp,
    aval,
    keep_location,
    leaf,
    rebind,
    results,
    settle,
    staging,
    transform,
    wrap,
)
from weft.dialects.array.op import Replace, add, zeros

Function = Callable[..., Sequence[Node]]
"""Nodes to nodes: what a user's function is once pytrees and arrays are taken off."""

Maybe = Node | None


def dependents(outs: Sequence[Node], ins: Sequence[Node]) -> list[Node]:
    """The nodes on the way from `ins` to `outs`, without `ins`, operands first."""
    if not ins:
        return []
    depends = set(ins)
    found: list[Node] = []
    for n in reachable(outs, depends, since=min(n.serial for n in ins)):
        for i in n.inputs:
            if i in depends:
                depends.add(n)
                found.append(n)
                break
    return found


def residuals(outs: Sequence[Node], ins: Sequence[Node]) -> list[Node]:
    """What the nodes on the way from `ins` to `outs` take from elsewhere, constants apart: the values that a linear part needs from the primal computation."""
    way = dependents(outs, ins)
    inside = {*ins, *way}
    taken = dict.fromkeys(i for n in way for i in n.inputs if i not in inside)
    return [n for n in taken if n.op is not ConstantOp]


# -- the walks ----------------------------------------------------------------------------------------------------------------------------


def jvp_walk(
    outs: Sequence[Node], ins: Sequence[Node], tangents: Sequence[Maybe], apart: bool = False
) -> tuple[list[Node], list[Maybe]]:
    """Outputs and their tangents, given tangents of the inputs (None for zero).

    The outputs come back because a rule may compute its primal results anew (`Replace`); what depends on them is then rebuilt, so that nothing is computed twice. `apart`: the tangents are
    yet to come, so results may not wait for them.
    """
    tangent: dict[Node, Any] = {n: t for n, t in zip(ins, tangents, strict=True) if t is not None}
    replaced: dict[Node, Node] = {}
    with keep_location():
        for n in dependents(outs, list(tangent)):
            incoming = [tangent.get(i) for i in n.inputs]
            if n.op is ResultOp:
                if incoming[0] is not None and (t := incoming[0][n.params["index"]]) is not None and _varies(n.aval):
                    tangent[n] = t
                if (parent := replaced.get(n.inputs[0])) is not None:
                    replaced[n] = parent[n.params["index"]] if isinstance(parent, Sequence) else _again(n, (parent,))
                continue
            here = n
            if replaced and any(i in replaced for i in n.inputs):
                here = replaced[n] = _again(n, [replaced.get(i, i) for i in n.inputs])
            if all(t is None for t in incoming) or not differentiable(n):
                continue
            STATE.loc = n.loc
            several = n.aval.__class__ is not Aval
            out = n.op.jvp(here.inputs, incoming, results(here) if several else here, **n.params)
            if isinstance(out, Replace):
                if not (apart and _waits(n)):
                    replaced[n] = out.primals if several else out.primals[0]  # type: ignore[assignment]
                out = out.tangents if several else out.tangents[0]
            if out is not None:
                tangent[n] = out
    return [replaced.get(o, o) for o in outs], [tangent.get(o) for o in outs]


def _waits(n: Node) -> bool:
    """Whether the results that an operation's derivative computes wait for its tangents, as those of a `while` do. (If it calls the host it is run once, whatever that costs.)"""
    return getattr(n.op, "JOINT", False) and not any(map(takes_token, programs(n)))


def _again(n: Node, inputs: Sequence[Node]) -> Node:
    """The same operation on inputs that are equal to its own: what is computed stays so."""
    here = rebind(n, inputs)
    here.value = n.value
    return here


def _varies(a: Aval) -> bool:
    """Whether there are tangents of arrays of this type: only numbers of a field have them."""
    return a.dtype.kind in "fc"


def differentiable(n: Node) -> bool:
    """Whether tangents go through: not if the derivative is zero everywhere, nor to results that do not vary."""
    return not n.op.NOT_DIFFERENTIABLE and any(map(_varies, n.avals))


def transpose_walk(outs: Sequence[Node], cts: Sequence[Maybe], ins: Sequence[Node]) -> list[Maybe]:
    """Cotangents of `ins`, which `outs` depend on linearly, given those of `outs` (None for zero)."""
    way = dependents(outs, ins)
    linear = {*ins, *way}
    total: dict[Node, Any] = {}

    def give(n: Node, ct: Maybe) -> None:
        if ct is None or n not in linear:
            return
        if n.op is ResultOp and n not in inputs:
            parent, index = n.inputs[0], n.params["index"]
            collected = total.setdefault(parent, [None] * len(parent.aval))
            collected[index] = add(collected[index], ct)
        else:
            total[n] = add(total.get(n), ct)

    inputs = set(ins)
    with keep_location():
        for o, ct in zip(outs, cts, strict=True):
            give(o, ct)
        for n in reversed(way):
            if (ct := total.pop(n, None)) is None:
                continue
            STATE.loc = n.loc
            needed = [i in linear for i in n.inputs]
            for i, share in zip(n.inputs, n.op.transpose(ct, n.inputs, needed, **n.params), strict=True):
                give(i, share)
    return [total.get(i) for i in ins]


def batch_walk(
    outs: Sequence[Node], ins: Sequence[Node], args: Sequence[Node], dims: Sequence[int | None], size: int
) -> list[tuple[Node, int | None]]:
    """Outputs with their batch axes, given `args` that stand for `ins` with an axis of `size` at `dims` (None: not batched).

    The walk ends at every one of `ins`: one that is not batched may have been computed from another one, outside of the graph whose input it is.
    """
    env: dict[Node, Any] = dict(zip(ins, zip(args, dims, strict=True), strict=True))
    with keep_location():
        for n in dependents(outs, ins):
            if n.op is ResultOp:
                if (found := env.get(n.inputs[0])) is not None:
                    made, places = found
                    env[n] = made[n.params["index"]], places[n.params["index"]]
                continue
            pairs = [env.get(i) or (i, None) for i in n.inputs]
            STATE.loc = n.loc
            if any(d is not None for _, d in pairs):
                env[n] = n.op.batch(size, [a for a, _ in pairs], [d for _, d in pairs], **n.params)
            elif any(a is not i for (a, _), i in zip(pairs, n.inputs, strict=True)):
                same = rebind(n, [a for a, _ in pairs])
                env[n] = (same, None) if n.aval.__class__ is Aval else (results(same), [None] * len(n.aval))
    return [env.get(o) or (o, None) for o in outs]


# -- applied to functions on nodes --------------------------------------------------------------------------------------------------------


def _tangents_for(nodes: Sequence[Node], mark: int) -> list[Maybe]:
    return [leaf(n.aval, mark=mark) if _varies(n.aval) else None for n in nodes]


def _pushed(
    outs: Sequence[Node], effects: Chain, ins: Sequence[Node], tangents: Sequence[Maybe], waits: bool
) -> tuple[list[Node], list[Maybe], list[Node]]:
    """What `jvp_walk` gives for the results of a function, and the token that its calls lead to, if there are any. `waits`: whether the tangents are yet to come."""
    seen = effects.made
    found, moved = jvp_walk([*outs, *seen], ins, tangents, apart=waits)
    count = len(outs)
    now = found[count:]
    if effects.last is effects.start:
        tokens = []
    elif waits and dependents([*now, effects.last], [t for t in tangents if t is not None]):
        tokens = seen  # calls with tangents, or in a loop that carries them, are yet to come: what is called now is the function
    else:
        tokens = rewritten(effects, seen, now)
    return found[:count], moved[:count], tokens


def jvp_call(fun: Function, primals: Sequence[Node], tangents: Sequence[Maybe]) -> tuple[list[Node], list[Maybe]]:
    """The results of `fun(*primals)` and their tangents."""
    with transform() as mark, following() as effects:
        ins = [wrap(p, mark) for p in primals]
        outs, tangents_out, tokens = _pushed(fun(*ins), effects, ins, tangents, waits=False)
    settle([n for n in (*outs, *tangents_out) if n is not None])
    handed_on(tokens, 0)
    return outs, tangents_out


def linearize_call(fun: Function, primals: Sequence[Node]) -> tuple[list[Node], list[Maybe], list[Maybe]]:
    """The results of `fun(*primals)`, placeholders for tangents of `primals`, and the tangents of the results, which depend on them linearly."""
    with transform() as mark, following() as effects:
        ins = [wrap(p, mark) for p in primals]
        tangents = _tangents_for(ins, mark)
        outs, tangents_out, tokens = _pushed(fun(*ins), effects, ins, tangents, waits=True)
    settle(outs)
    handed_on(tokens, 0)
    return outs, tangents, tangents_out


def vjp_call(fun: Function, primals: Sequence[Node]) -> tuple[list[Node], Callable[[Sequence[Maybe]], list[Maybe]]]:
    """The results of `fun(*primals)`, and the function from their cotangents to those of `primals` (None for zero)."""
    outs, tangents, tangents_out = linearize_call(fun, primals)

    def pull_back(cts: Sequence[Maybe]) -> list[Maybe]:
        pairs = [(t, ct) for t, ct in zip(tangents_out, cts, strict=True) if t is not None and ct is not None]
        given = iter(
            transpose_walk([t for t, _ in pairs], [ct for _, ct in pairs], [t for t in tangents if t is not None])
        )
        found = [None if t is None else next(given) for t in tangents]
        settle([n for n in found if n is not None])
        return found

    return outs, pull_back


def batch_call(
    fun: Function, size: int, args: Sequence[Node], dims: Sequence[int | None]
) -> list[tuple[Node, int | None]]:
    """The results of `fun` for each of `size` examples, which lie along `dims` of `args`: nodes and their batch axes."""
    with transform() as mark, following() as effects:
        ins = [a if d is None else leaf(without_axis(a.aval, d), mark=mark) for a, d in zip(args, dims, strict=True)]
        outs = fun(*ins)
        tokens = effects.made
        found = batch_walk([*outs, *tokens], ins, args, dims, size)
    settle([n for n, _ in found])
    handed_on(rewritten(effects, tokens, [n for n, _ in found[len(outs) :]]), 0)
    return found[: len(outs)]


def without_axis(a: Aval, axis: int) -> Aval:
    """The aval of one example."""
    return aval(a.shape[:axis] + a.shape[axis + 1 :], a.dtype, a.weak_type)


def with_axis(a: Aval, axis: int, size: int) -> Aval:
    """The aval of a batch."""
    return aval((*a.shape[:axis], size, *a.shape[axis:]), a.dtype, a.weak_type)


# -- applied to graphs --------------------------------------------------------------------------------------------------------------------


class Linearized(NamedTuple):
    """A graph in two: `primal` from inputs to outputs *and residuals*, `tangent` from residuals and tangents to tangents. `active`: which outputs have tangents."""

    primal: Graph
    tangent: Graph
    residuals: int
    active: list[bool]


def linearize(graph: Graph, active: Sequence[bool]) -> Linearized:
    """Splits the derivative of a graph by its inputs that are `active` into what can be computed beforehand and what is linear in the tangents."""
    with transform() as mark:
        ins = [leaf(a, mark=mark) for a in graph.in_avals]
        tangents = [leaf(n.aval, mark=mark) if on else None for n, on in zip(ins, active, strict=True)]
        outs, found = jvp_walk(inline(graph, ins), ins, tangents, apart=True)
    linear_ins = [t for t in tangents if t is not None]
    linear_outs = [t for t in found if t is not None]
    kept = residuals(linear_outs, linear_ins)
    return Linearized(
        Graph(ins, [*outs, *kept]),
        Graph([*kept, *linear_ins], linear_outs),
        len(kept),
        [t is not None for t in found],
    )


def flip(tangent: Graph, count: int) -> Graph:
    """The transpose of a linear graph: from its first `count` inputs (residuals) and cotangents of its outputs to cotangents of its other inputs."""
    kept, linear_ins = tangent.ins[:count], tangent.ins[count:]
    with transform() as mark:
        cts = [leaf(a, mark=mark) for a in tangent.out_avals]
        found = transpose_walk(tangent.outs, cts, linear_ins)
    return Graph([*kept, *cts], [zeros(i) if ct is None else ct for ct, i in zip(found, linear_ins, strict=True)])


def batch_graph(graph: Graph, size: int, dims: Sequence[int | None]) -> tuple[Graph, list[int | None]]:
    """The graph for `size` examples along `dims` of its inputs, and the batch axes of its outputs."""
    with staging(), transform() as mark:  # what rules write is part of the graph
        args = [
            n if d is None else leaf(with_axis(n.aval, d, size), mark=mark)
            for n, d in zip(graph.ins, dims, strict=True)
        ]
        outs = batch_walk(graph.outs, graph.ins, args, dims, size)
    return Graph(args, [n for n, _ in outs]), [d for _, d in outs]

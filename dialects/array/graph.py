"""A closed piece of a program: some nodes taken as inputs, some as outputs.

Any nodes can be the inputs (those that made them are simply out of sight), so a graph is taken *out of* the nodes that a function left behind, without copying. Two
graphs are equal if they compute the same in the same way: that is what compiled programs are found by, and what lets a graph be a parameter of an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

from weft.dialects.array.constant import ConstantOp, exact
from weft.dialects.array.node import STATE, Aval, IdentityOp, LeafOp, Node, ResultOp, keep_location, make, rebind

by_serial = attrgetter("serial")


class Graph:
    """Nodes `outs` as a function of nodes `ins`. Apart from `ins` it has no leaves without a value (`close` sees to that)."""

    def __init__(self, ins: Sequence[Node], outs: Sequence[Node]):
        self.ins, self.outs = tuple(ins), tuple(outs)

    @cached_property
    def nodes(self) -> list[Node]:
        """What is computed between inputs and outputs, operands first."""
        return reachable(self.outs, self.ins)

    @property
    def in_avals(self) -> tuple[Aval, ...]:
        return tuple([n.aval for n in self.ins])

    @property
    def out_avals(self) -> tuple[Aval, ...]:
        return tuple([n.aval for n in self.outs])

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The structure as a hashable value: operations, who feeds whom, parameters, avals of the inputs. Not the values of leaves."""
        number = {n: i for i, n in enumerate(self.ins)}
        count = len(number)
        key: list[Any] = [self.in_avals]
        add = key.append
        for n in self.nodes:
            op = n.op
            if op is IdentityOp:
                number[n] = number[n.inputs[0]]
                continue
            add(op)
            if n.inputs:
                add(tuple([number[i] for i in n.inputs]))
            if n.params:
                add(tuple([(k, plain(v)) for k, v in n.params.items()]))
            if op is ConstantOp:
                add(exact(n.params["value"]))
            elif op is LeafOp:
                add(n.aval)
            number[n] = count
            count += 1
        add(tuple([number[o] for o in self.outs]))
        return tuple(key)

    @cached_property
    def _hash(self) -> int:
        return hash(self.key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Graph) and self._hash == other._hash and self.key == other.key)

    def __repr__(self) -> str:
        ins = " ".join(f"%{n.serial}:{n.aval}" for n in self.ins)
        body = "".join(f"  {n}\n" for n in self.nodes)
        return f"graph {ins} {{\n{body}}} -> {' '.join(f'%{n.serial}' for n in self.outs)}"


def reachable(outs: Iterable[Node], stop: Collection[Node] = (), since: int = 0) -> list[Node]:
    """The nodes that `outs` are computed from, operands first. The search goes not beyond `stop`, nor below the serial `since`."""
    seen = set(stop)
    found: list[Node] = []
    stack = list(outs)
    while stack:
        n = stack.pop()
        if n in seen or n.serial < since:
            continue
        seen.add(n)
        found.append(n)
        stack.extend(n.inputs)
    found.sort(key=by_serial)
    return found


def close(ins: Sequence[Node], outs: Sequence[Node], since: int = 0) -> tuple[Graph, list[Node]]:
    """The graph from `ins` to `outs`, with what it captures as further inputs, and these captures.

    Captured are leaves, what is computed already, and whatever is older than `since`, except constants and the like: what has no inputs can be made again. Captures come in the order of their
    first use, which does not change when a loop replaces some of them by newer values. What is inside a function's graph is marked so: somebody who still holds it may have it computed, and it must
    stay what it is.
    """
    seen = set(ins)
    inside: list[Node] = []
    captured: set[Node] = set()
    stack = list(outs)
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if (
            n.op is LeafOp
            or n.value is not None
            or (n.inputs and n.serial < since)
            or (n.op is ResultOp and was_run(n))
        ):
            captured.add(n)
        else:
            n.inside = n.inside or since > 0
            inside.append(n)
            stack.extend(n.inputs)
    inside.sort(key=by_serial)
    captures: list[Node] = []
    if captured:
        used = dict.fromkeys(i for n in inside for i in n.inputs if i in captured)
        captures = list(used | dict.fromkeys(o for o in outs if o in captured))
    graph = Graph((*ins, *captures), outs)
    graph.__dict__["nodes"] = inside  # just found: fills the cached property
    return graph, captures


def was_run(n: Node) -> bool:
    """Whether a result has a value since its operation was run: it gets it now."""
    if (values := n.inputs[0].value) is not None:
        n.value = values[n.params["index"]]
    return values is not None


def inline(graph: Graph, args: Sequence[Node]) -> list[Node]:
    """The graph's outputs for other inputs, which have the same shapes and dtypes. What does not depend on inputs is shared, not copied."""
    env = dict(zip(graph.ins, args, strict=True))
    for n in graph.nodes:
        inputs = [env.get(i, i) for i in n.inputs]
        if any(a is not b for a, b in zip(inputs, n.inputs, strict=True)):
            env[n] = inputs[0] if n.op is IdentityOp else rebind(n, inputs)
    return [env.get(o, o) for o in graph.outs]


def plain(value: Any) -> Any:
    """A parameter with graphs replaced by their keys, which print the same in every process."""
    if value.__class__ is Graph:
        return value.key
    if value.__class__ is tuple and any(v.__class__ is Graph for v in value):
        return tuple([v.key for v in value])
    return value


def is_call(n: Node) -> bool:
    """Whether a node is a call of a function of the user's (`custom_jvp`, `checkpoint` …): no op of the IR, it disappears where its graph is written in its place."""
    return hasattr(n.op, "decompose") and not hasattr(n.op, "to_kernel")


def expand(graph: Graph, wanted: Callable[[Node], bool] = is_call) -> Graph:
    """The graph with the nodes that are `wanted` written by their `decompose` rules, in the programs of control operations too, until none is left: itself if there are none."""
    while _has(graph, wanted):
        env: dict[Node, Any] = {}
        with keep_location():
            for n in graph.nodes:
                inputs = [env.get(i, i) for i in n.inputs]
                if wanted(n):
                    STATE.loc = n.loc
                    env[n] = n.op.decompose(*inputs, **n.params)
                elif n.op is ResultOp and isinstance(inputs[0], tuple):
                    env[n] = inputs[0][n.params["index"]]
                elif any(_has(g, wanted) for g in programs(n)):
                    STATE.loc = n.loc
                    env[n] = make(n.op, tuple(inputs), {k: _expanded(v, wanted) for k, v in n.params.items()}, n.aval)
                elif any(a is not b for a, b in zip(inputs, n.inputs, strict=True)):
                    env[n] = rebind(n, inputs)
        graph = Graph(graph.ins, [env.get(o, o) for o in graph.outs])
    return graph


def _has(graph: Graph, wanted: Callable[[Node], bool]) -> bool:
    return any(wanted(n) or any(_has(g, wanted) for g in programs(n)) for n in graph.nodes)


def _expanded(value: Any, wanted: Callable[[Node], bool]) -> Any:
    if value.__class__ is Graph:
        return expand(value, wanted)
    return tuple([_expanded(v, wanted) for v in value]) if value.__class__ is tuple else value


def programs(n: Node) -> list[Graph]:
    """The graphs that a control operation runs."""
    found: list[Graph] = []
    for name in getattr(n.op, "GRAPHS", ()):
        value = n.params[name]
        found += value if value.__class__ is tuple else (value,)
    return found

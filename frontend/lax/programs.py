"""Functions that become programs of one operation (dialects/array/ops/scan.py, control.py), under `jit` and without.

They are traced once, on arguments without values; what they capture becomes an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from weft.array import wrap
from weft.dialects.array.effects import TOKEN, Chain, current
from weft.dialects.array.graph import Graph, close
from weft.dialects.array.node import STATE, Aval, Node, keep_location, leaf, staging, transform
from weft.errors import describe_function
from weft.function import OnNodes
from weft.tree_util import PyTreeDef


class Traced(NamedTuple):
    """A function as a graph whose first inputs are the `captures`."""

    graph: Graph
    captures: list[Node]
    out_tree: PyTreeDef
    tokens: Sequence[Node]  # the token that its calls for effect begin with, and the one that they end with; or none

    def returning(self, outs: Sequence[Node]) -> Traced:
        """The function with other results, which are computed from its inputs."""
        return self._replace(graph=Graph(self.graph.ins, outs))

    def capturing_token(self, handed_on: bool = False) -> Traced:
        """The function with the token that its calls begin with among its captures, and (`handed_on`) the one that they end with as its last result."""
        if not self.tokens:
            return self
        start, last = self.tokens
        count = len(self.captures)
        ins = [*self.graph.ins[:count], start, *self.graph.ins[count:]]
        outs = [*self.graph.outs, last] if handed_on else self.graph.outs
        return self._replace(graph=Graph(ins, outs), captures=[*self.captures, current()])


def trace(
    fun: Callable[..., Any], args: PyTreeDef, avals: Sequence[Aval], transformation: str, effects: bool = False
) -> Traced:
    """Runs a function on placeholders. `args`: the structure of the tuple of its arguments; `effects`: whether it may call the host for its effect."""
    run = OnNodes(fun, args)
    with staging(), transform() as mark, keep_location():
        STATE.loc = None
        *ins, start = [leaf(a, mark=mark) for a in (*avals, TOKEN)]
        for n in ins:
            n.params = {"argument": lambda: f"an argument of {describe_function(fun)}, traced by {transformation}"}
        made: list[Node] = []
        if effects:
            with Chain(start) as calls:
                outs = run(*ins)
            made = calls.made
        else:
            outs = run(*ins)
    _, captures = close([*ins, start], [*outs, *made], since=mark)
    return Traced(Graph((*captures, *ins), outs), captures, run.out_tree, [start, *made] if made else [])


def apart(traced: Sequence[Traced]) -> tuple[list[Graph], list[Node]]:
    """Graphs that take the captures of all functions, and these."""
    captures = list(dict.fromkeys(c for t in traced for c in t.captures))
    graphs = []
    for t in traced:
        own = dict(zip(t.captures, t.graph.ins, strict=False))
        graphs.append(Graph([*(own.get(c) or leaf(c.aval) for c in captures), *t.graph.ins[len(own) :]], t.graph.outs))
    return graphs, captures


def arrays_of(tree: PyTreeDef, nodes: Sequence[Node]) -> Any:
    """A tree of arrays."""
    return tree.unflatten([wrap(n) for n in nodes])


def same_type(a: Aval, b: Aval) -> bool:
    """Whether shapes and dtypes are the same; weakness may differ."""
    return a.shape == b.shape and a.dtype is b.dtype


def carrying(graph: Graph, tokens: Sequence[Node], ins: int, outs: int) -> Graph:
    """A graph that takes a token in place `ins` and gives one in place `outs`."""
    start, last = tokens
    return Graph(
        [*graph.ins[:ins], start, *graph.ins[ins:]],
        [*graph.outs[:outs], last, *graph.outs[outs:]],
    )

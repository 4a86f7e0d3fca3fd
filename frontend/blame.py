"""Finds the operation that made the first NaN or infinity of a program (`debug_nans`, `debug_infs`): the program is computed again, one operation after the other, and loops round by round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft import eager
from weft.array import wrap
from weft.cut import course, with_slices_taken
from weft.dialects.array.graph import Graph, programs
from weft.dialects.array.node import Aval, IdentityOp, Node, ResultOp, rebind, results
from weft.programs import flat


def blame(graph: Graph, inputs: Sequence[Node]) -> None:
    """Computes a graph for inputs that have values. Raises FloatingPointError, with the name and the line of the first operation that makes what it should not."""
    _replay(with_slices_taken(flat(graph), lambda n: True), inputs)


def _replay(graph: Graph, inputs: Sequence[Node]) -> list[Node]:
    env: dict[Node, Any] = dict(zip(graph.ins, inputs, strict=True))
    for n in graph.nodes:
        given = [env.get(i, i) for i in n.inputs]
        if programs(n):
            env[n] = course(n, given, _replay, lambda n, _: int(wrap(n)))
        elif n.op is ResultOp:
            env[n] = given[0][n.params["index"]]
        elif n.aval.__class__ is Aval:
            env[n] = rebind(n, given) if given else n
            _check(env[n], n)
        else:
            env[n] = results(rebind(n, given))
            for made in env[n]:
                _check(made, n)
    return [env.get(o, o) for o in graph.outs]


def _check(made: Node, n: Node) -> None:
    if n.op is not IdentityOp:
        eager.value(made)
        eager.check_values(made, n)

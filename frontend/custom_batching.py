"""Functions with a rule of the user's own for `vmap` (`custom_vmap`), and functions that are batched one example after the other (`sequential_vmap`).

A call is a node that holds the function as a graph; the rule runs when a batching walk arrives. It gives what it computes and which of it is batched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

from weft.array import Array, lift, wrap
from weft.dialects.array.effects import handed_on
from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Node, make, results
from weft.dialects.array.op import batch_front
from weft.dialects.array.walks import Maybe, jvp_call
from weft.function import OnNodes, check_callable, describe_function, lift_result, positional, same_structure
from weft.tree_util import tree_flatten

Dims = Sequence[int | None]


class CustomVmapCall:
    """A call of `graph`, with `rule(size, args, batched) -> (outs, batched)` on nodes whose batch axis is in front."""

    name = "custom_vmap_call"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *args: Node, graph: Graph, rule: Any) -> tuple[Node, ...]:
        return results(make(cls, args, {"graph": graph, "rule": rule}, graph.out_avals))

    @classmethod
    def decompose(cls, *args: Node, graph: Graph, rule: Any) -> tuple[Node, ...]:
        return tuple(inline(graph, args))

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Any, *, graph: Graph, rule: Any) -> Any:
        _, found = jvp_call(lambda *args: inline(graph, args), primals, tangents)
        return found

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, graph: Graph, rule: Any) -> Any:
        placed = [a if d is None else batch_front(size, a, d) for a, d in zip(args, dims, strict=True)]
        outs, batched = rule(size, placed, [d is not None for d in dims])
        return outs, [0 if b else None for b in batched]


class custom_vmap:
    """A function with a rule for `vmap`: `@f.def_vmap def rule(axis_size, in_batched, *args): return out, out_batched`.

    Batched arguments have the batch axis in front; `in_batched` is a list like the arguments, `out_batched` a tree like the result, of bools.
    """

    rule: Callable[..., Any] | None = None

    def __init__(self, fun: Callable[..., Any]):
        check_callable(fun, "custom_vmap")
        self.fun = fun
        update_wrapper(self, fun, updated=())

    def def_vmap(self, vmap_rule: Callable[..., Any]) -> Callable[..., Any]:
        """Sets the rule. A decorator."""
        check_callable(vmap_rule, "def_vmap")
        self.rule = vmap_rule
        return vmap_rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.rule is None:
            raise AttributeError(f"No batching rule defined for custom_vmap function {describe_function(self.fun)}")
        from weft.custom import calling, traced

        given = positional(self.fun, args, kwargs)
        leaves, tree = tree_flatten(given)
        nodes = [lift(x) for x in leaves]
        run = OnNodes(self.fun, tree)
        graph, captures = traced(run, nodes)

        def rule(size: int, args: Sequence[Node], batched: Sequence[bool]) -> tuple[list[Node], list[bool]]:
            count = len(nodes)
            if any(batched[count : len(args) - len(graph.outs) + run.out_tree.num_leaves]):
                raise ValueError(
                    f"{describe_function(self.fun)}: custom_vmap cannot close over a batched value; make it an argument"
                )
            with calling(graph, run.out_tree, args) as token:
                out, out_batched = self.rule(  # type: ignore[misc]
                    size, list(tree.unflatten(list(batched[:count]))), *tree.unflatten([Array(n) for n in args[:count]])
                )
            outs = same_structure(run.out_tree, out, "custom_vmap: result of the rule")
            flags = same_structure(run.out_tree, out_batched, "custom_vmap: out_batched")
            tokens = token()
            return [*(lift_result(x, self.rule) for x in outs), *tokens], [*flags, *(False for _ in tokens)]

        outs = CustomVmapCall.bind(*nodes, *captures, graph=graph, rule=rule)
        return run.out_tree.unflatten([wrap(n) for n in handed_on(outs, run.out_tree.num_leaves)])


def sequential_vmap(f: Callable[..., Any]) -> custom_vmap:
    """`f`, which under `vmap` is called for one example after the other."""
    import weft.numpy as wnp
    from weft.tree_util import tree_map

    wrapped = custom_vmap(f)

    @wrapped.def_vmap
    def rule(axis_size: int, in_batched: list[Any], *args: Any) -> tuple[Any, Any]:
        found = [f(*tree_map(lambda b, x, i=i: x[i] if b else x, tuple(in_batched), args)) for i in range(axis_size)]
        out = tree_map(lambda *xs: wnp.stack(xs), *found)
        return out, tree_map(lambda _: True, out)

    return wrapped

"""Derivatives by hand, where JAX keeps them (`jax.custom_derivatives`): those of weft.custom, and functions with a transpose of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft.array import lift, wrap
from weft.custom import closure_convert, custom_gradient, custom_jvp, custom_vjp, traced
from weft.dialects.array.custom import LinearCall
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import STATE, Node, leaf, mark_of
from weft.function import OnNodes, check_callable
from weft.symbolic_zeros import CustomVJPPrimal, SymbolicZero, custom_vjp_primal_tree_values, zero_from_primal
from weft.tree_util import tree_flatten, treedef_tuple

__all__ = [
    "CustomVJPPrimal",
    "SymbolicZero",
    "closure_convert",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "custom_vjp_primal_tree_values",
    "linear_call",
    "zero_from_primal",
]


def linear_call(
    fun: Callable[..., Any], fun_transpose: Callable[..., Any], residual_args: Any, linear_args: Any
) -> Any:
    """`fun(residual_args, linear_args)`, which is linear in its second argument and whose transpose is `fun_transpose(residual_args, cotangent of the result)`.

    Its derivative by `linear_args` is itself; by `residual_args` it is differentiated as it stands. Raises TypeError if the transpose's result has another structure than `linear_args`, or other shapes.
    """
    check_callable(fun, "linear_call")
    check_callable(fun_transpose, "linear_call")
    kept, kept_tree = tree_flatten(residual_args)
    given, given_tree = tree_flatten(linear_args)
    residuals, inputs = [lift(x) for x in kept], [lift(x) for x in given]
    if STATE.pending is not None and not mark_of((*residuals, *inputs)):
        return fun(residual_args, linear_args)
    forth = OnNodes(fun, treedef_tuple((kept_tree, given_tree)))
    graph, captures = traced(forth, [*residuals, *inputs])
    back = OnNodes(fun_transpose, treedef_tuple((kept_tree, forth.out_tree)))
    flipped, others = traced(back, [*residuals, *(leaf(o.aval) for o in graph.outs)])
    if back.out_tree != given_tree:
        raise TypeError(
            "transpose output pytree structure must match that of linear inputs, "
            f"got output structure {back.out_tree} and input structure {given_tree}."
        )
    for ct, n in zip(flipped.outs, inputs, strict=True):
        if ct.shape != n.shape or ct.dtype is not n.dtype:
            raise TypeError(f"linear_call: the transpose gives {ct.aval} for a linear input of type {n.aval}")
    constants = [*captures, *others]
    made = LinearCall.bind(
        *residuals,
        *constants,
        *inputs,
        graph=_with_constants(graph, len(residuals), len(captures), before=[], after=others),
        flipped=_with_constants(flipped, len(residuals), len(others), before=captures, after=[]),
        count=len(residuals) + len(constants),
    )
    return forth.out_tree.unflatten([wrap(n) for n in made])


def _with_constants(
    graph: Graph, residuals: int, captures: int, before: Sequence[Node], after: Sequence[Node]
) -> Graph:
    """A traced graph (residuals, arguments, captures) with its captures behind the residuals, among those of the other direction, which it does not use."""
    kept, rest = graph.ins[:residuals], graph.ins[residuals:]
    own = rest[len(rest) - captures :]
    unused = [[leaf(n.aval) for n in part] for part in (before, after)]
    return Graph([*kept, *unused[0], *own, *unused[1], *rest[: len(rest) - captures]], graph.outs)

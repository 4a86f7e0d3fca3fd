"""Branches that stay branches when they are compiled: `cond`, `switch`. Python's own `if` works as well, where what it asks for is known when the function is traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft import eager
from weft.array import lift, wrap
from weft.config import config
from weft.dialects.array import ops
from weft.dialects.array.effects import TOKEN, current, handed_on
from weft.dialects.array.node import Node, leaf, staging
from weft.dialects.array.op import literal
from weft.dialects.dtypes import bool_, int32
from weft.lax.base import convert
from weft.lax.elementwise import clamp, convert_element_type, ne
from weft.lax.programs import apart, arrays_of, carrying, same_type, trace
from weft.tree_util import PyTreeDef, keystr, tree_flatten, tree_leaves_with_path

__all__ = ["cond", "switch"]

_NOTHING = object()


def cond(pred: Any, true_fun: Any, false_fun: Any, *operands: Any, operand: Any = _NOTHING, linear: Any = None) -> Any:
    """`true_fun(*operands)` where `pred` is true, else `false_fun(*operands)`. Only one of them runs, except under `vmap` over the predicate.

    `pred` is a scalar; a number is true if it is not 0. Both functions must give the same structure, shapes and dtypes. JAX's older form works too: `cond(pred, x, true_fun, y, false_fun)`.
    """
    if not (callable(true_fun) and callable(false_fun)):
        if callable(false_fun) and len(operands) == 2 and callable(operands[1]):  # an operand in front of each function
            on_true, on_false = false_fun, operands[1]
            return cond(pred, lambda x, _: on_true(x), lambda _, x: on_false(x), true_fun, operands[0])
        raise TypeError("lax.cond: true_fun and false_fun arguments should be callable.")
    operands = _operands(operand, operands)
    if pred is None:
        raise TypeError("cond predicate is None")
    if isinstance(pred, (tuple, list)):
        raise TypeError(f"Pred must be a scalar, got {pred} of type {type(pred)}")
    try:
        node = lift(pred)
    except TypeError as error:
        raise TypeError(f"Pred type must be either boolean or number, got {pred}.") from error
    if node.shape:
        raise TypeError(f"Pred must be a scalar, got {pred} of shape {node.shape}.")
    if node.dtype.kind == "c":
        raise TypeError(f"Pred type must be either boolean or number, got {node.dtype}.")
    if node.dtype is not bool_:
        node = ne(wrap(node), wrap(literal(0, node.dtype)))._node
    if config.disable_jit and not eager.is_traced(node):
        return (true_fun if bool(wrap(node)) else false_fun)(*operands)
    index = ops.ConvertOp.bind(node, dtype=int32)
    return _branch("cond", index, [false_fun, true_fun], ["false_fun", "true_fun"], operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, operand: Any = _NOTHING) -> Any:
    """`branches[index](*operands)`; an index that is out of bounds is clamped. All branches must give the same structure, shapes and dtypes."""
    if not all(callable(b) for b in branches):
        raise TypeError("lax.switch: branches argument should be a sequence of callables.")
    operands = _operands(operand, operands)
    node = lift(index)
    if node.shape:
        raise TypeError(f"Branch index must be scalar, got {index} of shape {node.shape}.")
    if not node.dtype.is_integer:
        raise TypeError(f"Index type must be an integer, got {index} as {node.dtype}")
    branches = tuple(branches)
    if not branches:
        raise ValueError("Empty branch sequence")
    if len(branches) == 1:
        return branches[0](*operands)
    # clamped before it is narrowed: an index of 64 bits must not come in again from the other side
    limits = [wrap(literal(k, node.dtype)) for k in (0, len(branches) - 1)]
    clamped = convert_element_type(clamp(limits[0], wrap(node), limits[1]), int32)
    if config.disable_jit and not eager.is_traced(clamped._node):
        return branches[int(clamped)](*operands)
    names = [f"branch {k}" for k in range(len(branches))]
    return _branch("switch", clamped._node, branches, names, operands)


def _operands(operand: Any, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    if operand is _NOTHING:
        return operands
    if operands:
        raise TypeError(
            f"if 'operand' keyword is passed then no positional operands can be passed, got {operand=} and positional operands {operands}"
        )
    return (operand,)


def _branch(name: str, index: Node, funs: Sequence[Any], names: Sequence[str], operands: tuple[Any, ...]) -> Any:
    leaves, tree = tree_flatten(operands)
    nodes = [lift(x) for x in leaves]
    traced = [trace(f, tree, [n.aval for n in nodes], name, effects=True) for f in funs]
    # JAX names the true branch first
    order = [1, 0] if name == "cond" else range(len(funs))
    first, *others = (traced[k] for k in order)
    first_name, *other_names = (names[k] for k in order)
    for other, what in zip(others, other_names, strict=True):
        if other.out_tree != first.out_tree:
            raise TypeError(
                f"{name} branch outputs must have the same pytree structure, but they differ:\n\n"
                f"{first_name} gives {first.out_tree}, {what} gives {other.out_tree}.\n\n"
                f"Revise {first_name} and/or {what} so that they have the same pytree structure."
            )
        differ = [
            f"  * the output of {first_name} at {_component(first.out_tree, k)} has type {a} but the corresponding output of {what} has type {b}"
            for k, (a, b) in enumerate(zip(first.graph.out_avals, other.graph.out_avals, strict=True))
            if not same_type(a, b)
        ]
        if differ:
            raise TypeError(
                f"{name} branches must have equal output types but they differ.\n\n"
                + "\n".join(differ)
                + f"\n\nRevise {first_name} and/or {what} so that all output types match."
            )
    weak = [all(t.graph.outs[k].aval.weak_type for t in traced) for k in range(len(first.graph.outs))]
    with staging():
        traced = [
            t.returning([o if w else convert(o, o.dtype) for o, w in zip(t.graph.outs, weak, strict=True)])
            for t in traced
        ]
    graphs, captures = apart(traced)
    if any(t.tokens for t in traced):
        ends = [t.tokens or [leaf(TOKEN)] * 2 for t in traced]
        graphs = [carrying(g, e, len(g.ins), len(g.outs)) for g, e in zip(graphs, ends, strict=True)]
        nodes.append(current())
    made = ops.CondOp.bind(index, *captures, *nodes, branches=tuple(graphs))
    return arrays_of(first.out_tree, handed_on(made, first.out_tree.num_leaves))


def _component(tree: PyTreeDef, k: int) -> str:
    path, _ = tree_leaves_with_path(tree.unflatten(range(tree.num_leaves)))[k]
    return f"path {keystr(path)}" if path else "its root"

"""From nodes to IR and back: a Graph written down as `func.func @main` on tensors, and a function's body taken up as a Graph again.

Staging is the first step of every compilation, so it is careful with time: ops are made by `Operation.create` with shared types, properties and locations, and what is
computed twice is written once (which costs a lookup, and an op costs ten).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue

from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.graph import Graph, expand
from weft.dialects.array.node import (
    STATE,
    Aval,
    IdentityOp,
    LeafOp,
    Node,
    ResultOp,
    bind,
    describe,
    keep_location,
    leaf,
    staging,
    transform,
)
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.params import aval_of, tensor_type


def stage(graph: Graph, name: str = "main") -> ModuleOp:
    """A module with one function that computes the graph. Every op carries the user's line."""
    return ModuleOp([stage_function(graph, name)])


def stage_function(graph: Graph, name: str = "main") -> FuncOp:
    """The function alone."""
    graph = expand(graph)
    block = Block(arg_types=[tensor_type(a) for a in graph.in_avals])
    env: dict[Node, Any] = dict(zip(graph.ins, block.args, strict=True))
    made: dict[tuple[Any, ...], Any] = {}
    for n in graph.nodes:
        op = n.op
        if op is IdentityOp:
            env[n] = env[n.inputs[0]]
            continue
        if op is ResultOp:
            env[n] = env[n.inputs[0]][n.params["index"]]
            continue
        if op is LeafOp:
            raise ValueError(f"a graph to be staged refers to {n}, which is none of its inputs: close it first")
        operands = [env[i] for i in n.inputs]
        key = (op, *operands, *n.params.items(), repr(n.params["value"]) if op is ConstantOp else None)
        results = made.get(key)
        if results is None:
            results = made[key] = _write(block, n, operands)
        env[n] = results[0] if n.aval.__class__ is Aval else results
    outs = [env[o] for o in graph.outs]
    block.add_op(ReturnOp(*outs))
    return FuncOp(name, ([a.type for a in block.args], [o.type for o in outs]), Region(block))


def _write(block: Block, n: Node, operands: list[SSAValue]) -> Any:
    avals = (n.aval,) if n.aval.__class__ is Aval else n.aval
    exact = repr(n.params["value"]) if n.op is ConstantOp else ""
    op = n.op.create(
        operands=operands,
        result_types=[tensor_type(a) for a in avals],
        properties=_properties(n.op, tuple(n.params.items()), exact),
        location=ir_location(n.loc),
    )
    block.add_op(op)
    return op.results


@lru_cache(maxsize=4096)
def _properties(op: type[ArrayOp], params: tuple[tuple[str, Any], ...], exact: str) -> dict[str, Attribute]:
    return op.properties_of(dict(params))


@lru_cache(maxsize=4096)
def ir_location(loc: Any) -> Any:
    """A node's place in the user's program as the IR has it."""
    if not isinstance(loc, tuple):
        return loc
    file, line, column = describe(loc)
    return FileLineColLoc(StringAttr(file), IntAttr(line), IntAttr(column))


def unstage(func: FuncOp) -> Graph:
    """The graph that a function of array ops computes. Raises ValueError if there is anything else in it."""
    with staging(), transform() as mark, keep_location():
        block = func.body.block
        env: dict[SSAValue, Node] = {a: leaf(aval_of(a.type), mark=mark) for a in block.args}
        ins = [env[a] for a in block.args]
        for op in block.ops:
            if isinstance(op, ReturnOp):
                return Graph(ins, [env[o] for o in op.operands])
            if not isinstance(op, ArrayOp):
                raise ValueError(f"expected operations of the array dialect in @{func.sym_name.data}, got {op.name}")
            STATE.loc = op.location
            made = bind(type(op), *(env[o] for o in op.operands), **op.params_of(op))
            env.update(zip(op.results, (made,) if isinstance(made, Node) else made, strict=True))
    raise ValueError(f"@{func.sym_name.data} does not return")


def rewrite_functions(module: ModuleOp, rule: Callable[[Graph, int], Graph]) -> None:
    """Replaces each function of a module by what `rule(graph, mark)` makes of it."""
    for func in list(module.body.block.ops):
        if isinstance(func, FuncOp) and not func.is_declaration:
            with staging(), transform() as mark:
                made = stage_function(rule(unstage(func), mark), func.sym_name.data)
            module.body.block.insert_op_before(made, func)
            func.detach()
            func.erase()

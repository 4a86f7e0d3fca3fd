"""From nodes to IR and back: a Graph written down as `func.func @main` on tensors, and a function's body taken up as a Graph again.

Staging is the first step of every compilation, so it is careful with time: ops are made by `Operation.create` with shared types, properties and locations, and what is
computed twice is written once (which costs a lookup, and an op costs ten).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, NameLoc, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue

from weft.dialects.array.constant import ConstantOp, exact
from weft.dialects.array.control import ControlOp, Part, YieldOp
from weft.dialects.array.graph import Graph, expand
from weft.dialects.array.node import (
    STATE,
    Aval,
    IdentityOp,
    LeafOp,
    Node,
    ResultOp,
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
    outs = _write_graph(block, graph, block.args)
    block.add_op(ReturnOp(*outs))
    return FuncOp(name, ([a.type for a in block.args], [o.type for o in outs]), Region(block))


def _write_graph(block: Block, graph: Graph, args: Sequence[SSAValue]) -> list[SSAValue]:
    """Writes a graph into a block, for these values of its inputs; the values of its outputs."""
    env: dict[Node, Any] = dict(zip(graph.ins, args, strict=True))
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
        key = (op, *operands, *n.params.items(), exact(n.params["value"]) if op is ConstantOp else None)
        results = made.get(key)
        if results is None:
            results = made[key] = _write(block, n, operands)
        env[n] = results[0] if n.aval.__class__ is Aval else results
    return [env[o] for o in graph.outs]


def _write(block: Block, n: Node, operands: list[SSAValue]) -> Any:
    text = exact(n.params["value"]) if n.op is ConstantOp else ""
    regions: list[Region] = []
    if issubclass(n.op, ControlOp):
        operands, parts = n.op.parts(operands, **n.params)
        regions = [_write_region(*part) for part in parts]
        properties = n.op.properties_of(n.params) | n.op.segments(len(operands), **n.params)
    else:
        properties = _properties(n.op, tuple(n.params.items()), text)
    op = n.op.create(
        operands=operands,
        result_types=[tensor_type(a) for a in n.avals],
        properties=properties,
        regions=regions,
        location=ir_location(n.loc),
    )
    block.add_op(op)
    return op.results


def _write_region(graph: Graph, captured: Sequence[SSAValue]) -> Region:
    """A program of a control operation: what it captures it names, the rest of its inputs are arguments."""
    block = Block(arg_types=[tensor_type(a) for a in graph.in_avals[len(captured) :]])
    block.add_op(YieldOp.create(operands=_write_graph(block, graph, [*captured, *block.args])))
    return Region(block)


@lru_cache(maxsize=4096)
def _properties(op: type[ArrayOp], params: tuple[tuple[str, Any], ...], exact: str) -> dict[str, Attribute]:
    return op.properties_of(dict(params))


@lru_cache(maxsize=4096)
def ir_location(loc: Any) -> Any:
    """A node's place in the user's program as the IR has it."""
    if not isinstance(loc, tuple):
        return loc
    file, line, column = describe(loc)
    place = FileLineColLoc(StringAttr(file), IntAttr(line), IntAttr(column))
    return NameLoc(StringAttr("/".join(loc[2:])), place) if loc[2:] else place


def unstage(func: FuncOp) -> Graph:
    """The graph that a function of array ops computes. Raises ValueError if there is anything else in it."""
    with staging(), keep_location():
        return _read_region(func.body, ())


def _read_region(region: Region, captured: Sequence[SSAValue]) -> Graph:
    """The graph from captured values and the region's arguments to what its terminator gives."""
    values = (*captured, *region.block.args)
    with transform() as mark:
        env: dict[SSAValue, Node] = {v: leaf(aval_of(v.type), mark=mark) for v in values}
        ins = [env[v] for v in values]
        for op in region.block.ops:
            if isinstance(op, (ReturnOp, YieldOp)):
                return Graph(ins, [env[o] for o in op.operands])
            if not isinstance(op, ArrayOp):
                raise ValueError(f"expected operations of the array dialect, got {op.name}")
            operands, params = list(op.operands), op.params_of(op)
            if isinstance(op, ControlOp):
                parts = [
                    Part(_read_region(r, c), c)
                    for r, c in zip(op.regions, map(op.captured, range(len(op.regions))), strict=True)
                ]
                operands, params = op.whole(operands, parts, params)
            STATE.loc = op.location
            made = op.bind(*(env[o] for o in operands), **params)
            env.update(zip(op.results, (made,) if isinstance(made, Node) else made, strict=True))
    raise ValueError("the function does not return")


def rewrite_functions(module: ModuleOp, rule: Callable[[Graph, int], Graph]) -> None:
    """Replaces each function of a module by what `rule(graph, mark)` makes of it."""
    for func in list(module.body.block.ops):
        if isinstance(func, FuncOp) and not func.is_declaration:
            with staging(), transform() as mark:
                made = stage_function(rule(unstage(func), mark), func.sym_name.data)
            module.body.block.insert_op_before(made, func)
            func.detach()
            func.erase()

"""array-split-complex: complex numbers become pairs of real ones.

No device computes complex numbers. Each complex value is replaced by its real and its imaginary parts, two values; what an op does with them is its own `on_parts` rule. In
memory a complex array is NumPy's, its parts side by side: an argument becomes a real tensor with a last axis of two, its parts slices of that (which cost nothing, for a slice is
an index map), and a result is put together the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from xdsl.context import Context
from xdsl.dialects.builtin import ComplexType, ModuleOp, TensorType
from xdsl.ir import Attribute
from xdsl.passes import ModulePass

from weft.dialects.array.graph import Graph, programs
from weft.dialects.array.node import STATE, Aval, Node, ResultOp, aval, keep_location, leaf, rebind, transform
from weft.dialects.array.op import Parts
from weft.dialects.array.ops import ConcatenateOp
from weft.dialects.array.ops.algebra import reshape, slice_axis
from weft.dialects.array.stage import rewrite_functions

Split: TypeAlias = Node | Parts


@dataclass(frozen=True)
class ArraySplitComplexPass(ModulePass):
    """Writes every function that meets complex numbers with real ones."""

    name = "array-split-complex"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        # what a region takes is an operand of its op, so arguments of functions and results of ops are all there is
        arguments = (a for f in op.body.block.ops for r in f.regions if r.blocks for a in r.block.args)
        if any(_is_complex(v.type) for v in arguments) or any(
            _is_complex(r.type) for o in op.walk() for r in o.results
        ):
            rewrite_functions(op, split_complex)


def _is_complex(type: Attribute) -> bool:
    return isinstance(type, TensorType) and isinstance(type.element_type, ComplexType)


def split_complex(graph: Graph, mark: int = 0) -> Graph:
    """The graph with complex inputs and outputs as real ones with a last axis of two, and nothing complex between."""
    ins = [leaf(_in_memory(n.aval), mark=mark) for n in graph.ins]
    outs = _split(
        graph, [_taken_apart(new) if old.dtype.kind == "c" else new for old, new in zip(graph.ins, ins, strict=True)]
    )
    return Graph(ins, [_put_together(o) if isinstance(o, Parts) else o for o in outs])


def _split(graph: Graph, ins: Sequence[Split]) -> list[Split]:
    """The graph's outputs for inputs that are real, or parts."""
    env: dict[Node, Any] = dict(zip(graph.ins, ins, strict=True))  # a node, its parts, or a tuple of these
    with keep_location():
        for n in graph.nodes:
            if n.op is ResultOp:
                parent = env.get(n.inputs[0], n.inputs[0])
                env[n] = rebind(n, (parent,)) if isinstance(parent, Node) else parent[n.params["index"]]
                continue
            operands = [env.get(i, i) for i in n.inputs]
            if any(map(_meets_complex, programs(n))):
                STATE.loc = n.loc
                env[n] = _split_control(n, operands)
                continue
            if any(isinstance(x, Parts) for x in operands) or any(a.dtype.kind == "c" for a in n.avals):
                STATE.loc = n.loc
                env[n] = n.op.on_parts(*operands, **n.params)
            elif any(a is not b for a, b in zip(operands, n.inputs, strict=True)):
                env[n] = rebind(n, operands)
        return [env.get(o, o) for o in graph.outs]


def _meets_complex(graph: Graph) -> bool:
    def here(n: Node) -> bool:
        return any(a.dtype.kind == "c" for a in n.avals) or any(map(_meets_complex, programs(n)))

    return any(map(here, (*graph.ins, *graph.nodes)))


def _split_control(n: Node, operands: Sequence[Split]) -> tuple[Split, ...]:
    """A loop or branch whose programs take, carry and give the parts of complex numbers one after the other."""
    params, start = dict(n.params), 0
    for key in n.op.GROUPS:
        count = params[key]
        params[key] = len(_flat(operands[start : start + count]))
        start += count
    for key in n.op.GRAPHS:
        graphs = n.params[key]
        params[key] = _split_program(graphs) if isinstance(graphs, Graph) else tuple(map(_split_program, graphs))
    return tuple(_grouped(n.op.bind(*_flat(operands), **params), n.aval))


def _split_program(graph: Graph) -> Graph:
    with transform() as mark:
        avals = [a for n in graph.ins for a in ([aval(n.shape, n.dtype.part)] * 2 if n.dtype.kind == "c" else [n.aval])]
        ins = [leaf(a, mark=mark) for a in avals]
        outs = _split(graph, _grouped(ins, graph.in_avals))
    return Graph(ins, _flat(outs))


def _flat(values: Sequence[Split]) -> list[Node]:
    return [part for v in values for part in (v if isinstance(v, Parts) else (v,))]


def _grouped(nodes: Sequence[Node], avals: Sequence[Aval]) -> list[Split]:
    given = iter(nodes)
    return [Parts(next(given), next(given)) if a.dtype.kind == "c" else next(given) for a in avals]


def _in_memory(a: Aval) -> Aval:
    return aval((*a.shape, 2), a.dtype.part) if a.dtype.kind == "c" else a


def _taken_apart(x: Node) -> Parts:
    last = x.ndim - 1
    return Parts(*(reshape(slice_axis(x, last, k, k + 1), x.shape[:-1]) for k in (0, 1)))


def _put_together(z: Parts) -> Node:
    return ConcatenateOp.bind(*(reshape(v, (*v.shape, 1)) for v in z), dimension=z.re.ndim)

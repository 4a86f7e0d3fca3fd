"""array-split-complex: complex numbers become pairs of real ones.

No device computes complex numbers. Each complex value is replaced by its real and its imaginary parts, two values; what an op does with them is its own `on_parts` rule. In
memory a complex array is NumPy's, its parts side by side: an argument becomes a real tensor with a last axis of two, its parts slices of that (which cost nothing, for a slice is
an index map), and a result is put together the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ComplexType, ModuleOp, TensorType
from xdsl.ir import Attribute
from xdsl.passes import ModulePass

from weft.dialects.array.graph import Graph
from weft.dialects.array.node import STATE, Aval, Node, ResultOp, aval, keep_location, leaf, rebind
from weft.dialects.array.op import Parts
from weft.dialects.array.ops import ConcatenateOp
from weft.dialects.array.ops.algebra import reshape, slice_axis
from weft.dialects.array.stage import rewrite_functions


@dataclass(frozen=True)
class ArraySplitComplexPass(ModulePass):
    """Writes every function that meets complex numbers with real ones."""

    name = "array-split-complex"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if any(
            _is_complex(v.type) for o in op.walk() for b in o.regions for block in b.blocks for v in block.args
        ) or any(_is_complex(v.type) for o in op.walk() for v in o.results):
            rewrite_functions(op, split_complex)


def _is_complex(type: Attribute) -> bool:
    return isinstance(type, TensorType) and isinstance(type.element_type, ComplexType)


def split_complex(graph: Graph, mark: int = 0) -> Graph:
    """The graph with complex inputs and outputs as real ones with a last axis of two, and nothing complex between."""
    env: dict[Node, Any] = {}  # a node, its parts, or a tuple of these
    ins = [leaf(_in_memory(n.aval), mark=mark) for n in graph.ins]
    for old, new in zip(graph.ins, ins, strict=True):
        env[old] = _taken_apart(new) if old.dtype.kind == "c" else new
    with keep_location():
        for n in graph.nodes:
            if n.op is ResultOp:
                env[n] = env[n.inputs[0]][n.params["index"]]
                continue
            operands = [env.get(i, i) for i in n.inputs]
            avals = n.aval if isinstance(n.aval, tuple) else (n.aval,)
            if any(isinstance(x, Parts) for x in operands) or any(a.dtype.kind == "c" for a in avals):
                STATE.loc = n.loc
                env[n] = n.op.on_parts(*operands, **n.params)
            elif any(a is not b for a, b in zip(operands, n.inputs, strict=True)):
                env[n] = rebind(n, operands)
        outs = [env.get(o, o) for o in graph.outs]
        return Graph(ins, [_put_together(o) if isinstance(o, Parts) else o for o in outs])


def _in_memory(a: Aval) -> Aval:
    return aval((*a.shape, 2), a.dtype.part) if a.dtype.kind == "c" else a


def _taken_apart(x: Node) -> Parts:
    last = x.ndim - 1
    return Parts(*(reshape(slice_axis(x, last, k, k + 1), x.shape[:-1]) for k in (0, 1)))


def _put_together(z: Parts) -> Node:
    return ConcatenateOp.bind(*(reshape(v, (*v.shape, 1)) for v in z), dimension=z.re.ndim)

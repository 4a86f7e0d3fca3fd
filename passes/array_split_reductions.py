"""array-split-reductions: a long reduction to few results becomes two, so that a whole GPU, or every thread, has work.

A reduction is one workgroup's (or one invocation's, one thread's) work for each result. Where there are few results, the outermost reduced axis is cut into pieces: the first
reduction gives a partial result for each piece, the second combines them. (The step is known as rfactor.) On an NVIDIA H200 pieces of 16,384 contiguous elements sum
at the speed of memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from weft.dialects.array.ops import ReduceOp, ReshapeOp

PAGE = 1024
"""Elements of a page, at most."""


@dataclass(frozen=True)
class ArraySplitReductionsPass(ModulePass):
    """Splits reductions of at least `least` elements.

    `piece`: elements of a partial reduction along contiguous memory. `few`: results below which such a reduction is split. `invocations`: results wanted where the reduced
    axes are not contiguous. `rows`: how many elements such a reduction may have at most, if each lies in another page of memory (0: any number): more pages than a processor
    keeps the addresses of cost a walk through its tables for every element.
    """

    name = "array-split-reductions"

    least: int = 1 << 17
    piece: int = 16384
    few: int = 1024
    rows: int = 0
    invocations: int = 1 << 17

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for reduction in [o for o in op.walk() if isinstance(o, ReduceOp)]:
            self.split(reduction)

    def pieces(self, shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
        """How many pieces the outermost reduced axis is cut into; 1 if the reduction stays as it is."""
        if not axes or prod(shape) < self.least:
            return 1
        reduced = prod(shape[a] for a in axes)
        results = prod(shape) // reduced
        if len(shape) - 1 in axes:
            wanted = min(reduced // self.piece, max(1, 4 * self.piece // results)) if results < self.few else 1
        else:
            wanted = min(reduced // 64, self.invocations // results)
            if self.rows and results >= PAGE:
                wanted = max(wanted, reduced // self.rows)
        extent = shape[min(axes)]
        return max((k for k in range(1, min(wanted, extent) + 1) if extent % k == 0), default=1)

    def split(self, op: ReduceOp) -> None:
        """Writes a reduction as two."""
        source = op.operands[0]
        type = source.type
        assert isinstance(type, TensorType)
        shape, params = type.get_shape(), ReduceOp.params_of(op)
        axes, kind = tuple(params["axes"]), params["kind"]
        count = self.pieces(shape, axes)
        if count < 2:
            return
        first = min(axes)
        cut = (*shape[:first], count, shape[first] // count, *shape[first + 1 :])
        inner = tuple(a + 1 for a in axes)
        block = op.parent
        assert block is not None

        def make(cls: Any, operand: SSAValue, result: tuple[int, ...], **of: Any) -> SSAValue:
            made = cls.create(
                operands=[operand],
                result_types=[TensorType(type.element_type, result)],
                properties=cls.properties_of(of),
            )
            block.insert_op_before(made, op)
            return made.results[0]

        pieces = make(ReshapeOp, source, cut, shape=cut)
        left = tuple(n for a, n in enumerate(cut) if a not in inner)
        partial = make(ReduceOp, pieces, left, kind=kind, axes=inner)
        whole = make(ReduceOp, partial, tuple(n for a, n in enumerate(left) if a != first), kind=kind, axes=(first,))
        op.results[0].replace_all_uses_with(whole)
        op.detach()
        op.erase()

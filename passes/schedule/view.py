"""What choosers of schedules look at: how the accesses of a nest move in memory along its axes."""

from __future__ import annotations

from dataclasses import dataclass

from weft.dialects.kernel.affine import Dim, Sym, linearize
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp, StoreOp
from weft.passes.schedule.steps import depends


@dataclass
class View:
    """What a chooser looks at: a nest's axes, and how each access moves in memory along each axis."""

    nest: NestOp
    axes: dict[str, Axis]
    loads: list[LoadOp]
    stores: list[StoreOp]
    reductions: list[ReduceOp]
    depends: dict[object, frozenset[str]]

    @classmethod
    def of(cls, nest: NestOp) -> View:
        ops = list(nest.block.ops)
        return cls(
            nest,
            {a.name: a for a in nest.axes.data},
            [op for op in ops if isinstance(op, LoadOp)],
            [op for op in ops if isinstance(op, StoreOp)],
            [op for op in ops if isinstance(op, ReduceOp)],
            depends(nest),
        )

    def stride(self, op: LoadOp | StoreOp, axis: str) -> int | None:
        """Elements that one step along an axis moves in the buffer; None where that is not one number."""
        flat = linearize(op.map.data, op.buffer.type.get_shape())  # type: ignore[attr-defined]
        if axis not in flat.dims():
            moved = any(axis in self.depends.get(s, ()) for s in op.symbols)
            return None if moved else 0
        found = 0
        for atom, c in flat.terms:
            if isinstance(atom, Dim):
                found = c if atom.name == axis else found
            elif axis in (self.depends.get(op.symbols[atom.number], ()) if isinstance(atom, Sym) else atom.expr.dims()):
                return None
        return found

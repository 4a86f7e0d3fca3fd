"""Staging: a load that reads a copy in workgroup memory.

The copy is a *box*: the bounding box of all the elements that the invocations of a workgroup read in one round of the loop at which the load is staged. All invocations fill
it together, in the order of the source, by whole vectors where the source is aligned; conditions of the load are asked while filling, so the inner loop reads without
tests. `dims` gives the order of the buffer's dimensions in the tile (a transposition), `pad` adds elements to its rows (against bank conflicts), `pipe` asks for two
buffers, filled ahead.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import DictionaryAttr, MemRefType, StringAttr, VectorType
from xdsl.ir import SSAValue

from weft.dialects.gpu.ops import WORKGROUP, WorkgroupAllocOp, memref_type
from weft.dialects.kernel.affine import Atom, Condition, Dim, Expr, Min, delinearize, dim
from weft.dialects.kernel.ops import LoadOp
from weft.passes.gpu.emitter import LoweringError, memory_type

if TYPE_CHECKING:
    from weft.passes.gpu.values import Values

Point = dict[str, int]
"""A constant for each point axis."""


def clamped(atom: object) -> bool:
    """Whether an atom is the start of a last tile that is a multiple of the vector length like the others."""
    return (
        isinstance(atom, Min)
        and atom.limit % 4 == 0
        and atom.expr.const % 4 == 0
        and all(c % 4 == 0 for _, c in atom.expr.terms)
    )


class Tile:
    """The copy that one load reads."""

    def __init__(self, lowering: Values, op: LoadOp):
        self.low, self.op = lowering, op
        assert isinstance(op.stage, DictionaryAttr)
        words = {k: v.data for k, v in op.stage.data.items() if isinstance(v, StringAttr)}
        self.at = words["at"]
        self.piped = words.get("pipe", "0") == "1"
        type = op.buffer.type
        assert isinstance(type, MemRefType)
        self.shape = type.get_shape()
        rank = len(self.shape)
        self.order = [int(d) for d in words["dims"].split(",")] if "dims" in words else list(range(rank))
        self._measure(int(words.get("pad", "0")))
        self.memory: SSAValue | None = None

    def _inside(self) -> set[str]:
        """Axes that a box spans: those of the workgroup and of points, and loops within the one it is staged at."""
        axes = list(self.low.nest.axes.data)
        names = [a.name for a in axes]
        if self.at != "entry" and self.at not in names:
            raise LoweringError(f"'{self.at}', at which a load is staged, is not an axis of {self.low.nest.axes}")
        later = names[names.index(self.at) + 1 :] if self.at != "entry" else names
        spans = {a.name for a in axes if a.level in ("local", "group", "reg", "unroll", "lane")}
        return spans | {
            a.name for a in axes if a.name in later and (a.level == "loop" or (a.level == "none" and a.role == "red"))
        }

    def _measure(self, pad: int) -> None:
        inside = self._inside()
        self.origin: list[Expr] = []
        self.coordinate: list[Expr] = []
        self.extent: list[int] = []
        for expr in self.op.map.data:
            outer, inner = self._split(expr, inside)
            lo, hi = inner.bounds
            self.origin.append(outer + lo)
            self.coordinate.append(inner - lo)
            self.extent.append(hi - lo + 1)
        self.stride = [0] * len(self.shape)
        step = 1
        for k, d in enumerate(reversed(self.order)):
            self.stride[d] = step
            step *= self.extent[d] + (pad if k == 0 else 0)
        self.size = step
        self.position = sum((c * s for c, s in zip(self.coordinate, self.stride, strict=True)), Expr(0))
        self.conditions: list[tuple[Expr, int | None, int, int]] = []  # outer part, dimension of the inner part, bounds
        for expr, lo, hi in self.op.conditions.data if self.op.conditions is not None else ():
            outer, inner = self._split(expr, inside)
            d = None
            if inner.terms:
                matching = [k for k, c in enumerate(self.coordinate) if (inner - c).is_constant]
                if not matching:
                    raise LoweringError(
                        f"a staged load cannot have the condition {expr}, which is no dimension of its box"
                    )
                d = matching[0]
                outer = outer + (inner - self.coordinate[d]).const
            self.conditions.append((outer, d, lo, hi))

    def _split(self, expr: Expr, inside: set[str]) -> tuple[Expr, Expr]:
        """An expression as the sum of what is fixed while the tile lives, and what the box spans."""
        outer: list[tuple[Atom, int]] = []
        inner: list[tuple[Atom, int]] = []
        for atom, c in expr.terms:
            names = {atom.name} if isinstance(atom, Dim) else Expr(0, ((atom, 1),)).dims()
            if names & inside and names - inside:
                raise LoweringError(f"a load at {expr} cannot be staged: {atom} mixes axes of the tile with others")
            (inner if names & inside else outer).append((atom, c))
        return Expr(expr.const, tuple(outer)), Expr(0, tuple(inner))

    def in_bounds(self) -> bool:
        """Whether every read of the tile is one of what was copied into it."""
        low, high = self.position.bounds
        return low >= 0 and high < self.size

    # -- how it is laid out -----------------------------------------------------------------------------------------------------------------

    def source_aligned(self) -> bool:
        """Whether the box can be read by whole vectors: its rows start at and extend to multiples of four, in memory and in its conditions."""
        if self.op.symbols or self.extent[-1] % 4:
            return False
        strides = [prod(self.shape[d + 1 :]) for d in range(len(self.shape))]
        if any(
            s % 4 and (self.extent[d] > 1 or not self._multiple(self.origin[d])) for d, s in enumerate(strides[:-1])
        ):
            return False
        last = len(self.shape) - 1
        fits = all(
            self._multiple(outer) and lo % 4 == 0 and hi % 4 == 0 for outer, d, lo, hi in self.conditions if d == last
        )
        return self._multiple(self.origin[-1]) and fits

    @staticmethod
    def _multiple(expr: Expr) -> bool:
        return expr.const % 4 == 0 and all(c % 4 == 0 or clamped(a) for a, c in expr.terms)

    def _allocate(self) -> SSAValue:
        """The memory of the tile: vectors if it is filled and read by whole aligned ones only."""
        if self.memory is None:
            low = self.low
            element = memory_type(self.op.buffer.type.element_type)  # type: ignore[attr-defined]
            self.wide = self.op.buffer in low.vectors
            last = len(self.shape) - 1
            rows = all(s % 4 == 0 for d, s in enumerate(self.stride) if d != last and self.extent[d] > 1)
            self.whole = self.wide and self.order[-1] == last and rows and self.size % 4 == 0 and self._reads_whole()
            slots = 2 if self.piped else 1
            type = VectorType(element, [4]) if self.whole else element
            count = self.size * slots // 4 if self.whole else self.size * slots
            alloc = WorkgroupAllocOp.create(result_types=[memref_type(type, count, WORKGROUP)])
            self.memory = low.emit(0, alloc)
            self.memory.name_hint = f"tile_{low.buffers[self.op.buffer].name_hint}"
        return self.memory

    def _reads_whole(self) -> bool:
        """Whether every read takes an aligned vector, or a lane of one that is known while compiling."""
        low, position = self.low, self.position
        if low.lane is not None and low.lane.name in position.dims():
            rest = position - low.lane.expr
            return low.lanes_count == 4 and low.lane.name not in rest.dims() and low.aligned(rest)
        return low.aligned(position, constants=True)

    # -- filling and reading ----------------------------------------------------------------------------------------------------------------

    def fetch(self) -> list[tuple[Expr, SSAValue]]:
        """Loads this invocation's share of the box into registers: positions in the tile, and values."""
        self._allocate()
        low, width = self.low, 4 if self.wide else 1
        low._local_index()
        box = (*self.extent[:-1], self.extent[-1] // width)
        pieces, found = prod(box), list[tuple[Expr, SSAValue]]()
        for start in range(0, pieces, low.threads):
            piece = dim("$li", low.threads) + start
            piece = piece.minimum(pieces - 1)
            at = list(delinearize(piece, box))
            at[-1] = at[-1] * width
            source, scale = Expr(0), 1
            for d in reversed(range(len(self.shape))):
                source = source + (low.at_point(self.origin[d], {}, self.op) + at[d]) * scale
                scale *= self.shape[d]
            tests: list[Condition] = []
            for outer, d, lo, hi in self.conditions:
                expr = low.at_point(outer, {}, self.op) + (at[d] if d is not None else 0)
                tests.append(
                    Condition(expr, lo, hi) if d != len(self.shape) - 1 or width == 1 else Condition(expr, lo, hi - 3)
                )
            value = low.read(self.op.buffer, source, low.holds(tests), self.wide)
            position = sum((a * s for a, s in zip(at, self.stride, strict=True)), Expr(0))
            found.append((position, value))
        return found

    def write(self, found: list[tuple[Expr, SSAValue]], slot: int | None) -> None:
        """Puts what was fetched into the tile, into buffer 0 or (None) the one that `$slot` stands for just now."""
        low, memory = self.low, self._allocate()
        base = Expr(0) if slot == 0 else low.subst["$slot"] * self.size
        for position, value in found:
            at = position + base
            if self.whole:
                low.store(low.depth, value, memory, low.index(at // 4))
            elif self.wide:
                for k in range(4):
                    low.store(
                        low.depth, low.lane_of(low.home(value), value, k), memory, low.index(at + k * self.stride[-1])
                    )
            else:
                low.store(low.depth, value, memory, low.index(at))

    def read(self, point: Point) -> SSAValue:
        """What the load gives at a point."""
        low, memory = self.low, self._allocate()
        base = low.subst["$slot"] * self.size if self.piped and "$slot" in low.subst else Expr(0)

        def one(point: Point) -> SSAValue:
            at = low.at_point(self.position, point) + base
            depth = max(low.depth_for(self.op), low.entry, low.depth_of(at))
            memo, key = low.scopes[depth].memo, ("tile", memory, at // 4 if self.whole else at)
            if (value := memo.get(key)) is None:
                place = (at - at.const % 4) // 4 if self.whole else at
                value = memo[key] = low.load(depth, memory, low.index(place))
            return value if not self.whole or whole else low.lane_of(depth, value, at.const % 4)

        whole = self.whole and low.in_lanes(self.op) and low.lane is not None and low.lane.name in self.position.dims()
        if whole:
            assert low.lane is not None
            return one(point | {low.lane.name: 0})
        return low.by_lane(self.op, point, one)

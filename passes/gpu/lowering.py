"""One nest to the body of one kernel.

`grid`, `local` and `group` axes are values known at the entry, `loop` axes (and reductions without a level) are loops, `reg` and `unroll` axes are *points*: the
statement is written once for each, with the axis a constant. The `lane` axis makes vectors. Parallel axes without a level are numbered together, one invocation for each point.

Work starts at the stores and is done on demand, in four layers: `emitter` says where values land, `values` makes them, `reductions` has the loops, and this module the
bindings, the place of an invocation among the axes, and the stores. See `tiles` for staging.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects import arith, gpu
from xdsl.dialects.builtin import MemRefType, UnitAttr, VectorType, i1, i32, i64
from xdsl.ir import Block, Region, SSAValue

from weft.dialects.gpu import thread
from weft.dialects.gpu.ops import GLOBAL, WORDWISE, AtomicOp, BindingOp, memref_type
from weft.dialects.kernel.affine import Condition, Expr, dim
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.host import FuncOp
from weft.dialects.kernel.ops import StoreOp
from weft.passes.gpu.bounds import in_bounds
from weft.passes.gpu.emitter import INDEX, SLT, Emitter, LoweringError, element_of, memory_type, vector_of
from weft.passes.gpu.reductions import Reductions
from weft.passes.gpu.values import never

MAX_GRID = 65535
"""WebGPU's limit on workgroups along one dimension."""


def fold_grid(extents: Sequence[int]) -> tuple[int, int, int]:
    """The grid for axes of these extents: x fastest, the last axis on x; too many or too long ones are numbered and folded."""
    if len(extents) <= 3 and all(n <= MAX_GRID for n in extents):
        x, y, z = (*reversed(extents), 1, 1, 1)[:3]
        return x, y, z
    total = prod(extents)
    rows = -(-total // MAX_GRID)
    while rows * 2 <= total and total % rows and rows < 4 * -(-total // MAX_GRID) + 64:
        rows += 1  # a number of rows that divides the total leaves no surplus
    if total % rows:
        rows = -(-total // MAX_GRID)
    return -(-total // rows), rows, 1


class Lowering(Reductions):
    """One nest."""

    # -- the kernel -------------------------------------------------------------------------------------------------------------------------

    def run(self, func: FuncOp) -> thread.ModuleOp:
        """The gpu.module of a kernel that is this nest."""
        written = {op.buffer for op in self.stores}
        names = dict(zip(self.nest.operands, self.nest.block.args, strict=True))
        if len(self.nest.operands) != len(names):
            raise LoweringError("a buffer is bound twice to one nest")
        for number, arg in enumerate(func.body.block.args):
            inner = names.get(arg)
            value = bind(self, number, arg, inner in written, inner in self.vectors)
            if inner is not None:
                value.name_hint = arg.name_hint or inner.name_hint or value.name_hint
                self.buffers[inner] = value
        self.work(self._place_axes())
        if any(a.extent == 0 for a in self.nest.axes.data if a.role == "par"):
            self.grid = (0, 1, 1)
        return module_of(func, self.scopes[0].block, self.threads, self.grid, self.stays_in_bounds())

    def work(self, guard: SSAValue | None) -> None:
        """All stores, with what they need, where the guard holds."""
        with self.when(self.base, guard) as self.entry:
            for name in list(self.at):
                if guard is not None:
                    self.at[name] = self.entry
            self.fill([t for t in self.tiles.values() if t.at == "entry"], self.entry)
            groups: dict[tuple[str, ...], list[StoreOp]] = {}
            for store in self.stores:
                loops = tuple(
                    a.name for a in self.axes.values() if a.name in self.loop_names and a.name in self.dims[store]
                )
                groups.setdefault(loops, []).append(store)
            for loops, stores in groups.items():
                self.loops(loops, stores, lambda stores=stores: [self._store_all(s) for s in stores])

    def stays_in_bounds(self) -> bool:
        """Whether no access can leave its buffer."""
        return in_bounds(self.nest) and all(tile.in_bounds() for tile in self.tiles.values())

    # -- places among the axes --------------------------------------------------------------------------------------------------------------

    def _block_id(self, dimension: str) -> SSAValue:
        memo = self.scopes[0].memo
        if (known := memo.get(dimension)) is None:
            attr = gpu.DimensionAttr(gpu.DimensionEnum(dimension))
            op = thread.BlockIdOp.create(result_types=[INDEX], properties={"dimension": attr})
            known = memo[dimension] = self.emit(0, op)
        return known

    def _know(self, names: Sequence[Axis], position: Expr) -> None:
        """Axes that are the digits of a number, the last one fastest."""
        step = 1
        for axis in reversed(names):
            if axis.extent > 1:
                value = self.index(position // step % axis.extent)
                self.axis_value[axis.name], self.at[axis.name] = value, self.base
                if isinstance(
                    value.owner,
                    (arith.AddiOp, arith.ShRSIOp, arith.AndIOp, arith.DivSIOp, arith.RemSIOp, arith.MinSIOp),
                ):
                    value.name_hint = axis.name
            step *= max(axis.extent, 1)

    def _place_axes(self) -> SSAValue | None:
        """Values for the axes of the entry; gives the condition under which this invocation has work, None if it always has."""
        if self.local_axes:
            self._local_index()
            self._know(self.local_axes, dim("$li", self.threads))
        if self.flat_axes:
            return self._place_flat()
        extents = [a.extent for a in self.grid_axes]
        self.grid = fold_grid(extents)
        x, y, _ = self.grid
        if len(extents) <= 3 and self.grid == (*reversed(extents), 1, 1, 1)[:3]:
            for axis, dimension in zip(reversed(self.grid_axes), "xyz", strict=False):
                if axis.extent > 1:
                    self.axis_value[axis.name], self.at[axis.name] = self._block_id(dimension), 0
            return None
        number = self._numbered(x, y)
        surplus = x * y - prod(extents)
        if surplus and any(s.combine is not None for s in self.stores):
            guard = self.compare(0, SLT, self.index(number), self.number(prod(extents)))
            self._know(self.grid_axes, dim("$number", prod(extents)))
            return guard
        self._know(self.grid_axes, number.minimum(prod(extents) - 1))
        return None

    def _numbered(self, x: int, y: int) -> Expr:
        """The number of this workgroup in a grid of two dimensions."""
        self.axis_value["$x"], self.at["$x"] = self._block_id("x"), 0
        number = dim("$x", x)
        if y > 1:
            self.axis_value["$y"], self.at["$y"] = self._block_id("y"), 0
            number = dim("$y", y) * x + number
        self.axis_value["$number"], self.at["$number"] = self.index(number), 0
        return dim("$number", x * y)

    def _place_flat(self) -> SSAValue | None:
        total = prod(a.extent for a in self.flat_axes)
        groups = -(-max(total, 1) // self.threads)
        self.grid = fold_grid([groups])
        x, y, _ = self.grid
        self._local_index()
        surplus = x * y * self.threads - total
        if x * y > 1:
            position = self._numbered(x, y) * self.threads + dim("$li", self.threads)
        else:
            position = dim("$li", self.threads)
        value = self.index(position)
        value.name_hint = "id_"
        self.axis_value["$id"], self.at["$id"] = value, 0
        guard = self.compare(0, SLT, value, self.number(total)) if surplus else None
        self._know(self.flat_axes, dim("$id", max(total, 1)))
        return guard

    # -- stores ----------------------------------------------------------------------------------------------------------------------------------

    def _store_all(self, op: StoreOp) -> None:
        """A store at all its points, where this invocation is the one to do it."""
        idle = [
            Condition(a.expr, 0, 1)
            for a in (*self.local_axes, *self.grid_axes, *self.flat_axes)
            if a.name not in self.dims[op] and a.extent > 1
        ]
        if self.own < self.threads:  # the others do the same again
            idle.append(Condition(dim("$li", self.threads), 0, self.own))
        alone = self.holds(idle)
        for point in self.all_points(self.points_of[op]):
            if self.in_lanes(op):
                assert self.lane is not None
                value = self.value(op.value, point)
                if op.buffer in self.vectors:
                    position = self.at_point(self.flat[op], point | {self.lane.name: 0}) // 4
                    self._write(op, value, position, self._joined(alone, self.conditions(op, point)))
                    continue
                for k in range(self.lanes_count):
                    at = point | {self.lane.name: k}
                    condition = self._joined(alone, self.conditions(op, at))
                    self._write(op, self.scalar(op.value, at), self.at_point(self.flat[op], at, op), condition)
            else:
                condition = self._joined(alone, self.conditions(op, point))
                self._write(op, self.value(op.value, point), self.at_point(self.flat[op], point, op), condition)

    def _joined(self, a: SSAValue | None, b: SSAValue | None) -> SSAValue | None:
        return b if a is None else a if b is None else self.both(a, b)

    def _write(self, op: StoreOp, value: SSAValue, position: Expr, condition: SSAValue | None) -> None:
        if never(condition):
            return
        memory = self.buffers[op.buffer]
        depth = self.depth
        if op.buffer in self.vectors and not isinstance(value.type, VectorType):
            value = self.broadcast(depth, value, vector_of(value.type, 4))
        element = element_of(value.type)
        if element == i1:
            if isinstance(value.type, VectorType):
                value = self.lanewise(depth, "arith.extui", [value], VectorType(i32, value.type.get_shape()))
            else:
                value = self.op(depth, arith.ExtUIOp, value, type=i32)
        index = self.index(position)
        with self.when(depth, condition) as inside:
            kind = op.combine.data if op.combine is not None else None
            if kind is None:
                self.store(inside, value, memory, index)
            elif value.type == i64 and kind not in WORDWISE:
                if self.threads * prod(self.grid) > 1:
                    raise LoweringError(f"no atomic has a {kind} of 64 bits: one invocation has to do all of the nest")
                self.store(inside, self.combine(inside, kind, self.load(inside, memory, index), value), memory, index)
            else:
                self.scopes[inside].block.add_op(AtomicOp.make(kind, value, memory, index))


def bind(emitter: Emitter, number: int, arg: SSAValue, written: bool, vectors: bool = False) -> SSAValue:
    """The binding of an argument of a kernel."""
    type = arg.type
    assert isinstance(type, MemRefType)
    element, count = memory_type(type.element_type), prod(type.get_shape())
    if vectors:
        element, count = vector_of(element, 4), -(-count // 4)
    access = "read_write" if written else "read"
    value = emitter.emit(0, BindingOp.make(number, access, memref_type(element, max(count, 1), GLOBAL)))
    value.name_hint = arg.name_hint or ("out" if written else "in")
    return value


def module_of(
    func: FuncOp, block: Block, threads: int, grid: tuple[int, int, int], stays_in_bounds: bool
) -> thread.ModuleOp:
    """The gpu.module of a kernel from its body."""
    block.add_op(thread.ReturnOp.create())
    made = thread.FuncOp(
        "main", ([], []), Region(block), kernel=True, known_block_size=(threads, 1, 1), known_grid_size=grid
    )
    if stays_in_bounds:
        made.attributes["in_bounds"] = UnitAttr()
    return thread.ModuleOp.make(func.sym_name.data, made)

"""One nest to the body of one kernel.

`grid`, `local` and `group` axes are values known at the entry, `loop` axes (and reductions without a level) are loops, `reg` and `unroll` axes are *points*: the
statement is written once for each, with the axis a constant. The `lane` axis makes vectors. Parallel axes without a level are numbered together, one invocation for each point.

Work starts at the stores and is done on demand. A reduction that is asked for at one point is computed for all points at once, together with the reductions that run over
the same axes and need nothing from it: so a matmul's 64 accumulators share a loop, and softmax falls into its phases by itself. See `emitter` for where values land,
`tiles` for staging.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from math import prod
from typing import Any

from xdsl.dialects import arith, gpu, math, scf, vector
from xdsl.dialects.builtin import MemRefType, VectorType, i1, i32
from xdsl.ir import Block, Region, SSAValue

from weft.dialects.gpu import thread
from weft.dialects.gpu.ops import (
    GLOBAL,
    WORKGROUP,
    AtomicOp,
    BindingOp,
    LocalIndexOp,
    VarOp,
    WorkgroupAllocOp,
    memref_type,
)
from weft.dialects.kernel.affine import Condition, Dim, Expr, Min, Sym, dim, linearize
from weft.dialects.kernel.affine import symbol as symbol_expr
from weft.dialects.kernel.attributes import Axis, ConditionsAttr
from weft.dialects.kernel.host import FuncOp
from weft.dialects.kernel.ops import IndexOp, InsideOp, LoadOp, ReduceOp, StoreOp
from weft.passes.gpu.emitter import (
    F32,
    INDEX,
    NE,
    SLT,
    Emitter,
    LoweringError,
    Scope,
    element_of,
    identity,
    memory_type,
    vector_of,
)
from weft.passes.gpu.tiles import Tile

Point = dict[str, int]

WORKGROUP_SIZE = 64
"""Invocations of a workgroup where the schedule says nothing."""

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


def clamped(atom: object) -> bool:
    """Whether an atom is the start of a last tile that is a multiple of the vector length like the others."""
    return (
        isinstance(atom, Min)
        and atom.limit % 4 == 0
        and atom.expr.const % 4 == 0
        and all(c % 4 == 0 for _, c in atom.expr.terms)
    )


def never(condition: SSAValue | None) -> bool:
    """Whether a condition is known to fail (the only constant that `holds` gives)."""
    return condition is not None and isinstance(condition.owner, arith.ConstantOp)


class Lowering(Emitter):
    """The state of lowering one `kernel.func`."""

    def __init__(self, func: FuncOp):
        super().__init__()
        nest = func.nest
        self.func, self.nest = func, nest
        self.axes: dict[str, Axis] = {a.name: a for a in nest.axes.data}
        self.ops = list(nest.block.ops)
        self.stores = [op for op in self.ops if isinstance(op, StoreOp)]
        self.lane = next((a for a in nest.axes.data if a.level == "lane"), None)
        self.lanes_count = self.lane.extent if self.lane is not None else 1
        self.points_axes = [a for a in nest.axes.data if a.level in ("reg", "unroll") and a.extent != 1]
        self.local_axes = [a for a in nest.axes.data if a.level in ("local", "group")]
        self.flat_axes = [a for a in nest.axes.data if a.level == "none" and a.role == "par"]
        self.threads = prod(a.extent for a in self.local_axes)
        self.grid_axes = [a for a in nest.axes.data if a.level == "grid"]
        if self.flat_axes and (self.local_axes or self.grid_axes):
            self.grid_axes, self.flat_axes = (
                [a for a in nest.axes.data if a in self.grid_axes or a in self.flat_axes],
                [],
            )
        if self.flat_axes:
            self.threads = WORKGROUP_SIZE
        self.loop_names = {
            a.name for a in nest.axes.data if a.level == "loop" or (a.level == "none" and a.role == "red")
        }
        self.tiles = {op: Tile(self, op) for op in self.ops if isinstance(op, LoadOp) and op.stage is not None}
        self.loop_names |= {t.at for t in self.tiles.values() if t.at != "entry"}
        self._analyse()
        self.vectors = {a for a in nest.block.args if self._is_vector(a)}
        self.scratch: dict[tuple[Any, ...], SSAValue] = {}
        self.entry = 0  # the depth at which work begins: 1 if it stands under a guard

    # -- what depends on what ---------------------------------------------------------------------------------------------------------------

    def _analyse(self) -> None:
        """Axes of each value, its point axes in order, and the reductions that each op needs."""
        self.dims: dict[object, frozenset[str]] = {}
        self.points_of: dict[object, tuple[str, ...]] = {}
        self.needs: dict[object, frozenset[ReduceOp]] = {}
        self.flat: dict[object, Expr] = {}
        for op in self.ops:
            axes = frozenset[str]().union(*(self.dims[v] for v in op.operands if v in self.dims))
            needs = frozenset[ReduceOp]().union(*(self.needs[v] for v in op.operands if v in self.needs))
            if (map := op.properties.get("map")) is not None:
                axes = axes.union(*(e.dims() for e in map.data))  # type: ignore[attr-defined]
            for holder in (op.properties.get("conditions"), op.attributes.get("where")):
                if isinstance(holder, ConditionsAttr):
                    axes = axes.union(*(c.expr.dims() for c in holder.data))
            if isinstance(op, LoadOp) and op in self.tiles and self.tiles[op].at != "entry":
                axes |= {self.tiles[op].at}
            if isinstance(op, ReduceOp):
                axes -= frozenset(op.axes)
                needs |= {op}
            for key in (op, *op.results):
                self.dims[key], self.needs[key] = axes, needs
                self.points_of[key] = tuple(a.name for a in self.points_axes if a.name in axes)
            if isinstance(op, (LoadOp, StoreOp)):
                type = op.buffer.type
                assert isinstance(type, MemRefType)
                self.flat[op] = linearize(op.map.data, type.get_shape())

    def in_lanes(self, key: object) -> bool:
        """Whether a value is a vector: it differs along the lane axis."""
        return self.lane is not None and self.lane.name in self.dims[key]

    def _is_vector(self, arg: SSAValue) -> bool:
        """A buffer is bound as vectors if some access takes whole ones, and none disagrees."""
        whole = False
        for use in arg.uses:
            op = use.operation
            if not isinstance(op, (LoadOp, StoreOp)) or (isinstance(op, StoreOp) and op.combine is not None):
                return False
            if op in self.tiles:
                aligned = self.tiles[op].source_aligned()  # type: ignore[index]
                whole |= aligned
            elif self.in_lanes(op):
                aligned = self._takes_vectors(op)
                whole = True
            else:
                aligned = isinstance(op, LoadOp) and not op.symbols and self.aligned(self.flat[op], constants=True)
            if not aligned:
                return False
        return whole

    def aligned(self, expr: Expr, constants: bool = False) -> bool:
        """Whether a position is a multiple of the vector length; with `constants`: but for what point axes and the constant add."""
        points = {a.name for a in self.points_axes} if constants else set()
        rest = all(c % 4 == 0 or (isinstance(a, Dim) and a.name in points) or clamped(a) for a, c in expr.terms)
        nested = {a.name for a in expr.atoms() if isinstance(a, Dim)} & points if constants else set()
        plain = {a.name for a, _ in expr.terms if isinstance(a, Dim)}
        return rest and nested <= plain and (constants or expr.const % 4 == 0)

    def _takes_vectors(self, op: LoadOp | StoreOp) -> bool:
        """Whether the lanes of an access are one aligned vector."""
        assert self.lane is not None
        lane, flat = self.lane.expr, self.flat[op]
        (atom, _), *_ = lane.terms
        conditions = op.conditions.data if op.conditions is not None else ()
        if op.symbols or self.lanes_count != 4 or any(self.lane.name in c.expr.dims() for c in conditions):
            return False
        rest = flat - lane
        return flat.coefficient(atom) == 1 and self.lane.name not in rest.dims() and self.aligned(rest)

    # -- the kernel -------------------------------------------------------------------------------------------------------------------------

    def run(self) -> thread.ModuleOp:
        """The gpu.module with the kernel."""
        self._bind()
        guard = self._place_axes()
        if any(a.extent == 0 for a in self.nest.axes.data if a.role == "par"):
            self.grid = (0, 1, 1)
        with self.when(0, guard) as self.entry:
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
        block = self.scopes[0].block
        block.add_op(thread.ReturnOp.create())
        func = thread.FuncOp(
            "main", ([], []), Region(block), kernel=True, known_block_size=self._block_size(), known_grid_size=self.grid
        )
        return thread.ModuleOp.make(self.func.sym_name.data, func)

    def _block_size(self) -> tuple[int, int, int]:
        return (self.threads, 1, 1)

    def _bind(self) -> None:
        self.buffers: dict[SSAValue, SSAValue] = {}
        written = {op.buffer for op in self.stores}
        names = dict(zip(self.nest.operands, self.nest.block.args, strict=True))
        for number, arg in enumerate(self.func.body.block.args):
            inner = names.get(arg)
            type = arg.type
            assert isinstance(type, MemRefType)
            element, count = memory_type(type.element_type), prod(type.get_shape())
            if inner in self.vectors:
                element, count = vector_of(element, 4), -(-count // 4)
            binding = BindingOp.make(
                number, "read_write" if inner in written else "read", memref_type(element, max(count, 1), GLOBAL)
            )
            value = self.emit(0, binding)
            value.name_hint = (
                arg.name_hint
                or (inner.name_hint if inner is not None else None)
                or ("out" if inner in written else "in")
            )
            if inner is not None:
                self.buffers[inner] = value
        if len(self.nest.operands) != len(names):
            raise LoweringError("a buffer is bound twice to one nest")

    def _block_id(self, dimension: str) -> SSAValue:
        memo = self.scopes[0].memo
        if (known := memo.get(dimension)) is None:
            attr = gpu.DimensionAttr(gpu.DimensionEnum(dimension))
            op = thread.BlockIdOp.create(result_types=[INDEX], properties={"dimension": attr})
            known = memo[dimension] = self.emit(0, op)
        return known

    def _local_index(self) -> SSAValue:
        memo = self.scopes[0].memo
        if (known := memo.get("li")) is None:
            known = memo["li"] = self.emit(0, LocalIndexOp.create(result_types=[INDEX]))
            self.axis_value["$li"], self.at["$li"] = known, 0
        return known

    def _know(self, names: Sequence[Axis], position: Expr) -> None:
        """Axes that are the digits of a number, the last one fastest."""
        step = 1
        for axis in reversed(names):
            if axis.extent > 1:
                value = self.index(position // step % axis.extent)
                self.axis_value[axis.name], self.at[axis.name] = value, 0
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

    # -- loops ------------------------------------------------------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return len(self.scopes) - 1

    def loops(self, names: Sequence[str], roots: Sequence[object], body: Callable[[], object]) -> None:
        """Runs `body` inside loops over these axes; tiles that `roots` read are filled where their loop begins."""
        if not names:
            body()
            return
        name, rest = names[0], names[1:]
        tiles = [t for op, t in self.tiles.items() if t.at == name and any(self._reads(r, op) for r in roots)]
        axis = self.axes[name]
        inner = lambda: self.loops(rest, roots, body)  # noqa: E731
        if not tiles:
            if axis.extent == 1:
                self._straight(name, Expr(0), inner)
            else:
                self._loop(name, axis.extent, None, inner)
            return
        piped = all(t.piped for t in tiles) and axis.extent > 1
        top = self.depth
        if not piped:

            def staged() -> None:
                self.fill(tiles, self.depth)
                inner()
                if axis.extent > 1 or top > self.entry:
                    self.barrier(self.depth)

            if axis.extent == 1:
                self._straight(name, Expr(0), staged)
            else:
                self._loop(name, axis.extent, None, staged)
            return
        self._pipeline(name, axis.extent, tiles, inner)

    def _pipeline(self, name: str, rounds: int, tiles: list[Tile], inner: Callable[[], None]) -> None:
        """While one tile is worked on, the next is on its way into registers; two buffers, one barrier a round."""
        if self.depth > self.entry:
            self.barrier(self.depth)

        def first() -> None:
            for tile in tiles:
                tile.write(tile.fetch(), 0)

        def steady() -> None:
            k = dim(f"${name}", rounds - 1)
            self.axis_value["$slot"], self.at["$slot"] = self.index(k % 2), self.depth
            self.subst[name] = k + 1
            fetched = [tile.fetch() for tile in tiles]
            self.subst[name], self.subst["$slot"] = k, dim("$slot", 2)
            inner()
            self.subst["$slot"] = 1 - dim("$slot", 2)
            for tile, values in zip(tiles, fetched, strict=True):
                tile.write(values, None)
            self.barrier(self.depth)

        def last() -> None:
            self.subst["$slot"] = Expr((rounds - 1) % 2)
            inner()

        self._straight(name, Expr(0), first)
        self.barrier(self.depth)
        if rounds > 1:
            self._loop(name, rounds - 1, f"${name}", steady)
        self._straight(name, Expr(rounds - 1), last)
        self.subst.pop("$slot", None)

    def _straight(self, name: str, value: Expr, body: Callable[[], None]) -> None:
        """A round of a loop written without one: a scope of its own on the same block, where the axis is a constant."""
        outer, known = self.scopes, self.at.get(name)
        self.scopes = [*outer, Scope(outer[-1].block)]
        self.at[name], self.subst[name] = self.depth, value
        body()
        self.scopes = outer
        del self.subst[name]
        if known is None:
            del self.at[name]

    def _loop(self, name: str, extent: int, as_: str | None, body: Callable[[], None]) -> None:
        """A loop over an axis, which stands for `as_` (another name) if given."""
        block = Block(arg_types=[INDEX])
        block.args[0].name_hint = name
        bounds = [self.number(0), self.number(extent), self.number(1)]
        outer = self.scopes
        self.scopes = [*outer, Scope(block)]
        for known in {name, as_ or name}:
            self.at[known], self.axis_value[known] = self.depth, block.args[0]
        body()
        self.scopes = outer
        for known in {name, as_ or name}:
            del self.at[known], self.axis_value[known]
        self.subst.pop(name, None)
        block.add_op(scf.YieldOp.create())
        outer[-1].block.add_op(scf.ForOp.create(operands=bounds, regions=[Region(block)]))

    def fill(self, tiles: Sequence[Tile], depth: int) -> None:
        """Copies tiles, and waits until all invocations have."""
        for tile in tiles:
            tile.write(tile.fetch(), 0)
        if tiles:
            self.barrier(depth)

    def _reads(self, root: object, load: LoadOp) -> bool:
        """Whether a store or a reduction needs a load without closing another reduction in between."""
        stack, seen = list(root.operands), set()  # type: ignore[attr-defined]
        while stack:
            value = stack.pop()
            op = value.owner
            if op is load:
                return True
            if value not in seen and not isinstance(op, (Block, ReduceOp)):
                seen.add(value)
                stack.extend(op.operands)
        return False

    # -- values -----------------------------------------------------------------------------------------------------------------------------

    def all_points(self, names: Sequence[str]) -> Iterator[Point]:
        """Every combination of values of point axes."""
        for values in product(*(range(self.axes[n].extent) for n in names)):
            yield dict(zip(names, values, strict=True))

    def depth_for(self, key: object) -> int:
        """The outermost scope that knows all loops and entry axes of a value."""
        return max((self.at[a] for a in self.dims[key] if a in self.at), default=self.entry) or self.entry

    def at_point(self, expr: Expr, point: Point, op: LoadOp | StoreOp | IndexOp | InsideOp | None = None) -> Expr:
        """An index expression where point axes are constants, and symbols the values of the op's operands."""
        if not expr.terms:
            return expr
        subst = self.subst

        def replace(atom: Dim | Sym) -> Expr | None:
            if isinstance(atom, Sym):
                assert op is not None
                value = self.scalar(op.symbols[atom.number], point)
                return symbol_expr(self.symbol(value, self.home(value)), atom.lo, atom.hi)
            if (known := point.get(atom.name)) is not None:
                return Expr(known)
            return subst.get(atom.name)

        return expr.substitute(replace)

    def conditions(self, op: object, point: Point) -> SSAValue | None:
        """Whether the conditions of an op hold at a point."""
        holder = op.properties.get("conditions") or op.attributes.get("where")  # type: ignore[attr-defined]
        if not isinstance(holder, ConditionsAttr):
            return None
        return self.holds([Condition(self.at_point(c.expr, point, op), c.lo, c.hi) for c in holder.data])  # type: ignore[arg-type]

    def scalar(self, value: SSAValue, point: Point) -> SSAValue:
        """A value at a point that names the lane, if the value has lanes."""
        made = self.value(value, point)
        if isinstance(made.type, VectorType):
            assert self.lane is not None
            return self.lane_of(self.home(made), made, point[self.lane.name])
        return made

    def value(self, value: SSAValue, point: Point) -> SSAValue:
        """A value of the nest's body at a point; a vector where it has lanes."""
        key = (value, *(point[a] for a in self.points_of[value]))
        depth = self.depth_for(value)
        memo = self.scopes[depth].memo
        if (known := memo.get(key)) is not None:
            return known
        op = value.owner
        match op:
            case arith.ConstantOp():
                made = self.constant(op.value, value.type)
            case LoadOp():
                made = self.load_at(op, point)
            case ReduceOp():
                self.reduce(op)
                return memo[key]
            case IndexOp():
                made = self.by_lane(op, point, lambda p: self._index_value(op, p))
            case InsideOp():
                made = self.by_lane(op, point, lambda p: self._truth(self.conditions(op, p)))
            case _:
                assert not isinstance(op, Block)
                made = self.apply(depth, op, [self.value(v, point) for v in op.operands])
        memo[key] = made
        return made

    def _truth(self, value: SSAValue | None) -> SSAValue:
        return value if value is not None else self.constant(identity("and", i1), i1)

    def _index_value(self, op: IndexOp, point: Point) -> SSAValue:
        value = self.index(self.at_point(op.expr, point, op))
        return self.op(self.home(value), arith.IndexCastOp, value, type=op.result.type)

    def by_lane(self, op: object, point: Point, make: Callable[[Point], SSAValue]) -> SSAValue:
        """What `make` gives; where the op has lanes, the vector of what it gives for each."""
        if not self.in_lanes(op):
            return make(point)
        assert self.lane is not None
        values = [make(point | {self.lane.name: k}) for k in range(self.lanes_count)]
        return self.lanes(max(self.depth_for(op), *(self.home(v) for v in values)), values)

    # -- memory -----------------------------------------------------------------------------------------------------------------------------

    def load_at(self, op: LoadOp, point: Point) -> SSAValue:
        """What a load reads at a point."""
        if (tile := self.tiles.get(op)) is not None:
            made = tile.read(point)
        elif self.in_lanes(op) and op.buffer in self.vectors:
            assert self.lane is not None
            made = self.read(
                op.buffer, self.at_point(self.flat[op], point | {self.lane.name: 0}), self.conditions(op, point), True
            )
        else:
            made = self.by_lane(
                op,
                point,
                lambda p: self.read(op.buffer, self.at_point(self.flat[op], p, op), self.conditions(op, p), False),
            )
        return self.as_truth(made) if op.result.type == i1 else made

    def as_truth(self, value: SSAValue) -> SSAValue:
        """A truth value from how it lies in memory."""
        depth, zero = self.home(value), self.constant(identity("add", i32), i32)
        if isinstance(value.type, VectorType):
            zeros = self.broadcast(depth, zero, value.type)
            predicate = arith.CmpiOp(zero, zero, NE).properties
            return self.lanewise(depth, "arith.cmpi", [value, zeros], VectorType(i1, value.type.get_shape()), predicate)
        return self.compare(depth, NE, value, zero)

    def read(self, arg: SSAValue, position: Expr, condition: SSAValue | None, whole: bool) -> SSAValue:
        """An element of a buffer (or the vector of which it is the first); 0 where the condition fails."""
        memory = self.buffers[arg]
        if arg in self.vectors:
            vector_at = (position - position.const % 4) // 4
            value = self._read_one(memory, vector_at, condition)
            return value if whole else self.lane_of(self.home(value), value, position.const % 4)
        return self._read_one(memory, position, condition)

    def _read_one(self, memory: SSAValue, position: Expr, condition: SSAValue | None) -> SSAValue:
        depth = max(self.depth_of(position), 0 if condition is None else self.home(condition))
        depth = max(depth, self.entry)  # not before it is known that there is work
        memo, key = self.scopes[depth].memo, ("read", memory, position, condition)
        if (known := memo.get(key)) is None:
            if never(condition):
                type = memory.type.element_type  # type: ignore[attr-defined]
                element = element_of(type)
                zero = self.constant(identity("add", element), element)
                return self.broadcast(depth, zero, type) if isinstance(type, VectorType) else zero
            index = self.index(position)
            if condition is None:
                known = self.load(depth, memory, index)
            else:  # reads element 0 instead, without a branch
                loaded = self.load(depth, memory, self.select(depth, condition, index, self.number(0)))
                known = self.select(depth, condition, loaded, self.zero(depth, loaded))
            memo[key] = known
        return known

    def zero(self, depth: int, like: SSAValue) -> SSAValue:
        """The zero of a value's type."""
        return self.filled(depth, "add", like)

    def filled(self, depth: int, kind: str, like: SSAValue) -> SSAValue:
        """The identity of a reduction, of a value's type."""
        element = element_of(like.type)
        scalar = self.constant(identity(kind, element), element)
        return self.broadcast(depth, scalar, like.type) if isinstance(like.type, VectorType) else scalar

    def _store_all(self, op: StoreOp) -> None:
        """A store at all its points, where this invocation is the one to do it."""
        idle = [
            Condition(a.expr, 0, 1)
            for a in (*self.local_axes, *self.grid_axes, *self.flat_axes)
            if a.name not in self.dims[op] and a.extent > 1
        ]
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
            if op.combine is None:
                self.store(inside, value, memory, index)
            else:
                self.scopes[inside].block.add_op(AtomicOp.make(op.combine.data, value, memory, index))

    # -- reductions -------------------------------------------------------------------------------------------------------------------------

    def reduce(self, op: ReduceOp) -> None:
        """Computes a reduction at all its points, and with it those that run over the same axes and need nothing of it."""
        depth = self.depth_for(op)
        memo = self.scopes[depth].memo
        together = [op]
        for other in self.ops:
            if (
                isinstance(other, ReduceOp)
                and other is not op
                and set(other.axes) == set(op.axes)
                and self.depth_for(other) == self.depth_for(op)
                and not (self.dims[other] & self.loop_names) - self.at.keys()
                and not any(a in self.needs[b] for a in (*together, other) for b in (*together, other) if a is not b)
                and (other.result, *(0 for _ in self.points_of[other])) not in memo
            ):
                together.append(other)
        with self.outwards(depth):
            self._reduce_here(op, together, depth)

    @contextmanager
    def outwards(self, depth: int) -> Generator[None]:
        """As if only the scopes down to this depth were open: an axis may be looped over inside, which is open further in."""
        scopes, at, subst = self.scopes, self.at, self.subst
        self.scopes = scopes[: depth + 1]
        self.at = {name: d for name, d in at.items() if d <= depth}
        self.subst = {name: e for name, e in subst.items() if name in self.at or name == "$slot"}
        values = dict(self.axis_value)
        yield
        at.update((name, 0) for name, d in self.at.items() if d == 0)
        self.scopes, self.at, self.subst = scopes, at, subst
        self.axis_value.update(values)

    def _reduce_here(self, op: ReduceOp, together: list[ReduceOp], depth: int) -> None:
        names = [a.name for a in self.axes.values() if a.name in op.axes]
        loops = [
            n
            for n in names
            if n in self.loop_names and (self.axes[n].extent != 1 or any(t.at == n for t in self.tiles.values()))
        ]
        partial: dict[tuple[Any, ...], SSAValue] = {}
        looped = any(self.axes[n].extent != 1 for n in loops)
        self.loops(loops, together, lambda: self._accumulate(together, names, depth, partial, looped))
        if looped:
            partial = {k: self.load(depth, v) for k, v in partial.items()}
        finals: list[tuple[ReduceOp, tuple[Any, ...], SSAValue]] = []
        for each in together:
            accumulators = [n for n in names if self.axes[n].level == "reg" and self.axes[n].extent != 1]
            for point in self.all_points(self.points_of[each]):
                key = tuple(point.values())
                values = [partial[each, key, tuple(q.values())] for q in self.all_points(accumulators)]
                if self.lane is not None and self.lane.name in names and isinstance(values[0].type, VectorType):
                    whole = values[0]
                    for v in values[1:]:
                        whole = self.combine(depth, each.kind.data, whole, v)
                    values = [self.lane_of(depth, whole, k) for k in range(self.lanes_count)]
                finals.append((each, key, self._tree(depth, each.kind.data, values)))
        group = [a for a in self.axes.values() if a.level == "group" and a.name in names and a.extent > 1]
        if group:
            finals = self._across_group(depth, group, finals)
        for each, key, value in finals:
            self.scopes[depth].memo[each.result, *key] = value

    def _tree(self, depth: int, kind: str, values: list[SSAValue]) -> SSAValue:
        while len(values) > 1:
            pairs = [self.combine(depth, kind, a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
            values = pairs + values[len(pairs) * 2 :]
        return values[0]

    def _accumulate(
        self,
        ops: list[ReduceOp],
        names: list[str],
        outside: int,
        partial: dict[tuple[Any, ...], SSAValue],
        looped: bool,
    ) -> None:
        """The body of reduction loops: adds this round's values to the accumulators, variables declared outside if there are rounds."""
        unrolled = [n for n in names if self.axes[n].level == "unroll" and self.axes[n].extent != 1]
        accumulators = [n for n in names if self.axes[n].level == "reg" and self.axes[n].extent != 1]
        for u in self.all_points(unrolled):
            for op in ops:
                kind = op.kind.data
                for p in self.all_points(self.points_of[op]):
                    for q in self.all_points(accumulators):
                        key = (op, tuple(p.values()), tuple(q.values()))
                        point = p | q | u
                        known = partial.get(key)
                        if looped:
                            if known is None:
                                known = partial[key] = self._variable(op, outside)
                            total = self.load(self.depth, known)
                            self.store(self.depth, self._plus(kind, total, op, point), known)
                        elif known is None:
                            partial[key] = self._masked(op, self.value(op.value, point), point)
                        else:
                            partial[key] = self._plus(kind, known, op, point)

    def _variable(self, op: ReduceOp, depth: int) -> SSAValue:
        type = op.value.type
        scalar = self.constant(identity(op.kind.data, type), type)
        if self.in_lanes(op.value):
            vector_type = vector_of(type, self.lanes_count)
            scalar = self.broadcast(depth, scalar, vector_type)
        value = self.emit(depth, VarOp(scalar))
        value.name_hint = "acc"
        return value

    def _masked(self, op: ReduceOp, value: SSAValue, point: Point) -> SSAValue:
        """A value, or the identity where it is not to count."""
        if "where" not in op.attributes:
            return value
        if self.lane is not None and self.lane.name in op.axes:
            tests = [self.conditions(op, point | {self.lane.name: k}) for k in range(self.lanes_count)]
            condition = tests[0]
            if any(t is not condition for t in tests):
                truths = [self._truth(t) for t in tests]
                condition = self.lanes(max(map(self.home, truths)), truths)
                if not isinstance(value.type, VectorType):
                    value = self.broadcast(self.home(value), value, vector_of(value.type, self.lanes_count))
        else:
            condition = self.conditions(op, point)
        if condition is None:
            return value
        depth = max(self.home(value), self.home(condition))
        return self.select(depth, condition, value, self.filled(depth, op.kind.data, value))

    def _plus(self, kind: str, total: SSAValue, op: ReduceOp, point: Point) -> SSAValue:
        """`total` combined with the value at a point: one fused multiply-add where it is a sum of products."""
        source = op.value.owner
        if kind == "add" and isinstance(source, arith.MulfOp) and op.value.type == F32 and "where" not in op.attributes:
            a, b = (self.value(v, point) for v in source.operands)
            if isinstance(total.type, VectorType):
                a, b = (
                    v if isinstance(v.type, VectorType) else self.broadcast(self.home(v), v, total.type) for v in (a, b)
                )
                return self.emit(self.depth, vector.FMAOp.create(operands=[a, b, total], result_types=[total.type]))
            fma = math.FmaOp.create(
                operands=[a, b, total], result_types=[F32], properties={"fastmath": arith.FastMathFlagsAttr("none")}
            )
            return self.emit(self.depth, fma)
        value = self._masked(op, self.value(op.value, point), point)
        if isinstance(total.type, VectorType) and not isinstance(value.type, VectorType):
            value = self.broadcast(self.depth, value, total.type)
        return self.combine(self.depth, kind, total, value)

    def _across_group(
        self, depth: int, group: list[Axis], finals: list[tuple[ReduceOp, tuple[Any, ...], SSAValue]]
    ) -> list[tuple[ReduceOp, tuple[Any, ...], SSAValue]]:
        """Partial results of the invocations of a group combined through workgroup memory: a tree with a barrier at each step."""
        names = [a.name for a in self.local_axes]
        first, last = names.index(group[0].name), names.index(group[-1].name)
        if last - first + 1 != len(group):
            raise LoweringError("group axes must be neighbours among the axes of a workgroup")
        stride = prod(a.extent for a in self.local_axes[last + 1 :])
        size = prod(a.extent for a in group)
        place = dim("$li", self.threads)
        mine = place // stride % size
        slots: list[tuple[SSAValue, Expr]] = []
        counts: dict[object, int] = {}
        for _, _, value in finals:
            memory_key = i32 if value.type == i1 else value.type
            slots.append((memory_key, place + counts.get(memory_key, 0) * self.threads))  # type: ignore[arg-type]
            counts[memory_key] = counts.get(memory_key, 0) + 1
        memories: dict[object, SSAValue] = {}
        for type, count in counts.items():
            memory = self.scratch.get((type, count))
            if memory is None:
                alloc = WorkgroupAllocOp.create(result_types=[memref_type(type, count * self.threads, WORKGROUP)])  # type: ignore[arg-type]
                memory = self.scratch[type, count] = self.emit(0, alloc)
                memory.name_hint = "partial"
            elif depth <= self.entry:
                self.barrier(depth)
            memories[type] = memory
        stored = [(memories[type], at) for type, at in slots]
        for (memory, at), (_, _, value) in zip(stored, finals, strict=True):
            if value.type == i1:
                value = self.op(depth, arith.ExtUIOp, value, type=i32)
            self.store(depth, value, memory, self.index(at))
        self.barrier(depth)
        while size > 1:
            half = (size + 1) // 2
            with self.when(depth, self.holds([Condition(mine, 0, size - half)])) as inside:
                for (memory, at), (op, _, _) in zip(stored, finals, strict=True):
                    a = self.load(inside, memory, self.index(at))
                    b = self.load(inside, memory, self.index(at + half * stride))
                    self.store(inside, self.combine(inside, op.kind.data, a, b), memory, self.index(at))
            self.barrier(depth)
            size = half
        results = []
        for (memory, at), (op, key, value) in zip(stored, finals, strict=True):
            total = self.load(depth, memory, self.index(at - mine * stride))
            results.append((op, key, self.as_truth(total) if value.type == i1 else total))
        if depth > self.entry:
            self.barrier(depth)
        return results


def lower(func: FuncOp) -> thread.ModuleOp:
    """The gpu.module for a kernel."""
    return Lowering(func).run()

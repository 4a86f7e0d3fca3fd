"""Values of a nest's body, at points and in lanes.

A *point* gives each `reg` or `unroll` axis a constant; the `lane` axis makes vectors. A value is made on demand: asked for at a point, it asks its operands at that point, and
lands in the outermost scope that knows the loops it depends on (see `emitter`). What a load gives comes from its tile, if it is staged (see `tiles`), else from its buffer:
by whole vectors where every access to the buffer takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import MemRefType, VectorType, i1, i32, i64
from xdsl.ir import Block, SSAValue

from weft.dialects.kernel.affine import Condition, Dim, Expr, Sym, linearize
from weft.dialects.kernel.affine import symbol as symbol_expr
from weft.dialects.kernel.attributes import Axis, ConditionsAttr
from weft.dialects.kernel.identity import identity
from weft.dialects.kernel.ops import IndexOp, InsideOp, LoadOp, NestOp, ReduceOp, StoreOp
from weft.passes.gpu.emitter import NE, Emitter, element_of
from weft.passes.gpu.tiles import Point, Tile, clamped

WORKGROUP_SIZES = (64, 256)
"""Invocations of a workgroup where the schedule says nothing; the larger one from `MANY` on, so that starting workgroups takes no time."""

MANY = 1 << 16


def never(condition: SSAValue | None) -> bool:
    """Whether a condition is known to fail (the only constant that `holds` gives)."""
    return condition is not None and isinstance(condition.owner, arith.ConstantOp)


class Values(Emitter):
    """What the body of one nest computes."""

    def __init__(self, nest: NestOp):
        super().__init__()
        self.nest = nest
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
        self.own = self.threads
        """Invocations of a workgroup that have work of their own."""
        if self.flat_axes:
            self.own = self.threads = WORKGROUP_SIZES[prod(a.extent for a in self.flat_axes) >= MANY]
        self.loop_names = {
            a.name for a in nest.axes.data if a.level == "loop" or (a.level == "none" and a.role == "red")
        }
        self.tiles = {op: Tile(self, op) for op in self.ops if isinstance(op, LoadOp) and op.stage is not None}
        self.loop_names |= {t.at for t in self.tiles.values() if t.at != "entry"}
        self._analyse()
        self.vectors = {a for a in nest.block.args if self._is_vector(a)}
        self.buffers: dict[SSAValue, SSAValue] = {}
        self.scratch: dict[tuple[Any, ...], SSAValue] = {}
        self.base = 0  # the depth at which the places of invocations among the axes are known
        self.entry = 0  # the depth at which work begins: one more if it stands under a guard

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
            if isinstance(op, StoreOp) and op.combine is not None:  # at each point, though all write the same
                axes |= {a.name for a in self.nest.axes.data if a.role == "par"}
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
        """A buffer is bound as vectors if some access takes whole ones, and none disagrees. An integer of 64 bits is a pair already."""
        if arg.type.element_type == i64:  # type: ignore[attr-defined]
            return False
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
        points = {a.name for a in self.points_axes} if constants else set[str]()
        rest = all(c % 4 == 0 or (isinstance(a, Dim) and a.name in points) or clamped(a) for a, c in expr.terms)
        nested = {a.name for a in expr.atoms() if isinstance(a, Dim)} & points if constants else set[str]()
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

    def reduce(self, op: ReduceOp) -> None:
        """Computes a reduction at all its points and remembers what it gives."""
        raise NotImplementedError

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

"""What is known while a nest is emitted: open levels, values made so far, points of register axes.

A *level* is an open loop, or the function itself. A *point* says which register coordinate is meant, and (if one lane is asked for by itself) which lane. A *task* is what a
loop is run for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple

from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.affine import Condition, Expr
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp
from weft.dialects.wasm.builder import At, FuncBuilder, Open
from weft.dialects.wasm.code import Block, Value
from weft.passes.schedule.steps import depends
from weft.passes.wasm.lanes import Lanes

REGISTER_LEVELS = ("reg", "unroll", "lane")
VECTOR = -1  # the coordinate of the lane axis in a point that means all of its lanes

Point = tuple[int, ...]


class Val(NamedTuple):
    """A Wasm value, the number of the level it is made in, and whether it is a vector of lanes."""

    ssa: Value
    level: int
    vector: bool = False


@dataclass
class Level:
    """An open loop, or (number 0) the function: where code that belongs there is written."""

    block: Block
    axis: str | None = None
    index: Value | None = None
    first: Value | None = None  # the axis' first value, where it is not 0
    keys: list[tuple[Any, ...]] = field(
        default_factory=list[tuple[Any, ...]]
    )  # the partial results that the loop carries
    loop: Open | None = None
    pointers: list[tuple[Value, int]] = field(
        default_factory=list[tuple[Value, int]]
    )  # that the loop carries, and their steps
    memo: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    done: list[ReduceOp] = field(default_factory=list[ReduceOp])
    apart: bool = False  # its reductions have become a function of their own


@dataclass(eq=False)
class Task:
    """What a loop is run for: a store, an open reduction, or (with a target) writing the op's value to scratch memory."""

    op: Operation
    axes: frozenset[str]
    points: Sequence[Point]
    """All points over the register axes among its axes; the others are 0, the lane axis is whole."""
    vector: bool
    """Whether it works on all lanes at once."""
    partials: dict[tuple[Any, ...], Point] = field(default_factory=dict)
    """Of a reduction: the keys of its partial results, each with the first point that goes to it."""
    separate: tuple[int, ...] = ()
    """Of a reduction: the coordinates whose values have partial results of their own; steps on level unroll share one."""
    target: Access | None = None


@dataclass(eq=False)
class Access:
    """Where a load or a store goes: a flat index expression into a buffer."""

    base: Value
    element: Attribute
    flat: Expr
    symbols: Sequence[SSAValue] = ()
    conditions: tuple[Condition, ...] = ()


class State:
    """The state of one nest's emission. `bases` are the addresses of the nest's operands, `scratch` hands out memory of this thread."""

    def __init__(
        self,
        b: FuncBuilder,
        nest: NestOp,
        bases: Sequence[Value],
        *,
        scratch: Callable[[int], Value],
        bounds: tuple[Value, Value] | None = None,
        staged: dict[Operation, Access] | None = None,
        relaxed: bool = True,
    ):
        self.b, self.nest, self.scratch, self.bounds = b, nest, scratch, bounds
        self.bases = dict(zip(nest.block.args, bases, strict=True))
        self.staged = staged if staged is not None else {}
        axes = nest.axes.data
        self.extents = {a.name: a.extent for a in axes}
        self.loops = [a for a in axes if a.level not in REGISTER_LEVELS and a.extent != 1]
        self.points = [a for a in axes if a.level in REGISTER_LEVELS]
        self.position = {a.name: k for k, a in enumerate(self.points)}
        lanes = [a for a in self.points if a.level == "lane"]
        if len(lanes) > 1:
            raise PassFailedException(f"kernel-to-wasm: one axis may be on level lane, got {nest.axes}")
        self.lane = lanes[0].name if lanes else None
        self.lanes = Lanes(b, lanes[0].extent if lanes else 4, relaxed)
        self.axes_of = depends(nest)
        self.picks: dict[object, Callable[[Point], Point]] = {}
        self.memo: dict[tuple[Any, ...], Val] = {}
        self.accesses: dict[Operation, Access] = {}
        self.levels = [Level(b.block)]
        self.tasks: dict[Operation, Task] = {}
        self.forms: dict[Expr, tuple[Any, ...]] = {}
        self.names: dict[Any, tuple[set[str], set[int]]] = {}
        self.constants: dict[tuple[Any, ...], Value] = {}
        self.accs: dict[tuple[Any, ...], Value] = {}
        self.done: set[ReduceOp] = set()
        self.opened: set[ReduceOp] = set()
        self.kept: dict[SSAValue, tuple[str, Access]] = {}
        self.direct = self._direct_reductions()
        self.outline = nest.attributes["outline"].data if "outline" in nest.attributes else None  # type: ignore[attr-defined]
        self.order = {op: k for k, op in enumerate(nest.block.ops)}
        self.stages: dict[str, list[LoadOp]] = {}
        for op in nest.block.ops:
            if isinstance(op, LoadOp) and op.stage is not None and op not in self.staged:
                self.stages.setdefault(op.stage.data["at"].data, []).append(op)  # type: ignore[attr-defined]

    # -- what the parts of the emitter ask of each other ----------------------------------------------------------------------------------

    def demand(self, value: SSAValue, point: Point) -> Val:
        """The Wasm value of a value of the body at a point; a vector if it depends on the lane and the point does not fix it."""
        raise NotImplementedError

    def wide(self, value: SSAValue, point: Point) -> Val:
        """A value as a vector, whether it depends on the lane or not."""
        raise NotImplementedError

    def _make(self, op: Operation, value: SSAValue, point: Point, vector: bool) -> Val:
        """Emits what makes a value."""
        raise NotImplementedError

    # -- who needs whom -----------------------------------------------------------------------------------------------------------------

    def _direct_reductions(self) -> dict[object, frozenset[ReduceOp]]:
        """The reductions on which each value, and each store, depends without another one between."""
        found: dict[object, frozenset[ReduceOp]] = {}
        for op in self.nest.block.ops:
            reductions: set[ReduceOp] = set()
            for operand in op.operands:
                reductions |= (
                    {operand.owner} if isinstance(operand.owner, ReduceOp) else found.get(operand, frozenset())
                )
            found[op] = frozenset(reductions)
            for result in op.results:
                found[result] = found[op]
        return found

    def _task(self, op: Operation) -> Task:
        if (known := self.tasks.get(op)) is not None:
            return known
        axes = self.axes_of[op]
        if isinstance(op, ReduceOp):
            axes = self.axes_of.get(op.value, frozenset()) | frozenset(op.axes)
            if (where := op.attributes.get("where")) is not None:
                axes |= {name for c in where.data for name in c.expr.dims()}  # type: ignore[attr-defined]
        known = self.tasks[op] = self._new_task(op, axes)
        return known

    def _new_task(self, op: Operation, axes: frozenset[str], target: Access | None = None) -> Task:
        ranges = [(VECTOR,) if a.level == "lane" else range(a.extent) if a.name in axes else (0,) for a in self.points]
        closed = op.axes if isinstance(op, ReduceOp) else ()
        separate = tuple(
            k for k, a in enumerate(self.points) if a.name in axes and not (a.level == "unroll" and a.name in closed)
        )
        vector = self.lane is not None and self.lane in axes
        points, partials = list(product(*ranges)), dict[tuple[Any, ...], Point]()
        if isinstance(op, ReduceOp):
            for point in points:
                partials.setdefault((op, *(point[k] for k in separate)), point)
        return Task(op, axes, points, vector, partials, separate, target)

    # -- points -------------------------------------------------------------------------------------------------------------------------

    def _place(self, axes: frozenset[str]) -> tuple[int, ...]:
        """Positions in a point of the register axes among these."""
        return tuple(k for k, a in enumerate(self.points) if a.name in axes)

    def _project(self, value: object, point: Point) -> Point:
        """The coordinates of a point on which a value depends."""
        pick = self.picks.get(value)
        if pick is None:
            pick = self.picks[value] = _picker(self._place(self.axes_of.get(value, frozenset())))
        return pick(point)

    def _whole(self, axes: frozenset[str], point: Point) -> bool:
        """Whether what depends on these axes is a vector at this point."""
        return self.lane is not None and self.lane in axes and point[self.position[self.lane]] == VECTOR

    def _each_lane(self, point: Point) -> list[Point]:
        at = self.position[self.lane]  # type: ignore[index]
        return [(*point[:at], lane, *point[at + 1 :]) for lane in range(self.lanes.count)]

    # -- values made --------------------------------------------------------------------------------------------------------------------

    def _at(self, level: int) -> At:
        """`with self._at(level):` writes in an outer level."""
        return self.b.at(self.levels[level].block)

    def _remember(self, key: tuple[Any, ...], value: Val) -> Val:
        self.memo[key] = value
        self.levels[value.level].memo.append(key)
        return value

    def number(self, value: int) -> Value:
        """An i32 constant; one op for all its uses."""
        if (known := self.constants.get(("i32", value))) is None:
            with self._at(0):
                known = self.constants["i32", value] = self.b.const_i32(value)
        return known

    def constant(self, value: float, type: Attribute, vector: bool) -> Value:
        """A constant of an element type, or a vector of it; one op for all its uses."""
        key = (repr(value), type, vector)
        if (known := self.constants.get(key)) is None:
            with self._at(0):
                known = self.constants[key] = self.lanes.constant(value, type, vector)
        return known


@cache
def _picker(place: tuple[int, ...]) -> Callable[[Point], Point]:
    """Picks some coordinates of a point."""
    if len(place) > 1:
        return itemgetter(*place)
    return (lambda point: (point[place[0]],)) if place else (lambda point: ())

"""From a scheduled nest to the body of a Wasm function.

Open loops are a stack of levels. A value is made on demand, in the outermost level that it depends on, and remembered by (value, point), where a point says which register
coordinate (and, if one lane is asked for by itself, which lane). So invariant code is hoisted, shared and never dead without any later pass. Addresses are linear forms: a
term over a loop axis becomes a pointer that the loop carries, one over a register axis an offset in the instruction, the lane decides how to load.

Loops are made where results are asked for. At a level, the reductions that can be finished there are ranked by who needs whom; each rank is one run through the loops
below (softmax: a row's maximum, its sum, its stores). A value marked `keep` is written to scratch memory by the first run that makes it, and read by later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from xdsl.dialects import arith
from xdsl.dialects.builtin import MemRefType, i1, i32
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.affine import Atom, Condition, Dim, Div, Expr, Min, Mod, Sym, dim, linearize
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.ops import IndexOp, InsideOp, LoadOp, NestOp, ReduceOp, StoreOp
from weft.dialects.wasm.builder import FuncBuilder
from weft.dialects.wasm.control import BreakIfOp, LoopOp
from weft.dialects.wasm.values import ConstOp
from weft.passes.schedule.steps import depends
from weft.passes.wasm.lanes import Lanes, identity
from weft.passes.wasm.memory import element_bytes, load_element, load_vector, store_element, store_vector

REGISTER_LEVELS = ("reg", "unroll", "lane")
VECTOR = -1  # the coordinate of the lane axis in a point that means all of its lanes

Point = tuple[int, ...]


class Val(NamedTuple):
    """A Wasm value, the number of the level it is made in, and whether it is a vector of lanes."""

    ssa: SSAValue
    level: int
    vector: bool = False


@dataclass
class Level:
    """An open loop, or (number 0) the function: where code that belongs there is written."""

    block: Block
    axis: str | None = None
    index: SSAValue | None = None
    first: SSAValue | None = None  # the axis' first value, where it is not 0
    keys: list[tuple] = field(default_factory=list)  # the partial results that the loop carries
    carried: list[tuple[SSAValue, BlockArgument, int]] = field(
        default_factory=list
    )  # pointers: initial value, argument, step
    memo: list[tuple] = field(default_factory=list)
    done: list[ReduceOp] = field(default_factory=list)


@dataclass(eq=False)
class Task:
    """What a loop is run for: a store, an open reduction, or (with a target) writing the op's value to scratch memory."""

    op: Operation
    axes: frozenset[str]
    target: Access | None = None


@dataclass(eq=False)
class Access:
    """Where a load or a store goes: a flat index expression into a buffer."""

    base: SSAValue
    element: Attribute
    flat: Expr
    symbols: Sequence[SSAValue] = ()
    conditions: tuple[Condition, ...] = ()


class Emitter:
    """Emits one nest into a function. `bases` are the addresses of the nest's operands, `scratch` hands out memory of this thread."""

    def __init__(
        self,
        b: FuncBuilder,
        nest: NestOp,
        bases: Sequence[SSAValue],
        *,
        scratch: Callable[[int], SSAValue],
        bounds: tuple[SSAValue, SSAValue] | None = None,
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
        self.places: dict[object, tuple[int, ...]] = {}
        self.memo: dict[tuple, Val] = {}
        self.accesses: dict[Operation, Access] = {}
        self.levels = [Level(b.block)]
        self.tasks: dict[Operation, Task] = {}
        self.forms: dict[Expr, tuple] = {}
        self.names: dict[Expr, tuple[set[str], set[int]]] = {}
        self.constants: dict[tuple, SSAValue] = {}
        self.accs: dict[tuple, SSAValue] = {}
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

    def emit(self) -> None:
        """The whole nest."""
        if any(a.role == "par" and not a.extent for a in self.nest.axes.data):
            return
        self._arrange_loops()
        self.complete([self._task(op) for op in self.nest.block.ops if isinstance(op, StoreOp)], 0)

    def _arrange_loops(self) -> None:
        """Puts the loops that a reduction keeps outside of those that it closes. Where two reductions want opposite orders, the later one is made first, into scratch memory."""
        loops = self.loops
        inner: dict[str, set[str]] = {a.name: set() for a in loops}  # axis -> those that must be inside of it
        for op in self.nest.block.ops:
            if not isinstance(op, ReduceOp):
                continue
            closed, kept = inner.keys() & set(op.axes), inner.keys() & self.axes_of[op]
            if not closed or not kept:
                continue
            wanted = {name: below | (closed if name in kept else set()) for name, below in inner.items()}
            if (arranged := _arranged(loops, wanted)) is not None:
                inner, self.loops = wanted, arranged
                continue
            ahead = {name: closed if name in kept else set() for name in inner}
            self.loops = _arranged(loops, ahead) or loops
            access = self._scratch_access([a.name for a in loops if a.name in kept], op.result.type)
            self.complete([Task(op, frozenset(kept), access)], 0)
            self.staged[op] = access
            self.done.add(op)
            self.loops = _arranged(loops, inner) or loops

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
        known = self.tasks[op] = Task(op, axes)
        return known

    def _needed(self, task: Task) -> list[ReduceOp]:
        """All reductions that must be finished before the task can be, as far as they are not available."""
        found: dict[ReduceOp, None] = {}
        stack = [task.op] if task.target is not None and isinstance(task.op, ReduceOp) else list(self.direct[task.op])
        while stack:
            reduction = stack.pop()
            if reduction not in self.done and reduction not in found:
                found[reduction] = None
                stack.extend(self.direct[reduction])
        return list(found)

    # -- runs through the loops ---------------------------------------------------------------------------------------------------------

    def complete(self, tasks: list[Task], depth: int) -> None:
        """Does the tasks, in the loops from number `depth` on, after the reductions that they need and that belong here."""
        below = {a.name for a in self.loops[depth:]}
        needed = [self._needed(task) for task in tasks]
        found = {r for some in needed for r in some if r not in self.opened and not (self.axes_of[r] & below)}
        here = sorted(found, key=self.order.__getitem__)
        ranks: dict[ReduceOp, int] = {}

        def rank_after(reductions: Sequence[ReduceOp]) -> int:
            return max((ranks[r] + 1 for r in reductions if r in ranks), default=0)

        for reduction in here:  # in the order of the body, so that those it needs have their rank
            ranks[reduction] = rank_after(self._needed(self._task(reduction)))
        own = [rank_after(some) for some in needed]
        for rank in range(max((*own, *ranks.values()), default=-1) + 1):
            new = [r for r in here if ranks[r] == rank]
            for reduction in new:
                self._open(reduction)
            self._run([self._task(r) for r in new] + [t for t, at in zip(tasks, own, strict=True) if at == rank], depth)
            for reduction in new:
                self._close(reduction)
            self._settle_kept()

    def _run(self, tasks: list[Task], depth: int) -> None:
        if depth == len(self.loops):
            self._innermost(tasks)
            return
        axis = self.loops[depth]
        inside = [t for t in tasks if axis.name in t.axes]
        outside = [t for t in tasks if axis.name not in t.axes]
        if outside:
            self.complete(outside, depth + 1) if inside else self._run(outside, depth + 1)
        if inside and axis.extent:
            self._loop(axis, inside, depth)

    def _innermost(self, tasks: list[Task]) -> None:
        """All tasks at one point of the loops. Between steps on level unroll stands an exit that is never taken: without it, Cranelift moves all sums of a round to its end,
        and runs out of registers."""
        level = self.levels[-1]
        steps = next((a for a in self.points if a.level == "unroll" and any(a.name in t.axes for t in tasks)), None)
        if steps is None or not level.keys:
            for task in tasks:
                self._perform(task, None)
            return
        for step in range(steps.extent):
            for task in tasks:
                self._perform(task, (self.position[steps.name], step))
            if step < steps.extent - 1:
                never = self.b.inst("i32.eq", level.index, self.number(-1))  # type: ignore[arg-type]
                self.b.block.add_op(BreakIfOp.create(operands=[never, *(self.accs[key] for key in level.keys)]))

    def _loop(self, axis: Axis, tasks: list[Task], depth: int) -> None:
        """One loop; the partial results of open reductions are carried around it."""
        b = self.b
        keys = [key for t in tasks if isinstance(t.op, ReduceOp) and t.target is None for key in self._keys(t.op)]
        outer = b.block
        dynamic = self.bounds is not None and axis.level == "grid"
        first = self.bounds[0] if dynamic else self.number(0)  # type: ignore[index]
        last = self.bounds[1] if dynamic else self.number(axis.extent)  # type: ignore[index]
        block = Block(arg_types=[i32, *(self.accs[k].type for k in keys)])
        inits = [first, *(self.accs[k] for k in keys)]
        level = Level(block, axis.name, block.args[0], first if dynamic else None, keys)
        self.levels.append(level)
        b.block = block
        for key, arg in zip(keys, block.args[1:], strict=True):
            self.accs[key] = arg
        self._fill_stages(axis.name, depth + 1)
        self.complete(tasks, depth + 1)
        if axis.name == self.outline and all(t.target is None for t in tasks) and not keys:
            self._outline(block)
        results = [self.accs[k] for k in keys]
        index = b.inst("i32.add", block.args[0], self.number(1))
        steps = [b.inst("i32.add", arg, self.number(step)) for _, arg, step in level.carried]
        b.continue_if(b.inst("i32.lt_u", index, last), index, *results, *steps)
        b.yield_(*results)
        self._pop()
        b.block = outer
        inits += [init for init, _, _ in level.carried]
        loop = LoopOp.create(operands=inits, result_types=[r.type for r in results], regions=[Region(block)])
        outer.add_op(loop)
        self.accs.update(zip(keys, loop.results, strict=True))

    def _outline(self, block: Block) -> None:
        """Moves what a loop's body holds so far into a function of its own, where the register allocator has nothing else to think of."""
        inside: set[SSAValue] = set()
        captured: dict[SSAValue, None] = {}
        body = list(block.ops)
        for op in body:
            for inner in op.walk():
                inside.update(inner.results)
                for region in inner.regions:
                    inside.update(a for b in region.blocks for a in b.args)
                captured.update((v, None) for v in inner.operands if v not in inside)
        constants = [v for v in captured if isinstance(v.owner, ConstOp)]
        values = [v for v in captured if not isinstance(v.owner, ConstOp)]
        function = self.b.module.func(f"{self.b.function.sym_name.data}_{self.outline}", [v.type for v in values])
        replace: dict[SSAValue, SSAValue] = dict(zip(values, function.args, strict=True))
        replace |= {v: function.const(v.owner.properties["value"]) for v in constants}  # type: ignore[union-attr]
        for op in body:
            op.detach()
            function.block.add_op(op)
            for inner in op.walk():
                if any(v in replace for v in inner.operands):
                    inner.operands = [replace.get(v, v) for v in inner.operands]
        function.return_()
        self.b.call(function.function.sym_name.data, *values)

    def _pop(self) -> None:
        level = self.levels.pop()
        for key in level.memo:
            del self.memo[key]
        self.done.difference_update(level.done)
        for value, (_, access) in list(self.kept.items()):
            if value.owner.attributes["keep"].data == level.axis:  # type: ignore[union-attr]
                self.kept[value] = ("empty", access)
        for load in self.stages.get(level.axis or "", ()):
            del self.staged[load]

    # -- reductions ---------------------------------------------------------------------------------------------------------------------

    def _place(self, axes: frozenset[str]) -> tuple[int, ...]:
        """Positions in a point of the register axes among these."""
        return tuple(k for k, a in enumerate(self.points) if a.name in axes)

    def _points(self, axes: frozenset[str]) -> Iterator[Point]:
        """All points over the register axes among these; the others are 0, the lane axis is whole."""
        ranges = [(VECTOR,) if a.level == "lane" else range(a.extent) if a.name in axes else (0,) for a in self.points]
        return product(*ranges)

    def _key(self, op: ReduceOp, point: Point) -> tuple:
        """Which partial result of a reduction a point goes to: steps on level unroll share one."""
        task = self._task(op)
        return op, tuple(
            x
            for a, x in zip(self.points, point, strict=True)
            if a.name in task.axes and not (a.level == "unroll" and a.name in op.axes)
        )

    def _keys(self, op: ReduceOp) -> list[tuple]:
        return list(dict.fromkeys(self._key(op, p) for p in self._points(self._task(op).axes)))

    def _is_vector(self, axes: frozenset[str]) -> bool:
        return self.lane is not None and self.lane in axes

    def _open(self, op: ReduceOp) -> None:
        vector = self._is_vector(self._task(op).axes)
        type = op.result.type
        for key in self._keys(op):
            self.accs[key] = self.constant(identity(op.kind.data, type), type, vector)
        self.opened.add(op)

    def _close(self, op: ReduceOp) -> None:
        """Combines the partial results of separate registers and lanes; remembers the result at this level."""
        kind, type = op.kind.data, op.result.type
        wide = self._is_vector(self._task(op).axes)
        across = wide and self.lane in op.axes
        place = self._place(self.axes_of[op])
        results: dict[Point, SSAValue] = {}
        seen = set()
        for point in self._points(self._task(op).axes):
            key = self._key(op, point)
            if key in seen:
                continue
            seen.add(key)
            acc, projected = self.accs.pop(key), tuple(point[k] for k in place)
            results[projected] = (
                self.lanes.combine(kind, results[projected], acc, type, wide) if projected in results else acc
            )
        level = self.levels[-1]
        for projected, value in results.items():
            if across:
                value = self.lanes.across(kind, value, type)
            self._remember((op.result, projected), Val(value, len(self.levels) - 1, wide and not across))
        self.opened.discard(op)
        self.done.add(op)
        level.done.append(op)

    def _perform(self, task: Task, only: tuple[int, int] | None) -> None:
        """A task at the innermost level, for all register points; for those alone where the coordinate number only[0] is only[1]."""
        for point in self._points(task.axes):
            if only is not None and point[only[0]] != only[1]:
                continue
            if task.target is not None:
                self._copy(task.op, task.target, point)
            elif isinstance(task.op, ReduceOp):
                self._accumulate(task.op, point, self._is_vector(task.axes))
            elif isinstance(task.op, StoreOp):
                self._store(task.op, point)

    def _accumulate(self, op: ReduceOp, point: Point, vector: bool) -> None:
        key, type, b = self._key(op, point), op.result.type, self.b
        acc = self.accs[key]
        product_ = op.value.owner
        where = op.attributes.get("where")
        if op.kind.data == "add" and isinstance(product_, arith.MulfOp) and vector and where is None:
            x, y = (self.wide(v, point).ssa for v in product_.operands)
            self.accs[key] = self.lanes.multiply_add(x, y, acc, type, True)
            return
        value = self.wide(op.value, point).ssa if vector else self.demand(op.value, point).ssa
        if where is not None:
            test = self.holds(where.data, (), point)  # type: ignore[attr-defined]
            if test is not None:
                other = self.constant(identity(op.kind.data, type), type, vector)
                value = self.lanes.select(test.ssa, value, other, test.vector)
        self.accs[key] = self.lanes.combine(op.kind.data, acc, value, type, vector)
        assert b.block is self.levels[-1].block

    # -- values -------------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _at(self, level: int) -> Iterator[None]:
        outer = self.b.block
        self.b.block = self.levels[level].block
        yield
        self.b.block = outer

    def number(self, value: int) -> SSAValue:
        """An i32 constant; one op for all its uses."""
        if (known := self.constants.get(("i32", value))) is None:
            with self._at(0):
                known = self.constants["i32", value] = self.b.const_i32(value)
        return known

    def constant(self, value: float, type: Attribute, vector: bool) -> SSAValue:
        """A constant of an element type, or a vector of it; one op for all its uses."""
        key = (repr(value), type, vector)
        if (known := self.constants.get(key)) is None:
            with self._at(0):
                known = self.constants[key] = self.lanes.constant(value, type, vector)
        return known

    def _remember(self, key: tuple, value: Val) -> Val:
        self.memo[key] = value
        self.levels[value.level].memo.append(key)
        return value

    def _project(self, value: object, point: Point) -> Point:
        place = self.places.get(value)
        if place is None:
            place = self.places[value] = self._place(self.axes_of.get(value, frozenset()))
        return tuple(point[k] for k in place)

    def _whole(self, axes: frozenset[str], point: Point) -> bool:
        """Whether what depends on these axes is a vector at this point."""
        return self.lane is not None and self.lane in axes and point[self.position[self.lane]] == VECTOR

    def demand(self, value: SSAValue, point: Point) -> Val:
        """The Wasm value of a value of the body at a point; a vector if it depends on the lane and the point does not fix it."""
        key = (value, self._project(value, point))
        if (known := self.memo.get(key)) is not None:
            return known
        op = value.owner
        vector = self._whole(self.axes_of.get(value, frozenset()), point)
        if isinstance(op, ReduceOp):
            return self._saved(op, key, point) if op in self.staged else self._lane_of_reduction(op, point)
        if isinstance(op, Operation) and "keep" in op.attributes and vector:
            return self._demand_kept(op, key, point)
        return self._remember(key, self._make(op, value, point, vector))  # type: ignore[arg-type]

    def _make(self, op: Operation, value: SSAValue, point: Point, vector: bool) -> Val:
        if isinstance(op, arith.ConstantOp):
            return Val(self.constant(op.value.value.data, value.type, False), 0)  # type: ignore[union-attr]
        if isinstance(op, LoadOp):
            return self._load(op, point)
        if isinstance(op, IndexOp):
            return self.index(op.expr, op.symbols, point, vector)
        if isinstance(op, InsideOp):
            known = self.holds(op.conditions.data, op.symbols, point)
            return known or Val(self.constant(1, i1, False), 0)
        args = [self.demand(v, point) for v in op.operands]
        if vector:
            scalar_choice = op.name == "arith.select" and not args[0].vector
            args = [
                a if k == 0 and scalar_choice else self.wide(v, point)
                for k, (a, v) in enumerate(zip(args, op.operands, strict=True))
            ]
            if scalar_choice:
                level = max(a.level for a in args)
                with self._at(level):
                    return Val(self.b.select(args[0].ssa, args[1].ssa, args[2].ssa), level, True)
        level = max((a.level for a in args), default=0)
        with self._at(level):
            return Val(self.lanes.apply(op, [a.ssa for a in args], vector), level, vector)

    def wide(self, value: SSAValue, point: Point) -> Val:
        """A value as a vector, whether it depends on the lane or not."""
        key = ("splat", value, self._project(value, point))
        if (splat := self.memo.get(key)) is not None:
            return splat
        if isinstance(value.owner, LoadOp) and (splat := self._load_splat(value.owner, point)) is not None:
            return self._remember(key, splat)
        known = self.demand(value, point)
        if known.vector:
            return known
        with self._at(known.level):
            op = value.owner
            if isinstance(op, arith.ConstantOp):
                splat = Val(self.constant(op.value.value.data, value.type, True), 0, True)  # type: ignore[union-attr]
            else:
                splat = Val(self.lanes.splat(known.ssa, value.type), known.level, True)
        return self._remember(key, splat)

    def _lane_of_reduction(self, op: ReduceOp, point: Point) -> Val:
        """One lane of a reduction's vector."""
        lane = self.position[self.lane]  # type: ignore[index]
        whole = tuple(VECTOR if k == lane else x for k, x in enumerate(point))
        value = self.memo[(op.result, self._project(op.result, whole))]
        with self._at(value.level):
            element = self.lanes.extract(value.ssa, op.result.type, point[lane])
        return self._remember((op.result, self._project(op.result, point)), Val(element, value.level))

    def _saved(self, op: ReduceOp, key: tuple, point: Point) -> Val:
        """A reduction that was made ahead."""
        access = self.staged[op]
        pointer, offset, _ = self.address(access, point)
        with self._at(pointer.level):
            return self._remember(
                key, Val(load_element(self.lanes, access.element, pointer.ssa, offset), pointer.level)
            )

    def _pack(self, value: SSAValue, point: Point) -> Val:
        """A vector made lane by lane."""
        parts = [self.demand(value, p) for p in self._each_lane(point)]
        level = max(p.level for p in parts)
        with self._at(level):
            return Val(self.lanes.pack([p.ssa for p in parts], value.type), level, True)

    def _each_lane(self, point: Point) -> list[Point]:
        at = self.position[self.lane]  # type: ignore[index]
        return [(*point[:at], lane, *point[at + 1 :]) for lane in range(self.lanes.count)]

    # -- index expressions --------------------------------------------------------------------------------------------------------------

    def _fixed(self, expr: Expr, point: Point) -> tuple[Expr, int]:
        """The expression with register coordinates put in, and the coefficient of the lane where that is not fixed."""
        if (form := self.forms.get(expr)) is None:
            form = self.forms[expr] = self._form(expr)
        terms, registers = form
        if registers is None:
            return self._substituted(expr, point)
        const, lane = expr.const, 0
        for at, c in registers:
            if point[at] == VECTOR:
                lane = c
            else:
                const += c * point[at]
        return Expr(const, terms), lane

    def _form(self, expr: Expr) -> tuple[tuple[tuple[Atom, int], ...], list[tuple[int, int]] | None]:
        """Terms over loops, and (position, coefficient) of those over register axes; None if such an axis is inside of a division or the like."""
        terms: list[tuple[Atom, int]] = []
        registers: list[tuple[int, int]] = []
        for atom, c in expr.terms:
            if isinstance(atom, Dim):
                if (at := self.position.get(atom.name)) is not None:
                    registers.append((at, c))
                    continue
            elif not isinstance(atom, Sym) and not self.position.keys().isdisjoint(atom.expr.dims()):
                return (), None
            terms.append((atom, c))
        return tuple(terms), registers

    def _substituted(self, expr: Expr, point: Point) -> tuple[Expr, int]:
        def value(atom: Dim | Sym) -> Expr | None:
            if isinstance(atom, Dim) and (at := self.position.get(atom.name)) is not None and point[at] != VECTOR:
                return Expr(point[at])
            return None

        expr, lane = expr.substitute(value), 0
        for atom, c in expr.terms:
            if isinstance(atom, Dim) and atom.name == self.lane:
                lane = c
        if lane:
            expr = Expr(
                expr.const, tuple(t for t in expr.terms if not (isinstance(t[0], Dim) and t[0].name == self.lane))
            )
        return expr, lane

    def _names(self, expr: Expr) -> tuple[set[str], set[int]]:
        """The axes and the symbols in an expression."""
        if (known := self.names.get(expr)) is None:
            known = self.names[expr] = expr.dims(), expr.symbols()
        return known

    def _linear(self, expr: Expr, symbols: Sequence[SSAValue], point: Point) -> bool:
        """Whether the expression (of `_fixed`) depends on a whole lane axis by its linear term at most."""
        if self.lane is None or point[self.position[self.lane]] != VECTOR:
            return True
        axes, used = self._names(expr)
        return self.lane not in axes and not any(self.lane in self.axes_of.get(symbols[s], frozenset()) for s in used)

    def scalar(self, expr: Expr, symbols: Sequence[SSAValue], point: Point) -> Val:
        """The i32 value of an expression without a whole lane in it."""
        used = self._names(expr)[1]
        key = ("expr", expr, tuple(symbols[s] for s in sorted(used)), point if used else None)
        if (known := self.memo.get(key)) is not None:
            return known
        level, total = 0, None
        parts = sorted(((self._atom(a, symbols, point), c) for a, c in expr.terms), key=lambda p: p[0].level)
        for part, c in parts:
            level = max(level, part.level)
            with self._at(level):
                term = part.ssa if c == 1 else self.b.inst("i32.mul", part.ssa, self.number(c))
                total = term if total is None else self.b.inst("i32.add", total, term)
        with self._at(level):
            if total is None:
                total = self.number(expr.const)
            elif expr.const:
                total = self.b.inst("i32.add", total, self.number(expr.const))
        return self._remember(key, Val(total, level))

    def _atom(self, atom: Atom, symbols: Sequence[SSAValue], point: Point) -> Val:
        b = self.b
        if isinstance(atom, Dim):
            level = self._level_of(atom.name)
            return Val(self.levels[level].index, level)  # type: ignore[arg-type]
        if isinstance(atom, Sym):
            return self.demand(symbols[atom.number], point)
        inner = self.scalar(atom.expr, symbols, point)
        with self._at(inner.level):
            x = inner.ssa
            if isinstance(atom, Min):
                limit = self.number(atom.limit)
                return Val(b.select(b.inst("i32.lt_s", x, limit), x, limit), inner.level)
            by = atom.by
            if not by & (by - 1):
                if isinstance(atom, Div):
                    return Val(b.inst("i32.shr_s", x, self.number(by.bit_length() - 1)), inner.level)
                return Val(b.inst("i32.and", x, self.number(by - 1)), inner.level)
            up = max(0, -(atom.expr.bounds[0] // by))  # whole multiples that make it non-negative
            if up:
                x = b.inst("i32.add", x, self.number(up * by))
            if isinstance(atom, Mod):
                return Val(b.inst("i32.rem_u", x, self.number(by)), inner.level)
            x = b.inst("i32.div_u", x, self.number(by))
            return Val(b.inst("i32.sub", x, self.number(up)) if up else x, inner.level)

    def _level_of(self, axis: str) -> int:
        for k in range(len(self.levels) - 1, 0, -1):
            if self.levels[k].axis == axis:
                return k
        raise PassFailedException(
            f"kernel-to-wasm: axis '{axis}' is used outside of its loop; a reduction must be inside of the axes that its result depends on"
        )

    def index(self, expr: Expr, symbols: Sequence[SSAValue], point: Point, vector: bool) -> Val:
        """The value of an index expression: an i32, or one in each lane."""
        fixed, lane = self._fixed(expr, point)
        if not self._linear(fixed, symbols, point):
            parts = []
            for p in self._each_lane(point):
                parts.append(self.scalar(self._fixed(expr, p)[0], symbols, p))
            level = max(p.level for p in parts)
            with self._at(level):
                return Val(self.lanes.pack([p.ssa for p in parts], i32), level, True)
        start = self.scalar(fixed, symbols, point)
        if not lane:
            return start
        with self._at(start.level):
            steps = self.b.const_v128("i32x4", *(lane * k for k in range(4)))
            return Val(self.b.inst("i32x4.add", self.b.inst("i32x4.splat", start.ssa), steps), start.level, True)

    def holds(self, conditions: Sequence[Condition], symbols: Sequence[SSAValue], point: Point) -> Val | None:
        """Whether all conditions hold: an i32, or a mask if they depend on a whole lane. None if they always do."""
        tests: list[Val] = []
        for c in conditions:
            if c.always:
                continue
            value = self.index(c.expr - c.lo, symbols, point, True)
            with self._at(value.level):
                if value.vector:
                    mask = self.b.inst("i32x4.lt_u", value.ssa, self.b.const_v128("i32x4", c.hi - c.lo))
                    if self.lanes.count == 2:
                        mask = self.b.inst("i64x2.extend_low_i32x4_s", mask)
                    tests.append(Val(mask, value.level, True))
                else:
                    tests.append(Val(self.b.inst("i32.lt_u", value.ssa, self.number(c.hi - c.lo)), value.level))
        if not tests:
            return None
        level, vector = max(t.level for t in tests), any(t.vector for t in tests)
        with self._at(level):
            parts = [self.lanes.splat(t.ssa, i1) if vector and not t.vector else t.ssa for t in tests]
            total = parts[0]
            for part in parts[1:]:
                total = self.b.inst("v128.and" if vector else "i32.and", total, part)
        return Val(total, level, vector)

    # -- addresses ----------------------------------------------------------------------------------------------------------------------

    def access(self, op: LoadOp | StoreOp) -> Access:
        """Where a load or a store goes; a staged load goes to its copy."""
        if (staged := self.staged.get(op)) is not None:
            return staged
        if (known := self.accesses.get(op)) is None:
            type = op.buffer.type
            assert isinstance(type, MemRefType)
            tests = op.conditions.data if op.conditions is not None else ()
            known = self.accesses[op] = Access(
                self.bases[op.buffer],
                type.element_type,
                linearize(op.map.data, type.get_shape()),
                op.symbols,
                tests,  # type: ignore[index]
            )
        return known

    def address(self, access: Access, point: Point) -> tuple[Val, int, int | None]:
        """(pointer, offset, stride of the lane in elements); the stride is None where the position is not linear in a whole lane."""
        flat, lane = self._fixed(access.flat, point)
        if not self._linear(flat, access.symbols, point):
            return Val(access.base, 0), 0, None
        size = element_bytes(access.element)
        terms = flat.terms
        offset = flat.const * size
        if offset < 0 or any(c < 0 for _, c in terms):  # the pointer itself must not fall below the address 0
            pointer = self._pointer(access, terms, size, point)
            with self._at(pointer.level):
                return Val(self.b.inst("i32.add", pointer.ssa, self.number(offset)), pointer.level), 0, lane
        return self._pointer(access, terms, size, point), offset, lane

    def _pointer(self, access: Access, terms: tuple[tuple[Atom, int], ...], size: int, point: Point) -> Val:
        if not terms:
            return Val(access.base, 0)
        symbols = access.symbols
        names = tuple(symbols[s] for s in sorted(self._names(Expr(0, terms))[1])) if symbols else ()
        key = ("pointer", access.base, terms, size, names, point if names else None)
        if (known := self.memo.get(key)) is not None:
            return known
        deepest = max(
            range(len(terms)), key=lambda k: (self._depth(terms[k][0], symbols, point), isinstance(terms[k][0], Dim))
        )
        atom, c = terms[deepest]
        rest = self._pointer(access, terms[:deepest] + terms[deepest + 1 :], size, point)
        step = c * size
        if isinstance(atom, Dim) and rest.level < (number := self._level_of(atom.name)):
            level = self.levels[number]
            init = rest.ssa
            if level.first is not None:
                with self._at(number - 1):
                    init = self.b.inst("i32.add", init, self.b.inst("i32.mul", level.first, self.number(step)))
            arg = level.block.insert_arg(i32, len(level.block.args))
            level.carried.append((init, arg, step))
            return self._remember(key, Val(arg, number))
        part = self._atom(atom, symbols, point)
        number = max(part.level, rest.level)
        with self._at(number):
            moved = part.ssa if step == 1 else self.b.inst("i32.mul", part.ssa, self.number(step))
            return self._remember(key, Val(self.b.inst("i32.add", rest.ssa, moved), number))

    def _depth(self, atom: Atom, symbols: Sequence[SSAValue], point: Point) -> int:
        if isinstance(atom, Dim):
            return self._level_of(atom.name)
        return self._atom(atom, symbols, point).level

    # -- loads --------------------------------------------------------------------------------------------------------------------------

    def _load(self, op: LoadOp, point: Point) -> Val:
        access = self.access(op)
        vector = self._whole(self.axes_of[op.result], point)
        pointer, offset, stride = self.address(access, point)
        test = self.holds(access.conditions, access.symbols, point)
        if vector:
            if stride != 1 or not self._can_load(access.element):
                return self._pack(op.result, point)
            if test is not None and test.vector:
                return self._load_inside(op, access, point, pointer, offset)
        level = max(pointer.level, test.level if test else 0, *(self.demand(s, point).level for s in access.symbols), 0)
        load = load_vector if vector else load_element
        with self._at(level):
            if test is None:
                return Val(load(self.lanes, access.element, pointer.ssa, offset), level, vector)
            exact = self.b.inst("i32.add", pointer.ssa, self.number(offset)) if offset else pointer.ssa
            safe = self.b.select(test.ssa, exact, access.base)
            value = load(self.lanes, access.element, safe, 0)
            zero = self.constant(0, op.result.type, vector)
            return Val(self.b.select(test.ssa, value, zero), level, vector)

    def _load_splat(self, op: LoadOp, point: Point) -> Val | None:
        """An element loaded straight into all lanes, where there is an instruction for it and the element is not wanted by itself."""
        access = self.access(op)
        size = element_bytes(access.element)
        vector = self._whole(self.axes_of[op.result], point)
        if vector or access.conditions or size < 4 or (op.result, self._project(op.result, point)) in self.memo:
            return None
        if (
            size == 4 and (quad := self._quad_axis(access)) is not None
        ):  # one load for four rows: a shuffle costs less than a load
            at, lane = self.position[quad], point[self.position[quad]] % 4
            first = (*point[:at], point[at] - lane, *point[at + 1 :])
            key = ("quad", op.result, self._project(op.result, first))
            if (vector_ := self.memo.get(key)) is None:
                pointer, offset, _ = self.address(access, first)
                with self._at(pointer.level):
                    vector_ = self._remember(
                        key, Val(self.b.load("v128.load", pointer.ssa, offset), pointer.level, True)
                    )
            with self._at(vector_.level):
                splat = self.b.inst(
                    "i8x16.shuffle", vector_.ssa, vector_.ssa, imm=tuple(range(4 * lane, 4 * lane + 4)) * 4
                )
            return Val(splat, vector_.level, True)
        pointer, offset, _ = self.address(access, point)
        with self._at(pointer.level):
            return Val(self.b.load(f"v128.load{size * 8}_splat", pointer.ssa, offset), pointer.level, True)

    def _quad_axis(self, access: Access) -> str | None:
        """A register axis of four (or eight …) steps along which the buffer is contiguous."""
        for atom, c in access.flat.terms:
            if (
                c == 1
                and isinstance(atom, Dim)
                and atom.name in self.position
                and atom.name != self.lane
                and atom.extent % 4 == 0
            ):
                return atom.name
        return None

    def _can_load(self, element: Attribute) -> bool:
        return self.lanes.count == 4 or element_bytes(element) == 8

    def _load_inside(self, op: LoadOp, access: Access, point: Point, pointer: Val, offset: int) -> Val:
        """A vector of which some lanes may lie outside: at once if all are inside (both ends are), else lane by lane."""
        lanes = self._each_lane(point)
        ends = [self.holds(access.conditions, access.symbols, p) for p in (lanes[0], lanes[-1])]
        parts = [self.demand(op.result, p) for p in lanes]
        level = max(pointer.level, *(e.level for e in ends if e), *(p.level for p in parts))
        b = self.b
        with self._at(level):
            all_inside = b.inst("i32.and", *(e.ssa if e else self.number(1) for e in ends))
            with b.if_(all_inside) as branch:
                b.yield_(load_vector(self.lanes, access.element, pointer.ssa, offset))
            with branch.else_():
                b.yield_(self.lanes.pack([p.ssa for p in parts], op.result.type))
            return Val(branch.result, level, True)

    # -- stores -------------------------------------------------------------------------------------------------------------------------

    def _store(self, op: StoreOp, point: Point) -> None:
        access, axes = self.access(op), self.axes_of[op]
        if not self._whole(axes, point):
            self._store_element(op, access, point)
            return
        pointer, offset, stride = self.address(access, point)
        test = self.holds(access.conditions, access.symbols, point)
        if stride != 1 or op.combine is not None or not self._can_load(access.element):
            for p in self._each_lane(point):
                self._store_element(op, access, p)
            return
        value = self.wide(op.value, point)
        if test is None:
            store_vector(self.lanes, access.element, pointer.ssa, offset, value.ssa)
            return
        if not test.vector:
            with self.b.if_(test.ssa):
                store_vector(self.lanes, access.element, pointer.ssa, offset, value.ssa)
            return
        full = self.b.inst("i32x4.all_true", test.ssa)
        with self.b.if_(full) as branch:
            store_vector(self.lanes, access.element, pointer.ssa, offset, value.ssa)
        with branch.else_():
            size = element_bytes(access.element)
            for lane in range(self.lanes.count):
                with self.b.if_(self.lanes.extract(test.ssa, i1, lane)):
                    element = self.lanes.extract(value.ssa, op.value.type, lane)
                    store_element(self.lanes, access.element, pointer.ssa, offset + lane * size, element)

    def _store_element(self, op: StoreOp, access: Access, point: Point) -> None:
        value = self.demand(op.value, point)
        if value.vector:
            raise AssertionError("a vector at a point of one lane")
        pointer, offset, _ = self.address(access, point)
        test = self.holds(access.conditions, access.symbols, point)

        def write() -> None:
            new = value.ssa
            if op.combine is not None:
                old = load_element(self.lanes, access.element, pointer.ssa, offset)
                new = self.lanes.combine(op.combine.data, old, new, op.value.type, False)
            store_element(self.lanes, access.element, pointer.ssa, offset, new)

        if test is None:
            write()
        else:
            with self.b.if_(test.ssa):
                write()

    # -- scratch memory: staged loads and kept values -------------------------------------------------------------------------------------

    def _fill_stages(self, axis: str, depth: int) -> None:
        """Copies what the loads staged at this axis will read, in the order in which they will read it."""
        for load in self.stages.get(axis, ()):
            open_axes = {level.axis for level in self.levels}
            names = [n for n in load.stage.data["panel"].data.split(",") if self.extents[n] != 1]  # type: ignore[union-attr]
            missing = self.axes_of[load.result] - open_axes - set(names)
            if missing:
                raise PassFailedException(
                    f"kernel-to-wasm: a panel of axes {names} lacks {sorted(missing)}, on which the load depends"
                )
            access = self._scratch_access(names, load.result.type)
            self._run([Task(load, frozenset(names), access)], depth)
            self.staged[load] = access

    def _scratch_access(self, names: Sequence[str], type: Attribute) -> Access:
        flat, size = Expr(), 1
        for name in reversed(names):
            flat, size = flat + dim(name, self.extents[name]) * size, size * self.extents[name]
        return Access(self.scratch(size * element_bytes(type)), type, flat)

    def _copy(self, op: Operation, access: Access, point: Point) -> None:
        axes = self.axes_of[op]
        pointer, offset, stride = self.address(access, point)
        value = self.demand(op.results[0], point)
        if value.vector and stride == 1:
            store_vector(self.lanes, access.element, pointer.ssa, offset, value.ssa)
        elif self._whole(axes, point):
            for p in self._each_lane(point):
                pointer, offset, _ = self.address(access, p)
                store_element(self.lanes, access.element, pointer.ssa, offset, self.demand(op.results[0], p).ssa)
        else:
            store_element(self.lanes, access.element, pointer.ssa, offset, value.ssa)

    def _demand_kept(self, op: Operation, key: tuple, point: Point) -> Val:
        value = op.results[0]
        state, access = self.kept.get(value, ("empty", None))
        if access is None:
            outer = {level.axis for level in self.levels[: self._level_of(op.attributes["keep"].data) + 1]}  # type: ignore[attr-defined]
            names = [
                a.name
                for a in self.nest.axes.data
                if a.name in self.axes_of[value] and a.name not in outer and a.extent != 1
            ]
            access = self._scratch_access(names, value.type)
            self.kept[value] = (state, access)
        if state == "filled":
            pointer, offset, _ = self.address(access, point)
            with self._at(pointer.level):
                return self._remember(
                    key, Val(load_vector(self.lanes, access.element, pointer.ssa, offset), pointer.level, True)
                )
        made = self._remember(key, self._make(op, value, point, True))
        pointer, offset, _ = self.address(access, point)
        with self._at(max(made.level, pointer.level)):
            store_vector(self.lanes, access.element, pointer.ssa, offset, made.ssa)
        self.kept[value] = ("filling", access)
        return made

    def _settle_kept(self) -> None:
        """After a run: what it has written down may be read, if the run covered a whole round of the axis at which it is kept."""
        for value, (state, access) in self.kept.items():
            if state == "filling" and value.owner.attributes["keep"].data == self.levels[-1].axis:  # type: ignore[union-attr]
                self.kept[value] = ("filled", access)


def _arranged(loops: list[Axis], inner: dict[str, set[str]]) -> list[Axis] | None:
    """The loops with each axis outside of those in `inner[axis]`, otherwise in their order; None if that cannot be."""
    result, left = [], list(loops)
    while left:
        free = next((a for a in left if not any(a.name in inner[b.name] for b in left)), None)
        if free is None:
            return None
        result.append(free)
        left.remove(free)
    return result

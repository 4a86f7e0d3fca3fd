"""From a scheduled nest to the body of a Wasm function.

Open loops are a stack of levels. A value is made on demand, in the outermost level that it depends on, and remembered by (value, point), where a point says which register
coordinate (and, if one lane is asked for by itself, which lane). So invariant code is hoisted, shared and never dead without any later pass. Addresses are linear forms: a
term over a loop axis becomes a pointer that the loop carries, one over a register axis an offset in the instruction, the lane decides how to load.

Loops are made where results are asked for. At a level, the reductions that can be finished there are ranked by who needs whom; each rank is one run through the loops
below (softmax: a row's maximum, its sum, its stores). A value marked `keep` is written to scratch memory by the first run that makes it, and read by later ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import Attribute, Operation, SSAValue

from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.identity import neutral
from weft.dialects.kernel.ops import IndexOp, InsideOp, LoadOp, ReduceOp, StoreOp
from weft.dialects.wasm.code import Value
from weft.passes.wasm.access import Accesses
from weft.passes.wasm.memory import element_bytes, load_vector, store_vector
from weft.passes.wasm.staging import staged_copy
from weft.passes.wasm.state import VECTOR, Access, Level, Point, Task, Val


class Emitter(Accesses):
    """Emits one nest into a function."""

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
            self.complete([self._new_task(op, frozenset(kept), access)], 0)
            self.staged[op] = access
            self.done.add(op)
            self.loops = _arranged(loops, inner) or loops

    # -- who needs whom -------------------------------------------------------------------------------------------------

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

    # -- runs through the loops -----------------------------------------------------------------------------------------

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
            here_outlined = self.outline is not None and self.levels[-1].axis == self.outline
            if new and here_outlined and not all(_is_plain(t.op) for t in tasks):
                self._set_apart(new)
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
                self.b.break_if(never, *(self.accs[key] for key in level.keys))

    def _loop(self, axis: Axis, tasks: list[Task], depth: int) -> None:
        """One loop; the partial results of open reductions are carried around it."""
        b = self.b
        keys = [key for t in tasks if isinstance(t.op, ReduceOp) and t.target is None for key in t.partials]
        dynamic = self.bounds is not None and axis.level == "grid"
        first = self.bounds[0] if dynamic else self.number(0)  # type: ignore[index]
        last = self.bounds[1] if dynamic else self.number(axis.extent)  # type: ignore[index]
        with b.loop(first, *(self.accs[k] for k in keys)) as loop:
            index, *partial = loop.args
            level = Level(loop.block, axis.name, index, first if dynamic else None, keys, loop)
            self.levels.append(level)
            self.accs.update(zip(keys, partial, strict=True))
            self._fill_stages(axis.name)
            self.complete(tasks, depth + 1)
            if axis.name == self.outline and not level.apart and all(t.target is None for t in tasks) and not keys:
                b.outline(f"{b.function.name}_{axis.name}")
            results = [self.accs[k] for k in keys]
            following = b.inst("i32.add", index, self.number(1))
            steps = [b.inst("i32.add", pointer, self.number(step)) for pointer, step in level.pointers]
            b.continue_if(b.inst("i32.lt_u", following, last), following, *results, *steps)
            b.yield_(*results)
            self._pop()
        self.accs.update(zip(keys, loop.results, strict=True))

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

    def _fill_stages(self, axis: str) -> None:
        """Copies what the loads staged at this axis will read, in the order in which they will read it: a nest within the nest."""
        for load in self.stages.get(axis, ()):
            outside = [Level(self.b.block, level.axis, level.index) for level in self.levels[1:]]
            copy, type, position = staged_copy(self.nest, load, frozenset(level.axis or "" for level in outside))
            with self._at(0):
                target = self.scratch(prod(type.get_shape()) * element_bytes(type.element_type))
            filler = Emitter(self.b, copy, [self.bases[load.buffer], target], scratch=self.scratch)  # type: ignore[index]
            filler.levels += outside
            filler.emit()
            self.staged[load] = Access(target, type.element_type, position)

    # -- reductions -----------------------------------------------------------------------------------------------------

    def _open(self, op: ReduceOp) -> None:
        vector, type = self._task(op).vector, op.result.type
        for key in self._task(op).partials:
            self.accs[key] = self.constant(neutral(op.kind.data, type), type, vector)
        self.opened.add(op)

    def _close(self, op: ReduceOp) -> None:
        """Combines the partial results of separate registers and lanes; remembers the result at this level."""
        kind, type = op.kind.data, op.result.type
        wide = self._task(op).vector
        across = wide and self.lane in op.axes
        results: dict[Point, Value] = {}
        for key, point in self._task(op).partials.items():
            acc, projected = self.accs.pop(key), self._project(op.result, point)
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

    def _set_apart(self, reductions: Sequence[ReduceOp]) -> None:
        """Makes finished reductions a function of their own, which leaves the results in scratch memory. In one function with what is computed from them, the engine's
        register allocator would put a sum of the innermost loop into memory (seen at half the speed, whatever is computed).
        """
        level = self.levels[-1]
        if not all(map(self._is_tile, reductions)):
            return
        places: list[tuple[tuple[Any, ...], Attribute, Val, int]] = []
        for op in reductions:
            names = sorted((self.points[k].name for k in self._place(self.axes_of[op])), key=lambda n: n == self.lane)
            access = self._scratch_access(names, op.result.type)
            points = {(op.result, self._project(op.result, p)): p for p in self._task(op).points}
            for key, point in points.items():
                pointer, offset, _ = self.address(access, point)
                store_vector(self.lanes, access.element, pointer.ssa, offset, self.memo[key].ssa)
                places.append((key, access.element, pointer, offset))
        self.b.outline(f"{self.b.function.name}_{level.axis}")
        level.apart = True
        for key in level.memo:
            del self.memo[key]
        level.memo.clear()
        for key, element, pointer, offset in places:
            self._remember(key, Val(load_vector(self.lanes, element, pointer.ssa, offset), len(self.levels) - 1, True))

    def _is_tile(self, op: ReduceOp) -> bool:
        """Whether a reduction's results are whole vectors in registers."""
        return self.lane in self.axes_of[op] and self._fills_vector(op.result.type)

    def _perform(self, task: Task, only: tuple[int, int] | None) -> None:
        """A task at the innermost level, for all register points; for those alone where the coordinate number only[0] is only[1]."""
        points = task.points if only is None else [p for p in task.points if p[only[0]] == only[1]]
        if task.target is not None:
            for point in points:
                self._copy(task.op, task.target, point)
        elif isinstance(task.op, ReduceOp):
            self._accumulate(task.op, task, points)
        elif isinstance(task.op, StoreOp):
            for point in points:
                self._store(task.op, point)

    def _accumulate(self, op: ReduceOp, task: Task, points: Sequence[Point]) -> None:
        """Adds (or the like) the values at some points to their partial results."""
        kind, type, term, vector = op.kind.data, op.result.type, op.value, task.vector
        where = op.attributes.get("where")
        is_product = kind == "add" and isinstance(term.owner, arith.MulfOp) and vector
        factors = term.owner.operands if is_product else ()  # type: ignore[union-attr]
        for point in points:
            key = (op, *(point[k] for k in task.separate))
            acc = self.accs[key]
            test = self.holds(where.data, (), point) if where is not None else None  # type: ignore[attr-defined]
            if factors:
                x, y = (self._masked(v, test, point).ssa for v in factors)
                self.accs[key] = self.lanes.multiply_add(x, y, acc, type, True)
                continue
            value = self.wide(term, point).ssa if vector else self.demand(term, point).ssa
            if test is not None:
                other = self.constant(neutral(kind, type), type, vector)
                value = self.lanes.select(test.ssa, value, other, test.vector)
            self.accs[key] = self.lanes.combine(kind, acc, value, type, vector)

    def _masked(self, value: SSAValue, test: Val | None, point: Point) -> Val:
        """A factor as a vector, 0 where the test fails: masking both factors costs less than each of a tile's products."""
        wide = self.wide(value, point)
        if test is None:
            return wide
        key = ("masked", value, self._project(value, point), test.ssa)
        if (known := self.memo.get(key)) is None:
            level = max(wide.level, test.level)
            with self._at(level):
                zero = self.constant(0, value.type, True)
                masked = self.lanes.select(test.ssa, wide.ssa, zero, test.vector)
            known = self._remember(key, Val(masked, level, True))
        return known

    # -- values ---------------------------------------------------------------------------------------------------------

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
        if isinstance(value.owner, LoadOp) and (splat := self._load_splat(value.owner, value, point)) is not None:
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


def _is_plain(op: Operation) -> bool:
    """Whether a task is a store of nothing but a reduction's result."""
    return isinstance(op, StoreOp) and isinstance(op.value.owner, ReduceOp) and op.combine is None


def _arranged(loops: list[Axis], inner: dict[str, set[str]]) -> list[Axis] | None:
    """The loops with each axis outside of those in `inner[axis]`, otherwise in their order; None if that cannot be."""
    result: list[Axis] = []
    left = list(loops)
    while left:
        free = next((a for a in left if not any(a.name in inner[b.name] for b in left)), None)
        if free is None:
            return None
        result.append(free)
        left.remove(free)
    return result

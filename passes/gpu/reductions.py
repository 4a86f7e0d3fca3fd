"""Loops, tiles that are filled where a loop begins, and reductions.

A reduction that is asked for at one point is computed for all points at once, together with the reductions that run over the same axes and need nothing from it: so a
matmul's 64 accumulators share a loop, and softmax falls into its phases by itself. The invocations of a `group` meet in workgroup memory, in a tree with a barrier at each step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import VectorType, i1, i32
from xdsl.ir import Block, Operation, SSAValue

from weft.dialects.gpu.ops import WORKGROUP, VarOp, WorkgroupAllocOp, memref_type
from weft.dialects.kernel.affine import Condition, Expr, dim
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.identity import identity
from weft.dialects.kernel.ops import LoadOp, ReduceOp
from weft.passes.gpu.emitter import F32, LoweringError, Scope, vector_of
from weft.passes.gpu.tiles import Point, Tile
from weft.passes.gpu.values import Values


class Reductions(Values):
    """The loops of one nest."""

    # -- loops ------------------------------------------------------------------------------------------------------------------------------

    def loops(self, names: Sequence[str], roots: Sequence[Operation], body: Callable[[], object]) -> None:
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
                self.loop(name, axis.extent, None, inner)
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
                self.loop(name, axis.extent, None, staged)
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
            self.loop(name, rounds - 1, f"${name}", steady)
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

    def fill(self, tiles: Sequence[Tile], depth: int) -> None:
        """Copies tiles, and waits until all invocations have."""
        for tile in tiles:
            tile.write(tile.fetch(), 0)
        if tiles:
            self.barrier(depth)

    def _reads(self, root: Operation, load: LoadOp) -> bool:
        """Whether a store or a reduction needs a load without closing another reduction in between."""
        stack: list[SSAValue] = list(root.operands)
        seen: set[SSAValue] = set()
        while stack:
            value = stack.pop()
            op = value.owner
            if op is load:
                return True
            if value not in seen and not isinstance(op, (Block, ReduceOp)):
                seen.add(value)
                stack.extend(op.operands)
        return False

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

"""Loads and stores: one element, a vector of neighbours, a splat, lanes one by one, with and without conditions; and scratch memory.

A condition never guards an instruction by a branch where it can be avoided: a load that must not happen reads the buffer's first element instead, and gives 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from xdsl.dialects.builtin import i1
from xdsl.ir import Attribute, Operation, SSAValue

from weft.dialects.kernel.affine import Dim, Expr, dim
from weft.dialects.kernel.ops import LoadOp, ReduceOp, StoreOp
from weft.dialects.wasm.code import Value
from weft.passes.wasm.addressing import Addressing
from weft.passes.wasm.memory import element_bytes, load_element, load_vector, store_element, store_vector
from weft.passes.wasm.state import Access, Point, Val


class Accesses(Addressing):
    """The part of the emitter that reads and writes memory."""

    # -- loads --------------------------------------------------------------------------------------------------------------------------

    def _load(self, op: LoadOp, point: Point) -> Val:
        access = self.access(op)
        vector = self._whole(self.axes_of[op.result], point)
        pointer, offset, stride = self.address(access, point)
        test = self.holds(access.conditions, access.symbols, point)
        if vector:
            if stride is None or not self._can_load(access.element):
                return self._pack(op.result, point)
            if stride != 1:
                if test is None and stride and self._fills_vector(access.element):
                    return self._load_strided(pointer, offset, stride)
                return self._pack(op.result, point)
            if test is not None and test.vector:
                return self._load_inside(op, access, pointer, offset, test)
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

    def _load_strided(self, pointer: Val, offset: int, stride: int) -> Val:
        """A vector of elements that lie a stride apart, none beyond them touched: two vectors and a shuffle if the stride is 2 or 3, one if it is -1, else lane by lane."""
        b, count = self.b, self.lanes.count
        size = 16 // count
        with self._at(pointer.level):
            start, places = self._places(pointer.ssa, offset, stride * size)
            if stride == -1:
                vectors = [b.load("v128.load", start, places[-1])] * 2
                value = b.inst("i8x16.shuffle", *vectors, imm=_bytes(range(count - 1, -1, -1), size))
            elif count == 4 and stride in (2, 3):
                last = 3 * (stride - 1)  # where a vector begins that ends with the last element
                vectors = [b.load("v128.load", start, at) for at in (places[0], places[0] + last * size)]
                lanes = tuple(k * stride if k < 2 else 4 + k * stride - last for k in range(4))
                value = b.inst("i8x16.shuffle", *vectors, imm=_bytes(lanes, size))
            else:
                value = b.load(f"v128.load{8 * size}_zero", start, places[0])
                for lane in range(1, count):
                    value = b.load(f"v128.load{8 * size}_lane", start, places[lane], value, lane=lane)
            return Val(value, pointer.level, True)

    def _places(self, pointer: Value, offset: int, step: int) -> tuple[Value, list[int]]:
        """For the elements of a vector, `step` bytes apart: a pointer, and the offset of each from it, none below 0."""
        last = step * (self.lanes.count - 1)
        if (least := offset + min(0, last)) < 0:
            pointer, offset = self.b.inst("i32.add", pointer, self.number(least)), offset - least
        return pointer, [offset + step * lane for lane in range(self.lanes.count)]

    def _fills_vector(self, element: Attribute) -> bool:
        return element_bytes(element) * self.lanes.count == 16

    def _load_splat(self, op: LoadOp, value: SSAValue, point: Point) -> Val | None:
        """An element loaded straight into all lanes, where there is an instruction for it and the element is not wanted by itself."""
        if self._whole(self.axes_of[value], point):
            return None
        access = self.access(op)
        size = element_bytes(access.element)
        if access.conditions or size < 4 or (value, self._project(value, point)) in self.memo:
            return None
        if size == 4 and (quad := self._quad_axis(access)) is not None:
            # one load for four rows: a shuffle costs less than a load
            at = self.position[quad]
            lane = point[at] % 4
            first = (*point[:at], point[at] - lane, *point[at + 1 :])
            key = ("quad", value, self._project(value, first))
            if (whole := self.memo.get(key)) is None:
                pointer, offset, _ = self.address(access, first)
                with self._at(pointer.level):
                    loaded = self.b.load("v128.load", pointer.ssa, offset)
                    whole = self._remember(key, Val(loaded, pointer.level, True))
            with self._at(whole.level):
                splat = self.b.inst("i8x16.shuffle", whole.ssa, whole.ssa, imm=_bytes((lane,) * 4, 4))
            return Val(splat, whole.level, True)
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

    def _load_inside(self, op: LoadOp, access: Access, pointer: Val, offset: int, test: Val) -> Val:
        """A vector of which some lanes may lie outside, with 0 in those. It is read where it lies if any lane is inside: so near to a buffer, memory can be read
        (dialects/wasm/abi.py).
        """
        b, level = self.b, max(pointer.level, test.level)
        with self._at(level):
            exact = b.inst("i32.add", pointer.ssa, self.number(offset)) if offset else pointer.ssa
            safe = b.select(b.inst("v128.any_true", test.ssa), exact, access.base)
            value = load_vector(self.lanes, access.element, safe, 0)
            zero = self.constant(0, op.result.type, True)
            return Val(self.lanes.select(test.ssa, value, zero, True), level, True)

    def _pack(self, value: SSAValue, point: Point) -> Val:
        """A vector made lane by lane."""
        parts = [self.demand(value, p) for p in self._each_lane(point)]
        level = max(p.level for p in parts)
        with self._at(level):
            return Val(self.lanes.pack([p.ssa for p in parts], value.type), level, True)

    # -- stores -------------------------------------------------------------------------------------------------------------------------

    def _store(self, op: StoreOp, point: Point) -> None:
        access, axes = self.access(op), self.axes_of[op]
        if not self._whole(axes, point):
            self._store_element(op, access, point)
            return
        pointer, offset, stride = self.address(access, point)
        test = self.holds(access.conditions, access.symbols, point)
        whole = self._can_load(access.element) if stride == 1 else stride and self._fills_vector(access.element)
        if not whole or op.combine is not None:
            for p in self._each_lane(point):
                self._store_element(op, access, p)
            return
        value = self.wide(op.value, point)
        start, places = self._places(pointer.ssa, offset, stride * element_bytes(access.element))  # type: ignore[operator]
        if test is None:
            self._store_lanes(access, start, places, value)
            return
        with self.b.if_(self.b.inst("i32x4.all_true", test.ssa) if test.vector else test.ssa) as branch:
            self._store_lanes(access, start, places, value)
        if test.vector:
            with branch.else_():
                for lane, place in enumerate(places):
                    with self.b.if_(self.lanes.extract(test.ssa, i1, lane)):
                        element = self.lanes.extract(value.ssa, op.value.type, lane)
                        store_element(self.lanes, access.element, start, place, element)

    def _store_lanes(self, access: Access, start: Value, places: Sequence[int], value: Val) -> None:
        """Writes a vector: side by side, or each lane at its own place."""
        if places[1] - places[0] == element_bytes(access.element):
            store_vector(self.lanes, access.element, start, places[0], value.ssa)
            return
        for lane, place in enumerate(places):
            self.b.store(f"v128.store{128 // self.lanes.count}_lane", start, value.ssa, place, lane=lane)

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

    # -- scratch memory: copies for staged loads, kept values, reductions made ahead ------------------------------------------------------

    def _scratch_access(self, names: Sequence[str], type: Attribute) -> Access:
        flat, size = Expr(), 1
        for name in reversed(names):
            flat, size = flat + dim(name, self.extents[name]) * size, size * self.extents[name]
        with self._at(0):
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

    def _saved(self, op: ReduceOp, key: tuple[Any, ...], point: Point) -> Val:
        """A reduction that was made ahead."""
        access = self.staged[op]
        pointer, offset, _ = self.address(access, point)
        with self._at(pointer.level):
            return self._remember(
                key, Val(load_element(self.lanes, access.element, pointer.ssa, offset), pointer.level)
            )

    def _demand_kept(self, op: Operation, key: tuple[Any, ...], point: Point) -> Val:
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


@cache
def _bytes(lanes: Sequence[int], size: int) -> tuple[int, ...]:
    """The immediates of a shuffle that picks these lanes (counted through both operands), `size` bytes each."""
    return tuple(lane * size + byte for lane in lanes for byte in range(size))

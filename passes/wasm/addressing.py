"""Index expressions and addresses.

A flat index is a linear form. Its term over a loop axis becomes a pointer that the loop carries (shared by all accesses that move alike), one over a register axis becomes
an offset in the instruction, and the lane's coefficient decides how to load. Quotients, remainders and clamps are computed once in the level where they change.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import MemRefType, i1, i32
from xdsl.ir import SSAValue
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.affine import Atom, Condition, Dim, Div, Expr, Min, Mod, Sym, linearize
from weft.dialects.kernel.ops import LoadOp, StoreOp
from weft.dialects.wasm.code import Value
from weft.passes.wasm.memory import element_bytes
from weft.passes.wasm.state import VECTOR, Access, Point, State, Val

Terms = tuple[tuple[Atom, int], ...]


class Addressing(State):
    """The part of the emitter that computes indices, conditions and addresses."""

    # -- index expressions --------------------------------------------------------------------------------------------------------------

    def _fixed(self, expr: Expr, point: Point) -> tuple[int, Terms, int]:
        """The expression's constant and terms with register coordinates put in, and the coefficient of the lane where that is not fixed."""
        if (form := self.forms.get(expr)) is None:
            form = self.forms[expr] = self._form(expr)
        terms, registers = form
        if registers is None:
            return self._substituted(expr, point)
        const, lane = expr.const, 0
        for at, c in registers:
            if (coordinate := point[at]) == VECTOR:
                lane = c
            else:
                const += c * coordinate
        return const, terms, lane

    def _form(self, expr: Expr) -> tuple[Terms, list[tuple[int, int]] | None]:
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

    def _substituted(self, expr: Expr, point: Point) -> tuple[int, Terms, int]:
        def value(atom: Dim | Sym) -> Expr | None:
            if isinstance(atom, Dim) and (at := self.position.get(atom.name)) is not None and point[at] != VECTOR:
                return Expr(point[at])
            return None

        expr, lane = expr.substitute(value), 0
        for atom, c in expr.terms:
            if isinstance(atom, Dim) and atom.name == self.lane:
                lane = c
        terms = expr.terms
        if lane:
            terms = tuple(t for t in terms if not (isinstance(t[0], Dim) and t[0].name == self.lane))
        return expr.const, terms, lane

    def _names(self, terms: Terms) -> tuple[set[str], set[int]]:
        """The axes and the symbols in terms."""
        if (known := self.names.get(terms)) is None:
            expr = Expr(0, terms)
            known = self.names[terms] = expr.dims(), expr.symbols()
        return known

    def _linear(self, terms: Terms, symbols: Sequence[SSAValue], point: Point) -> bool:
        """Whether terms (of `_fixed`) do not depend on a whole lane axis."""
        if self.lane is None or point[self.position[self.lane]] != VECTOR:
            return True
        axes, used = self._names(terms)
        return self.lane not in axes and not any(self.lane in self.axes_of.get(symbols[s], frozenset()) for s in used)

    def scalar(self, expr: Expr, symbols: Sequence[SSAValue], point: Point) -> Val:
        """The i32 value of an expression without a whole lane in it."""
        used = self._names(expr.terms)[1]
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
        if isinstance(atom, Dim):
            level = self._level_of(atom.name)
            return Val(self.levels[level].index, level)  # type: ignore[arg-type]
        if isinstance(atom, Sym):
            return self.demand(symbols[atom.number], point)
        inner = self.scalar(atom.expr, symbols, point)
        key = ("atom", type(atom), inner.ssa, atom.limit if isinstance(atom, Min) else atom.by)
        if (known := self.memo.get(key)) is not None:
            return known
        with self._at(inner.level):
            return self._remember(key, Val(self._divided(atom, inner.ssa), inner.level))

    def _divided(self, atom: Div | Mod | Min, x: Value) -> Value:
        """The quotient, the remainder or the lesser number that an atom is, of its operand."""
        b = self.b
        if isinstance(atom, Min):
            limit = self.number(atom.limit)
            return b.select(b.inst("i32.lt_s", x, limit), x, limit)
        by = atom.by
        if not by & (by - 1):
            if isinstance(atom, Div):
                return b.inst("i32.shr_s", x, self.number(by.bit_length() - 1))
            return b.inst("i32.and", x, self.number(by - 1))
        up = max(0, -(atom.expr.bounds[0] // by))  # whole multiples that make it non-negative
        if up:
            x = b.inst("i32.add", x, self.number(up * by))
        if isinstance(atom, Mod):
            return b.inst("i32.rem_u", x, self.number(by))
        x = b.inst("i32.div_u", x, self.number(by))
        return b.inst("i32.sub", x, self.number(up)) if up else x

    def _level_of(self, axis: str) -> int:
        for k in range(len(self.levels) - 1, 0, -1):
            if self.levels[k].axis == axis:
                return k
        raise PassFailedException(
            f"kernel-to-wasm: axis '{axis}' is used outside of its loop; a reduction must be inside of the axes that its result depends on"
        )

    def index(self, expr: Expr, symbols: Sequence[SSAValue], point: Point, vector: bool) -> Val:
        """The value of an index expression: an i32, or one in each lane."""
        const, terms, lane = self._fixed(expr, point)
        if not self._linear(terms, symbols, point):
            parts = [self.scalar(Expr(*self._fixed(expr, p)[:2]), symbols, p) for p in self._each_lane(point)]
            level = max(p.level for p in parts)
            with self._at(level):
                return Val(self.lanes.pack([p.ssa for p in parts], i32), level, True)
        start = self.scalar(Expr(const, terms), symbols, point)
        if not lane:
            return start
        key = ("lanes", start.ssa, lane)
        if (known := self.memo.get(key)) is not None:
            return known
        with self._at(start.level):
            steps = self.b.const_v128("i32x4", *(lane * k for k in range(4)))
            lanes = self.b.inst("i32x4.add", self.b.inst("i32x4.splat", start.ssa), steps)
            return self._remember(key, Val(lanes, start.level, True))

    def _always(self, c: Condition, point: Point) -> bool:
        """Whether a condition holds at this point, whatever the loops."""
        const, terms, lane = self._fixed(c.expr, point)
        ends = const, const + lane * (self.lanes.count - 1)
        return not terms and c.lo <= min(ends) and max(ends) < c.hi

    def holds(self, conditions: Sequence[Condition], symbols: Sequence[SSAValue], point: Point) -> Val | None:
        """Whether all conditions hold: an i32, or a mask if they depend on a whole lane. None if they always do."""
        tests: list[Val] = []
        for c in conditions:
            if c.always or self._always(c, point):
                continue
            value = self.index(c.expr - c.lo, symbols, point, True)
            key = ("test", value.ssa, c.hi - c.lo)
            if (known := self.memo.get(key)) is None:
                with self._at(value.level):
                    known = self._remember(key, Val(self._below(value, c.hi - c.lo), value.level, value.vector))
            tests.append(known)
        if not tests:
            return None
        level, vector = max(t.level for t in tests), any(t.vector for t in tests)
        with self._at(level):
            parts = [self.lanes.splat(t.ssa, i1) if vector and not t.vector else t.ssa for t in tests]
            total = parts[0]
            for part in parts[1:]:
                total = self.b.inst("v128.and" if vector else "i32.and", total, part)
        return Val(total, level, vector)

    def _below(self, value: Val, limit: int) -> Value:
        """Whether a value lies in [0, limit): an i32, or a mask of lanes."""
        if not value.vector:
            return self.b.inst("i32.lt_u", value.ssa, self.number(limit))
        mask = self.b.inst("i32x4.lt_u", value.ssa, self.b.const_v128("i32x4", limit))
        return self.b.inst("i64x2.extend_low_i32x4_s", mask) if self.lanes.count == 2 else mask

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
                self.bases[op.buffer],  # type: ignore[index]
                type.element_type,
                linearize(op.map.data, type.get_shape()),
                op.symbols,
                tests,  # type: ignore[index]
            )
        return known

    def address(self, access: Access, point: Point) -> tuple[Val, int, int | None]:
        """(pointer, offset, stride of the lane in elements); the stride is None where the position is not linear in a whole lane."""
        const, terms, lane = self._fixed(access.flat, point)
        if not self._linear(terms, access.symbols, point):
            return Val(access.base, 0), 0, None
        size = element_bytes(access.element)
        offset = const * size
        if offset < 0 or any(c < 0 for _, c in terms):  # the pointer itself must not fall below the address 0
            pointer = self._pointer(access, terms, size, point)
            with self._at(pointer.level):
                return Val(self.b.inst("i32.add", pointer.ssa, self.number(offset)), pointer.level), 0, lane
        return self._pointer(access, terms, size, point), offset, lane

    def _pointer(self, access: Access, terms: Terms, size: int, point: Point) -> Val:
        if not terms:
            return Val(access.base, 0)
        symbols = access.symbols
        names = tuple(symbols[s] for s in sorted(self._names(terms)[1])) if symbols else ()
        key = ("pointer", access.base, terms, size, names, point if names else None)
        if (known := self.memo.get(key)) is not None:
            return known
        deepest = max(
            range(len(terms)), key=lambda k: (self._depth(terms[k][0], symbols, point), isinstance(terms[k][0], Dim))
        )
        atom, c = terms[deepest]
        rest = self._pointer(access, terms[:deepest] + terms[deepest + 1 :], size, point)
        step = c * size
        if (
            isinstance(atom, Dim)
            and rest.level < (number := self._level_of(atom.name))
            and (level := self.levels[number]).loop is not None
        ):
            init = rest.ssa
            if level.first is not None:
                with self._at(number - 1):
                    init = self.b.inst("i32.add", init, self.b.inst("i32.mul", level.first, self.number(step)))
            pointer = level.loop.carry(init)
            level.pointers.append((pointer, step))
            return self._remember(key, Val(pointer, number))
        part = self._atom(atom, symbols, point)
        number = max(part.level, rest.level)
        with self._at(number):
            moved = part.ssa if step == 1 else self.b.inst("i32.mul", part.ssa, self.number(step))
            return self._remember(key, Val(self.b.inst("i32.add", rest.ssa, moved), number))

    def _depth(self, atom: Atom, symbols: Sequence[SSAValue], point: Point) -> int:
        if isinstance(atom, Dim):
            return self._level_of(atom.name)
        return self._atom(atom, symbols, point).level

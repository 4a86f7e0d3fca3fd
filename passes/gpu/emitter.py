"""Scopes, index arithmetic and scalar ops: what the lowering of a nest to gpu writes with.

*Scopes are a stack.* The entry of the kernel is scope 0, each loop opens one. A value is made when it is first asked for, in the outermost scope that knows all axes it
depends on, and is remembered there; so loop-invariant code and common subexpressions take care of themselves. A scope's block is appended to the outer one only
when the loop closes, hence what an inner scope asks of an outer one always lands before the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from xdsl.dialects import arith, memref, scf, vector
from xdsl.dialects.builtin import (
    BFloat16Type,
    DenseArrayBase,
    Float16Type,
    Float32Type,
    IndexType,
    IntegerAttr,
    IntegerType,
    VectorType,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from weft.dialects.gpu.ops import LANEWISE, LanesOp, LanewiseOp, LocalIndexOp
from weft.dialects.gpu.thread import BarrierOp
from weft.dialects.kernel.affine import Condition, Dim, Div, Expr, Min, Mod, Sym

INDEX = IndexType()
NO_FASTMATH = arith.FastMathFlagsAttr("none")
NO_OVERFLOW = arith.IntegerOverflowAttr("none")
ADDI, SUBI, MULI = arith.AddiOp, arith.SubiOp, arith.MuliOp
F32 = Float32Type()

# Bits of predicates of arith.cmpi.
EQ, NE, SLT, SLE, SGE, ULT = 0, 1, 2, 3, 5, 6


class LoweringError(ValueError):
    """A nest, or a schedule of it, that this lowering has no way to write."""


class Scope:
    """A block under construction, and what has been computed in it."""

    __slots__ = ("block", "memo")

    def __init__(self, block: Block):
        self.block = block
        self.memo: dict[Any, SSAValue] = {}


@cache
def vector_of(element: Attribute, lanes: int) -> VectorType:
    """The vector type; making one anew costs as much as an op."""
    return VectorType(element, [lanes])


@cache
def lane_position(lane: int) -> DenseArrayBase:
    """The position of a lane, as `vector.extract` wants it."""
    return DenseArrayBase.from_list(i64, [lane])


def element_of(type: Attribute) -> Attribute:
    """The scalar type of a scalar or a vector."""
    return type.element_type if isinstance(type, VectorType) else type


def memory_type(element: Attribute) -> Attribute:
    """The type of a buffer's elements: truth values are i32, integers have no sign."""
    if isinstance(element, IntegerType):
        return i32 if element.bitwidth == 1 else IntegerType(element.bitwidth)
    if element in (F32, Float16Type(), BFloat16Type()):
        return element
    raise LoweringError(f"WebGPU has no buffers of {element}: there are no numbers of that type in WGSL")


_FLOAT_COMBINE = {"add": arith.AddfOp, "mul": arith.MulfOp, "max": arith.MaximumfOp, "min": arith.MinimumfOp}
_INT_COMBINE = {
    "add": ADDI,
    "mul": MULI,
    "max": arith.MaxSIOp,
    "min": arith.MinSIOp,
    "umax": arith.MaxUIOp,
    "umin": arith.MinUIOp,
    "and": arith.AndIOp,
    "or": arith.OrIOp,
    "xor": arith.XOrIOp,
}
_FLOAT_OPS = (arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.MaximumfOp, arith.MinimumfOp)
_PROPERTIES: dict[type[Operation], dict[str, Attribute]] = {
    **{op: {"fastmath": NO_FASTMATH} for op in _FLOAT_OPS},
    **{op: {"overflowFlags": NO_OVERFLOW} for op in (ADDI, SUBI, MULI)},
}
_PREDICATES = {k: {"predicate": IntegerAttr(k, i64)} for k in range(10)}


class Emitter:
    """Writes ops into scopes."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = [Scope(Block())]
        self.at: dict[str, int] = {}  # axis -> depth of the scope that knows it
        self.axis_value: dict[str, SSAValue] = {}
        self.subst: dict[str, Expr] = {}  # axes that stand for an expression just now
        self.symbols: list[tuple[SSAValue, int]] = []  # index values that data decides, and their depths
        self._symbol_numbers: dict[SSAValue, int] = {}

    @property
    def depth(self) -> int:
        """The innermost scope that is open."""
        return len(self.scopes) - 1

    # -- ops ------------------------------------------------------------------------------------------------------------------------------

    def emit(self, depth: int, op: Operation) -> SSAValue:
        self.scopes[depth].block.add_op(op)
        return op.results[0]

    def op(self, depth: int, cls: type[Operation], *operands: SSAValue, type: Attribute | None = None) -> SSAValue:
        """An arith op without properties of its own."""
        properties = _PROPERTIES.get(cls, {})
        result = type if type is not None else operands[0].type
        return self.emit(depth, cls.create(operands=operands, result_types=[result], properties=dict(properties)))

    def constant(self, attr: Attribute, type: Attribute) -> SSAValue:
        """A literal; all of them stand at the entry."""
        memo = self.scopes[0].memo
        if (known := memo.get(attr)) is None:
            op = arith.ConstantOp.create(result_types=[type], properties={"value": attr})
            block = self.scopes[0].block
            if block.first_op is None:
                block.add_op(op)
            else:
                block.insert_op_before(op, block.first_op)
            known = memo[attr] = op.results[0]
        return known

    def number(self, value: int) -> SSAValue:
        """An index."""
        memo = self.scopes[0].memo
        if (known := memo.get(value)) is None:
            known = memo[value] = self.constant(IntegerAttr(value, INDEX), INDEX)
        return known

    def compare(self, depth: int, predicate: int, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.emit(
            depth, arith.CmpiOp.create(operands=[a, b], result_types=[i1], properties=dict(_PREDICATES[predicate]))
        )

    def select(self, depth: int, condition: SSAValue, then: SSAValue, otherwise: SSAValue) -> SSAValue:
        """One of two values by a truth value, which may be a vector if they are."""
        if isinstance(condition.type, VectorType):
            return self.lanewise(depth, "arith.select", [condition, then, otherwise], then.type)
        return self.op(depth, arith.SelectOp, condition, then, otherwise, type=then.type)

    def lanewise(
        self, depth: int, name: str, values: list[SSAValue], type: Attribute, properties: Mapping[str, Attribute] = {}
    ) -> SSAValue:
        assert isinstance(type, VectorType)
        return self.emit(depth, LanewiseOp.make(name, values, type, dict(properties)))

    def broadcast(self, depth: int, value: SSAValue, type: VectorType) -> SSAValue:
        """A scalar in every lane."""
        key = ("broadcast", value)
        memo = self.scopes[depth].memo
        if (known := memo.get(key)) is None:
            known = memo[key] = self.op(depth, vector.BroadcastOp, value, type=type)
        return known

    def lane_of(self, depth: int, value: SSAValue, lane: int) -> SSAValue:
        """One lane of a vector."""
        key = ("lane", value, lane)
        memo = self.scopes[depth].memo
        if (known := memo.get(key)) is None:
            position = {"static_position": lane_position(lane)}
            op = vector.ExtractOp.create(operands=[value], result_types=[element_of(value.type)], properties=position)
            known = memo[key] = self.emit(depth, op)
        return known

    def lanes(self, depth: int, values: Sequence[SSAValue]) -> SSAValue:
        """A vector of scalars."""
        return self.emit(depth, LanesOp.create(operands=values, result_types=[vector_of(values[0].type, len(values))]))

    def apply(self, depth: int, op: Operation, operands: list[SSAValue]) -> SSAValue:
        """A scalar op of a nest's body on these operands, lane by lane if some of them are vectors."""
        result = op.results[0].type
        vectors = [v.type for v in operands if isinstance(v.type, VectorType)]
        if vectors:
            lanes = vectors[0].get_shape()
            if op.name == "arith.select" and not isinstance(operands[0].type, VectorType):
                operands = [operands[0], *(self._as_vector(depth, v, lanes) for v in operands[1:])]
            else:
                operands = [self._as_vector(depth, v, lanes) for v in operands]
            result = vector_of(result, lanes[0])
            if op.name in LANEWISE and not (op.name == "arith.select" and not isinstance(operands[0].type, VectorType)):
                return self.lanewise(depth, op.name, operands, result, op.properties)
        return self.emit(
            depth, type(op).create(operands=operands, result_types=[result], properties=dict(op.properties))
        )

    def _as_vector(self, depth: int, value: SSAValue, lanes: Sequence[int]) -> SSAValue:
        return (
            value
            if isinstance(value.type, VectorType)
            else self.broadcast(depth, value, vector_of(value.type, lanes[0]))
        )

    def combine(self, depth: int, kind: str, a: SSAValue, b: SSAValue) -> SSAValue:
        """Two partial results of a reduction made one."""
        table = _INT_COMBINE if isinstance(element_of(a.type), IntegerType) else _FLOAT_COMBINE
        return self.op(depth, table[kind], a, b)

    def load(self, depth: int, memory: SSAValue, *index: SSAValue) -> SSAValue:
        type = memory.type.element_type  # type: ignore[attr-defined]
        return self.emit(depth, memref.LoadOp.create(operands=[memory, *index], result_types=[type]))

    def store(self, depth: int, value: SSAValue, memory: SSAValue, *index: SSAValue) -> None:
        self.scopes[depth].block.add_op(memref.StoreOp.create(operands=[value, memory, *index]))

    def barrier(self, depth: int) -> None:
        self.scopes[depth].block.add_op(BarrierOp.create())

    @contextmanager
    def when(self, depth: int, condition: SSAValue | None) -> Generator[int]:
        """A branch: the depth of its body, which is remembered nothing of afterwards. Without a condition: the scope as it is."""
        if condition is None:
            yield depth
            return
        block = Block()
        outer, self.scopes = self.scopes, [*self.scopes[: depth + 1], Scope(block)]
        try:
            yield depth + 1
        finally:
            self.scopes = outer
        block.add_op(scf.YieldOp.create())
        branch = scf.IfOp.create(operands=[condition], regions=[Region(block), Region()])
        outer[depth].block.add_op(branch)

    def loop(self, name: str, extent: int, as_: str | None, body: Callable[[], None]) -> None:
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

    def _local_index(self) -> SSAValue:
        """The number of this invocation in its workgroup, which expressions know as `$li`."""
        memo = self.scopes[0].memo
        if (known := memo.get("li")) is None:
            known = memo["li"] = self.emit(0, LocalIndexOp.create(result_types=[INDEX]))
        self.axis_value["$li"], self.at["$li"] = known, 0
        return known

    # -- index arithmetic -----------------------------------------------------------------------------------------------------------------

    def symbol(self, value: SSAValue, depth: int) -> int:
        """The number by which expressions know an index that data decides."""
        if (number := self._symbol_numbers.get(value)) is None:
            number = self._symbol_numbers[value] = len(self.symbols)
            self.symbols.append((self.op(depth, arith.IndexCastOp, value, type=INDEX), depth))
        return number

    def depth_of(self, expr: Expr) -> int:
        """The scope in which all its atoms are known."""
        deepest = 0
        for atom in expr.atoms():
            if isinstance(atom, Dim):
                deepest = max(deepest, self.at[atom.name])
            elif isinstance(atom, Sym):
                deepest = max(deepest, self.symbols[atom.number][1])
        return deepest

    def index(self, expr: Expr) -> SSAValue:
        """The value of an expression of which every atom is known. Terms of outer scopes are added up there."""
        if expr.is_constant:
            return self.number(expr.const)
        depths: dict[int, list[Any]] = {}
        for term in expr.terms:
            depths.setdefault(self.depth_of(Expr(0, (term,))), []).append(term)
        value: SSAValue | None = None
        done: tuple[Any, ...] = ()
        depth = 0
        for depth in sorted(depths):
            done += tuple(depths[depth])
            memo = self.scopes[depth].memo
            if (known := memo.get(("sum", done))) is None:
                known = value
                for atom, c in depths[depth]:
                    known = self._add_term(depth, known, atom, c)
                assert known is not None
                memo["sum", done] = known
            value = known
        assert value is not None
        if expr.const:
            memo, key = self.scopes[depth].memo, ("sum", done, expr.const)
            if (known := memo.get(key)) is None:
                known = memo[key] = self.op(depth, ADDI, value, self.number(expr.const))
            value = known
        return value

    def _add_term(self, depth: int, total: SSAValue | None, atom: Any, c: int) -> SSAValue:
        value = self._atom(depth, atom)
        if total is not None and c == -1:
            return self.op(depth, SUBI, total, value)
        if c != 1:
            value = self.op(depth, MULI, value, self.number(c))
        return value if total is None else self.op(depth, ADDI, total, value)

    def _atom(self, depth: int, atom: Any) -> SSAValue:
        match atom:
            case Dim(name, _):
                return self.axis_value[name]
            case Sym(number, _, _):
                return self.symbols[number][0]
        memo = self.scopes[depth].memo
        if (known := memo.get(atom)) is not None:
            return known
        match atom:
            case Min(expr, limit):
                value = self.op(depth, arith.MinSIOp, self.index(expr), self.number(limit))
            case Div(expr, by) if by & (by - 1) == 0:  # an arithmetic shift rounds down, as floordiv does
                value = self.op(depth, arith.ShRSIOp, self.index(expr), self.number(by.bit_length() - 1))
            case Mod(expr, by) if by & (by - 1) == 0:
                value = self.op(depth, arith.AndIOp, self.index(expr), self.number(by - 1))
            case Div(expr, by):
                lift = max(0, -(expr.bounds[0] // by))
                value = self.op(depth, arith.DivSIOp, self.index(expr + lift * by), self.number(by))
                value = self.op(depth, SUBI, value, self.number(lift)) if lift else value
            case Mod(expr, by):
                lift = max(0, -(expr.bounds[0] // by))
                value = self.op(depth, arith.RemSIOp, self.index(expr + lift * by), self.number(by))
            case _:
                raise LoweringError(f"no index arithmetic for {atom}")
        memo[atom] = value
        return value

    def holds(self, conditions: Sequence[Condition]) -> SSAValue | None:
        """Whether all conditions hold (their expressions are of known atoms); None if they always do."""
        result: SSAValue | None = None
        for condition in conditions:
            if condition.always:
                continue
            expr, lo, hi = condition
            if expr.is_constant:
                return self.constant(IntegerAttr(0, i1), i1)
            depth = self.depth_of(expr)
            memo, key = self.scopes[depth].memo, ("holds", condition)
            test = memo.get(key)
            if test is None:
                least, greatest = expr.bounds
                value = self.index(expr - lo if least < lo else expr)
                if least >= lo:
                    test = self.compare(depth, SLT, value, self.number(hi))
                elif greatest < hi:
                    test = self.compare(depth, SGE, value, self.number(0))
                else:  # both at once: what is negative is large when read as unsigned
                    test = self.compare(depth, ULT, value, self.number(hi - lo))
                memo[key] = test
            result = test if result is None else self.both(result, test)
        return result

    def both(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """The conjunction of two truth values, in the deeper one's scope."""
        depth = max(self.home(a), self.home(b))
        memo, key = self.scopes[depth].memo, ("and", a, b)
        if (known := memo.get(key)) is None:
            known = memo[key] = self.op(depth, arith.AndIOp, a, b)
        return known

    def home(self, value: SSAValue) -> int:
        """The depth of the scope whose block a value stands in."""
        block = value.owner.parent if isinstance(value.owner, Operation) else value.owner
        for depth in range(len(self.scopes) - 1, -1, -1):
            if self.scopes[depth].block is block:
                return depth
        return 0

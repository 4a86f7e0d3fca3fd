"""How an op reads its operands, found out by asking its own `to_kernel` rule once.

Fusion must know of each op whether it reads an operand at its own index, transposed, once for each element or a thousand times; which axes it reduces over; and what an
element costs. All that is in the rule already. So the rule is run on a builder that records reads in place of emitting loads, and what it did is kept by the
op's class, parameters and types. No table of primitives is needed here, and a new primitive fuses as well as the old ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

from xdsl.dialects import arith, math
from xdsl.ir import Attribute, Block, Operation, SSAValue

from weft.dialects.array.op import ArrayOp, Elementwise
from weft.dialects.dtypes import DType, from_type
from weft.dialects.kernel.affine import Dim, Expr, Sym, linearize
from weft.dialects.kernel.builder import NestBuilder, Operand
from weft.dialects.kernel.ops import IndexOp, InsideOp, ReduceOp, StoreOp, scalar_type

FREE = frozenset((arith.ConstantOp, IndexOp, InsideOp, ReduceOp, StoreOp))
"""Ops of a body that cost (nearly) nothing by themselves."""

CALLS = frozenset(
    op
    for op in math.Math.operations
    if op not in (math.AbsFOp, math.AbsIOp, math.FmaOp, math.FloorOp, math.CeilOp, math.TruncOp)
)
"""Ops that are functions, of ten to a hundred instructions each."""

DEAR = CALLS | {arith.DivfOp, arith.DivSIOp, arith.DivUIOp, arith.RemSIOp, arith.RemUIOp}
"""Ops that cost about as much as eight additions."""


class Read(NamedTuple):
    """One read of an operand. Axes are numbered: first those of the result's dimensions, then those that are reduced."""

    operand: int
    dims: tuple[int, ...]
    """For each dimension of the operand: which axes its index depends on, as a set of bits."""
    exact: bool
    """Over the axes that it depends on, the index meets every element of the operand once."""
    plain: bool
    """Each dimension is an axis itself: another read of these dims is the same read."""
    gathered: bool = False
    """The index is data."""


class Profile(NamedTuple):
    """What a rule does."""

    reads: tuple[Read, ...]
    reduced: tuple[int, ...]
    """Extents of the axes that are reduced."""
    weight: int
    """Cost of one element (of one step, if it reduces), in additions."""
    view: bool
    """Index arithmetic and nothing else."""
    calls: int = 0
    """How many functions an element calls."""

    @property
    def gathers(self) -> bool:
        """Whether it reads where data say."""
        return any(r.gathered for r in self.reads)


def is_bijective(index: Sequence[Expr], shape: Sequence[int]) -> bool:
    """Whether the index meets every element of an array of that shape exactly once, as its axes run: its row-major position is a mixed-radix number of them."""
    if 0 in shape:
        return True
    position = linearize(tuple(index), tuple(shape))
    size, least = 1, position.const
    for atom, c in sorted(position.terms, key=lambda term: abs(term[1])):
        if not isinstance(atom, Dim) or abs(c) != size:
            return False
        size *= atom.extent
        least += min(0, c * (atom.extent - 1))
    return size == prod(shape) and least == 0


class _Probe(NestBuilder):
    """A builder that records what a rule asks for."""

    def __init__(self, shape: Sequence[int]):
        super().__init__()
        self.requests: list[tuple[SSAValue, tuple[Expr, ...], bool]] = []
        self.point = self.parallel(shape)
        self._frames[-1].free = set(self._axes)
        self.rank = len(self._axes)

    def read(self, arg: Operand, index: Sequence[Expr]) -> SSAValue:
        index = tuple(index)
        key = (arg.value, index, self.guard)
        if (known := self._memo.get(key)) is None:
            self.requests.append((arg.value, index, bool(self.guard)))
            known = self._memo[key] = Block(arg_types=[scalar_type(arg.dtype.element)]).args[0]
            self._dims_of[known] = self._free(index)
        return known

    def profile(self, operands: Sequence[Operand], dims: Sequence[Expr]) -> Profile:
        """What was recorded. `dims` are the result's dimensions: an axis each, or a constant."""
        names = list(self._axes)
        number = {d: k for k, e in enumerate(dims) for d in e.dims()}
        number |= {n: len(dims) + k for k, n in enumerate(names[self.rank :])}
        reads: list[Read] = []
        for value, index, guarded in self.requests:
            which = next(k for k, o in enumerate(operands) if o.value is value)
            bits = tuple(sum(1 << number[n] for n in self._named(e)) for e in index)
            reads.append(
                Read(
                    which,
                    bits,
                    not guarded and is_bijective(index, operands[which].shape),
                    not guarded and all(_is_axis(e) for e in index),
                    any(isinstance(a, Sym) for e in index for a in e.atoms()),
                )
            )
        ops = [op for op in self.block.ops if type(op) not in FREE]
        reduced = tuple(self._axes[n][0] for n in names[self.rank :])
        sources = sum(1 for o in operands if o.shape)
        view = not reduced and sources <= 1 and all(isinstance(op, arith.SelectOp) for op in ops)
        weight, calls = sum(8 if type(op) in DEAR else 1 for op in ops), sum(type(op) in CALLS for op in ops)
        return Profile(tuple(reads), reduced, weight, view, calls)

    def _named(self, expr: Expr) -> set[str]:
        """The axes that an expression depends on, through symbols too; those of conditions are not among them."""
        through = (self._symbol_dims[a.number] for a in expr.atoms() if isinstance(a, Sym))
        return expr.dims().union(*through)


def _is_axis(expr: Expr) -> bool:
    if expr.const:
        return False
    return not expr.terms or (len(expr.terms) == 1 and isinstance(expr.terms[0][0], Dim) and expr.terms[0][1] == 1)


@lru_cache(maxsize=8192)
def _profile(
    cls: type[ArrayOp],
    keys: tuple[str, ...],
    values: tuple[Attribute, ...],
    types: tuple[Attribute, ...],
    result: Attribute,
) -> Profile:
    block = Block(arg_types=types)
    op = cls.create(operands=block.args, result_types=[result], properties=dict(zip(keys, values, strict=True)))
    operands = [Operand.of(a) for a in block.args]
    params = cls.params_of(op)
    probe = _Probe(cls.space(operands, **params) if cls.PUSHES else result.get_shape())  # type: ignore[attr-defined]
    cls.to_kernel(probe, probe.point, tuple(operands), **params)
    return probe.profile(operands, probe.point)


@lru_cache(maxsize=1024)
def _cost(
    cls: type[ArrayOp],
    keys: tuple[str, ...],
    values: tuple[Attribute, ...],
    types: tuple[Attribute, ...],
    result: Attribute,
) -> tuple[int, int]:
    """The weight and the calls of an element of an elementwise op, whatever its shape."""
    from xdsl.dialects.builtin import TensorType

    found = _profile(cls, keys, values, tuple(TensorType(t, ()) for t in types), TensorType(result, ()))
    return found.weight, found.calls


def profile(op: Operation) -> Profile:
    """How an array op reads its operands."""
    cls = type(op)
    keys, values = tuple(op.properties), tuple(op.properties.values())
    types = tuple([o.type for o in op.operands])
    result = op.results[0].type
    if not issubclass(cls, Elementwise):
        return _profile(cls, keys, values, types, result)
    weight, calls = _cost(cls, keys, values, tuple([t.element_type for t in types]), result.element_type)  # type: ignore[attr-defined]
    shape = result.get_shape()  # type: ignore[attr-defined]
    own = tuple([1 << k if n != 1 else 0 for k, n in enumerate(shape)])
    reads = tuple([Read(k, own, True, True) if len(t.shape) else Read(k, (), True, True) for k, t in enumerate(types)])  # type: ignore[attr-defined]
    return Profile(reads, (), weight, False, calls)


def dtype_of(value: SSAValue) -> DType:
    """The dtype of a tensor's elements."""
    return from_type(value.type.element_type)  # type: ignore[attr-defined]

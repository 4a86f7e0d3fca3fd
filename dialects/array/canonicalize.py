"""The rules by which array ops simplify: operations that do nothing go, two views in a row become one, literals are computed.

A rule looks at one op and gives the value that takes its place, or None. It keeps values to the bit: x + 0.0 is not x where x is -0.0, x * 0.0 is not 0 where x is NaN, and nothing is
reassociated. One table serves both who apply it: upstream's `canonicalize` through `patterns`, and `array-simplify`, which walks a function once in every compilation.
"""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.rewriter import InsertPoint

from weft.dialects.array import ops
from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.params import aval_of, decode, tensor_type
from weft.dialects.dtypes import DType

Rule = Callable[[Any, "Place"], SSAValue | None]
_rules: defaultdict[type[Operation], list[Rule]] = defaultdict(list)


@dataclass(frozen=True)
class Place:
    """Where an op is rewritten: makes the ops that take its place, and has them inserted in front of it."""

    op: Operation
    insert: Callable[[Operation], object]

    def make(self, cls: type[ArrayOp], *operands: SSAValue, **params: Any) -> SSAValue:
        """The result of a new op."""
        out = cls.infer(*(aval_of(o.type) for o in operands), **params)
        new = cls.create(
            operands=operands,
            result_types=[tensor_type(out)],  # type: ignore[arg-type]
            properties=cls.properties_of(params),
            location=self.op.location,
        )
        self.insert(new)
        return new.results[0]

    def constant(self, value: Any, type: Any) -> SSAValue:
        """A literal in every element of a type."""
        out = aval_of(type)
        return self.make(ConstantOp, value=value, shape=out.shape, dtype=out.dtype)


def simplified(op: Operation, insert: Callable[[Operation], object]) -> SSAValue | None:
    """The value that takes the place of an op's result, by the first rule that has one. New ops are handed to `insert`."""
    rules = _rules.get(type(op))
    if rules is None:
        return None
    place, type_ = Place(op, insert), op.results[0].type
    for rule in rules:
        new = rule(op, place)
        if new is not None and new.type == type_:  # no scalar that stands for every element of the result
            return new
    return None


@dataclass(frozen=True)
class Simplify(RewritePattern):
    """The rules as a pattern of upstream's rewriter."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        new = simplified(op, lambda made: rewriter.insert(made, InsertPoint.before(op)))
        if new is not None:
            rewriter.replace(op, [], [new])


def patterns(cls: type[Operation]) -> tuple[RewritePattern, ...]:
    """The patterns for an op; none for most."""
    return (Simplify(),) if cls in _rules else ()


def simplifies(*classes: type[ArrayOp]) -> Callable[[Rule], Rule]:
    """The function below is a rule of these ops."""

    def keep(rule: Rule) -> Rule:
        for cls in classes:
            _rules[cls].append(rule)
        return rule

    return keep


def splat(value: SSAValue) -> Any:
    """The scalar that stands in every element of a literal, or None."""
    op = value.owner
    if not isinstance(op, ConstantOp) or isinstance(op.value, DenseIntOrFPElementsAttr):
        return None
    return decode(op.value)


def is_splat(value: SSAValue, number: float) -> bool:
    """Whether it is a literal of this very number: -0.0 is not 0.0. (Integers have one zero.)"""
    found = splat(value)
    if found is None or found != number or isinstance(found, complex):
        return False
    return not isinstance(found, float) or math.copysign(1.0, found) == math.copysign(1.0, number)


# -- nothing to do -----------------------------------------------------------------------------------------------------


@simplifies(ops.AddOp, ops.OrOp, ops.XorOp)
def neutral_zero(op: Any, at: Place) -> SSAValue | None:
    """x + 0, 0 + x; of floats x + -0.0."""
    return op.x if is_splat(op.y, -0.0) else op.y if is_splat(op.x, -0.0) else None


@simplifies(ops.SubOp, ops.ShiftLeftOp, ops.ShiftRightArithmeticOp, ops.ShiftRightLogicalOp)
def neutral_zero_on_the_right(op: Any, at: Place) -> SSAValue | None:
    """x - 0."""
    return op.x if is_splat(op.y, 0.0) else None


@simplifies(ops.MulOp)
def neutral_one(op: Any, at: Place) -> SSAValue | None:
    """x * 1, 1 * x."""
    return op.x if is_splat(op.y, 1) else op.y if is_splat(op.x, 1) else None


@simplifies(ops.DivOp)
def divided_by_one(op: Any, at: Place) -> SSAValue | None:
    """x / 1."""
    return op.x if is_splat(op.y, 1) else None


@simplifies(ops.MaxOp, ops.MinOp, ops.AndOp, ops.OrOp, ops.SelectOp)
def of_equals(op: Any, at: Place) -> SSAValue | None:
    """max(x, x), select(p, x, x)."""
    return op.x if op.x == op.y else None


@simplifies(ops.MaxOp, ops.MinOp)
def neutral_extreme(op: Any, at: Place) -> SSAValue | None:
    """max(x, -inf), min(x, inf)."""
    limit = -math.inf if isinstance(op, ops.MaxOp) else math.inf
    return op.x if is_splat(op.y, limit) else op.y if is_splat(op.x, limit) else None


@simplifies(ops.NegOp, ops.NotOp)
def twice(op: Any, at: Place) -> SSAValue | None:
    """-(-x)."""
    return op.x.owner.x if isinstance(op.x.owner, type(op)) else None


@simplifies(ops.ConvertOp, ops.BitcastOp, ops.ReshapeOp, ops.BroadcastInDimOp, ops.StopGradientOp)
def same_type(op: Any, at: Place) -> SSAValue | None:
    """A change to the type that it has, and what only transforms see."""
    return op.x


@simplifies(ops.IntegerPowOp)
def small_power(op: Any, at: Place) -> SSAValue | None:
    """x ** 1, and x ** 2 as a product."""
    exponent = decode(op.y)
    return op.x if exponent == 1 else at.make(ops.MulOp, op.x, op.x) if exponent == 2 else None


@simplifies(ops.TransposeOp)
def transpose_to_the_same(op: Any, at: Place) -> SSAValue | None:
    """Axes that stay where they are."""
    order = decode(op.permutation)
    return op.x if order == tuple(sorted(order)) else None


@simplifies(ops.SliceOp, ops.PadOp)
def whole(op: Any, at: Place) -> SSAValue | None:
    """A slice of everything, and padding with nothing: the type tells, unless elements only move."""
    params = op.params_of(op)
    still = not any((*params["low"], *params["high"], *params["interior"])) if isinstance(op, ops.PadOp) else True
    return op.x if still else None


@simplifies(ops.ReverseOp, ops.ReduceOp)
def along_no_axis(op: Any, at: Place) -> SSAValue | None:
    """A reversal or reduction along no axis."""
    return op.x if not decode(op.properties.get("dimensions") or op.properties.get("axes")) else None


@simplifies(ops.ReduceOp)
def along_axes_of_one(op: Any, at: Place) -> SSAValue | None:
    """A reduction of one element each."""
    shape, axes = aval_of(op.x.type).shape, decode(op.axes)
    alone = axes and all(shape[k] == 1 for k in axes)
    return at.make(ops.ReshapeOp, op.x, shape=aval_of(op.results[0].type).shape) if alone else None


@simplifies(ops.ConcatenateOp)
def concatenation_of_one(op: Any, at: Place) -> SSAValue | None:
    """One array after nothing; empty arrays go."""
    parts = [x for x in op.xs if aval_of(x.type).size]
    if len(parts) == 1:
        return parts[0]
    return at.make(ops.ConcatenateOp, *parts, **op.params_of(op)) if 1 < len(parts) < len(op.xs) else None


# -- literals ----------------------------------------------------------------------------------------------------------


@simplifies(ops.ReshapeOp, ops.TransposeOp, ops.BroadcastInDimOp, ops.SliceOp, ops.ReverseOp, ops.StopGradientOp)
def view_of_a_literal(op: Any, at: Place) -> SSAValue | None:
    """Every element is the same, wherever it goes."""
    value = splat(op.x)
    return None if value is None else at.constant(value, op.results[0].type)


@simplifies(ops.SelectOp)
def known_choice(op: Any, at: Place) -> SSAValue | None:
    """A predicate that is a literal."""
    choice = splat(op.predicate)
    if choice is None:
        return None
    chosen = op.x if choice else op.y
    shape = aval_of(op.results[0].type).shape
    if aval_of(chosen.type).shape == shape:
        return chosen
    return at.make(ops.BroadcastInDimOp, chosen, shape=shape, broadcast_dimensions=())


_COMPUTED: dict[type[Operation], Callable[..., Any]] = {
    ops.AddOp: operator.add,
    ops.SubOp: operator.sub,
    ops.MulOp: operator.mul,
    ops.NegOp: operator.neg,
    ops.AbsOp: abs,
}
"""What is computed here, in float64: rounded once more, that is right for float32 and float16 too."""


@simplifies(ops.AddOp, ops.SubOp, ops.MulOp, ops.NegOp, ops.AbsOp)
def computed_literal(op: Any, at: Place) -> SSAValue | None:
    """Arithmetic on literals; integers wrap around."""
    values = [splat(v) for v in op.operands]
    if any(v is None or isinstance(v, (bool, complex)) for v in values):
        return None
    type = op.results[0].type
    return at.constant(_wrapped(_COMPUTED[op.__class__](*values), aval_of(type).dtype), type)


@simplifies(ops.DivOp)
def divided_literal(op: Any, at: Place) -> SSAValue | None:
    """A quotient of floats; division by zero is left to the device."""
    x, y = splat(op.x), splat(op.y)
    known = isinstance(x, float) and isinstance(y, float) and y != 0.0
    return at.constant(x / y, op.results[0].type) if known else None


@simplifies(ops.ConvertOp)
def converted_literal(op: Any, at: Place) -> SSAValue | None:
    """A literal in another dtype, where there is no doubt what it is."""
    value, type = splat(op.x), op.results[0].type
    dtype = aval_of(type).dtype
    if value is None or isinstance(value, complex) or dtype.kind == "c":
        return None
    if dtype.kind == "b":
        return at.constant(value != 0, type)
    if dtype.kind == "f":
        return at.constant(float(value), type)
    if not isinstance(value, float):
        return at.constant(_wrapped(int(value), dtype), type)
    least = -(1 << (dtype.bits - 1)) if dtype.kind == "i" else 0
    fits = math.isfinite(value) and least <= math.trunc(value) < least + (1 << dtype.bits)
    return at.constant(math.trunc(value), type) if fits else None


def _wrapped(value: Any, dtype: DType) -> Any:
    """A Python result as the dtype keeps it."""
    if dtype.kind in "iu":
        value &= (1 << dtype.bits) - 1
        return value - (1 << dtype.bits) if dtype.kind == "i" and value >> (dtype.bits - 1) else value
    return value


@simplifies(ops.MulOp)
def integer_zero(op: Any, at: Place) -> SSAValue | None:
    """x * 0, of integers: a float might be NaN."""
    is_zero = aval_of(op.results[0].type).dtype.is_integer and (is_splat(op.x, 0) or is_splat(op.y, 0))
    return at.constant(0, op.results[0].type) if is_zero else None


# -- two in a row ------------------------------------------------------------------------------------------------------


@simplifies(ops.ReshapeOp)
def reshape_of_reshape(op: Any, at: Place) -> SSAValue | None:
    """The shape in between does not matter."""
    inner = op.x.owner
    shape = aval_of(op.results[0].type).shape
    return at.make(ops.ReshapeOp, inner.x, shape=shape) if isinstance(inner, ops.ReshapeOp) else None


@simplifies(ops.BitcastOp)
def bitcast_of_bitcast(op: Any, at: Place) -> SSAValue | None:
    """The type in between does not matter."""
    inner = op.x.owner
    dtype = aval_of(op.results[0].type).dtype
    return at.make(ops.BitcastOp, inner.x, dtype=dtype) if isinstance(inner, ops.BitcastOp) else None


@simplifies(ops.TransposeOp)
def transpose_of_transpose(op: Any, at: Place) -> SSAValue | None:
    """One permutation after another is one."""
    inner = op.x.owner
    if not isinstance(inner, ops.TransposeOp):
        return None
    first = decode(inner.permutation)
    return at.make(ops.TransposeOp, inner.x, permutation=tuple(first[k] for k in decode(op.permutation)))


@simplifies(ops.BroadcastInDimOp)
def broadcast_of_broadcast(op: Any, at: Place) -> SSAValue | None:
    """Axes go where the second one takes them."""
    inner = op.x.owner
    if not isinstance(inner, ops.BroadcastInDimOp):
        return None
    outer = decode(op.broadcast_dimensions)
    dimensions = tuple(outer[d] for d in decode(inner.broadcast_dimensions))
    shape = aval_of(op.results[0].type).shape
    return at.make(ops.BroadcastInDimOp, inner.x, shape=shape, broadcast_dimensions=dimensions)


@simplifies(ops.ReverseOp)
def reverse_of_reverse(op: Any, at: Place) -> SSAValue | None:
    """Axes that are reversed twice are not."""
    inner = op.x.owner
    if not isinstance(inner, ops.ReverseOp):
        return None
    axes = tuple(sorted(set(decode(op.dimensions)) ^ set(decode(inner.dimensions))))
    return at.make(ops.ReverseOp, inner.x, dimensions=axes)


@simplifies(ops.SliceOp)
def slice_of_slice(op: Any, at: Place) -> SSAValue | None:
    """A slice's part is a slice."""
    inner = op.x.owner
    if not isinstance(inner, ops.SliceOp):
        return None
    one, two = inner.params_of(inner), op.params_of(op)
    if not aval_of(op.results[0].type).size:
        return None
    steps = list(zip(one["start"], one["strides"], two["start"], two["limit"], two["strides"], strict=True))
    start = tuple(s + k * s2 for s, k, s2, _, _ in steps)
    limit = tuple(s + k * (e2 - 1) + 1 for s, k, _, e2, _ in steps)
    return at.make(ops.SliceOp, inner.x, start=start, limit=limit, strides=tuple(k * k2 for _, k, _, _, k2 in steps))

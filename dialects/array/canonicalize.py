"""What upstream's `canonicalize` does to array ops: operations that do nothing go, two views in a row become one, and
literals move through views.

A rule looks at one op and gives the value that takes its place, or None. Rules keep values to the bit, but for the sign
of a zero that 0 is added to (as XLA does).
"""

from __future__ import annotations

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

Rule = Callable[[Any, "Place"], SSAValue | None]
_rules: defaultdict[type[ArrayOp], list[Rule]] = defaultdict(list)


@dataclass(frozen=True)
class Place:
    """Where an op is rewritten: makes the ops that take its place."""

    op: Operation
    rewriter: PatternRewriter

    def make(self, cls: type[ArrayOp], *operands: SSAValue, **params: Any) -> SSAValue:
        """The result of a new op in front of the old one."""
        out = cls.infer(*(aval_of(o.type) for o in operands), **params)
        new = cls.create(
            operands=operands,
            result_types=[tensor_type(out)],  # type: ignore[arg-type]
            properties=cls.properties_of(params),
            location=self.op.location,
        )
        self.rewriter.insert(new, InsertPoint.before(self.op))
        return new.results[0]

    def constant(self, value: Any, type: Any) -> SSAValue:
        """A literal in every element of a type."""
        out = aval_of(type)
        return self.make(ConstantOp, value=value, shape=out.shape, dtype=out.dtype)


@dataclass(frozen=True)
class Simplify(RewritePattern):
    """The rules of one op as a pattern."""

    rules: tuple[Rule, ...]

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        for rule in self.rules:
            new = rule(op, Place(op, rewriter))
            if new is not None and new.type == op.results[0].type:
                rewriter.replace(op, [], [new])
                return


def patterns(cls: type[Operation]) -> tuple[RewritePattern, ...]:
    """The patterns for an op; none for most."""
    return (Simplify(tuple(_rules[cls])),) if cls in _rules else ()  # type: ignore[index]


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
    """Whether it is a literal of this number."""
    found = splat(value)
    return found is not None and found == number


# -- nothing to do -----------------------------------------------------------------------------------------------------


@simplifies(ops.AddOp, ops.OrOp, ops.XorOp)
def neutral_zero(op: Any, at: Place) -> SSAValue | None:
    """x + 0, 0 + x."""
    return op.x if is_splat(op.y, 0) else op.y if is_splat(op.x, 0) else None


@simplifies(ops.SubOp, ops.ShiftLeftOp, ops.ShiftRightArithmeticOp, ops.ShiftRightLogicalOp)
def neutral_zero_on_the_right(op: Any, at: Place) -> SSAValue | None:
    """x - 0."""
    return op.x if is_splat(op.y, 0) else None


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


@simplifies(ops.NegOp, ops.NotOp)
def twice(op: Any, at: Place) -> SSAValue | None:
    """-(-x)."""
    return op.x.owner.x if isinstance(op.x.owner, type(op)) else None


@simplifies(ops.ConvertOp, ops.BitcastOp, ops.ReshapeOp, ops.BroadcastInDimOp)
def same_type(op: Any, at: Place) -> SSAValue | None:
    """A change to the type that it has."""
    return op.x


@simplifies(ops.IntegerPowOp)
def first_power(op: Any, at: Place) -> SSAValue | None:
    """x ** 1."""
    return op.x if decode(op.y) == 1 else None


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


@simplifies(ops.ConvertOp)
def converted_literal(op: Any, at: Place) -> SSAValue | None:
    """A literal of an integer or bool as another number that holds it exactly."""
    value, target = splat(op.x), aval_of(op.results[0].type).dtype
    if (
        isinstance(value, (bool, int))
        and abs(value) < 128
        and (target.is_floating or (target.is_integer and value >= 0))
    ):
        return at.constant(int(value), op.results[0].type)
    return None


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

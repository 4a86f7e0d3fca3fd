"""array-simplify: less to compute, and the very same numbers.

One walk over each function, in program order, so that every op sees simplified operands: literals are computed, identities drop out, views of views become one, and an op
that was computed before is not computed again; then what nobody uses goes. Only what holds for every float is done: x + 0.0 is not x where x is -0.0, and x * 0.0 is not 0
where x is NaN. Neither is anything reassociated.

This runs in every compilation, so it is a plain walk with a table of rules by op, not a greedy rewriter, which would cost more than the lowering that it helps.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from weft.dialects.array import ops
from weft.dialects.array.op import ArrayOp, Elementwise
from weft.dialects.array.params import decode, element
from weft.dialects.dtypes import DType, from_type


@dataclass(frozen=True)
class ArraySimplifyPass(ModulePass):
    """Folds literals, drops identities, composes views, and removes what is computed twice or for nothing."""

    name = "array-simplify"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for func in op.body.block.ops:
            if isinstance(func, FuncOp) and not func.is_declaration:
                simplify(func.body.block)


def simplify(block: Block) -> None:
    """Simplifies the ops of one block."""
    known: dict[tuple[Any, ...], SSAValue] = {}
    for op in list(block.ops):
        if not isinstance(op, ArrayOp) or len(op.results) != 1:
            continue
        found = _fold(op) or _rewrite(op)
        if isinstance(found, SSAValue):
            op.results[0].replace_all_uses_with(found)
            continue
        if found is not None:
            found.location = op.location
            block.insert_op_before(found, op)
            op.results[0].replace_all_uses_with(found.results[0])
            op = found
        key = (type(op), *op.operands, *op.properties.items(), op.results[0].type)
        if (same := known.setdefault(key, op.results[0])) is not op.results[0]:
            op.results[0].replace_all_uses_with(same)
    for op in reversed(list(block.ops)):
        if isinstance(op, ArrayOp) and all(r.first_use is None for r in op.results):
            block.detach_op(op)
            op.erase()


# -- literals -----------------------------------------------------------------------------------------------------------------------------


def literal(value: SSAValue) -> Any:
    """The scalar that a value is everywhere, or None."""
    owner = value.owner
    if not isinstance(owner, ops.ConstantOp) or isinstance(owner.value, DenseIntOrFPElementsAttr):
        return None
    return decode(owner.value)


def constant(value: Any, type: Attribute) -> ops.ConstantOp:
    """A literal op."""
    attribute = element(value, from_type(type.element_type))  # type: ignore[attr-defined]
    return ops.ConstantOp.create(result_types=[type], properties={"value": attribute})


def _wrap(value: Any, dtype: DType) -> Any:
    """A Python result as the dtype keeps it."""
    if dtype.kind in "iu":
        value &= (1 << dtype.bits) - 1
        return value - (1 << dtype.bits) if dtype.kind == "i" and value >> (dtype.bits - 1) else value
    return value


COMPUTED: dict[type[Operation], Callable[..., Any]] = {
    ops.AddOp: operator.add,
    ops.SubOp: operator.sub,
    ops.MulOp: operator.mul,
    ops.NegOp: operator.neg,
    ops.AbsOp: abs,
}
"""What is computed here, in float64: rounded once more, that is right for float32 and float16 too."""


def _fold(op: ArrayOp) -> Operation | None:
    """The literal that an op on literals gives."""
    type = op.results[0].type
    if isinstance(op, (ops.BroadcastInDimOp, ops.ReshapeOp, ops.TransposeOp, ops.SliceOp, ops.ReverseOp)):
        value = literal(op.operands[0])
        return constant(value, type) if value is not None else None
    if not isinstance(op, Elementwise):
        return None
    values = [literal(v) for v in op.operands]
    if any(v is None for v in values):
        return None
    if isinstance(op, ops.ConvertOp):
        return _converted(values[0], type)
    if isinstance(op, ops.DivOp):
        numerator, denominator = values
        if not isinstance(numerator, float) or denominator == 0.0:
            return None
        return constant(numerator / denominator, type)
    if (compute := COMPUTED.get(op.__class__)) is None or isinstance(values[0], (bool, complex)):
        return None
    return constant(_wrap(compute(*values), from_type(type.element_type)), type)  # type: ignore[attr-defined]


def _converted(value: Any, type: Attribute) -> Operation | None:
    """A literal in another dtype, where there is no doubt what it is."""
    dtype: DType = from_type(type.element_type)  # type: ignore[attr-defined]
    if isinstance(value, complex) or dtype.kind == "c":
        return None
    if dtype.kind == "b":
        return constant(value != 0, type)
    if dtype.kind == "f":
        return constant(float(value), type)
    if isinstance(value, float):
        least, most = (
            (-(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1) if dtype.kind == "i" else (0, (1 << dtype.bits) - 1)
        )
        if not math.isfinite(value) or not least <= math.trunc(value) <= most:
            return None
        return constant(math.trunc(value), type)
    return constant(_wrap(int(value), dtype), type)


# -- identities ---------------------------------------------------------------------------------------------------------------------------


def _is(value: Any, number: float) -> bool:
    """Whether a literal is that very number: -0.0 is not 0.0."""
    if value is None or isinstance(value, complex) or value != number:
        return False
    return not isinstance(value, float) or math.copysign(1.0, value) == math.copysign(1.0, number)


def _neutral(x: SSAValue, y: SSAValue, zero: float | None) -> SSAValue | None:
    """x, if y is the neutral element."""
    value = literal(y)
    return x if zero is not None and (_is(value, zero) or (value == 0 and type(value) is int and zero == 0)) else None


def _add(op: Operation) -> SSAValue | None:
    x, y = op.operands
    return _neutral(x, y, -0.0) or _neutral(y, x, -0.0)


def _sub(op: Operation) -> SSAValue | None:
    x, y = op.operands
    return _neutral(x, y, 0.0)


def _mul(op: Operation) -> SSAValue | None:
    x, y = op.operands
    return _neutral(x, y, 1) or _neutral(y, x, 1)


def _div(op: Operation) -> SSAValue | None:
    x, y = op.operands
    return _neutral(x, y, 1)


def _involution(op: Operation) -> SSAValue | None:
    """Done twice, nothing is done."""
    inner = op.operands[0].owner
    return inner.operands[0] if isinstance(inner, type(op)) else None


def _convert(op: Operation) -> SSAValue | None:
    return op.operands[0]


def _select(op: Operation) -> SSAValue | None:
    condition, x, y = op.operands
    if x is y:
        return x
    value = literal(condition)
    return None if value is None else x if value else y


def _integer_pow(op: Operation) -> SSAValue | Operation | None:
    exponent = decode(op.properties["y"])
    if exponent == 2:
        return ops.MulOp.create(operands=[op.operands[0]] * 2, result_types=op.result_types)
    return op.operands[0] if exponent == 1 else None


def _extreme(op: Operation) -> SSAValue | None:
    x, y = op.operands
    if x is y:
        return x
    limit = -math.inf if isinstance(op, ops.MaxOp) else math.inf
    return _neutral(x, y, limit) or _neutral(y, x, limit)


def _reshape(op: Operation) -> SSAValue | Operation | None:
    (x,) = op.operands
    if x.type == op.results[0].type:
        return x
    if isinstance(inner := x.owner, ops.ReshapeOp):
        if inner.operands[0].type == op.results[0].type:
            return inner.operands[0]
        return ops.ReshapeOp.create(operands=[inner.operands[0]], result_types=op.result_types)
    return None


def _transpose(op: Operation) -> SSAValue | Operation | None:
    permutation = decode(op.properties["permutation"])
    inner = op.operands[0].owner
    if isinstance(inner, ops.TransposeOp):
        first = decode(inner.properties["permutation"])
        permutation = tuple(first[p] for p in permutation)
        if permutation != tuple(range(len(permutation))):
            return ops.TransposeOp.create(
                operands=inner.operands,
                result_types=op.result_types,
                properties=ops.TransposeOp.properties_of({"permutation": permutation}),
            )
        return inner.operands[0]
    return op.operands[0] if permutation == tuple(range(len(permutation))) else None


def _broadcast(op: Operation) -> SSAValue | Operation | None:
    (x,) = op.operands
    dimensions = decode(op.properties["broadcast_dimensions"])
    if x.type == op.results[0].type and dimensions == tuple(range(len(dimensions))):
        return x
    if isinstance(inner := x.owner, ops.BroadcastInDimOp):
        first = decode(inner.properties["broadcast_dimensions"])
        return ops.BroadcastInDimOp.create(
            operands=inner.operands,
            result_types=op.result_types,
            properties=ops.BroadcastInDimOp.properties_of(
                {"broadcast_dimensions": tuple(dimensions[d] for d in first)}
            ),
        )
    return None


def _same_shape(op: Operation) -> SSAValue | None:
    """A slice of everything, a pad of nothing, a concatenation of one: what it was."""
    x = op.operands[0]
    if isinstance(op, ops.PadOp) and any(any(decode(op.properties[k])) for k in ("low", "high", "interior")):
        return None
    return x if x.type == op.results[0].type else None


def _reduce(op: Operation) -> SSAValue | Operation | None:
    (x,) = op.operands
    shape = x.type.get_shape()  # type: ignore[attr-defined]
    axes = decode(op.properties["axes"])
    if not axes:
        return x
    if all(shape[k] == 1 for k in axes):
        return ops.ReshapeOp.create(operands=[x], result_types=op.result_types)
    return None


Rule = Callable[[Operation], SSAValue | Operation | None]

RULES: dict[type[Operation], Rule] = {
    ops.AddOp: _add,
    ops.SubOp: _sub,
    ops.MulOp: _mul,
    ops.DivOp: _div,
    ops.NegOp: _involution,
    ops.NotOp: _involution,
    ops.MaxOp: _extreme,
    ops.MinOp: _extreme,
    ops.ConvertOp: _convert,
    ops.StopGradientOp: _convert,
    ops.SelectOp: _select,
    ops.IntegerPowOp: _integer_pow,
    ops.ReshapeOp: _reshape,
    ops.TransposeOp: _transpose,
    ops.BroadcastInDimOp: _broadcast,
    ops.SliceOp: _same_shape,
    ops.PadOp: _same_shape,
    ops.ConcatenateOp: _same_shape,
    ops.ReduceOp: _reduce,
}


def _rewrite(op: ArrayOp) -> SSAValue | Operation | None:
    """What stands for an op: a value of its type that is there already, a new op, or None."""
    rule = RULES.get(type(op))
    if rule is None:
        return None
    value = rule(op)
    if isinstance(value, SSAValue) and value.type != op.results[0].type:
        return None  # a scalar that stands for every element of the result
    return value

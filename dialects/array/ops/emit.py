"""What `to_kernel` rules are written with: scalars in the body of a nest.

Nothing here is undefined for any input: `arith` leaves gaps (division by zero, wide shifts, conversions out of range),
and what is emitted goes around them as XLA does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, i1, i64
from xdsl.ir import Operation, SSAValue

from weft.dialects.dtypes import DType, as_dtype, bool_, float32, int32
from weft.dialects.kernel.affine import Expr
from weft.dialects.kernel.ops import scalar_type

FLOAT_PREDICATES = {"eq": 1, "gt": 2, "ge": 3, "lt": 4, "le": 5, "ne": 13}  # ordered; ne is true for NaN
SIGNED_PREDICATES = {"eq": 0, "ne": 1, "lt": 2, "le": 3, "gt": 4, "ge": 5}
UNSIGNED_PREDICATES = {"eq": 0, "ne": 1, "lt": 6, "le": 7, "gt": 8, "ge": 9}

ADD = {"f": arith.AddfOp, "i": arith.AddiOp, "u": arith.AddiOp}
MUL = {"f": arith.MulfOp, "i": arith.MuliOp, "u": arith.MuliOp}
MAX = {"f": arith.MaximumfOp, "i": arith.MaxSIOp, "u": arith.MaxUIOp, "b": arith.OrIOp}
MIN = {"f": arith.MinimumfOp, "i": arith.MinSIOp, "u": arith.MinUIOp, "b": arith.AndIOp}


def compare(b: Any, x: SSAValue, direction: str, y: SSAValue, kind: str) -> SSAValue:
    """x <direction> y, as an i1; `kind` is the letter of their dtype."""
    if kind == "b" and direction not in ("eq", "ne"):  # false is less than true
        less, or_equal = direction in ("lt", "le"), direction in ("le", "ge")
        small, great = (x, y) if less else (y, x)
        return b.op(arith.OrIOp if or_equal else arith.AndIOp, b.op(arith.XOrIOp, small, b.const(True, bool_)), great)
    if kind == "f":
        return b.op(arith.CmpfOp, x, y, type=i1, predicate=IntegerAttr(FLOAT_PREDICATES[direction], i64))
    predicates = SIGNED_PREDICATES if kind == "i" else UNSIGNED_PREDICATES
    return b.op(arith.CmpiOp, x, y, type=i1, predicate=IntegerAttr(predicates[direction], i64))


def select(b: Any, condition: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
    """x if the condition holds, else y."""
    return b.op(arith.SelectOp, condition, x, y, type=x.type)


def extreme(dtype: DType) -> tuple[int, int]:
    """The least and the greatest value of an integer dtype."""
    bits = dtype.bits - (dtype.kind == "i")
    return (-(1 << bits) if dtype.kind == "i" else 0), (1 << bits) - 1


def lowest(dtype: DType, kind: str) -> bool | int | float:
    """The identity of a `max` (or, with kind "min", of a `min`) over values of a dtype."""
    if dtype.kind == "b":
        return kind == "min"
    if dtype.is_inexact:
        return float("inf") if kind == "min" else -float("inf")
    return extreme(dtype)[kind == "min"]


def convert(b: Any, x: SSAValue, source: DType, target: DType) -> SSAValue:
    """A scalar in another dtype.

    Floats go to integers by truncation, clamped into range, NaN to 0; whatever is not 0 is true.
    """
    if source is target:
        return x
    s, t = source.kind, target.kind
    if t == "b":
        return compare(b, x, "ne", b.const(0, source), s)
    if s == "f" and t == "f":
        if source.bits == target.bits:  # float16 and bfloat16
            return convert(b, convert(b, x, source, float32), float32, target)
        return b.op(arith.ExtFOp if source.bits < target.bits else arith.TruncFOp, x, type=target.element)
    if t == "f":
        if target.bits == 16:
            return convert(b, convert(b, x, source, float32), float32, target)
        return b.op(arith.SIToFPOp if s == "i" else arith.UIToFPOp, x, type=target.element)
    if s == "f":
        if source.bits < 32:
            return convert(b, convert(b, x, source, float32), float32, target)
        return _float_to_integer(b, x, source, target)
    if source.bits == target.bits:
        return x
    type = scalar_type(target.element)
    if source.bits > target.bits:
        return b.op(arith.TruncIOp, x, type=type)
    return b.op(arith.ExtSIOp if s == "i" else arith.ExtUIOp, x, type=type)


def _float_to_integer(b: Any, x: SSAValue, source: DType, target: DType) -> SSAValue:
    least, greatest = extreme(target)
    digits = 24 if source.bits == 32 else 53
    spare = max(0, greatest.bit_length() - digits)
    below = (greatest >> spare) << spare  # the greatest integer in range that the float type has
    inner = b.op(arith.MaximumfOp, b.op(arith.MinimumfOp, x, b.const(float(below), source)), b.const(least, source))
    inner = select(b, compare(b, x, "eq", x, "f"), inner, b.const(0.0, source))
    value = b.op(arith.FPToSIOp if target.kind == "i" else arith.FPToUIOp, inner, type=scalar_type(target.element))
    if below == greatest:
        return value
    return select(b, compare(b, x, "gt", b.const(float(below), source), "f"), b.const(greatest, target), value)


def accumulator(dtype: DType) -> DType:
    """The dtype in which sums of a dtype are kept: 16-bit floats add up in float32, truth values are counted."""
    if dtype.kind == "b":
        return int32
    return float32 if dtype.kind == "f" and dtype.bits == 16 else dtype


def wide(np: Any, dtype: Any) -> Any:
    """NumPy's dtype of the accumulator of one of NumPy's."""
    return np.dtype(accumulator(as_dtype(dtype)).name)


def divide(b: Any, op: type[Operation], x: SSAValue, y: SSAValue, dtype: DType) -> tuple[SSAValue, SSAValue]:
    """An integer division or remainder with the divisor made harmless, and whether it was zero.

    The least integer divided by -1 is divided by 1 instead.
    """
    zero = compare(b, y, "eq", b.const(0, dtype), dtype.kind)
    harmful = zero
    if dtype.kind == "i":
        overflow = b.op(
            arith.AndIOp,
            compare(b, x, "eq", b.const(extreme(dtype)[0], dtype), "i"),
            compare(b, y, "eq", b.const(-1, dtype), "i"),
        )
        harmful = b.op(arith.OrIOp, zero, overflow)
    return b.op(op, x, select(b, harmful, b.const(1, dtype), y)), zero


def shift(b: Any, op: type[Operation], x: SSAValue, y: SSAValue, dtype: DType) -> SSAValue:
    """A shift; by the width or more it shifts all bits out (an arithmetic one leaves the sign)."""
    fits = compare(b, y, "lt", b.const(dtype.bits, dtype), "u")
    if op is arith.ShRSIOp:
        return b.op(op, x, select(b, fits, y, b.const(dtype.bits - 1, dtype)))
    zero = b.const(0, dtype)
    return select(b, fits, b.op(op, x, select(b, fits, y, zero)), zero)


def clamped_index(b: Any, value: SSAValue, dtype: DType, lo: int, hi: int) -> SSAValue:
    """An integer scalar of any dtype clamped into [lo, hi], as an i32."""
    if dtype.kind == "u":
        value = convert(b, b.op(arith.MinUIOp, value, b.const(min(hi, extreme(dtype)[1]), dtype)), dtype, int32)
        return value if lo <= 0 else b.op(arith.MaxSIOp, value, b.const(lo, int32))
    if dtype.bits < 32:
        value, dtype = convert(b, value, dtype, int32), int32
    value = b.op(arith.MinSIOp, b.op(arith.MaxSIOp, value, b.const(lo, dtype)), b.const(hi, dtype))
    return convert(b, value, dtype, int32)


def symbol(b: Any, arg: Any, index: Sequence[Expr], lo: int, hi: int) -> Expr:
    """An index that is read from an array, clamped into [lo, hi]."""
    if lo == hi:
        return Expr(lo)
    return b.symbol(clamped_index(b, b.read(arg, tuple(index)), arg.dtype, lo, hi), lo, hi)


def integer_of(dtype: DType) -> DType:
    """The signed integer dtype of the same width."""
    return as_dtype(f"int{dtype.bits}")


def negative(b: Any, x: SSAValue, dtype: DType) -> SSAValue:
    """-x, wrapping around for integers."""
    return b.op(arith.NegfOp, x) if dtype.kind == "f" else b.op(arith.SubiOp, b.const(0, dtype), x)


def combining(kind: str, dtype: DType) -> str:
    """The kind of `kernel.reduce` (or of a combining store) for a kind of reduction.

    Bool and unsigned integers have their own extremes.
    """
    if kind in ("max", "min"):
        return {"b": {"max": "or", "min": "and"}[kind], "u": f"u{kind}"}.get(dtype.kind, kind)
    return kind


def within(b: Any, value: SSAValue, dtype: DType, limit: int) -> SSAValue:
    """Whether 0 <= value <= limit, as an i1: one unsigned comparison, for a negative number is a large one."""
    limit = min(limit, extreme(dtype)[1])
    return compare(b, value, "le", b.const(limit, dtype), "u")

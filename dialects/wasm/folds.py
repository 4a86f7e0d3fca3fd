"""Canonicalisation of `wasm.inst`: constants fold, neutral elements vanish, constants of a sum gather on its right.

Only integers: what engines do with floats is theirs, and weft simplifies float arithmetic in the array dialect, where
NaN and -0 are in view. Addresses of loads are left alone: an offset is added without wrapping, an `i32.add` wraps.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from weft.dialects.wasm.values import VALUE_TYPES, ConstOp, InstOp

Fold = Callable[[int, int, int], int | None]


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _unsigned(value: int, bits: int) -> int:
    return value & ((1 << bits) - 1)


def _divide(x: int, y: int) -> int | None:
    """Truncating division; None where the instruction would trap."""
    return None if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def _remainder(x: int, y: int) -> int | None:
    return None if y == 0 else abs(x) % abs(y) * (-1 if x < 0 else 1)


def _traps(quotient: int | None, bits: int) -> int | None:
    return None if quotient is None or quotient == 1 << (bits - 1) else quotient


_FOLDS: dict[str, Fold] = {
    "add": lambda x, y, n: x + y,
    "sub": lambda x, y, n: x - y,
    "mul": lambda x, y, n: x * y,
    "and": lambda x, y, n: x & y,
    "or": lambda x, y, n: x | y,
    "xor": lambda x, y, n: x ^ y,
    "shl": lambda x, y, n: x << (y % n),
    "shr_s": lambda x, y, n: x >> (y % n),
    "shr_u": lambda x, y, n: _unsigned(x, n) >> (y % n),
    "div_s": lambda x, y, n: _traps(_divide(x, y), n),
    "div_u": lambda x, y, n: _divide(_unsigned(x, n), _unsigned(y, n)),
    "rem_s": lambda x, y, n: _remainder(x, y),
    "rem_u": lambda x, y, n: _remainder(_unsigned(x, n), _unsigned(y, n)),
    "eq": lambda x, y, n: x == y,
    "ne": lambda x, y, n: x != y,
    "lt_s": lambda x, y, n: x < y,
    "gt_s": lambda x, y, n: x > y,
    "le_s": lambda x, y, n: x <= y,
    "ge_s": lambda x, y, n: x >= y,
    "lt_u": lambda x, y, n: _unsigned(x, n) < _unsigned(y, n),
    "gt_u": lambda x, y, n: _unsigned(x, n) > _unsigned(y, n),
    "le_u": lambda x, y, n: _unsigned(x, n) <= _unsigned(y, n),
    "ge_u": lambda x, y, n: _unsigned(x, n) >= _unsigned(y, n),
}
_COMMUTATIVE = {"add", "mul", "and", "or", "xor", "eq", "ne"}
_NEUTRAL = {
    "add": 0,
    "sub": 0,
    "mul": 1,
    "or": 0,
    "xor": 0,
    "and": -1,
    "shl": 0,
    "shr_s": 0,
    "shr_u": 0,
    "div_s": 1,
    "div_u": 1,
}
"""The right operand that leaves the left one as it is."""
_ABSORBING = {"mul": 0, "and": 0, "or": -1}
"""The right operand that is the result."""


def _constant(value: SSAValue) -> int | None:
    """The number that an integer constant is, signed."""
    if isinstance(value.owner, ConstOp) and isinstance(attr := value.owner.value, IntegerAttr):
        return _signed(attr.value.data, attr.type.width.data)  # type: ignore[union-attr]
    return None


def _integer(op: InstOp) -> tuple[str, str, int] | None:
    """`i32.add` -> ("i32", "add", 32), None for what is not integer arithmetic."""
    type, _, name = op.mnemonic.data.partition(".")
    return (type, name, int(type[1:])) if type in ("i32", "i64") else None


class Simplify(RewritePattern):
    """Folds integer arithmetic on constants, drops neutral elements, and puts a constant operand on the right."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: InstOp, rewriter: PatternRewriter, /) -> None:
        if op.mnemonic.data == "select":
            _select(op, rewriter)
        if (arithmetic := _integer(op)) is None:
            return
        _, name, bits = arithmetic
        if name == "eqz" and (value := _constant(op.args[0])) is not None:
            rewriter.replace(op, ConstOp(IntegerAttr(int(value == 0), VALUE_TYPES["i32"])))  # type: ignore[arg-type]
        if name not in _FOLDS:
            return
        lhs, rhs = op.args
        x, y = _constant(lhs), _constant(rhs)
        if x is not None and y is not None:
            if (folded := _FOLDS[name](x, y, bits)) is not None:
                result = op.results[0].type
                rewriter.replace(op, ConstOp(IntegerAttr(_signed(int(folded), bits), result)))  # type: ignore[arg-type]
        elif x is not None and name in _COMMUTATIVE:
            rewriter.replace(op, InstOp(op.mnemonic.data, [rhs, lhs]))
        elif y is not None and _NEUTRAL.get(name) == y:
            rewriter.replace(op, (), [lhs])
        elif y is not None and _ABSORBING.get(name) == y:
            rewriter.replace(op, (), [rhs])


def _select(op: InstOp, rewriter: PatternRewriter) -> None:
    cond = _constant(op.args[2])
    if cond is not None or op.args[0] is op.args[1]:
        rewriter.replace(op, (), [op.args[1 if cond == 0 else 0]])


class Reassociate(RewritePattern):
    """(x + 1) + 2 is x + 3; likewise for the other associative operations on integers."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: InstOp, rewriter: PatternRewriter, /) -> None:
        arithmetic = _integer(op)
        if arithmetic is None or arithmetic[1] not in ("add", "mul", "and", "or", "xor"):
            return
        inner, outer = op.args[0].owner, _constant(op.args[1])
        if outer is None or not isinstance(inner, InstOp) or inner.mnemonic != op.mnemonic:
            return
        if (constant := _constant(inner.args[1])) is None:
            return
        _, name, bits = arithmetic
        total = _signed(_FOLDS[name](constant, outer, bits) or 0, bits)
        gathered = ConstOp(IntegerAttr(total, op.results[0].type))  # type: ignore[arg-type]
        rewriter.replace(op, [gathered, InstOp(op.mnemonic.data, [inner.args[0], gathered.result])])

"""Arithmetic on numbers: sums, products, quotients, powers, extremes, signs and rounding.

Integers wrap around, and division is total, as XLA defines it: x / 0 is -1 (all bits set), x rem 0 is x, and the least
integer divided by -1 is itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xdsl.dialects import arith, math
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import (
    ANY,
    FLOATING,
    INEXACT,
    INTEGER,
    NUMERIC,
    SIGNED,
    Binary,
    Unary,
    add,
    bilinear,
    broadcast,
    by_numpy,
    common_dtype,
    each_part,
    elements,
    elementwise_jvp,
    linear,
    literal,
    scalar,
)
from weft.dialects.array.ops import emit, parts
from weft.dialects.array.ops.algebra import (
    absolute,
    compare,
    conj,
    convert,
    div,
    floor,
    integer_pow,
    log,
    mul,
    neg,
    plus,
    power,
    real,
    sign,
    square,
    sub,
    where,
)
from weft.dialects.array.ops.parts import by_parts
from weft.dialects.kernel.ops import RemfOp

REAL = INTEGER | FLOATING


@irdl_op_definition
class AddOp(Binary):
    """Sum of two arrays.

    %z = array.add %x, %y : tensor<4x8xf32>

    JAX: `lax.add`.
    """

    name = "array.add"
    DTYPES: ClassVar = NUMERIC

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node) -> Node | None:
        total = add(*tangents)
        return total and broadcast(total, out.shape)

    transpose = linear(lambda ct, x, y: ct, lambda ct, x, y: ct)[1]
    reference = by_numpy("add")
    on_parts = each_part
    to_kernel = scalar(arith.AddfOp, arith.AddiOp)


@irdl_op_definition
class SubOp(Binary):
    """Difference of two arrays.

    %z = array.sub %x, %y : tensor<4x8xf32>

    JAX: `lax.sub`.
    """

    name = "array.sub"
    DTYPES: ClassVar = NUMERIC

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node) -> Node | None:
        dx, dy = tangents
        change = neg(dy) if dx is None else dx if dy is None else sub(dx, dy)
        return broadcast(change, out.shape)

    transpose = linear(lambda ct, x, y: ct, lambda ct, x, y: neg(ct))[1]
    reference = by_numpy("subtract")
    on_parts = each_part
    to_kernel = scalar(arith.SubfOp, arith.SubiOp)


@irdl_op_definition
class MulOp(Binary):
    """Product of two arrays, element by element.

    %z = array.mul %x, %y : tensor<4x8xf32>

    JAX: `lax.mul`.
    """

    name = "array.mul"
    DTYPES: ClassVar = NUMERIC

    jvp, transpose = bilinear(lambda ct, x, y: mul(ct, y), lambda ct, x, y: mul(ct, x))
    reference = by_numpy("multiply")
    on_parts = by_parts(parts.product)
    to_kernel = scalar(arith.MulfOp, arith.MuliOp)


@irdl_op_definition
class DivOp(Binary):
    """Quotient of two arrays. Integers are divided towards zero; x / 0 is -1 (all bits set).

    %z = array.div %x, %y : tensor<4x8xf32>

    JAX: `lax.div`.
    """

    name = "array.div"
    DTYPES: ClassVar = NUMERIC

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node) -> Node | None:
        (x, y), (dx, dy) = primals, tangents
        by_x = None if dx is None else div(dx, y)
        by_y = None if dy is None else mul(mul(neg(dy), x), integer_pow(y, -2))
        return add(by_x, by_y)

    transpose = linear(lambda ct, x, y: div(ct, y), None)[1]

    @staticmethod
    def reference(np: Any, x: Any, y: Any) -> Any:
        if x.dtype.kind not in "iu":
            return np.divide(x, y)
        zero, overflow = y == 0, (y == np.array(-1).astype(y.dtype)) & (x == np.iinfo(x.dtype).min)
        safe = np.where(zero | (overflow & (x.dtype.kind == "i")), np.array(1, x.dtype), y)
        quotient = np.floor_divide(x, safe)
        inexact = (quotient * safe != x) & ((x < 0) != (safe < 0))
        return np.where(zero, np.array(-1).astype(x.dtype), quotient + inexact.astype(x.dtype))

    on_parts = by_parts(parts.quotient)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, y = elements(b, index, args)
        dtype = args[0].dtype
        if dtype.kind == "f":
            return b.op(arith.DivfOp, x, y)
        quotient, zero = emit.divide(b, arith.DivSIOp if dtype.kind == "i" else arith.DivUIOp, x, y, dtype)
        return emit.select(b, zero, b.const(-1, dtype), quotient)


@irdl_op_definition
class RemOp(Binary):
    """Remainder of the division towards zero: it has the sign of x. x rem 0 is x for integers, NaN for floats.

    %z = array.rem %x, %y : tensor<4x8xf32>

    JAX: `lax.rem`; C: `fmod`. Exact, however great the quotient.
    """

    name = "array.rem"
    DTYPES: ClassVar = REAL

    jvp = elementwise_jvp(
        lambda x, y, out: literal(1.0, out),
        lambda x, y, out: mul(neg(sign(div(x, y))), floor(absolute(div(x, y)))),
    )

    @staticmethod
    def reference(np: Any, x: Any, y: Any) -> Any:
        if x.dtype.kind not in "iu":
            return np.fmod(x, y)
        harmless = np.where(
            (y == 0) | ((y == np.array(-1).astype(y.dtype)) & (x.dtype.kind == "i")), np.ones_like(y), y
        )
        return np.where(y == 0, x, np.fmod(x, harmless))

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, y = elements(b, index, args)
        dtype = args[0].dtype
        if dtype.kind == "f":
            wide = emit.accumulator(dtype)
            x, y = emit.convert(b, x, dtype, wide), emit.convert(b, y, dtype, wide)
            return emit.convert(b, b.op(RemfOp, x, y), wide, dtype)
        remainder, zero = emit.divide(b, arith.RemSIOp if dtype.kind == "i" else arith.RemUIOp, x, y, dtype)
        return emit.select(b, zero, x, remainder)


@irdl_op_definition
class PowOp(Binary):
    """x to the power of y.

    %z = array.pow %x, %y : tensor<4x8xf32>

    JAX: `lax.pow`. The derivative by y is 0 at x = 0, and the one by x is 0 at y = 0.
    """

    name = "array.pow"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(
        lambda x, y, out: where(
            compare(y, "eq", 0.0), 0.0, mul(y, power(x, where(compare(y, "eq", 0.0), 1.0, sub(y, 1.0))))
        ),
        lambda x, y, out: mul(log(where(compare(x, "eq", 0.0), 1.0, x)), out),
    )
    on_parts = by_parts(parts.power)
    to_kernel = scalar(math.PowFOp)

    @staticmethod
    def reference(np: Any, x: Any, y: Any) -> Any:
        found = np.power(x, y)
        if found.dtype.kind == "c":
            return found
        # where y is one number, NumPy takes the root for 0.5, which is another function of -0 and -inf
        return np.where((y == 0.5) & ((x == 0) | np.isinf(x)), np.abs(x), found)


@irdl_op_definition
class IntegerPowOp(Unary):
    """x to the power of a fixed integer, by repeated squaring.

    %y = array.integer_pow %x y 3 : tensor<4x8xf32>

    JAX: `lax.integer_pow`.
    """

    name = "array.integer_pow"
    DTYPES: ClassVar = NUMERIC

    y = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, y: int) -> Aval:
        if y < 0 and x.dtype.is_integer:
            raise TypeError(f"Integers cannot be raised to negative powers, got integer_pow({x}, {y})")
        return super().infer(x)

    jvp = elementwise_jvp(lambda x, out, y: mul(integer_pow(x, y - 1), y) if y else None)

    @staticmethod
    def reference(np: Any, x: Any, *, y: int) -> Any:
        if y < 0 and x.dtype.kind == "c":  # NumPy's own power makes NaN of 1 / 0
            return np.divide(np.ones_like(x), np.power(x, np.array(-y).astype(x.dtype)))
        return np.power(x, np.array(y).astype(x.dtype))

    on_parts = by_parts(parts.whole_power)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any], *, y: int) -> SSAValue:
        dtype = args[0].dtype
        square, power, rest = b.read(args[0], index), None, abs(y)
        product = emit.MUL[dtype.kind]
        while rest:
            if rest & 1:
                power = square if power is None else b.op(product, power, square)
            if rest := rest >> 1:
                square = b.op(product, square, square)
        power = b.const(1, dtype) if power is None else power
        return b.op(arith.DivfOp, b.const(1, dtype), power) if y < 0 else power


@irdl_op_definition
class Atan2Op(Binary):
    """The angle of the point (y, x), in (-pi, pi].

    %z = array.atan2 %x, %y : tensor<4x8xf32>

    The first operand is the ordinate, as in JAX's `lax.atan2(x, y)`.
    """

    name = "array.atan2"
    DTYPES: ClassVar = FLOATING

    jvp = elementwise_jvp(
        lambda x, y, out: div(y, plus(square(x), square(y))),
        lambda x, y, out: div(neg(x), plus(square(x), square(y))),
    )
    reference = by_numpy("arctan2")
    to_kernel = scalar(math.Atan2Op)


def _share(x: Node, y: Node, out: Node) -> Node:
    """How much of an extreme's derivative is x's: all if it is the extreme, half if y is too."""
    return where(compare(x, "eq", out), where(compare(y, "eq", out), 0.5, 1.0, like=out), 0.0)


class _Extreme(Binary):
    """The greater or the smaller of two; NaN if either is. Where both are equal, each has half of the derivative."""

    DTYPES: ClassVar = ANY

    jvp = elementwise_jvp(_share, lambda x, y, out: _share(y, x, out))


@irdl_op_definition
class MaxOp(_Extreme):
    """The greater of two, NaN if either is.

    %z = array.max %x, %y : tensor<4x8xf32>

    JAX: `lax.max`.
    """

    name = "array.max"
    DTYPES: ClassVar = ANY

    reference = by_numpy("maximum")
    on_parts = by_parts(parts.extreme("gt"))

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        return b.op(emit.MAX[args[0].dtype.kind], *elements(b, index, args))


@irdl_op_definition
class MinOp(_Extreme):
    """The smaller of two, NaN if either is.

    %z = array.min %x, %y : tensor<4x8xf32>

    JAX: `lax.min`.
    """

    name = "array.min"
    DTYPES: ClassVar = ANY

    reference = by_numpy("minimum")
    on_parts = by_parts(parts.extreme("lt"))

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        return b.op(emit.MIN[args[0].dtype.kind], *elements(b, index, args))


@irdl_op_definition
class NegOp(Unary):
    """The negative.

    %y = array.neg %x : tensor<4x8xf32>

    JAX: `lax.neg`.
    """

    name = "array.neg"
    DTYPES: ClassVar = NUMERIC

    jvp, transpose = linear(lambda ct, x: neg(ct))
    reference = by_numpy("negative")
    on_parts = each_part

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        return emit.negative(b, b.read(args[0], index), args[0].dtype)


@irdl_op_definition
class AbsOp(Unary):
    """The absolute value; of a complex number, a real one.

    %y = array.abs %x : tensor<4x8xf32>

    JAX: `lax.abs`. The derivative at 0 is 1, as JAX has it.
    """

    name = "array.abs"
    DTYPES: ClassVar = SIGNED

    @classmethod
    def infer(cls, x: Aval) -> Aval:
        return aval(x.shape, common_dtype(cls, x).part, x.weak_type)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node) -> Node | None:
        (x,), (dx,) = primals, tangents
        if dx is None:
            return None
        if x.dtype.kind != "c":
            return mul(dx, where(compare(x, "ge", 0.0), 1.0, -1.0, like=x))
        size = where(compare(out, "eq", 0.0), 1.0, out)
        return real(mul(dx, div(conj(x), convert(size, x.dtype))))

    reference = by_numpy("abs")
    on_parts = by_parts(parts.modulus)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, dtype = b.read(args[0], index), args[0].dtype
        if dtype.kind == "f":
            return b.op(math.AbsFOp, x)
        return emit.select(b, emit.compare(b, x, "lt", b.const(0, dtype), "i"), emit.negative(b, x, dtype), x)


@irdl_op_definition
class SignOp(Unary):
    """-1, 0 or 1; a zero keeps its sign, NaN stays NaN. Of a complex number, z / |z|.

    %y = array.sign %x : tensor<4x8xf32>

    JAX: `lax.sign`.
    """

    name = "array.sign"
    DTYPES: ClassVar = NUMERIC
    NOT_DIFFERENTIABLE: ClassVar = True

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        if x.dtype.kind != "c":
            return np.where(x == 0, x, np.sign(x))
        size, found = np.abs(x), np.array(x)  # not np.sign, which NumPy 1 defines otherwise for complex numbers
        size = np.where(size == 0, 1, size)
        found.real, found.imag = x.real / size, x.imag / size  # each part by itself: one may be infinite
        return found

    on_parts = by_parts(parts.sign)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, dtype = b.read(args[0], index), args[0].dtype
        positive = emit.compare(b, x, "gt", b.const(0, dtype), dtype.kind)
        if dtype.kind == "u":
            return emit.select(b, positive, b.const(1, dtype), x)
        negative = emit.compare(b, x, "lt", b.const(0, dtype), dtype.kind)
        return emit.select(b, positive, b.const(1, dtype), emit.select(b, negative, b.const(-1, dtype), x))


class _Rounding(Unary):
    """To an integer, as a float. Constant between the steps: no derivative."""

    DTYPES: ClassVar = FLOATING
    NOT_DIFFERENTIABLE: ClassVar = True


@irdl_op_definition
class FloorOp(_Rounding):
    """The greatest integer that is not greater.

    %y = array.floor %x : tensor<4x8xf32>

    JAX: `lax.floor`.
    """

    name = "array.floor"

    reference = by_numpy("floor")
    to_kernel = scalar(math.FloorOp)


@irdl_op_definition
class CeilOp(_Rounding):
    """The least integer that is not smaller.

    %y = array.ceil %x : tensor<4x8xf32>

    JAX: `lax.ceil`.
    """

    name = "array.ceil"

    reference = by_numpy("ceil")
    to_kernel = scalar(math.CeilOp)


@irdl_op_definition
class TruncOp(_Rounding):
    """The integer next to it towards zero.

    %y = array.trunc %x : tensor<4x8xf32>

    JAX: `jnp.trunc`.
    """

    name = "array.trunc"

    reference = by_numpy("trunc")
    to_kernel = scalar(math.TruncOp)


@irdl_op_definition
class RoundOp(_Rounding):
    """The nearest integer; halves go to the even one.

    %y = array.round %x : tensor<4x8xf32>

    JAX: `lax.round(x, TO_NEAREST_EVEN)`.
    """

    name = "array.round"

    reference = by_numpy("rint")
    to_kernel = scalar(math.RoundEvenOp)

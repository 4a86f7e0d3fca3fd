"""Bit operations: logic, shifts, counting, reading the bits of one type as another's, and the next float.

On bool they are logic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import (
    BOOL,
    COMPLEX,
    FLOATING,
    INTEGER,
    ArrayOp,
    Binary,
    Unary,
    batch_front,
    by_numpy,
    common_dtype,
    elements,
    linear,
    literal,
    op_name,
    scalar,
)
from weft.dialects.array.ops import emit
from weft.dialects.dtypes import DType, as_dtype, float32, int32
from weft.dialects.kernel.affine import Expr
from weft.dialects.kernel.ops import scalar_type


@irdl_op_definition
class AndOp(Binary):
    """Bitwise and.

    %z = array.and %x, %y : tensor<4xi1>

    JAX: `lax.bitwise_and`.
    """

    name = "array.and"
    DTYPES: ClassVar = INTEGER | BOOL
    NOT_DIFFERENTIABLE: ClassVar = True

    reference = by_numpy("bitwise_and")
    to_kernel = scalar(None, arith.AndIOp)


@irdl_op_definition
class OrOp(Binary):
    """Bitwise or.

    %z = array.or %x, %y : tensor<4xi1>

    JAX: `lax.bitwise_or`.
    """

    name = "array.or"
    DTYPES: ClassVar = INTEGER | BOOL
    NOT_DIFFERENTIABLE: ClassVar = True

    reference = by_numpy("bitwise_or")
    to_kernel = scalar(None, arith.OrIOp)


@irdl_op_definition
class XorOp(Binary):
    """Bitwise exclusive or.

    %z = array.xor %x, %y : tensor<4xi32>

    JAX: `lax.bitwise_xor`.
    """

    name = "array.xor"
    DTYPES: ClassVar = INTEGER | BOOL
    NOT_DIFFERENTIABLE: ClassVar = True

    reference = by_numpy("bitwise_xor")
    to_kernel = scalar(None, arith.XOrIOp)


@irdl_op_definition
class NotOp(Unary):
    """Every bit inverted.

    %y = array.not %x : tensor<4xi1>

    JAX: `lax.bitwise_not`.
    """

    name = "array.not"
    DTYPES: ClassVar = INTEGER | BOOL
    NOT_DIFFERENTIABLE: ClassVar = True

    reference = by_numpy("invert")

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        return b.op(arith.XOrIOp, b.read(args[0], index), b.const(-1, args[0].dtype))


class _Shift(Binary):
    """Shifts by the width or more (and by negative amounts, which read as such) shift everything out."""

    DTYPES: ClassVar = INTEGER
    NOT_DIFFERENTIABLE: ClassVar = True


def _fits(np: Any, x: Any, y: Any) -> Any:
    return (y >= 0) & (y < 8 * x.dtype.itemsize)


@irdl_op_definition
class ShiftLeftOp(_Shift):
    """x * 2^y, modulo the width.

    %z = array.shift_left %x, %y : tensor<4xi32>

    JAX: `lax.shift_left`.
    """

    name = "array.shift_left"

    @staticmethod
    def reference(np: Any, x: Any, y: Any) -> Any:
        fits = _fits(np, x, y)
        return np.where(fits, np.left_shift(x, np.where(fits, y, np.zeros_like(y))), np.zeros_like(x))

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, y = elements(b, index, args)
        return emit.shift(b, arith.ShLIOp, x, y, args[0].dtype)


@irdl_op_definition
class ShiftRightArithmeticOp(_Shift):
    """Bits moved down, the sign repeated.

    %z = array.shift_right_arithmetic %x, %y : tensor<4xi32>

    JAX: `lax.shift_right_arithmetic`.
    """

    name = "array.shift_right_arithmetic"

    @staticmethod
    def reference(np: Any, x: Any, y: Any) -> Any:
        signed = x.view(f"i{x.dtype.itemsize}")
        amount = np.where(_fits(np, x, y), y, np.array(8 * x.dtype.itemsize - 1, y.dtype)).astype(signed.dtype)
        return np.right_shift(signed, amount).view(x.dtype)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, y = elements(b, index, args)
        return emit.shift(b, arith.ShRSIOp, x, y, args[0].dtype)


@irdl_op_definition
class ShiftRightLogicalOp(_Shift):
    """Bits moved down, zeros brought in.

    %z = array.shift_right_logical %x, %y : tensor<4xi32>

    JAX: `lax.shift_right_logical`.
    """

    name = "array.shift_right_logical"

    @staticmethod
    def reference(np: Any, x: Any, y: Any) -> Any:
        fits = _fits(np, x, y)
        unsigned = x.view(f"u{x.dtype.itemsize}")
        moved = np.right_shift(unsigned, np.where(fits, y, np.zeros_like(y)).astype(unsigned.dtype))
        return np.where(fits, moved, np.zeros_like(moved)).view(x.dtype)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, y = elements(b, index, args)
        return emit.shift(b, arith.ShRUIOp, x, y, args[0].dtype)


@irdl_op_definition
class PopulationCountOp(Unary):
    """How many bits are set.

    %y = array.population_count %x : tensor<4xi32>

    JAX: `lax.population_count`.
    """

    name = "array.population_count"
    DTYPES: ClassVar = INTEGER
    NOT_DIFFERENTIABLE: ClassVar = True

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        return np.bitwise_count(x.view(f"u{x.dtype.itemsize}")).astype(x.dtype)

    to_kernel = scalar(None, math.CtPopOp)


@irdl_op_definition
class ClzOp(Unary):
    """How many bits are zero above the highest that is set.

    %y = array.clz %x : tensor<4xi32>

    JAX: `lax.clz`.
    """

    name = "array.clz"
    DTYPES: ClassVar = INTEGER
    NOT_DIFFERENTIABLE: ClassVar = True

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        width = 8 * x.dtype.itemsize
        unsigned = x.view(f"u{x.dtype.itemsize}")
        return np.sum([unsigned < (1 << k) for k in range(width)], axis=0).astype(x.dtype)

    to_kernel = scalar(None, math.CountLeadingZerosOp)


@irdl_op_definition
class BitcastOp(ArrayOp):
    """The same bits as another dtype. The pieces of wider elements are on a last axis, low ones first.

    %y = array.bitcast %x : tensor<4xf32> -> tensor<4xui32>
    %z = array.bitcast %x : tensor<4xf32> -> tensor<4x2xui16>

    JAX: `lax.bitcast_convert_type`.
    """

    name = "array.bitcast"
    NOT_DIFFERENTIABLE: ClassVar = True

    x = operand_def(TensorType)

    @classmethod
    def infer(cls, x: Aval, *, dtype: DType) -> Aval:
        source, kinds = x.dtype, {x.dtype.kind, dtype.kind}
        if kinds & COMPLEX or (source.bits != dtype.bits and kinds & BOOL):
            raise TypeError(f"{op_name(cls)} does not read {source} as {dtype}.")
        if source.bits >= dtype.bits:
            pieces = source.bits // dtype.bits
            return aval(x.shape if pieces == 1 else (*x.shape, pieces), dtype)
        if x.shape[-1:] != (dtype.bits // source.bits,):
            raise ValueError(
                f"{op_name(cls)}: to read {source} as {dtype}, the last axis must have {dtype.bits // source.bits} elements, got shape {x.shape}."
            )
        return aval(x.shape[:-1], dtype)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Sequence[int | None], *, dtype: DType) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), dtype=dtype), 0

    @staticmethod
    def reference(np: Any, x: Any, *, dtype: DType) -> Any:
        width, target = x.dtype.itemsize, np.dtype(dtype.name)
        shape = x.shape if width == target.itemsize else (*x.shape, width // target.itemsize)
        return np.frombuffer(x.tobytes(), target).reshape(shape if width >= target.itemsize else x.shape[:-1])

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any], *, dtype: DType) -> SSAValue:
        source = args[0].dtype
        if source.bits == dtype.bits:
            return _reinterpret(b, b.read(args[0], index), source, dtype)
        wide, narrow = (as_dtype(f"uint{n}") for n in sorted((source.bits, dtype.bits), reverse=True))
        if source.bits > dtype.bits:
            bits = _reinterpret(b, b.read(args[0], index[:-1]), source, wide)
            place = b.op(arith.MuliOp, b.index(index[-1]), b.const(narrow.bits, int32))
            piece = b.op(arith.ShRUIOp, bits, emit.convert(b, place, int32, wide))
            return _reinterpret(b, emit.convert(b, piece, wide, narrow), narrow, dtype)
        pieces = [
            emit.convert(b, _reinterpret(b, b.read(args[0], (*index, Expr(k))), source, narrow), narrow, wide)
            for k in range(dtype.bits // source.bits)
        ]
        bits = pieces[0]
        for k, piece in enumerate(pieces[1:], 1):
            bits = b.op(arith.OrIOp, bits, b.op(arith.ShLIOp, piece, b.const(k * narrow.bits, wide)))
        return _reinterpret(b, bits, wide, dtype)


def _reinterpret(b: Any, x: SSAValue, source: DType, target: DType) -> SSAValue:
    """A scalar's bits as another dtype of its width."""
    type = scalar_type(target.element)
    return x if scalar_type(source.element) == type else b.op(arith.BitcastOp, x, type=type)


LEAST = {"bfloat16": 2.0**-133, "float16": 2.0**-24, "float32": 2.0**-149, "float64": 2.0**-1074}
"""The smallest positive number of each floating dtype."""


@irdl_op_definition
class NextafterOp(Binary):
    """The float that follows x in the direction of y.

    %z = array.nextafter %x, %y : tensor<4x8xf32>

    JAX: `lax.nextafter`. Floats of one sign are ordered as their bits are, so the next one is one bit pattern away.
    """

    name = "array.nextafter"
    DTYPES: ClassVar = FLOATING
    NOT_DIFFERENTIABLE: ClassVar = True

    reference = by_numpy("nextafter")

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        x, y = elements(b, index, args)
        dtype = args[0].dtype
        zero = b.const(0.0, dtype)
        rising = emit.compare(b, y, "gt", x, "f")
        outward = emit.select(b, emit.compare(b, x, "lt", zero, "f"), emit.compare(b, y, "lt", x, "f"), rising)
        magnitude = b.op(math.AbsFOp, x)
        step = {"float16": _step_float16, "bfloat16": _step_bfloat16}.get(dtype.name, _step)
        least = b.const(LEAST[dtype.name], dtype)
        is_zero = emit.compare(b, x, "eq", zero, "f")
        moved = b.op(math.CopySignOp, step(b, magnitude, outward, dtype), x)
        moved = emit.select(b, is_zero, b.op(math.CopySignOp, least, y), moved)
        moved = emit.select(b, emit.compare(b, x, "eq", y, "f"), y, moved)
        ordered = [emit.compare(b, v, "eq", v, "f") for v in (x, y)]  # neither is NaN
        return emit.select(b, b.op(arith.AndIOp, *ordered), moved, b.op(arith.AddfOp, x, y))


def _step(b: Any, magnitude: SSAValue, outward: SSAValue, dtype: DType) -> SSAValue:
    """The next greater (smaller) positive float: the next bit pattern."""
    bits = emit.integer_of(dtype)
    pattern = b.op(arith.BitcastOp, magnitude, type=bits.element)
    moved = b.op(arith.AddiOp, pattern, emit.select(b, outward, b.const(1, bits), b.const(-1, bits)))
    return b.op(arith.BitcastOp, moved, type=dtype.element)


def _step_bfloat16(b: Any, magnitude: SSAValue, outward: SSAValue, dtype: DType) -> SSAValue:
    """The same for bfloat16, whose bits are the upper half of a float32's."""
    pattern = b.op(arith.BitcastOp, emit.convert(b, magnitude, dtype, float32), type=int32.element)
    unit = emit.select(b, outward, b.const(1 << 16, int32), b.const(-(1 << 16), int32))
    moved = b.op(arith.BitcastOp, b.op(arith.AddiOp, pattern, unit), type=float32.element)
    return emit.convert(b, moved, float32, dtype)


def _step_float16(b: Any, magnitude: SSAValue, outward: SSAValue, dtype: DType) -> SSAValue:
    """The same for float16, in float32, for few devices have 16-bit integers.

    One unit in the last place more, or less (half of one below a power of two).
    """
    x = b.op(arith.MinimumfOp, emit.convert(b, magnitude, dtype, float32), b.const(65536.0, float32))
    exponent = b.op(arith.AndIOp, b.op(arith.BitcastOp, x, type=int32.element), b.const(0x7F800000, int32))
    normal = b.const(2.0**-14, float32)
    power = b.op(arith.MaximumfOp, b.op(arith.BitcastOp, exponent, type=float32.element), normal)
    unit = b.op(arith.MulfOp, power, b.const(2.0**-10, float32))
    on_edge = b.op(
        arith.AndIOp, emit.compare(b, x, "eq", power, "f"), emit.compare(b, x, "gt", normal, "f")
    )  # a power of two, finer below
    below = emit.select(b, on_edge, b.op(arith.MulfOp, unit, b.const(0.5, float32)), unit)
    moved = emit.select(b, outward, b.op(arith.AddfOp, x, unit), b.op(arith.SubfOp, x, below))
    return emit.convert(b, moved, float32, dtype)


@irdl_op_definition
class ReducePrecisionOp(Unary):
    """The nearest float (the even one of two) that a format of so many exponent and mantissa bits has; infinite beyond
    its range, 0 below its normal numbers. Derivatives are rounded likewise.

    %y = array.reduce_precision %x exponent_bits 5 mantissa_bits 10 : tensor<4xf32>

    JAX: `lax.reduce_precision`.
    """

    name = "array.reduce_precision"
    DTYPES: ClassVar = FLOATING

    exponent_bits = prop_def()
    mantissa_bits = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, exponent_bits: int, mantissa_bits: int) -> Aval:
        common_dtype(cls, x)
        if exponent_bits < 1:
            raise ValueError(f"reduce_precision: exponent_bits must be positive, got {exponent_bits}.")
        if mantissa_bits < 0:
            raise ValueError(f"reduce_precision: mantissa_bits must not be negative, got {mantissa_bits}.")
        return x

    jvp, transpose = linear(lambda ct, x, **params: ReducePrecisionOp.bind(ct, **params))

    @staticmethod
    def reference(np: Any, x: Any, *, exponent_bits: int, mantissa_bits: int) -> Any:
        wide = x.astype(np.float64)
        if (
            lost := 52 - mantissa_bits
        ) > 0:  # on the bits: without a mantissa the even one of two is that with the even exponent
            pattern = wide.view(np.int64)
            rounded = (pattern + (1 << lost - 1) - 1 + (pattern >> lost & 1)) & -(1 << lost)
            wide = np.where(np.isfinite(wide), rounded.view(np.float64), wide)
        if exponent_bits < 11:
            bias = (1 << (exponent_bits - 1)) - 1
            size = np.abs(wide)
            wide = np.where(size >= 2.0 ** (bias + 1), np.copysign(np.inf, wide), wide)
            wide = np.where(size < 2.0 ** (1 - bias), np.copysign(0.0, wide), wide)
        return wide.astype(x.dtype)

    @classmethod
    def decompose(cls, x: Node, *, exponent_bits: int, mantissa_bits: int) -> Node:
        from weft.dialects.array.ops.algebra import bitcast, compare, convert, logical_and, logical_or, plus, sub, where

        if x.dtype.bits < 32:
            narrow = cls.decompose(convert(x, float32), exponent_bits=exponent_bits, mantissa_bits=mantissa_bits)
            return convert(narrow, x.dtype)
        integer, width = emit.integer_of(x.dtype), {32: 23, 64: 52}[x.dtype.bits]
        own_bias = (1 << (x.dtype.bits - width - 2)) - 1
        pattern = bitcast(x, integer)
        magnitude = logical_and(pattern, emit.extreme(integer)[1])
        sign = sub(pattern, magnitude)
        infinite = (2 * own_bias + 1) << width
        found = magnitude
        if mantissa_bits < width:
            lost = width - mantissa_bits
            last = logical_and(ShiftRightLogicalOp.bind(magnitude, literal(lost, magnitude)), 1)
            found = plus(plus(magnitude, (1 << lost >> 1) - 1), last)
            found = logical_and(found, -(1 << lost))
        bias = (1 << (exponent_bits - 1)) - 1
        if bias < own_bias:
            found = where(compare(found, "ge", (own_bias + bias + 1) << width), infinite, found)
            found = where(compare(found, "lt", (own_bias - bias + 1) << width), 0, found)
        rounded = bitcast(logical_or(found, sign), x.dtype)
        return where(compare(magnitude, "gt", infinite), x, rounded)

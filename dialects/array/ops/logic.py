"""Choices and changes of type: comparisons, selection, conversion, and the wall that derivatives do not pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xdsl.dialects import math
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import (
    FLOATING,
    Binary,
    Elementwise,
    Parts,
    Unary,
    by_numpy,
    common_dtype,
    common_shape,
    each_part,
    elements,
    linear,
    zeros,
)
from weft.dialects.array.ops import emit, parts
from weft.dialects.array.ops.algebra import compare, convert, logical_or, where, zero_of
from weft.dialects.array.ops.parts import by_parts
from weft.dialects.dtypes import DType, as_dtype, bool_

DIRECTIONS: tuple[str, ...] = ("eq", "ne", "lt", "le", "gt", "ge")


@irdl_op_definition
class CompareOp(Binary):
    """Whether x stands to y as `direction` says: eq, ne, lt, le, gt or ge. With NaN everything is false but ne.

    %p = array.compare lt %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>

    JAX: `lax.lt` and its like.
    """

    name = "array.compare"
    NOT_DIFFERENTIABLE: ClassVar = True
    LEAD: ClassVar = "direction"

    direction = prop_def()

    @classmethod
    def infer(cls, x: Aval, y: Aval, *, direction: str) -> Aval:
        if direction not in DIRECTIONS:
            raise ValueError(f"compare: direction must be one of {', '.join(DIRECTIONS)}, got '{direction}'")
        if common_dtype(cls, x, y).kind == "c" and direction not in ("eq", "ne"):
            raise TypeError(f"{direction} does not accept dtype {x.dtype}: complex numbers have no order.")
        return aval(common_shape(cls, x, y), bool_)

    on_parts = by_parts(parts.equal)

    @staticmethod
    def reference(np: Any, x: Any, y: Any, *, direction: str) -> Any:
        names = dict(
            zip(DIRECTIONS, ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), strict=True)
        )
        return getattr(np, names[direction])(x, y)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any], *, direction: str) -> SSAValue:
        x, y = elements(b, index, args)
        return emit.compare(b, x, direction, y, args[0].dtype.kind)


@irdl_op_definition
class SelectOp(Elementwise):
    """The element of x where the predicate holds, of y elsewhere.

    %z = array.select %p, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>

    JAX: `lax.select`.
    """

    name = "array.select"

    predicate = operand_def(TensorType)
    x = operand_def(TensorType)
    y = operand_def(TensorType)

    @classmethod
    def infer(cls, predicate: Aval, x: Aval, y: Aval) -> Aval:
        if predicate.dtype is not bool_:
            raise TypeError(f"select: the predicate must be bool, got {predicate.dtype}.")
        return aval(common_shape(cls, predicate, x, y), common_dtype(cls, x, y), x.weak_type and y.weak_type)

    jvp, transpose = linear(
        None,
        lambda ct, p, x, y: where(p, ct, zero_of(ct)),
        lambda ct, p, x, y: where(p, zero_of(ct), ct),
    )
    on_parts = each_part
    reference = by_numpy("where")

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        return emit.select(b, *elements(b, index, args))


@irdl_op_definition
class ConvertOp(Unary):
    """The elements in another dtype. Floats become integers by truncation, clamped into range, NaN as 0; what is not 0
    is true (of a complex number, either part). Of complex numbers the other real dtypes take the real part.

    %y = array.convert %x : tensor<4xf32> -> tensor<4xi32>

    JAX: `lax.convert_element_type`.
    """

    name = "array.convert"

    @classmethod
    def infer(cls, x: Aval, *, dtype: DType, weak_type: bool = False) -> Aval:
        common_dtype(cls, x)
        return aval(x.shape, dtype, weak_type)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any) -> Node | None:
        if tangents[0] is None or not primals[0].dtype.is_inexact or not out.dtype.is_inexact:
            return None
        return cls.bind(tangents[0], **params)

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], **params: Any) -> list[Node | None]:
        source = args[0].aval
        if ct.aval.weak_type == source.weak_type or not source.weak_type:
            return [convert(ct, source.dtype)]
        return [cls.bind(ct, dtype=source.dtype, weak_type=True)]

    @classmethod
    def on_parts(cls, x: Parts | Node, *, dtype: DType, weak_type: bool = False) -> Parts | Node:
        if dtype.kind == "b" and isinstance(x, Parts):
            return logical_or(compare(x.re, "ne", 0.0), compare(x.im, "ne", 0.0))
        if dtype.kind != "c":
            return convert(x.re if isinstance(x, Parts) else x, dtype)
        re, im = x if isinstance(x, Parts) else (x, zeros(x))
        return Parts(convert(re, dtype.part), convert(im, dtype.part))

    @staticmethod
    def reference(np: Any, x: Any, *, dtype: DType, weak_type: bool = False) -> Any:
        target = np.dtype(dtype.name)
        if dtype.kind not in "bc":
            x = x.real
        if as_dtype(x.dtype).kind != "f" or not dtype.is_integer:
            return x.astype(target)
        info = np.iinfo(target)
        wide = np.where(np.isnan(x), 0, x).astype(np.float64)  # a float64 holds all of 32 bits, and wraps nothing
        inside = np.clip(
            wide, float(info.min), float(info.max) if target.itemsize < 8 else np.nextafter(float(info.max), 0)
        )
        return np.where(wide >= float(info.max), np.array(info.max, target), inside.astype(target))

    @classmethod
    def to_kernel(
        cls, b: Any, index: tuple[Any, ...], args: Sequence[Any], *, dtype: DType, weak_type: bool = False
    ) -> SSAValue:
        return emit.convert(b, b.read(args[0], index), args[0].dtype, dtype)


@irdl_op_definition
class IsFiniteOp(Unary):
    """Whether an element is neither infinite nor NaN.

    %p = array.is_finite %x : tensor<4xf32> -> tensor<4xi1>

    JAX: `lax.is_finite`.
    """

    name = "array.is_finite"
    DTYPES: ClassVar = FLOATING
    NOT_DIFFERENTIABLE: ClassVar = True

    @classmethod
    def infer(cls, x: Aval) -> Aval:
        common_dtype(cls, x)
        return aval(x.shape, bool_)

    reference = by_numpy("isfinite")

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        magnitude = b.op(math.AbsFOp, b.read(args[0], index))
        return emit.compare(b, magnitude, "lt", b.const(float("inf"), args[0].dtype), "f")


@irdl_op_definition
class StopGradientOp(Unary):
    """Its operand, without a derivative.

    %y = array.stop_gradient %x : tensor<4xf32>

    JAX: `lax.stop_gradient`.
    """

    name = "array.stop_gradient"
    NOT_DIFFERENTIABLE: ClassVar = True

    on_parts = each_part
    reference = staticmethod(lambda np, x: x)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        return b.read(args[0], index)


@irdl_op_definition
class OptimizationBarrierOp(Unary):
    """Its operand, as a value that the compiler takes for another: what is computed from it is computed once more, in nests of their own, from the operand as it is stored.

    %y = array.optimization_barrier %x : tensor<4xf32>

    JAX: `lax.optimization_barrier`. It keeps what `checkpoint` computes again apart from the first computation.
    """

    name = "array.optimization_barrier"

    jvp, transpose = linear(lambda ct, x: OptimizationBarrierOp.bind(ct))

    on_parts = each_part
    reference = staticmethod(lambda np, x: x)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        return b.read(args[0], index)

"""Short names with which rules are written as formulas: `mul(x, 2.0)` for `MulOp.bind(x, literal(2.0, x))`.

The ops are looked up when a rule runs, so that the files of this package may refer to each other in any order. A number
among the operands becomes a scalar literal of the others' dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce as fold_left
from typing import Any

from weft.dialects.array import ops
from weft.dialects.array.node import Aval, Node
from weft.dialects.array.op import literal
from weft.dialects.dtypes import DType, int32


def _short(name: str) -> Callable[..., Node]:
    def apply(*operands: Node | complex, **params: Any) -> Node:
        like = next(x for x in operands if isinstance(x, Node))
        return getattr(ops, name).bind(*(x if isinstance(x, Node) else literal(x, like) for x in operands), **params)

    return apply


neg, absolute, sign = _short("NegOp"), _short("AbsOp"), _short("SignOp")
plus, sub, mul, div = _short("AddOp"), _short("SubOp"), _short("MulOp"), _short("DivOp")
maximum, minimum, power, floor = _short("MaxOp"), _short("MinOp"), _short("PowOp"), _short("FloorOp")
exp, log, log1p, sqrt, rsqrt = _short("ExpOp"), _short("LogOp"), _short("Log1pOp"), _short("SqrtOp"), _short("RsqrtOp")
cos, sinh, cosh = _short("CosOp"), _short("SinhOp"), _short("CoshOp")
erf, erfc, digamma, is_finite = _short("ErfOp"), _short("ErfcOp"), _short("DigammaOp"), _short("IsFiniteOp")
sin, tan, atan2, expm1 = _short("SinOp"), _short("TanOp"), _short("Atan2Op"), _short("Expm1Op")
logical_and, logical_or, logical_not = _short("AndOp"), _short("OrOp"), _short("NotOp")
real, imag, conj, make_complex = _short("RealOp"), _short("ImagOp"), _short("ConjOp"), _short("ComplexOp")


def square(x: Node) -> Node:
    """x * x."""
    return mul(x, x)


def integer_pow(x: Node, y: int) -> Node:
    """x to the power of an integer."""
    return ops.IntegerPowOp.bind(x, y=y)


def compare(x: Node, direction: str, y: Node | complex) -> Node:
    """x <direction> y, as bool: `compare(x, "lt", 0.0)`."""
    return ops.CompareOp.bind(x, y if isinstance(y, Node) else literal(y, x), direction=direction)


def where(condition: Node, x: Node | complex, y: Node | complex, like: Node | None = None) -> Node:
    """x where the condition holds, else y. `like` gives the dtype of two numbers."""
    like = like or next(v for v in (x, y) if isinstance(v, Node))
    return ops.SelectOp.bind(condition, *(v if isinstance(v, Node) else literal(v, like) for v in (x, y)))


def convert(x: Node, dtype: DType) -> Node:
    """x in another dtype; itself if it has it."""
    return x if x.dtype is dtype else ops.ConvertOp.bind(x, dtype=dtype)


def bitcast(x: Node, dtype: DType) -> Node:
    """The bits of x read as another dtype."""
    return ops.BitcastOp.bind(x, dtype=dtype)


def polynomial(x: Node, coefficients: Sequence[float]) -> Node:
    """A polynomial by Horner's rule, the coefficient of the highest power first."""
    first, *rest = coefficients
    return fold_left(lambda p, c: plus(mul(p, x), c), rest, literal(first, x))


def reduce(x: Node, kind: str, axes: Sequence[int]) -> Node:
    """x combined over axes; itself for none."""
    return ops.ReduceOp.bind(x, kind=kind, axes=tuple(axes)) if axes else x


def reshape(x: Node, shape: Sequence[int]) -> Node:
    """x in another shape; itself if it has it."""
    return x if x.shape == tuple(shape) else ops.ReshapeOp.bind(x, shape=tuple(shape))


def transpose(x: Node, permutation: Sequence[int]) -> Node:
    """x with its axes permuted; itself if they stay."""
    permutation = tuple(permutation)
    return x if permutation == tuple(range(x.ndim)) else ops.TransposeOp.bind(x, permutation=permutation)


def slice_axis(x: Node, axis: int, start: int, limit: int) -> Node:
    """x[start:limit] along one axis."""
    starts = tuple(start if i == axis else 0 for i in range(x.ndim))
    limits = tuple(limit if i == axis else n for i, n in enumerate(x.shape))
    return ops.SliceOp.bind(x, start=starts, limit=limits, strides=(1,) * x.ndim)


def pad(x: Node, value: Node | complex, low: Sequence[int], high: Sequence[int], interior: Sequence[int] = ()) -> Node:
    """x with `value` around it and between its elements; itself for no padding."""
    low, high, interior = tuple(low), tuple(high), tuple(interior) or (0,) * x.ndim
    if not any((*low, *high, *interior)):
        return x
    value = value if isinstance(value, Node) else literal(value, x.dtype)
    return ops.PadOp.bind(x, value, low=low, high=high, interior=interior)


def iota(shape: Sequence[int], dimension: int, dtype: DType = int32) -> Node:
    """The position along one dimension."""
    return ops.IotaOp.bind(shape=tuple(shape), dimension=dimension, dtype=dtype)


def zero_of(dtype: DType | Node | Aval) -> Node:
    """A scalar zero."""
    dtype = dtype if isinstance(dtype, DType) else dtype.dtype
    return literal({"b": False, "i": 0, "u": 0, "f": 0.0, "c": 0j}[dtype.kind], dtype)

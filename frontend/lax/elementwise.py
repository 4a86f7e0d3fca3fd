"""Operators that work on each element by itself, and the choice and change of types. Operands have one dtype; shapes are equal, or of rank 0."""

from __future__ import annotations

import operator
from enum import IntEnum
from typing import Any

from weft.array import Array, aval_of, lift, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import DType, bool_, complex_of
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, agree, binary, concrete, constant, convert, unary

__all__ = [
    "RoundingMethod", "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh",
    "bitcast_convert_type", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "clamp",
    "clz", "complex", "conj", "convert_element_type", "cos", "cosh", "digamma", "div", "dtype", "eq", "erf",
    "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "full_like", "ge", "gt", "imag", "integer_pow",
    "is_finite", "le", "lgamma", "log", "log1p", "log2", "logistic", "lt", "max", "min", "mul", "mulhi", "ne",
    "neg", "nextafter", "optimization_barrier", "population_count", "pow", "real", "reciprocal",
    "reduce_precision", "rem", "round", "rsqrt", "select", "select_n", "shift_left", "shift_right_arithmetic",
    "shift_right_logical", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan", "tanh", "trunc",
]  # fmt: skip

abs = unary(ops.AbsOp)
acos = unary(ops.AcosOp)
acosh = unary(ops.AcoshOp)
asin = unary(ops.AsinOp)
asinh = unary(ops.AsinhOp)
atan = unary(ops.AtanOp)
atanh = unary(ops.AtanhOp)
bitwise_not = unary(ops.NotOp, "bitwise_not")
cbrt = unary(ops.CbrtOp)
ceil = unary(ops.CeilOp)
clz = unary(ops.ClzOp)
cos = unary(ops.CosOp)
cosh = unary(ops.CoshOp)
digamma = unary(ops.DigammaOp)
erf = unary(ops.ErfOp)
erf_inv = unary(ops.ErfInvOp)
erfc = unary(ops.ErfcOp)
exp = unary(ops.ExpOp)
exp2 = unary(ops.Exp2Op)
expm1 = unary(ops.Expm1Op)
floor = unary(ops.FloorOp)
imag = unary(ops.ImagOp)
is_finite = unary(ops.IsFiniteOp)
lgamma = unary(ops.LgammaOp)
log = unary(ops.LogOp)
log1p = unary(ops.Log1pOp)
log2 = unary(ops.Log2Op)
logistic = unary(ops.LogisticOp)
neg = unary(ops.NegOp)
population_count = unary(ops.PopulationCountOp)
real = unary(ops.RealOp)
rsqrt = unary(ops.RsqrtOp)
sign = unary(ops.SignOp)
sin = unary(ops.SinOp)
sinh = unary(ops.SinhOp)
sqrt = unary(ops.SqrtOp)
tan = unary(ops.TanOp)
tanh = unary(ops.TanhOp)
trunc = unary(ops.TruncOp)

add = binary(ops.AddOp)
atan2 = binary(ops.Atan2Op)
bitwise_and = binary(ops.AndOp, "bitwise_and")
bitwise_or = binary(ops.OrOp, "bitwise_or")
bitwise_xor = binary(ops.XorOp, "bitwise_xor")
complex = binary(ops.ComplexOp)
div = binary(ops.DivOp)
max = binary(ops.MaxOp)
min = binary(ops.MinOp)
rem = binary(ops.RemOp)
shift_left = binary(ops.ShiftLeftOp)
shift_right_arithmetic = binary(ops.ShiftRightArithmeticOp)
shift_right_logical = binary(ops.ShiftRightLogicalOp)
sub = binary(ops.SubOp)

eq = binary(ops.CompareOp, "eq", direction="eq")
ne = binary(ops.CompareOp, "ne", direction="ne")
lt = binary(ops.CompareOp, "lt", direction="lt")
le = binary(ops.CompareOp, "le", direction="le")
gt = binary(ops.CompareOp, "gt", direction="gt")
ge = binary(ops.CompareOp, "ge", direction="ge")


def conj(x: ArrayLike) -> Array:
    """The complex conjugate, complex for a real x too. Raises TypeError for other dtypes than float32, float64 and complex ones."""
    node = lift(x)
    if node.dtype.kind != "c":
        if node.dtype.kind != "f" or node.dtype.bits < 32:
            raise TypeError(f"conj does not accept dtype {node.dtype}. Accepted dtypes are: complex, float32, float64.")
        return wrap(convert(node, complex_of(node.dtype), node.aval.weak_type))
    return wrap(ops.ConjOp.bind(node))


class RoundingMethod(IntEnum):
    """How `round` treats values halfway between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x: ArrayLike, rounding_method: int = RoundingMethod.AWAY_FROM_ZERO) -> Array:
    """The nearest integer; halfway away from zero, or to the even one."""
    node = lift(x)
    if RoundingMethod(rounding_method) is RoundingMethod.TO_NEAREST_EVEN:
        return wrap(ops.RoundOp.bind(node))
    whole = trunc(wrap(node))
    half = ge(abs(sub(wrap(node), whole)), constant(0.5, (), node.dtype))
    return select(half, add(whole, sign(wrap(node))), whole)


def pow(x: ArrayLike, y: ArrayLike) -> Array:
    """x to the power of y. Integer exponents are allowed, as JAX allows them."""
    base, exponent = lift(x), lift(y)
    if exponent.dtype.is_integer and base.dtype.is_inexact:
        exponent = convert(exponent, base.dtype, exponent.aval.weak_type)
    return wrap(ops.PowOp.bind(*agree("pow", wrap(base), wrap(exponent))))


def integer_pow(x: ArrayLike, y: int) -> Array:
    """x to the power of a Python integer. Raises TypeError for integers to negative powers."""
    return wrap(ops.IntegerPowOp.bind(lift(x), y=concrete(y, "y")))


def square(x: ArrayLike) -> Array:
    """x times x."""
    return integer_pow(x, 2)


def reciprocal(x: ArrayLike) -> Array:
    """1 / x."""
    return integer_pow(x, -1)


def select(pred: ArrayLike, on_true: ArrayLike, on_false: ArrayLike) -> Array:
    """`on_true` where `pred` holds, else `on_false`. The cases have one shape and dtype; `pred` has their shape, or is a scalar."""
    return select_n(pred, on_false, on_true)


def select_n(which: ArrayLike, *cases: ArrayLike) -> Array:
    """The case that `which` (bool for two cases, else int32) names, element by element.

    Raises TypeError if shapes or dtypes of the cases differ, or `which` has neither their shape nor rank 0.
    """
    if not cases:
        raise TypeError("select_n takes at least two arguments")
    choice, nodes = lift(which), [lift(c) for c in cases]
    if choice.dtype.kind not in "biu":
        raise TypeError(f"select `which` must be boolean or integer type, got {choice.dtype}.")
    if choice.dtype is bool_ and len(nodes) > 2:
        raise TypeError(f"select with boolean `which` cannot have > 2 cases; got {len(nodes)}.")
    if len({n.shape for n in nodes}) > 1:
        raise TypeError(f"select cases must have the same shapes, got [{', '.join(str(n.shape) for n in nodes)}].")
    if len({n.dtype for n in nodes}) > 1:
        raise TypeError(f"select cases must have the same dtypes, got [{', '.join(n.dtype.name for n in nodes)}].")
    if choice.shape not in ((), nodes[0].shape):
        raise TypeError(
            f"select `which` must be scalar or have the same shape as cases, got `which` shape {choice.shape} but case shape {nodes[0].shape}."
        )
    chosen = nodes[0]
    for number, node in enumerate(nodes[1:], 1):
        last = choice.dtype is bool_
        hit = choice if last else ge(wrap(choice), constant(number, (), choice.dtype))._node
        chosen = ops.SelectOp.bind(hit, node, chosen)
    return wrap(chosen)


def mul(x: ArrayLike, y: ArrayLike, *, out_dtype: DTypeLike = None) -> Array:
    """The product of each pair of elements. With `out_dtype` they are converted to it first."""
    nodes = agree("mul", x, y)
    if out_dtype is not None:
        nodes = [convert(n, canonical(out_dtype)) for n in nodes]
    return wrap(ops.MulOp.bind(*nodes))


def nextafter(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The number next to x1 in the direction of x2."""
    return wrap(ops.NextafterOp.bind(*agree("nextafter", x1, x2)))


def mulhi(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The upper half of the bits of a product of integers, by products of halves (H. Warren, "Hacker's Delight")."""
    a, b = (wrap(n) for n in agree("mulhi", x, y))
    dtype = a.dtype
    if not dtype.is_integer:
        raise TypeError(f"mulhi does not accept dtype {dtype}. Accepted dtypes are: signed integer, unsigned integer.")
    half = constant(dtype.bits // 2, (), dtype)
    mask = constant((1 << dtype.bits // 2) - 1, (), dtype)
    up = shift_right_arithmetic if dtype.kind == "i" else shift_right_logical
    (al, ah), (bl, bh) = ((bitwise_and(v, mask), up(v, half)) for v in (a, b))
    low = shift_right_logical(mul(al, bl), half)
    first = add(mul(ah, bl), low)
    second = add(mul(al, bh), bitwise_and(first, mask))
    return add(add(mul(ah, bh), up(first, half)), up(second, half))


def reduce_precision(operand: ArrayLike, exponent_bits: int, mantissa_bits: int) -> Array:
    """The nearest float that a format of so many exponent and mantissa bits has, in the operand's dtype."""
    bits = {"exponent_bits": operator.index(exponent_bits), "mantissa_bits": operator.index(mantissa_bits)}
    return wrap(ops.ReducePrecisionOp.bind(lift(operand), **bits))


def optimization_barrier(operand: Any, /) -> Any:
    """A pytree of arrays as it is; nothing that comes after is simplified together with what came before."""
    from weft.tree_util import tree_map

    return tree_map(lambda leaf: wrap(ops.OptimizationBarrierOp.bind(lift(leaf))), operand)


def dtype(x: Any) -> DType:
    """The dtype of an array, or of what may become one."""
    return lift(x).dtype


def clamp(min: ArrayLike, x: ArrayLike, max: ArrayLike) -> Array:
    """x held between `min` and `max`, scalars or of its shape; where it is held, its derivative is zero."""
    low, node, high = lift(min), lift(x), lift(max)
    for name, bound in (("min", low), ("max", high)):
        if bound.shape not in ((), node.shape):
            raise TypeError(
                f"clamp requires {name}.shape == operand.shape or {name}.shape == (), got {name}.shape={bound.shape}, operand.shape={node.shape}."
            )
    low, node, high = agree("clamp", wrap(low), wrap(node), wrap(high))
    inner = ops.SelectOp.bind(ops.CompareOp.bind(node, low, direction="le"), low, node)
    return wrap(ops.SelectOp.bind(ops.CompareOp.bind(inner, high, direction="ge"), high, inner))


def convert_element_type(operand: ArrayLike, new_dtype: DTypeLike) -> Array:
    """The elements in another dtype: floats to integers by truncation, numbers to bool by `!= 0`."""
    return wrap(convert(lift(operand), canonical(new_dtype)))


def bitcast_convert_type(operand: ArrayLike, new_dtype: DTypeLike) -> Array:
    """The bits read as another dtype. A narrower one adds an axis of the pieces of an element, low ones first; a wider one takes the last axis, which must have as many."""
    node, dtype = lift(operand), canonical(new_dtype)
    return wrap(ops.BitcastOp.bind(node, dtype=dtype) if node.dtype is not dtype else node)


def stop_gradient(x: Any) -> Any:
    """A pytree whose leaves have no derivative."""
    from weft.tree_util import tree_map

    def stop(leaf: ArrayLike) -> Array:
        node = lift(leaf)
        return wrap(ops.StopGradientOp.bind(node) if node.dtype.is_inexact else node)

    return tree_map(stop, x)


def full_like(x: ArrayLike, fill_value: ArrayLike, dtype: DTypeLike = None, shape: Any = None) -> Array:
    """`fill_value` in the shape and dtype of x (an array, or a description of one), unless others are given."""
    from weft.lax.shape import full

    known = aval_of(x)
    found = full(known.shape if shape is None else shape, fill_value, dtype or known.dtype)
    return wrap(convert(found._node, found.dtype, True)) if dtype is None and known.weak_type else found

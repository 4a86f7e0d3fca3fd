"""NumPy's functions of each element: arithmetic, powers, trigonometry, rounding; those of truth are in `logic`, and to be had from here too."""

# ruff: noqa: F403, F405
from __future__ import annotations

from collections.abc import Callable
from math import factorial, inf, pi
from math import log as ln
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.custom import custom_jvp
from weft.dialects.array import ops
from weft.dialects.array.op import ArrayOp
from weft.dialects.dtypes import bool_, int32
from weft.host import canonical
from weft.lax.base import ArrayLike, concrete, constant, convert, number, refuse_out
from weft.numpy.logic import *
from weft.numpy.promotion import binary, like, named, promote, promote_arrays, promote_numbers, spread, unary

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "around", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clip", "cos",
    "cosh", "deg2rad", "degrees", "divide", "divmod", "exp", "exp2", "expm1", "fabs", "float_power", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "heaviside", "hypot", "log", "log1p", "log2", "log10", "logaddexp",
    "logaddexp2", "maximum", "minimum", "mod", "modf", "multiply", "nan_to_num", "negative", "positive", "pow",
    "power", "rad2deg", "radians", "reciprocal", "remainder", "rint", "round", "sign", "sin", "sinc", "sinh",
    "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc",
]  # fmt: skip

# -- arithmetic

add = binary("add", ops.AddOp, of_bool=ops.OrOp)
subtract = binary("subtract", ops.SubOp)
multiply = binary("multiply", ops.MulOp, of_bool=ops.AndOp)
maximum = binary("maximum", ops.MaxOp)
minimum = binary("minimum", ops.MinOp)
true_divide = divide = binary("divide", ops.DivOp, inexact=True)
negative = unary("negative", ops.NegOp)


def abs(x: ArrayLike, /) -> Array:
    """The absolute value; of a complex number, a real one."""
    (node,) = promote(x)
    return wrap(node if node.dtype.kind in "bu" else ops.AbsOp.bind(node))


absolute = abs
sign = unary("sign", ops.SignOp)


def positive(x: ArrayLike, /) -> Array:
    """x itself."""
    return wrap(lift(x))


def fabs(x: ArrayLike, /) -> Array:
    """The absolute value, as floating. Raises TypeError for complex numbers."""
    if lift(x).dtype.kind == "c":
        raise TypeError("ufunc 'fabs' does not support complex dtypes")
    return wrap(ops.AbsOp.bind(promote(x, inexact=True)[0]))


def floor_divide(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The quotient rounded down."""
    x, y = promote_numbers(x, y)
    kind = x.dtype.kind
    if kind == "c":
        raise TypeError("floor_divide does not support complex-valued inputs")
    if kind == "f":
        return _floor_quotient(x, y)
    if kind != "i":
        return lax.div(x, y)
    quotient = lax.div(x, y)
    lower = (lax.sign(x) != lax.sign(y)) & (lax.rem(x, y) != 0)
    return where(lower, quotient - 1, quotient)


def _floor_quotient(x: Array, y: Array) -> Array:
    # the remainder is exact, so that the quotient is right where x / y would be rounded up to the next integer; x less it cannot overflow
    rest = lax.rem(x, y)
    quotient = lax.round(lax.div(x - rest, y), 1)
    quotient = where((rest != 0) & ((rest < 0) != (y < 0)), quotient - 1, quotient)
    return where(y == 0, lax.div(x, y), quotient)


def remainder(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The remainder, with the sign of y. By an integer 0 it is 0, as in JAX."""
    rest, x, y = _remainder(x, y)
    if x.dtype.kind in "ub":
        return rest
    return where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)


mod = remainder


def fmod(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The remainder, with the sign of x. By an integer 0 it is 0, as in JAX."""
    return _remainder(x, y)[0]


def _remainder(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array, Array]:
    """The remainder with the sign of x, and the promoted operands, an integer divisor without zeros."""
    x, y = promote_numbers(x, y)
    y = where(y == 0, lax.full_like(y, 1), y) if y.dtype.is_integer else y
    return lax.rem(x, y), x, y


def divmod(x: ArrayLike, y: ArrayLike, /) -> tuple[Array, Array]:
    """The quotient rounded down, and the remainder."""
    return floor_divide(x, y), remainder(x, y)


def modf(x: ArrayLike, /, out: None = None) -> tuple[Array, Array]:
    """The fractional and the integral part."""
    refuse_out(out, "modf")
    (x,) = promote_arrays(x, inexact=True)
    whole = trunc(x)
    return x - whole, whole


def square(x: ArrayLike, /) -> Array:
    """x times x."""
    return lax.integer_pow(wrap(_not_bool(x)), 2)


def reciprocal(x: ArrayLike, /) -> Array:
    """1 / x."""
    return lax.integer_pow(wrap(promote(x, inexact=True)[0]), -1)


def clip(arr: ArrayLike, /, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """Elements held between bounds, either of which may be None. Raises ValueError for complex numbers, which have no order."""
    x = wrap(lift(arr))
    if any(v is not None and lift(v).dtype.kind == "c" for v in (x, min, max)):
        raise ValueError(
            "Clip received a complex value either through the input or the min/max keywords. Complex values have no ordering and cannot be clipped: take the real or the imaginary parts"
        )
    if min is not None:
        x = maximum(min, x)
    if max is not None:
        x = minimum(max, x)
    return x


def heaviside(x: ArrayLike, y: ArrayLike, /) -> Array:
    """0 for negative x, y at 0, 1 above. Raises TypeError for complex numbers."""
    x, y = promote_arrays(x, y, inexact=True)
    if x.dtype.kind == "c":
        raise TypeError("heaviside does not support complex-valued inputs")
    zero = like(0, x)
    return where(lax.lt(x, zero), zero, where(lax.gt(x, zero), like(1, x), where(x == zero, y, x)))


# -- powers, exponentials, logarithms

sqrt = unary("sqrt", ops.SqrtOp, inexact=True)
cbrt = unary("cbrt", ops.CbrtOp, inexact=True)
exp = unary("exp", ops.ExpOp, inexact=True)
exp2 = unary("exp2", ops.Exp2Op, inexact=True)
expm1 = unary("expm1", ops.Expm1Op, inexact=True)
log = unary("log", ops.LogOp, inexact=True)
log1p = unary("log1p", ops.Log1pOp, inexact=True)


def log2(x: ArrayLike, /) -> Array:
    """The logarithm to base 2."""
    (node,) = promote(x, inexact=True)
    return wrap(convert(ops.Log2Op.bind(node), node.dtype))


def log10(x: ArrayLike, /) -> Array:
    """The logarithm to base 10."""
    (x,) = promote_arrays(x, inexact=True)
    found = lax.log(x)
    if x.dtype.kind == "c":  # part by part: a product of complex numbers makes NaN of infinities
        scale = constant(1 / ln(10), (), lax.real(x).dtype)
        return lax.complex(lax.real(found) * scale, lax.imag(found) * scale)
    return found * constant(1 / ln(10), (), x.dtype)


def power(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 to the power of x2; a Python integer as exponent multiplies. Raises TypeError for integers to a negative power that is known."""
    known = number(x2)
    if isinstance(known, int) and not isinstance(known, bool):
        return lax.integer_pow(wrap(_not_bool(x1)), known)
    x, y = lift(x1), lift(x2)
    if x.dtype.is_inexact and y.dtype.is_integer and not y.ndim and y.op is ops.ConstantOp:
        return lax.integer_pow(x1, y.params["value"])
    if x.dtype.is_inexact and y.dtype.is_integer:
        return lax.pow(*(wrap(n) for n in spread([x, y])))
    x, y = promote_arrays(x1, x2)
    if x.dtype.is_inexact:
        return lax.pow(x, y)
    return _integer_power(x, y)


def _not_bool(x: ArrayLike) -> Any:
    node = lift(x)
    return convert(node, int32) if node.dtype is bool_ else node


def _integer_power(x: Array, y: Array) -> Array:
    """By repeated squaring over the bits of y; 0 for negative y, as JAX has it."""
    x, y = (wrap(_not_bool(v)) for v in (x, y))
    shape = lax.broadcast_shapes(x.shape, y.shape)
    result, zero = constant(1, shape, x.dtype), like(0, x)
    remaining = y
    for _ in range(x.dtype.bits if x.dtype.kind == "u" else x.dtype.bits - 1):
        result = where((remaining & 1) != 0, result * x, result)
        remaining, x = lax.shift_right_logical(remaining, like(1, remaining)), x * x
    return where(y < zero, zero, result)


pow = power


def float_power(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x to the power of y, as floating."""
    return lax.pow(*promote_arrays(x, y, inexact=True))


def hypot(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The length of (x, y), without overflow on the way. Raises ValueError for complex numbers."""
    x, y = promote_arrays(x, y, inexact=True)
    if x.dtype.kind == "c":
        raise ValueError("hypot is not defined for complex numbers: take their absolute values")
    x, y = lax.abs(x), lax.abs(y)
    large, small = lax.max(x, y), lax.min(x, y)
    ratio = lax.div(small, where(large == 0, like(1, large), large))
    length = lax.mul(large, lax.sqrt(ratio * ratio + 1))
    return where(isinf(x) | isinf(y), like(inf, x), length)


def logaddexp(x: ArrayLike, y: ArrayLike, /) -> Array:
    """log(exp(x) + exp(y)), without overflow on the way."""
    return _logaddexp(*promote_arrays(x, y, inexact=True))


@custom_jvp
def _logaddexp(x: Array, y: Array) -> Array:
    if x.dtype.kind == "c":
        most = lax.max(lax.real(x), lax.real(y))
        most = wrap(convert(most._node, most.dtype, most.weak_type and not most.ndim))
        return most + lax.log(lax.exp(x - most) + lax.exp(y - most))
    difference = lax.sub(x, y)
    smooth = lax.max(x, y) + lax.log1p(lax.exp(lax.neg(lax.abs(difference))))
    return where(isnan(difference), x + y, smooth)  # infinities of one sign have no difference


@_logaddexp.defjvp
def _logaddexp_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """Each operand by its share of the sum. (The formula above has no derivative where its operands are equal; the function has.)"""
    out = _logaddexp(*primals)

    def finite(v: Array) -> Array:
        return v if v.dtype.kind == "c" else where(isposinf(v), like(0, v), v)  # an infinite share is a whole one

    shares = [lax.exp(finite(x) - finite(out)) for x in primals]
    return out, lax.add(*(t * share for t, share in zip(tangents, shares, strict=True)))


def logaddexp2(x: ArrayLike, y: ArrayLike, /) -> Array:
    """log2(2**x + 2**y), without overflow on the way."""
    x, y = promote_arrays(x, y, inexact=True)
    scale = like(ln(2), x)
    return logaddexp(x * scale, y * scale) / scale


# -- trigonometry

sin = unary("sin", ops.SinOp, inexact=True)
cos = unary("cos", ops.CosOp, inexact=True)
tan = unary("tan", ops.TanOp, inexact=True)
arcsin = asin = unary("arcsin", ops.AsinOp, inexact=True)
arccos = acos = unary("arccos", ops.AcosOp, inexact=True)
arctan = atan = unary("arctan", ops.AtanOp, inexact=True)
sinh = unary("sinh", ops.SinhOp, inexact=True)
cosh = unary("cosh", ops.CoshOp, inexact=True)
tanh = unary("tanh", ops.TanhOp, inexact=True)
arcsinh = asinh = unary("arcsinh", ops.AsinhOp, inexact=True)
arccosh = acosh = unary("arccosh", ops.AcoshOp, inexact=True)
arctanh = atanh = unary("arctanh", ops.AtanhOp, inexact=True)
arctan2 = atan2 = binary("arctan2", ops.Atan2Op, inexact=True)


def sinc(x: ArrayLike, /) -> Array:
    """sin(pi x) / (pi x), 1 at 0."""
    (x,) = promote_arrays(x, inexact=True)
    angle = x * pi
    near, squared = lax.abs(angle) < 0.25, angle * angle
    series = like(0, x)
    for k in (5, 4, 3, 2, 1, 0):  # near 0, where sin(a) / a has no accurate derivatives, the series
        series = series * squared + (-1) ** k / factorial(2 * k + 1)
    safe = where(near, like(1, x), angle)
    return where(near, series, lax.sin(safe) / safe)


def deg2rad(x: ArrayLike, /) -> Array:
    """Degrees as radians."""
    (x,) = promote_arrays(x, inexact=True)
    return x * like(pi / 180, x)


def rad2deg(x: ArrayLike, /) -> Array:
    """Radians as degrees."""
    (x,) = promote_arrays(x, inexact=True)
    return x * like(180 / pi, x)


radians, degrees = deg2rad, rad2deg

# -- rounding


def _rounding(name: str, op: type[ArrayOp]) -> Callable[[ArrayLike], Array]:
    def f(x: ArrayLike, /) -> Array:
        node = lift(x)
        return wrap(op.bind(node) if node.dtype.is_inexact else node)

    return named(f, name, op.__doc__)


floor = _rounding("floor", ops.FloorOp)
ceil = _rounding("ceil", ops.CeilOp)


def rint(x: ArrayLike, /) -> Array:
    """The nearest integer, as floating; halves go to the even one. Of a complex number, each part by itself."""
    node = lift(x)
    if not node.dtype.is_inexact:
        return wrap(convert(node, canonical(float)))
    if node.dtype.kind == "c":
        return lax.complex(rint(lax.real(x)), rint(lax.imag(x)))
    return wrap(ops.RoundOp.bind(node))


def trunc(x: ArrayLike) -> Array:
    """Rounded towards zero."""
    node = lift(x)
    return wrap(ops.TruncOp.bind(node) if node.dtype.is_inexact else node)


def round(a: ArrayLike, decimals: int = 0, out: None = None) -> Array:
    """Rounded to a number of decimals, halfway to even."""
    node, decimals = lift(a), concrete(decimals, "decimals")
    refuse_out(out, "round")
    if node.dtype.kind == "c":
        return lax.complex(*(round(wrap(op.bind(node)), decimals) for op in (ops.RealOp, ops.ImagOp)))
    if node.dtype is bool_:
        raise ValueError("round requires numbers, got an array of dtype bool")
    if node.dtype.is_integer:
        if decimals < 0:
            raise NotImplementedError("integer np.round not implemented for decimals < 0")
        return wrap(node)
    if decimals == 0:
        return rint(a)
    factor = like(10**decimals, wrap(node))
    return lax.div(rint(lax.mul(a, factor)), factor)


around = round

# -- NaN, angles


def nan_to_num(
    x: ArrayLike,
    copy: bool = True,
    nan: ArrayLike = 0.0,
    posinf: ArrayLike | None = None,
    neginf: ArrayLike | None = None,
) -> Array:
    """NaN replaced by `nan`, infinities by the greatest and least finite numbers, or what is given; of a complex number, each part by itself."""
    from weft.numpy.dtypes import finfo

    x = wrap(lift(x))
    if not x.dtype.is_inexact:
        return x
    if x.dtype.kind == "c":
        return lax.complex(*(nan_to_num(part(x), copy, nan, posinf, neginf) for part in (lax.real, lax.imag)))
    info = finfo(x.dtype)
    high, low = (info.max if posinf is None else posinf), (info.min if neginf is None else neginf)

    def fixed(v: ArrayLike) -> Array:
        return lax.convert_element_type(v, x.dtype)

    x = where(isnan(x), fixed(nan), x)
    return where(isposinf(x), fixed(high), where(isneginf(x), fixed(low), x))


def fmax(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The greater element, or the one that is not NaN."""
    x, y = promote_arrays(x1, x2)
    return where(greater(x, y) | isnan(y), x, y)


def fmin(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The lesser element, or the one that is not NaN."""
    x, y = promote_arrays(x1, x2)
    return where(less(x, y) | isnan(y), x, y)


def angle(z: ArrayLike, deg: bool = False) -> Array:
    """The angle of complex numbers, in radians or degrees. Of integers and of a real scalar it has the default float dtype, as in JAX."""
    node = lift(z)
    if not node.dtype.is_inexact or (node.dtype.kind == "f" and not node.ndim):
        node = convert(node, canonical(float))
    found = wrap(ops.Atan2Op.bind(imag(wrap(node))._node, real(wrap(node))._node))
    return rad2deg(found) if deg else found

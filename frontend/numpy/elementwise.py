"""NumPy's functions of each element: arithmetic, powers, trigonometry, rounding, comparison, logic, bits, and choices between elements."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, inf, pi
from math import log as ln
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.op import ArrayOp
from weft.dialects.dtypes import bool_, uint8
from weft.lax.base import ArrayLike, constant, convert, number, refuse_out
from weft.numpy.promotion import like, promote, promote_arrays, spread

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "around", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_count",
    "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "cbrt", "ceil", "clip", "conj", "conjugate", "copysign", "cos", "cosh", "deg2rad", "degrees", "divide",
    "divmod", "equal", "exp", "exp2", "expm1", "fabs", "float_power", "floor", "floor_divide", "fmax", "fmin",
    "fmod", "greater", "greater_equal", "heaviside", "hypot", "imag", "invert", "isclose", "iscomplex", "iscomplexobj", "isfinite", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "left_shift", "less", "less_equal", "log", "log1p", "log2", "log10",
    "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum",
    "mod", "modf", "multiply", "nan_to_num", "negative", "nextafter", "not_equal", "positive", "pow", "power",
    "rad2deg", "radians", "real", "reciprocal", "remainder", "right_shift", "rint", "round", "select", "sign",
    "signbit", "sin", "sinc", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc", "where",
]  # fmt: skip


def _named(f: Callable[..., Any], name: str, doc: str | None) -> Any:
    f.__name__ = f.__qualname__ = name
    f.__doc__ = (doc or "").split("\n\n")[0]
    f.__module__ = "weft.numpy"
    return f


def _unary(name: str, op: type[ArrayOp], inexact: bool = False) -> Callable[[ArrayLike], Array]:
    def f(x: ArrayLike, /) -> Array:
        return wrap(op.bind(promote(x, inexact=inexact)[0]))

    return _named(f, name, op.__doc__)


def _binary(
    name: str, op: type[ArrayOp], inexact: bool = False, of_bool: type[ArrayOp] | None = None, **params: Any
) -> Callable[[ArrayLike, ArrayLike], Array]:
    def f(x: ArrayLike, y: ArrayLike, /) -> Array:
        nodes = promote(x, y, inexact=inexact)
        return wrap((of_bool if of_bool and nodes[0].dtype is bool_ else op).bind(*nodes, **params))

    return _named(f, name, op.__doc__)


# -- arithmetic

add = _binary("add", ops.AddOp, of_bool=ops.OrOp)
subtract = _binary("subtract", ops.SubOp)
multiply = _binary("multiply", ops.MulOp, of_bool=ops.AndOp)
maximum = _binary("maximum", ops.MaxOp)
minimum = _binary("minimum", ops.MinOp)
true_divide = divide = _binary("divide", ops.DivOp, inexact=True)
negative = _unary("negative", ops.NegOp)
abs = absolute = _unary("abs", ops.AbsOp)
sign = _unary("sign", ops.SignOp)


def positive(x: ArrayLike, /) -> Array:
    """x itself."""
    return wrap(lift(x))


def fabs(x: ArrayLike, /) -> Array:
    """The absolute value, as floating."""
    return wrap(ops.AbsOp.bind(promote(x, inexact=True)[0]))


def floor_divide(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The quotient rounded down."""
    x, y = promote_arrays(x, y)
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
    # the remainder is exact, so that the quotient is right where x / y would be rounded up to the next integer
    rest = remainder(x, y)
    quotient = lax.round(lax.div(x - rest, y), 1)
    quotient = where(isinf(rest), like(-1, x), quotient)  # a finite number by an infinite one of the other sign
    return where(y == 0, lax.div(x, y), quotient)


def remainder(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The remainder, with the sign of y."""
    x, y = promote_arrays(x, y)
    rest = lax.rem(x, y)
    if x.dtype.kind in "ub":
        return rest
    return where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)


mod = remainder


def fmod(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The remainder, with the sign of x."""
    return lax.rem(*promote_arrays(x, y))


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
    return lax.integer_pow(x, 2)


def reciprocal(x: ArrayLike, /) -> Array:
    """1 / x."""
    return lax.integer_pow(wrap(promote(x, inexact=True)[0]), -1)


def clip(arr: ArrayLike, /, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """Elements held between bounds, either of which may be None."""
    x = wrap(lift(arr))
    if min is not None:
        x = maximum(min, x)
    if max is not None:
        x = minimum(max, x)
    return x


def heaviside(x: ArrayLike, y: ArrayLike, /) -> Array:
    """0 for negative x, y at 0, 1 above."""
    x, y = promote_arrays(x, y, inexact=True)
    return where(x < 0, like(0, x), where(x > 0, like(1, x), where(x == 0, y, x)))


# -- powers, exponentials, logarithms

sqrt = _unary("sqrt", ops.SqrtOp, inexact=True)
cbrt = _unary("cbrt", ops.CbrtOp, inexact=True)
exp = _unary("exp", ops.ExpOp, inexact=True)
exp2 = _unary("exp2", ops.Exp2Op, inexact=True)
expm1 = _unary("expm1", ops.Expm1Op, inexact=True)
log = _unary("log", ops.LogOp, inexact=True)
log1p = _unary("log1p", ops.Log1pOp, inexact=True)
log2 = _unary("log2", ops.Log2Op, inexact=True)


def log10(x: ArrayLike, /) -> Array:
    """The logarithm to base 10."""
    (x,) = promote_arrays(x, inexact=True)
    return lax.log(x) * constant(1 / ln(10), (), x.dtype)


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
    return convert(node, lift(1).dtype) if node.dtype is bool_ else node


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
    """The length of (x, y), without overflow on the way."""
    x, y = promote_arrays(x, y, inexact=True)
    x, y = lax.abs(x), lax.abs(y)
    large, small = lax.max(x, y), lax.min(x, y)
    ratio = lax.div(small, where(large == 0, like(1, large), large))
    length = lax.mul(large, lax.sqrt(ratio * ratio + 1))
    return where(isinf(x) | isinf(y), like(inf, x), length)


def logaddexp(x: ArrayLike, y: ArrayLike, /) -> Array:
    """log(exp(x) + exp(y)), without overflow on the way."""
    x, y = promote_arrays(x, y, inexact=True)
    difference = lax.sub(x, y)
    smooth = lax.max(x, y) + lax.log1p(lax.exp(lax.neg(lax.abs(difference))))
    return where(isnan(difference), x + y, smooth)  # infinities of one sign have no difference


def logaddexp2(x: ArrayLike, y: ArrayLike, /) -> Array:
    """log2(2**x + 2**y), without overflow on the way."""
    x, y = promote_arrays(x, y, inexact=True)
    return logaddexp(x * ln(2), y * ln(2)) * (1 / ln(2))


# -- trigonometry

sin = _unary("sin", ops.SinOp, inexact=True)
cos = _unary("cos", ops.CosOp, inexact=True)
tan = _unary("tan", ops.TanOp, inexact=True)
arcsin = asin = _unary("arcsin", ops.AsinOp, inexact=True)
arccos = acos = _unary("arccos", ops.AcosOp, inexact=True)
arctan = atan = _unary("arctan", ops.AtanOp, inexact=True)
sinh = _unary("sinh", ops.SinhOp, inexact=True)
cosh = _unary("cosh", ops.CoshOp, inexact=True)
tanh = _unary("tanh", ops.TanhOp, inexact=True)
arcsinh = asinh = _unary("arcsinh", ops.AsinhOp, inexact=True)
arccosh = acosh = _unary("arccosh", ops.AcoshOp, inexact=True)
arctanh = atanh = _unary("arctanh", ops.AtanhOp, inexact=True)
arctan2 = atan2 = _binary("arctan2", ops.Atan2Op, inexact=True)


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
    return x * (pi / 180)


def rad2deg(x: ArrayLike, /) -> Array:
    """Radians as degrees."""
    (x,) = promote_arrays(x, inexact=True)
    return x * (180 / pi)


radians, degrees = deg2rad, rad2deg

# -- rounding


def _rounding(name: str, op: type[ArrayOp]) -> Callable[[ArrayLike], Array]:
    def f(x: ArrayLike, /) -> Array:
        node = lift(x)
        return wrap(op.bind(node) if node.dtype.is_inexact else node)

    return _named(f, name, op.__doc__)


floor = _rounding("floor", ops.FloorOp)
ceil = _rounding("ceil", ops.CeilOp)
rint = _unary("rint", ops.RoundOp, inexact=True)


def trunc(x: ArrayLike) -> Array:
    """Rounded towards zero."""
    node = lift(x)
    return wrap(ops.TruncOp.bind(node) if node.dtype.is_inexact else node)


def round(a: ArrayLike, decimals: int = 0, out: None = None) -> Array:
    """Rounded to a number of decimals, halfway to even."""
    node = lift(a)
    refuse_out(out, "round")
    if node.dtype.kind == "c":
        return lax.complex(*(round(wrap(op.bind(node)), decimals) for op in (ops.RealOp, ops.ImagOp)))
    if node.dtype.is_integer or node.dtype is bool_:
        if decimals < 0:
            raise NotImplementedError("integer np.round not implemented for decimals < 0")
        return wrap(node)
    if decimals == 0:
        return rint(a)
    factor = like(10**decimals, wrap(node))
    return lax.div(rint(lax.mul(a, factor)), factor)


around = round

# -- comparison

equal = _binary("equal", ops.CompareOp, direction="eq")
not_equal = _binary("not_equal", ops.CompareOp, direction="ne")


def _ordering(name: str, direction: str) -> Callable[[ArrayLike, ArrayLike], Array]:
    def f(x: ArrayLike, y: ArrayLike, /) -> Array:
        x, y = promote(x, y)
        if x.dtype.kind != "c":
            return wrap(ops.CompareOp.bind(x, y, direction=direction))
        parts = [[op.bind(v) for v in (x, y)] for op in (ops.RealOp, ops.ImagOp)]
        by_real, by_imag = (ops.CompareOp.bind(*p, direction=direction) for p in parts)
        return wrap(ops.SelectOp.bind(ops.CompareOp.bind(*parts[0], direction="eq"), by_imag, by_real))

    return _named(
        f,
        name,
        f"Whether x is {name.replace('_', ' than or ')} y; complex numbers are ordered by their real parts, then by their imaginary ones.",
    )


less = _ordering("less", "lt")
less_equal = _ordering("less_equal", "le")
greater = _ordering("greater", "gt")
greater_equal = _ordering("greater_equal", "ge")


def isfinite(x: ArrayLike, /) -> Array:
    """Whether an element is neither infinite nor NaN."""
    x = wrap(lift(x))
    if x.dtype.kind == "c":
        return isfinite(lax.real(x)) & isfinite(lax.imag(x))
    return lax.is_finite(x) if x.dtype.is_inexact else constant(True, x.shape, bool_)


def isnan(x: ArrayLike, /) -> Array:
    """Whether an element is NaN."""
    x = wrap(lift(x))
    return lax.ne(x, x)


def isinf(x: ArrayLike, /) -> Array:
    """Whether an element is infinite; a complex one, in either part."""
    x = wrap(lift(x))
    if x.dtype.kind == "c":
        return isinf(lax.real(x)) | isinf(lax.imag(x))
    return lax.eq(lax.abs(x), like(inf, x)) if x.dtype.is_inexact else constant(False, x.shape, bool_)


def isposinf(x: ArrayLike, /, out: None = None) -> Array:
    """Whether an element is positive infinity."""
    refuse_out(out, "isposinf")
    x = wrap(lift(x))
    return lax.eq(x, like(inf, x)) if x.dtype.is_inexact else constant(False, x.shape, bool_)


def isneginf(x: ArrayLike, /, out: None = None) -> Array:
    """Whether an element is negative infinity."""
    refuse_out(out, "isneginf")
    x = wrap(lift(x))
    return lax.eq(x, like(-inf, x)) if x.dtype.is_inexact else constant(False, x.shape, bool_)


def signbit(x: ArrayLike, /) -> Array:
    """Whether the sign bit is set (that of -0.0 is)."""
    x = wrap(lift(x))
    if not x.dtype.is_inexact:
        return lax.lt(x, like(0, x)) if x.dtype.kind == "i" else constant(False, x.shape, bool_)
    bits = lax.bitcast_convert_type(x, f"int{x.dtype.bits}")
    return lax.lt(bits, like(0, bits))


def copysign(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The magnitude of x with the sign of y."""
    x, y = promote_arrays(x, y, inexact=True)
    return where(signbit(y), lax.neg(lax.abs(x)), lax.abs(x))


def nextafter(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The next floating number after x towards y."""
    return lax.nextafter(*promote_arrays(x, y, inexact=True))


def isclose(
    a: ArrayLike, b: ArrayLike, rtol: ArrayLike = 1e-05, atol: ArrayLike = 1e-08, equal_nan: bool = False
) -> Array:
    """Whether |a - b| <= atol + rtol |b|; infinities are close to themselves."""
    a, b = promote_arrays(a, b)
    if not a.dtype.is_inexact:
        rtol, atol = promote_arrays(rtol, atol)
        a, b = promote_arrays(a, b, inexact=True)
    near = less_equal(lax.abs(a - b), atol + rtol * lax.abs(b))
    close = where(isfinite(a) & isfinite(b), near, a == b)
    return close | (isnan(a) & isnan(b)) if equal_nan else close


# -- logic and bits


def _logical(name: str, op: type[ArrayOp]) -> Callable[..., Array]:
    def f(*xs: ArrayLike) -> Array:
        return wrap(op.bind(*spread([convert(lift(x), bool_) for x in xs])))

    return _named(f, name, op.__doc__)


logical_and = _logical("logical_and", ops.AndOp)
logical_or = _logical("logical_or", ops.OrOp)
logical_xor = _logical("logical_xor", ops.XorOp)
logical_not = _logical("logical_not", ops.NotOp)

bitwise_and = _binary("bitwise_and", ops.AndOp)
bitwise_or = _binary("bitwise_or", ops.OrOp)
bitwise_xor = _binary("bitwise_xor", ops.XorOp)
bitwise_not = bitwise_invert = invert = _unary("bitwise_not", ops.NotOp)
left_shift = bitwise_left_shift = _binary("left_shift", ops.ShiftLeftOp)


def right_shift(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The bits shifted right: zeros come in, or copies of the sign bit for signed integers."""
    x, y = promote_arrays(x, y)
    return (lax.shift_right_logical if x.dtype.kind == "u" else lax.shift_right_arithmetic)(x, y)


def bitwise_count(x: ArrayLike, /) -> Array:
    """How many bits of the absolute value are set, as uint8."""
    node = lift(x)
    magnitude = ops.AbsOp.bind(node) if node.dtype.kind == "i" else node
    return wrap(convert(ops.PopulationCountOp.bind(magnitude), uint8))


bitwise_right_shift = right_shift

# -- choices


def where(
    condition: ArrayLike,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    /,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """x where the condition holds, else y. With the condition alone: the indices where it holds (`nonzero`, which takes `size` and `fill_value`)."""
    if x is None and y is None:
        from weft.numpy.selection import nonzero

        return nonzero(condition, size=size, fill_value=fill_value)
    if size is not None or fill_value is not None:
        raise ValueError("size and fill_value arguments cannot be used in three-term where function.")
    if x is None or y is None:
        raise ValueError("Either both or neither of the x and y arguments should be provided to where, got one.")
    return wrap(ops.SelectOp.bind(*_where_operands(condition, x, y)))


def _where_operands(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> list[Any]:
    return spread([convert(lift(condition), bool_), *promote(x, y)])


def select(condlist: Any, choicelist: Any, default: ArrayLike = 0) -> Array:
    """The element of the first choice whose condition holds, else the default."""
    if len(condlist) != len(choicelist):
        raise ValueError(f"condlist must have length equal to choicelist ({len(condlist)} vs {len(choicelist)})")
    if not condlist:
        raise ValueError("condlist must be non-empty")
    out: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = where(condition, choice, out)
    return out


def nan_to_num(
    x: ArrayLike,
    copy: bool = True,
    nan: ArrayLike = 0.0,
    posinf: ArrayLike | None = None,
    neginf: ArrayLike | None = None,
) -> Array:
    """NaN replaced by `nan`, infinities by the greatest and least finite numbers, or what is given."""
    from weft.numpy.dtypes import finfo

    x = wrap(lift(x))
    if not x.dtype.is_inexact:
        return x
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


def real(x: ArrayLike, /) -> Array:
    """The real part."""
    node = lift(x)
    return wrap(ops.RealOp.bind(node) if node.dtype.kind == "c" else node)


def imag(x: ArrayLike, /) -> Array:
    """The imaginary part: zeros of a real array."""
    node = lift(x)
    return wrap(ops.ImagOp.bind(node)) if node.dtype.kind == "c" else lax.full_like(x, 0)


def conjugate(x: ArrayLike, /) -> Array:
    """The complex conjugate; a real array itself."""
    node = lift(x)
    return wrap(ops.ConjOp.bind(node) if node.dtype.kind == "c" else node)


conj = conjugate


def angle(z: ArrayLike, deg: bool = False) -> Array:
    """The angle of complex numbers, in radians or degrees."""
    (z,) = promote_arrays(z, inexact=True)
    found = lax.atan2(imag(z), real(z))
    found = wrap(convert(found._node, found.dtype))
    return rad2deg(found) if deg else found


def iscomplexobj(x: Any) -> bool:
    """Whether an array, a number or a dtype is of a complex type."""
    return lift(x).dtype.kind == "c"


def isrealobj(x: Any) -> bool:
    """Whether it is of no complex type."""
    return not iscomplexobj(x)


def iscomplex(x: ArrayLike) -> Array:
    """Whether an element has an imaginary part."""
    return lax.ne(imag(x), like(0, imag(x)))


def isreal(x: ArrayLike) -> Array:
    """Whether an element has no imaginary part."""
    return lax.eq(imag(x), like(0, imag(x)))

"""NumPy's functions of truth: comparison, what kind of number an element is, logic and bits, choices between elements, the parts of complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.op import ArrayOp
from weft.dialects.dtypes import bool_, uint8
from weft.lax.base import ArrayLike, constant, convert, refuse_out
from weft.lax.shape import broadcast_shapes
from weft.numpy.dtypes import result_type
from weft.numpy.promotion import (
    binary,
    like,
    named,
    promote,
    promote_arrays,
    promote_numbers,
    same_dtype,
    spread,
    unary,
)

__all__ = [
    "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "conj", "conjugate", "copysign", "equal", "greater", "greater_equal",
    "imag", "invert", "isclose", "iscomplex", "iscomplexobj", "isfinite", "isinf", "isnan", "isneginf", "isposinf",
    "isreal", "isrealobj", "left_shift", "less", "less_equal", "logical_and", "logical_not", "logical_or",
    "logical_xor", "nextafter", "not_equal", "real", "right_shift", "select", "signbit", "where",
]  # fmt: skip

# -- comparison

equal = binary("equal", ops.CompareOp, direction="eq")
not_equal = binary("not_equal", ops.CompareOp, direction="ne")


def _ordering(name: str, direction: str) -> Callable[[ArrayLike, ArrayLike], Array]:
    def f(x: ArrayLike, y: ArrayLike, /) -> Array:
        x, y = promote(x, y)
        if x.dtype.kind != "c":
            return wrap(ops.CompareOp.bind(x, y, direction=direction))
        parts = [[op.bind(v) for v in (x, y)] for op in (ops.RealOp, ops.ImagOp)]
        by_real, by_imag = (ops.CompareOp.bind(*p, direction=direction) for p in parts)
        return wrap(ops.SelectOp.bind(ops.CompareOp.bind(*parts[0], direction="eq"), by_imag, by_real))

    return named(
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


def _ordered(x: ArrayLike) -> Array:
    x = wrap(lift(x))
    if x.dtype.kind == "c":
        raise ValueError("isposinf/isneginf are not well defined for complex types")
    return x


def isposinf(x: ArrayLike, /, out: None = None) -> Array:
    """Whether an element is positive infinity."""
    refuse_out(out, "isposinf")
    x = _ordered(x)
    return lax.eq(x, like(inf, x)) if x.dtype.is_inexact else constant(False, x.shape, bool_)


def isneginf(x: ArrayLike, /, out: None = None) -> Array:
    """Whether an element is negative infinity."""
    refuse_out(out, "isneginf")
    x = _ordered(x)
    return lax.eq(x, like(-inf, x)) if x.dtype.is_inexact else constant(False, x.shape, bool_)


def signbit(x: ArrayLike, /) -> Array:
    """Whether the sign bit is set (that of -0.0 is)."""
    x = wrap(lift(x))
    if not x.dtype.is_inexact:
        return lax.lt(x, like(0, x)) if x.dtype.kind == "i" else constant(False, x.shape, bool_)
    if x.dtype.kind == "c":
        raise ValueError(f"signbit is not well defined for {x.dtype}")
    bits = lax.bitcast_convert_type(x, f"int{x.dtype.bits}")
    return lax.lt(bits, like(0, bits))


def copysign(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The magnitude of x with the sign of y."""
    x, y = promote_arrays(x, y, inexact=True)
    if x.dtype.kind == "c":
        raise TypeError("copysign does not support complex-valued inputs")
    found = where(signbit(y), lax.neg(lax.abs(x)), lax.abs(x))
    return wrap(convert(found._node, x.dtype, x.weak_type and y.weak_type))


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
    def f(x: ArrayLike, y: ArrayLike, /) -> Array:
        return wrap(op.bind(*spread([convert(lift(v), bool_) for v in (x, y)])))

    return named(f, name, op.__doc__)


logical_and = _logical("logical_and", ops.AndOp)
logical_or = _logical("logical_or", ops.OrOp)
logical_xor = _logical("logical_xor", ops.XorOp)


def logical_not(x: ArrayLike, /) -> Array:
    """Whether an element is zero."""
    return wrap(ops.NotOp.bind(convert(lift(x), bool_)))


bitwise_and = binary("bitwise_and", ops.AndOp)
bitwise_or = binary("bitwise_or", ops.OrOp)
bitwise_xor = binary("bitwise_xor", ops.XorOp)
bitwise_not = bitwise_invert = invert = unary("bitwise_not", ops.NotOp)


def left_shift(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The bits shifted left; zeros come in."""
    return lax.shift_left(*promote_numbers(x, y))


bitwise_left_shift = left_shift


def right_shift(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The bits shifted right: zeros come in, or copies of the sign bit for signed integers."""
    x, y = promote_numbers(x, y)
    return (lax.shift_right_logical if x.dtype.kind == "u" else lax.shift_right_arithmetic)(x, y)


def bitwise_count(x: ArrayLike, /) -> Array:
    """How many bits of the absolute value are set, as uint8."""
    node = lift(x)
    if node.dtype is bool_:
        return wrap(convert(node, uint8))
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
        raise TypeError(
            f"Either both or neither of the x and y arguments should be provided to where, got None for {'x' if x is None else 'y'}."
        )
    return wrap(ops.SelectOp.bind(*_where_operands(condition, x, y)))


def _where_operands(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> list[Any]:
    nodes = [convert(lift(condition), bool_), *same_dtype(x, y)]
    broadcast_shapes(*(n.shape for n in nodes))  # raises ValueError, whatever the ranks
    return spread(nodes)


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


# -- parts of complex numbers


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


def iscomplexobj(x: Any) -> bool:
    """Whether an array, a number or a dtype is of a complex type. None is of none."""
    return x is not None and result_type(x).kind == "c"


def isrealobj(x: Any) -> bool:
    """Whether it is of no complex type."""
    return not iscomplexobj(x)


def iscomplex(x: ArrayLike) -> Array:
    """Whether an element has an imaginary part."""
    return lax.ne(imag(x), like(0, imag(x)))


def isreal(x: ArrayLike) -> Array:
    """Whether an element has no imaginary part."""
    return lax.eq(imag(x), like(0, imag(x)))

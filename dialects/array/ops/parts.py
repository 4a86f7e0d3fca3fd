"""Complex functions written with real ones: the formulas of the `on_parts` rules.

No device computes complex numbers. The pass `array-split-complex` replaces each by its `Parts`, and asks each op that meets one for its `on_parts` rule; those of elementwise
ops are `by_parts(formula)` of what stands here. The formulas keep to the branch cuts of C99 and NumPy (the sign of a zero decides on which side of a cut a number lies), and scale
where squares would overflow. Methods: quotients by R. Smith (CACM 5, 1962), the inverse functions and `tanh` by W. Kahan ("Branch cuts for complex elementary functions", 1987).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp as exp_of
from math import inf, pi
from math import log as ln
from typing import Any

from weft.dialects.array import ops
from weft.dialects.array.node import Node
from weft.dialects.array.op import Parts
from weft.dialects.array.ops.algebra import (
    absolute,
    atan2,
    bitcast,
    compare,
    cos,
    cosh,
    div,
    exp,
    expm1,
    is_finite,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    mul,
    neg,
    pad,
    plus,
    reshape,
    sin,
    sinh,
    slice_axis,
    sqrt,
    square,
    sub,
    tan,
    where,
)
from weft.dialects.dtypes import as_dtype


def by_parts(formula: Callable[..., Any]) -> Any:
    """An `on_parts` rule that is a formula."""
    return classmethod(lambda cls, *operands, **params: formula(*operands, **params))


def tree_product(z: Parts, axes: Sequence[int]) -> Parts:
    """The product over axes that are not empty, by halves: half of the elements times the other half, until one is left."""
    for axis in axes:
        while (n := z.re.shape[axis]) != 1:
            if n % 2:
                ends = [int(k == axis) for k in range(z.re.ndim)]
                z = Parts(*(pad(v, one, [0] * v.ndim, ends) for v, one in zip(z, (1.0, 0.0), strict=True)))
            half = (n + 1) // 2
            first, second = (Parts(*(slice_axis(v, axis, k, k + half) for v in z)) for k in (0, half))
            z = product(first, second)
    kept = tuple(n for k, n in enumerate(z.re.shape) if k not in axes)
    return Parts(*(reshape(v, kept) for v in z))


# -- arithmetic -------------------------------------------------------------------------------------------------------


def product(x: Parts, y: Parts) -> Parts:
    """x * y."""
    return Parts(
        sub(mul(x.re, y.re), mul(x.im, y.im)),
        plus(mul(x.re, y.im), mul(x.im, y.re)),
    )


def quotient(x: Parts, y: Parts) -> Parts:
    """x / y, by the ratio of the smaller part of y to the greater: nothing overflows that need not. Over 0, each part by itself."""
    flat = compare(absolute(y.re), "ge", absolute(y.im))
    zero = logical_and(compare(y.re, "eq", 0.0), compare(y.im, "eq", 0.0))
    large, small = where(flat, y.re, y.im), where(flat, y.im, y.re)
    ratio = div(small, large)
    scale = where(zero, inf, div(1.0, plus(large, mul(small, ratio))))
    a, b = where(flat, x.re, x.im), where(flat, x.im, x.re)
    re, im = where(zero, a, plus(a, mul(b, ratio))), where(zero, b, sub(b, mul(a, ratio)))
    re, im = mul(re, scale), mul(im, scale)
    return Parts(re, where(flat, im, neg(im)))


def modulus(z: Parts) -> Node:
    """|z|, infinite if either part is."""
    x, y = absolute(z.re), absolute(z.im)
    large, small = maximum(x, y), minimum(x, y)
    ratio = div(small, where(compare(large, "eq", 0.0), 1.0, large))
    infinite = logical_or(compare(x, "eq", inf), compare(y, "eq", inf))
    return where(infinite, inf, mul(large, sqrt(plus(square(ratio), 1.0))))


def sign(z: Parts) -> Parts:
    """z / |z|, 0 at 0."""
    size = modulus(z)
    size = where(compare(size, "eq", 0.0), 1.0, size)
    return Parts(div(z.re, size), div(z.im, size))


def equal(x: Parts, y: Parts, *, direction: str) -> Node:
    """Whether both parts are equal (or either is not)."""
    join = logical_and if direction == "eq" else logical_or
    return join(compare(x.re, direction, y.re), compare(x.im, direction, y.im))


def extreme(direction: str) -> Callable[[Parts, Parts], Parts]:
    """The greater or the lesser, by the real parts, by the imaginary ones where they are equal."""

    def choose(x: Parts, y: Parts) -> Parts:
        same = compare(x.re, "eq", y.re)
        first = ops.SelectOp.bind(same, compare(x.im, direction, y.im), compare(x.re, direction, y.re))
        return Parts(where(first, x.re, y.re), where(first, x.im, y.im))

    return choose


def whole_power(z: Parts, *, y: int) -> Parts:
    """z to the power of an integer, by repeated squaring."""
    power, square_, rest = None, z, abs(y)
    while rest:
        if rest & 1:
            power = square_ if power is None else product(power, square_)
        if rest := rest >> 1:
            square_ = product(square_, square_)
    one = _number(z, 1.0, 0.0)
    return one if power is None else quotient(one, power) if y < 0 else power


def power(x: Parts, y: Parts) -> Parts:
    """exp(y log x); 0 to a power of positive real part is 0, anything to the power of 0 is 1."""
    found = exponential(product(y, logarithm(x)))
    nothing = logical_and(compare(x.re, "eq", 0.0), compare(x.im, "eq", 0.0))
    none = logical_and(compare(y.re, "eq", 0.0), compare(y.im, "eq", 0.0))
    vanishes = logical_and(nothing, compare(y.re, "gt", 0.0))
    re = where(none, 1.0, where(vanishes, 0.0, found.re))
    return Parts(re, where(logical_or(none, vanishes), 0.0, found.im))


def _number(z: Parts, re: float, im: float) -> Parts:
    """A number, once for each element of z."""
    return Parts(*(ops.ConstantOp.bind(value=v, shape=z.re.shape, dtype=z.re.dtype) for v in (re, im)))


def times_i(z: Parts) -> Parts:
    """i z."""
    return Parts(neg(z.im), z.re)


def over_i(z: Parts) -> Parts:
    """-i z."""
    return Parts(z.im, neg(z.re))


# -- exponentials and logarithms --------------------------------------------------------------------------------------


def _copysign(x: Node | float, y: Node) -> Node:
    """|x| with the sign of y, of a zero too."""
    negative = compare(bitcast(y, as_dtype(f"int{y.dtype.bits}")), "lt", 0)
    size = absolute(x) if isinstance(x, Node) else x
    return where(negative, neg(size) if isinstance(size, Node) else -size, size, like=y)


def exponential(z: Parts) -> Parts:
    """e^z; real for a zero imaginary part; of an infinite size or of none at ±inf, whatever the angle is. Near the end of the range in two steps, for a small cosine may bring back what overflows."""
    near_end = compare(z.re, "gt", 709.0 if z.re.dtype.bits == 64 else 88.0)
    size, rest = exp(sub(z.re, where(near_end, 3.0, 0.0, like=z.re))), where(near_end, exp_of(3.0), 1.0, like=z.re)
    real_, turning = compare(z.im, "eq", 0.0), logical_not(is_finite(z.im))
    endless, gone = (logical_and(turning, compare(x, "eq", inf)) for x in (absolute(z.re), neg(z.re)))
    re = mul(mul(size, where(logical_or(real_, endless), 1.0, cos(z.im))), rest)
    im = where(real_, z.im, mul(mul(size, where(gone, 1.0, sin(z.im))), rest))
    return Parts(re, im)


def exponential2(z: Parts) -> Parts:
    """2^z."""
    return exponential(Parts(mul(z.re, ln(2.0)), mul(z.im, ln(2.0))))


def exponential_minus_1(z: Parts) -> Parts:
    """e^z - 1, exact near 0."""
    grown, half = exponential(z), sin(mul(z.im, 0.5))
    near = sub(plus(mul(expm1(z.re), cos(z.im)), 0.0), mul(square(half), 2.0))  # 1 - 1 is 0, not -0
    return Parts(where(compare(absolute(z.re), "eq", inf), sub(grown.re, 1.0), near), grown.im)


def logarithm(z: Parts) -> Parts:
    """log |z| and the angle. Near the unit circle by log1p of what |z|^2 differs from 1."""
    x, y = absolute(z.re), absolute(z.im)
    large, small = maximum(x, y), minimum(x, y)
    size = modulus(z)
    near = logical_and(compare(size, "gt", 0.5), compare(size, "lt", 2.0))
    excess = plus(mul(sub(large, 1.0), plus(large, 1.0)), square(small))
    re = where(near, mul(log1p(where(near, excess, 0.0)), 0.5), log(size))
    return Parts(re, atan2(z.im, z.re))


def logarithm2(z: Parts) -> Parts:
    """The logarithm to base 2."""
    found = logarithm(z)
    return Parts(*(mul(v, 1.0 / ln(2.0)) for v in found))


def logarithm_1_plus(z: Parts) -> Parts:
    """log(1 + z), exact near 0."""
    near = compare(modulus(z), "lt", 0.5)
    excess = plus(mul(z.re, plus(z.re, 2.0)), square(z.im))
    far = Parts(plus(z.re, 1.0), z.im)
    re = where(near, mul(log1p(where(near, excess, 0.0)), 0.5), log(modulus(far)))
    return Parts(re, atan2(z.im, far.re))


def root(z: Parts) -> Parts:
    """The square root with a real part that is not negative."""
    size = sqrt(plus(mul(absolute(z.re), 0.5), mul(modulus(z), 0.5)))
    other = div(mul(z.im, 0.5), where(compare(size, "eq", 0.0), 1.0, size))
    right = compare(z.re, "ge", 0.0)
    re, im = where(right, size, absolute(other)), where(right, other, _copysign(size, z.im))
    endless = compare(absolute(z.im), "eq", inf)
    zero = compare(size, "eq", 0.0)
    return Parts(where(endless, inf, re), where(logical_or(endless, zero), z.im, im))


def reciprocal_root(z: Parts) -> Parts:
    """1 over the square root."""
    return quotient(_number(z, 1.0, 0.0), root(z))


def logistic(z: Parts) -> Parts:
    """1 / (1 + e^-z)."""
    grown = exponential(Parts(neg(z.re), neg(z.im)))
    return quotient(_number(z, 1.0, 0.0), Parts(plus(grown.re, 1.0), grown.im))


# -- trigonometry -----------------------------------------------------------------------------------------------------


def sine(z: Parts) -> Parts:
    """sin a cosh b + i cos a sinh b."""
    return over_i(hyperbolic_sine(times_i(z)))


def cosine(z: Parts) -> Parts:
    """cos a cosh b - i sin a sinh b."""
    return hyperbolic_cosine(times_i(z))


def tangent(z: Parts) -> Parts:
    """-i tanh(iz)."""
    return over_i(hyperbolic_tangent(times_i(z)))


def hyperbolic_sine(z: Parts) -> Parts:
    """sinh a cos b + i cosh a sin b. A real part of 0 or infinity remains, whatever the angle is."""
    flat, turning = compare(z.im, "eq", 0.0), logical_not(is_finite(z.im))
    ends = logical_or(compare(z.re, "eq", 0.0), compare(absolute(z.re), "eq", inf))
    re = mul(sinh(z.re), where(logical_or(flat, logical_and(turning, ends)), 1.0, cos(z.im)))
    return Parts(re, where(flat, z.im, mul(cosh(z.re), sin(z.im))))


def hyperbolic_cosine(z: Parts) -> Parts:
    """cosh a cos b + i sinh a sin b."""
    flat, upright = compare(z.im, "eq", 0.0), compare(z.re, "eq", 0.0)
    im = where(logical_or(flat, upright), mul(_copysign(1.0, z.re), _copysign(0.0, z.im)), mul(sinh(z.re), sin(z.im)))
    endless = logical_and(logical_not(is_finite(z.im)), compare(absolute(z.re), "eq", inf))
    return Parts(mul(cosh(z.re), where(logical_or(flat, endless), 1.0, cos(z.im))), im)


def hyperbolic_tangent(z: Parts) -> Parts:
    """By t = tan b and s = sinh a, without cancellation; for a large real part ±1 and what is left of the imaginary part."""
    far = compare(absolute(z.re), "gt", 12.0 if z.re.dtype.bits == 32 else 22.0)
    a = where(far, 0.0, z.re)
    t, s = tan(z.im), sinh(a)
    spread, rho = plus(square(t), 1.0), cosh(a)
    below = plus(mul(spread, square(s)), 1.0)
    pole = compare(absolute(t), "eq", inf)
    re = where(pole, div(rho, s), div(mul(mul(spread, rho), s), below))
    im = where(pole, 0.0, div(t, below))
    faded = mul(mul(sin(z.im), cos(z.im)), mul(exp(mul(absolute(z.re), -2.0)), 4.0))
    faded = where(compare(absolute(z.re), "eq", inf), _copysign(0.0, z.im), faded)
    settled = logical_and(far, compare(faded, "eq", faded))  # not of an infinite angle, whose tanh is NaN in both parts
    re = where(settled, _copysign(1.0, z.re), where(compare(z.re, "eq", 0.0), z.re, re))
    return Parts(re, where(compare(z.im, "eq", 0.0), z.im, where(far, faded, im)))


def _roots(z: Parts) -> tuple[Parts, Parts]:
    """sqrt(1 - z), sqrt(1 + z)."""
    return root(Parts(sub(1.0, z.re), neg(z.im))), root(Parts(plus(z.re, 1.0), z.im))


def _cross(x: Parts, y: Parts) -> Node:
    """The imaginary part of conj(x) y."""
    return sub(mul(x.re, y.im), mul(x.im, y.re))


def _endless(z: Parts) -> Node:
    """Where either part is infinite: what is left of an inverse function is an angle and an infinite size."""
    return logical_or(*(compare(absolute(x), "eq", inf) for x in z))


def arc_sine(z: Parts) -> Parts:
    """The principal inverse of sin; imaginary on the imaginary axis."""
    minus, more = _roots(z)
    endless, upright = _endless(z), compare(z.re, "eq", 0.0)
    angle = atan2(z.re, where(endless, absolute(z.im), sub(mul(minus.re, more.re), mul(minus.im, more.im))))
    size = where(endless, _copysign(inf, z.im), _asinh(_cross(minus, more)))
    return Parts(where(upright, z.re, angle), size)


def arc_cosine(z: Parts) -> Parts:
    """The principal inverse of cos; pi/2 and an imaginary number on the imaginary axis."""
    minus, more = _roots(z)
    endless, upright = _endless(z), compare(z.re, "eq", 0.0)
    angle = where(endless, atan2(absolute(z.im), z.re), mul(atan2(minus.re, more.re), 2.0))
    size = where(endless, _copysign(inf, neg(z.im)), _asinh(_cross(more, minus)))
    return Parts(where(upright, pi / 2, angle), size)


def arc_hyperbolic_cosine(z: Parts) -> Parts:
    """The principal inverse of cosh, with a real part that is not negative."""
    minus, more = root(Parts(sub(z.re, 1.0), z.im)), root(Parts(plus(z.re, 1.0), z.im))
    endless, upright = _endless(z), compare(z.re, "eq", 0.0)
    size = where(endless, inf, _asinh(plus(mul(minus.re, more.re), mul(minus.im, more.im))))
    angle = where(endless, atan2(z.im, z.re), mul(atan2(minus.im, more.re), 2.0))
    return Parts(size, where(upright, _copysign(pi / 2, z.im), angle))


def arc_hyperbolic_sine(z: Parts) -> Parts:
    """The principal inverse of sinh: i asin(-iz)."""
    return times_i(arc_sine(over_i(z)))


def arc_hyperbolic_tangent(z: Parts) -> Parts:
    """The principal inverse of tanh. Beyond a large modulus 1/z is what is left, and a right angle."""
    size = modulus(z)
    far = compare(size, "gt", 1e15 if z.re.dtype.bits == 64 else 1e7)
    x, y = where(far, 0.0, z.re), where(far, 0.0, z.im)
    distance = plus(square(sub(1.0, absolute(x))), square(y))
    re = mul(log1p(div(mul(absolute(x), 4.0), distance)), 0.25)
    im = mul(atan2(mul(y, 2.0), sub(mul(sub(1.0, x), plus(x, 1.0)), square(y))), 0.5)
    away = quotient(_number(z, 1.0, 0.0), Parts(where(far, z.re, 1.0), where(far, z.im, 1.0)))
    away_re = where(compare(size, "eq", inf), 0.0, absolute(away.re))
    im = where(compare(z.im, "ne", z.im), z.im, where(far, _copysign(pi / 2, z.im), im))
    upright = compare(z.re, "eq", 0.0)
    return Parts(where(upright, z.re, _copysign(where(far, away_re, re), z.re)), im)


def arc_tangent(z: Parts) -> Parts:
    """The principal inverse of tan: -i atanh(iz)."""
    return over_i(arc_hyperbolic_tangent(times_i(z)))


def _asinh(x: Node) -> Node:
    return ops.AsinhOp.bind(x)

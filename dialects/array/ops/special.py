"""Special functions: the error function and its kin, the gamma function's logarithm and its derivatives, the logistic.

`erf` is an op of upstream's `math`; the others are decomposed into primitives. Methods: `erfc` is the rational
approximation of Cephes (S. Moshier, ndtr.c and ndtrf.c); `erf_inv` is M. Giles' polynomial in log(1 - x^2)
("Approximating the erfinv function", GPU Computing Gems 2), with Halley's steps behind it in float64; `lgamma` is
Lanczos' sum with g = 7 and nine coefficients (as W. Press et al., Numerical Recipes), below 1/2 by the reflection
formula; `digamma` and `trigamma` climb by their recurrences to where the asymptotic series of Abramowitz & Stegun
6.3.18 and 6.4.12 holds.
"""

from __future__ import annotations

import math as python_math
from collections.abc import Callable, Sequence
from math import inf, nan, pi
from math import log as ln
from math import sqrt as root
from typing import Any, ClassVar

from xdsl.dialects import arith, math
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition

from weft.dialects.array.node import Node
from weft.dialects.array.op import FLOATING, INEXACT, Unary, elementwise_jvp, literal, scalar
from weft.dialects.array.ops import parts
from weft.dialects.array.ops.algebra import (
    absolute,
    compare,
    convert,
    cos,
    digamma,
    div,
    erf,
    erfc,
    exp,
    floor,
    is_finite,
    log,
    log1p,
    mul,
    neg,
    plus,
    polynomial,
    sin,
    sqrt,
    square,
    sub,
    where,
)
from weft.dialects.dtypes import float32, float64


def in_float32(formula: Callable[[Node], Node]) -> Any:
    """A `decompose` of one operand that computes 16-bit floats in float32."""

    def decompose(cls: type, x: Node) -> Node:
        return formula(x) if x.dtype.bits >= 32 else convert(formula(convert(x, float32)), x.dtype)

    return classmethod(decompose)


def by_element(np: Any, function: Callable[[float], float], x: Any) -> Any:
    """A function of Python floats on every element; NaN where it is not defined."""

    def total(v: float) -> float:
        try:
            return function(v)
        except (ValueError, OverflowError, ZeroDivisionError):
            return nan

    return np.array([total(float(v)) for v in x.ravel()], dtype=np.float64).reshape(x.shape).astype(x.dtype)


@irdl_op_definition
class ErfOp(Unary):
    """The error function.

    %y = array.erf %x : tensor<4x8xf32>

    JAX: `lax.erf`.
    """

    name = "array.erf"
    DTYPES: ClassVar = FLOATING

    jvp = elementwise_jvp(lambda x, out: mul(exp(neg(square(x))), 2.0 / root(pi)))
    reference = staticmethod(lambda np, x: by_element(np, python_math.erf, x))
    to_kernel = scalar(math.ErfOp)


# Cephes: for |x| in [1, 8) as P/Q and beyond as R/S in double precision; in single precision as polynomials in 1/x^2 for |x| in [1, 2) and beyond.
_ERFC_64 = (
    (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687, 48.6371970985681366614,
     196.520832956077098242, 526.445194995477358631, 934.528527171957607540, 1027.55188689515710272, 557.535335369399327526),
    (1.0, 13.2281951154744992508, 86.7072140885989742329, 354.937778887819891062, 975.708501743205489753,
     1823.90916687909736289, 2246.33760818710981792, 1656.66309194161350182, 557.535340817727675546),
    (5.64189583547755073984e-1, 1.27536670759978104416, 5.01905042251180477414, 6.16021097993053585195,
     7.40974269950448939160, 2.97886665372100240670),
    (1.0, 2.26052863220117276590, 9.39603524938001434673, 12.0489539808096656605, 17.0814450747565897222,
     9.60896809063285878198, 3.36907645100081516050),
)  # fmt: skip
_ERFC_32 = (
    (2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1, 6.210004621745983e-1,
     -4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1, 5.638259427386472e-1),
    (-10.47766399936249, 12.97719955372516, -7.495518717768503, 2.921019019210786, -1.015265279202700,
     4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1),
)  # fmt: skip


def _erfc(x: Node) -> Node:
    a = absolute(x)
    far = compare(a, "ge", 1.0)
    z = where(far, a, 1.0)  # what the tail is computed of
    if x.dtype is float64:
        p, q, r, s = (polynomial(z, c) for c in _ERFC_64)
        ratio = where(compare(z, "lt", 8.0), div(p, q), div(r, s))
    else:
        y = div(1.0, square(z))
        p, r = (polynomial(y, c) for c in _ERFC_32)
        ratio = div(where(compare(z, "lt", 2.0), p, r), z)
    tail = exp(neg(square(z)))
    tail = where(compare(tail, "eq", 0.0), 0.0, mul(tail, ratio))  # the ratio overflows to NaN where nothing is left
    tail = where(compare(x, "lt", 0.0), sub(2.0, tail), tail)
    return where(far, tail, sub(1.0, erf(x)))


@irdl_op_definition
class ErfcOp(Unary):
    """1 - erf(x), exact in the tail.

    %y = array.erfc %x : tensor<4x8xf32>

    JAX: `lax.erfc`.
    """

    name = "array.erfc"
    DTYPES: ClassVar = FLOATING

    jvp = elementwise_jvp(lambda x, out: mul(exp(neg(square(x))), -2.0 / root(pi)))
    reference = staticmethod(lambda np, x: by_element(np, python_math.erfc, x))
    decompose = in_float32(_erfc)


# Giles' two polynomials, in w - 2.5 for w < 5 and in sqrt(w) - 3 beyond, w = -log(1 - x^2).
_ERF_INV = (
    (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
     0.246640727, 1.50140941),
    (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
     1.00167406, 2.83297682),
)  # fmt: skip


def _erf_inv(x: Node) -> Node:
    w = neg(log1p(neg(square(x))))
    near = compare(w, "lt", 5.0)
    z = where(near, sub(w, 2.5), sub(sqrt(w), 3.0))
    y = mul(where(near, polynomial(z, _ERF_INV[0]), polynomial(z, _ERF_INV[1])), x)
    if x.dtype is float64:  # the polynomials end where float32 does: beyond, erfc(y) is about exp(-y^2) / (y sqrt(pi))
        tail = sqrt(sub(plus(w, ln(2.0 / root(pi))), mul(log(w), 0.5)))
        y = where(compare(w, "gt", 16.0), where(compare(x, "lt", 0.0), neg(tail), tail), y)
        for _ in range(3):  # Halley: the second derivative of erf is -2y times the first
            a = absolute(y)
            error = where(compare(a, "lt", 0.5), sub(erf(a), absolute(x)), sub(sub(1.0, absolute(x)), erfc(a)))
            step = div(error, mul(exp(neg(square(a))), 2.0 / root(pi)))
            a = sub(a, div(step, plus(mul(a, step), 1.0)))
            y = where(compare(x, "lt", 0.0), neg(a), a)
    edge = compare(absolute(x), "eq", 1.0)
    return where(edge, mul(x, inf), y)


def _erf_inv_element(y: float) -> float:
    """By bisection, of erfc where erf is near 1."""
    if not 1e-8 < abs(y) < 1.0:
        return y * inf if abs(y) == 1.0 else y * (root(pi) / 2.0) if abs(y) < 1.0 else nan
    target = 1.0 - abs(y)
    low, high = 0.0, 7.0
    for _ in range(80):
        middle = (low + high) / 2
        value = python_math.erfc(middle) - target if middle > 0.5 else abs(y) - python_math.erf(middle)
        low, high = (middle, high) if value > 0 else (low, middle)
    return python_math.copysign((low + high) / 2, y)


@irdl_op_definition
class ErfInvOp(Unary):
    """The inverse of the error function; infinite at -1 and 1, NaN outside.

    %y = array.erf_inv %x : tensor<4x8xf32>

    JAX: `lax.erf_inv`.
    """

    name = "array.erf_inv"
    DTYPES: ClassVar = FLOATING

    jvp = elementwise_jvp(lambda x, out: mul(exp(square(out)), root(pi) / 2.0))
    reference = staticmethod(lambda np, x: by_element(np, _erf_inv_element, x))
    decompose = in_float32(_erf_inv)


_LANCZOS = (
    676.520368121885098567009190444019, -1259.13921672240287047156078755283, 771.3234287776530788486528258894,
    -176.61502916214059904584551354, 12.507343278686904814458936853, -0.13857109526572011689554707,
    9.984369578019570859563e-6, 1.50563273514931155834e-7,
)  # fmt: skip


def _lgamma(x: Node) -> Node:
    reflect = compare(x, "lt", 0.5)
    z = where(reflect, neg(x), sub(x, 1.0))
    series = literal(0.99999999999980993227684700473478, x)
    for k, c in enumerate(_LANCZOS, 1):
        series = plus(series, div(c, plus(z, float(k))))
    log_t = plus(log1p(div(z, 7.5)), ln(7.5))  # of t = z + 7.5
    above = mul(sub(plus(z, 0.5), div(plus(z, 7.5), log_t)), log_t)
    above = plus(plus(above, ln(root(2.0 * pi))), log(series))
    fraction = sub(absolute(x), floor(absolute(x)))
    fraction = where(compare(fraction, "gt", 0.5), sub(1.0, fraction), fraction)  # sin(pi x) without its period
    log_sine = log(sin(mul(fraction, pi)))
    below = where(is_finite(log_sine), sub(sub(ln(pi), log_sine), above), neg(log_sine))
    result = where(reflect, below, above)
    return where(compare(absolute(x), "eq", inf), inf, result)


def _lgamma_element(x: float) -> float:
    pole = python_math.isinf(x) or (x <= 0.0 and x == python_math.floor(x))
    return inf if pole else python_math.lgamma(x)


@irdl_op_definition
class LgammaOp(Unary):
    """The logarithm of the absolute value of the gamma function.

    %y = array.lgamma %x : tensor<4x8xf32>

    JAX: `lax.lgamma`.
    """

    name = "array.lgamma"
    DTYPES: ClassVar = FLOATING

    jvp = elementwise_jvp(lambda x, out: digamma(x))
    reference = staticmethod(lambda np, x: by_element(np, _lgamma_element, x))
    decompose = in_float32(_lgamma)


# The asymptotic series holds from here on; its terms are B_2k / 2k (digamma) and B_2k (trigamma), the highest first.
_CLIMB = 8
_DIGAMMA = (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)
_TRIGAMMA = (7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6)


def _digamma(x: Node) -> Node:
    reflect = compare(x, "lt", 0.5)
    z = where(reflect, sub(1.0, x), x)
    climbed = div(1.0, z)
    for k in range(1, _CLIMB):
        climbed = plus(climbed, div(1.0, plus(z, float(k))))
    y = plus(z, float(_CLIMB))
    inverse = div(1.0, square(y))
    above = sub(sub(log(y), div(0.5, y)), mul(inverse, polynomial(inverse, _DIGAMMA)))
    above = where(compare(z, "eq", inf), inf, sub(above, climbed))
    fraction = sub(x, floor(plus(x, 0.5)))  # tan(pi x) without its period, where floats are exact
    cotangent = div(cos(mul(fraction, pi)), sin(mul(fraction, pi)))
    below = where(compare(fraction, "eq", 0.0), nan, sub(above, mul(cotangent, pi)))
    return where(reflect, below, above)


def _digamma_element(x: float) -> float:
    if x <= 0.0 and x == python_math.floor(x):
        return nan
    if x < 0.5:
        return _digamma_element(1.0 - x) - pi / python_math.tan(pi * (x - python_math.floor(x + 0.5)))
    climbed = 0.0
    while x < 12.0:
        climbed, x = climbed + 1.0 / x, x + 1.0
    square = 1.0 / (x * x)
    series = 0.0
    for c in _DIGAMMA:
        series = series * square + c
    return python_math.log(x) - 0.5 / x - square * series - climbed


def trigamma(x: Node) -> Node:
    """The derivative of `digamma`, written with primitives."""
    reflect = compare(x, "lt", 0.5)
    z = where(reflect, sub(1.0, x), x)
    climbed = div(1.0, square(z))
    for k in range(1, _CLIMB):
        climbed = plus(climbed, div(1.0, square(plus(z, float(k)))))
    y = plus(z, float(_CLIMB))
    inverse = div(1.0, square(y))
    series = plus(div(plus(mul(inverse, polynomial(inverse, _TRIGAMMA)), 1.0), y), mul(inverse, 0.5))
    above = plus(series, climbed)
    sine = sin(mul(sub(x, floor(plus(x, 0.5))), pi))
    return where(reflect, sub(div(pi * pi, square(sine)), above), above)


@irdl_op_definition
class DigammaOp(Unary):
    """The derivative of `lgamma`; NaN at 0 and the negative integers.

    %y = array.digamma %x : tensor<4x8xf32>

    JAX: `lax.digamma`.
    """

    name = "array.digamma"
    DTYPES: ClassVar = FLOATING

    jvp = elementwise_jvp(lambda x, out: trigamma(x))
    reference = staticmethod(lambda np, x: by_element(np, _digamma_element, x))
    decompose = in_float32(_digamma)


@irdl_op_definition
class LogisticOp(Unary):
    """1 / (1 + exp(-x)).

    %y = array.logistic %x : tensor<4x8xf32>

    JAX: `lax.logistic`.
    """

    name = "array.logistic"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: mul(out, sub(1.0, out)))
    on_parts = parts.by_parts(parts.logistic)

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-x))).astype(x.dtype)

    @classmethod
    def to_kernel(cls, b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> SSAValue:
        one = b.const(1.0, args[0].dtype)
        decay = b.op(math.ExpOp, b.op(arith.NegfOp, b.read(args[0], index)))
        return b.op(arith.DivfOp, one, b.op(arith.AddfOp, one, decay))

"""Elementary functions of floating and complex numbers: exponentials, logarithms, roots, trigonometric and hyperbolic functions.

Each is one op of upstream's `math` dialect.
"""

from __future__ import annotations

from math import log as ln
from typing import Any, ClassVar

from xdsl.dialects import math
from xdsl.irdl import irdl_op_definition

from weft.dialects.array.op import FLOATING, INEXACT, Unary, by_numpy, elementwise_jvp, scalar
from weft.dialects.array.ops import parts
from weft.dialects.array.ops.algebra import cos, cosh, div, mul, neg, plus, rsqrt, sin, sinh, square, sub
from weft.dialects.array.ops.parts import by_parts


@irdl_op_definition
class ExpOp(Unary):
    """e to the power of x.

    %y = array.exp %x : tensor<4x8xf32>

    JAX: `lax.exp`.
    """

    name = "array.exp"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: out)
    reference = by_numpy("exp")
    on_parts = by_parts(parts.exponential)
    to_kernel = scalar(math.ExpOp)


@irdl_op_definition
class Exp2Op(Unary):
    """2 to the power of x.

    %y = array.exp2 %x : tensor<4x8xf32>

    JAX: `lax.exp2`.
    """

    name = "array.exp2"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: mul(out, ln(2.0)))
    reference = by_numpy("exp2")
    on_parts = by_parts(parts.exponential2)
    to_kernel = scalar(math.Exp2Op)


@irdl_op_definition
class Expm1Op(Unary):
    """e to the power of x, minus 1, exact near 0.

    %y = array.expm1 %x : tensor<4x8xf32>

    JAX: `lax.expm1`.
    """

    name = "array.expm1"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: plus(out, 1.0))
    on_parts = by_parts(parts.exponential_minus_1)
    to_kernel = scalar(math.ExpM1Op)

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        if x.dtype.kind != "c":
            return np.expm1(x)
        far = ~(np.abs(x.real) < 80)  # there 1 is no more than rounding, and NumPy's expm1 may be inf * 0, which is NaN
        found = np.where(far, np.exp(x) - 1, np.expm1(x))
        found.real += 0.0  # 1 - 1 is 0, not -0
        return found


@irdl_op_definition
class LogOp(Unary):
    """Natural logarithm; NaN below 0, -inf at 0.

    %y = array.log %x : tensor<4x8xf32>

    JAX: `lax.log`.
    """

    name = "array.log"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: div(1.0, x))
    reference = by_numpy("log")
    on_parts = by_parts(parts.logarithm)
    to_kernel = scalar(math.LogOp)


@irdl_op_definition
class Log1pOp(Unary):
    """Natural logarithm of 1 + x, exact near 0.

    %y = array.log1p %x : tensor<4x8xf32>

    JAX: `lax.log1p`.
    """

    name = "array.log1p"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: div(1.0, plus(x, 1.0)))
    on_parts = by_parts(parts.logarithm_1_plus)
    to_kernel = scalar(math.Log1pOp)

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        found = np.array(np.log1p(x))
        if found.dtype.kind == "c":
            near = np.abs(x) < 0.5  # there NumPy's real part is that of 1 + x, rounded
            excess = np.where(near, x.real * (x.real + 2) + x.imag * x.imag, 0)
            found.real = np.where(near, np.log1p(excess) / 2, found.real)
        return found


@irdl_op_definition
class Log2Op(Unary):
    """Logarithm to base 2.

    %y = array.log2 %x : tensor<4x8xf32>

    JAX: `jnp.log2`.
    """

    name = "array.log2"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: div(1.0 / ln(2.0), x))
    reference = by_numpy("log2")
    on_parts = by_parts(parts.logarithm2)
    to_kernel = scalar(math.Log2Op)


@irdl_op_definition
class SqrtOp(Unary):
    """Square root; NaN below 0.

    %y = array.sqrt %x : tensor<4x8xf32>

    JAX: `lax.sqrt`.
    """

    name = "array.sqrt"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: div(0.5, out))
    reference = by_numpy("sqrt")
    on_parts = by_parts(parts.root)
    to_kernel = scalar(math.SqrtOp)


@irdl_op_definition
class RsqrtOp(Unary):
    """1 over the square root.

    %y = array.rsqrt %x : tensor<4x8xf32>

    JAX: `lax.rsqrt`.
    """

    name = "array.rsqrt"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: mul(div(out, x), -0.5))
    reference = staticmethod(lambda np, x: (1 / np.sqrt(x)).astype(x.dtype))
    on_parts = by_parts(parts.reciprocal_root)
    to_kernel = scalar(math.RsqrtOp)


@irdl_op_definition
class CbrtOp(Unary):
    """Cube root, negative for negative x.

    %y = array.cbrt %x : tensor<4x8xf32>

    JAX: `lax.cbrt`.
    """

    name = "array.cbrt"
    DTYPES: ClassVar = FLOATING

    jvp = elementwise_jvp(lambda x, out: div(out, mul(x, 3.0)))
    reference = by_numpy("cbrt")
    to_kernel = scalar(math.CbrtOp)


@irdl_op_definition
class SinOp(Unary):
    """Sine, in radians.

    %y = array.sin %x : tensor<4x8xf32>

    JAX: `lax.sin`.
    """

    name = "array.sin"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: cos(x))
    reference = by_numpy("sin")
    on_parts = by_parts(parts.sine)
    to_kernel = scalar(math.SinOp)


@irdl_op_definition
class CosOp(Unary):
    """Cosine, in radians.

    %y = array.cos %x : tensor<4x8xf32>

    JAX: `lax.cos`.
    """

    name = "array.cos"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: neg(sin(x)))
    reference = by_numpy("cos")
    on_parts = by_parts(parts.cosine)
    to_kernel = scalar(math.CosOp)


@irdl_op_definition
class TanOp(Unary):
    """Tangent, in radians.

    %y = array.tan %x : tensor<4x8xf32>

    JAX: `lax.tan`.
    """

    name = "array.tan"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: plus(square(out), 1.0))
    reference = by_numpy("tan")
    on_parts = by_parts(parts.tangent)
    to_kernel = scalar(math.TanOp)


@irdl_op_definition
class AsinOp(Unary):
    """The angle in [-pi/2, pi/2] with that sine; NaN outside [-1, 1].

    %y = array.asin %x : tensor<4x8xf32>

    JAX: `lax.asin`.
    """

    name = "array.asin"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: rsqrt(sub(1.0, square(x))))
    reference = by_numpy("arcsin")
    on_parts = by_parts(parts.arc_sine)
    to_kernel = scalar(math.AsinOp)


@irdl_op_definition
class AcosOp(Unary):
    """The angle in [0, pi] with that cosine; NaN outside [-1, 1].

    %y = array.acos %x : tensor<4x8xf32>

    JAX: `lax.acos`.
    """

    name = "array.acos"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: neg(rsqrt(sub(1.0, square(x)))))
    reference = by_numpy("arccos")
    on_parts = by_parts(parts.arc_cosine)
    to_kernel = scalar(math.AcosOp)


@irdl_op_definition
class AtanOp(Unary):
    """The angle in (-pi/2, pi/2) with that tangent.

    %y = array.atan %x : tensor<4x8xf32>

    JAX: `lax.atan`.
    """

    name = "array.atan"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: div(1.0, plus(square(x), 1.0)))
    reference = by_numpy("arctan")
    on_parts = by_parts(parts.arc_tangent)
    to_kernel = scalar(math.AtanOp)


@irdl_op_definition
class SinhOp(Unary):
    """Hyperbolic sine.

    %y = array.sinh %x : tensor<4x8xf32>

    JAX: `lax.sinh`.
    """

    name = "array.sinh"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: cosh(x))
    reference = by_numpy("sinh")
    on_parts = by_parts(parts.hyperbolic_sine)
    to_kernel = scalar(math.SinhOp)


@irdl_op_definition
class CoshOp(Unary):
    """Hyperbolic cosine.

    %y = array.cosh %x : tensor<4x8xf32>

    JAX: `lax.cosh`.
    """

    name = "array.cosh"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: sinh(x))
    reference = by_numpy("cosh")
    on_parts = by_parts(parts.hyperbolic_cosine)
    to_kernel = scalar(math.CoshOp)


@irdl_op_definition
class TanhOp(Unary):
    """Hyperbolic tangent.

    %y = array.tanh %x : tensor<4x8xf32>

    JAX: `lax.tanh`.
    """

    name = "array.tanh"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: mul(plus(out, 1.0), sub(1.0, out)))
    reference = by_numpy("tanh")
    on_parts = by_parts(parts.hyperbolic_tangent)
    to_kernel = scalar(math.TanhOp)


@irdl_op_definition
class AsinhOp(Unary):
    """Inverse of the hyperbolic sine.

    %y = array.asinh %x : tensor<4x8xf32>

    JAX: `lax.asinh`.
    """

    name = "array.asinh"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: rsqrt(plus(square(x), 1.0)))
    reference = by_numpy("arcsinh")
    on_parts = by_parts(parts.arc_hyperbolic_sine)
    to_kernel = scalar(math.AsinhOp)


@irdl_op_definition
class AcoshOp(Unary):
    """Inverse of the hyperbolic cosine; NaN below 1.

    %y = array.acosh %x : tensor<4x8xf32>

    JAX: `lax.acosh`.
    """

    name = "array.acosh"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: rsqrt(mul(sub(x, 1.0), plus(x, 1.0))))
    reference = by_numpy("arccosh")
    on_parts = by_parts(parts.arc_hyperbolic_cosine)
    to_kernel = scalar(math.AcoshOp)


@irdl_op_definition
class AtanhOp(Unary):
    """Inverse of the hyperbolic tangent; NaN outside [-1, 1].

    %y = array.atanh %x : tensor<4x8xf32>

    JAX: `lax.atanh`.
    """

    name = "array.atanh"
    DTYPES: ClassVar = INEXACT

    jvp = elementwise_jvp(lambda x, out: div(1.0, mul(plus(x, 1.0), sub(1.0, x))))
    reference = by_numpy("arctanh")
    on_parts = by_parts(parts.arc_hyperbolic_tangent)
    to_kernel = scalar(math.AtanhOp)

"""Complex numbers made of two real arrays, and taken apart. How every other op computes them is in parts.py.

Cotangents are not conjugated, as in JAX: the gradient of a real function of x + iy is du/dx - i du/dy.
"""

from __future__ import annotations

from typing import Any, ClassVar

from xdsl.irdl import irdl_op_definition

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import (
    COMPLEX,
    FLOATING,
    Binary,
    Parts,
    Unary,
    broadcast,
    by_numpy,
    common_dtype,
    common_shape,
    linear,
)
from weft.dialects.array.ops.algebra import conj, imag, make_complex, neg, real, zero_of
from weft.dialects.array.ops.parts import by_parts
from weft.dialects.dtypes import complex_of


@irdl_op_definition
class ComplexOp(Binary):
    """The complex numbers with these real and imaginary parts.

    %z = array.complex %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xcomplex<f32>>

    JAX: `lax.complex`.
    """

    name = "array.complex"
    DTYPES: ClassVar = FLOATING

    @classmethod
    def infer(cls, x: Aval, y: Aval) -> Aval:
        dtype = common_dtype(cls, x, y)
        if dtype.bits < 32:
            raise TypeError(f"complex does not accept dtype {dtype}. Accepted dtypes are: float32, float64.")
        return aval(common_shape(cls, x, y), complex_of(dtype), x.weak_type and y.weak_type)

    jvp, transpose = linear(lambda ct, x, y: real(ct), lambda ct, x, y: neg(imag(ct)))

    @staticmethod
    def reference(np: Any, x: Any, y: Any) -> Any:
        z = np.empty(np.broadcast_shapes(x.shape, y.shape), np.result_type(x, np.complex64))
        z.real, z.imag = x, y  # a sum would make NaN of infinities
        return z

    @classmethod
    def on_parts(cls, x: Node, y: Node) -> Parts:
        shape = x.shape or y.shape
        return Parts(broadcast(x, shape), broadcast(y, shape))


class _Part(Unary):
    """One of the two parts."""

    DTYPES: ClassVar = COMPLEX

    @classmethod
    def infer(cls, x: Aval) -> Aval:
        return aval(x.shape, common_dtype(cls, x).part, x.weak_type)


@irdl_op_definition
class RealOp(_Part):
    """The real part.

    %x = array.real %z : tensor<4xcomplex<f32>> -> tensor<4xf32>

    JAX: `lax.real`.
    """

    name = "array.real"
    DTYPES: ClassVar = COMPLEX

    jvp, transpose = linear(lambda ct, z: make_complex(ct, zero_of(ct)))
    reference = staticmethod(lambda np, z: z.real)
    on_parts = by_parts(lambda z: z.re)


@irdl_op_definition
class ImagOp(_Part):
    """The imaginary part.

    %y = array.imag %z : tensor<4xcomplex<f32>> -> tensor<4xf32>

    JAX: `lax.imag`. Its transpose has the sign that JAX gives it, where gradients are not conjugated.
    """

    name = "array.imag"
    DTYPES: ClassVar = COMPLEX

    jvp, transpose = linear(lambda ct, z: make_complex(zero_of(ct), neg(ct)))
    reference = staticmethod(lambda np, z: z.imag)
    on_parts = by_parts(lambda z: z.im)


@irdl_op_definition
class ConjOp(Unary):
    """The complex conjugate.

    %y = array.conj %z : tensor<4xcomplex<f32>>

    JAX: `lax.conj` of complex operands.
    """

    name = "array.conj"
    DTYPES: ClassVar = COMPLEX

    jvp, transpose = linear(lambda ct, z: conj(ct))
    reference = by_numpy("conj")
    on_parts = by_parts(lambda z: Parts(z.re, neg(z.im)))

"""Numbers by their divisors and bits: gcd and lcm, floats as mantissa and exponent, bits packed into bytes."""

from __future__ import annotations

from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.custom import custom_jvp
from weft.dialects.dtypes import DType, bool_, float32, int32, uint8
from weft.lax.base import ArrayLike, axis_index, constant, convert
from weft.numpy.elementwise import isfinite, where
from weft.numpy.manipulation import moveaxis, ravel
from weft.numpy.promotion import like, promote_arrays, promote_numbers, spread
from weft.numpy.reductions import sum as sum_of

__all__ = ["frexp", "gcd", "lcm", "ldexp", "packbits", "spacing", "unpackbits"]

# -- divisors


def _integer_pair(x1: ArrayLike, x2: ArrayLike, name: str) -> tuple[Array, Array]:
    x, y = promote_arrays(x1, x2)
    if not x.dtype.is_integer:
        raise ValueError(f"Arguments to jax.numpy.{name} must be integers.")
    shape = lax.broadcast_shapes(x.shape, y.shape)
    x, y = (lax.broadcast_in_dim(v, shape, range(len(shape) - v.ndim, len(shape))) for v in (x, y))
    return (lax.abs(x), lax.abs(y)) if x.dtype.kind == "i" else (x, y)


def gcd(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The greatest common divisor, by Euclid's algorithm."""
    x, y = _integer_pair(x1, x2, "gcd")

    def step(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        x, y = pair
        done = y == 0
        return where(done, x, y), where(done, like(0, y), lax.rem(x, where(done, like(1, y), y)))

    return lax.while_loop(lambda pair: (pair[1] != 0).any(), step, (x, y))[0]


def lcm(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The least common multiple."""
    x, y = _integer_pair(x1, x2, "lcm")
    divisor = gcd(x, y)
    return where(divisor == 0, like(0, x), x * lax.div(y, where(divisor == 0, like(1, divisor), divisor)))


# -- mantissa and exponent


def _layout(dtype: DType) -> tuple[int, int]:
    """How many bits the mantissa and the exponent of float32 or float64 take."""
    mantissa = 23 if dtype is float32 else 52
    return mantissa, dtype.bits - mantissa - 1


def _power_of_two(exponent: Array, dtype: DType) -> Array:
    """2**exponent, which must be a normal number."""
    mantissa, width = _layout(dtype)
    bits = lax.convert_element_type(exponent + ((1 << (width - 1)) - 1), f"int{dtype.bits}")
    return lax.bitcast_convert_type(lax.shift_left(bits, like(mantissa, bits)), dtype)


def frexp(x: ArrayLike, /) -> tuple[Array, Array]:
    """Mantissa (of magnitude in [0.5, 1)) and exponent (int32): x = mantissa * 2**exponent."""
    (x,) = promote_arrays(x, inexact=True)
    if x.dtype.kind == "c":
        raise TypeError("frexp does not support complex-valued inputs")
    if x.dtype.bits < 32:
        fraction, power = frexp(lax.convert_element_type(x, float32))
        return lax.convert_element_type(fraction, x.dtype), power
    mantissa, width = _layout(x.dtype)
    small = lax.abs(x) < like(2.0 ** (2 - (1 << (width - 1))), x)  # subnormal: scaled up first
    scaled = where(small, x * like(2.0 ** (mantissa + 1), x), x)
    bits = lax.bitcast_convert_type(scaled, f"int{x.dtype.bits}")
    mask, bias = (1 << width) - 1, (1 << (width - 1)) - 2
    exponent = lax.bitwise_and(lax.shift_right_logical(bits, like(mantissa, bits)), like(mask, bits))
    power = lax.convert_element_type(exponent, int32) - bias - where(small, mantissa + 1, 0)
    plain = (x == 0) | ~isfinite(x)
    power = where(plain, like(0, power), power)
    half = lax.shift_right_arithmetic(power, like(1, power))
    # Two exact products, rather than other bits for the exponent: they have derivatives.
    return x * _power_of_two(-half, x.dtype) * _power_of_two(half - power, x.dtype), power


def ldexp(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 * 2**x2, rounded once."""
    (exponent,) = promote_numbers(x2)
    if not exponent.dtype.is_integer:
        raise ValueError(f"ldexp not supported for input types {(lift(x1).dtype, exponent.dtype)}")
    (x,) = promote_arrays(x1, inexact=True)
    if x.dtype.kind == "c":
        raise ValueError(f"ldexp not supported for input types {(x.dtype, exponent.dtype)}")
    if x.dtype.bits < 32:
        return lax.convert_element_type(ldexp(lax.convert_element_type(x, float32), exponent), x.dtype)
    _, width = _layout(x.dtype)
    most = (1 << (width - 1)) - 1

    @custom_jvp
    def scaled(x: Array, exponent: Array) -> Array:
        # From the mantissa in two factors: the first is exact, the second rounds.
        fraction, own = frexp(x)
        total = lax.clamp(-4 * most, exponent, 4 * most) + own
        first = lax.clamp(1 - most, total, most)
        second = lax.clamp(1 - most, total - first, most)
        found = fraction * _power_of_two(first, x.dtype) * _power_of_two(second, x.dtype)
        return where((x == 0) | ~isfinite(x), x, found)

    @scaled.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        total = lax.clamp(2 - 2 * most, primals[1], 2 * most)
        half = lax.shift_right_arithmetic(total, like(1, total))
        return scaled(*primals), tangents[0] * _power_of_two(half, x.dtype) * _power_of_two(total - half, x.dtype)

    x, exponent = (wrap(n) for n in spread([x._node, convert(exponent._node, int32)]))
    return scaled(x, exponent)


def spacing(x: ArrayLike, /) -> Array:
    """The distance to the next number that is farther from 0, with the sign of x."""
    (x,) = promote_arrays(x, inexact=True)
    if x.dtype.kind == "c":
        raise ValueError("jnp.spacing is not supported for complex inputs")
    away = lax.nextafter(x, where(x < 0, like(float("-inf"), x), like(float("inf"), x)))
    return where(isfinite(x), away - x, like(float("nan"), x))


# -- bits


def _bit_weights(order: str) -> list[int]:
    if order not in ("big", "little"):
        raise ValueError("'order' must be either 'little' or 'big'")
    return [1 << k for k in range(8)][:: -1 if order == "big" else 1]


def packbits(a: ArrayLike, axis: int | None = None, bitorder: str = "big") -> Array:
    """Truth values as the bits of bytes, eight after eight along an axis (all elements if None), the last byte filled up with zeros."""
    x = wrap(lift(a))
    if not (x.dtype.is_integer or x.dtype is bool_):
        raise TypeError("Expected an input array of integer or boolean data type")
    weights = _bit_weights(bitorder)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    bits = moveaxis(wrap(convert(convert(x._node, bool_), uint8)), axis, -1)
    bits = lax.pad(bits, constant(0, (), uint8), [(0, 0, 0)] * (x.ndim - 1) + [(0, -bits.shape[-1] % 8, 0)])
    bits = lax.reshape(bits, (*bits.shape[:-1], bits.shape[-1] // 8, 8))
    packed = sum_of(bits * _vector(weights), -1, uint8)
    return moveaxis(packed, -1, axis)


def unpackbits(a: ArrayLike, axis: int | None = None, count: int | None = None, bitorder: str = "big") -> Array:
    """The bits of bytes along an axis (of all elements if None), `count` of them: zeros follow if there are fewer, so many are left out if it is negative."""
    x = wrap(lift(a))
    if x.dtype is not uint8:
        raise TypeError("Expected an input array of unsigned byte data type")
    weights = _bit_weights(bitorder)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    held = lax.bitwise_and(*promote_arrays(lax.expand_dims(moveaxis(x, axis, -1), (x.ndim,)), _vector(weights)))
    bits = wrap(convert(convert(held._node, bool_), uint8))
    bits = lax.reshape(bits, (*bits.shape[:-2], 8 * bits.shape[-2]))
    if count is not None:
        more = count - bits.shape[-1] if count >= 0 else count
        bits = lax.pad(bits, constant(0, (), uint8), [(0, 0, 0)] * (x.ndim - 1) + [(0, more, 0)])
    return moveaxis(bits, -1, axis)


def _vector(values: list[int]) -> Array:
    from weft.numpy.creation import array

    return array(values, uint8)

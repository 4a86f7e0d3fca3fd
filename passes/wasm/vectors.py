"""Vector values with operators, so that a function of `math.py` reads as the mathematics it is.

A `Vec` is one v128 of f32x4 or f64x2 lanes, together with the builder that its operators emit to. Little is asked of the builder, so the tests
interpret the same functions with NumPy. A scalar function is lane 0 of the vector one: one set of algorithms, the same bits.
Masks are all-ones lanes, as Wasm's comparisons give them; bit operations and integer ones read the lanes of the same width as integers.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Protocol

Value = Any


class Builder(Protocol):
    """What emits instructions: the part of `dialects.wasm.builder.FuncBuilder` that mathematics needs."""

    def inst(self, mnemonic: str, *operands: Value, imm: tuple[int, ...] = ()) -> Value: ...

    def const_i32(self, value: int) -> Value: ...

    def const_v128(self, shape: str, *lanes: float) -> Value: ...

    def if_(self, cond: Value) -> Any: ...

    def yield_(self, *values: Value) -> None: ...


class Format(NamedTuple):
    """A float format: the names of its lanes, and where its exponent sits."""

    floats: str
    ints: str
    mantissa: int
    bias: int
    tiny: float  # the least normal number
    huge: float  # the greatest finite number
    magic: float  # 1.5 * 2**mantissa: adding it rounds to an integer, which then stands in the low bits
    code: str  # struct codes of the float and of the integer of its width

    def bits(self, value: float) -> int:
        """The bits of a constant, as an unsigned integer."""
        return int(struct.unpack("<" + self.code[1], struct.pack("<" + self.code[0], value))[0])


F32 = Format("f32x4", "i32x4", 23, 127, 2.0**-126, (2 - 2.0**-23) * 2.0**127, 1.5 * 2.0**23, "fI")
F64 = Format("f64x2", "i64x2", 52, 1023, 2.0**-1022, (2 - 2.0**-52) * 2.0**1023, 1.5 * 2.0**52, "dQ")


class Vec:
    """One vector: arithmetic by operators, numbers are splatted."""

    __slots__ = ("b", "format", "relaxed", "value")

    def __init__(self, b: Builder, format: Format, value: Value, relaxed: bool = True):
        self.b, self.format, self.value, self.relaxed = b, format, value, relaxed

    # -- making others ------------------------------------------------------------------------------------------------------------------

    def like(self, value: Value) -> Vec:
        """A vector of the same kind from a bare value."""
        return Vec(self.b, self.format, value, self.relaxed)

    def number(self, value: Vec | float) -> Vec:
        """A float constant in every lane."""
        return value if isinstance(value, Vec) else self.like(self.b.const_v128(self.format.floats, value))

    def integer(self, value: int) -> Vec:
        """An integer constant in every lane."""
        return self.like(self.b.const_v128(self.format.ints, value))

    def op(self, mnemonic: str, *others: Value) -> Vec:
        """An instruction on this vector, of any shape."""
        return self.like(self.b.inst(mnemonic, self.value, *(o.value if isinstance(o, Vec) else o for o in others)))

    def _float(self, name: str, *others: Vec | float) -> Vec:
        return self.op(f"{self.format.floats}.{name}", *map(self.number, others))

    # -- floats -------------------------------------------------------------------------------------------------------------------------

    def __add__(self, other: Vec | float) -> Vec:
        return self._float("add", other)

    def __radd__(self, other: float) -> Vec:
        return self.number(other) + self

    def __sub__(self, other: Vec | float) -> Vec:
        return self._float("sub", other)

    def __rsub__(self, other: float) -> Vec:
        return self.number(other) - self

    def __mul__(self, other: Vec | float) -> Vec:
        return self._float("mul", other)

    def __rmul__(self, other: float) -> Vec:
        return self * other

    def __truediv__(self, other: Vec | float) -> Vec:
        return self._float("div", other)

    def __rtruediv__(self, other: float) -> Vec:
        return self.number(other) / self

    def __neg__(self) -> Vec:
        return self._float("neg")

    def __abs__(self) -> Vec:
        return self._float("abs")

    def sqrt(self) -> Vec:
        return self._float("sqrt")

    def floor(self) -> Vec:
        return self._float("floor")

    def trunc(self) -> Vec:
        return self._float("trunc")

    def at_least(self, low: float) -> Vec:
        """The greater of it and a constant; NaN stays NaN."""
        return self._float("pmax", low)

    def at_most(self, high: float) -> Vec:
        """The smaller of it and a constant; NaN stays NaN."""
        return self._float("pmin", high)

    # -- masks --------------------------------------------------------------------------------------------------------------------------

    def __lt__(self, other: Vec | float) -> Vec:
        return self._float("lt", other)

    def __le__(self, other: Vec | float) -> Vec:
        return self._float("le", other)

    def __gt__(self, other: Vec | float) -> Vec:
        return self._float("gt", other)

    def __ge__(self, other: Vec | float) -> Vec:
        return self._float("ge", other)

    def equals(self, other: Vec | float) -> Vec:
        return self._float("eq", other)

    def differs(self, other: Vec | float) -> Vec:
        return self._float("ne", other)

    def choose(self, then: Vec | float, otherwise: Vec | float) -> Vec:
        """Of a mask: `then` in the lanes where it is set, `otherwise` in the others."""
        a, b = self.number(then), self.number(otherwise)
        return self.like(self.b.inst("v128.bitselect", a.value, b.value, self.value))

    def any(self) -> Value:
        """Of a mask: an i32 that is not 0 if any lane is set."""
        return self.b.inst("v128.any_true", self.value)

    # -- bits and integers --------------------------------------------------------------------------------------------------------------

    def __and__(self, other: Vec) -> Vec:
        return self.op("v128.and", other)

    def __or__(self, other: Vec) -> Vec:
        return self.op("v128.or", other)

    def __xor__(self, other: Vec) -> Vec:
        return self.op("v128.xor", other)

    def without(self, other: Vec) -> Vec:
        """Its bits that are not set in `other`."""
        return self.op("v128.andnot", other)

    def int_add(self, other: Vec | int) -> Vec:
        return self.op(f"{self.format.ints}.add", self.integer(other) if isinstance(other, int) else other)

    def int_sub(self, other: Vec | int) -> Vec:
        return self.op(f"{self.format.ints}.sub", self.integer(other) if isinstance(other, int) else other)

    def shifted_left(self, count: int) -> Vec:
        return self.op(f"{self.format.ints}.shl", self.b.const_i32(count))

    def shifted_right(self, count: int, signed: bool = False) -> Vec:
        return self.op(f"{self.format.ints}.shr_{'s' if signed else 'u'}", self.b.const_i32(count))

    def sign(self) -> Vec:
        """Its sign bit alone."""
        return self & self.number(-0.0)

    def sign_mask(self) -> Vec:
        """A mask of the lanes whose sign bit is set."""
        if self.format is F32:
            return self.shifted_right(31, signed=True)
        high = self.like(
            self.b.inst(
                "i8x16.shuffle", self.value, self.value, imm=(4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15)
            )
        )
        return high.op("i32x4.shr_s", self.b.const_i32(31))

    def with_sign_of(self, other: Vec) -> Vec:
        """Its magnitude with the sign of another."""
        return abs(self) | other.sign()


def fma(a: Vec, b: Vec | float, c: Vec | float) -> Vec:
    """a * b + c, rounded once where the engine can, else twice."""
    if a.relaxed:
        return a.op(f"{a.format.floats}.relaxed_madd", a.number(b), a.number(c))
    return a * b + c


def polynomial(x: Vec, coefficients: tuple[float, ...], square: Vec | None = None) -> Vec:
    """Horner's rule; the constant term stands first. With the square of x at hand, pairs of terms go side by side: as many operations, half as long a chain."""
    if square is not None:
        pairs = [fma(x, b, a) for a, b in zip(coefficients[::2], coefficients[1::2], strict=False)]
        pairs += [x.number(coefficients[-1])] * (len(coefficients) % 2)
        result = pairs.pop()
        while pairs:
            result = fma(result, square, pairs.pop())
        return result
    result = x.number(coefficients[-1])
    for c in coefficients[-2::-1]:
        result = fma(result, x, c)
    return result

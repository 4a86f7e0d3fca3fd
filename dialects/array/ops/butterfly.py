"""One round of a fast Fourier transform as a primitive: small transforms of a few numbers each, written out, and products with roots of unity.

Sums of r numbers take about r log r additions and a few multiplications if r has factors (J. Cooley, J. Tukey, "An algorithm for the machine calculation of complex Fourier
series", 1965), and half of the products that a matrix would take if it is a prime: pairs that stand opposite have conjugate roots.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import cos, sin, sqrt
from math import tau as turn
from typing import Any, ClassVar, NamedTuple

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_operand_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Write, batch_front, move_axis
from weft.dialects.array.ops.algebra import reshape, slice_axis
from weft.dialects.array.ops.shape import ConcatenateOp, Dims, Index, Ints
from weft.dialects.dtypes import DType
from weft.dialects.kernel.affine import Expr


@irdl_op_definition
class ButterflyOp(ArrayOp):
    """Transforms along axis 3 of parts (2, lines, digits, r, rest, inner), with the results' axis put before the digits: the q-th one is the sum of the j-th numbers times
    the r-th root of unity to the power of -q j (q j if `inverse`), divided by `over`, and times roots[:, q - 1, k] for the k-th of `rest` unless q is 0, if there
    are such.

    %y = array.butterfly %x, %w inverse false over 1 : tensor<2x3x1x4x8x1xf32>, tensor<2x3x8xf32> -> tensor<2x3x4x1x8x1xf32>

    Axis 0 holds real and imaginary parts.
    """

    name = "array.butterfly"
    NOT_DIFFERENTIABLE: ClassVar = True
    PUSHES: ClassVar = True

    x = operand_def(TensorType)
    roots = var_operand_def(TensorType)
    inverse = prop_def()
    over = prop_def()

    @classmethod
    def infer(cls, x: Aval, *roots: Aval, inverse: bool, over: int) -> Aval:
        if x.ndim != 6 or x.shape[0] != 2 or x.dtype.kind != "f" or x.dtype.bits < 32:
            raise TypeError(f"butterfly: expected floats of shape (2, lines, digits, r, rest, inner), got {x}.")
        two, lines, digits, r, rest, inner = x.shape
        if any(w.shape != (2, r - 1, rest) or w.dtype is not x.dtype for w in roots) or len(roots) > 1:
            raise TypeError(f"butterfly: expected roots {x.dtype}[2,{r - 1},{rest}], got {', '.join(map(str, roots))}.")
        return aval((two, lines, r, digits, rest, inner), x.dtype)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        x = batch_front(size, args[0], dims[0])
        if all(d is None for d in dims[1:]):  # examples are more lines
            flat = reshape(move_axis(x, 0, 1), (2, size * x.shape[2], *x.shape[3:]))
            out = cls.bind(flat, *args[1:], **params)
            return reshape(out, (2, size, x.shape[2], *out.shape[2:])), 1
        arrays = [x, *(batch_front(size, w, d) for w, d in zip(args[1:], dims[1:], strict=True))]
        parts = []
        for k in range(size):  # each example has roots of its own
            own = (reshape(slice_axis(a, 0, k, k + 1), a.shape[1:]) for a in arrays)
            out = cls.bind(*own, **params)
            parts.append(reshape(out, (1, *out.shape)))
        return ConcatenateOp.bind(*parts, dimension=0), 0

    @staticmethod
    def reference(np: Any, x: Any, *roots: Any, inverse: bool, over: int) -> Any:
        r = x.shape[3]
        z = np.moveaxis(x[0] + 1j * x[1], 2, 1)
        found = (np.fft.ifft(z, axis=1) * r if inverse else np.fft.fft(z, axis=1)) / over
        if roots:
            found[:, 1:] *= (roots[0][0] + 1j * roots[0][1])[None, :, None, :, None]
        return np.stack([found.real, found.imag]).astype(x.dtype)

    @classmethod
    def space(cls, args: Sequence[Any], **params: Any) -> Ints:
        _, lines, digits, _, rest, inner = args[0].shape
        return lines, digits, rest, inner

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, inverse: bool, over: int) -> list[Write]:
        x, *roots = args
        line, digit, place, inner = index
        r = x.shape[3]
        write = _Writer(b, x.dtype, 1 if inverse else -1)

        def read(j: int) -> _Number:
            return _Number(*(b.read(x, (Expr(part), line, digit, Expr(j), place, inner)) for part in (0, 1)))

        writes = []
        for q, z in enumerate(write.transform([read(j) for j in range(r)])):
            if over != 1:
                z = _Number(*(write.times(v, 1 / over) for v in z))
            if roots and q:
                c, s = (b.read(roots[0], (Expr(part), Expr(q - 1), place)) for part in (0, 1))
                z = write.product(z, _Number(c, s))
            for part, v in enumerate(z):
                writes.append(Write(v, (Expr(part), line, Expr(q), digit, place, inner)))
        return writes


class _Number(NamedTuple):
    """A complex number in two scalars."""

    re: SSAValue
    im: SSAValue


class _Writer:
    """Writes small transforms into a nest's body. `sign` is that of the roots' angles."""

    def __init__(self, b: Any, dtype: DType, sign: int):
        self.b, self.dtype, self.sign = b, dtype, sign

    def add(self, x: _Number, y: _Number) -> _Number:
        """x + y."""
        return _Number(*(self.b.op(arith.AddfOp, v, w) for v, w in zip(x, y, strict=True)))

    def sub(self, x: _Number, y: _Number) -> _Number:
        """x - y."""
        return _Number(*(self.b.op(arith.SubfOp, v, w) for v, w in zip(x, y, strict=True)))

    def times(self, x: SSAValue, factor: float) -> SSAValue:
        """A part times a number."""
        return x if factor == 1 else self.b.op(arith.MulfOp, x, self.b.const(factor, self.dtype))

    def product(self, x: _Number, y: _Number) -> _Number:
        """x y."""
        b = self.b
        re = b.op(arith.SubfOp, b.op(arith.MulfOp, x.re, y.re), b.op(arith.MulfOp, x.im, y.im))
        return _Number(re, b.op(arith.AddfOp, b.op(arith.MulfOp, x.re, y.im), b.op(arith.MulfOp, x.im, y.re)))

    def turned(self, x: _Number, k: int, n: int) -> _Number:
        """x times the n-th root of unity to the power of k."""
        b, k = self.b, self.sign * k % n
        if k == 0:
            return x
        if 4 * k % n == 0:  # quarters of a turn
            minus = _Number(*(b.op(arith.NegfOp, v) for v in x))
            return (_Number(minus.im, x.re), minus, _Number(x.im, minus.re))[4 * k // n - 1]
        if 8 * k % n == 0:  # an odd number of eighths
            half = sqrt(0.5)
            plus, minus = b.op(arith.AddfOp, x.re, x.im), b.op(arith.SubfOp, x.re, x.im)
            re, im = {1: (minus, plus), 3: (plus, minus), 5: (minus, plus), 7: (plus, minus)}[8 * k // n]
            signs = {1: (1, 1), 3: (-1, 1), 5: (-1, -1), 7: (1, -1)}[8 * k // n]
            return _Number(self.times(re, signs[0] * half), self.times(im, signs[1] * half))
        c, s = cos(turn * k / n), sin(turn * k / n)
        re = b.op(arith.SubfOp, self.times(x.re, c), self.times(x.im, s))
        return _Number(re, b.op(arith.AddfOp, self.times(x.re, s), self.times(x.im, c)))

    def transform(self, z: Sequence[_Number]) -> list[_Number]:
        """The transform of a few numbers."""
        n = len(z)
        if n == 1:
            return list(z)
        p = smallest_part(n)
        m = n // p
        if m == 1:
            return self._prime(z) if n % 2 else self._power(z)
        parts = [self.transform(z[a::p]) for a in range(p)]
        found: list[Any] = [None] * n
        for k in range(m):
            found[k::m] = self.transform([self.turned(part[k], a * k, n) for a, part in enumerate(parts)])
        return found

    def _power(self, z: Sequence[_Number]) -> list[_Number]:
        """Of two or four numbers."""
        if len(z) == 2:
            return [self.add(*z), self.sub(*z)]
        even, odd = self._power(z[::2]), self._power(z[1::2])
        turned = self.turned(odd[1], 1, 4)
        return [
            self.add(even[0], odd[0]),
            self.add(even[1], turned),
            self.sub(even[0], odd[0]),
            self.sub(even[1], turned),
        ]

    def _prime(self, z: Sequence[_Number]) -> list[_Number]:
        """Of an odd number of numbers: those that stand opposite are multiplied by conjugate roots."""
        n, first = len(z), z[0]
        half = range(1, n // 2 + 1)
        sums, differences = [self.add(z[j], z[n - j]) for j in half], [self.sub(z[j], z[n - j]) for j in half]
        found: list[Any] = [first] * n
        for s in sums:
            found[0] = self.add(found[0], s)
        for q in half:
            even, odd = first, None
            for j in half:
                angle = turn * (q * j % n) / n
                even = self.add(even, _Number(*(self.times(v, cos(angle)) for v in sums[j - 1])))
                term = _Number(*(self.times(v, self.sign * sin(angle)) for v in differences[j - 1]))
                odd = term if odd is None else self.add(odd, term)
            assert odd is not None
            b = self.b
            found[q] = _Number(b.op(arith.SubfOp, even.re, odd.im), b.op(arith.AddfOp, even.im, odd.re))
            found[n - q] = _Number(b.op(arith.AddfOp, even.re, odd.im), b.op(arith.SubfOp, even.im, odd.re))
        return found


@lru_cache(maxsize=64)
def smallest_part(n: int) -> int:
    """Four if it divides n, else its smallest prime factor."""
    return 4 if n % 4 == 0 else next(p for p in range(2, n + 1) if n % p == 0)

"""Discrete Fourier transforms: `fft` over the last axes, of complex numbers or between real ones and half of a spectrum.

A transform of n = r m elements is r-fold sums (a product with the r × r Fourier matrix), a multiplication with roots of unity, and transforms of m elements. Written in
the order of T. Stockham ("High-speed convolution and correlation", 1966), each round takes a factor off the end and puts the digit that it made in front, so that the
result comes out in order, and a round is one contraction: the real and imaginary parts are one more axis of it. Large prime lengths are convolutions with a chirp
(L. Bluestein, 1970). Roots of unity are computed in double precision, by symmetry from angles below a right one's half, so that errors grow with the number of rounds only.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from math import cos, prod, sin, tau
from typing import Any, ClassVar

from xdsl.dialects.builtin import BytesAttr, DenseIntOrFPElementsAttr, TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, batch_front, broadcast, full
from weft.dialects.array.ops.algebra import (
    conj,
    imag,
    make_complex,
    mul,
    neg,
    pad,
    plus,
    real,
    reshape,
    slice_axis,
    transpose,
)
from weft.dialects.array.ops.contraction import DotOp
from weft.dialects.array.ops.shape import ConcatenateOp, Dims, Ints, ReverseOp, inverse
from weft.dialects.dtypes import DType, complex_of

KINDS = ("FFT", "IFFT", "RFFT", "IRFFT")

RADIX = 16
"""The largest product of prime factors that one round takes."""

DIRECT = 64
"""The largest prime that is a round of its own; beyond it a convolution takes less."""


@irdl_op_definition
class FftOp(ArrayOp):
    """The discrete Fourier transform over the last axes, as many as there are lengths: FFT, its inverse IFFT (with the factor 1/n), RFFT of real numbers (the half of
    the spectrum that tells the rest), and its inverse IRFFT.

    %y = array.fft FFT %x lengths [8] : tensor<4x8xcomplex<f32>>
    %z = array.fft RFFT %v lengths [8] : tensor<4x8xf32> -> tensor<4x5xcomplex<f32>>

    JAX: `lax.fft`.
    """

    name = "array.fft"
    LEAD: ClassVar = "kind"

    x = operand_def(TensorType)
    kind = prop_def()
    lengths = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, kind: str, lengths: Ints) -> Aval:
        if kind not in KINDS:
            raise ValueError(f"fft: kind must be one of {', '.join(KINDS)}, got '{kind}'")
        rank = x.ndim - len(lengths)
        if not lengths or rank < 0:
            raise ValueError(
                f"FFT input shape {x.shape} must have at least as many input dimensions as fft_lengths {lengths}."
            )
        half = (*lengths[:-1], lengths[-1] // 2 + 1)
        if kind == "RFFT" and (x.dtype.kind != "f" or x.dtype.bits < 32):
            raise ValueError(f"RFFT input must be float32 or float64, got {x.dtype}")
        if kind != "RFFT" and x.dtype.kind != "c":
            raise ValueError(f"{kind} input must be complex64 or complex128, got {x.dtype}")
        if x.shape[rank:] != (half if kind == "IRFFT" else lengths):
            raise ValueError(
                f"{kind} input shape {x.shape} minor dimensions must be {half if kind == 'IRFFT' else lengths} for fft_lengths {lengths}"
            )
        if kind == "RFFT":
            return aval((*x.shape[:rank], *half), complex_of(x.dtype))
        return aval((*x.shape[:rank], *lengths), x.dtype.part) if kind == "IRFFT" else aval(x.shape, x.dtype)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any) -> Node | None:
        return None if tangents[0] is None else cls.bind(tangents[0], **params)

    @classmethod
    def transpose(
        cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], *, kind: str, lengths: Ints
    ) -> list[Node | None]:
        """Fourier matrices are symmetric. Gradients are not conjugated, as in JAX."""
        last, n = ct.ndim - 1, lengths[-1]
        if kind == "RFFT":
            high = [n - ct.shape[last] if k == last else 0 for k in range(ct.ndim)]
            return [real(cls.bind(pad(ct, 0j, [0] * ct.ndim, high), kind="FFT", lengths=lengths))]
        if kind == "IRFFT":  # all but the first (and a middle one) stand for two
            spectrum = cls.bind(ct, kind="RFFT", lengths=lengths)
            size = spectrum.shape[last]
            twice = [1.0 if k == 0 or 2 * k == n else 2.0 for k in range(size)]
            weights = _data([w / prod(lengths) for w in twice], (size,), ct.dtype)
            weights = broadcast(weights, spectrum.shape, (last,))
            return [conj(make_complex(mul(real(spectrum), weights), mul(imag(spectrum), weights)))]
        return [cls.bind(ct, kind=kind, lengths=lengths)]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), **params), 0

    @staticmethod
    def reference(np: Any, x: Any, *, kind: str, lengths: Ints) -> Any:
        axes = range(x.ndim - len(lengths), x.ndim)
        name = {"FFT": "fftn", "IFFT": "ifftn", "RFFT": "rfftn", "IRFFT": "irfftn"}[kind]
        wide = x.astype(np.float64 if kind == "RFFT" else np.complex128)
        narrow = {"f4": "c8", "f8": "c16"} if kind == "RFFT" else {"c8": "f4", "c16": "f8"} if kind == "IRFFT" else {}
        code = f"{x.dtype.kind}{x.dtype.itemsize}"
        return getattr(np.fft, name)(wide, lengths, axes).astype(narrow.get(code, code))

    @classmethod
    def decompose(cls, x: Node, *, kind: str, lengths: Ints) -> Node:
        result = cls.infer(x.aval, kind=kind, lengths=lengths)
        if not result.size:
            return full(0.0 if kind == "IRFFT" else 0j, result)
        first = x.ndim - len(lengths) + 1  # behind the axis of the parts
        axes = range(first, x.ndim + 1)
        inverse_ = kind in ("IFFT", "IRFFT")
        z = _front(x) if kind == "RFFT" else ConcatenateOp.bind(_front(real(x)), _front(imag(x)), dimension=0)
        if kind == "IRFFT":
            for axis in axes[:-1]:
                z = _along(z, axis, inverse_)
            z = _along(_whole(z, lengths[-1]), axes[-1], inverse_, real_only=True)
            return reshape(z, result.shape)
        z = _along(z, axes[-1], inverse_)
        if kind == "RFFT":
            z = slice_axis(z, axes[-1], 0, result.shape[-1])
        for axis in axes[:-1]:
            z = _along(z, axis, inverse_)
        return make_complex(*(reshape(slice_axis(z, 0, k, k + 1), result.shape) for k in (0, 1)))


# -- transforms of parts: real arrays with an axis in front, of 2 for real and imaginary parts, or of 1 for real numbers --------------------


def _front(x: Node) -> Node:
    return reshape(x, (1, *x.shape))


def _whole(z: Node, n: int) -> Node:
    """A spectrum of n from its first half: the other half is its mirror image, conjugated."""
    last = z.ndim - 1
    mirrored = ReverseOp.bind(slice_axis(z, last, 1, (n - 1) // 2 + 1), dimensions=(last,))
    re, im = (slice_axis(mirrored, 0, k, k + 1) for k in (0, 1))
    conjugate = ConcatenateOp.bind(re, neg(im), dimension=0)
    return ConcatenateOp.bind(z, conjugate, dimension=last)


def _along(z: Node, axis: int, inverse_: bool, real_only: bool = False) -> Node:
    """The transform along one axis, as parts; the real part alone (in the axis of the parts) if `real_only`."""
    order = (0, *(k for k in range(1, z.ndim) if k != axis), axis)
    turned = transpose(z, order)
    flat = reshape(turned, (z.shape[0], prod(turned.shape[1:-1]), z.shape[axis]))
    found = _lines(flat, inverse_, real_only)
    return transpose(reshape(found, (found.shape[0], *turned.shape[1:])), inverse(order))


def _lines(z: Node, inverse_: bool, real_only: bool = False) -> Node:
    """The transforms of the lines of parts of shape (1 or 2, lines, n)."""
    parts, lines, n = z.shape
    if n == 1:
        if real_only or parts == 2:
            return slice_axis(z, 0, 0, 1) if real_only else z
        return ConcatenateOp.bind(z, full(0.0, z), dimension=0)
    digits, rest = 1, n
    y = reshape(z, (parts, 1, lines, n))
    rounds = factors(n)
    for number, radix in enumerate(rounds):
        last = number == len(rounds) - 1
        y = reshape(y, (y.shape[0], digits, lines, radix, rest // radix))
        if radix <= max(RADIX, DIRECT):
            rows = 1 if last and real_only else 2
            matrix = _matrix(radix, rows, y.shape[0], inverse_, n if inverse_ and last else 1, z.dtype)
            y = DotOp.bind(matrix, y, contract=((2, 3), (0, 3)), batch=((), ()))
        else:
            y = _chirped(y, radix, inverse_)
            if inverse_ and last:
                y = mul(y, 1.0 / n)
            if last and real_only:
                y = slice_axis(y, 0, 0, 1)
        rest //= radix
        if not last:
            y = _times_roots(y, radix * rest, (1, 4), inverse_)
        digits *= radix
        y = reshape(y, (y.shape[0], digits, lines, rest))
    return transpose(reshape(y, (y.shape[0], n, lines)), (0, 2, 1))


@lru_cache(maxsize=256)
def factors(n: int) -> tuple[int, ...]:
    """The sizes of the rounds, whose product is n: primes, and products of them up to RADIX."""
    primes, rest, p = [], n, 2
    while p * p <= rest:
        while rest % p == 0:
            primes.append(p)
            rest //= p
        p += 1
    primes += [rest] if rest > 1 else []
    sizes: list[int] = []
    for p in sorted(primes, reverse=True):
        place = next((k for k, size in enumerate(sizes) if size * p <= RADIX), None)
        if place is None:
            sizes.append(p)
        else:
            sizes[place] *= p
    return tuple(sizes)


def _chirped(y: Node, n: int, inverse_: bool) -> Node:
    """One round of large prime size n, of parts (2, digits, lines, n, rest) to (2, n, digits, lines, rest): since jk = (j² + k² - (k - j)²) / 2, it is a convolution
    between two multiplications.
    """
    parts, digits, lines, _, rest = y.shape
    z = reshape(transpose(y, (0, 1, 2, 4, 3)), (parts, digits * lines * rest, n))
    if parts == 1:
        z = ConcatenateOp.bind(z, full(0.0, z), dimension=0)
    size = 1 << (2 * n - 2).bit_length()
    turns = [k * k % (2 * n) for k in range(n)]
    chirp = _roots_data(2 * n, turns, inverse_, z.dtype)
    spread = [turns[min(k, size - k)] if min(k, size - k) < n else None for k in range(size)]
    table = roots(2 * n)
    sign = -1 if inverse_ else 1  # the other way round
    kernel = [0.0 if k is None else table[k][0] for k in spread]
    kernel += [0.0 if k is None else sign * table[k][1] for k in spread]
    other = _lines(_data(kernel, (2, 1, size), z.dtype), False)
    product = _product(_lines(pad(_product_with(z, chirp), 0.0, (0, 0, 0), (0, 0, size - n)), False), other)
    found = _product_with(slice_axis(_lines(product, True), 2, 0, n), chirp)
    return transpose(reshape(found, (2, digits, lines, rest, n)), (0, 4, 1, 2, 3))


def _product(z: Node, w: Node) -> Node:
    """z times w, parts of one line."""
    size = z.shape[2]
    re, im = (reshape(slice_axis(w, 0, k, k + 1), (1, size)) for k in (0, 1))
    turned = ConcatenateOp.bind(neg(im), im, dimension=0)
    return _product_with(z, (reshape(re, (size,)), turned))


def _product_with(z: Node, roots_: tuple[Node, Node]) -> Node:
    """Each line of parts times roots of unity, given as their cosines (n) and ∓ sines (2, n)."""
    c, s = roots_
    last = z.ndim - 1
    return plus(
        mul(z, broadcast(c, z.shape, (last,))),
        mul(ReverseOp.bind(z, dimensions=(0,)), broadcast(s, z.shape, (0, last))),
    )


def _times_roots(y: Node, n: int, axes: tuple[int, int], inverse_: bool) -> Node:
    """Parts times the n-th roots of unity to the power of the product of the places along two axes."""
    first, second = (y.shape[k] for k in axes)
    turns = [q * k % n for q in range(first) for k in range(second)]
    c, s = _roots_data(n, turns, inverse_, y.dtype)
    c = broadcast(reshape(c, (first, second)), y.shape, axes)
    s = broadcast(reshape(s, (2, first, second)), y.shape, (0, *axes))
    return plus(mul(y, c), mul(ReverseOp.bind(y, dimensions=(0,)), s))


# -- numbers -------------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def roots(n: int) -> list[tuple[float, float]]:
    """cos and sin of k n-ths of a turn, for each k."""
    found = []
    for k in range(n):
        quarter, rest = divmod(4 * k, n)
        if 2 * rest <= n:
            angle = tau / 4 * rest / n
            c, s = cos(angle), sin(angle)
        else:
            angle = tau / 4 * (n - rest) / n
            c, s = sin(angle), cos(angle)
        for _ in range(quarter):
            c, s = -s, c
        found.append((c, s))
    return found


def _roots_data(n: int, turns: Sequence[int], inverse_: bool, dtype: DType) -> tuple[Node, Node]:
    """The cosines of `turns` n-ths of a turn, and their sines, once with either sign, so that (c + is)(x + iy) is c (x, y) + s (y, x)."""
    table, sign = roots(n), 1.0 if inverse_ else -1.0
    sines = [sign * table[k][1] for k in turns]
    c = _data([table[k][0] for k in turns], (len(turns),), dtype)
    return c, _data([*(-v for v in sines), *sines], (2, len(turns)), dtype)


def _matrix(n: int, rows: int, columns: int, inverse_: bool, over: int, dtype: DType) -> Node:
    """The Fourier matrix divided by a number, between parts: (rows, n, columns, n) with 2 rows (columns) for complex results (operands), 1 for real ones."""
    table, sign = roots(n), 1.0 if inverse_ else -1.0
    values = []
    for row in range(rows):
        for q in range(n):
            for column in range(columns):
                for j in range(n):
                    c, s = table[q * j % n]
                    values.append((c if row == column else sign * s * (1 if row else -1)) / over)
    return _data(values, (rows, n, columns, n), dtype)


def _data(values: Sequence[float], shape: Ints, dtype: DType) -> Node:
    """Floats as an array of the program's own."""
    data = struct.pack(f"<{len(values)}{'d' if dtype.bits == 64 else 'f'}", *values)
    element: Any = dtype.type
    value: Any = DenseIntOrFPElementsAttr(TensorType(element, shape), BytesAttr(data))
    return ConstantOp.bind(value=value, shape=tuple(shape), dtype=dtype)

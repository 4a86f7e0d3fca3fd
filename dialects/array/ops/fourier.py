"""Discrete Fourier transforms: `fft` over the last axes, of complex numbers or between real ones and half of a spectrum.

A transform of n = r m elements is transforms of r, a multiplication with roots of unity, and transforms of m elements. Written in the order of T. Stockham ("High-speed
convolution and correlation", 1966), each round takes a factor off the end and puts the digit that it made in front, so that the result comes out in order. A round is one
`array.butterfly`, or for a prime one contraction: real and imaginary parts are one more axis of it. Large prime lengths are convolutions with a chirp
(L. Bluestein, 1970). Roots of unity are computed in double precision, by symmetry from angles below a right one's half, so that errors grow with the number of rounds only.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import cos, lcm, prod, sin, tau
from typing import Any, ClassVar

from xdsl.dialects.builtin import BytesAttr, DenseIntOrFPElementsAttr, TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, batch_front, broadcast, full, literal
from weft.dialects.array.ops.algebra import (
    compare,
    conj,
    imag,
    iota,
    logical_and,
    logical_or,
    make_complex,
    mul,
    neg,
    pad,
    plus,
    real,
    reshape,
    slice_axis,
    sub,
    transpose,
    where,
)
from weft.dialects.array.ops.butterfly import ButterflyOp
from weft.dialects.array.ops.contraction import DotOp
from weft.dialects.array.ops.shape import ConcatenateOp, Dims, Ints, ReverseOp
from weft.dialects.array.ops.slicing import DynamicUpdateSliceOp
from weft.dialects.dtypes import DType, complex_of, int32

KINDS = ("FFT", "IFFT", "RFFT", "IRFFT")

RADIX = 6
"""The largest product of primes that one round takes: rounds of four are fastest, for registers hold what they compute."""

BUTTERFLY = 16
"""The largest prime whose sums are written out."""

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
        if kind == "RFFT":
            z = _half_spectrum(x)
            for axis in axes[:-1]:
                z = _along(z, axis, False)
        else:
            z = ConcatenateOp.bind(_front(real(x)), _front(imag(x)), dimension=0)
            for axis in axes[:-1] if kind == "IRFFT" else reversed(axes):
                z = _along(z, axis, kind != "FFT")
            if kind == "IRFFT":
                return _from_half(z, lengths[-1])
        return make_complex(*(reshape(_part(z, k), result.shape) for k in (0, 1)))


# -- transforms of parts: real arrays with an axis of 2 in front, real and imaginary parts ---------------------------------------------------


def _front(x: Node) -> Node:
    return reshape(x, (1, *x.shape))


def _part(z: Node, which: int) -> Node:
    return slice_axis(z, 0, which, which + 1)


def _half_spectrum(x: Node) -> Node:
    """Of real numbers along the last axis the first half of the spectrum, as parts. For an even number, those at even and at odd places are the real and imaginary parts
    of half as many, whose spectrum is the sum of two that are told apart by symmetry.
    """
    *lead, n = x.shape
    last, m = x.ndim, n // 2
    if n % 2:
        z = _along(ConcatenateOp.bind(_front(x), full(0.0, _front(x)), dimension=0), last, False)
        return slice_axis(z, last, 0, m + 1)
    pairs = transpose(reshape(x, (*lead, m, 2)), (last, *range(last)))
    z = _along(pairs, last, False)
    # from z[k] and the conjugate of z[m - k]; the ends stand for themselves
    here = slice_axis(z, last, 1, m)
    there = ReverseOp.bind(here, dimensions=(last,))
    (a, b), (c, d) = ((_part(v, 0), _part(v, 1)) for v in (here, there))
    cosine, sine = _half_turns(n, 1, a)
    even, odd = (plus(a, c), sub(b, d)), (plus(b, d), sub(c, a))
    re = plus(even[0], sub(mul(odd[0], cosine), mul(odd[1], sine)))
    im = plus(even[1], plus(mul(odd[0], sine), mul(odd[1], cosine)))
    ends = (*(0 for _ in lead), 0, 1)
    whole = pad(mul(ConcatenateOp.bind(re, im, dimension=0), 0.5), 0.0, ends, ends)
    first = slice_axis(z, last, 0, 1)
    re, im = _part(first, 0), _part(first, 1)
    for place, value in ((0, plus(re, im)), (m, sub(re, im))):
        starts = [literal(place if axis == last else 0, int32) for axis in range(last + 1)]
        whole = DynamicUpdateSliceOp.bind(whole, value, *starts)
    return whole


def _from_half(z: Node, n: int) -> Node:
    """The real numbers, n along the last axis, of which parts z are half of the spectrum: `_half_spectrum` backwards. Imaginary parts of what stands for itself do not count."""
    last, m = z.ndim - 1, n // 2
    place = iota(z.shape, last)
    alone = compare(place, "eq", 0)
    if n % 2 == 0:
        alone = logical_or(alone, compare(place, "eq", m))
    z = where(logical_and(alone, compare(iota(z.shape, 0), "eq", 1)), 0.0, z)
    if n % 2:
        mirrored = ReverseOp.bind(slice_axis(z, last, 1, m + 1), dimensions=(last,))
        mirrored = ConcatenateOp.bind(_part(mirrored, 0), neg(_part(mirrored, 1)), dimension=0)
        whole = _along(ConcatenateOp.bind(z, mirrored, dimension=last), last, True)
        return reshape(_part(whole, 0), whole.shape[1:])
    here = slice_axis(z, last, 0, m)
    there = ReverseOp.bind(slice_axis(z, last, 1, m + 1), dimensions=(last,))
    (a, b), (c, d) = ((_part(v, 0), _part(v, 1)) for v in (here, there))
    cosine, sine = _half_turns(n, 0, a)
    even, odd = (plus(a, c), sub(b, d)), (sub(a, c), plus(b, d))
    turned = plus(mul(odd[0], cosine), mul(odd[1], sine)), sub(mul(odd[1], cosine), mul(odd[0], sine))
    pairs = ConcatenateOp.bind(sub(even[0], turned[1]), plus(even[1], turned[0]), dimension=0)
    pairs = _along(mul(pairs, 0.5), last, True)
    return reshape(transpose(pairs, (*range(1, last + 1), 0)), (*z.shape[1:-1], n))


def _half_turns(n: int, start: int, like: Node) -> tuple[Node, Node]:
    """The n-th roots of unity to the powers of -start, -start - 1, … along the last axis."""
    size = like.shape[-1]
    c, s = (_data(part[start : start + size], (size,), like.dtype) for part in roots(n, -1.0))
    return broadcast(c, like.shape, (like.ndim - 1,)), broadcast(s, like.shape, (like.ndim - 1,))


def _along(z: Node, axis: int, inverse_: bool) -> Node:
    """The transform along one axis of parts."""
    shape = z.shape
    flat = reshape(z, (2, prod(shape[1:axis]), shape[axis], prod(shape[axis + 1 :])))
    return reshape(_lines(flat, inverse_), shape)


def _lines(z: Node, inverse_: bool) -> Node:
    """The transforms along axis 2 of parts of shape (2, lines, n, inner)."""
    _, lines, n, inner = z.shape
    if n == 1:
        return z
    digits, rest = 1, n
    y = z
    rounds = factors(n)
    for number, radix in enumerate(rounds):
        last = number == len(rounds) - 1
        over = n if inverse_ and last else 1
        rest //= radix
        y = reshape(y, (2, lines, digits, radix, rest, inner))
        if radix <= BUTTERFLY:
            table = [] if last else [_roots_table(radix, rest, inverse_, z.dtype)]
            y = ButterflyOp.bind(y, *table, inverse=inverse_, over=over)
        else:
            if radix <= DIRECT:
                y = DotOp.bind(_matrix(radix, inverse_, z.dtype), y, contract=((2, 3), (0, 3)), batch=((), ()))
                y = transpose(y, (0, 2, 1, 3, 4, 5))
            else:
                y = _chirped(y, radix, inverse_)
            if over != 1:
                y = mul(y, 1.0 / over)
            if not last:
                y = _times_roots(y, _roots_table(radix, rest, inverse_, z.dtype))
        digits *= radix
    return reshape(y, z.shape)


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
    """One round of large prime size n, of parts (2, lines, digits, n, rest, inner) to (2, lines, n, digits, rest, inner): since jk = (j² + k² - (k - j)²) / 2, it is a
    convolution between two multiplications.
    """
    _, lines, digits, _, rest, inner = y.shape
    z = reshape(transpose(y, (0, 1, 2, 4, 5, 3)), (2, lines * digits * rest * inner, n))
    size = 1 << (2 * n - 2).bit_length()
    turns = [k * k % (2 * n) for k in range(n)]
    chirp = _roots_data(2 * n, turns, inverse_, z.dtype)
    spread = [turns[min(k, size - k)] if min(k, size - k) < n else None for k in range(size)]
    parts = roots(2 * n, -1.0 if inverse_ else 1.0)  # the other way round
    kernel = [0.0 if k is None else part[k] for part in parts for k in spread]
    other = _along(_data(kernel, (2, 1, size), z.dtype), 2, False)
    product = _product(_along(pad(_product_with(z, chirp), 0.0, (0, 0, 0), (0, 0, size - n)), 2, False), other)
    found = _product_with(slice_axis(_along(product, 2, True), 2, 0, n), chirp)
    return transpose(reshape(found, (2, lines, digits, rest, inner, n)), (0, 1, 5, 2, 3, 4))


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


def _times_roots(y: Node, table: Node) -> Node:
    """Parts (2, lines, q, digits, k, inner) times roots of unity (2, q, k), which begin with q 1."""
    first, rest = slice_axis(y, 2, 0, 1), slice_axis(y, 2, 1, y.shape[2])
    c, s = (_part(table, k) for k in (0, 1))
    c = broadcast(reshape(c, table.shape[1:]), rest.shape, (2, 4))
    s = broadcast(ConcatenateOp.bind(neg(s), s, dimension=0), rest.shape, (0, 2, 4))
    turned = plus(mul(rest, c), mul(ReverseOp.bind(rest, dimensions=(0,)), s))
    return ConcatenateOp.bind(first, turned, dimension=2)


# -- numbers -------------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def roots(n: int, sign: float = 1.0) -> tuple[array[float], array[float]]:
    """cos and `sign` sin of k n-ths of a turn, for each k. An eighth of a turn is computed, the others are its mirror images."""
    if sign < 0:
        c, s = roots(n)
        return c, s[:1] + s[:0:-1]
    whole = lcm(n, 8)
    if whole != n:
        c, s = roots(whole)
        return c[:: whole // n], s[:: whole // n]
    eighth = n // 8
    angles = [tau * k / n for k in range(eighth + 1)]
    c, s = array("d", map(cos, angles)), array("d", map(sin, angles))
    c, s = c + s[eighth - 1 : 0 : -1], s + c[eighth - 1 : 0 : -1]  # a quarter
    minus_c, minus_s = (array("d", map(float.__neg__, v)) for v in (c, s))
    return c + minus_s + minus_c + s, s + c + minus_s + minus_c


def _roots_data(n: int, turns: Sequence[int], inverse_: bool, dtype: DType) -> tuple[Node, Node]:
    """The cosines of `turns` n-ths of a turn, and their sines, once with either sign, so that (c + is)(x + iy) is c (x, y) + s (y, x)."""
    c, s = roots(n, 1.0 if inverse_ else -1.0)
    sines = [s[k] for k in turns]
    cosines = _data([c[k] for k in turns], (len(turns),), dtype)
    return cosines, _data([*(-v for v in sines), *sines], (2, len(turns)), dtype)


def _roots_table(radix: int, rest: int, inverse_: bool, dtype: DType) -> Node:
    """For q from 1 to radix and k < rest the root of unity that a round multiplies by, as parts: (2, radix - 1, rest)."""
    values = array("d")
    for part in roots(radix * rest, 1.0 if inverse_ else -1.0):
        for q in range(1, radix):
            values += part[: q * rest : q]
    return _data(values, (2, radix - 1, rest), dtype)


def _matrix(n: int, inverse_: bool, dtype: DType) -> Node:
    """The Fourier matrix between parts: (2, n, 2, n)."""
    c, s = roots(n, 1.0 if inverse_ else -1.0)
    values = []
    for row in range(2):
        for q in range(n):
            for column in range(2):
                for j in range(n):
                    k = q * j % n
                    values.append(c[k] if row == column else s[k] if row else -s[k])
    return _data(values, (2, n, 2, n), dtype)


def _data(values: Iterable[float], shape: Ints, dtype: DType) -> Node:
    """Floats as an array of the program's own."""
    data = array("d" if dtype.bits == 64 else "f", values).tobytes()
    element: Any = dtype.element
    value: Any = DenseIntOrFPElementsAttr(TensorType(element, shape), BytesAttr(data))
    return ConstantOp.bind(value=value, shape=tuple(shape), dtype=dtype)

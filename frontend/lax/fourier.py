"""The Fourier transform over the last axes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import complex_of, float32, float64
from weft.lax.base import ArrayLike, convert, integers

__all__ = ["FftType", "fft"]


class FftType(Enum):
    """Which transform: of complex numbers or its inverse, from real ones to half of a spectrum or back."""

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


def fft(x: ArrayLike, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Array:
    """The discrete Fourier transform over the last axes, whose lengths are given. IFFT and IRFFT divide by their product.

    Operands become complex (floating, for RFFT); an IRFFT takes n // 2 + 1 elements for a last length n.
    """
    if isinstance(fft_type, str):
        if fft_type.upper() not in FftType.__members__:
            raise ValueError(f"Unknown FFT type '{fft_type}'")
        kind = FftType[fft_type.upper()]
    elif isinstance(fft_type, FftType):
        kind = fft_type
    else:
        raise TypeError(f"Unknown FFT type value '{fft_type}'")
    node, lengths = lift(x), integers(fft_lengths, "fft_lengths")
    floating = node.dtype if node.dtype.is_inexact else float64 if node.dtype.bits == 64 else float32
    if kind is FftType.RFFT:
        if node.dtype.kind == "c":
            raise ValueError("only real valued inputs supported for rfft")
        node = convert(node, floating)
    elif node.dtype.kind != "c":
        node = convert(node, complex_of(floating))
    return wrap(ops.FftOp.bind(node, kind=kind.name, lengths=lengths) if lengths else node)

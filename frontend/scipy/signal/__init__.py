"""Signals (`jax.scipy.signal`): convolutions, spectra, trends."""

from weft.scipy.signal.convolution import convolve, convolve2d, correlate, correlate2d, fftconvolve
from weft.scipy.signal.spectrum import csd, istft, stft, welch
from weft.scipy.signal.trend import detrend

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "detrend",
    "fftconvolve",
    "istft",
    "stft",
    "welch",
]

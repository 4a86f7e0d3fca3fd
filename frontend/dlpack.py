"""Arrays from other libraries, without a copy where memory allows (`jax.dlpack`)."""

from __future__ import annotations

from weft.numpy.exchange import from_dlpack

__all__ = ["from_dlpack"]

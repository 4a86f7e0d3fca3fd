"""Arrays to and from other libraries through the DLPack protocol, without a copy where memory allows (`jax.dlpack`)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from weft.dialects.dtypes import ALL, as_dtype
from weft.numpy import exchange

if TYPE_CHECKING:
    from weft.array import Array

__all__ = ["from_dlpack", "is_supported_dtype"]


def from_dlpack(external_array: Any, device: Any = None, copy: bool | None = None) -> Array:
    """The array of another library. See `weft.numpy.from_dlpack`."""
    return exchange.from_dlpack(external_array, device=device, copy=copy)


def is_supported_dtype(dtype: Any) -> bool:
    """Whether arrays of a dtype can be exchanged: all can, keys and float0 apart."""
    return as_dtype(dtype) in ALL


class DLDeviceType(IntEnum):
    """Where memory is, by the numbers of DLPack's header `dlpack.h`. Arrays are handed over in the host's memory."""

    kDLCPU = 1


def capsule(
    x: Array, stream: Any, max_version: tuple[int, int] | None, dl_device: tuple[int, int] | None, copy: bool | None
) -> Any:
    """What `x.__dlpack__()` gives: a capsule with a copy of an array that the consumer may write to or, with `copy=False`, with its own memory, which must only be read.

    Raises ValueError for a stream, and BufferError for another device than the host, and for `copy=False` where the array lies elsewhere or the consumer does not know of
    memory that must not be written to (`max_version` before 1.0).
    """
    if stream is not None:
        raise ValueError(f"__dlpack__: the host's memory has no streams; stream must be None, got {stream}")
    if dl_device is not None and tuple(dl_device) != (DLDeviceType.kDLCPU, 0):
        raise BufferError(f"__dlpack__: arrays are handed over in the host's memory, (1, 0), not on {dl_device}")
    if copy is False and not x.device.backend.host_memory:
        raise BufferError(f"__dlpack__: an array on {x.device} is copied to the host; copy=False cannot be done")
    data = x.__array__(copy=copy is not False)
    return data.__dlpack__() if max_version is None else data.__dlpack__(max_version=max_version)

"""Where arrays meet the host: bytes in and out, without NumPy.

Whatever has the buffer protocol comes in as bytes (a NumPy array is asked, by its own methods, to be contiguous and of the right dtype); a Python scalar is packed by `struct`.
"""

from __future__ import annotations

import struct
from array import array as PackedArray
from collections.abc import Iterator, Sequence
from math import copysign, inf
from typing import Any

from weft.config import config
from weft.devices import Device, current_device
from weft.dialects import dtypes
from weft.dialects.array.node import Aval, Node, aval, leaf
from weft.dialects.dtypes import DType, as_dtype

_CODES = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "complex64": "f",
    "complex128": "d",
}
"""`struct`'s letter for each dtype (complex: of each part)."""

_FORMATS = {code: name for name, code in _CODES.items() if not name.startswith("complex")} | {
    "l": "int64" if struct.calcsize("l") == 8 else "int32",
    "L": "uint64" if struct.calcsize("L") == 8 else "uint32",
}
_NARROW = {
    dtypes.float64: dtypes.float32,
    dtypes.int64: dtypes.int32,
    dtypes.uint64: dtypes.uint32,
    dtypes.complex128: dtypes.complex64,
}


def canonical(dtype: object) -> DType:
    """The dtype that an array of `dtype` has: 64-bit ones become 32-bit, unless `enable_x64` is set."""
    dtype = as_dtype(dtype)
    return dtype if config.enable_x64 else _NARROW.get(dtype, dtype)


def from_host(data: Any, dtype: object = None, device: Device | None = None) -> Node:
    """A leaf with a copy of host data: a NumPy array or scalar, or anything with the buffer protocol (or `__array__`).

    `dtype` converts. Raises TypeError for what is not an array, or one of a dtype that weft does not have.
    """
    if not hasattr(data, "dtype") and hasattr(data, "__array__"):
        data = data.__array__()
    if not hasattr(data, "dtype"):
        data = _Packed(memoryview(data))
    given = as_dtype(data.dtype)
    wanted = canonical(given if dtype is None else dtype)
    if wanted is not given or getattr(data.dtype, "byteorder", "=") == ">":
        data = data.astype(wanted.name)
    if not getattr(getattr(data, "flags", None), "c_contiguous", True):
        data = data.copy()
    a = aval(data.shape, wanted)
    return leaf(a, (device or current_device()).backend.put(getattr(data, "bytes", data), a), device=device)


class _Packed:
    """Host memory that is not NumPy's, with what `from_host` needs of an array: a dtype, a shape, a conversion."""

    def __init__(self, view: memoryview):
        code = view.format.lstrip("@=<")
        if code not in _FORMATS:
            raise TypeError(f"a buffer with elements of format {view.format!r} is not a valid array type")
        self.bytes, self.shape, self.dtype = view.tobytes(), view.shape, as_dtype(_FORMATS[code])

    def astype(self, name: str) -> _Packed:
        elements = struct.unpack(f"<{len(self.bytes) // self.dtype.itemsize}{_CODES[self.dtype.name]}", self.bytes)
        made = _Packed(memoryview(PackedArray(_CODES[name], elements)))
        made.shape = self.shape
        return made


def pack(value: Any, dtype: DType) -> bytes:
    """A Python scalar as an element. Floats that are too large become infinite; integers raise OverflowError."""
    code = _CODES[dtype.name]
    if dtype.kind == "c":
        return pack(value.real, _part(dtype)) + pack(value.imag, _part(dtype))
    if dtype.kind == "f":
        try:
            return struct.pack(f"<{code}", value)
        except OverflowError:
            return struct.pack(f"<{code}", copysign(inf, value))
    try:
        return struct.pack(f"<{code}", value if dtype.kind != "b" else bool(value))
    except struct.error as error:
        raise OverflowError(f"Python int {value} too large to convert to {dtype}") from error


def _part(dtype: DType) -> DType:
    return dtypes.float32 if dtype is dtypes.complex64 else dtypes.float64


def unpack(data: memoryview, a: Aval) -> list[Any]:
    """The elements as Python scalars, in row-major order."""
    code = _CODES[a.dtype.name]
    if a.dtype.kind == "c":
        parts = struct.unpack(f"<{2 * a.size}{code}", data)
        return [complex(re, im) for re, im in zip(parts[::2], parts[1::2], strict=True)]
    return list(struct.unpack(f"<{a.size}{code}", data))


def nest(elements: Sequence[Any], shape: Sequence[int]) -> Any:
    """Elements in row-major order as nested lists of a shape; one element for the shape ()."""

    def level(source: Iterator[Any], sizes: Sequence[int]) -> Any:
        return [level(source, sizes[1:]) for _ in range(sizes[0])] if sizes else next(source)

    return level(iter(elements), shape)

"""Where arrays meet the host: bytes in and out, without NumPy.

Whatever has the buffer protocol comes in as bytes (a NumPy array is asked, by its own methods, to be contiguous and of the right dtype); a Python scalar is packed by `struct`.
"""

from __future__ import annotations

import struct
import sys
import warnings
from collections.abc import Iterator, Sequence
from copy import copy
from math import copysign, inf
from typing import Any

from weft.config import config
from weft.devices import Device, current_device
from weft.dialects import dtypes
from weft.dialects.array.node import Aval, Node, aval, leaf
from weft.dialects.array.op import zeros
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
"""`struct`'s letter for each dtype (complex: of each part; bfloat16, which it does not know, is the upper half of a float32)."""

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
    """The dtype that an array of `dtype` has: 64-bit ones become 32-bit, unless `enable_x64` is set.

    Who asks for one by name (or by NumPy's or weft's type of that name) is warned, as by JAX; Python's types and the dtypes of results say no more than a kind.
    """
    found = as_dtype(dtype)
    if config.enable_x64 or found not in _NARROW:
        return found
    if not any(dtype is t for t in (found, int, float, complex)):
        warnings.warn(
            f"Explicitly requested dtype {found} is not available, and will be truncated to dtype {_NARROW[found]}. "
            "To enable more dtypes, set the jax_enable_x64 configuration option or the WEFT_ENABLE_X64 shell environment variable.",
            stacklevel=outside(),
        )
    return _NARROW[found]


def outside() -> int:
    """How many frames above the caller the user's program is: the `stacklevel` of a warning."""
    frame, level = sys._getframe(2), 2
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "weft":
        frame, level = frame.f_back, level + 1
    return level


def from_host(data: Any, dtype: object = None, device: Device | None = None) -> Node:
    """A leaf with a copy of host data: a NumPy array or scalar, or anything with the buffer protocol (or `__array__`).

    `dtype` converts. Raises TypeError for what is not an array, or one of a dtype that weft does not have.
    """
    if not hasattr(data, "dtype") and hasattr(data, "__array__"):
        data = data.__array__()
    if not hasattr(data, "dtype"):
        data = _Packed(memoryview(data))
    given = as_dtype(data.dtype)
    if given is dtypes.float0:
        return zeros(aval(data.shape, given))
    wanted = canonical(given if dtype is None else dtype)
    if wanted is not given or getattr(data.dtype, "byteorder", "=") == ">":
        data = _converted(data, given, wanted)
    if not getattr(getattr(data, "flags", None), "c_contiguous", True):
        data = data.copy()
    a = aval(data.shape, wanted)
    if wanted is dtypes.bfloat16 and hasattr(data, "view"):
        data = data.view("uint16")  # ml_dtypes' arrays are no buffers
    return leaf(a, (device or current_device()).backend.put(getattr(data, "bytes", data), a), device=device)


def _converted(data: Any, given: DType, wanted: DType) -> Any:
    """Host data in another dtype (or byte order). Floats become integers as they do on devices: clamped, NaN as 0."""
    if isinstance(data, _Packed):
        return data.astype(wanted)
    if given.kind == "c" and wanted.kind != "c":
        data, given = data.real, given.part
    if given.kind == "f" and wanted.is_integer:
        import numpy as np

        from weft.dialects.array.ops import ConvertOp

        with np.errstate(all="ignore"):
            return ConvertOp.reference(np, data.astype(given.dtype), dtype=wanted)
    return data.astype(wanted.dtype)


class _Packed:
    """Host memory that is not NumPy's, with what `from_host` needs of an array: a dtype, a shape, a conversion."""

    def __init__(self, view: memoryview):
        code = view.format.lstrip("@=<")
        if code not in _FORMATS:
            raise TypeError(f"a buffer with elements of format {view.format!r} is not a valid array type")
        self.bytes, self.shape, self.dtype = view.tobytes(), tuple(view.shape or ()), as_dtype(_FORMATS[code])

    def astype(self, dtype: DType) -> _Packed:
        elements = unpack(memoryview(self.bytes), aval(self.shape, self.dtype))
        made = copy(self)
        made.dtype, made.bytes = dtype, b"".join(pack(clamped(v, dtype), dtype) for v in elements)
        return made


def pack(value: Any, dtype: DType) -> bytes:
    """A Python scalar as an element. Floats that are too large become infinite; integers raise OverflowError."""
    if dtype.kind == "c":
        return pack(value.real, dtype.part) + pack(value.imag, dtype.part)
    if dtype is dtypes.bfloat16:
        return dtypes.bfloat16_bits(value).to_bytes(2, "little")
    code = _CODES[dtype.name]
    if dtype.kind == "f":
        try:
            return struct.pack(f"<{code}", value)
        except OverflowError:
            return struct.pack(f"<{code}", copysign(inf, value))
    try:
        return struct.pack(f"<{code}", value if dtype.kind != "b" else bool(value))
    except struct.error as error:
        raise OverflowError(f"Python int {value} too large to convert to {dtype}") from error


def clamped(value: Any, dtype: DType) -> Any:
    """A number that `pack` takes for a dtype, as a conversion gives it: integers wrap around, floats are truncated and clamped, NaN is 0."""
    if dtype.kind == "c":
        return value
    value = value.real
    if not dtype.is_integer:
        return value != 0 if dtype.kind == "b" else value
    low = -(1 << (dtype.bits - 1)) if dtype.kind == "i" else 0
    if isinstance(value, float):
        high = low + (1 << dtype.bits) - 1
        return 0 if value != value else high if value > high else low if value < low else int(value)
    return (int(value) - low) % (1 << dtype.bits) + low


def unpack(data: memoryview, a: Aval) -> list[Any]:
    """The elements as Python scalars, in row-major order."""
    if a.dtype is dtypes.bfloat16:
        halves = struct.unpack(f"<{a.size}H", data)
        return list(struct.unpack(f"<{a.size}f", struct.pack(f"<{a.size}I", *(h << 16 for h in halves))))
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

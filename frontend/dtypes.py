"""dtypes as a module of their own (`jax.dtypes`): what arrays can hold, how types are promoted, and the dtype of what does not vary (`float0`)."""

from __future__ import annotations

from typing import Any

from weft.dialects.dtypes import DType, as_dtype, bfloat16, float0
from weft.errors import TypePromotionError
from weft.host import canonical
from weft.numpy import dtypes
from weft.numpy.dtypes import dtype_of, extended, finfo, iinfo, prng_key, weak_result_type

__all__ = [
    "TypePromotionError", "bfloat16", "canonicalize_dtype", "extended", "finfo", "float0", "iinfo", "issubdtype", "itemsize_bits", "prng_key",
    "result_type", "scalar_type_of",
]  # fmt: skip


def result_type(*args: Any, return_weak_type_flag: bool = False) -> Any:
    """The dtype that arrays, scalars and dtypes are promoted to; with the flag, a pair of it and of whether it is weak."""
    found = weak_result_type(*args)
    return found if return_weak_type_flag else found[0]


def issubdtype(a: Any, b: Any) -> bool:
    """Whether a dtype is another, or belongs to a family: `weft.numpy.issubdtype`."""
    return dtypes.issubdtype(a, b)


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> DType:
    """The dtype that an array of `dtype` has: 64-bit ones become 32-bit, unless `enable_x64` is set."""
    return canonical(dtype)


def itemsize_bits(dtype: Any) -> int:
    """The bits of an element."""
    return as_dtype(dtype).bits


def scalar_type_of(x: Any) -> type:
    """The Python type of scalars that an array or a number is promoted like: bool, int, float or complex."""
    if isinstance(x, (bool, int, float, complex)) and not hasattr(x, "dtype"):
        return type(x)
    kind = as_dtype(dtype_of(x)).kind
    return {"b": bool, "i": int, "u": int, "f": float, "c": complex}[kind]

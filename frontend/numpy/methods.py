"""Methods of arrays whose arguments are other than those of the function of the same name, or which are no function at all."""

from __future__ import annotations

import builtins
from typing import Any

from weft import lax
from weft.array import Array
from weft.dialects import dtypes
from weft.host import canonical
from weft.numpy.dtypes import astype as _astype
from weft.numpy.elementwise import round as _round
from weft.numpy.manipulation import ravel as _ravel
from weft.numpy.manipulation import reshape as _reshape
from weft.numpy.manipulation import transpose as _transpose
from weft.numpy.selection import compress as _compress


def reshape(self: Array, *shape: Any, order: str = "C") -> Array:
    """The same elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
    return _reshape(self, shape[0] if len(shape) == 1 else shape, order)


def transpose(self: Array, *axes: Any) -> Array:
    """The axes in another order, reversed if none is given."""
    return _transpose(self, axes[0] if len(axes) == 1 else axes or None)


def astype(self: Array, dtype: Any, copy: bool = False, device: Any = None) -> Array:
    """The elements in another dtype."""
    return _astype(self, dtype, copy=copy, device=device)


def flatten(self: Array, order: str = "C") -> Array:
    """The elements as a vector."""
    return _ravel(self, order)


def view(self: Array, dtype: Any = None, type: None = None) -> Array:
    """The same bits as another dtype; the last axis grows or shrinks if its elements are narrower or wider."""
    if type is not None:
        raise NotImplementedError("`type` argument of array.view() is not supported.")
    if dtype is None:
        return self
    wanted = canonical(dtype)
    ratio = self.dtype.itemsize / wanted.itemsize
    if ratio != 1 and not self.shape:
        raise ValueError(f"view() cannot change the itemsize of a 0d array: {self.dtype} to {wanted}")
    if self.dtype is dtypes.bool_ or wanted is dtypes.bool_:  # a byte on both sides, but one bit of it counts
        x = lax.convert_element_type(self, dtypes.uint8) if self.dtype is dtypes.bool_ else self
        return x.view(wanted) if wanted is not dtypes.bool_ else lax.convert_element_type(x.view(dtypes.uint8), wanted)
    if ratio < 1:
        count = builtins.round(1 / ratio)
        if self.shape[-1] % count:
            raise ValueError(
                f"view(): the last axis, of {self.shape[-1]} elements of {self.dtype}, must be divisible by {count} to be read as {wanted}"
            )
        return lax.bitcast_convert_type(lax.reshape(self, (*self.shape[:-1], self.shape[-1] // count, count)), wanted)
    found = lax.bitcast_convert_type(self, wanted)
    return lax.reshape(found, (*self.shape[:-1], self.shape[-1] * builtins.round(ratio))) if ratio > 1 else found


def byteswap(self: Array) -> Array:
    """The elements with their bytes in the other order."""
    if self.dtype.itemsize == 1:
        return self
    if self.dtype.kind == "c":
        return lax.complex(self.real.byteswap(), self.imag.byteswap())
    pieces = lax.bitcast_convert_type(self, dtypes.uint8)
    return lax.bitcast_convert_type(lax.rev(pieces, (pieces.ndim - 1,)), self.dtype)


def compress(
    self: Array,
    condition: Any,
    axis: int | None = None,
    *,
    out: None = None,
    size: int | None = None,
    fill_value: Any = 0,
) -> Array:
    """The parts along an axis where a condition holds."""
    return _compress(condition, self, axis, size=size, fill_value=fill_value, out=out)


def __round__(self: Array, ndigits: int | None = None) -> Array:
    """round(x) is an array of integers, round(x, n) one rounded to n decimals."""
    found = _round(self, ndigits or 0)
    return found if ndigits is not None else found.astype(int)

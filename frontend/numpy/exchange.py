"""To and from other forms: text, files in NumPy's format, other libraries' arrays.

Files and printing are NumPy's own business, so it is imported here, when one of these is called.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from weft.array import Array, put
from weft.devices import get_device
from weft.host import canonical
from weft.lax.base import DTypeLike
from weft.numpy.creation import array as make_array

__all__ = [
    "array_repr", "array_str", "from_dlpack", "fromfile", "fromiter", "fromstring", "get_printoptions", "isscalar", "iterable",
    "load", "printoptions", "save", "savez", "set_printoptions",
]  # fmt: skip


# -- arrays of other libraries


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array of another library, through the DLPack protocol. Its data is copied. Raises ValueError for `copy=False` where that cannot be done."""
    if isinstance(x, Array):
        if copy is False and device is not None and get_device(device) is not x.device:
            raise ValueError(f"from_dlpack: an array on {x.device} is copied to {device}; copy=False cannot be done")
        return put(x, None if device is None else get_device(device))
    if not hasattr(x, "__dlpack__"):
        raise TypeError(
            f"The array passed to from_dlpack must have __dlpack__ and __dlpack_device__ methods, got {type(x)}"
        )
    if copy is False:
        raise ValueError("from_dlpack: memory of other libraries is always copied; copy=False cannot be done")
    import numpy as np

    found = make_array(np.from_dlpack(x))
    return found if device is None else put(found, get_device(device))


# -- text, files


def fromstring(string: str, dtype: DTypeLike = float, count: int = -1, *, sep: str) -> Array:
    """A vector of the numbers in a text, which a separator keeps apart."""
    import numpy as np

    return make_array(np.fromstring(string, canonical(dtype).name, count, sep=sep))


def fromfile(*args: Any, **kwargs: Any) -> Array:
    """Refused, as JAX refuses it: read the file with `numpy.fromfile`, and make an array of that."""
    raise NotImplementedError(
        "jnp.fromfile() is not implemented because it may be non-pure and thus unsafe for use with JIT and other transformations. "
        "Consider using jnp.asarray(np.fromfile(...)) instead."
    )


def fromiter(*args: Any, **kwargs: Any) -> Array:
    """Refused, as JAX refuses it: make an array of a list instead."""
    raise NotImplementedError(
        "jnp.fromiter() is not implemented because it may be non-pure and thus unsafe for use with JIT and other transformations. "
        "Consider using jnp.asarray(np.fromiter(...)) instead."
    )


def save(file: Any, arr: Any, allow_pickle: bool = True) -> None:
    """Writes an array to a file (`.npy`)."""
    import numpy as np

    np.save(file, np.asarray(arr), allow_pickle)


def savez(file: Any, *args: Any, allow_pickle: bool = True, **kwds: Any) -> None:
    """Writes several arrays to one file (`.npz`): `arr_0`, …, and by their names."""
    import numpy as np

    np.savez(
        file, *map(np.asarray, args), allow_pickle=allow_pickle, **{name: np.asarray(a) for name, a in kwds.items()}
    )


def load(file: Any, *args: Any, **kwargs: Any) -> Any:
    """An array from a file (`.npy`), or a mapping of those in one (`.npz`)."""
    import numpy as np

    found = np.load(file, *args, **kwargs)
    return make_array(found) if isinstance(found, np.ndarray) else found


# -- printing


def array_repr(
    arr: Any, max_line_width: int | None = None, precision: int | None = None, suppress_small: bool | None = None
) -> str:
    """The representation of an array."""
    import numpy as np

    array = np.asarray(arr)
    text = np.array2string(array, max_line_width, precision, suppress_small, separator=", ", prefix="Array(")
    return f"Array({text}, dtype={array.dtype})"


def array_str(
    a: Any, max_line_width: int | None = None, precision: int | None = None, suppress_small: bool | None = None
) -> str:
    """The elements of an array as text."""
    import numpy as np

    return np.array_str(np.asarray(a), max_line_width, precision, suppress_small)


def set_printoptions(*args: Any, **kwargs: Any) -> None:
    """Says how arrays are printed: NumPy's options, which hold for its arrays too."""
    import numpy as np

    np.set_printoptions(*args, **kwargs)


def get_printoptions() -> dict[str, Any]:
    """How arrays are printed."""
    import numpy as np

    return dict(np.get_printoptions())


def printoptions(*args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
    """`set_printoptions` for the length of a `with` statement."""
    import numpy as np

    return np.printoptions(*args, **kwargs)


# -- what a value is


def isscalar(element: Any) -> bool:
    """Whether a value is a number, a string, or an array of rank 0."""
    if hasattr(element, "ndim") and hasattr(element, "dtype"):
        return element.ndim == 0
    return isinstance(element, (numbers.Number, str, bytes))


def iterable(y: Any) -> bool:
    """Whether a value can be iterated over."""
    return isinstance(y, Iterable) and getattr(y, "ndim", 1) != 0

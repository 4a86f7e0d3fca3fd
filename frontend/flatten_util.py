"""A pytree of arrays as one vector, and back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import weft.numpy as wnp
from weft.array import Array
from weft.tree_util import tree_flatten


def ravel_pytree(pytree: Any) -> tuple[Array, Callable[[Array], Any]]:
    """The leaves, promoted to one dtype, one after the other in a vector; and the function from such a vector back to a pytree of the leaves' shapes and dtypes.

    That function raises ValueError for a vector of another length, TypeError for one of another dtype.
    """
    leaves, tree = tree_flatten(pytree)
    if not leaves:
        return wnp.zeros(0), lambda vector: tree.unflatten([])
    arrays = [wnp.asarray(x) for x in leaves]
    dtype = wnp.result_type(*arrays)
    ends = list(accumulate(a.size for a in arrays))

    def unravel(vector: Array) -> Any:
        vector = wnp.asarray(vector)
        if vector.shape != (ends[-1],):
            raise ValueError(
                f"The unravel function expected an input of shape {(ends[-1],)}, but got shape {vector.shape}."
            )
        if vector.dtype != dtype:
            raise TypeError(f"unravel function given array of dtype {vector.dtype}, but expected dtype {dtype}")
        parts = wnp.split(vector, ends[:-1])
        return tree.unflatten([p.reshape(a.shape).astype(a.dtype) for p, a in zip(parts, arrays, strict=True)])

    return wnp.concatenate([a.ravel().astype(dtype) for a in arrays]), unravel

"""Those functions of two elements that are `ufunc` objects, as in JAX, with the whole-array operations that their methods go by."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import bool_
from weft.lax.base import ArrayLike, DTypeLike, axis_index, convert
from weft.numpy import elementwise, reductions
from weft.numpy.ufunc import ufunc

__all__ = [
    "add", "bitwise_and", "bitwise_or", "bitwise_xor", "logaddexp", "logaddexp2", "logical_and", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "negative", "subtract",
]  # fmt: skip


def _of_truth(reduction: Callable[..., Array]) -> Callable[..., Array]:
    """`all` or `any`, which `initial` and `where` extend as other reductions."""

    def reduce(a: ArrayLike, axis: Any, keepdims: bool, initial: Any, where: Any, dtype: DTypeLike = None) -> Array:
        found = reduction(a, axis, keepdims=keepdims, where=where)
        if initial is None:
            return found
        return (elementwise.logical_and if reduction is reductions.all else elementwise.logical_or)(found, initial)

    return reduce


def _running(kind: str) -> Callable[..., Array]:
    def accumulate(a: ArrayLike, axis: int, dtype: DTypeLike = None) -> Array:
        node = lift(a)
        x = wrap(node if dtype is None else convert(node, lax.convert_element_type(a, dtype).dtype))
        return wrap(ops.CumulateOp.bind(x._node, kind=kind, axis=axis_index(axis, x.ndim), reverse=False))

    return accumulate


def _update(method: str) -> Callable[..., Array]:
    def at(x: Array, indices: Any, b: ArrayLike) -> Array:
        if x.dtype is bool_:  # truth values add up and multiply as numbers
            return at(x.astype(int), indices, b).astype(bool)
        return getattr(x.at[indices], method)(b)

    return at


add = ufunc(elementwise.add, 2, 1, identity=0, reduce=reductions.sum, accumulate=reductions.cumsum, at=_update("add"))
multiply = ufunc(
    elementwise.multiply,
    2,
    1,
    identity=1,
    reduce=reductions.prod,
    accumulate=reductions.cumprod,
    at=_update("multiply"),
)
subtract = ufunc(elementwise.subtract, 2, 1, at=_update("subtract"))
negative = ufunc(elementwise.negative, 1, 1)
maximum = ufunc(elementwise.maximum, 2, 1, reduce=reductions.max, accumulate=_running("max"), at=_update("max"))
minimum = ufunc(elementwise.minimum, 2, 1, reduce=reductions.min, accumulate=_running("min"), at=_update("min"))
logaddexp = ufunc(elementwise.logaddexp, 2, 1, identity=-inf)
logaddexp2 = ufunc(elementwise.logaddexp2, 2, 1, identity=-inf)
bitwise_and = ufunc(elementwise.bitwise_and, 2, 1, identity=-1)
bitwise_or = ufunc(elementwise.bitwise_or, 2, 1, identity=0)
bitwise_xor = ufunc(elementwise.bitwise_xor, 2, 1, identity=0)
logical_and = ufunc(elementwise.logical_and, 2, 1, identity=True, reduce=_of_truth(reductions.all))
logical_or = ufunc(elementwise.logical_or, 2, 1, identity=False, reduce=_of_truth(reductions.any))
logical_xor = ufunc(elementwise.logical_xor, 2, 1, identity=False)

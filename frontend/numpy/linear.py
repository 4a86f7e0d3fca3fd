"""Multiplying and adding up: products of vectors, matrices and tensors, einsum. All of them are one `dot_general` or a few."""

from __future__ import annotations

import operator
from typing import Any

from weft import lax
from weft.array import Array, wrap
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, axis_index, axis_indices, convert
from weft.numpy.elementwise import conj, multiply
from weft.numpy.manipulation import broadcast_to, moveaxis, ravel
from weft.numpy.promotion import promote_arrays, same_dtype, to_inexact

__all__ = [
    "convolve", "correlate", "cross", "dot", "inner", "kron", "matmul", "matvec", "outer", "tensordot", "vdot", "vecdot",
    "vecmat",
]  # fmt: skip


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    x, y = (wrap(n) for n in same_dtype(a, b))
    return x, y


def _typed(x: Array, preferred: DTypeLike) -> Array:
    return x if preferred is None else wrap(convert(x._node, canonical(preferred)))


def dot(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """The last axis of a contracted with the last but one of b (or its only one); a product if either is a scalar."""
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return _typed(multiply(x, y), preferred_element_type)
    axes = (((x.ndim - 1,), (max(0, y.ndim - 2),)), ((), ()))
    return lax.dot_general(x, y, axes, precision, preferred_element_type)


def matmul(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """Products of matrices in the last two axes, the axes before them broadcast; vectors stand for rows on the left, columns on the right."""
    x, y = _pair(a, b)
    for position, operand in enumerate((x, y)):
        if operand.ndim == 0:
            raise ValueError(f"matmul input operand {position} must have ndim at least 1, but it has ndim 0")
    if x.ndim <= 2 and y.ndim <= 2:
        axes = (((x.ndim - 1,), (max(0, y.ndim - 2),)), ((), ()))
        return lax.dot_general(x, y, axes, precision, preferred_element_type)
    if y.ndim <= 2:  # the left one's leading axes are free axes
        axes = (((x.ndim - 1,), (y.ndim - 2 if y.ndim == 2 else 0,)), ((), ()))
        return lax.dot_general(x, y, axes, precision, preferred_element_type)
    row = x.ndim == 1
    left = lax.expand_dims(x, (0,)) if row else x
    column = y.ndim == 1
    right = lax.expand_dims(y, (1,)) if column else y
    batch = lax.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = broadcast_to(left, (*batch, *left.shape[-2:]))
    right = broadcast_to(right, (*batch, *right.shape[-2:]))
    rank = len(batch) + 2
    leading = tuple(range(len(batch)))
    out = lax.dot_general(
        left, right, (((rank - 1,), (rank - 2,)), (leading, leading)), precision, preferred_element_type
    )
    return lax.squeeze(out, [rank - 2] if row else [rank - 1] if column else [])


def vdot(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """The sum of products of all elements, those of `a` conjugated."""
    return dot(ravel(conj(a)), ravel(b), precision=precision, preferred_element_type=preferred_element_type)


def vecdot(
    x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The sum of products along an axis, the elements of `x1` conjugated, the other axes broadcast."""
    x, y = _pair(conj(x1), x2)
    x, y = (moveaxis(v, axis_index(axis, v.ndim), -1) for v in (x, y))
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"vecdot requires arrays of one size along the contracted axis, got {x.shape[-1]} and {y.shape[-1]}"
        )
    out = matmul(
        lax.expand_dims(x, (x.ndim - 1,)), lax.expand_dims(y, (y.ndim,)), preferred_element_type=preferred_element_type
    )
    return lax.squeeze(out, (out.ndim - 2, out.ndim - 1))


def matvec(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Matrices times vectors, the axes before them broadcast."""
    x, y = _cores(x1, x2, 2, 1, "matvec")
    return lax.squeeze(found := matmul(x, lax.expand_dims(y, (y.ndim,))), (found.ndim - 1,))


def vecmat(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Conjugated vectors times matrices, the axes before them broadcast."""
    x, y = _cores(x1, x2, 1, 2, "vecmat")
    return lax.squeeze(found := matmul(lax.expand_dims(conj(x), (x.ndim - 1,)), y), (found.ndim - 2,))


def _cores(x1: ArrayLike, x2: ArrayLike, first: int, second: int, name: str) -> tuple[Array, Array]:
    x, y = _pair(x1, x2)
    for position, (v, rank) in enumerate(((x, first), (y, second))):
        if v.ndim < rank:
            raise ValueError(
                f"{name} input operand {position} must have ndim at least {rank}, but it has ndim {v.ndim}"
            )
    return x, y


def inner(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """The last axes contracted; a product if either is a scalar."""
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return _typed(multiply(x, y), preferred_element_type)
    return lax.dot_general(x, y, (((x.ndim - 1,), (y.ndim - 1,)), ((), ())), precision, preferred_element_type)


def outer(a: ArrayLike, b: ArrayLike, out: None = None) -> Array:
    """All products of an element of a with one of b."""
    return multiply(lax.expand_dims(ravel(a), (1,)), lax.expand_dims(ravel(b), (0,)))


def tensordot(
    a: ArrayLike, b: ArrayLike, axes: Any = 2, *, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The last axes of a contracted with the first of b (`axes`: how many), or pairs of axes: (of a, of b)."""
    x, y = _pair(a, b)
    if isinstance(axes, (tuple, list)):
        if len(axes) != 2:
            raise TypeError(
                f"tensordot axes argument must be an int, a pair of ints, or a pair of lists/tuples of ints, got {axes}."
            )
        left, right = axis_indices(axes[0], x.ndim), axis_indices(axes[1], y.ndim)
    else:
        count = operator.index(axes)
        if not 0 <= count <= min(x.ndim, y.ndim):
            raise TypeError(
                f"tensordot axes={count} exceeds the ranks of the arguments, got shapes {x.shape} and {y.shape}."
            )
        left, right = tuple(range(x.ndim - count, x.ndim)), tuple(range(count))
    if len(left) != len(right):
        raise TypeError(f"tensordot requires axes lists to have equal length, got {left} and {right}.")
    return lax.dot_general(x, y, ((left, right), ((), ())), precision, preferred_element_type)


def kron(a: ArrayLike, b: ArrayLike) -> Array:
    """The Kronecker product."""
    x, y = _pair(a, b)
    rank = max(x.ndim, y.ndim)
    x, y = lax.broadcast_to_rank(x, rank), lax.broadcast_to_rank(y, rank)
    wide, narrow = lax.expand_dims(x, range(1, 2 * rank, 2)), lax.expand_dims(y, range(0, 2 * rank, 2))
    return lax.reshape(lax.mul(*promote_arrays(wide, narrow)), [n * m for n, m in zip(x.shape, y.shape, strict=True)])


def cross(
    a: ArrayLike, b: ArrayLike, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """The cross product of vectors of 3 (or 2) elements along axes."""
    from weft.numpy.manipulation import stack

    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        raise ValueError(f"Dimension must be either 2 or 3 for cross product, got {x.shape[-1]} and {y.shape[-1]}")
    u, v = ([part[..., k] for k in range(part.shape[-1])] for part in (x, y))
    if len(u) == len(v) == 2:
        return u[0] * v[1] - u[1] * v[0]
    zero = lax.full_like(u[0], 0)
    (u0, u1, u2), (v0, v1, v2) = (*u, zero)[:3], (*v, zero)[:3]
    return stack([u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0], axisc)


def convolve(
    a: ArrayLike, v: ArrayLike, mode: str = "full", *, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The discrete convolution of two vectors: full, same, or valid."""
    x, y = _signals(a, v, "convolve")
    if x.size < y.size:
        x, y = y, x
    return _sliding(x, lax.rev(y, (0,)), mode, precision, preferred_element_type)


def correlate(
    a: ArrayLike, v: ArrayLike, mode: str = "valid", *, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The cross-correlation of two vectors, the second one conjugated: full, same, or valid."""
    x, y = _signals(a, v, "correlate")
    y = conj(y)
    if x.size >= y.size:
        return _sliding(x, y, mode, precision, preferred_element_type)
    return lax.rev(_sliding(y, x, mode, precision, preferred_element_type), (0,))


def _signals(a: ArrayLike, v: ArrayLike, name: str) -> tuple[Array, Array]:
    x, y = (wrap(convert(n, to_inexact(n.dtype), n.aval.weak_type)) for n in same_dtype(a, v))
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"{name}() only support 1-dimensional inputs.")
    if not x.size or not y.size:
        raise ValueError(f"{name}: inputs cannot be empty, got shapes {x.shape} and {y.shape}.")
    return x, y


def _sliding(x: Array, window: Array, mode: str, precision: Any, preferred_element_type: DTypeLike) -> Array:
    """The sums of products as a window, which is the shorter one, slides over x."""
    size = window.size
    pads = {"full": (size - 1, size - 1), "same": (size // 2, size - size // 2 - 1), "valid": (0, 0)}
    if mode not in pads:
        raise ValueError("mode must be one of ['full', 'same', 'valid']")
    weak = x.weak_type
    x, window = (lax.reshape(v, (1, 1, v.size)) for v in (x, window))
    out = lax.conv_general_dilated(
        x, window, (1,), [pads[mode]], precision=precision, preferred_element_type=preferred_element_type
    )
    out = lax.reshape(out, (out.shape[-1],))
    return wrap(convert(out._node, out.dtype, weak))

"""Arrays from nothing, from Python's data, and from other arrays' shapes: constants, ranges, grids, triangles, diagonals."""

from __future__ import annotations

import math
import operator
from array import array as PackedArray
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from weft import lax
from weft.array import Array, lift, put, scalar, wrap
from weft.devices import current_device, get_device
from weft.dialects.array import ops
from weft.dialects.array.node import aval, leaf
from weft.dialects.dtypes import DType, as_dtype
from weft.errors import ConcretizationTypeError
from weft.host import canonical, pack, unpack
from weft.lax.base import (
    ArrayLike,
    DTypeLike,
    axis_index,
    concrete,
    constant,
    convert,
    default_float,
    default_int,
    integers,
    number,
    shape_of,
)
from weft.numpy.promotion import promote_arrays, to_inexact

__all__ = [
    "arange", "array", "asarray", "copy", "diag", "diagflat", "diagonal", "empty", "empty_like", "eye",
    "frombuffer", "fromfunction", "full", "full_like", "geomspace", "identity", "indices", "linspace", "logspace",
    "meshgrid", "ones", "ones_like", "trace", "tri", "tril", "triu", "vander", "zeros", "zeros_like",
]  # fmt: skip

Shape = int | Sequence[int]


def _placed(x: Array, device: Any) -> Array:
    return x if device is None else put(x, get_device(device))


# -- from data


def array(
    object: Any,
    dtype: DTypeLike = None,
    copy: bool = True,
    order: str | None = "K",
    ndmin: int = 0,
    *,
    device: Any = None,
) -> Array:
    """An array of a number, a NumPy array, an Array, or nested lists of these. Of an Array, unless `copy` is False, it is a copy: see `copy`. Its order in memory is not the caller's: `order` must be None or "K"."""
    x = asarray(object, dtype, order, device=device)
    if copy and isinstance(object, Array) and x._node is object._node:
        x = _copied(object)
    return lax.reshape(x, (1,) * (ndmin - x.ndim) + x.shape) if x.ndim < ndmin else x


def asarray(
    a: Any, dtype: DTypeLike = None, order: str | None = None, *, copy: bool | None = None, device: Any = None
) -> Array:
    """An array of a number, a NumPy array, an Array, or nested lists of these. The order of its elements in memory is not the caller's: `order` must be None or "K"."""
    if order not in (None, "K"):
        raise NotImplementedError(f"Only implemented for order='K', got {order!r}")
    wanted = None if dtype is None else canonical(dtype)
    if copy is False and not isinstance(a, (Array, bool, int, float, complex, list, tuple, range)):
        raise ValueError(f"jnp.asarray: cannot convert object of type {type(a)} to an Array without copy.")
    if isinstance(a, (list, tuple)):
        return _placed(_from_nested(a, wanted), device)
    if isinstance(a, range):
        return _placed(_from_nested(list(a), wanted), device)
    if a is None or isinstance(a, str):
        raise _no_number(a)
    if wanted is not None and (value := number(a)) is not None:
        kind = next(
            k for letters, k in (("b", bool), ("iu", int), ("f", float), ("c", complex)) if wanted.kind in letters
        )
        return _placed(wrap(scalar(kind(value), wanted)), device)
    node = lift(a)
    return _placed(wrap(node if wanted is None else convert(node, wanted)), device)


def _shape_of_nested(x: Any) -> tuple[int, ...]:
    if isinstance(x, (list, tuple)):
        shapes = {_shape_of_nested(v) for v in x}
        if len(shapes) > 1:
            raise ValueError(
                "setting an array element with a sequence. The requested array has an inhomogeneous shape: "
                f"elements of shapes {sorted(shapes)}."
            )
        return (len(x), *(shapes.pop() if shapes else ()))
    return tuple(getattr(x, "shape", ()))


def _scalars(x: Any) -> Iterator[Any]:
    if isinstance(x, (list, tuple)):
        for v in x:
            yield from _scalars(v)
    else:
        yield x


def _no_number(value: str | bytes | None) -> Exception:
    text = f"Value {value!r} with type {type(value)} is not a valid array type. Only arrays of numeric types are supported."
    return ValueError(text) if value is None else TypeError(text)


def _from_nested(x: Any, dtype: DType | None) -> Array:
    shape = _shape_of_nested(x)
    leaves = list(_scalars(x))
    kinds = {type(v) for v in leaves}
    if kinds <= {bool, int, float, complex}:
        kind = next((k for k in (complex, float, int, bool) if k in kinds), float)
        found = dtype or canonical(kind)
        if found.kind in "iu" and kind in (float, complex):  # as NumPy: lists of floats become integers by truncation
            leaves = [int(v) for v in leaves]
        elif found.kind == "f" and kind is complex:
            leaves = [float(v) for v in leaves]
        packed = PackedArray("B", b"".join(pack(v, found) for v in leaves))
        device = current_device()
        a = aval(shape, found)
        return wrap(leaf(a, device.backend.put(memoryview(packed), a), device=device))
    for v in leaves:
        if v is None or isinstance(v, (str, bytes)):
            raise _no_number(v)
    from weft.numpy.manipulation import stack

    stacked = stack([v if not isinstance(v, (list, tuple)) else _from_nested(v, dtype) for v in x])
    return wrap(convert(stacked._node, dtype or stacked.dtype))


def copy(a: ArrayLike, order: str | None = None) -> Array:
    """The array in memory of its own: it outlives one that is deleted, or donated to a `jit`. `order` as of `asarray`."""
    x = asarray(wrap(lift(a)), order=order)
    return _copied(a if isinstance(a, Array) else x)  # keys stay keys


def _copied(x: Array) -> Array:
    node = x._node
    return x.__class__(ops.ReshapeOp.bind(node, shape=node.shape))  # what an operation gives has a buffer of its own


def frombuffer(buffer: Any, dtype: DTypeLike = float, count: int = -1, offset: int = 0) -> Array:
    """A vector of the bytes of an object: `count` elements (all if negative) from the byte `offset` on. Raises ValueError if there are not as many, or the bytes left are no whole number of elements."""
    given, offset = as_dtype(dtype), operator.index(offset)
    data = memoryview(buffer).cast("B")
    if not 0 <= offset <= len(data):
        raise ValueError(f"offset must be non-negative and no greater than buffer length ({len(data)}), got {offset}")
    data = data[offset:]
    size, rest = divmod(len(data), given.itemsize)
    if count < 0 and rest:
        raise ValueError(f"buffer size must be a multiple of element size, got {len(data)} bytes of {given}")
    if count > size:
        raise ValueError(f"buffer is smaller than requested size: {count} elements of {given} in {len(data)} bytes")
    size = size if count < 0 else count
    data = data[: size * given.itemsize]
    if given is not canonical(given):  # 64-bit numbers where there are none: read as what they are
        return asarray(unpack(data, aval((size,), given)), given)
    a, device = aval((size,), given), current_device()
    return wrap(leaf(a, device.backend.put(data, a), device=device))


def fromfunction(function: Callable[..., Any], shape: Sequence[int], *, dtype: DTypeLike = float, **kwargs: Any) -> Any:
    """function(i, j, …) of each index of a shape; the function sees one index at a time."""
    from weft.vmap import vmap

    sizes = shape_of(shape, "fromfunction")

    def mapped(*index: Array) -> Any:
        return function(*index, **kwargs)

    for k in reversed(range(len(sizes))):
        mapped = vmap(mapped, in_axes=tuple(0 if j == k else None for j in range(len(sizes))))
    return mapped(*(lax.iota(dtype, n) for n in sizes))


# -- constants


def full(shape: Shape, fill_value: ArrayLike, dtype: DTypeLike = None, *, device: Any = None) -> Array:
    """An array with one value (or one that broadcasts) everywhere."""
    if number(fill_value) is None and (node := lift(fill_value)).ndim:
        from weft.numpy.manipulation import broadcast_to

        wanted = node.dtype if dtype is None else canonical(dtype)
        return _placed(broadcast_to(wrap(convert(node, wanted)), shape), device)
    return _placed(lax.full(shape_of(shape), fill_value, dtype), device)


def zeros(shape: Shape, dtype: DTypeLike = None, *, device: Any = None) -> Array:
    """Zeros, of float unless a dtype is given."""
    return _placed(constant(0, shape_of(shape), canonical(float if dtype is None else dtype)), device)


def ones(shape: Shape, dtype: DTypeLike = None, *, device: Any = None) -> Array:
    """Ones, of float unless a dtype is given."""
    return _placed(constant(1, shape_of(shape), canonical(float if dtype is None else dtype)), device)


empty = zeros


def full_like(
    a: ArrayLike, fill_value: ArrayLike, dtype: DTypeLike = None, shape: Any = None, *, device: Any = None
) -> Array:
    """One value (or one that broadcasts) in the shape and dtype of an array."""
    if lift(fill_value).ndim:
        node = lift(a)
        return full(
            node.shape if shape is None else shape, fill_value, node.dtype if dtype is None else dtype, device=device
        )
    return _placed(lax.full_like(a, fill_value, dtype, None if shape is None else shape_of(shape)), device)


def zeros_like(a: ArrayLike, dtype: DTypeLike = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros in the shape and dtype of an array."""
    return full_like(a, 0, dtype, shape, device=device)


def ones_like(a: ArrayLike, dtype: DTypeLike = None, shape: Any = None, *, device: Any = None) -> Array:
    """Ones in the shape and dtype of an array."""
    return full_like(a, 1, dtype, shape, device=device)


def empty_like(prototype: ArrayLike, dtype: DTypeLike = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros in the shape and dtype of an array."""
    return full_like(prototype, 0, dtype, shape, device=device)


# -- ranges


def arange(
    start: ArrayLike,
    stop: ArrayLike | None = None,
    step: ArrayLike | None = None,
    dtype: DTypeLike = None,
    *,
    device: Any = None,
) -> Array:
    """Numbers from start (0 if only one argument is given) to before stop. The arguments must be known: they make the shape."""
    values = [_known(v, "arange") for v in (start, stop, step) if v is not None]
    first, last, by = 0, values[0], 1
    if stop is not None:
        first, last, *rest = values
        by = rest[0] if rest else 1
    elif step is not None:
        by = values[1]
    wanted = (
        canonical(dtype)
        if dtype is not None
        else default_float()
        if any(isinstance(v, float) for v in values)
        else default_int()
    )
    size = max(0, math.ceil((last - first) / by))
    index = lax.iota(wanted if wanted.kind != "b" else default_int(), size)
    if wanted.is_inexact:
        found = (
            lax.add(lax.mul(index, constant(by, (), wanted)), constant(first, (), wanted))
            if (first, by) != (0, 1)
            else index
        )
    else:
        by, first = int(by), int(first)
        found = index if by == 1 else lax.mul(index, constant(by, (), index.dtype))
        found = found if first == 0 else lax.add(found, constant(first, (), index.dtype))
    return _placed(wrap(convert(found._node, wanted)), device)


def _known(value: Any, name: str) -> Any:
    """A bound as a Python number. Raises ConcretizationTypeError if it is traced, ValueError for an array with axes or a complex number, TypeError for anything else."""
    if isinstance(value, (bool, int, float)):
        return value
    if getattr(value, "shape", ()) != ():
        raise ValueError(f"{name} requires scalar arguments, got an array of shape {value.shape}.")
    if isinstance(value, complex) or getattr(getattr(value, "dtype", None), "kind", "") == "c":
        raise ValueError(f"{name} requires real arguments, got {value!r}.")
    try:
        return concrete(value, "start, stop or step")
    except ConcretizationTypeError:
        raise
    except TypeError:
        if isinstance(value, str) or not hasattr(value, "__float__"):
            raise TypeError(f"{name} requires numbers as arguments, got {value!r}.") from None
        if getattr(getattr(value, "dtype", None), "kind", "f") in "iu":
            raise
        return float(value)


def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """`num` evenly spaced numbers from start to stop."""
    num = concrete(num, "num")
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    from weft.numpy.elementwise import floor
    from weft.numpy.manipulation import broadcast_arrays, expand_dims, moveaxis

    a, b = broadcast_arrays(*promote_arrays(start, stop, inexact=True))
    a, b = (wrap(convert(v._node, v.dtype)) for v in (a, b))
    wanted = a.dtype if dtype is None else canonical(dtype)
    gaps = num - 1 if endpoint else num
    step = lax.div(lax.sub(b, a), constant(max(gaps, 1), (), a.dtype))
    part = lax.reshape(lax.iota(a.dtype, num), (num,) + (1,) * a.ndim)
    part = lax.div(part, constant(max(gaps, 1), (), a.dtype))
    out = a * (1 - part) + b * part if num > 1 else expand_dims(a, 0)[:num]
    if endpoint and num > 1:  # the last one exactly
        out = lax.concatenate([out[:-1], expand_dims(b, 0)], 0)
    if wanted.is_integer:
        out = floor(out)
    out = _placed(wrap(convert(moveaxis(out, 0, axis)._node, wanted)), device)
    return (out, step if gaps > 0 else step * math.nan) if retstep else out


def logspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    base: ArrayLike = 10.0,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> Array:
    """`num` numbers from base**start to base**stop, evenly spaced on a logarithmic scale."""
    from weft.numpy.elementwise import power

    found = power(base, linspace(start, stop, num, endpoint, axis=axis))
    return found if dtype is None else wrap(convert(found._node, canonical(dtype)))


def geomspace(
    start: ArrayLike, stop: ArrayLike, num: int = 50, endpoint: bool = True, dtype: DTypeLike = None, axis: int = 0
) -> Array:
    """`num` numbers from start to stop in geometric progression."""
    from weft.numpy.elementwise import exp, log, where

    a, b = promote_arrays(start, stop, inexact=True)
    sign = where((a < 0) & (b < 0), -1.0, 1.0)
    found = sign * exp(linspace(log(a * sign), log(b * sign), num, endpoint, axis=axis))
    return wrap(convert(found._node, to_inexact(a.dtype) if dtype is None else canonical(dtype)))


def meshgrid(*xi: ArrayLike, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Array]:
    """Coordinate arrays of the grid that vectors span; "xy" exchanges the first two axes."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Valid values for indexing are 'xy' and 'ij', got {indexing}")
    arrays = [wrap(lift(x)) for x in xi]
    if any(a.ndim != 1 for a in arrays):
        raise ValueError("Arguments to meshgrid must be 1D, got shapes " + str([a.shape for a in arrays]))
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[:2] = 1, 0
    shape = [arrays[k].shape[0] for k in order]
    spread = [
        lax.reshape(a, [a.shape[0] if order[k] == i else 1 for k in range(len(arrays))]) for i, a in enumerate(arrays)
    ]
    return spread if sparse else [lax.broadcast_in_dim(s, shape, range(len(shape))) for s in spread]


def indices(dimensions: Sequence[int], dtype: DTypeLike = None, sparse: bool = False) -> Any:
    """The index grids of a shape."""
    from weft.numpy.manipulation import stack

    wanted = canonical(int if dtype is None else dtype)
    grids = [lax.broadcasted_iota(wanted, dimensions, k) for k in range(len(dimensions))]
    if sparse:
        return tuple(
            lax.reshape(lax.iota(wanted, n), [n if j == k else 1 for j in range(len(dimensions))])
            for k, n in enumerate(dimensions)
        )
    return stack(grids) if grids else zeros((0,), wanted)


# -- triangles and diagonals


def _offset(rows: int, columns: int) -> Array:
    """column - row at each place of a matrix."""
    shape = (rows, columns)
    return lax.sub(lax.broadcasted_iota(default_int(), shape, 1), lax.broadcasted_iota(default_int(), shape, 0))


def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = None, *, device: Any = None) -> Array:
    """Ones on the k-th diagonal of an N x M matrix, zeros elsewhere."""
    rows, columns = integers((N, N if M is None else M))
    if rows < 0 or columns < 0:
        raise ValueError(f"eye: negative dimensions are not allowed, got N={N} and M={M}")
    offset = _offset(rows, columns)
    by = asarray(k)
    if by.ndim or by.dtype.is_inexact:
        raise ValueError(f"eye: k must be a scalar integer, got {k!r}")
    found = lax.eq(offset, lax.convert_element_type(by, offset.dtype))
    return _placed(wrap(convert(found._node, canonical(float if dtype is None else dtype))), device)


def identity(n: int, dtype: DTypeLike = None) -> Array:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = None) -> Array:
    """Ones at and below the k-th diagonal, zeros above."""
    offset = _offset(*shape_of((N, N if M is None else M), "tri"))
    by = asarray(k)
    if by.ndim or by.dtype.is_inexact:
        raise TypeError(f"tri: k must be an integer, got {k!r}")
    found = lax.le(offset, lax.convert_element_type(by, offset.dtype))
    return wrap(convert(found._node, canonical(float if dtype is None else dtype)))


def _triangle(m: ArrayLike, k: int, lower: bool) -> Array:
    x = wrap(lift(m))
    if x.ndim < 2:
        raise ValueError(
            f"Argument to weft.numpy.{'tril' if lower else 'triu'} must be at least 2D, got shape {x.shape}"
        )
    mask = tri(*x.shape[-2:], k=k if lower else k - 1, dtype=bool)
    mask = lax.broadcast_in_dim(mask, x.shape, (x.ndim - 2, x.ndim - 1))
    zero = constant(0, x.shape, x.dtype, x.weak_type)
    return lax.select(mask, x, zero) if lower else lax.select(mask, zero, x)


def tril(m: ArrayLike, k: int = 0) -> Array:
    """Matrices with zeros above the k-th diagonal."""
    return _triangle(m, k, True)


def triu(m: ArrayLike, k: int = 0) -> Array:
    """Matrices with zeros below the k-th diagonal."""
    return _triangle(m, k, False)


def diagonal(a: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The elements of a diagonal of two axes, along a new last axis."""
    from weft.numpy.manipulation import moveaxis

    x = wrap(lift(a))
    if x.ndim < 2:
        raise ValueError("diagonal requires an array of at least two dimensions.")
    first, second = axis_index(axis1, x.ndim), axis_index(axis2, x.ndim)
    if first == second:
        raise ValueError(f"axis1 and axis2 can not be same: axis1={axis1} and axis2={axis2}")
    x = moveaxis(x, (first, second), (-2, -1))
    rows, columns = x.shape[-2:]
    low, start = max(0, -offset), max(0, offset)
    size = max(0, min(rows - low, columns - start))
    flat = lax.reshape(x, (*x.shape[:-2], rows * columns))
    begin = low * columns + start
    end = begin + (size - 1) * (columns + 1) + 1 if size else begin
    begin, end = (min(v, rows * columns) for v in (begin, end))
    return lax.slice_in_dim(flat, begin, end, columns + 1, flat.ndim - 1)


def diag(v: ArrayLike, k: int = 0) -> Array:
    """A matrix with a vector on its k-th diagonal, or the k-th diagonal of a matrix."""
    x = wrap(lift(v))
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError("diag input must be 1d or 2d")
    size = x.shape[0] + abs(k)
    padded = lax.pad(x, constant(0, (), x.dtype, x.weak_type), [(max(0, k), max(0, -k), 0)])
    rows = lax.broadcast_in_dim(padded, (size, size), (1,))
    offset = _offset(size, size)
    return lax.select(
        lax.eq(offset, constant(k, (), offset.dtype)), rows, constant(0, (size, size), x.dtype, x.weak_type)
    )


def diagflat(v: ArrayLike, k: int = 0) -> Array:
    """A matrix with the elements of an array on its k-th diagonal."""
    x = wrap(lift(v))
    return diag(lax.reshape(x, (x.size,)), k)


def trace(
    a: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: DTypeLike = None, out: None = None
) -> Array:
    """The sum of a diagonal."""
    from weft.numpy.reductions import sum as total

    return total(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def vander(x: ArrayLike, N: int | None = None, increasing: bool = False) -> Array:
    """Powers of a vector's elements, one row each."""
    node = lift(x)
    x = wrap(convert(node, node.dtype))
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array")
    count = x.shape[0] if N is None else operator.index(N)
    powers = range(count) if increasing else range(count - 1, -1, -1)
    if not count:
        return constant(0, (x.shape[0], 0), x.dtype)
    return lax.concatenate([lax.expand_dims(lax.integer_pow(x, p), (1,)) for p in powers], 1)

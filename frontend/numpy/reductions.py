"""Combining elements along axes: sums, products, extremes, means, variances, and running ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects import dtypes
from weft.dialects.array import ops
from weft.dialects.array.node import Node
from weft.dialects.dtypes import DType, bool_, float32
from weft.host import canonical
from weft.lax.base import (
    ArrayLike,
    Axis,
    DTypeLike,
    axis_index,
    axis_indices,
    constant,
    convert,
    default_int,
    refuse_out,
    size_of,
)
from weft.numpy.creation import asarray
from weft.numpy.elementwise import isnan, where
from weft.numpy.manipulation import broadcast_to, ravel, reshape
from weft.numpy.promotion import highest, lowest, promote_arrays, to_inexact

__all__ = [
    "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "array_equal", "array_equiv", "average",
    "count_nonzero", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "diff", "ediff1d", "max", "mean",
    "min", "prod", "ptp", "std", "sum",
    "trapezoid", "var",
]  # fmt: skip

Where = ArrayLike | None


def _masked(x: Array, mask: Where, neutral: Any) -> Array:
    """x with the neutral element where the mask does not hold. Raises ValueError for a mask that is not boolean."""
    if mask is None:
        return x
    if lift(mask).dtype is not bool_:
        raise ValueError(f"where must be None or a boolean array, got one of type {lift(mask).aval}")
    return where(mask, x, constant(neutral, (), x.dtype))


def _started(found: Array, initial: ArrayLike | None, combine: Callable[[Any, Any], Array]) -> Array:
    """What was found, combined with a value to start from. Raises ValueError unless that is a scalar."""
    if initial is None:
        return found
    if lift(initial).ndim:
        raise ValueError(f"initial value must be a scalar, got an array of shape {lift(initial).shape}")
    return combine(found, lax.convert_element_type(initial, found.dtype))


def _reduce(x: Array, kind: str, axes: tuple[int, ...], keepdims: bool) -> Array:
    found = wrap(ops.ReduceOp.bind(x._node, kind=kind, axes=axes) if axes else x._node)
    return lax.expand_dims(found, axes) if keepdims and axes else found


def _sum_dtype(x: Node, dtype: DTypeLike, promote_integers: bool) -> DType:
    if dtype is not None:
        return canonical(dtype)
    if x.dtype is bool_:
        return default_int()
    if promote_integers and x.dtype.is_integer:
        wide = default_int() if x.dtype.kind == "i" else canonical(dtypes.uint64)
        return wide if wide.bits > x.dtype.bits else x.dtype
    return x.dtype


_COMBINE = {"add": lax.add, "mul": lax.mul, "max": lax.max, "min": lax.min}


def _of(kind: str, dtype: DType) -> str:
    """How elements are combined: a sum of truth values is the greatest of them, a product the least."""
    return {"add": "max", "mul": "min"}[kind] if dtype is bool_ else kind


def _total(name: str, kind: str, neutral: int) -> Callable[..., Array]:
    def f(
        a: ArrayLike,
        axis: Axis = None,
        dtype: DTypeLike = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: Where = None,
        promote_integers: bool = True,
    ) -> Array:
        node = lift(a)
        refuse_out(out, name)
        axes = axis_indices(axis, node.ndim)
        wanted = _sum_dtype(node, dtype, promote_integers)
        x = _masked(wrap(convert(node, wanted)), where, neutral)
        how = _of(kind, wanted)
        return _started(_reduce(x, how, axes, keepdims), initial, _COMBINE[how])

    return f


def _extreme(kind: str, neutral: Callable[[DType], Any], combine: Callable[[Any, Any], Array]) -> Callable[..., Array]:
    def f(
        a: ArrayLike,
        axis: Axis = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: Where = None,
    ) -> Array:
        node = lift(a)
        x = wrap(convert(node, node.dtype))
        refuse_out(out, kind)
        axes = axis_indices(axis, x.ndim)
        if where is not None and initial is None:
            raise ValueError(
                f"reduction operation {kind} does not have an identity, so to use a where mask one has to specify 'initial'"
            )
        if initial is None and size_of([x.shape[k] for k in axes]) == 0:
            raise ValueError(f"zero-size array to reduction operation {kind} which has no identity")
        return _started(_reduce(_masked(x, where, neutral(x.dtype)), kind, axes, keepdims), initial, combine)

    return f


def _named(f: Callable[..., Array], name: str, doc: str) -> Callable[..., Array]:
    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    return f


sum = _named(_total("sum", "add", 0), "sum", "The sum over axes (all if None) of the elements where a mask holds.")
prod = _named(_total("prod", "mul", 1), "prod", "The product over axes of the elements where a mask holds.")
max = amax = _named(_extreme("max", lowest, lax.max), "max", "The greatest element over axes; NaN if there is one.")
min = amin = _named(_extreme("min", highest, lax.min), "min", "The least element over axes; NaN if there is one.")


def all(a: ArrayLike, axis: Axis = None, out: None = None, keepdims: bool = False, *, where: Where = None) -> Array:
    """Whether all elements over axes are true."""
    refuse_out(out, "all")
    x = wrap(convert(lift(a), bool_))
    return _reduce(_masked(x, where, True), "and", axis_indices(axis, x.ndim), keepdims)


def any(a: ArrayLike, axis: Axis = None, out: None = None, keepdims: bool = False, *, where: Where = None) -> Array:
    """Whether one of the elements over axes is true."""
    refuse_out(out, "any")
    x = wrap(convert(lift(a), bool_))
    return _reduce(_masked(x, where, False), "or", axis_indices(axis, x.ndim), keepdims)


def count_nonzero(a: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Array:
    """How many elements over axes are not zero."""
    return sum(wrap(convert(lift(a), bool_)), axis, default_int(), keepdims=keepdims)


def allclose(
    a: ArrayLike, b: ArrayLike, rtol: ArrayLike = 1e-05, atol: ArrayLike = 1e-08, equal_nan: bool = False
) -> Array:
    """Whether all elements are close."""
    from weft.numpy.elementwise import isclose

    return all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1: ArrayLike, a2: ArrayLike, equal_nan: bool = False) -> Array:
    """Whether two arrays have one shape and equal elements."""
    a1, a2 = asarray(a1), asarray(a2)
    if a1.shape != a2.shape:
        return constant(False, (), bool_)
    x, y = promote_arrays(a1, a2)
    same = lax.eq(x, y)
    return all(same | (isnan(x) & isnan(y)) if equal_nan else same)


def array_equiv(a1: ArrayLike, a2: ArrayLike) -> Array:
    """Whether two arrays broadcast to one shape with equal elements."""
    try:
        x, y = promote_arrays(a1, a2)
    except ValueError:
        return constant(False, (), bool_)
    return all(lax.eq(x, y))


# -- means


def _count(x: Node, axes: tuple[int, ...], mask: Where, keepdims: bool, dtype: DType, less: ArrayLike = 0) -> Array:
    """How many elements a reduction takes, less a correction."""
    count = size_of([x.shape[k] for k in axes])
    if mask is None and isinstance(less, (int, float)):
        return constant(count - less, (), dtype)
    taken = (
        constant(count, (), dtype) if mask is None else sum(broadcast_to(mask, x.shape), axes, dtype, keepdims=keepdims)
    )
    return taken - less


def mean(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Where = None,
) -> Array:
    """The mean over axes of the elements where a mask holds. 16-bit floats are added up in float32."""
    node = lift(a)
    refuse_out(out, "mean")
    axes = axis_indices(axis, node.ndim)
    wanted = canonical(dtype) if dtype is not None else to_inexact(node.dtype)
    compute = to_inexact(wanted)
    total = sum(wrap(convert(node, compute)), axes, keepdims=keepdims, where=where)
    return wrap(convert(lax.div(total, _count(node, axes, where, keepdims, compute))._node, wanted))


_mean, _where = mean, where  # where an argument has that name


def average(
    a: ArrayLike, axis: Axis = None, weights: ArrayLike | None = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """The mean over axes, weighted."""
    x = wrap(lift(a))
    if weights is None:
        found = mean(x, axis, keepdims=keepdims)
        count = x.size if axis is None else size_of([x.shape[k] for k in axis_indices(axis, x.ndim)])
        scale: Array = constant(count, (), found.dtype)
    else:
        x, w = (wrap(n) for n in _inexact_pair(a, weights))
        if x.shape != w.shape:
            if axis is None or not isinstance(axis, int):
                raise ValueError(
                    "axis must be an integer when shapes of a and weights differ."
                    if axis is not None
                    else "Axis must be specified when shapes of a and weights differ."
                )
            axis = axis_index(axis, x.ndim)
            if w.shape != (x.shape[axis],):
                raise ValueError(f"Shape of weights {w.shape} not consistent with axis {axis} of a of shape {x.shape}.")
            w = broadcast_to(reshape(w, [w.size if k == axis else 1 for k in range(x.ndim)]), x.shape)
        scale = sum(w, axis, keepdims=keepdims)
        found = lax.div(sum(x * w, axis, keepdims=keepdims), scale)
    return (found, broadcast_to(scale, found.shape)) if returned else found


def _inexact_pair(x: ArrayLike, y: ArrayLike) -> list[Node]:
    from weft.numpy.promotion import same_dtype

    return [convert(n, to_inexact(n.dtype)) for n in same_dtype(x, y)]


def var(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: None = None,
    ddof: ArrayLike = 0,
    keepdims: bool = False,
    *,
    where: Where = None,
    mean: ArrayLike | None = None,
    correction: ArrayLike | None = None,
) -> Array:
    """The variance over axes: squared distances from the mean, divided by the count minus ddof."""
    node = lift(a)
    refuse_out(out, "var")
    axes = axis_indices(axis, node.ndim)
    if correction is not None and not (isinstance(ddof, int) and ddof == 0):
        raise ValueError("ddof and correction can't be provided simultaneously.")
    wanted = canonical(dtype) if dtype is not None else to_inexact(node.dtype)
    if node.dtype.kind == "c" != wanted.kind and dtype is not None:
        raise ValueError(f"var: the variance of {node.dtype} elements is computed in a complex dtype, got {wanted}")
    computed = to_inexact(wanted)
    x = wrap(convert(node, float32 if computed.bits == 16 else computed))
    center = _mean(x, axes, keepdims=True, where=where) if mean is None else wrap(convert(lift(mean), x.dtype))
    offset = x - center
    squares = lax.square(lax.abs(offset) if x.dtype.kind == "c" else offset)
    wanted = wanted.part if x.dtype.kind == "c" else wanted
    count = _count(node, axes, where, keepdims, squares.dtype, ddof if correction is None else correction)
    total = sum(squares, axes, keepdims=keepdims, where=where)
    found = _where(count > 0, lax.div(total, _where(count > 0, count, 1)), math.nan)
    return wrap(convert(found._node, wanted))


def std(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: None = None,
    ddof: ArrayLike = 0,
    keepdims: bool = False,
    *,
    where: Where = None,
    mean: ArrayLike | None = None,
    correction: ArrayLike | None = None,
) -> Array:
    """The standard deviation over axes: the root of the variance."""
    refuse_out(out, "std")
    return lax.sqrt(var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction))


def ptp(a: ArrayLike, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """The greatest element over axes less the least."""
    refuse_out(out, "ptp")
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


# -- places of extremes


def _argument(kind: str) -> Callable[..., Array]:
    def f(a: ArrayLike, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
        x = wrap(lift(a))
        refuse_out(out, f"arg{kind}")
        rank = x.ndim
        if axis is None:
            x, place = ravel(x), 0
        else:
            place = axis_index(axis, rank)
        if not x.shape[place]:
            raise ValueError(f"attempt to get arg{kind} of an empty sequence")
        found = wrap(ops.ArgreduceOp.bind(x._node, kind=kind, axis=place, dtype=default_int()))
        return found if not keepdims else lax.expand_dims(found, range(rank) if axis is None else (place,))

    return f


argmax = _named(_argument("max"), "argmax", "Where the greatest element stands: the first, or the first NaN.")
argmin = _named(_argument("min"), "argmin", "Where the least element stands: the first, or the first NaN.")

# -- running


def _running(name: str, kind: str) -> Callable[..., Array]:
    def f(a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None, out: None = None) -> Array:
        node = lift(a)
        refuse_out(out, name)
        wanted = _sum_dtype(node, dtype, False)
        x = wrap(convert(node, wanted))
        if axis is None or not x.ndim:  # a scalar is taken for a vector of one
            x, axis = ravel(x), 0 if axis is None else axis
        place = axis_index(axis, x.ndim)
        return wrap(ops.CumulateOp.bind(x._node, kind=_of(kind, wanted), axis=place, reverse=False))

    return f


cumsum = _named(_running("cumsum", "add"), "cumsum", "Running sums along an axis, or of all elements if None.")
cumprod = _named(_running("cumprod", "mul"), "cumprod", "Running products along an axis, or of all elements if None.")


def cumulative_sum(
    x: ArrayLike, /, *, axis: int | None = None, dtype: DTypeLike = None, include_initial: bool = False
) -> Array:
    """Running sums along an axis, with the empty one in front if `include_initial`. Small integers are added up in int32 or uint32."""
    dtype = _sum_dtype(lift(x), dtype, True)
    return _cumulative(x, axis, dtype, include_initial, cumsum, 0)


def cumulative_prod(
    x: ArrayLike, /, *, axis: int | None = None, dtype: DTypeLike = None, include_initial: bool = False
) -> Array:
    """Running products along an axis, with the empty one in front if `include_initial`."""
    return _cumulative(x, axis, dtype, include_initial, cumprod, 1)


def _cumulative(
    x: ArrayLike, axis: int | None, dtype: DTypeLike, include_initial: bool, running: Callable[..., Array], neutral: int
) -> Array:
    rank = lift(x).ndim
    if rank == 0:
        raise ValueError(
            "The input must be non-scalar to take a cumulative sum, however a scalar value or scalar array was given."
        )
    if axis is None:
        if rank > 1:
            raise ValueError(
                f"The input array has rank {rank}, however axis was not set to an explicit value. The axis argument is only optional for one-dimensional arrays."
            )
        axis = 0
    axis = axis_index(axis, rank)
    found = running(x, axis, dtype)
    if not include_initial:
        return found
    return lax.pad(found, constant(neutral, (), found.dtype), [(int(k == axis), 0, 0) for k in range(rank)])


def diff(
    a: ArrayLike, n: int = 1, axis: int = -1, prepend: ArrayLike | None = None, append: ArrayLike | None = None
) -> Array:
    """Differences of neighbours along an axis, n times over."""
    from weft.numpy.manipulation import concatenate

    x = wrap(lift(a))
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if x.ndim == 0:
        raise ValueError(f"diff requires input that is at least one dimensional; got {x.aval}")
    axis = axis_index(axis, x.ndim)

    def end(value: ArrayLike) -> Array:
        part = wrap(lift(value))
        return broadcast_to(part, [1 if k == axis else m for k, m in enumerate(x.shape)]) if part.ndim == 0 else part

    parts = [*([] if prepend is None else [end(prepend)]), x, *([] if append is None else [end(append)])]
    x = concatenate(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        if not x.shape[axis]:
            break
        after, before = lax.slice_in_dim(x, 1, None, 1, axis), lax.slice_in_dim(x, 0, -1, 1, axis)
        x = lax.ne(after, before) if x.dtype is bool_ else lax.sub(after, before)
    return x


def ediff1d(ary: ArrayLike, to_end: ArrayLike | None = None, to_begin: ArrayLike | None = None) -> Array:
    """Differences of neighbours of all elements, with something before and after, in the array's dtype."""
    from weft.numpy.manipulation import concatenate

    flat = ravel(ary)
    before, after = ([] if p is None else [ravel(p).astype(flat.dtype)] for p in (to_begin, to_end))
    return concatenate([*before, lax.sub(flat[1:], flat[:-1]), *after])


def trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: ArrayLike = 1.0, axis: int = -1) -> Array:
    """The integral along an axis by the trapezoidal rule."""
    from weft.numpy.manipulation import moveaxis

    values = moveaxis(promote_arrays(y, inexact=True)[0], axis, -1)
    if x is None:
        steps: Any = dx
    else:
        places = promote_arrays(x, inexact=True)[0]
        steps = diff(places if places.ndim == 1 else moveaxis(places, axis, -1))
    return constant(0.5, (), values.dtype) * sum(steps * (values[..., 1:] + values[..., :-1]), -1)

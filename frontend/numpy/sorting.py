"""Elements in order: sorting, partial orders, and searching in what is sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import bool_, complex64, int32, promote_types
from weft.lax.base import ArrayLike, DTypeLike, axis_index, constant, convert, default_int
from weft.lax.sorting import backwards, take_along
from weft.lax.sorting import order as ascending_order
from weft.numpy.elementwise import where
from weft.numpy.manipulation import ravel
from weft.numpy.promotion import same_dtype, to_inexact

__all__ = ["argpartition", "argsort", "digitize", "lexsort", "partition", "searchsorted", "sort", "sort_complex"]


def _checked(a: ArrayLike, axis: int | None, kind: None, order: None, name: str) -> tuple[Array, int]:
    """The array to be sorted, raveled for no axis, and the axis."""
    if kind is not None:
        raise TypeError(
            f"'kind' argument to {name} is not supported. Use stable=True or stable=False to specify sort stability."
        )
    if order is not None:
        raise TypeError(f"'order' argument to {name} is not supported.")
    x = wrap(lift(a))
    if axis is None:
        return ravel(x), 0
    return x, axis_index(axis, x.ndim)


def sort(
    a: ArrayLike,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
) -> Array:
    """The elements in ascending order along an axis (of all elements if None), or in descending order; NaN is greater than all."""
    x, axis = _checked(a, axis, kind, order, "sort")
    found = lax.sort(x, axis)
    return lax.rev(found, (axis,)) if descending else found


def sort_complex(a: ArrayLike) -> Array:
    """The elements along the last axis in ascending order, as complex numbers: by their real parts, then by the imaginary ones."""
    x = wrap(lift(a))
    return sort(wrap(convert(x._node, promote_types(to_inexact(x.dtype), complex64)[0])))


def argsort(
    a: ArrayLike,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
    dtype: DTypeLike = None,
) -> Array:
    """The places of the elements in ascending (or descending) order along an axis. Of equals the first comes first, if `stable`."""
    x, axis = _checked(a, axis, kind, order, "argsort")
    if not descending:
        found = ascending_order([x], axis)
    elif stable:
        parts = [lax.real(x), lax.imag(x)] if x.dtype.kind == "c" else [x]
        found = ascending_order([backwards(p) for p in parts], axis)
    else:
        found = lax.rev(ascending_order([x], axis), (axis,))
    return found.astype(default_int() if dtype is None else dtype)


def lexsort(keys: ArrayLike | Sequence[ArrayLike], axis: int = -1) -> Array:
    """The places of elements in the order of several keys: by the last one, among equals by the one before it, and so on."""
    given = [wrap(lift(k)) for k in keys]
    if not given:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    if any(k.shape != given[0].shape for k in given):
        raise ValueError("all keys need to be the same shape")
    if not given[0].ndim:
        return constant(0, (), default_int())
    axis = axis_index(axis, given[0].ndim)
    return ascending_order(given[::-1], axis).astype(default_int())


def _kth(x: Array, kth: int, axis: int, name: str) -> tuple[int, int]:
    if x.dtype.kind == "c":
        raise NotImplementedError(f"{name} for complex dtype is not implemented.")
    if x.dtype is bool_:
        raise TypeError(f"{name} does not accept dtype bool. Accepted dtypes are: integer, floating.")
    axis = axis_index(axis, x.ndim)
    return axis_index(kth, x.shape[axis]), axis


def partition(a: ArrayLike, kth: int, axis: int = -1) -> Array:
    """The elements along an axis with the kth least in its place, lesser ones (ascending) before it, greater ones (descending) after it."""
    x = wrap(lift(a))
    kth, axis = _kth(x, kth, axis, "jnp.partition")
    found = lax.sort(x, axis)
    before, after = lax.slice_in_dim(found, 0, kth + 1, 1, axis), lax.slice_in_dim(found, kth + 1, None, 1, axis)
    return lax.concatenate([before, lax.rev(after, (axis,))], axis)


def argpartition(a: ArrayLike, kth: int, axis: int = -1) -> Array:
    """The places of the elements along an axis in the order of `partition`; those of the greater ones as they stand in the array."""
    x = wrap(lift(a))
    kth, axis = _kth(x, kth, axis, "jnp.argpartition")
    found = ascending_order([x], axis)
    before, after = lax.slice_in_dim(found, 0, kth + 1, 1, axis), lax.slice_in_dim(found, kth + 1, None, 1, axis)
    found = lax.concatenate([before, lax.sort(after, axis)], axis)
    return wrap(convert(found._node, int32, x.weak_type))


def searchsorted(
    a: ArrayLike, v: ArrayLike, side: str = "left", sorter: ArrayLike | None = None, *, method: str = "scan"
) -> Array:
    """Where the values v would have to stand in the sorted vector a to keep it sorted: before its equals, or (side "right") behind them.

    All methods bisect, each value by itself.
    """
    if side not in ("left", "right"):
        raise ValueError(f"{side!r} is an invalid value for keyword 'side'. Expected one of ['left', 'right'].")
    if method not in ("scan", "scan_unrolled", "sort", "compare_all"):
        raise ValueError(
            f"{method!r} is an invalid value for keyword 'method'. Expected one of ['scan', 'scan_unrolled', 'sort', 'compare_all']."
        )
    x, values = (wrap(n) for n in same_dtype(a, v))
    if x.ndim != 1:
        raise ValueError("a should be 1-dimensional")
    if sorter is not None:
        x = take_along(x, wrap(convert(lift(sorter), int32)), 0)
    if x.dtype.kind == "c":
        return _searched(x, values, side)
    return wrap(ops.BisectOp.bind(ops.ordered(x._node), ops.ordered(values._node), side=side))


def _searched(x: Array, values: Array, side: str) -> Array:
    """`searchsorted` of complex numbers, which are two keys: how many of x stand before each value."""

    def key(v: Array, part: Callable[[Array], Array]) -> Array:
        return wrap(ops.ordered(part(v)._node))

    each = lax.expand_dims(values, (values.ndim,))
    (xr, xi), (vr, vi) = ((key(v, lax.real), key(v, lax.imag)) for v in (x, each))
    before = (xr < vr) | ((xr == vr) & ((xi < vi) if side == "left" else (xi <= vi)))
    return wrap(ops.ReduceOp.bind(convert(before._node, int32), kind="add", axes=(values.ndim,)))


def digitize(x: ArrayLike, bins: ArrayLike, right: bool = False, *, method: str | None = None) -> Array:
    """Which bin each element falls into. Bins are given by their edges, ascending or descending, and hold their lower edge, or (`right`) the upper one."""
    edges = wrap(lift(bins))
    if edges.ndim != 1:
        raise ValueError(f"digitize: bins must be a 1-dimensional array; got {bins=}")
    count = edges.shape[0]
    if not count:
        return constant(0, lift(x).shape, int32)
    side, how = ("left" if right else "right"), ("scan" if method is None else method)
    up = searchsorted(edges, x, side, method=how)
    down = count - searchsorted(lax.rev(edges, (0,)), x, side, method=how)
    return where(edges[-1] >= edges[0], up, down)

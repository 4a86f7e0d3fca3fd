"""Padding in all of NumPy's modes. A mode but "constant" makes what comes before and after an axis of the array's own elements; axes are padded one after another."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.lax.base import ArrayLike, axis_index, constant, convert
from weft.numpy import reductions
from weft.numpy.creation import linspace

__all__ = ["pad"]


def pad(array: ArrayLike, pad_width: Any, mode: str | Callable[..., Any] = "constant", **kwargs: Any) -> Array:
    """An array with elements before and after along each axis: constant values, or what `mode` makes of the array's own.

    `pad_width` is a number, (before, after), or one such pair per axis (or a dict from axes to them). Modes: constant (constant_values), edge, reflect and symmetric (reflect_type="even"), wrap,
    empty, linear_ramp (end_values), maximum, minimum, mean.
    """
    node = lift(array)
    x = wrap(convert(node, node.dtype))
    widths = _pairs(pad_width, x.ndim, "pad_width")
    widths = [tuple(operator.index(w) for w in pair) for pair in widths]
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"index can't contain negative values, got pad_width {widths}")
    if mode in ("constant", "empty"):
        values = _pairs(kwargs.get("constant_values", 0), x.ndim, "constant_values")
        for axis, ((low, high), (before, after)) in enumerate(zip(widths, values, strict=True)):
            for value, config in ((before, (low, 0, 0)), (after, (0, high, 0))):
                fill = lax.convert_element_type(value, x.dtype)
                x = lax.pad(x, fill, [config if k == axis else (0, 0, 0) for k in range(x.ndim)])
        return wrap(convert(x._node, x.dtype, node.aval.weak_type))
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _PADDINGS:
        raise NotImplementedError(f"Unimplemented padding mode {mode!r} for np.pad.")
    for axis, (low, high) in enumerate(widths):
        if low or high:
            if not x.shape[axis] and mode != "mean":  # the mean of nothing is NaN
                raise ValueError(f"Cannot apply '{mode}' padding to empty axis {axis}")
            x = _PADDINGS[mode](x, axis, low, high, kwargs)
    return wrap(convert(x._node, x.dtype, node.aval.weak_type))


def _by_function(x: Array, widths: Sequence[tuple[Any, ...]], function: Callable[..., Any], options: Any) -> Array:
    """Zeros around the array, which a function of each vector along each axis replaces."""
    from weft.numpy.mapping import apply_along_axis

    zero = constant(0, (), x.dtype)
    x = lax.pad(x, zero, [(*pair, 0) for pair in widths])
    for axis in range(x.ndim):
        x = apply_along_axis(function, axis, x, widths[axis], axis, options)
    return x


def _pairs(value: Any, rank: int, name: str) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        by_axis = {axis_index(k, rank): v for k, v in value.items()}
        value = [by_axis.get(k, 0) for k in range(rank)]
        return [tuple(v) if isinstance(v, (tuple, list)) else (v, v) for v in value]  # type: ignore[misc]
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, (tuple, list)):
        return [(value, value)] * rank
    rows = [tuple(v) if isinstance(v, (tuple, list)) else v for v in value]
    if all(not isinstance(v, tuple) for v in rows) and len(rows) in (1, 2):
        return [(rows[0], rows[-1])] * rank
    if all(isinstance(v, tuple) and len(v) in (1, 2) for v in rows) and len(rows) in (1, rank):
        return [(v[0], v[-1]) for v in (rows * rank if len(rows) == 1 else rows)]
    raise ValueError(
        f"jnp.pad: {name} with nd={rank} has unsupported shape: got {value}. Valid shapes are ({rank}, 2), (1, 2), (2,), (1,), or ()."
    )


def _joined(x: Array, axis: int, before: Array | None, after: Array | None) -> Array:
    return lax.concatenate([p for p in (before, x, after) if p is not None and p.shape[axis]], axis)


def _edge(x: Array, axis: int, low: int, high: int, options: Any) -> Array:
    def end(index: int, width: int) -> Array:
        edge = lax.index_in_dim(x, index, axis)
        return lax.broadcast_in_dim(edge, [width if k == axis else n for k, n in enumerate(x.shape)], range(x.ndim))

    return _joined(x, axis, end(0, low), end(-1, high))


def _wrap(x: Array, axis: int, low: int, high: int, options: Any) -> Array:
    extent = x.shape[axis]
    copies = 1 + -(-low // extent) + -(-high // extent)
    repeated = lax.concatenate([x] * copies, axis)
    start = -low % extent
    return lax.slice_in_dim(repeated, start, start + low + extent + high, 1, axis)


def _mirror(skip: int) -> Callable[..., Array]:
    """reflect leaves out the edge (skip 1), symmetric repeats it (skip 0)."""

    def padding(x: Array, axis: int, low: int, high: int, options: Any) -> Array:
        odd = options.get("reflect_type", "even") == "odd"
        while low or high:
            extent = x.shape[axis]
            if extent == 1 and skip:
                return _edge(x, axis, low, high, options)
            before, after = min(low, extent - skip), min(high, extent - skip)
            mirrored = lax.rev(x, (axis,))
            front = lax.slice_in_dim(mirrored, extent - skip - before, extent - skip, 1, axis)
            back = lax.slice_in_dim(mirrored, skip, skip + after, 1, axis)
            if odd:
                front = 2 * lax.index_in_dim(x, 0, axis) - front
                back = 2 * lax.index_in_dim(x, -1, axis) - back
            x, low, high = _joined(x, axis, front, back), low - before, high - after
        return x

    return padding


def _statistic(name: str) -> Callable[..., Array]:
    def padding(x: Array, axis: int, low: int, high: int, options: Any) -> Array:
        length = options.get("stat_length")
        counts = (x.shape[axis],) * 2 if length is None else _pairs(length, x.ndim, "stat_length")[axis]

        def end(part: Array, width: int) -> Array:
            value = getattr(reductions, name)(part, axis=axis, keepdims=True)
            value = lax.round(value, 1) if name == "mean" and x.dtype.is_integer else value
            value = lax.convert_element_type(value, x.dtype)
            return lax.broadcast_in_dim(
                value, [width if k == axis else n for k, n in enumerate(x.shape)], range(x.ndim)
            )

        before = lax.slice_in_dim(x, 0, min(counts[0], x.shape[axis]), 1, axis)
        after = lax.slice_in_dim(x, max(0, x.shape[axis] - counts[1]), None, 1, axis)
        return _joined(x, axis, end(before, low), end(after, high))

    return padding


def _ramp(x: Array, axis: int, low: int, high: int, options: Any) -> Array:
    first, last = _pairs(options.get("end_values", 0), x.ndim, "end_values")[axis]

    def ramp(value: Any, edge: int, width: int) -> Array:
        inner = lax.squeeze(lax.index_in_dim(x, edge, axis), (axis,))
        return linspace(lax.full_like(inner, value), inner, width, endpoint=False, dtype=x.dtype, axis=axis)

    before = ramp(first, 0, low)
    after = lax.rev(ramp(last, -1, high), (axis,))
    return _joined(x, axis, before, after)


_PADDINGS: dict[Any, Callable[..., Array]] = {
    "edge": _edge,
    "wrap": _wrap,
    "reflect": _mirror(1),
    "symmetric": _mirror(0),
    "linear_ramp": _ramp,
    "maximum": _statistic("max"),
    "minimum": _statistic("min"),
    "mean": _statistic("mean"),
}

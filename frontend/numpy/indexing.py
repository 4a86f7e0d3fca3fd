"""Indexing: reading with `x[...]`, updating with `x.at[...]`, and the functions that take indices.

An index (integers, slices, ..., None, arrays) is first taken apart into *what happens to each axis*. Whatever integers and slices alone say is a view: slice, reverse, reshape. Arrays
of integers make one gather (or scatter), in which the axes that slices keep whole are part of the slices that it moves; a slice that does not keep its axis whole becomes an
index vector of its own. NumPy's rule for where the array axes go holds. Boolean arrays must be known, because their number of true elements makes the shape.

Indices out of range: reading gives the nearest element (as in JAX: a negative index counts from the end first), updates there are dropped.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import bool_
from weft.lax.base import ArrayLike, axis_index, constant, convert, default_int, integers, size_of
from weft.lax.indexing import GatherDimensionNumbers, GatherScatterMode
from weft.numpy.creation import array as make_array
from weft.numpy.elementwise import where
from weft.numpy.manipulation import broadcast_to, moveaxis, ravel

__all__ = [
    "At", "Updates", "argwhere", "choose", "compress", "extract", "flatnonzero", "getitem", "nonzero",
    "put_along_axis", "ravel_multi_index", "take", "take_along_axis", "unravel_index", "wrapped",
]  # fmt: skip

# -- an index taken apart


@dataclass
class _Plan:
    """An index of an array of one shape: first views (`starts`, `stops`, `steps`, `reversed` per axis; `drop`ped axes), then arrays for some axes, then new axes."""

    starts: list[int]
    stops: list[int]
    steps: list[int]
    reverse: list[int] = field(default_factory=list)
    arrays: dict[int, Array] = field(default_factory=dict)  # by operand axis
    drop: list[int] = field(default_factory=list)  # axes that an integer takes away
    order: list[Any] = field(default_factory=list)  # result axes as written: an operand axis, "new", or "array"


def _expand(index: Any, rank: int) -> list[Any]:
    """The entries of an index, boolean arrays replaced by their integer ones and the ellipsis by full slices. Raises for what is no index."""
    entries: list[Any] = []
    for position, entry in enumerate(index if isinstance(index, tuple) else (index,)):
        entries.extend(_entry(entry, position))
    consumed = builtins.sum(e is not None and e is not Ellipsis and not isinstance(e, _Always) for e in entries)
    if consumed > rank:
        raise IndexError(f"Too many indices: array is {rank}-dimensional, but {consumed} were indexed")
    if builtins.sum(e is Ellipsis for e in entries) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    rest = [slice(None)] * (rank - consumed)
    if Ellipsis in [e if e is Ellipsis else 0 for e in entries]:
        place = next(k for k, e in enumerate(entries) if e is Ellipsis)
        return [*entries[:place], *rest, *entries[place + 1 :]]
    return [*entries, *rest]


class _Always:
    """A boolean scalar as an index: an axis of size 1 (true) or 0 (false)."""

    def __init__(self, value: bool):
        self.value = value


class _Mask:
    """One of the integer arrays that a boolean array stands for: it must fit an axis of this size."""

    def __init__(self, array: Array, size: int):
        self.array, self.size = array, size


def _entry(entry: Any, position: int) -> list[Any]:
    if entry is None or entry is Ellipsis or isinstance(entry, slice):
        return [entry]
    if isinstance(entry, bool):
        return [_Always(entry)]
    if isinstance(entry, int):
        return [entry]
    if isinstance(entry, str):
        raise TypeError(f"String indexing is not supported; got index {entry!r}")
    if isinstance(entry, (list, tuple)):
        if position == 0 and isinstance(entry, list):
            raise TypeError(
                "Using a non-tuple sequence for multidimensional indexing is not allowed; use `arr[array(seq)]` instead of `arr[seq]`."
            )
        entry = make_array(entry) if entry else make_array(entry, int)
    try:
        array = wrap(lift(entry))
    except TypeError:
        raise TypeError(
            f"Indexer must be an integer, slice, ellipsis, None, or an array of integers or booleans, got {entry!r}"
        ) from None
    if array.dtype is bool_:
        if array.ndim == 0:
            return [_Always(builtins.bool(array))]
        return [_Mask(i, n) for i, n in zip(_nonzero(array), array.shape, strict=True)]
    if not array.dtype.is_integer:
        raise TypeError(f"Indexer must have integer or boolean type, got indexer with type {array.dtype}")
    if array.ndim == 0 and not hasattr(entry, "_node"):
        return [int(array)]
    return [array]


def _plan(shape: tuple[int, ...], index: Any) -> _Plan:
    plan = _Plan([0] * len(shape), list(shape), [1] * len(shape))
    axis = 0
    for position, entry in enumerate(_expand(index, len(shape))):
        if entry is None:
            plan.order.append("new")
            continue
        if isinstance(entry, _Always):
            plan.order.append(entry)
            continue
        size = shape[axis]
        if isinstance(entry, slice):
            _slice(plan, axis, size, entry)
            plan.order.append(axis)
        elif isinstance(entry, int):
            if not -size <= entry < size:
                raise IndexError(f"index {entry} is out of bounds for axis {axis} with size {size}")
            plan.starts[axis] = entry % size
            plan.stops[axis] = entry % size + 1
            plan.drop.append(axis)
            plan.order.append("integer")
        else:
            if isinstance(entry, _Mask):
                if entry.size != size:
                    raise IndexError(
                        f"boolean index did not match shape of indexed array in index {position}: got size {entry.size}, expected {size} along axis {axis}"
                    )
                entry = entry.array
            plan.arrays[axis] = entry
            plan.order.append("array")
        axis += 1
    return plan


def _slice(plan: _Plan, axis: int, size: int, entry: slice) -> None:
    try:
        start, stop, step = entry.indices(size)
    except TypeError as error:
        raise IndexError(
            f"Array slice indices must have static start/stop/step to be used with NumPy indexing syntax. Found {entry}. To index a statically sized array at a dynamic position, "
            "try lax.dynamic_slice/dynamic_update_slice (a static size is required)."
        ) from error
    count = len(range(start, stop, step))
    if step < 0:
        plan.reverse.append(axis)
        start, step = start + (count - 1) * step, -step
    if not count:
        start = builtins.min(start, size) if start > 0 else 0
    plan.starts[axis], plan.steps[axis] = start, step
    plan.stops[axis] = start + (count - 1) * step + 1 if count else start


# -- reading


def getitem(x: Array, index: Any, mode: Any = None, fill_value: Any = None) -> Array:
    """x[index]."""
    if index.__class__ is int and x.ndim:  # x[i], the most common one
        return lax.squeeze(lax.index_in_dim(x, index, 0), (0,))
    plan = _plan(x.shape, index)
    if not plan.arrays:
        return _arranged(_view(x, plan), plan)
    view = _view(x, plan)
    if len(plan.arrays) == 1 and (scalar := next(iter(plan.arrays.values()))).ndim == 0 and mode is None:
        axis = next(iter(plan.arrays))
        at = lax.dynamic_index_in_dim(view, scalar, axis)
        return _arranged(at, _without_arrays(plan))
    how = GatherScatterMode.from_any(mode, GatherScatterMode.CLIP)
    axes, indices = _index_vectors(plan, view.shape)
    rank = indices.ndim - 1
    numbers, sizes, _ = _dimension_numbers(view.shape, axes, rank)
    found = lax.gather(view, indices, numbers, sizes, mode=how, fill_value=fill_value)
    return _placed(found, plan, rank)


def _view(x: Array, plan: _Plan) -> Array:
    """The slices of a plan; integers leave axes of size 1."""
    part = lax.slice(x, plan.starts, plan.stops, plan.steps)
    return lax.rev(part, plan.reverse)


def _without_arrays(plan: _Plan) -> _Plan:
    """The same, the array having become an axis of size 1 that goes away."""
    return _Plan(
        plan.starts,
        plan.stops,
        plan.steps,
        plan.reverse,
        {},
        sorted([*plan.drop, *plan.arrays]),
        ["integer" if e == "array" else e for e in plan.order],
    )


def _arranged(view: Array, plan: _Plan) -> Array:
    """Dropped axes out, new ones in."""
    shape: list[int] = []
    empty = False
    for entry in plan.order:
        if entry == "new":
            shape.append(1)
        elif isinstance(entry, _Always):
            shape.append(1)
            empty |= not entry.value
        elif entry != "integer":
            shape.append(view.shape[entry])
    found = lax.reshape(view, shape)
    if any(isinstance(e, _Always) for e in plan.order):  # several count as one
        places = [k for k, e in enumerate([e for e in plan.order if e != "integer"]) if isinstance(e, _Always)]
        found = lax.squeeze(found, places[1:])
        if empty:
            found = lax.slice_in_dim(found, 0, 0, 1, places[0])
    return found


def _index_vectors(plan: _Plan, shape: Sequence[int]) -> tuple[list[int], Array]:
    """The axes that arrays index, and the index vectors: the arrays broadcast, side by side along a new last axis."""
    axes = sorted(plan.arrays)
    arrays = [plan.arrays[a] for a in axes]
    common = lax.broadcast_shapes(*(a.shape for a in arrays))
    columns = []
    for axis, array in zip(axes, arrays, strict=True):
        column = (
            wrap(convert(array._node, default_int())) if array.dtype.bits < 32 or array.dtype.kind == "u" else array
        )
        column = wrapped(column, shape[axis])
        columns.append(lax.expand_dims(broadcast_to(column, common), (len(common),)))
    dtype = columns[0].dtype
    return axes, lax.concatenate([wrap(convert(c._node, dtype)) for c in columns], len(common))


def wrapped(index: Array, size: int) -> Array:
    """An index array with negative entries counted from the end."""
    known = index._node.value
    if isinstance(known, int) and not isinstance(known, bool) and known >= 0:
        return index
    return lax.select(
        lax.lt(index, constant(0, (), index.dtype)), lax.add(index, constant(size, (), index.dtype)), index
    )


def _dimension_numbers(
    shape: Sequence[int], axes: Sequence[int], rank: int
) -> tuple[GatherDimensionNumbers, list[int], list[int]]:
    """A gather of whole slices at `axes`, index axes in front: dimension numbers, slice sizes, and the axes that the slices keep."""
    kept = [k for k in range(len(shape)) if k not in axes]
    offset = tuple(range(rank, rank + len(kept)))
    sizes = [1 if k in axes else n for k, n in enumerate(shape)]
    return GatherDimensionNumbers(offset, tuple(axes), tuple(axes)), sizes, kept


def _placed(found: Array, plan: _Plan, rank: int) -> Array:
    """A gather's result, index axes in front: dropped axes out, new ones in, and index axes where NumPy puts them."""
    entries = plan.order
    advanced = [k for k, e in enumerate(entries) if e in ("array", "integer")]  # integers count as arrays among arrays
    together = advanced == list(range(advanced[0], advanced[-1] + 1))
    kept = [k for k in range(len(plan.starts)) if k not in plan.arrays]
    index_shape = found.shape[:rank]
    before: list[int] = []
    after: list[int] = []
    for k, entry in enumerate(entries):
        if entry in ("array", "integer"):
            continue
        size = 1 if entry == "new" or isinstance(entry, _Always) else found.shape[rank + kept.index(entry)]
        (before if together and k < advanced[0] else after).append(size)
    found = lax.reshape(found, (*index_shape, *before, *after))
    order = [*range(rank, rank + len(before)), *range(rank), *range(rank + len(before), found.ndim)]
    return lax.transpose(found, order)


# -- updating


class At:
    """`x.at`: with an index, what can be updated there."""

    __slots__ = ("_array",)

    def __init__(self, array: Array):
        self._array = array

    def __getitem__(self, index: Any) -> Updates:
        return Updates(self._array, index)

    def __repr__(self) -> str:
        return f"At({self._array!r})"


class Updates:
    """`x.at[index]`: methods that give a new array with the elements there changed.

    `mode` says what happens to indices out of range: "drop" (default), "clip", or "promise_in_bounds".
    """

    __slots__ = ("_array", "_index")

    def __init__(self, array: Array, index: Any):
        self._array, self._index = array, index

    def get(
        self,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        fill_value: Any = None,
    ) -> Array:
        """x[index], with a choice of what indices out of range give: "clip", or "fill" (NaN or `fill_value`)."""
        return getitem(self._array, self._index, mode, fill_value)

    def set(self, values: ArrayLike, **options: Any) -> Array:
        """x with x[index] = values."""
        return _update(self._array, self._index, values, "set", **options)

    def add(self, values: ArrayLike, **options: Any) -> Array:
        """x with values added at index; where an element is named several times, all are."""
        return _update(self._array, self._index, values, "add", **options)

    def subtract(self, values: ArrayLike, **options: Any) -> Array:
        """x with values subtracted at index."""
        return _update(self._array, self._index, -wrap(lift(values)), "add", **options)

    def multiply(self, values: ArrayLike, **options: Any) -> Array:
        """x multiplied by values at index."""
        return _update(self._array, self._index, values, "mul", **options)

    mul = multiply

    def divide(self, values: ArrayLike, **options: Any) -> Array:
        """x divided by values at index."""
        from weft.numpy.elementwise import divide

        ones = lax.full_like(self._array, 1)
        return divide(self._array, _update(ones, self._index, values, "mul", **options))

    def power(self, values: ArrayLike, **options: Any) -> Array:
        """x to the power of values at index."""
        from weft.numpy.elementwise import power

        ones = lax.full_like(self._array, 1)
        return power(self._array, _update(ones, self._index, values, "mul", **options))

    def min(self, values: ArrayLike, **options: Any) -> Array:
        """The minimum of x and values at index."""
        return _update(self._array, self._index, values, "min", **options)

    def max(self, values: ArrayLike, **options: Any) -> Array:
        """The maximum of x and values at index."""
        return _update(self._array, self._index, values, "max", **options)

    def apply(self, func: Callable[[Array], Array], **options: Any) -> Array:
        """x with a function of each element applied at index."""
        touched = _update(constant(False, self._array.shape, bool_), self._index, True, "set", **options)
        return where(touched, lax.convert_element_type(func(self._array), self._array.dtype), self._array)


_KINDS: dict[str, Callable[[Array, Array], Array]] = {
    "set": lambda x, y: y,
    "add": lax.add,
    "mul": lax.mul,
    "min": lax.min,
    "max": lax.max,
}


def _update(
    x: Array,
    index: Any,
    values: ArrayLike,
    kind: str,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
    wrap_negative_indices: bool = True,
) -> Array:
    plan = _plan(x.shape, index)
    new = wrap(lift(values))
    new = wrap(convert(new._node, x.dtype))
    how = GatherScatterMode.from_any(mode, GatherScatterMode.FILL_OR_DROP)
    view_shape = [len(range(a, b, s)) for a, b, s in zip(plan.starts, plan.stops, plan.steps, strict=True)]
    if not plan.arrays:
        return _update_view(x, plan, view_shape, new, kind)
    # Slices that do not keep their axis whole become index arrays, so that one scatter does it all.
    scattered = dict(plan.arrays)
    rank = builtins.max(a.ndim for a in plan.arrays.values())
    common = lax.broadcast_shapes(*(a.shape for a in plan.arrays.values()))
    partial = [k for k in range(x.ndim) if k not in plan.arrays and (view_shape[k] != x.shape[k] or k in plan.reverse)]
    total = rank + len([k for k in partial if k not in plan.drop])
    place = rank
    for k, array in plan.arrays.items():
        scattered[k] = lax.reshape(
            wrapped(array, x.shape[k]), (*((1,) * (rank - array.ndim)), *array.shape, *((1,) * (total - rank)))
        )
    for k in partial:
        if k in plan.drop:
            scattered[k] = constant(plan.starts[k], (1,) * total, default_int())
            continue
        line = lax.iota(default_int(), view_shape[k]) * plan.steps[k] + plan.starts[k]
        line = lax.rev(line, (0,)) if k in plan.reverse else line
        scattered[k] = lax.reshape(line, [view_shape[k] if d == place else 1 for d in range(total)])
        place += 1
    # values, broadcast to the shape that reading gives, are brought into the order (index axes, partial slices, whole axes)
    target, order = _update_layout(x, plan, view_shape, common, [k for k in partial if k not in plan.drop])
    new = lax.transpose(_broadcast_values(new, target[0], plan), order)
    inner = _Plan(plan.starts, plan.stops, plan.steps, [], scattered)
    axes, indices = _index_vectors_raw(inner)
    numbers, _, kept = _dimension_numbers(x.shape, axes, indices.ndim - 1)
    new = lax.reshape(new, (*indices.shape[:-1], *(x.shape[k] for k in kept)))
    return wrap(
        ops.ScatterOp.bind(
            x._node,
            indices._node,
            new._node,
            kind=kind,
            update_window_dims=numbers.offset_dims,
            inserted_window_dims=tuple(axes),
            scatter_dims_to_operand_dims=tuple(axes),
            operand_batching_dims=(),
            scatter_indices_batching_dims=(),
            mode=how.value,
            unique_indices=unique_indices,
        )
    )


def _index_vectors_raw(plan: _Plan) -> tuple[list[int], Array]:
    axes = sorted(plan.arrays)
    arrays = [wrap(convert(plan.arrays[a]._node, default_int())) for a in axes]
    common = lax.broadcast_shapes(*(a.shape for a in arrays))
    return axes, lax.concatenate(
        [lax.expand_dims(broadcast_to(a, common), (len(common),)) for a in arrays], len(common)
    )


def _broadcast_values(new: Array, shape: Sequence[int], plan: _Plan) -> Array:
    extra = new.ndim - len(shape)
    if extra > 0 and all(n == 1 for n in new.shape[:extra]):
        new = lax.reshape(new, new.shape[extra:])
    try:
        return broadcast_to(new, shape)
    except ValueError:
        raise ValueError(
            f"Incompatible shapes for broadcasting: values of shape {new.shape} and an index that selects shape {tuple(shape)}"
        ) from None


def _update_layout(
    x: Array, plan: _Plan, view_shape: Sequence[int], common: tuple[int, ...], partial: Sequence[int]
) -> tuple[tuple[list[int]], list[int]]:
    """The shape that x[index] has, and the permutation of its axes to (index axes, partial axes, whole axes, new axes)."""
    advanced = [k for k, e in enumerate(plan.order) if e in ("array", "integer")]
    together = advanced == list(range(advanced[0], advanced[-1] + 1))
    labels: list[Any] = [] if together else [("i", k) for k in range(len(common))]
    done = not together
    for entry in plan.order:
        if entry in ("array", "integer"):
            labels, done = (labels if done else [*labels, *(("i", k) for k in range(len(common)))]), True
        elif entry == "new" or isinstance(entry, _Always):
            labels.append(("new", len(labels)))
        else:
            labels.append(("axis", entry))
    shape = [common[n] if kind == "i" else view_shape[n] if kind == "axis" else 1 for kind, n in labels]
    whole = [k for k in range(x.ndim) if ("axis", k) in labels and k not in partial]
    wanted = [
        *(("i", k) for k in range(len(common))),
        *(("axis", k) for k in partial),
        *(("axis", k) for k in whole),
        *(label for label in labels if label[0] == "new"),
    ]
    return (shape,), [labels.index(label) for label in wanted]


def _update_view(x: Array, plan: _Plan, view_shape: Sequence[int], new: Array, kind: str) -> Array:
    """An update of a slice: its values padded to the whole, and chosen (or combined) where the slice lies."""
    shape = [1 if e == "new" or isinstance(e, _Always) else view_shape[e] for e in plan.order if e != "integer"]
    if any(isinstance(e, _Always) and not e.value for e in plan.order):
        return x
    new = lax.reshape(_broadcast_values(new, shape, plan), view_shape)
    new = lax.rev(new, plan.reverse)
    if not size_of(view_shape):
        return x
    if all(n == m for n, m in zip(view_shape, x.shape, strict=True)):
        return _KINDS[kind](x, new)
    if all(s == 1 for s in plan.steps):
        starts = [constant(s, (), default_int()) for s in plan.starts]
        part = new if kind == "set" else _KINDS[kind](lax.slice(x, plan.starts, plan.stops), new)
        return lax.dynamic_update_slice(x, part, starts)
    config = [(a, n - b, s - 1) for a, b, s, n in zip(plan.starts, plan.stops, plan.steps, x.shape, strict=True)]
    inside = lax.pad(constant(True, view_shape, bool_), constant(False, (), bool_), config)
    spread = lax.pad(new, constant(0, (), x.dtype), config)
    return lax.select(inside, _KINDS[kind](x, spread), x)


# -- functions


def take(
    a: ArrayLike,
    indices: ArrayLike,
    axis: int | None = None,
    out: None = None,
    mode: str | None = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    fill_value: Any = None,
) -> Array:
    """The parts of an array at indices along an axis (of all elements if None). Out of range: NaN ("fill"), the nearest ("clip"), or modulo the size ("wrap")."""
    x, places = wrap(lift(a)), wrap(lift(make_array(indices) if isinstance(indices, (list, tuple)) else indices))
    if not places.dtype.is_integer:
        raise TypeError(f"take requires integer indices, got {places.dtype}")
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    if mode == "raise":
        raise NotImplementedError("The 'raise' mode to take is not supported.")
    if mode == "wrap":
        from weft.numpy.elementwise import remainder

        places, mode = remainder(places, x.shape[axis]), "promise_in_bounds"
    if mode == "clip":
        places = lax.max(places, constant(0, (), places.dtype))
    index = (*[slice(None)] * axis, lax.expand_dims(places, (0,)) if places.ndim == 0 else places)
    found = getitem(x, index, mode or "fill", fill_value)
    return lax.squeeze(found, (axis,)) if places.ndim == 0 else found


def take_along_axis(
    arr: ArrayLike, indices: ArrayLike, axis: int | None = -1, mode: Any = None, fill_value: Any = None
) -> Array:
    """For each place of `indices`, the element of `arr` at that index along an axis. Out of range: NaN ("fill"), or the nearest ("clip")."""
    x, places = wrap(lift(arr)), wrap(lift(indices))
    if not places.dtype.is_integer:
        raise TypeError(f"take_along_axis indices must be of integer type, got {places.dtype}")
    if axis is None:
        if places.ndim != 1:
            raise ValueError(f"take_along_axis indices must be 1D if axis=None, got shape {places.shape}")
        x, axis = ravel(x), 0
    if x.ndim != places.ndim:
        raise ValueError(f"indices and arr must have the same number of dimensions; {places.ndim} vs. {x.ndim}")
    axis = axis_index(axis, x.ndim)
    x, places, grid = _along(x, places, axis)
    return getitem(x, tuple(places if k == axis else g for k, g in enumerate(grid)), mode or "fill", fill_value)


def _along(x: Array, places: Array, axis: int) -> tuple[Array, Array, list[Array]]:
    """Both broadcast along the other axes, and the index arrays of these."""
    others = lax.broadcast_shapes(*([n for k, n in enumerate(v.shape) if k != axis] for v in (x, places)))
    shape = [*others[:axis], 0, *others[axis:]]
    x, places = (broadcast_to(v, [v.shape[k] if k == axis else n for k, n in enumerate(shape)]) for v in (x, places))
    grid = [
        lax.reshape(lax.iota(default_int(), n), [n if j == k else 1 for j in range(x.ndim)])
        for k, n in enumerate(shape)
    ]
    return x, places, grid


def put_along_axis(
    arr: ArrayLike, indices: ArrayLike, values: ArrayLike, axis: int | None, inplace: bool = True, *, mode: Any = None
) -> Array:
    """`arr` with values at the places that `take_along_axis` reads, as a new array (`inplace=False` is required: arrays never change)."""
    if inplace:
        raise ValueError("put_along_axis cannot modify arrays in-place: pass inplace=False and use the returned array.")
    original, places = wrap(lift(arr)), wrap(lift(indices))
    x = ravel(original) if axis is None else original
    axis = axis_index(0 if axis is None else axis, x.ndim)
    x, places, grid = _along(x, places, axis)
    index = tuple(places if k == axis else g for k, g in enumerate(grid))
    return lax.reshape(x.at[index].set(values, mode=mode), original.shape)


def _nonzero(condition: Array) -> list[Array]:
    """Index vectors of the true elements. The array must be known."""
    from itertools import compress, product

    flags = condition.tolist() if condition.ndim == 1 else ravel(condition).tolist()
    places = list(compress(product(*map(range, condition.shape)), flags))
    return [make_array([p[k] for p in places], int) for k in range(condition.ndim)]


def nonzero(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> tuple[Array, ...]:
    """The indices of elements that are not zero, one vector per axis. With `size` (how many there shall be at most, `fill_value` or 0 for the rest) also of traced arrays."""
    x = wrap(convert(lift(a), bool_))
    if x.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use jnp.atleast_1d(scalar).nonzero() instead.")
    if size is None:
        return tuple(_nonzero(x))
    flat = ravel(x)
    count = lax.cumsum(wrap(convert(flat._node, default_int())), 0)
    order = lax.iota(default_int(), size)
    hits = lax.expand_dims(count, (0,)) <= lax.expand_dims(order, (1,))
    place = lax.reduce_sum(wrap(convert(hits._node, default_int())), (1,))  # how many prefixes hold no more than k
    inside = lax.lt(place, constant(flat.size, (), place.dtype))
    fills = fill_value if isinstance(fill_value, (tuple, list)) else [0 if fill_value is None else fill_value] * x.ndim
    return tuple(where(inside, i, f) for i, f in zip(unravel_index(place, x.shape), fills, strict=True))


def flatnonzero(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices, among all elements, of those that are not zero."""
    return nonzero(ravel(a), size=size, fill_value=fill_value)[0]


def argwhere(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices of elements that are not zero, one row each."""
    from weft.numpy.manipulation import stack

    return stack(nonzero(a, size=size, fill_value=fill_value), 1)


def extract(condition: ArrayLike, arr: ArrayLike) -> Array:
    """The elements where a known condition holds."""
    return getitem(ravel(arr), ravel(wrap(convert(lift(condition), bool_))))


def compress(condition: ArrayLike, a: ArrayLike, axis: int | None = None) -> Array:
    """The parts along an axis where a known condition holds."""
    x = ravel(a) if axis is None else moveaxis(a, axis, 0)
    mask = wrap(convert(lift(make_array(condition)), bool_))
    found = getitem(x, _nonzero(mask)[0])
    return found if axis is None else moveaxis(found, 0, axis)


def choose(a: ArrayLike, choices: Sequence[ArrayLike], out: None = None, mode: str = "raise") -> Array:
    """From several arrays, element by element, the one that an index names; out of range: "clip" or "wrap"."""
    from weft.numpy.elementwise import clip, remainder
    from weft.numpy.manipulation import broadcast_arrays, stack

    if mode == "raise":
        raise NotImplementedError("The 'raise' mode to choose is not supported: use mode='clip' or mode='wrap'.")
    index, *arrays = broadcast_arrays(a, *choices)
    index = remainder(index, len(arrays)) if mode == "wrap" else clip(index, 0, len(arrays) - 1)
    return lax.squeeze(take_along_axis(stack(arrays), lax.expand_dims(index, (0,)), 0), (0,))


def unravel_index(indices: ArrayLike, shape: Sequence[int]) -> tuple[Array, ...]:
    """Indices among all elements as indices along each axis."""
    rest = wrap(lift(indices))
    found = []
    for n in reversed(integers(shape)):
        size = constant(builtins.max(n, 1), (), rest.dtype)
        found.append(lax.rem(rest, size))
        rest = lax.div(rest, size)
    return tuple(reversed(found))


def ravel_multi_index(
    multi_index: Sequence[ArrayLike], dims: Sequence[int], mode: str = "raise", order: str = "C"
) -> Array:
    """Indices along each axis as indices among all elements; out of range: "clip" or "wrap"."""
    from weft.numpy.elementwise import clip, remainder

    sizes = integers(dims)
    if len(multi_index) != len(sizes):
        raise ValueError("len(multi_index) != len(dims)")
    total: Any = 0
    pairs = list(zip(multi_index, sizes, strict=True))
    for index, n in pairs if order == "C" else reversed(pairs):
        place = remainder(index, n) if mode == "wrap" else clip(index, 0, n - 1) if mode == "clip" else index
        total = total * n + wrap(lift(place))
    return total

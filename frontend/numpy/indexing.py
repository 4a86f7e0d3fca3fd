"""Indexing: reading with `x[index]`, updating with `x.at[index]`.

An index (integers, slices, ..., None, arrays) is taken apart into entries. Integers and slices make a view: slice, reverse, reshape. Arrays of integers make one gather, in which
the other axes move as whole slices; NumPy's rule for where the arrays' axes go holds. Boolean arrays must be known, because the number of true elements makes the shape.

An update writes where reading would read: the places, among all elements, are the same index of an array that numbers them.

Out of range, reading gives the nearest element (a negative index counts from the end first), and updates are dropped; `mode` changes that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import compress, product
from typing import Any, NamedTuple, TypeAlias

from weft import eager, lax
from weft.array import Array, lift, wrap
from weft.config import config
from weft.devices import get_device
from weft.dialects.array.node import STATE, aval, computed
from weft.dialects.dtypes import bool_, promote_types
from weft.eager import SCALARS
from weft.errors import ConcretizationTypeError, NonConcreteBooleanIndexError, TracerIntegerConversionError
from weft.host import canonical, outside
from weft.lax.base import ArrayLike, constant, convert, default_int, size_of
from weft.lax.indexing import GatherDimensionNumbers, GatherScatterMode, ScatterDimensionNumbers, wrapped
from weft.numpy.creation import array as make_array
from weft.numpy.elementwise import where
from weft.numpy.manipulation import broadcast_to, ravel
from weft.numpy.promotion import common_dtype

# -- an index taken apart


class _Range(NamedTuple):
    """A slice of an axis: `size` elements from `start` on, `step` apart, last first if `down`. An integer is one of them, whose axis goes away (`drop`)."""

    start: int
    size: int
    step: int = 1
    down: bool = False
    drop: bool = False

    @property
    def stop(self) -> int:
        return self.start + (self.size - 1) * self.step + 1 if self.size else self.start


class _New(NamedTuple):
    """A new axis: of size 1 (None, True) or 0 (False); none at all if the size is -1."""

    size: int
    flag: bool = False


class _Mask(NamedTuple):
    """One of the integer arrays that a boolean array stands for; its axis must have this size."""

    array: Array
    size: int


Entry: TypeAlias = _Range | _New | Array


def _entries(shape: tuple[int, ...], index: Any, clamped: bool = False, wrap_negative: bool = True) -> list[Entry]:
    """The entries of an index of an array, the ellipsis spelled out. Raises TypeError for what is no index, IndexError for one that does not fit.

    An integer out of range is the nearest one if indices are `clamped`, as JAX's are where an array is read, or else an index of a gather or scatter, whose mode says what it means.
    """
    if isinstance(index, list):
        raise TypeError(
            "Using a non-tuple sequence for multidimensional indexing is not allowed; use `arr[array(seq)]` instead of `arr[seq]`."
        )
    given = [e for part in (index if isinstance(index, tuple) else (index,)) for e in _parsed(part)]
    taken = sum(e is not Ellipsis and not isinstance(e, _New) for e in given)
    if taken > len(shape):
        raise IndexError(f"Too many indices: array is {len(shape)}-dimensional, but {taken} were indexed")
    gaps = [k for k, e in enumerate(given) if e is Ellipsis]
    if len(gaps) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    place = gaps[0] if gaps else len(given)
    # An ellipsis that stands for no axis still keeps what is on its sides apart.
    given[place : place + len(gaps)] = [slice(None)] * (len(shape) - taken) or [_New(-1)] * len(gaps)
    sizes = iter(enumerate(shape))
    entries: list[Entry] = []
    for e in given:
        if isinstance(e, _New):
            entries.append(e if not e.flag or not any(isinstance(o, _New) and o.flag for o in entries) else _New(-1))
            continue
        axis, size = next(sizes)
        if isinstance(e, int):
            if (-size if wrap_negative else 0) <= e < size:
                entries.append(_Range(e % size, 1, drop=True))
            elif not size:
                raise IndexError(f"index {e} is out of bounds for axis {axis} with size 0")
            elif clamped and make_array(e, int).size:  # raises OverflowError for what is no index of any array
                entries.append(_Range(0 if e < 0 else size - 1, 1, drop=True))
            else:
                entries.append(make_array(e, int))
        elif isinstance(e, slice):
            entries.append(_range(e, size))
        elif isinstance(e, _Mask):
            if e.size not in (size, 0):
                raise IndexError(
                    f"boolean index did not match shape of indexed array: got size {e.size}, expected {size} along axis {axis}"
                )
            entries.append(e.array)
        else:
            entries.append(e)
    return entries


def _parsed(entry: Any) -> list[Any]:
    """One entry as written: an int, a slice, an ellipsis, a _New, an array of integers, or the _Masks of a boolean array."""
    if entry is None:
        return [_New(1)]
    if isinstance(entry, bool):
        return [_New(int(entry), flag=True)]
    if entry is Ellipsis or isinstance(entry, (slice, int)):
        return [entry]
    if isinstance(entry, str):
        raise TypeError(f"String indexing is not supported; got index {entry!r}")
    if isinstance(entry, (list, tuple)):
        entry = make_array(entry, None if entry else int)
    try:
        array = wrap(lift(entry))
    except TypeError:
        raise IndexError(
            f"Indexer must be an integer, slice, ellipsis, None, or an array of integers or booleans, got {entry!r}"
        ) from None
    if array.dtype is bool_:
        return _parsed(bool(array)) if array.ndim == 0 else [*map(_Mask, _places_of_mask(array), array.shape)]
    if not array.dtype.is_integer:
        raise TypeError(f"Indexer must have integer or boolean type, got indexer with type {array.dtype}")
    return [int(array) if array.ndim == 0 and not isinstance(entry, Array) else array]


def _range(entry: slice, size: int) -> _Range:
    try:
        start, stop, step = entry.indices(size)
    except TracerIntegerConversionError as error:
        raise IndexError(
            f"Array slice indices must have static start/stop/step to be used with NumPy indexing syntax. Found {entry}. "
            "To index a statically sized array at a dynamic position, try lax.dynamic_slice/dynamic_update_slice."
        ) from error
    except TypeError as error:
        raise TypeError(f"Array slice indices must be integers or None, got {entry}") from error
    count = len(range(start, stop, step))
    if not count:
        return _Range(0, 0)
    return _Range(start, count, step) if step > 0 else _Range(start + (count - 1) * step, count, -step, down=True)


def _places_of_mask(mask: Array) -> list[Array]:
    """Index vectors of the true elements. Raises NonConcreteBooleanIndexError for a traced array."""
    try:
        return places_of(mask)
    except ConcretizationTypeError as error:
        raise NonConcreteBooleanIndexError(
            f"Array boolean indices must be concrete; got {mask.aval}. Use weft.numpy.where with three arguments, or nonzero with `size`."
        ) from error


def places_of(condition: Array) -> list[Array]:
    """Index vectors of the true elements. Raises ConcretizationTypeError for a traced array: how many there are is the shape of the result."""
    flags = ravel(condition).tolist()
    places = list(compress(product(*map(range, condition.shape)), flags))
    return [make_array([p[k] for p in places], int) for k in range(condition.ndim)]


# -- reading


def getitem(x: Array, index: Any, mode: Any = None, fill_value: Any = None, wrap_negative: bool = True) -> Array:
    """x[index]. `mode`, `fill_value` and `wrap_negative` say what indices mean that are out of range, or negative."""
    if index.__class__ is int and x.ndim and (-x.shape[0] if wrap_negative else 0) <= index < x.shape[0]:
        found = _at_once(x, (index,))
        return lax.index_in_dim(x, index, 0, keepdims=False) if found is None else found  # the most common one
    if index.__class__ is tuple and mode is None and wrap_negative and (found := _at_once(x, index)) is not None:
        return found
    entries = _entries(x.shape, index, mode is None, wrap_negative)
    view = _view(x, entries)
    arrays = {axis: e for axis, e in enumerate(_by_axis(entries)) if isinstance(e, Array)}
    if not arrays:
        return _arranged(view, entries, 0)
    if len(arrays) == 1 and mode is None:
        ((axis, array),) = arrays.items()
        if not array.ndim:
            if not view.shape[axis]:
                raise IndexError(f"index is out of bounds for axis {axis} with size 0")
            return _arranged(lax.dynamic_index_in_dim(view, array, axis, keepdims=False), entries, 0)
    columns = [wrap(convert(a._node, default_int())) for a in arrays.values()]
    if wrap_negative:
        columns = [wrapped(c, view.shape[axis]) for c, axis in zip(columns, arrays, strict=True)]
    common = lax.broadcast_shapes(*(c.shape for c in columns))
    rank, axes = len(common), tuple(arrays)
    shape = (*common, *(n for k, n in enumerate(view.shape) if k not in arrays))
    if 0 in shape:  # nothing is read: the axis may be empty, too
        return _arranged(constant(0, shape, x.dtype, x.weak_type), entries, rank)
    vectors = lax.concatenate([lax.expand_dims(broadcast_to(c, common), (rank,)) for c in columns], rank)
    offset = tuple(range(rank, rank + view.ndim - len(axes)))
    sizes = [1 if k in arrays else n for k, n in enumerate(view.shape)]
    how = GatherScatterMode.from_any(mode, GatherScatterMode.PROMISE_IN_BOUNDS)
    if fill_value is not None:
        fill = make_array(fill_value)
        if fill.ndim:
            raise ValueError(f"the fill_value of an index must be a scalar, got {fill_value!r}")
        fill_value = fill.item()  # raises ConcretizationTypeError for a traced one
    numbers = GatherDimensionNumbers(offset, axes, axes)
    return _arranged(lax.gather(view, vectors, numbers, sizes, mode=how, fill_value=fill_value), entries, rank)


_LITTLE = 4096
"""Bytes that are rather copied by the host than by a program."""


def _at_once(x: Array, index: tuple[Any, ...]) -> Array | None:
    """x[index] for integers in range, if x has been computed and lies in the host's memory: a copy of a few bytes, so that who reads elements one by one compiles nothing."""
    node = x._node
    shape, value = x.shape, node.value
    if value is None or value.__class__ in SCALARS or node.mark or STATE.pending is None or len(index) > len(shape):
        return None
    place = 0
    for i, n in zip(index, shape, strict=False):
        if i.__class__ is not int or not -n <= i < n:
            return None
        place = place * n + i % n
    part = aval(shape[len(index) :], x.dtype, x.weak_type)
    backend = get_device(value.device).backend
    if part.nbytes > _LITTLE or not backend.host_memory:
        return None
    data = backend.get(eager.value(node), node.aval)[place * part.nbytes : (place + 1) * part.nbytes]
    return wrap(computed(part, backend.put(data, part), node.device))


def _by_axis(entries: Iterable[Entry]) -> list[_Range | Array]:
    """The entries that stand for the array's own axes."""
    return [e for e in entries if not isinstance(e, _New)]


def _view(x: Array, entries: Sequence[Entry]) -> Array:
    """The slices of an index. Integers leave axes of size 1, arrays whole axes."""
    ranges = [e if isinstance(e, _Range) else _Range(0, n) for e, n in zip(_by_axis(entries), x.shape, strict=True)]
    part = lax.slice(x, [r.start for r in ranges], [r.stop for r in ranges], [r.step for r in ranges])
    return lax.rev(part, [k for k, r in enumerate(ranges) if r.down])


def _sizes(entries: Iterable[Entry]) -> list[int]:
    """The sizes of the axes that entries (but arrays) give."""
    return [e.size for e in entries if (isinstance(e, _Range) and not e.drop) or (isinstance(e, _New) and e.size >= 0)]


def _arranged(found: Array, entries: Sequence[Entry], rank: int) -> Array:
    """What was read, `rank` index axes in front: integers' axes out, new ones in, index axes where NumPy puts them.

    That is in the place of the arrays (integers count as such) if these stand side by side, else in front.
    """
    advanced = [k for k, e in enumerate(entries) if isinstance(e, Array) or (isinstance(e, _Range) and e.drop)]
    together = bool(advanced) and advanced[-1] - advanced[0] < len(advanced)
    before = _sizes(entries[: advanced[0]]) if together else []
    shape = (*found.shape[:rank], *(_sizes(entries)))
    if size_of(shape) != found.size:  # False among the entries
        found = constant(0, shape, found.dtype)
    found = lax.reshape(found, shape)
    first, last = range(rank, rank + len(before)), range(rank + len(before), found.ndim)
    return lax.transpose(found, [*first, *range(rank), *last])


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
    """`x.at[index]`: methods that give a new array with the elements there changed. The index may also be a traced mask of all elements (JAX refuses it), if the values are a scalar.

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
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x[index], with a choice of what indices out of range give: "clip", or "fill" (NaN or `fill_value`)."""
        return getitem(self._array, self._index, mode, fill_value, wrap_negative_indices)

    def set(self, values: ArrayLike, **options: Any) -> Array:
        """x with x[index] = values."""
        return _update(self._array, self._index, values, "set", **options)

    def add(self, values: ArrayLike, **options: Any) -> Array:
        """x with values added at index; where an element is named several times, all are."""
        return _update(self._array, self._index, values, "add", **options)

    def subtract(self, values: ArrayLike, **options: Any) -> Array:
        """x with values subtracted at index."""
        return _update(self._array, self._index, -make_array(values), "add", **options)

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
        new = convert(lift(func(self._array)), self._array.dtype, self._array.weak_type)
        return where(touched, wrap(new), self._array)


_COMBINE: dict[str, Callable[[Array, Array], Array]] = {
    "set": lambda x, y: y,
    "add": lax.add,
    "mul": lax.mul,
    "min": lax.min,
    "max": lax.max,
}
_SCATTER = {
    "set": lax.scatter,
    "add": lax.scatter_add,
    "mul": lax.scatter_mul,
    "min": lax.scatter_min,
    "max": lax.scatter_max,
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
    values = make_array(values)
    _warn_of_loss(x, values)
    wide = x.dtype if kind == "set" else common_dtype(x._node, values._node)[0]  # the one in which they are combined
    wider = x if wide is x.dtype else lax.convert_element_type(x, wide)
    found = _updated(wider, index, values, kind, unique_indices, mode, wrap_negative_indices)
    return wrap(convert(found._node, x.dtype, x.weak_type))


def _warn_of_loss(x: Array, values: Array) -> None:
    """Values of a wider type than the array's are converted to it: JAX is to refuse that one day."""
    common, _ = promote_types(x.dtype, values.dtype, x.weak_type, values.weak_type)
    if canonical(common) is not x.dtype and not x.weak_type:
        warnings.warn(
            f"scatter inputs have incompatible types: cannot safely cast value from dtype={values.dtype} to dtype={x.dtype} "
            f"with jax_numpy_dtype_promotion={config.numpy_dtype_promotion}. In future JAX releases this will result in an error.",
            FutureWarning,
            stacklevel=outside(),
        )


def _updated(x: Array, index: Any, values: ArrayLike, kind: str, unique: bool, mode: Any, wrap_negative: bool) -> Array:
    how = GatherScatterMode.from_any(mode, GatherScatterMode.FILL_OR_DROP)
    new = lax.convert_element_type(values, x.dtype)
    if not new.ndim and isinstance(index, Array) and index.dtype is bool_ and index.shape == x.shape:
        return where(index, _COMBINE[kind](x, lax.full_like(x, new)), x)  # the mask may be traced then
    entries = _entries(x.shape, index, False, wrap_negative)
    if not any(isinstance(e, Array) for e in entries):
        return _update_view(x, entries, new, kind)
    if not x.size:
        return x
    numbered = lax.reshape(lax.iota(default_int(), x.size), x.shape)
    places = getitem(numbered, index, how, x.size, wrap_negative)  # outside: a place outside
    scattered = _SCATTER[kind](
        lax.reshape(x, (x.size,)),
        lax.reshape(places, (places.size, 1)),
        lax.reshape(_fitted(new, places.shape), (places.size,)),
        ScatterDimensionNumbers((), (0,), (0,)),
        unique_indices=unique,
        mode=how,
    )
    return lax.reshape(scattered, x.shape)


def _fitted(new: Array, shape: Sequence[int]) -> Array:
    """The values of an update, broadcast to the shape of what they replace."""
    extra = max(0, new.ndim - len(shape))
    if all(n == 1 for n in new.shape[:extra]):
        new = lax.reshape(new, new.shape[extra:])
    try:
        return broadcast_to(new, shape)
    except ValueError:
        raise ValueError(
            f"Incompatible shapes for broadcasting: values of shape {new.shape} and an index that selects shape {tuple(shape)}"
        ) from None


def _update_view(x: Array, entries: Sequence[Entry], new: Array, kind: str) -> Array:
    """An update of slices: of the whole, of a block, or (with gaps between) of elements that are chosen."""
    shape = _sizes(entries)
    new = _fitted(new, shape)
    ranges = [e for e in entries if isinstance(e, _Range)]
    inside = tuple(r.size for r in ranges)
    if 0 in (*shape, *inside):
        return x
    new = lax.rev(lax.reshape(new, inside), [k for k, r in enumerate(ranges) if r.down])
    if inside == x.shape:
        return _COMBINE[kind](x, new)
    if all(r.step == 1 for r in ranges):
        block = lax.slice(x, [r.start for r in ranges], [r.stop for r in ranges])
        return lax.dynamic_update_slice(
            x, _COMBINE[kind](block, new), [constant(r.start, (), default_int()) for r in ranges]
        )
    config = [(r.start, n - r.stop, r.step - 1) for r, n in zip(ranges, x.shape, strict=True)]
    chosen = lax.pad(constant(True, inside, bool_), constant(False, (), bool_), config)
    return lax.select(chosen, _COMBINE[kind](x, lax.pad(new, constant(0, (), x.dtype), config)), x)

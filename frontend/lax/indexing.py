"""Operators that read and write at computed places: dynamic slices, gather, scatter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.node import Node
from weft.lax.base import ArrayLike, axis_index, constant, convert, default_int, integers, known, shape_of
from weft.lax.elementwise import add, convert_element_type, lt, neg, select
from weft.lax.shape import concatenate, expand_dims, reshape, slice_in_dim, squeeze

__all__ = [
    "GatherDimensionNumbers", "GatherScatterMode", "ScatterDimensionNumbers", "dynamic_index_in_dim",
    "dynamic_slice", "dynamic_slice_in_dim", "dynamic_update_index_in_dim", "dynamic_update_slice",
    "dynamic_update_slice_in_dim", "gather", "index_take", "scatter", "scatter_add", "scatter_apply", "scatter_max",
    "scatter_min", "scatter_mul", "scatter_sub",
]  # fmt: skip

# -- dynamic slices


def _starts(operand: Node, start_indices: Any, wrap_negative: bool, name: str) -> list[Node]:
    """The start along each axis as a scalar; one that is negative counts from the end."""
    if isinstance(start_indices, (tuple, list)):
        starts = [lift(i) for i in start_indices]
    else:
        vector = lift(start_indices)
        if vector.ndim != 1:
            raise ValueError(
                f"{name} start_indices must be a sequence of scalars or a vector, got shape {vector.shape}"
            )
        starts = [reshape(part, ())._node for part in _unstacked(wrap(vector))]
    if len(starts) != operand.ndim:
        raise ValueError(
            f"Length of slice indices must match number of operand dimensions ({len(starts)} vs {operand.shape})"
        )
    for start in starts:
        if start.ndim or not start.dtype.is_integer:
            raise TypeError(f"{name} start_indices must be integer scalars, got {start.aval}")
    pairs = zip(starts, operand.shape, strict=True)
    return [wrapped(wrap(s), n)._node for s, n in pairs] if wrap_negative else starts


def _unstacked(vector: Array) -> list[Array]:
    return [slice_in_dim(vector, i, i + 1) for i in range(vector.shape[0])]


def wrapped(index: Array, size: int) -> Array:
    """Indices with the negative ones counted from the end."""
    if index.dtype.kind == "u" or ((value := known(index._node)) is not None and value >= 0):
        return index
    zero, extent = (constant(n, (), index.dtype) for n in (0, size))
    return select(lt(index, zero), add(index, extent), index)


def dynamic_slice(
    operand: ArrayLike, start_indices: Any, slice_sizes: Sequence[int], *, allow_negative_indices: bool = True
) -> Array:
    """A slice of fixed sizes whose start is computed; it is moved so that the slice lies inside."""
    node, sizes = lift(operand), shape_of(slice_sizes, "dynamic_slice slice_sizes")
    starts = _starts(node, start_indices, allow_negative_indices, "dynamic_slice")
    if len(sizes) != node.ndim or any(s > n for s, n in zip(sizes, node.shape, strict=False)):
        raise TypeError(
            f"slice slice_sizes must be less than or equal to operand shape, got slice_sizes {sizes} for operand shape {node.shape}."
        )
    return wrap(ops.DynamicSliceOp.bind(node, *starts, sizes=sizes))


def dynamic_update_slice(
    operand: ArrayLike, update: ArrayLike, start_indices: Any, *, allow_negative_indices: bool = True
) -> Array:
    """The operand with a slice replaced; the computed start is moved so that the slice lies inside."""
    node, part = lift(operand), lift(update)
    starts = _starts(node, start_indices, allow_negative_indices, "dynamic_update_slice")
    if part.ndim != node.ndim or any(s > n for s, n in zip(part.shape, node.shape, strict=True)):
        raise TypeError(
            f"dynamic_update_slice update shape must be smaller than operand shape, got update shape {part.shape} for operand shape {node.shape}."
        )
    if part.dtype is not node.dtype:
        raise TypeError(
            f"dynamic_update_slice operand and update must have the same dtype, got {node.dtype} and {part.dtype}."
        )
    return wrap(ops.DynamicUpdateSliceOp.bind(node, part, *starts))


def _along(operand: Node, axis: int, start: ArrayLike) -> tuple[int, list[Any]]:
    axis = axis_index(axis, operand.ndim)
    return axis, [start if k == axis else constant(0, (), lift(start).dtype) for k in range(operand.ndim)]


def dynamic_slice_in_dim(
    operand: ArrayLike, start_index: ArrayLike, slice_size: int, axis: int = 0, *, allow_negative_indices: bool = True
) -> Array:
    """`dynamic_slice` along one axis."""
    node = lift(operand)
    axis, starts = _along(node, axis, start_index)
    sizes = [slice_size if k == axis else n for k, n in enumerate(node.shape)]
    return dynamic_slice(operand, starts, sizes, allow_negative_indices=allow_negative_indices)


def dynamic_index_in_dim(
    operand: ArrayLike, index: ArrayLike, axis: int = 0, keepdims: bool = True, *, allow_negative_indices: bool = True
) -> Array:
    """operand[index] along one axis, with a computed index."""
    part = dynamic_slice_in_dim(operand, index, 1, axis, allow_negative_indices=allow_negative_indices)
    return part if keepdims else squeeze(part, (axis_index(axis, part.ndim),))


def dynamic_update_slice_in_dim(
    operand: ArrayLike, update: ArrayLike, start_index: ArrayLike, axis: int, *, allow_negative_indices: bool = True
) -> Array:
    """`dynamic_update_slice` along one axis."""
    _, starts = _along(lift(operand), axis, start_index)
    return dynamic_update_slice(operand, update, starts, allow_negative_indices=allow_negative_indices)


def dynamic_update_index_in_dim(
    operand: ArrayLike, update: ArrayLike, index: ArrayLike, axis: int, *, allow_negative_indices: bool = True
) -> Array:
    """The operand with the part at one computed index along an axis replaced."""
    node, part = lift(operand), lift(update)
    axis = axis_index(axis, node.ndim)
    if part.ndim == node.ndim - 1:
        update = expand_dims(update, (axis,))
    return dynamic_update_slice_in_dim(operand, update, index, axis, allow_negative_indices=allow_negative_indices)


# -- gather and scatter


class GatherDimensionNumbers(NamedTuple):
    """How slices of the operand are laid out in a gather's result (JAX's and XLA's meaning)."""

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """How updates correspond to slices of a scatter's operand (JAX's and XLA's meaning)."""

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()


class GatherScatterMode(Enum):
    """What happens outside: slices are moved inside, or filled (gather) and dropped (scatter); or the caller promises that it does not happen."""

    CLIP = "clip"
    FILL_OR_DROP = "fill"
    PROMISE_IN_BOUNDS = "promise_in_bounds"

    @staticmethod
    def from_any(mode: Any, default: GatherScatterMode) -> GatherScatterMode:
        """A mode from itself, from one of its names, or from None."""
        if mode is None:
            return default
        if isinstance(mode, GatherScatterMode):
            return mode
        if mode in ("fill", "drop"):
            return GatherScatterMode.FILL_OR_DROP
        if mode in ("clip", "promise_in_bounds"):
            return GatherScatterMode(mode)
        raise ValueError(f'Unknown gather mode "{mode}": expected "clip", "fill", "drop" or "promise_in_bounds"')


def _fields(numbers: GatherDimensionNumbers | ScatterDimensionNumbers) -> dict[str, tuple[int, ...]]:
    """Dimension numbers as parameters. Raises TypeError for anything else."""
    if not isinstance(numbers, (GatherDimensionNumbers, ScatterDimensionNumbers)):
        raise TypeError(f"dimension_numbers must be GatherDimensionNumbers or ScatterDimensionNumbers, got {numbers!r}")
    return {k: tuple(v) for k, v in numbers._asdict().items()}


def gather(
    operand: ArrayLike,
    start_indices: ArrayLike,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: Any = None,
    fill_value: Any = None,
) -> Array:
    """Slices of an operand, each starting where an index vector (the last axis of `start_indices`) says."""
    how = GatherScatterMode.from_any(mode, GatherScatterMode.FILL_OR_DROP)
    fields = _fields(dimension_numbers)
    fill = {} if fill_value is None else {"fill_value": fill_value}
    return wrap(
        ops.GatherOp.bind(
            lift(operand), lift(start_indices), **fields, slice_sizes=integers(slice_sizes), mode=how.value, **fill
        )
    )


def _scatterer(kind: str, name: str, what: str) -> Callable[..., Array]:
    def f(
        operand: ArrayLike,
        scatter_indices: ArrayLike,
        updates: ArrayLike,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
    ) -> Array:
        how = GatherScatterMode.from_any(mode, GatherScatterMode.FILL_OR_DROP)
        fields = _fields(dimension_numbers)
        x, indices, new = lift(operand), lift(scatter_indices), lift(updates)
        if x.dtype is not new.dtype:
            raise TypeError(
                f"lax.{name} requires arguments to have the same dtypes, got {x.dtype}, {new.dtype}. (Tip: weft.numpy promotes types.)"
            )
        return wrap(
            ops.ScatterOp.bind(x, indices, new, kind=kind, **fields, mode=how.value, unique_indices=unique_indices)
        )

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"The operand with updates {what}, each a slice that starts where an index vector says."
    return f


scatter = _scatterer("set", "scatter", "put in")
scatter_add = _scatterer("add", "scatter_add", "added")
scatter_mul = _scatterer("mul", "scatter_mul", "multiplied in")
scatter_min = _scatterer("min", "scatter_min", "brought in by the minimum")
scatter_max = _scatterer("max", "scatter_max", "brought in by the maximum")


def scatter_sub(
    operand: ArrayLike, scatter_indices: ArrayLike, updates: ArrayLike, *args: Any, **options: Any
) -> Array:
    """The operand with updates subtracted, each a slice that starts where an index vector says."""
    return scatter_add(operand, scatter_indices, neg(updates), *args, **options)


def scatter_apply(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    func: Callable[[Array], Array],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Array:
    """The operand with a function applied to the elements at the places of updates (once, however often they are named)."""
    x = wrap(lift(operand))
    touched = scatter(
        constant(False, x.shape, lift(True).dtype),
        scatter_indices,
        constant(True, update_shape, lift(True).dtype),
        dimension_numbers,
        mode=mode,
    )
    return select(touched, convert_element_type(func(x), x.dtype), x)


def index_take(src: ArrayLike, idxs: Sequence[ArrayLike], axes: Sequence[int]) -> Array:
    """The parts of `src` at index vectors along `axes`, one after another in front."""
    node = lift(src)
    columns = [wrap(convert(lift(i), default_int())) for i in idxs]
    vectors = concatenate([expand_dims(c, (c.ndim,)) for c in columns], columns[0].ndim)
    sizes = [1 if k in axes else n for k, n in enumerate(node.shape)]
    offset = tuple(range(1, node.ndim - len(tuple(axes)) + 1))
    return gather(src, vectors, GatherDimensionNumbers(offset, tuple(axes), tuple(axes)), sizes)

"""Where elements stand: views and rearrangements. To lower one is index arithmetic and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_operand_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, batch_front, each_part, full, linear, literal, zeros
from weft.dialects.array.ops.algebra import pad, reduce, reshape, slice_axis, sub, transpose, where, zero_of
from weft.dialects.dtypes import bool_
from weft.dialects.kernel.affine import Expr, reindex

Ints: TypeAlias = tuple[int, ...]
Dims: TypeAlias = Sequence[int | None]
Index: TypeAlias = tuple[Expr, ...]


def check_axes(name: str, what: str, axes: Ints, rank: int) -> None:
    """Raises ValueError unless the axes are distinct and in range."""
    if len(set(axes)) != len(axes):
        raise ValueError(f"{name}: {what} must be unique, got {axes}.")
    if any(not 0 <= a < rank for a in axes):
        raise ValueError(f"{name}: {what} must lie in [0, {rank}), got {axes}.")


def check_rank(name: str, rank: int, **params: Ints) -> None:
    """Raises TypeError unless each parameter has one entry per axis."""
    for key, value in params.items():
        if len(value) != rank:
            raise TypeError(f"{name}: {key} must have one entry per axis of an operand of rank {rank}, got {value}.")


def with_axis(values: Ints, value: int) -> Ints:
    """A parameter that has one entry per axis, for an operand with a batch axis in front."""
    return (value, *values)


def up(axes: Sequence[int], by: int = 1) -> Ints:
    """Axes behind new ones in front."""
    return tuple(a + by for a in axes)


class _View(ArrayOp):
    """An op on one operand `x` that moves or repeats elements."""

    x = operand_def(TensorType)
    on_parts = each_part


@irdl_op_definition
class ReshapeOp(_View):
    """The elements, in row-major order, in another shape.

    %y = array.reshape %x : tensor<4x6xf32> -> tensor<24xf32>

    JAX: `lax.reshape`.
    """

    name = "array.reshape"

    @classmethod
    def infer(cls, x: Aval, *, shape: Ints) -> Aval:
        if prod(shape) != x.size or any(n < 0 for n in shape):
            raise TypeError(
                f"cannot reshape array of shape {x.shape} (size {x.size}) into shape {tuple(shape)} (size {prod(shape)})"
            )
        return aval(shape, x.dtype, x.weak_type)

    jvp, transpose = linear(lambda ct, x, shape: reshape(ct, x.shape))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, shape: Ints) -> tuple[Node, int]:
        return reshape(batch_front(size, args[0], dims[0]), (size, *shape)), 0

    reference = staticmethod(lambda np, x, shape: np.reshape(x, shape))

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, shape: Ints) -> SSAValue:
        source = args[0].shape
        if 0 in shape:  # the nest runs for no element
            return b.read(args[0], (Expr(0),) * len(source))
        return b.read(args[0], reindex(index, shape, source))


@irdl_op_definition
class TransposeOp(_View):
    """The axes in another order: axis k of the result is axis permutation[k].

    %y = array.transpose %x permutation [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>

    JAX: `lax.transpose`.
    """

    name = "array.transpose"

    permutation = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, permutation: Ints) -> Aval:
        if sorted(permutation) != list(range(x.ndim)):
            raise TypeError(
                f"transpose permutation isn't a permutation of operand dimensions, got permutation {permutation} for operand shape {x.shape}."
            )
        return aval([x.shape[p] for p in permutation], x.dtype, x.weak_type)

    jvp, transpose = linear(lambda ct, x, permutation: transpose(ct, inverse(permutation)))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, permutation: Ints) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), permutation=(0, *up(permutation))), 0

    reference = staticmethod(lambda np, x, permutation: np.transpose(x, permutation))

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, permutation: Ints) -> SSAValue:
        return b.read(args[0], tuple(index[k] for k in inverse(permutation)))


def inverse(permutation: Ints) -> Ints:
    """The permutation that undoes it."""
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))


@irdl_op_definition
class BroadcastInDimOp(_View):
    """Axis k of the operand becomes axis broadcast_dimensions[k]; along other axes, and along those where it has size
    1, it is repeated.

    %y = array.broadcast_in_dim %x broadcast_dimensions [1] : tensor<8xf32> -> tensor<4x8xf32>

    JAX: `lax.broadcast_in_dim`.
    """

    name = "array.broadcast_in_dim"

    broadcast_dimensions = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, shape: Ints, broadcast_dimensions: Ints) -> Aval:
        if len(broadcast_dimensions) != x.ndim:
            raise TypeError(
                f"broadcast_in_dim broadcast_dimensions must have length equal to operand ndim; got broadcast_dimensions {broadcast_dimensions} for operand ndim {x.ndim}."
            )
        check_axes("broadcast_in_dim", "broadcast_dimensions", broadcast_dimensions, len(shape))
        if list(broadcast_dimensions) != sorted(broadcast_dimensions):
            raise TypeError(
                f"broadcast_in_dim broadcast_dimensions must be strictly increasing; got {broadcast_dimensions}."
            )
        if any(n not in (1, shape[d]) for n, d in zip(x.shape, broadcast_dimensions, strict=True)):
            raise TypeError(
                f"broadcast_in_dim operand dimension sizes must either be 1, or be equal to their corresponding dimensions in the target broadcast shape; got operand of shape {x.shape}, target broadcast shape {tuple(shape)}, broadcast_dimensions {broadcast_dimensions}."
            )
        return aval(shape, x.dtype, x.weak_type)

    @staticmethod
    def _transposed(ct: Node, x: Node, shape: Ints, broadcast_dimensions: Ints) -> Node:
        kept = {d for n, d in zip(x.shape, broadcast_dimensions, strict=True) if n == shape[d]}
        return reshape(reduce(ct, "add", [d for d in range(len(shape)) if d not in kept]), x.shape)

    jvp, transpose = linear(lambda ct, x, **params: BroadcastInDimOp._transposed(ct, x, **params))

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, shape: Ints, broadcast_dimensions: Ints
    ) -> tuple[Node, int]:
        x = batch_front(size, args[0], dims[0])
        return cls.bind(x, shape=(size, *shape), broadcast_dimensions=(0, *up(broadcast_dimensions))), 0

    @staticmethod
    def reference(np: Any, x: Any, *, shape: Ints, broadcast_dimensions: Ints) -> Any:
        spread = [1] * len(shape)
        for n, d in zip(x.shape, broadcast_dimensions, strict=True):
            spread[d] = n
        return np.broadcast_to(x.reshape(spread), shape)

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, shape: Ints, broadcast_dimensions: Ints
    ) -> SSAValue:
        x = args[0]
        return b.read(
            x, tuple(Expr(0) if n == 1 else index[d] for n, d in zip(x.shape, broadcast_dimensions, strict=True))
        )


@irdl_op_definition
class PadOp(ArrayOp):
    """`low` and `high` elements of the padding value around each axis (taken away where negative) and `interior`
    between each two.

    %y = array.pad %x, %v low [1] high [2] interior [0] : tensor<4xf32>, tensor<f32> -> tensor<7xf32>

    JAX: `lax.pad`.
    """

    name = "array.pad"

    x = operand_def(TensorType)
    padding_value = operand_def(TensorType)
    low = prop_def()
    high = prop_def()
    interior = prop_def()
    on_parts = each_part

    @classmethod
    def infer(cls, x: Aval, padding_value: Aval, *, low: Ints, high: Ints, interior: Ints) -> Aval:
        check_rank("pad", x.ndim, low=low, high=high, interior=interior)
        if padding_value.shape or padding_value.dtype is not x.dtype:
            raise TypeError(f"pad: padding_value must be a scalar of dtype {x.dtype}, got {padding_value}.")
        if any(i < 0 for i in interior):
            raise TypeError(f"pad: interior padding must not be negative, got {interior}.")
        shape = tuple(
            lo + hi + n + max(0, n - 1) * i for n, lo, hi, i in zip(x.shape, low, high, interior, strict=True)
        )
        if any(n < 0 for n in shape):
            raise ValueError(
                f"Dimension size after padding is not at least 0, got result shape {shape} for low {low}, high {high} and operand shape {x.shape}."
            )
        return aval(shape, x.dtype, x.weak_type and padding_value.weak_type)

    @staticmethod
    def _transposed(ct: Node, low: Ints, high: Ints, interior: Ints) -> Node:
        inner = pad(ct, zero_of(ct), [-n for n in low], [-n for n in high])
        return SliceOp.bind(inner, start=(0,) * ct.ndim, limit=inner.shape, strides=tuple(i + 1 for i in interior))

    jvp, transpose = linear(
        lambda ct, x, v, **params: PadOp._transposed(ct, **params),
        lambda ct, x, v, **params: sub(
            reduce(ct, "add", range(ct.ndim)), reduce(PadOp._transposed(ct, **params), "add", range(ct.ndim))
        ),
    )

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, /, **params: Ints) -> tuple[Node, int]:
        x, value = args
        x = batch_front(size, x, dims[0])
        params = {k: with_axis(v, 0) for k, v in params.items()}
        if dims[1] is None:
            return cls.bind(x, value, **params), 0
        mask = cls.bind(full(True, aval(x.shape, bool_)), literal(False, bool_), **params)  # a value for each example
        spread = BroadcastInDimOp.bind(value, shape=mask.shape, broadcast_dimensions=(0,))
        return where(mask, pad(x, zero_of(x), **params), spread), 0

    @staticmethod
    def reference(np: Any, x: Any, value: Any, *, low: Ints, high: Ints, interior: Ints) -> Any:
        wide = [n + max(0, n - 1) * i for n, i in zip(x.shape, interior, strict=True)]
        grown = [max(lo, 0) + n + max(hi, 0) for n, lo, hi in zip(wide, low, high, strict=True)]
        out = np.full(grown, value, dtype=x.dtype)
        out[tuple(slice(max(lo, 0), max(lo, 0) + n, i + 1) for n, lo, i in zip(wide, low, interior, strict=True))] = x
        return out[tuple(slice(max(-lo, 0), n - max(-hi, 0)) for n, lo, hi in zip(grown, low, high, strict=True))]

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, low: Ints, high: Ints, interior: Ints) -> SSAValue:
        x, value = args
        conditions, source = [], []
        for e, n, lo, i in zip(index, x.shape, low, interior, strict=True):
            place = e - lo
            if i:
                conditions.append((place % (i + 1), 0, 1))
            source.append(place // (i + 1))
            conditions.append((source[-1], 0, n))
        return b.inside(conditions, lambda: b.read(x, tuple(source)), lambda: b.read(value, ()))


@irdl_op_definition
class SliceOp(_View):
    """x[start:limit:strides] along every axis.

    %y = array.slice %x start [1] limit [7] strides [2] : tensor<8xf32> -> tensor<3xf32>

    JAX: `lax.slice`.
    """

    name = "array.slice"

    start = prop_def()
    limit = prop_def()
    strides = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, start: Ints, limit: Ints, strides: Ints) -> Aval:
        check_rank("slice", x.ndim, start_indices=start, limit_indices=limit, strides=strides)
        if any(not 0 <= s <= e <= n for s, e, n in zip(start, limit, x.shape, strict=True)):
            raise TypeError(
                f"slice: expected 0 <= start_indices <= limit_indices <= operand shape; got start_indices {start}, limit_indices {limit} and operand shape {x.shape}."
            )
        if any(s <= 0 for s in strides):
            raise TypeError(f"slice strides must be positive, got {strides}.")
        return aval([-(-(e - s) // k) for s, e, k in zip(start, limit, strides, strict=True)], x.dtype, x.weak_type)

    @staticmethod
    def _transposed(ct: Node, x: Node, start: Ints, limit: Ints, strides: Ints) -> Node:
        ends = [s + (0 if not m else 1 + (m - 1) * k) for s, m, k in zip(start, ct.shape, strides, strict=True)]
        return pad(
            ct, zero_of(ct), start, [n - e for n, e in zip(x.shape, ends, strict=True)], [k - 1 for k in strides]
        )

    jvp, transpose = linear(lambda ct, x, **params: SliceOp._transposed(ct, x, **params))

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, start: Ints, limit: Ints, strides: Ints
    ) -> tuple[Node, int]:
        x = batch_front(size, args[0], dims[0])
        return cls.bind(x, start=(0, *start), limit=(size, *limit), strides=(1, *strides)), 0

    @staticmethod
    def reference(np: Any, x: Any, *, start: Ints, limit: Ints, strides: Ints) -> Any:
        return x[tuple(slice(s, e, k) for s, e, k in zip(start, limit, strides, strict=True))]

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, start: Ints, limit: Ints, strides: Ints
    ) -> SSAValue:
        return b.read(args[0], tuple(e * k + s for e, s, k in zip(index, start, strides, strict=True)))


@irdl_op_definition
class ReverseOp(_View):
    """The elements in reverse order along some axes.

    %y = array.reverse %x dimensions [0] : tensor<8xf32>

    JAX: `lax.rev`.
    """

    name = "array.reverse"

    dimensions = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, dimensions: Ints) -> Aval:
        check_axes("rev", "dimensions", dimensions, x.ndim)
        return x

    jvp, transpose = linear(lambda ct, x, dimensions: ReverseOp.bind(ct, dimensions=dimensions))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, dimensions: Ints) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), dimensions=up(dimensions)), 0

    reference = staticmethod(lambda np, x, dimensions: np.flip(x, dimensions))

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, dimensions: Ints) -> SSAValue:
        flipped = zip(index, args[0].shape, range(len(index)), strict=True)
        return b.read(args[0], tuple(n - 1 - e if k in dimensions else e for e, n, k in flipped))


@irdl_op_definition
class ConcatenateOp(ArrayOp):
    """Arrays one after the other along an axis.

    %z = array.concatenate %x, %y dimension 0 : tensor<4xf32>, tensor<2xf32> -> tensor<6xf32>

    JAX: `lax.concatenate`.
    """

    name = "array.concatenate"

    xs = var_operand_def(TensorType)
    dimension = prop_def()
    on_parts = each_part

    @classmethod
    def infer(cls, *xs: Aval, dimension: int) -> Aval:
        if not xs:
            raise ValueError("concatenate expects at least one operand, got 0.")
        first = xs[0]
        if not 0 <= dimension < first.ndim:
            raise ValueError(
                f"concatenate dimension out of bounds: dimension {dimension} for shapes {', '.join(str(x.shape) for x in xs)}."
            )
        shapes = [x.shape[:dimension] + x.shape[dimension + 1 :] for x in xs]
        if any(x.ndim != first.ndim for x in xs) or len(set(shapes)) > 1:
            raise TypeError(
                f"Cannot concatenate arrays with shapes that differ in dimensions other than the one being concatenated: concatenating along dimension {dimension} for shapes {', '.join(str(x.shape) for x in xs)}."
            )
        if any(x.dtype is not first.dtype for x in xs):
            raise TypeError(
                f"concatenate requires arguments to have equal dtypes, got {', '.join(x.dtype.name for x in xs)}."
            )
        shape = list(first.shape)
        shape[dimension] = sum(x.shape[dimension] for x in xs)
        return aval(shape, first.dtype, all(x.weak_type for x in xs))

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, *, dimension: int) -> Node:
        return cls.bind(
            *(zeros(p) if t is None else t for p, t in zip(primals, tangents, strict=True)), dimension=dimension
        )

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], *, dimension: int) -> list[Node | None]:
        cts: list[Node | None] = []
        end = 0
        for x, wanted in zip(args, linear, strict=True):
            start, end = end, end + x.shape[dimension]
            cts.append(slice_axis(ct, dimension, start, end) if wanted else None)
        return cts

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, dimension: int) -> tuple[Node, int]:
        return cls.bind(*(batch_front(size, x, d) for x, d in zip(args, dims, strict=True)), dimension=dimension + 1), 0

    reference = staticmethod(lambda np, *xs, dimension: np.concatenate(xs, dimension))

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, dimension: int) -> SSAValue:
        place = index[dimension]
        parts, end = [], 0
        for x in args:
            start, end = end, end + x.shape[dimension]
            if end > start:
                parts.append((x, start, end))

        def part(k: int) -> SSAValue:
            x, start, end = parts[k]
            source = (*index[:dimension], place - start, *index[dimension + 1 :])
            rest = None if k == len(parts) - 1 else lambda: part(k + 1)
            return b.inside([(place, start, end)], lambda: b.read(x, source), rest)

        return part(0) if parts else b.read(args[0], index)

"""Slices of fixed sizes with computed starts, read and written. A start is clamped so that its slice lies inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_operand_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Write, batch_front, each_part, literal, zeros
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.algebra import convert, reshape
from weft.dialects.array.ops.indexing import GatherOp, Maybe, ScatterOp, gather_params
from weft.dialects.array.ops.shape import ConcatenateOp, Dims, Index, Ints
from weft.dialects.dtypes import int32
from weft.dialects.kernel.affine import Expr


def _check_starts(name: str, x: Aval, starts: Sequence[Aval], sizes: Ints) -> None:
    if len(starts) != x.ndim or len(sizes) != x.ndim:
        raise TypeError(
            f"{name}: expected one start index and one size per axis of an operand of rank {x.ndim}, got {len(starts)} and {len(sizes)}."
        )
    if any(s.shape or not s.dtype.is_integer for s in starts):
        raise TypeError(f"{name}: start indices must be integer scalars, got {', '.join(map(str, starts))}.")
    if any(not 0 <= s <= n for s, n in zip(sizes, x.shape, strict=True)):
        raise TypeError(
            f"{name}: slice sizes must be less than or equal to operand shape, got sizes {tuple(sizes)} for operand shape {x.shape}."
        )


def _starts(b: Any, starts: Sequence[Any], shape: Ints, sizes: Ints) -> list[Expr]:
    return [emit.symbol(b, s, (), 0, n - size) for s, n, size in zip(starts, shape, sizes, strict=True)]


def _places(np: Any, starts: Sequence[Any], shape: Ints, sizes: Ints) -> tuple[slice, ...]:
    at = [min(max(int(s), 0), n - size) for s, n, size in zip(starts, shape, sizes, strict=True)]
    return tuple(slice(s, s + size) for s, size in zip(at, sizes, strict=True))


def _index_vectors(size: int, starts: Sequence[Node], dims: Dims) -> Node:
    """Starts, one index vector per example: (size, rank)."""
    rows = [reshape(batch_front(size, convert(s, int32), d), (size, 1)) for s, d in zip(starts, dims, strict=True)]
    return ConcatenateOp.bind(*rows, dimension=1)


@irdl_op_definition
class DynamicSliceOp(ArrayOp):
    """A slice of fixed sizes whose start is computed; it is clamped so that the slice lies inside.

    %y = array.dynamic_slice %x, %i sizes [3] : tensor<8xf32>, tensor<i32> -> tensor<3xf32>

    JAX: `lax.dynamic_slice`.
    """

    name = "array.dynamic_slice"

    x = operand_def(TensorType)
    starts = var_operand_def(TensorType)
    sizes = prop_def()
    on_parts = each_part

    @classmethod
    def infer(cls, x: Aval, *starts: Aval, sizes: Ints) -> Aval:
        _check_starts("dynamic_slice", x, starts, sizes)
        return aval(sizes, x.dtype, x.weak_type)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node, *, sizes: Ints) -> Maybe:
        return None if tangents[0] is None else cls.bind(tangents[0], *primals[1:], sizes=sizes)

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], *, sizes: Ints) -> list[Maybe]:
        return [DynamicUpdateSliceOp.bind(zeros(args[0].aval), ct, *args[1:])] + [None] * (len(args) - 1)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, sizes: Ints) -> tuple[Node, int]:
        x, *starts = args
        if all(d is None for d in dims[1:]):
            return cls.bind(batch_front(size, x, dims[0]), literal(0, int32), *starts, sizes=(size, *sizes)), 0
        axes = tuple(range(len(sizes)))
        params = {
            "offset_dims": axes, "collapsed_slice_dims": (), "start_index_map": axes, "operand_batching_dims": (),
            "start_indices_batching_dims": (), "slice_sizes": tuple(sizes), "mode": "clip",
        }  # fmt: skip
        operand = x if dims[0] is None else batch_front(size, x, dims[0])
        return GatherOp.bind(
            operand, _index_vectors(size, starts, dims[1:]), **gather_params(params, size, dims[0] is not None, True)
        ), 0

    @staticmethod
    def reference(np: Any, x: Any, *starts: Any, sizes: Ints) -> Any:
        return x[_places(np, starts, x.shape, sizes)]

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, sizes: Ints) -> SSAValue:
        x, *starts = args
        return b.read(x, tuple(e + s for e, s in zip(index, _starts(b, starts, x.shape, sizes), strict=True)))


@irdl_op_definition
class DynamicUpdateSliceOp(ArrayOp):
    """The operand with a slice replaced by an update; the computed start is clamped so that the slice lies inside.

    %y = array.dynamic_update_slice %x, %u, %i : tensor<8xf32>, tensor<3xf32>, tensor<i32> -> tensor<8xf32>

    JAX: `lax.dynamic_update_slice`.
    """

    name = "array.dynamic_update_slice"
    PUSHES: ClassVar = True
    UPDATES: ClassVar = True
    STORED: ClassVar = slice(1)

    x = operand_def(TensorType)
    update = operand_def(TensorType)
    starts = var_operand_def(TensorType)
    on_parts = each_part

    @classmethod
    def infer(cls, x: Aval, update: Aval, *starts: Aval) -> Aval:
        _check_starts("dynamic_update_slice", x, starts, update.shape)
        if x.dtype is not update.dtype:
            raise TypeError(
                f"dynamic_update_slice requires the operand and the update to have equal dtypes, got {x.dtype} and {update.dtype}."
            )
        return aval(x.shape, x.dtype)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node) -> Maybe:
        if tangents[0] is None and tangents[1] is None:
            return None
        return cls.bind(
            *(zeros(p) if t is None else t for p, t in zip(primals[:2], tangents[:2], strict=True)), *primals[2:]
        )

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool]) -> list[Maybe]:
        _, update, *starts = args
        for_x = cls.bind(ct, zeros(update.aval), *starts) if linear[0] else None
        for_update = DynamicSliceOp.bind(ct, *starts, sizes=update.shape) if linear[1] else None
        return [for_x, for_update, *(None for _ in starts)]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims) -> tuple[Node, int]:
        x, update = (batch_front(size, args[k], dims[k]) for k in (0, 1))
        starts = args[2:]
        if all(d is None for d in dims[2:]):
            return cls.bind(x, update, literal(0, int32), *starts), 0
        axes = tuple(range(1, x.ndim))
        out = ScatterOp.bind(
            x, _index_vectors(size, starts, dims[2:]), update, kind="set", update_window_dims=axes, inserted_window_dims=(),
            scatter_dims_to_operand_dims=axes, operand_batching_dims=(0,), scatter_indices_batching_dims=(0,), mode="clip",
            unique_indices=True,
        )  # fmt: skip
        return out, 0

    @staticmethod
    def reference(np: Any, x: Any, update: Any, *starts: Any) -> Any:
        out = np.array(x)
        out[_places(np, starts, x.shape, update.shape)] = update
        return out

    @classmethod
    def space(cls, args: Sequence[Any]) -> Ints:
        return args[1].shape

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any]) -> list[Write]:
        x, update, *starts = args
        place = tuple(e + s for e, s in zip(index, _starts(b, starts, x.shape, update.shape), strict=True))
        return [Write(b.read(update, index), place)]

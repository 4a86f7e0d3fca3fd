"""Windows that slide over an array, as a view, and its transpose. Pooling and window reductions are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, batch_front, each_part, linear
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.shape import Dims, Index, Ints, check_axes, check_rank, up


def dilated(n: int, by: int) -> int:
    """The extent of n elements, each `by` from the next."""
    return (n - 1) * by + 1 if n else 0


@irdl_op_definition
class WindowOp(ArrayOp):
    """All windows of an array, as a view: each of `dims` counts the places of the window, and one axis per windowed
    dimension is appended that counts within it.

    out[..., o, ..., k...] = x[..., o * stride + k * dilation, ...]

    %y = array.window %x dims [0] sizes [3] strides [2] dilations [1] : tensor<9xf32> -> tensor<4x3xf32>

    Pooling is a reduction of it; `array.fold` is its transpose.
    """

    name = "array.window"

    x = operand_def(TensorType)
    dims = prop_def()
    sizes = prop_def()
    strides = prop_def()
    dilations = prop_def()
    on_parts = each_part

    @classmethod
    def infer(cls, x: Aval, *, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints) -> Aval:
        check_axes("window", "dims", dims, x.ndim)
        check_rank("window", len(dims), sizes=sizes, strides=strides, dilations=dilations)
        if any(n < 1 for n in (*sizes, *strides, *dilations)):
            raise ValueError(
                f"window: sizes, strides and dilations must be positive, got {sizes}, {strides} and {dilations}."
            )
        shape = list(x.shape)
        for d, size, stride, dilation in zip(dims, sizes, strides, dilations, strict=True):
            shape[d] = max(0, (shape[d] - dilated(size, dilation)) // stride + 1)
        return aval((*shape, *sizes), x.dtype, x.weak_type)

    jvp, transpose = linear(lambda ct, x, **params: FoldOp.bind(ct, shape=x.shape, **params))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, /, **params: Ints) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), **{**params, "dims": up(params["dims"])}), 0

    @staticmethod
    def reference(np: Any, x: Any, *, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints) -> Any:
        shape, steps, extra = list(x.shape), list(x.strides), []
        for d, size, stride, dilation in zip(dims, sizes, strides, dilations, strict=True):
            shape[d] = max(0, (shape[d] - dilated(size, dilation)) // stride + 1)
            extra.append(steps[d] * dilation)
            steps[d] *= stride
        return np.lib.stride_tricks.as_strided(x, (*shape, *sizes), (*steps, *extra)).copy()

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints
    ) -> SSAValue:
        rank = len(args[0].shape)
        source = list(index[:rank])
        for d, inner, stride, dilation in zip(dims, index[rank:], strides, dilations, strict=True):
            source[d] = source[d] * stride + inner * dilation
        return b.read(args[0], tuple(source))


@irdl_op_definition
class FoldOp(ArrayOp):
    """Windows laid back to where they came from, summed where they overlap: the transpose of `array.window`.

    %x = array.fold %y dims [0] sizes [3] strides [2] dilations [1] : tensor<4x3xf32> -> tensor<9xf32>
    """

    name = "array.fold"

    x = operand_def(TensorType)
    dims = prop_def()
    sizes = prop_def()
    strides = prop_def()
    dilations = prop_def()
    on_parts = each_part

    @classmethod
    def infer(cls, x: Aval, *, shape: Ints, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints) -> Aval:
        out = aval(shape, x.dtype, x.weak_type)
        expected = WindowOp.infer(out, dims=dims, sizes=sizes, strides=strides, dilations=dilations).shape
        if x.shape != expected:
            raise TypeError(f"fold: the windows of shape {tuple(shape)} have shape {expected}, got {x.shape}.")
        return out

    jvp, transpose = linear(lambda ct, x, shape, **params: WindowOp.bind(ct, **params))

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, /, *, shape: Ints, **params: Ints) -> tuple[Node, int]:
        x = batch_front(size, args[0], dims[0])
        return cls.bind(x, shape=(size, *shape), **{**params, "dims": up(params["dims"])}), 0

    @staticmethod
    def reference(np: Any, x: Any, *, shape: Ints, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints) -> Any:
        out = np.zeros(shape, x.dtype)
        for inner in np.ndindex(*sizes):
            place = [slice(None)] * len(shape)
            for d, k, stride, dilation in zip(dims, inner, strides, dilations, strict=True):
                start = k * dilation
                place[d] = slice(start, start + (x.shape[d] - 1) * stride + 1 if x.shape[d] else start, stride)
            out[tuple(place)] += x[(..., *inner)]
        return out

    @classmethod
    def to_kernel(
        cls,
        b: Any,
        index: Index,
        args: Sequence[Any],
        *,
        shape: Ints,
        dims: Ints,
        sizes: Ints,
        strides: Ints,
        dilations: Ints,
    ) -> SSAValue:
        x = args[0]
        source, axes, summed, conditions = list(index), [], [], []
        for d, size, stride, dilation in zip(dims, sizes, strides, dilations, strict=True):
            if size <= stride and dilation == 1:  # windows do not overlap: each place is in one, or in none
                source[d] = index[d] // stride
                axes.append(index[d] % stride)
                conditions += [(axes[-1], 0, size), (source[d], 0, x.shape[d])]
                continue
            axes.append(b.axis(size))
            summed.append(axes[-1])
            place = index[d] - axes[-1] * dilation
            source[d] = place // stride
            if stride > 1:
                conditions.append((place % stride, 0, 1))
            conditions.append((source[d], 0, x.shape[d]))
        value = b.inside(conditions, lambda: b.read(x, (*source, *axes)), lambda: b.const(0, x.dtype))
        if not summed:
            return value
        wide = emit.accumulator(x.dtype)
        return emit.convert(b, b.reduce("add", emit.convert(b, value, x.dtype, wide), summed), wide, x.dtype)

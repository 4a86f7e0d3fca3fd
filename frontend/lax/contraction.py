"""Operators that multiply and add up: contractions and convolutions. Convolutions of any layout are transposed to NCHW and back; a transpose is a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, integers
from weft.lax.reduction import dilated, padtype_to_pads
from weft.lax.shape import rev, transpose

__all__ = [
    "ConvDimensionNumbers", "Precision", "batch_matmul", "conv", "conv_dimension_numbers", "conv_general_dilated",
    "conv_transpose", "conv_with_general_padding", "dot", "dot_general",
]  # fmt: skip

Ints: TypeAlias = tuple[int, ...]
Padding: TypeAlias = str | Sequence[tuple[int, int]]
DotDimensionNumbers: TypeAlias = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]


class Precision:
    """How exact a product is to be. Every device computes at the highest: the names are there for programs written for JAX."""

    DEFAULT = "default"
    HIGH = "high"
    HIGHEST = "highest"


# -- dot


def dot_general(
    lhs: ArrayLike,
    rhs: ArrayLike,
    dimension_numbers: DotDimensionNumbers,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """Products summed over contracting axes, one by one along batch axes: ((lhs contract, rhs contract), (lhs batch, rhs batch)).

    The result has the batch axes, then the free axes of lhs, then those of rhs.
    """
    a, b = lift(lhs), lift(rhs)
    (lc, rc), (lb, rb) = ((integers(p, "dimension_numbers") for p in pair) for pair in dimension_numbers)
    preferred = None if preferred_element_type is None else canonical(preferred_element_type)
    if a.dtype is not b.dtype:
        raise TypeError(
            f"lax.dot_general requires arguments to have the same dtypes, got {a.dtype}, {b.dtype}. (Tip: weft.numpy has similar functions that promote types.)"
        )
    return wrap(ops.DotOp.bind(a, b, contract=(lc, rc), batch=(lb, rb), preferred=preferred))


def dot(
    lhs: ArrayLike,
    rhs: ArrayLike,
    *,
    dimension_numbers: DotDimensionNumbers | None = None,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """The product of vectors and matrices, or `dot_general` if dimension numbers are given."""
    a, b = lift(lhs).shape, lift(rhs).shape
    if dimension_numbers is None:
        if not (1 <= len(a) <= 2 and 1 <= len(b) <= 2 and a[-1] == b[0]):
            raise TypeError(f"Incompatible shapes for dot: got {a} and {b}.")
        dimension_numbers = (((len(a) - 1,), (0,)), ((), ()))
    return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)


def batch_matmul(lhs: ArrayLike, rhs: ArrayLike, precision: Any = None) -> Array:
    """Products of matrices in the last two axes, one for each place in the axes before them."""
    a, b = lift(lhs), lift(rhs)
    if min(a.ndim, b.ndim) < 2:
        raise ValueError(f"Arguments to batch_matmul must be at least 2D, got {a.ndim}, {b.ndim}")
    if a.ndim != b.ndim:
        raise ValueError(f"Arguments to batch_matmul must have same ndim, got {a.ndim}, {b.ndim}")
    batch = tuple(range(a.ndim - 2))
    return dot_general(lhs, rhs, (((a.ndim - 1,), (a.ndim - 2,)), (batch, batch)), precision)


# -- convolution


class ConvDimensionNumbers(NamedTuple):
    """Which axes are which: (batch, feature, spatial…) of lhs and out, (out feature, in feature, spatial…) of rhs."""

    lhs_spec: Ints
    rhs_spec: Ints
    out_spec: Ints


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """From three strings such as ("NHWC", "HWIO", "NHWC"); None stands for ("NCHW", "OIHW", "NCHW")."""
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    rank = len(lhs_shape)
    if len(rhs_shape) != rank:
        raise TypeError(f"convolution requires lhs and rhs ndim to be equal, got {rank} and {len(rhs_shape)}.")
    if dimension_numbers is None:
        order = tuple(range(rank))
        return ConvDimensionNumbers(order, order, order)
    if not isinstance(dimension_numbers, (tuple, list)) or len(dimension_numbers) != 3:
        raise TypeError(f"convolution dimension_numbers must be tuple/list or None, got {dimension_numbers!r}.")
    lhs, rhs, out = dimension_numbers
    for name, spec, needed in (("lhs", lhs, "NC"), ("rhs", rhs, "OI"), ("out", out, "NC")):
        if not isinstance(spec, str):
            raise TypeError(f"convolution dimension_numbers[{name}] must be a str, got {spec!r}.")
        if len(spec) != rank:
            raise TypeError(
                f"convolution {name} dimension_numbers must have length equal to the operand's ndim {rank}, got {spec!r}."
            )
        if any(spec.count(c) != 1 for c in needed):
            raise TypeError(
                f"convolution {name} dimension_numbers must contain the characters {needed[0]!r} and {needed[1]!r} exactly once, got {spec!r}."
            )
        if set(spec) - set(needed) != set(rhs) - set("OI") or len(set(spec)) != rank:
            raise TypeError(
                f"convolution dimension_numbers must have the same spatial characters in each, got {dimension_numbers}."
            )
    spatial = [c for c in rhs if c not in "OI"]
    return ConvDimensionNumbers(
        tuple(lhs.index(c) for c in ("N", "C", *spatial)),
        tuple(rhs.index(c) for c in ("O", "I", *spatial)),
        tuple(out.index(c) for c in ("N", "C", *spatial)),
    )


def conv_general_dilated(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """Convolution (without flipping, as machine learning has it) with strides, padding, dilations and groups.

    `padding` is "SAME", "VALID", "SAME_LOWER" or (low, high) per spatial axis; `lhs_dilation` puts zeros between elements, `rhs_dilation` widens the window.
    """
    x, w = lift(lhs), lift(rhs)
    numbers = conv_dimension_numbers(x.shape, w.shape, dimension_numbers)
    if x.dtype is not w.dtype:
        raise TypeError(
            f"lax.conv_general_dilated requires arguments to have the same dtypes, got {x.dtype}, {w.dtype}. (Tip: weft.numpy promotes types.)"
        )
    spatial = x.ndim - 2
    strides = integers(window_strides, "window_strides")
    ones = (1,) * spatial
    by_lhs = ones if lhs_dilation is None else integers(lhs_dilation, "lhs_dilation")
    by_rhs = ones if rhs_dilation is None else integers(rhs_dilation, "rhs_dilation")
    for name, given in (("window_strides", strides), ("lhs_dilation", by_lhs), ("rhs_dilation", by_rhs)):
        if len(given) != spatial:
            raise ValueError(
                f"conv_general_dilated window and {name} must have the same number of dimensions, but got {spatial} and {len(given)}"
            )
    a, b = transpose(lhs, numbers.lhs_spec), transpose(rhs, numbers.rhs_spec)
    if isinstance(padding, str):
        sizes = [dilated(n, d) for n, d in zip(a.shape[2:], by_lhs, strict=True)]
        windows = [dilated(n, d) for n, d in zip(b.shape[2:], by_rhs, strict=True)]
        pads = tuple(padtype_to_pads(sizes, windows, strides, padding))
    else:
        pads = tuple(integers(p, "padding") for p in padding)
        if len(pads) != spatial or any(len(p) != 2 for p in pads):
            raise ValueError(
                f"conv_general_dilated padding must have one (low, high) pair per spatial dimension ({spatial}), got {padding}."
            )
    out = ops.ConvOp.bind(
        a._node,
        b._node,
        window_strides=strides,
        padding=pads,
        lhs_dilation=by_lhs,
        rhs_dilation=by_rhs,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        preferred=None if preferred_element_type is None else canonical(preferred_element_type),
    )
    back = sorted(range(x.ndim), key=numbers.out_spec.__getitem__)
    return transpose(wrap(out), back)


def conv(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """Convolution in the layouts NCHW and OIHW."""
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, precision=precision, preferred_element_type=preferred_element_type
    )


def conv_with_general_padding(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """Convolution in the layouts NCHW and OIHW, with dilations."""
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def _transposed_pads(window: int, stride: int, padding: str) -> tuple[int, int]:
    """Padding that makes a convolution over an input dilated by the stride the transpose of one with that padding."""
    if padding == "SAME":
        total = window + stride - 2
        before = window - 1 if stride > window - 1 else -(-total // 2)
    elif padding == "VALID":
        total = window + stride - 2 + max(window - stride, 0)
        before = window - 1
    else:
        raise ValueError("Padding mode must be `SAME` or `VALID`.")
    return before, total - before


def conv_transpose(
    lhs: ArrayLike,
    rhs: ArrayLike,
    strides: Sequence[int],
    padding: Padding,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """The transpose (not the inverse) of a convolution, as used for up-sampling. Layouts default to NHWC and HWIO.

    `transpose_kernel` flips the window and exchanges its features, which gives the gradient of a convolution exactly.
    """
    rank = lift(lhs).ndim
    if dimension_numbers is None:
        letters = "DHW"[-(rank - 2) :] if rank <= 5 else None
        if letters is None or rank < 3:
            raise ValueError(f"No 4+ dimensional dimension_number defaults: got lhs of rank {rank}.")
        dimension_numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    numbers = conv_dimension_numbers(lift(lhs).shape, lift(rhs).shape, dimension_numbers)
    out_feature, in_feature, *places = numbers.rhs_spec
    shape = lift(rhs).shape
    by = (1,) * len(places) if rhs_dilation is None else integers(rhs_dilation, "rhs_dilation")
    if isinstance(padding, str):
        sizes = [dilated(shape[p], d) for p, d in zip(places, by, strict=True)]
        padding = [_transposed_pads(n, s, padding.upper()) for n, s in zip(sizes, strides, strict=True)]
    if transpose_kernel:
        rhs = rev(rhs, places)
        order = list(range(rank))
        order[out_feature], order[in_feature] = in_feature, out_feature
        rhs = transpose(rhs, order)
    return conv_general_dilated(
        lhs,
        rhs,
        (1,) * len(places),
        padding,
        strides,
        by,
        numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )

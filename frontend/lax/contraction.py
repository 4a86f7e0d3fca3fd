"""Operators that multiply and add up: contractions and convolutions. Convolutions of any layout are transposed to NCHW and back; a transpose is a view."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.dtypes import int32, promote_types
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, constant, convert, integers
from weft.lax.elementwise import bitwise_and, ge, lt, select, sub
from weft.lax.reduction import cumsum, dilated, padtype_to_pads
from weft.lax.shape import broadcast_in_dim, broadcasted_iota, pad, reshape, rev, transpose

__all__ = [
    "ConvDimensionNumbers", "ConvGeneralDilatedDimensionNumbers", "DotDimensionNumbers", "Precision", "PrecisionLike", "batch_matmul",
    "conv", "conv_dimension_numbers", "conv_general_dilated", "conv_general_dilated_local",
    "conv_general_dilated_patches", "conv_general_permutations", "conv_general_shape_tuple", "conv_shape_tuple",
    "conv_transpose", "conv_transpose_shape_tuple", "conv_with_general_padding", "dot", "dot_general", "ragged_dot",
]  # fmt: skip

Ints: TypeAlias = tuple[int, ...]
Padding: TypeAlias = str | Sequence[tuple[int, int]]
ConvGeneralDilatedDimensionNumbers: TypeAlias = Any
DotDimensionNumbers: TypeAlias = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]


class Precision:
    """How exact a product is to be. Every device computes at the highest: the names are there for programs written for JAX."""

    DEFAULT = "default"
    HIGH = "high"
    HIGHEST = "highest"


PrecisionLike: TypeAlias = str | Precision | tuple[str, str] | tuple[Precision, Precision] | None


def _check_precision(precision: Any) -> None:
    """Raises ValueError for what names no precision."""
    pair = isinstance(precision, (tuple, list)) and len(precision) == 2
    for name in precision if pair else (precision,):
        if name is not None and not (isinstance(name, str) and (name in _PRECISIONS or _ALGORITHM.fullmatch(name))):
            raise ValueError(
                f"precision must be None, one of {', '.join(_PRECISIONS)}, the name of an algorithm such as F32_F32_F32, or a pair of these, got {precision!r}"
            )


_PRECISIONS = ("default", "fastest", "high", "highest", "bfloat16", "bfloat16_3x", "tensorfloat32", "float32")
_ALGORITHM = re.compile(r"DEFAULT|((ANY_F8|B?F16|TF32|F32|F64)_){2}(ANY|B?F16|F32|F64)(_X[369]|_FAST_ACCUM)?")


# -- dot


def dot_general(
    lhs: ArrayLike,
    rhs: ArrayLike,
    dimension_numbers: DotDimensionNumbers,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """Products summed over contracting axes, one by one along batch axes: ((lhs contract, rhs contract), (lhs batch, rhs batch)). Dtypes are promoted.

    The result has the batch axes, then the free axes of lhs, then those of rhs.
    """
    _check_precision(precision)
    a, b = lift(lhs), lift(rhs)
    (lc, rc), (lb, rb) = ((integers(p, "dimension_numbers") for p in pair) for pair in dimension_numbers)
    preferred = None if preferred_element_type is None else canonical(preferred_element_type)
    if a.dtype is not b.dtype:
        common = canonical(promote_types(a.dtype, b.dtype)[0])
        a, b = convert(a, common), convert(b, common)
    if preferred is not None and a.dtype.kind == "c" != preferred.kind:
        found = ops.DotOp.bind(a, b, contract=(lc, rc), batch=(lb, rb), preferred=None)
        return wrap(convert(ops.RealOp.bind(found), preferred))
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
            raise ValueError(f"Incompatible shapes for dot: got {a} and {b}.")
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
    _check_precision(precision)
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
        if any(n < 1 for n in given):
            raise ValueError(f"conv_general_dilated: {name} must be positive, got {given}")
    a, b = transpose(lhs, numbers.lhs_spec), transpose(rhs, numbers.rhs_spec)
    if isinstance(padding, str):
        sizes = [dilated(n, d) for n, d in zip(a.shape[2:], by_lhs, strict=True)]
        windows = [dilated(n, d) for n, d in zip(b.shape[2:], by_rhs, strict=True)]
        pads = tuple(padtype_to_pads(sizes, windows, strides, padding))
    else:
        try:
            pads = tuple((low, high) for low, high in (integers(p, "padding") for p in padding))
        except (TypeError, ValueError):
            raise ValueError(
                f"padding argument to conv_general_dilated should be a string or a sequence of (low, high) pairs, got {padding}"
            ) from None
        if len(pads) != spatial:
            raise TypeError(
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
    use_consistent_padding: bool = False,
) -> Array:
    """The transpose (not the inverse) of a convolution, as used for up-sampling. Layouts default to NHWC and HWIO.

    Padding by name is that of the convolution it is the transpose of, padding by numbers is added as it is; `use_consistent_padding`: by numbers, too, it is the convolution's.
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
    elif use_consistent_padding:
        sizes = [dilated(shape[p], d) for p, d in zip(places, by, strict=True)]
        padding = [(n - 1 - low, n - 1 - high) for n, (low, high) in zip(sizes, padding, strict=True)]
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


# -- patches, local convolution, shapes


def conv_general_dilated_patches(
    lhs: ArrayLike,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """The patches that a convolution's window covers: their elements are the result's features, those of one input feature side by side. They are views."""
    node, window = lift(lhs), integers(filter_shape, "filter_shape")
    numbers = conv_dimension_numbers(node.shape, (1, 1, *window), dimension_numbers)
    rank = len(window)
    ones = (1,) * rank
    strides = integers(window_strides, "window_strides")
    by_lhs = ones if lhs_dilation is None else integers(lhs_dilation, "lhs_dilation")
    by_rhs = ones if rhs_dilation is None else integers(rhs_dilation, "rhs_dilation")
    x = transpose(wrap(node), numbers.lhs_spec)
    if isinstance(padding, str):
        sizes = [dilated(n, d) for n, d in zip(x.shape[2:], by_lhs, strict=True)]
        padding = padtype_to_pads(sizes, [dilated(n, d) for n, d in zip(window, by_rhs, strict=True)], strides, padding)
    pads = [(0, 0, 0), (0, 0, 0), *((lo, hi, d - 1) for (lo, hi), d in zip(padding, by_lhs, strict=True))]
    x = pad(x, constant(0, (), x.dtype), pads)
    if rank:
        places = tuple(range(2, 2 + rank))
        x = wrap(ops.WindowOp.bind(x._node, dims=places, sizes=window, strides=strides, dilations=by_rhs))
        x = transpose(x, (0, 1, *range(2 + rank, 2 + 2 * rank), *places))
    x = reshape(x, (x.shape[0], x.shape[1] * prod(window), *x.shape[2 + rank :]))
    found = transpose(x, [numbers.out_spec.index(k) for k in range(rank + 2)])
    return found if preferred_element_type is None else wrap(convert(found._node, canonical(preferred_element_type)))


def conv_general_dilated_local(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: Padding,
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: Any = None,
) -> Array:
    """A convolution with a window of its own at every place: rhs has output features, a patch's elements, and the spatial axes of the result."""
    window = integers(filter_shape, "filter_shape")
    patches = conv_general_dilated_patches(
        lhs, window, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers
    )
    numbers = conv_dimension_numbers(lift(lhs).shape, (1, 1, *window), dimension_numbers)
    x, w = transpose(patches, numbers.out_spec), transpose(rhs, numbers.rhs_spec)
    places = tuple(range(2, x.ndim))
    found = dot_general(x, w, (((1,), (1,)), (places, places)), precision)  # places, examples, features
    found = transpose(found, (x.ndim - 2, x.ndim - 1, *range(x.ndim - 2)))
    return transpose(found, [numbers.out_spec.index(k) for k in range(x.ndim)])


def conv_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    pads: Padding,
    batch_group_count: int = 1,
) -> tuple[int, ...]:
    """The shape of a convolution's result, all in the order of NCHW and OIHW."""
    if isinstance(pads, str):
        pads = padtype_to_pads(lhs_shape[2:], rhs_shape[2:], strides, pads)
    if len(pads) != len(lhs_shape) - 2:
        raise TypeError(
            f"Wrong number of explicit pads for convolution: expected {len(lhs_shape) - 2}, got {len(pads)}."
        )
    spatial = [
        max((n + lo + hi - w) // s + 1, 0)
        for n, w, s, (lo, hi) in zip(lhs_shape[2:], rhs_shape[2:], strides, pads, strict=True)
    ]
    return (lhs_shape[0] // batch_group_count, rhs_shape[0], *spatial)


def conv_general_permutations(dimension_numbers: Any) -> list[Ints]:
    """From three strings the permutations that bring lhs to NCHW, rhs to OIHW, and out to NCHW."""
    lhs, rhs, out = dimension_numbers
    spatial = [c for c in rhs if c not in "OI"]
    pairs = ((lhs, "NC"), (rhs, "OI"), (out, "NC"))
    return [tuple(spec.index(c) for c in (*first, *spatial)) for spec, first in pairs]


def conv_general_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Padding,
    dimension_numbers: Any,
) -> tuple[int, ...]:
    """The shape of a convolution's result in any layout."""
    lhs, rhs, out = conv_general_permutations(dimension_numbers)
    found = conv_shape_tuple([lhs_shape[k] for k in lhs], [rhs_shape[k] for k in rhs], window_strides, padding)
    return tuple(found[out.index(k)] for k in range(len(found)))


def conv_transpose_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Padding,
    dimension_numbers: Any,
) -> tuple[int, ...]:
    """The shape that `conv_transpose` gives in any layout."""
    lhs, rhs, out = conv_general_permutations(dimension_numbers)
    x, w = [lhs_shape[k] for k in lhs], [rhs_shape[k] for k in rhs]
    if isinstance(padding, str):
        padding = [_transposed_pads(n, s, padding.upper()) for n, s in zip(w[2:], window_strides, strict=True)]
    grown = [dilated(n, s) for n, s in zip(x[2:], window_strides, strict=True)]
    found = conv_shape_tuple((*x[:2], *grown), w, (1,) * len(grown), padding)
    return tuple(found[out.index(k)] for k in range(len(found)))


def ragged_dot(
    lhs: ArrayLike,
    rhs: ArrayLike,
    group_sizes: ArrayLike,
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
    group_offset: Any = None,
) -> Array:
    """The rows of lhs (m, k) in groups of the given sizes, each group times its own matrix of rhs (groups, k, n); rows behind the last group give 0."""
    if group_offset is not None:
        raise NotImplementedError("Unimplemented group_offset support.")
    x, w, sizes = lift(lhs), lift(rhs), lift(group_sizes)
    if x.ndim != 2 or w.ndim != 3 or sizes.shape != w.shape[:1] or x.shape[1] != w.shape[1]:
        raise TypeError(
            f"ragged_dot requires lhs of shape (m, k), rhs (groups, k, n) and group_sizes (groups,), got {x.shape}, {w.shape} and {sizes.shape}."
        )
    rows, groups = x.shape[0], w.shape[0]
    shape = (rows, groups)
    ends = broadcast_in_dim(cumsum(wrap(convert(sizes, int32))), shape, (1,))
    starts = sub(ends, broadcast_in_dim(wrap(convert(sizes, int32)), shape, (1,)))
    row = broadcasted_iota(int32, shape, 0)
    mine = bitwise_and(ge(row, starts), lt(row, ends))
    full_shape = (rows, groups, x.shape[1])
    chosen = select(
        broadcast_in_dim(mine, full_shape, (0, 1)),
        broadcast_in_dim(wrap(x), full_shape, (0, 2)),
        constant(0, full_shape, x.dtype),
    )
    return dot_general(chosen, wrap(w), (((1, 2), (0, 1)), ((), ())), precision, preferred_element_type)

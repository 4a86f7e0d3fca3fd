"""Operators that combine elements along axes: reductions, arg-reductions, cumulations, and reductions over windows (pooling)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import inf, prod
from typing import Any

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.custom import CustomJvpCall
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import Aval, Node, leaf, transform
from weft.dialects.array.op import broadcast, literal
from weft.dialects.dtypes import int32
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, constant, integers, number
from weft.lax.elementwise import (
    add,
    bitwise_and,
    bitwise_or,
    exp,
    expm1,
    full_like,
    ge,
    is_finite,
    log1p,
    max,
    min,
    mul,
    ne,
    real,
    select,
    stop_gradient,
    sub,
)
from weft.lax.shape import concatenate, pad, reshape, slice_in_dim, transpose

__all__ = [
    "argmax", "argmin", "cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum", "dilated", "first_extreme",
    "padtype_to_pads", "reduce", "reduce_and", "reduce_max", "reduce_min", "reduce_or", "reduce_prod",
    "reduce_sum", "reduce_window", "reduce_window_shape_tuple", "reduce_xor",
]  # fmt: skip

Computation = Callable[[Any, Any], Any]


def _axes(operand: Node, axes: Sequence[int], name: str) -> tuple[int, ...]:
    found = integers(axes, "axes")
    if any(not 0 <= a < operand.ndim for a in found) or len(set(found)) < len(found):
        raise ValueError(f"{name}: axes must be unique and lie in [0, {operand.ndim}), got {found}")
    return found


def _reducer(kind: str, name: str) -> Callable[..., Array]:
    def f(operand: ArrayLike, axes: Sequence[int]) -> Array:
        node = lift(operand)
        found = _axes(node, axes, name)
        return wrap(ops.ReduceOp.bind(node, kind=kind, axes=found) if found else node)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"The elements along `axes` combined by {kind}."
    return f


reduce_sum = _reducer("add", "reduce_sum")
reduce_prod = _reducer("mul", "reduce_prod")
reduce_max = _reducer("max", "reduce_max")
reduce_min = _reducer("min", "reduce_min")
reduce_and = _reducer("and", "reduce_and")
reduce_or = _reducer("or", "reduce_or")
reduce_xor = _reducer("xor", "reduce_xor")


def argmax(operand: ArrayLike, axis: int, index_dtype: DTypeLike) -> Array:
    """Where along an axis the greatest element stands: the first of equals, and the first NaN if there is one."""
    return _argreduce("max", operand, axis, index_dtype)


def argmin(operand: ArrayLike, axis: int, index_dtype: DTypeLike) -> Array:
    """Where along an axis the least element stands: the first of equals, and the first NaN if there is one."""
    return _argreduce("min", operand, axis, index_dtype)


def _argreduce(kind: str, operand: ArrayLike, axis: int, index_dtype: DTypeLike) -> Array:
    node = lift(operand)
    if not 0 <= axis < node.ndim:
        raise ValueError(f"Invalid axis {axis} for operand shape {node.shape}")
    return wrap(ops.ArgreduceOp.bind(node, kind=kind, axis=axis, dtype=canonical(index_dtype)))


# -- cumulations


def _cumulation(kind: str, name: str) -> Callable[..., Array]:
    def f(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Array:
        node = lift(operand)
        if node.dtype.kind == "b":
            raise TypeError(f"{name} does not accept dtype bool. Accepted dtypes are: integer, floating, complex.")
        return wrap(ops.CumulateOp.bind(node, kind=kind, axis=_along(node, axis), reverse=reverse))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"The running {kind} along an axis; from its end if `reverse`."
    return f


def _along(node: Node, axis: int) -> int:
    if not 0 <= axis < node.ndim:
        raise ValueError(f"axis {axis} is out of bounds for array of shape {node.shape}")
    return axis


cumsum = _cumulation("add", "cumsum")
cumprod = _cumulation("mul", "cumprod")
cummax = _cumulation("max", "cummax")
cummin = _cumulation("min", "cummin")


def cumlogsumexp(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Array:
    """The running log-sum-exp along an axis: each round combines every element with the one a power of two before it."""
    x = wrap(lift(operand))
    size, step = x.shape[_along(x._node, axis)], 1
    empty = constant(-inf, (), x.dtype, x.weak_type)
    while step < size:
        shift = (-step, step, 0) if reverse else (step, -step, 0)
        x = _logaddexp(x, pad(x, empty, [shift if k == axis else (0, 0, 0) for k in range(x.ndim)]))
        step *= 2
    return x


def _logaddexp(x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y)) without overflow on the way. The greater is taken off, as a number without derivative: so those of all orders are right where both are equal, too."""
    x, y = (wrap(broadcast(v._node, x.shape or y.shape)) for v in (x, y))
    ordered = x.dtype.kind != "c"
    first = ge(x, y) if ordered else ge(real(x), real(y))
    high, low = select(first, x, y), select(first, y, x)
    finite = is_finite(high if ordered else real(high))
    zero = full_like(high, 0)
    base, rest = select(finite, high, zero), select(finite, low, zero)
    off = stop_gradient(base)
    smooth = add(off, log1p(add(expm1(sub(base, off)), exp(sub(rest, off)))))
    return select(finite, smooth, select(ne(low, low), low, high))  # NaN, if either is


# -- general reductions


def _kind(computation: Computation) -> str | None:
    """Which reduction a binary function is, if it is a known one."""
    from weft import numpy

    known = {
        "add": (add, numpy.add),
        "mul": (mul, numpy.multiply),
        "max": (max, numpy.maximum),
        "min": (min, numpy.minimum),
        "and": (bitwise_and, numpy.bitwise_and, numpy.logical_and),
        "or": (bitwise_or, numpy.bitwise_or, numpy.logical_or),
    }
    return next((kind for kind, functions in known.items() if computation in functions), None)


_IDENTITY = {"add": 0, "mul": 1, "max": -inf, "min": inf, "and": True, "or": False}


def _initial(init_value: ArrayLike, like: Node, name: str) -> Array:
    if (value := number(init_value)) is not None and not (like.dtype.is_integer and isinstance(value, float)):
        return constant(value, (), like.dtype)
    init = lift(init_value)
    if init.ndim:
        raise ValueError(f"{name}: the initial value must be a scalar, got an array of shape {init.shape}")
    if init.dtype is not like.dtype:
        raise TypeError(f"{name} got arguments with different types: operand {like.aval}, initial value {init.aval}.")
    return wrap(init)


def reduce(operands: Any, init_values: Any, computation: Computation, dimensions: Sequence[int]) -> Any:
    """The elements along `dimensions`, and the initial value, combined by an associative function of two arrays.

    Of a pytree of arrays, all of one shape, the function combines two trees of elements, and a tree is the result.
    """
    from weft.tree_util import tree_flatten, tree_unflatten

    leaves, tree = tree_flatten(operands)
    if len(leaves) != 1 or leaves[0] is not operands:
        inits, init_tree = tree_flatten(init_values)
        if tree != init_tree:
            raise ValueError(f"Operands must have the same tree structure as init_values: {tree} vs. {init_tree}")
        found = _reduced_together(leaves, inits, tree, computation, dimensions)
        return tree_unflatten(tree, found)
    node = lift(operands)
    return _combined(_lined(wrap(node), _axes(node, dimensions, "reduce")), 1, init_values, computation, "reduce")


def _lined(x: Array, axes: Sequence[int]) -> Array:
    """An array with some axes as one, the last."""
    kept = [k for k in range(x.ndim) if k not in axes]
    return reshape(transpose(x, (*kept, *axes)), [*(x.shape[k] for k in kept), prod(x.shape[k] for k in axes)])


def _reduced_together(
    operands: Sequence[ArrayLike],
    inits: Sequence[ArrayLike],
    tree: Any,
    computation: Computation,
    dimensions: Sequence[int],
) -> list[Array]:
    """Several arrays reduced at once, by a function of two trees."""
    xs = [wrap(lift(x)) for x in operands]
    if any(x.shape != xs[0].shape for x in xs):
        raise ValueError(f"reduce operands must have one shape, got {', '.join(str(x.shape) for x in xs)}.")
    axes = _axes(xs[0]._node, dimensions, "reduce")
    starts = [_initial(i, x._node, "reduce") for i, x in zip(inits, xs, strict=True)]

    return _folded([_lined(x, axes) for x in xs], starts, _on_leaves(tree, computation))


def _on_leaves(tree: Any, computation: Computation) -> Callable[[Sequence[Array], Sequence[Array]], list[Array]]:
    """A function of two trees as a function of their leaves."""
    from weft.tree_util import tree_leaves, tree_unflatten

    def combine(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
        found = tree_leaves(computation(tree_unflatten(tree, left), tree_unflatten(tree, right)))
        return [wrap(lift(v)) for v in found]

    return combine


def _combined(x: Array, count: int, init_value: ArrayLike, computation: Computation, name: str) -> Array:
    """The last `count` axes of x combined with the initial value."""
    init, kind = _initial(init_value, x._node, name), _kind(computation)
    axes = tuple(range(x.ndim - count, x.ndim))
    if kind is None:
        flat = reshape(x, (*x.shape[: x.ndim - count], prod(x.shape[a] for a in axes)))
        return _folded([flat], [init], lambda left, right: [computation(left[0], right[0])])[0]
    if kind in ("max", "min") and x.dtype.is_inexact:
        found = first_extreme(x._node, kind, axes)
    else:
        found = ops.ReduceOp.bind(x._node, kind=kind, axes=axes)
    return wrap(found) if number(init_value) == _IDENTITY[kind] else computation(wrap(found), init)


def _folded(
    xs: list[Array], starts: Sequence[Array], combine: Callable[[Sequence[Array], Sequence[Array]], list[Array]]
) -> list[Array]:
    """The last axis of several arrays combined pairwise, neighbours first, until one element is left; and the start with that."""
    axis = xs[0].ndim - 1
    while (size := xs[0].shape[axis]) > 1:
        even = size // 2 * 2
        pairs = combine(*([slice_in_dim(x, k, even, 2, axis) for x in xs] for k in (0, 1)))
        rest = [slice_in_dim(x, even, size, 1, axis) for x in xs]
        xs = [concatenate([p, r], axis) for p, r in zip(pairs, rest, strict=True)] if even < size else pairs
    shape = xs[0].shape[:axis]
    begin = [
        wrap(ops.BroadcastInDimOp.bind(s._node, shape=shape, broadcast_dimensions=())) if axis else s for s in starts
    ]
    return combine(begin, [reshape(x, shape) for x in xs]) if xs[0].shape[axis] else begin


# -- windows


def padtype_to_pads(
    in_shape: Sequence[int], window_shape: Sequence[int], window_strides: Sequence[int], padding: str
) -> list[tuple[int, int]]:
    """Padding before and after each axis for "VALID" (none), "SAME" (as many results as elements, per stride), or "SAME_LOWER" (the odd one in front)."""
    kind = padding.upper() if isinstance(padding, str) else padding
    if kind not in ("VALID", "SAME", "SAME_LOWER"):
        raise RuntimeError(f"Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER', got {padding}.")
    if kind == "VALID":
        return [(0, 0)] * len(in_shape)
    pads = []
    for size, window, stride in zip(in_shape, window_shape, window_strides, strict=True):
        total = (-(-size // stride) - 1) * stride + window - size
        total = total if total > 0 else 0
        pads.append((total - total // 2, total // 2) if kind == "SAME_LOWER" else (total // 2, total - total // 2))
    return pads


def dilated(size: int, dilation: int) -> int:
    """The extent of `size` elements with gaps between them."""
    return (size - 1) * dilation + 1 if size else 0


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Computation,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Each window of the operand, padded with the initial value, reduced to one element.

    The derivative of a maximum (minimum) goes to the first of a window's equal extremes. Of a pytree of arrays, all of one shape, the function combines two trees of elements, and a tree is the result.
    """
    from weft.tree_util import tree_flatten, tree_unflatten

    leaves, tree = tree_flatten(operand)
    inits, init_tree = tree_flatten(init_value)
    if tree != init_tree:
        raise ValueError(f"Operands must have the same tree structure as init_values: {tree} vs. {init_tree}")
    nodes = [lift(x) for x in leaves]
    if not nodes:
        raise ValueError("reduce_window must have at least one operand.")
    if any(n.shape != nodes[0].shape for n in nodes):
        raise ValueError(f"reduce_window operands must have one shape, got {', '.join(str(n.shape) for n in nodes)}.")
    sizes = window_dimensions, window_strides, padding, base_dilation, window_dilation
    starts = [_initial(i, n, "reduce_window") for i, n in zip(inits, nodes, strict=True)]
    views, counts = zip(*(_windows(n, i, *sizes) for n, i in zip(nodes, starts, strict=True)), strict=True)
    if len(nodes) == 1 and leaves[0] is operand:
        return _combined(views[0], counts[0], init_value, computation, "reduce_window")
    flat = [
        reshape(v, (*v.shape[: v.ndim - k], prod(v.shape[v.ndim - k :]))) for v, k in zip(views, counts, strict=True)
    ]
    return tree_unflatten(tree, _folded(flat, starts, _on_leaves(tree, computation)))


def _windows(
    node: Node,
    init: Array,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None,
    window_dilation: Sequence[int] | None,
) -> tuple[Array, int]:
    """The windows of an array that is padded with a value, along further axes behind it; and how many these are."""
    rank = node.ndim
    ones = (1,) * rank
    window = integers(window_dimensions, "window_dimensions")
    strides = ones if window_strides is None else integers(window_strides, "window_strides")
    base = ones if base_dilation is None else integers(base_dilation, "base_dilation")
    dilation = ones if window_dilation is None else integers(window_dilation, "window_dilation")
    for name, given in (
        ("window_dimensions", window),
        ("window_strides", strides),
        ("base_dilation", base),
        ("window_dilation", dilation),
    ):
        if len(given) != rank:
            raise TypeError(
                f"reduce_window got the wrong number of {name} for operand: got operand shape {node.shape} with {name} {given}."
            )
        if any(n < 1 for n in given):
            raise TypeError(f"reduce_window {name} must have every element be positive, got {given}.")
    extents = [dilated(n, d) for n, d in zip(window, dilation, strict=True)]
    if isinstance(padding, str):
        sizes = [dilated(n, d) for n, d in zip(node.shape, base, strict=True)]
        pads = padtype_to_pads(sizes, extents, strides, padding)
    else:
        pads = [integers(p, "padding") for p in padding]
        if len(pads) != rank or any(len(p) != 2 for p in pads):
            raise TypeError(
                f"reduce_window padding must have one (low, high) pair per axis, got {padding} for operand shape {node.shape}."
            )
    x = pad(wrap(node), init, [(lo, hi, d - 1) for (lo, hi), d in zip(pads, base, strict=True)])
    dims = tuple(k for k in range(rank) if (window[k], strides[k]) != (1, 1))
    if not dims:
        return reshape(x, (*x.shape, 1)), 1
    if any(e > n for e, n in zip(extents, x.shape, strict=True)):
        shape = [(n - e) // s + 1 if e <= n else 0 for n, e, s in zip(x.shape, extents, strides, strict=True)]
        return constant(0, (*shape, 1), node.dtype), 1
    pick = {"sizes": window, "strides": strides, "dilations": dilation}
    views = ops.WindowOp.bind(
        x._node, dims=dims, **{key: tuple(values[k] for k in dims) for key, values in pick.items()}
    )
    return wrap(views), len(dims)


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """The shape that `reduce_window` gives."""
    ones = (1,) * len(operand_shape)
    sizes = [
        dilated(n, b) + lo + hi for n, b, (lo, hi) in zip(operand_shape, base_dilation or ones, padding, strict=True)
    ]
    extents = [dilated(w, d) for w, d in zip(window_dimensions, window_dilation or ones, strict=True)]
    return tuple((n - e) // s + 1 if e <= n else 0 for n, e, s in zip(sizes, extents, window_strides, strict=True))


def first_extreme(x: Node, kind: str, axes: tuple[int, ...]) -> Node:
    """The maximum (minimum) over the last axes, whose derivative goes to the first of equal elements alone."""
    return CustomJvpCall.bind(x, graph=_extreme_graph(x.aval, kind, axes), rule=_extreme_rule(kind, axes))[0]


@cache
def _extreme_graph(a: Aval, kind: str, axes: tuple[int, ...]) -> Graph:
    with transform() as mark:
        x = leaf(a, mark=mark)
        return Graph((x,), (ops.ReduceOp.bind(x, kind=kind, axes=axes),))


@cache
def _extreme_rule(kind: str, axes: tuple[int, ...]) -> Any:
    def rule(primals: Sequence[Node], tangents: Sequence[Node]) -> tuple[list[Node], list[Node]]:
        (x,), (dx,) = primals, tangents
        axis = x.ndim - len(axes)
        flat = (*x.shape[:axis], prod(x.shape[axis:]))
        place = ops.ArgreduceOp.bind(ops.ReshapeOp.bind(x, shape=flat), kind=kind, axis=axis, dtype=int32)
        everywhere = ops.BroadcastInDimOp.bind(place, shape=flat, broadcast_dimensions=tuple(range(axis)))
        chosen = ops.CompareOp.bind(
            ops.IotaOp.bind(shape=flat, dimension=axis, dtype=int32), everywhere, direction="eq"
        )
        picked = ops.SelectOp.bind(chosen, ops.ReshapeOp.bind(dx, shape=flat), literal(0.0, x.dtype))
        return [ops.ReduceOp.bind(x, kind=kind, axes=axes)], [ops.ReduceOp.bind(picked, kind="add", axes=(axis,))]

    return rule

"""Random array programs for the tests of the compiler: every step takes values made so far. All numbers are int32, where every order of summation gives the same bits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod

import numpy as np
from hypothesis import strategies as st

from weft.dialects import dtypes
from weft.dialects.array import ops
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import Node, aval, bind, leaf
from weft.dialects.array.op import broadcast, literal

EXTENTS = (1, 2, 3, 4)


def _shape(draw: Callable, lo: int = 0, hi: int = 3) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.sampled_from(EXTENTS), min_size=lo, max_size=hi)))


def unary(draw, values, x):
    op = draw(st.sampled_from(["neg", "abs", "not", "div", "clip"]))
    if op == "div":
        return ops.DivOp.bind(x, literal(3, x))
    if op == "clip":
        return ops.MaxOp.bind(ops.MinOp.bind(x, literal(5, x)), literal(-4, x))
    return {"neg": ops.NegOp, "abs": ops.AbsOp, "not": ops.NotOp}[op].bind(x)


def binary(draw, values, x):
    """With a value of the same shape, a scalar, or a value that broadcasts."""
    op = draw(st.sampled_from([ops.AddOp, ops.MulOp, ops.SubOp, ops.MaxOp, ops.MinOp]))
    y = draw(st.sampled_from(values))
    if y.shape == x.shape or not y.shape:
        return op.bind(x, y)
    places = [k for k, n in enumerate(x.shape)]
    if y.ndim < x.ndim:
        chosen = sorted(draw(st.permutations(places))[: y.ndim])
        if all(x.shape[k] == n for k, n in zip(chosen, y.shape, strict=True)):
            return op.bind(x, broadcast(y, x.shape, chosen))
    return op.bind(x, ops.SubOp.bind(x, literal(1, x)))


def select(draw, values, x):
    direction = draw(st.sampled_from(["lt", "eq", "ge"]))
    return ops.SelectOp.bind(ops.CompareOp.bind(x, literal(1, x), direction=direction), x, ops.NegOp.bind(x))


def reduce(draw, values, x):
    axes = draw(st.sets(st.integers(0, x.ndim - 1), min_size=1)) if x.ndim else ()
    if not axes:
        return ops.NegOp.bind(x)
    return ops.ReduceOp.bind(x, kind=draw(st.sampled_from(["add", "max", "min"])), axes=tuple(sorted(axes)))


def normalize(draw, values, x):
    """x less its sums along some axes: what softmax and layernorm are made of."""
    if not x.ndim:
        return x
    axes = sorted(draw(st.sets(st.integers(0, x.ndim - 1), min_size=1)))
    kept = [k for k in range(x.ndim) if k not in axes]
    total = ops.ReduceOp.bind(x, kind=draw(st.sampled_from(["add", "max"])), axes=tuple(axes))
    return ops.SubOp.bind(x, broadcast(total, x.shape, kept) if kept else total)


def view(draw, values, x):
    kind = draw(
        st.sampled_from(["transpose", "reshape", "slice", "reverse", "pad", "broadcast", "concatenate", "window"])
    )
    if kind == "transpose":
        return ops.TransposeOp.bind(x, permutation=tuple(draw(st.permutations(range(x.ndim)))))
    if kind == "reshape":
        factors = [f for n in x.shape for f in ((2, 2) if n == 4 else (n,))]
        cuts = [0, *sorted(draw(st.sets(st.integers(0, len(factors))))), len(factors)]
        return ops.ReshapeOp.bind(
            x, shape=tuple(prod(factors[a:b]) for a, b in pairwise(cuts) if b > a or draw(st.booleans()))
        )
    if kind == "broadcast":
        n, at = draw(st.sampled_from(EXTENTS)), draw(st.integers(0, x.ndim))
        shape = (*x.shape[:at], n, *x.shape[at:])
        return broadcast(x, shape, [k for k in range(x.ndim + 1) if k != at])
    if not x.ndim:
        return x
    d = draw(st.integers(0, x.ndim - 1))
    if kind == "slice":
        start = [draw(st.integers(0, n - 1)) for n in x.shape]
        limit = [draw(st.integers(a + 1, n)) for a, n in zip(start, x.shape, strict=True)]
        return ops.SliceOp.bind(x, start=tuple(start), limit=tuple(limit), strides=(1,) * x.ndim)
    if kind == "reverse":
        return ops.ReverseOp.bind(x, dimensions=(d,))
    if kind == "pad":
        low = tuple(draw(st.integers(0, 1)) for _ in x.shape)
        high = tuple(draw(st.integers(-1 if n > 1 else 0, 1)) for n in x.shape)
        return ops.PadOp.bind(x, literal(7, x), low=low, high=high, interior=(0,) * x.ndim)
    if kind == "window" and x.shape[d] > 1:
        return ops.WindowOp.bind(x, dims=(d,), sizes=(2,), strides=(1,), dilations=(1,))
    others = [y for y in values if y.ndim == x.ndim and all(y.shape[k] == x.shape[k] for k in range(x.ndim) if k != d)]
    return ops.ConcatenateOp.bind(x, draw(st.sampled_from(others)), dimension=d)


def dot(draw, values, x):
    pairs = [(y, i, j) for y in values for i, n in enumerate(x.shape) for j, m in enumerate(y.shape) if n == m]
    if not pairs or x.ndim > 2:
        return ops.AbsOp.bind(x)
    y, i, j = draw(st.sampled_from(pairs))
    if y.ndim > 2:
        return ops.AbsOp.bind(x)
    return ops.DotOp.bind(x, y, contract=((i,), (j,)), batch=((), ()))


def dynamic(draw, values, x):
    """A slice whose start is data."""
    starts = [literal(0, x) for _ in x.shape]
    scalars = [v for v in values if not v.shape]
    if not x.ndim or not scalars:
        return x
    starts[draw(st.integers(0, x.ndim - 1))] = draw(st.sampled_from(scalars))
    sizes = tuple(draw(st.integers(1, n)) for n in x.shape)
    if draw(st.booleans()):
        return ops.DynamicSliceOp.bind(x, *starts, sizes=sizes)
    update = ops.SliceOp.bind(ops.NegOp.bind(x), start=(0,) * x.ndim, limit=sizes, strides=(1,) * x.ndim)
    return ops.DynamicUpdateSliceOp.bind(x, update, *starts)


def scatter(draw, values, x):
    """Rows of x added to rows of x that other values name."""
    if not x.ndim:
        return x
    rows = [v for v in values if v.ndim == 1]
    if not rows:
        return x
    index = draw(st.sampled_from(rows))
    n = index.shape[0]
    update = broadcast(literal(2, x), (n, *x.shape[1:]))
    others = [v for v in values if v.shape == update.shape]
    if others:
        update = draw(st.sampled_from(others))
    return ops.ScatterOp.bind(
        x,
        ops.ReshapeOp.bind(index, shape=(n, 1)),
        update,
        update_window_dims=tuple(range(1, x.ndim)),
        inserted_window_dims=(0,),
        scatter_dims_to_operand_dims=(0,),
        operand_batching_dims=(),
        scatter_indices_batching_dims=(),
        kind=draw(st.sampled_from(["add", "max"])),
        mode="fill",
    )


STEPS = (unary, binary, binary, select, reduce, normalize, normalize, view, view, view, dot, dynamic, scatter)


@st.composite
def programs(draw, most: int = 14) -> tuple[Graph, list[np.ndarray]]:
    """A graph, and arguments for it."""
    ins = [leaf(aval(_shape(draw, 1 if k == 0 else 0), dtypes.int32)) for k in range(draw(st.integers(1, 4)))]
    values: list[Node] = list(ins)
    for _ in range(draw(st.integers(1, most))):
        x = draw(st.sampled_from(values[-4:]))
        made = draw(st.sampled_from(STEPS))(draw, values, x)
        if made.ndim <= 4 and prod(made.shape) <= 256:
            values.append(made)
    outs = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    return Graph(ins, [values[-1], *outs]), [rng.integers(-3, 4, n.shape, np.int32) for n in ins]


def constant(value: int, shape: tuple[int, ...]) -> Node:
    return bind(ops.ConstantOp, value=value, shape=shape, dtype=dtypes.int32)

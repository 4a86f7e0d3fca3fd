"""Matrices in the last two axes, the axes before them counting examples: what factorisations are written with.

Three kinds of things: the base class (a factorisation batches by having one more axis in front), formulas on nodes (`matmul`, `adjoint`,
`tril` …), and what `reference` rules need of NumPy where it refuses a whole batch for one matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft.dialects.array.graph import Graph, close
from weft.dialects.array.node import Aval, Node, aval, leaf, transform
from weft.dialects.array.op import ArrayOp, batch_front, broadcast, full, literal, zeros
from weft.dialects.array.ops import algebra, emit
from weft.dialects.array.ops.algebra import (
    absolute,
    bitcast,
    compare,
    convert,
    div,
    iota,
    is_finite,
    logical_and,
    maximum,
    pad,
    plus,
    reduce,
    reshape,
    slice_axis,
    square,
    transpose,
    where,
    zero_of,
)
from weft.dialects.array.ops.contraction import DotOp
from weft.dialects.array.ops.control import WhileOp
from weft.dialects.array.ops.indexing import GatherOp
from weft.dialects.array.ops.scan import ScanOp
from weft.dialects.array.ops.shape import ConcatenateOp, Dims, Ints, SliceOp
from weft.dialects.array.ops.slicing import DynamicSliceOp, DynamicUpdateSliceOp
from weft.dialects.dtypes import int32

BLOCK = 32
"""Columns that are eliminated one by one. Wider matrices are worked through in panels of at most so many, and the rest is products of matrices."""


class MatrixOp(ArrayOp):
    """An op on matrices (and vectors): every operand has the same leading axes, and so has every result."""

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Any, Any]:
        out = cls.bind(*(batch_front(size, a, d) for a, d in zip(args, dims, strict=True)), **params)
        return (out, 0) if isinstance(out, Node) else (out, [0] * len(out))


def check_matrix(name: str, x: Aval, square: bool = False) -> None:
    """Raises TypeError unless `x` holds matrices of a dtype that is computed with, ValueError unless they are as square as is asked for."""
    if x.ndim < 2:
        raise TypeError(f"{name} expects an array with at least 2 dimensions, got shape {x.shape}.")
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name} expects square matrices in the last two dimensions, got shape {x.shape}.")
    if not x.dtype.is_inexact or x.dtype.part.bits < 32:
        raise TypeError(
            f"{name} does not accept dtype {x.dtype}. Accepted dtypes are: float32, float64, complex64, complex128."
        )


# -- formulas --------------------------------------------------------------------------------------------------------------------------------


def swap(x: Node) -> Node:
    """Each matrix transposed."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def conj(x: Node) -> Node:
    """The complex conjugate; a real operand itself."""
    return algebra.conj(x) if x.dtype.kind == "c" else x


def real(x: Node) -> Node:
    """The real part; a real operand itself."""
    return algebra.real(x) if x.dtype.kind == "c" else x


def like(x: Node, y: Node) -> Node:
    """A real x in the dtype of y, which may be complex."""
    return convert(x, y.dtype)


def norm_square(x: Node) -> Node:
    """|x|² of each element, real."""
    if x.dtype.kind != "c":
        return square(x)
    return plus(square(algebra.real(x)), square(algebra.imag(x)))


def adjoint(x: Node) -> Node:
    """Each matrix transposed and conjugated."""
    return conj(swap(x))


def matmul(x: Node, y: Node) -> Node:
    """Products of matrices with the same leading axes."""
    lead = tuple(range(x.ndim - 2))
    return DotOp.bind(x, y, contract=((x.ndim - 1,), (y.ndim - 2,)), batch=(lead, lead))


def rows(x: Node, start: int, limit: int) -> Node:
    """Some rows of each matrix."""
    return slice_axis(x, x.ndim - 2, start, limit)


def columns(x: Node, start: int, limit: int) -> Node:
    """Some columns of each matrix."""
    return slice_axis(x, x.ndim - 1, start, limit)


def join(*parts: Node, axis: int) -> Node:
    """Matrices below (axis -2) or beside (axis -1) each other."""
    return ConcatenateOp.bind(*parts, dimension=parts[0].ndim + axis)


def row_index(x: Node | Aval) -> Node:
    """The row that each element stands in."""
    return iota(x.shape, len(x.shape) - 2)


def column_index(x: Node | Aval) -> Node:
    """The column that each element stands in."""
    return iota(x.shape, len(x.shape) - 1)


def tril(x: Node, k: int = 0) -> Node:
    """The elements on and below the k-th diagonal."""
    return where(compare(plus(row_index(x), k), "ge", column_index(x)), x, broadcast(zero_of(x), x.shape))


def triu(x: Node, k: int = 0) -> Node:
    """The elements on and above the k-th diagonal."""
    return where(compare(plus(row_index(x), k), "le", column_index(x)), x, broadcast(zero_of(x), x.shape))


def hermitian(x: Node) -> Node:
    """The Hermitian matrix with the lower triangle of x (of its diagonal the real parts)."""
    below = tril(x, -1)
    on_diagonal = compare(row_index(x), "eq", column_index(x))
    return plus(plus(below, adjoint(below)), where(on_diagonal, like(real(x), x), broadcast(zero_of(x), x.shape)))


def eye(lead: Sequence[int], n: int, m: int, like: Node) -> Node:
    """Ones on the diagonal of n x m matrices."""
    here = aval((*lead, n, m), like.dtype)
    return where(compare(row_index(here), "eq", column_index(here)), full(1, here), zeros(here))


def diagonal(x: Node) -> Node:
    """The diagonal of each matrix: (..., n, m) -> (..., min(n, m)). A view."""
    *lead, n, m = x.shape
    k = min(n, m)
    flat = reshape(columns(rows(x, 0, k), 0, k), (*lead, k * k))
    rank = len(lead)
    return SliceOp.bind(flat, start=(0,) * (rank + 1), limit=flat.shape, strides=(*(1,) * rank, k + 1))


def column_of(x: Node) -> Node:
    """Vectors as matrices of one column."""
    return reshape(x, (*x.shape, 1))


def row_of(x: Node) -> Node:
    """Vectors as matrices of one row."""
    return reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def spread(x: Node, like: Node) -> Node:
    """Columns, rows or scalars (axes of size 1) repeated to a shape of the same rank."""
    if x.shape == like.shape:
        return x
    kept = [k for k in range(x.ndim) if x.shape[k] == like.shape[k]]
    return broadcast(reshape(x, [x.shape[k] for k in kept]), like.shape, kept)


def picked(x: Node, axis: int, k: Node) -> Node:
    """The k-th row (axis -2) or column (axis -1), for a computed k, as a matrix."""
    return window(x, axis, k, 1)


def take_rows(x: Node, index: Node) -> Node:
    """The rows of each matrix that an index vector (of the same leading axes) names."""
    lead = tuple(range(x.ndim - 2))
    rank = len(lead)
    return GatherOp.bind(
        x, reshape(index, (*index.shape, 1)), offset_dims=(rank + 1,), collapsed_slice_dims=(rank,), start_index_map=(rank,),
        operand_batching_dims=lead, start_indices_batching_dims=lead, slice_sizes=(*(1,) * (rank + 1), x.shape[-1]), mode="clip",
    )  # fmt: skip


def take(x: Node, index: Node, axis: int) -> Node:
    """The rows (axis -2) or columns (axis -1) that one index vector names for all matrices."""
    axis = x.ndim + axis
    others = tuple(k for k in range(x.ndim) if k != axis)
    sizes = tuple(1 if k == axis else n for k, n in enumerate(x.shape))
    return GatherOp.bind(
        x, reshape(index, (*index.shape, 1)), offset_dims=others, collapsed_slice_dims=(axis,), start_index_map=(axis,),
        operand_batching_dims=(), start_indices_batching_dims=(), slice_sizes=sizes, mode="promise_in_bounds",
    )  # fmt: skip


def take_columns(x: Node, index: Node) -> Node:
    """The columns of each matrix that an index vector (of the same leading axes) names."""
    return swap(take_rows(swap(x), index))


def scaled(x: Node) -> tuple[Node, Node]:
    """Matrices divided each by the power of two that brings its greatest element between 1 and 2 (closer to 1, if it is less than normal numbers), and these powers: 0 for
    nothing, NaN if an element is not finite.
    """
    axes = (x.ndim - 2, x.ndim - 1)
    most = reduce(absolute(x), "max", axes)
    integer = emit.integer_of(most.dtype)
    exponent, least = {32: (0xFF << 23, 2.0**-126), 64: (0x7FF << 52, 2.0**-1022)}[integer.bits]
    power = maximum(bitcast(logical_and(bitcast(most, integer), exponent), most.dtype), least)
    by = where(is_finite(most), where(compare(most, "eq", 0.0), 1.0, power), float("nan"))
    power = where(compare(most, "eq", 0.0), 0.0, by)
    return div(x, like(spread(column_of(column_of(by)), x), x)), power


# -- loops -----------------------------------------------------------------------------------------------------------------------------------


def fori(count: int, body: Callable[..., Sequence[Node]], *state: Node) -> tuple[Node, ...]:
    """`body(k, *state)` gives the next state, for k from 0 to count."""
    if not count:
        return state

    def step(k: Node, *state: Node) -> list[Node]:
        return [plus(k, 1), *body(k, *state)]

    first = (literal(0, int32), *state)
    graph, captures = _program(step, first)
    found = ScanOp.bind(
        *captures, *first, body=graph, length=count, reverse=False, consts=len(captures), carries=len(first)
    )
    return tuple(found[1:])


def repeat(test: Callable[..., Node], body: Callable[..., Sequence[Node]], *state: Node) -> tuple[Node, ...]:
    """`body(*state)` gives the next state, as long as `test` holds of it."""
    condition, seen = _program(lambda *state: [test(*state)], state)
    program, captures = _program(body, state)
    return tuple(
        WhileOp.bind(
            *seen, *captures, *state, cond=condition, body=program, cond_consts=len(seen), body_consts=len(captures)
        )
    )


def _program(function: Callable[..., Sequence[Node]], args: Sequence[Node]) -> tuple[Graph, list[Node]]:
    """A function of values like `args` as a graph whose first inputs are what it captures, and these."""
    with transform() as mark:
        ins = [leaf(a.aval, mark=mark) for a in args]
        graph, captures = close(ins, list(function(*ins)), since=mark)
    return Graph([*captures, *ins], graph.outs), captures


def panels(n: int) -> tuple[int, int]:
    """Into how many panels n columns are divided, and how wide these are (the last one may reach beyond the end).

    One loop runs over them, with slices of fixed shapes at computed places, so that a program is as long for large matrices as for small ones.
    """
    count = -(-n // BLOCK)
    width = -(-n // max(count, 1))
    width = width if count <= 1 else -(-width // 4) * 4  # whole vectors
    return -(-n // width) if n else 0, width


def head(n: int) -> int:
    """How many of n columns one loop takes. It works on the whole matrix in each of its rounds, so what is left of a large one is worth a loop of its own."""
    return n if n <= 8 * BLOCK else -(-n // (2 * BLOCK)) * BLOCK


def window(x: Node, axis: int, start: Node, size: int) -> Node:
    """`size` rows (axis -2) or columns (axis -1) from a computed one on."""
    sizes = list(x.shape)
    sizes[axis] = size
    starts = [literal(0, int32)] * x.ndim
    starts[axis] = start
    return DynamicSliceOp.bind(x, *starts, sizes=tuple(sizes))


def put(x: Node, part: Node, axis: int, start: Node) -> Node:
    """x with rows (axis -2) or columns (axis -1) from a computed one on replaced."""
    starts = [literal(0, int32)] * x.ndim
    starts[axis] = start
    return DynamicUpdateSliceOp.bind(x, part, *starts)


def widened(x: Node, n: int, m: int) -> Node:
    """Zeros below and beside, so that there are n rows and m columns."""
    return pad(x, 0.0, (0,) * x.ndim, (*(0,) * (x.ndim - 2), n - x.shape[-2], m - x.shape[-1]))


# -- for reference rules -----------------------------------------------------------------------------------------------------------------------


def each_matrix(np: Any, factor: Callable[[Any], Any], x: Any, shapes: Sequence[Ints]) -> list[Any]:
    """`factor` of each matrix, its results (real ones for a shape of rank 1) stacked; NaN for a matrix that NumPy refuses."""
    lead = x.shape[:-2]
    outs = [np.full((*lead, *s), np.nan, x.real.dtype if len(s) == 1 else x.dtype) for s in shapes]
    for at in np.ndindex(*lead):
        try:
            found = factor(x[at])
        except np.linalg.LinAlgError:
            continue
        for out, f in zip(outs, found if len(shapes) > 1 else (found,), strict=True):
            out[at] = f
    return outs

"""LU with partial pivoting, a panel of `BLOCK` columns after the other.

The panel is eliminated column by column, its interchanges are applied to the whole matrix, and a triangular system and one product of matrices update what is to the right of it.
The loop over panels works on the whole matrix in each round, with zeros where nothing is to change: one body, compiled once, for more products than are needed. Of a large
matrix it takes half of the columns (`head`), and another loop what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, var_result_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import broadcast, zeros
from weft.dialects.array.ops import algebra
from weft.dialects.array.ops.algebra import (
    absolute,
    compare,
    div,
    iota,
    mul,
    plus,
    reshape,
    slice_axis,
    sub,
    where,
    zero_of,
)
from weft.dialects.array.ops.matrices import (
    MatrixOp,
    check_matrix,
    column_index,
    column_of,
    columns,
    eye,
    fori,
    head,
    join,
    matmul,
    panels,
    picked,
    put,
    row_index,
    row_of,
    rows,
    spread,
    swap,
    take_columns,
    take_rows,
    tril,
    triu,
    widened,
    window,
)
from weft.dialects.array.ops.reduction import ArgreduceOp
from weft.dialects.array.ops.triangular import TriangularSolveOp, substituted
from weft.dialects.dtypes import int32

Maybe = Node | None


@irdl_op_definition
class LuOp(MatrixOp):
    """x with its rows permuted as the product of a unit lower and an upper triangular matrix.

    %lu, %pivots, %permutation = array.lu %x : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4xi32>, tensor<4xi32>

    Three results: both factors in one matrix; `pivots`, the row that each of the first rows was exchanged with; and the
    permutation, x[permutation] = l u. The pivot is the first of the greatest elements of its column. JAX: `lax.linalg.lu`.
    """

    name = "array.lu"

    x = operand_def(TensorType)
    result = var_result_def(TensorType)

    @classmethod
    def infer(cls, x: Aval) -> tuple[Aval, ...]:
        check_matrix("lu", x)
        *lead, n, m = x.shape
        return aval(x.shape, x.dtype), aval((*lead, min(n, m)), int32), aval((*lead, n), int32)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: tuple[Node, ...]) -> Sequence[Maybe]:
        """With P dx = dl u + l du: l^-1 (P dx) u^-1 is strictly lower where it is l^-1 dl, upper where it is du u^-1."""
        (dx,), (lu, _, permutation) = tangents, out
        if dx is None:
            return [None, None, None]
        *lead, n, m = lu.shape
        k = min(n, m)
        lower = plus(tril(widened(columns(lu, 0, k), n, n), -1), eye(lead, n, n, lu))
        upper = triu(widened(rows(lu, 0, k), m, m))
        beyond = compare(row_index(upper), "ge", k)
        upper = where(beyond, eye(lead, m, m, lu), upper)
        side = {"transpose_a": False, "conjugate_a": False}
        change = TriangularSolveOp.bind(
            lower, take_rows(dx, permutation), left_side=True, lower=True, unit_diagonal=True, **side
        )
        change = TriangularSolveOp.bind(upper, change, left_side=False, lower=False, unit_diagonal=False, **side)
        return [plus(matmul(lower, tril(change, -1)), matmul(triu(change), upper)), None, None]

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        *lead, n, m = x.shape
        flat = x.reshape(prod(lead), n, m).copy()
        each = np.arange(len(flat))
        pivots = np.zeros((len(flat), min(n, m)), np.int32)
        permutation = np.tile(np.arange(n, dtype=np.int32), (len(flat), 1))
        for k in range(min(n, m)):
            pivot = k + np.argmax(np.abs(flat[:, k:, k].real) + np.abs(flat[:, k:, k].imag), 1)
            pivots[:, k] = pivot
            for values in (flat, permutation):
                values[each, k], values[each, pivot] = values[each, pivot], values[each, k].copy()
            by = flat[:, k, k, None]
            flat[:, k + 1 :, k] /= np.where(by == 0, 1, by)
            flat[:, k + 1 :, k + 1 :] -= flat[:, k + 1 :, k, None] * flat[:, k, None, k + 1 :]
        return flat.reshape(x.shape), pivots.reshape(*lead, min(n, m)), permutation.reshape(*lead, n)

    @classmethod
    def decompose(cls, x: Node) -> tuple[Node, Node, Node]:
        *lead, n, m = x.shape
        if not x.aval.size:
            return x, zeros(aval((*lead, min(n, m)), int32)), iota((*lead, n), len(lead))
        return _factored(x)


def _factored(x: Node) -> tuple[Node, Node, Node]:
    *lead, n, m = x.shape
    k, last = min(n, m), len(lead)
    h = head(k)
    count, width = panels(h)
    if count == 1 and m == k:
        panel, pivots, order = _eliminated(swap(x), zero_of(int32))
        return swap(panel), pivots, order
    high = count * width
    x = widened(x, max(n, high), max(m, high))

    def step(k: Node, x: Node, pivots: Node, order: Node) -> tuple[Node, ...]:
        at = mul(k, width)
        panel, own, moved = _eliminated(swap(window(x, -1, at, width)), at)
        panel, x = swap(panel), take_rows(x, moved)
        band = window(x, -2, at, width)
        right = compare(column_index(band), "ge", plus(at, width))
        top = where(right, substituted(window(panel, -2, at, width), band, True, True), 0.0)
        lower = where(compare(row_index(panel), "ge", plus(at, width)), panel, 0.0)
        x = sub(x, matmul(lower, top))
        x = put(put(x, where(right, top, band), -2, at), panel, -1, at)
        order = reshape(take_rows(column_of(order), moved), order.shape)
        return x, put(pivots, row_of(own), -1, at), order

    start = x, zeros(aval((*lead, 1, high), int32)), iota(x.shape[:-1], last)
    x, pivots, order = fori(count, step, *start)
    x, order = columns(rows(x, 0, n), 0, m), slice_axis(order, last, 0, n)
    pivots = reshape(columns(pivots, 0, h), (*lead, h))
    if h == k:
        return x, pivots, order
    corner, further, moved = _factored(columns(rows(x, h, n), h, m))
    below = join(take_rows(columns(rows(x, h, n), 0, h), moved), corner, axis=-1)
    rest = reshape(take_rows(column_of(slice_axis(order, last, h, n)), moved), (*lead, n - h))
    order = join(slice_axis(order, last, 0, h), rest, axis=-1)
    pivots = join(pivots, plus(further, h), axis=-1)
    return join(rows(x, 0, h), below, axis=-2), pivots, order


def _eliminated(x: Node, at: Node) -> tuple[Node, Node, Node]:
    """The factorisation of columns that begin in row `at`, given and found transposed (so that a column is a row of memory): each brings the greatest of
    its elements up, and is taken from those to the right of it. What is above stays. Also the pivots, and the order of the rows.
    """
    *lead, m, n = x.shape
    column, row = row_index(x), column_index(x)
    row_number = iota((*lead, 1, n), len(lead) + 1)
    place = iota((*lead, m), len(lead))

    def step(j: Node, x: Node, pivots: Node, order: Node) -> tuple[Node, ...]:
        k = plus(j, at)
        here = picked(x, -2, j)
        size = where(compare(row_number, "ge", k), _size(here), -1.0)
        pivot = ArgreduceOp.bind(reshape(size, (*lead, n)), kind="max", axis=len(lead), dtype=int32)
        chosen = reshape(pivot, (*lead, 1))
        first, found = picked(x, -1, k), take_columns(x, chosen)  # rows that change places
        there = spread(column_of(chosen), x)
        moved = where(compare(row, "eq", k), spread(found, x), where(compare(row, "eq", there), spread(first, x), x))
        by = picked(found, -2, j)
        scale = spread(where(compare(by, "eq", 0.0), 1.0, by), here)
        swapped = where(
            compare(row_number, "eq", spread(column_of(chosen), here)), spread(picked(first, -2, j), here), here
        )
        lower = spread(div(swapped, scale), x)
        reduced = where(
            compare(column, "gt", j),
            sub(moved, mul(lower, spread(found, x))),
            where(compare(column, "eq", j), lower, moved),
        )
        own = compare(place, "eq", j)
        pivots = where(own, broadcast(pivot, place.shape, range(len(lead))), pivots)
        return where(compare(row, "gt", k), reduced, moved), pivots, exchanged(order, k, pivot)

    start = x, zeros(aval((*lead, m), int32)), iota((*lead, n), len(lead))
    out = fori(m, step, *start)
    return out[0], out[1], out[2]


def _size(x: Node) -> Node:
    """What pivots are compared by: LAPACK takes the sum of the parts' sizes for that of a complex number."""
    if x.dtype.kind != "c":
        return absolute(x)
    return plus(absolute(algebra.real(x)), absolute(algebra.imag(x)))


def exchanged(permutation: Node, k: Node, pivot: Node) -> Node:
    """Vectors with their k-th and `pivot`-th elements exchanged."""
    *lead, n = permutation.shape
    place = iota(permutation.shape, len(lead))
    table = column_of(permutation)
    wide = (*lead, n)
    first = broadcast(reshape(picked(table, -2, k), lead), wide, range(len(lead)))
    found = broadcast(reshape(take_rows(table, reshape(pivot, (*lead, 1))), lead), wide, range(len(lead)))
    there = broadcast(pivot, wide, range(len(lead)))
    return where(compare(place, "eq", k), found, where(compare(place, "eq", there), first, permutation))

"""LU with partial pivoting: a recursion on the columns (S. Toledo, "Locality of reference in LU decomposition with partial pivoting", 1997).

The left half of the columns is factored, its interchanges applied to the right half, a triangular system and one product of matrices
update that, and what is left of it is factored. Panels of `BLOCK` columns are eliminated column by column.
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
    pad,
    plus,
    reshape,
    sub,
    where,
)
from weft.dialects.array.ops.matrices import (
    BLOCK,
    MatrixOp,
    check_matrix,
    column_index,
    column_of,
    columns,
    cut,
    eye,
    fori,
    join,
    matmul,
    picked,
    row_index,
    rows,
    spread,
    take_rows,
    tril,
    triu,
)
from weft.dialects.array.ops.reduction import ArgreduceOp
from weft.dialects.array.ops.shape import ConcatenateOp
from weft.dialects.array.ops.triangular import TriangularSolveOp, solve_lower_or_upper
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
        lower = plus(tril(_widen(columns(lu, 0, k), n, n), -1), eye(lead, n, n, lu))
        upper = triu(_widen(rows(lu, 0, k), m, m))
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
        k = min(n, m)
        lu, pivots, permutation = _panel(columns(x, 0, k))
        if m > k:
            rest = take_rows(columns(x, k, m), permutation)
            lu = join(lu, solve_lower_or_upper(lu, rest, True, True), axis=-1)
        return lu, pivots, permutation


def _widen(x: Node, n: int, m: int) -> Node:
    """Zeros below and beside."""
    rank = x.ndim - 2
    return pad(x, 0.0, (0,) * x.ndim, (*(0,) * rank, n - x.shape[-2], m - x.shape[-1]))


def _panel(x: Node) -> tuple[Node, Node, Node]:
    """The factorisation of matrices that are not wider than high."""
    *lead, n, m = x.shape
    if m <= BLOCK:
        return _columns(x)
    h, last = cut(m), len(lead)
    left, pivots, permutation = _panel(columns(x, 0, h))
    right = take_rows(columns(x, h, m), permutation)
    top = solve_lower_or_upper(rows(left, 0, h), rows(right, 0, h), True, True)
    below = sub(rows(right, h, n), matmul(rows(left, h, n), top))
    corner, further, order = _panel(below)
    order = plus(order, h)
    order = ConcatenateOp.bind(iota((*lead, h), last), order, dimension=last)
    out = join(take_rows(left, order), join(top, corner, axis=-2), axis=-1)
    pivots = ConcatenateOp.bind(pivots, plus(further, h), dimension=last)
    return out, pivots, reshape(take_rows(column_of(permutation), order), permutation.shape)


def _columns(x: Node) -> tuple[Node, Node, Node]:
    """Column by column: the greatest element is brought up, and what is below and to the right of it reduced."""
    *lead, n, m = x.shape
    row, column = row_index(x), column_index(x)
    row_number = iota((*lead, n, 1), len(lead))
    place = iota((*lead, m), len(lead))

    def step(k: Node, x: Node, pivots: Node, permutation: Node) -> tuple[Node, ...]:
        left = picked(x, -1, k)
        size = where(compare(row_number, "ge", k), _size(left), -1.0)
        pivot = ArgreduceOp.bind(reshape(size, (*lead, n)), kind="max", axis=len(lead), dtype=int32)
        chosen = reshape(pivot, (*lead, 1))
        first, found = picked(x, -2, k), take_rows(x, chosen)  # rows that change places
        at = spread(reshape(pivot, (*lead, 1, 1)), x)
        moved = where(compare(row, "eq", k), spread(found, x), where(compare(row, "eq", at), spread(first, x), x))
        by = take_rows(left, chosen)
        scale = spread(where(compare(by, "eq", 0.0), 1.0, by), left)
        top = spread(picked(left, -2, k), left)
        swapped = where(compare(row_number, "eq", spread(column_of(chosen), left)), top, left)
        lower = spread(div(swapped, scale), x)
        reduced = where(
            compare(column, "gt", k),
            sub(moved, mul(lower, spread(found, x))),
            where(compare(column, "eq", k), lower, moved),
        )
        here = compare(place, "eq", k)
        pivots = where(here, broadcast(pivot, place.shape, range(len(lead))), pivots)
        return where(compare(row, "gt", k), reduced, moved), pivots, exchanged(permutation, k, pivot)

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

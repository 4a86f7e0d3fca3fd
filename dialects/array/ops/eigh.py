"""Eigenvalues and vectors of Hermitian matrices: reflections from both sides make them real and tridiagonal, and divide and conquer takes over (see `tridiagonal`).

Derivative: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008. Where eigenvalues are equal, that of the vectors is
infinite or NaN, as in JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, var_result_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import zeros
from weft.dialects.array.ops.algebra import (
    compare,
    div,
    is_finite,
    mul,
    plus,
    reshape,
    sub,
    where,
)
from weft.dialects.array.ops.matrices import (
    MatrixOp,
    adjoint,
    check_matrix,
    column_index,
    column_of,
    columns,
    conj,
    diagonal,
    each_matrix,
    fori,
    hermitian,
    join,
    like,
    matmul,
    picked,
    put,
    real,
    row_index,
    row_of,
    rows,
    scaled,
    spread,
    swap,
)
from weft.dialects.array.ops.qr import reflected, reflection
from weft.dialects.array.ops.tridiagonal import diagonalised

Maybe = Node | None


@irdl_op_definition
class EighOp(MatrixOp):
    """Eigenvectors (columns) and ascending eigenvalues of a Hermitian matrix, of which only the lower triangle is read.

    %v, %w = array.eigh %x : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4xf32>

    JAX: `lax.linalg.eigh` (without its symmetrisation).
    """

    name = "array.eigh"

    x = operand_def(TensorType)
    result = var_result_def(TensorType)

    @classmethod
    def infer(cls, x: Aval) -> tuple[Aval, ...]:
        check_matrix("eigh", x, square=True)
        return aval(x.shape, x.dtype), aval(x.shape[:-1], x.dtype.part)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: tuple[Node, ...]) -> Sequence[Maybe]:
        (dx,), (v, w) = tangents, out
        if dx is None:
            return [None, None]
        change = matmul(adjoint(v), matmul(hermitian(dx), v))
        gaps = like(sub(spread(row_of(w), v), spread(column_of(w), v)), v)
        same = compare(row_index(v), "eq", column_index(v))
        turn = where(same, 0.0, div(change, where(same, 1.0, gaps)))
        return [matmul(v, turn), real(diagonal(change))]

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        n = x.shape[-1]
        w, v = each_matrix(np, np.linalg.eigh, x, [(n,), (n, n)])
        return v, w

    @classmethod
    def decompose(cls, x: Node) -> tuple[Node, Node]:
        *lead, n, _ = x.shape
        if not x.aval.size:
            return x, zeros(aval((*lead, n), x.dtype.part))
        x, scale = scaled(hermitian(x))
        d, e, packed, tau = tridiagonalised(x)
        w, q = diagonalised(d, e)
        v = like(q, x)
        if n > 1:
            v = join(
                rows(v, 0, 1), reflected(columns(rows(packed, 1, n), 0, n - 1), tau, rows(v, 1, n), False), axis=-2
            )
        known = is_finite(column_of(column_of(scale)))
        return where(spread(known, v), v, float("nan")), mul(w, spread(column_of(scale), w))


def tridiagonalised(x: Node) -> tuple[Node, Node, Node, Node]:
    """Of Hermitian x = Q t Qᴴ the diagonal of t, what is beside it (and one more element), and the reflections whose product is Q but for the first row and column: the
    vector of the k-th one stands in the k-th column, from row k + 1 on.
    """
    *lead, n, _ = x.shape
    part = x.dtype.part

    def step(k: Node, x: Node, packed: Node, taus: Node, e: Node) -> tuple[Node, ...]:
        v, tau, beta = reflection(conj(picked(x, -2, k)), plus(k, 1))
        v, after = swap(v), compare(row_index(swap(v)), "gt", k)
        v = where(after, v, 0.0)
        y = mul(spread(tau, v), matmul(x, v))
        half = mul(mul(conj(tau), matmul(adjoint(v), y)), 0.5)
        w = where(after, sub(y, mul(spread(half, v), v)), 0.0)
        left, right = spread(v, x), spread(w, x)
        x = sub(sub(x, mul(left, spread(adjoint(w), x))), mul(right, spread(adjoint(v), x)))
        return x, put(packed, swap(v), -2, k), put(taus, tau, -1, k), put(e, real(beta), -1, k)

    start = x, zeros(x), zeros(aval((*lead, 1, n), x.dtype)), zeros(aval((*lead, 1, n), part))
    x, packed, taus, e = fori(n - 1, step, *start)
    tau = reshape(columns(taus, 0, n - 1), (*lead, n - 1))
    return real(diagonal(x)), reshape(e, (*lead, n)), swap(packed), tau

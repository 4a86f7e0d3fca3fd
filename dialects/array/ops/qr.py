"""QR by Householder reflections, as LAPACK normalises them (R's diagonal has the sign opposite to the column's leading element).

A recursion on the columns, as for LU. The product of k reflections I - tau v vᴴ is I - V T Vᴴ, where 1/T's upper triangle is that of
VᴴV and its diagonal that of 1/tau: T need not be built, a triangular system with I + diag(tau) triu(VᴴV, 1) does (T. Joffrain,
T. M. Low, E. S. Quintana-Ortí, R. van de Geijn, F. G. Van Zee, "Accumulating Householder transformations, revisited", 2006).

Derivative: S. F. Walter, L. Lehmann, R. Lamour, "On evaluating higher-order derivatives of the QR decomposition of tall matrices", 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_result_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import broadcast, zeros
from weft.dialects.array.ops.algebra import (
    compare,
    div,
    iota,
    mul,
    neg,
    plus,
    reduce,
    reshape,
    sqrt,
    square,
    sub,
    where,
)
from weft.dialects.array.ops.matrices import (
    BLOCK,
    MatrixOp,
    adjoint,
    check_matrix,
    column_index,
    column_of,
    columns,
    conj,
    cut,
    eye,
    fori,
    join,
    like,
    matmul,
    norm_square,
    picked,
    real,
    row_index,
    rows,
    spread,
    tril,
    triu,
)
from weft.dialects.array.ops.shape import ConcatenateOp
from weft.dialects.array.ops.triangular import TriangularSolveOp

Maybe = Node | None


@irdl_op_definition
class QrOp(MatrixOp):
    """x = q r with orthonormal columns of q and upper triangular r: as many columns as x has rows if `full_matrices`, else as its smaller side.

    %q, %r = array.qr %x full_matrices false : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3x3xf32>

    JAX: `lax.linalg.qr`.
    """

    name = "array.qr"

    x = operand_def(TensorType)
    result = var_result_def(TensorType)
    full_matrices = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, full_matrices: bool) -> tuple[Aval, ...]:
        check_matrix("qr", x)
        *lead, n, m = x.shape
        k = n if full_matrices else min(n, m)
        return aval((*lead, n, k), x.dtype), aval((*lead, k, m), x.dtype)

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: tuple[Node, ...], *, full_matrices: bool
    ) -> Sequence[Maybe]:
        (dx,), (q, r) = tangents, out
        if dx is None:
            return [None, None]
        n, m = dx.shape[-2:]
        if m > n:  # the first columns make q, the others are multiplied by its adjoint
            dq, dr = cls._thin_jvp(columns(dx, 0, n), q, columns(r, 0, n))
            rest = plus(matmul(adjoint(dq), columns(primals[0], n, m)), matmul(adjoint(q), columns(dx, n, m)))
            return [dq, join(dr, rest, axis=-1)]
        if full_matrices and n > m:  # the columns beyond the range turn as little as they must
            within, beyond = columns(q, 0, m), columns(q, m, n)
            dq, dr = cls._thin_jvp(dx, within, rows(r, 0, m))
            rest = neg(matmul(within, matmul(adjoint(dq), beyond)))
            below = zeros(aval((*r.shape[:-2], n - m, m), r.dtype))
            return [join(dq, rest, axis=-1), join(dr, below, axis=-2)]
        return cls._thin_jvp(dx, q, r)

    @classmethod
    def _thin_jvp(cls, dx: Node, q: Node, r: Node) -> tuple[Node, Node]:
        by_r = TriangularSolveOp.bind(
            r, dx, left_side=False, lower=False, transpose_a=False, conjugate_a=False, unit_diagonal=False
        )
        inner = matmul(adjoint(q), by_r)
        lower = tril(inner, -1)
        turn = sub(lower, adjoint(lower))  # skew: how q turns within its own columns
        if inner.dtype.kind == "c":  # r's diagonal stays real
            on_diagonal = compare(row_index(inner), "eq", column_index(inner))
            turn = where(on_diagonal, sub(inner, like(real(inner), inner)), turn)
        return plus(matmul(q, sub(turn, inner)), by_r), matmul(sub(inner, turn), r)

    @staticmethod
    def reference(np: Any, x: Any, *, full_matrices: bool) -> Any:
        return tuple(np.linalg.qr(x, "complete" if full_matrices else "reduced"))

    @classmethod
    def decompose(cls, x: Node, *, full_matrices: bool) -> tuple[Node, Node]:
        *lead, n, m = x.shape
        k = n if full_matrices else min(n, m)
        if not x.aval.size:
            return eye(lead, n, k, x), zeros(aval((*lead, k, m), x.dtype))
        packed, tau = reflections(x)
        r = triu(packed if k == n else rows(packed, 0, k))
        return product(columns(packed, 0, min(n, m)), tau, k), r


def reflections(x: Node) -> tuple[Node, Node]:
    """R on and above the diagonal, below it the vectors of the reflections, and their factors tau (LAPACK: geqrf)."""
    n, m = x.shape[-2:]
    k = min(n, m)
    if k <= BLOCK:
        packed, tau = _columns(columns(x, 0, k))
    else:
        h = cut(k)
        left, first = reflections(columns(x, 0, h))
        right = reflected(left, first, columns(x, h, k))
        corner, second = reflections(rows(right, h, n))
        packed = join(left, join(rows(right, 0, h), corner, axis=-2), axis=-1)
        tau = ConcatenateOp.bind(first, second, dimension=tau_axis(x))
    return (join(packed, reflected(packed, tau, columns(x, k, m)), axis=-1) if m > k else packed), tau


def tau_axis(x: Node) -> int:
    """The axis of a vector of one factor a column."""
    return x.ndim - 2


def _vectors(packed: Node) -> Node:
    """The vectors of the reflections: ones on the diagonal, zeros above."""
    *lead, n, m = packed.shape
    return plus(tril(packed, -1), eye(lead, n, m, packed))


def _solve(v: Node, tau: Node, y: Node, transposed: bool) -> Node:
    """T y, or Tᴴ y."""
    gram = triu(matmul(adjoint(v), v), 1)
    scale = column_of(tau)
    system = mul(spread(scale, gram), gram)
    side = {
        "left_side": True,
        "lower": False,
        "transpose_a": transposed,
        "conjugate_a": transposed,
        "unit_diagonal": True,
    }
    if transposed:
        return mul(spread(conj(scale), y), TriangularSolveOp.bind(system, y, **side))
    return TriangularSolveOp.bind(system, mul(spread(scale, y), y), **side)


def reflected(packed: Node, tau: Node, c: Node, transposed: bool = True) -> Node:
    """Qᴴ c (or Q c) of the product Q of the reflections that `packed` holds."""
    v = _vectors(packed)
    return sub(c, matmul(v, _solve(v, tau, matmul(adjoint(v), c), transposed)))


def product(packed: Node, tau: Node, k: int) -> Node:
    """The first k columns of the product of reflections (LAPACK: orgqr)."""
    *lead, n, _ = packed.shape
    v = _vectors(packed)
    onto = adjoint(v if k == n else rows(v, 0, k))
    return sub(eye(lead, n, k, packed), matmul(v, _solve(v, tau, onto, False)))


def _columns(x: Node) -> tuple[Node, Node]:
    """One reflection after the other: it takes its column to a multiple of the unit vector, and is applied to the columns to the right."""
    *lead, n, m = x.shape
    last = len(lead)
    row, column = row_index(x), column_index(x)
    below_row = iota((*lead, n, 1), last)
    place = iota((*lead, m), last)

    def step(k: Node, x: Node, taus: Node) -> tuple[Node, ...]:
        here = picked(x, -1, k)
        alpha = picked(here, -2, k)
        below = compare(below_row, "gt", k)
        tail = where(below, here, 0.0)
        first = real(alpha)
        size = plus(
            reshape(reduce(norm_square(tail), "add", (last,)), alpha.shape), norm_square(sub(alpha, like(first, alpha)))
        )
        length = sqrt(plus(square(first), size))
        none = compare(size, "eq", 0.0)  # nothing to reflect
        beta = like(where(none, first, where(compare(first, "ge", 0.0), neg(length), length)), alpha)
        tau = where(none, 0.0, div(sub(beta, alpha), where(none, 1.0, beta)))
        v = div(tail, spread(where(none, 1.0, sub(alpha, beta)), tail))
        v = where(compare(below_row, "eq", k), 1.0, v)
        weights = mul(spread(conj(tau), x), spread(matmul(adjoint(v), x), x))
        changed = sub(x, mul(spread(v, x), weights))
        stored = where(compare(row, "gt", k), spread(v, x), where(compare(row, "eq", k), spread(beta, x), x))
        x = where(compare(column, "gt", k), changed, where(compare(column, "eq", k), stored, x))
        factor = broadcast(reshape(tau, lead), place.shape, range(last))
        return x, where(compare(place, "eq", k), factor, taus)

    out = fori(m, step, x, zeros(aval((*lead, m), x.dtype)))
    return out[0], out[1]

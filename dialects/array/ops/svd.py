"""Singular values and vectors: reflections from both sides make a matrix real and bidiagonal; with b below and bᵀ above a diagonal of zeros, in the order first row of the one,
first row of the other and so on, that is tridiagonal, and its eigenvalues are plus and minus the singular values (G. Golub, W. Kahan, "Calculating the singular values and
pseudo-inverse of a matrix", 1965).

Halves of its vectors are those of b, and orthogonal where values are well above rounding; below it, their two signs mix. The triangular factorisation of the vectors, from the
greatest value down, makes all of them orthonormal, and turns none by more than what its value hides.

Derivatives: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008; for rectangular matrices J. Townsend,
"Differentiating the singular value decomposition", 2016. They are finite where values are equal, as in JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_result_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import full, zeros
from weft.dialects.array.ops.algebra import (
    compare,
    div,
    is_finite,
    maximum,
    mul,
    plus,
    reshape,
    slice_axis,
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
    eye,
    fori,
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
    triu,
    widened,
)
from weft.dialects.array.ops.qr import product, reflected, reflection, reflections
from weft.dialects.array.ops.shape import ReverseOp
from weft.dialects.array.ops.tridiagonal import diagonalised

Maybe = Node | None


@irdl_op_definition
class SvdOp(MatrixOp):
    """Singular values in descending order; with `compute_uv` also the vectors u and vᴴ, x = u diag(s) vᴴ: as many as x has rows (columns) if `full_matrices`, else as its smaller side.

    %s, %u, %vh = array.svd %x full_matrices false compute_uv true : tensor<4x3xf32> -> tensor<3xf32>, tensor<4x3xf32>, tensor<3x3xf32>

    JAX: `lax.linalg.svd`.
    """

    name = "array.svd"

    x = operand_def(TensorType)
    result = var_result_def(TensorType)
    full_matrices = prop_def()
    compute_uv = prop_def()

    @classmethod
    def infer(cls, x: Aval, *, full_matrices: bool, compute_uv: bool) -> tuple[Aval, ...]:
        check_matrix("svd", x)
        *lead, n, m = x.shape
        k = min(n, m)
        s = aval((*lead, k), x.dtype.part)
        if not compute_uv:
            return (s,)
        return (
            s,
            aval((*lead, n, n if full_matrices else k), x.dtype),
            aval((*lead, m if full_matrices else k, m), x.dtype),
        )

    @classmethod
    def jvp(
        cls,
        primals: Sequence[Node],
        tangents: Sequence[Maybe],
        out: tuple[Node, ...],
        *,
        full_matrices: bool,
        compute_uv: bool,
    ) -> Sequence[Maybe]:
        (x,), (dx,) = primals, tangents
        if dx is None:
            return [None] * len(out)
        n, m = x.shape[-2:]
        if compute_uv and full_matrices and n != m:
            raise NotImplementedError("Singular value decomposition JVP not implemented for full matrices")
        s, u, vh = out if compute_uv else SvdOp.bind(x, full_matrices=False, compute_uv=True)
        v = adjoint(vh)
        change = matmul(matmul(adjoint(u), dx), v)
        ds = real(diagonal(change))
        if not compute_uv:
            return [ds]
        here, there = like(spread(row_of(s), change), change), like(spread(column_of(s), change), change)
        gaps = mul(plus(here, there), sub(here, there))
        weight = where(compare(gaps, "eq", 0.0), 0.0, div(full(1, gaps), where(compare(gaps, "eq", 0.0), 1.0, gaps)))
        right, left = mul(here, change), mul(there, change)
        du = mul(weight, plus(right, adjoint(right)))
        if u.dtype.kind == "c":  # the phase of a pair of vectors is free: v's stays, and u's turns with the diagonal
            same = compare(row_index(du), "eq", column_index(du))
            phase = div(mul(sub(change, adjoint(change)), 0.5), where(compare(here, "eq", 0.0), 1.0, here))
            du = plus(du, where(same, phase, 0.0))
        du = matmul(u, du)
        dv = matmul(v, mul(weight, plus(left, adjoint(left))))
        if n > m:
            along = matmul(dx, v)
            du = plus(du, div(sub(along, matmul(u, matmul(adjoint(u), along))), like(spread(row_of(s), along), along)))
        if m > n:
            along = matmul(adjoint(dx), u)
            dv = plus(dv, div(sub(along, matmul(v, matmul(vh, along))), like(spread(row_of(s), along), along)))
        return [ds, du, adjoint(dv)]

    @staticmethod
    def reference(np: Any, x: Any, *, full_matrices: bool, compute_uv: bool) -> Any:
        n, m = x.shape[-2:]
        k = min(n, m)
        if not compute_uv:
            return tuple(each_matrix(np, lambda a: np.linalg.svd(a, compute_uv=False), x, [(k,)]))
        shapes = [(n, n if full_matrices else k), (k,), (m if full_matrices else k, m)]
        u, s, vh = each_matrix(np, lambda a: np.linalg.svd(a, full_matrices), x, shapes)
        return s, u, vh

    @classmethod
    def decompose(cls, x: Node, *, full_matrices: bool, compute_uv: bool) -> tuple[Node, ...]:
        *lead, n, m = x.shape
        if not x.aval.size:
            s, *vectors = cls.infer(x.aval, full_matrices=full_matrices, compute_uv=compute_uv)
            return zeros(s), *(eye(lead, v.shape[-2], v.shape[-1], x) for v in vectors)
        if n < m:
            s, *vectors = cls.decompose(adjoint(x), full_matrices=full_matrices, compute_uv=compute_uv)
            return s, *(adjoint(v) for v in reversed(vectors))
        x, scale = scaled(x)
        packed, tau = reflections(x) if n > m else (x, None)
        square_ = triu(rows(packed, 0, m)) if n > m else x
        d, e, left, right = bidiagonalised(square_)
        zero = reshape(d, (*lead, m, 1))
        beside = reshape(join(zero, reshape(e, (*lead, m, 1)), axis=-1), (*lead, 2 * m))
        w, q = diagonalised(zeros(beside), beside)
        greatest = slice_axis(w, w.ndim - 1, m, 2 * m)
        s = mul(maximum(ReverseOp.bind(greatest, dimensions=(w.ndim - 1,)), 0.0), spread(column_of(scale), greatest))
        if not compute_uv:
            return (s,)
        q = ReverseOp.bind(columns(q, m, 2 * m), dimensions=(q.ndim - 1,))
        q = reshape(q, (*lead, m, 2, m))
        known = is_finite(scale)

        def halves(which: int) -> Node:
            part = reshape(slice_axis(q, q.ndim - 2, which, which + 1), (*lead, m, m))
            part = where(spread(column_of(column_of(known)), part), part, float("nan"))
            return like(_orthonormal(part), x)

        v = halves(0)
        if m > 1:
            inner, factors = right
            v = join(
                rows(v, 0, 1), reflected(columns(rows(inner, 1, m), 0, m - 1), factors, rows(v, 1, m), False), axis=-2
            )
        u = reflected(*left, halves(1), False)
        if tau is not None:
            u = reflected(packed, tau, widened(u, n, m), False)
            if full_matrices:
                u = join(u, reflected(packed, tau, columns(eye(lead, n, n, x), m, n), False), axis=-1)
        return s, u, adjoint(v)


def bidiagonalised(x: Node) -> tuple[Node, Node, tuple[Node, Node], tuple[Node, Node]]:
    """Of square x = P b Qᴴ the diagonal of b, what is above it (and one more element), and the reflections of P (packed, and their factors) and of Q, as in
    `eigh.tridiagonalised`.
    """
    *lead, n, _ = x.shape
    part = x.dtype.part

    def step(k: Node, x: Node, left: Node, right: Node, taus: Node, d: Node, e: Node) -> tuple[Node, ...]:
        u, tau, beta = reflection(swap(picked(x, -1, k)), k)
        along = mul(spread(conj(tau), u), matmul(conj(u), x))
        v, other, gamma = reflection(conj(sub(picked(x, -2, k), along)), plus(k, 1))
        v = where(compare(column_index(v), "gt", k), v, 0.0)
        column, turned = swap(u), swap(v)
        across = sub(matmul(x, turned), mul(column, spread(matmul(along, turned), column)))
        across = mul(spread(other, across), across)
        x = sub(sub(x, mul(spread(column, x), spread(along, x))), mul(spread(across, x), spread(conj(v), x)))
        taus = put(taus, join(tau, other, axis=-2), -1, k)
        return x, put(left, u, -2, k), put(right, v, -2, k), taus, put(d, real(beta), -1, k), put(e, real(gamma), -1, k)

    line = zeros(aval((*lead, 1, n), part))
    _, left, right, taus, d, e = fori(n, step, x, zeros(x), zeros(x), zeros(aval((*lead, 2, n), x.dtype)), line, line)
    first, second = (reshape(rows(taus, k, k + 1), (*lead, n)) for k in (0, 1))
    second = slice_axis(second, len(lead), 0, n - 1)
    return reshape(d, (*lead, n)), reshape(e, (*lead, n)), (swap(left), first), (swap(right), second)


def _orthonormal(x: Node) -> Node:
    """The columns of x, made orthonormal one after the other: the reflections that triangularise them reproduce them but for their signs, and go on where there are none."""
    packed, tau = reflections(x)
    sign = where(compare(diagonal(packed), "lt", 0.0), -1.0, 1.0, like=x)
    return mul(product(packed, tau, x.shape[-1]), spread(row_of(sign), x))

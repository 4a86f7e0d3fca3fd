"""QR by Householder reflections, as LAPACK normalises them (R's diagonal has the sign opposite to the column's leading element).

A loop over panels of columns, as for LU. The product of k reflections I - tau v vᴴ is I - V T Vᴴ, where 1/T's upper triangle is that of VᴴV and its diagonal that of
1/tau, so that T solves a triangular system with I + diag(tau) triu(VᴴV, 1) (T. Joffrain, T. M. Low, E. S. Quintana-Ortí, R. van de Geijn, F. G. Van Zee,
"Accumulating Householder transformations, revisited", 2006).

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
    slice_axis,
    sqrt,
    square,
    sub,
    where,
    zero_of,
)
from weft.dialects.array.ops.matrices import (
    MatrixOp,
    adjoint,
    check_matrix,
    column_index,
    column_of,
    columns,
    conj,
    eye,
    fori,
    head,
    join,
    like,
    matmul,
    norm_square,
    panels,
    picked,
    put,
    real,
    row_index,
    row_of,
    rows,
    scaled,
    spread,
    swap,
    tril,
    triu,
    widened,
    window,
)
from weft.dialects.array.ops.triangular import TriangularSolveOp, substituted
from weft.dialects.dtypes import int32

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
        x, scale = scaled(x)  # squares of what is far from 1 are too large or nothing
        packed, tau = reflections(x)
        r = triu(packed if k == n else rows(packed, 0, k))
        r = mul(r, like(spread(column_of(column_of(scale)), r), r))
        return product(columns(packed, 0, min(n, m)), tau, k), r


def reflections(x: Node) -> tuple[Node, Node]:
    """R on and above the diagonal, below it the vectors of the reflections, and their factors tau (LAPACK: geqrf)."""
    *lead, n, m = x.shape
    k = min(n, m)
    h = head(k)
    count, width = panels(h)
    if count == 1 and m == k:
        packed, tau = _reduced(swap(x), zero_of(int32))
        return swap(packed), tau
    high = count * width
    x = widened(x, max(n, high), max(m, high))

    def step(k: Node, x: Node, taus: Node) -> tuple[Node, ...]:
        at = mul(k, width)
        panel, tau = _reduced(swap(window(x, -1, at, width)), at)
        panel = swap(panel)
        v = _vectors(panel, at)
        weights = matmul(adjoint(_triangle(v, tau)), matmul(adjoint(v), x))
        right = compare(column_index(weights), "ge", plus(at, width))
        x = sub(x, matmul(v, where(right, weights, 0.0)))
        return put(x, panel, -1, at), put(taus, row_of(tau), -1, at)

    x, taus = fori(count, step, x, zeros(aval((*lead, 1, high), x.dtype)))
    x, tau = columns(rows(x, 0, n), 0, m), reshape(columns(taus, 0, h), (*lead, h))
    if h == k:
        return x, tau
    corner, further = reflections(columns(rows(x, h, n), h, m))
    below = join(columns(rows(x, h, n), 0, h), corner, axis=-1)
    return join(rows(x, 0, h), below, axis=-2), join(tau, further, axis=-1)


def _vectors(packed: Node, at: Node) -> Node:
    """The vectors of the reflections whose first one begins in row `at`: ones there, zeros above."""
    diagonal = plus(column_index(packed), at)
    row = row_index(packed)
    return where(compare(row, "gt", diagonal), packed, where(compare(row, "eq", diagonal), 1.0, 0.0, like=packed))


def _triangle(v: Node, tau: Node) -> Node:
    """T of the product I - v T vᴴ of reflections."""
    *lead, k = tau.shape
    gram = triu(matmul(adjoint(v), v), 1)
    scale = spread(column_of(tau), gram)
    return substituted(mul(scale, gram), mul(scale, eye(lead, k, k, tau)), False, True)


def reflected(packed: Node, tau: Node, c: Node, transposed: bool = True) -> Node:
    """Qᴴ c (or Q c) of the product Q of the reflections that `packed` holds, a panel of them at once."""
    n, m = packed.shape[-2:]
    h = head(m)
    if h < m:  # what the later reflections change lies below
        rest = columns(rows(packed, h, n), h, m), slice_axis(tau, tau.ndim - 1, h, m)
        packed, tau = columns(packed, 0, h), slice_axis(tau, tau.ndim - 1, 0, h)
        if transposed:
            c = reflected(packed, tau, c)
        c = join(rows(c, 0, h), reflected(*rest, rows(c, h, n), transposed), axis=-2)
        return c if transposed else reflected(packed, tau, c, False)
    count, width = panels(m)
    if not c.aval.size or not count:
        return c
    size = count * width
    packed, tau = widened(packed, n, size), widened(row_of(tau), 1, size)

    def step(k: Node, c: Node) -> tuple[Node]:
        at = mul(k if transposed else sub(count - 1, k), width)
        v, factors = _vectors(window(packed, -1, at, width), at), window(tau, -1, at, width)
        triangle = _triangle(v, reshape(factors, (*factors.shape[:-2], width)))
        triangle = adjoint(triangle) if transposed else triangle
        return (sub(c, matmul(v, matmul(triangle, matmul(adjoint(v), c)))),)

    return fori(count, step, c)[0]


def product(packed: Node, tau: Node, k: int) -> Node:
    """The first k columns of the product of reflections (LAPACK: orgqr)."""
    *lead, n, _ = packed.shape
    return reflected(packed, tau, eye(lead, n, k, packed), transposed=False)


def reflection(x: Node, k: Node) -> tuple[Node, Node, Node]:
    """Of rows x, the reflections that take what stands behind the k-th element to zero: the vector (1 in its k-th place, 0 before it), tau, and beta, what the k-th
    element becomes. All have the rank of x.
    """
    place = column_index(x)
    x, scale = scaled(where(compare(place, "ge", k), x, 0.0))  # the squares of what is left may be too small
    alpha = picked(x, -1, k)
    tail = where(compare(place, "gt", k), x, 0.0)
    first = real(alpha)
    size = reshape(reduce(norm_square(tail), "add", (x.ndim - 1,)), alpha.shape)
    size = plus(size, norm_square(sub(alpha, like(first, alpha))))
    length = sqrt(plus(square(first), size))
    none = compare(size, "eq", 0.0)  # nothing to reflect
    beta = like(where(none, first, where(compare(first, "ge", 0.0), neg(length), length)), alpha)
    tau = where(none, 0.0, div(sub(beta, alpha), where(none, 1.0, beta)))
    v = div(tail, spread(where(none, 1.0, sub(alpha, beta)), tail))
    beta = mul(beta, like(column_of(column_of(scale)), beta))
    return where(compare(place, "eq", k), 1.0, v), tau, beta


def _reduced(x: Node, at: Node) -> tuple[Node, Node]:
    """Columns that begin in row `at`, given and found transposed: one reflection after the other takes its column to a multiple of the unit vector, and is applied to
    those to the right of it. What is above stays. Also the factors tau.
    """
    *lead, m, _ = x.shape
    column, row = row_index(x), column_index(x)
    place = iota((*lead, m), len(lead))

    def step(j: Node, x: Node, taus: Node) -> tuple[Node, ...]:
        k = plus(j, at)
        here = picked(x, -2, j)
        v, tau, beta = reflection(here, k)
        along = matmul(x, swap(conj(v)))
        weights = mul(spread(conj(tau), along), along)
        changed = sub(x, mul(spread(weights, x), spread(v, x)))
        stored = where(compare(row, "gt", k), spread(v, x), where(compare(row, "eq", k), spread(beta, x), x))
        x = where(compare(column, "gt", j), changed, where(compare(column, "eq", j), stored, x))
        factor = broadcast(reshape(tau, lead), place.shape, range(len(lead)))
        return x, where(compare(place, "eq", j), factor, taus)

    out = fori(m, step, x, zeros(aval((*lead, m), x.dtype)))
    return out[0], out[1]

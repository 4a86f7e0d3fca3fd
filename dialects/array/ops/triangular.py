"""Triangular systems, and the factorisation of positive definite matrices into two triangular ones.

Both go in blocks of `BLOCK` rows or columns, and look back: a block is what was given less a product of the known ones with what belongs to them; then its own rows or columns are
eliminated one by one.

Derivative of the Cholesky factor: I. Murray, "Differentiation of the Cholesky decomposition", 2016 (arXiv 1602.07527).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import broadcast, full, move_axis, zeros
from weft.dialects.array.ops.algebra import (
    compare,
    div,
    iota,
    logical_and,
    mul,
    neg,
    plus,
    reduce,
    reshape,
    sqrt,
    sub,
    where,
)
from weft.dialects.array.ops.matrices import (
    MatrixOp,
    adjoint,
    check_matrix,
    column_index,
    columns,
    conj,
    diagonal,
    each_matrix,
    fori,
    head,
    hermitian,
    join,
    like,
    matmul,
    panels,
    picked,
    put,
    real,
    row_index,
    rows,
    spread,
    swap,
    tril,
    triu,
    widened,
    window,
)
from weft.dialects.array.ops.shape import Dims

Maybe = Node | None


@irdl_op_definition
class TriangularSolveOp(MatrixOp):
    """The matrix x with op(a) x = b (`left_side`) or x op(a) = b, where only the lower or the upper triangle of a is read (and
    taken to have a `unit_diagonal`), and op may transpose and conjugate it.

    %x = array.triangular_solve %a, %b left_side true lower true transpose_a false conjugate_a false unit_diagonal false : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>

    JAX: `lax.linalg.triangular_solve`.
    """

    name = "array.triangular_solve"

    a = operand_def(TensorType)
    b = operand_def(TensorType)
    left_side = prop_def()
    lower = prop_def()
    transpose_a = prop_def()
    conjugate_a = prop_def()
    unit_diagonal = prop_def()

    @classmethod
    def infer(
        cls,
        a: Aval,
        b: Aval,
        *,
        left_side: bool,
        lower: bool,
        transpose_a: bool,
        conjugate_a: bool,
        unit_diagonal: bool,
    ) -> Aval:
        name = "triangular_solve"
        check_matrix(name, a, square=True)
        check_matrix(name, b)
        if a.dtype is not b.dtype:
            raise TypeError(f"{name} requires arguments of equal dtypes, got {a.dtype} and {b.dtype}.")
        if a.ndim != b.ndim or a.shape[:-2] != b.shape[:-2]:
            raise TypeError(
                f"{name} requires both arguments to have the same number of dimensions and equal batch dimensions, got {a.shape} and {b.shape}."
            )
        if a.shape[-1] != b.shape[-2 if left_side else -1]:
            side = "rows" if left_side else "columns"
            raise ValueError(f"Incompatible shapes for {name}: a {a.shape} needs as many {side} in b, got {b.shape}.")
        return aval(b.shape, b.dtype)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node, **params: Any) -> Maybe:
        (a, _), (da, db) = primals, tangents
        if da is None:
            return None if db is None else cls.bind(a, db, **params)
        da = (tril if params["lower"] else triu)(da, (-1 if params["lower"] else 1) * params["unit_diagonal"])
        if params["conjugate_a"]:
            da = conj(da)
        if params["transpose_a"]:
            da = swap(da)
        change = neg(matmul(da, out) if params["left_side"] else matmul(out, da))
        return cls.bind(a, change if db is None else plus(db, change), **params)

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], **params: Any) -> list[Maybe]:
        return [None, cls.bind(args[0], ct, **{**params, "transpose_a": not params["transpose_a"]})]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        (a, b), (da, db) = args, dims
        if da is not None or b.ndim > 3:
            return super().batch(size, args, dims, **params)
        # one matrix for all: the examples are further columns (or rows)
        place = 1 if params["left_side"] else 0
        many = move_axis(b, db, place) if db is not None else b
        shape = many.shape
        flat = (shape[0], size * shape[2]) if place else (size * shape[1], shape[2])
        return reshape(cls.bind(a, reshape(many, flat), **params), shape), place

    @staticmethod
    def reference(
        np: Any,
        a: Any,
        b: Any,
        *,
        left_side: bool,
        lower: bool,
        transpose_a: bool,
        conjugate_a: bool,
        unit_diagonal: bool,
    ) -> Any:
        a = np.conj(a) if conjugate_a else a
        if transpose_a:
            a, lower = a.mT, not lower
        if not left_side:
            a, lower, b = a.mT, not lower, b.mT
        x = np.zeros_like(b)
        n = a.shape[-1]
        for k in range(n) if lower else reversed(range(n)):
            known = slice(0, k) if lower else slice(k + 1, n)
            rest = b[..., k, :] - (a[..., k : k + 1, known] @ x[..., known, :])[..., 0, :]
            x[..., k, :] = rest if unit_diagonal else rest / a[..., k, k, None]
        return x if left_side else x.mT

    @classmethod
    def decompose(
        cls,
        a: Node,
        b: Node,
        *,
        left_side: bool,
        lower: bool,
        transpose_a: bool,
        conjugate_a: bool,
        unit_diagonal: bool,
    ) -> Node:
        a = conj(a) if conjugate_a else a
        if transpose_a is left_side:
            a, lower = swap(a), not lower
        x = solve_lower_or_upper(a, b if left_side else swap(b), lower, unit_diagonal)
        return x if left_side else swap(x)


def solve_lower_or_upper(a: Node, b: Node, lower: bool, unit: bool) -> Node:
    """a x = b: a block of rows of x after the other, from b and the rows that are known."""
    if not b.aval.size:
        return b
    n, m = b.shape[-2:]
    h = head(n)
    if h < n:
        ends = ((0, h), (h, n)) if lower else ((h, n), (0, h))
        (first, last), (start, limit) = ends
        known = solve_lower_or_upper(columns(rows(a, first, last), first, last), rows(b, first, last), lower, unit)
        rest = sub(rows(b, start, limit), matmul(columns(rows(a, start, limit), first, last), known))
        found = solve_lower_or_upper(columns(rows(a, start, limit), start, limit), rest, lower, unit)
        return join(*((known, found) if lower else (found, known)), axis=-2)
    count, width = panels(n)
    if count == 1:
        return substituted(a, b, lower, unit)
    size = count * width
    a, b = widened(a, size, size), widened(b, size, m)
    place = iota((*a.shape[:-2], width, size), a.ndim - 1)

    def step(k: Node, x: Node) -> tuple[Node]:
        at = mul(k if lower else sub(count - 1, k), width)
        band = window(a, -2, at, width)
        known = compare(place, "lt", at) if lower else compare(place, "ge", plus(at, width))
        rest = sub(window(b, -2, at, width), matmul(where(known, band, 0.0), x))
        own = window(band, -1, at, width)
        if size > n and not unit:  # rows that are not there
            beyond = compare(plus(row_index(own), at), "ge", n)
            own = where(logical_and(beyond, compare(row_index(own), "eq", column_index(own))), 1.0, own)
        return (put(x, substituted(own, rest, lower, unit), -2, at),)

    return rows(fori(count, step, zeros(b))[0], 0, n)


def substituted(a: Node, b: Node, lower: bool, unit: bool) -> Node:
    """a x = b: one row of x after the other, which is then taken from those to come."""
    n, place = a.shape[-1], row_index(b)

    def step(k: Node, x: Node) -> tuple[Node]:
        k = k if lower else sub(n - 1, k)
        known = picked(x, -2, k)
        column = picked(a, -1, k)
        if not unit:
            known = div(known, spread(picked(column, -2, k), known))
        known = spread(known, x)
        changed = sub(x, mul(spread(column, x), known))
        ahead = compare(place, "gt" if lower else "lt", k)
        return (where(ahead, changed, where(compare(place, "eq", k), known, x)),)

    return fori(n, step, b)[0]


@irdl_op_definition
class CholeskyOp(MatrixOp):
    """The lower triangular l with l lᴴ = x, of which only the lower triangle is read; NaN if x is not positive definite.

    %l = array.cholesky %x : tensor<4x4xf32>

    JAX: `lax.linalg.cholesky` (without its symmetrisation).
    """

    name = "array.cholesky"

    x = operand_def(TensorType)

    @classmethod
    def infer(cls, x: Aval) -> Aval:
        check_matrix("cholesky", x, square=True)
        return aval(x.shape, x.dtype)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node) -> Maybe:
        (dx,) = tangents
        if dx is None:
            return None
        dx = hermitian(dx)
        solve = {"lower": True, "unit_diagonal": False}
        half = TriangularSolveOp.bind(out, dx, left_side=False, transpose_a=True, conjugate_a=True, **solve)
        whole = TriangularSolveOp.bind(out, half, left_side=True, transpose_a=False, conjugate_a=False, **solve)
        on_diagonal = compare(row_index(whole), "eq", column_index(whole))
        return matmul(out, tril(where(on_diagonal, mul(whole, 0.5), whole)))

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        return np.tril(each_matrix(np, np.linalg.cholesky, x, [x.shape[-2:]])[0])

    @classmethod
    def decompose(cls, x: Node) -> Node:
        if not x.aval.size:
            return x
        found = tril(_cholesky(x))
        definite = compare(real(diagonal(found)), "gt", 0.0)
        every = reduce(definite, "and", (definite.ndim - 1,))
        good = broadcast(every, x.shape, range(every.ndim))
        return where(good, found, tril(full(float("nan"), x.aval)))


def _cholesky(x: Node) -> Node:
    """The factor in the lower triangle; something else above it. A panel of columns is what it was less the product of those before it, then eliminated."""
    n = x.shape[-1]
    h = head(n)
    count, width = panels(h)
    if count == 1:
        return _root(x)
    high, wide = max(n, count * width), count * width
    x = widened(x, high, max(n, wide))

    def step(k: Node, out: Node) -> tuple[Node]:
        at = mul(k, width)
        panel = sub(window(x, -1, at, width), matmul(out, adjoint(window(out, -2, at, width))))
        own = window(panel, -2, at, width)
        if wide > h:  # columns that are not there
            beyond = compare(plus(row_index(own), at), "ge", h)
            own = where(logical_and(beyond, compare(row_index(own), "eq", column_index(own))), 1.0, own)
        below = swap(substituted(conj(_root(own)), swap(panel), True, False))
        return (put(out, where(compare(row_index(below), "ge", at), below, 0.0), -1, at),)

    out = columns(rows(fori(count, step, zeros(columns(x, 0, wide)))[0], 0, n), 0, h)
    if h == n:
        return out
    below = rows(out, h, n)
    corner = sub(columns(rows(x, h, n), h, n), matmul(below, adjoint(below)))
    beside = zeros(aval((*x.shape[:-2], h, n - h), x.dtype))
    return join(join(rows(out, 0, h), beside, axis=-1), join(below, _cholesky(corner), axis=-1), axis=-2)


def _root(x: Node) -> Node:
    """The factor, one column after the other. Of the diagonal's elements the real parts are taken."""
    row, column = row_index(x), column_index(x)

    def step(k: Node, x: Node) -> tuple[Node]:
        left = picked(x, -1, k)
        pivot = real(picked(left, -2, k))
        left = spread(left, x)
        here = spread(conj(swap(picked(x, -1, k))), x)
        right = logical_and(compare(column, "gt", k), compare(row, "gt", k))
        changed = sub(x, div(mul(left, here), like(spread(pivot, x), x)))
        root = sqrt(pivot)
        scaled = where(compare(row, "eq", k), like(spread(root, x), x), div(left, like(spread(root, x), x)))
        return (where(right, changed, where(compare(column, "eq", k), scaled, x)),)

    return fori(x.shape[-1], step, x)[0]

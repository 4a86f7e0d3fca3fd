"""Eigenvalues of Hermitian matrices and singular values, by Jacobi's rotations: accurate, simple, and parallel.

One round rotates n/2 disjoint pairs of columns at once, each by the angle that makes the pair orthogonal; then columns are dealt anew, so that after n - 1
rounds (a sweep) each has met each other and all are back in their places (R. Brent, F. Luk, "The solution of singular-value and symmetric eigenvalue problems on
multiprocessor arrays", 1985). Column i < n/2 is paired with column i + n/2, so that a round is a few operations on whole matrices.

- `eigh` rotates rows and columns of the matrix itself (two-sided) until nothing is left beside its diagonal.
- `svd` rotates the columns of R*, where x = Q R (one-sided: M. Hestenes, 1958). Starting from R* takes few sweeps, and finds small singular values of ill-conditioned
  matrices to high relative accuracy (Z. Drmač, K. Veselić, "New fast and accurate Jacobi SVD algorithm", 2008).

Derivatives: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008; for rectangular matrices J. Townsend,
"Differentiating the singular value decomposition", 2016. Where values are equal they are infinite or NaN for vectors of `eigh`, and finite for `svd`, as in JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt as sqrt_of
from typing import Any, NamedTuple

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_result_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import broadcast, full, literal, zeros
from weft.dialects.array.ops.algebra import (
    absolute,
    compare,
    div,
    iota,
    logical_and,
    maximum,
    mul,
    neg,
    pad,
    plus,
    reduce,
    reshape,
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
    diagonal,
    each_matrix,
    eye,
    fori,
    hermitian,
    join,
    like,
    matmul,
    norm_square,
    real,
    repeat,
    row_index,
    row_of,
    rows,
    spread,
    take,
    take_columns,
)
from weft.dialects.array.ops.qr import product, reflected, reflections
from weft.dialects.array.ops.sorting import ArgsortOp
from weft.dialects.dtypes import int32

Maybe = Node | None

SWEEPS = 30
"""Sweeps after which we stop in any case. Most matrices need 6 to 12: convergence is quadratic at the end."""

EPS = {32: 2.0**-23, 64: 2.0**-52}


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
        a = hermitian(x)
        size = n + n % 2  # an odd one out is paired with a column of zeros, which nothing rotates
        a = pad(a, 0.0, (0,) * a.ndim, (*(0,) * len(lead), size - n, size - n))
        last, pairing = a.ndim - 1, _pairing(size)

        def round(_: Node, a: Node, v: Node) -> tuple[Node, Node]:
            half = size // 2
            own = real(diagonal(a))
            cross = diagonal(columns(a, half, size))
            turn = _rotation(_part(own, 0), _part(own, 1), cross)
            a = _turned(_turned(a, -1, pairing, *turn), -2, pairing, *(conj(t) for t in turn))
            return a, _turned(v, -1, pairing, *turn)

        whole = a

        enough = (
            EPS[x.dtype.part.bits] * (1 + 0.5 * sqrt_of(n))
        ) ** 2  # what products of matrices leave beside the diagonal
        matrix = (last - 1, last)

        def unfinished(count: Node, a: Node, v: Node) -> Node:
            sizes = norm_square(a)
            beside = reduce(where(compare(row_index(a), "eq", column_index(a)), 0.0, sizes), "add", matrix)
            most = compare(beside, "gt", mul(reduce(sizes, "add", matrix), enough))
            return logical_and(compare(count, "lt", SWEEPS), reduce(most, "or", range(most.ndim)))

        def sweep(count: Node, a: Node, v: Node) -> tuple[Node, ...]:
            v = _orthonormal(fori(size - 1, round, a, v)[1])
            return plus(count, 1), matmul(adjoint(v), matmul(whole, v)), v

        _, a, v = repeat(unfinished, sweep, literal(0, int32), a, eye(lead, size, size, x))
        w = real(diagonal(columns(rows(a, 0, n), 0, n)))
        order = ArgsortOp.bind(w, axis=w.ndim - 1)
        sorted_w = reshape(take_columns(row_of(w), order), w.shape)
        return take_columns(columns(rows(v, 0, n), 0, n), order), sorted_w


def _orthonormal(v: Node) -> Node:
    """Nearly orthonormal columns made more so (one step of Newton's iteration for the polar decomposition)."""
    n = v.shape[-1]
    gram = matmul(adjoint(v), v)
    return matmul(v, sub(mul(eye(v.shape[:-2], n, n, v), 1.5), mul(gram, 0.5)))


def _part(x: Node, which: int) -> Node:
    """The first or the second half of the last axis."""
    half = x.shape[-1] // 2
    return columns(x, which * half, which * half + half)


def _rotation(alpha: Node, beta: Node, gamma: Node) -> tuple[Node, ...]:
    """Of the smaller angle that makes [[alpha, gamma], [gamma*, beta]] diagonal: -sin and sin (with gamma's phase, conjugate and as it is), and both divided by 1 + cos."""
    size = absolute(gamma)
    none = compare(size, "eq", 0.0)
    tau = div(sub(beta, alpha), where(none, 1.0, mul(size, 2.0)))
    far = compare(
        absolute(tau), "gt", 1e18 if tau.dtype.bits > 32 else 1e9
    )  # its square is too large, or 1 is nothing beside it
    root = where(far, absolute(tau), sqrt(plus(square(where(far, 0.0, tau)), 1.0)))
    tan = div(where(compare(tau, "lt", 0.0), -1.0, 1.0, like=tau), plus(absolute(tau), root))
    tan = where(none, 0.0, tan)
    cos = div(full(1, tan), sqrt(plus(square(tan), 1.0)))
    sin = mul(tan, cos)
    ratio = div(sin, plus(cos, 1.0))
    phase = where(none, 1.0, div(gamma, like(where(none, 1.0, size), gamma)))
    return tuple(join(neg(mul(like(t, phase), conj(phase))), mul(like(t, phase), phase), axis=-1) for t in (sin, ratio))


class _Pairing(NamedTuple):
    """How columns are dealt anew after a round: the first stays, the others move one place around the table."""

    new: Node
    """Which column comes here."""
    partner: Node
    """Which one that was paired with."""


def _pairing(n: int) -> _Pairing:
    place, half = iota((n,), 0), n // 2
    around = where(compare(place, "lt", half), sub(place, 1), plus(place, 1))
    around = where(compare(place, "eq", n - 1), half - 1, where(compare(place, "eq", 1), half, around))
    new = where(compare(place, "eq", 0), 0, around) if n > 2 else place
    return _Pairing(new, where(compare(new, "lt", half), plus(new, half), sub(new, half)))


def _turned(x: Node, axis: int, pairing: _Pairing, sin: Node, ratio: Node) -> Node:
    """Rows (axis -2) or columns (-1) rotated in pairs, and dealt anew. A rotation is x + f (partner - r* x), for f = -sin and +sin of the two, and
    r = f / (1 + cos): so its error is small where the angle is."""
    line = row_of if axis == -1 else column_of

    def factor(t: Node) -> Node:
        return spread(line(take(t, pairing.new, -1)), x)

    own, other = take(x, pairing.new, axis), take(x, pairing.partner, axis)
    return plus(own, mul(factor(sin), sub(other, mul(factor(conj(ratio)), own))))


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
        packed, tau = reflections(x)
        r = rows(packed, 0, m)
        r = where(compare(row_index(r), "le", column_index(r)), r, zeros(r))
        left, s, right = _one_sided(adjoint(r), compute_uv)
        if not compute_uv:
            return (s,)
        wide = n if full_matrices else m
        below = pad(right, 0.0, (0,) * right.ndim, (*(0,) * len(lead), n - m, 0))
        u = reflected(packed, tau, below, transposed=False)
        if wide > m:
            rest = eye(lead, n, n, x)
            u = join(u, reflected(packed, tau, columns(rest, m, n), transposed=False), axis=-1)
        return s, u, adjoint(left)


def _one_sided(y: Node, vectors: bool) -> tuple[Node, Node, Node]:
    """u, s, w of y w = u diag(s), for square y."""
    *lead, _, n = y.shape
    size = n + n % 2
    y = pad(y, 0.0, (0,) * y.ndim, (*(0,) * len(lead), 0, size - n))
    last, pairing = y.ndim - 1, _pairing(size)

    whole = y
    eps = EPS[y.dtype.part.bits]
    enough = (eps * (12 + sqrt_of(n))) ** 2
    noise = mul(reduce(norm_square(y), "add", (last - 1, last)), eps**2 * n)  # columns of this length have no direction

    def round(_: Node, y: Node, w: Node, worst: Node) -> tuple[Node, ...]:
        p, q = _part(y, 0), _part(y, 1)
        alpha, beta = (reduce(norm_square(t), "add", (last - 1,)) for t in (p, q))
        gamma = reduce(mul(conj(p), q), "add", (last - 1,))
        least = broadcast(noise, alpha.shape, range(noise.ndim))
        told = logical_and(compare(alpha, "gt", least), compare(beta, "gt", least))
        cosine = div(norm_square(gamma), where(told, mul(alpha, beta), 1.0))
        worst = maximum(worst, reduce(where(told, cosine, 0.0), "max", range(cosine.ndim)))
        turn = _rotation(alpha, beta, gamma)
        return _turned(y, -1, pairing, *turn), _turned(w, -1, pairing, *turn), worst

    def unfinished(count: Node, worst: Node, y: Node, w: Node) -> Node:
        return logical_and(compare(count, "lt", SWEEPS), compare(worst, "gt", enough))

    def sweep(count: Node, worst: Node, y: Node, w: Node) -> tuple[Node, ...]:
        _, w, worst = fori(size - 1, round, y, w, zero_of(noise))
        w = _orthonormal(w)
        return plus(count, 1), worst, matmul(whole, w), w

    start = literal(0, int32), literal(1.0, noise.dtype), y, eye(lead, size, size, y)
    _, _, y, w = repeat(unfinished, sweep, *start)
    y = columns(y, 0, n)
    s = sqrt(reduce(norm_square(y), "add", (last - 1,)))
    order = ArgsortOp.bind(neg(s), axis=last - 1)
    s = reshape(take_columns(row_of(s), order), s.shape)
    if not vectors:
        return y, s, y
    u = take_columns(y, order)
    return _completed(u, s), s, take_columns(columns(rows(w, 0, n), 0, n), order)


def _completed(u: Node, s: Node) -> Node:
    """Orthonormal columns: those of u by their lengths s, and where these are zero any that are orthogonal to the rest.

    Reflections that triangularise orthonormal columns reproduce them but for their signs, and go on where there are none.
    """
    zero = compare(s, "eq", 0.0)
    scale = like(spread(row_of(where(zero, 1.0, s)), u), u)
    packed, tau = reflections(div(u, scale))
    sign = where(compare(real(diagonal(packed)), "lt", 0.0), -1.0, 1.0, like=s)
    return mul(product(packed, tau, u.shape[-1]), like(spread(row_of(sign), u), u))

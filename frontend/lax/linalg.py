"""Factorisations of matrices in the last two axes (`jax.lax.linalg`): strict, as all of `weft.lax` is. `weft.numpy.linalg` and `weft.scipy.linalg` are written with these."""

from __future__ import annotations

from enum import Enum
from typing import Any

from weft.array import Array, lift, wrap
from weft.dialects.array import ops
from weft.dialects.array.node import Node, aval
from weft.dialects.array.op import move_axis, zeros
from weft.dialects.array.ops import lu as lu_rules
from weft.dialects.array.ops import matrices
from weft.dialects.array.ops import qr as qr_rules
from weft.dialects.array.ops.algebra import compare, convert, iota, mul, plus, reshape, where
from weft.dialects.dtypes import int32
from weft.lax import loops
from weft.lax.base import ArrayLike
from weft.lax.nonsymmetric import eig, hessenberg, qdwh, schur, tridiagonal

__all__ = [
    "EigImplementation", "EighImplementation", "SvdAlgorithm", "cholesky", "cholesky_update", "eig", "eigh", "geqrf", "hessenberg", "householder_product", "lu", "lu_pivots_to_permutation", "ormqr",
    "qdwh", "qr", "schur", "svd", "symmetric_product", "triangular_solve", "tridiagonal", "tridiagonal_solve",
]  # fmt: skip


def _matrix(name: str, x: ArrayLike, square: bool = False) -> Node:
    """The operand. Raises TypeError unless it holds matrices of a dtype that is computed with, ValueError unless they are as square as is asked for."""
    node = lift(x)
    matrices.check_matrix(name, node.aval, square)
    return node


def _hermitian(name: str, x: ArrayLike, symmetrize: bool) -> Node:
    """The operand, or half its sum with its adjoint. Raises TypeError where there is no such sum."""
    node = _matrix(name, x, square=not symmetrize)
    if not symmetrize:
        return node
    if node.shape[-1] != node.shape[-2]:
        raise TypeError(f"{name} expects square matrices in the last two dimensions, got shape {node.shape}.")
    return mul(plus(node, matrices.adjoint(node)), 0.5)


class EigImplementation(Enum):
    """How JAX computes eigenvalues of general matrices. weft has one way, whichever is named."""

    CUSOLVER = "cusolver"
    MAGMA = "magma"
    LAPACK = "lapack"


class EighImplementation(Enum):
    """How JAX computes eigenvalues of Hermitian matrices. weft has one way, whichever is named."""

    QR = "qr"
    JACOBI = "jacobi"
    QDWH = "qdwh"


class SvdAlgorithm(Enum):
    """How JAX computes singular values. weft has one way, whichever is named."""

    DEFAULT = "default"
    QR = "QR"
    JACOBI = "Jacobi"
    POLAR = "polar"
    DIVIDE_AND_CONQUER = "divide_and_conquer"


def cholesky(x: ArrayLike, *, symmetrize_input: bool = True) -> Array:
    """The lower triangular factor l of a positive definite matrix x = l lᴴ, NaN for any other matrix. Reads the lower triangle of (x + xᴴ) / 2, or of x."""
    return wrap(ops.CholeskyOp.bind(_hermitian("cholesky", x, symmetrize_input)))


def cholesky_update(r_matrix: ArrayLike, w_vector: ArrayLike) -> Array:
    """The upper triangular factor of rᵀ r + w wᵀ, for an upper triangular r: what is left when reflections have taken w into r."""
    r, w = _matrix("cholesky_update", r_matrix, square=True), lift(w_vector)
    if w.shape != r.shape[:-1] or w.dtype is not r.dtype:
        raise ValueError(f"cholesky_update expects a vector of shape {r.shape[:-1]} and dtype {r.dtype}, got {w.aval}.")
    _, found = ops.QrOp.bind(matrices.join(matrices.triu(r), matrices.row_of(w), axis=-2), full_matrices=False)
    negative = compare(matrices.column_of(matrices.diagonal(found)), "lt", 0.0)
    return wrap(where(matrices.spread(negative, found), mul(found, -1.0), found))


def triangular_solve(
    a: ArrayLike,
    b: ArrayLike,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Array:
    """x with op(a) x = b (`left_side`) or x op(a) = b, for a triangular a; b may be a vector. The other triangle is not read."""
    x, y = _matrix("triangular_solve", a, square=True), lift(b)
    vector = y.ndim == x.ndim - 1
    if vector:
        y = matrices.column_of(y) if left_side else matrices.row_of(y)
    found = ops.TriangularSolveOp.bind(
        x, y, left_side=bool(left_side), lower=bool(lower), transpose_a=bool(transpose_a),
        conjugate_a=bool(conjugate_a and x.dtype.kind == "c"), unit_diagonal=bool(unit_diagonal),
    )  # fmt: skip
    return wrap(reshape(found, lift(b).shape) if vector else found)


def lu(x: ArrayLike) -> list[Array]:
    """`[packed, pivots, permutation]`: both triangular factors in one matrix, the pivots, and the permutation: x[permutation] = l u."""
    return [wrap(n) for n in ops.LuOp.bind(_matrix("lu", x))]


def lu_pivots_to_permutation(pivots: ArrayLike, permutation_size: int) -> Array:
    """The permutation that rows undergo when each is exchanged with its pivot, in turn."""
    node = lift(pivots)
    if not node.dtype.is_integer:
        raise TypeError(f"lu_pivots_to_permutation only accepts integer pivots, got {node.dtype}.")
    if not node.ndim:
        raise ValueError("lu_pivots_to_permutation expects at least one axis of pivots, got a scalar.")
    *lead, count = node.shape
    if permutation_size < count:
        raise ValueError(
            f"Output permutation size {permutation_size} has to exceed the trailing dimension of the pivots. Got pivots size {count}"
        )
    if permutation_size == 0 or not node.aval.size:
        return wrap(iota((*lead, permutation_size), len(lead)))
    column = matrices.column_of(convert(node, int32))

    def step(k: Node, permutation: Node) -> tuple[Node]:
        pivot = reshape(matrices.picked(column, -2, k), lead)
        return (lu_rules.exchanged(permutation, k, pivot),)

    return wrap(matrices.fori(count, step, iota((*lead, permutation_size), len(lead)))[0])


def qr(x: ArrayLike, *, pivoting: bool = False, full_matrices: bool = True, use_magma: bool | None = None) -> Any:
    """q and r with x = q r. Pivoting is not supported."""
    if pivoting:
        raise NotImplementedError("qr with pivoting=True is not supported: no device of weft's has pivoted QR.")
    q, r = ops.QrOp.bind(_matrix("qr", x), full_matrices=bool(full_matrices))
    return wrap(q), wrap(r)


def geqrf(x: ArrayLike) -> tuple[Array, Array]:
    """R on and above the diagonal, below it the vectors of the reflections, and their factors."""
    node = _matrix("geqrf", x)
    if not node.aval.size:
        return wrap(node), wrap(zeros(aval((*node.shape[:-2], min(node.shape[-2:])), node.dtype)))
    packed, taus = qr_rules.reflections(node)
    return wrap(packed), wrap(taus)


def householder_product(a: ArrayLike, taus: ArrayLike) -> Array:
    """The first columns, as many as a has, of the product of the reflections whose vectors stand below a's diagonal and whose factors are `taus`."""
    x, tau = _reflections("householder_product", a, taus)
    return wrap(qr_rules.product(matrices.columns(x, 0, tau.shape[-1]), tau, x.shape[-1]))


def ormqr(a: ArrayLike, taus: ArrayLike, c: ArrayLike, *, left: bool = True, transpose: bool = False) -> Array:
    """q c (or c q), q being the product of reflections (as for `householder_product`); of qᴴ if `transpose`."""
    x, tau = _reflections("ormqr", a, taus)
    y = _matrix("ormqr", c)
    if y.shape[-2 if left else -1] != x.shape[-2]:
        raise ValueError(f"ormqr expects a and c to agree in the size of q ({x.shape[-2]}), got c of shape {y.shape}.")
    packed = matrices.columns(x, 0, tau.shape[-1])
    if left:
        return wrap(qr_rules.reflected(packed, tau, y, bool(transpose)))
    return wrap(matrices.adjoint(qr_rules.reflected(packed, tau, matrices.adjoint(y), not transpose)))


def _reflections(name: str, a: ArrayLike, taus: ArrayLike) -> tuple[Node, Node]:
    x, tau = _matrix(name, a), lift(taus)
    if x.shape[-2] < x.shape[-1]:
        raise ValueError(f"{name} expects a matrix that is not wider than high, got shape {x.shape}.")
    if tau.ndim != x.ndim - 1 or tau.shape[:-1] != x.shape[:-2] or tau.shape[-1] > x.shape[-1]:
        raise ValueError(f"{name} expects at most one factor a column, got shapes {x.shape} and {tau.shape}.")
    return x, tau


def _subset(subset_by_index: tuple[int, int] | None, n: int) -> tuple[int, int]:
    start, stop = subset_by_index or (0, n)
    if not 0 <= start < stop <= n and (start, stop) != (0, n):
        raise ValueError(f"subset_by_index must be a range within [0, {n}), got {subset_by_index}.")
    return start, stop


def eigh(
    x: ArrayLike,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    implementation: Any = None,
) -> tuple[Array, Array]:
    """Eigenvectors (columns) and ascending eigenvalues of a Hermitian matrix: of (x + xᴴ) / 2, or of the matrix with x's lower (or upper) triangle."""
    node = _hermitian("eigh", x, symmetrize_input)
    if not symmetrize_input and not lower:
        node = matrices.adjoint(node)
    start, stop = _subset(subset_by_index, node.shape[-1])
    v, w = ops.EighOp.bind(node)
    return wrap(matrices.columns(v, start, stop)), wrap(matrices.columns(w, start, stop))


def svd(
    x: ArrayLike,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    algorithm: Any = None,
) -> Any:
    """u, s and vᴴ with x = u diag(s) vᴴ, the singular values descending; without `compute_uv` s alone."""
    node = _matrix("svd", x)
    start, stop = _subset(subset_by_index, min(node.shape[-2:]))
    if full_matrices and compute_uv and (start, stop) != (0, min(node.shape[-2:])):
        raise ValueError("full_matrices and subset_by_index cannot both be set.")
    s, *vectors = ops.SvdOp.bind(node, full_matrices=bool(full_matrices and compute_uv), compute_uv=bool(compute_uv))
    whole = (start, stop) == (0, s.shape[-1])
    s = s if whole else matrices.columns(s, start, stop)
    if not compute_uv:
        return wrap(s)
    u, vh = vectors if whole else (matrices.columns(vectors[0], start, stop), matrices.rows(vectors[1], start, stop))
    return wrap(u), wrap(s), wrap(vh)


def symmetric_product(
    a_matrix: ArrayLike, c_matrix: ArrayLike, *, alpha: float = 1.0, beta: float = 0.0, symmetrize_output: bool = False
) -> Array:
    """alpha a aᵀ + beta c."""
    a, c = _matrix("symmetric_product", a_matrix), _matrix("symmetric_product", c_matrix, square=True)
    if c.shape != (*a.shape[:-1], a.shape[-2]):
        raise ValueError(f"symmetric_product expects c of shape {(*a.shape[:-1], a.shape[-2])}, got {c.shape}.")
    return wrap(plus(mul(matrices.matmul(a, matrices.swap(a)), float(alpha)), mul(c, float(beta))))


def tridiagonal_solve(
    dl: ArrayLike, d: ArrayLike, du: ArrayLike, b: ArrayLike, *, perturb_singular: bool = False
) -> Array:
    """x with a x = b for tridiagonal a: d its diagonal, dl (whose first element is not read) below and du (whose last is not read) above it.

    By L. Thomas's elimination without interchanges: for matrices whose diagonal dominates, or that are positive definite.
    """
    lower, diagonal, upper, right = (wrap(lift(v)) for v in (dl, d, du, b))
    if (
        any(v.shape != diagonal.shape for v in (lower, upper))
        or right.ndim != diagonal.ndim + 1
        or right.shape[:-1] != diagonal.shape
    ):
        raise TypeError(
            f"tridiagonal_solve expects diagonals of one shape and b with one axis more, got {lower.shape}, {diagonal.shape}, {upper.shape} and {right.shape}."
        )
    if any(v.dtype != right.dtype for v in (lower, diagonal, upper)):
        raise TypeError("tridiagonal_solve requires arguments of equal dtypes.")
    if perturb_singular:
        raise NotImplementedError("tridiagonal_solve is implemented for perturb_singular=False.")
    if not right.size:
        return right
    axis = diagonal.ndim - 1
    lines = [_first(v, axis)[..., None] for v in (lower, diagonal, upper)]
    start = wrap(zeros(aval(right.shape[:-2] + right.shape[-1:], right.dtype)))
    ratio = wrap(zeros(aval((*right.shape[:-2], 1), right.dtype)))

    def eliminate(carry: Any, row: Any) -> Any:
        (ratio, known), (low, own, up, rhs) = carry, row
        pivot = own - low * ratio
        after = up / pivot, (rhs - low * known) / pivot
        return after, after

    lines[0] = lines[0].at[0].set(0)
    _, (ratios, known) = loops.scan(eliminate, (ratio, start), (*lines, _first(right, axis)))

    def substitute(x: Any, row: Any) -> Any:
        found = row[1] - row[0] * x
        return found, found

    _, found = loops.scan(substitute, start, (ratios, known), reverse=True)
    return wrap(move_axis(found._node, 0, axis))


def _first(x: Array, axis: int) -> Array:
    return wrap(move_axis(x._node, axis, 0))

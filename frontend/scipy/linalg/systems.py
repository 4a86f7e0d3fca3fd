"""Systems of equations and factorisations, by those of `weft.lax.linalg`."""

from __future__ import annotations

from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.lax import linalg as factor
from weft.lax.base import ArrayLike
from weft.numpy import linalg as dense

__all__ = [
    "cho_factor", "cho_solve", "cholesky", "det", "eigh", "eigh_tridiagonal", "hessenberg", "inv", "lu", "lu_factor", "lu_solve", "polar", "qr",
    "qr_multiply", "rsf2csf", "schur", "solve", "solve_triangular", "svd",
]  # fmt: skip


def _adjoint(x: Array) -> Array:
    return jnp.conj(jnp.matrix_transpose(x))


def cholesky(a: ArrayLike, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The Cholesky factor: upper triangular r with rᴴ r = a, or (`lower`) l with l lᴴ = a. Only that triangle of a is read."""
    (x,) = dense.inexact(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Argument to cholesky must have shape [..., n, n], got {x.shape}.")
    found = factor.cholesky(x if lower else _adjoint(x), symmetrize_input=False)
    return found if lower else _adjoint(found)


def cho_factor(
    a: ArrayLike, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, bool]:
    """The Cholesky factor and which triangle it is: what `cho_solve` takes."""
    return cholesky(a, lower), lower


def cho_solve(
    c_and_lower: tuple[ArrayLike, bool], b: ArrayLike, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """x with a x = b, given a's Cholesky factor."""
    c, lower = c_and_lower
    x, y = dense.inexact(c, b)
    first = solve_triangular(x, y, 0 if lower else 2, lower)
    return solve_triangular(x, first, 2 if lower else 0, lower)


def solve_triangular(
    a: ArrayLike,
    b: ArrayLike,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    debug: Any = None,
    check_finite: bool = True,
) -> Array:
    """x with a x = b for a triangular a; `trans` 1 or "T": aᵀ x = b, 2 or "C": aᴴ x = b. b is a vector or holds matrices."""
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"Invalid 'trans' value {trans}: expected 0, 1, 2, 'N', 'T' or 'C'.")
    x, y = dense.inexact(a, b)
    if x.ndim < 2:
        raise ValueError(f"solve_triangular expects matrices in the last two dimensions of a, got shape {x.shape}.")
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    lead = lax.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    found = factor.triangular_solve(
        jnp.broadcast_to(x, (*lead, *x.shape[-2:])), jnp.broadcast_to(y, (*lead, *y.shape[-2:])), left_side=True, lower=lower,
        transpose_a=trans not in (0, "N"), conjugate_a=trans in (2, "C"), unit_diagonal=unit_diagonal,
    )  # fmt: skip
    return found[..., 0] if vector else found


def solve(
    a: ArrayLike,
    b: ArrayLike,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    debug: bool = False,
    check_finite: bool = True,
    assume_a: str = "gen",
) -> Array:
    """x with a x = b, by LU; by Cholesky (of a's upper or lower triangle) if `assume_a` says "pos"."""
    if assume_a not in ("gen", "sym", "her", "pos"):
        raise ValueError(f"Expected assume_a to be one of ['gen', 'sym', 'her', 'pos']; got {assume_a!r}")
    return cho_solve(cho_factor(a, lower), b) if assume_a == "pos" else dense.solve(a, b)


def inv(a: ArrayLike, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The inverse."""
    return dense.inv(a)


def det(a: ArrayLike, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The determinant."""
    return dense.det(a)


def lu_factor(a: ArrayLike, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, Array]:
    """Both factors in one matrix, and the pivots: what `lu_solve` takes."""
    (x,) = dense.inexact(a)
    packed, pivots, _ = factor.lu(x)
    return packed, pivots


def lu_solve(
    lu_and_piv: tuple[ArrayLike, ArrayLike],
    b: ArrayLike,
    trans: int = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:
    """x with a x = b (`trans` 1: aᵀ x = b, 2: aᴴ x = b), given a's factors and pivots."""
    packed, y = dense.inexact(lu_and_piv[0], b)
    if trans not in (0, 1, 2):
        raise ValueError(f"'trans' value must be 0, 1, or 2, got {trans}")
    permutation = factor.lu_pivots_to_permutation(lu_and_piv[1], packed.shape[-1])
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    lead = lax.broadcast_shapes(packed.shape[:-2], y.shape[:-2])
    found = dense.lu_solved(
        jnp.broadcast_to(packed, (*lead, *packed.shape[-2:])),
        jnp.broadcast_to(permutation, (*lead, packed.shape[-1])),
        jnp.broadcast_to(y, (*lead, *y.shape[-2:])),
        trans,
    )
    return found[..., 0] if vector else found


def lu(a: ArrayLike, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """(p, l, u) with a = p l u; (p l, u) if `permute_l`."""
    (x,) = dense.inexact(a)
    packed, _, permutation = factor.lu(x)
    n, m = x.shape[-2:]
    k = min(n, m)
    lower = jnp.tril(packed[..., :k], -1) + jnp.eye(n, k, dtype=x.dtype)
    upper = jnp.triu(packed)[..., :k, :]
    p = jnp.equal(jnp.arange(n, dtype=permutation.dtype)[:, None], permutation[..., None, :])
    p = p.astype(jnp.real(x).dtype)
    return (jnp.matmul(p.astype(x.dtype), lower), upper) if permute_l else (p, lower, upper)


def qr(
    a: ArrayLike,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """(q, r) with a = q r; `mode` full, economic, or r: (r,). Pivoting is not supported."""
    (x,) = dense.inexact(a)
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"Unsupported QR decomposition mode '{mode}'")
    q, r = factor.qr(x, pivoting=pivoting, full_matrices=mode != "economic")
    return (r,) if mode == "r" else (q, r)


def qr_multiply(
    a: ArrayLike,
    c: ArrayLike,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Array, Array]:
    """c q ("right") or q c ("left"), and r, of a = q r in its economic form; of q's conjugate if `conjugate`."""
    x, y = dense.inexact(a, c)
    if mode not in ("right", "left"):
        raise ValueError(f"mode must be 'right' or 'left', got {mode!r}")
    q, r = factor.qr(x, pivoting=pivoting, full_matrices=False)
    q = jnp.conj(q) if conjugate else q
    left = mode == "left"
    vector = y.ndim == 1
    y = (y[:, None] if left else y[None, :]) if vector else y
    if y.shape[-2 if left else -1] != q.shape[-1 if left else -2]:
        raise ValueError(f"qr_multiply: shapes of q {q.shape} and c {y.shape} are not compatible with mode '{mode}'.")
    found = jnp.matmul(q, y) if left else jnp.matmul(y, q)
    return (jnp.ravel(found) if vector else found), r


def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """(u, s, vᴴ) with a = u diag(s) vᴴ; s alone without `compute_uv`."""
    (x,) = dense.inexact(a)
    return factor.svd(x, full_matrices=full_matrices, compute_uv=compute_uv)


def eigh(
    a: ArrayLike,
    b: ArrayLike | None = None,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    turbo: bool = True,
    eigvals: None = None,
    type: int = 1,
    check_finite: bool = True,
) -> Any:
    """Ascending eigenvalues and the eigenvectors of a Hermitian matrix; the eigenvalues alone with `eigvals_only`. Generalised problems (b) are not supported."""
    if b is not None:
        raise NotImplementedError("Only the b=None case of eigh is implemented")
    if type != 1:
        raise NotImplementedError("Only the type=1 case of eigh is implemented.")
    if eigvals is not None:
        raise NotImplementedError("Only the eigvals=None case of eigh is implemented.")
    (x,) = dense.inexact(a)
    v, w = factor.eigh(x, lower=lower)
    return w if eigvals_only else (w, v)


def eigh_tridiagonal(
    d: ArrayLike,
    e: ArrayLike,
    *,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: tuple[float, float] | None = None,
    tol: float | None = None,
    key: Array | None = None,
) -> Any:
    """Eigenvalues (and eigenvectors) of the Hermitian tridiagonal matrix with diagonal d and off-diagonal e: of all, or (`select` "i") of those numbered first to last.

    Computed from the full matrix.
    """
    diagonal, off = dense.inexact(d, e)
    if off.shape != (*diagonal.shape[:-1], max(0, diagonal.shape[-1] - 1)):
        raise ValueError(
            f"eigh_tridiagonal expects e to have one element less than d, got shapes {diagonal.shape} and {off.shape}."
        )
    if select not in ("a", "i"):
        raise NotImplementedError(
            f"eigh_tridiagonal is implemented for select 'a' and 'i', got {select!r}: how many eigenvalues lie in a range is data."
        )
    n = diagonal.shape[-1]
    first, last = (0, n - 1) if select == "a" or select_range is None else (int(k) for k in select_range)
    if not 0 <= first <= last < max(n, 1):
        raise ValueError(f"Got empty index range in select_range: {select_range} for {n} eigenvalues.")
    place = jnp.arange(n)
    below = jnp.equal(place[:, None], place[None, :] + 1)
    padded = jnp.pad(off, [(0, 0)] * (off.ndim - 1) + [(0, 1)])
    matrix = jnp.where(below, padded[..., None, :], 0) + jnp.where(
        jnp.equal(place[:, None], place), jnp.real(diagonal)[..., None, :].astype(off.dtype), 0
    )
    v, w = factor.eigh(matrix, symmetrize_input=False)
    w, v = w[..., first : last + 1], v[..., first : last + 1]
    return w if eigvals_only else (w, v)


def polar(
    a: ArrayLike,
    side: str = "right",
    *,
    method: str = "qdwh",
    eps: float | None = None,
    max_iterations: int | None = None,
) -> tuple[Array, Array]:
    """(u, p) with orthonormal u and positive semidefinite p: a = u p, or (`side` "left") a = p u. By singular values, whatever `method` says."""
    if side not in ("right", "left"):
        raise ValueError("The argument `side` must be either 'right' or 'left'.")
    if method not in ("qdwh", "svd"):
        raise ValueError(f"Unknown polar decomposition method {method}.")
    (x,) = dense.inexact(a)
    if x.ndim < 2:
        raise ValueError("The input `a` must be at least a 2-D array.")
    u, s, vh = factor.svd(x, full_matrices=False)
    scale = s[..., None, :].astype(x.dtype)
    if side == "right":
        return jnp.matmul(u, vh), jnp.matmul(_adjoint(vh) * scale, vh)
    return jnp.matmul(u, vh), jnp.matmul(u * scale, _adjoint(u))


def schur(a: ArrayLike, output: str = "real") -> tuple[Array, Array]:
    """(t, z) with a = z t zᴴ: unitary z, and t upper triangular (`output` "complex"), or, for a real matrix, with blocks of 2 x 2 on its diagonal for complex pairs ("real").

    Computed by the host, as `weft.lax.linalg.schur` says.
    """
    if output not in ("real", "complex"):
        raise ValueError(f"Expected 'output' to be either 'real' or 'complex', got {output=}.")
    (x,) = dense.inexact(a)
    if output == "complex":
        x = x.astype(jnp.promote_types(x.dtype, jnp.complex64))
    t, z = factor.schur(x)
    return t, z


def rsf2csf(T: ArrayLike, Z: ArrayLike, check_finite: bool = True) -> tuple[Array, Array]:
    """Schur's form of a real matrix with the 2 x 2 blocks on its diagonal made triangular, each by a rotation: the complex form."""
    t, z = dense.inexact(T, Z)
    for name, x in (("Z", z), ("T", t)):
        if x.ndim != 2 or x.shape[0] != x.shape[1]:
            raise ValueError(f"Input '{name}' must be square.")
    if t.shape != z.shape:
        raise ValueError(f"Input array shapes must match: Z: {z.shape} vs. T: {t.shape}")
    dtype = jnp.promote_types(t.dtype, jnp.complex64)
    n, eps = t.shape[0], float(jnp.finfo(dtype).eps)

    def step(k: Any, state: Any) -> Any:
        t, z = state
        m = n - 2 - k  # the block's first row: from the last one up
        (a, b), (c, d) = lax.dynamic_slice(t, (m, m), (2, 2))
        half = (a - d) / 2
        x = half + jnp.sqrt(half * half + b * c)
        size = jnp.sqrt(jnp.abs(x) ** 2 + jnp.abs(c) ** 2)
        needed = jnp.abs(c) > eps * (jnp.abs(a) + jnp.abs(d))
        size = jnp.where(needed, size, 1).astype(dtype)
        cosine, sine = jnp.where(needed, x / size, 1), jnp.where(needed, c / size, 0)
        turn = jnp.stack([jnp.stack([cosine.conj(), sine.conj()]), jnp.stack([-sine, cosine])])
        rows = jnp.matmul(turn, lax.dynamic_slice(t, (m, 0), (2, n)))
        t = lax.dynamic_update_slice(t, rows, (m, 0))
        t, z = (
            lax.dynamic_update_slice(x, jnp.matmul(lax.dynamic_slice(x, (0, m), (n, 2)), _adjoint(turn)), (0, m))
            for x in (t, z)
        )
        return t.at[m + 1, m].set(0), z

    start = t.astype(dtype), z.astype(dtype)
    return lax.fori_loop(0, n - 1, step, start) if n > 1 else start


def hessenberg(a: ArrayLike, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The Hessenberg form h of square matrices, 0 below the first diagonal under the main one; with `calc_q`, `(h, q)` with a = q h qᴴ."""
    (x,) = dense.inexact(a)
    packed, taus = factor.hessenberg(x)
    h = jnp.triu(packed, -1)
    if not calc_q:
        return h
    n = x.shape[-1]
    q = jnp.broadcast_to(jnp.eye(n, dtype=x.dtype), x.shape)
    return (h, q.at[..., 1:, 1:].set(factor.householder_product(packed[..., 1:, :-1], taus)) if n > 1 else q)

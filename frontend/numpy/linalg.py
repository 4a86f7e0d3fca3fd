"""Linear algebra as NumPy names it (`jax.numpy.linalg`): operands are promoted, leading axes broadcast, everything is differentiable.

Solving is one LU and two triangular systems; least squares, pseudo-inverses, ranks and condition numbers come from singular values.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from math import inf, prod
from typing import Any, NamedTuple

import weft.numpy as jnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.custom import custom_jvp
from weft.lax import linalg as factor
from weft.lax.base import ArrayLike, axis_index
from weft.numpy.promotion import same_dtype, to_inexact

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "tensorinv",
    "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip


class EigResult(NamedTuple):
    """What `eig` gives."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """What `qr` gives."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """What `svd` gives."""

    U: Array
    S: Array
    Vh: Array


def inexact(*xs: ArrayLike) -> list[Array]:
    """Operands in one floating (or complex) dtype, each in its own shape."""
    nodes = same_dtype(*xs)
    return [wrap(n) if n.dtype.is_inexact else lax.convert_element_type(wrap(n), to_inexact(n.dtype)) for n in nodes]


def _adjoint(x: Array) -> Array:
    return jnp.conj(jnp.matrix_transpose(x))


def _square(name: str, x: Array) -> None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Argument to {name} must have shape [..., n, n], got {x.shape}.")


# -- factorisations --------------------------------------------------------------------------------------------------------------------------


def cholesky(a: ArrayLike, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """The lower triangular l with l lᴴ = a (with `upper` its adjoint), NaN where a is not positive definite. Reads (a + aᴴ) / 2, or a's lower triangle."""
    (x,) = inexact(a)
    found = factor.cholesky(x, symmetrize_input=symmetrize_input)
    return _adjoint(found) if upper else found


def qr(a: ArrayLike, mode: str = "reduced") -> Any:
    """q and r with a = q r. `mode`: reduced, complete (or full), r (r alone), raw (LAPACK's reflections, transposed, and their factors)."""
    (x,) = inexact(a)
    if mode not in ("reduced", "r", "full", "complete", "raw"):
        raise ValueError(f"Unsupported QR decomposition mode '{mode}'")
    if mode == "raw":
        packed, taus = factor.geqrf(x)
        return QRResult(jnp.matrix_transpose(packed), taus)
    q, r = factor.qr(x, full_matrices=mode in ("full", "complete"))
    return r if mode == "r" else QRResult(q, r)


def eigh(a: ArrayLike, UPLO: str | None = None, symmetrize_input: bool = True) -> EighResult:
    """Ascending eigenvalues and the eigenvectors (columns) of a Hermitian matrix; without `symmetrize_input` of the one with a's lower (L) or upper (U) triangle."""
    if UPLO not in (None, "L", "U"):
        raise ValueError(f"UPLO must be one of None, 'L', or 'U', got {UPLO}")
    (x,) = inexact(a)
    v, w = factor.eigh(x, lower=UPLO != "U", symmetrize_input=symmetrize_input)
    return EighResult(w, v)


def eigvalsh(a: ArrayLike, UPLO: str | None = "L", *, symmetrize_input: bool = True) -> Array:
    """The ascending eigenvalues of a Hermitian matrix."""
    return eigh(a, UPLO, symmetrize_input).eigenvalues


def eig(a: ArrayLike) -> EigResult:
    """Eigenvalues and right eigenvectors (columns) of any square matrix, complex. Computed by the host, as `weft.lax.linalg.eig` says."""
    (x,) = inexact(a)
    w, v = factor.eig(x, compute_left_eigenvectors=False)
    return EigResult(w, v)


def eigvals(a: ArrayLike) -> Array:
    """The eigenvalues of any square matrix, complex. Computed by the host, as `weft.lax.linalg.eig` says."""
    (x,) = inexact(a)
    return factor.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]


def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:
    """U, S, Vh with a = U diag(S) Vh, the singular values descending; S alone without `compute_uv`. `hermitian`: by the eigenvalues of a Hermitian matrix."""
    (x,) = inexact(a)
    if not hermitian:
        found = factor.svd(x, full_matrices=full_matrices, compute_uv=compute_uv, subset_by_index=subset_by_index)
        return SVDResult(*found) if compute_uv else found
    v, w = factor.eigh(x, subset_by_index=subset_by_index)
    order = jnp.flip(jnp.argsort(jnp.abs(w), axis=-1), -1)
    s = jnp.take_along_axis(jnp.abs(w), order, axis=-1)
    if not compute_uv:
        return s
    u = jnp.take_along_axis(v, order[..., None, :], axis=-1)
    sign = jnp.sign(jnp.take_along_axis(w, order, axis=-1))
    return SVDResult(u, s, _adjoint(u * sign[..., None, :].astype(u.dtype)))


def svdvals(x: ArrayLike, /) -> Array:
    """The singular values, descending."""
    return svd(x, compute_uv=False)


# -- systems ---------------------------------------------------------------------------------------------------------------------------------


def solve(a: ArrayLike, b: ArrayLike) -> Array:
    """x with a x = b: b is a vector, or holds matrices whose leading axes broadcast against those of a."""
    x, y = inexact(a, b)
    if x.ndim < 2:
        raise ValueError(f"left hand array must be at least two dimensional; got a.shape={x.shape}")
    _square("solve", x)
    if y.ndim == 0:
        raise ValueError("right hand array must be at least one dimensional; got a scalar")
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    if y.shape[-2] != x.shape[-1]:
        raise ValueError(f"Invalid shapes for solve: {x.shape}, {y.shape[:-1] if vector else y.shape}.")
    packed, _, permutation = factor.lu(x)
    lead = lax.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    y = jnp.broadcast_to(y, (*lead, *y.shape[-2:]))
    found = lu_solved(
        jnp.broadcast_to(packed, (*lead, *x.shape[-2:])), jnp.broadcast_to(permutation, (*lead, x.shape[-1])), y
    )
    return found[..., 0] if vector else found


def lu_solved(packed: Array, permutation: Array, b: Array, trans: int = 0) -> Array:
    """x with a x = b (trans 1: aᵀ x = b, 2: aᴴ x = b), given the factors of a."""
    if not b.size:
        return b
    lower = {"left_side": True, "lower": True, "unit_diagonal": True}
    upper = {"left_side": True, "lower": False}
    if trans == 0:
        rows = jnp.take_along_axis(b, permutation[..., None], axis=-2)
        return factor.triangular_solve(packed, factor.triangular_solve(packed, rows, **lower), **upper)
    turned = {"transpose_a": True, "conjugate_a": trans == 2}
    rows = factor.triangular_solve(packed, factor.triangular_solve(packed, b, **upper, **turned), **lower, **turned)
    return jnp.take_along_axis(rows, jnp.argsort(permutation, axis=-1)[..., None], axis=-2)


def inv(a: ArrayLike) -> Array:
    """The inverse of square matrices (inf or NaN for singular ones)."""
    (x,) = inexact(a)
    _square("inv", x)
    return solve(x, jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape))


def lstsq(
    a: ArrayLike, b: ArrayLike, rcond: float | None = None, *, numpy_resid: bool = False
) -> tuple[Array, Array, Array, Array]:
    """The x of least length that makes ‖b - a x‖ least; the squared residuals, the rank, and the singular values of a.

    Singular values up to `rcond` times the greatest count as zero (default: the dtype's eps times a's greater side). With `numpy_resid` no residuals where a has not full rank or is not tall.
    """
    x, y = inexact(a, b)
    if x.shape[:1] != y.shape[:1]:
        raise ValueError(f"Leading dimensions of input arrays must match, got {x.shape} and {y.shape}")
    if x.ndim != 2:
        raise TypeError(f"{x.ndim}-dimensional array given. Array must be two-dimensional")
    if y.ndim not in (1, 2):
        raise TypeError(f"{y.ndim}-dimensional array given. Array must be one or two-dimensional")
    n, m = x.shape
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    if not x.size:
        s = jnp.empty(0, x.dtype)
        rank, found = jnp.asarray(0), jnp.zeros((m, y.shape[1]), x.dtype)
    else:
        eps = float(jnp.finfo(x.dtype).eps)
        cutoff = eps * max(n, m) if rcond is None else jnp.where(jnp.asarray(rcond) < 0, eps, rcond)
        u, s, vh = svd(x, full_matrices=False)
        kept = (s > 0) & (s >= jnp.asarray(cutoff, s.dtype) * s[0])
        rank = jnp.sum(kept)
        scale = jnp.where(kept, 1 / jnp.where(kept, s, 1), 0)[:, None].astype(x.dtype)
        found = jnp.matmul(_adjoint(vh), scale * jnp.matmul(_adjoint(u), y))
    if numpy_resid and (int(rank) < m or n <= m):
        rest = jnp.empty(0, x.dtype)
    else:
        rest = norm(y - jnp.matmul(x, found), axis=0) ** 2
    return found[:, 0] if vector else found, rest, rank, s


def pinv(
    a: ArrayLike, rtol: ArrayLike | None = None, hermitian: bool = False, *, rcond: ArrayLike | None = None
) -> Array:
    """The pseudo-inverse. Singular values up to `rtol` times the greatest count as zero (default: 10 eps times the greater side)."""
    if rcond is not None:
        if rtol is not None:
            raise ValueError("pinv: only one of rtol and rcond may be specified.")
        rtol = rcond
    (x,) = inexact(a)
    if x.ndim < 2:
        raise ValueError(f"pinv expects an array with at least 2 dimensions, got shape {x.shape}.")
    if rtol is None:
        rtol = 10.0 * max(x.shape[-2:]) * float(jnp.finfo(x.dtype).eps)
    return _pinv(x, lax.stop_gradient(jnp.asarray(rtol)), bool(hermitian))


def _pinv_value(a: Array, rtol: Array, hermitian: bool) -> Array:
    if not a.size:
        return jnp.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    u, s, vh = svd(a, full_matrices=False, hermitian=hermitian)
    cutoff = rtol[..., None].astype(s.dtype) * s[..., :1]
    s = jnp.where(s > cutoff, s, inf).astype(u.dtype)
    return jnp.matmul(_adjoint(vh), _adjoint(u / s[..., None, :]))


_pinv = custom_jvp(_pinv_value, nondiff_argnums=(2,))


@_pinv.defjvp
def _pinv_jvp(hermitian: bool, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate", 1973."""
    (a, rtol), (da, _) = primals, tangents
    p = _pinv(a, rtol, hermitian)
    if not a.size:
        return p, jnp.zeros_like(p)
    out = -jnp.matmul(jnp.matmul(p, da), p)
    turned = _adjoint(da)
    ppt, ptp = jnp.matmul(p, _adjoint(p)), jnp.matmul(_adjoint(p), p)
    left, right = jnp.matmul(ppt, turned), jnp.matmul(turned, ptp)
    out = out + (left - jnp.matmul(jnp.matmul(left, a), p)) + (right - jnp.matmul(p, jnp.matmul(a, right)))
    return p, out


def matrix_rank(
    M: ArrayLike, rtol: ArrayLike | None = None, *, hermitian: bool = False, tol: ArrayLike | None = None
) -> Array:
    """How many singular values are greater than a tolerance (default: the greatest times eps times the greater side)."""
    if tol is not None:
        if rtol is not None:
            raise ValueError("matrix_rank: only one of tol or rtol may be specified.")
        rtol = tol
    (x,) = inexact(M)
    if x.ndim < 2:
        return jnp.any(x != 0).astype(jnp.int32)
    s = svd(x, full_matrices=False, compute_uv=False, hermitian=hermitian)
    if rtol is None:
        rtol = jnp.max(s, -1) * (max(x.shape[-2:]) * float(jnp.finfo(s.dtype).eps))
    return jnp.sum(s > jnp.asarray(rtol)[..., None], axis=-1)


# -- numbers that describe a matrix --------------------------------------------------------------------------------------------------------------


def slogdet(a: ArrayLike, *, method: str | None = None) -> SlogdetResult:
    """The determinant as its sign and the logarithm of its size, by LU (`method` None or "lu") or QR ("qr")."""
    (x,) = inexact(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Argument to slogdet() must have shape [..., n, n], got {x.shape}")
    if method not in (None, "lu", "qr"):
        raise ValueError(f"Unknown slogdet method '{method}'. Supported methods are 'lu' (`None`), and 'qr'.")
    if method == "qr":
        packed, taus = factor.geqrf(x)
        pivots = diagonal(packed)
        parity = _alternating(jnp.not_equal(taus, 0), x)  # each reflection has determinant -1
    else:
        packed, places, _ = factor.lu(x)
        pivots, parity = diagonal(packed), _parity(places, x)
    singular = jnp.any(jnp.equal(pivots, 0), axis=-1)
    pivots = jnp.where(singular[..., None], 1, pivots)
    # a complex sign turns with the matrix, a real one has no derivative
    sign = jnp.prod(pivots / jnp.abs(pivots) if x.dtype.kind == "c" else jnp.sign(pivots), axis=-1) * parity
    size = jnp.sum(jnp.log(jnp.abs(pivots)), axis=-1)
    return SlogdetResult(jnp.where(singular, 0, sign), jnp.where(singular, -inf, size))


def det(a: ArrayLike) -> Array:
    """The determinant. Its derivative exists for singular matrices too."""
    (x,) = inexact(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"Argument to _det() must be a square matrix, got shape {x.shape}")
    return _det(x)


def _det_value(x: Array) -> Array:
    """The product of the pivots, with the permutation's sign."""
    n = x.shape[-1]
    if n == 2:
        return x[..., 0, 0] * x[..., 1, 1] - x[..., 0, 1] * x[..., 1, 0]
    packed, places, _ = factor.lu(x)
    return jnp.prod(diagonal(packed), axis=-1) * _parity(places, x)


def _parity(places: Array, x: Array) -> Array:
    """The sign of the permutation that exchanges each row with its pivot."""
    return _alternating(jnp.not_equal(places, jnp.arange(places.shape[-1], dtype=places.dtype)), x)


def _alternating(flips: Array, x: Array) -> Array:
    """1 or -1, in the dtype of x: whether an even or an odd number of flips happen."""
    return (1 - 2 * (jnp.sum(flips, axis=-1) % 2)).astype(x.dtype)


_det = custom_jvp(_det_value)


@_det.defjvp
def _det_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """d det(x) = trace(adj(x) dx) (Jacobi)."""
    (x,), (dx,) = primals, tangents
    return _det(x), trace(_adjugate_times(x, dx))


def _adjugate_times(x: Array, b: Array) -> Array:
    """adj(x) b = det(x) x⁻¹ b, also for x of rank n - 1: by LU, the last pivot (the only one that may be 0) cancelled against the determinant's."""
    n = x.shape[-1]
    if n == 0:
        return b
    packed, places, permutation = factor.lu(x)
    pivots = diagonal(packed)
    last = jnp.equal(jnp.arange(n), n - 1)
    none = jnp.any(jnp.equal(pivots, 0) & ~last, axis=-1)[..., None, None]  # of rank n - 2 and less: the adjugate is 0
    packed = jnp.where(none | (last[:, None] & last), jnp.eye(n, dtype=x.dtype), packed)
    partial = jnp.cumprod(pivots, axis=-1) * _parity(places, x)[..., None]
    before = partial[..., -2:-1, None] if n > 1 else jnp.ones_like(partial[..., None])
    weight = jnp.where(none, 0, jnp.where(last[:, None], before, partial[..., -1:, None]))
    rows = jnp.take_along_axis(b, permutation[..., None], axis=-2)
    rows = factor.triangular_solve(packed, rows, left_side=True, lower=True, unit_diagonal=True)
    return factor.triangular_solve(packed, rows * weight, left_side=True, lower=False)


def cond(x: ArrayLike, p: Any = None) -> Array:
    """The condition number in a norm (None or 2: the ratio of the extreme singular values)."""
    (a,) = inexact(x)
    if a.ndim < 2:
        raise ValueError(f"jnp.linalg.cond: input array must be at least 2D; got arr.shape={a.shape}")
    if not min(a.shape[-2:]):
        raise ValueError(f"jnp.linalg.cond: input array must not be empty; got arr.shape={a.shape}")
    if p is None or p == 2:
        s = svdvals(a)
        return s[..., 0] / s[..., -1]
    if p == -2:
        s = svdvals(a)
        found = s[..., -1] / s[..., 0]
    else:
        if a.shape[-1] != a.shape[-2]:
            raise ValueError(f"jnp.linalg.cond: for p={p!r}, array must be square; got arr.shape={a.shape}")
        found = norm(a, ord=p, axis=(-2, -1)) * norm(inv(a), ord=p, axis=(-2, -1))
    return jnp.where(jnp.isnan(found) & ~jnp.any(jnp.isnan(a), axis=(-2, -1)), inf, found)


def norm(x: ArrayLike, ord: Any = None, axis: tuple[int, ...] | int | None = None, keepdims: bool = False) -> Array:
    """The norm of vectors (one axis) or matrices (two). Without `axis` of all of x; `ord` None: the root of the sum of squares."""
    (a,) = inexact(x)
    if axis is None and ord is None:
        return _length(a, None, keepdims)
    if axis is None:
        axes = tuple(range(a.ndim))
    else:
        axes = tuple(axis_index(k, a.ndim) for k in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if len(axes) == 1:
        return vector_norm(a, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(
            f"Improper number of axes for norm: axis={axes}. Pass one axis to compute a vector-norm, or two axes to compute a matrix-norm."
        )
    if ord is None or ord in ("f", "fro"):
        return _length(a, axes, keepdims)
    row, column = axes
    if ord in (1, -1, inf, -inf):
        summed, other = (row, column) if abs(ord) == 1 else (column, row)
        sums = jnp.sum(jnp.abs(a), axis=summed, keepdims=True)
        found = (
            jnp.max(sums, axis=other, keepdims=True, initial=0) if ord > 0 else jnp.min(sums, axis=other, keepdims=True)
        )
    elif ord in ("nuc", 2, -2):
        s = svdvals(jnp.moveaxis(a, axes, (-2, -1)))
        found = jnp.max(s, -1, initial=0) if ord == 2 else jnp.min(s, -1) if ord == -2 else jnp.sum(s, -1)
        return jnp.expand_dims(found, axes) if keepdims else found
    else:
        raise ValueError(f"Invalid order '{ord}' for matrix norm.")
    return found if keepdims else jnp.squeeze(found, axes)


def _length(x: Array, axis: Any, keepdims: bool) -> Array:
    return jnp.sqrt(jnp.sum(jnp.real(x * jnp.conj(x)), axis=axis, keepdims=keepdims))


def vector_norm(
    x: ArrayLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: Any = 2
) -> Array:
    """The norm of vectors: along an axis, or of all elements along several."""
    (a,) = inexact(x)
    if ord is None or ord == 2:
        return _length(a, axis, keepdims)
    if isinstance(ord, str):
        raise ValueError(
            f"Invalid order '{ord}' for vector norm." + (" Use 'weft.numpy.inf' instead." if "inf" in ord else "")
        )
    size = jnp.abs(a)
    if ord == inf:
        return jnp.max(size, axis=axis, keepdims=keepdims, initial=0)
    if ord == -inf:
        return jnp.min(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return jnp.sum(a != 0, axis=axis, keepdims=keepdims, dtype=size.dtype)
    if ord == 1:
        return jnp.sum(size, axis=axis, keepdims=keepdims)
    return jnp.sum(size**ord, axis=axis, keepdims=keepdims) ** (1.0 / ord)


def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norm of matrices in the last two axes."""
    return norm(x, ord=ord, keepdims=keepdims, axis=(-2, -1))


# -- products and views ----------------------------------------------------------------------------------------------------------------------------


def matrix_power(a: ArrayLike, n: int) -> Array:
    """a multiplied with itself: n times, or its inverse for negative n. By squaring."""
    x = wrap(lift(a))
    if x.ndim < 2:
        raise TypeError(f"{x.ndim}-dimensional array given. Array must be at least two-dimensional")
    if x.shape[-1] != x.shape[-2]:
        raise TypeError("Last 2 dimensions of the array must be square")
    try:
        n = operator.index(n)
    except TypeError as error:
        raise TypeError(f"exponent must be an integer, got {n}") from error
    if n == 0:
        return jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    if n < 0:
        x, n = inv(x), -n
    if n == 3:
        return jnp.matmul(jnp.matmul(x, x), x)
    found = None
    while n:
        if n % 2:
            found = x if found is None else jnp.matmul(found, x)
        n //= 2
        x = jnp.matmul(x, x) if n else x
    assert found is not None
    return found


def multi_dot(arrays: Sequence[ArrayLike], *, precision: Any = None) -> Array:
    """The product of several matrices (the first and the last may be vectors), multiplied in an order that costs little."""
    given = [wrap(lift(a)) for a in arrays]
    if len(given) < 2:
        raise ValueError(f"multi_dot requires at least two arrays; got len(arrays)={len(given)}")
    shapes = [a.shape for a in given]
    if any(len(s) not in (1, 2) for s in (shapes[0], shapes[-1])) or any(len(s) != 2 for s in shapes[1:-1]):
        raise ValueError(
            f"multi_dot: input arrays must all be two-dimensional, except for the first and last array which may be 1 or 2 dimensional. Got array shapes {shapes}"
        )
    if any(s[-1] != t[0] for s, t in pairwise(shapes)):
        raise ValueError(
            f"multi_dot: last dimension of each array must match first dimension of following array. Got array shapes {shapes}"
        )
    letters = [chr(ord("a") + k) for k in range(len(given) + 1)]
    terms = [letters[k] + letters[k + 1] for k in range(len(given))]
    ends = "" if len(shapes[0]) == 1 else letters[0], "" if len(shapes[-1]) == 1 else letters[-1]
    terms[0] = terms[0] if ends[0] else letters[1]
    terms[-1] = terms[-1] if ends[1] else letters[-2]
    return jnp.einsum(f"{','.join(terms)}->{''.join(ends)}", *given, precision=precision)


def tensorinv(a: ArrayLike, ind: int = 2) -> Array:
    """The inverse with respect to `tensordot` over the first `ind` axes."""
    x = wrap(lift(a))
    ind = operator.index(ind)
    if ind <= 0:
        raise ValueError(f"ind must be a positive integer; got ind={ind}")
    first, rest = x.shape[:ind], x.shape[ind:]
    if prod(first) != prod(rest):
        raise ValueError(
            f"tensorinv is only possible when the product of the first `ind` dimensions equals that of the remaining dimensions. got arr.shape={x.shape} with ind={ind}."
        )
    return inv(x.reshape(prod(first), prod(rest))).reshape(*rest, *first)


def tensorsolve(a: ArrayLike, b: ArrayLike, axes: tuple[int, ...] | None = None) -> Array:
    """x with tensordot(a, x, x.ndim) = b; `axes` of a are moved to its end first."""
    x, y = wrap(lift(a)), wrap(lift(b))
    if axes is not None:
        x = jnp.moveaxis(x, axes, len(axes) * (x.ndim - 1,))
    shape = x.shape[y.ndim :]
    if x.shape[: y.ndim] != y.shape:
        raise ValueError(
            f"After moving axes to end, leading shape of a must match shape of b. got a.shape={x.shape}, b.shape={y.shape}"
        )
    if y.size != prod(shape):
        raise ValueError(
            f"Input arrays must have prod(a.shape[:b.ndim]) == prod(a.shape[b.ndim:]); got a.shape={x.shape}, b.ndim={y.ndim}."
        )
    return solve(x.reshape(y.size, prod(shape)), jnp.ravel(y)).reshape(shape)


def cross(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Array:
    """The cross product of vectors of three elements along an axis."""
    a, b = wrap(lift(x1)), wrap(lift(x2))
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ValueError(
            f"Both input arrays must be (arrays of) 3-dimensional vectors, but they have {a.shape[axis]=} and {b.shape[axis]=}"
        )
    return jnp.cross(a, b, axis=axis)


def outer(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """All products of an element of one vector with one of another."""
    a, b = wrap(lift(x1)), wrap(lift(x2))
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"Input arrays must be one-dimensional, but they are x1.ndim={a.ndim} x2.ndim={b.ndim}")
    return a[:, None] * b[None, :]


def diagonal(x: ArrayLike, /, *, offset: int = 0) -> Array:
    """A diagonal of each matrix in the last two axes."""
    return jnp.diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: ArrayLike, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sum along a diagonal of each matrix in the last two axes."""
    return jnp.trace(x, offset=offset, axis1=-2, axis2=-1, dtype=dtype)


def matmul(x1: ArrayLike, x2: ArrayLike, /, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """Products of matrices. See `weft.numpy.matmul`."""
    return jnp.matmul(x1, x2, precision=precision, preferred_element_type=preferred_element_type)


def matrix_transpose(x: ArrayLike, /) -> Array:
    """The last two axes exchanged."""
    return jnp.matrix_transpose(x)


def tensordot(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    *,
    axes: Any = 2,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: None = None,
) -> Array:
    """Sums of products over pairs of axes. See `weft.numpy.tensordot`."""
    return jnp.tensordot(x1, x2, axes, precision=precision, preferred_element_type=preferred_element_type)


def vecdot(
    x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, precision: Any = None, preferred_element_type: Any = None
) -> Array:
    """The sum of products along an axis. See `weft.numpy.vecdot`."""
    return jnp.vecdot(x1, x2, axis=axis, precision=precision, preferred_element_type=preferred_element_type)

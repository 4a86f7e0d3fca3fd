"""Matrices that need not be Hermitian: eigenvalues, Schur's form, the reductions to Hessenberg and tridiagonal form; and the polar decomposition by iteration.

Eigenvalues and Schur's form are computed by the host, with NumPy, wherever the matrices are: a program is cut there. The others are programs of the device.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from weft.array import Array, lift, wrap
from weft.callbacks import pure_callback
from weft.custom import custom_jvp
from weft.dialects.array.ops import matrices
from weft.dialects.dtypes import complex_of
from weft.function import ShapeDtypeStruct
from weft.lax import loops
from weft.lax.base import ArrayLike
from weft.vmap import vmap

__all__ = ["eig", "hessenberg", "qdwh", "schur", "tridiagonal"]


def _matrix(name: str, x: ArrayLike, square: bool = True) -> Array:
    node = lift(x)
    matrices.check_matrix(name, node.aval, square)
    return wrap(node)


def _adjoint(x: Array) -> Array:
    return x.mT.conj()


# -- by the host


def eig(
    x: ArrayLike,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = False,
    implementation: Any = None,
    use_magma: bool | None = None,
) -> list[Array]:
    """Eigenvalues of square matrices, complex, and their left and right eigenvectors (columns of length 1), as far as asked for.

    Computed by the host, with NumPy, wherever the matrices are: a program is cut there. Eigenvalues have derivatives, where they are simple; eigenvectors with `enable_eigvec_derivs` alone, because they
    are differentiable only as they are normalised (their greatest element is real).
    """
    matrix = _matrix("eig", x)
    left, right = bool(compute_left_eigenvectors), bool(compute_right_eigenvectors)
    dtype = complex_of(matrix.dtype.part)
    shapes = [ShapeDtypeStruct(s, dtype) for s in [matrix.shape[:-1]] + [matrix.shape] * (left + right)]

    @custom_jvp
    def decomposed(a: Array) -> list[Array]:
        return list(pure_callback(lambda a: _eig_on_host(a, left, right), shapes, a, vmap_method="expand_dims"))

    @decomposed.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (a,), (da,) = primals, tangents
        if (left or right) and not enable_eigvec_derivs:
            raise NotImplementedError(
                "Derivatives of non-symmetric eigenvectors are only valid under assumptions on the input that cannot be checked. Pass enable_eigvec_derivs=True to "
                "lax.linalg.eig to opt in."
            )
        w, *vl, v = eig(a, compute_left_eigenvectors=left, enable_eigvec_derivs=enable_eigvec_derivs)
        da = da.astype(dtype)
        dw, dv = _eig_derivative(w, v, da)
        dvl = [_eig_derivative(w.conj(), u, _adjoint(da))[1] for u in vl]
        return [w, *vl, *([v] if right else [])], [dw, *dvl, *([dv] if right else [])]

    return decomposed(matrix)


def _eig_derivative(w: Array, v: Array, da: Array) -> tuple[Array, Array]:
    """Derivatives of eigenvalues and eigenvectors (M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008), kept of length 1 and
    real where their greatest elements are."""
    import weft.numpy as jnp

    inner = jnp.linalg.solve(v, da) @ v
    eye = jnp.eye(w.shape[-1], dtype=w.dtype)
    apart = w[..., None, :] - w[..., None]
    free = v @ (inner * (1 / (apart + eye) - eye))
    greatest = jnp.expand_dims(jnp.argmax(jnp.abs(v), axis=-2), -2)
    at = [jnp.take_along_axis(m, greatest, axis=-2) for m in (free, v)]
    along = -(v.conj() * free).sum(-2, keepdims=True).real - 1j * (at[0].imag / at[1].real)
    return jnp.diagonal(inner, axis1=-2, axis2=-1), free + v * along.astype(v.dtype)


def _eig_on_host(a: Any, left: bool, right: bool) -> list[Any]:
    import numpy as np

    a = np.asarray(a)
    dtype = np.result_type(a.dtype, np.complex64)
    if not (left or right):
        return [np.linalg.eigvals(a).astype(dtype)]
    w, v = np.linalg.eig(a)
    found = [w.astype(dtype)]
    if left:  # rows of the inverse, of length 1
        found.append(_normalised(np, np.conj(np.swapaxes(np.linalg.inv(v), -1, -2))).astype(dtype))
    return [*found, v.astype(dtype)] if right else found


def _normalised(np: Any, v: Any) -> Any:
    """Columns of length 1 whose greatest elements are real, as LAPACK gives them."""
    if not v.size:
        return v
    v = v / np.linalg.norm(v, axis=-2, keepdims=True)
    top = np.take_along_axis(v, np.argmax(np.abs(v), axis=-2, keepdims=True), axis=-2)
    return v * np.conj(top) / np.abs(top) if np.iscomplexobj(v) else v


def schur(
    x: ArrayLike, *, compute_schur_vectors: bool = True, sort_eig_vals: bool = False, select_callable: Any = None
) -> list[Array]:
    """`[t, z]` with x = z t zᴴ: unitary z, and t upper triangular, of real matrices with blocks of 2 x 2 on its diagonal for complex pairs; without `compute_schur_vectors`, `[t]`.

    Computed by the host, with NumPy, wherever the matrices are: a program is cut there. Not differentiable. The order of eigenvalues is that in which they are found; neither of the
    other arguments changes it.
    """
    matrix = _matrix("schur", x)
    shape = ShapeDtypeStruct(matrix.shape, matrix.dtype)
    t, z = pure_callback(_schur_on_host, [shape, shape], matrix, vmap_method="expand_dims")
    return [t, z] if compute_schur_vectors else [t]


def _schur_on_host(a: Any) -> Any:
    import numpy as np

    from weft.lax.schur import schur

    return list(schur(np.asarray(a)))


# -- reductions by reflections


def hessenberg(a: ArrayLike) -> list[Array]:
    """`[packed, taus]`: in and above the first diagonal below the main one the Hessenberg form of square matrices, below it the vectors of the reflections that take them there (without their leading ones), and
    their factors: LAPACK's gehrd. `householder_product(packed[..., 1:, :-1], taus)` is the unitary matrix without its first row and column.
    """
    import weft.numpy as jnp

    x = _matrix("hessenberg", a)
    n = x.shape[-1]
    rows = jnp.arange(n)
    start = x, jnp.zeros((*x.shape[:-2], max(0, n - 1)), x.dtype), jnp.zeros_like(x)
    if n < 2:
        return [*start[:2]]

    def step(k: Any, state: Any) -> Any:
        x, taus, vectors = state
        column = jnp.take(x, k, axis=-1)
        v, tau, beta = _reflection(jnp.where(rows > k, column, 0), k + 1)
        x = x - jnp.conj(tau)[..., None, None] * v[..., None] * (v.conj()[..., None, :] @ x)
        x = x - tau[..., None, None] * (x @ v[..., None]) * v.conj()[..., None, :]
        kept = jnp.where(rows > k, jnp.where(rows == k + 1, beta[..., None], 0), column)
        here = rows == k
        x = jnp.where(here, kept[..., None], x)
        vectors = jnp.where(here, jnp.where(rows > k + 1, v, 0)[..., None], vectors)
        return x, jnp.where(rows[: n - 1] == k, tau[..., None], taus), vectors

    x, taus, vectors = loops.fori_loop(0, n - 1, step, start)
    return [x + vectors, taus]


def _reflection(x: Array, at: Any) -> tuple[Array, Array, Array]:
    """(v, tau, beta) with (1 - conj(tau) v vᴴ) x = beta at the place `at` and 0 elsewhere, for real beta and v = 1 there: LAPACK's larfg."""
    import weft.numpy as jnp

    here = jnp.arange(x.shape[-1]) == at
    alpha = jnp.where(here, x, 0).sum(-1)
    rest = (jnp.abs(jnp.where(here, 0, x)) ** 2).sum(-1)
    size = jnp.sqrt(jnp.abs(alpha) ** 2 + rest)
    beta = jnp.where(alpha.real >= 0, -size, size).astype(x.dtype)
    nothing = (rest == 0) & (alpha.imag == 0)
    beta = jnp.where(nothing, alpha, beta)
    divisor = jnp.where(nothing, 1, alpha - beta)
    v = jnp.where(here, 1, jnp.where(nothing[..., None], 0, x / divisor[..., None]))
    tau = jnp.where(nothing, 0, (beta - alpha) / jnp.where(nothing, 1, beta))
    return v, tau, beta


def tridiagonal(a: ArrayLike, *, lower: bool = True) -> list[Array]:
    """`[packed, d, e, taus]`: Hermitian matrices, of which one triangle is read, as real tridiagonal ones: d on the diagonal and e beside it, and the reflections that take them there: LAPACK's sytrd."""
    import weft.numpy as jnp

    x = _matrix("tridiagonal", a)

    def flipped(x: Array) -> Array:
        return x if lower else x[..., ::-1, ::-1]

    triangle = jnp.tril(flipped(x), -1)
    own = jnp.diagonal(flipped(x), axis1=-2, axis2=-1).real.astype(x.dtype)
    whole = triangle + _adjoint(triangle) + own[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype)
    packed, taus = hessenberg(whole)
    d, e = (jnp.diagonal(packed, k, axis1=-2, axis2=-1).real for k in (0, -1))
    outer = jnp.tril(packed) + jnp.triu(flipped(x), 1)
    if lower:
        return [outer, d, e, taus]
    return [flipped(outer), d[..., ::-1], e[..., ::-1], taus[..., ::-1]]


# -- polar


def qdwh(
    x: ArrayLike,
    *,
    is_hermitian: bool = False,
    max_iterations: int | None = None,
    eps: float | None = None,
    dynamic_shape: Any = None,
) -> tuple[Array, Array, Array, Array]:
    """`(u, h, iterations, is_converged)`: x = u h with orthonormal columns u and Hermitian, positive semidefinite h, for matrices with no fewer rows than columns (along the last axes; JAX takes one matrix).

    `dynamic_shape` are the rows and columns, integers or arrays, from which on the matrix is taken for padding.

    Halley's iteration with weights by a bound of the least singular value, each step by a QR factorisation (Y. Nakatsukasa, Z. Bai, F. Gygi, "Optimizing Halley's iteration for computing the matrix polar
    decomposition", 2010).
    """
    import weft.numpy as jnp

    a = _matrix("qdwh", x, square=False)
    if a.ndim < 2 or a.shape[-2] < a.shape[-1]:
        raise ValueError(f"qdwh expects a matrix with no fewer rows than columns, got shape {a.shape}.")
    if a.ndim > 2:
        return vmap(partial(qdwh, max_iterations=max_iterations, eps=eps, dynamic_shape=dynamic_shape))(a)
    m, n = a.shape
    rows, columns = dynamic_shape or (m, n)
    inside = (jnp.arange(m)[:, None] < rows) & (jnp.arange(n) < columns)
    a = jnp.where(inside, a, 0)
    real = a.real.dtype
    small = float(jnp.finfo(real).eps) if eps is None else eps
    most = 10 if max_iterations is None else max_iterations
    size = jnp.sqrt(jnp.abs(a).sum(0).max() * jnp.abs(a).sum(1).max())
    first = a / jnp.where(size > 0, size, 1)
    near = (4 * small) ** (1 / 3)

    def going(state: Any) -> Any:
        _, bound, count, change = state
        return (count < most) & ((jnp.abs(1 - bound) > 5 * small) | (change > near))

    def step(state: Any) -> Any:
        u, low, count, _ = state
        d = jnp.cbrt(4 * (1 / low**2 - 1) / low**2)
        root = jnp.sqrt(1 + d)
        w = root + jnp.sqrt(8 - 4 * d + 8 * (2 - low**2) / (low**2 * root)) / 2
        b = (w - 1) ** 2 / 4
        c = w + b - 1
        q, _ = jnp.linalg.qr(jnp.concatenate([jnp.sqrt(c) * u, jnp.eye(n, dtype=a.dtype)]))
        new = b / c * u + (w - b / c) / jnp.sqrt(c) * (q[:m] @ _adjoint(q[m:]))
        return new, jnp.minimum(low * (w + b * low**2) / (1 + c * low**2), 1), count + 1, jnp.linalg.norm(new - u)

    start = first, jnp.asarray(small, real), 0, jnp.asarray(jnp.inf, real)
    u, bound, count, change = loops.while_loop(going, step, start)
    u = jnp.where(inside, u, 0)
    u = 1.5 * u - 0.5 * u @ (_adjoint(u) @ u)  # one step of Newton and Schulz makes it orthonormal to the last bit
    h = _adjoint(u) @ a
    return u, (h + _adjoint(h)) / 2, count, (jnp.abs(1 - bound) <= 5 * small) & (change <= near)

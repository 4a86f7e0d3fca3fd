"""Iterative solvers of A x = b, where A is a matrix or a function that multiplies by it (`jax.scipy.sparse.linalg`).

Each solver iterates over one flat vector, whatever tree of arrays b is. The iteration is the `solve` of `lax.custom_linear_solve`, so derivatives are one more solve and not those of the
iteration. Methods: Saad, "Iterative Methods for Sparse Linear Systems" (2nd ed.), algorithms 9.1 (conjugate gradients), 7.7 with preconditioner (BiCGSTAB) and 9.4 (restarted GMRES).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.flatten_util import ravel_pytree
from weft.scipy.linalg import solve
from weft.tree_util import tree_leaves, tree_map, tree_structure

__all__ = ["bicgstab", "cg", "gmres"]

Operator = Callable[[Any], Any]
Flat = Callable[[Array], Array]
Iteration = Callable[[Flat, Array, Array, Flat], Array]
"""From the operator, b, x0 and the preconditioner, all of flat vectors, to x."""


def _operator(given: Any) -> Operator:
    """A function as it is; a square matrix as the product with it; None as the identity."""
    if given is None:
        return lambda x: x
    if callable(given):
        return given
    if not hasattr(given, "__matmul__"):
        raise TypeError(f"linear operator must be either a function or ndarray: {given}")
    if len(given.shape) != 2 or given.shape[0] != given.shape[1]:
        raise ValueError(f"linear operator must be a square matrix, but has shape: {given.shape}")
    return partial(jnp.matmul, jnp.asarray(given))


def _start(b: Any, x0: Any) -> tuple[Any, Any]:
    """The right-hand side and the first guess (zeros), as trees of arrays of one structure."""
    b = tree_map(jnp.asarray, b)
    x0 = tree_map(jnp.zeros_like, b) if x0 is None else tree_map(jnp.asarray, x0)
    if tree_structure(x0) != tree_structure(b):
        raise ValueError(f"x0 and b must have matching tree structure: {tree_structure(x0)} vs {tree_structure(b)}")
    shapes = [[leaf.shape for leaf in tree_leaves(tree)] for tree in (x0, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"arrays in x0 and b must have matching shapes: {shapes[0]} vs {shapes[1]}")
    return b, x0


def _size(b: Any) -> int:
    return sum(leaf.size for leaf in tree_leaves(b))


def _solved(A: Any, b: Any, x0: Any, M: Any, iterate: Iteration, symmetric: bool = False) -> Any:
    """x of the tree of b, by an iteration over flat vectors."""

    def solve(matvec: Operator, b: Any) -> Any:
        flat, unravel = ravel_pytree(b)
        over: Callable[[Operator], Flat] = lambda f: lambda v: ravel_pytree(f(unravel(v)))[0]  # noqa: E731
        return unravel(iterate(over(matvec), flat, ravel_pytree(x0)[0], over(_operator(M))))

    return lax.custom_linear_solve(_operator(A), b, solve, solve, symmetric)


def _dot(x: Array, y: Array) -> Array:
    """The real part of the inner product."""
    return jnp.real(jnp.vdot(x, y))


def _norm(x: Array) -> Array:
    return jnp.sqrt(_dot(x, x))


def _bound(b: Array, tol: Any, atol: Any) -> Array:
    """The square of the residual's norm at which an iteration ends."""
    return jnp.maximum(jnp.square(tol) * _dot(b, b), jnp.square(atol))


def cg(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None
) -> tuple[Any, None]:
    """`(x, None)` with A x = b for a hermitian, positive definite A, by conjugate gradients.

    Ends when the residual's norm is at most max(tol |b|, atol), or after `maxiter` (ten times the size of b) steps. M is about the inverse of A. Raises ValueError for a matrix that is not
    square or an x0 that is not of b's structure and shapes, TypeError for an A that cannot multiply.
    """
    b, x0 = _start(b, x0)
    steps = 10 * _size(b) if maxiter is None else maxiter

    def iterate(A: Flat, b: Array, x: Array, M: Flat) -> Array:
        bound = _bound(b, tol, atol)

        def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
            x, r, p, gamma, k = state
            product = A(p)
            alpha = gamma / _dot(p, product)
            x, r = x + alpha * p, r - alpha * product
            z = M(r)
            after = _dot(r, z)
            return x, r, z + (after / gamma) * p, after, k + 1

        r = b - A(x)
        z = M(r)
        going: Callable[[Any], Array] = lambda state: (_dot(state[1], state[1]) > bound) & (state[4] < steps)  # noqa: E731
        return lax.while_loop(going, step, (x, r, z, _dot(r, z), jnp.asarray(0)))[0]

    real = not any(jnp.iscomplexobj(leaf) for leaf in tree_leaves(b))
    return _solved(A, b, x0, M, iterate, symmetric=real), None


def bicgstab(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None
) -> tuple[Any, None]:
    """`(x, None)` with A x = b for any A, by stabilised bi-conjugate gradients; the arguments and errors as of `cg`. Ends early where the method breaks down."""
    b, x0 = _start(b, x0)
    steps = 10 * _size(b) if maxiter is None else maxiter

    def iterate(A: Flat, b: Array, x: Array, M: Flat) -> Array:
        bound = _bound(b, tol, atol)
        shadow = b - A(x)

        def going(state: tuple[Array, ...]) -> Array:
            r, fine, k = state[1], state[-2], state[-1]
            return (_dot(r, r) > bound) & fine & (k < steps)

        def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
            x, r, p, q, rho, alpha, omega, _, k = state
            after = jnp.vdot(shadow, r)
            p = r + (after / rho) * (alpha / omega) * (p - omega * q)
            direction = M(p)
            q = A(direction)
            alpha = after / jnp.vdot(shadow, q)
            half = r - alpha * q
            second = M(half)
            t = A(second)
            omega = jnp.vdot(t, half) / jnp.vdot(t, t)
            enough = _dot(half, half) < bound  # then t may be zero, and omega not a number
            x = x + alpha * direction
            x, r = jnp.where(enough, x, x + omega * second), jnp.where(enough, half, half - omega * t)
            return x, r, p, q, after, alpha, omega, (after != 0) & (alpha != 0) & (omega != 0), k + 1

        one, zero = jnp.ones((), b.dtype), jnp.zeros_like(b)
        state = (x, shadow, zero, zero, one, one, one, jnp.asarray(True), jnp.asarray(0))
        return lax.while_loop(going, step, state)[0]

    return _solved(A, b, x0, M, iterate), None


def gmres(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, restart: int = 20, maxiter: int | None = None, M: Any = None,
    solve_method: str = "batched",
) -> tuple[Any, Array]:  # fmt: skip
    """`(x, info)` with A x = b for any A, by generalised minimal residuals; info is -1 if x is not a number, else 0.

    `restart` is the size of a Krylov space, `maxiter` how many are built one after the other. With `solve_method` "incremental" a space ends as soon as its residual is small enough, with
    "batched" when it is full. Other arguments and errors are as of `cg`.
    """
    if solve_method not in ("incremental", "batched"):
        raise ValueError(f"invalid solve_method {solve_method}, must be either 'incremental' or 'batched'")
    b, x0 = _start(b, x0)
    size = _size(b)
    spaces, width = 10 * size if maxiter is None else maxiter, min(restart, size)

    def iterate(A: Flat, b: Array, x: Array, M: Flat) -> Array:
        length = _norm(b)
        bound = jnp.maximum(tol * length, atol)
        within = _norm(M(b)) * jnp.minimum(1.0, bound / length) if solve_method == "incremental" else -1.0

        def going(state: tuple[Array, ...]) -> Array:
            return (_norm(state[1]) > bound) & (state[2] < spaces)

        def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
            x, residual, k = state
            x = x + _least(lambda v: M(A(v)), residual, width, within)
            return x, M(b - A(x)), k + 1

        return lax.while_loop(going, step, (x, M(b - A(x)), jnp.asarray(0)))[0]

    x = _solved(A, b, x0, M, iterate)
    return x, jnp.where(jnp.isnan(_norm(ravel_pytree(x)[0])), -1, 0)


def _least(product: Flat, residual: Array, width: int, within: Any) -> Array:
    """The vector d of a Krylov space of at most `width` dimensions for which residual - product(d) is least.

    Arnoldi's process gives an orthonormal basis (its rows) and products with product(basis[k]) = products[k] @ basis. The residual left after k steps is known without solving: with w the vector of
    w[0] = 1 for which products @ w = 0, it is the norm of the first residual over that of w.
    """
    start = _norm(residual)

    def going(state: tuple[Array, ...]) -> Array:
        _, _, w, complete, k = state
        return (k < width) & ~complete & (start / _norm(w) > within)

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        basis, products, w, _, k = state
        v = product(basis[k])
        least = jnp.finfo(v.dtype).eps * _norm(v)
        h = jnp.zeros_like(products[0])
        for _ in range(2):  # once more, for what rounding left
            part = jnp.conj(basis) @ v
            v, h = v - part @ basis, h + part
        rest = _norm(v)
        complete = rest <= least  # the space holds all that further products could give
        basis = basis.at[k + 1].set(jnp.where(complete, 0, v / rest))
        w = w.at[k + 1].set(-(w @ h) / rest)
        h = h.at[k + 1].set(jnp.where(complete, 0, rest).astype(h.dtype))
        return basis, products.at[k].set(h), w, complete, k + 1

    basis = jnp.zeros((width + 1, residual.size), residual.dtype).at[0].set(residual / start)
    products = jnp.zeros((width, width + 1), residual.dtype)
    w = jnp.zeros(width + 1, residual.dtype).at[0].set(1)
    basis, products, _, _, k = lax.while_loop(going, step, (basis, products, w, jnp.asarray(False), jnp.asarray(0)))
    absent = jnp.diag((jnp.arange(width) >= k).astype(products.dtype))
    y = solve(jnp.conj(products) @ products.T + absent, start * jnp.conj(products[:, 0]), assume_a="pos")
    return y @ basis[:-1]

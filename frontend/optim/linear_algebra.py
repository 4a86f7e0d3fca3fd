"""Iterative linear algebra that optimisers use: dominant eigenvalues, roots of matrices, least squares with unknowns that are not negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft.numpy as wnp
from weft import lax, random
from weft.array import Array
from weft.optim import tree

__all__ = ["matrix_inverse_pth_root", "nnls", "power_iteration"]


def power_iteration(
    matrix: Any,
    *,
    v0: Any = None,
    num_iters: Any = 100,
    error_tolerance: Any = 1e-6,
    precision: Any = lax.Precision.HIGHEST,
    key: Any = None,
) -> tuple[Array, Any]:
    """The eigenvalue of greatest absolute value, and a vector to it of length 1, by repeated products. `matrix` may be a function of a vector (or a tree of arrays); `v0` must then be given: ValueError otherwise."""
    times: Callable[[Any], Any]
    if callable(matrix):
        if v0 is None:
            raise ValueError("v0 must be provided when `matrix` is a callable.")
        times = matrix
    else:
        matrix = wnp.asarray(matrix)
        times = lambda v: wnp.matmul(matrix, v, precision=precision)  # noqa: E731
        if v0 is None:
            key = random.PRNGKey(0) if key is None else key
            v0 = random.uniform(key, matrix.shape[-1:], matrix.dtype, -1.0, 1.0)

    def unit(v: Any) -> Any:
        return tree.scale(1.0 / tree.norm(v), v)

    def go_on(loop: Any) -> Any:
        v, product, value, count = loop
        rest = tree.norm(tree.add_scale(product, -value, v))
        return ~(wnp.abs(rest / value) < error_tolerance) & (count < num_iters)

    def step(loop: Any) -> Any:
        v = unit(loop[1])
        product = times(v)
        return v, product, wnp.asarray(tree.vdot(v, product), loop[2].dtype), loop[3] + 1

    start = unit(v0)
    _, product, value, _ = lax.while_loop(go_on, step, (start, times(start), wnp.asarray(0.0), wnp.asarray(0)))
    return value, unit(product)


def matrix_inverse_pth_root(
    matrix: Any,
    p: Any,
    num_iters: Any = 100,
    ridge_epsilon: Any = 1e-6,
    error_tolerance: Any = 1e-6,
    precision: Any = lax.Precision.HIGHEST,
) -> tuple[Array, Any]:
    """`matrix ** (-1 / p)` of a symmetric positive definite matrix, p being 1, 2, 4 or 8, and how far the iteration is from its end. C. Guo and N. Higham, "A Schur-Newton method", 2006.

    `ridge_epsilon` times the greatest eigenvalue is added to the diagonal.
    """
    matrix = wnp.asarray(matrix)
    alpha = wnp.asarray(-1.0 / p, "float32")
    one = wnp.eye(matrix.shape[0], dtype="float32")
    greatest, _ = power_iteration(matrix, num_iters=100, error_tolerance=1e-6, precision=precision)
    ridge = ridge_epsilon * wnp.maximum(greatest, 1e-16)
    if matrix.shape[0] == 1:
        return (matrix + ridge) ** alpha, 0

    def times(x: Array, y: Array) -> Array:
        return wnp.matmul(x, y, precision=precision)

    def power(x: Array) -> Array:
        def squarings(count: int) -> Callable[[Array], Array]:
            return lambda y: y if not count else squarings(count - 1)(times(y, y))

        return lax.switch(wnp.asarray(wnp.round(wnp.log2(p)), "int32"), [squarings(n) for n in range(4)], x)

    def go_on(loop: Any) -> Any:
        count, *_, error, run = loop
        return (count < num_iters) & (error > error_tolerance) & run

    def step(loop: Any) -> Any:
        count, rest, root, _, error, _ = loop
        factor = (1 - alpha) * one + alpha * rest
        rest, new = times(power(factor), rest), times(root, factor)
        now = wnp.max(wnp.abs(rest - one))
        return count + 1, rest, new, root, now, now < error * 1.2

    damped = matrix + ridge * one
    z = (1 + p) / (2 * wnp.linalg.norm(damped))
    rest, root = damped * z, one * wnp.power(z, 1.0 / p)
    start = (wnp.asarray(0), rest, root, root, wnp.max(wnp.abs(rest - one)), wnp.asarray(True))
    _, rest, root, before, _, converged = lax.while_loop(go_on, step, start)
    return wnp.where(converged, root, before).astype(matrix.dtype), wnp.max(wnp.abs(rest - one))


def nnls(A: Any, b: Any, iters: int, unroll: int | bool = 1, L: Any = None) -> Array:
    """The x >= 0 for which ||A x - b|| is least, by `iters` steps of the accelerated projected gradient. R. Polyak, "Projected gradient method for non-negative least squares", 2015.

    `A` has the shape (M, N), `b` (M,) or (M, K). `L` is a bound of the greatest eigenvalue of A'A; one is computed if it is not given.
    """
    matrix, goal = wnp.asarray(A), wnp.asarray(b)
    if matrix.ndim != 2 or goal.ndim not in (1, 2) or goal.shape[0] != matrix.shape[0]:
        raise ValueError(
            f"nnls: expected A of shape (M, N) and b of shape (M,) or (M, K), got {matrix.shape} and {goal.shape}"
        )
    square, right = matrix.T @ matrix, matrix.T @ goal
    bound = L
    if L is None:
        # Both norms bound the spectral radius.
        column = wnp.linalg.norm(square, 1) if square.size else 0
        bound = wnp.minimum(wnp.linalg.norm(square), column)
    bound = wnp.where(bound == 0, 1, bound)

    def step(loop: Any, _: None) -> tuple[Any, None]:
        x, ahead, c = loop
        further = (1 + wnp.sqrt(1 + 4 * c**2)) / 2
        new = wnp.clip(ahead - (square @ ahead - right) / bound, 0)
        return (new, new + (c - 1) / further * (new - x), further), None

    x = wnp.zeros((matrix.shape[1], *goal.shape[1:]), goal.dtype)
    (x, _, _), _ = lax.scan(step, (x, x, wnp.asarray(0.0)), length=iters, unroll=unroll)
    return x

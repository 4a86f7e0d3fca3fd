"""Minima of functions of a vector (`jax.scipy.optimize`), by BFGS.

Nocedal and Wright, "Numerical Optimization" (1999): algorithm 6.1, with the line search of algorithms 3.5 and 3.6. All of it is `lax.while_loop`s, so `minimize` may be jitted and mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import weft.numpy as jnp
from weft import lax
from weft.array import Array
from weft.autodiff import value_and_grad

__all__ = ["OptimizeResults", "minimize"]

SUFFICIENT, CURVATURE = 1e-4, 0.9
"""The constants of the strong Wolfe conditions."""
ZOOMS = 30
"""The most steps of a zoom."""


class OptimizeResults(NamedTuple):
    """The minimum `x`, the value and gradient there, the inverse Hessian as estimated, and how the search went.

    `status`: 0 if it converged, 1 after the most iterations, 3 and 5 if the line search failed (no step in an interval, too many steps), else -1. `nfev`, `njev` and `nit` count calls of the
    function, of its gradient, and iterations.
    """

    x: Any
    success: Any
    status: Any
    fun: Any
    jac: Any
    hess_inv: Any
    nfev: Any
    njev: Any
    nit: Any


class Point(NamedTuple):
    """A step along the line, the function there, its slope along the line, and its gradient."""

    step: Array
    value: Array
    slope: Array
    gradient: Array


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    *,
    method: str,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:
    """A minimum of `fun(x, *args)`, a scalar, from a vector x0, by `method` "BFGS" (in any case).

    `options`: `maxiter` (200 for each element of x), `norm` (of the gradient; inf), `gtol` (1e-5, where its norm ends the search) and `line_search_maxiter` (10). `tol` is not used, as in JAX.
    Raises TypeError for args that are no tuple, ValueError for another method.
    """
    if not isinstance(args, tuple):
        raise TypeError(f"args argument to weft.scipy.optimize.minimize must be a tuple, got {args}")
    if method.lower() != "bfgs":
        raise ValueError(f"Method {method} not recognized")
    return _bfgs(lambda x: fun(x, *args), jnp.asarray(x0), **(options or {}))


class _State(NamedTuple):
    x: Array
    value: Array
    gradient: Array
    inverse: Array
    before: Array
    converged: Array
    failure: Array
    calls: Array
    k: Array


def _bfgs(
    fun: Callable[[Any], Any],
    x: Array,
    maxiter: int | None = None,
    norm: Any = jnp.inf,
    gtol: float = 1e-5,
    line_search_maxiter: int = 10,
) -> OptimizeResults:
    most = 200 * x.size if maxiter is None else maxiter
    eye = jnp.eye(x.shape[0], dtype=x.dtype)
    evaluate = value_and_grad(fun)

    def going(s: _State) -> Array:
        return ~s.converged & (s.failure == 0) & (s.k < most)

    def step(s: _State) -> _State:
        direction = -(s.inverse @ s.gradient)

        def at(length: Array) -> Point:
            value, gradient = evaluate(s.x + length * direction)
            return Point(length, value, gradient @ direction, gradient)

        zero = Point(jnp.zeros_like(s.value), s.value, s.gradient @ direction, s.gradient)
        guess = 1.01 * 2 * (s.value - s.before) / zero.slope
        found, failure, calls = _search(at, zero, jnp.where(guess > 1, 1, guess), line_search_maxiter)
        moved, change = found.step * direction, found.gradient - s.gradient
        rho = 1 / (change @ moved)
        w = eye - rho * jnp.outer(moved, change)
        inverse = w @ s.inverse @ w.T + rho * jnp.outer(moved, moved)
        inverse = jnp.where(jnp.isfinite(rho), inverse, s.inverse)
        converged = jnp.linalg.norm(found.gradient, ord=norm) < gtol
        return _State(
            s.x + moved, found.value, found.gradient, inverse, s.value, converged, failure, s.calls + calls, s.k + 1
        )

    value, gradient = evaluate(x)
    none, converged = jnp.asarray(0), jnp.linalg.norm(gradient, ord=norm) < gtol
    before = value + jnp.linalg.norm(gradient) / 2
    s = lax.while_loop(going, step, _State(x, value, gradient, eye, before, converged, none, none + 1, none))
    failed = jnp.where(s.failure != 0, 2 + s.failure, -1)
    status = jnp.where(s.converged, 0, jnp.where(s.k == most, 1, failed))
    success = s.converged & (s.failure == 0)
    return OptimizeResults(s.x, success, status, s.value, s.gradient, s.inverse, s.calls, s.calls, s.k)


def _choose(condition: Array, x: Point, y: Point) -> Point:
    return Point(*(jnp.where(condition, a, b) for a, b in zip(x, y, strict=True)))


def _long(zero: Point, p: Point) -> Array:
    """The step is too long: the function does not decrease enough (the first Wolfe condition)."""
    return p.value > zero.value + SUFFICIENT * p.step * zero.slope


def _flat(zero: Point, p: Point) -> Array:
    """The slope is small enough (the second Wolfe condition)."""
    return jnp.abs(p.slope) <= -CURVATURE * zero.slope


def _search(at: Callable[[Array], Point], zero: Point, first: Array, most: int) -> tuple[Point, Array, Array]:
    """A point that meets the Wolfe conditions: steps double until one does, or an interval has one within.

    Gives the point, why there is none (0; 1 if a zoom failed, 3 if the steps are used up), and the number of calls.
    """

    def going(state: tuple[Any, ...]) -> Array:
        _, _, done, failed, i, _ = state
        return ~done & ~failed & (i <= most)

    def step(state: tuple[Any, ...]) -> tuple[Any, ...]:
        last, best, _, _, i, calls = state
        p = at(jnp.where(i == 1, first, 2 * last.step))
        beyond = _long(zero, p) | ((p.value >= last.value) & (i > 1))
        good = _flat(zero, p) & ~beyond
        rising = (p.slope >= 0) & ~beyond & ~good
        inside = beyond | rising
        between, failed, more = _zoom(at, zero, _choose(beyond, last, p), _choose(beyond, p, last), inside)
        best = _choose(inside, between, _choose(good, p, best))
        return p, best, inside | good, inside & failed, i + 1, calls + 1 + more

    no, one = jnp.asarray(False), jnp.asarray(1)
    _, best, done, failed, _, calls = lax.while_loop(going, step, (zero, zero, no, no, one, one - 1))
    return best, jnp.where(failed, 1, jnp.where(done, 0, 3)), calls


def _least(lo: Point, hi: Point, past: Point, j: Array) -> Array:
    """A step within the interval: the minimum of the cubic through three points, else of the parabola through two, where it is not too near an end; else the middle."""
    wide, other = hi.step - lo.step, past.step - lo.step
    far = hi.value - lo.value - lo.slope * wide
    away = past.value - lo.value - lo.slope * other
    scale = (wide * other) ** 2 * (wide - other)
    a = (other**2 * far - wide**2 * away) / scale
    b = (wide**3 * away - other**3 * far) / scale
    cubic = lo.step + (-b + jnp.sqrt(b * b - 3 * a * lo.slope)) / (3 * a)
    parabola = lo.step - lo.slope * wide**2 / (2 * far)
    left, size = jnp.minimum(lo.step, hi.step), jnp.abs(wide)

    def within(step: Array, margin: float) -> Array:
        return (step > left + margin * size) & (step < left + (1 - margin) * size)

    middle = (lo.step + hi.step) / 2
    return jnp.where((j > 0) & within(cubic, 0.2), cubic, jnp.where(within(parabola, 0.1), parabola, middle))


def _zoom(at: Callable[[Array], Point], zero: Point, lo: Point, hi: Point, active: Array) -> tuple[Point, Array, Array]:
    """A point that meets the Wolfe conditions between `lo`, of the least value so far, and `hi`; whether there is none to be found; the number of calls (none unless `active`)."""
    threshold = 1e-10 if jnp.finfo(zero.step.dtype).bits == 64 else 1e-5

    def going(state: tuple[Any, ...]) -> Array:
        _, _, _, done, failed, _ = state
        return active & ~done & ~failed

    def step(state: tuple[Any, ...]) -> tuple[Any, ...]:
        lo, hi, past, _, _, j = state
        narrow = jnp.abs(hi.step - lo.step) <= threshold
        p = at(_least(lo, hi, past, j))
        worse = _long(zero, p) | (p.value >= lo.value)
        done = _flat(zero, p) & ~worse
        turns = (p.slope * (hi.step - lo.step) >= 0) & ~worse
        past = _choose(worse | turns, hi, lo)
        hi = _choose(worse, p, _choose(turns, lo, hi))
        return _choose(worse, lo, p), hi, past, done, ~done & (narrow | (j + 1 >= ZOOMS)), j + 1

    no = jnp.asarray(False)
    lo, _, _, _, failed, j = lax.while_loop(going, step, (lo, hi, hi, no, no, jnp.asarray(0)))
    return lo, failed, j

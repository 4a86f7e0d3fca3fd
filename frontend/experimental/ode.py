"""`odeint`: ordinary differential equations by the method of J. Dormand and P. Prince (1980), of order 5 with an error estimate of order 4, and steps as long as the error allows.

Between steps the solution is a polynomial of degree 4 (L. Shampine, 1986). Its reverse derivative is the adjoint equation, solved backwards from one time to the one before: it needs no more memory than
the solution itself (L. Pontryagin; R. Chen et al., "Neural ordinary differential equations", 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft import lax
from weft import numpy as jnp
from weft.array import Array, lift, wrap
from weft.autodiff import vjp
from weft.custom import closure_convert, custom_vjp
from weft.flatten_util import ravel_pytree
from weft.tree_util import tree_flatten, tree_map
from weft.vmap import vmap

__all__ = ["odeint"]

TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
WEIGHTS = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
"""Of the slopes, for each stage. The last stage is the solution, whose slope is the first of the next step."""

ERROR = (
    35 / 384 - 1951 / 21600, 0.0, 500 / 1113 - 22642 / 50085, 125 / 192 - 451 / 720, -2187 / 6784 + 12231 / 42400, 11 / 84 - 649 / 6300, -1 / 60,
)  # fmt: skip
"""The solution less one of order 4."""

MIDDLE = (
    6025192743 / 30085553152, 0.0, 51252292925 / 65400821598, -2691868925 / 45128329728, 187940372067 / 1594534317056, -1776094331 / 19743644256, 11237099 / 235043384,
)  # fmt: skip
"""Twice the slopes' weights for the middle of a step."""

Slope = Callable[[Array, Array], Array]


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Array,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: float = jnp.inf,
    hmax: float = jnp.inf,
) -> Any:
    """The solution of dy/dt = `func(y, t, *args)` at the times `t`, which grow, beginning with `y0` at `t[0]`: a pytree as `y0`, with a leading axis of length `len(t)`.

    The error of a step stays below `atol + rtol * |y|`; a step is at most `hmax` long, and there are at most `mxstep` of them between two times. Differentiable in reverse by `y0`, `t` and `args`
    (pytrees of arrays). Raises TypeError for times that are no floats.
    """
    times = wrap(lift(t))
    if times.dtype.kind != "f":
        raise TypeError(f"t must be an array of floats, but got {t}.")
    for x in tree_flatten(args)[0]:
        try:
            lift(x)
        except TypeError as error:
            raise TypeError(f"The contents of odeint *args must be arrays or scalars, but got {x}.") from error
    leaves, tree = tree_flatten(args)
    varying = [lift(x).dtype.kind in "fc" for x in leaves]

    def with_floats(y: Any, t: Any, *floats: Any) -> Any:
        rest = iter(floats)
        return func(y, t, *tree.unflatten([next(rest) if on else x for x, on in zip(leaves, varying, strict=True)]))

    floats = [x for x, on in zip(leaves, varying, strict=True) if on]
    start, unravel = ravel_pytree(y0)
    converted, consts = closure_convert(with_floats, y0, times[0], *floats)

    def slope(y: Array, t: Array, *floats: Any) -> Array:
        return ravel_pytree(converted(unravel(y), t, *floats))[0]

    limits = float(rtol), float(atol), float(mxstep), float(hmax)
    return vmap(unravel)(_solution(slope, limits, start, times, *floats, *consts))


def _solve(slope: Any, limits: tuple[float, ...], y0: Array, times: Array, *args: Any) -> Array:
    """The solution at all times, for a vector."""
    rtol, atol, most, longest = limits

    def f(y: Array, t: Array) -> Array:
        return slope(y, t, *args)

    def until(state: Any, target: Array) -> Any:
        def going(state: Any) -> Any:
            count, _, _, t, h, _, _ = state
            return (t < target) & (count < most) & (h > 0)

        def advance(state: Any) -> Any:
            count, y, first, t, h, before, curve = state
            slopes, end = _stages(f, y, first, t, h)
            size = atol + rtol * jnp.maximum(jnp.abs(y), jnp.abs(end))
            error = jnp.sqrt(jnp.mean(jnp.abs(_combined(h, ERROR, slopes) / size.astype(y.dtype)) ** 2))
            longer = jnp.clip(0.9 * error ** (-1 / 5), jnp.where(error < 1, 1.0, 0.2), 10.0)
            next_h = jnp.clip(h * jnp.where(error == 0, 10.0, longer).astype(h.dtype), 0, longest)
            new = end, slopes[-1], t + h, next_h, t, _curve(y, end, slopes, h)
            old = y, first, t, next_h, before, curve
            return [count + 1, *(jnp.where(error <= 1, a, b) for a, b in zip(new, old, strict=True))]

        _, *state = lax.while_loop(going, advance, [0, *state])
        _, _, t, _, before, curve = state
        part = ((target - before) / (t - before)).astype(curve.dtype)
        return state, jnp.polyval(curve, part)

    first = f(y0, times[0])
    h = jnp.clip(_first_step(f, times[0], y0, first, rtol, atol), 0, longest).astype(times.dtype)
    state = [y0, first, times[0], h, times[0], jnp.stack([y0] * 5)]
    _, ys = lax.scan(until, state, times[1:])
    return jnp.concatenate([y0[None], ys])


def _combined(h: Array, weights: Sequence[float], slopes: Sequence[Array]) -> Array:
    terms = [w * k for w, k in zip(weights, slopes, strict=True) if w]
    return h.astype(slopes[0].dtype) * sum(terms[1:], terms[0])


def _stages(f: Slope, y: Array, first: Array, t: Array, h: Array) -> tuple[list[Array], Array]:
    """The slopes of a step, and where it ends."""
    slopes, here = [first], y
    for time, weights in zip(TIMES, WEIGHTS, strict=True):
        here = y + _combined(h, weights, slopes)
        slopes.append(f(here, t + time * h))
    return slopes, here


def _curve(y: Array, end: Array, slopes: Sequence[Array], h: Array) -> Array:
    """The polynomial of degree 4 that has the values of a step at both ends and in its middle, and the slopes at its ends; the highest power first."""
    rise, fall = (h.astype(y.dtype) * slopes[k] for k in (0, -1))
    a, b = end - y - rise, fall - rise
    c = _combined(h, MIDDLE, slopes) / 2 - rise / 2
    return jnp.stack([16 * c - 8 * a + 2 * b, -32 * c + 14 * a - 3 * b, 16 * c - 5 * a + b, rise, y])


def _first_step(f: Slope, t: Array, y: Array, first: Array, rtol: float, atol: float) -> Array:
    """A length for the first step (E. Hairer, S. Nørsett, G. Wanner, "Solving Ordinary Differential Equations I", II.4)."""

    def norm(x: Array) -> Array:
        return jnp.linalg.norm(x / (atol + jnp.abs(y) * rtol).astype(x.dtype))

    value, change = norm(y), norm(first)
    h = jnp.where((value < 1e-5) | (change < 1e-5), 1e-6, 0.01 * value / change)
    bend = norm(f(y + h.astype(y.dtype) * first, t + h) - first) / h
    flat = (change <= 1e-15) & (bend <= 1e-15)
    other = jnp.where(flat, jnp.maximum(1e-6, h * 1e-3), (0.01 / jnp.maximum(change, bend)) ** (1 / 5))
    return jnp.minimum(100 * h, other)


_solution = custom_vjp(_solve, nondiff_argnums=(0, 1))


def _forward(slope: Any, limits: Any, y0: Array, times: Array, *args: Any) -> Any:
    ys = _solution(slope, limits, y0, times, *args)
    return ys, (ys, times, args)


def _backward(slope: Any, limits: Any, kept: Any, cts: Array) -> Any:
    """The adjoint equation runs in negative time, from each time to the one before, along with the solution."""
    ys, times, args = kept
    rtol, atol, most, longest = limits

    def adjoint(state: Any, t: Array, *args: Any) -> Any:
        y, ct, *_ = state
        change, pull = vjp(slope, y, -t, *args)
        of_y, of_time, *of_args = pull(ct)
        return -change, of_y, of_time, tuple(of_args)

    def back(carry: Any, k: Array) -> Any:
        ct, at_start, of_args = carry
        of_time = jnp.dot(slope(ys[k], times[k], *args), cts[k]).real
        state = ys[k], ct, at_start - of_time, of_args
        span = jnp.stack([-times[k], -times[k - 1]])
        found = odeint(adjoint, state, span, *args, rtol=rtol, atol=atol, mxstep=most, hmax=longest)
        _, ct, at_start, of_args = tree_map(lambda x: x[1], found)
        return (ct + cts[k - 1], at_start, of_args), of_time

    zero = tree_map(lambda x: jnp.zeros_like(jnp.asarray(x)), tuple(args))
    start = cts[-1], jnp.zeros((), times.dtype), zero
    (ct, at_start, of_args), of_times = lax.scan(back, start, jnp.arange(len(times) - 1, 0, -1))
    return (ct, jnp.concatenate([at_start[None], of_times[::-1]]), *of_args)


_solution.defvjp(_forward, _backward)

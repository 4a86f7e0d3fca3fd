"""Line searches: how far to go along a direction, by values (and slopes) of the function that is minimised.

Both come last in a chain, and their `update` wants the function besides: `update(grad, state, params, value=…, grad=…, value_fn=f)`, and by name what `f` takes beside the parameters.
They keep the value and the gradient where they stopped; `value_and_grad_from_state` gives these instead of computing them again. The search is a loop on the device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft import autodiff, lax
from weft.array import Array
from weft.debug import print as debug_print
from weft.optim import tree
from weft.optim.base import (
    GradientTransformationExtraArgs,
    Params,
    State,
    Updates,
    needs_params,
    safe_increment,
)
from weft.tree_util import tree_leaves

__all__ = [
    "BacktrackingLinesearchInfo", "ScaleByBacktrackingLinesearchState", "ScaleByZoomLinesearchState", "ZoomLinesearchInfo",
    "scale_by_backtracking_linesearch", "scale_by_zoom_linesearch", "value_and_grad_from_state",
]  # fmt: skip

Result = tuple[Updates, State]


def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, Updates]]:
    """`value_and_grad(value_fn)`, which takes value and gradient from `state` (an argument by name) if a line search has left them there. Raises ValueError if the state has no place for them."""

    def value_and_grad(params: Params, *fn_args: Any, state: Any, **fn_kwargs: Any) -> tuple[Any, Updates]:
        value, grad = tree.get(state, "value"), tree.get(state, "grad")
        if value is None or grad is None:
            raise ValueError(
                "Value or gradient not found in the state. Make sure that these values are stored in the state by the optimizer."
            )
        return lax.cond(
            wnp.isfinite(value),
            lambda *_: (value, grad),
            lambda p, args, kwargs: autodiff.value_and_grad(value_fn)(p, *args, **kwargs),
            params,
            fn_args,
            fn_kwargs,
        )

    return value_and_grad


def _own_arguments(value_fn: Callable[..., Any], extra: dict[str, Any], what: str) -> Callable[..., Any]:
    """`value_fn` with those arguments that are its own. Raises TypeError for others."""
    unknown = extra.keys() - signature(value_fn).parameters.keys()
    if unknown:
        raise TypeError(
            f"Unexpected keyword arguments passed to `{what}.update`. These arguments were not consumed by `value_fn`: {sorted(unknown)}. "
            "Ensure that all extra keyword arguments are accepted by `value_fn`."
        )
    return partial(value_fn, **extra)


def _real_dtype(params: Params) -> Any:
    """That of the values of a function of the parameters."""
    return wnp.real(wnp.zeros((), tree_leaves(params)[0].dtype)).dtype


def _violation(error: Any) -> Array:
    """How far a criterion is from being met: 0 if it is, infinite for NaN."""
    return wnp.where(wnp.isnan(error), wnp.inf, wnp.maximum(error, 0.0))


def _tell(condition: Any, message: str, **values: Any) -> None:
    """Prints where a condition holds."""
    lax.cond(condition, lambda: debug_print(message, ordered=True, **values), lambda: None)


# -- backtracking -------------------------------------------------------------------------------------------------------------------------


class BacktrackingLinesearchInfo(NamedTuple):
    """How many steps a search took, and how far it is from a sufficient decrease (0: it found one)."""

    num_linesearch_steps: Any
    decrease_error: Any


class ScaleByBacktrackingLinesearchState(NamedTuple):
    """The learning rate that was found; the function's value there, and its gradient if it is stored."""

    learning_rate: Any
    value: Any
    grad: Updates | None
    info: BacktrackingLinesearchInfo


class _Backtracking(NamedTuple):
    learning_rate: Any
    value: Any
    grad: Updates
    decrease_error: Any
    steps: Any


def scale_by_backtracking_linesearch(
    max_backtracking_steps: int,
    slope_rtol: Any = 1e-4,
    decrease_factor: Any = 0.8,
    increase_factor: Any = 1.5,
    max_learning_rate: Any = 1.0,
    atol: Any = 0.0,
    rtol: Any = 0.0,
    store_grad: bool = False,
    verbose: bool = False,
) -> GradientTransformationExtraArgs:
    """Updates times a learning rate that decreases the function enough (L. Armijo, 1966), searched for downwards from `increase_factor` times the last one.

    Enough is f(w + η u) <= (1 + rtol) f(w) + η slope_rtol <u, ∇f(w)> + atol. `store_grad` computes the gradient where the search stops. `verbose` prints where it fails.
    """

    def init(params: Params) -> ScaleByBacktrackingLinesearchState:
        dtype = _real_dtype(params)
        return ScaleByBacktrackingLinesearchState(
            wnp.array(1.0, dtype),
            wnp.array(wnp.inf, dtype),
            tree.zeros_like(params) if store_grad else None,
            BacktrackingLinesearchInfo(wnp.asarray(0), wnp.array(wnp.inf, dtype)),
        )

    def update(
        updates: Updates,
        state: ScaleByBacktrackingLinesearchState,
        params: Params = None,
        *,
        value: Any,
        grad: Updates,
        value_fn: Callable[..., Any],
        **extra: Any,
    ) -> Result:
        needs_params(params)
        f = _own_arguments(value_fn, extra, "scale_by_backtracking_linesearch")
        slope = tree.real(tree.vdot(updates, tree.conj(grad)))

        def error(rate: Any, found: Any) -> Array:
            return _violation(found - (1.0 + rtol) * value - rate * slope_rtol * slope)

        def go_on(search: _Backtracking) -> Any:
            return ~(search.decrease_error <= atol) & (search.steps <= max_backtracking_steps)

        def step(search: _Backtracking) -> _Backtracking:
            rate = wnp.where(search.steps > 0, decrease_factor * search.learning_rate, search.learning_rate)
            there = tree.add_scale(params, rate, updates)
            if not store_grad:
                found, kept = f(there), search.grad
                wrong = error(rate, found)
            else:
                found, pull = autodiff.vjp(f, there)
                wrong = error(rate, found)
                stops = (wrong <= atol) | (search.steps == max_backtracking_steps)
                kept = lax.cond(stops, lambda: pull(wnp.ones_like(found))[0], lambda: search.grad)
            return tree.cast_like(_Backtracking(rate, found, kept, wrong, search.steps + 1), search)

        start = wnp.minimum(increase_factor * state.learning_rate, max_learning_rate)
        found = lax.while_loop(
            go_on, step, _Backtracking(start, value, tree.zeros_like(params), wnp.array(wnp.inf), wnp.asarray(0))
        )
        # An infinite error: no step was worth taking.
        rate = wnp.where(wnp.isinf(found.decrease_error), 0.0, found.learning_rate)
        if verbose:
            _tell(
                found.decrease_error > atol,
                "INFO: scale_by_backtracking_linesearch: no sufficient decrease was found.\nValue at current params: {value}\n"
                "Slope along update direction: {slope}\nStepsize: {stepsize}\nDecrease Error: {error}",
                value=value,
                slope=slope,
                stepsize=found.learning_rate,
                error=found.decrease_error,
            )
        made = ScaleByBacktrackingLinesearchState(
            rate,
            found.value,
            found.grad if store_grad else None,
            BacktrackingLinesearchInfo(found.steps, found.decrease_error),
        )
        return tree.scale(rate, updates), tree.cast_like(made, state)

    return GradientTransformationExtraArgs(init, update)


# -- zooming ------------------------------------------------------------------------------------------------------------------------------


class ZoomLinesearchInfo(NamedTuple):
    """How many steps a search took, and how far it is from a sufficient decrease and from a small curvature (0: it found one)."""

    num_linesearch_steps: Any
    decrease_error: Any
    curvature_error: Any


class ScaleByZoomLinesearchState(NamedTuple):
    """The learning rate that was found; the function's value and gradient there."""

    learning_rate: Any
    value: Any
    grad: Updates
    info: ZoomLinesearchInfo


class _Point(NamedTuple):
    """A place on the line: how far, the function's value and its slope."""

    stepsize: Any
    value: Any
    slope: Any


class _Zoom(NamedTuple):
    """A search. Between `low` and `high` there is a good place; the value at `low` is not the greater one. `reference` is a third place for cubic interpolation, `safe` the best one that decreases enough (its slope is
    not used)."""

    count: Any  # pyright: ignore[reportIncompatibleMethodOverride]
    here: _Point
    grad: Updates
    decrease_error: Any
    curvature_error: Any
    interval_found: Any
    done: Any
    failed: Any
    low: _Point
    high: _Point
    reference: _Point
    safe: _Point
    safe_grad: Updates


def _cubic_minimum(a: _Point, b: _Point, c: _Point) -> Array:
    """Where the cubic through three points, with the slope at the first, is least; NaN if nowhere."""
    db, dc = b.stepsize - a.stepsize, c.stepsize - a.stepsize
    eb, ec = b.value - a.value - a.slope * db, c.value - a.value - a.slope * dc
    denominator = (db * dc) ** 2 * (db - dc)
    third = (dc**2 * eb - db**2 * ec) / denominator
    second = (-(dc**3) * eb + db**3 * ec) / denominator
    return a.stepsize + (-second + wnp.sqrt(second * second - 3.0 * third * a.slope)) / (3.0 * third)


def _quadratic_minimum(a: _Point, b: _Point) -> Array:
    """Where the parabola through two points, with the slope at the first, is least."""
    db = b.stepsize - a.stepsize
    second = (b.value - a.value - a.slope * db) / (db * db)
    return a.stepsize - a.slope / (2.0 * second)


def _interpolated(low: _Point, high: _Point, reference: _Point) -> Array:
    """A place between two: by cubic interpolation if it gives one well within, else by quadratic, else the middle."""
    left, right = wnp.minimum(low.stepsize, high.stepsize), wnp.maximum(low.stepsize, high.stepsize)
    width = right - left

    def within(x: Array, margin: float) -> Array:
        return (x > left + margin * width) & (x < right - margin * width)

    cubic, quadratic = _cubic_minimum(low, high, reference), _quadratic_minimum(low, high)
    middle = (low.stepsize + high.stepsize) / 2.0
    return wnp.where(within(cubic, 0.2), cubic, wnp.where(within(quadratic, 0.1), quadratic, middle))


def scale_by_zoom_linesearch(
    max_linesearch_steps: int,
    max_learning_rate: Any = None,
    tol: Any = 0.0,
    increase_factor: Any = 2.0,
    slope_rtol: Any = 1e-4,
    curv_rtol: Any = 0.9,
    approx_dec_rtol: Any = 1e-6,
    stepsize_precision: Any = 1e-5,
    initial_guess_strategy: str = "keep",
    verbose: bool = False,
) -> GradientTransformationExtraArgs:
    """Updates times a learning rate at which the function has decreased enough and its slope is small enough (the strong Wolfe conditions).

    J. Nocedal and S. Wright, "Numerical Optimization", 1999, algorithms 3.5 (steps grow until an interval has a good one) and 3.6 (the interval shrinks). Close to a minimum, where values
    are the same but for rounding (`approx_dec_rtol`), the decrease is judged by slopes: W. Hager and H. Zhang, "Algorithm 851", 2006. `initial_guess_strategy`: "one", or "keep" to
    start from the last learning rate. Where nothing is found, the best step that decreases enough is taken; `verbose` prints it.
    """
    if initial_guess_strategy not in ("one", "keep"):
        raise ValueError(f"Unknown initial guess strategy: {initial_guess_strategy}")

    def init(params: Params) -> ScaleByZoomLinesearchState:
        dtype = _real_dtype(params)
        return ScaleByZoomLinesearchState(
            wnp.asarray(1.0, dtype),
            wnp.asarray(wnp.inf, dtype),
            tree.zeros_like(params),
            ZoomLinesearchInfo(wnp.asarray(0), wnp.asarray(wnp.inf), wnp.asarray(wnp.inf)),
        )

    def update(
        updates: Updates,
        state: ScaleByZoomLinesearchState,
        params: Params = None,
        *,
        value: Any,
        grad: Updates,
        value_fn: Callable[..., Any],
        **extra: Any,
    ) -> Result:
        needs_params(params)
        value_and_grad = autodiff.value_and_grad(_own_arguments(value_fn, extra, "scale_by_zoom_linesearch"))
        dtype = _real_dtype(params)
        at_zero = _Point(*(wnp.asarray(x, dtype) for x in (0.0, value, tree.real(tree.vdot(updates, grad)))))

        def evaluate(stepsize: Any) -> tuple[_Point, Updates, Array, Array]:
            """A place, the gradient there, and how far the two conditions are from being met."""
            found, there_grad = value_and_grad(tree.add_scale(params, stepsize, updates))
            slope = tree.real(tree.vdot(tree.conj(there_grad), updates))
            decrease = found - at_zero.value - slope_rtol * stepsize * at_zero.slope
            if approx_dec_rtol is not None:
                close = found - at_zero.value - approx_dec_rtol * wnp.abs(at_zero.value)
                decrease = wnp.minimum(wnp.maximum(slope - (2 * slope_rtol - 1.0) * at_zero.slope, close), decrease)
            curvature = wnp.abs(slope) - curv_rtol * wnp.abs(at_zero.slope)
            return _Point(stepsize, found, slope), there_grad, _violation(decrease), _violation(curvature)

        def widen(search: _Zoom) -> _Zoom:
            """A larger step, until there is an interval (algorithm 3.5)."""
            before, first = search.here, search.count == 0
            guess = state.learning_rate if initial_guess_strategy == "keep" else 1.0
            stepsize = wnp.where(first, guess, increase_factor * before.stepsize)
            at_most = wnp.asarray(False)
            if max_learning_rate is not None:
                at_most = stepsize >= max_learning_rate
                stepsize = wnp.minimum(stepsize, max_learning_rate)
            here, there_grad, decrease, curvature = evaluate(stepsize)
            error = wnp.maximum(decrease, curvature)
            safe, safe_grad = tree.where(decrease <= tol, (here, there_grad), (search.safe, search.safe_grad))
            high_is_here = (decrease > 0.0) | ((here.value >= before.value) & ~first)
            low_is_here = (here.slope >= 0.0) & ~high_is_here
            low, high = tree.where(low_is_here, (here, before), (before, here))
            good = error <= tol
            found = high_is_here | low_is_here | good
            done = good | (at_most & ~found)
            return search._replace(
                here=here,
                grad=there_grad,
                decrease_error=decrease,
                curvature_error=curvature,
                interval_found=found,
                done=done,
                failed=(search.count + 1 >= max_linesearch_steps) & ~done,
                low=low,
                high=high,
                reference=low,
                safe=safe,
                safe_grad=safe_grad,
            )

        def zoom(search: _Zoom) -> _Zoom:
            """A smaller interval (algorithm 3.6)."""
            low, high = search.low, search.high
            too_small = wnp.abs(high.stepsize - low.stepsize) <= stepsize_precision
            here, there_grad, decrease, curvature = evaluate(_interpolated(low, high, search.reference))
            done = wnp.maximum(decrease, curvature) <= tol
            better = (decrease <= tol) & (here.value < search.safe.value)
            safe, safe_grad = tree.where(better, (here, there_grad), (search.safe, search.safe_grad))
            high_is_here = (decrease > 0.0) | (here.value >= low.value)
            turns = (here.slope * (high.stepsize - low.stepsize) >= 0.0) & ~high_is_here
            given_up = (search.count + 1 >= max_linesearch_steps) | (too_small & (safe.stepsize > 0.0))
            return search._replace(
                here=here,
                grad=there_grad,
                decrease_error=decrease,
                curvature_error=curvature,
                done=done,
                failed=given_up & ~done,
                low=tree.where(high_is_here, low, here),
                high=tree.where(turns, low, tree.where(high_is_here, here, high)),
                reference=tree.where(high_is_here | turns, high, low),
                safe=safe,
                safe_grad=safe_grad,
            )

        def step(search: _Zoom) -> _Zoom:
            moved = lax.cond(search.interval_found, zoom, lambda s: tree.cast_like(widen(s), s), search)
            return tree.cast_like(moved._replace(count=safe_increment(search.count)), search)

        no, far = wnp.asarray(False), wnp.asarray(wnp.inf, dtype)
        found = lax.while_loop(
            lambda search: ~(search.done | search.failed),
            step,
            _Zoom(wnp.asarray(0), at_zero, grad, far, far, no, no, no, at_zero, at_zero, at_zero, at_zero, grad),
        )
        # Where it failed: the best step that decreases enough, or the last one if it leads to numbers at all.
        fall_back = found.failed & ((found.safe.stepsize > 0.0) | wnp.isinf(found.decrease_error))
        here, there_grad = tree.where(fall_back, (found.safe, found.safe_grad), (found.here, found.grad))
        if verbose:
            _tell(
                found.failed,
                "INFO: scale_by_zoom_linesearch: no stepsize with a small slope was found.\nValue at current params: {value}\n"
                "Slope along update direction: {slope}\nStepsize reached: {reached}\nStepsize taken: {taken}\n"
                "Decrease Error: {decrease}\nCurvature Error: {curvature}",
                value=at_zero.value,
                slope=at_zero.slope,
                reached=found.here.stepsize,
                taken=here.stepsize,
                decrease=found.decrease_error,
                curvature=found.curvature_error,
            )
        info = ZoomLinesearchInfo(found.count, found.decrease_error, found.curvature_error)
        made = ScaleByZoomLinesearchState(here.stepsize, here.value, there_grad, info)
        return tree.scale(here.stepsize, updates), tree.cast_like(made, state)

    return GradientTransformationExtraArgs(init, update)

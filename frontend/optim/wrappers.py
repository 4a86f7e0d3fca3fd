"""Around a whole optimiser: gradients gathered over several steps, steps skipped that are not finite, slow weights, all leaves as one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.flatten_util import ravel_pytree
from weft.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Params,
    State,
    Updates,
    global_norm,
    new_count,
    safe_increment,
    with_extra_args_support,
)
from weft.tree_util import tree_leaves, tree_map

__all__ = [
    "ApplyIfFiniteState", "LookaheadParams", "LookaheadState", "MultiSteps", "MultiStepsState", "apply_if_finite",
    "flatten", "lookahead", "skip_large_updates", "skip_not_finite",
]  # fmt: skip

Result = tuple[Updates, State]


def _choose(condition: Any, yes: Any, no: Any) -> Any:
    return tree_map(lambda a, b: wnp.where(condition, a, b), yes, no)


def _all_finite(tree: Any) -> Array:
    found = wnp.array(True)
    for leaf in tree_leaves(tree):
        found = found & wnp.all(wnp.isfinite(leaf))
    return found


def flatten(inner: GradientTransformation) -> GradientTransformationExtraArgs:
    """The transformation of all leaves as one vector: one kernel instead of one for each leaf."""
    inner = with_extra_args_support(inner)

    def update(updates: Updates, state: State, params: Params = None, **extra: Any) -> Result:
        flat, back = ravel_pytree(updates)
        made, state = inner.update(flat, state, None if params is None else ravel_pytree(params)[0], **extra)
        return back(made), state

    return GradientTransformationExtraArgs(lambda params: inner.init(ravel_pytree(params)[0]), update)


class ApplyIfFiniteState(NamedTuple):
    """How many updates in a row were not finite, whether the last one was, how many were not in all; the state within."""

    notfinite_count: Array
    last_finite: Array
    total_notfinite: Array
    inner_state: Any


def apply_if_finite(inner: GradientTransformation, max_consecutive_errors: int) -> GradientTransformationExtraArgs:
    """Skips updates with NaN or infinities, unless more than `max_consecutive_errors` of them come in a row."""
    inner = with_extra_args_support(inner)

    def init(params: Params) -> ApplyIfFiniteState:
        return ApplyIfFiniteState(new_count(), wnp.array(True), new_count(), inner.init(params))

    def update(updates: Updates, state: ApplyIfFiniteState, params: Params = None, **extra: Any) -> Result:
        finite = _all_finite(updates)
        errors = wnp.where(finite, wnp.zeros([], "int32"), safe_increment(state.notfinite_count))
        go = finite | (errors > max_consecutive_errors)
        made, inner_state = inner.update(updates, state.inner_state, params, **extra)
        return _choose(go, made, tree_map(wnp.zeros_like, updates)), ApplyIfFiniteState(
            errors,
            finite,
            wnp.where(finite, state.total_notfinite, safe_increment(state.total_notfinite)),
            _choose(go, inner_state, state.inner_state),
        )

    return GradientTransformationExtraArgs(init, update)


# -- gathered over several steps ----------------------------------------------------------------------------------------------------------


def skip_not_finite(updates: Updates, gradient_step: Array, params: Params) -> tuple[Array, Any]:
    """For `MultiSteps`: whether an update has NaN or infinities, and how many."""
    counts = [wnp.sum(~wnp.isfinite(u)) for u in tree_leaves(updates)]
    total = sum(counts[1:], counts[0]) if counts else wnp.zeros((), int)
    return total > 0, {"should_skip": total > 0, "num_not_finite": total}


def skip_large_updates(
    updates: Updates, gradient_step: Array, params: Params, max_squared_norm: float
) -> tuple[Array, Any]:
    """For `MultiSteps`: whether an update's squared norm is not below a limit, and the squared norm."""
    square = global_norm(updates) ** 2
    skip = ~(square < max_squared_norm)  # a NaN is no small update
    return skip, {"should_skip": skip, "norm_squared": square}


class MultiStepsState(NamedTuple):
    """How many small steps were gathered, how many great ones made; the state within, the sum or mean so far, why the last was skipped."""

    mini_step: Array
    gradient_step: Array
    inner_opt_state: Any
    acc_grads: Any
    skip_state: Any = ()


class MultiSteps:
    """An optimiser that gathers the gradients of `every_k_schedule` steps (a number, or a function of the great steps) before it makes one: their mean, or their sum."""

    def __init__(
        self,
        opt: GradientTransformation,
        every_k_schedule: int | Callable[[Array], Array],
        use_grad_mean: bool = True,
        should_skip_update_fn: Callable[..., tuple[Array, Any]] | None = None,
    ):
        self.opt = with_extra_args_support(opt)
        self._every: Callable[[Any], Any] = (
            every_k_schedule if callable(every_k_schedule) else lambda step: every_k_schedule
        )
        self._mean = use_grad_mean
        self._skip = should_skip_update_fn

    @property
    def inner_opt(self) -> GradientTransformation:
        """The optimiser within."""
        return self.opt

    def init(self, params: Params) -> MultiStepsState:
        """Nothing gathered yet."""
        zeros = tree_map(wnp.zeros_like, params)
        skip = () if self._skip is None else self._skip(zeros, new_count(), params)[1]
        return MultiStepsState(new_count(), new_count(), self.opt.init(params), zeros, skip)

    def update(self, updates: Updates, state: MultiStepsState, params: Params = None, **extra: Any) -> Result:
        """Zeros until enough is gathered."""
        every = wnp.asarray(self._every(state.gradient_step))
        skip, why = (wnp.array(False), ()) if self._skip is None else self._skip(updates, state.gradient_step, params)
        if self._mean:
            acc = tree_map(lambda g, a: a + (g - a) / (state.mini_step + 1), updates, state.acc_grads)
        else:
            acc = tree_map(lambda g, a: a + g, updates, state.acc_grads)
        emit = state.mini_step == every - 1
        made, inner = self.opt.update(acc, state.inner_opt_state, params, **extra)
        go = emit & ~skip
        acc = tree_map(lambda a, old: wnp.where(skip, old, wnp.where(emit, wnp.zeros_like(a), a)), acc, state.acc_grads)
        return tree_map(lambda u: wnp.where(go, u, wnp.zeros_like(u)), made), MultiStepsState(
            wnp.where(skip, state.mini_step, (state.mini_step + 1) % every),
            wnp.where(go, safe_increment(state.gradient_step), state.gradient_step),
            _choose(go, inner, state.inner_opt_state),
            acc,
            why,
        )

    def has_updated(self, state: MultiStepsState) -> Array:
        """Whether the last step was a great one."""
        return (state.mini_step == 0) & (state.gradient_step > 0)

    def gradient_transformation(self) -> GradientTransformation:
        """As a pair of functions."""
        return GradientTransformationExtraArgs(self.init, self.update)


# -- fast and slow weights ----------------------------------------------------------------------------------------------------------------


class LookaheadState(NamedTuple):
    """The state of the fast optimiser, and steps since fast and slow weights were the same."""

    fast_state: Any
    steps_since_sync: Array


class LookaheadParams(NamedTuple):
    """Parameters twice: those that the fast optimiser moves, and those that follow now and then."""

    fast: Params
    slow: Params

    @classmethod
    def init_synced(cls, params: Params) -> LookaheadParams:
        """Both the same."""
        return cls(params, params)


def lookahead(
    fast_optimizer: GradientTransformation, sync_period: int, slow_step_size: Any, reset_state: bool = False
) -> GradientTransformation:
    """Every `sync_period` steps the slow weights go a part of the way to the fast ones, which go back to them. M. Zhang et al., NeurIPS 2019."""
    if sync_period < 1:
        raise ValueError("Synchronization period must be >= 1.")
    fast = with_extra_args_support(fast_optimizer)

    def init(params: LookaheadParams) -> LookaheadState:
        return LookaheadState(fast.init(params.fast), new_count())

    def update(updates: Updates, state: LookaheadState, params: Any = None, **extra: Any) -> Result:
        made, fast_state = fast.update(updates, state.fast_state, params.fast, **extra)
        sync = state.steps_since_sync == sync_period - 1
        apart = tree_map(lambda f, u, s: f + u - s, params.fast, made, params.slow)
        slow = tree_map(lambda d: wnp.where(sync, slow_step_size * d, 0.0), apart)
        back = tree_map(lambda u, s, d: wnp.where(sync, u + s - d, u), made, slow, apart)
        if reset_state:
            fast_state = _choose(sync, fast.init(params.fast), fast_state)
        return LookaheadParams(back, slow), LookaheadState(fast_state, (state.steps_since_sync + 1) % sync_period)

    return GradientTransformation(init, update)

"""Gradient transformations in Optax's shape: a pair of pure functions, `init(params) -> state` and `update(updates, state, params) -> (updates, state)`.

An optimiser is a `chain` of small transformations; `apply_updates` adds what comes out of it to the parameters. States are named tuples, hence pytrees, and go through `jit`
with the parameters. A learning rate may be a number or a schedule, a function of the step count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.tree_util import tree_leaves, tree_map

Params = Any
Updates = Any
State = Any
Schedule = Callable[[Array], Array]
ScalarOrSchedule = float | Array | Schedule


class GradientTransformation(NamedTuple):
    """`init(params) -> state`; `update(updates, state, params=None) -> (updates, state)`."""

    init: Callable[[Params], State]
    update: Callable[..., tuple[Updates, State]]


class EmptyState(NamedTuple):
    """The state of a transformation that remembers nothing."""


class ScaleByScheduleState(NamedTuple):
    """How many updates there were."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]  Optax names it so; tuple.count is not meant


class TraceState(NamedTuple):
    """The decaying sum of past updates."""

    trace: Updates


class ScaleByAdamState(NamedTuple):
    """The count of updates and the moving averages of them and of their squares."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]  Optax names it so; tuple.count is not meant
    mu: Updates
    nu: Updates


def _stateless(rule: Callable[[Updates, Params], Updates]) -> GradientTransformation:
    return GradientTransformation(
        lambda params: EmptyState(), lambda updates, state, params=None: (rule(updates, params), state)
    )


def _zeros(params: Params) -> Updates:
    return tree_map(wnp.zeros_like, params)


def _count() -> Array:
    return wnp.zeros((), "int32")


# -- applying -----------------------------------------------------------------------------------------------------------------------------


def apply_updates(params: Params, updates: Updates) -> Params:
    """Parameters plus updates, in the parameters' dtypes."""
    return tree_map(lambda p, u: (p + u).astype(wnp.asarray(p).dtype), params, updates)


def global_norm(updates: Updates) -> Array:
    """The Euclidean norm over all leaves together."""
    return wnp.sqrt(sum((wnp.sum(wnp.square(u)) for u in tree_leaves(updates)), start=wnp.zeros(())))


def identity() -> GradientTransformation:
    """Updates as they are."""
    return _stateless(lambda updates, params: updates)


def chain(*transformations: GradientTransformation) -> GradientTransformation:
    """One transformation after the other; the state is the tuple of theirs."""

    def init(params: Params) -> State:
        return tuple(t.init(params) for t in transformations)

    def update(updates: Updates, state: State, params: Params = None) -> tuple[Updates, State]:
        if len(state) != len(transformations):
            raise ValueError(
                f"chain: the state has {len(state)} parts, the chain has {len(transformations)}: was it made by another optimizer's init?"
            )
        states = []
        for t, s in zip(transformations, state, strict=True):
            updates, s = t.update(updates, s, params)
            states.append(s)
        return updates, tuple(states)

    return GradientTransformation(init, update)


# -- building blocks ----------------------------------------------------------------------------------------------------------------------


def scale(factor: float | Array) -> GradientTransformation:
    """Updates times a number."""
    return _stateless(lambda updates, params: tree_map(lambda u: u * factor, updates))


def scale_by_schedule(schedule: Schedule) -> GradientTransformation:
    """Updates times a function of the step count."""

    def update(updates: Updates, state: ScaleByScheduleState, params: Params = None) -> tuple[Updates, State]:
        factor = schedule(state.count)
        return tree_map(lambda u: u * factor, updates), ScaleByScheduleState(state.count + 1)

    return GradientTransformation(lambda params: ScaleByScheduleState(_count()), update)


def scale_by_learning_rate(learning_rate: ScalarOrSchedule) -> GradientTransformation:
    """Updates times minus the learning rate: a step downhill."""
    if callable(learning_rate):
        schedule = learning_rate
        return scale_by_schedule(lambda count: -schedule(count))
    return scale(-learning_rate)


def trace(decay: float, nesterov: bool = False) -> GradientTransformation:
    """Momentum: t <- g + decay * t. With `nesterov` the update looks one step ahead."""

    def update(updates: Updates, state: TraceState, params: Params = None) -> tuple[Updates, State]:
        moved = tree_map(lambda g, t: g + decay * t, updates, state.trace)
        return (tree_map(lambda g, t: g + decay * t, updates, moved) if nesterov else moved), TraceState(moved)

    return GradientTransformation(lambda params: TraceState(_zeros(params)), update)


def scale_by_adam(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> GradientTransformation:
    """Adam's direction: the average of updates over the root of the average of their squares, both without their bias towards zero.

    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    def update(updates: Updates, state: ScaleByAdamState, params: Params = None) -> tuple[Updates, State]:
        count = state.count + 1
        mu = tree_map(lambda g, m: b1 * m + (1 - b1) * g, updates, state.mu)
        nu = tree_map(lambda g, v: b2 * v + (1 - b2) * g * g, updates, state.nu)
        n = count.astype("float32")
        c1, c2 = 1 - b1**n, 1 - b2**n
        direction = tree_map(lambda m, v: (m / c1) / (wnp.sqrt(v / c2 + eps_root) + eps), mu, nu)
        return direction, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(lambda params: ScaleByAdamState(_count(), _zeros(params), _zeros(params)), update)


def add_decayed_weights(weight_decay: float, mask: Any = None) -> GradientTransformation:
    """Updates plus `weight_decay` times the parameters; `mask`, a tree of bools like the parameters (or a function to one), says for which."""

    def rule(updates: Updates, params: Params) -> Updates:
        if params is None:
            raise ValueError("add_decayed_weights: update() needs the argument params")
        if mask is None:
            return tree_map(lambda u, p: u + weight_decay * p, updates, params)
        chosen = mask(params) if callable(mask) else mask
        return tree_map(lambda u, p, m: u + weight_decay * p if m else u, updates, params, chosen)

    return _stateless(rule)


def clip(max_delta: float) -> GradientTransformation:
    """Every element of the updates into [-max_delta, max_delta]."""
    return _stateless(lambda updates, params: tree_map(lambda u: wnp.clip(u, -max_delta, max_delta), updates))


def clip_by_global_norm(max_norm: float) -> GradientTransformation:
    """Updates scaled down together where their norm is greater than `max_norm`."""

    def rule(updates: Updates, params: Params) -> Updates:
        norm = global_norm(updates)
        factor = wnp.where(norm < max_norm, 1.0, max_norm / norm)
        return tree_map(lambda u: u * factor, updates)

    return _stateless(rule)


# -- optimisers ---------------------------------------------------------------------------------------------------------------------------


def sgd(
    learning_rate: ScalarOrSchedule, momentum: float | None = None, nesterov: bool = False
) -> GradientTransformation:
    """Stochastic gradient descent, with momentum if it is given."""
    return chain(
        trace(momentum, nesterov) if momentum is not None else identity(), scale_by_learning_rate(learning_rate)
    )


def momentum(learning_rate: ScalarOrSchedule, decay: float = 0.9, nesterov: bool = False) -> GradientTransformation:
    """Gradient descent with momentum."""
    return sgd(learning_rate, decay, nesterov)


def adam(
    learning_rate: ScalarOrSchedule, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> GradientTransformation:
    """Adam."""
    return chain(scale_by_adam(b1, b2, eps, eps_root), scale_by_learning_rate(learning_rate))


def adamw(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 1e-4,
    mask: Any = None,
) -> GradientTransformation:
    """Adam with decoupled weight decay. I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019."""
    return chain(
        scale_by_adam(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


# -- schedules: functions of the step count -----------------------------------------------------------------------------------------------


def constant_schedule(value: float) -> Schedule:
    """The same at every step."""
    return lambda count: wnp.asarray(value, "float32")


def polynomial_schedule(
    init_value: float, end_value: float, power: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From `init_value` to `end_value` over `transition_steps`, along (1 - fraction) ** power."""

    def schedule(count: Array) -> Array:
        done = wnp.clip(count - transition_begin, 0, transition_steps).astype("float32")
        return (init_value - end_value) * (1 - done / transition_steps) ** power + end_value

    return schedule


def linear_schedule(init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0) -> Schedule:
    """A straight line."""
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


def exponential_decay(
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """`init_value * decay_rate ** (count / transition_steps)`, in steps of whole transitions with `staircase`; never beyond `end_value`."""

    def schedule(count: Array) -> Array:
        elapsed = wnp.maximum(count - transition_begin, 0).astype("float32") / transition_steps
        value = init_value * wnp.asarray(decay_rate, "float32") ** (wnp.floor(elapsed) if staircase else elapsed)
        if end_value is None:
            return value
        return wnp.maximum(value, end_value) if decay_rate < 1 else wnp.minimum(value, end_value)

    return schedule


def cosine_decay_schedule(init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0) -> Schedule:
    """Half a cosine from `init_value` to `alpha * init_value`. I. Loshchilov and F. Hutter, "SGDR", ICLR 2017."""
    if decay_steps <= 0:
        raise ValueError(f"cosine_decay_schedule: decay_steps must be positive, got {decay_steps}")

    def schedule(count: Array) -> Array:
        fraction = wnp.minimum(count, decay_steps).astype("float32") / decay_steps
        cosine = 0.5 * (1 + wnp.cos(wnp.pi * fraction))
        return init_value * ((1 - alpha) * cosine**exponent + alpha)

    return schedule


def join_schedules(schedules: list[Schedule], boundaries: list[int]) -> Schedule:
    """One schedule after the other; each counts from its boundary."""

    def schedule(count: Array) -> Array:
        value = schedules[0](count)
        for boundary, following in zip(boundaries, schedules[1:], strict=True):
            value = wnp.where(count < boundary, value, following(count - boundary))
        return value

    return schedule


def warmup_cosine_decay_schedule(
    init_value: float, peak_value: float, warmup_steps: int, decay_steps: int, end_value: float = 0.0
) -> Schedule:
    """A straight line up to `peak_value`, then half a cosine down to `end_value` at step `decay_steps`."""
    cosine = cosine_decay_schedule(
        peak_value, decay_steps - warmup_steps, end_value / peak_value if peak_value else 0.0
    )
    return join_schedules([linear_schedule(init_value, peak_value, warmup_steps), cosine], [warmup_steps])

"""Where to go: transformations that turn gradients into directions (`scale_by_adam` and its kin), each with the state it keeps.

All are written with moving averages of the gradients (`mu`) and of their squares (`nu`); the papers' names for them differ. Numerics, bias corrections and defaults are Optax's.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.optim.base import (
    GradientTransformation,
    Params,
    State,
    Updates,
    bias_correction,
    cast_tree,
    new_count,
    safe_increment,
    update_infinity_moment,
    update_moment,
    update_moment_per_elem_norm,
    zeros_like_tree,
)
from weft.tree_util import tree_map

__all__ = [
    "ScaleByAdamState",
    "ScaleByAdanState",
    "ScaleByAmsgradState",
    "ScaleByBeliefState",
    "ScaleByLionState",
    "ScaleByNovogradState",
    "TraceState",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_adan",
    "scale_by_amsgrad",
    "scale_by_belief",
    "scale_by_lion",
    "scale_by_novograd",
    "scale_by_radam",
    "scale_by_yogi",
    "trace",
]

Result = tuple[Updates, State]


class TraceState(NamedTuple):
    """The decaying sum of past updates."""

    trace: Updates


def trace(decay: Any, nesterov: bool = False, accumulator_dtype: Any = None) -> GradientTransformation:
    """Momentum: t <- g + decay * t. With `nesterov` the update looks one step ahead."""

    def update(updates: Updates, state: TraceState, params: Params = None) -> Result:
        moved = tree_map(lambda g, t: g + decay * t, updates, state.trace)
        ahead = tree_map(lambda g, t: g + decay * t, updates, moved) if nesterov else moved
        return ahead, TraceState(cast_tree(moved, accumulator_dtype))

    return GradientTransformation(lambda params: TraceState(zeros_like_tree(params, accumulator_dtype)), update)


# -- Adam and its kin ---------------------------------------------------------------------------------------------------------------------


class ScaleByAdamState(NamedTuple):
    """The count of updates and the moving averages of them and of their squares."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]  Optax names it so; tuple.count is not meant
    mu: Updates
    nu: Updates


def _ahead(updates: Updates, mu: Updates, b1: Any, count: Array, nesterov: bool) -> Updates:
    """The average of updates without bias; with Nesterov's look ahead, it has moved by one more of the same updates."""
    if not nesterov:
        return bias_correction(mu, b1, count)
    return tree_map(
        lambda m, g: b1 * m + (1 - b1) * g,
        bias_correction(mu, b1, safe_increment(count)),
        bias_correction(updates, b1, count),
    )


def _adam_state(params: Params, mu_dtype: Any = None) -> ScaleByAdamState:
    return ScaleByAdamState(new_count(), zeros_like_tree(params, mu_dtype), zeros_like_tree(params))


def scale_by_adam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam's direction: the average of updates over the root of the average of their squares, both without their bias towards zero.

    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; `nesterov`: T. Dozat, "Incorporating Nesterov momentum into Adam", 2016.
    """

    def update(updates: Updates, state: ScaleByAdamState, params: Params = None) -> Result:
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        count = safe_increment(state.count)
        direction = tree_map(
            lambda m, v: m / (wnp.sqrt(v + eps_root) + eps),
            _ahead(updates, mu, b1, count, nesterov),
            bias_correction(nu, b2, count),
        )
        return direction, ScaleByAdamState(count, cast_tree(mu, mu_dtype), nu)

    return GradientTransformation(lambda params: _adam_state(params, mu_dtype), update)


def scale_by_adamax(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> GradientTransformation:
    """Adam with the maximum norm in the place of the Euclidean one (the same paper, section 7)."""

    def update(updates: Updates, state: ScaleByAdamState, params: Params = None) -> Result:
        count = safe_increment(state.count)
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_infinity_moment(updates, state.nu, b2, eps)
        direction = tree_map(lambda m, v: m / v, bias_correction(mu, b1, count), nu)
        return direction, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(_adam_state, update)


def scale_by_radam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam that leaves the squares out until their average can be trusted. L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020."""
    longest = 2.0 / (1.0 - b2) - 1.0

    def update(updates: Updates, state: ScaleByAdamState, params: Params = None) -> Result:
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        count = safe_increment(state.count)
        decayed = b2**count
        length = longest - 2 * count * decayed / (1 - decayed)
        trusted = length >= threshold
        safe = wnp.where(trusted, length, threshold)  # the root of what is not chosen has no NaN
        factor = wnp.sqrt((safe - 4.0) * (safe - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * safe))
        direction = tree_map(
            lambda m, v: wnp.where(trusted, factor.astype(m.dtype) * m / (wnp.sqrt(v + eps_root) + eps), m).astype(
                m.dtype
            ),
            _ahead(updates, mu, b1, count, nesterov),
            bias_correction(nu, b2, count),
        )
        return direction, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(_adam_state, update)


class ScaleByAmsgradState(NamedTuple):
    """As Adam's, and the greatest average of squares so far."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: Updates
    nu: Updates
    nu_max: Updates


def scale_by_amsgrad(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformation:
    """Adam over the greatest average of squares so far. S. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond", ICLR 2018."""

    def init(params: Params) -> ScaleByAmsgradState:
        return ScaleByAmsgradState(*_adam_state(params, mu_dtype), zeros_like_tree(params))

    def update(updates: Updates, state: ScaleByAmsgradState, params: Params = None) -> Result:
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        count = safe_increment(state.count)
        mu_hat = bias_correction(mu, b1, count) if bias_correction_mu else mu
        nu_hat = bias_correction(nu, b2, count) if bias_correction_nu else nu
        nu_max = tree_map(wnp.maximum, state.nu_max, nu_hat)
        direction = tree_map(lambda m, v: m / (wnp.sqrt(v + eps_root) + eps), mu_hat, nu_max)
        return direction, ScaleByAmsgradState(count, cast_tree(mu, mu_dtype), nu, nu_max)

    return GradientTransformation(init, update)


class ScaleByBeliefState(NamedTuple):
    """The count of updates, their moving average, and that of the squared distances from it."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: Updates
    nu: Updates


def scale_by_belief(
    b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-16, eps_root: Any = 1e-16, *, nesterov: bool = False
) -> GradientTransformation:
    """Adam that trusts an update the more, the nearer it is to what was expected. J. Zhuang et al., "AdaBelief optimizer", NeurIPS 2020."""

    def update(updates: Updates, state: ScaleByBeliefState, params: Params = None) -> Result:
        mu = update_moment(updates, state.mu, b1, 1)
        surprise = tree_map(lambda g, m: g - m, updates, mu)
        nu = update_moment_per_elem_norm(surprise, state.nu, b2, 2)
        nu = tree_map(lambda v: v + eps_root, nu)
        count = safe_increment(state.count)
        direction = tree_map(
            lambda m, v: m / (wnp.sqrt(v) + eps),
            _ahead(updates, mu, b1, count, nesterov),
            bias_correction(nu, b2, count),
        )
        return direction, ScaleByBeliefState(count, mu, nu)

    return GradientTransformation(lambda params: ScaleByBeliefState(*_adam_state(params)), update)


def scale_by_yogi(
    b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-3, eps_root: Any = 0.0, initial_accumulator_value: Any = 1e-6
) -> GradientTransformation:
    """Adam whose average of squares changes by the square of the update only. M. Zaheer et al., "Adaptive methods for nonconvex optimization", NeurIPS 2018."""

    def init(params: Params) -> ScaleByAdamState:
        start = tree_map(lambda p: wnp.full_like(p, initial_accumulator_value), params)
        return ScaleByAdamState(new_count(), start, start)

    def update(updates: Updates, state: ScaleByAdamState, params: Params = None) -> Result:
        mu = update_moment(updates, state.mu, b1, 1)
        nu = tree_map(lambda g, v: v - (1 - b2) * wnp.sign(v - g * g) * g * g, updates, state.nu)
        count = safe_increment(state.count)
        direction = tree_map(
            lambda m, v: m / (wnp.sqrt(v + eps_root) + eps),
            bias_correction(mu, b1, count),
            bias_correction(nu, b2, count),
        )
        return direction, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


class ScaleByNovogradState(NamedTuple):
    """The count of updates, the moving average of the directions, and for each leaf that of its squared norm."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: Updates
    nu: Updates


def scale_by_novograd(
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: float = 0.0,
    mu_dtype: Any = None,
) -> GradientTransformation:
    """Adam with one average of squares for each leaf. B. Ginsburg et al., arXiv:1905.11286."""

    def init(params: Params) -> ScaleByNovogradState:
        norms = tree_map(lambda p: wnp.asarray(0.0, wnp.asarray(p).dtype), params)
        return ScaleByNovogradState(new_count(), zeros_like_tree(params, mu_dtype), norms)

    def update(updates: Updates, state: ScaleByNovogradState, params: Params = None) -> Result:
        first = state.count == 0
        squares = tree_map(lambda g: wnp.sum(wnp.square(wnp.abs(g))), updates)
        nu = tree_map(lambda g, v: wnp.where(first, g, (1 - b2) * g + b2 * v), squares, state.nu)
        step = tree_map(
            lambda g, v, p: g / (wnp.sqrt(v + eps_root) + eps) + (weight_decay * p if weight_decay else 0.0),
            updates,
            nu,
            updates if params is None else params,
        )
        mu = tree_map(lambda m, s: wnp.where(first, s, b1 * m + s), state.mu, step)
        return mu, ScaleByNovogradState(safe_increment(state.count), cast_tree(mu, mu_dtype), nu)

    return GradientTransformation(init, update)


class ScaleByLionState(NamedTuple):
    """The count of updates and their moving average."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: Updates


def scale_by_lion(
    b1: Any = 0.9,
    b2: Any = 0.99,
    mu_dtype: Any = None,
    *,
    mode: Literal["hard", "smooth", "refined"] = "hard",
    smooth_beta: Any = 1.0,
) -> GradientTransformation:
    """The sign of a mixture of the update and the average of past ones. X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

    Only the mode "hard" is there: NotImplementedError for the others.
    """
    if mode != "hard":
        raise NotImplementedError(f"scale_by_lion: only mode='hard' is supported, got {mode!r}")

    def update(updates: Updates, state: ScaleByLionState, params: Params = None) -> Result:
        direction = tree_map(lambda g, m: wnp.sign((1.0 - b1) * g + b1 * m), updates, state.mu)
        mu = cast_tree(update_moment(updates, state.mu, b2, 1), mu_dtype)
        return direction, ScaleByLionState(safe_increment(state.count), mu)

    return GradientTransformation(
        lambda params: ScaleByLionState(new_count(), zeros_like_tree(params, mu_dtype)), update
    )


class ScaleByAdanState(NamedTuple):
    """Moving averages of updates, of their differences, and of the squares of what they foresee; the last updates; their count."""

    m: Updates
    v: Updates
    n: Updates
    g: Updates
    t: Array


def scale_by_adan(
    b1: Any = 0.98, b2: Any = 0.92, b3: Any = 0.99, eps: Any = 1e-8, eps_root: Any = 0.0
) -> GradientTransformation:
    """Adam with Nesterov's momentum from differences of updates. X. Xie et al., "Adan", arXiv:2208.06677."""

    def init(params: Params) -> ScaleByAdanState:
        zero = zeros_like_tree(params)
        return ScaleByAdanState(zero, zero, zero, zero, new_count())

    def update(updates: Updates, state: ScaleByAdanState, params: Params = None) -> Result:
        first = state.t == 0
        change = tree_map(lambda g, last: wnp.where(first, wnp.zeros_like(g), g - last), updates, state.g)
        m = update_moment(updates, state.m, b1, 1)
        v = update_moment(change, state.v, b2, 1)
        n = update_moment_per_elem_norm(tree_map(lambda g, d: g + (1 - b2) * d, updates, change), state.n, b3, 2)
        count = safe_increment(state.t)
        direction = tree_map(
            lambda m, v, n: (m + (1 - b2) * v) / (wnp.sqrt(n + eps_root) + eps),
            bias_correction(m, b1, count),
            bias_correction(v, b2, count),
            bias_correction(n, b3, count),
        )
        return direction, ScaleByAdanState(m, v, n, updates, count)

    return GradientTransformation(init, update)

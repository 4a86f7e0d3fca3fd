"""Where to go: transformations that turn gradients into directions (`scale_by_adam` and its kin), each with the state it keeps.

All are written with moving averages of the gradients (`mu`) and of their squares (`nu`); the papers' names for them differ. Numerics, bias corrections and defaults are Optax's.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.lax import rsqrt
from weft.optim.base import (
    GradientTransformation,
    Params,
    State,
    Updates,
    bias_correction,
    by_leaf,
    cast_tree,
    global_norm,
    needs_params,
    new_count,
    safe_increment,
    safe_norm,
    safe_root_mean_squares,
    stateless,
    stateless_with_tree_map,
    update_infinity_moment,
    update_moment,
    update_moment_per_elem_norm,
    zeros_like_tree,
)
from weft.tree_util import tree_map

__all__ = [
    "ScaleByAdaDeltaState", "ScaleByAdamState", "ScaleByAdanState", "ScaleByAmsgradState", "ScaleByBeliefState",
    "ScaleByLionState", "ScaleByNovogradState", "ScaleByOptimisticGradientState", "ScaleByRStdDevState", "ScaleByRmsState",
    "ScaleByRpropState", "ScaleByRssState", "ScaleBySM3State", "ScaleByTrustRatioState", "TraceState", "centralize",
    "normalize_by_update_norm", "scale_by_adadelta", "scale_by_adam", "scale_by_adamax", "scale_by_adan",
    "scale_by_amsgrad", "scale_by_belief", "scale_by_lion", "scale_by_novograd", "scale_by_optimistic_gradient",
    "scale_by_param_block_norm", "scale_by_param_block_rms", "scale_by_radam", "scale_by_rms", "scale_by_rprop",
    "scale_by_rss", "scale_by_sign", "scale_by_sm3", "scale_by_stddev", "scale_by_trust_ratio", "scale_by_yogi",
    "trace",
]  # fmt: skip

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


# -- by squares alone ---------------------------------------------------------------------------------------------------------------------


class ScaleByRssState(NamedTuple):
    """The sum of squares so far."""

    sum_of_squares: Updates


def scale_by_rss(initial_accumulator_value: float = 0.1, eps: float = 1e-7) -> GradientTransformation:
    """Updates over the root of the sum of all squares so far. J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods", JMLR 2011."""

    def update(updates: Updates, state: ScaleByRssState, params: Params = None) -> Result:
        total = tree_map(lambda g, t: wnp.square(wnp.abs(g)) + t, updates, state.sum_of_squares)
        direction = tree_map(lambda g, s: wnp.where(s > 0, rsqrt(s + eps), 0.0) * g, updates, total)
        return direction, ScaleByRssState(total)

    return GradientTransformation(
        lambda params: ScaleByRssState(tree_map(lambda p: wnp.full_like(p, initial_accumulator_value), params)), update
    )


class ScaleByRmsState(NamedTuple):
    """The moving average of squares."""

    nu: Updates


class ScaleByRmsWithCountState(NamedTuple):
    """The count of updates and the moving average of squares."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    nu: Updates


def _over_root(g: Array, square: Array, eps: Any, eps_in_sqrt: bool) -> Array:
    return g * rsqrt(square + eps) if eps_in_sqrt else g / (wnp.sqrt(square) + eps)


def scale_by_rms(
    decay: Any = 0.9, eps: Any = 1e-8, initial_scale: Any = 0.0, eps_in_sqrt: bool = True, bias_correction: bool = False
) -> GradientTransformation:
    """Updates over the root of the average of their squares. G. Hinton, lecture 6 of "Neural networks for machine learning", 2012."""
    from weft.optim.base import bias_correction as corrected

    def init(params: Params) -> State:
        nu = tree_map(lambda p: wnp.full_like(p, initial_scale), params)
        return ScaleByRmsWithCountState(new_count(), nu) if bias_correction else ScaleByRmsState(nu)

    def update(updates: Updates, state: Any, params: Params = None) -> Result:
        nu = update_moment_per_elem_norm(updates, state.nu, decay, 2)
        count = safe_increment(state.count) if bias_correction else None
        nu_hat = corrected(nu, decay, count) if bias_correction else nu
        direction = tree_map(lambda g, n: _over_root(g, n, eps, eps_in_sqrt), updates, nu_hat)
        return direction, ScaleByRmsState(nu) if count is None else ScaleByRmsWithCountState(count, nu)

    return GradientTransformation(init, update)


class ScaleByRStdDevState(NamedTuple):
    """The moving averages of updates and of squares."""

    mu: Updates
    nu: Updates


class ScaleByRStdDevWithCountState(NamedTuple):
    """The count of updates, and the moving averages of them and of squares."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: Updates
    nu: Updates


def scale_by_stddev(
    decay: Any = 0.9, eps: Any = 1e-8, initial_scale: Any = 0.0, eps_in_sqrt: bool = True, bias_correction: bool = False
) -> GradientTransformation:
    """Updates over their standard deviation. A. Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850."""
    from weft.optim.base import bias_correction as corrected

    def init(params: Params) -> State:
        mu, nu = zeros_like_tree(params), tree_map(lambda p: wnp.full_like(p, initial_scale), params)
        return ScaleByRStdDevWithCountState(new_count(), mu, nu) if bias_correction else ScaleByRStdDevState(mu, nu)

    def update(updates: Updates, state: Any, params: Params = None) -> Result:
        mu = update_moment(updates, state.mu, decay, 1)
        nu = update_moment_per_elem_norm(updates, state.nu, decay, 2)
        count = safe_increment(state.count) if bias_correction else None
        pair = (corrected(mu, decay, count), corrected(nu, decay, count)) if bias_correction else (mu, nu)
        direction = tree_map(lambda g, m, n: _over_root(g, n - wnp.square(m), eps, eps_in_sqrt), updates, *pair)
        made = ScaleByRStdDevState(mu, nu) if count is None else ScaleByRStdDevWithCountState(count, mu, nu)
        return direction, made

    return GradientTransformation(init, update)


class ScaleByAdaDeltaState(NamedTuple):
    """The moving averages of squared gradients and of squared steps."""

    e_g: Updates
    e_x: Updates


def scale_by_adadelta(rho: Any = 0.9, eps: Any = 1e-6) -> GradientTransformation:
    """Steps in proportion to the average of past ones. M. Zeiler, "ADADELTA", arXiv:1212.5701."""

    def update(updates: Updates, state: ScaleByAdaDeltaState, params: Params = None) -> Result:
        e_g = update_moment(updates, state.e_g, rho, 2)
        step = tree_map(lambda g, v, d: wnp.sqrt(d + eps) / wnp.sqrt(v + eps) * g, updates, e_g, state.e_x)
        return step, ScaleByAdaDeltaState(e_g, update_moment(step, state.e_x, rho, 2))

    return GradientTransformation(
        lambda params: ScaleByAdaDeltaState(zeros_like_tree(params), zeros_like_tree(params)), update
    )


class ScaleBySM3State(NamedTuple):
    """For each leaf and each of its axes a sum of squares; the moving averages of updates."""

    mu: Updates
    nu: Updates


def scale_by_sm3(b1: float = 0.9, b2: float = 1.0, eps: float = 1e-8) -> GradientTransformation:
    """Adagrad whose sums are kept for each axis, not for each element. R. Anil et al., "Memory-efficient adaptive optimization", NeurIPS 2019."""

    def axes_of(p: Array) -> list[Array]:
        return [wnp.zeros([n], p.dtype) for n in p.shape]

    def init(params: Params) -> ScaleBySM3State:
        return ScaleBySM3State(tree_map(axes_of, params), zeros_like_tree(params))

    def spread(g: Array, axes: list[Array]) -> Array:
        """The least of the axes' sums that meet at each element."""
        found = axes[0].reshape([-1] + [1] * (g.ndim - 1)) if g.ndim else wnp.zeros((), g.dtype)
        for i, v in enumerate(axes[1:], 1):
            found = wnp.minimum(found, v.reshape([-1 if i == k else 1 for k in range(g.ndim)]))
        return found

    def update(updates: Updates, state: ScaleBySM3State, params: Params = None) -> Result:
        least = tree_map(spread, updates, state.mu)
        total = tree_map(lambda g, v: (1.0 if b2 == 1.0 else 1.0 - b2) * wnp.square(g) + b2 * v, updates, least)
        direction = tree_map(lambda g, a: g * wnp.where(a > 0, rsqrt(a + eps), 0.0), updates, total)
        moved = tree_map(lambda g, m: (1.0 - b1) * g + b1 * m, direction, state.nu)
        axes = tree_map(
            lambda a: [wnp.max(a, axis=tuple(k for k in range(a.ndim) if k != i)) for i in range(a.ndim)], total
        )
        return moved, ScaleBySM3State(axes, moved)

    return GradientTransformation(init, update)


# -- by signs, norms and parameters -------------------------------------------------------------------------------------------------------


def scale_by_sign() -> GradientTransformation:
    """The signs of the updates. J. Bernstein et al., "signSGD", ICML 2018."""
    return by_leaf(wnp.sign)


class ScaleByRpropState(NamedTuple):
    """The size of each element's step, and the last updates."""

    step_sizes: Updates
    prev_updates: Updates


def scale_by_rprop(
    learning_rate: float,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> GradientTransformation:
    """Steps by the sign alone, longer while it stays and shorter when it turns. M. Riedmiller and H. Braun, "RPROP", ICNN 1993."""

    def init(params: Params) -> ScaleByRpropState:
        return ScaleByRpropState(tree_map(lambda p: wnp.full_like(p, learning_rate), params), zeros_like_tree(params))

    def update(updates: Updates, state: ScaleByRpropState, params: Params = None) -> Result:
        turn = tree_map(lambda g, last: g * last, updates, state.prev_updates)
        sizes = tree_map(
            lambda s, size: wnp.where(
                s == 0, size, wnp.clip(size * wnp.where(s > 0, eta_plus, eta_minus), min_step_size, max_step_size)
            ),
            turn,
            state.step_sizes,
        )
        step = tree_map(
            lambda s, g, size: wnp.where(s < 0, wnp.zeros_like(g), size * wnp.sign(g)), turn, updates, sizes
        )
        return step, ScaleByRpropState(sizes, step)

    return GradientTransformation(init, update)


class ScaleByOptimisticGradientState(NamedTuple):
    """Whether there was an update, and the last one."""

    is_initial_step: Array
    previous_gradient: Updates


def scale_by_optimistic_gradient(alpha: Any = 1.0, beta: Any = 1.0) -> GradientTransformation:
    """`(alpha + beta) * g - beta * last`: steps as if the next gradient were known. A. Mokhtari et al., "A unified analysis of extra-gradient and optimistic gradient methods", AISTATS 2020."""

    def init(params: Params) -> ScaleByOptimisticGradientState:
        return ScaleByOptimisticGradientState(wnp.array(True), zeros_like_tree(params))

    def update(updates: Updates, state: ScaleByOptimisticGradientState, params: Params = None) -> Result:
        last = tree_map(lambda g, t: wnp.where(state.is_initial_step, g, t), updates, state.previous_gradient)
        direction = tree_map(lambda g, t: (alpha + beta) * g - beta * t, updates, last)
        return direction, ScaleByOptimisticGradientState(wnp.array(False), updates)

    return GradientTransformation(init, update)


def centralize() -> GradientTransformation:
    """Updates less their mean over all axes but the first. H. Yong et al., "Gradient centralization", ECCV 2020."""

    def rule(g: Array) -> Array:
        return g - wnp.mean(g, axis=tuple(range(1, g.ndim)), keepdims=True) if g.ndim > 1 else g

    return by_leaf(rule)


class ScaleByTrustRatioState(NamedTuple):
    """Nothing."""


def scale_by_trust_ratio(min_norm: float = 0.0, trust_coefficient: Any = 1.0, eps: Any = 0.0) -> GradientTransformation:
    """Each leaf of the updates in proportion to the norm of its parameters. Y. You, I. Gitman, B. Ginsburg, arXiv:1708.03888."""

    def rule(u: Array, p: Array) -> Array:
        ours, theirs = safe_norm(u, min_norm), safe_norm(p, min_norm)
        zero = (ours == 0.0) | (theirs == 0.0)
        return u * wnp.where(zero, wnp.asarray(1.0, p.dtype), trust_coefficient * theirs / (ours + eps))

    def update(updates: Updates, state: State, params: Params = None) -> Result:
        needs_params(params)
        return tree_map(rule, updates, params), state

    return GradientTransformation(lambda params: ScaleByTrustRatioState(), update)


def scale_by_param_block_norm(min_scale: float = 1e-3) -> GradientTransformation:
    """Each leaf times the norm of its parameters."""
    return _scale_by_params(lambda p: safe_norm(p, min_scale))


def scale_by_param_block_rms(min_scale: float = 1e-3) -> GradientTransformation:
    """Each leaf times the root mean square of its parameters."""
    return _scale_by_params(lambda p: safe_root_mean_squares(p, min_scale))


def _scale_by_params(factor: Any) -> GradientTransformation:
    def rule(u: Array, p: Array | None) -> Array:
        needs_params(p)
        return u * factor(p)

    return stateless_with_tree_map(rule)


def normalize_by_update_norm(scale_factor: float = 1.0, eps: float = 1e-6) -> GradientTransformation:
    """Updates over their norm."""

    def rule(updates: Updates, params: Params) -> Updates:
        norm = global_norm(updates) + eps
        return tree_map(lambda g: scale_factor * g / norm, updates)

    return stateless(rule)

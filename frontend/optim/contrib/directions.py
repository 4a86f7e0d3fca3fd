"""More directions: kin of Adam with two averages, with the past's squares, with second derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft import autodiff, lax, random
from weft.array import Array
from weft.debug import print as debug_print
from weft.optim import tree
from weft.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Params,
    ScalarOrSchedule,
    State,
    Updates,
    bias_correction,
    chain,
    needs_params,
    new_count,
    safe_increment,
    update_moment,
    update_moment_per_elem_norm,
    with_extra_args_support,
)
from weft.optim.directions import ScaleByAdamState, ScaleByBeliefState
from weft.optim.shaping import add_decayed_weights, scale_by_learning_rate
from weft.tree_util import tree_map

__all__ = [
    "HutchinsonState", "MadgradState", "ScaleByAdemamixState", "ScaleBySimplifiedAdEMAMixState", "SophiaState", "acprop",
    "ademamix", "adopt", "hutchinson_estimator_diag_hessian", "madgrad", "scale_by_acprop", "scale_by_ademamix",
    "scale_by_adopt", "scale_by_madgrad", "scale_by_simplified_ademamix", "scale_by_sophia", "simplified_ademamix",
    "sophia",
]  # fmt: skip

Result = tuple[Updates, State]


def at(number: Any, count: Any) -> Any:
    """A number, or what a schedule says at a step."""
    return number(count) if callable(number) else number


# -- two averages -------------------------------------------------------------------------------------------------------------------------


class ScaleByAdemamixState(NamedTuple):
    """Counts of updates, their fast and slow moving averages, and that of their squares."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    count_m2: Array
    m1: Updates
    m2: Updates
    nu: Updates


def scale_by_ademamix(
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: ScalarOrSchedule = 0.9999,
    alpha: ScalarOrSchedule = 6.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
) -> GradientTransformation:
    """Adam's direction with a second, slow average of the updates, `alpha` times. M. Pagliardini et al., "The AdEMAMix optimizer", ICLR 2025."""

    def init(params: Params) -> ScaleByAdemamixState:
        zeros = tree.zeros_like(params, mu_dtype)
        return ScaleByAdemamixState(new_count(), new_count(), zeros, zeros, zeros)

    def update(updates: Updates, state: ScaleByAdemamixState, params: Params = None) -> Result:
        share = at(alpha, state.count_m2)
        m1 = update_moment(updates, state.m1, b1, 1)
        m2 = update_moment(updates, state.m2, at(b3, state.count_m2), 1)
        nu = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        count = safe_increment(state.count)
        made = tree_map(
            lambda fast, slow, v: (fast + share * slow) / (wnp.sqrt(v + eps_root) + eps),
            bias_correction(m1, b1, count),
            m2,
            bias_correction(nu, b2, count),
        )
        return made, ScaleByAdemamixState(count, safe_increment(state.count_m2), m1, m2, nu)

    return GradientTransformation(init, update)


def ademamix(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: ScalarOrSchedule = 0.9999,
    alpha: ScalarOrSchedule = 5.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """AdamW with a second, slow average; see `scale_by_ademamix`."""
    return chain(
        scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root, mu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


class ScaleBySimplifiedAdEMAMixState(NamedTuple):
    """How many updates there were, their decaying sum, and the moving average of their squares."""

    t: Array
    m: Updates
    n: Updates


def scale_by_simplified_ademamix(
    b1: Any = 0.99, b2: Any = 0.95, alpha: ScalarOrSchedule = 0.0, eps: Any = 1e-8, eps_root: Any = 0.0
) -> GradientTransformation:
    """The decaying sum of updates and `alpha` times the last one, over the root of the average of their squares. D. Morwani et al., "Connections between schedule-free optimizers, AdEMAMix, and accelerated SGD variants", 2025."""

    def init(params: Params) -> ScaleBySimplifiedAdEMAMixState:
        return ScaleBySimplifiedAdEMAMixState(new_count(), tree.zeros_like(params), tree.zeros_like(params))

    def update(updates: Updates, state: ScaleBySimplifiedAdEMAMixState, params: Params = None) -> Result:
        share = at(alpha, state.t)
        m = tree.add_scale(updates, b1, state.m)
        n = tree_map(lambda n, g: b2 * n + (1 - b2) * g * g, state.n, updates)
        t = safe_increment(state.t)
        made = tree_map(
            lambda m, g, v: (m + share * g) / (wnp.sqrt(v + eps_root) + eps), m, updates, bias_correction(n, b2, t)
        )
        return made, ScaleBySimplifiedAdEMAMixState(t, m, n)

    return GradientTransformation(init, update)


def simplified_ademamix(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.99,
    b2: Any = 0.95,
    alpha: ScalarOrSchedule = 0.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """See `scale_by_simplified_ademamix`; with decoupled weight decay."""
    return chain(
        scale_by_simplified_ademamix(b1, b2, alpha, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


# -- the squares of the past --------------------------------------------------------------------------------------------------------------


def scale_by_adopt(
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = lambda x: x**0.25,
) -> GradientTransformation:
    """The average of updates over the root of their squares' average up to the one before, so that it converges for every `b2`. S. Taniguchi et al., "ADOPT", NeurIPS 2024. The first update only fills the average."""

    def init(params: Params) -> ScaleByAdamState:
        return ScaleByAdamState(new_count(), tree.zeros_like(params, mu_dtype), tree.zeros_like(params))

    def update(updates: Updates, state: ScaleByAdamState, params: Params = None) -> Result:
        later = state.count > 0
        decay, own = wnp.where(later, b1, 1), wnp.where(later, b2, 0)
        scaled = tree_map(lambda g, v: g / wnp.maximum(wnp.sqrt(v), eps), updates, state.nu)
        if use_clipping:
            most = clip_value_fn(state.count)
            scaled = tree_map(lambda g: wnp.clip(g, -most, most), scaled)
        mu = update_moment(scaled, state.mu, decay, 1)
        made = update_moment(scaled, mu, decay, 1) if nesterov else mu
        nu = update_moment_per_elem_norm(updates, state.nu, own, 2)
        return made, ScaleByAdamState(safe_increment(state.count), tree.cast(mu, mu_dtype), nu)

    return GradientTransformation(init, update)


def adopt(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = lambda x: x**0.25,
) -> GradientTransformationExtraArgs:
    """See `scale_by_adopt`."""
    direction = scale_by_adopt(
        b1, b2, eps, mu_dtype, nesterov=nesterov, use_clipping=use_clipping, clip_value_fn=clip_value_fn
    )
    return chain(direction, scale_by_learning_rate(learning_rate))


def scale_by_acprop(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-16, eps_root: Any = 1e-16) -> GradientTransformation:
    """Updates over the root of the average of their squared distances from what was expected, up to the one before. J. Zhuang et al., "Momentum centering and asynchronous update", NeurIPS 2021."""

    def init(params: Params) -> ScaleByBeliefState:
        return ScaleByBeliefState(new_count(), tree.zeros_like(params), tree.zeros_like(params))

    def update(updates: Updates, state: ScaleByBeliefState, params: Params = None) -> Result:
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_moment_per_elem_norm(tree.sub(updates, state.mu), state.nu, b2, 2)
        nu = tree_map(lambda v: v + eps_root, nu)
        count, first = safe_increment(state.count), state.count == 0
        before = bias_correction(state.nu, b2, wnp.where(first, count, state.count))
        made = tree_map(lambda g, v: g / (wnp.sqrt(wnp.where(first, 1, v)) + eps), updates, before)
        return made, ScaleByBeliefState(count, mu, nu)

    return GradientTransformation(init, update)


def acprop(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """See `scale_by_acprop`; with decoupled weight decay."""
    return chain(
        scale_by_acprop(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


class MadgradState(NamedTuple):
    """How many updates there were, the sums of their squares and of themselves, and the first parameters."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    grad_sum_sq: Updates
    s: Updates
    x0: Params


def scale_by_madgrad(
    learning_rate: ScalarOrSchedule, momentum: float = 0.9, eps: float = 1e-6
) -> GradientTransformation:
    """Steps from the first parameters by the sum of all updates over the cube root of the sum of their squares, averaged. A. Defazio and S. Jelassi, "A momentumized, adaptive, dual averaged gradient method", JMLR 2022."""

    def init(params: Params) -> MadgradState:
        return MadgradState(new_count(), tree.zeros_like(params), tree.zeros_like(params), params)

    def update(updates: Updates, state: MadgradState, params: Params = None) -> Result:
        needs_params(params)
        weight = (at(learning_rate, state.count) + eps) * wnp.sqrt(state.count + 1)
        squares = tree_map(lambda v, g: v + (weight * g**2).astype(g.dtype), state.grad_sum_sq, updates)
        sums = tree_map(lambda s, g: s + (weight * g).astype(g.dtype), state.s, updates)
        goal = tree_map(lambda x, s, v: x - s / (wnp.cbrt(v) + eps), state.x0, sums, squares)
        moved = tree_map(lambda z, p: (1 - momentum) * z + momentum * p - p, goal, params)
        return moved, MadgradState(safe_increment(state.count), squares, sums, state.x0)

    return GradientTransformation(init, update)


def madgrad(
    learning_rate: ScalarOrSchedule, momentum: float = 0.9, weight_decay: float = 0.0, eps: float = 1e-6
) -> GradientTransformation:
    """See `scale_by_madgrad`; with weight decay."""
    return chain(add_decayed_weights(weight_decay), scale_by_madgrad(learning_rate, momentum, eps))


# -- second derivatives -------------------------------------------------------------------------------------------------------------------


class HutchinsonState(NamedTuple):
    """The key of the next random signs."""

    key: Array


def hutchinson_estimator_diag_hessian(random_seed: Any = None) -> GradientTransformationExtraArgs:
    """Estimates of the Hessian's diagonal: random signs times the Hessian's product with them. M. Hutchinson, 1990. `update` wants the function of the parameters as `obj_fn`; `random_seed` is a key."""

    def init(params: Params) -> HutchinsonState:
        return HutchinsonState(random.PRNGKey(0) if random_seed is None else random_seed)

    def update(
        updates: Updates, state: HutchinsonState, params: Params = None, obj_fn: Any = None, **extra: Any
    ) -> Result:
        needs_params(params)
        if obj_fn is None:
            raise ValueError("obj_fn must be provided to hutchinson update function.")
        key, own = random.split(state.key)
        signs = tree.random_like(own, params, random.rademacher, dtype="float32")
        signs = tree.cast(signs, tree.dtype(params, "lowest"))
        product = autodiff.jvp(autodiff.grad(obj_fn), (params,), (signs,))[1]
        return tree.mul(product, signs), HutchinsonState(key)

    return GradientTransformationExtraArgs(init, update)


class SophiaState(NamedTuple):
    """How many updates there were, their moving average and that of the Hessian's diagonal, and the estimator's state."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: Updates
    nu: Updates
    hessian_fn_state: State


def scale_by_sophia(
    b1: Any = 0.965,
    b2: Any = 0.99,
    eps: Any = 1e-8,
    gamma: Any = 0.01,
    clip_threshold: Any = 1.0,
    update_interval: Any = 10,
    hessian_diagonal_fn: GradientTransformation | None = None,
    mu_dtype: Any = None,
    verbose: bool = False,
    print_win_rate_every_n_steps: Any = 0,
) -> GradientTransformationExtraArgs:
    """The average of updates over that of the Hessian's diagonal, clipped. H. Liu et al., "Sophia", ICLR 2024. The diagonal is estimated anew every `update_interval` steps, by `hessian_diagonal_fn` (Hutchinson's estimator), which gets what `update` is given by name."""
    estimator = with_extra_args_support(hessian_diagonal_fn or hutchinson_estimator_diag_hessian())

    def init(params: Params) -> SophiaState:
        zeros = tree.zeros_like(params)
        return SophiaState(new_count(), tree.zeros_like(params, mu_dtype), zeros, estimator.init(params))

    def update(updates: Updates, state: SophiaState, params: Params = None, **extra: Any) -> Result:
        needs_params(params)
        count = safe_increment(state.count)
        mu = update_moment(updates, state.mu, b1, 1)
        made = tree_map(lambda m, h: m / wnp.maximum(gamma * h, eps), bias_correction(mu, b1, count), state.nu)
        if clip_threshold is not None:
            if verbose:
                inside = tree.sum(tree_map(lambda u: wnp.abs(u) < clip_threshold, made)) / tree.size(made)
                lax.cond(
                    count % print_win_rate_every_n_steps == 0,
                    lambda: debug_print("Sophia optimizer win rate: {}", inside),
                    lambda: None,
                )
            made = tree.clip(made, -clip_threshold, clip_threshold)

        def estimated(own: State, nu: Updates) -> tuple[State, Updates]:
            diagonal, own = estimator.update(updates, own, params=params, **extra)
            return own, update_moment(diagonal, nu, b2, 1)

        now = state.count % update_interval == 0
        own, nu = lax.cond(now, estimated, lambda own, nu: (own, nu), state.hessian_fn_state, state.nu)
        return made, SophiaState(count, tree.cast(mu, mu_dtype), nu, own)

    return GradientTransformationExtraArgs(init, update)


def sophia(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.965,
    b2: Any = 0.99,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    weight_decay_mask: Any = None,
    gamma: Any = 0.01,
    clip_threshold: Any = 1.0,
    update_interval: Any = 10,
    hessian_diagonal_fn: GradientTransformation | None = None,
    mu_dtype: Any = None,
    verbose: bool = False,
    print_win_rate_every_n_steps: Any = 0,
) -> GradientTransformationExtraArgs:
    """See `scale_by_sophia`; with decoupled weight decay."""
    direction = scale_by_sophia(
        b1,
        b2,
        eps,
        gamma,
        clip_threshold,
        update_interval,
        hessian_diagonal_fn,
        mu_dtype,
        verbose,
        print_win_rate_every_n_steps,
    )
    return chain(direction, add_decayed_weights(weight_decay, weight_decay_mask), scale_by_learning_rate(learning_rate))

"""Learning rates that need no tuning: estimates of how far the best parameters are, of how low the loss can go, or a bet on each coordinate."""

from __future__ import annotations

from typing import Any, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.optim import tree
from weft.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Params,
    ScalarOrSchedule,
    State,
    Updates,
    chain,
    identity,
    needs_params,
    new_count,
    safe_increment,
    with_extra_args_support,
)
from weft.optim.contrib.directions import at
from weft.optim.shaping import add_decayed_weights, scale_by_learning_rate
from weft.tree_util import tree_map

__all__ = [
    "COCOBState", "DAdaptAdamWState", "DoGState", "DoWGState", "MechanicState", "MomoAdamState", "MomoState",
    "ProdigyState", "cocob", "dadapt_adamw", "dog", "dowg", "mechanize", "momo", "momo_adam", "prodigy",
    "scale_by_cocob", "scale_by_dog", "scale_by_dowg",
]  # fmt: skip

Result = tuple[Updates, State]


def _scalar(value: Any, params: Params) -> Array:
    """A number in the least dtype of the parameters."""
    return wnp.asarray(value, tree.dtype(params, "lowest"))


# -- distances from below: D-adaptation ---------------------------------------------------------------------------------------------------


class DAdaptAdamWState(NamedTuple):
    """Moving averages, the sum of updates, the estimate of the distance and what it is made of, the count."""

    exp_avg: Updates
    exp_avg_sq: Updates
    grad_sum: Updates
    estim_lr: Array
    numerator_weighted: Array
    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]


def dadapt_adamw(
    learning_rate: ScalarOrSchedule = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    estim_lr0: Any = 1e-6,
    weight_decay: Any = 0.0,
) -> GradientTransformationExtraArgs:
    """AdamW with a learning rate that grows to an estimate of how far the best parameters are. A. Defazio and K. Mishchenko, "Learning-rate-free learning by D-adaptation", ICML 2023."""
    b1, b2 = betas
    root = b2**0.5

    def init(params: Params) -> DAdaptAdamWState:
        zeros = tree.zeros_like(params)
        return DAdaptAdamWState(zeros, zeros, zeros, _scalar(estim_lr0, params), _scalar(0.0, params), new_count())

    def update(updates: Updates, state: DAdaptAdamWState, params: Params = None, **extra: Any) -> Result:
        needs_params(params)
        count = safe_increment(state.count)
        unbiased = (1 - b2**count) ** 0.5 / (1 - b1**count)
        rate = (state.estim_lr * at(learning_rate, state.count) * unbiased).astype(state.numerator_weighted.dtype)
        weighted = tree_map(lambda s, v: s / (wnp.sqrt(v) + eps), state.grad_sum, state.exp_avg_sq)
        gain = tree.vdot(updates, weighted)
        mu = tree_map(lambda m, g: b1 * m + (1 - b1) * rate * g, state.exp_avg, updates)
        nu = tree_map(lambda v, g: b2 * v + (1 - b2) * g * g, state.exp_avg_sq, updates)
        sums = tree_map(lambda s, g: root * s + (1 - root) * rate * g, state.grad_sum, updates)
        numerator = root * state.numerator_weighted + (1 - root) * rate * gain
        distance = wnp.maximum(state.estim_lr, numerator / ((1 - root) * tree.norm(sums, ord=1)))
        step = tree_map(lambda m, v, p: -weight_decay * rate * p - m / (wnp.sqrt(v) + eps), mu, nu, params)
        return step, DAdaptAdamWState(mu, nu, sums, distance, numerator, count)

    return GradientTransformationExtraArgs(init, update)


class ProdigyState(NamedTuple):
    """Moving averages, the sum of updates, the first parameters, the estimate of the distance and what it is made of, the count."""

    exp_avg: Updates
    exp_avg_sq: Updates
    grad_sum: Updates
    params0: Params
    estim_lr: Array
    numerator_weighted: Array
    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]


def prodigy(
    learning_rate: ScalarOrSchedule = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    beta3: Any = None,
    eps: Any = 1e-8,
    estim_lr0: Any = 1e-6,
    estim_lr_coef: Any = 1.0,
    weight_decay: Any = 0.0,
    safeguard_warmup: bool = False,
) -> GradientTransformationExtraArgs:
    """AdamW with an estimate of the distance that weighs later updates more. K. Mishchenko and A. Defazio, "Prodigy", ICML 2024. `safeguard_warmup` keeps a schedule that starts low from spoiling it."""
    b1, b2 = betas
    b3 = b2**0.5 if beta3 is None else beta3

    def init(params: Params) -> ProdigyState:
        zeros = tree.zeros_like(params)
        return ProdigyState(zeros, zeros, zeros, params, _scalar(estim_lr0, params), _scalar(0.0, params), new_count())

    def update(updates: Updates, state: ProdigyState, params: Params = None, **extra: Any) -> Result:
        needs_params(params)
        count, distance = safe_increment(state.count), state.estim_lr
        unbiased = (1 - b2**count) ** 0.5 / (1 - b1**count)
        rate = (distance * at(learning_rate, state.count) * unbiased).astype(distance.dtype)
        scaled = tree.scale(distance, updates)
        gain = tree.vdot(updates, tree.sub(state.params0, params))
        mu = tree_map(lambda m, g: b1 * m + (1 - b1) * g, state.exp_avg, scaled)
        nu = tree_map(lambda v, g: b2 * v + (1 - b2) * g * g, state.exp_avg_sq, scaled)
        weight = distance if safeguard_warmup else rate
        sums = tree_map(lambda s, g: b3 * s + weight * g / estim_lr0, state.grad_sum, scaled)
        numerator = b3 * state.numerator_weighted + distance / estim_lr0 * rate * gain
        further = wnp.maximum(distance, estim_lr_coef * numerator / tree.norm(sums, ord=1))
        step = tree_map(
            lambda m, v, p: -weight_decay * rate * p - rate * m / (wnp.sqrt(v) + further * eps), mu, nu, params
        )
        return step, ProdigyState(mu, nu, sums, state.params0, further, numerator, count)

    return GradientTransformationExtraArgs(init, update)


# -- distances as they were gone ----------------------------------------------------------------------------------------------------------


class DoGState(NamedTuple):
    """Whether there was no step yet, the first parameters, the greatest distance from them, the sum of the gradients' squares."""

    is_init_step: Array
    init_params: Params
    max_dist: Array
    sum_sq_norm_grads: Array


def scale_by_dog(init_step: tuple[str, Any], eps: Any = 1e-8) -> GradientTransformation:
    """Updates times the greatest distance from the first parameters over the root of the sum of squares. M. Ivgi, O. Hinder, Y. Carmon, "DoG is SGD's best friend", ICML 2023.

    `init_step`: ("distance", d), ("heuristic", h), which is h (1 + norm of the parameters), or ("learning_rate", r) for the first step. Raises ValueError for another word.
    """
    how, number = init_step
    if how not in ("distance", "heuristic", "learning_rate"):
        raise ValueError(f"Invalid init_step specification for scale_by_dog: init_step_type={how!r}")

    def init(params: Params) -> DoGState:
        first = {"distance": number, "learning_rate": 0.0}.get(how)
        if first is None:
            first = number * (1 + tree.norm(params))
        return DoGState(wnp.asarray(True), params, _scalar(first, params), _scalar(0.0, params))

    def update(updates: Updates, state: DoGState, params: Params = None) -> Result:
        needs_params(params)
        furthest = wnp.maximum(state.max_dist, tree.norm(tree.sub(state.init_params, params)))
        squares = state.sum_sq_norm_grads + tree.norm(updates, squared=True)
        rate = furthest / wnp.sqrt(squares + eps)
        if how == "learning_rate":
            rate = wnp.where(state.is_init_step, number, rate)
        return tree.scale(rate, updates), DoGState(wnp.asarray(False), state.init_params, furthest, squares)

    return GradientTransformation(init, update)


def _decay(weight_decay: Any, mask: Any) -> GradientTransformation:
    return identity() if weight_decay is None else add_decayed_weights(weight_decay, mask)


def dog(
    learning_rate: ScalarOrSchedule = 1.0,
    init_step: tuple[str, Any] = ("heuristic", 1e-6),
    eps: Any = 1e-8,
    weight_decay: Any = None,
    mask: Any = None,
) -> GradientTransformationExtraArgs:
    """Distance over gradients; see `scale_by_dog`."""
    return chain(_decay(weight_decay, mask), scale_by_dog(init_step, eps), scale_by_learning_rate(learning_rate))


class DoWGState(NamedTuple):
    """The first parameters, the sum of the gradients' squares weighted by squared distances, and the greatest of these."""

    init_params: Params
    weighted_sq_norm_grads: Array
    estim_sq_dist: Array


def scale_by_dowg(init_estim_sq_dist: Any = None, eps: Any = 1e-4) -> GradientTransformation:
    """The same with squares weighted by the distance at their time. A. Khaled, K. Mishchenko, C. Jin, "DoWG unleashed", NeurIPS 2023."""

    def init(params: Params) -> DoWGState:
        first = eps if init_estim_sq_dist is None else init_estim_sq_dist
        return DoWGState(params, _scalar(0.0, params), _scalar(first, params))

    def update(updates: Updates, state: DoWGState, params: Params = None) -> Result:
        needs_params(params)
        moved = tree.norm(tree.sub(state.init_params, params), squared=True)
        furthest = wnp.maximum(state.estim_sq_dist, moved)
        squares = furthest * tree.norm(updates, squared=True) + state.weighted_sq_norm_grads
        rate = furthest / (wnp.sqrt(squares) + eps)
        return tree.scale(rate, updates), DoWGState(state.init_params, squares, furthest)

    return GradientTransformation(init, update)


def dowg(
    learning_rate: ScalarOrSchedule = 1.0,
    init_estim_sq_dist: Any = None,
    eps: Any = 1e-4,
    weight_decay: Any = None,
    mask: Any = None,
) -> GradientTransformationExtraArgs:
    """Distance over weighted gradients; see `scale_by_dowg`."""
    direction = scale_by_dowg(init_estim_sq_dist, eps)
    return chain(_decay(weight_decay, mask), direction, scale_by_learning_rate(learning_rate))


class MechanicState(NamedTuple):
    """The state within, the count, what each of several tuners knows (reward, greatest gain, squares, scale), the first parameters."""

    base_optimizer_state: State
    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    r: Array
    m: Array
    v: Array
    s: Array
    x0: Params


def mechanize(
    base_optimizer: GradientTransformation,
    weight_decay: Any = 1e-2,
    eps: Any = 1e-8,
    s_init: Any = 1e-6,
    num_betas: int = 6,
) -> GradientTransformationExtraArgs:
    """An optimiser whose whole way from the first parameters is scaled by a number learned on the way. A. Cutkosky, A. Defazio, H. Mehta, "Mechanic", NeurIPS 2023."""
    within = with_extra_args_support(base_optimizer)

    def init(params: Params) -> MechanicState:
        zeros = wnp.zeros([num_betas], tree.dtype(params, "lowest"))
        return MechanicState(within.init(params), new_count(), zeros, zeros, zeros, zeros + s_init, params)

    def update(updates: Updates, state: MechanicState, params: Params = None, **extra: Any) -> Result:
        needs_params(params)
        steps, inner = within.update(updates, state.base_optimizer_state, params, **extra)
        x0 = tree.where(state.count == 0, params, state.x0)
        scale = wnp.sum(state.s)
        decay = weight_decay * scale * tree.norm(updates) / (tree.norm(params) + eps)
        updates = tree_map(lambda g, p: g + decay * p, updates, params)
        before = tree_map(lambda p, x: (x - p) / (scale + eps), params, x0)
        way = tree.sub(before, steps)
        gain = tree.vdot(updates, before)
        betas = wnp.array([1.0 - 0.1**n for n in range(1, num_betas + 1)], state.s.dtype)
        m = wnp.maximum(betas * state.m, wnp.abs(gain) + eps)
        v = betas**2 * state.v + gain**2
        r = betas * state.r + wnp.clip(gain, -state.m, state.m) * state.s
        s = (s_init / num_betas * m + wnp.maximum(0.0, r)) / (wnp.sqrt(v) + eps)
        moved = tree_map(lambda x, d, p: x - wnp.sum(s) * d - p, x0, way, params)
        return moved, MechanicState(inner, safe_increment(state.count), r, m, v, s, x0)

    return GradientTransformationExtraArgs(init, update)


# -- how low the loss can go --------------------------------------------------------------------------------------------------------------


class MomoState(NamedTuple):
    """Moving averages of the gradients, of the loss and of the gradients' products with the parameters; the lower bound; the count."""

    exp_avg: Updates
    barf: Array
    gamma: Array
    lb: Array
    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]


class MomoAdamState(NamedTuple):
    """The same, with the moving average of the gradients' squares."""

    exp_avg: Updates
    exp_avg_sq: Updates
    barf: Array
    gamma: Array
    lb: Array
    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]


def momo(
    learning_rate: ScalarOrSchedule = 1.0,
    beta: Any = 0.9,
    lower_bound: Any = 0.0,
    weight_decay: Any = 0.0,
    adapt_lower_bound: bool = False,
) -> GradientTransformationExtraArgs:
    """Gradient descent with momentum, whose step goes at most to where a model of the loss meets `lower_bound`. F. Schaipp et al., "MoMo", ICML 2024. `update` wants the loss as `value`."""

    def init(params: Params) -> MomoState:
        zero = _scalar(0.0, params)
        return MomoState(tree.zeros_like(params), zero, zero, _scalar(lower_bound, params), new_count())

    def update(updates: Updates, state: MomoState, params: Params = None, *, value: Any, **extra: Any) -> Result:
        needs_params(params)
        decay = wnp.where(state.count == 0, 0.0, beta)
        mu = tree_map(lambda m, g: decay * m + (1 - decay) * g, state.exp_avg, updates)
        model = _Model(state, mu, updates, params, value, decay, tree.norm(mu, squared=True))
        tau, bound = model.step(at(learning_rate, state.count), 1.0, weight_decay, lower_bound, adapt_lower_bound)
        shrink = model.shrinkage
        step = tree_map(lambda m, p: -shrink * p - tau * m, mu, params)
        return step, MomoState(mu, model.loss, model.gamma, bound, safe_increment(state.count))

    return GradientTransformationExtraArgs(init, update)


def momo_adam(
    learning_rate: ScalarOrSchedule = 1e-2,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    lower_bound: Any = 0.0,
    weight_decay: Any = 0.0,
    adapt_lower_bound: bool = False,
) -> GradientTransformationExtraArgs:
    """The same with Adam's directions."""

    def init(params: Params) -> MomoAdamState:
        zeros, zero = tree.zeros_like(params), _scalar(0.0, params)
        return MomoAdamState(zeros, zeros, zero, zero, _scalar(lower_bound, params), new_count())

    def update(updates: Updates, state: MomoAdamState, params: Params = None, *, value: Any, **extra: Any) -> Result:
        needs_params(params)
        count = safe_increment(state.count)
        mu = tree_map(lambda m, g: b1 * m + (1 - b1) * g, state.exp_avg, updates)
        nu = tree_map(lambda v, g: b2 * v + (1 - b2) * g * g, state.exp_avg_sq, updates)
        first, second = (wnp.asarray(1 - b**count, state.barf.dtype) for b in (b1, b2))
        sizes = tree_map(lambda v: eps + wnp.sqrt(v / second), nu)
        square = tree.vdot(mu, tree.div(mu, sizes))
        model = _Model(state, mu, updates, params, value, b1, square)
        tau, bound = model.step(at(learning_rate, state.count), first, weight_decay, lower_bound, adapt_lower_bound)
        shrink = model.shrinkage
        step = tree_map(lambda m, d, p: -shrink * p - tau * m / d, mu, sizes, params)
        return step, MomoAdamState(mu, nu, model.loss, model.gamma, bound, count)

    return GradientTransformationExtraArgs(init, update)


class _Model:
    """The linear model of the loss that both make of their averages: where along the averaged direction it meets the lower bound."""

    shrinkage: Any

    def __init__(self, state: Any, mu: Updates, updates: Updates, params: Params, value: Any, decay: Any, square: Any):
        self.bound, self.square = state.lb, square
        self.loss = decay * state.barf + (1 - decay) * wnp.asarray(value, state.barf.dtype)
        self.gamma = decay * state.gamma + (1 - decay) * tree.vdot(updates, params)
        self.product = tree.vdot(mu, params)

    def step(self, rate: Any, bias: Any, decay: Any, least: Any, adapt: bool) -> tuple[Array, Array]:
        """How far to go, and the next lower bound. `bias` is that of the averages, `least` the bound that an adapted one keeps."""
        grown = 1 + rate * decay
        self.shrinkage = rate * decay / grown
        bound = self.bound
        if adapt:
            cap = grown * (self.loss - self.gamma) + self.product
            bound = wnp.where(cap < grown * bias * bound, wnp.maximum(cap / (2 * bias * grown), least), bound)
        gap = wnp.maximum(grown * (self.loss - bias * bound - self.gamma) + self.product, 0.0) / self.square
        gap = wnp.where(self.square <= wnp.finfo(float).eps, 0.0, gap)
        tau = wnp.minimum(rate / bias, gap)
        if not adapt:
            return tau, self.bound
        new = (self.loss + self.product - self.gamma - 1 / 2 * tau * self.square) / bias
        return tau, wnp.maximum(new, least)


# -- bets ---------------------------------------------------------------------------------------------------------------------------------


class COCOBState(NamedTuple):
    """The first parameters, the sums of gradients and of their absolute values, the greatest of these, what was won."""

    init_particles: Params
    cumulative_gradients: Updates
    scale: Updates
    subgradients: Updates
    reward: Updates


def scale_by_cocob(alpha: Any = 100.0, eps: Any = 1e-8) -> GradientTransformation:
    """Steps by betting on the sign of each coordinate's gradient. F. Orabona and T. Tommasi, "Training deep networks without learning rates through coin betting", NeurIPS 2017."""

    def init(params: Params) -> COCOBState:
        zeros = tree.zeros_like(params)
        return COCOBState(params, zeros, tree.full_like(params, eps), zeros, zeros)

    def update(updates: Updates, state: COCOBState, params: Params = None) -> Result:
        needs_params(params)
        first = state.init_particles
        most = tree_map(lambda L, g: wnp.maximum(L, wnp.abs(g)), state.scale, updates)
        sizes = tree_map(lambda G, g: G + wnp.abs(g), state.subgradients, updates)
        won = tree_map(lambda R, g, p, x: wnp.maximum(R - g * (p - x), 0), state.reward, updates, params, first)
        sums = tree.sub(state.cumulative_gradients, updates)
        step = tree_map(
            lambda p, x, C, L, G, R: -p + (x + C / (L * wnp.maximum(G + L, alpha * L)) * (L + R)),
            *(params, first, sums, most, sizes, won),
        )
        return step, COCOBState(first, sums, most, sizes, won)

    return GradientTransformation(init, update)


def cocob(
    learning_rate: ScalarOrSchedule = 1.0,
    alpha: Any = 100.0,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """See `scale_by_cocob`; with weight decay."""
    return chain(
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate, flip_sign=False),
        scale_by_cocob(alpha, eps),
    )

"""Directions by signs, norms and parameters: what keeps of an update its sign, its size, or its size beside that of the parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.optim.base import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    Params,
    State,
    Updates,
    by_leaf,
    cast_tree,
    global_norm,
    init_empty_state,
    needs_params,
    safe_norm,
    safe_root_mean_squares,
    stateless,
    stateless_with_tree_map,
    zeros_like_tree,
)
from weft.tree_util import tree_map

__all__ = [
    "ScaleByDistanceOverGradientsState",
    "ScaleByOptimisticGradientState",
    "ScaleByRpropState",
    "ScaleByTrustRatioState",
    "centralize",
    "normalize_by_update_norm",
    "scale_by_distance_over_gradients",
    "scale_by_optimistic_gradient",
    "scale_by_param_block_norm",
    "scale_by_param_block_rms",
    "scale_by_polyak",
    "scale_by_rprop",
    "scale_by_sign",
    "scale_by_trust_ratio",
]

Result = tuple[Updates, State]


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


def scale_by_polyak(
    f_min: Any = 0.0, max_learning_rate: Any = 1.0, eps: Any = 0.0, variant: str = "sps"
) -> GradientTransformationExtraArgs:
    """Updates times Polyak's step, how far the loss is above `f_min` over the squared norm of the gradient, or `max_learning_rate` if that is less.

    `update` wants the loss as `value`. The variant "sps+" takes no steps back from a loss below `f_min`; others than it and "sps" raise ValueError. N. Loizou et al., "Stochastic Polyak
    step-size for SGD", AISTATS 2021.
    """

    def update(updates: Updates, state: EmptyState, params: Params = None, *, value: Any, **extra: Any) -> Result:
        if variant not in ("sps", "sps+"):
            raise ValueError(f"Invalid argument value for Polyak SGD: variant={variant!r}")
        squared = global_norm(updates) ** 2 + eps
        gap = wnp.asarray(value - f_min).astype(squared.dtype)
        gap = wnp.maximum(gap, 0) if variant == "sps+" else gap
        flat = squared <= wnp.finfo(float).eps
        step = wnp.where(flat, 0.0, wnp.minimum(gap / wnp.where(flat, 1.0, squared), max_learning_rate))
        return tree_map(lambda g: step * g, updates), state

    return GradientTransformationExtraArgs(init_empty_state, update)


class ScaleByDistanceOverGradientsState(NamedTuple):
    """For each leaf the greatest distance from the first parameters and the sum of the gradients' squares; the first parameters."""

    max_dist: Updates
    grad_sum_of_squares: Updates
    init_params: Params


def scale_by_distance_over_gradients(
    reps_rel: Any = 1e-6, eps: Any = 1e-8, param_dtype: Any = "float32", global_scale: Any = 1.0
) -> GradientTransformation:
    """Each leaf times the greatest distance from where it began over the root of its gradients' squares. M. Ivgi, O. Hinder, Y. Carmon, "DoG is SGD's best friend", ICML 2023 (there called L-DoG)."""

    def init(params: Params) -> ScaleByDistanceOverGradientsState:
        return ScaleByDistanceOverGradientsState(
            tree_map(lambda p: reps_rel * (1 + global_norm(p)), params),
            tree_map(lambda p: wnp.zeros(1), params),
            cast_tree(params, param_dtype),
        )

    def update(updates: Updates, state: ScaleByDistanceOverGradientsState, params: Params = None) -> Result:
        needs_params(params)
        furthest = tree_map(
            lambda d, p, first: wnp.maximum(d, global_norm(p - first)), state.max_dist, params, state.init_params
        )
        squares = tree_map(lambda s, g: s + wnp.sum(wnp.square(g)), state.grad_sum_of_squares, updates)
        scaled = tree_map(lambda g, d, s: global_scale * (d / wnp.sqrt(s + eps)) * g, updates, furthest, squares)
        return scaled, ScaleByDistanceOverGradientsState(furthest, squares, state.init_params)

    return GradientTransformation(init, update)

"""Directions by squares alone: updates over the root of a sum or an average of their squares (AdaGrad, RMSProp and their kin)."""

from __future__ import annotations

from typing import Any, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.lax import rsqrt
from weft.optim.base import (
    GradientTransformation,
    Params,
    State,
    Updates,
    new_count,
    safe_increment,
    update_moment,
    update_moment_per_elem_norm,
    zeros_like_tree,
)
from weft.tree_util import tree_map

__all__ = [
    "ScaleByAdaDeltaState",
    "ScaleByRStdDevState",
    "ScaleByRmsState",
    "ScaleByRssState",
    "ScaleBySM3State",
    "scale_by_adadelta",
    "scale_by_rms",
    "scale_by_rss",
    "scale_by_sm3",
    "scale_by_stddev",
]

Result = tuple[Updates, State]


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

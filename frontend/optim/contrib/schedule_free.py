"""Optimisers without a schedule: A. Defazio et al., "The road less scheduled", NeurIPS 2024.

Gradients are taken at `y`, between the point `z` that the optimiser within moves and the average `x` of where it was. The parameters are `y`; `schedule_free_eval_params` gives `x`.
"""

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
    apply_updates,
    chain,
    needs_params,
    safe_increment,
    with_extra_args_support,
)
from weft.optim.optimizers import sgd
from weft.optim.schedules import warmup_constant_schedule
from weft.optim.shaping import add_decayed_weights, scale_by_learning_rate
from weft.optim.squares import scale_by_rms
from weft.tree_util import tree_map

__all__ = [
    "ScheduleFreeState",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_eval_params",
    "schedule_free_sgd",
]


class ScheduleFreeState(NamedTuple):
    """How near `y` is to `x`; the sum of weights, the steps, the greatest learning rate; the state within, and `z`."""

    b1: Array
    weight_sum: Array
    step_count: Array
    max_lr: Array
    base_optimizer_state: State
    z: Params


def schedule_free_eval_params(state: Any, params: Params) -> Params:
    """The average `x`, the parameters to evaluate with. Raises AttributeError for a state of another optimiser."""
    return tree_map(lambda y, z: (y - (1.0 - state.b1) * z) / state.b1, params, state.z)


def schedule_free(
    base_optimizer: GradientTransformation,
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """An optimiser (without momentum of its own), averaged in place of a schedule. `learning_rate` is that of the optimiser; a step weighs as its greatest so far to the power `weight_lr_power`."""
    within = with_extra_args_support(base_optimizer)

    def init(params: Params) -> ScheduleFreeState:
        dtype = tree.dtype(params, "lowest")
        return ScheduleFreeState(
            b1=wnp.asarray(b1, dtype),
            weight_sum=wnp.zeros([], dtype),
            step_count=wnp.ones([], "int32"),
            max_lr=wnp.zeros([], dtype),
            base_optimizer_state=within.init(params),
            z=tree.cast(params, state_dtype),
        )

    def update(
        updates: Updates, state: ScheduleFreeState, params: Params = None, **extra: Any
    ) -> tuple[Updates, State]:
        needs_params(params)
        rate = learning_rate
        if callable(rate):
            rate = wnp.asarray(rate(state.step_count), state.max_lr.dtype)
        greatest = wnp.maximum(state.max_lr, rate)
        weight = greatest**weight_lr_power
        total = state.weight_sum + weight
        share = wnp.where(wnp.isnan(total), wnp.nan, wnp.nan_to_num(weight / total, nan=0.0, posinf=wnp.inf))
        steps, inner = within.update(updates, state.base_optimizer_state, params, **extra)
        z = apply_updates(state.z, steps)
        before = tree_map(lambda y, z: (y - (1.0 - b1) * z) / b1, params, state.z)
        x = tree_map(lambda x, z: (1.0 - share) * x + share * z, before, z)
        moved = tree_map(lambda x, z, y: b1 * x + (1.0 - b1) * z - y, x, z, params)
        return moved, ScheduleFreeState(state.b1, total, safe_increment(state.step_count), greatest, inner, z)

    return GradientTransformationExtraArgs(init, update)


def _warm(learning_rate: Any, warmup_steps: int | None) -> Any:
    return learning_rate if warmup_steps is None else warmup_constant_schedule(0, learning_rate, warmup_steps)


def schedule_free_sgd(
    learning_rate: Any = 1.0,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    weight_decay: Any = None,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """Gradient descent without a schedule, but for a beginning of `warmup_steps`."""
    rate = _warm(learning_rate, warmup_steps)
    decay = [] if weight_decay is None else [add_decayed_weights(weight_decay)]
    return schedule_free(chain(*decay, sgd(rate)), rate, b1, weight_lr_power, state_dtype)


def schedule_free_adamw(
    learning_rate: Any = 0.0025,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """AdamW without a schedule, but for a beginning of `warmup_steps`; `b1` is of the average, not of a momentum."""
    rate = _warm(learning_rate, warmup_steps)
    within = chain(
        scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        add_decayed_weights(weight_decay),
        scale_by_learning_rate(rate),
    )
    return schedule_free(within, rate, b1, weight_lr_power, state_dtype)

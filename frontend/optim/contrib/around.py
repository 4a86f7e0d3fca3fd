"""Around a whole optimiser: sharpness-aware steps, a learning rate that falls when the loss stays, complex parameters as pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.optim import tree
from weft.optim.base import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    Params,
    State,
    Updates,
    apply_updates,
    new_count,
    safe_increment,
    stateless,
)
from weft.tree_util import tree_map

__all__ = [
    "NormalizeState", "ReduceLROnPlateauState", "SAMState", "SplitRealAndImaginaryState", "normalize",
    "reduce_on_plateau", "sam", "split_real_and_imaginary",
]  # fmt: skip

Result = tuple[Updates, State]
NormalizeState = EmptyState


def normalize() -> GradientTransformation:
    """Updates over their norm, for the adversarial step of `sam`."""
    return stateless(lambda updates, params: tree.scale(1.0 / tree.norm(updates), updates))


# -- sharpness ----------------------------------------------------------------------------------------------------------------------------


class SAMState(NamedTuple):
    """Steps since the last outer one, the states of both optimisers, and the parameters at the last outer step."""

    steps_since_sync: Array
    opt_state: State
    adv_state: State
    cache: Params | None


def sam(
    optimizer: GradientTransformation,
    adv_optimizer: GradientTransformation,
    sync_period: int = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
    batch_axis_name: str | None = None,
) -> GradientTransformationExtraArgs:
    """Steps by the gradient where the loss is greatest close by: P. Foret et al., "Sharpness-aware minimization", ICLR 2021.

    Of `sync_period` steps all but the last go uphill, by `adv_optimizer`; the last one starts from where the first did. In `opaque_mode` one `update` makes them all, and wants `grad_fn(params, i)`.
    """
    if sync_period < 1:
        raise ValueError("Synchronization period must be >= 1.")

    def init(params: Params) -> SAMState:
        cache = None if opaque_mode else params
        return SAMState(new_count(), optimizer.init(params), adv_optimizer.init(params), cache)

    def uphill(updates: Updates, state: State, params: Params) -> Result:
        updates, state = adv_optimizer.update(updates, state, params)
        return tree.scale(-1, updates), state

    def transparent(updates: Updates, state: SAMState, params: Params = None, *, grad_fn: Any = None) -> Result:
        last = state.steps_since_sync == sync_period - 1
        up, adv_state = uphill(updates, state.adv_state, params)
        down, opt_state = optimizer.update(updates, state.opt_state, state.cache)
        down = tree_map(lambda c, p, u: c - p + u, state.cache, params, down)
        return tree.where(last, down, up), SAMState(
            (state.steps_since_sync + 1) % sync_period,
            tree.where(last, opt_state, state.opt_state),
            tree.where(last, adv_optimizer.init(params) if reset_state else state.adv_state, adv_state),
            tree.where(state.steps_since_sync == 0, params, state.cache),
        )

    def opaque(
        updates: Updates, state: SAMState, params: Params = None, *, grad_fn: Callable[..., Updates] | None = None
    ) -> Result:
        if grad_fn is None:
            raise ValueError("grad_fn must be provided when opaque_mode=True.")
        there, adv_state = params, state.adv_state
        for i in range(sync_period - 1):
            up, adv_state = uphill(updates, adv_state, there)
            there = apply_updates(there, up)
            updates = grad_fn(there, i)
            if batch_axis_name is not None:
                updates = lax.pmean(updates, batch_axis_name)
        adv_state = adv_optimizer.init(params) if reset_state else adv_state
        updates, opt_state = optimizer.update(updates, state.opt_state, params)
        return updates, SAMState(new_count(), opt_state, adv_state, None)

    return GradientTransformationExtraArgs(init, opaque if opaque_mode else transparent)


# -- plateaus -----------------------------------------------------------------------------------------------------------------------------


class ReduceLROnPlateauState(NamedTuple):
    """The factor of the learning rate, the best loss, how long it has not become better, how long none is expected, and the mean loss of the steps that count as one."""

    scale: Array
    best_value: Array
    plateau_count: Array
    cooldown_count: Array
    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    avg_value: Array


def reduce_on_plateau(
    factor: float = 0.1,
    patience: Any = 10,
    rtol: float = 1e-4,
    atol: float = 0.0,
    cooldown: Any = 0,
    accumulation_size: Any = 1,
    min_scale: Any = 0.0,
) -> GradientTransformationExtraArgs:
    """Updates times a number that falls by `factor` when the loss (`value` of `update`) has not become better for `patience` steps, and then rests for `cooldown`. `accumulation_size` steps count as one, with their mean loss."""
    if not 0.0 < factor < 1.0:
        raise ValueError(f"Factor must be in the range (0, 1), got factor = {factor}.")
    if rtol < 0.0 or atol < 0.0:
        raise ValueError(f"Both rtol and atol must be non-negative, got rtol = {rtol} and atol = {atol}.")
    if rtol == 0.0 and atol == 0.0:
        raise ValueError(f"At least one of rtol or atol must be positive, got rtol = {rtol} and atol = {atol}.")
    if rtol > 1.0:
        raise ValueError(f"rtol must be less than or equal to 1.0, got rtol = {rtol}.")

    def init(params: Params) -> ReduceLROnPlateauState:
        low, high = tree.dtype(params, "lowest"), tree.dtype(params, "highest")
        counts = new_count(), new_count(), new_count()
        return ReduceLROnPlateauState(
            wnp.asarray(1.0, low), wnp.asarray(wnp.inf, high), *counts, wnp.asarray(0.0, high)
        )

    def judged(state: ReduceLROnPlateauState) -> ReduceLROnPlateauState:
        better = state.avg_value < (1 - rtol) * state.best_value - atol
        waited = wnp.where(better, 0, safe_increment(state.plateau_count))
        resting = state.cooldown_count > 0
        falls = (waited == patience) & ~resting
        return ReduceLROnPlateauState(
            scale=wnp.where(
                resting, state.scale, wnp.maximum(wnp.where(falls, state.scale * factor, state.scale), min_scale)
            ),
            best_value=wnp.where(better, state.avg_value, state.best_value),
            plateau_count=wnp.where(resting | falls, 0, waited),
            cooldown_count=wnp.where(resting, state.cooldown_count - 1, wnp.where(falls, cooldown, 0)),
            count=new_count(),
            avg_value=wnp.zeros_like(state.avg_value),
        )

    def update(
        updates: Updates, state: ReduceLROnPlateauState, params: Params = None, *, value: Any, **extra: Any
    ) -> Result:
        count = safe_increment(state.count)
        mean = (state.count * state.avg_value + wnp.asarray(value).astype(state.avg_value.dtype)) / count
        new = state._replace(avg_value=mean.astype(state.avg_value.dtype), count=count)
        new = tree.cast_like(tree.where(count == accumulation_size, judged(new), new), state)
        return tree.scale(new.scale, updates), new

    return GradientTransformationExtraArgs(init, update)


# -- complex parameters -------------------------------------------------------------------------------------------------------------------


class SplitRealAndImaginaryState(NamedTuple):
    """The state of the transformation within."""

    inner_state: State


class _Pair(NamedTuple):
    real: Array
    imaginary: Array


def split_real_and_imaginary(inner: GradientTransformation) -> GradientTransformation:
    """The transformation of complex parameters as twice as many real ones."""

    def split(params: Params) -> Params:
        return tree_map(lambda x: _Pair(x.real, x.imag) if wnp.iscomplexobj(x) else x, params)

    def joined(x: Any) -> Any:
        return lax.complex(x.real, x.imaginary) if isinstance(x, _Pair) else x

    def update(updates: Updates, state: SplitRealAndImaginaryState, params: Params = None) -> Result:
        made, inner_state = inner.update(split(updates), state.inner_state, split(params))
        made = tree_map(joined, made, is_leaf=lambda x: isinstance(x, _Pair))
        return made, SplitRealAndImaginaryState(inner_state)

    return GradientTransformation(lambda params: SplitRealAndImaginaryState(inner.init(split(params))), update)

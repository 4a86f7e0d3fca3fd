"""Schedules: functions of the step count that a learning rate, or any other number, may follow."""

# ruff: noqa: PLC0414

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import weft.numpy as wnp
from weft.array import Array
from weft.lax.base import default_float
from weft.optim.base import Schedule
from weft.optim.combining import InjectHyperparamsState as InjectHyperparamsState
from weft.optim.combining import InjectStatefulHyperparamsState as InjectStatefulHyperparamsState
from weft.optim.combining import StatefulSchedule as StatefulSchedule
from weft.optim.combining import WrappedSchedule as WrappedSchedule
from weft.optim.combining import inject_hyperparams as inject_hyperparams
from weft.optim.combining import inject_stateful_hyperparams as inject_stateful_hyperparams

__all__ = [
    "constant_schedule", "cosine_decay_schedule", "cosine_onecycle_schedule", "exponential_decay", "join_schedules",
    "linear_onecycle_schedule", "linear_schedule", "piecewise_constant_schedule", "piecewise_interpolate_schedule",
    "polynomial_schedule", "sgdr_schedule", "warmup_constant_schedule", "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]  # fmt: skip


def constant_schedule(value: Any) -> Schedule:
    """The same at every step."""
    return lambda count: value


def polynomial_schedule(
    init_value: Any, end_value: Any, power: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From `init_value` to `end_value` over `transition_steps`, along (1 - fraction) ** power; constant if there are none."""
    if transition_steps <= 0:
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)

    def schedule(count: Any) -> Array:
        left = 1 - wnp.clip(count - begin, 0, transition_steps) / transition_steps
        return (init_value - end_value) * (left**power) + end_value

    return schedule


def linear_schedule(init_value: Any, end_value: Any, transition_steps: int, transition_begin: int = 0) -> Schedule:
    """A straight line."""
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


def piecewise_constant_schedule(
    init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> Schedule:
    """`init_value`, multiplied by the scale of each boundary that has been passed. Raises ValueError for a negative scale."""
    steps = dict(boundaries_and_scales or {})
    if any(scale < 0 for scale in steps.values()):
        raise ValueError("`piecewise_constant_schedule` expects non-negative scale factors")

    def schedule(count: Any) -> Any:
        value = init_value
        for boundary, scale in sorted(steps.items()):
            value = wnp.where(count < boundary, value, scale * value)
        return value

    return schedule


def exponential_decay(
    init_value: float,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """`init_value * decay_rate ** (count / transition_steps)`, in steps of whole transitions with `staircase`; never beyond `end_value`."""
    if transition_steps is not None and transition_steps <= 0:
        return constant_schedule(init_value)
    if decay_rate == 0:
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)

    def schedule(count: Any) -> Array:
        past = count - begin
        elapsed = past / transition_steps
        power = wnp.floor(elapsed) if staircase else elapsed
        value = wnp.where(past <= 0, init_value, init_value * wnp.power(decay_rate, power))
        if end_value is None:
            return value
        return wnp.maximum(value, end_value) if decay_rate < 1 else wnp.minimum(value, end_value)

    return schedule


def cosine_decay_schedule(init_value: Any, decay_steps: int, alpha: Any = 0.0, exponent: Any = 1.0) -> Schedule:
    """Half a cosine from `init_value` to `alpha * init_value`. I. Loshchilov and F. Hutter, "SGDR", ICLR 2017."""
    if not decay_steps > 0:
        raise ValueError(f"The cosine_decay_schedule requires positive decay_steps, got {decay_steps=}.")

    def schedule(count: Any) -> Array:
        fraction = wnp.minimum(count, decay_steps) / decay_steps
        cosine = 0.5 * (1 + wnp.cos(wnp.pi * fraction))
        return init_value * ((1 - alpha) * cosine**exponent + alpha)

    return schedule


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule after the other; each counts from its boundary."""

    def schedule(count: Any) -> Any:
        value = schedules[0](count)
        for boundary, following in zip(boundaries, schedules[1:], strict=True):
            value = wnp.where(count < boundary, value, following(count - boundary))
        return value

    return schedule


def warmup_constant_schedule(init_value: Any, peak_value: Any, warmup_steps: int) -> Schedule:
    """A straight line up to `peak_value`, which stays."""
    return linear_schedule(init_value, peak_value, warmup_steps)


def warmup_cosine_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    """A straight line up to `peak_value`, then half a cosine down to `end_value` at step `decay_steps`."""
    alpha = 0.0 if peak_value == 0.0 else end_value / peak_value
    return join_schedules(
        [
            linear_schedule(init_value, peak_value, warmup_steps),
            cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent),
        ],
        [warmup_steps],
    )


def warmup_exponential_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """A straight line up to `peak_value`, then an exponential decay."""
    return join_schedules(
        [
            linear_schedule(init_value, peak_value, warmup_steps),
            exponential_decay(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value),
        ],
        [warmup_steps],
    )


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """Cosine decays with a warm restart after each: the arguments of a `warmup_cosine_decay_schedule` for each."""
    given = list(cosine_kwargs)
    ends = [sum(int(k["decay_steps"]) for k in given[: i + 1]) for i in range(len(given) - 1)]
    return join_schedules([warmup_cosine_decay_schedule(**k) for k in given], ends)


def piecewise_interpolate_schedule(
    interpolate_type: Literal["linear", "cosine"],
    init_value: float,
    boundaries_and_scales: Mapping[int, float] | None = None,
) -> Schedule:
    """From each boundary's value, the last one times its scale, to the next one's along a line or half a cosine. Raises ValueError for another type, or a negative scale."""
    shapes = {
        "linear": lambda start, end, part: (end - start) * part + start,
        "cosine": lambda start, end, part: end + (start - end) / 2.0 * (wnp.cos(wnp.pi * part) + 1),
    }
    if interpolate_type not in shapes:
        raise ValueError("`interpolate_type` must be either 'cos' or 'linear'")
    steps = sorted((boundaries_and_scales or {}).items())
    if any(scale < 0.0 for _, scale in steps):
        raise ValueError("`piecewise_interpolate_schedule` expects non-negative scale factors")
    bounds, values = [0], [float(init_value)]
    for boundary, scale in steps:
        bounds.append(boundary)
        values.append(values[-1] * scale)

    def schedule(count: Any) -> Array:
        found = wnp.asarray(values[-1], default_float())
        for start, end, a, b in reversed(list(zip(bounds[:-1], bounds[1:], values[:-1], values[1:], strict=True))):
            part = (count - start) / max(end - start, 1)
            found = wnp.where(count < end, shapes[interpolate_type](a, b, part), found)
        return found

    return schedule


def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up, down, and down to almost nothing, along lines. L. Smith and N. Topin, "Super-convergence", arXiv:1708.07120."""
    if transition_steps <= 0:
        raise ValueError("A linear onecycle schedule was set with a non-positive `transition_steps`")
    return piecewise_interpolate_schedule(
        "linear",
        peak_value / div_factor,
        {
            int(pct_start * transition_steps): div_factor,
            int(pct_final * transition_steps): 1.0 / div_factor,
            transition_steps: 1.0 / final_div_factor,
        },
    )


def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up and down to almost nothing, along cosines (the same paper)."""
    if transition_steps <= 0:
        raise ValueError("A linear onecycle schedule was set with a non-positive `transition_steps`")
    return piecewise_interpolate_schedule(
        "cosine",
        peak_value / div_factor,
        {
            int(pct_start * transition_steps): div_factor,
            int(transition_steps): 1.0 / (div_factor * final_div_factor),
        },
    )

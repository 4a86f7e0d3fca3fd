"""Transformations that look on: they leave updates as they are, and keep in their state what was measured of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from weft.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Params,
    State,
    Updates,
    chain,
    stateless,
    with_extra_args_support,
)
from weft.optim.shaping import ema

__all__ = ["MonitorState", "SnapshotState", "measure_with_ema", "monitor", "snapshot"]

Measure = Callable[[Updates], Any]


class SnapshotState(NamedTuple):
    """What was measured, by its name."""

    measurement: dict[str, Any]


class MonitorState(NamedTuple):
    """What was measured, by names, and the states of the measures."""

    measurements: dict[str, Any]
    measure_states: tuple[State, ...]


def snapshot(measure_name: str, measure: Measure) -> GradientTransformation:
    """Keeps `measure(updates)` (of the parameters, at first) under a name, by which `tree.get` finds it."""

    def update(updates: Updates, state: SnapshotState, params: Params = None) -> tuple[Updates, State]:
        return updates, SnapshotState({measure_name: measure(updates)})

    return GradientTransformation(lambda params: SnapshotState({measure_name: measure(params)}), update)


def monitor(measures: Mapping[str, GradientTransformation | Measure]) -> GradientTransformationExtraArgs:
    """Keeps several measures of the updates: functions of them, or transformations, whose updates are then the measure and which may remember."""
    parts = {
        name: with_extra_args_support(
            m if isinstance(m, GradientTransformation) else stateless(lambda updates, _, m=m: m(updates))
        )
        for name, m in measures.items()
    }

    def init(params: Params) -> MonitorState:
        return MonitorState({}, tuple(part.init(params) for part in parts.values()))

    def update(updates: Updates, state: MonitorState, params: Params = None, **extra: Any) -> tuple[Updates, State]:
        found, states = {}, []
        for (name, part), own in zip(parts.items(), state.measure_states, strict=True):
            found[name], own = part.update(updates, own, params, **extra)
            states.append(own)
        return updates, MonitorState(found, tuple(states))

    return GradientTransformationExtraArgs(init, update)


def measure_with_ema(
    measure: Measure, decay: Any, debias: bool = True, accumulator_dtype: Any = None
) -> GradientTransformationExtraArgs:
    """The moving average of a measure, for `monitor`."""
    average = ema(decay, debias, accumulator_dtype)
    return chain(
        stateless(lambda updates, _: measure(updates)),
        GradientTransformation(lambda params: average.init(measure(params)), average.update),
    )

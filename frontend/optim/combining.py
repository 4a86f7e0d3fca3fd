"""Transformations of some parameters only, by labels, under a condition, or with hyperparameters in their state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import signature
from typing import Any, NamedTuple, Protocol, runtime_checkable

import weft.numpy as wnp
from weft.array import Array
from weft.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Params,
    State,
    Updates,
    new_count,
    safe_increment,
    set_to_zero,
    with_extra_args_support,
)
from weft.tree_util import tree_leaves, tree_map

__all__ = [
    "ConditionallyMaskState", "ConditionallyTransformState", "InjectHyperparamsState", "InjectStatefulHyperparamsState",
    "MaskedNode", "MaskedState", "PartitionState", "StatefulSchedule", "WrappedSchedule", "conditionally_mask", "conditionally_transform",
    "freeze", "inject_hyperparams", "inject_stateful_hyperparams", "masked", "multi_transform", "partition",
    "selective_transform",
]  # fmt: skip

Result = tuple[Updates, State]


class MaskedNode(NamedTuple):
    """Stands for a leaf that a transformation does not see: a pytree without leaves."""


def _is_masked(x: Any) -> bool:
    return isinstance(x, MaskedNode)


class MaskedState(NamedTuple):
    """The state of the transformation within."""

    inner_state: Any


def masked(
    inner: GradientTransformation, mask: Any, *, mask_compatible_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """A transformation of the leaves where `mask` (a tree of bools, a prefix of the parameters' one, or a function to it) is true; the others pass unchanged."""
    inner = with_extra_args_support(inner)

    def hide(chosen: Any, tree: Any) -> Any:
        return tree_map(lambda m, t: t if m else tree_map(lambda _: MaskedNode(), t), chosen, tree)

    def chosen(tree: Any) -> Any:
        return mask(tree) if callable(mask) else mask

    def update(updates: Updates, state: MaskedState, params: Params = None, **extra: Any) -> Result:
        where = chosen(updates)
        if mask_compatible_extra_args:
            extra = {k: hide(where, v) for k, v in extra.items()}
        made, inner_state = inner.update(
            hide(where, updates), state.inner_state, None if params is None else hide(where, params), **extra
        )
        merged = tree_map(lambda m, new, old: new if m else old, where, made, updates, is_leaf=_is_masked)
        return merged, MaskedState(inner_state)

    return GradientTransformationExtraArgs(lambda params: MaskedState(inner.init(hide(chosen(params), params))), update)


class PartitionState(NamedTuple):
    """The states of the transformations by their labels."""

    inner_states: Mapping[Any, Any]


MultiTransformState = PartitionState


def partition(
    transforms: Mapping[Any, GradientTransformation], param_labels: Any, *, mask_compatible_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """Each leaf by the transformation that its label names. `param_labels`: a tree of labels (a prefix of the parameters' one), or a function to it.

    Raises ValueError for a label that names no transformation. Also called `multi_transform`.
    """
    parts = {label: with_extra_args_support(t) for label, t in transforms.items()}

    def labels_of(tree: Any) -> Any:
        labels = param_labels(tree) if callable(param_labels) else param_labels
        if not set(tree_leaves(labels)) <= set(parts):
            raise ValueError(
                f"Some parameters have no corresponding transformation.\nParameter labels: {sorted(set(tree_leaves(labels)))} \n"
                f"Transforms keys: {sorted(parts)} \n"
            )
        return labels

    def one(label: Any, labels: Any) -> GradientTransformationExtraArgs:
        mask = tree_map(lambda other: other == label, labels)
        return masked(parts[label], mask, mask_compatible_extra_args=mask_compatible_extra_args)

    def init(params: Params) -> PartitionState:
        labels = labels_of(params)
        return PartitionState({label: one(label, labels).init(params) for label in parts})

    def update(updates: Updates, state: PartitionState, params: Params = None, **extra: Any) -> Result:
        labels = labels_of(updates)
        states = {}
        for label in parts:
            updates, states[label] = one(label, labels).update(updates, state.inner_states[label], params, **extra)
        return updates, PartitionState(states)

    return GradientTransformationExtraArgs(init, update)


multi_transform = partition


def selective_transform(optimizer: GradientTransformation, *, freeze_mask: Any) -> GradientTransformationExtraArgs:
    """The transformation, but zeros where `freeze_mask` is true."""

    def labels(params: Params) -> Any:
        mask = freeze_mask(params) if callable(freeze_mask) else freeze_mask
        return tree_map(lambda frozen: "frozen" if frozen else "trainable", mask)

    return partition({"frozen": set_to_zero(), "trainable": optimizer}, labels)


def freeze(mask: Any) -> GradientTransformationExtraArgs:
    """Zeros where `mask` is true."""
    return masked(set_to_zero(), mask)


# -- under a condition --------------------------------------------------------------------------------------------------------------------


class ConditionallyTransformState(NamedTuple):
    """The state within, and how many updates there were."""

    inner_state: Any
    step: Array


class ConditionallyMaskState(NamedTuple):
    """How many updates there were, and the state within."""

    step: Array
    inner_state: Any


def _choose(condition: Any, yes: Any, no: Any) -> Any:
    """One of two trees of the same structure, leaf by leaf: both are computed, which costs less than a branch for what optimisers do."""
    return tree_map(lambda a, b: wnp.where(condition, a, b), yes, no)


def conditionally_transform(
    inner: GradientTransformation, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """The transformation at the steps for which `should_transform_fn(step)` holds; at others updates pass unchanged, and its state stays."""
    return _conditional(inner, should_transform_fn, forward_extra_args, mask=False)


def conditionally_mask(
    inner: GradientTransformation, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """The transformation at the steps for which `should_transform_fn(step)` holds; at others updates are zero, and its state stays."""
    return _conditional(inner, should_transform_fn, forward_extra_args, mask=True)


def _conditional(inner: Any, wanted: Callable[..., Any], forward: bool, mask: bool) -> GradientTransformationExtraArgs:
    inner = with_extra_args_support(inner)

    def state_of(inner_state: Any, step: Array) -> Any:
        if mask:
            return ConditionallyMaskState(step=step, inner_state=inner_state)
        return ConditionallyTransformState(inner_state=inner_state, step=step)

    def update(updates: Updates, state: Any, params: Params = None, **extra: Any) -> Result:
        now = wanted(state.step, **extra) if forward else wanted(state.step)
        made, inner_state = inner.update(updates, state.inner_state, params, **extra)
        otherwise = tree_map(wnp.zeros_like, updates) if mask else updates
        return _choose(now, made, otherwise), state_of(
            _choose(now, inner_state, state.inner_state), safe_increment(state.step)
        )

    return GradientTransformationExtraArgs(lambda params: state_of(inner.init(params), new_count()), update)


# -- hyperparameters in the state ---------------------------------------------------------------------------------------------------------


class InjectHyperparamsState(NamedTuple):
    """How many updates there were, the values of the hyperparameters, and the state within."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    hyperparams: dict[str, Any]
    inner_state: Any


class InjectStatefulHyperparamsState(NamedTuple):
    """The same, with the states of the hyperparameters that are schedules."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    hyperparams: dict[str, Any]
    hyperparams_states: dict[str, Any]
    inner_state: Any


class WrappedScheduleState(NamedTuple):
    """How often the schedule was asked."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]


@runtime_checkable
class StatefulSchedule(Protocol):
    """A schedule with a state of its own: `init() -> state`, `update(state) -> state`, `state -> value`. The last two are given what `update` of the optimiser is by name."""

    def init(self) -> Any:
        """The state at first."""

    def update(self, state: Any, **extra: Any) -> Any:
        """The state one step on."""

    def __call__(self, state: Any, **extra: Any) -> Any:
        """The value."""


class WrappedSchedule(StatefulSchedule):
    """A schedule that counts by itself."""

    def __init__(self, schedule_fn: Callable[[Any], Any]):
        self.schedule_fn = schedule_fn

    def init(self) -> WrappedScheduleState:
        """At 0."""
        return WrappedScheduleState(new_count())

    def update(self, state: WrappedScheduleState, **extra: Any) -> WrappedScheduleState:
        """One step on."""
        return WrappedScheduleState(safe_increment(state.count))

    def __call__(self, state: WrappedScheduleState, **extra: Any) -> Any:
        return self.schedule_fn(state.count)


def inject_hyperparams(
    inner_factory: Callable[..., GradientTransformation],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: Any = None,
) -> Callable[..., GradientTransformationExtraArgs]:
    """A maker of transformations whose numeric arguments live in the state, where they can be read and set: `inject_hyperparams(adam)(learning_rate=1e-3)`.

    Arguments that are schedules are asked at each step. `static_args` names those that are to stay as they are. Raises ValueError for a name that the factory does not have.
    """
    static = {static_args} if isinstance(static_args, str) else set(static_args)
    names = signature(inner_factory)
    if unknown := static - set(names.parameters):
        raise ValueError(
            f"`static_args` specified {sorted(unknown)}, which are no parameters of the factory ({list(names.parameters)})"
        )

    @wraps(inner_factory)
    def make(*args: Any, **kwargs: Any) -> GradientTransformationExtraArgs:
        bound = names.bind(*args, **kwargs)
        bound.apply_defaults()
        schedules: dict[str, StatefulSchedule] = {}
        numbers: dict[str, Any] = {}
        other: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            if name in static or isinstance(value, bool):
                other[name] = value
            elif isinstance(value, StatefulSchedule):
                schedules[name] = value
            elif callable(value):
                schedules[name] = WrappedSchedule(value)
            elif isinstance(value, (int, float, Array)) or hasattr(value, "__array__"):
                numbers[name] = value
            else:
                other[name] = value

        def dtype_of(tree: Any) -> Any:
            leaves = tree_leaves(tree)
            return hyperparam_dtype or (wnp.asarray(leaves[0]).dtype if leaves else None)

        def cast(values: dict[str, Any], dtype: Any) -> dict[str, Any]:
            return {k: wnp.asarray(v, dtype=dtype) for k, v in values.items()}

        def init(params: Params) -> InjectStatefulHyperparamsState:
            dtype = dtype_of(params)
            states = {k: s.init() for k, s in schedules.items()}
            values = cast(numbers | {k: s(states[k]) for k, s in schedules.items()}, dtype)
            return InjectStatefulHyperparamsState(
                new_count(), values, states, inner_factory(**other, **values).init(params)
            )

        def update(
            updates: Updates, state: InjectStatefulHyperparamsState, params: Params = None, **extra: Any
        ) -> Result:
            dtype = dtype_of(updates)
            kept = {k: v for k, v in state.hyperparams.items() if k not in schedules}
            values = cast(kept | {k: s(state.hyperparams_states[k], **extra) for k, s in schedules.items()}, dtype)
            states = {k: s.update(state.hyperparams_states[k], **extra) for k, s in schedules.items()}
            tx = with_extra_args_support(inner_factory(**other, **values))
            made, inner_state = tx.update(updates, state.inner_state, params, **extra)
            return made, InjectStatefulHyperparamsState(safe_increment(state.count), values, states, inner_state)

        return GradientTransformationExtraArgs(init, update)

    return make


inject_stateful_hyperparams = inject_hyperparams

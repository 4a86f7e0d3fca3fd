"""Gradient transformations in Optax's shape: a pair of pure functions, `init(params) -> state` and `update(updates, state, params, **extra) -> (updates, state)`.

States are named tuples, hence pytrees, and go through `jit` with the parameters. This file has the pair itself, how pairs are chained, and what the other files write their rules with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft.array import Array
from weft.dialects.dtypes import as_dtype
from weft.tree_util import tree_leaves, tree_map

__all__ = [
    "AdaptiveGradClipState",
    "AddDecayedWeightsState",
    "ClipByGlobalNormState",
    "ClipState",
    "EmptyState",
    "GradientTransformation",
    "GradientTransformationExtraArgs",
    "NonNegativeParamsState",
    "ScaleState",
    "TransformInitFn",
    "TransformUpdateExtraArgsFn",
    "TransformUpdateFn",
    "apply_updates",
    "bias_correction",
    "chain",
    "global_norm",
    "identity",
    "incremental_update",
    "init_empty_state",
    "named_chain",
    "periodic_update",
    "safe_increment",
    "safe_int32_increment",
    "safe_norm",
    "safe_root_mean_squares",
    "set_to_zero",
    "stateless",
    "stateless_with_tree_map",
    "update_infinity_moment",
    "update_moment",
    "update_moment_per_elem_norm",
    "with_extra_args_support",
]  # fmt: skip

Params = Any
Updates = Any
State = Any
Schedule = Callable[[Any], Any]
TransformInitFn = Callable[[Params], State]
TransformUpdateFn = TransformUpdateExtraArgsFn = Callable[..., tuple[Updates, State]]
ScalarOrSchedule = float | Array | Schedule

NO_PARAMS = "update() needs the argument params: this transformation looks at the parameters"


class GradientTransformation(NamedTuple):
    """`init(params) -> state`; `update(updates, state, params=None) -> (updates, state)`."""

    init: Callable[[Params], State]
    update: Callable[..., tuple[Updates, State]]


class GradientTransformationExtraArgs(GradientTransformation):
    """One whose `update` takes further arguments by name, which may be meant for others."""


class EmptyState(NamedTuple):
    """The state of a transformation that remembers nothing."""


AdaptiveGradClipState = AddDecayedWeightsState = ClipByGlobalNormState = ClipState = EmptyState
NonNegativeParamsState = ScaleState = EmptyState


def init_empty_state(params: Params) -> EmptyState:
    """The `init` of a transformation that remembers nothing."""
    return EmptyState()


def stateless(f: Callable[[Updates, Params | None], Updates]) -> GradientTransformation:
    """A transformation from a function of updates and parameters."""
    return GradientTransformation(init_empty_state, lambda updates, state, params=None: (f(updates, params), state))


def stateless_with_tree_map(f: Callable[[Array, Array | None], Array]) -> GradientTransformation:
    """A transformation from a function of one leaf of the updates and of the parameters (None, if there are none)."""

    def rule(updates: Updates, params: Params | None) -> Updates:
        if params is None:
            return tree_map(lambda g: f(g, None), updates)
        return tree_map(f, updates, params)

    return stateless(rule)


def by_leaf(f: Callable[[Array], Array]) -> GradientTransformation:
    """A transformation from a function of one leaf of the updates."""
    return stateless(lambda updates, params: tree_map(f, updates))


def with_extra_args_support(tx: GradientTransformation) -> GradientTransformationExtraArgs:
    """The transformation, deaf to further arguments if it takes none."""
    if isinstance(tx, GradientTransformationExtraArgs):
        return tx
    return GradientTransformationExtraArgs(
        tx.init, lambda updates, state, params=None, **extra: tx.update(updates, state, params)
    )


def identity() -> GradientTransformation:
    """Updates as they are."""
    return stateless(lambda updates, params: updates)


def set_to_zero() -> GradientTransformation:
    """Updates that change nothing."""
    return by_leaf(wnp.zeros_like)


def chain(*args: GradientTransformation) -> GradientTransformationExtraArgs:
    """One transformation after the other; the state is the tuple of theirs. Raises ValueError for a state of another length."""
    parts = [with_extra_args_support(t) for t in args]

    def init(params: Params) -> State:
        return tuple(t.init(params) for t in parts)

    def update(updates: Updates, state: State, params: Params = None, **extra: Any) -> tuple[Updates, State]:
        if len(state) != len(parts):
            raise ValueError(
                f"chain: the state has {len(state)} parts, the chain has {len(parts)}: was it made by another optimizer's init?"
            )
        states = []
        for t, s in zip(parts, state, strict=True):
            updates, s = t.update(updates, s, params, **extra)
            states.append(s)
        return updates, tuple(states)

    return GradientTransformationExtraArgs(init, update)


def named_chain(*args: tuple[str, GradientTransformation]) -> GradientTransformationExtraArgs:
    """A chain of `(name, transformation)`, whose state is a dict by these names. Raises ValueError if a name comes twice."""
    names = [name for name, _ in args]
    if len(set(names)) < len(names):
        raise ValueError(f"Named transformations must have unique names, but got {names}")
    whole = chain(*(t for _, t in args))

    def update(updates: Updates, state: State, params: Params = None, **extra: Any) -> tuple[Updates, State]:
        updates, states = whole.update(updates, tuple(state[name] for name in names), params, **extra)
        return updates, dict(zip(names, states, strict=True))

    return GradientTransformationExtraArgs(lambda params: dict(zip(names, whole.init(params), strict=True)), update)


# -- applying -----------------------------------------------------------------------------------------------------------------------------


def _or_none(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, which leaves None where a tree has None."""
    return lambda first, *rest: None if first is None else f(first, *rest)


def _is_none(x: Any) -> bool:
    return x is None


def apply_updates(params: Params, updates: Updates) -> Params:
    """Parameters plus updates, in the parameters' dtypes. Where a parameter is None it stays so."""
    step = _or_none(lambda p, u: wnp.asarray(p + u).astype(wnp.asarray(p).dtype))
    return tree_map(step, params, updates, is_leaf=_is_none)


def incremental_update(new_tensors: Params, old_tensors: Params, step_size: Any) -> Params:
    """`step_size * new + (1 - step_size) * old`: a moving average of parameters (Polyak's)."""
    mix = _or_none(lambda new, old: step_size * new + (1.0 - step_size) * old)
    return tree_map(mix, new_tensors, old_tensors, is_leaf=_is_none)


def periodic_update(new_tensors: Params, old_tensors: Params, steps: Any, update_period: int) -> Params:
    """The new ones when `steps` is a multiple of the period, else the old ones."""
    return tree_map(lambda new, old: wnp.where(steps % update_period == 0, new, old), new_tensors, old_tensors)


# -- numbers ------------------------------------------------------------------------------------------------------------------------------


def safe_increment(count: Any) -> Array:
    """A counter plus 1, that stays at the greatest number of its dtype."""
    count = wnp.asarray(count)
    limit = wnp.iinfo(count.dtype).max if count.dtype.is_integer else wnp.finfo(count.dtype).max
    one, most = wnp.asarray(1, count.dtype), wnp.asarray(limit, count.dtype)
    return wnp.where(count < most, count + one, most)


safe_int32_increment = safe_increment


def new_count() -> Array:
    """A counter at 0."""
    return wnp.zeros((), "int32")


def global_norm(updates: Updates) -> Array:
    """The Euclidean norm over all leaves together."""
    return wnp.sqrt(sum(wnp.sum(squared(u)) for u in tree_leaves(updates)))


def squared(x: Any) -> Array:
    """The square of each element's absolute value."""
    x = wnp.asarray(x)
    return wnp.square(wnp.real(x)) + wnp.square(wnp.imag(x)) if x.dtype.kind == "c" else wnp.square(x)


def _norm(x: Any, ord: Any, axis: Any, keepdims: bool) -> Array:
    """The norm of vectors along `axis` (of all elements for None): Euclidean, the maximum for `inf`, else of the order `ord`."""
    if ord is None:
        return wnp.sqrt(wnp.sum(squared(x), axis=axis, keepdims=keepdims))
    size = wnp.abs(x)
    if ord == wnp.inf:
        return wnp.max(size, axis=axis, keepdims=keepdims)
    return wnp.sum(size**ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def safe_norm(x: Any, min_norm: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm, at least `min_norm`, with a derivative of 0 (rather than NaN) where it is less."""
    norm = _norm(x, ord, axis, True)
    safe = wnp.where(norm <= min_norm, wnp.ones_like(x), x)
    norm = norm if keepdims else wnp.squeeze(norm, axis)
    return wnp.where(norm <= min_norm, min_norm, _norm(safe, ord, axis, keepdims))


def safe_root_mean_squares(x: Any, min_rms: Any) -> Array:
    """The root of the mean square, at least `min_rms`, with a derivative of 0 where it is less."""
    rms = wnp.sqrt(wnp.mean(squared(x)))
    safe = wnp.where(rms <= min_rms, wnp.ones_like(x), x)
    return wnp.where(rms <= min_rms, min_rms, wnp.sqrt(wnp.mean(squared(safe))))


def zeros_like_tree(params: Params, dtype: Any = None) -> Updates:
    """Zeros for each leaf."""
    return tree_map(lambda p: wnp.zeros_like(p, dtype=dtype), params)


def cast_tree(tree: Any, dtype: Any) -> Any:
    """The leaves in a dtype, or as they are if it is None."""
    return tree if dtype is None else tree_map(lambda x: wnp.asarray(x).astype(as_dtype(dtype)), tree)


def update_moment(updates: Updates, moments: Updates, decay: Any, order: int) -> Updates:
    """The moving average of the powers `order` of the updates."""
    return tree_map(lambda g, t: (1 - decay) * g**order + decay * t, updates, moments)


def update_moment_per_elem_norm(updates: Updates, moments: Updates, decay: Any, order: int) -> Updates:
    """The moving average of the powers `order` (even) of the updates' absolute values."""
    return tree_map(lambda g, t: (1 - decay) * squared(g) ** (order // 2) + decay * t, updates, moments)


def update_infinity_moment(updates: Updates, moments: Updates, decay: Any, eps: float) -> Updates:
    """The decaying maximum of the updates' absolute values."""
    return tree_map(lambda g, t: wnp.maximum(wnp.abs(g) + eps, decay * t), updates, moments)


def bias_correction(moment: Updates, decay: Any, count: Any) -> Updates:
    """A moving average that began at 0, without the bias of its beginning."""
    correction = 1 - decay**count
    return tree_map(lambda t: t / correction.astype(t.dtype), moment)


def needs_params(params: Params) -> None:
    """Raises ValueError if an `update` that needs the parameters was not given them."""
    if params is None:
        raise ValueError(NO_PARAMS)

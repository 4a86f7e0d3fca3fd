"""How far to go: transformations that scale, clip, decay, average or disturb updates, whatever direction they have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft import random
from weft.array import Array
from weft.custom import custom_vjp
from weft.optim.base import (
    EmptyState,
    GradientTransformation,
    Params,
    ScalarOrSchedule,
    Schedule,
    State,
    Updates,
    bias_correction,
    by_leaf,
    cast_tree,
    global_norm,
    needs_params,
    new_count,
    safe_increment,
    stateless,
    update_moment,
    zeros_like_tree,
)
from weft.optim.combining import masked
from weft.tree_util import tree_flatten, tree_map

__all__ = [
    "AddNoiseState", "ApplyEvery", "EmaState", "ScaleByScheduleState", "ZeroNansState", "adaptive_grad_clip",
    "add_decayed_weights", "add_noise", "apply_every", "clip", "clip_by_block_rms", "clip_by_global_norm", "ema",
    "keep_params_nonnegative", "per_example_global_norm_clip", "per_example_layer_norm_clip", "scale", "scale_by_learning_rate",
    "scale_by_schedule", "scale_gradient", "unitwise_clip", "unitwise_norm", "zero_nans",
]  # fmt: skip

Result = tuple[Updates, State]


# -- scaling ------------------------------------------------------------------------------------------------------------------------------


def scale(step_size: Any) -> GradientTransformation:
    """Updates times a number."""
    return by_leaf(lambda u: step_size * u)


class ScaleByScheduleState(NamedTuple):
    """How many updates there were."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]  Optax names it so; tuple.count is not meant


def scale_by_schedule(step_size_fn: Schedule) -> GradientTransformation:
    """Updates times a function of the step count."""

    def update(updates: Updates, state: ScaleByScheduleState, params: Params = None) -> Result:
        factor = wnp.asarray(step_size_fn(state.count))
        scaled = tree_map(lambda u: factor.astype(u.dtype) * u, updates)
        return scaled, ScaleByScheduleState(safe_increment(state.count))

    return GradientTransformation(lambda params: ScaleByScheduleState(new_count()), update)


def scale_by_learning_rate(learning_rate: ScalarOrSchedule, *, flip_sign: bool = True) -> GradientTransformation:
    """Updates times minus the learning rate, a step downhill (uphill without `flip_sign`)."""
    sign = -1 if flip_sign else 1
    if callable(learning_rate):
        return scale_by_schedule(lambda count: sign * learning_rate(count))
    return scale(sign * learning_rate)


@partial(custom_vjp, nondiff_argnums=(1,))
def _with_gradient(inputs: Any, scale: Any) -> Any:
    return inputs


_with_gradient.defvjp(lambda inputs, scale: (inputs, None), lambda scale, _, ct: (tree_map(lambda g: g * scale, ct),))


def scale_gradient(inputs: Any, scale: Any) -> Any:
    """`inputs` as they are, with a gradient `scale` times as large."""
    return _with_gradient(inputs, scale)


# -- clipping -----------------------------------------------------------------------------------------------------------------------------


def clip(max_delta: Any) -> GradientTransformation:
    """Every element of the updates into [-max_delta, max_delta]."""
    return by_leaf(lambda u: wnp.clip(u, -max_delta, max_delta))


def clip_by_block_rms(threshold: Any) -> GradientTransformation:
    """Each leaf scaled down where its root mean square is greater than the threshold."""
    return by_leaf(lambda u: u / wnp.maximum(1.0, wnp.sqrt(wnp.mean(wnp.square(wnp.abs(u)))) / threshold))


def clip_by_global_norm(max_norm: Any) -> GradientTransformation:
    """Updates scaled down together where their norm is not less than `max_norm`. R. Pascanu, T. Mikolov, Y. Bengio, ICML 2013."""

    def rule(updates: Updates, params: Params) -> Updates:
        norm = global_norm(updates)
        small = norm < max_norm
        return tree_map(lambda u: wnp.where(small, u, (u / norm.astype(u.dtype)) * max_norm), updates)

    return stateless(rule)


def unitwise_norm(x: Array, axis: int | Sequence[int] | None = None) -> Array:
    """The norm of what feeds one output unit, along `axis`: if it is None, of a vector as a whole, of a matrix's columns, of a convolution's windows. Raises ValueError for more than five axes."""
    if axis is None and x.ndim > 5:
        raise ValueError(
            f"Expected parameter with shape in (1, 2, 3, 4, 5) dimensions, got {x.shape}. Use axis parameter to specify reduction axes for other shapes."
        )
    if axis is None and sum(n != 1 for n in x.shape) > 1:
        axis = 0 if x.ndim < 4 else tuple(range(x.ndim - 1))
    return wnp.broadcast_to(wnp.sqrt(wnp.sum(wnp.square(wnp.abs(x)), axis=axis, keepdims=True)), x.shape)


def unitwise_clip(g_norm: Array, max_norm: Array, grad: Array, div_eps: Any = 1e-6) -> Array:
    """A gradient scaled down to `max_norm` where its norm is not less."""
    return wnp.where(g_norm < max_norm, grad, grad * (max_norm / wnp.maximum(g_norm, div_eps)))


def adaptive_grad_clip(
    clipping: Any, eps: Any = 1e-3, axis: int | Sequence[int] | None = None
) -> GradientTransformation:
    """Each unit's gradient scaled down to `clipping` times the norm of its weights. A. Brock et al., arXiv:2102.06171."""

    def rule(u: Array, p: Array) -> Array:
        return unitwise_clip(unitwise_norm(u, axis), clipping * wnp.maximum(unitwise_norm(p, axis), eps), u)

    def update(updates: Updates, state: State, params: Params = None) -> Result:
        needs_params(params)
        return tree_map(rule, updates, params), state

    return GradientTransformation(lambda params: EmptyState(), update)


def per_example_global_norm_clip(grads: Sequence[Array], l2_norm_clip: Any) -> tuple[list[Array], Array]:
    """Gradients with a leading axis of examples: each example's scaled down to the norm, then summed; and how many were scaled.

    Raises ValueError if the leading axes differ. M. Abadi et al., "Deep learning with differential privacy", CCS 2016.
    """
    sizes = {g.shape[:1] for g in grads}
    if len(sizes) != 1 or () in sizes:
        raise ValueError(
            "Unlike other transforms, `per_example_global_norm_clip` expects grads to have a batch dimension in axis 0."
        )
    norms = wnp.sqrt(sum(wnp.sum(wnp.square(wnp.abs(g)), axis=tuple(range(1, g.ndim))) for g in grads))
    factor = wnp.nan_to_num(wnp.minimum(l2_norm_clip / norms, 1.0), nan=1.0)
    return [wnp.einsum("i,i...->...", factor, g) for g in grads], wnp.sum(factor < 1)


def per_example_layer_norm_clip(
    grads: Updates, global_l2_norm_clip: Any, uniform: bool = True
) -> tuple[Updates, Updates]:
    """The same, each leaf by itself, with its part of the norm: equal ones, or (not `uniform`) by how many elements it has. H. McMahan et al., ICLR 2018."""
    leaves, structure = tree_flatten(grads)
    sizes = [1 if uniform else g.size for g in leaves]
    clipped = [
        per_example_global_norm_clip([g], global_l2_norm_clip * (n / sum(sizes)) ** 0.5)
        for g, n in zip(leaves, sizes, strict=True)
    ]
    return structure.unflatten([g for (g,), _ in clipped]), structure.unflatten([count for _, count in clipped])


# -- parameters ---------------------------------------------------------------------------------------------------------------------------


def add_decayed_weights(weight_decay: Any = 0.0, mask: Any = None) -> GradientTransformation:
    """Updates plus `weight_decay` (a number, or a schedule) times the parameters; `mask`, a tree of bools like the parameters (or a function to one), says for which."""

    def decayed(updates: Updates, params: Params, by: Any) -> Updates:
        needs_params(params)
        return tree_map(lambda u, p: u + by * p, updates, params)

    if callable(weight_decay):

        def update(updates: Updates, state: ScaleByScheduleState, params: Params = None) -> Result:
            made = decayed(updates, params, weight_decay(state.count))
            return made, ScaleByScheduleState(safe_increment(state.count))

        whole = GradientTransformation(lambda params: ScaleByScheduleState(new_count()), update)
    else:
        whole = stateless(lambda updates, params: decayed(updates, params, weight_decay))
    return whole if mask is None else masked(whole, mask)


def keep_params_nonnegative() -> GradientTransformation:
    """Updates that take no parameter below 0 (the last of a chain)."""

    def rule(updates: Updates, params: Params) -> Updates:
        needs_params(params)
        return tree_map(lambda p, u: wnp.where(p + u < 0.0, -p, u), params, updates)

    return stateless(rule)


class ZeroNansState(NamedTuple):
    """For each leaf, whether its last update had a NaN."""

    found_nan: Any


def zero_nans() -> GradientTransformation:
    """NaN in the updates replaced by 0."""

    def update(updates: Updates, state: State, params: Params = None) -> Result:
        found = tree_map(lambda u: wnp.any(wnp.isnan(u)), updates)
        return tree_map(lambda u: wnp.where(wnp.isnan(u), wnp.zeros_like(u), u), updates), ZeroNansState(found)

    return GradientTransformation(lambda params: ZeroNansState(tree_map(lambda p: wnp.array(False), params)), update)


# -- over several steps -------------------------------------------------------------------------------------------------------------------


class EmaState(NamedTuple):
    """The count of updates and their moving average."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    ema: Updates


def ema(decay: Any, debias: bool = True, accumulator_dtype: Any = None) -> GradientTransformation:
    """The moving average of updates, without the bias of its beginning if `debias`."""

    def update(updates: Updates, state: EmaState, params: Params = None) -> Result:
        average = update_moment(updates, state.ema, decay, 1)
        count = safe_increment(state.count)
        given = bias_correction(average, decay, count) if debias else average
        return given, EmaState(count, cast_tree(average, accumulator_dtype))

    return GradientTransformation(
        lambda params: EmaState(new_count(), zeros_like_tree(params, accumulator_dtype)), update
    )


class ApplyEvery(NamedTuple):
    """The count of updates within a period, and their sum."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    grad_acc: Updates


def apply_every(k: int = 1) -> GradientTransformation:
    """The sum of the last `k` updates every `k` steps, zeros between."""

    def update(updates: Updates, state: ApplyEvery, params: Params = None) -> Result:
        place = state.count % k
        total = tree_map(lambda g, a: (place != 0) * a + g, updates, state.grad_acc)
        emit = place == k - 1
        return tree_map(lambda a: emit * a, total), ApplyEvery(place + 1, total)

    return GradientTransformation(lambda params: ApplyEvery(new_count(), zeros_like_tree(params)), update)


class AddNoiseState(NamedTuple):
    """The count of updates, and the key of the next noise."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    rng_key: Array


def add_noise(eta: Any, gamma: Any, key: Any = None, *, seed: int | None = None) -> GradientTransformation:
    """Updates plus normal noise of variance `eta / count ** gamma`. A. Neelakantan et al., arXiv:1511.06807."""
    if (key is None) == (seed is None):
        raise ValueError("add_noise: give either key or seed")
    if isinstance(key, int):
        seed = key
    start: Any = random.key(seed) if seed is not None else key

    def update(updates: Updates, state: AddNoiseState, params: Params = None) -> Result:
        count = safe_increment(state.count)
        deviation = wnp.sqrt(eta / count**gamma)
        next_key, sample = random.split(state.rng_key)
        leaves, tree = tree_flatten(updates)
        keys = random.split(sample, len(leaves))
        noise = [random.normal(k, u.shape, u.dtype) for k, u in zip(keys, leaves, strict=True)]
        noisy = [u + deviation.astype(u.dtype) * n for u, n in zip(leaves, noise, strict=True)]
        return tree.unflatten(noisy), AddNoiseState(count, next_key)

    return GradientTransformation(lambda params: AddNoiseState(new_count(), start), update)

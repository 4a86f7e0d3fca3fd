"""Gradient descent that tells little of any one example: each one's gradient is clipped, and noise is added to their sum. M. Abadi et al., "Deep learning with differential privacy", CCS 2016."""

from __future__ import annotations

from typing import Any, NamedTuple

from weft import random
from weft.array import Array
from weft.optim.base import GradientTransformation, Params, ScalarOrSchedule, State, Updates, chain, identity
from weft.optim.directions import trace
from weft.optim.shaping import per_example_global_norm_clip, scale_by_learning_rate
from weft.tree_util import tree_flatten

__all__ = ["DifferentiallyPrivateAggregateState", "differentially_private_aggregate", "dpsgd"]


class DifferentiallyPrivateAggregateState(NamedTuple):
    """The key of the next noise."""

    rng_key: Array


def differentially_private_aggregate(
    l2_norm_clip: Any, noise_multiplier: Any, key: Any = None, *, seed: int | None = None
) -> GradientTransformation:
    """The mean of gradients that have a leading axis of examples, each clipped to a norm, with normal noise of that norm times `noise_multiplier` on their sum. `key`: a key, or the number of one (`seed`). Raises ValueError if both are given."""
    if seed is not None and key is not None:
        raise ValueError("Only one of seed or key can be specified.")
    start = (0 if seed is None else seed) if key is None else key
    start = random.key(start) if isinstance(start, int) else start

    def update(
        updates: Updates, state: DifferentiallyPrivateAggregateState, params: Params = None
    ) -> tuple[Updates, State]:
        leaves, structure = tree_flatten(updates)
        clipped, _ = per_example_global_norm_clip(leaves, l2_norm_clip)
        key, *own = random.split(state.rng_key, len(leaves) + 1)
        size, deviation = leaves[0].shape[0], l2_norm_clip * noise_multiplier
        noisy = [(g + deviation * random.normal(k, g.shape, g.dtype)) / size for g, k in zip(clipped, own, strict=True)]
        return structure.unflatten(noisy), DifferentiallyPrivateAggregateState(key)

    return GradientTransformation(lambda params: DifferentiallyPrivateAggregateState(start), update)


def dpsgd(
    learning_rate: ScalarOrSchedule,
    l2_norm_clip: Any,
    noise_multiplier: Any,
    seed: int,
    momentum: Any = None,
    nesterov: bool = False,
) -> GradientTransformation:
    """Private gradient descent; see `differentially_private_aggregate`."""
    moved = identity() if momentum is None else trace(momentum, nesterov)
    private = differentially_private_aggregate(l2_norm_clip, noise_multiplier, seed=seed)
    return chain(private, moved, scale_by_learning_rate(learning_rate))

"""Muon: the momentum of a matrix, made orthogonal by an iteration of products. K. Jordan et al., 2024. What is no matrix is moved by AdamW."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.optim import tree
from weft.optim.base import (
    GradientTransformation,
    Params,
    ScalarOrSchedule,
    State,
    Updates,
    bias_correction,
    chain,
    init_empty_state,
    new_count,
    safe_increment,
    update_moment,
)
from weft.optim.combining import partition
from weft.optim.optimizers import adamw
from weft.optim.shaping import add_decayed_weights, scale_by_learning_rate
from weft.tree_util import tree_map
from weft.vmap import vmap

__all__ = ["MuonDimensionNumbers", "MuonState", "muon", "scale_by_muon"]

STANDARD = (3.4445, -4.7750, 2.0315)
PRESETS: dict[str, Any] = {
    "standard": STANDARD,
    # K. Ahn et al., "Dion", 2025: one polynomial for each step
    "dion": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}


class MuonDimensionNumbers(NamedTuple):
    """Which axes of a weight are the rows of the matrix (what is reduced) and which its columns; the others are a batch."""

    reduction_axis: Sequence[int] | int = 0
    output_axis: Sequence[int] | int = 1


class MuonState(NamedTuple):
    """How many updates there were, their moving average, and the coefficients of the iteration."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: Updates
    ns_coeffs: Array


Dimensions = MuonDimensionNumbers | Callable[[Params], Any] | Any


def _is_numbers(x: Any) -> bool:
    return isinstance(x, MuonDimensionNumbers)


def _axes(x: Array, numbers: MuonDimensionNumbers) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows and columns. Raises ValueError for a weight that has no two axes, or where they overlap."""
    if x.ndim < 2:
        raise ValueError(f"Muon optimized parameters must have rank >= 2, got x.ndim={x.ndim}")
    rows, columns = (tuple(a % x.ndim for a in ((axes,) if isinstance(axes, int) else axes)) for axes in numbers)
    if set(rows) & set(columns):
        raise ValueError(
            f"Normalized reduction axes and output axes must be disjoint, got {rows} and {columns}. Originally dim_nums={numbers} and x.shape={x.shape}"
        )
    return rows, columns


def _size(x: Array, axes: Sequence[int]) -> int:
    return math.prod(x.shape[a] for a in axes)


def _iterated(x: Array, coefficients: Array, steps: int, preconditioning: str, eps: Any) -> Array:
    """A matrix X as something close to U V', by steps X <- (a + b XX' + c (XX')²) X, after its norm has been brought below 1."""
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    if preconditioning in ("frobenius", "spectral"):
        x = x / (wnp.linalg.norm(x, "fro" if preconditioning == "frobenius" else 2) + eps)
    coefficients = coefficients.astype(x.dtype)
    for step in range(steps if coefficients.ndim == 1 else coefficients.shape[0]):
        a, b, c = coefficients if coefficients.ndim == 1 else coefficients[step]
        square = x @ x.T.conj()
        if not step and preconditioning == "aol":
            s = lax.rsqrt(wnp.clip(wnp.sum(wnp.abs(square), axis=-1), eps))[:, None]
            x, square = x * s, square * s * s.T
        if not step and preconditioning == "schatten":
            s = lax.rsqrt(wnp.clip(wnp.linalg.norm(square, "fro"), eps))
            x, square = x * s, square * s**2
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def _orthogonal(
    x: Array, coefficients: Array, steps: int, preconditioning: str, eps: Any, numbers: MuonDimensionNumbers | None
) -> Array:
    """The weight with each of its matrices made orthogonal."""
    rows, columns = _axes(x, MuonDimensionNumbers() if x.ndim == 2 or numbers is None else numbers)
    batch = tuple(a for a in range(x.ndim) if a not in (*rows, *columns))
    order = (*batch, *rows, *columns)
    flat = x.transpose(order).reshape(_size(x, batch), _size(x, rows), _size(x, columns))
    made = vmap(lambda m: _iterated(m, coefficients, steps, preconditioning, eps))(flat)
    return made.reshape([x.shape[a] for a in order]).transpose(sorted(range(x.ndim), key=order.__getitem__))


def scale_by_muon(
    ns_coeffs: Any = STANDARD,
    ns_steps: Any = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: str = "frobenius",
    weight_dimension_numbers: Dimensions = None,
) -> GradientTransformation:
    """The moving average of the updates with all singular values near 1, by `ns_steps` steps of the iteration with `ns_coeffs` (three, or three for each step).

    `adaptive` multiplies it by its scalar product with the average; `preconditioning` ("frobenius", "spectral", "aol", "schatten") says by what norms are bounded at first. Raises ValueError for coefficients of another shape.
    """
    if preconditioning not in ("frobenius", "spectral", "aol", "schatten"):
        raise ValueError(f"Unknown preconditioning {preconditioning}")

    def init(params: Params) -> MuonState:
        coefficients = wnp.asarray(ns_coeffs)
        if coefficients.ndim > 2 or coefficients.shape[-1] != 3:
            raise ValueError(f"ns_coeffs must have shape (3,) or (n, 3), got {coefficients.shape}")
        if coefficients.ndim == 2:
            if coefficients.shape[0] > ns_steps:
                raise ValueError(f"Not enough coeffs to perform {ns_steps} steps")
            coefficients = coefficients[-ns_steps:]
        return MuonState(new_count(), tree.zeros_like(params, mu_dtype), coefficients)

    def update(updates: Updates, state: MuonState, params: Params = None) -> tuple[Updates, State]:
        numbers = _resolved(weight_dimension_numbers, updates)
        mu = update_moment(updates, state.mu, beta, 1)
        count = safe_increment(state.count)
        if nesterov:
            ahead = bias_correction(mu, beta, safe_increment(count))
            now = bias_correction(updates, beta, count)
            mean = tree_map(lambda m, g: beta * m + (1 - beta) * g, ahead, now)
        else:
            mean = bias_correction(mu, beta, count)

        def one(x: Array, numbers: Any) -> Array:
            return _orthogonal(x, state.ns_coeffs, ns_steps, preconditioning, eps, numbers)

        made = tree_map(one, mean, numbers)
        if adaptive:
            made = tree_map(lambda x, y: wnp.sum(x.conj() * y) * y, mean, made)
        return made, MuonState(count, tree.cast(mu, mu_dtype), state.ns_coeffs)

    return GradientTransformation(init, update)


def _resolved(numbers: Dimensions, updates: Updates) -> Any:
    """Dimension numbers for each leaf."""
    if callable(numbers):
        numbers = numbers(updates)
    if numbers is None or _is_numbers(numbers):
        return tree_map(lambda _: numbers, updates)
    return numbers


def _scale_by_shape(numbers: Dimensions, consistent_rms: Any) -> GradientTransformation:
    """Updates times a number that keeps their size independent of the weight's shape: Jordan's, or (`consistent_rms`) J. Liu et al.'s, "Muon is scalable for LLM training", 2025."""

    def one(x: Array, numbers: MuonDimensionNumbers) -> Array:
        rows, columns = (_size(x, axes) for axes in _axes(x, numbers))
        if consistent_rms is None:
            return wnp.sqrt(wnp.maximum(1, columns / rows)) * x
        return wnp.sqrt(wnp.maximum(rows, columns)) * consistent_rms * x

    def update(updates: Updates, state: State, params: Params = None) -> tuple[Updates, State]:
        return tree_map(one, updates, _resolved(numbers, updates)), state

    return GradientTransformation(init_empty_state, update)


def muon(
    learning_rate: ScalarOrSchedule,
    ns_coeffs: Any = STANDARD,
    ns_steps: Any = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = None,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: str = "frobenius",
    adam_b1: Any = 0.9,
    adam_b2: Any = 0.999,
    adam_eps_root: Any = 0.0,
    adam_weight_decay: Any = 0.0,
    adam_learning_rate: ScalarOrSchedule | None = None,
    muon_weight_dimension_numbers: Dimensions = None,
    consistent_rms: Any = None,
) -> GradientTransformation:
    """Muon for matrices (or for what `muon_weight_dimension_numbers`, a tree with None for what is none, says are), AdamW for all else. `ns_coeffs` may be "standard" or "dion"."""
    if isinstance(ns_coeffs, str):
        if ns_coeffs not in PRESETS:
            raise ValueError(f"Unknown ns_coeff preset string: {ns_coeffs}")
        ns_coeffs = PRESETS[ns_coeffs]

    def numbers_of(params: Params) -> Any:
        """The numbers of each leaf, None for those that AdamW moves. (Leaves that are hidden from a transformation have none.)"""
        given = muon_weight_dimension_numbers
        if given is None:
            return tree_map(lambda x: MuonDimensionNumbers() if x.ndim == 2 else None, params)
        given = given(params) if callable(given) else given
        return tree_map(
            lambda n, part: tree_map(lambda _: n, part), given, params, is_leaf=lambda x: x is None or _is_numbers(x)
        )

    def labels(params: Params) -> Any:
        return tree_map(
            lambda n: "adam" if n is None else "muon", numbers_of(params), is_leaf=lambda x: x is None or _is_numbers(x)
        )

    by_muon = chain(
        scale_by_muon(
            ns_coeffs,
            ns_steps,
            beta,
            eps,
            mu_dtype,
            nesterov=nesterov,
            adaptive=adaptive,
            preconditioning=preconditioning,
            weight_dimension_numbers=numbers_of,
        ),
        _scale_by_shape(numbers_of, consistent_rms),
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_learning_rate(learning_rate),
    )
    by_adam = adamw(
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        eps,
        adam_eps_root,
        mu_dtype,
        adam_weight_decay,
        nesterov=nesterov,
    )
    return partition({"muon": by_muon, "adam": by_adam}, labels)

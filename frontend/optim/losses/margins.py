"""Losses of scores, as against probabilities: hinges and perceptrons, sparsemax, the general form of them (Fenchel and Young's), rankings, and the overlap of segments (Dice's). Names and conventions are Optax's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft.numpy as wnp
from weft import nn
from weft.array import Array
from weft.optim.losses.probabilities import floating, same_shape
from weft.optim.projections import projection_simplex
from weft.vmap import vmap

__all__ = [
    "binary_dice_loss", "dice_loss", "make_fenchel_young_loss", "multiclass_generalized_dice_loss",
    "multiclass_hinge_loss", "multiclass_perceptron_loss", "multiclass_sparsemax_loss", "perceptron_loss",
    "ranking_softmax_loss", "sparsemax_loss",
]  # fmt: skip


# -- margins ------------------------------------------------------------------------------------------------------------------------------


def perceptron_loss(predictor_outputs: Any, targets: Any) -> Array:
    """max(0, -output * target), targets being -1 or 1. F. Rosenblatt, 1958."""
    predictor_outputs, targets = wnp.asarray(predictor_outputs), wnp.asarray(targets)
    same_shape("perceptron_loss", predictor_outputs, targets)
    return wnp.maximum(0, -predictor_outputs * targets)


def multiclass_hinge_loss(scores: Any, labels: Any) -> Array:
    """By how much the score of the class that a label names is not 1 above all others. K. Crammer and Y. Singer, 2001."""
    scores = wnp.asarray(scores)
    right = nn.one_hot(labels, scores.shape[-1])
    return wnp.max(scores + 1.0 - right, axis=-1) - wnp.sum(scores * right, axis=-1)


def multiclass_perceptron_loss(scores: Any, labels: Any) -> Array:
    """By how much the score of the class that a label names is not the highest."""
    scores = wnp.asarray(scores)
    right = nn.one_hot(labels, scores.shape[-1])
    return wnp.max(scores, axis=-1) - wnp.sum(scores * right, axis=-1)


def sparsemax_loss(logits: Any, labels: Any) -> Array:
    """The loss of sparsemax with two classes; labels are 0 or 1. A. Martins and R. Astudillo, "From softmax to sparsemax", ICML 2016."""
    return nn.sparse_plus(wnp.where(labels, -logits, logits))


def multiclass_sparsemax_loss(scores: Any, labels: Any) -> Array:
    """The loss of sparsemax, of integer labels (the same paper)."""

    def one(scores: Array, label: Array) -> Array:
        found = projection_simplex(scores)
        apart = (scores - scores[label]).at[label].set(0.0)
        return wnp.dot(found, wnp.where(found, apart, 0.0)) + 0.5 * (1.0 - wnp.dot(found, found))

    return vmap(one)(wnp.asarray(scores), wnp.asarray(labels))


def make_fenchel_young_loss(max_fun: Callable[..., Any]) -> Callable[..., Array]:
    """`loss(scores, targets)`, which is max_fun(scores) - <targets, scores> along the last axis. M. Blondel, A. Martins, V. Niculae, "Learning with Fenchel-Young losses", JMLR 2020."""
    product = wnp.vectorize(wnp.vdot, signature="(n),(n)->()")
    greatest = wnp.vectorize(max_fun, signature="(n)->()")

    def loss(scores: Any, targets: Any, *args: Any, **kwargs: Any) -> Array:
        return greatest(scores, *args, **kwargs) - product(targets, scores)

    return loss


# -- rankings -----------------------------------------------------------------------------------------------------------------------------


def ranking_softmax_loss(
    logits: Any, labels: Any, *, where: Any = None, weights: Any = None, reduce_fn: Callable[..., Any] | None = wnp.mean
) -> Array:
    """The cross entropy of lists of items, labels being how much each matters. Z. Cao et al., "Learning to rank", ICML 2007.

    `where` says which items there are; `reduce_fn` makes one number of the lists' losses (None: all of them). A mean over no list at all is 0.
    """
    (logits,) = floating("ranking_softmax_loss", logits)
    labels = wnp.asarray(labels).astype(logits.dtype)
    if where is not None:
        labels, logits = wnp.where(where, labels, 0), wnp.where(where, logits, -wnp.inf)
    if weights is not None:
        labels = labels * weights
    losses = -wnp.sum(labels * nn.log_softmax(logits, axis=-1), axis=-1, where=where)
    some = None if where is None else wnp.any(where, axis=-1)
    if reduce_fn is None:
        return losses if some is None else wnp.where(some, losses, 0.0)
    found = reduce_fn(losses, where=some)
    if reduce_fn is wnp.mean:
        found = wnp.where(wnp.isnan(found) & ~wnp.any(wnp.isnan(losses)), 0.0, found)
    return found


# -- segments -----------------------------------------------------------------------------------------------------------------------------


def dice_loss(
    predictions: Any,
    targets: Any,
    *,
    class_weights: Any = None,
    smooth: Any = 1.0,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    apply_softmax: bool = True,
    reduction: str = "mean",
    ignore_background: bool = False,
    axis: Any = None,
) -> Array:
    """How little predicted segments and targets overlap: classes along the last axis, examples along the first. F. Milletari et al., "V-Net", 2016; `alpha`, `beta`: Tversky's weights of what is too much and too little.

    `reduction` over classes: "mean", "sum" or "none". Without `apply_softmax` predictions are probabilities: ValueError if their sum is not 1.
    """
    predictions, targets = wnp.asarray(predictions), wnp.asarray(targets)
    if predictions.ndim == targets.ndim - 1:
        predictions = predictions[..., None]
    if targets.ndim == predictions.ndim - 1:
        targets = targets[..., None]
    same_shape("dice_loss", predictions, targets)
    if apply_softmax:
        predictions = nn.sigmoid(predictions) if predictions.shape[-1] == 1 else nn.softmax(predictions, axis=-1)
    elif not wnp.allclose(sums := wnp.sum(predictions, axis=-1), 1.0, rtol=1e-5):
        raise ValueError(
            "When apply_softmax=False, predictions must be valid probability distributions that sum to 1 along the class axis. "
            f"Found sum range: [{float(wnp.min(sums)):.6f}, {float(wnp.max(sums)):.6f}]"
        )
    axis = tuple(range(1, predictions.ndim - 1)) if axis is None else axis
    both, predicted, wanted = (wnp.sum(x, axis=axis) for x in (predictions * targets, predictions, targets))
    losses = 1.0 - (both + smooth) / (both + alpha * (predicted - both) + beta * (wanted - both) + smooth)
    if class_weights is not None:
        losses = losses * class_weights
    if ignore_background and predictions.shape[-1] > 1:
        losses = losses[..., 1:]
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"dice_loss: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return losses if reduction == "none" else getattr(wnp, reduction)(losses, axis=-1)


def multiclass_generalized_dice_loss(
    predictions: Any, targets: Any, *, smooth: Any = 1.0, apply_softmax: bool = True, ignore_background: bool = False
) -> Array:
    """The mean of `dice_loss`, rare classes weighing more. C. Sudre et al., 2017."""
    predictions, targets = wnp.asarray(predictions), wnp.asarray(targets)
    same_shape("multiclass_generalized_dice_loss", predictions, targets)
    weights = 1.0 / (wnp.sum(targets, axis=tuple(range(targets.ndim - 1))) ** 2 + 1e-7)
    return wnp.mean(
        dice_loss(
            predictions,
            targets,
            class_weights=weights / wnp.sum(weights) * weights.shape[0],
            smooth=smooth,
            apply_softmax=apply_softmax,
            reduction="none",
            ignore_background=ignore_background,
        )
    )


def binary_dice_loss(predictions: Any, targets: Any, *, smooth: Any = 1.0, apply_sigmoid: bool = True) -> Array:
    """`dice_loss` of one class."""
    predictions, targets = wnp.asarray(predictions), wnp.asarray(targets)
    if predictions.ndim == targets.ndim and predictions.shape[-1] != 1:
        predictions, targets = predictions[..., None], targets[..., None]
    return dice_loss(predictions, targets, smooth=smooth, apply_softmax=apply_sigmoid)

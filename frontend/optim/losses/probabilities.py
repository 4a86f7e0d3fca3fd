"""Losses of numbers, probabilities and distributions."""

from __future__ import annotations

from math import prod
from typing import Any

import weft.numpy as wnp
from weft import lax, nn
from weft.array import Array

__all__ = [
    "convex_kl_divergence", "cosine_distance", "cosine_similarity", "generalized_kl_divergence", "hinge_loss",
    "huber_loss", "kl_divergence", "kl_divergence_with_log_targets", "l2_loss", "log_cosh", "ntxent",
    "poly_loss_cross_entropy", "safe_softmax_cross_entropy", "sigmoid_binary_cross_entropy", "sigmoid_focal_loss",
    "smooth_labels", "softmax_cross_entropy", "softmax_cross_entropy_with_integer_labels", "squared_error",
    "triplet_margin_loss",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


def floating(name: str, *xs: Any) -> list[Array]:
    """Arrays of them. Raises ValueError if one is not of floating numbers."""
    arrays = [wnp.asarray(x) for x in xs]
    for x in arrays:
        if x.dtype.kind != "f":
            raise ValueError(f"{name}: expected an array of floating numbers, got {x.aval}")
    return arrays


def same_shape(name: str, x: Array, y: Array) -> None:
    """Raises ValueError if the shapes differ."""
    if x.shape != y.shape:
        raise ValueError(f"{name}: predictions and targets must have the same shape, got {x.shape} and {y.shape}")


# -- regression ---------------------------------------------------------------------------------------------------------------------------


def squared_error(predictions: Any, targets: Any = None) -> Array:
    """(predictions - targets)²; targets are 0 if they are not given."""
    (predictions,) = floating("squared_error", predictions)
    if targets is not None:
        targets = wnp.asarray(targets)
        same_shape("squared_error", predictions, targets)
        predictions = predictions - targets
    return predictions**2


def l2_loss(predictions: Any, targets: Any = None) -> Array:
    """Half the squared error."""
    return 0.5 * squared_error(predictions, targets)


def huber_loss(predictions: Any, targets: Any = None, *, delta: Any = 1.0) -> Array:
    """Quadratic up to `delta`, linear beyond. P. Huber, 1964."""
    (predictions,) = floating("huber_loss", predictions)
    error = wnp.abs(predictions if targets is None else predictions - targets)
    near = wnp.minimum(error, delta)
    return 0.5 * near**2 + delta * (error - near)


def log_cosh(predictions: Any, targets: Any = None) -> Array:
    """log(cosh(error)): quadratic near 0, linear far from it."""
    (predictions,) = floating("log_cosh", predictions)
    error = predictions if targets is None else predictions - targets
    return wnp.logaddexp(error, -error) - wnp.log(wnp.asarray(2.0, error.dtype))


def cosine_similarity(
    predictions: Any, targets: Any, *, epsilon: float = 0.0, axis: Axis = -1, where: Any = None
) -> Array:
    """The cosine of the angle between vectors along `axis`."""
    predictions, targets = floating("cosine_similarity", predictions, targets)
    if where is not None:
        predictions, targets = (wnp.where(where, x, 0.0) for x in (predictions, targets))
    squares = [wnp.sum(wnp.square(x), axis=axis, keepdims=True) for x in (predictions, targets)]
    a, b = (x / wnp.sqrt(wnp.clip(s, epsilon)) for x, s in zip((predictions, targets), squares, strict=True))
    return wnp.sum(a * b, axis=axis)


def cosine_distance(
    predictions: Any, targets: Any, *, epsilon: float = 0.0, axis: Axis = -1, where: Any = None
) -> Array:
    """1 - cosine_similarity."""
    return 1.0 - cosine_similarity(predictions, targets, epsilon=epsilon, axis=axis, where=where)


# -- classification -----------------------------------------------------------------------------------------------------------------------


def sigmoid_binary_cross_entropy(logits: Any, labels: Any) -> Array:
    """The cross entropy of independent labels in [0, 1], from logits."""
    (logits,) = floating("sigmoid_binary_cross_entropy", logits)
    labels = wnp.asarray(labels).astype(logits.dtype)
    return -labels * nn.log_sigmoid(logits) - (1.0 - labels) * nn.log_sigmoid(-logits)


def sigmoid_focal_loss(logits: Any, labels: Any, *, alpha: float | None = None, gamma: float = 2.0) -> Array:
    """The binary cross entropy, less for what is classified well. T. Lin et al., ICCV 2017. `alpha` weighs the positive class."""
    (logits,) = floating("sigmoid_focal_loss", logits)
    labels = wnp.asarray(labels).astype(logits.dtype)
    log_right, log_wrong = nn.log_sigmoid(logits), nn.log_sigmoid(-logits)
    log_p = labels * log_right + (1 - labels) * log_wrong
    log_q = (1 - labels) * log_right + labels * log_wrong
    weight = 1.0 if alpha is None else alpha * labels + (1 - alpha) * (1 - labels)
    return -weight * wnp.exp(gamma * log_q) * log_p


def softmax_cross_entropy(logits: Any, labels: Any, axis: Axis = -1, where: Any = None) -> Array:
    """The cross entropy of a distribution `labels` over the classes along `axis`, from logits."""
    (logits,) = floating("softmax_cross_entropy", logits)
    return -wnp.sum(labels * nn.log_softmax(logits, axis, where), axis=axis, where=where)


def safe_softmax_cross_entropy(logits: Any, labels: Any) -> Array:
    """The same along the last axis, where logits of -inf cost nothing if their labels are 0."""
    (logits,) = floating("safe_softmax_cross_entropy", logits)
    return -wnp.sum(wnp.where(labels == 0, 0.0, labels * nn.log_softmax(logits)), axis=-1)


def softmax_cross_entropy_with_integer_labels(logits: Any, labels: Any, axis: Axis = -1, where: Any = None) -> Array:
    """The cross entropy of the classes that `labels` name, from logits. Labels must be integers: ValueError otherwise."""
    (logits,) = floating("softmax_cross_entropy_with_integer_labels", logits)
    labels = wnp.asarray(labels)
    if not labels.dtype.is_integer:
        raise ValueError(f"softmax_cross_entropy_with_integer_labels: labels must be integers, got {labels.aval}")
    axes = tuple(a % logits.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))  # type: ignore[operator]
    last = tuple(range(-len(axes), 0))
    logits = wnp.moveaxis(logits, axes, last)
    logits = logits.reshape(*logits.shape[: logits.ndim - len(axes)], -1)
    if where is not None:
        where = wnp.moveaxis(where, axes, last).reshape(*logits.shape)
    top = lax.stop_gradient(
        wnp.max(logits, axis=-1, keepdims=True, where=where, initial=None if where is None else -wnp.inf)
    )
    shifted = logits - top
    chosen = wnp.take_along_axis(shifted, labels[..., None], axis=-1)[..., 0]
    return wnp.log(wnp.sum(wnp.exp(shifted), axis=-1, where=where)) - chosen


def poly_loss_cross_entropy(
    logits: Any, labels: Any, *, epsilon: Any = 2.0, axis: Axis = -1, where: Any = None
) -> Array:
    """The cross entropy of a distribution `labels`, and `epsilon` times the probability that it misses. Z. Leng et al., "PolyLoss", ICLR 2022."""
    logits, labels = floating("poly_loss_cross_entropy", logits, labels)
    missed = wnp.sum(labels * (1 - nn.softmax(logits, axis, where)), axis=axis, where=where)
    return softmax_cross_entropy(logits, labels, axis, where) + epsilon * missed


def smooth_labels(labels: Any, alpha: float, *, axis: Axis = -1, where: Any = None) -> Array:
    """Labels mixed with the uniform distribution. R. Müller, S. Kornblith, G. Hinton, NeurIPS 2019."""
    (labels,) = floating("smooth_labels", labels)
    if where is None:
        count: Any = prod(labels.shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))  # type: ignore[index]
    else:
        count = wnp.sum(wnp.broadcast_to(where, labels.shape).astype(labels.dtype), axis=axis, keepdims=True)
    return (1.0 - alpha) * labels + alpha / count


def hinge_loss(predictor_outputs: Any, targets: Any) -> Array:
    """max(0, 1 - output * target), targets being -1 or 1."""
    return wnp.maximum(0, 1 - predictor_outputs * targets)


# -- distributions ------------------------------------------------------------------------------------------------------------------------


def kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """sum(targets * (log(targets) - log_predictions)): how far a distribution is from the targets."""
    log_predictions, targets = floating("kl_divergence", log_predictions, targets)
    loss = targets * (wnp.where(targets == 0, 0, wnp.log(wnp.where(targets == 0, 1, targets))) - log_predictions)
    return wnp.sum(loss, axis=axis, where=where)


def kl_divergence_with_log_targets(log_predictions: Any, log_targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """The same from the logarithms of the targets."""
    log_predictions, log_targets = floating("kl_divergence_with_log_targets", log_predictions, log_targets)
    return wnp.sum(wnp.exp(log_targets) * (log_targets - log_predictions), axis=axis, where=where)


def convex_kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """The KL divergence plus the difference of the sums, so that it is convex for measures that are not normalised."""
    plain = kl_divergence(log_predictions, targets, axis, where)
    return plain + wnp.sum(wnp.exp(log_predictions) - targets, axis=axis, where=where)


generalized_kl_divergence = convex_kl_divergence


def ntxent(embeddings: Any, labels: Any, temperature: Any = 0.07) -> Array:
    """The contrastive loss over pairs of examples with equal labels. T. Chen et al., "A simple framework for contrastive learning", ICML 2020."""
    (embeddings,) = floating("ntxent", embeddings)
    labels = wnp.asarray(labels)
    if labels.ndim != 1 or labels.shape[0] != embeddings.shape[0]:
        raise ValueError("labels array should be 1-D with length equal to number of embeddings")
    same = labels[:, None] == labels[None, :]
    apart = ~same
    same = same & ~wnp.eye(labels.shape[0], dtype=bool)
    cosines = cosine_similarity(embeddings[None, :, :], embeddings[:, None, :], epsilon=1e-4) / temperature
    shifted = cosines - lax.stop_gradient(wnp.max(cosines, axis=1, keepdims=True))
    others = wnp.sum(wnp.exp(shifted) * apart, axis=1, keepdims=True)
    losses = -(shifted - wnp.log(wnp.exp(shifted) + others)) * same
    return wnp.sum(losses) / wnp.sum(same)


def triplet_margin_loss(
    anchors: Any,
    positives: Any,
    negatives: Any,
    axis: int = -1,
    norm_degree: Any = 2,
    margin: Any = 1.0,
    eps: Any = 1e-6,
) -> Array:
    """By how much less than `margin` the anchors are closer to the positives than to the negatives. V. Balntas et al., BMVC 2016."""
    anchors, positives, negatives = floating("triplet_margin_loss", anchors, positives, negatives)
    near, far = (
        wnp.power(wnp.sum(wnp.power(anchors - other, norm_degree), axis) + eps, 1 / norm_degree)
        for other in (positives, negatives)
    )
    return wnp.maximum(near - far + margin, 0)

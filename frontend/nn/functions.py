"""Activations and normalisations (JAX's `jax.nn`). Each is elementwise unless it has an `axis`."""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.lax.base import concrete, constant
from weft.numpy.promotion import promote_arrays, to_inexact

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "identity", "leaky_relu",
    "log1mexp", "log_sigmoid", "log_softmax", "logmeanexp", "logsumexp", "mish", "one_hot", "relu", "relu6", "selu", "sigmoid",
    "silu", "soft_sign", "softmax", "softplus", "sparse_plus", "sparse_sigmoid", "squareplus", "standardize",
    "swish", "tanh",
]  # fmt: skip

ArrayLike = Any
Axis = int | tuple[int, ...] | None


def _float(x: ArrayLike) -> Array:
    x = wrap(lift(x))
    return x if x.dtype.is_inexact else x.astype(to_inexact(x.dtype))


def _weak_float(x: ArrayLike) -> Array:
    """Integers as they are where they meet a Python float: weakly typed."""
    x = wrap(lift(x))
    return x if x.dtype.is_inexact else x * 1.0


def _mask(where: ArrayLike) -> Array:
    """A mask. Raises ValueError if it is not boolean."""
    mask = wrap(lift(where))
    if mask.dtype != bool:
        raise ValueError(f"where must be None or a boolean array, got one of type {mask.aval}")
    return mask


def identity(x: ArrayLike) -> Array:
    """x itself."""
    return wrap(lift(x))


def tanh(x: ArrayLike) -> Array:
    """The hyperbolic tangent."""
    return wnp.tanh(x)


def relu(x: ArrayLike) -> Array:
    """max(x, 0). Its derivative at 0 is 0, as in JAX; NaN stays."""
    x = wrap(lift(x))
    x = x * 1 if x.dtype == bool else x
    return wnp.where(x <= 0, wnp.zeros_like(x), x)


def relu6(x: ArrayLike) -> Array:
    """min(max(x, 0), 6)."""
    return wnp.minimum(relu(x), 6.0)


def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x))."""
    return lax.logistic(x)


def log_sigmoid(x: ArrayLike) -> Array:
    """log(sigmoid(x))."""
    return -softplus(-wrap(lift(x)))


def softplus(x: ArrayLike) -> Array:
    """log(1 + exp(x))."""
    return wnp.logaddexp(x, 0)


def log1mexp(x: ArrayLike) -> Array:
    """log(1 - exp(-x)) for x > 0, exact near 0 and far from it. M. Mächler, "Accurately computing log(1 - exp(-|a|))", 2012."""
    x = wrap(lift(x))
    near, one = x < math.log(2), constant(1, (), x.dtype, x.weak_type)
    small, large = (
        wnp.where(near, x, one),
        wnp.where(near, one, x),
    )  # keeps the derivative of the branch not taken finite
    return wnp.where(near, wnp.log(-wnp.expm1(-small)), wnp.log1p(-wnp.exp(-large)))


def sparse_plus(x: ArrayLike) -> Array:
    """0 below -1, x above 1, (x + 1)² / 4 between."""
    x = _weak_float(x)
    return wnp.where(x <= -1, 0.0, wnp.where(x >= 1, x, 0.25 * (x + 1) ** 2))


def sparse_sigmoid(x: ArrayLike) -> Array:
    """0 below -1, 1 above 1, a straight line between: the derivative of `sparse_plus`."""
    return 0.5 * wnp.clip(_weak_float(x) + 1, 0.0, 2.0)


def soft_sign(x: ArrayLike) -> Array:
    """x / (1 + |x|)."""
    x = wrap(lift(x))
    return x / (wnp.abs(x) + 1)


def silu(x: ArrayLike) -> Array:
    """x * sigmoid(x). Also `swish`."""
    x = wrap(lift(x))
    return x * sigmoid(x)


swish = silu


def mish(x: ArrayLike) -> Array:
    """x * tanh(softplus(x))."""
    x = wrap(lift(x))
    return x * wnp.tanh(softplus(x))


def gelu(x: ArrayLike, approximate: bool = True) -> Array:
    """x times the normal distribution function of x. D. Hendrycks and K. Gimpel, arXiv:1606.08415.

    The approximation is the paper's, with (1 + tanh(u)) / 2 written as sigmoid(2u): equal, one exponential, and exact where tanh nears -1.
    """
    x = _float(x)
    if approximate:
        return x * lax.logistic(constant(math.sqrt(8 / math.pi), (), x.dtype) * (x + 0.044715 * (x * x * x)))
    return 0.5 * x * lax.erfc(-x * constant(math.sqrt(0.5), (), x.dtype))


def elu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """x above 0, alpha * (exp(x) - 1) below."""
    x = _weak_float(x)
    below = wnp.where(x > 0, 0.0, x)  # keeps the branch that is not taken finite, and so its derivative
    return wnp.where(x > 0, x, alpha * wnp.expm1(below))


def selu(x: ArrayLike) -> Array:
    """elu, scaled so that activations normalise themselves. G. Klambauer et al., NIPS 2017."""
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def celu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """elu with a continuous derivative for every alpha."""
    x = _weak_float(x)
    return wnp.maximum(x, 0.0) + alpha * wnp.expm1(wnp.minimum(x, 0.0) / alpha)


def leaky_relu(x: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    """x above 0, negative_slope * x below."""
    x = _weak_float(x)
    return wnp.where(x >= 0, x, negative_slope * x)


def hard_tanh(x: ArrayLike) -> Array:
    """x clipped to [-1, 1]."""
    x = wrap(lift(x))
    return wnp.where(x > 1, 1, wnp.where(x < -1, -1, x))


def hard_sigmoid(x: ArrayLike) -> Array:
    """relu6(x + 3) / 6."""
    return relu6(_weak_float(x) + 3.0) / 6.0


def hard_silu(x: ArrayLike) -> Array:
    """x * hard_sigmoid(x). Also `hard_swish`."""
    x = _weak_float(x)
    return x * hard_sigmoid(x)


hard_swish = hard_silu


def squareplus(x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    """(x + sqrt(x² + b)) / 2."""
    (x,) = promote_arrays(x, inexact=True)
    return 0.5 * (x + wnp.sqrt(wnp.square(x) + b))


def glu(x: ArrayLike, axis: int = -1) -> Array:
    """The first half along `axis` times the sigmoid of the second. Raises ValueError if the axis has an odd size."""
    x = wrap(lift(x))
    if x.shape[axis] % 2:
        raise ValueError(f"glu: axis {axis} of shape {x.shape} must have an even size")
    first, second = wnp.split(x, 2, axis)
    return first * sigmoid(second)


# -- over an axis -------------------------------------------------------------------------------------------------------------------------


def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: ArrayLike | None = None,
) -> Any:
    """log(|sum(b * exp(a))|), without overflow; with `return_sign`, and the sign of the sum. A negative sum is NaN without it. Elements outside of `where` count for nothing."""
    if b is None:
        a = _float(a)
    else:
        a, b = wnp.broadcast_arrays(*promote_arrays(a, b, inexact=True))
        a = wnp.where(b == 0, -wnp.inf, a)  # 0 times infinity is nothing
    if where is not None:
        a = wnp.where(_mask(where), a, -wnp.inf)
    top = lax.stop_gradient(wnp.max(wnp.real(a), axis=axis, keepdims=True, initial=-wnp.inf))
    top = wnp.where(wnp.isfinite(top), top, 0.0)
    terms = wnp.exp(a - top)
    total = wnp.sum(terms if b is None else wnp.where(terms == 0, 0.0, b * terms), axis=axis, keepdims=True)
    sign = wnp.sign(total)
    ordered = a.dtype.kind != "c"
    out = wnp.log(wnp.abs(total) if return_sign or ordered else total) + top
    if not keepdims:
        out, sign = wnp.squeeze(out, axis=axis), wnp.squeeze(sign, axis=axis)
    if return_sign:
        return out, sign
    return wnp.where(sign < 0, wnp.nan, out) if b is not None and ordered else out


def logmeanexp(x: ArrayLike, axis: Axis = None, where: ArrayLike | None = None, keepdims: bool = False) -> Array:
    """log(mean(exp(x))), without overflow."""
    x = _float(x)
    mask = wnp.ones(x.shape, bool) if where is None else wnp.broadcast_to(where, x.shape)
    count = wnp.sum(mask, axis=axis, keepdims=keepdims, dtype=x.dtype)
    return logsumexp(x, axis=axis, keepdims=keepdims, where=where) - wnp.log(count)


def softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """exp(x) over its sum along `axis`; elements outside of `where` count for nothing and get 0."""
    x = wrap(lift(x))
    if where is not None:
        x = wnp.where(_mask(where), x, -wnp.inf)
    terms = wnp.exp(x - lax.stop_gradient(wnp.max(x, axis=axis, keepdims=True)))
    found = terms / wnp.sum(terms, axis=axis, keepdims=True)
    return found if where is None else wnp.where(where, found, 0.0)


def log_softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """The logarithm of softmax; -inf outside of `where`."""
    x = wrap(lift(x))
    if where is not None:
        x = wnp.where(_mask(where), x, -wnp.inf)
    shifted = x - lax.stop_gradient(wnp.max(x, axis=axis, keepdims=True))
    found = shifted - wnp.log(wnp.sum(wnp.exp(shifted), axis=axis, keepdims=True))
    return found if where is None else wnp.where(where, found, -wnp.inf)


def standardize(
    x: ArrayLike,
    axis: Axis = -1,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    epsilon: ArrayLike = 1e-5,
    where: ArrayLike | None = None,
    *,
    algorithm: str = "fast",
) -> Array:
    """x with mean 0 and variance 1 along `axis`, or less the mean and over the root of the variance that are given.

    The algorithm "stable" takes the mean first; "fast" goes over x once, and loses digits where the mean is far greater than the deviation. Raises ValueError for another.
    """
    x = _float(x)
    if algorithm not in ("fast", "stable"):
        raise ValueError(f"Unknown algorithm '{algorithm}'. Expected 'fast' or 'stable'.")
    if mean is None:
        mean = wnp.mean(x, axis=axis, keepdims=True, where=where)
    if variance is None:
        if algorithm == "stable":
            variance = wnp.mean(wnp.square(x - mean), axis=axis, keepdims=True, where=where)
        else:
            variance = wnp.mean(wnp.square(x), axis=axis, keepdims=True, where=where) - wnp.square(mean)
            variance = wnp.clip(variance, 0)  # rounding may take it below
    return wnp.subtract(x, mean) * lax.rsqrt(variance + epsilon)


def one_hot(x: ArrayLike, num_classes: int, *, dtype: Any = None, axis: Any = -1) -> Array:
    """1 at the place that each element names, 0 elsewhere (everywhere for a number out of range); `axis` is where the classes lie: a number, or the name of a vmapped axis."""
    num_classes = concrete(num_classes, "num_classes")
    if num_classes < 0:
        raise ValueError(f"one_hot: num_classes must not be negative, got {num_classes}")
    x = wrap(lift(x))
    dtype = float if dtype is None else dtype
    if not isinstance(axis, int):
        if num_classes != lax.axis_size(axis):
            raise ValueError(
                f"Expected num_classes to match the size of axis {axis}, but {num_classes} != {lax.axis_size(axis)}"
            )
        return wnp.equal(x, lax.axis_index(axis).astype(x.dtype)).astype(dtype)
    axis = axis % (x.ndim + 1)
    classes = lax.iota(x.dtype, num_classes).reshape((num_classes,) + (1,) * (x.ndim - axis))
    return wnp.equal(wnp.expand_dims(x, axis), classes).astype(dtype)

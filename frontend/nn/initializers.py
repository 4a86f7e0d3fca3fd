"""Initial values of weights (JAX's `jax.nn.initializers`): functions of (key, shape, dtype)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import weft.numpy as wnp
from weft import random
from weft.array import Array

Initializer = Callable[..., Array]
Axes = int | Sequence[int]

TRUNCATED_DEVIATION = 0.87962566103423978
"""The standard deviation of the standard normal distribution between -2 and 2."""


def zeros(key: Array, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
    """All 0."""
    return wnp.zeros(shape, dtype)


def ones(key: Array, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
    """All 1."""
    return wnp.ones(shape, dtype)


def constant(value: Any, dtype: Any = None) -> Initializer:
    """All `value`."""
    return lambda key, shape, dtype=dtype: wnp.full(shape, value, float if dtype is None else dtype)


def uniform(scale: float = 1e-2, dtype: Any = None) -> Initializer:
    """Uniform in [0, scale)."""
    return lambda key, shape, dtype=dtype: random.uniform(key, shape, dtype) * scale


def normal(stddev: float = 1e-2, dtype: Any = None) -> Initializer:
    """Normal with mean 0."""
    return lambda key, shape, dtype=dtype: random.normal(key, shape, dtype) * stddev


def truncated_normal(stddev: float = 1e-2, dtype: Any = None, lower: float = -2.0, upper: float = 2.0) -> Initializer:
    """Normal with mean 0, cut off at `lower` and `upper` standard deviations; `stddev` is that of the distribution before."""
    return lambda key, shape, dtype=dtype: random.truncated_normal(key, lower, upper, shape, dtype) * stddev


def _fans(shape: Sequence[int], in_axis: Axes, out_axis: Axes, batch_axis: Axes) -> tuple[float, float]:
    """How many inputs feed an output and how many outputs an input feeds. Axes that are none of the three are the receptive field of a convolution."""
    if len(shape) < 2:
        raise ValueError(
            f"Can't compute input and output sizes of a {len(shape)}-dimensional weights tensor. Must be at least 2D."
        )

    def size(axes: Axes) -> int:
        return math.prod(shape[a] for a in ([axes] if isinstance(axes, int) else axes))

    field = math.prod(shape) / size(in_axis) / size(out_axis) / size(batch_axis)
    return size(in_axis) * field, size(out_axis) * field


def variance_scaling(
    scale: float,
    mode: Literal["fan_in", "fan_out", "fan_avg"],
    distribution: Literal["truncated_normal", "normal", "uniform"],
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Sequence[int] = (),
    dtype: Any = None,
) -> Initializer:
    """Random weights with variance scale / fan. Raises ValueError for an unknown mode or distribution, or a shape of rank below 2."""

    def initialize(key: Array, shape: Sequence[int], dtype: Any = dtype) -> Array:
        fan_in, fan_out = _fans(shape, in_axis, out_axis, batch_axis)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        if mode not in fans:
            raise ValueError(f"invalid mode for variance scaling initializer: {mode}")
        variance = scale / max(fans[mode], 1e-30)
        if distribution == "truncated_normal":
            return random.truncated_normal(key, -2.0, 2.0, shape, dtype) * (math.sqrt(variance) / TRUNCATED_DEVIATION)
        if distribution == "normal":
            return random.normal(key, shape, dtype) * math.sqrt(variance)
        if distribution == "uniform":
            return random.uniform(key, shape, dtype, -1.0) * math.sqrt(3 * variance)
        raise ValueError(f"invalid distribution for variance scaling initializer: {distribution}")

    return initialize


def _scaling(scale: float, mode: Any, distribution: Any, doc: str) -> Callable[..., Initializer]:
    def make(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Sequence[int] = (), dtype: Any = None) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    make.__doc__ = doc
    return make


glorot_uniform = _scaling(1.0, "fan_avg", "uniform", "X. Glorot and Y. Bengio, AISTATS 2010.")
glorot_normal = _scaling(1.0, "fan_avg", "truncated_normal", "X. Glorot and Y. Bengio, AISTATS 2010.")
lecun_uniform = _scaling(1.0, "fan_in", "uniform", "Y. LeCun et al., Efficient BackProp, 1998.")
lecun_normal = _scaling(1.0, "fan_in", "truncated_normal", "Y. LeCun et al., Efficient BackProp, 1998.")
he_uniform = _scaling(2.0, "fan_in", "uniform", "K. He et al., ICCV 2015.")
he_normal = _scaling(2.0, "fan_in", "truncated_normal", "K. He et al., ICCV 2015.")
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def _orthogonal(scale: Any, column_axis: int, key: Array, shape: Sequence[int], dtype: Any) -> Array:
    if len(shape) < 2:
        raise ValueError("orthogonal initializer requires at least a 2D shape")
    dtype = wnp.result_type(float if dtype is None else dtype)
    if 0 in shape:
        return wnp.zeros(shape, dtype)
    columns = shape[column_axis]
    rest = [n for i, n in enumerate(shape) if i != column_axis % len(shape)]
    found = random.orthogonal(key, math.prod(rest), (), dtype, columns)
    return wnp.array(scale, dtype) * wnp.moveaxis(found.reshape(*rest, columns), -1, column_axis)


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Uniform orthogonal matrices (the other axes taken as one). A. Saxe, J. McClelland, S. Ganguli, ICLR 2014. Raises ValueError for a rank below 2."""
    return lambda key, shape, dtype=dtype: _orthogonal(scale, column_axis, key, shape, dtype)


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Windows of convolutions that are orthogonal in the middle and 0 elsewhere. L. Xiao et al., ICML 2018.

    Shapes are (spatial…, in, out) with one to three spatial axes and no more inputs than outputs: ValueError otherwise.
    """

    def initialize(key: Array, shape: Sequence[int], dtype: Any = dtype) -> Array:
        if len(shape) not in (3, 4, 5):
            raise ValueError("Delta orthogonal initializer requires a 3D, 4D or 5D shape.")
        if shape[-1] < shape[-2]:
            raise ValueError("`fan_in` must be less or equal than `fan_out`. ")
        matrix = _orthogonal(scale, column_axis, key, shape[-2:], dtype)
        return wnp.zeros(shape, matrix.dtype).at[tuple((n - 1) // 2 for n in shape[:-2])].set(matrix)

    return initialize

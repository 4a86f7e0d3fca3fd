"""Images in other sizes (`jax.image`): each axis is multiplied with a matrix of weights, which a kernel gives. A result's element is a mean of its neighbours, weighted by their distance."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.lax.base import axis_indices, shape_of
from weft.numpy.promotion import promote_arrays

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]


def _triangle(x: Array) -> Array:
    return wnp.maximum(0, 1 - x)


def _cubic(x: Array) -> Array:
    """R. Keys' kernel with a = -1/2, IEEE Trans. ASSP 29, 1981."""
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return wnp.where(x >= 2.0, 0.0, wnp.where(x >= 1.0, far, near))


def _lanczos(radius: float) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        safe = wnp.where(x > 1e-3, x, 1.0)
        wave = radius * lax.sin(math.pi * x) * lax.sin(math.pi * x / radius)
        found = wnp.where(x > 1e-3, wave / (math.pi**2 * safe**2), 1.0)
        return wnp.where(x > radius, 0.0, found)

    return kernel


class ResizeMethod(enum.Enum):
    """How elements between the given ones are found."""

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4

    @staticmethod
    def from_string(s: str) -> ResizeMethod:
        """The method of a name. Raises ValueError for an unknown one."""
        names = {"nearest": ResizeMethod.NEAREST, "lanczos3": ResizeMethod.LANCZOS3, "lanczos5": ResizeMethod.LANCZOS5}
        names |= dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), ResizeMethod.LINEAR)
        names |= dict.fromkeys(("cubic", "bicubic", "tricubic"), ResizeMethod.CUBIC)
        if s not in names:
            raise ValueError(f'Unknown resize method "{s}": expected one of {", ".join(names)}')
        return names[s]


_KERNELS: dict[ResizeMethod, Callable[[Array], Array]] = {
    ResizeMethod.LINEAR: _triangle,
    ResizeMethod.CUBIC: _cubic,
    ResizeMethod.LANCZOS3: _lanczos(3.0),
    ResizeMethod.LANCZOS5: _lanczos(5.0),
}


def _weights(
    size: int, wanted: int, scale: Any, translation: Any, kernel: Callable[[Array], Array], antialias: bool, dtype: Any
) -> Array:
    """The matrix from an axis of `size` to one of `wanted` elements. Places outside of the image have no weights."""
    inverse = 1.0 / wnp.asarray(scale, dtype)
    stretch = wnp.maximum(inverse, 1.0) if antialias else 1.0
    place = (wnp.arange(wanted, dtype=dtype) + 0.5) * inverse - translation * inverse - 0.5
    distance = wnp.abs(place[None, :] - wnp.arange(size, dtype=dtype)[:, None]) / stretch
    found = kernel(distance)
    total = wnp.sum(found, axis=0, keepdims=True)
    some = wnp.abs(total) > 1000.0 * wnp.finfo("float32").eps
    found = wnp.where(some, found / wnp.where(total != 0, total, 1), 0)
    return wnp.where((place >= -0.5) & (place <= size - 0.5), found, 0)


def scale_and_translate(
    image: Any,
    shape: Sequence[int],
    spatial_dims: Sequence[int],
    scale: Any,
    translation: Any,
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = None,
) -> Array:
    """The image in another shape, each of `spatial_dims` scaled and then moved by as many elements of the result; what comes from outside is 0.

    `antialias`: where the image shrinks, the kernel grows. Derivatives by scale and translation are there. Raises ValueError for shapes that do not fit, or the method "nearest".
    """
    image, shape = wnp.asarray(image), shape_of(shape)
    if len(shape) != image.ndim:
        raise ValueError(f"shape must have length equal to the number of dimensions of x; {shape} vs {image.shape}")
    method = ResizeMethod.from_string(method) if isinstance(method, str) else method
    if method is ResizeMethod.NEAREST:
        raise ValueError("Nearest neighbor resampling is not currently supported for scale_and_translate.")
    scale, translation = wnp.asarray(scale), wnp.asarray(translation)
    (image,) = promote_arrays(image, inexact=True)
    return _resampled(image, shape, spatial_dims, scale, translation, _KERNELS[method], antialias)


def _resampled(
    image: Array, shape: Sequence[int], dims: Sequence[int], scale: Any, translation: Any, kernel: Any, antialias: bool
) -> Array:
    for i, axis in enumerate(axis_indices(tuple(dims), image.ndim)):
        weights = _weights(image.shape[axis], shape[axis], scale[i], translation[i], kernel, antialias, image.dtype)
        image = wnp.moveaxis(wnp.tensordot(image, weights, (axis, 0)), -1, axis)
    return image


def resize(
    image: Any, shape: Sequence[int], method: str | ResizeMethod, antialias: bool = True, precision: Any = None
) -> Array:
    """The image in another shape: "nearest", "linear", "cubic", "lanczos3" or "lanczos5" (and their other names). `antialias`: where it shrinks, the kernel grows.

    Raises ValueError for a shape of another rank, or an unknown method.
    """
    image, shape = wnp.asarray(image), shape_of(shape)
    if len(shape) != image.ndim:
        raise ValueError(f"shape must have length equal to the number of dimensions of x; {shape} vs {image.shape}")
    method = ResizeMethod.from_string(method) if isinstance(method, str) else method
    dims = [i for i, (a, b) in enumerate(zip(image.shape, shape, strict=True)) if a != b]
    if method is ResizeMethod.NEAREST:
        for axis in dims:
            size, wanted = image.shape[axis], shape[axis]
            place = lax.floor((wnp.arange(wanted, dtype="float32") + 0.5) * (size / wanted)).astype("int32")
            image = wnp.take(image, place, axis)
        return image
    (image,) = promote_arrays(image, inexact=True)
    scale = [1.0 if not image.shape[d] else shape[d] / image.shape[d] for d in dims]
    return _resampled(image, shape, dims, scale, [0.0] * len(dims), _KERNELS[method], antialias)

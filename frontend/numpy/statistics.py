"""How variables vary together: covariances and correlations of rows of observations."""

from __future__ import annotations

from weft import lax
from weft.array import Array, lift, wrap
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, constant, convert
from weft.numpy.creation import diag
from weft.numpy.elementwise import clip, conjugate, real, sqrt, true_divide
from weft.numpy.linear import dot
from weft.numpy.manipulation import atleast_2d, concatenate, squeeze
from weft.numpy.promotion import same_dtype, to_inexact
from weft.numpy.reductions import average
from weft.numpy.reductions import sum as sum_of

__all__ = ["corrcoef", "cov"]


def _rows(x: Array, rowvar: bool, name: str) -> Array:
    if x.ndim > 2:
        raise ValueError(f"{name} has more than 2 dimensions")
    return atleast_2d(x) if rowvar or x.ndim < 2 else x.T


def _weights(w: ArrayLike, name: str, count: int) -> Array:
    x = wrap(lift(w))
    if x.ndim != 1:
        raise RuntimeError(f"cannot handle multidimensional {name}")
    if x.shape[0] != count:
        raise RuntimeError(f"incompatible numbers of samples and {name}: {count} and {x.shape[0]}")
    return x


def cov(
    m: ArrayLike,
    y: ArrayLike | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: float | None = None,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
    dtype: DTypeLike = None,
) -> Array:
    """The covariance matrix of variables: rows of m (columns unless `rowvar`) and of y.

    Divided by the number of observations less `ddof` (1, or 0 if `bias`). `fweights` says how often an observation counts (integers), `aweights` how much.
    """
    nodes = same_dtype(m) if y is None else same_dtype(m, y)
    wanted = to_inexact(nodes[0].dtype) if dtype is None else canonical(dtype)
    parts = [_rows(wrap(convert(n, wanted)), rowvar, name) for n, name in zip(nodes, ("m", "y"), strict=False)]
    x = parts[0]
    if x.shape[0] == 0:
        return constant(0, (0, 0), wanted)
    if len(parts) > 1:
        x = concatenate(parts, 0)
    count = x.shape[1]
    less = (0 if bias else 1) if ddof is None else ddof
    weights = None
    if fweights is not None:
        weights = _weights(fweights, "fweights", count)
        if not weights.dtype.is_integer:
            raise TypeError("fweights must be integer.")
        weights = wrap(convert(weights._node, wanted))
    relative = None
    if aweights is not None:
        relative = wrap(convert(_weights(aweights, "aweights", count)._node, wanted))
        weights = relative if weights is None else weights * relative
    center, totals = average(x, 1, weights, returned=True)
    divisor: ArrayLike = count - less
    if weights is not None:
        total = totals[0]
        if less == 0:
            divisor = total
        elif relative is None:
            divisor = total - less
        else:
            divisor = total - less * sum_of(weights * relative) / total
    x = x - center[:, None]
    scaled = x if weights is None else x * weights
    return squeeze(true_divide(dot(x, conjugate(scaled.T)), divisor))


def corrcoef(x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True, dtype: DTypeLike = None) -> Array:
    """The matrix of Pearson's correlation coefficients of variables: rows of x (columns unless `rowvar`) and of y."""
    found = cov(x, y, rowvar, dtype=dtype)
    if not found.ndim:
        return found / found
    deviation = sqrt(real(diag(found)))
    found = found / deviation[:, None] / deviation[None, :]
    if found.dtype.kind == "c":
        return lax.complex(clip(real(found), -1, 1), clip(lax.imag(found), -1, 1))
    return clip(found, -1, 1)

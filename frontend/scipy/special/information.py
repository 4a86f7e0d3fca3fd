"""Entropies and logarithms with their limits, softmax and its kin, power transforms."""

from __future__ import annotations

from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.nn.functions import log_softmax as _log_softmax
from weft.nn.functions import logsumexp
from weft.nn.functions import softmax as _softmax
from weft.numpy.promotion import like, promote_arrays
from weft.scipy.special.base import real, special, where_safe

__all__ = [
    "boxcox", "boxcox1p", "entr", "expit", "kl_div", "log_softmax", "logit", "logsumexp", "rel_entr", "softmax",
    "xlog1py", "xlogy",
]  # fmt: skip


def expit(x: Any) -> Array:
    """The logistic function."""
    (x,) = promote_arrays(x, inexact=True)
    return lax.logistic(x)


@special(lambda out, x: 1 / (x * (1 - x)), of_complex=True)
def logit(x: Array) -> Array:
    """log(x / (1 - x))."""
    return lax.log(x / (like(1, x) - x))


def softmax(x: Any, /, *, axis: Any = None) -> Array:
    """exp(x) over its sum along the axes, all by default."""
    return _softmax(x, axis=axis)


def log_softmax(x: Any, /, *, axis: Any = None) -> Array:
    """The logarithm of softmax."""
    return _log_softmax(x, axis=axis)


@special(lambda out, x, y: lax.log(y), lambda out, x, y: x / y, of_complex=True)
def xlogy(x: Array, y: Array) -> Array:
    """x log(y); 0 where x is 0, unless y is NaN."""
    return wnp.where((x != 0) | wnp.isnan(y), x * lax.log(y), 0.0)


@special(lambda out, x, y: lax.log1p(y), lambda out, x, y: x / (1 + y), of_complex=True)
def xlog1py(x: Array, y: Array) -> Array:
    """x log(1 + y); 0 where x is 0, unless y is NaN."""
    return wnp.where((x != 0) | wnp.isnan(y), x * lax.log1p(y), 0.0)


def entr(x: Any) -> Array:
    """-x log(x); 0 at 0, -inf below."""
    (x,) = real("entr", x)
    safe = wnp.where(x > 0, x, 1.0)
    return wnp.where(x < 0, -wnp.inf, wnp.where(x == 0, 0.0, -wnp.where(x != 0, x, 1.0) * lax.log(safe)))


def rel_entr(p: Any, q: Any) -> Array:
    """p log(p / q); 0 where p is 0 and q is not negative, infinite where either is negative."""
    p, q = real("rel_entr", p, q)
    both = (p > 0) & (q > 0)
    a, b = where_safe(both, p, 1.0), where_safe(both, q, 1.0)
    inside = a * lax.log(a) - a * lax.log(b)
    return wnp.where(both, inside, wnp.where((p == 0) & (q >= 0), 0.0, wnp.inf))


def kl_div(p: Any, q: Any) -> Array:
    """rel_entr(p, q) - p + q."""
    p, q = real("kl_div", p, q)
    return rel_entr(p, q) - p + q


def boxcox(x: Any, lmbda: Any) -> Array:
    """(x ** lmbda - 1) / lmbda, and its limit log(x) at 0."""
    x, lmbda = promote_arrays(x, lmbda, inexact=True)
    safe = where_safe(lmbda != 0, lmbda, 1.0)
    return wnp.where(lmbda == 0, lax.log(x), lax.expm1(safe * lax.log(x)) / safe)


def boxcox1p(x: Any, lmbda: Any) -> Array:
    """boxcox(1 + x, lmbda), exact near 0."""
    x, lmbda = promote_arrays(x, lmbda, inexact=True)
    safe = where_safe(lmbda != 0, lmbda, 1.0)
    return wnp.where(lmbda == 0, lax.log1p(x), lax.expm1(safe * lax.log1p(x)) / safe)

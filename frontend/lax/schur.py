"""Schur's form on the host, with NumPy: the QR algorithm for one matrix that need not be Hermitian.

A matrix is reduced to Hessenberg form by reflections; then shifted QR steps, each a bulge that is chased down the diagonal, let the last entry below it vanish, and what is left is smaller by one (or, of
a real matrix with a complex pair, by two). Real matrices take J. Francis's double steps (1961) and stay real; complex ones take single steps. (G. Golub and C. Van Loan, "Matrix Computations", 7.4 and 7.5.)
"""

from __future__ import annotations

from math import copysign, hypot, sqrt
from typing import Any

import numpy as np

MOST_STEPS = 60
"""QR steps for one eigenvalue; two or three are the rule."""


def schur(a: Any) -> tuple[Any, Any]:
    """(t, z) with a = z t zᴴ for matrices in the last two axes: unitary z, and t upper triangular, of a real matrix with blocks of 2 x 2 on its diagonal for complex pairs."""
    wide = np.complex128 if np.iscomplexobj(a) else np.float64
    t, z = np.empty_like(a), np.empty_like(a)
    for k in np.ndindex(a.shape[:-2]):
        t[k], z[k] = _schur(a[k].astype(wide))
    return t, z


def _schur(t: Any) -> tuple[Any, Any]:
    n = t.shape[0]
    z = np.eye(n, dtype=t.dtype)
    if not np.isfinite(t).all():
        return np.full_like(t, np.nan), np.full_like(t, np.nan)
    for k in range(n - 2):
        _reflect(t, z, k + 1, t[k + 1 :, k], k)
        t[k + 2 :, k] = 0
    double = t.dtype == np.float64
    high, steps = n - 1, 0
    while high > 0:
        low = _low(t, high)
        if low == high or (double and low == high - 1):
            if low < high:
                _standardise(t, z, low)
            high, steps = low - 1, 0
            continue
        steps += 1
        if steps > MOST_STEPS:
            return np.full_like(t, np.nan), np.full_like(t, np.nan)
        (_double_step if double else _step)(t, z, low, high, steps % 10 == 0)
    return t, z


def _low(t: Any, high: int) -> int:
    """Where the last block that does not fall apart begins. What is negligible below the diagonal becomes 0."""
    eps = np.finfo(np.float64).eps
    for k in range(high, 0, -1):
        size = abs(t[k - 1, k - 1]) + abs(t[k, k])
        if abs(t[k, k - 1]) <= eps * (size or np.abs(t).max()):
            t[k, k - 1] = 0
            return k
    return 0


def _reflect(t: Any, z: Any, at: int, x: Any, first: int, last: int | None = None) -> None:
    """The similarity of t by the reflection that takes the vector x, which belongs to the rows from `at` on, to a multiple of the first unit vector. Columns from `first` and rows to `last` may be other than 0."""
    size = np.linalg.norm(x)
    if size == 0:
        return
    v = x.astype(t.dtype)
    v[0] += size * (v[0] / abs(v[0]) if v[0] != 0 else 1)
    v /= np.linalg.norm(v)
    rows = slice(at, at + len(v))
    t[rows, first:] -= 2 * np.outer(v, v.conj() @ t[rows, first:])
    for m in (t[:last], z):
        m[:, rows] -= 2 * np.outer(m[:, rows] @ v, v.conj())


def _double_step(t: Any, z: Any, low: int, high: int, exceptional: bool) -> None:
    """A step with both eigenvalues of the last block of 2 x 2 for shifts, or with others now and then, should these lead nowhere."""
    if exceptional:
        size = abs(t[high, high - 1]) + abs(t[high - 1, high - 2])
        total, product = 1.5 * size, size * size
    else:
        (a, b), (c, d) = t[high - 1 : high + 1, high - 1 : high + 1]
        total, product = a + d, a * d - b * c
    h = t[low : low + 3, low : low + 2]
    x = np.array(
        [
            h[0, 0] * (h[0, 0] - total) + h[0, 1] * h[1, 0] + product,
            h[1, 0] * (h[0, 0] + h[1, 1] - total),
            h[1, 0] * h[2, 1],
        ]
    )
    for k in range(low, high):
        first = max(k - 1, low)
        _reflect(t, z, k, x[: high - k + 1], first, min(k + 3, high) + 1)
        if k > low:
            t[k + 1 : k + 3, k - 1] = 0
        x = t[k + 1 : min(k + 4, high + 1), k].copy()


def _step(t: Any, z: Any, low: int, high: int, exceptional: bool) -> None:
    """A step with the eigenvalue of the last block that is nearer to the last entry for a shift (J. Wilkinson)."""
    (a, b), (c, d) = t[high - 1 : high + 1, high - 1 : high + 1]
    half = (a - d) / 2
    root = np.sqrt(half * half + b * c)
    root = root if abs(half + root) >= abs(half - root) else -root
    shift = d - b * c / (half + root) if half + root != 0 else d - root
    if exceptional:
        shift = d + abs(c)
    x = np.array([t[low, low] - shift, t[low + 1, low]])
    for k in range(low, high):
        _reflect(t, z, k, x, max(k - 1, low), min(k + 2, high) + 1)
        if k > low:
            t[k + 1, k - 1] = 0
        x = t[k + 1 : min(k + 3, high + 1), k].copy()


def _standardise(t: Any, z: Any, k: int) -> None:
    """A block of 2 x 2 with real eigenvalues becomes triangular; one with a complex pair gets equal entries on its diagonal."""
    (a, b), (c, d) = t[k : k + 2, k : k + 2]
    half = (a - d) / 2
    inside = half * half + b * c
    if inside >= 0:
        x, y = half + copysign(sqrt(inside), half), c
        size = hypot(x, y)
        cosine, sine = x / size, y / size
    else:
        sigma = b + c
        tau = hypot(sigma, a - d)
        cosine = sqrt((1 + abs(sigma) / tau) / 2)
        sine = -half / (tau * cosine) * copysign(1, sigma)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    t[k : k + 2] = turn @ t[k : k + 2]
    for m in (t, z):
        m[:, k : k + 2] = m[:, k : k + 2] @ turn.T
    if inside >= 0:
        t[k + 1, k] = 0

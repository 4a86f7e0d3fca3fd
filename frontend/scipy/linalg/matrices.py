"""Matrices of known structure: an index computation each."""

from __future__ import annotations

import math
import operator
from typing import Any

import weft.numpy as jnp
from weft.array import Array, lift, wrap
from weft.lax.base import ArrayLike, default_float
from weft.numpy.linalg import inexact
from weft.numpy.promotion import same_dtype

__all__ = [
    "block_diag", "circulant", "companion", "convolution_matrix", "dft", "fiedler", "fiedler_companion", "hadamard", "hankel", "helmert", "hilbert",
    "invhilbert", "invpascal", "leslie", "pascal", "toeplitz",
]  # fmt: skip


def _at_least_1d(a: ArrayLike) -> Array:
    return jnp.atleast_1d(wrap(lift(a)))


def _places(n: int, m: int) -> tuple[Array, Array]:
    """Row and column numbers, as a column and as a row."""
    return jnp.arange(n)[:, None], jnp.arange(m)[None, :]


def _together(c: Array, r: Array) -> tuple[Array, Array]:
    c, r = (wrap(n) for n in same_dtype(c, r))
    lead = jnp.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    return jnp.broadcast_to(c, (*lead, c.shape[-1])), jnp.broadcast_to(r, (*lead, r.shape[-1]))


def block_diag(*arrs: ArrayLike) -> Array:
    """Matrices along the diagonal, zeros elsewhere. Vectors are rows."""
    given = [wrap(n) for n in same_dtype(*arrs)] if arrs else [jnp.zeros((1, 0))]
    for k, a in enumerate(given):
        if a.ndim > 2:
            raise ValueError(f"Arguments to block_diag must have at most 2 dimensions, got {a} at argument {k}.")
    blocks = [jnp.atleast_2d(a) for a in given]
    width, before, rows = sum(b.shape[1] for b in blocks), 0, []
    for b in blocks:
        rows.append(jnp.pad(b, ((0, 0), (before, width - before - b.shape[1]))))
        before += b.shape[1]
    return jnp.concatenate(rows, axis=0)


def toeplitz(c: ArrayLike, r: ArrayLike | None = None) -> Array:
    """Constant diagonals: c down the first column, r (by default c's conjugate) along the first row."""
    first, row = _together(_at_least_1d(c), _at_least_1d(jnp.conj(wrap(lift(c))) if r is None else r))
    n, m = first.shape[-1], row.shape[-1]
    line = jnp.concatenate([jnp.flip(row[..., 1:], -1), first], axis=-1)
    i, j = _places(n, m)
    return jnp.take(line, i - j + (m - 1), axis=-1)


def hankel(c: ArrayLike, r: ArrayLike | None = None) -> Array:
    """Constant anti-diagonals: c down the first column, r (by default zeros) along the last row, but for its first element."""
    column = wrap(lift(c))
    row = jnp.zeros_like(column) if r is None else wrap(lift(r))
    for name, v in (("c", column), ("r", row)):
        if not v.ndim:
            raise ValueError(f"hankel: {name} must be at least 1-dimensional, got a scalar.")
    column, row = _together(column, row)
    i, j = _places(column.shape[-1], row.shape[-1])
    return jnp.take(jnp.concatenate([column, row[..., 1:]], axis=-1), i + j, axis=-1)


def circulant(c: ArrayLike) -> Array:
    """Each column is the one before, shifted down and around."""
    x = _at_least_1d(c)
    n = x.shape[-1]
    i, j = _places(n, n)
    return jnp.take(x, (i - j) % n, axis=-1)


def companion(a: ArrayLike) -> Array:
    """The matrix whose characteristic polynomial has coefficients a."""
    (x,) = inexact(_at_least_1d(a))
    n = x.shape[-1] - 1
    if n < 1:
        raise ValueError(f"The length of `a` along the last axis must be at least 2; got shape {x.shape}.")
    first = -x[..., 1:] / x[..., :1]
    rest = jnp.broadcast_to(jnp.eye(n - 1, n, dtype=x.dtype), (*x.shape[:-1], n - 1, n))
    return jnp.concatenate([first[..., None, :], rest], axis=-2)


def convolution_matrix(a: ArrayLike, n: int, mode: str = "full") -> Array:
    """The matrix that convolves a with vectors of n elements."""
    n = operator.index(n)
    if n <= 0:
        raise ValueError(f"n must be a positive integer; got {n}.")
    x = wrap(lift(a))
    if not x.ndim:
        raise ValueError("convolution_matrix: a must be at least 1-dimensional, got a scalar.")
    m = x.shape[-1]
    if not m:
        raise ValueError(f"len(a) must be at least 1; got shape {x.shape}.")
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"mode must be one of 'full', 'valid', 'same'; got {mode!r}.")
    trim = min(n, m) - 1
    before = {"full": 0, "same": trim // 2, "valid": trim}[mode]
    after = {"full": 0, "same": trim - trim // 2, "valid": trim}[mode]
    i, j = _places(m + n - 1, n)
    padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n - 1, n - 1)])
    whole = jnp.take(padded, i - j + (n - 1), axis=-1)
    return whole[..., before : m + n - 1 - after, :]


def leslie(f: ArrayLike, s: ArrayLike) -> Array:
    """Fecundities f in the first row, survivals s below the diagonal."""
    x, y = _together(_at_least_1d(f), _at_least_1d(s))
    n = x.shape[-1]
    if n < 2:
        raise ValueError(f"The length of f along the last axis must be at least 2; got shape {x.shape}.")
    if y.shape[-1] != n - 1:
        raise ValueError(
            f"Incorrect lengths for f and s. The length of s along the last axis must be one less than the length of f; got f shape {x.shape} and s shape {y.shape}."
        )
    i, j = _places(n, n)
    padded = jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, 1)])
    below = jnp.where(jnp.equal(i, j + 1), padded[..., None, :], 0)
    return jnp.where(jnp.equal(i, 0), x[..., None, :], below)


def helmert(n: int, full: bool = False) -> Array:
    """The orthonormal Helmert matrix, without its first row unless `full`."""
    if n < 1:
        raise ValueError(f"n must be a positive integer; got {n}.")
    i, j = _places(n - 1, n)
    k = (i + 1).astype(default_float())
    size = jnp.sqrt(k * (k + 1))
    found = jnp.where(j <= i, 1.0 / size, jnp.where(jnp.equal(j, i + 1), -k / size, jnp.zeros_like(size)))
    return jnp.concatenate([jnp.full((1, n), 1.0 / math.sqrt(n), found.dtype), found]) if full else found


def hadamard(n: int, dtype: Any = int) -> Array:
    """Sylvester's matrix of ones and minus ones with orthogonal rows, for a power of two."""
    if n < 1 or n & (n - 1):
        raise ValueError(f"n must be a positive power of 2; got {n}.")
    found = jnp.ones((1, 1), dtype)
    for _ in range(n.bit_length() - 1):
        found = jnp.concatenate([jnp.concatenate([found, found], 1), jnp.concatenate([found, -found], 1)])
    return found


def fiedler(a: ArrayLike) -> Array:
    """|a_i - a_j|."""
    x = _at_least_1d(a)
    return jnp.abs(x[..., :, None] - x[..., None, :])


def fiedler_companion(a: ArrayLike) -> Array:
    """A pentadiagonal matrix whose characteristic polynomial has coefficients a (M. Fiedler, "A note on companion matrices", 2003)."""
    (x,) = inexact(_at_least_1d(a))
    if not x.shape[-1]:
        raise ValueError(
            f"fiedler_companion requires the last axis of 'a' to have nonzero length, but got an array of shape {x.shape}."
        )
    n = x.shape[-1] - 1
    lead = x.shape[:-1]
    if n <= 1:
        return jnp.zeros((*lead, 0, 0), x.dtype) if n < 1 else (-x[..., 1:] / x[..., :1])[..., None]
    c = -x / x[..., :1]
    i, j = _places(n, n)
    # odd rows i hold c[i + 1] left of the diagonal and 1 left of that; even ones c[i + 1] right of it and 1 right of that
    above = c[..., 1:]
    odd = jnp.equal(i % 2, 1)
    found = jnp.zeros((*lead, n, n), x.dtype)
    found = jnp.where(jnp.equal(i, 0) & jnp.equal(j, 0), above[..., :1, None], found)
    found = jnp.where(~odd & jnp.equal(j, i + 1), jnp.roll(above, -1, -1)[..., :, None], found)
    found = jnp.where(~odd & jnp.equal(j, i + 2), 1, found)
    found = jnp.where(odd & jnp.equal(j, i - 1) & jnp.equal(i, 1), 1, found)
    found = jnp.where(~odd & jnp.equal(j, i - 1) & (i > 1), above[..., :, None], found)
    return jnp.where(odd & jnp.equal(j, i - 2), 1, found)


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Array:
    """The matrix of the discrete Fourier transform, divided by sqrt(n) ("sqrtn") or n ("n")."""
    if scale not in (None, "sqrtn", "n"):
        raise ValueError(f"scale must be None, 'sqrtn', or 'n'; got {scale!r}.")
    kind = jnp.dtype(complex if dtype is None else dtype)
    if kind.kind != "c":
        raise ValueError(f"dtype must be a complex floating-point type; got {kind}.")
    i, j = _places(n, n)
    angle = (-2 * math.pi / max(n, 1)) * ((i * j) % max(n, 1)).astype(kind.part)
    found = (jnp.cos(angle) + 1j * jnp.sin(angle)).astype(kind)
    return found / math.sqrt(n) if scale == "sqrtn" else found / n if scale == "n" else found


def hilbert(n: int) -> Array:
    """1 / (i + j + 1)."""
    i, j = _places(n, n)
    return 1.0 / (i + j + 1).astype(default_float())


def invhilbert(n: int) -> Array:
    """The inverse of the Hilbert matrix."""
    exact = [
        [(-1) ** (i + j) * (i + j + 1) * math.comb(n + i, n - j - 1) * math.comb(n + j, n - i - 1) * math.comb(i + j, i) ** 2 for j in range(n)]
        for i in range(n)
    ]  # fmt: skip
    return jnp.asarray(exact, default_float()).reshape(n, n)


def _binomials(n: int, signed: bool = False) -> Array:
    exact = [[math.comb(i, j) * ((-1) ** (i - j) if signed and i >= j else 1) for j in range(n)] for i in range(n)]
    return jnp.asarray(exact, default_float()).reshape(n, n)


def _kind(kind: str | None, lower: Array, symmetric: Any) -> Array:
    if kind not in (None, "symmetric", "lower", "upper"):
        raise ValueError(f"Expected kind to be one of: ['symmetric', 'lower', 'upper']; got {kind}")
    return lower if kind == "lower" else lower.T if kind == "upper" else symmetric(lower)


def pascal(n: int, kind: str | None = None) -> Array:
    """Binomial coefficients: symmetric, or Pascal's triangle as a "lower" or an "upper" triangle."""
    return _kind(kind, _binomials(n).astype(jnp.float32), lambda t: jnp.matmul(t, t.T))


def invpascal(n: int, kind: str | None = None) -> Array:
    """The inverse of Pascal's matrix of that kind."""
    return _kind(kind, _binomials(n, signed=True), lambda t: jnp.matmul(t.T, t))

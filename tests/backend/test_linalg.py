"""Factorisations by their residuals, beside LAPACK's: ill-conditioned, of deficient rank, batched, empty, of one element, wide and high."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax
from weft.dialects.array import ops

SLACK = 12
"""How many times LAPACK's residual ours may be, where that is no smaller than the dtype's eps times the root of the greater side."""


@pytest.fixture(params=["wasm", "webgpu"], autouse=True)
def device(request: pytest.FixtureRequest):
    with weft.default_device(request.param):
        yield request.param


def matrices(n: int, m: int, dtype: type = np.float32) -> dict[str, np.ndarray]:
    """One of each kind."""
    random = np.random.default_rng(n + 100 * m)
    k = min(n, m)

    def normal(*shape: int) -> np.ndarray:
        x = random.standard_normal(shape)
        return x + 1j * random.standard_normal(shape) if np.dtype(dtype).kind == "c" else x

    u, v = (np.linalg.qr(normal(s, s))[0] for s in (n, m))
    found = {
        "random": normal(n, m),
        "condition 1e6": (u[:, :k] * np.logspace(0, -6, k)) @ v[:k],
        "clusters": (u[:, :k] * np.repeat([1, 1 - 1e-6, 0.5, 1e-9], (k + 3) // 4)[:k]) @ v[:k],
        "half the rank": normal(n, k // 2) @ normal(k // 2, m),
        "zero": np.zeros((n, m)),
        "identity": np.eye(n, m),
        "huge": 1e30 * normal(n, m),
        "batch": normal(2, 3, n, m),
    }
    if k > 5:  # another program
        del found["batch"]
    return {name: x.astype(dtype) for name, x in found.items()}


def wide(x: np.ndarray) -> np.ndarray:
    """In double precision."""
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def adjoint(x: np.ndarray) -> np.ndarray:
    """Each matrix transposed and conjugated."""
    return np.swapaxes(x, -1, -2).conj()


def far(x: np.ndarray, y: np.ndarray) -> float:
    """How far x is from y, in eps of the greater of the two."""
    size = max(np.max(np.linalg.norm(wide(y), axis=(-2, -1)), initial=0), 1e-30)
    return float(np.max(np.linalg.norm(x - wide(y), axis=(-2, -1)), initial=0) / size / np.finfo(np.float32).eps)


def orthonormal(q: np.ndarray) -> float:
    """How far the columns are from orthonormal."""
    return far(adjoint(wide(q)) @ q, np.eye(q.shape[-1]))


def judged(ours: list[float], lapacks: list[float], sides: tuple[int, ...]) -> None:
    """Raises AssertionError if a residual is much greater than LAPACK's."""
    for mine, theirs in zip(ours, lapacks, strict=True):
        assert mine <= SLACK * max(theirs, max(sides) ** 0.5), (ours, lapacks)


SHAPES = [(1, 1), (5, 5), (7, 4), (4, 7), (36, 36)]
CASES = [*((n, m, np.float32) for n, m in SHAPES), *((n, m, np.complex64) for n, m in ((7, 4),))]
every_case = pytest.mark.parametrize(("n", "m", "dtype"), CASES)


def each_kind(
    shape: tuple[int, int], dtype: type, residuals: Callable[..., list[float]], ours: Callable, theirs: Callable
) -> None:
    for name, x in matrices(*shape, dtype).items():
        mine = [np.asarray(v) for v in ours(jnp.asarray(x))]
        assert all(np.all(np.isfinite(v)) for v in mine), name
        judged(residuals(x, *mine), residuals(x, *theirs(x)), shape)


@every_case
def test_qr(n: int, m: int, dtype: type) -> None:
    def residuals(x, q, r):
        return [far(wide(q) @ r, x), orthonormal(q), far(np.triu(r), r)]

    each_kind((n, m), dtype, residuals, jnp.linalg.qr, np.linalg.qr)


@every_case
def test_lu(n: int, m: int, dtype: type) -> None:
    k = min(n, m)

    def residuals(x, lu, permutation):
        lower, upper = np.tril(lu[..., :k], -1) + np.eye(n, k), np.triu(lu[..., :k, :])
        assert np.all(abs(lower) <= 1.4143), "not the greatest pivot"
        return [far(wide(lower) @ upper, np.take_along_axis(x, permutation[..., None], -2))]

    def ours(x):
        lu, _, permutation = lax.linalg.lu(x)
        return lu, permutation

    def theirs(x):  # the oracle's rule: NumPy has no LU
        lu, _, permutation = ops.LuOp.reference(np, x)
        return lu, permutation

    each_kind((n, m), dtype, residuals, ours, theirs)


@every_case
def test_svd(n: int, m: int, dtype: type) -> None:
    def residuals(x, u, s, vh):
        assert np.all(np.diff(s) <= 0)
        assert np.all(s >= 0)
        return [far((wide(u) * s[..., None, :]) @ vh, x), orthonormal(u), orthonormal(adjoint(vh))]

    each_kind(
        (n, m),
        dtype,
        residuals,
        lambda x: jnp.linalg.svd(x, full_matrices=False),
        lambda x: np.linalg.svd(x, full_matrices=False),
    )


def test_svd_with_all_vectors() -> None:
    for n, m in ((7, 4), (4, 7)):
        x = matrices(n, m)["half the rank"]
        u, _, vh = (np.asarray(v) for v in jnp.linalg.svd(x))
        assert orthonormal(u) < 20
        assert orthonormal(vh) < 20


@pytest.mark.parametrize(("n", "dtype"), [*((n, np.float32) for n in (1, 5, 36)), (5, np.complex64)])
def test_eigh(n: int, dtype: type) -> None:
    def residuals(x, w, v):
        assert np.all(np.diff(w) >= 0)
        return [far((wide(v) * w[..., None, :]) @ adjoint(v), (x + adjoint(x)) / 2), orthonormal(v)]

    each_kind((n, n), dtype, residuals, jnp.linalg.eigh, lambda x: np.linalg.eigh((x + adjoint(x)) / 2))


def test_what_is_not_finite_gives_nan() -> None:
    for bad in (np.nan, np.inf):
        x = matrices(5, 5)["batch"]
        x[0, 1, 3, 2] = bad
        for v in (*jnp.linalg.eigh(x), *jnp.linalg.svd(x)):
            found = np.isnan(np.asarray(v))
            assert np.all(found[0, 1])
            assert not np.any(found[1])


@pytest.mark.parametrize("n", [1, 5, 40])
def test_solve(n: int) -> None:
    for name in ("random", "condition 1e6", "identity", "batch"):
        if (a := matrices(n, n).get(name)) is None:
            continue
        b = np.random.default_rng(0).standard_normal((*a.shape[:-1], 3)).astype(np.float32)

        def residual(x: np.ndarray, a: np.ndarray = a, b: np.ndarray = b) -> list[float]:
            size = np.linalg.norm(a) * np.linalg.norm(x) + np.linalg.norm(b)
            return [float(np.linalg.norm(a.astype(np.float64) @ x - b) / size / np.finfo(np.float32).eps)]

        judged(residual(np.asarray(jnp.linalg.solve(a, b))), residual(np.linalg.solve(a, b)), (1,))


@pytest.mark.parametrize("n", [1, 5, 40])
def test_cholesky(n: int) -> None:
    a = matrices(n, n)["random"]
    x = a @ a.T + np.float32(1e-3) * np.eye(n, dtype=np.float32)
    found, theirs = np.asarray(jnp.linalg.cholesky(x)), np.linalg.cholesky(x)
    judged([far(found @ found.T, x)], [far(theirs @ theirs.T, x)], (n,))
    assert np.all(
        np.isnan(np.asarray(jnp.linalg.cholesky(x - 2 * np.trace(x) * np.eye(n, dtype=np.float32)))[..., 0, 0])
    )


def test_nothing_to_factor() -> None:
    for shape in ((0, 0), (3, 0), (0, 3), (0, 2, 2)):
        x = jnp.zeros(shape)
        assert [v.shape for v in jnp.linalg.qr(x)] == [v.shape for v in np.linalg.qr(np.zeros(shape))]
        assert [v.shape for v in jnp.linalg.svd(x)] == [v.shape for v in np.linalg.svd(np.zeros(shape))]
        if shape[-1] == shape[-2]:
            assert [v.shape for v in jnp.linalg.eigh(x)] == [v.shape for v in np.linalg.eigh(np.zeros(shape))]
            assert jnp.linalg.cholesky(x).shape == jnp.linalg.inv(x).shape == shape

"""Factorisations by their residuals, beside LAPACK's: ill-conditioned, of deficient rank, batched, empty, of one element, wide and high."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import weft
import weft.numpy as jnp

SLACK = 12
"""How many times LAPACK's residual ours may be, where that is no smaller than the dtype's eps times the root of the greater side."""


@pytest.fixture(params=["wasm", "webgpu"], autouse=True)
def device(request: pytest.FixtureRequest):
    with weft.default_device(request.param):
        yield request.param


def matrices(n: int, m: int) -> dict[str, np.ndarray]:
    """One of each kind."""
    random = np.random.default_rng(n + 100 * m)
    k = min(n, m)
    u, v = (np.linalg.qr(random.standard_normal((s, s)))[0] for s in (n, m))
    found = {
        "random": random.standard_normal((n, m)),
        "condition 1e6": (u[:, :k] * np.logspace(0, -6, k)) @ v[:k],
        "half the rank": random.standard_normal((n, k // 2)) @ random.standard_normal((k // 2, m)),
        "zero": np.zeros((n, m)),
        "identity": np.eye(n, m),
        "batch": random.standard_normal((2, 3, n, m)),
    }
    return {name: x.astype(np.float32) for name, x in found.items()}


def far(x: np.ndarray, y: np.ndarray) -> float:
    """How far x is from y, in eps of the greater of the two."""
    x, y = (np.asarray(v, np.float64) for v in (x, y))
    size = max(np.max(np.linalg.norm(y, axis=(-2, -1)), initial=0), 1e-30)
    return float(np.max(np.linalg.norm(x - y, axis=(-2, -1)), initial=0) / size / np.finfo(np.float32).eps)


def orthonormal(q: np.ndarray) -> float:
    """How far the columns are from orthonormal."""
    n = q.shape[-1]
    return far(np.swapaxes(q, -1, -2).astype(np.float64) @ q, np.eye(n))


def judged(ours: list[float], lapacks: list[float], sides: tuple[int, ...]) -> None:
    """Raises AssertionError if a residual is much greater than LAPACK's."""
    for mine, theirs in zip(ours, lapacks, strict=True):
        assert mine <= SLACK * max(theirs, max(sides) ** 0.5), (ours, lapacks)


SHAPES = [(1, 1), (5, 5), (7, 4), (4, 7), (36, 36)]


def each_kind(n: int, m: int, residuals: Callable[..., list[float]], ours: Callable, theirs: Callable) -> None:
    for name, x in matrices(n, m).items():
        mine = [np.asarray(v) for v in ours(jnp.asarray(x))]
        assert all(np.all(np.isfinite(v)) for v in mine), name
        judged(residuals(x, *mine), residuals(x, *theirs(x)), (n, m))


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_qr(n: int, m: int) -> None:
    each_kind(n, m, lambda x, q, r: [far(q @ r, x), orthonormal(q), far(np.triu(r), r)], jnp.linalg.qr, np.linalg.qr)


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_svd(n: int, m: int) -> None:
    def residuals(x, u, s, vh):
        assert np.all(np.diff(s) <= 0)
        assert np.all(s >= 0)
        return [far((u * s[..., None, :]) @ vh, x), orthonormal(u), orthonormal(np.swapaxes(vh, -1, -2))]

    each_kind(
        n,
        m,
        residuals,
        lambda x: jnp.linalg.svd(x, full_matrices=False),
        lambda x: np.linalg.svd(x, full_matrices=False),
    )


@pytest.mark.parametrize("n", [1, 5, 36])
def test_eigh(n: int) -> None:
    def residuals(x, w, v):
        assert np.all(np.diff(w) >= 0)
        x = (x + np.swapaxes(x, -1, -2)) / 2
        return [far((v * w[..., None, :]) @ np.swapaxes(v, -1, -2), x), orthonormal(v)]

    each_kind(n, n, residuals, jnp.linalg.eigh, lambda x: np.linalg.eigh((x + np.swapaxes(x, -1, -2)) / 2))


@pytest.mark.parametrize("n", [1, 5, 40])
def test_solve(n: int) -> None:
    for name in ("random", "condition 1e6", "identity", "batch"):
        a = matrices(n, n)[name]
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

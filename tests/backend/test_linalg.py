"""Factorisations by their residuals, beside LAPACK's: of every kind of matrix that has been found to be hard, one batch of each shape. Panels are narrow here, so that
small matrices have several; one case is as wide as panels are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax
from weft.dialects.array import ops
from weft.dialects.array.ops import matrices as blocks

SLACK = 12
"""How many times LAPACK's residual ours may be, where that is no smaller than the dtype's eps times the root of the greater side."""

Arrays = list[np.ndarray]
Case = tuple[str, int, int, type, int]
"""A device, the sides of the matrices, their dtype, and the columns of a panel."""

HIGH = [("wasm", 7, 4, t, 32) for t in (np.complex64, np.float64, np.complex128)] + [("webgpu", 7, 4, np.complex64, 32)]
WIDE = [("wasm", 4, 7, np.float32, 32), ("wasm", 4, 7, np.complex64, 32), ("webgpu", 4, 7, np.float32, 32)]
SQUARE = [
    ("wasm", 1, 1, np.float32, 32),
    ("wasm", 5, 5, np.complex64, 32),
    ("wasm", 11, 11, np.float32, 4),
    ("wasm", 11, 11, np.float64, 4),
    ("wasm", 11, 11, np.complex128, 4),
    ("wasm", 37, 37, np.float32, 4),  # more than 8 panels: they are worked through in parts
    ("wasm", 36, 36, np.float32, 32),
    ("webgpu", 11, 11, np.float32, 4),
]


def name_of(case: Case) -> str:
    """What pytest calls a case."""
    device, n, m, dtype, block = case
    return f"{device}-{n}x{m}-{np.dtype(dtype).name}-{block}"


@pytest.fixture
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    device, _, _, dtype, block = request.param
    monkeypatch.setattr(blocks, "BLOCK", block)
    weft.config.update("jax_enable_x64", np.finfo(dtype).bits == 64)
    with weft.default_device(device):
        yield request.param
    weft.config.update("jax_enable_x64", False)


def of(cases: list[Case]) -> pytest.MarkDecorator:
    """The cases of a test."""
    return pytest.mark.parametrize("case", cases, indirect=True, ids=name_of)


def matrices(n: int, m: int, dtype: type = np.float32) -> dict[str, np.ndarray]:
    """One of each kind. What spans many powers of ten spans fewer in single precision."""
    random = np.random.default_rng(n + 100 * m)
    k, most, real = min(n, m), max(n, m), np.finfo(dtype)
    i, j = np.arange(1.0, n + 1)[:, None], np.arange(1.0, m + 1)
    far = 30 if real.bits == 32 else 290

    def normal(*shape: int) -> np.ndarray:
        x = random.standard_normal(shape)
        return x + 1j * random.standard_normal(shape) if np.dtype(dtype).kind == "c" else x

    def on_diagonal(values: np.ndarray) -> np.ndarray:
        return np.diag(values)[:n, :m]

    u, v = (np.linalg.qr(normal(s, s))[0] for s in (n, m))
    found = {
        "random": normal(n, m),
        "condition 1e6": (u[:, :k] * np.logspace(0, -6, k)) @ v[:k],
        "clusters": (u[:, :k] * np.repeat([1, 1 - 1e-6, 0.5, 1e-9], (k + 3) // 4)[:k]) @ v[:k],
        "half the rank": normal(n, k // 2) @ normal(k // 2, m),
        "rank one": normal(n, 1) * normal(1, m),
        "ones": np.ones((n, m)),
        "zero": np.zeros((n, m)),
        "a column of zeros": normal(n, m) * (j != m // 2 + 1),
        "identity": np.eye(n, m),
        "diagonal": on_diagonal(np.arange(1.0, most + 1)),
        "equal values": (u[:, :k] * np.repeat([3.0, 1.0], (k + 1) // 2)[:k]) @ v[:k],
        "one block of Jordan": 2 * np.eye(n, m) + np.eye(n, m, 1),
        "Hilbert": 1 / (i + j - 1),
        "Vandermonde": np.linspace(-1, 1, n)[:, None] ** (j - 1),
        "Wilkinson": on_diagonal(abs(np.arange(most) - most // 2.0)) + np.eye(n, m, 1) + np.eye(n, m, -1),
        "rows from large to small": normal(n, m) * np.logspace(far / 2, -far / 2, n)[:, None],
        "columns from small to large": normal(n, m) * np.logspace(-far / 2, far / 2, m),
        "from large to small": normal(n, m) * np.logspace(0, -far / 2, n)[:, None] * np.logspace(0, -far / 2, m),
        "one huge element": normal(n, m) + 10.0**far * (i == k) * (j == k),
        "tiny": 10.0**-far * normal(n, m),
        "huge": 10.0**far * normal(n, m),
    }
    return {name: x.astype(dtype) for name, x in found.items()}


def wide(x: np.ndarray) -> np.ndarray:
    """In as much precision as there is."""
    return x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble)


def adjoint(x: np.ndarray) -> np.ndarray:
    """Each matrix transposed and conjugated."""
    return np.swapaxes(x, -1, -2).conj()


def far(x: np.ndarray, y: np.ndarray, dtype: type) -> float:
    """How far x is from y, in eps of the size of y."""
    size = max(np.linalg.norm(wide(y)), np.finfo(dtype).tiny)
    return float(np.linalg.norm(wide(x) - wide(y)) / size / np.finfo(dtype).eps)


def judged(
    case: Case,
    given: Callable[[np.ndarray], np.ndarray],
    ours: Callable[..., Arrays],
    theirs: Callable[..., Arrays],
    residuals: Callable[..., Arrays],
) -> None:
    """Raises AssertionError if a residual of ours is much greater than LAPACK's for a kind of matrix. `residuals` gives pairs of what is and what should be."""
    _, n, m, dtype, _ = case
    kinds = {name: given(x) for name, x in matrices(n, m, dtype).items()}
    found = [np.asarray(v) for v in weft.jit(ours)(np.stack(list(kinds.values())))]
    wrong = []
    for k, (name, x) in enumerate(kinds.items()):
        mine, other = ([far(a, b, dtype) for a, b in residuals(x, *r)] for r in ([v[k] for v in found], theirs(x)))
        if not all(a <= SLACK * max(b, max(n, m) ** 0.5) for a, b in zip(mine, other, strict=True)):
            wrong.append((name, mine, other))
    assert not wrong


def as_it_is(x: np.ndarray) -> np.ndarray:
    return x


@of([*HIGH, *WIDE, *SQUARE])
def test_qr(case: Case) -> None:
    def residuals(x, q, r):
        return [(wide(q) @ r, x), (adjoint(wide(q)) @ q, np.eye(q.shape[-1])), (np.triu(r), r)]

    judged(case, as_it_is, jnp.linalg.qr, np.linalg.qr, residuals)


@of([*HIGH, *WIDE, *SQUARE])
def test_lu(case: Case) -> None:
    _, n, m, _, _ = case
    k = min(n, m)

    def residuals(x, lu, permutation):
        lower, upper = np.tril(lu[:, :k], -1) + np.eye(n, k), np.triu(lu[:k])
        assert np.all(abs(lower) <= 1.4143), "not the greatest pivot"
        return [(wide(lower) @ upper, x[permutation])]

    def theirs(x):  # the oracle's rule: NumPy has no LU
        lu, _, permutation = ops.LuOp.reference(np, x)
        return lu, permutation

    judged(case, as_it_is, lambda x: lax.linalg.lu(x)[::2], theirs, residuals)


@of([*HIGH, *WIDE, *SQUARE])
def test_svd(case: Case) -> None:
    def residuals(x, u, s, vh):
        assert np.all(np.diff(s) <= 0)
        assert np.all(s >= 0)
        product = (wide(u) * s) @ vh
        return [(product, x), (adjoint(wide(u)) @ u, np.eye(len(s))), (wide(vh) @ adjoint(vh), np.eye(len(s)))]

    def ours(x):
        return jnp.linalg.svd(x, full_matrices=False)

    judged(case, as_it_is, ours, lambda x: np.linalg.svd(x, full_matrices=False), residuals)


@of([("wasm", 7, 4, np.float32, 32), ("wasm", 4, 7, np.float32, 32), ("webgpu", 7, 4, np.float32, 32)])
def test_svd_with_all_vectors(case: Case) -> None:
    def residuals(x, u, s, vh):
        product = (wide(u)[:, : len(s)] * s) @ vh[: len(s)]
        return [(product, x), *((wide(v) @ adjoint(v), np.eye(len(v))) for v in (u, vh))]

    judged(case, as_it_is, jnp.linalg.svd, np.linalg.svd, residuals)


@of(SQUARE)
def test_eigh(case: Case) -> None:
    def residuals(x, w, v):
        assert np.all(np.diff(w) >= 0)
        return [((wide(v) * w) @ adjoint(v), x), (adjoint(wide(v)) @ v, np.eye(len(w)))]

    judged(case, lambda x: x / 2 + adjoint(x) / 2, jnp.linalg.eigh, np.linalg.eigh, residuals)


@of([("wasm", 5, 5, np.float32, 32), ("wasm", 5, 5, np.complex64, 32), ("webgpu", 5, 5, np.float32, 32)])
def test_what_is_not_finite_gives_nan(case: Case) -> None:
    _, n, m, dtype, _ = case
    x = np.stack([matrices(n, m, dtype)["random"]] * 4)
    x[1, 3, 2], x[2, 0, 0] = np.nan, np.inf
    for v in (*weft.jit(jnp.linalg.eigh)(x), *weft.jit(jnp.linalg.svd)(x)):
        found = np.isnan(np.asarray(v))
        assert np.all(found[1:3])
        assert not np.any(found[[0, 3]])


@of(SQUARE)
def test_solve(case: Case) -> None:
    """Of a singular system a pivot is rounding, or nothing: that is no task."""
    _, n, _, dtype, _ = case
    singular = {"half the rank", "rank one", "ones", "zero", "a column of zeros", "clusters"} | (
        {"Wilkinson"} if n == 1 else set()
    )
    kinds = {name: a for name, a in matrices(n, n, dtype).items() if name not in singular}
    b = np.random.default_rng(0).standard_normal((n, 3)).astype(dtype)

    def residual(a: np.ndarray, x: np.ndarray) -> float:
        size = np.linalg.norm(wide(a)) * np.linalg.norm(wide(x)) + np.linalg.norm(b)
        return float(np.linalg.norm(wide(a) @ x - b) / size / np.finfo(dtype).eps)

    found = weft.jit(jnp.linalg.solve)(np.stack(list(kinds.values())), np.stack([b] * len(kinds)))
    wrong = []
    for (name, a), x in zip(kinds.items(), np.asarray(found), strict=True):
        mine, other = residual(a, x), residual(a, np.linalg.solve(a, b))
        if not mine <= SLACK * max(other, 1):
            wrong.append((name, mine, other))
    assert not wrong


@of(SQUARE)
def test_cholesky(case: Case) -> None:
    def definite(x):
        size = np.max(abs(x)) or 1
        return (x / size @ adjoint(x / size) + np.eye(len(x)) / 1000).astype(x.dtype)

    def residuals(x, c):
        return [(wide(c) @ adjoint(c), x), (np.tril(c), c)]

    judged(case, definite, lambda x: [jnp.linalg.cholesky(x)], lambda x: [np.linalg.cholesky(x)], residuals)


@pytest.mark.parametrize("device", ["wasm", "webgpu"])
def test_cholesky_of_what_is_not_definite_is_nan(device: str) -> None:
    with weft.default_device(device):
        assert np.all(np.isnan(np.asarray(jnp.linalg.cholesky(jnp.diag(jnp.array([1.0, -1.0, 2.0])))))[1:, 1])


@pytest.mark.parametrize("device", ["wasm", "webgpu"])
def test_nothing_to_factor(device: str) -> None:
    with weft.default_device(device):
        for shape in ((0, 0), (3, 0), (0, 3), (0, 2, 2)):
            x = jnp.zeros(shape)
            assert [v.shape for v in jnp.linalg.qr(x)] == [v.shape for v in np.linalg.qr(np.zeros(shape))]
            assert [v.shape for v in jnp.linalg.svd(x)] == [v.shape for v in np.linalg.svd(np.zeros(shape))]
            if shape[-1] == shape[-2]:
                assert [v.shape for v in jnp.linalg.eigh(x)] == [v.shape for v in np.linalg.eigh(np.zeros(shape))]
                assert jnp.linalg.cholesky(x).shape == jnp.linalg.inv(x).shape == shape

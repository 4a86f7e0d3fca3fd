"""What holds of orders, sets and transforms whatever the data: stability, NaN last, inverses, and the growth of rounding errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft
import weft.numpy as jnp
from weft import lax

few = settings(max_examples=25, deadline=None)
SPECIAL = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0]


def floats(count: int, seed: int) -> np.ndarray:
    """Numbers with many ties, and what is special among floats."""
    random = np.random.default_rng(seed)
    values = random.integers(-4, 5, count) / 2
    return np.where(random.random(count) < 0.3, random.choice(SPECIAL, count), values).astype(np.float32)


@few
@given(st.integers(1, 200), st.integers(0, 2**32 - 1), st.sampled_from(["cpu", "wasm"]))
def test_sorting_is_stable_and_nan_comes_last(count: int, seed: int, device: str) -> None:
    x = floats(count, seed)
    with weft.default_device(device):
        order = np.asarray(jnp.argsort(x))
        backwards = np.asarray(jnp.argsort(x, descending=True))
    np.testing.assert_array_equal(order, np.argsort(x + 0, kind="stable"))  # -0 + 0 is 0
    np.testing.assert_array_equal(np.sort(backwards), np.arange(count))
    assert np.isnan(x[backwards][: np.isnan(x).sum()]).all()
    neighbours = pairwise(backwards)
    assert all(x[i] > x[j] or i < j for i, j in neighbours if not np.isnan(x[i]))


@few
@given(st.integers(1, 90), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_several_keys_are_compared_one_after_the_other(count: int, keys: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    given_keys = [random.integers(0, 3, count).astype(np.int32) for _ in range(keys)]
    np.testing.assert_array_equal(jnp.lexsort(given_keys), np.lexsort(given_keys))


@few
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_sets_are_numpys(first: int, second: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = (random.integers(0, 40, n).astype(np.int32) for n in (first, second))
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d", "isin"):
        np.testing.assert_array_equal(getattr(jnp, name)(x, y), getattr(np, name)(x, y), err_msg=name)
    for mine, numpys in zip(jnp.unique(x, True, True, True), np.unique(x, True, True, True), strict=True):
        np.testing.assert_array_equal(mine, numpys)


@few
@given(st.integers(1, 80), st.integers(1, 20), st.integers(0, 2**32 - 1), st.sampled_from(["left", "right"]))
def test_searching_is_numpys(count: int, wanted: int, seed: int, side: str) -> None:
    x, v = np.sort(floats(count, seed)), floats(wanted, seed + 1)
    np.testing.assert_array_equal(jnp.searchsorted(x, v, side), np.searchsorted(x, v, side))


@few
@given(st.integers(1, 300), st.integers(0, 2**32 - 1), st.booleans())
def test_running_sums_of_integers_are_exact(count: int, seed: int, reverse: bool) -> None:
    x = np.random.default_rng(seed).integers(-1000, 1000, count).astype(np.int32)
    expected = np.cumsum(x[::-1])[::-1] if reverse else np.cumsum(x)
    for device in ("cpu", "wasm"):
        with weft.default_device(device):
            np.testing.assert_array_equal(lax.cumsum(jnp.asarray(x), reverse=reverse), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 12, 97, 128, 1000, 1009, 4096, 65536])
def test_errors_of_transforms_grow_with_the_logarithm(size: int) -> None:
    """Against NumPy in double precision: the root of the mean square of the errors, in roundings, and the way back."""
    random = np.random.default_rng(size)
    x = (random.standard_normal(size) + 1j * random.standard_normal(size)).astype(np.complex64)
    with weft.default_device("wasm"):
        found = jnp.fft.fft(x)
        back = np.asarray(jnp.fft.ifft(found))
        half = np.asarray(jnp.fft.rfft(x.real))
    eps = 2.0**-24 * (1 + np.log2(size))

    def error(mine: np.ndarray, exact: np.ndarray) -> float:
        return float(np.sqrt(np.mean(np.abs(mine - exact) ** 2) / np.mean(np.abs(exact) ** 2)))

    exact = np.fft.fft(x.astype(np.complex128))
    assert error(np.asarray(found), exact) <= eps
    assert error(half, np.fft.rfft(x.real.astype(np.float64))) <= eps
    assert error(back, x) <= 2 * eps

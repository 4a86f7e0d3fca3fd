"""Random numbers: JAX's numbers are in test_against_jax; here what holds of them, and how keys behave."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import random


def new_key() -> weft.Array:
    """A key on the device that is the default then."""
    return random.key(0)


@pytest.mark.parametrize(
    ("mean", "deviation", "sample"),
    [
        (0.5, 12**-0.5, lambda k: random.uniform(k, (4000,))),
        (0, 1, lambda k: random.normal(k, (4000,))),
        (1, 1, lambda k: random.exponential(k, (4000,))),
        (0.5772, np.pi / 6**0.5, lambda k: random.gumbel(k, (4000,))),
        (0, 2**0.5, lambda k: random.laplace(k, (4000,))),
        (0, np.pi / 3**0.5, lambda k: random.logistic(k, (4000,))),
        (0.3, 0.21**0.5, lambda k: random.bernoulli(k, 0.3, (4000,)).astype(float)),
        (4.5, 33**0.5 / 2, lambda k: random.randint(k, (4000,), 0, 10).astype(float)),
        (0, 1, lambda k: random.rademacher(k, (4000,)).astype(float)),
        (4, 12**0.5, lambda k: random.geometric(k, 0.25, (4000,)).astype(float)),
        (1.5, 0.75**0.5, lambda k: random.pareto(k, 3.0, (4000,))),
    ],
)
def test_moments(mean: float, deviation: float, sample) -> None:
    for seed in range(2):
        x = np.asarray(sample(random.key(seed)))
        assert abs(x.mean() - mean) < 5 * deviation / len(x) ** 0.5
        assert abs(x.std() - deviation) < 0.25 * deviation


def test_bounds() -> None:
    x = np.asarray(random.truncated_normal(new_key(), -0.5, 1.0, (500,)))
    assert x.min() > -0.5 and x.max() < 1.0
    x = np.asarray(random.randint(new_key(), (500,), -3, 4))
    assert set(x) == set(range(-3, 4))
    x = np.asarray(random.uniform(new_key(), (500,), minval=2.0, maxval=3.0))
    assert x.min() >= 2 and x.max() < 3


def test_keys_are_independent_and_reproducible() -> None:
    first, second = random.split(new_key())
    assert random.normal(first, (4,)).tolist() == random.normal(first, (4,)).tolist()
    assert random.normal(first, (4,)).tolist() != random.normal(second, (4,)).tolist()
    assert random.fold_in(new_key(), 1).tolist() != random.fold_in(new_key(), 2).tolist()
    eager = random.normal(first, (3, 2))
    np.testing.assert_array_equal(np.asarray(weft.jit(lambda k: random.normal(k, (3, 2)))(first)), np.asarray(eager))


def test_a_batch_of_keys() -> None:
    keys = random.split(new_key(), 3)
    batched = weft.vmap(lambda k: random.uniform(k, (2,)))(keys)
    np.testing.assert_array_equal(np.asarray(batched), [random.uniform(k, (2,)).tolist() for k in keys])


def test_permutations() -> None:
    order = np.asarray(random.permutation(new_key(), 50))
    assert sorted(order) == list(range(50)) and list(order) != list(range(50))
    x = np.arange(12).reshape(3, 4)
    rows = np.asarray(random.permutation(new_key(), x))
    assert sorted(map(tuple, rows)) == sorted(map(tuple, x))
    free = np.asarray(random.permutation(new_key(), x, axis=1, independent=True))
    assert [sorted(r) for r in free] == x.tolist()
    drawn = np.asarray(random.choice(new_key(), 20, (20,), replace=False))
    assert sorted(drawn) == list(range(20))
    likely = np.asarray(random.choice(new_key(), 3, (300,), p=jnp.array([0.0, 0.9, 0.1])))
    assert 0 not in likely and (likely == 1).mean() > 0.8


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, r"PRNG key seed must be an integer; got 1.5", lambda: random.key(1.5)),
        (TypeError, r"expected a PRNG key .* got float32\[3\]", lambda: random.normal(jnp.ones(3), (2,))),
        (ValueError, r"normal accepts|accepts a single key", lambda: random.normal(random.split(new_key()), (2,))),
        (
            ValueError,
            r"dtype argument to `normal` must be a float dtype, got int32",
            lambda: random.normal(new_key(), (2,), int),
        ),
        (
            TypeError,
            r"randint only accepts integer dtypes, got float32",
            lambda: random.randint(new_key(), (2,), 0, 2, float),
        ),
        (
            ValueError,
            r"Cannot take a larger sample \(size 5\)",
            lambda: random.choice(new_key(), 3, (5,), replace=False),
        ),
        (ValueError, r"p must be None or a 1D vector", lambda: random.choice(new_key(), 3, (5,), p=jnp.ones(2))),
        (TypeError, r"nonnegative|negative", lambda: random.uniform(new_key(), (-1,))),
    ],
)
def test_errors(error, message, call) -> None:
    with pytest.raises(error, match=message):
        call()

"""Neural-network functions where single expressions (test_against_jax) do not reach: extreme arguments, derivatives there, pooling, the spread of initial weights."""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import nn, random


def test_extreme_arguments_stay_finite() -> None:
    x = jnp.array([-1e4, -50.0, 0.0, 50.0, 1e4])
    for f in (
        nn.softplus,
        nn.sigmoid,
        nn.log_sigmoid,
        nn.elu,
        nn.gelu,
        nn.silu,
        nn.softmax,
        nn.log_softmax,
        nn.logsumexp,
    ):
        assert np.isfinite(np.asarray(f(x))).all(), f.__name__
        gradient = weft.grad(lambda v, f=f: jnp.sum(f(v)))(x)
        assert np.isfinite(np.asarray(gradient)).all(), f.__name__


def test_logsumexp_of_infinities() -> None:
    assert float(nn.logsumexp(jnp.array([-jnp.inf, -jnp.inf]))) == -np.inf
    assert float(nn.logsumexp(jnp.array([-jnp.inf, 1.0]))) == 1.0
    assert float(nn.logsumexp(jnp.array([jnp.inf, 1.0]))) == np.inf
    np.testing.assert_allclose(
        float(nn.logsumexp(jnp.array([1.0, 2.0]), b=jnp.array([2.0, 1.0]))), np.log(2 * np.e + np.e**2), rtol=1e-6
    )


def test_one_hot() -> None:
    assert nn.one_hot(jnp.array([0, 2, 5, -1]), 3).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert nn.one_hot(jnp.array([[1]]), 2, axis=0).shape == (2, 1, 1)


def test_pooling() -> None:
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    assert nn.max_pool(x, (2, 2), (2, 2))[0, :, :, 0].tolist() == [[5, 7], [13, 15]]
    assert nn.min_pool(x, (2, 2), (2, 2))[0, :, :, 0].tolist() == [[0, 2], [8, 10]]
    assert nn.avg_pool(x, (2, 2), (2, 2))[0, :, :, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    padded = nn.avg_pool(x, (2, 2), (2, 2), padding=[(1, 1), (1, 1)], count_include_pad=False)
    assert padded[0, 0, 0, 0] == 0 and padded[0, 0, 1, 0] == 1.5
    gradient = weft.grad(lambda x: jnp.sum(nn.avg_pool(x, (2, 2), (1, 1)) * 4))(x)[0, :, :, 0]
    assert gradient.tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]
    with pytest.raises(ValueError, match=r"do not fit: expected \(batch…, spatial…, features\)"):
        nn.max_pool(x, (2, 2), (2,))


@pytest.mark.parametrize("make", ["glorot", "he", "lecun"])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_initial_weights_have_the_variance_that_they_promise(make: str, distribution: str) -> None:
    shape = (80, 40)
    variance = {"glorot": 2 / (80 + 40), "he": 2 / 80, "lecun": 1 / 80}[make]
    w = np.asarray(getattr(nn.initializers, f"{make}_{distribution}")()(random.key(0), shape))
    assert abs(w.mean()) < 5 * (variance / w.size) ** 0.5
    assert abs(w.var() / variance - 1) < 0.1


def test_initializer_errors() -> None:
    with pytest.raises(ValueError, match="1-dimensional"):
        nn.initializers.he_normal()(random.key(0), (3,))
    with pytest.raises(ValueError, match="invalid mode"):
        nn.initializers.variance_scaling(1.0, "fan_around", "normal")(random.key(0), (3, 3))

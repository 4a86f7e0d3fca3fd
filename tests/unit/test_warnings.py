"""Where JAX warns, weft warns by the same category, and names the user's line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft.numpy as jnp
from weft import jit, lax, random

X = np.arange(3, dtype=np.float32) + 1
Z = X * (1 + 2j)

CASES: dict[str, tuple[type[Warning], Callable[[], Any]]] = {
    "float64 by name": (UserWarning, lambda: jnp.zeros(3, "float64")),
    "float64 by NumPy's type": (UserWarning, lambda: jnp.asarray(X, np.float64)),
    "float64 as a function": (UserWarning, lambda: jnp.float64(3)),
    "int64 of an array": (UserWarning, lambda: jnp.asarray(X).astype("int64")),
    "64-bit random numbers": (UserWarning, lambda: random.normal(random.key(0), (2,), "float64")),
    "astype of complex numbers": (DeprecationWarning, lambda: jnp.astype(Z, "float32")),
    "conversion of complex numbers": (jnp.ComplexWarning, lambda: lax.convert_element_type(Z, "float32")),
    "asarray of complex numbers": (jnp.ComplexWarning, lambda: jnp.asarray(jnp.asarray(Z), "float32")),
    "sum of complex numbers as real ones": (jnp.ComplexWarning, lambda: jnp.sum(Z, dtype="float32")),
    "floats written to integers": (FutureWarning, lambda: jnp.arange(3).at[0].set(1.5)),
    "integers written to truth values": (FutureWarning, lambda: (jnp.arange(3) > 1).at[0].set(2)),
    "complex numbers added to real ones": (FutureWarning, lambda: jnp.asarray(X).at[0].add(1j)),
    "a donated argument without a result of its size": (
        UserWarning,
        lambda: jit(lambda x: x[:2] * 2, donate_argnums=0)(jnp.asarray(X)),
    ),
    "jit for a device": (DeprecationWarning, lambda: jit(lambda x: x, device="cpu")),
}

SILENT: dict[str, Callable[[], Any]] = {
    "float by Python's type": lambda: jnp.asarray(X, float),
    "an array of float64": lambda: jnp.asarray(np.ones(2)),
    "complex to bool": lambda: jnp.asarray(Z).astype(bool),
    "what promotes to the array's dtype": lambda: jnp.asarray(X).at[0].set(2),
    "a donated argument whose place a result can take": lambda: jit(lambda x: x * 2, donate_argnums=0)(jnp.asarray(X)),
    "a donated argument that is not used": lambda: jit(lambda x, y: y * 2, donate_argnums=0)(jnp.asarray(X), X),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:Casting complex values")  # besides the one that is looked for
def test_warns(name: str) -> None:
    category, call = CASES[name]
    with pytest.warns(category) as caught:
        call()
    assert any(w.category is category and w.filename == __file__ for w in caught), [w.filename for w in caught]


@pytest.mark.parametrize("name", SILENT)
def test_does_not_warn(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SILENT[name]()

"""After a refusal the session is as good as before: no trace stays open, nothing that failed waits to be computed, and what is right still works."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import eager, grad, jit, vmap
from weft.dialects.array.node import STATE

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import reference

FILES = {f: lines for f, lines in reference.expressions().items() if f.startswith("errors")}


def state() -> tuple[object, ...]:
    """What stays open while a function is traced, and is closed again when it is over, however it ends."""
    return set(STATE.live), STATE.pending is None, STATE.effects, STATE.scopes, STATE.loc, weft.config.enable_x64


@pytest.mark.parametrize("file", FILES)
def test_nothing_stays_open(file: str) -> None:
    before = state()
    with weft.default_device("cpu"), reference.precision(weft, file):
        names = reference.names(weft)
        for expression in FILES[file]:
            reference.answer(expression, names)
            assert state()[:-1] == before[:-1], expression
    eager.flush()
    assert not eager._history

    x = jnp.arange(3.0)
    np.testing.assert_array_equal(x + 1, [1, 2, 3])
    np.testing.assert_array_equal(jit(grad(lambda v: jnp.sum(v * v)))(x), [0, 2, 4])
    np.testing.assert_array_equal(vmap(lambda v: v * jnp.sum(x))(x), [0, 3, 6])
    assert state() == before

"""weft agrees with JAX on some 780 expressions: type (weakness included) and values, or the refusal. `tests/reference/reference.py` says how JAX's answers came about."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax, nn, random

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import reference

ANSWERS = json.loads(reference.ANSWERS.read_text())
CASES = [(file, e) for file, lines in reference.expressions().items() for e in lines]


@pytest.fixture(scope="module")
def names():
    with weft.default_device("cpu"):
        modules = {"jnp": jnp, "lax": lax, "nn": nn, "random": random, "np": np}
        transforms = {"grad": weft.grad, "jit": weft.jit, "vmap": weft.vmap, "jvp": weft.jvp}
        return reference.operands(jnp) | modules | transforms


@pytest.mark.parametrize(("file", "expression"), CASES, ids=[e[:60] for _, e in CASES])
def test_agrees(file, expression, names) -> None:
    if expression in reference.DIFFERENT:
        pytest.skip(reference.DIFFERENT[expression])
    expected, found = ANSWERS[file][expression], reference.answer(expression, names)
    if "error" in expected:
        assert "error" in found, f"JAX raises {expected['error']}"
        assert found["error"] not in ("AttributeError", "AssertionError", "KeyError", "NameError"), found["message"]
        assert found["message"], "an error says what is wrong"
        return
    reference.check(expression, expected, found)


def test_every_expression_has_an_answer() -> None:
    assert {f: set(lines) for f, lines in reference.expressions().items()} == {f: set(a) for f, a in ANSWERS.items()}

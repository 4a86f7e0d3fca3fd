"""What `jit`, `vmap`, `jvp` and `grad` make of the expressions of tests/reference is what JAX makes of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import weft

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import reference
import transformed

ANSWERS = transformed.answers()
SLACK = 10
"""Derivatives round more often than values."""


def differences(file: str, expressions: dict[str, dict[str, Any]]) -> list[str]:
    """Where weft's answers are others than JAX's."""
    wrong = []
    for expression, f in transformed.functions(weft, file, list(expressions)).items():
        for mode, expected in expressions[expression].items():
            if mode == "jit" or (mode, expression) in transformed.DIFFERENT:
                continue
            try:
                found = transformed.answer(weft, getattr(f, mode)) or {}
                reference.check(expression, expected, found, SLACK * reference.SLACK.get(file, 1))
            except Exception as error:
                wrong.append(f"{mode} of {expression}: {type(error).__name__}: {error}")
    return wrong


@pytest.mark.parametrize("file", ANSWERS)
def test_derivatives_and_batches(file: str) -> None:
    with weft.default_device("cpu"), reference.precision(weft, file):
        wrong = differences(file, ANSWERS[file])
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("file", ANSWERS)
def test_compiled(file: str) -> None:
    expected = reference.answers()[file]
    compiled = [e for e, modes in ANSWERS[file].items() if "jit" in modes]
    wrong = []
    with weft.default_device("cpu"), reference.precision(weft, file):
        for expression, f in transformed.functions(weft, file, compiled).items():
            try:
                value = f.jit()
                parts = [reference.describe(v) for v in (value if isinstance(value, (tuple, list)) else [value])]
                found = {"type": [p[0] for p in parts], "values": [p[1] for p in parts]}
                reference.check(expression, expected[expression], found, 3 * reference.SLACK.get(file, 1))
            except Exception as error:
                wrong.append(f"{expression}: {type(error).__name__}: {error}")
    assert not wrong, "\n\n".join(wrong)

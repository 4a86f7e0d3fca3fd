"""weft agrees with JAX on the expressions of tests/reference: type (weakness included) and values, or the refusal and its type. `tests/reference/reference.py` says how JAX's answers came about."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import weft

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import reference

ANSWERS = reference.answers()
CASES = [(file, e) for file, lines in reference.expressions().items() for e in lines]


@pytest.mark.parametrize(("file", "expression"), CASES, ids=[e[:60] for _, e in CASES])
def test_agrees(file: str, expression: str) -> None:
    if expression in reference.DIFFERENT:
        pytest.skip(reference.DIFFERENT[expression])
    expected = ANSWERS[file][expression]
    with weft.default_device("cpu"), reference.precision(weft, file):
        found = reference.answer(expression, reference.names(weft))
    if "error" in expected:
        reference.check_refusal(expression, expected, found)
        return
    reference.check(expression, expected, found, reference.SLACK.get(file, 1))


def test_every_expression_has_an_answer() -> None:
    assert {f: set(lines) for f, lines in reference.expressions().items()} == {f: set(a) for f, a in ANSWERS.items()}

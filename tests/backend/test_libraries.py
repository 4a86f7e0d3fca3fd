"""The libraries on the devices: the expressions of tests/reference, computed there, give what JAX gives."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import weft

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import reference

ANSWERS = reference.answers()
FILES = [file for file in ANSWERS if not file.startswith("errors")]
DOUBLES = {"doubles_x64", "draws_x64", "grid_x64", "incomplete_x64", "orders_x64", "special_more_x64", "special_x64"}
"""Files of float64, which WebGPU has not."""
CASES = [(d, f) for d in ("wasm", "webgpu") for f in FILES if d != "webgpu" or f not in DOUBLES]


@pytest.mark.parametrize(("device", "file"), CASES)
def test_agrees_with_jax(device: str, file: str) -> None:
    wrong = []
    with weft.default_device(device), reference.precision(weft, file):
        names = reference.names(weft)
        for expression, expected in ANSWERS[file].items():
            if expression in reference.DIFFERENT:
                continue
            try:
                reference.check(
                    expression, expected, reference.answer(expression, names), slack=3 * reference.SLACK.get(file, 1)
                )
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, "\n\n".join(wrong)

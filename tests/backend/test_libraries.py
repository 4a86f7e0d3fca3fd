"""The libraries on the devices: the expressions of tests/reference, computed there, give what JAX gives."""

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
FILES = [file for file in ANSWERS if file != "errors"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("device", ["wasm", "webgpu"])
def test_agrees_with_jax(device: str, file: str) -> None:
    modules = {"jnp": jnp, "lax": lax, "nn": nn, "random": random, "np": np}
    transforms = {"grad": weft.grad, "jit": weft.jit, "vmap": weft.vmap, "jvp": weft.jvp}
    wrong = []
    with weft.default_device(device):
        names = reference.operands(jnp) | modules | transforms
        for expression, expected in ANSWERS[file].items():
            if expression in reference.DIFFERENT:
                continue
            try:
                reference.check(expression, expected, reference.answer(expression, names), slack=3)
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, "\n\n".join(wrong)

"""Random programs (tests/grammar): every device gives what the oracle gives, eagerly and compiled, forward, as a tangent, as a gradient and batched.

Hypothesis draws them anew from the same numbers each time, shrinks what fails, and prints it as a file that runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import weft

sys.path.insert(0, str(Path(__file__).parents[1]))
from grammar.grammar import Program, program
from grammar.harness import MODES, disagreement, run

DEVICES = os.environ.get("WEFT_TEST_DEVICES", "wasm,webgpu").split(",")
EXAMPLES = {"cpu": 60, "wasm": 50, "webgpu": 15}


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs of a few statements: large ones are for long searches (`program` takes any source of choices)."""
    with weft.default_device("cpu"):
        return program(lambda n: draw(st.integers(0, n - 1)), 6, 14)


@pytest.mark.parametrize(
    ("device", "compiled"), [("cpu", False), *((d, c) for d in DEVICES if d != "cpu" for c in (True, False))]
)
def test_agrees_with_the_oracle(device: str, compiled: bool) -> None:
    @settings(
        max_examples=EXAMPLES[device],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(), st.sampled_from(MODES))
    def check(made: Program, mode: str) -> None:
        if made.backward and mode == "jvp":
            mode = "grad"
        with np.errstate(all="ignore"):
            with weft.default_device("cpu"):
                wanted = run(made, mode, weft)
            with weft.default_device(device):
                got = run(made, mode, weft, compiled)
            wrong = disagreement(made, mode, wanted, got)
        assert wrong is None, f"{mode}: {wrong}"

    check()

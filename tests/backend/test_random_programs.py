"""Random array programs, compiled whole for each device, against the oracle: fusion, planning, schedules and lowering together, bit for bit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from weft.backends.base import available, get_backend
from weft.backends.numpy.interpreter import evaluate
from weft.dialects.array.stage import stage

sys.path.append(str(Path(__file__).parent.parent / "unit"))
from random_programs import programs


@pytest.mark.parametrize("device", os.environ.get("WEFT_TEST_DEVICES", "wasm,webgpu").split(","))
def test_random_programs(device):
    assert (reason := available()[device]) is None, reason
    backend = get_backend(device)

    @settings(max_examples=20, deadline=None)
    @given(programs())
    def check(case):
        graph, arrays = case
        inputs = [backend.put(a.tobytes(), n.aval) for a, n in zip(arrays, graph.ins, strict=True)]
        outputs = backend.compile(stage(graph))(inputs)
        for expected, buffer, node in zip(evaluate(graph, *arrays), outputs, graph.outs, strict=True):
            got = np.frombuffer(backend.get(buffer, node.aval), np.int32).reshape(node.shape)
            np.testing.assert_array_equal(np.asarray(expected), got)

    check()

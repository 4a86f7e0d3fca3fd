"""Random programs, fused and scheduled however small their nests are, on one thread and on three, with arguments donated
and not: the same integers as the interpreter.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.backends.base import get_backend
from weft.backends.numpy.interpreter import evaluate
from weft.backends.wasm import program
from weft.dialects.array.stage import stage
from weft.passes import kernel_split_ranges as ranges
from weft.passes import kernel_to_wasm as lowering
from weft.passes.schedule import wasm as chooser

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from random_programs import programs


@pytest.mark.parametrize("nthreads", [1, 3])
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(programs(), st.booleans())
def test_equals_the_interpreter(nthreads, case, donated):
    graph, arrays = case
    backend = get_backend("wasm")
    before = chooser.SMALL, ranges.LEAST, lowering.WORTH_SHARING, program.WORTH_THREADS, backend.num_threads
    chooser.SMALL = ranges.LEAST = lowering.WORTH_SHARING = program.WORTH_THREADS = 0
    backend.num_threads = nthreads
    try:
        run = backend.compile(stage(graph), tuple(range(len(arrays))) if donated else ())
        results = run([backend.put(np.ascontiguousarray(a), n.aval) for a, n in zip(arrays, graph.ins, strict=True)])
        found = [
            np.frombuffer(backend.get(buffer, n.aval), n.dtype.name).reshape(n.shape)
            for buffer, n in zip(results, graph.outs, strict=True)
        ]
    finally:
        chooser.SMALL, ranges.LEAST, lowering.WORTH_SHARING, program.WORTH_THREADS, backend.num_threads = before
    with np.errstate(all="ignore"):
        expected = evaluate(graph, *arrays)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)

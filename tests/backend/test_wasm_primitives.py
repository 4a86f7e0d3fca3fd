"""Every primitive through the whole pipeline on the wasm device, against its reference: as chosen, and with schedules forced upon the smallest nests."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.backends.base import get_backend
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import aval, leaf
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.stage import stage
from weft.passes.schedule import wasm as chooser

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from sampling import PRIMITIVES, Case, cases


def run(case: Case) -> np.ndarray:
    """The case's result on the device."""
    backend = get_backend("wasm")
    avals = [aval(a.shape, a.dtype.name) for a in case.arrays]
    ins = [leaf(a) for a in avals]
    out = case.bind(*ins)
    program = backend.compile(stage(Graph(ins, [out])))
    (buffer,) = program(
        [
            backend.put(np.ascontiguousarray(a).reshape(-1).view(np.uint8), v)
            for a, v in zip(case.arrays, avals, strict=True)
        ]
    )
    result = case.infer()
    return np.frombuffer(backend.get(buffer, result), result.dtype.name).reshape(result.shape)


@pytest.mark.parametrize("small", [64, 0], ids=["chosen", "forced"])
@pytest.mark.parametrize("op", PRIMITIVES, ids=lambda op: op.name)
@settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_agrees_with_the_reference(op: type[ArrayOp], small: int, data: st.DataObject) -> None:
    case = data.draw(cases(op))
    before, chooser.SMALL = chooser.SMALL, small
    try:
        found = run(case)
    finally:
        chooser.SMALL = before
    case.assert_close(found)

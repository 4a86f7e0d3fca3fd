"""Each primitive on each device against the oracle: every dtype, shapes with 0 and 1, NaN, infinities and negative
zeros.

The inputs are those of tests/rules/sampling. Cases of one op are compiled together, as one program with an output
for each, because compiling is what takes time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from weft.backends.base import Backend, available, get_backend
from weft.dialects.array import ops
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import leaf
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.stage import stage

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from sampling import DEVICE_DTYPES, PRIMITIVES, Case, cases

COUNT = 16


@pytest.fixture(params=os.environ.get("WEFT_TEST_DEVICES", "wasm,webgpu").split(","))
def device(request: pytest.FixtureRequest) -> Backend:
    reason = available().get(request.param, "no such device")
    assert reason is None, reason
    return get_backend(request.param)


def sampled(op: type[ArrayOp], device: str) -> list[Case]:
    """Cases of an op in the dtypes of a device, the same at each run."""
    found: list[Case] = []

    @settings(
        max_examples=COUNT, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases(op, dtypes=DEVICE_DTYPES[device]))
    def keep(case: Case) -> None:
        if device != "webgpu" or not _is_left_to_drivers(case):
            found.append(case)

    keep()
    return found


def _is_left_to_drivers(case: Case) -> bool:
    """Whether 0 is multiplied by infinity in a sum of products, which a driver may take for 0."""
    return case.op in (ops.ConvOp, ops.DotOp) and not all(np.all(np.isfinite(a)) for a in case.arrays)


def run(device: Backend, examples: list[Case]) -> Iterator[np.ndarray]:
    """The results of cases, computed by one program."""
    ins, outs, arrays = [], [], []
    for case in examples:
        nodes = [leaf(a) for a in case.avals]
        outs.append(case.bind(*nodes))
        ins += nodes
        arrays += case.arrays
    program = device.compile(stage(Graph(ins, outs)))
    buffers = [
        device.put(np.ascontiguousarray(a).reshape(-1).view(np.uint8).data, n.aval)
        for a, n in zip(arrays, ins, strict=True)
    ]
    for buffer, out in zip(program(buffers), outs, strict=True):
        data = (
            np.frombuffer(device.get(buffer, out.aval), np.dtype(out.dtype.name))
            if out.aval.size
            else np.empty(0, out.dtype.name)
        )
        yield data.reshape(out.shape)


@pytest.mark.parametrize("op", PRIMITIVES, ids=lambda op: op.name)
def test_agrees_with_the_oracle(op: type[ArrayOp], device: Backend):
    examples = sampled(op, device.name)
    for case, found in zip(examples, run(device, examples), strict=True):
        expected = case.reference()
        try:
            case.assert_close(found, expected)
            if op in SIGNED_ZEROS and expected.dtype.kind != "c":
                found, expected = (v.astype(np.float32) if v.dtype.kind == "V" else v for v in (found, expected))
                zeros = expected == 0
                np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(expected[zeros]))
        except AssertionError as error:
            raise AssertionError(f"{case}\n{error}") from None


SIGNED_ZEROS = (ops.NegOp, ops.AbsOp, ops.SignOp, ops.FloorOp, ops.CeilOp, ops.TruncOp, ops.RoundOp)
"""Ops of which every device gives the sign of a zero too (other sums and products depend on the order of operations)."""

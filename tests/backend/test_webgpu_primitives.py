"""Every primitive through the whole pipeline on the webgpu device, against its reference."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from gpu_machine import device, requires_webgpu
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.dialects.array.graph import Graph
from weft.dialects.array.node import aval, leaf
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.ops import ReduceOp
from weft.dialects.array.stage import stage

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from sampling import DEVICE_DTYPES, PRIMITIVES, Case, cases

pytestmark = requires_webgpu
LOOSE = dict.fromkeys(("lgamma", "digamma", "erf_inv", "pow", "cumulate", "erfc"), 10.0)


def run(case: Case) -> np.ndarray:
    """The case's result on the device."""
    backend = device()
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


@pytest.mark.parametrize("op", PRIMITIVES, ids=lambda op: op.name)
@settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_agrees_with_the_reference(op: type[ArrayOp], data: st.DataObject) -> None:
    case = data.draw(cases(op, dtypes=DEVICE_DTYPES["webgpu"]))
    if any(np.any((np.abs(a) < 2.0**-126) & (a != 0)) for a in case.arrays if a.dtype == np.float32):
        return  # the device may take subnormal numbers for 0
    if op.name in ("array.conv", "array.dot") and not all(np.all(np.isfinite(a)) for a in case.arrays):
        return  # a driver may take 0 times infinity for 0
    case.assert_close(run(case), slack=LOOSE.get(op.name.removeprefix("array."), 1.0))


@pytest.mark.parametrize(
    ("shape", "axes"), [((1 << 18,), (0,)), ((2048, 96), (0,)), ((3, 1 << 16), (1,)), ((64, 8, 17, 17), (0, 2, 3))]
)
@pytest.mark.parametrize("kind", ["add", "max"])
def test_long_reductions(shape: tuple[int, ...], axes: tuple[int, ...], kind: str) -> None:
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    case = Case(ReduceOp, (x,), {"kind": kind, "axes": axes})
    np.testing.assert_allclose(run(case), case.reference(), rtol=1e-4, atol=1e-2 if kind == "add" else 0)

"""Fusion keeps the meaning: random programs through array-to-kernel and what follows it, against the oracle, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_interpreter import run_function, run_program
from random_programs import programs

from weft.backends.numpy.interpreter import evaluate
from weft.dialects import dtypes
from weft.dialects.array import ops
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import aval, leaf
from weft.dialects.array.stage import stage
from weft.passes.array_decompose import ArrayDecomposePass
from weft.passes.array_simplify import ArraySimplifyPass
from weft.passes.array_to_kernel import ArrayToKernelPass
from weft.passes.fusion import clusters
from weft.passes.kernel_plan_memory import KernelPlanMemoryPass
from weft.passes.kernel_simplify import KernelSimplifyPass
from weft.passes.pipelines import run

TUNING = ("RECOMPUTED", "STORED", "CHEAP", "SMALL", "DEEPEST", "ENOUGH_PARALLEL", "SEQUENTIAL")
GENEROUS = tuple(getattr(clusters, name) for name in TUNING)
STRICT = (0, 1, 1, 0, 3, 2, 0)  # what small programs must be told, to be split as large ones are


@pytest.fixture(params=[GENEROUS, STRICT], ids=["generous", "strict"])
def tuning(request, monkeypatch):
    for name, value in zip(TUNING, request.param, strict=True):
        monkeypatch.setattr(clusters, name, value)


def test_chains_of_any_length():
    """A nest is built by asking its operands in turn, so a long chain is several nests."""
    x = leaf(aval((4,), dtypes.int32))
    y = x
    for _ in range(2000):
        y = ops.NegOp.bind(ops.AddOp.bind(y, x))
    module = stage(Graph([x], [y]))
    run((ArrayToKernelPass(),), None, module)
    assert 4000 / clusters.DEEPEST < sum(op.name == "kernel.nest" for op in module.walk()) < 4000 / clusters.DEEPEST + 3
    check([np.ones(4, np.int32)], run_function(module, np.ones(4, np.int32)))


def sines(extent: int, length: int, *, read: bool) -> list[int]:
    """How many sines each nest of a chain of them computes; `read`: each link is read by a sum, too."""
    x = leaf(aval((extent,), dtypes.float32))
    chain = [x]
    for _ in range(length):
        chain.append(ops.SinOp.bind(chain[-1]))
    sums = [ops.ReduceOp.bind(y, kind="add", axes=(0,)) for y in chain[1:]] if read else []
    module = stage(Graph([x], [chain[-1], *sums]))
    run((ArrayToKernelPass(8),), None, module)
    nests = [op for op in module.walk() if op.name == "kernel.nest"]
    return [sum(inner.name == "math.sin" for inner in nest.walk()) for nest in nests]


def test_no_nest_calls_too_many_functions():
    assert sines(1000, 100, read=False) == [100 % clusters.MOST_CALLS] + 100 // clusters.MOST_CALLS * [
        clusters.MOST_CALLS
    ]


def test_links_of_a_small_chain_are_not_written_out_for_everyone_who_reads_them():
    assert sum(sines(8, 32, read=True)) < 2 * 32


def check(expected, got):
    assert len(expected) == len(got)
    for e, g in zip(expected, got, strict=True):
        np.testing.assert_array_equal(np.asarray(e), g)


@pytest.mark.usefixtures("tuning")
class TestRandomPrograms:
    @settings(max_examples=25, deadline=None)
    @given(case=programs(), max_buffers=st.sampled_from([None, 4]))
    def test_nests(self, case, max_buffers):
        graph, arrays = case
        module = stage(graph)
        run((ArrayDecomposePass(), ArrayToKernelPass(max_buffers)), None, module)
        module.verify()
        expected = evaluate(graph, *arrays)
        check(expected, run_function(module, *arrays))
        run((KernelSimplifyPass(),), None, module)
        module.verify()
        check(expected, run_function(module, *arrays))

    @settings(max_examples=25, deadline=None)
    @given(case=programs(), target=st.sampled_from(["wasm", "webgpu"]), in_place=st.booleans(), donate=st.booleans())
    def test_programs(self, case, target, in_place, donate):
        graph, arrays = case
        module = stage(graph)
        plan = KernelPlanMemoryPass(target, tuple(range(len(arrays))) if donate else (), in_place)
        passes = (ArrayDecomposePass(), ArraySimplifyPass(), ArrayToKernelPass(8), plan, KernelSimplifyPass())
        run(passes, None, module)
        module.verify()
        check(evaluate(graph, *arrays), run_program(module, *arrays))

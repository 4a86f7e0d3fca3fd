"""kernel-to-wasm in wasmtime against NumPy: reductions, and matmul in tiles and from staged panels."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_machine import Machine, run
from wasm_nests import RNG, SOFTMAX, kernel, matmul, normal, reduction

RED = (
    (),
    ("split j 4", "level j1 lane"),
    ("split j 16", "split j1 4", "level j11 lane", "level j10 reg"),
    ("split i 4", "level i1 lane", "order i0 j"),
    ("split i 2", "level i1 reg", "order i0 j", "level i0 grid"),
)


@pytest.mark.parametrize("schedule", RED, ids=range(len(RED)))
@pytest.mark.parametrize("kind, f", [("add", np.sum), ("mul", np.prod), ("max", np.max), ("min", np.min)])
def test_reductions(kind, f, schedule):
    x = normal(5, 23)
    if kind in ("max", "min"):
        x[2, 22] = x[3, 0] = x[4, 9] = np.nan
    np.testing.assert_allclose(run(reduction(kind), x, schedule=schedule)[0], f(x, axis=1), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("schedule", RED, ids=range(len(RED)))
@pytest.mark.parametrize("kind, f", [("and", np.all), ("or", np.any)])
def test_bool_reductions(kind, f, schedule):
    x = RNG.random((5, 23)) < (0.97 if kind == "and" else 0.03)
    np.testing.assert_array_equal(run(reduction(kind, "i1"), x, schedule=schedule)[0], f(x, axis=1))


@pytest.mark.parametrize("schedule", RED, ids=range(len(RED)))
@pytest.mark.parametrize("kind, f", [("add", np.sum), ("max", np.max), ("min", np.min)])
def test_integer_reductions(kind, f, schedule):
    x = RNG.integers(-1000, 1000, (5, 23)).astype("int32")
    np.testing.assert_array_equal(run(reduction(kind, "i32"), x, schedule=schedule)[0], f(x, axis=1))


@pytest.mark.parametrize("kind, value", [("add", 0), ("mul", 1), ("max", -np.inf), ("min", np.inf)])
def test_an_empty_reduction_is_its_identity(kind, value):
    np.testing.assert_array_equal(run(reduction(kind, n=0), np.zeros((5, 0), "f4"))[0], np.full(5, value, "f4"))


def test_an_empty_result_is_empty():
    assert run(reduction("add", m=0), np.zeros((0, 23), "f4"))[0].shape == (0,)


@pytest.mark.parametrize("keep", [(), ("keep 3 at i",)], ids=["recomputed", "kept"])
@pytest.mark.parametrize("nthreads", [1, 2])
@pytest.mark.parametrize(
    "schedule",
    [
        (),
        ("split j 4", "level j1 lane", "level i grid"),
        ("split j 8", "split j1 4", "level j11 lane", "level j10 reg", "level i grid"),
    ],
    ids=["none", "lanes", "registers"],
)
def test_softmax_in_one_nest(schedule, keep, nthreads):
    x = normal(5, 23)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(
        run(SOFTMAX, x, schedule=(*schedule, *keep), nthreads=nthreads)[0], e / e.sum(1, keepdims=True), rtol=1e-6
    )


def test_a_reduction_outside_of_what_it_keeps_is_reordered():
    """Column means under rows: the reduction runs over the outer axis."""
    text = kernel(
        "i: red 7, j: par 9",
        {"x": "7x9xf32"},
        {"o": "7x9xf32"},
        """%0 = kernel.load %x_[i, j] : @x
           %1 = kernel.reduce add %0 over [i] : f32
           %2 = arith.subf %0, %1 : f32
           kernel.store %2, %o_[i, j] : @o""",
    )
    x = normal(7, 9)
    np.testing.assert_allclose(run(text, x)[0], x - x.sum(0), rtol=1e-5, atol=1e-6)


def test_reductions_that_need_each_other_s_axes():
    """x - row sum - column sum: no order of the two loops serves both reductions."""
    text = kernel(
        "i: red 7, j: red 9",
        {"x": "7x9xf32"},
        {"o": "7x9xf32"},
        """%0 = kernel.load %x_[i, j] : @x
           %1 = kernel.reduce add %0 over [i] : f32
           %2 = kernel.reduce add %0 over [j] : f32
           %3 = arith.subf %0, %1 : f32
           %4 = arith.subf %3, %2 : f32
           kernel.store %4, %o_[i, j] : @o""",
    )
    x = normal(7, 9)
    np.testing.assert_allclose(run(text, x)[0], x - x.sum(0) - x.sum(1, keepdims=True), rtol=1e-5, atol=1e-5)


def test_several_results_with_a_global_sum():
    text = kernel(
        "i: red 7, j: red 9",
        {"x": "7x9xf32"},
        {"o": "7x9xf32", "t": "f32"},
        """%0 = kernel.load %x_[i, j] : @x
           %1 = kernel.reduce add %0 over [i, j] : f32
           %2 = arith.divf %0, %1 : f32
           kernel.store %2, %o_[i, j] : @o
           kernel.store %1, %t_[] : @t""",
    )
    x = np.abs(normal(7, 9))
    o, t = run(text, x)
    np.testing.assert_allclose(o, x / x.sum(), rtol=1e-6)
    np.testing.assert_allclose(t, x.sum(), rtol=1e-6)


TILE = (
    "split i 8",
    "split i1 4",
    "split j 8",
    "split j1 4",
    "order i0 j0 i10 k i11 j10 j11",
    "level i0 grid",
    "level i11 reg",
    "level j10 reg",
    "level j11 lane",
)
STAGED = (*TILE, "stage 0 at i0 panel=i10,k,i11", "stage 1 at entry panel=j0,k,j10,j11")


@pytest.mark.parametrize(
    "schedule",
    [(), TILE, STAGED, (*TILE, "split k 3"), (*TILE, "split k 3", "level k1 unroll")],
    ids=["none", "tile", "staged", "k split", "k unrolled"],
)
@pytest.mark.parametrize("nthreads", [1, 3])
def test_matmul(schedule, nthreads):
    a, b = normal(19, 13), normal(13, 21)
    np.testing.assert_allclose(
        run(matmul(19, 21, 13), a, b, schedule=schedule, nthreads=nthreads)[0], a @ b, rtol=1e-5, atol=1e-5
    )


def test_results_do_not_depend_on_the_number_of_threads():
    machine, a, b = Machine(matmul(40, 24, 13), STAGED), normal(40, 13), normal(13, 24)
    one = machine(a, b)[0]
    for nthreads in (2, 3, 5):
        np.testing.assert_array_equal(machine(a, b, nthreads=nthreads)[0], one)

"""Kernels on the webgpu device against NumPy, unscheduled and under the schedules that the chooser uses."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_machine import requires_webgpu, run

pytestmark = requires_webgpu
RNG = np.random.default_rng(0)


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def matmul(m: int, n: int, k: int, epilogue: str = "") -> str:
    return f"""
    kernel.func @k0(%x : memref<{m}x{k}xf32>, %y : memref<{k}x{n}xf32>) -> (%o : memref<{m}x{n}xf32>) {{
      kernel.nest [i: par {m}, j: par {n}, k: red {k}] ins(%a = %x : memref<{m}x{k}xf32>, %b = %y : memref<{k}x{n}xf32>) outs(%c = %o : memref<{m}x{n}xf32>) {{
        %0 = kernel.load %a[i, k] : memref<{m}x{k}xf32>
        %1 = kernel.load %b[k, j] : memref<{k}x{n}xf32>
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [k] : f32
        kernel.store %3, %c[i, j] : memref<{m}x{n}xf32>
      }}
    }}"""


def tiled(kind: str = "zero", pipe: int = 1, tile: int = 32, bk: int = 8) -> list[str]:
    return [
        f"split i {tile}", "split i1 4", f"split j {tile}", "split j1 4", f"split k {bk} {kind}" if kind else f"split k {bk}",
        "level i0 grid", "level j0 grid", "level i10 local", "level j10 local", "level i11 reg", "level j11 lane", "level k0 loop", "level k1 unroll",
        "order i0 j0 i10 j10 k0 k1 i11 j11",
        f"stage 0 at k0 dims=1,0 pipe={pipe}", f"stage 1 at k0 pipe={pipe}",
    ]  # fmt: skip


def test_matmul_unscheduled() -> None:
    x, y = uniform(20, 30), uniform(30, 10)
    np.testing.assert_allclose(run(matmul(20, 10, 30), [x, y])[0], x @ y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pipe", [0, 1])
@pytest.mark.parametrize("shape", [(64, 64, 32), (64, 96, 8), (67, 70, 33), (32, 36, 5 * 8)])
def test_matmul_tiled(shape: tuple[int, int, int], pipe: int) -> None:
    m, n, k = shape
    x, y = uniform(m, k), uniform(k, n)
    np.testing.assert_allclose(run(matmul(m, n, k), [x, y], tiled(pipe=pipe))[0], x @ y, rtol=1e-5, atol=1e-5)


def softmax(m: int, n: int) -> str:
    return f"""
    kernel.func @k0(%x : memref<{m}x{n}xf32>) -> (%o : memref<{m}x{n}xf32>) {{
      kernel.nest [i: par {m}, j: red {n}] ins(%a = %x : memref<{m}x{n}xf32>) outs(%c = %o : memref<{m}x{n}xf32>) {{
        %0 = kernel.load %a[i, j] : memref<{m}x{n}xf32>
        %1 = kernel.reduce max %0 over [j] : f32
        %2 = arith.subf %0, %1 : f32
        %3 = math.exp %2 : f32
        %4 = kernel.reduce add %3 over [j] : f32
        %5 = arith.divf %3, %4 : f32
        kernel.store %5, %c[i, j] : memref<{m}x{n}xf32>
      }}
    }}"""


@pytest.mark.parametrize(
    "schedule",
    [
        [],
        [
            "split j 4",
            "split j0 32",
            "level i grid",
            "level j01 group",
            "level j1 lane",
            "level j00 reg",
            "order i j01 j00 j1",
        ],
        [
            "split j 4",
            "split j0 24",
            "level i grid",
            "level j01 group",
            "level j1 lane",
            "level j00 loop",
            "order i j01 j00 j1",
        ],
        [
            "split i 4",
            "level i0 grid",
            "level i1 local",
            "split j 8",
            "level j1 group",
            "level j0 loop",
            "order i0 i1 j1 j0",
        ],
    ],
)
@pytest.mark.parametrize("shape", [(8, 256), (7, 1000)])
def test_softmax(shape: tuple[int, int], schedule: list[str]) -> None:
    x = uniform(*shape) * 20
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(
        run(softmax(*shape), [x], schedule)[0], e / e.sum(1, keepdims=True), rtol=2e-5, atol=1e-7
    )


def test_max_propagates_nan_and_infinity() -> None:
    x = np.array([[1, np.nan, 3, 2], [-np.inf] * 4, [1, 2, np.inf, 0]], np.float32)
    text = """
    kernel.func @k0(%x : memref<3x4xf32>) -> (%o : memref<3xf32>) {
      kernel.nest [i: par 3, j: red 4] ins(%a = %x : memref<3x4xf32>) outs(%c = %o : memref<3xf32>) {
        %0 = kernel.load %a[i, j] : memref<3x4xf32>
        %1 = kernel.reduce max %0 over [j] : f32
        kernel.store %1, %c[i] : memref<3xf32>
      }
    }"""
    np.testing.assert_array_equal(run(text, [x])[0], x.max(1))


@pytest.mark.parametrize("lanes", [False, True])
def test_padding_reads_nothing_outside(lanes: bool) -> None:
    x = uniform(6, 8)
    text = """
    kernel.func @k0(%x : memref<6x8xf32>) -> (%o : memref<8x8xf32>) {
      kernel.nest [i: par 8, j: par 8] ins(%a = %x : memref<6x8xf32>) outs(%c = %o : memref<8x8xf32>) {
        %0 = kernel.load %a[i - 1, j] if (0 <= i - 1 < 6) : memref<6x8xf32>
        kernel.store %0, %c[i, j] : memref<8x8xf32>
      }
    }"""
    schedule = ["split j 4", "level j1 lane"] if lanes else []
    np.testing.assert_array_equal(run(text, [x], schedule)[0], np.pad(x, ((1, 1), (0, 0))))


def test_gather_and_boolean_buffers() -> None:
    x, index = uniform(9, 4), RNG.integers(0, 9, 12).astype(np.int32)
    keep = RNG.integers(0, 2, 12).astype(bool)
    text = """
    kernel.func @k0(%x : memref<9x4xf32>, %i : memref<12xi32>, %m : memref<12xi1>) -> (%o : memref<12x4xf32>, %n : memref<12xi1>) {
      kernel.nest [i: par 12, j: par 4] ins(%a = %x : memref<9x4xf32>, %b = %i : memref<12xi32>, %c = %m : memref<12xi1>)
          outs(%d = %o : memref<12x4xf32>, %e = %n : memref<12xi1>) {
        %0 = kernel.load %b[i] : memref<12xi32>
        %1 = kernel.load %a (s0 = %0 in 0 to 8) [s0, j] : memref<9x4xf32>
        %2 = kernel.load %c[i] : memref<12xi1>
        %zero = arith.constant 0.0 : f32
        %true = arith.constant true
        %3 = arith.select %2, %1, %zero : f32
        kernel.store %3, %d[i, j] : memref<12x4xf32>
        %4 = arith.xori %2, %true : i1
        kernel.store %4, %e[i] : memref<12xi1>
      }
    }"""
    for schedule in ([], ["level j lane"]):
        taken, flipped = run(text, [x, index, keep], schedule)
        np.testing.assert_array_equal(taken, np.where(keep[:, None], x[index], 0))
        np.testing.assert_array_equal(flipped, ~keep)


def test_scatter_adds_with_atomics() -> None:
    index, updates, start = RNG.integers(0, 5, 200).astype(np.int32), uniform(200), uniform(5)
    text = """
    kernel.func @k0(%u : memref<200xf32>, %i : memref<200xi32>) -> (%o : memref<5xf32>) {
      kernel.nest [i: par 200] ins(%a = %u : memref<200xf32>, %b = %i : memref<200xi32>) outs(%c = %o : memref<5xf32>) {
        %0 = kernel.load %b[i] : memref<200xi32>
        %1 = kernel.load %a[i] : memref<200xf32>
        kernel.store add %1, %c (s0 = %0 in 0 to 4) [s0] : memref<5xf32>
      }
    }"""
    expected = start.copy()
    np.add.at(expected, index, updates)
    np.testing.assert_allclose(run(text, [updates, index], initial=[start])[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (70, 66)])
def test_transpose_staged(shape: tuple[int, int]) -> None:
    m, n = shape
    x = uniform(m, n)
    text = f"""
    kernel.func @k0(%x : memref<{m}x{n}xf32>) -> (%o : memref<{n}x{m}xf32>) {{
      kernel.nest [i: par {n}, j: par {m}] ins(%a = %x : memref<{m}x{n}xf32>) outs(%c = %o : memref<{n}x{m}xf32>) {{
        %0 = kernel.load %a[j, i] : memref<{m}x{n}xf32>
        kernel.store %0, %c[i, j] : memref<{n}x{m}xf32>
      }}
    }}"""
    schedule = [
        "split i 32", "split i1 8", "split j 32", "split j1 4", "level i0 grid", "level j0 grid", "level i11 local", "level i10 reg",
        "level j10 local", "level j11 lane", "order i0 j0 i11 j10 i10 j11", "stage 0 at entry pad=1",
    ]  # fmt: skip
    np.testing.assert_array_equal(run(text, [x], schedule)[0], x.T)


@pytest.mark.parametrize("pipe", [None, 0, 1])
def test_convolution(pipe: int | None) -> None:
    n, c, h, w, o = 2, 16, 12, 16, 8
    x, f = uniform(n, c, h, w), uniform(o, c, 3, 3)
    text = f"""
    kernel.func @k0(%x : memref<{n}x{c}x{h}x{w}xf32>, %y : memref<{o}x{c}x3x3xf32>) -> (%o : memref<{n}x{o}x{h}x{w}xf32>) {{
      kernel.nest [n: par {n}, o: par {o}, h: par {h}, w: par {w}, c: red {c}, p: red 3, q: red 3]
          ins(%a = %x : memref<{n}x{c}x{h}x{w}xf32>, %b = %y : memref<{o}x{c}x3x3xf32>) outs(%r = %o : memref<{n}x{o}x{h}x{w}xf32>) {{
        %0 = kernel.load %a[n, c, h + p - 1, w + q - 1] if (0 <= h + p - 1 < {h}, 0 <= w + q - 1 < {w}) : memref<{n}x{c}x{h}x{w}xf32>
        %1 = kernel.load %b[o, c, p, q] : memref<{o}x{c}x3x3xf32>
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [c, p, q] : f32
        kernel.store %3, %r[n, o, h, w] : memref<{n}x{o}x{h}x{w}xf32>
      }}
    }}"""
    schedule = [] if pipe is None else [
        "split o 4", "split h 4", "split w 8", "split w1 4", "split c 4", "level n grid", "level o0 grid", "level h0 grid", "level w0 grid", "level h1 local",
        "level w10 local", "level o1 reg", "level w11 lane", "level c0 loop", "level c1 loop", "level p unroll", "level q unroll",
        "order n o0 h0 w0 h1 w10 c0 c1 p q o1 w11", f"stage 0 at c0 pipe={pipe}", f"stage 1 at c0 dims=1,2,3,0 pipe={pipe}",
    ]  # fmt: skip
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    np.testing.assert_allclose(
        run(text, [x, f], schedule)[0], np.einsum("nchwpq,ocpq->nohw", windows, f), rtol=1e-4, atol=1e-4
    )


def test_integers_as_numpy() -> None:
    a = np.array([7, -7, 7, -7, 5, -(2**31)], np.int32)
    b = np.array([2, 2, -2, -2, 0, -1], np.int32)
    text = """
    kernel.func @k0(%x : memref<6xi32>, %y : memref<6xi32>) -> (%o : memref<6xi32>, %p : memref<6xi32>) {
      kernel.nest [i: par 6] ins(%a = %x : memref<6xi32>, %b = %y : memref<6xi32>) outs(%c = %o : memref<6xi32>, %d = %p : memref<6xi32>) {
        %0 = kernel.load %a[i] : memref<6xi32>
        %1 = kernel.load %b[i] : memref<6xi32>
        %2 = arith.divsi %0, %1 : i32
        %3 = arith.remsi %0, %1 : i32
        kernel.store %2, %c[i] : memref<6xi32>
        kernel.store %3, %d[i] : memref<6xi32>
      }
    }"""
    quotient, remainder = run(text, [a, b])
    np.testing.assert_array_equal(quotient, [3, -3, -3, 3, -1, -(2**31)])
    np.testing.assert_array_equal(remainder, [1, -1, 1, -1, 5, 0])

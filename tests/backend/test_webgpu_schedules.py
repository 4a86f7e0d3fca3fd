"""What the chooser for WebGPU decides, run on the device against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_machine import parse, requires_webgpu, run
from test_webgpu_kernels import matmul, softmax, uniform

from weft.passes.schedule.webgpu import BUSY, Adapter, choose

pytestmark = requires_webgpu
LARGE = Adapter(invocations=1024, workgroup_bytes=32768)


def chosen(text: str, adapter: Adapter | None = None) -> list:
    _, kernel = parse(text)
    return list(choose(kernel.nest, adapter))


def levels(schedule: list) -> set[str]:
    return {word for step in schedule for word in str(step).split()}


@pytest.mark.parametrize("shape", [(256, 128, 64), (130, 150, 35), (32, 33, 16), (16, 64, 100)])
def test_matmul(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    text = matmul(m, n, k)
    schedule = chosen(text)
    assert {"grid", "local", "lane", "stage"} <= levels(schedule)
    x, y = uniform(m, k), uniform(k, n)
    np.testing.assert_allclose(run(text, [x, y], schedule)[0], x @ y, rtol=1e-4, atol=1e-4)


def test_a_sum_over_a_part_of_a_dimension() -> None:
    """Only by a whole dimension could a tile tell what the last step lacks, so steps are taken that divide the sum."""
    text = """
    kernel.func @k0(%x : memref<20x2x10xf32>, %y : memref<2x1000xf32>) -> (%o : memref<20x100xf32>) {
      kernel.nest [i: par 20, j: par 100, p: red 2, q: red 10] ins(%a = %x : memref<20x2x10xf32>, %b = %y : memref<2x1000xf32>) outs(%c = %o : memref<20x100xf32>) {
        %0 = kernel.load %a[i, p, q] : memref<20x2x10xf32>
        %1 = kernel.load %b[p, q * 100 + j] : memref<2x1000xf32>
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [p, q] : f32
        kernel.store %3, %c[i, j] : memref<20x100xf32>
      }
    }"""
    schedule = chosen(text)
    assert "stage" in levels(schedule)
    x, y = uniform(20, 2, 10), uniform(2, 1000)
    expected = np.einsum("ipq,pqj->ij", x, y.reshape(2, 10, 100))
    np.testing.assert_allclose(run(text, [x, y], schedule)[0], expected, rtol=1e-4, atol=1e-4)


def test_the_large_tile_needs_a_large_adapter() -> None:
    text = matmul(2048, 2048, 16)
    assert "split j 256" not in map(str, chosen(text))
    schedule = chosen(text, LARGE)
    assert "split j 256" in map(str, schedule)
    x, y = uniform(2048, 16), uniform(16, 2048)
    np.testing.assert_allclose(run(text, [x, y], schedule)[0], x @ y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(20, 256), (3, 1000), (5, 4096), (64, 67), (9, 10000)])
def test_softmax(shape: tuple[int, int]) -> None:
    x = uniform(*shape) * 20
    text = softmax(*shape)
    schedule = chosen(text)
    assert "group" in levels(schedule)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(run(text, [x], schedule)[0], e / e.sum(1, keepdims=True), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("n", [5, 64, 1000, 65536])
def test_sum_of_all(n: int) -> None:
    x = uniform(n)
    text = f"""
    kernel.func @k0(%x : memref<{n}xf32>) -> (%o : memref<1xf32>) {{
      kernel.nest [j: red {n}] ins(%a = %x : memref<{n}xf32>) outs(%c = %o : memref<1xf32>) {{
        %0 = kernel.load %a[j] : memref<{n}xf32>
        %1 = kernel.reduce add %0 over [j] : f32
        kernel.store %1, %c[0] : memref<1xf32>
      }}
    }}"""
    np.testing.assert_allclose(run(text, [x], chosen(text))[0], [x.sum()], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", [(300, 8), (64, 64), (1000, 40)])
def test_column_sums(shape: tuple[int, int]) -> None:
    m, n = shape
    x = uniform(m, n)
    text = f"""
    kernel.func @k0(%x : memref<{m}x{n}xf32>) -> (%o : memref<{n}xf32>) {{
      kernel.nest [i: par {n}, j: red {m}] ins(%a = %x : memref<{m}x{n}xf32>) outs(%c = %o : memref<{n}xf32>) {{
        %0 = kernel.load %a[j, i] : memref<{m}x{n}xf32>
        %1 = kernel.reduce add %0 over [j] : f32
        kernel.store %1, %c[i] : memref<{n}xf32>
      }}
    }}"""
    np.testing.assert_allclose(run(text, [x], chosen(text))[0], x.sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(64, 96), (70, 130), (128, 64)])
def test_transposition(shape: tuple[int, int]) -> None:
    m, n = shape
    x = uniform(m, n)
    text = f"""
    kernel.func @k0(%x : memref<{m}x{n}xf32>) -> (%o : memref<{n}x{m}xf32>) {{
      kernel.nest [i: par {n}, j: par {m}] ins(%a = %x : memref<{m}x{n}xf32>) outs(%c = %o : memref<{n}x{m}xf32>) {{
        %0 = kernel.load %a[j, i] : memref<{m}x{n}xf32>
        %1 = arith.addf %0, %0 : f32
        kernel.store %1, %c[i, j] : memref<{n}x{m}xf32>
      }}
    }}"""
    schedule = chosen(text)
    assert "stage" in levels(schedule)
    np.testing.assert_array_equal(run(text, [x], schedule)[0], x.T * 2)


@pytest.mark.parametrize("shape", [(4, 5, 8), (3, 7, 5), (16, 16, 16)])
def test_elementwise_with_a_broadcast(shape: tuple[int, int, int]) -> None:
    a, b, c = shape
    t, u = f"memref<{a}x{b}x{c}xf32>", f"memref<{c}xf32>"
    x, y = uniform(a, b, c), uniform(c)
    text = f"""
    kernel.func @k0(%x : {t}, %y : {u}) -> (%o : {t}) {{
      kernel.nest [i: par {a}, j: par {b}, k: par {c}] ins(%a = %x : {t}, %b = %y : {u}) outs(%c = %o : {t}) {{
        %0 = kernel.load %a[i, j, k] : {t}
        %1 = kernel.load %b[k] : {u}
        %2 = arith.addf %0, %1 : f32
        %zero = arith.constant 0.0 : f32
        %3 = arith.cmpf ogt, %2, %zero : f32
        %4 = arith.select %3, %2, %zero : f32
        kernel.store %4, %c[i, j, k] : {t}
      }}
    }}"""
    np.testing.assert_array_equal(run(text, [x, y], chosen(text))[0], np.maximum(x + y, 0))


@pytest.mark.parametrize("n", [67, 4 * BUSY, 4 * BUSY + 5])
def test_vectors_run_into_the_padding(n: int) -> None:
    x, y = uniform(n), uniform(1)
    text = f"""
    kernel.func @k0(%x : memref<{n}xf32>, %y : memref<1xf32>) -> (%o : memref<{n}xf32>) {{
      kernel.nest [i: par {n}] ins(%a = %x : memref<{n}xf32>, %b = %y : memref<1xf32>) outs(%c = %o : memref<{n}xf32>) {{
        %0 = kernel.load %a[i] : memref<{n}xf32>
        %1 = kernel.load %b[0] : memref<1xf32>
        %2 = arith.addf %0, %1 : f32
        kernel.store %2, %c[i] : memref<{n}xf32>
      }}
    }}"""
    schedule = chosen(text)
    assert "lane" in levels(schedule)
    assert ("pad" in levels(schedule)) == (n % 4 != 0)
    assert ("grid" in levels(schedule)) == (n >= 4 * BUSY)
    np.testing.assert_array_equal(run(text, [x, y], schedule)[0], x + y)


@pytest.mark.parametrize("adapter", [None, LARGE])
@pytest.mark.parametrize("shape", [(2, 16, 12, 16, 16), (1, 6, 9, 28, 32), (2, 20, 7, 10, 64), (1, 5, 9, 56, 64)])
def test_convolution(shape: tuple[int, ...], adapter: Adapter | None) -> None:
    n, c, h, w, o = shape
    x, f = uniform(n, c, h, w), uniform(o, c, 3, 3)
    image, kernel, out = f"memref<{n}x{c}x{h}x{w}xf32>", f"memref<{o}x{c}x3x3xf32>", f"memref<{n}x{o}x{h}x{w}xf32>"
    text = f"""
    kernel.func @k0(%x : {image}, %y : {kernel}) -> (%o : {out}) {{
      kernel.nest [n: par {n}, o: par {o}, h: par {h}, w: par {w}, c: red {c}, p: red 3, q: red 3] ins(%a = %x : {image}, %b = %y : {kernel}) outs(%r = %o : {out}) {{
        %0 = kernel.load %a[n, c, h + p - 1, w + q - 1] if (0 <= h + p - 1 < {h}, 0 <= w + q - 1 < {w}) : {image}
        %1 = kernel.load %b[o, c, p, q] : {kernel}
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [c, p, q] : f32
        kernel.store %3, %r[n, o, h, w] : {out}
      }}
    }}"""
    schedule = chosen(text, adapter)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    np.testing.assert_allclose(
        run(text, [x, f], schedule)[0], np.einsum("nchwpq,ocpq->nohw", windows, f), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("side", [16, 28])
def test_gradient_of_convolution_weights(side: int) -> None:
    n, c, o, h = 3, 2, 4, side
    x, g = uniform(n, c, h, h), uniform(n, o, h, h)
    image, grad, out = f"memref<{n}x{c}x{h}x{h}xf32>", f"memref<{n}x{o}x{h}x{h}xf32>", f"memref<{o}x{c}x3x3xf32>"
    text = f"""
    kernel.func @k0(%x : {image}, %y : {grad}) -> (%o : {out}) {{
      kernel.nest [i: par {o}, j: par {c}, k: par 3, l: par 3, m: red {n}, n: red {h}, o: red {h}] ins(%a = %x : {image}, %b = %y : {grad}) outs(%r = %o : {out}) {{
        %0 = kernel.load %a[m, j, k + n - 1, l + o - 1] if (0 <= k + n - 1 < {h}, 0 <= l + o - 1 < {h}) : {image}
        %1 = kernel.load %b[m, i, n, o] : {grad}
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [m, n, o] : f32
        kernel.store %3, %r[i, j, k, l] : {out}
      }}
    }}"""
    schedule = chosen(text)
    assert "group" in levels(schedule)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (h, h), axis=(2, 3))
    expected = np.einsum("mjklno,mino->ijkl", windows, g)
    np.testing.assert_allclose(run(text, [x, g], schedule)[0], expected, rtol=1e-4, atol=1e-3)


def test_gradient_of_many_weights() -> None:
    n, c, o, h = 2, 16, 32, 14
    x, g = uniform(n, c, h, h), uniform(n, o, h, h)
    image, grad, out = f"memref<{n}x{c}x{h}x{h}xf32>", f"memref<{n}x{o}x{h}x{h}xf32>", f"memref<{o}x{c}x3x3xf32>"
    text = f"""
    kernel.func @k0(%x : {image}, %y : {grad}) -> (%o : {out}) {{
      kernel.nest [i: par {o}, j: par {c}, k: par 3, l: par 3, m: red {n}, n: red {h}, o: red {h}] ins(%a = %x : {image}, %b = %y : {grad}) outs(%r = %o : {out}) {{
        %0 = kernel.load %a[m, j, k + n - 1, l + o - 1] if (0 <= k + n - 1 < {h}, 0 <= l + o - 1 < {h}) : {image}
        %1 = kernel.load %b[m, i, n, o] : {grad}
        %2 = arith.mulf %0, %1 : f32
        %3 = kernel.reduce add %2 over [m, n, o] : f32
        kernel.store %3, %r[i, j, k, l] : {out}
      }}
    }}"""
    schedule = chosen(text)
    assert {"local", "lane", "stage", "unroll"} <= levels(schedule)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (h, h), axis=(2, 3))
    expected = np.einsum("mjklno,mino->ijkl", windows, g)
    np.testing.assert_allclose(run(text, [x, g], schedule)[0], expected, rtol=1e-4, atol=1e-3)

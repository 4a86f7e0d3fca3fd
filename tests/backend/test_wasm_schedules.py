"""The schedules that the compiler chooses for wasm, against NumPy: each kind of kernel at sizes that do and do not fill its tiles."""

from __future__ import annotations

import numpy as np
import pytest
from wasm_nests import SOFTMAX, chosen, kernel, matmul, normal, reduction


@pytest.mark.parametrize("nthreads", [1, 2])
@pytest.mark.parametrize(
    "m, n, k",
    [
        (1, 1, 1),
        (2, 3, 5),
        (3, 40, 7),
        (4, 8, 64),
        (5, 9, 33),
        (70, 67, 65),
        (8, 4, 9),
        (130, 12, 70),
        (40, 2, 9),
        (2, 64, 30),
    ],
)
def test_chosen_matmul(m, n, k, nthreads):
    a, b = normal(m, k), normal(k, n)
    np.testing.assert_allclose(chosen(matmul(m, n, k), a, b, nthreads=nthreads)[0], a @ b, rtol=1e-5, atol=2e-5)
    at = matmul(m, n, k).replace("x_[i, k]", "x_[k, i]").replace(f"{m}x{k}xf32", f"{k}x{m}xf32", 3)
    np.testing.assert_allclose(
        chosen(at, np.ascontiguousarray(a.T), b, nthreads=nthreads)[0], a @ b, rtol=1e-5, atol=2e-5
    )


@pytest.mark.parametrize("m, n", [(1, 1), (3, 100), (64, 3), (9, 66), (128, 37), (200, 64)])
@pytest.mark.parametrize("kind, f", [("add", np.sum), ("max", np.max)])
def test_chosen_reductions(kind, f, m, n):
    x = normal(m, n)
    np.testing.assert_allclose(chosen(reduction(kind, m=m, n=n), x, nthreads=2)[0], f(x, axis=1), rtol=1e-5, atol=1e-5)
    columns = reduction(kind, m=m, n=n).replace("[i, j] :", "[j, i] :").replace(f"{m}x{n}xf32", f"{n}x{m}xf32")
    np.testing.assert_allclose(
        chosen(columns, np.ascontiguousarray(x.T), nthreads=2)[0], f(x, axis=1), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("m, n", [(1, 3), (5, 13), (3, 100), (64, 64), (7, 4096)])
def test_chosen_softmax(m, n):
    text = SOFTMAX.replace("5x23", f"{m}x{n}").replace("par 5", f"par {m}").replace("red 23", f"red {n}")
    x = normal(m, n)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(chosen(text, x, nthreads=2)[0], e / e.sum(1, keepdims=True), rtol=2e-6)


@pytest.mark.parametrize("m, n", [(3, 30), (17, 19), (64, 64)])
def test_chosen_transpose_and_broadcast(m, n):
    text = kernel(
        f"i: par {m}, j: par {n}",
        {"x": f"{n}x{m}xf32", "b": f"{n}xf32"},
        {"o": f"{m}x{n}xf32"},
        """%0 = kernel.load %x_[j, i] : @x
           %1 = kernel.load %b_[j] : @b
           %2 = arith.addf %0, %1 : f32
           kernel.store %2, %o_[i, j] : @o""",
    )
    x, b = normal(n, m), normal(n)
    np.testing.assert_array_equal(chosen(text, x, b, nthreads=2)[0], x.T + b)


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 1, 70), (8, 8, 8)])
def test_chosen_elementwise_over_several_axes(shape):
    a, b, c = shape
    text = kernel(
        f"i: par {a}, j: par {b}, k: par {c}",
        {"x": f"{a}x{b}x{c}xf32", "y": f"{a}x{b}x{c}xf32"},
        {"o": f"{a}x{b}x{c}xf32"},
        """%0 = kernel.load %x_[i, j, k] : @x
           %1 = kernel.load %y_[i, j, k] : @y
           %2 = arith.addf %0, %1 : f32
           kernel.store %2, %o_[i, j, k] : @o""",
    )
    x, y = normal(*shape), normal(*shape)
    np.testing.assert_array_equal(chosen(text, x, y, nthreads=3)[0], x + y)


def conv(n: int, c: int, o: int, size: int, f: int, pad: int, stride: int = 1) -> str:
    out = (size + 2 * pad - f) // stride + 1
    inside = f" if (0 <= y * {stride} + p - {pad} < {size}, 0 <= x * {stride} + q - {pad} < {size})" if pad else ""
    return kernel(
        f"n: par {n}, o: par {o}, y: par {out}, x: par {out}, c: red {c}, p: red {f}, q: red {f}",
        {"a": f"{n}x{c}x{size}x{size}xf32", "w": f"{o}x{c}x{f}x{f}xf32"},
        {"r": f"{n}x{o}x{out}x{out}xf32"},
        f"""%0 = kernel.load %a_[n, c, y * {stride} + p - {pad}, x * {stride} + q - {pad}]{inside} : @a
           %1 = kernel.load %w_[o, c, p, q] : @w
           %2 = arith.mulf %0, %1 : f32
           %3 = kernel.reduce add %2 over [c, p, q] : f32
           kernel.store %3, %r_[n, o, y, x] : @r""",
    )


def convolved(a: np.ndarray, w: np.ndarray, pad: int, stride: int) -> np.ndarray:
    a = np.pad(a, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(a, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncyxpq,ocpq->noyx", windows, w)


@pytest.mark.parametrize(
    "n, c, o, size, f, pad, stride",
    [
        (1, 3, 5, 9, 3, 0, 1),
        (2, 4, 8, 12, 3, 1, 1),
        (1, 2, 3, 11, 3, 1, 2),
        (1, 8, 16, 6, 5, 2, 1),
        (2, 1, 4, 28, 3, 1, 1),
    ],
)
def test_chosen_convolution(n, c, o, size, f, pad, stride):
    a, w = normal(n, c, size, size), normal(o, c, f, f)
    got = chosen(conv(n, c, o, size, f, pad, stride), a, w, nthreads=2)[0]
    np.testing.assert_allclose(got, convolved(a, w, pad, stride), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n, c, o, size, f", [(2, 3, 5, 8, 3), (3, 4, 8, 14, 3), (1, 2, 4, 9, 2)])
def test_chosen_gradient_of_weights(n, c, o, size, f):
    out = size - f + 1
    text = kernel(
        f"o: par {o}, c: par {c}, p: par {f}, q: par {f}, n: red {n}, y: red {out}, x: red {out}",
        {"a": f"{n}x{c}x{size}x{size}xf32", "g": f"{n}x{o}x{out}x{out}xf32"},
        {"r": f"{o}x{c}x{f}x{f}xf32"},
        """%0 = kernel.load %a_[n, c, y + p, x + q] : @a
           %1 = kernel.load %g_[n, o, y, x] : @g
           %2 = arith.mulf %0, %1 : f32
           %3 = kernel.reduce add %2 over [n, y, x] : f32
           kernel.store %3, %r_[o, c, p, q] : @r""",
    )
    a, g = normal(n, c, size, size), normal(n, o, out, out)
    windows = np.lib.stride_tricks.sliding_window_view(a, (out, out), (2, 3))
    got = chosen(text, a, g, nthreads=2)[0]
    np.testing.assert_allclose(got, np.einsum("ncpqyx,noyx->ocpq", windows, g), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("type, dtype, tolerance", [("f16", "float16", 2e-2), ("f64", "float64", 1e-12)])
def test_chosen_matmul_and_softmax_of_other_widths(type, dtype, tolerance):
    a, b = normal(37, 33, dtype=dtype), normal(33, 45, dtype=dtype)
    text = matmul(37, 45, 33).replace("xf32", f"x{type}").replace(": f32", f": {type}")
    expected = a.astype("float64") @ b.astype("float64")
    np.testing.assert_allclose(chosen(text, a, b, nthreads=2)[0], expected, rtol=tolerance, atol=tolerance)
    text = SOFTMAX.replace("5x23xf32", f"9x45x{type}").replace(": f32", f": {type}")
    text = text.replace("par 5", "par 9").replace("red 23", "red 45")
    x = normal(9, 45, dtype=dtype)
    e = np.exp(x.astype("float64") - x.max(1, keepdims=True))
    found = chosen(text, x, nthreads=2)[0]
    np.testing.assert_allclose(found, e / e.sum(1, keepdims=True), rtol=tolerance, atol=tolerance)

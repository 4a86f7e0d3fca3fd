"""Accuracy of the functions that WGSL kernels bring along, in ulp against double precision, and their special values against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gpu_machine import requires_webgpu, run

pytestmark = requires_webgpu
RNG = np.random.default_rng(1)
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5], np.float32)


def apply(op: str, *operands: np.ndarray, lanes: bool = True) -> np.ndarray:
    n = operands[0].size
    names = ["a", "b"][: len(operands)]
    type = f"memref<{n}xf32>"
    args = ", ".join(f"%{k}_ : {type}" for k in names)
    ins = ", ".join(f"%{k} = %{k}_ : {type}" for k in names)
    loads = "\n".join(f"%{k}0 = kernel.load %{k}[i] : {type}" for k in names)
    text = f"""
    kernel.func @k0({args}) -> (%o : {type}) {{
      kernel.nest [i: par {n}] ins({ins}) outs(%c = %o : {type}) {{
        {loads}
        %r = {op} {", ".join(f"%{k}0" for k in names)} : f32
        kernel.store %r, %c[i] : {type}
      }}
    }}"""
    return run(text, operands, ["split i 4", "level i1 lane"] if lanes else [])[0]


def ulps(found: np.ndarray, exact: np.ndarray) -> float:
    """The greatest error in units in the last place of the exact value rounded to f32; subnormal results count by the least normal's."""
    rounded = exact.astype(np.float32)
    fine = np.isfinite(rounded) & (np.abs(exact) >= 2.0**-126)
    error = np.abs(found.astype(np.float64) - exact)[fine]
    return float(np.max(error / np.spacing(np.abs(rounded[fine]), dtype=np.float32).astype(np.float64)))


def spread(lo: float, hi: float, count: int = 1 << 14) -> np.ndarray:
    """Numbers in [lo, hi], half of them evenly spread, half over all magnitudes."""
    even = RNG.uniform(lo, hi, count // 2)
    magnitudes = np.exp2(RNG.uniform(-40, math.log2(max(abs(lo), abs(hi))), count // 2)) * RNG.choice(
        [-1, 1], count // 2
    )
    return np.clip(np.concatenate([even, magnitudes]), lo, hi).astype(np.float32)


erf = np.vectorize(math.erf, otypes=[float])
UNARY = {
    "exp": (np.exp, -104, 89, 2),
    "exp2": (np.exp2, -149, 128, 2),
    "expm1": (np.expm1, -20, 88, 4),
    "log": (np.log, 0, 1e38, 2),
    "log2": (np.log2, 0, 1e38, 2),
    "log10": (np.log10, 0, 1e38, 2),
    "log1p": (np.log1p, -0.999, 1e30, 4),
    "sin": (np.sin, -3.4e38, 3.4e38, 3),
    "cos": (np.cos, -3.4e38, 3.4e38, 3),
    "tan": (np.tan, -3.4e38, 3.4e38, 4),
    "asin": (np.arcsin, -1, 1, 4),
    "acos": (np.arccos, -1, 1, 4),
    "atan": (np.arctan, -1e6, 1e6, 4),
    "sinh": (np.sinh, -88, 88, 4),
    "cosh": (np.cosh, -88, 88, 4),
    "tanh": (np.tanh, -12, 12, 4),
    "asinh": (np.arcsinh, -1e30, 1e30, 4),
    "acosh": (np.arccosh, 1, 1e30, 4),
    "atanh": (np.arctanh, -0.99999, 0.99999, 4),
    "cbrt": (np.cbrt, -1e30, 1e30, 2),
    "erf": (erf, -4, 4, 4),
}


@pytest.mark.parametrize("name", UNARY)
def test_accuracy(name: str) -> None:
    exact, lo, hi, bound = UNARY[name]
    x = spread(lo, hi)
    with np.errstate(all="ignore"):
        assert ulps(apply(f"math.{name}", x), exact(x.astype(np.float64))) <= bound


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("lanes", [False, True])
def test_special_values(name: str, lanes: bool) -> None:
    x = np.concatenate([SPECIAL, [100.0, -200.0, 1e-40, 3e38, 5.0]]).astype(np.float32)
    with np.errstate(all="ignore"):
        expected = UNARY[name][0](x.astype(np.float64)).astype(np.float32)
    found = apply(f"math.{name}", x, lanes=lanes)
    tiny = np.abs(x) < 2.0**-126  # subnormal numbers may be taken for 0
    np.testing.assert_allclose(found[~tiny], expected[~tiny], rtol=2e-6)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_near_a_zero_or_a_pole(name: str) -> None:
    """Rounded multiples of pi / 2 of all sizes, and the float32 that is nearest to one of all (16367173 * 2**72)."""
    quarters = np.exp2(RNG.uniform(0, 126, 4095)).astype(np.float64).round() * (math.pi / 2)
    x = np.append(quarters, 16367173 * 2.0**72).astype(np.float32)
    exact, _, _, bound = UNARY[name]
    assert ulps(apply(f"math.{name}", x), exact(x.astype(np.float64))) <= bound


@pytest.mark.parametrize("name", ["sinh", "tanh", "asin", "atan", "asinh", "atanh", "cbrt", "erf", "sin"])
def test_signs_survive_what_a_driver_makes_of_log1p(name: str) -> None:
    x = np.linspace(-0.6, 1.7, 64, dtype=np.float32)
    n = x.size
    text = f"""
    kernel.func @k0(%x : memref<{n}xf32>) -> (%o : memref<{n}xf32>) {{
      kernel.nest [i: par {n}] ins(%a = %x : memref<{n}xf32>) outs(%c = %o : memref<{n}xf32>) {{
        %0 = kernel.load %a[i] : memref<{n}xf32>
        %1 = math.log1p %0 : f32
        %2 = math.{name} %1 : f32
        kernel.store %2, %c[i] : memref<{n}xf32>
      }}
    }}"""
    with np.errstate(all="ignore"):
        expected = UNARY[name][0](np.log1p(x.astype(np.float64)))
    np.testing.assert_allclose(run(text, [x])[0], expected, rtol=2e-6, atol=1e-7)


def test_pow() -> None:
    x, y = np.exp(RNG.uniform(-30, 30, 1 << 14)).astype(np.float32), RNG.uniform(-6, 6, 1 << 14).astype(np.float32)
    with np.errstate(all="ignore"):
        assert ulps(apply("math.powf", x, y), x.astype(np.float64) ** y.astype(np.float64)) <= 4


def test_pow_of_special_values() -> None:
    x, y = (a.ravel() for a in np.meshgrid(np.concatenate([SPECIAL, [3.0]]), np.concatenate([SPECIAL, [3.0]])))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(
            apply("math.powf", x.astype("f"), y.astype("f")), x.astype("f") ** y.astype("f"), rtol=2e-6
        )


def test_atan2() -> None:
    y, x = (
        a.ravel()
        for a in np.meshgrid(np.concatenate([SPECIAL, spread(-10, 10, 256)]), np.concatenate([SPECIAL, [7.0]]))
    )
    found = apply("math.atan2", y.astype(np.float32), x.astype(np.float32), lanes=False)
    np.testing.assert_allclose(found, np.arctan2(y, x).astype(np.float32), rtol=6e-7)


@pytest.mark.parametrize("name", ["arith.maximumf", "arith.minimumf"])
def test_extremes_propagate_nan(name: str) -> None:
    x, y = (a.ravel().astype(np.float32) for a in np.meshgrid(SPECIAL[:8], SPECIAL[:8]))
    numpy = np.maximum if name == "arith.maximumf" else np.minimum
    np.testing.assert_array_equal(apply(name, x, y), numpy(x, y))

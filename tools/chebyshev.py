"""Writes frontend/scipy/special/tables.py: Chebyshev coefficients of special functions, from SciPy's values in double precision.

Each entry is a function that is smooth on [-1, 1]: the special function, freed of its growth, in a variable that the evaluation (the other modules of that package) maps to there.
Coefficients below the precision of a double are dropped. `python tools/chebyshev.py` needs SciPy, which nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special as sp

TABLE = Path(__file__).parents[1] / "frontend" / "scipy" / "special" / "tables.py"


def between(low: float, high: float, f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """f on [low, high]."""
    return lambda t: f(low + (t + 1) * (high - low) / 2)


def beyond(start: float, f: Callable[[Any], Any], power: int = 1) -> Callable[[Any], Any]:
    """f on [start, inf), in (start / x) ** power."""
    return lambda t: f(start / np.maximum((t + 1) / 2, 1e-300) ** (1 / power))


def auxiliary(x: Any) -> tuple[Any, Any]:
    """f and g of the sine and cosine integrals, beyond 4, times x and x²."""
    si, ci = sp.sici(x)
    rest = si - np.pi / 2
    return x * (ci * np.sin(x) - rest * np.cos(x)), -(x**2) * (ci * np.cos(x) + rest * np.sin(x))


def fresnel_auxiliary(x: Any) -> tuple[Any, Any]:
    """f and g of the Fresnel integrals, times pi x and pi² x³."""
    s, c = sp.fresnel(x)
    angle = np.pi / 2 * x**2
    f = (0.5 - s) * np.cos(angle) - (0.5 - c) * np.sin(angle)
    g = (0.5 - c) * np.cos(angle) + (0.5 - s) * np.sin(angle)
    return np.pi * x * f, np.pi**2 * x**3 * g


FUNCTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "I0E_NEAR": ("i0e on [0, 8]", between(0, 8, sp.i0e)),
    "I0E_FAR": ("sqrt(x) i0e beyond 8, in 8 / x", beyond(8, lambda x: np.sqrt(x) * sp.i0e(x))),
    "I1E_NEAR": ("i1e / x on [0, 8]", between(0, 8, lambda x: np.where(x < 1e-8, 0.5, sp.i1e(x) / np.maximum(x, 1e-8)))),
    "I1E_FAR": ("sqrt(x) i1e beyond 8, in 8 / x", beyond(8, lambda x: np.sqrt(x) * sp.i1e(x))),
    "SPENCE": ("spence / (x - 1) on [1/2, 3/2]", between(0.5, 1.5, lambda x: _spence(x))),
    "EIN": ("(E1(x) + log x + gamma) / x on [0, 2]", between(0, 2, lambda x: _ein(x))),
    "E1_FAR": ("x exp(x) E1(x) beyond 2, in 2 / x", beyond(2, lambda x: _e1(x))),
    "EI_NEAR": ("(Ei(x) - log x - gamma) / x on [0, 6]", between(0, 6, lambda x: _ei(x))),
    "EI_MIDDLE": ("x exp(-x) Ei(x) on [6, 24], in 6 / x", lambda t: _ei_far(6 / (0.25 + (t + 1) / 2 * 0.75))),
    "EI_FAR": ("x exp(-x) Ei(x) beyond 24, in 24 / x", beyond(24, lambda x: _ei_far(x))),
    "ERFCX": ("(1 + 2x) erfcx(x) for x >= 0, in (x - 3.75) / (x + 3.75)", lambda t: _erfcx(3.75 * (1 + t) / np.maximum(1 - t, 1e-300))),
    "DAWSON_NEAR": ("dawsn / x on [0, 3], in x²", between(0, 9, lambda s: _over(sp.dawsn, np.sqrt(s), 1.0))),
    "DAWSON_MIDDLE": ("x dawsn on [3, 6], in x", between(3, 6, lambda x: x * sp.dawsn(x))),
    "DAWSON_FAR": ("x dawsn beyond 6, in (6 / x)²", beyond(6, lambda x: np.where(x > 1e7, 0.5, x * sp.dawsn(x)), 2)),
    "SI_NEAR": ("Si / x on [0, 4], in x²", between(0, 16, lambda s: _over(lambda x: sp.sici(x)[0], np.sqrt(s), 1.0))),
    "CI_NEAR": ("(Ci - log x - gamma) / x² on [0, 4], in x²", between(0, 16, lambda s: _cin(np.sqrt(s)))),
    "SINE_F": ("x f(x) beyond 4, in (4 / x)²", beyond(4, lambda x: np.where(x > 1e4, 1 - 2 / x**2, auxiliary(np.minimum(x, 1e4))[0]), 2)),
    "SINE_G": ("x² g(x) beyond 4, in (4 / x)²", beyond(4, lambda x: np.where(x > 1e3, 1 - 6 / x**2 + 120 / x**4, auxiliary(np.minimum(x, 1e3))[1]), 2)),
    "FRESNEL_S_NEAR": ("S / x³ on [0, 1.6], in x⁴", between(0, 1.6**4, lambda q: _over3(q))),
    "FRESNEL_C_NEAR": ("C / x on [0, 1.6], in x⁴", between(0, 1.6**4, lambda q: _over(lambda x: sp.fresnel(x)[1], q**0.25, 1.0))),
    "FRESNEL_F": ("pi x f(x) beyond 1.6, in (1.6 / x)⁴", beyond(1.6, lambda x: np.where(x > 30, 1 - 3 / (np.pi * x**2) ** 2, fresnel_auxiliary(np.minimum(x, 30))[0]), 4)),
    "FRESNEL_G": ("pi² x³ g(x) beyond 1.6, in (1.6 / x)⁴", beyond(1.6, lambda x: np.where(x > 15, 1 - 15 / (np.pi * x**2) ** 2, fresnel_auxiliary(np.minimum(x, 15))[1]), 4)),
}  # fmt: skip


def _over(f: Callable[[Any], Any], x: Any, limit: float) -> Any:
    return np.where(x < 1e-6, limit, f(x) / np.maximum(x, 1e-6))


def _over3(q: Any) -> Any:
    x = q**0.25
    return np.where(x < 1e-3, np.pi / 6, sp.fresnel(x)[0] / np.maximum(x, 1e-3) ** 3)


def _series(x: Any, sign: float, first: int, factor: Callable[[int], float]) -> Any:
    total, term = np.zeros_like(x), np.ones_like(x)
    for k in range(1, 80):
        term = term * x / k
        total = total + sign ** (k + 1) * term / factor(k)
    return total


def _spence(x: Any) -> Any:
    w = x - 1
    total = np.zeros_like(x)
    for k in range(1, 120):
        total = total + (-1) ** k * w ** (k - 1) / k**2
    return total


def _ein(x: Any) -> Any:
    safe = np.maximum(x, 1e-12)
    return np.where(x < 1e-12, 1.0, _series(safe, -1.0, 1, float) / safe)


def _ei(x: Any) -> Any:
    safe = np.maximum(x, 1e-12)
    return np.where(x < 1e-12, 1.0, _series(safe, 1.0, 1, float) / safe)


def _e1(x: Any) -> Any:
    near = np.minimum(x, 500.0)
    far = 1 - 1 / x + 2 / x**2 - 6 / x**3 + 24 / x**4
    return np.where(x > 500, far, near * np.exp(near) * sp.exp1(near))


def _ei_far(x: Any) -> Any:
    near = np.minimum(x, 500.0)
    far = 1 + 1 / x + 2 / x**2 + 6 / x**3 + 24 / x**4 + 120 / x**5
    return np.where(x > 500, far, near * np.exp(-near) * sp.expi(near))


def _erfcx(x: Any) -> Any:
    return np.where(x > 1e8, 2 / np.sqrt(np.pi), (1 + 2 * np.minimum(x, 1e8)) * sp.erfcx(np.minimum(x, 1e8)))


def _cin(x: Any) -> Any:
    s = x * x
    total, term = np.zeros_like(x), np.ones_like(x)
    for k in range(1, 40):
        term = -term * (s if k > 1 else 1) / ((2 * k - 1) * (2 * k))
        total = total + term / (2 * k)
    return total


def coefficients(f: Callable[[Any], Any]) -> list[float]:
    """Up to where they fall below the rounding of the function's values."""
    angles = (np.arange(2048) + 0.5) * np.pi / 2048  # many, so that rounding averages out
    found = np.cos(np.outer(np.arange(64), angles)) @ f(np.cos(angles)) / 1024
    found[0] /= 2
    limit = max(4e-17 * np.abs(found).max(), 4 * np.median(np.abs(found[-16:])))
    last = max(i for i, c in enumerate(found) if abs(c) > limit)
    return [float(c) for c in found[: last + 1]]


def main() -> None:
    lines = ['"""Chebyshev coefficients of special functions on [-1, 1], written by tools/chebyshev.py."""', ""]
    for name, (what, f) in FUNCTIONS.items():
        found = coefficients(f)
        print(f"{name}: {len(found)}")
        rows = [", ".join(f"{c:.17g}" for c in found[i : i + 5]) for i in range(0, len(found), 5)]
        lines += [f"# {what}", f"{name} = (", *(f"    {row}," for row in rows), ")  # fmt: skip", ""]
    TABLE.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()

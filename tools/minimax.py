"""How the polynomials of `coefficients.py` were found: Remez's exchange in 60-digit arithmetic. A developer's tool (needs mpmath), never imported by weft.

`python tools/minimax.py > passes/wasm/coefficients.py` writes the table anew. Each polynomial approximates `f` on an interval so that the greatest
weighted error is least; the weight makes that the relative error of the function it serves, not of the correction term it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mp, mpf

mp.dps = 60
Function = Callable[[Any], Any]


def remez(
    f: Function, lo: float, hi: float, degree: int, weight: Function = lambda x: 1, rounds: int = 6
) -> tuple[list[Any], float]:
    """Coefficients (constant first) of the polynomial of `degree` least far from f on [lo, hi], and log2 of its greatest weighted error."""
    n = degree + 2
    low, high = mpf(lo), mpf(hi)
    nodes = [(low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * k / (n - 1)) for k in range(n)]
    samples = [
        (low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * (k + mpf(1) / 2) / (24 * n)) for k in range(24 * n)
    ]
    values = [(x, f(x), weight(x)) for x in samples]
    coefficients: list[Any] = []
    worst = mpf(0)
    for _ in range(rounds):
        system = mpmath.matrix(
            [[x**k for k in range(degree + 1)] + [(-1) ** i / weight(x)] for i, x in enumerate(nodes)]
        )
        solution = mpmath.lu_solve(system, mpmath.matrix([f(x) for x in nodes]))
        coefficients = list(solution)[:-1]
        errors = [(x, (mpmath.polyval(coefficients[::-1], x) - y) * w) for x, y, w in values]
        worst = max(abs(e) for _, e in errors)
        peaks: list[tuple[Any, Any]] = []  # one extremum for each run of equal sign
        for x, e in errors:
            if peaks and (peaks[-1][1] > 0) == (e > 0):
                if abs(e) > abs(peaks[-1][1]):
                    peaks[-1] = (x, e)
            else:
                peaks.append((x, e))
        while len(peaks) > n:
            peaks.pop(0 if abs(peaks[0][1]) < abs(peaks[-1][1]) else -1)
        if len(peaks) < n:
            break
        nodes = [x for x, _ in peaks]
    return coefficients, float(mpmath.log(worst, 2))


def series(f: Function, at_zero: Any) -> Function:
    """f with its limit at 0, where the formula divides by zero."""
    return lambda x: at_zero if x == 0 else f(x)


def _log_term(z: Any) -> Any:
    s = mpmath.sqrt(z)
    return (mpmath.log((1 + s) / (1 - s)) - 2 * s) / (s * z) if z else mpf(2) / 3


def _atanh_rest(z: Any) -> Any:
    """g with atanh(s) = s * (1 + z / 3 + z * z * g(z)), z = s * s."""
    s = mpmath.sqrt(z)
    return (mpmath.atanh(s) / s - 1 - z / 3) / z**2


def _odd(f: Function) -> Function:
    """g with f(x) = x + x * z * g(z), z = x * x."""

    def term(z: Any) -> Any:
        x = mpmath.sqrt(z)
        return (f(x) - x) / (x * z)

    return term


LN2 = mpmath.log(2)
TINY = mpf(10) ** -20  # stands for 0 where 60 digits still hold the quotient

# name: (function, lo, hi, weight, degree for float32, degree for float64, degree for float32's power, computed in float64 lanes)
POLYNOMIALS: dict[str, tuple[Function, Any, Any, Function, int | None, int, int | None]] = {
    "exp": (
        series(lambda r: (mpmath.expm1(r) - r) / r**2, mpf(1) / 2),
        -LN2 / 2,
        LN2 / 2,
        lambda r: abs(r) + TINY,
        4,
        10,
        6,
    ),
    "log": (_log_term, TINY, mpf("0.02945"), lambda z: z, 2, 6, 4),
    "atanh": (_atanh_rest, TINY, mpf("0.02945"), lambda z: z**2, None, 7, None),
    "sin": (_odd(mpmath.sin), TINY, mpf("0.6169"), lambda z: z, 2, 6, None),
    "cos": (lambda z: (mpmath.cos(mpmath.sqrt(z)) - 1 + z / 2) / z**2, TINY, mpf("0.6169"), lambda z: z**2, 2, 6, None),
    "asin": (_odd(mpmath.asin), TINY, mpf("0.25"), lambda z: z, 4, 12, None),
    "atan": (_odd(mpmath.atan), TINY, mpf("0.17158"), lambda z: z, 4, 10, None),
    "erf": (lambda z: mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z), TINY, mpf(1), lambda z: 1, 6, 12, None),
}
# erfc(x) * exp(x * x) over [1, 4] and [1, 6], in t = (x - middle) / (x + middle): that variable makes the tail nearly a straight line
TAILS = {"f32": (2, 4, 6), "f64": (3, 6, 16)}


def _tail(middle: int) -> tuple[Function, Function]:
    def at(t: Any) -> Any:
        return middle * (1 + t) / (1 - t)

    return lambda t: mpmath.erfc(at(t)) * mpmath.exp(at(t) ** 2), lambda t: mpmath.exp(-(at(t) ** 2))


def main() -> None:
    print(
        '"""Minimax polynomials, constant term first; written by `tools/minimax.py`, which tells what each one approximates. The comment is log2 of the error."""\n'
    )
    for precision in ("f32", "f64", "f32_power"):
        print(f"{precision.upper()}: dict[str, tuple[float, ...]] = {{")
        for name, (f, lo, hi, weight, *degrees) in POLYNOMIALS.items():
            if (degree := dict(zip(("f32", "f64", "f32_power"), degrees, strict=True))[precision]) is not None:
                show(name, *remez(f, lo, hi, degree, weight))
        if precision in TAILS:
            middle, end, degree = TAILS[precision]
            f, weight = _tail(middle)
            show("erfc", *remez(f, mpf(1 - middle) / (1 + middle), mpf(end - middle) / (end + middle), degree, weight))
        print("}" + ("\n" if precision != "f32_power" else ""))


def show(name: str, coefficients: list[Any], error: float) -> None:
    print(f'    "{name}": (  # {error:.1f}')
    for c in coefficients:
        print(f"        {float(c)!r},")
    print("    ),")


if __name__ == "__main__":
    main()

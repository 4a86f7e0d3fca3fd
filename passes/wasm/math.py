"""Elementary functions on vectors: exp, log, sin … for f32x4 and f64x2, out of one set of formulas.

The methods are told where the functions are (`angles`, `exponentials`, `powers`); the polynomials are minimax ones of our own (`tools/minimax.py`). Greatest error seen for float32 over its whole range, in units in the last place of the correctly rounded result
(tests/unit/test_vector_math.py holds each of them to its bound): see `BOUNDS`. For float64 they are within a few ulp too (pow: 2), except angles beyond 1e8.
NaN, infinities, signed zeros and denormals come out as IEEE 754 and C's Annex F have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.passes.wasm.angles import acos, asin, atan, atan2, cos, sin, tan
from weft.passes.wasm.exponentials import (
    acosh,
    asinh,
    atanh,
    cosh,
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    power_of_two,
    reduce_exp,
    sinh,
    table_of,
    tanh,
)
from weft.passes.wasm.powers import cbrt, powf
from weft.passes.wasm.vectors import F32, F64, Builder, Value, Vec, polynomial

BOUNDS = {
    "exp": 2, "exp2": 2, "expm1": 4, "log": 2, "log2": 3, "log10": 3, "log1p": 3, "sin": 3, "cos": 3, "tan": 4, "sinh": 4, "cosh": 3, "tanh": 4,
    "asin": 3, "acos": 3, "atan": 3, "atan2": 3, "asinh": 4, "acosh": 4, "atanh": 4, "erf": 3, "powf": 1, "cbrt": 1, "rsqrt": 2,
}  # fmt: skip
"""float32: units in the last place that each function may be off."""


def erf(x: Vec) -> Vec:
    """A polynomial up to 1; beyond, 1 - exp(-x * x) times one in (|x| - m) / (|x| + m)."""
    table = table_of(x)
    middle, end = (2.0, 4.0) if x.format is F32 else (3.0, 6.0)
    a = abs(x).at_most(end)
    z = a * a
    p, n = reduce_exp(-z)
    tail = (p + 1.0) * power_of_two(n) * polynomial((a - middle) / (a + middle), table["erfc"])
    return (a > 1.0).choose(1.0 - tail, a * polynomial(z, table["erf"])).with_sign_of(x)


def rsqrt(x: Vec) -> Vec:
    """1 / sqrt(x): two rounded operations."""
    return 1.0 / x.sqrt()


FUNCTIONS: dict[str, Callable[..., Vec]] = {
    f.__name__: f
    for f in (
        exp,
        exp2,
        expm1,
        log,
        log2,
        log10,
        log1p,
        sin,
        cos,
        tan,
        sinh,
        cosh,
        tanh,
        asin,
        acos,
        atan,
        atan2,
        asinh,
        acosh,
        atanh,
        erf,
        powf,
        cbrt,
        rsqrt,
    )
}
"""By the name of the op of the math dialect."""


def emit(b: Builder, name: str, bits: int, *values: Value, relaxed: bool = True, **known: Any) -> Value:
    """The function of that name on f32x4 (bits = 32) or f64x2 (bits = 64) values. `known`: what is known of all lanes before the program runs (`exponent` of powf)."""
    form = F32 if bits == 32 else F64
    return FUNCTIONS[name](*(Vec(b, form, v, relaxed) for v in values), **known).value

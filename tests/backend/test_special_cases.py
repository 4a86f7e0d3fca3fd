"""Values at the edges, by the array API standard 2024.12: what each elementwise function is of zeros, infinities and NaN, on every device.

A case is `arguments -> result`; a complex number is two words. `~` before a number leaves its sign open, as the standard does. Functions of one complex number are also held to
f(conj z) = conj f(z). Where the standard departs from C99 (tanh at inf + 2i, sqrt at ±inf + i), C99 decides, as for NumPy; where JAX departs from the standard (the signs of zeros of
sign, floor_divide and remainder; floor_divide at infinities), JAX decides: those cases are left out here.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import weft
import weft.numpy as xp

UNARY = {
    "abs": "-0 -> 0, -inf -> inf, nan -> nan",
    "acos": "nan -> nan, 1.5 -> nan, -1.5 -> nan, 1 -> 0",
    "acosh": "nan -> nan, 0.5 -> nan, -inf -> nan, 1 -> 0, inf -> inf",
    "asin": "nan -> nan, 2 -> nan, -2 -> nan, 0 -> 0, -0 -> -0",
    "asinh": "nan -> nan, 0 -> 0, -0 -> -0, inf -> inf, -inf -> -inf",
    "atan": "nan -> nan, 0 -> 0, -0 -> -0, inf -> pi/2, -inf -> -pi/2",
    "atanh": "nan -> nan, -2 -> nan, 2 -> nan, -1 -> -inf, 1 -> inf, 0 -> 0, -0 -> -0",
    "ceil": "inf -> inf, -inf -> -inf, 0 -> 0, -0 -> -0, nan -> nan, -0.5 -> -0, 7 -> 7",
    "cos": "nan -> nan, 0 -> 1, -0 -> 1, inf -> nan, -inf -> nan",
    "cosh": "nan -> nan, 0 -> 1, -0 -> 1, inf -> inf, -inf -> inf",
    "exp": "nan -> nan, 0 -> 1, -0 -> 1, inf -> inf, -inf -> 0",
    "expm1": "nan -> nan, 0 -> 0, -0 -> -0, inf -> inf, -inf -> -1",
    "floor": "inf -> inf, -inf -> -inf, 0 -> 0, -0 -> -0, nan -> nan, -0.5 -> -1, 7 -> 7",
    "log": "nan -> nan, -2 -> nan, -inf -> nan, 0 -> -inf, -0 -> -inf, 1 -> 0, inf -> inf",
    "log1p": "nan -> nan, -2 -> nan, -1 -> -inf, -0 -> -0, 0 -> 0, inf -> inf",
    "log2": "nan -> nan, -2 -> nan, 0 -> -inf, -0 -> -inf, 1 -> 0, inf -> inf",
    "log10": "nan -> nan, -2 -> nan, 0 -> -inf, -0 -> -inf, 1 -> 0, inf -> inf",
    "negative": "0 -> -0, -0 -> 0, inf -> -inf, nan -> nan",
    "reciprocal": "0 -> inf, -0 -> -inf, inf -> 0, -inf -> -0, nan -> nan",
    "round": "inf -> inf, -inf -> -inf, 0 -> 0, -0 -> -0, nan -> nan, 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, -0.5 -> -0, -1.5 -> -2",
    "sign": "-3 -> -1, -inf -> -1, inf -> 1, nan -> nan, 0 -> ~0, -0 -> ~0",
    "sin": "nan -> nan, 0 -> 0, -0 -> -0, inf -> nan, -inf -> nan",
    "sinh": "nan -> nan, 0 -> 0, -0 -> -0, inf -> inf, -inf -> -inf",
    "sqrt": "nan -> nan, -1 -> nan, 0 -> 0, -0 -> -0, inf -> inf",
    "square": "-0 -> 0, -inf -> inf, nan -> nan",
    "tan": "nan -> nan, 0 -> 0, -0 -> -0, inf -> nan, -inf -> nan",
    "tanh": "nan -> nan, 0 -> 0, -0 -> -0, inf -> 1, -inf -> -1",
    "trunc": "inf -> inf, -inf -> -inf, 0 -> 0, -0 -> -0, nan -> nan, -0.5 -> -0, 2.5 -> 2",
}

BINARY = {
    "add": "inf -inf -> nan, -inf inf -> nan, inf inf -> inf, inf 3 -> inf, 3 -inf -> -inf, -0 -0 -> -0, -0 0 -> 0, 0 -0 -> 0, 2 -2 -> 0, nan 1 -> nan",
    "subtract": "inf inf -> nan, -inf -inf -> nan, -0 0 -> -0, 0 0 -> 0, 0 -0 -> 0, 2 2 -> 0, 1 nan -> nan",
    "multiply": "inf 0 -> nan, -0 -inf -> nan, inf -inf -> -inf, -2 inf -> -inf, -1 0 -> -0, -1 -0 -> 0, nan 0 -> nan",
    "divide": "inf -inf -> nan, 0 -0 -> nan, 0 -3 -> -0, -0 -3 -> 0, 3 0 -> inf, 3 -0 -> -inf, -3 -0 -> inf, inf -2 -> -inf, 3 -inf -> -0, nan 1 -> nan",
    "floor_divide": "nan 1 -> nan, inf inf -> nan, 0 0 -> nan, 0 2 -> 0, 0 -2 -> -0, 3 0 -> inf, 3 -0 -> -inf, -3 0 -> -inf, -3 -0 -> inf, 3 inf -> 0, 7 -2 -> -4",
    "remainder": "nan 1 -> nan, inf 2 -> nan, -inf -2 -> nan, 0 0 -> nan, 0 2 -> 0, -0 -2 -> -0, 3 0 -> nan, 3 inf -> 3, 3 -inf -> -inf, -3 inf -> inf, -3 -inf -> -3",
    "pow": """2 nan -> nan, nan 0 -> 1, nan -0 -> 1, nan 2 -> nan, 1 nan -> 1, -2 inf -> inf, 2 -inf -> 0, -1 inf -> 1, -1 -inf -> 1, 0.5 inf -> 0, -0.5 -inf -> inf, inf 2 -> inf,
        inf -2 -> 0, -inf 3 -> -inf, -inf 2 -> inf, -inf 0.5 -> inf, -inf -3 -> -0, -inf -2 -> 0, 0 2 -> 0, 0 -2 -> inf, -0 3 -> -0, -0 2 -> 0, -0 0.5 -> 0, -0 -3 -> -inf, -0 -2 -> inf, -8 0.5 -> nan""",
    "atan2": """nan 1 -> nan, 3 0 -> pi/2, 3 -0 -> pi/2, 0 3 -> 0, 0 0 -> 0, 0 -0 -> pi, 0 -3 -> pi, -0 3 -> -0, -0 0 -> -0, -0 -0 -> -pi, -0 -3 -> -pi, -3 0 -> -pi/2, 3 inf -> 0,
        3 -inf -> pi, -3 inf -> -0, -3 -inf -> -pi, inf 3 -> pi/2, -inf 3 -> -pi/2, inf inf -> pi/4, inf -inf -> 3*pi/4, -inf inf -> -pi/4, -inf -inf -> -3*pi/4""",
    "copysign": "3 -0 -> -3, -3 0 -> 3, -3 2 -> 3, inf -1 -> -inf, 0 -1 -> -0",
    "hypot": "inf nan -> inf, nan -inf -> inf, -0 3 -> 3, -4 0 -> 4, 1 nan -> nan, nan nan -> nan",
    "logaddexp": "nan 1 -> nan, 1 nan -> nan, inf nan -> nan, inf 1 -> inf, -inf inf -> inf, -inf -inf -> -inf, -inf 1 -> 1",
    "maximum": "nan 1 -> nan, 1 nan -> nan, inf 1 -> inf, -inf -1 -> -1",
    "minimum": "nan 1 -> nan, 1 nan -> nan, -inf 1 -> -inf, inf 1 -> 1",
    "nextafter": "nan 1 -> nan, 1 nan -> nan, -0 0 -> 0, 0 -0 -> -0, inf inf -> inf",
}

COMPLEX = {
    "acos": """0 0 -> pi/2 -0, -0 0 -> pi/2 -0, -0 nan -> pi/2 nan, 3 inf -> pi/2 -inf, 3 nan -> nan nan, -inf 3 -> pi -inf, inf 3 -> 0 -inf, -inf inf -> 3*pi/4 -inf,
        inf inf -> pi/4 -inf, inf nan -> nan ~inf, nan 3 -> nan nan, nan inf -> nan -inf, nan nan -> nan nan""",
    "acosh": """0 0 -> 0 pi/2, -0 0 -> 0 pi/2, 3 inf -> inf pi/2, 3 nan -> nan nan, 0 nan -> nan ~pi/2, -inf 3 -> inf pi, inf 3 -> inf 0, -inf inf -> inf 3*pi/4,
        inf inf -> inf pi/4, -inf nan -> inf nan, nan 3 -> nan nan, nan inf -> inf nan, nan nan -> nan nan""",
    "asin": "0 0 -> 0 0, -0 0 -> -0 0, inf 3 -> pi/2 inf, -inf 3 -> -pi/2 inf, inf inf -> pi/4 inf, 3 inf -> 0 inf, 0 nan -> 0 nan, nan inf -> nan inf, nan nan -> nan nan",
    "asinh": """0 0 -> 0 0, 3 inf -> inf pi/2, 3 nan -> nan nan, inf 3 -> inf 0, inf inf -> inf pi/4, inf nan -> inf nan, nan 0 -> nan 0, nan 3 -> nan nan, nan inf -> ~inf nan,
        nan nan -> nan nan""",
    "atan": "0 0 -> 0 0, inf 3 -> pi/2 0, inf inf -> pi/2 0, 3 inf -> pi/2 0, nan 0 -> nan 0, nan 3 -> nan nan, nan inf -> nan 0, inf nan -> pi/2 ~0, nan nan -> nan nan",
    "atanh": """0 0 -> 0 0, 0 nan -> 0 nan, 1 0 -> inf 0, 3 inf -> 0 pi/2, 3 nan -> nan nan, inf 3 -> 0 pi/2, inf inf -> 0 pi/2, inf nan -> 0 nan, nan 3 -> nan nan,
        nan inf -> ~0 pi/2, nan nan -> nan nan""",
    "cos": "0 0 -> 1 -0, inf 0 -> nan ~0, 0 inf -> inf -0, inf 3 -> nan nan, nan nan -> nan nan, 0 nan -> nan ~0, inf inf -> ~inf nan",
    "cosh": """0 0 -> 1 0, 0 inf -> nan ~0, 0 nan -> nan ~0, 3 inf -> nan nan, 3 nan -> nan nan, inf 0 -> inf 0, inf 3 -> -inf inf, inf inf -> inf nan, inf nan -> inf nan,
        nan 0 -> nan ~0, nan 3 -> nan nan, nan nan -> nan nan""",
    "exp": """0 0 -> 1 0, -0 0 -> 1 0, 3 inf -> nan nan, 3 nan -> nan nan, inf 0 -> inf 0, -inf 3 -> -0 0, inf 3 -> -inf inf, -inf inf -> ~0 ~0, inf inf -> ~inf nan,
        -inf nan -> ~0 ~0, inf nan -> ~inf nan, nan 0 -> nan 0, nan 3 -> nan nan, nan nan -> nan nan""",
    "expm1": """0 0 -> 0 0, -0 0 -> ~0 0, 1e30 0 -> inf 0, 3 inf -> nan nan, 3 nan -> nan nan, inf 0 -> inf 0, -inf 3 -> -1 0, inf 3 -> -inf inf, -inf inf -> -1 ~0, inf inf -> ~inf nan,
        -inf nan -> -1 ~0, inf nan -> ~inf nan, nan 0 -> nan 0, nan 3 -> nan nan, nan nan -> nan nan""",
    "log": """-0 0 -> -inf pi, 0 0 -> -inf 0, 3 inf -> inf pi/2, 3 nan -> nan nan, -inf 3 -> inf pi, inf 3 -> inf 0, -inf inf -> inf 3*pi/4, inf inf -> inf pi/4, -inf nan -> inf nan,
        nan 3 -> nan nan, nan inf -> inf nan, nan nan -> nan nan""",
    "log1p": """-1 0 -> -inf 0, 3 inf -> inf pi/2, 3 nan -> nan nan, -inf 3 -> inf pi, inf 3 -> inf 0, -inf inf -> inf 3*pi/4, inf inf -> inf pi/4, inf nan -> inf nan,
        nan 3 -> nan nan, nan inf -> inf nan, nan nan -> nan nan""",
    "log2": "0 0 -> -inf 0, inf 3 -> inf 0, 3 nan -> nan nan, -inf nan -> inf nan, nan inf -> inf nan",
    "log10": "0 0 -> -inf 0, inf 3 -> inf 0, 3 nan -> nan nan, -inf nan -> inf nan, nan inf -> inf nan",
    "sign": "nan 1 -> nan nan, 1 nan -> nan nan, 0 0 -> 0 0, 3 4 -> 0.6 0.8, inf 1 -> nan 0",
    "sin": "0 0 -> 0 0, 0 inf -> 0 inf, 3 inf -> inf -inf, inf 3 -> nan nan, inf 0 -> nan 0, nan 0 -> nan 0, 0 nan -> 0 nan, nan nan -> nan nan",
    "sinh": """0 0 -> 0 0, 0 inf -> ~0 nan, 0 nan -> ~0 nan, 3 inf -> nan nan, 3 nan -> nan nan, inf 0 -> inf 0, inf 3 -> -inf inf, inf inf -> ~inf nan, inf nan -> ~inf nan,
        nan 0 -> nan 0, nan 3 -> nan nan, nan nan -> nan nan""",
    "sqrt": """0 0 -> 0 0, -0 0 -> 0 0, 3 inf -> inf inf, nan inf -> inf inf, 3 nan -> nan nan, -inf 3 -> 0 inf, inf 3 -> inf 0, -inf nan -> nan ~inf, inf nan -> inf nan, nan 3 -> nan nan,
        nan nan -> nan nan""",
    "tan": "0 0 -> 0 0, 0 inf -> 0 1, nan 0 -> nan 0, inf 0 -> nan 0, inf 3 -> nan nan, nan nan -> nan nan",
    "tanh": """0 0 -> 0 0, 3 inf -> nan nan, 30 inf -> nan nan, 30 nan -> nan nan, 1e30 1 -> 1 0, 0 inf -> 0 nan, 3 nan -> nan nan, 0 nan -> 0 nan, inf 1 -> 1 0, inf inf -> 1 ~0, inf nan -> 1 ~0, nan 0 -> nan 0, nan 3 -> nan nan,
        nan nan -> nan nan""",
}  # fmt: skip

COMPLEX_PAIRS = {
    "add": "inf 1 -inf 2 -> nan 3, -0 -0 -0 -0 -> -0 -0, 1 nan 2 3 -> 3 nan, inf inf 1 1 -> inf inf",
    "multiply": "1 2 3 -4 -> 11 2, inf 1 1 0 -> inf nan, nan 1 1 1 -> nan nan, 0 1 0 1 -> -1 0",
    "divide": "1 1 0 0 -> inf inf, -1 2 0 0 -> -inf inf, 0 1 0 0 -> nan inf, nan 1 0 0 -> nan inf, 1 -inf 0 0 -> inf -inf, 0 0 0 0 -> nan nan, 1 1 inf 0 -> 0 0, 4 2 1 1 -> 3 -1, 1 nan 2 3 -> nan nan",
}  # fmt: skip


def cases(text: str) -> tuple[list[list[float]], list[list[tuple[float, bool]]]]:
    """Arguments and results of each case; a result says whether its sign is open."""
    found = [[side.split() for side in case.split("->")] for case in text.split(",")]
    arguments = [[number(w) for w in left] for left, _ in found]
    return arguments, [[(number(w.lstrip("~")), w[0] == "~") for w in right] for _, right in found]


def number(word: str) -> float:
    """A word as a number: a multiple of pi, or what `float` reads."""
    if "pi" not in word:
        return float(word)
    factor, _, over = word.replace("*", "").replace("pi", " ").partition(" ")
    return float({"": 1, "-": -1}.get(factor, factor)) * math.pi / float(over.lstrip("/") or 1)


def agrees(found: float, wanted: float, open_sign: bool) -> bool:
    """Whether a result is what was wanted, in its last digits and in its sign, a zero's too."""
    if math.isnan(wanted):
        return math.isnan(found)
    if open_sign:
        found, wanted = abs(found), abs(wanted)
    same_sign = math.copysign(1, found) == math.copysign(1, wanted)
    return same_sign and (found == wanted or math.isclose(found, wanted, rel_tol=1e-5))


def check(device: str, name: str, arguments: list[np.ndarray], wanted: list[list[tuple[float, bool]]]) -> None:
    """Computes all cases of a function in one call, and lists those that differ."""
    with weft.default_device(device):
        found = np.asarray(getattr(xp, name)(*map(xp.asarray, arguments)))
    parts = [[v.real, v.imag] if found.dtype.kind == "c" else [v] for v in found.tolist()]
    wrong = [
        f"{name}({', '.join(str(a[k]) for a in arguments)}) is {found[k]}, not {' '.join('~' * o + str(w) for w, o in want)}"
        for k, (have, want) in enumerate(zip(parts, wanted, strict=True))
        if not all(agrees(h, *w) for h, w in zip(have, want, strict=True))
    ]
    assert not wrong, "\n".join(wrong)


DEVICES = [str(d) for d in weft.devices()]
REAL = {**UNARY, **BINARY}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("device", DEVICES)
def test_real(device: str, name: str) -> None:
    arguments, wanted = cases(REAL[name])
    for dtype in ("float32", "float16"):
        if dtype == "float32" or name in ("add", "divide", "sqrt", "exp", "maximum"):
            check(device, name, [np.asarray(a, dtype) for a in zip(*arguments, strict=True)], wanted)


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("device", DEVICES)
def test_complex(device: str, name: str) -> None:
    arguments, wanted = cases(COMPLEX[name])
    z = np.asarray([complex(*a) for a in arguments], np.complex64)
    check(device, name, [z], wanted)
    check(device, name, [z.conj()], [[w[0], (-w[1][0], w[1][1])] for w in wanted])


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("device", [d for d in DEVICES if d != "webgpu"])
def test_float64(device: str, name: str) -> None:
    arguments, wanted = cases(REAL[name])
    with weft.enable_x64():
        check(device, name, [np.asarray(a, np.float64) for a in zip(*arguments, strict=True)], wanted)


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("device", [d for d in DEVICES if d != "webgpu"])
def test_complex128(device: str, name: str) -> None:
    arguments, wanted = cases(COMPLEX[name])
    with weft.enable_x64():
        check(device, name, [np.asarray([complex(*a) for a in arguments])], wanted)


@pytest.mark.parametrize("name", COMPLEX_PAIRS)
@pytest.mark.parametrize("device", DEVICES)
def test_two_complex(device: str, name: str) -> None:
    arguments, wanted = cases(COMPLEX_PAIRS[name])
    pairs = [(complex(*a[:2]), complex(*a[2:])) for a in arguments]
    check(device, name, [np.asarray(z, np.complex64) for z in zip(*pairs, strict=True)], wanted)

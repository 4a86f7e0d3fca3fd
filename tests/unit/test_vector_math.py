"""Every function of passes/wasm/math.py against correctly rounded values: interpreted with NumPy, in both roundings that `relaxed_madd` allows."""

from __future__ import annotations

import math
import re
from contextlib import nullcontext

import numpy as np
import pytest

from weft.passes.wasm import math as vector_math
from weft.passes.wasm.powers import HALVES

SHAPES = {"f32x4": np.float32, "f64x2": np.float64, "i32x4": np.int32, "i64x2": np.int64, "i8x16": np.int8}
UNSIGNED = {"i32x4": np.uint32, "i64x2": np.uint64, "i8x16": np.uint8}
BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
UNARY = {"neg": np.negative, "abs": np.abs, "sqrt": np.sqrt, "floor": np.floor}
COMPARE = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}


class Interpreter:
    """A builder that computes at once. A vector is an array of bytes, many v128 long: every lane of it goes through the same instructions."""

    def __init__(self, length: int, fused: bool):
        self.length, self.fused = length, fused

    def const_i32(self, value: int):
        return value

    def const_v128(self, shape: str, *lanes: float):
        count = int(shape.partition("x")[2])
        one = np.array(lanes * (count if len(lanes) == 1 else 1))
        return np.tile(
            one.astype(SHAPES[shape] if shape[0] == "f" else np.int64).astype(SHAPES[shape]), self.length
        ).view(np.uint8)

    def if_(self, cond: int):
        return Branch(self)

    def yield_(self, *values):
        self.yielded.append(values)

    def inst(self, mnemonic: str, *args, imm: tuple[int, ...] = ()):
        shape, name = mnemonic.split(".")
        result = self.v128(name, *args) if shape == "v128" else self.lanes(shape, name, args, imm)
        return np.ascontiguousarray(result).reshape(-1).view(np.uint8) if isinstance(result, np.ndarray) else result

    def v128(self, name: str, *args):
        match name:
            case "and":
                return args[0] & args[1]
            case "or":
                return args[0] | args[1]
            case "xor":
                return args[0] ^ args[1]
            case "andnot":
                return args[0] & ~args[1]
            case "bitselect":
                return (args[0] & args[2]) | (args[1] & ~args[2])
            case "any_true":
                return int(args[0].any())
        raise NotImplementedError(name)

    def lanes(self, shape: str, name: str, args, imm):
        type, unsigned = SHAPES[shape], UNSIGNED.get(shape)
        a, *rest = (x.view(type) if isinstance(x, np.ndarray) else x for x in args)
        if name in COMPARE:
            return -COMPARE[name](a, rest[0]).astype({4: np.int32, 8: np.int64}[a.itemsize])
        if name in BINARY:
            return BINARY[name](a, rest[0])
        if name in UNARY:
            return UNARY[name](a)
        if narrow := re.fullmatch(r"(extend|extmul)_(low|high)_i32x4_u", name):
            half = slice(0, 2) if narrow[2] == "low" else slice(2, 4)
            wide = [x.view(np.uint32).reshape(-1, 4)[:, half].astype(np.uint64) for x in args]
            return wide[0] if narrow[1] == "extend" else wide[0] * wide[1]
        match name:
            case "pmin":
                return np.where(rest[0] < a, rest[0], a)
            case "pmax":
                return np.where(a < rest[0], rest[0], a)
            case "relaxed_madd" if self.fused:
                wide = np.float64 if type is np.float32 else np.longdouble
                return (a.astype(wide) * rest[0] + rest[1]).astype(type)
            case "relaxed_madd":
                return a * rest[0] + rest[1]
            case "shl":
                return a << type(rest[0])
            case "shr_s":
                return a >> type(rest[0])
            case "shr_u":
                return args[0].view(unsigned) >> unsigned(rest[0])
            case "trunc_sat_f32x4_u":
                return (
                    np.nan_to_num(args[0].view(np.float32), nan=0, posinf=2**32 - 1)
                    .clip(0, 2**32 - 256)
                    .astype(np.uint32)
                )
            case "convert_i32x4_s":
                return args[0].view(np.int32).astype(np.float32)
            case "convert_i32x4_u":
                return args[0].view(np.uint32).astype(np.float32)
            case "promote_low_f32x4":
                return args[0].view(np.float32).reshape(-1, 4)[:, :2].astype(np.float64)
            case "demote_f64x2_zero":
                low = args[0].view(np.float64).reshape(-1, 2).astype(np.float32)
                return np.concatenate([low, np.zeros_like(low)], axis=1)
            case "swizzle":
                table, index = (x.reshape(-1, 16) for x in args)
                found = np.take_along_axis(table, index.astype(np.int64) % 16, axis=1)
                return np.where(index < 16, found, 0).astype(np.uint8)
            case "shuffle":
                return np.concatenate([x.reshape(-1, 16) for x in args], axis=1)[:, list(imm)]
        raise NotImplementedError(f"{shape}.{name}")


class Branch:
    """Runs both branches and keeps the first: the functions merge lane by lane themselves."""

    def __init__(self, b: Interpreter):
        self.b = b

    def __enter__(self):
        self.b.yielded = []
        return self

    def __exit__(self, *exception):
        self.results = self.b.yielded[0]

    def else_(self):
        return nullcontext()


def evaluate(name: str, *args: np.ndarray, fused: bool = True, **known: float) -> np.ndarray:
    bits = args[0].itemsize * 8
    per = 128 // bits
    length = -(-args[0].size // per)
    padded = [np.concatenate([a, np.ones(length * per - a.size, a.dtype)]).view(np.uint8) for a in args]
    with np.errstate(all="ignore"):
        result = vector_math.emit(Interpreter(length, fused), name, bits, *padded, **known)
    return result.view(args[0].dtype)[: args[0].size]


def every(step: int) -> np.ndarray:
    """float32 values of all magnitudes and both signs, NaN and infinity among them."""
    bits = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32)
    corners = np.array(
        [
            0.0,
            -0.0,
            1,
            -1,
            np.inf,
            -np.inf,
            np.nan,
            1e-45,
            -1e-45,
            1.1754944e-38,
            3.4028235e38,
            -3.4028235e38,
            0.5,
            -0.5,
        ],
        np.float32,
    )
    return np.concatenate(
        [
            bits.view(np.float32),
            corners,
            np.nextafter(corners, np.float32(0)),
            np.linspace(-20, 20, 8001, dtype=np.float32),
        ]
    )


def ulps(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distance in units in the last place of the correctly rounded value; 0 where both are NaN."""
    tiny = np.finfo(got.dtype).smallest_normal
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        unit = np.spacing(np.maximum(np.abs(rounded), tiny))
        distance = np.abs(got.astype(exact.dtype) - rounded) / unit
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(same, 0, np.where(np.isfinite(distance), distance, np.inf)).astype(float)


def erf(x: np.ndarray) -> np.ndarray:
    return np.array([math.erf(v) for v in x])


ORACLES = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "powf": np.power, "rsqrt": lambda x: 1 / np.sqrt(x), "erf": erf,
}  # fmt: skip


def oracle(name: str, *args: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return ORACLES.get(name, getattr(np, name, None))(*args)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "rounded twice"])
@pytest.mark.parametrize("name", sorted(vector_math.FUNCTIONS))
def test_float32_is_within_its_bound_over_the_whole_range(name, fused):
    x = every(40_009 if name != "erf" else 400_009)
    args = (x,)
    if name in ("powf", "atan2"):
        rng = np.random.default_rng(0)
        args = tuple(
            np.concatenate([a, b])
            for a, b in zip((x, rng.permutation(x)), rng.uniform(0.01, 20, (2, 20_000)).astype(np.float32), strict=True)
        )
    with np.errstate(all="ignore"):
        error = ulps(evaluate(name, *args, fused=fused), oracle(name, *(a.astype(np.float64) for a in args)))
    worst = int(error.argmax())
    assert error[worst] <= vector_math.BOUNDS[name], [a[worst] for a in args]


@pytest.mark.parametrize("exponent", [h / 2 for h in sorted(HALVES)])
def test_powers_of_halves_are_taken_by_a_square_root(exponent):
    with np.errstate(invalid="ignore"):  # some of the NaN signal
        wide = every(40_009).astype(np.float64)
    for x, bound in ((every(40_009), 1), (wide, 4)):
        y = np.full_like(x, exponent)
        with np.errstate(all="ignore"):
            error = ulps(
                evaluate("powf", x, y, exponent=exponent), oracle("powf", *(a.astype(np.float64) for a in (x, y)))
            )
        worst = int(error.argmax())
        assert error[worst] <= bound, x[worst]
    ends = np.array([0.0, -0.0, np.inf, -np.inf, -1.0], np.float32)
    np.testing.assert_array_equal(
        evaluate("powf", ends, ends, exponent=exponent), oracle("powf", ends, np.full_like(ends, exponent))
    )


@pytest.mark.parametrize("name", sorted(vector_math.FUNCTIONS))
def test_float64_is_accurate(name):
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            rng.uniform(-20, 20, 3000),
            rng.uniform(-1, 1, 3000),
            2.0 ** rng.uniform(-1000, 1000, 2000),
            [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0],
        ]
    )
    if name in ("sin", "cos", "tan"):
        x = np.where(np.abs(x) < 1e8, x, 1.0)
    args = (x, rng.permutation(x)) if name in ("powf", "atan2") else (x,)
    bound = 2 if name == "powf" else 8
    error = ulps(evaluate(name, *args), oracle(name, *args))
    worst = int(error.argmax())
    assert error[worst] <= bound, [a[worst] for a in args]


@pytest.mark.parametrize(
    "name",
    sorted(
        set(vector_math.FUNCTIONS)
        - {"exp", "exp2", "cos", "cosh", "acos", "acosh", "log", "log2", "log10", "powf", "rsqrt", "atan2"}
    ),
)
def test_odd_functions_keep_the_sign_of_zero(name):
    got = evaluate(name, np.array([0.0, -0.0, 0.0, -0.0], np.float32))
    assert np.signbit(got).tolist() == [False, True, False, True]

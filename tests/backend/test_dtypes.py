"""Every dtype on every device: to the host and back, conversions between all pairs at their edges, elements that share words."""

from __future__ import annotations

import itertools
import struct
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import weft
import weft.numpy as wnp
from weft import lax
from weft.dialects.array import ops
from weft.dialects.dtypes import DType, as_dtype
from weft.host import pack, unpack

sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
from sampling import DEVICE_DTYPES

DEVICES = ["cpu", "wasm", "webgpu"]
each_dtype = pytest.mark.parametrize(
    ("device", "dtype"), [(d, t) for d in DEVICES for t in DEVICE_DTYPES[d]], ids=lambda v: str(v)
)


def edges(dtype: DType) -> np.ndarray:
    """Numbers at the ends of a dtype's range and beyond those of others: NaN, infinities, zeros of both signs, what truncation, rounding and wrapping change."""
    name = dtype.dtype
    if dtype.kind == "b":
        return np.array([True, False])
    if dtype.is_integer:
        info = np.iinfo(name)
        known = [info.min, info.max, info.max // 2 + 1, 0, 1, 127, 100, *([-1, -100] if dtype.kind == "i" else [])]
        return np.array(known, name)
    known = [
        0.0,
        -0.0,
        1.5,
        -1.5,
        2.5,
        0.1,
        -0.9,
        127.6,
        255.9,
        300.5,
        -129.0,
        32768.0,
        65504.0,
        np.nan,
        np.inf,
        -np.inf,
    ]
    with np.errstate(over="ignore"):
        real = np.array([*known, *([3e9, -3e9, 5e18, 1e19, -1e19, 1e30] if dtype.part.bits > 16 else [])]).astype(
            dtype.part.dtype
        )
    if dtype.kind != "c":
        return real
    z = np.empty(len(real), name)
    z.real, z.imag = real, real[::-1]
    return z


def equal(found: np.ndarray, expected: np.ndarray) -> None:
    """The same dtype and bits; NaNs are equal whatever their bits."""
    assert found.dtype == expected.dtype
    if found.dtype == ml_dtypes.bfloat16:
        found, expected = found.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    if found.dtype.kind == "f":
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


@each_dtype
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (2, 3)])
def test_to_the_device_and_back(device: str, dtype: DType, shape: tuple[int, ...]) -> None:
    with weft.enable_x64(), weft.default_device(device):
        given = np.resize(edges(dtype), shape)
        array = wnp.asarray(given)
        assert (array.dtype, array.shape) == (dtype, shape)
        equal(np.asarray(array), given)
        again = wnp.asarray(array.tolist(), dtype)  # through Python's numbers
        equal(np.asarray(again), given)


@each_dtype
def test_conversions(device: str, dtype: DType) -> None:
    """To every other dtype: floats to integers are truncated and clamped with NaN as 0, integers wrap around, floats are rounded to nearest even."""
    given = edges(dtype)
    with weft.enable_x64(), weft.default_device(device):
        targets = [t for t in DEVICE_DTYPES[device] if t is not dtype]
        found = weft.jit(lambda x: [lax.convert_element_type(x, t) for t in targets])(wnp.asarray(given))
        for target, array in zip(targets, found, strict=True):
            with np.errstate(all="ignore"):
                expected = ops.ConvertOp.reference(np, given, dtype=target)
            try:
                equal(np.asarray(array), np.asarray(expected, target.dtype))
            except AssertionError as error:
                raise AssertionError(f"{dtype} to {target}\n{error}") from None


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["int8", "uint16", "bfloat16", "float16"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 1001])
def test_neighbours_in_a_word(device: str, dtype: str, size: int) -> None:
    """Elements that share words with others are written whole, by vectors and one by one, at every place of a word."""
    given = (np.arange(size) % 100).astype(as_dtype(dtype).dtype)
    with weft.default_device(device):
        x = wnp.asarray(given)
        equal(np.asarray(x + x), given + given)
        equal(np.asarray(x[::-1]), given[::-1])
        equal(np.asarray(wnp.concatenate([x[1:], x[:1]])), np.concatenate([given[1:], given[:1]]))
        places = np.random.default_rng(0).permutation(size)
        expected = np.zeros_like(given)
        expected[places] = given
        equal(np.asarray(wnp.zeros_like(x).at[places].set(x, unique_indices=True)), expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["add", "max", "min", "multiply"])
def test_scatters_that_meet_in_a_word(device: str, dtype: str, kind: str) -> None:
    given = np.array([1, 2, 3, 1, 2, 3, 1, 2, 3, 2, 1, 1]).astype(as_dtype(dtype).dtype)
    places = np.array([0, 1, 2, 3, 0, 1, 4, 3, 2, 0, 5, 0])
    with weft.default_device(device):
        found = np.asarray(getattr(wnp.full(6, 2, dtype).at[places], kind)(wnp.asarray(given)))
    expected = np.full(6, 2, given.dtype)
    {"add": np.add, "max": np.maximum, "min": np.minimum, "multiply": np.multiply}[kind].at(expected, places, given)
    equal(found, expected)


@pytest.mark.parametrize("name", ["int64", "uint64"])
@pytest.mark.parametrize("device", DEVICES)
def test_64_bit_division(device: str, name: str) -> None:
    rng = np.random.default_rng(0)
    wide = rng.integers(-(2**62), 2**62, 200, np.int64)
    x, y = wide.astype(name), (wide[::-1] >> rng.integers(0, 62, 200)).astype(name)
    y = np.where(y == 0, 3, y).astype(name)
    with weft.enable_x64(), weft.default_device(device):
        a, b = wnp.asarray(x), wnp.asarray(y)
        for op, reference in (
            (lax.div, ops.DivOp.reference),
            (lax.rem, ops.RemOp.reference),
            (lax.mul, ops.MulOp.reference),
        ):
            with np.errstate(all="ignore"):
                equal(np.asarray(op(a, b)), reference(np, x, y))


@pytest.mark.parametrize(("device", "name"), [("wasm", "float32"), ("wasm", "float64"), ("webgpu", "float32")])
def test_remainders_are_exact(device: str, name: str) -> None:
    """However great the quotient: numbers of all magnitudes, denormals, infinities and NaN among them, both signs, as vectors and one by one."""
    rng = np.random.default_rng(0)
    info = np.finfo(name)
    corners = [0.0, -0.0, np.inf, np.nan, 1.0, 3.0, info.max, info.tiny, info.smallest_subnormal, info.tiny * 0.75]
    with np.errstate(all="ignore"):
        wide = 2.0 ** rng.uniform(np.log2(float(info.smallest_subnormal)), np.log2(float(info.max)), (2, 1000))
        near = rng.uniform(-100, 100, (2, 1000)) * [[1], [0.01]]
        x, y = np.concatenate([wide, near, np.stack(np.meshgrid(corners, corners)).reshape(2, -1)], 1).astype(name)
        x = np.copysign(x, rng.uniform(-1, 1, x.size)).astype(name)
        expected = np.fmod(x, y)
    with weft.enable_x64(), weft.default_device(device):
        found = np.asarray(lax.rem(wnp.asarray(x), wnp.asarray(y)))
        equal(found, expected)
        strided = np.asarray(lax.rem(wnp.asarray(x)[::3], wnp.asarray(y)[::3]))
        equal(strided, expected[::3])


@pytest.mark.parametrize("device", ["wasm", "webgpu"])
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_16_bit_float(device: str, name: str) -> None:
    """All of them become float32 and come back, and float32 becomes the nearest of them, or the even one halfway: denormals, overflow and NaN too."""
    dtype = as_dtype(name).dtype
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        wide = every.astype(np.float32)
        halfway = wide + (np.nextafter(every, np.array(np.inf, dtype)).astype(np.float32) - wide) / 2
        given = np.concatenate([wide, halfway, np.nextafter(halfway, np.float32(0)), np.float32([65519.9, 65520, 1e9])])
        expected = given.astype(dtype)
    with weft.default_device(device):
        equal(np.asarray(wnp.asarray(every).astype("float32")), wide)
        equal(np.asarray(wnp.asarray(given).astype(name)), expected)
        equal(np.asarray(wnp.asarray(given)[::-3].astype(name)), expected[::-3])


@pytest.mark.parametrize("device", ["wasm", "webgpu"])
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_16_bit_floats_are_rounded_once_a_kernel(device: str, name: str) -> None:
    """What is fused is computed in float32: the result is the float32 one, rounded, where the oracle rounds after each operation."""
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(-4, 4, 1000).astype(as_dtype(name).dtype) for _ in range(2))

    def f(a, b):
        return (a * b + a) / (wnp.abs(b) + 1) - wnp.sqrt(wnp.abs(a - b))

    with weft.default_device(device):
        found = np.asarray(weft.jit(f)(wnp.asarray(x), wnp.asarray(y))).astype(np.float32)
        wide = weft.jit(lambda a, b: f(a.astype("float32"), b.astype("float32")).astype(name))
        np.testing.assert_array_equal(found, np.asarray(wide(wnp.asarray(x), wnp.asarray(y))).astype(np.float32))


@pytest.mark.parametrize("dtype", DEVICE_DTYPES["cpu"], ids=str)
def test_packing_agrees_with_numpy(dtype: DType) -> None:
    """The host's bytes, made without NumPy, are NumPy's."""
    values = edges(dtype)
    packed = b"".join(pack(v, dtype) for v in values.tolist())
    assert packed == values.tobytes() or dtype.is_inexact
    from weft.dialects.array.node import aval

    equal(np.array(unpack(memoryview(packed), aval(values.shape, dtype)), values.dtype), values)


def test_bfloat16_rounds_to_even() -> None:
    for bits in itertools.chain(
        range(0x3F7FFF00, 0x3F820100, 0x80), [0x7F7FFFFF, 0x00000001, 0x00008000, 0x00018000, 0xFF800000]
    ):
        value = struct.unpack("<f", bits.to_bytes(4, "little"))[0]
        assert pack(value, as_dtype("bfloat16")) == np.float32(value).astype(ml_dtypes.bfloat16).tobytes()

"""`weft.numpy` is a namespace of the array API standard, 2024.12 (https://data-apis.org/array-api/2024.12): names, signatures, dtypes. (tests/backend/test_special_cases.py has the values at the edges.)"""

from __future__ import annotations

import enum
import inspect
import math
import operator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace

import weft
import weft.numpy as xp

# name: what every call by the standard may pass, positional-only names left of "/", by-name ones right of "*"
FUNCTIONS = """
arange(start, /, stop, step, *, dtype, device)  asarray(obj, /, *, dtype, device, copy)  empty(shape, *, dtype, device)
empty_like(x, /, *, dtype, device)  eye(n_rows, n_cols, /, *, k, dtype, device)  from_dlpack(x, /, *, device, copy)
full(shape, fill_value, *, dtype, device)  full_like(x, /, fill_value, *, dtype, device)  linspace(start, stop, /, num, *, dtype, device, endpoint)
meshgrid(a, b, /, *, indexing)  ones(shape, *, dtype, device)  ones_like(x, /, *, dtype, device)  tril(x, /, *, k)  triu(x, /, *, k)
zeros(shape, *, dtype, device)  zeros_like(x, /, *, dtype, device)
astype(x, dtype, /, *, copy, device)  broadcast_arrays(a, b, /)  broadcast_to(x, /, shape)  can_cast(a, b, /)  finfo(type, /)  iinfo(type, /)
isdtype(dtype, kind)  result_type(a, b, /)
abs(x, /)  acos(x, /)  acosh(x, /)  add(a, b, /)  asin(x, /)  asinh(x, /)  atan(x, /)  atan2(a, b, /)  atanh(x, /)  bitwise_and(a, b, /)
bitwise_left_shift(a, b, /)  bitwise_invert(x, /)  bitwise_or(a, b, /)  bitwise_right_shift(a, b, /)  bitwise_xor(a, b, /)  ceil(x, /)  clip(x, /, min, max)
conj(x, /)  copysign(a, b, /)  cos(x, /)  cosh(x, /)  divide(a, b, /)  equal(a, b, /)  exp(x, /)  expm1(x, /)  floor(x, /)  floor_divide(a, b, /)
greater(a, b, /)  greater_equal(a, b, /)  hypot(a, b, /)  imag(x, /)  isfinite(x, /)  isinf(x, /)  isnan(x, /)  less(a, b, /)  less_equal(a, b, /)
log(x, /)  log1p(x, /)  log2(x, /)  log10(x, /)  logaddexp(a, b, /)  logical_and(a, b, /)  logical_not(x, /)  logical_or(a, b, /)  logical_xor(a, b, /)
maximum(a, b, /)  minimum(a, b, /)  multiply(a, b, /)  negative(x, /)  nextafter(a, b, /)  not_equal(a, b, /)  positive(x, /)  pow(a, b, /)  real(x, /)
reciprocal(x, /)  remainder(a, b, /)  round(x, /)  sign(x, /)  signbit(x, /)  sin(x, /)  sinh(x, /)  square(x, /)  sqrt(x, /)  subtract(a, b, /)
tan(x, /)  tanh(x, /)  trunc(x, /)
take(x, indices, /, *, axis)  take_along_axis(x, indices, /, *, axis)
matmul(a, b, /)  matrix_transpose(x, /)  tensordot(a, b, /, *, axes)  vecdot(a, b, /, *, axis)
concat(arrays, /, *, axis)  expand_dims(x, /, *, axis)  flip(x, /, *, axis)  moveaxis(x, source, destination, /)  permute_dims(x, /, axes)
repeat(x, repeats, /, *, axis)  reshape(x, /, shape, *, copy)  roll(x, /, shift, *, axis)  squeeze(x, /, axis)  stack(arrays, /, *, axis)
tile(x, repetitions, /)  unstack(x, /, *, axis)
argmax(x, /, *, axis, keepdims)  argmin(x, /, *, axis, keepdims)  count_nonzero(x, /, *, axis, keepdims)  nonzero(x, /)
searchsorted(a, b, /, *, side, sorter)  where(condition, a, b, /)
unique_all(x, /)  unique_counts(x, /)  unique_inverse(x, /)  unique_values(x, /)
argsort(x, /, *, axis, descending, stable)  sort(x, /, *, axis, descending, stable)
cumulative_prod(x, /, *, axis, dtype, include_initial)  cumulative_sum(x, /, *, axis, dtype, include_initial)  max(x, /, *, axis, keepdims)
mean(x, /, *, axis, keepdims)  min(x, /, *, axis, keepdims)  prod(x, /, *, axis, dtype, keepdims)  std(x, /, *, axis, correction, keepdims)
sum(x, /, *, axis, dtype, keepdims)  var(x, /, *, axis, correction, keepdims)
all(x, /, *, axis, keepdims)  any(x, /, *, axis, keepdims)  diff(x, /, *, axis, n, prepend, append)
"""
EXTENSIONS = {
    "fft": """fft(x, /, *, n, axis, norm)  ifft(x, /, *, n, axis, norm)  fftn(x, /, *, s, axes, norm)  ifftn(x, /, *, s, axes, norm)
rfft(x, /, *, n, axis, norm)  irfft(x, /, *, n, axis, norm)  rfftn(x, /, *, s, axes, norm)  irfftn(x, /, *, s, axes, norm)
hfft(x, /, *, n, axis, norm)  ihfft(x, /, *, n, axis, norm)  fftfreq(n, /, *, d, dtype, device)  rfftfreq(n, /, *, d, dtype, device)
fftshift(x, /, *, axes)  ifftshift(x, /, *, axes)""",
    "linalg": """cholesky(x, /, *, upper)  cross(a, b, /, *, axis)  det(x, /)  diagonal(x, /, *, offset)  eigh(x, /)  eigvalsh(x, /)  inv(x, /)
matmul(a, b, /)  matrix_norm(x, /, *, keepdims, ord)  matrix_power(x, n, /)  matrix_rank(x, /, *, rtol)  matrix_transpose(x, /)  outer(a, b, /)
pinv(x, /, *, rtol)  qr(x, /, *, mode)  slogdet(x, /)  solve(a, b, /)  svd(x, /, *, full_matrices)  svdvals(x, /)  tensordot(a, b, /, *, axes)
trace(x, /, *, offset, dtype)  vecdot(a, b, /, *, axis)  vector_norm(x, /, *, axis, keepdims, ord)""",
}
CONSTANTS = {"e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None, "pi": math.pi}
DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split()  # noqa: SIM905
)
ATTRIBUTES = "dtype device mT ndim shape size T".split()  # noqa: SIM905
METHODS = [
    "__abs__",
    "__add__",
    "__and__",
    "__array_namespace__",
    "__bool__",
    "__complex__",
    "__dlpack__",
    "__dlpack_device__",
    "__eq__",
    "__float__",
    "__floordiv__",
    "__ge__",
    "__getitem__",
    "__gt__",
    "__index__",
    "__int__",
    "__invert__",
    "__le__",
    "__lshift__",
    "__lt__",
    "__matmul__",
    "__mod__",
    "__mul__",
    "__ne__",
    "__neg__",
    "__or__",
    "__pos__",
    "__pow__",
    "__rshift__",
    "__sub__",
    "__truediv__",
    "__xor__",
    "__radd__",
    "__rsub__",
    "__rmul__",
    "__rtruediv__",
    "__rfloordiv__",
    "__rpow__",
    "__rmatmul__",
    "__rmod__",
    "__rand__",
    "__ror__",
    "__rxor__",
    "__rlshift__",
    "__rrshift__",
    "to_device",
]


def entries(text: str) -> list[tuple[str, list[str], list[str], list[str]]]:
    """Name, positional-only, ordinary and by-name arguments of each entry."""
    found = []
    for entry in text.replace("\n", "  ").split("  "):
        if not entry.strip():
            continue
        name, _, rest = entry.strip().rstrip(")").partition("(")
        parts = [p.strip() for p in rest.split(",")]
        first = parts[: parts.index("/")] if "/" in parts else []
        parts = parts[len(first) + 1 :] if "/" in parts else parts
        by_name = parts[parts.index("*") + 1 :] if "*" in parts else []
        found.append((name, first, parts[: parts.index("*")] if "*" in parts else parts, by_name))
    return found


def check_signature(module: Any, name: str, first: list[str], ordinary: list[str], by_name: list[str]) -> None:
    """The function takes what the standard passes: positional arguments in order, the ordinary ones by name as well."""
    signature = inspect.signature(getattr(module, name))
    position = len(first) + len(ordinary)
    signature.bind(*range(position), **dict.fromkeys(by_name))
    signature.bind(*range(len(first)), **dict.fromkeys([*ordinary, *by_name]))


@pytest.mark.parametrize("entry", entries(FUNCTIONS), ids=lambda e: e[0])
def test_functions_take_what_the_standard_passes(entry: tuple[str, list[str], list[str], list[str]]) -> None:
    check_signature(xp, *entry)


@pytest.mark.parametrize(
    ("extension", "entry"), [(m, e) for m, t in EXTENSIONS.items() for e in entries(t)], ids=lambda e: str(e[0])
)
def test_extensions(extension: str, entry: tuple[str, list[str], list[str], list[str]]) -> None:
    check_signature(import_module(f"weft.numpy.{extension}"), *entry)


def test_constants_and_dtypes() -> None:
    for name, value in CONSTANTS.items():
        assert getattr(xp, name) is value or getattr(xp, name) == value or value != value
    for name in DTYPES:
        assert getattr(xp, name) == np.dtype(name)
        assert xp.isdtype(getattr(xp, name), getattr(xp, name))


def test_arrays_have_what_the_standard_names() -> None:
    x = xp.ones((2, 3))
    for name in (*ATTRIBUTES, *METHODS):
        assert hasattr(x, name), name
    assert x.__array_namespace__() is xp
    assert x.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match="2019"):
        x.__array_namespace__(api_version="2019.12")
    assert x.to_device(x.device) is not None


def test_info() -> None:
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert (xp.ones((1,) * 64) + 1).ndim == 64
    assert info.default_device() in info.devices()
    assert set(info.default_dtypes()) == {"real floating", "complex floating", "integral", "indexing"}
    assert info.default_dtypes()["real floating"] == xp.float32
    assert "float64" not in info.dtypes()
    with weft.enable_x64():
        assert set(info.dtypes()) == set(DTYPES)
        assert set(info.dtypes(kind="signed integer")) == {"int8", "int16", "int32", "int64"}
        assert set(info.dtypes(kind=("bool", "real floating"))) == {"bool", "float32", "float64"}
        assert info.default_dtypes()["integral"] == xp.int64


KINDS = {
    "bool": {"bool"},
    "signed integer": {"int8", "int16", "int32", "int64"},
    "unsigned integer": {"uint8", "uint16", "uint32", "uint64"},
    "integral": {d for d in DTYPES if "int" in d},
    "real floating": {"float32", "float64"},
    "complex floating": {"complex64", "complex128"},
    "numeric": set(DTYPES) - {"bool"},
}


def test_isdtype() -> None:
    for kind, names in KINDS.items():
        assert {d for d in DTYPES if xp.isdtype(getattr(xp, d), kind)} == names, kind


# The promotions that the standard fixes: within a kind, and between signed and unsigned integers.
INTEGERS = {
    ("int8", "int16"): "int16",
    ("int8", "uint8"): "int16",
    ("int16", "uint8"): "int16",
    ("int16", "uint16"): "int32",
    ("int32", "uint32"): "int64",
    ("int64", "uint32"): "int64",
    ("uint8", "uint64"): "uint64",
    ("float32", "float64"): "float64",
    ("float32", "complex64"): "complex64",
    ("float64", "complex64"): "complex128",
}


@pytest.mark.parametrize(("pair", "wanted"), INTEGERS.items())
def test_promotion(pair: tuple[str, str], wanted: str) -> None:
    with weft.enable_x64():
        a, b = (xp.ones((), dtype=getattr(xp, d)) for d in pair)
        for found in (xp.result_type(a, b), (a + b).dtype, (b * a).dtype, xp.result_type(*pair)):
            assert found == getattr(xp, wanted)


@pytest.mark.parametrize("name", DTYPES)
def test_python_scalars_follow_the_array(name: str) -> None:
    with weft.enable_x64():
        x = xp.ones((2,), dtype=getattr(xp, name))
        scalar = True if name == "bool" else 2 if "int" in name else 2.0
        assert xp.logical_and(x, scalar).dtype == xp.bool if name == "bool" else (x + scalar).dtype == x.dtype


def test_functions_whose_results_depend_on_data() -> None:
    x = xp.asarray([3.0, 1.0, 3.0, xp.nan, xp.nan])
    values, counts = xp.unique_counts(x)
    assert values.shape == counts.shape == (4,)  # each nan is a value of its own
    assert [int(v) for v in xp.nonzero(xp.asarray([0, 4, 0, 5]))[0]] == [1, 3]
    assert x[xp.asarray([True, False, True, False, False])].shape == (2,)


def test_empty_and_zero_dimensional() -> None:
    assert xp.sum(xp.zeros((0,))).shape == ()
    assert xp.concat([xp.zeros((0, 2)), xp.ones((1, 2))]).shape == (1, 2)
    assert xp.all(xp.zeros((0,), dtype=xp.bool)) and not xp.any(xp.zeros((0,), dtype=xp.bool))
    assert xp.max(xp.asarray(3)).shape == ()
    assert xp.expand_dims(xp.asarray(3), axis=0).shape == (1,)
    assert xp.cumulative_sum(xp.ones((2,)), include_initial=True).shape == (3,)


def test_asarray_copies_as_asked() -> None:
    with pytest.raises(ValueError, match="copy"):
        xp.asarray(np.ones(3), copy=False)
    x = xp.ones(3)
    assert xp.asarray(x, copy=False).shape == (3,)
    assert xp.from_dlpack(np.ones(3, np.float32)).dtype == xp.float32


def test_dlpack() -> None:
    x = xp.asarray([1.0, 2.0])
    kind, number = x.__dlpack_device__()
    assert isinstance(kind, enum.IntEnum) and (kind, number) == (1, 0)
    for options in ({}, {"copy": True}, {"stream": None, "dl_device": (1, 0)}, {"max_version": (1, 0), "copy": False}):
        assert type(x.__dlpack__(**options)).__name__ == "PyCapsule"
    assert np.from_dlpack(x).tolist() == [1, 2]
    with pytest.raises(BufferError, match="host's memory"):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(ValueError, match="stream must be None"):
        x.__dlpack__(stream=3)
    with pytest.raises(BufferError):
        x.__dlpack__(copy=False)  # a consumer that does not know of memory that must not be written to
    with pytest.raises(ValueError, match="copy=False"):
        xp.from_dlpack(x, device="wasm", copy=False)
    assert xp.from_dlpack(x, device="wasm").device == "wasm"


def test_a_consumer_may_write_to_its_copy() -> None:
    x = xp.asarray([1.0, 2.0])
    copy = np.from_dlpack(x, copy=True)
    copy[0] = 7
    assert x.tolist() == [1, 2]


@pytest.mark.parametrize("kind", [int, float, complex])
def test_only_arrays_of_rank_0_are_python_numbers(kind: type) -> None:
    assert kind(xp.asarray(3)) == 3
    with pytest.raises(TypeError, match="Only scalar arrays"):
        kind(xp.asarray([3]))


def test_python_numbers_of_arrays() -> None:
    assert operator.index(xp.asarray(3, dtype=xp.uint8)) == 3
    assert int(xp.asarray(-2.9)) == -2 and bool(xp.asarray(xp.nan)) and complex(xp.asarray(True)) == 1 + 0j
    with pytest.raises(TypeError):
        operator.index(xp.asarray(3.0))
    with pytest.raises(TypeError):
        float(xp.asarray(1j))
    with pytest.raises(OverflowError):
        int(xp.asarray(xp.inf))
    with pytest.raises(ValueError):
        int(xp.asarray(xp.nan))


def test_numbers_that_a_dtype_does_not_hold() -> None:
    """asarray refuses them, full converts them, as in JAX."""
    for value, kind in ((300, OverflowError), (300.7, OverflowError), (xp.nan, ValueError), (1j, TypeError)):
        for x in (value, [value]):
            with pytest.raises(kind):
                xp.asarray(x, dtype=xp.int8)
    with pytest.raises(TypeError):
        xp.asarray([1j, 2], dtype=xp.float32)
    assert xp.asarray([1j, 0], dtype=xp.bool).tolist() == [True, False]
    assert [int(xp.full((), v, dtype=xp.int8)) for v in (300, 300.7, xp.nan, -xp.inf)] == [44, 127, 0, -128]
    assert xp.full((2,), -1, dtype=xp.uint8).tolist() == [255, 255]
    assert xp.full_like(xp.ones(1, dtype=xp.int8), 300).tolist() == [44]


def test_arange() -> None:
    assert xp.arange(7, 2, -2, dtype=xp.uint8).tolist() == [7, 5, 3]
    assert xp.arange(0.0, 1.0, 0.25, dtype=xp.complex64).tolist() == [0, 0.25, 0.5, 0.75]
    assert xp.arange(1, stop=6, step=2).tolist() == [1, 3, 5] and xp.arange(5, None, 2).tolist() == [0, 2, 4]


def test_sums_of_truth_values() -> None:
    x = xp.asarray([[1, 2], [0, 3]])
    assert xp.sum(x, axis=1, dtype=bool).tolist() == [True, True] and xp.prod(x, axis=1, dtype=bool).tolist() == [
        True,
        False,
    ]
    assert not xp.sum(x[:0], dtype=bool) and xp.prod(x[:0], dtype=bool) and xp.sum(x[:0], dtype=bool, initial=True)
    assert xp.cumulative_sum(xp.asarray([0, 1, 2]), dtype=bool).tolist() == [False, True, True]
    assert xp.cumulative_prod(xp.asarray([1, 0, 2]), dtype=bool, include_initial=True).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_what_is_asked_of_dtypes() -> None:
    with weft.enable_x64():
        x = xp.ones(2, dtype=xp.float32)
        assert xp.can_cast(x, xp.float64) and not xp.can_cast(xp.float64, xp.float32) and xp.can_cast(xp.float32, x)
    with pytest.raises(ValueError, match="Unrecognized kind='words'"):
        xp.isdtype(xp.float32, "words")
    with pytest.raises(TypeError, match="dtype, string, or tuple"):
        xp.isdtype(xp.float32, 3)
    with pytest.raises(ValueError, match="Unrecognized kind"):
        xp.__array_namespace_info__().dtypes(kind="words")


def test_devices_say_which_dtypes_they_have() -> None:
    info = xp.__array_namespace_info__()
    with weft.enable_x64():
        assert {"float64", "complex128"} == set(info.dtypes(device="cpu")) - set(info.dtypes(device="webgpu"))
    with pytest.raises(ValueError, match="Unknown device"):
        info.dtypes(device="abacus")
    with pytest.raises(ValueError, match="Unknown device"):
        info.default_dtypes(device="abacus")


XPS = make_strategies_namespace(xp, api_version="2024.12")


@given(data=st.data())
@settings(deadline=None)
@pytest.mark.filterwarnings("error")
def test_arrays_that_hypothesis_makes(data: st.DataObject) -> None:
    """Hypothesis's strategies for namespaces of the standard work, without a warning, and what they make is indexed as nested lists are."""
    with weft.enable_x64():
        x = data.draw(XPS.arrays(XPS.scalar_dtypes(), XPS.array_shapes(min_dims=0, min_side=0)))
        key = data.draw(XPS.indices(x.shape, allow_newaxis=True)) if 0 not in x.shape else ()
        wanted = np.asarray(x)[key]
        assert x[key].shape == wanted.shape and x[key].dtype == wanted.dtype == x.dtype
        np.testing.assert_array_equal(x[key], wanted)


@given(data=st.data())
@settings(deadline=None)
def test_masks_that_hypothesis_makes(data: st.DataObject) -> None:
    with weft.enable_x64():
        x = data.draw(XPS.arrays(XPS.numeric_dtypes(), XPS.array_shapes(min_dims=1, min_side=0, max_dims=3)))
        rank = data.draw(st.integers(0, x.ndim))
        mask = data.draw(XPS.arrays(xp.bool, x.shape[:rank]))
        np.testing.assert_array_equal(x[mask], np.asarray(x)[np.asarray(mask)])


MADE_ON_A_DEVICE = """
arange(3)  asarray([1.0])  asarray(1.0)  asarray(1, dtype=xp.int8)  asarray(x)  asarray(a)  asarray(x, copy=True)  astype(x, xp.int8)  astype(x, xp.float32)  empty(3)  empty_like(x)  eye(3)  from_dlpack(a)
full(3, 1.0)  full_like(x, 1.0)  linspace(0, 1, 3)  ones(3)  ones_like(x)  zeros(3)  zeros_like(x)  fft.fftfreq(4)  fft.rfftfreq(4)
"""


@pytest.mark.parametrize("call", MADE_ON_A_DEVICE.replace("\n", "  ").split("  ")[1:-1])
def test_arrays_are_made_on_a_device(call: str) -> None:
    x, a = xp.ones(2), np.ones(2, np.float32)
    for device in ("wasm", weft.devices("wasm")[0]):
        made = eval(f"xp.{call[:-1]}, device=device)", {"xp": xp, "x": x, "a": a, "device": device})
        assert made.device is weft.devices("wasm")[0] and (made + 1).device == "wasm"
    assert x.device == "cpu" and x.astype(xp.int8, device="wasm").device == "wasm"

"""`weft.numpy` is a namespace of the array API standard, 2024.12 (https://data-apis.org/array-api/2024.12): names, signatures, dtypes, special cases."""

from __future__ import annotations

import inspect
import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest

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
    assert set(info.capabilities()) == {"boolean indexing", "data-dependent shapes", "max dimensions"}
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


inf, nan = math.inf, math.nan
SPECIAL = [
    "abs(-0.0)=0.0",
    "abs(-inf)=inf",
    "acos(2.0)=nan",
    "acosh(0.5)=nan",
    "acosh(inf)=inf",
    "asin(-2.0)=nan",
    "asin(-0.0)=-0.0",
    "atanh(1.0)=inf",
    "atanh(2.0)=nan",
    "atan(inf)=1.5707964",
    "atan2(0.0,-0.0)=3.1415927",
    "atan2(-0.0,1.0)=-0.0",
    "atan2(1.0,inf)=0.0",
    "atan2(inf,-inf)=2.3561945",
    "ceil(-0.5)=-0.0",
    "ceil(inf)=inf",
    "copysign(nan,-1.0)=nan",
    "copysign(3.0,-0.0)=-3.0",
    "cos(inf)=nan",
    "cosh(-inf)=inf",
    "divide(1.0,0.0)=inf",
    "divide(0.0,0.0)=nan",
    "divide(-1.0,inf)=-0.0",
    "exp(-inf)=0.0",
    "expm1(-0.0)=-0.0",
    "expm1(-inf)=-1.0",
    "floor(-0.0)=-0.0",
    "floor(-inf)=-inf",
    "floor_divide(5.0,inf)=0.0",
    "floor_divide(inf,1.0)=nan",
    "floor_divide(1.0,0.0)=inf",
    "hypot(inf,nan)=inf",
    "hypot(3.0,4.0)=5.0",
    "log(0.0)=-inf",
    "log(-1.0)=nan",
    "log1p(-1.0)=-inf",
    "log1p(-0.0)=-0.0",
    "log10(100.0)=2.0",
    "log2(8.0)=3.0",
    "logaddexp(-inf,-inf)=-inf",
    "logaddexp(nan,1.0)=nan",
    "maximum(nan,1.0)=nan",
    "minimum(1.0,nan)=nan",
    "nextafter(1.0,nan)=nan",
    "pow(nan,0.0)=1.0",
    "pow(1.0,nan)=1.0",
    "pow(-inf,3.0)=-inf",
    "pow(0.0,-1.0)=inf",
    "pow(-8.0,0.5)=nan",
    "pow(2.0,-inf)=0.0",
    "reciprocal(inf)=0.0",
    "remainder(5.0,-3.0)=-1.0",
    "remainder(inf,1.0)=nan",
    "remainder(1.0,0.0)=nan",
    "remainder(-5.0,inf)=inf",
    "round(2.5)=2.0",
    "round(-0.5)=-0.0",
    "round(inf)=inf",
    "sign(nan)=nan",
    "sign(-0.0)=0.0",
    "sin(-0.0)=-0.0",
    "sin(inf)=nan",
    "sinh(-inf)=-inf",
    "sqrt(-1.0)=nan",
    "sqrt(-0.0)=-0.0",
    "square(-inf)=inf",
    "tan(inf)=nan",
    "tanh(inf)=1.0",
    "trunc(-0.7)=-0.0",
    "add(inf,-inf)=nan",
    "subtract(inf,inf)=nan",
    "multiply(inf,0.0)=nan",
    "negative(0.0)=-0.0",
]


@pytest.mark.parametrize("case", SPECIAL)
def test_special_cases(case: str) -> None:
    call, _, wanted = case.partition("=")
    name, _, rest = call.rstrip(")").partition("(")
    found = getattr(xp, name)(*(xp.asarray(float(a)) for a in rest.split(",")))
    assert found.dtype == xp.float32
    np.testing.assert_allclose(np.asarray(found), np.float32(wanted), rtol=1e-6)
    if not math.isnan(float(wanted)) and name != "sign":
        assert math.copysign(1, float(found)) == math.copysign(1, float(wanted)), case


def test_functions_whose_results_depend_on_data() -> None:
    x = xp.asarray([3.0, 1.0, 3.0, nan, nan])
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

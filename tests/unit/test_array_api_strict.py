"""`weft.numpy` beside array-api-strict, which takes nothing but what the array API standard 2024.12 allows: the same calls give the same dtypes, shapes, values, names of fields.

What strict refuses is left to weft, which follows JAX: promotions between kinds, Python scalars of another kind, truth values as numbers. So are, because JAX departs from the standard
there: the dtypes of searchsorted (int32) and cumulative_prod (that of the array), the signs of zeros of floor_divide and remainder, quotients by an integer 0, the tolerance of matrix_rank
(which is absolute), and expand_dims without an axis.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

import weft
import weft.numpy as xp

DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split()  # noqa: SIM905
)
FLOATING = DTYPES[9:]
UNARY = """abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag isfinite isinf isnan log log1p log2 log10 logical_not negative positive real
reciprocal round sign signbit sin sinh square sqrt tan tanh trunc""".split()  # noqa: SIM905
BINARY = """add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal floor_divide greater greater_equal hypot less less_equal logaddexp
logical_and logical_or logical_xor maximum minimum multiply nextafter not_equal pow remainder subtract""".split()  # noqa: SIM905
OPERATORS = "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift lt le gt ge eq ne matmul".split()  # noqa: SIM905
REDUCTIONS = "sum prod max min mean std var all any argmax argmin count_nonzero".split()  # noqa: SIM905
SCALARS = (True, 3, -2, 0, 2.5, float("nan"), float("inf"), 1.5 + 2j)
SHAPES = ((), (0,), (3,), (2, 0, 3), (2, 3))


@pytest.fixture(autouse=True)
def with_64_bits() -> Iterator[None]:
    with weft.enable_x64():
        yield


def numbers(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Small numbers without 0, some of them negative where there are negative ones."""
    draw = np.random.default_rng(seed)
    size = int(np.prod(shape))
    if dtype == "bool":
        return draw.integers(0, 2, shape).astype(bool)
    whole = draw.integers(1, 8, size) * (1 if dtype[0] == "u" else draw.choice([-1, 1], size))
    part = draw.integers(1, 8, size) / 4 if dtype in FLOATING else 0
    return (whole + part + (1j * part if dtype[0] == "c" else 0)).astype(dtype).reshape(shape)


def convert(namespace: Any, x: Any) -> Any:
    return namespace.asarray(x.copy()) if isinstance(x, np.ndarray) else x


def plain(x: Any) -> Any:
    """A result as what can be compared: arrays as NumPy's, tuples with their names, dtypes by name."""
    if isinstance(x, weft.Array) or hasattr(x, "_array"):
        return np.asarray(x if isinstance(x, weft.Array) else x._array)
    if isinstance(x, (list, tuple)):
        return getattr(x, "_fields", "list"), [plain(v) for v in x]
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return x if isinstance(x, (bool, int, float, complex, str, type(None))) else str(x).rpartition(".")[2].strip("()'>")


def same(found: Any, wanted: Any, zeros: bool = True) -> None:
    """Equal types, and values to 1e-5 or 1e-9, the sign of a zero included."""
    if isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype and found.shape == wanted.shape
        single = wanted.dtype.itemsize == (8 if wanted.dtype.kind == "c" else 4)
        exact = wanted.dtype.kind in "biu"
        near = 0 if exact else 1e-5 if single else 1e-9
        np.testing.assert_allclose(found, wanted, rtol=near, atol=near)
        if zeros and wanted.dtype.kind == "f":
            assert (np.signbit(found) == np.signbit(wanted))[wanted == 0].all()
    elif isinstance(wanted, tuple):
        assert found[0] == wanted[0] and len(found[1]) == len(wanted[1])
        for one, other in zip(found[1], wanted[1], strict=True):
            same(one, other, zeros)
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same(found[key], wanted[key], zeros)
    else:
        assert type(found) is type(wanted) and (found == wanted or (found != found and wanted != wanted))


def hold(call: Callable[..., Any], *args: Any, zeros: bool = True, **options: Any) -> bool:
    """Holds a call with weft's namespace against one with strict's; whether strict takes it at all."""
    with np.errstate(all="ignore"):
        try:
            wanted = call(strict, *(convert(strict, a) for a in args), **options)
        except (TypeError, ValueError, OverflowError):
            return False
        found = call(xp, *(convert(xp, a) for a in args), **options)
        try:
            same(plain(found), plain(wanted), zeros)
        except AssertionError as error:
            raise AssertionError(f"{args} {options}: {error}") from None
    return True


def function(name: str) -> Callable[..., Any]:
    return lambda namespace, *args, **options: getattr(namespace, name)(*args, **options)


def where_jax_decides(name: str, x: Any, y: Any) -> bool:
    """Integers by 0."""
    return name in ("floor_divide", "floordiv", "remainder", "mod") and any(v is not True and v == 0 for v in (x, y))


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one(name: str) -> None:
    assert any([hold(function(name), numbers(d, s)) for d in DTYPES for s in SHAPES])


def call_operator(name: str, inplace: bool) -> Callable[..., Any]:
    apply = getattr(
        operator, ("i" if inplace else "") + name.rstrip("_") + ("_" if name[-1] == "_" and not inplace else "")
    )
    return lambda namespace, x, y: apply(x, y)


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two(name: str) -> None:
    zeros = name not in ("floor_divide", "remainder")
    pairs = itertools.product(DTYPES, DTYPES)
    assert any([hold(function(name), numbers(d, (2, 1)), numbers(e, (3,), 1), zeros=zeros) for d, e in pairs])
    for dtype, scalar in itertools.product(DTYPES, SCALARS):
        if not where_jax_decides(name, 1, scalar):
            hold(function(name), numbers(dtype, (3,)), scalar, zeros=zeros)
            hold(function(name), scalar, numbers(dtype, (3,)), zeros=zeros)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str) -> None:
    zeros, shape = name not in ("floordiv", "mod"), (2, 2) if name == "matmul" else (3,)
    for inplace in (False, True) if hasattr(operator, "i" + name.rstrip("_")) else (False,):
        call = call_operator(name, inplace)
        pairs = itertools.product(DTYPES, DTYPES)
        assert any([hold(call, numbers(d, shape), numbers(e, shape, 1), zeros=zeros) for d, e in pairs])
        for dtype, scalar in itertools.product(DTYPES, SCALARS):
            if not where_jax_decides(name, 1, scalar):
                hold(call, numbers(dtype, shape), scalar, zeros=zeros)
                hold(call, scalar, numbers(dtype, shape), zeros=zeros)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    for dtype in DTYPES:
        assert hold(function(name), numbers(dtype, (2, 3, 2))) or dtype not in ("float32", "float64")
    for shape, keepdims in itertools.product(((3,), (2, 3), (2, 0, 3), (1, 2, 2)), (False, True)):
        for axis in (None, *range(len(shape)), -1, (), (0, -1), (0,)):
            if axis != (0, -1) or len(shape) > 1:
                hold(function(name), numbers("float64", shape), axis=axis, keepdims=keepdims)


NAMES: dict[str, Any] = {
    "B": numbers("bool", (2, 3)), "I": numbers("int32", (2, 3)), "U": numbers("uint8", (2, 3)), "L": numbers("int64", (2, 3, 2)), "F": numbers("float32", (2, 3)),
    "D": numbers("float64", (2, 3)), "C": numbers("complex64", (2, 3)), "Z": numbers("complex128", (2, 3)), "V": numbers("float64", (3,)), "W": numbers("int8", (6,)),
    "E": numbers("float64", (0, 3)), "S": numbers("float64", ()), "T": numbers("float64", (2, 3, 2)), "N": np.array([3.0, np.nan, 1.0, np.nan, 0.0, 1.0]),
    "P": np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]]), "Q": numbers("float32", (2, 3, 3)) + 5 * np.eye(3, dtype=np.float32), "K": np.array([2, 0, 1, 2]),
    "H": np.array([[2.0, 1j], [-1j, 3.0]]), "O": np.array([1.0, 2.0, 2.0, 5.0]), "nan": float("nan"), "inf": float("inf"),
}  # fmt: skip

CALLS = """
xp.arange(5)  xp.arange(2, 7)  xp.arange(7, 2, -2)  xp.arange(0.0, 1.0, 0.25)  xp.arange(5, dtype=xp.uint8)  xp.arange(3, dtype=xp.complex64)  xp.arange(5, 2)  xp.arange(1, stop=6, step=2)
xp.asarray(True)  xp.asarray(3)  xp.asarray(2.5)  xp.asarray(1j)  xp.asarray([[1, 2], [3, 4]])  xp.asarray([True, 2.5])  xp.asarray([1, 2j])  xp.asarray([], dtype=xp.int8)  xp.asarray(((1, 2),), dtype=xp.float32)
xp.asarray(I, dtype=xp.float64)  xp.asarray(I, copy=True)  xp.asarray(I, copy=False)  xp.asarray(3, dtype=xp.bool)  xp.asarray(2**40)  xp.asarray(2**64 - 1, dtype=xp.uint64)  xp.asarray([[], []])
xp.eye(3)  xp.eye(2, 4, k=1)  xp.eye(3, 2, k=-1, dtype=xp.int8)  xp.eye(0)  xp.eye(3, k=7)  xp.full((2, 2), 7)  xp.full(3, True)  xp.full((0,), 1.5)  xp.full((), 1j)  xp.full((2,), 3, dtype=xp.uint16)  xp.full(2, nan)
xp.full_like(I, 7)  xp.full_like(F, 2.5, dtype=xp.float64)  xp.ones((2, 3))  xp.ones(3, dtype=xp.bool)  xp.zeros((0, 2))  xp.zeros(())  xp.ones_like(C)  xp.zeros_like(B)  xp.zeros_like(U, dtype=xp.float32)
xp.linspace(0, 1, 5)  xp.linspace(0, 10, 4, endpoint=False)  xp.linspace(1 + 1j, 2, 3)  xp.linspace(0, 1, 0)  xp.linspace(0, 1, 1)  xp.linspace(-3, 3, 7, dtype=xp.float32)  xp.linspace(5, -5, num=3)
xp.meshgrid(V, O)  xp.meshgrid(V, O, indexing="ij")  xp.meshgrid(V)  xp.meshgrid()  xp.tril(T)  xp.tril(I, k=1)  xp.triu(I, k=-1)  xp.triu(E)  xp.tril(I, k=-9)
xp.astype(I, xp.float32)  xp.astype(F, xp.int64)  xp.astype(I, xp.bool)  xp.astype(F, xp.complex128)  xp.astype(I, xp.int32, copy=False)  xp.astype(E, xp.int8)  xp.astype(B, xp.uint64)
xp.broadcast_arrays(V, S)  xp.broadcast_arrays(D, V)  xp.broadcast_to(V, (2, 3))  xp.broadcast_to(S, (0, 2))  xp.broadcast_to(E, (2, 0, 3))
xp.concat((I, I))  xp.concat((I, U), axis=1)  xp.concat([V, E], axis=None)  xp.concat([E, D], axis=-2)  xp.concat((I,))  xp.expand_dims(I, axis=-1)  xp.expand_dims(S, axis=0)
xp.flip(I)  xp.flip(I, axis=-1)  xp.flip(L, axis=(0, 2))  xp.flip(S)  xp.moveaxis(L, 0, -1)  xp.moveaxis(L, (0, 1), (1, 2))  xp.permute_dims(L, (2, 0, 1))  xp.permute_dims(S, ())
xp.repeat(I, 2)  xp.repeat(I, 2, axis=-1)  xp.repeat(W[:4], K)  xp.repeat(I, 0, axis=0)  xp.reshape(I, (3, 2))  xp.reshape(I, (-1,))  xp.reshape(I, (3, -1), copy=True)  xp.reshape(E, (3, 0))  xp.reshape(S, (1, 1))
xp.roll(I, 1)  xp.roll(I, (1, 2), axis=(0, 1))  xp.roll(I, -7, axis=1)  xp.roll(E, 1, axis=0)  xp.squeeze(xp.expand_dims(I, axis=1), axis=1)  xp.squeeze(xp.ones((1, 2, 1)), axis=(0, -1))  xp.squeeze(I, axis=())
xp.stack((I, I))  xp.stack([I, U], axis=-1)  xp.stack((S, S))  xp.tile(I, (2,))  xp.tile(I, (2, 1, 2))  xp.tile(V, ())  xp.tile(V, (0,))  xp.unstack(I)  xp.unstack(L, axis=-1)  xp.unstack(E)
xp.nonzero(I)  xp.nonzero(B)  xp.nonzero(E)  xp.where(B, I, U)  xp.where(B, F, 2)  xp.where(B, 2.5, D)  xp.where(B, xp.zeros(()), C)  xp.count_nonzero(B, axis=0)  xp.count_nonzero(E)
xp.unique_all(K)  xp.unique_counts(K)  xp.unique_inverse(I)  xp.unique_values(U)  xp.unique_all(E)  xp.unique_counts(N)  xp.unique_values(N)  xp.unique_inverse(C)  xp.unique_all(B)
xp.sort(W)  xp.sort(I, axis=0)  xp.sort(I, descending=True)  xp.sort(N)  xp.sort(E)  xp.argsort(W)  xp.argsort(K, descending=True)  xp.argsort(T, axis=1)  xp.argsort(N)  xp.argsort(E, axis=0)
xp.take(I, K, axis=1)  xp.take(V, K)  xp.take(I, K[1:2], axis=-2)  xp.take(V, K[:0])  xp.take_along_axis(I, xp.argsort(I), axis=-1)  xp.take_along_axis(I, xp.zeros((1, 3), dtype=xp.int64), axis=0)
xp.cumulative_sum(W)  xp.cumulative_sum(I, axis=0, include_initial=True)  xp.cumulative_sum(U, axis=1)  xp.cumulative_sum(F, axis=-1, dtype=xp.float64)  xp.cumulative_sum(E, axis=0, include_initial=True)
xp.cumulative_prod(F, axis=1)  xp.cumulative_prod(V, include_initial=True)  xp.cumulative_prod(xp.astype(W, xp.int64))  xp.diff(W)  xp.diff(I, axis=0)  xp.diff(T, axis=1, n=2)  xp.diff(V, prepend=O, append=V)  xp.diff(V, n=0)  xp.diff(O, n=5)
xp.sum(U)  xp.sum(F, dtype=xp.float64)  xp.sum(W, dtype=xp.int8)  xp.prod(W)  xp.prod(U, axis=0, dtype=xp.float32)  xp.var(V, correction=1)  xp.std(D, axis=1, correction=0.5)  xp.max(N)  xp.min(N)  xp.argmax(N)  xp.mean(C)
xp.sum(E)  xp.prod(E, axis=0)  xp.all(E)  xp.any(E)  xp.sum(xp.asarray([-0.0]))  xp.clip(I, -2, 3)  xp.clip(F, min=0)  xp.clip(D, max=V)  xp.clip(D)  xp.clip(N, 0, 1)  xp.clip(V, 1, nan)  xp.clip(I, None, 2)
I[0, :]  I[-1, 2]  I[...]  I[..., 0]  I[:, ::-1]  I[1:, None, :]  I[None, ..., None]  L[0, ..., 1]  L[::-1, 2:0:-1, :]  I[0:0, :]  S[()]  S[...]  S[None]  I[B]  V[B[0, :]]  S[xp.asarray(True)]  S[xp.asarray(False)]  L[B]
V[K]  I[xp.asarray([1, 0]), xp.asarray([2, 2])]  I[0, ...][1:]  V[K[:0]]  E[:, 1]  L.mT  I.T  E.mT  [I.ndim, I.size, I.shape, E.size, S.shape]  V[xp.asarray([[0, 1], [2, 0]])]
xp.matmul(I, xp.matrix_transpose(U))  xp.matmul(D, V)  xp.matmul(V, V)  xp.matmul(T, xp.matrix_transpose(T))  xp.matmul(E, P)  D @ P  V @ P  xp.matrix_transpose(L)  xp.vecdot(Z, Z)  xp.vecdot(D, V)  xp.vecdot(I, U, axis=-2)
xp.tensordot(D, P, axes=1)  xp.tensordot(I, I)  xp.tensordot(V, O, axes=0)  xp.tensordot(T, P, axes=((1,), (0,)))  xp.tensordot(E, P, axes=1)  xp.linalg.outer(V, O)  xp.linalg.cross(D, V)  xp.linalg.cross(I, I)
xp.linalg.cholesky(P)  xp.linalg.cholesky(P, upper=True)  xp.linalg.cholesky(H)  xp.linalg.det(Q)  xp.linalg.det(H)  xp.linalg.det(P[:0, :0])  xp.linalg.diagonal(T, offset=1)  xp.linalg.diagonal(I, offset=-1)
xp.linalg.eigh(P)[0]  xp.linalg.eigh(P)._fields  xp.linalg.eigvalsh(H)  xp.linalg.inv(Q)  xp.linalg.inv(H)  xp.linalg.matrix_power(P, 3)  xp.linalg.matrix_power(P, -2)  xp.linalg.matrix_power(Q, 0)
xp.linalg.matrix_rank(P)  xp.linalg.matrix_rank(Q)  xp.linalg.pinv(D)  xp.linalg.pinv(C)  xp.linalg.qr(P)._fields  xp.linalg.qr(D, mode="complete").R.shape  xp.linalg.slogdet(Q)  xp.linalg.slogdet(H)
xp.linalg.slogdet(P - P)  xp.linalg.solve(P, V)  xp.linalg.solve(Q, F[0, :])  xp.linalg.solve(P, xp.matrix_transpose(D))  xp.linalg.svdvals(D)  xp.linalg.svd(D)._fields  xp.linalg.svd(T).U.shape  xp.linalg.svd(D, full_matrices=False).Vh.shape
xp.linalg.trace(T, offset=1)  xp.linalg.trace(I)  xp.linalg.trace(U, dtype=xp.float64)  xp.linalg.matrix_norm(D)  xp.linalg.matrix_norm(T, ord=1, keepdims=True)  xp.linalg.matrix_norm(D, ord="nuc")  xp.linalg.matrix_norm(C, ord=-2)
xp.linalg.matrix_norm(D, ord=inf)  xp.linalg.vector_norm(V)  xp.linalg.vector_norm(D, axis=0, ord=1)  xp.linalg.vector_norm(T, axis=(0, 2), ord=inf, keepdims=True)  xp.linalg.vector_norm(D, axis=1, ord=0)  xp.linalg.vector_norm(C, ord=3)
xp.linalg.vector_norm(V, ord=-inf)  xp.linalg.vector_norm(T, axis=(0, 1), ord=-1)
xp.fft.fft(Z)  xp.fft.fft(C, n=5, axis=0)  xp.fft.ifft(Z, norm="ortho")  xp.fft.fftn(Z)  xp.fft.ifftn(C, s=(4,), axes=(1,))  xp.fft.rfft(D, norm="forward")  xp.fft.rfft(F, n=6)  xp.fft.irfft(Z)  xp.fft.irfft(Z, n=5)  xp.fft.rfftn(T)
xp.fft.irfftn(Z, axes=(0, 1))  xp.fft.hfft(Z, n=4)  xp.fft.ihfft(D)  xp.fft.fftfreq(5)  xp.fft.fftfreq(4, d=0.5, dtype=xp.float32)  xp.fft.rfftfreq(6)  xp.fft.fftshift(D)  xp.fft.ifftshift(D, axes=1)  xp.fft.fftshift(T, axes=(0, 2))
xp.can_cast(xp.int8, xp.int16)  xp.can_cast(xp.float64, xp.float32)  xp.can_cast(F, xp.float64)  xp.result_type(xp.int8, xp.uint8)  xp.result_type(F, xp.float64, D)  xp.result_type(F, 2.5)  xp.result_type(1, U)  xp.result_type(xp.float32, 1j)
xp.isdtype(xp.float32, "real floating")  xp.isdtype(xp.int8, ("bool", "integral"))  xp.isdtype(xp.bool, "numeric")  xp.isdtype(xp.int8, xp.int8)  xp.isdtype(xp.int8, ())
[xp.finfo(xp.float32).bits, xp.finfo(D).eps, xp.finfo(xp.float32).max, xp.finfo(xp.float64).min, xp.finfo(xp.complex64).smallest_normal, xp.finfo(C).dtype]
[xp.iinfo(xp.uint8).bits, xp.iinfo(L).max, xp.iinfo(xp.int16).min, xp.iinfo(U).dtype]
xp.__array_namespace_info__().dtypes(kind="unsigned integer")  xp.__array_namespace_info__().dtypes(kind=("bool", "complex floating"))  xp.__array_namespace_info__().default_dtypes()
[xp.e, xp.pi, xp.inf, xp.nan, xp.newaxis]
"""
TABLE = [call for line in CALLS.strip().splitlines() for call in line.split("  ")]


@pytest.mark.parametrize("call", TABLE)
def test_calls(call: str) -> None:
    def run(namespace: Any) -> Any:
        return eval(call, {"xp": namespace, **{name: convert(namespace, x) for name, x in NAMES.items()}})

    assert hold(run), "strict takes every call of the table"

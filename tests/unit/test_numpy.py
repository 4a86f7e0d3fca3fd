"""weft.numpy beyond single expressions (those are in test_against_jax): the lattice of types, random shapes against NumPy, values that are only known when a function runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import weft
import weft.numpy as jnp

FEW = settings(max_examples=20, deadline=None)
FLOATS = st.floats(-4, 4, width=32)

# What jnp.add of these has as its type, by JAX (x64 off; ~ is a Python scalar's weak type).
NAMES = ["bool", "int32", "uint32", "float16", "float32", "int~", "float~"]
PROMOTED = """
bool    int32   uint32  float16 float32 int32~   float32~
int32   int32   int32   float16 float32 int32    float32~
uint32  int32   uint32  float16 float32 uint32   float32~
float16 float16 float16 float16 float32 float16  float16
float32 float32 float32 float32 float32 float32  float32
int32~  int32   uint32  float16 float32 int32~   float32~
float32~ float32~ float32~ float16 float32 float32~ float32~
"""


def operand(name: str):
    return {"int~": 1, "float~": 1.0}[name] if "~" in name else jnp.ones((), name)


@pytest.mark.parametrize("row", range(len(NAMES)))
def test_the_lattice(row: int) -> None:
    expected = PROMOTED.split("\n")[1:-1][row].split()
    for name, want in zip(NAMES, expected, strict=True):
        found = jnp.add(operand(NAMES[row]), operand(name))
        assert f"{found.dtype}{'~' if found.weak_type else ''}" == want, f"{NAMES[row]} + {name}"


def test_64_bits_on_request() -> None:
    assert jnp.asarray(np.ones(2)).dtype == "float32"
    assert jnp.arange(3).dtype == "int32"
    with weft.enable_x64():
        assert jnp.asarray(np.ones(2)).dtype == "float64"
        assert jnp.arange(3).dtype == "int64"
        assert (jnp.ones(2, "float32") + 1.0).dtype == "float32"
        assert (jnp.ones(2, "int32") + jnp.ones(2, "float64")).dtype == "float64"
        assert jnp.zeros(2).dtype == jnp.linspace(0, 1, 2).dtype == "float64"
        assert jnp.sum(jnp.ones(3, "int32")).dtype == "int64"


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3), st.data())
@FEW
def test_broadcasting(shapes, data) -> None:
    a, b, c = (data.draw(hnp.arrays(np.float32, s, elements=FLOATS)) for s in shapes.input_shapes)
    np.testing.assert_allclose(np.asarray(jnp.asarray(a) * b + c), a * b + c, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(jnp.where(a > 0, b, c)), np.where(a > 0, b, c))
    found = weft.jit(lambda a, b, c: jnp.maximum(a, b) - c)(a, b, c)
    np.testing.assert_allclose(np.asarray(found), np.maximum(a, b) - c, rtol=1e-6)


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=4), elements=FLOATS), st.data())
@FEW
def test_reductions(x, data) -> None:
    axes = data.draw(st.none() | st.lists(st.integers(-x.ndim, x.ndim - 1), unique_by=lambda a: a % x.ndim).map(tuple))
    keep = data.draw(st.booleans())
    for name in ("sum", "mean", "max", "min", "prod", "var", "std", "all", "any"):
        found = getattr(jnp, name)(jnp.asarray(x), axis=axes, keepdims=keep)
        expected = getattr(np, name)(x, axis=axes, keepdims=keep)
        assert found.shape == expected.shape, name
        np.testing.assert_allclose(np.asarray(found), expected, rtol=2e-4, atol=2e-5, err_msg=name)


@given(st.data())
@FEW
def test_einsum(data) -> None:
    sizes = dict(zip("ijkl", data.draw(st.tuples(*[st.integers(1, 3)] * 4)), strict=True))
    terms = data.draw(st.lists(st.text("ijkl", min_size=1, max_size=3), min_size=1, max_size=3))
    labels = "".join(dict.fromkeys("".join(terms)))
    result = "".join(data.draw(st.lists(st.sampled_from(labels), unique=True)))
    rng = np.random.default_rng(0)
    operands = [rng.random([sizes[c] for c in t], np.float32) for t in terms]
    text = ",".join(terms) + "->" + result
    np.testing.assert_allclose(
        np.asarray(jnp.einsum(text, *operands)), np.einsum(text, *operands), rtol=1e-4, err_msg=text
    )


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=2, max_side=4), elements=FLOATS), st.data())
@FEW
def test_padding(x, data) -> None:
    widths = data.draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=x.ndim, max_size=x.ndim))
    mode = data.draw(
        st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap", "maximum", "mean", "linear_ramp"])
    )
    np.testing.assert_allclose(
        np.asarray(jnp.pad(jnp.asarray(x), widths, mode)),
        np.pad(x, widths, mode),
        rtol=1e-5,
        atol=1e-6,
        err_msg=f"{mode} {widths}",
    )


INTEGERS = st.integers(-9, 9)


@given(hnp.arrays(np.int32, (6,), elements=INTEGERS), hnp.arrays(np.int32, (6,), elements=INTEGERS))
@FEW
def test_integer_division_is_pythons(x, y) -> None:
    y = np.where(y == 0, 1, y)
    np.testing.assert_array_equal(np.asarray(jnp.asarray(x) // y), x // y)
    np.testing.assert_array_equal(np.asarray(jnp.asarray(x) % y), x % y)
    np.testing.assert_array_equal(np.asarray(jnp.asarray(x) ** np.abs(y)), x ** np.abs(y))


@given(
    hnp.arrays(np.float32, (6,), elements=FLOATS), hnp.arrays(np.float32, (6,), elements=st.floats(0.125, 4, width=32))
)
@FEW
def test_floor_division_of_floats(x, y) -> None:
    np.testing.assert_array_equal(np.asarray(jnp.asarray(x) // y), x // y)
    np.testing.assert_allclose(np.asarray(jnp.asarray(x) % y), x % y, rtol=1e-6)


def test_traced_operands() -> None:
    x = np.arange(6, dtype=np.float32)
    np.testing.assert_array_equal(np.asarray(weft.jit(jnp.roll)(x, 2)), np.roll(x, 2))
    np.testing.assert_array_equal(
        np.asarray(weft.jit(lambda r: jnp.repeat(x[:3], r, total_repeat_length=4))(np.array([1, 0, 3]))), [0, 2, 2, 2]
    )
    with pytest.raises(TypeError, match=r"concrete|traced"):
        weft.jit(lambda n: jnp.arange(n))(3)
    with pytest.raises(TypeError, match=r"(?s)concrete.*static_argnums"):
        weft.jit(lambda n: jnp.zeros((n,)))(3)


def test_lists_are_no_arrays_unless_asked() -> None:
    with pytest.raises(TypeError, match="valid array type"):
        jnp.sin([1.0, 2.0])
    assert jnp.array([[1, 2], [3, 4]]).shape == (2, 2)
    with pytest.raises(ValueError, match="inhomogeneous"):
        jnp.array([[1, 2], [3]])
    np.testing.assert_array_equal(
        np.asarray(jnp.array([jnp.arange(2), np.arange(2) + 1, [7, 8]])), [[0, 1], [1, 2], [7, 8]]
    )


def test_the_namespace_is_numpys() -> None:
    ours = {n for n in dir(jnp) if not n.startswith("_")}
    for name in ("pi", "inf", "nan", "newaxis", "float32", "ndarray", "finfo", "bool"):
        assert name in ours
    assert jnp.finfo(jnp.float32).max == np.finfo(np.float32).max
    assert jnp.iinfo("int32").min == np.iinfo(np.int32).min
    assert jnp.ones(2).dtype == np.float32 == jnp.float32


def test_a_ufunc_uses_the_reductions_that_it_was_given() -> None:
    given = dict.fromkeys(("reduce", "accumulate", "at", "reduceat"), lambda *args, **kwargs: jnp.float32(7))
    f = jnp.ufunc(jnp.add, 2, 1, **given)
    x = jnp.ones(3)
    assert f.reduce(x) == f.accumulate(x) == f.at(x, 0, 1.0, inplace=False) == f.reduceat(x, [0]) == 7


def test_a_dtype_equals_what_numpy_calls_it() -> None:
    for name in ("bool", "int8", "uint64", "float16", "complex64"):
        dtype = jnp.dtype(name)
        assert dtype == np.dtype(name) == dtype and dtype == np.dtype(name).type and dtype == name
        assert dtype != np.dtype("int32")

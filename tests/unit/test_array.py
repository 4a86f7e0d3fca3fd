"""`Array`: a value's properties, operators, conversions, memory; and how it refuses when it is traced."""

from __future__ import annotations

import array
import copy
import gc
import pickle
import sys

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import Array, errors, jit
from weft.array import lift, put
from weft.backends.base import get_backend
from weft.dialects.array.node import STATE

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)


@pytest.fixture
def x():
    return put(X)


def test_properties(x):
    assert (x.shape, x.ndim, x.size, x.nbytes, x.itemsize, len(x)) == ((2, 3), 2, 6, 24, 4, 2)
    assert x.dtype == np.float32 and x.dtype == "float32"
    assert x.device == "cpu" and x.devices() == {"cpu"}
    assert not x.weak_type and isinstance(x, Array) and x.is_fully_addressable
    assert x.T.shape == x.mT.shape == (3, 2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + 1,
        lambda x: 1 - x,
        lambda x: x * x,
        lambda x: 2 / x,
        lambda x: x // 2,
        lambda x: 7 % x,
        lambda x: x**2,
        lambda x: 2**x,
        lambda x: -x,
        lambda x: +x,
        lambda x: abs(-x),
        lambda x: x @ x.T,
        lambda x: X @ x.T,
        lambda x: x < 3,
        lambda x: 3 >= x,  # noqa: SIM300
        lambda x: x == 3,
        lambda x: x != X,
        lambda x: ~(x > 2),
        lambda x: (x > 2) & (x < 5) | (x == 6) ^ (x == 1),
        lambda x: X + x,
        lambda x: np.float32(2) * x,
        lambda x: divmod(x, 2)[1],
        lambda x: (x / 3).round(1),
        lambda x: x.sum(),
        lambda x: x.mean(axis=0),
        lambda x: x.max(axis=1, keepdims=True),
        lambda x: x.reshape(3, 2),
        lambda x: x.reshape((6,)),
        lambda x: x.transpose(1, 0),
        lambda x: x.transpose(),
        lambda x: x.T,
        lambda x: x.ravel(),
        lambda x: x.flatten(),
        lambda x: x.astype("int32"),
        lambda x: x.argmax(axis=1),
        lambda x: x.cumsum(axis=1),
        lambda x: x.clip(2, 4),
        lambda x: x.var(),
        lambda x: x[1],
        lambda x: x[:, ::2],
        lambda x: x[..., -1],
    ],
)
def test_operators_and_methods_are_numpys(x, f):
    np.testing.assert_allclose(f(x), f(X), rtol=1e-6)


def test_integer_operators():
    n = np.array([5, -3], np.int32)
    for f in (
        lambda a: a << 1,
        lambda a: a >> 1,
        lambda a: 1 << abs(a),
        lambda a: a | 8,
        lambda a: a ^ 3,
        lambda a: ~a,
    ):
        np.testing.assert_array_equal(f(put(n)), f(n))


def test_operators_give_way_to_strangers(x):
    class Stranger:
        def __radd__(self, other):
            return "mine"

    assert x + Stranger() == "mine"
    with pytest.raises(TypeError, match="unsupported operand"):
        x + "text"
    assert (x == None) is False  # noqa: E711


def test_numpy_leaves_operators_to_us(x):
    assert isinstance(X + x, Array) and isinstance(np.float32(1) + x, Array) and isinstance(X @ x.T, Array)


def test_conversions(x):
    assert x.tolist() == X.tolist()
    assert x[0, 1].item() == 2.0 and x.item(1, 2) == 6.0
    assert float(x[0, 0]) == 1.0 and int(x[1, 0]) == 4 and complex(x[0, 0]) == 1 and bool(x[0, 0])
    assert list(range(10))[put(np.int32(3))] == 3
    assert [float(v) for v in x[0]] == [1.0, 2.0, 3.0]
    assert 6.0 in x.ravel() and 7.0 not in x.ravel()
    assert f"{x[0, 1]:.2f}" == "2.00"
    np.testing.assert_array_equal(np.asarray(x), X)
    assert np.asarray(x, np.float64).dtype == np.float64
    assert np.asarray(put(np.array(["1"], np.float16).astype(np.float16))).dtype == np.float16


def test_numpy_views_are_not_to_be_written_to(x):
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(x)[0, 0] = 1
    copied = np.array(x)
    copied[0, 0] = 9
    assert float(x[0, 0]) == 1


def test_what_becomes_an_array():
    assert put(True).dtype == "bool" and not put(True).weak_type
    assert put(1).dtype == "int32" and put(1).weak_type
    assert put(1.0).dtype == "float32" and put(1.0).weak_type
    assert put(np.float64(1)).dtype == "float32" and not put(np.float64(1)).weak_type
    assert put(np.arange(3)).dtype == "int32"
    assert put(X.T).tolist() == X.T.tolist()
    assert put(X[:, ::-1]).tolist() == X[:, ::-1].tolist()
    assert put(X.astype(">f4")).tolist() == X.tolist()
    assert put(np.zeros((0, 3), np.float32)).shape == (0, 3)
    assert put(array.array("f", [1, 2])).tolist() == [1, 2]
    assert put(array.array("d", [1, 2])).dtype == "float32"
    assert put(memoryview(b"ab")).tolist() == [97, 98]
    with weft.enable_x64():
        assert (
            put(1.0).dtype == "float64" and put(np.arange(3)).dtype == "int64" and put(np.float64(1)).dtype == "float64"
        )


@pytest.mark.parametrize("value", ["text", None, object(), [1.0], {"a": 1}])
def test_what_does_not(value):
    with pytest.raises(TypeError, match="not a valid array type"):
        lift(value)


def test_integers_that_are_too_large():
    with pytest.raises(OverflowError, match="too large to convert to int32"):
        put(X) * 2**40


def test_protocols(x):
    assert x.__array_namespace__() is jnp
    np.testing.assert_array_equal(np.from_dlpack(x), X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(x)), X)
    assert pickle.loads(pickle.dumps(put(2.0))).weak_type
    np.testing.assert_array_equal(copy.deepcopy({"a": x})["a"], X)
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)
    if sys.version_info >= (3, 12):
        assert memoryview(x).shape == (2, 3)


def test_text(x):
    assert repr(x) == "Array([[1., 2., 3.],\n       [4., 5., 6.]], dtype=float32)"
    assert str(x) == "[[1. 2. 3.]\n [4. 5. 6.]]"
    assert repr(put(2.0)) == "Array(2., dtype=float32, weak_type=True)"
    seen = []
    jit(lambda x: seen.append((repr(x), str(x))) or x)(x)
    assert seen == [("Traced<float32[2,3]>",) * 2]


def test_memory_goes_back_with_the_last_reference():
    gc.collect()
    before = get_backend("cpu").live_bytes()
    x = put(X)
    y = (x + 1).block_until_ready()
    assert get_backend("cpu").live_bytes() == before + 48
    del x
    assert get_backend("cpu").live_bytes() == before + 24
    del y
    assert get_backend("cpu").live_bytes() == before


def test_delete(x):
    y = x + 1  # waits for x
    x.delete()
    assert x.is_deleted() and not y.is_deleted()
    np.testing.assert_array_equal(y, X + 1)
    for use in (lambda: np.asarray(x), lambda: float(x[0, 0]), lambda: np.asarray(x + 1), lambda: jit(jnp.sin)(x)):
        with pytest.raises(RuntimeError, match="deleted"):
            use()
    STATE.pending.clear()


def test_immutable(x):
    with pytest.raises(TypeError, match=r"x\.at\[i\]\.set"):
        x[0] = 1


def test_truth_is_of_one_element(x):
    with pytest.raises(ValueError, match="more than one element is ambiguous"):
        bool(x)
    with pytest.raises(TypeError, match="Only scalar arrays"):
        float(x)
    with pytest.raises(TypeError, match="Only integer scalar arrays"):
        range(put(1.5))
    with pytest.raises(TypeError, match="unsized"):
        len(put(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(put(1.0))


# -- traced -------------------------------------------------------------------------------------------------------------------------------


def branch(x):
    if x["w"].sum() > 0:
        return x
    return x


@pytest.mark.parametrize(
    ("fun", "kind"),
    [
        (branch, errors.TracerBoolConversionError),
        (lambda x: float(x["w"][0]), errors.ConcretizationTypeError),
        (lambda x: x["w"].item(0), errors.ConcretizationTypeError),
        (lambda x: np.asarray(x["w"]), errors.TracerArrayConversionError),
        (lambda x: np.sin(x["w"]), errors.TracerArrayConversionError),
        (lambda x: [1, 2][x["w"].astype("int32")[0]], errors.TracerIntegerConversionError),
        (lambda x: list(range(x["w"].argmax())), errors.TracerIntegerConversionError),
        (lambda x: x["w"].tolist(), errors.ConcretizationTypeError),
    ],
)
def test_traced_values_are_not_readable(fun, kind):
    with pytest.raises(kind) as caught:
        jit(fun)({"w": put(X[0])})
    assert isinstance(caught.value, TypeError)
    text = str(caught.value)
    assert __file__ in text, "the user's line"
    assert "argument x['w'] of" in text
    assert "static" in text or "weft.numpy" in text


def test_the_message_shows_the_line():
    with pytest.raises(errors.TracerBoolConversionError, match=r'if x\["w"\]\.sum\(\) > 0:'):
        jit(branch)({"w": put(X[0])})


def test_a_leak_is_told_when_it_is_read():
    kept = []
    jit(lambda x: kept.append(x * 2) or x)(put(X))
    for use in (lambda: np.asarray(kept[0]), lambda: float((kept[0] + 1).sum()), lambda: jit(jnp.sin)(kept[0])):
        with pytest.raises(errors.UnexpectedTracerError, match="has escaped: it depends on argument x of"):
            use()
    np.testing.assert_array_equal(put(X) + 1, X + 1)


def test_values_under_grad_may_leave_it():
    kept = []
    weft.grad(lambda x: kept.append(x * 2) or x)(3.0)
    assert float(kept[0]) == 6.0

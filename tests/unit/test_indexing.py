"""Indexing means what it means in NumPy: random indices, read and written, eagerly and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import weft
import weft.numpy as jnp

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


@st.composite
def indices(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """A shape and an index of it: integers, slices, None, an ellipsis, integer arrays of shapes that broadcast, a boolean array."""
    shape = draw(SHAPES)
    common = draw(st.sampled_from([(), (2,), (2, 3)]))
    entries: list[Any] = []
    front = draw(st.integers(0, len(shape)))
    ellipsis = draw(st.booleans())
    # What follows an ellipsis names the last axes.
    back = draw(st.integers(front, len(shape))) if ellipsis else len(shape)
    for size in shape[:front] + shape[back:]:
        kind = draw(st.sampled_from(["integer", "slice", "array", "mask"]))
        place = st.integers(-size, size - 1)
        if kind == "integer":
            entries.append(draw(place))
        elif kind == "slice":
            bound = st.none() | st.integers(-size - 1, size + 1)
            entries.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -2]))))
        elif kind == "array":
            entries.append(draw(hnp.arrays(np.int32, common[draw(st.integers(0, len(common))) :], elements=place)))
        elif common == () and not any(isinstance(e, np.ndarray) for e in entries):
            entries.append(draw(hnp.arrays(bool, (size,))))
        else:
            entries.append(slice(None))
    if ellipsis:
        entries.insert(front, Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        entries.insert(draw(st.integers(0, len(entries))), None)
    return shape, tuple(entries)


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


@given(indices())
@FEW
def test_reading(case) -> None:
    shape, index = case
    x = numbered(shape)
    expected = x[index]
    np.testing.assert_array_equal(np.asarray(jnp.asarray(x)[index]), expected)
    np.testing.assert_array_equal(np.asarray(weft.jit(lambda a: a[index])(x)), expected)


@given(indices(), st.sampled_from(["set", "add", "multiply", "min", "max"]))
@FEW
def test_writing(case, method) -> None:
    shape, index = case
    x, expected = numbered(shape), numbered(shape)
    value = np.float32(2.5)  # one value, so that it does not matter which of several wins
    if method == "set":
        expected[index] = value
    else:
        ufunc = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}[method]
        ufunc.at(expected, index, value)
    found = getattr(jnp.asarray(x).at[index], method)(value)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)


@given(indices())
@FEW
def test_writing_an_array(case) -> None:
    shape, index = case
    x, places = numbered(shape), numbered(shape)[index]
    unique = np.unique(places).size == places.size
    values = -(np.arange(places.size, dtype=np.float32).reshape(places.shape) if unique else places)
    expected = x.copy()
    expected[index] = values
    np.testing.assert_array_equal(np.asarray(jnp.asarray(x).at[index].set(values)), expected)


@given(indices())
@FEW
def test_the_derivative_of_reading_is_adding(case) -> None:
    shape, index = case
    x = numbered(shape)
    expected = np.zeros(shape, np.float32)
    np.add.at(expected, index, 1)
    found = weft.grad(lambda a: jnp.sum(a[index]))(jnp.asarray(x))
    np.testing.assert_array_equal(np.asarray(found), expected)


X = numbered((3, 4))


@pytest.mark.parametrize(
    ("expected", "read"),
    [
        (X[[2, 2]], lambda x: x[jnp.array([2, 9])]),
        (X[[0, 2]], lambda x: x[jnp.array([-9, -1])]),
        (X[2], lambda x: x[jnp.array(7)]),
        (np.full((1, 4), np.nan), lambda x: x.at[jnp.array([9])].get(mode="fill")),
        (np.full((1, 4), -1.0), lambda x: x.at[jnp.array([9])].get(mode="fill", fill_value=-1)),
        (X, lambda x: x.at[jnp.array([9])].set(0.0)),
        (np.where(np.arange(3)[:, None] == 2, 0, X), lambda x: x.at[jnp.array([9])].set(0.0, mode="clip")),
    ],
)
def test_out_of_range(expected, read) -> None:
    np.testing.assert_array_equal(np.asarray(read(jnp.asarray(X))), expected)
    np.testing.assert_array_equal(np.asarray(weft.jit(read)(X)), expected)


def test_traced_indices() -> None:
    np.testing.assert_array_equal(np.asarray(weft.jit(lambda x, i: x[i, ::2])(X, 1)), X[1, ::2])
    np.testing.assert_array_equal(np.asarray(weft.jit(lambda x, i: x[:, i])(X, -1)), X[:, -1])
    updated = weft.jit(lambda x, i, v: x.at[i].add(v))(X, 1, 2.0)
    np.testing.assert_array_equal(np.asarray(updated), X + 2 * (np.arange(3) == 1)[:, None])
    rows = weft.vmap(lambda row, i: row[i])(X, jnp.array([0, 2, 3]))
    np.testing.assert_array_equal(np.asarray(rows), [1, 7, 12])


def test_a_traced_mask_can_be_written_through_but_not_read() -> None:
    found = weft.jit(lambda x: x.at[x > 6].multiply(0.0))(X)
    np.testing.assert_array_equal(np.asarray(found), np.where(X > 6, 0, X))
    with pytest.raises(weft.errors.NonConcreteBooleanIndexError, match=r"must be concrete; got bool\[3,4\]"):
        weft.jit(lambda x: x[x > 6])(X)


def test_other_updates() -> None:
    x = jnp.asarray(X)
    np.testing.assert_allclose(np.asarray(x.at[0].divide(2.0)), X / np.where(np.arange(3)[:, None] == 0, 2, 1))
    np.testing.assert_allclose(np.asarray(x.at[:, 1].power(2)), np.where(np.arange(4) == 1, X**2, X))
    np.testing.assert_allclose(np.asarray(x.at[jnp.array([0, 0]), 1].apply(jnp.negative))[0], [1, -2, 3, 4])
    np.testing.assert_allclose(np.asarray(x.at[1].subtract(1.0))[1], X[1] - 1)
    assert x.at[0].set(2.5).dtype == jnp.float32
    assert jnp.arange(3).at[0].set(2.7).tolist() == [2, 1, 2]


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (IndexError, r"Too many indices: array is 2-dimensional, but 3 were indexed", lambda x: x[0, 0, 0]),
        (IndexError, r"index 5 is out of bounds for axis 1 with size 0", lambda x: x[:, :0][0, 5]),
        (IndexError, r"single ellipsis", lambda x: x[..., 0, ...]),
        (IndexError, r"got size 2, expected 3 along axis 0", lambda x: x[np.array([True, False])]),
        (TypeError, r"integer or boolean type, got indexer with type float32", lambda x: x[jnp.array([1.5])]),
        (TypeError, r"non-tuple sequence", lambda x: x[[0, 1]]),
        (TypeError, r"String indexing", lambda x: x["a"]),
        (ValueError, r"shape \(5,\) and an index that selects shape \(4,\)", lambda x: x.at[0].set(jnp.zeros(5))),
        (ValueError, r"Incompatible shapes", lambda x: x[jnp.array([0, 1]), jnp.array([0, 1, 2])]),
        (IndexError, r"static start/stop/step", lambda x: weft.jit(lambda a, n: a[:n])(x, 2)),
    ],
)
def test_what_is_no_index(error, message, call) -> None:
    with pytest.raises(error, match=message):
        call(jnp.asarray(X))


def test_functions_of_indices() -> None:
    x = jnp.asarray(X)
    np.testing.assert_array_equal(np.asarray(jnp.take(x, jnp.array([[0, 2]]), 1)), np.take(X, [[0, 2]], 1))
    order = np.argsort(-X, axis=1).astype(np.int32)
    np.testing.assert_array_equal(np.asarray(jnp.take_along_axis(x, order, 1)), np.take_along_axis(X, order, 1))
    flags = np.array([0, 1, 0, 1, 1], np.int32)
    assert weft.jit(lambda f: jnp.nonzero(f, size=4, fill_value=-1)[0])(flags).tolist() == [1, 3, 4, -1]
    assert weft.jit(lambda f: jnp.nonzero(f, size=2)[0])(flags).tolist() == [1, 3]
    places = jnp.unravel_index(jnp.array([5, 11]), (3, 4))
    assert jnp.ravel_multi_index(places, (3, 4)).tolist() == [5, 11]

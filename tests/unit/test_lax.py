"""The strict operators: their errors in JAX's words, general computations, layouts. (Values are held against JAX's in test_against_jax.)"""

from __future__ import annotations

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax


def ones(*shape: int, dtype: str = "float32") -> weft.Array:
    return jnp.ones(shape, dtype)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            TypeError,
            r"lax.add requires arguments to have the same dtypes, got float32, int32",
            lambda: lax.add(ones(3), 1),
        ),
        (
            TypeError,
            r"add got incompatible shapes for broadcasting: \(3,\), \(4,\)",
            lambda: lax.add(ones(3), ones(4)),
        ),
        (
            TypeError,
            r"add: arrays must have the same number of dimensions, got shapes \(2, 3\), \(3,\)",
            lambda: lax.add(ones(2, 3), ones(3)),
        ),
        (TypeError, r"sin does not accept dtype int32", lambda: lax.sin(jnp.arange(3))),
        (
            TypeError,
            r"dot_general: contracting dimensions differ: lhs \(4, 8\) has 8 at axis 1, rhs \(7, 2\) has 7 at axis 0",
            lambda: lax.dot_general(ones(4, 8), ones(7, 2), (((1,), (0,)), ((), ()))),
        ),
        (
            TypeError,
            r"dot_general: batch dimensions differ: lhs \(4, 8\) has 4 at axis 0, rhs \(5, 8\) has 5 at axis 0",
            lambda: lax.dot_general(ones(4, 8), ones(5, 8), (((1,), (1,)), ((0,), (0,)))),
        ),
        (
            ValueError,
            r"Incompatible shapes for dot: got \(2, 3\) and \(2, 3\)",
            lambda: lax.dot(ones(2, 3), ones(2, 3)),
        ),
        (ValueError, r"Arguments to batch_matmul must be at least 2D", lambda: lax.batch_matmul(ones(2), ones(2))),
        (
            TypeError,
            r"select cases must have the same shapes, got \[\(4,\), \(3,\)\]",
            lambda: lax.select(ones(3) > 1, ones(3), ones(4)),
        ),
        (
            TypeError,
            r"select `which` must be boolean or integer type, got float32",
            lambda: lax.select(ones(3), ones(3), ones(3)),
        ),
        (TypeError, r"clamp requires max.shape == operand.shape", lambda: lax.clamp(0.0, ones(2, 3), ones(3))),
        (ValueError, r"length of padding_config must equal", lambda: lax.pad(ones(3), 0.0, [(1, 1, 0), (0, 0, 0)])),
        (
            TypeError,
            r"pad operand and padding_value must be same dtype: got float32 and int32",
            lambda: lax.pad(ones(3), 0, [(1, 1, 0)]),
        ),
        (TypeError, r"rev dimensions must all be less than operand ndim", lambda: lax.rev(ones(3), (1,))),
        (ValueError, r"Invalid axis 1 for operand shape \(3,\)", lambda: lax.argmax(ones(3), 1, jnp.int32)),
        (ValueError, r"axis 2 is out of bounds for array of shape \(3,\)", lambda: lax.cumsum(ones(3), 2)),
        (
            ValueError,
            r"axes must be unique and lie in \[0, 2\), got \(0, 0\)",
            lambda: lax.reduce_sum(ones(2, 2), (0, 0)),
        ),
        (
            ValueError,
            r"Length of slice indices must match number of operand dimensions \(1 vs \(4, 4\)\)",
            lambda: lax.dynamic_slice(ones(4, 4), (0,), (1, 1)),
        ),
        (TypeError, r"slice_sizes must be less than or equal", lambda: lax.dynamic_slice(ones(4), (0,), (5,))),
        (
            TypeError,
            r"start_indices must be integer scalars, got float32\[\]",
            lambda: lax.dynamic_slice(ones(4), (jnp.float32(0),), (1,)),
        ),
        (
            TypeError,
            r"update shape must be smaller than operand shape",
            lambda: lax.dynamic_update_slice(ones(2), ones(3), (0,)),
        ),
        (IndexError, r"index 3 is out of bounds for axis 0 with size 3", lambda: lax.index_in_dim(ones(3), 3)),
        (
            ValueError,
            r"lhs feature dimension size 3 must be rhs input feature dimension size 2",
            lambda: lax.conv(ones(1, 3, 8, 8), ones(4, 2, 3, 3), (1, 1), "SAME"),
        ),
        (
            ValueError,
            r"window and window_strides must have the same number of dimensions, but got 2 and 1",
            lambda: lax.conv(ones(1, 3, 8, 8), ones(4, 3, 3, 3), (1,), "SAME"),
        ),
        (
            RuntimeError,
            r"Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER', got LARGE",
            lambda: lax.conv(ones(1, 3, 8, 8), ones(4, 3, 3, 3), (1, 1), "LARGE"),
        ),
        (
            TypeError,
            r"must contain the characters 'N' and 'C' exactly once, got 'NHWN'",
            lambda: lax.conv_dimension_numbers((1, 2, 3, 4), (1, 2, 3, 4), ("NHWN", "HWIO", "NHWC")),
        ),
        (
            TypeError,
            r"reduce_window got the wrong number of window_dimensions",
            lambda: lax.reduce_window(ones(2, 3), 0.0, lax.add, (2,), (1,), "VALID"),
        ),
        (
            ValueError,
            r"reduce_window: the initial value must be a scalar",
            lambda: lax.reduce_window(ones(2), jnp.zeros(2), lax.add, (2,), (1,), "VALID"),
        ),
        (ValueError, r"Unknown gather mode", lambda: lax.GatherScatterMode.from_any("nearest", None)),
        (
            ValueError,
            r"bitcast: to read float16 as float32, the last axis must have 2 elements",
            lambda: lax.bitcast_convert_type(jnp.ones(3, "float16"), "float32"),
        ),
        (TypeError, r"full must be called with scalar fill_value", lambda: lax.full((2,), ones(2))),
        (
            ValueError,
            r"split requires sum of sizes 4 is equal to operand.shape\[axis\] 3",
            lambda: lax.split(ones(3), [2, 2]),
        ),
    ],
)
def test_errors(error, message, call) -> None:
    with pytest.raises(error, match=message):
        call()


def test_reductions_by_any_associative_function() -> None:
    x = np.arange(1, 8, dtype=np.float32)
    last = lax.reduce(x, jnp.float32(0), lambda a, b: b, (0,))
    assert float(last) == 7, "the order of the elements is kept"
    norm = lax.reduce(x, 0.0, lambda a, b: jnp.hypot(a, b), (0,))
    np.testing.assert_allclose(float(norm), np.linalg.norm(x), rtol=1e-6)
    windows = lax.reduce_window(x, 0.0, lambda a, b: jnp.hypot(a, b), (3,), (2,), "VALID")
    np.testing.assert_allclose(np.asarray(windows), [np.linalg.norm(x[i : i + 3]) for i in (0, 2, 4)], rtol=1e-6)


def test_an_initial_value_takes_part() -> None:
    x = jnp.arange(4.0)
    assert float(lax.reduce(x, 10.0, lax.add, (0,))) == 16
    assert lax.reduce_window(x, 2.5, lax.max, (2,), (1,), "VALID").tolist() == [2.5, 2.5, 3.0]
    assert lax.reduce_window(x, 1.0, lax.add, (2,), (2,), [(1, 1)]).tolist() == [2.0, 4.0, 5.0]


def test_the_first_of_equal_extremes_gets_the_derivative() -> None:
    x = jnp.zeros((4, 4))

    def pooled(x):
        return jnp.sum(lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID"))

    expected = np.zeros((4, 4))
    expected[::2, ::2] = 1
    for derivative in (
        weft.grad(pooled),
        weft.jit(weft.grad(pooled)),
        lambda x: weft.vmap(weft.grad(pooled))(x[None])[0],
    ):
        np.testing.assert_array_equal(np.asarray(derivative(x)), expected)
    _, tangent = weft.jvp(pooled, (x,), (jnp.arange(16.0).reshape(4, 4),))
    assert float(tangent) == 0 + 2 + 8 + 10


def test_convolution_of_any_layout_is_one_convolution() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.random((2, 3, 5, 6), np.float32), rng.random((4, 3, 3, 2), np.float32)
    expected = np.asarray(lax.conv_general_dilated(x, w, (2, 1), "SAME"))
    for lhs, rhs, out in (("NHWC", "HWIO", "NHWC"), ("CNHW", "OHWI", "NCHW"), ("HWCN", "IOHW", "WHNC")):
        spots = {c: i for i, c in enumerate("NCHW")}
        turned = x.transpose([spots[c] for c in lhs])
        window = w.transpose(["OIHW".index(c) for c in rhs])
        found = np.asarray(lax.conv_general_dilated(turned, window, (2, 1), "SAME", dimension_numbers=(lhs, rhs, out)))
        np.testing.assert_allclose(found, expected.transpose([spots[c] for c in out]), rtol=1e-5)


def test_stop_gradient_goes_through_pytrees() -> None:
    def f(p):
        return jnp.sum(p["a"] * lax.stop_gradient(p)["a"])

    np.testing.assert_array_equal(np.asarray(weft.grad(f)({"a": jnp.arange(3.0)})["a"]), [0, 1, 2])


def test_negative_starts_count_from_the_end() -> None:
    x = jnp.arange(5)
    assert lax.dynamic_slice(x, (-2,), (2,)).tolist() == [3, 4]
    assert weft.jit(lambda x, i: lax.dynamic_slice(x, (i,), (2,)))(x, -3).tolist() == [2, 3]
    assert lax.dynamic_slice(x, (9,), (2,)).tolist() == [3, 4]
    assert lax.dynamic_slice(x, (jnp.int32(-2),), (2,), allow_negative_indices=False).tolist() == [0, 1]


def test_64_bit_types_need_to_be_asked_for() -> None:
    assert lax.iota("int64", 3).dtype == "int32"
    assert lax.convert_element_type(1.5, float).dtype == "float32"
    with weft.enable_x64():
        assert lax.convert_element_type(1.5, float).dtype == "float64"
        assert lax.full((2,), 1.0).dtype == "float64"


def test_without_a_mantissa_a_tie_goes_to_the_even_exponent() -> None:
    """As XLA rounds: 3 lies between 2 and 4, and 1.5 between 1 and 2."""
    x = jnp.array([3.0, 1.5, -3.0, 0.75, 3.5], "float32")
    for device in ("cpu", "wasm"):
        assert lax.reduce_precision(x.to(device), 5, 0).tolist() == [2.0, 2.0, -2.0, 0.5, 4.0]


def test_polar_decompositions_of_a_batch():
    x = np.random.default_rng(3).normal(size=(2, 4, 3)).astype("float32")
    u, h, _, converged = lax.linalg.qdwh(x)
    np.testing.assert_allclose(np.asarray(u @ h), x, atol=2e-5)
    np.testing.assert_allclose(np.asarray(u.mT @ u), np.stack([np.eye(3)] * 2), atol=2e-5)
    assert converged.tolist() == [True, True]


def test_several_results_come_in_a_list_where_jax_gives_one() -> None:
    """What is done to trees of results depends on it: `tree.map` of a list and a tuple is refused."""
    x = jnp.eye(3) + 1
    for found in (
        lax.top_k(x, 2), lax.approx_max_k(x, 2), lax.approx_min_k(x, 2), lax.linalg.lu(x), lax.linalg.schur(x),
        lax.linalg.hessenberg(x), lax.linalg.hessenberg(x[:1, :1]), lax.linalg.tridiagonal(x), weft.vmap(lambda row: lax.top_k(row, 2))(x),
    ):  # fmt: skip
        assert type(found) is list
    for found in (lax.sort((x, x)), lax.linalg.eigh(x), lax.linalg.qr(x), lax.linalg.svd(x)):
        assert type(found) is tuple

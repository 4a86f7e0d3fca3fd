"""What libraries written for JAX ask of the package beside arrays' values: descriptions in the place of arrays, dtypes that NumPy takes, names of modules, stages, tests of derivatives."""

from __future__ import annotations

import importlib
from copy import deepcopy

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import ShapeDtypeStruct, lax
from weft.core import ShapedArray, Tracer
from weft.test_util import check_grads, check_jvp, check_vjp


def test_a_description_will_do_where_only_shape_and_dtype_matter() -> None:
    struct = ShapeDtypeStruct((2, 3), jnp.int8)
    for made in (jnp.zeros_like(struct), jnp.ones_like(struct), jnp.empty_like(struct), lax.full_like(struct, 3)):
        assert (made.shape, made.dtype) == ((2, 3), "int8")
    assert (jnp.shape(struct), jnp.ndim(struct), jnp.size(struct), len(struct)) == ((2, 3), 2, 6, 2)
    assert jnp.result_type(struct, jnp.float16) == "float16"
    assert jnp.isrealobj(struct) and not jnp.iscomplexobj(struct)
    assert jnp.zeros_like(weft.typeof(jnp.ones(2))).shape == (2,)
    assert struct.update(shape=(4,)) == ShapeDtypeStruct((4,), "int8")
    with pytest.raises(ValueError, match="size"):
        struct.update(size=3)
    with pytest.raises(TypeError, match="not a valid array type"):
        jnp.add(struct, 1)
    like = weft.tree.map(jnp.zeros_like, weft.eval_shape(lambda x: {"y": x @ x.T}, jnp.ones((2, 3))))
    np.testing.assert_array_equal(like["y"], np.zeros((2, 2)))


@pytest.mark.parametrize("name", ["bool", "int32", "uint8", "float16", "float32", "complex64", "bfloat16"])
def test_numpy_takes_dtypes(name: str) -> None:
    array, scalar = jnp.zeros(2, name), getattr(jnp, name)
    for dtype in (array.dtype, scalar, jnp.dtype(name)):
        made = np.ones(3, dtype)
        assert made.dtype == array.dtype and str(np.dtype(dtype)) == name
        assert np.asarray(array, dtype=dtype).dtype == made.dtype
        assert np.issubdtype(dtype, np.floating) == name.startswith("float")
    assert repr(array.dtype) == repr(np.dtype(array.dtype))


def test_which_values_are_traced() -> None:
    x = jnp.ones(3)
    assert not isinstance(x, Tracer) and not isinstance(1.0, Tracer)
    seen = []

    def f(x: weft.Array) -> weft.Array:
        seen.append(isinstance(x, Tracer))
        return x.sum()

    weft.jit(f)(x), weft.grad(f)(x), weft.vmap(f)(x)
    assert seen == [True, True, True]
    assert isinstance(x.aval, ShapedArray) and not isinstance(x, ShapedArray)
    assert ShapedArray((3,), jnp.float32) == x.aval


def test_what_a_function_takes_as_an_array() -> None:
    taken = weft.typing.ArrayLike
    assert all(isinstance(x, taken) for x in (jnp.ones(2), 1, 2.0, True, 1j, np.ones(2), np.float32(1)))
    assert not any(isinstance(x, taken) for x in ("1", [1.0], None))


def test_distributions_are_modules() -> None:
    norm = importlib.import_module("weft.scipy.stats.norm")
    assert norm.logpdf is weft.scipy.stats.norm.logpdf


def test_options_by_the_names_that_jax_has_for_them() -> None:
    config = weft.config
    assert config.jax_enable_x64 is config.x64_enabled is config.read("jax_enable_x64") is False
    with weft.numpy_rank_promotion("warn"):
        assert config.jax_numpy_rank_promotion == "warn"
    with pytest.raises(AttributeError, match="no attribute 'speed'"):
        _ = config.jax_speed


def test_a_function_is_traced_lowered_compiled() -> None:
    def double(x: weft.Array, y: dict[str, float]) -> dict[str, weft.Array]:
        return {"z": 2 * x + y["c"]}

    traced = weft.jit(double).trace(jnp.ones(3), {"c": 1.0})
    lowered, compiled = traced.lower(), traced.lower().compile()
    assert traced.fun_name == "double" and "array.mul" in str(traced.jaxpr)
    for stage in (traced, lowered, compiled):
        assert stage.out_info == {"z": ShapeDtypeStruct((3,), jnp.float32)}
        assert stage.in_tree == traced.in_tree and stage.out_tree == traced.out_tree
    np.testing.assert_array_equal(compiled(jnp.ones(3), {"c": 1.0})["z"], [3, 3, 3])


def test_right_derivatives_pass() -> None:
    check_grads(lambda x, y: jnp.sin(x) @ y, (jnp.ones((2, 3)), jnp.arange(3.0)), order=2)
    check_grads(lambda d: {"z": jnp.exp(d["x"] * 1j)}, ({"x": jnp.array([1 + 0.5j, 2.0])},), order=1)
    check_grads(lambda x, n: x**2 * n, (0.3, 2), order=1, modes=["fwd", "rev", "lin"], eps=1e-3)


def test_wrong_derivatives_are_found() -> None:
    @weft.custom_jvp
    def f(x: weft.Array) -> weft.Array:
        return jnp.sin(x)

    f.defjvp(lambda primals, tangents: (f(*primals), 1.1 * tangents[0] * jnp.cos(primals[0])))
    for mode, message in (("fwd", "JVP tangent: not equal"), ("rev", "VJP cotangent projection: not equal")):
        with pytest.raises(AssertionError, match=message):
            check_grads(f, (1.0,), order=1, modes=[mode])
        check_grads(f, (1.0,), order=1, modes=[mode], rtol={"float32": 0.2})
    with pytest.raises(AssertionError, match="primal: not equal"):
        check_jvp(f, lambda p, t: (p[0], t[0]), (1.0,))
    with pytest.raises(AssertionError, match="primal: not equal"):
        check_vjp(f, lambda x: (x, lambda ct: (ct,)), (1.0,))


def test_numpy_asks_arrays_for_their_kind() -> None:
    assert jnp.iscomplexobj(jnp.complex64) and jnp.isrealobj(jnp.float32) and not jnp.iscomplexobj(None)
    assert np.iscomplexobj(jnp.ones(2) * 1j) and np.isrealobj(jnp.ones(2))
    assert jnp.ones(2).dtype.type is np.float32
    np.testing.assert_almost_equal(jnp.float32(1), 1.0)


@pytest.mark.parametrize("copied", [jnp.copy, jnp.array, lambda x: x.copy(), deepcopy])
def test_a_copy_outlives_what_is_donated(copied) -> None:  # type: ignore[no-untyped-def]
    x = jnp.arange(3.0)
    y = copied(x)
    weft.jit(lambda x: x + 1, donate_argnums=0)(x)
    assert x.is_deleted()
    np.testing.assert_array_equal(y, [0, 1, 2])
    assert copied(weft.random.key(0)).dtype == weft.random.key(0).dtype


def test_keys_are_carried_through_loops() -> None:
    def step(carry, _):  # type: ignore[no-untyped-def]
        x, key = carry
        key, use = weft.random.split(key)
        return (x + weft.random.normal(use), key), use

    start = (jnp.float32(0), weft.random.key(1))
    (x, key), used = lax.scan(step, start, None, length=3)
    by_hand = start
    for _ in range(3):
        by_hand, _use = step(by_hand, None)
    assert jnp.allclose(x, by_hand[0]) and key == by_hand[1] and used.shape == (3,)
    x, key = lax.fori_loop(0, 3, lambda i, c: step(c, None)[0], start)
    assert jnp.allclose(x, by_hand[0]) and key == by_hand[1]
    assert jnp.issubdtype(key.dtype, weft.dtypes.prng_key) and not jnp.issubdtype(key.dtype, jnp.integer)


def test_a_carry_may_be_of_a_class_that_takes_nothing_but_arrays() -> None:
    @weft.tree_util.register_pytree_node_class
    class Particle:
        def __init__(self, place: weft.Array):
            assert place.ndim == 1
            self.place = place

        def tree_flatten(self):  # type: ignore[no-untyped-def]
            return (self.place,), None

        @classmethod
        def tree_unflatten(cls, _, children):  # type: ignore[no-untyped-def]
            return cls(*children)

    end, places = lax.scan(lambda p, v: (Particle(p.place + v), p.place), Particle(jnp.zeros(2)), jnp.ones((3, 2)))
    np.testing.assert_array_equal(end.place, [3, 3])
    assert places.shape == (3, 2)


def test_einsum_contracts_by_what_it_is_given() -> None:
    def rounded(x, y, numbers, precision=None, preferred_element_type=None):  # type: ignore[no-untyped-def]
        return lax.dot_general(jnp.round(x), jnp.round(y), numbers, precision, preferred_element_type)

    x = jnp.array([[0.6, 1.4], [2.2, -0.7]])
    np.testing.assert_array_equal(jnp.einsum("ij,jk->ik", x, x, _dot_general=rounded), [[3, 0], [0, 3]])

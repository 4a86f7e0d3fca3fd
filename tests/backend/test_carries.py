"""What loops carry on the devices: values that change places, meet in one, stay, come from outside, in every kind of type, in small loops (one kernel on webgpu) and large ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft as jax
import weft.numpy as jnp
from weft import lax

DEVICES = ["wasm", "webgpu"]
TYPES = ["float32", "int32", "bool", "complex64", "bfloat16", "int8"]
SMALL, LARGE = 5, 70 * 256  # more than a workgroup does in a kernel that is a loop


def step(x: Any) -> Any:
    """Something to compute at each element, of the same type."""
    if x.dtype == bool:
        return ~x
    return x * 3 if jnp.issubdtype(x.dtype, jnp.integer) else x * 0.5 + 1


def mixed(x: Any, y: Any) -> Any:
    return x ^ y if x.dtype == bool else x - y


@st.composite
def bodies(draw: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The types of what is carried, and where each next value comes from."""
    types = draw(st.lists(st.sampled_from(draw(st.permutations(TYPES))[:2]), min_size=1, max_size=4))

    def source(k: int) -> tuple[Any, ...]:
        alike = [j for j, t in enumerate(types) if t == types[k]]
        what = draw(st.sampled_from(["take", "take", "step", "step", "flip", "mix", "one", "outside"]))
        return what, draw(st.sampled_from(alike)), draw(st.sampled_from(alike))

    return types, [source(k) for k in range(len(types))]


def following(sources: list[tuple[Any, ...]], outside: list[Any], carry: tuple[Any, ...]) -> tuple[Any, ...]:
    def one(what: str, j: int, k: int) -> Any:
        x = carry[j]
        match what:
            case "take":
                return x
            case "step":
                return step(x)
            case "flip":
                return step(x)[::-1]
            case "mix":
                return mixed(x, carry[k][::-1])
            case "one":
                return jnp.ones_like(x)
            case _:
                return outside[j]

    return tuple(one(*s) for s in sources)


def run(kind: str, sources: list[tuple[Any, ...]], times: Any, inner: int, outside: list[Any], carry: Any) -> Any:
    def body(c: Any) -> Any:
        return following(sources, outside, c)

    match kind:
        case "fixed":
            return lax.fori_loop(0, inner, lambda _, c: body(c), carry)
        case "while":
            return lax.while_loop(lambda c: c[0] < times, lambda c: (c[0] + 1, body(c[1])), (0, carry))
        case "branch":
            return lax.fori_loop(0, inner, lambda i, c: lax.cond(i % 3 == 1, lambda: c, lambda: body(c)), carry)
        case "nested":
            return lax.fori_loop(0, 3, lambda i, c: body(run("fixed", sources, times, inner, outside, c)), carry)
        case _:  # a loop whose rounds data decides, in one of the same kind
            return lax.fori_loop(0, times, lambda i, c: body(lax.fori_loop(0, i, lambda _, d: body(d), c)), carry)


def values(types: list[str], size: int) -> list[Any]:
    """Operands; no two are alike."""
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.integers(-9, 9, size)).astype(getattr(jnp, t if t != "bool" else "bool_")) for t in types]


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=12, deadline=None)
@given(
    program=bodies(),
    kind=st.sampled_from(["fixed", "while", "branch", "nested", "unknown"]),
    size=st.sampled_from([SMALL, SMALL, LARGE]),
    times=st.integers(0, 6),
    alias=st.booleans(),
    donate=st.booleans(),
)
def test_carries(device: str, program: Any, kind: str, size: int, times: int, alias: bool, donate: bool) -> None:
    types, sources = program

    def on(place: str) -> list[np.ndarray]:
        with jax.default_device(place):
            carry, outside = values(types, size), values(types, size)
            if alias:  # one array, carried twice, and used in the loop as well
                carry = [carry[types.index(t)] for t in types]
                outside = carry
            fun = partial(run, kind, sources, inner=times)
            jitted = jax.jit(
                lambda n, o, c: fun(n, outside=o, carry=tuple(c)), donate_argnums=(2,) if donate and not alias else ()
            )
            return [np.asarray(x) for x in jax.tree.leaves(jitted(times, outside, carry))]

    for found, expected in zip(on(device), on("cpu"), strict=True):
        assert found.dtype == expected.dtype
        if found.dtype.kind in "biu":
            np.testing.assert_array_equal(found, expected)
        else:
            wide = np.complex64 if found.dtype.kind == "c" else np.float32
            rtol = 1e-5 if found.dtype.itemsize > 2 else 2e-2  # a device rounds what is stored only
            np.testing.assert_allclose(found.astype(wide), expected.astype(wide), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("times", [0, 1, 2, 5, 9])
def test_three_buffers_take_turns(device: str, size: int, times: int) -> None:
    """(a, b) -> (b, next): after each number of rounds what is in which buffer is known, or comes home."""

    def body(c: Any) -> Any:
        a, b = c
        return b, (a + b[::-1]) % 1000

    a, b = np.arange(size, dtype=np.int32), np.ones(size, np.int32)
    expected = (a, b)
    for _ in range(times):
        expected = (expected[1], (expected[0] + expected[1][::-1]) % 1000)
    with jax.default_device(device):
        fixed = jax.jit(lambda a, b: lax.fori_loop(0, times, lambda _, c: body(c), (a, b)))(a, b)
        loop = jax.jit(
            lambda n, a, b: lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, body(c[1])), (0, (a, b)))
        )
        for found in (fixed, loop(times, a, b)[1]):
            for f, e in zip(found, expected, strict=True):
                np.testing.assert_array_equal(np.asarray(f), e)

"""How a random program is run, on weft or on JAX, and what agreement means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .grammar import Program

MODES = ("forward", "jvp", "grad", "vmap")


def prepared(program: Program, mode: str, jax: Any) -> tuple[Callable[..., list[Any]], list[np.ndarray]]:
    """The function of a mode, and arguments for it."""
    jnp = jax.numpy
    fun = program.function(jax)
    inputs = list(program.inputs)
    floats = tuple(k for k, a in enumerate(inputs) if a.dtype == np.float32)

    def loss(*xs: Any) -> Any:
        total = jnp.float32(0)
        for out in fun(*xs):
            if jnp.issubdtype(out.dtype, jnp.complexfloating):
                out = jnp.real(out) + jnp.imag(out)
            if jnp.issubdtype(out.dtype, jnp.floating):
                total += jnp.sum(jnp.sin(out.astype("float32")))
        return total

    if mode == "forward":
        return fun, inputs
    if mode == "grad":
        return lambda *xs: list(jax.grad(loss, floats)(*xs)), inputs
    if mode == "vmap":
        batch = [np.stack([a, a[..., ::-1] if a.ndim else a + 1]) if k in floats else a for k, a in enumerate(inputs)]
        axes = tuple(0 if k in floats else None for k in range(len(inputs)))
        return lambda *xs: list(jax.vmap(fun, axes)(*xs)), batch

    def tangent(*xs: Any) -> list[Any]:
        def inexact(*fs: Any) -> list[Any]:
            full = list(xs)
            for k, f in zip(floats, fs, strict=True):
                full[k] = f
            return [o for o in fun(*full) if jnp.issubdtype(o.dtype, jnp.inexact)] + [full[floats[0]]]

        primals = [xs[k] for k in floats]
        return jax.jvp(inexact, primals, [jnp.cos(x) for x in primals])[1]

    return tangent, inputs


def run(program: Program, mode: str, jax: Any, compiled: bool = True) -> list[np.ndarray]:
    """The results, on the default device."""
    fun, inputs = prepared(program, mode, jax)
    fun = jax.jit(fun) if compiled else fun
    return [np.asarray(v) for v in fun(*(jax.numpy.asarray(a) for a in inputs))]


def disagreement(program: Program, mode: str, wanted: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> str | None:
    """What is wrong with results, if anything. Exact ones are held to the bit, others to a tolerance that goes by the largest element."""
    for k, (want, have) in enumerate(zip(wanted, got, strict=True)):
        if (want.shape, want.dtype) != (have.shape, have.dtype):
            return f"result {k}: {have.dtype}{have.shape} instead of {want.dtype}{want.shape}"
        if want.dtype.kind in "iub" or (mode in ("forward", "vmap") and program.exact[k]):
            if not np.array_equal(want, have, equal_nan=want.dtype.kind not in "iub"):
                return f"result {k}: {have.tolist()} instead of {want.tolist()}"
            continue
        kind = "complex128" if want.dtype.kind == "c" else "float64"
        a, b = want.astype(kind), have.astype(kind)
        finite = np.isfinite(a)
        tolerance = 0.05 if program.half else 2e-3 if program.loose else 3e-4
        scale = max(1.0, float(np.abs(a[finite]).max(initial=0)))
        if (np.isfinite(b) != finite).any() or (np.abs(a[finite] - b[finite]) > tolerance * scale).any():
            return f"result {k}: {have.tolist()} instead of {want.tolist()}"
    return None

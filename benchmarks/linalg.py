"""Factorisations on the wasm device beside NumPy's LAPACK in the same run: best of several, milliseconds, and the ratio."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import weft
import weft.numpy as jnp


def best(function: Callable[[], Any], repeats: int = 9) -> float:
    """The least time of several runs, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def cases(
    random: np.random.Generator,
) -> dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[np.ndarray, ...]]]:
    """Name: weft's function, NumPy's, and the operands."""

    def matrix(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    big, small = matrix(512, 512), matrix(128, 128)
    definite = big @ big.T + 512 * np.eye(512, dtype=np.float32)
    return {
        "cholesky 512": (jnp.linalg.cholesky, np.linalg.cholesky, (definite,)),
        "solve 512": (jnp.linalg.solve, np.linalg.solve, (big, matrix(512, 1))),
        "inv 512": (jnp.linalg.inv, np.linalg.inv, (big,)),
        "det 512": (jnp.linalg.det, np.linalg.det, (big,)),
        "qr 512": (jnp.linalg.qr, np.linalg.qr, (big,)),
        "eigh 128": (jnp.linalg.eigh, np.linalg.eigh, (small + small.T,)),
        "svd 128": (jnp.linalg.svd, np.linalg.svd, (small,)),
        "cholesky 64 x 16²": (jnp.linalg.cholesky, np.linalg.cholesky, (np.stack([definite[:16, :16]] * 64),)),
    }


def main() -> None:
    """Prints a table."""
    print(f"{'':20}{'first call':>12}{'weft':>10}{'NumPy':>10}{'ratio':>8}")
    with weft.default_device("wasm"):
        for name, (ours, theirs, arrays) in cases(np.random.default_rng(0)).items():
            compiled = weft.jit(ours)
            operands = [jnp.asarray(a) for a in arrays]

            def run(compiled: Any = compiled, operands: Any = operands) -> None:
                weft.block_until_ready(compiled(*operands))

            first = best(run, 1)
            mine, other = best(run), best(lambda theirs=theirs, arrays=arrays: theirs(*arrays))
            print(f"{name:20}{first:12.1f}{mine:10.2f}{other:10.2f}{mine / other:8.1f}")


if __name__ == "__main__":
    main()

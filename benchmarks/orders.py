"""Sorting, ranks, running sums and Fourier transforms on the wasm device (or another), beside NumPy in the same run: `python benchmarks/orders.py [DEVICE]`.

Each line: milliseconds of weft and of NumPy, best of several, and their ratio (below 1: weft is faster). NumPy sorts stably, as weft does, and transforms in single precision.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import weft
import weft.numpy as jnp


def best(f: Callable[[], Any], repeats: int = 9) -> float:
    """Milliseconds of the fastest run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main(device: str = "wasm") -> None:
    """Prints the table."""
    weft.set_default_device(device)
    random = np.random.default_rng(0)
    line, rows = random.random(1 << 20).astype(np.float32), random.random((1000, 1000)).astype(np.float32)
    spectrum = (random.random(1 << 16) + 1j * random.random(1 << 16)).astype(np.complex64)
    signals = random.random((1000, 1024)).astype(np.float32)
    wanted = random.random(1 << 16).astype(np.float32)
    ordered = np.sort(line)
    cases: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[np.ndarray, ...]]] = [
        ("sort 2^20", jnp.sort, lambda x: np.sort(x, kind="stable"), (line,)),
        ("argsort 2^20", jnp.argsort, lambda x: np.argsort(x, kind="stable"), (line,)),
        ("sort 1000 rows of 1000", jnp.sort, lambda x: np.sort(x, kind="stable"), (rows,)),
        ("argsort 1000 rows of 1000", jnp.argsort, lambda x: np.argsort(x, kind="stable"), (rows,)),
        ("searchsorted 2^16 in 2^20", jnp.searchsorted, np.searchsorted, (ordered, wanted)),
        ("cumsum 2^20", jnp.cumsum, np.cumsum, (line,)),
        ("cumsum 1000 x 1000, axis 0", lambda x: jnp.cumsum(x, 0), lambda x: np.cumsum(x, 0), (rows,)),
        ("median of 1000 rows of 1000", lambda x: jnp.median(x, 1), lambda x: np.median(x, 1), (rows,)),
        ("median of 2^20", jnp.median, np.median, (line,)),
        ("top 10 of 2^20", lambda x: weft.lax.top_k(x, 10), lambda x: np.argpartition(-x, 10)[:10], (line,)),
        (
            "top 10 of 1000 rows of 1000",
            lambda x: weft.lax.top_k(x, 10),
            lambda x: np.argpartition(-x, 10)[:, :10],
            (rows,),
        ),
        ("cumsum of 1000 rows of 1000", lambda x: jnp.cumsum(x, 1), lambda x: np.cumsum(x, 1), (rows,)),
        ("fft 2^16", jnp.fft.fft, np.fft.fft, (spectrum,)),
        ("rfft 1000 rows of 1024", jnp.fft.rfft, np.fft.rfft, (signals,)),
    ]
    print(f"{'':30}{device:>10}{'NumPy':>10}{'ratio':>8}")
    for name, mine, numpys, operands in cases:
        placed = [jnp.asarray(x) for x in operands]
        compiled = weft.jit(mine)
        weft.block_until_ready(compiled(*placed))
        ours, theirs = best(lambda: weft.block_until_ready(compiled(*placed))), best(lambda: numpys(*operands))  # noqa: B023
        print(f"{name:30}{ours:10.2f}{theirs:10.2f}{ours / theirs:8.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

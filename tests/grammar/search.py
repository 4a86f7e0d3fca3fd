"""A long search: `python tests/grammar/search.py FIRST LAST wasm-jit,webgpu-eager,jax` runs the programs of these seeds on devices (and in JAX, where it is installed), in every mode, against the oracle.

It prints each program that fails, ready to run, and what was wrong. A seed gives the same program each time, as long as the grammar stays what it is.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from random import Random

import numpy as np

import weft

sys.path.insert(0, str(Path(__file__).parents[1]))
from grammar.grammar import Program, program
from grammar.harness import MODES, disagreement, run


def wrong(made: Program, mode: str, target: str) -> str | None:
    """What a target gets wrong in a mode: `jax`, or a device and `jit` or `eager`."""
    with weft.default_device("cpu"):
        wanted = run(made, mode, weft)
    try:
        if target == "jax":
            got = run(made, mode, import_module("jax"))
        else:
            device, how = target.split("-")
            with weft.default_device(device):
                got = run(made, mode, weft, how == "jit")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return disagreement(made, mode, wanted, got)


def search(first: int, last: int, targets: list[str]) -> int:
    """How many runs of the programs of these seeds went wrong."""
    failures = 0
    for seed in range(first, last):
        with weft.default_device("cpu"):
            made = program(Random(seed).randrange)
        for mode in MODES:
            for target in targets if mode != "jvp" or not made.backward else ():
                if (found := wrong(made, mode, target)) is not None:
                    failures += 1
                    print(f"{made.script()}\n# seed {seed}, {mode} on {target}: {found[:1000]}\n", flush=True)
    return failures


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        count = search(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(","))
    sys.exit(f"{count} runs went wrong" if count else 0)

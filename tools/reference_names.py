"""Writes down the names and parameters of the libraries that weft follows: docs/reference/jax.json, numpy.json, of the JAX and NumPy that are installed.

python tools/reference_names.py
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
JAX = [
    "jax",
    "jax.numpy",
    "jax.numpy.linalg",
    "jax.numpy.fft",
    "jax.lax",
    "jax.lax.linalg",
    "jax.nn",
    "jax.nn.initializers",
    "jax.random",
    "jax.scipy.special",
    "jax.scipy.linalg",
    "jax.scipy.stats",
    "jax.scipy.signal",
    "jax.scipy.ndimage",
    "jax.scipy.fft",
    "jax.scipy.optimize",
    "jax.scipy.cluster.vq",
    "jax.scipy.integrate",
    "jax.scipy.interpolate",
    "jax.scipy.sparse.linalg",
    "jax.image",
    "jax.ops",
    "jax.tree",
    "jax.tree_util",
    "jax.flatten_util",
    "jax.dtypes",
    "jax.debug",
    "jax.profiler",
    "jax.errors",
    "jax.typing",
    "jax.custom_batching",
    "jax.custom_derivatives",
    "jax.experimental.checkify",
    "jax.ad_checkpoint",
    "jax.core",
    "jax.dlpack",
    "jax.export",
    "jax.monitoring",
    "jax.sharding",
    "jax.stages",
    "jax.test_util",
    "jax.experimental",
]
OWN = {
    "jax.experimental.jet": ["jet"],
    "jax.experimental.ode": ["odeint"],
    "jax.experimental.pjit": ["pjit"],
    "jax.experimental.sparse": ["BCOO", "BCSR", "COO", "CSC", "CSR", "empty", "eye", "grad", "random_bcoo", "sparsify"],
}
"""Of these modules only the names that their users call: the others are imports, and helpers of these."""


def public(module: Any) -> dict[str, list[str] | None]:
    """The names of a module (no submodules, no imports from elsewhere) and the parameters of those that are functions."""
    names = {}
    for name in sorted(dir(module)):
        value = getattr(module, name, None)
        if (
            name.startswith("_")
            or inspect.ismodule(value)
            or getattr(value, "__module__", "") in ("typing", "__future__")
        ):
            continue
        names[name] = parameters(value)
    return names


def parameters(value: Any) -> list[str] | None:
    """The names of the parameters, None for what is no function or does not say."""
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [p.name for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)]


def with_distributions(modules: list[str]) -> Iterator[str]:
    """The modules, and those within jax.scipy.stats: a distribution is a module."""
    for name in modules:
        yield name
        if name == "jax.scipy.stats":
            yield from (f"{name}.{d}" for d, value in vars(import_module(name)).items() if inspect.ismodule(value))


def write(file: str, modules: dict[str, Any]) -> None:
    text = json.dumps(modules, indent=0)
    (FOLDER / file).write_text(text + "\n")


if __name__ == "__main__":
    import jax
    import numpy

    FOLDER.mkdir(exist_ok=True)
    arrays = {n: None for n in sorted(set(dir(jax.Array)) | set(dir(type(jax.numpy.ones(1))))) if not n.startswith("_")}
    own = {m: {n: parameters(getattr(import_module(m), n)) for n in names} for m, names in OWN.items()}
    write("jax.json", {m: public(import_module(m)) for m in with_distributions(JAX)} | own | {"jax.Array": arrays})
    write("numpy.json", {"numpy": {n: None for n in sorted(numpy.__all__)}})

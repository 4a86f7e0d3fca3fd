"""SciPy's functions on weft's arrays (`jax.scipy`). Each part is imported when it is first named."""

from importlib import import_module
from typing import Any

_PARTS = (
    "cluster",
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "optimize",
    "signal",
    "sparse",
    "special",
    "stats",
)


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return import_module(f"weft.scipy.{name}")
    raise AttributeError(f"module 'weft.scipy' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PARTS])

"""What JAX keeps in `jax.experimental`, as far as it is here."""

from importlib import import_module
from typing import Any

from weft.callbacks import io_callback

__all__ = ["checkify", "io_callback"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"weft.experimental.{name}")
    raise AttributeError(f"module 'weft.experimental' has no attribute '{name}'")

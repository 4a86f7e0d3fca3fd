"""What JAX keeps in `jax.experimental`, as far as it is here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weft.callbacks import io_callback

if TYPE_CHECKING:
    from weft.experimental import checkify as checkify
    from weft.experimental import jet as jet
    from weft.experimental import ode as ode
    from weft.experimental import pjit as pjit

__all__ = ["checkify", "io_callback", "jet", "ode", "pjit"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"weft.experimental.{name}")
    raise AttributeError(f"module 'weft.experimental' has no attribute '{name}'")

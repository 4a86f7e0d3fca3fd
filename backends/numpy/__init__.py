"""The device `cpu`: NumPy plays every operation by its `reference` rule. The oracle that the other devices are held against, and what is there when they are not."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.backends.base import Backend


def unavailable() -> str | None:
    """NumPy may be missing (in a page, say)."""
    return None if find_spec("numpy") else "NumPy is not installed"


def create() -> Backend:
    """The device."""
    from weft.backends.numpy.interpreter import NumpyBackend

    return NumpyBackend()

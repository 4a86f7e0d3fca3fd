"""Pytrees of arrays between host and devices: `device_put`, `device_get`, `block_until_ready`."""

from __future__ import annotations

from typing import Any

from weft import eager, programs
from weft.array import Array, put
from weft.devices import get_device
from weft.tree_util import tree_leaves, tree_map


def device_put(x: Any, device: str | None = None) -> Any:
    """A pytree of arrays, scalars and NumPy arrays as arrays on a device; without one they stay where they are, or go to the default device."""
    place = None if device is None else get_device(device)
    return tree_map(lambda leaf: put(leaf, place), x)


def device_get(x: Any) -> Any:
    """A pytree with NumPy arrays in the place of arrays. What the device's memory allows is not copied, and not to be written to."""
    import numpy as np

    block_until_ready(x)
    return tree_map(lambda leaf: np.asarray(leaf), x)


def block_until_ready(x: Any) -> Any:
    """Computes all arrays in a pytree, if that has not happened yet. Gives the tree itself."""
    eager.flush()
    for leaf in tree_leaves(x):
        if isinstance(leaf, Array):
            leaf.block_until_ready()
    return x


def clear_caches() -> None:
    """Forgets the programs of eager expressions. (A `jit` keeps its own: `f.clear_cache()`.)"""
    programs.clear()

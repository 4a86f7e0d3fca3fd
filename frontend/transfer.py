"""Pytrees of arrays between host and devices: `device_put`, `device_get`, `block_until_ready`."""

from __future__ import annotations

from typing import Any

from weft import eager, programs
from weft.array import Array, put
from weft.devices import get_device
from weft.tree_util import broadcast_prefix, tree_flatten, tree_leaves, tree_map


def device_put(
    x: Any, device: Any = None, *, src: Any = None, donate: Any = False, may_alias: bool | None = None
) -> Any:
    """A pytree of arrays, scalars and NumPy arrays as arrays on a device, or on a pytree of devices that starts the same; without one they stay where they are, or go to the default device.

    `src` and `may_alias` are without effect. What is donated (True, or a pytree of truth values that starts the same) is deleted once it has been copied to another device.
    """
    leaves, tree = tree_flatten(x)
    places = _spread(device, x, len(leaves))
    donated = _spread(donate, x, len(leaves))
    found = [put(leaf, None if p is None else get_device(p)) for leaf, p in zip(leaves, places, strict=True)]
    for leaf, gone, new in zip(leaves, donated, found, strict=True):
        if gone and isinstance(leaf, Array) and leaf is not new and leaf.device != new.device:
            new.block_until_ready()
            leaf.delete()
    return tree.unflatten(found)


def _spread(prefix: Any, tree: Any, count: int) -> list[Any]:
    """A value for each leaf."""
    if prefix is None or isinstance(prefix, (str, bool)):
        return [prefix] * count
    return broadcast_prefix(prefix, tree, lambda x: x is None)


def copy_to_host_async(x: Any) -> Any:
    """Starts to compute the arrays in a pytree, so that reading them waits less. Gives the tree itself."""
    for leaf in tree_leaves(x):
        if isinstance(leaf, Array):
            leaf.copy_to_host_async()
    return x


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

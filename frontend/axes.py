"""The axes of `vmap` that have names. Inside the function, an axis is known by its index: a scalar, another one for each example.

That scalar is an argument of the mapped function which the user does not see, so that all that depends on the place along the axis is batched with the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from typing import NamedTuple

from weft.dialects.array.node import Node


class NamedAxis(NamedTuple):
    """A mapped axis: its index, and how many examples there are."""

    index: Node
    size: int


class _Axes(threading.local):
    def __init__(self) -> None:
        self.named: dict[Hashable, NamedAxis] = {}


_AXES = _Axes()


@contextmanager
def named_axis(name: Hashable, index: Node, size: int) -> Generator[None]:
    """The axis has this name within; an outer one of the same name is hidden."""
    outer = _AXES.named
    _AXES.named = {**outer, name: NamedAxis(index, size)}
    try:
        yield
    finally:
        _AXES.named = outer


def find_axis(name: Hashable) -> NamedAxis:
    """The axis of this name. Raises NameError if no `vmap` around has it."""
    try:
        return _AXES.named[name]
    except KeyError:
        bound = ", ".join(map(repr, _AXES.named)) or "none"
        raise NameError(
            f"unbound axis name: {name} (vmap's axis_name gives an axis its name; here there are: {bound})"
        ) from None

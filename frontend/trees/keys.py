"""Where a leaf is: paths of keys, one for each container on the way to it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

KeyEntry = TypeVar("KeyEntry", bound=Any)
"""A key of a path: one of the classes below, or what a registered class gives for its children."""


@dataclass(frozen=True)
class SequenceKey:
    """An index of a tuple or list."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclass(frozen=True)
class DictKey:
    """A key of a dict."""

    key: Hashable

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True)
class GetAttrKey:
    """A name of an attribute."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True)
class FlattenedIndexKey:
    """The number of a child of a registered class that has no keys."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


KeyPath = tuple[Any, ...]


def keystr(keys: KeyPath, *, simple: bool = False, separator: str = "") -> str:
    """A path as one writes it in Python: `['layers'][0].weight`. `simple`: the keys alone."""
    if not simple:
        return separator.join(map(str, keys))
    return separator.join(str(next(iter(vars(k).values()))) if hasattr(k, "__dict__") else str(k) for k in keys)

"""All productions, with their weights."""

from __future__ import annotations

from . import arithmetic, arrays, control, functions, indexing, linear
from .grammar import Production


def _entries(module: object, flat: bool) -> list[Production]:
    return [Production(weight, f, flat) for f, weight in module.WEIGHTS.items()]  # type: ignore[attr-defined]


TABLE = [
    *_entries(arithmetic, True),
    *_entries(arrays, True),
    *_entries(indexing, True),
    *_entries(linear, True),
    *_entries(control, False),
    *_entries(functions, False),
]

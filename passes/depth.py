"""How deep passes may go. Fusion and lowering let a value ask for its operands, and these for theirs: a nest in which indices are read by indices has chains of hundreds of ops, each of several calls, where
Python stops at a thousand. Since 3.11 a call of one Python function by another takes none of the C stack, so that the limit may be lifted."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

DEPTH = 20_000


@contextmanager
def deep_recursion() -> Generator[None]:
    """Allows calls `DEPTH` deep; also a decorator."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)

"""Which bytes of the linear memory are free: best fit, with neighbours joined again.

Plain numbers, no memory: `FreeList` hands out ranges of [start, end), in multiples of 64 bytes, and `extend` gives it
more. Free ranges are kept three ways: by size (a sorted list, in which bisection finds the smallest that fits), by
start and by end (to find the neighbours of a range that comes back).
"""

from __future__ import annotations

from bisect import bisect_left, insort

ALIGNMENT = 64
"""A cache line: no two buffers share one, and vectors never straddle two at their start."""


class FreeList:
    """Ranges of [start, end), aligned to 64 bytes, lowest sizes first."""

    def __init__(self, start: int, end: int):
        self.end = start
        self.used = 0
        """Bytes that are handed out, counted with their rounding."""
        self._sizes: list[tuple[int, int]] = []  # (size, start), sorted
        self._size_at: dict[int, int] = {}  # free ranges by start
        self._start_of: dict[int, int] = {}  # free ranges by end
        self._taken: dict[int, int] = {}  # taken ranges by start
        self.extend(end)

    def allocate(self, nbytes: int) -> int | None:
        """The start of a range of at least `nbytes`, None if none is free. Empty ones have addresses of their own."""
        size = -(-nbytes // ALIGNMENT) * ALIGNMENT or ALIGNMENT
        k = bisect_left(self._sizes, (size, 0))
        if k == len(self._sizes):
            return None
        found, start = self._sizes.pop(k)
        del self._size_at[start], self._start_of[start + found]
        if found > size:
            self._add(start + size, found - size)
        self._taken[start] = size
        self.used += size
        return start

    def free(self, start: int) -> int:
        """Takes a range back; its size."""
        size = returned = self._taken.pop(start)
        self.used -= returned
        if (after := self._size_at.get(start + size)) is not None:
            self._remove(start + size, after)
            size += after
        if (before := self._start_of.get(start)) is not None:
            self._remove(before, start - before)
            start, size = before, size + start - before
        self._add(start, size)
        return returned

    def extend(self, end: int) -> None:
        """More memory: the range up to `end` is free from now on."""
        if end > self.end:
            self._taken[self.end] = end - self.end
            self.used += end - self.end
            start, self.end = self.end, end
            self.free(start)

    @property
    def largest(self) -> int:
        """Bytes of the largest free range."""
        return self._sizes[-1][0] if self._sizes else 0

    def tail(self) -> int:
        """Bytes that are free right before the end: what an extension would join."""
        start = self._start_of.get(self.end)
        return 0 if start is None else self.end - start

    def _add(self, start: int, size: int) -> None:
        insort(self._sizes, (size, start))
        self._size_at[start] = size
        self._start_of[start + size] = start

    def _remove(self, start: int, size: int) -> None:
        del self._sizes[bisect_left(self._sizes, (size, start))]
        del self._size_at[start], self._start_of[start + size]

"""Buffers that change places between the rounds of a loop: which copies bring home what they hold, and how the operations say it."""

from __future__ import annotations

from itertools import product

import pytest

from weft.dialects.kernel.host import moves_home


@pytest.mark.parametrize(("length", "rounds"), list(product(range(2, 9), range(20))))
def test_moves_home(length: int, rounds: int) -> None:
    """After some rounds, contents k lie in the buffer where k was at first that many places further; the last ones are spare."""
    home: list[int | None] = [*range(length - 1), None]
    left = [home[(place - rounds) % length] for place in range(length)]
    for source, target in moves_home(length, rounds):
        left[target] = left[source]
    assert left[:-1] == home[:-1]


@pytest.mark.parametrize(("length", "rounds"), list(product(range(2, 9), range(20))))
def test_the_way_back(length: int, rounds: int) -> None:
    """The same copies, turned round, bring from home to where so many rounds would have left it."""
    found: list[int | None] = [*range(length - 1), None]
    for source, target in reversed(moves_home(length, rounds)):
        found[source] = found[target]
    assert all(found[(k + rounds) % length] == k for k in range(length - 1))

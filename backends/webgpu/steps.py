"""A compiled program as data: what is launched and copied, in which order, how often, under which condition. Whoever plays it needs nothing else.

Buffers are numbered: the inputs first, then the outputs, constants, and the program's own slots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Grid: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Kernel:
    """A shader: its text, how each binding is accessed, and its grid."""

    name: str
    text: str
    access: tuple[str, ...]
    grid: Grid
    in_bounds: bool = False
    """Whether the compiler has proven that no access leaves its buffer."""


@dataclass(frozen=True)
class Launch:
    """Runs a kernel on numbered buffers. `place`: its number among the launches of the guarded region that it is in."""

    kernel: Kernel
    buffers: tuple[int, ...]
    place: int | None = None


@dataclass(frozen=True)
class Copy:
    """Copies a buffer."""

    source: int
    target: int
    nbytes: int


Cycles: TypeAlias = tuple[tuple[int, ...], ...]
"""Buffers that change places after each round of a loop: the first of a cycle names then what the second did, and the last what the first did."""


@dataclass(frozen=True)
class Repeat:
    """Runs steps a fixed number of times. What the rounds have left in the buffers of a cycle stays where it is."""

    times: int
    steps: tuple[Step, ...]
    cycles: Cycles = ()


@dataclass(frozen=True)
class Region:
    """Steps that run under a condition, and the grids of their launches, by place."""

    steps: tuple[Step, ...]
    grids: tuple[Grid, ...]


@dataclass(frozen=True)
class While:
    """Runs `before`, which writes the condition (a buffer of one word), then, if it is not 0, `body`, and so again. What is left in the buffers of a cycle comes home.

    `asks`: there is a `While` in it. `sizes`: bytes of the buffers of each cycle.
    """

    condition: int
    before: tuple[Step, ...]
    body: Region
    asks: bool
    cycles: Cycles = ()
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Switch:
    """Runs the case that the index (a buffer of one word) names: the first for less, the last for more."""

    index: int
    cases: tuple[Region, ...]


Step: TypeAlias = Launch | Copy | Repeat | While | Switch


@dataclass
class Program:
    """What a player needs to know."""

    inputs: int
    outputs: list[int]  # bytes of each
    constants: list[bytes] = field(default_factory=list[bytes])
    slots: list[int] = field(default_factory=list[int])  # bytes of each
    steps: list[Step] = field(default_factory=list[Step])
    donated: dict[int, int] = field(default_factory=dict[int, int])  # output -> input


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps, those within loops and branches too."""
    for step in steps:
        yield step
        for inner in inside(step):
            yield from walk(inner)


def inside(step: Step) -> list[tuple[Step, ...]]:
    """The steps that a loop or a branch holds."""
    match step:
        case Repeat():
            return [step.steps]
        case While():
            return [step.before, step.body.steps]
        case Switch():
            return [case.steps for case in step.cases]
        case _:
            return []


def padded(nbytes: int) -> int:
    """A size that copies and writes of WebGPU take: a multiple of 4."""
    return -(-nbytes // 4) * 4

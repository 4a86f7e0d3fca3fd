"""The steps of a program, the storages they run on, and when a step may write over what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import SSAValue

from weft.dialects.kernel.ops import LoadOp, NestOp, StoreOp


@dataclass(eq=False, slots=True)
class Storage:
    """A buffer to be: the values that live in it, one after the other."""

    type: MemRefType
    nbytes: int
    first: int
    """The step that writes it first."""
    last: int
    """The last step that uses it."""
    buffer: SSAValue | None = None
    """Set from the start for the caller's buffers and for data."""
    output: int | None = None
    """Which of the program's results it is."""

    @property
    def place(self) -> SSAValue:
        """The buffer, once it is known."""
        assert self.buffer is not None
        return self.buffer


@dataclass(eq=False, slots=True)
class Step:
    """A launch of a nest, or a copy, between storages."""

    nest: NestOp | None
    ins: list[Storage]
    outs: list[Storage]

    def works_in_place(self, old: Storage, k: int) -> bool:
        """Whether it may write its output k over the operand `old`."""
        nest = self.nest
        return nest is not None and all(same_index(nest, j, k) for j, s in enumerate(self.ins) if s is old)


class Mark(Step):
    """A place where a loop or a branch begins, goes on in its next region, or ends: regions stand flat among the steps. It may read one storage.

    What changes places between the rounds of a loop is written at its beginning and read at its end, so that it lives all the time.
    """

    __slots__ = ("kind", "lengths", "times")

    def __init__(self, kind: str, read: Storage | None = None, times: int = 0):
        super().__init__(None, [] if read is None else [read], [])
        self.kind, self.times = kind, times
        self.lengths: list[int] = []

    def rotate(self, cycles: Sequence[Sequence[Storage]]) -> None:
        """Storages that change places after each round of the loop that begins here."""
        self.outs = [s for c in cycles for s in c]
        self.lengths = [len(c) for c in cycles]

    @property
    def cycles(self) -> list[list[Storage]]:
        """The storages that change places."""
        values = iter(self.outs)
        return [list(islice(values, n)) for n in self.lengths]


def same_index(nest: NestOp, read: int, written: int) -> bool:
    """Whether a nest reads its operand `read` only at the index at which it writes output `written`, so that the two may be one buffer.

    Where it writes several, all must go the same way, and what is written must have been computed from the operand: then no other reads it later.
    """
    source, target = nest.block.args[read], nest.block.args[len(nest.ins) + written]
    if nest.ins[read].type != nest.outs[written].type or any(a.role == "red" for a in nest.axes.data):
        return False
    stores = [op for op in nest.block.ops if isinstance(op, StoreOp)]
    mine = [op for op in stores if op.buffer is target]
    if len(mine) != 1 or any(u.operation is not mine[0] for u in target.uses):
        return False
    store = mine[0]
    if any(s.map != store.map or s.symbols or s.conditions is not None or s.combine is not None for s in stores):
        return False
    loads = [u.operation for u in source.uses]
    if not all(isinstance(o, LoadOp) and o.map == store.map and o.conditions is None for o in loads):
        return False
    if len(stores) == 1:
        return True
    computed: set[object] = set()
    for op in nest.block.ops:
        if op in loads or not computed.isdisjoint(op.operands):
            computed.update(op.results)
    return store.value in computed and all(s.buffer.type == target.type for s in stores)

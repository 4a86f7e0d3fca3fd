"""Records the steps of a program into command encoders, and decides what a device without branches can of loops and branches.

- A loop with a fixed number of rounds is unrolled while it is recorded: its rounds are dispatches like any other, handed to the queue some thousand at a time. The host waits for nothing.
- What runs under a condition (the body of a `while`, a case of a `switch`) is *guarded*: its dispatches take their numbers of workgroups from a buffer (indirect dispatch), into which a
  small kernel has written either those numbers or zeros, by the condition on the device. A branch costs no round trip; nor do branches in branches, since a guard looks at the one around it.
- A `while` is recorded some rounds at a time, 4, 8, 16, …; only then the host reads its guard, to learn whether it is over. Rounds too many find their guard closed. So n rounds cost about
  log n round trips and at most as many superfluous (empty) rounds as needed ones. A `while` in a `while` is asked in each round of the outer one, which is then recorded round by round.

What changes places between rounds changes places in the table of buffers. Rounds too many do that as well, and then ask about the buffers of an earlier round: so a guard that has
closed stays closed, and counts the rounds for which it was open, which tell the host what lies where.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import wgpu

from weft.backends.webgpu.native import Recorder
from weft.backends.webgpu.steps import Copy, Cycles, Kernel, Launch, Region, Repeat, Step, Switch, While, padded
from weft.dialects.kernel.host import moves_home

if TYPE_CHECKING:
    from weft.backends.webgpu.backend import WebGpuBackend
    from weft.backends.webgpu.program import Executable

COMMANDS = 1024
"""Dispatches and copies that one encoder takes."""

FIRST_ROUNDS = 4
MOST_ROUNDS = 256
"""Rounds of a `while` between two looks at its condition."""

_LEAST, _MOST = -(1 << 31), (1 << 31) - 1

GUARD = Kernel(
    "guard",
    """\
// Whether a region runs: the region around it does (of a further round: the last round has run), and its selector
// lies in a range. Writes that, the number of rounds that ran, and then the sizes of the region's dispatches, or zeros.
@group(0) @binding(0) var<storage, read> selector: array<i32>;
@group(0) @binding(1) var<storage, read> outer: array<u32>;
@group(0) @binding(2) var<storage, read> plan: array<i32>; // whether it is a further round, the range, how many sizes, the sizes
@group(0) @binding(3) var<storage, read_write> guard: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) li: u32) {
  let again = plan[0] != 0;
  let around = select(outer[0], guard[0], again);
  let runs = around != 0u && selector[0] >= plan[1] && selector[0] <= plan[2];
  let rounds = select(0u, guard[1], again) + u32(runs);
  storageBarrier();
  if (li == 0u) {
    guard[0] = u32(runs);
    guard[1] = rounds;
  }
  for (var k: u32 = li; k < u32(plan[3]); k += 64u) {
    guard[2u + k] = select(0u, u32(plan[4u + k]), runs);
  }
}
""",
    ("read", "read", "read", "read_write"),
    (1, 1, 1),
)


@dataclass(eq=False)
class Guard:
    """The buffers of one guarded region: `state` says whether it runs, how often it has, and the sizes of its dispatches; `plans` is what it is made from, first and in further rounds."""

    state: Any
    plans: tuple[Any, Any]

    @staticmethod
    def place(launch: int) -> int:
        """Where the size of a launch stands, in bytes."""
        return 8 + 12 * launch


class Guards:
    """The guards of a program's regions, made when they are first needed."""

    def __init__(self, backend: WebGpuBackend):
        self.backend = backend
        self._guards: dict[int, Guard] = {}
        self.open = self._state(struct.pack("<I", 1))

    def of(self, region: Region, least: int, most: int) -> Guard:
        """The guard of a region that runs where its selector lies from `least` to `most`."""
        guard = self._guards.get(id(region))
        if guard is None:
            sizes = [n for grid in region.grids for n in grid]
            plan = struct.pack(f"<{3 + len(sizes)}i", least, most, len(sizes), *sizes)
            first, further = (self._state(struct.pack("<i", again) + plan) for again in (False, True))
            guard = Guard(self._state(bytes(Guard.place(len(region.grids)))), (first, further))
            self._guards[id(region)] = guard
        return guard

    def _state(self, data: bytes) -> Any:
        usage = wgpu.BufferUsage
        buffer = self.backend.device.create_buffer(
            size=max(16, padded(len(data))), usage=usage.STORAGE | usage.INDIRECT | usage.COPY_SRC | usage.COPY_DST
        )
        self.backend.queue.write_buffer(buffer, 0, data)
        return buffer


class Player:
    """Plays steps over one table of buffers. `borrowed` are buffers of the pool that are free again when everything is handed to the queue."""

    def __init__(self, program: Executable, table: Sequence[Any], encoder: Any = None):
        self.backend, self.program, self.table = program.backend, program, list(table)
        self.groups, self.pipelines = program.groups, program.pipelines
        self.borrowed: list[Any] = []
        self.encoder = encoder
        self.compute: Recorder | None = None
        self.commands = 0

    def play(self, steps: Sequence[Step], guard: Guard | None = None) -> None:
        """Records steps, within a guarded region if there is a guard."""
        for step in steps:
            match step:
                case Launch():
                    self._launch(step, guard)
                case Copy():
                    self._copy(step)
                case Repeat():
                    self._repeat(step, guard)
                case Switch():
                    self._switch(step, guard)
                case While():
                    self._while(step, guard)

    def submit(self) -> None:
        """Hands what is recorded to the queue."""
        if self.encoder is not None:
            self.end_pass()
            self.backend.queue.submit([self.encoder.finish()])
        self.encoder, self.commands = None, 0

    # -- commands

    def end_pass(self) -> None:
        """Ends the pass that is open."""
        if self.compute is not None:
            self.compute.end()
            self.compute = None

    def _begin(self) -> Any:
        if self.commands >= COMMANDS:
            self.submit()
        self.commands += 1
        if self.encoder is None:
            self.encoder = self.backend.device.create_command_encoder()
        return self.encoder

    def _pass(self) -> Recorder:
        encoder = self._begin()
        if self.compute is None:
            self.compute = Recorder(encoder)
        return self.compute

    def _copy_buffer(self, source: Any, target: Any, nbytes: int) -> None:
        encoder = self._begin()
        self.end_pass()
        encoder.copy_buffer_to_buffer(source, 0, target, 0, nbytes)

    def _copy(self, step: Copy) -> None:
        source, target = self.table[step.source], self.table[step.target]
        if source is not target:
            self._copy_buffer(source, target, padded(step.nbytes))

    def _launch(self, step: Launch, guard: Guard | None) -> None:
        kernel = step.kernel
        if 0 in kernel.grid:  # nothing to do: an array of size 0
            return
        bound = [self.table[b] for b in step.buffers]
        if len({id(b) for b in bound}) < len(bound):
            bound = self._apart(kernel.access, bound)
        pipeline = self.pipelines[id(kernel)]
        group = self.groups.of(pipeline.layout, bound)
        if guard is None:
            self._pass().launch(pipeline.pipeline, group, kernel.grid)
        else:
            assert step.place is not None
            self._pass().launch_indirect(pipeline.pipeline, group, guard.state, Guard.place(step.place))

    def _apart(self, access: Sequence[str], bound: list[Any]) -> list[Any]:
        """One dispatch may not both read and write a buffer through two bindings: what is read of it is copied first."""
        written = {id(b) for b, a in zip(bound, access, strict=True) if a != "read"}
        result: list[Any] = []
        for buffer, mode in zip(bound, access, strict=True):
            if mode == "read" and id(buffer) in written:
                copy = self.backend.pool.take(buffer.size)
                self.borrowed.append(copy)
                self._copy_buffer(buffer, copy, buffer.size)
                buffer = copy
            result.append(buffer)
        return result

    # -- loops and branches

    def _repeat(self, step: Repeat, guard: Guard | None) -> None:
        table = list(self.table)
        for _ in range(step.times):
            self.play(step.steps, guard)
            self._rotate(step.cycles)
        self.table = table

    def _rotate(self, cycles: Cycles) -> None:
        table = self.table
        for cycle in cycles:
            first = table[cycle[0]]
            for this, following in pairwise(cycle):
                table[this] = table[following]
            table[cycle[-1]] = first

    def _decide(
        self, region: Region, selector: int, least: int, most: int, outer: Guard | None, again: bool = False
    ) -> Guard:
        guards = self.program.guards
        guard = guards.of(region, least, most)
        around = outer.state if outer is not None else guards.open
        pipeline = self.backend.pipeline(GUARD)
        group = self.groups.of(pipeline.layout, [self.table[selector], around, guard.plans[again], guard.state])
        self._pass().launch(pipeline.pipeline, group, GUARD.grid)
        return guard

    def _switch(self, step: Switch, outer: Guard | None) -> None:
        last = len(step.cases) - 1
        guards = [  # all of them before any case runs, which may take the index's buffer
            self._decide(case, step.index, _LEAST if k == 0 else k, _MOST if k == last else k, outer)
            for k, case in enumerate(step.cases)
        ]
        for case, guard in zip(step.cases, guards, strict=True):
            self.play(case.steps, guard)

    def _while(self, step: While, outer: Guard | None) -> None:
        table = list(self.table)
        guard = self._round(step, outer, again=False)
        more = 0 if step.asks else FIRST_ROUNDS - 1
        while True:
            for _ in range(more):
                self._round(step, outer)
            self.submit()
            runs, rounds = self.backend.queue.read_buffer(guard.state, 0, 8).cast("I")
            if not runs:
                break
            more = 1 if step.asks else min(2 * more + 2, MOST_ROUNDS)
        self.table = table
        for cycle, nbytes in zip(step.cycles, step.sizes, strict=True):
            for source, target in moves_home(len(cycle), rounds):
                self._copy_buffer(table[cycle[source]], table[cycle[target]], padded(nbytes))

    def _round(self, step: While, outer: Guard | None, again: bool = True) -> Guard:
        self.play(step.before, outer)
        guard = self._decide(step.body, step.condition, 1, _MOST, outer, again)
        self.play(step.body.steps, guard)
        self._rotate(step.cycles)
        return guard


class BindGroups:
    """Bind groups by layout and buffers, kept as long as the same buffers come again."""

    def __init__(self, backend: WebGpuBackend, most: int):
        self.backend, self.most = backend, most
        self._groups: dict[tuple[int, ...], tuple[Sequence[Any], Any]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def of(self, layout: Any, bound: Sequence[Any]) -> Any:
        """The group of these buffers."""
        key = (id(layout), *map(id, bound))
        known = self._groups.get(key)
        if known is None:
            if len(self._groups) >= self.most:
                self._groups.clear()
            entries = [
                {"binding": k, "resource": {"buffer": b, "offset": 0, "size": b.size}} for k, b in enumerate(bound)
            ]
            # the buffers are kept with it: an id that is taken anew would name another one
            known = bound, self.backend.device.create_bind_group(layout=layout, entries=entries)
            self._groups[key] = known
        return known[1]

"""What the host must know to run a compiled program: the attribute `program` of a `wasm.module`.

The module imports `env.memory` and exports `main(params, tid, nthreads)`. `params` is the address of a table of i32:
the addresses of the inputs, those of the outputs, the arena's base, and the address of 64 bytes for the barrier, behind
which lie the program's constants: its own as long as it lives, and filled by the first call. Every
thread calls `main`, takes its share of each kernel, and waits at barriers between kernels that depend on each other;
alone (nthreads = 1) a thread never waits.

Memory can be read for 16 bytes before the start and after the end of every buffer, whatever is there: a vector of which
some lanes lie outside is loaded as a whole, and zeros are put into those lanes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import DenseArrayBase, DictionaryAttr, IntegerAttr, i32, i64

from weft.dialects.wasm.builder import FuncBuilder, ModuleBuilder
from weft.dialects.wasm.code import Module
from weft.dialects.wasm.module import PAGE

MAX_THREADS = 64
"""No program is run by more: it reserves scratch memory for so many (untouched, it costs nothing)."""

BARRIER_BYTES = 64
"""The barrier's place in memory, zero at the start, in a cache line of its own: how many have arrived, the generation,
the poison.
"""

GENERATION_OFFSET = 4
POISON_OFFSET = 8
"""The host writes a 1 here when a thread has trapped, so that the others do not wait for it: they trap as well."""

FILLED_OFFSET = 12
"""Not 0 once the constants behind the barrier are there."""

_SPINS = 20_000
_NAP_NANOSECONDS = 10_000_000


@dataclass(frozen=True)
class Program:
    """Sizes in bytes; `donated` pairs an output with the input whose buffer it takes over; `work` is how long one thread would take for what threads can share, roughly, in nanoseconds."""

    inputs: Sequence[int]
    outputs: Sequence[int]
    arena: int = 0
    work: int = 0
    donated: Sequence[tuple[int, int]] = ()
    constants: int = 0

    def pack(self, binary: bytes) -> bytes:
        """This and the module's binary, as bytes for a file."""
        donated = [k for pair in self.donated for k in pair]
        numbers = [
            len(self.inputs),
            len(self.outputs),
            len(donated),
            self.arena,
            self.work,
            self.constants,
            *self.inputs,
            *self.outputs,
            *donated,
        ]
        return struct.pack(f"<{len(numbers)}q", *numbers) + binary

    @classmethod
    def unpack(cls, data: bytes) -> tuple[Program, bytes]:
        """What `pack` put together. Raises struct.error for bytes that are too few."""
        inputs, outputs, donated, arena, work, constants = struct.unpack_from("<6q", data)
        rest = struct.unpack_from(f"<{inputs + outputs + donated}q", data, 48)
        flat = rest[inputs + outputs :]
        pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
        own = cls(rest[:inputs], rest[inputs : inputs + outputs], arena, work, pairs, constants)
        return own, data[48 + 8 * len(rest) :]

    def store(self, module: Module) -> None:
        """Leaves this with the module."""
        module.about["program"] = self

    def attribute(self) -> DictionaryAttr:
        """This as an attribute of a `wasm.module`."""
        return DictionaryAttr(
            {
                "inputs": DenseArrayBase.from_list(i64, list(self.inputs)),
                "outputs": DenseArrayBase.from_list(i64, list(self.outputs)),
                "arena": IntegerAttr(self.arena, i64),
                "work": IntegerAttr(self.work, i64),
                "donated": DenseArrayBase.from_list(i64, [k for pair in self.donated for k in pair]),
                "constants": IntegerAttr(self.constants, i64),
            }
        )

    @classmethod
    def of(cls, module: Module) -> Program:
        """Reads it back. Raises ValueError where the module carries no program."""
        attribute = module.about.get("program")
        if isinstance(attribute, Program):
            return attribute
        if not isinstance(attribute, DictionaryAttr):
            raise ValueError(
                "this wasm.module is no program: it has no attribute 'program' that tells its inputs and outputs"
            )
        values = attribute.data
        flat = values["donated"].get_values()  # type: ignore[attr-defined]
        return cls(
            values["inputs"].get_values(),  # type: ignore[attr-defined]
            values["outputs"].get_values(),  # type: ignore[attr-defined]
            values["arena"].value.data,  # type: ignore[attr-defined]
            values["work"].value.data,  # type: ignore[attr-defined]
            tuple(zip(flat[::2], flat[1::2], strict=True)),
            values["constants"].value.data,  # type: ignore[attr-defined]
        )


def program_module() -> tuple[ModuleBuilder, FuncBuilder]:
    """A module with the memory's import, and its exported `main`, whose arguments are params, tid, nthreads."""
    module = ModuleBuilder()
    module.memory(1, PAGE, shared=True, import_from=("env", "memory"))
    return module, module.func("main", [i32, i32, i32], export="main")


def add_barrier(module: ModuleBuilder) -> None:
    """Defines `@barrier(address, nthreads)`, where all threads of a program wait for each other.

    The last to arrive opens the next generation. The others look for it for some twenty microseconds and then sleep,
    never for so long that they would miss the poison.
    """
    b = module.func("barrier", [i32, i32])
    address, nthreads = b.args
    with b.if_(b.inst("i32.gt_u", nthreads, b.const_i32(1))):
        generation = b.load("i32.atomic.load", address, GENERATION_OFFSET)
        arrived = b.load("i32.atomic.rmw.add", address, 0, b.const_i32(1))
        with b.if_(b.inst("i32.eq", b.inst("i32.add", arrived, b.const_i32(1)), nthreads)) as last:
            b.store("i32.atomic.store", address, b.const_i32(0))
            b.store("i32.atomic.store", address, b.inst("i32.add", generation, b.const_i32(1)), GENERATION_OFFSET)
            b.load("memory.atomic.notify", address, GENERATION_OFFSET, b.const_i32(-1))
        with last.else_(), b.loop(b.const_i32(_SPINS)) as waiting:
            (spins,) = waiting.args
            with b.if_(b.load("i32.atomic.load", address, POISON_OFFSET)):
                b.inst("unreachable")
            b.break_if(b.inst("i32.ne", b.load("i32.atomic.load", address, GENERATION_OFFSET), generation))
            with b.if_(b.inst("i32.eqz", spins)):
                b.load("memory.atomic.wait32", address, GENERATION_OFFSET, generation, b.const_i64(_NAP_NANOSECONDS))
            b.continue_(b.select(spins, b.inst("i32.sub", spins, b.const_i32(1)), b.const_i32(0)))
    b.return_()

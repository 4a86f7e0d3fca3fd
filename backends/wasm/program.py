"""A compiled program on the device: its instances, its table of parameters, and the call.

A call writes the addresses of inputs and outputs into the program's table and runs `main`, once on this thread or on
all at the same time (see dialects/wasm/abi.py). The arena is the device's, shared by all programs, as only one runs at
a time. A call returns when the program has run: handing it to another thread would cost more than most programs take,
and that thread would have to wait for Python's lock before each of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from weft.backends import base
from weft.backends.wasm.engine import Thread, WasmTrap
from weft.backends.wasm.memory import Allocation, Buffer
from weft.dialects.wasm.abi import BARRIER_BYTES, MAX_THREADS, POISON_OFFSET, Program

if TYPE_CHECKING:
    import wasmtime

    from weft.backends.wasm.backend import WasmBackend

WORTH_THREADS = 100_000
"""Nanoseconds of one thread's time, of what threads can share, from which on waking the workers pays."""


class Executable(base.Executable):
    """A program, ready to be called with buffers."""

    def __init__(
        self,
        backend: WasmBackend,
        module: wasmtime.Module,
        program: Program,
        binary: bytes,
        donate: tuple[int, ...],
        stages: Mapping[str, Callable[[], str]],
    ):
        self.backend, self.module, self.program, self.binary, self.stages = backend, module, program, binary, stages
        self._donate = sorted({*donate, *(donor for _, donor in program.donated)})
        self._memory = backend.memory
        self._inputs = tuple(program.inputs)
        self._outputs = tuple(program.outputs)
        self._donor = dict(program.donated)
        words = len(self._inputs) + len(self._outputs) + 2
        barrier_offset = -(-words * 4 // BARRIER_BYTES) * BARRIER_BYTES
        self._table = self._memory.allocate(barrier_offset + BARRIER_BYTES + program.constants, counted=False)
        self._barrier = self._table.address + barrier_offset
        self._clear_barrier()
        self._pack = struct.Struct(f"<{words}I").pack_into
        self._threads: list[Thread] = []
        self._prepared = 0
        self._prepare(1)
        self._main = self._threads[0]

    def __call__(self, args: Sequence[Buffer]) -> list[Buffer]:
        """Runs the program: new buffers. Raises WasmTrap, MemoryError, or RuntimeError for a deleted argument."""
        if len(args) != len(self._inputs):
            raise TypeError(f"the program takes {len(self._inputs)} buffers, got {len(args)}")
        memory = self._memory
        with memory.lock:
            inputs = [buffer.allocation for buffer in args]
            if self._donor:
                outputs = self._adopt(inputs)
            else:
                outputs = [memory.allocate(nbytes) for nbytes in self._outputs]
            arena = self.backend.arena(self.program.arena)
            addresses = [allocation.address for allocation in inputs + outputs]
            self._pack(memory.bytes, self._table.address, *addresses, arena, self._barrier)
            threads = min(self.backend.num_threads, MAX_THREADS) if self.program.work >= WORTH_THREADS else 1
            if threads != self._prepared:
                self._prepare(threads)
            if threads == 1:
                self._main()
            else:
                self._run_together(threads)
        for donor in self._donate:
            args[donor].delete()
        return [Buffer(allocation) for allocation in outputs]

    def _adopt(self, inputs: list[Allocation]) -> list[Allocation]:
        """Outputs that take over an input's bytes, or a copy where somebody else sees these (for the input, too)."""
        outputs: list[Allocation] = []
        for k, nbytes in enumerate(self._outputs):
            if (donor := self._donor.get(k)) is None:
                outputs.append(self._memory.allocate(nbytes))
                continue
            given = inputs[donor]
            if given.is_shown or inputs.count(given) > 1:
                inputs[donor] = self._memory.allocate(given.nbytes)
                start, copy = given.address, inputs[donor].address
                self._memory.bytes[copy : copy + given.nbytes] = self._memory.bytes[start : start + given.nbytes]
            outputs.append(inputs[donor])
        return outputs

    def _prepare(self, threads: int) -> None:
        """Instances and arguments for so many threads."""
        while len(self._threads) < threads:
            self._threads.append(Thread(self.backend.engine, self.module, self._memory.shared))
        for number, thread in enumerate(self._threads[:threads]):
            thread.prepare((self._table.address, number, threads))
        self._prepared = threads

    def _run_together(self, threads: int) -> None:
        failures = self.backend.workers.run([partial(self._guarded, thread) for thread in self._threads[:threads]])
        if failures:
            self._clear_barrier()
            raise next((f for f in failures if not isinstance(f, _Poisoned)), failures[0])

    def _guarded(self, thread: Thread) -> None:
        """Runs one thread; if it traps, the others must not wait for it, and what they then raise is not the reason."""
        poison = self._barrier + POISON_OFFSET
        try:
            thread()
        except WasmTrap as trap:
            if self._memory.bytes[poison]:
                raise _Poisoned(str(trap)) from trap
            self._memory.bytes[poison] = 1
            raise

    def _clear_barrier(self) -> None:
        self._memory.bytes[self._barrier : self._barrier + BARRIER_BYTES] = bytes(BARRIER_BYTES)


class _Poisoned(WasmTrap):
    """Trapped because another thread had."""

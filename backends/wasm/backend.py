"""The wasm device: compiles array programs to WebAssembly and runs them with wasmtime.

`compile` is the pipeline `array-to-wasm`, the encoder, and loading. Machine code is kept on disk by the digest of the
binary and of what else decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import wasmtime
from wasmtime import _ffi as ffi
from xdsl.dialects.builtin import ModuleOp

from weft.backends.base import Backend
from weft.backends.cache import DiskCache, compiler_state, digest
from weft.backends.wasm.engine import make_engine, opened
from weft.backends.wasm.memory import Allocation, Buffer, DeviceMemory
from weft.backends.wasm.program import Executable
from weft.backends.wasm.record import record
from weft.backends.wasm.workers import Workers, default_threads
from weft.dialects.wasm.abi import Program
from weft.dialects.wasm.code import Module
from weft.dialects.wasm.convert import to_op
from weft.dialects.wasm.encode import encode
from weft.dialects.wasm.wat import print_wat

if TYPE_CHECKING:
    from typing_extensions import Buffer as Bytes

    from weft.dialects.array.node import Aval


class WasmBackend(Backend):
    """One device: an engine, its linear memory, its worker threads. `num_threads` may be set at any time."""

    name = "wasm"

    def __init__(self, num_threads: int | None = None, cache: DiskCache | None = None):
        self.num_threads = num_threads or default_threads()
        self.workers = Workers()
        self._cache = cache or DiskCache("wasm")
        self._arena: Allocation | None = None

    @property
    def description(self) -> str:
        """The engine and its threads."""
        threads = f"{self.num_threads} thread{'s' * (self.num_threads > 1)}"
        return f"WebAssembly in wasmtime {version('wasmtime')}, {threads}"

    @cached_property
    def engine(self) -> wasmtime.Engine:
        return make_engine()

    @cached_property
    def memory(self) -> DeviceMemory:
        return DeviceMemory(self.engine)

    # -- buffers

    def put(self, data: Bytes, aval: Aval) -> Buffer:
        """Copies host bytes to the device."""
        return self.memory.put(data, aval.nbytes)

    def get(self, buffer: Buffer, aval: Aval) -> memoryview:
        """The bytes of a buffer where they lie: read-only, valid as long as the view is."""
        return self.memory.get(buffer)

    def live_bytes(self) -> int:
        """Bytes in live buffers, each rounded up to 64."""
        return self.memory.live_bytes()

    def arena(self, nbytes: int) -> int:
        """The address of the scratch memory that programs share; it grows to the largest that one has asked for."""
        if nbytes and (self._arena is None or self._arena.nbytes < nbytes):
            self._arena = None
            self._arena = self.memory.allocate(nbytes, counted=False)
        return self._arena.address if self._arena is not None else 0

    # -- programs

    def compile(self, module: ModuleOp, donate: tuple[int, ...] = (), key: object = None) -> Executable:
        """Compiles a module of array ops, which stays as it is. With a key the result is kept on disk, and found there by the next process."""
        name = None if key is None else digest("program", repr(key), repr(donate), compiler_state())
        kept = None if name is None else self._cache.get(name)
        if kept is not None:
            program, binary = Program.unpack(kept)
        else:
            lowered = _lower(module, donate)
            program, binary = Program.of(lowered), encode(lowered, names=True)
            if name is not None:
                self._cache.put(name, program.pack(binary))
        return self._executable(program, binary, donate, _stages(module, donate))

    def load(self, module: Module, donate: tuple[int, ...] = ()) -> Executable:
        """A program from its module. Raises ValueError with the engine's message if it is refused."""
        stages = {"wasm": lambda: str(to_op(module)), "wat": lambda: print_wat(module)}
        return self._executable(Program.of(module), encode(module, names=True), donate, stages)

    def _executable(
        self, program: Program, binary: bytes, donate: tuple[int, ...], stages: Mapping[str, Callable[[], str]]
    ) -> Executable:
        machine_code = self._machine_code(binary)
        record(binary)
        return Executable(self, machine_code, program, binary, donate, stages)

    def _machine_code(self, binary: bytes) -> wasmtime.Module:
        key = digest(binary, self._fingerprint)
        if (code := self._cache.get(key)) is not None:
            try:
                return opened(wasmtime.Module.deserialize(self.engine, code))
            except wasmtime.WasmtimeError:  # made by another build of the engine, or for another processor
                pass
        try:
            module = opened(wasmtime.Module(self.engine, binary))
        except wasmtime.WasmtimeError as error:
            raise ValueError(f"the engine refuses the WebAssembly module: {error}") from error
        self._cache.put(key, bytes(module.serialize()))
        return module

    @cached_property
    def _fingerprint(self) -> str:
        """Tells builds of the engine apart; whether code fits its settings and the processor, it checks by itself."""
        return str(Path(ffi.filename).stat().st_size)


def _lower(module: ModuleOp, donate: tuple[int, ...]) -> Module:
    """The WebAssembly module of a module of array ops: the pipeline, but for the last pass's operations, which nobody reads here."""
    from weft.dialects.universe import context
    from weft.passes.kernel_to_wasm import lower
    from weft.passes.pipelines import run, to_wasm

    *passes, last = to_wasm(donate)
    return lower(run(passes, context(), module.clone()), relaxed=last.relaxed)  # type: ignore[attr-defined]


def _stages(module: ModuleOp, donate: tuple[int, ...]) -> dict[str, Callable[[], str]]:
    """The text of every stage, made again when it is asked for."""

    def before(name: str) -> str:
        from weft.dialects.universe import context
        from weft.passes.pipelines import text_before, to_wasm

        return text_before(name, to_wasm(donate), context(), module)

    return {
        "array": lambda: str(module),
        "kernel": lambda: before("kernel-schedule"),
        "scheduled": lambda: before("kernel-to-wasm"),
        "wasm": lambda: str(to_op(_lower(module, donate))),
        "wat": lambda: print_wat(_lower(module, donate)),
    }

"""The wasm device: wasmtime, one linear memory, an allocator in it, worker threads."""

from weft.backends.wasm.backend import WasmBackend
from weft.backends.wasm.engine import WasmTrap
from weft.backends.wasm.memory import Buffer
from weft.backends.wasm.program import Executable

__all__ = ["Buffer", "Executable", "WasmBackend", "WasmTrap"]

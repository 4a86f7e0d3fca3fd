"""The wasm device: wasmtime, one linear memory with an allocator, worker threads; importing this loads none of them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.backends.base import Backend

_HOMES = {
    "WasmBackend": "backend",
    "WasmTrap": "engine",
    "Buffer": "memory",
    "Executable": "program",
    "observers": "record",
}


def unavailable() -> str | None:
    """wasmtime has wheels for the usual systems only."""
    return None if find_spec("wasmtime") else "the package wasmtime is not installed (pip install wasmtime)"


def create() -> Backend:
    """The device."""
    from weft.backends.wasm.backend import WasmBackend

    return WasmBackend()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"weft.backends.wasm.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The engine: wasmtime's settings, the shared linear memory, and calls that cost half a microsecond.

Everything that knows wasmtime's C interface is here. Settings that matter: relaxed SIMD and threads on; guard pages of
1 GiB, without which offsets beyond 32 MiB bring bounds checks into every access. wasmtime's own `Func.__call__` costs
47 µs; going straight to `wasmtime_func_call_unchecked` with arguments that stay in place costs 0.5.
"""

from __future__ import annotations

import atexit
import ctypes
from collections.abc import Sequence
from typing import Any, TypeVar
from weakref import WeakSet

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime._managed import Managed

from weft.dialects.wasm.module import PAGE

LIMIT = PAGE * PAGE
"""Bytes that 32-bit addresses reach."""


class WasmTrap(RuntimeError):
    """A program stopped: the engine's message says where and why. The device stays usable."""


_open: WeakSet[Managed[Any]] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Closes what is open while the engine's library can still be called: afterwards, as the interpreter ends, its functions are gone before its objects are."""
    for each in list(_open):
        each.close()


T = TypeVar("T", bound=Managed[Any])


def opened(each: T) -> T:
    """An object of the engine that `_close_all` shall know of."""
    _open.add(each)
    return each


def make_engine() -> wasmtime.Engine:
    """An engine for SIMD, relaxed SIMD and threads, whose 32-bit memories have guard pages instead of bounds checks."""
    config = wasmtime.Config()
    config.wasm_simd = True
    config.wasm_relaxed_simd = True
    config.wasm_threads = True
    config.shared_memory = True
    config.memory_guard_size = 1 << 30
    return opened(wasmtime.Engine(config))


class SharedMemory(wasmtime.SharedMemory):
    """One linear memory for all programs and threads. It grows in place: addresses of its bytes never change."""

    def __init__(self, engine: wasmtime.Engine):
        super().__init__(engine, wasmtime.MemoryType(wasmtime.Limits(1, PAGE), shared=True))
        opened(self)
        self.base = ctypes.addressof(self.data_ptr().contents)

    def grow_to(self, nbytes: int) -> int:
        """Makes the memory at least this large; the new size in bytes. Raises MemoryError where the system refuses."""
        pages = -(-nbytes // PAGE) - self.data_len() // PAGE
        if pages > 0:
            try:
                self.grow(pages)
            except wasmtime.WasmtimeError as error:
                raise MemoryError(f"the wasm device's memory cannot grow to {nbytes} bytes: {error}") from error
        return self.data_len()

    def _as_extern(self) -> ffi.wasmtime_extern_t:  # wasmtime-py 50 hands over the wrong kind and a pointer too many
        memory = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, memory)


# Not the function object that the wasmtime package itself uses: that one keeps its types.
_call_unchecked = ffi.dll["wasmtime_func_call_unchecked"]  # type: ignore[index]
_call_unchecked.restype = ctypes.c_void_p
_call_unchecked.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


class Thread:
    """One thread's own instance of a program: a store over the one shared memory, and `main` ready to be called.

    Instances live as long as their store, so each has a store to itself and goes with the program.
    """

    __slots__ = ("_arguments", "_keep", "_raw", "_trap")

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, memory: SharedMemory):
        store = opened(wasmtime.Store(engine))
        main = wasmtime.Instance(store, module, [memory]).exports(store)["main"]
        assert isinstance(main, wasmtime.Func)
        self._raw = (ffi.wasmtime_val_raw_t * 3)()
        self._trap = ctypes.c_void_p()
        self._keep = (store, main, memory)
        self._arguments = (
            ctypes.cast(store._context(), ctypes.c_void_p).value,
            ctypes.addressof(main._func),
            ctypes.addressof(self._raw),
            3,
            ctypes.addressof(self._trap),
        )

    def prepare(self, values: Sequence[int]) -> None:
        """The arguments of the calls to come."""
        for k, value in enumerate(values):
            self._raw[k].i64 = value

    def __call__(self) -> None:
        """Runs `main`, without Python's lock. Raises WasmTrap."""
        error = _call_unchecked(*self._arguments)
        if error is not None or self._trap.value is not None:
            raise self._failure(error)

    def _failure(self, error: int | None) -> WasmTrap:
        if error is not None:
            pointer = ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
            return WasmTrap(str(wasmtime.WasmtimeError._from_ptr(pointer)))
        pointer = ctypes.cast(self._trap.value, ctypes.POINTER(ffi.wasm_trap_t))  # type: ignore[arg-type]
        self._trap.value = None
        return WasmTrap(wasmtime.Trap._from_ptr(pointer).message)

"""The device's memory: one linear memory, buffers in it that go back with their last reference, bytes in and out.

A `Buffer` is a handle; the bytes belong to an `Allocation`, which views hand on: deleting a buffer whose bytes a NumPy
array still shows leaves that array whole. The garbage collector may drop an allocation at any moment, even while the
free list is being changed, so a dead one only leaves its address in a queue, and the next allocation empties it.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import deque
from threading import RLock
from typing import TYPE_CHECKING

import wasmtime

from weft.backends import base
from weft.backends.wasm.allocator import ALIGNMENT, FreeList
from weft.backends.wasm.engine import LIMIT, SharedMemory

if TYPE_CHECKING:
    from typing_extensions import Buffer as Bytes

_GROWTH = 16 << 20
"""The memory grows by multiples of this; pages that nobody touches cost nothing."""


class Allocation:
    """A range of the linear memory, free again when the last reference to it dies."""

    __slots__ = ("__weakref__", "address", "counted", "memory", "nbytes", "view")

    def __init__(self, memory: DeviceMemory, address: int, nbytes: int, counted: bool):
        self.memory, self.address, self.nbytes, self.counted = memory, address, nbytes, counted
        self.view: weakref.ref | None = None

    def __del__(self) -> None:
        self.memory.dead.append((self.address, self.counted))

    @property
    def is_shown(self) -> bool:
        """Whether somebody outside holds a view of these bytes."""
        return self.view is not None and self.view() is not None


class Buffer(base.Buffer):
    """Bytes on the device."""

    device = "wasm"
    __slots__ = ("_allocation",)

    def __init__(self, allocation: Allocation):
        self._allocation: Allocation | None = allocation

    @property
    def allocation(self) -> Allocation:
        """Where the bytes are. Raises RuntimeError when the buffer was deleted or donated."""
        if self._allocation is None:
            raise RuntimeError("Array has been deleted or donated: its buffer on the wasm device is gone")
        return self._allocation

    @property
    def address(self) -> int:
        return self.allocation.address

    @property
    def nbytes(self) -> int:  # type: ignore[override]
        return self.allocation.nbytes

    @property
    def is_deleted(self) -> bool:  # type: ignore[override]
        return self._allocation is None

    def delete(self) -> None:
        """Gives the bytes back now, rather than with the last reference."""
        self._allocation = None


class DeviceMemory:
    """The linear memory of the device and what is allocated in it. `lock` guards it, and the running of programs."""

    def __init__(self, engine: wasmtime.Engine):
        self.lock = RLock()
        self.shared = SharedMemory(engine)
        self.bytes = memoryview((ctypes.c_ubyte * LIMIT).from_address(self.shared.base)).cast("B")
        """All 4 GiB of addresses; only those below the memory's size may be touched."""
        self.dead: deque[tuple[int, bool]] = deque()
        # the first and the last bytes are nobody's: no buffer has address 0, and a vector may reach beyond its buffer
        self._free = FreeList(ALIGNMENT, self.shared.data_len() - ALIGNMENT)
        self._live = 0

    def allocate(self, nbytes: int, counted: bool = True) -> Allocation:
        """Uninitialised bytes. `counted` ones are a user's and show in `live_bytes`. Raises MemoryError."""
        with self.lock:
            self._collect()
            if (address := self._free.allocate(nbytes)) is None:
                self._grow(nbytes)
                address = self._free.allocate(nbytes)
                assert address is not None
            if counted:
                self._live += nbytes_rounded(nbytes)
            return Allocation(self, address, nbytes, counted)

    def live_bytes(self) -> int:
        """Bytes in buffers, each rounded up to a cache line."""
        with self.lock:
            self._collect()
            return self._live

    @property
    def size(self) -> int:
        """Bytes of the linear memory by now."""
        return self.shared.data_len()

    def _collect(self) -> None:
        while self.dead:
            address, counted = self.dead.popleft()
            size = self._free.free(address)
            if counted:
                self._live -= size

    def _grow(self, nbytes: int) -> None:
        wanted = self._free.end - self._free.tail() + nbytes_rounded(nbytes) + ALIGNMENT
        if wanted > LIMIT:
            free = max(self._free.largest, LIMIT - ALIGNMENT - self._free.end + self._free.tail())
            raise MemoryError(
                f"the wasm device is out of memory: {nbytes} bytes asked for, {free} bytes free in one piece, "
                f"{self._live} bytes in live buffers"
            )
        self._free.extend(self.shared.grow_to(min(LIMIT, -(-wanted // _GROWTH) * _GROWTH)) - ALIGNMENT)

    # -- bytes in and out

    def put(self, data: Bytes, nbytes: int) -> Buffer:
        """Copies bytes to the device."""
        source = memoryview(data)
        if source.nbytes != nbytes:
            raise ValueError(f"put: {nbytes} bytes are expected, got {source.nbytes}")
        allocation = self.allocate(nbytes)
        if nbytes:
            flat = source.cast("B") if source.c_contiguous and len(source.format) == 1 else memoryview(source.tobytes())
            self.bytes[allocation.address : allocation.address + nbytes] = flat
        return Buffer(allocation)

    def get(self, buffer: Buffer) -> memoryview:
        """The bytes of a buffer, as they lie: no copy, read-only, alive as long as the view is."""
        allocation = buffer.allocation
        array = allocation.view() if allocation.view is not None else None
        if array is None:
            array = (ctypes.c_ubyte * allocation.nbytes).from_address(self.shared.base + allocation.address)
            array.owner = allocation  # type: ignore[attr-defined]
            allocation.view = weakref.ref(array)
        return memoryview(array).cast("B").toreadonly()


def nbytes_rounded(nbytes: int) -> int:
    """What an allocation of so many bytes takes: whole units of the alignment, at least one."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT or ALIGNMENT

"""Buffers of the WebGPU device, and the pool that they go back to.

Making a GPU buffer is slow, so a freed one is kept and given to the next array of about its size. The queue runs in order, hence a buffer may be given away while work on its
old contents is still queued. Sizes are rounded up to a multiple of 16 bytes at least, so that kernels may take the last elements as part of a vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wgpu

from weft.backends.base import Buffer as BaseBuffer

if TYPE_CHECKING:
    from weft.dialects.array.node import Aval

_USAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST  # type: ignore[operator]
KEPT_BYTES = 1 << 30
"""What the pool keeps at most."""


def rounded(nbytes: int) -> int:
    """The size of the buffer that is made for this many bytes: one of eight sizes between powers of two."""
    if nbytes <= 256:
        return max(16, -(-nbytes // 16) * 16)
    step = 1 << (nbytes - 1).bit_length() - 4
    return -(-nbytes // max(step, 16)) * max(step, 16)


def stored_bytes(aval: Aval) -> int:
    """Bytes of an array on the device: a truth value takes four."""
    return aval.size * 4 if aval.dtype.kind == "b" else aval.nbytes


class Buffer(BaseBuffer):
    """One array's memory."""

    device = "webgpu"

    def __init__(self, pool: Pool, nbytes: int):
        self.is_deleted = True  # until there is something to delete
        self.pool, self.nbytes, self.gpu = pool, nbytes, pool.take(nbytes)
        self.is_deleted = False
        self.held = rounded(nbytes)
        pool.live += self.held

    def delete(self) -> None:
        """Gives the memory back to the pool."""
        if not self.is_deleted:
            self.is_deleted = True
            self.pool.live -= self.held
            self.pool.give(self.gpu)
            self.gpu = None

    def __del__(self) -> None:
        self.delete()


class Pool:
    """Free GPU buffers, by size; the one freed last is given first, so that programs meet the same buffers again."""

    def __init__(self, device: Any):
        self.device = device
        self.live = 0
        self.free: dict[int, list[Any]] = {}
        self.kept = 0
        self.most = KEPT_BYTES  # buffers may come back when the interpreter has taken this module apart
        self.largest = min(device.limits["max-storage-buffer-binding-size"], device.limits["max-buffer-size"])

    def take(self, nbytes: int) -> Any:
        """A GPU buffer of at least this size. Raises MemoryError with the adapter's message."""
        size = rounded(nbytes)
        while free := self.free.get(size):
            self.kept -= size
            gpu = free.pop()
            if not free:
                del self.free[size]
            if gpu._internal is not None:  # else a cycle held both ends, and wgpu's own finalizer has released it
                return gpu
        if size > self.largest:
            raise MemoryError(
                f"webgpu: an array of {nbytes} bytes is larger than the {self.largest} bytes that this adapter can bind"
            )
        try:
            return self.device.create_buffer(size=size, usage=_USAGE)
        except Exception:
            self.trim()
            try:
                return self.device.create_buffer(size=size, usage=_USAGE)
            except Exception as error:
                raise MemoryError(f"webgpu: no memory for {nbytes} bytes: {error}") from error

    def give(self, gpu: Any) -> None:
        """Takes a GPU buffer back."""
        size = gpu.size
        free = self.free.pop(size, [])
        free.append(gpu)
        self.free[size] = free  # the sizes that were asked for last stand last
        self.kept += size
        while self.kept > self.most and len(self.free) > 1:
            oldest = next(iter(self.free))
            self._drop(oldest)
        if self.kept > self.most:
            self._drop(size)

    def _drop(self, size: int) -> None:
        """Lets go of a buffer of this size: wgpu frees it when the queue is done with it."""
        free = self.free[size]
        free.pop(0)
        self.kept -= size
        if not free:
            del self.free[size]

    def trim(self) -> None:
        """Lets go of all free buffers."""
        self.free.clear()
        self.kept = 0

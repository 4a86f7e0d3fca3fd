"""Where buffers lie: those whose lives do not overlap share memory.

WebAssembly has one memory, so a buffer is an offset in an arena: each is put at the lowest place that is free for the whole of its life, large ones first. WebGPU binds whole
buffers, and none both to read and to write in one launch, so there a buffer is a slot of a pool, and takes the slot that fits best among those free when it is first written.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Block

from weft.dialects.dtypes import bool_, from_type
from weft.dialects.kernel.host import AllocOp
from weft.passes.memory.steps import Storage

ALIGNMENT = 64
"""Of a buffer in the arena, in bytes: a cache line."""


def buffer_bytes(type: MemRefType, target: str) -> int:
    """Bytes of a buffer. WebGPU's buffers hold a bool as a u32, and are whole words."""
    count, element = prod(type.get_shape()), from_type(type.element_type)
    if target == "wasm":
        return count * element.itemsize
    return count * 4 if element is bool_ else _aligned(count * element.itemsize, 4)


def place(storages: Sequence[Storage], block: Block, target: str) -> int:
    """Allocates storages, which come in the order of their first writes, by ops at the block's end. Gives the bytes of them all."""
    return (_place_in_arena if target == "wasm" else _place_in_slots)(storages, block)


def _place_in_arena(storages: Sequence[Storage], block: Block) -> int:
    """Offsets: large buffers first, each at the lowest offset where nothing that lives at the same time lies. Gives the arena's size."""
    placed: list[tuple[int, int, Storage]] = []  # by offset
    peak = 0
    offsets: dict[Storage, int] = {}
    for s in sorted(storages, key=lambda s: (-s.nbytes, s.first)):
        size = _aligned(s.nbytes, ALIGNMENT)
        offset = 0
        for begin, end, other in placed:
            if begin >= offset + size:
                break
            if end > offset and other.first <= s.last and s.first <= other.last:
                offset = end
        offsets[s] = offset
        placed.append((offset, offset + size, s))
        placed.sort(key=lambda p: p[:2])
        peak = max(peak, offset + size)
    for s in storages:
        _alloc(s, offsets[s], 0, block)
    return peak


def _place_in_slots(storages: Sequence[Storage], block: Block) -> int:
    """Slots: each buffer takes the smallest free slot that holds it, else the largest free one, which grows. Gives the bytes of all slots."""
    sizes: list[int] = []
    until: list[int] = []
    for s in storages:
        free = [k for k, last in enumerate(until) if last < s.first]
        slot = min((k for k in free if sizes[k] >= s.nbytes), key=lambda k: sizes[k], default=None)
        if slot is None:
            slot = max(free, key=lambda k: sizes[k], default=None)
        if slot is None:
            slot = len(sizes)
            sizes.append(0)
            until.append(0)
        sizes[slot], until[slot] = max(sizes[slot], s.nbytes), s.last
        _alloc(s, 0, slot, block)
    return sum(sizes)


def _alloc(storage: Storage, offset: int, slot: int, block: Block) -> None:
    op = AllocOp.make(offset, slot, storage.type)
    block.add_op(op)
    storage.buffer = op.result


def _aligned(size: int, to: int) -> int:
    return -(-size // to) * to

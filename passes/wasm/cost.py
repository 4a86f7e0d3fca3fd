"""How long a nest keeps one thread, roughly: what decides whether threads share it.

Each operation of the body is counted as often as it is written or run: over the axes that it depends on, lanes once. Only the order of magnitude matters, for a barrier
costs one or two microseconds where the other threads are awake, and as much as some milliseconds where the system has given their processor to somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.dialects import arith
from xdsl.ir import Operation

from weft.dialects.kernel.ops import LoadOp, NestOp, StoreOp
from weft.passes.schedule.steps import depends, strides
from weft.passes.schedule.wasm import EXPENSIVE

INSTRUCTION = 0.15
"""Nanoseconds of a plain operation on one vector, with its share of addresses and loops."""

FUNCTION = 16
"""Plain operations in a function like exp."""

DIVISION = 5
"""Plain operations in a division or a root."""

APART = 3
"""Plain operations for a lane of an access to places that do not lie side by side, or that are not all there."""


def nanoseconds(nest: NestOp) -> int:
    """An estimate of one thread's time for a nest."""
    extents = {a.name: a.extent for a in nest.axes.data}
    lane = next((a.name for a in nest.axes.data if a.level == "lane"), None)
    axes = depends(nest)
    total = 0.0
    for op in nest.block.ops:
        if not isinstance(op, arith.ConstantOp):
            often = prod(extents[n] for n in axes[op] if n != lane)
            total += often * _weight(op, lane if lane in axes[op] else None, extents)
    return round(total * INSTRUCTION)


def _weight(op: Operation, lane: str | None, extents: Mapping[str, int]) -> int:
    """Plain operations that one stands for, which depends on an axis of lanes or not."""
    if op.name in EXPENSIVE:
        return FUNCTION
    if isinstance(op, (arith.DivfOp, arith.DivSIOp, arith.DivUIOp, arith.RemSIOp, arith.RemUIOp)):
        return DIVISION
    if isinstance(op, (LoadOp, StoreOp)):
        steps = strides(op.map, op.buffer.type.get_shape())  # type: ignore[attr-defined]
        apart = steps is None or (lane is not None and steps.get(lane, 0) not in (0, 1))
        if apart or op.symbols or op.conditions is not None:
            return APART * (1 if lane is None else extents[lane])
    return 1

"""A loop around nests as the body of one kernel, which one workgroup runs.

Each invocation goes through all rounds of the loop. Of a nest it has the points whose numbers it meets counting by the size of the workgroup, or its place among the `local` and
`group` axes of a schedule. Where a nest touches what another has written (or writes what another has read) since they all last waited for one another, they wait: a storage
barrier; and at the end of each round.
"""

from __future__ import annotations

from math import prod
from typing import Any

from xdsl.ir import Block, SSAValue

from weft.dialects.gpu import thread
from weft.dialects.gpu.ops import StorageBarrierOp
from weft.dialects.kernel.affine import Expr, dim
from weft.dialects.kernel.host import FuncOp, RepeatOp
from weft.dialects.kernel.ops import NestOp
from weft.passes.gpu.bounds import in_bounds
from weft.passes.gpu.emitter import SLT, Emitter, LoweringError, Scope
from weft.passes.gpu.lowering import Lowering, bind, module_of

THREADS = 256
"""Invocations of the workgroup: what every adapter allows."""


class Sequence(Emitter):
    """One `kernel.func` that holds loops of nests."""

    def __init__(self, func: FuncOp):
        super().__init__()
        self.func = func
        self.buffers: dict[SSAValue, SSAValue] = {}
        self.scratch: dict[tuple[Any, ...], SSAValue] = {}
        self.read: set[SSAValue] = set()
        self.written: set[SSAValue] = set()

    def run(self) -> thread.ModuleOp:
        """The gpu.module of the kernel."""
        args = self.func.body.block.args
        for number, arg in enumerate(args):
            self.buffers[arg] = bind(self, number, arg, number >= len(args) - self.func.outputs)
        self._steps(self.func.body.block)
        safe = all(in_bounds(nest) for nest in self.func.walk() if isinstance(nest, NestOp))
        return module_of(self.func, self.scopes[0].block, THREADS, (1, 1, 1), safe)

    def _steps(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case NestOp():
                    self._nest(op)
                case RepeatOp():
                    self._wait()
                    self.loop(f"round{len(self.scopes)}", op.times.value.data, None, lambda op=op: self._round(op))
                case _:
                    raise LoweringError(f"a kernel has no place for {op.name}")

    def _round(self, op: RepeatOp) -> None:
        self._steps(op.body.block)
        self._wait()

    def _wait(self) -> None:
        if self.read or self.written:
            self.scopes[-1].block.add_op(StorageBarrierOp.create())
            self.read, self.written = set(), set()

    def _nest(self, nest: NestOp) -> None:
        read, written = set(nest.ins), set(nest.outs)
        if not self.written.isdisjoint(read | written) or not self.read.isdisjoint(written):
            self._wait()
        self.read |= read
        self.written |= written
        _Part(nest, self).run()


class _Part(Lowering):
    """A nest in the loop."""

    def __init__(self, nest: NestOp, outer: Sequence):
        super().__init__(nest)
        if self.grid_axes:
            raise LoweringError(f"one workgroup has no grid, got {nest.axes}")
        self.threads = THREADS
        self.scopes = [*outer.scopes, Scope(outer.scopes[-1].block)]  # what is in memory may be another now
        self.scratch = outer.scratch
        self.buffers = {a: outer.buffers[v] for a, v in zip(nest.block.args, nest.operands, strict=True)}
        self._local_index()

    def run(self) -> None:
        """Writes the nest where the scopes of the sequence end."""
        if self.local_axes:
            self.base = self.entry = self.depth
            self._know(self.local_axes, dim("$li", THREADS))
            self.work(None)
            return
        self.own = THREADS
        rounds = -(-prod(a.extent for a in self.flat_axes) // THREADS)
        if rounds == 1:
            self._points(dim("$li", THREADS))
        else:
            self.loop(
                "$round", rounds, None, lambda: self._points(dim("$round", rounds) * THREADS + dim("$li", THREADS))
            )

    def _points(self, position: Expr) -> None:
        """The point of this number, if there is one."""
        self.base = self.entry = self.depth
        total = prod(a.extent for a in self.flat_axes)
        number = self.axis_value["$id"] = self.index(position)
        self.at["$id"] = self.base
        surplus = position.bounds[1] >= total
        guard = self.compare(self.base, SLT, number, self.number(total)) if surplus else None
        self._know(self.flat_axes, dim("$id", max(total, 1)))
        self.work(guard)

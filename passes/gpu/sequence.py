"""Loops and branches around nests as the body of one kernel, which one workgroup runs.

Each invocation goes through all rounds of a loop. Of a nest it has the points whose numbers it meets counting by the size of the workgroup, or its place among the `local` and
`group` axes of a schedule. Where a nest touches what another has written (or writes what another has read) since they all last waited for one another, they wait: a storage
barrier; and at the end of each round. What decides about a branch or a further round is read by one invocation and told to the others, since all must take the same course: there are
barriers in it.
"""

from __future__ import annotations

from math import prod
from typing import Any

from xdsl.dialects import scf
from xdsl.dialects.builtin import IntegerAttr, i32
from xdsl.ir import Block, Region, SSAValue

from weft.dialects.gpu import thread
from weft.dialects.gpu.ops import WORKGROUP, StorageBarrierOp, UniformLoadOp, WorkgroupAllocOp, memref_type
from weft.dialects.kernel.affine import Expr, dim
from weft.dialects.kernel.host import FuncOp, RepeatOp, SwitchOp, WhileOp
from weft.dialects.kernel.ops import NestOp
from weft.passes.gpu.bounds import in_bounds
from weft.passes.gpu.emitter import EQ, NE, SLE, SLT, Emitter, LoweringError, Scope
from weft.passes.gpu.lowering import Lowering, bind, module_of
from weft.passes.kernel_fuse_loops import THREADS


class Sequence(Emitter):
    """One `kernel.func` that holds loops and branches of nests."""

    def __init__(self, func: FuncOp):
        super().__init__()
        self.func = func
        self.buffers: dict[SSAValue, SSAValue] = {}
        self.scratch: dict[tuple[Any, ...], SSAValue] = {}
        self.read: set[SSAValue] = set()
        self.written: set[SSAValue] = set()
        self.word: SSAValue | None = None

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
                    self.loop(f"round{len(self.scopes)}", op.times.value.data, None, lambda op=op: self._round(op.body))
                case WhileOp():
                    self._while(op)
                case SwitchOp():
                    self._switch(op, 0, self._told(op.index))
                case _:
                    raise LoweringError(f"a kernel has no place for {op.name}")

    def _round(self, body: Region) -> None:
        self._steps(body.block)
        self._wait()

    def _while(self, op: WhileOp) -> None:
        self._wait()
        outer, blocks = self.scopes, (Block(), Block())
        self.scopes = [*outer, Scope(blocks[0])]
        self._steps(op.before.block)
        goes_on = self.compare(self.depth, NE, self._told(op.condition), self.constant(IntegerAttr(0, i32), i32))
        blocks[0].add_op(scf.ConditionOp(goes_on))
        left = self.read, self.written
        self.read, self.written = set(left[0]), set(left[1])
        self.scopes = [*outer, Scope(blocks[1])]
        self._round(op.body)
        blocks[1].add_op(scf.YieldOp.create())
        self.read, self.written = left
        self.scopes = outer
        outer[-1].block.add_op(scf.WhileOp.create(regions=[Region(b) for b in blocks]))

    def _switch(self, op: SwitchOp, k: int, index: SSAValue) -> None:
        """The cases from k on."""
        if k == len(op.cases) - 1:
            return self._steps(op.cases[k].block)
        first = self.compare(self.depth, SLE, index, self.constant(IntegerAttr(k, i32), i32))
        outer, blocks = self.scopes, (Block(), Block())
        before = self.read, self.written
        ends: list[tuple[set[SSAValue], set[SSAValue]]] = []
        for block in blocks:
            self.read, self.written = set(before[0]), set(before[1])
            self.scopes = [*outer, Scope(block)]
            if block is blocks[0]:
                self._steps(op.cases[k].block)
            else:
                self._switch(op, k + 1, index)
            block.add_op(scf.YieldOp.create())
            ends.append((self.read, self.written))
        self.read, self.written = (a | b for a, b in zip(*ends, strict=True))
        self.scopes = outer
        outer[-1].block.add_op(scf.IfOp.create(operands=[first], regions=[Region(b) for b in blocks]))

    def _told(self, buffer: SSAValue) -> SSAValue:
        """The one number in a buffer: the same for all invocations, and known to be."""
        if buffer in self.written:
            self._wait()
        self.read.add(buffer)
        if self.word is None:
            self.word = self.emit(0, WorkgroupAllocOp.create(result_types=[memref_type(i32, 1, WORKGROUP)]))
        mine = self.compare(self.depth, EQ, self._local_index(), self.number(0))
        with self.when(self.depth, mine) as inside:
            self.store(inside, self.load(inside, self.buffers[buffer], self.number(0)), self.word, self.number(0))
        return self.emit(self.depth, UniformLoadOp.create(operands=[self.word], result_types=[i32]))

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

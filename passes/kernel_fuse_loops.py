"""kernel-fuse-loops: a loop or a branch of a program that is little work becomes one kernel, which one workgroup runs from its beginning to its end.

A launch costs microseconds on the host and the device, and a round of a scan is often some launches of a few hundred points each; whether a `while` goes on, the host learns by waiting
for the device. One workgroup waits for its own invocations in a fraction of that. So the nests of the body stand in a loop in a kernel of their own, which is launched once; what the
workgroup does in a round must be little, since all others stand by. A device may take a kernel that runs for seconds for a broken one: long loops are cut into several launches, where it is
known how long they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, MemRefType, ModuleOp, SymbolRefAttr, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from weft.dialects.gpu.wgsl_types import PACKINGS
from weft.dialects.kernel.host import (
    AllocOp,
    Course,
    FuncOp,
    LaunchOp,
    ProgramOp,
    RepeatOp,
    SwitchOp,
    WhileOp,
    moves_home,
    rounds_of,
)
from weft.dialects.kernel.ops import LoadOp, NestOp, StoreOp, segments
from weft.passes.fusion.clusters import MOST_CALLS
from weft.passes.fusion.probe import CALLS
from weft.passes.memory.kernels import copying, outline
from weft.passes.memory.steps import same_index

THREADS = 256
"""Invocations of the workgroup: what every adapter allows."""

TOGETHER = 4
"""Steps of a reduction that take the time of one."""

NEST = 16
"""Steps of an invocation that the memory and the barrier of a nest cost."""

LONGEST = 1 << 18
"""Steps of one launch."""


@dataclass(frozen=True)
class KernelFuseLoopsPass(ModulePass):
    """Makes one kernel of each loop and branch that holds nothing but launches (and such loops and branches), each of at most `steps` steps for an invocation.

    `nests`: how many may stand in a kernel. A driver's compiler takes each barrier for a place to stop and go on at, and its time grows faster than the text: the nests of a step of
    divide and conquer took a CPU's driver half a minute, and a second once the inner loop alone was a kernel. `max_buffers`: how many buffers a kernel may have (none: any number).
    """

    name = "kernel-fuse-loops"

    steps: int = 64
    nests: int = 24
    max_buffers: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        funcs = {f.sym_name.data: f for f in op.body.block.ops if isinstance(f, FuncOp)}
        made: list[FuncOp] = []
        for program in [p for p in op.body.block.ops if isinstance(p, ProgramOp)]:
            self._fuse(program.body.block, program, funcs, made)
        if made:
            for func in reversed(made):
                op.body.block.insert_op_before(func, next(iter(op.body.block.ops)))
            launched = {o.kernel.string_value() for o in op.walk() if isinstance(o, LaunchOp)}
            for name in funcs.keys() - launched:
                funcs[name].detach()
                funcs[name].erase()

    def _fuse(self, block: Block, program: ProgramOp, funcs: dict[str, FuncOp], made: list[FuncOp]) -> None:
        for op in list(block.ops):
            if isinstance(op, Course):
                candidate = _Candidate(op, funcs, program)
                if candidate.fits(self.steps, self.nests, self.max_buffers):
                    made += candidate.fuse(len(funcs) + len(made))
                    continue
                candidate.erase()
            for region in op.regions:
                self._fuse(region.block, program, funcs, made)


class _Candidate:
    """A loop or a branch of launches in a program, and a copy of it to work on."""

    def __init__(self, source: Course, funcs: dict[str, FuncOp], program: ProgramOp):
        self.source, self.program = source, program
        self.funcs = dict(funcs)
        self.left: list[LaunchOp] = []
        self.course = source.clone()
        for loop in [op for op in self.course.walk() if isinstance(op, (RepeatOp, WhileOp)) and op.rotated]:
            self._stay(loop)
        for copy in [op for op in self.course.walk() if isinstance(op, LaunchOp) and copies(self.nest(op))]:
            self._in_place(copy)
        inside = list(self.course.walk())
        self.written = list(dict.fromkeys(v for op in inside if isinstance(op, LaunchOp) for v in op.outs))
        read = [v for op in inside for v in (op.ins if isinstance(op, LaunchOp) else op.operands)]
        self.read = list(dict.fromkeys(v for v in read if v not in self.written))

    def nest(self, launch: LaunchOp) -> NestOp:
        """What is launched."""
        return self.funcs[launch.kernel.string_value()].nest

    def erase(self) -> None:
        """The program stays as it is: nothing is left of the copy."""
        for op in (self.course, *self.left):
            op.erase()

    def _stay(self, loop: RepeatOp | WhileOp) -> None:
        """Buffers of a kernel do not change places: at the end of a round each of a cycle takes the contents of the next. After fixed rounds, they go where they are looked for."""
        after: list[LaunchOp] = []
        for cycle in loop.cycles:
            for target, source in pairwise(cycle):
                loop.body.block.add_op(self._copying(source, target))
            if isinstance(loop, RepeatOp):
                shift = loop.times.value.data % len(cycle)
                if any(self._looked_at(v, loop) for v in (cycle[shift:] + cycle[:shift])[:-1]):
                    moves = moves_home(len(cycle), shift)
                    after += [self._copying(cycle[there], cycle[here]) for here, there in reversed(moves)]
        loop.operands = [loop.condition] if isinstance(loop, WhileOp) else []
        loop.lengths = DenseArrayBase.from_list(i64, [])
        if loop is self.course:
            self.left = after
        elif after:
            assert loop.parent is not None
            loop.parent.insert_ops_after(after, loop)

    def _looked_at(self, buffer: SSAValue, loop: Operation) -> bool:
        """Whether anybody outside of the loop uses a buffer."""
        inside = {*loop.walk(), *self.source.walk()} if loop is self.course else set(loop.walk())
        return not isinstance(buffer.owner, AllocOp) or any(u.operation not in inside for u in buffer.uses)

    def _copying(self, source: SSAValue, target: SSAValue) -> LaunchOp:
        assert isinstance(source.type, MemRefType)
        name = f"copy_{source.type}"
        if name not in self.funcs:
            self.funcs[name] = outline(copying(source.type), name)
        return _launch(name, [source], [target])

    def _in_place(self, copy: LaunchOp) -> None:
        """What is copied to its place at the end of a round is written there at once, if nobody looks at the old contents from then on but at the very point that is written."""
        (old,), (place,) = copy.ins, copy.outs
        block = copy.parent
        assert block is not None
        uses = [u.operation for u in old.uses if not self.source.is_ancestor(u.operation)]
        if not isinstance(old.owner, AllocOp) or any(u.parent is not block for u in uses):
            return
        ops = list(block.ops)
        first, *later = sorted(uses, key=ops.index)
        if not isinstance(first, LaunchOp) or sum(old in op.outs for op in uses if isinstance(op, LaunchOp)) > 1:
            return
        written = [op for op in self.course.walk() if isinstance(op, LaunchOp) and place in op.outs]
        between = ops[ops.index(first) + 1 : ops.index(copy)]
        if (
            old not in first.outs
            or written != [copy]
            or any(place in inner.operands for op in between for inner in op.walk())
        ):
            return
        k = list(first.outs).index(old)
        if not all(same_index(self.nest(first), j, k) for j, v in enumerate(first.ins) if v is place):
            return
        for op in (first, *later):
            op.operands = [place if v is old else v for v in op.operands]
        copy.detach()
        copy.erase()

    # -- whether it is one ------------------------------------------------------------------------------------------------------------------

    def fits(self, most: int, nests: int, max_buffers: int | None) -> bool:
        """Whether it is work for one workgroup: nests of at most `most` steps, at most `nests` of them, with at most `max_buffers` buffers."""
        if max_buffers is not None and len(self.read) + len(self.written) > max_buffers:
            return False
        course = self.course
        inside = [op for op in course.walk() if op is not course]
        bodies = [self.nest(op).block for op in inside if isinstance(op, LaunchOp)]
        if len(bodies) > nests or sum(type(op) in CALLS for body in bodies for op in body.ops) > MOST_CALLS:
            return False
        if not all(isinstance(op, Course) or (isinstance(op, LaunchOp) and self._small(op, most)) for op in inside):
            return False
        if isinstance(course, RepeatOp) and course.times.value.data <= 1:
            return False
        return 0 < self._round(course) <= LONGEST

    def _small(self, launch: LaunchOp, most: int) -> bool:
        nest, ins = self.nest(launch), launch.ins
        for k, out in enumerate(launch.outs):
            if packed(out.type) or not all(same_index(nest, j, k) for j, v in enumerate(ins) if v is out):
                return False
        return steps(nest) <= most and all(s.combine is None for s in nest.block.ops if isinstance(s, StoreOp))

    def _round(self, course: Course) -> int:
        """Steps of an invocation in a round of a loop, or in the longest case."""
        sums = [
            sum(steps(self.nest(op)) + NEST if isinstance(op, LaunchOp) else self._steps(op) for op in region.block.ops)
            for region in course.regions
        ]
        return max(sums) if isinstance(course, SwitchOp) else sum(sums)

    def _steps(self, op: Operation) -> int:
        """Steps of an invocation in a loop or a branch."""
        assert isinstance(op, Course)
        return rounds_of(op) * self._round(op)

    # -- making it one ----------------------------------------------------------------------------------------------------------------------

    def fuse(self, number: int) -> list[FuncOp]:
        """Puts launches of kernels in the place of the source, and gives the kernels: one, or two where the rounds of the last launch are fewer, and those that copy afterwards."""
        course = self.course
        self._apart()
        if isinstance(course, RepeatOp):
            times = course.times.value.data
            launches = -(-times // max(1, LONGEST // self._round(course)))
            each = -(-times // launches)
            whole, left = divmod(times, each)
            made = [self._kernel(f"k{number + k}", course, n) for k, n in enumerate((each, left)) if n]
            first: Operation = self._launch(made[0])
            placed = [
                first if whole == 1 else RepeatOp.make(whole, Region(Block([first]))),
                *map(self._launch, made[1:]),
            ]
            for copy in self.left:
                type = copy.outs[0].type
                assert isinstance(type, MemRefType)
                made.append(outline(copying(type), f"k{number + len(made)}"))
                copy.kernel = SymbolRefAttr(made[-1].sym_name)
            placed += self.left
            self.left = []
        else:
            made = [self._kernel(f"k{number}", course)]
            placed = [self._launch(made[0])]
        block = self.source.parent
        assert block is not None
        block.insert_ops_before(placed, self.source)
        self.source.detach()
        self.source.erase()
        self.erase()
        return made

    def _apart(self) -> None:
        """A kernel may bind a buffer once only: those that live in one slot, one after the other, get slots of their own."""
        allocs = [op for op in self.program.body.block.ops if isinstance(op, AllocOp)]
        taken: set[int] = set()
        free = 1 + max((op.slot.value.data for op in allocs), default=-1)
        for op in allocs:
            if op.result in self.written or op.result in self.read:
                if op.slot.value.data in taken:
                    op.slot = IntegerAttr(free, 64)
                    free += 1
                taken.add(op.slot.value.data)

    def _launch(self, func: FuncOp) -> LaunchOp:
        return _launch(func.sym_name.data, self.read, self.written)

    def _kernel(self, name: str, course: Course, times: int = 0) -> FuncOp:
        """A kernel that does what the course does; of a loop with fixed rounds, so many of them."""
        values = [*self.read, *self.written]
        body = Block(arg_types=[v.type for v in values])
        for arg, value in zip(body.args, values, strict=True):
            arg.name_hint = value.name_hint
        whole = self._copy(course, dict(zip(values, body.args, strict=True)))
        if isinstance(whole, RepeatOp):
            whole.times = IntegerAttr(times, 64)
        body.add_op(whole)
        return FuncOp.make(name, Region(body), len(self.written))

    def _copy(self, op: Operation, buffers: dict[SSAValue, SSAValue]) -> Operation:
        """A step on other buffers, nests in the place of launches."""
        if isinstance(op, LaunchOp):
            args = self.funcs[op.kernel.string_value()].body.block.args
            return self.nest(op).clone({a: buffers[v] for a, v in zip(args, op.operands, strict=True)})
        return type(op).create(
            operands=[buffers[v] for v in op.operands],
            properties=dict(op.properties),
            regions=[Region(Block([self._copy(o, buffers) for o in r.block.ops])) for r in op.regions],
        )


def _launch(name: str, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> LaunchOp:
    return LaunchOp.create(
        operands=[*ins, *outs],
        properties={"kernel": SymbolRefAttr(name), "operandSegmentSizes": segments(len(ins), len(outs))},
    )


def steps(nest: NestOp) -> int:
    """Steps of each invocation of a workgroup that has all of a nest, as they take their time: of a reduction several are on their way at once."""
    points = prod(a.extent for a in nest.axes.data if a.role == "par")
    reduced = prod(a.extent for a in nest.axes.data if a.role == "red")
    return -(-points * reduced // (THREADS * TOGETHER)) if reduced > 1 else -(-points // THREADS)


def copies(nest: NestOp) -> bool:
    """Whether a nest does nothing but copy a buffer."""
    ops = list(nest.block.ops)
    return (
        len(ops) == 2
        and isinstance(ops[0], LoadOp)
        and isinstance(ops[1], StoreOp)
        and ops[1].value is ops[0].result
        and same_index(nest, 0, 0)
    )


def packed(type: Attribute) -> bool:
    """Whether neighbouring elements of a buffer share a word, which their invocations would have to agree on."""
    return isinstance(type, MemRefType) and type.element_type in PACKINGS

"""kernel-split-reductions: a long reduction to few results becomes two, so that a whole GPU, or every thread, has work.

One invocation, or one workgroup, has all of a reduction; where there are few results, most of the machine stands by. So the reduced axes are cut into pieces, which become
parallel axes: a first nest gives a partial result for each piece, a second one combines them. (The step is known as rfactor; of a matmul, as split-K.) No atomics: the order
of the additions is in the program, and each run gives the same bits.

It works on nests, whatever they come from: a sum over an array, a product of thin matrices, the gradient of a convolution's weights, each with what has been fused into it.
What a nest computes from the total at the same points is done where the pieces are combined; what needs other points (softmax of one long row) reads the total from memory,
and is looked at anew. How many pieces pay is the target's to say (`pieces` in passes/schedule/<target>.py).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ArrayAttr, BFloat16Type, Float16Type, ModuleOp, StringAttr, TensorType, f32, i1
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.attributes import AxesAttr, Axis, ConditionsAttr, MapAttr
from weft.dialects.kernel.cleanup import clean_up
from weft.dialects.kernel.identity import identity
from weft.dialects.kernel.ops import EmptyOp, InsideOp, NestOp, ReduceOp, StoreOp, load, nest
from weft.passes.kernel_schedule import TARGETS
from weft.passes.kernel_simplify import simplify
from weft.passes.memory.kernels import outline
from weft.passes.schedule.steps import Split, apply
from weft.passes.schedule.view import View

LEAST = 1 << 9
"""Points of a nest below which nobody splits its reductions."""

Pieces = Callable[[View, ReduceOp], int]
"""Into how many pieces a reduction of a nest is to be cut; 1: it stays as it is."""


@dataclass(frozen=True)
class KernelSplitReductionsPass(ModulePass):
    """Splits reductions of nests on tensors that leave most of the machine idle.

    `target`: wasm or webgpu, whose measure of few and long is taken. `pieces`: a number of pieces for every reduction instead. `max_buffers`: how many buffers a nest
    may have (none: any number).
    """

    name = "kernel-split-reductions"

    target: str = "webgpu"
    pieces: int | None = None
    max_buffers: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.target not in TARGETS:
            raise PassFailedException(
                f"kernel-split-reductions: target must be one of {', '.join(TARGETS)}, got '{self.target}'"
            )
        pieces: Pieces = import_module(f"weft.passes.schedule.{self.target}").pieces
        if (given := self.pieces) is not None:
            pieces = lambda view, reduction: given  # noqa: E731
        for found in [o for o in op.walk() if isinstance(o, NestOp)]:
            rest: NestOp | None = found
            while rest is not None:
                rest = split(rest, pieces, self.max_buffers)


def split(found: NestOp, pieces: Pieces, max_buffers: int | None = None) -> NestOp | None:
    """Splits the first reduction of a nest for which that pays. Gives the nest that is left to be looked at, if any."""
    if not any(isinstance(op, ReduceOp) for op in found.block.ops):
        return None
    clean_up(found)
    view = View.of(found)
    if prod(a.extent for a in view.axes.values()) < LEAST or any(
        s.combine is not None or s.symbols for s in view.stores
    ):
        return None
    copy = found.clone()
    kernel = outline(copy, "")
    copy.erase()
    simplify(kernel.nest)  # as it will be when its schedule is chosen
    plain = View.of(kernel.nest)
    for reduction, same in zip(view.reductions, plain.reductions, strict=True):
        if all(view.axes[n].role == "par" for n in view.depends[reduction.result]):
            work = _Split(view, reduction)
            if max_buffers is not None and len(found.operands) + len(work.together) > max_buffers:
                continue
            if (count := pieces(plain, same)) > 1:
                return work.run(count)
    return None


def cut(axes: Sequence[Axis], count: int) -> list[tuple[Axis, int]]:
    """How many pieces each axis is cut into to make about `count`: whole axes from the outermost, then a part of one, by a divisor if there is one near: pieces that overlap cost a test of each element."""
    cuts: list[tuple[Axis, int]] = []
    for axis in axes:
        if count < 2:
            break
        here = min(count, axis.extent)
        divisor = max(d for d in range(1, here + 1) if axis.extent % d == 0)
        cuts.append((axis, divisor if 4 * divisor >= here and (divisor > 1 or cuts) else here))
        count = -(-count // here)
    return cuts


class _Split:
    """The split of one reduction, together with those over the same axes that do not wait for it."""

    def __init__(self, view: View, reduction: ReduceOp):
        self.nest, self.stores = view.nest, view.stores
        names, over = view.depends[reduction.result], set(reduction.axes)
        self.points = [a for a in view.axes.values() if a.name in names]
        self.closed = sorted((a for a in view.axes.values() if a.name in over), key=lambda a: -self._step(view, a))
        waits: set[object] = set()
        for op in view.nest.block.ops:
            if isinstance(op, ReduceOp) or not waits.isdisjoint(op.operands):
                waits.update(op.results)
        alike = [r for r in view.reductions if set(r.axes) == over and view.depends[r.result] == names]
        free = [r for r in alike if r.value not in waits]
        self.together = free if reduction in free else [reduction]
        self.known = {r.result for r in self.together}
        left = [op for op in needed(view.nest, self.stores, self.known) if isinstance(op, ReduceOp)]
        spread = {a.name for a in view.axes.values() if a.role == "par"}.union(*(view.depends[s] for s in self.stores))
        self.at_points = not left and spread == names
        """Whether nothing is left to do but at the points of the totals."""

    @staticmethod
    def _step(view: View, axis: Axis) -> int:
        """How far an axis moves in memory."""
        return max((view.stride(load, axis.name) or 0 for load in view.loads), default=0)

    def run(self, count: int) -> NestOp | None:
        """Writes the nests. Gives the one that is left to be looked at."""
        pieces, partials = self._partials(count)
        combine = _Part(self.nest, last=self.at_points)
        for r, tensor in zip(self.together, partials, strict=True):
            total = combine.reduce(r, combine.load(tensor, (*pieces, *self.points)), pieces)
            combine.copies[r.result] = combine.converted(total, r.result.type, arith.TruncFOp)
        axes = [*self.points, *(a._replace(role="red") for a in pieces)]
        if self.at_points:
            combine.copy(self.stores, self.known)
            combine.finish(axes)
            return None
        for r in self.together:
            combine.store(combine.copies[r.result], self.points)
        totals = combine.finish(axes).results
        rest = _Part(self.nest, last=True)
        for r, tensor in zip(self.together, totals, strict=True):
            rest.copies[r.result] = rest.load(tensor, self.points)
        rest.copy(self.stores, self.known)
        return rest.finish(self._left(rest))

    def _partials(self, count: int) -> tuple[list[Axis], Sequence[SSAValue]]:
        """The nest of the partial results: the axes of the pieces, and a tensor for each reduction."""
        part = _Part(self.nest)
        part.copy(self.together)
        pieces, steps = list[Axis](), list[Split]()
        for axis, number in cut(self.closed, count):
            length = -(-axis.extent // number)
            if length == 1:
                pieces.append(axis._replace(role="par"))
            else:
                steps.append(Split(axis.name, length))
                pieces.append(Axis(f"{axis.name}0", "par", -(-axis.extent // length)))
        for r in self.together:
            part.store(part.converted(part.copies[r.result], wide(r), arith.ExtFOp), (*pieces, *self.points))
        made = part.finish([*self.points, *self.closed])
        apply(made, steps)
        names = {a.name for a in pieces}
        made.axes = AxesAttr((*pieces, *(a for a in made.axes.data if a.name not in names)))
        for op in list(made.block.ops):
            if isinstance(op, ReduceOp):
                op.over = ArrayAttr([StringAttr(n) for n in op.axes if n not in names])
                _once(op)
        return pieces, made.results

    def _left(self, rest: _Part) -> list[Axis]:
        """The axes of what is left to do: those that nothing closes any more are parallel."""
        closed = {n for op in rest.block.ops if isinstance(op, ReduceOp) for n in op.axes}
        used = closed | rest.moves()
        return [
            a if a.name in closed else a._replace(role="par")
            for a in self.nest.axes.data
            if a.role == "par" or a.name in used
        ]


class _Part:
    """A nest in the making, which takes over ops of another one with all that they need. `last`: it gives the results of that one."""

    def __init__(self, source: NestOp, last: bool = False):
        self.source, self.last = source, last
        self.block = Block()
        self.ins: list[SSAValue] = []
        self.outs: list[SSAValue] = []
        self.copies: dict[SSAValue, SSAValue] = {}
        """What values and buffers of the source are here."""
        if last:
            for value, arg in zip(source.outs, source.block.args[len(source.ins) :], strict=True):
                self.copies[arg] = self._out(value)

    def _in(self, tensor: SSAValue) -> SSAValue:
        self.ins.append(tensor)
        return self.block.insert_arg(tensor.type, len(self.ins) - 1)

    def _out(self, tensor: SSAValue) -> SSAValue:
        self.outs.append(tensor)
        return self.block.insert_arg(tensor.type, len(self.block.args))

    def copy(self, roots: Sequence[Operation], known: Container[SSAValue] = ()) -> None:
        """Takes over ops, and what they need but for values that are known here."""
        for op in needed(self.source, roots, known):
            for value in op.operands:
                if isinstance(value, BlockArgument) and value not in self.copies:
                    self.copies[value] = self._in(self.source.operands[value.index])
            self.block.add_op(op.clone(self.copies))

    def load(self, tensor: SSAValue, axes: Sequence[Axis]) -> SSAValue:
        """An element of a tensor at axes."""
        made = load(self._in(tensor), tuple(a.expr for a in axes))
        self.block.add_op(made)
        return made.result

    def reduce(self, like: ReduceOp, value: SSAValue, axes: Sequence[Axis]) -> SSAValue:
        """A value combined over axes."""
        over = ArrayAttr([StringAttr(a.name) for a in axes])
        made = ReduceOp.create(
            operands=[value], result_types=[value.type], properties={"kind": like.kind, "over": over}
        )
        self.block.add_op(made)
        return made.result

    def converted(self, value: SSAValue, type: Attribute, by: type[Operation]) -> SSAValue:
        """A value of a type, by a conversion if it has another one."""
        if value.type == type:
            return value
        made = by.create(operands=[value], result_types=[type])
        self.block.add_op(made)
        return made.results[0]

    def store(self, value: SSAValue, axes: Sequence[Axis]) -> None:
        """Stores a value at axes of a new tensor, which is a result of the nest."""
        tensor = EmptyOp.create(result_types=[TensorType(value.type, [a.extent for a in axes])])
        map = MapAttr(tuple(a.expr for a in axes))
        self.block.add_op(StoreOp.create(operands=[value, self._out(tensor.result)], properties={"map": map}))

    def moves(self) -> set[str]:
        """The axes that anything in it moves along."""
        found: set[str] = set()
        for op in self.block.ops:
            for attr in op.properties.values():
                if isinstance(attr, MapAttr):
                    found.update(*(e.dims() for e in attr.data))
                elif isinstance(attr, ConditionsAttr):
                    found.update(*(c.expr.dims() for c in attr.data))
        return found

    def finish(self, axes: Sequence[Axis]) -> NestOp:
        """The nest, put in before the source; the last one takes its place."""
        source = self.source
        made = nest(axes, self.ins, self.outs, self.block)
        made.location = source.location
        empties = [v.owner for v in self.outs if isinstance(v.owner, EmptyOp) and v.owner.parent is None]
        assert source.parent is not None
        source.parent.insert_ops_before([*empties, made], source)
        if self.last:
            for old, new in zip(source.results, made.results, strict=True):
                old.replace_all_uses_with(new)
            source.detach()
            source.erase()
        return made


def wide(reduction: ReduceOp) -> Attribute:
    """The type of partial results: sums and products of 16-bit floats are not rounded before the pieces meet."""
    type = reduction.result.type
    return f32 if isinstance(type, (Float16Type, BFloat16Type)) and reduction.kind.data in ("add", "mul") else type


def needed(nest: NestOp, roots: Sequence[Operation], known: Container[SSAValue]) -> list[Operation]:
    """Ops of a nest's body, and those that they need but for values that are known, in their order."""
    wanted: set[object] = set(roots)
    for op in reversed(list(nest.block.ops)):
        if op in wanted or any(r in wanted and r not in known for r in op.results):
            wanted.add(op)
            wanted.update(op.operands)
    return [op for op in nest.block.ops if op in wanted]


def _once(op: ReduceOp) -> None:
    """A reduction over pieces of which the last repeats elements of the one before: those do not count."""
    where = op.attributes.pop("where", None)
    if where is None:
        return
    inside = InsideOp.create(result_types=[i1], properties={"conditions": where})
    nothing = arith.ConstantOp.create(
        result_types=[op.value.type], properties={"value": identity(op.kind.data, op.value.type)}
    )
    chosen = arith.SelectOp.create(operands=[inside.result, op.value, nothing.result], result_types=[op.value.type])
    assert op.parent is not None
    op.parent.insert_ops_before([inside, nothing, chosen], op)
    op.operands[0] = chosen.results[0]

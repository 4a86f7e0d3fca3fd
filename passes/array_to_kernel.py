"""array-to-kernel: array ops become loop nests, as few as their dependences allow.

Which ops share a nest is decided first, for a whole function, by passes/fusion. Then each nest is built from its results backwards: its results are asked for their
scalar at the nest's index, by their own `to_kernel` rules, and those ask their operands, which are computed in place or loaded. Literals become constants of the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from weft.dialects.array.control import ControlOp, YieldOp, captured
from weft.dialects.array.op import ArrayOp
from weft.dialects.array.ops import ConcatenateOp, OptimizationBarrierOp
from weft.dialects.array.params import aval_of, tensor_type
from weft.dialects.kernel.affine import Expr
from weft.dialects.kernel.builder import NestBuilder, Operand, Producer
from weft.dialects.kernel.ops import EmptyOp
from weft.passes.fusion.clusters import Cluster, Clustering, Item
from weft.passes.fusion.probe import is_bijective, profile


@dataclass(frozen=True)
class ArrayToKernelPass(ModulePass):
    """Fuses the array ops of each function into `kernel.nest`s on tensors.

    `max_buffers` is how many buffers one nest may read and write in all (WebGPU promises 8).
    """

    name = "array-to-kernel"
    max_buffers: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for func in op.body.block.ops:
            if isinstance(func, FuncOp) and not func.is_declaration:
                lower(func.body.block, self.max_buffers)


def lower(block: Block, max_buffers: int | None) -> None:
    """Puts nests in the place of a block's array ops, and of those in the regions of its control operations."""
    for op in block.ops:
        if isinstance(op, ControlOp):
            for region in op.regions:
                _sink_literals(region)
    if max_buffers is not None:
        split_concatenations(block, max_buffers - 1)
    _Lowering(block, max_buffers).run()


_CUTS = (ControlOp, OptimizationBarrierOp)
"""What ends a segment of a block."""


class _Lowering:
    """One block. Control operations and barriers cut it into segments: what is computed before, between and after them shares no nest."""

    def __init__(self, block: Block, max_buffers: int | None):
        self.block, self.max_buffers = block, max_buffers
        self.ops = [
            op for op in block.ops if isinstance(op, ArrayOp) and not isinstance(op, _CUTS) and not _is_data(op)
        ]
        assert block.last_op is not None
        self.ends: list[Operation] = [*(op for op in block.ops if isinstance(op, _CUTS)), block.last_op]
        self.items: dict[SSAValue, Item] = {}
        self.made: dict[SSAValue, SSAValue] = {}
        self.operands: dict[SSAValue, Operand] = {}
        self.inlined: dict[SSAValue, Producer] = {}

    def run(self) -> None:
        """Puts the nests in the place of the ops."""
        segments, stored = self._segments()
        for ops, values, end in zip(segments, stored, self.ends, strict=True):
            self.end = end
            self._segment(ops, values)
            if isinstance(self.end, ControlOp):
                for op in self.end.walk():
                    self._reconnect(op)
                for region in self.end.regions:
                    lower(region.block, self.max_buffers)
            else:
                self._reconnect(self.end)
            if isinstance(self.end, OptimizationBarrierOp):
                self.made[self.end.result] = self.end.x  # it is stored: whoever reads the result reads that
        for op in (*reversed(self.ops), *(end for end in self.ends if isinstance(end, OptimizationBarrierOp))):
            op.detach()
            op.erase(safe_erase=False)

    def _reconnect(self, op: Operation) -> None:
        for k, value in enumerate(op.operands):
            if value in self.made:
                op.operands[k] = self.made[value]

    def _segments(self) -> tuple[list[list[ArrayOp]], list[set[SSAValue]]]:
        """The ops before each end, and which of their values are to be stored there.

        An op stands as late as those who use it allow; views and literals stand wherever they are used.
        """
        count = len(self.ends)
        segments: list[list[ArrayOp]] = [[] for _ in range(count)]
        stored: list[set[SSAValue]] = [set() for _ in range(count)]
        if count == 1:
            return [self.ops], [set(self.ends[0].operands)]
        used: dict[SSAValue, set[int]] = {}
        for k, end in enumerate(self.ends):
            outer = (*end.operands, *(v for r in end.regions for v in captured(r)))
            stored[k].update(outer)
            for value in outer:
                used.setdefault(value, set()).add(k)
        for op in reversed(self.ops):
            (value,) = op.results
            users = used.get(value, set())
            places = users if not op.operands or profile(op).view else {min(users)} if users else set[int]()
            if places != users:
                stored[min(users)].add(value)
            for k in places:
                segments[k].append(op)
                for operand in op.operands:
                    used.setdefault(operand, set()).add(k)
        return [ops[::-1] for ops in segments], stored

    def _segment(self, ops: list[ArrayOp], stored: set[SSAValue]) -> None:
        self.items = {}
        for op in ops:
            (value,) = op.results
            if value not in self.made:
                item = Item(op, value, profile(op), [self.items.get(v) for v in op.operands])
                item.returned = value in stored
                self.items[value] = item
        # in the body of a loop, a result takes the place of an argument
        successors = (
            dict(zip(self.end.operands, self.block.args, strict=False)) if isinstance(self.end, YieldOp) else {}
        )
        clusters = Clustering(list(self.items.values()), self.max_buffers, successors).clusters
        self.inlined = {v: self._producer(item) for v, item in self.items.items() if item.cluster is None}
        for cluster in clusters:
            self._build(cluster)

    def _operand(self, value: SSAValue) -> Operand:
        value = self.made.get(value, value)
        if (operand := self.operands.get(value)) is None:
            operand = self.operands[value] = Operand.of(value)
        return operand

    def _producer(self, item: Item) -> Producer:
        rule, params, values = type(item.op).to_kernel, item.op.params_of(item.op), item.values
        operand = self._operand
        return lambda b, index: rule(b, index, tuple([operand(v) for v in values]), **params)

    def _build(self, cluster: Cluster) -> None:
        b = NestBuilder(self.inlined)
        point = b.parallel(cluster.root.space)
        if cluster.pushes:
            results = self._push(b, cluster.root, point)
        else:
            results = self._pull(b, cluster, point)
        empties = (v.owner for v in results.values())
        self.block.insert_ops_before([op for op in empties if isinstance(op, EmptyOp) and op.parent is None], self.end)
        if b.outs:
            nest = b.finish()
            nest.location = cluster.root.op.location
            self.block.insert_op_before(nest, self.end)
            stored = dict(zip(b.outs, nest.results, strict=True))
            results = {value: stored.get(out, out) for value, out in results.items()}
        self.made |= results
        for item in cluster.outs:
            if item.value not in results:  # computed at no index that meets each element once, after all
                self._build(Cluster(0, item, [], 0, 0, [item], set()))

    def _push(self, b: NestBuilder, item: Item, point: tuple[Expr, ...]) -> dict[SSAValue, SSAValue]:
        """An op that runs over a space of its own, and writes where it says: into its first operand, if it updates that one."""
        if item.op.UPDATES:
            destination = self.made.get(item.values[0], item.values[0])
        else:
            destination = EmptyOp.create(result_types=[item.value.type]).results[0]
        if 0 not in item.space and item.size:
            for write in self._producer(item)(b, point):  # type: ignore[attr-defined]
                b.store(destination, *write)
        return {item.value: destination}

    def _pull(self, b: NestBuilder, cluster: Cluster, point: tuple[Expr, ...]) -> dict[SSAValue, SSAValue]:
        """Everything else: each output is read at its point, and stored there. What is read on the way, and is an output too, is stored where it was read."""
        points: dict[Item, tuple[Expr, ...]] = {}
        for item in cluster.outs:
            self.inlined[item.value] = self._noting(item, points)
        results: dict[SSAValue, SSAValue] = {}
        for item in cluster.outs:
            index = points.get(item, point)
            if len(index) != len(item.shape) or not is_bijective(index, item.shape):
                continue
            results[item.value] = EmptyOp.create(result_types=[item.value.type]).results[0]
            if item.size:
                b.store(results[item.value], b.read(Operand.of(item.value), index), index)
        for item in cluster.outs:
            del self.inlined[item.value]
        return results

    def _noting(self, item: Item, points: dict[Item, tuple[Expr, ...]]) -> Producer:
        """The producer of an output, which notes the first index where it is read that meets each of its elements once."""
        produce = self._producer(item)

        def noting(b: NestBuilder, index: tuple[Expr, ...]) -> SSAValue:
            if item not in points and not b.guard and is_bijective(index, item.shape):
                points[item] = index
            return produce(b, index)

        return noting


def _sink_literals(region: Region) -> None:
    """Gives a region its own copy of what needs no operands: it is cheaper made than loaded."""
    first = region.block.first_op
    assert first is not None
    for value in captured(region):
        op = value.owner
        if isinstance(op, ArrayOp) and not op.operands and not isinstance(op, ControlOp) and not _is_data(op):
            own = op.clone()
            region.block.insert_op_before(own, first)
            value.replace_uses_with_if(own.results[0], lambda use: region.is_ancestor(use.operation))


def split_concatenations(block: Block, most: int) -> None:
    """Writes concatenations of more operands than a nest may read as concatenations of concatenations."""
    for op in list(block.ops):
        if isinstance(op, ConcatenateOp):
            while len(op.operands) > most:
                op.operands = [_concatenate(op, op.operands[k : k + most]) for k in range(0, len(op.operands), most)]


def _concatenate(op: ConcatenateOp, parts: Sequence[SSAValue]) -> SSAValue:
    """Some neighbouring operands of a concatenation as one."""
    if len(parts) == 1:
        return parts[0]
    params = op.params_of(op)
    aval = op.infer(*(aval_of(v.type) for v in parts), **params)
    made = ConcatenateOp.create(
        operands=parts, result_types=[tensor_type(aval)], properties=op.properties.copy(), location=op.location
    )
    op.parent.insert_op_before(made, op)  # type: ignore[union-attr]
    return made.result


def _is_data(op: ArrayOp) -> bool:
    """A literal of different elements: it stays an array that nests load from."""
    return op.name == "array.constant" and isinstance(op.properties["value"], DenseIntOrFPElementsAttr)

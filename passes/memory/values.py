"""Which values of a function share a buffer.

A nest that updates its operand keeps its buffer, if nobody else needs the old contents; what a loop carries stays in one buffer, or changes places with what a round has computed; a
result is written where the caller wants it, or in place of an operand that dies where it is written. What is left are copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.array.control import YieldOp, captured
from weft.dialects.array.ops.control import CondOp, WhileOp
from weft.dialects.array.ops.scan import ScanOp
from weft.dialects.kernel.host import ConstantOp
from weft.dialects.kernel.ops import EmptyOp, NestOp
from weft.passes.memory.kernels import memref
from weft.passes.memory.places import buffer_bytes
from weft.passes.memory.steps import Mark, Step, Storage


class Values:
    """The values of one function as storages, and the steps between them.

    `inputs`, `outputs`: the caller's buffers for its arguments and results. `in_place`: whether a result may take the buffer of an operand that dies in the same launch.
    """

    def __init__(
        self, source: Block, inputs: Sequence[SSAValue], outputs: Sequence[SSAValue], target: str, in_place: bool
    ):
        self.source, self.outputs = source, outputs
        self.target, self.in_place = target, in_place
        self.storage: dict[SSAValue, Storage] = {}
        self.steps: list[Step] = []
        self.constants: list[Operation] = []
        self._loops: list[tuple[int, int]] = []
        for value, buffer in zip(source.args, inputs, strict=True):
            self.storage[value] = self._new(value, -1, buffer)
        self._ops(source)
        for k, value in enumerate(_end(source).operands):
            self._return(k, value)
        self._find_last_uses()
        if in_place:
            self._share_in_place()

    def own(self) -> list[Storage]:
        """The storages that are to be allocated, in the order of their first writes."""
        return sorted({s for step in self.steps for s in step.outs if s.buffer is None}, key=lambda s: s.first)

    def donations(self, donate: Iterable[int]) -> list[tuple[int, int]]:
        """Pairs of a result and a donated argument of its type that is read no more when the result is first written."""
        pairs: list[tuple[int, int]] = []
        given = [(k, self.storage[self.source.args[k]]) for k in sorted(set(donate))]
        results = [(s.first, s.output, s) for s in set(self.storage.values()) if s.output is not None]
        for first, output, out in sorted(results, key=lambda r: r[:2]):
            for k, arg in given:
                if arg.type == out.type and (arg.last < first or self._dies_in_place(arg, out)):
                    pairs.append((output, k))
                    given.remove((k, arg))
                    break
        return pairs

    # -- values to storages -----------------------------------------------------------------------------------------------------------------

    def _new(self, value: SSAValue, first: int, buffer: SSAValue | None = None) -> Storage:
        type = memref(value.type)
        return Storage(type, buffer_bytes(type, self.target), first, first, buffer)

    def _ops(self, block: Block, frozen: bool = False) -> None:
        """The steps of a block. `frozen`: its arguments are read elsewhere, too, and not its own to change."""
        number = {op: k for k, op in enumerate(block.ops)}
        last_use: dict[SSAValue, int] = {}
        for op, k in number.items():
            last_use |= dict.fromkeys((*op.operands, *(v for r in op.regions for v in _captured(r, op))), k)

        def dies(value: SSAValue, op: Operation) -> bool:
            own = (value.owner is block and not frozen) or (
                isinstance(value.owner, Operation) and value.owner.parent is block
            )
            return own and last_use[value] <= number[op]

        for op in block.ops:
            if isinstance(op, NestOp):
                self._nest(op, {v for v in op.outs if not dies(v, op)})
            elif isinstance(value := op.properties.get("value"), DenseIntOrFPElementsAttr):
                data = ConstantOp.create(result_types=[memref(op.results[0].type)], properties={"value": value})
                self.constants.append(data)
                self.storage[op.results[0]] = self._new(op.results[0], -1, data.result)
            elif isinstance(op, (ScanOp, WhileOp)):
                self._loop(op, {v for v in op.operands if dies(v, op)})
            elif isinstance(op, CondOp):
                self._branch(op)
            elif not isinstance(op, (EmptyOp, ReturnOp, YieldOp)):
                raise PassFailedException(f"kernel-plan-memory: expected nests on tensors, got {op.name}")

    def _nest(self, nest: NestOp, needed: set[SSAValue]) -> None:
        """One launch. An operand in `outs` whose old contents are needed later, or are not ours to change, is copied first."""
        outs: list[Storage] = []
        for value, result in zip(nest.outs, nest.results, strict=True):
            old = self.storage.get(value)
            if old is not None and (
                value in needed or value in nest.ins or old.buffer is not None or value in nest.outs[: len(outs)]
            ):
                new = self._new(result, len(self.steps))
                self.steps.append(Step(None, [old], [new]))
                old = new
            outs.append(old or self._new(result, len(self.steps)))
            self.storage[result] = outs[-1]
        self.steps.append(Step(nest, [self.storage[v] for v in nest.ins], outs))

    def _return(self, k: int, value: SSAValue) -> None:
        """Result k is `value`: written there by its nest if it can be, else copied."""
        source = self.storage.get(value)
        if source is None or source.nbytes == 0:  # an empty array: there is nothing to write
            return
        if source.buffer is None:
            source.buffer, source.output = self.outputs[k], k
        else:
            self._copy(source, self._new(value, len(self.steps), self.outputs[k]))

    def _copy(self, source: Storage, target: Storage) -> None:
        if source is not target and source.nbytes:
            self.steps.append(Step(None, [source], [target]))

    def _find_last_uses(self) -> None:
        for t, step in enumerate(self.steps):
            for s in (*step.ins, *step.outs):
                s.last = t
        for begin, end in self._loops:  # what a loop takes from outside it takes in its last round, too
            for step in self.steps[begin:end]:
                for s in (*step.ins, *step.outs):
                    if s.first < begin:
                        s.last = max(s.last, end)

    # -- loops and branches -----------------------------------------------------------------------------------------------------------------

    def _loop(self, op: ScanOp | WhileOp, dying: set[SSAValue]) -> None:
        """What is carried begins in the buffer of the first value, if nobody else needs it. There it stays, or it changes places with what the rounds compute (`_carry_on`)."""
        inner = {v for r in op.regions for v in captured(r)}
        carried: list[Storage] = []
        for value in op.operands:
            old = self.storage.get(value)
            if old is None or old.buffer is not None or old in carried or value in inner or value not in dying:
                new = self._new(value, len(self.steps))
                if old is not None:
                    self._copy(old, new)
                old = new
            carried.append(old)
        begin = len(self.steps)
        times = 0  # after a `while` they come home
        if isinstance(op, ScanOp):
            if op.xs or len(op.results) > len(op.carry):
                raise PassFailedException(
                    "kernel-plan-memory: a scan that takes and gives slices is to be decomposed first"
                )
            (body,) = op.regions
            times = op.length.value.data  # type: ignore[attr-defined]
            mark = Mark("repeat", times=times)
            self.steps.append(mark)
        else:
            before, body = op.regions
            mark = Mark("while")
            self.steps.append(mark)
            self._enter(before.block, carried, frozen=True)
            self.steps.append(Mark("do", self.storage[_end(before.block).operands[0]]))
        first = len(self.steps)
        self._enter(body.block, carried)
        cycles = self._carry_on(body.block, carried, first)
        mark.rotate(cycles)
        self._loops.append((begin, len(self.steps)))
        end = Mark("end")
        end.ins = list(mark.outs)
        self.steps.append(end)
        for storage in mark.outs:
            storage.first = min(storage.first, begin)
        left = dict(zip(carried, carried, strict=True))
        for cycle in cycles:
            shift = times % len(cycle)
            left |= zip(cycle[:-1], (cycle[shift:] + cycle[:shift])[:-1], strict=True)
        self.storage.update(zip(op.results, (left[s] for s in carried), strict=True))

    def _enter(self, block: Block, args: list[Storage], frozen: bool = False) -> None:
        self.storage.update(zip(block.args, args, strict=True))
        self._ops(block, frozen)

    def _carry_on(self, block: Block, carried: list[Storage], first: int) -> list[list[Storage]]:
        """The values for the next round take their places: by changing places with what a round has computed where that can be (the cycles are given), else by copies.

        A value that is itself carried is saved before its place is written.
        """
        moves = self._settled(block, carried, first)
        cycles = _cycles(moves, first)
        rotated = {s for c in cycles for s in c[:-1]}
        copied: list[tuple[Storage, Storage]] = []
        for new, place in moves:
            if place in rotated:
                continue
            if new is not place and new in carried:
                saved = Storage(new.type, new.nbytes, len(self.steps), 0)
                self._copy(new, saved)
                new = saved
            copied.append((new, place))
        for new, place in copied:
            self._copy(new, place)
        return cycles

    def _branch(self, op: CondOp) -> None:
        begin = len(self.steps)
        results = [self._new(r, begin) for r in op.results]
        self.steps.append(Mark("switch", self.storage[op.index]))
        for region in op.regions:
            self.steps.append(Mark("case"))
            first = len(self.steps)
            self._ops(region.block)
            for new, place in self._settled(region.block, results, first):
                self._copy(new, place)
        self.steps.append(Mark("end"))
        self.storage.update(zip(op.results, results, strict=True))

    def _settled(self, block: Block, places: Sequence[Storage], first: int) -> list[tuple[Storage, Storage]]:
        """What a region gives, and where it belongs: written there from the start if what is there is needed no more. `first`: the region's first step."""
        given = [self.storage.get(v) for v in _end(block).operands]
        for k, place in enumerate(places):
            if (new := given[k]) is not None and self._may_be(new, place, first, given, k):
                self._replace(new, place)
                given = [place if s is new else s for s in given]
        return [(new, place) for new, place in zip(given, places, strict=True) if new is not None]

    def _may_be(self, new: Storage, place: Storage, first: int, given: Sequence[Storage | None], k: int) -> bool:
        """Whether a value that the region computes may be written where the results go: nobody looks there from then on."""
        if new.buffer is not None or new.first < first or new is place:
            return False
        if any(s is place for j, s in enumerate(given) if j != k):
            return False
        at, *later = self.steps[new.first :]
        if any(place in step.ins or place in step.outs for step in later) or place in at.outs:
            return False
        return place not in at.ins or (self.in_place and at.works_in_place(place, at.outs.index(new)))

    # -- sharing ----------------------------------------------------------------------------------------------------------------------------

    def _share_in_place(self) -> None:
        """A new result takes the storage of an operand that dies in the same nest."""
        for t, step in enumerate(self.steps):
            for k, new in enumerate(step.outs):
                if new.first != t or new.buffer is not None:
                    continue
                for old in step.ins:
                    if (
                        old.buffer is None
                        and old.last == t
                        and old.first < t
                        and old.nbytes == new.nbytes
                        and old not in step.outs
                        and step.works_in_place(old, k)
                    ):
                        self._replace(new, old)
                        break

    def _replace(self, new: Storage, old: Storage) -> None:
        """All that lives in `new` lives in `old`."""
        old.last = max(old.last, new.last)
        for step in self.steps:
            step.ins = [old if s is new else s for s in step.ins]
            step.outs = [old if s is new else s for s in step.outs]
        self.storage = {v: old if s is new else s for v, s in self.storage.items()}

    def _dies_in_place(self, arg: Storage, out: Storage) -> bool:
        """Whether the step that writes `out` first may read `arg` from the same buffer: a copy, or a nest that works in place."""
        step = self.steps[arg.last]
        if arg.last != out.first or isinstance(step, Mark):
            return False
        if step.nest is None:
            return step.ins == [arg]
        return self.in_place and step.works_in_place(arg, step.outs.index(out))


def _cycles(moves: Sequence[tuple[Storage, Storage]], first: int) -> list[list[Storage]]:
    """The chains of places of which each is to hold what the next one holds, and the last one what the round has computed. `first`: the round's first step."""
    goes_to = {new: place for new, place in reversed(moves) if new is not place}
    places = {place for _, place in moves}
    cycles: list[list[Storage]] = []
    for new in goes_to:
        if new in places or new.buffer is not None or new.first < first or not new.nbytes:
            continue
        cycle = [new]
        while (place := goes_to.get(cycle[0])) is not None:
            cycle.insert(0, place)
        cycles.append(cycle)
    return cycles


def _end(block: Block) -> Operation:
    """The op that gives a function's or a region's results."""
    assert block.last_op is not None
    return block.last_op


def _captured(region: Region, op: Operation) -> Iterable[SSAValue]:
    """What a control operation's region takes from outside; nests take nothing."""
    return () if isinstance(op, NestOp) else captured(region)

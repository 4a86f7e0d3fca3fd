"""kernel-plan-memory: tensors become buffers, and functions become programs: a list of launches over an arena.

Three things are settled for each function. *Which values share a buffer*: a nest that updates its operand keeps its buffer, if nobody else needs the old
contents; a result is written where the caller wants it; and a copy is what is left. *Which kernels are the same*: nests that differ only in the arrays they
run on become one `kernel.func`. *Where buffers lie*: those whose lives do not overlap share memory. WebAssembly has one memory, so a buffer is an offset in an arena (each put at the
lowest place that is free for the whole of its life, large ones first). WebGPU binds whole buffers, and none both to read and to write in one launch, so there a buffer
is a slot of a pool, and takes the slot that fits best among those free when it is first written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    IntegerType,
    MemRefType,
    ModuleOp,
    SymbolRefAttr,
    TensorType,
    i64,
)
from xdsl.dialects.func import FuncOp as TensorFuncOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.array.control import YieldOp, captured
from weft.dialects.array.ops.control import CondOp
from weft.dialects.array.ops.control import WhileOp as LoopOp
from weft.dialects.array.ops.scan import ScanOp
from weft.dialects.dtypes import from_type
from weft.dialects.kernel.builder import NestBuilder, Operand
from weft.dialects.kernel.host import (
    AllocOp,
    ConstantOp,
    CopyOp,
    FuncOp,
    LaunchOp,
    ProgramOp,
    RepeatOp,
    SwitchOp,
    WhileOp,
)
from weft.dialects.kernel.ops import EmptyOp, LoadOp, NestOp, StoreOp, segments

ALIGNMENT = 64
TARGETS = ("wasm", "webgpu")


@dataclass(frozen=True)
class KernelPlanMemoryPass(ModulePass):
    """Turns each function of nests on tensors into a `kernel.program` of launches on buffers, and its distinct nests into `kernel.func`s.

    `target`: wasm (offsets in an arena) or webgpu (slots of a pool). `donate`: arguments whose buffers the results may take. `in_place`: on wasm, a result may take the
    buffer of an operand that dies there, if the nest reads it only at the index that it writes.
    The program's attribute `arena` is the planned peak, in bytes; `donated` pairs results with the arguments whose buffers they may be.
    """

    name = "kernel-plan-memory"
    target: str = "wasm"
    donate: tuple[int, ...] = ()
    in_place: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.target not in TARGETS:
            raise PassFailedException(
                f"kernel-plan-memory: target must be one of {', '.join(TARGETS)}, got '{self.target}'"
            )
        kernels = _Kernels()
        block = op.body.block
        programs = []
        for func in list(block.ops):
            if isinstance(func, TensorFuncOp) and not func.is_declaration:
                programs.append(_Planner(func, self, kernels).program())
                func.detach()
                func.erase(safe_erase=False)
        block.add_ops([*kernels.funcs, *programs])


# -- kernels ------------------------------------------------------------------------------------------------------------------------------


class _Kernels:
    """The distinct kernels of a module."""

    def __init__(self) -> None:
        self.names: dict[tuple[Any, ...], SymbolRefAttr] = {}
        self.funcs: list[FuncOp] = []

    def name(self, nest: NestOp) -> SymbolRefAttr:
        """The kernel that does what the nest does; the nest's body is moved into it if it is new."""
        key = structural_key(nest)
        if (name := self.names.get(key)) is None:
            label = f"k{len(self.funcs)}"
            name = self.names[key] = SymbolRefAttr(label)
            self.funcs.append(_outline(nest, label))
        return name


def structural_key(nest: NestOp) -> tuple[Any, ...]:
    """What a nest does, as a value: equal for nests that differ only in the arrays they run on."""
    numbers: dict[SSAValue, int] = {a: k for k, a in enumerate(nest.block.args)}
    body = []
    for op in nest.block.ops:
        body.append(
            (type(op), tuple([numbers[v] for v in op.operands]), *op.properties.items(), *[r.type for r in op.results])
        )
        for result in op.results:
            numbers[result] = len(numbers)
    types = tuple([v.type for v in nest.operands])
    return nest.axes, len(nest.ins), types, nest.schedule, tuple(body)


def _outline(nest: NestOp, name: str) -> FuncOp:
    """A function of the nest's own on memrefs. The nest is left without a body."""
    types = [memref(v.type) for v in nest.operands]
    body = Block(arg_types=types)
    count = len(nest.ins)
    region = nest.detach_region(0)
    for arg, type in zip(region.block.args, types, strict=True):
        arg._type = type  # no user caches the type: loads and stores look it up
    inner = NestOp.create(
        operands=body.args,
        properties=dict(nest.properties),
        attributes=dict(nest.attributes),
        regions=[region],
        location=nest.location,
    )
    body.add_op(inner)
    return FuncOp.make(name, Region(body), len(types) - count)


@lru_cache(maxsize=1024)
def memref(type: Attribute) -> MemRefType:
    """The buffer type of a tensor type."""
    assert isinstance(type, TensorType)
    return MemRefType(type.element_type, type.shape)


# -- one program --------------------------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class _Storage:
    """A buffer to be: the values that live in it, one after the other."""

    type: MemRefType
    nbytes: int
    first: int
    """The step that writes it first."""
    last: int
    """The last step that uses it."""
    buffer: SSAValue | None = None
    """Set from the start for the caller's buffers and for data."""
    output: int | None = None

    @property
    def place(self) -> SSAValue:
        assert self.buffer is not None
        return self.buffer


@dataclass(eq=False, slots=True)
class _Step:
    """A launch or a copy, between storages."""

    nest: NestOp | None
    ins: list[_Storage]
    outs: list[_Storage]


class _Mark(_Step):
    """A place where a loop or a branch begins, goes on in its next region, or ends: regions stand flat among the steps. It may read one storage."""

    __slots__ = ("kind", "times")

    def __init__(self, kind: str, read: _Storage | None = None, times: int = 0):
        super().__init__(None, [] if read is None else [read], [])
        self.kind, self.times = kind, times


class _Planner:
    """One function."""

    def __init__(self, func: TensorFuncOp, options: KernelPlanMemoryPass, kernels: _Kernels):
        self.name, self.options, self.kernels = func.sym_name.data, options, kernels
        self.source = func.body.block
        end = self.source.last_op
        if not isinstance(end, ReturnOp):
            raise PassFailedException(f"kernel-plan-memory: @{self.name} does not end in func.return")
        self.end = end
        types = [memref(v.type) for v in (*self.source.args, *self.end.operands)]
        self.block = Block(arg_types=types)
        self.inputs = self.block.args[: len(self.source.args)]
        for new, old in zip(self.inputs, self.source.args, strict=True):
            new.name_hint = old.name_hint
        self.outputs = self.block.args[len(self.source.args) :]
        self.storage: dict[SSAValue, _Storage] = {}
        self.steps: list[_Step] = []
        self.loops: list[tuple[int, int]] = []
        self.constants: list[Operation] = []

    def program(self) -> ProgramOp:
        """The planned program."""
        self._collect()
        if self.options.in_place and self.options.target == "wasm":
            self._share_in_place()
        donated = self._donations()
        self.block.add_ops(self.constants)
        mine = sorted({s for step in self.steps for s in step.outs if s.buffer is None}, key=lambda s: s.first)
        peak = _place_in_arena(mine, self.block) if self.options.target == "wasm" else _place_in_slots(mine, self.block)
        self._write(iter(self.steps), self.block)
        attributes: dict[str, Attribute] = {"arena": IntegerAttr(peak, 64)}
        if donated:
            attributes["donated"] = DenseArrayBase.from_list(i64, [k for pair in donated for k in pair])
        return ProgramOp.make(self.name, Region(self.block), len(self.outputs), attributes)

    # -- values to storages -----------------------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        for value, buffer in zip(self.source.args, self.inputs, strict=True):
            self.storage[value] = self._new(value, -1, buffer)
        self._ops(self.source)
        for k, value in enumerate(self.end.operands):
            self._return(k, value)
        for t, step in enumerate(self.steps):
            for s in (*step.ins, *step.outs):
                s.last = t
        for begin, end in self.loops:  # what a loop takes from outside it takes in its last round, too
            for step in self.steps[begin:end]:
                for s in (*step.ins, *step.outs):
                    if s.first < begin:
                        s.last = max(s.last, end)

    def _ops(self, block: Block, frozen: bool = False) -> None:
        """The steps of a block. `frozen`: its arguments are read elsewhere, too, and not its own to change."""
        number = {op: k for k, op in enumerate(block.ops)}
        uses: dict[SSAValue, int] = {}  # the last one
        for op, k in number.items():
            uses |= dict.fromkeys((*op.operands, *(v for r in op.regions for v in _captured(r, op))), k)

        def dies(value: SSAValue, op: Operation) -> bool:
            own = (value.owner is block and not frozen) or (
                isinstance(value.owner, Operation) and value.owner.parent is block
            )
            return own and uses[value] <= number[op]

        for op in block.ops:
            if isinstance(op, NestOp):
                self._nest(op, {v for v in op.outs if not dies(v, op)})
            elif isinstance(value := op.properties.get("value"), DenseIntOrFPElementsAttr):
                data = ConstantOp.create(result_types=[memref(op.results[0].type)], properties={"value": value})
                self.constants.append(data)
                self.storage[op.results[0]] = self._new(op.results[0], -1, data.result)
            elif isinstance(op, (ScanOp, LoopOp)):
                self._loop(op, {v for v in op.operands if dies(v, op)})
            elif isinstance(op, CondOp):
                self._branch(op)
            elif not isinstance(op, (EmptyOp, ReturnOp, YieldOp)):
                raise PassFailedException(
                    f"kernel-plan-memory: expected nests on tensors in @{self.name}, got {op.name}"
                )

    def _new(self, value: SSAValue, first: int, buffer: SSAValue | None = None) -> _Storage:
        type = memref(value.type)
        return _Storage(type, nbytes(type, self.options.target), first, first, buffer)

    def _nest(self, nest: NestOp, needed: set[SSAValue]) -> None:
        """One launch. An operand in `outs` whose old contents are needed later, or are not ours to change, is copied first."""
        outs = []
        results = iter(nest.results)
        for value in nest.outs:
            result = next(results)
            old = self.storage.get(value)
            if old is not None and (
                value in needed or value in nest.ins or old.buffer is not None or value in nest.outs[: len(outs)]
            ):
                new = self._new(result, len(self.steps))
                self.steps.append(_Step(None, [old], [new]))
                old = new
            outs.append(old or self._new(result, len(self.steps)))
            self.storage[result] = outs[-1]
        self.steps.append(_Step(nest, [self.storage[v] for v in nest.ins], outs))

    def _copy(self, source: _Storage, target: _Storage) -> None:
        if source is not target and source.nbytes:
            self.steps.append(_Step(None, [source], [target]))

    # -- loops and branches -----------------------------------------------------------------------------------------------------------------

    def _loop(self, op: ScanOp | LoopOp, dying: set[SSAValue]) -> None:
        """What is carried lives in one buffer for the whole of the loop: that of the first value, if nobody else needs it."""
        inner = {v for r in op.regions for v in captured(r)}
        carried: list[_Storage] = []
        for value in op.operands:
            old = self.storage.get(value)
            if old is None or old.buffer is not None or old in carried or value in inner or value not in dying:
                new = self._new(value, len(self.steps))
                if old is not None:
                    self._copy(old, new)
                old = new
            carried.append(old)
        begin = len(self.steps)
        if isinstance(op, ScanOp):
            if op.xs or len(op.results) > len(op.carry):
                raise PassFailedException(
                    "kernel-plan-memory: a scan that takes and gives slices is to be decomposed first"
                )
            (body,) = op.regions
            self.steps.append(_Mark("repeat", times=op.length.value.data))  # type: ignore[attr-defined]
        else:
            before, body = op.regions
            self.steps.append(_Mark("while"))
            self._enter(before.block, carried, frozen=True)
            self.steps.append(_Mark("do", self.storage[before.block.last_op.operands[0]]))  # type: ignore[union-attr]
        first = len(self.steps)
        self._enter(body.block, carried)
        self._carry_on(body.block, carried, first)
        self.loops.append((begin, len(self.steps)))
        self.steps.append(_Mark("end"))
        self.storage.update(zip(op.results, carried, strict=True))

    def _enter(self, block: Block, args: list[_Storage], frozen: bool = False) -> None:
        self.storage.update(zip(block.args, args, strict=True))
        self._ops(block, frozen)

    def _carry_on(self, block: Block, carried: list[_Storage], first: int) -> None:
        """The values for the next round take their places: written there from the start if what is there is needed no more, else copied."""
        end = block.last_op
        assert end is not None
        given = [self.storage.get(v) for v in end.operands]
        for k, place in enumerate(carried):
            if (new := given[k]) is not None and self._may_be(new, place, first, given, k):
                self._replace(new, place)
                given = [place if s is new else s for s in given]
        late: list[tuple[_Storage, _Storage]] = []
        for new, place in zip(given, carried, strict=True):
            if new is None or new is place:
                continue
            if new in carried:  # it is overwritten by now, maybe
                saved = _Storage(new.type, new.nbytes, len(self.steps), 0)
                self._copy(new, saved)
                new = saved
            late.append((new, place))
        for new, place in late:
            self._copy(new, place)

    def _may_be(self, new: _Storage, place: _Storage, first: int, given: list[_Storage | None], k: int) -> bool:
        """Whether a value that the region computes may be written where the results go: nobody looks there from then on."""
        if new.buffer is not None or new.first < first or new is place:
            return False
        if any(s is place for j, s in enumerate(given) if j != k):
            return False
        at, *later = self.steps[new.first :]
        if any(place in step.ins or place in step.outs for step in later) or place in at.outs:
            return False
        return place not in at.ins or self._works_in_place(at, place, at.outs.index(new))

    def _branch(self, op: CondOp) -> None:
        begin = len(self.steps)
        results = [self._new(r, begin) for r in op.results]
        self.steps.append(_Mark("switch", self.storage[op.index]))
        for region in op.regions:
            self.steps.append(_Mark("case"))
            first = len(self.steps)
            self._ops(region.block)
            end = region.block.last_op
            assert end is not None
            given = [self.storage.get(v) for v in end.operands]
            for k, place in enumerate(results):
                if (new := given[k]) is not None and self._may_be(new, place, first, given, k):
                    self._replace(new, place)
                    given = [place if s is new else s for s in given]
            for new, place in zip(given, results, strict=True):
                if new is not None:
                    self._copy(new, place)
        self.steps.append(_Mark("end"))
        self.storage.update(zip(op.results, results, strict=True))

    def _return(self, k: int, value: SSAValue) -> None:
        """Result k is `value`: written there by its nest if it can be, else copied."""
        source = self.storage.get(value)
        if source is None or source.nbytes == 0:  # an empty array: there is nothing to write
            return
        if source.buffer is None:
            source.buffer, source.output = self.outputs[k], k
        else:
            target = self._new(value, len(self.steps), self.outputs[k])
            self.steps.append(_Step(None, [source], [target]))

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
                        and self._works_in_place(step, old, k)
                    ):
                        self._replace(new, old)
                        break

    def _works_in_place(self, step: _Step, old: _Storage, k: int) -> bool:
        """Whether a step may write its output k over an operand."""
        nest = step.nest
        if nest is None or not self.options.in_place or self.options.target != "wasm":
            return False
        return all(same_index(nest, j, k) for j, s in enumerate(step.ins) if s is old)

    def _replace(self, new: _Storage, old: _Storage) -> None:
        """All that lives in `new` lives in `old`."""
        old.last = max(old.last, new.last)
        for step in self.steps:
            step.ins = [old if s is new else s for s in step.ins]
            step.outs = [old if s is new else s for s in step.outs]
        self.storage = {v: old if s is new else s for v, s in self.storage.items()}

    def _donations(self) -> list[tuple[int, int]]:
        """Pairs of a result and a donated argument of its type that is read no more when the result is first written."""
        pairs: list[tuple[int, int]] = []
        if wrong := [k for k in self.options.donate if not 0 <= k < len(self.inputs)]:
            raise PassFailedException(
                f"kernel-plan-memory: donate names argument {wrong[0]}, @{self.name} has {len(self.inputs)}"
            )
        given = [(k, self.storage[self.source.args[k]]) for k in sorted(set(self.options.donate))]
        for out in sorted(
            (s for s in set(self.storage.values()) if s.output is not None), key=lambda s: (s.first, s.output)
        ):
            for k, arg in given:
                if arg.type == out.type and (arg.last < out.first or self._dies_in_place(arg, out)):
                    pairs.append((out.output, k))  # type: ignore[arg-type]
                    given.remove((k, arg))
                    break
        return pairs

    def _dies_in_place(self, arg: _Storage, out: _Storage) -> bool:
        """Whether the step that writes `out` first may read `arg` from the same buffer: a copy, or a nest that works in place."""
        if arg.last != out.first:
            return False
        step = self.steps[arg.last]
        if isinstance(step, _Mark):
            return False
        if step.nest is None:
            return step.ins == [arg]
        return self._works_in_place(step, arg, step.outs.index(out))

    def _write(self, steps: Iterator[_Step], block: Block) -> _Mark | None:
        """Writes steps down, to the mark that ends a region."""
        for step in steps:
            if not isinstance(step, _Mark):
                block.add_op(self._op(step, inside=block is not self.block))
                continue
            regions = [Block()]
            if step.kind in ("do", "case", "end"):
                return step
            read = step
            end = self._write(steps, regions[-1])
            while end is not None and end.kind != "end":
                if end.kind == "do":
                    read = end
                regions.append(Block())
                end = self._write(steps, regions[-1])
            bodies = [Region(b) for b in regions]
            match step.kind:
                case "repeat":
                    block.add_op(RepeatOp.make(step.times, bodies[0]))
                case "while":
                    block.add_op(WhileOp.create(operands=[read.ins[0].place], regions=bodies))
                case _:  # a switch: before its first case there is nothing
                    block.add_op(SwitchOp.create(operands=[step.ins[0].place], regions=bodies[1:]))
        return None

    def _op(self, step: _Step, inside: bool) -> Operation:
        ins, outs = [s.place for s in step.ins], [s.place for s in step.outs]
        nest = step.nest
        if nest is None and inside and self.options.target == "webgpu":
            nest = _copying(step.outs[0].type)  # a copy by a kernel can be left out without asking the host
        if nest is None:
            return CopyOp.create(operands=[*ins, *outs])
        return LaunchOp.create(
            operands=[*ins, *outs],
            properties={"kernel": self.kernels.name(nest), "operandSegmentSizes": segments(len(ins), len(outs))},
        )


def _captured(region: Region, op: Operation) -> Iterable[SSAValue]:
    """What a control operation's region takes from outside; nests take nothing."""
    return () if isinstance(op, NestOp) else captured(region)


def _copying(type: MemRefType) -> NestOp:
    """A nest that copies a buffer."""
    tensor = TensorType(type.element_type, type.shape)
    source, target = Block(arg_types=[tensor, tensor]).args
    b = NestBuilder()
    point = b.parallel(type.get_shape())
    b.store(target, b.read(Operand.of(source), point), point)
    return b.finish()


def same_index(nest: NestOp, read: int, written: int) -> bool:
    """Whether a nest reads its operand `read` only at the index at which it writes output `written`, so that the two may be one buffer.

    Where it writes several, all must go the same way, and what is written must have been computed from the operand: then no other reads it later.
    """
    source, target = nest.block.args[read], nest.block.args[len(nest.ins) + written]
    if nest.ins[read].type != nest.outs[written].type or any(a.role == "red" for a in nest.axes.data):
        return False
    stores = [op for op in nest.block.ops if isinstance(op, StoreOp)]
    mine = [op for op in stores if op.buffer is target]
    if len(mine) != 1 or any(u.operation is not mine[0] for u in target.uses):
        return False
    store = mine[0]
    if any(s.map != store.map or s.symbols or s.conditions is not None or s.combine is not None for s in stores):
        return False
    loads = [u.operation for u in source.uses]
    if not all(isinstance(o, LoadOp) and o.map == store.map and o.conditions is None for o in loads):
        return False
    if len(stores) == 1:
        return True
    computed: set[object] = set()
    for op in nest.block.ops:
        if op in loads or not computed.isdisjoint(op.operands):
            computed.update(op.results)
    return store.value in computed and all(s.buffer.type == target.type for s in stores)


# -- places -------------------------------------------------------------------------------------------------------------------------------


def nbytes(type: MemRefType, target: str) -> int:
    """Bytes of a buffer. WebGPU's buffers hold a bool as a u32, and are whole words."""
    size = prod(type.get_shape())
    if isinstance(type.element_type, IntegerType) and type.element_type.width.data == 1:
        return size * 4 if target == "webgpu" else size
    return (
        -(-size * from_type(type.element_type).itemsize // 4) * 4
        if target == "webgpu"
        else size * from_type(type.element_type).itemsize
    )


def _place_in_arena(storages: list[_Storage], block: Block) -> int:
    """Offsets: large buffers first, each at the lowest offset where nothing that lives at the same time lies. Gives the arena's size."""
    placed: list[tuple[int, int, _Storage]] = []
    peak = 0
    offsets: dict[_Storage, int] = {}
    for s in sorted(storages, key=lambda s: (-s.nbytes, s.first)):
        size = -(-s.nbytes // ALIGNMENT) * ALIGNMENT
        offset = 0
        for begin, end, other in placed:  # by offset
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


def _place_in_slots(storages: list[_Storage], block: Block) -> int:
    """Slots: each buffer, in the order of first writes, takes the smallest free slot that holds it, else the largest free one, which grows. Gives the bytes of all slots."""
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


def _alloc(storage: _Storage, offset: int, slot: int, block: Block) -> None:
    op = AllocOp.make(offset, slot, storage.type)
    block.add_op(op)
    storage.buffer = op.result

"""kernel-plan-memory: tensors become buffers, and functions become programs: a list of launches over an arena.

Three things are settled for each function: which values share a buffer (`memory/values.py`), which kernels are the same (`memory/kernels.py`), and where buffers lie
(`memory/places.py`). Here the program is put together from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, ModuleOp, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.host import CopyOp, LaunchOp, ProgramOp, RepeatOp, SwitchOp, WhileOp
from weft.dialects.kernel.ops import segments
from weft.passes.memory.kernels import Kernels, copying, memref
from weft.passes.memory.places import place
from weft.passes.memory.steps import Mark, Step
from weft.passes.memory.values import Values

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
        kernels = Kernels()
        block = op.body.block
        programs: list[ProgramOp] = []
        for func in list(block.ops):
            if isinstance(func, FuncOp) and not func.is_declaration:
                programs.append(self._program(func, kernels))
                func.detach()
                func.erase(safe_erase=False)
        block.add_ops([*kernels.funcs, *programs])

    def _program(self, func: FuncOp, kernels: Kernels) -> ProgramOp:
        """One function, planned. Its nests are moved into kernels."""
        name, source = func.sym_name.data, func.body.block
        end = source.last_op
        if not isinstance(end, ReturnOp):
            raise PassFailedException(f"kernel-plan-memory: @{name} does not end in func.return")
        count = len(source.args)
        if wrong := [k for k in self.donate if not 0 <= k < count]:
            raise PassFailedException(f"kernel-plan-memory: donate names argument {wrong[0]}, @{name} has {count}")
        block = Block(arg_types=[memref(v.type) for v in (*source.args, *end.operands)])
        inputs, outputs = block.args[:count], block.args[count:]
        for new, old in zip(inputs, source.args, strict=True):
            new.name_hint = old.name_hint
        values = Values(source, inputs, outputs, self.target, self.in_place and self.target == "wasm")
        block.add_ops(values.constants)
        attributes: dict[str, Attribute] = {"arena": IntegerAttr(place(values.own(), block, self.target), 64)}
        if donated := values.donations(self.donate):
            attributes["donated"] = DenseArrayBase.from_list(i64, [k for pair in donated for k in pair])
        _Writer(kernels, self.target).write(iter(values.steps), block)
        return ProgramOp.make(name, Region(block), len(outputs), attributes)


@dataclass(frozen=True)
class _Writer:
    """Writes steps down as operations."""

    kernels: Kernels
    target: str

    def write(self, steps: Iterator[Step], block: Block, inside: bool = False) -> Mark | None:
        """Writes steps down, to the mark that ends a region. `inside`: of a loop or branch."""
        for step in steps:
            if not isinstance(step, Mark):
                block.add_op(self._op(step, inside))
                continue
            if step.kind in ("do", "case", "end"):
                return step
            read, bodies = step, [Block()]
            while (mark := self.write(steps, bodies[-1], inside=True)) is not None and mark.kind != "end":
                if mark.kind == "do":
                    read = mark
                bodies.append(Block())
            regions = [Region(b) for b in bodies]
            cycles = [[s.place for s in cycle] for cycle in step.cycles]
            match step.kind:
                case "repeat":
                    block.add_op(RepeatOp.make(step.times, regions[0], cycles))
                case "while":
                    block.add_op(WhileOp.make(read.ins[0].place, regions[0], regions[1], cycles))
                case _:  # a switch: before its first case there is nothing
                    block.add_op(SwitchOp.create(operands=[step.ins[0].place], regions=regions[1:]))
        return None

    def _op(self, step: Step, inside: bool) -> Operation:
        ins, outs = [s.place for s in step.ins], [s.place for s in step.outs]
        nest = step.nest
        if nest is None and inside and self.target == "webgpu":
            nest = copying(step.outs[0].type)  # a copy by a kernel can be left out without asking the host
        if nest is None:
            return CopyOp.create(operands=[*ins, *outs])
        return LaunchOp.create(
            operands=[*ins, *outs],
            properties={"kernel": self.kernels.name(nest), "operandSegmentSizes": segments(len(ins), len(outs))},
        )

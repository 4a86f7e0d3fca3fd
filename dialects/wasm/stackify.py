"""From SSA values to stack code and locals.

The one idea: code of an operation is the code of its operands followed by its own instruction, as long as moving the
operands there changes nothing. A value stays on the stack (is *inline*) when its only use is in the same block and
nothing lies between that could tell the difference: for pure instructions nothing but the next round of a loop can, for
loads also stores, calls and nested regions. Constants are repeated at every use. Everything else gets a local, and
locals are used again when their value is dead. Code is made in one forward sweep; a backward sweep over each block has
found the *root* of every inline value before: the operation at whose place its code will stand.

Results and carried values of structured operations live in locals, so every label has the empty type, and a branch is
`set … br`. Both writers (encode.py, wat.py) print the flat instructions made here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from xdsl.ir import Attribute, Block, Operation, SSAValue

from weft.dialects.wasm.calls import CallOp, GlobalGetOp, GlobalSetOp
from weft.dialects.wasm.control import BlockOp, BreakIfOp, ContinueIfOp, ContinueOp, IfOp, LoopOp, ReturnOp, YieldOp
from weft.dialects.wasm.module import FuncOp
from weft.dialects.wasm.opcodes import OPCODES
from weft.dialects.wasm.values import TYPE_NAMES, ConstOp, InstOp

Instruction = tuple[Any, ...]
"""A mnemonic and its immediates: ("f32x4.add",), ("local.get", 3), ("v128.load", align, offset). Float and vector
constants are bytes.
"""

_DEAD = 1 << 60
"""The root of code that is left out; also "after everything"."""


def stackify(
    function: FuncOp, functions: Mapping[str, int], globals: Mapping[str, int]
) -> tuple[list[str], list[Instruction]]:
    """The types of a function's locals after its parameters, and its code without the last `end`. The mappings number
    the symbols.
    """
    stackifier = _Stackifier(function.body.block, functions, globals)
    stackifier.block(function.body.block)
    stackifier.out.pop()  # the `return` at the end goes without saying
    return stackifier.types, stackifier.out


class _Stackifier:
    def __init__(self, body: Block, functions: Mapping[str, int], globals: Mapping[str, int]):
        self.parameters, self.functions, self.globals = len(body.args), functions, globals
        self.out: list[Instruction] = []
        self.inline: dict[SSAValue, list[Instruction]] = {}
        self.local: dict[SSAValue, int] = {argument: k for k, argument in enumerate(body.args)}
        self.types: list[str] = []
        self.free: defaultdict[Attribute, list[int]] = defaultdict(list)
        self.last_use: dict[SSAValue, int] = {}  # where in its block a value is needed last, -1: nowhere
        self.dying: list[defaultdict[int, list[SSAValue]]] = []  # per open block: what dies with which operation
        self.labels: list[
            tuple[str, Operation]
        ] = []  # innermost last: "break", "continue" or "if", and of which operation

    # -- a block: roots backward, code forward

    def block(self, block: Block) -> None:
        ops = list(block.ops)
        roots = self._roots(block, ops)
        self.dying.append(defaultdict(list))
        for k, op in enumerate(ops):
            if roots[k] == k:
                self._operation(op, k)
            elif roots[k] != _DEAD:
                self._defer(op)
            self._release(self.dying[-1].pop(k, ()))
        for values in self.dying.pop().values():
            self._release(values)

    def _roots(self, block: Block, ops: list[Operation]) -> list[int]:
        """For each operation the index at which its code stands: its own, that of its user's root, or _DEAD."""
        place = {op: k for k, op in enumerate(ops)}
        roots = list(range(len(ops)))

        def needed(value: SSAValue) -> list[int]:
            """Where in this block the value is needed, by the roots of its users."""
            found = []
            for use in value.uses:
                user: Operation = use.operation
                while user.parent is not block:
                    user = user.parent_op()  # type: ignore[assignment]
                if (root := roots[place[user]]) != _DEAD:
                    found.append(root)
            return found

        next_write = next_round = _DEAD  # what a load, and what nothing at all, may move over
        for k in range(len(ops) - 1, -1, -1):
            op, effect = ops[k], _effect(ops[k])
            needs = [needed(result) for result in op.results]
            for result, where in zip(op.results, needs, strict=True):
                self.last_use[result] = max(where, default=-1)
            if effect in ("const", "pure") and not any(needs):
                roots[k] = _DEAD
            elif effect == "const":
                roots[k] = needs[0][0]
            elif effect in ("pure", "read", "trap") and len(needs) == 1 and len(needs[0]) == 1:
                limit = next_round if effect == "pure" else min(next_write, next_round)
                uses = [use.operation for use in op.results[0].uses]
                if needs[0][0] <= limit and len(uses) == 1 and uses[0].parent is block:
                    roots[k] = needs[0][0]
            if effect == "write":
                next_write = k
            elif effect == "round":
                next_round = k
        for argument in block.args:
            self.last_use[argument] = max(needed(argument), default=-1)
        return roots

    # -- locals

    def _take(self, value: SSAValue) -> None:
        """A local for a value."""
        if free := self.free[value.type]:
            self.local[value] = free.pop()
        else:
            self.local[value] = self.parameters + len(self.types)
            self.types.append(TYPE_NAMES[value.type])

    def _release(self, values: Iterable[SSAValue]) -> None:
        for value in values:
            self.free[value.type].append(self.local[value])

    def _take_results(self, op: Operation) -> None:
        """Locals for the results of an operation that are needed, until they die."""
        for result in op.results:
            if self.last_use[result] >= 0:
                self._take(result)
                self.dying[-1][self.last_use[result]].append(result)

    # -- values

    def _push(self, values: Iterable[SSAValue]) -> list[Instruction]:
        """Code that puts values on the stack."""
        code: list[Instruction] = []
        for value in values:
            if (inline := self.inline.get(value)) is not None:
                code += inline
            else:
                code.append(("local.get", self.local[value]))
        return code

    def _emit(self, code: list[Instruction]) -> None:
        """Appends code; a local that is read right after it was set stays on the stack as well."""
        if code and self.out and code[0][0] == "local.get" and self.out[-1] == ("local.set", code[0][1]):
            self.out[-1] = ("local.tee", code[0][1])
            del code[0]
        self.out += code

    def _assign(self, values: Iterable[SSAValue], targets: Iterable[SSAValue], cond: SSAValue | None = None) -> None:
        """Moves values to the locals of other values, all at once; leaves the condition on the stack, read before."""
        moves = [(v, self.local[t]) for v, t in zip(values, targets, strict=True) if t in self.local]
        moves = [(v, local) for v, local in moves if self.local.get(v) != local]
        self._emit(self._push([*([cond] if cond is not None else []), *(v for v, _ in moves)]))
        self.out += [("local.set", local) for _, local in reversed(moves)]

    def _defer(self, op: Operation) -> None:
        if type(op) is ConstOp:
            self.inline[op.results[0]] = [(f"{TYPE_NAMES[op.results[0].type]}.const", op.bits)]
        else:
            self.inline[op.results[0]] = [*self._push(op.operands), self._own(op)]

    def _own(self, op: Operation) -> Instruction:
        """The instruction of an operation that is no structure and no exit."""
        kind = type(op)
        if kind is InstOp:
            return (op.properties["mnemonic"].data, *op.immediate_values)  # type: ignore[attr-defined]
        if kind is CallOp:
            return ("call", self.functions[op.callee.root_reference.data])  # type: ignore[attr-defined]
        if kind is GlobalGetOp or kind is GlobalSetOp:
            mnemonic = "global.get" if kind is GlobalGetOp else "global.set"
            return (mnemonic, self.globals[op.global_name.root_reference.data])  # type: ignore[attr-defined]
        raise ValueError(f"{op.name} has no encoding in WebAssembly: lower it to the wasm dialect first")

    # -- operations at their own place

    def _operation(self, op: Operation, k: int) -> None:
        kind = type(op)
        if (write := _STRUCTURES.get(kind)) is not None:
            self._take_results(op)
            write(self, op)
        elif kind is ContinueIfOp:
            self._continue_if(op, k)  # type: ignore[arg-type]
        elif kind is BreakIfOp:
            target = self._target("break")
            self._assign(op.operands[1:], target.results, op.operands[0])
            self.out.append(("br_if", self._depth("break", target)))
        elif kind is YieldOp:
            self._assign(op.operands, op.parent_op().results)  # type: ignore[union-attr]
        elif kind is ContinueOp:
            self._continue(op.operands)
        elif kind is ReturnOp:
            self._emit([*self._push(op.operands), ("return",)])
        else:
            self._emit([*self._push(op.operands), self._own(op)])
            if op.results:
                self._take_results(op)
                self.out += [
                    ("local.set", self.local[r]) if r in self.local else ("drop",) for r in reversed(op.results)
                ]

    def _target(self, kind: str) -> Operation:
        return next(op for label, op in reversed(self.labels) if label == kind)

    def _depth(self, kind: str, op: Operation) -> int:
        return self.labels[::-1].index((kind, op))

    def _region(self, block: Block, opening: str, label: tuple[str, Operation]) -> None:
        self.out.append((opening,))
        self.labels.append(label)
        self.block(block)
        self.labels.pop()
        self.out.append(("end",))

    def _run_once(self, op: BlockOp) -> None:
        self._region(op.body.block, "block", ("break", op))

    def _if(self, op: IfOp) -> None:
        self._emit(self._push([op.cond]))
        self._region(op.then.block, "if", ("if", op))
        if op.otherwise is not None and (op.results or type(op.otherwise.block.first_op) is not YieldOp):
            self.out.pop()
            self._region(op.otherwise.block, "else", ("if", op))

    def _loop(self, op: LoopOp) -> None:
        body = op.body.block
        carried = [argument for argument in body.args if argument.first_use is not None]
        for argument in carried:  # kept for the whole loop: the next round reads what a `continue` has set
            self._take(argument)
        self._assign(op.inits, body.args)
        if breaks := _has_break(body):
            self.out.append(("block",))
            self.labels.append(("break", op))
        self._region(body, "loop", ("continue", op))
        if breaks:
            self.labels.pop()
            self.out.append(("end",))
        self._release(carried)

    def _continue(self, values: Sequence[SSAValue]) -> None:
        loop = self._target("continue")
        self._assign(values, loop.regions[0].block.args)
        self.out.append(("br", self._depth("continue", loop)))

    def _continue_if(self, op: ContinueIfOp, k: int) -> None:
        loop = self._target("continue")
        carried = loop.regions[0].block.args
        if op.parent is loop.regions[0].block and all(self.last_use[argument] <= k for argument in carried):
            self._assign(op.values, carried, op.cond)
            self.out.append(("br_if", self._depth("continue", loop)))
        else:  # what follows still reads the values of this round: set the next ones only on the way back
            self._emit(self._push([op.cond]))
            self.out.append(("if",))
            self.labels.append(("if", op))
            self._continue(op.values)
            self.labels.pop()
            self.out.append(("end",))


_STRUCTURES: dict[type[Operation], Callable[..., None]] = {
    LoopOp: _Stackifier._loop,
    BlockOp: _Stackifier._run_once,
    IfOp: _Stackifier._if,
}

_EFFECTS: dict[type[Operation], str] = {
    ConstOp: "const",
    GlobalGetOp: "read",
    ContinueIfOp: "round",
    ContinueOp: "round",
    BreakIfOp: "exit",
    YieldOp: "exit",
    ReturnOp: "exit",
}


def _effect(op: Operation) -> str:
    """What an operation may not move over: const and pure nothing, read and trap writes, a round (the end of one) all."""
    if type(op) is InstOp:
        return OPCODES[op.properties["mnemonic"].data].effect  # type: ignore[attr-defined]
    return _EFFECTS.get(type(op), "write")


def _has_break(block: Block) -> bool:
    """Whether a `break_if` in this block leaves the loop whose body it is."""
    return any(
        type(op) is BreakIfOp or (type(op) is IfOp and any(_has_break(b) for r in op.regions for b in r.blocks))
        for op in block.ops
    )

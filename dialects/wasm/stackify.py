"""From values to stack code and locals.

The one idea: code of an operation is the code of its operands followed by its own instruction, as long as moving the
operands there changes nothing. A value stays on the stack (is *inline*) when its only use is in the same block and
nothing lies between that could tell the difference: for pure instructions nothing but the next round of a loop can, for
loads also stores, calls and nested blocks. Constants are repeated at every use. Everything else gets a local, and
locals are used again when their value is dead. A first sweep notes where each value is used; then code is made in one
forward sweep, before which a backward sweep over each block has found the *root* of every inline value: the operation
at whose place its code will stand.

Results and carried values of structures live in locals, so every label has the empty type, and a branch is `set … br`.
Both writers (encode.py, wat.py) print the flat instructions made here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from weft.dialects.wasm.code import (
    Block,
    Call,
    Const,
    Exit,
    Function,
    GlobalGet,
    GlobalSet,
    Inst,
    Instruction,
    Op,
    Operation,
    Structure,
    Value,
)

_DEAD = 1 << 60
"""The root of code that is left out; also "after everything"."""


def stackify(
    function: Function, functions: Mapping[str, int], globals: Mapping[str, int]
) -> tuple[list[str], list[Instruction]]:
    """The types of a function's locals after its parameters, and its code without the last `end`. The mappings number
    the symbols.
    """
    body = function.body
    assert body is not None
    _note_uses(body, 0, [0] * 64, [])
    stackifier = _Stackifier(body, functions, globals)
    stackifier.block(body)
    stackifier.out.pop()  # the `return` at the end goes without saying
    return stackifier.types, stackifier.out


def _note_uses(block: Block, depth: int, path: list[int], open_: list[Structure]) -> None:
    """Notes on each value made in a block at which places of that block it is needed (in order, with repetition), and
    whether the last use is in this very block, not further inside. `path` is the current place at each depth.
    """
    if depth == len(path):
        path.extend([0] * depth)
    for value in block.args:
        _forget(value, depth)
    for k, op in enumerate(block.ops):
        path[depth] = k
        for value in op.operands:
            at = value.depth
            value.places.append(path[at])
            value.direct = at == depth
        if isinstance(op, Value):
            _forget(op, depth)
            continue
        for result in op.results:
            _forget(result, depth)
        if type(op) is Structure:
            op.breaks = False
            open_.append(op)
            for inner in op.blocks:
                _note_uses(inner, depth + 1, path, open_)
            open_.pop()
        elif type(op) is Exit and op.kind == "break_if":
            next(s for s in reversed(open_) if s.kind != "if").breaks = True


def _forget(value: Value, depth: int) -> None:
    value.depth, value.places, value.direct = depth, [], True
    value.local = value.inline = None


class _Stackifier:
    def __init__(self, body: Block, functions: Mapping[str, int], globals: Mapping[str, int]):
        self.parameters, self.functions, self.globals = len(body.args), functions, globals
        self.out: list[Instruction] = []
        for k, argument in enumerate(body.args):
            argument.local = k
        self.types: list[str] = []
        self.free: defaultdict[str, list[int]] = defaultdict(list)
        self.dying: list[defaultdict[int, list[Value]]] = []  # per open block: what dies with which operation
        self.labels: list[tuple[str, Op]] = []  # innermost last: "break", "continue" or "if", and of which operation

    # -- a block: roots backward, code forward

    def block(self, block: Block) -> None:
        ops = block.ops
        roots = _roots(block)
        dying: defaultdict[int, list[Value]] = defaultdict(list)
        self.dying.append(dying)
        for k, op in enumerate(ops):
            if (root := roots[k]) == k:
                self._operation(block, op, k)
            elif root != _DEAD:
                op.inline = (  # type: ignore[union-attr]
                    [op.instruction] if type(op) is Const else [*self._push(op.operands), self._own(op)]
                )
            if k in dying:
                self._release(dying.pop(k))
        for values in self.dying.pop().values():
            self._release(values)

    # -- locals

    def _take(self, value: Value) -> None:
        """A local for a value."""
        if free := self.free[value.type]:
            value.local = free.pop()
        else:
            value.local = self.parameters + len(self.types)
            self.types.append(value.type)

    def _release(self, values: Iterable[Value]) -> None:
        for value in values:
            self.free[value.type].append(value.local)  # type: ignore[arg-type]

    def _take_results(self, results: Iterable[Value]) -> None:
        """Locals for results that are needed, until they die."""
        for result in results:
            if result.last >= 0:
                self._take(result)
                self.dying[-1][result.last].append(result)

    # -- values

    def _push(self, values: Iterable[Value]) -> list[Instruction]:
        """Code that puts values on the stack."""
        code: list[Instruction] = []
        for value in values:
            if (inline := value.inline) is not None:
                code += inline
            else:
                code.append(("local.get", value.local))
        return code

    def _emit(self, code: list[Instruction]) -> None:
        """Appends code; a local that is read right after it was set stays on the stack as well."""
        out = self.out
        if code and out and code[0][0] == "local.get" and out[-1] == ("local.set", code[0][1]):
            out[-1] = ("local.tee", code[0][1])
            del code[0]
        out += code

    def _assign(self, values: Iterable[Value], targets: Iterable[Value], cond: Value | None = None) -> None:
        """Moves values to the locals of other values, all at once; leaves the condition on the stack, read before."""
        moves = [(v, t.local) for v, t in zip(values, targets, strict=True) if t.local is not None]
        moves = [(v, local) for v, local in moves if v.local != local]
        self._emit(self._push([*([cond] if cond is not None else []), *(v for v, _ in moves)]))
        self.out += [("local.set", local) for _, local in reversed(moves)]

    def _own(self, op: Operation) -> Instruction:
        """The instruction of an operation that is no structure and no exit."""
        kind = type(op)
        if kind is Inst:
            return op.instruction  # type: ignore[union-attr]
        if kind is Call:
            return ("call", self.functions[op.callee])  # type: ignore[union-attr]
        mnemonic = {GlobalGet: "global.get", GlobalSet: "global.set"}[kind]  # type: ignore[index]
        return (mnemonic, self.globals[op.name])  # type: ignore[union-attr]

    # -- operations at their own place

    def _operation(self, block: Block, op: Operation, k: int) -> None:
        kind = type(op)
        if kind is Structure:
            self._structure(op)  # type: ignore[arg-type]
        elif kind is Exit:
            self._exit(block, op, k)  # type: ignore[arg-type]
        else:
            self._emit([*self._push(op.operands), self._own(op)])
            results = ((op,) if op.type else ()) if isinstance(op, Value) else op.results
            self._take_results(results)
            self.out += [("local.set", r.local) if r.local is not None else ("drop",) for r in reversed(results)]

    def _exit(self, block: Block, op: Exit, k: int) -> None:
        match op.kind:
            case "continue_if":
                self._continue_if(block, op, k)
            case "break_if":
                target = self._target("break")
                self._assign(op.operands[1:], target.results, op.operands[0])
                self.out.append(("br_if", self._depth("break", target)))
            case "yield":
                self._assign(op.operands, self.labels[-1][1].results)
            case "continue":
                self._continue(op.operands)
            case "return":
                self._emit([*self._push(op.operands), ("return",)])

    def _target(self, kind: str) -> Op:
        return next(op for label, op in reversed(self.labels) if label == kind)

    def _depth(self, kind: str, op: Op) -> int:
        return self.labels[::-1].index((kind, op))

    def _region(self, block: Block, opening: str, label: str, op: Structure) -> None:
        self.out.append((opening,))
        self.labels.append((label, op))
        self.block(block)
        self.labels.pop()
        self.out.append(("end",))

    def _structure(self, op: Structure) -> None:
        self._take_results(op.results)
        if op.kind == "block":
            self._region(op.blocks[0], "block", "break", op)
        elif op.kind == "if":
            self._if(op)
        else:
            self._loop(op)

    def _if(self, op: Structure) -> None:
        self._emit(self._push(op.operands))
        self._region(op.blocks[0], "if", "if", op)
        if len(op.blocks) > 1 and (op.results or len(op.blocks[1].ops) > 1 or op.blocks[1].ops[0].kind != "yield"):  # type: ignore[union-attr]
            self.out.pop()
            self._region(op.blocks[1], "else", "if", op)

    def _loop(self, op: Structure) -> None:
        (body,) = op.blocks
        carried = [argument for argument in body.args if argument.places]
        for argument in carried:  # kept for the whole loop: the next round reads what a `continue` has set
            self._take(argument)
        self._assign(op.operands, body.args)
        if op.breaks:
            self.out.append(("block",))
            self.labels.append(("break", op))
        self._region(body, "loop", "continue", op)
        if op.breaks:
            self.labels.pop()
            self.out.append(("end",))
        self._release(carried)

    def _continue(self, values: Sequence[Value]) -> None:
        loop = self._target("continue")
        self._assign(values, loop.blocks[0].args)  # type: ignore[attr-defined]
        self.out.append(("br", self._depth("continue", loop)))

    def _continue_if(self, block: Block, op: Exit, k: int) -> None:
        loop: Structure = self._target("continue")  # type: ignore[assignment]
        (body,) = loop.blocks
        cond, *values = op.operands
        if block is body and all(argument.last <= k for argument in body.args):
            self._assign(values, body.args, cond)
            self.out.append(("br_if", self._depth("continue", loop)))
        else:  # what follows still reads the values of this round: set the next ones only on the way back
            self._emit(self._push([cond]))
            self.out.append(("if",))
            self.labels.append(("if", op))
            self._continue(values)
            self.labels.pop()
            self.out.append(("end",))


def _roots(block: Block) -> list[int]:
    """For each operation of a block the index at which its code stands: its own, that of its user's root, or _DEAD. Also
    notes on each value where it is needed last (-1: nowhere).

    An effect says what an operation may not move over: const and pure nothing, read and trap writes, a round (the end
    of one) all.
    """
    ops = block.ops
    roots = list(range(len(ops)))
    next_write = next_round = _DEAD  # what a load, and what nothing at all, may move over
    for k in range(len(ops) - 1, -1, -1):
        op = ops[k]
        effect = op.effect
        if isinstance(op, Value):
            last = -1
            for place in op.places:
                if last < (root := roots[place]) != _DEAD:
                    last = root
            op.last = last
            if effect == "const":
                roots[k] = _DEAD if last < 0 else -1
            elif effect == "pure" or effect == "read" or effect == "trap":
                if last < 0 and effect == "pure":
                    roots[k] = _DEAD
                elif last >= 0 and op.direct and len(op.places) == 1:
                    limit = next_round if effect == "pure" or next_round < next_write else next_write
                    if last <= limit:
                        roots[k] = last
            else:
                next_write = k
            continue
        for result in op.results:
            result.last = max((roots[p] for p in result.places if roots[p] != _DEAD), default=-1)
        if effect == "write":
            next_write = k
        elif effect == "round":
            next_round = k
    for argument in block.args:
        argument.last = max((roots[p] for p in argument.places if roots[p] != _DEAD), default=-1)
    return roots

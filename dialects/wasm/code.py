"""A module of WebAssembly as plain objects: what lowerings write (builder.py) and what becomes bytes (stackify.py, encode.py).

The same programs as the dialect's operations, one object each, but with nothing in them beyond what encoding reads: types are names, an instruction with one result is
that result itself, and a value does not know its users. Making one costs a tenth of an xDSL operation, which is why the library compiles through these; convert.py turns
them into operations and back, for `xdsl-opt`, for printing and for verifying.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from weft.dialects.wasm.opcodes import OPCODES

Instruction = tuple[Any, ...]
"""A mnemonic and its immediates: ("f32x4.add",), ("local.get", 3), ("v128.load", align, offset). Float and vector
constants are bytes.
"""


class Value:
    """What an operation computes, or an argument of a block. The last five fields are the stackifier's notes."""

    __slots__ = ("depth", "direct", "inline", "last", "local", "places", "type")

    def __init__(self, type: str):
        self.type = type


class Block:
    """Operations in order, and the values that they are given."""

    __slots__ = ("args", "ops")

    def __init__(self, types: Sequence[str] = ()):
        self.args: list[Value] = [Value(type) for type in types]
        self.ops: list[Operation] = []

    def add_argument(self, type: str) -> Value:
        """One more argument, the last."""
        self.args.append(value := Value(type))
        return value


class Inst(Value):
    """An instruction; a value if it has a result (its `type` is empty if not)."""

    __slots__ = ("effect", "instruction", "operands")

    def __init__(self, instruction: Instruction, operands: tuple[Value, ...]):
        self.instruction, self.operands = instruction, operands
        opcode = OPCODES[instruction[0]]
        self.effect = opcode.effect
        type = opcode.results[0] if opcode.results else ""
        self.type = operands[0].type if type == "t" else type


class Const(Value):
    """A constant: a number, or the lanes of a vector of a shape such as "f32x4"."""

    __slots__ = ("shape", "value")

    effect = "const"
    operands: tuple[Value, ...] = ()

    def __init__(self, type: str, value: float | tuple[float, ...], shape: str = ""):
        self.type, self.value, self.shape = type, value, shape

    @property
    def instruction(self) -> Instruction:
        return _const_instruction(self.type, self.shape, repr(self.value), self.value)


class GlobalGet(Value):
    """Reads the global of this name."""

    __slots__ = ("name",)

    effect = "read"
    operands: tuple[Value, ...] = ()

    def __init__(self, name: str, type: str):
        self.name, self.type = name, type


_LANES = {"i8x16": "16B", "i16x8": "8H", "i32x4": "4I", "i64x2": "2Q", "f32x4": "4f", "f64x2": "2d"}


@lru_cache(maxsize=1 << 12)
def _const_instruction(type: str, shape: str, text: str, value: Any) -> Instruction:
    """The instruction of a constant; `text` keeps 0.0 and -0.0 apart."""
    if shape:
        form = _LANES[shape]
        bits = 128 // int(form[:-1])
        lanes = value if shape[0] == "f" else [int(v) & (1 << bits) - 1 for v in value]
        return "v128.const", struct.pack("<" + form, *lanes)
    if type[0] == "f":
        return f"{type}.const", struct.pack("<f" if type == "f32" else "<d", value)
    return f"{type}.const", value


class Op:
    """An operation with any number of results."""

    __slots__ = ("operands", "results")

    effect = "write"

    def __init__(self, operands: Sequence[Value] = (), types: Sequence[str] = ()):
        self.operands: tuple[Value, ...] = tuple(operands)
        self.results: tuple[Value, ...] = tuple(map(Value, types))


class Call(Op):
    """Calls the function of this name."""

    __slots__ = ("callee",)

    def __init__(self, callee: str, operands: Sequence[Value], types: Sequence[str]):
        super().__init__(operands, types)
        self.callee = callee


class GlobalSet(Op):
    """Writes the global of this name."""

    __slots__ = ("name",)

    def __init__(self, name: str, value: Value):
        super().__init__((value,))
        self.name = name


class Structure(Op):
    """`loop` (its operands are the initial values of its block's arguments), `block`, or `if` with one or two blocks."""

    __slots__ = ("blocks", "breaks", "kind")

    def __init__(self, kind: str, operands: Sequence[Value], types: Sequence[str], blocks: list[Block]):
        super().__init__(operands, types)
        self.kind, self.blocks = kind, blocks
        self.breaks = False  # a note of the stackifier: whether a `break_if` leaves it


class Exit(Op):
    """`yield`, `continue`, `return`, or with a condition (the first operand) `continue_if`, `break_if`."""

    __slots__ = ("kind",)

    def __init__(self, kind: str, operands: Sequence[Value] = ()):
        super().__init__(operands)
        self.kind = kind

    @property
    def effect(self) -> str:  # type: ignore[override]
        return "round" if self.kind in ("continue", "continue_if") else "exit"

    @property
    def ends(self) -> bool:
        """Whether nothing of its block comes after it."""
        return self.kind in ("yield", "continue", "return")


Operation = Inst | Const | GlobalGet | Op


# -- entries of a module -----------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Entry:
    """What has a name and may be imported from (module, field), or exported."""

    name: str
    import_from: tuple[str, str] | None = field(default=None, kw_only=True)
    export: str | None = field(default=None, kw_only=True)


@dataclass(eq=False, slots=True)
class Function(Entry):
    """A function; one that is imported has no body. Types are by name."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    body: Block | None = None

    @property
    def type(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.inputs, self.outputs


@dataclass(eq=False, slots=True)
class Memory(Entry):
    """The linear memory; sizes in pages."""

    minimum: int
    maximum: int | None = None
    shared: bool = False


@dataclass(eq=False, slots=True)
class Global(Entry):
    """A global variable and what it starts with."""

    type: str
    value: float
    mutable: bool = False


@dataclass(eq=False, slots=True)
class Data:
    """Bytes for an address, or (without one) for `memory.init`."""

    contents: bytes
    address: int | None = None


@dataclass(eq=False, slots=True)
class Module:
    """A module's entries in order, and what is to be known about it: attributes of the operation, or what can be made one by its method
    `attribute`.
    """

    entries: list[Function | Memory | Global | Data] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict[str, Any])

"""The binary format: `encode(module)` gives the bytes of a module (of a `wasm.module` operation: `encode(from_op(op))`).

Sections in the order of the specification; integers in LEB128. An instruction's bytes depend on nothing but itself, so
they are made once and kept: most instructions of a module have been written before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from weft.dialects.wasm.code import Data, Entry, Function, Global, Instruction, Memory, Module
from weft.dialects.wasm.opcodes import OPCODES
from weft.dialects.wasm.stackify import stackify

MAGIC = b"\0asm\1\0\0\0"

_TYPE_BYTES = {"i32": b"\x7f", "i64": b"\x7e", "f32": b"\x7d", "f64": b"\x7c", "v128": b"\x7b"}
_CONTROL = {
    "block": b"\x02\x40",
    "loop": b"\x03\x40",
    "if": b"\x04\x40",
    "else": b"\x05",
    "end": b"\x0b",
    "br": b"\x0c",
    "br_if": b"\x0d",
    "return": b"\x0f",
    "call": b"\x10",
    "drop": b"\x1a",
    "local.get": b"\x20",
    "local.set": b"\x21",
    "local.tee": b"\x22",
    "global.get": b"\x23",
    "global.set": b"\x24",
    "i32.const": b"\x41",
    "i64.const": b"\x42",
    "f32.const": b"\x43",
    "f64.const": b"\x44",
    "v128.const": b"\xfd\x0c",
}
"""What the stackifier writes besides the table of opcodes; the label of a structure always has the empty type."""


def unsigned_leb128(value: int) -> bytes:
    """An unsigned integer in the variable-length code of DWARF and WebAssembly: seven bits a byte, the lowest first."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed_leb128(value: int) -> bytes:
    """A signed integer, likewise: the last byte's bit 6 is the sign."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


@lru_cache(maxsize=1 << 16)
def encode_instruction(instruction: Instruction) -> bytes:
    """The bytes of one instruction of the stackifier."""
    mnemonic, *immediates = instruction
    if (control := _CONTROL.get(mnemonic)) is not None:
        return control + b"".join(_immediate(mnemonic, x) for x in immediates)
    opcode = OPCODES[mnemonic]
    code = bytes((opcode.code,)) if opcode.prefix is None else bytes((opcode.prefix,)) + unsigned_leb128(opcode.code)
    values = iter(immediates)
    for kind in opcode.immediates:  # lanes are single bytes, which LEB128 of so small a number is too
        count = {"m": 2, "l": 1, "s": 16, "d": 1, "0": 0}[kind]
        code += b"".join(unsigned_leb128(next(values)) for _ in range(count)) if count else b"\0"
    return code


def _immediate(mnemonic: str, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return signed_leb128(value) if mnemonic.endswith(".const") else unsigned_leb128(value)


def _vector(items: Sequence[bytes]) -> bytes:
    return unsigned_leb128(len(items)) + b"".join(items)


def _sized(data: bytes) -> bytes:
    return unsigned_leb128(len(data)) + data


def _name(text: str) -> bytes:
    return _sized(text.encode())


@dataclass
class Layout:
    """A module's entries by kind, and the numbers that WebAssembly gives them: imports first."""

    module: Module
    functions: list[Function] = field(default_factory=list[Function])
    globals: list[Global] = field(default_factory=list[Global])
    memories: list[Memory] = field(default_factory=list[Memory])
    data: list[Data] = field(default_factory=list[Data])

    def __post_init__(self) -> None:
        kinds = {Function: self.functions, Global: self.globals, Memory: self.memories, Data: self.data}
        for entry in self.module.entries:
            kinds[type(entry)].append(entry)  # type: ignore[arg-type]
        self.functions.sort(key=lambda function: function.import_from is None)

    @cached_property
    def function_numbers(self) -> dict[str, int]:
        return {function.name: k for k, function in enumerate(self.functions)}

    @cached_property
    def global_numbers(self) -> dict[str, int]:
        return {variable.name: k for k, variable in enumerate(self.globals)}

    @property
    def bodies(self) -> list[Function]:
        return [function for function in self.functions if function.import_from is None]

    def stackify(self, function: Function) -> tuple[list[str], list[Instruction]]:
        return stackify(function, self.function_numbers, self.global_numbers)


def encode(module: Module, names: bool = False) -> bytes:
    """The binary of a module. `names` adds the section that names functions in traps and profilers."""
    layout = Layout(module)
    types: dict[Any, int] = {}
    for function in layout.functions:
        types.setdefault(function.type, len(types))
    sections = {
        1: [_function_type(*type) for type in types],
        2: [_import(entry, types) for entry in (*layout.functions, *layout.memories) if entry.import_from is not None],
        3: [unsigned_leb128(types[function.type]) for function in layout.bodies],
        5: [_limits(memory) for memory in layout.memories if memory.import_from is None],
        6: [_global(variable) for variable in layout.globals],
        7: [*_exports(0, layout.functions), *_exports(2, layout.memories), *_exports(3, layout.globals)],
        12: None,  # counts the data segments, for the code that names them
        10: [_body(*layout.stackify(function)) for function in layout.bodies],
        11: [_data(data) for data in layout.data],
    }
    out = [MAGIC]
    for number, items in sections.items():
        if items:
            out.append(bytes((number,)) + _sized(_vector(items)))
        elif number == 12 and layout.data:
            out.append(bytes((number,)) + _sized(unsigned_leb128(len(layout.data))))
    if names and layout.functions:
        table = _vector([unsigned_leb128(k) + _name(name) for name, k in layout.function_numbers.items()])
        out.append(b"\0" + _sized(_name("name") + b"\1" + _sized(table)))
    return b"".join(out)


def _types(types: Iterable[str]) -> bytes:
    return _vector([_TYPE_BYTES[type] for type in types])


def _function_type(inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    return b"\x60" + _types(inputs) + _types(outputs)


def _import(entry: Function | Memory, types: dict[Any, int]) -> bytes:
    module, field_name = entry.import_from  # type: ignore[misc]
    what = b"\0" + unsigned_leb128(types[entry.type]) if isinstance(entry, Function) else b"\2" + _limits(entry)
    return _name(module) + _name(field_name) + what


def _limits(memory: Memory) -> bytes:
    flags = (memory.maximum is not None) | memory.shared << 1
    maximum = b"" if memory.maximum is None else unsigned_leb128(memory.maximum)
    return bytes((flags,)) + unsigned_leb128(memory.minimum) + maximum


def _global(variable: Global) -> bytes:
    type, number = variable.type, variable.value
    if type[0] == "f":
        number = struct.pack("<f" if type == "f32" else "<d", number)
    mutable = b"\1" if variable.mutable else b"\0"
    return _TYPE_BYTES[type] + mutable + encode_instruction((f"{type}.const", number)) + b"\x0b"


def _exports(kind: int, entries: Sequence[Entry]) -> list[bytes]:
    return [
        _name(entry.export) + bytes((kind,)) + unsigned_leb128(k)
        for k, entry in enumerate(entries)
        if entry.export is not None
    ]


def _body(types: list[str], code: list[Instruction]) -> bytes:
    runs: list[tuple[str, int]] = []
    for type in types:
        if runs and runs[-1][0] == type:
            runs[-1] = (type, runs[-1][1] + 1)
        else:
            runs.append((type, 1))
    locals = _vector([unsigned_leb128(count) + _TYPE_BYTES[type] for type, count in runs])
    return _sized(locals + b"".join(map(encode_instruction, code)) + b"\x0b")


def _data(data: Data) -> bytes:
    contents = _sized(data.contents)
    if data.address is None:
        return b"\1" + contents
    address = data.address
    signed = address - (1 << 32) if address >> 31 else address
    return b"\0" + encode_instruction(("i32.const", signed)) + b"\x0b" + contents

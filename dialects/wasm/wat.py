"""The text format: WAT as the specification has it, flat code with the nesting shown by indentation.

The instructions are those of the binary (stackify.py), so what is printed is what runs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from weft.dialects.wasm.code import Data, Entry, Function, Global, Instruction, Memory, Module
from weft.dialects.wasm.encode import Layout
from weft.dialects.wasm.opcodes import OPCODES


def print_wat(module: Module) -> str:
    """The text of a module, without a newline at its end."""
    layout = Layout(module)
    entries = [
        *(_function(function, layout) for function in layout.functions if function.import_from is not None),
        *(_memory(memory) for memory in layout.memories),
        *(_global(variable) for variable in layout.globals),
        *(_function(function, layout) for function in layout.bodies),
        *(_data(data) for data in layout.data),
    ]
    return "\n".join(["(module", *("  " + line for entry in entries for line in entry)]) + ")"


def _quoted(data: bytes) -> str:
    plain = (chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\{c:02x}" for c in data)
    return f'"{"".join(plain)}"'


def _linkage(entry: Entry) -> str:
    text = ""
    if entry.export is not None:
        text += f" (export {_quoted(entry.export.encode())})"
    if (names := entry.import_from) is not None:
        text += f" (import {_quoted(names[0].encode())} {_quoted(names[1].encode())})"
    return text


def _typed(word: str, types: Sequence[str]) -> str:
    return f" ({word} {' '.join(types)})" if types else ""


def _memory(memory: Memory) -> list[str]:
    limits = f"{memory.minimum}" + (f" {memory.maximum}" if memory.maximum is not None else "")
    shared = " shared" if memory.shared else ""
    return [f"(memory ${memory.name}{_linkage(memory)} {limits}{shared})"]


def _global(variable: Global) -> list[str]:
    type = f"(mut {variable.type})" if variable.mutable else variable.type
    number = _float(variable.value) if variable.type[0] == "f" else str(variable.value)
    return [f"(global ${variable.name}{_linkage(variable)} {type} ({variable.type}.const {number}))"]


def _data(data: Data) -> list[str]:
    where = "" if data.address is None else f" (i32.const {data.address})"
    return [f"(data{where} {_quoted(data.contents)})"]


def _function(function: Function, layout: Layout) -> list[str]:
    signature = _typed("param", function.inputs) + _typed("result", function.outputs)
    head = f"(func ${function.name}{_linkage(function)}{signature}"
    if function.import_from is not None:
        return [head + ")"]
    types, code = layout.stackify(function)
    lines = [head]
    if types:
        lines.append(f"  (local {' '.join(types)})")
    depth = 1
    for instruction in code:
        mnemonic = instruction[0]
        if mnemonic in ("end", "else"):
            depth -= 1
        lines.append("  " * depth + _instruction(instruction, layout))
        if mnemonic in ("block", "loop", "if", "else"):
            depth += 1
    lines[-1] += ")"
    return lines


def _instruction(instruction: Instruction, layout: Layout) -> str:
    mnemonic, *immediates = instruction
    match mnemonic:
        case "call":
            return f"call ${layout.functions[immediates[0]].name}"
        case "global.get" | "global.set":
            return f"{mnemonic} ${layout.globals[immediates[0]].name}"
        case "f32.const" | "f64.const":
            return f"{mnemonic} {_float_of_bytes(immediates[0])}"
        case "v128.const":
            return "v128.const i32x4 " + " ".join(f"0x{lane:08x}" for lane in struct.unpack("<4I", immediates[0]))
    opcode = OPCODES.get(mnemonic)
    if opcode is not None and "m" in opcode.immediates:
        align, offset, *immediates = immediates
        if offset:
            mnemonic += f" offset={offset}"
        if 1 << align != opcode.bytes:
            mnemonic += f" align={1 << align}"
    return " ".join([mnemonic, *map(str, immediates)])


def _float(value: float) -> str:
    return repr(value) if value == value and abs(value) != float("inf") else str(value)


def _float_of_bytes(data: bytes) -> str:
    """A number that reads back to the same bits: the shortest decimal of its double, or NaN with its payload."""
    value = struct.unpack("<f" if len(data) == 4 else "<d", data)[0]
    if value == value:
        return _float(value)
    bits = int.from_bytes(data, "little")
    mantissa = 23 if len(data) == 4 else 52
    sign = "-" if bits >> (len(data) * 8 - 1) else ""
    return f"{sign}nan:0x{bits & ((1 << mantissa) - 1):x}"

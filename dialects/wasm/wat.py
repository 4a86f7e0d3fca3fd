"""The text format: WAT as the specification has it, flat code with the nesting shown by indentation.

The instructions are those of the binary (stackify.py), so what is printed is what runs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from xdsl.dialects.builtin import FunctionType, IntegerAttr
from xdsl.ir import Attribute

from weft.dialects.wasm.encode import Layout
from weft.dialects.wasm.module import DataOp, Entry, FuncOp, GlobalOp, MemoryOp, ModuleOp
from weft.dialects.wasm.opcodes import OPCODES
from weft.dialects.wasm.stackify import Instruction
from weft.dialects.wasm.values import TYPE_NAMES


def print_wat(module: ModuleOp) -> str:
    """The text of a `wasm.module`, without a newline at its end."""
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
    if entry.export_name is not None:
        text += f" (export {_quoted(entry.export_name.encode())})"
    if (names := entry.import_names) is not None:
        text += f" (import {_quoted(names[0].encode())} {_quoted(names[1].encode())})"
    return text


def _typed(word: str, types: Iterable[Attribute]) -> str:
    names = [TYPE_NAMES[type] for type in types]
    return f" ({word} {' '.join(names)})" if names else ""


def _signature(type: FunctionType) -> str:
    return _typed("param", type.inputs.data) + _typed("result", type.outputs.data)


def _memory(memory: MemoryOp) -> list[str]:
    limits = f"{memory.minimum.value.data}" + (f" {memory.maximum.value.data}" if memory.maximum is not None else "")
    shared = " shared" if memory.shared is not None else ""
    return [f"(memory ${memory.sym_name.data}{_linkage(memory)} {limits}{shared})"]


def _global(variable: GlobalOp) -> list[str]:
    name, value = TYPE_NAMES[variable.type], variable.value
    type = f"(mut {name})" if variable.mutable is not None else name
    number = str(value.value.data) if isinstance(value, IntegerAttr) else _float(value.value.data)  # type: ignore[attr-defined]
    return [f"(global ${variable.sym_name.data}{_linkage(variable)} {type} ({name}.const {number}))"]


def _data(data: DataOp) -> list[str]:
    where = "" if data.address is None else f" (i32.const {data.address.value.data})"
    return [f"(data{where} {_quoted(data.contents.data.data)})"]


def _function(function: FuncOp, layout: Layout) -> list[str]:
    head = f"(func ${function.sym_name.data}{_linkage(function)}{_signature(function.function_type)}"
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
            return f"call ${layout.functions[immediates[0]].sym_name.data}"
        case "global.get" | "global.set":
            return f"{mnemonic} ${layout.globals[immediates[0]].sym_name.data}"
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

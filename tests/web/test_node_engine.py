"""V8 accepts what the encoder writes: every instruction of the table, relaxed SIMD and atomics included."""

from __future__ import annotations

import pytest
from node_engine import NoNode, node, validate

from weft.dialects.wasm.builder import ModuleBuilder
from weft.dialects.wasm.convert import to_op
from weft.dialects.wasm.encode import encode
from weft.dialects.wasm.opcodes import OPCODES
from weft.dialects.wasm.values import VALUE_TYPES


@pytest.fixture(scope="module", autouse=True)
def engine():
    try:
        return node()
    except NoNode as reason:
        pytest.skip(str(reason))


def module_of(mnemonic: str) -> bytes:
    """A module with one function, which is this instruction."""
    opcode = OPCODES[mnemonic]
    m = ModuleBuilder()
    m.memory(1, 1, shared=True)
    m.data(b"x")
    types = VALUE_TYPES | {"t": VALUE_TYPES["f32"]}
    b = m.func("f", [types[t] for t in opcode.operands], [types[t] for t in opcode.results], export="f")
    immediates = {"m": [opcode.bytes.bit_length() - 1, 70000], "l": [1], "s": [3] * 16, "d": [0], "0": []}
    result = b.inst(mnemonic, *b.args, imm=tuple(x for kind in opcode.immediates for x in immediates[kind]))
    b.return_(*([result] if opcode.results else []))
    to_op(m.module).verify()
    return encode(m.module, names=True)


def test_every_instruction_is_accepted(tmp_path):
    paths = []
    for k, mnemonic in enumerate(OPCODES):
        paths.append(tmp_path / f"{k}-{mnemonic}.wasm")
        paths[-1].write_bytes(module_of(mnemonic))
    assert [(path.name, error) for path, error in zip(paths, validate(paths), strict=True) if error] == []


def test_what_is_wrong_is_said(tmp_path):
    path = tmp_path / "bad.wasm"
    path.write_bytes(module_of("i32.add").replace(b"\x6a\x0b", b"\x92\x0b"))
    (message,) = validate([path])
    assert "f32.add[0] expected type f32" in message

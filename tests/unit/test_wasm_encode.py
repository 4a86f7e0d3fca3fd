"""The wasm dialect's encoder: modules run in wasmtime against Python, the table of opcodes against wasmtime's own
assembler, and stack code that keeps its meaning.
"""

from __future__ import annotations

import math
import struct

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, f32, f64, i32, i64

from weft.dialects.wasm.abi import Program, program_module
from weft.dialects.wasm.builder import ModuleBuilder
from weft.dialects.wasm.code import Module
from weft.dialects.wasm.convert import from_op, to_op
from weft.dialects.wasm.encode import encode, encode_instruction, signed_leb128, unsigned_leb128
from weft.dialects.wasm.opcodes import OPCODES
from weft.dialects.wasm.wat import print_wat

ENGINE = wasmtime.Engine()


def instantiate(module: Module):
    """A function that calls an export of the module, through the binary; the text must assemble and mean the same, and so
    must the module's operations.
    """
    op = to_op(module)
    op.verify()
    binary = encode(module)
    assert encode(from_op(op)) == binary
    store = wasmtime.Store(ENGINE)
    instance = wasmtime.Instance(store, wasmtime.Module(ENGINE, binary), [])
    from_text = wasmtime.Instance(store, wasmtime.Module(ENGINE, wasmtime.wat2wasm(print_wat(module))), [])

    def call(name: str, *args):
        result = instance.exports(store)[name](store, *args)
        again = from_text.exports(store)[name](store, *args)
        assert repr(result) == repr(again)
        return result

    return call


# -- LEB128


@given(st.integers(0, 2**64 - 1))
def test_unsigned_leb128_reads_back(value):
    data = unsigned_leb128(value)
    assert sum((byte & 0x7F) << (7 * k) for k, byte in enumerate(data)) == value
    assert all(byte & 0x80 for byte in data[:-1]) and not data[-1] & 0x80
    assert len(data) == max(1, -(-value.bit_length() // 7))


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_leb128_reads_back(value):
    data = signed_leb128(value)
    raw = sum((byte & 0x7F) << (7 * k) for k, byte in enumerate(data))
    assert (raw - (1 << (7 * len(data))) if data[-1] & 0x40 else raw) == value


# -- the table of instructions


@pytest.mark.parametrize("prefix", [None, 0xFC, 0xFD, 0xFE])
def test_every_opcode_is_what_the_assembler_of_wasmtime_writes(prefix):
    for opcode in OPCODES.values():
        if opcode.prefix != prefix:
            continue
        immediates, text = [], []
        for kind in opcode.immediates:
            immediates += {"m": [opcode.bytes.bit_length() - 1, 300], "l": [1], "s": [3] * 16, "d": [0], "0": []}[kind]
            text += {"m": ["offset=300"], "l": ["1"], "s": ["3"] * 16, "d": ["0"], "0": []}[kind]
        types = {"t": "f32"}
        params = " ".join(types.get(t, t) for t in opcode.operands)
        results = " ".join(types.get(t, t) for t in opcode.results)
        operands = " ".join(f"(local.get {k})" for k in range(len(opcode.operands)))
        body = f"{operands} {opcode.mnemonic} {' '.join(text)}"
        wat = f'(module (memory 1) (data "x") (func (param {params}) (result {results}) {body}))'
        code = b"".join(encode_instruction(("local.get", k)) for k in range(len(opcode.operands)))
        code += encode_instruction((opcode.mnemonic, *immediates)) + b"\x0b"
        assert code in wasmtime.wat2wasm(wat), opcode.mnemonic


def test_effects():
    effects = {
        name: OPCODES[name].effect for name in ("i32.add", "i32.div_s", "f32.load", "v128.load8_lane", "f32.store")
    }
    assert effects == {
        "i32.add": "pure",
        "i32.div_s": "trap",
        "f32.load": "read",
        "v128.load8_lane": "read",
        "f32.store": "write",
    }
    assert OPCODES["i32.trunc_f32_s"].effect == "trap"
    assert OPCODES["i32.trunc_sat_f32_s"].effect == "pure"
    assert all(
        o.effect == "write"
        for o in OPCODES.values()
        if o.prefix == 0xFE or o.mnemonic in ("memory.grow", "unreachable")
    )


# -- constants


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 1e-45, 3.4e38])
def test_float_constants_keep_their_bits(value):
    m = ModuleBuilder()
    b = m.func("f", [], [i32], export="f")
    b.return_(b.inst("i32.reinterpret_f32", b.const_f32(value)))
    d = m.func("d", [], [i64], export="d")
    d.return_(d.inst("i64.reinterpret_f64", d.const_f64(value)))
    v = m.func("v", [], [i32], export="v")
    v.return_(v.inst("i32x4.extract_lane", v.const_v128("f32x4", 0.0, value, 0.0, 0.0), imm=(1,)))
    call = instantiate(m.module)
    assert call("f") & 0xFFFFFFFF == call("v") & 0xFFFFFFFF == struct.unpack("<I", struct.pack("<f", value))[0]
    assert call("d") & (2**64 - 1) == struct.unpack("<Q", struct.pack("<d", value))[0]


@pytest.mark.parametrize("value", [0, 1, -1, 63, 64, -64, -65, 2**31 - 1, -(2**31), 2**32 - 1, 2**31])
def test_integer_constants(value):
    m = ModuleBuilder()
    b = m.func("f", [], [i32, i64], export="f")
    b.return_(b.const_i32(value), b.const_i64(value))
    wrapped = (value + 2**31) % 2**32 - 2**31
    assert instantiate(m.module)("f") == [wrapped, value]


def test_one_lane_stands_for_all():
    m = ModuleBuilder()
    b = m.func("f", [], [i32], export="f")
    b.return_(b.inst("i16x8.extract_lane_s", b.const_v128("i16x8", -3), imm=(7,)))
    assert instantiate(m.module)("f") == -3


# -- entries


def test_globals_data_memory_and_imports():
    m = ModuleBuilder()
    m.memory(1)
    m.global_("counter", IntegerAttr(40, i32), mutable=True)
    m.global_("scale", FloatAttr(0.5, f64))
    m.data(b"\1\2\3\4", 16)
    m.data(b"passive!")
    b = m.func("f", [], [i32, f64, i32, i32], export="f")
    b.global_set("counter", b.inst("i32.add", b.global_get("counter", i32), b.const_i32(2)))
    at = b.const_i32(100)
    b.inst("memory.init", at, b.const_i32(4), b.const_i32(4), imm=(1,))
    word = b.load("i32.load", b.const_i32(16))
    b.return_(b.global_get("counter", i32), b.global_get("scale", f64), word, b.load("i32.load", at))
    assert instantiate(m.module)("f") == [42, 0.5, 0x04030201, int.from_bytes(b"ive!", "little")]


def test_calls_with_several_results_and_names():
    m = ModuleBuilder()
    divmod_ = m.func("divmod", [i32, i32], [i32, i32])
    x, y = divmod_.args
    divmod_.return_(divmod_.inst("i32.div_u", x, y), divmod_.inst("i32.rem_u", x, y))
    b = m.func("f", [i32, i32], [i32], export="f")
    quotient, remainder = b.call("divmod", *b.args)
    b.return_(b.inst("i32.sub", b.inst("i32.mul", quotient, b.const_i32(1000)), remainder))
    assert instantiate(m.module)("f", 47, 10) == 4000 - 7
    assert b"\x06divmod" in encode(m.module, names=True)
    assert b"\x06divmod" not in encode(m.module)


def test_an_imported_function_counts_first():
    m = ModuleBuilder()
    b = m.func("f", [i32], [i32], export="f")
    m.import_func("twice", [i32], [i32], ("env", "twice"))
    (y,) = b.call("twice", b.args[0])
    b.return_(b.inst("i32.add", y, b.const_i32(1)))
    store = wasmtime.Store(ENGINE)
    kind = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
    twice = wasmtime.Func(store, kind, lambda x: 2 * x)
    instance = wasmtime.Instance(store, wasmtime.Module(ENGINE, encode(m.module)), [twice])
    assert instance.exports(store)["f"](store, 20) == 41


def test_program_attribute_reads_back():
    module, b = program_module()
    b.return_()
    program = Program((4, 8), (16,), arena=64, work=1000, donated=((0, 1),), constants=128)
    program.store(module.module)
    assert Program.of(module.module) == program
    with pytest.raises(ValueError, match="no program"):
        Program.of(Module())


# -- control


def test_break_and_continue_from_inside_of_an_if():
    """Sums the odd numbers below n until the sum passes 100; the loop's values change only on the way back."""
    m = ModuleBuilder()
    b = m.func("f", [i32], [i32, i32], export="f")
    zero, one = b.const_i32(0), b.const_i32(1)
    with b.loop(zero, zero) as loop:
        i, s = loop.args
        b.break_if(b.inst("i32.ge_s", i, b.args[0]), i, s)
        j = b.inst("i32.add", i, one)
        with b.if_(b.inst("i32.and", i, one)):
            b.break_if(b.inst("i32.gt_s", s, b.const_i32(100)), i, s)
            b.continue_(j, b.inst("i32.add", s, i))
        b.continue_if(one, j, s)
        b.yield_(i, s)
    b.return_(*loop.results)
    call = instantiate(m.module)

    def reference(n):
        i = s = 0
        while i < n:
            if i % 2:
                if s > 100:
                    break
                s += i
            i += 1
        return [i, s]

    for n in (0, 1, 2, 10, 100):
        assert call("f", n) == reference(n)


def test_values_of_this_round_survive_a_conditional_continue():
    """What a loop yields after `continue_if` are this round's values, not the next one's, though both share the carried
    locals.
    """
    m = ModuleBuilder()
    b = m.func("f", [i32], [i32, i32, i32], export="f")
    with b.loop(b.const_i32(0), b.const_i32(1)) as loop:
        x, y = loop.args
        z = b.inst("i32.add", x, y)
        b.continue_if(b.inst("i32.lt_s", z, b.args[0]), y, z)
        b.yield_(x, y, b.inst("i32.mul", x, y))
    b.return_(*loop.results)
    call = instantiate(m.module)
    assert call("f", 100) == [55, 89, 55 * 89]  # the first Fibonacci pair whose sum is not below 100


def test_carried_values_are_swapped_at_once():
    m = ModuleBuilder()
    b = m.func("f", [i32, i32, i32], [i32, i32], export="f")
    with b.loop(*b.args) as loop:
        n, x, y = loop.args
        b.break_if(b.inst("i32.eqz", n), x, y)
        b.continue_(b.inst("i32.sub", n, b.const_i32(1)), y, x)
    b.return_(*loop.results)
    call = instantiate(m.module)
    assert call("f", 4, 1, 2) == [1, 2]
    assert call("f", 5, 1, 2) == [2, 1]


def test_hoisting_into_an_open_outer_block():
    m = ModuleBuilder()
    b = m.func("f", [i32], [i32], export="f")
    outer = b.block
    with b.loop(b.args[0]) as loop:
        with b.at(outer):
            three = b.inst("i32.mul", b.args[0], b.const_i32(3))
        b.break_if(b.inst("i32.gt_s", loop.args[0], three), loop.args[0])
        b.continue_(b.inst("i32.add", loop.args[0], b.const_i32(1)))
    b.return_(loop.result)
    assert instantiate(m.module)("f", 5) == 16


def test_an_early_return_from_a_nested_region():
    m = ModuleBuilder()
    b = m.func("f", [i32], [i32], export="f")
    with b.loop(b.args[0]) as loop:
        with b.if_(b.inst("i32.gt_s", loop.args[0], b.const_i32(9))):
            b.return_(b.const_i32(-1))
        b.continue_if(b.inst("i32.and", loop.args[0], b.const_i32(3)), b.inst("i32.add", loop.args[0], b.const_i32(1)))
        b.yield_(loop.args[0])
    b.return_(loop.result)
    call = instantiate(m.module)
    assert [call("f", x) for x in (1, 4, 5, 9, 10)] == [4, 4, 8, -1, -1]


# -- what moves, and what does not


def body(build) -> list[str]:
    """The instructions of a function of two addresses."""
    m = ModuleBuilder()
    m.memory(1)
    b = m.func("f", [i32, i32], export="f")
    build(b, *b.args)
    b.return_()
    to_op(m.module).verify()
    return [line.strip().rstrip(")") for line in print_wat(m.module).splitlines()[3:] if "local i32" not in line]


def test_a_load_is_not_moved_over_a_store():
    def build(b, p, q):
        x = b.load("i32.load", p)
        b.store("i32.store", q, p)
        b.store("i32.store", p, x)

    assert body(build) == [
        *("local.get 0", "i32.load", "local.set 2"),
        *("local.get 1", "local.get 0", "i32.store"),
        *("local.get 0", "local.get 2", "i32.store"),
    ]


def test_a_load_that_nothing_disturbs_is_inline():
    def build(b, p, q):
        x = b.load("i32.load", p)
        y = b.load("i32.load", q, 8)
        b.store("i32.store", p, b.inst("i32.add", x, y))

    assert body(build) == [
        "local.get 0",
        "local.get 0",
        "i32.load",
        "local.get 1",
        "i32.load offset=8",
        "i32.add",
        "i32.store",
    ]


def test_dead_pure_code_is_left_out_with_what_it_alone_uses():
    def build(b, p, q):
        b.inst("i32.mul", b.inst("i32.add", p, b.const_i32(1)), q)
        b.store("i32.store", p, q)

    assert body(build) == ["local.get 0", "local.get 1", "i32.store"]


def test_locals_are_used_again():
    def build(b, p, q):
        for k in range(20):
            x = b.inst("i32.add", p, b.const_i32(k))
            b.store("i32.store", x, x)

    m = ModuleBuilder()
    m.memory(1)
    b = m.func("f", [i32, i32])
    build(b, *b.args)
    b.return_()
    assert "(local i32)" in print_wat(m.module)


def test_a_vector_program():
    m = ModuleBuilder()
    m.memory(1)
    b = m.func("dot", [i32, i32, i32], [f32], export="dot")
    p, q, n = b.args
    with b.loop(b.const_i32(0), b.const_v128("f32x4", 0.0)) as loop:
        i, acc = loop.args
        x = b.load("v128.load", b.inst("i32.add", p, i))
        y = b.load("v128.load", b.inst("i32.add", q, i))
        acc = b.inst("f32x4.add", acc, b.inst("f32x4.mul", x, y))
        j = b.inst("i32.add", i, b.const_i32(16))
        b.continue_if(b.inst("i32.lt_u", j, n), j, acc)
        b.yield_(acc)
    lanes = [b.inst("f32x4.extract_lane", loop.result, imm=(k,)) for k in range(4)]
    b.return_(b.inst("f32.add", b.inst("f32.add", lanes[0], lanes[1]), b.inst("f32.add", lanes[2], lanes[3])))
    m.data(struct.pack("<16f", *range(16)), 64)
    assert loop.result.type == "v128"
    assert instantiate(m.module)("dot", 64, 96, 32) == sum(k * (k + 8) for k in range(8))


# -- random programs against an interpreter of the dialect


def interpret(function, args, memory: bytearray):
    """What a function of i32 arithmetic, loads, stores and control flow returns: the meaning of the operations, as
    plain as can be.
    """
    values = dict(zip(function.body.block.args, args, strict=True))
    mask = 2**32 - 1
    arithmetic = {
        "i32.add": lambda x, y: x + y,
        "i32.sub": lambda x, y: x - y,
        "i32.mul": lambda x, y: x * y,
        "i32.xor": lambda x, y: x ^ y,
        "i32.and": lambda x, y: x & y,
        "i32.lt_u": lambda x, y: int(x < y),
        "i32.eqz": lambda x: int(x == 0),
        "select": lambda x, y, c: x if c else y,
    }

    def run(block):
        """Runs a block; how it was left and with which values."""
        for op in block.ops:
            operands = [values[o] for o in op.operands]
            match op.name.removeprefix("wasm."):
                case "const":
                    values[op.result] = op.value.value.data & mask
                case "inst" if op.mnemonic.data == "i32.load":
                    at = operands[0] + op.immediate_values[1]
                    values[op.results[0]] = int.from_bytes(memory[at : at + 4], "little")
                case "inst" if op.mnemonic.data == "i32.store":
                    at = operands[0] + op.immediate_values[1]
                    memory[at : at + 4] = operands[1].to_bytes(4, "little")
                case "inst":
                    values[op.results[0]] = arithmetic[op.mnemonic.data](*operands) & mask
                case "loop":
                    how, out = "continue", operands
                    while how == "continue":
                        values.update(zip(op.body.block.args, out, strict=True))
                        how, out = run(op.body.block)
                    if how == "return":
                        return how, out
                    values.update(zip(op.results, out, strict=True))
                case "if":
                    region = op.then if operands[0] else op.otherwise
                    how, out = run(region.block) if region is not None else ("yield", [])
                    if how != "yield":
                        return how, out
                    values.update(zip(op.results, out, strict=True))
                case "break_if" | "continue_if" as kind:
                    if operands[0]:
                        return kind.removesuffix("_if"), operands[1:]
                case "yield" | "continue" | "return" as kind:
                    return kind, operands
        raise AssertionError("a block without a terminator")

    return run(function.body.block)[1]


class Gen:
    """Writes random code; every value that is in scope may be used anywhere later."""

    def __init__(self, b, draw):
        self.b, self.draw = b, draw

    def pick(self, scope):
        return scope[self.draw(st.integers(0, len(scope) - 1))]

    def address(self, scope):
        return self.b.inst("i32.and", self.pick(scope), self.b.const_i32(60))

    def steps(self, scope, depth):
        for _ in range(self.draw(st.integers(1, 6))):
            kinds = ["arithmetic", "arithmetic", "load", "store", "const", "select"] + ["if", "loop", "return"] * (
                depth < 2
            )
            getattr(self, self.draw(st.sampled_from(kinds)) + "_")(scope, depth)
        return scope

    def arithmetic_(self, scope, depth):
        names = ["i32.add", "i32.sub", "i32.mul", "i32.xor", "i32.lt_u"]
        scope.append(self.b.inst(self.draw(st.sampled_from(names)), self.pick(scope), self.pick(scope)))

    def return_(self, scope, depth):
        with self.b.if_(self.pick(scope)) as branch:
            pass
        with branch.else_():
            self.b.return_(*(self.pick(scope) for _ in range(3)))

    def const_(self, scope, depth):
        scope.append(self.b.const_i32(self.draw(st.integers(-100, 100))))

    def select_(self, scope, depth):
        scope.append(self.b.select(self.pick(scope), self.pick(scope), self.pick(scope)))

    def load_(self, scope, depth):
        scope.append(self.b.load("i32.load", self.address(scope), self.draw(st.sampled_from([0, 4, 64]))))

    def store_(self, scope, depth):
        self.b.store("i32.store", self.address(scope), self.pick(scope), self.draw(st.sampled_from([0, 4, 64])))

    def if_(self, scope, depth):
        count = self.draw(st.integers(0, 2))
        with self.b.if_(self.pick(scope)) as branch:
            inner = self.steps(list(scope), depth + 1)
            self.b.yield_(*(self.pick(inner) for _ in range(count)))
        with branch.else_():
            inner = self.steps(list(scope), depth + 1)
            self.b.yield_(*(self.pick(inner) for _ in range(count)))
        scope.extend(branch.results)

    def loop_(self, scope, depth):
        """At most four rounds: the first carried value counts down."""
        b = self.b
        carried = self.draw(st.integers(0, 3))
        count = self.draw(st.integers(0, 2))
        with b.loop(b.const_i32(self.draw(st.integers(1, 4))), *(self.pick(scope) for _ in range(carried))) as loop:
            inner = self.steps([*scope, *loop.args], depth + 1)
            if self.draw(st.booleans()):
                b.break_if(self.pick(inner), *(self.pick(inner) for _ in range(count)))
            left = b.inst("i32.sub", loop.args[0], b.const_i32(1))
            form = self.draw(st.integers(0, 2))
            if form == 0:
                b.continue_if(left, left, *(self.pick(inner) for _ in range(carried)))
            elif form == 1:
                with b.if_(b.inst("i32.eqz", left)) as last:
                    self.steps(list(inner), 2)
                with last.else_():
                    b.continue_(left, *(self.pick(inner) for _ in range(carried)))
            else:
                with b.if_(left):
                    inner = self.steps(inner, 2)
                    b.continue_if(left, left, *(self.pick(inner) for _ in range(carried)))
                inner = [*scope, *loop.args]
            inner = self.steps(inner, 2)
            b.yield_(*(self.pick(inner) for _ in range(count)))
        scope.extend(loop.results)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_programs_mean_what_their_operations_say(data):
    m = ModuleBuilder()
    m.memory(1)
    m.data(bytes(range(1, 129)), 0)
    b = m.func("f", [i32, i32], [i32, i32, i32], export="f")
    gen = Gen(b, data.draw)
    scope = gen.steps(list(b.args), 0)
    b.return_(*(gen.pick(scope) for _ in range(3)))
    function = to_op(m.module).entries[-1]

    memory = bytearray(range(1, 129))
    expected = interpret(function, [7, 2**31], memory)
    assert [r % 2**32 for r in instantiate(m.module)("f", 7, -(2**31))] == expected

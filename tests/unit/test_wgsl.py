"""The WGSL printer, text for text, without a device."""

from __future__ import annotations

import re

import pytest
from xdsl.dialects import gpu
from xdsl.parser import Parser

from weft.dialects.gpu import wgsl_math
from weft.dialects.gpu.wgsl import WgslError, print_func
from weft.dialects.universe import context

X, Y = "memref<8xf32, #gpu<address_space global>>", "memref<8xi32, #gpu<address_space global>>"


def lines(body: str) -> list[str]:
    """The lines of a kernel's body."""
    text = f"""
    gpu.module @k {{
      gpu.func @main() kernel attributes {{gpu.known_block_size = array<i32: 8, 1, 1>}} {{
        %x = gpu.binding 0 read_write : {X}
        %y = gpu.binding 1 read_write : {Y}
        %l = gpu.local_index
        {body}
        gpu.return
      }}
    }}"""
    module = Parser(context(), text).parse_module()
    module.verify()
    printed = next(print_func(op) for op in module.walk() if isinstance(op, gpu.FuncOp))
    return [line.strip() for line in printed[printed.index("fn main") :].splitlines()[1:-1]]


def expression(op: str, kind: str = "i32") -> str:
    """How an op on two loaded values prints; %a and %b are x[l] and x[0], or y[l] and y[0]."""
    memory, name = (X, "%x") if kind == "f32" else (Y, "%y")
    body = f"""
        %zero = arith.constant 0 : index
        %a = memref.load {name}[%l] : {memory}
        %b = memref.load {name}[%zero] : {memory}
        {op}
        memref.store %r, {name}[%l] : {memory}"""
    return lines(body)[-1].split(" = ", 1)[1].rstrip(";")


@pytest.mark.parametrize(
    ("op", "text"),
    [
        ("%r = arith.addi %a, %b : i32", "y[l] + y[0]"),
        ("%r = arith.divsi %a, %b : i32", "w_div_i32(y[l], y[0])"),
        (
            "%c = arith.constant 3 : i32\n%s = arith.addi %a, %b : i32\n%r = arith.divsi %s, %c : i32",
            "(y[l] + y[0]) / 3",
        ),
        ("%r = arith.maxui %a, %b : i32", "bitcast<i32>(max(bitcast<u32>(y[l]), bitcast<u32>(y[0])))"),
        ("%r = arith.shrui %a, %b : i32", "bitcast<i32>(bitcast<u32>(y[l]) >> (u32(y[0]) & u32(31u)))"),
        ("%c = arith.constant 35 : i32\n%r = arith.shli %a, %c : i32", "y[l] << 3u"),
        ("%s = arith.andi %a, %b : i32\n%r = arith.ori %s, %b : i32", "(y[l] & b) | b"),
        (
            "%c = arith.cmpi ult, %a, %b : i32\n%r = arith.extui %c : i1 to i32",
            "i32(bitcast<u32>(y[l]) < bitcast<u32>(y[0]))",
        ),
        ("%s = arith.subi %a, %b : i32\n%r = arith.subi %a, %s : i32", "a - (a - y[0])"),
        ("%s = arith.subi %a, %b : i32\n%r = arith.muli %s, %a : i32", "(a - y[0]) * a"),
    ],
)
def test_integers(op: str, text: str) -> None:
    assert expression(op) == text


@pytest.mark.parametrize(
    ("op", "text"),
    [
        ("%r = arith.maximumf %a, %b : f32", "w_max(x[l], x[0])"),
        ("%r = math.absf %a : f32", "abs(x[l])"),
        ("%r = math.roundeven %a : f32", "round(x[l])"),
        ("%r = math.tanh %a : f32", "w_tanh(x[l])"),
        ("%c = arith.cmpf une, %a, %b : f32\n%r = arith.select %c, %a, %b : f32", "select(b, a, !(a == b))"),
        ("%c = arith.constant 0x7F800000 : f32\n%r = arith.addf %a, %c : f32", "x[l] + w_inf()"),
        ("%c = arith.constant 0.0 : f32\n%r = arith.divf %a, %c : f32", "w_over_zero(x[l])"),
        ("%c = arith.constant -0.0 : f32\n%r = arith.divf %a, %c : f32", "-w_over_zero(x[l])"),
        ("%c = arith.constant 0x7F7FFFFF : f32\n%r = arith.addf %a, %c : f32", "x[l] + 3.402823466e+38f"),
        ("%c = arith.constant 0xFF800000 : f32\n%r = arith.addf %a, %c : f32", "x[l] + -w_inf()"),
        ("%c = arith.constant 1.000000e-01 : f32\n%r = arith.mulf %a, %c : f32", "x[l] * 0.1f"),
        ("%c = arith.constant 3.000000e+38 : f32\n%r = arith.mulf %a, %c : f32", "x[l] * 3e+38f"),
        ("%c = arith.constant -2.0 : f32\n%r = arith.mulf %a, %c : f32", "x[l] * -2.0f"),
    ],
)
def test_floats(op: str, text: str) -> None:
    assert expression(op, "f32") == text


def test_what_was_read_is_named_before_its_memory_is_written() -> None:
    body = f"""
        %zero = arith.constant 0 : index
        %a = memref.load %x[%l] : {X}
        memref.store %a, %x[%zero] : {X}
        %b = memref.load %x[%zero] : {X}
        %f = arith.constant 1.0 : f32
        memref.store %f, %x[%zero] : {X}
        memref.store %b, %x[%l] : {X}"""
    assert lines(body) == ["let l = i32(li);", "x[0] = x[l];", "let b = x[0];", "x[0] = 1.0f;", "x[l] = b;"]


def test_constants_are_not_evaluated_while_compiling() -> None:
    """2147483647 + 1 would be an error in WGSL."""
    body = f"""
        %a = arith.constant 2147483647 : i32
        %b = arith.constant 1 : i32
        %c = arith.addi %a, %b : i32
        memref.store %c, %y[%l] : {Y}"""
    assert lines(body)[-2:] == ["var c0_ = i32(2147483647);", "y[i32(li)] = c0_ + 1;"]


def test_carried_values_swap() -> None:
    body = f"""
        %zero = arith.constant 0 : index
        %one = arith.constant 1 : index
        %eight = arith.constant 8 : index
        %a = memref.load %x[%l] : {X}
        %b = memref.load %x[%zero] : {X}
        %p, %q = scf.for %i = %zero to %eight step %one iter_args(%s = %a, %t = %b) -> (f32, f32) {{
          scf.yield %t, %s : f32, f32
        }}
        memref.store %p, %x[%l] : {X}"""
    text = lines(body)
    assert [t for t in text if t.startswith(("let next", "s =", "t ="))] == [
        "let next0 = t;",
        "let next1 = s;",
        "s = next0;",
        "t = next1;",
    ]


def test_names_that_wgsl_keeps_for_itself() -> None:
    body = f"""
        %loop = memref.load %x[%l] : {X}
        %f32 = arith.addf %loop, %loop : f32
        %abs = arith.addf %f32, %f32 : f32
        memref.store %abs, %x[%l] : {X}"""
    assert "let loop_ = x[l];" in lines(body)
    assert "let f32_ = loop_ + loop_;" in lines(body)


def test_what_wgsl_cannot_say() -> None:
    with pytest.raises(WgslError, match="WGSL has no type f64"):
        lines(
            "%c = arith.constant 1.0 : f64\n%d = arith.addf %c, %c : f64\n%e = arith.addf %d, %d : f64\n%g = arith.addf %e, %e : f64"
        )


@pytest.mark.parametrize("name", sorted(wgsl_math.FUNCTIONS))
@pytest.mark.parametrize("lanes", [1, 4])
def test_a_function_comes_with_what_it_calls(name: str, lanes: int) -> None:
    text = wgsl_math.library({(name, lanes): None})
    defined = re.findall(r"fn (w_\w+)\(", text)
    assert len(defined) == len(set(defined))
    for k, call in enumerate(re.findall(r"(?<!fn )\b(w_[a-z]\w*)\(", text)):
        assert call in defined, (k, call)
    assert "$" not in text

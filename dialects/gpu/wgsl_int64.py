"""Integers of 64 bits in WGSL, as vec2<u32> with the low word first: what `arith` and `math` do with them, in functions that a kernel's text holds where it uses them.

Carries are comparisons; products are made of 16-bit halves; division is one of 32 bits where both high words are zero, else long division, a bit at a time. As everywhere in
weft division by zero and shifts by the width or more are somebody else's care (the rules of the array dialect go around them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.dialects.builtin import AnyFloat, IntegerType
from xdsl.ir import Operation

from weft.dialects.gpu.wgsl_math import define
from weft.dialects.kernel.narrow import narrow_width

if TYPE_CHECKING:
    from weft.dialects.gpu.wgsl import Printer

define("""
fn w_add_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn w_sub_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn w_mul_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let al = a.x & 0xffffu;
  let ah = a.x >> 16u;
  let bl = b.x & 0xffffu;
  let bh = b.x >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let rest = (middle & 0xffffu) + al * bh;
  return vec2<u32>(a.x * b.x, ah * bh + (middle >> 16u) + (rest >> 16u) + a.x * b.y + a.y * b.x);
}

fn w_shl_i64$s(a: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
  let n = by.x & 31u;
  let near = vec2<u32>(a.x << n, (a.y << n) | ((a.x >> 1u) >> (31u - n)));
  return select(near, vec2<u32>(0u, a.x << n), (by.x & 32u) != 0u);
}

fn w_shrui_i64$s(a: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
  let n = by.x & 31u;
  let near = vec2<u32>((a.x >> n) | ((a.y << 1u) << (31u - n)), a.y >> n);
  return select(near, vec2<u32>(a.y >> n, 0u), (by.x & 32u) != 0u);
}

fn w_shrsi_i64$s(a: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
  let n = by.x & 31u;
  let high = bitcast<i32>(a.y);
  let near = vec2<u32>((a.x >> n) | ((a.y << 1u) << (31u - n)), bitcast<u32>(high >> n));
  return select(near, vec2<u32>(bitcast<u32>(high >> n), bitcast<u32>(high >> 31u)), (by.x & 32u) != 0u);
}

fn w_ult_i64$s(a: vec2<u32>, b: vec2<u32>) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }

fn w_slt_i64$s(a: vec2<u32>, b: vec2<u32>) -> bool {
  return bitcast<i32>(a.y) < bitcast<i32>(b.y) || (a.y == b.y && a.x < b.x);
}

fn w_divide_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec4<u32> {
  if ((a.y | b.y) == 0u) {
    let q = a.x / max(b.x, 1u);
    return vec4<u32>(q, 0u, a.x - q * b.x, 0u);
  }
  var quotient = vec2<u32>(0u);
  var rest = vec2<u32>(0u);
  for (var i = 63; i >= 0; i -= 1) {
    let over = (rest.y >> 31u) != 0u;
    rest = vec2<u32>((rest.x << 1u) | (w_shrui_i64$s(a, vec2<u32>(u32(i), 0u)).x & 1u), (rest.y << 1u) | (rest.x >> 31u));
    if (over || !w_ult_i64$s(rest, b)) {
      rest = w_sub_i64$s(rest, b);
      quotient = quotient | w_shl_i64$s(vec2<u32>(1u, 0u), vec2<u32>(u32(i), 0u));
    }
  }
  return vec4<u32>(quotient, rest);
}

fn w_neg_i64$s(a: vec2<u32>) -> vec2<u32> { return w_sub_i64$s(vec2<u32>(0u), a); }

fn w_abs_i64$s(a: vec2<u32>) -> vec2<u32> { return select(a, w_neg_i64$s(a), (a.y >> 31u) != 0u); }

fn w_divui_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return w_divide_i64$s(a, b).xy; }

fn w_remui_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return w_divide_i64$s(a, b).zw; }

fn w_divsi_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let q = w_divide_i64$s(w_abs_i64$s(a), w_abs_i64$s(b)).xy;
  return select(q, w_neg_i64$s(q), ((a.y ^ b.y) >> 31u) != 0u);
}

fn w_remsi_i64$s(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let r = w_divide_i64$s(w_abs_i64$s(a), w_abs_i64$s(b)).zw;
  return select(r, w_neg_i64$s(r), (a.y >> 31u) != 0u);
}

fn w_ctpop_i64$s(a: vec2<u32>) -> vec2<u32> { return vec2<u32>(countOneBits(a.x) + countOneBits(a.y), 0u); }

fn w_ctlz_i64$s(a: vec2<u32>) -> vec2<u32> {
  return vec2<u32>(select(countLeadingZeros(a.y), 32u + countLeadingZeros(a.x), a.y == 0u), 0u);
}

fn w_sext_i64$s(x: i32) -> vec2<u32> { return vec2<u32>(bitcast<u32>(x), bitcast<u32>(x >> 31u)); }

fn w_ui_to_f32_i64$s(a: vec2<u32>) -> f32 {
  let n = w_ctlz_i64$s(a).x;
  let top = w_shl_i64$s(a, vec2<u32>(min(n, 63u), 0u));
  let odd = top.y | select(0u, 1u, top.x != 0u);
  return select(f32(odd) * exp2(f32(32 - i32(n))), 0.0, n == 64u);
}

fn w_si_to_f32_i64$s(a: vec2<u32>) -> f32 {
  let size = w_ui_to_f32_i64$s(w_abs_i64$s(a));
  return select(size, -size, (a.y >> 31u) != 0u);
}

fn w_from_f32_i64$s(x: f32) -> vec2<u32> {
  let size = trunc(abs(x));
  let high = trunc(size * 2.3283064365386963e-10);
  let found = vec2<u32>(u32(size - high * 4294967296.0), u32(high));
  return select(found, w_neg_i64$s(found), x < 0.0);
}
""")

_SAME = ("addi", "subi", "muli", "shli", "shrui", "shrsi", "divui", "remui", "divsi", "remsi")
_FUNCTIONS = {
    f"arith.{name}": {"addi": "add", "subi": "sub", "muli": "mul", "shli": "shl"}.get(name, name) for name in _SAME
} | {
    "math.ctpop": "ctpop",
    "math.ctlz": "ctlz",
    "math.absi": "abs",
}
_BITS = {"arith.andi": "&", "arith.ori": "|", "arith.xori": "^"}
_LESS = {"si": "slt", "ui": "ult"}
_ORDERS = (("slt", 0), ("slt", 3), ("slt", 1), ("slt", 2), ("ult", 0), ("ult", 3), ("ult", 1), ("ult", 2))
"""For each ordering predicate of `arith.cmpi` the comparison that it is, with operands exchanged (1), negated (2) or both (3)."""


def write(p: Printer, name: str, op: Operation, args: list[str]) -> str:
    """What WGSL writes for an op that reads or gives integers of 64 bits. Raises KeyError for one that there is none for."""
    source, target = op.operands[0].type, op.results[0].type

    def call(function: str, *values: str) -> str:
        return f"{p.own(f'{function}_i64')}({', '.join(values)})"

    if name in _FUNCTIONS:
        return call(_FUNCTIONS[name], *args)
    if name in _BITS:
        return f"({args[0]} {_BITS[name]} {args[1]})"
    if name == "arith.select":
        return f"select({args[2]}, {args[1]}, {args[0]})"
    if name in ("arith.maxsi", "arith.minsi", "arith.maxui", "arith.minui"):
        less = call(_LESS[name[-2:]], *(args if "min" in name else args[::-1]))
        return f"select({args[1]}, {args[0]}, {less})"
    if name == "arith.cmpi":
        predicate = p.predicate(op)
        if predicate < 2:
            return f"all({args[0]} == {args[1]})" if predicate == 0 else f"any({args[0]} != {args[1]})"
        function, how = _ORDERS[predicate - 2]
        text = call(function, *(args[::-1] if how & 1 else args))
        return f"!{text}" if how & 2 else text
    if name in ("arith.sitofp", "arith.uitofp"):
        return call(f"{name[6:8]}_to_f32", *args)
    if isinstance(source, AnyFloat):
        return call("from_f32", *args)
    if name == "arith.trunci":
        if target == IntegerType(1):
            return f"(({args[0]}).x & 1u) != 0u"
        word = f"bitcast<i32>(({args[0]}).x)"
        return f"extractBits({word}, 0u, {narrow_width(target)}u)" if narrow_width(target) else word
    if name in ("arith.extsi", "arith.extui"):
        if source == IntegerType(1):
            return call("sext", f"select(0, {'-1' if name == 'arith.extsi' else '1'}, {args[0]})")
        if name == "arith.extsi":
            return call("sext", args[0])
        word = f"bitcast<u32>({args[0]})"
        return f"vec2<u32>({f'extractBits({word}, 0u, {narrow_width(source)}u)' if narrow_width(source) else word}, 0u)"
    raise KeyError(name)

"""The instructions of WebAssembly as one table: bytes, operands, results, immediates.

One line of the table is a run of consecutive codes: where it starts, the signature they share, what their names begin
with, and the names (`-` leaves a code out). `wasm.inst`, its verifier, the encoder, the text printer and the tests all
read this table; nothing else in weft lists opcodes. Control flow, calls, locals and constants are not here: the dialect
has operations for what they do.

Source: WebAssembly Core Specification 3.0 (fixed-width and relaxed SIMD, saturating conversions, bulk memory) and the
threads proposal.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_TABLE = """
# prefix code signature names   (i i32, I i64, f f32, F f64, v v128, t any, the same everywhere; after ':' immediates)
-- 00 >           -      unreachable nop
-- 1b tti>t       -      select
-- 28 i>i:m       i32.   load
-- 29 i>I:m       i64.   load
-- 2a i>f:m       f32.   load
-- 2b i>F:m       f64.   load
-- 2c i>i:m       i32.   load8_s load8_u load16_s load16_u
-- 30 i>I:m       i64.   load8_s load8_u load16_s load16_u load32_s load32_u
-- 36 ii>:m       i32.   store
-- 37 iI>:m       i64.   store
-- 38 if>:m       f32.   store
-- 39 iF>:m       f64.   store
-- 3a ii>:m       i32.   store8 store16
-- 3c iI>:m       i64.   store8 store16 store32
-- 3f >i:0        memory. size
-- 40 i>i:0       memory. grow
-- 45 i>i         i32.   eqz
-- 46 ii>i        i32.   eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
-- 50 I>i         i64.   eqz
-- 51 II>i        i64.   eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
-- 5b ff>i        f32.   eq ne lt gt le ge
-- 61 FF>i        f64.   eq ne lt gt le ge
-- 67 i>i         i32.   clz ctz popcnt
-- 6a ii>i        i32.   add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
-- 79 I>I         i64.   clz ctz popcnt
-- 7c II>I        i64.   add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
-- 8b f>f         f32.   abs neg ceil floor trunc nearest sqrt
-- 92 ff>f        f32.   add sub mul div min max copysign
-- 99 F>F         f64.   abs neg ceil floor trunc nearest sqrt
-- a0 FF>F        f64.   add sub mul div min max copysign
-- a7 I>i         i32.   wrap_i64
-- a8 f>i         i32.   trunc_f32_s trunc_f32_u
-- aa F>i         i32.   trunc_f64_s trunc_f64_u
-- ac i>I         i64.   extend_i32_s extend_i32_u
-- ae f>I         i64.   trunc_f32_s trunc_f32_u
-- b0 F>I         i64.   trunc_f64_s trunc_f64_u
-- b2 i>f         f32.   convert_i32_s convert_i32_u
-- b4 I>f         f32.   convert_i64_s convert_i64_u
-- b6 F>f         f32.   demote_f64
-- b7 i>F         f64.   convert_i32_s convert_i32_u
-- b9 I>F         f64.   convert_i64_s convert_i64_u
-- bb f>F         f64.   promote_f32
-- bc f>i         i32.   reinterpret_f32
-- bd F>I         i64.   reinterpret_f64
-- be i>f         f32.   reinterpret_i32
-- bf I>F         f64.   reinterpret_i64
-- c0 i>i         i32.   extend8_s extend16_s
-- c2 I>I         i64.   extend8_s extend16_s extend32_s

fc 00 f>i         i32.   trunc_sat_f32_s trunc_sat_f32_u
fc 02 F>i         i32.   trunc_sat_f64_s trunc_sat_f64_u
fc 04 f>I         i64.   trunc_sat_f32_s trunc_sat_f32_u
fc 06 F>I         i64.   trunc_sat_f64_s trunc_sat_f64_u
fc 08 iii>:d0     memory. init
fc 09 >:d         data.  drop
fc 0a iii>:00     memory. copy
fc 0b iii>:0      memory. fill

fd 00 i>v:m       v128.  load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u
fd 07 i>v:m       v128.  load8_splat load16_splat load32_splat load64_splat
fd 0b iv>:m       v128.  store
fd 0d vv>v:s      i8x16. shuffle
fd 0e vv>v        i8x16. swizzle
fd 0f i>v         i8x16. splat
fd 10 i>v         i16x8. splat
fd 11 i>v         i32x4. splat
fd 12 I>v         i64x2. splat
fd 13 f>v         f32x4. splat
fd 14 F>v         f64x2. splat
fd 15 v>i:l       i8x16. extract_lane_s extract_lane_u
fd 17 vi>v:l      i8x16. replace_lane
fd 18 v>i:l       i16x8. extract_lane_s extract_lane_u
fd 1a vi>v:l      i16x8. replace_lane
fd 1b v>i:l       i32x4. extract_lane
fd 1c vi>v:l      i32x4. replace_lane
fd 1d v>I:l       i64x2. extract_lane
fd 1e vI>v:l      i64x2. replace_lane
fd 1f v>f:l       f32x4. extract_lane
fd 20 vf>v:l      f32x4. replace_lane
fd 21 v>F:l       f64x2. extract_lane
fd 22 vF>v:l      f64x2. replace_lane
fd 23 vv>v        i8x16. eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
fd 2d vv>v        i16x8. eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
fd 37 vv>v        i32x4. eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
fd 41 vv>v        f32x4. eq ne lt gt le ge
fd 47 vv>v        f64x2. eq ne lt gt le ge
fd 4d v>v         v128.  not
fd 4e vv>v        v128.  and andnot or xor
fd 52 vvv>v       v128.  bitselect
fd 53 v>i         v128.  any_true
fd 54 iv>v:ml     v128.  load8_lane load16_lane load32_lane load64_lane
fd 58 iv>:ml      v128.  store8_lane store16_lane store32_lane store64_lane
fd 5c i>v:m       v128.  load32_zero load64_zero
fd 5e v>v         f32x4. demote_f64x2_zero
fd 5f v>v         f64x2. promote_low_f32x4
fd 60 v>v         i8x16. abs neg popcnt
fd 63 v>i         i8x16. all_true bitmask
fd 65 vv>v        i8x16. narrow_i16x8_s narrow_i16x8_u
fd 67 v>v         f32x4. ceil floor trunc nearest
fd 6b vi>v        i8x16. shl shr_s shr_u
fd 6e vv>v        i8x16. add add_sat_s add_sat_u sub sub_sat_s sub_sat_u
fd 74 v>v         f64x2. ceil floor
fd 76 vv>v        i8x16. min_s min_u max_s max_u
fd 7a v>v         f64x2. trunc
fd 7b vv>v        i8x16. avgr_u
fd 7c v>v         i16x8. extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u
fd 7e v>v         i32x4. extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u
fd 80 v>v         i16x8. abs neg
fd 82 vv>v        i16x8. q15mulr_sat_s
fd 83 v>i         i16x8. all_true bitmask
fd 85 vv>v        i16x8. narrow_i32x4_s narrow_i32x4_u
fd 87 v>v         i16x8. extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u
fd 8b vi>v        i16x8. shl shr_s shr_u
fd 8e vv>v        i16x8. add add_sat_s add_sat_u sub sub_sat_s sub_sat_u
fd 94 v>v         f64x2. nearest
fd 95 vv>v        i16x8. mul min_s min_u max_s max_u - avgr_u
fd 9c vv>v        i16x8. extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u
fd a0 v>v         i32x4. abs neg
fd a3 v>i         i32x4. all_true bitmask
fd a7 v>v         i32x4. extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u
fd ab vi>v        i32x4. shl shr_s shr_u
fd ae vv>v        i32x4. add - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s
fd bc vv>v        i32x4. extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u
fd c0 v>v         i64x2. abs neg
fd c3 v>i         i64x2. all_true bitmask
fd c7 v>v         i64x2. extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u
fd cb vi>v        i64x2. shl shr_s shr_u
fd ce vv>v        i64x2. add - - sub - - - mul eq ne lt_s gt_s le_s ge_s
fd dc vv>v        i64x2. extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u
fd e0 v>v         f32x4. abs neg - sqrt
fd e4 vv>v        f32x4. add sub mul div min max pmin pmax
fd ec v>v         f64x2. abs neg - sqrt
fd f0 vv>v        f64x2. add sub mul div min max pmin pmax
fd f8 v>v         i32x4. trunc_sat_f32x4_s trunc_sat_f32x4_u
fd fa v>v         f32x4. convert_i32x4_s convert_i32x4_u
fd fc v>v         i32x4. trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero
fd fe v>v         f64x2. convert_low_i32x4_s convert_low_i32x4_u

fd 100 vv>v       i8x16. relaxed_swizzle
fd 101 v>v        i32x4. relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero
fd 105 vvv>v      f32x4. relaxed_madd relaxed_nmadd
fd 107 vvv>v      f64x2. relaxed_madd relaxed_nmadd
fd 109 vvv>v      i8x16. relaxed_laneselect
fd 10a vvv>v      i16x8. relaxed_laneselect
fd 10b vvv>v      i32x4. relaxed_laneselect
fd 10c vvv>v      i64x2. relaxed_laneselect
fd 10d vv>v       f32x4. relaxed_min relaxed_max
fd 10f vv>v       f64x2. relaxed_min relaxed_max
fd 111 vv>v       i16x8. relaxed_q15mulr_s relaxed_dot_i8x16_i7x16_s
fd 113 vvv>v      i32x4. relaxed_dot_i8x16_i7x16_add_s

fe 00 ii>i:m      memory.atomic. notify
fe 01 iiI>i:m     memory.atomic. wait32
fe 02 iII>i:m     memory.atomic. wait64
fe 03 >:0         atomic. fence
fe 10 i>i:m       i32.atomic. load
fe 11 i>I:m       i64.atomic. load
fe 12 i>i:m       i32.atomic. load8_u load16_u
fe 14 i>I:m       i64.atomic. load8_u load16_u load32_u
fe 17 ii>:m       i32.atomic. store
fe 18 iI>:m       i64.atomic. store
fe 19 ii>:m       i32.atomic. store8 store16
fe 1b iI>:m       i64.atomic. store8 store16 store32
"""

_RMW = ("add", "sub", "and", "or", "xor", "xchg", "cmpxchg")
_RMW_WIDTHS = (("i32", ""), ("i64", ""), ("i32", "8"), ("i32", "16"), ("i64", "8"), ("i64", "16"), ("i64", "32"))

_TYPES = {"i": "i32", "I": "i64", "f": "f32", "F": "f64", "v": "v128", "t": "t"}
_BYTES = {"i32": 4, "i64": 8, "f32": 4, "f64": 8, "v128": 16}

Effect = Literal["pure", "trap", "read", "write"]


class Opcode(NamedTuple):
    """One instruction. Types are by name (`t`: any type, the same everywhere)."""

    mnemonic: str
    prefix: int | None
    code: int
    operands: tuple[str, ...]
    results: tuple[str, ...]
    immediates: str
    """One letter each: m memarg (log2 of the alignment, then the offset), l lane, s sixteen lanes, d data segment, 0 a
    zero byte (not kept).
    """
    effect: Effect
    """What keeps the instruction in its place: nothing, that it may trap, that it reads memory, that it writes (or
    synchronises).
    """
    bytes: int
    """How many bytes of memory a load or a store touches; 0 for others. Its natural alignment."""

    @property
    def immediate_count(self) -> int:
        return sum({"m": 2, "l": 1, "s": 16, "d": 1, "0": 0}[kind] for kind in self.immediates)

    @property
    def lanes(self) -> int:
        """How many values a lane immediate may take."""
        if "s" in self.immediates:
            return 32
        shape = re.match(r"[if]\d+x(\d+)", self.mnemonic)
        return int(shape[1]) if shape else 16 // self.bytes


def _access_bytes(mnemonic: str) -> int:
    """f64.load 8, i32.load8_u 1, v128.load16x4_s 8, i64.atomic.rmw32.add_u 4, memory.atomic.wait64 8, notify 4."""
    access = re.search(r"(?:load|store|rmw|wait|notify)(\d*)(?:x(\d))?", mnemonic)
    assert access, mnemonic
    width, count = access.groups()
    if width:
        return int(width) // 8 * int(count or 1)
    return _BYTES.get(mnemonic.partition(".")[0], 4)


def _effect(mnemonic: str, prefix: int | None, results: str, immediates: str) -> Effect:
    if (
        prefix == 0xFE
        or mnemonic == "unreachable"
        or (mnemonic.startswith(("memory.", "data.")) and mnemonic != "memory.size")
    ):
        return "write"
    if "m" in immediates:
        return "read" if results else "write"
    if mnemonic == "memory.size":
        return "read"
    return (
        "trap"
        if prefix is None and mnemonic[4:].startswith(("div_", "rem_", "trunc_f")) and results in "iI"
        else "pure"
    )


def _opcode(mnemonic: str, prefix: int | None, code: int, signature: str) -> Opcode:
    types, _, immediates = signature.partition(":")
    operands, results = types.split(">")
    touched = _access_bytes(mnemonic) if "m" in immediates else 0
    effect = _effect(mnemonic, prefix, results, immediates)
    takes, gives = (tuple(_TYPES[letter] for letter in side) for side in (operands, results))
    return Opcode(mnemonic, prefix, code, takes, gives, immediates, effect, touched)


def _table() -> dict[str, Opcode]:
    table: dict[str, Opcode] = {}
    for line in _TABLE.splitlines():
        if not line or line.startswith("#"):
            continue
        prefix, first, signature, stem, *names = line.split()
        for step, name in enumerate(names):
            if name != "-":
                mnemonic = name if stem == "-" else stem + name
                table[mnemonic] = _opcode(
                    mnemonic, None if prefix == "--" else int(prefix, 16), int(first, 16) + step, signature
                )
    code = 0x1E
    for operation in _RMW:
        for type, width in _RMW_WIDTHS:
            mnemonic = f"{type}.atomic.rmw{width}.{operation}{'_u' if width else ''}"
            value = "i" if type == "i32" else "I"
            values = value * (2 if operation == "cmpxchg" else 1)
            table[mnemonic] = _opcode(mnemonic, 0xFE, code, f"i{values}>{value}:m")
            code += 1
    return table


OPCODES: dict[str, Opcode] = _table()
"""Every instruction that `wasm.inst` takes, by mnemonic."""

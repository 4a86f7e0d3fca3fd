"""The ops of arith and math on one element or on a vector of lanes.

An element is a Wasm value (i1 is an i32 that is 0 or 1; narrower ones are explained in narrow.py). A vector is a v128: f32x4, i32x4 or f64x2, and a mask of all-ones lanes for i1. What
has no vector form is done lane by lane; what has no scalar form (the functions of math.py) is lane 0 of the vector one. Integer division never traps: x / 0 is -1 and
x % 0 is x, as in JAX.
"""

from __future__ import annotations

import math as numbers
from collections.abc import Callable, Sequence
from functools import cache

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, Float64Type, FloatAttr, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.narrow import GROW, UNSIGNED, narrow_width, sign_extended
from weft.dialects.wasm.builder import FuncBuilder
from weft.dialects.wasm.code import Value
from weft.passes.wasm import math
from weft.passes.wasm.narrow import from_half, half_bits, is_half, wrapped, zero_extended
from weft.passes.wasm.remainder import remf


@cache
def scalar_name(type: Attribute) -> str:
    """The Wasm type of one element: i32, i64, f32 or f64."""
    if isinstance(type, IntegerType):
        return "i64" if type.bitwidth == 64 else "i32"
    if isinstance(type, Float32Type) or is_half(type):
        return "f32"
    if isinstance(type, Float64Type):
        return "f64"
    raise PassFailedException(f"kernel-to-wasm: elements of type {type} are not supported")


@cache
def is_mask(type: Attribute) -> bool:
    """Whether it is i1, whose vectors are masks."""
    return isinstance(type, IntegerType) and type.bitwidth == 1


SHAPES = {"f32": "f32x4", "f64": "f64x2", "i32": "i32x4", "i64": "i64x2"}

_BINARY = {
    "arith.addf": "add", "arith.subf": "sub", "arith.mulf": "mul", "arith.divf": "div",
    "arith.addi": "add", "arith.subi": "sub", "arith.muli": "mul",
    "arith.andi": "and", "arith.ori": "or", "arith.xori": "xor",
}  # fmt: skip
_UNARY = {
    "arith.negf": "neg", "math.absf": "abs", "math.ceil": "ceil", "math.floor": "floor", "math.trunc": "trunc", "math.roundeven": "nearest", "math.sqrt": "sqrt",
}  # fmt: skip
_SHIFTS = {"arith.shli": "shl", "arith.shrsi": "shr_s", "arith.shrui": "shr_u"}
_COUNTS = {"math.ctlz": "clz", "math.cttz": "ctz", "math.ctpop": "popcnt"}
_MINMAX = {
    "arith.maxsi": ("gt_s", "max_s"),
    "arith.minsi": ("lt_s", "min_s"),
    "arith.maxui": ("gt_u", "max_u"),
    "arith.minui": ("lt_u", "min_u"),
}
_CMPI = ("eq", "ne", "lt_s", "le_s", "gt_s", "ge_s", "lt_u", "le_u", "gt_u", "ge_u")
_CMPF = ("false", "eq", "gt", "ge", "lt", "le", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "ne", "uno", "true")
_NOT_CMPF = {"ugt": "le", "uge": "lt", "ult": "ge", "ule": "gt"}
_FLOAT_MINMAX = {
    "arith.maximumf": ("max", True),
    "arith.minimumf": ("min", True),
    "arith.maxnumf": ("max", False),
    "arith.minnumf": ("min", False),
}


class Lanes:
    """Emits ops to a function builder. `count` is how many lanes a vector has."""

    def __init__(self, b: FuncBuilder, count: int, relaxed: bool = True):
        self.b, self.count, self.relaxed = b, count, relaxed

    # -- between elements and vectors ---------------------------------------------------------------------------------------------------

    def constant(self, value: float, type: Attribute, vector: bool) -> Value:
        name, width = scalar_name(type), narrow_width(type)
        if width:
            value = sign_extended(int(value), width)
        if vector:
            if is_mask(type):
                return self.b.const_v128("i32x4", -1 if value else 0)
            return self.b.const_v128(SHAPES[name], value)
        match name:
            case "f32":
                return self.b.const_f32(value)
            case "f64":
                return self.b.const_f64(value)
            case "i64":
                return self.b.const_i64(int(value))
        return self.b.const_i32(abs(int(value)) if is_mask(type) else int(value))

    def splat(self, value: Value, type: Attribute) -> Value:
        if is_mask(type):
            return self.b.inst("i32x4.splat", self.b.inst("i32.sub", self.b.const_i32(0), value))
        return self.b.inst(SHAPES[scalar_name(type)] + ".splat", value)

    def _shape(self, type: Attribute) -> str:
        if is_mask(type):
            return "i32x4" if self.count == 4 else "i64x2"
        return SHAPES[scalar_name(type)]

    def extract(self, value: Value, type: Attribute, lane: int) -> Value:
        """One lane as an element."""
        if is_mask(type):
            bits = self.b.inst("i32x4.extract_lane", value, imm=(lane * 4 // self.count,))
            return self.b.inst("i32.and", bits, self.b.const_i32(1))
        return self.b.inst(self._shape(type) + ".extract_lane", value, imm=(lane,))

    def pack(self, values: Sequence[Value], type: Attribute) -> Value:
        """A vector of elements."""
        shape = self._shape(type)
        if is_mask(type):
            values = [self.b.inst("i32.sub", self.b.const_i32(0), v) for v in values]
            if shape == "i64x2":
                values = [self.b.inst("i64.extend_i32_s", v) for v in values]
        result = self.b.inst(shape + ".splat", values[0])
        for lane, value in enumerate(values[1:], 1):
            result = self.b.inst(shape + ".replace_lane", result, value, imm=(lane,))
        return result

    def select(self, cond: Value, a: Value, b: Value, mask: bool) -> Value:
        """a where the condition (an i32, or a mask of lanes) holds, else b."""
        return self.b.inst("v128.bitselect", a, b, cond) if mask else self.b.select(cond, a, b)

    def lanewise(
        self, f: Callable[..., Value], args: Sequence[Value], types: Sequence[Attribute], result: Attribute
    ) -> Value:
        """A vector from a function on elements."""
        lanes = [f(*(self.extract(a, t, lane) for a, t in zip(args, types, strict=True))) for lane in range(self.count)]
        return self.pack(lanes, result)

    # -- ops ----------------------------------------------------------------------------------------------------------------------------

    def apply(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        """The result of an op of arith or math on elements, or on vectors."""
        name, type = op.name, op.operands[0].type
        b = self.b
        if (width := narrow_width(type)) and name in UNSIGNED:
            args = [zero_extended(b, a, type, vector) for a in args]
        result = self._apply(op, args, vector)
        if width and name == "math.ctlz":
            above = self.constant(32 - width, type, vector)
            return b.inst(f"{self._shape(type) if vector else 'i32'}.sub", result, above)
        return (
            wrapped(b, result, op.results[0].type, vector)
            if name in GROW and narrow_width(op.results[0].type)
            else result
        )

    def _apply(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        """The result of an op on values as wide as Wasm's."""
        name, type = op.name, op.operands[0].type
        b = self.b
        kind = self._shape(type) if vector else scalar_name(type)
        if (word := _BINARY.get(name)) is not None:
            if vector and word in ("and", "or", "xor"):
                return b.inst(f"v128.{word}", *args)
            return b.inst(f"{kind}.{word}", *args)
        if (word := _UNARY.get(name)) is not None:
            return b.inst(f"{kind}.{word}", *args)
        if name in _FLOAT_MINMAX:
            word, propagate = _FLOAT_MINMAX[name]
            return self._float_minmax(word, propagate, kind, args, vector, [_number(v) for v in op.operands])
        if name in _MINMAX:
            compare, word = _MINMAX[name]
            if vector:
                return b.inst(f"i32x4.{word}", *args)
            return b.select(b.inst(f"{kind}.{compare}", *args), *args)
        if name == "arith.cmpf":
            return self._compare_floats(_CMPF[op.properties["predicate"].value.data], kind, args, vector)  # type: ignore[attr-defined]
        if name == "arith.cmpi":
            word = _CMPI[op.properties["predicate"].value.data]  # type: ignore[attr-defined]
            return b.inst(f"{'i32x4' if vector and is_mask(type) else kind}.{word}", *args)
        if name == "arith.select":
            return self.select(args[0], args[1], args[2], vector)
        if (word := _SHIFTS.get(name)) is not None:
            if not vector:
                return b.inst(f"{kind}.{word}", *args)
            if (count := _number(op.operands[1])) is not None:
                return b.inst(f"{kind}.{word}", args[0], b.const_i32(int(count)))
        method = _CONVERSIONS.get(name) or _OTHERS.get(name)
        if method is not None:
            return method(self, op, args, vector)
        if name in _COUNTS and not vector:
            return b.inst(f"{kind}.{_COUNTS[name]}", *args)
        function = name.removeprefix("math.")
        if name.startswith("math.") and function in math.FUNCTIONS:
            bits = 64 if isinstance(type, Float64Type) else 32
            known = {"exponent": _number(op.operands[1])} if function == "powf" else {}
            lanes = args if vector else [self.splat(a, type) for a in args]
            wide = math.emit(b, function, bits, *lanes, relaxed=self.relaxed, **known)
            return wide if vector else self.extract(wide, type, 0)
        if vector:
            return self.lanewise(
                lambda *xs: self._apply(op, xs, False), args, [v.type for v in op.operands], op.results[0].type
            )
        raise PassFailedException(f"kernel-to-wasm: {name} is not supported in the body of a nest")

    def _float_minmax(
        self,
        word: str,
        propagate: bool,
        kind: str,
        args: Sequence[Value],
        vector: bool,
        known: Sequence[float | None],
    ) -> Value:
        """Greater or smaller; a NaN operand wins, or loses. `f32x4.max` itself is slow in Cranelift, `pmax` (a < b ? b : a) is one instruction."""
        b, (x, y) = self.b, args
        if not vector:
            if propagate:
                return b.inst(f"{kind}.{word}", x, y)
            picked = b.inst(f"{kind}.{word}", x, y)
            picked = b.select(b.inst(f"{kind}.ne", x, x), y, picked)
            return b.select(b.inst(f"{kind}.ne", y, y), x, picked)
        if known[0] is not None and known[1] is None:
            x, y, known = y, x, (known[1], known[0])
        plain = known[1] is not None and not numbers.isnan(known[1])
        if propagate:
            picked = b.inst(f"{kind}.p{word}", x, y)
            return picked if plain else b.inst("v128.bitselect", y, picked, b.inst(f"{kind}.ne", y, y))
        picked = b.inst(f"{kind}.p{word}", y, x)
        return picked if plain else b.inst("v128.bitselect", x, picked, b.inst(f"{kind}.ne", y, y))

    def _compare_floats(self, word: str, kind: str, args: Sequence[Value], vector: bool) -> Value:
        b, (x, y) = self.b, args

        def test(name: str, p: Value = x, q: Value = y) -> Value:
            return b.inst(f"{kind}.{name}", p, q)

        def both(name: str, p: Value, q: Value) -> Value:
            return b.inst(f"{'v128' if vector else 'i32'}.{name}", p, q)

        def negated(p: Value) -> Value:
            return b.inst("v128.not", p) if vector else b.inst("i32.eqz", p)

        match word:
            case "one":
                return both("or", test("lt"), test("gt"))
            case "ueq":
                return negated(both("or", test("lt"), test("gt")))
            case "ord":
                return both("and", test("eq", x, x), test("eq", y, y))
            case "uno":
                return both("or", test("ne", x, x), test("ne", y, y))
            case "true" | "false":
                return self.constant(word == "true", IntegerType(1), vector)
        return negated(test(_NOT_CMPF[word])) if word in _NOT_CMPF else test(word)

    # -- conversions --------------------------------------------------------------------------------------------------------------------

    def _to_float(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        source, target = op.operands[0].type, scalar_name(op.results[0].type)
        sign = "s" if op.name == "arith.sitofp" else "u"
        if vector:
            if is_mask(source):
                return self.b.inst("v128.and", args[0], self.constant(1.0, op.results[0].type, True))
            return self.b.inst(f"f32x4.convert_i32x4_{sign}", args[0])
        return self.b.inst(f"{target}.convert_{scalar_name(source)}_{'u' if is_mask(source) else sign}", args[0])

    def _to_int(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        source, target = scalar_name(op.operands[0].type), scalar_name(op.results[0].type)
        sign = op.name[-2]
        if vector:
            return self.b.inst(f"i32x4.trunc_sat_f32x4_{sign}", args[0])
        return self.b.inst(f"{target}.trunc_sat_{source}_{sign}", args[0])

    def _widen_int(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        source, target = op.operands[0].type, scalar_name(op.results[0].type)
        signed = op.name == "arith.extsi"
        assert isinstance(source, IntegerType)
        if vector:
            mask = (1 << source.bitwidth) - 1
            return (
                args[0] if signed else self.b.inst("v128.and", args[0], self.constant(mask, op.results[0].type, True))
            )
        value = args[0]
        if signed and is_mask(source):
            value = self.b.inst("i32.sub", self.b.const_i32(0), value)
        elif not signed and narrow_width(source):
            value = zero_extended(self.b, value, source, False)
        if target == "i64" and scalar_name(source) == "i32":
            return self.b.inst(f"i64.extend_i32_{'s' if signed else 'u'}", value)
        return value

    def _narrow_int(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        value = args[0]
        if vector:
            if not is_mask(op.results[0].type):
                return value
            one = self.b.inst("v128.and", value, self.b.const_v128("i32x4", 1))
            return self.b.inst("i32x4.neg", one)
        if scalar_name(op.operands[0].type) == "i64":
            value = self.b.inst("i32.wrap_i64", value)
        return self.b.inst("i32.and", value, self.b.const_i32(1)) if is_mask(op.results[0].type) else value

    def _change_float(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        source, target = op.operands[0].type, op.results[0].type
        value = args[0]
        if scalar_name(source) != scalar_name(target):
            value = self.b.inst("f64.promote_f32" if scalar_name(target) == "f64" else "f32.demote_f64", value)
        return self.from_half(self.half_bits(value, target, vector), target, vector) if is_half(target) else value

    def half_bits(self, x: Value, type: Attribute, vector: bool) -> Value:
        """A 16-bit float as its bits, with zeros above."""
        bits = half_bits(self.b, x if vector else self.b.inst("f32x4.splat", x), type)
        return bits if vector else self.b.inst("i32x4.extract_lane", bits, imm=(0,))

    def from_half(self, bits: Value, type: Attribute, vector: bool) -> Value:
        """A 16-bit float from its bits."""
        value = from_half(self.b, bits if vector else self.b.inst("i32x4.splat", bits), type)
        return value if vector else self.b.inst("f32x4.extract_lane", value, imm=(0,))

    def _bitcast(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        source, target = op.operands[0].type, op.results[0].type
        a, b = scalar_name(source), scalar_name(target)
        if source != target and (is_half(source) or is_half(target)):
            bits = self.half_bits(args[0], source, vector) if is_half(source) else args[0]
            return self.from_half(bits, target, vector) if is_half(target) else wrapped(self.b, bits, target, vector)
        return args[0] if vector or a == b else self.b.inst(f"{b}.reinterpret_{a}", args[0])

    # -- the rest -----------------------------------------------------------------------------------------------------------------------

    def _divide(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        if vector:
            return self.lanewise(
                lambda *xs: self._divide(op, xs, False), args, [v.type for v in op.operands], op.results[0].type
            )
        b, (x, y) = self.b, args
        t = scalar_name(op.operands[0].type)
        number = b.const_i32 if t == "i32" else b.const_i64
        known = _number(op.operands[1])
        signed = op.name in ("arith.divsi", "arith.remsi", "arith.floordivsi")
        quotient = op.name in ("arith.divsi", "arith.divui")
        word = ("div_" if quotient else "rem_") + ("s" if signed else "u")
        if known not in (None, 0, -1):
            return b.inst(f"{t}.{word}", x, y)
        zero = b.inst(f"{t}.eqz", y)
        if not quotient:  # the remainder by -1 does not trap
            return b.select(zero, x, b.inst(f"{t}.{word}", x, b.select(zero, number(1), y)))
        if not signed:
            return b.select(zero, number(-1), b.inst(f"{t}.{word}", x, b.select(zero, number(1), y)))
        minus = b.inst(f"{t}.eq", y, number(-1))
        safe = b.select(b.inst("i32.or", zero, minus), number(1), y)
        result = b.select(minus, b.inst(f"{t}.sub", number(0), x), b.inst(f"{t}.{word}", x, safe))
        return b.select(zero, number(-1), result)

    def _abs_int(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        if vector:
            return self.b.inst("i32x4.abs", args[0])
        t = scalar_name(op.operands[0].type)
        zero = self.constant(0, op.operands[0].type, False)
        return self.b.select(self.b.inst(f"{t}.lt_s", args[0], zero), self.b.inst(f"{t}.sub", zero, args[0]), args[0])

    def _copysign(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        if not vector:
            return self.b.inst(f"{scalar_name(op.operands[0].type)}.copysign", *args)
        return self.b.inst("v128.bitselect", args[1], args[0], self.constant(-0.0, op.operands[0].type, True))

    def _remainder(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        type = op.operands[0].type
        x, y = args if vector else (self.splat(a, type) for a in args)
        rest = remf(self.b, 64 if isinstance(type, Float64Type) else 32, x, y)
        return rest if vector else self.extract(rest, type, 0)

    def _round(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        """Half away from zero: truncate after adding just less than a half."""
        type = op.operands[0].type
        less = numbers.nextafter(0.5, 0) if isinstance(type, Float64Type) else 0.5 - 2.0**-25
        kind = self._shape(type) if vector else scalar_name(type)
        half = self._copysign(op, (self.constant(less, type, vector), args[0]), vector)
        return self.b.inst(f"{kind}.trunc", self.b.inst(f"{kind}.add", args[0], half))

    def _fma(self, op: Operation, args: Sequence[Value], vector: bool) -> Value:
        return self.multiply_add(args[0], args[1], args[2], op.operands[0].type, vector)

    def multiply_add(self, x: Value, y: Value, z: Value, type: Attribute, vector: bool) -> Value:
        """x * y + z; rounded once where the engine can."""
        kind = self._shape(type) if vector else scalar_name(type)
        if vector and self.relaxed:
            return self.b.inst(f"{kind}.relaxed_madd", x, y, z)
        return self.b.inst(f"{kind}.add", self.b.inst(f"{kind}.mul", x, y), z)

    # -- reductions ---------------------------------------------------------------------------------------------------------------------

    def combine(self, kind: str, x: Value, y: Value, type: Attribute, vector: bool) -> Value:
        """What a reduction does with two partial results. max and min are NaN where one is."""
        b = self.b
        floating = not isinstance(type, IntegerType)
        t = self._shape(type) if vector else scalar_name(type)
        if kind in ("and", "or", "xor"):
            return b.inst(f"{'v128' if vector else t}.{kind}", x, y)
        if kind in ("add", "mul"):
            total = b.inst(f"{t}.{kind}", x, y)
            return wrapped(b, total, type, vector) if narrow_width(type) else total
        if floating:
            if not vector:
                return b.inst(f"{t}.{kind}", x, y)
            # a NaN that x has stays (the comparison fails); one that y has comes in as all ones
            return b.inst("v128.or", b.inst(f"{t}.p{kind}", x, y), b.inst(f"{t}.ne", y, y))
        word, sign = kind[-3:], "u" if kind[0] == "u" else "s"
        if vector:
            return b.inst(f"{'i32x4' if is_mask(type) else t}.{word}_{'u' if is_mask(type) else sign}", x, y)
        return b.select(b.inst(f"{t}.{'gt' if word == 'max' else 'lt'}_{sign}", x, y), x, y)

    def across(self, kind: str, value: Value, type: Attribute) -> Value:
        """The lanes of a vector combined, as an element."""
        parts = [self.extract(value, type, lane) for lane in range(self.count)]
        while len(parts) > 1:
            parts = [self.combine(kind, parts[k], parts[k + 1], type, False) for k in range(0, len(parts), 2)]
        return parts[0]


def _number(value: SSAValue) -> float | None:
    """The number of a constant."""
    if not isinstance(value.owner, arith.ConstantOp):
        return None
    attr = value.owner.value
    return attr.value.data if isinstance(attr, (IntegerAttr, FloatAttr)) else None


Method = Callable[[Lanes, Operation, Sequence[Value], bool], Value]

_CONVERSIONS: dict[str, Method] = {
    "arith.sitofp": Lanes._to_float,
    "arith.uitofp": Lanes._to_float,
    "arith.fptosi": Lanes._to_int,
    "arith.fptoui": Lanes._to_int,
    "arith.extsi": Lanes._widen_int,
    "arith.extui": Lanes._widen_int,
    "arith.trunci": Lanes._narrow_int,
    "arith.extf": Lanes._change_float,
    "arith.truncf": Lanes._change_float,
    "arith.bitcast": Lanes._bitcast,
}

_OTHERS: dict[str, Method] = {
    "arith.divsi": Lanes._divide,
    "arith.divui": Lanes._divide,
    "arith.remsi": Lanes._divide,
    "arith.remui": Lanes._divide,
    "kernel.remf": Lanes._remainder,
    "math.absi": Lanes._abs_int,
    "math.copysign": Lanes._copysign,
    "math.round": Lanes._round,
    "math.fma": Lanes._fma,
}

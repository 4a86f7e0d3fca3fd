"""How WGSL writes each op of `arith`, `math`, `vector` and `gpu` that has one result and no effect: types, strengths of operators, one table from op to text.

Where WGSL differs from the op (NaN, division by zero, shifts, truth values), the text calls a function of `wgsl_math` or says it in other words.
"""

from __future__ import annotations

from collections.abc import Callable
from math import copysign
from typing import TYPE_CHECKING

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import (
    BFloat16Type,
    DenseIntOrFPElementsAttr,
    Float16Type,
    FloatAttr,
    IndexType,
    IntegerType,
)
from xdsl.ir import Attribute, Operation

from weft.dialects.gpu import wgsl_int64
from weft.dialects.gpu.ops import (
    SubgroupReduceOp,
    SubgroupShuffleOp,
)
from weft.dialects.gpu.wgsl_types import I64, element_of, lanes_of, type_name
from weft.dialects.kernel.narrow import GROW, UNSIGNED, narrow_width

if TYPE_CHECKING:
    from weft.dialects.gpu.wgsl import Printer


RESERVED = frozenset((
    "alias", "break", "case", "const", "const_assert", "continue", "continuing", "default", "diagnostic", "discard", "else", "enable", "false", "fn",
    "for", "if", "let", "loop", "override", "requires", "return", "struct", "switch", "true", "var", "while", "bool", "f16", "f32", "i32", "u32", "array",
    "atomic", "vec2", "vec3", "vec4", "mat2x2", "mat3x3", "mat4x4", "ptr", "sampler", "main", "abs", "acos", "asin", "atan", "ceil", "clamp", "cos",
    "cosh", "cross", "degrees", "dot", "exp", "exp2", "floor", "fma", "fract", "length", "log", "log2", "max", "min", "mix", "modf", "normalize", "pow",
    "round", "select", "sign", "sin", "sinh", "sqrt", "step", "tan", "tanh", "transpose", "trunc", "bitcast", "all", "any", "workgroup", "storage",
    "private", "function", "uniform", "read", "write", "read_write", "active", "as", "async", "auto", "await", "cast", "class", "final", "from", "get",
    "null", "of", "on", "self", "set", "static", "super", "this", "type", "typedef", "union", "unless", "use", "using", "where", "with", "yield", "do",
    "goto", "import", "impl", "in", "index", "li", "wg",
))  # fmt: skip
"""Words that no variable may be called: WGSL's own, those that it reserves, and functions and values that the text uses."""

# Strength of binding: what is written inside a stronger operator needs parentheses. WGSL wants them between all but the arithmetic ones.
ATOM, UNARY, TIMES, PLUS, LOOSE = range(5)

Text = tuple[str, int]


def _paren(text: Text, strength: int) -> str:
    return text[0] if text[1] <= strength else f"({text[0]})"


def _infix(symbol: str, strength: int, right: int | None = None) -> Callable[[Printer, Operation, list[Text]], Text]:
    """An operator; operands bound looser than `strength` (the right one: than `right`) stand in parentheses."""
    left = strength if strength < LOOSE else ATOM
    other = right if right is not None else left

    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        return f"{_paren(args[0], left)} {symbol} {_paren(args[1], other)}", strength

    return emit


_DIVF = _infix("/", TIMES, UNARY)


def _divf(p: Printer, op: Operation, args: list[Text]) -> Text:
    """A quotient. Division by what is known to be zero may give anything (Mesa's drivers give 0), so it is a product with an infinity, which is the same number, or NaN."""
    divisor = op.operands[1].owner
    if isinstance(divisor, arith.ConstantOp):
        signs = {copysign(1.0, v.value.data) if v.value.data == 0 else 0.0 for v in _floats(divisor.value)}
        if signs == {1.0} or signs == {-1.0}:
            text, strength = _own("over_zero")(p, op, args[:1])
            return (text, strength) if 1.0 in signs else (f"-{text}", UNARY)
    return _DIVF(p, op, args)


def _floats(value: Attribute) -> list[FloatAttr]:
    """The elements of a constant."""
    return list(value.iter_attrs()) if isinstance(value, DenseIntOrFPElementsAttr) else [value]  # type: ignore[list-item]


def _call(name: str) -> Callable[[Printer, Operation, list[Text]], Text]:
    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        return f"{name}({', '.join(a for a, _ in args)})", ATOM

    return emit


def _own(name: str) -> Callable[[Printer, Operation, list[Text]], Text]:
    """A function of `wgsl_math`."""

    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        return f"{p.own(name, lanes_of(op.results[0].type))}({', '.join(a for a, _ in args)})", ATOM

    return emit


def _unsigned(emit: Callable[[Printer, Operation, list[Text]], Text], result: bool = True):
    """An op on unsigned integers: operands (and the result) reinterpreted."""

    def wrapped(p: Printer, op: Operation, args: list[Text]) -> Text:
        type = op.operands[0].type
        unsigned = "u32" if lanes_of(type) == 1 else f"vec{lanes_of(type)}<u32>"
        text = emit(p, op, [(f"bitcast<{unsigned}>({a})", ATOM) for a, _ in args])
        return (f"bitcast<{type_name(type)}>({text[0]})", ATOM) if result else text

    return wrapped


def _shift(symbol: str):
    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        unsigned = "u32" if lanes_of(op.operands[0].type) == 1 else f"vec{lanes_of(op.operands[0].type)}<u32>"
        amount = p.literal_of(op.operands[1])
        count = (
            f"{unsigned}({amount & 31}u)"
            if amount is not None and unsigned != "u32"
            else f"{amount & 31}u"
            if amount is not None
            else None
        )
        return f"{_paren(args[0], ATOM)} {symbol} {count or f'({unsigned}({args[1][0]}) & {unsigned}(31u))'}", LOOSE

    return emit


def _divide(name: str, symbol: str, unsigned: bool = False):
    """Integer division: plain where the divisor is a constant other than 0 and -1. A remainder is plain between indices only, which are never negative where one is taken."""
    plain, careful = _infix(symbol, TIMES, UNARY), _own(name)

    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        by, index = p.literal_of(op.operands[1]), op.results[0].type == IndexType()
        known = by is not None and by not in (0, -1) and not p.is_literal(op.operands[0])
        return (plain if known and (symbol == "/" or unsigned or index) else careful)(p, op, args)

    return _unsigned(emit) if unsigned else emit


def _logical(integers: str, truths: str):
    of_integers, of_truths = _infix(integers, LOOSE), _infix(truths, LOOSE)

    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        return (of_truths if element_of(op.results[0].type) == IntegerType(1) else of_integers)(p, op, args)

    return emit


def _convert(p: Printer, op: Operation, args: list[Text]) -> Text:
    source, target = element_of(op.operands[0].type), element_of(op.results[0].type)
    name = type_name(op.results[0].type)
    if type_name(op.operands[0].type) == name:
        return args[0]
    if target == IntegerType(1):
        return (
            f"({_paren(args[0], ATOM)} & {name.replace('bool', 'i32') if '<' in name else ''}{'(1)' if '<' in name else '1'}) != {'vec' + name[3] + '<i32>(0)' if '<' in name else '0'}",
            LOOSE,
        )
    assert source != target
    return f"{name}({args[0][0]})", ATOM


def _convert_unsigned(p: Printer, op: Operation, args: list[Text]) -> Text:
    """uitofp reads its operand as unsigned; fptoui writes an unsigned result."""
    source, target = op.operands[0].type, op.results[0].type
    unsigned = "u32" if lanes_of(target) == 1 else f"vec{lanes_of(target)}<u32>"
    if isinstance(element_of(target), IntegerType):
        return f"bitcast<{type_name(target)}>({unsigned}({args[0][0]}))", ATOM
    if element_of(source) == IntegerType(1):
        return f"{type_name(target)}({args[0][0]})", ATOM
    return f"{type_name(target)}(bitcast<{unsigned}>({args[0][0]}))", ATOM


def _round_float(p: Printer, op: Operation, args: list[Text]) -> Text:
    """A float in a narrower type: kept as f32, and rounded here."""
    name = "round_bf16" if isinstance(element_of(op.results[0].type), BFloat16Type) else "round_f16"
    return f"{p.own(name, lanes_of(op.results[0].type))}({args[0][0]})", ATOM


def _sign_extend(p: Printer, op: Operation, args: list[Text]) -> Text:
    text = _convert(p, op, args)
    return (f"-{text[0]}", UNARY) if element_of(op.operands[0].type) == IntegerType(1) else text


def _bitcast(p: Printer, op: Operation, args: list[Text]) -> Text:
    """Registers hold a 16-bit float as f32, and its bits sign-extended: from one to the other by functions of ours, between two such floats by both."""
    source, target = (element_of(v.type) for v in (op.operands[0], op.results[0]))
    if source == target or {source, target}.isdisjoint((BFloat16Type(), Float16Type())):
        return f"bitcast<{type_name(op.results[0].type)}>({args[0][0]})", ATOM
    lanes, text = lanes_of(op.results[0].type), args[0][0]
    signed, unsigned = (t if lanes == 1 else f"vec{lanes}<{t}>" for t in ("i32", "u32"))
    if isinstance(source, (BFloat16Type, Float16Type)):
        bits = p.own("bf16_bits" if isinstance(source, BFloat16Type) else "f16_bits", lanes)
        text = f"extractBits(bitcast<{signed}>({bits}({text})), 0u, 16u)"
    if isinstance(target, BFloat16Type):
        return f"bitcast<{type_name(op.results[0].type)}>(bitcast<{unsigned}>({text}) << {unsigned}(16u))", ATOM
    return (
        f"{p.own('from_f16', lanes)}(bitcast<{unsigned}>({text}))" if isinstance(target, Float16Type) else text
    ), ATOM


_CMPI = {0: "==", 1: "!=", 2: "<", 3: "<=", 4: ">", 5: ">=", 6: "<", 7: "<=", 8: ">", 9: ">="}
_CMPF = {1: "==", 2: ">", 3: ">=", 4: "<", 5: "<=", 8: "!=<=", 9: "!<=", 10: "!<", 11: "!>=", 12: "!>", 13: "!=="}


def _cmpi(p: Printer, op: Operation, args: list[Text]) -> Text:
    predicate = p.predicate(op)
    kind = element_of(op.operands[0].type)
    if kind == IntegerType(1) and predicate > 1:
        integer = "u32" if predicate >= 6 else "i32"
        sign = "" if predicate >= 6 else "-"
        args = [(f"{sign}{integer}({a})", UNARY) for a, _ in args]
        return _infix(_CMPI[predicate], LOOSE, UNARY)(p, op, args)
    emit = _infix(_CMPI[predicate], LOOSE)
    return (_unsigned(emit, result=False) if predicate >= 6 else emit)(p, op, args)


def _cmpf(p: Printer, op: Operation, args: list[Text]) -> Text:
    """Ordered predicates are WGSL's operators; an unordered one is the negation of the opposite, which NaN makes true."""
    predicate = p.predicate(op)
    a, b = (_paren(t, ATOM) for t in args)
    is_nan = p.own("is_nan", lanes_of(op.operands[0].type)) if predicate in (6, 7, 8, 14) else ""
    if predicate in (0, 15):
        return ("true" if predicate else "false"), ATOM
    if predicate == 6:  # one: ordered and different
        return f"!(({a} == {b}) | {is_nan}({a}) | {is_nan}({b}))", UNARY
    if predicate == 7:
        return f"!({is_nan}({a}) | {is_nan}({b}))", UNARY
    if predicate == 8:  # ueq
        return f"({a} == {b}) | {is_nan}({a}) | {is_nan}({b})", LOOSE
    if predicate == 14:
        return f"{is_nan}({a}) | {is_nan}({b})", LOOSE
    symbol = _CMPF[predicate]
    return (f"!({a} {symbol[1:]} {b})", UNARY) if symbol[0] == "!" else (f"{a} {symbol} {b}", LOOSE)


def _select(p: Printer, op: Operation, args: list[Text]) -> Text:
    return f"select({args[2][0]}, {args[1][0]}, {args[0][0]})", ATOM


def _negate(p: Printer, op: Operation, args: list[Text]) -> Text:
    return f"-{_paren(args[0], ATOM)}", UNARY


def _extract(p: Printer, op: Operation, args: list[Text]) -> Text:
    assert isinstance(op, vector.ExtractOp)
    position = op.static_position.get_values()
    if op.dynamic_position:
        return f"{_paren(args[0], ATOM)}[{args[1][0]}]", ATOM
    return f"{_paren(args[0], ATOM)}.{'xyzw'[position[0]]}", ATOM


def _construct(p: Printer, op: Operation, args: list[Text]) -> Text:
    return f"{type_name(op.results[0].type)}({', '.join(a for a, _ in args)})", ATOM


def _builtin(name: str, of: str | None = None):
    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        p.builtins[name] = None
        suffix = f".{op.properties['dimension'].data}" if "dimension" in op.properties else ""  # type: ignore[attr-defined]
        return f"i32({name}{suffix})", ATOM

    return emit


def _block_dim(p: Printer, op: Operation, args: list[Text]) -> Text:
    return str(p.workgroup["xyz".index(op.properties["dimension"].data)]), ATOM  # type: ignore[attr-defined]


def _min_or_max_i1(name: str):
    """min and max of integers, of truth values too."""
    plain = _call(name)

    def emit(p: Printer, op: Operation, args: list[Text]) -> Text:
        if element_of(op.results[0].type) == IntegerType(1):
            return _infix("&" if name == "min" else "|", LOOSE)(p, op, args)
        return plain(p, op, args)

    return emit


def _subgroup_reduce(p: Printer, op: Operation, args: list[Text]) -> Text:
    assert isinstance(op, SubgroupReduceOp)
    kind = op.kind.data
    name = "subgroup" + {"umax": "Max", "umin": "Min"}.get(kind, kind.capitalize())
    emit = _call(name)
    return (_unsigned(emit) if kind in ("umax", "umin") else emit)(p, op, args)


def _subgroup_shuffle(p: Printer, op: Operation, args: list[Text]) -> Text:
    assert isinstance(op, SubgroupShuffleOp)
    mode = op.mode.data
    return f"subgroupShuffle{'' if mode == 'idx' else mode.capitalize()}({args[0][0]}, u32({args[1][0]}))", ATOM


# a sum or a product on the right keeps its parentheses: rounding depends on the order, and so does a product with an integer quotient
_ADD, _MUL = _infix("+", PLUS, TIMES), _infix("*", TIMES, UNARY)
_i1_and = _logical("&", "&")

EXPRESSIONS: dict[str, Callable[[Printer, Operation, list[Text]], Text]] = {
    "arith.addi": lambda p, op, a: (_infix("!=", LOOSE) if element_of(op.results[0].type) == IntegerType(1) else _ADD)(
        p, op, a
    ),
    "arith.muli": lambda p, op, a: (_i1_and if element_of(op.results[0].type) == IntegerType(1) else _MUL)(p, op, a),
    "arith.subi": _infix("-", PLUS, TIMES),
    "arith.divsi": _divide("div_i32", "/"),
    "arith.remsi": _divide("rem_i32", "%"),
    "arith.floordivsi": _own("floordiv_i32"),
    "arith.divui": _divide("div_u32", "/", unsigned=True),
    "arith.remui": _divide("rem_u32", "%", unsigned=True),
    "arith.minsi": _min_or_max_i1("min"),
    "arith.maxsi": _min_or_max_i1("max"),
    "arith.minui": _unsigned(_call("min")),
    "arith.maxui": _unsigned(_call("max")),
    "arith.andi": _i1_and,
    "arith.ori": _logical("|", "|"),
    "arith.xori": _logical("^", "!="),
    "arith.shli": _shift("<<"),
    "arith.shrsi": _shift(">>"),
    "arith.shrui": lambda p, op, a: _shrui(p, op, a),
    "arith.cmpi": _cmpi,
    "arith.cmpf": _cmpf,
    "arith.select": _select,
    "arith.addf": _ADD,
    "arith.subf": _infix("-", PLUS, TIMES),
    "arith.mulf": _MUL,
    "arith.divf": _divf,
    "kernel.remf": _own("fmod"),
    "arith.negf": _negate,
    "arith.maximumf": _own("max"),
    "arith.minimumf": _own("min"),
    "arith.maxnumf": _call("max"),
    "arith.minnumf": _call("min"),
    "arith.bitcast": _bitcast,
    "arith.index_cast": _convert,
    "arith.fptosi": _convert,
    "arith.sitofp": lambda p, op, a: (_sign_extend if element_of(op.operands[0].type) == IntegerType(1) else _convert)(
        p, op, a
    ),
    "arith.fptoui": _convert_unsigned,
    "arith.uitofp": _convert_unsigned,
    "arith.extf": _convert,
    "arith.truncf": _round_float,
    "arith.trunci": _convert,
    "arith.extsi": _sign_extend,
    "arith.extui": _convert,
    "math.absf": _call("abs"),
    "math.absi": _call("abs"),
    "math.ceil": _call("ceil"),
    "math.floor": _call("floor"),
    "math.trunc": _call("trunc"),
    "math.roundeven": _call("round"),
    "math.round": _own("round_away"),
    "math.sqrt": _call("sqrt"),
    "math.rsqrt": _call("inverseSqrt"),
    "math.fma": _call("fma"),
    "math.powf": _own("pow"),
    "math.ctlz": _call("countLeadingZeros"),
    "math.cttz": _call("countTrailingZeros"),
    "math.ctpop": _call("countOneBits"),
    **{
        f"math.{n}": _own(n)
        for n in [
            "exp",
            "exp2",
            "expm1",
            "log",
            "log2",
            "log10",
            "log1p",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "atan2",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "acosh",
            "atanh",
            "cbrt",
            "erf",
            "copysign",
        ]
    },
    "vector.broadcast": _construct,
    "vector.fma": _call("fma"),
    "vector.extract": _extract,
    "gpu.lanes": _construct,
    "gpu.thread_id": _builtin("local_id"),
    "gpu.block_id": _builtin("wg"),
    "gpu.global_id": _builtin("global_id"),
    "gpu.grid_dim": _builtin("num_wg"),
    "gpu.block_dim": _block_dim,
    "gpu.local_index": _builtin("li"),
    "gpu.lane_id": _builtin("lane"),
    "gpu.subgroup_id": _builtin("subgroup"),
    "gpu.subgroup_size": _builtin("subgroup_size"),
    "gpu.num_subgroups": _builtin("num_subgroups"),
    "gpu.subgroup_reduce": _subgroup_reduce,
    "gpu.subgroup_shuffle": _subgroup_shuffle,
}


def _shrui(p: Printer, op: Operation, args: list[Text]) -> Text:
    type = op.operands[0].type
    unsigned = "u32" if lanes_of(type) == 1 else f"vec{lanes_of(type)}<u32>"
    text = _shift(">>")(p, op, [(f"bitcast<{unsigned}>({args[0][0]})", ATOM), args[1]])
    return f"bitcast<{type_name(type)}>({text[0]})", ATOM


def write(p: Printer, name: str, op: Operation, args: list[Text]) -> Text:
    """What WGSL writes for an op by its name, on any type."""
    source, target = op.operands[0].type if op.operands else op.results[0].type, op.results[0].type
    if I64 in (source, target) or any(v.type == I64 for v in op.operands):
        return wgsl_int64.write(p, name, op, [a for a, _ in args]), ATOM
    if name in UNSIGNED and (width := narrow_width(element_of(source))):
        unsigned = "u32" if lanes_of(source) == 1 else f"vec{lanes_of(source)}<u32>"
        args = [
            (f"bitcast<{type_name(source)}>(extractBits(bitcast<{unsigned}>({a}), 0u, {width}u))", ATOM)
            for a, _ in args
        ]
    text = EXPRESSIONS[name](p, op, args)
    if width := narrow_width(element_of(target)):
        if name in GROW:
            return f"extractBits({text[0]}, 0u, {width}u)", ATOM
        if name == "math.ctlz":
            return f"{text[0]} - {type_name(target)}({32 - width})", PLUS
    return text


BUILTINS = {
    "local_id": ("local_invocation_id", "vec3<u32>"),
    "wg": ("workgroup_id", "vec3<u32>"),
    "global_id": ("global_invocation_id", "vec3<u32>"),
    "num_wg": ("num_workgroups", "vec3<u32>"),
    "li": ("local_invocation_index", "u32"),
    "lane": ("subgroup_invocation_id", "u32"),
    "subgroup": ("subgroup_id", "u32"),
    "subgroup_size": ("subgroup_size", "u32"),
    "num_subgroups": ("num_subgroups", "u32"),
}

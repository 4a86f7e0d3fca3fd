"""Prints a `gpu.func` as WGSL.

A value that is used once in its block is written where it is used, every other gets a name (`let`), so the text reads like something that a person wrote. What has been
read from memory may wait for its use only until that memory is written or a barrier comes. Integers are signless in the IR: they print as `i32`, and an unsigned op
reinterprets them. WGSL's differences from `arith` and `math` (NaN, division by zero, shifts, literals of inf and NaN) are met by the functions of `wgsl_math`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from math import isfinite, isnan

from xdsl.dialects import arith, gpu, memref, scf, vector
from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    Float16Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    MemRefType,
    VectorType,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue

from weft.dialects.gpu import wgsl_math
from weft.dialects.gpu.ops import (
    WORDWISE,
    AtomicOp,
    BindingOp,
    LanewiseOp,
    StorageBarrierOp,
    UniformLoadOp,
    VarOp,
    WorkgroupAllocOp,
)
from weft.dialects.gpu.wgsl_ops import (
    ATOM,
    BUILTINS,
    EXPRESSIONS,
    RESERVED,
    UNARY,
    Text,
    write,
)
from weft.dialects.gpu.wgsl_types import I64, Packing, WgslError, element_of, packing_of, storage_name, type_name
from weft.dialects.kernel.narrow import narrow_width, sign_extended

_ATOMICS = {
    "add": "Add",
    "max": "Max",
    "min": "Min",
    "umax": "Max",
    "umin": "Min",
    "and": "And",
    "or": "Or",
    "xor": "Xor",
}
_COMBINE = {"add": "{} + {}", "mul": "{} * {}"}


class Pending:
    """An expression that waits for its one use: its text, and the memory that it has read."""

    __slots__ = ("reads", "text")

    def __init__(self, text: Text, reads: frozenset[SSAValue]):
        self.text, self.reads = text, reads


GREATEST = (2 - 2**-23) * 2.0**127
"""The greatest float32."""


def rounded(value: float, code: str) -> float:
    """A number as a float of `struct`'s code holds it: infinite, if it is too large."""
    try:
        return struct.unpack(code, struct.pack(code, value))[0]
    except OverflowError:
        return float("inf") if value > 0 else -float("inf")


class Printer:
    """One kernel: its declarations and the lines of its body."""

    def __init__(self, func: gpu.FuncOp):
        self.func = func
        self.workgroup = tuple(func.known_block_size.get_values()) if func.known_block_size is not None else (1, 1, 1)
        self.builtins: dict[str, None] = {}
        self.functions: dict[tuple[str, int], None] = {}
        self.names: dict[SSAValue, str] = {}
        self.taken: dict[str, int] = {}
        self.pending: dict[SSAValue, Pending] = {}
        self.lines: list[str] = []
        self.atomic = {op.memref for op in func.walk() if isinstance(op, AtomicOp)}
        self.atomic |= {
            op.memref for op in func.walk() if isinstance(op, memref.StoreOp) and self.shares_words(op.memref)
        }
        self.indent = "  "

    # -- values ---------------------------------------------------------------------------------------------------------------------------

    def name(self, value: SSAValue, default: str = "v") -> str:
        """A new name for a value, after its hint where it has one."""
        hint = re.sub(r"\W", "_", value.name_hint or default)
        if (
            hint in RESERVED
            or hint.startswith(("w_", "__"))
            or not (hint[0].isalpha() or hint[0] == "_")
            or hint in BUILTINS
        ):
            hint += "_"
        count = self.taken.get(hint)
        self.taken[hint] = 0 if count is None else count + 1
        plain = value.name_hint is not None
        name = (
            hint
            if count is None and plain
            else f"{hint}{'' if not plain or hint[-1] == '_' else '_'}{self.taken[hint]}"
        )
        if name in self.taken and name != hint:
            self.taken.setdefault(name, 0)
            return self.name(value, default)
        self.taken.setdefault(name, 0)
        self.names[value] = name
        return name

    def literal_of(self, value: SSAValue) -> int | None:
        """The integer that a value is known to be (a splat's, of a vector)."""
        op = value.owner
        if isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr):
            return op.value.value.data
        if isinstance(op, vector.BroadcastOp):
            return self.literal_of(op.source)
        return None

    def is_literal(self, value: SSAValue) -> bool:
        return isinstance(value.owner, arith.ConstantOp)

    def predicate(self, op: Operation) -> int:
        attr = op.properties.get("predicate")  # may be falsy: 0 is "eq"
        attr = op.attributes["predicate"] if attr is None else attr
        assert isinstance(attr, IntegerAttr)
        return attr.value.data

    def own(self, name: str, lanes: int = 1) -> str:
        """The name of a function of `wgsl_math`, which the kernel's text will hold."""
        self.functions[name, lanes] = None
        return f"w_{name}{lanes if lanes > 1 else ''}"

    def literal(self, attr: Attribute, type: Attribute) -> Text:
        """A constant. Infinities and NaN are made at run time, because WGSL rejects an expression known to be one."""
        if isinstance(attr, DenseIntOrFPElementsAttr):
            parts = [self.literal(v, element_of(type))[0] for v in attr.iter_attrs()]
            return f"{type_name(type)}({', '.join(dict.fromkeys(parts) if len(set(parts)) == 1 else parts)})", ATOM
        if isinstance(attr, IntegerAttr):
            value = attr.value.data
            if type == I64:
                return f"vec2<u32>({value & 0xFFFFFFFF}u, {value >> 32 & 0xFFFFFFFF}u)", ATOM
            if width := narrow_width(type):
                value = sign_extended(value, width)
            if type == IntegerType(1):
                return ("true" if value else "false"), ATOM
            if value == -(2**31):
                return "i32(-2147483648)", ATOM
            return (f"{value}" if type_name(type) == "i32" else f"{value}u"), ATOM if value >= 0 else UNARY
        assert isinstance(attr, FloatAttr)
        value, code = attr.value.data, "<e" if type == Float16Type() else "<f"
        value = rounded(value, code)
        if isnan(value) or not isfinite(value):
            text = f"{self.own('nan' if isnan(value) else 'inf')}()"
            return (f"-{text}", UNARY) if value < 0 else (text, ATOM)
        if value == 0:
            text = repr(value)
        else:
            # 3.4028235e38 rounds to the greatest float32, but is greater, and Tint refuses it
            texts = (f"{value:.{n}g}" for n in range(1, 18))
            text = next(t for t in texts if rounded(float(t), "<f") == value and abs(float(t)) <= GREATEST)
            text = text if "." in text or "e" in text else text + ".0"
        return text + "f", UNARY if text[0] == "-" else ATOM

    def use(self, value: SSAValue) -> Text:
        """The expression for a value: its name, its literal, or what waits for this use."""
        if (name := self.names.get(value)) is not None:
            return name, ATOM
        if (waiting := self.pending.pop(value, None)) is not None:
            self.reads |= waiting.reads
            return waiting.text
        op = value.owner
        if isinstance(op, arith.ConstantOp):
            return self.literal(op.value, value.type)
        raise WgslError(
            f"a value of {op.name if isinstance(op, Operation) else 'a block'} is used outside of its scope"
        )

    # -- statements -----------------------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def define(self, value: SSAValue, text: Text) -> None:
        self.line(f"let {self.name(value)} = {text[0]};")

    def flush(self, written: Callable[[SSAValue], bool]) -> None:
        """Names what waits and has read memory that is about to change."""
        for value, waiting in list(self.pending.items()):
            if any(map(written, waiting.reads)):
                del self.pending[value]
                self.define(value, waiting.text)

    def statement(self, text: str, written: Callable[[SSAValue], bool]) -> None:
        """A line that writes memory, after the lines of what read it before."""
        self.flush(written)
        self.line(text)

    def expression(self, op: Operation, text: Text, reads: frozenset[SSAValue]) -> None:
        """The one result of an op: held back for its one use in this block, else named."""
        value = op.results[0]
        use = value.get_user_of_unique_use()
        if (
            use is not None
            and use.parent is op.parent
            and not isinstance(use, (scf.ForOp, scf.IfOp))
            and len(text[0]) < 100
        ):
            self.pending[value] = Pending(text, reads)
        elif value.first_use is not None:
            self.define(value, text)

    def block(self, block: Block) -> None:
        for op in block.ops:
            self.op(op)

    def nested(self, block: Block) -> None:
        indent, self.indent = self.indent, self.indent + "  "
        self.block(block)
        self.indent = indent

    def op(self, op: Operation) -> None:
        self.reads: frozenset[SSAValue] = frozenset()
        if op.name in EXPRESSIONS:
            args = [self.use(v) for v in op.operands]
            if (
                args
                and all(self.is_literal(v) for v in op.operands)
                and op.name not in ("vector.broadcast", "gpu.lanes")
            ):
                # Evaluated at compile time an overflow would be an error, so one operand is made a run-time value.
                name = f"c{self.taken.setdefault('c', 0)}_"
                self.taken["c"] += 1
                self.line(f"var {name} = {type_name(op.operands[0].type)}({args[0][0]});")
                args[0] = (name, ATOM)
            return self.expression(op, write(self, op.name, op, args), self.reads)
        match op:
            case arith.ConstantOp():
                pass
            case LanewiseOp():
                args = [self.use(v) for v in op.values]
                self.expression(op, write(self, op.op.data, op, args), self.reads)
            case memref.LoadOp():
                self.load(op)
            case memref.StoreOp():
                self.store(op)
            case VarOp():
                init = self.use(op.init)[0]
                self.line(f"var {self.name(op.result, 'acc')}: {type_name(op.init.type)} = {init};")
            case scf.ForOp():
                self.loop(op)
            case scf.WhileOp():
                self.endless(op)
            case scf.ConditionOp():
                self.line(f"if (!({self.use(op.condition)[0]})) {{ break; }}")
            case scf.IfOp():
                self.branch(op)
            case gpu.BarrierOp():
                self.statement("workgroupBarrier();", lambda m: not isinstance(m.owner, VarOp))
            case StorageBarrierOp():
                self.statement("storageBarrier();", lambda m: not isinstance(m.owner, VarOp))
            case UniformLoadOp():
                self.flush(lambda m: not isinstance(m.owner, VarOp))
                self.define(op.result, (f"workgroupUniformLoad(&{self.names[op.memref]}[0])", ATOM))
            case AtomicOp():
                self.atomic_op(op)
            case BindingOp() | WorkgroupAllocOp() | gpu.ReturnOp() | scf.YieldOp():
                pass
            case _:
                raise WgslError(f"WGSL has nothing for {op.name}")

    def place(self, op: memref.LoadOp | memref.StoreOp) -> str:
        """The element of memory that a load or store names."""
        return self.names[op.memref] + "".join(f"[{self.use(i)[0]}]" for i in op.indices)

    def packing(self, memory: SSAValue) -> Packing | None:
        """How the elements of a memory are packed; None if each is a value as it is, as in workgroup memory."""
        type = memory.type
        assert isinstance(type, MemRefType)
        return packing_of(type.element_type) if isinstance(memory.owner, BindingOp) else None

    @staticmethod
    def shares_words(memory: SSAValue) -> bool:
        """Whether the single elements of a buffer share words."""
        type = memory.type
        assert isinstance(type, MemRefType)
        element = type.element_type
        return (
            isinstance(memory.owner, BindingOp)
            and packing_of(element) is not None
            and not isinstance(element, VectorType)
        )

    def word(self, memory: SSAValue, index: str, packing: Packing) -> tuple[str, str]:
        """The word that holds a packed element, and how far up in it the element lies."""
        per = 32 // packing.bits
        return (
            f"{self.names[memory]}[({index}) >> {per.bit_length() - 1}u]",
            f"((u32({index}) & {per - 1}u) * {packing.bits}u)",
        )

    def packed(self, text: str, **parts: str) -> str:
        """How a packing reads or writes, with the functions that it calls."""
        for name in re.findall(r"w_(\w+)\(", text):
            self.own(name)
        return text.format(**parts)

    def load(self, op: memref.LoadOp) -> None:
        memory, type = op.memref, op.res.type
        if (packing := self.packing(memory)) is None:
            text = self.place(op)
            if memory in self.atomic and type == I64:
                text = f"vec2<u32>(atomicLoad(&{text}[0]), atomicLoad(&{text}[1]))"
            elif memory in self.atomic:
                text = f"atomicLoad(&{text})"
                if type_name(type) != "i32":
                    text = f"bitcast<{type_name(type)}>({text})"
        elif isinstance(type, VectorType):
            text = f"{self.own(packing.unpack, 1)}({self.place(op)})"
        else:
            word, shift = self.word(memory, self.use(op.indices[0])[0], packing)
            word = f"bitcast<u32>(atomicLoad(&{word}))" if memory in self.atomic else word
            text = self.packed(packing.read, w=word, s=shift)
        constant = isinstance(memory.owner, BindingOp) and memory.owner.access.data == "read"
        self.expression(op, (text, ATOM), self.reads if constant else self.reads | {memory})

    def store(self, op: memref.StoreOp) -> None:
        memory = op.memref
        packing = self.packing(memory)
        if packing is not None and not isinstance(op.value.type, VectorType):
            return self.exchange(memory, self.use(op.indices[0])[0], op.value, None)
        place, value = self.place(op), self.use(op.value)[0]
        if packing is not None:
            value = f"{self.own(packing.pack, 1)}({value})"
        if memory in self.atomic and op.value.type == I64:
            text = f"atomicStore(&{place}[0], {value}.x); atomicStore(&{place}[1], {value}.y);"
        elif memory in self.atomic:
            value = value if type_name(op.value.type) == "i32" else f"bitcast<i32>({value})"
            text = f"atomicStore(&{place}, {value});"
        else:
            text = f"{place} = {value};"
        self.statement(text, lambda m: m is memory)

    def atomic_op(self, op: AtomicOp) -> None:
        kind = op.kind.data
        if (
            op.value.type == IntegerType(32)
            and kind in ("add", "max", "min", "and", "or", "xor")
            and self.packing(op.memref) is None
        ):
            value, index = self.use(op.value)[0], self.use(op.index)[0]
            self.flush(lambda m: m is op.memref)
            return self.line(f"atomic{_ATOMICS[kind]}(&{self.names[op.memref]}[{index}], {value});")
        if op.value.type == I64:
            return self.pair(op)
        self.exchange(op.memref, self.use(op.index)[0], op.value, kind)

    def pair(self, op: AtomicOp) -> None:
        """Combines an integer of 64 bits word by word: of a sum, whoever makes the low word overflow carries into the high one, so nothing is lost whatever comes between."""
        kind = op.kind.data
        if kind not in WORDWISE:
            raise WgslError(f"WGSL has no atomic {kind} of 64 bits: only {', '.join(WORDWISE)} go word by word")
        value, place = self.use(op.value)[0], f"{self.names[op.memref]}[{self.use(op.index)[0]}]"
        self.flush(lambda m: m is op.memref)
        self.line("{")
        self.line(f"  let value = {value};")
        high = "value.y"
        if kind == "add":
            self.line(f"  let low = atomicAdd(&{place}[0], value.x);")
            high = "value.y + select(0u, 1u, low + value.x < low)"
        else:
            self.line(f"  atomic{_ATOMICS[kind]}(&{place}[0], value.x);")
        self.line(f"  atomic{_ATOMICS[kind]}(&{place}[1], {high});")
        self.line("}")

    def exchange(self, memory: SSAValue, index: str, value: SSAValue, kind: str | None) -> None:
        """Writes an element, combined with what is there if a kind is given, by compare-and-exchange: what else is in its word stays as it is."""
        type, packing, text = type_name(value.type), self.packing(memory), self.use(value)[0]
        old = (
            f"bitcast<{type}>(old)" if packing is None else self.packed(packing.read, w="bitcast<u32>(old)", s="shift")
        )
        if kind is None:
            new = "value"
        elif kind in ("umax", "umin"):
            new = f"bitcast<i32>({kind[1:]}(bitcast<u32>({old}), bitcast<u32>(value)))"
        elif kind in ("and", "or", "xor"):
            new = f"({old} {'&|^'[('and', 'or', 'xor').index(kind)]} value)"
        elif kind in ("max", "min"):
            new = f"{self.own(kind) if isinstance(value.type, AnyFloat) else kind}({old}, value)"
        else:
            new = _COMBINE[kind].format(old, "value")
        if packing is None:
            place, shift, new = f"{self.names[memory]}[{index}]", "0u", f"bitcast<i32>({new})"
        else:
            place, shift = self.word(memory, index, packing)
            new = f"insertBits(old, bitcast<i32>({self.packed(packing.write, v=new)}), shift, {packing.bits}u)"
        self.flush(lambda m: m is memory)
        for line in (
            "{",
            f"  let value = {text};",
            f"  let place = &{place};",
            *((f"  let shift = {shift};",) if packing else ()),
            "  var old = atomicLoad(place);",
            "  loop {",
            f"    let result = atomicCompareExchangeWeak(place, old, {new});",
            "    if (result.exchanged) { break; }",
            "    old = result.old_value;",
            "  }",
            "}",
        ):
            self.line(line)

    def loop(self, op: scf.ForOp) -> None:
        lo, hi, step = (self.use(v)[0] for v in (op.lb, op.ub, op.step))
        self.flush(lambda m: True)
        block = op.body.block
        for result, init, arg in zip(op.results, op.iter_args, block.args[1:], strict=True):
            self.line(f"var {self.name(arg, 'acc')}: {type_name(arg.type)} = {self.use(init)[0]};")
            self.names[result] = self.names[arg]
        i = self.name(block.args[0], "i")
        self.line(f"for (var {i}: i32 = {lo}; {i} < {hi}; {i} += {step}) {{")
        self.nested(block)
        self.give(block.last_op, [self.names[a] for a in block.args[1:]])
        self.line("}")

    def endless(self, op: scf.WhileOp) -> None:
        """A loop whose first region says, in the middle, whether it goes on."""
        if op.arguments:
            raise WgslError("WGSL has nothing for an scf.while that carries values")
        self.flush(lambda m: True)
        self.line("loop {")
        self.nested(op.before_region.block)
        self.nested(op.after_region.block)
        self.line("}")

    def branch(self, op: scf.IfOp) -> None:
        condition = self.use(op.cond)[0]
        self.flush(lambda m: True)
        targets: list[str] = []
        for result in op.results:
            self.line(f"var {self.name(result)}: {type_name(result.type)};")
            targets.append(self.names[result])
        self.line(f"if ({condition}) {{")
        for k, region in enumerate(op.regions):
            if region.blocks and (k == 0 or len(region.block.ops) > 1 or targets):
                if k:
                    self.line("} else {")
                self.nested(region.block)
                self.give(region.block.last_op, targets)
        self.line("}")

    def give(self, last: Operation | None, targets: list[str]) -> None:
        """What a region yields, written to variables; through temporaries where there are several, since one may need another's old value."""
        if not targets or not isinstance(last, scf.YieldOp):
            return
        self.indent += "  "
        values = [self.use(v)[0] for v in last.operands]
        if len(values) > 1:
            for k, value in enumerate(values):
                self.line(f"let next{k} = {value};")
            values = [f"next{k}" for k in range(len(values))]
        for target, value in zip(targets, values, strict=True):
            self.line(f"{target} = {value};")
        self.indent = self.indent[:-2]

    # -- the whole ------------------------------------------------------------------------------------------------------------------------

    def declarations(self) -> Iterator[str]:
        """Bindings and workgroup memory, which WGSL declares outside of the function."""
        for op in self.func.walk():
            if isinstance(op, (BindingOp, WorkgroupAllocOp)):
                type = op.result.type
                assert isinstance(type, MemRefType)
                element = type_name(type.element_type)
                if op.result in self.atomic:
                    element = "array<atomic<u32>, 2>" if type.element_type == I64 else "atomic<i32>"
                elif isinstance(op, BindingOp):
                    element = storage_name(type.element_type) or element
                if isinstance(op, BindingOp):
                    name = self.name(op.result, "buffer")
                    where = f"@group({op.group.value.data}) @binding({op.index.value.data})"
                    yield f"{where} var<storage, {op.access.data}> {name}: array<{element}>;\n"
                else:
                    name = self.name(op.result, "shared")
                    yield f"var<workgroup> {name}: array<{element}, {type.get_shape()[0]}>;\n"

    def text(self) -> str:
        """The WGSL module with this kernel as its entry point."""
        declarations = "".join(self.declarations())
        self.block(self.func.body.block)
        arguments = ", ".join(f"@builtin({BUILTINS[b][0]}) {b}: {BUILTINS[b][1]}" for b in self.builtins)
        size = ", ".join(map(str, self.workgroup))
        body = "\n".join(self.lines)
        library = wgsl_math.library(self.functions)
        header = f"@compute @workgroup_size({size})\nfn {self.func.sym_name.data}({arguments}) {{\n"
        return f"{declarations}\n{library}{chr(10) if library else ''}{header}{body}\n}}\n"


def print_func(func: gpu.FuncOp) -> str:
    """The WGSL module with one kernel."""
    return Printer(func).text()

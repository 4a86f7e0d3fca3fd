"""Between a module of plain objects (code.py) and a `wasm.module` operation: the same program, one for machines, one for people.

Nothing is decided here: each object is one operation and back, so both ways round give the very same bytes (a test holds them to it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, FunctionType, IntegerAttr, SymbolRefAttr
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.ir import Block as IrBlock

from weft.dialects.wasm import calls, control, module
from weft.dialects.wasm.code import (
    Block,
    Call,
    Const,
    Data,
    Exit,
    Function,
    Global,
    GlobalGet,
    GlobalSet,
    Inst,
    Memory,
    Module,
    Op,
    Structure,
    Value,
)
from weft.dialects.wasm.values import (
    SHAPE_NAMES,
    TYPE_NAMES,
    VALUE_TYPES,
    ConstOp,
    InstOp,
    const_type,
    inst_properties,
    lanes_of,
    vector_attr,
)

_STRUCTURES: dict[str, type[Operation]] = {"loop": control.LoopOp, "block": control.BlockOp, "if": control.IfOp}
_EXITS: dict[str, type[Operation]] = {
    "yield": control.YieldOp,
    "continue": control.ContinueOp,
    "continue_if": control.ContinueIfOp,
    "break_if": control.BreakIfOp,
    "return": control.ReturnOp,
}
_KINDS = {op: kind for kind, op in (_STRUCTURES | _EXITS).items()}


def _types(names: Iterable[str]) -> list[Attribute]:
    return [VALUE_TYPES[name] for name in names]


def _names(types: Iterable[Attribute]) -> tuple[str, ...]:
    return tuple(TYPE_NAMES[type] for type in types)


# -- to operations -----------------------------------------------------------------------------------------------------


def to_op(code: Module) -> module.ModuleOp:
    """The `wasm.module` operation of a module."""
    op = module.ModuleOp([_entry_op(entry) for entry in code.entries])
    for name, value in code.about.items():
        op.attributes[name] = value if isinstance(value, Attribute) else value.attribute()
    return op


def _entry_op(entry: Function | Memory | Global | Data) -> Operation:
    match entry:
        case Function():
            type = FunctionType.from_lists(_types(entry.inputs), _types(entry.outputs))
            body = None if entry.body is None else _region(entry.body, {})
            return module.FuncOp(entry.name, type, body, import_from=entry.import_from, export=entry.export)
        case Memory():
            return module.MemoryOp(
                entry.name,
                entry.minimum,
                entry.maximum,
                shared=entry.shared,
                import_from=entry.import_from,
                export=entry.export,
            )
        case Global():
            value = _number(entry.type, entry.value)
            return module.GlobalOp(entry.name, value, mutable=entry.mutable, export=entry.export)
        case Data():
            return module.DataOp(entry.contents, entry.address)


def _number(type: str, value: float) -> Attribute:
    made = FloatAttr if type[0] == "f" else IntegerAttr
    return made(value, VALUE_TYPES[type])  # type: ignore[call-overload]


def _region(block: Block, values: dict[Value, SSAValue]) -> Region:
    made = IrBlock(arg_types=_types(v.type for v in block.args))
    values.update(zip(block.args, made.args, strict=True))
    for op in block.ops:
        new = _operation(op, [values[v] for v in op.operands], values)
        made.add_op(new)
        results: Sequence[Value] = op.results if isinstance(op, Op) else (op,) if op.type else ()
        values.update(zip(results, new.results, strict=True))
    return Region(made)


def _operation(op: Inst | Const | GlobalGet | Op, operands: list[SSAValue], values: dict[Value, SSAValue]) -> Operation:
    match op:
        case Inst():
            mnemonic, *immediates = op.instruction
            types = _types([op.type] if op.type else [])
            properties = inst_properties(mnemonic, tuple(immediates))
            return InstOp.create(operands=operands, result_types=types, properties=properties)
        case Const():
            value = vector_attr(op.shape, op.value) if op.shape else _number(op.type, op.value)  # type: ignore[arg-type]
            return ConstOp.create(result_types=[const_type(value)], properties={"value": value})
        case GlobalGet():
            return calls.GlobalGetOp(op.name, VALUE_TYPES[op.type])
        case GlobalSet():
            return calls.GlobalSetOp(op.name, operands[0])
        case Call():
            callee = {"callee": SymbolRefAttr(op.callee)}
            return calls.CallOp.create(
                operands=operands, result_types=_types(r.type for r in op.results), properties=callee
            )
        case Structure():
            types = _types(r.type for r in op.results)
            regions = [_region(block, values) for block in op.blocks]
            return _STRUCTURES[op.kind].create(operands=operands, result_types=types, regions=regions)
        case Exit():
            return _EXITS[op.kind].create(operands=operands)
    raise AssertionError(op)


# -- from operations ---------------------------------------------------------------------------------------------------


def from_op(op: module.ModuleOp) -> Module:
    """The module of a `wasm.module` operation, which stays as it is. Raises ValueError for an operation of another dialect."""
    return Module([_entry(entry) for entry in op.entries], dict(op.attributes))


def _entry(op: Operation) -> Function | Memory | Global | Data:
    match op:
        case module.FuncOp():
            inputs, outputs = _names(op.function_type.inputs.data), _names(op.function_type.outputs.data)
            body = _block(op.body.block, {}) if op.body.blocks else None
            name = op.sym_name.data
            return Function(name, inputs, outputs, body, import_from=op.import_names, export=op.export_name)
        case module.MemoryOp():
            maximum = None if op.maximum is None else op.maximum.value.data
            return Memory(
                op.sym_name.data,
                op.minimum.value.data,
                maximum,
                op.shared is not None,
                import_from=op.import_names,
                export=op.export_name,
            )
        case module.GlobalOp():
            value = op.value.value.data  # type: ignore[attr-defined]
            return Global(op.sym_name.data, TYPE_NAMES[op.type], value, op.mutable is not None, export=op.export_name)
        case module.DataOp():
            return Data(op.contents.data.data, None if op.address is None else op.address.value.data)
    raise ValueError(f"{op.name} is no entry of a WebAssembly module")


def _block(block: IrBlock, values: dict[SSAValue, Value]) -> Block:
    made = Block(_names(a.type for a in block.args))
    values.update(zip(block.args, made.args, strict=True))
    for op in block.ops:
        new = _made(op, tuple(values[v] for v in op.operands), values)
        made.ops.append(new)
        values.update(zip(op.results, new.results if isinstance(new, Op) else (new,), strict=False))
    return made


def _made(op: Operation, operands: tuple[Value, ...], values: dict[SSAValue, Value]) -> Inst | Const | GlobalGet | Op:
    match op:
        case InstOp():
            return Inst((op.mnemonic.data, *op.immediate_values), operands)
        case ConstOp():
            value, name = op.value, TYPE_NAMES[op.result.type]
            if isinstance(value, DenseArrayBase):
                return Const(name, lanes_of(value), SHAPE_NAMES[value.elt_type])
            return Const(name, value.value.data)
        case calls.GlobalGetOp():
            return GlobalGet(op.global_name.root_reference.data, TYPE_NAMES[op.result.type])
        case calls.GlobalSetOp():
            return GlobalSet(op.global_name.root_reference.data, operands[0])
        case calls.CallOp():
            return Call(op.callee.root_reference.data, operands, _names(op.result_types))
    kind = _KINDS.get(type(op))
    if kind is None:
        raise ValueError(f"{op.name} has no encoding in WebAssembly: lower it to the wasm dialect first")
    if kind in _EXITS:
        return Exit(kind, operands)
    blocks = [_block(region.block, values) for region in op.regions]
    return Structure(kind, operands, _names(op.result_types), blocks)

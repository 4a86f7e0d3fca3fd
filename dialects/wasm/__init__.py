"""The wasm dialect: WebAssembly modules with SSA values instead of an operand stack.

A superset of xDSL's own dialect of this name. Entries of a module are in module.py, structured control in control.py,
calls in calls.py, values and instructions in values.py; opcodes.py is the table of instructions.

The same modules as plain objects are in code.py: lowerings write those (builder.py), stackify.py turns their values into
stack code, encode.py writes the binary, wat.py the text; convert.py makes operations of them, and them of operations.
"""

from xdsl.ir import Dialect

from weft.dialects.wasm.calls import CallOp, GlobalGetOp, GlobalSetOp
from weft.dialects.wasm.control import BlockOp, BreakIfOp, ContinueIfOp, ContinueOp, IfOp, LoopOp, ReturnOp, YieldOp
from weft.dialects.wasm.module import DataOp, FuncOp, GlobalOp, MemoryOp, ModuleOp
from weft.dialects.wasm.values import ConstOp, InstOp, V128Type, v128

Wasm = Dialect(
    "wasm",
    [
        ModuleOp,
        FuncOp,
        MemoryOp,
        GlobalOp,
        DataOp,
        ConstOp,
        InstOp,
        BlockOp,
        LoopOp,
        IfOp,
        YieldOp,
        ContinueOp,
        ContinueIfOp,
        BreakIfOp,
        CallOp,
        GlobalGetOp,
        GlobalSetOp,
        ReturnOp,
    ],
    [V128Type],
)

__all__ = [
    "BlockOp",
    "BreakIfOp",
    "CallOp",
    "ConstOp",
    "ContinueIfOp",
    "ContinueOp",
    "DataOp",
    "FuncOp",
    "GlobalGetOp",
    "GlobalOp",
    "GlobalSetOp",
    "IfOp",
    "InstOp",
    "LoopOp",
    "MemoryOp",
    "ModuleOp",
    "ReturnOp",
    "V128Type",
    "Wasm",
    "YieldOp",
    "v128",
]

"""The kernel dialect: loop nests over buffers, and the host program that launches them."""

from xdsl.ir import Dialect

from weft.dialects.kernel.attributes import AxesAttr, ConditionsAttr, MapAttr
from weft.dialects.kernel.host import (
    AllocOp,
    ConstantOp,
    CopyOp,
    FuncOp,
    LaunchOp,
    ProgramOp,
    RepeatOp,
    SwitchOp,
    WhileOp,
)
from weft.dialects.kernel.ops import EmptyOp, IndexOp, InsideOp, LoadOp, NestOp, ReduceOp, RemfOp, StoreOp

Kernel = Dialect(
    "kernel",
    [
        NestOp,
        LoadOp,
        StoreOp,
        ReduceOp,
        IndexOp,
        InsideOp,
        EmptyOp,
        RemfOp,
        FuncOp,
        ProgramOp,
        AllocOp,
        ConstantOp,
        CopyOp,
        LaunchOp,
        RepeatOp,
        WhileOp,
        SwitchOp,
    ],
    [AxesAttr, MapAttr, ConditionsAttr],
)

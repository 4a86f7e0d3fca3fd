"""The gpu dialect: MLIR's, as xDSL has it, and what a compute shader needs beyond: bindings, workgroup memory, variables, atomics, subgroups.

It keeps the name `gpu` and every upstream op, so upstream's text parses as before. Where xDSL has only the generic syntax, ours adds MLIR's own.
"""

from xdsl.dialects.gpu import GPU
from xdsl.ir import Dialect

from weft.dialects.gpu import ops, thread

_OURS = {
    op.name: op
    for op in (
        thread.BarrierOp,
        thread.BlockDimOp,
        thread.BlockIdOp,
        thread.FuncOp,
        thread.GlobalIdOp,
        thread.GridDimOp,
        thread.LaneIdOp,
        thread.ModuleOp,
        thread.NumSubgroupsOp,
        thread.ReturnOp,
        thread.SubgroupIdOp,
        thread.SubgroupSizeOp,
        thread.ThreadIdOp,
    )
}

Gpu = Dialect(
    "gpu",
    [
        *(_OURS.get(op.name, op) for op in GPU.operations),
        ops.AtomicOp,
        ops.BindingOp,
        ops.LanesOp,
        ops.LanewiseOp,
        ops.LocalIndexOp,
        ops.StorageBarrierOp,
        ops.UniformLoadOp,
        ops.SubgroupReduceOp,
        ops.SubgroupShuffleOp,
        ops.VarOp,
        ops.WorkgroupAllocOp,
    ],
    [*GPU.attributes, ops.AddressSpaceAttr],
)

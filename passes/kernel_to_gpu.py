"""The pass `kernel-to-gpu`: each `kernel.func` becomes a `gpu.module` of its name with one kernel, `main`.

Launches keep referring to it by name. The number and size of workgroups stand on the function (`gpu.known_grid_size`, `gpu.known_block_size`); its bindings are the
arguments of the `kernel.func`, in their order, in group 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from weft.dialects.kernel.host import FuncOp
from weft.dialects.kernel.ops import NestOp
from weft.passes.gpu.lowering import Lowering
from weft.passes.gpu.sequence import Sequence


@dataclass(frozen=True)
class KernelToGpuPass(ModulePass):
    """Lowers bufferised nests to the gpu dialect, along the levels of their axes.

    Without a schedule: one invocation for each point of the parallel axes, reductions as loops. A kernel that is a loop around nests is run by one workgroup.
    """

    name = "kernel-to-gpu"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for func in list(op.body.block.ops):
            if isinstance(func, FuncOp):
                first = func.body.block.first_op
                made = Lowering(first).run(func) if isinstance(first, NestOp) else Sequence(func).run()
                op.body.block.insert_op_before(made, func)
                func.detach()
                func.erase()

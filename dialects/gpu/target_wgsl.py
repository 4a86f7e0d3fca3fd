"""The target `weft-wgsl`: every kernel of a module as a WGSL module of its own, each under a comment with its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects import gpu
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from weft.dialects.gpu.wgsl import print_func


@dataclass(frozen=True)
class WgslTarget(Target):
    """WGSL text of the `gpu.func`s."""

    name = "weft-wgsl"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        for op in module.walk():
            if isinstance(op, gpu.FuncOp) and op.kernel is not None:
                parent = op.parent_op()
                name = parent.properties["sym_name"].data if isinstance(parent, gpu.ModuleOp) else op.sym_name.data  # type: ignore[attr-defined]
                output.write(f"// kernel {name}\n{print_func(op)}\n")

"""kernel-simplify: axes that are traversed together become one."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass


@dataclass(frozen=True)
class KernelSimplifyPass(ModulePass):
    """Simplifies nests."""

    name = "kernel-simplify"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        pass

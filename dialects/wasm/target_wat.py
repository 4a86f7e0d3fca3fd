"""`xdsl-opt -t weft-wat`: the text of each `wasm.module`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from weft.dialects.wasm.convert import from_op
from weft.dialects.wasm.module import ModuleOp as WasmModuleOp
from weft.dialects.wasm.wat import print_wat


@dataclass(frozen=True)
class WatTarget(Target):
    """WebAssembly text, one module after the other."""

    name = "weft-wat"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        for op in module.ops:
            if isinstance(op, WasmModuleOp):
                print(print_wat(from_op(op)), file=output)

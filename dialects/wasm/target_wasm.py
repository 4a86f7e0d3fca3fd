"""`xdsl-opt -t weft-wasm`: the binary of each `wasm.module`, one line of text each, as a target writes text."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import IO, Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from weft.dialects.wasm.convert import from_op
from weft.dialects.wasm.encode import encode
from weft.dialects.wasm.module import ModuleOp as WasmModuleOp


@dataclass(frozen=True)
class WasmTarget(Target):
    """WebAssembly binaries in hexadecimal, or `weft-wasm{text=base64}`. `names=true` adds the names of functions."""

    name = "weft-wasm"

    text: Literal["hex", "base64"] = "hex"
    names: bool = False

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        for op in module.ops:
            if isinstance(op, WasmModuleOp):
                binary = encode(from_op(op), names=self.names)
                print(binary.hex() if self.text == "hex" else base64.b64encode(binary).decode(), file=output)

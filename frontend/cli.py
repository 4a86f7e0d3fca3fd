"""The command `weft`: which devices are there, and ahead-of-time compilation of an IR file.

    weft devices
    weft compile FILE.mlir -o out.wasm        a WebAssembly binary
    weft compile FILE.mlir -o out.wgsl        the WGSL of every kernel
    weft compile FILE.mlir -o out.wat         WebAssembly text

FILE holds the array dialect (`func.func @main`), or any later stage: the passes that remain are run.
"""

from __future__ import annotations

import argparse
import sys
from io import StringIO
from pathlib import Path

SUFFIXES = {".wasm": ("wasm", None), ".wat": ("wasm", "weft-wat"), ".wgsl": ("webgpu", "weft-wgsl")}
"""What the name of the output asks for: the pipeline's target, and the xDSL target that writes text (None: bytes)."""


def devices() -> int:
    """Prints each device, or why it is not there."""
    from weft.backends.base import available, get_backend

    for name, reason in available().items():
        print(f"{name:8} {get_backend(name).description if reason is None else 'not available: ' + reason}")
    return 0


def compile_file(source: Path, output: Path, passes: str | None = None) -> None:
    """Compiles the IR in `source` to `output`, whose suffix (.wasm, .wat, .wgsl) says to what; `passes` names an xdsl-opt pipeline to run instead of the target's own.

    Raises ValueError for an unknown suffix, xDSL's ParseError, VerifyException or PassFailedException for IR that is not right. Writes nothing then.
    """
    from xdsl.parser import Parser
    from xdsl.passes import PassPipeline
    from xdsl.universe import XDSL_UNIVERSE

    from weft.dialects.universe import WEFT_UNIVERSE, context
    from weft.dialects.wasm import ModuleOp as WasmModuleOp
    from weft.dialects.wasm.convert import from_op
    from weft.dialects.wasm.encode import encode
    from weft.passes.pipelines import pipeline

    if output.suffix not in SUFFIXES:
        raise ValueError(f"-o {output}: expected a name that ends in {', '.join(SUFFIXES)}")
    device, writer = SUFFIXES[output.suffix]
    known = XDSL_UNIVERSE.all_passes | WEFT_UNIVERSE.all_passes
    steps = PassPipeline(pipeline(device)) if passes is None else PassPipeline.parse_spec(known, passes)
    ctx = context()
    module = Parser(ctx, source.read_text(), str(source)).parse_module()
    module.verify()
    steps.apply(ctx, module)
    module.verify()
    if writer is not None:
        text = StringIO()
        WEFT_UNIVERSE.all_targets[writer]()().emit(ctx, module, text)
        output.write_text(text.getvalue())
        return
    found = [op for op in module.ops if isinstance(op, WasmModuleOp)]
    if len(found) != 1:
        raise ValueError(f"{source}: expected one wasm.module after the passes, got {len(found)}")
    output.write_bytes(encode(from_op(found[0])))


def main(argv: list[str] | None = None) -> int:
    """Entry point of the command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="weft", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("devices", help="list the devices, and why one is missing")
    compiling = commands.add_parser("compile", help="compile an IR file to Wasm or WGSL")
    compiling.add_argument("file", type=Path)
    compiling.add_argument("-o", "--output", type=Path, required=True, help="out.wasm, out.wat or out.wgsl")
    compiling.add_argument("-p", "--passes", help="an xdsl-opt pipeline to run instead of the target's")
    args = parser.parse_args(argv)
    if args.command == "devices":
        return devices()
    from xdsl.utils.exceptions import DiagnosticException, ParseError, PassFailedException, VerifyException

    try:
        compile_file(args.file, args.output, args.passes)
    except (OSError, ValueError, ParseError, VerifyException, PassFailedException, DiagnosticException) as error:
        print(f"weft compile: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

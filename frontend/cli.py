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
from pathlib import Path

SUFFIXES = {".wasm": "wasm", ".wat": "wasm", ".wgsl": "webgpu"}


def devices() -> int:
    """Prints each device, or why it is not there."""
    from weft.backends.base import available, get_backend

    for name, reason in available().items():
        print(f"{name:8} {get_backend(name).description() if reason is None else 'not available: ' + reason}")
    return 0


def compile_file(source: Path, target: Path, passes: str | None = None) -> None:
    """Compiles the IR in `source` to `target`, whose suffix (.wasm, .wat, .wgsl) says to what; `passes` names an xdsl-opt pipeline to run instead of the target's own.

    Raises ValueError for an unknown suffix, xDSL's ParseError, VerifyException or PassFailedException for IR that is not right. Writes nothing then.
    """
    from weft.dialects.universe import PASSES, context
    from weft.passes.pipelines import pipeline
    from xdsl.parser import Parser
    from xdsl.passes import PassPipeline
    from xdsl.utils.parse_pipeline import parse_pipeline

    if target.suffix not in SUFFIXES:
        raise ValueError(f"-o {target}: expected a name that ends in {', '.join(SUFFIXES)}")
    ctx = context()
    module = Parser(ctx, source.read_text(), str(source)).parse_module()
    module.verify()
    if passes is not None:
        PassPipeline.parse(PASSES, parse_pipeline(passes)).apply(ctx, module)
    else:
        for step in pipeline(SUFFIXES[target.suffix]):
            step.apply(ctx, module)
    module.verify()
    if target.suffix == ".wasm":
        from weft.dialects.wasm.encode import encode

        target.write_bytes(encode(module))
    elif target.suffix == ".wat":
        from weft.dialects.wasm.target_wat import wat

        target.write_text(wat(module))
    else:
        from weft.dialects.gpu.wgsl import wgsl

        target.write_text(wgsl(module))


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

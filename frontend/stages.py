"""A function on its way to a device: `jit(f).trace(*args)`, `.lower()` of it, and `.compile()` of that.

`as_text` prints the program as each stage of the compilation sees it: `array`, `kernel`, `scheduled`, and `wgsl` or `wat`. The text of a target can be had without its
device, because a pipeline needs none.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from weft.array import lift
from weft.devices import Device
from weft.dialects.array.node import Aval
from weft.dialects.array.stage import stage as staged
from weft.function import ShapeDtypeStruct
from weft.programs import flat
from weft.tree_util import PyTreeDef, tree_flatten

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from weft.jit import Program

STAGES = ("array", "kernel", "scheduled", "wgsl", "wat")


class Stage:
    """What is known of a function for one combination of shapes, dtypes and structures, however far it has come."""

    def __init__(self, program: Program, tree: PyTreeDef, avals: list[Aval], device: Device):
        self._program, self._tree, self._avals, self.device = program, tree, avals, device

    @property
    def in_tree(self) -> PyTreeDef:
        """The structure of `(args, kwargs)`."""
        return self._tree

    @property
    def in_avals(self) -> list[Aval]:
        """Shapes and dtypes of the arguments' leaves."""
        return list(self._avals)

    @property
    def out_tree(self) -> PyTreeDef:
        """The structure of the result."""
        return self._program.out_tree

    @property
    def out_avals(self) -> list[Aval]:
        """Shapes and dtypes of the results' leaves."""
        return list(self._program.avals)

    @property
    def out_info(self) -> Any:
        """The result, with ShapeDtypeStructs for arrays."""
        structs = [ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in self.out_avals]
        return self.out_tree.unflatten(structs)


class Traced(Stage):
    """A function of which the operations are known."""

    def __init__(self, *known: Any, fun_name: str):
        super().__init__(*known)
        self.fun_name = fun_name

    @property
    def jaxpr(self) -> Lowered:
        """The operations, to look at: what `make_jaxpr` gives."""
        return self.lower()

    def lower(self) -> Lowered:
        """The program in the array dialect."""
        return Lowered(self._program, self._tree, self._avals, self.device)


class Lowered(Stage):
    """A function as a program of the array dialect, which can be read at each stage from there on, and compiled."""

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self, stage: str | None = "array", kernel: int | None = None, *, debug_info: bool = False) -> str:
        """The program at a stage; `kernel` picks one of its kernels; `debug_info` shows the user's lines and scopes (of array ops). Raises ValueError for a stage that there is not."""
        stage = "array" if stage is None else stage
        if stage not in STAGES:
            raise ValueError(f"unknown stage '{stage}', expected one of {', '.join(STAGES)}")
        from weft.cut import has_calls

        body = flat(self._program.body)
        if stage != "array" and has_calls(body):
            raise NotImplementedError(
                f"a program that calls the host is cut there, and compiled as several: it has no text of the stage '{stage}', only of 'array'"
            )
        module = staged(body)
        if stage == "array":
            return _with_locations(module) if debug_info else str(module)
        on_gpu = stage == "wgsl" or (stage != "wat" and self.device == "webgpu")
        return _text(module, stage, "webgpu" if on_gpu else "wasm", kernel)

    def compile(self) -> Compiled:
        """The program, ready to be called."""
        self._program.compile(self.device)
        return Compiled(self._program, self._tree, self._avals, self.device)


def _with_locations(module: ModuleOp) -> str:
    from io import StringIO

    from xdsl.printer import Printer

    text = StringIO()
    Printer(text, print_debuginfo=True).print_op(module)
    return text.getvalue()


def _text(module: ModuleOp, stage: str, target: str, kernel: int | None) -> str:
    """A module of array ops, lowered for a target as far as the stage, as text."""
    from weft.dialects.universe import context
    from weft.passes.pipelines import pipeline, run

    last = {"kernel": "kernel-schedule", "scheduled": f"kernel-to-{'gpu' if target == 'webgpu' else 'wasm'}"}.get(stage)
    run(takewhile(lambda p: p.name != last, pipeline(target)), context(), module)
    if stage == "wat":
        from weft.dialects.wasm.convert import from_op
        from weft.dialects.wasm.wat import print_wat

        (program,) = (op for op in module.ops if op.name == "wasm.module")
        text = print_wat(from_op(program))  # type: ignore[arg-type]
        if kernel is None:
            return text
        parts: dict[str, str] = {}  # a kernel's functions are named after it: $k0, $k0_stage0
        for function in _parenthesised(text, "  (func $k"):
            name = re.split(r"\W|_", function.removeprefix("  (func $"))[0]
            parts[name] = parts.get(name, "") + function
        return _pick([parts[name] for name in sorted(parts, key=lambda name: (len(name), name))], kernel)
    if stage == "wgsl":
        from weft.dialects.gpu.wgsl import print_func

        kernels = [print_func(op) for op in module.walk() if op.name == "gpu.func"]  # type: ignore[arg-type]
        return "\n".join(kernels) if kernel is None else _pick(kernels, kernel)
    return (
        str(module) if kernel is None else _pick([str(op) for op in module.walk() if op.name == "kernel.func"], kernel)
    )


def _pick(kernels: list[str], number: int) -> str:
    if not -len(kernels) <= number < len(kernels):
        raise ValueError(f"kernel {number} is out of range: the program has {len(kernels)}")
    return kernels[number]


def _parenthesised(text: str, start: str) -> list[str]:
    """The lines from each one that begins with `start` to the one that closes its parenthesis."""
    found: list[str] = []
    depth = 0
    for line in text.splitlines():
        if depth == 0 and line.startswith(start):
            found.append("")
        if found and (depth or line.startswith(start)):
            found[-1] += line + "\n"
            depth += line.count("(") - line.count(")")
    return found


class Compiled(Stage):
    """A program that takes arguments of the structure, shapes and dtypes that it was made for."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs it. Raises TypeError for arguments that it was not made for."""
        leaves, tree = tree_flatten((args, kwargs))
        if tree != self.in_tree:
            raise TypeError(
                f"Function compiled with input pytree {self.in_tree}, but called with {tree}: they must be the same."
            )
        nodes = [lift(x) for x in leaves]
        for n, a in zip(nodes, self.in_avals, strict=True):
            if (n.shape, n.dtype) != (a.shape, a.dtype):
                raise TypeError(
                    f"Argument types differ from those that the function was compiled for: expected {a}, got {n.aval}"
                )
        return self.out_tree.unflatten(self._program.run(nodes, self.device, self._program.device))

    def as_text(self, stage: str = "array", kernel: int | None = None) -> str:
        """The program at a stage. See `Lowered.as_text`."""
        return Lowered(self._program, self._tree, self._avals, self.device).as_text(stage, kernel)

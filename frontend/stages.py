"""A function on its way to a device: what `jit(f).lower(*args)` gives, and `.compile()` of it.

`as_text` prints the program as each stage of the compilation sees it: `array`, `kernel`, `scheduled`, and `wgsl` or `wat`. The text of a target can be had without its
device, because a pipeline needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.array import lift
from weft.devices import Device
from weft.dialects.array.node import Aval
from weft.tree_util import PyTreeDef, tree_flatten

if TYPE_CHECKING:
    from weft.jit import Program

STAGES = ("array", "kernel", "scheduled", "wgsl", "wat")


class Lowered:
    """A traced function for one combination of shapes, dtypes and structures."""

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

    def as_text(self, stage: str = "array", kernel: int | None = None) -> str:
        """The program at a stage; `kernel` picks one of its kernels. Raises ValueError for a stage that there is not."""
        from weft.passes.texts import text

        if stage not in STAGES:
            raise ValueError(f"unknown stage '{stage}', expected one of {', '.join(STAGES)}")
        from weft.dialects.array.stage import stage as staged
        from weft.programs import flat

        return text(staged(flat(self._program.body)), stage, self.device, kernel)

    def compile(self) -> Compiled:
        """The program, ready to be called."""
        self._program.compile(self.device)
        return Compiled(self)


class Compiled:
    """A program that takes arguments of the structure, shapes and dtypes that it was made for."""

    def __init__(self, lowered: Lowered):
        self._lowered = lowered

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs it. Raises TypeError for arguments that it was not made for."""
        lowered = self._lowered
        leaves, tree = tree_flatten((args, kwargs))
        if tree != lowered.in_tree:
            raise TypeError(
                f"Function compiled with input pytree {lowered.in_tree}, but called with {tree}: they must be the same."
            )
        nodes = [lift(x) for x in leaves]
        for n, a in zip(nodes, lowered.in_avals, strict=True):
            if (n.shape, n.dtype) != (a.shape, a.dtype):
                raise TypeError(
                    f"Argument types differ from those that the function was compiled for: expected {a}, got {n.aval}"
                )
        return lowered.out_tree.unflatten(lowered._program.run(nodes, lowered.device))

    def as_text(self, stage: str = "array", kernel: int | None = None) -> str:
        """The program at a stage. See `Lowered.as_text`."""
        return self._lowered.as_text(stage, kernel)

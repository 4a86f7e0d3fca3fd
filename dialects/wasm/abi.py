"""What the host must know to run a compiled program: the attribute `program` of a `wasm.module`.

The module imports `env.memory` and exports `main(params, tid, nthreads)`. `params` is the address of a table of i32: the addresses of the inputs, those of the outputs,
the arena's base, and the address of 64 bytes for the barrier. Every thread calls `main`, takes its share of each kernel, and waits at barriers between
kernels that depend on each other; alone (nthreads = 1) a thread never waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weft.dialects.wasm.builder import FuncBuilder, ModuleBuilder
from weft.dialects.wasm.module import PAGE, ModuleOp
from xdsl.dialects.builtin import DenseArrayBase, DictionaryAttr, IntegerAttr, i32, i64

BARRIER_BYTES = 64
"""The barrier's place in memory: a counter and a generation, zero at the start, in a cache line of their own."""


@dataclass(frozen=True)
class Program:
    """Sizes in bytes; `donated` pairs an output with the input whose buffer it takes over; `work` is a rough count of scalar operations."""

    inputs: Sequence[int]
    outputs: Sequence[int]
    arena: int = 0
    work: int = 0
    donated: Sequence[tuple[int, int]] = ()

    def store(self, module: ModuleOp) -> None:
        """Writes this into the module's attributes."""
        module.attributes["program"] = DictionaryAttr(
            {
                "inputs": DenseArrayBase.from_list(i64, list(self.inputs)),
                "outputs": DenseArrayBase.from_list(i64, list(self.outputs)),
                "arena": IntegerAttr(self.arena, i64),
                "work": IntegerAttr(self.work, i64),
                "donated": DenseArrayBase.from_list(i64, [k for pair in self.donated for k in pair]),
            }
        )

    @classmethod
    def of(cls, module: ModuleOp) -> Program:
        """Reads it back. Raises ValueError where the module carries no program."""
        attribute = module.attributes.get("program")
        if not isinstance(attribute, DictionaryAttr):
            raise ValueError(
                "this wasm.module is no program: it has no attribute 'program' that tells its inputs and outputs"
            )
        values = attribute.data
        flat = values["donated"].get_values()  # type: ignore[attr-defined]
        return cls(
            values["inputs"].get_values(),  # type: ignore[attr-defined]
            values["outputs"].get_values(),  # type: ignore[attr-defined]
            values["arena"].value.data,  # type: ignore[attr-defined]
            values["work"].value.data,  # type: ignore[attr-defined]
            tuple(zip(flat[::2], flat[1::2], strict=True)),
        )


def program_module() -> tuple[ModuleBuilder, FuncBuilder]:
    """A module with the memory's import, and its exported `main`, whose arguments are params, tid, nthreads."""
    module = ModuleBuilder()
    module.memory(1, PAGE, shared=True, import_from=("env", "memory"))
    return module, module.func("main", [i32, i32, i32], export="main")

"""kernel-schedule: chooses how each nest lies on the machine, and writes the choice down; applying it is another pass.

The choice is a `schedule` attribute on the nest, one line a step (passes/schedule/steps.py). What is chosen, and why, stands in passes/schedule/<target>.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.ops import NestOp
from weft.passes.schedule.steps import Schedule, to_attr

TARGETS = ("wasm", "webgpu")


@dataclass(frozen=True)
class KernelSchedulePass(ModulePass):
    """Chooses a schedule for every nest that has none.

    `target`: wasm or webgpu.
    """

    name = "kernel-schedule"

    target: str = "wasm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.target not in TARGETS:
            raise PassFailedException(
                f"kernel-schedule: target must be one of {', '.join(TARGETS)}, got '{self.target}'"
            )
        choose: Callable[[NestOp], Schedule] = import_module(f"weft.passes.schedule.{self.target}").choose
        for nest in op.walk():
            if isinstance(nest, NestOp) and nest.schedule is None:
                nest.properties["schedule"] = to_attr(choose(nest))

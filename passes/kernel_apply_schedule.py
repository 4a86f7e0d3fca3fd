"""kernel-apply-schedule: carries out the schedules that nests hold."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.ops import NestOp
from weft.passes.schedule.steps import ScheduleError, apply, from_attr


@dataclass(frozen=True)
class KernelApplySchedulePass(ModulePass):
    """Rewrites axes and maps of each nest by the steps of its `schedule`, which goes.

    Fails for a step that does not fit its nest: a schedule is chosen for the nest it stands on.
    """

    name = "kernel-apply-schedule"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for nest in op.walk():
            if isinstance(nest, NestOp) and isinstance(schedule := nest.schedule, ArrayAttr):
                try:
                    apply(nest, from_attr(schedule))
                except ScheduleError as error:
                    raise PassFailedException(f"kernel-apply-schedule: {error}") from error
                del nest.properties["schedule"]

"""kernel-group: one schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Level, Schedule, Split


@dataclass(frozen=True)
class KernelGroupPass(StepPass):
    """Shares `factor` steps of a reduction axis among the invocations of a workgroup.

    Their partial results meet in workgroup memory.
    """

    name = "kernel-group"

    factor: int

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor), Level(self.axis + "1", "group"))

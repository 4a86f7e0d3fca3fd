"""kernel-local: one schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Level, Schedule, Split


@dataclass(frozen=True)
class KernelLocalPass(StepPass):
    """Gives `factor` steps of a parallel axis to the invocations of a workgroup.

    The last local axis is the fastest invocation, so its loads should be neighbours.
    """

    name = "kernel-local"

    factor: int

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor), Level(self.axis + "1", "local"))

"""kernel-vectorize: one schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Level, Schedule, Split


@dataclass(frozen=True)
class KernelVectorizePass(StepPass):
    """Puts `factor` steps of an axis in the lanes of one vector.

    Loads and stores with stride 1 along the axis become one instruction; a reduction over it is finished across the lanes.
    """

    name = "kernel-vectorize"

    factor: int

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor), Level(self.axis + "1", "lane"))

"""kernel-upcast: one schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Level, Schedule, Split


@dataclass(frozen=True)
class KernelUpcastPass(StepPass):
    """Moves `factor` steps of a parallel axis into registers, each with its own result.

    More independent work and more reuse of what is loaded; each step costs registers.
    """

    name = "kernel-upcast"

    factor: int

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor), Level(self.axis + "1", "reg"))

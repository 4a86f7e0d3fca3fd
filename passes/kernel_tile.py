"""kernel-tile: a loop over blocks, and one within a block. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Level, Schedule, Split


@dataclass(frozen=True)
class KernelTilePass(StepPass):
    """Cuts `factor` steps of an axis out as a loop of their own: a block that stays in a cache.

    The loop over blocks stays where the axis was.
    """

    name = "kernel-tile"

    factor: int

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor), Level(self.axis + "0", "loop"), Level(self.axis + "1", "loop"))

"""kernel-split: an axis in two. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Schedule, Split


@dataclass(frozen=True)
class KernelSplitPass(StepPass):
    """Cuts an axis in two: `axis`0 counts rounds of `factor` steps, `axis`1 the steps.

    Where the factor does not divide the extent, the last round begins early (`tail` clamp), reads zeros beyond the end (zero), or takes what pads the buffers there (pad).
    """

    name = "kernel-split"

    factor: int
    tail: str = "clamp"

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor, self.tail),)

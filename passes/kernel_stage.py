"""kernel-stage: a copy of what a load reads, near by. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Schedule, Stage


@dataclass(frozen=True)
class KernelStagePass(StepPass):
    """Lets load number `load` read a copy, made whenever a round of `axis` begins.

    `panel`: the axes of the copy, outermost first, separated by "/"; what is read one after the other then lies side by side.
    """

    name = "kernel-stage"

    load: int
    panel: str

    def steps(self) -> Schedule:
        return (Stage(self.load, self.axis, (("panel", self.panel.replace("/", ",")),)),)

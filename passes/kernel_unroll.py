"""kernel-unroll: one schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import StepPass
from weft.passes.schedule.steps import Level, Schedule, Split


@dataclass(frozen=True)
class KernelUnrollPass(StepPass):
    """Moves `factor` steps of a reduction axis into registers, so that the inner loop runs them straight.

    Each step has a partial result of its own, which shortens the chain of dependent additions; the body does not change.
    """

    name = "kernel-unroll"

    factor: int

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor), Level(self.axis + "1", "reg"))

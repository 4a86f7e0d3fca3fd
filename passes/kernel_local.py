"""kernel-local: steps of a parallel axis among the invocations of a workgroup. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import FactorPass


@dataclass(frozen=True)
class KernelLocalPass(FactorPass):
    """Gives `factor` steps of a parallel axis to the invocations of a workgroup.

    The last local axis is the fastest invocation, so its loads should be neighbours.
    """

    name = "kernel-local"
    LEVEL = "local"

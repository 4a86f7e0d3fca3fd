"""kernel-group: steps of a reduction among the invocations of a workgroup. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import FactorPass


@dataclass(frozen=True)
class KernelGroupPass(FactorPass):
    """Shares `factor` steps of a reduction axis among the invocations of a workgroup.

    Their partial results meet in workgroup memory.
    """

    name = "kernel-group"
    LEVEL = "group"

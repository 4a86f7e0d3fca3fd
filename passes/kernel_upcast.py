"""kernel-upcast: steps of a parallel axis in registers. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import FactorPass


@dataclass(frozen=True)
class KernelUpcastPass(FactorPass):
    """Moves `factor` steps of a parallel axis into registers, each with its own result.

    More independent work and more reuse of what is loaded; each step costs registers.
    """

    name = "kernel-upcast"
    LEVEL = "reg"

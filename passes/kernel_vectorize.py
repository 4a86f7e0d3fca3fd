"""kernel-vectorize: steps of an axis in the lanes of a vector. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import FactorPass


@dataclass(frozen=True)
class KernelVectorizePass(FactorPass):
    """Puts `factor` steps of an axis in the lanes of one vector.

    Loads and stores with stride 1 along the axis become one instruction; a reduction over it is finished across the lanes.
    """

    name = "kernel-vectorize"
    LEVEL = "lane"

"""kernel-unroll: steps of a reduction in registers. One schedule step, by hand."""

from __future__ import annotations

from dataclasses import dataclass

from weft.passes.schedule.single import FactorPass


@dataclass(frozen=True)
class KernelUnrollPass(FactorPass):
    """Moves `factor` steps of a reduction axis into registers, so that the inner loop runs them straight.

    Each step has a partial result of its own, which shortens the chain of dependent additions; the body does not change.
    """

    name = "kernel-unroll"
    LEVEL = "reg"

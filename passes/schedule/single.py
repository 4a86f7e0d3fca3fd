"""What the passes of one schedule step share: they apply to every nest that has the axis."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.ops import NestOp
from weft.passes.schedule.steps import Level, Schedule, ScheduleError, Split, apply


@dataclass(frozen=True)
class StepPass(ModulePass):
    """A pass that applies `steps` to each nest with the axis `axis`."""

    axis: str

    @abstractmethod
    def steps(self) -> Schedule:
        """The steps for one nest."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        nests = [
            nest for nest in op.walk() if isinstance(nest, NestOp) and any(a.name == self.axis for a in nest.axes.data)
        ]
        if not nests:
            raise PassFailedException(f"{self.name}: no nest has an axis '{self.axis}'")
        for nest in nests:
            try:
                apply(nest, self.steps())
            except ScheduleError as error:
                raise PassFailedException(f"{self.name}: {error}") from error


@dataclass(frozen=True)
class FactorPass(StepPass):
    """A pass that cuts `factor` steps of the axis out and puts them on a level."""

    factor: int

    LEVEL: ClassVar[str]

    def steps(self) -> Schedule:
        return (Split(self.axis, self.factor), Level(f"{self.axis}1", self.LEVEL))

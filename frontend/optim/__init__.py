"""Optimisers, schedules and losses (Optax's names and numerics). An optimiser is a `chain` of small transformations; `apply_updates` adds what comes out of it to the parameters."""

# ruff: noqa: F403
from typing import Any

from weft.optim import contrib as contrib
from weft.optim import losses as losses
from weft.optim import microbatching as microbatching
from weft.optim import projections as projections
from weft.optim import schedules as schedules
from weft.optim import transforms as transforms
from weft.optim import tree as tree
from weft.optim import tree_utils as tree_utils
from weft.optim.base import *
from weft.optim.base import Params as Params
from weft.optim.base import ScalarOrSchedule as ScalarOrSchedule
from weft.optim.base import Schedule as Schedule
from weft.optim.base import Updates as Updates
from weft.optim.combining import *
from weft.optim.combining import MultiTransformState as MultiTransformState
from weft.optim.directions import *
from weft.optim.factored import *
from weft.optim.line_search import *
from weft.optim.linear_algebra import *
from weft.optim.losses import *
from weft.optim.measuring import *
from weft.optim.microbatching import microbatch as microbatch
from weft.optim.norms import *
from weft.optim.optimizers import *
from weft.optim.quasi_newton import *
from weft.optim.schedules import *
from weft.optim.shaping import *
from weft.optim.squares import *
from weft.optim.wrappers import *

tree_map_params = tree.map_params
OptState = MaskOrFn = Any

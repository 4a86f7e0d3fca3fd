"""Younger optimisers, as in `optax.contrib`: without schedules, without learning rates, with orthogonal steps, with a second look."""

# ruff: noqa: F403
from weft.optim.contrib.around import *
from weft.optim.contrib.directions import *
from weft.optim.contrib.learned_rates import *
from weft.optim.contrib.muon import *
from weft.optim.contrib.privacy import *
from weft.optim.contrib.schedule_free import *

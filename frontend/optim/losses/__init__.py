"""Losses, one number for each example: what is to be averaged and differentiated. Names and conventions are Optax's."""

# ruff: noqa: F403
from weft.optim.losses.margins import *
from weft.optim.losses.probabilities import *
from weft.optim.losses.sequences import *

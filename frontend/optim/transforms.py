"""Transformations that make up optimisers, under the name that Optax keeps them by."""

# ruff: noqa: F403, PLC0414
from weft.optim.base import NonNegativeParamsState as NonNegativeParamsState
from weft.optim.base import chain as chain
from weft.optim.base import named_chain as named_chain
from weft.optim.combining import *
from weft.optim.directions import TraceState as TraceState
from weft.optim.directions import trace as trace
from weft.optim.measuring import *
from weft.optim.shaping import *
from weft.optim.wrappers import *

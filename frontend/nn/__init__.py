"""Functions for neural networks: activations, normalisations, pooling, initial weights."""

# ruff: noqa: F403
from weft.nn import initializers as initializers
from weft.nn.attention import *
from weft.nn.functions import *
from weft.nn.pooling import *

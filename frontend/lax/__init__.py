"""The strict operators that everything else is written with (JAX's `jax.lax`): nothing is promoted, nothing is broadcast but scalars and axes of size 1."""

# ruff: noqa: F403
from weft.lax.branches import *
from weft.lax.collectives import *
from weft.lax.contraction import *
from weft.lax.elementwise import *
from weft.lax.fourier import *
from weft.lax.indexing import *
from weft.lax.loops import *
from weft.lax.reduction import *
from weft.lax.shape import *
from weft.lax.solves import *
from weft.lax.sorting import *
from weft.lax.special import *

from weft.lax import linalg as linalg  # isort: skip

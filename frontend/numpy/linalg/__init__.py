"""Linear algebra as NumPy names it (`jax.numpy.linalg`): operands are promoted, leading axes broadcast, everything is differentiable."""

# ruff: noqa: F403
from weft.numpy.linalg.determinants import *
from weft.numpy.linalg.factorizations import *
from weft.numpy.linalg.factorizations import EighResult as EighResult
from weft.numpy.linalg.factorizations import EigResult as EigResult
from weft.numpy.linalg.factorizations import QRResult as QRResult
from weft.numpy.linalg.factorizations import SlogdetResult as SlogdetResult
from weft.numpy.linalg.factorizations import SVDResult as SVDResult
from weft.numpy.linalg.factorizations import inexact as inexact
from weft.numpy.linalg.norms import *
from weft.numpy.linalg.products import *
from weft.numpy.linalg.systems import *
from weft.numpy.linalg.systems import lu_solved as lu_solved

"""Linear algebra as SciPy names it (`jax.scipy.linalg`): systems and factorisations, functions of matrices, matrices of known structure.

Everything takes leading axes for batches. What SciPy's `overwrite_*` and `check_finite` ask for is accepted and ignored.
"""

# ruff: noqa: F403
from weft.scipy.linalg.functions import *
from weft.scipy.linalg.matrices import *
from weft.scipy.linalg.systems import *

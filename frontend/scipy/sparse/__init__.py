"""What SciPy keeps with sparse matrices (`jax.scipy.sparse`): solvers that ask of a matrix only its products."""

from weft.scipy.sparse import linalg as linalg

"""Special functions (`jax.scipy.special`): compositions of operators, exact derivatives given where the composition would not have them."""

# ruff: noqa: F403
from weft.scipy.special.bessel import *
from weft.scipy.special.gammas import *
from weft.scipy.special.harmonics import *
from weft.scipy.special.hypergeometric import *
from weft.scipy.special.incomplete import *
from weft.scipy.special.information import *
from weft.scipy.special.integrals import *
from weft.scipy.special.normal import *

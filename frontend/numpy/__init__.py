"""NumPy's functions on weft's arrays, with JAX's types and rules (`import weft.numpy as jnp`)."""

# ruff: noqa: F403
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

from weft.array import Array as Array
from weft.numpy import fft as fft
from weft.numpy.calculus import *
from weft.numpy.creation import *
from weft.numpy.dtypes import *
from weft.numpy.dtypes import bool_
from weft.numpy.editing import *
from weft.numpy.einsum import *
from weft.numpy.elementwise import *
from weft.numpy.exchange import *
from weft.numpy.grids import *
from weft.numpy.histograms import *
from weft.numpy.info import ARRAY_API_VERSIONS as ARRAY_API_VERSIONS
from weft.numpy.info import __array_namespace_info__ as __array_namespace_info__
from weft.numpy.integers import *
from weft.numpy.interpolation import *
from weft.numpy.linear import *
from weft.numpy.logic import *
from weft.numpy.manipulation import *
from weft.numpy.mapping import *
from weft.numpy.nans import *
from weft.numpy.padding import *
from weft.numpy.polynomials import *
from weft.numpy.quantiles import *
from weft.numpy.reductions import *
from weft.numpy.selection import *
from weft.numpy.sets import *
from weft.numpy.sorting import *
from weft.numpy.statistics import *
from weft.numpy.ufunc import *
from weft.numpy.ufuncs import *
from weft.numpy.windows import *

from weft.numpy import linalg as linalg  # isort: skip

ndarray = Array
bool = bool_
euler_gamma = 0.5772156649015329
newaxis = None
__array_api_version__ = ARRAY_API_VERSIONS[-1]

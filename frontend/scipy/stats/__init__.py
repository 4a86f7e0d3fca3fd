"""Distributions (`jax.scipy.stats`): densities, distribution functions, quantiles, and their logarithms."""

from weft.scipy.stats.continuous import beta as beta
from weft.scipy.stats.continuous import cauchy as cauchy
from weft.scipy.stats.continuous import chi2 as chi2
from weft.scipy.stats.continuous import expon as expon
from weft.scipy.stats.continuous import gamma as gamma
from weft.scipy.stats.continuous import laplace as laplace
from weft.scipy.stats.continuous import logistic as logistic
from weft.scipy.stats.continuous import norm as norm
from weft.scipy.stats.continuous import pareto as pareto
from weft.scipy.stats.continuous import t as t
from weft.scipy.stats.continuous import uniform as uniform
from weft.scipy.stats.continuous import vonmises as vonmises
from weft.scipy.stats.discrete import bernoulli as bernoulli
from weft.scipy.stats.discrete import betabinom as betabinom
from weft.scipy.stats.discrete import binom as binom
from weft.scipy.stats.discrete import dirichlet as dirichlet
from weft.scipy.stats.discrete import geom as geom
from weft.scipy.stats.discrete import multinomial as multinomial
from weft.scipy.stats.discrete import nbinom as nbinom
from weft.scipy.stats.discrete import poisson as poisson

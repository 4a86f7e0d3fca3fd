"""Distributions (`jax.scipy.stats`): densities, distribution functions, quantiles, and their logarithms; what samples are like."""

from weft.scipy.stats.bounded import beta, chi2, expon, gamma, pareto, uniform, vonmises, wrapcauchy
from weft.scipy.stats.discrete import bernoulli, betabinom, binom, geom, nbinom, poisson
from weft.scipy.stats.kde import gaussian_kde
from weft.scipy.stats.multivariate import dirichlet, multinomial, multivariate_normal
from weft.scipy.stats.samples import mode, rankdata, sem
from weft.scipy.stats.unbounded import cauchy, gennorm, gumbel_l, gumbel_r, laplace, logistic, norm, t, truncnorm

__all__ = [
    "bernoulli",
    "beta",
    "betabinom",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "gaussian_kde",
    "gennorm",
    "geom",
    "gumbel_l",
    "gumbel_r",
    "laplace",
    "logistic",
    "mode",
    "multinomial",
    "multivariate_normal",
    "nbinom",
    "norm",
    "pareto",
    "poisson",
    "rankdata",
    "sem",
    "t",
    "truncnorm",
    "uniform",
    "vonmises",
    "wrapcauchy",
]

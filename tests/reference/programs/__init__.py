"""Whole programs as a user of JAX writes them: each takes `jax`, which weft stands in for, and gives arrays. They name nothing of weft, and nothing is adapted to it."""

from . import (
    attention,
    denoising,
    gaussian_process,
    generation,
    hamiltonian,
    kalman,
    kmeans,
    mandelbrot,
    markov,
    neural_ode,
    newton,
    policy_gradient,
    recurrent,
    search,
    training_state,
    transport,
)

__all__ = [
    "attention",
    "denoising",
    "gaussian_process",
    "generation",
    "hamiltonian",
    "kalman",
    "kmeans",
    "mandelbrot",
    "markov",
    "neural_ode",
    "newton",
    "policy_gradient",
    "recurrent",
    "search",
    "training_state",
    "transport",
]

"""Integrals of samples (`jax.scipy.integrate`)."""

from weft.numpy import trapezoid

__all__ = ["trapezoid"]

"""Where JAX keeps derivatives by hand (`jax.custom_derivatives`); they are defined in weft.custom."""

from __future__ import annotations

from weft.custom import closure_convert, custom_gradient, custom_jvp, custom_vjp

__all__ = ["closure_convert", "custom_gradient", "custom_jvp", "custom_vjp"]

"""`pjit`, by which `jit` was known where a program ran on several devices."""

from weft.jit import jit as pjit

__all__ = ["pjit"]

"""Clustering (`jax.scipy.cluster`)."""

from weft.scipy.cluster import vq

__all__ = ["vq"]

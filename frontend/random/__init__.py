"""Random numbers as JAX makes them: from explicit keys, by Threefry-2x32, bit for bit.

The same key gives the same numbers on every device, eagerly and under `jit` and `vmap`. Positions are enciphered one by one (JAX's `jax_threefry_partitionable`, its default),
so that making them parallelises.

J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

# ruff: noqa: F403
from weft.random.inverses import *
from weft.random.keys import *
from weft.random.matrices import *
from weft.random.orders import *
from weft.random.rejection import *
from weft.random.uniforms import *

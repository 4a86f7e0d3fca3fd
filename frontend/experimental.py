"""What JAX keeps in `jax.experimental`, as far as it is here."""

from weft.callbacks import io_callback

__all__ = ["io_callback"]

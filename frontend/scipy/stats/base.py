"""What the distributions are written with: a distribution is a namespace of functions, each of arrays in one real floating dtype, and some of them follow from others."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, ClassVar

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.scipy.special.base import real as promoted

__all__ = ["Distribution", "inside", "promoted"]

DOCS = {
    "cdf": "The distribution function.",
    "entropy": "The entropy.",
    "isf": "The inverse of sf.",
    "logcdf": "The logarithm of the distribution function.",
    "logpdf": "The logarithm of the density.",
    "logpmf": "The logarithm of the probability.",
    "logsf": "The logarithm of 1 - cdf.",
    "pdf": "The density.",
    "pmf": "The probability.",
    "ppf": "The quantile.",
    "sf": "1 - cdf.",
}


def log(p: Array) -> Array:
    """The logarithm of a probability; outside of the support -inf, which does not vary."""
    return wnp.where(p == 0, -wnp.inf, lax.log(wnp.where(p == 0, 1.0, p)))


FOLLOWS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "pdf": ("logpdf", lax.exp),
    "pmf": ("logpmf", lax.exp),
    "cdf": ("logcdf", lax.exp),
    "sf": ("logsf", lax.exp),
    "logcdf": ("cdf", log),
    "logsf": ("sf", log),
}
"""Functions that a distribution has if it has another one, unless it says better how they are computed."""


class Distribution:
    """A distribution: a namespace of functions, which a subclass has as static methods. They are called with promoted arguments, defaults included."""

    pdf: ClassVar[Callable[..., Array]]
    pmf: ClassVar[Callable[..., Array]]
    cdf: ClassVar[Callable[..., Array]]
    sf: ClassVar[Callable[..., Array]]
    logcdf: ClassVar[Callable[..., Array]]
    logsf: ClassVar[Callable[..., Array]]

    def __init_subclass__(cls) -> None:
        own = {name: value.__func__ for name, value in vars(cls).items() if isinstance(value, staticmethod)}
        for name, f in own.items():
            setattr(cls, name, staticmethod(_of_promoted(f"{cls.__name__}.{name}", f)))
        for name, (source, then) in FOLLOWS.items():
            if source in own and name not in own:
                setattr(cls, name, staticmethod(_followed(name, getattr(cls, source), then)))
        module = ModuleType(f"weft.scipy.stats.{cls.__name__}", cls.__doc__)  # what `import jax.scipy.stats.norm` gives
        vars(module).update({name: getattr(cls, name) for name in dir(cls) if not name.startswith("_")})
        sys.modules[module.__name__] = module


def _of_promoted(name: str, f: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(f)

    @wraps(f)
    def call(*args: Any, **named: Any) -> Any:
        given = signature.bind(*args, **named)
        given.apply_defaults()
        return f(*promoted(name, *given.arguments.values()))

    call.__doc__ = f.__doc__ or DOCS[f.__name__]
    return call


def _followed(name: str, f: Callable[..., Array], then: Callable[[Array], Array]) -> Callable[..., Array]:
    @wraps(f)
    def call(*args: Any, **named: Any) -> Array:
        return then(f(*args, **named))

    call.__name__, call.__doc__ = name, DOCS[name]
    return call


def inside(condition: Any, log_density: Array, outside: float = -float("inf")) -> Array:
    """A logarithm where the condition holds, -inf (or another number) elsewhere."""
    return wnp.where(condition, log_density, wnp.asarray(outside, log_density.dtype))

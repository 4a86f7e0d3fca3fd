"""What special functions are written with: promotion, Chebyshev sums, sums until they converge, and derivatives that are formulas.

A function that is computed by pieces of polynomials has a derivative that is known exactly; `special` says what it is, so that it is not the derivative of the approximation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.custom import custom_jvp
from weft.dialects.dtypes import float32, float64
from weft.numpy.promotion import promote_arrays

Derivative = Callable[..., Any] | None


_BY_VALUE = frozenset(
    [
        "beta",
        "betainc",
        "dawsn",
        "entr",
        "exp1",
        "expi",
        "expn",
        "gammasgn",
        "hyp1f1",
        "kl_div",
        "poch",
        "polygamma",
        "rel_entr",
        "sici",
    ]
)
"""What JAX refuses complex arguments of by ValueError; of the others by TypeError."""


def real(name: str, *xs: Any) -> list[Array]:
    """Arguments in one real floating dtype, each in its own shape. Raises TypeError or ValueError (as JAX does) for complex ones."""
    arrays = [wrap(lift(x)) for x in xs]
    if any(a.dtype.kind == "c" for a in arrays):
        raise (ValueError if name in _BY_VALUE else TypeError)(f"{name} does not support complex-valued inputs.")
    return promote_arrays(*arrays, inexact=True)


def wide(name: str, x: Any) -> Array:
    """An argument in float32 or float64. Raises TypeError for other dtypes, as JAX does."""
    x = wrap(lift(x))
    if x.dtype not in (float32, float64):
        raise TypeError(f"{name} requires float32 or float64, got {x.dtype}")
    return x


def special(
    *derivatives: Derivative, of_complex: bool = False
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """A decorator: one derivative per argument, `d(out, *args)`, or None where there is none. Arguments come promoted; 16-bit floats are computed in float32, complex numbers refused unless `of_complex`."""

    def decorate(f: Callable[..., Array]) -> Callable[..., Array]:
        core = custom_jvp(f)
        rules = [None if d is None else _times(d) for d in derivatives]
        core.defjvps(*rules)

        def wrapped(*args: Any) -> Array:
            arrays = promote_arrays(*args, inexact=True) if of_complex else real(f.__name__, *args)
            dtype = arrays[0].dtype
            if dtype.bits < 32:
                return core(*(a.astype(float32) for a in arrays)).astype(dtype)
            return core(*arrays)

        update_wrapper(wrapped, f)
        return wrapped

    return decorate


def _times(d: Callable[..., Any]) -> Callable[..., Any]:
    def rule(tangent: Array, out: Array, *args: Array) -> Array:
        return wnp.broadcast_to(tangent * d(out, *args), out.shape)

    return rule


def chebyshev(t: Array, coefficients: Sequence[float]) -> Array:
    """The sum of Chebyshev polynomials at t in [-1, 1], by Clenshaw's recurrence. In float32 what is below its precision is left out."""
    if t.dtype is float32:
        total = abs(coefficients[0]) + abs(coefficients[1])
        rest, last = 0.0, len(coefficients)
        while last > 2 and rest + abs(coefficients[last - 1]) < 1e-9 * total:
            last -= 1
            rest += abs(coefficients[last])
        coefficients = coefficients[:last]
    twice = 2 * t
    before, current = wnp.zeros_like(t), wnp.zeros_like(t)
    for c in reversed(coefficients[1:]):
        before, current = current, twice * current - before + c
    return t * current - before + coefficients[0]


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """A polynomial by Horner's rule, the highest coefficient first."""
    total = wnp.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total = total * x + c
    return total


def where_safe(condition: Any, x: Array, instead: float) -> Array:
    """x where the condition holds, else a number at which the branch that is not taken does no harm."""
    return wnp.where(condition, x, wnp.asarray(instead, x.dtype))


STEPS = 2000
"""After so many terms what has not converged is left as it is."""


def limits(x: Array) -> tuple[float, float]:
    """What a term must be below of the sum, and the least number that a denominator may be."""
    return (1e-9, 1e-30) if x.dtype is float32 else (1e-18, 1e-290)


def until_converged(step: Callable[[Array, Any], tuple[Any, Array]], state: Any, x: Array) -> Any:
    """`step(k, state) -> (state, whether each element has converged)` for k = 1, 2, …; elements that have converged keep what they have."""

    def body(carried: Any) -> Any:
        k, state, done = carried
        new, converged = step(k, state)
        kept = tuple(wnp.where(done, old, n) for old, n in zip(state, new, strict=True))
        return k + 1, kept, done | converged

    def going(carried: Any) -> Array:
        k, _, done = carried
        return wnp.any(~done) & (k < STEPS)

    one = wnp.ones((), x.dtype)
    return lax.while_loop(going, body, (one, state, wnp.zeros(x.shape, bool)))[1]

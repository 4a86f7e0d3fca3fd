"""`jet`: Taylor series through a function, by nested forward derivatives along a curve.

The curve through the primals that has the given derivatives is a polynomial in t, and the derivatives of the function along it are those by t, taken at 0. The k-th costs 2^k evaluations at most, of which a program
keeps what is there twice once: for the low orders that one asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

from weft import numpy as jnp
from weft.array import Array
from weft.autodiff import jvp
from weft.function import check_callable
from weft.tree_util import tree_flatten, tree_map, tree_structure

__all__ = ["jet"]


def jet(
    fun: Callable[..., Any], primals: Sequence[Any], series: Sequence[Any], factorial_scaled: bool = True, **_: Any
) -> tuple[Any, Any]:
    """`(out, out_series)`: the value of `fun` along curves through `primals`, and its derivatives: a list in the place of each leaf of the result.

    `series` has a list for each primal: the derivatives of its curve, from the first on; without `factorial_scaled`, its Taylor coefficients, and so are the results. Raises ValueError for lists of different lengths,
    TypeError for what is no list.
    """
    check_callable(fun, "jet")
    flat, curves = [], []
    for primal, terms in zip(primals, series, strict=True):
        if not isinstance(terms, (list, tuple)):
            raise TypeError(f"jet: a series must be a list or a tuple, got {type(terms).__name__}")
        leaves, tree = tree_flatten(primal)
        columns = [tree.flatten_up_to(t) for t in terms]
        for k, x in enumerate(leaves):
            flat.append(jnp.asarray(x))
            curves.append([jnp.asarray(c[k]) for c in columns])
    if len({len(c) for c in curves}) > 1:
        raise ValueError("jet terms have inconsistent lengths for different arguments")
    order = len(curves[0]) if curves else 0
    for x, terms in zip(flat, curves, strict=True):
        if any(t.shape != x.shape for t in terms):
            raise ValueError(f"jet: the terms of a series must have the shape of their primal, {x.shape}, got {[t.shape for t in terms]}")  # fmt: skip
    tree = tree_structure(tuple(primals))

    def along(t: Array) -> Any:
        return fun(
            *tree.unflatten([_curve(x, terms, t, factorial_scaled) for x, terms in zip(flat, curves, strict=True)])
        )

    start, one = jnp.float32(0), jnp.float32(1)
    found, derivative = [along(start)], along
    for _k in range(order):
        derivative = _derived(derivative, one)
        found.append(derivative(start))
    scaled = [
        tree_map(lambda x, k=k: x if factorial_scaled else x / factorial(k), part) for k, part in enumerate(found)
    ]
    leaves, out_tree = tree_flatten(scaled[0])
    rows: list[list[Any]] = [tree_flatten(part)[0] for part in scaled[1:]]
    return scaled[0], out_tree.unflatten([[row[k] for row in rows] for k in range(len(leaves))])


def _derived(f: Callable[[Array], Any], one: Array) -> Callable[[Array], Any]:
    return lambda t: jvp(f, (t,), (one,))[1]


def _curve(x: Array, terms: Sequence[Array], t: Array, derivatives: bool) -> Array:
    """x + t (c1 + t (c2 + …)), where the coefficients are the terms, divided by factorials if these are derivatives."""
    total = jnp.zeros_like(x)
    for k in range(len(terms), 0, -1):
        scale = 1 / factorial(k) if derivatives else 1.0
        total = t.astype(x.dtype) * (terms[k - 1] * scale + total)
    return x + total

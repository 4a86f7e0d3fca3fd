"""Tests of derivatives (`jax.test_util`): a function's forward and reverse derivatives are held against differences of its values.

Each is asked in one direction, drawn by a fixed key: t for the arguments, c for the results. A forward derivative is right if jvp(t) is the difference quotient along t, and a reverse one if
<vjp(c), t> = <c, that quotient>. What is not of floating point does not vary, and keeps its value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import weft.numpy as wnp
from weft import random
from weft.array import lift
from weft.autodiff import jvp, linearize, vjp
from weft.dialects.dtypes import float0
from weft.tree_util import tree_flatten, tree_leaves, tree_map

__all__ = ["check_grads", "check_jvp", "check_vjp"]

EPS = 1e-4
"""Half the distance of the values that a difference quotient is made of."""
TOLERANCES = {
    "bfloat16": 1e-1,
    "float16": 1e-2,
    "float32": 2e-3,
    "float64": 1e-5,
    "complex64": 1e-3,
    "complex128": 1e-5,
}
"""How far derivatives may differ from difference quotients, per element: absolutely, and relatively."""


def check_jvp(
    f: Callable[..., Any],
    f_jvp: Callable[..., Any],
    args: Sequence[Any],
    atol: Any = None,
    rtol: Any = None,
    eps: float = EPS,
    err_msg: str = "",
) -> None:
    """Holds `f_jvp(args, tangents) -> (out, tangent of out)`, most likely `partial(jvp, f)`, against differences of `f(*args)`. Raises AssertionError if they differ.

    `atol`, `rtol`: the tolerances, numbers or dicts of them by dtype.
    """
    args = tuple(args)
    tangents = _direction(args, 0)
    out, tangent = f_jvp(args, tangents)
    close = partial(_check_close, atol=atol, rtol=rtol)
    close(out, f(*args), what=f"{err_msg} primal".strip())
    close(tangent, _quotient(f, args, tangents, eps), what=f"{err_msg} tangent".strip())


def check_vjp(
    f: Callable[..., Any],
    f_vjp: Callable[..., Any],
    args: Sequence[Any],
    atol: Any = None,
    rtol: Any = None,
    eps: float = EPS,
    err_msg: str = "",
) -> None:
    """Holds `f_vjp(*args) -> (out, function of a cotangent)`, most likely `partial(vjp, f)`, against differences of `f(*args)`. Raises AssertionError if they differ. See `check_jvp`."""
    args = tuple(args)
    out, pull = f_vjp(*args)
    close = partial(_check_close, atol=atol, rtol=rtol)
    close(out, f(*args), what=f"{err_msg} primal".strip())
    tangents, cotangent = _direction(args, 0), _direction(out, 1)
    pulled = tree_map(_conjugate, pull(tree_map(_conjugate, cotangent)))
    along = _inner(_quotient(f, args, tangents, eps), cotangent)
    close(_inner(tangents, pulled), along, what=f"{err_msg} cotangent projection".strip())


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: Any = None,
    rtol: Any = None,
    eps: float | None = None,
) -> None:
    """Holds the derivatives of `f` at `args`, up to the one of this order, against differences: forward (`"fwd"`), reverse (`"rev"`), and by `linearize` (`"lin"`). Raises AssertionError if they differ. See `check_jvp`."""
    options: dict[str, Any] = {"atol": atol, "rtol": rtol, "eps": eps or EPS}

    def linearized(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        out, push = linearize(f, *primals)
        return out, push(*tangents)

    def pulled(f: Callable[..., Any], *args: Any) -> Any:
        out, pull = vjp(f, *args)
        return pull(out)

    def check(f: Callable[..., Any], args: tuple[Any, ...], order: int, of: str) -> None:
        for mode, name, push in (("fwd", "JVP", jvp), ("lin", "LIN", linearized)):
            if mode in modes:
                what = f"{name} of {of}" if of else name
                check_jvp(f, partial(push, f), args, err_msg=what, **options)
                if order > 1:
                    check(partial(push, f), (args, args), order - 1, what)
        if "rev" in modes:
            what = f"VJP of {of}" if of else "VJP"
            check_vjp(f, partial(vjp, f), args, err_msg=what, **options)
            if order > 1:
                check(partial(pulled, f), args, order - 1, what)

    check(f, tuple(args), order, "")


def _varies(x: Any) -> bool:
    return lift(x).dtype.kind in "fc"


def _conjugate(x: Any) -> Any:
    return wnp.conj(x) if _varies(x) else x


def _direction(tree: Any, seed: int) -> Any:
    """Normal numbers in the places of a tree's, of their dtypes; float0 where nothing varies."""
    leaves, structure = tree_flatten(tree)
    keys = random.split(random.key(seed), max(len(leaves), 1))
    drawn = [
        random.normal(key, wnp.shape(x), lift(x).dtype) if _varies(x) else wnp.zeros(wnp.shape(x), float0)
        for key, x in zip(keys, leaves, strict=False)
    ]
    return structure.unflatten(drawn)


def _quotient(f: Callable[..., Any], args: tuple[Any, ...], tangents: Any, eps: float) -> Any:
    """(f(args + eps tangents) - f(args - eps tangents)) / (2 eps)."""

    def moved(by: float) -> Any:
        return f(*tree_map(lambda x, t: x + wnp.asarray(by, t.dtype) * t if _varies(x) else x, args, tangents))

    def divided(a: Any, b: Any) -> Any:
        if not _varies(a):
            return wnp.zeros(wnp.shape(a), float0)
        return wnp.where(wnp.equal(a, b), 0, wnp.subtract(a, b)) * wnp.asarray(0.5 / eps, lift(a).dtype)  # inf - inf: 0

    return tree_map(divided, moved(eps), moved(-eps))


def _inner(a: Any, b: Any) -> Any:
    """The real part of the inner product of two trees."""
    pairs = zip(tree_leaves(a), tree_leaves(b), strict=True)
    return sum((wnp.real(wnp.vdot(x, y)) for x, y in pairs if _varies(x)), start=wnp.zeros(()))


def _tolerance(given: Any, dtype: Any) -> float:
    """The tolerance that the user gives, or the one for the dtype."""
    if given is None or isinstance(given, dict):
        named = {wnp.dtype(k).name: v for k, v in (given or {}).items()}
        return named.get(dtype.name, TOLERANCES.get(dtype.name, 0.0))
    return given


def _check_close(found: Any, expected: Any, atol: Any, rtol: Any, what: str) -> None:
    """Raises AssertionError (under `python -O` as well) unless the leaves of two trees are equal within tolerances."""

    def check(x: Any, y: Any) -> None:
        x, y = wnp.asarray(x), wnp.asarray(y)
        if x.shape != y.shape:
            raise AssertionError(f"{what}: shapes differ: {x.shape} and {y.shape}")
        if x.dtype == float0:
            return
        absolute, relative = (
            max(_tolerance(t, x.dtype), _tolerance(t, y.dtype)) * max(x.size, 1) for t in (atol, rtol)
        )
        if not wnp.allclose(x, y, rtol=relative, atol=absolute, equal_nan=True):
            raise AssertionError(f"{what}: not equal to tolerance rtol={relative:g}, atol={absolute:g}: {x} and {y}")

    tree_map(check, found, expected)

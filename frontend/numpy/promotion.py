"""What NumPy does to operands before it computes: dtypes are promoted (by JAX's lattice, Python scalars being weak), shapes broadcast. Scalars stay of rank 0.

Most functions of elements are an operation after that: `unary` and `binary` make them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import inf
from typing import Any

from weft.array import Array, lift, wrap
from weft.config import config
from weft.dialects.array.node import Node
from weft.dialects.array.op import ArrayOp, broadcast
from weft.dialects.dtypes import DType, bool_, float32, float64, int32, promote_types
from weft.errors import TypePromotionError
from weft.host import canonical
from weft.lax.base import ArrayLike, constant, convert
from weft.lax.shape import broadcast_shapes


def common_dtype(*nodes: Node) -> tuple[DType, bool]:
    """The dtype that nodes are promoted to, and whether it is weak."""
    dtype, weak = nodes[0].dtype, nodes[0].aval.weak_type
    for n in nodes[1:]:
        if n.dtype is not dtype or n.aval.weak_type != weak:
            dtype, weak = promote_types(dtype, n.dtype, weak, n.aval.weak_type)
    if config.numpy_dtype_promotion == "strict" and any(n.dtype is not dtype and not n.aval.weak_type for n in nodes):
        raise TypePromotionError(
            f"Input dtypes ({', '.join(dict.fromkeys(str(n.aval.dtype) for n in nodes))}) have no available implicit dtype promotion path when numpy_dtype_promotion=strict. "
            "Try explicitly casting inputs to the desired output type, or set numpy_dtype_promotion=standard."
        )
    return canonical(dtype), weak


def to_inexact(dtype: DType) -> DType:
    """The floating dtype that functions such as `sin` compute an integer or boolean dtype in."""
    return dtype if dtype.is_inexact else float64 if dtype.bits == 64 else float32


def promote(*xs: ArrayLike, inexact: bool = False) -> list[Node]:
    """Operands in one dtype, a floating (or complex) one if `inexact`, and one shape (or rank 0). Raises ValueError for shapes that do not broadcast."""
    nodes = [lift(x) for x in xs]
    first = nodes[0].aval
    if not (all(n.aval is first for n in nodes) and (not inexact or first.dtype.is_inexact)):
        dtype, weak = common_dtype(*nodes)
        if inexact:
            dtype = to_inexact(dtype)
        nodes = [n if n.dtype is dtype and not weak else convert(n, dtype, weak or n.aval.weak_type) for n in nodes]
    return spread(nodes)


def spread(nodes: list[Node]) -> list[Node]:
    """Operands broadcast to one shape, except those of rank 0."""
    shapes = {n.shape for n in nodes if n.shape}
    if len(shapes) < 2:
        return nodes
    try:
        shape = broadcast_shapes(*(n.shape for n in nodes))
    except ValueError as error:
        raise (TypeError if len({len(s) for s in shapes}) == 1 else ValueError)(str(error)) from None  # as JAX has it
    rank = len(shape)
    if config.numpy_rank_promotion != "allow" and any(len(s) != rank for s in shapes):
        text = f"arrays of different ranks are broadcast, of shapes {', '.join(str(n.shape) for n in nodes)}, and the option numpy_rank_promotion is {config.numpy_rank_promotion!r}"
        if config.numpy_rank_promotion == "raise":
            raise ValueError(text)
        warnings.warn(text, stacklevel=4)
    return [broadcast(n, shape, range(rank - n.ndim, rank)) if n.shape else n for n in nodes]


def promote_arrays(*xs: ArrayLike, inexact: bool = False) -> list[Array]:
    """`promote`, as arrays."""
    return [wrap(n) for n in promote(*xs, inexact=inexact)]


def promote_numbers(*xs: ArrayLike) -> list[Array]:
    """`promote`, as arrays; truth values become integers."""
    nodes = promote(*xs)
    return [wrap(convert(n, int32) if n.dtype is bool_ else n) for n in nodes]


def same_dtype(*xs: ArrayLike) -> list[Node]:
    """Operands in one dtype, each in its own shape."""
    nodes = [lift(x) for x in xs]
    dtype, weak = common_dtype(*nodes)
    return [n if n.dtype is dtype and not weak else convert(n, dtype, weak or n.aval.weak_type) for n in nodes]


def like(value: Any, x: Array) -> Array:
    """A known number in the dtype of x. It is weak beside a weak scalar only: an array loses its weakness to it, as in JAX."""
    return constant(value, (), x.dtype, x.weak_type and not x.ndim)


def lowest(dtype: DType) -> float | int | bool:
    """The least value of a dtype: what a maximum starts from."""
    if dtype.is_inexact:
        return -inf
    return False if dtype.kind == "b" else -(1 << (dtype.bits - 1)) if dtype.kind == "i" else 0


def highest(dtype: DType) -> float | int | bool:
    """The greatest value of a dtype: what a minimum starts from."""
    if dtype.is_inexact:
        return inf
    return True if dtype.kind == "b" else (1 << (dtype.bits - (dtype.kind == "i"))) - 1


# -- functions from operations


def named(f: Callable[..., Any], name: str, doc: str | None) -> Any:
    """A function with its name in weft.numpy, and the first paragraph of a text as its documentation."""
    f.__name__ = f.__qualname__ = name
    f.__doc__ = (doc or "").split("\n\n")[0]
    f.__module__ = "weft.numpy"
    return f


def unary(name: str, op: type[ArrayOp], inexact: bool = False) -> Callable[[ArrayLike], Array]:
    """The function that an operation of one operand makes; of integers it computes in floats if `inexact`."""

    def f(x: ArrayLike, /) -> Array:
        return wrap(op.bind(promote(x, inexact=inexact)[0]))

    return named(f, name, op.__doc__)


def binary(
    name: str, op: type[ArrayOp], inexact: bool = False, of_bool: type[ArrayOp] | None = None, **params: Any
) -> Callable[[ArrayLike, ArrayLike], Array]:
    """The function that an operation of two operands makes; `of_bool` is what stands for it between truth values."""

    def f(x: ArrayLike, y: ArrayLike, /) -> Array:
        nodes = promote(x, y, inexact=inexact)
        return wrap((of_bool if of_bool and nodes[0].dtype is bool_ else op).bind(*nodes, **params))

    return named(f, name, op.__doc__)

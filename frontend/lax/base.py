"""What every library function starts with: arguments become nodes of one dtype and shapes that fit, axes and shapes become non-negative integers.

`weft.lax` is strict, as JAX's is: nothing is promoted, and shapes broadcast only along axes of size 1 (and from rank 0). `weft.numpy` promotes first and comes here then.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterable, Sequence
from math import nan, prod
from typing import Any, TypeAlias

from weft.array import Array, lift, scalar, wrap
from weft.dialects.array import ops
from weft.dialects.array.node import LeafOp, Node, aval
from weft.dialects.array.op import ArrayOp, broadcast, literal, op_name
from weft.dialects.dtypes import DType
from weft.errors import ConcretizationTypeError, TracerIntegerConversionError
from weft.host import canonical, clamped, outside

ArrayLike: TypeAlias = Any
DTypeLike: TypeAlias = Any
Shape: TypeAlias = Sequence[int]
Axis: TypeAlias = int | Sequence[int] | None


def default_float() -> DType:
    """float32, or float64 with `enable_x64`."""
    return canonical(float)


def default_int() -> DType:
    """int32, or int64 with `enable_x64`."""
    return canonical(int)


# -- operands -----------------------------------------------------------------------------------------------------------------------------


def agree(name: str, *xs: ArrayLike) -> list[Node]:
    """Elementwise operands as nodes: one dtype, one shape (or rank 0). Raises TypeError, in JAX's words, if they differ."""
    nodes = [lift(x) for x in xs]
    first = nodes[0].aval
    if all(n.aval is first for n in nodes):
        return nodes
    if any(n.dtype is not first.dtype for n in nodes):
        raise TypeError(
            f"lax.{name} requires arguments to have the same dtypes, got {', '.join(n.dtype.name for n in nodes)}. "
            "(Tip: weft.numpy has similar functions that promote types.)"
        )
    return fit(name, nodes)


def fit(name: str, nodes: list[Node]) -> list[Node]:
    """Operands of equal rank (or rank 0) broadcast to one shape. Raises TypeError if they do not fit."""
    shapes = {n.shape for n in nodes if n.shape}
    if len(shapes) < 2:
        return nodes
    if len({len(s) for s in shapes}) > 1:
        raise TypeError(
            f"{name}: arrays must have the same number of dimensions, got shapes {', '.join(str(n.shape) for n in nodes)}."
        )
    shape = tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*shapes, strict=True))
    if any(n not in (1, m) for s in shapes for n, m in zip(s, shape, strict=True)):
        raise TypeError(f"{name} got incompatible shapes for broadcasting: {', '.join(str(n.shape) for n in nodes)}.")
    return [broadcast(n, shape, range(len(shape))) if n.shape else n for n in nodes]


class ComplexWarning(RuntimeWarning):
    """A cast has left out imaginary parts."""


def known(x: Node) -> Any:
    """The Python number that a node stands for, or None if it is computed or a transform's argument."""
    value = x.params["value"] if x.op is ops.ConstantOp else x.value if x.op is LeafOp else None
    return value if not x.aval.shape and value.__class__ in (bool, int, float, complex) else None


def convert(x: Node, dtype: DType, weak: bool = False) -> Node:
    """A node in another dtype or weakness; itself if it has both. A number that the program knows is converted on the spot."""
    a = x.aval
    if a.dtype is dtype and a.weak_type == weak:
        return x
    if a.dtype.kind == "c" and dtype.kind in "iuf":
        warnings.warn(
            "Casting complex values to real discards the imaginary part.", ComplexWarning, stacklevel=outside()
        )
    if (
        (value := known(x)) is not None
        and (a.dtype is dtype or dtype.kind in "fc")
        and not (a.dtype.kind == "c" and dtype.kind == "f")
    ):
        value = float(value) if dtype.kind == "f" else value
        return literal(value, aval((), dtype, weak)) if x.op is ops.ConstantOp else scalar(value, dtype, weak)
    return ops.ConvertOp.bind(x, dtype=dtype, weak_type=True) if weak else ops.ConvertOp.bind(x, dtype=dtype)


def constant(value: complex, shape: Shape, dtype: DType, weak: bool = False) -> Array:
    """An array with one known value everywhere: part of the program's text, not an argument of it."""
    kind = dtype.kind
    value = clamped(value, dtype) if kind in "biu" else value if kind == "c" else float(value)  # type: ignore[arg-type]
    if value != value:
        value = nan  # one object, so that it equals itself where programs are compared
    extra = {"weak_type": True} if weak else {}
    return wrap(ops.ConstantOp.bind(value=value, shape=tuple(shape), dtype=dtype, **extra))


def number(x: ArrayLike) -> Any:
    """The Python number that `x` is, or None for arrays and everything else."""
    return x if isinstance(x, (bool, int, float, complex)) else None


# -- operators from operations ------------------------------------------------------------------------------------------------------------


def _named(f: Callable[..., Array], op: type[ArrayOp], name: str) -> Any:
    f.__name__ = f.__qualname__ = name
    f.__doc__ = (op.__doc__ or "").split("\n\n")[0]
    f.__module__ = "weft.lax"
    return f


def unary(op: type[ArrayOp], name: str | None = None) -> Callable[[ArrayLike], Array]:
    """The operator of an elementwise operation with one operand."""

    def f(x: ArrayLike) -> Array:
        return wrap(op.bind(lift(x)))

    return _named(f, op, name or op_name(op))


def binary(op: type[ArrayOp], name: str | None = None, **params: Any) -> Callable[[ArrayLike, ArrayLike], Array]:
    """The operator of an elementwise operation with two operands of one dtype."""
    name = name or op_name(op)

    def f(x: ArrayLike, y: ArrayLike) -> Array:
        return wrap(op.bind(*agree(name, x, y), **params))

    return _named(f, op, name)


# -- axes and shapes ----------------------------------------------------------------------------------------------------------------------


def concrete(x: Any, name: str) -> int:
    """The argument `name` as Python's integer. Raises TypeError if it is none, ConcretizationTypeError if it is traced."""
    try:
        return operator.index(x)
    except TracerIntegerConversionError as error:
        raise ConcretizationTypeError(
            f"The argument `{name}` must be known while a function is traced. {error}"
        ) from None


def axis_index(axis: Any, ndim: int) -> int:
    """A non-negative axis. Raises ValueError if it is out of range, TypeError if it is no integer."""
    index = axis if axis.__class__ is int else concrete(axis, "axis")
    if not -ndim <= index < ndim:
        raise ValueError(f"axis {index} is out of bounds for array of dimension {ndim}")
    return index % ndim


def refuse_out(out: Any, name: str) -> None:
    """Raises NotImplementedError for an `out` argument: arrays never change."""
    if out is not None:
        raise NotImplementedError(f"The 'out' argument to jnp.{name} is not supported.")


def axis_indices(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Non-negative axes of an `axis` argument: one, several, or None for all. Raises ValueError if one is out of range or comes twice."""
    if axis is None:
        return tuple(range(ndim))
    found = tuple(axis_index(a, ndim) for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if len(set(found)) < len(found):
        raise ValueError(f"duplicate value in 'axis': {axis}")
    return found


def integers(values: int | Iterable[int], what: str = "Shapes") -> tuple[int, ...]:
    """A tuple of Python integers. Raises TypeError for anything that is none, such as a traced array."""
    if values.__class__ is tuple and all(v.__class__ is int for v in values):  # type: ignore[union-attr]
        return values  # type: ignore[return-value]
    given = values if isinstance(values, Iterable) and getattr(values, "shape", None) != () else (values,)
    try:
        return tuple(operator.index(v) for v in given)  # type: ignore[arg-type]
    except TypeError as error:
        raise TypeError(
            f"{what} must be 1D sequences of concrete values of integer type, got {values!r}.\n"
            "If using `jit`, try using `static_argnums` or applying `jit` to smaller subfunctions."
        ) from error


def shape_of(shape: int | Iterable[int], name: str = "shape") -> tuple[int, ...]:
    """A shape argument as a tuple. Raises TypeError for sizes that are negative or no integers."""
    found = integers(shape)
    if any(n < 0 for n in found):
        raise TypeError(f"{name} must have every element be nonnegative, got {found}.")
    return found


def size_of(shape: Shape) -> int:
    """How many elements an array of a shape has."""
    return prod(shape)

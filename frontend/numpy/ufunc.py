"""Functions of elements as objects, with what NumPy calls their methods: `add.reduce`, `multiply.outer`, `maximum.accumulate`.

A `ufunc` is called as the function that it is made of; its methods go by the whole-array operations that some functions have (a sum, a running product, a scatter), and by folding
slices together where there is none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.host import canonical
from weft.lax.base import ArrayLike, Axis, DTypeLike, axis_index, axis_indices, constant, convert, size_of
from weft.numpy.promotion import spread

__all__ = ["frompyfunc", "ufunc"]


class ufunc:
    """A function of elements. `frompyfunc` makes one of a Python function."""

    def __init__(
        self,
        func: Callable[..., Any],
        /,
        nin: int,
        nout: int,
        *,
        name: str | None = None,
        nargs: int | None = None,
        identity: Any = None,
        call: Callable[..., Any] | None = None,
        reduce: Callable[..., Any] | None = None,
        accumulate: Callable[..., Any] | None = None,
        at: Callable[..., Any] | None = None,
        reduceat: Callable[..., Any] | None = None,
    ):
        self.nin, self.nout = operator.index(nin), operator.index(nout)
        self.nargs = self.nin if nargs is None else operator.index(nargs)
        self.identity = identity
        self.__name__ = self.__qualname__ = name or getattr(func, "__name__", "ufunc")
        self.__doc__ = func.__doc__
        self.__module__ = "weft.numpy"
        self._call: Callable[..., Any] = call or func
        self._reduce, self._accumulate, self._at, self._reduceat = reduce, accumulate, at, reduceat

    def __call__(self, *args: Any, out: None = None, where: None = None) -> Any:
        if out is not None or where is not None:
            raise NotImplementedError(f"{'out' if out is not None else 'where'} argument of {self}")
        return self._call(*args)

    def __repr__(self) -> str:
        return f"<weft.numpy.ufunc '{self.__name__}'>"

    def __hash__(self) -> int:
        return hash((self._call, self.__name__))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ufunc) and (self._call, self.__name__) == (other._call, other.__name__)

    def _of_two(self, method: str) -> None:
        if self.nin != 2:
            raise ValueError(f"{method} only supported for binary ufuncs")
        if self.nout != 1:
            raise ValueError(f"{method} only supported for functions returning a single value")

    def reduce(
        self,
        a: ArrayLike,
        axis: Axis = 0,
        dtype: DTypeLike = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> Array:
        """The elements along axes (all if None) combined by the function, from `initial` or the identity on, where a mask holds."""
        self._of_two("reduce")
        if out is not None:
            raise NotImplementedError(f"out argument of {self}.reduce()")
        if where is not None and initial is None and self.identity is None:
            raise ValueError(
                f"reduction operation {self.__name__!r} does not have an identity, so to use a where mask one has to specify 'initial'."
            )
        if self._reduce is not None:
            options = {} if dtype is None else {"dtype": dtype}
            return self._reduce(a, axis=axis, keepdims=keepdims, initial=initial, where=where, **options)
        x = self._typed(a, dtype)
        if isinstance(axis, (tuple, list)) and len(axis) > 1:
            raise NotImplementedError(f"{self}.reduce with multiple axes")
        axes = axis_indices(axis, x.ndim)
        mask = None if where is None else _spread_to(where, x)
        flat, held = _lined_up(x, axes), None if mask is None else _lined_up(mask, axes)
        found = self._fold(flat, initial, held)
        return lax.expand_dims(found, axes) if keepdims and axes else found

    def _typed(self, a: ArrayLike, dtype: DTypeLike) -> Array:
        """The elements in the dtype that the function's results have (or in `dtype`)."""
        node = lift(a)
        one = constant(1, (), node.dtype)
        return wrap(convert(node, self._call(one, one).dtype if dtype is None else canonical(dtype)))

    def _fold(self, x: Array, initial: ArrayLike | None, mask: Array | None) -> Array:
        """Slices along the first axis, one after another."""
        first = 0
        start = initial if initial is not None else self.identity
        if start is None or (start is self.identity and mask is None and x.shape[0]):
            if not x.shape[0]:
                raise ValueError(f"zero-size array to reduction operation {self.__name__} which has no identity")
            found, first = x[0], 1
        else:
            found = lax.broadcast_in_dim(lax.convert_element_type(start, x.dtype), x.shape[1:], ())
        for k in range(first, x.shape[0]):
            step = lax.convert_element_type(self._call(found, x[k]), x.dtype)
            found = step if mask is None else lax.select(mask[k], step, found)
        return found

    def accumulate(self, a: ArrayLike, axis: int | None = 0, dtype: DTypeLike = None, out: None = None) -> Array:
        """Running results along an axis, of all elements if None."""
        self._of_two("accumulate")
        if out is not None:
            raise NotImplementedError(f"out argument of {self}.accumulate()")
        if isinstance(axis, (tuple, list)):
            raise ValueError(f"accumulate takes one axis, got {axis!r}")
        if axis is None:
            node = lift(a)
            a, axis = lax.reshape(a, (node.aval.size,)), 0
        if self._accumulate is not None:
            return self._accumulate(a, axis=axis, dtype=dtype)
        x = self._typed(a, dtype)
        axis = axis_index(axis, x.ndim)
        if not x.shape[axis]:
            return x
        parts = [lax.index_in_dim(x, 0, axis, keepdims=False)]
        for k in range(1, x.shape[axis]):
            parts.append(
                lax.convert_element_type(self._call(parts[-1], lax.index_in_dim(x, k, axis, keepdims=False)), x.dtype)
            )
        return lax.concatenate([lax.expand_dims(p, (axis,)) for p in parts], axis)

    def outer(self, A: ArrayLike, B: ArrayLike, /) -> Any:
        """The function of each pair of an element of A and one of B."""
        if self.nin != 2:
            raise ValueError("outer only supported for binary ufuncs")
        x, y = wrap(lift(A)), wrap(lift(B))
        return self._call(lax.reshape(x, (*x.shape, *[1] * y.ndim)), y)

    def at(self, a: ArrayLike, indices: Any, b: ArrayLike | None = None, /, *, inplace: bool = True) -> Array:
        """The array with the function (of the element, and of b) applied at indices; where one is named several times, as often."""
        if inplace:
            raise NotImplementedError(
                "jax ufuncs do not support in-place modification; use inplace=False and the returned array"
            )
        x = wrap(lift(a))
        if b is None:
            return x.at[indices].set(self._call(x[indices]))
        if self._at is not None:
            return self._at(x, indices, b)
        places = lax.reshape(lax.iota("int32", x.size), x.shape)[indices]
        new = lax.reshape(_spread_to(b, places), (places.size,))
        flat = lax.reshape(x, (x.size,))
        for k, place in enumerate([lax.reshape(places, (places.size,))[i] for i in range(places.size)]):
            flat = flat.at[place].set(lax.convert_element_type(self._call(flat[place], new[k]), x.dtype))
        return lax.reshape(flat, x.shape)

    def reduceat(self, a: ArrayLike, indices: Any, axis: int = 0, dtype: DTypeLike = None, out: None = None) -> Array:
        """The elements from each index to before the next one combined (only the one at the index, if the next is not greater). The indices must be known."""
        self._of_two("reduceat")
        if out is not None:
            raise NotImplementedError(f"out argument of {self}.reduceat()")
        if self._reduceat is not None:
            return self._reduceat(a, indices, axis=axis, dtype=dtype)
        if axis is None or isinstance(axis, (tuple, list)):
            raise ValueError("reduceat requires a single integer axis.")
        x = self._typed(a, dtype)
        axis = axis_index(axis, x.ndim)
        starts = [
            operator.index(i) for i in (indices if isinstance(indices, (list, tuple)) else wrap(lift(indices)).tolist())
        ]
        if any(not 0 <= i < x.shape[axis] for i in starts):
            raise IndexError(f"reduceat: index out of bounds for axis {axis} of size {x.shape[axis]} in {starts}")
        parts = []
        for start, stop in zip(starts, [*starts[1:], x.shape[axis]], strict=True):
            part = lax.slice_in_dim(x, start, max(stop, start + 1), 1, axis)
            parts.append(self.reduce(part, axis, keepdims=True))
        return lax.concatenate(parts, axis)


def _spread_to(x: ArrayLike, like: Array) -> Array:
    node = spread([lift(x), lift(like)])[0]
    return wrap(node) if node.ndim else lax.broadcast_in_dim(wrap(node), like.shape, ())


def _lined_up(x: Array, axes: tuple[int, ...]) -> Array:
    """The elements along axes as one axis, in front."""
    rest = [k for k in range(x.ndim) if k not in axes]
    x = lax.transpose(x, [*axes, *rest])
    return lax.reshape(x, (size_of(x.shape[: len(axes)]), *x.shape[len(axes) :]))


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, *, identity: Any = None) -> ufunc:
    """A ufunc of a Python function of scalars, with `nin` arguments and `nout` results; `identity` is what its reductions start from."""
    from weft.numpy.mapping import vectorize

    return ufunc(vectorize(func), nin, nout, name=getattr(func, "__name__", "frompyfunc"), identity=identity)

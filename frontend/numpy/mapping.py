"""Functions made to work on more axes than they know: `vectorize`, `apply_along_axis`, and functions that are chosen by conditions.

All of them are `vmap` over the axes that a function does not see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import update_wrapper
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.lax.base import ArrayLike, axis_index, axis_indices
from weft.numpy.creation import array as make_array
from weft.numpy.elementwise import where
from weft.numpy.manipulation import broadcast_to, expand_dims
from weft.tree_util import tree_map
from weft.vmap import vmap

__all__ = ["apply_along_axis", "apply_over_axes", "piecewise", "vectorize"]

_NAMES = r"\(([^()]*)\)"
_SIGNATURE = re.compile(rf"^{_NAMES}(?:,{_NAMES})*->{_NAMES}(?:,{_NAMES})*$")
Cores = list[tuple[str, ...]]


def _parsed(signature: str) -> tuple[Cores, Cores]:
    """The names of the core axes of each argument and of each result."""
    text = signature.replace(" ", "")
    if not _SIGNATURE.match(text):
        raise ValueError(f"not a valid gufunc signature: {signature}")
    left, right = (
        [tuple(n for n in names.split(",") if n) for names in re.findall(_NAMES, side)] for side in text.split("->")
    )
    return left, right


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Collection[int | str] = frozenset(), signature: str | None = None
) -> Any:
    """A function that broadcasts: `pyfunc` is applied to each element, or to the core axes that a signature such as "(n,m),(m)->(n)" names.

    `excluded` arguments (by position or name) are handed on as they are.
    """
    if any(not isinstance(e, (int, str)) for e in excluded):
        raise TypeError(
            f"jax.numpy.vectorize can only exclude integer or string arguments, but excluded={set(excluded)!r}"
        )
    if any(isinstance(e, int) and e < 0 for e in excluded):
        raise ValueError(f"excluded={set(excluded)!r} contains negative numbers")
    cores = None if signature is None else _parsed(signature)

    def vectorized(*args: Any, **kwargs: Any) -> Any:
        fixed = {k: a for k, a in enumerate(args) if k in excluded}
        named = {n: a for n, a in kwargs.items() if n in excluded}
        names = [n for n in kwargs if n not in excluded]
        given = [a for k, a in enumerate(args) if k not in excluded] + [kwargs[n] for n in names]
        arrays = [wrap(lift(a)) for a in given]
        inputs, outputs = cores or ([()] * len(arrays), None)
        if len(inputs) != len(arrays):
            raise TypeError(f"wrong number of positional arguments: expected {len(inputs)}, got {len(arrays)}")
        sizes: dict[str, int] = {}
        for x, core in zip(arrays, inputs, strict=True):
            _take_sizes(sizes, x.shape, core, signature)

        def call(*parts: Array) -> Any:
            left = iter(parts)
            positional = [fixed[k] if k in fixed else next(left) for k in range(len(args))]
            return _checked(pyfunc(*positional, **dict(zip(names, left, strict=True)), **named), outputs, sizes)

        outer = [x.shape[: x.ndim - len(core)] for x, core in zip(arrays, inputs, strict=True)]
        return _mapped(call, arrays, outer)

    update_wrapper(vectorized, pyfunc)
    return vectorized


def _take_sizes(sizes: dict[str, int], shape: Sequence[int], core: Sequence[str], signature: str | None) -> None:
    """Remembers the sizes of named axes. Raises ValueError if an array lacks axes or sizes differ."""
    if len(shape) < len(core):
        raise ValueError(
            f"input with shape {tuple(shape)} does not have enough dimensions for all core dimensions {tuple(core)} of signature {signature!r}"
        )
    for name, n in zip(core, shape[len(shape) - len(core) :], strict=True):
        if name.isdigit() and int(name) != n:
            raise ValueError(f"core dimension {name} of signature {signature!r} must have that size, got {n}")
        if sizes.setdefault(name, n) != n:
            raise ValueError(f"inconsistent size for core dimension {name!r}: {n} vs {sizes[name]}")


def _checked(found: Any, outputs: Cores | None, sizes: dict[str, int]) -> Any:
    """What a function gave for one element, held against the signature."""
    if outputs is None:
        return tree_map(lambda v: wrap(lift(v)), found)
    several = found if isinstance(found, tuple) else (found,)
    if len(several) != len(outputs) or isinstance(found, tuple) != (len(outputs) > 1):
        raise TypeError(
            f"output must be {'a tuple of ' + str(len(outputs)) if len(outputs) > 1 else 'one array'} by the signature, got {found!r}"
        )
    arrays = [wrap(lift(v)) for v in several]
    known = dict(sizes)
    for x, core in zip(arrays, outputs, strict=True):
        if x.ndim != len(core):
            raise ValueError(f"output shape {x.shape} does not match core dimensions {core}")
        _take_sizes(known, x.shape, core, None)
    return tuple(arrays) if isinstance(found, tuple) else arrays[0]


def _mapped(call: Callable[..., Any], arrays: list[Array], outer: Sequence[tuple[int, ...]]) -> Any:
    """`call` mapped over outer axes that broadcast: one `vmap` per axis, over those arrays that are longer than 1 there."""
    shape = lax.broadcast_shapes(*outer)
    squeezed, axes = [], []
    for x, own in zip(arrays, outer, strict=True):
        ones = [k for k, n in enumerate(own) if n == 1]
        squeezed.append(lax.squeeze(x, ones) if ones else x)
        missing = len(shape) - len(own)
        axes.append([k >= missing and own[k - missing] != 1 for k in range(len(shape))])
    thin = []
    for k, n in reversed(list(enumerate(shape))):
        mapped = [0 if a[k] else None for a in axes]
        if any(m == 0 for m in mapped):
            call = vmap(call, in_axes=tuple(mapped), axis_size=n)
        else:
            thin.append(k)
    found = call(*squeezed)
    return tree_map(lambda v: expand_dims(v, tuple(sorted(thin))) if thin else v, found)


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: ArrayLike, *args: Any, **kwargs: Any) -> Array:
    """A function of vectors applied along an axis; what it gives takes the axis' place."""
    x = wrap(lift(arr))
    axis = axis_index(axis, x.ndim)

    def call(part: Array) -> Any:
        return func1d(part, *args, **kwargs)

    for k in range(1, x.ndim - axis):
        call = vmap(call, in_axes=k, out_axes=-1)
    for _ in range(axis):
        call = vmap(call)
    return call(x)


def apply_over_axes(func: Callable[[Any, int], Array], a: ArrayLike, axes: Sequence[int]) -> Array:
    """`func(x, axis)` for one axis after another; an axis that it takes away comes back with size 1."""
    x = wrap(lift(a))
    for k in axis_indices(axes, x.ndim):
        found = wrap(lift(func(x, k)))
        if found.ndim == x.ndim - 1:
            found = expand_dims(found, k)
        elif found.ndim != x.ndim:
            raise ValueError("function is not returning an array of the correct shape")
        x = found
    return x


def piecewise(x: ArrayLike, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """For each element the value (or function) that belongs to the last condition that holds; one more in the list than conditions: for where none holds, else 0."""
    at = wrap(lift(x))
    held = make_array(condlist, bool)
    conditions = [held[k] for k in range(held.shape[0])]
    given = list(funclist)
    if len(given) == len(conditions):
        given = [*given, 0]
    elif len(given) != len(conditions) + 1:
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions are expected; got {len(given)}"
        )
    *chosen, otherwise = given

    def value(f: Any) -> Array:
        found = f(at, *args, **kw) if callable(f) else f
        return lax.convert_element_type(found, at.dtype)

    found = broadcast_to(value(otherwise), at.shape)
    for condition, f in zip(conditions, chosen, strict=True):
        found = where(condition, value(f), found)
    return found

"""A function of a batch as a loop over smaller batches, so that less memory is needed: their results are accumulated.

An accumulator is four functions of one leaf, or of a whole result: what the loop carries at first, how a result joins it, what comes of it in the end, and the same of results that are stacked already.
Microbatch i has the examples i, i + n, i + 2 n, … of the batch, n being the number of microbatches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.jit import eval_shape
from weft.tree_util import tree_leaves, tree_map
from weft.vmap import vmap

__all__ = ["AccumulationType", "Accumulator", "micro_vmap", "microbatch", "reshape_batch_axis"]


@dataclass(frozen=True)
class Accumulator:
    """`init(shape)`, `update(carry, value, index)`, `finalize(carry)`, `aggregate(stacked values)`, all of whole results."""

    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any], Any]
    finalize: Callable[[Any], Any]
    aggregate: Callable[[Any], Any]


class AccumulationType(Enum):
    """How results of microbatches become one: their mean, their sum, the mean of those that there were (of `num_real_microbatches`), or all of them along axis 0."""

    MEAN = auto()
    SUM = auto()
    RUNNING_MEAN = auto()
    CONCAT = auto()


def _zeros(x: Any) -> Any:
    return wnp.zeros(x.shape, x.dtype)


def _floating_zeros(x: Any) -> Any:
    if not wnp.issubdtype(x.dtype, wnp.floating):
        raise ValueError(f"MEAN and RUNNING_MEAN want results of floating numbers, got {x.dtype}")
    return _zeros(x)


def _of_leaves(kind: Any, count: int) -> Accumulator:
    """The accumulator of a kind, of `count` microbatches. Raises ValueError for what is none."""
    if isinstance(kind, Accumulator):
        return kind
    functions: tuple[Callable[..., Any], ...]
    if kind is AccumulationType.SUM:
        functions = _zeros, lambda c, x, i: c + x, lambda c: c, lambda x: wnp.sum(x, axis=0)
    elif kind is AccumulationType.MEAN:
        functions = _floating_zeros, lambda c, x, i: c + x, lambda c: c / count, lambda x: wnp.mean(x, axis=0)
    elif kind is AccumulationType.RUNNING_MEAN:
        mean = lambda c, x, i: c * (i / (i + 1)) + x * (1 - i / (i + 1))  # noqa: E731
        functions = _floating_zeros, mean, lambda c: c, lambda x: wnp.mean(x, axis=0)
    elif kind is AccumulationType.CONCAT:
        functions = (
            lambda x: wnp.zeros((count, *x.shape), x.dtype),
            lambda c, x, i: c.at[i].set(x),
            lambda c: c.reshape(-1, *c.shape[2:], order="F"),
            lambda x: x,
        )
    else:
        raise ValueError(f"Unknown accumulator: {kind}")
    init, update, finalize, aggregate = functions
    return Accumulator(
        lambda x: tree_map(init, x),
        lambda c, x, i: tree_map(lambda c, x: update(c, x, i), c, x),
        lambda c: tree_map(finalize, c),
        lambda x: tree_map(aggregate, x),
    )


def _joined(kinds: Any, count: int) -> Accumulator:
    """The accumulator of a tree of kinds, which is a prefix of the results."""
    parts = tree_map(lambda kind: _of_leaves(kind, count), kinds)
    return Accumulator(
        lambda x: tree_map(lambda a, x: a.init(x), parts, x),
        lambda c, x, i: tree_map(lambda a, c, x: a.update(c, x, i), parts, c, x),
        lambda c: tree_map(lambda a, c: a.finalize(c), parts, c),
        lambda x: tree_map(lambda a, x: a.aggregate(x), parts, x),
    )


def reshape_batch_axis(tree: Any, microbatch_size: int, axis: int = 0) -> Any:
    """Each leaf with its batch axis in two: that of the microbatches, and that of the examples within."""
    return tree_map(lambda x: x.reshape(*x.shape[:axis], -1, microbatch_size, *x.shape[axis + 1 :], order="F"), tree)


def microbatch(
    fun: Callable[..., Any],
    argnums: int | Sequence[int],
    microbatch_size: int | None,
    accumulator: Any = AccumulationType.SUM,
    *,
    argnames: str | Sequence[str] = (),
    in_axes: int | Sequence[int] = 0,
    num_real_microbatches: Any = None,
) -> Callable[..., Any]:
    """`fun`, which is given the batches in `argnums` and `argnames` by microbatches, one after the other, and whose results the accumulator (or a tree of them) makes one of.

    With `num_real_microbatches` only so many of them are computed. Raises ValueError where batches are of several sizes, or not a multiple of `microbatch_size`. None leaves `fun` as it is.
    """
    if microbatch_size is None:
        return fun
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    names = (argnames,) if isinstance(argnames, str) else tuple(argnames)
    places = (*numbers, *names)
    axes = (in_axes,) * len(places) if isinstance(in_axes, int) else tuple(in_axes)

    def by_microbatches(*args: Any, **kwargs: Any) -> Any:
        given: dict[Any, Any] = dict(enumerate(args)) | kwargs
        sizes = {x.shape[axis] for place, axis in zip(places, axes, strict=True) for x in tree_leaves(given[place])}
        if len(sizes) != 1:
            raise ValueError(f"Batch Arguments must have equal-size batch axes, found {sorted(sizes)}.")
        batch_size = sizes.pop()
        if batch_size % microbatch_size:
            raise ValueError(f"batch_size={batch_size} must be divisible by microbatch_size={microbatch_size}.")
        for place, axis in zip(places, axes, strict=True):
            given[place] = reshape_batch_axis(given[place], microbatch_size, axis)
        joined = _joined(accumulator, batch_size // microbatch_size)

        def one(index: Any) -> Any:
            mine = dict(given)
            for place, axis in zip(places, axes, strict=True):
                mine[place] = tree_map(lambda x, axis=axis: wnp.take(x, index, axis=axis), given[place])
            return fun(*(mine[i] for i in range(len(args))), **{name: mine[name] for name in kwargs})

        count = batch_size // microbatch_size if num_real_microbatches is None else num_real_microbatches
        start = joined.init(eval_shape(one, 0))
        return joined.finalize(lax.fori_loop(0, count, lambda i, carry: joined.update(carry, one(i), i), start))

    return by_microbatches


def micro_vmap(
    fun: Callable[..., Any],
    in_axes: int | Sequence[int | None] = 0,
    out_axes: Any = 0,
    *,
    microbatch_size: int | None = None,
    vmap_fn: Callable[..., Any] = vmap,
    accumulator: Any = AccumulationType.CONCAT,
    num_real_microbatches: Any = None,
) -> Callable[..., Any]:
    """`vmap(fun, in_axes)` by microbatches, whose results the accumulator makes one of (all of them, if nothing else is said). Arguments by name are mapped along axis 0."""
    if out_axes != 0:
        raise NotImplementedError("out_axis != 0 is not currently supported")
    axes = (in_axes,) if isinstance(in_axes, int) else tuple(in_axes)

    def mapped(*args: Any, kwargs: Any) -> Any:
        found = vmap_fn(fun, axes, out_axes)(*args, **kwargs)
        return _joined(accumulator, tree_leaves(found)[0].shape[0]).aggregate(found)

    by_microbatches = microbatch(
        mapped,
        [i for i, axis in enumerate(axes) if axis is not None],
        microbatch_size,
        accumulator,
        argnames="kwargs",
        in_axes=[*(axis for axis in axes if axis is not None), 0],
        num_real_microbatches=num_real_microbatches,
    )
    return lambda *args, **kwargs: by_microbatches(*args, kwargs=kwargs)

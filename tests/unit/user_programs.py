"""Random programs as a user writes them, in `weft.numpy`: arithmetic, views, reductions, casts, indexing, updates, contractions.

A program is a recipe, a list of numbers, so that it can be run again: on each device, eagerly and compiled, forward and as a gradient. Every step takes values made so far. What is cut into
pieces by rounding (casts to integers, comparisons) is only done to values that are exact in float32, so that all runs take the same side: inputs are quarters, and sums, differences, extremes
and views of exact values are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

LARGEST = 600
"""The most elements of a value."""

Draw = Callable[[int], int]
"""The next choice among so many."""


class Value(NamedTuple):
    """An array, and whether it is the same in every run."""

    array: Any
    exact: bool


def _smooth(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    functions = (
        xp.tanh,
        xp.sin,
        lambda v: xp.exp(-xp.abs(v)),
        lambda v: xp.sqrt(xp.abs(v) + 1),
        lambda v: xp.log1p(xp.abs(v)),
        lambda v: v / (1 + xp.square(v)),
        xp.arctan,
    )
    return Value(functions[draw(len(functions))](xp.asarray(x, xp.float32)), False)


def _plain(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    functions = (xp.negative, xp.abs, lambda v: xp.clip(v, -2, 2), lambda v: v + 1, lambda v: 2 - v)
    return Value(functions[draw(len(functions))](x), exact)


def _binary(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    fitting = [v for v in values if _broadcasts(x.shape, v.array.shape)]
    y = fitting[draw(len(fitting))]
    kind = draw(6)
    if kind == 5:
        return Value(xp.tanh(xp.multiply(x, y.array) * 0.5), False)
    return Value(
        (xp.add, xp.subtract, xp.maximum, xp.minimum, lambda a, b: a - 0.25 * b)[kind](x, y.array), exact and y.exact
    )


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return len(b) <= len(a) and all(m in (1, n) for n, m in zip(a[len(a) - len(b) :], b, strict=True))


def _cast(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    if not exact:
        return Value(xp.asarray(x, xp.float32) * 0.5, False)
    kinds = (xp.int32, xp.float32, xp.bool_)
    made = xp.clip(x, -100, 100).astype(kinds[draw(len(kinds))])
    return Value(made.astype(xp.int32) if made.dtype == np.bool_ else made, True)


def _where(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    conditions = [v for v in values if v.exact and _broadcasts(x.shape, v.array.shape)]
    if not conditions:
        return Value(x, exact)
    c = conditions[draw(len(conditions))].array
    return Value(xp.where(c > 0.25 * draw(4), x, -0.5 * x), exact)


def _reduce(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    if not x.ndim:
        return Value(x, exact)
    axis = draw(x.ndim)
    kind = draw(6)
    if kind < 2:
        return Value((xp.max, xp.min)[kind](x, axis=axis, keepdims=bool(draw(2))), exact)
    if kind == 2:
        return Value(xp.mean(x, axis=axis), False)
    if kind == 3:
        return Value(xp.cumsum(x, axis=axis) * 0.25, exact)
    if kind == 4 and exact:
        return Value(xp.argmax(x, axis=axis).astype(xp.int32), True)
    return Value(xp.sum(x, axis=axis) * 0.25, exact)


def _softmax(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    if not x.ndim:
        return Value(x, exact)
    axis = draw(x.ndim)
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return Value(e / xp.sum(e, axis=axis, keepdims=True), False)


def _view(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    kind = draw(7)
    if kind == 0:
        return Value(xp.transpose(x, tuple(np.random.default_rng(draw(64)).permutation(x.ndim).tolist())), exact)
    if kind == 1:
        return Value(xp.reshape(x, (-1,) if draw(2) else (*x.shape, 1)), exact)
    if kind == 2:
        return Value(xp.broadcast_to(x, (1 + draw(3), *x.shape)), exact)
    if not x.ndim:
        return Value(x, exact)
    axis = draw(x.ndim)
    if kind == 3:
        return Value(xp.flip(x, axis), exact)
    if kind == 4:
        return Value(xp.roll(x, 1 + draw(2), axis), exact)
    if kind == 5:
        widths = [(draw(2), draw(2)) for _ in x.shape]
        return Value(xp.pad(x, widths, constant_values=1), exact)
    others = [
        v
        for v in values
        if v.array.ndim == x.ndim
        and all(v.array.shape[k] == n for k, n in enumerate(x.shape) if k != axis)
        and v.array.dtype == x.dtype
    ]
    y = others[draw(len(others))]
    return Value(xp.concatenate([x, y.array], axis), exact and y.exact)


def _index(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    if not x.ndim or 0 in x.shape:
        return Value(x, exact)
    n = x.shape[0]
    kind = draw(5)
    if kind == 0:
        return Value(x[draw(n)], exact)
    if kind == 1:
        return Value(x[draw(n) :: 1 + draw(2)], exact)
    if kind == 2:
        return Value(x[..., None, ::-1], exact)
    indices = [v.array for v in values if v.exact and v.array.dtype == np.int32 and v.array.ndim == 1]
    rows = indices[draw(len(indices))] if indices else np.array([0, n - 1, 0], np.int32)
    rows = xp.clip(rows, 0, n - 1)
    if kind == 3:
        return Value(x[rows], exact)
    return Value(x.at[rows].add(1) if draw(2) else x.at[rows].multiply(0.5), exact)


def _contract(xp: Any, values: Sequence[Value], x: Any, exact: bool, draw: Draw) -> Value:
    if not 1 <= x.ndim <= 3:
        return Value(x, exact)
    others = [v.array for v in values if 1 <= v.array.ndim <= 2 and v.array.shape[0] == x.shape[-1]]
    if not others:
        return Value(xp.tanh(xp.matmul(x, xp.ones((x.shape[-1], 2))) * 0.25), False)
    return Value(xp.tanh(xp.tensordot(x, others[draw(len(others))], axes=((-1,), (0,))) * 0.125), False)


STEPS = (_smooth, _plain, _binary, _binary, _cast, _where, _reduce, _reduce, _softmax, _view, _view, _index, _contract)


class Program(NamedTuple):
    """What to do with inputs of these shapes: `choices` are used up, one for each decision, and begin anew at the end."""

    shapes: tuple[tuple[int, ...], ...]
    length: int
    choices: tuple[int, ...]
    seed: int

    def inputs(self) -> list[np.ndarray]:
        """Quarters between -2 and 2, and one vector of small integers at the end."""
        rng = np.random.default_rng(self.seed)
        arrays = [(rng.integers(-8, 9, shape) / 4).astype(np.float32) for shape in self.shapes]
        return [*arrays, rng.integers(0, 4, 3).astype(np.int32)]

    def __call__(self, xp: Any, *inputs: Any) -> list[Any]:
        """The last value, and one more."""
        position = 0

        def draw(n: int) -> int:
            nonlocal position
            position += 1
            return self.choices[position % len(self.choices)] % n

        values = [Value(x, True) for x in inputs]
        for _ in range(self.length):
            x = values[-1 - draw(min(3, len(values)))]
            made = STEPS[draw(len(STEPS))](xp, values, x.array, x.exact, draw)
            if made.array.ndim <= 4 and prod(made.array.shape) <= LARGEST:
                values.append(made)
        return [values[-1].array, values[draw(len(values))].array]

    def loss(self, xp: Any, *inputs: Any) -> Any:
        """A number to differentiate."""
        return sum(xp.sum(xp.asarray(v, xp.float32)) for v in self(xp, *inputs))


extents = st.lists(st.sampled_from((1, 2, 3, 5)), min_size=0, max_size=3).map(tuple)
programs = st.builds(
    Program,
    st.lists(extents, min_size=1, max_size=3).map(tuple),
    st.integers(10, 40),
    st.lists(st.integers(0, 719), min_size=5, max_size=60).map(tuple),
    st.integers(0, 99),
)

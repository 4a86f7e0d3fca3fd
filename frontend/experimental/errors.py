"""What can go wrong while a program runs, as values: the categories of errors, and `Error`, which says whether one of them happened, and which.

Errors of one *kind* (a category, and the types of what its message tells) share three values: whether one happened, the code of the first one, and what it tells (its payload). A code stands for a
*site*: the place in the program that the error comes from, which knows its words. So an error is a few scalars on the device, however many checks there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count, product
from typing import Any, NamedTuple

from weft import numpy as jnp
from weft.array import Array, wrap
from weft.dialects.array.node import Aval, Node
from weft.dialects.array.op import literal
from weft.dialects.dtypes import bool_, int32
from weft.tree_util import register_pytree_node_class


class JaxException(Exception):
    """An error of a program. `str` of it is its message."""


class NaNError(JaxException):
    """A NaN was computed."""


class DivisionByZeroError(JaxException):
    """A divisor was 0."""


class OOBError(JaxException):
    """An index was out of bounds."""


class FailedCheckError(JaxException):
    """A `check` failed."""


class BatchedError(JaxException):
    """Errors of several examples."""


class JaxRuntimeError(ValueError):
    """What `Error.throw` and a failed `check` raise."""


class Kind(NamedTuple):
    """A category of errors, and the types of their payloads."""

    category: type[JaxException]
    payload: tuple[Aval, ...]


class Site(NamedTuple):
    """A place that an error comes from: its kind, its code, and its words for a payload."""

    kind: Kind
    code: int
    words: Callable[[Sequence[Array]], str]


_next_code = count(1).__next__


def new_site(kind: Kind, words: Callable[[Sequence[Array]], str]) -> Site:
    """A site with a code of its own. Codes grow in the order of the program."""
    return Site(kind, _next_code(), words)


class State(NamedTuple):
    """The values of a kind."""

    happened: Array
    code: Array
    payload: tuple[Array, ...]

    @classmethod
    def none(cls, kind: Kind) -> State:
        """Nothing has happened."""
        payload = tuple(wrap(literal(1, a.dtype)) if not a.shape else jnp.ones(a.shape, a.dtype) for a in kind.payload)
        return cls(wrap(literal(False, bool_)), wrap(literal(-1, int32)), payload)

    def then(self, other: State) -> State:
        """The first of two."""
        was, code, payload = self
        first = [jnp.where(was, a, b) for a, b in zip(payload, other.payload, strict=True)]
        return State(was | other.happened, jnp.where(was, code, other.code), tuple(first))

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.happened, self.code, *self.payload)


@register_pytree_node_class
class Error:
    """Whether an error happened. `get()` gives its message or None, `throw()` raises it."""

    def __init__(self, states: dict[Kind, State], sites: tuple[Site, ...]):
        self._states, self._sites = states, sites

    def get(self) -> str | None:
        """The message of the first error; None if there was none."""
        error = self.get_exception()
        return None if error is None else str(error)

    def get_exception(self) -> JaxException | None:
        """The first error; None if there was none. Of a batch, the errors of all examples."""
        shapes = [s.happened.shape for s in self._states.values() if s.happened.shape]
        if not shapes:
            return self._at(())
        found = {}
        for index in product(*map(range, shapes[0])):
            if (error := self._at(index)) is not None:
                found[index] = error
        lines = [f"at mapped index {', '.join(map(str, index))}: {e}" for index, e in found.items()]
        return BatchedError("\n".join(lines)) if found else None

    def _at(self, index: tuple[int, ...]) -> JaxException | None:
        codes = {int(s.code[index]): s for s in self._states.values() if bool(s.happened[index])}
        if not codes:
            return None
        first = min(codes)
        site = next(s for s in self._sites if s.code == first)
        return site.kind.category(site.words([x[index] for x in codes[first].payload]))

    def throw(self) -> None:
        """Raises JaxRuntimeError if an error happened. In a function that is checkified it is a check."""
        from weft.experimental.checkify import check_error

        check_error(self)

    def __repr__(self) -> str:
        return f"Error({self.get()})"

    def tree_flatten(self) -> tuple[list[Array], Any]:
        """A pytree: its values are the leaves."""
        return [x for s in self._states.values() for x in s.arrays], (tuple(self._states), self._sites)

    @classmethod
    def tree_unflatten(cls, structure: Any, leaves: Sequence[Any]) -> Error:
        """The reverse of `tree_flatten`."""
        kinds, sites = structure
        return cls(unpacked(kinds, leaves), sites)


def packed(arrays: Sequence[Any]) -> State:
    """A kind's values from a flat list."""
    return State(arrays[0], arrays[1], tuple(arrays[2:]))


def unpacked(kinds: Sequence[Kind], leaves: Sequence[Any]) -> dict[Kind, State]:
    """The values of several kinds from a flat list."""
    found, rest = {}, list(leaves)
    for kind in kinds:
        count = 2 + len(kind.payload)
        found[kind], rest = packed(rest[:count]), rest[count:]
    return found


def types(kind: Kind) -> tuple[tuple[tuple[int, ...], Any], ...]:
    """Shapes and dtypes of a kind's values."""
    return (((), bool_), ((), int32), *((a.shape, a.dtype) for a in kind.payload))


def nodes(states: dict[Kind, State], kinds: Sequence[Kind]) -> list[Node]:
    """The values of kinds, in order."""
    return [x._node for k in kinds for x in (states.get(k) or State.none(k)).arrays]

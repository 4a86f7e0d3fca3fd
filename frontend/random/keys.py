"""Keys: where random numbers come from. A key is two words of 32 bits; new ones are made of it by `split` and `fold_in`, never by drawing.

There are two forms, as in JAX. A typed key (`random.key`) has the dtype `key<fry>` and one element where its words are; a raw one (`PRNGKey`) is a uint32 array whose last
axis holds the words. All functions take both, and give keys of the form that they were given. Typed keys are pytrees of their words, so that every transform takes them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array, lift, wrap
from weft.dialects.array.ops.creation import PARITY, ROTATIONS
from weft.dialects.dtypes import uint32
from weft.host import canonical
from weft.lax.base import shape_of
from weft.tree_util import register_pytree_node

__all__ = [
    "PRNGKey", "PRNGKeyArray", "clone", "fold_in", "key", "key_data", "key_dtype", "key_impl", "split", "wrap_key_data",
]  # fmt: skip

IMPLEMENTATIONS = ("threefry2x32", "fry")


class KeyType:
    """The dtype of typed keys: `key<fry>`."""

    name = "key<fry>"
    kind = "V"
    itemsize = 8

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyType) or other == self.name

    def __hash__(self) -> int:
        return hash(self.name)


KEY_TYPE = KeyType()


class PRNGKeyArray(Array):
    """Typed keys: an array of the dtype `key<fry>`, whose elements are keys."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._node.aval.shape[:-1]

    @property
    def dtype(self) -> Any:
        return KEY_TYPE

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return KEY_TYPE.itemsize

    @property
    def _words(self) -> Array:
        return wrap(self._node)

    def __getitem__(self, index: Any) -> PRNGKeyArray:
        at = index if isinstance(index, tuple) else (index,)
        rest = () if any(i is Ellipsis for i in at) else (Ellipsis,)
        return PRNGKeyArray(self._words[(*at, *rest, slice(None))]._node)

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def reshape(self, *shape: Any, order: str = "C") -> PRNGKeyArray:
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        if -1 in wanted:
            known = -math.prod(wanted)
            wanted = [self.size // known if n == -1 else n for n in wanted]
        return PRNGKeyArray(self._words.reshape((*wanted, 2))._node)

    def flatten(self) -> PRNGKeyArray:
        """The keys one after the other."""
        return self.reshape(-1)

    ravel = flatten

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, PRNGKeyArray):
            return NotImplemented
        return wnp.all(self._words == other._words, axis=-1)

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else ~equal

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError("keys cannot be converted to NumPy arrays. Use random.key_data(keys) for their words.")

    def __repr__(self) -> str:
        return f"Array({self.shape}, dtype={self.dtype}) overlaying:\n{self._words}"

    __str__ = __repr__


def _unflatten(_: Any, children: Sequence[Any]) -> Any:
    (words,) = children
    return PRNGKeyArray(words._node) if isinstance(words, Array) else words


register_pytree_node(PRNGKeyArray, lambda keys: ((keys._words,), None), _unflatten)


# -- between the forms --------------------------------------------------------------------------------------------------------------------


def words_of(keys: Any) -> Array:
    """The words of keys of either form. Raises TypeError for what is no key."""
    array = wrap(lift(keys))
    if array.dtype is not uint32 or array.shape[-1:] != (2,):
        raise TypeError(
            f"expected a PRNG key (uint32 with a last axis of 2, from random.key or random.split), got {array.aval}"
        )
    return array


def single(keys: Any, name: str) -> Array:
    """The words of one key. Raises TypeError for what is no key, ValueError for several."""
    array = words_of(keys)
    if array.ndim != 1:
        raise ValueError(
            f"{name} accepts a single key, but was given a key array of shape {array.shape[:-1]}. Use weft.vmap for batching."
        )
    return array


def like(keys: Any, words: Array) -> Array:
    """Words as keys of the form of others."""
    return PRNGKeyArray(words._node) if isinstance(keys, PRNGKeyArray) else words


def _check_impl(impl: Any) -> None:
    if impl is not None and impl not in IMPLEMENTATIONS and impl != KEY_TYPE:
        raise ValueError(f"unrecognized PRNG implementation '{impl}'. Did you mean one of {list(IMPLEMENTATIONS)}?")


# -- making keys --------------------------------------------------------------------------------------------------------------------------


def key(seed: int | Array, *, impl: Any = None, dtype: Any = None) -> Array:
    """A typed key from an integer. Its words are the seed's high and low 32 bits.

    Raises TypeError for a seed that is no integer of rank 0, ValueError for an implementation other than Threefry.
    """
    return PRNGKeyArray(PRNGKey(seed, impl=impl if dtype is None else dtype)._node)


def PRNGKey(seed: int | Array, *, impl: Any = None) -> Array:
    """A raw key from an integer: `key` as uint32[2]."""
    _check_impl(impl)
    if isinstance(seed, Array):
        if seed.ndim or not seed.dtype.is_integer:
            raise TypeError(f"PRNG key seed must be an integer scalar; got {seed.aval}")
        if seed.dtype.bits == 64:
            words = [(seed >> 32), seed]
        else:
            words = [wnp.zeros_like(seed), seed]
        return wnp.stack([w.astype(uint32) for w in words])
    try:
        value = operator.index(seed)
    except TypeError as error:
        raise TypeError(f"PRNG key seed must be an integer; got {seed!r}") from error
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError(f"PRNG key seed must fit into an integer of 64 bits; got {seed!r}")
    # JAX takes a seed as int32 where 64-bit types are off: the high word is the low word's sign bits shifted out, zero.
    high = (value >> 32) & 0xFFFFFFFF if canonical(int).bits == 64 else 0
    return wnp.array([high, value & 0xFFFFFFFF], dtype=uint32)


def key_data(keys: Any) -> Array:
    """The words of keys: uint32[…, 2]."""
    return words_of(keys)


def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> Array:
    """Typed keys from their words."""
    _check_impl(impl if dtype is None else dtype)
    return PRNGKeyArray(words_of(key_bits_array)._node)


def key_impl(keys: Any) -> str:
    """How the bits of keys are made: "threefry2x32"."""
    words_of(keys)
    return "threefry2x32"


def key_dtype(impl_spec: Any = None) -> KeyType:
    """The dtype of typed keys."""
    _check_impl(impl_spec)
    return KEY_TYPE


def clone(key: Any) -> Array:
    """The same key, said to be used again on purpose."""
    return like(key, words_of(key))


def _encipher(keys: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds: two words under a key."""
    k0, k1 = keys[..., 0], keys[..., 1]
    schedule = (k0, k1, k0 ^ k1 ^ wnp.uint32(PARITY))
    x, y = high + k0, low + k1
    for step in range(5):
        for by in ROTATIONS[step % 2]:
            x = x + y
            y = ((y << wnp.uint32(by)) | (y >> wnp.uint32(32 - by))) ^ x
        x = x + schedule[(step + 1) % 3]
        y = y + schedule[(step + 2) % 3] + wnp.uint32(step + 1)
    return x, y


def enciphered(words: Array, shape: Sequence[int]) -> tuple[Array, Array]:
    """Two words for each place of a shape, from the words of one key."""
    low = lax.iota(uint32, math.prod(shape)).reshape(shape)
    return _encipher(words, wnp.zeros_like(low), low)


def split(key: Any, num: int | Sequence[int] = 2) -> Array:
    """New keys, as many as `num` (or in the shape `num`)."""
    return like(key, wnp.stack(enciphered(single(key, "split"), shape_of(num, "num")), axis=-1))


def fold_in(key: Any, data: int | Array) -> Array:
    """A new key from a key and an integer. Raises TypeError for an array that is no scalar."""
    words = single(key, "fold_in")
    low = data.astype(uint32) if isinstance(data, Array) else wnp.uint32(operator.index(data) & 0xFFFFFFFF)
    if low.ndim:
        raise TypeError(f"fold_in accepts a scalar, but was given an array of shape {low.shape}")
    return like(key, wnp.stack(_encipher(words, wnp.zeros_like(low), low), axis=-1))

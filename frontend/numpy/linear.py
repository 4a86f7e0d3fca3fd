"""Multiplying and adding up: products of vectors, matrices and tensors, einsum. All of them are one `dot_general` or a few."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from weft import lax
from weft.array import Array, lift, wrap
from weft.host import canonical
from weft.lax.base import ArrayLike, DTypeLike, axis_index, axis_indices, convert, size_of
from weft.numpy.elementwise import conj
from weft.numpy.manipulation import broadcast_to, moveaxis, ravel
from weft.numpy.promotion import promote_arrays, same_dtype

__all__ = [
    "convolve", "correlate", "cross", "dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "vdot",
    "vecdot",
]  # fmt: skip


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    x, y = (wrap(n) for n in same_dtype(a, b))
    return x, y


def _typed(x: Array, preferred: DTypeLike) -> Array:
    return x if preferred is None else wrap(convert(x._node, canonical(preferred)))


def dot(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """The last axis of a contracted with the last but one of b (or its only one); a product if either is a scalar."""
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return _typed(lax.mul(x, y), preferred_element_type)
    axes = (((x.ndim - 1,), (max(0, y.ndim - 2),)), ((), ()))
    return lax.dot_general(x, y, axes, precision, preferred_element_type)


def matmul(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """Products of matrices in the last two axes, the axes before them broadcast; vectors stand for rows on the left, columns on the right."""
    x, y = _pair(a, b)
    for position, operand in enumerate((x, y)):
        if operand.ndim == 0:
            raise ValueError(f"matmul input operand {position} must have ndim at least 1, but it has ndim 0")
    if x.ndim <= 2 and y.ndim <= 2:
        axes = (((x.ndim - 1,), (max(0, y.ndim - 2),)), ((), ()))
        return lax.dot_general(x, y, axes, precision, preferred_element_type)
    if y.ndim <= 2:  # the left one's leading axes are free axes
        axes = (((x.ndim - 1,), (y.ndim - 2 if y.ndim == 2 else 0,)), ((), ()))
        return lax.dot_general(x, y, axes, precision, preferred_element_type)
    row = x.ndim == 1
    left = lax.expand_dims(x, (0,)) if row else x
    column = y.ndim == 1
    right = lax.expand_dims(y, (1,)) if column else y
    batch = lax.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = broadcast_to(left, (*batch, *left.shape[-2:]))
    right = broadcast_to(right, (*batch, *right.shape[-2:]))
    rank = len(batch) + 2
    leading = tuple(range(len(batch)))
    out = lax.dot_general(
        left, right, (((rank - 1,), (rank - 2,)), (leading, leading)), precision, preferred_element_type
    )
    return lax.squeeze(out, [rank - 2] if row else [rank - 1] if column else [])


def vdot(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """The sum of products of all elements, those of `a` conjugated."""
    return dot(ravel(conj(a)), ravel(b), precision=precision, preferred_element_type=preferred_element_type)


def vecdot(
    x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The sum of products along an axis, the elements of `x1` conjugated, the other axes broadcast."""
    x, y = _pair(conj(x1), x2)
    x, y = (moveaxis(v, axis_index(axis, v.ndim), -1) for v in (x, y))
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"vecdot requires arrays of one size along the contracted axis, got {x.shape[-1]} and {y.shape[-1]}"
        )
    out = matmul(
        lax.expand_dims(x, (x.ndim - 1,)), lax.expand_dims(y, (y.ndim,)), preferred_element_type=preferred_element_type
    )
    return lax.squeeze(out, (out.ndim - 2, out.ndim - 1))


def inner(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: DTypeLike = None) -> Array:
    """The last axes contracted; a product if either is a scalar."""
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return _typed(lax.mul(x, y), preferred_element_type)
    return lax.dot_general(x, y, (((x.ndim - 1,), (y.ndim - 1,)), ((), ())), precision, preferred_element_type)


def outer(a: ArrayLike, b: ArrayLike, out: None = None) -> Array:
    """All products of an element of a with one of b."""
    x, y = promote_arrays(lax.expand_dims(ravel(a), (1,)), lax.expand_dims(ravel(b), (0,)))
    return lax.mul(x, y)


def tensordot(
    a: ArrayLike, b: ArrayLike, axes: Any = 2, *, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The last axes of a contracted with the first of b (`axes`: how many), or pairs of axes: (of a, of b)."""
    x, y = _pair(a, b)
    if isinstance(axes, (tuple, list)):
        if len(axes) != 2:
            raise TypeError(
                f"tensordot axes argument must be an int, a pair of ints, or a pair of lists/tuples of ints, got {axes}."
            )
        left, right = axis_indices(axes[0], x.ndim), axis_indices(axes[1], y.ndim)
    else:
        count = operator.index(axes)
        if not 0 <= count <= min(x.ndim, y.ndim):
            raise TypeError(
                f"tensordot axes={count} exceeds the ranks of the arguments, got shapes {x.shape} and {y.shape}."
            )
        left, right = tuple(range(x.ndim - count, x.ndim)), tuple(range(count))
    if len(left) != len(right):
        raise TypeError(f"tensordot requires axes lists to have equal length, got {left} and {right}.")
    return lax.dot_general(x, y, ((left, right), ((), ())), precision, preferred_element_type)


def kron(a: ArrayLike, b: ArrayLike) -> Array:
    """The Kronecker product."""
    x, y = _pair(a, b)
    rank = max(x.ndim, y.ndim)
    x, y = lax.broadcast_to_rank(x, rank), lax.broadcast_to_rank(y, rank)
    wide, narrow = lax.expand_dims(x, range(1, 2 * rank, 2)), lax.expand_dims(y, range(0, 2 * rank, 2))
    return lax.reshape(lax.mul(*promote_arrays(wide, narrow)), [n * m for n, m in zip(x.shape, y.shape, strict=True)])


def cross(
    a: ArrayLike, b: ArrayLike, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """The cross product of vectors of 3 (or 2) elements along axes."""
    from weft.numpy.manipulation import stack

    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        raise ValueError(f"Dimension must be either 2 or 3 for cross product, got {x.shape[-1]} and {y.shape[-1]}")
    u, v = ([part[..., k] for k in range(part.shape[-1])] for part in (x, y))
    if len(u) == len(v) == 2:
        return u[0] * v[1] - u[1] * v[0]
    zero = lax.full_like(u[0], 0)
    (u0, u1, u2), (v0, v1, v2) = (*u, zero)[:3], (*v, zero)[:3]
    return stack([u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0], axisc)


def convolve(
    a: ArrayLike, v: ArrayLike, mode: str = "full", *, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The discrete convolution of two vectors: full, same, or valid."""
    x, y = _pair(a, v)
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError("convolve() only support 1-dimensional inputs.")
    if not x.size or not y.size:
        raise ValueError(f"convolve: inputs cannot be empty, got shapes {x.shape} and {y.shape}.")
    if x.size < y.size:
        x, y = y, x
    size = y.size
    pads = {"full": (size - 1, size - 1), "same": (size // 2, size - size // 2 - 1), "valid": (0, 0)}
    if mode not in pads:
        raise ValueError("mode must be one of ['full', 'same', 'valid']")
    out = lax.conv_general_dilated(
        x[None, None], lax.rev(y, (0,))[None, None], (1,), [pads[mode]], preferred_element_type=preferred_element_type
    )
    return out[0, 0]


def correlate(
    a: ArrayLike, v: ArrayLike, mode: str = "valid", *, precision: Any = None, preferred_element_type: DTypeLike = None
) -> Array:
    """The cross-correlation of two vectors: full, same, or valid."""
    flipped = lax.rev(v, (0,))
    found = convolve(a, flipped, mode, preferred_element_type=preferred_element_type)
    return lax.rev(found, (0,)) if mode == "valid" and lift(v).aval.size > lift(a).aval.size else found


# -- einsum


def einsum(
    subscripts: Any,
    /,
    *operands: Any,
    out: None = None,
    optimize: Any = "auto",
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
) -> Array:
    """Einstein's summation: "ij,jk->ik" sums the products over the labels that the result lacks. "..." stands for axes that broadcast.

    Operands are contracted in pairs, each time the pair whose result is smallest.
    """
    text, given = (subscripts, operands) if isinstance(subscripts, str) else _from_lists(subscripts, operands)
    arrays = [wrap(n) for n in same_dtype(*given)] if given else []
    terms, result = _parse(text, arrays)
    labelled = [_diagonals(x, term) for x, term in zip(arrays, terms, strict=True)]
    sizes: dict[str, int] = {}
    for position, (x, term) in enumerate(labelled):
        for label, n in zip(term, x.shape, strict=True):
            if sizes.setdefault(label, n) not in (n, 1) and n != 1:
                raise ValueError(
                    f"Size of label '{label}' for operand {position} ({n}) does not match previous terms ({sizes[label]})."
                )
            sizes[label] = max(sizes[label], n)
    while len(labelled) > 1:
        i, j = _cheapest([set(t) for _, t in labelled], set(result), sizes)
        first, second = labelled[i], labelled[j]
        rest = [p for k, p in enumerate(labelled) if k not in (i, j)]
        kept = set(result).union(*(t for _, t in rest))
        labelled = [*rest, _contract(first, second, kept, preferred_element_type)]
    x, term = labelled[0]
    x, term = _summed(x, term, set(result))
    return _typed(lax.transpose(x, [term.index(label) for label in result]), preferred_element_type)


def _from_lists(first: Any, rest: Sequence[Any]) -> tuple[str, list[Any]]:
    """The form einsum(x, [0, 1], y, [1, 2], [0, 2]) as the one with a string."""
    parts = [first, *rest]
    has_result = len(parts) % 2 == 1
    lists = parts[1::2] if not has_result else [*parts[1:-1:2]]
    operands = parts[0:-1:2] if has_result else parts[0::2]

    def text(labels: Any) -> str:
        return "".join(
            "..." if k is Ellipsis else chr(ord("a") + k) if k < 26 else chr(ord("A") + k - 26) for k in labels
        )

    return ",".join(map(text, lists)) + ("->" + text(parts[-1]) if has_result else ""), operands


def _parse(subscripts: str, arrays: Sequence[Array]) -> tuple[list[str], str]:
    """One string of labels per operand and for the result; an ellipsis becomes digits, the same for axes that broadcast against each other."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise ValueError(
            f"Number of einsum subscripts, {len(terms)}, must be equal to the number of operands, {len(arrays)}."
        )
    widest, expanded = 0, []
    for term, x in zip(terms, arrays, strict=True):
        hidden = x.ndim - len(term.replace("...", ""))
        if hidden < 0 or (hidden and "..." not in term):
            raise ValueError(
                f"Einstein sum subscript '{term}' does not contain the correct number of indices for operand of shape {x.shape}."
            )
        widest = max(widest, hidden)
        expanded.append((term, hidden))
    digits = "".join(chr(0x100 + k) for k in range(widest))
    found = [term.replace("...", digits[widest - hidden :]) for term, hidden in expanded]
    if arrow:
        result = right.replace("...", digits)
    else:
        labels = left.replace(",", "").replace("...", "")
        result = digits + "".join(sorted(c for c in set(labels) if labels.count(c) == 1))
    for label in result:
        if not any(label in t for t in found):
            raise ValueError(f"Output character '{label}' did not appear in the input")
        if result.count(label) > 1:
            raise ValueError(f"Output character '{label}' appeared more than once in the output.")
    return found, result


def _diagonals(x: Array, term: str) -> tuple[Array, str]:
    """Axes with one label made into one."""
    from weft.numpy.creation import diagonal

    for label in dict.fromkeys(term):
        while term.count(label) > 1:
            i = term.index(label)
            j = term.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(f"Size of label '{label}' differs within one operand: {x.shape[i]} and {x.shape[j]}.")
            x = diagonal(x, 0, i, j)
            term = "".join(c for k, c in enumerate(term) if k not in (i, j)) + label
    return x, term


def _summed(x: Array, term: str, kept: set[str]) -> tuple[Array, str]:
    axes = tuple(k for k, label in enumerate(term) if label not in kept)
    return (lax.reduce_sum(x, axes), "".join(c for c in term if c in kept)) if axes else (x, term)


def _cheapest(terms: Sequence[set[str]], result: set[str], sizes: dict[str, int]) -> tuple[int, int]:
    """The pair whose contraction leaves the least, compared with what it takes away."""

    def cost(i: int, j: int) -> int:
        kept = result.union(*(t for k, t in enumerate(terms) if k not in (i, j)))

        def volume(labels: set[str]) -> int:
            return size_of([sizes[c] for c in labels])

        return volume((terms[i] | terms[j]) & kept) - volume(terms[i]) - volume(terms[j])

    pairs = [(i, j) for i in range(len(terms)) for j in range(i + 1, len(terms))]
    return min(pairs, key=lambda p: cost(*p))


def _contract(
    first: tuple[Array, str], second: tuple[Array, str], kept: set[str], preferred: DTypeLike
) -> tuple[Array, str]:
    (x, s), (y, t) = first, second
    x, s = _summed(x, s, kept | set(t))
    y, t = _summed(y, t, kept | set(s))
    for label in set(s) & set(t):  # an axis of size 1 broadcasts: it leaves the side that has it
        if x.shape[s.index(label)] != y.shape[t.index(label)]:
            if x.shape[s.index(label)] == 1:
                x, s = lax.squeeze(x, (s.index(label),)), s.replace(label, "")
            else:
                y, t = lax.squeeze(y, (t.index(label),)), t.replace(label, "")
    shared = [c for c in s if c in t]
    batch, contract = [c for c in shared if c in kept], [c for c in shared if c not in kept]
    free = [c for c in s if c not in shared], [c for c in t if c not in shared]

    def places(term: str, labels: Sequence[str]) -> tuple[int, ...]:
        return tuple(term.index(c) for c in labels)

    numbers = ((places(s, contract), places(t, contract)), (places(s, batch), places(t, batch)))
    out = lax.dot_general(x, y, numbers, None, preferred)
    return _summed(out, "".join([*batch, *free[0], *free[1]]), kept)

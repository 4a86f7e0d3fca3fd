"""Einstein's summation: operands with a label on each axis, contracted in pairs, each pair by one `dot_general`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from weft import lax
from weft.array import Array, wrap
from weft.host import canonical
from weft.lax.base import DTypeLike, convert, size_of
from weft.numpy.promotion import same_dtype

__all__ = ["einsum", "einsum_path"]


def einsum(
    subscripts: Any,
    /,
    *operands: Any,
    out: None = None,
    optimize: Any = "auto",
    precision: Any = None,
    preferred_element_type: DTypeLike = None,
    _dot_general: Callable[..., Array] = lax.dot_general,
) -> Array:
    """Einstein's summation: "ij,jk->ik" sums the products over the labels that the result lacks. "..." stands for axes that broadcast.

    Operands are contracted in pairs, each time the pair whose result is smallest, by `_dot_general`: libraries hand in one of their own, of quantised numbers say.
    """
    text, given = (subscripts, operands) if isinstance(subscripts, str) else _from_lists(subscripts, operands)
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.einsum is not supported.")
    dot_general = partial(_dot_general, precision=precision, preferred_element_type=preferred_element_type)
    labelled, result, sizes = _labelled(text, given)
    for places in _path([t for _, t in labelled], result, sizes, optimize):
        chosen = [labelled[k] for k in places]
        labelled = [p for k, p in enumerate(labelled) if k not in places]
        for position, second in enumerate(chosen[1:], 1):
            rest = [t for _, t in labelled] + [t for _, t in chosen[position + 1 :]]
            chosen[position] = _contract(chosen[position - 1], second, set(result).union(*rest), dot_general)
        labelled.append(chosen[-1])
    x, term = labelled[0]
    x, term = _summed(x, term, set(result))
    x = lax.transpose(x, [term.index(label) for label in result])
    return x if preferred_element_type is None else wrap(convert(x._node, canonical(preferred_element_type)))


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[list[tuple[int, ...]], str]:
    """The order in which `einsum` contracts its operands, and a description of it."""
    text, given = (subscripts, operands) if isinstance(subscripts, str) else _from_lists(subscripts, operands)
    labelled, result, sizes = _labelled(text, given)
    path = _path([t for _, t in labelled], result, sizes, optimize)
    lines = [f"Complete contraction: {text}", *(f"  contract operands {', '.join(map(str, p))}" for p in path)]
    return path, "\n".join(lines)


Labelled = tuple[Array, str]


def _labelled(text: str, given: Sequence[Any]) -> tuple[list[Labelled], str, dict[str, int]]:
    """Each operand with one label per axis, the labels of the result, and the size of each label."""
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
    return labelled, result, sizes


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


def _diagonals(x: Array, term: str) -> Labelled:
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


def _summed(x: Array, term: str, kept: set[str]) -> Labelled:
    axes = tuple(k for k, label in enumerate(term) if label not in kept)
    return (lax.reduce_sum(x, axes), "".join(c for c in term if c in kept)) if axes else (x, term)


def _path(terms: Sequence[str], result: str, sizes: dict[str, int], optimize: Any) -> list[tuple[int, ...]]:
    """Which operands to contract, pair by pair; what comes of a pair goes to the end of the list.

    Up to four operands (or "optimal"): the order with the fewest multiplications of all. More (or "greedy"): each time the pair whose result is smallest, compared with what it
    takes away. A list is a path already; False goes from left to right.
    """
    if isinstance(optimize, (list, tuple)):
        return [tuple(p) for p in optimize if not isinstance(p, str)]
    if len(terms) < 2:
        return [(0,)] if terms else []
    if optimize is False:
        return [tuple(range(len(terms)))]
    if optimize not in (True, "auto", "auto-hq", "optimal", "greedy") and not str(optimize).startswith("branch"):
        raise KeyError(
            f"einsum: unknown path optimizer {optimize!r}; expected 'auto', 'optimal', 'greedy', a bool or a path"
        )
    labels = [frozenset(t) for t in terms]
    if optimize == "greedy" or (optimize != "optimal" and len(terms) > 4):
        return _greedy(labels, frozenset(result), sizes)
    return _optimal(labels, frozenset(result), sizes)[1]


def _merged(terms: Sequence[frozenset[str]], pair: tuple[int, int], result: frozenset[str]) -> list[frozenset[str]]:
    """The terms after a pair was contracted."""
    rest = [t for k, t in enumerate(terms) if k not in pair]
    return [*rest, (terms[pair[0]] | terms[pair[1]]) & result.union(*rest)]


def _optimal(
    terms: Sequence[frozenset[str]], result: frozenset[str], sizes: dict[str, int]
) -> tuple[int, list[tuple[int, ...]]]:
    """The least number of multiplications, and the path that takes so many."""
    if len(terms) == 1:
        return 0, []
    best: tuple[int, list[tuple[int, ...]]] | None = None
    for pair in combinations(range(len(terms)), 2):
        merged = _merged(terms, pair, result)
        involved = terms[pair[0]] | terms[pair[1]]
        cost = size_of([sizes[c] for c in involved]) * (2 if involved != merged[-1] else 1)
        more, path = _optimal(merged, result, sizes)
        if best is None or cost + more < best[0]:
            best = cost + more, [pair, *path]
    assert best is not None
    return best


def _greedy(terms: Sequence[frozenset[str]], result: frozenset[str], sizes: dict[str, int]) -> list[tuple[int, ...]]:
    def volume(labels: frozenset[str]) -> int:
        return size_of([sizes[c] for c in labels])

    path: list[tuple[int, ...]] = []
    while len(terms) > 1:
        pairs = combinations(range(len(terms)), 2)
        here = terms
        best = min(pairs, key=lambda p: volume(_merged(here, p, result)[-1]) - volume(here[p[0]]) - volume(here[p[1]]))
        path.append(best)
        terms = _merged(terms, best, result)
    return path


def _contract(first: Labelled, second: Labelled, kept: set[str], dot_general: Callable[..., Array]) -> Labelled:
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
    out = dot_general(x, y, numbers)
    return _summed(out, "".join([*batch, *free[0], *free[1]]), kept)

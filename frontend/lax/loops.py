"""Loops that stay loops when they are compiled: `scan`, `while_loop`, `fori_loop`, `map`; and `associative_scan`, which needs none.

Python's own `for` works as well, and is unrolled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft import eager
from weft.array import Array, aval_of, lift, wrap
from weft.config import config
from weft.dialects.array import ops
from weft.dialects.array.effects import TOKEN, current, handed_on
from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Aval, Node, aval, leaf, staging, transform
from weft.dialects.array.walks import without_axis
from weft.dialects.dtypes import bool_
from weft.errors import describe_function
from weft.lax.base import convert
from weft.lax.programs import Traced, arrays_of, carrying, same_type, trace
from weft.lax.shape import concatenate, reshape, rev, slice_in_dim
from weft.tree_util import (
    PyTreeDef,
    keystr,
    tree_flatten,
    tree_leaves,
    tree_leaves_with_path,
    tree_map,
    tree_structure,
    treedef_tuple,
)
from weft.vmap import vmap

__all__ = ["associative_scan", "fori_loop", "map", "scan", "while_loop"]


def _strengthened(init: list[Node], outs: Sequence[Aval]) -> list[Node] | None:
    """First values that are as weak as Python's numbers in the dtypes that come out of the body, where these differ; None if all stay as they are."""
    changed = False
    made = []
    for n, out in zip(init, outs, strict=True):
        a = n.aval
        if a.weak_type and a.dtype is not out.dtype and a.shape == out.shape and _promotes(a, out):
            n, changed = convert(n, out.dtype), True
        made.append(n)
    return made if changed else None


def _promotes(weak: Aval, to: Aval) -> bool:
    """Whether a weak number takes the other dtype when they meet: one of its own kind, or of a kind above."""
    order = "biufc"
    kind, other = weak.dtype.kind, to.dtype.kind
    return order.index(kind if kind != "u" else "i") <= order.index(other if other != "u" else "i")


def _check_carry(
    name: str, fun: Any, init: Any, tree: PyTreeDef, avals: Sequence[Aval], found: PyTreeDef, outs: Sequence[Aval]
) -> None:
    """Raises TypeError, in JAX's words, unless the body gives what it takes."""
    if found != tree:
        raise TypeError(
            f"{name} function carry input and carry output must have the same pytree structure, but they differ:\n\n"
            f"The input carry has structure {tree}, the output carry of {describe_function(fun)} has structure {found}.\n\n"
            "Revise the function so that the carry output has the same pytree structure as the carry input."
        )
    lines = []
    for (path, _), a, b in zip(tree_leaves_with_path(init), avals, outs, strict=True):
        if same_type(a, b):
            continue
        why = [
            *(["the dtypes do not match"] if a.dtype is not b.dtype else []),
            *(["the shapes do not match"] if a.shape != b.shape else []),
        ]
        where = f"the input carry component carry{keystr(path)}" if path else "the input carry"
        target = "the corresponding output carry component" if path else "the output carry"
        lines.append(f"  * {where} has type {a} but {target} has type {b}, so {' and '.join(why)}.")
    if lines:
        raise TypeError(
            f"{name} function carry input and carry output must have equal types, but they differ in {describe_function(fun)}:\n\n"
            + "\n".join(lines)
            + "\n\nRevise the function so that all output types match the corresponding input types."
        )


# -- scan ---------------------------------------------------------------------------------------------------------------------------------


def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
) -> tuple[Any, Any]:
    """`carry, y = f(carry, x)` for each slice `x` of `xs` along its first axis: the last carry, and the `y` stacked.

    What is carried keeps its structure, shapes and dtypes. With `xs` None, `length` says how many rounds there are. `reverse` begins at the end. `unroll` is the number of
    applications of `f` in one round of the loop; True: all of them, and there is no loop.
    """
    if not callable(f):
        raise TypeError("lax.scan: f argument should be a callable.")
    leaves, tree = tree_flatten(init)
    carry = [lift(x) for x in leaves]
    rows, rows_tree = tree_flatten(xs)
    count = _length(rows, length)
    if not (isinstance(unroll, int) and unroll >= 0):
        raise ValueError("`unroll` must be a `bool` or a non-negative `int`.")
    if config.disable_jit:
        return _scan_in_python(f, init, rows, rows_tree, count, reverse)
    given = [lift(x) for x in rows]
    slices = [aval(n.shape[1:], n.dtype, n.aval.weak_type) for n in given]
    args = treedef_tuple((tree, rows_tree))

    def attempt(carry: list[Node]) -> tuple[Traced, PyTreeDef, PyTreeDef]:
        traced = trace(f, args, [*(n.aval for n in carry), *slices], "scan", effects=True)
        parts = traced.out_tree.children()
        if len(parts) != 2 or (traced.out_tree.node_data() or [None])[0] not in (tuple, list):
            got = traced.out_tree.unflatten([o.aval for o in traced.graph.outs])
            raise TypeError(f"scan body output must be a pair, got {got}.")
        return traced, parts[0], parts[1]

    traced, carry_tree, ys_tree = attempt(carry)
    if carry_tree == tree:
        outs = traced.graph.out_avals[: len(carry)]
        if (strong := _strengthened(carry, outs)) is not None:
            carry = strong
            traced, carry_tree, ys_tree = attempt(carry)
    outs = traced.graph.out_avals[: carry_tree.num_leaves]
    _check_carry("scan body", f, init, tree, [n.aval for n in carry], carry_tree, outs)
    body, carried = traced.graph, len(carry)
    if traced.tokens:
        body = carrying(body, traced.tokens, len(traced.captures) + carried, carried)
        carry = [*carry, current()]
    at_once = count if unroll is True else min(max(unroll, 1), count)
    made = _rounds(body, traced.captures, carry, given, count, bool(reverse), at_once)
    handed_on(made[: len(carry)], carried)
    weak = [a.weak_type for a in body.out_avals[len(carry) :]]
    ys = [convert(y, y.dtype, w) for y, w in zip(made[len(carry) :], weak, strict=True)]
    return arrays_of(tree, made[:carried]), arrays_of(ys_tree, ys)


def _rounds(
    body: Graph,
    captures: Sequence[Node],
    carry: Sequence[Node],
    xs: Sequence[Node],
    length: int,
    reverse: bool,
    at_once: int,
) -> Sequence[Node]:
    """The results of a scan that applies the body `at_once` times in a round, and what is left over by itself at the end."""
    count = len(carry)
    left = length % at_once if at_once else 0
    whole = length - left
    first, rest = (range(left, length), range(left)) if reverse else (range(whole), range(whole, length))
    if at_once == length and length:
        carry, parts = _applied(body, captures, carry, xs, range(length), reverse)
        return [*carry, *parts]
    if at_once > 1:
        groups = [reshape(slice_in_dim(wrap(x), first.start, first.stop), (whole // at_once, at_once, *x.shape[1:]))._node for x in xs]  # fmt: skip
        with staging(), transform() as mark:
            types = [*(n.aval for n in captures), *(n.aval for n in carry), *(without_axis(g.aval, 0) for g in groups)]
            ins = [leaf(a, mark=mark) for a in types]
            consts, carried, rows = ins[: len(captures)], ins[len(captures) :][:count], ins[len(captures) + count :]
            carried, parts = _applied(body, consts, carried, rows, range(at_once), reverse)
        body_of_many = Graph(ins, [*carried, *parts])
    else:
        groups, body_of_many = list(xs), body
    made = ops.ScanOp.bind(
        *captures, *carry, *groups,
        body=body_of_many, length=whole // max(1, at_once), reverse=reverse, consts=len(captures), carries=count,
    )  # fmt: skip
    if at_once <= 1:
        return made
    ys = [reshape(wrap(y), (whole, *y.shape[2:])) for y in made[count:]]
    carry = made[:count]
    if left:
        carry, parts = _applied(body, captures, carry, xs, rest, reverse)
        pairs = ((wrap(p), y) if reverse else (y, wrap(p)) for p, y in zip(parts, ys, strict=True))
        ys = [concatenate(pair, 0) for pair in pairs]
    return [*carry, *(y._node for y in ys)]


def _applied(
    body: Graph, captures: Sequence[Node], carry: Sequence[Node], xs: Sequence[Node], rounds: range, reverse: bool
) -> tuple[Sequence[Node], list[Node]]:
    """Some rounds of a scan, one after the other without a loop: what is carried then, and the stacked results."""
    count = len(carry)
    ys: list[Sequence[Node]] = []
    for k in reversed(rounds) if reverse else rounds:
        rows = [reshape(slice_in_dim(wrap(x), k, k + 1), x.shape[1:])._node for x in xs]
        outs = inline(body, [*captures, *carry, *rows])
        carry = outs[:count]
        ys.append(outs[count:])
    columns = zip(*(ys[::-1] if reverse else ys), strict=True)
    return carry, [_stacked([wrap(y) for y in column])._node for column in columns]


def _length(rows: Sequence[Any], length: Any) -> int:
    """The number of rounds that all agree on."""
    if any(not aval_of(x).shape for x in rows):
        wrong = ", ".join(str(x) for x in rows if not aval_of(x).shape)
        raise ValueError(f"scan got value with no leading axis to scan over: {wrong}.")
    sizes = [x.shape[0] for x in rows]
    if length is not None:
        length = int(length)
        if any(n != length for n in sizes):
            raise ValueError(f"scan got `length` argument of {length} which disagrees with leading axis sizes {sizes}.")
        return length
    if not sizes:
        raise ValueError("scan got no values to scan over and `length` not provided.")
    if len(set(sizes)) > 1:
        raise ValueError(f"scan got values with different leading axis sizes: {', '.join(map(str, sizes))}.")
    return sizes[0]


def _scan_in_python(f: Any, init: Any, rows: Sequence[Any], tree: PyTreeDef, length: int, reverse: bool) -> Any:
    """Under `disable_jit`: one round after the other, so that a debugger sees them."""
    if not length:
        raise ValueError("zero-length scan is not supported in disable_jit() mode because the output type is unknown.")
    carry, ys = init, []
    for k in reversed(range(length)) if reverse else range(length):
        carry, y = f(carry, tree.unflatten([wrap(lift(x))[k] for x in rows]))
        ys.append(y)
    return carry, tree_map(lambda *parts: _stacked(parts), *(ys[::-1] if reverse else ys))


def _stacked(parts: Sequence[Any]) -> Array:
    arrays = [wrap(lift(p)) for p in parts]
    return concatenate([reshape(a, (1, *a.shape)) for a in arrays], 0)


def map(f: Callable[..., Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """`f` of each slice of `xs` along its first axis, one after the other, stacked; with `batch_size`, so many at a time (by `vmap`; 0: all at once)."""
    if batch_size is None:
        return scan(lambda _, x: (None, f(x)), None, xs)[1]
    leaves, tree = tree_flatten(xs)
    total = _length(leaves, None)
    whole = total - total % batch_size if batch_size else 0
    parts = []
    if whole:
        cut = [reshape(slice_in_dim(x, 0, whole), (whole // batch_size, batch_size, *x.shape[1:])) for x in leaves]
        found = map(vmap(f), tree.unflatten(cut))
        parts.append(tree_map(lambda y: reshape(y, (whole, *y.shape[2:])), found))
    if whole < total or not parts:
        parts.append(vmap(f)(tree.unflatten([slice_in_dim(x, whole, total) for x in leaves])))
    return parts[0] if len(parts) == 1 else tree_map(lambda a, b: concatenate([a, b], 0), *parts)


# -- loops --------------------------------------------------------------------------------------------------------------------------------


def while_loop(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any) -> Any:
    """Applies `body_fun` to `init_val`, and to what comes out of it, as long as `cond_fun` of that is true.

    Structure, shapes and dtypes stay the same. It has a forward derivative, but no reverse one: how many rounds there are nobody knows beforehand.
    """
    if not (callable(cond_fun) and callable(body_fun)):
        raise TypeError("lax.while_loop: body_fun and cond_fun arguments should be callable.")
    leaves, tree = tree_flatten(init_val)
    carry = [lift(x) for x in leaves]
    if config.disable_jit:
        value = tree.unflatten([wrap(n) for n in carry])
        while cond_fun(value):
            value = tree_map(lambda x: wrap(lift(x)), body_fun(value))
        return value
    args = tree_structure((init_val,))

    def attempt(carry: list[Node]) -> tuple[Traced, Traced]:
        avals = [n.aval for n in carry]
        cond = trace(cond_fun, args, avals, "while_loop", effects=True)
        if cond.out_tree.num_leaves != 1 or cond.out_tree != tree_structure(0):
            raise TypeError(f"cond_fun must return a boolean scalar, but got pytree {cond.out_tree}.")
        (out,) = cond.graph.out_avals
        if out.shape or out.dtype is not bool_:
            raise TypeError(f"cond_fun must return a boolean scalar, but got output type(s) [{out}].")
        return cond, trace(body_fun, args, avals, "while_loop", effects=True)

    cond, body = attempt(carry)
    if body.out_tree == tree and (strong := _strengthened(carry, body.graph.out_avals)) is not None:
        carry = strong
        cond, body = attempt(carry)
    _check_carry(
        "while_loop body", body_fun, init_val, tree, [n.aval for n in carry], body.out_tree, body.graph.out_avals
    )
    if cond.tokens:  # a condition that calls the host: the body asks it, and carries the answer

        def step(state: Any) -> Any:
            value = body_fun(state[0])
            return value, cond_fun(value)

        return while_loop(lambda state: state[1], step, (init_val, cond_fun(init_val)))[0]
    asked, repeated, carried = cond.graph, body.graph, len(carry)
    if body.tokens:
        asked = Graph([*asked.ins, leaf(TOKEN)], asked.outs)
        repeated = carrying(repeated, body.tokens, len(repeated.ins), carried)
        carry = [*carry, current()]
    made = ops.WhileOp.bind(
        *cond.captures, *body.captures, *carry,
        cond=asked, body=repeated, cond_consts=len(cond.captures), body_consts=len(body.captures),
    )  # fmt: skip
    return arrays_of(tree, handed_on(made, carried))


def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any, *, unroll: int | bool | None = None
) -> Any:
    """`val = body_fun(i, val)` for `i` from `lower` to `upper` (without it), beginning with `init_val`.

    Where both are known while tracing it is a `scan`, and has a reverse derivative, and `unroll` says how often `body_fun` is applied in a round; otherwise it is a `while_loop`.
    """
    if not callable(body_fun):
        raise TypeError("lax.fori_loop: body_fun argument should be callable.")
    first, last = lift(lower), lift(upper)
    for n, what in ((first, "lower"), (last, "upper")):
        if not n.dtype.is_integer or n.shape:
            raise TypeError(
                f"lower and upper arguments to fori_loop must be integer scalars, got {what} of type {n.aval}"
            )
    if first.dtype is not last.dtype:
        if first.aval.weak_type:
            first = convert(first, last.dtype)
        elif last.aval.weak_type:
            last = convert(last, first.dtype)
        else:
            raise TypeError(
                f"lower and upper arguments to fori_loop must have equal types, got {first.dtype.name} and {last.dtype.name}"
            )
    start = wrap(first)
    if not eager.is_traced(first) and not eager.is_traced(last):
        count = max(0, int(wrap(last)) - int(start))
        (_, value), _ = scan(
            lambda c, _: ((c[0] + 1, body_fun(*c)), None), (start, init_val), None, count, unroll=unroll or 1
        )
        return value
    if unroll is not None and unroll not in (False, 1):
        raise ValueError("Can only use `unroll` in `fori_loop` if the loop bounds are statically known.")
    _, _, value = while_loop(
        lambda c: c[0] < c[1], lambda c: (c[0] + 1, c[1], body_fun(c[0], c[2])), (start, wrap(last), init_val)
    )
    return value


# -- associative_scan ---------------------------------------------------------------------------------------------------------------------


def associative_scan(fn: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All partial results `fn(fn(x0, x1), x2) …` of an associative function along an axis, in logarithmically many steps.

    Neighbours are combined, the half that is left is scanned in the same way, and what lies between is combined once more (Blelloch, 1990). `fn` takes and gives pytrees of
    arrays in the structure of `elems`, of any length along the axis.
    """
    if not callable(fn):
        raise TypeError("lax.associative_scan: fn argument should be callable.")
    leaves, tree = tree_flatten(elems)
    arrays = [wrap(lift(x)) for x in leaves]
    if not arrays:
        return elems
    if any(not -a.ndim <= axis < a.ndim for a in arrays):
        raise ValueError(f"axis {axis} is out of bounds for array of dimension {min(a.ndim for a in arrays)}")
    axis %= arrays[0].ndim
    sizes = {a.shape[axis] for a in arrays}
    if len(sizes) > 1:
        raise ValueError(
            f"Array inputs to associative_scan must have the same first dimension. (saw: {[a.shape for a in arrays]})"
        )

    def combine(a: list[Array], b: list[Array]) -> list[Array]:
        found = fn(tree.unflatten(a), tree.unflatten(b))
        return [wrap(lift(x)) for x in tree_leaves(found)]

    if reverse:
        arrays = [rev(a, (axis,)) for a in arrays]
    found = _prefixes(combine, arrays, axis)
    if reverse:
        found = [rev(a, (axis,)) for a in found]
    return tree.unflatten(found)


def _prefixes(combine: Callable[..., list[Array]], arrays: list[Array], axis: int) -> list[Array]:
    count = arrays[0].shape[axis]
    if count < 2:
        return arrays

    def cut(xs: list[Array], start: int, stop: int, stride: int = 1) -> list[Array]:
        return [slice_in_dim(x, start, stop, stride, axis) for x in xs]

    pairs = combine(cut(arrays, 0, count - 1, 2), cut(arrays, 1, count, 2))
    odd = _prefixes(combine, pairs, axis)
    even = combine(cut(odd, 0, (count - 1) // 2), cut(arrays, 2, count, 2)) if count > 2 else None
    first = cut(arrays, 0, 1)
    if even is not None:
        first = [concatenate([a, b], axis) for a, b in zip(first, even, strict=True)]
    return [_interleaved(a, b, axis) for a, b in zip(first, odd, strict=True)]


def _interleaved(a: Array, b: Array, axis: int) -> Array:
    """Elements of the one and the other in turn; `a` begins, and may have one more."""
    size, more = b.shape[axis], a.shape[axis] - b.shape[axis]
    shape = (*b.shape[: axis + 1], 1, *b.shape[axis + 1 :])
    both = concatenate([reshape(slice_in_dim(x, 0, size, 1, axis), shape) for x in (a, b)], axis + 1)
    merged = reshape(both, (*b.shape[:axis], 2 * size, *b.shape[axis + 1 :]))
    found = concatenate([merged, slice_in_dim(a, size, size + 1, 1, axis)], axis) if more else merged
    return wrap(convert(found._node, found.dtype))

"""Functions with derivatives of the user's own (`custom_jvp`, `custom_vjp`), and functions that are computed again when their derivative is (`checkpoint`).

A call is a node that holds the function as a graph (dialects/array/custom.py); the rule runs when a walk arrives there. Where no transform could ever walk (plain eager calls) the
function just runs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial, reduce, update_wrapper
from typing import Any

from weft.array import Array, lift, wrap
from weft.dialects.array.checkpoint import CheckpointCall
from weft.dialects.array.custom import CustomJvpCall, CustomVjpCall
from weft.dialects.array.effects import TOKEN, Chain, current, handed_on
from weft.dialects.array.graph import Graph, close, inline
from weft.dialects.array.node import STATE, Node, computed, leaf, mark_of, transform
from weft.dialects.array.node import wrap as wrap_node
from weft.dialects.array.op import zeros
from weft.function import OnNodes, check_callable, describe_function, lift_result, positional, same_structure
from weft.symbolic_zeros import CustomVJPPrimal, hidden, shown
from weft.tree_util import Partial, PyTreeDef, tree_flatten, tree_map

Numbers = int | Sequence[int]


class _Custom:
    """What both share: which arguments are differentiated by, and the call."""

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Numbers = ()):
        check_callable(fun, type(self).__name__)
        self.fun = fun
        self.nondiff = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        update_wrapper(self, fun, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_rules()
        given = positional(self.fun, args, kwargs)
        chosen = tuple([a for i, a in enumerate(given) if i not in self.nondiff])
        fixed = {i: a for i, a in enumerate(given) if i in self.nondiff}
        leaves, tree = tree_flatten(chosen)
        nodes = [lift(x) for x in leaves]
        if STATE.pending is not None and not mark_of(nodes):
            return self.fun(*given)
        run = OnNodes(lambda *dynamic: self.fun(*_merged(fixed, dynamic)), tree)
        graph, captures = traced(run, nodes)
        # What was read inside is captured, with the way that it was computed by; the rule says what the derivative is, not that way.
        captures = [n if n.value is None else computed(n.aval, n.value, n.device) for n in captures]
        outs = self._bind(graph, nodes, captures, fixed, tree, run.out_tree)
        return run.out_tree.unflatten([wrap(n) for n in handed_on(outs, run.out_tree.num_leaves)])

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else partial(self, instance)

    def _check_rules(self) -> None:
        raise NotImplementedError

    def _bind(
        self,
        graph: Graph,
        nodes: Sequence[Node],
        captures: Sequence[Node],
        fixed: dict[int, Any],
        tree: PyTreeDef,
        out_tree: PyTreeDef,
    ) -> Sequence[Node]:
        raise NotImplementedError


class custom_jvp(_Custom):
    """A function with a rule for its forward derivative, from which the reverse one follows.

    `@custom_jvp def f(x, y): …` and `@f.defjvp def rule(primals, tangents): return out, tangent`. Arguments in `nondiff_argnums` come first in the rule, as they are.
    """

    rule: Callable[..., Any] | None = None
    symbolic = False

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Sets the rule: `jvp(*nondiff, primals, tangents) -> (out, tangent)`. A decorator. Tangents that are zero come as arrays of zeros, or (`symbolic_zeros`) as `SymbolicZero`, which may be given back, too."""
        check_callable(jvp, "defjvp")
        self.rule, self.symbolic = jvp, symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Sets the rule by one function per argument, `jvp(tangent, out, *primals)`, whose results are added; None where the derivative is zero."""
        if self.nondiff:
            raise TypeError("Can't use ``defjvps`` with ``nondiff_argnums``.")

        def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            out = self(*primals)
            parts = [jvp(t, out, *primals) for jvp, t in zip(jvps, tangents, strict=True) if jvp is not None]
            if not parts:
                return out, tree_map(lambda x: x * 0, out)
            return out, reduce(partial(tree_map, operator.add), parts)

        self.rule, self.symbolic = rule, False

    def _check_rules(self) -> None:
        if self.rule is None:
            raise AttributeError(f"No JVP defined for custom_jvp function {describe_function(self.fun)} using defjvp.")

    def _bind(self, graph, nodes, captures, fixed, tree, out_tree):  # type: ignore[no-untyped-def]
        count, symbolic = len(nodes), self.symbolic

        def rule(primals: Sequence[Node], tangents: Sequence[Node | None]) -> tuple[list[Node], list[Node | None]]:
            given = tree.unflatten([Array(n) for n in primals[:count]])
            moves = tree.unflatten([shown(t, p, symbolic) for p, t in zip(primals[:count], tangents, strict=False)])
            with calling(graph, out_tree, primals) as token:
                pair = self.rule(*fixed.values(), given, moves)  # type: ignore[misc]
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(
                    f"Custom JVP rule {describe_function(self.rule)} for function {describe_function(self.fun)} must produce a pair "
                    f"(list or tuple of length two) representing primal and tangent outputs, but got {pair!r}."
                )
            name = describe_function(self.rule)
            outs = [lift_result(x, self.rule) for x in same_structure(out_tree, pair[0], f"{name}: primal outputs")]
            found = [
                None if hidden(x) is None else lift_result(x, self.rule)
                for x in same_structure(out_tree, pair[1], f"{name}: tangent outputs")
            ]
            for out, tangent in zip(outs, found, strict=True):
                if tangent is not None and out.shape != tangent.shape:
                    raise TypeError(
                        f"Custom JVP rule {name} must produce primal and tangent outputs with equal shapes, "
                        f"but got {out.aval} and {tangent.aval}."
                    )
            return [*outs, *token()], [*found, *token()]

        return CustomJvpCall.bind(*nodes, *captures, graph=graph, rule=rule)


class custom_vjp(_Custom):
    """A function with a rule for its reverse derivative; there is no forward one.

    `f.defvjp(fwd, bwd)`: `fwd(*args) -> (out, residuals)` and `bwd(residuals, cotangent) -> cotangents of args`, a tuple in which None means zero. Arguments in
    `nondiff_argnums` go to `fwd` in their places, and first to `bwd`.
    """

    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None
    symbolic = False

    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Sets the rules. With `symbolic_zeros`, `fwd` gets each leaf of its arguments as a `CustomVJPPrimal`, and `bwd` a `SymbolicZero` for a cotangent that is zero.

        `optimize_remat` says that `fwd` need not run where only the function's value is wanted; it never does here. Raises NotImplementedError for both.
        """
        check_callable(fwd, "defvjp")
        check_callable(bwd, "defvjp")
        if symbolic_zeros and optimize_remat:
            raise NotImplementedError("remat optimization for custom_vjp does not support symbolic zeros")
        self.fwd, self.bwd, self.symbolic = fwd, bwd, symbolic_zeros

    def _check_rules(self) -> None:
        if self.fwd is None:
            raise AttributeError(f"No VJP defined for custom_vjp function {describe_function(self.fun)} using defvjp.")

    def _bind(self, graph, nodes, captures, fixed, tree, out_tree):  # type: ignore[no-untyped-def]
        residual_tree: PyTreeDef | None = None
        symbolic, avals = self.symbolic, graph.out_avals

        def fwd(args: Sequence[Node], active: Sequence[bool]) -> tuple[list[Node], list[Node]]:
            nonlocal residual_tree
            leaves: list[Any] = [Array(n) for n in args[: len(nodes)]]
            if symbolic:
                leaves = [CustomVJPPrimal(x, on) for x, on in zip(leaves, active, strict=False)]
            dynamic = tree.unflatten(leaves)
            with calling(graph, out_tree, args) as token:
                pair = self.fwd(*_merged(fixed, dynamic))  # type: ignore[misc]
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(
                    f"Custom VJP fwd rule {describe_function(self.fwd)} for function {describe_function(self.fun)} must produce a pair "
                    f"(list or tuple of length two) of primal outputs and residuals, but got {pair!r}."
                )
            outs = same_structure(out_tree, pair[0], f"{describe_function(self.fwd)}: primal outputs")
            residuals, residual_tree = tree_flatten(pair[1])
            return [*(lift_result(x, fwd) for x in outs), *token()], [lift_result(x, fwd) for x in residuals]

        def bwd(residuals: Sequence[Node], cts: Sequence[Node | None]) -> list[Node | None]:
            kept = residual_tree.unflatten([Array(n) for n in residuals])  # type: ignore[union-attr]
            given = [shown(ct, o, symbolic) for ct, o in zip(cts[: out_tree.num_leaves], avals, strict=False)]
            found = self.bwd(*fixed.values(), kept, out_tree.unflatten(given))  # type: ignore[misc]
            return [*self._cotangents(found, tree, nodes), *(None for _ in captures)]

        return CustomVjpCall.bind(*nodes, *captures, graph=graph, fwd=fwd, bwd=bwd)

    def _cotangents(self, found: Any, tree: PyTreeDef, nodes: Sequence[Node]) -> list[Node | None]:
        """What `bwd` gave, leaf by leaf. Raises TypeError if it does not fit the arguments."""
        name = f"Custom VJP bwd rule {describe_function(self.bwd)}"
        parts = tree.children()
        if not isinstance(found, (tuple, list)) or len(found) != len(parts):
            raise TypeError(
                f"{name} must produce a tuple with one cotangent for each of the {len(parts)} differentiated arguments, but got {found!r}."
            )
        leaves: list[Any] = []
        for ct, part in zip(found, parts, strict=True):
            try:
                leaves += [None] * part.num_leaves if ct is None else part.flatten_up_to(ct)
            except ValueError as error:
                raise TypeError(f"{name} must produce cotangents of the arguments' structure: {error}") from error
        cts = [None if hidden(x) is None else lift_result(x, self.bwd) for x in leaves]
        for ct, n in zip(cts, nodes, strict=True):
            if ct is not None and ct.shape != n.aval.shape and n.dtype.kind in "fc":
                raise ValueError(
                    f"{name} must produce cotangents of the arguments' shapes: expected {n.aval}, got {ct.aval}."
                )
        return [ct if n.dtype.kind in "fc" else None for ct, n in zip(cts, nodes, strict=True)]


def checkpoint(
    fun: Callable[..., Any],
    *,
    prevent_cse: bool = True,
    policy: Any = None,
    static_argnums: Numbers = (),
    static_argnames: str | Sequence[str] = (),
    concrete: Any = None,
) -> Callable[..., Any]:
    """`fun`, whose intermediate values are computed again for its derivative instead of being kept: less memory, more time. Also called `remat`.

    `policy` (see `weft.checkpoint_policies`) says which are kept all the same. Without `prevent_cse` nothing keeps the second computation apart from the first, should both be
    in one program. `static_argnums` and `static_argnames` are arguments that are Python values to the function.
    """
    check_callable(fun, "checkpoint")
    if concrete is not None:
        raise NotImplementedError(
            "checkpoint: the option concrete is deprecated; use static_argnums and static_argnames"
        )
    if policy is not None:
        check_callable(policy, "checkpoint's policy")
    static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = {static_argnames} if isinstance(static_argnames, str) else set(static_argnames)

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if wrong := [i for i in static if not -len(args) <= i < len(args)]:
            raise ValueError(
                f"checkpoint: static_argnums={static} of {describe_function(fun)} names the arguments {wrong}, but only {len(args)} were given by position"
            )
        places = {i % len(args) for i in static}
        fixed = {i: a for i, a in enumerate(args) if i in places}
        dynamic = [a for i, a in enumerate(args) if i not in places]
        named = {k: v for k, v in kwargs.items() if k in names}
        leaves, tree = tree_flatten((dynamic, {k: v for k, v in kwargs.items() if k not in names}))
        nodes = [lift(x) for x in leaves]
        if STATE.pending is not None and not mark_of(nodes):
            return tree_map(lambda x: wrap(lift_result(x, fun)), fun(*args, **kwargs))
        run = OnNodes(lambda dynamic, kwargs: fun(*_merged(fixed, dynamic), **kwargs, **named), tree)
        graph, captures = traced(run, nodes)
        outs = CheckpointCall.bind(*nodes, *captures, graph=graph, policy=policy, barrier=bool(prevent_cse))
        return run.out_tree.unflatten([wrap(n) for n in handed_on(outs, run.out_tree.num_leaves)])

    update_wrapper(checkpointed, fun, updated=())
    return checkpointed


remat = checkpoint


def closure_convert(fun: Callable[..., Any], *example_args: Any) -> tuple[Callable[..., Any], list[Array]]:
    """`(converted, consts)`: the function of `(*args, *consts)` that `fun` is of `args` like the examples, and the traced floats that it closes over.

    For rules of custom derivatives that take functions: what a closure captures is then an argument, by which it can be differentiated.
    """
    check_callable(fun, "closure_convert")
    leaves, tree = tree_flatten(example_args)
    run = OnNodes(fun, tree)
    with transform() as mark, Chain(leaf(TOKEN, mark=mark)) as effects:
        ins = [leaf(lift(x).aval, mark=mark) for x in leaves]
        outs = run(*ins)
        graph, captures = close([*ins, effects.start], [*outs, *effects.made], since=mark)
    hoisted = [n for n in captures if n.dtype.kind in "fc" and mark_of((n,))]

    def converted(*args: Any) -> Any:
        given, consts = args[: len(example_args)], args[len(example_args) :]
        values = dict(zip(hoisted, (lift(x) for x in consts), strict=True))
        made = inline(
            graph, [*(lift(x) for x in tree_flatten(given)[0]), current(), *(values.get(n, n) for n in captures)]
        )
        return run.out_tree.unflatten([wrap(n) for n in handed_on(made, len(outs))])

    return converted, [wrap(n) for n in hoisted]


def custom_gradient(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a reverse derivative that it makes itself: `fun(*args)` gives `(out, vjp)`, where `vjp(cotangent)` gives the cotangents of the arguments (a tuple; of one argument, it alone will do)."""
    check_callable(fun, "custom_gradient")

    @custom_vjp
    def wrapped(*args: Any) -> Any:
        return fun(*args)[0]

    def fwd(*args: Any) -> tuple[Any, Any]:
        out, rule = fun(*args)
        converted, consts = closure_convert(rule, tree_map(lambda x: wrap(zeros(lift(x))), out))
        return out, Partial(lambda consts, ct: _ruled(converted, len(args), consts, ct), consts)

    def bwd(rule: Any, ct: Any) -> Any:
        return rule(ct)

    wrapped.defvjp(fwd, bwd)
    update_wrapper(wrapped, fun, updated=())
    return wrapped


def _ruled(converted: Callable[..., Any], count: int, consts: Sequence[Array], ct: Any) -> Any:
    found = converted(ct, *consts)
    return found if count != 1 or isinstance(found, (tuple, list)) else (found,)


def traced(run: OnNodes, nodes: Sequence[Node]) -> tuple[Graph, list[Node]]:
    """A function on nodes as a graph, traced on wrapped arguments, so that their values can be read; and what it captured.

    If it calls the host for its effect, the last of the captures is a token, and so is the graph's last result.
    """
    with transform() as mark, Chain(leaf(TOKEN, mark=mark)) as effects:
        ins = [wrap_node(n, mark) for n in nodes]
        outs = run(*ins)
        graph, captures = close(ins, [*outs, *effects.made], since=mark)
    start = effects.start
    if start in captures:
        captures.remove(start)
        graph = Graph([*ins, *captures, start], graph.outs)
        captures = [*captures, current()]
    return graph, captures


@contextmanager
def calling(graph: Graph, out_tree: PyTreeDef, args: Sequence[Node]) -> Generator[Callable[[], list[Node]]]:
    """A rule runs in the place of a function. Gives what tells the token that the rule's calls have led to, if the function has one among its results."""
    if len(graph.outs) == out_tree.num_leaves:
        yield list
    else:
        with Chain(args[-1]) as effects:
            yield lambda: [effects.last]


def _merged(fixed: dict[int, Any], dynamic: Sequence[Any]) -> list[Any]:
    """All arguments in order."""
    rest = iter(dynamic)
    return [fixed[i] if i in fixed else next(rest) for i in range(len(fixed) + len(dynamic))]

"""Calls of the host from within a program: `pure_callback`, `io_callback`, and what `weft.debug` makes of them.

A callback is a node. Where its arguments have values (eagerly, and in what a derivative runs) it is called on the spot. Where they have none (under `jit`, `vmap`) the node waits;
a program that has such nodes is cut there (`cut`): what is computed before a call is one program, what needs its results another, and the host calls in between, in the order
of the source. Calls for their effect alone give a token, a result that nobody reads: `jit` and `vmap` collect tokens (`collecting`), so that no call is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from weft import eager
from weft.array import Array, lift, wrap
from weft.backends.base import Executable
from weft.devices import Device, current_device, get_device
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import STATE, Aval, IdentityOp, Node, ResultOp, aval, computed, make, mark_of, results
from weft.dialects.array.op import batch_front
from weft.dialects.array.walks import with_axis
from weft.dialects.dtypes import bool_
from weft.function import check_callable
from weft.host import canonical, pack
from weft.tree_util import PyTreeDef, tree_flatten, tree_map

TOKEN = aval((), bool_)
"""What a call for its effect gives."""

Function = Callable[[Sequence[Array]], Sequence[Any]]
"""A callback without pytrees: arrays to what becomes arrays of the promised types."""


class HostCall:
    """A call of the host. Parameters: `run` (a Function), `outs` (avals of its results), `batching` (how `vmap` is done; None for not at all), `what` (its name for errors).

    The last result is a token.
    """

    name = "host_call"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(
        cls, *args: Node, run: Function, outs: tuple[Aval, ...], batching: str | None, what: str
    ) -> tuple[Node, ...]:
        node = make(cls, args, {"run": run, "outs": outs, "batching": batching, "what": what}, (*outs, TOKEN))
        made = results(node)
        if STATE.pending is not None and not any(eager.is_traced(n) for n in args):
            device = current_device() if node.device is None else get_device(node.device)
            arrays = [Array(computed(n.aval, eager.value(n), node.device)) for n in args]
            for n, buffer in zip(made, _called(run, outs, what, arrays, device), strict=True):
                n.value = buffer
        return made

    @classmethod
    def create(cls, **_: Any) -> Any:
        """There is no op of the IR: a program is cut before it is written down."""
        raise no_place()

    @classmethod
    def jvp(cls, primals: Any, tangents: Any, out: Any, *, what: str, **params: Any) -> Any:
        if not params["outs"]:
            return [None]
        raise ValueError(
            f"{what} does not support JVP: the host's function has no derivative. Give it one by weft.custom_jvp or weft.custom_vjp around it."
        )

    @classmethod
    def batch(
        cls,
        size: int,
        args: Sequence[Node],
        dims: Sequence[int | None],
        *,
        run: Function,
        outs: Any,
        batching: Any,
        what: str,
    ) -> Any:
        if batching is None:
            raise NotImplementedError(
                f"{what} is only supported under vmap with a vmap_method: 'sequential', 'expand_dims' or 'broadcast_all'."
            )
        if batching == "refused":
            raise ValueError(f"Cannot vmap {what} with ordered=True.")
        mapped = [d is not None for d in dims]
        if batching == "broadcast_all":
            given, function = [batch_front(size, a, d) for a, d in zip(args, dims, strict=True)], run
        else:
            given = [a if d is None else batch_front(size, a, d) for a, d in zip(args, dims, strict=True)]
            function = (
                _expanded(run, mapped) if batching == "expand_dims" else _one_by_one(run, mapped, size, len(outs))
            )
        batched = tuple(with_axis(a, 0, size) for a in outs)
        made = cls.bind(*given, run=function, outs=batched, batching=batching, what=what)
        return made, [*(0 for _ in outs), None]


def _expanded(run: Function, mapped: Sequence[bool]) -> Function:
    """What is the same for all has an axis of size 1 in front."""
    return lambda arrays: run([a if m else a[None] for a, m in zip(arrays, mapped, strict=True)])


def _one_by_one(run: Function, mapped: Sequence[bool], size: int, outs: int) -> Function:
    """A call for each example, and the results stacked."""

    def each(arrays: Sequence[Array]) -> Sequence[Any]:
        import weft.numpy as wnp

        found = [run([a[i] if m else a for a, m in zip(arrays, mapped, strict=True)]) for i in range(size)]
        return [wnp.stack([wnp.asarray(r[k]) for r in found]) for k in range(outs)]

    return each


def _called(run: Function, outs: Sequence[Aval], what: str, args: Sequence[Array], device: Device) -> list[Any]:
    """The buffers of the results, and of the token. Raises RuntimeError if they are not what was promised."""
    found = run(args)
    buffers = []
    for given, a in zip(found, outs, strict=True):
        node = lift(given)
        if node.shape != a.shape or (node.dtype is not a.dtype and not node.aval.weak_type):
            raise RuntimeError(
                f"{what}: the callback returned an array of type {node.aval}, but result_shape_dtypes promised {a}."
            )
        node = wrap(node).astype(a.dtype)._node
        eager.value(node)
        buffers.append(eager.upload(node, device))
    buffers.append(device.backend.put(pack(False, bool_), TOKEN))
    return buffers


# -- tokens -------------------------------------------------------------------------------------------------------------------------------


class _Tokens(threading.local):
    def __init__(self) -> None:
        self.collected: list[Node] | None = None


_TOKENS = _Tokens()


@contextmanager
def collecting() -> Generator[list[Node]]:
    """The tokens of the calls for effect that are met within."""
    outer, _TOKENS.collected = _TOKENS.collected, []
    try:
        yield _TOKENS.collected
    finally:
        _TOKENS.collected = outer


def keep(tokens: Sequence[Node]) -> None:
    """Calls for effect that have been bound: they are made now, or belong to the program that is being traced. Raises NotImplementedError where they can be neither."""
    for token in tokens:
        if not eager.is_traced(token) and STATE.pending is not None:
            eager.value(token)
        elif _TOKENS.collected is not None:
            _TOKENS.collected.append(token)
        else:
            raise no_place()


def no_place() -> NotImplementedError:
    """The error for a call in a function that no program is cut in."""
    return NotImplementedError(
        "a callback (debug.print, debug.callback, io_callback, pure_callback) stands in the body of a loop or a branch: a program is cut at callbacks, but not within "
        "these. Under weft.disable_jit() loops run in Python."
    )


# -- programs with calls ------------------------------------------------------------------------------------------------------------------


def has_calls(graph: Graph) -> bool:
    """Whether the host is called in between."""
    return any(n.op is HostCall for n in graph.nodes)


class CutProgram(Executable):
    """A graph with calls, as programs and the calls between them. Stage k is what needs the results of k calls."""

    def __init__(self, graph: Graph, device: Device, donate: tuple[int, ...]):
        self.graph, self.device, self.donate, self.stages = graph, device, donate, {}
        self.calls = [n for n in graph.nodes if n.op is HostCall]
        order = {n: k for k, n in enumerate(self.calls)}
        stage: dict[Node, int] = dict.fromkeys(graph.ins, 0)
        for n in graph.nodes:
            stage[n] = order[n] + 1 if n in order else max((stage[i] for i in n.inputs), default=0)
        inputs = set(graph.ins)
        last = len(self.calls) + 1
        crossing: list[dict[Node, None]] = [{} for _ in range(last)]  # what each stage gives to later ones
        needed: list[dict[Node, None]] = [{} for _ in range(last)]  # what each takes from earlier ones
        consumers = [(n, order[n] + 1 if n in order else stage[n]) for n in graph.nodes]
        for n, when in consumers:
            for i in map(self._source, n.inputs):
                self._hand_over(i, stage, when, n in order, inputs, crossing, needed)
        for o in map(self._source, graph.outs):
            self._hand_over(o, stage, last, True, inputs, crossing, needed)
        self.parts = [
            (list(take), list(give), self._program(list(take), list(give)))
            for take, give in zip(needed, crossing, strict=True)
        ]

    def _source(self, n: Node) -> Node:
        while n.op is IdentityOp and n not in self.graph.ins:
            n = n.inputs[0]
        return n

    def _hand_over(
        self, i: Node, stage: Any, when: int, by_host: bool, inputs: set[Node], crossing: Any, needed: Any
    ) -> None:
        """A value that is used at stage `when`, or by the host before it: from the stage that makes it to the one that takes it."""
        made = _of_call(i)
        if not by_host and (i in inputs or made or (stage[i] < when and i.inputs)):
            needed[when][i] = None
        if i not in inputs and not made and (by_host or (stage[i] < when and i.inputs)):
            crossing[stage[i]][i] = None

    def _program(self, take: list[Node], give: list[Node]) -> Executable | None:
        from weft.programs import program

        return program(Graph(take, give), self.device) if give else None

    def __call__(self, args: Sequence[Any]) -> list[Any]:
        values: dict[Node, Any] = dict(zip(self.graph.ins, args, strict=True))
        for k, (take, give, part) in enumerate(self.parts):
            if part is not None:
                values.update(zip(give, part([values[n] for n in take]), strict=True))
            if k < len(self.calls):
                self._call(self.calls[k], values)
        outs = [values[self._source(o)] for o in self.graph.outs]
        for i in self.donate:
            args[i].delete()
        return outs

    def _call(self, call: Node, values: dict[Node, Any]) -> None:
        given = [Array(computed(n.aval, values[self._source(n)], None)) for n in call.inputs]
        params = call.params
        buffers = _called(params["run"], params["outs"], params["what"], given, self.device)
        for n in self.graph.nodes:
            if n.op is ResultOp and n.inputs[0] is call:
                values[n] = buffers[n.params["index"]]


def _of_call(n: Node) -> bool:
    return n.op is ResultOp and n.inputs[0].op is HostCall


# -- for users ----------------------------------------------------------------------------------------------------------------------------

METHODS = ("sequential", "sequential_unrolled", "expand_dims", "broadcast_all")


def _avals(shapes: Any) -> tuple[tuple[Aval, ...], PyTreeDef]:
    leaves, tree = tree_flatten(shapes)
    return tuple(aval(s.shape, canonical(s.dtype)) for s in leaves), tree


def bind_call(
    callback: Callable[..., Any], shapes: Any, args: Any, kwargs: Any, batching: str | None, what: str
) -> tuple[Any, Node]:
    """A call on pytrees: its results, and its token."""
    check_callable(callback, what)
    outs, out_tree = _avals(shapes)
    leaves, tree = tree_flatten((args, kwargs))

    def run(arrays: Sequence[Array]) -> Sequence[Any]:
        args, kwargs = tree.unflatten(arrays)
        found = callback(*args, **kwargs)
        if not outs:
            return ()
        values, got = tree_flatten(found)
        if got != out_tree:
            raise RuntimeError(
                f"{what}: the callback returned the structure {got}, but result_shape_dtypes promised {out_tree}."
            )
        return values

    *made, token = HostCall.bind(*(lift(x) for x in leaves), run=run, outs=outs, batching=batching, what=what)
    return out_tree.unflatten([wrap(n) for n in made]), token


def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """`callback(*args, **kwargs)` on the host, from within any program; its results have the shapes and dtypes of `result_shape_dtypes` (a pytree of ShapeDtypeStructs or arrays).

    The callback must be pure: it may be called more often than it stands there, or not at all. It is given arrays. `vmap_method`: None (refused under vmap), "sequential" (once for
    each example), "expand_dims" or "broadcast_all" (once for all, with a leading axis). Raises ValueError where it is differentiated.
    """
    if vmap_method is not None and vmap_method not in METHODS:
        raise ValueError(f"vmap_method must be on of the allowed methods {', '.join(METHODS)}, but got: {vmap_method}")
    return bind_call(callback, result_shape_dtypes, args, kwargs, vmap_method, "pure_callback")[0]


def io_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    ordered: bool = False,
    **kwargs: Any,
) -> Any:
    """`callback(*args, **kwargs)` on the host, called exactly as often as the program says, for its effect and its results. Callbacks keep their order, `ordered` or not.

    Under vmap it is called for each example, or (ordered) refused by ValueError; so is differentiating it.
    """
    found, token = bind_call(
        callback, result_shape_dtypes, args, kwargs, "refused" if ordered else "sequential", "io_callback"
    )
    keep([token])
    return found


def effects_barrier() -> None:
    """Waits until all callbacks of what has been called are done: they are when a program returns."""
    eager.flush()


def debug_call(callback: Callable[..., Any], args: Any, kwargs: Any, ordered: bool) -> None:
    """A call without results: on the primal values under a derivative, for each example under vmap."""
    args, kwargs = tree_map(_stopped, (args, kwargs))
    _, token = bind_call(callback, (), args, kwargs, "refused" if ordered else "sequential", "debug_callback")
    keep([token])


def _stopped(x: Any) -> Any:
    """The value of an argument, without what a derivative would want of it."""
    from weft.lax import stop_gradient

    return stop_gradient(x) if isinstance(x, Array) and mark_of((x._node,)) else x

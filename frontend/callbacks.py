"""Calls of the host from within a program: `pure_callback`, `io_callback`, and what `weft.debug` makes of them.

A callback is a node. Where its arguments have values (eagerly, and in what a derivative runs) it is called on the spot. Where they have none (under `jit`, `vmap`, in a loop) the node waits, and a
program that has such nodes is cut there (cut.py). Calls for their effect take a token and give the next one (dialects/array/effects.py): so none is lost, none is made twice, and they keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects.builtin import StringAttr, UnregisteredOp
from xdsl.ir import Attribute, Operation

from weft import eager
from weft.array import Array, lift, wrap
from weft.devices import Device, current_device, get_device
from weft.dialects.array.effects import PLACES, TOKEN, current, handed_on, perform
from weft.dialects.array.node import STATE, Aval, Node, aval, computed, make, mark_of, results
from weft.dialects.array.op import batch_front
from weft.dialects.array.walks import with_axis
from weft.function import check_callable
from weft.host import canonical, pack
from weft.tree_util import PyTreeDef, tree_flatten, tree_map

Function = Callable[[Sequence[Array]], Sequence[Any]]
"""A callback without pytrees: arrays to what becomes arrays of the promised types."""


class HostCall:
    """A call of the host. Parameters: `run` (a Function), `outs` (avals of its results), `batching` (how `vmap` is done; None for not at all), `what` (its name for errors), and whether
    it is made for its `effect` ("debug", or "once" if it may never be repeated; "" if not): its last input is a token then, and so is its last result.
    """

    name = "host_call"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(
        cls, *args: Node, run: Function, outs: tuple[Aval, ...], batching: str | None, what: str, effect: str
    ) -> tuple[Node, ...]:
        params = {"run": run, "outs": outs, "batching": batching, "what": what, "effect": effect}
        node = make(cls, args, params, (*outs, TOKEN) if effect else outs)
        made = results(node)
        # what waits for a call that has not been made (one of a loop under a derivative) waits with it
        if STATE.pending is not None and current().value is not None and not any(eager.is_traced(n) for n in args):
            device = current_device() if node.device is None else get_device(node.device)
            arrays = [Array(computed(n.aval, eager.value(n), node.device)) for n in args]
            node.value = tuple(call(node, arrays, device))
            for n, buffer in zip(made, node.value, strict=True):
                n.value = buffer
        return made

    @classmethod
    def properties_of(cls, params: dict[str, Any]) -> dict[str, Attribute]:
        """What kind of call it is, whom it calls, and whether for the effect."""
        effect = {"effect": StringAttr(params["effect"])} if params["effect"] else {}
        return {"what": StringAttr(params["what"]), "callback": StringAttr(params["run"].__name__), **effect}

    @classmethod
    def create(cls, **parts: Any) -> Operation:
        """An op to look at, which no dialect has: a program is cut before it is compiled."""
        return UnregisteredOp.with_name("array.host_call").create(**parts)

    @classmethod
    def transpose(cls, *_: Any, what: str, **params: Any) -> Any:
        """There is none: what the host does is not known to be linear."""
        raise NotImplementedError(f"Transpose rule (for reverse-mode differentiation) for '{what}' not implemented")

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
        effect: str,
    ) -> Any:
        if batching is None:
            raise NotImplementedError(
                f"{what} is only supported under vmap with a vmap_method: 'sequential', 'expand_dims' or 'broadcast_all'."
            )
        if batching == "refused":
            raise ValueError(f"Cannot vmap {what} with ordered=True.")
        token = [args[-1]] if effect else []  # batched or not: what counts is who waits for whom
        args, dims = args[: len(args) - len(token)], dims[: len(dims) - len(token)]
        mapped = [d is not None for d in dims]
        if batching == "broadcast_all":
            given, function = [batch_front(size, a, d) for a, d in zip(args, dims, strict=True)], run
        else:
            given = [a if d is None else batch_front(size, a, d) for a, d in zip(args, dims, strict=True)]
            function = (
                _expanded(run, mapped) if batching == "expand_dims" else _one_by_one(run, mapped, size, len(outs))
            )
        batched = tuple(with_axis(a, 0, size) for a in outs)
        made = cls.bind(*given, *token, run=function, outs=batched, batching=batching, what=what, effect=effect)
        return made, [*(0 for _ in outs), *(None for _ in token)]


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


def call(node: Node, args: Sequence[Array], device: Device) -> list[Any]:
    """Calls the host: the buffers of a node's results. Raises RuntimeError if they are not what was promised."""
    outs, what = node.params["outs"], node.params["what"]
    tokens = 1 if node.params["effect"] else 0
    found = node.params["run"](args[: len(args) - tokens])
    buffers = []
    for given, a in zip(found, outs, strict=True):
        n = lift(given)
        if n.shape != a.shape or (n.dtype is not a.dtype and not n.aval.weak_type):
            raise RuntimeError(
                f"{what}: the callback returned an array of type {n.aval}, but result_shape_dtypes promised {a}."
            )
        n = wrap(n).astype(a.dtype)._node
        eager.value(n)
        buffers.append(eager.upload(n, device))
    return buffers + [device.backend.put(pack(False, TOKEN.dtype), TOKEN)] * tokens


def _perform(token: Node) -> None:
    if eager.is_traced(token):
        raise NotImplementedError(PLACES)
    eager.value(token)


perform.append(_perform)

# -- for users ----------------------------------------------------------------------------------------------------------------------------

METHODS = ("sequential", "sequential_unrolled", "expand_dims", "broadcast_all")


def _avals(shapes: Any) -> tuple[tuple[Aval, ...], PyTreeDef]:
    leaves, tree = tree_flatten(shapes)
    return tuple(aval(s.shape, canonical(s.dtype)) for s in leaves), tree


def _bind(
    callback: Callable[..., Any], shapes: Any, args: Any, kwargs: Any, batching: str | None, what: str, effect: str
) -> Any:
    """A call on pytrees: its results."""
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

    run.__name__ = getattr(callback, "__name__", type(callback).__name__)
    nodes = [lift(x) for x in leaves]
    if effect:
        nodes.append(current())
    made = HostCall.bind(*nodes, run=run, outs=outs, batching=batching, what=what, effect=effect)
    return out_tree.unflatten([wrap(n) for n in handed_on(made, len(outs))])


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
    return _bind(callback, result_shape_dtypes, args, kwargs, vmap_method, "pure_callback", effect="")


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
    batching = "refused" if ordered else "sequential"
    return _bind(callback, result_shape_dtypes, args, kwargs, batching, "io_callback", effect="once")


def effects_barrier() -> None:
    """Waits until all callbacks of what has been called are done: they are when a program returns."""
    eager.flush()


def debug_call(callback: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """A call without results: on the primal values under a derivative, for each example under vmap. Calls keep their order."""
    args, kwargs = tree_map(_stopped, (args, kwargs))
    _bind(callback, (), args, kwargs, "sequential", "debug_callback", effect="debug")


def _stopped(x: Any) -> Any:
    """The value of an argument, without what a derivative would want of it."""
    from weft.lax import stop_gradient

    return stop_gradient(x) if isinstance(x, Array) and mark_of((x._node,)) else x

"""Lazy eager mode: what is computed outside of `jit` waits, and runs fused.

`bind` puts every node that no transform waits for on a list (`STATE.pending`). When somebody reads a value, or when enough has gathered, everything on the list that a user
still holds (`node.holders`) is computed by one program; the rest are intermediates of it. A node that was computed forgets its inputs, unless a transform that lives still has
to walk through it.

An error belongs to who reads: a flush that nobody asked for never raises, it leaves the nodes as they are.
"""

from __future__ import annotations

from cmath import isinf, isnan
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from weft.config import config
from weft.devices import Device, current_device, get_device
from weft.dialects.array.graph import Graph, close, programs
from weft.dialects.array.node import STATE, Aval, IdentityOp, LeafOp, Node, mark_of
from weft.dialects.array.walks import differentiable
from weft.errors import ConcretizationTypeError, JAXTypeError, concretization, differentiated, leaked, place
from weft.host import pack, unpack
from weft.programs import recent_program

GATHER = 64
"""How many nodes wait before they run by themselves."""

SCALARS = frozenset({bool, int, float, complex})
_history: list[Node] = []  # computed while a transform lived: their inputs are let go later


def value(node: Node, what: str = "Attempted reading", kind: type[JAXTypeError] = ConcretizationTypeError) -> Any:
    """The device's buffer of a node, computed now if it has not been. Raises `kind` or UnexpectedTracerError for a traced node, RuntimeError for a deleted one."""
    found = node.value
    if found is None:
        root = _root(node)
        if root.value is None:
            if (source := argument(root)) is not None:
                raise concretization(kind, what, node, source) if source.mark in STATE.live else leaked(node, source)
            flush([root])
        node.value = found = root.value
    if found.__class__ in SCALARS:
        return upload(node, get_device(node.device) if node.device is not None else current_device())
    if found.is_deleted:  # type: ignore[union-attr]
        raise RuntimeError(f"Array has been deleted with shape={node.aval}.")
    return found


def upload(node: Node, device: Device) -> Any:
    """A buffer with a node's value for a program of `device`: its own if it is there, else a copy; one for a Python scalar."""
    found = node.value
    if found.__class__ in SCALARS:
        return device.backend.put(pack(found, node.aval.dtype), node.aval)
    if found.device != device:
        return device.backend.put(host_bytes(found, node.aval), node.aval)
    return found


def host_bytes(buffer: Any, a: Aval) -> memoryview:
    """The bytes of a buffer, wherever it is."""
    return get_device(buffer.device).backend.get(buffer, a)


def argument(node: Node) -> Node | None:
    """The argument without a value that a node depends on, if it is traced."""
    _, captures = close((), (node,))
    return next((n for n in captures if n.value is None), None)


def is_traced(node: Node) -> bool:
    """Whether the node has no value that could be computed now."""
    return node.value is None and argument(node) is not None


def refuse_differentiated(node: Node, what: str, kind: type[JAXTypeError]) -> None:
    """Raises `kind` if a derivative that is being taken goes through the node. Its value is there, but who computes with it outside of weft computes with a constant."""
    seen = {node}
    way = [node]
    while way:
        n = way.pop()
        if n.mark not in STATE.live or not differentiable(n):
            continue
        if n.op is IdentityOp:  # an argument of a transform
            raise differentiated(kind, what, node)
        way += [i for i in n.inputs if i not in seen]
        seen.update(n.inputs)


def gathered() -> None:
    """Enough waits: runs it. What fails is left to fail when it is read."""
    with suppress(Exception):
        flush()


def flush(wanted: Sequence[Node] = ()) -> None:
    """Computes what waits, and `wanted` in any case."""
    pending = STATE.pending
    outs = list(wanted)
    if pending:
        STATE.pending = []
        outs += [n for n in pending if n.holders and n.value is None and n.aval.__class__ is Aval]
    if not outs:
        return
    for device, nodes in _by_device(dict.fromkeys(outs)):
        try:
            _run(nodes, device)
        except FloatingPointError:  # it is what the user asked for
            raise
        except Exception:
            here = [n for n in nodes if n in wanted]
            if len(here) == len(nodes) or not here:
                raise
            _run(here, device)
    if _history:
        _history[:] = [n for n in _history if not _forget(n)]


def _by_device(nodes: Iterable[Node]) -> list[tuple[Device, list[Node]]]:
    groups: dict[Device, list[Node]] = {}
    default = current_device()
    for n in nodes:
        groups.setdefault(default if n.device is None else get_device(n.device), []).append(n)
    return list(groups.items())


def _run(outs: Sequence[Node], device: Device) -> None:
    """Computes nodes."""
    _, captures = close((), outs)
    if any(n.value is None for n in captures):  # a traced value has escaped; whoever reads what depends on it is told
        outs = [n for n in outs if argument(n) is None]
        _, captures = close((), outs)
    roots = {n: _root(n) for n in outs}
    graph = Graph(captures, list(dict.fromkeys(r for r in roots.values() if r.value is None)))
    if graph.outs:
        scalars: dict[Any, Any] = {}  # one buffer for equal ones
        buffers = []
        for n in captures:
            value = n.value
            if value.__class__ in SCALARS:
                key = (n.aval.dtype, repr(value))
                if (value := scalars.get(key)) is None:
                    value = scalars[key] = upload(n, device)
            elif value.device != device:
                value = upload(n, device)
            buffers.append(value)
        run = recent_program(graph, device)
        if run.calls_host:
            from weft.cut import make_calls

            if make_calls(graph, device, recent_program):  # once: whoever else needs them finds what they gave
                return _run(outs, device)
        results = run(buffers)
        for n, buffer in zip(graph.outs, results, strict=True):
            n.value = buffer
        if config.debug_values:
            _check_outs(graph)
    for n, root in roots.items():
        n.value = root.value
        if not _forget(n):
            _history.append(n)


def _check_outs(graph: Graph) -> None:
    """Raises FloatingPointError if there is what the user does not want, and says which operation of the graph made it."""
    from weft.blame import blame

    try:
        for n in graph.outs:
            check_values(n)
    except FloatingPointError:
        if sum(bool(n.inputs) for n in graph.nodes) > 1 or any(map(programs, graph.nodes)):
            blame(graph, graph.ins)
        raise


def _root(n: Node) -> Node:
    """The node that a wrapped one is equal to."""
    while n.op is IdentityOp and n.value is None:
        n = n.inputs[0]
    return n


def _forget(n: Node) -> bool:
    """Makes a computed node a leaf, unless a transform still has to see where it comes from.

    What a function's graph has inside stays what it is: the graph must not find a leaf there. So does a node without inputs, which holds on to nothing, and which any graph may have inside (`close`
    takes constants and the like for no captures).
    """
    if n.mark and mark_of((n,)):
        return False
    if n.inside or not n.inputs:
        return True
    n.op, n.inputs, n.params = LeafOp, (), {}
    return True


def check_values(node: Node, made_by: Node | None = None) -> None:
    """Raises FloatingPointError if a computed float array has a NaN (under `debug_nans`) or an infinity (`debug_infs`); `made_by` is the node to name, if it is not the array's own."""
    if node.aval.dtype.kind not in "fc":
        return
    elements = unpack(host_bytes(value(node), node.aval), node.aval)
    for word, wanted, is_bad in (("nan", config.debug_nans, isnan), ("inf", config.debug_infs, isinf)):
        if wanted and any(map(is_bad, elements)):
            source = made_by or node
            name = source.op.name.removeprefix("array.")
            raise FloatingPointError(f"invalid value ({word}) encountered in {name}, made at {place(source.loc)}")


_STATE_TYPE = type(STATE)
_STATE_TYPE.lazy = True
STATE.pending = []

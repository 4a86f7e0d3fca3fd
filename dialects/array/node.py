"""Values that remember how they were made: the graph that transforms walk and that `stage` writes down as IR.

An array that a program computes is a `Node`: an operation, its inputs, its parameters. There are no trace levels. A transform wraps its arguments (`wrap`), runs the
function, and walks the nodes that came out of it; two integers replace levels:

- `serial`, the order of creation, is a topological order: it sorts walks and bounds them, and tells a captured value (older than the transform) from a computed one;
- `mark` is the serial of the *outermost live* transform that a node depends on, or 0 for none. A node with no mark is eager: it may be computed at any time.

Everything here is on the way of every operation that a user writes, so it is written for speed: `bind` costs one to two microseconds.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import count
from math import prod
from typing import Any

from weft.dialects.dtypes import DType, as_dtype


class Aval:
    """What is known of an array before it is computed: shape, dtype, and whether the dtype is weak (a Python scalar's). Interned by `aval`: compare with `is`."""

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: tuple[int, ...], dtype: DType, weak_type: bool):
        self.shape, self.dtype, self.weak_type = shape, dtype, weak_type

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]{weak}"

    __str__ = __repr__

    def __reduce__(self):
        return (aval, (self.shape, self.dtype, self.weak_type))


_avals: dict[tuple[tuple[int, ...], DType, bool], Aval] = {}


def aval(shape: Iterable[int], dtype: object, weak_type: bool = False) -> Aval:
    """The one Aval of this shape, dtype and weakness."""
    shape, dtype = tuple(shape), as_dtype(dtype)
    key = (shape, dtype, weak_type)
    found = _avals.get(key)
    return found if found is not None else _avals.setdefault(key, Aval(shape, dtype, weak_type))


class Node:
    """One operation that was applied: `op` (a class), `inputs`, `params`, and the `aval` of its result (a tuple of them if it has several).

    `value` is the device's buffer once it is computed (a Python scalar for one that the user wrote; a tuple of buffers for a call of the host that was made), `device` the name of the device that it is committed to: the one where
    the user put it, or an operand of it (None: whichever; it is computed on the default device, or follows what it meets), `holders` counts the user-facing arrays that stand for the node, `inside` says that a function's graph has it among its nodes, `loc` is the place in the user's program.
    """

    __slots__ = (
        "__weakref__",
        "aval",
        "device",
        "holders",
        "inputs",
        "inside",
        "loc",
        "mark",
        "op",
        "params",
        "serial",
        "value",
    )

    def __init__(
        self,
        op: Any,
        inputs: tuple[Node, ...],
        params: dict[str, Any],
        aval: Any,
        serial: int,
        mark: int,
        loc: Any,
        device: str | None = None,
    ):
        self.op, self.inputs, self.params, self.aval = op, inputs, params, aval
        self.serial, self.mark, self.loc, self.device = serial, mark, loc, device
        self.value: Any = None
        self.holders = 0
        self.inside = False

    @property
    def avals(self) -> tuple[Aval, ...]:
        """Those of the results, however many there are."""
        return (self.aval,) if self.aval.__class__ is Aval else self.aval

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> DType:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    def __repr__(self) -> str:
        inputs = " ".join(f"%{n.serial}" for n in self.inputs)
        return f"%{self.serial}:{self.aval} = {self.op.name}{f' {inputs}' if inputs else ''}"


# -- state: which transforms live, where we are -------------------------------------------------------------------------------------------


class _State(threading.local):
    """What `bind` looks at beside its arguments. One per thread."""

    lazy = False
    """Whether threads start with a list of pending nodes: the frontend wants them to, who traces by hand does not."""

    def __init__(self) -> None:
        self.live: set[int] = set()  # marks of the transforms that are running
        # The lazy eager mode's list: every node without a mark is put here. None while a program is traced to be compiled.
        self.pending: list[Node] | None = [] if self.lazy else None
        self.effects: Any = None  # the chain of tokens of what is being traced (effects.py)
        self.scopes: tuple[str, ...] = ()  # names that the user gave to where we are
        self.loc: Any = None  # while a walk derives nodes: the line of the node that they come from


STATE = _State()
_next_serial = count(1).__next__
_inferred: dict[tuple[Any, ...], Any] = {}


@contextmanager
def transform() -> Generator[int]:
    """A transform is running: gives its mark, live within. Nodes that `wrap` makes with it, and what is computed from them, are traced."""
    mark = _next_serial()
    live = STATE.live
    live.add(mark)
    try:
        yield mark
    finally:
        live.discard(mark)


@contextmanager
def staging() -> Generator[None]:
    """What is bound within belongs to a program that is being written: none of it is eager, nothing becomes pending."""
    state = STATE
    outer, effects = state.pending, state.effects
    state.pending = state.effects = None
    try:
        yield
    finally:
        state.pending, state.effects = outer, effects


@contextmanager
def keep_location() -> Generator[None]:
    """A walk sets `STATE.loc` to the place of each node that it derives others from; this restores it afterwards."""
    outer = STATE.loc
    try:
        yield
    finally:
        STATE.loc = outer


def mark_of(inputs: Iterable[Node]) -> int:
    """The outermost live mark among nodes: the smallest, because inner transforms start later."""
    mark = 0
    for node in inputs:
        other = node.mark
        if other and (not mark or other < mark) and other in STATE.live:
            mark = other
    return mark


# -- making nodes -------------------------------------------------------------------------------------------------------------------------


def bind(op: Any, *inputs: Node, **params: Any) -> Any:
    """Applies an operation: a Node, or a tuple of them for an operation with several results.

    Raises what `op.infer` raises when shapes, dtypes or parameters do not fit (remembered otherwise, because programs repeat themselves).
    """
    avals = tuple([n.aval for n in inputs])
    key = (op, avals, tuple(params.items())) if params else (op, avals)
    out = _inferred.get(key)
    if out is None:
        out = _inferred[key] = op.infer(*avals, **params)
    node = make(op, inputs, params, out)
    return node if out.__class__ is Aval else results(node)


def rebind(node: Node, inputs: Iterable[Node]) -> Node:
    """The same operation on other inputs of the same avals, in the same place of the program: nothing is inferred again."""
    outer = STATE.loc
    STATE.loc = node.loc
    try:
        return make(node.op, tuple(inputs), node.params, node.aval)
    finally:
        STATE.loc = outer


def make(op: Any, inputs: tuple[Node, ...], params: dict[str, Any], out: Any) -> Node:
    """`bind` for those who know the result's aval: nothing is inferred, nothing remembered, several results stay in one node."""
    state = STATE
    mark, device = 0, None
    for n in inputs:
        other = n.mark  # mark_of, written out
        if other and (not mark or other < mark) and other in state.live:
            mark = other
        if (place := n.device) is not None and place is not device:
            device = place if device is None else _mixed(op, inputs)
    node = Node(op, inputs, params, out, _next_serial(), mark, state.loc or _caller(), device)
    if not mark and (pending := state.pending) is not None:
        pending.append(node)
    return node


def results(node: Node) -> tuple[Node, ...]:
    """The results of a node, one node each: the node itself, or ResultOp nodes that name the results of one with several."""
    if node.aval.__class__ is Aval:
        return (node,)
    made = [
        Node(ResultOp, (node,), {"index": i}, a, _next_serial(), node.mark, node.loc, node.device)
        for i, a in enumerate(node.aval)
    ]
    if not node.mark and (pending := STATE.pending) is not None:
        pending.extend(made)
    return tuple(made)


def _mixed(op: Any, inputs: Sequence[Node]) -> str:
    """Refuses operands on several devices."""
    operands = ", ".join(f"{n.aval} on '{n.device}'" for n in inputs if n.device is not None)
    target = next(n.device for n in reversed(inputs) if n.device is not None)
    name = op.name.removeprefix("array.")
    raise ValueError(
        f"{name}: operands are on different devices: {operands}. "
        f"Move them to one, for example by x.to('{target}') or weft.device_put(x, '{target}')."
    )


def leaf(aval: Aval, value: Any = None, mark: int = 0, device: str | None = None) -> Node:
    """A value that no operation made: a device buffer, or (without one) the place of an argument that a trace with `mark` will be given."""
    node = Node(LeafOp, (), {}, aval, _next_serial(), mark, STATE.loc or _caller(), device)
    node.value = value
    return node


def computed(aval: Aval, value: Any, device: str | None) -> Node:
    """A result of a program that has run: a leaf that belongs to no line."""
    node = Node(LeafOp, (), {}, aval, _next_serial(), 0, None, device)
    node.value = value
    return node


def wrap(node: Node, mark: int) -> Node:
    """The node under a transform of its own: equal to it and as readable, but the transform's walks start (or end) here."""
    made = Node(IdentityOp, (node,), {}, node.aval, _next_serial(), mark_of((node,)) or mark, node.loc, node.device)
    made.value = node.value
    return made


def settle(nodes: Iterable[Node]) -> None:
    """Results leave the transform that they were traced under: those that no transform waits for any more become pending."""
    pending = STATE.pending
    for node in nodes:
        if node.mark:
            node.mark = mark_of((node,))
            if not node.mark and pending is not None:
                pending.append(node)


# -- operations that are no arithmetic: they never become IR ops --------------------------------------------------------------------------


class LeafOp:
    """A value that was given: an argument, an array that the user made, a Python scalar. No inputs; `node.value` holds it."""

    name = "leaf"
    NOT_DIFFERENTIABLE = False


class IdentityOp:
    """Its input. A transform's arguments are wrapped in it, so that walks know where to stop; it disappears when a graph is staged."""

    name = "identity"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def infer(cls, x: Aval) -> Aval:
        return x

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Node], out: Node) -> Node:
        return tangents[0]

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool]) -> list[Node | None]:
        return [ct]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Sequence[int | None]) -> tuple[Node, int | None]:
        return args[0], dims[0]

    @staticmethod
    def reference(np: Any, x: Any) -> Any:
        return x


class ResultOp:
    """One of the results of a node that has several: `params["index"]` says which. Walks treat it themselves."""

    name = "result"
    NOT_DIFFERENTIABLE = False


# -- where in the user's program ----------------------------------------------------------------------------------------------------------

Location = tuple[Any, ...]
"""A code object, the offset of an instruction in it, and the names of the scopes around: cheap to take, decoded by `describe` only when somebody looks. (Nodes made from IR have
the IR's location.)"""

_scoped = 0  # how many scopes are open, in all threads: none most of the time, and then nobody asks for their names


@contextmanager
def scope(name: str) -> Generator[None]:
    """What is bound within has a name in its location."""
    global _scoped
    outer, STATE.scopes = STATE.scopes, (*STATE.scopes, name)
    _scoped += 1
    try:
        yield
    finally:
        _scoped -= 1
        STATE.scopes = outer


_is_ours: dict[str, bool] = {}


def _caller() -> Location | None:
    """The innermost frame outside of weft."""
    frame = sys._getframe(2)
    ours = _is_ours
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        inside = ours.get(module)
        if inside is None:
            inside = ours[module] = module == "weft" or module.startswith("weft.")
        if not inside:
            return (frame.f_code, frame.f_lasti, *STATE.scopes) if _scoped else (frame.f_code, frame.f_lasti)
        frame = frame.f_back
    return None


def describe(loc: Location) -> tuple[str, int, int]:
    """File, line and column (from 1) of a location."""
    code, offset = loc[:2]
    for index, (line, _, column, _) in enumerate(code.co_positions()):
        if index == offset // 2 and line is not None:
            return code.co_filename, line, (column or 0) + 1
    return code.co_filename, code.co_firstlineno, 1

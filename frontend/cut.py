"""Programs with calls of the host: cut there, into programs between the calls.

What is computed before a call is one program, what needs its results another, and the host calls in between. A loop or a branch with a call inside is a call as well: the host runs it, round by round,
by the very rule that says what it means (`reference`), on buffers of the device, and its body is such a program again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from weft import eager
from weft.array import Array
from weft.backends.base import Executable
from weft.callbacks import HostCall, call
from weft.devices import Device, get_device
from weft.dialects.array.graph import Graph, expand, programs
from weft.dialects.array.node import Aval, IdentityOp, Node, ResultOp, computed, results, staging
from weft.dialects.array.ops.control import CondOp, WhileOp
from weft.dialects.array.ops.scan import ScanOp


def has_calls(graph: Graph) -> bool:
    """Whether the host is called in between."""
    return any(map(calls, graph.nodes))


def calls(n: Node) -> bool:
    """Whether a node calls the host, itself or in a program that it holds."""
    called = n.params.get("graph")
    return n.op is HostCall or any(map(has_calls, (*programs(n), *([called] if isinstance(called, Graph) else ()))))


def with_slices_taken(graph: Graph, wanted: Callable[[Node], bool]) -> Graph:
    """The graph, where the bodies of scans that are to be run by the host take their slices themselves, and put their results in place."""
    with staging():
        return expand(graph, lambda n: n.op is ScanOp and ScanOp.composite(**n.params) and wanted(n))


class Body(NamedTuple):
    """A program of a loop or a branch, for rules that run it: `run(graph, values)`."""

    graph: Graph
    run: Callable[[Graph, Sequence[Any]], Sequence[Any]]

    @property
    def out_avals(self) -> tuple[Aval, ...]:
        return self.graph.out_avals

    def __call__(self, *values: Any) -> Sequence[Any]:
        return self.run(self.graph, values)


def course(
    n: Node,
    given: list[Any],
    run: Callable[[Graph, Sequence[Any]], Sequence[Any]],
    number: Callable[[Any, Aval], int],
) -> Sequence[Any]:
    """Runs a loop or a branch by its own rule, on values of any kind: `run` runs a program on them, `number` reads a scalar that decides what is run."""
    params = {k: _runnable(v, run) for k, v in n.params.items()}
    if n.op is WhileOp:
        asked: Graph = n.params["cond"]
        params["cond"] = lambda *values: [number(run(asked, values)[0], asked.out_avals[0])]
    if n.op is CondOp:
        given = [number(given[0], n.inputs[0].aval), *given[1:]]
    return n.op.reference(None, *given, **params)


def _runnable(value: Any, run: Any) -> Any:
    if value.__class__ is tuple:
        return tuple([_runnable(v, run) for v in value])
    return Body(value, run) if value.__class__ is Graph else value


class CutProgram(Executable):
    """A graph with calls. Stage k of it is what needs the results of k calls."""

    calls_host = True

    def __init__(self, graph: Graph, device: Device, donate: tuple[int, ...] = ()):
        graph = with_slices_taken(graph, calls)
        self.graph, self.device, self.donate = graph, device, donate
        self.calls = [n for n in graph.nodes if calls(n)]
        self._programs: dict[Graph, CutProgram] = {}
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
        self.parts = [(list(take), list(give)) for take, give in zip(needed, crossing, strict=True)]
        self._compiled: list[Executable | None] = [None] * last

    def _source(self, n: Node) -> Node:
        while n.op is IdentityOp and n not in self.graph.ins:
            n = n.inputs[0]
        return n

    def _hand_over(
        self, i: Node, stage: Any, when: int, by_host: bool, inputs: set[Node], crossing: Any, needed: Any
    ) -> None:
        """A value that is used at stage `when`, or by the host before it: from the stage that makes it to the one that takes it."""
        made = i.op is ResultOp and calls(i.inputs[0])
        if not by_host and (i in inputs or made or (stage[i] < when and i.inputs)):
            needed[when][i] = None
        if i not in inputs and not made and (by_host or (stage[i] < when and i.inputs)):
            crossing[stage[i]][i] = None

    def _part(self, k: int) -> Executable:
        """The program of a stage."""
        found = self._compiled[k]
        if found is None:
            from weft.programs import program

            found = self._compiled[k] = program(Graph(*self.parts[k]), self.device)
        return found

    def __call__(self, args: Sequence[Any]) -> list[Any]:
        values: dict[Node, Any] = dict(zip(self.graph.ins, args, strict=True))
        for k, (take, give) in enumerate(self.parts):
            if give:
                values.update(zip(give, self._part(k)([values[n] for n in take]), strict=True))
            if k < len(self.calls):
                self._call(self.calls[k], values)
        outs = [values[self._source(o)] for o in self.graph.outs]
        for i in self.donate:
            args[i].delete()
        return outs

    def _call(self, n: Node, values: dict[Node, Any]) -> None:
        given = [values[self._source(i)] for i in n.inputs]
        if n.op is HostCall:
            arrays = [Array(computed(i.aval, buffer, None)) for i, buffer in zip(n.inputs, given, strict=True)]
            buffers = call(n, arrays, self.device)
        else:
            buffers = course(n, given, self._run_body, self._number)
        for result in self.graph.nodes:
            if result.op is ResultOp and result.inputs[0] is n:
                values[result] = buffers[result.params["index"]]

    def _run_body(self, graph: Graph, buffers: Sequence[Any]) -> Sequence[Any]:
        found = self._programs.get(graph)
        if found is None:
            found = self._programs[graph] = CutProgram(graph, self.device)
        return found(buffers)

    def _number(self, buffer: Any, a: Aval) -> int:
        return int.from_bytes(self.device.backend.get(buffer, a), "little", signed=True)


def make_calls(graph: Graph, default: Device, run: Callable[[Graph, Device], Executable]) -> bool:
    """Makes the calls of an eager expression, one after the other; their nodes keep what they gave. Whether there were any."""
    found = [n for n in graph.nodes if calls(n)]
    for n in found:
        device = default if n.device is None else get_device(n.device)
        for i in n.inputs:
            eager.value(i)
        buffers = [eager.upload(i, device) for i in n.inputs]
        if n.op is HostCall:
            arrays = [Array(computed(i.aval, b, n.device)) for i, b in zip(n.inputs, buffers, strict=True)]
            n.value = tuple(call(n, arrays, device))
        else:
            ins = list(dict.fromkeys(n.inputs))
            n.value = tuple(run(Graph(ins, results(n)), device)([buffers[n.inputs.index(i)] for i in ins]))
    return bool(found)

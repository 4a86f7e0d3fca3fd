"""From a graph to a program of a device, remembered by structure.

Two graphs with the same key are one program, whoever traced them: `jit` called on a new lambda, or the same eager expression in each turn of a loop. Programs live as long as
somebody uses them: a `jit` that holds one, or the last few that eager expressions ran.
"""

from __future__ import annotations

import gc
import logging
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

from weft.backends.base import Executable
from weft.config import config
from weft.devices import Device
from weft.dialects.array.graph import Graph, expand
from weft.dialects.array.node import staging
from weft.dialects.array.stage import stage

RECENT = 512
"""How many programs of eager expressions are kept."""

_programs: WeakValueDictionary[Any, Executable] = WeakValueDictionary()
_recent: OrderedDict[Any, Executable] = OrderedDict()


def flat(graph: Graph) -> Graph:
    """The graph without calls: with the functions that they call in their places."""
    with staging():
        return expand(graph)


def program(graph: Graph, device: Device, donate: tuple[int, ...] = ()) -> Executable:
    """The compiled graph. Whoever gets it keeps it."""
    graph = flat(graph)
    key = (graph.key, device, donate)
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = _compiled(graph, device, donate)
    return found


def _compiled(graph: Graph, device: Device, donate: tuple[int, ...]) -> Executable:
    from weft.cut import CutProgram, has_calls  # written with arrays, which are written with programs

    if has_calls(graph):
        return CutProgram(graph, device, donate)
    if config.log_compiles:
        logging.getLogger("weft").warning(
            "Compiling a program of %d operations and %d arguments for %s", len(graph.nodes), len(graph.ins), device
        )
    with _without_collection():
        return device.backend.compile(stage(graph), donate, graph.key)


@contextmanager
def _without_collection() -> Generator[None]:
    """Compiling makes many objects that live until its end: the garbage collector, called on the way, would look at them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def recent_program(graph: Graph, device: Device) -> Executable:
    """The compiled graph of an eager expression. Nobody keeps it, so the last `RECENT` are kept here."""
    graph = flat(graph)
    key = (graph.key, device, ())
    found = _recent.get(key)
    if found is None:
        found = _recent[key] = _programs.get(key) or program(graph, device)
        if len(_recent) > RECENT:
            _recent.popitem(last=False)
    else:
        _recent.move_to_end(key)
    return found


def clear() -> None:
    """Forgets the programs that nobody else keeps."""
    _recent.clear()

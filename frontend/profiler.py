"""What happened when, on the host: spans that the user names, written down for Chrome's trace viewer and Perfetto.

`trace(log_dir)` (or `start_trace` and `stop_trace`) gathers the spans of `TraceAnnotation` and `annotate_function` and writes them to `log_dir` as JSON. A span that is to hold
the time of a computation must wait for it (`block_until_ready`): arrays are computed when they are read. Nothing is gathered, and hardly anything spent, while no trace runs.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ContextDecorator, contextmanager
from typing import Any

from weft.function import check_callable, named_after

__all__ = [
    "StepTraceAnnotation", "TraceAnnotation", "annotate_function", "device_memory_profile", "save_device_memory_profile",
    "start_trace", "stop_trace", "trace",
]  # fmt: skip


class _Trace:
    directory: str | None = None
    spans: list[dict[str, Any]]


_TRACE = _Trace()


def start_trace(log_dir: str | os.PathLike[str], **options: Any) -> None:
    """Begins to gather. Raises RuntimeError if a trace runs already. (JAX's options are accepted, and mean nothing.)"""
    if _TRACE.directory is not None:
        raise RuntimeError("Profile has already been started. Only one profile may be run at a time.")
    os.makedirs(log_dir, exist_ok=True)
    _TRACE.directory, _TRACE.spans = os.fspath(log_dir), []


def stop_trace() -> str:
    """Ends it, writes `weft.trace.json` to the directory, and gives its path. Raises RuntimeError if no trace runs."""
    if _TRACE.directory is None:
        raise RuntimeError("No profile started")
    path = os.path.join(_TRACE.directory, "weft.trace.json")
    _TRACE.directory, spans = None, _TRACE.spans
    with open(path, "w") as file:
        json.dump({"displayTimeUnit": "ms", "traceEvents": spans}, file)
    return path


@contextmanager
def trace(log_dir: str | os.PathLike[str], **options: Any) -> Generator[None]:
    """`with trace("/tmp/t"):` what happens within is gathered, and written at its end."""
    start_trace(log_dir, **options)
    try:
        yield
    finally:
        stop_trace()


class TraceAnnotation(ContextDecorator):
    """`with TraceAnnotation("epoch", number=3):` a span of the trace, with what else is to be shown of it."""

    def __init__(self, name: str, **kwargs: Any):
        self.name, self.shown = name, kwargs

    def __enter__(self) -> TraceAnnotation:
        self.start = time.perf_counter_ns()
        return self

    def __exit__(self, *error: Any) -> None:
        if _TRACE.directory is not None:
            took = time.perf_counter_ns() - self.start
            _TRACE.spans.append(
                {
                    "name": self.name,
                    "ph": "X",
                    "ts": self.start / 1e3,
                    "dur": took / 1e3,
                    "pid": os.getpid(),
                    "tid": threading.get_native_id(),
                    "args": {k: str(v) for k, v in self.shown.items()},
                }
            )


class StepTraceAnnotation(TraceAnnotation):
    """A span of one training step: `step_num` is its number."""


def annotate_function(func: Callable[..., Any], name: str | None = None, **kwargs: Any) -> Callable[..., Any]:
    """`func`, each call of which is a span of the trace."""
    check_callable(func, "annotate_function")
    title = getattr(func, "__name__", type(func).__name__) if name is None else name

    def annotated(*args: Any, **named: Any) -> Any:
        with TraceAnnotation(title, **kwargs):
            return func(*args, **named)

    return named_after(annotated, func, "annotate")


def device_memory_profile(backend: str | None = None) -> bytes:
    """The bytes that live on each device, as JSON."""
    from weft.backends.base import _created

    return json.dumps({name: b.live_bytes() for name, b in _created.items() if backend in (None, name)}).encode()


def save_device_memory_profile(filename: str | os.PathLike[str], backend: str | None = None) -> None:
    """Writes `device_memory_profile` to a file."""
    with open(filename, "wb") as file:
        file.write(device_memory_profile(backend))

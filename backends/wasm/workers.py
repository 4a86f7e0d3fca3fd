"""Worker threads: they sleep on a queue, run what they are given outside of Python's lock, and report.

The caller is thread 0 and works too. Waking a worker costs some 30 µs, so programs say how much work they hold, and
small ones stay with the caller.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread

Job = Callable[[], None]


def default_threads() -> int:
    """`WEFT_NUM_THREADS`, or as many as this process may run at once."""
    if text := os.environ.get("WEFT_NUM_THREADS"):
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"WEFT_NUM_THREADS must be a positive integer, got {text!r}")
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """Threads that are started when they are first needed, and end with the process."""

    def __init__(self) -> None:
        self._inboxes: list[SimpleQueue[Job]] = []
        self._outbox: SimpleQueue[BaseException | None] = SimpleQueue()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._inboxes.clear)  # threads do not cross a fork

    def run(self, jobs: Sequence[Job]) -> list[BaseException]:
        """Runs all jobs at once, the first one here; what they raised, in no order. Returns when all are done."""
        while len(self._inboxes) < len(jobs) - 1:
            inbox: SimpleQueue[Job] = SimpleQueue()
            self._inboxes.append(inbox)
            Thread(target=self._serve, args=(inbox,), name=f"weft-wasm-{len(self._inboxes)}", daemon=True).start()
        for inbox, job in zip(self._inboxes, jobs[1:], strict=False):
            inbox.put(job)
        outcomes = [_outcome(jobs[0])]
        while len(outcomes) < len(jobs):  # whatever happens: the workers use memory that the caller frees afterwards
            try:
                outcomes.append(self._outbox.get())
            except KeyboardInterrupt as interrupt:
                outcomes[0] = interrupt
        return [error for error in outcomes if error is not None]

    def _serve(self, inbox: SimpleQueue[Job]) -> None:
        while True:
            self._outbox.put(_outcome(inbox.get()))


def _outcome(job: Job) -> BaseException | None:
    try:
        job()
    except BaseException as error:
        return error
    return None

"""Shows every loaded module to whoever asks: hooks in `observers`, files in the directory named by `WEFT_DUMP_DIR`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from weft.backends.cache import digest

observers: list[Callable[[bytes], None]] = []
"""Called with each binary that the engine has accepted."""


def record(binary: bytes) -> None:
    """Shows a binary to the observers, and writes it into the directory WEFT_DUMP_DIR, if that is set."""
    for observe in observers:
        observe(binary)
    if directory := os.environ.get("WEFT_DUMP_DIR"):
        Path(directory).mkdir(parents=True, exist_ok=True)
        (Path(directory) / f"{digest(binary)}.wasm").write_bytes(binary)

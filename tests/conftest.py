"""Every WebAssembly module that the tests make is shown to a second engine at the end of the session: V8, in Node."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "web"))
_folder: tempfile.TemporaryDirectory | None = None


def pytest_configure(config: pytest.Config) -> None:
    """The device writes its modules where WEFT_DUMP_DIR says; workers of pytest-xdist inherit it."""
    global _folder
    if "WEFT_DUMP_DIR" not in os.environ:
        _folder = tempfile.TemporaryDirectory(prefix="weft-dump-")
        os.environ["WEFT_DUMP_DIR"] = _folder.name


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workerinput"):
        return  # the controller looks at what all workers made
    from node_engine import NoNode, validate

    paths = sorted(Path(os.environ["WEFT_DUMP_DIR"]).glob("*.wasm"))
    if not paths:
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    try:
        refused = [(path.name, error) for path, error in zip(paths, validate(paths), strict=True) if error]
    except NoNode as reason:
        terminal.write_line(f"\n{len(paths)} WebAssembly modules not shown to V8: {reason}")
        return
    terminal.write_line(f"\nV8 accepts {len(paths) - len(refused)} of {len(paths)} WebAssembly modules")
    for name, error in refused:
        terminal.write_line(f"  {name}: {error}", red=True)
    if refused:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    if _folder is not None:
        _folder.cleanup()

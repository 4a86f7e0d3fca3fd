"""Every WebAssembly module and every WGSL text that the tests make is shown to a second engine at the end of the session: V8 in Node, and Tint in Chromium."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A verdict on a change must not depend on today's dice: continuous integration draws the same examples each time, everybody else new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

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
    import node_engine
    import tint_engine

    folder = Path(os.environ["WEFT_DUMP_DIR"])
    modules, texts = sorted(folder.glob("*.wasm")), sorted(folder.glob("*.wgsl"))
    show(session, "WebAssembly modules", "V8", modules, lambda: node_engine.validate(modules), node_engine.NoNode)
    show(
        session,
        "WGSL texts",
        "Tint",
        texts,
        lambda: tint_engine.validate([t.read_text() for t in texts]),
        tint_engine.NoChromium,
    )


def show(
    session: pytest.Session,
    what: str,
    engine: str,
    paths: list[Path],
    validate: Callable[[], list[str | None]],
    missing: type[Exception],
) -> None:
    """Reports what an engine says of the files; a refusal fails the session. An answer is an error, None or '' if there is none, 'skip' if the engine cannot tell."""
    if not paths:
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    try:
        answers = dict(zip(paths, validate(), strict=True))
    except missing as reason:
        terminal.write_line(f"\n{len(paths)} {what} not shown to {engine}: {reason}")
        return
    refused = {path.name: error for path, error in answers.items() if error not in (None, "", "skip")}
    skipped = sum(error == "skip" for error in answers.values())
    terminal.write_line(f"\n{engine} accepts {len(paths) - len(refused) - skipped} of {len(paths) - skipped} {what}")
    for name, error in refused.items():
        terminal.write_line(f"  {name}: {error}", red=True)
    if refused:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    if _folder is not None:
        _folder.cleanup()

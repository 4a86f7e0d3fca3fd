"""Runs the `// RUN:` lines of *.mlir files from pytest, in this process: 5 ms a file, where a new interpreter would take 300.

A RUN line is a pipeline of `xdsl-opt` and `filecheck` commands joined by `|`; `%s` stands for the file. Stock lit reads the same files (`lit -v filecheck`, see lit.cfg).
"""

from __future__ import annotations

import io
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    """Every .mlir file under this folder is a test file."""
    if file_path.suffix == ".mlir":
        return MlirFile.from_parent(parent, path=file_path)
    return None


class MlirFile(pytest.File):
    """One .mlir file: a test for each of its RUN lines."""

    def collect(self) -> Iterator[pytest.Item]:
        lines = run_lines(self.path.read_text())
        if not lines:
            raise self.CollectError(f"{self.path}: no RUN line")
        for number, line in enumerate(lines):
            yield RunLine.from_parent(self, name=f"RUN{number}" if len(lines) > 1 else "RUN", line=line)


class RunLine(pytest.Item):
    """The pipeline of one RUN line."""

    def __init__(self, *, line: str, **kwargs):
        super().__init__(**kwargs)
        self.line = line

    def runtest(self) -> None:
        text = ""
        for command in self.line.split(" | "):
            program, *args = shlex.split(command.replace("%s", str(self.path)))
            if program not in PROGRAMS:
                raise RunError(f"unknown program '{program}' (known: {', '.join(PROGRAMS)})")
            text = PROGRAMS[program](args, text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style=None):
        if excinfo.errisinstance(RunError):
            return f"{self.line}\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}: {self.line}"


class RunError(Exception):
    """A command of a RUN line failed; its message is what the command said."""


def run_lines(text: str) -> list[str]:
    """What follows each `// RUN:`; a line that ends in a backslash goes on in the next one."""
    lines: list[str] = []
    for line in text.splitlines():
        _, found, command = line.partition("// RUN:")
        if found:
            command = command.strip()
            if lines and lines[-1].endswith("\\"):
                lines[-1] = lines[-1][:-1] + command
            else:
                lines.append(command)
    return lines


def xdsl_opt(args: list[str], text: str) -> str:
    """What `xdsl-opt` prints on standard output, `text` being its standard input."""
    from xdsl.xdsl_opt_main import xDSLOptMain

    out, stdin = io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    try:
        with redirect_stdout(out):
            xDSLOptMain(args=args).run()
    except SystemExit as exit:
        if exit.code:
            raise RunError(f"xdsl-opt {shlex.join(args)}: exit status {exit.code}\n{out.getvalue()}") from None
    except Exception as error:
        raise RunError(f"{out.getvalue()}\n{''.join(traceback.format_tb(error.__traceback__)[-3:])}{error}") from None
    finally:
        sys.stdin = stdin
    return out.getvalue()


def filecheck(args: list[str], text: str) -> str:
    """Holds `text` against the CHECK lines of a file."""
    from filecheck.finput import FInput
    from filecheck.matcher import Matcher
    from filecheck.options import parse_argv_options
    from filecheck.parser import Parser

    options = parse_argv_options(["filecheck", *args])
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = Matcher(options, FInput("<stdin>", text), Parser.from_opts(options)).run()
    if status:
        raise RunError(f"{said.getvalue()}\n--- the output:\n{text}")
    return ""


PROGRAMS: dict[str, Callable[[list[str], str], str]] = {"xdsl-opt": xdsl_opt, "filecheck": filecheck}

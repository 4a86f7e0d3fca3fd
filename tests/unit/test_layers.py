"""The rules of the house: imports point one way, heavy packages load late, no file grows without end."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ("dialects", "passes", "backends", "frontend")  # each may import those before it
HEAVY = ("numpy", "wgpu", "wasmtime")


def sources(folder: str) -> Iterator[Path]:
    return (ROOT / folder).rglob("*.py")


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def layer(module: str) -> str | None:
    """The layer that `weft.x.y` belongs to; everything that is no other layer is the frontend."""
    parts = module.split(".")
    if parts[0] != "weft":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ORDER else "frontend"


@pytest.mark.parametrize("folder", ORDER[:-1])
def test_imports_point_one_way(folder: str) -> None:
    allowed = ORDER[: ORDER.index(folder) + 1]
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources(folder)
        for module in imports(ast.parse(path.read_text()))
        if layer(module) not in (None, *allowed)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_load_late(package: str) -> None:
    """Importing weft loads xDSL and nothing heavier: a page has no NumPy, and start-up counts."""
    code = f"import sys, weft, weft.numpy, weft.lax, weft.nn, weft.random, weft.optim; sys.exit('{package}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, check=False).returncode == 0


@pytest.mark.parametrize("folder", ORDER)
def test_every_module_says_what_it_is_for(folder: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources(folder)
        if path.stat().st_size and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent

"""A second engine: V8 in Node says whether it accepts our WebAssembly, hundreds of binaries in one process.

Relaxed SIMD needs Node 22 or newer. Where the machine's own is older, npm's package of the plain executable (no install
scripts) is fetched once into the cache directory.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from weft.backends.cache import default_directory

_NODE = "26"
_FIRST_WITH_RELAXED_SIMD = 22
_SCRIPT = """
const fs = require('fs')
const verdict = (path) => {
  const bytes = fs.readFileSync(path)
  if (WebAssembly.validate(bytes)) return null
  try { new WebAssembly.Module(bytes) } catch (error) { return error.message }
}
const paths = JSON.parse(fs.readFileSync(0, 'utf8'))
process.stdout.write(JSON.stringify(paths.map(verdict)))
"""


class NoNode(Exception):
    """There is no Node here that knows relaxed SIMD; the message says why."""


@cache
def node() -> str:
    """The path of a Node that knows relaxed SIMD. Raises NoNode."""
    if (found := shutil.which("node")) and _major(found) >= _FIRST_WITH_RELAXED_SIMD:
        return found
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    processor = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    package = f"node-{system}-{processor}"
    home = default_directory() / "node"
    executable = home / "node_modules" / package / "bin" / "node"
    if not executable.exists():
        if system is None or processor is None:
            raise NoNode(
                f"Node {_FIRST_WITH_RELAXED_SIMD} or newer is needed; npm has none for {sys.platform} {platform.machine()}"
            )
        _install(package, home)
    return str(executable)


def _major(executable: str) -> int:
    version = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.strip().lstrip("v").partition(".")[0])


def _install(package: str, home: Path) -> None:
    if (npm := shutil.which("npm")) is None:
        raise NoNode(f"Node {_FIRST_WITH_RELAXED_SIMD} or newer is needed, and there is no npm to fetch it")
    home.mkdir(parents=True, exist_ok=True)
    command = [
        npm,
        "install",
        "--prefix",
        str(home),
        "--ignore-scripts",
        "--no-save",
        "--no-audit",
        f"{package}@{_NODE}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise NoNode(f"npm could not fetch {package}: {done.stderr.strip().splitlines()[-1:]}")


def validate(paths: Sequence[Path]) -> list[str | None]:
    """For each file None if V8 accepts it, else its message. Raises NoNode."""
    request = json.dumps([str(path) for path in paths])
    done = subprocess.run(
        [node(), "-e", _SCRIPT], input=request, capture_output=True, text=True, check=True, timeout=300
    )
    return json.loads(done.stdout)

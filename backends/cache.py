"""A directory of bytes by key, for what is dear to make and cheap to load: bounded, safe to share, never trusted.

Every file begins with the digest of what follows, and what does not match is deleted and counts as absent (wasmtime
loads corrupted machine code without a word). Writing is atomic, reading refreshes a file's time, and the oldest files
go when the directory grows beyond its bound. A directory that cannot be written is no cache and no error.
"""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cache
from pathlib import Path
from threading import get_ident

try:
    from _blake2 import blake2b  # hashlib would load OpenSSL first, for 7 ms
except ImportError:
    from hashlib import blake2b

_DIGEST_BYTES = 16


def default_directory() -> Path:
    """`WEFT_CACHE_DIR`, or where this platform keeps caches."""
    if directory := os.environ.get("WEFT_CACHE_DIR"):
        return Path(directory)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "weft"


def digest(*parts: bytes | str) -> str:
    """A key from what decides the content."""
    hasher = blake2b(digest_size=20)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()


def _checksum(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


class DiskCache:
    """`get` and `put` bytes by key, in files of one kind (their suffix) in one directory."""

    def __init__(self, kind: str, directory: Path | None = None, bound: int = 256 << 20):
        self.directory = (directory or default_directory()) / kind
        self.bound = bound
        self._until_prune = 0

    def get(self, key: str) -> bytes | None:
        """What was put under this key, None if it is gone or damaged."""
        path = self.directory / key
        try:
            content = path.read_bytes()
        except OSError:
            return None
        data = content[_DIGEST_BYTES:]
        if content[:_DIGEST_BYTES] != _checksum(data):
            self._delete(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return data

    def put(self, key: str, data: bytes) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            temporary = self.directory / f".{key}.{os.getpid()}.{get_ident()}"
            temporary.write_bytes(_checksum(data) + data)
            os.replace(temporary, self.directory / key)
        except OSError:
            return
        self._until_prune -= 1
        if self._until_prune < 0:  # the first write of a process looks, then every hundredth
            self._until_prune = 100
            self.prune()

    def prune(self) -> None:
        """Deletes the files that were not used for longest until three quarters of the bound are kept."""
        files: list[tuple[float, int, str]] = []
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.directory):
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    files.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in files)
        if total <= self.bound:
            return
        for _, size, path in sorted(files):
            self._delete(Path(path))
            total -= size
            if total <= self.bound * 3 // 4:
                return

    @staticmethod
    def _delete(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()


@cache
def compiler_state() -> str:
    """Tells versions of this compiler apart: the state of its sources, so that an edited pass finds nothing that its elder made."""
    import weft.backends
    import weft.dialects
    import weft.passes

    folders = [*weft.dialects.__path__, *weft.passes.__path__, *weft.backends.__path__]
    files = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    return repr([(path.name, status.st_mtime_ns, status.st_size) for path in files if (status := path.stat())])

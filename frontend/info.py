"""What JAX's programs ask of the process around them: which device, how many, which arrays live. There is one process, with one device of each kind."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from weft import eager
from weft.array import Array, lift
from weft.devices import Device, current_device, devices
from weft.dialects.array.node import STATE, Aval


def default_backend() -> str:
    """The name of the default device."""
    return str(current_device())


def device_count(backend: str | None = None) -> int:
    """How many devices there are of a kind: one."""
    return 1


local_device_count = device_count


def local_devices(
    process_index: int | None = None, backend: str | None = None, host_id: int | None = None
) -> list[Device]:
    """The devices of this process: all, or those of a backend. Raises RuntimeError if there are none."""
    found = [d for d in devices() if backend in (None, str(d))]
    if not found:
        raise RuntimeError(f"Unknown backend {backend}. Available backends are {[str(d) for d in devices()]}")
    return found


def process_count(backend: str | None = None) -> int:
    """How many processes there are: one."""
    return 1


def process_index(backend: str | None = None) -> int:
    """The number of this process: 0."""
    return 0


def process_indices(backend: str | None = None) -> list[int]:
    """The numbers of all processes."""
    return [0]


host_count, host_id, host_ids = process_count, process_index, process_indices


def live_arrays(platform: str | None = None) -> list[Array]:
    """The arrays that have memory, of one device or of all."""
    found = [x for x in gc.get_objects() if x.__class__ is Array]
    buffers = [(x, x._node.value) for x in found]
    return [
        x
        for x, buffer in buffers
        if hasattr(buffer, "is_deleted") and not buffer.is_deleted and platform in (None, str(buffer.device))
    ]


def typeof(x: Any) -> Aval:
    """Shape, dtype and weakness of an array or a number."""
    return lift(x).aval


@contextmanager
def ensure_compile_time_eval() -> Generator[None]:
    """What depends on no traced value is computed within, also while a program is traced: its values can be read."""
    outer, STATE.pending = STATE.pending, []
    try:
        yield
        eager.flush()
    finally:
        STATE.pending = outer


def print_environment_info(return_string: bool = False) -> str | None:
    """Versions and devices, for reports of bugs."""
    import platform
    from importlib.metadata import version

    names = ("weft", "xdsl", "numpy", "wgpu", "wasmtime")
    lines = [*(f"{name}: {version(name)}" for name in names), f"python: {platform.python_version()}"]
    lines += [f"platform: {platform.platform()}", f"devices: {', '.join(map(str, devices()))}"]
    text = "\n".join(lines)
    if return_string:
        return text
    print(text)
    return None

"""Devices by name: `cpu` (NumPy, the oracle), `wasm`, `webgpu`.

A device is a string that knows a little more, one object per name, so that it is compared by identity where that matters and by name everywhere else. Arrays that are made
without saying where go to the default device: `set_default_device`, `with default_device("cpu"):`, or the variable `WEFT_DEVICE`; without any, to `wasm`, or `cpu` where
there is no Wasm engine.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

from weft.backends.base import DEVICES, Backend, available, get_backend, unavailable
from weft.dialects.array.node import STATE


class Device(str):
    """A device. `get_device` gives the one object of a name."""

    @property
    def platform(self) -> str:
        """Its name."""
        return str(self)

    @cached_property
    def backend(self) -> Backend:
        """What compiles and runs for it. Raises RuntimeError if it cannot be used here."""
        return get_backend(str(self))

    def live_bytes(self) -> int:
        """The size of all arrays on it."""
        return self.backend.live_bytes()


_DEVICES = {name: Device(name) for name in DEVICES}


class DeviceList(list[Device]):
    """The devices that can be used, and in `missing` why the others cannot."""

    def __init__(self, found: dict[str, str | None]):
        super().__init__(_DEVICES[name] for name, reason in found.items() if reason is None)
        self.missing = {name: reason for name, reason in found.items() if reason is not None}

    def __repr__(self) -> str:
        lines = [super().__repr__(), *(f"{name} is not available: {reason}" for name, reason in self.missing.items())]
        return "\n".join(lines)


def devices(backend: str | None = None) -> DeviceList:
    """The devices that can be used here; the one of a name (RuntimeError says why it cannot be used)."""
    if backend is None:
        return DeviceList(available())
    device = get_device(backend)
    device.backend  # noqa: B018  (raises if it cannot be used)
    return DeviceList({device: None})


def get_device(name: str) -> Device:
    """The device of this name, available or not. Raises ValueError if there is none."""
    device = _DEVICES.get(name)
    if device is None:
        raise ValueError(f"Unknown device '{name}', expected one of {', '.join(map(repr, DEVICES))}.")
    return device


_default: Device | None = None


def current_device() -> Device:
    """The device where arrays go that nobody has placed."""
    return _default or _first()


def _first() -> Device:
    global _default
    if (name := os.environ.get("WEFT_DEVICE")) is None:
        name = next((n for n in ("wasm", "cpu", "webgpu") if unavailable(n) is None), "cpu")
    _default = get_device(name)
    return _default


def set_default_device(device: str) -> None:
    """Sends what is made from now on to this device. Raises ValueError if there is no such device, RuntimeError if it cannot be used here."""
    global _default
    chosen = devices(device)[0]
    if STATE.pending:
        from weft.eager import flush

        flush()  # what waits was meant for the device before
    _default = chosen


class default_device:
    """`default_device()` is the current one; `with default_device("cpu"):` sends arrays there within."""

    _device: str
    _outer: str

    def __new__(cls, new_val: str | None = None) -> Any:
        if new_val is None:
            return current_device()
        made = super().__new__(cls)
        made._device = new_val
        return made

    def __enter__(self) -> None:
        self._outer = current_device()
        set_default_device(self._device)

    def __exit__(self, *error: object) -> None:
        set_default_device(self._outer)

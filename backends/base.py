"""What a device is: it compiles modules of the array dialect, keeps buffers, and runs.

A package of `weft.backends` is a device if it defines two functions:

    unavailable() -> str | None     why the device cannot be used here; None if it can. Quick, and never raises.
    create() -> Backend             the device; called once.

Neither this module nor the import of such a package may import NumPy, wgpu or wasmtime.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from weft.dialects.array.node import Aval
    from weft.dialects.dtypes import DType


class Buffer(ABC):
    """Memory of a device that holds one array. It is freed when nothing refers to it any more, or by `delete`."""

    device: ClassVar[str]
    """The name of the device that it is on."""
    nbytes: int
    is_deleted: bool = False

    @abstractmethod
    def delete(self) -> None:
        """Frees the memory now. Using the buffer afterwards raises RuntimeError."""


class Executable(ABC):
    """A compiled program."""

    stages: Mapping[str, Callable[[], str]]
    """The text of each stage of the compilation, made when it is asked for: `array`, `kernel`, … in the order of the pipeline."""
    calls_host: ClassVar[bool] = False
    """Whether it calls the host in between."""

    @abstractmethod
    def __call__(self, args: Sequence[Any]) -> list[Any]:
        """Runs on buffers and gives the results' buffers. Returns as soon as the work is queued."""


class Backend(ABC):
    """A device."""

    name: str
    host_memory: ClassVar[bool] = True
    """Whether its buffers lie in the host's memory, so that `get` copies nothing."""

    @property
    def description(self) -> str:
        """One line on what the device is: the engine, the adapter, how many threads."""
        return self.name

    @abstractmethod
    def compile(self, module: ModuleOp, donate: tuple[int, ...] = (), key: object = None) -> Executable:
        """Compiles `func.func @main` of a module of array ops. Buffers of the arguments `donate` may be overwritten, and are deleted by a call.

        `key` is a value whose `repr` decides the module (a graph's key): a device may keep what it compiled under it, for later processes.
        """

    def has(self, dtype: DType) -> bool:
        """Whether the device has arrays of a dtype."""
        return True

    @abstractmethod
    def put(self, data: Any, aval: Aval) -> Buffer:
        """A buffer with a copy of host data: contiguous bytes (anything with the buffer protocol) of the aval's shape and dtype."""

    @abstractmethod
    def get(self, buffer: Any, aval: Aval) -> memoryview:
        """The bytes of a buffer, once it is computed. Not to be written to; no copy where the device's memory is the host's."""

    def finish(self) -> None:  # noqa: B027  (nothing to wait for where a call returns with its results)
        """Waits until all queued work is done."""

    @abstractmethod
    def live_bytes(self) -> int:
        """The size of all buffers that live."""


DEVICES = {"cpu": "numpy", "wasm": "wasm", "webgpu": "webgpu"}
"""Devices by name: their packages."""

_created: dict[str, Backend] = {}
_lock = Lock()


def get_backend(name: str) -> Backend:
    """The device of this name. Raises ValueError if there is no such device, RuntimeError if it cannot be used here (and says why)."""
    backend = _created.get(name)
    if backend is not None:
        return backend
    if name not in DEVICES:
        raise ValueError(f"Unknown backend: '{name}' requested, known are {', '.join(map(repr, DEVICES))}.")
    with _lock:
        if name not in _created:
            if (reason := unavailable(name)) is not None:
                raise RuntimeError(f"Unable to initialize backend '{name}': {reason}")
            _created[name] = import_module(f"weft.backends.{DEVICES[name]}").create()
    return _created[name]


def unavailable(name: str) -> str | None:
    """Why a device cannot be used here; None if it can. Asks no other device: that would cost start-up."""
    try:
        return import_module(f"weft.backends.{DEVICES[name]}").unavailable()
    except ImportError as error:  # what the device needs is not installed
        return str(error)


def available() -> dict[str, str | None]:
    """Every device: None if it can be used here, else the reason why it cannot."""
    return {name: unavailable(name) for name in DEVICES}

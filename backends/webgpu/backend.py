"""The webgpu device: compiles array programs to WGSL and runs them through wgpu."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.backends.base import Backend
from weft.backends.cache import DiskCache, compiler_state, digest
from weft.backends.webgpu.adapter import open_device
from weft.backends.webgpu.memory import Buffer, Pool, stored_bytes
from weft.backends.webgpu.native import unchecked_module
from weft.backends.webgpu.pack import pack, unpack
from weft.backends.webgpu.program import Executable, read_program
from weft.backends.webgpu.steps import Kernel, Launch, Program, padded, walk
from weft.passes.schedule.webgpu import Adapter

if TYPE_CHECKING:
    from xdsl.context import Context
    from xdsl.dialects.builtin import ModuleOp

    from weft.dialects.array.node import Aval
    from weft.dialects.dtypes import DType

Stages = dict[str, Callable[[], str]]

observers: list[Callable[[str], None]] = []
"""Called with the text of each shader that the adapter has accepted."""


class Pipeline(NamedTuple):
    """A compiled kernel, and the layout of its one bind group."""

    pipeline: Any
    layout: Any


class WebGpuBackend(Backend):
    """One device of one adapter: its queue, its pool of buffers, and all pipelines by their text."""

    name = "webgpu"
    host_memory = False

    def __init__(self, cache: DiskCache | None = None) -> None:
        self._cache = cache or DiskCache("webgpu")
        self.device = open_device()
        self.queue = self.device.queue
        self.pool = Pool(self.device)
        self._pipelines: dict[tuple[str, bool], Pipeline] = {}
        self._layouts: dict[tuple[str, ...], Any] = {}

    @property
    def description(self) -> str:
        """The adapter and how it is reached."""
        info = self.device.adapter.info
        return f"{info['device']} ({info['adapter_type']}) through {info['backend_type']}"

    @cached_property
    def adapter(self) -> Adapter:
        """What schedules may use here."""
        limits = self.device.limits
        return Adapter(
            invocations=min(limits["max-compute-invocations-per-workgroup"], limits["max-compute-workgroup-size-x"]),
            workgroup_bytes=limits["max-compute-workgroup-storage-size"],
            buffers=limits["max-storage-buffers-per-shader-stage"],
        )

    # -- buffers --------------------------------------------------------------------------------------------------------------------------

    def has(self, dtype: DType) -> bool:
        return dtype.part.name != "float64"

    def _check(self, aval: Aval) -> None:
        if not self.has(aval.dtype):
            raise TypeError(
                f"the webgpu device has no {aval.dtype.name} arrays: no shader computes in float64. "
                "Convert with .astype, or choose another device with weft.set_default_device('wasm')"
            )

    def upload(self, data: bytes | bytearray | memoryview) -> Buffer:
        """A buffer with these bytes."""
        buffer = Buffer(self.pool, len(data))
        if len(data) % 4:
            data = bytes(data) + bytes(-len(data) % 4)
        if len(data):
            self.queue.write_buffer(buffer.gpu, 0, data)
        return buffer

    def put(self, data: Any, aval: Aval) -> Buffer:
        """Copies host bytes to the device; truth values become integers of 32 bits."""
        self._check(aval)
        view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
        if aval.dtype.kind == "b":
            wide = bytearray(4 * len(view))
            wide[::4] = view
            return self.upload(wide)
        return self.upload(view)

    def get(self, buffer: Any, aval: Aval) -> memoryview:
        """The bytes of a buffer, after all work that is queued."""
        if buffer.is_deleted:
            raise RuntimeError("the array's buffer has been deleted or donated")
        nbytes = stored_bytes(aval)
        if not nbytes:
            return memoryview(b"")
        data = self.queue.read_buffer(buffer.gpu, 0, padded(nbytes)).cast("B")[:nbytes]
        return memoryview(bytes(data)[::4]) if aval.dtype.kind == "b" else data.toreadonly()

    def finish(self) -> None:
        """Waits until all queued work is done. (wgpu 0.32's `on_submitted_work_done_sync` raises TypeError, so this reads a few bytes.)"""
        self.queue.read_buffer(self._token.gpu, 0, 4)

    @cached_property
    def _token(self) -> Buffer:
        return self.upload(bytes(16))

    def live_bytes(self) -> int:
        """Bytes in live buffers, as they are rounded for the pool."""
        return self.pool.live

    # -- programs -------------------------------------------------------------------------------------------------------------------------

    def compile(self, module: ModuleOp, donate: tuple[int, ...] = (), key: object = None) -> Executable:
        """Compiles a module of array ops, which stays as it is. With a key the result is kept on disk, and found there by the next process."""
        self._refuse(module)
        name = None if key is None else digest("program", repr(key), repr(donate), compiler_state(), repr(self.adapter))
        program = None if name is None else self._kept(name)
        if program is None:
            program = read_program(self._lowered(module, donate))
            if name is not None:
                self._cache.put(name, pack(program))
        return self._executable(program, donate, lambda: self._lowered(module, donate), self._stages(module, donate))

    def load(self, module: ModuleOp, donate: tuple[int, ...] = ()) -> Executable:
        """A program from its kernels in the gpu dialect and its `kernel.program`. Raises RuntimeError with the adapter's message."""
        return self._executable(read_program(module), donate, lambda: module, {})

    def _executable(
        self, program: Program, donate: tuple[int, ...], lowered: Callable[[], ModuleOp], stages: Stages
    ) -> Executable:
        kernels = dict.fromkeys(s.kernel for s in walk(program.steps) if isinstance(s, Launch))
        texts = {
            "gpu": lambda: str(lowered()),
            "wgsl": lambda: "\n".join(f"// kernel {k.name}\n{k.text}" for k in kernels),
        }
        return Executable(self, program, donate, {**stages, **texts})

    def _kept(self, name: str) -> Program | None:
        """The program of this name on disk; None if there is none, or none that can be read."""
        if (data := self._cache.get(name)) is None:
            return None
        try:
            return unpack(data)
        except ValueError:
            return None

    @contextmanager
    def _compiling(self) -> Generator[Context]:
        """A context for passes, which compile for this adapter meanwhile."""
        from weft.dialects.universe import context
        from weft.passes.schedule import webgpu

        token = webgpu.current.set(self.adapter)
        try:
            yield context()
        finally:
            webgpu.current.reset(token)

    def _lowered(self, module: ModuleOp, donate: tuple[int, ...]) -> ModuleOp:
        """Kernels in the gpu dialect and a `kernel.program`, of a module of array ops."""
        from weft.passes.pipelines import run, to_webgpu

        with self._compiling() as ctx:
            return run(to_webgpu(donate, self.adapter.buffers), ctx, module.clone())

    def _stages(self, module: ModuleOp, donate: tuple[int, ...]) -> Stages:
        """The text of the stages before the gpu dialect, made again when it is asked for."""

        def before(name: str) -> str:
            from weft.passes.pipelines import text_before, to_webgpu

            with self._compiling() as ctx:
                return text_before(name, to_webgpu(donate, self.adapter.buffers), ctx, module)

        return {
            "array": lambda: str(module),
            "kernel": lambda: before("kernel-schedule"),
            "scheduled": lambda: before("kernel-to-gpu"),
        }

    def _refuse(self, module: ModuleOp) -> None:
        """Says of a dtype that the device does not have which one it is, before anything is compiled."""
        from xdsl.dialects.builtin import TensorType

        from weft.dialects.array.node import aval
        from weft.dialects.dtypes import from_type

        seen: set[object] = set()
        for op in module.walk():
            for value in (*op.operands, *op.results):
                if isinstance(value.type, TensorType) and value.type.element_type not in seen:
                    seen.add(value.type.element_type)
                    self._check(aval((), from_type(value.type.element_type)))

    def pipeline(self, kernel: Kernel) -> Pipeline:
        """The pipeline of a kernel, made once for each text."""
        key = kernel.text, kernel.in_bounds
        known = self._pipelines.get(key)
        if known is None:
            layout = self._layout(kernel.access)
            try:
                shader = self._shader(kernel)
                whole = self.device.create_pipeline_layout(bind_group_layouts=[layout])
                compiled = self.device.create_compute_pipeline(
                    label=kernel.name, layout=whole, compute={"module": shader, "entry_point": "main"}
                )
            except Exception as error:  # wgpu has several classes for it
                raise RuntimeError(f"the adapter refuses the shader of kernel {kernel.name}: {error}") from error
            _record(kernel.text)
            known = self._pipelines[key] = Pipeline(compiled, layout)
        return known

    def _shader(self, kernel: Kernel) -> Any:
        if kernel.in_bounds:
            endless = "loop {" in kernel.text or "while " in kernel.text
            return unchecked_module(self.device, kernel.name, kernel.text, endless)
        return self.device.create_shader_module(label=kernel.name, code=kernel.text)

    def _layout(self, access: tuple[str, ...]) -> Any:
        if (known := self._layouts.get(access)) is None:
            most = self.device.limits["max-storage-buffers-per-shader-stage"]
            if len(access) > most:
                raise RuntimeError(f"a kernel with {len(access)} buffers: the adapter binds at most {most}")
            kinds = {"read": "read-only-storage", "read_write": "storage"}
            entries = [{"binding": k, "visibility": 4, "buffer": {"type": kinds[a]}} for k, a in enumerate(access)]
            known = self._layouts[access] = self.device.create_bind_group_layout(entries=entries)
        return known


def _record(text: str) -> None:
    """Shows a shader to whoever asks: `observers`, and the directory that `WEFT_DUMP_DIR` names."""
    for observe in observers:
        observe(text)
    if directory := os.environ.get("WEFT_DUMP_DIR"):
        Path(directory).mkdir(parents=True, exist_ok=True)
        (Path(directory) / f"{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}.wgsl").write_text(text)

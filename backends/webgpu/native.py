"""What wgpu's native library offers and its Python package has no words for, or says at a price: shaders without run-time checks, and recording.

A call through the package costs 5 µs, of which the library takes less than one; a training step makes a hundred. What is recorded here was checked when its pipeline and bind group
were made; an error would come up where the pass ends, which goes through the package. `pyproject.toml` holds wgpu to the version of which this knows the inside.
"""

from __future__ import annotations

from typing import Any

from wgpu.backends.wgpu_native import _api  # pyright: ignore[reportMissingTypeStubs]
from wgpu.backends.wgpu_native._ffi import ffi as _ffi  # pyright: ignore[reportMissingTypeStubs]
from wgpu.backends.wgpu_native._ffi import lib as _lib  # pyright: ignore[reportMissingTypeStubs]

ffi: Any = _ffi
lib: Any = _lib
api: Any = _api

BOUND_LOOPS = 2  # WGPUShaderRuntimeChecks_ForceLoopBounding


def unchecked_module(device: Any, label: str, code: str, endless: bool) -> Any:
    """A shader module that does not clamp its indices, for a text that is proven to stay within its buffers. `endless`: whether its loops have to be bounded nevertheless.

    The text is validated like any other. Raises wgpu's errors.
    """
    source = ffi.new("WGPUShaderSourceWGSL *")
    text, name = (ffi.new("char []", s.encode()) for s in (code, label))
    source.chain.sType = lib.WGPUSType_ShaderSourceWGSL
    source.code.data, source.code.length = text, len(code.encode())
    descriptor = ffi.new("WGPUShaderModuleDescriptor *")
    descriptor.nextInChain = ffi.cast("WGPUChainedStruct *", source)
    descriptor.label.data, descriptor.label.length = name, len(label.encode())
    checks = BOUND_LOOPS if endless else 0
    return api.GPUShaderModule(
        label, api.libf.wgpuDeviceCreateShaderModuleTrusted(device._internal, descriptor, checks), device
    )


class Recorder:
    """A compute pass under recording."""

    __slots__ = ("bind", "dispatch", "encoder", "handle", "indirect", "pipeline", "use")

    def __init__(self, encoder: Any):
        self.encoder = encoder.begin_compute_pass()
        self.handle = self.encoder._internal
        self.pipeline: Any = None
        self.use = lib.wgpuComputePassEncoderSetPipeline
        self.bind = lib.wgpuComputePassEncoderSetBindGroup
        self.dispatch = lib.wgpuComputePassEncoderDispatchWorkgroups
        self.indirect = lib.wgpuComputePassEncoderDispatchWorkgroupsIndirect

    def launch(self, pipeline: Any, group: Any, grid: tuple[int, int, int]) -> None:
        """One dispatch."""
        self._set(pipeline, group)
        self.dispatch(self.handle, *grid)

    def launch_indirect(self, pipeline: Any, group: Any, sizes: Any, offset: int) -> None:
        """One dispatch, whose grid stands at an offset of the buffer `sizes`."""
        self._set(pipeline, group)
        self.indirect(self.handle, sizes._internal, offset)

    def _set(self, pipeline: Any, group: Any) -> None:
        if pipeline is not self.pipeline:
            self.use(self.handle, pipeline._internal)
            self.pipeline = pipeline
        self.bind(self.handle, 0, group._internal, 0, ffi.NULL)

    def end(self) -> None:
        """Ends the pass. Raises wgpu's errors for anything in it."""
        self.encoder.end()

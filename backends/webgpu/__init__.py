"""The webgpu device: WGSL through wgpu, on Vulkan, Metal or D3D12."""

from __future__ import annotations

from weft.backends.base import Backend
from weft.backends.webgpu.adapter import unavailable


def create() -> Backend:
    """The device. Raises RuntimeError with the adapter's message."""
    from weft.backends.webgpu.backend import WebGpuBackend

    return WebGpuBackend()


__all__ = ["create", "unavailable"]

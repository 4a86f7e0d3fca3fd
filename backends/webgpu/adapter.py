"""The adapter and the device that programs run on, and why there is none where there is none.

wgpu falls back to OpenGL without a word where it finds no Vulkan driver; compute is half broken there, so only the three real backends count.
"""

from __future__ import annotations

from functools import cache
from typing import Any

BACKENDS = ("Vulkan", "Metal", "D3D12")
FEATURES = ("subgroup", "timestamp-query")
"""Features that a device is asked for where the adapter has them."""

_NO_DRIVER = (
    "wgpu finds no adapter with Vulkan, Metal or D3D12{found}. Install the graphics card's driver, or a software one: "
    "on Debian and Ubuntu, apt-get install libvulkan1 mesa-vulkan-drivers"
)


@cache
def find() -> tuple[Any, str | None]:
    """The best adapter and None, or None and the reason why there is none."""
    try:
        import wgpu
    except ImportError as error:
        return None, f"the package wgpu cannot be imported: {error}"
    try:
        adapters = wgpu.gpu.enumerate_adapters_sync()
    except Exception as error:  # whatever the native library says is the reason
        return None, f"wgpu finds no adapters: {error}"
    usable = [a for a in adapters if a.info["backend_type"] in BACKENDS]
    if not usable:
        found = ", only " + ", ".join(sorted({a.info["backend_type"] for a in adapters})) if adapters else ""
        return None, _NO_DRIVER.format(found=found)
    order = {"DiscreteGPU": 0, "IntegratedGPU": 1, "VirtualGPU": 2, "Unknown": 3, "CPU": 4}
    return min(usable, key=lambda a: order.get(a.info["adapter_type"], 3)), None


def unavailable() -> str | None:
    """Why WebGPU cannot be used here; None if it can."""
    return find()[1]


def open_device() -> Any:
    """A device with all limits of its adapter. Raises RuntimeError with the adapter's message."""
    adapter, reason = find()
    if adapter is None:
        raise RuntimeError(reason)
    features = [f for f in FEATURES if f in adapter.features]
    limits = {
        k: v
        for k, v in adapter.limits.items()
        if k.startswith("max-") and ("compute" in k or "storage-buffer" in k or "buffer-size" in k)
    }
    try:
        return adapter.request_device_sync(label="weft", required_features=features, required_limits=limits)
    except Exception as error:  # wgpu has several classes for it
        raise RuntimeError(f"the adapter {adapter.info['device']} gives no device: {error}") from error

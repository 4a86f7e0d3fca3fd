"""What `xdsl-opt` sees: weft's dialects, passes and targets, each loaded when it is first asked for.

xDSL has dialects named `gpu` and `wasm` already and refuses a second registration. Ours are supersets of them (upstream's ops plus ours), so importing this module
puts ours in the place of upstream's entries.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from xdsl.context import Context
from xdsl.universe import XDSL_UNIVERSE, Universe


def _lazy(module: str, name: str) -> Callable[[], Any]:
    return lambda: getattr(import_module(f"weft.{module}"), name)


XDSL_UNIVERSE.all_dialects["gpu"] = _lazy("dialects.gpu", "Gpu")
XDSL_UNIVERSE.all_dialects["wasm"] = _lazy("dialects.wasm", "Wasm")

PASSES = {
    "array-jvp": _lazy("passes.array_jvp", "ArrayJvpPass"),
    "array-transpose": _lazy("passes.array_transpose", "ArrayTransposePass"),
    "array-vmap": _lazy("passes.array_vmap", "ArrayVmapPass"),
    "array-hoist-sums": _lazy("passes.array_hoist_sums", "ArrayHoistSumsPass"),
    "array-prune": _lazy("passes.array_prune", "ArrayPrunePass"),
    "array-decompose": _lazy("passes.array_decompose", "ArrayDecomposePass"),
    "array-split-complex": _lazy("passes.array_split_complex", "ArraySplitComplexPass"),
    "array-simplify": _lazy("passes.array_simplify", "ArraySimplifyPass"),
    "array-to-kernel": _lazy("passes.array_to_kernel", "ArrayToKernelPass"),
    "kernel-split-ranges": _lazy("passes.kernel_split_ranges", "KernelSplitRangesPass"),
    "kernel-split-reductions": _lazy("passes.kernel_split_reductions", "KernelSplitReductionsPass"),
    "kernel-simplify": _lazy("passes.kernel_simplify", "KernelSimplifyPass"),
    "kernel-plan-memory": _lazy("passes.kernel_plan_memory", "KernelPlanMemoryPass"),
    "kernel-fuse-loops": _lazy("passes.kernel_fuse_loops", "KernelFuseLoopsPass"),
    "kernel-schedule": _lazy("passes.kernel_schedule", "KernelSchedulePass"),
    "kernel-apply-schedule": _lazy("passes.kernel_apply_schedule", "KernelApplySchedulePass"),
    "kernel-split": _lazy("passes.kernel_split", "KernelSplitPass"),
    "kernel-upcast": _lazy("passes.kernel_upcast", "KernelUpcastPass"),
    "kernel-unroll": _lazy("passes.kernel_unroll", "KernelUnrollPass"),
    "kernel-vectorize": _lazy("passes.kernel_vectorize", "KernelVectorizePass"),
    "kernel-local": _lazy("passes.kernel_local", "KernelLocalPass"),
    "kernel-group": _lazy("passes.kernel_group", "KernelGroupPass"),
    "kernel-tile": _lazy("passes.kernel_tile", "KernelTilePass"),
    "kernel-stage": _lazy("passes.kernel_stage", "KernelStagePass"),
    "kernel-to-gpu": _lazy("passes.kernel_to_gpu", "KernelToGpuPass"),
    "kernel-to-wasm": _lazy("passes.kernel_to_wasm", "KernelToWasmPass"),
    "array-to-webgpu": _lazy("passes.pipelines", "ArrayToWebGpuPass"),
    "array-to-wasm": _lazy("passes.pipelines", "ArrayToWasmPass"),
}

WEFT_UNIVERSE = Universe(
    all_dialects={
        "array": _lazy("dialects.array", "Array"),
        "kernel": _lazy("dialects.kernel", "Kernel"),
    },
    all_passes=PASSES,
    all_targets={
        "weft-wgsl": _lazy("dialects.gpu.target_wgsl", "WgslTarget"),
        "weft-wat": _lazy("dialects.wasm.target_wat", "WatTarget"),
        "weft-wasm": _lazy("dialects.wasm.target_wasm", "WasmTarget"),
    },
)


def context() -> Context:
    """A context that knows every dialect, xDSL's and ours, each loaded when it is first named."""
    ctx = Context()
    for name, load in (XDSL_UNIVERSE.all_dialects | WEFT_UNIVERSE.all_dialects).items():
        ctx.register_dialect(name, load)
    return ctx

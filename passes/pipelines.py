"""The pipelines, each on one screen. The library compiles through these very lists, and xdsl-opt knows them by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from weft.passes.array_decompose import ArrayDecomposePass
from weft.passes.array_hoist_sums import ArrayHoistSumsPass
from weft.passes.array_prune import ArrayPrunePass
from weft.passes.array_simplify import ArraySimplifyPass
from weft.passes.array_split_complex import ArraySplitComplexPass
from weft.passes.array_to_kernel import ArrayToKernelPass
from weft.passes.depth import deep_recursion
from weft.passes.kernel_apply_schedule import KernelApplySchedulePass
from weft.passes.kernel_fuse_loops import KernelFuseLoopsPass
from weft.passes.kernel_plan_memory import KernelPlanMemoryPass
from weft.passes.kernel_schedule import KernelSchedulePass
from weft.passes.kernel_simplify import KernelSimplifyPass
from weft.passes.kernel_split_ranges import KernelSplitRangesPass
from weft.passes.kernel_split_reductions import KernelSplitReductionsPass

WEBGPU_BUFFERS = 8
"""Storage buffers that every WebGPU adapter lets one shader bind."""


def to_wasm(donate: tuple[int, ...] = (), relaxed: bool = True) -> tuple[ModulePass, ...]:
    """From array ops to one `wasm.module`."""
    from weft.passes.kernel_to_wasm import KernelToWasmPass

    return (
        ArrayPrunePass(),
        ArrayHoistSumsPass(),
        ArrayDecomposePass(),
        ArraySplitComplexPass(),
        ArraySimplifyPass(),
        ArrayToKernelPass(),
        KernelSplitReductionsPass("wasm"),
        KernelPlanMemoryPass("wasm", donate, in_place=True),
        KernelSimplifyPass(),
        KernelSplitRangesPass(),
        KernelSchedulePass("wasm"),
        KernelApplySchedulePass(),
        KernelToWasmPass(relaxed),
    )


def to_webgpu(donate: tuple[int, ...] = (), max_buffers: int = WEBGPU_BUFFERS) -> tuple[ModulePass, ...]:
    """From array ops to the gpu dialect."""
    from weft.passes.kernel_to_gpu import KernelToGpuPass

    return (
        ArrayPrunePass(),
        ArrayHoistSumsPass(),
        ArrayDecomposePass(),
        ArraySplitComplexPass(),
        ArraySimplifyPass(),
        ArrayToKernelPass(max_buffers),
        KernelSplitReductionsPass("webgpu", max_buffers=max_buffers),
        KernelPlanMemoryPass("webgpu", donate),
        KernelFuseLoopsPass(max_buffers=max_buffers),
        KernelSimplifyPass(),
        KernelSchedulePass("webgpu"),
        KernelApplySchedulePass(),
        KernelToGpuPass(),
    )


PIPELINES = {"wasm": to_wasm, "webgpu": to_webgpu}


def pipeline(target: str, **options: Any) -> tuple[ModulePass, ...]:
    """The passes for a target, `wasm` or `webgpu`."""
    if target not in PIPELINES:
        raise ValueError(f"target must be one of {', '.join(PIPELINES)}, got '{target}'")
    return PIPELINES[target](**options)


def run(passes: Iterable[ModulePass], ctx: Context, module: ModuleOp) -> ModuleOp:
    """Applies passes to a module, which it changes, and gives it back."""
    with deep_recursion():
        for each in passes:
            each.apply(ctx, module)
    return module


def text_before(name: str, passes: Iterable[ModulePass], ctx: Context, module: ModuleOp) -> str:
    """What the pass of this name is given, as text. The module stays as it is."""
    return str(run(takewhile(lambda p: p.name != name, passes), ctx, module.clone()))


@dataclass(frozen=True)
class ArrayToWasmPass(ModulePass):
    """The whole pipeline for WebAssembly."""

    name = "array-to-wasm"
    donate: tuple[int, ...] = ()
    relaxed: bool = True

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        run(to_wasm(self.donate, self.relaxed), ctx, op)


@dataclass(frozen=True)
class ArrayToWebGpuPass(ModulePass):
    """The whole pipeline for WebGPU."""

    name = "array-to-webgpu"
    donate: tuple[int, ...] = ()
    max_buffers: int = WEBGPU_BUFFERS

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        run(to_webgpu(self.donate, self.max_buffers), ctx, op)

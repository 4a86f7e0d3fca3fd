"""Chromium's compiler accepts the WGSL that weft writes: every function of its library, and kernels of each kind. What other tests make is shown to it at their end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tint_engine import NoChromium, validate
from xdsl.dialects import gpu
from xdsl.parser import Parser

from weft.dialects.gpu import wgsl_math
from weft.dialects.gpu.wgsl import print_func
from weft.dialects.universe import context
from weft.passes.kernel_to_gpu import KernelToGpuPass
from weft.passes.schedule.steps import apply
from weft.passes.schedule.webgpu import choose

sys.path.insert(0, str(Path(__file__).parents[1] / "backend"))
pytestmark = pytest.mark.skipif(
    "webgpu" not in os.environ.get("WEFT_TEST_DEVICES", "webgpu").split(","),
    reason="WEFT_TEST_DEVICES leaves webgpu out",
)


def kernels() -> list[str]:
    """One kernel of each kind, scheduled and not."""
    from test_webgpu_kernels import matmul, softmax

    texts = []
    for source in (matmul(130, 150, 35), matmul(8, 8, 8), softmax(20, 256), softmax(7, 1001)):
        for scheduled in (False, True):
            module = Parser(context(), source).parse_module()
            if scheduled:
                for op in module.body.block.ops:
                    apply(op.nest, choose(op.nest))  # type: ignore[attr-defined]
            KernelToGpuPass().apply(context(), module)
            texts += [print_func(op) for op in module.walk() if isinstance(op, gpu.FuncOp)]
    return texts


def library() -> list[str]:
    """Every function of the library, for each width."""
    main = "@compute @workgroup_size(1) fn main() {}\n"
    return [wgsl_math.library({(name, lanes): None}) + main for name in sorted(wgsl_math.FUNCTIONS) for lanes in (1, 4)]


def test_chromium_accepts_kernels_and_library() -> None:
    texts = library() + kernels()
    refused = [
        f"{error}\n{text}" for text, error in zip(texts, validate(texts), strict=True) if error not in ("", "skip")
    ]
    assert not refused, refused[0]


def test_a_refusal_is_reported() -> None:
    assert "unresolved" in validate(["@compute @workgroup_size(1) fn main() { nothing(); }"])[0]


def test_missing_chromium_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tint_engine.CHROMIUM", "/nonexistent")
    with pytest.raises(NoChromium, match="apt-get install"):
        validate([])

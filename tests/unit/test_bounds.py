"""Which nests are proven to stay within their buffers."""

from __future__ import annotations

import pytest
from xdsl.parser import Parser

from weft.dialects.kernel.host import FuncOp
from weft.dialects.universe import context
from weft.passes.gpu.bounds import in_bounds
from weft.passes.schedule.steps import apply, parse_step


def nest(load: str, n: int = 12, extent: int = 12, steps: tuple[str, ...] = ()):
    text = f"""
    kernel.func @k0(%x : memref<{n}xf32>, %s : memref<{n}xi32>) -> (%o : memref<{n}xf32>) {{
      kernel.nest [i: par {extent}] ins(%a = %x : memref<{n}xf32>, %k = %s : memref<{n}xi32>) outs(%c = %o : memref<{n}xf32>) {{
        %j = kernel.load %k[i] : memref<{n}xi32>
        %0 = kernel.load {load} : memref<{n}xf32>
        kernel.store %0, %c[i] : memref<{n}xf32>
      }}
    }}"""
    module = Parser(context(), text).parse_module()
    func = next(op for op in module.ops if isinstance(op, FuncOp))
    apply(func.nest, [parse_step(s) for s in steps])
    return func.nest


@pytest.mark.parametrize(
    ("load", "proven"),
    [
        ("%a[i]", True),
        ("%a[11 - i]", True),
        ("%a[i + 1]", False),
        ("%a[i - 1]", False),
        ("%a[i + 1] if (0 <= i + 1 < 12)", True),
        ("%a[i - 1] if (0 <= i - 1 < 12)", True),
        ("%a[i + 3] if (0 <= i + 1 < 10)", True),
        ("%a[i + 3] if (0 <= i + 1 < 11)", False),
        ("%a (s0 = %j in 0 to 11) [s0]", False),
        ("%a[i * 2] if (0 <= i < 5)", False),
    ],
)
def test_loads(load: str, proven: bool) -> None:
    assert in_bounds(nest(load)) is proven


@pytest.mark.parametrize("tail", ["clamp", "zero"])
def test_the_last_round_of_a_split(tail: str) -> None:
    assert in_bounds(nest("%a[i]", steps=(f"split i 5 {tail}",)))


def test_padding_reaches_to_whole_vectors_only() -> None:
    assert in_bounds(nest("%a[i]", 10, 10, ("split i 4 pad",)))
    assert not in_bounds(nest("%a[i]", 10, 10, ("split i 8 pad",)))

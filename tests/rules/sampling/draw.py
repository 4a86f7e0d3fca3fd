"""What sampling rules draw with, and what they give: a case, an op with operands that it accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from operator import itemgetter
from typing import Any, NamedTuple

import ml_dtypes  # noqa: F401  (NumPy knows bfloat16 from then on)
import numpy as np
from hypothesis import strategies as st

from weft.backends.numpy.interpreter import evaluate, fit
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import Aval, Node, aval, leaf
from weft.dialects.array.op import ArrayOp, Elementwise
from weft.dialects.dtypes import ALL, DType, as_dtype

View = Callable[[Sequence[Node]], Node]


class Case(NamedTuple):
    """An op with operands that it accepts. Of several results the `view` is looked at: one of them, or what they determine
    together where each by itself is not unique (eigenvectors have any sign)."""

    op: type[ArrayOp]
    arrays: tuple[np.ndarray, ...]
    params: dict[str, Any]
    view: View = itemgetter(0)

    @property
    def avals(self) -> tuple[Aval, ...]:
        return tuple(aval(a.shape, a.dtype.name) for a in self.arrays)

    def seen(self, out: Node | Sequence[Node]) -> Node:
        """What is looked at of what the op gives."""
        return out if isinstance(out, Node) else self.view(out)

    def bind(self, *nodes: Node) -> Node:
        """What is looked at of the op applied to nodes."""
        return self.seen(self.op.bind(*nodes, **self.params))

    def infer(self) -> Aval:
        return self.bind(*(leaf(a) for a in self.avals)).aval

    def reference(self) -> np.ndarray:
        with np.errstate(all="ignore"):
            out = self.op.reference(np, *self.arrays, **self.params)
        if not isinstance(out, (tuple, list)):
            return np.asarray(out)
        nodes = [leaf(a) for a in self.op.infer(*self.avals, **self.params)]
        return evaluate(Graph(nodes, [self.view(nodes)]), *fit(self.op.name, out, [n.aval for n in nodes]))[0]

    def assert_close(self, found: np.ndarray, expected: np.ndarray | None = None, slack: float = 1.0) -> None:
        """Raises AssertionError unless a result is the expected one (the reference's) but for rounding. Sums are held to the size of what they add up."""
        expected = self.reference() if expected is None else expected
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        dtype = as_dtype(expected.dtype)
        if not dtype.is_inexact:
            np.testing.assert_array_equal(found, expected)
            return
        tolerance = slack * TOLERANCE[dtype.part.name]
        sizes = [np.max(np.abs(a[np.isfinite(a)]), initial=1.0) for a in self.arrays if as_dtype(a.dtype).is_inexact]
        scale = 1.0 if issubclass(self.op, Elementwise) else float(np.prod(np.array(sizes, np.float64))) * 4
        if dtype.name == "bfloat16":
            found, expected = found.astype(np.float32), expected.astype(np.float32)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(map(repr, self.arrays))}, {self.params})"


DTYPES = ALL
DEVICE_DTYPES = {"cpu": ALL, "wasm": ALL, "webgpu": tuple(d for d in ALL if d.part.name != "float64")}
TOLERANCE = {"bfloat16": 1.6e-2, "float16": 4e-3, "float32": 2e-5, "float64": 1e-12}
DOMAINS = {  # where an op is smooth, if not everywhere in (-2, 2)
    **dict.fromkeys(("log", "log2", "sqrt", "rsqrt", "cbrt", "lgamma", "digamma"), (0.3, 3.0)),
    **dict.fromkeys(("asin", "acos", "atanh", "erf_inv", "tan"), (-0.8, 0.8)),
    **dict.fromkeys(("log1p",), (-0.5, 2.0)),
    **dict.fromkeys(("acosh", "pow", "div", "integer_pow"), (1.2, 3.0)),
}


class Draw:
    """What sampling rules draw with."""

    def __init__(
        self, draw: Callable[[st.SearchStrategy], Any], op: type[ArrayOp], smooth: bool, dtypes: tuple[DType, ...]
    ):
        self.any, self.op, self.smooth, self.dtypes = draw, op, smooth, dtypes
        self.random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def int(self, lo: int, hi: int) -> int:
        return self.any(st.integers(lo, hi))

    def of(self, *choices: Any) -> Any:
        return self.any(st.sampled_from(choices))

    def ints(self, count: int, lo: int, hi: int) -> tuple[int, ...]:
        return tuple(self.int(lo, hi) for _ in range(count))

    def shape(self, lo: int = 0, hi: int = 3, least: int | None = None) -> tuple[int, ...]:
        return self.ints(self.int(lo, hi), least if least is not None else 1 if self.smooth else 0, 4)

    def axes(self, rank: int, least: int = 0) -> tuple[int, ...]:
        return tuple(sorted(self.any(st.sets(st.integers(0, rank - 1), min_size=least)))) if rank else ()

    def dtype(self, kinds: str = "iufbc") -> DType:
        if self.smooth:
            return as_dtype(self.of(*(name for kind, name in (("f", "float64"), ("c", "complex128")) if kind in kinds)))
        return self.of(*(d for d in self.dtypes if d.kind in kinds))

    def array(self, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
        size, name = prod(shape), np.dtype(dtype.name)
        if dtype.kind == "c":
            return self._complex(shape, dtype)
        if self.smooth and dtype.kind == "f":  # all different: no ties
            lo, hi = DOMAINS.get(self.op.name.removeprefix("array."), (-2.0, 2.0))
            steps = self.random.permutation(size) + self.random.uniform(0.2, 0.8, size)
            return (lo + (hi - lo) * steps / max(size, 1)).reshape(shape)
        if dtype.kind == "b":
            return self.random.integers(0, 2, shape).astype(bool)
        if dtype.kind == "f":
            values = self.random.choice(np.array([1.0, 4.0, 30.0])) * self.random.standard_normal(size)
            special = [np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, -1.0, 0.5, 2.5, 1e-3, -3.0]
        else:
            info = np.iinfo(name)
            values = self.random.integers(-9 if dtype.kind == "i" else 0, 40, size)
            special = [info.min, info.max, 0, 1, info.max // 2, info.max - 1]
        values = values.astype(name)
        special = self.random.choice(np.array(special, name if dtype.bits == 64 else None), size).astype(name)
        return np.where(self.random.random(size) < 0.3, special, values).reshape(shape)

    def _complex(self, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
        """Finite parts, zeros of both signs among them (or inside of the domain, if smooth): functions differ in what they make of half an infinity."""
        if self.smooth:
            real, imag = self.array(shape, as_dtype("float64")), self.random.uniform(-0.9, 0.9, shape)
        else:
            real, imag = (
                np.where(
                    self.random.random(shape) < 0.3,
                    self.random.choice(np.array([0.0, -0.0, 1.0, -1.0, 0.5, -3.0, 1e-3]), shape),
                    2 * self.random.standard_normal(shape),
                )
                for _ in range(2)
            )
        z = np.empty(shape, dtype.name)
        z.real, z.imag = real, imag
        return z

    def starts(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.random.integers(-2, 6, shape).astype(np.int32)


Sampler = Callable[[Draw], tuple[Any, ...]]
"""Gives operands, parameters and (for several results) a view."""
SAMPLERS: dict[type[ArrayOp], Sampler] = {}


def samples(*of: type[ArrayOp]) -> Callable[[Sampler], Sampler]:
    """The function below is the sampling rule of these ops."""

    def keep(sampler: Sampler) -> Sampler:
        SAMPLERS.update(dict.fromkeys(of, sampler))
        return sampler

    return keep

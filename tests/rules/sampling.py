"""Inputs for primitives: for each op a Hypothesis strategy of cases that it accepts.

One sampling rule per family of ops says which shapes and parameters go together; an op that no rule names is
elementwise, and its IRDL definition tells the rest. A case is *wild* (any dtype, empty and size-1 shapes, NaN,
infinities, negative zeros) or *smooth* (float64, inside the op's domain and away from its kinks), for derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from operator import itemgetter
from typing import Any, NamedTuple

import ml_dtypes  # noqa: F401  (NumPy knows bfloat16 from then on)
import numpy as np
from hypothesis import strategies as st

from weft.backends.numpy.interpreter import evaluate, fit
from weft.dialects.array import all_ops, ops
from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import Aval, Node, aval, leaf
from weft.dialects.array.op import ArrayOp, Elementwise
from weft.dialects.array.ops import algebra, matrices
from weft.dialects.dtypes import ALL, DType, as_dtype

PRIMITIVES = [op for op in all_ops() if op is not ConstantOp and not op.GRAPHS]  # those with programs: test_control.py
DIFFERENTIABLE = [op for op in PRIMITIVES if not op.NOT_DIFFERENTIABLE]


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
_samplers: dict[type[ArrayOp], Sampler] = {}


def samples(*of: type[ArrayOp]) -> Callable[[Sampler], Sampler]:
    """The function below is the sampling rule of these ops."""

    def keep(sampler: Sampler) -> Sampler:
        _samplers.update(dict.fromkeys(of, sampler))
        return sampler

    return keep


@st.composite
def cases(draw: Any, op: type[ArrayOp], smooth: bool = False, dtypes: tuple[DType, ...] = DTYPES) -> Case:
    """Cases that an op accepts."""
    d = Draw(draw, op, smooth, dtypes)
    sampler = _samplers.get(op) or (_elementwise if issubclass(op, Elementwise) else None)
    assert sampler is not None, f"{op.name} has no sampling rule"
    return Case(op, *sampler(d))


# -- elementwise -------------------------------------------------------------------------------------------------------


def _operands(d: Draw, shape: tuple[int, ...], dtypes: list[DType]) -> tuple[np.ndarray, ...]:
    """One operand per dtype, of that shape or (but not all) of rank 0."""
    whole = d.int(0, len(dtypes) - 1)
    return tuple(d.array(shape if k == whole or d.int(0, 3) else (), t) for k, t in enumerate(dtypes))


def _elementwise(d: Draw) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    assert issubclass(d.op, Elementwise)
    kinds = "".join(d.op.DTYPES)
    dtype = d.dtype(kinds)
    return _operands(d, d.shape(), [dtype] * len(d.op.get_irdl_definition().operands)), {}


@samples(ops.ComplexOp)
def _complex(d: Draw):
    dtype = d.of(*(t for t in d.dtypes if t.name in (["float64"] if d.smooth else ["float32", "float64"])))
    return _operands(d, d.shape(), [dtype, dtype]), {}


@samples(ops.CompareOp)
def _compare(d: Draw):
    operands, _ = _elementwise(d)
    directions = ("eq", "ne") if operands[0].dtype.kind == "c" else ("eq", "ne", "lt", "le", "gt", "ge")
    return operands, {"direction": d.of(*directions)}


@samples(ops.SelectOp)
def _select(d: Draw):
    dtype = d.dtype()
    return _operands(d, d.shape(), [as_dtype("bool"), dtype, dtype]), {}


@samples(ops.IntegerPowOp)
def _integer_pow(d: Draw):
    (x,) = _elementwise(d)[0]
    return (x,), {"y": d.int(-3 if as_dtype(x.dtype).is_inexact else 0, 5)}


@samples(ops.ConvertOp)
def _convert(d: Draw):
    return _elementwise(d)[0], {"dtype": d.dtype()}


@samples(ops.BitcastOp)
def _bitcast(d: Draw):
    shape, dtype = d.shape(), d.dtype("iufb")
    target = d.of(*(t for t in d.dtypes if t.kind != "c" and (t.bits == dtype.bits or "b" not in t.kind + dtype.kind)))
    pieces = (target.bits // dtype.bits,) if target.bits > dtype.bits else ()
    return (d.array((*shape, *pieces), dtype),), {"dtype": target}


@samples(ops.ReducePrecisionOp)
def _reduce_precision(d: Draw):
    if d.smooth:  # it has steps: only all bits are smooth
        return _elementwise(d)[0], {"exponent_bits": 11, "mantissa_bits": 52}
    return _elementwise(d)[0], {"exponent_bits": d.int(2, 9), "mantissa_bits": d.int(0, 24)}


# -- shape -------------------------------------------------------------------------------------------------------------


@samples(ops.ReshapeOp)
def _reshape(d: Draw):
    shape = d.shape()
    x = d.array(shape, d.dtype())
    runs = [(shape[0] * shape[1], *shape[2:])] if len(shape) > 1 else []
    return (x,), {"shape": d.of((x.size,), shape[::-1], (1, *shape), (*shape, 1), *runs)}


@samples(ops.TransposeOp)
def _transpose(d: Draw):
    shape = d.shape()
    return (d.array(shape, d.dtype()),), {"permutation": tuple(d.any(st.permutations(range(len(shape)))))}


@samples(ops.BroadcastInDimOp)
def _broadcast_in_dim(d: Draw):
    shape = d.shape()
    places = d.axes(len(shape))
    x = d.array(tuple(shape[p] if d.int(0, 2) else 1 for p in places), d.dtype())
    return (x,), {"shape": shape, "broadcast_dimensions": places}


@samples(ops.PadOp)
def _pad(d: Draw):
    shape, dtype = d.shape(least=2), d.dtype()
    rank = len(shape)
    params = {"low": d.ints(rank, -1, 2), "high": d.ints(rank, -1, 2), "interior": d.ints(rank, 0, 2)}
    return (d.array(shape, dtype), d.array((), dtype)), params


@samples(ops.SliceOp)
def _slice(d: Draw):
    shape = d.shape()
    start = tuple(d.int(0, n) for n in shape)
    limit = tuple(d.int(s, n) for s, n in zip(start, shape, strict=True))
    return (d.array(shape, d.dtype()),), {"start": start, "limit": limit, "strides": d.ints(len(shape), 1, 3)}


@samples(ops.ReverseOp)
def _reverse(d: Draw):
    shape = d.shape()
    return (d.array(shape, d.dtype()),), {"dimensions": d.axes(len(shape))}


@samples(ops.ConcatenateOp)
def _concatenate(d: Draw):
    shape, dtype = d.shape(lo=1), d.dtype()
    axis = d.int(0, len(shape) - 1)
    sizes = [d.int(0, 3) for _ in range(d.int(1, 3))]
    return tuple(d.array((*shape[:axis], n, *shape[axis + 1 :]), dtype) for n in sizes), {"dimension": axis}


def _windows(d: Draw) -> tuple[tuple[int, ...], dict[str, Any]]:
    shape = d.ints(d.int(1, 3), 3, 6)
    dims = tuple(d.any(st.permutations(d.axes(len(shape), least=1))))
    count = len(dims)
    return shape, {
        "dims": dims,
        "sizes": d.ints(count, 1, 3),
        "strides": d.ints(count, 1, 3),
        "dilations": d.ints(count, 1, 2),
    }


@samples(ops.WindowOp)
def _window(d: Draw):
    shape, params = _windows(d)
    return (d.array(shape, d.dtype()),), params


@samples(ops.FoldOp)
def _fold(d: Draw):
    shape, params = _windows(d)
    dtype = d.dtype("iufc")
    return (d.array(ops.WindowOp.infer(aval(shape, dtype), **params).shape, dtype),), {"shape": shape, **params}


# -- reductions, contractions ------------------------------------------------------------------------------------------


@samples(ops.ReduceOp)
def _reduce(d: Draw):
    kind = d.of("add", "mul", "max", "min", *(() if d.smooth else ("and", "or", "xor")))
    shape = d.shape()
    dtype = d.dtype({"and": "iub", "or": "iub", "xor": "iub", "add": "iufc", "mul": "iufc"}.get(kind, "iufbc"))
    return (d.array(shape, dtype),), {"kind": kind, "axes": d.axes(len(shape))}


@samples(ops.ArgreduceOp)
def _argreduce(d: Draw):
    shape = d.shape(lo=1, least=1)
    params = {"kind": d.of("max", "min"), "axis": d.int(0, len(shape) - 1), "dtype": as_dtype(d.of("int32", "uint32"))}
    return (d.array(shape, d.dtype("iufb")),), params


@samples(ops.CumulateOp)
def _cumulate(d: Draw):
    shape = d.of((5,), (2, 4), (1,), (67,), (3, 33)) if d.smooth else d.of((5,), (0, 3), (1,), (2, 70), (33, 2))
    params = {"kind": d.of("add", "mul", "max", "min"), "axis": d.int(0, len(shape) - 1), "reverse": d.of(False, True)}
    x = d.array(shape, d.dtype("iufc"))
    return (x / 2 + np.sign(x) / 2 if d.smooth else x,), params


@samples(ops.RunningOp)
def _running(d: Draw):
    shape, chunk = d.of((5,), (2, 7), (1,), (12,), (3, 9)), d.int(1, 4)
    params = {"kind": d.of("add", "mul", "max", "min"), "axis": d.int(0, len(shape) - 1), "reverse": d.of(False, True)}
    dtype = d.dtype("iuf")
    starts = tuple(-(-n // chunk) if k == params["axis"] else n for k, n in enumerate(shape))
    x, start = d.array(shape, dtype), d.array(starts, dtype)
    operands = (np.abs(x) / 2 + 0.5, np.abs(start) / 2 + 0.51) if d.smooth else (x, start)
    return operands, {**params, "chunk": chunk}


@samples(ops.ArgsortOp)
def _argsort(d: Draw):
    shape = d.of((5,), (0, 3), (1,), (2, 70), (33, 2), (2, 3, 4), (100,))
    keys = [d.array(shape, d.dtype("iufb")) for _ in range(d.int(1, 3))]
    return tuple(keys), {"axis": d.int(0, len(shape) - 1)}


def _runs(d: Draw) -> tuple[int, list[np.ndarray]]:
    """A length, and keys whose runs of it are in order."""
    length, shape = 1 << d.int(2, 4), (d.int(1, 3), 4 * d.int(1, 9))
    dtype = d.of(*(as_dtype(name) for name in ("int32", "uint32")))
    keys = [(d.array(shape, dtype) // 8).astype(dtype.name) for _ in range(d.int(1, 2))]
    place = np.broadcast_to(np.arange(shape[1]) // length, shape)
    order = np.lexsort([*reversed(keys), place], axis=-1)
    return length, [np.take_along_axis(k, order, -1) for k in keys]


@samples(ops.MergeOp)
def _merge(d: Draw):
    length, keys = _runs(d)
    chunk, given = d.of(2, 4), np.array([length], np.int32)
    path = ops.MergePathOp.reference(np, given, *keys, chunk=chunk, steps=5)
    return (given, path, *keys), {"chunk": chunk}


@samples(ops.MergePathOp)
def _merge_path(d: Draw):
    length, keys = _runs(d)
    given, params = np.array([length], np.int32), {"chunk": d.of(1, 2, 4), "steps": 6}
    if not d.int(0, 1):
        return (given, *keys), params
    bounds = ops.MergePathOp.reference(np, given, *keys, chunk=4, steps=5)
    return (given, bounds, *keys), {**params, "within": 4}


@samples(ops.ButterflyOp)
def _butterfly(d: Draw):
    dtype = d.of(*(t for t in d.dtypes if t.name in ("float32", "float64")))
    lines, digits, r, rest, inner = (
        d.int(1, 3),
        d.int(1, 3),
        d.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 12),
        d.int(1, 5),
        d.int(1, 4),
    )
    arrays = [d.array((2, lines, digits, r, rest, inner), dtype), d.array((2, r - 1, rest), dtype)]
    arrays = [np.where(np.isfinite(x), x, 1.0).astype(dtype.name) for x in arrays]
    return arrays[: d.int(1, 2)], {"inverse": d.of(False, True), "over": d.of(1, 4)}


@samples(ops.BisectOp)
def _bisect(d: Draw):
    dtype, outer = d.of(as_dtype("int32"), as_dtype("uint32")), d.ints(d.int(0, 1), 1, 3)
    sequence = np.sort(d.array((*outer, d.of(0, 1, 2, 7, 8, 33)), dtype) // 4)
    return (sequence, d.array((*outer, *d.shape(hi=2)), dtype) // 4), {"side": d.of("left", "right")}


@samples(ops.FftOp)
def _fft(d: Draw):
    kind = d.of("FFT", "IFFT", "RFFT", "IRFFT")
    lengths = d.of((1,), (2,), (3,), (8,), (12,), (17,), (67,), (3, 4), (2, 5, 3))
    shape = (*d.ints(d.int(0, 1), 1, 3), *lengths)
    if kind == "IRFFT":
        shape = (*shape[:-1], lengths[-1] // 2 + 1)
    kinds = "f" if kind == "RFFT" else "c"
    dtype = d.dtype(kinds) if d.smooth else d.of(*(t for t in d.dtypes if t.kind == kinds and t.part.bits >= 32))
    x = d.array(shape, dtype)
    return (np.where(np.isfinite(x), x, 1.0).astype(dtype.name),), {"kind": kind, "lengths": lengths}


@samples(ops.DotOp)
def _dot(d: Draw):
    sizes, dtype = d.ints(4, 1 if d.smooth else 0, 4), d.dtype("iufc")
    batched, contracted, free_a, free_b = (d.int(0, 1) for _ in range(4))
    order_a = d.any(st.permutations([0] * batched + [1] * contracted + [2] * free_a))
    order_b = d.any(st.permutations([0] * batched + [1] * contracted + [3] * free_b))
    a, b = (d.array(tuple(sizes[k] for k in order), dtype) for order in (order_a, order_b))

    def pair(k: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return tuple((order.index(k),) if k in order else () for order in (order_a, order_b))  # type: ignore[return-value]

    wide = as_dtype("float32") if dtype.name in ("float16", "bfloat16") and d.int(0, 1) else None
    return (a, b), {"contract": pair(1), "batch": pair(0), "preferred": wide}


@samples(ops.ConvOp)
def _conv(d: Draw):
    spatial, dtype = d.int(0, 2), d.dtype("iufc")
    features, examples = d.of((1, 1), (2, 1), (1, 2))
    per_group, out = d.int(1, 2), d.int(1, 2) * max(features, examples)
    x = d.array((d.int(1, 2) * examples, per_group * features, *d.ints(spatial, 2, 5)), dtype)
    w = d.array((out, per_group, *d.ints(spatial, 1, 3)), dtype)
    return (x, w), {
        "window_strides": d.ints(spatial, 1, 2),
        "padding": tuple(d.ints(2, -1, 2) for _ in range(spatial)),
        "lhs_dilation": d.ints(spatial, 1, 2),
        "rhs_dilation": d.ints(spatial, 1, 2),
        "feature_group_count": features,
        "batch_group_count": examples,
    }


# -- indexing ----------------------------------------------------------------------------------------------------------


class _Places(NamedTuple):
    """Slices of an operand: dimension numbers with neutral names, for gather and scatter."""

    shape: tuple[int, ...]
    indices: np.ndarray
    window: tuple[int, ...]  # sizes along each axis of the operand
    offset: tuple[int, ...]
    collapsed: tuple[int, ...]
    indexed: tuple[int, ...]
    batching: tuple[int, ...]
    indices_batching: tuple[int, ...]
    slices: tuple[int, ...]  # shape of all slices


def _places(d: Draw, single: bool = False) -> _Places:
    shape = d.ints(d.int(1, 3), 2, 5)
    rank = len(shape)
    batching = (0,) if rank > 1 and d.int(0, 1) else ()
    rest = [k for k in range(rank) if k not in batching]
    indexed = tuple(d.any(st.permutations(rest)))[: d.int(0, len(rest))]
    collapsed = tuple(k for k in indexed if d.int(0, 1))
    collapsed = tuple(sorted(collapsed))
    window = tuple(
        1 if k in batching + collapsed else d.int(1, shape[k]) if k in indexed else shape[k] for k in range(rank)
    )
    outer = d.ints(d.int(0, 2), 1, 1 if single else 3)
    if batching:
        outer = (*outer, shape[0])
    inner = tuple(w for k, w in enumerate(window) if k not in batching + collapsed)
    total = len(outer) + len(inner)
    offset = tuple(sorted(d.any(st.permutations(range(total)))[: len(inner)]))
    sizes, outers = iter(inner), iter(outer)
    slices = tuple(next(sizes) if k in offset else next(outers) for k in range(total))
    indices = d.starts((*outer, len(indexed)))
    return _Places(
        shape, indices, window, offset, collapsed, indexed, batching, (len(outer) - 1,) if batching else (), slices
    )


@samples(ops.GatherOp)
def _gather(d: Draw):
    p, dtype = _places(d), d.dtype()
    mode = d.of("clip", "fill")
    params = {
        "offset_dims": p.offset, "collapsed_slice_dims": p.collapsed, "start_index_map": p.indexed, "operand_batching_dims": p.batching,
        "start_indices_batching_dims": p.indices_batching, "slice_sizes": p.window, "mode": mode,
        "fill_value": 0 if d.smooth else d.of(None, 1),
    }  # fmt: skip
    return (d.array(p.shape, dtype), p.indices), params


@samples(ops.ScatterOp)
def _scatter(d: Draw):
    kind = d.of("set", "add", "min", "max") if d.smooth else d.of("set", "add", "mul", "min", "max")
    p = _places(d, single=kind == "set" and not d.smooth)  # of several that set a place any may win
    mode = d.of("clip", "fill")
    dtype = d.dtype("iufc" if kind in ("set", "add") else "iuf")
    params = {
        "kind": kind, "update_window_dims": p.offset, "inserted_window_dims": p.collapsed, "scatter_dims_to_operand_dims": p.indexed,
        "operand_batching_dims": p.batching, "scatter_indices_batching_dims": p.indices_batching, "mode": mode,
    }  # fmt: skip
    operand, updates = d.array(p.shape, dtype), d.array(p.slices, dtype)
    if d.smooth:
        updates = updates + 0.0371
    return (operand, p.indices, updates), params


@samples(ops.DynamicSliceOp)
def _dynamic_slice(d: Draw):
    shape = d.shape()
    starts = tuple(d.starts(()) for _ in shape)
    return (d.array(shape, d.dtype()), *starts), {"sizes": tuple(d.int(0, n) for n in shape)}


@samples(ops.DynamicUpdateSliceOp)
def _dynamic_update_slice(d: Draw):
    shape, dtype = d.shape(), d.dtype()
    update = d.array(tuple(d.int(0, n) for n in shape), dtype)
    return (d.array(shape, dtype), update, *(d.starts(()) for _ in shape)), {}


# -- creation ----------------------------------------------------------------------------------------------------------


@samples(ops.IotaOp)
def _iota(d: Draw):
    shape = d.shape(lo=1)
    return (), {"shape": shape, "dimension": d.int(0, len(shape) - 1), "dtype": d.dtype("iufc")}


@samples(ops.RandomBitsOp)
def _random_bits(d: Draw):
    outer, shape = d.shape(hi=1), d.shape()
    key = d.random.integers(0, 2**32, (*outer, 2), dtype=np.uint64).astype(np.uint32)
    return (key,), {"shape": (*outer, *shape)}


# -- linear algebra ------------------------------------------------------------------------------------------------------


def _matrices(d: Draw, lead: tuple[int, ...], n: int, m: int) -> np.ndarray:
    """Matrices far from singular: ones of the diagonal's size apart from it, in a random order of rows. Real or complex."""
    x = d.random.uniform(-0.4, 0.4, (*lead, n, m))
    dtype = np.dtype(d.dtype("fc").name)
    dtype = dtype if dtype.name in ("float64", "complex128", "complex64") else np.dtype("float32")
    if dtype.kind == "c":
        x = x + 1j * d.random.uniform(-0.4, 0.4, x.shape)
    x[..., range(min(n, m)), range(min(n, m))] += d.random.uniform(1, 2, min(n, m)) * d.of(1, -1)
    return x[..., d.random.permutation(n), :].astype(dtype)


def _lead(d: Draw) -> tuple[int, ...]:
    return d.of((), (), (2,), (2, 1)) if d.smooth else d.of((), (), (3,), (2, 1), (0,))


@samples(ops.TriangularSolveOp)
def _triangular_solve(d: Draw):
    lead, n, m = _lead(d), d.int(d.smooth, 4), d.int(d.smooth, 3)
    flags = ("left_side", "lower", "transpose_a", "conjugate_a", "unit_diagonal")
    params = {name: d.of(True, False) for name in flags}
    b = _matrices(d, lead, *((n, m) if params["left_side"] else (m, n)))
    a = d.random.uniform(-1, 1, (*lead, n, n)).astype(b.dtype)
    if b.dtype.kind == "c":
        a.imag = d.random.uniform(-1, 1, a.shape)
    a[..., range(n), range(n)] = d.random.uniform(1, 3, n)
    return (a, b), params


@samples(ops.CholeskyOp)
def _cholesky(d: Draw):
    lead, n = _lead(d), d.int(d.smooth, 5)
    x = _matrices(d, lead, n, n)
    definite = d.smooth or d.int(0, 3)
    return ((x @ x.swapaxes(-1, -2).conj()) * (1 if definite else -1),), {}


@samples(ops.LuOp)
def _lu(d: Draw):
    return (
        (_matrices(d, _lead(d), d.int(d.smooth, 4), d.int(d.smooth, 4)),),
        {},
        itemgetter(0 if d.smooth else d.int(0, 2)),
    )


@samples(ops.QrOp)
def _qr(d: Draw):
    n, m = d.int(d.smooth, 4), d.int(d.smooth, 4)
    full = d.of(True, False) if n <= m or not d.smooth else False  # columns beyond the range may turn as they like
    return (_matrices(d, _lead(d), n, m),), {"full_matrices": full}, itemgetter(d.int(0, 1))


def _adjoint(x: Node) -> Node:
    return matrices.adjoint(x)


def _scaled(x: Node, by: Node) -> Node:
    """Columns times real factors."""
    return algebra.mul(x, matrices.like(matrices.spread(matrices.row_of(by), x), x))


@samples(ops.EighOp)
def _eigh(d: Draw):
    """Seen by what is unique: the eigenvalues, and functions of the matrix (the square, the identity)."""
    lead, n = _lead(d), d.int(d.smooth, 4)
    x = _matrices(d, lead, n, n)
    views = (
        lambda out: out[1],
        lambda out: matrices.matmul(_scaled(out[0], algebra.mul(out[1], out[1])), _adjoint(out[0])),
        lambda out: matrices.matmul(_adjoint(out[0]), out[0]),
    )
    return (x + x.swapaxes(-1, -2).conj() + np.diag(3 * np.arange(n)).astype(x.dtype),), {}, d.of(*views)


@samples(ops.SvdOp)
def _svd(d: Draw):
    """Seen by what is unique: the singular values, and (with vectors) x times its adjoint times x, u u*, v v*."""
    lead, n, m = _lead(d), d.int(d.smooth, 4), d.int(d.smooth, 4)
    x = _matrices(d, lead, n, m)
    full = d.of(True, False) if n == m or not d.smooth else False
    uv = d.of(True, False)
    k = min(n, m)
    views = [lambda out: out[0]]
    if uv:
        views += [
            lambda out: matrices.matmul(
                _scaled(matrices.columns(out[1], 0, k), algebra.integer_pow(out[0], 3)), matrices.rows(out[2], 0, k)
            ),
            lambda out: matrices.matmul(out[1], _adjoint(out[1])),
            lambda out: matrices.matmul(_adjoint(out[2]), out[2]),
        ]
    return (x,), {"full_matrices": full, "compute_uv": uv}, d.of(*views)

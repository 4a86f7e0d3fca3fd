"""Ops that bring many elements together: reductions, scans, sorting, transforms, contractions."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from sampling.draw import Draw, samples
from weft.dialects.array import ops
from weft.dialects.dtypes import as_dtype


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
    kind = d.of("add", "mul", "max", "min")
    shape = d.of((5,), (2, 4), (1,), (67,), (3, 33)) if d.smooth else d.of((5,), (0, 3), (1,), (2, 70), (33, 2))
    if not d.smooth and kind != "mul":  # products of so many are infinite or nothing, as it comes
        shape = d.of(shape, (263,), (2, 264))
    params = {"kind": kind, "axis": d.int(0, len(shape) - 1), "reverse": d.of(False, True)}
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


def _lines(d: Draw) -> np.ndarray:
    """Lines of numbers with equals among them, some of them long enough to be searched."""
    return d.array((*d.ints(d.int(0, 2), 1, 3), d.of(1, 2, 7, 70, 133)), d.dtype("iufb"))


@samples(ops.ArgselectOp)
def _argselect(d: Draw):
    x = _lines(d)
    return (x, d.random.integers(-1, x.shape[-1] + 1, (*x.shape[:-1], d.int(0, 5)), np.int32)), {}


@samples(ops.ArgleastOp)
def _argleast(d: Draw):
    x = _lines(d)
    return (x,), {"count": d.of(0, 1, x.shape[-1] // 5, x.shape[-1])}


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

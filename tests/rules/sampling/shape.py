"""Ops that move elements: reshaping, slices, padding, windows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sampling.draw import Draw, samples
from weft.dialects.array import ops
from weft.dialects.array.node import aval


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

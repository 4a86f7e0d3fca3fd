"""Gather, scatter, and slices at computed places."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from sampling.draw import Draw, samples
from weft.dialects.array import ops


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

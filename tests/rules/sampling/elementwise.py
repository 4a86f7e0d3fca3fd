"""Elementwise ops, and those that create arrays from nothing but parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from sampling.draw import Draw, samples
from weft.dialects.array import ops
from weft.dialects.array.op import Elementwise
from weft.dialects.dtypes import DType, as_dtype


def _operands(d: Draw, shape: tuple[int, ...], dtypes: list[DType]) -> tuple[np.ndarray, ...]:
    """One operand per dtype, of that shape or (but not all) of rank 0."""
    whole = d.int(0, len(dtypes) - 1)
    return tuple(d.array(shape if k == whole or d.int(0, 3) else (), t) for k, t in enumerate(dtypes))


def elementwise(d: Draw) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
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
    operands, _ = elementwise(d)
    directions = ("eq", "ne") if operands[0].dtype.kind == "c" else ("eq", "ne", "lt", "le", "gt", "ge")
    return operands, {"direction": d.of(*directions)}


@samples(ops.SelectOp)
def _select(d: Draw):
    dtype = d.dtype()
    return _operands(d, d.shape(), [as_dtype("bool"), dtype, dtype]), {}


@samples(ops.IntegerPowOp)
def _integer_pow(d: Draw):
    (x,) = elementwise(d)[0]
    return (x,), {"y": d.int(-3 if as_dtype(x.dtype).is_inexact else 0, 5)}


@samples(ops.ConvertOp)
def _convert(d: Draw):
    return elementwise(d)[0], {"dtype": d.dtype()}


@samples(ops.BitcastOp)
def _bitcast(d: Draw):
    shape, dtype = d.shape(), d.dtype("iufb")
    target = d.of(*(t for t in d.dtypes if t.kind != "c" and (t.bits == dtype.bits or "b" not in t.kind + dtype.kind)))
    pieces = (target.bits // dtype.bits,) if target.bits > dtype.bits else ()
    return (d.array((*shape, *pieces), dtype),), {"dtype": target}


@samples(ops.ReducePrecisionOp)
def _reduce_precision(d: Draw):
    if d.smooth:  # it has steps: only all bits are smooth
        return elementwise(d)[0], {"exponent_bits": 11, "mantissa_bits": 52}
    return elementwise(d)[0], {"exponent_bits": d.int(2, 9), "mantissa_bits": d.int(0, 24)}


@samples(ops.IotaOp)
def _iota(d: Draw):
    shape = d.shape(lo=1)
    return (), {"shape": shape, "dimension": d.int(0, len(shape) - 1), "dtype": d.dtype("iufc")}


@samples(ops.RandomBitsOp)
def _random_bits(d: Draw):
    outer, shape = d.shape(hi=1), d.shape()
    key = d.random.integers(0, 2**32, (*outer, 2), dtype=np.uint64).astype(np.uint32)
    return (key,), {"shape": (*outer, *shape)}

"""Inputs for primitives: for each op a Hypothesis strategy of cases that it accepts.

One sampling rule per family of ops says which shapes and parameters go together; an op that no rule names is
elementwise, and its IRDL definition tells the rest. A case is *wild* (any dtype, empty and size-1 shapes, NaN,
infinities, negative zeros) or *smooth* (float64, inside the op's domain and away from its kinks), for derivatives.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sampling import indexing, linalg, reduction, shape  # noqa: F401  (each registers the rules of its family)
from sampling.draw import DEVICE_DTYPES, DTYPES, SAMPLERS, Case, Draw
from sampling.elementwise import elementwise
from weft.dialects.array import all_ops
from weft.dialects.array.constant import ConstantOp
from weft.dialects.array.op import ArrayOp, Elementwise
from weft.dialects.dtypes import DType

__all__ = ["DEVICE_DTYPES", "DIFFERENTIABLE", "PRIMITIVES", "Case", "cases"]

PRIMITIVES = [op for op in all_ops() if op is not ConstantOp and not op.GRAPHS]  # those with programs: test_control.py
DIFFERENTIABLE = [op for op in PRIMITIVES if not op.NOT_DIFFERENTIABLE]


@st.composite
def cases(draw: Any, op: type[ArrayOp], smooth: bool = False, dtypes: tuple[DType, ...] = DTYPES) -> Case:
    """Cases that an op accepts."""
    d = Draw(draw, op, smooth, dtypes)
    sampler = SAMPLERS.get(op) or (elementwise if issubclass(op, Elementwise) else None)
    assert sampler is not None, f"{op.name} has no sampling rule"
    return Case(op, *sampler(d))

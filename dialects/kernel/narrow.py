"""Integers of 8 and 16 bits in registers of 32.

Both devices keep a narrow integer *sign-extended from its width*, whatever its sign means: signed and unsigned comparisons, extremes and bit logic are right as they are. What may leave the width is brought
back (`GROW`); division, logical shifts, counts and conversions to float want the zero-extended form (`UNSIGNED`).
"""

from __future__ import annotations

from functools import cache

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute

GROW = frozenset(
    {
        *(f"arith.{name}" for name in ("addi", "subi", "muli", "shli", "shrui", "divui", "remui", "trunci")),
        *("arith.fptoui", "arith.fptosi", "math.absi"),
    }
)
"""Ops whose result may leave the width."""

UNSIGNED = frozenset(
    {"arith.shrui", "arith.divui", "arith.remui", "arith.uitofp", "arith.extui", "math.ctlz", "math.ctpop"}
)
"""Ops that read zero-extended operands."""


@cache
def narrow_width(type: Attribute) -> int:
    """The bits of an integer of less than 32, bool excepted; 0 of any other type."""
    width = type.bitwidth if isinstance(type, IntegerType) else 32
    return width if 1 < width < 32 else 0


def sign_extended(value: int, width: int) -> int:
    """A number as the register of a narrow integer holds it."""
    return (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)

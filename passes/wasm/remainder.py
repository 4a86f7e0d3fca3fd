"""The remainder of floats as C's fmod has it, exact for all operands.

While the quotient q has no more bits than a mantissa, trunc(x / y) is at most one off, and x - q * y is computed without rounding: q and y are split into halves whose products a float holds
(Dekker's product, with the halves taken by masks); one step puts right what q was off. Beyond that, which is rare and decided by a branch, the mantissas are divided as integers, a bit at a time,
as by hand: one round for each binary order that x is above y, 2,100 at the most in float64.
"""

from __future__ import annotations

import math

from weft.dialects.wasm.builder import FuncBuilder
from weft.dialects.wasm.code import Value
from weft.passes.wasm.vectors import F32, F64, Vec


def remf(b: FuncBuilder, bits: int, x: Value, y: Value) -> Value:
    """x - trunc(x / y) * y on f32x4 (bits = 32) or f64x2 values, with the sign of x."""
    value = Vec(b, F32 if bits == 32 else F64, x, False)
    a, d = abs(value), abs(value.like(y))
    quotient = (a / d).trunc()
    far = (quotient >= 2.0 ** (value.format.mantissa + 1)) & (a < math.inf) & (d > 0.0)
    with b.if_(far.any()) as branch:
        b.yield_(far.choose(_by_bits(a, d, far), _by_quotient(a, d, quotient)).value)
    with branch.else_():
        b.yield_(_by_quotient(a, d, quotient).value)
    rest = (a < d).choose(a, value.like(branch.result))  # an infinite divisor too
    return d.equals(0.0).choose(math.nan, rest).with_sign_of(value).value


def _by_quotient(a: Vec, d: Vec, quotient: Vec) -> Vec:
    """a - quotient * d and the step that puts it right."""
    high = a.integer(-1 << (12 if a.format is F32 else 27))
    q, e = quotient & high, d & high
    rest = ((a - q * e) - q * (d - e)) - (quotient - q) * e - (quotient - q) * (d - e)
    rest = (rest < 0.0).choose(rest + d, rest)
    return (rest >= d).choose(rest - d, rest)


def _by_bits(a: Vec, d: Vec, far: Vec) -> Vec:
    """Long division, in the lanes of `far`; a is a normal number there, because it is so much greater than d."""
    b, form = a.b, a.format
    assert isinstance(b, FuncBuilder)
    hidden, up = 1 << form.mantissa, form.mantissa + 1
    small = d < form.tiny
    d = small.choose(d * 2.0**up, d)
    rounds = a.shifted_right(form.mantissa).int_sub(d.shifted_right(form.mantissa)).int_add(small & a.integer(up)) & far
    rest, divisor = (v & v.integer(hidden - 1) | v.integer(hidden) for v in (a, d))

    def less_divisor(rest: Vec) -> Vec:
        taken = rest.int_sub(divisor)
        return taken.op(f"{form.ints}.ge_s", taken.integer(0)).choose(taken, rest)

    with b.loop(less_divisor(rest).value, rounds.value) as loop:
        rest, left = (a.like(v) for v in loop.args)
        more = left.op(f"{form.ints}.gt_s", left.integer(0))
        rest = more.choose(less_divisor(rest.shifted_left(1)), rest)
        left = left.int_sub(1)
        b.continue_if(more.any(), rest.value, left.value)
        b.yield_(rest.value)
    rest = a.like(loop.result)
    half = up // 2  # an integer below 2**up as a float: its two halves in the mantissa of a power of two
    one = a.integer(form.bits(2.0**form.mantissa))
    low, high = rest & rest.integer((1 << half) - 1), rest.shifted_right(half)
    whole = ((high | one) - 2.0**form.mantissa) * 2.0**half + ((low | one) - 2.0**form.mantissa)
    power = d & d.integer(form.bits(math.inf))  # d's exponent alone: a product with it may be denormal, and is exact
    found = whole * 2.0**-form.mantissa * power
    return small.choose(found * 2.0**-up, found)

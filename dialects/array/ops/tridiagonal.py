"""Eigenvalues and vectors of real symmetric tridiagonal matrices by divide and conquer, in loops of few and fixed shapes.

The matrix is torn into single elements, and neighbouring blocks are merged two by two: with both diagonal, what joins them is D + rho z zᵀ, whose eigenvalues are the zeros of
1 + rho sum z_j² / (d_j - x), one between each two neighbouring d, and whose vectors are z_j / (d_j - x) (J. Cuppen, "A divide and conquer method for the symmetric tridiagonal
eigenproblem", 1981). All zeros are found at once, each as its distance from the nearer d, so that differences keep their relative accuracy; and for the vectors z is replaced by the
one for which the computed zeros are exact, which makes them orthogonal (M. Gu, S. Eisenstat, "A stable and efficient algorithm for the rank-one modification of the symmetric
eigenproblem", 1994).

Elsewhere equal d and vanishing z are set apart (deflated), which makes sizes depend on data. Here nothing is equal and nothing vanishes: the d count as ulp² apart, beyond
what is between them, and rho and z have least sizes below what rounding leaves. Then the formulas hold as they are, for any matrix. Zeros are found by bisection on the bits of
floats: as many steps as there are bits, whatever the values.
"""

from __future__ import annotations

from math import prod

from weft.dialects.array.node import Node, aval
from weft.dialects.array.op import broadcast, full, literal, zeros
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.algebra import (
    absolute,
    bitcast,
    compare,
    convert,
    div,
    iota,
    logical_and,
    logical_or,
    maximum,
    mul,
    neg,
    pad,
    plus,
    reduce,
    reshape,
    slice_axis,
    sqrt,
    square,
    sub,
    where,
)
from weft.dialects.array.ops.matrices import (
    column_index,
    column_of,
    columns,
    eye,
    fori,
    join,
    matmul,
    panels,
    row_index,
    row_of,
    rows,
    spread,
)
from weft.dialects.array.ops.reduction import CumulateOp
from weft.dialects.dtypes import int32

EPS = {32: 2.0**-23, 64: 2.0**-52}


def diagonalised(d: Node, e: Node) -> tuple[Node, Node]:
    """Ascending eigenvalues (…, n) and vectors (…, n, n) of the matrices with diagonals d (…, n) and, beside these, e (…, n), whose last elements do not count. The
    elements should not be far from 1.
    """
    *lead, n = d.shape
    lines = prod(lead)
    count, width = panels(n)
    size = count * width
    d = reshape(d, (lines, n))
    e = where(compare(iota((lines, n), 1), "lt", n - 1), reshape(e, (lines, n)), 0.0)
    if size > n:  # more rows, whose eigenvalue is beyond all others
        beyond = plus(mul(reduce(plus(absolute(d), mul(absolute(e), 2.0)), "max", (1,)), 4.0), 1.0)
        d = join(d, broadcast(beyond, (lines, size - n), (0,)), axis=-1)
        e = pad(e, 0.0, (0, 0), (0, size - n))
    torn = absolute(e)
    d = sub(sub(d, torn), pad(slice_axis(torn, 1, 0, size - 1), 0.0, (0, 1), (0, 0)))
    shape = (lines * count, width)
    within = where(compare(iota(shape, 1), "lt", width - 1), reshape(e, shape), 0.0)
    w, q = _merged(reshape(d, shape), eye(shape[:1], width, width, d), within, 1)
    if count > 1:
        wide = reshape(q, (lines, count, width, 1, width))
        place = (lines, count, width, count, width)
        same = compare(iota(place, 1), "eq", iota(place, 3))
        q = reshape(where(same, spread(wide, full(0, aval(place, d.dtype))), 0.0), (lines, size, size))
        w, q = _merged(reshape(w, (lines, size)), q, e, width)
    # what counts as equal may come in any order: by less than rounding
    w = CumulateOp.bind(w, kind="max", axis=1, reverse=False)
    return reshape(slice_axis(w, 1, 0, n), (*lead, n)), reshape(columns(rows(q, 0, n), 0, n), (*lead, n, n))


def _merged(d: Node, q: Node, e: Node, size: int) -> tuple[Node, Node]:
    """The eigenvalues and vectors of all, from those of blocks of `size`: (lines, n), (lines, n, n), and what joins neighbours."""
    n = d.shape[1]
    levels = (-(-n // size) - 1).bit_length()

    def step(_: Node, size: Node, d: Node, q: Node) -> tuple[Node, ...]:
        return plus(size, size), *_merge(size, d, q, e)

    _, d, q = fori(levels, step, literal(size, int32), d, q)
    return d, q


def _down(x: Node, like: Node) -> Node:
    """A vector whose element belongs to each row of a matrix."""
    return spread(column_of(x), like)


def _along(x: Node, like: Node) -> Node:
    """A vector whose element belongs to each column of a matrix."""
    return spread(row_of(x), like)


def _merge(size: Node, d: Node, q: Node, e: Node) -> tuple[Node, Node]:
    """One level: blocks of `size` become blocks of twice as many. In matrices here a row belongs to an old value d, and a column to a new one, in ascending order."""
    lines, n = d.shape
    dtype, eps = d.dtype, EPS[d.dtype.bits]
    least = eps * eps
    row, column = row_index(q), column_index(q)
    place = iota((lines, n), 1)
    pair = div(place, plus(size, size))
    begin = mul(pair, plus(size, size))
    middle = plus(begin, size)
    same = compare(_down(pair, q), "eq", _along(pair, q))
    # what joins the halves
    joint = reduce(where(compare(row, "eq", _along(sub(middle, 1), q)), _down(e, q), 0.0), "add", (1,))
    first = compare(place, "lt", middle)
    nearest = where(first, sub(middle, 1), middle)
    z = reduce(where(compare(row, "eq", _along(nearest, q)), q, 0.0), "add", (1,))
    z = where(logical_or(first, compare(joint, "ge", 0.0)), z, neg(z))
    rho = maximum(absolute(joint), least)
    weight = mul(rho, maximum(square(z), (eps / 16) ** 2))
    # the old values in order
    mine, other = _down(d, q), _along(d, q)
    before = logical_or(compare(other, "lt", mine), logical_and(compare(other, "eq", mine), compare(column, "lt", row)))
    rank = plus(begin, reduce(convert(logical_and(same, before), int32), "add", (2,)))
    here = compare(_down(rank, q), "eq", column)
    order = reduce(where(here, mine, 0.0), "add", (1,))
    after = pad(slice_axis(order, 1, 1, n), 0.0, (0, 0), (0, 1))
    last = logical_or(compare(plus(place, 1), "eq", n), compare(plus(place, 1), "eq", plus(middle, size)))

    def beyond(origin: Node, number: Node) -> Node:
        """How far the old values are beyond those of a certain number, given for each column."""
        return _apart(mine, _along(origin, q), convert(sub(_down(rank, q), _along(number, q)), dtype), least)

    def secular(distance: Node, x: Node) -> Node:
        return plus(reduce(div(_down(weight, q), sub(distance, _along(x, q))), "add", (1,)), 1.0)

    far = full(1e30, q)  # what counts for nothing (WGSL knows no infinities)
    # each zero lies between an old value and the next one: from the nearer one it is less than half of the way
    total = reduce(where(same, _down(weight, q), 0.0), "add", (1,))
    way = where(last, mul(total, 1 + 4 * eps), mul(_apart(after, order, full(1.0, d), least), 0.5))
    from_below = where(same, beyond(order, place), far)
    below = logical_or(last, compare(secular(from_below, way), "ge", 0.0))
    origin, number = where(below, order, after), plus(place, convert(compare(below, "eq", False), int32))
    sign = where(below, 1.0, -1.0, like=d)
    distance = where(same, beyond(origin, number), far)
    integer = emit.integer_of(dtype)
    most = bitcast(way, integer)

    def step(_: Node, bit: Node, found: Node) -> tuple[Node, Node]:
        tried = plus(found, bit)
        short = compare(mul(sign, secular(distance, mul(sign, bitcast(tried, dtype)))), "lt", 0.0)
        return div(bit, 2), where(logical_and(compare(tried, "le", most), short), tried, found)

    bits = dtype.bits - 1
    _, found = fori(bits, step, literal(1 << (bits - 1), integer), zeros(aval((lines, n), integer)))
    size_ = maximum(bitcast(found, dtype), 2.0**-126 if dtype.bits == 32 else 2.0**-1022)
    offset = mul(sign, size_)
    # the z for which these zeros are exact, and the vectors
    distance = sub(distance, _along(offset, q))
    gaps = where(here, _down(rho, q), neg(beyond(order, place)))
    exact = sqrt(reduce(where(same, div(neg(distance), where(same, gaps, 1.0)), 1.0), "mul", (2,)))
    exact = where(compare(z, "lt", 0.0), neg(exact), exact)
    v = where(same, div(mul(_down(exact, q), _along(size_, q)), distance), 0.0)
    v = div(v, _along(sqrt(reduce(square(v), "add", (1,))), q))
    return plus(origin, offset), matmul(q, v)


def _apart(x: Node, y: Node, places: Node, least: float) -> Node:
    """x - y, and `least` for each place between them. Equal ones are told apart first: WGSL lets a compiler add in any order."""
    more = mul(places, least)
    return where(compare(x, "eq", y), more, plus(sub(x, y), more))

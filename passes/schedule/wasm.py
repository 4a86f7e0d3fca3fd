"""Chooses schedules for Wasm: 128-bit vectors, 16 of them, two levels of cache.

Three shapes of nest are told apart. A *contraction* (one sum of products) gets a register tile of 4 rows by 2 vectors; what a tile reads is copied into panels first, so that
the inner loop reads straight on. Everything else gets lanes along the axis in which most buffers are contiguous, and a few vectors of independent work. Nests that write
where data decides stay as they are. Numbers here are measured: 14 vectors may be live before Cranelift spills, a panel should fit the first cache and a block of rows the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerType
from xdsl.ir import Operation, SSAValue

from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp
from weft.passes.schedule.steps import (
    IDEMPOTENT,
    Keep,
    Level,
    Order,
    Outline,
    Schedule,
    Split,
    Stage,
    Step,
)
from weft.passes.schedule.view import View

ROWS = 4  # rows of a register tile
VECTORS = 2  # vectors of a row
STEPS = (3, 5, 2)  # of a tile's innermost reduction that are written one after the other, best first
CACHE = 1 << 19  # bytes of the second cache that may be filled
BLOCK_BYTES = 1 << 18  # of a block of rows: half of the second cache
DOT_ROWS, DOT_COLUMNS = (
    3,
    2,
)  # results of a tile of dot products: with masks for the tail, 4 by 2 leave no register over (18 instead of 28 GFLOP/s)
STRAIGHT = 8  # steps of a dot product that are written one after the other
WORK = 1 << 20  # elements of a reduction from which on it may be split
PIECE = 1 << 15  # elements of a piece of contiguous memory
FEW = 16  # results of a reduction over contiguous memory from which on threads have enough to share
THREADS = 64  # results that threads can share
LINES = 64  # rows of a piece of a sum over rows, at least
PAGE = 1024  # elements of a page of memory, at most
PAGES = 128  # rows that each lie in a page of their own, in a piece: more than a processor keeps the addresses of cost a walk through its tables for every element
SMALL = 64  # points of a nest below which a schedule is not worth compiling
KEEP_BYTES = 1 << 16

EXPENSIVE = frozenset(
    f"math.{f}"
    for f in [
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "asin",
        "acos",
        "atan",
        "atan2",
        "asinh",
        "acosh",
        "atanh",
        "erf",
        "powf",
        "cbrt",
    ]
)


def choose(nest: NestOp) -> Schedule:
    """A schedule for one nest."""
    view = View.of(nest)
    scattered = any(s.combine is not None or s.symbols for s in view.stores)
    if scattered or prod(a.extent for a in nest.axes.data) < SMALL:
        return ()
    return contraction(view) or matvec(view) or general(view)


def pieces(view: View, reduction: ReduceOp) -> int:
    """Into how many pieces a reduction is cut (1: none): enough for threads to share, and sums over rows that reach into a few pages at a time."""
    reduced = prod(view.axes[n].extent for n in reduction.axes)
    results = prod(view.axes[n].extent for n in view.depends[reduction.result])
    if reduced * results < WORK:
        return 1
    if (tiled := contraction(view)) is not None:
        # every tile of dot products reads both factors from the start: pieces of them stay in the second cache
        read = sum(4 * prod(load.buffer.type.get_shape()) for load in view.loads)  # type: ignore[attr-defined]
        dots = not {Level(f"{n}1", "lane") for n in reduction.axes}.isdisjoint(tiled)
        return -(-read // CACHE) if dots and results * 4 < CACHE else 1
    if any(view.stride(load, n) == 1 for load in view.loads for n in reduction.axes):
        return min(reduced // PIECE, max(1, 4 * PIECE // results)) if results < FEW else 1
    return max(min(reduced // LINES, THREADS // results), reduced // PAGES if results >= PAGE else 1)


def lanes(view: View) -> int:
    """How many lanes a vector has: 4 of 32 bits, 2 of 64, or 1 where the body mixes widths."""
    values = [v for op in view.nest.block.ops for v in (*op.results, *op.operands) if v.type is not None]
    types = {v.type for v in values if not hasattr(v.type, "element_type")}
    wide = {t for t in types if isinstance(t, Float64Type) or (isinstance(t, IntegerType) and t.bitwidth == 64)}
    if not wide:
        return 4
    rest = {t for t in types - wide if not (isinstance(t, IntegerType) and t.bitwidth == 1)}
    return 1 if rest or any(isinstance(t, IntegerType) for t in wide) else 2


# -- sums of products ---------------------------------------------------------------------------------------------------------------------------


def contraction(view: View) -> Schedule | None:
    """The schedule of a matmul or a convolution, if the nest is one that repays copying its operands."""
    if (found := _product(view)) is None:
        return None
    reduction, a, b, width = found
    best: tuple[int, LoadOp, LoadOp, Axis, Axis] | None = None
    for rows_of, columns_of in ((a, b), (b, a)):
        mine, other = view.depends[rows_of.result], view.depends[columns_of.result]
        rows = [view.axes[n] for n in mine - other - set(reduction.axes)]
        columns = [view.axes[n] for n in other - mine - set(reduction.axes)]
        columns = [
            c for c in columns if c.extent >= width and all(view.stride(s, c.name) is not None for s in view.stores)
        ]
        if not rows or not columns:
            continue
        row = max(rows, key=lambda r: (r.extent, r.name))
        column = max(
            columns,
            key=lambda c: (view.stride(view.stores[0], c.name) == 1, view.stride(columns_of, c.name) == 1, c.extent),
        )
        score = (
            (view.stride(view.stores[0], column.name) == 1) * 4
            + (view.stride(columns_of, column.name) == 1) * 2
            + (row.extent >= ROWS)
        )
        if row.extent >= 2 and (best is None or score > best[0]):
            best = score, rows_of, columns_of, row, column
    if best is None or best[0] < 4:
        return _dots(view, reduction, a, b, width)
    _, rows_of, columns_of, row, column = best
    return _tile(view, reduction, rows_of, columns_of, row, column, width)


def _product(view: View) -> tuple[ReduceOp, LoadOp, LoadOp, int] | None:
    """The one sum of products of a nest, its factors, and how many lanes a vector of them has."""
    if len(view.reductions) != 1 or lanes(view) == 1:
        return None
    reduction = view.reductions[0]
    product = reduction.value.owner
    if reduction.kind.data != "add" or not isinstance(product, arith.MulfOp):
        return None
    a, b = _source(product.lhs), _source(product.rhs)
    if a is None or b is None or a is b or a.symbols or b.symbols:
        return None
    return reduction, a, b, lanes(view)


def _source(value: SSAValue) -> LoadOp | None:
    """The load that a factor is (behind a widening conversion)."""
    op = value.owner
    if isinstance(op, arith.ExtFOp):
        op = op.operands[0].owner
    return op if isinstance(op, LoadOp) else None


def _tile(
    view: View, reduction: ReduceOp, rows_of: LoadOp, columns_of: LoadOp, row: Axis, column: Axis, width: int
) -> Schedule:
    steps: list[Step] = []
    depth = prod(view.axes[n].extent for n in reduction.axes)
    rows = min(ROWS, row.extent)
    vectors = min(VECTORS, column.extent // width)
    # a block of rows that stays in the second cache while all columns pass
    block = max(1, min(16, BLOCK_BYTES // max(1, depth * 4 * rows))) * rows
    blocks = -(-row.extent // block)
    block = min(-(-row.extent // blocks // rows) * rows, row.extent // rows * rows)
    i, j = row.name, column.name
    others = [a.name for a in view.nest.axes.data if a.role == "par" and a.name not in (i, j)]
    steps += [Split(i, block), Split(f"{i}1", rows), Split(j, vectors * width), Split(f"{j}1", width)]
    i0, tiles, ir, j0, jr, jl = f"{i}0", f"{i}10", f"{i}11", f"{j}0", f"{j}10", f"{j}11"
    closed = list(reduction.axes)
    mine = {load: view.depends[load.result] for load in (rows_of, columns_of)}
    copy_columns = row.extent >= 2 * ROWS and columns_of.conditions is None and not _overlapping(view, columns_of)
    boxed = columns_of.conditions is not None and _is_border(columns_of)
    shared_rows = blocks == 1 and mine[rows_of].isdisjoint(others)
    used = column.extent * (prod(view.axes[n].extent for n in others) if shared_rows else 1)  # how often a copy is
    copy_rows = (
        (shared_rows or blocks > 1)
        and used >= 4 * width
        and rows_of.conditions is None
        and not _overlapping(view, rows_of)
    )
    # The innermost reduction loop runs some steps straight. Each step moves the tile's sums to other registers (Cranelift's multiply-add overwrites a factor, not the sum), and
    # three leave no move over: 1024³ runs at 84 % of the ceiling with three steps, rows before vectors or after them, at 46 % or 78 % with two, at 62 % with one.
    deepest = view.axes[closed[-1]]
    if deepest.extent < 8 and deepest.extent not in STEPS[:2]:
        deepest = max((view.axes[c] for c in closed), key=lambda a: a.extent)
        closed.remove(deepest.name)
        closed.append(deepest.name)
    padded = copy_columns and copy_rows and deepest.extent > 16
    straight = next((n for n in STEPS if deepest.extent % n == 0 or (padded and n == STEPS[0])), 1)
    if straight > 1:
        steps += [
            Split(deepest.name, straight, "zero" if deepest.extent % straight else "clamp"),
            Level(f"{deepest.name}1", "unroll"),
        ]
        closed[-1:] = [f"{deepest.name}0", f"{deepest.name}1"]
    order = [*others, i0, j0, tiles, *closed, *((jr, ir) if straight == 2 else (ir, jr)), jl]
    steps += [Order(tuple(order)), Level(ir, "reg"), Level(jr, "reg"), Level(jl, "lane")]
    parts = {i: (i0, tiles, ir), j: (j0, jr, jl), deepest.name: tuple(c for c in closed if c.startswith(deepest.name))}
    extents = {n: a.extent for n, a in view.axes.items()} | {
        i0: blocks,
        tiles: block // rows,
        j0: -(-column.extent // (vectors * width)),
    }
    loops = [n for n in (*others, i0, j0, tiles) if extents[n] > 1]
    if loops:
        steps += [Level(loops[0], "grid"), Outline(loops[-1])]

    def panel(load: LoadOp, inner: Sequence[str], opened: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
        """The axes of a copy in the order in which it is read; those of `opened` loops are fixed while it lives."""
        all_ = [p for n in mine[load] for p in parts.get(n, (n,))]
        names = [n for n in order if n in all_ and n not in inner and n not in opened]
        return (("panel", ",".join([*names, *(n for n in inner if n in all_)])),)

    if copy_columns:
        steps.append(Stage(view.loads.index(columns_of), "entry", panel(columns_of, (jr, jl))))
    elif boxed:
        steps.append(Stage(view.loads.index(columns_of), "entry", (("box", "padded"),)))
    if copy_rows:
        at = "entry" if shared_rows else i0
        steps.append(Stage(view.loads.index(rows_of), at, panel(rows_of, (ir,), () if shared_rows else (*others, i0))))
    return tuple(steps)


def _dots(view: View, reduction: ReduceOp, a: LoadOp, b: LoadOp, width: int) -> Schedule | None:
    """A sum of products whose results are not side by side (the gradient of a convolution's weights): lanes run along the sum, which must be contiguous in both factors, and a
    tile of results is in registers."""
    closed = [view.axes[n] for n in reduction.axes]
    along = [c for c in closed if c.extent >= width and view.stride(a, c.name) == view.stride(b, c.name) == 1]
    mine, other = (view.depends[x.result] - set(reduction.axes) for x in (a, b))
    pairs = [
        tuple(max((view.axes[n] for n in only), key=lambda g: (g.extent, g.name)) for only in order)
        for order in ((mine - other, other - mine), (other - mine, mine - other))
        if all(order)
    ]
    tile = next(
        ((row, column) for row, column in pairs if row.extent >= DOT_ROWS and column.extent >= DOT_COLUMNS), None
    )
    padded = [x for x in (a, b) if x.conditions is not None]
    if not along or tile is None or not all(map(_is_border, padded)):
        return None
    lane = max(along, key=lambda c: c.extent)
    row, column = tile
    steps: list[Step] = [Split(row.name, DOT_ROWS), Split(column.name, DOT_COLUMNS), Split(lane.name, width)]
    steps += [Level(f"{row.name}1", "reg"), Level(f"{column.name}1", "reg"), Level(f"{lane.name}1", "lane")]
    if -(-lane.extent // width) <= STRAIGHT:  # then only the last step has a tail to mask
        steps.append(Level(f"{lane.name}0", "unroll"))
    tiled = {row.name: f"{row.name}0", column.name: f"{column.name}0"}
    loops = [tiled.get(n.name, n.name) for n in view.nest.axes.data if n.role == "par"]
    sums = [n.name for n in closed if n is not lane] + [f"{lane.name}0"]
    steps.append(Order((*loops, *sums, f"{row.name}1", f"{column.name}1", f"{lane.name}1")))
    steps += [Stage(view.loads.index(x), "entry", (("box", "padded"),)) for x in padded]
    counts = {f"{row.name}0": -(-row.extent // DOT_ROWS), f"{column.name}0": -(-column.extent // DOT_COLUMNS)}
    outer = next((n for n in loops if counts.get(n, view.axes[n].extent if n in view.axes else 1) > 1), None)
    return (*steps, Level(outer, "grid")) if outer is not None else tuple(steps)


def matvec(view: View) -> Schedule | None:
    """The schedule of a matrix times a vector: lanes run along the rows, of which some are summed up side by side, so that the vector is read once for all of them."""
    if (found := _product(view)) is None:
        return None
    reduction, a, b, width = found
    mine, other = (view.depends[x.result] - set(reduction.axes) for x in (a, b))
    lane, matrix = view.axes[reduction.axes[-1]], a if mine - other else b
    rows = [  # windows that overlap (a convolution) have their lanes along the results
        view.axes[n]
        for n in view.axes
        if n in mine ^ other and view.axes[n].extent >= ROWS and (view.stride(matrix, n) or 0) >= lane.extent
    ]
    if (
        len(reduction.axes) > 1
        or not rows
        or (mine - other and other - mine)
        or lane.extent < 4 * width
        or not view.stride(a, lane.name) == view.stride(b, lane.name) == 1
        or a.conditions is not None
        or b.conditions is not None
    ):
        return None
    row = rows[-1]
    loops = [f"{a.name}0" if a is row else a.name for a in view.axes.values() if a.role == "par"]
    steps = (
        Split(row.name, ROWS),
        Split(lane.name, width),
        Level(f"{row.name}1", "reg"),
        Level(f"{lane.name}1", "lane"),
        Order((*loops, f"{lane.name}0", f"{row.name}1", f"{lane.name}1")),
    )
    extents = {n: a.extent for n, a in view.axes.items()} | {f"{row.name}0": -(-row.extent // ROWS)}
    outer = next((n for n in loops if extents[n] > 1), None)
    return (*steps, Level(outer, "grid")) if outer is not None else steps


def _is_border(load: LoadOp) -> bool:
    """Whether the conditions of a load say no more than where its buffer ends (padding)."""
    shape = load.buffer.type.get_shape()  # type: ignore[attr-defined]
    ends = {(e, 0, n) for e, n in zip(load.map.data, shape, strict=True)}
    return load.conditions is not None and all(tuple(c) in ends for c in load.conditions.data)


def _overlapping(view: View, load: LoadOp) -> bool:
    """Whether neighbouring results read the same elements (a convolution's window): a panel would hold them many times."""
    shape = load.buffer.type.get_shape()  # type: ignore[attr-defined]
    points = prod(view.axes[n].extent for n in view.depends[load.result])
    return points > prod(shape)


# -- everything else ----------------------------------------------------------------------------------------------------------------------------


def general(view: View) -> Schedule:
    """Lanes along the most contiguous axis, some vectors in registers, threads over the outermost parallel loop."""
    steps: list[Step] = []
    axes = [a for a in view.nest.axes.data if a.extent != 1]
    parallel = [a for a in axes if a.role == "par"]
    order = parallel + [a for a in axes if a.role == "red"]
    names = [a.name for a in order]
    width = lanes(view)
    lane = _lane_axis(view, axes, width) if width > 1 else None
    if lane is not None:
        vectors = _vectors(view, lane, width)
        factor = vectors * width
        steps.append(Split(lane.name, factor))
        inner = [f"{lane.name}1"]
        if vectors > 1:
            steps.append(Split(f"{lane.name}1", width))
            inner = [f"{lane.name}10", f"{lane.name}11"]
            steps.append(Level(inner[0], "reg"))
        steps.append(Level(inner[-1], "lane"))
        names = [n if n != lane.name else f"{lane.name}0" for n in names] + inner
    if names != [a.name for a in view.nest.axes.data]:
        steps.append(Order(tuple(names)))
    if parallel:
        outer = parallel[0]
        loops = {a.name: f"{a.name}0" if a is lane else a.name for a in parallel}
        if lane is not None and lane.extent <= _vectors(view, lane, width) * width:
            loops.pop(lane.name, None)  # one round is no loop
        if outer.name in loops:
            steps.append(Level(loops[outer.name], "grid"))
        steps += _keeps(view, loops)
    return tuple(steps)


def _lane_axis(view: View, axes: Sequence[Axis], width: int) -> Axis | None:
    """The axis along which most accesses are contiguous; stores count twice, and an access that jumps counts against it. Each counts as often as it happens: of a sum over
    rows, the loads, not the store of the result. No axis, if along each the accesses jump: then lanes are only put together and taken apart.
    """
    best, best_score = None, -1.0
    accesses = [*((load, 1, view.depends[load.result]) for load in view.loads)]
    accesses += [(store, 2, view.depends[store]) for store in view.stores]
    points = [prod(view.axes[n].extent for n in on) for _, _, on in accesses]
    most = max(points, default=1)
    for axis in axes:
        if axis.extent < width:
            continue
        score = 0.0
        for (op, weight, _), often in zip(accesses, points, strict=True):
            step = view.stride(op, axis.name)
            jump = -0.25 if weight == 1 and step in (-1, 2, 3) else -1
            score += (weight if step == 1 else 0 if step == 0 else jump) * often / most
        if any(axis.name in view.depends[s] for s in view.stores):
            score += 0.5
        if score > best_score:
            best, best_score = axis, score
    return best


def _vectors(view: View, lane: Axis, width: int) -> int:
    """How many vectors side by side: more where the body is light, as many as the extent holds."""
    ops = sum(
        1
        for op in view.nest.block.ops
        if op.name.startswith(("arith.", "math.")) and not isinstance(op, arith.ConstantOp)
    )
    heavy = sum(1 for op in view.nest.block.ops if op.name in EXPENSIVE)
    # a load that tests each lane counts as nine: two such vectors side by side are as fast as four, and half of the code
    ops += 9 * sum(
        any(lane.name in c.expr.dims() for c in load.conditions.data) for load in view.loads if load.conditions
    )
    wanted = 1 if heavy > 1 or ops > 24 else 2 if heavy or ops > 8 else 4
    summing = [r for r in view.reductions if lane.name in r.axes and r.kind.data not in IDEMPOTENT]
    while wanted > 1 and (
        lane.extent < wanted * width or (summing and lane.extent % (wanted * width) and lane.extent % width == 0)
    ):
        wanted //= 2
    return wanted


def _keeps(view: View, loops: Mapping[str, str]) -> list[Step]:
    """Values that are dear, made for one reduction and needed again after it: kept for the row, in the innermost of the loops (by axis) that the reductions run in."""
    ops: list[Operation] = list(view.nest.block.ops)
    rank: dict[object, int] = {}
    for op in ops:
        found = max((rank.get(v, 0) for v in op.operands), default=0)
        for v in (*op.results, op):
            rank[v] = found + isinstance(op, ReduceOp)
    steps: list[Step] = []
    closed = {name for r in view.reductions for name in r.axes}
    for k, op in enumerate(ops):
        if op.name not in EXPENSIVE or not isinstance(op.results[0].type, (Float32Type, Float64Type)):
            continue
        row = view.depends[op.results[0]] & closed
        size = prod(view.axes[n].extent for n in row) * 8
        users = [use.operation for use in op.results[0].uses]
        later = any(rank[u] - isinstance(u, ReduceOp) > rank[op] for u in users)
        around = [
            [loop for axis, loop in loops.items() if axis in view.depends[u]] for u in users if isinstance(u, ReduceOp)
        ]
        if row and size <= KEEP_BYTES and later and around and all(around):
            steps.append(Keep(k, min((own[-1] for own in around), key=list(loops.values()).index)))
    return steps

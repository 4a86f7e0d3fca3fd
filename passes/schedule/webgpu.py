"""Chooses schedules for WebGPU, within the limits of an adapter.

Four shapes of nest are told apart. A *contraction* (a sum of products: matmul, convolution) gets a tile a workgroup, its operands staged in workgroup memory, and a block of
results a thread. A *row* reduction along contiguous memory is shared by the invocations of a workgroup; where its values are needed again (softmax), they stay in registers.
A *transposition* goes through a staged tile, so that both sides move whole vectors. Everything else is *flat*: an invocation for each result, or four results where they lie side
by side. Numbers here are measured on an NVIDIA H200; where data decides what is written, the nest stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, i32, i64

from weft.dialects.gpu.ops import WORDWISE
from weft.dialects.kernel.affine import Dim, linearize
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.host import RepeatOp
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp
from weft.passes.schedule.steps import Level, Loops, Order, Schedule, Split, Stage, Step
from weft.passes.schedule.view import View


@dataclass(frozen=True)
class Adapter:
    """What a schedule may use. The defaults are what WebGPU guarantees."""

    invocations: int = 256
    workgroup_bytes: int = 16384
    buffers: int = 8


GUARANTEED = Adapter()
current: ContextVar[Adapter] = ContextVar("adapter", default=GUARANTEED)
"""The adapter that is compiled for."""


class Block(NamedTuple):
    """A tile of `tall` by `wide` results, multiplied `depth` deep at a time by threads that have `down` rows and `across` vectors each."""

    tall: int
    wide: int
    down: int
    across: int
    depth: int

    @property
    def threads(self) -> int:
        return (self.tall // self.down) * (self.wide // (4 * self.across))


BLOCKS = (
    Block(128, 256, 8, 4, 8),
    Block(128, 128, 8, 2, 8),
    Block(64, 64, 8, 1, 16),
    Block(32, 64, 4, 1, 16),
    Block(32, 32, 2, 1, 16),
    Block(16, 16, 2, 1, 16),
)
"""What a matmul is cut into: the first that leaves enough tiles for all multiprocessors."""

PATCHES = ((2, 64), (2, 56), (2, 48), (2, 32), (2, 16), (2, 8), (1, 28), (1, 24), (1, 12), (1, 8))
"""What a convolution's row is cut into: vectors of a thread, and pixels."""

PAD = 4  # elements more in a row of staged weights: written across, their rows would meet in one bank of memory
TILES = 100  # so many are enough
LONG = 64  # a reduction from which on the invocations of a workgroup share it
THREADS = 256  # of a workgroup in kernels that move data: with fewer, starting workgroups takes longer than their work
EACH = 2  # vectors of each of these threads
BUSY = 1 << 17  # vectors from which on this is worth a word
UNROLL = 8  # steps of a reduction that an invocation of a lone workgroup has on their way at once
REGISTERS = 8  # vectors of a row that one invocation keeps
WORK = 1 << 17  # elements of a reduction from which on it may be split
PIECE = 16384  # elements of a piece that a workgroup shares: 8 vectors for each invocation, all on their way at once
FEW = 1024  # results from which on workgroups that share a reduction are enough
FULL = 1 << 16  # invocations that fill the machine
STEPS = 64  # of a piece that an invocation has by itself, at least
DEPTH = 64  # of a piece of a sum of products in tiles, at least


def choose(nest: NestOp, adapter: Adapter | None = None) -> Schedule:
    """A schedule for one nest."""
    adapter = adapter or current.get()
    view = View.of(nest)
    if any(a.extent == 0 for a in view.axes.values()):
        return ()
    if any(s.combine is not None and s.combine.data not in WORDWISE and s.value.type == i64 for s in view.stores):
        return tuple(Level(a.name, "loop") for a in view.axes.values())  # one after the other: no atomic is so wide
    if any(s.combine is not None or s.symbols for s in view.stores):
        return ()
    if isinstance(nest.parent_op(), RepeatOp):
        return within(view)
    return (
        contraction(view, adapter)
        or transposition(view, adapter)
        or rows(view, adapter)
        or shared(view, adapter)
        or flat(view)
    )


def pieces(view: View, reduction: ReduceOp) -> int:
    """Into how many pieces a reduction is cut (1: none): as many as fill the machine, while each is worth its invocations.

    What fills the machine is asked of the schedule that the nest would get.
    """
    reduced = prod(view.axes[n].extent for n in reduction.axes)
    results = prod(view.axes[n].extent for n in view.depends[reduction.result])
    if reduced * results < WORK or reduced < 2 * STEPS:
        return 1
    loops = Loops(list(view.axes.values()))
    for step in choose(view.nest):
        loops.apply(step)
    shared = any(a.level == "group" for a in loops.axes)
    if shared and contiguous(view, reduction):
        return min(reduced // PIECE, max(1, 4 * PIECE // results)) if results < FEW else 1
    busy = [a.extent for a in loops.axes if a.level in ("grid", "local") or (a.level == "none" and a.role == "par")]
    invocations = -(-results // 4) if shared else prod(busy)
    return min(reduced // (DEPTH if loops.stages else STEPS), FULL // invocations)


# -- asking -----------------------------------------------------------------------------------------------------------------------------------


def movable(view: View, op: LoadOp) -> bool:
    """Whether a load can be staged: each dimension of its buffer follows sums of axes, its conditions are about dimensions."""
    exprs = op.map.data
    plain = all(isinstance(atom, Dim) for e in exprs for atom, _ in e.terms)
    tests = op.conditions.data if op.conditions is not None else ()
    return plain and not op.symbols and all(any((c.expr - e).is_constant for e in exprs) for c in tests)


def widest(view: View) -> LoadOp:
    """The load that most memory is read by."""
    return max(view.loads, key=lambda x: prod(view.axes[n].extent for n in view.depends[x.result]))


def rereads(view: View) -> list[str]:
    """Short axes of results that need the same of what is read most: one invocation reads it once for all of them."""
    found: list[str] = []
    if not view.reductions or not view.loads:
        return found
    stored = {n for s in view.stores for n in view.depends[s]}
    if any(n in stored for r in view.reductions for n in r.axes):  # a row that is needed again
        return found
    read, count = view.depends[widest(view).result], 1
    for axis in view.axes.values():
        if axis.role == "par" and axis.name not in read and 1 < axis.extent < 16 and count * axis.extent <= 16:
            found.append(axis.name)
            count *= axis.extent
    return found


def contiguous(view: View, reduction: ReduceOp) -> bool:
    """Whether most of what is read lies side by side along a reduction."""
    return bool(view.loads) and any(view.stride(widest(view), n) == 1 for n in reduction.axes)


def dimension(op: LoadOp, axis: str) -> int | None:
    """The one dimension of the buffer that an axis moves along."""
    found = [d for d, e in enumerate(op.map.data) if axis in e.dims()]
    return found[0] if len(found) == 1 else None


def box(load: LoadOp, spans: dict[str, int]) -> int:
    """Elements of the box that a load reads while axes take so many values; others stand still."""
    return prod(
        1 + sum(abs(c) * (spans.get(d.name, 1) - 1) for d, c in e.terms if isinstance(d, Dim)) for e in load.map.data
    )


def slides(op: LoadOp, axis: str, closed: Collection[str]) -> bool:
    """Whether an axis and one of the closed axes move along the same dimension of the buffer."""
    return any(axis in e.dims() and not e.dims().isdisjoint(closed) for e in op.map.data)


def innermost(op: LoadOp, d: int) -> tuple[str, str]:
    """The option that lays a tile out with dimension `d` innermost."""
    return "dims", ",".join(map(str, [*(k for k in range(len(op.map.data)) if k != d), d]))


def pairs(view: View) -> bool:
    """Whether a nest has integers of 64 bits, which are pairs already: there are no vectors of them."""
    return any(r.type == i64 for op in view.nest.block.ops for r in op.results)


def vectors_along(view: View, axis: Axis) -> bool:
    """Whether vectors along an axis are whole ones in every access that moves with it."""
    steps = [view.stride(op, axis.name) for op in (*view.loads, *view.stores)]
    return not pairs(view) and axis.extent % 4 == 0 and all(s in (0, 1) for s in steps) and 1 in steps


def padded_along(view: View, name: str) -> bool:
    """Whether every access is the element that the axis counts, or none of it: vectors may then run into what pads the buffers."""
    accesses = (*view.loads, *view.stores)
    flats = [linearize(op.map.data, op.buffer.type.get_shape()) for op in accesses]  # type: ignore[union-attr]
    whole = all(f == view.axes[name].expr or name not in f.dims() for f in flats)
    words = all(op.buffer.type.element_type in (Float32Type(), i32) for op in accesses)  # type: ignore[union-attr]
    return whole and words and all(op.conditions is None and not op.symbols for op in accesses)


# -- sums of products -------------------------------------------------------------------------------------------------------------------------


def contraction(view: View, adapter: Adapter) -> Schedule | None:
    """The schedule of a matmul or a convolution that is large enough to fill tiles."""
    if len(view.reductions) != 1 or len(view.loads) < 2:
        return None
    reduction = view.reductions[0]
    product = reduction.value.owner
    if reduction.kind.data != "add" or not isinstance(product, arith.MulfOp) or reduction.result.type != Float32Type():
        return None
    factors = [v.owner for v in product.operands]
    if not all(isinstance(f, LoadOp) and movable(view, f) for f in factors) or factors[0] is factors[1]:
        return None
    closed = set(reduction.axes)
    for a, b in (factors, factors[::-1]):
        assert isinstance(a, LoadOp) and isinstance(b, LoadOp)
        if (made := correlation(view, adapter, a, b)) is not None:
            return made
        mine, other = view.depends[a.result] - closed, view.depends[b.result] - closed
        columns = [n for n in other - mine if all(view.stride(s, n) == 1 for s in view.stores)]
        lines = sorted(mine - other, key=lambda n: -view.axes[n].extent)
        if len(columns) == 1 and lines:
            row, column = view.axes[lines[0]], view.axes[columns[0]]
            if min(row.extent, column.extent) < 16 or prod(view.axes[n].extent for n in closed) < 16:
                continue
            rest = other - mine - {column.name}
            window = [n for n in rest if slides(b, n, closed)]
            made = convolution(view, adapter, a, b, row, column, view.axes[window[0]]) if window else None
            if window and made:
                return made
            if not window:
                return matmul(view, adapter, a, b, row, column)
    return None


def matmul(view: View, adapter: Adapter, a: LoadOp, b: LoadOp, row: Axis, column: Axis) -> Schedule | None:
    """Tiles of rows by columns; a thread has `down` rows and `across` vectors of columns. The next tiles are fetched while the present ones are multiplied."""
    closed = view.reductions[0].axes
    k = max((view.axes[n] for n in closed), key=lambda x: x.extent)
    da, db = dimension(a, row.name), dimension(b, column.name)
    if da is None or db is None:
        return None
    others = [x.name for x in view.axes.values() if x.role == "par" and x.name not in (row.name, column.name)]
    batch = prod(view.axes[n].extent for n in others)

    def fits(block: Block) -> bool:
        """Whether an adapter can run a block, and the matrix holds one."""
        fetched = 8 * block.depth * (block.tall + block.wide)
        small = block.tall <= row.extent and block.wide <= column.extent
        return small and block.threads <= adapter.invocations and fetched <= adapter.workgroup_bytes

    def tiles(block: Block) -> int:
        return -(-row.extent // block.tall) * -(-column.extent // block.wide) * batch

    possible = [block for block in BLOCKS if fits(block)]
    if not possible:
        return None
    tall, wide, down, across, depth = next((b for b in possible if tiles(b) >= TILES), possible[-1])
    depth = min(depth, k.extent)
    if k.extent % depth and not all(any((e - k.expr).is_constant for e in x.map.data) for x in (a, b)):
        # by a whole dimension alone could a tile tell what the last step lacks
        depth = max(d for d in range(1, depth) if k.extent % d == 0)
    i, j = row.name, column.name
    steps: list[Step] = [
        Split(i, tall),
        Split(f"{i}1", down),
        Split(j, wide),
        Split(f"{j}1", 4),
        Split(f"{j}10", wide // (4 * across)),
    ]
    i0, il, ir = f"{i}0", f"{i}10", f"{i}11"
    j0, jr, jl, lane = f"{j}0", f"{j}100", f"{j}101", f"{j}11"
    steps.append(Split(k.name, depth, "zero" if k.extent % depth else "clamp"))
    k0, k1 = f"{k.name}0", f"{k.name}1"
    steps += [Level(n, "grid") for n in (*others, i0, j0)] + [
        Level(il, "local"),
        Level(jl, "local"),
        Level(ir, "reg"),
        Level(jr, "reg"),
    ]
    steps += [
        Level(lane, "lane"),
        Level(k1, "unroll"),
        *(Level(n, "loop") for n in closed if n != k.name),
        Level(k0, "loop"),
    ]
    steps.append(Order((*others, i0, j0, il, jl, *(n for n in closed if n != k.name), k0, k1, ir, jr, lane)))
    number = view.loads.index
    steps.append(Stage(number(a), k0, (innermost(a, da), ("pipe", "1"))))
    steps.append(Stage(number(b), k0, (innermost(b, db), ("pipe", "1"))))
    return tuple(steps)


def convolution(
    view: View, adapter: Adapter, a: LoadOp, b: LoadOp, row: Axis, column: Axis, height: Axis
) -> Schedule | None:
    """Tiles of channels by a patch of the image; the window slides over the patch in workgroup memory."""
    closed = view.reductions[0].axes
    channel = max((view.axes[n] for n in closed), key=lambda x: x.extent)
    window = [view.axes[n] for n in closed if n != channel.name]
    da = dimension(a, row.name)
    if da is None or dimension(b, column.name) is None or prod(w.extent for w in window) > 49 or column.extent < 8:
        return None
    across, wide = min(
        ((a, w) for a, w in PATCHES if w <= column.extent),
        key=lambda p: (-(-column.extent // p[1]) * p[1], -p[0], -p[1]),
    )
    down = 8
    tall = 64 if row.extent >= 64 else 32 if row.extent >= 32 else 16
    threads = (tall // down) * (wide // (4 * across))
    high = next((h for h in (8, 4, 2, 1) if h <= height.extent and h * threads <= adapter.invocations), None)
    if high is None:
        return None

    for depth, pipe in ((8, 1), (4, 1), (8, 0), (4, 0), (2, 0), (1, 0)):
        spans = {row.name: tall, column.name: wide, height.name: high, channel.name: depth} | {
            w.name: w.extent for w in window
        }
        if (
            depth <= channel.extent
            and 4 * (1 + pipe) * (box(a, spans) // tall * (tall + PAD) + box(b, spans)) <= adapter.workgroup_bytes
        ):
            break
    else:
        return None
    i, j, h, c = row.name, column.name, height.name, channel.name
    others = [x.name for x in view.axes.values() if x.role == "par" and x.name not in (i, j, h)]
    il, ir, hl, jl, jr, lane = f"{i}10", f"{i}11", f"{h}1", f"{j}100", f"{j}101", f"{j}11"
    steps: list[Step] = [Split(i, tall), Split(f"{i}1", down), Split(h, high)]
    steps += [Split(j, wide), Split(f"{j}1", 4), Split(f"{j}10", across)]
    steps.append(Split(c, depth, "zero" if channel.extent % depth else "clamp"))
    grid, local, points = (*others, f"{i}0", f"{h}0", f"{j}0"), (il, hl, jl), (ir, jr)
    inner = [w.name for w in window]
    steps += [
        *(Level(n, "grid") for n in grid),
        *(Level(n, "local") for n in local),
        *(Level(n, "reg") for n in points),
        Level(lane, "lane"),
    ]
    steps += [Level(f"{c}0", "loop"), Level(f"{c}1", "loop"), *(Level(n, "unroll") for n in inner)]
    steps.append(Order((*grid, *local, f"{c}0", f"{c}1", *inner, *points, lane)))
    steps.append(Stage(view.loads.index(a), f"{c}0", (innermost(a, da), ("pad", str(PAD)), ("pipe", str(pipe)))))
    steps.append(Stage(view.loads.index(b), f"{c}0", (("pipe", str(pipe)),)))
    return tuple(steps)


def correlation(view: View, adapter: Adapter, a: LoadOp, b: LoadOp) -> Schedule | None:
    """The gradient of a convolution's weights: each result is a sum over all pixels, of which `b` has those that a window reaches.

    A workgroup has channels of `a` by channels of `b`; an invocation has one of `b`'s, at all places of the window, by two vectors of `a`'s. Some rows of pixels at a time
    go through workgroup memory, and what the window reads at neighbouring pixels is read once.
    """
    closed = sorted(view.reductions[0].axes, key=lambda n: view.stride(b, n) or 1 << 40)  # pixels, rows, images
    mine, other = view.depends[a.result].difference(closed), view.depends[b.result].difference(closed)
    window = [n for n in view.axes if n in other - mine and slides(b, n, closed)]
    lines, columns = mine - other, other - mine - set(window)
    places = prod(view.axes[n].extent for n in window)
    if not window or len(lines) != 1 or len(columns) != 1 or places > 25:
        return None
    row, column = view.axes[min(lines)], view.axes[min(columns)]
    da = dimension(a, row.name)
    if da is None or dimension(b, column.name) is None:
        return None
    tall = next((t for t in (64, 32, 16) if t <= row.extent), 4)
    wide = next((t for t in (16, 8) if t <= column.extent), 1)
    vectors = 2 if places <= 9 and tall >= 32 else 1
    if not 64 <= tall // (4 * vectors) * wide <= adapter.invocations:
        return None
    x, *rows = [view.axes[n] for n in closed[:2]]
    spans = {row.name: tall, column.name: wide} | {n: view.axes[n].extent for n in window}

    def fits(high: int, across: int) -> bool:
        tile = spans | {x.name: across} | {y.name: high for y in rows}
        return 4 * (box(a, tile) // tall * (tall + PAD) + box(b, tile)) <= adapter.workgroup_bytes

    patches = [
        (high, across)
        for high in range(1, 9)
        for across in range(4, 65)
        if x.extent % across == 0 and all(y.extent % high == 0 for y in rows) and fits(high, across)
    ]
    if not patches:
        return None
    high, across = max(patches, key=lambda p: (p[0] * p[1], p[1]))
    step = max(k for k in (1, 2, 3, 4) if across % k == 0)
    i, j, k = row.name, column.name, x.name
    steps: list[Step] = [Split(i, tall), Split(f"{i}1", 4), Split(f"{i}10", tall // (4 * vectors)), Split(j, wide)]
    steps += [Split(k, across), Split(f"{k}1", step), *(Split(y.name, high) for y in rows)]
    others = [n for n, axis in view.axes.items() if axis.role == "par" and n not in (i, j, *window)]
    grid, local, points = (*others, f"{i}0", f"{j}0"), (f"{j}1", f"{i}101"), (f"{i}100", *window)
    outer = [*reversed(closed[2:]), *(f"{y.name}0" for y in rows), f"{k}0"]
    inner = [*(f"{y.name}1" for y in rows), f"{k}10"]
    steps += [
        *(Level(n, "grid") for n in grid),
        *(Level(n, "local") for n in local),
        *(Level(n, "loop") for n in (*outer, *inner)),
        Level(f"{k}11", "unroll"),
        *(Level(n, "reg") for n in points),
        Level(f"{i}11", "lane"),
    ]
    steps.append(Order((*grid, *local, *outer, *inner, f"{k}11", *points, f"{i}11")))
    number = view.loads.index
    steps.append(Stage(number(a), f"{k}0", (innermost(a, da), ("pad", str(PAD)))))
    steps.append(Stage(number(b), f"{k}0"))
    return tuple(steps)


# -- what moves data --------------------------------------------------------------------------------------------------------------------------


def transposition(view: View, adapter: Adapter) -> Schedule | None:
    """A tile is read along the source, 64 elements in a row, and written along the destination, 32 in a row: by vectors, if its rows start at whole ones."""
    if view.reductions or len(view.stores) != 1:
        return None
    store = view.stores[0]
    across = [a for a in view.axes.values() if view.stride(store, a.name) == 1]
    if len(across) != 1 or across[0].extent < 64:
        return None
    j = across[0].name
    for number, load in enumerate(view.loads):
        along = [a for a in view.axes.values() if a.name != j and a.extent >= 32 and view.stride(load, a.name) == 1]
        step = view.stride(load, j)
        if len(along) == 1 and step is not None and step > 1 and movable(view, load):
            i = along[0].name
            wide = 64 if view.axes[i].extent >= 64 else 32
            others = [a.name for a in view.axes.values() if a.name not in (i, j)]
            whole = all((view.stride(store, n) or 0) % 4 == 0 for n in view.axes if n != j)
            aligned = whole and not pairs(view)
            grid, threads = (*others, f"{i}0", f"{j}0"), (f"{i}11", f"{j}10" if aligned else f"{j}1")
            lane = (f"{j}11",) if aligned else ()
            steps: list[Step] = [Split(i, wide), Split(f"{i}1", 32 if aligned else 8), Split(j, 32)]
            steps += [Split(f"{j}1", 4)] if aligned else []
            steps += [*(Level(n, "grid") for n in grid), *(Level(n, "local") for n in threads)]
            steps += [Level(f"{i}10", "reg"), *(Level(n, "lane") for n in lane)]
            steps.append(Order((*grid, *threads, f"{i}10", *lane)))
            steps.append(Stage(number, "entry", (("pad", "1"),)))
            return tuple(steps)
    return None


# -- long reductions --------------------------------------------------------------------------------------------------------------------------


def rows(view: View, adapter: Adapter) -> Schedule | None:
    """A workgroup shares a row: neighbouring invocations read neighbouring elements, partial results meet in workgroup memory."""
    if not view.reductions or len({frozenset(r.axes) for r in view.reductions}) != 1:
        return None
    closed = [view.axes[n] for n in view.reductions[0].axes]
    along = max(closed, key=lambda a: (sum(view.stride(x, a.name) == 1 for x in view.loads), a.extent))
    points = prod(a.extent for a in view.axes.values() if a.role == "par")
    dense = contiguous(view, view.reductions[0])
    if along.extent < LONG or not (dense or points < 4096):
        return None
    steps: list[Step] = []
    name, count = along.name, along.extent
    lane: list[str] = []
    if dense and vectors_along(view, along):
        steps += [Split(name, 4), Level(f"{name}1", "lane")]
        lane, name, count = [f"{name}1"], f"{name}0", count // 4
    most = min(512, adapter.invocations)
    exact = [t for t in (512, 256, 128, 64) if t <= most and count % t == 0 and count // t <= 2 * REGISTERS]
    size = exact[0] if exact and points < 65536 else min(most, 1 << (count.bit_length() - 1))
    rounds = -(-count // size)
    steps += [Split(name, size), Level(f"{name}1", "group")]
    again = rereads(view)
    values = rounds * prod(view.axes[n].extent for n in again)
    level = "reg" if values <= REGISTERS * (1 if lane else 4) else "loop"  # all loads on their way at once
    steps.append(Level(f"{name}0", level))
    parallel = [a for a in view.axes.values() if a.role == "par" and a.name not in again]
    grid, local = [a.name for a in parallel], []
    few = 64 // size
    if few > 1 and parallel and parallel[-1].extent >= few:
        last = grid.pop()
        steps += [Split(last, few), Level(f"{last}1", "local")]
        grid.append(f"{last}0")
        local = [f"{last}1"]
    others = [a.name for a in closed if a is not along]
    steps += [*(Level(n, "grid") for n in grid), *(Level(n, "loop") for n in others), *(Level(n, "reg") for n in again)]
    steps.append(Order((*grid, *local, f"{name}1", *others, f"{name}0", *again, *lane)))
    return tuple(steps)


def shared(view: View, adapter: Adapter) -> Schedule | None:
    """A long reduction over several short axes (the gradient of a convolution's weights): a workgroup shares the innermost of them."""
    if not view.reductions or len({frozenset(r.axes) for r in view.reductions}) != 1:
        return None
    closed = [view.axes[n] for n in view.reductions[0].axes]
    points = prod(a.extent for a in view.axes.values() if a.role == "par")
    if prod(a.extent for a in closed) < 512 or points >= 65536 or not contiguous(view, view.reductions[0]):
        return None
    read = widest(view)
    steps: list[Step] = []
    group: list[str] = []
    loops: list[str] = []
    size = 1
    for axis in sorted(closed, key=lambda a: view.stride(read, a.name) or 1 << 40):
        part = max(
            d for d in range(1, axis.extent + 1) if axis.extent % d == 0 and size * d <= min(256, adapter.invocations)
        )
        if loops or part == 1:
            loops.append(axis.name)
        elif part == axis.extent:
            group.append(axis.name)
            size *= part
        else:
            steps.append(Split(axis.name, part))
            group.append(f"{axis.name}1")
            loops.append(f"{axis.name}0")
            size *= part
    if size < 32:
        return None
    parallel = [a.name for a in view.axes.values() if a.role == "par"]
    steps += [
        *(Level(n, "grid") for n in parallel),
        *(Level(n, "group") for n in group),
        *(Level(n, "loop") for n in loops),
    ]
    return (*steps, Order((*parallel, *reversed(group), *reversed(loops))))


# -- a workgroup by itself --------------------------------------------------------------------------------------------------------------------


def within(view: View) -> Schedule:
    """For a nest that one workgroup runs: it shares a reduction if it has fewer results than invocations."""
    steps: list[Step] = []
    parallel = [a for a in view.axes.values() if a.role == "par"]
    inner = max(parallel, key=lambda a: a.extent, default=None)
    across = 1 << (min(inner.extent, THREADS).bit_length() - 1) if inner is not None else 1
    if len({frozenset(r.axes) for r in view.reductions}) != 1 or across == THREADS:
        return unrolled(view, UNROLL)
    closed = [view.axes[n] for n in view.reductions[0].axes]
    along = max(closed, key=lambda a: a.extent)
    size = min(THREADS // across, 1 << (along.extent.bit_length() - 1))
    rounds = -(-along.extent // size)
    parts = max(k for k in (1, 2, 4, UNROLL) if rounds % k == 0)
    name = f"{along.name}0"
    steps += [Split(along.name, size), Level(f"{along.name}1", "group"), Split(name, parts)]
    steps += [Level(f"{name}0", "loop"), Level(f"{name}1", "unroll")]
    others = [a.name for a in (*parallel, *closed) if a not in (inner, along)]
    local = [f"{along.name}1"]
    if inner is not None:
        steps += [Split(inner.name, across), Level(f"{inner.name}1", "local")]
        local.insert(view.stride(widest(view), inner.name) == 1, f"{inner.name}1")
        others.insert(0, f"{inner.name}0")
    steps += [Level(n, "loop") for n in others]
    return (*steps, Order((*local, *others, f"{name}0", f"{name}1")))


# -- everything else --------------------------------------------------------------------------------------------------------------------------


def unrolled(view: View, parts: int) -> Schedule:
    """Short reductions are written out, and `parts` steps of a long one: so many loads are on their way at once."""
    steps: list[Step] = []
    total = 1
    stored_at = {n for s in view.stores for n in view.depends[s]}
    for axis in view.axes.values():
        short = axis.role == "red" and 1 < axis.extent <= 8 and total * axis.extent <= 16
        if short and axis.name not in stored_at:
            steps.append(Level(axis.name, "unroll"))
            total *= axis.extent
    long = [a for a in view.axes.values() if a.role == "red" and a.extent > 8 and a.extent % parts == 0]
    if long and total <= 4 and long[-1].name not in stored_at:
        steps += [Split(long[-1].name, parts), Level(f"{long[-1].name}1", "unroll")]
    return tuple(steps)


def flat(view: View) -> Schedule:
    """An invocation a result, or a vector of them; short reductions are written out."""
    steps: list[Step] = [*unrolled(view, 4)]
    parallel = [a for a in view.axes.values() if a.role == "par"]
    again = rereads(view)
    steps += [Level(n, "reg") for n in again]
    stored = [a for a in parallel if all(view.stride(s, a.name) == 1 for s in view.stores)]
    if len(stored) != 1:
        return tuple(steps)
    name, count = stored[0].name, -(-stored[0].extent // 4)
    lane: tuple[str, ...] = ()
    if vectors_along(view, stored[0]):
        steps += [Split(name, 4), Level(f"{name}1", "lane")]
        name, lane = f"{name}0", (f"{name}1",)
    elif len(view.axes) == 1 and stored[0].extent > LONG and padded_along(view, name):
        steps += [Split(name, 4, "pad"), Level(f"{name}1", "lane")]
        name, lane = f"{name}0", (f"{name}1",)
    elif not pairs(view):
        return tuple(steps)
    if len(view.axes) == 1 and count >= BUSY:
        rounds, threads = f"{name}0", f"{name}1"
        steps += [Split(name, THREADS * EACH), Level(rounds, "grid")]
        steps += [Split(threads, THREADS), Level(f"{threads}1", "local"), Level(f"{threads}0", "reg")]
        steps.append(Order((rounds, f"{threads}1", f"{threads}0", *lane)))
    return tuple(steps)

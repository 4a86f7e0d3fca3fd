"""Chooses schedules for sums of products on WebGPU: a tile of results a workgroup, its operands staged in workgroup memory, and a block of results a thread.

Three shapes are told apart by what moves along with what. A *matmul* has rows that one factor has and columns that the other has. In a *convolution* a window slides over one factor: its pixels are
staged once for all places of the window. In a *correlation* (the gradient of a convolution's weights) the window is part of the result, and the sum runs over all pixels. Numbers here are measured on an
NVIDIA H200.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type

from weft.dialects.kernel.affine import Dim
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.ops import LoadOp
from weft.passes.schedule.steps import Level, Order, Schedule, Split, Stage, Step
from weft.passes.schedule.view import View


@dataclass(frozen=True)
class Adapter:
    """What a schedule may use. The defaults are what WebGPU guarantees."""

    invocations: int = 256
    workgroup_bytes: int = 16384
    buffers: int = 8


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
PATCH_BYTES = 24576  # of workgroup memory for a patch of pixels: several workgroups wait for theirs in turn

# -- asking -----------------------------------------------------------------------------------------------------------------------------------


def movable(view: View, op: LoadOp) -> bool:
    """Whether a load can be staged: each dimension of its buffer follows sums of axes, its conditions are about dimensions."""
    exprs = op.map.data
    plain = all(isinstance(atom, Dim) for e in exprs for atom, _ in e.terms)
    tests = op.conditions.data if op.conditions is not None else ()
    return plain and not op.symbols and all(any((c.expr - e).is_constant for e in exprs) for c in tests)


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


# -- choosing ---------------------------------------------------------------------------------------------------------------------------------


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
        room = min(adapter.workgroup_bytes, PATCH_BYTES)
        return 4 * (box(a, tile) // tall * (tall + PAD) + box(b, tile)) <= room

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

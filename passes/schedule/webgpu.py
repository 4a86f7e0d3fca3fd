"""Chooses schedules for WebGPU, within the limits of an adapter.

Four shapes of nest are told apart. A *contraction* (a sum of products: matmul, convolution) gets tiles (products.py). A *row* reduction along contiguous memory is shared by the invocations of a workgroup; where its values are needed again (softmax), they stay in registers.
A *transposition* goes through a staged tile, so that both sides move whole vectors. Everything else is *flat*: an invocation for each result, or four results where they lie side
by side. A nest that one workgroup runs by itself, in a loop with others, has its own (`within`). Numbers here are measured on an NVIDIA H200; where data decides what is written, the nest stays as it is.
"""

from __future__ import annotations

from contextvars import ContextVar
from math import prod

from xdsl.dialects.builtin import Float32Type, i32, i64

from weft.dialects.gpu.ops import WORDWISE
from weft.dialects.kernel.affine import linearize
from weft.dialects.kernel.attributes import Axis
from weft.dialects.kernel.host import Course
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp
from weft.passes.schedule.products import Adapter, contraction, movable
from weft.passes.schedule.steps import Level, Loops, Order, Schedule, Split, Stage, Step
from weft.passes.schedule.view import View

GUARANTEED = Adapter()
current: ContextVar[Adapter] = ContextVar("adapter", default=GUARANTEED)
"""The adapter that is compiled for."""


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
RESULTS = 3 << 19  # results in registers that do: of tiles, each invocation has tens
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
    if isinstance(nest.parent_op(), Course):
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
    return min(reduced // DEPTH, RESULTS // results) if loops.stages else min(reduced // STEPS, FULL // invocations)


# -- asking -----------------------------------------------------------------------------------------------------------------------------------


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


def follows(view: View, axis: str) -> bool:
    """Whether most of what is read, if anything is, lies side by side along an axis."""
    return bool(view.loads) and view.stride(widest(view), axis) == 1


def contiguous(view: View, reduction: ReduceOp) -> bool:
    """Whether most of what is read lies side by side along a reduction."""
    return any(follows(view, n) for n in reduction.axes)


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
        local.insert(follows(view, inner.name), f"{inner.name}1")
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

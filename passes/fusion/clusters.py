"""Which ops become one nest. Plain analysis: nothing is rewritten here.

Ops are visited from the results backwards, so that when an op is reached, every read of it is known: in which cluster (a nest to be), along which axes, how often. It is
then either *inlined* (computed by each cluster that reads it, at the very index where it is read) or *stored* (by a cluster of its own, or as one more output of a
cluster that computes it anyway); whoever else reads it loads it. The rules:

- Views are always inlined. What they compose to is index arithmetic.
- An elementwise op is inlined unless its value would be computed so many times over that storing it is cheaper. So it goes into the reductions that read it,
  but not into a matmul, which reads each element a thousand times.
- A reduction is computed once: it is inlined only where each of its elements is read at one point. That may be the point at which the cluster stores (an epilogue), or one
  that fewer axes name (a row's maximum in a softmax): the reduction then runs over the cluster's remaining axes, which stop being parallel, if enough others are left.
- What several clusters read is stored, unless it costs next to nothing.
- What is gathered is stored before it is gathered from: two passes, each of which may go along memory, cost less than one that jumps twice.
- A value read at the point where a cluster stores is stored by that cluster too, where no cycle of nests arises.
- No nest has more buffers than the target can bind, nor calls more functions than are compiled in little time.

How an op reads its operands comes from its own rule (see probe).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from xdsl.ir import SSAValue

from weft.dialects.array.op import ArrayOp
from weft.dialects.kernel.builder import Operand
from weft.passes.fusion.probe import Profile

RECOMPUTED = 1 << 14
"""Additions that may be done again to save a nest, whatever the size of its result."""

STORED = 4
"""Additions per element that are as dear as storing and loading it."""

CHEAP = 4
"""What one element may cost for several clusters to compute it each for itself."""

SMALL = 256
"""Elements of a value that several clusters may compute each for itself, at any cost per element …"""

FEW_CALLS = 4
"""… unless one takes more calls of functions than this: in a chain whose links are all read, the last ones would be written out as often as there are links."""

DEEPEST = 128
"""Ops in a row that are inlined into each other: a nest is built by asking, and each question is a few of Python's frames."""

MOST_CALLS = 32
"""Functions (sin, exp …) that a nest calls: drivers write them out where they are called, and take more than twice as long for twice as many."""

ENOUGH_PARALLEL = 64
"""Parallel points that must be left when a reduction takes over axes of a cluster …"""

SEQUENTIAL = 1 << 14
"""… unless the cluster has no more points than this in all."""


def bits(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Access(NamedTuple):
    """How a cluster reads a value. Axes of the cluster are bits."""

    dims: tuple[int, ...]
    """For each dimension of the value, the axes that its index depends on."""
    exact: bool
    """Over those axes, the index meets each element once."""
    scope: int
    """The axes inside whose loops it is read."""
    path: int
    """Tells apart reads along the same axes at different indices."""
    gathered: bool = False
    """It is read where data say."""

    @property
    def axes(self) -> int:
        result = 0
        for d in self.dims:
            result |= d
        return result


@dataclass(eq=False, slots=True)
class Item:
    """An op, its one result, and what is decided about it."""

    op: ArrayOp
    value: SSAValue
    profile: Profile
    operands: list[Item | None]
    """None for a value from outside: an argument, data."""
    values: tuple[SSAValue, ...] = ()
    shape: tuple[int, ...] = ()
    size: int = 1
    contraction: bool = False
    """It reduces, and reads elements many times over: a matmul, a convolution."""
    loads: frozenset[SSAValue] = frozenset()
    """Operands that may need a buffer: all but literals."""
    returned: bool = False
    needed: bool = False
    """It must be stored: what a scatter writes into, or what an op reads at computed places."""
    chain: int = 0
    """Cost of an element with all that may be inlined into it."""
    calls: int = 0
    """How many functions an element calls, with all that may be inlined into it."""
    depth: int = 0
    """How many ops in a row may be inlined into it."""
    sources: frozenset[SSAValue] = frozenset()
    """Values that an inlined element loads, as far as one can tell."""
    after_contraction: bool = False
    after_reduction: bool = False
    """It is made from the result of one. What is made from both is no epilogue: they do not share a nest."""
    reads: dict[Cluster, dict[tuple[Any, ...], Access]] = field(default_factory=dict)
    cluster: Cluster | None = None
    """The cluster that stores it; None if it is inlined or dead."""

    def __post_init__(self) -> None:
        self.values = tuple(self.op.operands)
        self.shape = self.value.type.get_shape()  # type: ignore[attr-defined]
        self.size = prod(self.shape)
        if reduced := self.profile.reduced:
            self.contraction = prod(reduced) * self.size > 2 * max(map(_size, self.values), default=0)
        pairs = zip(self.operands, self.values, strict=True)
        self.loads = frozenset([v for o, v in pairs if o is None or o.profile.reads or o.profile.reduced])

    @property
    def space(self) -> tuple[int, ...]:
        """The extents over which a nest that stores it runs: its shape, unless it pushes."""
        op = self.op
        return op.space([Operand.of(v) for v in self.values], **op.params_of(op)) if op.PUSHES else self.shape


@dataclass(eq=False, slots=True)
class Cluster:
    """A nest to be."""

    number: int
    root: Item
    extents: list[int]
    parallel: int
    """Axes that are still parallel, among those of the root's index."""
    rank: int
    """How many axes the root's index has: those are the first."""
    outs: list[Item]
    loads: set[SSAValue]
    """What it reads but does not compute (yet)."""
    pinned: int = 0
    """Axes that must stay parallel, since a reduction is inlined at a point of them."""
    contraction: bool = False
    pushes: bool = False
    calls: int = 0
    """How many functions it calls."""
    feeds: int = 0
    """The clusters that need this one's results, transitively, as bits."""

    def points(self, axes: int) -> int:
        return prod([self.extents[k] for k in bits(axes)])

    def evaluations(self, access: Access) -> int:
        """How often a value read so is computed, if done in the outermost loop that it can be done in."""
        return self.points(self.prefix(access))

    def prefix(self, access: Access) -> int:
        """The loops around a value read so: those in scope down to the innermost that it depends on, parallel ones outside."""
        own = access.axes
        if not own:
            return 0
        parallel, reduced = access.scope & self.parallel, access.scope & ~self.parallel
        if below := own & ~self.parallel:
            return parallel | reduced & ((1 << below.bit_length()) - 1)
        return parallel & ((1 << own.bit_length()) - 1)

    def reduction_axes(self, item: Item, access: Access) -> list[int | None]:
        """The axes along which a reduction would run, as NestBuilder.axis takes them; None for a new one."""
        taken = access.axes
        found: list[int | None] = []
        for extent in item.profile.reduced:
            axis = next((k for k, e in enumerate(self.extents) if e == extent and not taken >> k & 1), None)
            if axis is not None:
                taken |= 1 << axis
            found.append(axis)
        return found


def _size(value: SSAValue) -> int:
    return prod(value.type.get_shape())  # type: ignore[attr-defined]


class Clustering:
    """Decides for every op of a block. Afterwards `clusters` holds those that are to be built, each after what it needs."""

    def __init__(
        self, items: Sequence[Item], max_buffers: int | None, successors: Mapping[SSAValue, SSAValue] | None = None
    ):
        self.successors = successors or {}
        """Values that will take the place of others: what a loop carries on."""
        self.limit = max_buffers or 1 << 30
        self.clusters: list[Cluster] = []
        read = dict.fromkeys(v for item in items for v in item.op.operands)
        self.order = {
            v: k for k, v in enumerate(read)
        }  # sets of values are gone through in it: one graph gives one program
        for item in items:
            self._estimate(item)
        for item in reversed(items):
            if item.returned or item.needed or item.reads:
                self._place(item)
        self._merge_siblings()
        self._read_before_overwritten()
        self.clusters = self._ordered()

    # -- forwards: what an element costs ----------------------------------------------------------------------------------------------------

    def _estimate(self, item: Item) -> None:
        item.depth = 1 + max((o.depth for o in item.operands if o is not None and o.depth < DEEPEST), default=0)
        if item.profile.reduced or item.op.PUSHES:
            item.sources = frozenset((item.value,))
            item.after_contraction = item.contraction
            item.after_reduction = not item.contraction
            return
        item.chain, item.calls = item.profile.weight, item.profile.calls
        sources: set[SSAValue] = set()
        for operand, value in zip(item.operands, item.values, strict=True):
            if operand is not None:
                if 4 * operand.size > item.size:  # a smaller one is computed less often, or stored for itself
                    item.chain += operand.chain
                    item.calls += operand.calls
                sources |= operand.sources
                item.after_contraction |= operand.after_contraction
                item.after_reduction |= operand.after_reduction
            elif _size(value) > 1:
                sources.add(value)
        item.sources = frozenset(sources)

    # -- backwards: where it is computed ----------------------------------------------------------------------------------------------------

    def _place(self, item: Item) -> None:
        if item.op.PUSHES or item.depth == DEEPEST:
            self._start(item)
            return
        stored = item.returned or item.needed
        if not stored and self._may_inline(item):
            for cluster, accesses in item.reads.items():
                self._inline(item, cluster, list(accesses.values()))
            return
        for cluster in item.reads:
            if self._may_store(item, cluster):
                self._join(item, cluster)
                return
        self._start(item)

    def _may_inline(self, item: Item) -> bool:
        if not all(self._fits(item, cluster) for cluster in item.reads):
            return False
        if any(c.root.op.UPDATES and c.root.values[0] in item.sources for c in item.reads):
            return False  # a nest that reads what it writes into would need a copy of it
        if item.profile.view:
            return True
        if item.profile.reduced:
            return len(item.reads) == 1 and self._reduction_fits(item, *item.reads)
        dear = item.chain > CHEAP or self._streams(item) > 1
        if len(item.reads) > 1 and (item.calls > FEW_CALLS or (item.size > SMALL and dear)):
            return False
        every = [(c, a) for c, accesses in item.reads.items() for a in accesses.values()]
        evaluations = sum(c.evaluations(a) for c, a in every)
        if item.profile.gathers and evaluations >= item.size > SMALL and any(a.gathered for _, a in every):
            return False
        return self._worth_it(item, evaluations)

    @staticmethod
    def _streams(item: Item) -> int:
        """How many arrays about as large as the item itself it is computed from."""
        return sum(4 * _size(v) > item.size for v in item.sources)

    def _worth_it(self, item: Item, evaluations: int) -> bool:
        """Whether computing an item so many times costs less than storing it. Each time saves a load, and costs those of its sources."""
        again = (evaluations - item.size) * (item.chain + self._streams(item) - 1)
        return again <= STORED * item.size + RECOMPUTED

    def _fits(self, item: Item, cluster: Cluster, outs: int = 0) -> bool:
        """Whether the cluster can bind the buffers that it has when the item is inlined (and stored too, if `outs` is 1), and calls few enough functions."""
        if item.profile.calls and cluster.calls + item.profile.calls > MOST_CALLS:
            return False
        if self.limit == 1 << 30:
            return True
        loads = (cluster.loads | item.loads) - {item.value}
        return len(loads) + len(cluster.outs) + outs <= self.limit

    def _reduction_fits(self, item: Item, cluster: Cluster) -> bool:
        accesses = item.reads[cluster]
        if len(accesses) != 1 or cluster.pushes:
            return False
        (access,) = accesses.values()
        own = access.axes
        if not access.exact or own & ~cluster.parallel:
            return False
        rest = cluster.parallel & ~own
        if item.contraction:
            return not rest and not cluster.pinned
        if cluster.contraction:
            return False
        if not rest:
            return True
        taken = sum(1 << k for k in cluster.reduction_axes(item, access) if k is not None)
        if rest & ~taken or rest & cluster.pinned:
            return False
        return cluster.points(own) >= ENOUGH_PARALLEL or cluster.points(cluster.parallel) <= SEQUENTIAL

    def _inline(self, item: Item, cluster: Cluster, accesses: Iterable[Access]) -> None:
        """The cluster computes the item: what it reads, the cluster reads."""
        cluster.loads.discard(item.value)
        cluster.loads |= item.loads
        cluster.calls += item.profile.calls
        for operand in item.operands[item.op.STORED]:
            if operand is not None:
                operand.needed = True
                operand.reads.setdefault(cluster, {})
        profile = item.profile
        for access in accesses:
            scope, local = access.scope, list(access.dims)
            if profile.reduced:
                axes = self._open(item, cluster, access)
                local += [1 << k for k in axes]
                scope = cluster.prefix(access) | sum(1 << k for k in axes)
            for read in profile.reads:
                operand = item.operands[read.operand]
                if operand is None:
                    continue
                dims = tuple([self._spread(d, local) for d in read.dims])
                path = access.path if read.plain else hash((access.path, item.value, read))
                found = Access(dims, access.exact and read.exact, scope, path, read.gathered)
                if found.exact and cluster.points(found.axes) != operand.size:
                    found = found._replace(exact=False)
                operand.reads.setdefault(cluster, {}).setdefault((dims, path), found)

    @staticmethod
    def _spread(local: int, axes: Sequence[int]) -> int:
        result = 0
        while local:
            low = local & -local
            result |= axes[low.bit_length() - 1]
            local ^= low
        return result

    def _open(self, item: Item, cluster: Cluster, access: Access) -> list[int]:
        """The axes of the cluster over which the item reduces; parallel ones among them cease to be."""
        axes: list[int] = []
        for extent, axis in zip(item.profile.reduced, cluster.reduction_axes(item, access), strict=True):
            if axis is None:
                axis = len(cluster.extents)
                cluster.extents.append(extent)
            cluster.parallel &= ~(1 << axis)
            axes.append(axis)
        cluster.pinned |= access.axes
        cluster.contraction |= item.contraction
        return axes

    # -- storing ----------------------------------------------------------------------------------------------------------------------------

    def _may_store(self, item: Item, cluster: Cluster) -> bool:
        """Whether a cluster that reads the item can compute and store it for the others as well."""
        if cluster.pushes or item.profile.view or not self._fits(item, cluster, 1):
            return False
        accesses = item.reads[cluster]
        if item.profile.reduced:
            if not self._reduction_fits(item, cluster):
                return False
        else:
            evaluations = sum(cluster.evaluations(a) for a in accesses.values())
            if not self._worth_it(item, evaluations):
                return False
        if not any(self._storable(item, cluster, a) for a in accesses.values()):
            return False
        others = sum(1 << c.number for c in item.reads if c is not cluster)
        reached = others
        for k in bits(others):
            reached |= self.clusters[k].feeds
        return not reached >> cluster.number & 1

    @staticmethod
    def _storable(item: Item, cluster: Cluster, access: Access) -> bool:
        """Whether the point of a read is one where the item may be stored: each element is met once, and by one point of the root's index."""
        epilogue = item.after_contraction and not item.after_reduction
        within = cluster.parallel if epilogue else (1 << cluster.rank) - 1
        # what a reduction gives is stored for each row: the rest of the axes becomes the reduction's
        alone = cluster.parallel & ~access.axes if not item.after_reduction else 0
        return access.exact and not access.axes & ~within and not alone

    def _join(self, item: Item, cluster: Cluster) -> None:
        self._inline(item, cluster, list(item.reads[cluster].values()))
        self._store(item, cluster)

    def _start(self, item: Item) -> None:
        """A cluster of the item's own."""
        dims: list[int] = []
        extents: list[int] = []
        for n in item.space:
            dims.append(0 if n == 1 else 1 << len(extents))
            extents += [n] if n != 1 else []
        everything = (1 << len(extents)) - 1
        cluster = Cluster(len(self.clusters), item, extents, everything, len(extents), [], set())
        self.clusters.append(cluster)
        self._store(item, cluster)
        self._inline(item, cluster, [Access(tuple(dims), True, everything, 0)])
        cluster.pushes = item.op.PUSHES

    def _store(self, item: Item, cluster: Cluster) -> None:
        item.cluster = cluster
        cluster.outs.append(item)
        for other in item.reads:
            if other is not cluster:
                self._feed(cluster, other)

    def _feed(self, cluster: Cluster, other: Cluster) -> None:
        """Records that `other` needs a result of `cluster`."""
        new = other.feeds | 1 << other.number
        own = 1 << cluster.number
        for c in self.clusters:
            if c is cluster or c.feeds & own:
                c.feeds |= new

    # -- nests side by side -----------------------------------------------------------------------------------------------------------------

    def _merge_siblings(self) -> None:
        """Makes one of two clusters that run over the same axes, read a common array, and do not need each other."""
        seen: dict[tuple[Any, ...], list[Cluster]] = {}
        for cluster in self.clusters:
            if cluster.pushes or cluster.contraction:
                continue
            shape = (cluster.root.space, tuple(cluster.extents), cluster.parallel)
            for value in sorted(cluster.loads, key=self.order.__getitem__):
                if _size(value) == cluster.points((1 << len(cluster.extents)) - 1):
                    other = next((o for o in seen.get((value, shape), ()) if self._independent(o, cluster)), None)
                    if (
                        other is not None
                        and len(other.loads | cluster.loads) + len(other.outs) + len(cluster.outs) <= self.limit
                        and other.calls + cluster.calls <= MOST_CALLS
                    ):
                        self._merge(cluster, other)
                        break
                    seen.setdefault((value, shape), []).append(cluster)

    def _read_before_overwritten(self) -> None:
        """Who reads what a nest writes into does so before it, where nothing speaks against it: then nothing has to be copied."""
        for writer in self.clusters:
            targets = {self.successors[item.value] for item in writer.outs if item.value in self.successors}
            if writer.outs and writer.root.op.UPDATES:
                targets.add(writer.root.values[0])
            for reader in self.clusters if targets else ():
                reads = reader.outs and reader is not writer and not targets.isdisjoint(reader.loads)
                if reads and not writer.feeds >> reader.number & 1:
                    self._feed(reader, writer)

    def _independent(self, a: Cluster, b: Cluster) -> bool:
        return bool(a.outs) and a is not b and not a.feeds >> b.number & 1 and not b.feeds >> a.number & 1

    def _merge(self, cluster: Cluster, other: Cluster) -> None:
        """Moves all of `cluster` into `other`."""
        for item in cluster.outs:
            item.cluster = other
        other.outs += cluster.outs
        other.loads |= cluster.loads
        other.calls += cluster.calls
        cluster.outs = []
        own, into = 1 << cluster.number, 1 << other.number
        both = cluster.feeds | other.feeds
        for c in self.clusters:
            if c is cluster or c is other or c.feeds & (own | into):
                c.feeds |= both | (0 if c is other else into)

    # -- the order of nests -----------------------------------------------------------------------------------------------------------------

    def _ordered(self) -> list[Cluster]:
        """Those that are left, each before the clusters that it feeds; otherwise as their roots stand in the program."""
        alive = [c for c in self.clusters if c.outs]
        return sorted(alive, key=lambda c: (-c.feeds.bit_count(), -c.number))

"""Schedule steps: how the loops of a nest lie on a machine, as a plain value.

A schedule is a tuple of steps. Each rewrites attributes only (axes, index maps, conditions), never the body, so that applying a dozen costs less than a millisecond and a
search may copy them freely. `apply` composes all steps into one substitution and writes every map once. Steps print as one line and parse from it: this text is what the
`schedule` attribute of a nest holds.

    split j 8        j becomes j0 (ceil(n / 8) rounds) and j1 (8); where 8 does not divide n, the last round starts at n - 8 (`clamp`)
    split k 8 zero   the last round reads zeros beyond the end instead (of products, which they do not change)
    split i 4 pad    the last round runs beyond the end (where every buffer is padded, and what is there is nobody's)
    fuse i j         i and j, j just inside of i, become one axis ij
    level j1 lane    puts an axis on a level
    order i0 j0 k    the loops, outermost first; axes that are not named keep their places after these
    stage 0 at i0 panel=k,i1    load number 0 reads a copy made at the entry of i0 (or `at entry`); what follows are the target's own words
    keep 4 at i      the value of body op number 4 is written down when it is first computed in a round of i, and read afterwards
    outline i        the body of loop i becomes a function of its own

Splitting clamps because a clamped tail runs the same full tiles as the rest: no second loop, no mask. Elements of the overlap are computed twice, with the same result.
Where that is not harmless (a sum; a store to a buffer that may be an input, too), the repeated elements are excluded by a condition: `where` on the reduction, `if` on
the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr

from weft.dialects.kernel.affine import Condition, Dim, Expr, Sym, dim, linearize
from weft.dialects.kernel.attributes import LEVELS, AxesAttr, Axis, ConditionsAttr, MapAttr
from weft.dialects.kernel.ops import LoadOp, NestOp, ReduceOp, StoreOp

IDEMPOTENT = frozenset(("max", "min", "umax", "umin", "and", "or"))
"""Reductions that counting an element twice does not change."""

TAILS = ("clamp", "zero", "pad")


class ScheduleError(ValueError):
    """A step that cannot be applied to this nest."""


# -- steps ----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """`axis` becomes two: axis + "0" counts the rounds, axis + "1" the `factor` steps of one."""

    axis: str
    factor: int
    tail: str = "clamp"

    def __str__(self) -> str:
        return f"split {self.axis} {self.factor}" + ("" if self.tail == "clamp" else f" {self.tail}")


@dataclass(frozen=True)
class Fuse:
    """Two axes of one role, `inner` right after `outer`, become one that counts through both: its name is theirs, joined."""

    outer: str
    inner: str

    def __str__(self) -> str:
        return f"fuse {self.outer} {self.inner}"


@dataclass(frozen=True)
class Level:
    """Puts an axis on a level."""

    axis: str
    level: str

    def __str__(self) -> str:
        return f"level {self.axis} {self.level}"


@dataclass(frozen=True)
class Order:
    """Order of the loops, outermost first; axes not named follow in the order they have."""

    axes: tuple[str, ...]

    def __str__(self) -> str:
        return f"order {' '.join(self.axes)}"


@dataclass(frozen=True)
class Stage:
    """Load number `load` of the body reads a copy, made when a round of `at` begins (or at "entry"). Options are the target's."""

    load: int
    at: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return " ".join((f"stage {self.load} at {self.at}", *(f"{k}={v}" for k, v in self.options)))


@dataclass(frozen=True)
class Keep:
    """The value of body op number `op` is written down when first computed in a round of `at`, and read afterwards."""

    op: int
    at: str

    def __str__(self) -> str:
        return f"keep {self.op} at {self.at}"


@dataclass(frozen=True)
class Outline:
    """The body of loop `axis` becomes a function of its own."""

    axis: str

    def __str__(self) -> str:
        return f"outline {self.axis}"


Step = Outline | Split | Fuse | Level | Order | Stage | Keep
Schedule = tuple[Step, ...]


def parse_step(text: str) -> Step:
    """A step from its line. Raises ScheduleError."""
    match text.split():
        case ["split", axis, factor, *rest] if factor.isdigit() and len(rest) <= 1:
            return Split(axis, int(factor), *rest)
        case ["fuse", outer, inner]:
            return Fuse(outer, inner)
        case ["level", axis, level]:
            return Level(axis, level)
        case ["order", *axes] if axes:
            return Order(tuple(axes))
        case ["stage", load, "at", at, *options] if load.isdigit() and all("=" in o for o in options):
            return Stage(int(load), at, tuple(tuple(o.split("=", 1)) for o in options))  # type: ignore[misc]
        case ["outline", axis]:
            return Outline(axis)
        case ["keep", op, "at", at] if op.isdigit():
            return Keep(int(op), at)
    raise ScheduleError(f"'{text}' is no schedule step; there are split, fuse, level, order, stage, keep, outline")


def to_attr(schedule: Sequence[Step]) -> ArrayAttr[StringAttr]:
    """A schedule as it stands in the IR: a line of text for each step."""
    return ArrayAttr([StringAttr(str(s)) for s in schedule])


def from_attr(attr: ArrayAttr[StringAttr]) -> Schedule:
    """The reverse of `to_attr`. Raises ScheduleError for a line that is no step."""
    return tuple(parse_step(s.data) for s in attr)


# -- applying them --------------------------------------------------------------------------------------------------------------------------


@dataclass
class Loops:
    """A nest's axes under rewriting: the axes as they are now, and what each axis of the body has become."""

    axes: list[Axis]
    value: dict[str, Expr] = field(default_factory=dict[str, Expr])
    parts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    once: dict[str, list[Condition]] = field(default_factory=dict[str, list[Condition]])
    """Where an element of an axis is met first."""
    exists: dict[str, list[Condition]] = field(default_factory=dict[str, list[Condition]])
    """Where an element of an axis is one at all."""
    stages: list[Stage] = field(default_factory=list[Stage])
    keeps: list[Keep] = field(default_factory=list[Keep])
    outline: str | None = None

    def __post_init__(self) -> None:
        for axis in self.axes:
            self.value[axis.name], self.parts[axis.name] = axis.expr, [axis.name]

    def find(self, name: str) -> int:
        for k, axis in enumerate(self.axes):
            if axis.name == name:
                return k
        raise ScheduleError(f"'{name}' is not an axis of [{', '.join(map(str, self.axes))}]")

    def apply(self, step: Step) -> None:
        match step:
            case Split():
                self.split(step)
            case Fuse():
                self.fuse(step)
            case Level(axis, level):
                if level not in LEVELS:
                    raise ScheduleError(f"'{level}' is not a level ({', '.join(LEVELS)})")
                at = self.find(axis)
                self.axes[at] = self.axes[at]._replace(level=level)
            case Order(names):
                if len(set(names)) != len(names):
                    raise ScheduleError(f"'{step}' names an axis twice")
                first = [self.axes[self.find(n)] for n in names]
                self.axes = first + [a for a in self.axes if a.name not in names]
            case Stage():
                if step.at != "entry":
                    self.find(step.at)
                self.stages.append(step)
            case Outline(axis):
                self.find(axis)
                self.outline = axis
            case Keep():
                self.find(step.at)
                self.keeps.append(step)

    def split(self, step: Split) -> None:
        at = self.find(step.axis)
        axis, factor = self.axes[at], step.factor
        name, n = axis.name, axis.extent
        if step.tail not in TAILS:
            raise ScheduleError(f"the tail of a split is one of {', '.join(TAILS)}, got '{step.tail}'")
        if factor < 1 or (factor > n and step.tail == "clamp"):
            raise ScheduleError(f"cannot split {axis} by {factor}: the factor must lie between 1 and the extent")
        outer, inner = (
            Axis(name + "0", axis.role, -(-n // factor), axis.level),
            Axis(name + "1", axis.role, factor, axis.level),
        )
        self.axes[at : at + 1] = [outer, inner]
        start = dim(outer.name, outer.extent) * factor
        first = start.minimum(n - factor) if step.tail == "clamp" else start
        new = first + dim(inner.name, factor)

        self._substitute({name: new})
        for original, parts in self.parts.items():
            if name in parts:
                parts[parts.index(name) : parts.index(name) + 1] = [outer.name, inner.name]
                if n % factor and step.tail == "clamp":
                    self.once.setdefault(original, []).append(Condition(new - start, 0, factor))
                elif n % factor and step.tail == "zero":
                    self.exists.setdefault(original, []).append(Condition(new, 0, n))

    def fuse(self, step: Fuse) -> None:
        at = self.find(step.outer)
        outer = self.axes[at]
        inner = self.axes[at + 1] if at + 1 < len(self.axes) else None
        if inner is None or inner.name != step.inner or inner.role != outer.role:
            raise ScheduleError(
                f"'{step}': the axes must have one role and stand side by side in [{', '.join(map(str, self.axes))}]"
            )
        fused = Axis(outer.name + inner.name, outer.role, outer.extent * inner.extent, outer.level)
        self.axes[at : at + 2] = [fused]
        position = dim(fused.name, fused.extent)
        self._substitute({outer.name: position // inner.extent, inner.name: position % inner.extent})
        for original, parts in self.parts.items():
            self.parts[original] = [fused.name if p in (outer.name, inner.name) else p for p in parts]

    def _substitute(self, new: dict[str, Expr]) -> None:
        """Puts expressions in the place of axes that are no more."""

        def renew(expr: Expr) -> Expr:
            return expr.substitute(lambda atom: new.get(atom.name) if isinstance(atom, Dim) else None)

        for original, parts in self.parts.items():
            if not new.keys().isdisjoint(parts):
                self.value[original] = renew(self.value[original])
                for table in (self.once, self.exists):
                    if original in table:
                        table[original] = [c._replace(expr=renew(c.expr)) for c in table[original]]

    def conditions(self, table: dict[str, list[Condition]], names: Iterable[str]) -> tuple[Condition, ...]:
        return tuple(c for name in names for c in table.get(name, ()))


def apply(nest: NestOp, schedule: Sequence[Step]) -> None:
    """Rewrites the axes and maps of `nest` by the steps. Raises ScheduleError, with the nest untouched, for one that does not fit."""
    loops = Loops(list(nest.axes.data))
    for step in schedule:
        loops.apply(step)
    ops = list(nest.block.ops)
    loads = [op for op in ops if isinstance(op, LoadOp)]
    for stage in loops.stages:
        if stage.load >= len(loads):
            raise ScheduleError(f"'{stage}': the body has {len(loads)} loads")
    for keep in loops.keeps:
        if keep.op >= len(ops) or not ops[keep.op].results:
            raise ScheduleError(f"'{keep}': the body has no value of this number")
    guarded = any(loops.once.values()) and may_alias(nest)
    _rewrite(nest, loops, guarded)
    for stage in loops.stages:
        words = {"at": StringAttr(stage.at)} | {k: StringAttr(v) for k, v in stage.options}
        loads[stage.load].properties["stage"] = DictionaryAttr(words)
    if loops.outline is not None:
        nest.attributes["outline"] = StringAttr(loops.outline)
    for keep in loops.keeps:
        ops[keep.op].attributes["keep"] = StringAttr(keep.at)


def _rewrite(nest: NestOp, loops: Loops, guarded: bool) -> None:
    """Writes axes, maps and conditions, once for all steps."""
    nest.properties["axes"] = AxesAttr(tuple(loops.axes))
    changed = {name: value for name, value in loops.value.items() if loops.parts[name] != [name]}
    if not changed:
        return
    memo: dict[Expr, Expr] = {}

    def renew(expr: Expr) -> Expr:
        if (known := memo.get(expr)) is None:
            known = memo[expr] = expr.substitute(lambda atom: changed.get(atom.name) if isinstance(atom, Dim) else None)
        return known

    for op in nest.block.ops:
        if isinstance(op, ReduceOp):
            names = op.axes
            parts = dict.fromkeys(part for name in names for part in loops.parts[name])
            op.properties["over"] = ArrayAttr([StringAttr(part) for part in parts])
            repeated = () if op.kind.data in IDEMPOTENT else loops.conditions(loops.once, names)
            if repeated:
                op.attributes["where"] = ConditionsAttr(repeated)
            continue
        if (map := op.properties.get("map")) is not None:
            assert isinstance(map, MapAttr)
            used = {name for e in map.data for name in e.dims()} & changed.keys()
            op.properties["map"] = MapAttr(tuple(renew(e) for e in map.data))
        else:
            used = set[str]()
        conditions = op.properties.get("conditions")
        tests = (
            [c._replace(expr=renew(c.expr)) for c in conditions.data] if isinstance(conditions, ConditionsAttr) else []
        )
        if isinstance(op, (LoadOp, StoreOp)):
            tests += loops.conditions(loops.exists, sorted(used))
        if isinstance(op, StoreOp) and (guarded or op.combine is not None):
            tests += loops.conditions(loops.once, sorted(used))
        if tests:
            op.properties["conditions"] = ConditionsAttr(tuple(tests))


def may_alias(nest: NestOp) -> bool:
    """Whether memory planning may give an output the buffer of an input: some load reads exactly where a store writes."""
    read, written = ({_element(op) for op in nest.block.ops if isinstance(op, kind)} for kind in (LoadOp, StoreOp))
    return not read.isdisjoint(written)


def _element(op: LoadOp | StoreOp) -> tuple[object, Expr]:
    """What an access means in memory: its type of element, and where it lies."""
    type = op.buffer.type
    return type.element_type, linearize(op.map.data, type.get_shape())  # type: ignore[attr-defined]


# -- what choosers ask ----------------------------------------------------------------------------------------------------------------------


def depends(nest: NestOp) -> dict[object, frozenset[str]]:
    """The axes that each value of the body depends on, by SSA value; of a store, by the op itself."""
    found: dict[object, frozenset[str]] = {}
    for op in nest.block.ops:
        axes = {name for v in op.operands if v in found for name in found[v]}
        for key in ("map", "conditions"):
            if (attr := op.properties.get(key)) is not None:
                exprs = attr.data if isinstance(attr, MapAttr) else [c.expr for c in attr.data]  # type: ignore[attr-defined]
                axes |= {name for e in exprs for name in e.dims()}
        if isinstance(op, ReduceOp):
            axes -= set(op.axes)
        if isinstance(op, StoreOp) and op.combine is not None:  # at each point, though all write the same
            axes |= {a.name for a in nest.axes.data if a.role == "par"}
        result = frozenset(axes)
        found[op] = result
        for value in op.results:
            found[value] = result
    return found


def strides(map: MapAttr, shape: Sequence[int]) -> dict[str, int] | None:
    """Elements that one step of each axis moves in a row-major buffer; None if the position is not linear in the axes."""
    step, result = 1, dict[str, int]()
    for expr, extent in zip(reversed(map.data), reversed(shape), strict=True):
        for atom, c in expr.terms:
            if isinstance(atom, Sym):
                continue
            if not isinstance(atom, Dim):
                return None
            result[atom.name] = result.get(atom.name, 0) + c * step
        step *= extent
    return result


__all__ = [
    "IDEMPOTENT",
    "Fuse",
    "Keep",
    "Level",
    "Loops",
    "Order",
    "Outline",
    "Schedule",
    "ScheduleError",
    "Split",
    "Stage",
    "Step",
    "apply",
    "depends",
    "from_attr",
    "may_alias",
    "parse_step",
    "strides",
    "to_attr",
]

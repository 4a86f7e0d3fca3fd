"""Copies of what staged loads read, as nests of their own.

A *panel* has an axis for each of the load's, in the order in which they are read. A *box* holds the part of the buffer that is touched, zeros where that reaches outside: what
padding would test at each point is tested once, in the copy. Loops that walk on through both memories become one: a copy is short code and a long loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from typing import NamedTuple

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute, Block
from xdsl.utils.exceptions import PassFailedException

from weft.dialects.kernel.affine import Condition, Dim, Expr, linearize
from weft.dialects.kernel.attributes import Axis, MapAttr
from weft.dialects.kernel.ops import LoadOp, NestOp, StoreOp
from weft.dialects.kernel.ops import load as load_op
from weft.dialects.kernel.ops import nest as nest_op
from weft.passes.schedule.steps import apply as apply_schedule
from weft.passes.schedule.wasm import choose
from weft.passes.wasm.state import REGISTER_LEVELS


class Copy(NamedTuple):
    """A copying nest (from the load's buffer to the copy), the type of the copy, and the position in it that the load then has."""

    nest: NestOp
    type: MemRefType
    position: Expr


def staged_copy(nest: NestOp, load: LoadOp, opened: frozenset[str] = frozenset()) -> Copy:
    """The copy that `load` asks for. Axes of `opened` have a value where it is made. Raises PassFailedException."""
    options = load.stage.data  # type: ignore[union-attr]
    if load.symbols:
        raise PassFailedException("kernel-to-wasm: a load whose index is data cannot be staged")
    if "panel" in options:
        return _panel(nest, load, options["panel"].data.split(","), opened)  # type: ignore[attr-defined]
    return _box(load)


def _panel(nest: NestOp, load: LoadOp, names: Sequence[str], opened: frozenset[str]) -> Copy:
    source = load.buffer.type
    assert isinstance(source, MemRefType)
    if lost := {d for e in load.map.data for d in e.dims()} - opened - set(names):
        raise PassFailedException(
            f"kernel-to-wasm: a panel of axes {list(names)} lacks {sorted(lost)}, on which the load depends"
        )
    axes = [nest.axis(name) for name in names]
    position = linearize(tuple(a.expr for a in axes), tuple(a.extent for a in axes))
    tests = load.conditions.data if load.conditions is not None else ()
    exprs = [linearize(load.map.data, source.get_shape()), *(c.expr for c in tests)]
    # the steps that the nest runs straight are a loop of the copy
    axes = [a if a.level in ("reg", "lane") else a._replace(level="none") for a in axes if a.extent != 1]
    axes, (read, *tested) = _joined(axes, exprs)
    tests = tuple(c._replace(expr=e) for c, e in zip(tests, tested, strict=True))
    flat = _memref(source.element_type, prod(source.get_shape()))
    copy, type = _copy(axes, flat, (read,), tests)
    return Copy(copy, type, position)


def _joined(axes: Sequence[Axis], exprs: Sequence[Expr]) -> tuple[list[Axis], list[Expr]]:
    """Neighbouring loops made one where the inner one's last step and the outer one's next are one step of each expression."""
    hidden = {
        d for e in exprs for atom, _ in e.terms if not isinstance(atom, Dim) for d in Expr(0, ((atom, 1),)).dims()
    }
    done: list[Axis] = []
    exprs = list(exprs)
    for axis in reversed(axes):
        inner = done[-1] if done else None
        if (
            inner is not None
            and axis.level == inner.level == "none"
            and not {axis.name, inner.name} & hidden
            and all(_step(e, axis) == _step(e, inner) * inner.extent for e in exprs)
        ):
            joined = Axis(axis.name + inner.name, "par", axis.extent * inner.extent)
            exprs = [
                e - axis.expr * _step(e, axis) - inner.expr * _step(e, inner) + joined.expr * _step(e, inner)
                for e in exprs
            ]
            done[-1] = joined
        else:
            done.append(axis)
    return done[::-1], exprs


def _step(expr: Expr, axis: Axis) -> int:
    return expr.coefficient(Dim(axis.name, axis.extent))


def _box(load: LoadOp) -> Copy:
    source = load.buffer.type
    assert isinstance(source, MemRefType)
    shape = source.get_shape()
    bounds = [e.bounds for e in load.map.data]
    axes = [Axis(f"b{k}", "par", hi - lo + 1) for k, (lo, hi) in enumerate(bounds)]
    read = tuple(a.expr + lo for a, (lo, _) in zip(axes, bounds, strict=True))
    index = tuple(e - lo for e, (lo, _) in zip(load.map.data, bounds, strict=True))
    ends = {(e, 0, n) for e, n in zip(load.map.data, shape, strict=True)}
    if load.conditions is not None and not all(tuple(c) in ends for c in load.conditions.data):
        raise PassFailedException(
            f"kernel-to-wasm: a box needs conditions that say where the buffer ends, got {load.conditions}"
        )
    tests = [Condition(e, 0, n) for e, n in zip(read, shape, strict=True)]
    copy, type = _copy(axes, source, read, tuple(c for c in tests if not c.always))
    apply_schedule(copy, choose(copy))
    return Copy(copy, type, linearize(index, type.get_shape()))


def _copy(
    axes: Sequence[Axis], source: MemRefType, read: tuple[Expr, ...], tests: tuple[Condition, ...]
) -> tuple[NestOp, MemRefType]:
    """The nest that copies from a buffer, where the tests hold, to one with these axes; threads share its outermost loop."""
    type = _memref(source.element_type, *(a.extent for a in axes))
    block = Block(arg_types=[source, type])
    copied = load_op(block.args[0], read, (), tests)
    places = MapAttr(tuple(a.expr for a in axes))
    block.add_ops([copied, StoreOp.create(operands=[copied.result, block.args[1]], properties={"map": places})])
    outer = next((a for a in axes if a.level not in REGISTER_LEVELS), None)
    roles = [Axis(a.name, "par", a.extent, "grid" if a is outer else a.level) for a in axes]
    operands = Block(arg_types=[source, type]).args
    return nest_op(roles, [operands[0]], [operands[1]], block), type


@cache
def _memref(element: Attribute, *shape: int) -> MemRefType:
    return MemRefType(element, shape)

"""Attributes of the kernel dialect: the axes of a nest, index maps, conditions. Each wraps a plain, hashable Python value.

Text is self-contained in the generic form (`#kernel.map<(i: 8, j: 4)[s0: 0..9] -> (i + s0, j)>`: axes with their extents, symbols with their bounds). Inside a nest the
custom form of the ops prints the expressions alone; parsing them needs the axes of the nest, which `NestOp.parse` hands on through `axes_in_scope`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import NamedTuple

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from weft.dialects.kernel.affine import Condition, Dim, Expr, Sym, dim, symbol

ROLES = ("par", "red")
LEVELS = ("none", "grid", "local", "group", "loop", "reg", "unroll", "lane")

Lookup = Callable[[str], Expr | None]
"""What a name in an index expression stands for."""


class Axis(NamedTuple):
    """One loop of a nest. `role` never changes; the schedule sets `level`."""

    name: str
    role: str
    extent: int
    level: str = "none"

    @property
    def expr(self) -> Expr:
        return dim(self.name, self.extent)

    def __str__(self) -> str:
        level = "" if self.level == "none" else f"@{self.level}"
        return f"{self.name}: {self.role}{level} {self.extent}"


_scope: ContextVar[Mapping[str, int]] = ContextVar("axes_in_scope", default=MappingProxyType({}))


@contextmanager
def axes_in_scope(axes: Sequence[Axis]) -> Generator[None]:
    """While a nest's body is parsed: its axes, by name."""
    token = _scope.set({a.name: a.extent for a in axes})
    try:
        yield
    finally:
        _scope.reset(token)


# -- expressions --------------------------------------------------------------------------------------------------------------------------


def parse_expr(parser: AttrParser, lookup: Lookup) -> Expr:
    """expr ::= term (('+' | '-') term)* ;  term ::= factor ('*' int | 'floordiv' int | 'mod' int)*"""
    negative = parser.parse_optional_punctuation("-") is not None
    value = _parse_term(parser, lookup)
    if negative:
        value = -value
    while True:
        if parser.parse_optional_punctuation("+"):
            value = value + _parse_term(parser, lookup)
        elif parser.parse_optional_punctuation("-"):
            value = value - _parse_term(parser, lookup)
        else:
            return value


def _parse_term(parser: AttrParser, lookup: Lookup) -> Expr:
    value = _parse_factor(parser, lookup)
    while True:
        if parser.parse_optional_punctuation("*"):
            right = _parse_factor(parser, lookup)
            if value.is_constant:
                value, right = right, value
            if not right.is_constant:
                parser.raise_error("one factor of a product in an index expression must be a constant")
            value = value * right.const
        elif parser.parse_optional_keyword("floordiv"):
            value = value // _parse_positive(parser)
        elif parser.parse_optional_keyword("mod"):
            value = value % _parse_positive(parser)
        else:
            return value


def _parse_positive(parser: AttrParser) -> int:
    by = parser.parse_integer(allow_negative=False, allow_boolean=False)
    if by <= 0:
        parser.raise_error("the divisor in an index expression must be positive")
    return by


def _parse_factor(parser: AttrParser, lookup: Lookup) -> Expr:
    if parser.parse_optional_punctuation("("):
        value = parse_expr(parser, lookup)
        parser.parse_punctuation(")")
        return value
    if (literal := parser.parse_optional_integer(allow_boolean=False)) is not None:
        return Expr(literal)
    pos = parser.pos
    name = parser.parse_identifier("axis")
    if name == "min":
        parser.parse_punctuation("(")
        value = parse_expr(parser, lookup)
        parser.parse_punctuation(",")
        limit = parser.parse_integer(allow_boolean=False)
        parser.parse_punctuation(")")
        return value.minimum(limit)
    expr = lookup(name)
    if expr is None:
        parser.raise_error(f"'{name}' is not an axis of this nest", pos)
    return expr


def parse_condition(parser: AttrParser, lookup: Lookup) -> Condition:
    """lo '<=' expr '<' hi"""
    lo = parser.parse_integer(allow_boolean=False)
    parser.parse_punctuation("<")
    parser.parse_punctuation("=")
    expr = parse_expr(parser, lookup)
    parser.parse_punctuation("<")
    return Condition(expr, lo, parser.parse_integer(allow_boolean=False))


def scope_lookup(symbols: dict[str, Expr]) -> Lookup:
    """Names of the nest around, and of the symbols declared on the op."""
    extents = _scope.get()
    return lambda name: symbols.get(name) or (dim(name, extents[name]) if name in extents else None)


# -- the self-contained text: (axes)[symbols] -> … -----------------------------------------------------------------------------------------


def _parse_space(parser: AttrParser) -> Lookup:
    names: dict[str, Expr] = {}

    def parse_axis() -> None:
        name = parser.parse_identifier()
        parser.parse_punctuation(":")
        names[name] = dim(name, parser.parse_integer(allow_boolean=False))

    def parse_symbol() -> None:
        name = parser.parse_identifier()
        parser.parse_punctuation(":")
        lo = parser.parse_integer(allow_boolean=False)
        parser.parse_keyword("to")
        names[name] = symbol(int(name[1:]), lo, parser.parse_integer(allow_boolean=False))

    parser.parse_comma_separated_list(parser.Delimiter.PAREN, parse_axis)
    parser.parse_optional_comma_separated_list(parser.Delimiter.SQUARE, parse_symbol)
    parser.parse_punctuation("->")
    return names.get


def _print_space(printer: Printer, exprs: Sequence[Expr]) -> None:
    atoms = {a for e in exprs for a in e.atoms()}
    dims = sorted((a for a in atoms if isinstance(a, Dim)), key=lambda a: a.name)
    syms = sorted((a for a in atoms if isinstance(a, Sym)), key=lambda a: a.number)
    printer.print_string("(" + ", ".join(f"{d.name}: {d.extent}" for d in dims) + ")")
    if syms:
        printer.print_string("[" + ", ".join(f"s{s.number}: {s.lo} to {s.hi}" for s in syms) + "]")
    printer.print_string(" -> ")


@irdl_attr_definition
class MapAttr(Data[tuple[Expr, ...]]):
    """An index map: one expression per dimension of the buffer.

    #kernel.map<(i: 8, j: 4)[s0: 0 to 9] -> (i + s0, j)>
    """

    name = "kernel.map"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[Expr, ...]:
        with parser.in_angle_brackets():
            lookup = _parse_space(parser)
            return tuple(parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: parse_expr(parser, lookup)))

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print_space(printer, self.data)
            printer.print_string("(" + ", ".join(map(str, self.data)) + ")")


@irdl_attr_definition
class ConditionsAttr(Data[tuple[Condition, ...]]):
    """A set of index points: all of the conditions hold.

    #kernel.conditions<(i: 8) -> (0 <= i - 1 < 6)>
    """

    name = "kernel.conditions"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[Condition, ...]:
        with parser.in_angle_brackets():
            lookup = _parse_space(parser)
            return tuple(
                parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: parse_condition(parser, lookup))
            )

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print_space(printer, [c.expr for c in self.data])
            printer.print_string("(" + ", ".join(map(str, self.data)) + ")")


def parse_axis(parser: AttrParser) -> Axis:
    """name ':' role ['@' level] extent"""
    name = parser.parse_identifier("axis name")
    parser.parse_punctuation(":")
    pos = parser.pos
    role = parser.parse_identifier("role of an axis")
    if role not in ROLES:
        parser.raise_error(f"expected a role ({', '.join(ROLES)}), got '{role}'", pos)
    level = "none"
    pos = parser.pos
    if (at := parser.parse_optional_symbol_name()) is not None:
        level = at.data
        if level not in LEVELS:
            parser.raise_error(f"expected a level ({', '.join(LEVELS)}), got '{level}'", pos)
    return Axis(name, role, parser.parse_integer(allow_boolean=False), level)


@irdl_attr_definition
class AxesAttr(Data[tuple[Axis, ...]]):
    """The axes of a nest, outermost first.

    #kernel.axes<[i: par@grid 128, j: red 512]>
    """

    name = "kernel.axes"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[Axis, ...]:
        with parser.in_angle_brackets():
            return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_axis(parser)))

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(str(self))

    def __str__(self) -> str:
        return "[" + ", ".join(map(str, self.data)) + "]"

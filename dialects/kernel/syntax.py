"""The syntax that loads, stores and index values share: a point of the nest.

point   ::= symbols? '[' expr, … ']' ('if' '(' condition, … ')')?
symbols ::= '(' s0 '=' %value 'in' lo 'to' hi, … ')'
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer

from weft.dialects.kernel.affine import Expr, Sym, symbol
from weft.dialects.kernel.attributes import ConditionsAttr, parse_condition, parse_expr, scope_lookup


def _print_symbols(printer: Printer, exprs: Sequence[Expr], symbols: Sequence[SSAValue]) -> None:
    if not symbols:
        return
    used = {a.number: a for e in exprs for a in e.atoms() if isinstance(a, Sym)}
    printer.print_string(" (")
    for number, value in enumerate(symbols):
        lo, hi = used[number].bounds
        printer.print_string(f"{', ' if number else ''}s{number} = ")
        printer.print_ssa_value(value)
        printer.print_string(f" in {lo} to {hi}")
    printer.print_string(")")


def print_point(
    printer: Printer, exprs: Sequence[Expr] | None, symbols: Sequence[SSAValue], conditions: ConditionsAttr | None
) -> None:
    """The index, the symbols in it, the conditions."""
    tests = conditions.data if conditions is not None else ()
    _print_symbols(printer, [*(exprs or ()), *(c.expr for c in tests)], symbols)
    if exprs is not None:
        printer.print_string(("[" if not symbols else " [") + ", ".join(map(str, exprs)) + "]")
    if tests:
        printer.print_string(" if (" + ", ".join(map(str, tests)) + ")")


def parse_point(
    parser: Parser, bracketed: bool = True
) -> tuple[tuple[Expr, ...], list[SSAValue], ConditionsAttr | None]:
    """What `print_point` prints; without the index if it is not `bracketed`."""
    names: dict[str, Expr] = {}
    operands: list[UnresolvedOperand] = []

    def declare() -> None:
        name = parser.parse_identifier("symbol")
        parser.parse_punctuation("=")
        operands.append(parser.parse_unresolved_operand())
        parser.parse_keyword("in")
        lo = parser.parse_integer(allow_boolean=False)
        parser.parse_keyword("to")
        names[name] = symbol(len(operands) - 1, lo, parser.parse_integer(allow_boolean=False))

    parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, declare)
    lookup = scope_lookup(names)
    exprs: tuple[Expr, ...] = ()
    if bracketed:
        exprs = tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_expr(parser, lookup)))
    conditions = None
    if parser.parse_optional_keyword("if"):
        tests = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: parse_condition(parser, lookup))
        conditions = ConditionsAttr(tuple(tests))
    return exprs, [parser.resolve_operand(o, i32) for o in operands], conditions

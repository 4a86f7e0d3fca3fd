"""Operations that hold programs: the base of loops and branches, and how their programs are written down.

On nodes a program is a parameter, a `Graph`; in the IR it is a region. What a program uses from outside is an input of the node, and so an input of the graph; a region just names the
value, as MLIR's `scf` does, so the text says nothing twice. `parts` and `whole` translate between the two: which inputs are operands of the op, and which are captured by which region.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, traits_def, var_operand_def, var_result_def
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.array.graph import Graph, inline, reachable
from weft.dialects.array.node import Aval, IdentityOp, LeafOp, Node, leaf, make, results, staging, transform
from weft.dialects.array.op import ArrayOp, Canonicalizes, op_name, zeros
from weft.dialects.array.params import Params
from weft.dialects.array.walks import Maybe, dependents, jvp_walk, residuals

T = TypeVar("T")


class Part(NamedTuple):
    """A program of an op: its graph, and what stands outside for the graph's first inputs. The others are the region's arguments."""

    graph: Graph
    captured: Sequence[Any]


class ControlOp(ArrayOp):
    """An op with programs. Its rules get and give them as graphs; it has any number of results."""

    result = var_result_def(TensorType)
    traits = traits_def(Pure(), Canonicalizes())

    @classmethod
    def bind(cls, *inputs: Node, **params: Any) -> tuple[Node, ...]:  # type: ignore[override]
        """Applies the op. Its programs may refer to outside nodes that they do not take yet. Nothing is remembered: programs seldom come again."""
        inputs, params = cls._closed(inputs, params)
        return results(make(cls, inputs, params, cls.infer(*[n.aval for n in inputs], **params)))

    @classmethod
    def _closed(cls, inputs: tuple[Node, ...], params: Params) -> tuple[tuple[Node, ...], Params]:
        """Inputs and parameters where every program takes what any of them refers to: a walk that wrote a program may have run a rule of the user's, which uses what it likes."""
        operands, parts = cls.parts(inputs, **params)
        loose = list(dict.fromkeys(n for part in parts for n in _loose(part.graph)))
        if not loose:
            return inputs, params
        closed = [Part(_taking(graph, loose, len(outer)), [*outer, *loose]) for graph, outer in parts]
        whole, found = cls.whole(operands, closed, {})
        return tuple(whole), {**params, **found}

    @classmethod
    @abstractmethod
    def parts(cls, inputs: Sequence[T], **params: Any) -> tuple[list[T], list[Part]]:
        """The operands among the inputs, and the programs with what they capture."""

    @classmethod
    @abstractmethod
    def whole(cls, operands: list[T], parts: list[Part], own: Params) -> tuple[list[T], Params]:
        """The inputs and parameters for operands, programs, and the parameters that are properties."""

    @classmethod
    def composite(cls, **params: Any) -> bool:
        return False

    @classmethod
    def segments(cls, operands: int, **params: Any) -> dict[str, Attribute]:
        """The property that divides the operands, for an op with several groups of them."""
        return {}

    def captured(self, k: int) -> list[SSAValue]:
        """What region k takes from outside, in the order of first use."""
        return list(captured(self.regions[k]))

    def check_yields(self, region: Region, expected: Sequence[Attribute], what: str) -> None:
        """Raises VerifyException unless the region gives values of these types."""
        given = list(end_of(region).operand_types)
        if given != list(expected):
            wanted, got = (", ".join(map(str, types)) for types in (expected, given))
            raise VerifyException(
                f"{op_name(type(self))}: {what} must yield {wanted or 'nothing'}, got {got or 'nothing'}"
            )


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends a region, and gives its results.

    array.yield %x, %y : tensor<4xf32>, tensor<i32>
    """

    name = "array.yield"

    arguments = var_operand_def(TensorType)
    traits = traits_def(IsTerminator(), Pure())
    assembly_format: ClassVar = "($arguments^ `:` type($arguments))? attr-dict"


def end_of(region: Region) -> Operation:
    """The op that gives the region's results."""
    end = region.block.last_op
    if not isinstance(end, YieldOp):
        raise VerifyException(f"a region must end in array.yield, got {end.name if end is not None else 'nothing'}")
    return end


def captured(region: Region) -> dict[SSAValue, None]:
    """The values from outside that a region uses, in the order of first use."""
    inside: set[SSAValue] = set()
    found: dict[SSAValue, None] = {}
    for block in region.blocks:
        inside.update(block.args)
        for op in block.ops:
            outer = [*op.operands, *(v for r in op.regions for v in captured(r))]
            found |= dict.fromkeys(v for v in outer if v not in inside)
            inside.update(op.results)
    return found


def _loose(graph: Graph) -> list[Node]:
    """What a graph's computation takes from outside, constants apart: the last nodes that do not depend on its inputs. A transform's argument counts, whatever its value: a tangent may come with it."""

    def given(nodes: Sequence[Node]) -> bool:
        return any(n.op is LeafOp or n.op is IdentityOp for n in nodes)

    if not given(graph.nodes):
        return []
    way = dependents(graph.outs, graph.ins)
    inside = {*graph.ins, *way}
    taken = dict.fromkeys(n for user in way for n in user.inputs if n not in inside)
    taken |= dict.fromkeys(o for o in graph.outs if o not in inside)
    return [n for n in taken if given(reachable([n], graph.ins))]


def _taking(graph: Graph, nodes: Sequence[Node], at: int) -> Graph:
    """The graph with these nodes as further inputs, the first of them in place `at`. A node that it takes already is not taken twice: a placeholder stands there."""
    added = [leaf(n.aval) if n in graph.ins else n for n in nodes]
    return Graph((*graph.ins[:at], *added, *graph.ins[at:]), graph.outs)


# -- syntax -------------------------------------------------------------------------------------------------------------------------------


def print_bindings(printer: Printer, args: Sequence[SSAValue], values: Sequence[SSAValue]) -> None:
    """`(%a = %x : tensor<…>, …)`: what a region calls the op's operands."""

    def binding(pair: tuple[SSAValue, SSAValue]) -> None:
        printer.print_ssa_value(pair[0])
        printer.print_string(" = ")
        printer.print_ssa_value(pair[1])
        printer.print_string(" : ")
        printer.print_attribute(pair[1].type)

    printer.print_string("(")
    printer.print_list(list(zip(args, values, strict=True)), binding)
    printer.print_string(")")


def parse_bindings(parser: Parser) -> list[tuple[Any, SSAValue]]:
    """The reverse of `print_bindings`: unresolved arguments and the values that they stand for."""

    def binding() -> tuple[Any, SSAValue]:
        argument = parser.parse_argument(expect_type=False)
        parser.parse_punctuation("=")
        value: UnresolvedOperand = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        return argument, parser.resolve_operand(value, parser.parse_type())

    return parser.parse_comma_separated_list(parser.Delimiter.PAREN, binding)


def print_body(printer: Printer, region: Region) -> None:
    """A region without its arguments, which stand elsewhere."""
    printer.print_string(" ")
    printer.print_region(region, print_entry_block_args=False)


# -- what rules of control flow share -----------------------------------------------------------------------------------------------------


class Split(NamedTuple):
    """A graph in two: `known` from its known inputs to known outputs and residuals, `linear` from residuals and linear inputs to linear outputs."""

    known: Graph
    linear: Graph
    residuals: int


def separable(joint: Graph, known_ins: int, known_outs: int) -> bool:
    """Whether known outputs need known inputs alone. Not so where a `while` is differentiated: it carries tangents along with values, in one loop."""
    ins = joint.ins[known_ins:]
    way = {*ins, *dependents(joint.outs[:known_outs], ins)}
    return not any(o in way for o in joint.outs[:known_outs])


def split(graph: Graph, linear_ins: Sequence[bool], linear_outs: Sequence[bool]) -> Split:
    """Divides a graph that is linear in some inputs. An output may be linear by decision; one that depends on a linear input must be."""
    ins, outs = chosen(graph.ins, linear_ins), chosen(graph.outs, linear_outs)
    known_ins = [n for n, on in zip(graph.ins, linear_ins, strict=True) if not on]
    way = {*ins, *dependents(outs, ins)}
    computed = {*known_ins, *dependents(graph.outs, known_ins)}  # what depends on nothing can be made again
    # an output that no linear input reaches is a value of the known part, passed on
    wanted = dict.fromkeys([*residuals(outs, ins), *(o for o in outs if o not in way)])
    kept = [n for n in wanted if n in computed]
    known_outs = [o for o, on in zip(graph.outs, linear_outs, strict=True) if not on]
    return Split(Graph(known_ins, [*known_outs, *kept]), Graph([*kept, *ins], outs), len(kept))


def differentiated(graph: Graph, active: Sequence[bool]) -> tuple[Graph, list[bool]]:
    """The graph from inputs and tangents of those that are `active` to outputs and tangents of some; and which."""
    with staging(), transform() as mark:
        ins = [leaf(a, mark=mark) for a in graph.in_avals]
        tangents = [leaf(n.aval, mark=mark) if on else None for n, on in zip(ins, active, strict=True)]
        outs, found = jvp_walk(inline(graph, ins), ins, tangents)
    given, gotten = ([t for t in part if t is not None] for part in (tangents, found))
    return Graph([*ins, *given], [*outs, *gotten]), [t is not None for t in found]


def filled(tangents: Sequence[Maybe], like: Sequence[Node | Aval]) -> list[Node]:
    """Tangents with zeros in the place of None."""
    return [zeros(a) if t is None else t for t, a in zip(tangents, like, strict=True)]


def weakened(cts: Sequence[Node], like: Sequence[Node]) -> list[Node]:
    """Cotangents as weak as what they belong to: a loop may have carried a weak number as a strong one."""
    from weft.dialects.array.ops import ConvertOp

    return [
        ConvertOp.bind(c, dtype=c.dtype, weak_type=True) if n.aval.weak_type and not c.aval.weak_type else c
        for c, n in zip(cts, like, strict=True)
    ]


def chosen(items: Sequence[T], mask: Sequence[bool]) -> list[T]:
    """Those of the items where the mask holds."""
    return [x for x, on in zip(items, mask, strict=True) if on]


def fixed_point(mask: list[bool], step: Callable[[list[bool]], Sequence[bool]]) -> list[bool]:
    """The smallest mask above the given one that a step adds nothing to: which carries have tangents, or batch axes."""
    while True:
        found = [a or b for a, b in zip(mask, step(mask), strict=True)]
        if found == mask:
            return mask
        mask = found

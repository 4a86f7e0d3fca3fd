"""Loops and branches whose course is data: `array.while` and `array.cond`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xdsl.dialects.builtin import TensorType, i1
from xdsl.irdl import irdl_op_definition, operand_def, region_def, var_operand_def, var_region_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from weft.dialects.array.control import (
    ControlOp,
    Part,
    T,
    chosen,
    differentiated,
    end_of,
    filled,
    fixed_point,
    print_body,
    separable,
    split,
    weakened,
)
from weft.dialects.array.effects import TOKEN, Chain, current, handed_on, takes_token
from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Aval, Node, leaf, staging, transform
from weft.dialects.array.op import Replace, batch_front, broadcast, zeros
from weft.dialects.array.ops.algebra import compare, reduce, where
from weft.dialects.array.params import Params
from weft.dialects.array.walks import Maybe, batch_graph, transpose_walk
from weft.dialects.dtypes import bool_, int32

Dims = Sequence[int | None]


def _same_types(name: str, what: str, expected: Sequence[Aval], given: Sequence[Aval]) -> None:
    if [(a.shape, a.dtype) for a in expected] != [(a.shape, a.dtype) for a in given]:
        raise TypeError(f"{name}: {what}: expected {tuple(expected)}, got {tuple(given)}")


@irdl_op_definition
class WhileOp(ControlOp):
    """Runs `body` on what is carried as long as `cond` holds of it.

    %i = array.while %i0 : tensor<i32> cond(%a) {
      %p = array.compare lt %a, %n : tensor<i32>, tensor<i32> -> tensor<i1>
      array.yield %p : tensor<i1>
    } do(%b) {
      %c = array.add %b, %one : tensor<i32>
      array.yield %c : tensor<i32>
    }

    Inputs of the node: `cond_consts` values that the condition captures, `body_consts` that the body captures, then the first values. JAX: `lax.while_loop`.
    """

    name = "array.while"
    GRAPHS: ClassVar = ("cond", "body")
    GROUPS: ClassVar = ("cond_consts", "body_consts")

    JOINT: ClassVar = True
    """Its derivative computes results and tangents in one loop."""

    carry = var_operand_def(TensorType)
    cond = region_def("single_block")
    body = region_def("single_block")

    @classmethod
    def infer(cls, *avals: Aval, cond: Graph, body: Graph, cond_consts: int, body_consts: int) -> tuple[Aval, ...]:
        carry = avals[cond_consts + body_consts :]
        _same_types("while", "operands of the condition", (*avals[:cond_consts], *carry), cond.in_avals)
        captured = avals[cond_consts : cond_consts + body_consts]
        _same_types("while", "operands of the body", (*captured, *carry), body.in_avals)
        if len(cond.outs) != 1 or cond.outs[0].shape or cond.outs[0].dtype is not bool_:
            raise TypeError(f"while: the condition must give one scalar of type bool, got {cond.out_avals}")
        _same_types("while", "results of the body", carry, body.out_avals)
        return body.out_avals

    @classmethod
    def parts(
        cls, inputs: Sequence[T], *, cond: Graph, body: Graph, cond_consts: int, body_consts: int
    ) -> tuple[list[T], list[Part]]:
        first = cond_consts + body_consts
        return list(inputs[first:]), [Part(cond, inputs[:cond_consts]), Part(body, inputs[cond_consts:first])]

    @classmethod
    def whole(cls, operands: list[T], parts: list[Part], own: Params) -> tuple[list[T], Params]:
        (cond, outer), (body, captured) = parts
        params = {"cond": cond, "body": body, "cond_consts": len(outer), "body_consts": len(captured)}
        return [*outer, *captured, *operands], params

    def verify_(self) -> None:
        types = [v.type for v in self.carry]
        if any([a.type for a in r.block.args] != types for r in self.regions) or list(self.result_types) != types:
            raise VerifyException("while: arguments of both regions and results must have the types of the carries")
        self.check_yields(self.regions[0], [TensorType(i1, [])], "the condition")
        self.check_yields(self.regions[1], types, "the body")

    def print(self, printer: Printer) -> None:
        if self.carry:
            printer.print_string(" ")
            printer.print_list(self.carry, printer.print_ssa_value)
            printer.print_string(" : ")
            printer.print_list([v.type for v in self.carry], printer.print_attribute)
        for keyword, region in zip(("cond", "do"), self.regions, strict=True):
            printer.print_string(f" {keyword}(")
            printer.print_list(region.block.args, printer.print_ssa_value)
            printer.print_string(")")
            print_body(printer, region)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> WhileOp:
        position = parser.pos
        names = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        carry = []
        if names:
            parser.parse_punctuation(":")
            types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
            carry = list(parser.resolve_operands(names, types, position))
        regions = []
        for keyword in ("cond", "do"):
            parser.parse_keyword(keyword)
            args = parser.parse_comma_separated_list(
                parser.Delimiter.PAREN, lambda: parser.parse_argument(expect_type=False)
            )
            regions.append(parser.parse_region([a.resolve(v.type) for a, v in zip(args, carry, strict=True)]))
        attributes = parser.parse_optional_attr_dict_with_keyword()
        return cls.create(
            operands=carry,
            result_types=[v.type for v in carry],
            attributes=attributes.data if attributes else {},
            regions=regions,
        )

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Sequence[Node], *, cond: Graph, body: Graph, cond_consts: int,
        body_consts: int,
    ) -> Replace:  # fmt: skip
        """One loop that carries the tangents as well: how many rounds there are nobody knows beforehand."""
        first = cond_consts + body_consts
        active = [t is not None for t in tangents]
        captured = active[cond_consts:first]
        extra = [t for t in tangents[cond_consts:first] if t is not None]
        mask = fixed_point(active[first:], lambda m: differentiated(body, [*captured, *m])[1])
        joint, found = differentiated(body, [*captured, *mask])
        count = len(body.outs)
        gotten = iter(joint.outs[count:])
        linear_outs = [next(gotten) if f else zeros(o) for o, f, m in zip(body.outs, found, mask, strict=True) if m]
        ins, moved = joint.ins[: len(body.ins)], joint.ins[len(body.ins) :]
        ordered = [*ins[:body_consts], *moved[: len(extra)], *ins[body_consts:], *moved[len(extra) :]]
        given = [
            zeros(p) if t is None else t for p, t, m in zip(primals[first:], tangents[first:], mask, strict=True) if m
        ]
        made = cls.bind(
            *primals[:first], *extra, *primals[first:], *given,
            cond=Graph([*cond.ins, *(leaf(g.aval) for g in given)], cond.outs),
            body=Graph(ordered, [*joint.outs[:count], *linear_outs]),
            cond_consts=cond_consts, body_consts=body_consts + len(extra),
        )  # fmt: skip
        results = iter(made[count:])
        return Replace(made[:count], [next(results) if m else None for m in mask])

    @classmethod
    def transpose(cls, ct: Sequence[Maybe], args: Sequence[Node], linear: Sequence[bool], **params: Any) -> list[Maybe]:
        raise ValueError(
            "Reverse-mode differentiation does not work for lax.while_loop or lax.fori_loop with dynamic start/stop values. "
            "Try using lax.scan, or using fori_loop with static start/stop."
        )

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, cond: Graph, body: Graph, cond_consts: int, body_consts: int
    ) -> tuple[list[Node], list[int | None]]:  # fmt: skip
        """Examples that have come to their end wait for the others: the loop goes on as long as one of them does, and the others keep what they have."""
        first = cond_consts + body_consts
        places = [None if d is None else 0 for d in dims]
        outer, captured = places[:cond_consts], places[cond_consts:first]

        def at(mask: list[bool]) -> list[int | None]:
            return [0 if m else None for m in mask]

        def step(mask: list[bool]) -> list[bool]:
            if batch_graph(cond, size, [*outer, *at(mask)])[1][0] is not None:
                return [True] * len(mask)
            return [d is not None for d in batch_graph(body, size, [*captured, *at(mask)])[1]]

        mask = fixed_point([d is not None for d in dims[first:]], step)
        new_cond, (pred,) = batch_graph(cond, size, [*outer, *at(mask)])
        new_body, found = batch_graph(body, size, [*captured, *at(mask)])
        outs = [batch_front(size, o, d) if m else o for o, d, m in zip(new_body.outs, found, mask, strict=True)]
        inputs = [a if d is None else batch_front(size, a, d) for a, d in zip(args[:first], dims[:first], strict=True)]
        carry = [batch_front(size, a, d) if m else a for a, d, m in zip(args[first:], dims[first:], mask, strict=True)]
        ins = new_body.ins
        if pred is not None:  # the body asks once more who goes on
            carried = ins[body_consts:]
            with staging(), transform() as mark:
                asked = [leaf(n.aval, mark=mark) for n in new_cond.ins[:cond_consts]]
                (going,) = inline(new_cond, [*asked, *carried])
                outs = [where(broadcast(going, o.shape, (0,)), o, c) for o, c in zip(outs, carried, strict=True)]
            ins = (*asked, *ins)
            inputs = [*inputs[:cond_consts], *inputs]
            new_cond = Graph(new_cond.ins, [reduce(new_cond.outs[0], "or", (0,))])
        made = cls.bind(
            *inputs, *carry, cond=new_cond, body=Graph(ins, outs), cond_consts=cond_consts, body_consts=len(ins) - len(carry)
        )  # fmt: skip
        return list(made), at(mask)

    @staticmethod
    def reference(np: Any, *arrays: Any, cond: Any, body: Any, cond_consts: int, body_consts: int) -> Any:
        first = cond_consts + body_consts
        outer, captured, carry = arrays[:cond_consts], arrays[cond_consts:first], arrays[first:]
        while cond(*outer, *carry)[0]:
            carry = body(*captured, *carry)
        return tuple(carry)


@irdl_op_definition
class CondOp(ControlOp):
    """Runs one of several branches: the one that the index names, clamped to those that there are.

    %y = array.cond %i : tensor<i32> case {
      array.yield %x : tensor<f32>
    } case {
      %n = array.neg %x : tensor<f32>
      array.yield %n : tensor<f32>
    }

    Inputs of the node: the index, then what the branches take, each of them all. JAX: `lax.switch`, `lax.cond`.
    """

    name = "array.cond"
    GRAPHS: ClassVar = ("branches",)

    index = operand_def(TensorType)
    cases = var_region_def("single_block")

    @classmethod
    def infer(cls, index: Aval, *avals: Aval, branches: tuple[Graph, ...]) -> tuple[Aval, ...]:
        if index.shape or index.dtype is not int32:
            raise TypeError(f"cond: the index must be a scalar of type int32, got {index}")
        for branch in branches:
            _same_types("cond", "operands of a branch", avals, branch.in_avals)
            _same_types("cond", "results of a branch", branches[0].out_avals, branch.out_avals)
        return branches[0].out_avals

    @classmethod
    def parts(cls, inputs: Sequence[T], *, branches: tuple[Graph, ...]) -> tuple[list[T], list[Part]]:
        return [inputs[0]], [Part(b, inputs[1:]) for b in branches]

    @classmethod
    def whole(cls, operands: list[T], parts: list[Part], own: Params) -> tuple[list[T], Params]:
        return [*operands, *parts[0].captured], {"branches": tuple(p.graph for p in parts)}

    def captured(self, k: int) -> list[Any]:
        """What any branch takes: they all take the same."""
        return list(dict.fromkeys(v for r in range(len(self.regions)) for v in super(CondOp, self).captured(r)))

    def verify_(self) -> None:
        for region in self.regions:
            self.check_yields(region, self.result_types, "a branch")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.index)
        printer.print_string(" : ")
        printer.print_attribute(self.index.type)
        for region in self.regions:
            printer.print_string(" case")
            print_body(printer, region)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> CondOp:
        name = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        index = parser.resolve_operand(name, parser.parse_type())
        regions = []
        while parser.parse_optional_keyword("case"):
            regions.append(parser.parse_region([]))
        attributes = parser.parse_optional_attr_dict_with_keyword()
        return cls.create(
            operands=[index],
            result_types=end_of(regions[0]).operand_types if regions else [],
            attributes=attributes.data if attributes else {},
            regions=regions,
        )

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Sequence[Node], *, branches: tuple[Graph, ...]
    ) -> Replace:
        """Two: the second one is linear, and takes what the first one has computed for it (residuals), in whatever branch that was."""
        index, *operands = primals
        active = [t is not None for t in tangents[1:]]
        pairs = [differentiated(b, active) for b in branches]
        wanted = [any(found[k] for _, found in pairs) for k in range(len(out))]
        count = len(operands)
        joints = [Graph(j.ins, [*j.outs[: len(out)], *_tangents(j, found, wanted)]) for j, found in pairs]
        given = [t for t in tangents[1:] if t is not None]
        if not all(separable(j, count, len(out)) for j in joints):
            both = cls.bind(index, *operands, *given, branches=tuple(joints))
            results = iter(both[len(out) :])
            return Replace(both[: len(out)], [next(results) if w else None for w in wanted])
        parts = [
            split(j, [k >= count for k in range(len(j.ins))], [k >= len(out) for k in range(len(j.outs))])
            for j in joints
        ]
        slots, places = _shared([_computed(p, len(out)) for p in parts])
        outs = out
        if slots or takes_token(branches[0]):
            filled_branches = [
                Graph(p.known.ins, [*p.known.outs[: len(out)], *_in_slots(_computed(p, len(out)), place, slots)])
                for p, place in zip(parts, places, strict=True)
            ]
            outs = cls.bind(index, *operands, branches=tuple(filled_branches))
        linear = tuple(
            _linear_branch(p, place, slots, operands, given, len(out)) for p, place in zip(parts, places, strict=True)
        )
        results = iter(cls.bind(index, *operands, *outs[len(out) :], *given, branches=linear))
        return Replace(outs[: len(out)], [next(results) if w else None for w in wanted])

    @classmethod
    def transpose(
        cls, ct: Sequence[Maybe], args: Sequence[Node], linear: Sequence[bool], *, branches: tuple[Graph, ...]
    ) -> list[Maybe]:
        on = list(linear[1:])
        transposed = []
        for branch in branches:
            ins = chosen(branch.ins, on)
            with staging(), transform() as mark, Chain(leaf(TOKEN, mark=mark)) as effects:
                cts = [None if c is None else leaf(c.aval, mark=mark) for c in ct]
                found = filled(transpose_walk(branch.outs, cts, ins), ins)
            rest = [n for n, x in zip(branch.ins, on, strict=True) if not x]
            transposed.append((Graph([*rest, *(c for c in cts if c is not None)], found), effects))
        given = [a for a, x in zip(args[1:], on, strict=True) if not x]
        given += [c for c in ct if c is not None]
        graphs = tuple(g for g, _ in transposed)
        if any(e.made for _, e in transposed):  # rules of the user's may call the host
            graphs = tuple(Graph([*g.ins, e.start], [*g.outs, e.last]) for g, e in transposed)
            given.append(current())
        found = handed_on(cls.bind(args[0], *given, branches=graphs), sum(on))
        results = iter(weakened(found, chosen(args[1:], on)))
        return [None, *(next(results) if x else None for x in on)]

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, branches: tuple[Graph, ...]
    ) -> tuple[list[Node], list[int | None]]:
        """With one index for all examples, a branch for all; with an index for each, every branch is computed, and each example takes its own."""
        index, operands = (
            args[0],
            [a if d is None else batch_front(size, a, d) for a, d in zip(args, dims, strict=True)][1:],
        )
        made = [batch_graph(b, size, [None if d is None else 0 for d in dims[1:]]) for b in branches]
        if dims[0] is None:
            wanted = [any(d is not None for d in places) for places in zip(*(d for _, d in made), strict=True)]
            new = tuple(
                Graph(g.ins, [batch_front(size, o, d) if w else o for o, d, w in zip(g.outs, ds, wanted, strict=True)])
                for g, ds in made
            )
            return list(cls.bind(index, *operands, branches=new)), [0 if w else None for w in wanted]
        results = [[batch_front(size, o, d) for o, d in zip(inline(g, operands), ds, strict=True)] for g, ds in made]
        outs = results[-1]
        for k, others in reversed(list(enumerate(results[:-1]))):
            before = compare(index, "le", k)
            outs = [where(broadcast(before, o.shape, (0,)), x, o) for x, o in zip(others, outs, strict=True)]
        return outs, [0] * len(outs)

    @staticmethod
    def reference(np: Any, index: Any, *arrays: Any, branches: Any) -> Any:
        return tuple(branches[min(max(int(index), 0), len(branches) - 1)](*arrays))


# -- the residuals of several branches ----------------------------------------------------------------------------------------------------


def _tangents(joint: Graph, found: Sequence[bool], wanted: Sequence[bool]) -> list[Node]:
    """The tangents that a branch gives, zeros where it has none and others do."""
    gotten = iter(joint.outs[len(found) :])
    outs = joint.outs[: len(found)]
    return [next(gotten) if f else zeros(o) for o, f, w in zip(outs, found, wanted, strict=True) if w]


def _computed(part: Any, outs: int) -> list[Node]:
    """The residuals that are no inputs."""
    return [n for n in part.known.outs[outs:] if n not in part.known.ins]


def _shared(residuals: Sequence[Sequence[Node]]) -> tuple[list[Aval], list[list[int]]]:
    """Places for the residuals of all branches, of which one runs: those of equal types share one. The types of the places, and where each residual goes."""
    slots: list[Aval] = []
    places = []
    for nodes in residuals:
        free = list(range(len(slots)))
        own = []
        for n in nodes:
            k = next((k for k in free if (slots[k].shape, slots[k].dtype) == (n.shape, n.dtype)), None)
            if k is None:
                k = len(slots)
                slots.append(n.aval)
            else:
                free.remove(k)
            own.append(k)
        places.append(own)
    return slots, places


def _in_slots(nodes: Sequence[Node], places: Sequence[int], slots: Sequence[Aval]) -> list[Node]:
    """A branch's residuals in their places, zeros in those of others."""
    at = dict(zip(places, nodes, strict=True))
    return [at[k] if k in at else zeros(a) for k, a in enumerate(slots)]


def _linear_branch(
    part: Any, places: Sequence[int], slots: Sequence[Aval], operands: Sequence[Node], given: Sequence[Node], outs: int
) -> Graph:
    """The linear half of a branch, from the operands, the residuals of all branches, and the tangents."""
    with staging(), transform() as mark:
        known = [leaf(n.aval, mark=mark) for n in operands]
        kept = [leaf(a, mark=mark) for a in slots]
        moved = [leaf(t.aval, mark=mark) for t in given]
        env = dict(zip(part.known.ins, known, strict=True))
        env |= {n: kept[k] for n, k in zip(_computed(part, outs), places, strict=True)}
        residuals = [env[n] for n in part.known.outs[outs:]]
        return Graph([*known, *kept, *moved], inline(part.linear, [*residuals, *moved]))

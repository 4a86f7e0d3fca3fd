"""`array.scan`: a loop with a fixed number of rounds. It carries values from round to round, reads a slice of its inputs in each, and writes a slice of its outputs.

Its derivative is two scans. What does not depend on tangents runs first, and stacks what the other one needs of it (residuals); the other one is linear, so it has a transpose: the scan
that runs the other way. What is the same in every round is no residual of a round: it is computed once, outside.

To lower it, slices are taken and put by the loop itself: with a counter as one more carry, `dynamic_slice` reads, and `dynamic_update_slice` writes, in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, ClassVar, NamedTuple

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.irdl import AttrSizedOperandSegments, irdl_op_definition, prop_def, region_def, var_operand_def
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
    parse_bindings,
    print_bindings,
    print_body,
    separable,
    split,
    weakened,
)
from weft.dialects.array.effects import TOKEN, Chain, current, handed_on, takes_token
from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Aval, Node, leaf, staging, transform
from weft.dialects.array.op import Replace, batch_front, literal, move_axis, zeros
from weft.dialects.array.ops.algebra import reshape
from weft.dialects.array.ops.arithmetic import AddOp, SubOp
from weft.dialects.array.ops.slicing import DynamicSliceOp, DynamicUpdateSliceOp
from weft.dialects.array.params import Params, aval_of, encode, tensor_type
from weft.dialects.array.walks import Maybe, batch_graph, dependents, transpose_walk, with_axis, without_axis
from weft.dialects.dtypes import int32
from weft.dialects.kernel.ops import segments

Dims = Sequence[int | None]


@irdl_op_definition
class ScanOp(ControlOp):
    """Runs `body` `length` times, over the slices of `xs` along their first axis: the last values of what is carried, and the stacked outputs.

    %s, %y = array.scan length 10 carry(%c = %c0 : tensor<f32>) over(%x = %xs : tensor<10xf32>) {
      %n = array.add %c, %x : tensor<f32>
      array.yield %n, %c : tensor<f32>, tensor<f32>
    }

    `reverse` begins with the last slice. Inputs of the node: `consts` captured values, `carries` first values, the rest `xs`. JAX: `lax.scan`.
    """

    name = "array.scan"
    GRAPHS: ClassVar = ("body",)
    GROUPS: ClassVar = ("consts", "carries")

    carry = var_operand_def(TensorType)
    xs = var_operand_def(TensorType)
    length = prop_def()
    reverse = prop_def()
    body = region_def("single_block")

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    # -- nodes and the IR

    @classmethod
    def infer(
        cls, *avals: Aval, body: Graph, length: int, reverse: bool, consts: int, carries: int
    ) -> tuple[Aval, ...]:
        first = consts + carries
        for k, a in enumerate(avals[first:]):
            if not a.shape or a.shape[0] != length:
                raise ValueError(f"scan: operand {k} of xs must have a leading axis of size {length}, got {a}")
        expected = [*avals[:first], *(without_axis(a, 0) for a in avals[first:])]
        if [(a.shape, a.dtype) for a in expected] != [(a.shape, a.dtype) for a in body.in_avals]:
            raise TypeError(f"scan: the body takes {body.in_avals}, it is given {tuple(expected)}")
        out = body.out_avals
        for a, b in zip(avals[consts:first], out[:carries], strict=True):
            if a.shape != b.shape or a.dtype is not b.dtype:
                raise TypeError(f"scan: a carry of type {a} comes out of the body as {b}")
        return (*out[:carries], *(with_axis(a, 0, length) for a in out[carries:]))

    @classmethod
    def parts(cls, inputs: Sequence[T], *, body: Graph, consts: int, **params: Any) -> tuple[list[T], list[Part]]:
        return list(inputs[consts:]), [Part(body, inputs[:consts])]

    @classmethod
    def whole(cls, operands: list[T], parts: list[Part], own: Params) -> tuple[list[T], Params]:
        ((body, captured),) = parts
        return [*captured, *operands], {"body": body, "consts": len(captured), **own}

    @classmethod
    def segments(cls, operands: int, *, carries: int, **params: Any) -> dict[str, Attribute]:
        return {"operandSegmentSizes": segments(carries, operands - carries)}

    @classmethod
    def params_of(cls, op: Any) -> Params:
        return {"length": op.length.value.data, "reverse": bool(op.reverse.value.data), "carries": len(op.carry)}

    def verify_(self) -> None:
        slices = []
        for x in self.xs:
            shape = x.type.get_shape()  # type: ignore[attr-defined]
            if not shape or shape[0] != self.length.value.data:  # type: ignore[attr-defined]
                raise VerifyException(f"scan: xs must have a leading axis of {self.length.value.data}, got {x.type}")  # type: ignore[attr-defined]
            slices.append(_without_first(x.type))
        if [a.type for a in self.regions[0].block.args] != [*(c.type for c in self.carry), *slices]:
            raise VerifyException("scan: the region's arguments must have the types of the carries and of slices of xs")
        carries = len(self.carry)
        types = [*self.result_types[:carries], *map(_without_first, self.result_types[carries:])]
        if types[:carries] != [c.type for c in self.carry]:
            raise VerifyException("scan: the first results must have the types of the carries")
        self.check_yields(self.regions[0], types, "the body")

    def print(self, printer: Printer) -> None:
        args = self.regions[0].block.args
        printer.print_string(f" length {self.length.value.data}")  # type: ignore[attr-defined]
        if self.reverse.value.data:  # type: ignore[attr-defined]
            printer.print_string(" reverse")
        printer.print_string(" carry")
        print_bindings(printer, args[: len(self.carry)], self.carry)
        printer.print_string(" over")
        print_bindings(printer, args[len(self.carry) :], self.xs)
        print_body(printer, self.regions[0])
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> ScanOp:
        parser.parse_keyword("length")
        length = parser.parse_integer(allow_negative=False)
        reverse = parser.parse_optional_keyword("reverse") is not None
        parser.parse_keyword("carry")
        carry = parse_bindings(parser)
        parser.parse_keyword("over")
        xs = parse_bindings(parser)
        args = [a.resolve(v.type) for a, v in carry] + [a.resolve(_without_first(v.type)) for a, v in xs]
        body = parser.parse_region(args)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        given = end_of(body).operand_types
        stacked = [tensor_type(with_axis(aval_of(t), 0, length)) for t in given[len(carry) :]]
        return cls.create(
            operands=[v for _, v in (*carry, *xs)],
            result_types=[*given[: len(carry)], *stacked],
            properties={
                "length": encode(length),
                "reverse": encode(reverse),
                "operandSegmentSizes": segments(len(carry), len(xs)),
            },
            attributes=attributes.data if attributes else {},
            regions=[body],
        )

    # -- derivatives

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Sequence[Node], *, body: Graph, length: int, reverse: bool,
        consts: int, carries: int,
    ) -> Replace:  # fmt: skip
        first = consts + carries
        active = [t is not None for t in tangents]

        def derivative(mask: list[bool]) -> tuple[Graph, list[bool]]:
            return differentiated(body, [*active[:consts], *mask, *active[first:]])

        mask = fixed_point(active[consts:first], lambda mask: derivative(mask)[1][:carries])
        joint, found = derivative(mask)
        gotten = iter(joint.outs[len(body.outs) :])
        wanted = [*mask, *found[carries:]]
        linear_outs = [next(gotten) if f else zeros(o) for o, f, w in zip(body.outs, found, wanted, strict=True) if w]
        joint = Graph(joint.ins, [*joint.outs[: len(body.outs)], *linear_outs])
        whole = _Loop(body, length, reverse, consts, carries)
        counts = sum(active[:consts]), sum(mask)
        on = [*active[:consts], *mask, *active[first:]]
        given = [zeros(p) if t is None else t for p, t, o in zip(primals, tangents, on, strict=True) if o]
        outs: Sequence[Node] | None
        if separable(joint, len(primals), len(body.outs)):
            outs, linear = _divided(joint, whole, primals, len(body.outs), *counts)
            results = iter(linear.bind(given))
        else:
            outs, moved = _together(joint, whole, primals, given, *counts)
            results = iter(moved)
        return Replace(out if outs is None else outs, [next(results) if w else None for w in wanted])

    @classmethod
    def transpose(
        cls, ct: Sequence[Maybe], args: Sequence[Node], linear: Sequence[bool], *, body: Graph, length: int, reverse: bool,
        consts: int, carries: int,
    ) -> list[Maybe]:  # fmt: skip
        first = consts + carries

        def reached(mask: list[bool]) -> list[bool]:
            ins = chosen(body.ins, [*linear[:consts], *mask, *linear[first:]])
            way = {*ins, *dependents(body.outs, ins)}
            return [o in way for o in body.outs[:carries]]

        mask = fixed_point(list(linear[consts:first]), reached)
        on = [*linear[:consts], *mask, *linear[first:]]
        off = [not x for x in on]
        outs_on = [*mask, *(True for _ in body.outs[carries:])]
        known_outs = chosen(body.outs, [not x for x in outs_on])
        joint = Graph(chosen(body.ins, off) + chosen(body.ins, on), [*known_outs, *chosen(body.outs, outs_on)])
        known = _Loop(body, length, reverse, sum(off[:consts]), len(known_outs))
        _, program = _divided(joint, known, chosen(args, off), len(known_outs), sum(on[:consts]), sum(mask))
        found = iter(program.transposed(chosen(ct, outs_on)))
        return [next(found) if x else None for x in on]

    # -- batching

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, body: Graph, length: int, reverse: bool, consts: int, carries: int
    ) -> tuple[list[Node], list[int | None]]:  # fmt: skip
        first = consts + carries
        on = [d is not None for d in dims]

        def places(mask: list[bool]) -> list[int | None]:
            return [0 if b else None for b in (*on[:consts], *mask, *on[first:])]

        mask = fixed_point(
            on[consts:first], lambda m: [d is not None for d in batch_graph(body, size, places(m))[1][:carries]]
        )
        batched, found = batch_graph(body, size, places(mask))
        wanted = [*mask, *(d is not None for d in found[carries:])]
        outs = [batch_front(size, o, d) if w else o for o, d, w in zip(batched.outs, found, wanted, strict=True)]
        inputs = [
            batch_front(size, a, d) if w else a
            for a, d, w in zip(args[:first], dims, [*on[:consts], *mask], strict=False)
        ]
        inputs += [a if d is None else move_axis(a, d, 1) for a, d in zip(args[first:], dims[first:], strict=True)]
        made = cls.bind(
            *inputs, body=Graph(batched.ins, outs), length=length, reverse=reverse, consts=consts, carries=carries
        )
        return list(made), [(0 if k < carries else 1) if w else None for k, w in enumerate(wanted)]

    # -- lowering

    @staticmethod
    def reference(np: Any, *arrays: Any, body: Any, length: int, reverse: bool, consts: int, carries: int) -> Any:
        given, carry, xs = arrays[:consts], list(arrays[consts : consts + carries]), arrays[consts + carries :]
        stacks = [np.zeros((length, *a.shape), bool) for a in body.out_avals[carries:]]
        for k in reversed(range(length)) if reverse else range(length):
            outs = body(*given, *carry, *(x[k] for x in xs))
            carry = outs[:carries]
            if k == (length - 1 if reverse else 0):
                stacks = [np.empty((length, *y.shape), y.dtype) for y in outs[carries:]]
            for stack, y in zip(stacks, outs[carries:], strict=True):
                stack[k] = y
        return (*carry, *stacks)

    @classmethod
    def composite(cls, *, body: Graph, consts: int, carries: int, **params: Any) -> bool:
        return len(body.ins) > consts + carries or len(body.outs) > carries

    @classmethod
    def decompose(
        cls, *args: Node, body: Graph, length: int, reverse: bool, consts: int, carries: int
    ) -> tuple[Node, ...]:
        first = consts + carries
        xs = args[first:]
        stacks = [zeros(with_axis(a, 0, length)) for a in body.out_avals[carries:]]
        if not length:
            return (*args[consts:first], *stacks)
        given = (*args[:consts], *xs, literal(0, int32), *args[consts:first], *stacks)
        with staging(), transform() as mark:
            ins = [leaf(n.aval, mark=mark) for n in given]
            captured, rows, (i, *carried) = ins[:consts], ins[consts : consts + len(xs)], ins[consts + len(xs) :]
            k = SubOp.bind(literal(length - 1, int32), i) if reverse else i
            outs = inline(body, [*captured, *carried[:carries], *(_row(x, k) for x in rows)])
            written = [_with_row(s, y, k) for s, y in zip(carried[carries:], outs[carries:], strict=True)]
            loop = Graph(ins, [AddOp.bind(i, literal(1, int32)), *outs[:carries], *written])
        made = cls.bind(
            *given, body=loop, length=length, reverse=False, consts=consts + len(xs), carries=1 + carries + len(stacks)
        )
        return made[1:]


def _without_first(type: Attribute) -> Attribute:
    return tensor_type(without_axis(aval_of(type), 0))


def _row(x: Node, k: Node) -> Node:
    """x[k]."""
    rest = [literal(0, int32)] * (x.ndim - 1)
    return reshape(DynamicSliceOp.bind(x, k, *rest, sizes=(1, *x.shape[1:])), x.shape[1:])


def _with_row(x: Node, y: Node, k: Node) -> Node:
    """x with y in the place of x[k]."""
    rest = [literal(0, int32)] * (x.ndim - 1)
    return DynamicUpdateSliceOp.bind(x, reshape(y, (1, *y.shape)), k, *rest)


# -- in two: what is known, and what is linear --------------------------------------------------------------------------------------------


class _Loop(NamedTuple):
    """A scan without its inputs."""

    body: Graph
    length: int
    reverse: bool
    consts: int
    carries: int

    def bind(self, *inputs: Node) -> tuple[Node, ...]:
        return ScanOp.bind(*inputs, **self._asdict())


class _Linear(NamedTuple):
    """A scan that is linear but for residuals: `fixed` ones are the same in every round, `stacked` ones have a slice for each. The body takes them in this order, then the linear inputs."""

    loop: _Loop
    fixed: list[Node]
    stacked: list[Node]

    def groups(self) -> tuple[list[Node], list[Node], list[Node], list[Node], list[Node]]:
        """The body's inputs: fixed and stacked residuals, linear consts, carries, xs."""
        ins = list(self.loop.body.ins)
        ends = list(accumulate((len(self.fixed), len(self.stacked), self.loop.consts, self.loop.carries)))
        return ins[: ends[0]], ins[ends[0] : ends[1]], ins[ends[1] : ends[2]], ins[ends[2] : ends[3]], ins[ends[3] :]

    def bind(self, given: Sequence[Node]) -> tuple[Node, ...]:
        """The scan of linear inputs."""
        fixed, stacked, consts, carries, xs = self.groups()
        count = len(consts) + len(carries)
        body = Graph([*fixed, *consts, *carries, *stacked, *xs], self.loop.body.outs)
        loop = self.loop._replace(body=body, consts=len(fixed) + len(consts))
        return loop.bind(*self.fixed, *given[:count], *self.stacked, *given[count:])

    def transposed(self, cts: Sequence[Maybe]) -> list[Node]:
        """Cotangents of the linear inputs, given those of carries and ys: the scan in the other direction, which adds up those of the consts."""
        fixed, stacked, consts, carries, xs = self.groups()
        outs, count = self.loop.body.outs, len(carries)
        with staging(), transform() as mark, Chain(leaf(TOKEN, mark=mark)) as effects:
            totals = [leaf(n.aval, mark=mark) for n in consts]
            carried = [leaf(o.aval, mark=mark) for o in outs[:count]]
            given = [None if c is None else leaf(o.aval, mark=mark) for c, o in zip(cts[count:], outs[count:], strict=True)]  # fmt: skip
            found = transpose_walk(outs, [*carried, *given], [*consts, *carries, *xs])
            sums = [t if f is None else AddOp.bind(t, f) for t, f in zip(totals, found, strict=False)]
            rest = filled(found[len(consts) :], [*carries, *xs])
        rows = [g for g in given if g is not None]
        tokens = effects.made  # rules of the user's may call the host
        body = Graph(
            [*fixed, *[effects.start] * len(tokens), *totals, *carried, *stacked, *rows], [*tokens, *sums, *rest]
        )
        start = [*(current() for _ in tokens), *map(zeros, consts), *filled(cts[:count], outs[:count])]
        loop = _Loop(body, self.loop.length, not self.loop.reverse, len(fixed), len(start))
        made = loop.bind(*self.fixed, *start, *self.stacked, *(c for c in cts[count:] if c is not None))
        handed_on(made[: len(tokens)], 0)
        return weakened(made[len(tokens) :], [*consts, *carries, *xs])


def _together(
    joint: Graph, known: _Loop, values: Sequence[Node], given: Sequence[Node], consts: int, carries: int
) -> tuple[list[Node], list[Node]]:
    """One scan that carries the tangents along with the values: the results of both."""

    def merged(a: Sequence[Node], b: Sequence[Node]) -> list[Node]:
        ends = known.consts, known.consts + known.carries
        return [*a[: ends[0]], *b[:consts], *a[ends[0] : ends[1]], *b[consts : consts + carries], *a[ends[1] :], *b[consts + carries :]]  # fmt: skip

    count, last = len(known.body.outs), known.carries
    outs, moved = joint.outs[:count], joint.outs[count:]
    body = Graph(
        merged(joint.ins[: len(values)], joint.ins[len(values) :]),
        [*outs[:last], *moved[:carries], *outs[last:], *moved[carries:]],
    )
    loop = known._replace(body=body, consts=known.consts + consts, carries=last + carries)
    found = loop.bind(*merged(values, given))
    first, rest = found[: last + carries], found[last + carries :]
    return [*first[:last], *rest[: count - last]], [*first[last:], *rest[count - last :]]


def _divided(
    joint: Graph, known: _Loop, values: Sequence[Node], known_outs: int, consts: int, carries: int
) -> tuple[Sequence[Node] | None, _Linear]:
    """A body from known and linear inputs to known and linear outputs, as two scans: the results of the known one for its inputs `values`, and the linear one.

    None for results if the linear scan needs nothing that the known one computes in its rounds. `consts`, `carries`: how many of the linear inputs are that.
    """
    parts = split(
        joint,
        [k >= len(values) for k in range(len(joint.ins))],
        [k >= known_outs for k in range(len(joint.outs))],
    )
    ins, kept = parts.known.ins, parts.known.outs[known_outs:]
    changing = {*ins[known.consts :], *dependents(kept, ins[known.consts :])}
    xs = dict(zip(ins[known.consts + known.carries :], values[known.consts + known.carries :], strict=True))
    fixed = [n for n in kept if n not in changing]
    stacked = [n for n in kept if n in changing]
    computed = [n for n in stacked if n not in xs]
    outs = None
    if computed or takes_token(known.body):
        body = Graph(ins, [*parts.known.outs[:known_outs], *computed])
        made = known._replace(body=body).bind(*values)
        outs = made[:known_outs]
        xs |= dict(zip(computed, made[known_outs:], strict=True))
    linear = Graph([*fixed, *stacked, *parts.linear.ins[parts.residuals :]], parts.linear.outs)
    return outs, _Linear(
        _Loop(linear, known.length, known.reverse, consts, carries),
        inline(Graph(ins[: known.consts], fixed), values[: known.consts]),
        [xs[n] for n in stacked],
    )

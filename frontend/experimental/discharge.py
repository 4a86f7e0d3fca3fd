"""Takes checks out of a graph: a walk that computes the graph anew and carries along, as values, what went wrong.

A check becomes an update of the error; where automatic checks are wanted, operations are followed by one. A loop carries the errors that can happen in it, a branch takes and gives them. Calls of the user's functions keep
their rules: their results are theirs, the errors those of the function written out (of what is then there twice, a program has one).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft import numpy as jnp
from weft.array import Array, wrap
from weft.dialects.array import ops
from weft.dialects.array.graph import Graph, programs
from weft.dialects.array.node import (
    STATE,
    Aval,
    IdentityOp,
    Node,
    ResultOp,
    aval,
    keep_location,
    leaf,
    rebind,
    results,
    staging,
    transform,
)
from weft.dialects.array.op import literal
from weft.dialects.dtypes import int32
from weft.experimental.checkify import CheckCall
from weft.experimental.errors import (
    DivisionByZeroError,
    JaxException,
    Kind,
    NaNError,
    OOBError,
    Site,
    State,
    new_site,
    nodes,
    types,
    unpacked,
)

Errors = dict[Kind, State]

NAN = Kind(NaNError, ())
DIVISION = Kind(DivisionByZeroError, ())
BOUNDS = Kind(OOBError, (aval((3,), int32),))

MAKERS = frozenset(
    """acos acosh add asin asinh atan atan2 atanh cbrt conv cos cosh cumulate digamma div dot erf erf_inv erfc exp exp2 expm1 fft integer_pow lgamma log log1p log2 logistic mul pad pow
    rem rsqrt sin sinh sqrt sub tan tanh""".split()  # noqa: SIM905
)
"""Operations whose NaN counts as made: not those that move, choose or convert."""

SPELLED = {"dot": "dot_general", "conv": "conv_general_dilated", "lu": "lu", "cumulate": "cumsum"}
"""JAX's names of operations."""


class Discharge:
    """The walk. `sites` are the places that errors of the categories can come from; `calls` says whether it met calls of the host."""

    def __init__(self, categories: frozenset[type[JaxException]]):
        self.categories = categories
        self.sites: list[Site] = []
        self.calls = False

    def run(self, graph: Graph, args: Sequence[Node], errors: Errors) -> list[Node]:
        """The graph's results for other inputs; `errors` is brought up to date."""
        env: dict[Node, Any] = dict(zip(graph.ins, args, strict=True))
        with keep_location():
            for n in graph.nodes:
                inputs = [env.get(i, i) for i in n.inputs]
                STATE.loc = n.loc
                if n.op is IdentityOp:
                    env[n] = inputs[0]
                elif n.op is ResultOp:
                    made = inputs[0]
                    env[n] = made[n.params["index"]] if isinstance(made, tuple) else n
                elif n.op is CheckCall:
                    env[n] = self._check(n, inputs, errors)
                elif any(self._can_fail(g) for g in programs(n)):
                    env[n] = self._control(n, inputs, errors)
                else:
                    env[n] = self._plain(n, inputs, errors)
        return [env.get(o, o) for o in graph.outs]

    # -- which errors

    def _kinds(self, n: Node) -> dict[Kind, None]:
        """The errors that an operation can make, in a fixed order."""
        if n.op is CheckCall:
            return dict.fromkeys(k for k in n.params["kinds"] if k.category in self.categories)
        found = {k: None for g in self._graphs(n) for m in g.nodes for k in self._kinds(m)}
        name = n.op.name.removeprefix("array.")
        wanted = self.categories
        if DivisionByZeroError in wanted and n.op is ops.DivOp:
            found[DIVISION] = None
        if NaNError in wanted and (name in MAKERS or _adds(n)) and any(a.dtype.kind in "fc" for a in _avals(n)):
            found[NAN] = None
        if OOBError in wanted and n.op in BOUNDED:
            found[BOUNDS] = None
        return found

    def _can_fail(self, graph: Graph) -> bool:
        return any(
            n.op is CheckCall or self._kinds(n) or any(map(self._can_fail, self._graphs(n))) for n in graph.nodes
        )

    def _graphs(self, n: Node) -> list[Graph]:
        called = n.params.get("graph")
        return [*programs(n), *([called] if isinstance(called, Graph) else [])]

    def _in(self, *graphs: Graph) -> tuple[Kind, ...]:
        return tuple({k: None for g in graphs for n in g.nodes for k in self._kinds(n)})

    # -- operations

    def _happens(self, errors: Errors, site: Site, happened: Array, *payload: Array) -> None:
        new = State(happened, wrap(literal(site.code, int32)), payload)
        errors[site.kind] = errors[site.kind].then(new) if site.kind in errors else new

    def _site(self, kind: Kind, words: Callable[[Sequence[Array]], str]) -> Site:
        self.sites.append(new_site(kind, words))
        return self.sites[-1]

    def _check(self, n: Node, inputs: list[Node], errors: Errors) -> tuple[Node]:
        kinds = n.params["kinds"]
        for kind, state in unpacked(kinds, [wrap(i) for i in inputs[:-1]]).items():
            if kind.category in self.categories:
                errors[kind] = errors[kind].then(state) if kind in errors else state
        self.sites += [s for s in n.params["sites"] if s.kind.category in self.categories]
        return (inputs[-1],)

    def _plain(self, n: Node, inputs: list[Node], errors: Errors) -> Any:
        same = all(a is b for a, b in zip(inputs, n.inputs, strict=True))
        here = n if same else rebind(n, inputs)
        made = here if n.aval.__class__ is Aval else results(here)
        self.calls = self.calls or bool(n.params.get("effect"))
        for kind in self._kinds(n):
            if kind is BOUNDS and n.op in BOUNDED:
                self._bounds(n, [wrap(i) for i in inputs], errors)
            elif kind is DIVISION and n.op is ops.DivOp:
                site = self._site(kind, lambda _: "division by zero")
                self._happens(errors, site, jnp.equal(wrap(inputs[1]), 0).any())
            elif kind is NAN and not self._graphs(n):
                self._nan(n, made if isinstance(made, tuple) else (made,), errors)
        called = n.params.get("graph")
        if isinstance(called, Graph) and self._can_fail(called):
            self.run(called, inputs, errors)
        return made

    def _nan(self, n: Node, made: Sequence[Node], errors: Errors) -> None:
        name = n.op.name.removeprefix("array.")
        kind = {"add": "sum", "mul": "prod"}.get(str(n.params.get("kind")), "")
        name = f"reduce_{kind}" if name == "reduce" else SPELLED.get(name, name)
        found = [jnp.isnan(wrap(m)).any() for m in made if m.dtype.kind in "fc"]
        site = self._site(NAN, lambda _: f"nan generated by primitive: {name}.")
        self._happens(errors, site, jnp.stack(found).any() if len(found) > 1 else found[0])

    def _bounds(self, n: Node, args: list[Array], errors: Errors) -> None:
        indices, least, axes = BOUNDED[n.op](n, args)
        shape = args[0].shape
        most = jnp.array([shape[d] - s for d, s in zip(axes, least, strict=True)], indices.dtype)
        wrong = (indices < 0) | (indices > most)
        where = jnp.argmax(wrong.ravel())
        axis = jnp.array(axes, int32)[where % max(1, len(axes))]
        payload = jnp.stack([indices.ravel()[where].astype(int32), axis, jnp.array(shape, int32)[axis]])
        site = self._site(
            BOUNDS,
            lambda p: (
                f"out-of-bounds indexing for array of shape {shape}: index {int(p[0][0])} is out of bounds for axis {int(p[0][1])} with size {int(p[0][2])}. "
            ),
        )
        self._happens(errors, site, wrong.any(), payload)

    # -- loops and branches

    def _control(self, n: Node, inputs: list[Node], errors: Errors) -> tuple[Node, ...]:
        rule = {ops.ScanOp: self._scan, ops.WhileOp: self._while, ops.CondOp: self._cond}[n.op]
        kinds = self._in(*programs(n))
        made, found = rule(kinds, inputs, errors, **n.params)
        errors.update(unpacked(kinds, [wrap(m) for m in found]))
        return made

    def _body(self, graph: Graph, kinds: Sequence[Kind], at: int, outs: int, also: Any = None) -> Graph:
        """A program that takes errors in place `at` and gives them in place `outs`. `also(ins, outs, errors)` may change what it gives."""
        with staging(), transform() as mark:
            ins = [leaf(a, mark=mark) for a in graph.in_avals]
            given = [leaf(aval(shape, dtype), mark=mark) for k in kinds for shape, dtype in types(k)]
            errors = unpacked(kinds, [wrap(g) for g in given])
            found = self.run(graph, ins, errors)
            more = also(found, errors) if also else ([], [])
            return Graph(
                [*ins[:at], *more[0], *given, *ins[at:]],
                [*found[:outs], *more[1], *nodes(errors, kinds), *found[outs:]],
            )

    def _scan(
        self, kinds: Sequence[Kind], inputs: list[Node], errors: Errors, *, body: Graph, consts: int, carries: int, **params: Any
    ) -> tuple[tuple[Node, ...], Sequence[Node]]:  # fmt: skip
        at = consts + carries
        start = nodes(errors, kinds)
        made = ops.ScanOp.bind(
            *inputs[:at], *start, *inputs[at:], body=self._body(body, kinds, at, carries), consts=consts, carries=carries + len(start), **params
        )  # fmt: skip
        end = carries + len(start)
        return (*made[:carries], *made[end:]), made[carries:end]

    def _cond(
        self, kinds: Sequence[Kind], inputs: list[Node], errors: Errors, *, branches: tuple[Graph, ...]
    ) -> tuple[tuple[Node, ...], Sequence[Node]]:
        count = len(branches[0].outs)
        new = tuple(self._body(b, kinds, len(b.ins), count) for b in branches)
        made = ops.CondOp.bind(*inputs, *nodes(errors, kinds), branches=new)
        return made[:count], made[count:]

    def _while(
        self, kinds: Sequence[Kind], inputs: list[Node], errors: Errors, *, cond: Graph, body: Graph, cond_consts: int, body_consts: int
    ) -> tuple[tuple[Node, ...], Sequence[Node]]:  # fmt: skip
        """The condition may fail as well: it is asked before the loop and at the end of each round, and carried."""
        first = cond_consts + body_consts
        outer, captured, carry = inputs[:cond_consts], inputs[cond_consts:first], inputs[first:]
        count = len(carry)
        (going,) = self.run(cond, [*outer, *carry], errors)
        start = nodes(errors, kinds)
        with staging(), transform() as mark:
            asked = [leaf(n.aval, mark=mark) for n in outer]

        def ask(outs: list[Node], errors: Errors) -> tuple[list[Node], list[Node]]:
            return [leaf(going.aval)], self.run(cond, [*asked, *outs], errors)

        step = self._body(body, kinds, len(body.ins), count, ask)
        state = [*carry, going, *start]
        places = [leaf(n.aval) for n in state]
        made = ops.WhileOp.bind(
            *outer, *captured, *state, cond=Graph(places, [places[count]]), body=Graph([*asked, *step.ins], step.outs),
            cond_consts=0, body_consts=first,
        )  # fmt: skip
        return made[:count], made[count + 1 :]


def _avals(n: Node) -> tuple[Aval, ...]:
    return n.aval if isinstance(n.aval, tuple) else (n.aval,)


def _adds(n: Node) -> bool:
    return n.op is ops.ReduceOp and n.params["kind"] in ("add", "mul")


# -- what is bounded: the index vectors (along the last axis), the sizes that must fit behind, and the operand's axes -----------------------------------------------------------------

Bounds = tuple[Array, Sequence[int], Sequence[int]]


def _of_gather(n: Node, args: list[Array]) -> Bounds:
    axes = n.params["start_index_map"]
    return args[1], [n.params["slice_sizes"][d] for d in axes], axes


def _of_scatter(n: Node, args: list[Array]) -> Bounds:
    operand, indices, updates = args
    missing = {*n.params["inserted_window_dims"], *n.params["operand_batching_dims"]}
    window = iter(n.params["update_window_dims"])
    sizes = [1 if d in missing else updates.shape[next(window)] for d in range(operand.ndim)]
    axes = n.params["scatter_dims_to_operand_dims"]
    return indices, [sizes[d] for d in axes], axes


def _of_slice(sizes: Sequence[int], starts: list[Array]) -> Bounds:
    return jnp.stack(starts), sizes, range(len(sizes))


BOUNDED: dict[Any, Callable[[Node, list[Array]], Bounds]] = {
    ops.GatherOp: _of_gather,
    ops.ScatterOp: _of_scatter,
    ops.DynamicSliceOp: lambda n, args: _of_slice(n.params["sizes"], args[1:]),
    ops.DynamicUpdateSliceOp: lambda n, args: _of_slice(args[1].shape, args[2:]),
}

"""Solutions of equations, differentiated by what they solve rather than by how: nodes that hold the equation and its solver as graphs, as custom derivatives do.

From A x = b follows A dx = db - dA x: the derivative of a linear solve is a linear solve, and its transpose is one with the transposed matrix. From f(x) = 0 follows, by the theorem on
implicit functions, df/dx dx = -df: what `tangent_solve` solves. Neither ever looks into the solver, which may be a `while` loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from weft.dialects.array.custom import CustomJvpCall
from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Node, make, results
from weft.dialects.array.op import batch_front, zeros
from weft.dialects.array.walks import Maybe, batch_graph, flip, jvp_call

Dims = Sequence[int | None]


class Solvers(NamedTuple):
    """The graphs of a linear solve. Each takes its own captures first, then a vector: the matrix times it, the solution for it (and auxiliary results), the solution with the matrix transposed."""

    matvec: Graph
    solve: Graph
    transpose_solve: Graph | None

    def counts(self, vectors: int) -> list[int]:
        """How many values each captures."""
        return [0 if g is None else len(g.ins) - vectors for g in self]


class LinearSolveCall:
    """x with A x = b. Inputs: what `matvec`, `solve` and `transpose_solve` capture, then b."""

    name = "custom_linear_solve"
    NOT_DIFFERENTIABLE = False

    @classmethod
    def bind(cls, *inputs: Node, solvers: Solvers, vectors: int) -> tuple[Node, ...]:
        params = {"solvers": solvers, "vectors": vectors}
        return results(make(cls, inputs, params, solvers.solve.out_avals))

    @classmethod
    def _parts(cls, inputs: Sequence[Any], solvers: Solvers, vectors: int) -> list[Sequence[Any]]:
        parts: list[Sequence[Any]] = []
        for count in solvers.counts(vectors):
            parts.append(inputs[:count])
            inputs = inputs[count:]
        return [*parts, inputs]

    @classmethod
    def decompose(cls, *inputs: Node, solvers: Solvers, vectors: int) -> tuple[Node, ...]:
        _, captured, _, b = cls._parts(inputs, solvers, vectors)
        return tuple(inline(solvers.solve, [*captured, *b]))

    @classmethod
    def jvp(
        cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Sequence[Node], *, solvers: Solvers, vectors: int
    ) -> list[Maybe]:
        captured, *rest = cls._parts(primals, solvers, vectors)
        moved, *_, db = cls._parts(tangents, solvers, vectors)
        right: list[Maybe] = list(db)
        if any(t is not None for t in moved):
            x = out[:vectors]
            _, products = jvp_call(
                lambda *args: inline(solvers.matvec, args), [*captured, *x], [*moved, *(None for _ in x)]
            )
            right = [_difference(b, p) for b, p in zip(db, products, strict=True)]
        if all(r is None for r in right):
            return [None] * len(out)
        given = [zeros(n) if r is None else r for r, n in zip(right, rest[-1], strict=True)]
        inputs = primals[: len(primals) - vectors]
        found = cls.bind(*inputs, *given, solvers=solvers, vectors=vectors)
        return [*found[:vectors], *(None for _ in out[vectors:])]

    @classmethod
    def transpose(
        cls, ct: Sequence[Maybe], args: Sequence[Node], linear: Sequence[bool], *, solvers: Solvers, vectors: int
    ) -> list[Maybe]:
        if solvers.transpose_solve is None:
            raise TypeError(
                "transpose_solve required for backwards mode automatic differentiation of custom_linear_solve"
            )
        matvec, solve, transposed, b = cls._parts(args, solvers, vectors)
        vecmat = flip(solvers.matvec, len(matvec))
        turned = Solvers(vecmat, solvers.transpose_solve, solvers.solve)
        given = [zeros(n) if c is None else c for c, n in zip(ct[:vectors], b, strict=True)]
        found = cls.bind(*matvec, *transposed, *solve, *given, solvers=turned, vectors=vectors)
        return [*(None for _ in args[: len(args) - vectors]), *found[:vectors]]

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, solvers: Solvers, vectors: int
    ) -> tuple[list[Node], list[int]]:
        """Every vector gets a batch axis, in front."""
        places = cls._parts(dims, solvers, vectors)

        def batched(graph: Graph | None, captured: Dims) -> Graph | None:
            if graph is None:
                return None
            made, found = batch_graph(graph, size, [*(None if d is None else 0 for d in captured), *([0] * vectors)])
            return Graph(made.ins, [batch_front(size, o, d) for o, d in zip(made.outs, found, strict=True)])

        new = Solvers(*(batched(g, p) for g, p in zip(solvers, places, strict=False)))  # type: ignore[arg-type]
        first = len(args) - vectors
        inputs = [a if d is None else batch_front(size, a, d) for a, d in zip(args[:first], dims, strict=False)]
        inputs += [batch_front(size, a, d) for a, d in zip(args[first:], dims[first:], strict=True)]
        found = cls.bind(*inputs, solvers=new, vectors=vectors)
        return list(found), [0] * len(found)


def _difference(x: Maybe, y: Maybe) -> Maybe:
    from weft.dialects.array.ops import NegOp, SubOp

    if y is None:
        return x
    return NegOp.bind(y) if x is None else SubOp.bind(x, y)


def solve_root(
    f: Graph,
    solve: Graph,
    tangent_solve: Graph,
    captured: tuple[Sequence[Node], Sequence[Node], Sequence[Node]],
    guess: Sequence[Node],
) -> tuple[Node, ...]:
    """x with f(x) = 0, as `solve` finds it from a guess (and auxiliary results). Each graph takes what it captures first; `tangent_solve` then x and y, and gives dx with df/dx dx = y."""
    counts = [len(c) for c in captured]
    vectors = len(guess)

    def rule(primals: Sequence[Node], tangents: Sequence[Node | None]) -> tuple[Sequence[Node], list[Node]]:
        from weft.dialects.array.ops import NegOp

        of_f, rest = primals[: counts[0]], primals[counts[0] + counts[1] :]
        found = call(*primals)
        x = found[:vectors]
        _, moved = jvp_call(lambda *args: inline(f, args), [*of_f, *x], [*tangents[: counts[0]], *(None for _ in x)])
        y = [NegOp.bind(zeros(n) if m is None else m) for m, n in zip(moved, x, strict=True)]
        dx = inline(tangent_solve, [*rest[: counts[2]], *x, *y])
        return found, [*dx, *(zeros(a) for a in found[vectors:])]

    def call(*inputs: Node) -> tuple[Node, ...]:
        return CustomJvpCall.bind(*inputs, graph=whole, rule=rule)

    own = solve.ins[: counts[1]]
    others = (f.ins[: counts[0]], tangent_solve.ins[: counts[2]])
    whole = Graph([*others[0], *own, *others[1], *solve.ins[counts[1] :]], solve.outs)
    return call(*captured[0], *captured[1], *captured[2], *guess)

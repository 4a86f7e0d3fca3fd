"""Solvers whose derivatives come from what they solve: `custom_root` and `custom_linear_solve` (see dialects/array/solve.py).

Calls of the host for their effect are made where a solution is found; where only a derivative is, they are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.array import Array, lift, wrap
from weft.autodiff import linear_transpose, linearize
from weft.dialects.array.effects import handed_on
from weft.dialects.array.solve import LinearSolveCall, Solvers, solve_root
from weft.function import ShapeDtypeStruct
from weft.lax.programs import Traced, trace
from weft.tree_util import PyTreeDef, tree_flatten, tree_map, tree_structure

__all__ = ["custom_linear_solve", "custom_root"]


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    tangent_solve: Callable[[Callable[[Any], Any], Any], Any],
    has_aux: bool = False,
) -> Any:
    """`solve(f, initial_guess)`, an x with f(x) = 0, differentiable by what `f` captures (and not by the guess).

    `tangent_solve(g, y)` gives x with g(x) = y for a linear `g`, the derivative of `f` at the solution: for scalars `y / g(1.0)`. With `has_aux`, `solve` gives `(x, aux)`.
    """
    leaves, tree = tree_flatten(initial_guess)
    guess = [lift(x) for x in leaves]
    avals = [n.aval for n in guess]
    one = tree_structure((initial_guess,))
    traced = trace(f, one, avals, "custom_root", effects=True).capturing_token()
    _check_tree("f", "initial_guess", traced.out_tree, tree)
    solver = trace(lambda x: solve(f, x), one, avals, "custom_root", effects=True).capturing_token(handed_on=True)
    _check_tree("solve", "initial_guess", solver.out_tree, tree, has_aux)
    tangent = trace(
        lambda x, y: tangent_solve(linearize(f, x)[1], y),
        tree_structure((initial_guess,) * 2),
        avals * 2,
        "custom_root",
        effects=True,
    ).capturing_token()
    _check_tree("tangent_solve", "x", tangent.out_tree, tree)
    captured = (traced.captures, solver.captures, tangent.captures)
    found = solve_root(traced.graph, solver.graph, tangent.graph, captured, guess)
    return solver.out_tree.unflatten([wrap(n) for n in handed_on(found, solver.out_tree.num_leaves)])


def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    transpose_solve: Callable[[Callable[[Any], Any], Any], Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """`solve(matvec, b)`, an x with matvec(x) = b, differentiable by `b` and by what `matvec` captures.

    `transpose_solve(vecmat, b)` is needed for reverse derivatives; with `symmetric` it is `solve`. With `has_aux` the solvers give `(x, aux)`.
    """
    if transpose_solve is None and symmetric:
        transpose_solve = solve
    leaves, tree = tree_flatten(b)
    nodes = [lift(x) for x in leaves]
    avals, one = [n.aval for n in nodes], tree_structure((b,))

    def traced(name: str, fun: Callable[[Any], Any], aux: bool) -> Traced:
        made = trace(fun, one, avals, "custom_linear_solve", effects=True)
        _check_tree(name, "b", made.out_tree, tree, aux, ValueError)
        shapes = [o.shape for o in made.graph.outs[: len(avals)]]
        if shapes != [a.shape for a in avals]:
            raise ValueError(f"{name}() output shapes must match b, got {shapes} and {[a.shape for a in avals]}")
        return made.capturing_token(handed_on=name == "solve")

    product = traced("matvec", matvec, False)
    solver = traced("solve", lambda x: solve(matvec, x), has_aux)
    transposed = None
    if transpose_solve is not None:
        vecmat = matvec if symmetric else _transposed(matvec, b)
        chosen = transpose_solve
        transposed = traced("transpose_solve", lambda x: chosen(vecmat, x), has_aux)
    found = LinearSolveCall.bind(
        *product.captures, *solver.captures, *(transposed.captures if transposed else ()), *nodes,
        solvers=Solvers(product.graph, solver.graph, transposed.graph if transposed else None), vectors=len(nodes),
    )  # fmt: skip
    return solver.out_tree.unflatten([wrap(n) for n in handed_on(found, solver.out_tree.num_leaves)])


def _transposed(fun: Callable[[Any], Any], like: Any) -> Callable[[Any], Any]:
    """The transpose of a linear function from vectors as `like` to such vectors."""

    def shape(x: Any) -> ShapeDtypeStruct:
        a = x.aval if isinstance(x, Array) else lift(x).aval
        return ShapeDtypeStruct(a.shape, a.dtype)

    turned = linear_transpose(fun, tree_map(shape, like))
    return lambda x: turned(x)[0]


def _check_tree(
    name: str,
    expected: str,
    found: PyTreeDef,
    tree: PyTreeDef,
    has_aux: bool = False,
    error: type[TypeError | ValueError] = TypeError,
) -> None:
    """Raises `error`, in JAX's words, unless a function gives the structure that it takes."""
    if has_aux:
        parts = found.children()
        if len(parts) != 2:
            raise ValueError(f"{name}() must produce a pair (result, aux) with has_aux=True, got structure {found}")
        found = parts[0]
    if found != tree:
        raise error(f"{name}() output pytree structure must match {expected}, got {found} and {tree}.")

"""Derivatives: `grad`, `value_and_grad`, `vjp`, `jvp`, `linearize`, `linear_transpose`, `jacfwd`, `jacrev`, `hessian`.

All of them run the function on wrapped arguments and walk over what it left behind (dialects/array/walks.py). Values stay readable while that happens, so Python's own control
flow works under a derivative; only floats and NumPy arrays are not given out of what varies (`eager.refuse_differentiated`), because what is computed from them would count as a constant. Auxiliary results pass the same walk as the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from weft.array import Array, lift, wrap
from weft.dialects.array.custom import CustomVjpTangent
from weft.dialects.array.effects import following, handed_on
from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import Aval, Node, aval, leaf, transform
from weft.dialects.array.op import literal, zero_tangent, zeros
from weft.dialects.array.walks import dependents, jvp_call, linearize_call, residuals, transpose_walk, vjp_call
from weft.dialects.dtypes import float0
from weft.function import (
    Aux,
    OnNodes,
    check_callable,
    describe_function,
    lift_result,
    named_after,
    on_nodes,
    same_structure,
    take_aux,
)
from weft.tree_util import register_pytree_node_class, tree_flatten, tree_map, tree_structure, tree_transpose
from weft.vmap import vmap

Argnums = int | Sequence[int]


def value_and_grad(
    fun: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """A function that gives `fun`'s scalar result and its gradient by the arguments `argnums` (a tuple of gradients for several).

    With `has_aux`, `fun` gives a pair of result and auxiliary data, and the new function `((result, aux), gradient)`. Integer arguments are refused unless `allow_int`: their
    gradient is zero, and of dtype float0.
    """
    check_callable(fun, "grad")
    _no_axes(reduce_axes, "grad")

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(fun, args, argnums, "grad")
        leaves, tree = tree_flatten(chosen)
        nodes = [_differentiable(lift(x), "grad", holomorphic, allow_int) for x in leaves]
        aux: Aux | None = None

        def run(*nodes: Node) -> list[Node]:
            nonlocal aux
            out = fun(*_replaced(args, argnums, tree.unflatten([Array(n) for n in nodes])), **kwargs)
            if has_aux:
                out, extra = take_aux(out, "grad")
                aux = Aux(extra)
            return [_scalar_output(out, fun, holomorphic), *(aux.nodes if aux else ())]

        outs, pull_back = vjp_call(run, nodes)
        found = pull_back([literal(1.0, outs[0]), *[None] * (len(outs) - 1)])
        gradient = tree.unflatten([wrap(_cotangent(ct, n)) for ct, n in zip(found, nodes, strict=True)])
        value, *extra = [wrap(n) for n in outs]
        return ((value, aux.rebuild(extra)) if aux else value), gradient

    return named_after(value_and_gradient, fun, "value_and_grad")


def grad(
    fun: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """A function that gives the gradient of `fun`'s scalar result by the arguments `argnums`; with `has_aux`, `(gradient, aux)`. See `value_and_grad`."""
    both = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, reduce_axes)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return named_after(gradient, fun, "grad")


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, reduce_axes: Sequence[Any] = ()) -> Any:
    """`(out, pull_back)`, or `(out, pull_back, aux)`: the result of `fun(*primals)`, and the function from a cotangent of it to a tuple of cotangents of `primals`."""
    check_callable(fun, "vjp")
    _no_axes(reduce_axes, "vjp")
    leaves, tree = tree_flatten(primals)
    nodes = [lift(x) for x in leaves]
    run = _WithAux(fun, tree, has_aux, "vjp")
    outs, tangents, tangents_out = linearize_call(run, nodes)
    count, out_tree = run.count, run.out_tree

    def pull_back(tangents_out: Sequence[Node], cotangent: Any) -> tuple[Any, ...]:
        cts = same_structure(out_tree, cotangent, "vjp: cotangent", ValueError)
        given = [_fitting(lift(ct), o.aval, "cotangent", "vjp") for ct, o in zip(cts, outs[:count], strict=True)]
        found = dict(zip(ins, transpose_walk(tangents_out, [ct for ct, on in zip(given, active, strict=True) if on], ins), strict=True))  # fmt: skip
        return tree.unflatten(
            [wrap(_cotangent(None if t is None else found[t], n)) for t, n in zip(tangents, nodes, strict=True)]
        )

    ins = [t for t in tangents if t is not None]
    active = [t is not None for t in tangents_out[:count]]
    return run.result(outs, LinearMap.of(ins, [t for t in tangents_out[:count] if t is not None], pull_back))


def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """`(out, tangent)`, or `(out, tangent, aux)`: the result of `fun(*primals)`, and its derivative in the direction `tangents`."""
    check_callable(fun, "jvp")
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise TypeError(f"jvp: {name} must be a tuple or list, got {type(given).__name__}")
    leaves, tree = tree_flatten(primals)
    nodes = [lift(x) for x in leaves]
    directions = [_direction(x, n) for x, n in zip(same_structure(tree, tangents, "jvp: tangents"), nodes, strict=True)]
    run = _WithAux(fun, tree_structure(tuple(primals)), has_aux, "jvp")
    outs, found = jvp_call(run, nodes, directions)
    _refuse_custom_vjp(found, directions)
    pushed = run.out_tree.unflatten([wrap(_instantiated(t, o)) for t, o in zip(found[: run.count], outs, strict=False)])
    return run.result(outs, pushed)


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`(out, f_jvp)`, or `(out, f_jvp, aux)`: the result of `fun(*primals)`, and its derivative there as a linear function of tangents."""
    check_callable(fun, "linearize")
    leaves, tree = tree_flatten(primals)
    nodes = [lift(x) for x in leaves]
    run = _WithAux(fun, tree, has_aux, "linearize")
    outs, placeholders, tangents_out = linearize_call(run, nodes)
    _refuse_custom_vjp(tangents_out, placeholders)
    count, out_tree = run.count, run.out_tree
    active = [t for t in placeholders if t is not None]

    def f_jvp(linear_outs: Sequence[Node], *tangents: Any) -> Any:
        given = same_structure(tree, tangents, "linearize: tangents")
        directions = [_direction(x, n, "linearize") for x, n in zip(given, nodes, strict=True)]
        args = [zeros(p) if d is None else d for d, p in zip(directions, placeholders, strict=True) if p is not None]
        found = iter(inline(Graph(active, linear_outs), args))
        return out_tree.unflatten(
            [
                wrap(zero_tangent(o) if t is None else next(found))
                for t, o in zip(tangents_out, outs[:count], strict=False)
            ]
        )

    return run.result(outs, LinearMap.of(active, [t for t in tangents_out[:count] if t is not None], f_jvp))


@register_pytree_node_class
class LinearMap:
    """What `vjp` and `linearize` leave behind: a linear function. It is a pytree, whose leaves are the values that it needs of the function's computation: so it can leave `jit`, and go into it.

    It holds them as long as it lives, so that they are computed once, with the results.
    """

    def __init__(self, residuals: Sequence[Any], apply: Callable[..., Any]):
        self.residuals, self._apply = residuals, apply

    @classmethod
    def of(cls, ins: Sequence[Node], outs: Sequence[Node], apply: Callable[..., Any]) -> LinearMap:
        """`apply(outs, *args)`, where `outs` depend on `ins` linearly, and on residuals."""
        kept = residuals(outs, ins)
        graph = Graph([*kept, *ins], outs)

        def with_residuals(given: Sequence[Node], *args: Any) -> Any:
            same = all(a is b for a, b in zip(given, kept, strict=True))
            return apply(outs if same else inline(graph, [*given, *ins]), *args)

        return cls([wrap(n) for n in kept], with_residuals)

    def __call__(self, *args: Any) -> Any:
        return self._apply([lift(x) for x in self.residuals], *args)

    def tree_flatten(self) -> tuple[Sequence[Any], Any]:
        """Its residuals, and how it is applied."""
        return self.residuals, self._apply

    @classmethod
    def tree_unflatten(cls, apply: Any, residuals: Sequence[Any]) -> LinearMap:
        """The reverse of `tree_flatten`."""
        return cls(residuals, apply)


def linear_transpose(
    fun: Callable[..., Any], *primals: Any, reduce_axes: Sequence[Any] = ()
) -> Callable[..., tuple[Any, ...]]:
    """The transpose of a function that is linear in all arguments: from a cotangent of the result to a tuple of those of `primals`, of which only shapes and dtypes matter.

    The function itself is not computed, and calls of the host for their effect that see its arguments are not made.
    """
    check_callable(fun, "linear_transpose")
    _no_axes(reduce_axes, "linear_transpose")
    leaves, tree = tree_flatten(primals)
    run = on_nodes(fun, tree)
    with transform() as mark, following() as effects:
        ins = [leaf(x.aval if hasattr(x, "aval") else lift(x).aval, mark=mark) for x in leaves]
        outs = run(*ins)
    if effects.made and not dependents(effects.made, ins):
        handed_on(effects.made, 0)

    def transposed(cotangent: Any) -> tuple[Any, ...]:
        cts = same_structure(run.out_tree, cotangent, "linear_transpose: cotangent")
        given = [_fitting(lift(ct), o.aval, "cotangent", "linear_transpose") for ct, o in zip(cts, outs, strict=True)]
        found = transpose_walk(outs, given, ins)
        return tree.unflatten([wrap(zeros(n) if ct is None else ct) for ct, n in zip(found, ins, strict=True)])

    return transposed


def fwd_and_bwd(
    fun: Callable[..., Any], argnums: Argnums, has_aux: bool = False, jitted: bool = True
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`(fwd, bwd)`: `fwd(*args)` gives `(out, residuals)`, or `(out, residuals, aux)`, and `bwd(residuals, cotangent)` the cotangents of the arguments `argnums`. Both are compiled, unless they shall not be `jitted`: once
    for all calls."""
    from weft.jit import jit

    check_callable(fun, "fwd_and_bwd")
    several = not isinstance(argnums, int)

    def fwd(*args: Any) -> Any:
        chosen = _chosen(fun, args, argnums, "fwd_and_bwd")
        return vjp(
            lambda *x: fun(*_replaced(args, argnums, x if several else x[0])),
            *(chosen if several else (chosen,)),
            has_aux=has_aux,
        )

    def bwd(residuals: Any, cotangent: Any) -> Any:
        found = residuals(cotangent)
        return found if several else found[0]

    return (jit(fwd), jit(bwd)) if jitted else (fwd, bwd)


# -- whole Jacobians ----------------------------------------------------------------------------------------------------------------------


def jacfwd(
    fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """A function that gives the Jacobian, column by column (forward mode): good for few inputs. Its leaves have the shape of an output and that of an input behind it."""
    check_callable(fun, "jacfwd")

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(fun, args, argnums, "jacfwd")
        leaves, tree = tree_flatten(chosen)
        avals = [_differentiable(lift(x), "jacfwd", holomorphic).aval for x in leaves]
        outs, push, *aux = linearize(lambda x: fun(*_replaced(args, argnums, x), **kwargs), chosen, has_aux=has_aux)
        columns = tree_map(_countable, vmap(push, out_axes=-1)(tree.unflatten(_basis(avals))), outs)
        parted = tree_map(lambda x: tree.unflatten(_parted(x, x.ndim - 1, avals)), columns)
        return (parted, *aux) if has_aux else parted

    return named_after(jacobian, fun, "jacfwd")


def jacrev(
    fun: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """A function that gives the Jacobian, row by row (reverse mode): good for few outputs. Its leaves have the shape of an output and that of an input behind it."""
    check_callable(fun, "jacrev")

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(fun, args, argnums, "jacrev")
        for x in tree_flatten(chosen)[0]:
            _differentiable(lift(x), "jacrev", holomorphic, allow_int)
        out, pull, *aux = vjp(lambda x: fun(*_replaced(args, argnums, x), **kwargs), chosen, has_aux=has_aux)
        leaves, out_tree = tree_flatten(out)
        avals = [_differentiated(x.aval, "jacrev", holomorphic) for x in leaves]
        (rows,) = vmap(pull)(out_tree.unflatten(_basis(avals)))
        rows = tree_map(_countable, rows, chosen)
        parted = tree_map(lambda x: out_tree.unflatten(_parted(x, 0, avals)), rows)
        turned = tree_transpose(tree_structure(chosen), out_tree, parted)
        return (turned, *aux) if has_aux else turned

    return named_after(jacobian, fun, "jacrev")


def hessian(
    fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """A function that gives the matrix of second derivatives: `jacfwd(jacrev(fun))`."""
    return jacfwd(jacrev(fun, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


def _countable(x: Array, like: Any) -> Array:
    """Derivatives of integers and by them, in a Jacobian: zeros that can be computed with."""
    return wrap(zeros(aval(x.shape, lift(like).dtype))) if x.dtype is float0 else x


def _basis(avals: Sequence[Aval]) -> list[Array]:
    """One array per aval, together the standard basis of the space of their elements: along a new leading axis, one after the other is 1 and all the rest 0."""
    from weft.dialects.array.ops import AddOp, CompareOp, ConvertOp, IotaOp, ReshapeOp
    from weft.dialects.dtypes import int32

    total = sum(a.size for a in avals)
    found = []
    for a, end in zip(avals, accumulate(a.size for a in avals), strict=True):
        row, column = (IotaOp.bind(shape=(total, a.size), dimension=d, dtype=int32) for d in (0, 1))
        here = CompareOp.bind(row, AddOp.bind(column, literal(end - a.size, column)), direction="eq")
        found.append(wrap(ReshapeOp.bind(ConvertOp.bind(here, dtype=a.dtype), shape=(total, *a.shape))))
    return found


def _parted(x: Array, axis: int, avals: Sequence[Aval]) -> list[Array]:
    """`x` cut along an axis into pieces that belong to the avals, the axis of each replaced by the aval's shape."""
    from weft.dialects.array.ops import ReshapeOp, SliceOp

    found = []
    for a, end in zip(avals, accumulate(a.size for a in avals), strict=True):
        low = tuple(end - a.size if d == axis else 0 for d in range(x.ndim))
        high = tuple(end if d == axis else n for d, n in enumerate(x.shape))
        piece = SliceOp.bind(x._node, start=low, limit=high, strides=(1,) * x.ndim)
        found.append(wrap(ReshapeOp.bind(piece, shape=(*x.shape[:axis], *a.shape, *x.shape[axis + 1 :]))))
    return found


# -- arguments and results ----------------------------------------------------------------------------------------------------------------


class _WithAux(OnNodes):
    """A function whose auxiliary data, if it has any, travels behind its `count` results."""

    count: int

    def __init__(self, fun: Callable[..., Any], treedef: Any, has_aux: bool, what: str):
        super().__init__(fun, treedef)
        self.has_aux, self.what = has_aux, what
        self.aux: Aux | None = None

    def __call__(self, *nodes: Node) -> list[Node]:
        out = self.fun(*self.treedef.unflatten([Array(n) for n in nodes]))
        if self.has_aux:
            out, extra = take_aux(out, self.what)
            self.aux = Aux(extra)
        leaves, self.out_tree = tree_flatten(out)
        self.count = len(leaves)
        return [*(lift_result(x, self.fun) for x in leaves), *(self.aux.nodes if self.aux else ())]

    def result(self, outs: Sequence[Node], derived: Any) -> Any:
        """What the transform gives: the function's result, what was derived, and the auxiliary data if there is any."""
        out = self.out_tree.unflatten([wrap(n) for n in outs[: self.count]])
        return (out, derived, self.aux.rebuild([wrap(n) for n in outs[self.count :]])) if self.aux else (out, derived)


def _chosen(fun: Callable[..., Any], args: Sequence[Any], argnums: Argnums, what: str) -> Any:
    """The arguments to differentiate by: one, or a tuple. Raises TypeError if the caller has not given as many, ValueError (as JAX does) if they are counted from the end, or a Jacobian is wanted."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise (TypeError if what == "grad" and number >= 0 else ValueError)(
                f"differentiating {describe_function(fun)} with respect to argnums={argnums} requires at least "
                f"{number + 1 if number >= 0 else -number} positional arguments to be passed by the caller, but got only {len(args)}."
            )
    return args[argnums] if isinstance(argnums, int) else tuple(args[n] for n in numbers)


def _replaced(args: Sequence[Any], argnums: Argnums, chosen: Any) -> list[Any]:
    new = list(args)
    for number, x in ((argnums, chosen),) if isinstance(argnums, int) else zip(argnums, chosen, strict=True):
        new[number] = x
    return new


def _no_axes(reduce_axes: Sequence[Any], what: str) -> None:
    """Raises NotImplementedError for an argument that JAX has given up, too."""
    if reduce_axes:
        raise NotImplementedError(f"reduce_axes argument to {what} is deprecated")


def _differentiable(n: Node, what: str, holomorphic: bool = False, allow_int: bool = False) -> Node:
    """Raises TypeError if there is no derivative by an argument of this dtype."""
    if holomorphic and n.dtype.kind != "c":
        raise TypeError(f"{what} with holomorphic=True requires inputs with complex dtype, but got {n.dtype}.")
    if n.dtype.kind == "c" and not holomorphic and what == "jacfwd":
        raise TypeError(
            f"{what} requires real-valued inputs (input dtype that is a sub-dtype of np.floating), but got {n.dtype}. For holomorphic functions set holomorphic=True."
        )
    if n.dtype.kind not in "fc" and not allow_int:
        raise TypeError(
            f"{what} requires real- or complex-valued inputs (input dtype that is a sub-dtype of np.inexact), but got {n.dtype}. "
            "If you want to use Boolean- or integer-valued inputs, use vjp or set allow_int to True."
        )
    return n


def _differentiated(a: Aval, what: str, holomorphic: bool) -> Aval:
    """Raises TypeError if a result of this dtype has no derivative."""
    if a.dtype.kind not in ("c" if holomorphic else "f"):
        raise TypeError(
            f"{what} requires {'complex' if holomorphic else 'real'}-valued outputs (output dtype that is a sub-dtype of np.floating), but got {a.dtype}."
        )
    return a


def _scalar_output(out: Any, fun: Callable[..., Any], holomorphic: bool) -> Node:
    """The node of what `grad` differentiates. Raises TypeError if it is no scalar."""
    if tree_structure(out).num_leaves != 1 or isinstance(out, (tuple, list, dict)) or out is None:
        raise TypeError(f"Gradient only defined for scalar-output functions. Output was {out!r}.")
    node = lift_result(out, fun)
    if node.shape:
        raise TypeError(f"Gradient only defined for scalar-output functions. Output had shape: {node.shape}.")
    _differentiated(node.aval, "grad", holomorphic)
    return node


def _fitting(x: Node, a: Aval, name: str, what: str) -> Node:
    """A tangent or cotangent for an array. Raises ValueError if its shape or dtype is another (of jvp's dtypes TypeError)."""
    if x.shape != a.shape:
        raise (TypeError if what == "linear_transpose" else ValueError)(
            f"{what}: the {name} has shape {x.shape}, but the array that it belongs to {a.shape}"
        )
    if x.dtype is not a.dtype and a.dtype.kind in "fc":
        if not x.aval.weak_type or x.dtype.kind != a.dtype.kind:
            raise (TypeError if what == "jvp" else ValueError)(
                f"{what}: the {name} has dtype {x.dtype}, but the array that it belongs to {a.dtype}"
            )
        from weft.dialects.array.ops import ConvertOp

        return ConvertOp.bind(x, dtype=a.dtype)
    return x


def _direction(x: Any, primal: Node, what: str = "jvp") -> Node | None:
    """The node of a tangent; None for integers, which do not vary: theirs must be of dtype float0."""
    tangent = lift(x)
    if primal.dtype.kind in "fc":
        return _fitting(tangent, primal.aval, "tangent", what)
    if tangent.dtype is not float0:
        raise (TypeError if what == "jvp" else ValueError)(
            f"primal and tangent arguments to {what} do not match; dtypes must be equal, or in case of int/bool primal dtype the tangent dtype must be float0. "
            f"Got primal dtype {primal.dtype} and so expected tangent dtype float0, but got tangent dtype {tangent.dtype} instead."
        )
    if tangent.shape != primal.shape:
        raise ValueError(f"{what} called with different primal and tangent shapes; Got primal shape {primal.shape} and tangent shape as {tangent.shape}")  # fmt: skip
    return None


def _instantiated(n: Node | None, like: Node) -> Node:
    """A tangent or cotangent that may be zero, as an array."""
    return zero_tangent(like) if n is None else n


def _cotangent(ct: Node | None, primal: Node) -> Node:
    """A cotangent that may be zero, as an array that is as weak as what it belongs to (JAX converts weak floats on their way in, and their cotangents on the way out)."""
    if ct is not None and primal.aval.weak_type and not ct.aval.weak_type and ct.dtype.kind == "f":
        from weft.dialects.array.ops import ConvertOp

        return ConvertOp.bind(ct, dtype=ct.dtype, weak_type=True)
    return _instantiated(ct, primal)


def _refuse_custom_vjp(tangents_out: Sequence[Node | None], tangents: Sequence[Node | None]) -> None:
    outs, ins = ([t for t in ts if t is not None] for ts in (tangents_out, tangents))
    for n in dependents(outs, ins):
        if n.op is CustomVjpTangent:
            n.op.jvp()

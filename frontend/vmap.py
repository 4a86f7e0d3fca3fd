"""`vmap`: a function of one example becomes a function of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft.array import lift, wrap
from weft.axes import named_axis
from weft.dialects.array.node import Node
from weft.dialects.array.op import broadcast_batch, move_axis
from weft.dialects.array.walks import batch_call
from weft.dialects.dtypes import int32
from weft.function import check_callable, describe_function, named_after, on_nodes, parameter_names
from weft.tree_util import broadcast_prefix, keystr, tree_flatten, tree_leaves, tree_leaves_with_path


def vmap(
    fun: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Any = None,
    axis_size: int | None = None,
    spmd_axis_name: Any = None,
    sum_match: bool = False,
) -> Callable[..., Any]:
    """A function that applies `fun` to each example of a batch at once.

    `in_axes` says along which axis of an argument the examples lie: an int, None for what is the same for all, or a tuple of these (or of pytrees of these that are prefixes
    of the arguments). `out_axes` says likewise where they go. Arguments given by name have them along axis 0. `axis_size` is needed only where nothing tells it.
    Collectives (`lax.psum` and its kin) know the axis by `axis_name`. `spmd_axis_name` and `sum_match` are about several devices, and mean nothing here.
    """
    check_callable(fun, "vmap")
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if not (in_axes is None or isinstance(in_axes, (int, tuple))):
        raise TypeError(
            "vmap in_axes must be an int, None, or a tuple of entries corresponding to the positional arguments passed to the function, "
            f"but got {in_axes!r}."
        )
    if not all(isinstance(a, int) for a in tree_leaves(in_axes) + tree_leaves(out_axes)):
        raise TypeError(
            f"vmap in_axes and out_axes must be pytrees of ints and None, got {in_axes!r} and {out_axes!r}."
        )

    def batched(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ValueError(
                "vmap in_axes must be an int, None, or a tuple of entries corresponding to the positional arguments passed to the function, "
                f"but got len(in_axes)={len(in_axes)}, len(args)={len(args)}."
            )
        leaves, tree = tree_flatten((args, kwargs))
        nodes = [lift(x) for x in leaves]
        dims = _broadcast((in_axes, 0), (args, kwargs), "in_axes")
        dims = [_axis(d, n, "in_axes") for d, n in zip(dims, nodes, strict=True)]
        size = _size(fun, nodes, dims, axis_size, (args, kwargs))
        run = on_nodes(lambda args, kwargs: fun(*args, **kwargs), tree)
        outs = _run(run, axis_name, size, nodes, dims)
        wanted = _broadcast(out_axes, run.out_tree.unflatten(range(len(outs))), "out_axes")
        return run.out_tree.unflatten([wrap(_placed(n, d, w, size)) for (n, d), w in zip(outs, wanted, strict=True)])

    return named_after(batched, fun, "vmap")


def _run(
    run: Callable[..., list[Node]], axis_name: Any, size: int, nodes: Sequence[Node], dims: Sequence[int | None]
) -> list[tuple[Node, int | None]]:
    """The batched results. An axis with a name has its index for a further argument."""
    if axis_name is None:
        return batch_call(run, size, nodes, dims)
    from weft.dialects.array.ops import IotaOp

    def with_axis(*nodes: Node) -> list[Node]:
        with named_axis(axis_name, nodes[-1], size):
            return run(*nodes[:-1])

    index = IotaOp.bind(shape=(size,), dimension=0, dtype=int32)
    return batch_call(with_axis, size, [*nodes, index], [*dims, 0])


def _broadcast(axes: Any, tree: Any, name: str) -> list[int | None]:
    try:
        return broadcast_prefix(axes, tree, is_leaf=lambda x: x is None)
    except ValueError as error:
        raise ValueError(f"vmap {name} is not a prefix of the structure that it belongs to: {error}") from error


def _axis(axis: int | None, node: Node, name: str) -> int | None:
    if axis is None:
        return None
    if not -node.ndim <= axis < node.ndim:
        needed = axis + 1 if axis >= 0 else -axis
        raise ValueError(
            f"vmap was requested to map its argument along axis {axis}, which implies that its rank should be at least {needed}, "
            f"but is only {node.ndim} (its shape is {node.shape})."
        )
    return axis % node.ndim


def _size(
    fun: Callable[..., Any], nodes: Sequence[Node], dims: Sequence[int | None], given: int | None, args: Any
) -> int:
    """The number of examples, on which all arguments agree."""
    sizes = {n.shape[d] for n, d in zip(nodes, dims, strict=True) if d is not None}
    if given is not None:
        sizes.add(given)
    if len(sizes) == 1:
        return sizes.pop()
    if not sizes:
        raise ValueError("vmap must have at least one non-None value in in_axes, or axis_size.")
    names = parameter_names(fun)
    lines = [] if given is None else [f"  * axis_size was given as {given}"]
    for (path, _), n, d in zip(tree_leaves_with_path(args), nodes, dims, strict=True):
        if d is not None:
            lines.append(
                f"  * one axis had size {n.shape[d]}: axis {d} of {argument_name(path, names)} of type {n.aval}"
            )
    raise ValueError(
        f"vmap of {describe_function(fun)} got inconsistent sizes for array axes to be mapped:\n" + "\n".join(lines)
    )


def argument_name(path: Sequence[Any], names: Sequence[str]) -> str:
    """A place in `(args, kwargs)` as the user calls it: `argument params['w']`."""
    of_kwargs, root, *rest = path
    if of_kwargs.idx:
        name = root.key
    else:
        name = names[root.idx] if root.idx < len(names) else f"args[{root.idx}]"
    return f"argument {name}{keystr(tuple(rest))}"


def _placed(x: Node, dim: int | None, wanted: int | None, size: int) -> Node:
    """A result with its batch axis where it is wanted."""
    if wanted is None:
        if dim is not None:
            raise ValueError(f"vmap has mapped output (of type {x.aval}) but out_axes is None")
        return x
    rank = x.ndim + (dim is None)
    if not -rank <= wanted < rank:
        raise ValueError(f"vmap: out_axes has axis {wanted}, which is out of bounds for an output of rank {rank}")
    wanted %= rank
    return move_axis(broadcast_batch(x, size) if dim is None else x, 0 if dim is None else dim, wanted)

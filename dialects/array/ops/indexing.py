"""Reading and writing at places that data decide: gather and scatter.

The dimension numbers are JAX's (`lax.GatherDimensionNumbers`, `lax.ScatterDimensionNumbers`), each field a parameter;
the last axis of the indices holds the index vector. A start is clamped so that its slice lies inside (mode "clip", and
"promise_in_bounds", which a device need not believe), or a slice that lies outside is replaced by the fill value
(gather) or dropped (scatter): mode "fill".
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar, TypeAlias

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Parts, Write, add, batch_front, broadcast, full, zeros
from weft.dialects.array.ops import emit, parts
from weft.dialects.array.ops.algebra import compare, div, iota, mul, plus, reshape, where
from weft.dialects.array.ops.shape import Dims, Index, Ints, check_axes, check_rank, up
from weft.dialects.dtypes import DType, as_dtype, int32
from weft.dialects.kernel.affine import Expr

MODES = ("clip", "fill", "promise_in_bounds")
Maybe: TypeAlias = Node | None


def default_fill(dtype: DType) -> bool | int | float:
    """What a gather gives outside: NaN, the least signed integer, the greatest unsigned one, or true."""
    if dtype.is_inexact:
        return float("nan")
    return True if dtype.kind == "b" else emit.extreme(dtype)[dtype.kind == "u"]


def _check(name: str, mode: str, indices: Aval, vector: Ints) -> None:
    if mode not in MODES:
        raise ValueError(f"{name}: mode must be one of {', '.join(MODES)}, got '{mode}'")
    if not indices.dtype.is_integer:
        raise TypeError(f"{name}: indices must have an integer dtype, got {indices.dtype}.")
    if not indices.ndim or indices.shape[-1] != len(vector):
        raise TypeError(
            f"{name}: the last axis of the indices must have one entry per indexed dimension ({len(vector)}), got indices of shape {indices.shape}."
        )


def _slices(index: Index, window_dims: Ints, missing: Ints, rank: int) -> tuple[Index, list[Any]]:
    """An index of the slices' array, taken apart.

    Where in the indices, and where in the slice (one per operand axis, 0 for those that the slice lacks).
    """
    window = iter(index[d] for d in window_dims)
    inner = [Expr(0) if k in missing else next(window) for k in range(rank)]
    return tuple(e for k, e in enumerate(index) if k not in window_dims), inner


def _batching(outer: Index, operand_dims: Ints, indices_dims: Ints) -> dict[int, Expr]:
    """For each batching axis of the operand, the place along it."""
    return {d: outer[k] for d, k in zip(operand_dims, indices_dims, strict=True)}


def _starts_reference(
    np: Any,
    indices: Any,
    extents: Sequence[int],
    vector: Ints,
    operand_batching: Ints,
    indices_batching: Ints,
    limits: Sequence[int],
    mode: str,
) -> tuple[list[Any], Any]:
    """For NumPy: the first element of each slice along each operand axis, and whether the slice lies inside."""
    outer = indices.shape[:-1]
    starts = [np.zeros(outer, np.int64) for _ in extents]
    valid = np.ones(outer, bool)
    for place, d in enumerate(vector):
        start = indices[..., place].astype(np.int64)
        valid &= (start >= 0) & (start <= limits[d])
        starts[d] = np.clip(start, 0, max(limits[d], 0))
    for d, k in zip(operand_batching, indices_batching, strict=True):
        starts[d] = np.broadcast_to(
            np.arange(extents[d]).reshape([-1 if j == k else 1 for j in range(len(outer))]), outer
        )
    return starts, valid if mode == "fill" else np.ones(outer, bool)


def _places_reference(np: Any, starts: Sequence[Any], window: Sequence[int]) -> tuple[Any, ...]:
    """For NumPy: index arrays of shape (outer…, window…) over every element of every slice."""
    inner = np.indices(tuple(window)) if window else ()
    rank = len(window)
    return tuple(s.reshape(s.shape + (1,) * rank) + inner[d] for d, s in enumerate(starts))


@irdl_op_definition
class GatherOp(ArrayOp):
    """Slices of an operand, each starting where an index vector says.

    %y = array.gather %x, %i offset_dims [1] collapsed_slice_dims [0] start_index_map [0] operand_batching_dims [] start_indices_batching_dims []
        slice_sizes [1, 8] mode clip : tensor<4x8xf32>, tensor<3x1xi32> -> tensor<3x8xf32>

    JAX: `lax.gather`. Without `fill_value` mode fill gives NaN, the least signed integer, the greatest unsigned one, or
    true.
    """

    name = "array.gather"

    operand = operand_def(TensorType)
    indices = operand_def(TensorType)
    offset_dims = prop_def()
    collapsed_slice_dims = prop_def()
    start_index_map = prop_def()
    operand_batching_dims = prop_def()
    start_indices_batching_dims = prop_def()
    slice_sizes = prop_def()
    mode = prop_def()
    fill_value = opt_prop_def()

    @classmethod
    def infer(
        cls, operand: Aval, indices: Aval, *, offset_dims: Ints, collapsed_slice_dims: Ints, start_index_map: Ints, operand_batching_dims: Ints,
        start_indices_batching_dims: Ints, slice_sizes: Ints, mode: str, fill_value: Any = None,
    ) -> Aval:  # fmt: skip
        _check("gather", mode, indices, start_index_map)
        check_rank("gather", operand.ndim, slice_sizes=slice_sizes)
        missing = collapsed_slice_dims + operand_batching_dims
        check_axes("gather", "collapsed_slice_dims and operand_batching_dims", missing, operand.ndim)
        check_axes(
            "gather", "start_index_map and operand_batching_dims", start_index_map + operand_batching_dims, operand.ndim
        )
        sizes = enumerate(zip(slice_sizes, operand.shape, strict=True))
        if any(not 0 <= s <= n for k, (s, n) in sizes if k not in operand_batching_dims):  # a batch may be empty
            raise TypeError(
                f"gather: slice_sizes must lie within the operand's shape {operand.shape}, got {slice_sizes}."
            )
        if any(slice_sizes[d] > 1 for d in missing):
            raise TypeError(
                f"gather: collapsed and batching dimensions must have slice size at most 1, got slice_sizes {slice_sizes} and dimensions {missing}."
            )
        window = [s for k, s in enumerate(slice_sizes) if k not in missing]
        if len(offset_dims) != len(window):
            raise TypeError(
                f"gather: offset_dims must have one entry per slice dimension ({len(window)}), got {offset_dims}."
            )
        rank = indices.ndim - 1 + len(offset_dims)
        check_axes("gather", "offset_dims", offset_dims, rank)
        outer, inner = iter(indices.shape[:-1]), iter(window)
        return aval(
            [next(inner) if k in offset_dims else next(outer) for k in range(rank)], operand.dtype, operand.weak_type
        )

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node, **params: Any) -> Maybe:
        if tangents[0] is None:
            return None
        return cls.bind(tangents[0], primals[1], **{**params, "fill_value": 0.0})

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], **params: Any) -> list[Maybe]:
        operand, indices = args
        # An index out of range that nobody asked to clamp has no derivative, though the value is that of the clamped one: JAX documents it ("out-of-bound indexing").
        mode = "clip" if params["mode"] == "clip" else "fill"
        return [
            ScatterOp.bind(
                zeros(operand.aval), indices, ct, kind="add", mode=mode, update_window_dims=params["offset_dims"],
                inserted_window_dims=params["collapsed_slice_dims"], scatter_dims_to_operand_dims=params["start_index_map"],
                operand_batching_dims=params["operand_batching_dims"], scatter_indices_batching_dims=params["start_indices_batching_dims"],
            ),
            None,
        ]  # fmt: skip

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        operand, indices = (x if d is None else batch_front(size, x, d) for x, d in zip(args, dims, strict=True))
        return cls.bind(operand, indices, **gather_params(params, size, dims[0] is not None, dims[1] is not None)), 0

    @classmethod
    def on_parts(cls, operand: Parts, indices: Node, **params: Any) -> Parts:
        fill = params.pop("fill_value", None)
        fill = default_fill(operand.re.dtype) if fill is None else fill
        fills = (fill.real, fill.imag)
        return Parts(*(cls.bind(v, indices, **params, fill_value=f) for v, f in zip(operand, fills, strict=True)))

    @staticmethod
    def reference(np: Any, operand: Any, indices: Any, **params: Any) -> Any:
        sizes, missing = params["slice_sizes"], params["collapsed_slice_dims"] + params["operand_batching_dims"]
        starts, valid = _starts_reference(
            np, indices, operand.shape, params["start_index_map"], params["operand_batching_dims"], params["start_indices_batching_dims"],
            [n - s for n, s in zip(operand.shape, sizes, strict=True)], params["mode"],
        )  # fmt: skip
        fill = params.get("fill_value")
        fill = default_fill(as_dtype(operand.dtype)) if fill is None else fill
        outer, rank = indices.ndim - 1, len(sizes)
        if prod(sizes) and operand.size:
            out = operand[_places_reference(np, starts, sizes)]
            out = np.where(valid.reshape(valid.shape + (1,) * rank), out, np.array(fill).astype(operand.dtype))
        else:
            out = np.zeros(indices.shape[:-1] + sizes, operand.dtype)
        out = out.reshape(indices.shape[:-1] + tuple(s for k, s in enumerate(sizes) if k not in missing))
        return np.moveaxis(out, range(outer, out.ndim), params["offset_dims"])

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, offset_dims: Ints, collapsed_slice_dims: Ints, start_index_map: Ints,
        operand_batching_dims: Ints, start_indices_batching_dims: Ints, slice_sizes: Ints, mode: str, fill_value: Any = None,
    ) -> SSAValue:  # fmt: skip
        operand, indices = args
        outer, source = _slices(index, offset_dims, collapsed_slice_dims + operand_batching_dims, len(operand.shape))
        for d, place in _batching(outer, operand_batching_dims, start_indices_batching_dims).items():
            source[d] = place
        valid = None
        for k, d in enumerate(start_index_map):
            at, limit = (*outer, Expr(k)), operand.shape[d] - slice_sizes[d]
            source[d] = source[d] + emit.symbol(b, indices, at, 0, limit)
            if mode == "fill":
                inside = emit.within(b, b.read(indices, at), indices.dtype, limit)
                valid = inside if valid is None else b.op(arith.AndIOp, valid, inside)
        value = b.read(operand, tuple(source))
        if valid is None:
            return value
        return emit.select(
            b, valid, value, b.const(default_fill(operand.dtype) if fill_value is None else fill_value, operand.dtype)
        )


def gather_params(params: dict[str, Any], size: int, operand: bool, indices: bool) -> dict[str, Any]:
    """A gather's parameters for operands with a batch axis in front."""
    new = dict(params)
    by = int(operand)
    for key in ("collapsed_slice_dims", "start_index_map", "operand_batching_dims"):
        new[key] = up(params[key], by)
    new["offset_dims"] = up(params["offset_dims"])
    new["start_indices_batching_dims"] = up(params["start_indices_batching_dims"], int(indices))
    if operand and indices:
        new["operand_batching_dims"] = (0, *new["operand_batching_dims"])
        new["start_indices_batching_dims"] = (0, *new["start_indices_batching_dims"])
        new["slice_sizes"] = (1, *params["slice_sizes"])
    elif operand:
        new["offset_dims"] = (0, *new["offset_dims"])
        new["slice_sizes"] = (size, *params["slice_sizes"])
    return new


@irdl_op_definition
class ScatterOp(ArrayOp):
    """The operand with updates brought in, each a slice that starts where an index vector says: they are set, or added,
    multiplied, taken the extreme of.

    %y = array.scatter add %x, %i, %u update_window_dims [1] inserted_window_dims [0] scatter_dims_to_operand_dims [0] operand_batching_dims []
        scatter_indices_batching_dims [] mode fill unique_indices false : tensor<4x8xf32>, tensor<3x1xi32>, tensor<3x8xf32> -> tensor<4x8xf32>

    JAX: `lax.scatter`, `lax.scatter_add` and their like. Of several updates that set one element any may win;
    `unique_indices` promises that there is one.
    """

    name = "array.scatter"
    LEAD: ClassVar = "kind"
    PUSHES: ClassVar = True
    UPDATES: ClassVar = True
    STORED: ClassVar = slice(1)

    operand = operand_def(TensorType)
    indices = operand_def(TensorType)
    updates = operand_def(TensorType)
    kind = prop_def()
    update_window_dims = prop_def()
    inserted_window_dims = prop_def()
    scatter_dims_to_operand_dims = prop_def()
    operand_batching_dims = prop_def()
    scatter_indices_batching_dims = prop_def()
    mode = prop_def()
    unique_indices = opt_prop_def()

    @classmethod
    def infer(
        cls, operand: Aval, indices: Aval, updates: Aval, *, kind: str, update_window_dims: Ints, inserted_window_dims: Ints,
        scatter_dims_to_operand_dims: Ints, operand_batching_dims: Ints, scatter_indices_batching_dims: Ints, mode: str,
        unique_indices: bool = False,
    ) -> Aval:  # fmt: skip
        _check("scatter", mode, indices, scatter_dims_to_operand_dims)
        if kind not in ("set", "add", "mul", "min", "max"):
            raise ValueError(f"scatter: kind must be one of set, add, mul, min, max, got '{kind}'")
        if kind in ("add", "mul") and operand.dtype.kind == "b":
            raise TypeError(
                f"scatter_{kind} does not accept dtype bool. Accepted dtypes are: integer, floating, complex."
            )
        if operand.dtype is not updates.dtype:
            raise TypeError(
                f"scatter requires the operand and the updates to have equal dtypes, got {operand.dtype} and {updates.dtype}."
            )
        missing = inserted_window_dims + operand_batching_dims
        check_axes("scatter", "inserted_window_dims and operand_batching_dims", missing, operand.ndim)
        check_axes("scatter", "update_window_dims", update_window_dims, updates.ndim)
        if len(update_window_dims) != operand.ndim - len(missing):
            raise TypeError(
                f"scatter: update_window_dims must have one entry per window dimension ({operand.ndim - len(missing)}), got {update_window_dims}."
            )
        outer = tuple(n for k, n in enumerate(updates.shape) if k not in update_window_dims)
        if outer != indices.shape[:-1]:
            raise TypeError(
                f"scatter: the updates' shape {updates.shape} without update_window_dims {update_window_dims} must be that of the indices without the last axis, {indices.shape[:-1]}."
            )
        window = _window(updates.shape, update_window_dims, missing, operand.ndim)
        if any(w > n for k, (w, n) in enumerate(zip(window, operand.shape, strict=True)) if k not in missing):
            raise TypeError(
                f"scatter: updates of shape {updates.shape} do not fit into an operand of shape {operand.shape}."
            )
        return aval(operand.shape, operand.dtype, operand.weak_type and updates.weak_type)

    @classmethod
    def jvp(cls, primals: Sequence[Node], tangents: Sequence[Maybe], out: Node, **params: Any) -> Maybe:
        operand, indices, updates = primals
        dx, du = tangents[0], tangents[2]
        if dx is None and du is None:
            return None
        kind, linear = params["kind"], {**params, "kind": "add"}
        if kind == "mul":
            return add(
                None if dx is None else cls.bind(dx, indices, updates, **params),
                None if du is None else mul(operand, cls.bind(zeros(operand), indices, du, **_unique(linear))),
            )
        dx, du = (zeros(p) if t is None else t for p, t in ((operand, dx), (updates, du)))
        if kind == "set" and not params.get("unique_indices"):
            dx, du = _winners(operand, indices, updates, dx, du, params)
        elif kind in ("min", "max"):
            kept = where(compare(operand, "eq", out), 1.0, 0.0, like=operand)
            taken = where(compare(_gathered(out, indices, updates, params), "eq", updates), 1.0, 0.0, like=operand)
            share = cls.bind(kept, indices, taken, **linear)
            return div(
                cls.bind(mul(dx, kept), indices, mul(du, taken), **linear), where(compare(share, "eq", 0.0), 1.0, share)
            )
        return cls.bind(dx, indices, du, **(params if kind == "set" and params.get("unique_indices") else linear))

    @classmethod
    def transpose(cls, ct: Node, args: Sequence[Node], linear: Sequence[bool], **params: Any) -> list[Maybe]:
        _, indices, updates = args
        kind = params["kind"]
        for_operand = for_updates = None
        if linear[0]:
            other = {"add": None, "set": zeros(updates.aval), "mul": updates}[kind]
            for_operand = ct if other is None else cls.bind(ct, indices, other, **params)
        if linear[2]:
            for_updates = _gathered(ct, indices, updates, params, fill=0.0)
        return [for_operand, None, for_updates]

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        operand, updates = (batch_front(size, args[k], dims[k]) for k in (0, 2))
        new = dict(params)
        for key in (
            "inserted_window_dims",
            "scatter_dims_to_operand_dims",
            "operand_batching_dims",
            "update_window_dims",
        ):
            new[key] = up(params[key])
        if dims[1] is None:
            new["update_window_dims"] = (0, *new["update_window_dims"])
            return cls.bind(operand, args[1], updates, **new), 0
        new["operand_batching_dims"] = (0, *new["operand_batching_dims"])
        new["scatter_indices_batching_dims"] = (0, *up(params["scatter_indices_batching_dims"]))
        return cls.bind(operand, batch_front(size, args[1], dims[1]), updates, **new), 0

    @classmethod
    def on_parts(cls, operand: Parts, indices: Node, updates: Parts, **params: Any) -> Parts:
        if params["kind"] in ("set", "add"):
            return Parts(*(cls.bind(x, indices, u, **params) for x, u in zip(operand, updates, strict=True)))
        if params["kind"] != "mul" or not params.get("unique_indices"):
            raise NotImplementedError(
                f"scatter {params['kind']} of complex numbers runs on the cpu device only (mul with unique_indices=True on all)"
            )
        there = Parts(*(_gathered(v, indices, updates.re, params, fill=0.0) for v in operand))
        return cls.on_parts(operand, indices, parts.product(there, updates), **{**params, "kind": "set"})

    @staticmethod
    def reference(np: Any, operand: Any, indices: Any, updates: Any, **params: Any) -> Any:
        missing = params["inserted_window_dims"] + params["operand_batching_dims"]
        window = _window(updates.shape, params["update_window_dims"], missing, operand.ndim)
        starts, valid = _starts_reference(
            np, indices, operand.shape, params["scatter_dims_to_operand_dims"], params["operand_batching_dims"],
            params["scatter_indices_batching_dims"], [n - w for n, w in zip(operand.shape, window, strict=True)], params["mode"],
        )  # fmt: skip
        out = np.array(operand)
        if not updates.size:
            return out
        outer = indices.shape[:-1]
        updates = np.moveaxis(updates, params["update_window_dims"], range(len(outer), updates.ndim)).reshape(
            outer + window
        )
        places = tuple(p[valid] for p in _places_reference(np, starts, window))
        if params["kind"] == "set":
            out[places] = updates[valid]
        else:
            names = {"add": "add", "mul": "multiply", "min": "minimum", "max": "maximum"}
            getattr(np, names[params["kind"]]).at(out, places, updates[valid])
        return out

    @classmethod
    def space(cls, args: Sequence[Any], **params: Any) -> Ints:
        return args[2].shape

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, kind: str, update_window_dims: Ints, inserted_window_dims: Ints,
        scatter_dims_to_operand_dims: Ints, operand_batching_dims: Ints, scatter_indices_batching_dims: Ints, mode: str,
        unique_indices: bool = False,
    ) -> list[Write]:  # fmt: skip
        operand, indices, updates = args
        missing = inserted_window_dims + operand_batching_dims
        window = _window(updates.shape, update_window_dims, missing, len(operand.shape))
        outer, target = _slices(index, update_window_dims, missing, len(operand.shape))
        for d, place in _batching(outer, operand_batching_dims, scatter_indices_batching_dims).items():
            target[d] = place
        conditions = []
        for k, d in enumerate(scatter_dims_to_operand_dims):
            limit = operand.shape[d] - window[d]
            beyond = int(mode == "fill")  # starts outside stay just outside, for the condition to see
            start = emit.symbol(b, indices, (*outer, Expr(k)), -beyond, limit + beyond)
            if beyond:
                conditions.append((start, 0, limit + 1))
            target[d] = target[d] + start
        combine = None if kind == "set" else emit.combining(kind, operand.dtype)
        return [Write(b.read(updates, index), tuple(target), conditions, combine)]


def _window(updates: Ints, window_dims: Ints, missing: Ints, rank: int) -> Ints:
    """The extents of an update's slice along each operand axis: 1 along those that it lacks."""
    sizes = iter(updates[d] for d in window_dims)
    return tuple(1 if k in missing else next(sizes) for k in range(rank))


def _unique(params: dict[str, Any]) -> dict[str, Any]:
    if not params.get("unique_indices"):
        raise NotImplementedError("scatter mul is differentiable by its updates only with unique_indices=True")
    return params


def _gathered(x: Node, indices: Node, updates: Node, params: dict[str, Any], fill: float | int | None = None) -> Node:
    """The elements of x (shaped as the operand) at the places of the updates."""
    missing = params["inserted_window_dims"] + params["operand_batching_dims"]
    return GatherOp.bind(
        x, indices, offset_dims=params["update_window_dims"], collapsed_slice_dims=params["inserted_window_dims"],
        start_index_map=params["scatter_dims_to_operand_dims"], operand_batching_dims=params["operand_batching_dims"],
        start_indices_batching_dims=params["scatter_indices_batching_dims"],
        slice_sizes=_window(updates.shape, params["update_window_dims"], missing, x.ndim), mode=params["mode"], fill_value=fill,
    )  # fmt: skip


def _winners(
    operand: Node, indices: Node, updates: Node, dx: Node, du: Node, params: dict[str, Any]
) -> tuple[Node, Node]:
    """Tangents of a set with only those left that are seen in the result, so that adding them up is right whichever
    update won: each update sets its number."""
    outer = [k for k in range(updates.ndim) if k not in params["update_window_dims"]]
    count = prod(updates.shape[k] for k in outer)
    numbers = plus(iota((count,), 0), 1)
    numbers = broadcast(reshape(numbers, [updates.shape[k] for k in outer]), updates.shape, outer)
    seen = ScatterOp.bind(full(0, aval(operand.shape, int32)), indices, numbers, **params)
    won = compare(_gathered(seen, indices, updates, params, fill=0), "eq", numbers)
    return where(compare(seen, "eq", 0), dx, 0.0), where(won, du, 0.0)

"""Sums of products: general contraction and convolution.

Each is two reads, a product, and one reduction; 16-bit floats add up in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any, NamedTuple, TypeAlias

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Parts, batch_front, bilinear, move_axis
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.algebra import convert, plus, reshape, sub, transpose
from weft.dialects.array.ops.shape import Dims, Index, Ints, PadOp, ReverseOp, check_axes, inverse
from weft.dialects.array.ops.windows import WindowOp, dilated
from weft.dialects.dtypes import DType
from weft.dialects.kernel.affine import Expr

Pair: TypeAlias = tuple[Ints, Ints]


def product_sum(
    b: Any, x: SSAValue, y: SSAValue, source: Sequence[DType], out: DType, axes: Sequence[Expr]
) -> SSAValue:
    """The sum of x * y over axes, kept in a wide enough dtype."""
    wide = emit.accumulator(out)
    x, y = (emit.convert(b, v, d, wide) for v, d in zip((x, y), source, strict=True))
    return emit.convert(b, b.reduce("add", b.op(emit.MUL[wide.kind], x, y), axes), wide, out)


def _parts_of_products(
    cls: type[ArrayOp], x: Parts, y: Parts, *, preferred: DType | None = None, **params: Any
) -> Parts:
    """`on_parts` of an op that is linear in each operand: four real ones."""

    def one(a: Node, b: Node) -> Node:
        return cls.bind(a, b, preferred=preferred and preferred.part, **params)

    return Parts(sub(one(x.re, y.re), one(x.im, y.im)), plus(one(x.re, y.im), one(x.im, y.re)))


# -- dot ---------------------------------------------------------------------------------------------------------------


def _free(rank: int, *used: Ints) -> Ints:
    return tuple(k for k in range(rank) if not any(k in u for u in used))


@irdl_op_definition
class DotOp(ArrayOp):
    """Products summed over the axes of `contract`, one by one along those of `batch`. The result has the batch axes,
    then the free axes of a, then those of b.

    %c = array.dot %a, %b contract [[1], [0]] batch [[], []] : tensor<4x8xf32>, tensor<8x2xf32> -> tensor<4x2xf32>

    JAX: `lax.dot_general`; `preferred` is the result's dtype (preferred_element_type). Of bool it says whether any product is true.
    """

    name = "array.dot"

    a = operand_def(TensorType)
    b = operand_def(TensorType)
    contract = prop_def()
    batch_ = prop_def(prop_name="batch")
    preferred = opt_prop_def()

    @classmethod
    def infer(cls, a: Aval, b: Aval, *, contract: Pair, batch: Pair, preferred: DType | None = None) -> Aval:
        for what, pair in (("contracting", contract), ("batch", batch)):
            if len(pair[0]) != len(pair[1]):
                raise TypeError(
                    f"dot_general requires equal numbers of {what} dimensions, got {pair[0]} and {pair[1]}."
                )
            for k, j in zip(*pair, strict=True):
                if not (0 <= k < a.ndim and 0 <= j < b.ndim):
                    raise TypeError(
                        f"dot_general: {what} dimensions {pair} are out of bounds for lhs {a.shape} and rhs {b.shape}."
                    )
                if a.shape[k] != b.shape[j]:
                    raise TypeError(
                        f"dot_general: {what} dimensions differ: lhs {a.shape} has {a.shape[k]} at axis {k}, rhs {b.shape} has {b.shape[j]} at axis {j}"
                    )
        check_axes("dot_general", "lhs dimensions", contract[0] + batch[0], a.ndim)
        check_axes("dot_general", "rhs dimensions", contract[1] + batch[1], b.ndim)
        if a.dtype is not b.dtype:
            raise TypeError(f"dot_general requires arguments of equal dtypes, got {a.dtype} and {b.dtype}.")
        shape = [a.shape[k] for k in (*batch[0], *_free(a.ndim, contract[0], batch[0]))]
        shape += [b.shape[k] for k in _free(b.ndim, contract[1], batch[1])]
        return aval(shape, preferred or a.dtype, a.weak_type and b.weak_type and not preferred)

    @classmethod
    def _cotangent(cls, ct: Node, x: Node, y: Node, contract: Pair, batch: Pair, left: bool) -> Node:
        """The cotangent of x, the operand on that side: contracted with y's free axes, its axes put in order."""
        x_free, y_free = _free(x.ndim, contract[0], batch[0]), _free(y.ndim, contract[1], batch[1])
        outer = len(batch[0])
        first = outer + (len(x_free) if left else 0)  # where y's free axes begin in ct
        found = cls.bind(
            convert(ct, y.dtype), y,
            contract=(tuple(range(first, first + len(y_free))), y_free), batch=(tuple(range(outer)), batch[1]),
        )  # fmt: skip
        contracted = [contract[0][contract[1].index(k)] for k in _free(y.ndim, y_free, batch[1])]
        return convert(transpose(found, inverse((*batch[0], *x_free, *contracted))), x.dtype)

    jvp, transpose = bilinear(
        lambda ct, x, y, *, contract, batch, preferred=None: DotOp._cotangent(ct, x, y, contract, batch, True),
        lambda ct, x, y, *, contract, batch, preferred=None: DotOp._cotangent(
            ct, y, x, contract[::-1], batch[::-1], False
        ),
    )

    on_parts: Any = classmethod(_parts_of_products)

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Dims, *, contract: Pair, batch: Pair, preferred: DType | None = None
    ) -> tuple[Node, int]:
        (a, b), (da, db) = args, dims
        up_a, up_b = (
            tuple(tuple(k + (d is not None and k >= d) for k in axes) for axes in (contract[s], batch[s]))
            for s, d in enumerate(dims)
        )
        extra = da is not None and db is not None
        new = {
            "contract": (up_a[0], up_b[0]),
            "batch": ((da, *up_a[1]), (db, *up_b[1])) if extra else (up_a[1], up_b[1]),
        }
        out = cls.bind(a, b, **new, preferred=preferred)
        if extra:
            return out, 0
        outer, a_free = len(batch[0]), _free(a.ndim, *up_a)
        if da is not None:
            return out, outer + a_free.index(da)
        return out, outer + len(a_free) + _free(b.ndim, *up_b).index(db)

    @staticmethod
    def reference(np: Any, a: Any, b: Any, *, contract: Pair, batch: Pair, preferred: DType | None = None) -> Any:
        letters = iter(ascii_letters)
        names_a, names_b = ([next(letters) for _ in x.shape] for x in (a, b))
        for k, j in zip(contract[0] + batch[0], contract[1] + batch[1], strict=True):
            names_b[j] = names_a[k]
        out = [names_a[k] for k in (*batch[0], *_free(a.ndim, contract[0], batch[0]))]
        out += [names_b[k] for k in _free(b.ndim, contract[1], batch[1])]
        dtype = np.dtype(preferred.name) if preferred else a.dtype
        wide = emit.wide(np, dtype)
        formula = f"{''.join(names_a)},{''.join(names_b)}->{''.join(out)}"
        return np.einsum(formula, a.astype(wide), b.astype(wide), optimize=bool(a.size and b.size)).astype(dtype)

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, contract: Pair, batch: Pair, preferred: DType | None = None
    ) -> SSAValue:
        summed = [b.axis(args[0].shape[k]) for k in contract[0]]
        rest = iter(index[len(batch[0]) :])
        values = []
        for x, contracted, batched in zip(args, contract, batch, strict=True):
            place = dict(zip((*batched, *contracted), (*index[: len(batched)], *summed), strict=True))
            values.append(b.read(x, tuple(place[k] if k in place else next(rest) for k in range(len(x.shape)))))
        x, y = values
        return product_sum(b, x, y, [a.dtype for a in args], preferred or args[0].dtype, summed)


# -- conv --------------------------------------------------------------------------------------------------------------


class _Dimension(NamedTuple):
    """One spatial dimension of a convolution."""

    size: int
    window: int
    stride: int
    low: int
    high: int
    dilation: int
    window_dilation: int

    @property
    def extent(self) -> int:
        """The extent of x with its gaps, without padding."""
        return dilated(self.size, self.dilation)

    @property
    def span(self) -> int:
        """The extent of the window with its gaps."""
        return dilated(self.window, self.window_dilation)

    @property
    def places(self) -> int:
        """How many places the window has."""
        return max(0, (self.extent + self.low + self.high - self.span) // self.stride + 1)


def _dimensions(x: Any, w: Any, params: dict[str, Any]) -> list[_Dimension]:
    lows, highs = zip(*params["padding"], strict=True) if params["padding"] else ((), ())
    dilations = params["lhs_dilation"], params["rhs_dilation"]
    columns = (x.shape[2:], w.shape[2:], params["window_strides"], lows, highs, *dilations)
    return [_Dimension(*row) for row in zip(*columns, strict=True)]


def _split(x: Node, axis: int, outer: int) -> Node:
    """Axis of n as two, of outer and n / outer."""
    return reshape(x, (*x.shape[:axis], outer, x.shape[axis] // outer, *x.shape[axis + 1 :]))


def _merge(x: Node, axis: int) -> Node:
    """Axis and the next one as one."""
    return reshape(x, (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))


def _regroup(x: Node, source: int, target: int, groups: int) -> Node:
    """Moves the groups that lead one axis to lead another."""
    moved = move_axis(_split(x, source, groups), source, target)
    return _merge(moved, target)


def _swap(x: Node) -> Node:
    """The two leading axes exchanged: batch and features, or features out and in."""
    return transpose(x, (1, 0, *range(2, x.ndim)))


@irdl_op_definition
class ConvOp(ArrayOp):
    """Convolution (without flipping, as machine learning has it) of x in the layout NC… with w in OI…: out[n, o, p…]
    sums x[n, c, p * stride + k * rhs_dilation - lo …] * w[o, c, k…].

    %y = array.conv %x, %w window_strides [1, 1] padding [[1, 1], [1, 1]] lhs_dilation [1, 1] rhs_dilation [1, 1] feature_group_count 1 batch_group_count 1
        : tensor<8x3x16x16xf32>, tensor<4x3x3x3xf32> -> tensor<8x4x16x16xf32>

    JAX: `lax.conv_general_dilated`, whose other layouts are transposed to this one. Padding and dilation of x are
    zeros, which are multiplied too.
    """

    name = "array.conv"

    x = operand_def(TensorType)
    w = operand_def(TensorType)
    window_strides = prop_def()
    padding = prop_def()
    lhs_dilation = prop_def()
    rhs_dilation = prop_def()
    feature_group_count = prop_def()
    batch_group_count = prop_def()
    preferred = opt_prop_def()

    @classmethod
    def infer(
        cls, x: Aval, w: Aval, *, window_strides: Ints, padding: tuple[Ints, ...], lhs_dilation: Ints, rhs_dilation: Ints,
        feature_group_count: int, batch_group_count: int, preferred: DType | None = None,
    ) -> Aval:  # fmt: skip
        name, spatial = "conv_general_dilated", x.ndim - 2
        if x.ndim != w.ndim or spatial < 0:
            raise TypeError(
                f"{name}: lhs and rhs must have the same rank of at least 2, got lhs {x.shape} and rhs {w.shape}."
            )
        for key, value in (
            ("window_strides", window_strides),
            ("padding", padding),
            ("lhs_dilation", lhs_dilation),
            ("rhs_dilation", rhs_dilation),
        ):
            if len(value) != spatial:
                raise TypeError(f"{name}: {key} must have one entry per spatial dimension ({spatial}), got {value}.")
        if any(n < 1 for n in (*window_strides, *lhs_dilation, *rhs_dilation, feature_group_count, batch_group_count)):
            raise ValueError(
                f"{name}: strides, dilations and group counts must be positive, got window_strides {window_strides}, lhs_dilation {lhs_dilation}, rhs_dilation {rhs_dilation}, feature_group_count {feature_group_count} and batch_group_count {batch_group_count}."
            )
        if feature_group_count > 1 and batch_group_count > 1:
            raise ValueError(
                f"{name}: feature_group_count and batch_group_count cannot both be greater than 1, got {feature_group_count} and {batch_group_count}."
            )
        if x.shape[1] != w.shape[1] * feature_group_count:
            raise ValueError(
                f"{name}: lhs feature dimension size {x.shape[1]} must be rhs input feature dimension size {w.shape[1]} times feature_group_count {feature_group_count}."
            )
        if w.shape[0] % feature_group_count or w.shape[0] % batch_group_count:
            raise ValueError(
                f"{name}: rhs output feature dimension size {w.shape[0]} must be a multiple of feature_group_count {feature_group_count} and batch_group_count {batch_group_count}."
            )
        if x.shape[0] % batch_group_count:
            raise ValueError(
                f"{name}: lhs batch dimension size {x.shape[0]} must be a multiple of batch_group_count {batch_group_count}."
            )
        if x.dtype is not w.dtype or x.dtype.kind not in "iufc":
            raise TypeError(f"{name} requires numeric arguments of equal dtypes, got {x.dtype} and {w.dtype}.")
        params = {
            "window_strides": window_strides, "padding": padding, "lhs_dilation": lhs_dilation, "rhs_dilation": rhs_dilation,
        }  # fmt: skip
        places = [d.places for d in _dimensions(x, w, params)]
        return aval((x.shape[0] // batch_group_count, w.shape[0], *places), preferred or x.dtype)

    @classmethod
    def _for_x(cls, ct: Node, x: Node, w: Node, **params: Any) -> Node:
        """The cotangent of x.

        That of the result, dilated by the strides, convolved with the mirrored window, features in and out exchanged.
        """
        examples = params["batch_group_count"]
        groups = max(params["feature_group_count"], examples)
        mirrored = ReverseOp.bind(w, dimensions=tuple(range(2, w.ndim)))
        mirrored = _swap(mirrored) if groups == 1 else _merge(move_axis(_split(mirrored, 0, groups), 1, 2), 0)
        around = []
        for d, m in zip(_dimensions(x, w, params), ct.shape[2:], strict=True):
            before = d.span - d.low - 1
            around.append((before, d.extent + d.span - 1 - dilated(m, d.stride) - before))
        found = cls.bind(
            convert(ct, w.dtype), mirrored, window_strides=params["lhs_dilation"], padding=tuple(around),
            lhs_dilation=params["window_strides"], rhs_dilation=params["rhs_dilation"], feature_group_count=groups,
            batch_group_count=1,
        )  # fmt: skip
        return _regroup(found, 1, 0, examples) if examples > 1 else found

    @classmethod
    def _for_w(cls, ct: Node, x: Node, w: Node, **params: Any) -> Node:
        """The cotangent of w: x convolved with the cotangent as the window, examples in the place of features."""
        around = []
        for d, m in zip(_dimensions(x, w, params), ct.shape[2:], strict=True):
            around.append((d.low, dilated(m, d.stride) - d.extent + d.span - d.low - 1))
        found = cls.bind(
            _swap(x), _swap(convert(ct, x.dtype)), window_strides=params["rhs_dilation"], padding=tuple(around),
            lhs_dilation=params["lhs_dilation"], rhs_dilation=params["window_strides"],
            feature_group_count=params["batch_group_count"], batch_group_count=params["feature_group_count"],
        )  # fmt: skip
        return _swap(found)

    jvp, transpose = bilinear(
        lambda ct, x, w, **params: ConvOp._for_x(ct, x, w, **params),
        lambda ct, x, w, **params: ConvOp._for_w(ct, x, w, **params),
    )

    on_parts: Any = classmethod(_parts_of_products)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, int]:
        x, w = args
        if dims[1] is None and params["batch_group_count"] == 1:  # more examples
            out = cls.bind(_merge(batch_front(size, x, dims[0]), 0), w, **params)
            return _split(out, 0, size), 0
        w = _merge(batch_front(size, w, dims[1]), 0)
        if dims[0] is None and params["feature_group_count"] == params["batch_group_count"] == 1:  # more features
            return _split(cls.bind(x, w, **params), 1, size), 1
        x = batch_front(size, x, dims[0])
        if params["batch_group_count"] > 1:
            x, key = _merge(x, 0), "batch_group_count"
        else:
            x, key = _merge(move_axis(x, 0, 1), 1), "feature_group_count"
        return _split(cls.bind(x, w, **{**params, key: params[key] * size}), 1, size), 1

    @staticmethod
    def reference(np: Any, x: Any, w: Any, *, preferred: DType | None = None, **params: Any) -> Any:
        dtype = np.dtype(preferred.name) if preferred else x.dtype
        wide = emit.wide(np, dtype)
        along, spatial = _dimensions(x, w, params), range(2, x.ndim)
        x = PadOp.reference(
            np, x, np.zeros((), x.dtype), low=(0, 0, *(d.low for d in along)), high=(0, 0, *(d.high for d in along)),
            interior=(0, 0, *(d.dilation - 1 for d in along)),
        )  # fmt: skip
        x = WindowOp.reference(
            np, x.astype(wide), dims=tuple(spatial), sizes=w.shape[2:], strides=params["window_strides"],
            dilations=params["rhs_dilation"],
        )  # fmt: skip
        features, examples = params["feature_group_count"], params["batch_group_count"]
        x_parts = np.split(x, features, 1) if examples == 1 else np.split(x, examples)
        w_parts = np.split(w.astype(wide), max(features, examples))
        window = range(w.ndim, x.ndim)
        sums = (
            np.tensordot(a, k, ([1, *window], [1, *spatial])) for a, k in zip(x_parts, w_parts, strict=True)
        )  # the features out come last
        return np.concatenate([np.moveaxis(s, -1, 1) for s in sums], 1).astype(dtype)

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, preferred: DType | None = None, **params: Any
    ) -> SSAValue:
        x, w = args
        features, examples = params["feature_group_count"], params["batch_group_count"]
        n, o, *places = index
        channel = b.axis(w.shape[1])
        window = [b.axis(k) for k in w.shape[2:]]
        group = o // (w.shape[0] // max(features, examples))
        if examples > 1:
            n = n + group * (x.shape[0] // examples)
        source, conditions = [], []
        for d, p, k in zip(_dimensions(x, w, params), places, window, strict=True):
            place = p * d.stride + k * d.window_dilation - d.low
            if d.dilation > 1:
                conditions.append((place % d.dilation, 0, 1))
            source.append(place // d.dilation)
            conditions.append((source[-1], 0, d.size))
        from_x = (n, channel + group * w.shape[1] if features > 1 else channel, *source)
        value = b.inside(conditions, lambda: b.read(x, from_x), lambda: b.const(0, x.dtype))
        weight = b.read(w, (o, channel, *window))
        return product_sum(b, value, weight, [x.dtype, w.dtype], preferred or x.dtype, [channel, *window])

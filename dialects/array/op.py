"""What an operation of the array dialect is: one class that holds its IR definition and all of its rules.

A primitive is an IRDL operation on tensors whose classmethods say what is true of it: how its result type follows (`infer`), how it is differentiated (`jvp`,
`transpose`), batched (`batch`), computed (`reference`, handed NumPy) and lowered (`to_kernel`, or `decompose` into others). Most need a few lines, because the helpers at
the end of this file make the rules of the common kinds: elementwise, linear, bilinear.

Parameters live in two forms, Python values on nodes and properties in the IR, and the base class translates: `encode` and `decode` go by the Python type, so an op only
declares its properties. `shape` and `dtype` need no property: they are read off the result type. One syntax serves all ops:

    %y = array.reduce add %x axes [1] : tensor<4x8xf32> -> tensor<4xf32>
    %s = array.sin %x : tensor<4xf32>                                      // one type when all are the same

The verifier of every op is `infer` itself.

Rules get and give nodes; `bind` makes them:

    infer(*avals, **params) -> Aval | tuple[Aval, ...]                    raises TypeError or ValueError in JAX's words
    jvp(primals, tangents, out, **params) -> Node | None | Replace        tangents[i] is None for zero; out: the node, or a tuple for several results
    transpose(ct, args, linear, **params) -> list[Node | None]            one per operand; linear[i]: whether a cotangent is asked for it
    batch(size, args, dims, **params) -> (out, dim)                       dims[i] None: not batched; lists for several results
    reference(np, *arrays, **params)                                      NumPy semantics; NumPy is passed in
    on_parts(*args, **params) -> Parts | Node | tuple                     of complex operands, given as Parts: written with real ops
    to_kernel(b, index, args, **params) -> SSAValue                       one scalar of the result at an index (weft.dialects.kernel.builder)
    space(args, **params) -> shape                                        of ops that push: over which indices `to_kernel` is to run
    decompose(*nodes, **params) -> Node | tuple[Node, ...]                or: written with other ops
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import IRDLOperation, operand_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.pattern_rewriter import RewritePattern
from xdsl.printer import Printer
from xdsl.traits import HasCanonicalizationPatternsTrait, Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.array.node import Aval, Node, aval, bind
from weft.dialects.array.params import Params, aval_of, decode, encode, format_value, parse_value, tensor_type
from weft.dialects.dtypes import DType, float0

FLOATING = frozenset("f")
COMPLEX = frozenset("c")
INTEGER = frozenset("iu")
SIGNED = frozenset("ifc")
BOOL = frozenset("b")
INEXACT = FLOATING | COMPLEX
NUMERIC = INTEGER | INEXACT
ANY = NUMERIC | BOOL


class Parts(NamedTuple):
    """A complex array as two real ones."""

    re: Node
    im: Node


class Replace(NamedTuple):
    """What a `jvp` rule gives if it computes its primal results anew (a loop that carries tangents with its values)."""

    primals: Sequence[Node]
    tangents: Sequence[Node | None]


class Write(NamedTuple):
    """What a nest of a pushing op writes: a scalar, where, under which conditions, and how it combines with what is there (None: it replaces it)."""

    value: SSAValue
    index: Sequence[Any]
    conditions: Sequence[tuple[Any, int, int]] = ()
    combine: str | None = None


# -- the base -----------------------------------------------------------------------------------------------------------------------------


def _missing(message: str) -> Any:
    def rule(cls: type[ArrayOp], *args: Any, **params: Any) -> Any:
        raise NotImplementedError(message.format(op_name(cls)))

    return classmethod(rule)


class Canonicalizes(HasCanonicalizationPatternsTrait):
    """Upstream's `canonicalize` has patterns for some array ops: those of canonicalize.py, written on top of this file."""

    def get_patterns(self, op: type[Operation]) -> tuple[RewritePattern, ...]:
        from weft.dialects.array.canonicalize import patterns

        return patterns(op)

    @classmethod
    def get_canonicalization_patterns(cls) -> tuple[RewritePattern, ...]:
        return ()


class ArrayOp(IRDLOperation):
    """A primitive. See the module's docstring for the rules, and `Elementwise` for the most common kind."""

    NOT_DIFFERENTIABLE: ClassVar[bool] = False
    """The derivative is zero wherever it exists: there is no `jvp`."""

    GRAPHS: ClassVar[tuple[str, ...]] = ()
    """The parameters that are programs (control.py)."""

    GROUPS: ClassVar[tuple[str, ...]] = ()
    """Of an op with programs: the parameters that count its inputs, one group after the other; what remains is the last group."""

    LEAD: ClassVar[str] = ""
    """The parameter that is written before the operands: `array.reduce add %x`."""

    PUSHES: ClassVar[bool] = False
    """`to_kernel` is not asked for one element: it runs over a `space` of its own and says what it writes, and where (a list of `Write`)."""

    UPDATES: ClassVar[bool] = False
    """It pushes into its first operand, which the result takes the place of."""

    STORED: ClassVar[slice] = slice(0)
    """The operands that it reads again and again at computed places, or writes into: they are stored first, never computed where they are read."""

    result = result_def(TensorType)
    traits = traits_def(Pure(), Canonicalizes())

    if TYPE_CHECKING:  # IRDL would take these for fields
        infer: ClassVar[Callable[..., Aval | tuple[Aval, ...]]]
        jvp: ClassVar[Callable[..., Node | Sequence[Node | None] | Replace | None]]
        transpose: ClassVar[Callable[..., Sequence[Node | None]]]
        batch: ClassVar[Callable[..., tuple[Any, Any]]]
        reference: ClassVar[Callable[..., Any]]
        to_kernel: ClassVar[Callable[..., Any]]
        space: ClassVar[Callable[..., tuple[int, ...]]]
        decompose: ClassVar[Callable[..., Any]]
        on_parts: ClassVar[Callable[..., Any]]
    else:
        infer = _missing("Abstract evaluation for '{}' not implemented")
        jvp = _missing("Differentiation rule for '{}' not implemented")
        transpose = _missing("Transpose rule (for reverse-mode differentiation) for '{}' not implemented")
        batch = _missing("Batching rule for '{}' not implemented")
        reference = _missing("Reference rule for '{}' not implemented")
        to_kernel = _missing("Lowering rule for '{}' not implemented")
        space = _missing("Space of '{}' not implemented")
        decompose = _missing("Decomposition of '{}' not implemented")
        on_parts = _missing("Complex rule for '{}' not implemented")

    @classmethod
    def has(cls, rule: str) -> bool:
        """Whether the op has a rule of its own."""
        return getattr(getattr(cls, rule), "__func__", None) is not getattr(ArrayOp, rule).__func__

    @classmethod
    def composite(cls, **params: Any) -> bool:
        """Whether the op is to be written with others before it is lowered."""
        return not cls.has("to_kernel") and cls.has("decompose")

    bind = classmethod(bind)  # AddOp.bind(x, y): applies the op to nodes

    # -- to and from the IR

    @classmethod
    def typed_params(cls) -> tuple[str, ...]:
        """The parameters that the result type tells: `shape` and `dtype`, if `infer` takes them by name and no property has them."""
        code = cls.infer.__func__.__code__  # type: ignore[attr-defined]
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        properties = cls.get_irdl_definition().properties
        return tuple(k for k in ("shape", "dtype") if k in keywords and k not in properties)

    @classmethod
    def properties_of(cls, params: Params) -> dict[str, Attribute]:
        """The IR properties for parameters. None needs no property."""
        declared = cls.get_irdl_definition().properties
        return {k: encode(v) for k, v in params.items() if v is not None and k in declared}

    @classmethod
    def params_of(cls, op: Operation) -> Params:
        """The parameters of an op in the IR."""
        params = {
            k: decode(op.properties[k]) if k in op.properties else None for k in cls.get_irdl_definition().properties
        }
        for name in cls.typed_params():
            params[name] = getattr(aval_of(op.results[0].type), name)
        defaults = cls.infer.__func__.__kwdefaults__ or {}  # type: ignore[attr-defined]
        return {k: defaults.get(k) if v is None else v for k, v in params.items()}

    def verify_(self) -> None:
        try:
            out = self.infer(*(aval_of(o.type) for o in self.operands), **self.params_of(self))
            types = [tensor_type(a) for a in ((out,) if isinstance(out, Aval) else out)]
        except (TypeError, ValueError) as error:
            raise VerifyException(str(error)) from error
        if types != list(self.result_types):
            expected, got = (", ".join(map(str, ts)) for ts in (types, self.result_types))
            raise VerifyException(f"{op_name(type(self))}: expected result type {expected}, got {got}")

    # -- one syntax for all: [lead] %operands key value … : types [-> types]

    @classmethod
    def printed_params(cls) -> list[str]:
        """The parameters that the text spells out."""
        return [k for k in cls.get_irdl_definition().properties if k != cls.LEAD]

    def print(self, printer: Printer) -> None:
        words = [format_value(decode(self.properties[self.LEAD]))] if self.LEAD else []
        printer.print_string("".join(f" {w}" for w in words))
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_ssa_value)
        for key in self.printed_params():
            if key in self.properties:
                printer.print_string(f" {key} {format_value(decode(self.properties[key]))}")
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        if len(self.results) == 1 and all(o.type == self.results[0].type for o in self.operands):
            printer.print_attribute(self.results[0].type)
            return
        printer.print_list(self.operand_types, printer.print_attribute)
        printer.print_string(" -> ")
        printer.print_list(self.result_types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> ArrayOp:
        properties: dict[str, Attribute] = {}

        def read(key: str) -> None:
            if (value := parse_value(parser)) is None:
                parser.raise_error(f"expected a value for '{key}'")
            properties[key] = encode(value)

        if cls.LEAD:
            read(cls.LEAD)
        position = parser.pos
        operands = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        operands = operands or []
        for key in cls.printed_params():
            if parser.parse_optional_keyword(key):
                read(key)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        types = (
            parser.parse_optional_undelimited_comma_separated_list(parser.parse_optional_type, parser.parse_type) or []
        )
        if parser.parse_optional_punctuation("->"):
            results = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        elif len(types) == 1:
            types, results = types * len(operands), types
        else:
            parser.raise_error("expected '->' and the result types")
        values = parser.resolve_operands(operands, types, position)
        return cls.create(operands=values, result_types=results, properties=properties, attributes=attributes)


# -- elementwise --------------------------------------------------------------------------------------------------------------------------


class Elementwise(ArrayOp):
    """An op that works on each element by itself. Operands have one shape, or rank 0 (the scalar stands for every element), and one dtype, which the result has too.

    `DTYPES` are the kinds of dtype (NumPy's letters) that it takes; repeat the annotation (`DTYPES: ClassVar = FLOATING`) in a subclass.
    """

    DTYPES: ClassVar[frozenset[str]] = ANY

    @classmethod
    def infer(cls, *avals: Aval, **params: Any) -> Aval:
        return aval(common_shape(cls, *avals), common_dtype(cls, *avals), all(a.weak_type for a in avals))

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Sequence[int | None], **params: Any
    ) -> tuple[Node, int | None]:
        args, dim = align(size, args, dims)
        return cls.bind(*args, **params), dim


class Unary(Elementwise):
    """Elementwise on one operand."""

    x = operand_def(TensorType)


class Binary(Elementwise):
    """Elementwise on two operands."""

    x = operand_def(TensorType)
    y = operand_def(TensorType)


def op_name(cls: type[ArrayOp]) -> str:
    """The name that error messages use."""
    return cls.name.removeprefix("array.")


def common_shape(cls: type[ArrayOp], *avals: Aval) -> tuple[int, ...]:
    """The shape of an elementwise result. Raises TypeError unless all shapes but those of rank 0 are equal."""
    shapes = {a.shape for a in avals if a.shape}
    if len(shapes) > 1:
        raise TypeError(
            f"{op_name(cls)} got incompatible shapes for broadcasting: {', '.join(str(a.shape) for a in avals)}."
        )
    return shapes.pop() if shapes else ()


def common_dtype(cls: type[Elementwise], *avals: Aval) -> DType:
    """The dtype of elementwise operands. Raises TypeError if they differ or the op does not take them."""
    dtype = avals[0].dtype
    if any(a.dtype is not dtype for a in avals):
        raise TypeError(
            f"{op_name(cls)} requires arguments to have equal dtypes, got {', '.join(a.dtype.name for a in avals)}."
        )
    if dtype.kind not in cls.DTYPES:
        words = {"b": "bool", "i": "signed integer", "u": "unsigned integer", "f": "floating", "c": "complex"}
        accepted = ", ".join(word for kind, word in words.items() if kind in cls.DTYPES)
        raise TypeError(f"{op_name(cls)} does not accept dtype {dtype}. Accepted dtypes are: {accepted}.")
    return dtype


def align(size: int, args: Sequence[Node], dims: Sequence[int | None]) -> tuple[Sequence[Node], int | None]:
    """Elementwise operands with their batch axes in one place, and that place. Operands of rank 0 stay as they are."""
    place = shape = None
    for a, d in zip(args, dims, strict=True):
        if d is None and not a.aval.shape:
            continue
        if shape is None:
            place, shape = d, a.aval.shape
        elif d != place or a.aval.shape != shape:
            break
    else:
        return args, place
    ranks = [a.ndim - (d is not None) for a, d in zip(args, dims, strict=True)]
    rank = max(ranks)
    example = ranks.index(rank)
    shape = tuple(n for i, n in enumerate(args[example].shape) if i != dims[example])
    aligned: list[Node] = []
    for a, d in zip(args, dims, strict=True):
        if d is not None:
            a = move_axis(a, d, 0)
            a = a if a.ndim == rank + 1 else broadcast(a, (size, *shape), (0,))
        elif a.ndim:
            a = broadcast(a, (size, *shape), tuple(range(1, rank + 1)))
        aligned.append(a)
    return aligned, 0


# -- what rules are written with ----------------------------------------------------------------------------------------------------------
# The ops themselves are imported when a rule runs: they are written on top of this file.


def literal(value: complex, like: Node | Aval | DType) -> Node:
    """A scalar constant of rank 0 that elementwise ops combine with `like`."""
    from weft.dialects.array.constant import ConstantOp

    if isinstance(like, DType):
        return ConstantOp.bind(value=value, shape=(), dtype=like)
    a = like.aval if isinstance(like, Node) else like
    return ConstantOp.bind(value=value, shape=(), dtype=a.dtype, weak_type=a.weak_type)


def full(value: complex, a: Aval | Node) -> Node:
    """A constant of the shape and dtype of `a`."""
    from weft.dialects.array.constant import ConstantOp

    return ConstantOp.bind(value=value, shape=a.shape, dtype=a.dtype)


def zeros(a: Aval | Node) -> Node:
    """Zeros of the shape and dtype of `a`."""
    return full({"b": False, "i": 0, "u": 0, "f": 0.0, "c": 0j, "V": False}[a.dtype.kind], a)


def zero_tangent(a: Aval | Node) -> Node:
    """The zero among the tangents of `a`: of integers and bools there is no other, and its dtype is float0."""
    if a.dtype.kind not in "fc":
        return zeros(aval(a.shape, float0))
    from weft.dialects.array.constant import ConstantOp

    like = a.aval if isinstance(a, Node) else a
    return ConstantOp.bind(value=0.0, shape=like.shape, dtype=like.dtype, weak_type=like.weak_type)


def add(x: Node | None, y: Node | None) -> Node | None:
    """The sum of two tangents or cotangents, either of which may be None (zero)."""
    from weft.dialects.array.ops import AddOp

    return x if y is None else y if x is None else bind(AddOp, x, y)


def broadcast(x: Node, shape: Sequence[int], dimensions: Sequence[int] = ()) -> Node:
    """`x` with its axes at `dimensions` of `shape`; itself if that is its shape already."""
    from weft.dialects.array.ops import BroadcastInDimOp

    shape = tuple(shape)
    return x if x.shape == shape else bind(BroadcastInDimOp, x, shape=shape, broadcast_dimensions=tuple(dimensions))


def broadcast_batch(x: Node, size: int) -> Node:
    """`x` repeated along a new leading axis."""
    return broadcast(x, (size, *x.shape), range(1, x.ndim + 1))


def move_axis(x: Node, source: int, destination: int) -> Node:
    """`x` with one axis moved."""
    from weft.dialects.array.ops import TransposeOp

    if source == destination:
        return x
    order = [i for i in range(x.ndim) if i != source]
    order.insert(destination, source)
    return bind(TransposeOp, x, permutation=tuple(order))


def batch_front(size: int, x: Node, dim: int | None) -> Node:
    """`x` with its batch axis in front; repeated along one if it has none."""
    return broadcast_batch(x, size) if dim is None else move_axis(x, dim, 0)


def sum_to_scalar(x: Node) -> Node:
    """The sum over all axes."""
    from weft.dialects.array.ops import ReduceOp

    return bind(ReduceOp, x, kind="add", axes=tuple(range(x.ndim))) if x.ndim else x


def cotangent_for(x: Node, ct: Node) -> Node:
    """A cotangent in the shape of the operand: for an operand of rank 0, which stood for every element, the sum."""
    return sum_to_scalar(ct) if not x.ndim else ct


def elementwise_jvp(*factors: Callable[..., Node | None] | None) -> Any:
    """The `jvp` of an elementwise op, one function per operand: `factor(*primals, out, **params)` is what its tangent is multiplied with. None: no derivative."""

    def jvp(
        cls: type[ArrayOp], primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any
    ) -> Node | None:
        from weft.dialects.array.ops import MulOp

        total = None
        for factor, tangent in zip(factors, tangents, strict=True):
            if factor is not None and tangent is not None and (by := factor(*primals, out, **params)) is not None:
                total = add(total, bind(MulOp, tangent, by))
        return total if total is None else broadcast(total, out.shape)

    return classmethod(jvp)


def linear(*transposes: Callable[..., Node] | None) -> Any:
    """`jvp, transpose = linear(…)` of an op that is linear in some operands together (as a sum is, or a selection).

    One entry per operand: None if the op is not linear in it, else `f(ct, *args, **params)`, the operand's cotangent. Elementwise operands of rank 0 need no care.
    """

    def jvp(
        cls: type[ArrayOp], primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any
    ) -> Node | None:
        if all(t is None for f, t in zip(transposes, tangents, strict=True) if f is not None):
            return None
        args = [
            p if f is None else t if t is not None else zeros(p)
            for f, p, t in zip(transposes, primals, tangents, strict=True)
        ]
        return cls.bind(*args, **params)

    def transpose(
        cls: type[ArrayOp], ct: Node, args: Sequence[Node], linear: Sequence[bool], **params: Any
    ) -> list[Node | None]:
        return _transposed(cls, transposes, ct, args, linear, params)

    return classmethod(jvp), classmethod(transpose)


def bilinear(lhs: Callable[..., Node], rhs: Callable[..., Node]) -> Any:
    """`jvp, transpose = bilinear(…)` of an op that is linear in each of two operands (a product): their cotangents, `f(ct, x, y, **params)`."""

    def jvp(
        cls: type[ArrayOp], primals: Sequence[Node], tangents: Sequence[Node | None], out: Node, **params: Any
    ) -> Node | None:
        (x, y), (dx, dy) = primals, tangents
        left = None if dx is None else cls.bind(dx, y, **params)
        return add(left, None if dy is None else cls.bind(x, dy, **params))

    def transpose(
        cls: type[ArrayOp], ct: Node, args: Sequence[Node], linear: Sequence[bool], **params: Any
    ) -> list[Node | None]:
        return _transposed(cls, (lhs, rhs), ct, args, linear, params)

    return classmethod(jvp), classmethod(transpose)


def _transposed(
    cls: type[ArrayOp],
    rules: Iterable[Callable[..., Node] | None],
    ct: Node,
    args: Sequence[Node],
    linear: Sequence[bool],
    params: Params,
) -> list[Node | None]:
    fit = cotangent_for if issubclass(cls, Elementwise) else lambda x, ct: ct
    return [
        fit(x, rule(ct, *args, **params)) if wanted and rule is not None else None
        for rule, x, wanted in zip(rules, args, linear, strict=True)
    ]


def by_numpy(name: str) -> Any:
    """The `reference` of an op that is one function of NumPy's on its operands."""

    def reference(np: Any, *args: Any) -> Any:
        return getattr(np, name)(*args)

    return staticmethod(reference)


def scalar(
    floating: type[Operation] | None, signed: type[Operation] | None = None, unsigned: type[Operation] | None = None
) -> Any:
    """`to_kernel` of an elementwise op that is one upstream `arith` or `math` op: for floats, for signed integers, for unsigned ones and bool (if it differs)."""

    def to_kernel(cls: type[ArrayOp], b: Any, index: tuple[Any, ...], args: Sequence[Any], **params: Any) -> SSAValue:
        kind = args[0].dtype.kind
        op = floating if kind == "f" else signed if kind == "i" else unsigned or signed
        if op is None:
            raise NotImplementedError(f"Lowering rule for '{op_name(cls)}' of {args[0].dtype} not implemented")
        return b.op(op, *elements(b, index, args))

    return classmethod(to_kernel)


def _each_part(cls: type[ArrayOp], *args: Any, **params: Any) -> Any:
    real, imaginary = (bind(cls, *(a[part] if isinstance(a, Parts) else a for a in args), **params) for part in (0, 1))
    return Parts(real, imaginary) if isinstance(real, Node) else tuple(map(Parts, real, imaginary))


each_part: Any = classmethod(_each_part)
"""`on_parts` of an op that moves elements, or is linear with real factors: it does the same with the real and with the imaginary parts."""


def elements(b: Any, index: tuple[Any, ...], args: Sequence[Any]) -> list[SSAValue]:
    """The scalars of elementwise operands at an index."""
    return [b.read(a, index if a.shape else ()) for a in args]

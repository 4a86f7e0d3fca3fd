"""The literal: the one primitive that rules and graphs need to know, hence not among `ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import ConstantLike
from xdsl.utils.exceptions import VerifyException

from weft.dialects.array.node import Aval, Node, aval, make
from weft.dialects.array.op import ArrayOp, Parts
from weft.dialects.array.params import Params, aval_of, decode, element, format_value, parse_value, shortest
from weft.dialects.dtypes import DType


def exact(value: Any) -> str:
    """What tells a literal from those that equal it (0.0, -0.0, False); data (which may be long) equal nothing but themselves."""
    return "" if isinstance(value, Attribute) else repr(value)


@irdl_op_definition
class ConstantOp(ArrayOp):
    """A literal: one scalar in every place, or (written by hand) all elements.

    %c = array.constant 1.5 : tensor<4x8xf32>
    %d = array.constant dense<[1, 2]> : tensor<2xi32>

    A graph's structure contains the value: what changes from call to call is an argument instead.
    """

    name = "array.constant"
    NOT_DIFFERENTIABLE: ClassVar[bool] = True

    value = prop_def()
    traits = traits_def(ConstantLike())

    @classmethod
    def bind(cls, *, value: Any, shape: tuple[int, ...], dtype: DType, weak_type: bool = False) -> Node:
        params = {"value": value, "shape": shape, "dtype": dtype, "weak_type": weak_type}
        return make(cls, (), params, aval(shape, dtype, weak_type))  # values are many: `bind` would remember each

    @classmethod
    def infer(cls, *, value: Any, shape: tuple[int, ...], dtype: DType, weak_type: bool = False) -> Aval:
        return aval(shape, dtype, weak_type)

    @classmethod
    def batch(
        cls, size: int, args: Sequence[Node], dims: Sequence[int | None], **params: Any
    ) -> tuple[Node, int | None]:
        return cls.bind(**params), None

    @classmethod
    def on_parts(cls, *, value: Any, shape: tuple[int, ...], dtype: DType, **params: Any) -> Parts:
        return Parts(*(cls.bind(value=v, shape=shape, dtype=dtype.part) for v in (value.real, value.imag)))

    @classmethod
    def properties_of(cls, params: Params) -> dict[str, Attribute]:
        return {"value": element(params["value"], params["dtype"])}

    @classmethod
    def params_of(cls, op: Operation) -> Params:
        out = aval_of(op.results[0].type)
        value = decode(op.properties["value"])
        return {"value": complex(*value) if isinstance(value, tuple) else value, "shape": out.shape, "dtype": out.dtype}

    @staticmethod
    def reference(np: Any, *, value: Any, shape: tuple[int, ...], dtype: DType, weak_type: bool = False) -> Any:
        if isinstance(value, DenseIntOrFPElementsAttr):
            found = np.frombuffer(value.data.data, "uint8" if dtype.kind == "b" else dtype.name)
            return found.astype(dtype.name).reshape(shape)  # a true bool has all its bits
        return np.full(shape, np.array(value).astype(dtype.name))

    @classmethod
    def to_kernel(
        cls, b: Any, index: tuple[Any, ...], args: Sequence[Any], *, value: Any, dtype: DType, **params: Any
    ) -> SSAValue:
        if isinstance(value, DenseIntOrFPElementsAttr):
            raise NotImplementedError(
                "Lowering rule for 'constant' of different elements not implemented: pass them as an argument"
            )
        return b.const(value, dtype)

    def verify_(self) -> None:
        try:
            params = self.params_of(self)
            expected = element(params["value"], params["dtype"])
        except (TypeError, ValueError) as error:
            raise VerifyException(f"constant: {error}") from error
        if self.value != expected or (
            isinstance(expected, DenseIntOrFPElementsAttr) and expected.type != self.result.type
        ):
            raise VerifyException(f"constant: expected a value of {self.result.type}, got {self.value}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        if isinstance(self.value, DenseIntOrFPElementsAttr):
            printer.print_attribute(self.value)
            return
        printer.print_string(
            shortest(self.value) if isinstance(self.value, FloatAttr) else format_value(decode(self.value))
        )
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> ConstantOp:
        if parser.parse_optional_keyword("dense"):
            dense = parser.parse_dense_int_or_fp_elements_attr(None)
            return cls.create(result_types=[dense.type], properties={"value": dense})
        position = parser.pos
        value = parse_value(parser)
        parser.parse_punctuation(":")
        type = parser.parse_type()
        try:
            attribute = element(complex(*value) if isinstance(value, tuple) else value, aval_of(type).dtype)
        except (TypeError, ValueError) as error:
            parser.raise_error(str(error), position)
        return cls.create(result_types=[type], properties={"value": attribute})

"""The base of operations: parameters to attributes to text and back, one syntax, `infer` as the verifier."""

import io
from math import inf, isnan, nan

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError, VerifyException

from weft.dialects import dtypes
from weft.dialects.array import Array
from weft.dialects.array.node import aval, leaf
from weft.dialects.array.op import ArrayOp, Elementwise, literal, zeros
from weft.dialects.array.ops import AddOp, ReduceOp, SinOp
from weft.dialects.array.params import aval_of, decode, element, encode, format_value, parse_value, tensor_type


def context() -> Context:
    ctx = Context()
    for dialect in (Builtin, Func, Array):
        ctx.load_dialect(dialect)
    return ctx


def parse(text: str) -> ModuleOp:
    return Parser(context(), text).parse_module()


def generic(module: ModuleOp) -> str:
    out = io.StringIO()
    Printer(out, print_generic_format=True).print_op(module)
    return out.getvalue()


words = st.one_of(
    st.from_regex(r"[a-z_]+", fullmatch=True), st.sampled_from(["true", "nan", "i32", "f32", "index", "a b"])
)
scalars = st.one_of(
    st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), words, st.sampled_from(dtypes.ALL)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


@given(values)
@settings(max_examples=25, deadline=None)
@example(())
@example((inf, -inf, 1e-30, -0.0, 1e22))
@example(((1, 2), (), (True, False)))
def test_parameters_survive_the_ir_and_the_text(value):
    assert repr(decode(encode(value))) == repr(value)
    assert repr(parse_value(Parser(context(), format_value(value)))) == repr(value)


def test_nan_survives():
    assert isnan(decode(encode(nan))) and isnan(parse_value(Parser(context(), format_value(nan))))


def test_types_and_avals():
    for dtype in dtypes.ALL:
        a = aval((2, 3), dtype)
        assert aval_of(tensor_type(a)) is a
    assert aval_of(tensor_type(aval((), "float32", weak_type=True))) is aval((), "float32")


def test_an_element_is_rounded_to_its_type():
    assert decode(element(0.1, dtypes.float32)) != 0.1
    assert decode(element(1e300, dtypes.float32)) == inf
    assert decode(element(-1e6, dtypes.float16)) == -inf
    assert decode(element(2**32 - 1, dtypes.uint32)) == 2**32 - 1
    for value, dtype in ((0.5, dtypes.int32), (1j, dtypes.float32), ("x", dtypes.float32)):
        with pytest.raises(TypeError, match="is not a value of dtype"):
            element(value, dtype)


PROGRAM = """\
builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %s: tensor<f32>) -> tensor<4xf32> {
    %0 = array.sin %x : tensor<4x8xf32>
    %1 = array.add %0, %s : tensor<4x8xf32>, tensor<f32> -> tensor<4x8xf32>
    %2 = array.constant 0.1 : tensor<4x8xf32>
    %3 = array.add %1, %2 {note = "kept"} : tensor<4x8xf32>
    %4 = array.reduce add %3 axes [1] : tensor<4x8xf32> -> tensor<4xf32>
    func.return %4 : tensor<4xf32>
  }
}
"""


def test_both_syntaxes_round_trip():
    module = parse(PROGRAM)
    module.verify()
    assert str(module) + "\n" == PROGRAM
    again = parse(generic(module))
    again.verify()
    assert str(again) + "\n" == PROGRAM


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "%y = array.sin %x : tensor<4xf32> -> tensor<5xf32>",
            "sin: expected result type tensor<4xf32>, got tensor<5xf32>",
        ),
        ("%y = array.sin %i : tensor<4xi32>", "sin does not accept dtype int32"),
        ("%y = array.add %x, %i : tensor<4xf32>, tensor<4xi32> -> tensor<4xf32>", "equal dtypes, got float32, int32"),
        ("%y = array.constant 0.5 : tensor<i32>", "0.5 is not a value of dtype int32"),
    ],
)
def test_infer_is_the_verifier(text, message):
    with pytest.raises((VerifyException, ParseError), match=message):
        parse(f"func.func @f(%x : tensor<4xf32>, %i : tensor<4xi32>) {{ {text} func.return }}").verify()


def test_params_of_reads_what_properties_and_type_tell():
    (func,) = parse(PROGRAM).ops
    ops = {op.name: op for op in func.body.block.ops if isinstance(op, ArrayOp)}
    assert ReduceOp.params_of(ops["array.reduce"]) == {"kind": "add", "axes": (1,)}
    constant = ops["array.constant"]
    assert constant.params_of(constant)["shape"] == (4, 8)


def test_missing_rules_say_what_is_missing():
    with pytest.raises(NotImplementedError, match=r"Transpose rule .* for 'sin' not implemented"):
        SinOp.transpose(None, [], [])
    assert SinOp.has("jvp") and not SinOp.has("transpose")


def test_elementwise_results_are_weak_if_all_operands_are():
    strong, weak = leaf(aval((), "float32")), leaf(aval((), "float32", weak_type=True))
    assert AddOp.bind(weak, weak).aval.weak_type and not AddOp.bind(weak, strong).aval.weak_type
    assert literal(1.0, weak).aval.weak_type and not literal(1.0, strong).aval.weak_type
    assert zeros(aval((2,), "int32")).params["value"] == 0


def test_every_rule_of_the_dialect_is_found():
    names = {op.name for op in Array.operations}
    assert {"array.constant", "array.add"} <= names
    assert "array.elementwise" not in names and not issubclass(Elementwise, AddOp)

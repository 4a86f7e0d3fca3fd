"""Wrong calls and the errors they get: a table. An error names the argument, what came and what was expected, and the session is as good after it as before."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

import weft
import weft.numpy as jnp
from weft import lax, nn, optim, random
from weft.cli import compile_file
from weft.dialects.universe import PASSES, context


def ones(*shape: int, dtype: str = "float32") -> weft.Array:
    return jnp.ones(shape, dtype)


def parse(text: str) -> None:
    from xdsl.parser import Parser

    Parser(context(), text).parse_module().verify()


def run_pass(name: str, **options: Any) -> None:
    PASSES[name]()(**options).apply(context(), ModuleOp([]))


def compile_text(tmp: Path, text: str, output: str = "out.wasm", passes: str | None = None) -> None:
    source = tmp / "f.mlir"
    source.write_text(text)
    compile_file(source, tmp / output, passes)


def leak() -> None:
    kept = []
    weft.jit(lambda x: kept.append(x) or x)(ones(2))
    float(jnp.sum(kept[0]))


def deleted() -> None:
    x = ones(3) + 1
    x.block_until_ready()
    x.delete()
    np.asarray(x)


def nest(body: str, axes: str = "[i: par 8]") -> str:
    return f"""func.func @f(%a : tensor<8xf32>) -> tensor<8xf32> {{
  %e = kernel.empty : tensor<8xf32>
  %r = kernel.nest {axes} ins(%x = %a : tensor<8xf32>) outs(%o = %e : tensor<8xf32>) {{ {body} }}
  func.return %r : tensor<8xf32>
}}"""


def array(line: str, signature: str = "%a : tensor<4x8xf32>, %b : tensor<7x2xf32>") -> str:
    return f"func.func @main({signature}) {{ {line} func.return }}"


CASES: dict[str, tuple[type[BaseException] | tuple[type[BaseException], ...], str, Callable[[], Any]]] = {
    # shapes
    "add of shapes that do not broadcast": (
        (TypeError, ValueError),
        r"\(3,?\).*\(4,?\)|3.*4",
        lambda: ones(3) + ones(4),
    ),
    "lax.add of shapes that differ": (
        TypeError,
        r"add.*\(3,\).*\(1, 3\)|add.*shape",
        lambda: lax.add(ones(3), ones(1, 3)),
    ),
    "matmul": (TypeError, r"\(4, 8\).*\(7, 2\)|8.*7", lambda: ones(4, 8) @ ones(7, 2)),
    "matmul of a scalar": ((TypeError, ValueError), r"matmul", lambda: jnp.matmul(ones(2), jnp.float32(1))),
    "dot_general": (
        TypeError,
        r"dot_general.*contract",
        lambda: lax.dot_general(ones(4, 8), ones(7, 2), (((1,), (0,)), ((), ()))),
    ),
    "dot_general batch": (
        TypeError,
        r"dot_general.*batch",
        lambda: lax.dot_general(ones(4, 8), ones(5, 8), (((1,), (1,)), ((0,), (0,)))),
    ),
    "reshape": (TypeError, r"reshape.*\(2, 3\)|reshape.*6", lambda: jnp.reshape(ones(2, 3), (4, 2))),
    "reshape with two -1": ((TypeError, ValueError), r"-1|one unknown", lambda: jnp.reshape(ones(2, 3), (-1, -1))),
    "reshape, -1 does not divide": (TypeError, r"reshape", lambda: jnp.reshape(ones(2, 3), (4, -1))),
    "concatenate": ((TypeError, ValueError), r"concatenate.*", lambda: jnp.concatenate([ones(2, 3), ones(2, 4)])),
    "concatenate of nothing": (ValueError, r"[Nn]eed at least one array", lambda: jnp.concatenate([])),
    "stack of different shapes": (ValueError, r"same shape", lambda: jnp.stack([ones(2), ones(3)])),
    "broadcast_to": (ValueError, r"broadcast.*\(3,\).*\(4,\)|[Ii]ncompatible", lambda: jnp.broadcast_to(ones(3), (4,))),
    "negative shape": ((TypeError, ValueError), r"-1|negative|nonnegative", lambda: jnp.zeros((2, -1))),
    "float shape": (TypeError, r"2\.5|integer", lambda: jnp.zeros((2.5,))),
    "conv channels": (
        (TypeError, ValueError),
        r"conv.*(feature|channel)",
        lambda: lax.conv_general_dilated(ones(1, 3, 8, 8), ones(4, 2, 3, 3), (1, 1), "SAME"),
    ),
    "conv rank": (
        (TypeError, ValueError),
        r"conv",
        lambda: lax.conv_general_dilated(ones(1, 3, 8), ones(4, 3, 3, 3), (1, 1), "SAME"),
    ),
    "conv strides": (
        (TypeError, ValueError),
        r"stride",
        lambda: lax.conv_general_dilated(ones(1, 3, 8, 8), ones(4, 3, 3, 3), (1,), "SAME"),
    ),
    "conv padding": (
        (TypeError, ValueError, RuntimeError),
        r"(?i)padding",
        lambda: lax.conv_general_dilated(ones(1, 3, 8, 8), ones(4, 3, 3, 3), (1, 1), "LARGE"),
    ),
    "where": (
        (TypeError, ValueError),
        r"\(2,?\).*\(3,?\)|broadcast|[Ii]ncompatible",
        lambda: jnp.where(ones(2) > 0, ones(3), 0),
    ),
    "einsum": ((TypeError, ValueError), r".", lambda: jnp.einsum("ij,jk->ik", ones(2, 3), ones(4, 5))),
    "dynamic_slice too large": ((TypeError, ValueError), r"slice", lambda: lax.dynamic_slice(ones(4), (0,), (5,))),
    "pad with too few widths": ((TypeError, ValueError), r"pad", lambda: jnp.pad(ones(2, 2), ((1, 1), (1, 1), (1, 1)))),
    # axes
    "sum over axis out of range": (
        ValueError,
        r"axis 2 is out of bounds for array of dimension 2",
        lambda: jnp.sum(ones(2, 3), axis=2),
    ),
    "sum over the same axis twice": (ValueError, r"duplicate", lambda: jnp.sum(ones(2, 3), axis=(0, 0))),
    "transpose": ((TypeError, ValueError), r"(?i)permutation|axes", lambda: jnp.transpose(ones(2, 3), (0, 0))),
    "expand_dims": (ValueError, r"out of bounds", lambda: jnp.expand_dims(ones(2), 5)),
    "squeeze of an axis of size 2": (ValueError, r"squeeze|size", lambda: jnp.squeeze(ones(2, 1), axis=0)),
    "argmax out of range": (ValueError, r"out of bounds", lambda: jnp.argmax(ones(2), axis=1)),
    "reduce max of nothing": (ValueError, r"zero-size array.*identity|empty", lambda: jnp.max(jnp.zeros((0,)))),
    # dtypes
    "unknown dtype": (TypeError, r"float31", lambda: jnp.zeros(2, "float31")),
    "lax.add of dtypes that differ": (
        TypeError,
        r"add.*float32.*int32|same dtype",
        lambda: lax.add(ones(2), ones(2, dtype="int32")),
    ),
    "bitwise and of floats": (TypeError, r"float32", lambda: ones(2) & ones(2)),
    "strings": (TypeError, r"(?i)str|not a valid", lambda: jnp.asarray(["a", "b"])),
    "an object": (TypeError, r"object", lambda: jnp.sin(object())),
    "grad of an integer": (
        TypeError,
        r"grad requires real.*inputs.*int32",
        lambda: weft.grad(lambda x: x * 1.0)(jnp.int32(3)),
    ),
    "bitcast to another width": (
        (TypeError, ValueError),
        r"(?i)bitcast",
        lambda: lax.bitcast_convert_type(jnp.ones(3, "float16"), "float32"),
    ),
    "index by float": (TypeError, r"(?i)index", lambda: ones(4)[1.5]),
    "too many indices": (IndexError, r"[Tt]oo many indices", lambda: ones(4)[0, 0]),
    "index by a string": (TypeError, r"(?i)index", lambda: ones(4)["a"]),
    "item assignment": (TypeError, r"\.at\[", lambda: ones(4).__setitem__(0, 1)),
    "boolean index of another shape": (IndexError, r"(?i)boolean|mask", lambda: ones(4)[np.array([True, False])]),
    # transforms
    "grad of a vector": (TypeError, r"scalar-output functions", lambda: weft.grad(lambda x: x * 2)(ones(3))),
    "grad argnums out of range": (
        (TypeError, ValueError),
        r"argnums|positional",
        lambda: weft.grad(lambda x: x, argnums=2)(1.0),
    ),
    "vmap of sizes that differ": (
        ValueError,
        r"(?i)inconsistent sizes",
        lambda: weft.vmap(lambda x, y: x + y)(ones(3), ones(4)),
    ),
    "vmap of a scalar": (ValueError, r"vmap.*rank|vmap", lambda: weft.vmap(lambda x: x)(1.0)),
    "vmap in_axes of another length": (
        (ValueError, TypeError),
        r"in_axes",
        lambda: weft.vmap(lambda x: x, in_axes=(0, 0))(ones(3)),
    ),
    "jvp of shapes that differ": (
        ValueError,
        r"jvp|tangent|tree",
        lambda: weft.jvp(lambda x: x, (ones(2),), (ones(3),)),
    ),
    "if on a traced value": (
        weft.errors.TracerBoolConversionError,
        r"(?i)truth|bool",
        lambda: weft.jit(lambda x: 1 if x > 0 else 2)(1.0),
    ),
    "float() of a traced value": (
        weft.errors.ConcretizationTypeError,
        r"(?i)concrete|float",
        lambda: weft.jit(lambda x: float(x))(1.0),
    ),
    "NumPy on a traced value": (
        weft.errors.TracerArrayConversionError,
        r"(?i)numpy|array",
        lambda: weft.jit(lambda x: np.sin(np.asarray(x)))(1.0),
    ),
    "shape from a traced value": (TypeError, r"(?i)concrete|tracer|shape", lambda: weft.jit(lambda n: jnp.zeros(n))(3)),
    "a leaked tracer": (weft.errors.UnexpectedTracerError, r"(?i)leak|unexpected|escaped", leak),
    "jit of no function": (TypeError, r"callable", lambda: weft.jit(3)),
    "unhashable static argument": (
        (TypeError, ValueError),
        r"hashable",
        lambda: weft.jit(lambda x, n: x, static_argnums=1)(1.0, [1]),
    ),
    "a result that is no array": (TypeError, r"(?i)not a valid|str", lambda: weft.jit(lambda x: "text")(1.0)),
    "custom_vjp without rules": (AttributeError, r"defvjp", lambda: weft.grad(weft.custom_vjp(lambda x: x))(1.0)),
    # devices
    "unknown device": (ValueError, r"quantum.*cpu.*wasm.*webgpu", lambda: weft.set_default_device("quantum")),
    "two devices": (
        ValueError,
        r"(?i)cpu.*wasm.*device_put|wasm.*cpu.*device_put",
        lambda: weft.device_put(ones(2), "cpu") + weft.device_put(ones(2), "wasm"),
    ),
    "a deleted array": (RuntimeError, r"deleted", deleted),
    "unknown option": (
        (AttributeError, KeyError, ValueError),
        r"enable_x65",
        lambda: weft.config.update("enable_x65", True),
    ),
    # libraries
    "random key": ((TypeError, ValueError), r"(?i)key", lambda: random.normal(ones(3), (2,))),
    "unknown stage": (ValueError, r"(?i)stage.*ptx|ptx", lambda: weft.jit(lambda x: x + 1).lower(1.0).as_text("ptx")),
    "one_hot of a negative number of classes": ((TypeError, ValueError), r".", lambda: nn.one_hot(jnp.arange(3), -1)),
    "optimiser state of another tree": (
        (TypeError, ValueError),
        r".",
        lambda: optim.adam(1e-3).update({"a": ones(2)}, optim.adam(1e-3).init({"b": ones(2)})),
    ),
    # IR
    "unknown op": (
        Exception,
        r"array\.sine",
        lambda: parse(array('%0 = "array.sine"(%a) : (tensor<4x8xf32>) -> tensor<4x8xf32>')),
    ),
    "result type of another shape": (
        Exception,
        r"8",
        lambda: parse(array('%0 = "array.sin"(%a) : (tensor<4x8xf32>) -> tensor<8x4xf32>')),
    ),
    "text that is no IR": (Exception, r".", lambda: parse("this is not IR")),
    "axis that is not there": (
        Exception,
        r"'q' is not an axis",
        lambda: parse(nest("%v = kernel.load %x[q] : tensor<8xf32>")),
    ),
    "index out of range": (
        Exception,
        r"ranges over \[1, 8\].*extent 8",
        lambda: parse(nest("%v = kernel.load %x[i + 1] : tensor<8xf32>")),
    ),
    "reduction over a parallel axis": (
        Exception,
        r"not a reduction axis",
        lambda: parse(nest("%v = kernel.load %x[i] : tensor<8xf32> %r = kernel.reduce add %v over [i] : f32")),
    ),
    "unknown role": (Exception, r"par, red", lambda: parse(nest("", axes="[i: serial 8]"))),
    "unknown level": (Exception, r"expected a level", lambda: parse(nest("", axes="[i: par@gridd 8]"))),
    "axis named twice": (Exception, r"must differ", lambda: parse(nest("", axes="[i: par 8, i: par 4]"))),
    "unknown kind of reduction": (
        Exception,
        r"kind must be one of",
        lambda: parse(
            nest("%v = kernel.load %x[j] : tensor<8xf32> %r = kernel.reduce avg %v over [j] : f32", axes="[j: red 8]")
        ),
    ),
    "pass option of another type": (
        Exception,
        r".",
        lambda: run_pass("kernel-unroll", axis="k", factor="many", unknown=1),
    ),
    "schedule for an unknown target": (
        PassFailedException,
        r"wasm, webgpu.*ptx",
        lambda: run_pass("kernel-schedule", target="ptx"),
    ),
}

FILES: dict[str, tuple[type[BaseException] | tuple[type[BaseException], ...], str, Callable[[Path], Any]]] = {
    "unknown suffix": (ValueError, r"\.wasm.*\.wgsl", lambda tmp: compile_text(tmp, "", "out.exe")),
    "no file": (FileNotFoundError, r"missing", lambda tmp: compile_file(tmp / "missing.mlir", tmp / "out.wasm")),
    "malformed file": (Exception, r".", lambda tmp: compile_text(tmp, "func.func @main(")),
    "unknown pass": (Exception, r"no-such-pass", lambda tmp: compile_text(tmp, "", passes="no-such-pass")),
    "no idx file": (ValueError, r"not an idx file", lambda tmp: _read_idx(tmp, b"\x01\x02\x03\x04")),
    "short idx file": (ValueError, r"promises the shape", lambda tmp: _read_idx(tmp, b"\0\0\x08\x01\0\0\0\x09ab")),
}


def _read_idx(tmp: Path, data: bytes) -> None:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
    try:
        from mnist import read_idx
    finally:
        sys.path.pop(0)
    path = tmp / "x-idx1-ubyte"
    path.write_bytes(data)
    read_idx(path)


def works() -> None:
    """The session is as good as before."""
    value, gradient = weft.jit(weft.value_and_grad(lambda x: jnp.sum(x * x)))(ones(3))
    assert float(value) == 3.0
    np.testing.assert_array_equal(np.asarray(gradient), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("name", CASES)
def test_wrong_call(name: str) -> None:
    kind, message, call = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert re.search(message, str(caught.value), re.S), f"{type(caught.value).__name__}: {caught.value}"
    works()


@pytest.mark.parametrize("name", FILES)
def test_wrong_file(name: str, tmp_path: Path) -> None:
    kind, message, call = FILES[name]
    with pytest.raises(kind) as caught:
        call(tmp_path)
    assert re.search(message, str(caught.value), re.S), f"{type(caught.value).__name__}: {caught.value}"
    assert not [p for p in tmp_path.iterdir() if p.suffix in (".wasm", ".wgsl", ".exe")], "nothing is written"
    works()


def test_the_table_is_long_enough() -> None:
    assert len(CASES) + len(FILES) >= 60

"""Names of JAX's that are no functions of arrays (types, errors, processes, traces), each used for what it is for."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft import lax, random, tree_util
from weft.ad_checkpoint import checkpoint_policies, print_saved_residuals
from weft.core import ensure_compile_time_eval
from weft.custom_derivatives import custom_vjp
from weft.dlpack import from_dlpack, is_supported_dtype
from weft.experimental.checkify import Error, ErrorCategory, JaxException, JaxRuntimeError, checkify, nan_checks
from weft.experimental.pjit import pjit
from weft.nn.initializers import Initializer, glorot_normal
from weft.scipy.optimize import OptimizeResults, minimize
from weft.stages import Compiled, Lowered, Traced


def test_there_is_one_process() -> None:
    assert (weft.host_count(), weft.host_id(), weft.host_ids(), weft.process_indices()) == (1, 0, [0], [0])
    assert all(isinstance(d, weft.Device) for d in weft.devices())


def test_copies_to_the_host_may_be_announced() -> None:
    x = {"a": jnp.arange(3)}
    assert weft.copy_to_host_async(x)["a"] is x["a"]
    assert x["a"].copy_to_host_async() is None
    with pytest.raises(NotImplementedError, match="flatten"):
        x["a"].flat  # noqa: B018


def test_dtypes_are_of_the_type_dtype() -> None:
    assert isinstance(jnp.ones(1).dtype, jnp.dtype) and not isinstance("float32", jnp.dtype)
    assert jnp.dtype("int8", align=True, copy=True) is jnp.dtype(jnp.int8) and jnp.dtype(None) == "float64"
    assert weft.dtypes.bfloat16 == "bfloat16" and weft.dtypes.issubdtype(random.key(0).dtype, weft.dtypes.extended)
    assert not weft.dtypes.issubdtype(a=jnp.bfloat16, b=weft.dtypes.extended)
    assert random.key_dtype("threefry2x32") == random.key(0).dtype
    with pytest.raises(TypeError, match="Cannot interpret"):
        jnp.dtype("float31")


def test_imaginary_parts_are_not_lost_in_silence() -> None:
    with pytest.warns(jnp.ComplexWarning, match="imaginary"):
        lax.convert_element_type(jnp.array([1 + 2j]), "float32")
    with pytest.raises(NotImplementedError, match="asarray"):
        jnp.fromiter(iter([1, 2]), "int32")


def test_dimension_numbers_have_types() -> None:
    found = lax.conv_dimension_numbers((1, 2, 3, 4), (5, 2, 3, 3), ("NCHW", "OIHW", "NHWC"))
    assert isinstance(found, lax.ConvDimensionNumbers) and found.out_spec == (0, 3, 1, 2)
    numbers: lax.DotDimensionNumbers = (((1,), (0,)), ((), ()))
    assert lax.dot_general(jnp.ones((2, 3)), jnp.ones((3, 4)), numbers).shape == (2, 4)
    assert len(get_args(lax.DotDimensionNumbers)) == 2


def test_results_have_types() -> None:
    make: Initializer = glorot_normal()
    assert make(random.key(1), (2, 3), "float16").dtype == "float16"
    assert isinstance(minimize(lambda x: (x**2).sum(), jnp.ones(2), method="BFGS"), OptimizeResults)


# -- trees --------------------------------------------------------------------------------------------------------------------------------


def test_fields_of_classes_may_be_static() -> None:
    from dataclasses import dataclass

    @tree_util.register_dataclass
    @dataclass
    class Layer:
        weights: Any
        name: str = weft.tree.static(default="dense")

    leaves, structure = weft.tree.flatten(Layer(jnp.ones(2), "first"))
    assert isinstance(structure, tree_util.PyTreeDef) and len(leaves) == 1
    assert structure.unflatten([3]) == Layer(3, "first")


def test_classes_with_keys() -> None:
    class Pair:
        def __init__(self, x: Any, y: Any):
            self.x, self.y = x, y

    keys: tuple[tree_util.KeyEntry, ...] = (tree_util.GetAttrKey("x"), tree_util.GetAttrKey("y"))
    tree_util.register_pytree_with_keys(
        Pair, lambda p: (zip(keys, (p.x, p.y), strict=True), None), lambda _, children: Pair(*children)
    )

    @tree_util.register_pytree_with_keys_class
    class Box:
        def __init__(self, x: Any):
            self.x = x

        def tree_flatten_with_keys(self) -> Any:
            return ((tree_util.DictKey("inside"), self.x),), None

        @classmethod
        def tree_unflatten(cls, aux: Any, children: Any) -> Any:
            return cls(*children)

    @tree_util.register_static
    class Mode:
        def __eq__(self, other: object) -> bool:
            return type(other) is Mode

        def __hash__(self) -> int:
            return 1

    found = tree_util.tree_leaves_with_path([Pair(1, Box(2)), Mode()])
    paths: list[tree_util.KeyPath] = [path for path, _ in found]
    assert [tree_util.keystr(path) for path in paths] == ["[0].x", "[0].y['inside']"]
    assert weft.jit(lambda x, mode: x * 2)(3, Mode()) == 6
    assert tree_util.tree_reduce_associative(lambda a, b: a + b, [jnp.ones(2), [2, 3]]).tolist() == [6, 6]


# -- debugging ----------------------------------------------------------------------------------------------------------------------------


def test_what_is_printed_logged_and_stopped_at(capsys: Any, caplog: Any, monkeypatch: Any) -> None:
    stopped = []
    monkeypatch.setattr("builtins.breakpoint", lambda: stopped.append(1))

    @weft.jit
    def f(x: Any) -> Any:
        weft.debug.print("x = {x}, {}", x + 1, x=x)
        weft.debug.log("seen {}", x)
        weft.debug.breakpoint()
        return x * 2

    with caplog.at_level(logging.INFO):
        assert f(3) == 6
    assert capsys.readouterr().out == "x = 3, 4\n" and "seen 3" in caplog.text and stopped == [1]


def test_spans_are_written_down(tmp_path: Path) -> None:
    weft.profiler.start_trace(tmp_path)
    with weft.profiler.TraceAnnotation("epoch", number=3):
        jnp.ones(3).block_until_ready()
    (span,) = json.loads(Path(weft.profiler.stop_trace()).read_text())["traceEvents"]
    assert span["name"] == "epoch" and span["dur"] >= 0
    weft.profiler.save_device_memory_profile(tmp_path / "memory.prof")
    assert (tmp_path / "memory.prof").stat().st_size


# -- errors -------------------------------------------------------------------------------------------------------------------------------


def test_errors_by_their_families() -> None:
    with pytest.raises(weft.errors.TracerIntegerConversionError) as found:
        weft.jit(lambda i: [1, 2][i])(1)
    assert isinstance(found.value, weft.errors.JAXTypeError)
    with pytest.raises(weft.errors.JAXIndexError):
        weft.jit(lambda m: jnp.arange(3)[m])(jnp.array([True, False, True]))

    def broken(x: Any) -> Any:
        raise ValueError("of the user's")

    def call(x: Any) -> Any:
        return weft.pure_callback(lambda x: np.zeros(2), weft.ShapeDtypeStruct((3,), "float32"), x)

    with pytest.raises(weft.errors.JaxRuntimeError, match="promised"):
        weft.jit(call)(1.0).block_until_ready()


def test_checks_have_categories() -> None:
    wanted: set[ErrorCategory] = set(nan_checks)
    error, _ = checkify(jnp.log, frozenset(wanted))(-1.0)
    assert isinstance(error, Error) and isinstance(error.get_exception(), JaxException)
    with pytest.raises(JaxRuntimeError, match="nan generated"):
        error.throw()


def test_functions_by_their_other_names() -> None:
    @custom_vjp
    def f(x: Any) -> Any:
        return x

    f.defvjp(lambda x: (x, None), lambda _, ct: (3 * ct,))
    compiled: Callable[..., Any] = pjit(weft.grad(f), static_argnums=())
    assert compiled(1.0) == 3


# -- programs -----------------------------------------------------------------------------------------------------------------------------


def test_the_stages_of_a_program_have_types() -> None:
    traced = weft.jit(lambda x: x * 2).trace(1.0)
    lowered = traced.lower()
    assert (type(traced), type(lowered), type(lowered.compile())) == (Traced, Lowered, Compiled)


def test_what_a_derivative_keeps_can_be_read(capsys: Any) -> None:
    def f(x: Any) -> Any:
        return jnp.sin(jnp.sin(x))

    lines = []
    for policy in (checkpoint_policies.everything_saveable, checkpoint_policies.nothing_saveable):
        print_saved_residuals(weft.checkpoint(f, policy=policy), 1.0)
        lines.append(len(capsys.readouterr().out.splitlines()))
    assert lines[0] > lines[1] == 1


def test_values_while_a_program_is_traced() -> None:
    @weft.jit
    def f(x: Any) -> Any:
        with ensure_compile_time_eval():
            three = jnp.arange(3).sum()
            assert int(three) == 3
        return x * three

    assert f(2) == 6


def test_exchanged_arrays() -> None:
    assert is_supported_dtype("bfloat16") and not is_supported_dtype(weft.float0)
    given = np.arange(3.0, dtype=np.float32)
    assert from_dlpack(external_array=given, copy=True).tolist() == [0, 1, 2]

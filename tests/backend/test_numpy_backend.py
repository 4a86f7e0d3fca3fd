"""The device `cpu`: buffers, whole programs by reference rules."""

import numpy as np
import pytest

from weft.backends.base import available, get_backend
from weft.backends.numpy.interpreter import fit
from weft.dialects import dtypes
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import aval, leaf
from weft.dialects.array.ops import AddOp, MulOp, ReduceOp, SinOp
from weft.dialects.array.stage import stage

VECTOR = aval((4,), "float32")
X = np.arange(4, dtype=np.float32)


@pytest.fixture
def cpu():
    return get_backend("cpu")


def program():
    x, y = leaf(VECTOR), leaf(aval((), "float32"))
    return Graph([x, y], [ReduceOp.bind(MulOp.bind(SinOp.bind(x), y), kind="add", axes=(0,)), x, AddOp.bind(x, x)])


def read(cpu, buffer, a):
    return np.frombuffer(cpu.get(buffer, a), a.dtype.name).reshape(a.shape)


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d.name != "bfloat16"], ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_put_and_get(cpu, dtype, shape):
    a = aval(shape, dtype)
    data = np.arange(a.size).reshape(shape).astype(dtype.name)
    buffer = cpu.put(data.tobytes(), a)
    assert buffer.nbytes == a.nbytes
    np.testing.assert_array_equal(read(cpu, buffer, a), data)


def test_a_program(cpu):
    executable = cpu.compile(stage(program()))
    assert "array.sin" in executable.stages["array"]()
    total, same, double = executable([cpu.put(X, VECTOR), cpu.put(np.float32(2), aval((), "float32"))])
    np.testing.assert_allclose(read(cpu, total, aval((), "float32")), (np.sin(X) * 2).sum(), rtol=1e-6)
    np.testing.assert_array_equal(read(cpu, same, VECTOR), X)
    np.testing.assert_array_equal(read(cpu, double, VECTOR), X + X)
    with pytest.raises(TypeError, match="the program takes 2 arguments, got 1"):
        executable([total])


def test_memory_is_counted_and_freed(cpu):
    before = cpu.live_bytes()
    first, second = cpu.put(X, VECTOR), cpu.put(X, VECTOR)
    assert cpu.live_bytes() == before + 32
    first.delete()
    first.delete()
    assert first.is_deleted and cpu.live_bytes() == before + 16
    with pytest.raises(RuntimeError, match="deleted"):
        cpu.get(first, VECTOR)
    del second
    assert cpu.live_bytes() == before


def test_donated_arguments_are_gone(cpu):
    executable = cpu.compile(stage(program()), donate=(0,))
    x, s = cpu.put(X, VECTOR), cpu.put(np.float32(2), aval((), "float32"))
    _, same, _ = executable([x, s])
    assert x.is_deleted and not s.is_deleted
    np.testing.assert_array_equal(read(cpu, same, VECTOR), X)


def test_a_reference_rule_of_the_wrong_shape_is_an_error():
    with pytest.raises(
        ValueError, match=r"array.sin: the reference rule gave shape \(3,\), but the result is float32\[4\]"
    ):
        fit("array.sin", np.zeros(3), [VECTOR])


def test_devices_are_known_by_name():
    assert available()["cpu"] is None
    with pytest.raises(ValueError, match="Unknown backend: 'tpu' requested, known are 'cpu'"):
        get_backend("tpu")

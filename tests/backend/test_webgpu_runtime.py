"""The webgpu device itself: memory that goes back, buffers that alias, errors that say what is wrong."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from gpu_machine import device, parse, requires_webgpu

from weft.backends.webgpu import adapter
from weft.backends.webgpu.memory import Buffer, Pool, rounded
from weft.backends.webgpu.steps import Kernel
from weft.dialects.array.node import aval
from weft.dialects.universe import context
from weft.passes.gpu.lowering import fold_grid
from weft.passes.kernel_to_gpu import KernelToGpuPass

pytestmark = requires_webgpu

DOUBLE = """
kernel.func @k0(%x : memref<64xf32>) -> (%o : memref<64xf32>) {
  kernel.nest [i: par 64] ins(%a = %x : memref<64xf32>) outs(%c = %o : memref<64xf32>) {
    %0 = kernel.load %a[i] : memref<64xf32>
    %1 = arith.addf %0, %0 : f32
    kernel.store %1, %c[i] : memref<64xf32>
  }
}"""


def program(text: str, donate: tuple[int, ...] = ()):
    module, _ = parse(text)
    KernelToGpuPass().apply(context(), module)
    return device().load(module, donate)


def put(x: np.ndarray) -> Buffer:
    return device().put(np.ascontiguousarray(x), aval(x.shape, x.dtype.name))


def get(buffer: Buffer, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.frombuffer(device().get(buffer, aval(shape, dtype)), dtype).reshape(shape)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint32", "bool", "float16"])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 7), (1000,)])
def test_round_trip(shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    np.testing.assert_array_equal(get(put(x), shape, dtype), x)


def test_memory_goes_back_with_the_last_reference() -> None:
    gc.collect()
    before = device().live_bytes()
    buffer = put(np.zeros(1000, np.float32))
    assert device().live_bytes() == before + rounded(4000)
    del buffer
    assert device().live_bytes() == before
    buffer = put(np.zeros(1000, np.float32))
    buffer.delete()
    buffer.delete()
    assert device().live_bytes() == before
    with pytest.raises(RuntimeError, match="deleted"):
        get(buffer, (1000,), "float32")


def test_live_bytes_stay_where_they_are() -> None:
    run = program(DOUBLE)
    x = put(np.ones(64, np.float32))
    live, groups = [], 0
    for _ in range(50):
        (x,) = run([x])
        live.append(device().live_bytes())
        groups = len(run.groups)
    assert len(set(live[1:])) == 1
    assert groups <= 4, "the pool hands out the same buffers again"


def test_donation_hands_the_memory_over() -> None:
    run = program(DOUBLE, donate=(0,))
    run.program.donated = {0: 0}
    x = put(np.arange(64, dtype=np.float32))
    memory = x.gpu
    (y,) = run([x])
    assert y.gpu is memory and x.is_deleted
    np.testing.assert_array_equal(get(y, (64,), "float32"), 2 * np.arange(64))
    with pytest.raises(RuntimeError, match="argument 0 has been deleted or donated"):
        run([x])


def test_sizes_are_whole_vectors_and_few() -> None:
    sizes = {rounded(n) for n in range(1, 1 << 14)}
    assert all(s % 16 == 0 for s in sizes)
    assert len(sizes) < 80
    assert all(n <= rounded(n) <= max(16, n * 9 // 8 + 16) for n in range(1, 1 << 14))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_dtypes_that_it_has_not(dtype: str) -> None:
    with pytest.raises(TypeError, match=rf"the webgpu device has no {dtype} arrays.*set_default_device\('wasm'\)"):
        put(np.zeros(3, dtype))


def test_a_refused_shader_comes_with_the_adapters_message() -> None:
    bad = Kernel("bad", "@compute @workgroup_size(1) fn main() { nothing(); }", ("read",), (1, 1, 1))
    with pytest.raises(RuntimeError, match=r"(?s)the adapter refuses the shader of kernel bad: .*nothing"):
        device().pipeline(bad)


def test_too_large_for_the_adapter() -> None:
    with pytest.raises(MemoryError, match=r"larger than the .* bytes that this adapter can bind"):
        Buffer(device().pool, 1 << 45)


def test_why_there_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import wgpu

    adapter.find.cache_clear()
    monkeypatch.setattr(type(wgpu.gpu), "enumerate_adapters_sync", lambda self: [])
    try:
        assert "apt-get install libvulkan1 mesa-vulkan-drivers" in (adapter.unavailable() or "")
    finally:
        adapter.find.cache_clear()


@pytest.mark.parametrize("extents", [[], [7], [3, 5], [2, 3, 4, 5], [70000], [65535, 9], [100003], [300, 400, 500]])
def test_grids_keep_to_the_limits(extents: list[int]) -> None:
    x, y, z = fold_grid(extents)
    assert max(x, y, z) <= 65535
    assert x * y * z >= np.prod(extents, dtype=int)


def test_the_pool_lets_go_of_what_was_asked_for_least_recently() -> None:
    pool = Pool(device().device)
    pool.most = 3 << 10
    old, new = (pool.take(n) for n in (1 << 10, 1 << 11))
    pool.give(old)
    pool.give(new)
    again = pool.take(3 << 9)
    pool.give(again)
    assert pool.kept <= pool.most
    assert pool.take(3 << 9) is again
    assert pool.take(1 << 10) is not old


def test_a_shader_without_checks_is_validated_like_any_other() -> None:
    with pytest.raises(RuntimeError, match="refuses the shader"):
        device().pipeline(Kernel("k", "fn main( {", ("read",), (1, 1, 1), in_bounds=True))

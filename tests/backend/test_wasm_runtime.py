"""The wasm device without the compiler: hand-written programs, the allocator, views, donation, threads, traps, the disk
cache.
"""

from __future__ import annotations

import gc
import os
import struct
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerAttr, i32

from weft.backends.cache import DiskCache
from weft.backends.wasm import WasmBackend, WasmTrap, observers
from weft.backends.wasm.allocator import ALIGNMENT, FreeList
from weft.backends.wasm.engine import LIMIT
from weft.backends.wasm.program import WORTH_THREADS
from weft.backends.wasm.workers import Workers
from weft.dialects.wasm.abi import Program, add_barrier, program_module
from weft.dialects.wasm.convert import to_op


def sized(nbytes: int):
    """What the device asks of an aval."""
    return SimpleNamespace(nbytes=nbytes)


@pytest.fixture
def device(tmp_path):
    return WasmBackend(num_threads=1, cache=DiskCache("wasm", tmp_path))


def floats(device, buffer) -> list[float]:
    return np.frombuffer(device.get(buffer, None), np.float32).tolist()


def put(device, *values: float):
    return device.put(struct.pack(f"<{len(values)}f", *values), sized(4 * len(values)))


def elementwise(mnemonic: str, count: int, donated=(), work: int = 0):
    """out[k] = x[k] op y[k], shared between the threads in chunks."""
    m, b = program_module()
    params, tid, nthreads = b.args
    x, y, out = (b.load("i32.load", params, 4 * k) for k in range(3))
    chunk = b.inst("i32.div_u", b.inst("i32.add", b.const_i32(count - 1), nthreads), nthreads)
    first = b.inst("i32.mul", chunk, tid)
    last = b.inst("i32.add", first, chunk)
    end = b.select(b.inst("i32.lt_u", last, b.const_i32(count)), last, b.const_i32(count))
    with b.loop(first) as loop:
        (k,) = loop.args
        b.break_if(b.inst("i32.ge_u", k, end))
        at = b.inst("i32.shl", k, b.const_i32(2))
        operands = [b.load("f32.load", b.inst("i32.add", base, at)) for base in (x, y)]
        b.store("f32.store", b.inst("i32.add", out, at), b.inst(mnemonic, *operands))
        b.continue_(b.inst("i32.add", k, b.const_i32(1)))
    b.return_()
    Program((4 * count, 4 * count), (4 * count,), work=work, donated=donated).store(m.module)
    to_op(m.module).verify()
    return m.module


# -- the allocator


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 100))))
def test_ranges_never_overlap_and_all_come_back(steps):
    free = FreeList(64, 1 << 16)
    live: list[tuple[int, int]] = []
    for nbytes, which in steps:
        if which % 3 == 0 and live:
            start, size = live.pop(which % len(live))
            assert free.free(start) == size
            continue
        start = free.allocate(nbytes)
        if start is None:
            assert nbytes > free.largest
            free.extend(free.end + (1 << 13))
            continue
        size = max(ALIGNMENT, -(-nbytes // ALIGNMENT) * ALIGNMENT)
        assert start % ALIGNMENT == 0 and start >= 64 and start + size <= free.end
        assert all(start + size <= other or other + length <= start for other, length in live)
        live.append((start, size))
    assert free.used == sum(size for _, size in live)
    for start, _ in live:
        free.free(start)
    assert free.used == 0 and free.largest == free.end - 64 == free.tail()  # one piece again


def test_the_smallest_range_that_fits_is_taken():
    free = FreeList(0, 1024)
    a, _, c, _ = (free.allocate(n) for n in (256, 64, 128, 64))
    free.free(a)
    free.free(c)
    assert free.allocate(100) == c
    assert free.allocate(100) == a


# -- buffers


def test_buffers_go_back_with_their_last_reference(device):
    buffers = [device.put(bytes(1000), sized(1000)) for _ in range(10)]
    assert device.live_bytes() == 10 * 1024
    addresses = {b.address for b in buffers}
    del buffers
    gc.collect()
    assert device.live_bytes() == 0
    again = [device.put(bytes(1000), sized(1000)) for _ in range(10)]
    assert {b.address for b in again} == addresses


def test_bytes_come_back_without_a_copy(device):
    data = np.arange(100, dtype=np.float64)
    buffer = device.put(data, sized(data.nbytes))
    view = np.frombuffer(device.get(buffer, None), np.float64)
    np.testing.assert_array_equal(view, data)
    assert not view.flags.writeable
    assert view.ctypes.data % 64 == 0
    assert np.shares_memory(view, np.frombuffer(device.get(buffer, None), np.float64))


def test_a_view_keeps_its_bytes_though_the_buffer_is_deleted(device):
    buffer = put(device, 1, 2, 3)
    view = np.frombuffer(device.get(buffer, None), np.float32)
    buffer.delete()
    assert buffer.is_deleted
    others = [put(device, 9, 9, 9) for _ in range(10)]
    assert view.tolist() == [1, 2, 3]
    assert device.live_bytes() == 64 * (len(others) + 1)
    del view
    assert device.live_bytes() == 64 * len(others)
    with pytest.raises(RuntimeError, match="deleted"):
        device.get(buffer, None)


@pytest.mark.parametrize(
    "data",
    [
        np.arange(12, dtype=np.int16).reshape(3, 4).T,
        np.array(3.5, np.float32),
        np.array([True, False]),
        np.array([1.5, 2.5], np.float16),
        np.arange(6, dtype=np.uint64)[::-2],
    ],
    ids=["transposed", "scalar", "bool", "float16", "reversed"],
)
def test_any_host_layout_can_be_put(device, data):
    buffer = device.put(data, sized(data.nbytes))
    assert bytes(device.get(buffer, None)) == data.tobytes()


def test_an_empty_buffer(device):
    buffer = device.put(b"", sized(0))
    assert len(device.get(buffer, None)) == 0


def test_the_wrong_number_of_bytes_is_refused(device):
    with pytest.raises(ValueError, match="put: 8 bytes are expected, got 4"):
        device.put(bytes(4), sized(8))


def test_memory_grows_and_its_addresses_stay(device):
    first = put(device, 1, 2)
    view = np.frombuffer(device.get(first, None), np.float32)
    size = device.memory.size
    large = [device.put(np.full(1 << 20, k, np.uint8), sized(1 << 20)) for k in range(40)]
    assert device.memory.size > size
    assert view.tolist() == [1, 2]
    assert all(bytes(device.get(b, None)[-3:]) == bytes([k]) * 3 for k, b in enumerate(large))


def test_what_does_not_fit_in_32_bits_is_a_memory_error_that_names_it(device):
    kept = put(device, 1)
    with pytest.raises(MemoryError, match=f"{LIMIT} bytes asked for.*64 bytes in live buffers"):
        device.memory.allocate(LIMIT)
    assert floats(device, kept) == [1]
    assert floats(device, put(device, 5)) == [5]


def test_the_garbage_collector_may_free_at_any_moment(device):
    """Buffers in cycles die inside of allocations, in whatever thread happens to collect."""
    gc.set_threshold(20)
    try:
        for _ in range(2000):
            cycle = [put(device, 1, 2)]
            cycle.append(cycle)
            del cycle
    finally:
        gc.set_threshold(700)
    gc.collect()
    assert device.live_bytes() == 0


# -- programs


def test_a_program_runs(device):
    run = device.load(elementwise("f32.add", 3))
    (out,) = run([put(device, 1, 2, 3), put(device, 10, 20, 30)])
    assert floats(device, out) == [11, 22, 33]
    assert run.stages["wat"]().startswith("(module")
    assert "wasm.inst f32.add" in run.stages["wasm"]()


def test_results_of_two_calls_are_apart(device):
    run = device.load(elementwise("f32.mul", 1))
    (a,) = run([put(device, 2), put(device, 3)])
    (b,) = run([a, a])
    assert floats(device, a) == [6] and floats(device, b) == [36]


def test_the_number_of_arguments_is_checked(device):
    with pytest.raises(TypeError, match="takes 2 buffers, got 1"):
        device.load(elementwise("f32.add", 1))([put(device, 1)])


def test_a_deleted_argument_is_refused(device):
    x = put(device, 1)
    x.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        device.load(elementwise("f32.add", 1))([put(device, 1), x])


def test_a_donated_buffer_becomes_the_result(device):
    run = device.load(elementwise("f32.add", 2, donated=[(0, 1)]))
    x, y = put(device, 1, 2), put(device, 3, 4)
    address = y.address
    (out,) = run([x, y])
    assert out.address == address and y.is_deleted and not x.is_deleted
    assert floats(device, out) == [4, 6]


def test_a_donated_buffer_that_somebody_sees_is_copied(device):
    run = device.load(elementwise("f32.add", 2, donated=[(0, 0)]))
    x = put(device, 1, 2)
    view = np.frombuffer(device.get(x, None), np.float32)
    (out,) = run([x, put(device, 3, 4)])
    assert floats(device, out) == [4, 6] and view.tolist() == [1, 2]
    y = put(device, 5, 6)
    (out,) = run([y, y])  # given twice: the other one must not change under way
    assert floats(device, out) == [10, 12]


def test_arguments_marked_as_donated_are_deleted(device):
    run = device.load(elementwise("f32.add", 1), donate=(1,))
    x, y = put(device, 1), put(device, 2)
    run([x, y])
    assert not x.is_deleted and y.is_deleted


def test_two_thousand_calls_leave_no_bytes_behind(device):
    run = device.load(elementwise("f32.add", 300))
    x = device.put(np.ones(300, np.float32), sized(1200))
    (y,) = run([x, x])
    live, size = device.live_bytes(), device.memory.size
    for _ in range(2000):
        (y,) = run([x, y])
    assert device.live_bytes() == live and device.memory.size == size
    assert floats(device, y)[0] == 2002


def test_programs_are_collected_with_their_tables(device):
    used = device.memory._free.used
    for k in range(20):
        device.load(elementwise("f32.add", k + 1))
    gc.collect()
    device.live_bytes()
    assert device.memory._free.used <= used + 256


def test_the_arena_is_shared_and_grows(device):
    small, large = device.arena(100), device.arena(10_000)
    assert device.arena(50) == device.arena(10_000) == large
    assert small % 64 == 0


# -- traps


def trapping():
    """Divides the first input's i32 by the second's."""
    m, b = program_module()
    x, y, out = (b.load("i32.load", b.args[0], 4 * k) for k in range(3))
    b.store("i32.store", out, b.inst("i32.div_s", b.load("i32.load", x), b.load("i32.load", y)))
    b.return_()
    Program((4, 4), (4,)).store(m.module)
    return m.module


def test_a_trap_is_an_exception_and_the_device_stays_usable(device):
    run = device.load(trapping())
    seven, zero, two = (device.put(struct.pack("<i", k), sized(4)) for k in (7, 0, 2))
    for _ in range(3):
        with pytest.raises(WasmTrap, match=r"(?s)main.*integer divide by zero"):
            run([seven, zero])
    (out,) = run([seven, two])
    assert struct.unpack("<i", device.get(out, None)) == (3,)
    gc.collect()
    del out
    assert device.live_bytes() == 3 * 64


def test_an_access_out_of_bounds_is_a_trap(device):
    m, b = program_module()
    b.store("i32.store", b.const_i32(-8), b.args[0])
    b.return_()
    Program((), ()).store(m.module)
    with pytest.raises(WasmTrap, match="out of bounds memory access"):
        device.load(m.module)([])


def test_a_module_that_the_engine_refuses(device):
    m, b = program_module()
    b.return_()
    m.global_("g", IntegerAttr(0, i32))
    b.global_set(
        "g", b.args[0]
    )  # after the return, and to a global that is not mutable: the verifier would say so, too
    Program((), ()).store(m.module)
    with pytest.raises(ValueError, match="the engine refuses the WebAssembly module"):
        device.load(m.module)


def test_a_module_that_is_no_program(device):
    m, b = program_module()
    b.return_()
    with pytest.raises(ValueError, match="no attribute 'program'"):
        device.load(m.module)


# -- threads


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_share_the_work(device, threads):
    n = 1001
    run = device.load(elementwise("f32.sub", n, work=WORTH_THREADS))
    device.num_threads = threads
    x, y = np.random.default_rng(0).random((2, n)).astype(np.float32)
    for _ in range(5):
        (out,) = run([device.put(x, sized(x.nbytes)), device.put(y, sized(y.nbytes))])
        np.testing.assert_array_equal(floats(device, out), x - y)


def test_the_number_of_threads_may_change(device):
    run = device.load(elementwise("f32.add", 100, work=WORTH_THREADS))
    x = device.put(np.ones(100, np.float32), sized(400))
    for threads in (1, 4, 2, 1, 3):
        device.num_threads = threads
        assert floats(device, run([x, x])[0]) == [2] * 100


def rounds(count: int):
    """Each thread adds its neighbour's number to its own, `count` times, with barriers between: wrong without them."""
    m, b = program_module()
    add_barrier(m)
    params, tid, nthreads = b.args
    zero, one = b.const_i32(0), b.const_i32(1)
    data, result, barrier = b.load("i32.load", params), b.load("i32.load", params, 4), b.load("i32.load", params, 12)

    def slot(base, index):
        return b.inst("i32.add", base, b.inst("i32.shl", index, b.const_i32(2)))

    after = b.inst("i32.add", tid, one)
    neighbour = b.select(b.inst("i32.eq", after, nthreads), zero, after)
    with b.loop(b.const_i32(count)) as loop:
        sum = b.inst("i32.add", b.load("i32.load", slot(data, tid)), b.load("i32.load", slot(data, neighbour)))
        b.store("i32.store", slot(result, tid), sum)
        b.call("barrier", barrier, nthreads)
        b.store("i32.store", slot(data, tid), b.load("i32.load", slot(result, tid)))
        b.call("barrier", barrier, nthreads)
        left = b.inst("i32.sub", loop.args[0], one)
        b.continue_if(left, left)
    b.return_()
    Program((64,), (64,), work=WORTH_THREADS).store(m.module)
    to_op(m.module).verify()
    return m.module


def test_barriers_order_the_rounds(device):
    device.num_threads = 3
    run = device.load(rounds(300))
    expected = np.array([1, 10, 100], np.int32)
    for _ in range(300):
        expected = expected + np.roll(expected, -1)
    (out,) = run([device.put(np.array([1, 10, 100] + [0] * 13, np.int32), sized(64))])
    np.testing.assert_array_equal(np.frombuffer(device.get(out, None), np.int32)[:3], expected)


def test_a_trap_in_one_thread_frees_the_others_from_the_barrier(device):
    m, b = program_module()
    add_barrier(m)
    params, tid, nthreads = b.args
    with b.if_(b.inst("i32.eq", tid, b.const_i32(1))):
        b.inst("i32.div_u", tid, b.const_i32(0))
    b.call("barrier", b.load("i32.load", params, 4), nthreads)
    b.return_()
    Program((), (), work=WORTH_THREADS).store(m.module)
    run = device.load(m.module)
    device.num_threads = 3
    for _ in range(3):
        with pytest.raises(WasmTrap, match="integer divide by zero"):
            run([])
    device.num_threads = 1
    run([])


def test_workers_run_all_jobs_and_tell_what_they_raised():
    workers, done = Workers(), []

    def fail():
        raise KeyError("no")

    for _ in range(3):
        assert workers.run([lambda: done.append(0)]) == []
        (error,) = workers.run([lambda: done.append(1), fail, lambda: done.append(2)])
        assert isinstance(error, KeyError)
    assert sorted(done) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_programs_may_be_called_from_several_threads(device):
    run = device.load(elementwise("f32.add", 64))
    failures = []

    def work(value):
        x = put(device, *[value] * 64)
        for _ in range(200):
            if floats(device, run([x, x])[0]) != [2 * value] * 64:
                failures.append(value)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("text, message", [("0", "positive integer, got '0'"), ("two", "positive integer, got 'two'")])
def test_a_bad_number_of_threads_in_the_environment(monkeypatch, text, message):
    monkeypatch.setenv("WEFT_NUM_THREADS", text)
    with pytest.raises(ValueError, match=message):
        WasmBackend()


def test_the_number_of_threads_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("WEFT_NUM_THREADS", "3")
    assert WasmBackend().num_threads == 3


# -- the disk cache and the recording


def test_machine_code_comes_from_the_disk(tmp_path, monkeypatch):
    import wasmtime

    cache = DiskCache("wasm", tmp_path)
    WasmBackend(cache=cache).load(elementwise("f32.add", 2))
    (file,) = cache.directory.iterdir()

    def refuse(*_):
        raise AssertionError("compiled again")

    device = WasmBackend(num_threads=1, cache=DiskCache("wasm", tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(wasmtime.Module, "__init__", refuse)
        run = device.load(elementwise("f32.add", 2))
    assert floats(device, run([put(device, 1, 2), put(device, 3, 4)])[0]) == [4, 6]

    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    run = WasmBackend(cache=DiskCache("wasm", tmp_path)).load(elementwise("f32.add", 2))
    assert file.read_bytes() != damaged


ADD = """func.func @main(%x : tensor<2xf32>, %y : tensor<2xf32>) -> tensor<2xf32> {
  %z = array.add %x, %y : tensor<2xf32>
  func.return %z : tensor<2xf32>
}"""


def test_a_program_with_a_key_comes_from_the_disk_without_a_pass(tmp_path, monkeypatch):
    from xdsl.parser import Parser

    from weft.backends.wasm import backend
    from weft.dialects.universe import context

    def compiled(key: object):
        device = WasmBackend(num_threads=1, cache=DiskCache("wasm", tmp_path))
        run = device.compile(Parser(context(), ADD).parse_module(), key=key)
        return floats(device, run([put(device, 1, 2), put(device, 3, 4)])[0]), run

    assert compiled("a")[0] == [4, 6]

    def refuse(*_):
        raise AssertionError("lowered again")

    with monkeypatch.context() as patch:
        patch.setattr(backend, "_lower", refuse)
        values, run = compiled("a")
        assert values == [4, 6]
        for stranger in ("b", None):
            with pytest.raises(AssertionError, match="lowered again"):
                compiled(stranger)
        patch.setattr(backend, "compiler_state", lambda: "the sources have changed")
        with pytest.raises(AssertionError, match="lowered again"):
            compiled("a")
    assert "array.add" in run.stages["array"]() and "f32" in run.stages["wat"]()


def test_the_cache_is_bounded_and_keeps_what_was_used_last(tmp_path):
    cache = DiskCache("test", tmp_path, bound=10_000)
    for k in range(20):
        cache.put(f"{k:02}", bytes(1000))
        os.utime(cache.directory / f"{k:02}", (k, k))
    assert cache.get("03") is not None
    cache.prune()
    kept = sorted(path.name for path in cache.directory.iterdir())
    assert kept == ["03", "14", "15", "16", "17", "18", "19"]


def test_a_directory_that_cannot_be_written_is_no_cache(tmp_path):
    (tmp_path / "file").write_text("")
    cache = DiskCache("test", tmp_path / "file")
    cache.put("key", b"data")
    assert cache.get("key") is None


def test_every_module_is_shown(device, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setenv("WEFT_DUMP_DIR", str(tmp_path / "dump"))
    observers.append(seen.append)
    try:
        run = device.load(elementwise("f32.add", 1))
    finally:
        observers.remove(seen.append)
    assert seen == [run.binary]
    assert [path.read_bytes() for path in (tmp_path / "dump").iterdir()] == [run.binary]


def test_importing_the_device_loads_no_engine():
    code = "import sys, weft.backends.wasm as w; assert w.unavailable() is None; assert 'wasmtime' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

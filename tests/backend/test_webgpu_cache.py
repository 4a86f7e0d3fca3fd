"""Programs of the webgpu device on disk: found again, and harmless when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gpu_machine import requires_webgpu

from weft.backends.cache import DiskCache
from weft.backends.webgpu.backend import WebGpuBackend
from weft.backends.webgpu.pack import pack, unpack
from weft.backends.webgpu.steps import Copy, Kernel, Launch, Program, Region, Repeat, Step, Switch, While
from weft.dialects.array import ops
from weft.dialects.array.graph import Graph
from weft.dialects.array.node import aval, bind, leaf
from weft.dialects.array.stage import stage

pytestmark = requires_webgpu


def compiled(directory: Path, backend: WebGpuBackend | None = None):
    """A program of two kernels, and what it gives."""
    backend = backend or WebGpuBackend(DiskCache("webgpu", directory))
    x = leaf(aval((64, 64), "float32"))
    graph = Graph([x], [bind(ops.SinOp, bind(ops.DotOp, x, x, contract=((1,), (0,)), batch=((), ()), preferred=None))])
    program = backend.compile(stage(graph), key=graph.key)
    data = np.linspace(-1, 1, 4096, dtype=np.float32).reshape(64, 64)
    (out,) = program([backend.put(data, x.aval)])
    found = np.frombuffer(backend.get(out, x.aval), np.float32).reshape(64, 64)
    np.testing.assert_allclose(found, np.sin(data @ data), rtol=1e-5, atol=1e-5)
    return program


def test_a_second_process_runs_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled(tmp_path)
    backend = WebGpuBackend(DiskCache("webgpu", tmp_path))
    monkeypatch.setattr(backend, "_lowered", lambda *_: pytest.fail("lowered again"))
    second = compiled(tmp_path, backend)
    assert second.program == first.program
    assert second.stages["wgsl"]() == first.stages["wgsl"]()


@pytest.mark.parametrize("damage", [lambda d: d[:-7], lambda d: d[:40] + b"?" + d[41:], lambda d: b"", lambda d: d * 2])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage) -> None:
    compiled(tmp_path)
    (file,) = (tmp_path / "webgpu").iterdir()
    content = file.read_bytes()
    file.write_bytes(damage(content))
    compiled(tmp_path)
    (file,) = (tmp_path / "webgpu").iterdir()
    assert file.read_bytes() == content


def test_round_trip() -> None:
    kernel = Kernel("k", "text", ("read", "read_write"), (1, 2, 3), True)
    launch = Launch(kernel, (0, 1), 0)
    region = Region((launch,), ((1, 2, 3),))
    steps: list[Step] = [launch, Copy(1, 2, 16), Repeat(3, (Launch(kernel, (1, 2)),))]
    steps += [While(1, (launch,), region, False), Switch(2, (region, Region((), ())))]
    program = Program(1, [16, 16], [b"\0\xff"], [64], steps, {0: 0})
    assert unpack(pack(program)) == program
    assert pack(program).count(b"text") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"3",
        b'{"class":"os.system","of":["ls"]}',
        b'{"class":"Program","of":[]}',
        b'{"kernel":7}',
        b"[" * 100000,
        b'{"bytes":"*"}',
    ],
)
def test_bytes_that_are_no_program(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(data)

"""Checkpoint policies, custom gradients, closures, custom batching, scopes, NaN hunting, and what programs ask of the process."""

from __future__ import annotations

import json

import numpy as np
import pytest

import weft
import weft.numpy as jnp
from weft.ad_checkpoint import checkpoint_name, saved_residuals
from weft.custom_batching import custom_vmap, sequential_vmap

X = jnp.arange(1.0, 4.0)
W = jnp.arange(9.0).reshape(3, 3) / 9
P = weft.checkpoint_policies


def layer(w, x):
    y = checkpoint_name(jnp.sin(w @ x), "sine")
    return (jnp.exp(w @ y) ** 2).sum()


@pytest.mark.parametrize(
    ("policy", "more"),
    [
        (None, 0),
        (P.nothing_saveable, 0),
        (P.dots_saveable, 2),
        (P.dots_with_no_batch_dims_saveable, 2),
        (P.save_only_these_names("sine"), 1),
        (P.save_only_these_names("other"), 0),
        (P.save_any_names_but_these("sine"), 0),
        (P.save_from_both_policies(P.dots_saveable, P.save_only_these_names("sine")), 3),
    ],
)
def test_policies(policy, more: int) -> None:
    f = weft.checkpoint(layer, policy=policy)
    expected = weft.grad(layer, (0, 1))(W, X)
    for g in (weft.grad(f, (0, 1)), weft.jit(weft.grad(f, (0, 1))), weft.grad(weft.jit(f), (0, 1))):
        for found, want in zip(g(W, X), expected, strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-5)
    kept = saved_residuals(f, W, X)
    assert len(kept) - 2 == more, [r.aval for r in kept]  # two arguments
    batched = weft.vmap(weft.grad(f, 1), in_axes=(None, 0))(W, jnp.stack([X, 2 * X]))
    np.testing.assert_allclose(batched[1], weft.grad(layer, 1)(W, 2 * X), rtol=1e-5)
    hessian = weft.hessian(f, 1)(W, X)
    np.testing.assert_allclose(hessian, weft.hessian(layer, 1)(W, X), rtol=1e-4)


def test_checkpoint_without_a_barrier_and_static_names() -> None:
    f = weft.checkpoint(lambda x, power: (jnp.sin(x) ** power).sum(), prevent_cse=False, static_argnames="power")
    found = weft.grad(lambda x: f(x, power=3))(X)
    np.testing.assert_allclose(found, 3 * np.sin(X) ** 2 * np.cos(X), rtol=1e-5)


def test_custom_gradient() -> None:
    @weft.custom_gradient
    def f(x):
        return x**2, lambda ct: ct * x * 10

    assert float(f(3.0)) == 9 and float(weft.grad(f)(3.0)) == 30 and float(weft.jit(weft.grad(f))(3.0)) == 30
    assert weft.vmap(weft.grad(f))(X).tolist() == [10, 20, 30]

    @weft.custom_gradient
    def g(x, y):
        return x * y, lambda ct: (y * ct, 5 * ct)

    assert [float(v) for v in weft.grad(g, (0, 1))(2.0, 3.0)] == [3, 5]


def test_closures_are_converted() -> None:
    def f(scale):
        def closed(x):
            return jnp.sin(x) * scale

        converted, consts = weft.closure_convert(closed, X)
        assert len(consts) == 1
        return converted(X, *[2 * c for c in consts]).sum()

    np.testing.assert_allclose(weft.grad(f)(3.0), 2 * np.sin(np.asarray(X)).sum(), rtol=1e-6)
    converted, consts = weft.closure_convert(lambda x: x + W[0], X)
    assert not consts and converted(X).tolist() == (X + W[0]).tolist()


def test_custom_vmap() -> None:
    calls = []

    @custom_vmap
    def f(x, y):
        return jnp.sin(x) + y

    @f.def_vmap
    def rule(size, batched, x, y):
        calls.append((size, batched))
        return jnp.sin(x) + y + 100, True

    np.testing.assert_allclose(f(X, 1.0), np.sin(X) + 1, rtol=1e-6)
    np.testing.assert_allclose(weft.vmap(f, in_axes=(0, None))(X, 1.0), np.sin(X) + 101, rtol=1e-6)
    assert calls == [(3, [True, False])]
    np.testing.assert_allclose(weft.grad(lambda x: f(x, 1.0).sum())(X), np.cos(X), rtol=1e-6)
    with pytest.raises(AttributeError, match="No batching rule"):
        custom_vmap(lambda x: x)(X)

    seen = []
    g = sequential_vmap(lambda x: (seen.append(x.shape), x.sum())[1])
    assert weft.vmap(g)(W).tolist() == W.sum(axis=1).tolist() and seen[-3:] == [(3,)] * 3


def test_scopes_show_in_the_ir() -> None:
    @weft.named_call
    def inner(x):
        return jnp.sin(x)

    def f(x):
        with weft.named_scope("outer"):
            y = inner(x)
        return y * weft.named_scope("tail")(jnp.cos)(x)

    text = weft.jit(f).lower(X).as_text(debug_info=True)
    sine = next(line for line in text.splitlines() if "array.sin" in line)
    assert 'loc("outer/inner"(' in sine and "test_transforms_more.py" in sine
    assert 'loc("tail"(' in next(line for line in text.splitlines() if "array.cos" in line)
    assert "loc(" not in weft.jit(f).lower(X).as_text()
    assert "array.sin" in str(weft.make_jaxpr(f)(X))
    with pytest.raises(TypeError, match="string"):
        weft.named_scope(3)


def test_nans_are_traced_to_their_operation() -> None:
    f = weft.jit(lambda x: jnp.exp(jnp.log(x) * 2))
    with weft.debug_nans():
        assert np.isfinite(np.asarray(f(X))).all()
        with pytest.raises(FloatingPointError, match=r"nan.* encountered in log, made at .*test_transforms_more"):
            f(-X)


def test_values_while_a_program_is_traced() -> None:
    @weft.jit
    def f(x):
        with weft.ensure_compile_time_eval():
            n = int(jnp.arange(4).sum())
        return x * n

    assert f(X).tolist() == [6, 12, 18]


def test_the_process() -> None:
    x = jnp.arange(5.0).block_until_ready()
    assert any(a is x for a in weft.live_arrays())
    assert weft.device_count() == weft.local_device_count() == weft.process_count() == 1 and weft.process_index() == 0
    assert weft.default_backend() == str(weft.local_devices(backend=weft.default_backend())[0])
    assert weft.typeof(x).shape == (5,) and "xdsl" in weft.print_environment_info(return_string=True)
    with weft.default_matmul_precision("highest"):
        pass
    with pytest.raises(ValueError, match="default_matmul_precision"), weft.default_matmul_precision("best"):
        pass
    assert weft.dtypes.canonicalize_dtype("float64") == "float32" and weft.dtypes.itemsize_bits("int16") == 16
    assert weft.dtypes.issubdtype(weft.random.key(0).dtype, weft.dtypes.prng_key)
    assert not weft.dtypes.issubdtype(x.dtype, weft.dtypes.prng_key) and weft.dtypes.scalar_type_of(x) is float
    assert weft.float0.itemsize == 0


def test_traces_are_written(tmp_path) -> None:
    @weft.profiler.annotate_function
    def work():
        return (X * 2).block_until_ready()

    with weft.profiler.trace(tmp_path):
        work()
        with weft.profiler.StepTraceAnnotation("step", step_num=3):
            work()
    events = json.loads((tmp_path / "weft.trace.json").read_text())["traceEvents"]
    assert [e["name"] for e in events] == ["work", "work", "step"] and events[2]["args"] == {"step_num": "3"}
    assert events[2]["dur"] >= events[1]["dur"] > 0
    with pytest.raises(RuntimeError, match="No profile"):
        weft.profiler.stop_trace()
    assert sum(json.loads(weft.profiler.device_memory_profile()).values()) > 0

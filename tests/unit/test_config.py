"""Settings: what each option changes, in a `with` and by `config.update`, and what a wrong one is told."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

import weft
import weft.numpy as jnp


@pytest.fixture(autouse=True)
def on_the_oracle():
    with weft.default_device("cpu"):
        yield


def test_infinities_are_found_where_they_arise() -> None:
    with weft.debug_infs(), pytest.raises(FloatingPointError, match=r"\(inf\) encountered in log"):
        weft.jit(lambda x: 1 + jnp.log(x))(jnp.zeros(2))
    with weft.debug_infs():
        assert np.isnan(jnp.sqrt(-jnp.ones(2))).all()  # no infinity
    with weft.debug_nans(), pytest.raises(FloatingPointError, match=r"\(nan\) encountered in sqrt"):
        jnp.sqrt(-jnp.ones(2)).block_until_ready()


def test_ranks_are_promoted_as_the_option_says() -> None:
    matrix, row = jnp.ones((2, 3)), jnp.ones(3)
    with weft.numpy_rank_promotion("raise"):
        with pytest.raises(ValueError, match=r"\(2, 3\), \(3,\).*numpy_rank_promotion"):
            matrix + row
        assert (matrix + 1).shape == (2, 3)
        assert (matrix + row[None]).shape == (2, 3)
    with weft.numpy_rank_promotion("warn"), pytest.warns(UserWarning, match="ranks"):
        matrix + row
    assert (matrix + row).shape == (2, 3)


def test_dtypes_are_not_mixed_under_strict_promotion() -> None:
    floats, ints = jnp.ones(3), jnp.arange(3)
    with weft.numpy_dtype_promotion("strict"):
        for mixed in (lambda: floats + ints, lambda: ints + 1.5, lambda: jnp.concatenate([floats, ints])):
            with pytest.raises(weft.dtypes.TypePromotionError, match="int32"):
                mixed()
        assert (floats + 1).dtype == "float32"
        assert (ints * 2).dtype == "int32"
        assert jnp.sin(ints).dtype == "float32"
    assert (floats + ints).dtype == "float32"


def test_compilations_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with weft.log_compiles(), caplog.at_level(logging.WARNING, "weft"):
        weft.jit(lambda x: x * 2 + jnp.arange(7.0))(jnp.ones(7))
    assert any(re.match(r"Compiling a program of \d+ operations and 1 arguments for cpu", m) for m in caplog.messages)


def test_jax_programs_may_set_what_concerns_xla() -> None:
    weft.config.update("jax_default_matmul_precision", "highest")
    weft.config.update("jax_default_matmul_precision", None)
    weft.config.update("jax_traceback_filtering", "off")
    weft.config.update("jax_platform_name", "cpu")
    assert weft.default_backend() == "cpu"


@pytest.mark.parametrize(
    ("name", "value", "kind", "message"),
    [
        ("jax_enable_x46", True, AttributeError, "Unrecognized config option: jax_enable_x46"),
        ("jax_enable_x64", "yes", TypeError, "option jax_enable_x64 takes a bool, got 'yes'"),
        ("jax_numpy_rank_promotion", "never", ValueError, "must be one of allow, warn, raise, got 'never'"),
        ("jax_default_matmul_precision", "int4", ValueError, "got 'int4'"),
        ("jax_default_device", "tpu", ValueError, "Unknown device 'tpu'"),
    ],
)
def test_wrong_settings_are_refused(name: str, value: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        weft.config.update(name, value)


def test_the_environment_sets_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_NUMPY_RANK_PROMOTION", "raise")
    monkeypatch.setenv("WEFT_DEBUG_INFS", "1")
    config = type(weft.config)()
    assert (config.numpy_rank_promotion, config.debug_infs, config.enable_x64) == ("raise", True, False)
    monkeypatch.setenv("WEFT_DEBUG_INFS", "maybe")
    with pytest.raises(ValueError, match="WEFT_DEBUG_INFS=maybe"):
        type(weft.config)()


def test_modules_that_annotations_import() -> None:
    from weft.custom_derivatives import closure_convert, custom_jvp
    from weft.dlpack import from_dlpack
    from weft.typing import ArrayLike, DTypeLike

    assert custom_jvp is weft.custom_jvp
    assert closure_convert is weft.closure_convert
    assert ArrayLike is not None
    assert DTypeLike is not None
    assert from_dlpack(np.arange(3)).shape == (3,)

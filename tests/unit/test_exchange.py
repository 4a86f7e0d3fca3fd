"""Arrays to files and to text, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import weft
import weft.numpy as jnp


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "float16", "float32", "complex64"])
def test_a_file_gives_back_what_was_saved(tmp_path: Path, dtype: str) -> None:
    x = jnp.arange(6).reshape(2, 3).astype(dtype)
    jnp.save(tmp_path / "x.npy", x)
    found = jnp.load(tmp_path / "x.npy")
    assert isinstance(found, weft.Array)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, x)


def test_several_arrays_in_one_file(tmp_path: Path) -> None:
    jnp.savez(tmp_path / "xy.npz", jnp.arange(3), y=jnp.ones(2))
    found = jnp.load(tmp_path / "xy.npz")
    np.testing.assert_array_equal(found["arr_0"], [0, 1, 2])
    np.testing.assert_array_equal(found["y"], [1, 1])


def test_a_file_with_objects_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        jnp.load(tmp_path / "o.npy")


def test_raw_bytes(tmp_path: Path) -> None:
    np.arange(4, dtype=np.float32).tofile(tmp_path / "raw")
    with pytest.raises(NotImplementedError, match="fromfile"):  # as JAX
        jnp.fromfile(tmp_path / "raw", dtype="float32")


def test_printing() -> None:
    x = jnp.array([1 / 3, 2.0])
    with jnp.printoptions(precision=2):
        assert jnp.get_printoptions()["precision"] == 2
        assert str(x) == "[0.33 2.  ]"
    before = jnp.get_printoptions()["precision"]
    jnp.set_printoptions(precision=3)
    try:
        assert jnp.array_str(x) == "[0.333 2.   ]"
        assert jnp.array_repr(x) == "Array([0.333, 2.   ], dtype=float32)" == repr(x)
    finally:
        jnp.set_printoptions(precision=before)

"""Unit tests need no device: the oracle is the default one."""

import pytest

import weft


@pytest.fixture(autouse=True)
def on_the_oracle():
    with weft.default_device("cpu"):
        yield

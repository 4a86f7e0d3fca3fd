"""docs/compatibility.md says what is true of the package."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import compatibility


def test_the_page_is_fresh() -> None:
    assert compatibility.page() == compatibility.PAGE.read_text(), "docs/compatibility.md is stale: run `make docs`"


def test_what_is_left_out_has_a_reason() -> None:
    assert all(reason for reason in compatibility.load("left_out").values())

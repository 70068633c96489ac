"""What is said of samplers and schedules: a line each, in the tables and in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.samplers import EVERY, SAMPLERS, SCHEDULES

LINES = {name: SAMPLERS[name].about for name in SAMPLERS} | {name: SCHEDULES[name].about for name in EVERY}
DOCS = (Path(__file__).parents[1] / "docs" / "drawing.md").read_text("utf-8")


@pytest.mark.parametrize("name", LINES)
def test_each_says_in_a_line_what_it_is_good_for_and_the_docs_say_the_same(name: str) -> None:
    assert 10 < len(LINES[name]) <= 70 and not LINES[name].endswith(".")
    assert f"| {name} | {LINES[name]} |" in DOCS


def test_no_two_say_the_same() -> None:
    assert len(set(LINES.values())) == len(LINES)

"""What is said of samplers and schedules: a line each, in the tables and in the docs."""

from __future__ import annotations

from pathlib import Path

from docs.pictures import samplers
from pipelines.samplers import EVERY, SAMPLERS, SCHEDULES

LINES = {name: SAMPLERS[name].about for name in SAMPLERS} | {name: SCHEDULES[name].about for name in EVERY}
DOCS = (Path(__file__).parents[1] / "docs" / "drawing.md").read_text("utf-8")


def test_each_says_in_a_line_what_it_is_good_for_and_the_docs_say_the_same() -> None:
    for name, line in LINES.items():
        assert 10 < len(line) <= 70 and not line.endswith("."), name
        assert f"| {name} | {line} |" in DOCS


def test_the_page_that_shows_what_they_draw_is_as_its_script_makes_it() -> None:
    assert samplers.PAGE.read_text("utf-8") == samplers.page()
    shown = {samplers.file_of(name) for name in SAMPLERS} | {samplers.file_of(name, "schedule-") for name in EVERY}
    assert shown == set(samplers.STRIPS.glob("*.webp"))


def test_no_two_say_the_same() -> None:
    assert len(set(LINES.values())) == len(LINES)

"""The query language of the gallery: what is read, what is said of what is not, and that chips and typed text are one grammar."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

import pytest

from pipelines.gallery.query import LONGEST, MOST, Clock, parse
from tests.support.toys import FAR_TOO_LONG

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
HERE = Clock(NOON)
DAY = 86_400


def terms(text: str, clock: Clock = HERE) -> list[tuple]:
    return [(term.field, term.value, term.negated) for term in parse(text, clock).terms]


def notes(text: str) -> tuple[str, ...]:
    return parse(text, HERE).notes


def at(*date: int) -> float:
    return datetime(*date, tzinfo=UTC).timestamp()  # pyright: ignore[reportArgumentType]


def test_words_phrases_and_what_is_not_wanted_are_told_apart() -> None:
    assert terms('red "a house" -snow -"at night"') == [
        ("", "red", False), ("", "a house", False), ("", "snow", True), ("", "at night", True),
    ]  # fmt: skip
    assert [(term.value, term.prefix) for term in parse('dra* "old drag"* drag', HERE).terms] == [
        ("dra", True), ("old drag", True), ("drag", False),
    ]  # fmt: skip


def test_names_are_a_part_or_the_whole() -> None:
    assert [(t.field, t.value, t.exact) for t in parse('model:dream lora:="Ink, old" board:"night pieces"', HERE).terms] == [
        ("model", "dream", False), ("lora", "Ink, old", True), ("board", "night pieces", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "bounds"),
    [("4", (4, 4)), (">=4", (4, None)), ("<=4", (None, 4)), (">4", (5, None)), ("<4", (None, 3)), ("2..4", (2, 4)), ("..4", (None, 4)),
     ("2..", (2, None))],
)  # fmt: skip
def test_numbers_have_bounds(said: str, bounds: tuple) -> None:
    assert terms(f"rating:{said}") == [("rating", bounds, False)]


def test_sizes_are_pairs() -> None:
    assert terms("size:512x768") == terms("size:512×768") == [("size", ((512, 512), (768, 768)), False)]


@pytest.mark.parametrize(
    ("said", "span"),
    [("2026-11-28", (at(2026, 11, 28), at(2026, 11, 29))), ("2026-11", (at(2026, 11, 1), at(2026, 12, 1))),
     ("2026", (at(2026, 1, 1), at(2027, 1, 1))), ("today", (at(2026, 11, 29), at(2026, 11, 30))),
     ("yesterday", (at(2026, 11, 28), at(2026, 11, 29))), ("2026-11-01..2026-11-20", (at(2026, 11, 1), at(2026, 11, 21))),
     (">=2026-11", (at(2026, 11, 1), None)), ("<yesterday", (None, at(2026, 11, 28))), ("2024-02-29", (at(2024, 2, 29), at(2024, 3, 1)))],
)  # fmt: skip
def test_dates_are_spans_from_midnight_to_midnight(said: str, span: tuple) -> None:
    assert terms(f"date:{said}") == [("date", span, False)]


def test_midnight_is_where_the_person_is() -> None:
    late = Clock(datetime(2026, 11, 29, 23, 30, tzinfo=UTC).timestamp(), 60)  # half past midnight on the 30th, an hour east
    assert terms("date:today", late) == [("date", (at(2026, 11, 30) - 3600, at(2026, 12, 1) - 3600), False)]
    assert terms("date:2026-11-28", Clock(NOON, -300)) == [("date", (at(2026, 11, 28) + 5 * 3600, at(2026, 11, 29) + 5 * 3600), False)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("rating:many", "no number"), ("size:large", "no size"), ("date:soon", "no date"), ("date:2026-13-01", "no date"),
     ("date:2026-02-30", "no date"), ("colour:red", "no filter"), ("kind:sculpture", "not known"), ("is:nice", "not known"),
     ("with:luck", "not known"), ("in:paris", "not known"), ("rating:", "nothing behind"), ('board:""', "nothing behind"),
     ("like:../../x", "no picture"), ("seed:99999999999999999999", "no number"), ("++", "neither letters"), ("rating:..", "no number")],
)  # fmt: skip
def test_what_is_not_understood_is_told_and_the_rest_counts(text: str, sentence: str) -> None:
    query = parse(f"house {text} rating:5", HERE)
    assert [term.field for term in query.terms] == ["", "rating"]
    assert len(query.notes) == 1 and sentence in query.notes[0]


def test_a_search_that_is_far_too_long_is_told_and_costs_nothing() -> None:
    begin = time.perf_counter()
    query = parse("a" * 100_000, HERE)
    assert query.terms == () and "2,000 letters" in query.notes[0] and "100,000" in query.notes[0]
    many = parse("a " * (LONGEST // 2), HERE)
    assert len(many.terms) == MOST and f"{MOST} parts" in many.notes[0]
    for hostile in ('"' * LONGEST, "-" * LONGEST, ":" * LONGEST, "\\" * LONGEST, 'a:"' * 600, '"\\' * 900, "date:" * 300, "a:" * 900):
        parse(hostile, HERE)
    assert time.perf_counter() - begin < FAR_TOO_LONG


PIECES = [
    '"', "-", "*", ":", "=", "\\", " ", "..", ">=", "red", "Köln", "家", "model:", "rating:", "3", "date:", "today", "with:", "control",
    "“", "”", "\0", "\ud800", "size:", "8x8", "like:", "\n", "(", ")", "in:bin", "is:favourite", "lora:", "board:",
]  # fmt: skip


def test_what_is_written_of_a_search_is_the_search_again() -> None:
    rng = random.Random(7)
    for _ in range(3_000):
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 12)))
        query = parse(text, HERE)
        again = parse(query.text, HERE)
        assert again.terms == query.terms and again.notes == (), text


def test_the_bin_is_asked_for_by_name() -> None:
    assert parse("house in:bin", HERE).bin and not parse("house -in:bin", HERE).bin and not parse("bin", HERE).bin

"""The weight grammar: A1111's own examples, and any text at all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.prompts import Weighted, parse, parse_weights, unknown_words
from tests.support.toys import FAR_TOO_LONG

pytestmark = pytest.mark.smoke

PROMPTS = st.text(alphabet=st.sampled_from("ab,. \n\\()[]:0123456789-+BREAK é👩\u200dא"), max_size=60) | st.text(max_size=60)
PLAIN_PROMPTS = st.text(alphabet=st.characters(exclude_characters="()[]\\:", exclude_categories=("Cs",)), max_size=60)


def runs(text: str) -> list[tuple[str, float]]:
    return [(run.text, round(run.weight, 4)) for run in parse_weights(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("", 1)]),
        ("a (b:1.2) c", [("a ", 1), ("b", 1.2), (" c", 1)]),
        ("(a (b:1.5) c:2)", [("a ", 2), ("b", 3), (" c", 2)]),
        ("(a", [("a", 1.1)]),
        ("a]", [("a]", 1)]),
        ("a)", [("a)", 1)]),
        ("((a))", [("a", 1.21)]),
        ("[[a]]", [("a", 0.8264)]),
        ("(a:1.3", [("a:1.3", 1.1)]),
        ("(a:b:1.2)", [("a:b", 1.2)]),
        ("a:1.2", [("a:1.2", 1)]),
        ("(a:-0.5)", [("a", -0.5)]),
        ("(a: 1.2 )", [("a", 1.2)]),
        ("(a:+1.5)", [("a", 1.5)]),
        ("(a:.5)", [("a", 0.5)]),
        ("(a:0)", [("a", 0)]),
        ("[x:1.5]", [("x:1.5", 0.9091)]),
        ("a:1.2)", [("a:1.2)", 1)]),
        (r"\(a\)", [("(a)", 1)]),
        (r"\[a\]", [("[a]", 1)]),
        (r"(a\))", [("a)", 1.1)]),
        (r"a\\b", [(r"a\b", 1)]),
        (r"a\b", [("ab", 1)]),
        ("(a)(b)", [("ab", 1.1)]),
        ("([a)]b", [("ab", 1)]),
        ("()", [("", 1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                *[("a ", 1), ("house", 1.573), (" ", 1.1), ("on", 1), (" a ", 1.1)],
                *[("hill", 0.55), (", sun, ", 1.1), ("sky", 1.4641), (".", 1.1)],
            ],
        ),
    ],
)
def test_weights_are_read_as_in_a1111(text: str, expected: list[tuple[str, float]]) -> None:
    assert runs(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a BREAK b", ["a", "/", "b"]),
        ("a\n BREAK\tb", ["a", "/", "b"]),
        ("BREAK", ["/"]),
        ("a BREAK BREAK b", ["a", "/", "/", "b"]),
        ("a,BREAK,b", ["a,", "/", ",b"]),
        ("a break b, BREAKFAST", ["a break b, BREAKFAST"]),
        ("(a BREAK b)", ["a", "/", "b"]),
    ],
)
def test_the_word_break_splits_the_prompt(text: str, expected: list[str]) -> None:
    assert ["/" if run.is_break else run.text for run in parse_weights(text)] == expected


def test_a_break_in_brackets_leaves_the_weight_on_both_sides() -> None:
    assert parse_weights("(a BREAK b:1.2)") == (Weighted("a", 1.2), Weighted("BREAK", is_break=True), Weighted("b", 1.2))


@pytest.mark.parametrize("number", ["1.2.3", "..", "9" * 400, "nan", "inf", "1e3"])
def test_what_is_no_number_is_text(number: str) -> None:
    assert runs(f"(a:{number})") == [(f"a:{number}", 1.1)]


def test_weights_stay_within_ten() -> None:
    assert runs("(a:25)(b:-99)") == [("a", 10), ("b", -10)]
    assert runs("((a:0.01):500)") == [("a", 5)], "it is the product that is limited"
    assert runs("(((((a:0):9" + "9" * 300 + "):9" + "9" * 300 + "))") == [("a", 0)]


def test_five_thousand_nested_brackets_are_no_trouble() -> None:
    begun = time.process_time()
    for nest in ("(" * 5000 + "a" + ")" * 5000, "[" * 5000 + "a" + "]" * 5000, "(" * 5000 + "a", "a" + ")" * 5000, "([" * 5000 + "a"):
        assert len(parse_weights(nest)) == 1
    assert runs("(" * 5000 + "a" + ")" * 5000) == [("a", 10)]
    assert time.process_time() - begun < FAR_TOO_LONG


@pytest.mark.parametrize("piece", ["(a:1.2) ", "BREAK ", ": ", "\\", "(", "[a:", "    ", ":1 "])
def test_the_longest_prompts_are_read_at_once(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    begun = time.process_time()
    parse_weights(text)
    assert time.process_time() - begun < FAR_TOO_LONG


@settings(max_examples=400, deadline=None)
@given(PROMPTS)
def test_any_text_can_be_read(text: str) -> None:
    for run in parse_weights(text):
        assert -10 <= run.weight <= 10
        if not run.is_break:
            assert "".join(text[offset] for offset in run.offsets) == run.text
            assert list(run.offsets) == sorted(set(run.offsets))


@settings(deadline=None)
@given(PLAIN_PROMPTS.filter(lambda text: "BREAK" not in text))
def test_text_without_brackets_is_left_alone(text: str) -> None:
    assert parse_weights(text) == (Weighted(text),)


@settings(deadline=None)
@given(PROMPTS)
def test_escaping_everything_makes_everything_plain(text: str) -> None:
    escaped = "".join("\\" + character if character in "()[]\\" else character for character in text)
    said = "".join(run.text for run in parse_weights(escaped) if not run.is_break)
    assert said.replace(" ", "").replace("\n", "") == text.replace("BREAK", "").replace(" ", "").replace("\n", "") or "BREAK" in text
    assert {run.weight for run in parse_weights(escaped)} == {1.0}


# Words a model does not know


KNOWN = frozenset({"a", "red", "house", "in", "the", "snow", "storey", "two", "dog", "café"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a red house, in the SNOW", ()),
        ("An astronaut in the snow", ("an", "astronaut")),
        ("(astronaut:1.4), [Astronaut] astronaut!", ("astronaut",)),
        ("zebra, apple; zebra", ("zebra", "apple")),
        ("house 1234 42nd", ("nd",)),
        ("two-storey house", ()),
        ("the dog's house", ()),
        ("the dogs’ house, 'red'", ("dogs",)),
        ("don't", ("don't",)),
        ("cafe\u0301", ()),
        ("🦊👩\u200d👩\u200d👧\ufe0f", ()),
        ("בית אדום", ("בית", "אדום")),
        ("हिन्दी", ("हिन्दी",)),
        ("red BREAK house", ()),
        (r"\(snow\)", ()),
    ],
)
def test_unknown_words_are_named_once_in_order(text: str, expected: tuple[str, ...]) -> None:
    assert unknown_words(parse(text).runs, KNOWN) == expected


@settings(deadline=None)
@given(PROMPTS)
def test_unknown_words_of_any_text_are_lower_case_words(text: str) -> None:
    for word in unknown_words(parse(text).runs, KNOWN):
        assert word == word.lower()
        assert any(character.isalpha() for character in word)

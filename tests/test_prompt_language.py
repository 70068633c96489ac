"""The prompt language, rule by rule as A1111 1.10 has it, against vectors that its own parser gave and closed rules."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.prompts import Pass, Schedule, parse, parse_weights, schedule
from pipelines.prompts.asked import asked_by, pass_of
from pipelines.prompts.tags import take_tags
from pipelines.requests.request import WEIGHTS_ALONE, ImageToImage, SecondPass, TextToImage
from pipelines.requests.second_pass import FirstPass
from pipelines.wildcards.unsaid import heard
from tests.test_prompt_names import reader

pytestmark = pytest.mark.smoke

PIECES = ("a", "b", " ", "[", "]", "(", ")", ":", "|", "0.5", "3", ":3]", ":0.25]", "[x:", "[x|y]", "\\", "\\[", " AND ", ":1.5", "é", "א")
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def ends(text: str, steps: int = 8, second: int = 0) -> list[tuple[int, str]]:
    """As A1111 writes a schedule: until which call, what. The last one ends with the steps, and neighbours that are alike are one."""
    over = Pass(second, before=steps) if second else Pass(steps)
    found = schedule(text, over).intervals
    return [(over.calls if each is found[-1] else each.last, each.said[0].text) for each in found]


def by_call(text: str, over: Pass) -> list[str]:
    return [schedule(text, over).at_call(call)[0].text for call in range(over.calls)]


# a1111.md 3: schedules, whole numbers and shares


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[cat:dog:0.5]", [(4, "cat"), (8, "dog")]), ("[cat:dog:5]", [(5, "cat"), (8, "dog")]), ("[cat::0.5]", [(4, "cat"), (8, "")]),
        ("[cat:0.25]", [(2, ""), (8, "cat")]), ("[a:b:1]", [(1, "a"), (8, "b")]), ("[a:b:1.0]", [(8, "a")]),
        ("x [a:b:0]", [(8, "x b")]), ("[a:b:0.5", [(8, "[a:b:0.5")]), ("[a:b:-1]", [(8, "b")]), ("[a:b:99]", [(8, "a")]),
        ("[a:b:1e999]", [(8, "a")]), ("[a:b:nan]", [(8, "[a:b:nan]")]), ("[a:b:1e0]", [(1, "a"), (8, "b")]),
        ("[a:b:.5]", [(4, "a"), (8, "b")]), ("[a:b:+4]", [(4, "a"), (8, "b")]), ("a [b : c : 1 ] d", [(1, "a b  d"), (8, "a  c  d")]),
    ],
)  # fmt: skip
def test_a_schedule_switches_after_a_whole_number_of_steps_or_a_share_of_them(text: str, expected: list[tuple[int, str]]) -> None:
    assert ends(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [[[b]]:2]", [(2, "a "), (8, "a [[b]]")]), ("[(a:2):3]", [(3, ""), (8, "(a:2)")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (8, "ade")]), ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (8, "((a][:b:c d")]),
        ("[a [b:c:3] d", [(3, "[a b d"), (8, "[a c d")]), ("[[a|b]:x:2]", [(1, "a"), (2, "b"), (8, "x")]),
        ("[x ( [b:c:3] :d:5]", [(3, "[x ( b :d:5]"), (8, "[x ( c :d:5]")]), ("[a:b:c:3]", [(8, "[a:b:c:3]")]),
        ("[[smile:D] man:dog:3]", [(8, "[[smile:D] man:dog:3]")]), ("[a|b:c]", [(8, "[a|b:c]")]),
        ("[a|b:3]", [(8, "[a|b:3]")]), ("[a|b (]", [(8, "[a|b (]")]), ("[a) |b]", [(8, "[a) |b]")]), ("a|b", [(8, "a|b")]),
        (r"[a\:b:c:3]", [(3, r"a\:b"), (8, "c")]), (r"\[a:b:3]", [(8, r"\[a:b:3]")]), ("[:3]", [(8, "")]),
    ],
)  # fmt: skip
def test_changes_stand_in_one_another_and_what_is_not_whole_is_words(text: str, expected: list[tuple[int, str]]) -> None:
    assert ends(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [b:.5] c", [(10, "a b c")]), ("a [b:1.5] c", [(5, "a  c"), (10, "a b c")]), ("a [b:12] c", [(2, "a  c"), (10, "a b c")]),
        ("[a:b:2.0]", [(10, "a")]),
    ],
)  # fmt: skip
def test_in_a_second_pass_shares_count_from_one_and_numbers_from_the_first_passes_steps(text: str, expected: list[tuple[int, str]]) -> None:
    assert ends(text, 10, second=10) == expected


def test_the_first_call_has_number_zero_so_a_first_option_lasts_a_call_longer_and_an_alternation_begins_twice() -> None:
    assert by_call("[cat:dog:5]", Pass(8)) == ["cat"] * 6 + ["dog"] * 2
    assert by_call("[a|b|c]", Pass(8)) == ["a", "a", "b", "c", "a", "b", "c", "a"]
    assert by_call("[fe|||]male", Pass(6)) == ["female", "female", "male", "male", "male", "female"]


def test_a_sampler_with_two_calls_a_step_counts_calls_so_a_number_is_reached_at_half_its_step() -> None:
    over = pass_of(TextToImage(sampler="Heun", steps=8))
    assert (over.calls, over.calls_a_step) == (16, 2)
    number, share = schedule("[a:b:7]", over), schedule("[a:b:0.5]", over)
    assert [number.at(step)[0].text for step in range(8)] == ["a"] * 4 + ["b"] * 4
    assert [share.at(step)[0].text for step in range(8)] == ["a"] * 5 + ["b"] * 3
    assert share.at(4, 0)[0].text == "a" and share.at(4, 1)[0].text == "b", "between the two calls of a step"


def test_image_to_image_counts_from_zero_over_the_steps_that_were_asked_for() -> None:
    over = pass_of(ImageToImage(steps=20, denoising_strength=0.5))
    made = schedule("[a:b:0.5]", over).made
    assert over.made == 11 and [(each.first, each.last, each.said[0].text) for each in made] == [(0, 10, "a")]
    assert [each.said[0].text for each in schedule("[a:b:0.25]", over).made] == ["a", "b"]


def test_a_second_pass_over_a_picture_of_which_nothing_is_told_counts_as_image_to_image() -> None:
    first = FirstPass(steps=10, sampler="Heun")
    assert pass_of(SecondPass(steps=12, first=(first,))).before == 20
    assert pass_of(SecondPass(steps=12)).before is None


# a1111.md 3: AND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a AND b", [(1, "a "), (1, " b")]), ("a :0.5 AND b: 2", [(0.5, "a"), (2, " b")]), ("a:-1 AND b :.5", [(-1, "a"), (0.5, " b")]),
        ("(a AND b:1.2)", [(1, "(a "), (1, " b:1.2)")]), ("a:1.2", [(1, "a:1.2")]), ("a ANDy, SAND and b", [(1, "a ANDy, SAND and b")]),
        ("a AND", [(1, "a "), (1, "")]), ("a AND b AND c:3.", [(1, "a "), (1, " b "), (3, " c")]), ("a:99 AND b", [(10, "a"), (1, " b")]),
    ],
)  # fmt: skip
def test_the_word_and_joins_prompts_with_a_weight_behind_each(text: str, expected: list[tuple[float, str]]) -> None:
    [only] = schedule(text, Pass(4)).intervals
    assert [(each.weight, each.text) for each in only.said] == expected


def test_in_the_negative_prompt_and_is_a_word() -> None:
    asked = asked_by(TextToImage(prompt="a", negative_prompt="b AND c"))
    assert asked.negative and [each.said[0].text for each in asked.negative.intervals] == ["b AND c"]


def test_each_of_the_joined_has_its_own_schedule() -> None:
    found = schedule("[a:b:2] AND [c|d]:0.5", Pass(4))
    assert [tuple(each.text for each in found.at(step)) for step in range(4)] == [("a ", " c"), ("a ", " c"), ("a ", " d"), ("b ", " c")]
    assert {each.weight for step in range(4) for each in found.at(step)} == {1, 0.5}


def test_guidance_one_reads_the_negative_prompt_where_prompts_are_joined() -> None:
    assert asked_by(TextToImage(prompt="a", negative_prompt="b", guidance_scale=1)).negative is None
    assert asked_by(TextToImage(prompt="a AND c", negative_prompt="b", guidance_scale=1)).negative is not None


# Comments, and what is switched off


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a # b\nc", "a \nc"), ("# all", ""), (r"a \# b", r"a \# b"), ("#1 cat", ""), ("a ~~b~~ c", "a  c"), ("a, ~~b~~, c", "a, c"),
        ("a, ~~b~~", "a"), ("~~a~~, b", " b"), ("~~a~~", ""), ("a, ~~b~~, ~~c~~, d", "a, d"), ("a ~~b", "a ~~b"),
        ("a ~b~ ~~~~", "a ~b~ ~~~~"),
        (r"a \~~b~~", r"a \~~b~~"), ("~~a # b~~ c", " c"), ("# ~~a\nb~~", "\nb~~"), ("[a:~~b~~:3]", "[a::3]"),
        ("(a, ~~b~~:1.2)", "(a, :1.2)"),
    ],
)  # fmt: skip
def test_comments_and_phrases_that_are_switched_off_are_not_said(text: str, said: str) -> None:
    assert parse(text).bare == said


def test_what_is_switched_off_names_no_file_and_stays_in_the_record() -> None:
    prompt, tags = take_tags("a ~~<lora:ink:0.8>~~ <lora:snow#2:1> # <lora:fog:1>")
    assert [tag.name for tag in tags] == ["snow#2"] and prompt == "a ~~<lora:ink:0.8>~~ # <lora:fog:1>"
    assert heard("a, ~~b~~, c # d") == "a, c # d", "for other programs, which know comments"


# Properties


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.integers(1, 12), st.sampled_from((1, 2)), st.none() | st.integers(0, 20))
def test_any_text_is_said_in_intervals_that_cover_all_calls(text: str, steps: int, calls: int, before: int | None) -> None:
    over = Pass(steps, calls, before=before)
    found = schedule(text, over).intervals
    assert found[0].first == 0 and found[-1].last == over.calls - 1
    assert all(one.last + 1 == other.first and one.said != other.said for one, other in pairwise(found))
    for each in found:
        for said in each.said:
            assert said.text == "".join(parse(text).bare[start:end] for start, end in said.spans)


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_what_is_said_at_a_step_is_plain_there(text: str) -> None:
    """Where it holds no sign of a change any more it says itself; weights and escapes are left for the weights."""
    for said in schedule(text, Pass(6)).texts:
        if not any(sign in said for sign in ("[", "AND", "~~", "#")):
            assert schedule(said, Pass(6)).texts == (said,)


@given(st.integers(2, 6), st.integers(1, 30))
def test_an_alternation_has_the_period_of_its_options(options: int, steps: int) -> None:
    text = f"[{'|'.join(map(str, range(options)))}]"
    found = by_call(text, Pass(steps))
    assert found == [str(max(call - 1, 0) % options) for call in range(steps)]


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 40))
def test_a_share_switches_after_so_many_of_the_calls(share: float, steps: int) -> None:
    written = f"{share:.4f}"
    until = int(float(written) * steps)
    assert by_call(f"[a:b:{written}]", Pass(steps)) == ["a" if max(call, 1) <= until else "b" for call in range(steps)]


def test_places_lead_back_to_the_text_as_it_was_written() -> None:
    text = "a <lora:x:1> ~~no~~ [day:night:0.5] # end"
    prompt = parse(text)
    [change] = prompt.changes
    start, end = prompt.in_text((change.start, change.end))
    assert text[start:end] == "[day:night:0.5]"
    assert text[slice(*prompt.in_text(change.when_at))] == "0.5"
    assert [prompt.bare[option.start : option.end] for option in change.options] == ["day", "night"]


# Older pictures


def test_before_there_were_schedules_brackets_that_hold_colons_were_words() -> None:
    request = TextToImage(prompt="[a:b:0.5] AND # x ~~y~~", language=WEIGHTS_ALONE)
    assert asked_by(request).prompt.texts == ("[a:b:0.5] AND # x ~~y~~",)
    assert asked_by(replace(request, prompt="[word] (x:1.2)")).prompt.texts == asked_by(TextToImage(prompt="[word] (x:1.2)")).prompt.texts
    assert [(run.text, round(run.weight, 4)) for run in parse_weights("[x:1.5]")] == [("x:1.5", 0.9091)]


# Bad input: what grows faster than the text is told from what does not (the 250 ms of a sentence are measured in `bench prompts`)


HOSTILE = [
    "[" * 100_000, "[a:" * 33_333, "[a:b:2]" * 14_000, "[a:" * 33_000 + "]" * 1_000, "[" * 25_000 + "a" + ":1]" * 25_000, "([" * 50_000,
    "[a|" * 33_000 + "]" * 1_000, "~~" * 50_000, "#" * 100_000, "~~a" * 33_333, "a AND " * 500, "[a|b]" * 190 + "x, " * 33_000,
    "[a:b:" + "9" * 99_000 + "]", "<lora:" * 16_000, "~~<lora:x>~~" * 8_000, "[א:ב:0.5]" * 150, "👩\u200d👩\u200d👧" * 20_000,
    ")" * 100_000,
    "[a|b]" * 201, "[" * 101 + "a" + ":1]" * 101, "[a:b:1e999]" * 90, "{a|b}" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:12]!r}{len(text)}")
def test_whatever_is_typed_is_read_in_time_that_grows_with_its_length(text: str) -> None:
    reader().notes("id-base", "a")
    begun = time.process_time()
    reader().notes("id-base", text[:100_000], run=TextToImage(steps=150, sampler="Heun"))
    assert time.process_time() - begun < 3  # 30 times what the slowest takes; with the square of its length it would be a minute


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a AND " * 16, "17 prompts; 16 are the most"), ("[a|b]" * 201, "more than 200"),
        ("[" * 101 + "a" + ":1]" * 101, "more than 100 deep"), ("[a|b|c|d]" + "x" * 99_000, "longer than 250,000 characters in all"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        asked_by(TextToImage(prompt=text))


# What the page says of it


@pytest.mark.parametrize(
    ("text", "run", "told"),
    [
        ("a [day:night:0.5]", TextToImage(), "“[day:night:0.5]”: day for steps 1–11, night for steps 12–20."),
        ("[day:night:0.5]", TextToImage(sampler="Heun"), "night from the middle of step 11 to step 20."),
        ("[cat:0.25]", TextToImage(), "nothing for steps 1–6, cat for steps 7–20."),
        ("[a|b]", TextToImage(), "a, b by turns, another at each step."),
        ("[a:b:0.5]", ImageToImage(denoising_strength=0.5), "a in all 11 steps."),
        ("[a:b:1.5]", TextToImage(hires=True, hires_steps=10), "In the second pass: “[a:b:1.5]”: a for steps 1–6, b for steps 7–10."),
        ("a AND b:0.5", TextToImage(), "AND joins “a” 1, “b” 0.5; each step takes about 1.5 times as long."),
        ("a ~~b~~", TextToImage(), "Switched off: “b”."),
    ],
)  # fmt: skip
def test_notes_tell_what_a_schedule_will_do_in_the_steps_of_this_run(text: str, run: TextToImage, told: str) -> None:
    assert any(sentence.endswith(told) for sentence in reader().notes("id-base", text, run=run).drawn)


def test_a_second_prompt_for_a_model_with_one_encoder_is_said_to_do_nothing() -> None:
    assert "has one text encoder" in " ".join(reader().notes("id-base", "a", run=TextToImage(second_prompt="oil")).sentences)


def test_the_longest_of_what_is_said_is_counted() -> None:
    counted = reader().notes("id-base", "[a:a b c:3]").counted
    assert counted and counted.tokens == 3


def test_numbers_of_calls_are_finite_whatever_is_written() -> None:
    found: Schedule = schedule("[a:b:1.0e300] [c:d:-1.0e300]", Pass(150, 2, before=10**6))
    assert found.texts == ("a d",) and math.isfinite(found.over.calls)

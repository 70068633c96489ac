"""Ctrl+Up and Ctrl+Down in a prompt, judged by the parser that draws: one step of one number, and nothing else is read otherwise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.prompts import Prompt, parse
from tests.support.node import node
from tests.support.prompt_keys import Keys, keys_of

PIECES = (
    "red", "house", " ", ", ", "(", ")", "[", "]", ":1.2)", ":0.9)", ":-0.5)", ": 1.15 )", ":1)", "\\", "\\(", "\\)", "\n",
    " BREAK ", ":", "|", "<", ">",
    "<lora:ink>", "<lora:ink:0.8>", "<lora:ink:0.8:0.6>", "<lora:ink:-0.5>", "<lora:a (b):te=0.5:unet=.8>", "<lyco:ink:lbw=0,1:0.5>",
    "<lora:ink:3.95>", "<hypernet:x:0.5:0.7>", "<lora:ink:much>", "é", "🦊", "1.5", "((red))", "[red:blue:0.5]", "(red house:1.0)",
    "~~", "~~red~~", "# red\n", "#", "[red|blue]", " AND ", "~~<lora:ink>~~",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    engine = node()
    if engine is None:
        pytest.skip("no JavaScript engine: pip install playwright")
    with keys_of(engine) as found:
        yield found


# A prompt with the selection between broken bars (one: the cursor), presses (negative: down), and what comes out.
PRESSES = [
    ("a ¦red¦ house", 1, "a (red:1.1) house"), ("a ¦red¦ house", -1, "a (red:0.9) house"), ("a r¦ed house", 2, "a (red:1.2) house"),
    ("a ¦red house ¦now", 1, "a (red house:1.1) now"), ("a (re¦d:1.1) house", 1, "a (red:1.2) house"),
    ("a (red¦:1.1) house", -1, "a red house"), ("a (¦red¦:1.1) house", -2, "a (red:0.9) house"),
    ("a (¦red¦:0.9) house", 1, "a red house"), ("a ¦(red:1.25)¦ house", 1, "a (red:1.35) house"),
    ("((r¦ed)) house", 1, "(red:1.31) house"), ("[r¦ed] house", 1, "(red:1.01) house"),
    ("(a ¦red¦ house:1.3)", 1, "(a (red:1.1) house:1.3)"), ("(a (r¦ed:1.1) house)", 1, "(a (red:1.2) house)"),
    (r"smile \(ha¦ppy\)", 1, r"smile \((happy:1.1)\)"), (r"smile ¦\(happy\)¦", 1, r"smile (\(happy\):1.1)"),
    (r"smile \¦(happy\)¦", 1, r"smile (\(happy\):1.1)"), ("a red house¦", 1, "a red (house:1.1)"), ("a,¦ b", 1, "a, b"),
    ("(x¦:0.1)", -2, "(x:-0.1)"), ("(x:-0¦.5)", 1, "(x:-0.4)"), ("(x¦:-0.5)", -1, "(x:-0.6)"), ("(x¦: 1.25 )", 1, "(x: 1.35 )"),
    ("(x¦:9.95)", 3, "(x:10.0)"), ("(re¦d house:1.1)", -1, "red house"), ("(red:1.1)¦", 1, "(red:1.2)"), ("¦(red:1.1)", 1, "(red:1.2)"),
    ("[cat:do¦g:0.5]", 1, "[cat:(dog:1.1):0.5]"), ("[re¦d|blue]", 1, "[(red:1.1)|blue]"), ("a BR¦EAK b", 1, "a BREAK b"),
    ("¦a BREAK b¦", 1, "(a BREAK b:1.1)"), ("a ¦b (c¦ d) e", 1, "a (b (c d):1.1) e"), ("smile ¦:)¦", 1, "smile :)"),
    ("¦a (b¦", 1, "a (b"), ("((a:1.2¦:1.1))", -1, "((a:1.2:1.0))"), ("(¦:1.1)", -1, "(:1.0)"),
    ("snow\nred¦ night", 1, "snow\n(red:1.1) night"), ("(red :1.1¦) x", -1, "red  x"), ("[a (re¦d:1.2)|b]", 1, "[a (red:1.3)|b]"),
    ("<lora:sna¦il:0.8>", 1, "<lora:snail:0.85>"), ("<lora:sna¦il:0.8>", 2, "<lora:snail:0.9>"),
    ("<lora:sna¦il:0.8>", 3, "<lora:snail:0.95>"), ("<lora:sna¦il:0.8>", -2, "<lora:snail:0.7>"),
    ("¦<lora:snail:0.8>¦", 5, "<lora:snail:1.05>"), ("<lora:sna¦il>", -1, "<lora:snail:0.95>"),
    ("<lora:snail:0.8>¦", 2, "<lora:snail:0.9>"), ("¦<lora:snail:0.8>", 1, "<lora:snail:0.85>"),
    ("<lo¦ra:x:0.8:0.6>", 2, "<lora:x:0.8:0.7>"), ("<lora:x:0.¦8:0.6>", 2, "<lora:x:0.9:0.6>"),
    ("<lora:x:0.8:0.6:¦4>", 1, "<lora:x:0.8:0.65:4>"), ("<lora:x¦:te=0.5>", 1, "<lora:x:te=0.55>"),
    ("<lora:x¦:unet=0.8:te=0.5:lbw=0,1>", 3, "<lora:x:unet=0.95:te=0.5:lbw=0,1>"),
    ("<lora:x:unet=0.8:te=0.¦5>", -1, "<lora:x:unet=0.8:te=0.45>"), ("<lora:x¦:lbw=0,1>", 1, "<lora:x:1.05:lbw=0,1>"),
    ("<lora:x¦:-0.05>", 2, "<lora:x:0.05>"), ("<lora:x¦:3.95>", 3, "<lora:x:4.0>"), ("<lora:x¦:9>", -1, "<lora:x:3.95>"),
    ("<lora:x¦:much>", 1, "<lora:x:much>"), ("<lora:my (st¦yle):0.8>", 1, "<lora:my (style):0.85>"),
    ("<LYCO:x¦: .5 >", 1, "<LYCO:x: 0.55 >"), ("<hypernet:x¦:0.5:0.7>", 1, "<hypernet:x:0.5:0.75>"),
    ("<hypernet:x¦:1e-1>", 1, "<hypernet:x:0.15>"), ("(a <lora:x:0.¦8> b:1.2)", 1, "(a <lora:x:0.85> b:1.2)"),
    ("(¦a <lora:x:0.8> b¦:1.2)", 1, "(a <lora:x:0.8> b:1.3)"), ("¦a <lora:x¦:0.8>", 1, "(a <lora:x:0.8>:1.1)"),
    ("<wild:re¦d>", 1, "<wild:(red:1.1)>"), ("🦊 re¦d", 1, "🦊 (red:1.1)"),
    ("~~re¦d~~ x", 1, "~~red~~ x"), ("a # re¦d", 1, "a # red"),
    ("~~red~~ (sn¦ow:1.2)", 1, "~~red~~ (snow:1.3)"),
    ("[¦cat:dog¦:0.5]", 1, "[cat:dog:0.5]"), ("[¦cat|dog¦]", 1, "[cat|dog]"), ("[a (re¦d:1.2):b:3]", 1, "[a (red:1.3):b:3]"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "presses", "expected"), PRESSES)
def test_the_keys_that_weigh_follow_their_rules(keys: Keys, marked: str, presses: int, expected: str) -> None:
    start, end = marked.index("¦"), marked.rindex("¦") - (marked.count("¦") - 1)
    *_, last = keys.presses(marked.replace("¦", ""), start, end, [1 if presses > 0 else -1] * abs(presses))
    assert last[0] == expected


# A prompt with the selection between broken bars, and what Ctrl+/ makes of it.
SWITCHES = [
    ("a house, red sn¦ow, night", "a house, ~~red snow~~, night"), ("a house, ~~red sn¦ow~~, night", "a house, red snow, night"),
    ("a ¦red¦ house", "a ~~red~~ house"), ("a ~~¦red¦~~ house", "a red house"), ("(a, re¦d:1.2)", "(a, ~~red~~:1.2)"),
    ("a (re¦d, b:1.2), c", "a (~~red~~, b:1.2), c"), ("sn¦ow (a, b), c", "~~snow (a, b)~~, c"), ("[da¦y:night:0.5]", "[~~day~~:night:0.5]"),
    ("[a|b¦ c]", "[a|~~b c~~]"), ("a ¦<lora:x:1>¦", "a ~~<lora:x:1>~~"), ("a, <lora:x¦:1>", "a, ~~<lora:x:1>~~"), ("a,¦ , b", "a, , b"),
    ("¦a (b¦:1.2)", "~~a (b:1.2)~~"), ("¦a, ~~b~~, c¦", "~~a, b, c~~"), ("snow\nre¦d\nnight", "snow\n~~red~~\nnight"),
    ("🦊 re¦d, x", "~~🦊 red~~, x"),
    ("# no¦te", "# note"), ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "expected"), SWITCHES)
def test_a_phrase_is_switched_off_and_on_again(keys: Keys, marked: str, expected: str) -> None:
    start = max(marked.find("¦"), 0)
    end = max(marked.rfind("¦") - (marked.count("¦") - 1), 0)
    text = marked.replace("¦", "")
    after, *selection = keys.switch(text, start, end)
    assert after == expected
    if after != text and "~~" not in text:
        back, *again = keys.switch(after, *selection)
        assert back == text and (start, end) in ((again[0], again[1]), (start, end))
        assert len(parse(after).bare) < len(parse(text).bare) or "<" in text


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.data())
def test_switching_changes_nothing_but_what_is_said(keys: Keys, text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    after, *selection = keys.switch(text, start, data.draw(st.integers(start, len(text))))
    assert after.replace("~~", "") == text.replace("~~", "") and 0 <= selection[0] <= selection[1] <= len(after)
    if after != text:
        offs = [sum(each.kind == "off" for each in parse(each_text).silent) for each_text in (text, after)]
        assert offs[0] != offs[1] or "~~" in text


def test_the_numbers_are_as_exact_as_they_are_written(keys: Keys) -> None:
    found = [text for text, *_ in keys.presses("<lora:x:0.123456789>", 7, 7, [1, 1, -1, -1])]
    assert found == [f"<lora:x:0.{digits}>" for digits in ("173456789", "223456789", "173456789", "123456789")]
    many = [text for text, *_ in keys.presses("(x:0.1)", 2, 2, [1] * 8)]
    assert many == [f"(x:0.{digit})" for digit in range(2, 10)]


def weights(prompt: Prompt) -> list[tuple[str, float]]:
    """Of each character but spaces, some of which a BREAK takes along."""
    return [(character, run.weight) for run in prompt.runs for character in run.text if not character.isspace()]


def strengths(prompt: Prompt) -> list[tuple[str, float, float, str] | str]:
    def read(tag: object) -> tuple[str, float, float, str] | str:
        try:
            found = tag.read()  # pyright: ignore[reportAttributeAccessIssue]
        except UserError as error:
            return str(error)
        return (found.name, found.unet if found.kind == "hypernet" else found.text_encoder, found.unet, found.blocks)

    return [read(tag) for tag in prompt.tags]


def factors(prompt: Prompt) -> Counter[float]:
    """Of all brackets."""
    found: Counter[float] = Counter()
    for group in prompt.groups:
        number = re.search(r":\s*([+-]?[.0-9]+)\s*\)$", prompt.bare[group.start : group.end]) if group.bracket == "(" else None
        try:
            found[float(number[1]) if number else 1.1 if group.bracket == "(" else 1 / 1.1] += 1
        except ValueError:
            found[1.1] += 1
    return found


def check_one_step(before: str, after: str, direction: int) -> None:
    old, new = parse(before), parse(after)
    assert [run.text for run in old.runs if run.is_break] == [run.text for run in new.runs if run.is_break]
    assert [character for character, _ in weights(old)] == [character for character, _ in weights(new)]
    changed = [(one, other) for one, other in zip(strengths(old), strengths(new), strict=True) if one != other]
    gone, come = factors(old) - factors(new), factors(new) - factors(old)
    if changed:
        [(one, other)] = changed
        assert isinstance(one, tuple) and isinstance(other, tuple)
        steps = {round(b - a, 6) for a, b in zip(one[1:3], other[1:3], strict=True)} - {0}
        assert steps == {0.05 * direction} and (one[0], one[3]) == (other[0], other[3])
        assert not gone and not come
    else:
        assert len([*come.elements()]) <= 1
        assert prod(come.elements()) - prod(gone.elements()) == pytest.approx(0.1 * direction, abs=0.006)


@settings(deadline=None, max_examples=150)
@given(TEXTS)
def test_the_page_finds_tags_and_brackets_where_the_server_does(keys: Keys, text: str) -> None:
    theirs, ours = keys.read(text), parse(text)
    assert [(tag["start"], tag["end"]) for tag in theirs["tags"]] == [(tag.start, tag.end) for tag in ours.tags]
    if not ours.tags and not ours.silent:
        assert [(each["bracket"], each["start"], each["end"]) for each in theirs["groups"]] == [
            (each.bracket, each.start, each.end) for each in ours.groups
        ]
    said = "".join(run.text for run in ours.runs if not run.is_break)
    if ours.silent:  # the page leaves the comma and the space beside what is switched off
        said, theirs["said"] = (re.sub(r"[,\s]", "", text) for text in (said, theirs["said"]))
    assert theirs["said"] == said or theirs["breaks"] == sum(run.is_break for run in ours.runs) > 0


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.data(), st.sampled_from((1, -1)))
def test_a_press_is_one_step_of_one_number_or_nothing(keys: Keys, text: str, data: st.DataObject, direction: int) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)) | st.just(start))
    after, *selection = keys.press(text, start, end, direction)
    assert 0 <= selection[0] <= selection[1] <= len(after)
    if after != text:
        check_one_step(text, after, direction)


@settings(deadline=None, max_examples=200)
@given(TEXTS, st.data(), st.sampled_from((1, -1)), st.integers(1, 12))
def test_so_many_presses_up_and_down_again_say_what_was_said(
    keys: Keys, text: str, data: st.DataObject, direction: int, times: int
) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)) | st.just(start))
    there = keys.presses(text, start, end, [direction] * times)
    for before, (after, *_) in zip([text, *(each[0] for each in there)], there, strict=False):
        if before == after:
            return  # nothing there to weigh, or the end of what has an effect
        check_one_step(before, after, direction)
    back, *_ = keys.presses(*there[-1], [-direction] * times, more=True)[-1]
    assert strengths(parse(back)) == strengths(parse(text))
    assert [weight for _, weight in weights(parse(back))] == pytest.approx([weight for _, weight in weights(parse(text))], abs=0.05)

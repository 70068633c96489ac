"""What is seen of a prompt while it is written: marks against the weights that are drawn, the time line against the schedule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipelines.denoising.stepped import Relay
from pipelines.metadata.two_passes import first_pass, unsized
from pipelines.prompts import Names, Pass, parse, plain_runs, schedule
from pipelines.prompts.asked import asked_by
from pipelines.prompts.marks import marks
from pipelines.requests.added import LoraUse
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Drawing, ImageToImage, TextToImage
from pipelines.requests.steps import Steps, steps_of
from pipelines.requests.wording import texts_of
from pipelines.services.time_line import TimeLine, time_lines, voices
from tests.test_prompt_language import HOSTILE
from tests.test_prompt_names import reader
from ui.parts.prompt_seen import lines_seen, seen

pytestmark = pytest.mark.smoke

PIECES = (
    "a", "b ", ", ", "(", ")", "[", "]", ":1.2)", ":0.7)", "\\(", " BREAK ", "[a:(b):0.5]", "[a|(b:0.4)]", "[[a:b:3]:c:5]", "~~a~~",
    "# b\n", " AND ", "<lora:x:1>", "👩\u200d👧", "é",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def told(text: str, joins: bool = True) -> set[tuple[str, str]]:
    known = frozenset({"a", "b", "c", "house"})
    return {(mark.kind, text[mark.start : mark.end]) for mark in marks(text, Names.of(["odd (v1)"]), known, joins)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a (b:1.2) [c]", {("strong", "(b:1.2)"), ("weak", "[c]")}), ("(a:1) ((b))", {("strong", "((b))")}),
        ("(a [b])", {("strong", "(a ")}),
        ("<lora:ink:0.8> a", {("tag", "<lora:ink:0.8>")}), (r"a, ODD \(v1\)", {("tag", r"ODD \(v1\)")}),
        ("[a:(b:0.8):0.5]", {("schedule", "[a:(b:0.8):0.5]"), ("weak", "(b:0.8)")}), ("[a|b]", {("alternation", "[a|b]")}),
        ("a :2 AND b", {("join", ":2 AND")}), ("a BREAK b", {("join", "BREAK")}), ("a AND b :0.5", {("join", "AND"), ("join", ":0.5")}),
        ("a, ~~(b)~~, c # a (", {("off", ", ~~(b)~~"), ("comment", "# a (")}),
        ("({a|[b:c:3]} c:1.2)", {("choice", "{a|[b:c:3]}"), ("strong", "({a|[b:c:3]} c:1.2)")}), ("a __c__", {("choice", "__c__")}),
        ("a, Snow's house", {("unknown", "Snow's")}), ("a )", {("odd", ")")}), ("(a", {("strong", "(a"), ("odd", "(")}),
        ("{a|b", {("odd", "{")}), ("<foo:a>", {("odd", "<foo:a>"), ("unknown", "foo")}),
        ("[a:b:c]", {("odd", "[a:b:c]"), ("weak", "[a:b:c]")}),
        ("(a AND b)", {("join", "AND"), ("odd", "("), ("odd", ")"), ("strong", "(a ")}),
    ],
)  # fmt: skip
def test_each_part_of_a_prompt_is_marked_as_what_it_is(text: str, found: set[tuple[str, str]]) -> None:
    assert told(text) == found


def test_and_is_a_word_in_a_negative_prompt() -> None:
    assert ("join", "AND") in told("a AND b")
    assert not any(kind == "join" for kind, _ in told("a AND b", joins=False))


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_what_is_tinted_is_what_is_drawn_stronger_or_weaker(text: str) -> None:
    prompt = parse(text)
    assume(not prompt.problem)
    tints = {
        kind: {place for mark in marks(text) if mark.kind == kind for place in range(mark.start, mark.end)} for kind in ("strong", "weak")
    }
    for interval in schedule(prompt, Pass(12)).intervals:
        for said in interval.said:
            places = [prompt.places[place] for start, end in said.spans for place in range(start, end)]
            for run in plain_runs(said.text):
                for offset in () if run.is_break else run.offsets:
                    assert (places[offset] in tints["strong"]) == (run.weight > 1), (text, run)
                    assert (places[offset] in tints["weak"]) == (run.weight < 1), (text, run)


def work(text: str) -> int:
    """Lines that are run to colour a text."""
    lines = 0

    def count(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        reader().marks("id-base", text)
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:12]!r}{len(text)}")
def test_the_colours_of_whatever_is_typed_lie_in_it_and_are_read_in_work_that_grows_with_its_length(text: str) -> None:
    assert work(text[:2_000]) <= 8 * work(text[:500]) + 20_000  # lines of Python that are run; 16 times where it grew with the square
    found = reader().marks("id-base", text[:10_000])
    assert all(0 <= mark.start < mark.end <= 10_000 for mark in found)
    assert reader().marks("id-base", text[:10_001]) == [] or len(text) <= 10_000


@settings(deadline=None)
@given(st.integers(1, 150), st.integers(1, 2), st.none() | st.integers(0, 300), st.booleans(), st.data())
def test_the_number_of_a_call_is_read_as_that_call(steps: int, per: int, before: int | None, as_share: bool, data: st.DataObject) -> None:
    over = Pass(steps, per, before=before)
    last = data.draw(st.integers(0, over.calls))
    (change,) = parse(f"[a:b:{over.when(last, as_share)}]").changes
    assert over.last_call(change) == last and ("." in change.when) == as_share
    assert Pass(10).when(5, as_share) == ("0.5" if as_share else "5")


class Shelf:
    def model(self, model_id: str) -> Any:
        return SimpleNamespace(name={"r": "fine", "u": "lines"}[model_id])


def line_of(text: str, run: Drawing) -> TimeLine:
    return lines_of(replace(run, prompt=text))[0]


def lines_of(run: Drawing) -> tuple[TimeLine, ...]:
    return time_lines(voices(run, Shelf()), texts_of(run))


@pytest.mark.parametrize(
    "run", [TextToImage(steps=10), TextToImage(steps=7, sampler="Heun"), ImageToImage(steps=10, denoising_strength=0.5)]
)
def test_the_number_that_is_written_for_an_edge_puts_it_there(run: TextToImage | ImageToImage) -> None:
    text = "👩‍👧 ~~x~~ [night:6] [a (red:1.2)::.5] c"
    line = line_of(text, run)
    assert [text[edge.start : edge.end] for edge in line.edges] == ["6", ".5"]
    for number, edge in enumerate(line.edges):
        for at, written in enumerate(line.shares if edge.is_share else line.calls):
            again = line_of(text[: edge.start] + written + text[edge.end :], run).edges[number]
            assert again.at == (0 if at == 1 else at) and again.is_share == edge.is_share


def test_the_time_line_tells_the_plain_prompt_of_each_step_that_runs() -> None:
    text = "a [day:night:0.5] (b:1.2) [x|y]"
    line = line_of(text, TextToImage(steps=6))
    by_step = [each.whole for each in line.stretches for _ in range(each.first, each.last + 1)]
    days, turns = ["day"] * 4 + ["night"] * 2, ["x", "x", "y", "x", "y", "x"]  # the first two calls are both the first turn
    assert by_step == [f"a {day} (b:1.2) {turn}" for day, turn in zip(days, turns, strict=True)]
    assert line.stretches[0].says == "day · x"
    assert len(line_of("[a:b:0.5]", ImageToImage(steps=20, denoising_strength=0.5)).stretches) == 1
    assert lines_of(TextToImage(prompt="a house", negative_prompt="snow", steps=6, hires=True)) == ()


PASSES = TextToImage(
    prompt="a [day:night:0.5] [b:1.5]", negative_prompt="[fog:0.25] AND x", second_prompt="[oil|ink]", hires=True, steps=10, hires_steps=8
)


def test_each_prompt_in_which_something_changes_has_a_line_and_so_has_each_pass() -> None:
    """What each step says is what drawing asks for at that step."""
    lines = lines_of(PASSES)
    assert [(line.title, line.field) for line in lines] == [
        ("Prompt", "prompt"), ("Negative prompt", "negative_prompt"), ("Second prompt", "second_prompt"), ("Second pass", "prompt"),
        ("Negative prompt of the second pass", "negative_prompt"),
    ]  # fmt: skip
    second = replace(unsized(PASSES), first=(first_pass(PASSES, ""),))
    first, again = asked_by(PASSES), asked_by(second)
    for line, asked in zip(lines, (first.prompt, first.negative, first.second, again.prompt, again.negative), strict=True):
        assert asked
        told = [each.whole for each in line.stretches for _ in range(each.first, each.last + 1)]
        assert told == [" ".join(asked.at_call(call)[0].text.split()) for call in range(asked.over.made)]
    own = lines_of(replace(PASSES, hires_prompt="[x:y:1.5]", hires_negative_prompt="z"))
    assert [(line.title, line.field) for line in own[3:]] == [("Second pass", "hires_prompt")]
    assert [line.title for line in lines_of(replace(PASSES, guidance_scale=1.0))] == ["Prompt", "Second prompt", "Second pass"]


@pytest.mark.parametrize("run", [PASSES, replace(PASSES, sampler="Heun", hires_sampler="Euler", hires_prompt="[x:y:13] [z::1.25]")])
def test_the_number_that_is_written_for_an_edge_of_any_line_puts_it_there(run: TextToImage) -> None:
    for index, line in enumerate(lines_of(run)):
        text = texts_of(run)[line.field]
        for number, edge in enumerate(line.edges):
            for at, written in enumerate(line.shares if edge.is_share else line.calls):
                changed = replace(run, **{line.field: text[: edge.start] + written + text[edge.end :]})
                again = lines_of(changed)[index].edges[number]
                assert again.at == (0 if at == 1 else at) and again.is_share == edge.is_share


def test_what_acts_at_some_steps_alone_has_a_line_of_its_strengths() -> None:
    use = ControlUse(id="u", weight=0.8, start=0.5)
    loras = (LoraUse(id="l", name="listed", unet=2.0, pace="0@0, 1@1"), LoraUse(id="m", name="always"))
    run = TextToImage(
        steps=5, loras=loras, controls=(use, ControlUse(id="u"), ControlUse(weight=1.0, end=0.5)), refiner="r", refiner_start=0.8
    )
    line = line_of("a <lora:ink:0@0,0.8@1> <lora:oil:0.5>", run)
    assert [(lane.sort, lane.name) for lane in line.lanes] == [
        ("LoRA", "listed"),
        ("LoRA", "ink"),
        ("Control", "lines"),
        ("Refiner", "fine"),
    ]
    assert line.lanes[0].strengths == pytest.approx((0, 0.5, 1, 1.5, 2))
    assert line.lanes[1].strengths == pytest.approx((0, 0.2, 0.4, 0.6, 0.8))
    assert line.lanes[2].strengths == (0, 0, 0, 0.8, 0.8)
    assert line.lanes[3].strengths == (0, 0, 0, 0, 1)


def test_the_line_of_a_refiner_changes_where_the_refiner_takes_over() -> None:
    began: list[tuple[str, int]] = []
    run = ImageToImage(steps=20, denoising_strength=0.5, refiner="r", refiner_start=0.7)
    steps = steps_of(run)
    relay = Relay((0.0, Turn("base", began)), (run.refiner_start, Turn("refiner", began)))  # pyright: ignore[reportArgumentType]
    for index in range(steps.skipped, steps.planned):
        relay.begin(index, steps)
    assert line_of("a house", run).lanes[0].strengths == tuple(float(name == "refiner") for name, _ in began)


class Turn:
    gathered: object = None

    def __init__(self, name: str, began: list[tuple[str, int]]) -> None:
        self.name, self.began = name, began

    def begin(self, index: int, steps: Steps) -> None:
        self.began.append((self.name, index))


def test_the_edges_of_a_prompt_with_choices_are_those_of_the_text_that_is_typed() -> None:
    text = "{a|b} __c__ [{day|noon}:night:0.5]"
    drawn = TextToImage(prompt="b house [noon:night:0.5]", steps=10)
    [line] = time_lines(voices(drawn, Shelf()), texts_of(drawn) | {"prompt": text})
    assert [text[edge.start : edge.end] for edge in line.edges] == ["0.5"]


class Studio:
    prompts = reader()


def test_places_are_counted_as_javascript_counts() -> None:
    text = "👩‍👧 (red:1.2) é [day:night:0.5]"
    units = text.encode("utf-16-le")
    found = seen(Studio(), "id-base", {"prompt": text, "hires_prompt": text})["hires_prompt"]  # pyright: ignore[reportArgumentType]
    assert [units[2 * each["start"] : 2 * each["end"]].decode("utf-16-le") for each in found] == ["(red:1.2)", "[day:night:0.5]"]
    [line] = lines_seen([line_of(text, TextToImage())], {"prompt": text})
    assert units[2 * line["edges"][0]["start"] : 2 * line["edges"][0]["end"]].decode("utf-16-le") == "0.5"

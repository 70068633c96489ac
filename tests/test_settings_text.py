"""The line of settings is found wherever it stands, and no text costs more than its length."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.metadata import infotext
from pipelines.metadata.settings_text import take_apart
from pipelines.requests.request import TextToImage

LINE = "Steps: 24, Sampler: Euler a, CFG scale: 6.5, Seed: 4711, Size: 512x640"
VALUES = {"steps": 24, "sampler": "Euler a", "guidance_scale": 6.5, "seed": 4711, "width": 512, "height": 640}


def parsed(text: str) -> dict[str, object]:
    values = infotext.parse(text).values
    assert {name: values.get(name) for name in VALUES} == VALUES
    return values


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [
        (f"a house\nNegative prompt: fog\n{LINE}", "a house", "fog"),
        (f"a house\r\nNegative prompt: fog\r\n{LINE}\r\n", "a house", "fog"),
        (f"a house\rNegative prompt: fog\r{LINE}", "a house", "fog"),
        (f"\n\n a house\nby night\n\nNegative prompt: fog\nrain\n  {LINE}\n\n", "a house\nby night\n", "fog\nrain"),
        (f"a house\n{LINE}", "a house", ""), (LINE, "", ""), (f"Negative prompt: fog\n{LINE}", "", "fog"),
        (f"a house\nNegative prompt: fog\n{LINE}, Version: v1\nTemplate: a {{red|blue}} house\nNegative Template: fog", "a house", "fog"),
        (f"a house\n{LINE}\nTemplate: a house\nSteps: 3, Sampler: LCM, Seed: 1 said twice\nNegative Template: x", "a house", ""),
        (f"a house\n{LINE}\nControlNet 0: \"Module: canny, Model: x\", Hires upscale: 2\nwords that nobody knows", "a house", ""),
        (f"a house\n{LINE.replace(', CFG', ',' + chr(10) + 'CFG')}", "a house", ""),
        (f"a house\nNegative prompt: fog {LINE}", "a house", "fog"), (f"a house Negative prompt: fog {LINE}", "a house", "fog"),
        (f"Steps: 3, Sampler: LCM, Seed: 1\nNegative prompt: fog\n{LINE}", "Steps: 3, Sampler: LCM, Seed: 1", "fog"),
        (f"ten Steps: up, Negative prompt: no\nNegative prompt: Steps: many\n{LINE}", "ten Steps: up, Negative prompt: no", "Steps: many"),
        (f"a house\n{LINE}, Hires prompt: \"by night\nSteps: 3, Sampler: LCM, Seed: 1\nstars\", Hires steps: 9", "a house", ""),
        (f"a house\n{LINE}, ADetailer prompt: \"a \\\"face\\\", eyes: blue\\nhair\", Version: v1", "a house", ""),
        (f"a house\n{LINE}, Broken: \"never closed, Version: v1", "a house", ""),
        ("a house\nSize: 512x640, Seed: 4711, CFG scale: 6.5, Sampler: Euler a, Steps: 24, App: SD.Next", "a house", ""),
        ("a house\nSteps : 24,Sampler:Euler a ,  cfg  Scale :6.5 , SEED: 4711,size: 512 x 640", "a house", ""),
        (f"a {{red|blue}} house, (snow:1.2)\n{LINE}", "a {red|blue} house, (snow:1.2)", ""),
        (f"{LINE}\nNegative prompt: fog", "", "fog"),
    ],
)  # fmt: skip
def test_the_settings_are_found_wherever_they_stand(text: str, prompt: str, negative: str) -> None:
    values = parsed(text)
    assert (values["prompt"], values["negative_prompt"]) == (prompt, negative)


def test_what_stands_behind_is_kept_by_its_key_or_told() -> None:
    found = infotext.parse(f"a house\n{LINE}, Version: v1\nTemplate: a {{red|blue}}\nhouse\nNegative Template: fog")
    assert (found.values["prompt_template"], found.values["negative_template"]) == ("a {red|blue}\nhouse", "fog")
    assert not found.leftovers and not found.notes
    found = infotext.parse(f"a house\n{LINE}\nwords that nobody knows")
    assert "“words that nobody knows”" in found.notes[0]


def test_values_in_quotes_hold_anything() -> None:
    pairs = take_apart(f'x\n{LINE}, One: "a, b: \\"c\\"\\nd", Two: "over\nlines, Three: no", Three: "\\u96ea", Four: "not closed').pairs
    assert [pairs[key] for key in ("One", "Two", "Three", "Four")] == ['a, b: "c"\nd', "over\nlines, Three: no", "雪", '"not closed']


EVIL = st.sampled_from([
    "house", ",", ":", "\n", '"', "\\", " ", "\r", "\r\n", "Template: x", "\nNegative Template:", "Negative prompt: x",
    ", Version: Atelier", "\nSteps: 1, Sampler: LCM, Seed: 2", '\nSteps: 1, Sampler: "LCM, Seed: 2',
    "Size: 64x64, Seed: 3, Model: x", " Steps: 5,", "<lora:x:1>",
])  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(EVIL, max_size=8).map("".join), st.lists(EVIL, max_size=8).map("".join), st.text(max_size=20))
def test_no_prompt_hides_the_settings_that_we_write(prompt: str, negative: str, model: str) -> None:
    request = TextToImage.admit({"prompt": prompt, "negative_prompt": negative, "seed": 7, "steps": 33})
    found = infotext.parse(infotext.write(request, {"Model": model}))
    assert TextToImage.admit(found.values) == request


def work(text: str) -> int:
    """How many functions are called to read it."""
    calls = 0

    def count(_frame: object, event: str, _given: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        infotext.parse(text)
    finally:
        sys.setprofile(None)
    return calls


WORDS = ("Steps: 1", "Seed: 2, ", "Size: 3, Seed: 4, Steps: 5,", "Template:", "Negative prompt:", "é", "a", " ", ",", ":", '"', "\\", "\n")
UNITS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map("".join)


@settings(deadline=None, max_examples=20)
@example("x\nSteps: 1, Seed: 2, Size: 3, ", ",")
@example("x\nSteps: 1, Seed: 2, Size: 3, ", ":")
@example("", "Steps: 1\n")
@given(st.sampled_from(["", "x\nSteps: 1, Seed: 2, Size: 3, ", 'Steps: 1, Seed: 2, Size: "']), UNITS)
def test_a_text_of_a_million_letters_takes_little_work(begins: str, unit: str) -> None:
    assert work(begins + unit * (1_000_000 // len(unit))) < 100_000

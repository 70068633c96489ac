"""A form mirrors its request: same names, the request's limits, and every value there and back unchanged."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

import ui.tabs
from pipelines import Range, Several, TextToImage, UserError, limits
from pipelines.requests.request import SAMPLER_NAMES, SCHEDULE_NAMES, HypernetworkUse, LoraUse
from tests.support.asked import drawing
from ui.parts import controls
from ui.parts.form import Form
from ui.parts.sections import SAMPLER_LINES, SCHEDULE_LINES, hint

pytestmark = pytest.mark.smoke

SAMPLE = TextToImage(prompt="a (red:1.2) house", negative_prompt="rain", sampler="Euler a", steps=33, width=320, seed=2**63 - 1,
    loras=(LoraUse(id="a", unet=0.5, blocks="1,0"),), hypernetworks=(HypernetworkUse(id="b"),), vae="c", clip_skip=2)  # fmt: skip


def components(**changes: Any) -> dict[str, Any]:
    with gr.Blocks(analytics_enabled=False):
        named = [item for item in fields(TextToImage) if not item.metadata["derived"]]
        listed = {"checkpoint": ["starter"], "vae": [""], "refiner": [""]}
        shown = {item.name: controls.control(TextToImage, item.name) for item in named if item.name not in listed}
        shown |= {name: controls.control(TextToImage, name, choices=choices) for name, choices in listed.items()}
    return shown | changes


def as_browser(form: Form, updates: dict[Any, Any]) -> dict[str, Any]:
    """The values that the browser would send after these updates."""
    return {name: updates[shown]["value"] for name, shown in form.inputs.items()}


def test_a_form_without_a_field_of_its_request_does_not_build() -> None:
    shown = components()
    del shown["guidance_scale"]
    with pytest.raises(TypeError, match="guidance_scale"):
        Form(TextToImage, shown)


def test_a_form_with_a_field_that_its_request_lacks_does_not_build() -> None:
    with pytest.raises(TypeError, match="sharpness"):
        Form(TextToImage, components(sharpness=object()))


def test_a_control_for_an_unknown_field_does_not_build() -> None:
    with pytest.raises(TypeError, match="sharpness"):
        controls.control(TextToImage, "sharpness")


def test_every_number_has_the_limits_of_the_request() -> None:
    shown = components()
    numbers = {name: limit for name, limit in limits(TextToImage).items() if isinstance(shown.get(name), gr.Number)}
    assert {"steps", "width", "height", "guidance_scale", "batch_count", "batch_size"} <= set(numbers)
    for name, limit in numbers.items():
        assert isinstance(limit, Range)
        assert (shown[name].minimum, shown[name].maximum, shown[name].step) == (limit.low, limit.high, limit.step)


def test_labels_and_explanations_are_those_of_the_request() -> None:
    shown = components()
    for item in fields(TextToImage):
        if item.name in shown and not isinstance(limits(TextToImage)[item.name], Several):
            assert shown[item.name].label == item.metadata["title"]
            assert (shown[item.name].info or "") == item.metadata["info"]


def test_the_hints_of_sampler_and_schedule_say_what_the_choice_is_good_for() -> None:
    for lines, names in ((SAMPLER_LINES, SAMPLER_NAMES), (SCHEDULE_LINES, SCHEDULE_NAMES)):
        assert tuple(lines) == names
        assert all(hint("About", lines, choice) == f"About. {choice}: {line}." for choice, line in lines.items())
    assert hint("About", SAMPLER_LINES, None) == "About"


def test_what_the_studio_finds_by_itself_has_no_control() -> None:
    assert "embeddings" not in components()
    with pytest.raises(TypeError, match="embeddings"):
        Form(TextToImage, components(embeddings=object()))


def test_a_request_that_fills_the_form_is_read_back_unchanged() -> None:
    form = Form(TextToImage, components())
    assert form.read(**as_browser(form, form.fill(SAMPLE))) == SAMPLE


def test_every_digit_of_a_seed_survives_the_form() -> None:
    form = Form(TextToImage, components())
    for seed in (-1, 0, 2**53 + 1, 2**63 - 1):
        values = as_browser(form, form.fill(replace(SAMPLE, seed=seed)))
        assert values["seed"] == str(seed)
        assert drawing(form.read(**values)).seed == seed


@pytest.mark.parametrize("written", ["12a", "1.5", "--2", "9" * 40, "9223372036854775808", "٣"])
def test_a_seed_that_is_no_seed_is_a_sentence_that_names_it(written: str) -> None:
    form = Form(TextToImage, components())
    with pytest.raises(UserError, match="Seed"):
        form.read(**as_browser(form, form.fill(SAMPLE)) | {"seed": written})


def test_an_empty_seed_rolls_the_dice() -> None:
    form = Form(TextToImage, components())
    assert drawing(form.read(**as_browser(form, form.fill(SAMPLE)) | {"seed": "  "})).seed == -1


@pytest.mark.parametrize("name, value", [("steps", None), ("width", 1e9), ("sampler", "nonsense"), ("prompt", 5), ("guidance_scale", "5")])
def test_a_value_outside_the_limits_is_a_sentence_and_never_a_crash(name: str, value: object) -> None:
    form = Form(TextToImage, components())
    with pytest.raises(UserError):
        form.read(**as_browser(form, form.fill(SAMPLE)) | {name: value})


@pytest.mark.parametrize("native", [128, 256, 512, 768, 1024])
@pytest.mark.parametrize("ratio", controls.ASPECTS.values())
def test_an_aspect_keeps_the_native_area_and_comes_close_to_its_ratio(native: int, ratio: float) -> None:
    width, height = controls.aspect_size(native, ratio, Range(64, 2048, 8))
    assert width % 8 == 0 and height % 8 == 0
    assert 0.85 < width * height / native**2 < 1.15
    assert 0.85 < width / height / ratio < 1.15


def test_every_tab_stands_in_the_table_of_contents() -> None:
    files = {path.stem for path in Path(ui.tabs.__file__).parent.glob("[!_]*.py")}
    assert {tab.__name__.rpartition(".")[2] for tab in ui.TABS} == files

"""The settings as text: what other studios write is read, what is written reads back, and nothing from outside is trusted."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.metadata import hires_text, infotext, text_keys, tile_text, two_passes
from pipelines.metadata.text_request import request_of
from pipelines.programs.names import suiting
from pipelines.requests.fields import Range
from pipelines.requests.request import KINDS, SAMPLER_NAMES, SCHEDULE_NAMES, SEEDS, ImageToImage, Inpaint, TextToImage, limits
from tests.support.toys import FAR_TOO_LONG

pytestmark = pytest.mark.smoke

A1111 = """a red house, (snow:1.2)
by night
Negative prompt: blurry, text
Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1234567890, Size: 512x768, Model hash: 6ce0161689, \
Model: v1-5-pruned-emaonly, Clip skip: 2, Lora hashes: "one: 0123, two: 4567", Version: v1.10.1"""

EVIL = "x\nSize: 100000x100000, Steps: 999999999, CFG scale: NaN, Seed: 10^23, Model: ../../etc/passwd, Sampler: Euler"


def reference(text: str) -> tuple[str, str, dict[str, str]]:
    """A1111's own reading of a text, v1.10.1, to compare with: prompt, negative prompt, pairs."""
    pattern = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
    *lines, last = text.strip().split("\n")
    if len(pattern.findall(last)) < 3:
        lines.append(last)
        last = ""
    prompt, negative, done = "", "", False
    for raw in lines:
        line = raw.strip()
        if line.startswith("Negative prompt:"):
            done, line = True, line[16:].strip()
        if done:
            negative += ("" if negative == "" else "\n") + line
        else:
            prompt += ("" if prompt == "" else "\n") + line
    pairs = {key: json.loads(value) if value[:1] == '"' and value[-1:] == '"' else value for key, value in pattern.findall(last)}
    return prompt, negative, pairs


def test_a_text_of_another_studio_gives_its_values() -> None:
    found = infotext.parse(A1111)
    assert found.values == {
        "prompt": "a red house, (snow:1.2)\nby night",
        "negative_prompt": "blurry, text",
        "steps": 25,
        "sampler": "DPM++ 2M",
        "schedule": "Karras",
        "guidance_scale": 7,
        "seed": 1234567890,
        "width": 512,
        "height": 768,
        "clip_skip": 2,
    }
    assert found.notes == ()


def test_keys_that_no_field_stands_for_are_kept() -> None:
    left = infotext.parse(A1111).leftovers
    assert left == {
        "Model hash": "6ce0161689",
        "Model": "v1-5-pruned-emaonly",
        "Lora hashes": "one: 0123, two: 4567",
    }


@pytest.mark.parametrize(
    ("written", "sampler", "schedule"),
    [
        ("DPM++ 2M Karras", "DPM++ 2M", "Karras"),
        ("DPM++ 2M SDE Exponential", "DPM++ 2M SDE", "Exponential"),
        ("DPM++ SDE Karras", "DPM++ SDE", "Karras"),
        ("euler A", "Euler a", None),
        ("Euler", "Euler", None),
    ],
)
def test_old_sampler_names_are_split_into_sampler_and_schedule(written: str, sampler: str, schedule: str | None) -> None:
    values = infotext.parse(f"x\nSteps: 20, Sampler: {written}, Seed: 1").values
    assert (values["sampler"], values.get("schedule")) == (sampler, schedule)


def test_values_out_of_their_limits_give_notes_and_the_rest_applies() -> None:
    found = infotext.parse(EVIL)
    size = {"width": 2048, "height": 2048}
    assert found.values == {"prompt": "x", "negative_prompt": "", "sampler": "Euler", "steps": 150, **size}
    told = ("Steps is 150 instead of", "The size is 2048 x 2048 instead of", "Not taken: Guidance", "Not taken: Seed")
    assert len(found.notes) == 4 and all(any(note.startswith(start) for note in found.notes) for start in told)
    assert found.leftovers == {"Model": "../../etc/passwd"}


@pytest.mark.parametrize("size", ["0x0", "-8x8", "512", "512x", "9" * 50 + "x8", "64x64x64", "2048x2048.5", "axb"])
def test_a_size_that_cannot_be_is_noted(size: str) -> None:
    found = infotext.parse(f"x\nSteps: 20, Seed: 1, Size: {size}")
    assert "width" not in found.values
    assert "height" not in found.values
    assert len(found.notes) == 1


def test_an_unknown_sampler_is_noted_by_name() -> None:
    found = infotext.parse("x\nSteps: 20, Sampler: Warp 9, Seed: 1")
    assert "sampler" not in found.values
    assert "Warp 9" in found.notes[0]


def test_a_text_without_settings_is_a_prompt() -> None:
    assert infotext.parse(" a cat, a hat: red ").values == {"prompt": "a cat, a hat: red"}


def test_a_last_line_with_two_pairs_belongs_to_the_prompt() -> None:
    assert infotext.parse("a cat\nmood: calm, style: ink").values == {"prompt": "a cat\nmood: calm, style: ink"}


@pytest.mark.parametrize("piece", ["a", " ", "a:", 'a:"\\', '"', "\n", "ab: x, "])
def test_a_long_text_without_sense_is_read_in_time(piece: str) -> None:
    start = time.monotonic()
    infotext.parse("x" + piece * (1_000_000 // len(piece)) + "x")
    assert time.monotonic() - start < FAR_TOO_LONG


@given(st.text(max_size=300))
@settings(deadline=None)
def test_no_text_breaks_the_reading(text: str) -> None:
    TextToImage.admit(infotext.parse(text).values)


def requests() -> st.SearchStrategy[TextToImage]:
    piece = st.sampled_from(
        ["house", ",", ":", "\n", '"', "\\", " ", "\r", "雪", "Negative prompt:", "Negative prompt: x", "\nSteps: 1, Sampler: LCM, Seed: 2"]
    )
    prompt = st.one_of(st.text(max_size=60), st.lists(piece, max_size=8).map("".join))
    values: dict[str, st.SearchStrategy[Any]] = {
        "prompt": prompt,
        "negative_prompt": prompt,
        "sampler": st.sampled_from(SAMPLER_NAMES),
        "schedule": st.sampled_from(SCHEDULE_NAMES),
        "steps": st.integers(1, 150),
        "guidance_scale": st.floats(0, 30),
        "width": st.integers(8, 256).map(lambda eighth: eighth * 8),
        "height": st.integers(8, 250).map(lambda eighth: eighth * 8),
        "seed": st.integers(-1, SEEDS - 1),
        "eta": st.floats(0, 1),
        "rho": st.floats(0, 100),
        "sigmas": st.sampled_from(["", "14.6, 3", "[3; 2,\n1]"]),
    }
    drawable = st.fixed_dictionaries(values).map(lambda each: each | {"schedule": suiting(each["sampler"], each["schedule"])})
    return drawable.map(TextToImage.admit)


@given(requests(), st.dictionaries(st.sampled_from(["Model", "Model hash"]), st.text(max_size=30)))
@settings(deadline=None, max_examples=500)
def test_what_is_written_reads_back_for_every_request(request: TextToImage, made_with: dict[str, str]) -> None:
    found = infotext.parse(infotext.write(request, made_with))
    assert found.notes == ()
    assert TextToImage.admit(found.values) == request


@given(st.text(alphabet="ab ,:()\"'<>雪", min_size=1, max_size=40).map(str.strip), st.text(alphabet="ab ,:雪", max_size=40).map(str.strip))
@settings(deadline=None)
def test_other_studios_read_what_is_written(prompt: str, negative: str) -> None:
    request = TextToImage(prompt=prompt, negative_prompt=negative, seed=5, guidance_scale=6.5)
    pairs_expected = {"Steps": "20", "Sampler": "DPM++ 2M", "CFG scale": "6.5", "Seed": "5", "Size": "256x256", "Model": "one, two"}
    found_prompt, found_negative, pairs = reference(infotext.write(request, {"Model": "one, two"}))
    assert (found_prompt, found_negative) == (prompt, negative)
    assert pairs_expected.items() <= pairs.items()


def test_an_ordinary_prompt_is_written_as_others_write_it() -> None:
    request = TextToImage(prompt="a red house", negative_prompt="blurry", seed=7, schedule="Karras")
    assert infotext.write(request, {"Model hash": "0123456789", "Model": "starter"}) == (
        "a red house\nNegative prompt: blurry\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5, Seed: 7, Size: 256x256, "
        f"Model hash: 0123456789, Model: starter, Version: Atelier {text_keys.VERSION}"
    )


def test_a_model_name_cannot_add_settings() -> None:
    text = infotext.write(TextToImage(prompt="x", seed=1), {"Model": "m, Steps: 99\nSeed: 5", "Seed": "6", "a:b": "c"})
    assert infotext.parse(text).values["steps"] == 20
    assert infotext.parse(text).values["seed"] == 1


def test_every_field_of_a_request_is_written_or_known_not_to_be() -> None:
    """A new field has to be given a key, or named here with its reason."""
    elsewhere = {
        "width": "Size",
        "height": "Size",
        "checkpoint": "Model, which comes with what the picture was made with",
        "batch_count": "a picture is a batch of one",
        "batch_size": "a picture is a batch of one",
        "seamless": "Tiling",
        "vae": "VAE, which comes with what the picture was made with",
        "refiner": "Refiner, which comes with what the picture was made with",
        "loras": "tags in the prompt",
        "hypernetworks": "tags in the prompt",
        "embeddings": "their words stand in the prompt",
        "controls": "ControlNet 0 to 9",
        "regions": "Region 1 and so on",
        "region_ratios": "of a prompt that lays out regions; a picture has these",
        "as_made": "a seal of this studio; in the JSON",
        "understood": "ids of this machine; in the JSON",
        "decodes": "in the JSON; what others know of it is VAE tile and VAE precision",
        "threads": "in the JSON",
        "branch": "a whole picture; in the JSON",
        "all_combinations": "of a job; a picture has its words",
        "wordings": "of a job; a picture has its words",
        "enlarged_by": "Enlarged by, and its hash",
        "enlarged_tile": "in the JSON",
        "as_drawn": "an id of this machine; in the JSON",
    }
    own = {"hires_strength", "hires_width", "hires_height", "hires", "hires_loras"}
    second = {*own, *hires_text.KEYS, *two_passes.TILED.values()}  # tests/test_two_passes.py
    assert set(limits(TextToImage)) == {*text_keys.KEYS, *text_keys.EXACT, *text_keys.TEMPLATES, *elsewhere, *second}


def test_every_field_of_what_begins_with_a_picture_is_written_or_known_not_to_be() -> None:
    elsewhere = {
        "exact_steps": "in the JSON",
        "mask": "an id of this machine; in the JSON",
        "images": "a picture has one",
        "loops": "a picture is of one round",
        "final_strength": "a picture is of one round",
        "strength_curve": "a picture is of one round",
        "overlap": "in the JSON",
        "begins_with": "in the JSON",
        "by": "told by the key that is there",
        "tiling": "told by the keys that are there",
        "boxes": "Detail boxes",
        "detailers": "ADetailer model, and its other keys",
        "first": "it is the text, and the second pass under the keys of such a pass",
        "hires_tile": "in the JSON",
        "upscaler": "by name and hash",
        "second_upscaler": "by name and hash",
        "side": "Size",
        "one_by_one": "in the JSON",
    }
    kinds = [kind for kind in KINDS.values() if kind is not TextToImage]
    own = {name for kind in kinds for name in limits(kind)} - set(limits(TextToImage))
    assert own == {*text_keys.PICTURE_KEYS, *tile_text.FIELDS, *elsewhere}


def test_what_others_show_of_an_inpainted_picture_is_in_its_text() -> None:
    request = Inpaint(prompt="a blue car", image="ab" * 32, mask="cd" * 32, denoising_strength=0.8, mask_blur=6, area="Only masked", seed=1)
    text = infotext.write(request, {})
    for part in (
        "Denoising strength: 0.8",
        "Mask blur: 6",
        "Inpaint area: Only masked",
        "Init image hash: abababababab",
        "Mask mode: Inpaint masked",
    ):
        assert part in text
    assert infotext.parse(text).values["prompt"] == "a blue car"


TILED = {"prompt": "a", "seed": 1, "width": 4096, "height": 2048, "tile_size": 768}


@pytest.mark.parametrize(
    ("tiles", "told"),
    [
        ({"tiling": "Windows", "tile_overlap": 384}, "Window size: 768, Window overlap: 384"),
        ({"tiling": "Tile by tile", "tile_blur": 12, "tile_padding": 48}, "tile_size: 768, Ultimate SD upscale mask_blur: 12, "),
        ({"tiling": "Tile by tile", "tile_order": "Chess", "seam_pass": "Band", "seam_strength": 0.2, "seam_width": 96}, "Seam width: 96"),
    ],
)
def test_tiles_are_written_as_ultimate_sd_upscale_does_and_read_back(tiles: dict[str, Any], told: str) -> None:
    request = ImageToImage.admit(TILED | tiles)
    text = infotext.write(request, {})
    assert told in text
    found = request_of(infotext.parse(text))
    assert replace(found.request, schedule=request.schedule) == request and found.unknown == {}
    assert not [note for note in found.notes if "picture that it begins with" not in note]


def test_tiles_of_another_studio_are_read_and_those_that_cannot_be_are_named() -> None:
    """As its version for tiles of two sides writes them."""
    text = "x\nSteps: 20, Seed: 1, Size: 2048x2048, Denoising strength: 0.3, Ultimate SD upscale upscaler: 4x, "
    text += "Ultimate SD upscale tile_width: 640, Ultimate SD upscale tile_height: 640, Ultimate SD upscale padding: 16"
    found = request_of(infotext.parse(text)).request
    assert isinstance(found, ImageToImage)
    assert (found.tiling, found.tile_size, found.tile_padding, found.width) == ("Tile by tile", 640, 16, 2048)
    odd = request_of(infotext.parse("x\nSteps: 20, Seed: 1, Size: 4096x4096, Window size: 64, Window overlap: 512"))
    assert any("cannot share 512" in note for note in odd.notes)


def test_the_limits_of_every_number_hold_when_read() -> None:
    base = TextToImage(prompt="x", seed=1)
    for name, limit in limits(TextToImage).items():
        if isinstance(limit, Range) and not limit.clamp and name in text_keys.KEYS:
            text = infotext.write(replace(base, **{name: limit.high + 1}), {})
            found = infotext.parse(text)
            assert len(found.notes) == 1
            assert name not in found.values if "seed" in name else found.values[name] == limit.high


def test_the_version_is_the_project_s() -> None:
    project = (Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8")
    assert f'version = "{text_keys.VERSION}"' in project

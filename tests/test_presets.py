"""Presets: what words make of a prompt, what is kept of a form, what would change, and the files of other studios."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from models.json_values import table as table_of
from pipelines import Studio
from pipelines.presets.preset import HOLE, Preset, merged, read_preset, said, values_of
from pipelines.presets.styles import LARGEST, read_styles
from pipelines.requests.region import Region
from pipelines.requests.request import ControlUse, Details, ImageToImage, LoraUse, TextToImage
from pipelines.services.preset_files import MOST
from tests.support.toys import toy_studio

ME, OTHER = "me", "somebody else"


@pytest.fixture
def studio(tmp_path: Path) -> Generator[Studio]:
    made = toy_studio(tmp_path, start=False)
    yield made
    made.close()


def picture(colour: str = "red", size: tuple[int, int] = (900, 600)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "png")
    return stream.getvalue()


def keep(studio: Studio, name: str, prompt: str = "", held: Any = None, names: tuple[str, ...] = (), **more: Any) -> str:
    return studio.presets.save(ME, Preset(name, prompt, **more), held, names)


def json_of(value: object) -> Any:
    return json.loads(json.dumps(value))


# ---- words -----------------------------------------------------------------------------------------------------------------------


def a1111(style: str, prompt: str) -> str:
    """What A1111 1.10 makes of them (`merge_prompts`), in its own words: the hole is filled, or both are joined, ends trimmed."""
    return style.replace("{prompt}", prompt) if "{prompt}" in style else ", ".join(part for part in (prompt.strip(), style.strip()) if part)


def test_words_go_before_behind_or_around_as_a1111_has_them() -> None:
    dice = random.Random(7)
    bits = ["ink", " a house ", "{prompt}", ", ", "", "é 家", "(x:1.2)"]
    for _ in range(500):
        style, prompt = ("".join(dice.choices(bits, k=dice.randint(0, 4))) for _ in range(2))
        if (
            prompt.rstrip().endswith(",") or not style.strip()
        ):  # there A1111 writes two commas, or takes spaces off what nothing is added to
            continue
        assert said(merged([(prompt, False)], style)) == a1111(style, prompt)


def test_a_comma_at_the_end_is_not_doubled_and_a_preset_without_words_leaves_the_prompt_alone() -> None:
    assert said(merged([("a house, ", False)], "ink")) == "a house, ink"
    assert said(merged([(" a house ", False)], "  ")) == " a house "


def test_several_presets_act_one_after_another_and_what_they_add_is_told_apart(studio: Studio) -> None:
    ids = [keep(studio, "film", "film still {prompt}, grain"), keep(studio, "noir", "noir", negative_prompt="colour")]
    look = studio.presets.look(ME, ids, TextToImage(prompt="a house", negative_prompt="fog"))
    assert look["prompt"] == [
        {"text": "film still ", "added": True}, {"text": "a house", "added": False}, {"text": ", grain", "added": True},
        {"text": ", noir", "added": True},
    ]  # fmt: skip
    assert studio.presets.applied(ME, ids, TextToImage(prompt="a house", negative_prompt="fog")).request.negative_prompt == "fog, colour"
    assert studio.presets.applied(ME, ids[::-1], TextToImage(prompt="a house")).request.prompt == "film still a house, noir, grain"


# ---- what is kept of a form ------------------------------------------------------------------------------------------------------


def test_a_whole_form_comes_back_as_it_was_and_no_picture_of_it_is_kept(studio: Studio) -> None:
    unit = ControlUse(id="tile", image="c" * 64, weight=0.5)
    held = ImageToImage(prompt="a house", steps=9, width=64, guidance_scale=2.5, image="a" * 64, controls=(unit,), loops=3)
    names = [part for parts in studio.presets.parts(held)["parts"] for part in parts["names"]]
    assert {"steps", "width", "height", "loops", "controls", "seed"} <= set(names) and not {"image", "images", "prompt"} & set(names)
    (bare,) = json_of(values_of(held, ["image", "controls"])["controls"])
    assert bare["weight"] == 0.5 and not {"image", "mask"} & bare.keys()
    kept = keep(studio, "all", held=held, names=("steps", "width", "guidance_scale", "loops"), values={"prompt": "a house"})
    found = studio.presets.applied(ME, [kept], ImageToImage(prompt="fog", image="b" * 64)).request
    assert found == replace(held, image="b" * 64, controls=())


def test_regions_that_are_laid_out_are_kept_and_painted_ones_are_told_why_not(studio: Studio) -> None:
    laid = (Region(prompt="a tree", right=0.5), Region(prompt="a house", left=0.5, weight=0.7))
    held = TextToImage(prompt="fog", regions=laid, base_share=0.4)
    parts = studio.presets.parts(held)
    assert "regions" in [name for part in parts["parts"] for name in part["names"]] and parts["note"] == ""
    kept = keep(studio, "halves", held=held, names=("regions", "base_share"))
    assert studio.presets.applied(ME, [kept], TextToImage(prompt="a lake")).request == replace(held, prompt="a lake")
    painted = replace(held, regions=(laid[0], replace(laid[1], mask="a" * 64)), loras=(LoraUse(id="x", region=2), LoraUse(id="y")))
    parts = studio.presets.parts(painted)
    assert "regions" not in [name for part in parts["parts"] for name in part["names"]] and "painted" in parts["note"]
    assert [table_of(each)["id"] for each in json_of(values_of(painted, ["loras", "regions"])["loras"])] == ["y"]


def test_what_would_change_is_told_before_and_nothing_else(studio: Studio) -> None:
    kept = keep(studio, "slow", held=TextToImage(steps=40, sampler="Euler"), names=("steps", "sampler", "guidance_scale"))
    look = studio.presets.look(ME, [kept], TextToImage(sampler="Euler"))
    assert look["changes"] == [{"title": "Steps", "before": "20", "after": "40"}]
    assert look["prompt"] is None and look["notes"] == [] and look["problem"] == ""


def test_a_preset_of_another_tab_gives_what_this_one_has_and_names_the_rest(studio: Studio) -> None:
    kept = keep(studio, "loops", held=ImageToImage(steps=7, loops=3), names=("steps", "loops"))
    found = studio.presets.applied(ME, [kept], TextToImage())
    assert found.request == TextToImage(steps=7) and found.names == ("steps",)
    assert found.notes == ("This tab has no place for: Loopback rounds.",)


def test_what_cannot_be_drawn_together_is_said_before_it_is_applied(studio: Studio) -> None:
    kept = keep(studio, "wide", held=TextToImage(width=2048, height=64), names=("width",))
    assert "megapixels" in studio.presets.look(ME, [kept], TextToImage(height=4096))["problem"]
    with pytest.raises(UserError, match="megapixels"):
        studio.presets.applied(ME, [kept], TextToImage(height=4096))


def test_a_model_that_is_not_here_leaves_the_form_its_own_and_is_named(studio: Studio) -> None:
    kept = keep(studio, "gone", held=TextToImage(steps=3), names=("steps",))
    entry = next(each for each in studio.presets.files.all(ME) if each.id == kept)
    brought = replace(entry, values={**entry.values, "checkpoint": ""}, made_with={"Model": "dreams", "Model hash": "0" * 10})
    (only,) = studio.presets.files.add(ME, [brought])
    found = studio.presets.applied(ME, [only], TextToImage(checkpoint="mine"))
    assert found.request == TextToImage(checkpoint="mine", steps=3)
    assert "“dreams” is not in the models folders; the form keeps its own" in found.notes[0]


def test_a_preset_is_changed_in_its_place_and_keeps_what_is_left_of_it(studio: Studio) -> None:
    kept = keep(studio, "two", "ink", held=TextToImage(steps=3, sampler="Euler"), names=("steps", "sampler"))
    studio.presets.files.set_picture(ME, kept, picture())
    studio.presets.save(ME, Preset("other", "pen", id=kept), None, ["steps"])
    (found,) = studio.presets.files.all(ME)
    assert (found.name, found.prompt, dict(found.values), bool(found.picture)) == ("other", "pen", {"steps": 3}, True)


@pytest.mark.parametrize(
    ("preset", "sentence"),
    [
        (Preset("empty"), "nothing in this preset"),
        (Preset("  "), "Give the preset a name"),
        (Preset("n" * 121, "x"), "120 letters at most"),
        (Preset("long", "x" * 20_001), "20,000 letters at most"),
        (Preset("odd", values={"steps": 9000}), "between 1 and 150"),
        (Preset("odd", values={"image": "a" * 64}), "missing or out of its limits"),
        (Preset("odd", kind="enlarge", values={"factor": 2.0}), "missing or out of its limits"),
        (Preset("odd", "x", id="nobody's"), "no such preset any more"),
    ],
)
def test_what_can_be_no_preset_is_refused_with_a_sentence(studio: Studio, preset: Preset, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        studio.presets.files.save(ME, preset)


def test_presets_are_their_own_persons(studio: Studio) -> None:
    kept = keep(studio, "mine", "ink")
    studio.presets.files.set_picture(ME, kept, picture())
    assert studio.presets.all(OTHER)["presets"] == [] and studio.presets.files.picture(OTHER, kept) == b""
    with pytest.raises(UserError, match="no such preset"):
        studio.presets.look(OTHER, [kept], TextToImage())
    assert studio.presets.files.bytes_of(ME) > 0 == studio.presets.files.bytes_of(OTHER)


def test_a_newer_or_damaged_entry_is_listed_with_a_sentence_and_stays_in_its_file(studio: Studio, tmp_path: Path) -> None:
    kept = keep(studio, "good", "ink")
    path = studio.presets.files._files.path(ME)  # pyright: ignore[reportPrivateUsage]
    written = json.loads(path.read_text("utf-8"))
    written["presets"] += [{"format": 9, "name": "newer", "id": "n"}, {"name": "odd", "id": "o", "values": {"steps": "many"}}]
    path.write_text(json.dumps(written), "utf-8")
    lines = {line["name"]: line["note"] for line in studio.presets.all(ME)["presets"]}
    assert "newer Atelier" in lines["newer"] and "Steps must be a number" in lines["odd"] and lines["good"] == ""
    studio.presets.files.delete(ME, [kept])
    assert [each["name"] for each in json.loads(path.read_text("utf-8"))["presets"]] == ["newer", "odd"]


# ---- pictures --------------------------------------------------------------------------------------------------------------------


def test_a_picture_is_kept_small_shared_by_content_and_goes_with_its_last_preset(studio: Studio) -> None:
    one, two = keep(studio, "one", "ink"), keep(studio, "two", "pen")
    for each in (one, two):
        studio.presets.files.set_picture(ME, each, picture())
    with Image.open(io.BytesIO(studio.presets.files.picture(ME, one))) as image:
        assert image.size == (320, 213)
    folder = studio.presets.files._folder  # pyright: ignore[reportPrivateUsage]
    assert len([*folder.glob("*/*.webp")]) == 1
    studio.presets.files.delete(ME, [one])
    assert studio.presets.files.picture(ME, two)
    studio.presets.files.delete(ME, [two])
    assert [*folder.glob("*/*.webp")] == []
    with pytest.raises(UserError):
        studio.presets.files.set_picture(ME, keep(studio, "three", "oil"), b"no picture")


# ---- files -----------------------------------------------------------------------------------------------------------------------

STYLES = [("Cinematic", "film still {prompt}, grain", "cartoon"), ("Wash", 'water "colour", soft', ""), ("Not", "", "blurry,\nlow")]


def table(rows: list[tuple[str, str, str]], mark: str = ",", head: str = "name,prompt,negative_prompt") -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=mark)
    writer.writerow(head.split(","))
    writer.writerows(rows)
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        table(STYLES).encode(),
        b"\xef\xbb\xbf" + table(STYLES).encode(),
        b"\xef\xbb\xbf" * 3 + table(STYLES).encode(),  # as A1111 wrote it before 1.3, a mark more each time
        table(STYLES, ";").encode("utf-8-sig"),
        table(STYLES, "\t").encode("utf-16"),
        table([("--- looks ---", "", ""), STYLES[0], ("None", "", ""), *STYLES[1:]]).replace("\r\n", "\n").encode(),
        json.dumps([{"name": name, "prompt": prompt, "negative_prompt": negative} for name, prompt, negative in STYLES]).encode(),
        json.dumps([{"name": name, "prompt": prompt, "negative": negative, "extra": ""} for name, prompt, negative in STYLES]).encode(),
        json.dumps({name: {"prompt": prompt, "negative_prompt": negative} for name, prompt, negative in STYLES}).encode(),
    ],
)
def test_styles_of_a1111_fooocus_and_sd_next_are_read_through_all_that_has_been_done_to_them(data: bytes) -> None:
    found = read_styles(data)
    assert [(each.preset.name, each.preset.prompt, each.preset.negative_prompt) for each in found.styles] == STYLES
    assert found.notes == ()


def test_an_old_table_has_text_and_no_negative_prompt_and_rows_may_have_lost_their_ends() -> None:
    found = read_styles(b"name,text\nink,pen and ink\nhalf\n")
    assert [(each.preset.name, each.preset.prompt) for each in found.styles] == [("ink", "pen and ink")]
    assert found.notes == ("“half” was left out: there is nothing in it.",)


def test_a_style_of_sd_next_brings_its_settings_its_choices_and_its_picture(studio: Studio) -> None:
    address = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    style = {
        "name": "Cars/one", "prompt": "a COLOUR car, {prompt}", "negative": "SIZE", "description": "for cars", "preview": address,
        "extra": "Sampler: Euler a, Steps: 12, Size: 512x768, Model: dreams", "wildcards": "COLOUR=red, blue; SIZE=large",
    }  # fmt: skip
    (kept,), notes = studio.presets.bring(ME, json.dumps(style).encode())
    (found,) = studio.presets.files.all(ME)
    assert (found.name, found.prompt, found.negative_prompt, found.about) == (
        "Cars/one",
        "a {red|blue} car, {prompt}",
        "{large}",
        "for cars",
    )
    assert found.values == {"sampler": "Euler a", "steps": 12, "width": 512, "height": 768, "checkpoint": ""}
    assert found.made_with == {"Model": "dreams"} and notes == ()
    assert studio.presets.files.picture(ME, kept).startswith(b"RIFF")


def test_what_is_exported_comes_back_the_same_and_what_is_here_is_not_added_twice(studio: Studio) -> None:
    held = TextToImage(steps=3, loras=(LoraUse(name="ink", unet=0.5),))
    kept = keep(studio, "all", "ink {prompt}", held=held, names=("steps", "loras"), about="mine")
    studio.presets.files.set_picture(ME, kept, picture())
    data = studio.presets.export(ME, [])
    assert studio.presets.bring(ME, data) == ([], ("1 was here already.",))
    assert len(studio.presets.bring(OTHER, data)[0]) == 1
    (mine,), (theirs,) = studio.presets.files.all(ME), studio.presets.files.all(OTHER)
    assert theirs.same(mine) and theirs.picture and theirs.id != mine.id
    studio.presets.save(ME, Preset("all", "pen", id=kept), None, [])
    studio.presets.bring(ME, data)
    assert [each.name for each in studio.presets.files.all(ME)] == ["all", "all (2)"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "This file is empty"),
        (b"\0\0", "This file is empty"),
        (b"a house\nby night", "no styles that Atelier knows"),
        (b"[" * 100_000, "damaged, or nested too deep"),
        (b'{"name": "x"', "damaged, or nested too deep"),
        (b"[1, 2, 3]", "no styles that Atelier knows"),
        (b'{"default_model": "juggernaut.safetensors"}', "sdxl_styles"),
        (b'[{"name": "empty", "prompt": ""}]', "“empty” was left out: there is nothing in it"),
        (b'name,prompt\nx,"' + b"y" * 200_000, "quotation mark may be missing"),
        (b'name,prompt\nx,"' + b"y\n" * 40_000, "quotation mark may be missing"),
        (b'[{"format": 9, "name": "newer"}]', "newer Atelier"),
        (bytes(LARGEST + 1), "larger than 32 MB"),
        (picture(), "no styles that Atelier knows"),
    ],
)
def test_a_file_that_holds_none_is_told_of_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_styles(data)


def test_what_a_file_says_is_data_alone_and_no_address_in_it_is_followed() -> None:
    style = {"name": "x", "prompt": "a", "preview": "http://127.0.0.1:9/x.png", "kind": "enlarge", "format": None}
    (found,) = read_styles(json.dumps(style).encode()).styles
    assert found.picture == b"" and found.preset.kind == "txt2img"
    with pytest.raises(UserError, match="missing or out of its limits"):
        read_preset({"format": 1, "name": "x", "values": {"decodes": []}})


def test_a_file_of_more_than_a_person_may_have_adds_none(studio: Studio) -> None:
    rows = [{"name": str(number), "prompt": "x"} for number in range(MOST)]
    assert len(studio.presets.bring(ME, json.dumps(rows).encode())[0]) == MOST
    with pytest.raises(UserError, match="2,000 are the most"):
        studio.presets.bring(ME, json.dumps([{"name": "one more", "prompt": HOLE + " x"}]).encode())


def test_a_tab_without_a_prompt_makes_no_preset(studio: Studio) -> None:
    assert studio.presets.parts(Details())["parts"]
    from pipelines.requests.request import Enlarge

    with pytest.raises(UserError, match="form with a prompt"):
        studio.presets.parts(Enlarge())

"""Details of a picture and differences between several: every field and every fact is told, in its group, by what a file is."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from models.errors import UserError
from pipelines.jobs.events import Event, Picture, Step
from pipelines.jobs.outputs import inspect
from pipelines.metadata.provenance import LOADING, OURS_ALONE, PLACE, SETTINGS_FROM, TIME
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.fields import Choice, Several
from pipelines.requests.groups import GROUPS
from pipelines.requests.region import Region
from pipelines.requests.request import KINDS, OWN_VAE, Drawing, EmbeddingUse, ImageToImage, LoraUse, Request, TextToImage
from pipelines.resolving.details import COUNTS, Groups, Value, details
from pipelines.resolving.differences import differences
from pipelines.resolving.model_names import ONE, PATIENCE, SEVERAL, ModelNames
from pipelines.runtime.clock import timed
from tests.support.toys import toy_studio, wait_until
from tests.test_resolve import Shelf, entry
from ui import TABS

pytestmark = pytest.mark.smoke
SHELF = Shelf(
    [entry("checkpoint", "Dreams", hash="d0d0d0d0d0ffff"), entry("lora", "ink new", hash="a1b2c3d4e5f6aa"), entry("lora", "snow")]
)
DREAM = TextToImage(prompt="a red house", checkpoint="id-Dreams", vae=OWN_VAE, seed=7)
MADE_WITH = {"Model": "Dreams", "Model hash": "d0d0d0d0d0", "Device": "cpu", TIME: "2.13 s"}


def told(request: Request = DREAM, made_with: Mapping[str, str] = MADE_WITH, shelf: Any = SHELF) -> Groups:
    return details(request, made_with, ModelNames(shelf, made_with), {})


def values(groups: Groups) -> dict[str, Value]:
    return {value.title: value for group in groups.values() for value in group}


def rows(*pictures: Groups) -> dict[str, tuple[str, ...]]:
    return {row.title: row.texts for row in differences(pictures)}


# ---- nothing is left out -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_of_every_kind_is_in_a_group(kind: type[Request]) -> None:
    assert [item.name for item in fields(kind) if item.metadata["group"] not in GROUPS] == []


OPTIONED = ("Euler", "Karras"), ("Euler a", "Beta"), ("DDIM", "Own levels"), ("TCD", "Automatic")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_that_people_choose_is_told_and_can_be_taken_over(kind: type[Request]) -> None:
    requests = [kind(), *([TextToImage(hires=True)] if kind is TextToImage else [])]
    if issubclass(kind, DrawnSmall):
        requests.append(kind(enlarged_by="an upscaler"))
    if issubclass(kind, Drawing):  # of the options of samplers and schedules those that act
        requests += [kind(sampler=one, schedule=other) for one, other in OPTIONED]
        requests.append(kind(regions=(Region(prompt="a house"),)))
    made = {name for request in requests for value in values(told(request)).values() for name in value.fields}
    assert sorted(made) == sorted(item.name for item in fields(kind) if not item.metadata["derived"] and item.name not in COUNTS)
    assert all(isinstance(value.text, str) and value.text for value in values(told(kind())).values() if value.title not in ("Prompt",))


def test_every_field_that_names_a_file_is_told_by_its_name() -> None:
    names = {
        item.name
        for kind in KINDS.values()
        for item in fields(kind)
        if (isinstance(item.metadata["limit"], Choice) and not item.metadata["limit"].names)
        or (isinstance(item.metadata["limit"], Several) and "id" in {part.name for part in fields(item.metadata["limit"].entry)})
    }
    without_names = {"estimator", "images", "understood"}  # a preprocessor is its name; pictures; told of a checkpoint that is named
    assert names == {*ONE, *SEVERAL, *without_names}


def test_every_fact_of_the_record_is_told_once() -> None:
    facts = {name: f"about {name}" for name in OURS_ALONE - {SETTINGS_FROM}} | {"VAE tile": "256", "Something new": "x"}
    texts = [value.text for value in values(told(DREAM, {**MADE_WITH, **facts})).values()]
    assert all(texts.count(text) == 1 for text in facts.values())


def test_a_kind_is_called_what_its_tab_is_called() -> None:
    assert {kind.kind: kind.title for kind in KINDS.values()}.items() <= {
        tab.__name__.rpartition(".")[2]: tab.TITLE for tab in TABS
    }.items()


# ---- as people read it -------------------------------------------------------------------------------------------------------------


def test_values_are_said_as_people_say_them() -> None:
    found = values(told(replace(DREAM, width=512, height=768, guidance_scale=4.5, steps=30, sampler="Euler", seed=2**60 + 1)))
    assert [found[name].text for name in ("Size", "Guidance", "Steps", "Seed", "Variation seed")] == [
        "512 × 768", "4.5", "30", str(2**60 + 1), "any",
    ]  # fmt: skip
    assert found["Seed"].raw == str(2**60 + 1), "a script's numbers would lose its last digit"
    assert found["Size"].fields == ("width", "height")
    assert (found["Steps"].default, found["Schedule"].default) == (False, True)
    assert values(told(ImageToImage(exact_steps=True)))["Run exactly the steps I asked for"].text == "yes"


def test_a_model_that_was_renamed_is_found_by_its_hash_and_a_missing_one_is_named() -> None:
    request = replace(DREAM, loras=(LoraUse(id="id-ink", name="ink", unet=0.6), LoraUse(id="id-gone", name="gone")))
    listed = {**MADE_WITH, "Lora hashes": "ink: a1b2c3d4e5f6, gone: 999999999999"}
    ink, gone = values(told(request, listed))["LoRAs"].parts
    assert (ink.raw, ink.digest, ink.note) == ("ink", "a1b2c3d4e5f6", "Here it is called “ink new”.")
    assert (gone.raw, gone.digest) == ("gone", "999999999999") and "Missing" in gone.note and "not in the models folders" in gone.note
    dreams = values(told(request, listed))["Checkpoint"]
    assert (dreams.text, dreams.digest, dreams.note) == ("Dreams", "d0d0d0d0d0", "")
    other = values(told(request, {**listed, "Model hash": "1111111111"}))["Checkpoint"]
    assert "another file here" in other.note
    lost = values(told(replace(request, checkpoint="id-x"), {"Model": "Lost", "Model hash": "1111111111"}))["Checkpoint"]
    assert (lost.text, lost.digest) == ("Lost", "1111111111") and "Missing: this checkpoint" in lost.note


def test_a_file_that_nobody_has_hashed_yet_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.resolving.model_names.PATIENCE", PATIENCE)

    class Slow(Shelf):
        def holds(self, model_id: str, digest: str, seconds: float) -> bool:
            assert seconds < 1
            raise TimeoutError

    found = values(told(DREAM, MADE_WITH, Slow(SHELF.entries)))["Checkpoint"]
    assert found.text == "Dreams" and "still being compared" in found.note


# ---- differences -------------------------------------------------------------------------------------------------------------------


def test_pictures_differ_in_what_differs_and_in_nothing_else() -> None:
    one, other = told(), told(replace(DREAM, seed=8, steps=30, prompt="a blue house"), {**MADE_WITH, TIME: "9.99 s", "Device": "cuda"})
    assert rows(one, one) == {}
    assert rows(one, other) == {
        "Prompt": ("a red house", "a blue house"),
        "Seed": ("7", "8"),
        "Steps": ("20", "30"),
        "Device": ("cpu", "cuda"),
    }
    assert rows(one, one, other)["Seed"] == ("7", "7", "8")


def test_a_file_is_the_same_by_its_content_whatever_it_is_called() -> None:
    renamed = told(DREAM, {**MADE_WITH, "Model": "dreams of old"})
    replaced = told(DREAM, {**MADE_WITH, "Model hash": "1234567890"})
    assert rows(told(), renamed) == {}
    assert rows(told(), replaced) == {"Checkpoint": ("Dreams [d0d0d0d0d0]", "Dreams [1234567890]")}


def test_lists_are_compared_entry_by_entry_and_number_by_number() -> None:
    ink, snow = LoraUse(id="id-ink", name="ink"), LoraUse(id="id-snow", name="snow", unet=0.3)
    unit = ControlUse(id="id-c", name="outlines", preprocessor="Canny")
    one = told(replace(DREAM, loras=(ink,), controls=(unit,)))
    other = told(replace(DREAM, loras=(replace(ink, unet=0.5), snow), controls=(replace(unit, weight=0.4),)))
    assert rows(one, other) == {
        "LoRA ink: Strength": ("1", "0.5"),
        "LoRA snow": ("none", "snow 0.3"),
        "Unit 1: Weight": ("1", "0.4"),
    }
    swapped = told(replace(DREAM, loras=(ink,), controls=(replace(unit, id="id-d", name="depth"),)))
    assert rows(one, swapped) == {"Unit 1": ("outlines", "depth")}


def test_what_one_kind_lacks_is_told_only_where_the_other_has_set_it() -> None:
    drawn_over = ImageToImage(prompt="a red house", checkpoint="id-Dreams", vae=OWN_VAE, seed=7, image="a" * 64, denoising_strength=0.3)
    assert rows(told(), told(drawn_over)) == {"Denoising strength": ("–", "0.3"), "Picture": ("–", "a" * 12)}


# ---- how long it took --------------------------------------------------------------------------------------------------------------


def test_a_picture_is_told_how_long_it_was_drawn_and_not_how_long_somebody_looked() -> None:
    clock = [0.0]

    def batch() -> Generator[Event | None]:
        for place in (0, 1):
            clock[0] += 0.1
            yield Step(1, 1, 0, 1)
            clock[0] += 0.4
            yield Picture(Image.new("RGB", (1, 1)), DREAM, {"Model": "toy"}, 2 + place, 4)

    facts = []
    for event in timed(batch(), together=2, loading=1.5, spent=1.0, now=lambda: clock[0]):
        clock[0] += 60
        facts += [event.made_with] if isinstance(event, Picture) else []
    assert [fact[TIME] for fact in facts] == ["1.50 s", "2.00 s"]
    assert [(fact[LOADING], fact[PLACE], fact["Model"]) for fact in facts] == [("1.50 s", "1 of 2", "toy"), ("1.50 s", "2 of 2", "toy")]


def test_a_batch_that_is_left_is_closed_with_its_clock() -> None:
    closed: list[bool] = []

    def batch() -> Generator[Event | None]:
        try:
            yield None
            yield None
        finally:
            closed.append(True)

    events = timed(batch())
    next(events)
    events.close()
    assert closed == [True]


# ---- of the book's pictures --------------------------------------------------------------------------------------------------------


def drawn(folder: Path, **asked: Any) -> tuple[Any, Sequence[Any]]:
    studio = toy_studio(folder)
    job = studio.submit(TextToImage(**{"prompt": "a ball", "width": 64, "height": 64, "steps": 1} | asked), "ada", owner=True)
    wait_until(lambda: studio.book.job(job).state == "done")  # pyright: ignore[reportOptionalMemberAccess]
    return studio, studio.book.pictures_of(job)


def test_the_book_adds_when_and_which_of_its_job_and_a_lost_file_is_said(tmp_path: Path) -> None:
    studio, pictures = drawn(tmp_path, batch_count=3)
    try:
        second = studio.details.of(pictures[1])
        facts = {value["title"]: value["text"] for group in second["groups"] for value in group["values"]}
        assert facts["Place in the job"] == "2 of 3" and facts["Drawn by"] == "Text to image" and facts["When"].startswith("20")
        assert second["note"] == "" and facts["Seed"] == str(pictures[1].seed)
        compared = studio.details.compared(pictures)
        assert [row["title"] for row in compared["differences"]] == ["Seed"]
        pictures[1].path.unlink()
        lost = studio.details.of(pictures[1])
        assert "cannot be read" in lost["note"] and lost["prompt"] == "a ball"
        with pytest.raises(UserError, match="2 to 4"):
            studio.details.compared(pictures[:1])
    finally:
        studio.close()


def test_what_was_said_at_each_step_of_a_finished_picture_is_told(tmp_path: Path) -> None:
    studio, [picture] = drawn(tmp_path / "a", prompt="a [ball:cube:0.5]", negative_prompt="[fog::2]", steps=4)
    plain, [still] = drawn(tmp_path / "b")
    try:
        line, against = studio.details.of(picture)["lines"]
        assert not line["edges"] and against["title"] == "Negative prompt"
        assert [(each["first"], each["last"], each["whole"]) for each in line["stretches"]] == [(0, 2, "a ball"), (3, 3, "a cube")]
        assert [each["whole"] for each in against["stretches"]] == ["fog", ""] and plain.details.of(still)["lines"] == []
    finally:
        studio.close()
        plain.close()


def test_half_a_letter_in_a_file_breaks_no_answer(tmp_path: Path) -> None:
    studio, [picture] = drawn(tmp_path)
    try:
        text = '{"version": 2, "request": {"kind": "txt2img"}, "made_with": {"Model": "\\ud800", "Odd \\udfff": "x"}}'
        info = PngInfo()
        info.add_itxt("atelier", text)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture.path, pnginfo=info)
        assert "\ud800" in inspect(picture.path).made_with["Model"]
        json.dumps(studio.details.of(picture), ensure_ascii=False).encode()
    finally:
        studio.close()


def test_embeddings_are_known_by_their_words() -> None:
    request = replace(DREAM, embeddings=(EmbeddingUse(id="id-e", word="snowy"),))
    [part] = values(told(request, {**MADE_WITH, "TI hashes": "snowy: 0123456789ab"}))["Embeddings"].parts
    assert (part.raw, part.digest) == ("snowy", "0123456789ab")

"""Both passes: the job of the second follows that of the first, each picture knows how it was made, and the text tells of both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import Studio
from pipelines.jobs.outputs import inspect, read
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import of_pasted
from pipelines.metadata.two_passes import both, second_pass
from pipelines.requests.added import LoraUse
from pipelines.requests.request import ImageToImage, SecondPass, TextToImage
from pipelines.services.guests import check_work, room_of
from pipelines.services.preflight import preflight
from tests.support.toys import ToyPainter, toy_studio, wait_until

ME = "me"
ASKED = TextToImage(prompt="a red house", steps=3, seed=7, width=128, height=64, hires=True, hires_steps=2, hires_prompt="a blue house")
ID = "ab" * 32


@pytest.fixture
def painter() -> ToyPainter:
    return ToyPainter(gate=threading.Semaphore(0))


@pytest.fixture
def studio(tmp_path: Path, painter: ToyPainter) -> Iterator[Studio]:
    made = toy_studio(tmp_path, runner=painter)
    yield made
    assert painter.gate
    painter.gate.release(1000)
    made.close()


def steps(painter: ToyPainter, count: int) -> None:
    assert painter.gate
    painter.gate.release(count)


def kinds(studio: Studio) -> list[str]:
    """Of one's jobs, in the order in which they are drawn."""
    return [job.kind for job in studio.book.queue.listing().jobs]


# ---- the jobs ------------------------------------------------------------------------------------------------------------------


def test_the_first_pass_is_kept_and_the_second_drawn_from_it(studio: Studio, painter: ToyPainter) -> None:
    studio.submit(ASKED, ME)
    steps(painter, 3 + 2)
    wait_until(lambda: len(studio.recent(ME)) == 2)
    second, first = studio.recent(ME)
    assert (first.width, first.height) == (128, 64)
    assert (second.width, second.height) == (256, 128)
    made = second.request
    assert isinstance(made, SecondPass)
    assert (made.prompt, made.steps, made.seed) == ("a blue house", 2, 7)
    assert studio.uploads.inputs.size(made.image) == (128, 64)
    assert [painter.drawn.count(single) for single in painter.drawn] == [1, 1], "nothing is drawn twice"
    wait_until(lambda: studio.book.waiting() == 0)


def test_the_second_passes_stand_behind_their_job_and_before_what_was_asked_for_later(studio: Studio, painter: ToyPainter) -> None:
    studio.submit(replace(ASKED, batch_count=2, batch_size=2), ME)
    studio.submit(TextToImage(prompt="later", steps=1), ME)
    steps(painter, 3)
    wait_until(lambda: len(studio.recent(ME)) == 2)
    assert kinds(studio) == ["txt2img", "hires", "hires", "txt2img"]
    steps(painter, 3 + 1)
    wait_until(lambda: len(studio.recent(ME)) == 4)
    wait_until(lambda: kinds(studio) == ["hires"] * 4 + ["txt2img"])
    seeds = [job.request.seed for job in map(studio.book.job, [job.id for job in studio.book.queue.listing().jobs]) if job]  # pyright: ignore[reportAttributeAccessIssue]
    assert seeds[:4] == [7, 8, 9, 10]
    last = studio.book.queue.listing().jobs[3].id
    studio.queue.move(last, ME, before=studio.book.queue.listing().jobs[1].id)
    assert studio.book.queue.listing().jobs[1].id == last


def test_a_second_pass_is_stopped_alone(studio: Studio, painter: ToyPainter) -> None:
    studio.submit(ASKED, ME)
    steps(painter, 3 + 1)
    wait_until(lambda: painter.steps_made == 4)
    [job] = studio.book.queue.listing().jobs
    studio.stop(job.id, ME)
    steps(painter, 1)
    wait_until(lambda: studio.job(job.id, ME).state == "stopped")
    assert [record.request.kind for record in studio.recent(ME)] == ["txt2img"]


def test_what_is_wrong_with_the_second_pass_is_said_before_the_first(studio: Studio) -> None:
    with pytest.raises(UserError, match=r"8\.4 megapixels"):
        studio.submit(replace(ASKED, width=1024, height=512, hires_factor=4.0), ME)
    with pytest.raises(UserError, match="not in the models folder"):
        studio.submit(replace(ASKED, hires_checkpoint="nothing"), ME)
    with pytest.raises(UserError, match="no LoRA called “nobody”"):
        studio.submit(replace(ASKED, hires_prompt="x <lora:nobody:1>"), ME)
    assert studio.book.waiting() == 0


def test_a_second_pass_that_cannot_be_queued_costs_no_picture(studio: Studio, painter: ToyPainter, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(image: object, source: str) -> str:
        raise UserError("The disk is full.")

    monkeypatch.setattr(studio.uploads.inputs, "keep", full)
    job = studio.submit(ASKED, ME)
    steps(painter, 3)
    wait_until(lambda: studio.job(job, ME).state == "failed")
    assert "is kept, but" in studio.job(job, ME).message and "The disk is full." in studio.job(job, ME).message
    assert len(studio.recent(ME)) == 1


def test_a_finished_picture_gets_one_later(studio: Studio, painter: ToyPainter) -> None:
    studio.submit(replace(ASKED, hires=False), ME)
    steps(painter, 3)
    wait_until(lambda: studio.recent(ME))
    [first] = studio.recent(ME)
    taken = studio.uploads.adopt(first, ME)
    request = SecondPass(prompt="a blue house", steps=2, seed=7, image=taken.id, first=studio.first_pass(first, taken.id))
    studio.submit(request, ME)
    steps(painter, 2)
    wait_until(lambda: len(studio.recent(ME)) == 2)
    assert (studio.recent(ME)[0].width, studio.recent(ME)[0].height) == (256, 128)
    text = infotext.write(read(studio.recent(ME)[0].path), {})
    assert "Steps: 3," in text and "Size: 128x64" in text and "Hires prompt: a blue house" in text


def test_guests_are_counted_both_passes() -> None:
    once = replace(ASKED, hires=False)
    assert room_of(ASKED) == 5 * room_of(once)
    check_work(replace(ASKED, width=1024, height=1024, steps=150, hires_steps=1, batch_count=60))
    with pytest.raises(UserError, match="what a guest may draw"):
        check_work(replace(ASKED, width=1024, height=1024, steps=150, hires_steps=150, batch_count=60))


# ---- what is said before ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"hires": False}, ()),
        ({}, ("From 128 × 64 to 256 × 128, 4.0 times the pixels. 2 steps will run.",)),
        ({"hires_strength": 0.1}, ("From 128", "Below a strength of 0.2")),
        ({"hires_upscaler": "Latent", "hires_strength": 0.4}, ("From 128", "A latent mode blurs below a strength of 0.5")),
        ({"hires_strength": 0.7}, ("From 128", "Above a strength of 0.6 things may appear twice.")),
        ({"hires_factor": 1.0, "width": 64, "height": 64, "hires_width": 48}, ("The second pass would draw 48 × 48",)),
    ],
)
def test_both_sizes_and_what_the_mode_needs_are_said(changes: dict[str, Any], lines: tuple[str, ...]) -> None:
    said = preflight(replace(ASKED, **changes), None).lines
    assert len(said) == len(lines) and all(one.startswith(start) for one, start in zip(said, lines, strict=True))


def test_memory_and_time_are_said_once_something_was_drawn(studio: Studio, painter: ToyPainter) -> None:
    assert "GB of memory" not in " ".join(studio.costs.lines(ASKED, None)) or "and" not in " ".join(studio.costs.lines(ASKED, None))
    studio.submit(replace(ASKED, hires=False), ME)
    steps(painter, 3)
    wait_until(lambda: studio.recent(ME))
    wait_until(lambda: studio.costs.lines(ASKED, None) and " s." in studio.costs.lines(ASKED, None)[0])
    assert studio.costs.lines(replace(ASKED, hires=False), None) == ()
    assert studio.costs.lines(SecondPass(image=ID), (128, 64)) and studio.costs.lines(SecondPass(image=ID), None) == ()


# ---- the text --------------------------------------------------------------------------------------------------------------------

INK, SNOW = LoraUse(id="1", name="ink", unet=0.8, text_encoder=0.8), LoraUse(id="2", name="snow")
EVERYTHING: dict[str, Any] = {
    "hires_sampler": "Euler a", "hires_schedule": "Karras", "hires_guidance": 6.5, "hires_negative_prompt": "blurry, dark",
    "hires_upscaler": "Latent (bicubic)", "hires_strength": 0.65, "loras": (INK,), "hires_loras": (SNOW,),
}  # fmt: skip


def line_of(text: str) -> str:
    return text[text.index("Denoising") : text.index(", Version")]


def test_the_text_has_the_keys_of_a1111_in_its_order() -> None:
    facts = {"Hires checkpoint": "other [0123456789]"}
    assert line_of(infotext.write(replace(ASKED, **EVERYTHING), facts)) == (
        "Denoising strength: 0.65, Hires checkpoint: other [0123456789], Hires sampler: Euler a, "
        'Hires prompt: "a blue house <lora:snow:1>", Hires negative prompt: "blurry, dark", Hires schedule type: Karras, '
        "Hires upscale: 2, Hires steps: 2, Hires upscaler: Latent (bicubic), Hires CFG Scale: 6.5"
    )


def test_what_is_as_in_the_first_pass_is_left_out() -> None:
    plain = TextToImage(prompt="x", seed=1, hires=True, hires_width=512, hires_sampler="DPM++ 2M", hires_prompt="x")
    assert line_of(infotext.write(plain, {})) == "Denoising strength: 0.35, Hires resize: 512x0, Hires upscaler: Lanczos"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        EVERYTHING,
        {"hires_width": 512, "hires_height": 256},
        {"hires_prompt": "", "hires_steps": 0},
        {"loras": (INK,), "hires_prompt": "b"},
        {"hires_tiling": "Windows", "hires_tile_size": 768, "hires_tile_overlap": 0, "hires_factor": 4.0, "width": 1024, "height": 512},
        {"hires_tiling": "Tile by tile", "hires_tile_padding": 0, "hires_tile_order": "Chess", "hires_seam_pass": "Band"},
    ],
)
def test_the_text_of_either_pass_brings_both_back(changes: dict[str, Any]) -> None:
    asked = replace(ASKED, **changes)
    second = second_pass(asked, ID, (asked.width, asked.height), {"Model": "toy"})
    for request in (asked, second):
        found = of_pasted(infotext.write(request, {"Model": "toy"}))
        assert found.notes == () and found.unknown == {}
        assert replace(found.request, vae="") == _by_name(asked)
        assert {"hires", "hires_factor", "hires_strength"} - {*found.told} <= ({"hires_factor"} if asked.hires_width else set())


def _by_name(request: TextToImage) -> TextToImage:
    """As a text knows it: files by name alone, and a size in place of a factor."""
    named = {name: tuple(replace(use, id="") for use in getattr(request, name)) for name in ("loras", "hires_loras")}
    return replace(request, **named)


def test_a_second_pass_of_a_picture_without_words_says_so_itself() -> None:
    request = SecondPass(prompt="x", seed=1, image=ID, width=512, height=512, hires_width=512, hires_height=512)
    found = of_pasted(infotext.write(request, {}))
    assert isinstance(found.request, SecondPass)
    assert (found.request.hires_width, found.request.denoising_strength, found.pictures) == (512, 0.35, {(-1, "image"): ID[:12]})


def test_another_seed_or_an_emptied_prompt_is_not_told_as_one_drawing() -> None:
    second = second_pass(ASKED, ID, (128, 64))
    assert both(second) and both(replace(second, seed=8)) is None and both(replace(second, prompt="")) is None


A1111 = """a castle, (fog:1.2) <lora:ink:0.8>
Negative prompt: blurry
Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model hash: 0123456789, Model: dream, \
Denoising strength: 0.45, Hires sampler: DPM++ SDE Karras, Hires prompt: "a castle, fog <lora:ink:0.8>", Hires upscale: 1.75, \
Hires steps: 12, Hires upscaler: latent (NEAREST-exact), Version: v1.10.1"""


def test_a_text_of_a1111_sets_the_switch_and_the_fields() -> None:
    made = of_pasted(A1111).request
    assert isinstance(made, TextToImage) and made.hires
    assert (made.steps, made.width, made.height, made.sampler, made.schedule) == (20, 512, 768, "DPM++ 2M", "Karras")
    assert (made.hires_strength, made.hires_factor, made.hires_steps) == (0.45, 1.75, 12)
    assert (made.hires_sampler, made.hires_schedule) == ("DPM++ SDE", "Karras")
    assert (made.hires_prompt, made.hires_loras, made.hires_upscaler) == ("a castle, fog", (), "Latent (nearest-exact)")
    assert second_pass(made, ID, (512, 768)).width == 896


def test_a_prompt_without_the_tags_of_the_first_pass_is_drawn_without_its_loras() -> None:
    made = of_pasted(A1111.replace("fog <lora:ink:0.8>", "fog")).request
    assert isinstance(made, TextToImage)
    assert [(use.name, use.unet) for use in made.hires_loras] == [("ink", 0.0)]


def test_image_to_image_keeps_its_strength() -> None:
    request = ImageToImage(prompt="x", seed=1, image=ID, denoising_strength=0.3)
    found = of_pasted(infotext.write(request, {})).request
    assert isinstance(found, ImageToImage) and found.denoising_strength == 0.3


def test_the_record_of_the_second_picture_is_its_whole_request(studio: Studio, painter: ToyPainter) -> None:
    studio.submit(replace(ASKED, hires_upscaler="Latent"), ME)
    steps(painter, 3 + 2)
    wait_until(lambda: len(studio.recent(ME)) == 2)
    record = studio.recent(ME)[0]
    assert inspect(record.path).request == record.request
    found = studio.settings(record.path, ME).request
    assert isinstance(found, SecondPass) and isinstance(record.request, SecondPass)
    assert (found.image, found.width, found.first) == (record.request.image, 256, record.request.first)
    [picture] = [group for group in studio.details.of(record)["groups"] if group["title"] == "Picture"]
    assert [value["text"] for value in picture["values"] if value["title"] == "Size"] == ["256 × 128"]

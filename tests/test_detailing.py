"""Details drawn anew, on toy weights: one box is the inpainting of its mask, several are one inpainting after another, bit for bit."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines.details.masks import all_but, box_mask, joined
from pipelines.details.parts import bounds_of
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture, Step
from pipelines.metadata import infotext
from pipelines.metadata.text_request import request_of
from pipelines.requests.details import MERGES, DetailBox, Detailer
from pipelines.requests.request import Details, Inpaint, describe, restore
from pipelines.services.preflight import preflight
from pipelines.tasks import details, inpaint
from tests.support.drawing import blots, finished, task
from tests.support.toy_weights import load_toy_model, write_toy_model
from tests.support.toys import toy_studio

SIZE = (96, 80)
BOXES = ((8, 8, 40, 40), (48, 30, 90, 76))
REQUEST = Details(
    prompt="a red house", negative_prompt="mountains", steps=5, seed=5, width=64, height=64, sampler="Euler a", padding=8, mask_blur=2
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def boxed(box: tuple[int, int, int, int], **changes: Any) -> DetailBox:
    left, top, right, bottom = box
    return DetailBox(left=left, top=top, right=right, bottom=bottom, **changes)


def asked(inputs: Inputs, *boxes: DetailBox, **changes: Any) -> Details:
    return replace(REQUEST, image=inputs.keep(blots(SIZE)), boxes=boxes, **changes)


def drawn(request: Details, model: DiffusionModel, inputs: Inputs) -> list[Picture]:
    return finished(details.batches(task(request, model, inputs)))


def inpainted(picture: Image.Image, mask: Image.Image, model: DiffusionModel, inputs: Inputs, **changes: Any) -> Image.Image:
    """What the tab Inpaint makes of the same settings, as a person would set them there."""
    same = {item.name: getattr(REQUEST, item.name) for item in fields(Inpaint) if hasattr(REQUEST, item.name)}
    own = {"image": inputs.keep(picture), "mask": inputs.keep(mask), "area": "Only masked", "masked_content": "Original"}
    [made] = finished(inpaint.batches(task(Inpaint(**{**same, **own, **changes}), model, inputs)))
    return made.image


def rectangle(box: tuple[int, int, int, int]) -> Image.Image:
    values = np.zeros(SIZE[::-1], np.uint8)
    values[box[1] : box[3], box[0] : box[2]] = 255
    return Image.fromarray(values)


def test_one_box_is_the_inpainting_of_its_mask_bit_for_bit(model: DiffusionModel, inputs: Inputs) -> None:
    [ours] = drawn(asked(inputs, boxed(BOXES[0])), model, inputs)
    assert ours.image.tobytes() == inpainted(blots(SIZE), rectangle(BOXES[0]), model, inputs).tobytes()
    assert ours.image.tobytes() != blots(SIZE).tobytes()


def test_several_boxes_are_inpaintings_one_after_another_each_with_its_own_words_and_strength(
    model: DiffusionModel, inputs: Inputs
) -> None:
    boxes = boxed(BOXES[0], prompt="snow, [PROMPT]"), boxed((20, 20, 30, 60), prompt="[SKIP]"), boxed(BOXES[1], strength=0.7)
    [ours] = drawn(asked(inputs, *boxes), model, inputs)
    first = inpainted(blots(SIZE), rectangle(BOXES[0]), model, inputs, prompt="snow, a red house")
    both = inpainted(first, rectangle(BOXES[1]), model, inputs, denoising_strength=0.7)
    assert ours.image.tobytes() == both.tobytes()


def test_together_and_all_but_are_one_inpainting(model: DiffusionModel, inputs: Inputs) -> None:
    boxes = [boxed(box) for box in BOXES]
    union = Image.fromarray(np.maximum(*[np.asarray(rectangle(box)) for box in BOXES]))
    for together, mask in (("Together", union), ("All but these", union.point([255 - value for value in range(256)]))):
        [ours] = drawn(asked(inputs, *boxes, together=together), model, inputs)
        assert ours.image.tobytes() == inpainted(blots(SIZE), mask, model, inputs).tobytes()


def test_in_a_box_that_is_painted_in_only_that_is_drawn(model: DiffusionModel, inputs: Inputs) -> None:
    painted = rectangle((20, 20, 60, 60))
    [ours] = drawn(asked(inputs, boxed(BOXES[0]), mask=inputs.keep(painted)), model, inputs)
    assert ours.image.tobytes() == inpainted(blots(SIZE), rectangle((20, 20, 40, 40)), model, inputs).tobytes()
    assert box_mask((70, 0, 80, 10), SIZE, painted).tobytes() == rectangle((70, 0, 80, 10)).tobytes(), "nothing is painted in it"


def test_a_box_over_the_edge_is_cut_and_what_is_skipped_comes_back(model: DiffusionModel, inputs: Inputs) -> None:
    [cut] = drawn(asked(inputs, boxed((-20, -20, 30, 30))), model, inputs)
    assert cut.image.tobytes() == inpainted(blots(SIZE), rectangle((0, 0, 30, 30)), model, inputs).tobytes()
    [same] = drawn(asked(inputs, boxed(BOXES[0], prompt=" [SKIP] ")), model, inputs)
    assert same.image.tobytes() == blots(SIZE).tobytes()


def test_the_record_of_each_picture_makes_it_again_bit_for_bit(model: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs, *[boxed(box) for box in BOXES], batch_size=2)
    made = drawn(request, model, inputs)
    assert len({picture.image.tobytes() for picture in made}) == 2
    for picture in made:
        again = restore(describe(picture.request))
        assert isinstance(again, Details) and again.picture_count == 1
        assert len(again.decodes) == 0 or len(again.decodes) == len(BOXES)
        assert [each.image.tobytes() for each in drawn(again, model, inputs)] == [picture.image.tobytes()]


def test_steps_of_all_boxes_are_counted_through_and_there_is_a_stop_between_them(model: DiffusionModel, inputs: Inputs) -> None:
    import torch

    request = asked(inputs, boxed(BOXES[0]), boxed(BOXES[1], strength=1.0), batch_size=2)
    with torch.inference_mode():
        events = [event for batch in details.batches(task(request, model, inputs)) for event in batch]
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.index for step in steps] == list(range(1, 2 * (3 + 5) + 1))
    assert {step.count for step in steps} == {16} and {(step.batch, step.batches) for step in steps} == {(0, 1)}
    ends = [events.index(step) for step in steps if step.index in (3, 11)]
    assert all(None in events[end : end + 8] for end in ends), "between one box and the next"


def test_what_a_run_will_draw_is_said_and_shown_before(inputs: Inputs) -> None:
    from pipelines.images.masking import crop_box

    request = asked(inputs, *[boxed(box) for box in BOXES])
    told = preflight(request, SIZE)
    assert told.lines[0] == "2 drawings, one after another, at 64 × 64." and "3 of 5 steps will run in each box" in told.lines[1]
    assert told.crops == tuple(crop_box(box, SIZE, (64, 64), 8, 2) for box in BOXES)
    assert preflight(replace(request, boxes=()), SIZE).lines == ("There is no box yet. Press Find, or draw one on the picture.",)
    assert "Box 1 lies outside the picture, which is 96 × 80" in preflight(replace(request, boxes=(boxed((96, 0, 99, 9)),)), SIZE).lines[0]
    for together in ("Together", "All but these"):
        merged = replace(request, together=together)
        mask = joined(BOXES, SIZE) if together == "Together" else all_but(joined(BOXES, SIZE))
        assert bounds_of(merged, SIZE) == [mask.getbbox()]


def test_boxes_without_area_and_far_too_many_are_sentences() -> None:
    with pytest.raises(UserError, match="Box 2 has no area"):
        Details.admit({"boxes": [{"right": 8, "bottom": 8}, {"left": 9, "right": 9, "bottom": 8}]})
    with pytest.raises(UserError, match="500 entries; 100 is the most"):
        Details.admit({"boxes": [{"right": 8, "bottom": 8}] * 500})


# ---- in the text that others read ----------------------------------------------------------------------------------------------

THEIRS = (
    "a knight\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: x, "
    "ADetailer model: face_yolov8n.pt, ADetailer prompt: \"old face [SEP] young, smiling\", ADetailer confidence: 0.4, "
    "ADetailer mask only top k largest: 2, ADetailer y offset: 6, ADetailer dilate erode: 8, ADetailer mask blur: 5, "
    "ADetailer denoising strength: 0.35, ADetailer inpaint only masked: True, ADetailer inpaint padding: 48, "
    "ADetailer model 2nd: hand_yolov8n.pt, ADetailer confidence 2nd: 0.3, ADetailer dilate erode 2nd: 4, "
    "ADetailer denoising strength 2nd: 0.5, ADetailer ControlNet model 2nd: tile, ADetailer version: 24.11.1, Version: v1.10.1"
)  # fmt: skip


def test_what_adetailer_wrote_is_understood_and_what_is_not_is_named() -> None:
    found = request_of(infotext.parse(THEIRS))
    assert found.request.kind == "txt2img"
    first, second = (note for note in found.notes if note.startswith("When it was drawn"))
    assert "“face_yolov8n.pt” saw with confidence 0.4 or more was drawn anew at strength 0.35" in first
    assert "“old face [SEP] young, smiling”, grown by 8, blur 5, padding 48" in first
    assert "“hand_yolov8n.pt” saw with confidence 0.3 or more was drawn anew at strength 0.5" in second
    assert set(found.unknown) == {"ADetailer ControlNet model 2nd"}
    strange = request_of(infotext.parse(THEIRS.replace("confidence: 0.4", "confidence: 7")))
    assert any("Confidence must be between 0 and 1; 7 is not" in note for note in strange.notes)


def test_what_adetailer_wrote_can_fill_the_form_of_details() -> None:
    found = request_of(infotext.parse(THEIRS.replace("ADetailer version", "ADetailer mask merge invert: Merge, ADetailer version"))).details
    first, second = Details.admit(found).detailers
    assert found == {"detailers": (first, second), "mask_blur": 5, "padding": 48, "together": MERGES[1]}
    assert first == Detailer(
        detector="face_yolov8n.pt", prompt="old face [SEP] young, smiling", confidence=0.4, most=2, down=-6, grow=8, strength=0.35
    )
    assert second == Detailer(detector="hand_yolov8n.pt", confidence=0.3, grow=4, strength=0.5)
    for text in (
        THEIRS.split(", ADetailer")[0],
        "x\nSteps: 20, Seed: 1, ADetailer model: None, ADetailer model 2nd: none, Version: v1.10.1",
    ):
        assert request_of(infotext.parse(text)).details == {}
    strange = THEIRS.replace("mask blur: 5", "mask blur: far").replace("padding: 48", "padding: 9999")
    assert request_of(infotext.parse(strange)).details == {"detailers": (first, second), "padding": 256}


def test_the_form_gets_words_models_and_detailers_and_keeps_the_rest(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, start=False)
    reading = studio.readings.of_text(THEIRS, "me")
    assert reading["detailers"] == 2
    asked, leave = studio.readings.detailing(reading["id"], "me")
    assert (asked.prompt, asked.negative_prompt, asked.seed, asked.sampler) == ("a knight", "blurry", 1, "Euler a")
    assert (len(asked.detailers), asked.padding) == (2, 48)
    assert {"image", "mask", "boxes", "width", "height", "checkpoint", "denoising_strength", "together"} <= {*leave}  # “x” is not here
    assert not {"prompt", "steps", "detailers", "mask_blur"} & {*leave}
    plain = studio.readings.of_text("a knight\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Version: v1.10.1", "me")
    for reading_id, user in ((plain["id"], "me"), (reading["id"], "you")):
        with pytest.raises(UserError):
            studio.readings.detailing(reading_id, user)
    studio.close()


def test_ours_are_written_in_the_same_keys_and_come_back() -> None:
    detailers = (
        Detailer(detector="faces.onnx", prompt="old, [SEP] new: x", strength=0.35, most=2, down=-6, grow=8, order="Largest first"),
        Detailer(detector="Colour", colour="#00ff00", across=3, smallest=0.01, largest=0.5),
    )
    boxes = boxed(BOXES[0], prompt='a "face", 50 %: \n[SKIP]', strength=0.25), boxed((-3, 0, 8, 9))
    request = replace(REQUEST, image="ab" * 32, boxes=boxes, detailers=detailers, together="Together", denoising_strength=0.45)
    text = infotext.write(request, {})
    for part in (
        "ADetailer model: faces.onnx", "ADetailer denoising strength: 0.35", "ADetailer mask only top k: 2", "ADetailer y offset: 6",
        "ADetailer dilate erode: 8", "ADetailer mask blur: 2", "ADetailer inpaint padding: 8", "ADetailer mask merge invert: Merge",
        "ADetailer model 2nd: Colour", "ADetailer x offset 2nd: 3", "ADetailer denoising strength 2nd: 0.45",
    ):  # fmt: skip
        assert part in text
    again = request_of(infotext.parse(text)).request
    assert isinstance(again, Details)
    assert again.boxes == boxes
    same = ("prompt", "together", "mask_blur", "padding", "denoising_strength", "steps", "sampler", "width")
    assert [getattr(again, name) for name in same] == [getattr(request, name) for name in same]
    assert again.detailers == (detailers[0], replace(detailers[1], strength=0.45))

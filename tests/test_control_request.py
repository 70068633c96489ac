"""Control units in a request: what is refused before a run, what is written with a picture, and what another machine makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from models.files import ModelFile
from pipelines import Controlled, ControlUse, Depth, Studio
from pipelines.denoising.control_residuals import ControlResiduals
from pipelines.metadata import infotext
from pipelines.requests.control_unit import MOST_UNITS, WEIGHT_CURVES, curve_at
from pipelines.requests.request import describe, input_ids, restore
from pipelines.requests.steps import Steps
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.services.request_pictures import check_pictures, without_missing
from pipelines.services.uploads import Uploads
from tests.support.asked import drawing
from tests.support.toys import toy_studio
from tests.test_intake import ME, YOU, noise, put, refused, uploads
from tests.test_resolve import Shelf, entry

__all__ = ["uploads"]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf([
        entry("checkpoint", "Dreams"), entry("checkpoint", "Large", "sdxl"), entry("controlnet", "canny", hash="a1b2c3d4e5f6"),
        entry("controlnet", "large canny", "sdxl"), entry("adapter", "sketch"), entry("lora", "ink"), depth_checkpoint(),
    ])  # fmt: skip


def depth_checkpoint() -> ModelFile:
    file = entry("checkpoint", "Deep")
    return replace(file, identity=replace(file.identity, variant="depth"))


def held(*uses: ControlUse, **values: Any) -> Controlled:
    return Controlled(checkpoint="id-Dreams", controls=uses, **values)


def why(request: Any, shelf: Shelf) -> str:
    with pytest.raises(UserError) as told:
        resolve(request, shelf)
    return str(told.value)


# ---- what is refused ------------------------------------------------------------------------------------------------------------------


def test_a_unit_learns_its_model_s_name(shelf: Shelf) -> None:
    found = resolve(held(ControlUse(id="id-canny"), ControlUse(id="id-sketch")), shelf)
    assert [use.name for use in found.controls] == ["canny", "sketch"]


def test_a_unit_that_was_never_filled_in_is_left_out(shelf: Shelf) -> None:
    assert resolve(held(ControlUse(), ControlUse(id="id-canny")), shelf).controls == (ControlUse(id="id-canny", name="canny"),)


def test_a_unit_that_is_switched_off_before_it_has_a_model_is_left_out(shelf: Shelf) -> None:
    assert resolve(held(ControlUse(image="ab" * 32, weight=0.0)), shelf).controls == ()


def test_a_unit_without_a_model_is_named_as_its_card_is_and_told_which_model_would_do(shelf: Shelf) -> None:
    told = why(held(ControlUse(id="id-sketch"), ControlUse(image="ab" * 32, preprocessor="Canny")), shelf)
    assert "Control unit 2 has no model" in told and "“Unit 2 – Canny”" in told and "such as “canny”" in told


@pytest.mark.parametrize(("use", "sentence"), [
    (ControlUse(image="ab" * 32), "unit 1 has no model"),
    (ControlUse(id="id-large canny"), "made for SDXL"),
    (ControlUse(id="id-ink"), "not a file that steers"),
    (ControlUse(id="id-gone"), "not in the models folders"),
    (ControlUse(id="id-canny", start=0.6, end=0.4), "ends before it begins"),
])  # fmt: skip
def test_what_cannot_steer_is_refused_before_the_first_step(use: ControlUse, sentence: str, shelf: Shelf) -> None:
    assert sentence in why(held(use), shelf)


def test_ten_units_are_the_most() -> None:
    units = [{"id": "x"}] * MOST_UNITS
    assert len(Controlled.admit({"controls": units}).controls) == MOST_UNITS
    with pytest.raises(UserError, match="10 is the most"):
        Controlled.admit({"controls": [*units, {"id": "x"}]})


@pytest.mark.parametrize(
    "bad", [{"weight": 3}, {"weight": "1"}, {"curve": "Steep"}, {"image": "../../etc"}, {"start": -0.1}, {"unknown": 1}]
)
def test_a_unit_s_values_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Controlled.admit({"controls": [{"id": "x"} | bad]})


def test_a_unit_s_picture_must_be_there_and_one_s_own(uploads: Uploads) -> None:
    mine, yours = put(uploads), put(uploads, (41, 30), YOU)
    check_pictures(uploads, held(ControlUse(id="x", image=mine)), ME)
    assert "unit 1 has no picture" in refused(uploads, held(ControlUse(id="x")))
    for use in (ControlUse(id="x", image=yours), ControlUse(id="x", image="ab" * 32), ControlUse(id="x", image=mine, mask=yours)):
        assert "not stored here any more" in refused(uploads, held(use))
    check_pictures(uploads, held(ControlUse(), ControlUse(id="x", weight=0.0)), ME)


def test_nothing_reads_a_depth_map_without_a_depth_checkpoint_or_a_unit(shelf: Shelf) -> None:
    alone = Depth(checkpoint="id-Dreams", map="ab" * 32)
    assert "Nothing reads the depth map" in why(alone, shelf)
    assert "Nothing reads the depth map" in why(replace(alone, controls=(ControlUse(id="id-canny", image="cd" * 32),)), shelf)
    resolve(replace(alone, controls=(ControlUse(id="id-canny"),)), shelf)
    resolve(replace(alone, checkpoint="id-Deep"), shelf)
    assert "depth model" in why(replace(held(), checkpoint="id-Deep"), shelf)
    assert "empty" in why(replace(alone, checkpoint="id-Deep", near=0.2, far=0.5), shelf)


def test_a_depth_map_alone_needs_no_picture_at_full_strength(uploads: Uploads) -> None:
    depth = uploads.keep(Image.fromarray(np.zeros((8, 8), np.uint16)), ME).id
    check_pictures(uploads, Depth(map=depth, denoising_strength=1.0), ME)
    assert "no picture to start from" in refused(uploads, Depth(map=depth, denoising_strength=0.9))
    assert "no picture to start from" in refused(uploads, Depth())


# ---- when and how strongly ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 7, 20])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.3, 0.7), (0.0, 0.5), (0.95, 1.0)])
def test_a_unit_acts_at_the_steps_that_diffusers_keeps_it_at(steps: int, start: float, end: float) -> None:
    use = ControlUse(start=start, end=end)
    kept = [1.0 - float(index / steps < start or (index + 1) / steps > end) for index in range(steps)]
    assert [use.weight_at(index, steps) for index in range(steps)] == kept


@pytest.mark.parametrize("curve", WEIGHT_CURVES)
def test_a_curve_runs_from_the_first_to_the_last_of_the_unit_s_own_steps(curve: str) -> None:
    use = ControlUse(weight=0.8, start=0.2, end=0.7, curve=curve)
    weights = [use.weight_at(index, 10) for index in range(10)]
    assert weights[:2] == [0, 0] and weights[7:] == [0, 0, 0]
    assert weights[2:7] == pytest.approx([0.8 * curve_at(curve, share) for share in (0, 0.25, 0.5, 0.75, 1)])
    ends = {"Flat": (1, 1), "Falling": (1, 0), "Rising": (0, 1), "Early": (1, 0), "Late": (0, 1), "Middle": (0, 0)}
    assert (curve_at(curve, 0), curve_at(curve, 1)) == pytest.approx(ends[curve], abs=1e-12)


def test_steps_that_do_not_run_do_not_count() -> None:
    """At a low strength in image to image, "from the middle on" is the middle of what runs, as in A1111 and diffusers."""
    residuals = ControlResiduals()
    residuals.begin(12, Steps(20, 12))
    use = ControlUse(start=0.5)
    assert [use.weight_at(index, 8) for index in range(8)] == [0, 0, 0, 0, 1, 1, 1, 1]


# ---- what is written ------------------------------------------------------------------------------------------------------------------

FULL = ControlUse(
    id="id-canny", name="canny, v1: best", image="ab" * 32, preprocessor="Canny", pixel_perfect=False, resolution=640, threshold_a=80.0,
    threshold_b=160.0, weight=0.7, start=0.1, end=0.9, curve="Early", mode="Control", resize_mode="Fill", mask="cd" * 32,
    union_kind="Hard edge",
)  # fmt: skip


def test_every_part_of_a_unit_is_in_the_metadata() -> None:
    request = held(FULL, seed=1)
    assert restore(describe(request)) == request
    assert input_ids(request) == {"ab" * 32, "cd" * 32}


def test_others_read_a_unit_in_the_text() -> None:
    text = infotext.write(held(FULL, seed=1, prompt="a house"), {})
    for part in (
        'ControlNet 0: "Module: Canny, Model: canny%2C v1%3A best, Weight: 0.7, Resize Mode: Resize and Fill, Processor Res: 640',
        "Threshold A: 80, Threshold B: 160, Guidance Start: 0.1, Guidance End: 0.9, Pixel Perfect: False",
        "Control Mode: ControlNet is more important",
        "Image hash: abababababab, Region hash: cdcdcdcdcdcd",
    ):
        assert part in text
    parsed = infotext.parse(text)
    assert parsed.values["prompt"] == "a house" and not parsed.notes


def test_another_machine_finds_its_own_copy_by_hash_or_name(shelf: Shelf) -> None:
    other = held(replace(FULL, id="elsewhere", name="edges"))
    found = rebind(other, {"ControlNet hashes": "edges: a1b2c3d4e5f6"}, shelf)
    assert [use.id for use in drawing(found.request).controls] == ["id-canny"]
    by_name = rebind(held(ControlUse(id="elsewhere", name="sketch")), {}, shelf)
    assert [use.id for use in drawing(by_name.request).controls] == ["id-sketch"]
    gone = rebind(held(ControlUse(id="elsewhere", name="nothing")), {}, shelf)
    assert drawing(gone.request).controls == () and "nothing" in gone.notes[0]


def test_a_picture_s_units_come_back_without_what_is_not_one_s_own(uploads: Uploads) -> None:
    mine, yours = put(uploads), put(uploads, (41, 30), YOU)
    request, notes = without_missing(uploads, held(ControlUse(id="x", image=mine), ControlUse(id="x", image=yours)), ME)
    assert [use.image for use in request.controls] == [mine, ""] and len(notes) == 1


# ---- before a run ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def studio(tmp_path: Path) -> Any:
    made = toy_studio(tmp_path)
    yield made
    made.close()


def shown(studio: Studio, use: ControlUse, size: tuple[int, int], user: str = ME, image: str = "") -> Image.Image:
    taken = studio.control_preview(use, size, user, image)
    assert (taken.width, taken.height) == size
    return studio.uploads.inputs.open(taken.id)


def test_the_preview_is_what_the_model_will_see(studio: Studio) -> None:
    import torch

    from pipelines.control.units import hint_of
    from pipelines.control.view import View

    picture = studio.uploads.keep(noise((90, 60)), ME).id
    for mode in ("Crop", "Fill", "Stretch"):
        use = ControlUse(image=picture, preprocessor="Canny", resize_mode=mode)
        hint = hint_of(use, View((64, 96), (0, 0, 64, 96), (64, 96)), studio.uploads.inputs)
        seen = torch.from_numpy(np.asarray(shown(studio, use, (64, 96)), np.float32) / 255).permute(2, 0, 1)[None]
        assert torch.equal(hint, seen)


def test_a_unit_without_a_picture_shows_the_tab_s(studio: Studio) -> None:
    picture = studio.uploads.keep(noise((64, 64)), ME).id
    assert shown(studio, ControlUse(), (64, 64), image=picture).tobytes() == noise((64, 64)).tobytes()


@pytest.mark.parametrize(("use", "sentence"), [
    (ControlUse(), "no picture yet"),
    (ControlUse(image="ab" * 32), "not stored here"),
    (ControlUse(image="ab" * 32, preprocessor="Magic"), "no preprocessor called"),
    (ControlUse(image="ab" * 32, preprocessor="OpenPose"), "body_pose_model.pth"),
])  # fmt: skip
def test_what_cannot_be_shown_says_why(use: ControlUse, sentence: str, studio: Studio) -> None:
    with pytest.raises(UserError, match=sentence):
        studio.control_preview(use, (64, 64), ME)


def test_nobody_sees_another_one_s_picture(studio: Studio) -> None:
    picture = studio.uploads.keep(noise((64, 64)), YOU).id
    with pytest.raises(UserError, match="not stored here"):
        studio.control_preview(ControlUse(image=picture), (64, 64), ME)


def test_a_preprocessor_whose_files_are_missing_is_refused_when_the_job_comes_in(studio: Studio) -> None:
    picture = studio.uploads.keep(noise((64, 64)), ME).id
    with pytest.raises(UserError, match=r"body_pose_model\.pth"):
        studio.control.check(held(ControlUse(id="x", image=picture, preprocessor="OpenPose")))
    studio.control.check(held(ControlUse(id="x", image=picture, preprocessor="OpenPose", weight=0.0)))

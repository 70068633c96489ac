"""What is said before a run is what the run does: sentences, the part that is drawn, the size that suits a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.images.windows import windows
from pipelines.requests.request import ImageToImage, Inpaint, Outpaint
from pipelines.services.preflight import preflight, steps_sentence
from pipelines.tasks.inpaint import patch_of
from ui.parts.canvas import fit_size, numbers, own_size, planned

SIDE = st.integers(8, 300)
DRAWN = st.integers(8, 64).map(lambda steps: 8 * steps)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ImageToImage(steps=20, denoising_strength=0.75), "16 of 20 steps will run at strength 0.75."),
        (ImageToImage(steps=20, denoising_strength=1), "20 steps will run."),
        (ImageToImage(steps=1, denoising_strength=0.3), "1 step will run."),
        (ImageToImage(steps=20, denoising_strength=0.3, exact_steps=True), "20 steps will run."),
        (Inpaint(denoising_strength=0), "Strength 0: no step runs, the picture comes back as it is."),
        (ImageToImage(steps=20, loops=3, denoising_strength=0.75, final_strength=0.25), "16 + 11 + 6 = 33 steps will run."),
        (ImageToImage(steps=4, loops=10, denoising_strength=1, final_strength=1), f"{'4 + ' * 8}… = 40 steps will run."),
    ],
)
def test_the_steps_that_will_run_are_said(request_: Any, said: str) -> None:
    assert steps_sentence(request_) == said
    assert preflight(request_, None).lines == (said,)


@pytest.mark.parametrize(
    ("mode", "picture", "said"),
    [
        ("Crop", (1000, 500), "Your picture, 1,000 × 500, is cropped to 512 × 512."),
        ("Fill", (500, 1000), "Your picture, 500 × 1,000, is filled out to 512 × 512."),
        ("Stretch", (64, 63), "Your picture, 64 × 63, is scaled to 512 × 512."),
        ("Stretch", (64, 32), "Your picture, 64 × 32, is stretched to 512 × 512."),
        ("Stretch latents", (7, 500), "Your picture, 7 × 500, is stretched, as latents, to 512 × 512."),
    ],
)
def test_what_becomes_of_the_size_of_a_picture_is_said(mode: str, picture: tuple[int, int], said: str) -> None:
    request = ImageToImage(width=512, height=512, resize_mode=mode)
    assert preflight(request, picture).lines[1:] == (said,)
    assert preflight(request, (512, 512)).lines[1:] == ()


@st.composite
def masked(draw: st.DrawFn) -> tuple[Inpaint, Image.Image]:
    size = draw(SIDE), draw(SIDE)
    mask = Image.new("L", size)
    for _ in range(draw(st.integers(1, 3))):
        left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
        mask.paste(draw(st.integers(1, 255)), (left, top, draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1]))))
    padding, blur = draw(st.integers(0, 64)), draw(st.integers(0, 20))
    return Inpaint(area="Only masked", width=draw(DRAWN), height=draw(DRAWN), padding=padding, mask_blur=blur), mask


@given(masked())
@settings(deadline=None)
def test_the_part_that_is_shown_is_the_part_that_the_recipe_draws(given: tuple[Inpaint, Image.Image]) -> None:
    request, mask = given
    found = preflight(request, mask.size, mask.getbbox())
    box = patch_of(request, Image.new("RGB", mask.size), mask).box
    assert found.box == box
    assert found.label.startswith(f"{box[2] - box[0]} × {box[3] - box[1]} drawn at {request.width} × {request.height}, ")


def test_only_what_is_masked_can_be_drawn_larger_and_how_much_is_said() -> None:
    request = Inpaint(area="Only masked", width=512, height=512, padding=0, mask_blur=0)
    assert preflight(request, (512, 512), (0, 0, 128, 32)).label == "128 × 128 drawn at 512 × 512, 4.0 times as large"
    assert preflight(request, (900, 900), (0, 0, 512, 512)).label.endswith("as large as it is")
    assert preflight(request, (2048, 2048), (0, 0, 2048, 2048)).label.endswith("0.25 of its size")


def test_the_whole_picture_is_drawn_at_the_size_that_is_asked_for() -> None:
    request = Inpaint(width=512, height=512)
    assert preflight(request, (512, 512), (0, 0, 9, 9)).lines[1:] == ()
    said = preflight(request, (1024, 1024), (0, 0, 9, 9)).lines[1]
    assert said == "The whole picture, 1,024 × 1,024, is drawn at 512 × 512, 0.50 of its size."
    assert ", stretched, at" in preflight(request, (1024, 512), (0, 0, 9, 9)).lines[1]
    assert preflight(request, (512, 512)).lines[1:] == ("Paint over what should change.",)


@given(st.tuples(*[st.integers(0, 40).map(lambda steps: 8 * steps)] * 4), st.tuples(SIDE, SIDE))
@settings(deadline=None)
def test_the_windows_of_an_extension_are_counted(margins: tuple[int, ...], picture: tuple[int, int]) -> None:
    left, top, right, bottom = margins
    said = preflight(Outpaint(left=left, top=top, right=right, bottom=bottom, width=256, height=256), picture).lines[1]
    if not any(margins):
        assert said.startswith("Drag an edge")
        return
    count = len(windows(picture, (left, top, right, bottom), (256, 256)))
    assert f"to {picture[0] + left + right:,} × {picture[1] + top + bottom:,}, in {count} window{'s' if count > 1 else ''} of" in said


@given(st.integers(1, 40_000), st.integers(1, 40_000), st.sampled_from([128, 256, 512, 768, 1024]))
def test_a_size_that_suits_is_one_that_a_request_takes(width: int, height: int, native: int) -> None:
    found = fit_size((width, height), native)
    kept = ImageToImage.admit({"width": found[0], "height": found[1]})
    assert (kept.width, kept.height) == found
    assert 0.2 <= found[0] * found[1] / native**2 <= 2.1


@given(st.integers(1, 40_000), st.integers(1, 40_000))
def test_in_tiles_a_picture_keeps_its_size_as_far_as_a_request_takes_it(width: int, height: int) -> None:
    found = own_size((width, height))
    kept = ImageToImage.admit({"width": found[0], "height": found[1], "tiling": "Tile by tile"})
    assert (kept.width, kept.height) == found
    if min(width, height) >= 64 and max(width, height) <= 4096:
        assert 0 <= width - found[0] < 8 and 0 <= height - found[1] < 8


@given(st.integers(64, 3000), st.integers(64, 3000), st.sampled_from([256, 512, 1024]))
def test_a_size_that_suits_has_the_shape_of_the_picture(width: int, height: int, native: int) -> None:
    found = fit_size((width, height), native)
    wanted = min(max(width / height, 1 / 4), 4)
    if 0.5 <= width * height / native**2 <= 2:
        assert abs(found[0] - width) <= 4 and abs(found[1] - height) <= 4
    else:
        assert wanted / 1.2 <= found[0] / found[1] <= wanted * 1.2


@pytest.mark.parametrize(
    "values",
    [None, 5, "12", {"0": 1}, [], [1], [1, 2, 3], [1, "2"], [1, 2.0], [1, None], [True, 5], [-1, 5], [5, 0], [1, 10**9], [[1], 2],
     [float("nan"), 1], (1, 2)],
)  # fmt: skip
def test_what_is_no_size_is_none(values: Any) -> None:
    assert numbers(values, 2) is None


def test_a_size_and_bounds_are_numbers_of_pixels() -> None:
    assert numbers([640, 480], 2) == (640, 480)
    assert numbers([0, 0, 1, 1], 4) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [({"steps": 0}, "Steps must be"), ({"denoising_strength": 1.5}, "Denoising strength must be"), ({"nonsense": 1}, "no field named"),
     ({"width": None}, "Width must be"), ({"seed": "abc"}, "Seed must be"), ({"padding": "x"}, "Padding must be")],
)  # fmt: skip
def test_a_value_that_is_refused_is_said_instead_of_a_plan(values: dict[str, Any], said: str) -> None:
    found = planned(Inpaint, {"values": values, "picture": [64, 64], "bounds": [0, 0, 8, 8]})
    assert said in found["lines"][0]
    assert (len(found["lines"]), found["box"], found["label"]) == (1, None, "")


def test_a_plan_is_made_from_what_the_page_knows() -> None:
    values = {"area": "Only masked", "width": 512, "height": 512, "padding": 0, "mask_blur": 0, "image": {}, "mask": 5, "steps": 20}
    found = planned(Inpaint, {"values": values, "picture": [512, 512], "bounds": [0, 0, 128, 32]})
    assert found["box"] == (0, 0, 128, 128)
    assert found["lines"] == ["16 of 20 steps will run at strength 0.75."]


@pytest.mark.parametrize("picture", [[512, 512], [0, 0], None, "x", [1, 1]])
@pytest.mark.parametrize("bounds", [None, [5, 5, 5, 5], [500, 500, 10, 10], [0, 0, 9000, 9000], ["a"] * 4, [0, 0, 0, 8], {}])
@pytest.mark.parametrize("kind", [ImageToImage, Inpaint, Outpaint])
def test_bounds_that_hold_nothing_of_the_picture_are_as_none(kind: type[Inpaint], picture: Any, bounds: Any) -> None:
    values = {"padding": 0, "mask_blur": 0, "area": "Only masked"} if kind is Inpaint else {}
    assert planned(kind, {"values": values, "picture": picture, "bounds": bounds})["box"] is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tiling": "Windows", "tile_size": 768, "tile_overlap": 384}, "25 windows of 768 × 768: 275 calls of the network, 3.5 times"),
        ({"tiling": "Windows", "tile_size": 2048, "tile_overlap": 0}, "One tile holds the whole picture."),
        ({"tiling": "Windows", "sampler": "Heun", "tile_size": 1024, "tile_overlap": 0}, "4 windows of 1,024 × 1,024: 84 calls"),
        ({"tiling": "Tile by tile", "tile_size": 1024}, "4 tiles of 1,088 × 1,088: 44 calls of the network, 1.1 times"),
        (
            {"tiling": "Tile by tile", "tile_size": 1024, "seam_pass": "Half tile", "seam_strength": 0.1},
            "4 tiles of 1,088 × 1,088, then 4 parts along their seams: 56 calls of the network, 2.3 times",
        ),
    ],
)
def test_what_tiles_cost_is_said(values: dict[str, Any], said: str) -> None:
    request = ImageToImage.admit({"width": 2048, "height": 2048, "steps": 20, "denoising_strength": 0.5} | values)
    assert preflight(request, (2048, 2048)).lines[1].startswith(said)
    assert len(preflight(replace(request, denoising_strength=0.0), (2048, 2048)).lines) == 1

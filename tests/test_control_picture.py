"""What a control unit's model sees: the right size, nothing lost, and the same each time."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipelines.control.control_map import as_rgb, control_mask, control_picture, fitted, map_resolution
from pipelines.preprocessors import TABLE
from pipelines.preprocessors.inpaint_mask import inpaint_tensor
from pipelines.requests.control_unit import CONTROL_RESIZE, ControlUse
from tests.test_preprocessors import scene

WEIGHTLESS = [entry.name for entry in TABLE if not entry.weights]
CANNY = ControlUse(preprocessor="Canny", threshold_a=60, threshold_b=150)


def seen(use: ControlUse, picture: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(control_picture(use, picture, size))


def picture(width: int = 192, height: int = 128) -> Image.Image:
    return Image.fromarray(scene(width, height))


# ---- the resolution ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "drawn_from", "drawing", "expected"),
    [
        ("Crop", (1024, 512), (512, 512), 512),  # as sd-webui-controlnet: the larger of both shares, times the shorter side
        ("Stretch", (1024, 512), (512, 512), 512),
        ("Fill", (1024, 512), (512, 512), 256),
        ("Crop", (300, 400), (512, 768), 576),
        ("Fill", (300, 400), (512, 768), 512),
        ("Fill", (4000, 10), (512, 512), 64),  # the field's own limits hold
        ("Crop", (10, 4000), (2048, 2048), 2048),
    ],
)
def test_pixel_perfect_is_the_resolution_that_the_drawing_needs(
    mode: str, drawn_from: tuple[int, int], drawing: tuple[int, int], expected: int
) -> None:
    assert map_resolution(ControlUse(resize_mode=mode, resolution=720), drawn_from, drawing) == expected


def test_otherwise_the_resolution_is_the_units_own() -> None:
    assert map_resolution(ControlUse(pixel_perfect=False, resolution=720), (100, 100), (512, 512)) == 720


# ---- any picture ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", CONTROL_RESIZE)
@pytest.mark.parametrize("name", WEIGHTLESS)
def test_a_map_has_the_drawings_size_and_is_the_same_each_time(name: str, mode: str) -> None:
    use = ControlUse(preprocessor=name, resize_mode=mode)
    first = seen(use, picture(), (96, 160))
    assert first.shape == (160, 96, 3)
    assert (first == seen(use, picture(), (96, 160))).all()


@pytest.mark.parametrize("mode", CONTROL_RESIZE)
@pytest.mark.parametrize("kind", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("size", [(10, 10), (1, 300), (500, 2)])
def test_a_picture_of_any_kind_and_size_will_do(kind: str, size: tuple[int, int], mode: str) -> None:
    base = picture(64, 64).resize(size)
    hint = Image.fromarray(np.asarray(base.convert("L"), np.uint16) * 257) if kind == "I;16" else base.convert(kind)
    for name in ("None", "Canny"):
        assert seen(ControlUse(preprocessor=name, resize_mode=mode), hint, (64, 96)).shape == (96, 64, 3)


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    clear.putpixel((0, 0), (10, 20, 30, 255))
    assert np.asarray(as_rgb(clear))[0].tolist() == [[10, 20, 30], *[[255, 255, 255]] * 3]


# ---- resize modes --------------------------------------------------------------------------------------------------------------


def marked() -> Image.Image:
    """200 x 100: grey, a red left end and a blue right one."""
    canvas = np.full((100, 200, 3), 128, np.uint8)
    canvas[:, :20], canvas[:, -20:] = (255, 0, 0), (0, 0, 255)
    return Image.fromarray(canvas)


def test_crop_fills_the_drawing_and_cuts_the_ends_off() -> None:
    assert (seen(ControlUse(resize_mode="Crop"), marked(), (64, 64)) == 128).all()


def test_stretch_shows_all_of_it() -> None:
    drawn = seen(ControlUse(resize_mode="Stretch"), marked(), (64, 64))
    assert drawn[32, 2].tolist() == [255, 0, 0]
    assert drawn[32, -3].tolist() == [0, 0, 255]


def test_fill_shows_all_of_it_between_bars_of_the_borders_usual_colour() -> None:
    drawn = seen(ControlUse(resize_mode="Fill"), marked(), (64, 64))
    assert (drawn[:14] == 128).all()
    assert (drawn[-14:] == 128).all()
    assert drawn[32, 2].tolist() == [255, 0, 0]
    assert (seen(replace(CANNY, resize_mode="Fill"), picture(), (128, 256))[:80] == 0).all()


def test_a_map_of_just_the_size_is_left_alone() -> None:
    assert (seen(ControlUse(), picture(), (192, 128)) == scene()).all()


# ---- what maps say -------------------------------------------------------------------------------------------------------------


def lines(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (pixels[..., 0] > 127).astype(np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (97, 61), (200, 150), (333, 512), (1024, 900)])
def test_thin_lines_stay_and_stay_thin_at_every_size(size: tuple[int, int]) -> None:
    canvas = np.zeros((256, 256, 3), np.uint8)
    cv2.circle(canvas, (128, 128), 90, (255, 255, 255), 1)
    cv2.line(canvas, (10, 20), (240, 35), (255, 255, 255), 1)
    cv2.line(canvas, (20, 240), (60, 150), (255, 255, 255), 1)
    drawn = np.asarray(fitted(Image.fromarray(canvas), size, "Stretch", "Black and white"))
    white = lines(drawn)
    assert set(np.unique(drawn)) == {0, 255}
    assert cv2.connectedComponents(white)[0] == cv2.connectedComponents(lines(canvas))[0]  # nothing tears, nothing joins
    assert not cv2.erode(white, np.ones((2, 2), np.uint8))[2:-2, 2:-2].mean() > 0.002
    share = np.array([size[1] / 256, size[0] / 256])
    nearest = cv2.distanceTransform(1 - white, cv2.DIST_L2, 5)
    rows, columns = ((np.argwhere(lines(canvas)) + 0.5) * share).astype(int).T
    assert nearest[rows, columns].max() <= 1.5 + max(share)  # every pixel of a line has a white one at its place


def test_broad_shapes_keep_their_area() -> None:
    canvas = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(canvas, (100, 100), 60, (255, 255, 255), -1)
    for size in ((75, 75), (430, 430)):
        drawn = np.asarray(fitted(Image.fromarray(canvas), size, "Stretch", "Black and white"))
        assert lines(drawn).mean() == pytest.approx(lines(canvas).mean(), rel=0.03)
        assert set(np.unique(drawn)) == {0, 255}


def test_canny_is_crisp_at_a_resolution_that_is_not_the_drawings() -> None:
    for resolution in (64, 256):
        drawn = seen(replace(CANNY, pixel_perfect=False, resolution=resolution), picture(), (192, 128))
        assert set(np.unique(drawn)) == {0, 255}


def test_canny_that_is_pixel_perfect_is_not_resampled() -> None:
    assert (seen(CANNY, picture(), (192, 128))[..., 0] == cv2.Canny(scene(), 60, 150)).all()


def segments() -> NDArray[np.uint8]:
    canvas = np.zeros((90, 90, 3), np.uint8)
    canvas[:, :30], canvas[:, 30:60], canvas[40:, 60:] = (120, 120, 120), (4, 200, 3), (204, 5, 255)
    return canvas


@pytest.mark.parametrize("mode", CONTROL_RESIZE)
@pytest.mark.parametrize("size", [(40, 64), (300, 170)])
def test_colours_of_segments_are_not_mixed(size: tuple[int, int], mode: str) -> None:
    drawn = seen(ControlUse(resize_mode=mode), Image.fromarray(segments()), size)  # put in ready-made: told by its few colours
    colours = {tuple(colour) for colour in segments().reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()} <= colours


def test_a_map_of_lines_that_is_put_in_is_told_by_its_two_colours() -> None:
    ready = Image.fromarray(cv2.cvtColor(cv2.Canny(scene(), 60, 150), cv2.COLOR_GRAY2RGB))
    assert set(np.unique(seen(ControlUse(), ready, (100, 66)))) == {0, 255}


def test_depth_and_photographs_get_shades_between() -> None:
    ramp = np.repeat(np.linspace(0, 255, 40).astype(np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    drawn = seen(ControlUse(), Image.fromarray(ramp), (160, 160))
    assert len(np.unique(drawn)) > 80
    tiny = seen(ControlUse(), picture(64, 64).resize((10, 10)), (80, 80))
    assert len(np.unique(tiny.reshape(-1, 3), axis=0)) > 1000


# ---- masks ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", CONTROL_RESIZE)
def test_the_models_minus_one_is_where_people_see_black(mode: str) -> None:
    use = ControlUse(preprocessor="Inpaint mask", resize_mode=mode)
    hint, mask = Image.new("RGB", (200, 100), (90, 160, 30)), Image.new("L", (200, 100))
    mask.paste(255, (80, 20, 120, 60))
    shown = control_picture(use, hint, (64, 64), mask=mask)
    placed = control_mask(use, mask, (64, 64))
    values = inpaint_tensor(shown, placed).numpy()[0]
    masked = np.asarray(placed) > 0
    assert set(np.unique(np.asarray(placed))) == {0, 255}
    assert (values[:, masked] == -1).all()
    assert not np.asarray(shown)[masked].any()
    assert (np.asarray(shown)[~masked] == (90, 160, 30)).all()


def test_beside_a_filled_picture_everything_is_masked() -> None:
    placed = np.asarray(control_mask(ControlUse(resize_mode="Fill"), Image.new("L", (200, 100)), (64, 64)))
    assert placed[:16].all()
    assert placed[-16:].all()
    assert not placed[16:48].any()
